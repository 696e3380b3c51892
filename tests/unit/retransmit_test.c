/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/exch/exch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* The table that users of the field know: when a request goes out again, and when it is given up. */
static const struct {
	uint32_t limit_s;
	unsigned int at_s[6];
} tables[] = {
	{0, {4, 11, 24, 47, 89, 165}},
	{40, {4, 11, 24, 47, 87, 127}},
	{10, {4, 11, 21, 31, 41, 51}},
};

static struct gw_ike_conf conf_of(uint32_t limit_s, uint32_t jitter)
{
	return (struct gw_ike_conf){.retransmit_tries = 5,
				    .retransmit_timeout_ms = 4000,
				    .retransmit_base = 1.8,
				    .retransmit_jitter = jitter,
				    .retransmit_limit_s = limit_s};
}

static void the_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		struct gw_ike_conf conf = conf_of(tables[i].limit_s, 0);
		uint64_t at = 0;

		for (unsigned int try = 0; try < 6; try++) {
			at += retransmit_wait_ms(&conf, try, UINT32_MAX);
			assert_int_equal(at / 1000, tables[i].at_s[try]);
		}
	}
}

static void jitter_takes_at_most_its_share(void **state)
{
	struct gw_ike_conf plain = conf_of(0, 0), conf = conf_of(0, 20);

	(void)state;
	for (unsigned int try = 0; try < 6; try++) {
		uint64_t whole = retransmit_wait_ms(&plain, try, 0);

		assert_int_equal(retransmit_wait_ms(&conf, try, 0), whole);
		assert_in_range(retransmit_wait_ms(&conf, try, UINT32_MAX), whole * 8 / 10 - 1,
				whole * 8 / 10 + 1);
		assert_in_range(retransmit_wait_ms(&conf, try, UINT32_MAX / 2), whole * 9 / 10 - 1,
				whole * 9 / 10 + 1);
	}
}

static void odd_configurations_stay_bounded(void **state)
{
	struct gw_ike_conf conf = conf_of(0, 0);

	(void)state;
	conf.retransmit_base = 10;
	assert_int_equal(retransmit_wait_ms(&conf, 100, 0), 86400000);
	conf.retransmit_base = 0;
	assert_int_equal(retransmit_wait_ms(&conf, 0, 0), 4000);
	assert_int_equal(retransmit_wait_ms(&conf, 3, 0), 1);
	conf.retransmit_timeout_ms = 0;
	assert_int_equal(retransmit_wait_ms(&conf, 0, 0), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table),
		cmocka_unit_test(jitter_takes_at_most_its_share),
		cmocka_unit_test(odd_configurations_stay_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
