/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

/*
 * The window beside a model that remembers the numbers themselves: for each number near the top one byte in a
 * ring that is far larger than any window, cleared as the top moves.
 */
enum { MODEL = 1 << 16 };

struct model {
	uint64_t top;
	uint32_t window;
	uint8_t seen[MODEL];
};

static bool model_mark(struct model *m, uint64_t seq)
{
	if (seq == 0)
		return false;
	if (seq > m->top) {
		uint64_t from = m->top + 1 < seq - (seq < MODEL ? seq - 1 : MODEL - 1)
					? seq - MODEL + 1
					: m->top + 1;

		for (uint64_t s = from; s != seq; s++)
			m->seen[s % MODEL] = 0;
		m->top = seq;
		m->seen[seq % MODEL] = 1;
		return true;
	}
	if (m->window) {
		if (m->top - seq >= m->window || m->seen[seq % MODEL])
			return false;
		m->seen[seq % MODEL] = 1;
	}
	return true;
}

static uint64_t rng_state;

static uint64_t rng(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state;
}

/* Mostly near the top, sometimes far behind it or a jump ahead. */
static uint64_t next_seq(uint64_t top, uint32_t window)
{
	uint64_t span = window ? window : 64, back;

	switch (rng() % 16) {
	case 0:
		return top + 1 + rng() % (3 * span);
	case 1:
		return top + 1 + rng() % (MODEL / 2);
	case 2:
		back = rng() % (4 * span);
		break;
	case 3:
		back = span - 1 + rng() % 3;
		break;
	case 4:
	case 5:
	case 6:
	case 7:
		return top + 1;
	default:
		back = rng() % (span + 2);
	}
	return back > top ? 0 : top - back;
}

static void walk(uint32_t window, uint64_t start, bool esn, unsigned int rounds)
{
	struct model *m = calloc(1, sizeof(*m));
	struct replay r;

	assert_int_equal(replay_init(&r, window, esn), 0);
	m->window = window;
	m->top = r.top = start; /* a fresh window that begins elsewhere: nothing seen */
	if (start && window) {
		/* what lies before the start counts as seen on neither side */
		memset(m->seen, 0, sizeof(m->seen));
	}
	for (unsigned int i = 0; i < rounds; i++) {
		uint64_t seq = next_seq(m->top, window);
		bool expect;

		if (!esn && seq > UINT32_MAX)
			break;
		if (esn && window && seq + window > m->top && seq <= m->top + UINT32_MAX / 2 && seq)
			assert_true(replay_expand(&r, (uint32_t)seq) == seq);
		expect = model_mark(m, seq);
		if (replay_check(&r, seq) != expect || replay_mark(&r, seq) != expect)
			fail_msg("window %u: number %llu, top %llu: expected %d", window,
				 (unsigned long long)seq, (unsigned long long)m->top, expect);
		assert_true(r.top == m->top);
	}
	free(m);
}

static void random_against_model(void **state)
{
	static const uint32_t windows[] = {0,	32,  33,  63,	64,   65,   100,  127,	128,
					   129, 192, 255, 256,	1000, 1023, 1024, 2048, 4095, 4096};

	(void)state;
	for (unsigned int i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
		rng_state = 88172645463325252ull + i;
		walk(windows[i], 0, true, 60000);
		walk(windows[i], 0, false, 60000);
		walk(windows[i], UINT32_MAX - 3000, true, 60000); /* across the first wrap */
		walk(windows[i], (7ull << 32) - 5000, true, 60000);
		walk(windows[i], UINT32_MAX - 70000, false, 60000);
	}
}

/* Every number of a run, in order, twice; then backwards into the window. */
static void each_number_once(void **state)
{
	static const uint32_t windows[] = {32, 64, 96, 1024, 4096};

	(void)state;
	for (unsigned int w = 0; w < sizeof(windows) / sizeof(windows[0]); w++) {
		struct replay r;

		assert_int_equal(replay_init(&r, windows[w], false), 0);
		for (uint64_t s = 1; s <= 20000; s++) {
			assert_true(replay_mark(&r, s));
			assert_false(replay_mark(&r, s));
		}
		assert_true(replay_mark(&r, 20000 + windows[w]));
		for (uint64_t s = 20000 + windows[w] - 1; s > 20000; s--)
			assert_true(replay_mark(&r, s));
		for (uint64_t s = 20000 + windows[w]; s > 0; s--)
			assert_false(replay_mark(&r, s));
	}
}

static void left_of_the_window(void **state)
{
	struct replay r;

	(void)state;
	assert_int_equal(replay_init(&r, 64, false), 0);
	assert_true(replay_mark(&r, 1000));
	assert_true(replay_check(&r, 1000 - 63));
	assert_false(replay_check(&r, 1000 - 64));
	assert_false(replay_check(&r, 0));
	assert_true(replay_mark(&r, UINT32_MAX));
	assert_false(replay_check(&r, 1000));
	assert_false(replay_check(&r, UINT32_MAX));
}

static void sizes(void **state)
{
	struct replay r;

	(void)state;
	assert_int_equal(replay_init(&r, 31, false), -EINVAL);
	assert_int_equal(replay_init(&r, 4097, false), -EINVAL);
	assert_int_equal(replay_init(&r, 0, false), 0);
	assert_true(replay_mark(&r, 5));
	assert_true(replay_mark(&r, 5)); /* no check was asked for */
}

/* RFC 4303 A2.2, one row a case. */
static void expand(void **state)
{
	static const struct {
		uint64_t top;
		uint32_t low;
		uint64_t expect;
	} rows[] = {
		{0, 1, 1},
		{0, 0x80000000, 0x80000000},
		{0, 0xffffffff, 0},				/* would be below zero */
		{100, 37, 37},					/* inside: bottom is 37 */
		{100, 36, 0x100000024},				/* left of it: can only be the next subspace */
		{0xffffffff, 0xfffffff0, 0xfffffff0},
		{0xffffffff, 0, 0x100000000},			/* the wrap */
		{0xffffffff, 5, 0x100000005},
		{0x100000005, 0xfffffff0, 0xfffffff0},		/* case B, before the wrap */
		{0x100000005, 6, 0x100000006},
		{0x100000005, 0xffffffc6, 0xffffffc6},		/* bottom */
		{0x100000005, 0xffffffc5, 0x1ffffffc5},		/* below it: ahead */
		{0x100000040, 0, 0x200000000},
		{0x10000003f, 0, 0x100000000},
		{0xffffffffffffffff, 0, 0},			/* the end of all numbers */
		{0xffffffffffffffff, 0xffffffff, 0xffffffffffffffff},
	};
	struct replay r;

	(void)state;
	assert_int_equal(replay_init(&r, 64, true), 0);
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		r.top = rows[i].top;
		if (replay_expand(&r, rows[i].low) != rows[i].expect)
			fail_msg("row %u: got %llx", i,
				 (unsigned long long)replay_expand(&r, rows[i].low));
	}
	r.esn = false;
	r.top = 0xffffffff;
	assert_true(replay_expand(&r, 5) == 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(left_of_the_window),
		cmocka_unit_test(each_number_once),
		cmocka_unit_test(expand),
		cmocka_unit_test(random_against_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
