/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/conf/conf.h"
#include "agent/keys/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The rules as store.h has them, by looking at all: random files against the index. */

enum { NO, ANY, EXACT };

static int fit(const struct store_secret *x, const struct ike_id *id)
{
	int best = x->n_ids ? NO : ANY;

	for (unsigned int i = 0; i < x->n_ids; i++)
		if (!x->id[i].any && id_bytes_equal(&x->id[i].id, id))
			best = EXACT;
		else if (x->id[i].any && best == NO)
			best = ANY;
	return best;
}

static const struct store_secret *naive(const struct store *s, const struct ike_id *l, const struct ike_id *r)
{
	const struct store_secret *x, *best = NULL;
	int best_rank = 0;

	TAILQ_FOREACH (x, &s->secrets, next) {
		bool only = x->n_ids > 0;
		int rank, fr = fit(x, r);

		for (unsigned int i = 0; i < x->n_ids; i++)
			only &= !x->id[i].any && id_bytes_equal(&x->id[i].id, l);
		if (fr == NO && only)
			fr = ANY;
		if (fr == NO)
			continue;
		rank = fr * 4 + fit(x, l);
		if (rank > best_rank || (rank == best_rank && x->n_ids < best->n_ids)) {
			best_rank = rank;
			best = x;
		}
	}
	return best;
}

static const char *const names[] = {"a.example", "A.Example", "b.example", "c.example", "192.0.2.1", "%any", "d@e.f"};
enum { NAMES = sizeof(names) / sizeof(*names) };

static void agrees_with_looking_at_all(void **state)
{
	(void)state;
	srand(1);
	for (int round = 0; round < 300; round++) {
		struct settings_error err;
		struct settings *root;
		struct store s;
		char text[4096];
		size_t at = (size_t)snprintf(text, sizeof(text), "secrets {\n");

		for (int i = rand() % 8; i >= 0; i--) {
			at += (size_t)snprintf(text + at, sizeof(text) - at, "ike-%d {\nsecret = s%d\n", i, i);
			for (int j = rand() % 4; j > 0; j--)
				at += (size_t)snprintf(text + at, sizeof(text) - at, "id-%d = \"%s\"\n", j,
						       names[rand() % NAMES]);
			at += (size_t)snprintf(text + at, sizeof(text) - at, "}\n");
		}
		snprintf(text + at, sizeof(text) - at, "}\n");
		root = settings_parse("s.conf", text, strlen(text), false, &err);
		assert_non_null(root);
		store_init(&s);
		assert_int_equal(store_read(&s, root, &err), 0);
		settings_free(root);
		for (unsigned int l = 0; l < NAMES; l++) {
			for (unsigned int r = 0; r < NAMES; r++) {
				struct conf_id a, b;
				struct ike_id x, y;

				assert_int_equal(conf_id_parse(names[l], &a), 0);
				assert_int_equal(conf_id_parse(names[r], &b), 0);
				x = conf_id_view(&a);
				y = conf_id_view(&b);
				assert_ptr_equal(store_find(&s, &x, &y), naive(&s, &x, &y));
			}
		}
		store_free(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_looking_at_all)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
