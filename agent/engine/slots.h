/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Who uses which slot. A slot given back rests before it is used again, so that late packets, late
 * acknowledgements and a peer that repeats a Delete meet nobody, and each use has a
 * generation of its own. Pure: the caller brings the clock and the random bits.
 */
enum { SLOT_QUARANTINE_MS = 10000, SLOT_GENERATION_MAX = 0xffffff, SLOT_SPI_MIN = 256 };

struct slots;

/* `n` slots, a power of two, slot 0 never handed out; generations start behind `seed`. NULL and errno. */
struct slots *slots_new(uint32_t n, uint32_t seed);
void slots_free(struct slots *s);
/* The slot that has rested longest, with its new generation (1..SLOT_GENERATION_MAX). -ENOSPC when all
 * are used or resting. */
int slots_take(struct slots *s, uint64_t now_ms, uint32_t *slot, uint32_t *generation);
/* Marks a slot that an earlier agent left as used; -EINVAL when out of range, -EBUSY when it is used. */
int slots_reserve(struct slots *s, uint32_t slot, uint32_t generation);
/* Gives back; false when that generation does not hold the slot. */
bool slots_release(struct slots *s, uint64_t now_ms, uint32_t slot, uint32_t generation);
bool slots_held(const struct slots *s, uint32_t slot, uint32_t generation);
uint32_t slots_used(const struct slots *s);
/* An SPI from random bits with the slot in its low bits; never a reserved one (RFC 4303 2.1: 0..255): 0
 * says that these random bits do not do. */
uint32_t slots_spi(const struct slots *s, uint32_t slot, uint32_t random);
