/* SPDX-License-Identifier: BSD-2-Clause */
#include "pair.h"

#include "agent/control/control.h"
#include "common/log.h"

#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/*
 * Corner 35: the wall clock is set while the agent runs. Here it is this program that tells what time it is: the
 * functions below stand before those of the C library for all of it, libevent and OpenSSL included. Only what people
 * read, and what certificates say of themselves, may go by that clock.
 */

static int64_t jump_s;

int clock_gettime(clockid_t id, struct timespec *ts)
{
	int err = (int)syscall(SYS_clock_gettime, id, ts);

	if (!err && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		ts->tv_sec += jump_s;
	return err;
}

time_t time(time_t *out)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (out)
		*out = ts.tv_sec;
	return ts.tv_sec;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

static const int64_t jumps[] = {10 * 365 * 86400ll, -10 * 365 * 86400ll, 3600, -3600, 86400 * 20, 0};

#define EACH_JUMP (size_t j = 0; j < sizeof(jumps) / sizeof(jumps[0]); j++)

/* The test of the test: the clock that people read does jump, here and in the libraries. */
static void the_wall_clock_jumps(void **state)
{
	time_t now = time(NULL);

	(void)state;
	jump_s = jumps[0];
	assert_in_range(time(NULL) - now, jumps[0], jumps[0] + 60);
	jump_s = 0;
}

static void corner_35_our_clocks_stand_still(void **state)
{
	uint64_t engine_now_ms(void); /* agent/engine/pair.h, whose engine is the real one */
	uint64_t before, engine_before;

	(void)state;
	sa_clock_set(NULL);
	before = sa_now_ms();
	engine_before = engine_now_ms();
	for EACH_JUMP {
		jump_s = jumps[j];
		assert_in_range(sa_now_ms() - before, 0, 60000);
		assert_in_range(engine_now_ms() - engine_before, 0, 60000);
	}
	jump_s = 0;
}

/* The real monotonic clock, and the world's with it. */
static uint64_t live(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	w.now = (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
	return w.now;
}

static void run_until(const struct outcome *o)
{
	uint64_t end = sa_now_ms() + 5000;

	do {
		run();
	} while (o->error == INT32_MAX && sa_now_ms() < end);
	assert_int_equal(o->error, 0);
}

/* Everything has a timer here: rekeys, lifetimes, DPD, inactivity, retransmits, half-open IKE SAs, cookies. */
static void corner_35_a_jump_is_no_time(void **state)
{
	static const char conn[] = "dpd_delay = 30 \n reauth_time = 5h";
	static const char child[] = "inactivity = 60";
	struct outcome *o;
	unsigned int sent;

	(void)state;
	sa_clock_set(live);
	w.agent[B].gw.ike.cookie_threshold = -1;
	configure(A, conn, child);
	configure(B, conn, child);
	o = initiate(A);
	jump_s = jumps[0]; /* in the middle: the cookie stays good, nothing is half open too long */
	settle();
	assert_true(deliver_to(B));
	jump_s = jumps[1];
	assert_true(deliver_to(A));
	settle();
	jump_s = jumps[4];
	run_until(o);
	jump_s = 0;
	assert_one_pair();
	sent = w.sent[A] + w.sent[B];
	for EACH_JUMP {
		jump_s = jumps[j];
		sa_now_ms();
		run();
		assert_one_pair();
		assert_int_equal(w.sent[A] + w.sent[B], sent);
	}
	/* And what is asked for works, whatever year it is. */
	for EACH_JUMP {
		jump_s = jumps[j];
		sa_now_ms();
		run_until(rekey((int)j % 2, j % 3 ? NULL : "gw", j % 3 ? "net" : NULL));
	}
	jump_s = 0;
	w.guard = false;
}

/* A timer of the loop itself, far away: no jump brings it near. */
static void on_far(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	*(bool *)ctx = true;
}

static void corner_35_the_loop_waits_as_long_as_told(void **state)
{
	struct event_base *base = event_base_new();
	bool far = false, near = false;
	struct event *f = event_new(base, -1, 0, on_far, &far), *n = event_new(base, -1, 0, on_far, &near);
	uint64_t before;

	(void)state;
	sa_clock_set(NULL);
	before = sa_now_ms();
	event_add(f, &(struct timeval){.tv_sec = 3600});
	for EACH_JUMP {
		near = false;
		jump_s = jumps[j];
		event_add(n, &(struct timeval){.tv_usec = 2000});
		jump_s = -jumps[j];
		event_base_loop(base, EVLOOP_ONCE);
		assert_true(near);
		assert_false(far);
	}
	jump_s = 0;
	assert_in_range(sa_now_ms() - before, 0, 30000);
	event_free(f);
	event_free(n);
	event_base_free(base);
}

/* What may be logged a second does not depend on what year it is. */
static void corner_35_budgets(void **state)
{
	struct log_budget b = LOG_BUDGET_INIT;
	unsigned int lines = 0;

	(void)state;
	for (unsigned int i = 0; i < 1000; i++) {
		jump_s = jumps[i % 6];
		lines += log_budget(&b);
	}
	jump_s = 0;
	assert_in_range(lines, 1, 100);
}

#define PAIR_TEST(t) cmocka_unit_test_setup_teardown(t, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_wall_clock_jumps),
		PAIR_TEST(corner_35_our_clocks_stand_still),
		PAIR_TEST(corner_35_a_jump_is_no_time),
		cmocka_unit_test(corner_35_the_loop_waits_as_long_as_told),
		cmocka_unit_test(corner_35_budgets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
