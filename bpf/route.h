/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "maps.h"
#include "parse.h"
#include "port.h"

/* What the kernel's routes and neighbours say of a packet. */

enum {
	XS_AF_INET = 2,
	XS_AF_INET6 = 10,
	XS_ROUTE_NS = 100000000, /* a cached next hop is used that long */
};

static __always_inline void xs_fib_addrs(struct bpf_fib_lookup *fib, const struct xs_tuple *t,
					 const struct xs_addr *dst)
{
	const __u32 *s = (const void *)&t->src, *d = (const void *)dst;

	if (t->flags & XS_TUPLE_V6) {
		fib->family = XS_AF_INET6;
		__builtin_memcpy(fib->ipv6_src, s, 16);
		__builtin_memcpy(fib->ipv6_dst, d, 16);
	} else {
		fib->family = XS_AF_INET;
		fib->ipv4_src = s[3];
		fib->ipv4_dst = d[3];
	}
}

/* With all that rules and several paths are chosen by, but for marks: what the stack will find. */
static __always_inline long xs_route_ask(void *ctx, __u32 ifindex, const struct xs_pkt *p,
					 struct bpf_fib_lookup *fib, __u16 len)
{
	const struct xs_tuple *t = &p->tuple;

	fib->ifindex = ifindex;
	fib->l4_protocol = t->protocol;
	fib->tot_len = len;
	if (xs_has_ports(t->protocol)) {
		fib->sport = bpf_htons(t->sport);
		fib->dport = bpf_htons(t->dport);
	}
	xs_fib_addrs(fib, t, &t->dst);
	if (t->flags & XS_TUPLE_V6)
		fib->flowinfo = bpf_htonl((__u32)p->tos << 20);
	else
		fib->tos = p->tos;
	return bpf_fib_lookup(ctx, fib, sizeof(*fib), 0);
}

enum xs_way {
	XS_WAY_OUT,   /* by the port that fib names */
	XS_WAY_STACK, /* for this host, or to be refused by the stack */
	XS_WAY_OTHER, /* where no program of ours looks */
};

static __always_inline enum xs_way xs_way_of(long ret)
{
	switch (ret) {
	case BPF_FIB_LKUP_RET_SUCCESS:
	case BPF_FIB_LKUP_RET_NO_NEIGH:
	case BPF_FIB_LKUP_RET_FRAG_NEEDED:
		return XS_WAY_OUT;
	case BPF_FIB_LKUP_RET_BLACKHOLE:
	case BPF_FIB_LKUP_RET_UNREACHABLE:
	case BPF_FIB_LKUP_RET_PROHIBIT:
	case BPF_FIB_LKUP_RET_NOT_FWDED:
	case BPF_FIB_LKUP_RET_FWD_DISABLED:
		return XS_WAY_STACK;
	}
	return XS_WAY_OTHER;
}

/*
 * Does the stack send it out of a port where tc_out looks at it, or not at all? Asked for every
 * packet: routes change when they like, and tell nobody here.
 */
static __always_inline bool xs_leaves_guarded(void *ctx, __u32 ifindex, const struct xs_pkt *p)
{
	struct bpf_fib_lookup fib = {};
	enum xs_way way = xs_way_of(xs_route_ask(ctx, ifindex, p, &fib, 0));
	struct xs_port *p_out;

	if (way != XS_WAY_OUT)
		return way == XS_WAY_STACK;
	p_out = xs_port_find(fib.ifindex);
	return p_out && p_out->role == XS_ROLE_WAN;
}
