/* SPDX-License-Identifier: BSD-2-Clause */
#include "pair.h"

/* IKE SAs without a first child (RFC 6023), and a first child that comes later (RFC 7296 2.21.2, 2.25). */

static struct outcome *initiate_ike(int side)
{
	struct outcome *o = outcome_place(), now;

	assert_int_equal(sa_initiate(&w.agent[side], "gw", NULL, on_outcome, o, &now), 0);
	return o;
}

static uint64_t counted(int side, enum ike_counter c)
{
	return sa_counter(&w.agent[side], c);
}

static void assert_ike_alone(void)
{
	assert_int_equal(count_ikes(A), 1);
	assert_int_equal(count_ikes(B), 1);
	assert_int_equal(count_children(A), 0);
	assert_int_equal(count_children(B), 0);
	assert_int_equal(first_ike(A)->state, IKE_ESTABLISHED);
	assert_int_equal(first_ike(B)->state, IKE_ESTABLISHED);
	assert_null(first_ike(A)->setup);
	assert_null(first_ike(B)->setup);
	assert_null(first_ike(B)->in);
}

/* Asked for without a child; the child by CREATE_CHILD_SA; the same from the responder. */
static void ike_alone_then_child(void **state)
{
	struct outcome *o;

	(void)state;
	for (int side = A; side <= B; side++) {
		configure(A, "", "");
		configure(B, "", "");
		o = initiate_ike(A);
		run();
		assert_int_equal(o->error, 0);
		assert_non_null(strstr(o->text, "IKE_SA gw["));
		assert_ike_alone();
		/* once more is success, and makes nothing */
		o = initiate_ike(A);
		run();
		assert_int_equal(o->error, 0);
		assert_ike_alone();
		o = initiate(side);
		run();
		assert_int_equal(o->error, 0);
		assert_one_pair();
		terminate(A, "gw", NULL, false);
		run();
		assert_int_equal(count_ikes(B), 0);
	}
}

/* Two who ask while it comes wait for the same. */
static void asked_twice_while_it_comes(void **state)
{
	struct outcome *a, *b, *c;

	(void)state;
	configure(A, "", "");
	configure(B, "", "");
	a = initiate_ike(A);
	b = initiate_ike(A);
	c = initiate(A);
	run();
	assert_int_equal(a->error, 0);
	assert_int_equal(b->error, 0);
	assert_int_equal(c->error, 0);
	assert_one_pair();
}

/* prefer and force: IKE_AUTH without the child, which follows; the command hears of the child. */
static void prefer_and_force_send_no_child(void **state)
{
	static const char *const words[] = {"childless = prefer", "childless = force"};
	struct outcome *o;

	(void)state;
	for (int i = 0; i < 2; i++) {
		configure(A, words[i], "");
		configure(B, words[i], "");
		o = initiate(A);
		run();
		assert_int_equal(o->error, 0);
		assert_non_null(strstr(o->text, "CHILD_SA net{"));
		assert_one_pair();
		/* a child of CREATE_CHILD_SA has had a key exchange of its own */
		assert_int_equal(TAILQ_FIRST(&first_ike(A)->children)->suite.ke, KE_CURVE25519);
		terminate(A, "gw", NULL, false);
		run();
	}
}

/* The responder did not say that it can: prefer goes on with a child, force and --ike end. */
static void not_without_the_notify(void **state)
{
	struct outcome *o;

	(void)state;
	configure(B, "childless = never", "");
	configure(A, "childless = prefer", "");
	o = initiate(A);
	run();
	assert_int_equal(o->error, 0);
	assert_int_equal(TAILQ_FIRST(&first_ike(A)->children)->suite.ke, 0);
	terminate(A, "gw", NULL, false);
	run();
	o = initiate_ike(A);
	run();
	assert_int_equal(o->error, -EOPNOTSUPP);
	configure(A, "childless = force", "");
	o = initiate(A);
	run();
	assert_int_equal(o->error, -EOPNOTSUPP);
	assert_int_equal(count_ikes(A), 0);
	advance(60000);
	assert_int_equal(count_ikes(B), 0);
}

static void own_never_is_said_at_once(void **state)
{
	struct outcome *o;

	(void)state;
	configure(A, "childless = never", "");
	configure(B, "", "");
	o = initiate_ike(A);
	run();
	assert_int_equal(o->error, -EINVAL);
	assert_non_null(strstr(o->text, "childless = never"));
	assert_int_equal(w.sent[A], 0);
}

/* A peer that does it without being allowed: as who does not know the extension. */
static void never_refuses_childless(void **state)
{
	struct outcome *o;

	(void)state;
	configure(A, "", "");
	configure(B, "", "");
	o = initiate_ike(A);
	assert_true(deliver_to(B) || (settle(), deliver_to(B)));
	settle();
	/* B changes its mind after IKE_SA_INIT */
	first_ike(B)->conn->childless = CONF_CHILDLESS_NEVER;
	run();
	assert_int_equal(o->error, -EACCES);
	assert_int_equal(o->notify, N_INVALID_SYNTAX);
	assert_int_equal(counted(B, IKE_C_auth_childless), 1);
	assert_int_equal(count_ikes(A), 0);
	assert_int_equal(count_ikes(B), 0);
}

static void force_refuses_a_first_child(void **state)
{
	struct outcome *o;

	(void)state;
	configure(A, "", "");
	configure(B, "childless = force", "");
	o = initiate(A);
	run();
	assert_int_equal(o->error, -EACCES);
	assert_int_equal(o->notify, N_NO_ADDITIONAL_SAS);
	assert_int_equal(counted(B, IKE_C_auth_childless), 1);
	assert_int_equal(count_ikes(A), 0);
	assert_int_equal(count_ikes(B), 0);
	assert_int_equal(w.n_mac, 0);
}

/* ---- RFC 7296 2.21.2, 2.25: the first child was refused for now -------------------------------------- */

static void first_child_temporary_failure_is_tried_again(void **state)
{
	struct outcome *o;

	(void)state;
	configure(A, "", "");
	configure(B, "", "");
	w.engine[B].ready = false;
	o = initiate(A);
	run();
	/* The IKE SA lives; the command waits for the child. */
	assert_ike_alone();
	assert_int_equal(o->error, INT32_MAX);
	w.engine[B].ready = true;
	advance(500);
	assert_int_equal(count_children(A), 0);
	advance(10000);
	assert_int_equal(o->error, 0);
	assert_one_pair();
}

static void first_child_refused_for_good_keeps_the_ike_sa(void **state)
{
	struct outcome *o;

	(void)state;
	configure(A, "", "esp_proposals = aes256gcm16");
	configure(B, "", "");
	o = initiate(A);
	run();
	assert_int_equal(o->error, -EPROTO);
	assert_int_equal(o->notify, N_NO_PROPOSAL_CHOSEN);
	assert_ike_alone();
}

/* Some of SA, TSi and TSr are neither a child nor none. */
static void part_of_a_child_is_no_message(void **state)
{
	struct ike_sa *ike;
	struct msg_wr chain;
	struct ike_id id;
	struct outcome *o;

	(void)state;
	configure(A, "", "");
	configure(B, "", "");
	o = initiate_ike(A);
	settle();
	assert_true(deliver_to(B));
	settle();
	assert_true(deliver_to(A));
	/* in place of what A is about to send */
	ike = first_ike(A);
	id = (struct ike_id){.type = ID_FQDN, .data = slice_of("a.example", 9)};
	chain_start(&w.agent[A], &chain);
	msg_put_id(&chain, IKE_PL_IDI, &id);
	msg_put_auth(&chain, AUTH_METHOD_PSK, slice_of("0123456789abcdef0123456789abcdef", 32));
	msg_put_ts(&chain, IKE_PL_TSI, ike->conn->child[0].local_ts);
	msg_put_ts(&chain, IKE_PL_TSR, ike->conn->child[0].remote_ts);
	w.n_mac = 0;
	assert_int_equal(request_send(ike, IKE_AUTH, &chain), 0);
	run();
	assert_int_equal(counted(B, IKE_C_bad_syntax), 1);
	assert_int_equal(o->notify, N_INVALID_SYNTAX);
	assert_int_equal(count_ikes(A), 0);
	assert_int_equal(count_ikes(B), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_open, world_close)
	static const struct CMUnitTest tests[] = {
		T(ike_alone_then_child),
		T(asked_twice_while_it_comes),
		T(prefer_and_force_send_no_child),
		T(not_without_the_notify),
		T(own_never_is_said_at_once),
		T(never_refuses_childless),
		T(force_refuses_a_first_child),
		T(first_child_temporary_failure_is_tried_again),
		T(first_child_refused_for_good_keeps_the_ike_sa),
		T(part_of_a_child_is_no_message),
	};
#undef T

	return cmocka_run_group_tests_name("ike_childless", tests, NULL, NULL);
}
