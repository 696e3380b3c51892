/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/engine/kernel_selectors.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct xs_policy row_of(const char *src_lo, const char *src_hi, const char *dst_lo, const char *dst_hi)
{
	const char *const text[] = {src_lo, src_hi, dst_lo, dst_hi};
	struct xs_policy row = {.sport_hi = 65535, .dport_hi = 65535, .priority = 9};
	struct xs_addr *const to[] = {&row.src_lo, &row.src_hi, &row.dst_lo, &row.dst_hi};
	struct ip_addr a;

	for (size_t i = 0; i < COUNT(to); i++) {
		assert_int_equal(addr_parse(text[i], &a), 0);
		addr_to_mapped(&a, to[i]->b);
		row.family = a.family;
	}
	return row;
}

static int make(struct xs_policy *row, uint32_t n, struct kernel_selectors *out)
{
	const struct policy_rows rows = {.n = n, .row = row};

	return kernel_selectors_make(&rows, out);
}

/* The kernel's own rule: under prefix and mask. */
static bool under(const struct ip_addr *net, unsigned int len, const struct ip_addr *a)
{
	struct ip_addr lo, hi;

	addr_prefix_range(net, len, &lo, &hi);
	return addr_cmp(&lo, a) <= 0 && addr_cmp(a, &hi) <= 0;
}

static unsigned int takers(const struct kernel_selectors *l, const char *src, const char *dst, uint16_t sport,
			   uint16_t dport)
{
	struct ip_addr s, d;
	unsigned int n = 0;

	assert_int_equal(addr_parse(src, &s), 0);
	assert_int_equal(addr_parse(dst, &d), 0);
	for (uint32_t i = 0; i < l->n; i++) {
		const struct xf_selector *x = &l->at[i].sel;

		n += under(&x->src, x->src_len, &s) && under(&x->dst, x->dst_len, &d) &&
		     (sport & x->sport_mask) == x->sport && (dport & x->dport_mask) == x->dport;
	}
	return n;
}

static void a_prefix_stays_one(void **state)
{
	struct xs_policy row = row_of("10.1.0.0", "10.1.255.255", "0.0.0.0", "255.255.255.255");
	struct kernel_selectors l;

	(void)state;
	row.protocol = 6;
	row.dport_lo = row.dport_hi = 443;
	assert_int_equal(make(&row, 1, &l), 0);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.at[0].sel.src_len, 16);
	assert_int_equal(l.at[0].sel.dst_len, 0);
	assert_int_equal(l.at[0].sel.protocol, 6);
	assert_int_equal(l.at[0].sel.sport_mask, 0);
	assert_int_equal(l.at[0].sel.dport, 443);
	assert_int_equal(l.at[0].sel.dport_mask, 0xffff);
	assert_int_equal(l.at[0].priority, 9);
	free(l.at);
	row = row_of("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::", "2001:db8::ffff");
	assert_int_equal(make(&row, 1, &l), 0);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.at[0].sel.src_len, 0);
	assert_int_equal(l.at[0].sel.dst_len, 112);
	free(l.at);
}

/* Each packet of the range is taken once, none beside it. */
static void a_range_is_cut_without_gap(void **state)
{
	struct xs_policy row = row_of("10.0.0.3", "10.0.1.17", "192.0.2.255", "192.0.3.0");
	struct kernel_selectors l;
	char src[32];

	(void)state;
	row.protocol = 17;
	row.sport_lo = 1000;
	row.sport_hi = 1003;
	row.dport_lo = 7;
	row.dport_hi = 8;
	assert_int_equal(make(&row, 1, &l), 0);
	for (unsigned int i = 0; i < 512; i++) {
		bool inside = i >= 3 && i <= 256 + 17;

		snprintf(src, sizeof(src), "10.0.%u.%u", i >> 8, i & 255);
		assert_int_equal(takers(&l, src, "192.0.3.0", 1000, 8), inside);
		assert_int_equal(takers(&l, src, "192.0.2.255", 1003, 7), inside);
	}
	assert_int_equal(takers(&l, "10.0.0.9", "192.0.2.254", 1000, 7), 0);
	assert_int_equal(takers(&l, "10.0.0.9", "192.0.3.1", 1000, 7), 0);
	for (unsigned int port = 0; port < 65536; port++)
		assert_int_equal(takers(&l, "10.0.0.9", "192.0.3.0", (uint16_t)port, 7), port >= 1000 && port <= 1003);
	free(l.at);
}

/* The last addresses and ports there are: no overflow, no endless loop. */
static void the_ends_of_the_world(void **state)
{
	struct xs_policy row = row_of("255.255.255.254", "255.255.255.255", "0.0.0.0", "0.0.0.0");
	struct kernel_selectors l;

	(void)state;
	row.protocol = 6;
	row.sport_lo = row.sport_hi = 65535;
	row.dport_lo = 1;
	row.dport_hi = 65535;
	assert_int_equal(make(&row, 1, &l), 0);
	assert_int_equal(takers(&l, "255.255.255.255", "0.0.0.0", 65535, 65535), 1);
	assert_int_equal(takers(&l, "255.255.255.255", "0.0.0.0", 65535, 0), 0);
	free(l.at);
	row = row_of("::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::", "::");
	assert_int_equal(make(&row, 1, &l), 0);
	assert_int_equal(l.n, 128);
	free(l.at);
}

static void what_the_kernel_has_no_word_for(void **state)
{
	struct xs_policy opaque = row_of("10.0.0.0", "10.0.0.255", "10.1.0.0", "10.1.0.255");
	struct xs_policy wide = row_of("10.0.0.1", "10.255.255.254", "10.0.0.1", "10.255.255.254");
	struct xs_policy many[KERNEL_SELECTORS_MAX + 1];
	struct kernel_selectors l;

	(void)state;
	opaque.protocol = 6;
	opaque.sport_lo = 65535;
	opaque.sport_hi = 0;
	assert_int_equal(make(&opaque, 1, &l), -EOPNOTSUPP);
	assert_null(l.at);
	assert_int_equal(make(&wide, 1, &l), -E2BIG);
	assert_null(l.at);
	for (size_t i = 0; i < COUNT(many); i++)
		many[i] = row_of("10.0.0.0", "10.0.0.255", "10.1.0.0", "10.1.0.255");
	assert_int_equal(make(many, COUNT(many), &l), -E2BIG);
	assert_null(l.at);
	assert_int_equal(make(many, COUNT(many) - 1, &l), 0);
	assert_int_equal(l.n, KERNEL_SELECTORS_MAX);
	free(l.at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_prefix_stays_one),
		cmocka_unit_test(a_range_is_cut_without_gap),
		cmocka_unit_test(the_ends_of_the_world),
		cmocka_unit_test(what_the_kernel_has_no_word_for),
	};

	return cmocka_run_group_tests_name("kernel_selectors", tests, NULL, NULL);
}
