/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "maps.h"

#include <stdbool.h>

/* Drops, counters and events. Nothing here is without bound: events have a rate. */

enum {
	XS_ACQUIRE_NS = 1000000000, /* one a policy */
	XS_EVENT_NS = 100000000,    /* one a kind */
};

/* What a dropped packet goes through, once: the reason is counted here and nowhere else. */
static __always_inline void xs_count_drop(__u32 reason)
{
	__u64 *n = bpf_map_lookup_elem(&drop, &reason);

	if (n)
		(*n)++;
}

static __always_inline int xs_xdp_drop(__u32 reason)
{
	xs_count_drop(reason);
	return XDP_DROP;
}

static __always_inline void xs_count(void *map, __u32 key, __u32 bytes)
{
	struct xs_count *c = bpf_map_lookup_elem(map, &key);

	if (!c)
		return;
	c->packets++;
	c->bytes += bytes;
}

/* True for one caller each `interval`, on whichever CPU. */
static __always_inline bool xs_due(void *map, __u32 key, __u64 now, __u64 interval)
{
	__u64 *at = bpf_map_lookup_elem(map, &key), last;

	if (!at)
		return false;
	last = *(volatile __u64 *)at;
	if (last && now - last < interval)
		return false;
	return __sync_val_compare_and_swap(at, last, now) == last;
}

static __always_inline void xs_raise(__u32 kind, __u32 policy_id, __u32 spi, __u32 ifindex,
				     const struct xs_tuple *t)
{
	__u64 now = bpf_ktime_get_ns();
	struct xs_event *ev;
	bool due = kind == XS_EV_ACQUIRE ? xs_due(&acquired_ns, policy_id, now, XS_ACQUIRE_NS)
					 : xs_due(&raised_ns, kind, now, XS_EVENT_NS);

	if (!due)
		return;
	ev = bpf_ringbuf_reserve(&event, sizeof(*ev), 0);
	if (!ev)
		return;
	ev->kind = kind;
	ev->policy = policy_id;
	ev->spi = spi;
	ev->ifindex = ifindex;
	ev->ns = now;
	ev->tuple = *t;
	bpf_ringbuf_submit(ev, 0);
}
