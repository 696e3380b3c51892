/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "ip.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The outer headers of an outbound SA, built once: IP, UDP when encapsulated. A packet gets a copy,
 * its length, id, type of service and DF, and a checksum that was summed up for the rest beforehand.
 */
enum { OUTER_MAX = 48, OUTER_TTL = 64 };

struct outer {
	uint8_t bytes[OUTER_MAX];
	uint8_t len;	/* of all of it */
	uint8_t ip_len; /* of the IP header */
	bool copy_df, copy_ecn, copy_dscp;
	/* Without what changes from packet to packet: IPv4: of the header; UDP in IPv6: of pseudo-header and ports. */
	uint32_t sum;
};

/* Addresses are mapped; ports 0 = plain ESP. 0, or -EAFNOSUPPORT (families differ). */
int outer_init(struct outer *o, const uint8_t src[16], const uint8_t dst[16], uint16_t sport,
	       uint16_t dport);
/*
 * Writes the headers at `at` in front of `payload` bytes of ESP that are there. inner_tos and inner_df are those of
 * the packet inside, id is the IPv4 id of this one.
 */
void outer_write(const struct outer *o, uint8_t *at, uint32_t payload, uint8_t inner_tos, bool inner_df,
		 uint16_t id);
/* The UDP header of an encapsulating SA alone, at `at` in front of `payload` bytes of ESP. */
void outer_udp_write(const struct outer *o, uint8_t *at, uint32_t payload);
/* RFC 6040 4.1, RFC 2983: what type of service an outer header gets. */
uint8_t outer_tos(const struct outer *o, uint8_t inner_tos);
/*
 * RFC 6040 4.2: the type of service that the inner packet leaves with, or -1 when it has to be dropped
 * (congestion experienced outside, not ECN-capable inside).
 */
int inner_tos_after(uint8_t outer_tos, uint8_t inner_tos, bool copy_ecn, bool copy_dscp);
