/* SPDX-License-Identifier: BSD-2-Clause */
#include "exch.h"

#include <errno.h>
#include <stdlib.h>

/*
 * What happens to a Child SA after it is installed. Timers of this file:
 *   rekey_timer   rekey_time less a random part of rand_time: our rekey
 *   expire_timer  life_time: closed at once, whatever a rekey is doing
 *   switch_timer  responder of a rekey: the peer may use the new SA already
 *                 the loser of a simultaneous rekey, in force: the winner carries the traffic now, closed
 *                 the one in force, with inactivity: closed when there was no traffic for so long
 *   fading.timer  grace of an old inbound SA for late packets (delete_rekeyed_delay)
 */

static void log_established(const struct child_sa *c)
{
	char local[256], remote[256], text[128];

	const struct alg *weak;

	ike_log_group(c->ike, LOG_CHILD, 1, "selected proposal: %s:%s",
		      proto_text(child_sa_proto(c)), proposal_str(c->proposal, text, sizeof(text)));
	if (c->cpi_in)
		ike_log_group(c->ike, LOG_CHILD, 1, "CHILD_SA %s{%u} compresses by DEFLATE, CPIs %04x_i %04x_o",
			      c->conf->name, c->id, c->cpi_in, c->cpi_out);
	for (unsigned int i = 0; (weak = proposal_legacy(c->proposal, i)); i++)
		ike_log_group(c->ike, LOG_CHILD, 0, "CHILD_SA %s{%u} is protected by %s, which is weak",
			      c->conf->name, c->id, weak->text);
	ike_log_group(c->ike, LOG_CHILD, 0,
		      "CHILD_SA %s{%u} established with SPIs %08x_i %08x_o and TS %s === %s",
		      c->conf->name, c->id, c->spi_in, c->spi_out,
		      ts_list_str(c->ts_local, local, sizeof(local)),
		      ts_list_str(c->ts_remote, remote, sizeof(remote)));
}

static void on_rekey(struct timer *timer)
{
	struct child_sa *c = timer_owner(timer, struct child_sa, rekey_timer);

	child_rekey(c, NULL);
}

static void on_expire(struct timer *timer)
{
	child_expire(timer_owner(timer, struct child_sa, expire_timer));
}

void child_rekey_again(struct child_sa *c)
{
	struct agent *a = c->ike->agent;
	uint64_t in = jittered_ms(a, REKEY_RETRY_MS / 1000, REKEY_RETRY_MS / 2000);

	if (c->rekey_ms && !c->replaced_by)
		timer_arm(&a->core->timers, &c->rekey_timer, sa_now_ms() + in, on_rekey);
}

static void timers_start(struct child_sa *c)
{
	struct agent *a = c->ike->agent;
	const struct child_conf *conf = c->conf;
	uint64_t now = sa_now_ms(), in = jittered_ms(a, conf->rekey_time, conf->rand_time);

	c->installed_ms = c->used_ms = now;
	c->rekey_ms = in ? now + in : 0;
	c->expire_ms = conf->life_time ? now + conf->life_time * 1000 : 0;
	if (c->rekey_ms)
		timer_arm(&a->core->timers, &c->rekey_timer, c->rekey_ms, on_rekey);
	if (c->expire_ms)
		timer_arm(&a->core->timers, &c->expire_timer, c->expire_ms, on_expire);
}

/* When a packet last used it, either way, or one that it replaced; when the first was made, if none ever did. */
static uint64_t last_used_ms(const struct child_sa *c)
{
	struct agent *a = c->ike->agent;
	uint64_t last = c->used_ms;
	struct engine_stat st;

	if (a->core->parts->stat_get(a->engine, c->engine, &st) < 0)
		return last;
	if (st.in.last_ns / 1000000 > last)
		last = st.in.last_ns / 1000000;
	if (st.out.last_ns / 1000000 > last)
		last = st.out.last_ns / 1000000;
	return last;
}

/* The replaced one: carries no new packets of ours, its inbound half stays until Delete and grace. */
static void retire(struct child_sa *old, struct child_sa *by)
{
	struct agent_core *core = old->ike->agent->core;
	uint64_t guard = sa_now_ms() + SWITCH_WAIT_MS + core->agent->gw.ike.delete_rekeyed_delay_s * 1000ull;

	old->replaced_by = by->id;
	by->used_ms = last_used_ms(old);
	timer_disarm(&core->timers, &old->rekey_timer);
	timer_disarm(&core->timers, &old->switch_timer);
	/* Who made the new one deletes the old; one that forgets it does not keep it for ever. */
	if (!timer_armed(&old->expire_timer) || old->expire_timer.due_ms > guard)
		timer_arm(&core->timers, &old->expire_timer, guard, on_expire);
	if (old->state != CHILD_DELETING && old->state != CHILD_REKEYED)
		child_state_set(old, CHILD_REKEYED);
}

static void announce(struct child_sa *c, struct child_sa *old)
{
	struct agent *a = c->ike->agent;

	log_established(c);
	if (old) {
		core_count(a, rekey_child);
		observe(a, SA_EV_CHILD_REKEY, c->ike, NULL, old, c);
	} else {
		core_count(a, child_up);
		acquire_done(a, ike_conn_name(c->ike), c->conf->name);
		observe(a, SA_EV_CHILD_UP, c->ike, NULL, c, NULL);
	}
}

static void close_idle(struct child_sa *c)
{
	struct ike_sa *ike = c->ike;

	core_count(ike->agent, inactive);
	ike_log_group(ike, LOG_CHILD, 1, "CHILD_SA %s{%u} without traffic for %llu s, closing", c->conf->name,
		      c->id, (unsigned long long)c->conf->inactivity);
	if (ike->agent->gw.ike.inactivity_close_ike && TAILQ_FIRST(&ike->children) == c &&
	    !TAILQ_NEXT(c, next))
		ike_delete(ike, END_LOCAL, 0, NULL);
	else
		child_delete(c, NULL);
}

static void on_idle(struct timer *timer)
{
	struct child_sa *c = timer_owner(timer, struct child_sa, switch_timer);
	uint64_t due = last_used_ms(c) + c->conf->inactivity * 1000;

	if (!c->active || !child_up(c))
		return;
	if (due <= sa_now_ms() && c->state == CHILD_INSTALLED) {
		close_idle(c);
		return;
	}
	/* A rekey under way is looked at again when it is over. */
	if (due <= sa_now_ms())
		due = sa_now_ms() + c->conf->inactivity * 1000;
	timer_arm(&c->ike->agent->core->timers, &c->switch_timer, due, on_idle);
}

static void idle_start(struct child_sa *c)
{
	uint64_t due = c->used_ms + c->conf->inactivity * 1000;

	if (c->conf->inactivity)
		timer_arm(&c->ike->agent->core->timers, &c->switch_timer, due, on_idle);
}

/* One 8-byte store in the engine: from here on the selectors encrypt with this pair. */
static int put_in_force(struct child_sa *c)
{
	struct agent *a = c->ike->agent;
	struct engine_child view;
	int err;

	child_engine_view(c, &view);
	err = a->core->parts->activate(a->engine, c->engine, &view);
	if (err < 0)
		return err;
	c->active = true;
	timer_disarm(&a->core->timers, &c->switch_timer);
	idle_start(c);
	return 0;
}

int child_activate(struct child_sa *c, struct child_sa *old)
{
	int err;

	timers_start(c);
	if (old)
		c->used_ms = last_used_ms(old);
	err = put_in_force(c);
	if (err < 0) {
		ike_log_group(c->ike, LOG_CHILD, 0, "CHILD_SA %s{%u} cannot be put into force: %s",
			      c->conf->name, c->id, strerror(-err));
		child_gone(c, CONF_ACTION_NONE);
		return err;
	}
	child_state_set(c, CHILD_INSTALLED);
	if (old) {
		old->active = false;
		retire(old, c);
	}
	announce(c, old);
	return 0;
}

/* Another pair for the same selectors that can take over when this one goes; the one in force before all others. */
static struct child_sa *child_twin(const struct child_sa *of)
{
	struct child_sa *c = NULL, *oldest = NULL;

	while ((c = child_next_same(of, c))) {
		if (c == of || c->ike->state == IKE_DEAD ||
		    !(child_up(c) || (c->state == CHILD_REKEYED && c->replaced_by == of->id)))
			continue;
		if (c->active)
			return c;
		oldest = c;
	}
	return oldest;
}

static bool peer_uses(const struct child_sa *c)
{
	struct agent *a = c->ike->agent;
	struct engine_stat st;

	return a->core->parts->stat_get(a->engine, c->engine, &st) == 0 && st.in.packets > 0;
}

static void on_switch(struct timer *timer)
{
	struct child_sa *c = timer_owner(timer, struct child_sa, switch_timer);
	uint64_t now = sa_now_ms(), every = SWITCH_POLL_MS;

	if (!child_up(c) || c->active)
		return;
	if (now >= c->switch_ms || peer_uses(c)) {
		child_switch(c);
		return;
	}
	if (now + SWITCH_WAIT_MS - SWITCH_SLOW_MS > c->switch_ms)
		every = SWITCH_RARE_MS;
	timer_arm(&c->ike->agent->core->timers, &c->switch_timer, now + every, on_switch);
}

static void activate_later(struct child_sa *c, struct child_sa *rekeyed)
{
	child_state_set(c, CHILD_INSTALLED);
	timers_start(c);
	announce(c, rekeyed);
	c->switch_ms = sa_now_ms() + SWITCH_WAIT_MS;
	timer_arm(&c->ike->agent->core->timers, &c->switch_timer, sa_now_ms() + SWITCH_POLL_MS,
		  on_switch);
}

void child_activate_later(struct child_sa *c, struct child_sa *old)
{
	retire(old, c);
	activate_later(c, old);
}

/* The peer may not have the other one yet: until that carries the traffic, this one does. */
static void on_superseded(struct timer *timer)
{
	struct child_sa *c = timer_owner(timer, struct child_sa, switch_timer);
	struct agent *a = c->ike->agent;
	const struct child_sa *by = sa_find_child(a, c->replaced_by);

	if (by && child_up(by) && !by->active)
		timer_arm(&a->core->timers, &c->switch_timer, sa_now_ms() + SWITCH_POLL_MS, on_superseded);
	else if (c->state == CHILD_REKEYED)
		child_delete(c, NULL);
}

void child_give_way(struct child_sa *c, struct child_sa *to)
{
	child_activate_later(to, c);
	timer_arm(&c->ike->agent->core->timers, &c->switch_timer, sa_now_ms() + SWITCH_POLL_MS, on_superseded);
}

void child_stand_back(struct child_sa *c, const struct child_sa *by)
{
	struct agent_core *core = c->ike->agent->core;

	if (c->state == CHILD_INSTALLING)
		timers_start(c);
	timer_disarm(&core->timers, &c->switch_timer);
	timer_disarm(&core->timers, &c->rekey_timer);
	c->replaced_by = by->id;
	c->active = false;
	if (c->state == CHILD_INSTALLING || child_up(c))
		child_state_set(c, CHILD_REKEYED);
}

void child_switch(struct child_sa *c)
{
	struct ike_sa *ike = c->ike;
	struct child_sa *old;
	int err;

	if (c->active || c->state == CHILD_DELETED)
		return;
	old = child_twin(c);
	err = put_in_force(c);
	if (err < 0) {
		ike_log_group(ike, LOG_CHILD, 0, "CHILD_SA %s{%u} cannot be put into force: %s",
			      c->conf->name, c->id, strerror(-err));
		return;
	}
	if (old)
		old->active = false;
	TAILQ_FOREACH (old, &ike->children, next)
		if (old->replaced_by == c->id)
			old->active = false;
}

/* ---- the end ------------------------------------------------------------------------------------- */

static void fading_end(struct fading *f)
{
	struct agent_core *core = f->agent->core;

	timer_disarm(&core->timers, &f->timer);
	TAILQ_REMOVE(&core->fading, f, next);
	core->parts->remove(f->agent->engine, f->sa, false);
	free(f);
}

static void on_faded(struct timer *timer)
{
	fading_end(timer_owner(timer, struct fading, timer));
}

void fading_all(struct agent *a)
{
	struct fading *f;

	while ((f = TAILQ_FIRST(&a->core->fading)))
		fading_end(f);
}

/* RFC 7296 2.8: packets that the peer sent before it switched are still under way. */
static void fade(struct child_sa *c)
{
	struct agent *a = c->ike->agent;
	struct fading *f = calloc(1, sizeof(*f));

	if (!f) {
		a->core->parts->remove(a->engine, c->engine, false);
		return;
	}
	f->agent = a;
	f->sa = c->engine;
	a->core->parts->remove_out(a->engine, c->engine);
	TAILQ_INSERT_TAIL(&a->core->fading, f, next);
	timer_arm(&a->core->timers, &f->timer,
		  sa_now_ms() + a->gw.ike.delete_rekeyed_delay_s * 1000ull, on_faded);
}

bool child_traps(const struct child_conf *conf)
{
	return (conf->start_action & CONF_ACTION_TRAP) != 0;
}

int child_activate_beside(struct child_sa *c, bool initial_contact)
{
	struct child_sa *old = child_twin(c);

	if (!old || !old->active || !contact_same_peers(c->ike, old->ike))
		return child_activate(c, NULL);
	if (initial_contact && contact_supersedes(c->ike, old->ike))
		retire(old, c);
	activate_later(c, NULL);
	return 0;
}

static void gone_for_good(struct child_sa *c, enum conf_action action)
{
	struct agent *a = c->ike->agent;
	struct child_sa *other = c->active ? child_twin(c) : NULL;
	bool trap = child_traps(c->conf) || action != CONF_ACTION_NONE;

	if (other && put_in_force(other) == 0)
		ike_log_group(other->ike, LOG_CHILD, 1, "CHILD_SA %s{%u} takes over from {%u}",
			      other->conf->name, other->id, c->id);
	else
		other = NULL;
	a->core->held_traps |= trap && !child_traps(c->conf);
	/* Until it is up again its packets meet a trap, never the open road. */
	a->core->parts->remove(a->engine, c->engine, trap && !other);
	if (c->state == CHILD_CREATED || c->state == CHILD_INSTALLING)
		return;
	ike_log_group(c->ike, LOG_CHILD, 1, "CHILD_SA %s{%u} closed", c->conf->name, c->id);
	observe(a, SA_EV_CHILD_DOWN, c->ike, NULL, c, NULL);
	if (!other && (action & CONF_ACTION_START))
		intend(a, ike_conn_name(c->ike), c->conf->name, RESTART_WAIT_MS);
}

/* A rekey that waits in the queue for a Child SA that goes: the peer's came first, or there is nothing left. */
static void end_queued_rekey(struct child_sa *c)
{
	struct task *t = task_find(c->ike, TASK_CHILD_REKEY, c->id);
	struct outcome o;

	if (!t || t->step != TASK_QUEUED)
		return;
	if (c->replaced_by)
		outcome_set(&o, 0, "CHILD_SA %s{%u} was rekeyed by the peer", c->conf->name, c->id);
	else
		outcome_set(&o, -ENOENT, "CHILD_SA %s{%u} was closed", c->conf->name, c->id);
	task_drop(c->ike, t, &o);
}

void child_gone(struct child_sa *c, enum conf_action action)
{
	struct agent *a = c->ike->agent;
	struct child_sa *next = c->replaced_by ? sa_find_child(a, c->replaced_by) : NULL;

	if (c->state == CHILD_DELETED)
		return;
	/* The peer has finished with the one in force: it is on the new, unless that is on its way out itself. */
	if (next && c->active && child_up(next)) {
		child_switch(next);
		c->active = !next->active;
	}
	if (!c->active && c->state != CHILD_CREATED && c->state != CHILD_INSTALLING) {
		fade(c);
		ike_log_group(c->ike, LOG_CHILD, 1, "closing CHILD_SA %s{%u} with SPIs %08x_i %08x_o",
			      c->conf->name, c->id, c->spi_in, c->spi_out);
	} else {
		gone_for_good(c, action);
	}
	end_queued_rekey(c);
	child_drop(c);
}

/* The Delete of one that is gone here already, when the window is free. */
static void delete_later(struct child_sa *c)
{
	struct task *t = task_find(c->ike, TASK_CHILD_DELETE, c->id);
	bool fresh = !t && c->state != CHILD_DELETING;

	if (fresh)
		t = task_new(c->ike, TASK_CHILD_DELETE, 0);
	if (!t)
		return;
	t->spi = c->spi_in;
	t->proto = child_sa_proto(c);
	if (fresh)
		task_queue(c->ike, t);
}

void child_expire(struct child_sa *c)
{
	struct task *t = task_active(c->ike);
	bool rekeying = t && t->kind == TASK_CHILD_REKEY && t->child_id == c->id;

	ike_log_group(c->ike, LOG_CHILD, 1, "CHILD_SA %s{%u} expired", c->conf->name, c->id);
	delete_later(c);
	/* Until the rekey has its answer, or a new one is there: closed. */
	child_gone(c, !rekeying && (c->conf->start_action & CONF_ACTION_START) ? CONF_ACTION_TRAP_START
										: CONF_ACTION_TRAP);
}

/* ---- asking for it ------------------------------------------------------------------------------------ */

static int join(struct ike_sa *ike, enum task_kind kind, uint32_t child_id, struct batch *b)
{
	struct task *t = task_find(ike, kind, child_id);
	bool fresh = !t;

	if (fresh)
		t = task_new(ike, kind, child_id);
	if (!t)
		return -ENOMEM;
	if (b && batch_wait(b, &t->waiters) < 0) {
		if (fresh)
			free(t);
		return -ENOMEM;
	}
	if (fresh)
		task_queue(ike, t);
	return 0;
}

int child_rekey(struct child_sa *c, struct batch *b)
{
	return join(c->ike, TASK_CHILD_REKEY, c->id, b);
}

int child_delete(struct child_sa *c, struct batch *b)
{
	return join(c->ike, TASK_CHILD_DELETE, c->id, b);
}
