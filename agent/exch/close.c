/* SPDX-License-Identifier: BSD-2-Clause */
#include "exch.h"

#include <errno.h>
#include <stdlib.h>

/* The end of an IKE SA: what goes with it, and what comes back. */

static enum conf_action dpd_to_action(enum conf_dpd dpd)
{
	switch (dpd) {
	case CONF_DPD_RESTART:
		return CONF_ACTION_START;
	case CONF_DPD_TRAP:
		return CONF_ACTION_TRAP;
	default:
		return CONF_ACTION_NONE;
	}
}

static enum conf_action child_action(const struct child_sa *c, enum ike_end why)
{
	switch (why) {
	case END_TIMEOUT:
		return dpd_to_action(c->conf->dpd_action);
	case END_PEER:
	case END_EXPIRED:
		return c->conf->close_action;
	case END_REAUTH:
		/* Closed until the new one has it. */
		return CONF_ACTION_TRAP;
	default:
		return CONF_ACTION_NONE;
	}
}

static void children_end(struct ike_sa *ike, enum ike_end why)
{
	struct child_sa *c;

	while ((c = TAILQ_FIRST(&ike->children))) {
		if (why == END_ABANDONED)
			child_drop(c);
		else
			child_gone(c, child_action(c, why));
	}
}

/* keyingtries: a new attempt with new SPIs takes over who waits (RFC 7296 2.4). */
static void try_again(struct ike_sa *ike)
{
	uint32_t tries = ike->conn->keyingtries;
	struct ike_sa *next;
	struct task *t;

	if (tries && ike->attempt + 1 >= tries)
		return;
	next = connect_new(ike->agent, ike->conn, ike->attempt + 1);
	if (!next)
		return;
	next->remote = ike->remote;
	ike_log(ike, 1, "peer not responding, trying again (%u/%u)", ike->attempt + 2, tries);
	while ((t = TAILQ_FIRST(&ike->tasks))) {
		TAILQ_REMOVE(&ike->tasks, t, next);
		nego_free(ike->agent, t->nego);
		t->nego = NULL;
		t->step = TASK_QUEUED;
		TAILQ_INSERT_TAIL(&next->tasks, t, next);
	}
	task_kick(next);
}

static void tasks_end(struct ike_sa *ike, const struct outcome *o)
{
	struct outcome gone;
	struct task *t;

	if (!o) {
		outcome_set(&gone, -ECONNABORTED, "the IKE_SA was closed");
		o = &gone;
	}
	while ((t = TAILQ_FIRST(&ike->tasks))) {
		struct outcome other = *o;

		/* That the IKE SA is closed is what one waited for, and bad news for all others. */
		if (!o->error && t->kind != TASK_IKE_DELETE && ike->state != IKE_REKEYED &&
		    t->kind != TASK_CHILD_DELETE)
			outcome_set(&other, -ECONNABORTED, "the IKE_SA was closed");
		task_drop(ike, t, &other);
	}
}

static void in_free(struct ike_sa *ike)
{
	if (!ike->in)
		return;
	nego_free(ike->agent, ike->in->nego);
	ike_nego_free(ike->in->rekey);
	free(ike->in);
	ike->in = NULL;
}

static void on_lingered(struct timer *timer)
{
	ike_free(timer_owner(timer, struct ike_sa, half_open_timer));
}

static void timers_stop(struct ike_sa *ike)
{
	struct timers *ts = &ike->agent->core->timers;

	timer_disarm(ts, &ike->retransmit_timer);
	timer_disarm(ts, &ike->rekey_timer);
	timer_disarm(ts, &ike->expire_timer);
	timer_disarm(ts, &ike->dpd_timer);
	timer_disarm(ts, &ike->keepalive_timer);
	timer_disarm(ts, &ike->task_timer);
}

void ike_end(struct ike_sa *ike, enum ike_end why, const struct outcome *o)
{
	struct agent *a = ike->agent;
	enum ike_state was = ike->state;

	if (was == IKE_DEAD)
		return;
	if (why != END_ABANDONED && why != END_REPLACED)
		rekey_ike_adopt_peer(ike);
	was = ike->state;
	if (ike->authenticated && was != IKE_REKEYED && why != END_REPLACED && ike->established_ms)
		observe(a, SA_EV_IKE_DOWN, ike, NULL, NULL, NULL);
	if (why == END_REAUTH)
		reauth_broken(ike);
	children_end(ike, why);
	if (why == END_TIMEOUT && was == IKE_CONNECTING && ike->initiator)
		try_again(ike);
	tasks_end(ike, o);
	ike_state_set(ike, IKE_DEAD);
	in_free(ike);
	setup_free(ike);
	timers_stop(ike);
	free(ike->request);
	fragments_drop(&ike->frag_request);
	fragments_drop(&ike->frag_response);
	ike->request = NULL;
	ike->req.open = false;
	ike_keys_free(&ike->keys);
	ike->proof = (struct ike_authenticated){0};
	ike->authenticated = false;
	ike_ref_end(ike);
	/* RFC 7296 2.1: the last answer is repeated for a while; the memory goes from a fresh stack anyway. */
	timer_arm(&a->core->timers, &ike->half_open_timer,
		  sa_now_ms() + (ike->have_response ? DEAD_LINGER_MS : 0), on_lingered);
}

int ike_delete(struct ike_sa *ike, enum ike_end why, uint16_t say, struct batch *b)
{
	struct task *t = task_find(ike, TASK_IKE_DELETE, 0);
	const struct task *active = task_active(ike);
	struct outcome o;
	bool fresh = !t;

	if ((ike->state == IKE_CREATED || ike->state == IKE_CONNECTING) && !say) {
		/* Nobody at the other end believes in it yet. */
		outcome_set(&o, 0, "IKE_SA %s[%u] given up", ike_conn_name(ike), ike->id);
		if (b) {
			b->open++;
			batch_report(ike->agent, b, &o);
		}
		outcome_set(&o, -ECANCELED, "given up as told");
		ike_end(ike, END_FAILED, &o);
		return 0;
	}
	if (fresh)
		t = task_new(ike, TASK_IKE_DELETE, 0);
	if (!t || (b && batch_wait(b, &t->waiters) < 0)) {
		if (fresh)
			free(t);
		return -ENOMEM;
	}
	if (fresh) {
		t->why = (int)why;
		t->say = say;
	}
	/* A rekey in flight ends first: the delete then follows to the new IKE SA. */
	if (ike->state != IKE_DELETING && !(active && active->kind == TASK_IKE_REKEY &&
					    ike->state == IKE_REKEYING))
		ike_state_set(ike, IKE_DELETING);
	if (fresh)
		task_queue(ike, t);
	return 0;
}

void ike_delete_now(struct ike_sa *ike, enum ike_end why, const struct outcome *o)
{
	struct msg_wr chain;

	if (ike->authenticated && ike->state != IKE_DEAD) {
		ike_log(ike, 1, "deleting IKE_SA %s[%u]", ike_conn_name(ike), ike->id);
		chain_start(ike->agent, &chain);
		msg_put_delete_ike(&chain);
		request_once(ike, IKE_INFORMATIONAL, &chain);
	}
	ike_end(ike, why, o);
}
