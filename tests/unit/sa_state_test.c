/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/sa/core.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* The arrows of both state machines, written down a second time: what is not here is refused. */
static const struct {
	enum ike_state from, to;
} ike_arrows[] = {
	{IKE_CREATED, IKE_CONNECTING},	   {IKE_CREATED, IKE_ESTABLISHED},
	{IKE_CREATED, IKE_DEAD},	   {IKE_CONNECTING, IKE_ESTABLISHED},
	{IKE_CONNECTING, IKE_DELETING},	   {IKE_CONNECTING, IKE_DEAD},
	{IKE_ESTABLISHED, IKE_REKEYING},   {IKE_ESTABLISHED, IKE_REKEYED},
	{IKE_ESTABLISHED, IKE_DELETING},   {IKE_ESTABLISHED, IKE_DEAD},
	{IKE_REKEYING, IKE_ESTABLISHED},   {IKE_REKEYING, IKE_REKEYED},
	{IKE_REKEYING, IKE_DELETING},	   {IKE_REKEYING, IKE_DEAD},
	{IKE_REKEYED, IKE_DELETING},	   {IKE_REKEYED, IKE_DEAD},
	{IKE_DELETING, IKE_DEAD},
};

static const struct {
	enum child_state from, to;
} child_arrows[] = {
	{CHILD_CREATED, CHILD_INSTALLING},   {CHILD_CREATED, CHILD_DELETED},
	{CHILD_INSTALLING, CHILD_INSTALLED}, {CHILD_INSTALLING, CHILD_REKEYED},
	{CHILD_INSTALLING, CHILD_DELETING},  {CHILD_INSTALLING, CHILD_DELETED},
	{CHILD_INSTALLED, CHILD_REKEYING},   {CHILD_INSTALLED, CHILD_REKEYED},
	{CHILD_INSTALLED, CHILD_DELETING},   {CHILD_INSTALLED, CHILD_DELETED},
	{CHILD_REKEYING, CHILD_INSTALLED},   {CHILD_REKEYING, CHILD_REKEYED},
	{CHILD_REKEYING, CHILD_DELETING},    {CHILD_REKEYING, CHILD_DELETED},
	{CHILD_REKEYED, CHILD_DELETING},     {CHILD_REKEYED, CHILD_DELETED},
	{CHILD_DELETING, CHILD_DELETED},
};

static bool ike_listed(enum ike_state from, enum ike_state to)
{
	for (size_t i = 0; i < sizeof(ike_arrows) / sizeof(ike_arrows[0]); i++)
		if (ike_arrows[i].from == from && ike_arrows[i].to == to)
			return true;
	return false;
}

static bool child_listed(enum child_state from, enum child_state to)
{
	for (size_t i = 0; i < sizeof(child_arrows) / sizeof(child_arrows[0]); i++)
		if (child_arrows[i].from == from && child_arrows[i].to == to)
			return true;
	return false;
}

static void ike_sa_arrows(void **state)
{
	(void)state;
	for (int from = 0; from <= IKE_STATES; from++)
		for (int to = 0; to <= IKE_STATES; to++)
			assert_int_equal(ike_state_legal((enum ike_state)from, (enum ike_state)to),
					 ike_listed((enum ike_state)from, (enum ike_state)to));
}

static void child_sa_arrows(void **state)
{
	(void)state;
	for (int from = 0; from <= CHILD_STATES; from++)
		for (int to = 0; to <= CHILD_STATES; to++)
			assert_int_equal(child_state_legal((enum child_state)from, (enum child_state)to),
					 child_listed((enum child_state)from, (enum child_state)to));
}

static void an_illegal_arrow_is_refused(void **state)
{
	struct agent_core core = {.half_open = 1};
	struct agent a = {.core = &core};
	struct ike_sa ike = {.agent = &a, .state = IKE_CONNECTING, .initiator = false};

	(void)state;
	log_to_stderr(false, false);
	assert_int_equal(ike_state_set(&ike, IKE_REKEYED), -EPERM);
	assert_int_equal(ike.state, IKE_CONNECTING);
	assert_int_equal(core.half_open, 1);
	assert_int_equal(ike_state_set(&ike, IKE_ESTABLISHED), 0);
	assert_int_equal(core.half_open, 0);
}

static void names(void **state)
{
	(void)state;
	for (int i = 0; i < IKE_STATES; i++)
		assert_non_null(ike_state_name((enum ike_state)i));
	for (int i = 0; i < CHILD_STATES; i++)
		assert_non_null(child_state_name((enum child_state)i));
	assert_string_equal(ike_state_name(IKE_STATES), "?");
}

/* ---- the heap of timers against a list ---------------------------------------------------------- */

enum { TIMERS = 300 };
static struct timer pool[TIMERS];
static uint64_t last_due;
static unsigned int fired;

static void on_timer(struct timer *t)
{
	assert_true(t->due_ms >= last_due);
	assert_false(timer_armed(t));
	last_due = t->due_ms;
	fired++;
}

static void timers_fire_in_order(void **state)
{
	struct timers ts;
	uint32_t seed = 1;

	(void)state;
	assert_int_equal(timers_open(&ts, NULL), 0);
	for (int round = 0; round < 50; round++) {
		unsigned int armed = 0;

		for (int i = 0; i < 4 * TIMERS; i++) {
			seed = seed * 1664525 + 1013904223;
			if (seed >> 28 < 4)
				timer_disarm(&ts, &pool[(seed >> 8) % TIMERS]);
			else
				timer_arm(&ts, &pool[(seed >> 8) % TIMERS], seed >> 20, on_timer);
		}
		for (int i = 0; i < TIMERS; i++)
			armed += timer_armed(&pool[i]);
		fired = 0;
		last_due = 0;
		timers_run(&ts, 2000);
		assert_true(timers_next(&ts) > 2000);
		timers_run(&ts, UINT64_MAX);
		assert_int_equal(fired, armed);
		assert_true(timers_next(&ts) == UINT64_MAX);
	}
	timers_close(&ts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ike_sa_arrows),	cmocka_unit_test(child_sa_arrows),
		cmocka_unit_test(an_illegal_arrow_is_refused), cmocka_unit_test(names),
		cmocka_unit_test(timers_fire_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
