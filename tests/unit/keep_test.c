/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/keep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Equal bytes are one copy, counted; others are others, also when one begins with the other. */
static void shares_equal_bytes(void **state)
{
	const char *a = keep("abc", 3), *b = keep("abc", 3), *c = keep("abcd", 4), *none = keep("", 0);

	(void)state;
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, c);
	assert_non_null(none);
	assert_int_equal(keep_count(), 3);
	assert_memory_equal(c, "abcd", 4);
	assert_ptr_equal(keep_again(c), c);
	keep_drop(a);
	assert_memory_equal(b, "abc", 3);
	keep_drop(b);
	keep_drop(c);
	assert_int_equal(keep_count(), 2);
	keep_drop(c);
	keep_drop(none);
	keep_drop(NULL);
	assert_null(keep_again(NULL));
	assert_int_equal(keep_count(), 0);
}

/* Ten thousand values, each kept again in another order: no second copies, all gone in the end. */
static void holds_many(void **state)
{
	enum { N = 10000 };
	static const char *at[N];
	char text[32];

	(void)state;
	for (unsigned int i = 0; i < N; i++)
		at[i] = keep(text, (size_t)snprintf(text, sizeof(text), "value %u", i) + 1);
	assert_int_equal(keep_count(), N);
	for (unsigned int i = N; i-- > 0;)
		assert_ptr_equal(keep(text, (size_t)snprintf(text, sizeof(text), "value %u", i) + 1), at[i]);
	for (unsigned int i = 0; i < N; i++) {
		snprintf(text, sizeof(text), "value %u", i);
		assert_string_equal(at[i], text);
		keep_drop(at[i]);
		keep_drop(at[i]);
	}
	assert_int_equal(keep_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_equal_bytes),
		cmocka_unit_test(holds_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
