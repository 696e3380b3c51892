/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "ip6.h"
#include "maps/layout.h"

/* What a traffic selector is compared with (RFC 7296 3.13.1), of an IPv4 or IPv6 packet. */
struct inner {
	uint32_t len; /* by its own header; what is behind it is TFC or link padding */
	uint8_t family;
	uint8_t protocol;
	bool ports_known; /* false: a later fragment, or a header too short for them */
	uint16_t sport, dport; /* ICMP: type and code in both */
	uint8_t src[16], dst[16];
};

/* 0, or why no selector can be compared with it. family: what the packet has to be, 4 or 6. */
enum xs_drop inner_parse(struct inner *in, const uint8_t *p, uint32_t have, uint8_t family);
