// SPDX-License-Identifier: BSD-2-Clause
#include "conf_int.h"

#include "common/secret.h"

#include <string.h>

/*
 * The agent holds no long-term secret: it reads the same file as the keys role, but what is behind
 * `secret` is overwritten before anything looks at the tree. Only the shape is checked here.
 */

static int check_ike(const struct settings *s, struct settings_error *err);
static int check_passphrase(const struct settings *s, struct settings_error *err);

static const struct {
	const char *kind;
	int (*check)(const struct settings *s, struct settings_error *err); /* NULL: not yet */
} kinds[] = {
    {"ike", check_ike},		 {"eap", NULL},		   {"xauth", NULL},
    {"ntlm", NULL},		 {"ppk", NULL},		   {"private", check_passphrase},
    {"rsa", check_passphrase},	 {"ecdsa", check_passphrase}, {"pkcs8", check_passphrase},
    {"pkcs12", NULL},		 {"token", NULL},
};

void conf_secrets_wipe(struct settings *s)
{
	struct settings_key *key;
	struct settings *sub;

	TAILQ_FOREACH (key, &s->keys, next)
		if (strcmp(key->name, "secret") == 0 || strcmp(key->name, "pin") == 0)
			secret_wipe(key->value, strlen(key->value));
	TAILQ_FOREACH (sub, &s->sections, next)
		conf_secrets_wipe(sub);
}

static int check_ike(const struct settings *s, struct settings_error *err)
{
	const struct settings *sub = TAILQ_FIRST(&s->sections);
	const struct settings_key *key;

	if (sub)
		return settings_unknown(sub, NULL, CONF_WORDS(NULL), err);
	TAILQ_FOREACH (key, &s->keys, next) {
		struct conf_id id;

		if (strcmp(key->name, "secret") == 0)
			continue;
		if (strncmp(key->name, "id", 2) != 0)
			return settings_unknown(s, key, CONF_WORDS("secret", "id"), err);
		/* Not quoted: what stands here by mistake may be the secret. */
		if (conf_id_parse(key->value, &id) < 0)
			return settings_err(err, s, key, "not an identity that is supported");
	}
	if (!settings_key(s, "secret"))
		return settings_err(err, s, NULL, "secret is missing");
	return 0;
}

static int check_passphrase(const struct settings *s, struct settings_error *err)
{
	const struct settings *sub = TAILQ_FIRST(&s->sections);
	const struct settings_key *key;

	if (sub)
		return settings_unknown(sub, NULL, CONF_WORDS(NULL), err);
	TAILQ_FOREACH (key, &s->keys, next)
		if (strcmp(key->name, "secret") && strcmp(key->name, "file"))
			return settings_unknown(s, key, CONF_WORDS("secret", "file"), err);
	if (!settings_key(s, "secret") || !settings_key(s, "file"))
		return settings_err(err, s, NULL, "%s is missing",
				    settings_key(s, "file") ? "secret" : "file");
	return 0;
}

static int check_kind(const struct settings *s, struct settings_error *err)
{
	const char *known[sizeof(kinds) / sizeof(*kinds) + 1] = {0};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		known[i] = kinds[i].kind;
		if (!conf_named(s, kinds[i].kind))
			continue;
		if (!kinds[i].check)
			return settings_err(err, s, NULL,
					    "secrets of kind %s are not supported yet",
					    kinds[i].kind);
		return kinds[i].check(s, err);
	}
	return settings_unknown(s, NULL, known, err);
}

int conf_secrets_check(const struct settings *s, struct settings_error *err)
{
	const struct settings_key *key = TAILQ_FIRST(&s->keys);
	const struct settings *sub;

	if (key)
		return settings_err(err, s, key, "a secret is a section: ike-1 { secret = ... }");
	TAILQ_FOREACH (sub, &s->sections, next) {
		int rc = check_kind(sub, err);

		if (rc < 0)
			return rc;
	}
	return 0;
}
