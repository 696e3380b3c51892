/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "slice.h"

#include <stdbool.h>

/*
 * Key material: memory that is locked, kept out of core dumps and wiped when freed. It has a
 * type of its own so that it is not printed, copied or forgotten by accident.
 * `p` is NULL when empty, `n` is not to be changed by hand. A struct secret is moved by
 * secret_move, never by assignment. All functions may be called from any thread.
 */
struct secret {
	uint8_t *p;
	size_t n;
};

/* Once a process, before the first secret: a locked heap of `bytes` (rounded up to whole pages), no
 * core dumps, not dumpable. 0 or -errno; after a failure secrets still work, unlocked, and
 * secret_locked() says so. A heap that is full grows by pieces, locked when RLIMIT_MEMLOCK allows
 * it; all are wiped when freed. */
int secret_init(size_t bytes);
/* True while every piece of the heap is locked. */
bool secret_locked(void);
/* Bytes of the heap that are handed out, in cells of fixed sizes: what a measurement of memory
 * wants. */
size_t secret_bytes(void);
/* n zero bytes; 0 or -ENOMEM. `s` must be empty; it stays so when n is 0. */
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
