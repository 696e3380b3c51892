/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/engine/slots.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 64 };

static void slot_zero_is_never_used(void **state)
{
	struct slots *s = slots_new(N, 7);
	bool seen[N] = {false};
	uint32_t slot, gen;

	(void)state;
	for (int i = 1; i < N; i++) {
		assert_int_equal(slots_take(s, 0, &slot, &gen), 0);
		assert_in_range(slot, 1, N - 1);
		assert_in_range(gen, 1, SLOT_GENERATION_MAX);
		assert_false(seen[slot]);
		seen[slot] = true;
	}
	assert_int_equal(slots_take(s, 0, &slot, &gen), -ENOSPC);
	assert_int_equal(slots_used(s), N - 1);
	assert_false(slots_held(s, 0, 0));
	slots_free(s);
}

static void numbers_that_are_no_power_of_two_are_refused(void **state)
{
	(void)state;
	assert_null(slots_new(0, 0));
	assert_null(slots_new(1, 0));
	assert_null(slots_new(48, 0));
}

// corner 32
static void slot_rests_before_it_is_used_again(void **state)
{
	struct slots *s = slots_new(2, 0);
	uint32_t slot, gen, gen2;

	(void)state;
	assert_int_equal(slots_take(s, 1000, &slot, &gen), 0);
	assert_true(slots_held(s, slot, gen));
	assert_true(slots_release(s, 1000, slot, gen));
	assert_false(slots_held(s, slot, gen));
	assert_int_equal(slots_take(s, 1000 + SLOT_QUARANTINE_MS - 1, &slot, &gen2), -ENOSPC);
	assert_int_equal(slots_take(s, 1000 + SLOT_QUARANTINE_MS, &slot, &gen2), 0);
	assert_int_not_equal(gen, gen2);
	slots_free(s);
}

static void wrong_generation_releases_nothing(void **state)
{
	struct slots *s = slots_new(N, 0);
	uint32_t slot, gen;

	(void)state;
	assert_int_equal(slots_take(s, 0, &slot, &gen), 0);
	assert_false(slots_release(s, 0, slot, gen + 1));
	assert_false(slots_release(s, 0, N, gen));
	assert_false(slots_release(s, 0, 0, gen));
	assert_true(slots_release(s, 0, slot, gen));
	assert_false(slots_release(s, 0, slot, gen));
	assert_int_equal(slots_used(s), 0);
	slots_free(s);
}

static void generation_wraps_past_zero(void **state)
{
	struct slots *s = slots_new(N, SLOT_GENERATION_MAX - 1);
	uint32_t slot, gen;

	(void)state;
	assert_int_equal(slots_take(s, 0, &slot, &gen), 0);
	assert_int_equal(gen, SLOT_GENERATION_MAX);
	assert_int_equal(slots_take(s, 0, &slot, &gen), 0);
	assert_int_equal(gen, 1);
	slots_free(s);
}

static void reserved_slot_is_not_handed_out(void **state)
{
	struct slots *s = slots_new(4, 0);
	uint32_t slot, gen;

	(void)state;
	assert_int_equal(slots_reserve(s, 2, 99), 0);
	assert_int_equal(slots_reserve(s, 2, 99), -EBUSY);
	assert_int_equal(slots_reserve(s, 0, 99), -EINVAL);
	assert_int_equal(slots_reserve(s, 4, 99), -EINVAL);
	assert_int_equal(slots_reserve(s, 1, 0), -EINVAL);
	assert_int_equal(slots_reserve(s, 1, SLOT_GENERATION_MAX + 1), -EINVAL);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(slots_take(s, 0, &slot, &gen), 0);
		assert_int_not_equal(slot, 2);
	}
	assert_int_equal(slots_take(s, 0, &slot, &gen), -ENOSPC);
	assert_true(slots_release(s, 0, 2, 99));
	assert_int_equal(slots_take(s, SLOT_QUARANTINE_MS, &slot, &gen), 0);
	assert_int_equal(slot, 2);
	assert_int_not_equal(gen, 99);
	slots_free(s);
}

/* Reserved and given back while it still waits in the ring: it must not be there twice. */
static void reserved_then_released_is_queued_once(void **state)
{
	struct slots *s = slots_new(4, 0);
	uint32_t slot, gen, count = 0;

	(void)state;
	assert_int_equal(slots_reserve(s, 1, 5), 0);
	assert_true(slots_release(s, 0, 1, 5));
	/* It rests, and holds up nobody who does not. */
	while (!slots_take(s, 0, &slot, &gen)) {
		assert_int_not_equal(slot, 1);
		count++;
	}
	assert_int_equal(count, 2);
	assert_int_equal(slots_take(s, SLOT_QUARANTINE_MS, &slot, &gen), 0);
	assert_int_equal(slot, 1);
	assert_int_equal(slots_take(s, SLOT_QUARANTINE_MS, &slot, &gen), -ENOSPC);
	slots_free(s);
}

static void spi_has_the_slot_in_its_low_bits(void **state)
{
	struct slots *s = slots_new(N, 0);

	(void)state;
	assert_int_equal(slots_spi(s, 5, 0xffffffff) & (N - 1), 5);
	assert_int_equal(slots_spi(s, 5, 0xabcdef00), 0xabcdef05);
	/* RFC 4303 2.1: 1..255 are reserved, 0 is local. */
	assert_int_equal(slots_spi(s, 5, 0), 0);
	assert_int_equal(slots_spi(s, 63, 0xc0), 0);
	assert_int_equal(slots_spi(s, 1, 0x100), 0x101);
	slots_free(s);
}

/* Against a plain list of who holds what, with random input. */
static void random_use_agrees_with_a_slow_model(void **state)
{
	struct slots *s = slots_new(N, 123);
	uint32_t held[N] = {0};
	uint64_t freed[N] = {0}, now = SLOT_QUARANTINE_MS;
	uint32_t slot, gen;

	(void)state;
	srand(1);
	for (int i = 0; i < 200000; i++) {
		now += (uint64_t)(rand() % 200);
		if (rand() % 2) {
			int err = slots_take(s, now, &slot, &gen);
			bool any = false;

			for (int k = 1; k < N; k++)
				any |= !held[k] && freed[k] + SLOT_QUARANTINE_MS <= now;
			assert_int_equal(err, any ? 0 : -ENOSPC);
			if (err)
				continue;
			assert_int_equal(held[slot], 0);
			assert_true(freed[slot] + SLOT_QUARANTINE_MS <= now);
			held[slot] = gen;
		} else {
			slot = (uint32_t)(rand() % N);
			assert_int_equal(slots_release(s, now, slot, held[slot]), held[slot] != 0);
			if (held[slot])
				freed[slot] = now;
			held[slot] = 0;
		}
	}
	slots_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slot_zero_is_never_used),
		cmocka_unit_test(numbers_that_are_no_power_of_two_are_refused),
		cmocka_unit_test(slot_rests_before_it_is_used_again),
		cmocka_unit_test(wrong_generation_releases_nothing),
		cmocka_unit_test(generation_wraps_past_zero),
		cmocka_unit_test(reserved_slot_is_not_handed_out),
		cmocka_unit_test(reserved_then_released_is_queued_once),
		cmocka_unit_test(spi_has_the_slot_in_its_low_bits),
		cmocka_unit_test(random_use_agrees_with_a_slow_model),
	};

	return cmocka_run_group_tests_name("engine_slots", tests, NULL, NULL);
}
