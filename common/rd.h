/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "slice.h"

#include <stdbool.h>
#include <string.h>

/*
 * The byte reader: the only code in user space that takes bytes of a packet apart.
 * It fails sticky: after the first read beyond the end every further read gives zero
 * and nothing moves, so a fixed layout is read field after field and checked once.
 * A length field becomes a sub-reader; a child can never read its sibling.
 */
struct rd {
	const uint8_t *p;
	size_t n;
	bool failed;
};

static inline struct rd rd_of(struct slice s)
{
	return (struct rd){.p = s.p, .n = s.n, .failed = false};
}

static inline void rd_fail(struct rd *r)
{
	r->failed = true;
	r->n = 0;
}

/* Takes n bytes; an empty slice (p NULL) after a failure. */
static inline struct slice rd_bytes(struct rd *r, size_t n)
{
	struct slice s = {0};

	if (r->failed || n > r->n) {
		rd_fail(r);
		return s;
	}
	s.p = r->p;
	s.n = n;
	if (n) /* even 0 must not be added to NULL */
		r->p += n;
	r->n -= n;
	return s;
}

static inline uint64_t rd_be(struct rd *r, size_t width)
{
	struct slice s = rd_bytes(r, width);
	uint64_t v = 0;

	for (size_t i = 0; i < s.n; i++)
		v = (v << 8) | s.p[i];
	return v;
}

static inline uint8_t rd_u8(struct rd *r)
{
	return (uint8_t)rd_be(r, 1);
}

static inline uint16_t rd_u16(struct rd *r)
{
	return (uint16_t)rd_be(r, 2);
}

static inline uint32_t rd_u32(struct rd *r)
{
	return (uint32_t)rd_be(r, 4);
}

static inline uint64_t rd_u64(struct rd *r)
{
	return rd_be(r, 8);
}

/* A reader of the next n bytes; this one moves past them whatever the child does. */
static inline struct rd rd_sub(struct rd *r, size_t n)
{
	struct slice s = rd_bytes(r, n);
	struct rd child = rd_of(s);

	child.failed = r->failed;
	return child;
}

/* All that is left, taken. */
static inline struct slice rd_rest(struct rd *r)
{
	return rd_bytes(r, r->n);
}

/* True when nothing failed and nothing is left: what every decoder ends with. */
static inline bool rd_done(const struct rd *r)
{
	return !r->failed && r->n == 0;
}
