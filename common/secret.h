/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "slice.h"

#include <stdbool.h>

/*
 * Key material: memory that is locked, kept out of core dumps and wiped when freed. It has a
 * type of its own so that it is not printed, copied or forgotten by accident.
 * `p` is NULL when empty. A struct secret is moved by secret_move, never by assignment.
 */
struct secret {
	uint8_t *p;
	size_t n;
};

/* Once a process, before the first secret: the locked heap of `bytes` (rounded up to a power of
 * two), no core dumps, not dumpable. 0 or -errno; after a failure secrets still work, unlocked, and
 * secret_locked() says so. */
int secret_init(size_t bytes);
bool secret_locked(void);
/* n zero bytes; 0 or -ENOMEM. `s` must be empty. */
int secret_new(struct secret *s, size_t n) __attribute__((warn_unused_result));
/* A copy of bytes; 0 or -ENOMEM. */
int secret_dup(struct secret *s, struct slice from) __attribute__((warn_unused_result));
/* Hands the memory over; the source is empty afterwards, what `to` held is wiped. */
void secret_move(struct secret *to, struct secret *from);
/* Wipes and frees; harmless on an empty one. */
void secret_free(struct secret *s);
/* Wipes a local buffer in a way the compiler keeps. */
void secret_wipe(void *p, size_t n);
/* Compares in a time that depends on n only. */
bool secret_equal(const void *a, const void *b, size_t n);

static inline struct slice secret_slice(const struct secret *s)
{
	return slice_of(s->p, s->n);
}
