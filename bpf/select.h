/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "maps.h"
#include "parse.h"

#include "maps/match.h"

/* Which policy a packet meets: the flow cache of this CPU, then a tuple-space search. */

enum { XS_SEARCH_TRIES = 3 };

struct xs_search {
	struct xs_tuple tuple;
	struct xs_decision best;
	__u32 row;
	__u32 torn;
};

static __always_inline struct xs_ctl *xs_ctl_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&ctl, &zero);
}

static __always_inline __u64 xs_epoch(struct xs_ctl *c)
{
	return *(volatile __u64 *)&c->epoch;
}

/* The best range behind one key. Ranges are sorted, so the first that fits is it. */
static __always_inline void xs_search_selector(struct xs_search *s, struct xs_selector *sel)
{
	__u32 stamp = *(volatile __u32 *)&sel->stamp_end;

	for (__u32 i = 0; i < XS_RANGES_MAX; i++) {
		struct xs_range *r = &sel->range[i];
		enum xs_fit fit;

		if (i >= sel->n)
			break;
		fit = xs_range_fit(r, &s->tuple);
		if (fit == XS_FIT_NO)
			continue;
		if (s->best.policy && s->best.priority <= r->decision.priority)
			break;
		s->best = r->decision;
		if (fit == XS_FIT_BLOCKED) {
			s->best.action = XS_DISCARD;
			s->best.drop = XS_DROP_drop_fragments;
		}
		break;
	}
	/* The kernel may have used the element again while it was read. */
	if (*(volatile __u32 *)&sel->stamp != stamp)
		s->torn = 1;
}

static long xs_search_mask(__u32 i, void *arg)
{
	struct xs_search *s = arg;
	struct xs_masks *row = bpf_map_lookup_elem(&selector_mask, &s->row);
	struct xs_selector *sel;
	struct xs_tuple key;

	if (!row || i >= XS_MASKS_MAX || i >= row->n)
		return 1;
	if (s->best.policy && s->best.priority <= row->mask[i].best)
		return 1;
	xs_key_under(&s->tuple, &row->mask[i], &key);
	sel = bpf_map_lookup_elem(&selector, &key);
	if (sel)
		xs_search_selector(s, sel);
	return s->torn ? 1 : 0; /* the verifier wants to see that it is 0 or 1 */
}

/*
 * A global function, so that the verifier looks at it once.
 * False when the tables moved under the search each time: then the caller decides for the worst.
 * The row of an epoch is written again when the epoch has grown by XS_MASK_ROWS - 1.
 */
__weak __noinline int xs_search(const struct xs_tuple *t, struct xs_flow *out)
{
	struct xs_ctl *c = xs_ctl_get();
	struct xs_search s = {};

	if (!c || !t || !out)
		return false;
	s.tuple = *t;
	for (int i = 0; i < XS_SEARCH_TRIES; i++) {
		__u64 epoch = xs_epoch(c);

		__builtin_memset(&s.best, 0, sizeof(s.best));
		s.row = epoch % XS_MASK_ROWS;
		s.torn = 0;
		bpf_loop(XS_MASKS_MAX, xs_search_mask, &s, 0);
		if (s.torn || xs_epoch(c) - epoch >= XS_MASK_ROWS - 1)
			continue;
		out->epoch = epoch;
		out->decision = s.best;
		if (!s.best.policy)
			out->decision.action = XS_BYPASS;
		return true;
	}
	return false;
}

/*
 * bpf_fib_lookup says "not forwarded" of what is for this host, and of what has no route as well.
 * Where the difference matters the table of our own addresses decides.
 */
static __always_inline bool xs_not_forwarded(void *ctx, __u32 ifindex, const struct xs_tuple *t,
					     const struct xs_addr *dst)
{
	struct bpf_fib_lookup fib = {.ifindex = ifindex, .l4_protocol = t->protocol};
	const __u32 *s = (const void *)&t->src, *d = (const void *)dst;
	long ret;

	if (t->flags & XS_TUPLE_V6) {
		fib.family = 10; /* AF_INET6 */
		__builtin_memcpy(fib.ipv6_src, s, 16);
		__builtin_memcpy(fib.ipv6_dst, d, 16);
	} else {
		fib.family = 2; /* AF_INET */
		fib.ipv4_src = s[3];
		fib.ipv4_dst = d[3];
	}
	ret = bpf_fib_lookup(ctx, &fib, sizeof(fib), 0);
	return ret == BPF_FIB_LKUP_RET_NOT_FWDED || ret == BPF_FIB_LKUP_RET_FWD_DISABLED;
}

static __always_inline bool xs_is_local(const struct xs_addr *a)
{
	struct xs_addr key = *a;

	return bpf_map_lookup_elem(&local, &key) != NULL;
}

static __always_inline struct xs_flow *xs_flow_find(const struct xs_tuple *t, struct xs_ctl *c)
{
	struct xs_flow *f = bpf_map_lookup_elem(&flow, t);

	return f && f->epoch == xs_epoch(c) ? f : NULL;
}

static __always_inline void xs_decide_for_the_worst(struct xs_decision *d)
{
	__builtin_memset(d, 0, sizeof(*d));
	d->action = XS_DISCARD;
}

/* The decision on a tuple in the direction of policies (src is ours). */
static __always_inline void xs_select(const struct xs_tuple *t, struct xs_ctl *c,
				      struct xs_decision *d)
{
	struct xs_flow *hit = xs_flow_find(t, c), found = {};

	if (hit) {
		*d = hit->decision;
		return;
	}
	if (!xs_search(t, &found)) {
		xs_decide_for_the_worst(d);
		return;
	}
	*d = found.decision;
	bpf_map_update_elem(&flow, t, &found, BPF_ANY);
}

/*
 * The same for what came in on a LAN port: what is for an address of this host passes, whatever a
 * policy as wide as 0.0.0.0/0 says. That is settled once a flow; the key has a mark of its own.
 */
static __always_inline void xs_select_lan(void *ctx, __u32 ifindex, struct xs_tuple *t,
					  struct xs_ctl *c, struct xs_decision *d)
{
	struct xs_flow *hit, found = {};

	t->mask_id = XS_FLOW_LAN;
	hit = xs_flow_find(t, c);
	if (hit) {
		*d = hit->decision;
		return;
	}
	if (!xs_search(t, &found)) {
		xs_decide_for_the_worst(d);
		return;
	}
	if (found.decision.policy && found.decision.action != XS_BYPASS &&
	    xs_not_forwarded(ctx, ifindex, t, &t->dst) && xs_is_local(&t->dst)) {
		__builtin_memset(&found.decision, 0, sizeof(found.decision));
		found.decision.action = XS_BYPASS;
	}
	*d = found.decision;
	bpf_map_update_elem(&flow, t, &found, BPF_ANY);
}
