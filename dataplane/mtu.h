/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "ip.h"

#include <stdbool.h>
#include <stdint.h>

/* What ESP adds, and therefore how large an inner packet may be. */
struct esp_shape {
	uint8_t outer_len; /* IP, and UDP when encapsulated */
	uint8_t iv_len, icv_len;
	uint8_t align; /* of payload and trailer together: the cipher's block, at least 4 */
};

/* The largest inner packet whose outer packet is not larger than path_mtu; 0 when nothing fits. */
uint32_t mtu_inner(const struct esp_shape *s, uint32_t path_mtu);
/* Length of the outer packet for an inner one. */
uint32_t mtu_outer(const struct esp_shape *s, uint32_t inner);

/* Enough for an ICMP error: outer header, ICMP header, and what it quotes. */
enum { ICMP_QUOTE4 = 548, ICMP4_MAX = 576, ICMP6_MAX = 1280, MTU_MIN4 = 68, MTU_MIN6 = 1280 };

/*
 * Writes an ICMPv4 error about the IPv4 packet `bad` to `at` (room for ICMP4_MAX): type 3 code 4 with the MTU,
 * or any other with mtu 0. Returns its length, or 0 when none may be sent (RFC 1812 4.3.2.7: about
 * an ICMP error, a later fragment, a broadcast or no single source).
 */
uint32_t icmp4_error(uint8_t *at, const uint8_t src[4], uint8_t type, uint8_t code, uint16_t mtu,
		     const uint8_t *bad, uint32_t bad_len);
/*
 * The same for IPv6: type 2 packet too big (RFC 4443 3.2) or others; room for ICMP6_MAX. 0 when RFC 4443 2.4 (e)
 * forbids it: about an ICMPv6 error wherever its header is, to a group unless too big, or no single source.
 */
uint32_t icmp6_error(uint8_t *at, const uint8_t src[16], uint8_t type, uint8_t code, uint32_t mtu,
		     const uint8_t *bad, uint32_t bad_len);

/* One fragment of an IPv4 packet without DF: which bytes of its payload. */
struct frag {
	uint32_t offset, len;
	bool more;
};

/* The next fragment after *f (start with a zero one) of a packet under an MTU; false at the end. */
bool frag_next(const uint8_t *ip, uint32_t mtu, struct frag *f);
/* Writes fragment f to `at`; header options are repeated when their copied flag says so. Returns its length. */
uint32_t frag_write(const uint8_t *ip, const struct frag *f, uint8_t *at);

/*
 * A local sender behind a virtual interface leaves only the pseudo-header sum in TCP and UDP
 * (CHECKSUM_PARTIAL): finds those and completes them. `ip` was checked, len is its own length.
 */
void csum_complete4(uint8_t *ip, uint32_t len);
void csum_complete6(uint8_t *ip, uint32_t len);
