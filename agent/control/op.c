/* SPDX-License-Identifier: BSD-2-Clause */
#include "control_int.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Commands whose answer is the outcome of an exchange. The operation belongs to the control socket until the
 * core calls back, which it does once; the client may have gone by then, or been told of a time-out.
 */
enum op_kind { OP_INITIATE, OP_TERMINATE, OP_REKEY, OP_REAUTH, OP_FLUSH };

struct op {
	TAILQ_ENTRY(op) next;
	struct control *control; /* NULL: the socket was closed meanwhile */
	struct client *client;	 /* NULL: answered, or gone */
	enum op_kind kind;
	char ike[CONF_NAME_MAX], child[CONF_NAME_MAX];
	struct sa_select sel; /* points to the names above */
	char conn[CONF_NAME_MAX]; /* whose log lines belong to it; "" = everybody's */
	int log_level;
	int64_t timeout_ms;
	unsigned int matches;
	struct event *timer;
	bool all_children; /* initiate: of the connection */
	bool starting, done; /* the outcome may come before the call that starts it returns */
	struct outcome outcome;
};

static const char *const op_verb[] = {"initiate", "terminate", "rekey", "reauth", "flush"};

int op_log_level_max(const struct op *op)
{
	return op->log_level;
}

int op_log_level(const struct op *op, const char *name, uint32_t unique)
{
	if (!name)
		return -1;
	if (op->sel.ike_id)
		return unique == op->sel.ike_id ? op->log_level : -1;
	return !op->conn[0] || !strcmp(op->conn, name) ? op->log_level : -1;
}

/* Ends what the client waits for; the operation itself may go on. */
static void release_client(struct op *op)
{
	struct client *cl = op->client;

	if (op->timer) {
		event_free(op->timer);
		op->timer = NULL;
	}
	op->client = NULL;
	if (!cl)
		return;
	cl->op = NULL;
	events_update(cl->control);
	client_kick(cl);
}

static void op_free(struct op *op)
{
	release_client(op);
	if (op->control) {
		TAILQ_REMOVE(&op->control->ops, op, next);
		op->control->n_ops--;
	}
	free(op);
}

void op_detach_client(struct client *cl)
{
	struct op *op = cl->op;

	if (!op)
		return;
	op->client = NULL;
	cl->op = NULL;
	if (op->timer) {
		event_free(op->timer);
		op->timer = NULL;
	}
}

void op_close_all(struct control *c)
{
	struct op *op;

	while ((op = TAILQ_FIRST(&c->ops))) {
		TAILQ_REMOVE(&c->ops, op, next);
		op->control = NULL;
	}
	c->n_ops = 0;
}

static void answer(struct op *op, const struct outcome *o)
{
	struct vici_wr v = reply_begin(op->client);

	vici_kv(&v, "success", o->error ? "no" : "yes");
	if (op->kind == OP_TERMINATE || op->kind == OP_REKEY || op->kind == OP_REAUTH)
		vici_kvf(&v, "matches", "%u", op->matches);
	if (op->kind == OP_TERMINATE)
		vici_kvf(&v, "terminated", "%u", o->error ? 0 : op->matches);
	if (o->error)
		vici_kv(&v, "errmsg", o->text[0] ? o->text : strerror(-o->error));
	else if (o->text[0])
		vici_kv(&v, "text", o->text);
	if (o->notify)
		vici_kvf(&v, "notify", "%u", o->notify);
	if (o->by_peer)
		vici_kv(&v, "by-peer", "yes");
	reply_end(op->client, &v);
}

static void op_done(void *ctx, const struct outcome *o)
{
	struct op *op = ctx;

	if (op->starting) {
		op->outcome = *o;
		op->done = true;
		return;
	}
	if (op->client)
		answer(op, o);
	op_free(op);
}

/* What is known of an exchange that has no answer yet. */
static void waiting_for(const struct op *op, char *buf, size_t n)
{
	char addr[ADDR_STRLEN];
	const struct ike_sa *ike;

	buf[0] = '\0';
	TAILQ_FOREACH (ike, sa_all(op->control->a), all) {
		if (ike->state != IKE_CONNECTING || (op->conn[0] && strcmp(op->conn, ike_name(ike)) != 0))
			continue;
		if (ike->initiator)
			snprintf(buf, n, ": no answer from %s yet, %u retransmissions sent",
				 addr_str(&ike->remote.ip, addr), ike->tries);
	}
}

static void on_timeout(evutil_socket_t fd, short what, void *ctx)
{
	struct op *op = ctx;
	struct outcome o = {.error = -ETIMEDOUT};
	char why[128] = "";

	(void)fd;
	(void)what;
	if (op->kind == OP_INITIATE) {
		waiting_for(op, why, sizeof(why));
		snprintf(o.text, sizeof(o.text), "%s '%s' not established after %lldms%s",
			 op->child[0] ? "CHILD_SA" : "IKE_SA", op->child[0] ? op->child : op->ike,
			 (long long)op->timeout_ms, why);
	} else {
		snprintf(o.text, sizeof(o.text), "%s not finished after %lldms", op_verb[op->kind],
			 (long long)op->timeout_ms);
	}
	answer(op, &o);
	release_client(op);
}

static int set_timer(struct op *op)
{
	struct timeval tv = {.tv_sec = op->timeout_ms / 1000,
			     .tv_usec = op->timeout_ms % 1000 * 1000};

	if (op->timeout_ms <= 0)
		return 0;
	op->timer = event_new(op->control->a->base, -1, 0, on_timeout, op);
	return !op->timer || event_add(op->timer, &tv) ? -ENOMEM : 0;
}

/* The connection whose log lines tell of this operation. */
static void find_conn(struct op *op)
{
	struct agent *a = op->control->a;
	const struct conf *conf = sa_conf(a);
	const struct child_sa *child = op->sel.child_id ? sa_find_child(a, op->sel.child_id) : NULL;

	if (op->ike[0])
		snprintf(op->conn, sizeof(op->conn), "%s", op->ike);
	else if (child)
		snprintf(op->conn, sizeof(op->conn), "%s", ike_name(child->ike));
	for (unsigned int i = 0; conf && op->child[0] && !op->conn[0] && i < conf->n_conns; i++)
		if (conn_child(conf->conn[i], op->child))
			snprintf(op->conn, sizeof(op->conn), "%s", conf->conn[i]->name);
}

static bool child_selected(const struct op *op, const struct child_sa *child)
{
	return (!op->child[0] || !strcmp(op->child, child->conf->name)) &&
	       (!op->sel.child_id || op->sel.child_id == child->id);
}

/* How many SAs a selection means, for the fields that vici has for it. */
static unsigned int count_matches(const struct op *op)
{
	bool children = op->child[0] || op->sel.child_id;
	const struct child_sa *child;
	const struct ike_sa *ike;
	unsigned int n = 0;

	TAILQ_FOREACH (ike, sa_all(op->control->a), all) {
		if (op->ike[0] && strcmp(op->ike, ike_name(ike)) != 0)
			continue;
		if (op->sel.ike_id && op->sel.ike_id != ike->id)
			continue;
		n += !children;
		TAILQ_FOREACH (child, &ike->children, next)
			n += children && child_selected(op, child);
	}
	return n;
}

static int op_start(struct op *op, struct outcome *o)
{
	struct agent *a = op->control->a;

	switch (op->kind) {
	case OP_INITIATE:
		if (op->all_children && op->sel.ike && !op->sel.child)
			return sa_initiate_all(a, op->sel.ike, op_done, op, o);
		return sa_initiate(a, op->sel.ike, op->sel.child, op_done, op, o);
	case OP_TERMINATE:
		return sa_terminate(a, &op->sel, op_done, op, o);
	case OP_REKEY:
		return sa_rekey(a, &op->sel, op_done, op, o);
	case OP_REAUTH:
		return sa_reauth(a, &op->sel, op_done, op, o);
	case OP_FLUSH:
		break;
	}
	return sa_flush(a, op_done, op, o);
}

static void op_log(const struct op *op)
{
	char ids[64] = "";

	if (op->sel.ike_id)
		snprintf(ids, sizeof(ids), " IKE_SA #%u", op->sel.ike_id);
	if (op->sel.child_id)
		snprintf(ids + strlen(ids), sizeof(ids) - strlen(ids), " CHILD_SA #%u",
			 op->sel.child_id);
	log_line(LOG_CONFIG, 1, "vici %s%s%s%s%s%s%s%s by uid %u pid %d", op_verb[op->kind],
		 op->ike[0] ? " IKE_SA '" : "", op->ike, op->ike[0] ? "'" : "",
		 op->child[0] ? " CHILD_SA '" : "", op->child, op->child[0] ? "'" : "", ids,
		 (unsigned int)op->client->uid, (int)op->client->pid);
}

/* Starts it and answers what can be answered at once. Takes op. */
static void op_run(struct op *op)
{
	struct outcome o = {0};
	int ret;

	find_conn(op);
	op->matches = count_matches(op);
	op_log(op);
	events_update(op->control);
	op->starting = true;
	ret = op_start(op, &o);
	op->starting = false;
	if (!ret && op->done)
		o = op->outcome;
	if (ret && !o.error)
		o.error = ret;
	if (ret || op->done) {
		answer(op, &o);
		op_free(op);
		return;
	}
	if (op->timeout_ms < 0) {
		answer(op, &o);
		release_client(op);
	} else if (set_timer(op)) {
		o.error = -ENOMEM;
		answer(op, &o);
		release_client(op);
	}
}

static struct op *op_new(struct client *cl, struct slice body, enum op_kind kind)
{
	struct control *c = cl->control;
	struct op *op = c->n_ops < OPS_MAX ? calloc(1, sizeof(*op)) : NULL;
	int64_t level, timeout;

	if (!op) {
		reply_error(cl, "too many commands under way, try again when some have ended");
		return NULL;
	}
	op->kind = kind;
	if (!param_name(cl, body, "ike", op->ike, sizeof(op->ike)) ||
	    !param_name(cl, body, "child", op->child, sizeof(op->child)) ||
	    !param_id(cl, body, "ike-id", &op->sel.ike_id) ||
	    !param_id(cl, body, "child-id", &op->sel.child_id)) {
		free(op);
		return NULL;
	}
	if (vici_find_number(body, "timeout", 0, &timeout) || timeout > INT32_MAX ||
	    vici_find_number(body, "loglevel", LOG_LEVEL_DEFAULT, &level) || level > LOG_LEVEL_MAX) {
		reply_error(cl, "timeout or loglevel is not a number within its range");
		free(op);
		return NULL;
	}
	op->timeout_ms = timeout;
	op->log_level = level < 0 ? -1 : (int)level;
	op->sel.ike = op->ike[0] ? op->ike : NULL;
	op->sel.child = op->child[0] ? op->child : NULL;
	op->sel.force = vici_find_bool(body, "force");
	op->all_children = vici_find_bool(body, "all-children");
	op->control = c;
	op->client = cl;
	cl->op = op;
	TAILQ_INSERT_TAIL(&c->ops, op, next);
	c->n_ops++;
	return op;
}

static void refuse(struct op *op, const char *why)
{
	struct outcome o = {.error = -EINVAL};

	snprintf(o.text, sizeof(o.text), "%s", why);
	answer(op, &o);
	op_free(op);
}

void cmd_initiate(struct client *cl, struct slice body)
{
	struct op *op = op_new(cl, body, OP_INITIATE);

	if (!op)
		return;
	if (!op->sel.ike && !op->sel.child)
		refuse(op, "missing configuration name");
	else
		op_run(op);
}

static bool selects(const struct op *op)
{
	return op->sel.ike || op->sel.child || op->sel.ike_id || op->sel.child_id;
}

void cmd_terminate(struct client *cl, struct slice body)
{
	struct op *op = op_new(cl, body, OP_TERMINATE);

	if (!op)
		return;
	if (!selects(op))
		refuse(op, "missing terminate selector");
	else if (!count_matches(op))
		refuse(op, "no matching SAs to terminate found");
	else
		op_run(op);
}

void cmd_rekey(struct client *cl, struct slice body)
{
	struct op *op = op_new(cl, body, vici_find_bool(body, "reauth") ? OP_REAUTH : OP_REKEY);

	if (!op)
		return;
	if (!selects(op))
		refuse(op, "missing rekey selector");
	else if (!count_matches(op))
		refuse(op, "no matching SAs to rekey found");
	else
		op_run(op);
}

void cmd_flush(struct client *cl, struct slice body)
{
	struct op *op = op_new(cl, body, OP_FLUSH);

	if (op)
		op_run(op);
}
