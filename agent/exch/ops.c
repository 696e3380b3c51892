/* SPDX-License-Identifier: BSD-2-Clause */
#include "exch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* What people and events ask for: initiate, terminate, rekey, flush. */

/* ---- initiate ---------------------------------------------------------------------------------- */

struct ike_sa *connect_new(struct agent *a, struct conn_conf *conn, uint32_t attempt)
{
	struct ike_sa *ike = ike_new(a, true, 0);

	if (!ike) {
		core_count(a, no_memory);
		return NULL;
	}
	if (ike_set_conn(ike, conn) < 0) {
		core_count(a, no_memory);
		ike_end(ike, END_FAILED, NULL);
		return NULL;
	}
	ike->attempt = attempt;
	return ike;
}

/* An IKE SA of this connection that can make the child, or that is being made by us. */
static struct ike_sa *ike_for(const struct agent *a, const char *conn)
{
	const struct conn_sas *of = conn_sas_find(a, conn);
	struct ike_sa *ike, *coming = NULL;

	if (!of)
		return NULL;
	TAILQ_FOREACH (ike, &of->list, in_conn) {
		/* The one that a rekey collision will end has no place for it. */
		if (ike_usable(ike) && !timer_armed(&ike->half_open_timer))
			return ike;
		if (ike->initiator && (ike->state == IKE_CREATED || ike->state == IKE_CONNECTING))
			coming = ike;
	}
	return coming;
}

static int child_task(struct agent *a, struct ike_sa *ike, enum task_kind kind, struct conn_conf *conn,
		      const struct child_conf *conf, const struct trigger *trigger, struct batch *b)
{
	struct task *t = task_new(ike, kind, 0);

	(void)a;
	if (!t || (b && batch_wait(b, &t->waiters) < 0)) {
		free(t);
		return -ENOMEM;
	}
	t->conn = conn_conf_ref(conn);
	t->conf = conf;
	if (trigger)
		t->trigger = *trigger;
	task_queue(ike, t);
	return 0;
}

/* The one that is up already; for a packet: and that it fits. A peer may have narrowed it (RFC 7296 2.9). */
static struct child_sa *up_for(const struct agent *a, const char *conn, const char *child,
			       const struct trigger *trigger)
{
	const struct conn_sas *of = conn_sas_find(a, conn);
	struct child_sa *c;
	struct ike_sa *ike;

	if (!trigger)
		return child_find_up(a, conn, child, NULL);
	for (ike = of ? TAILQ_FIRST(&of->list) : NULL; ike; ike = TAILQ_NEXT(ike, in_conn)) {
		if (!ike_usable(ike))
			continue;
		TAILQ_FOREACH (c, &ike->children, next)
			if (child_up(c) && strcmp(c->conf->name, child) == 0 &&
			    ts_within(&trigger->local, c->ts_local) &&
			    ts_within(&trigger->remote, c->ts_remote))
				return c;
	}
	return NULL;
}

/* Packets of ours for a peer that narrows to pairs cannot make any number of Child SAs either. */
static bool has_room(const struct ike_sa *ike, struct outcome *o)
{
	uint32_t limit = ike->agent->gw.ike.child_sa_limit, n = 0;
	const struct child_sa *c;

	TAILQ_FOREACH (c, &ike->children, next)
		n++;
	if (!limit || n < limit)
		return true;
	outcome_set(o, -EDQUOT, "IKE_SA %s[%u] has %u CHILD_SAs: child_sa_limit", ike_conn_name(ike), ike->id, n);
	return false;
}

int child_initiate(struct agent *a, struct conn_conf *conn, const struct child_conf *conf,
		   const struct trigger *trigger, struct batch *b, struct outcome *o)
{
	struct child_sa *up = up_for(a, conn->name, conf->name, trigger);
	const struct conn_sas *of;
	struct proposals able;
	struct ike_sa *ike;
	struct task *t;

	if (up) {
		outcome_set(o, 0, "CHILD_SA %s{%u} is established already", conf->name, up->id);
		return -EALREADY;
	}
	if (!engine_usable(a, conn->name, conf, NULL, o) || proposals_able(a, conn->name, conf, &able, o) < 0)
		return o->error;
	outcome_set(o, 0, "%s", "");
	of = conn_sas_find(a, conn->name);
	for (ike = of ? TAILQ_FIRST(&of->list) : NULL; ike; ike = TAILQ_NEXT(ike, in_conn)) {
		t = task_find_create(ike, conf->name);
		if (t && b && batch_wait(b, &t->waiters) < 0)
			return outcome_set(o, -ENOMEM, "no memory");
		if (t)
			return 0;
	}
	ike = a->gw.ike.reuse_ikesa ? ike_for(a, conn->name) : NULL;
	if (ike) {
		if (!has_room(ike, o))
			return o->error;
		if (child_task(a, ike, TASK_CHILD_CREATE, conn, conf, trigger, b) < 0)
			return outcome_set(o, -ENOMEM, "no memory");
		return 0;
	}
	ike = connect_new(a, conn, 0);
	if (ike && child_task(a, ike, TASK_CONNECT, conn, conf, trigger, b) < 0) {
		ike_end(ike, END_FAILED, NULL);
		ike = NULL;
	}
	return ike ? 0 : outcome_set(o, -ENOMEM, "no memory");
}

static int initiate_one(struct agent *a, struct conn_conf *conn, const struct child_conf *conf,
			struct batch *b)
{
	struct outcome o;
	int err = child_initiate(a, conn, conf, NULL, b, &o);

	if (err) {
		b->open++;
		batch_report(a, b, &o);
	}
	return err;
}

static int unknown_conn(struct agent *a, const char *what, const char *name, struct outcome *o)
{
	const struct conf *conf = a->core->conf;
	char known[120] = "";
	size_t at = 0;

	for (unsigned int i = 0; conf && i < conf->n_conns && at < sizeof(known); i++) {
		int n = snprintf(known + at, sizeof(known) - at, "%s%s", i ? ", " : "",
				 conf->conn[i]->name);

		at += n > 0 ? (size_t)n : sizeof(known);
	}
	return outcome_set(o, -ENOENT, "no %s '%.40s'; connections: %s", what, name,
			   known[0] ? known : "none");
}

static int unknown_child(const struct conn_conf *conn, const char *name, struct outcome *o)
{
	char known[120] = "";
	size_t at = 0;

	for (unsigned int i = 0; i < conn->n_children && at < sizeof(known); i++) {
		int n = snprintf(known + at, sizeof(known) - at, "%s%s", i ? ", " : "",
				 conn->child[i].name);

		at += n > 0 ? (size_t)n : sizeof(known);
	}
	return outcome_set(o, -ENOENT, "connection %.40s has no child '%.40s'; children: %s", conn->name,
			   name, known[0] ? known : "none");
}

static struct conn_conf *conn_find(const struct agent *a, const char *conn, const char *child)
{
	const struct conf *conf = a->core->conf;

	for (unsigned int i = 0; conf && i < conf->n_conns; i++) {
		if (conn && strcmp(conf->conn[i]->name, conn) != 0)
			continue;
		if (conn || (child && conn_child(conf->conn[i], child)))
			return conf->conn[i];
	}
	return NULL;
}

static bool initiable(const struct child_conf *conf)
{
	return conf->mode == CONF_MODE_TUNNEL || conf->mode == CONF_MODE_TRANSPORT;
}

/* The IKE SA alone, or with what is asked for already. */
static int ike_initiate(struct agent *a, struct conn_conf *conn, struct batch *b, struct outcome *o)
{
	struct ike_sa *ike = ike_for(a, conn->name);
	struct task *t;

	if (ike && ike_usable(ike)) {
		outcome_set(o, 0, "IKE_SA %s[%u] is established already", conn->name, ike->id);
		return -EALREADY;
	}
	t = ike ? task_find(ike, TASK_CONNECT, 0) : NULL;
	if (t)
		return batch_wait(b, &t->waiters) < 0 ? outcome_set(o, -ENOMEM, "no memory") : 0;
	if (conn->childless == CONF_CHILDLESS_NEVER)
		return outcome_set(o, -EINVAL, "connection '%.60s' has childless = never: name a child",
				   conn->name);
	ike = connect_new(a, conn, 0);
	if (ike && child_task(a, ike, TASK_CONNECT, conn, NULL, NULL, b) < 0) {
		ike_end(ike, END_FAILED, NULL);
		ike = NULL;
	}
	return ike ? 0 : outcome_set(o, -ENOMEM, "no memory");
}

static void initiate_ike(struct agent *a, struct conn_conf *conn, struct batch *b)
{
	struct outcome o;

	if (ike_initiate(a, conn, b, &o)) {
		b->open++;
		batch_report(a, b, &o);
	}
}

int sa_initiate(struct agent *a, const char *conn, const char *child, outcome_fn done, void *ctx,
		struct outcome *o)
{
	struct conn_conf *cc = conn_find(a, conn, child);
	const struct child_conf *conf = NULL;
	struct batch *b;

	if (!conn && !child)
		return outcome_set(o, -EINVAL, "a connection or a child must be named");
	if (!cc)
		return unknown_conn(a, conn ? "connection" : "child", conn ? conn : child, o);
	if (child) {
		conf = conn_child(cc, child);
		if (!conf)
			return unknown_child(cc, child, o);
		if (!initiable(conf))
			return outcome_set(o, -EINVAL, "child '%.60s' is a policy, not an SA", child);
	}
	b = batch_new(done, ctx, "");
	if (!b)
		return outcome_set(o, -ENOMEM, "no memory");
	if (conf)
		initiate_one(a, cc, conf, b);
	else
		initiate_ike(a, cc, b);
	batch_close(a, b);
	return 0;
}

int sa_initiate_all(struct agent *a, const char *conn, outcome_fn done, void *ctx, struct outcome *o)
{
	struct conn_conf *cc = conn_find(a, conn, NULL);
	unsigned int n = 0;
	struct batch *b;

	if (!cc)
		return unknown_conn(a, "connection", conn, o);
	b = batch_new(done, ctx, "established");
	if (!b)
		return outcome_set(o, -ENOMEM, "no memory");
	for (unsigned int i = 0; i < cc->n_children; i++) {
		if (!initiable(&cc->child[i]))
			continue;
		initiate_one(a, cc, &cc->child[i], b);
		n++;
	}
	if (!n) {
		free(b);
		return outcome_set(o, -EINVAL, "connection '%.60s' has no child to establish", cc->name);
	}
	batch_close(a, b);
	return 0;
}

/* ---- which SAs --------------------------------------------------------------------------------------- */

static bool ike_selected(const struct ike_sa *ike, const struct sa_select *sel)
{
	if (sel->ike_id && ike->id != sel->ike_id)
		return false;
	if (sel->ike && (!ike->conn || strcmp(ike->conn->name, sel->ike) != 0))
		return false;
	return ike->state != IKE_REKEYED;
}

static bool child_selected(const struct child_sa *c, const struct sa_select *sel)
{
	if (!ike_selected(c->ike, sel) || (sel->child_id && c->id != sel->child_id))
		return false;
	if (sel->child && strcmp(c->conf->name, sel->child) != 0)
		return false;
	return child_up(c);
}

static bool wants_children(const struct sa_select *sel)
{
	return sel->child || sel->child_id;
}

static int nothing_found(const struct sa_select *sel, struct batch *b, struct outcome *o)
{
	free(b);
	return outcome_set(o, -ENOENT, "no matching %s found", wants_children(sel) ? "CHILD_SA" : "IKE_SA");
}

/* Collects first: what is done to one SA may change the lists. */
typedef void (*ike_op)(struct ike_sa *ike, const struct sa_select *sel, struct batch *b);
typedef void (*child_op)(struct child_sa *c, const struct sa_select *sel, struct batch *b);

/* Numbers of SAs, in their order. */
struct numbers {
	uint32_t *at;
	size_t n, cap;
};

static int number_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int number_add(struct numbers *l, uint32_t id)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;
		uint32_t *more = realloc(l->at, cap * sizeof(*more));

		if (!more)
			return -ENOMEM;
		l->at = more;
		l->cap = cap;
	}
	l->at[l->n++] = id;
	return 0;
}

/* In the order of their numbers, each once, whatever happens to the lists meanwhile. */
static unsigned int for_children(struct agent *a, const struct sa_select *sel, child_op op,
				 struct batch *b)
{
	struct numbers l = {0};
	unsigned int n = 0;
	struct child_sa *c;
	struct ike_sa *ike;

	TAILQ_FOREACH (ike, &a->core->all, all)
		TAILQ_FOREACH (c, &ike->children, next)
			if (child_selected(c, sel) && number_add(&l, c->id) < 0)
				core_count(a, no_memory);
	if (l.n)
		qsort(l.at, l.n, sizeof(*l.at), number_cmp);
	for (size_t i = 0; i < l.n; i++) {
		c = sa_find_child(a, l.at[i]);
		if (!c || !child_selected(c, sel))
			continue;
		op(c, sel, b);
		n++;
	}
	free(l.at);
	return n;
}

static unsigned int for_ikes(struct agent *a, const struct sa_select *sel, ike_op op, struct batch *b)
{
	struct numbers l = {0};
	unsigned int n = 0;
	struct ike_sa *ike;

	TAILQ_FOREACH (ike, &a->core->all, all)
		if (ike_selected(ike, sel) && number_add(&l, ike->id) < 0)
			core_count(a, no_memory);
	if (l.n)
		qsort(l.at, l.n, sizeof(*l.at), number_cmp);
	for (size_t i = 0; i < l.n; i++) {
		ike = sa_find(a, l.at[i]);
		if (!ike || !ike_selected(ike, sel))
			continue;
		op(ike, sel, b);
		n++;
	}
	free(l.at);
	return n;
}

static void report(struct agent *a, struct batch *b, const struct outcome *o)
{
	b->open++;
	batch_report(a, b, o);
}

static void report_no_memory(struct agent *a, struct batch *b)
{
	struct outcome o;

	outcome_set(&o, -ENOMEM, "no memory");
	report(a, b, &o);
}

/* ---- terminate ------------------------------------------------------------------------------------------ */

static void terminate_child(struct child_sa *c, const struct sa_select *sel, struct batch *b)
{
	struct agent *a = c->ike->agent;
	struct ike_sa *ike = c->ike;
	struct outcome o;
	struct task *t;

	if (!sel->force) {
		if (child_delete(c, b) < 0)
			report_no_memory(a, b);
		return;
	}
	t = task_new(ike, TASK_CHILD_DELETE, 0);
	if (t) {
		t->spi = c->spi_in;
		t->proto = child_sa_proto(c);
		task_queue(ike, t);
	}
	outcome_set(&o, 0, "CHILD_SA %s{%u} closed without waiting for the peer", c->conf->name, c->id);
	child_gone(c, CONF_ACTION_NONE);
	report(a, b, &o);
}

static void terminate_ike(struct ike_sa *ike, const struct sa_select *sel, struct batch *b)
{
	struct agent *a = ike->agent;
	struct outcome o;

	if (!sel->force) {
		if (ike_delete(ike, END_LOCAL, 0, b) < 0)
			report_no_memory(a, b);
		return;
	}
	outcome_set(&o, 0, "IKE_SA %s[%u] closed without waiting for the peer", ike_conn_name(ike), ike->id);
	report(a, b, &o);
	outcome_set(&o, -ECANCELED, "the IKE_SA was closed");
	ike_delete_now(ike, END_LOCAL, &o);
}

int sa_terminate(struct agent *a, const struct sa_select *sel, outcome_fn done, void *ctx,
		 struct outcome *o)
{
	struct batch *b = batch_new(done, ctx, "terminated");
	unsigned int n;

	if (!b)
		return outcome_set(o, -ENOMEM, "no memory");
	n = wants_children(sel) ? for_children(a, sel, terminate_child, b)
				: for_ikes(a, sel, terminate_ike, b);
	if (!n)
		return nothing_found(sel, b, o);
	batch_close(a, b);
	return 0;
}

/* ---- rekey --------------------------------------------------------------------------------------------------- */

static void rekey_child(struct child_sa *c, const struct sa_select *sel, struct batch *b)
{
	(void)sel;
	if (child_rekey(c, b) < 0)
		report_no_memory(c->ike->agent, b);
}

static void rekey_ike(struct ike_sa *ike, const struct sa_select *sel, struct batch *b)
{
	struct outcome o;

	(void)sel;
	if (!ike_usable(ike)) {
		outcome_set(&o, -EINVAL, "IKE_SA %s[%u] is %s", ike_conn_name(ike), ike->id,
			    ike_state_name(ike->state));
		report(ike->agent, b, &o);
	} else if (ike_rekey(ike, b) < 0) {
		report_no_memory(ike->agent, b);
	}
}

int sa_rekey(struct agent *a, const struct sa_select *sel, outcome_fn done, void *ctx, struct outcome *o)
{
	struct batch *b = batch_new(done, ctx, "rekeyed");
	unsigned int n;

	if (!b)
		return outcome_set(o, -ENOMEM, "no memory");
	n = wants_children(sel) ? for_children(a, sel, rekey_child, b) : for_ikes(a, sel, rekey_ike, b);
	if (!n)
		return nothing_found(sel, b, o);
	batch_close(a, b);
	return 0;
}

static void reauth_ike(struct ike_sa *ike, const struct sa_select *sel, struct batch *b)
{
	struct outcome why;

	(void)sel;
	if (ike_reauth(ike, b, &why) < 0)
		report(ike->agent, b, &why);
}

int sa_reauth(struct agent *a, const struct sa_select *sel, outcome_fn done, void *ctx, struct outcome *o)
{
	struct batch *b;

	if (wants_children(sel))
		return outcome_set(o, -EINVAL, "an IKE_SA is reauthenticated, not a CHILD_SA");
	b = batch_new(done, ctx, "reauthenticated");
	if (!b)
		return outcome_set(o, -ENOMEM, "no memory");
	if (!for_ikes(a, sel, reauth_ike, b))
		return nothing_found(sel, b, o);
	batch_close(a, b);
	return 0;
}

/* ---- flush ----------------------------------------------------------------------------------------------------- */

static unsigned int orphans_remove(struct agent *a)
{
	struct engine_orphan *list;
	unsigned int n;

	if (!a->engine)
		return 0;
	a->core->parts->sort_inherited(a->engine, NULL, NULL);
	list = calloc(ORPHANS_MAX, sizeof(*list));
	if (!list)
		return 0;
	n = a->core->parts->orphans(a->engine, list, ORPHANS_MAX);
	n = n < ORPHANS_MAX ? n : ORPHANS_MAX;
	for (unsigned int i = 0; i < n; i++)
		a->core->parts->orphan_remove(a->engine, list[i].sa);
	free(list);
	return n;
}

int sa_flush(struct agent *a, outcome_fn done, void *ctx, struct outcome *o)
{
	struct batch *b = batch_new(done, ctx, "");
	unsigned int n_ike = 0, n_child = 0, n_orphan;
	struct outcome end;
	struct ike_sa *ike;
	struct child_sa *c;

	if (!b)
		return outcome_set(o, -ENOMEM, "no memory");
	outcome_set(&end, -ECANCELED, "flushed");
	while ((ike = TAILQ_FIRST(&a->core->all))) {
		TAILQ_FOREACH (c, &ike->children, next)
			n_child++;
		n_ike++;
		ike_delete_now(ike, END_LOCAL, &end);
	}
	fading_all(a);
	held_release(a);
	n_orphan = orphans_remove(a);
	outcome_set(&end, 0, "flushed %u IKE_SAs, %u CHILD_SAs and %u SAs of an earlier agent", n_ike,
		    n_child, n_orphan);
	log_line(LOG_IKE, 1, "%s", end.text);
	report(a, b, &end);
	batch_close(a, b);
	return 0;
}
