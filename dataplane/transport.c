/* SPDX-License-Identifier: BSD-2-Clause */
#include "transport.h"
#include "ip6.h"

#include "maps/drop.h"

enum { TCP_CHECK_AT = 16, UDP_CHECK_AT = 6, ICMP6_CHECK_AT = 2 };

uint8_t transport_split(struct pkt *p, struct transport *t)
{
	const struct ip4_hdr *ip = (const struct ip4_hdr *)p->data;
	struct ip6_walk w;
	uint32_t len;

	if (p->data[0] >> 4 == 6) {
		if (ip6_check(p->data, p->len, &len) < 0 || ip6_walk(p->data, len, &w) < 0)
			return XS_DROP_malformed;
		/* RFC 4303 3.1.1: whole packets only, fragmentation comes after ESP. */
		if (w.fragment)
			return XS_DROP_drop_fragments;
		if (w.off != sizeof(struct ip6_hdr_fixed))
			return XS_DROP_unsup_payload;
		t->len = (uint8_t)w.off;
		t->next = w.protocol;
	} else {
		if (ip4_check(p->data, p->len, &len) < 0)
			return XS_DROP_malformed;
		if (ip4_is_fragment(ip))
			return XS_DROP_drop_fragments;
		t->len = (uint8_t)ip4_hlen(ip);
		t->next = ip->protocol;
	}
	memcpy(t->bytes, p->data, t->len);
	p->data += t->len;
	p->len = len - t->len;
	return 0;
}

/* Length and protocol of a header, whose checksum follows. */
static void header_set(uint8_t *at, uint32_t hlen, uint32_t total, uint8_t protocol)
{
	struct ip6_hdr_fixed *ip6 = (struct ip6_hdr_fixed *)at;
	struct ip4_hdr *ip = (struct ip4_hdr *)at;

	if (at[0] >> 4 == 6) {
		ip6->len_be = be16((uint16_t)(total - hlen));
		ip6->next = protocol;
		return;
	}
	ip->len_be = be16((uint16_t)total);
	ip->protocol = protocol;
	ip->check = 0;
	ip->check = csum_finish(csum_add(at, hlen, 0));
}

void transport_join(const struct outer *o, struct pkt *p, const struct transport *t, uint8_t *esp, uint32_t n)
{
	uint32_t udp = o->len - o->ip_len;

	p->data = esp - udp - t->len;
	p->len = t->len + udp + n;
	memcpy(p->data, t->bytes, t->len);
	header_set(p->data, t->len, p->len, udp ? IPPROTO_UDP : IPPROTO_ESP);
	if (udp)
		outer_udp_write(o, p->data + t->len, n);
}

static uint32_t check_at(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return TCP_CHECK_AT;
	case IPPROTO_UDP:
		return UDP_CHECK_AT;
	case IPPROTO_ICMPV6:
		return ICMP6_CHECK_AT;
	}
	return 0;
}

/*
 * RFC 3948 3.1.2: behind a NAT the sum was made over addresses that are not in the header any more. The tag has
 * proved the payload, so the sum over what is there now is the right one.
 */
static void checksum_anew(struct pkt *p, uint32_t hlen, uint8_t protocol)
{
	const struct ip6_hdr_fixed *ip6 = (const struct ip6_hdr_fixed *)p->data;
	const struct ip4_hdr *ip = (const struct ip4_hdr *)p->data;
	uint32_t at = check_at(protocol), n = p->len - hlen;
	uint8_t *l4 = p->data + hlen;
	uint64_t pseudo;
	uint16_t check;

	if (!at || n < at + 2 || (p->family == 4 && protocol == IPPROTO_ICMPV6))
		return;
	memcpy(&check, l4 + at, 2);
	if (!check && protocol == IPPROTO_UDP && p->family == 4)
		return; /* RFC 768: none was made */
	memset(l4 + at, 0, 2);
	pseudo = p->family == 6 ? csum_add(ip6->src, 32, (uint64_t)be32(n) + be32(protocol))
				: csum_add(ip->src, 8, (uint64_t)be16(protocol) + be16((uint16_t)n));
	check = csum_finish(csum_add(l4, n, pseudo));
	if (!check && protocol == IPPROTO_UDP)
		check = 0xffff;
	memcpy(l4 + at, &check, 2);
}

uint8_t transport_restore(struct pkt *p, const uint8_t *header, uint8_t next)
{
	uint32_t hlen = header[0] >> 4 == 6 ? sizeof(struct ip6_hdr_fixed)
					    : ip4_hlen((const struct ip4_hdr *)header);
	/* By length: nothing vouches for the ports, and one of 0 must not make UDP's header payload. */
	bool udp = p->outer_len == hlen + sizeof(struct udp_hdr);

	p->family = header[0] >> 4 == 6 ? 6 : 4;
	if (p->outer_len != hlen && !udp)
		return XS_DROP_unsup_payload; /* as we send it */
	if (p->len + hlen > IP4_LEN_MAX)
		return XS_DROP_oversized_header;
	memmove(p->data - hlen, header, hlen);
	p->data -= hlen;
	p->len += hlen;
	header_set(p->data, hlen, p->len, next);
	if (udp)
		checksum_anew(p, hlen, next);
	return 0;
}
