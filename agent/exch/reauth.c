/* SPDX-License-Identifier: BSD-2-Clause */
#include "exch.h"

#include <errno.h>
#include <stdlib.h>

/*
 * RFC 7296 2.8.3: reauthentication is a new IKE SA from scratch, without REKEY_SA, and then the end of the old one.
 * Make before break: the new one first; the old carries traffic until the new has all its children. Break before
 * make: the old one first; what it protected stays closed meanwhile. Either way the new IKE SA has one task for each
 * child and behind them TASK_REAUTH, which runs when those are over, and for which the command waits.
 */

static struct ike_sa *old_of(const struct agent *a, const struct task *t)
{
	return t->reauth_of.generation ? ike_find_ref(a, t->reauth_of) : NULL;
}

/* The task of a reauthentication of this IKE SA that is under way. */
static struct task *under_way(const struct ike_sa *ike)
{
	struct ike_sa *other;
	struct task *t;

	if (!ike->reauthing || !ike->of_conn)
		return NULL;
	TAILQ_FOREACH (other, &ike->of_conn->list, in_conn) {
		t = task_find(other, TASK_REAUTH, 0);
		if (t && old_of(ike->agent, t) == ike)
			return t;
	}
	return NULL;
}

static bool can_connect(const struct ike_sa *ike)
{
	const struct conn_conf *conn = ike->conn;

	for (unsigned int i = 0; i < conn->n_remote; i++)
		if (conn->remote[i].host[0] ||
		    (conn->remote[i].lo.family && addr_equal(&conn->remote[i].lo, &conn->remote[i].hi)))
			return true;
	/* A peer of any address can be called where it is now, but not through a NAT in front of it. */
	return !ike->nat_remote;
}

static unsigned int children_up(const struct ike_sa *ike)
{
	const struct child_sa *c;
	unsigned int n = 0;

	TAILQ_FOREACH (c, &ike->children, next)
		n += child_up(c);
	return n;
}

/* One task a configured child, however many Child SAs it has. */
static int queue_children(const struct ike_sa *old, struct ike_sa *next, unsigned int *wanted)
{
	const struct child_sa *c;
	struct task *t;

	*wanted = 0;
	TAILQ_FOREACH (c, &old->children, next) {
		if (!child_up(c) || task_find_create(next, c->conf->name))
			continue;
		t = task_new(next, *wanted ? TASK_CHILD_CREATE : TASK_CONNECT, 0);
		if (!t)
			return -ENOMEM;
		t->conn = conn_conf_ref(c->own_conn);
		t->conf = c->conf;
		task_queue(next, t);
		++*wanted;
	}
	if (*wanted)
		return 0;
	t = task_new(next, TASK_CONNECT, 0);
	if (t)
		task_queue(next, t);
	return t ? 0 : -ENOMEM;
}

/* The new IKE SA with all it has to do; NULL: no memory. */
static struct ike_sa *begin(struct ike_sa *old, struct sa_ref reauth_of, struct task **end)
{
	struct ike_sa *next = connect_new(old->agent, old->conn, 0);
	unsigned int wanted;

	*end = next ? task_new(next, TASK_REAUTH, 0) : NULL;
	if (!*end || queue_children(old, next, &wanted) < 0) {
		if (next)
			ike_end(next, END_FAILED, NULL);
		free(*end);
		return NULL;
	}
	next->remote = old->remote;
	(*end)->reauth_of = reauth_of;
	(*end)->child_count = wanted;
	task_queue(next, *end);
	return next;
}

static int start(struct ike_sa *ike, struct batch *b)
{
	struct task *end;
	struct ike_sa *next;

	if (!ike->agent->gw.ike.make_before_break) {
		ike_log(ike, 1, "reauthenticating IKE_SA %s[%u], break before make", ike->conn->name, ike->id);
		return ike_delete(ike, END_REAUTH, 0, b);
	}
	ike_log(ike, 1, "reauthenticating IKE_SA %s[%u], make before break", ike->conn->name, ike->id);
	next = begin(ike, ike->ref, &end);
	if (!next)
		return -ENOMEM;
	ike->reauthing = true;
	if (b && batch_wait(b, &end->waiters) < 0)
		return -ENOMEM;
	return 0;
}

/* Is there one for each of its Child SAs? What cannot be made again is not given up. */
static bool engines_usable(const struct ike_sa *ike, struct outcome *why)
{
	const struct child_sa *c;

	TAILQ_FOREACH (c, &ike->children, next)
		if (child_up(c) && !engine_usable(ike->agent, ike_conn_name(ike), c->conf, &c->suite, why))
			return false;
	return true;
}

int ike_reauth(struct ike_sa *ike, struct batch *b, struct outcome *why)
{
	struct task *t = under_way(ike);
	int err;

	if (t)
		return b && batch_wait(b, &t->waiters) < 0 ? outcome_set(why, -ENOMEM, "no memory") : 0;
	if (!ike_usable(ike))
		return outcome_set(why, -EINVAL, "IKE_SA %s[%u] is %s", ike_conn_name(ike), ike->id,
				   ike_state_name(ike->state));
	if (!can_connect(ike))
		return outcome_set(why, -EDESTADDRREQ,
				   "the peer is behind a NAT and has to reauthenticate itself");
	if (!engines_usable(ike, why))
		return why->error;
	err = start(ike, b);
	return err < 0 ? outcome_set(why, err, "no memory") : 0;
}

/* RFC 7296 4: a minimal peer makes no SA beside the first ones; new keys are had by a new IKE SA. */
void ike_renew(struct ike_sa *ike)
{
	struct outcome why;

	if (!ike_usable(ike))
		return;
	ike_log(ike, 1, "peer rekeys nothing on this IKE_SA, making a new one");
	if (ike_reauth(ike, NULL, &why) < 0)
		ike_log(ike, 0, "reauthenticating IKE_SA %s[%u] failed: %s", ike_conn_name(ike), ike->id, why.text);
}

void reauth_broken(struct ike_sa *old)
{
	struct task *del = task_find(old, TASK_IKE_DELETE, 0), *end;

	/* Who waited for the end of the old one waits for the new one. */
	if (begin(old, (struct sa_ref){0}, &end)) {
		if (del)
			STAILQ_CONCAT(&end->waiters, &del->waiters);
		return;
	}
	ike_log(old, 0, "reauthenticating IKE_SA %s[%u] failed: no memory", ike_conn_name(old), old->id);
}

/* The Child SAs of the old one that the new one has, too, carry no new packets any more. */
static void hand_over(const struct ike_sa *next, struct ike_sa *old)
{
	const struct child_sa *n;
	struct child_sa *c;

	TAILQ_FOREACH (c, &old->children, next)
		TAILQ_FOREACH (n, &next->children, next)
			if (n->active && strcmp(n->conf->name, c->conf->name) == 0 &&
			    ts_list_equal(n->ts_local, c->ts_local) &&
			    ts_list_equal(n->ts_remote, c->ts_remote))
				c->active = false;
}

void reauth_finish(struct ike_sa *ike, struct task *t)
{
	struct ike_sa *old = old_of(ike->agent, t);
	unsigned int have = children_up(ike), wanted = t->child_count;
	struct outcome o;

	if (have < wanted) {
		outcome_set(&o, -EIO, "IKE_SA %s[%u] has %u of %u CHILD_SAs", ike->conn->name, ike->id, have,
			    wanted);
		/* The old one has them all. */
		if (old)
			ike_delete(ike, END_REPLACED, 0, NULL);
		task_finish(ike, &o);
		return;
	}
	if (old)
		outcome_set(&o, 0, "IKE_SA %s[%u] reauthenticated as [%u]", ike->conn->name, old->id, ike->id);
	else
		outcome_set(&o, 0, "IKE_SA %s reauthenticated as [%u]", ike->conn->name, ike->id);
	core_count(ike->agent, reauth);
	ike_log(ike, 0, "%s", o.text);
	if (old && ike_usable(old)) {
		hand_over(ike, old);
		ike_delete(old, END_REPLACED, 0, NULL);
	}
	task_finish(ike, &o);
}

void reauth_over(struct agent *a, const struct task *t, const struct outcome *o)
{
	struct ike_sa *old = old_of(a, t);

	if (!old || !old->reauthing)
		return;
	old->reauthing = false;
	if (o->error)
		ike_log(old, 0, "reauthenticating IKE_SA %s[%u] failed: %s", ike_conn_name(old), old->id,
			o->text);
	/* Also when the peer was faster and forgets to delete it. */
	if (old->reauth_ms && ike_usable(old)) {
		old->reauth_ms = sa_now_ms() + jittered_ms(a, REKEY_RETRY_MS / 1000, REKEY_RETRY_MS / 2000);
		ike_rekey_arm(old);
	}
}
