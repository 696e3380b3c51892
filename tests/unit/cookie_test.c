/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/exch/cookie.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROTATE_MS = COOKIE_ROTATE_S * 1000, T0 = 5000 };

static const uint8_t nonce[32] = "0123456789abcdef0123456789abcde";
static const struct endpoint from = {.ip = {4, {192, 0, 2, 1}}, .port = 500};
static const uint64_t spi = 0x1122334455667788;

static bool check(struct cookie_jar *j, uint64_t now, const uint8_t *cookie, size_t n)
{
	return cookie_check(j, now, slice_of(nonce, 32), &from, spi, slice_of(cookie, n));
}

static void jar(struct cookie_jar *j, uint8_t cookie[COOKIE_LEN])
{
	assert_int_equal(cookie_jar_init(j, T0), 0);
	assert_int_equal(cookie_make(j, T0, slice_of(nonce, 32), &from, spi, cookie), 0);
}

static void good(void **state)
{
	struct cookie_jar j;
	uint8_t c[COOKIE_LEN], again[COOKIE_LEN];

	(void)state;
	jar(&j, c);
	assert_true(check(&j, T0, c, sizeof(c)));
	assert_true(check(&j, T0 + 1000, c, sizeof(c)));
	/* no state: the same question has the same answer */
	assert_int_equal(cookie_make(&j, T0 + 1000, slice_of(nonce, 32), &from, spi, again), 0);
	assert_memory_equal(c, again, sizeof(c));
}

static void bound_to_who_asked(void **state)
{
	struct endpoint port = from, ip = from, v6 = from;
	uint8_t other[33] = {0}, c[COOKIE_LEN];
	struct cookie_jar j;
	struct slice s = slice_of(c, sizeof(c));

	(void)state;
	jar(&j, c);
	port.port = 501;
	ip.ip.b[3] = 2;
	v6.ip.family = 6;
	memcpy(other, nonce, 32);
	assert_false(cookie_check(&j, T0, slice_of(nonce, 32), &port, spi, s));
	assert_false(cookie_check(&j, T0, slice_of(nonce, 32), &ip, spi, s));
	assert_false(cookie_check(&j, T0, slice_of(nonce, 32), &v6, spi, s));
	assert_false(cookie_check(&j, T0, slice_of(nonce, 32), &from, spi + 1, s));
	assert_false(cookie_check(&j, T0, slice_of(nonce, 31), &from, spi, s));
	assert_false(cookie_check(&j, T0, slice_of(other, 33), &from, spi, s));
	other[0] ^= 1;
	assert_false(cookie_check(&j, T0, slice_of(other, 32), &from, spi, s));
}

static void every_bit_counts(void **state)
{
	struct cookie_jar j;
	uint8_t c[COOKIE_LEN];

	(void)state;
	jar(&j, c);
	for (unsigned int i = 0; i < 8 * COOKIE_LEN; i++) {
		c[i / 8] ^= (uint8_t)(1U << i % 8);
		assert_false(check(&j, T0, c, sizeof(c)));
		c[i / 8] ^= (uint8_t)(1U << i % 8);
	}
}

static void every_length_counts(void **state)
{
	struct cookie_jar j;
	uint8_t c[COOKIE_LEN + 1] = {0};

	(void)state;
	jar(&j, c);
	for (size_t n = 0; n <= sizeof(c); n++) {
		uint8_t *copy = malloc(n ? n : 1);

		assert_non_null(copy);
		memcpy(copy, c, n);
		assert_int_equal(check(&j, T0, copy, n), n == COOKIE_LEN);
		free(copy);
	}
	assert_false(cookie_check(&j, T0, slice_of(nonce, 32), &from, spi, slice_of(NULL, 0)));
}

/* Good through one rotation, not through two, nor after a silence in which nobody turned the wheel. */
static void rotation(void **state)
{
	struct cookie_jar j;
	uint8_t c[COOKIE_LEN], c2[COOKIE_LEN];

	(void)state;
	jar(&j, c);
	assert_true(check(&j, T0 + ROTATE_MS - 1, c, sizeof(c)));
	assert_true(check(&j, T0 + ROTATE_MS, c, sizeof(c)));
	assert_int_equal(cookie_make(&j, T0 + ROTATE_MS, slice_of(nonce, 32), &from, spi, c2), 0);
	assert_memory_not_equal(c, c2, sizeof(c));
	assert_true(check(&j, T0 + 2 * ROTATE_MS - 1, c, sizeof(c)));
	assert_true(check(&j, T0 + 2 * ROTATE_MS, c2, sizeof(c2)));
	assert_false(check(&j, T0 + 2 * ROTATE_MS, c, sizeof(c)));
	assert_false(check(&j, T0 + 3 * ROTATE_MS, c2, sizeof(c2)));
}

static void silence(void **state)
{
	struct cookie_jar j;
	uint8_t c[COOKIE_LEN];

	(void)state;
	jar(&j, c);
	assert_false(check(&j, T0 + 2 * ROTATE_MS, c, sizeof(c)));
	jar(&j, c);
	assert_false(check(&j, T0 + 1000ULL * ROTATE_MS, c, sizeof(c)));
}

static void jars_differ(void **state)
{
	struct cookie_jar a, b;
	uint8_t c[COOKIE_LEN], d[COOKIE_LEN];

	(void)state;
	jar(&a, c);
	jar(&b, d);
	assert_false(check(&a, T0, d, sizeof(d)));
	assert_false(check(&b, T0, c, sizeof(c)));
}

/* The version before the first was never given out, so nobody may know its secret. */
static void version_never_given(void **state)
{
	const uint8_t zero[32] = {0};
	struct cookie_jar j;
	uint8_t c[COOKIE_LEN];

	(void)state;
	jar(&j, c);
	assert_memory_not_equal(j.secret[0], zero, 32);
	assert_memory_not_equal(j.secret[1], zero, 32);
	assert_memory_not_equal(j.secret[0], j.secret[1], 32);
	c[3]--;
	assert_false(check(&j, T0, c, sizeof(c)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),
		cmocka_unit_test(bound_to_who_asked),
		cmocka_unit_test(every_bit_counts),
		cmocka_unit_test(every_length_counts),
		cmocka_unit_test(rotation),
		cmocka_unit_test(silence),
		cmocka_unit_test(jars_differ),
		cmocka_unit_test(version_never_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
