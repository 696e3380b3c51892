/* SPDX-License-Identifier: BSD-2-Clause */
#include "exch.h"

#include "agent/engine/selectors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* A configuration put into force: what is equal stays untouched, what is gone or changed goes. */

/* ---- intents: children to be initiated from a fresh stack ------------------------------------------ */

static struct intent *intent_find(const struct agent_core *core, const char *conn, const char *child)
{
	struct intent *in;

	TAILQ_FOREACH (in, &core->intents, next)
		if (strcmp(in->conn, conn) == 0 && strcmp(in->child, child) == 0)
			return in;
	return NULL;
}

void intend(struct agent *a, const char *conn, const char *child, uint64_t wait_ms)
{
	intend_for(a, conn, child, NULL, wait_ms);
}

void intend_for(struct agent *a, const char *conn, const char *child, const struct trigger *trigger,
		uint64_t wait_ms)
{
	struct agent_core *core = a->core;
	struct intent *in = intent_find(core, conn, child);

	if (in)
		return;
	in = calloc(1, sizeof(*in));
	if (!in) {
		core_count(a, no_memory);
		return;
	}
	snprintf(in->conn, sizeof(in->conn), "%s", conn);
	snprintf(in->child, sizeof(in->child), "%s", child);
	if (trigger)
		in->trigger = *trigger;
	in->due_ms = sa_now_ms() + wait_ms;
	TAILQ_INSERT_TAIL(&core->intents, in, next);
	core_later(a, in->due_ms);
}

/* True when it is done with, also without success. */
static bool intent_run(struct agent *a, const struct intent *in)
{
	struct conf *conf = a->core->conf;
	struct conn_conf *conn = NULL;
	const struct child_conf *child;
	struct outcome o;
	int err;

	for (unsigned int i = 0; conf && i < conf->n_conns; i++)
		if (strcmp(conf->conn[i]->name, in->conn) == 0)
			conn = conf->conn[i];
	child = conn ? conn_child(conn, in->child) : NULL;
	if (!child)
		return true;
	err = child_initiate(a, conn, child, in->trigger.given ? &in->trigger : NULL, NULL, &o);
	/* The dataplane is not there yet: ENGINE_UP brings this back. */
	if (err == -ENOTCONN)
		return false;
	if (err && err != -EALREADY)
		log_limited(&a->core->log_engine, LOG_CHILD, 1, "initiating CHILD_SA %s failed: %s", in->child, o.text);
	return true;
}

void intents_run(struct agent *a, bool engine_up)
{
	struct agent_core *core = a->core;
	struct intent *in, *after;
	uint64_t now = sa_now_ms();

	for (in = TAILQ_FIRST(&core->intents); in; in = after) {
		after = TAILQ_NEXT(in, next);
		if (in->when_ready && !engine_up)
			continue;
		if (in->due_ms > now) {
			core_later(a, in->due_ms);
			continue;
		}
		in->when_ready = !intent_run(a, in);
		if (in->when_ready)
			continue;
		TAILQ_REMOVE(&core->intents, in, next);
		free(in);
	}
}

/* ---- traps --------------------------------------------------------------------------------------------- */

static bool has_policy(const struct child_conf *c)
{
	return c->mode == CONF_MODE_PASS || c->mode == CONF_MODE_DROP || child_traps(c);
}

/* Outer addresses as far as the configuration alone tells them. */
static bool outer_addrs(const struct agent *a, const struct conn_conf *conn, struct endpoint *local,
			struct endpoint *remote)
{
	const struct ip_addr *to = conn_peer_find(conn), *from = NULL;

	*local = *remote = (struct endpoint){0};
	if (to) {
		remote->ip = *to;
		conn_may_call(conn, to, &from);
	} else if (conn->n_local && addr_equal(&conn->local[0].lo, &conn->local[0].hi)) {
		from = &conn->local[0].lo;
	}
	if (from)
		local->ip = *from;
	else if (to)
		return a->core->parts->source_for(&remote->ip, &local->ip) == 0;
	return !addr_is_any(&local->ip);
}

void trap_install(struct agent *a, const struct conn_conf *conn, const struct child_conf *child)
{
	struct endpoint local, remote;
	struct ts_list ts_local, ts_remote;
	bool known;
	int err;

	if (!a->engine || !has_policy(child))
		return;
	known = outer_addrs(a, conn, &local, &remote);
	if ((child->local_dynamic && !known) || (child->remote_dynamic && addr_is_any(&remote.ip))) {
		log_line(LOG_CHILD, 0, "no trap for CHILD_SA %s: its dynamic selectors are not known yet",
			 child->name);
		return;
	}
	child_ts(child, &local, &remote, &ts_local, &ts_remote);
	err = a->core->parts->trap(a->engine, conn, child, &ts_local, &ts_remote);
	if (err < 0)
		log_line(LOG_CHILD, 0, "installing the trap of CHILD_SA %s failed: %s", child->name,
			 strerror(-err));
}

void held_release(struct agent *a)
{
	const struct conf *conf = a->core->conf;

	if (!a->core->held_traps || !conf || !a->engine)
		return;
	for (unsigned int i = 0; i < conf->n_conns; i++)
		for (unsigned int c = 0; c < conf->conn[i]->n_children; c++)
			if (!has_policy(&conf->conn[i]->child[c]))
				a->core->parts->untrap(a->engine, conf->conn[i]->name,
						       conf->conn[i]->child[c].name);
	a->core->held_traps = false;
}

/* ---- what differs ------------------------------------------------------------------------------------------ */

static struct conn_conf *same_conn(const struct conf *conf, const struct conn_conf *conn)
{
	const struct conn_conf *other = conf ? conf_find(conf, conn->name) : NULL;

	return other && secret_equal(other->digest, conn->digest, sizeof(conn->digest))
		       ? (struct conn_conf *)other
		       : NULL;
}

/* Equal in all: the SA goes on under the new copy, so that the old one can go. */
static void ike_adopt_conf(struct ike_sa *ike, struct conn_conf *conn)
{
	struct child_sa *c;

	TAILQ_FOREACH (c, &ike->children, next) {
		const struct child_conf *conf = conn_child(conn, c->conf->name);

		if (!conf || c->own_conn == conn)
			continue;
		conn_conf_unref(c->own_conn);
		c->own_conn = conn_conf_ref(conn);
		c->conf = conf;
	}
	/* the same name: nothing that needs memory */
	ike_set_conn(ike, conn);
}

static void sas_apply(struct agent *a, const struct conf *conf)
{
	struct ike_sa *ike, *after;

	for (ike = TAILQ_FIRST(&a->core->all); ike; ike = after) {
		struct conn_conf *conn;

		after = TAILQ_NEXT(ike, all);
		if (!ike->conn)
			continue;
		conn = same_conn(conf, ike->conn);
		if (conn) {
			ike_adopt_conf(ike, conn);
			continue;
		}
		ike_log(ike, 1, "connection %s is gone or has changed, closing", ike->conn->name);
		ike_delete(ike, END_LOCAL, 0, NULL);
	}
}

static void policies_apply(struct agent *a, const struct conf *old, const struct conf *conf)
{
	if (!a->engine)
		return;
	for (unsigned int i = 0; old && i < old->n_conns; i++) {
		const struct conn_conf *conn = old->conn[i];

		if (same_conn(conf, conn))
			continue;
		for (unsigned int c = 0; c < conn->n_children; c++)
			if (has_policy(&conn->child[c]) || a->core->held_traps)
				a->core->parts->untrap(a->engine, conn->name, conn->child[c].name);
	}
	for (unsigned int i = 0; i < conf->n_conns; i++) {
		const struct conn_conf *conn = conf->conn[i];

		if (old && same_conn(old, conn))
			continue;
		for (unsigned int c = 0; c < conn->n_children; c++)
			trap_install(a, conn, &conn->child[c]);
	}
}

static void starts_apply(struct agent *a, const struct conf *old, const struct conf *conf)
{
	for (unsigned int i = 0; i < conf->n_conns; i++) {
		const struct conn_conf *conn = conf->conn[i];

		if (old && same_conn(old, conn))
			continue;
		for (unsigned int c = 0; c < conn->n_children; c++)
			if (conn->child[c].start_action & CONF_ACTION_START)
				intend(a, conn->name, conn->child[c].name, 0);
	}
}

/* ---- SAs of an earlier agent -------------------------------------------------------------------------------- */

/* Rows hold names cut to XS_NAME_LEN - 1 bytes. */
static bool name_is(const char *name, const char *cut)
{
	char mine[XS_NAME_LEN];

	policy_name(mine, name);
	return strncmp(mine, cut, sizeof(mine)) == 0;
}

static const struct child_conf *find_cut(const struct conf *conf, const char *conn, const char *child,
					 const struct conn_conf **of)
{
	for (unsigned int i = 0; i < conf->n_conns; i++) {
		*of = conf->conn[i];
		if (!name_is((*of)->name, conn))
			continue;
		for (unsigned int c = 0; c < (*of)->n_children; c++)
			if (name_is((*of)->child[c].name, child))
				return &(*of)->child[c];
	}
	return NULL;
}

static bool orphan_intend(struct agent *a, const struct conf *conf, const struct engine_orphan *o)
{
	const struct conn_conf *conn;
	const struct child_conf *child = find_cut(conf, o->conn, o->child, &conn);

	if (child)
		intend(a, conn->name, child->name, 0);
	return child != NULL;
}

static void orphans_apply(struct agent *a, const struct conf *conf)
{
	struct engine_orphan *list;
	unsigned int n, gone = 0;

	if (!a->engine)
		return;
	list = calloc(ORPHANS_MAX, sizeof(*list));
	if (!list)
		return;
	n = a->core->parts->orphans(a->engine, list, ORPHANS_MAX);
	n = n < ORPHANS_MAX ? n : ORPHANS_MAX;
	for (unsigned int i = 0; i < n; i++) {
		if (orphan_intend(a, conf, &list[i]))
			continue;
		a->core->parts->orphan_remove(a->engine, list[i].sa);
		gone++;
	}
	if (n)
		log_line(LOG_IKE, 0, "found %u SAs of an earlier agent: replacing %u, removing %u", n, n - gone,
			 gone);
	free(list);
}

/* ---- policies of an earlier agent --------------------------------------------------------------------------- */

static bool range_within(const struct xs_addr *lo, const struct xs_addr *hi, const struct ts_list *of)
{
	struct ts range;

	for (unsigned int i = 0; i < of->n; i++) {
		range = of->ts[i];
		addr_from_mapped(lo->b, &range.lo);
		addr_from_mapped(hi->b, &range.hi);
		if (ts_within(&range, of))
			return true;
	}
	return false;
}

/* What a peer narrowed is still ours; what the file no longer says is not. */
static bool selects(const struct child_conf *child, const struct engine_inherited *p)
{
	for (uint32_t i = 0; i < p->n; i++)
		if ((!child->local_dynamic &&
		     !range_within(&p->row[i].src_lo, &p->row[i].src_hi, child->local_ts)) ||
		    (!child->remote_dynamic &&
		     !range_within(&p->row[i].dst_lo, &p->row[i].dst_hi, child->remote_ts)))
			return false;
	return true;
}

struct inherited_apply {
	struct agent *a;
	const struct conf *conf;
	unsigned int lost;
};

static bool inherited_keep(void *ctx, struct engine_inherited *p)
{
	struct inherited_apply *ia = ctx;
	const struct conn_conf *conn;
	const struct child_conf *child = find_cut(ia->conf, p->conn, p->child, &conn);

	if (!child || child->mode == CONF_MODE_PASS || child->mode == CONF_MODE_DROP || !selects(child, p)) {
		log_line(LOG_CHILD, 1, "CHILD_SA %s of %s is not configured any more: its policies go", p->child,
			 p->conn);
		return false;
	}
	snprintf(p->conn, sizeof(p->conn), "%s", conn->name);
	snprintf(p->child, sizeof(p->child), "%s", child->name);
	if (p->carried)
		return true;
	log_line(LOG_CHILD, 1, "CHILD_SA %s of %s was lost: its policies stay closed until it is up again",
		 p->child, p->conn);
	intend(ia->a, p->conn, p->child, 0);
	ia->lost++;
	return true;
}

static void inherited_apply(struct agent *a, const struct conf *conf)
{
	struct inherited_apply ia = {.a = a, .conf = conf};
	unsigned int gone;

	if (!a->engine)
		return;
	gone = a->core->parts->sort_inherited(a->engine, inherited_keep, &ia);
	if (ia.lost || gone)
		log_line(LOG_IKE, 0, "found policies of an earlier agent: connecting %u again, removing %u",
			 ia.lost, gone);
}

void sa_configure(struct agent *a, struct conf *c)
{
	struct agent_core *core = a->core;
	struct conf *old = core->conf;

	core->conf = c;
	acquires_forget(a);
	sas_apply(a, c);
	engines_apply(a);
	policies_apply(a, old, c);
	inherited_apply(a, c);
	if (!core->configured)
		orphans_apply(a, c);
	core->configured = true;
	conns_lacking_say(a, c);
	starts_apply(a, old, c);
	conf_free(old);
}
