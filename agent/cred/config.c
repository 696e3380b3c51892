/* SPDX-License-Identifier: BSD-2-Clause */
#include "cred_int.h"

#include "common/settings_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A mistake in a file that a key names is said at the key, with the file. */
static int at_key(struct settings_error *err, const struct settings *s,
		  const struct settings_key *key, const char *path)
{
	char text[sizeof(err->text)];

	snprintf(text, sizeof(text), "%s", err->text);
	return settings_err(err, s, key, "%.256s: %.200s", path, text);
}

static int name_load(struct cred *c, enum cred_kind kind, const struct settings *s,
		     const struct settings_key *key, const char *name, bool named_only,
		     struct settings_error *err)
{
	char path[2 * SETTINGS_PATH_MAX];
	unsigned int from = 0;
	int r;

	if (!cred_path(c, kind, name, path, sizeof(path)))
		return settings_err(err, s, key, "the name of the file is too long");
	if (cred_item_next(c, kind, path, &from))
		return 0;
	r = cred_file_load(c, kind, path, named_only, err);
	return r == -EINVAL ? at_key(err, s, key, path) : r;
}

static int list_load(struct cred *c, enum cred_kind kind, const struct settings *s,
		     const struct settings_key *key, struct settings_error *err)
{
	const char *list = key->value;
	char name[SETTINGS_PATH_MAX];
	unsigned int n = 0;
	int r = 0;

	while (!r && settings_item(&list, name, sizeof(name))) {
		if (!name[0])
			return settings_err(err, s, key, "an empty name in the list");
		if (n++ == CRED_NAMED_MAX)
			return settings_err(err, s, key, "more than %d files", CRED_NAMED_MAX);
		r = name_load(c, kind, s, key, name, kind == CRED_CA, err);
	}
	return r;
}

/* cert<suffix> and cacert<suffix>: `file` alone is for us, tokens are not. */
static int file_section(struct cred *c, enum cred_kind kind, const struct settings *s,
			struct settings_error *err)
{
	const struct settings_key *key;

	TAILQ_FOREACH (key, &s->keys, next) {
		if (!strcmp(key->name, "handle") || !strcmp(key->name, "slot") ||
		    !strcmp(key->name, "module"))
			return settings_err(err, s, key, "tokens are not supported");
		if (strcmp(key->name, "file") != 0)
			return settings_unknown(s, key, ((const char *const[]){"file", NULL}), err);
	}
	key = settings_key(s, "file");
	if (!key)
		return settings_err(err, s, NULL, "file is missing");
	return name_load(c, kind, s, key, key->value, kind == CRED_CA, err);
}

/* A `local` or `remote` section. */
static int round_read(struct cred *c, const struct settings *s, struct settings_error *err)
{
	static const struct {
		const char *key;
		enum cred_kind kind;
	} lists[] = {{"certs", CRED_CERT}, {"cacerts", CRED_CA}, {"pubkeys", CRED_PUBKEY}};
	const struct settings *sub;
	int r = 0;

	for (size_t i = 0; !r && i < sizeof(lists) / sizeof(*lists); i++) {
		const struct settings_key *key = settings_key(s, lists[i].key);

		if (key)
			r = list_load(c, lists[i].kind, s, key, err);
	}
	TAILQ_FOREACH (sub, &s->sections, next) {
		if (!r && !strncmp(sub->name, "cert", 4))
			r = file_section(c, CRED_CERT, sub, err);
		else if (!r && !strncmp(sub->name, "cacert", 6))
			r = file_section(c, CRED_CA, sub, err);
	}
	return r;
}

static int connections_read(struct cred *c, const struct settings *root, struct settings_error *err)
{
	const struct settings *top = settings_section(root, "connections"), *conn, *round;
	int r = 0;

	if (!top)
		return 0;
	TAILQ_FOREACH (conn, &top->sections, next) {
		TAILQ_FOREACH (round, &conn->sections, next) {
			if (!r && (!strncmp(round->name, "local", 5) ||
				   !strncmp(round->name, "remote", 6)))
				r = round_read(c, round, err);
		}
	}
	return r;
}

/* ---- authorities
 * ------------------------------------------------------------------------------------- */
static int uris_read(const struct settings *s, const struct settings_key *key,
		     char *out[CRED_URIS_MAX], unsigned int *n, struct settings_error *err)
{
	const char *list = key->value;
	char uri[CRED_URI_MAX + 1];

	while (settings_item(&list, uri, sizeof(uri))) {
		if (strncasecmp(uri, "http://", 7) != 0 || !uri[7])
			return settings_err(err, s, key, "'%.64s': only http:// is supported", uri);
		if (strlen(uri) == CRED_URI_MAX)
			return settings_err(err, s, key, "a URI of more than %d bytes",
					    CRED_URI_MAX - 1);
		if (*n == CRED_URIS_MAX)
			return settings_err(err, s, key, "more than %d URIs", CRED_URIS_MAX);
		out[*n] = strdup(uri);
		if (!out[*n])
			return -ENOMEM;
		++*n;
	}
	return 0;
}

static int ca_read(struct cred *c, struct cred_authority *a, const struct settings *s,
		   const struct settings_key *key, struct settings_error *err)
{
	char path[2 * SETTINGS_PATH_MAX];
	unsigned int from = 0;
	int r;

	if (a->ca)
		return settings_err(err, s, key, "cacert and file exclude each other");
	r = name_load(c, CRED_CA, s, key, key->value, false, err);
	if (r)
		return r;
	cred_path(c, CRED_CA, key->value, path, sizeof(path));
	a->ca = cred_item_next(c, CRED_CA, path, &from);
	if (X509_check_ca(a->ca->x) < 1)
		return settings_err(err, s, key, "%.256s: not the certificate of a CA", path);
	/* A connection may have named it before: an authority is for all of them. */
	((struct cred_item *)a->ca)->named_only = false;
	return 0;
}

static int authority_read(struct cred *c, struct cred_authority *a, const struct settings *s,
			  struct settings_error *err)
{
	const struct settings *sub = TAILQ_FIRST(&s->sections);
	const struct settings_key *key;
	int r = 0;

	if (sub)
		return settings_unknown(sub, NULL, ((const char *const[]){NULL}), err);
	snprintf(a->name, sizeof(a->name), "%s", s->name);
	TAILQ_FOREACH (key, &s->keys, next) {
		const char *k = key->name;

		if (!strcmp(k, "cacert") || !strcmp(k, "file"))
			r = ca_read(c, a, s, key, err);
		else if (!strcmp(k, "crl_uris"))
			r = uris_read(s, key, a->crl_uri, &a->n_crl, err);
		else if (!strcmp(k, "ocsp_uris"))
			r = uris_read(s, key, a->ocsp_uri, &a->n_ocsp, err);
		else if (!strcmp(k, "handle") || !strcmp(k, "slot") || !strcmp(k, "module"))
			r = settings_err(err, s, key, "tokens are not supported");
		else if (!strcmp(k, "cert_uri_base"))
			r = settings_err(err, s, key, "hash and URL is not supported");
		else
			r = settings_unknown(s, key,
					     ((const char *const[]){"cacert", "file", "crl_uris",
								    "ocsp_uris", NULL}),
					     err);
		if (r)
			return r;
	}
	return a->ca ? 0 : settings_err(err, s, NULL, "cacert or file is missing");
}

static int authorities_read(struct cred *c, const struct settings *root, struct settings_error *err)
{
	const struct settings *top = settings_section(root, "authorities"), *s;
	unsigned int n = 0;
	int r = 0;

	if (!top)
		return 0;
	if (!TAILQ_EMPTY(&top->keys))
		return settings_err(err, top, TAILQ_FIRST(&top->keys),
				    "an authority is a section: name { cacert = ... }");
	TAILQ_FOREACH (s, &top->sections, next)
		n++;
	c->authority = calloc(n ? n : 1, sizeof(*c->authority));
	if (!c->authority)
		return -ENOMEM;
	TAILQ_FOREACH (s, &top->sections, next) {
		if (r)
			break;
		r = authority_read(c, &c->authority[c->n_authorities++], s, err);
	}
	return r;
}

int cred_config_read(struct cred *c, const struct settings *root, struct settings_error *err)
{
	int r = connections_read(c, root, err);

	return r ? r : authorities_read(c, root, err);
}
