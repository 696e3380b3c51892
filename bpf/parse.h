/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#include "maps/layout.h"

/*
 * The only place in BPF that touches packet bytes. Every length is checked before it is used, and
 * nothing points into the packet afterwards. xs_parse is a global function: the verifier looks at
 * it once, by itself, and callers begin with unknown numbers instead of every way through it. A
 * file for skbs defines XS_SKB.
 */
#ifdef XS_SKB
#define XS_CTX	      struct __sk_buff
#define XS_LOAD_BYTES bpf_skb_load_bytes
#define xs_parse      xs_parse_skb
#define xs_walk_one   xs_walk_one_skb
#else
#define XS_CTX	      struct xdp_md
#define XS_LOAD_BYTES bpf_xdp_load_bytes
#define xs_parse      xs_parse_xdp
#define xs_walk_one   xs_walk_one_xdp
#endif

enum { XS_VLANS = 2, XS_EXT_HEADERS = 8, XS_HEADERS_MAX = 0x3fff, XS_PULL = 256 };

enum xs_parsed {
	XS_PARSED_IP,
	XS_PARSED_OTHER,     /* neither IPv4 nor IPv6: not ours */
	XS_PARSED_MALFORMED, /* no policy can be matched with it */
};

enum xs_fragment { XS_WHOLE, XS_FIRST_FRAGMENT, XS_LATER_FRAGMENT };

struct xs_pkt {
	struct xs_tuple tuple; /* as the packet has it: src is its source */
	__u32 len;	       /* of the IP packet */
	__u32 spi;	       /* ESP, AH, UDP: where an SPI would be, 0 when there is none */
	__u16 l3;	       /* offset of the IP header */
	__u8 fragment;
	__u8 keepalive; /* UDP: one byte 0xff (RFC 3948 2.3) */
	__u8 mac[6];	/* destination */
	__u8 hops;	/* TTL or hop limit */
	__u8 tos;	/* or traffic class */
	__u8 options;	/* that a router has to look at */
	__u8 pad[3];
};

/* Where the parser is. */
struct xs_cursor {
	void *ctx, *data, *end;
	void *l4;
	__u32 l4_len; /* by the IP header */
	__u32 room;   /* of the frame from the IP header on; may be more than can be read */
};

struct xs_vlan {
	__be16 tci, proto;
};

struct xs_ext {
	__u8 next, len;
	__be16 offset; /* of a fragment header */
	__be32 id;
};

/*
 * A packet pointer that is checked and then read must be one register to the verifier: clang 14
 * likes to compute it again from its parts, and then the check is lost (seen with Linux 6.18).
 */
static __always_inline void *xs_pin(void *p)
{
	asm volatile("" : "+r"(p));
	return p;
}

static __always_inline bool xs_is_vlan(__be16 proto)
{
	return proto == bpf_htons(ETH_P_8021Q) || proto == bpf_htons(ETH_P_8021AD);
}

static __always_inline bool xs_has_ports(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP ||
	       protocol == IPPROTO_DCCP || protocol == IPPROTO_UDPLITE;
}

static __always_inline bool xs_is_icmp(const struct xs_tuple *t)
{
	return t->protocol == (t->flags & XS_TUPLE_V6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
}

static __always_inline bool xs_is_ext(__u8 next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS ||
	       next == IPPROTO_FRAGMENT;
}

/* RFC 3948 2: what follows the UDP header on the NAT-T port. */
static __always_inline void xs_parse_udp_body(const struct xs_cursor *at, struct xs_pkt *p)
{
	__u8 *body = xs_pin(at->l4 + 8);

	if (at->l4_len == 9 && (void *)(body + 1) <= at->end)
		p->keepalive = body[0] == 0xff;
	if (at->l4_len >= 12 && (void *)(body + 4) <= at->end)
		p->spi = bpf_ntohl(*(__be32 *)body);
}

static __always_inline void xs_parse_esp(const struct xs_cursor *at, struct xs_pkt *p)
{
	__be32 *spi = xs_pin(at->l4);

	if (at->l4_len >= 8 && (void *)(spi + 1) <= at->end)
		p->spi = bpf_ntohl(*spi);
}

/* RFC 4302 2: next header, length, 16 bits that are not used, SPI, sequence number. */
static __always_inline void xs_parse_ah(const struct xs_cursor *at, struct xs_pkt *p)
{
	__be32 *spi = xs_pin(at->l4 + 4);

	if (at->l4_len >= 12 && (void *)(spi + 1) <= at->end)
		p->spi = bpf_ntohl(*spi);
}

/* RFC 4301 4.4.1.1: ICMP type and code stand where ports do. */
static __always_inline int xs_parse_l4(const struct xs_cursor *at, struct xs_pkt *p)
{
	struct xs_tuple *t = &p->tuple;
	void *l4 = xs_pin(at->l4);
	__be16 *port = l4;
	__u8 *icmp = l4;

	if (p->fragment == XS_LATER_FRAGMENT) {
		t->flags |= XS_TUPLE_NO_PORTS;
		return XS_PARSED_IP;
	}
	if (xs_has_ports(t->protocol)) {
		if (at->l4_len < 4 || (void *)(port + 2) > at->end)
			return XS_PARSED_MALFORMED;
		t->sport = bpf_ntohs(port[0]);
		t->dport = bpf_ntohs(port[1]);
	} else if (xs_is_icmp(t)) {
		if (at->l4_len < 2 || (void *)(icmp + 2) > at->end)
			return XS_PARSED_MALFORMED;
		t->sport = icmp[0];
		t->dport = icmp[1];
	}
	if (t->protocol == IPPROTO_UDP)
		xs_parse_udp_body(at, p);
	else if (t->protocol == IPPROTO_ESP)
		xs_parse_esp(at, p);
	else if (t->protocol == IPPROTO_AH)
		xs_parse_ah(at, p);
	return XS_PARSED_IP;
}

static __always_inline void xs_map_ipv4(struct xs_addr *a, __be32 v4)
{
	__u32 *w = (void *)a;

	w[0] = 0;
	w[1] = 0;
	w[2] = bpf_htonl(0xffff);
	w[3] = v4;
}

static __always_inline int xs_parse_ipv4(struct xs_cursor *at, struct xs_pkt *p)
{
	struct iphdr *ip = at->data + p->l3;
	__u32 hlen, offset;

	if ((void *)(ip + 1) > at->end)
		return XS_PARSED_MALFORMED;
	hlen = ip->ihl * 4;
	/* No length: a segmentation-offload packet of the stack that is larger than the field. */
	p->len = ip->tot_len ? bpf_ntohs(ip->tot_len) : at->room;
	if (ip->version != 4 || hlen < sizeof(*ip) || p->len < hlen || p->len > at->room)
		return XS_PARSED_MALFORMED;
	xs_map_ipv4(&p->tuple.src, ip->saddr);
	xs_map_ipv4(&p->tuple.dst, ip->daddr);
	p->tuple.protocol = ip->protocol;
	p->hops = ip->ttl;
	p->tos = ip->tos;
	p->options = hlen > sizeof(*ip);
	offset = bpf_ntohs(ip->frag_off);
	if (offset & 0x1fff)
		p->fragment = XS_LATER_FRAGMENT;
	else if (offset & 0x2000)
		p->fragment = XS_FIRST_FRAGMENT;
	at->l4 = (void *)ip + hlen;
	at->l4_len = p->len - hlen;
	return xs_parse_l4(at, p);
}

struct xs_walk {
	__u32 off;  /* of the next header, from the start of the frame */
	__u32 left; /* bytes of the packet from there on */
	__u32 next, fragment, bad;
};

/*
 * One header; not 0 when this was the last. By a helper, and a global function: with packet
 * pointers in a loop the verifier looks at 10^6 states and gives up.
 */
__weak __noinline int xs_walk_one(XS_CTX *ctx, struct xs_walk *w)
{
	struct xs_ext ext = {};
	__u32 len = sizeof(ext);

	if (!w || !xs_is_ext(w->next))
		return 1;
	if (w->fragment == XS_LATER_FRAGMENT || w->left < sizeof(ext) ||
	    XS_LOAD_BYTES(ctx, w->off, &ext, sizeof(ext)))
		goto bad;
	if (w->next == IPPROTO_FRAGMENT) {
		__u16 offset = bpf_ntohs(ext.offset);

		if (offset & 0xfff8)
			w->fragment = XS_LATER_FRAGMENT;
		else if (offset & 1)
			w->fragment = XS_FIRST_FRAGMENT;
	} else {
		len += ext.len * 8;
	}
	if (len > w->left)
		goto bad;
	w->next = ext.next;
	w->off += len;
	w->left -= len;
	return 0;
bad:
	w->bad = 1;
	return 1;
}

/*
 * RFC 8200 4.1: over the extension headers to what a policy can name. What hides its protocol, by
 * too many of them or in a later fragment, is matched by no policy and must not pass one.
 */
static __always_inline int xs_parse_ext(struct xs_cursor *at, struct xs_pkt *p, __u8 next)
{
	struct xs_walk w = {
	    .off = p->l3 + sizeof(struct ipv6hdr),
	    .left = at->l4_len,
	    .next = next,
	};

	for (int i = 0; i < XS_EXT_HEADERS; i++)
		if (xs_walk_one(at->ctx, &w))
			break;
	if (w.bad || xs_is_ext(w.next) || w.off > XS_HEADERS_MAX)
		return XS_PARSED_MALFORMED;
	p->fragment = w.fragment;
	p->tuple.protocol = w.next;
	at->l4_len = w.left;
	at->l4 = at->data + w.off;
	return xs_parse_l4(at, p);
}

/* RFC 4942 2.2: IPv4 addresses are no IPv6 packet's; in our tables they mean IPv4. */
static __always_inline bool xs_is_mapped(const __u32 *w)
{
	return !w[0] && !w[1] && w[2] == bpf_htonl(0xffff);
}

static __always_inline int xs_parse_ipv6(struct xs_cursor *at, struct xs_pkt *p)
{
	__u32 *src = (void *)&p->tuple.src, *dst = (void *)&p->tuple.dst;
	struct ipv6hdr *ip = at->data + p->l3;

	if ((void *)(ip + 1) > at->end)
		return XS_PARSED_MALFORMED;
	p->len = sizeof(*ip) + bpf_ntohs(ip->payload_len);
#ifdef XS_SKB
	/* No length: a segmentation-offload packet of the stack that is larger than the field. */
	if (!ip->payload_len)
		p->len = at->room;
#endif
	if (ip->version != 6 || p->len > at->room)
		return XS_PARSED_MALFORMED;
	for (int i = 0; i < 4; i++) {
		src[i] = ip->saddr.in6_u.u6_addr32[i];
		dst[i] = ip->daddr.in6_u.u6_addr32[i];
	}
	if (xs_is_mapped(src) || xs_is_mapped(dst))
		return XS_PARSED_MALFORMED;
	p->tuple.flags = XS_TUPLE_V6;
	p->hops = ip->hop_limit;
	p->tos = ip->priority << 4 | ip->flow_lbl[0] >> 4;
	p->options = ip->nexthdr == IPPROTO_HOPOPTS;
	at->l4 = ip + 1;
	at->l4_len = p->len - sizeof(*ip);
	if (xs_is_ext(ip->nexthdr))
		return xs_parse_ext(at, p, ip->nexthdr);
	p->tuple.protocol = ip->nexthdr;
	return xs_parse_l4(at, p);
}

/* frame_len: of the whole frame, which may be more than lies between data and end (skb). */
static __always_inline int xs_parse_frame(struct xs_cursor *at, __u32 frame_len, struct xs_pkt *p)
{
	struct ethhdr *eth = at->data;
	__be16 proto;

	if ((void *)(eth + 1) > at->end)
		return XS_PARSED_OTHER;
	for (int i = 0; i < ETH_ALEN; i++)
		p->mac[i] = eth->h_dest[i];
	p->l3 = sizeof(*eth);
	proto = eth->h_proto;
#pragma unroll
	for (int i = 0; i < XS_VLANS; i++) {
		struct xs_vlan *vlan = at->data + sizeof(*eth) + i * sizeof(*vlan);

		if (!xs_is_vlan(proto))
			break;
		if ((void *)(vlan + 1) > at->end)
			return XS_PARSED_MALFORMED;
		proto = vlan->proto;
		p->l3 += sizeof(*vlan);
	}
	at->room = frame_len - p->l3;
	if (proto == bpf_htons(ETH_P_IP))
		return xs_parse_ipv4(at, p);
	if (proto == bpf_htons(ETH_P_IPV6))
		return xs_parse_ipv6(at, p);
	return XS_PARSED_OTHER;
}

__weak __noinline int xs_parse(XS_CTX *ctx, struct xs_pkt *p)
{
	struct xs_cursor at = {.ctx = ctx};

	if (!p)
		return XS_PARSED_MALFORMED;
	__builtin_memset(p, 0, sizeof(*p));
	at.data = (void *)(long)ctx->data;
	at.end = (void *)(long)ctx->data_end;
#ifdef XS_SKB
	return xs_parse_frame(&at, ctx->len, p);
#else
	return xs_parse_frame(&at, at.end - at.data, p);
#endif
}

/* ff00::/8 and fe80::/10: such a destination stays on its link. */
static __always_inline bool xs_stays_on_link(const struct xs_addr *dst)
{
	return dst->b[0] == 0xff || (dst->b[0] == 0xfe && (dst->b[1] & 0xc0) == 0x80);
}

/*
 * RFC 4861, and RFC 2710, 3810: multicast listeners, without which switches do not let it through:
 * nothing moves without it. The type alone would be a way around every policy, since routers
 * forward what looks like it: the hop limit says that nobody did.
 */
static __always_inline bool xs_is_nd(const struct xs_pkt *p)
{
	const struct xs_tuple *t = &p->tuple;

	if (!(t->flags & XS_TUPLE_V6) || t->protocol != IPPROTO_ICMPV6 ||
	    p->fragment == XS_LATER_FRAGMENT)
		return false;
	// RFC 4861 6.1, 7.1, 8.1: the hop limit is 255, the packet was not forwarded
	if (t->sport >= 133 && t->sport <= 137)
		return p->hops == 255;
	// RFC 2710 3, RFC 3810 5: a hop limit of 1
	return ((t->sport >= 130 && t->sport <= 132) || t->sport == 143) && p->hops == 1 &&
	       xs_stays_on_link(&t->dst);
}

/* fe80::/10, RFC 4291 2.5.6: stays on its link. */
static __always_inline bool xs_is_link_local(const struct xs_tuple *t)
{
	const __u8 *s = t->src.b, *d = t->dst.b;

	return (s[0] == 0xfe && (s[1] & 0xc0) == 0x80) || (d[0] == 0xfe && (d[1] & 0xc0) == 0x80);
}

static __always_inline bool xs_mac_is(const struct xs_pkt *p, const __u8 mac[6])
{
	const __u8 *b = p->mac;

	return b[0] == mac[0] && b[1] == mac[1] && b[2] == mac[2] && b[3] == mac[3] &&
	       b[4] == mac[4] && b[5] == mac[5];
}

/* For everybody on the link: broadcast and multicast. */
static __always_inline bool xs_mac_is_group(const struct xs_pkt *p)
{
	return p->mac[0] & 1;
}

#ifndef XS_SKB
/* RFC 1812 5.3.1, RFC 8200 3: one hop less, and on to the next one. False when it is not a plain frame. */
static __always_inline bool xs_forward(struct xdp_md *ctx, const struct xs_pkt *p,
				       const __u8 mac[6], const __u8 src_mac[6])
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = (void *)(eth + 1);
	struct ipv6hdr *ip6 = (void *)ip;
	__u32 sum;

	if (p->l3 != sizeof(*eth) || (void *)(ip + 1) > end)
		return false;
	if (p->tuple.flags & XS_TUPLE_V6) {
		if ((void *)(ip6 + 1) > end)
			return false;
		ip6->hop_limit--;
	} else {
		// RFC 1624 3: the sum changes as the byte does, with the carry around the end
		sum = ip->check + bpf_htons(0x0100);
		ip->check = sum + (sum >= 0xffff);
		ip->ttl--;
	}
	for (int i = 0; i < ETH_ALEN; i++) {
		eth->h_dest[i] = mac[i];
		eth->h_source[i] = src_mac[i];
	}
	return true;
}
#endif
