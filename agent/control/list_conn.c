/* SPDX-License-Identifier: BSD-2-Clause */
#include "control_int.h"

#include "agent/cred/cred.h"
#include "common/settings_table.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void write_addr(struct vici_wr *v, const struct conf_addr *a)
{
	struct ts range = {.lo = a->lo, .hi = a->hi, .port_hi = 65535};
	char text[TS_STRLEN];

	if (a->host[0])
		vici_item(v, a->host);
	else if (!a->lo.family)
		vici_item(v, "%any");
	else if (addr_equal(&a->lo, &a->hi))
		vici_item(v, addr_str(&a->lo, text));
	else
		vici_item(v, ts_str(&range, text));
}

static void write_addrs(struct vici_wr *v, const char *key, const struct conf_addr *a, unsigned int n)
{
	vici_list(v, key);
	for (unsigned int i = 0; i < n; i++)
		write_addr(v, &a[i]);
	if (!n)
		vici_item(v, "%any");
	vici_list_end(v);
}

static void empty_list(struct vici_wr *v, const char *key)
{
	vici_list(v, key);
	vici_list_end(v);
}

static void write_list(struct vici_wr *v, const char *key, const char *list)
{
	char item[CRED_LIST_MAX];

	vici_list(v, key);
	while (settings_item(&list, item, sizeof(item)))
		if (item[0])
			vici_item(v, item);
	vici_list_end(v);
}

static void write_auth(struct vici_wr *v, const char *section, enum conf_auth auth,
		       const struct conf_id *id, const struct cred_rules *cred)
{
	vici_section(v, section);
	vici_kv(v, "class", auth == CONF_AUTH_PSK ? "pre-shared key" : "public key");
	if (id->text[0] && !id->any)
		vici_kv(v, "id", id->text);
	empty_list(v, "groups");
	write_list(v, "cert_policy", cred->cert_policy);
	write_list(v, "certs", cred->certs);
	write_list(v, "cacerts", cred->cacerts);
	vici_section_end(v);
}

static void write_ts(struct vici_wr *v, const char *key, const struct ts_list *list, bool dynamic)
{
	char text[TS_STRLEN];

	vici_list(v, key);
	for (unsigned int i = 0; i < list->n; i++)
		vici_item(v, i == 0 && dynamic ? "dynamic" : ts_str(&list->ts[i], text));
	if (!list->n && dynamic)
		vici_item(v, "dynamic");
	vici_list_end(v);
}

static const char *action_text(enum conf_action a)
{
	static const char *const text[] = {
		[CONF_ACTION_NONE] = "none",
		[CONF_ACTION_TRAP] = "trap",
		[CONF_ACTION_START] = "start",
		[CONF_ACTION_TRAP_START] = "trap|start",
	};

	return text[a];
}

static const char *dpd_text(enum conf_dpd d)
{
	static const char *const text[] = {
		[CONF_DPD_CLEAR] = "none",
		[CONF_DPD_TRAP] = "trap",
		[CONF_DPD_RESTART] = "start",
	};

	return text[d];
}

/* Who would take it now, and why; or why nobody would. */
static void write_engine(const struct agent *a, struct vici_wr *v, const struct child_conf *c)
{
	const struct engine_want want = {.conf = c, .engine = c->engine};
	struct engine_pick pick;

	if (!a->engine || c->mode == CONF_MODE_PASS || c->mode == CONF_MODE_DROP)
		return;
	engine_pick(a->engine, &want, &pick);
	vici_kv(v, "engine", pick.engine);
	vici_kv(v, "engine-why", pick.why);
}

static void write_child(const struct agent *a, struct vici_wr *v, const struct child_conf *c)
{
	vici_section(v, c->name);
	vici_kv(v, "mode", mode_text(c->mode));
	vici_kvf(v, "rekey_time", "%llu", (unsigned long long)c->rekey_time);
	vici_kvf(v, "rekey_bytes", "%llu", (unsigned long long)c->rekey_bytes);
	vici_kvf(v, "rekey_packets", "%llu", (unsigned long long)c->rekey_packets);
	vici_kv(v, "start_action", action_text(c->start_action));
	vici_kv(v, "dpd_action", dpd_text(c->dpd_action));
	vici_kv(v, "close_action", action_text(c->close_action));
	write_ts(v, "local-ts", c->local_ts, c->local_dynamic);
	write_ts(v, "remote-ts", c->remote_ts, c->remote_dynamic);
	write_engine(a, v, c);
	vici_section_end(v);
}

static const char *unique_text(enum conf_unique u)
{
	static const char *const text[] = {
		[CONF_UNIQUE_NO] = "UNIQUE_NO",
		[CONF_UNIQUE_NEVER] = "UNIQUE_NEVER",
		[CONF_UNIQUE_KEEP] = "UNIQUE_KEEP",
		[CONF_UNIQUE_REPLACE] = "UNIQUE_REPLACE",
	};

	return text[u];
}

static void write_conn(struct agent *a, struct vici_wr *v, const struct conn_conf *c)
{
	char why[SA_LACKS_MAX];

	vici_section(v, c->name);
	write_addrs(v, "local_addrs", c->local, c->n_local);
	write_addrs(v, "remote_addrs", c->remote, c->n_remote);
	vici_kv(v, "version", "IKEv2");
	vici_kvf(v, "reauth_time", "%llu", (unsigned long long)c->reauth_time);
	vici_kvf(v, "rekey_time", "%llu", (unsigned long long)c->rekey_time);
	vici_kv(v, "unique", unique_text(c->unique));
	if (c->dpd_delay)
		vici_kvf(v, "dpd_delay", "%llu", (unsigned long long)c->dpd_delay);
	write_auth(v, "local-1", c->local_auth, c->local_id, c->local_cred);
	write_auth(v, "remote-1", c->remote_auth, c->remote_id, c->remote_cred);
	/* of ours */
	if (sa_conn_lacks(a, c, why))
		vici_kv(v, "lacks", why);
	vici_section(v, "children");
	for (unsigned int i = 0; i < c->n_children; i++)
		write_child(a, v, &c->child[i]);
	vici_section_end(v);
	vici_section_end(v);
}

static const struct conn_conf *conn_at(struct client *cl, uint32_t i)
{
	const struct conf *conf = sa_conf(cl->control->a);

	return conf && i < conf->n_conns ? conf->conn[i] : NULL;
}

static int next_conn(struct client *cl, struct listing *l)
{
	const struct conn_conf *conn = conn_at(cl, l->at);
	struct vici_wr v;

	if (!conn)
		return -ENOENT;
	l->at++;
	if (l->ike[0] && strcmp(l->ike, conn->name) != 0)
		return 0;
	v = event_begin(cl->control, CONTROL_EV_LIST_CONN);
	write_conn(cl->control->a, &v, conn);
	return listing_send(cl, &v) ? 0 : 1;
}

void cmd_list_conns(struct client *cl, struct slice body)
{
	struct listing l = {.next = next_conn, .event = CONTROL_EV_LIST_CONN};

	if (param_name(cl, body, "ike", l.ike, sizeof(l.ike)))
		listing_start(cl, &l);
}

/* Policies that stand without an SA: traps, and what is passed or dropped. */
static bool policy_listed(const struct listing *l, const struct child_conf *c)
{
	bool all = !l->trap && !l->pass && !l->drop;

	if (l->child[0] && strcmp(l->child, c->name) != 0)
		return false;
	if (c->mode == CONF_MODE_PASS)
		return all || l->pass;
	if (c->mode == CONF_MODE_DROP)
		return all || l->drop;
	return c->start_action & CONF_ACTION_TRAP && (all || l->trap);
}

static int next_policy(struct client *cl, struct listing *l)
{
	const struct conn_conf *conn = conn_at(cl, l->at);
	const struct child_conf *c;
	char name[2 * CONF_NAME_MAX + 2];
	struct vici_wr v;

	if (!conn)
		return -ENOENT;
	if (l->child_at >= conn->n_children || (l->ike[0] && strcmp(l->ike, conn->name) != 0)) {
		l->at++;
		l->child_at = 0;
		return 0;
	}
	c = &conn->child[l->child_at++];
	if (!policy_listed(l, c))
		return 0;
	v = event_begin(cl->control, CONTROL_EV_LIST_POLICY);
	snprintf(name, sizeof(name), "%s/%s", conn->name, c->name);
	vici_section(&v, name);
	vici_kv(&v, "child", c->name);
	vici_kv(&v, "ike", conn->name);
	vici_kv(&v, "mode", mode_text(c->mode));
	write_ts(&v, "local-ts", c->local_ts, c->local_dynamic);
	write_ts(&v, "remote-ts", c->remote_ts, c->remote_dynamic);
	vici_section_end(&v);
	return listing_send(cl, &v) ? 0 : 1;
}

void cmd_list_policies(struct client *cl, struct slice body)
{
	struct listing l = {
		.next = next_policy,
		.event = CONTROL_EV_LIST_POLICY,
		.trap = vici_find_bool(body, "trap"),
		.pass = vici_find_bool(body, "pass"),
		.drop = vici_find_bool(body, "drop"),
	};

	if (param_name(cl, body, "ike", l.ike, sizeof(l.ike)) &&
	    param_name(cl, body, "child", l.child, sizeof(l.child)))
		listing_start(cl, &l);
}

void cmd_get_conns(struct client *cl, struct slice body)
{
	struct vici_wr v = reply_begin(cl);
	const struct conn_conf *conn;

	(void)body;
	vici_list(&v, "conns");
	for (uint32_t i = 0; (conn = conn_at(cl, i)); i++)
		vici_item(&v, conn->name);
	vici_list_end(&v);
	reply_end(cl, &v);
}
