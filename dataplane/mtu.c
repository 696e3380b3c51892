/* SPDX-License-Identifier: BSD-2-Clause */
#include "mtu.h"
#include "ip6.h"

#include <string.h>

enum { TRAILER_MIN = 2, ICMP_HLEN = 8, TCP_CHECK = 16, UDP_CHECK = 6, ICMP_TTL = 64, ICMP6_TOO_BIG = 2 };

uint32_t mtu_outer(const struct esp_shape *s, uint32_t inner)
{
	uint32_t payload = (inner + TRAILER_MIN + s->align - 1) / s->align * s->align;

	return s->outer_len + (uint32_t)sizeof(struct esp_hdr) + s->iv_len + payload + s->icv_len;
}

uint32_t mtu_inner(const struct esp_shape *s, uint32_t path_mtu)
{
	uint32_t fixed = s->outer_len + (uint32_t)sizeof(struct esp_hdr) + s->iv_len + s->icv_len;
	uint32_t payload;

	if (path_mtu < fixed + s->align)
		return 0;
	payload = (path_mtu - fixed) / s->align * s->align;
	return payload - TRAILER_MIN;
}

/* RFC 1812 4.3.2.7 and RFC 1122 3.2.2: about which packets no error is sent. */
static bool icmp4_allowed(const struct ip4_hdr *bad, uint32_t bad_len)
{
	uint32_t hlen = ip4_hlen(bad);
	uint8_t type;

	if (be16(bad->frag_be) & IP4_OFFSET)
		return false;
	if (bad->src[0] == 0 || bad->src[0] == 127 || bad->src[0] >= 224)
		return false;
	if (bad->dst[0] >= 224)
		return false;
	if (bad->protocol != IPPROTO_ICMP)
		return true;
	if (bad_len < hlen + 1)
		return false;
	type = ((const uint8_t *)bad)[hlen];
	/* queries and replies; everything else is or may be an error */
	return type == 0 || type == 8 || (type >= 13 && type <= 18);
}

uint32_t icmp4_error(uint8_t *at, const uint8_t src[4], uint8_t type, uint8_t code, uint16_t mtu,
		     const uint8_t *bad, uint32_t bad_len)
{
	const struct ip4_hdr *b = (const struct ip4_hdr *)bad;
	struct ip4_hdr *ip = (struct ip4_hdr *)at;
	uint32_t quote = bad_len < ICMP_QUOTE4 ? bad_len : ICMP_QUOTE4;
	uint32_t total = sizeof(*ip) + ICMP_HLEN + quote;
	uint8_t *icmp = at + sizeof(*ip);
	uint16_t check, mtu_be = be16(mtu);

	if (bad_len < IP4_LEN_MIN || ip4_hlen(b) > bad_len || !icmp4_allowed(b, bad_len))
		return 0;
	memset(at, 0, sizeof(*ip) + ICMP_HLEN);
	ip->ver_ihl = 0x45;
	ip->tos = 0xc0; /* RFC 1812 4.3.2.5: precedence 6 */
	ip->len_be = be16((uint16_t)total);
	ip->ttl = ICMP_TTL;
	ip->protocol = IPPROTO_ICMP;
	memcpy(ip->src, src, 4);
	memcpy(ip->dst, b->src, 4);
	ip->check = csum_finish(csum_add(ip, sizeof(*ip), 0));
	icmp[0] = type;
	icmp[1] = code;
	memcpy(icmp + 6, &mtu_be, 2);
	memcpy(icmp + ICMP_HLEN, bad, quote);
	check = csum_finish(csum_add(icmp, ICMP_HLEN + quote, 0));
	memcpy(icmp + 2, &check, 2);
	return total;
}

/* RFC 4443 2.4 (e): about which packets no error is sent. */
static bool icmp6_allowed(const struct ip6_hdr_fixed *bad, uint32_t bad_len, uint8_t type)
{
	static const uint8_t none[16];
	struct ip6_walk w;

	if (bad->src[0] == 0xff || memcmp(bad->src, none, 16) == 0)
		return false;
	if (bad->dst[0] == 0xff && type != ICMP6_TOO_BIG)
		return false;
	if (ip6_walk((const uint8_t *)bad, bad_len, &w) < 0)
		return false;
	if (w.protocol != IPPROTO_ICMPV6)
		return true;
	/* types below 128 are errors */
	return !w.later && w.off < bad_len && ((const uint8_t *)bad)[w.off] >= 128;
}

uint32_t icmp6_error(uint8_t *at, const uint8_t src[16], uint8_t type, uint8_t code, uint32_t mtu,
		     const uint8_t *bad, uint32_t bad_len)
{
	const struct ip6_hdr_fixed *b = (const struct ip6_hdr_fixed *)bad;
	struct ip6_hdr_fixed *ip = (struct ip6_hdr_fixed *)at;
	uint32_t quote_max = ICMP6_MAX - sizeof(*ip) - ICMP_HLEN;
	uint32_t quote = bad_len < quote_max ? bad_len : quote_max;
	uint32_t mtu_be = be32(mtu);
	uint8_t *icmp = at + sizeof(*ip);
	uint16_t check;
	uint64_t sum;

	if (bad_len < sizeof(*b) || !icmp6_allowed(b, bad_len, type))
		return 0;
	memset(at, 0, sizeof(*ip) + ICMP_HLEN);
	ip->ver_class_flow_be = be32(6u << 28);
	ip->len_be = be16((uint16_t)(ICMP_HLEN + quote));
	ip->next = IPPROTO_ICMPV6;
	ip->hops = ICMP_TTL;
	memcpy(ip->src, src, 16);
	memcpy(ip->dst, b->src, 16);
	icmp[0] = type;
	icmp[1] = code;
	memcpy(icmp + 4, &mtu_be, 4);
	memcpy(icmp + ICMP_HLEN, bad, quote);
	/* RFC 8200 8.1: pseudo-header */
	sum = csum_add(ip->src, 32, 0) + be32(ICMP_HLEN + quote) + be32(IPPROTO_ICMPV6);
	check = csum_finish(csum_add(icmp, ICMP_HLEN + quote, sum));
	memcpy(icmp + 2, &check, 2);
	return (uint32_t)sizeof(*ip) + ICMP_HLEN + quote;
}

bool frag_next(const uint8_t *ip, uint32_t mtu, struct frag *f)
{
	const struct ip4_hdr *h = (const struct ip4_hdr *)ip;
	uint32_t hlen = ip4_hlen(h), payload = be16(h->len_be) - hlen;
	uint32_t room = mtu > hlen ? (mtu - hlen) & ~7u : 0;

	f->offset += f->len;
	if (f->offset >= payload || !room)
		return false;
	f->len = payload - f->offset < room ? payload - f->offset : room;
	f->more = f->offset + f->len < payload;
	return true;
}

/* RFC 791 3.1: later fragments keep only the options with the copied flag; the rest becomes no-ops. */
static void frag_options(uint8_t *ip, uint32_t hlen)
{
	uint32_t at = IP4_LEN_MIN, n;

	while (at < hlen && ip[at] != 0) {
		n = ip[at] == 1 ? 1 : at + 1 < hlen ? ip[at + 1] : 0;
		if (n < 1 || at + n > hlen || (ip[at] != 1 && n < 2))
			break;
		if (!(ip[at] & 0x80))
			memset(ip + at, 1, n);
		at += n;
	}
}

uint32_t frag_write(const uint8_t *ip, const struct frag *f, uint8_t *at)
{
	const struct ip4_hdr *from = (const struct ip4_hdr *)ip;
	struct ip4_hdr *to = (struct ip4_hdr *)at;
	uint32_t hlen = ip4_hlen(from);
	uint16_t base = be16(from->frag_be);
	/* A fragment may be cut again: its own offset and "more" count. */
	uint16_t offset = (uint16_t)((base & IP4_OFFSET) + f->offset / 8);
	uint16_t more = f->more || (base & IP4_MF) ? IP4_MF : 0;

	memcpy(at, ip, hlen);
	memcpy(at + hlen, ip + hlen + f->offset, f->len);
	if (f->offset)
		frag_options(at, hlen);
	to->len_be = be16((uint16_t)(hlen + f->len));
	to->frag_be = be16((uint16_t)(offset | more));
	to->check = 0;
	to->check = csum_finish(csum_add(at, hlen, 0));
	return hlen + f->len;
}

/* Where a transport protocol keeps its checksum; 0: not one that we complete. */
static uint32_t check_place(uint8_t protocol, uint32_t n)
{
	uint32_t at = protocol == IPPROTO_TCP ? TCP_CHECK : protocol == IPPROTO_UDP ? UDP_CHECK : 0;

	return at && n >= at + 2 ? at : 0;
}

/* pseudo: the sum of the pseudo-header, which is all that a partial checksum holds. */
static void complete(uint8_t *l4, uint32_t n, uint8_t protocol, uint64_t pseudo)
{
	uint32_t at = check_place(protocol, n);
	uint16_t check;

	if (!at)
		return;
	memcpy(&check, l4 + at, 2);
	if (check != csum_fold(pseudo))
		return;
	/* The field holds the pseudo-header sum: summing over all adds it in. */
	check = csum_finish(csum_add(l4, n, 0));
	if (!check && protocol == IPPROTO_UDP)
		check = 0xffff;
	memcpy(l4 + at, &check, 2);
}

void csum_complete4(uint8_t *p, uint32_t len)
{
	const struct ip4_hdr *ip = (const struct ip4_hdr *)p;
	uint32_t hlen = ip4_hlen(ip), n = len - hlen;

	if (!ip4_is_fragment(ip))
		complete(p + hlen, n, ip->protocol,
			 csum_add(ip->src, 8, (uint64_t)be16(ip->protocol) + be16((uint16_t)n)));
}

void csum_complete6(uint8_t *p, uint32_t len)
{
	const struct ip6_hdr_fixed *ip = (const struct ip6_hdr_fixed *)p;
	struct ip6_walk w;
	uint32_t n;

	if (ip6_walk(p, len, &w) < 0 || w.fragment)
		return;
	n = len - w.off;
	complete(p + w.off, n, w.protocol,
		 csum_add(ip->src, 32, (uint64_t)be32(n) + be32(w.protocol)));
}
