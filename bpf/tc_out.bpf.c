// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#define XS_SKB

#include "maps.h"

#include <linux/pkt_cls.h>

#include "count.h"
#include "kernel.h"
#include "parse.h"
#include "port.h"
#include "select.h"

/*
 * The last look on the way out of a WAN port: what a policy protects does not leave in clear,
 * however it got here: it goes to the kernel's ESP by the XFRM interface, or to the dataplane by the
 * on-ramp. AF_XDP transmit does not come by.
 */

/* The interfaces that lead there, set before loading. 0: there is none, and it is dropped. */
const volatile __u32 xs_ramp;
const volatile __u32 xs_xfrm;

static __always_inline bool is_ike_port(const struct xs_ctl *c, __u32 port)
{
	return port == (c->ports & 0xffff) || port == (c->ports >> 16 & 0xffff);
}

/* A later fragment of UDP shows no port. The socket that it came from does. */
static __always_inline bool is_ike_fragment(struct __sk_buff *skb, const struct xs_ctl *c)
{
	struct bpf_sock *sk = skb->ingress_ifindex ? NULL : skb->sk;

	sk = sk ? bpf_sk_fullsock(sk) : NULL;
	return sk && sk->protocol == IPPROTO_UDP && is_ike_port(c, sk->src_port);
}

/* RFC 4302, RFC 4303, RFC 3173: what the kernel made of a packet that was looked at before. */
static __always_inline bool is_ipsec(__u8 protocol)
{
	return protocol == IPPROTO_ESP || protocol == IPPROTO_AH || protocol == IPPROTO_COMP;
}

/* IKE and ESP of this host itself, by its addresses: a packet out of a tunnel that goes on is sent
 * by this host, too, and the kernel's ESP keeps the interface that its packet came in on. */
static __always_inline bool own_ipsec(struct __sk_buff *skb, const struct xs_ctl *c,
				      const struct xs_pkt *pkt)
{
	const struct xs_tuple *t = &pkt->tuple;

	if (t->protocol == IPPROTO_UDP && t->flags & XS_TUPLE_NO_PORTS)
		return is_ike_fragment(skb, c);
	if (!is_ipsec(t->protocol) &&
	    (t->protocol != IPPROTO_UDP || !is_ike_port(c, t->sport)))
		return false;
	return xs_is_local(&t->src);
}

static __always_inline int leak(struct __sk_buff *skb, __u32 policy_id, const struct xs_pkt *pkt)
{
	xs_raise(XS_EV_LEAK, policy_id, 0, skb->ifindex, &pkt->tuple);
	xs_count_drop(XS_DROP_leak);
	return TC_ACT_SHOT;
}

/* The pair is named by its if_id, so what the kernel's policies have to decide does not grow. */
static __always_inline int to_kernel(struct __sk_buff *skb, __u32 slot, const struct xs_pkt *pkt)
{
	struct bpf_xfrm_info info = {.if_id = XS_XFRM_IF_ID(slot)};

	if (bpf_skb_set_xfrm_info(skb, &info)) {
		xs_count_drop(XS_DROP_no_engine);
		return TC_ACT_SHOT;
	}
	xs_count(&sa_tx, slot, pkt->len);
	return (int)bpf_redirect(xs_xfrm, 0);
}

/* The card behind this port encrypts it. */
static __always_inline bool offloaded_here(const struct __sk_buff *skb, __u64 word)
{
	struct xs_port *p = xs_port_find(skb->ifindex);

	return p && p->index == XS_BUNDLE_PORT(word);
}

static __always_inline int protect(struct __sk_buff *skb, const struct xs_decision *d,
				   const struct xs_pkt *pkt)
{
	__u32 key = d->bundle;
	__u64 *word = bpf_map_lookup_elem(&bundle, &key), w = 0;

	if (word && d->action == XS_PROTECT && key)
		w = *(volatile __u64 *)word;
	if (XS_BUNDLE_ENGINE(w) == XS_ENGINE_KERNEL)
		return xs_xfrm ? to_kernel(skb, XS_BUNDLE_SLOT(w), pkt)
			       : leak(skb, d->policy, pkt);
	if (XS_BUNDLE_ENGINE(w) == XS_ENGINE_OFFLOAD) {
		if (!offloaded_here(skb, w))
			return leak(skb, d->policy, pkt);
		xs_count(&sa_tx, XS_BUNDLE_SLOT(w), pkt->len);
		return TC_ACT_UNSPEC;
	}
	if (xs_ramp)
		return (int)bpf_redirect(xs_ramp, 0);
	if (w)
		return leak(skb, d->policy, pkt);
	/* With an on-ramp its far end says so. */
	xs_raise(XS_EV_ACQUIRE, d->policy, 0, skb->ifindex, &pkt->tuple);
	xs_count_drop(XS_DROP_no_sa);
	return TC_ACT_SHOT;
}

SEC("tc")
int tc_out(struct __sk_buff *skb)
{
	struct xs_ctl *c = xs_ctl_get();
	struct xs_decision d;
	struct xs_pkt pkt;
	int parsed;

	if (!c)
		return TC_ACT_UNSPEC;
	parsed = xs_parse(skb, &pkt);
	/* The headers may lie in pages: pull them in, and look again. */
	if (parsed == XS_PARSED_MALFORMED && skb->data_end - skb->data < skb->len &&
	    !bpf_skb_pull_data(skb, skb->len < XS_PULL ? skb->len : XS_PULL))
		parsed = xs_parse(skb, &pkt);
	if (parsed == XS_PARSED_OTHER)
		return TC_ACT_UNSPEC;
	if (parsed == XS_PARSED_MALFORMED) {
		xs_count_drop(XS_DROP_malformed);
		return TC_ACT_SHOT;
	}
	xs_select(&pkt.tuple, c, &d);
	if (d.action == XS_BYPASS || xs_is_nd(&pkt) || own_ipsec(skb, c, &pkt))
		return TC_ACT_UNSPEC;
	if (d.action == XS_DISCARD) {
		xs_count_drop(d.drop ? d.drop : XS_DROP_discard);
		return TC_ACT_SHOT;
	}
	return protect(skb, &d, &pkt);
}

char xs_license[] SEC("license") = "Dual BSD/GPL";
