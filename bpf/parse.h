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
 * The only place in BPF that touches packet bytes. Every length is checked before it is used.
 * XS_LOAD_BYTES, which the including file defines, is the helper that copies from a frame: XDP's or skb's.
 */
#ifndef XS_LOAD_BYTES
#error "XS_LOAD_BYTES"
#endif

enum { XS_VLANS = 2, XS_EXT_HEADERS = 8, XS_HEADERS_MAX = 0x3fff };

enum xs_parsed {
	XS_PARSED_IP,
	XS_PARSED_OTHER,     /* neither IPv4 nor IPv6: not ours */
	XS_PARSED_MALFORMED, /* no policy can be matched with it */
};

enum xs_fragment { XS_WHOLE, XS_FIRST_FRAGMENT, XS_LATER_FRAGMENT };

/* What a datagram from or to an IKE port is (RFC 3948 2.2, 2.3). */
enum xs_ike_kind { XS_IKE_MESSAGE, XS_IKE_KEEPALIVE, XS_IKE_ESP };

struct xs_pkt {
	struct xs_tuple tuple; /* as the packet has it: src is its source */
	void *end;	       /* of what may be read */
	void *mac;	       /* destination, 6 bytes */
	void *l4;
	__u32 len;    /* of the IP packet */
	__u32 l4_len; /* by the IP header */
	__u16 l3;     /* offset of the IP header */
	__u8 fragment;
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
 * A packet pointer that is checked and then read must be one register to the verifier: clang 14 likes to
 * compute it again from its parts, and then the check is lost (seen with Linux 6.18).
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

/* RFC 4301 4.4.1.1: ICMP type and code stand where ports do. */
static __always_inline int xs_parse_l4(struct xs_pkt *p)
{
	struct xs_tuple *t = &p->tuple;
	void *l4 = xs_pin(p->l4);
	__be16 *port = l4;
	__u8 *icmp = l4;

	if (p->fragment == XS_LATER_FRAGMENT) {
		t->flags |= XS_TUPLE_NO_PORTS;
		return XS_PARSED_IP;
	}
	if (xs_has_ports(t->protocol)) {
		if (p->l4_len < 4 || (void *)(port + 2) > p->end)
			return XS_PARSED_MALFORMED;
		t->sport = bpf_ntohs(port[0]);
		t->dport = bpf_ntohs(port[1]);
	} else if (xs_is_icmp(t)) {
		if (p->l4_len < 2 || (void *)(icmp + 2) > p->end)
			return XS_PARSED_MALFORMED;
		t->sport = icmp[0];
		t->dport = icmp[1];
	}
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

/* room: bytes of the frame from the IP header on, which may be more than can be read. */
static __always_inline int xs_parse_ipv4(struct iphdr *ip, struct xs_pkt *p, __u32 room)
{
	__u32 hlen, offset;

	if ((void *)(ip + 1) > p->end)
		return XS_PARSED_MALFORMED;
	hlen = ip->ihl * 4;
	/* No length: a segmentation-offload packet of the stack that is larger than the field. */
	p->len = ip->tot_len ? bpf_ntohs(ip->tot_len) : room;
	if (ip->version != 4 || hlen < sizeof(*ip) || p->len < hlen || p->len > room)
		return XS_PARSED_MALFORMED;
	xs_map_ipv4(&p->tuple.src, ip->saddr);
	xs_map_ipv4(&p->tuple.dst, ip->daddr);
	p->tuple.protocol = ip->protocol;
	offset = bpf_ntohs(ip->frag_off);
	if (offset & 0x1fff)
		p->fragment = XS_LATER_FRAGMENT;
	else if (offset & 0x2000)
		p->fragment = XS_FIRST_FRAGMENT;
	p->l4 = (void *)ip + hlen;
	p->l4_len = p->len - hlen;
	return xs_parse_l4(p);
}

struct xs_walk {
	void *ctx;
	__u32 off, left; /* of the next header: from the start of the frame, and bytes of the packet */
	__u32 next, fragment, bad;
};

/* By a helper and bpf_loop: with pointers in a plain loop the verifier looks at 10^6 states and gives up. */
static long xs_walk_one(__u32 i, void *arg)
{
	struct xs_walk *w = arg;
	struct xs_ext ext;
	__u32 len = sizeof(ext);

	if (!xs_is_ext(w->next))
		return 1;
	if (i == XS_EXT_HEADERS || w->fragment == XS_LATER_FRAGMENT || w->left < sizeof(ext) ||
	    XS_LOAD_BYTES(w->ctx, w->off, &ext, sizeof(ext)))
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
static __always_inline int xs_parse_ext(void *ctx, void *data, struct xs_pkt *p, __u8 next)
{
	struct xs_walk w = {
		.ctx = ctx,
		.off = p->l3 + sizeof(struct ipv6hdr),
		.left = p->l4_len,
		.next = next,
	};

	bpf_loop(XS_EXT_HEADERS + 1, xs_walk_one, &w, 0);
	if (w.bad || w.off > XS_HEADERS_MAX)
		return XS_PARSED_MALFORMED;
	p->fragment = w.fragment;
	p->l4_len = w.left;
	p->l4 = data + w.off;
	p->tuple.protocol = w.next;
	return xs_parse_l4(p);
}

static __always_inline int xs_parse_ipv6(void *ctx, void *data, struct xs_pkt *p, __u32 room)
{
	__u32 *src = (void *)&p->tuple.src, *dst = (void *)&p->tuple.dst;
	struct ipv6hdr *ip = data + p->l3;

	if ((void *)(ip + 1) > p->end)
		return XS_PARSED_MALFORMED;
	p->len = ip->payload_len ? sizeof(*ip) + bpf_ntohs(ip->payload_len) : room;
	if (ip->version != 6 || p->len < sizeof(*ip) || p->len > room)
		return XS_PARSED_MALFORMED;
	for (int i = 0; i < 4; i++) {
		src[i] = ip->saddr.in6_u.u6_addr32[i];
		dst[i] = ip->daddr.in6_u.u6_addr32[i];
	}
	p->tuple.flags = XS_TUPLE_V6;
	p->l4 = ip + 1;
	p->l4_len = p->len - sizeof(*ip);
	if (xs_is_ext(ip->nexthdr))
		return xs_parse_ext(ctx, data, p, ip->nexthdr);
	p->tuple.protocol = ip->nexthdr;
	return xs_parse_l4(p);
}

/* frame_len: of the whole frame, which may be more than lies between data and end (skb). */
static __always_inline int xs_parse(void *ctx, void *data, void *end, __u32 frame_len,
				    struct xs_pkt *p)
{
	struct ethhdr *eth = data;
	__be16 proto;

	__builtin_memset(p, 0, sizeof(*p));
	p->end = end;
	p->mac = data;
	if ((void *)(eth + 1) > end)
		return XS_PARSED_OTHER;
	p->l3 = sizeof(*eth);
	proto = eth->h_proto;
#pragma unroll
	for (int i = 0; i < XS_VLANS; i++) {
		struct xs_vlan *vlan = data + sizeof(*eth) + i * sizeof(*vlan);

		if (!xs_is_vlan(proto))
			break;
		if ((void *)(vlan + 1) > end)
			return XS_PARSED_MALFORMED;
		proto = vlan->proto;
		p->l3 += sizeof(*vlan);
	}
	if (frame_len < p->l3)
		return XS_PARSED_MALFORMED;
	if (proto == bpf_htons(ETH_P_IP))
		return xs_parse_ipv4(data + p->l3, p, frame_len - p->l3);
	if (proto == bpf_htons(ETH_P_IPV6))
		return xs_parse_ipv6(ctx, data, p, frame_len - p->l3);
	return XS_PARSED_OTHER;
}

/* RFC 4861: never forwarded, and nothing moves without it. */
static __always_inline bool xs_is_nd(const struct xs_pkt *p)
{
	const struct xs_tuple *t = &p->tuple;

	return (t->flags & XS_TUPLE_V6) && t->protocol == IPPROTO_ICMPV6 &&
	       p->fragment != XS_LATER_FRAGMENT && t->sport >= 133 && t->sport <= 137;
}

static __always_inline bool xs_mac_is(const struct xs_pkt *p, const __u8 mac[6])
{
	const __u8 *b = p->mac;

	if ((void *)(b + ETH_ALEN) > p->end)
		return false;
	return b[0] == mac[0] && b[1] == mac[1] && b[2] == mac[2] && b[3] == mac[3] &&
	       b[4] == mac[4] && b[5] == mac[5];
}

/* For everybody on the link: broadcast and multicast. */
static __always_inline bool xs_mac_is_group(const struct xs_pkt *p)
{
	const __u8 *b = p->mac;

	return (void *)(b + 1) <= p->end && (b[0] & 1);
}

/* The SPI at `skip` bytes behind the start of L4; 0 when there is none. */
static __always_inline __u32 xs_spi_at(const struct xs_pkt *p, __u32 skip)
{
	__be32 *spi = xs_pin(p->l4 + skip);

	if (p->l4_len < skip + sizeof(*spi) || (void *)(spi + 1) > p->end)
		return 0;
	return bpf_ntohl(*spi);
}

/* RFC 3948 2: what a datagram to the NAT-T port carries; *spi is that of ESP. */
static __always_inline int xs_ike_kind(const struct xs_pkt *p, __u32 *spi)
{
	const __u8 *body = xs_pin(p->l4 + 8);

	*spi = 0;
	if (p->l4_len == 9 && (void *)(body + 1) <= p->end && body[0] == 0xff)
		return XS_IKE_KEEPALIVE;
	*spi = xs_spi_at(p, 8);
	return *spi ? XS_IKE_ESP : XS_IKE_MESSAGE;
}
