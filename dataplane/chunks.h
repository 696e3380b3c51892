/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * A worker's packet memory: chunks of one size, power of two, in one mapping that all its AF_XDP sockets
 * share (the UMEM), so that a packet received on one interface is encrypted in place and sent on
 * another. A stack of free chunks: the last one used is the one still in the cache.
 */
struct chunks {
	uint8_t *area;
	uint64_t size;
	uint32_t chunk; /* bytes of one */
	uint32_t count;
	uint32_t n_free;
	uint32_t *free; /* numbers of free chunks */
};

int chunks_open(struct chunks *c, uint32_t count, uint32_t chunk); /* 0 or -errno */
void chunks_close(struct chunks *c);

static inline uint8_t *chunk_take(struct chunks *c)
{
	if (!c->n_free)
		return NULL;
	return c->area + (uint64_t)c->free[--c->n_free] * c->chunk;
}

/* `p` is anywhere inside the chunk. */
static inline void chunk_give(struct chunks *c, const uint8_t *p)
{
	c->free[c->n_free++] = (uint32_t)((uint64_t)(p - c->area) / c->chunk);
}
