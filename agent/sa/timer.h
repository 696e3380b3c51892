/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event;
struct event_base;

/*
 * Timers of the protocol: embedded in what they belong to (no allocation, nothing that fails), ordered in a
 * pairing heap under one libevent timer. A timer fires at its time or later, once; whoever frees the owner
 * disarms it first. A zeroed struct timer is disarmed.
 */
struct timer;
typedef void (*timer_fn)(struct timer *t);
struct timer {
	struct timer *child, *next, *prev;
	uint64_t due_ms;
	timer_fn fn; /* NULL: not armed */
};

struct timers {
	struct timer *root;
	struct event *ev; /* NULL: the owner calls timers_run itself */
};

#define timer_owner(t, type, field) ((type *)((char *)(t)-offsetof(type, field)))

/* base NULL: no event, for a caller that has its own clock. 0 or -ENOMEM. */
int timers_open(struct timers *ts, struct event_base *base);
void timers_close(struct timers *ts);
/* Arms, or moves when armed, to an absolute monotonic time. */
void timer_arm(struct timers *ts, struct timer *t, uint64_t due_ms, timer_fn fn);
void timer_disarm(struct timers *ts, struct timer *t);
static inline bool timer_armed(const struct timer *t)
{
	return t->fn != NULL;
}
/* When the next is due; UINT64_MAX when none is armed. */
uint64_t timers_next(const struct timers *ts);
/* Fires all that are due at now_ms. */
void timers_run(struct timers *ts, uint64_t now_ms);
/* Tests put their own clock under sa_now_ms; NULL: the monotonic clock again. */
void sa_clock_set(uint64_t (*now_ms)(void));
