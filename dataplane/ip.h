/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "csum.h"

#include <endian.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Fixed layouts of the headers that the fast path reads and writes after it has checked the length.
 * Packets may start anywhere in a chunk, so everything is packed and read byte-wise where it counts.
 */
struct eth_hdr {
	uint8_t dst[6], src[6];
	uint16_t type_be;
} __attribute__((packed));

struct ip4_hdr {
	uint8_t ver_ihl;
	uint8_t tos;
	uint16_t len_be;
	uint16_t id_be;
	uint16_t frag_be;
	uint8_t ttl;
	uint8_t protocol;
	uint16_t check;
	uint8_t src[4], dst[4];
} __attribute__((packed));

struct ip6_hdr_fixed {
	uint32_t ver_class_flow_be;
	uint16_t len_be;
	uint8_t next;
	uint8_t hops;
	uint8_t src[16], dst[16];
} __attribute__((packed));

struct udp_hdr {
	uint16_t sport_be, dport_be, len_be;
	uint16_t check;
} __attribute__((packed));

struct esp_hdr {
	uint32_t spi_be, seq_be;
} __attribute__((packed));

_Static_assert(sizeof(struct ip4_hdr) == 20, "IPv4 header");
_Static_assert(sizeof(struct ip6_hdr_fixed) == 40, "IPv6 header");

enum {
	ETH_LEN = 14,
	ETH_IP4 = 0x0800,
	ETH_IP6 = 0x86dd,
	IP4_DF = 0x4000,
	IP4_MF = 0x2000,
	IP4_OFFSET = 0x1fff,
	IP4_LEN_MIN = 20,
	IP4_LEN_MAX = 65535,
};

static inline uint16_t be16(uint16_t v)
{
	return htobe16(v);
}

static inline uint32_t be32(uint32_t v)
{
	return htobe32(v);
}

static inline uint64_t be64(uint64_t v)
{
	return htobe64(v);
}

static inline uint32_t ip4_hlen(const struct ip4_hdr *ip)
{
	return (uint32_t)(ip->ver_ihl & 0x0f) * 4;
}

static inline bool ip4_is_fragment(const struct ip4_hdr *ip)
{
	return be16(ip->frag_be) & (IP4_MF | IP4_OFFSET);
}

static inline bool ip4_df(const struct ip4_hdr *ip)
{
	return be16(ip->frag_be) & IP4_DF;
}

static inline void ip4_to_mapped(const uint8_t a[4], uint8_t out[16])
{
	memset(out, 0, 10);
	out[10] = out[11] = 0xff;
	memcpy(out + 12, a, 4);
}

static inline bool ip_is_mapped4(const uint8_t a[16])
{
	static const uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

	return memcmp(a, prefix, sizeof(prefix)) == 0;
}

/* One hop less; the checksum follows. The caller has seen that ttl > 1. */
static inline void ip4_decrement_ttl(struct ip4_hdr *ip)
{
	uint16_t from, to;

	memcpy(&from, &ip->ttl, 2);
	ip->ttl--;
	memcpy(&to, &ip->ttl, 2);
	ip->check = csum_replace(ip->check, from, to);
}

/* Another type of service; the checksum follows. */
static inline void ip4_set_tos(struct ip4_hdr *ip, uint8_t tos)
{
	uint16_t from, to;

	memcpy(&from, ip, 2);
	ip->tos = tos;
	memcpy(&to, ip, 2);
	ip->check = csum_replace(ip->check, from, to);
}

/*
 * Checks an IPv4 header against the bytes that are there: 0, and *len is the length that it gives
 * itself (what is behind it is link padding), or -1.
 */
static inline int ip4_check(const uint8_t *p, uint32_t have, uint32_t *len)
{
	const struct ip4_hdr *ip = (const struct ip4_hdr *)p;
	uint32_t hlen, total;

	if (have < IP4_LEN_MIN)
		return -1;
	hlen = ip4_hlen(ip);
	total = be16(ip->len_be);
	if ((ip->ver_ihl >> 4) != 4 || hlen < IP4_LEN_MIN || total < hlen || total > have)
		return -1;
	*len = total;
	return 0;
}
