/* SPDX-License-Identifier: BSD-2-Clause */
#include "store.h"

#include "agent/conf/conf.h"
#include "common/hex.h"

#include <openssl/evp.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The kinds of swanctl.conf; the longest word that a section's name starts with is its kind. */
static const struct kind {
	const char *word;
	enum { LATER, SHARED, PASSPHRASE } what;
} kinds[] = {
    {"ike", SHARED},	   {"eap", LATER},	    {"xauth", LATER},	   {"ntlm", LATER},
    {"ppk", LATER},	   {"private", PASSPHRASE}, {"rsa", PASSPHRASE},   {"ecdsa", PASSPHRASE},
    {"pkcs8", PASSPHRASE}, {"pkcs12", LATER},	    {"token", LATER},
};

static const struct kind *kind_of(const char *name)
{
	const struct kind *best = NULL;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		size_t n = strlen(kinds[i].word);

		if (!strncmp(name, kinds[i].word, n) && (!best || n > strlen(best->word)))
			best = &kinds[i];
	}
	return best;
}

void store_init(struct store *s)
{
	TAILQ_INIT(&s->secrets);
	TAILQ_INIT(&s->loose);
	index_init(&s->listed);
	index_init(&s->only);
	TAILQ_INIT(&s->passphrases);
	s->n = 0;
}

static void secret_drop(struct store_secret *x)
{
	if (!x)
		return;
	for (unsigned int i = 0; i < x->n_ids; i++) {
		free((void *)x->id[i].id.data.p);
		free(x->id[i].text);
	}
	free(x->id);
	free(x->kind);
	free(x->name);
	secret_free(&x->value);
	free(x);
}

static void passphrase_drop(struct store_passphrase *p)
{
	if (!p)
		return;
	free(p->name);
	free(p->file);
	secret_free(&p->text);
	free(p);
}

void store_forget_passphrases(struct store *s)
{
	struct store_passphrase *p;

	while ((p = TAILQ_FIRST(&s->passphrases))) {
		TAILQ_REMOVE(&s->passphrases, p, next);
		passphrase_drop(p);
	}
}

void store_free(struct store *s)
{
	struct store_secret *x;

	store_forget_passphrases(s);

	while ((x = TAILQ_FIRST(&s->secrets))) {
		TAILQ_REMOVE(&s->secrets, x, next);
		secret_drop(x);
	}
	TAILQ_INIT(&s->loose);
	index_free(&s->listed);
	index_free(&s->only);
	s->n = 0;
}

static int decode_hex(const char *s, struct secret *out)
{
	size_t n = strlen(s);

	if (!n || n % 2)
		return -EINVAL;
	if (n / 2 > STORE_SECRET_MAX)
		return -EMSGSIZE;
	if (secret_new(out, n / 2))
		return -ENOMEM;
	for (size_t i = 0; i < n / 2; i++) {
		int hi = hex_digit(s[2 * i]), lo = hex_digit(s[2 * i + 1]);

		if (hi < 0 || lo < 0) {
			secret_free(out);
			return -EINVAL;
		}
		out->p[i] = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}

static int decode_base64(const char *s, struct secret *out)
{
	size_t n = strlen(s), pad = 0;
	struct secret whole = {0};
	int r;

	if (!n || n % 4 ||
	    strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") != n)
		return -EINVAL;
	if (n / 4 * 3 > STORE_SECRET_MAX + 2)
		return -EMSGSIZE;
	pad = (s[n - 1] == '=') + (s[n - 2] == '=');
	if (strcspn(s, "=") != n - pad)
		return -EINVAL;
	if (secret_new(&whole, n / 4 * 3))
		return -ENOMEM;
	r = EVP_DecodeBlock(whole.p, (const unsigned char *)s, (int)n);
	if (r == (int)whole.n)
		r = secret_dup(out, slice_of(whole.p, whole.n - pad));
	else
		r = -EINVAL;
	secret_free(&whole);
	return r;
}

int store_decode(const char *text, struct secret *out)
{
	size_t n = strlen(text);

	if (!strncmp(text, "0x", 2))
		return decode_hex(text + 2, out);
	if (!strncmp(text, "0s", 2))
		return decode_base64(text + 2, out);
	if (!n)
		return -EINVAL;
	if (n > STORE_SECRET_MAX)
		return -EMSGSIZE;
	return secret_dup(out, slice_of(text, n));
}

static int no_memory(struct settings_error *err, const struct settings *s)
{
	settings_err(err, s, NULL, "out of memory");
	return -ENOMEM;
}

static int read_id(struct store_secret *x, const struct settings *s, const struct settings_key *key,
		   struct settings_error *err)
{
	struct store_id *id = x->id + x->n_ids;
	struct conf_id parsed;
	uint8_t *bytes;
	int r;

	if (x->n_ids == STORE_IDS_MAX)
		return settings_err(err, s, key, "more than %d identities", STORE_IDS_MAX);
	r = conf_id_parse(key->value, &parsed);
	if (r == -ENOTSUP)
		return settings_err(err, s, key,
				    "wildcards and asn1gn: are not supported");
	/* not quoted: what stands here by mistake may be the secret */
	if (r)
		return settings_err(err, s, key, "not an identity");
	bytes = malloc(parsed.n ? parsed.n : 1);
	id->text = strdup(key->value);
	if (!bytes || !id->text) {
		free(bytes);
		free(id->text);
		return no_memory(err, s);
	}
	memcpy(bytes, parsed.b, parsed.n);
	id->any = parsed.any;
	id->id = (struct ike_id){.type = parsed.type, .data = slice_of(bytes, parsed.n)};
	x->n_ids++;
	return 0;
}

static int read_value(struct store_secret *x, const struct settings *s,
		      const struct settings_key *key, struct settings_error *err)
{
	int r = store_decode(key->value, &x->value);

	if (r == -ENOMEM)
		return no_memory(err, s);
	if (r == -EMSGSIZE)
		return settings_err(err, s, key, "longer than %d bytes", STORE_SECRET_MAX);
	if (r && !strncmp(key->value, "0x", 2))
		return settings_err(err, s, key, "not pairs of hex digits behind 0x");
	if (r && !strncmp(key->value, "0s", 2))
		return settings_err(err, s, key, "not base64 behind 0s");
	return r ? settings_err(err, s, key, "empty") : 0;
}

static int read_keys(struct store_secret *x, const struct settings *s, struct settings_error *err)
{
	const struct settings_key *key;
	int r;

	TAILQ_FOREACH (key, &s->keys, next) {
		if (!strcmp(key->name, "secret"))
			r = x->value.p ? settings_err(err, s, key, "given twice")
				       : read_value(x, s, key, err);
		else if (!strncmp(key->name, "id", 2))
			r = read_id(x, s, key, err);
		else
			r = settings_err(err, s, key, "unknown key");
		if (r)
			return r;
	}
	if (!TAILQ_EMPTY(&s->sections))
		return settings_err(err, TAILQ_FIRST(&s->sections), NULL, "unknown section");
	return x->value.p ? 0 : settings_err(err, s, NULL, "secret is missing");
}

static int read_passphrase_text(struct store_passphrase *p, const struct settings *s,
				const struct settings_key *key, struct settings_error *err)
{
	struct store_secret x = {0};
	int r = read_value(&x, s, key, err);

	if (!r && memchr(x.value.p, 0, x.value.n))
		r = settings_err(err, s, key, "a passphrase has no zero byte");
	if (!r && secret_new(&p->text, x.value.n + 1))
		r = no_memory(err, s);
	if (!r)
		memcpy(p->text.p, x.value.p, x.value.n);
	secret_free(&x.value);
	return r;
}

static int read_passphrase_keys(struct store_passphrase *p, const struct settings *s,
				struct settings_error *err)
{
	const struct settings_key *key;
	int r = 0;

	TAILQ_FOREACH (key, &s->keys, next) {
		bool file = !strcmp(key->name, "file");

		if (!file && strcmp(key->name, "secret"))
			return settings_err(err, s, key, "unknown key");
		if (file ? p->file != NULL : p->text.p != NULL)
			return settings_err(err, s, key, "given twice");
		if (file && (!*key->value || strchr(key->value, '/') || strlen(key->value) > 255))
			return settings_err(err, s, key, "a file in the folder %s, without a path", p->kind);
		if (file)
			p->file = strdup(key->value);
		else
			r = read_passphrase_text(p, s, key, err);
		if (r || (file && !p->file))
			return r ? r : no_memory(err, s);
	}
	if (!TAILQ_EMPTY(&s->sections))
		return settings_err(err, TAILQ_FIRST(&s->sections), NULL, "unknown section");
	if (!p->file || !p->text.p)
		return settings_err(err, s, NULL, "%s is missing", p->file ? "secret" : "file");
	return 0;
}

static int read_passphrase(struct store *st, const struct kind *kind, const struct settings *s,
			   struct settings_error *err)
{
	struct store_passphrase *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return no_memory(err, s);
	p->kind = kind->word;
	p->name = strdup(s->name);
	r = p->name ? read_passphrase_keys(p, s, err) : no_memory(err, s);
	if (r)
		passphrase_drop(p);
	else
		TAILQ_INSERT_TAIL(&st->passphrases, p, next);
	return r;
}

/* Names compare without regard to case, so they spread without it. */
static uint32_t id_spread(const struct ike_id *id)
{
	uint32_t h = index_hash(INDEX_SEED, &id->type, 1);

	for (size_t i = 0; i < id->data.n; i++) {
		uint8_t c = id->data.p[i] >= 'A' && id->data.p[i] <= 'Z' ? id->data.p[i] | 0x20 : id->data.p[i];

		h = (h ^ c) * 0x01000193u;
	}
	return index_hash(h, "", 0);
}

/* By what store_find looks for it. */
static void secret_index(struct store *st, struct store_secret *x)
{
	bool loose = x->n_ids == 0, one = x->n_ids > 0;

	for (unsigned int i = 0; i < x->n_ids; i++) {
		loose |= x->id[i].any;
		one &= !x->id[i].any && id_bytes_equal(&x->id[0].id, &x->id[i].id);
		x->id[i].of = x;
		if (!x->id[i].any)
			index_add(&st->listed, &x->id[i].listed, id_spread(&x->id[i].id));
	}
	if (loose)
		TAILQ_INSERT_TAIL(&st->loose, x, next_loose);
	if (one)
		index_add(&st->only, &x->only, id_spread(&x->id[0].id));
}

static int read_section(struct store *st, const struct settings *s, struct settings_error *err)
{
	const struct kind *kind = kind_of(s->name);
	struct store_secret *x;
	int r;

	if (!kind)
		return settings_err(err, s, NULL, "unknown kind of secret");
	if (kind->what == LATER)
		return settings_err(err, s, NULL, "secrets of kind %s are not supported yet",
				    kind->word);
	if (kind->what == PASSPHRASE)
		return read_passphrase(st, kind, s, err);
	x = calloc(1, sizeof(*x));
	if (!x)
		return no_memory(err, s);
	x->kind = strdup(kind->word);
	x->name = strdup(s->name);
	x->id = calloc(STORE_IDS_MAX, sizeof(*x->id));
	if (!x->kind || !x->name || !x->id)
		r = no_memory(err, s);
	else
		r = read_keys(x, s, err);
	if (r) {
		secret_drop(x);
		return r;
	}
	if (x->n_ids) {
		struct store_id *shrunk = realloc(x->id, x->n_ids * sizeof(*x->id));

		x->id = shrunk ? shrunk : x->id;
	}
	TAILQ_INSERT_TAIL(&st->secrets, x, next);
	x->place = st->n++;
	secret_index(st, x);
	return 0;
}

int store_read(struct store *st, const struct settings *root, struct settings_error *err)
{
	const struct settings *top = settings_section(root, "secrets"), *s;
	int r;

	if (!top)
		return 0;
	if (!TAILQ_EMPTY(&top->keys))
		return settings_err(err, top, TAILQ_FIRST(&top->keys),
				    "a secret is a section: ike-1 { secret = ... }");
	TAILQ_FOREACH (s, &top->sections, next) {
		r = read_section(st, s, err);
		if (r)
			return r;
	}
	return 0;
}

int store_load(struct store *s, const char *path, struct settings_error *err)
{
	struct settings *root;
	int r;

	if (access(path, F_OK) && errno == ENOENT)
		return 0;
	root = settings_load(path, err);
	if (!root)
		return -EINVAL;
	r = store_read(s, root, err);
	settings_free(root);
	return r;
}

enum { FIT_NO, FIT_ANY, FIT_EXACT };

static int fit(const struct store_secret *x, const struct ike_id *id)
{
	int best = x->n_ids ? FIT_NO : FIT_ANY;

	for (unsigned int i = 0; i < x->n_ids; i++) {
		if (x->id[i].any)
			best = best > FIT_ANY ? best : FIT_ANY;
		else if (id_bytes_equal(&x->id[i].id, id))
			best = FIT_EXACT;
	}
	return best;
}

static bool lists_only(const struct store_secret *x, const struct ike_id *id)
{
	for (unsigned int i = 0; i < x->n_ids; i++) {
		if (x->id[i].any || !id_bytes_equal(&x->id[i].id, id))
			return false;
	}
	return x->n_ids > 0;
}

struct search {
	const struct ike_id *local, *remote;
	const struct store_secret *best;
	int rank;
};

static bool better(const struct store_secret *x, int rank, const struct search *s)
{
	if (rank != s->rank)
		return rank > s->rank;
	return x->n_ids != s->best->n_ids ? x->n_ids < s->best->n_ids : x->place < s->best->place;
}

static void consider(struct search *s, const struct store_secret *x)
{
	int l = fit(x, s->local), r = fit(x, s->remote), rank;

	if (r == FIT_NO && lists_only(x, s->local))
		r = FIT_ANY;
	rank = r * 4 + l;
	if (r == FIT_NO || !better(x, rank, s))
		return;
	s->rank = rank;
	s->best = x;
}

/* Only those that can fit are looked at: who lists the remote identity, who lists the local one alone, who lists anybody. */
const struct store_secret *store_find(const struct store *s, const struct ike_id *local,
				      const struct ike_id *remote)
{
	struct search search = {.local = local, .remote = remote};
	const struct store_secret *x;
	struct index_node *n;

	for (n = index_find(&s->listed, id_spread(remote)); n; n = index_next(n))
		consider(&search, index_owner(n, struct store_id, listed)->of);
	for (n = index_find(&s->only, id_spread(local)); n; n = index_next(n))
		consider(&search, index_owner(n, struct store_secret, only));
	TAILQ_FOREACH (x, &s->loose, next_loose)
		consider(&search, x);
	return search.best;
}
