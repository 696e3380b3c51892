/* SPDX-License-Identifier: BSD-2-Clause */
#include "inner.h"

static void ports(struct inner *in, const uint8_t *l4, uint32_t n)
{
	switch (in->protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
	case IPPROTO_UDPLITE:
	case IPPROTO_DCCP:
		in->ports_known = n >= 4;
		if (!in->ports_known)
			return;
		in->sport = (uint16_t)(l4[0] << 8 | l4[1]);
		in->dport = (uint16_t)(l4[2] << 8 | l4[3]);
		return;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		/* ICMP of the other family has no types. */
		if (in->protocol != (in->family == 6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
			break;
		in->ports_known = n >= 2;
		if (in->ports_known)
			in->sport = in->dport = (uint16_t)(l4[0] << 8 | l4[1]);
		return;
	}
	in->ports_known = true; /* a protocol without ports: only ranges that begin at 0 take it */
}

static enum xs_drop parse4(struct inner *in, const uint8_t *p, uint32_t have)
{
	const struct ip4_hdr *ip = (const struct ip4_hdr *)p;
	uint32_t hlen;

	if (ip4_check(p, have, &in->len) < 0)
		return XS_DROP_oversized_header;
	hlen = ip4_hlen(ip);
	in->protocol = ip->protocol;
	ip4_to_mapped(ip->src, in->src);
	ip4_to_mapped(ip->dst, in->dst);
	if (!(be16(ip->frag_be) & IP4_OFFSET))
		ports(in, p + hlen, in->len - hlen);
	return XS_DROP_none;
}

static enum xs_drop parse6(struct inner *in, const uint8_t *p, uint32_t have)
{
	const struct ip6_hdr_fixed *ip = (const struct ip6_hdr_fixed *)p;
	struct ip6_walk w;

	if (ip6_check(p, have, &in->len) < 0)
		return XS_DROP_oversized_header;
	if (ip6_walk(p, in->len, &w) < 0)
		return w.later ? XS_DROP_drop_fragments : XS_DROP_oversized_header;
	in->protocol = w.protocol;
	memcpy(in->src, ip->src, 16);
	memcpy(in->dst, ip->dst, 16);
	if (!w.later)
		ports(in, p + w.off, in->len - w.off);
	return XS_DROP_none;
}

enum xs_drop inner_parse(struct inner *in, const uint8_t *p, uint32_t have, uint8_t family)
{
	if (!have || p[0] >> 4 != family)
		return XS_DROP_tun_no_proto;
	in->family = family;
	in->ports_known = false;
	in->sport = in->dport = 0;
	if (family == 4)
		return parse4(in, p, have);
	return parse6(in, p, have);
}
