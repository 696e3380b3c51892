/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "pkt.h"
#include "ring.h"

/*
 * Packets on their way from the worker that received them to the worker that owns their SA. Packet memory is
 * not shared, so a cell holds a copy. One ring for each pair of workers; full means dropped
 * (reason handoff).
 */
enum { HANDOFF_CELLS = 512 };

struct handoff_cell {
	uint32_t len;
	uint32_t slot, generation, bundle;
	uint16_t l3, port;
	uint8_t kind;
};

struct handoff {
	struct ring ring;
	uint32_t room; /* bytes of data in a cell */
	uint8_t *data;
	struct handoff_cell cell[HANDOFF_CELLS];
};

struct handoff *handoff_new(uint32_t room); /* NULL and errno */
void handoff_free(struct handoff *h);
/* False when full or the packet is too long. */
bool handoff_put(struct handoff *h, const struct pkt *p);
/* Copies the next packet to p->data (room bytes are there) and fills the rest; false when there is none. */
bool handoff_take(struct handoff *h, struct pkt *p);
