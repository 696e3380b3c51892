/* SPDX-License-Identifier: BSD-2-Clause */
#include "exch.h"

#include <errno.h>
#include <stdlib.h>

struct task *task_new(struct ike_sa *ike, enum task_kind kind, uint32_t child_id)
{
	struct task *t = calloc(1, sizeof(*t));

	if (!t) {
		core_count(ike->agent, no_memory);
		return NULL;
	}
	t->kind = kind;
	t->child_id = child_id;
	STAILQ_INIT(&t->waiters);
	return t;
}

static void task_free(struct agent *a, struct task *t)
{
	nego_free(a, t->nego);
	ike_nego_free(t->rekey);
	conn_conf_unref(t->conn);
	free(t);
}

struct task *task_active(const struct ike_sa *ike)
{
	struct task *t = TAILQ_FIRST(&ike->tasks);

	return t && t->step != TASK_QUEUED ? t : NULL;
}

struct task *task_find(const struct ike_sa *ike, enum task_kind kind, uint32_t child_id)
{
	struct task *t;

	TAILQ_FOREACH (t, &ike->tasks, next)
		if (t->kind == kind && t->child_id == child_id)
			return t;
	return NULL;
}

struct task *task_find_create(const struct ike_sa *ike, const char *child)
{
	struct task *t;

	TAILQ_FOREACH (t, &ike->tasks, next) {
		if ((t->kind == TASK_CONNECT || t->kind == TASK_CHILD_CREATE) && t->conf &&
		    strcmp(t->conf->name, child) == 0)
			return t;
		/* The rekey of one that expired meanwhile makes a new one as well. */
		if (t->kind == TASK_CHILD_REKEY && t->nego && strcmp(t->nego->conf->name, child) == 0)
			return t;
	}
	return NULL;
}

static void on_task_timer(struct timer *timer)
{
	task_run(timer_owner(timer, struct ike_sa, task_timer));
}

void task_kick(struct ike_sa *ike)
{
	if (ike->state != IKE_DEAD)
		timer_arm(&ike->agent->core->timers, &ike->task_timer, sa_now_ms(), on_task_timer);
}

void task_queue(struct ike_sa *ike, struct task *t)
{
	struct task *active = task_active(ike);

	t->step = TASK_QUEUED;
	if (t->kind != TASK_IKE_DELETE)
		TAILQ_INSERT_TAIL(&ike->tasks, t, next);
	else if (active)
		TAILQ_INSERT_AFTER(&ike->tasks, active, t, next);
	else
		TAILQ_INSERT_HEAD(&ike->tasks, t, next);
	task_kick(ike);
}

void task_drop(struct ike_sa *ike, struct task *t, const struct outcome *o)
{
	TAILQ_REMOVE(&ike->tasks, t, next);
	if (t->kind == TASK_REAUTH)
		reauth_over(ike->agent, t, o);
	waiters_report(ike->agent, &t->waiters, o);
	task_free(ike->agent, t);
}

void task_finish(struct ike_sa *ike, const struct outcome *o)
{
	struct task *t = task_active(ike);

	if (t)
		task_drop(ike, t, o);
	task_kick(ike);
}

void task_postpone(struct ike_sa *ike, uint64_t ms)
{
	struct task *t = task_active(ike);

	if (!t)
		return;
	nego_free(ike->agent, t->nego);
	ike_nego_free(t->rekey);
	t->nego = NULL;
	t->rekey = NULL;
	t->collide_id = 0;
	t->not_before_ms = sa_now_ms() + ms;
	TAILQ_REMOVE(&ike->tasks, t, next);
	task_queue(ike, t);
}

static bool creates(const struct ike_sa *ike)
{
	const struct task *t;

	TAILQ_FOREACH (t, &ike->tasks, next)
		if (t->kind == TASK_CONNECT || t->kind == TASK_CHILD_CREATE)
			return true;
	return false;
}

/* May it start in this state? What may not now stays in the queue. */
static bool task_runnable(const struct ike_sa *ike, const struct task *t)
{
	if (t->kind == TASK_IKE_DELETE)
		return ike->state != IKE_CREATED;
	if (t->kind == TASK_CONNECT)
		return ike->state == IKE_CREATED;
	if (!ike_usable(ike))
		return false;
	if (t->kind == TASK_REAUTH && creates(ike))
		return false;
	/* RFC 7296 2.25.2: no rekey of the IKE SA while a child is being made for the peer. */
	if (t->kind == TASK_IKE_REKEY && ike->req.open)
		return false;
	return true;
}

static void task_start(struct ike_sa *ike, struct task *t)
{
	switch (t->kind) {
	case TASK_CONNECT:
		connect_start(ike, t);
		break;
	case TASK_CHILD_CREATE:
	case TASK_CHILD_REKEY:
		create_child_start(ike, t);
		break;
	case TASK_IKE_REKEY:
		rekey_ike_start(ike, t);
		break;
	case TASK_REAUTH:
		reauth_finish(ike, t);
		break;
	default:
		informational_start(ike, t);
	}
}

void task_run(struct ike_sa *ike)
{
	uint64_t now = sa_now_ms(), next = UINT64_MAX;
	struct task *t;

	if (ike->state == IKE_DEAD || task_active(ike))
		return;
	TAILQ_FOREACH (t, &ike->tasks, next) {
		if (!task_runnable(ike, t))
			continue;
		if (t->not_before_ms <= now)
			break;
		if (t->not_before_ms < next)
			next = t->not_before_ms;
	}
	if (t) {
		TAILQ_REMOVE(&ike->tasks, t, next);
		TAILQ_INSERT_HEAD(&ike->tasks, t, next);
		t->step = TASK_PREPARING;
		task_start(ike, t);
	} else if (next != UINT64_MAX) {
		timer_arm(&ike->agent->core->timers, &ike->task_timer, next, on_task_timer);
	}
}

void tasks_move(struct ike_sa *from, struct ike_sa *to)
{
	struct task *t, *after;

	for (t = TAILQ_FIRST(&from->tasks); t; t = after) {
		after = TAILQ_NEXT(t, next);
		if (t->step != TASK_QUEUED)
			continue;
		TAILQ_REMOVE(&from->tasks, t, next);
		TAILQ_INSERT_TAIL(&to->tasks, t, next);
	}
	task_kick(to);
}
