/* SPDX-License-Identifier: BSD-2-Clause */
#include "outer.h"

#include <errno.h>
#include <string.h>

enum { ECN_MASK = 3, ECN_NOT = 0, ECN_ECT1 = 1, ECN_ECT0 = 2, ECN_CE = 3 };

static void outer_init4(struct outer *o, const uint8_t src[16], const uint8_t dst[16], bool udp)
{
	struct ip4_hdr *ip = (struct ip4_hdr *)o->bytes;

	ip->ver_ihl = 0x45;
	ip->ttl = OUTER_TTL;
	ip->protocol = udp ? IPPROTO_UDP : IPPROTO_ESP;
	memcpy(ip->src, src + 12, 4);
	memcpy(ip->dst, dst + 12, 4);
	o->ip_len = sizeof(*ip);
	o->sum = csum_fold(csum_add(ip, sizeof(*ip), 0));
}

static void outer_init6(struct outer *o, const uint8_t src[16], const uint8_t dst[16], bool udp)
{
	struct ip6_hdr_fixed *ip = (struct ip6_hdr_fixed *)o->bytes;

	ip->ver_class_flow_be = be32(6u << 28);
	ip->next = udp ? IPPROTO_UDP : IPPROTO_ESP;
	ip->hops = OUTER_TTL;
	memcpy(ip->src, src, 16);
	memcpy(ip->dst, dst, 16);
	o->ip_len = sizeof(*ip);
}

int outer_init(struct outer *o, const uint8_t src[16], const uint8_t dst[16], uint16_t sport,
	       uint16_t dport)
{
	bool udp = sport || dport;
	struct udp_hdr *u;

	if (ip_is_mapped4(src) != ip_is_mapped4(dst))
		return -EAFNOSUPPORT;
	memset(o->bytes, 0, sizeof(o->bytes));
	if (ip_is_mapped4(src))
		outer_init4(o, src, dst, udp);
	else
		outer_init6(o, src, dst, udp);
	o->len = o->ip_len;
	if (!udp)
		return 0;
	u = (struct udp_hdr *)(o->bytes + o->ip_len);
	u->sport_be = be16(sport);
	u->dport_be = be16(dport);
	o->len += sizeof(*u);
	if (o->ip_len == sizeof(struct ip4_hdr))
		return 0;
	o->sum = csum_fold(csum_add(src, 16, csum_add(dst, 16, (uint64_t)be16(IPPROTO_UDP) +
							       u->sport_be + u->dport_be)));
	return 0;
}

uint8_t outer_tos(const struct outer *o, uint8_t inner_tos)
{
	uint8_t tos = 0;

	if (o->copy_dscp)
		tos |= inner_tos & ~ECN_MASK;
	if (o->copy_ecn)
		tos |= inner_tos & ECN_MASK;
	return tos;
}

static void write4(const struct outer *o, uint8_t *at, uint32_t total, uint8_t tos, bool df, uint16_t id)
{
	struct ip4_hdr *ip = (struct ip4_hdr *)at;

	ip->tos = tos;
	ip->len_be = be16((uint16_t)total);
	ip->id_be = be16(id);
	ip->frag_be = be16(df ? IP4_DF : 0);
	ip->check = csum_finish((uint64_t)o->sum + be16(tos) + ip->len_be + ip->id_be + ip->frag_be);
}

static void write6(const struct outer *o, uint8_t *at, uint32_t total, uint8_t tos)
{
	struct ip6_hdr_fixed *ip = (struct ip6_hdr_fixed *)at;

	ip->ver_class_flow_be = be32(6u << 28 | (uint32_t)tos << 20);
	ip->len_be = be16((uint16_t)(total - o->ip_len));
}

/*
 * RFC 8200 8.1: over IPv6 the checksum is computed. RFC 6936 would allow none for a tunnel, but receivers that
 * are plain sockets do not take that. The sum of addresses, protocol and ports is there already.
 */
static uint16_t udp6_check(const struct outer *o, const uint8_t *payload, uint32_t n, uint16_t len_be)
{
	/* twice the length: in the pseudo-header, and in the UDP header */
	uint16_t check = csum_finish(csum_add(payload, n, (uint64_t)o->sum + len_be + len_be));

	return check ? check : 0xffff;
}

void outer_udp_write(const struct outer *o, uint8_t *at, uint32_t payload)
{
	struct udp_hdr *u = (struct udp_hdr *)at;

	memcpy(at, o->bytes + o->ip_len, sizeof(*u));
	u->len_be = be16((uint16_t)(sizeof(*u) + payload));
	/* RFC 3948 2.1: the UDP checksum of ESP in IPv4 should be, and is, zero. */
	if (o->ip_len != sizeof(struct ip4_hdr))
		u->check = udp6_check(o, at + sizeof(*u), payload, u->len_be);
}

void outer_write(const struct outer *o, uint8_t *at, uint32_t payload, uint8_t inner_tos, bool inner_df,
		 uint16_t id)
{
	uint32_t total = o->len + payload;

	memcpy(at, o->bytes, o->ip_len);
	if (o->ip_len == sizeof(struct ip4_hdr))
		write4(o, at, total, outer_tos(o, inner_tos), o->copy_df && inner_df, id);
	else
		write6(o, at, total, outer_tos(o, inner_tos));
	if (o->len != o->ip_len)
		outer_udp_write(o, at + o->ip_len, payload);
}

int inner_tos_after(uint8_t outer_tos, uint8_t inner_tos, bool copy_ecn, bool copy_dscp)
{
	uint8_t outer_ecn = outer_tos & ECN_MASK, ecn = inner_tos & ECN_MASK;
	uint8_t dscp = (copy_dscp ? outer_tos : inner_tos) & ~ECN_MASK;

	if (!copy_ecn)
		return dscp | ecn;
	/* RFC 6040 4.2, figure 4 */
	if (outer_ecn == ECN_CE) {
		if (ecn == ECN_NOT)
			return -1;
		ecn = ECN_CE;
	} else if (outer_ecn == ECN_ECT1 && ecn == ECN_ECT0) {
		ecn = ECN_ECT1;
	}
	return dscp | ecn;
}
