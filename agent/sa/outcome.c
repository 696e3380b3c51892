/* SPDX-License-Identifier: BSD-2-Clause */
#include "core.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct batch *batch_new(outcome_fn done, void *ctx, const char *what)
{
	struct batch *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->done = done;
	b->ctx = ctx;
	b->open = 1;
	snprintf(b->what, sizeof(b->what), "%s", what);
	return b;
}

int batch_wait(struct batch *b, struct waiter_list *list)
{
	struct waiter *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->batch = b;
	b->open++;
	STAILQ_INSERT_TAIL(list, w, next);
	return 0;
}

static void batch_release(struct agent *a, struct batch *b)
{
	if (--b->open)
		return;
	TAILQ_INSERT_TAIL(&a->core->over, b, next);
	core_later(a, 0);
}

void batch_report(struct agent *a, struct batch *b, const struct outcome *o)
{
	if (o->error) {
		if (!b->failed++)
			b->first_bad = *o;
	} else {
		b->ok++;
		b->last_ok = *o;
	}
	batch_release(a, b);
}

void batch_close(struct agent *a, struct batch *b)
{
	batch_release(a, b);
}

void waiters_report(struct agent *a, struct waiter_list *list, const struct outcome *o)
{
	struct waiter *w;

	while ((w = STAILQ_FIRST(list))) {
		STAILQ_REMOVE_HEAD(list, next);
		batch_report(a, w->batch, o);
		free(w);
	}
}

static void batch_outcome(const struct batch *b, struct outcome *o)
{
	if (b->failed) {
		*o = b->first_bad;
		if (b->ok)
			snprintf(o->text, sizeof(o->text), "%u of %u failed: %.150s", b->failed,
				 b->ok + b->failed, b->first_bad.text);
		return;
	}
	*o = b->last_ok;
	if (b->what[0] && b->ok != 1)
		snprintf(o->text, sizeof(o->text), "%s %u SAs", b->what, b->ok);
}

void outcomes_deliver(struct agent *a)
{
	struct batch *b;

	while ((b = TAILQ_FIRST(&a->core->over))) {
		struct outcome o = {0};

		TAILQ_REMOVE(&a->core->over, b, next);
		batch_outcome(b, &o);
		if (b->done)
			b->done(b->ctx, &o);
		free(b);
	}
}

int outcome_set(struct outcome *o, int error, const char *fmt, ...)
{
	va_list ap;

	*o = (struct outcome){.error = error};
	va_start(ap, fmt);
	vsnprintf(o->text, sizeof(o->text), fmt, ap);
	va_end(ap);
	return error;
}

int outcome_by_peer(struct outcome *o, int error, uint16_t notify)
{
	const char *name = ike_notify_name(notify);

	if (name)
		outcome_set(o, error, "peer refused: %s", name);
	else
		outcome_set(o, error, "peer refused: error notify %u", notify);
	o->notify = notify;
	o->by_peer = true;
	return error;
}

int sa_observe(struct agent *a, sa_observer_fn fn, void *ctx)
{
	struct agent_core *core = a->core;

	if (core->n_observers == sizeof(core->observer) / sizeof(core->observer[0]))
		return -ENOSPC;
	core->observer[core->n_observers++] = (struct observer){.fn = fn, .ctx = ctx};
	return 0;
}

void observe(struct agent *a, enum sa_event_kind kind, const struct ike_sa *ike,
	     const struct ike_sa *ike_new, const struct child_sa *child, const struct child_sa *child_new)
{
	struct sa_event ev = {.kind = kind,
			      .ike = ike,
			      .ike_new = ike_new,
			      .child = child,
			      .child_new = child_new};

	for (unsigned int i = 0; i < a->core->n_observers; i++)
		a->core->observer[i].fn(a->core->observer[i].ctx, &ev);
}
