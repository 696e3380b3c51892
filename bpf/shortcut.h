/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "count.h"
#include "route.h"

/*
 * Where a card encrypts, what it shall encrypt is forwarded in plain: from port to port by a cached
 * next hop, without the stack. What needs more than one hop less goes to the stack, and tc_out sees
 * to it that it leaves by the same port.
 */

static __always_inline bool xs_route_find(const struct xs_route_key *key, __u64 epoch, __u64 now,
					  struct xs_route *out)
{
	struct xs_route *r = bpf_map_lookup_elem(&route, key);

	if (!r)
		return false;
	*out = *r;
	/* Another CPU may have taken the row for another key, and wiped it meanwhile. */
	return out->epoch == epoch && now < out->until_ns &&
	       *(volatile __u64 *)&r->until_ns == out->until_ns;
}

static __always_inline void xs_route_note(const struct xs_route_key *key, const struct xs_route *r,
					  __u64 now)
{
	struct xs_next_hop seen = {.ifindex = r->ifindex, .mtu = r->mtu, .used_ns = now};

	__builtin_memcpy(seen.mac, r->mac, sizeof(seen.mac));
	__builtin_memcpy(seen.src_mac, r->src_mac, sizeof(seen.src_mac));
	bpf_map_update_elem(&route, key, r, BPF_ANY);
	bpf_map_update_elem(&next_hop, &key->dst, &seen, BPF_ANY);
}

/* XS_WAY_OUT: *r says by which port, and mtu 0 that the stack has to: it finds a neighbour, and
 * answers what is too large. */
static __always_inline enum xs_way xs_route_get(struct xdp_md *ctx, struct xs_ctl *c,
						const struct xs_pkt *pkt, struct xs_route *r)
{
	struct xs_route_key key = {
	    .src = pkt->tuple.src,
	    .dst = pkt->tuple.dst,
	    .ifindex = ctx->ingress_ifindex,
	    .tos = pkt->tos,
	};
	__u64 now = bpf_ktime_get_ns(), epoch = *(volatile __u64 *)&c->epoch;
	struct bpf_fib_lookup fib = {};
	long ret;

	if (xs_route_find(&key, epoch, now, r) && pkt->len <= r->mtu)
		return XS_WAY_OUT;
	ret = xs_route_ask(ctx, ctx->ingress_ifindex, pkt, &fib, pkt->len);
	if (ret == BPF_FIB_LKUP_RET_SUCCESS) {
		r->epoch = epoch;
		r->until_ns = now + XS_ROUTE_NS;
		r->ifindex = fib.ifindex;
		r->mtu = fib.mtu_result;
		__builtin_memcpy(r->mac, fib.dmac, sizeof(r->mac));
		__builtin_memcpy(r->src_mac, fib.smac, sizeof(r->src_mac));
		xs_route_note(&key, r, now);
		return XS_WAY_OUT;
	}
	/* Too large: which way, it does not say. */
	if (ret == BPF_FIB_LKUP_RET_FRAG_NEEDED) {
		__builtin_memset(&fib, 0, sizeof(fib));
		ret = xs_route_ask(ctx, ctx->ingress_ifindex, pkt, &fib, 0);
	}
	r->ifindex = fib.ifindex;
	r->mtu = 0;
	return xs_way_of(ret);
}

static __always_inline int xs_shortcut(struct xdp_md *ctx, struct xs_ctl *c,
				       const struct xs_pkt *pkt, __u64 word)
{
	enum xs_way way;
	struct xs_route r = {};
	struct xs_port *out;

	way = xs_route_get(ctx, c, pkt, &r);
	if (way == XS_WAY_STACK)
		return XDP_PASS;
	out = way == XS_WAY_OUT ? xs_port_find(r.ifindex) : NULL;
	if (!out || out->index != XS_BUNDLE_PORT(word))
		return xs_xdp_drop(XS_DROP_wrong_port);
	// RFC 1812 5.3.1, RFC 4443 3.3: the last hop is answered, by the stack
	if (!r.mtu || pkt->hops <= 1 || pkt->options)
		return XDP_PASS;
	if (!xs_forward(ctx, pkt, r.mac, r.src_mac))
		return XDP_PASS;
	xs_count(&sa_tx, XS_BUNDLE_SLOT(word), pkt->len);
	return (int)bpf_redirect(r.ifindex, 0);
}
