/* SPDX-License-Identifier: BSD-2-Clause */
#include "vectors.h"

#include "common/xcbc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* RFC 3566 4.6, each message in one piece and in all kinds of pieces. */
static void rfc3566(void **state)
{
	static const struct {
		uint32_t n;
		const char *mac;
	} rows[] = {
		{0, "75f0251d528ac01c4573dfd584d79f29"},
		{3, "5b376580ae2f19afe7219ceef172756f"},
		{16, "d2a246fa349b68a79998a4394ff7a263"},
		{20, "47f51b4564966215b8985c63055ed308"},
		{32, "f54f0ec8d2b9f3d36807734bd5283fd4"},
		{34, "becbb3bccdb518a30677d5481fb6b4d8"},
		{1000, "f0dafee895db30253761103b5d84528f"},
	};
	uint8_t key[XCBC_KEY], data[1000], mac[XCBC_BLOCK];
	struct xcbc *x;

	(void)state;
	for (int i = 0; i < XCBC_KEY; i++)
		key[i] = (uint8_t)i;
	x = xcbc_new(key);
	assert_non_null(x);
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice want;
		uint8_t expect[XCBC_BLOCK];

		want = hex_bytes(rows[i].mac, expect, sizeof(expect));
		for (uint32_t k = 0; k < rows[i].n; k++)
			data[k] = rows[i].n == 1000 ? 0 : (uint8_t)k; /* the last one is of zeros */
		for (uint32_t piece = 1; piece <= 1000; piece = piece < 40 ? piece + 1 : piece * 5) {
			assert_true(xcbc_start(x));
			for (uint32_t at = 0; at < rows[i].n; at += piece)
				assert_true(xcbc_update(x, data + at,
							rows[i].n - at < piece ? rows[i].n - at : piece));
			assert_true(xcbc_final(x, mac));
			assert_memory_equal(mac, want.p, XCBC_BLOCK);
		}
	}
	xcbc_free(x);
	xcbc_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc3566),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
