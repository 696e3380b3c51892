/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/rd.h"
#include "common/wr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/*
 * Every sequence of DEPTH operations on every length up to LEN_MAX, beside a model that is a position and a
 * flag. The bytes stand in a heap block of exactly their length, so that a sanitizer sees the first too far.
 */
enum { LEN_MAX = 11, DEPTH = 5 };

enum rd_op { RD_U8, RD_U16, RD_U32, RD_U64, RD_NONE, RD_BYTES_3, RD_SUB_2, RD_SUB_5, RD_HUGE, RD_REST, RD_OPS };

struct model {
	const uint8_t *base;
	size_t len, pos;
	bool failed;
};

static uint64_t model_be(struct model *m, size_t width)
{
	uint64_t v = 0;

	if (m->failed || width > m->len - m->pos) {
		m->failed = true;
		return 0;
	}
	for (size_t i = 0; i < width; i++)
		v = v << 8 | m->base[m->pos++];
	return v;
}

static void check_bytes(struct rd *r, struct model *m, size_t n)
{
	struct slice s = rd_bytes(r, n);

	if (m->failed || n > m->len - m->pos) {
		m->failed = true;
		assert_null(s.p);
		assert_int_equal(s.n, 0);
		return;
	}
	assert_int_equal(s.n, n);
	assert_ptr_equal(s.p, m->base + m->pos);
	m->pos += n;
}

static void check_sub(struct rd *r, struct model *m, size_t n)
{
	struct rd child = rd_sub(r, n);
	bool fits = !m->failed && n <= m->len - m->pos;

	assert_int_equal(child.failed, !fits);
	assert_int_equal(child.n, fits ? n : 0);
	if (fits) {
		/* the child ends where its length says, and what happens in it is not the parent's business */
		assert_int_equal(rd_u8(&child), m->base[m->pos]);
		assert_int_equal(rd_rest(&child).n, n - 1);
		assert_true(rd_done(&child));
		rd_u8(&child);
		assert_true(child.failed);
		m->pos += n;
	} else {
		m->failed = true;
		assert_int_equal(rd_u8(&child), 0);
	}
}

static void rd_one(enum rd_op op, struct rd *r, struct model *m)
{
	switch (op) {
	case RD_U8:
		assert_int_equal(rd_u8(r), model_be(m, 1));
		break;
	case RD_U16:
		assert_int_equal(rd_u16(r), model_be(m, 2));
		break;
	case RD_U32:
		assert_int_equal(rd_u32(r), model_be(m, 4));
		break;
	case RD_U64:
		assert_int_equal(rd_u64(r), model_be(m, 8));
		break;
	case RD_NONE:
		check_bytes(r, m, 0);
		break;
	case RD_BYTES_3:
		check_bytes(r, m, 3);
		break;
	case RD_SUB_2:
		check_sub(r, m, 2);
		break;
	case RD_SUB_5:
		check_sub(r, m, 5);
		break;
	case RD_HUGE:
		check_bytes(r, m, SIZE_MAX);
		break;
	default:
		check_bytes(r, m, m->failed ? 0 : m->len - m->pos);
	}
	assert_int_equal(r->failed, m->failed);
	assert_int_equal(r->n, m->failed ? 0 : m->len - m->pos);
	assert_int_equal(rd_done(r), !m->failed && m->pos == m->len);
	if (!m->failed)
		assert_ptr_equal(r->p, m->base + m->pos);
}

static void rd_every(struct rd r, struct model m, unsigned int depth)
{
	for (unsigned int op = 0; depth && op < RD_OPS; op++) {
		struct rd r2 = r;
		struct model m2 = m;

		rd_one((enum rd_op)op, &r2, &m2);
		rd_every(r2, m2, depth - 1);
	}
}

static void reader_exhaustive(void **state)
{
	(void)state;
	for (size_t n = 0; n <= LEN_MAX; n++) {
		uint8_t *p = malloc(n ? n : 1);

		assert_non_null(p);
		for (size_t i = 0; i < n; i++)
			p[i] = (uint8_t)(0x81 + 0x1b * i);
		rd_every(rd_of(slice_of(p, n)), (struct model){.base = p, .len = n}, DEPTH);
		free(p);
	}
}

static void reader_of_nothing(void **state)
{
	struct rd r = rd_of(slice_of(NULL, 0));

	(void)state;
	assert_true(rd_done(&r));
	assert_int_equal(rd_rest(&r).n, 0);
	assert_true(rd_done(&r));
	assert_int_equal(rd_u8(&r), 0);
	assert_false(rd_done(&r));
}

static void reader_fails_for_good(void **state)
{
	const uint8_t b[4] = {1, 2, 3, 4};
	struct rd r = rd_of(slice_of(b, sizeof(b))), child;

	(void)state;
	assert_int_equal(rd_u64(&r), 0);
	assert_int_equal(rd_u8(&r), 0);
	child = rd_sub(&r, 0);
	assert_true(child.failed);
	assert_false(rd_done(&r));
}

/* ---- writer -------------------------------------------------------------------------------- */
enum wr_op { WR_U8, WR_U16, WR_U32, WR_U64, WR_BYTES, WR_EMPTY, WR_ZERO, WR_HUGE, WR_TAKE, WR_OPS };

struct wr_model {
	uint8_t want[LEN_MAX];
	size_t cap, n;
	bool failed;
};

static void model_put(struct wr_model *m, const uint8_t *p, size_t n)
{
	if (m->failed || n > m->cap - m->n) {
		m->failed = true;
		return;
	}
	for (size_t i = 0; i < n; i++)
		m->want[m->n++] = p ? p[i] : 0;
}

static void wr_one(enum wr_op op, struct wr *w, struct wr_model *m)
{
	static const uint8_t b[8] = {0xf1, 0xe2, 0xd3, 0xc4, 0xb5, 0xa6, 0x97, 0x88};
	uint8_t *at;

	switch (op) {
	case WR_U8:
		wr_u8(w, 0xf1);
		model_put(m, b, 1);
		break;
	case WR_U16:
		wr_u16(w, 0xf1e2);
		model_put(m, b, 2);
		break;
	case WR_U32:
		wr_u32(w, 0xf1e2d3c4);
		model_put(m, b, 4);
		break;
	case WR_U64:
		wr_u64(w, 0xf1e2d3c4b5a69788);
		model_put(m, b, 8);
		break;
	case WR_BYTES:
		wr_bytes(w, b, 3);
		model_put(m, b, 3);
		break;
	case WR_EMPTY:
		wr_put(w, slice_of(NULL, 0));
		model_put(m, b, 0);
		break;
	case WR_ZERO:
		wr_zero(w, 5);
		model_put(m, NULL, 5);
		break;
	case WR_HUGE:
		assert_null(wr_take(w, SIZE_MAX));
		m->failed = true;
		break;
	default:
		at = wr_take(w, 2);
		if (at)
			memcpy(at, b, 2);
		model_put(m, b, 2);
		assert_int_equal(at == NULL, m->failed);
	}
	assert_int_equal(wr_ok(w), !m->failed);
	assert_int_equal(w->n, m->n);
	assert_int_equal(wr_slice(w).n, m->failed ? 0 : m->n);
	assert_memory_equal(w->p, m->want, m->n);
}

static void wr_every(struct wr w, struct wr_model m, unsigned int depth)
{
	for (unsigned int op = 0; depth && op < WR_OPS; op++) {
		struct wr w2 = w;
		struct wr_model m2 = m;

		/* siblings share the buffer: what this branch has not written yet may hold anything */
		memcpy(w2.p, m2.want, m2.n);
		wr_one((enum wr_op)op, &w2, &m2);
		wr_every(w2, m2, depth - 1);
	}
}

static void writer_exhaustive(void **state)
{
	(void)state;
	for (size_t cap = 0; cap <= LEN_MAX; cap++) {
		uint8_t *p = calloc(1, cap ? cap : 1);

		assert_non_null(p);
		wr_every(wr_of(p, cap), (struct wr_model){.cap = cap}, DEPTH);
		free(p);
	}
}

/* A reservation holds the bytes written since `from`, or fails: widths 1 and 2, lengths around their limits. */
static void reservation_widths(void **state)
{
	static uint8_t buf[70000];

	(void)state;
	for (size_t width = 1; width <= 2; width++) {
		size_t limit = (size_t)1 << (8 * width);

		for (size_t len = limit - 3; len < limit + 3; len++) {
			struct wr w = wr_of(buf, sizeof(buf));
			struct rd r;
			size_t at, from;

			wr_u8(&w, 7);
			at = wr_reserve(&w, width);
			from = w.n;
			wr_zero(&w, len);
			wr_close(&w, at, width, from);
			assert_int_equal(wr_ok(&w), len < limit);
			if (!wr_ok(&w))
				continue;
			r = rd_of(wr_slice(&w));
			assert_int_equal(rd_u8(&r), 7);
			assert_int_equal(rd_be(&r, width), len);
			assert_int_equal(rd_rest(&r).n, len);
		}
	}
}

static void writer_into_nothing(void **state)
{
	struct wr w = wr_of(NULL, 0);

	(void)state;
	wr_bytes(&w, NULL, 0);
	wr_zero(&w, 0);
	assert_true(wr_ok(&w));
	assert_int_equal(wr_slice(&w).n, 0);
	wr_u8(&w, 1);
	assert_false(wr_ok(&w));
}

static void reservation_that_did_not_fit(void **state)
{
	uint8_t buf[4] = {9, 9, 9, 9};
	struct wr w = wr_of(buf, 3);
	size_t at;

	(void)state;
	wr_u16(&w, 0x0101);
	at = wr_reserve(&w, 2);
	wr_close(&w, at, 2, 0);
	assert_false(wr_ok(&w));
	assert_int_equal(buf[2], 9);
	assert_int_equal(buf[3], 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reader_exhaustive),
		cmocka_unit_test(reader_of_nothing),
		cmocka_unit_test(reader_fails_for_good),
		cmocka_unit_test(writer_exhaustive),
		cmocka_unit_test(reservation_widths),
		cmocka_unit_test(writer_into_nothing),
		cmocka_unit_test(reservation_that_did_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
