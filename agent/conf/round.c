// SPDX-License-Identifier: BSD-2-Clause
#include "conf_int.h"

#include "agent/cred/cred.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* One authentication round: a section `local` or `remote`. */

#define AT(member) offsetof(struct conf_round, member)

static int read_auth(const struct settings *s, const struct settings_key *key, void *out,
		     struct settings_error *err)
{
	struct conf_round *r = out;
	struct conf_auth_rules rules;
	char why[256];

	if (conf_auth_parse(key->value, &rules, why, sizeof(why)) < 0)
		return settings_err(err, s, key, "%s", why);
	r->auth = rules.auth;
	r->sha1 = rules.sha1;
	r->cred.sig = rules.ike;
	r->cred.cert_sig = rules.chain;
	return 0;
}

static int read_id(const struct settings *s, const struct settings_key *key, void *out,
		   struct settings_error *err)
{
	return conf_read_id(s, key, &((struct conf_round *)out)->id, err);
}

static int read_remote_id(const struct settings *s, const struct settings_key *key, void *out,
			  struct settings_error *err)
{
	return conf_read_id_pattern(s, key, &((struct conf_round *)out)->id, err);
}

static int read_ca_id(const struct settings *s, const struct settings_key *key, void *out,
		      struct settings_error *err)
{
	return conf_read_id_pattern(s, key, &((struct conf_round *)out)->cred.ca_id, err);
}

const struct settings_field local_fields[] = {
    {"round", SETTINGS_U32, AT(round), .max = 65535},
    {"certs", SETTINGS_TEXT, AT(cred.certs), .max = CRED_LIST_MAX},
    {"pubkeys", SETTINGS_TEXT, AT(cred.pubkeys), .max = CRED_LIST_MAX},
    {"auth", SETTINGS_CUSTOM, .read = read_auth},
    {"id", SETTINGS_CUSTOM, .read = read_id},
    {"eap_id", .kind = SETTINGS_LATER},
    {"aaa_id", .kind = SETTINGS_LATER},
    {"xauth_id", .kind = SETTINGS_LATER},
    {0},
};

const struct settings_field remote_fields[] = {
    {"round", SETTINGS_U32, AT(round), .max = 65535},
    {"id", SETTINGS_CUSTOM, .read = read_remote_id},
    {"eap_id", .kind = SETTINGS_LATER},
    {"groups", .kind = SETTINGS_LATER},
    {"cert_policy", SETTINGS_TEXT, AT(cred.cert_policy), .max = CRED_LIST_MAX},
    {"certs", SETTINGS_TEXT, AT(cred.certs), .max = CRED_LIST_MAX},
    {"cacerts", SETTINGS_TEXT, AT(cred.cacerts), .max = CRED_LIST_MAX},
    {"ca_id", SETTINGS_CUSTOM, .read = read_ca_id},
    {"pubkeys", SETTINGS_TEXT, AT(cred.pubkeys), .max = CRED_LIST_MAX},
    {"revocation", SETTINGS_WORD, AT(cred.revocation),
     .words = CONF_WORDS("relaxed", "ifuri", "strict")},
    {"auth", SETTINGS_CUSTOM, .read = read_auth},
    {0},
};

/* `file` of cert<suffix> and cacert<suffix> is one more item of the list; tokens are refused by name. */
static int read_cert(const struct settings *s, char list[CRED_LIST_MAX], struct settings_error *err)
{
	const struct settings_key *key;
	const struct settings *sub = TAILQ_FIRST(&s->sections);
	size_t at;

	if (sub)
		return settings_unknown(sub, NULL, CONF_WORDS(NULL), err);
	TAILQ_FOREACH (key, &s->keys, next) {
		if (!strcmp(key->name, "handle") || !strcmp(key->name, "slot") ||
		    !strcmp(key->name, "module"))
			return settings_err(err, s, key,
					    "certificates on tokens (PKCS#11, TPM) are not supported; "
					    "give its file");
		if (strcmp(key->name, "file") != 0)
			return settings_unknown(s, key, CONF_WORDS("file", "handle", "slot", "module"),
						err);
		at = strlen(list);
		if (strlen(key->value) + at + 2 > CRED_LIST_MAX || strchr(key->value, ','))
			return settings_err(err, s, key, "too long, or with a comma");
		snprintf(list + at, CRED_LIST_MAX - at, "%s%s", at ? "," : "", key->value);
	}
	return settings_key(s, "file") ? 0 : settings_err(err, s, NULL, "file is missing");
}

static int read_certs(const struct settings *s, bool remote, struct conf_round *r,
		      struct settings_error *err)
{
	const struct settings *sub;
	int rc;

	TAILQ_FOREACH (sub, &s->sections, next) {
		if (conf_named(sub, "cert"))
			rc = read_cert(sub, r->cred.certs, err);
		else if (remote && conf_named(sub, "cacert"))
			rc = read_cert(sub, r->cred.cacerts, err);
		else
			rc = settings_unknown(sub, NULL,
					      remote ? CONF_WORDS("cert", "cacert") : CONF_WORDS("cert"),
					      err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* What is about certificates means nothing for a pre-shared key: a mistake, then, and not a wish. */
static int check_psk(const struct settings *s, const struct conf_round *r, struct settings_error *err)
{
	static const char *const keys[] = {"certs", "cacerts", "pubkeys", "ca_id", "cert_policy", "revocation"};

	if (r->auth != CONF_AUTH_PSK)
		return 0;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		const struct settings_key *key = settings_key(s, keys[i]);

		if (key && strcmp(key->value, "relaxed") != 0)
			return settings_err(err, s, key, "auth = psk uses no certificates");
	}
	if (!TAILQ_EMPTY(&s->sections))
		return settings_err(err, TAILQ_FIRST(&s->sections), NULL, "auth = psk uses no certificates");
	return 0;
}

int conf_round_read(const struct settings *s, bool remote, struct conf_round *r, struct settings_error *err)
{
	int rc = settings_table_read(s, remote ? remote_fields : local_fields, r, err);

	if (rc == 0)
		rc = read_certs(s, remote, r, err);
	return rc == 0 ? check_psk(s, r, err) : rc;
}

static void rules_copy(struct sig_rules *to, const struct sig_rules *from)
{
	to->schemes = from->schemes;
	to->keys = from->keys;
	to->rsa_min = from->rsa_min;
	to->ec_min = from->ec_min;
}

static void text_copy(char to[CRED_LIST_MAX], const char *from)
{
	memcpy(to, from, strnlen(from, CRED_LIST_MAX - 1));
}

const struct cred_rules *conf_cred_keep(const struct cred_rules *c)
{
	struct cred_rules clean;

	memset(&clean, 0, sizeof(clean));
	text_copy(clean.certs, c->certs);
	text_copy(clean.cacerts, c->cacerts);
	text_copy(clean.pubkeys, c->pubkeys);
	text_copy(clean.cert_policy, c->cert_policy);
	conf_id_clean(&clean.ca_id, &c->ca_id);
	clean.revocation = c->revocation;
	rules_copy(&clean.sig, &c->sig);
	rules_copy(&clean.cert_sig, &c->cert_sig);
	return keep(&clean, sizeof(clean));
}
