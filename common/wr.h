/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "slice.h"

#include <stdbool.h>
#include <string.h>

/*
 * The byte writer, mirror of rd.h: a bounded buffer of the caller's. It fails sticky:
 * what does not fit is not written and every later write is refused; check wr_ok once.
 */
struct wr {
	uint8_t *p;
	size_t cap;
	size_t n;
	bool failed;
};

static inline struct wr wr_of(void *p, size_t cap)
{
	return (struct wr){.p = p, .cap = cap, .n = 0, .failed = false};
}

static inline bool wr_ok(const struct wr *w)
{
	return !w->failed;
}

static inline struct slice wr_slice(const struct wr *w)
{
	return slice_of(w->p, w->failed ? 0 : w->n);
}

/* Room for n bytes to be filled by the caller, NULL when there is none. */
static inline uint8_t *wr_take(struct wr *w, size_t n)
{
	uint8_t *at;

	if (w->failed || n > w->cap - w->n) {
		w->failed = true;
		return NULL;
	}
	at = w->n ? w->p + w->n : w->p; /* p may be NULL, with cap 0 */
	w->n += n;
	return at;
}

static inline void wr_bytes(struct wr *w, const void *p, size_t n)
{
	uint8_t *at = wr_take(w, n);

	if (at && n)
		memcpy(at, p, n);
}

static inline void wr_put(struct wr *w, struct slice s)
{
	wr_bytes(w, s.p, s.n);
}

static inline void wr_zero(struct wr *w, size_t n)
{
	uint8_t *at = wr_take(w, n);

	if (at && n)
		memset(at, 0, n);
}

static inline void wr_be(struct wr *w, uint64_t v, size_t width)
{
	uint8_t *at = wr_take(w, width);

	if (!at)
		return;
	for (size_t i = 0; i < width; i++)
		at[i] = (uint8_t)(v >> (8 * (width - 1 - i)));
}

static inline void wr_u8(struct wr *w, uint8_t v)
{
	wr_be(w, v, 1);
}

static inline void wr_u16(struct wr *w, uint16_t v)
{
	wr_be(w, v, 2);
}

static inline void wr_u32(struct wr *w, uint32_t v)
{
	wr_be(w, v, 4);
}

static inline void wr_u64(struct wr *w, uint64_t v)
{
	wr_be(w, v, 8);
}

/*
 * A 16-bit or 32-bit length that is not known yet: wr_reserve leaves room for `width`
 * bytes and gives its place; wr_close stores there the number of bytes written since
 * `from` (any earlier value of w->n). A length that does not fit its width fails.
 */
static inline size_t wr_reserve(struct wr *w, size_t width)
{
	size_t at = w->n;

	wr_zero(w, width);
	return at;
}

static inline void wr_close(struct wr *w, size_t at, size_t width, size_t from)
{
	size_t len = w->n - from;

	if (w->failed)
		return;
	if (width < sizeof(len) && len >> (8 * width)) {
		w->failed = true;
		return;
	}
	for (size_t i = 0; i < width; i++)
		w->p[at + i] = (uint8_t)(len >> (8 * (width - 1 - i)));
}
