// SPDX-License-Identifier: BSD-2-Clause
#include "conf_int.h"

#include "agent/crypt/crypt.h"
#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { KEYWORD_MAX = 32, PROPOSAL_TEXT_MAX = 512 };

/*
 * RFC 8247 (IKE) and RFC 8221 (ESP, AH): what MUST and SHOULD be there and nothing that they advise
 * against or expect to go (SHA1). As in RFC 7296 3.3 an AEAD stands in a proposal of its own.
 */
static const char *const ike_default[] = {
    "aes256gcm16-aes128gcm16-chacha20poly1305-prfsha256-prfsha384-prfsha512-"
    "x25519-ecp256-ecp384-modp3072-modp2048",
    "aes256-aes128-sha256-sha384-sha512-x25519-ecp256-ecp384-modp3072-modp2048",
};
static const char *const esp_default[] = {
    "aes128gcm16-aes256gcm16-chacha20poly1305-noesn",
    "aes256-aes128-sha256-noesn",
};
static const char *const ah_default[] = {"sha256-sha384-sha512-noesn"};

/* A proposal being read; the keywords are kept to be named in messages. */
struct draft {
	struct proposal p;
	enum ike_proto proto;
	char aead[KEYWORD_MAX], plain[KEYWORD_MAX], integ[KEYWORD_MAX];
	bool has[IKE_T_ESN + 1];
	char *err;
	size_t errlen;
};

static int fail(struct draft *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int fail(struct draft *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->err, d->errlen, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static const char *proto_name(enum ike_proto proto)
{
	return proto == IKE_PROTO_IKE ? "IKE" : proto == IKE_PROTO_AH ? "AH" : "ESP";
}

static bool usable(const struct draft *d, const struct alg *a)
{
	if (d->proto == IKE_PROTO_AH && a->type == IKE_T_ENCR)
		return false;
	return d->proto == IKE_PROTO_IKE ? a->ike : a->esp;
}

static int add(struct draft *d, const struct alg *a)
{
	struct transform t = {.type = a->type, .id = a->id, .key_bits = a->key_bits};

	if (proposal_has(&d->p, t.type, t.id, t.key_bits))
		return 0;
	if (d->p.n == IKE_TRANSFORMS_MAX)
		return fail(d, "more than %d algorithms in one proposal", IKE_TRANSFORMS_MAX);
	d->p.t[d->p.n++] = t;
	d->has[t.type] = true;
	return 0;
}

static int unknown(struct draft *d, const char *word)
{
	const char *known[ALG_ROWS_MAX + 1] = {0};
	const char *near;
	unsigned int n = 0;

	for (unsigned int i = 0; alg_at(i) && n < ALG_ROWS_MAX; i++)
		if (usable(d, alg_at(i)) && !alg_at(i)->variant && !alg_at(i)->legacy)
			known[n++] = alg_at(i)->name;
	near = settings_nearest(word, known);
	if (near)
		return fail(d, "'%s' is not a known algorithm; did you mean '%s'?", word, near);
	return fail(d, "'%s' is not a known algorithm", word);
}

static int take_keyword(struct draft *d, const char *word)
{
	const struct alg *a = alg_by_name(word, 0);

	if (!a)
		return unknown(d, word);
	/* It has no number of its own: what peers offer each other is sha256. */
	if (a->variant)
		return fail(d,
			    "'%s' cannot be negotiated: write sha256, and sha256_96 = yes in the "
			    "child",
			    word);
	/* RFC 4543 4 has it, but Linux, which does AH, has not. */
	if (d->proto == IKE_PROTO_AH && a->mode == ALG_GMAC)
		return fail(d, "no engine can do AH with '%s'", word);
	if (!usable(d, a))
		return fail(d, "'%s' cannot be used for %s", word, proto_name(d->proto));
	if (a->legacy && !crypt_legacy_on())
		return fail(d,
			    "'%s' is too weak to be used unless xdpsec.conf says legacy = yes in "
			    "section ike",
			    word);
	if (!crypt_available(a))
		return fail(d, "OpenSSL has no '%s' here", word);
	if (a->type == IKE_T_ENCR)
		snprintf(a->aead ? d->aead : d->plain, KEYWORD_MAX, "%s", word);
	if (a->type == IKE_T_INTEG && !d->integ[0])
		snprintf(d->integ, KEYWORD_MAX, "%s", word);
	return add(d, a);
}

/* The PRFs of the hashes named for integrity, in their order. */
static int derive_prf(struct draft *d)
{
	unsigned int n = d->p.n;

	for (unsigned int i = 0; i < n; i++) {
		const struct transform *t = &d->p.t[i];
		const struct alg *prf = t->type == IKE_T_INTEG
					    ? alg_prf_for(alg_find(t->type, t->id, t->key_bits))
					    : NULL;
		int rc = prf ? add(d, prf) : 0;

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int default_prf(struct draft *d)
{
	static const char *const words[] = {"prfsha256", "prfsha384", "prfsha512"};
	int rc = 0;

	for (unsigned int i = 0; i < sizeof(words) / sizeof(*words) && rc == 0; i++)
		rc = take_keyword(d, words[i]);
	return rc;
}

static void drop_integ(struct draft *d)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < d->p.n; i++)
		if (d->p.t[i].type != IKE_T_INTEG)
			d->p.t[n++] = d->p.t[i];
	d->p.n = (uint16_t)n;
	d->has[IKE_T_INTEG] = false;
}

static int complete_ike(struct draft *d)
{
	int rc = 0;

	if (!d->has[IKE_T_PRF])
		rc = derive_prf(d);
	/* With an AEAD a hash can only mean the PRF: the way most people write it. */
	if (rc == 0 && d->aead[0])
		drop_integ(d);
	if (rc == 0 && !d->has[IKE_T_PRF])
		rc = default_prf(d);
	if (rc == 0 && !d->has[IKE_T_KE])
		return fail(d, "a key exchange such as x25519 is missing");
	return rc;
}

static int complete_esp(struct draft *d)
{
	if (d->aead[0] && d->has[IKE_T_INTEG])
		return fail(d, "'%s' protects integrity itself and excludes '%s'", d->aead,
			    d->integ);
	return d->has[IKE_T_ESN] ? 0 : take_keyword(d, "noesn");
}

static int complete_ah(struct draft *d)
{
	if (!d->has[IKE_T_INTEG])
		return fail(d, "an integrity algorithm such as sha256 is missing");
	return d->has[IKE_T_ESN] ? 0 : take_keyword(d, "noesn");
}

static int complete(struct draft *d)
{
	if (d->proto == IKE_PROTO_AH)
		return complete_ah(d);
	if (!d->has[IKE_T_ENCR])
		return fail(d, "an encryption algorithm such as aes128gcm16 is missing");
	/* RFC 7296 3.3: a responder chooses one of each type, and INTEG only fits one of the two
	 * kinds. */
	if (d->aead[0] && d->plain[0])
		return fail(d, "'%s' and '%s' cannot stand in one proposal", d->aead, d->plain);
	if (!d->aead[0] && !d->has[IKE_T_INTEG])
		return fail(d, "'%s' needs an integrity algorithm such as sha256", d->plain);
	return d->proto == IKE_PROTO_IKE ? complete_ike(d) : complete_esp(d);
}

static int parse(struct draft *d, const char *text)
{
	char copy[PROPOSAL_TEXT_MAX], *save = NULL;
	int rc = 0;

	if (strlen(text) >= sizeof(copy))
		return fail(d, "a proposal longer than %zu bytes", sizeof(copy) - 1);
	strcpy(copy, text);
	for (char *word = strtok_r(copy, "-", &save); word && rc == 0;
	     word = strtok_r(NULL, "-", &save)) {
		if (strlen(word) >= KEYWORD_MAX)
			return fail(d, "'%s' is not a known algorithm", word);
		rc = take_keyword(d, word);
	}
	return rc < 0 ? rc : complete(d);
}

static int append(struct proposals *out, struct draft *d)
{
	if (out->n == IKE_PROPOSALS_MAX)
		return fail(d, "more than %d proposals", IKE_PROPOSALS_MAX);
	d->p.proto = (uint8_t)d->proto;
	d->p.number = (uint8_t)(out->n + 1);
	out->p[out->n++] = d->p;
	return 0;
}

int conf_proposal(const char *text, enum ike_proto proto, struct proposals *out, char *err,
		  size_t errlen)
{
	struct draft d = {.proto = proto, .err = err, .errlen = errlen};
	int rc;

	if (strcmp(text, "default") == 0) {
		if (out->n + 2 > IKE_PROPOSALS_MAX) /* of IKE and ESP there are two */
			return fail(&d, "more than %d proposals", IKE_PROPOSALS_MAX);
		conf_proposals_default(proto, out);
		return 0;
	}
	rc = parse(&d, text);
	return rc < 0 ? rc : append(out, &d);
}

void conf_proposals_default(enum ike_proto proto, struct proposals *out)
{
	const char *const *texts = proto == IKE_PROTO_IKE  ? ike_default
				   : proto == IKE_PROTO_AH ? ah_default
							   : esp_default;

	for (unsigned int i = 0; i < (proto == IKE_PROTO_AH ? 1 : 2); i++) {
		char err[128];
		struct draft d = {.proto = proto, .err = err, .errlen = sizeof(err)};

		if (parse(&d, texts[i]) == 0)
			append(out, &d);
	}
}

/* RFC 8247 2, RFC 8221 5: who uses these shall know it. */
static void warn_legacy(const struct settings *s, const struct settings_key *key,
			const struct proposals *p)
{
	const struct alg *a;

	for (unsigned int i = 0; i < p->n; i++) {
		for (unsigned int k = 0; (a = proposal_legacy(&p->p[i], k)); k++)
			log_line(LOG_CONFIG, 0, "%s:%d: %s offers %s, which is weak (legacy = yes)",
				 s->file, key->line, key->name, a->text);
	}
}

int conf_read_proposals(const struct settings *s, const struct settings_key *key,
			enum ike_proto proto, struct proposals *out, struct settings_error *err)
{
	const char *list = key->value;
	char item[PROPOSAL_TEXT_MAX], why[256];

	out->n = 0;
	while (settings_item(&list, item, sizeof(item)))
		if (conf_proposal(item, proto, out, why, sizeof(why)) < 0)
			return settings_err(err, s, key, "'%.128s': %s", item, why);
	warn_legacy(s, key, out);
	return 0;
}
