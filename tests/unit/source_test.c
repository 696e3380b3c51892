/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/sa/core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t clock_ms = 1000000;
static uint64_t now(void)
{
	return clock_ms;
}

static struct agent agent;

static int setup(void **state)
{
	(void)state;
	sa_clock_set(now);
	return agent_core_open(&agent);
}

static int teardown(void **state)
{
	(void)state;
	agent_core_close(&agent, false);
	sa_clock_set(NULL);
	return 0;
}

static struct ip_addr ip(const char *text)
{
	struct ip_addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

/* Half-open for longer than the grace: the threshold blocks, 0 never, and what ends makes room. */
static void blocks_who_does_not_finish(void **state)
{
	struct ip_addr a = ip("192.0.2.1"), b = ip("192.0.2.2");
	struct source_entry e[6] = {0}, other = {0};

	(void)state;
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(source_add(&agent, &e[i], &a), 0);
	assert_int_equal(source_add(&agent, &other, &b), 0);
	assert_false(source_blocked(&agent, &a, 5));
	clock_ms += SOURCE_GRACE_MS - 1;
	assert_false(source_blocked(&agent, &a, 5));
	clock_ms += 1;
	assert_true(source_blocked(&agent, &a, 5));
	assert_false(source_blocked(&agent, &a, 6));
	assert_false(source_blocked(&agent, &a, 0));
	assert_false(source_blocked(&agent, &b, 5));
	assert_int_equal(source_add(&agent, &e[5], &a), 0);
	source_drop(&agent, &e[2]);
	assert_false(source_blocked(&agent, &a, 5));
	clock_ms += SOURCE_GRACE_MS;
	assert_true(source_blocked(&agent, &a, 5));
	for (unsigned int i = 0; i < 6; i++)
		source_drop(&agent, &e[i]);
	source_drop(&agent, &e[0]);
	assert_false(source_blocked(&agent, &a, 1));
	assert_int_equal(sa_half_open_sources(&agent), 1);
	source_drop(&agent, &other);
	assert_int_equal(sa_half_open_sources(&agent), 0);
}

/* Many behind one NAT that finish at once are welcome; a burst without end is not. */
static void lets_a_burst_in(void **state)
{
	enum { MANY = SOURCE_BURST * 5 };
	struct source_entry *e = calloc(MANY, sizeof(*e));
	struct ip_addr a = ip("192.0.2.1");

	(void)state;
	for (unsigned int i = 0; i < MANY; i++) {
		assert_false(source_blocked(&agent, &a, 5));
		assert_int_equal(source_add(&agent, &e[i], &a), 0);
	}
	assert_true(source_blocked(&agent, &a, 5));
	assert_false(source_blocked(&agent, &a, 0));
	source_drop(&agent, &e[MANY - 1]);
	assert_false(source_blocked(&agent, &a, 5));
	/* from the front, the middle and the end, some slow and some not */
	clock_ms += SOURCE_GRACE_MS;
	assert_int_equal(source_add(&agent, &e[MANY - 1], &a), 0);
	assert_true(source_blocked(&agent, &a, 5));
	for (unsigned int i = 0; i < MANY; i += 2)
		source_drop(&agent, &e[i]);
	assert_true(source_blocked(&agent, &a, 5));
	for (unsigned int i = 1; i < MANY - 1; i += 2)
		source_drop(&agent, &e[i]);
	assert_false(source_blocked(&agent, &a, 5));
	source_drop(&agent, &e[MANY - 1]);
	assert_int_equal(sa_half_open_sources(&agent), 0);
	free(e);
}

/* An IPv6 host can take any address of its /64. */
static void counts_ipv6_by_prefix(void **state)
{
	struct ip_addr a = ip("2001:db8::1"), b = ip("2001:db8::ffff:1"), c = ip("2001:db8:0:1::1");
	struct source_entry x = {0}, y = {0};

	(void)state;
	assert_int_equal(source_add(&agent, &x, &a), 0);
	assert_int_equal(source_add(&agent, &y, &b), 0);
	assert_int_equal(sa_half_open_sources(&agent), 1);
	clock_ms += SOURCE_GRACE_MS;
	assert_true(source_blocked(&agent, &a, 2));
	assert_false(source_blocked(&agent, &c, 2));
	source_drop(&agent, &x);
	source_drop(&agent, &y);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(blocks_who_does_not_finish, setup, teardown),
		cmocka_unit_test_setup_teardown(lets_a_burst_in, setup, teardown),
		cmocka_unit_test_setup_teardown(counts_ipv6_by_prefix, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
