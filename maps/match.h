/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "layout.h"

/*
 * What "a policy matches a packet" means, once: the classifier in bpf/select.h and the tests of the
 * index that user space builds both use these lines. Pure, kernel types only.
 */
enum xs_fit {
	XS_FIT_NO,
	XS_FIT_YES,
	XS_FIT_BLOCKED, /* a fragment that may belong to a packet which this policy does not let
			   pass */
};

enum { XS_PORT_ANY_HI = 0xffff };

typedef __u64 __attribute__((may_alias)) xs_word;

/* The key of a tuple behind a mask. */
static inline __attribute__((always_inline)) void
xs_key_under(const struct xs_tuple *t, const struct xs_mask *m, struct xs_tuple *key)
{
	const xs_word *ts = (const void *)&t->src, *td = (const void *)&t->dst;
	const xs_word *ms = (const void *)&m->src, *md = (const void *)&m->dst;
	xs_word *ks = (void *)&key->src, *kd = (void *)&key->dst;

	ks[0] = ts[0] & ms[0];
	ks[1] = ts[1] & ms[1];
	kd[0] = td[0] & md[0];
	kd[1] = td[1] & md[1];
	key->sport = t->sport & m->sport;
	key->dport = t->dport & m->dport;
	key->protocol = t->protocol & m->protocol;
	key->flags = t->flags & XS_TUPLE_V6;
	key->mask_id = m->id;
	if ((t->flags & XS_TUPLE_NO_PORTS) && (m->sport | m->dport)) {
		key->flags |= XS_TUPLE_NO_PORTS;
		key->sport = 0;
		key->dport = 0;
	}
}

static inline __attribute__((always_inline)) int xs_range_specific(__u16 lo, __u16 hi)
{
	return lo <= hi && !(lo == 0 && hi == XS_PORT_ANY_HI);
}

/*
 * RFC 4301 4.4.1.1, 7: ANY includes OPAQUE, and what has no ports matches nothing else. A fragment
 * whose first one may have matched a policy that protects must not pass by a worse one.
 */
static inline __attribute__((always_inline)) enum xs_fit xs_range_fit(const struct xs_range *r,
								      const struct xs_tuple *t)
{
	if (t->flags & XS_TUPLE_NO_PORTS) {
		if (!xs_range_specific(r->sport_lo, r->sport_hi) &&
		    !xs_range_specific(r->dport_lo, r->dport_hi))
			return XS_FIT_YES;
		return r->decision.action == XS_BYPASS ? XS_FIT_NO : XS_FIT_BLOCKED;
	}
	if (t->sport < r->sport_lo || t->sport > r->sport_hi || t->dport < r->dport_lo ||
	    t->dport > r->dport_hi)
		return XS_FIT_NO;
	return XS_FIT_YES;
}
