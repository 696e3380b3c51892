/* SPDX-License-Identifier: BSD-2-Clause */
#include "slots.h"

#include <errno.h>
#include <stdlib.h>

struct slot {
	uint64_t free_at_ms;
	uint32_t generation; /* of this or the last use, 0 = never used */
	bool used;
	bool queued;
	bool late; /* reserved and given back while it waited: its place in the ring is too early */
};

/*
 * Free slots wait in a ring in the order in which they were given back; as all rest equally
 * long, the head is the first to be ready and nothing is ever searched.
 */
struct slots {
	uint32_t n, used;
	uint32_t generation;
	uint32_t head, queued;
	uint32_t *ring; /* [n] */
	struct slot *slot;
};

static void enqueue(struct slots *s, uint32_t slot)
{
	s->ring[(s->head + s->queued) & (s->n - 1)] = slot;
	s->queued++;
	s->slot[slot].queued = true;
}

struct slots *slots_new(uint32_t n, uint32_t seed)
{
	struct slots *s;

	if (n < 2 || (n & (n - 1))) {
		errno = EINVAL;
		return NULL;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->n = n;
	s->generation = seed & SLOT_GENERATION_MAX;
	s->ring = calloc(n, sizeof(*s->ring));
	s->slot = calloc(n, sizeof(*s->slot));
	if (!s->ring || !s->slot) {
		slots_free(s);
		errno = ENOMEM;
		return NULL;
	}
	for (uint32_t i = 1; i < n; i++)
		enqueue(s, i);
	return s;
}

void slots_free(struct slots *s)
{
	if (!s)
		return;
	free(s->ring);
	free(s->slot);
	free(s);
}

static uint32_t next_generation(struct slots *s, uint32_t last)
{
	do
		s->generation = (s->generation + 1) & SLOT_GENERATION_MAX;
	while (!s->generation || s->generation == last);
	return s->generation;
}

int slots_take(struct slots *s, uint64_t now_ms, uint32_t *slot, uint32_t *generation)
{
	while (s->queued) {
		uint32_t i = s->ring[s->head];
		struct slot *at = &s->slot[i];

		if (!at->used && !at->late && at->free_at_ms > now_ms)
			return -ENOSPC;
		s->head = (s->head + 1) & (s->n - 1);
		s->queued--;
		at->queued = false;
		if (at->used)
			continue; /* reserved while it waited */
		if (at->late) {
			at->late = false;
			enqueue(s, i);
			continue;
		}
		at->used = true;
		at->generation = next_generation(s, at->generation);
		s->used++;
		*slot = i;
		*generation = at->generation;
		return 0;
	}
	return -ENOSPC;
}

int slots_reserve(struct slots *s, uint32_t slot, uint32_t generation)
{
	if (!slot || slot >= s->n || !generation || generation > SLOT_GENERATION_MAX)
		return -EINVAL;
	if (s->slot[slot].used)
		return -EBUSY;
	s->slot[slot].used = true;
	s->slot[slot].generation = generation;
	s->used++;
	return 0;
}

bool slots_held(const struct slots *s, uint32_t slot, uint32_t generation)
{
	return slot && slot < s->n && s->slot[slot].used && s->slot[slot].generation == generation;
}

bool slots_release(struct slots *s, uint64_t now_ms, uint32_t slot, uint32_t generation)
{
	struct slot *at;

	if (!slots_held(s, slot, generation))
		return false;
	at = &s->slot[slot];
	at->used = false;
	at->free_at_ms = now_ms + SLOT_QUARANTINE_MS;
	s->used--;
	if (at->queued)
		at->late = true;
	else
		enqueue(s, slot);
	return true;
}

uint32_t slots_used(const struct slots *s)
{
	return s->used;
}

uint32_t slots_spi(const struct slots *s, uint32_t slot, uint32_t random)
{
	uint32_t spi = (random & ~(s->n - 1)) | slot;

	return spi >= SLOT_SPI_MIN ? spi : 0;
}
