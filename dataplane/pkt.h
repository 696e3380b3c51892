/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "maps/layout.h"

#include <stdbool.h>
#include <stdint.h>

enum { PKT_BURST = 32, PKT_NO_PORT = 0xff };

/*
 * One packet in a chunk of a worker's buffer memory. `data` moves as headers are taken off and put
 * on; it stays between `head` and `end`. A packet belongs to one stage at a time; a stage that gives up on it
 * sets `drop` and leaves it where it is, and the worker counts it and frees the chunk.
 */
struct pkt {
	uint8_t *data;
	uint8_t *head, *end; /* of the chunk */
	uint8_t *eth;	     /* link header it came with, NULL for none */
	uint32_t len;
	uint32_t slot, generation;
	uint32_t bundle; /* outbound, 0 = unknown */
	uint32_t policy; /* to be held: for which */
	uint16_t l3;   /* offset of the outer IP header, as received */
	uint16_t port; /* index of the port it came in on */
	uint8_t kind;  /* enum xs_meta_kind */
	uint8_t drop;  /* enum xs_drop */
	uint8_t outer_tos;
	uint8_t family;	     /* 4 or 6, of the packet at data */
	uint16_t outer_port; /* inbound: peer's port, host order, 0 = plain ESP */
	uint16_t outer_len;  /* inbound: of IP and UDP headers, which stand in front of the ESP header */
	uint8_t outer_src[16];
	uint8_t dst[16]; /* where the packet at data goes, mapped */
};

static inline uint32_t pkt_headroom(const struct pkt *p)
{
	return (uint32_t)(p->data - p->head);
}

static inline uint32_t pkt_tailroom(const struct pkt *p)
{
	return (uint32_t)(p->end - (p->data + p->len));
}
