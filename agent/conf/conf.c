// SPDX-License-Identifier: BSD-2-Clause
#include "conf_int.h"

#include "common/keep.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void child_drop_kept(struct child_conf *c)
{
	keep_drop(c->file);
	keep_drop(c->proposals);
	keep_drop(c->local_ts);
	keep_drop(c->remote_ts);
}

struct conn_conf *conn_conf_ref(struct conn_conf *c)
{
	c->refs++;
	return c;
}

void conn_conf_unref(struct conn_conf *c)
{
	if (!c || --c->refs)
		return;
	for (unsigned int i = 0; i < c->n_children; i++)
		child_drop_kept(&c->child[i]);
	keep_drop(c->file);
	keep_drop(c->ike);
	keep_drop(c->local_id);
	keep_drop(c->remote_id);
	keep_drop(c->local_cred);
	keep_drop(c->remote_cred);
	free(c->local);
	free(c->remote);
	free(c->child);
	free(c);
}

void conf_free(struct conf *c)
{
	if (!c)
		return;
	for (unsigned int i = 0; i < c->n_conns; i++)
		conn_conf_unref(c->conn[i]);
	conf_lookup_free(c);
	free(c->conn);
	free(c);
}

const struct child_conf *conn_child(const struct conn_conf *c, const char *name)
{
	for (unsigned int i = 0; i < c->n_children; i++)
		if (strcmp(c->child[i].name, name) == 0)
			return &c->child[i];
	return NULL;
}

static int no_memory(const struct settings *s, struct settings_error *err)
{
	settings_err(err, s, NULL, "out of memory");
	return -ENOMEM;
}

static int read_connections(const struct settings *s, struct conf *c, struct settings_error *err)
{
	const struct settings_key *key = TAILQ_FIRST(&s->keys);
	const struct settings *sub;
	unsigned int n = 0;

	if (key)
		return settings_err(err, s, key, "a connection is a section: %s { ... }",
				    key->name);
	TAILQ_FOREACH (sub, &s->sections, next)
		n++;
	c->conn = calloc(n ? n : 1, sizeof(*c->conn));
	if (!c->conn)
		return no_memory(s, err);
	TAILQ_FOREACH (sub, &s->sections, next) {
		struct conn_conf *conn = calloc(1, sizeof(*conn));
		int rc;

		if (!conn)
			return no_memory(s, err);
		conn->refs = 1;
		c->conn[c->n_conns++] = conn;
		rc = conn_read(sub, conn, err);
		if (rc < 0)
			return rc;
		c->any_pubkey |= conn->remote_auth == CONF_AUTH_PUBKEY;
	}
	return 0;
}

static int must_be_empty(const struct settings *s, struct settings_error *err)
{
	const struct settings_key *key = TAILQ_FIRST(&s->keys);
	const struct settings *sub = TAILQ_FIRST(&s->sections);

	if (sub || key)
		return settings_err(err, sub ? sub : s, sub ? NULL : key,
				    "known, but not supported yet");
	return 0;
}

static int read_top(const struct settings *s, struct conf *c, struct settings_error *err)
{
	if (strcmp(s->name, "connections") == 0)
		return read_connections(s, c, err);
	if (strcmp(s->name, "secrets") == 0)
		return conf_secrets_check(s, err);
	if (strcmp(s->name, "pools") == 0)
		return must_be_empty(s, err);
	/* cred_load reads and checks it. */
	if (strcmp(s->name, "authorities") == 0)
		return 0;
	/* A template that others inherit from may have any name. */
	if (s->referenced)
		return 0;
	return settings_unknown(s, NULL,
				CONF_WORDS("connections", "secrets", "pools", "authorities"), err);
}

struct conf *conf_parse(const struct settings *root, struct settings_error *err)
{
	const struct settings_key *key = TAILQ_FIRST(&root->keys);
	const struct settings *s;
	struct conf *c = calloc(1, sizeof(*c));
	int rc = 0;

	if (!c) {
		errno = -no_memory(root, err);
		return NULL;
	}
	if (key)
		rc = settings_err(err, root, key, "a key outside of all sections");
	TAILQ_FOREACH (s, &root->sections, next)
		if (rc == 0)
			rc = read_top(s, c, err);
	if (rc == 0 && conf_lookup_build(c) < 0)
		rc = no_memory(root, err);
	if (rc == 0)
		return c;
	conf_free(c);
	errno = -rc;
	return NULL;
}

struct settings *conf_tree(const char *path, struct settings_error *err)
{
	struct settings *root = settings_load(path ? path : CONF_PATH, err);

	if (root)
		conf_secrets_wipe(root);
	return root;
}

struct conf *conf_load(const char *path, struct settings_error *err)
{
	struct settings *root = conf_tree(path, err);
	struct conf *c;
	int saved;

	if (!root)
		return NULL;
	c = conf_parse(root, err);
	saved = errno;
	settings_free(root);
	errno = saved;
	return c;
}

const char *conf_key_at(unsigned int i, char *buf, size_t n)
{
	static const struct settings_field secret_fields[] = {
	    {.name = "secret"}, {.name = "id"}, {0}};
	static const struct settings_field cert_fields[] = {
	    {.name = "file"}, {.name = "handle"}, {.name = "slot"}, {.name = "module"}, {0}};
	static const struct settings_field passphrase_fields[] = {
	    {.name = "file"}, {.name = "secret"}, {0}};
	static const struct {
		const char *section;
		const struct settings_field *fields;
	} tables[] = {
	    {"connections.<conn>", conn_fields},
	    {"connections.<conn>.local", local_fields},
	    {"connections.<conn>.remote", remote_fields},
	    {"connections.<conn>.local.cert<suffix>", cert_fields},
	    {"connections.<conn>.remote.cert<suffix>", cert_fields},
	    {"connections.<conn>.remote.cacert<suffix>", cert_fields},
	    {"connections.<conn>.children.<child>", child_conf_fields},
	    {"secrets.ike<suffix>", secret_fields},
	    {"secrets.private<suffix>", passphrase_fields},
	    {"secrets.rsa<suffix>", passphrase_fields},
	    {"secrets.ecdsa<suffix>", passphrase_fields},
	    {"secrets.pkcs8<suffix>", passphrase_fields},
	};

	for (size_t t = 0; t < sizeof(tables) / sizeof(*tables); t++) {
		for (const struct settings_field *f = tables[t].fields; f->name; f++, i--) {
			if (i > 0)
				continue;
			snprintf(buf, n, "%s.%s", tables[t].section, f->name);
			return buf;
		}
	}
	return NULL;
}
