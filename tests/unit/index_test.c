/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct item {
	uint64_t key;
	struct index_node node;
};

static struct item *find(const struct index *x, uint64_t key)
{
	struct index_node *n = index_find(x, index_hash_u64(key));

	for (; n; n = index_next(n))
		if (index_owner(n, struct item, node)->key == key)
			return index_owner(n, struct item, node);
	return NULL;
}

/* Thousands in and out in another order, through all growths. */
static void finds_what_is_in(void **state)
{
	enum { N = 5000 };
	struct item *item = calloc(N, sizeof(*item));
	struct index x;

	(void)state;
	index_init(&x);
	for (uint64_t i = 0; i < N; i++) {
		item[i].key = i * i;
		index_add(&x, &item[i].node, index_hash_u64(item[i].key));
	}
	assert_int_equal(x.n, N);
	for (uint64_t i = 0; i < N; i++)
		assert_ptr_equal(find(&x, i * i), &item[i]);
	assert_null(find(&x, 2));
	for (uint64_t i = 0; i < N; i += 2)
		index_del(&x, &item[i].node);
	for (uint64_t i = 0; i < N; i++)
		assert_ptr_equal(find(&x, i * i), i & 1 ? &item[i] : NULL);
	for (uint64_t i = 0; i < N; i++) /* twice is harmless */
		index_del(&x, &item[i].node);
	assert_int_equal(x.n, 0);
	index_free(&x);
	assert_null(find(&x, 1));
	free(item);
}

/* Members of one hash come newest first, also after the table has grown. */
static void keeps_the_order_of_equals(void **state)
{
	enum { N = 8, OTHERS = 300 };
	static struct item same[N], other[OTHERS];
	struct index_node *n;
	struct index x;
	int at = N;

	(void)state;
	index_init(&x);
	for (unsigned int i = 0; i < N; i++)
		index_add(&x, &same[i].node, 77);
	for (unsigned int i = 0; i < OTHERS; i++)
		index_add(&x, &other[i].node, i * 16 + 13);
	for (n = index_find(&x, 77); n; n = index_next(n)) {
		struct item *it = index_owner(n, struct item, node);

		if (it >= same && it < same + N)
			assert_ptr_equal(it, &same[--at]);
	}
	assert_int_equal(at, 0);
	index_free(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_is_in),
		cmocka_unit_test(keeps_the_order_of_equals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
