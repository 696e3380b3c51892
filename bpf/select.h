/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "maps.h"
#include "parse.h"

#include "maps/match.h"

#include "route.h"

/* Which policy a packet meets: the flow cache of this CPU, then a tuple-space search. */

enum { XS_SEARCH_TRIES = 4 };

/*
 * Each step is a global function: the verifier looks at it once and by itself, and cannot conclude
 * from the first step what no step would do. (With bpf_loop Linux 6.1 does: it walks the callback
 * once, from the initial state, and cuts away the comparison with the best hit so far.)
 */
struct xs_search {
	struct xs_decision best;
	__u32 row;
	__u32 at; /* the next mask */
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
static __always_inline void xs_search_selector(const struct xs_tuple *t, struct xs_search *s,
					       struct xs_selector *sel)
{
	for (__u32 i = 0; i < XS_RANGES_MAX; i++) {
		struct xs_range *r = &sel->range[i];
		enum xs_fit fit;

		if (i >= sel->n)
			break;
		fit = xs_range_fit(r, t);
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
}

/* One mask; not 0 when the search is over. */
__weak __noinline int xs_search_mask(const struct xs_tuple *t, struct xs_search *s)
{
	struct xs_selector *sel;
	struct xs_masks *row;
	struct xs_tuple key;
	__u32 at, row_at;

	if (!t || !s)
		return 1;
	row_at = s->row;
	row = bpf_map_lookup_elem(&selector_mask, &row_at);
	at = s->at++;
	if (!row || at >= XS_MASKS_MAX || at >= row->n)
		return 1;
	if (s->best.policy && s->best.priority <= row->mask[at].best)
		return 1;
	xs_key_under(t, &row->mask[at], &key);
	sel = bpf_map_lookup_elem(&selector, &key);
	if (sel)
		xs_search_selector(t, s, sel);
	return 0;
}

/* Loads before it come before loads after it: an atomic with a result is a barrier on every
 * machine. */
static __always_inline void xs_barrier(void)
{
	__u64 v = 0;

	__sync_val_compare_and_swap(&v, 0, 1);
	asm volatile("" : : "r"(&v) : "memory");
}

static __always_inline __u64 xs_change(struct xs_ctl *c)
{
	return *(volatile __u64 *)&c->change;
}

static __always_inline bool xs_same(const struct xs_decision *a, const struct xs_decision *b)
{
	return a->policy == b->policy && a->bundle == b->bundle && a->priority == b->priority &&
	       a->action == b->action && a->drop == b->drop;
}

/*
 * Trusts what it found when nothing was written meanwhile. While something is, when it found the
 * same twice. False when neither happened: then the caller decides for the worst.
 */
__weak __noinline int xs_search(const struct xs_tuple *t, struct xs_flow *out)
{
	struct xs_ctl *c = xs_ctl_get();
	struct xs_decision last = {.policy = ~0u};
	struct xs_search s;

	if (!c || !t || !out)
		return false;
	for (int i = 0; i < XS_SEARCH_TRIES; i++) {
		__u64 change = xs_change(c), epoch = xs_epoch(c);

		__builtin_memset(&s, 0, sizeof(s));
		s.row = epoch % XS_MASK_ROWS;
		xs_barrier();
		for (int mask = 0; mask < XS_MASKS_MAX; mask++)
			if (xs_search_mask(t, &s))
				break;
		xs_barrier();
		if (!s.best.policy)
			s.best.action = XS_BYPASS;
		if (((change & 1) || xs_change(c) != change) && !xs_same(&s.best, &last)) {
			last = s.best;
			continue;
		}
		out->epoch = epoch;
		out->decision = s.best;
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
	long ret;

	xs_fib_addrs(&fib, t, dst);
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
