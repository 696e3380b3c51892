/* SPDX-License-Identifier: BSD-2-Clause */
#include "timer.h"

#include "sa.h"

#include <errno.h>
#include <event2/event.h>
#include <stddef.h>
#include <time.h>

static uint64_t (*clock_fn)(void);

void sa_clock_set(uint64_t (*now_ms)(void))
{
	clock_fn = now_ms;
}

uint64_t sa_now_ms(void)
{
	struct timespec ts;

	if (clock_fn)
		return clock_fn();
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Both are roots; the later becomes the first child of the earlier. */
static struct timer *heap_meld(struct timer *a, struct timer *b)
{
	if (!a)
		return b;
	if (!b)
		return a;
	if (b->due_ms < a->due_ms) {
		struct timer *swap = a;

		a = b;
		b = swap;
	}
	b->prev = a;
	b->next = a->child;
	if (a->child)
		a->child->prev = b;
	a->child = b;
	a->next = a->prev = NULL;
	return a;
}

/* Melds a list of siblings pairwise, then the pairs from the last to the first. */
static struct timer *heap_pairs(struct timer *first)
{
	struct timer *pairs = NULL, *root = NULL;

	while (first) {
		struct timer *a = first, *b = a->next;

		first = b ? b->next : NULL;
		a->next = a->prev = NULL;
		if (b)
			b->next = b->prev = NULL;
		a = heap_meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	while (pairs) {
		struct timer *a = pairs;

		pairs = a->next;
		a->next = NULL;
		root = heap_meld(root, a);
	}
	return root;
}

static void heap_remove(struct timers *ts, struct timer *t)
{
	struct timer *below = heap_pairs(t->child);

	if (ts->root == t) {
		ts->root = below;
	} else {
		if (t->prev->child == t)
			t->prev->child = t->next;
		else
			t->prev->next = t->next;
		if (t->next)
			t->next->prev = t->prev;
		ts->root = heap_meld(ts->root, below);
	}
	t->child = t->next = t->prev = NULL;
	t->fn = NULL;
}

static void event_set(struct timers *ts)
{
	uint64_t now, wait;
	struct timeval tv;

	if (!ts->ev)
		return;
	if (!ts->root) {
		evtimer_del(ts->ev);
		return;
	}
	now = sa_now_ms();
	wait = ts->root->due_ms > now ? ts->root->due_ms - now : 0;
	tv.tv_sec = (time_t)(wait / 1000);
	tv.tv_usec = (suseconds_t)(wait % 1000 * 1000);
	evtimer_add(ts->ev, &tv);
}

static void on_event(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	timers_run(ctx, sa_now_ms());
}

int timers_open(struct timers *ts, struct event_base *base)
{
	*ts = (struct timers){0};
	if (!base)
		return 0;
	ts->ev = evtimer_new(base, on_event, ts);
	return ts->ev ? 0 : -ENOMEM;
}

void timers_close(struct timers *ts)
{
	if (ts->ev)
		event_free(ts->ev);
	*ts = (struct timers){0};
}

void timer_arm(struct timers *ts, struct timer *t, uint64_t due_ms, timer_fn fn)
{
	const struct timer *was = ts->root;
	uint64_t was_due = was ? was->due_ms : UINT64_MAX;

	if (t->fn)
		heap_remove(ts, t);
	t->due_ms = due_ms;
	t->fn = fn;
	ts->root = heap_meld(ts->root, t);
	/* An event that comes too early only finds nothing to do, one too late would be a lie. */
	if (ts->root->due_ms < was_due)
		event_set(ts);
}

void timer_disarm(struct timers *ts, struct timer *t)
{
	if (t->fn)
		heap_remove(ts, t);
}

uint64_t timers_next(const struct timers *ts)
{
	return ts->root ? ts->root->due_ms : UINT64_MAX;
}

void timers_run(struct timers *ts, uint64_t now_ms)
{
	while (ts->root && ts->root->due_ms <= now_ms) {
		struct timer *t = ts->root;
		timer_fn fn = t->fn;

		heap_remove(ts, t);
		fn(t);
	}
	event_set(ts);
}
