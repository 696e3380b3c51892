// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "maps.h"

#include "count.h"
#include "meta.h"
#include "parse.h"
#include "port.h"
#include "select.h"

/*
 * The untrusted side. ESP and AH of our SAs go to their engine, IKE to the agent under a budget, and what
 * arrives in clear though a policy protects it is dropped (RFC 4301 5.2). Everything else passes.
 *
 * Outer fragments of them pass to the kernel: they have to be put together before they can be
 * opened.
 */

/* Generic cell rate: a source may send one second's worth at once, then at the rate. */
static __always_inline bool within_budget(const struct xs_ctl *c, const struct xs_tuple *t)
{
	__u64 now = bpf_ktime_get_ns(), step, tat, rate = c->ike_rate;
	struct xs_addr key = t->src;
	struct xs_budget *b, fresh = {};

	if (!rate)
		return true;
	if (t->flags & XS_TUPLE_V6)
		__builtin_memset(&key.b[8], 0, 8); /* a host has a /64 to send from */
	step = 1000000000 / rate;
	b = bpf_map_lookup_elem(&ike_budget, &key);
	if (!b) {
		fresh.tat_ns = now + step;
		bpf_map_update_elem(&ike_budget, &key, &fresh, BPF_ANY);
		return true;
	}
	/* CPUs may overwrite each other: then a few more pass. */
	tat = *(volatile __u64 *)&b->tat_ns;
	if (tat < now)
		tat = now;
	if (tat - now > 1000000000 - step)
		return false;
	*(volatile __u64 *)&b->tat_ns = tat + step;
	return true;
}

/* The packet as the policy of the way out would see its answer. ICMP has types, and no sides. */
static __always_inline void turn(const struct xs_tuple *t, struct xs_tuple *out)
{
	*out = *t;
	out->src = t->dst;
	out->dst = t->src;
	if (xs_is_icmp(t))
		return;
	out->sport = t->dport;
	out->dport = t->sport;
}

/* The card behind this port has opened it: the kernel's policies see that, and ask for it. */
static __always_inline bool opened_by_card(const struct xs_port *p, const struct xs_decision *d)
{
	__u32 key = d->bundle;
	__u64 *word = bpf_map_lookup_elem(&bundle, &key), w = 0;

	if (word && d->action == XS_PROTECT && key)
		w = *(volatile __u64 *)word;
	return p && XS_BUNDLE_ENGINE(w) == XS_ENGINE_OFFLOAD && p->index == XS_BUNDLE_PORT(w);
}

static __always_inline int plain(struct xdp_md *ctx, struct xs_ctl *c, const struct xs_port *p,
				 const struct xs_pkt *pkt)
{
	struct xs_decision d;
	struct xs_tuple t;

	/* A frame for another host that we overhear. Group frames count: they reach our sockets. */
	if (p && !xs_mac_is(pkt, p->mac) && !xs_mac_is_group(pkt))
		return XDP_PASS;
	turn(&pkt->tuple, &t);
	xs_select(&t, c, &d);
	if (d.action == XS_BYPASS || opened_by_card(p, &d))
		return XDP_PASS;
	/*
	 * A later fragment of UDP for this host may belong to an IKE message. It is harmless: it
	 * becomes a datagram only with the first one, whose ports were looked at.
	 */
	if (pkt->fragment == XS_LATER_FRAGMENT && t.protocol == IPPROTO_UDP &&
	    xs_not_forwarded(ctx, ctx->ingress_ifindex, &pkt->tuple, &pkt->tuple.dst))
		return XDP_PASS;
	/* A trap protects as much as the policy that it waits to become. */
	return xs_xdp_drop(XS_DROP_plain_in);
}

/* What is not is routed through us, and IKE and ESP of others are traffic like any. */
static __always_inline bool is_for_us(struct xdp_md *ctx, const struct xs_pkt *pkt)
{
	return xs_is_local(&pkt->tuple.dst) ||
	       xs_not_forwarded(ctx, ctx->ingress_ifindex, &pkt->tuple, &pkt->tuple.dst);
}

static __always_inline int ike(struct xdp_md *ctx, struct xs_ctl *c, const struct xs_port *p,
			       const struct xs_pkt *pkt, bool keepalive)
{
	if (!is_for_us(ctx, pkt))
		return plain(ctx, c, p, pkt);
	if (keepalive || within_budget(c, &pkt->tuple))
		return XDP_PASS;
	return xs_xdp_drop(XS_DROP_ike_budget);
}

/*
 * In UDP or not, from whatever port: RFC 7296 2.23-4 and 2.23-9 want both taken at any time, and a NAT may change the
 * peer's port; who opens it says so once it is proved.
 */
static __always_inline bool slot_matches(const struct xs_sa_slot *s, const struct xs_pkt *pkt)
{
	const xs_word *a = (const void *)&s->dst, *b = (const void *)&pkt->tuple.dst;

	return pkt->spi && *(volatile __u32 *)&s->spi == pkt->spi && a[0] == b[0] && a[1] == b[1] &&
	       (s->protocol == IPPROTO_AH) == (pkt->tuple.protocol == IPPROTO_AH);
}

static __always_inline int unknown_spi(struct xdp_md *ctx, struct xs_ctl *c,
				       const struct xs_port *p, const struct xs_pkt *pkt)
{
	if (!is_for_us(ctx, pkt))
		return plain(ctx, c, p, pkt);
	xs_raise(XS_EV_UNKNOWN_SPI, 0, pkt->spi, ctx->ingress_ifindex, &pkt->tuple);
	return xs_xdp_drop(XS_DROP_unknown_spi);
}

/*
 * To the CPU of its slot: what one SA receives stays in order, and one receive queue is not one core.
 * Counted where it arrives.
 */
static __always_inline int to_kernel(const struct xs_port *p, __u32 slot, __u32 len)
{
	__u32 at = p && p->n_spread ? slot % p->n_spread : XS_SPREAD_MAX;
	long to = XDP_PASS;

	if (p && at < XS_SPREAD_MAX)
		to = bpf_redirect_map(&spread, p->spread[at], XDP_PASS);
	if (to != XDP_REDIRECT)
		xs_count(&sa_rx, slot, len);
	return (int)to;
}

static __always_inline int esp(struct xdp_md *ctx, struct xs_ctl *c, const struct xs_port *p,
			       const struct xs_pkt *pkt)
{
	__u32 slot = pkt->spi & ((__u32)c->sa_slots - 1);
	struct xs_sa_slot *s = bpf_map_lookup_elem(&sa_slot, &slot);
	struct xs_meta meta = {.kind = XS_META_IN, .slot = slot, .l3 = pkt->l3};

	if (!s || !slot_matches(s, pkt))
		return unknown_spi(ctx, c, p, pkt);
	if (s->engine == XS_ENGINE_KERNEL)
		return to_kernel(p, slot, pkt->len);
	xs_count(&sa_rx, slot, pkt->len);
	if (s->engine == XS_ENGINE_OFFLOAD)
		return XDP_PASS; /* what the card left: the kernel has the key */
	if (s->engine != XS_ENGINE_DATAPLANE)
		return xs_xdp_drop(XS_DROP_no_engine);
	meta.generation = s->generation;
	meta.policy = s->policy;
	return xs_to_dataplane(ctx, p, &meta, XS_DROP_no_engine);
}

SEC("xdp")
int xdp_wan(struct xdp_md *ctx)
{
	struct xs_port *p = xs_port_find(ctx->ingress_ifindex);
	struct xs_ctl *c = xs_ctl_get();
	__u16 ike_port, nat_port;
	struct xs_pkt pkt;
	int parsed = xs_parse(ctx, &pkt);

	if (!c || parsed == XS_PARSED_OTHER)
		return XDP_PASS;
	if (parsed == XS_PARSED_MALFORMED) {
		if (p && !xs_mac_is(&pkt, p->mac) && !xs_mac_is_group(&pkt))
			return XDP_PASS;
		return xs_xdp_drop(XS_DROP_malformed);
	}
	if (pkt.tuple.protocol == IPPROTO_ESP || pkt.tuple.protocol == IPPROTO_AH) {
		if (pkt.fragment != XS_WHOLE)
			return is_for_us(ctx, &pkt) ? XDP_PASS : plain(ctx, c, p, &pkt);
		return esp(ctx, c, p, &pkt);
	}
	/* RFC 3173: the kernel's policies want ESP or AH around it. */
	if (pkt.tuple.protocol == IPPROTO_COMP && is_for_us(ctx, &pkt))
		return XDP_PASS;
	if (xs_is_nd(&pkt) && (xs_stays_on_link(&pkt.tuple.dst) || is_for_us(ctx, &pkt)))
		return XDP_PASS;
	if (pkt.tuple.protocol != IPPROTO_UDP || pkt.fragment == XS_LATER_FRAGMENT)
		return plain(ctx, c, p, &pkt);
	ike_port = c->ports & 0xffff;
	nat_port = c->ports >> 16 & 0xffff;
	if (pkt.tuple.dport == nat_port && nat_port) {
		if (pkt.spi && pkt.fragment == XS_WHOLE)
			return esp(ctx, c, p, &pkt);
		return ike(ctx, c, p, &pkt, pkt.keepalive);
	}
	if (pkt.tuple.dport == ike_port && ike_port)
		return ike(ctx, c, p, &pkt, false);
	return plain(ctx, c, p, &pkt);
}

/* On the CPU that the packet was sent to. */
SEC("xdp/cpumap")
int xdp_spread(struct xdp_md *ctx)
{
	struct xs_ctl *c = xs_ctl_get();
	struct xs_pkt pkt;

	if (c && xs_parse(ctx, &pkt) == XS_PARSED_IP)
		xs_count(&sa_rx, pkt.spi & ((__u32)c->sa_slots - 1), pkt.len);
	return XDP_PASS;
}

char xs_license[] SEC("license") = "Dual BSD/GPL";
