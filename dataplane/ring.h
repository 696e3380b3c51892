/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Places of a ring between one producer and one consumer thread. The cells are the owner's array;
 * this only says which one is next. Both ends keep to their own cache line.
 */
struct ring {
	uint32_t mask; /* cells - 1, a power of two */
	_Alignas(64) _Atomic uint32_t head; /* producer's */
	_Alignas(64) _Atomic uint32_t tail; /* consumer's */
};

static inline void ring_init(struct ring *r, uint32_t cells)
{
	r->mask = cells - 1;
	atomic_store_explicit(&r->head, 0, memory_order_relaxed);
	atomic_store_explicit(&r->tail, 0, memory_order_relaxed);
}

/* The cell to fill, then ring_push; false when full. */
static inline bool ring_room(struct ring *r, uint32_t *cell)
{
	uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

	if (head - atomic_load_explicit(&r->tail, memory_order_acquire) > r->mask)
		return false;
	*cell = head & r->mask;
	return true;
}

static inline void ring_push(struct ring *r)
{
	atomic_store_explicit(&r->head, atomic_load_explicit(&r->head, memory_order_relaxed) + 1,
			      memory_order_release);
}

/* The cell to read, then ring_pop; false when empty. */
static inline bool ring_peek(struct ring *r, uint32_t *cell)
{
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	if (tail == atomic_load_explicit(&r->head, memory_order_acquire))
		return false;
	*cell = tail & r->mask;
	return true;
}

static inline void ring_pop(struct ring *r)
{
	atomic_store_explicit(&r->tail, atomic_load_explicit(&r->tail, memory_order_relaxed) + 1,
			      memory_order_release);
}

static inline bool ring_empty(struct ring *r)
{
	return atomic_load_explicit(&r->tail, memory_order_relaxed) ==
	       atomic_load_explicit(&r->head, memory_order_acquire);
}
