/* SPDX-License-Identifier: BSD-2-Clause */
#include "exch.h"

#include <errno.h>

/*
 * Timers of an established IKE SA:
 *   rekey_timer      rekey_time or reauth_time, each less a random part of rand_time: what comes first
 *   expire_timer     over_time after either: closed, when nothing came of it
 *   dpd_timer        dpd_delay without a sign of life: an empty INFORMATIONAL (RFC 7296 2.4)
 *   keepalive_timer  we are behind a NAT and sent nothing for keep_alive: one byte (RFC 3948 2.3)
 */

uint32_t random_u32(struct agent *a)
{
	uint32_t v;

	return a->core->parts->random(&v, sizeof(v)) < 0 ? 0 : v;
}

uint64_t jittered_ms(struct agent *a, uint64_t base_s, uint64_t rand_s)
{
	uint64_t base = base_s * 1000, less = rand_s * 1000;

	if (!base)
		return 0;
	less = (uint64_t)((double)less * random_u32(a) / UINT32_MAX);
	return less < base ? base - less : 1;
}

uint64_t temp_fail_wait_ms(struct agent *a, unsigned int try)
{
	uint64_t wait = (uint64_t)TEMP_FAIL_FIRST_MS << (try ? try - 1 : 0);

	return wait + random_u32(a) % TEMP_FAIL_FIRST_MS;
}

static void reauth_due(struct ike_sa *ike)
{
	struct agent *a = ike->agent;
	struct outcome why;

	if (ike_reauth(ike, NULL, &why) == 0 || ike->state == IKE_DEAD)
		return;
	ike_log(ike, 0, "reauthenticating IKE_SA %s[%u] failed: %s", ike_conn_name(ike), ike->id, why.text);
	ike->reauth_ms = sa_now_ms() + jittered_ms(a, REKEY_RETRY_MS / 1000, REKEY_RETRY_MS / 2000);
	ike_rekey_arm(ike);
}

static void on_rekey(struct timer *timer)
{
	struct ike_sa *ike = timer_owner(timer, struct ike_sa, rekey_timer);

	if (ike->reauth_ms && sa_now_ms() >= ike->reauth_ms)
		reauth_due(ike);
	else if (ike->state == IKE_ESTABLISHED)
		ike_rekey(ike, NULL);
}

void ike_rekey_arm(struct ike_sa *ike)
{
	uint64_t due = ike->rekey_ms;

	if (ike->reauth_ms && (!due || ike->reauth_ms < due))
		due = ike->reauth_ms;
	if (due)
		timer_arm(&ike->agent->core->timers, &ike->rekey_timer, due, on_rekey);
}

static void on_expire(struct timer *timer)
{
	struct ike_sa *ike = timer_owner(timer, struct ike_sa, expire_timer);

	ike_log(ike, 1, "IKE_SA %s[%u] expired, closing", ike_conn_name(ike), ike->id);
	ike_delete(ike, END_EXPIRED, 0, NULL);
}

uint64_t ike_last_life_ms(const struct ike_sa *ike)
{
	struct agent *a = ike->agent;
	uint64_t last = ike->last_in_ms;
	const struct child_sa *c;
	struct engine_stat st;

	/* Authenticated ESP shows life as well as IKE does. */
	TAILQ_FOREACH (c, &ike->children, next) {
		if (c->state == CHILD_CREATED || c->state == CHILD_INSTALLING ||
		    a->core->parts->stat_get(a->engine, c->engine, &st) < 0)
			continue;
		if (st.in.last_ns / 1000000 > last)
			last = st.in.last_ns / 1000000;
	}
	return last;
}

static void on_dpd(struct timer *timer)
{
	struct ike_sa *ike = timer_owner(timer, struct ike_sa, dpd_timer);
	uint64_t now = sa_now_ms(), delay = ike->conn->dpd_delay * 1000;
	uint64_t due = ike_last_life_ms(ike) + delay;

	/* A request in flight is a liveness check already. */
	if (due <= now) {
		if (ike->state == IKE_ESTABLISHED && TAILQ_EMPTY(&ike->tasks)) {
			struct task *t = task_new(ike, TASK_DPD, 0);

			if (t)
				task_queue(ike, t);
		}
		due = now + delay;
	}
	timer_arm(&ike->agent->core->timers, &ike->dpd_timer, due, on_dpd);
}

static void on_keepalive(struct timer *timer)
{
	struct ike_sa *ike = timer_owner(timer, struct ike_sa, keepalive_timer);
	struct agent *a = ike->agent;
	uint64_t now = sa_now_ms(), every = a->gw.ike.keep_alive_s * 1000ull;

	if (now - ike->last_out_ms >= every) {
		a->core->parts->keepalive(a, &ike->local, &ike->remote);
		ike->last_out_ms = now;
	}
	timer_arm(&a->core->timers, &ike->keepalive_timer, ike->last_out_ms + every, on_keepalive);
}

void ike_keepalive_start(struct ike_sa *ike)
{
	struct agent *a = ike->agent;

	if (ike->nat_local && ike->floated && a->gw.ike.keep_alive_s)
		timer_arm(&a->core->timers, &ike->keepalive_timer,
			  sa_now_ms() + a->gw.ike.keep_alive_s * 1000ull, on_keepalive);
}

void ike_timers_start(struct ike_sa *ike)
{
	struct agent *a = ike->agent;
	const struct conn_conf *conn = ike->conn;
	uint64_t now = sa_now_ms(), in = jittered_ms(a, conn->rekey_time, conn->rand_time);

	ike->rekey_ms = in ? now + in : 0;
	ike->expire_ms = conn->rekey_time ? now + (conn->rekey_time + conn->over_time) * 1000 : 0;
	/* RFC 7296 2.8.3: a rekey authenticates nobody, the time for that goes on. */
	if (conn->reauth_time && !ike->reauth_ms)
		ike->reauth_ms = now + jittered_ms(a, conn->reauth_time, conn->rand_time);
	if (ike->reauth_ms && (!ike->expire_ms || ike->reauth_ms + conn->over_time * 1000 < ike->expire_ms))
		ike->expire_ms = ike->reauth_ms + conn->over_time * 1000;
	ike_rekey_arm(ike);
	if (ike->expire_ms)
		timer_arm(&a->core->timers, &ike->expire_timer, ike->expire_ms, on_expire);
	if (conn->dpd_delay)
		timer_arm(&a->core->timers, &ike->dpd_timer, now + conn->dpd_delay * 1000, on_dpd);
	ike_keepalive_start(ike);
}
