// SPDX-License-Identifier: BSD-2-Clause
#include "maps/match.h"
#include "maps/policy_index.h"
#include "tests/policy_model.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

/* What bpf/select.h does, on the writer's copy. */
static struct model_verdict lookup(struct pindex *ix, const struct xs_tuple *t)
{
	struct model_verdict v = {0};
	struct xs_masks masks;
	uint32_t best = 0;

	pindex_masks(ix, &masks);
	for (uint32_t i = 0; i < masks.n; i++) {
		struct pindex_entry *e;
		struct xs_selector sel;
		struct xs_tuple key;

		if (v.policy && best <= masks.mask[i].best)
			break;
		memset(&key, 0, sizeof(key));
		xs_key_under(t, &masks.mask[i], &key);
		e = pindex_find(ix, &key);
		if (!e)
			continue;
		pindex_value(e, &sel);
		for (uint32_t k = 0; k < sel.n; k++) {
			const struct xs_range *r = &sel.range[k];
			enum xs_fit fit = xs_range_fit(r, t);

			if (fit == XS_FIT_NO)
				continue;
			if (!v.policy || r->decision.priority < best) {
				v.policy = r->decision.policy;
				v.blocked = fit == XS_FIT_BLOCKED;
				best = r->decision.priority;
			}
			break;
		}
	}
	return v;
}

static void settle_all(struct pindex *ix)
{
	struct pindex_entry *e;

	while ((e = pindex_next_dirty(ix)))
		pindex_settle(ix, e);
}

static void same_as_model(struct pindex *ix, const struct model *m, unsigned int packets)
{
	for (unsigned int i = 0; i < packets; i++) {
		struct xs_tuple t = model_random_tuple();
		struct model_verdict want = model_lookup(m, &t), got = lookup(ix, &t);

		assert_int_equal(got.policy, want.policy);
		assert_int_equal(got.blocked, want.blocked);
	}
}

/* Priorities are all different: with equal ones either policy may win. */
static void random_against_the_model(void **state)
{
	static struct model m;

	(void)state;
	srand((unsigned int)time(NULL));
	for (unsigned int round = 0; round < 20; round++) {
		uint32_t step = 0, added = 0, refused = 0;
		struct pindex ix;

		pindex_init(&ix);
		m.n = 0;
		for (step = 0; step < 150; step++) {
			struct xs_policy p =
			    model_random_policy((uint32_t)rand() % 1000 * 150 + step);
			int err;

			if (m.n && !model_rand(4)) {
				uint32_t at = model_rand(m.n);

				pindex_del(&ix, m.id[at], &m.row[at]);
				model_del(&m, at);
			} else if (m.n && !model_rand(6)) {
				uint32_t at = model_rand(m.n);

				m.row[at].action = (uint8_t)(XS_BYPASS + model_rand(4));
				pindex_set(&ix, m.id[at], &m.row[at], m.row[at].action, 0);
			} else {
				err = pindex_add(&ix, step + 1, &p);
				assert_true(!err || err == -E2BIG);
				if (!err)
					model_add(&m, step + 1, &p);
				added += !err;
				refused += !!err;
			}
			if (model_rand(2))
				settle_all(&ix);
			same_as_model(&ix, &m, 40);
		}
		assert_true(added > refused / 8);
		while (m.n) {
			pindex_del(&ix, m.id[m.n - 1], &m.row[m.n - 1]);
			model_del(&m, m.n - 1);
		}
		settle_all(&ix);
		assert_int_equal(ix.n_masks, 0);
		assert_null(ix.entries);
		pindex_free(&ix);
	}
}

static uint32_t split(const char *lo, const char *hi, struct pindex_prefix *out)
{
	struct xs_addr a = {0}, b = {0};

	memcpy(a.b, lo, 16);
	memcpy(b.b, hi, 16);
	return pindex_split(&a, &b, out);
}

#define Z12 "\0\0\0\0\0\0\0\0\0\0\0\0"
#define F12 "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"

static void ranges_split_into_prefixes(void **state)
{
	struct pindex_prefix p[PINDEX_PREFIXES_MAX];

	(void)state;
	assert_int_equal(split(Z12 "\0\0\0\0", F12 "\xff\xff\xff\xff", p), 1);
	assert_int_equal(p[0].plen, 0);
	assert_int_equal(split(Z12 "\0\0\0\7", Z12 "\0\0\0\7", p), 1);
	assert_int_equal(p[0].plen, 128);
	assert_int_equal(split(F12 "\xff\xff\xff\xff", F12 "\xff\xff\xff\xff", p), 1);
	assert_int_equal(p[0].plen, 128);
	/* the worst: all but the first and the last */
	assert_int_equal(split(Z12 "\0\0\0\1", F12 "\xff\xff\xff\xfe", p), 254);
	/* 1..6 = 1, 2-3, 4-5, 6 */
	assert_int_equal(split(Z12 "\0\0\0\1", Z12 "\0\0\0\6", p), 4);
	assert_int_equal(p[0].plen, 128);
	assert_int_equal(p[1].plen, 127);
	assert_int_equal(p[1].addr.b[15], 2);
	assert_int_equal(p[2].plen, 127);
	assert_int_equal(p[3].addr.b[15], 6);
}

static struct xs_policy plain(uint32_t priority)
{
	struct xs_policy p = {
	    .family = 4,
	    .action = XS_PROTECT,
	    .sport_hi = 65535,
	    .dport_hi = 65535,
	    .priority = priority,
	    .src_lo = model_addr(4, 1),
	    .src_hi = model_addr(4, 1),
	    .dst_lo = model_addr(4, 2),
	    .dst_hi = model_addr(4, 2),
	};

	return p;
}

static void rows_that_make_no_sense(void **state)
{
	struct xs_policy p = plain(1);
	struct pindex ix;

	(void)state;
	pindex_init(&ix);
	p.family = 5;
	assert_int_equal(pindex_add(&ix, 1, &p), -EINVAL);
	p = plain(1);
	p.action = 0;
	assert_int_equal(pindex_add(&ix, 1, &p), -EINVAL);
	p.action = XS_TRAP + 1;
	assert_int_equal(pindex_add(&ix, 1, &p), -EINVAL);
	p = plain(1);
	p.src_hi = model_addr(4, 0);
	assert_int_equal(pindex_add(&ix, 1, &p), -EINVAL);
	p = plain(1);
	p.dst_lo = p.dst_hi = model_addr(6, 0); /* IPv6 in a row of IPv4 */
	assert_int_equal(pindex_add(&ix, 1, &p), -EINVAL);
	assert_int_equal(ix.n_masks, 0);
	assert_null(ix.entries);
	pindex_free(&ix);
}

static void more_ranges_than_fit(void **state)
{
	struct xs_policy p = plain(0);
	struct pindex ix;

	(void)state;
	pindex_init(&ix);
	for (uint32_t i = 0; i < XS_RANGES_MAX + 1; i++) {
		p.priority = i;
		p.dport_lo = (uint16_t)(10 * i);
		p.dport_hi = (uint16_t)(10 * i + 5);
		assert_int_equal(pindex_add(&ix, i + 1, &p), i < XS_RANGES_MAX ? 0 : -E2BIG);
	}
	settle_all(&ix);
	assert_int_equal(HASH_COUNT(ix.entries), 1);
	assert_int_equal(ix.mask[0].m.rows, XS_RANGES_MAX);
	pindex_free(&ix);
}

/* The refused one would need masks for several of its prefixes: those it made go again. */
static void more_masks_than_fit(void **state)
{
	struct xs_policy p = plain(0);
	uint32_t n = 0;
	struct pindex ix;

	(void)state;
	pindex_init(&ix);
	for (unsigned int plen = 0; plen < 31; plen++, n++) {
		p.src_lo = (struct xs_addr){.b = {[10] = 255, 255}};
		p.src_hi = (struct xs_addr){.b = {[10] = 255, 255, 255, 255, 255, 255}};
		for (unsigned int bit = 0; bit < plen; bit++)
			p.src_hi.b[12 + bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
		p.priority = n;
		assert_int_equal(pindex_add(&ix, n + 1, &p), 0);
	}
	assert_int_equal(ix.n_masks, 31);
	p.src_lo = model_addr(4, 1);
	p.src_hi = model_addr(4, 254);
	p.protocol = 6; /* new masks, seven of them */
	assert_int_equal(pindex_add(&ix, 99, &p), -E2BIG);
	settle_all(&ix);
	assert_int_equal(ix.n_masks, 31);
	assert_int_equal(HASH_COUNT(ix.entries), 31);
	p.src_hi = p.src_lo;
	assert_int_equal(pindex_add(&ix, 99, &p), 0);
	assert_int_equal(ix.n_masks, 32);
	pindex_free(&ix);
}

static void mask_ids_come_back_late(void **state)
{
	struct xs_policy p = plain(0);
	uint16_t first;
	struct pindex ix;

	(void)state;
	pindex_init(&ix);
	assert_int_equal(pindex_add(&ix, 1, &p), 0);
	first = ix.mask[0].m.id;
	for (int i = 0; i < 1000; i++) {
		pindex_del(&ix, 1, &p);
		assert_int_equal(ix.n_masks, 0);
		assert_int_equal(pindex_add(&ix, 1, &p), 0);
		assert_int_not_equal(ix.mask[0].m.id, first);
	}
	pindex_free(&ix);
}

static void adopted_masks_keep_their_ids(void **state)
{
	struct xs_policy p = plain(7);
	struct pindex ix, again;
	struct xs_masks masks, after;

	(void)state;
	pindex_init(&ix);
	ix.next_mask_id = 500;
	assert_int_equal(pindex_add(&ix, 1, &p), 0);
	p.protocol = 6;
	assert_int_equal(pindex_add(&ix, 2, &p), 0);
	pindex_masks(&ix, &masks);
	pindex_init(&again);
	for (uint32_t i = 0; i < masks.n; i++)
		pindex_adopt_mask(&again, &masks.mask[i]);
	assert_int_equal(pindex_add(&again, 2, &p), 0);
	pindex_drop_empty_masks(&again);
	pindex_masks(&again, &after);
	assert_int_equal(after.n, 1);
	assert_memory_equal(&after.mask[0], &masks.mask[1], sizeof(after.mask[0]));
	p.dport_lo = p.dport_hi = 80;
	assert_int_equal(pindex_add(&again, 3, &p), 0);
	assert_true(again.mask[1].m.id > 501);
	pindex_free(&ix);
	pindex_free(&again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ranges_split_into_prefixes),
	    cmocka_unit_test(rows_that_make_no_sense),
	    cmocka_unit_test(more_ranges_than_fit),
	    cmocka_unit_test(more_masks_than_fit),
	    cmocka_unit_test(mask_ids_come_back_late),
	    cmocka_unit_test(adopted_masks_keep_their_ids),
	    cmocka_unit_test(random_against_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
