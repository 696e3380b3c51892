/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz-rooms: common agent/conf agent/wire agent/crypt agent/cred */
#include "agent/conf/conf.h"
#include "common/gateway_conf.h"

#include <stdlib.h>
#include <string.h>

/*
 * Both configuration files. What must hold: every node lies below its parent, knows its file and a line
 * of it, no name stands twice in a section; a refusal says why and where; what was accepted reads the
 * same a second time and matches itself.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static unsigned int lines_of(const char *text, size_t n)
{
	unsigned int lines = 1;

	for (size_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	return lines;
}

static void check_tree(const struct settings *s, unsigned int lines, int depth)
{
	const struct settings_key *key;
	const struct settings *sub;
	char path[64];

	check(depth <= SETTINGS_DEPTH_MAX);
	check(strlen(settings_path(s, path, sizeof(path))) < sizeof(path));
	TAILQ_FOREACH(key, &s->keys, next) {
		check(key->name[0] && key->value && strcmp(key->file, "fuzz.conf") == 0);
		check(key->line >= 1 && (unsigned int)key->line <= lines);
		check(settings_key(s, key->name) == key);
	}
	TAILQ_FOREACH(sub, &s->sections, next) {
		check(sub->parent == s && sub->name[0] && strcmp(sub->file, "fuzz.conf") == 0);
		check(sub->line >= 1 && (unsigned int)sub->line <= lines);
		check(settings_section(s, sub->name) == sub);
		check_tree(sub, lines, depth + 1);
	}
}

static void check_error(const struct settings_error *err, unsigned int lines)
{
	check(err->text[0] && strcmp(err->file, "fuzz.conf") == 0);
	check(err->line >= 0 && (unsigned int)err->line <= lines);
}

static void check_proposals(const struct proposals *p)
{
	check(p->n > 0 && p->n <= IKE_PROPOSALS_MAX);
	for (unsigned int i = 0; i < p->n; i++)
		check(proposal_find(&p->p[i], p->p[i].proto == IKE_PROTO_AH ? IKE_T_INTEG : IKE_T_ENCR) != NULL);
}

static void check_child(const struct child_conf *c)
{
	check_proposals(c->proposals);
	check(c->local_ts->n > 0 && c->local_ts->n <= IKE_TS_AGREED_MAX);
	check(c->remote_ts->n > 0 && c->remote_ts->n <= IKE_TS_AGREED_MAX);
	check(c->rand_time <= c->rekey_time);
	check(c->life_time == 0 || c->rekey_time < c->life_time);
	check(c->replay_window <= 4096);
}

static void check_conn(const struct conn_conf *c)
{
	char text[ID_STRLEN];
	struct ike_id id = conf_id_view(c->remote_id);

	check_proposals(c->ike);
	check(c->n_local > 0 && c->n_local <= CONF_ADDRS_MAX);
	check(c->n_remote > 0 && c->n_remote <= CONF_ADDRS_MAX);
	check(strlen(id_str(&id, text)) < ID_STRLEN);
	check(c->remote_id->any || conf_id_matches(c->remote_id, &id));
	for (unsigned int i = 0; i < c->n_children; i++)
		check_child(&c->child[i]);
}

static void as_swanctl(const struct settings *root, unsigned int lines)
{
	struct settings_error err = {0};
	struct conf *c = conf_parse(root, &err), *again;

	if (!c) {
		check_error(&err, lines);
		return;
	}
	again = conf_parse(root, &err);
	check(again && again->n_conns == c->n_conns);
	for (unsigned int i = 0; i < c->n_conns; i++) {
		check_conn(c->conn[i]);
		check(memcmp(c->conn[i]->digest, again->conn[i]->digest, 32) == 0);
	}
	conf_free(again);
	conf_free(c);
}

static void as_xdpsec(const struct settings *root, unsigned int lines)
{
	struct settings_error err = {0};
	struct gateway_conf gw;

	if (gateway_conf_parse(root, &gw, &err) < 0)
		check_error(&err, lines);
	else
		check(gw.n_ports <= GW_PORTS_MAX && gw.dataplane.n_cpus <= GW_CPUS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings_error err = {0};
	unsigned int lines;
	struct settings *root;
	char *text = malloc(size ? size : 1);

	if (!text)
		return 0;
	log_to_stderr(false, false);
	if (size)
		memcpy(text, data, size);
	lines = lines_of(text, size);
	root = settings_parse("fuzz.conf", text, size, false, &err);
	free(text);
	if (!root) {
		check_error(&err, lines);
		return 0;
	}
	check_tree(root, lines, 0);
	as_swanctl(root, lines);
	as_xdpsec(root, lines);
	settings_free(root);
	return 0;
}
