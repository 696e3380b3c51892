/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "outer.h"
#include "pkt.h"

/*
 * Transport mode (RFC 4303 3.1.1): ESP stands between the packet's own IP header and what it carries. The header is
 * kept aside while the payload is sealed, and put in front of it again with another protocol and length.
 */
enum { TRANSPORT_HEADER_MAX = 60 };

struct transport {
	uint8_t bytes[TRANSPORT_HEADER_MAX];
	uint8_t len;
	uint8_t next; /* what the header is followed by */
};

/* Takes the header off: data is the payload. 0, or why it cannot go in transport mode. */
uint8_t transport_split(struct pkt *p, struct transport *t);
/* The header, UDP when o has it, and n bytes of ESP that stand at esp: data and len of the packet. */
void transport_join(const struct outer *o, struct pkt *p, const struct transport *t, uint8_t *esp, uint32_t n);
/*
 * Inbound: data is the payload, in front of it at `header` the outer headers as they came (p->outer_len bytes), which
 * become those of the packet again. Checksums that an address translator on the way has spoilt are made anew.
 */
uint8_t transport_restore(struct pkt *p, const uint8_t *header, uint8_t next);
