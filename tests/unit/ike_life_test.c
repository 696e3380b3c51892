/* SPDX-License-Identifier: BSD-2-Clause */
#include "pair.h"

/* How SAs end and come back: reauthentication, hard limits, close and DPD actions, inactivity, uniqueness. */

static uint64_t counter(int side, enum ike_counter c)
{
	return sa_counter(&w.agent[side], c);
}

static struct outcome *reauth(int side)
{
	struct sa_select sel = {.ike = "gw"};
	struct outcome *o = outcome_place(), now;

	assert_int_equal(sa_reauth(&w.agent[side], &sel, on_outcome, o, &now), 0);
	return o;
}

static void set_make(bool make)
{
	w.agent[A].gw.ike.make_before_break = w.agent[B].gw.ike.make_before_break = make;
}

static struct child_sa *first_child(int side)
{
	return TAILQ_FIRST(&first_ike(side)->children);
}

/* ---- reauthentication, corner 14 ------------------------------------------------------------------ */

/* Not one packet is lost at any step: the guard of the world looks after each. */
static void reauth_make_before_break(void **state)
{
	uint64_t spi;

	(void)state;
	set_make(true);
	establish();
	for (int side = A; side <= B; side++) {
		struct outcome *o;

		spi = first_ike(A)->spi_i;
		o = reauth(side);
		run();
		assert_int_equal(o->error, 0);
		assert_non_null(strstr(o->text, "reauthenticated"));
		advance(10000);
		assert_one_pair();
		assert_true(first_ike(A)->spi_i != spi);
		assert_false(first_ike(side)->rekeyed);
		assert_int_equal(first_ike(side)->initiator, true);
		assert_int_equal(counter(side, IKE_C_reauth), 1);
	}
}

/* Every one of its messages lost once, and each repeated. */
static unsigned int drop_nth, dropped_at;

static bool drop_one(const struct test_datagram *d)
{
	(void)d;
	return dropped_at++ == drop_nth;
}

static void reauth_with_a_message_lost(void **state)
{
	(void)state;
	for (drop_nth = 0; drop_nth < 8; drop_nth++) {
		struct outcome *o;

		set_make(true);
		establish();
		dropped_at = 0;
		w.drop = drop_one;
		o = reauth(A);
		advance(60000);
		w.drop = NULL;
		assert_int_equal(o->error, 0);
		assert_one_pair();
		world_close(NULL);
		world_open(NULL);
	}
}

/* RFC 7296 2.8.3: two at once end in one, too. */
static void reauth_from_both_sides(void **state)
{
	struct outcome *a, *b;

	(void)state;
	set_make(true);
	establish();
	a = reauth(A);
	b = reauth(B);
	advance(60000);
	assert_true(a->error != INT32_MAX && b->error != INT32_MAX);
	assert_true(!a->error || !b->error);
	assert_one_pair();
}

static bool drop_all(const struct test_datagram *d)
{
	(void)d;
	return true;
}

/* The new one cannot be had: the old one works on and is tried again later. */
static void reauth_that_fails_keeps_the_old(void **state)
{
	struct outcome *o;
	uint64_t spi;

	(void)state;
	set_make(true);
	establish_with("reauth_time = 1h \n over_time = 10m \n rand_time = 0", "");
	spi = first_ike(A)->spi_i;
	w.psk[B] = NULL;
	o = reauth(A);
	run();
	assert_int_equal(o->error, -EACCES);
	assert_one_pair();
	assert_true(first_ike(A)->spi_i == spi);
	w.psk[B] = w.psk[A];
	advance(40000);
	assert_one_pair();
	assert_true(first_ike(A)->spi_i != spi);
}

static void reauth_break_before_make(void **state)
{
	struct outcome *o;
	uint64_t spi;

	(void)state;
	set_make(false);
	establish();
	w.guard = false;
	spi = first_ike(A)->spi_i;
	o = reauth(A);
	settle();
	deliver_to(B);
	settle();
	assert_int_equal(count_ikes(B), 0);
	run();
	/* What it protected was closed meanwhile. */
	assert_int_equal(w.engine[A].traps, 1);
	assert_int_equal(o->error, 0);
	assert_one_pair();
	assert_true(first_ike(A)->spi_i != spi);
}

/* By time, on both sides, and a rekey does not put it off. */
static void reauth_by_time(void **state)
{
	uint64_t spi;

	(void)state;
	set_make(true);
	establish_with("reauth_time = 2h \n rand_time = 5m", "");
	spi = first_ike(A)->spi_i;
	rekey(A, "gw", NULL);
	advance(3600 * 1000);
	assert_true(first_ike(A)->rekeyed);
	advance(3600 * 1000);
	assert_false(first_ike(A)->rekeyed);
	assert_true(first_ike(A)->spi_i != spi);
	assert_true(counter(A, IKE_C_reauth) + counter(B, IKE_C_reauth) >= 1);
	assert_one_pair();
}

/* Nobody answers: closed at reauth_time + over_time. */
static void reauth_over_time(void **state)
{
	(void)state;
	set_make(true);
	establish_with("rekey_time = 0 \n reauth_time = 1h \n over_time = 60s \n rand_time = 0", "rekey_time = 5h");
	w.guard = false;
	w.drop = drop_all;
	advance(3600 * 1000 + 59000);
	assert_int_equal(count_children(A), 1);
	advance(2000 + 170000);
	assert_int_equal(count_ikes(A), 0);
}

static void reauth_is_refused_where_it_cannot_be(void **state)
{
	struct sa_select child = {.child = "net"};
	struct outcome *o, now;

	(void)state;
	w.nat = true;
	establish();
	w.guard = false;
	assert_int_equal(sa_reauth(&w.agent[A], &child, on_outcome, NULL, &now), -EINVAL);
	o = reauth(B);
	run();
	assert_int_equal(o->error, -EDESTADDRREQ);
	assert_one_pair();
}

/* A duplicate that nobody asked to replace anything stays beside the first until the peer uses it: corner 14. */
static void equal_selectors_are_tolerated(void **state)
{
	struct ike_sa *ike;
	uint32_t spi;
	struct task *t;

	(void)state;
	establish();
	ike = first_ike(A);
	spi = active_slot(B)->spi_in;
	t = task_new(ike, TASK_CHILD_CREATE, 0);
	t->conn = conn_conf_ref(ike->conn);
	t->conf = first_child(A)->conf;
	task_queue(ike, t);
	settle();
	deliver_to(B);
	settle();
	assert_int_equal(count_children(B), 2);
	assert_int_equal(active_slot(B)->spi_in, spi);
	assert_true(TAILQ_FIRST(&first_ike(B)->children)->active);
	run();
	advance(5000);
	/* A is on the new one, and B saw it. */
	assert_true(active_slot(B)->spi_in != spi);
	assert_false(TAILQ_FIRST(&first_ike(B)->children)->active);
	check_flow(A);
	check_flow(B);
	/* The first goes, the second stays in force. */
	terminate(A, NULL, "net", false);
	t = TAILQ_FIRST(&ike->tasks);
	w.guard = false;
	advance(10000);
	assert_int_equal(count_children(A), 0);
}

/* ---- hard limits, corner 33 ------------------------------------------------------------------------------- */

static void hard_limit_beats_the_answer(void **state)
{
	struct outcome *o;
	uint32_t spi;

	(void)state;
	configure(A, "", "rekey_time = 100s \n life_time = 110s \n rand_time = 0");
	configure(B, "", "");
	initiate(A);
	run();
	spi = active_slot(A)->spi_in;
	w.drop = drop_all;
	advance(100000);
	assert_int_equal(first_child(A)->state, CHILD_REKEYING);
	assert_int_equal(w.engine[A].traps, 0);
	advance(10000);
	/* The request is still under way, the keys are gone, and what they protected is closed. */
	assert_int_equal(count_children(A), 0);
	assert_null(active_slot(A));
	assert_int_equal(w.engine[A].traps, 1);
	w.drop = NULL;
	advance(20000);
	assert_one_pair();
	assert_true(active_slot(A)->spi_in != spi);
	o = rekey(B, NULL, "net");
	advance(10000);
	assert_int_equal(o->error, 0);
	assert_one_pair();
}

static void engine_says_hard(void **state)
{
	struct engine_event ev = {.kind = ENGINE_HARD};

	(void)state;
	establish_with("", "start_action = start");
	w.guard = false;
	ev.sa = first_child(A)->engine;
	agent_engine_event(&w.agent[A], &ev);
	assert_int_equal(count_children(A), 0);
	advance(1000);
	assert_one_pair();
}

static void engine_says_soft(void **state)
{
	struct engine_event ev = {.kind = ENGINE_SOFT};
	uint32_t spi;

	(void)state;
	establish();
	spi = active_slot(A)->spi_in;
	ev.sa = first_child(A)->engine;
	agent_engine_event(&w.agent[A], &ev);
	agent_engine_event(&w.agent[A], &ev);
	advance(10000);
	assert_one_pair();
	assert_true(active_slot(A)->spi_in != spi);
	assert_int_equal(counter(A, IKE_C_rekey_child), 1);
}

#define PAIR_TEST(t) cmocka_unit_test_setup_teardown(t, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(reauth_make_before_break),
		PAIR_TEST(reauth_with_a_message_lost),
		PAIR_TEST(reauth_from_both_sides),
		PAIR_TEST(reauth_that_fails_keeps_the_old),
		PAIR_TEST(reauth_break_before_make),
		PAIR_TEST(reauth_by_time),
		PAIR_TEST(reauth_over_time),
		PAIR_TEST(reauth_is_refused_where_it_cannot_be),
		PAIR_TEST(equal_selectors_are_tolerated),
		PAIR_TEST(hard_limit_beats_the_answer),
		PAIR_TEST(engine_says_hard),
		PAIR_TEST(engine_says_soft),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
