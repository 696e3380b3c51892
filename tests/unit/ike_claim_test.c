/* SPDX-License-Identifier: BSD-2-Clause */
#include "pair.h"

#include "craft.h"

/* What a peer that proves itself may not gain beside that: another one's place, or any number of IKE SAs. */

#define B_CONN(name, proposal, id)                                                                                     \
	name " { local_addrs = 198.51.100.2 \n remote_addrs = %any \n proposals = " proposal "\n"                     \
	     " local { auth = psk \n id = b.example } \n remote { auth = psk \n id = " id " } \n"                     \
	     " children { net { local_ts = 10.2.0.0/24 \n remote_ts = 10.1.0.0/24 \n"                                 \
	     " esp_proposals = aes128gcm16 } } } \n"
#define A_CONN(name, proposal)                                                                                         \
	name " { local_addrs = 192.0.2.1 \n remote_addrs = 198.51.100.2 \n proposals = " proposal "\n"                \
	     " local { auth = psk \n id = a.example } \n remote { auth = psk \n id = b.example } \n"                  \
	     " children { net { local_ts = 10.1.0.0/24 \n remote_ts = 10.2.0.0/24 \n"                                 \
	     " esp_proposals = aes128gcm16 } } } \n"
#define SMALL "aes128gcm16-prfsha256-x25519"
#define LARGE "aes256gcm16-prfsha384-x25519"

static unsigned int live(int side)
{
	const struct ike_sa *ike;
	unsigned int n = 0;

	TAILQ_FOREACH (ike, sa_all(&w.agent[side]), all)
		n += ike->state != IKE_DEAD;
	return n;
}

static struct outcome *initiate_conn(const char *conn)
{
	struct outcome *o = outcome_place(), now;

	assert_int_equal(sa_initiate(&w.agent[A], conn, "net", on_outcome, o, &now), 0);
	run();
	return o;
}

/*
 * Who has a connection of its own cannot come in by the one for anybody, which may ask for less, by offering what the
 * first does not take.
 */
static void no_other_connection_by_proposal(void **state)
{
	const struct ike_sa *ike;

	(void)state;
	configure_text(A, "connections { " A_CONN("small", SMALL) A_CONN("large", LARGE) "}");
	configure_text(B, "connections { " B_CONN("named", LARGE, "a.example") B_CONN("any", SMALL, "%any") "}");
	assert_int_equal(initiate_conn("small")->error, -EACCES);
	assert_int_equal(counter(B, IKE_C_auth_no_conn), 1);
	assert_int_equal(live(A) + live(B), 0);
	assert_int_equal(initiate_conn("large")->error, 0);
	assert_int_equal(live(B), 1);
	TAILQ_FOREACH (ike, sa_all(&w.agent[B]), all)
		if (ike->state != IKE_DEAD)
			assert_string_equal(ike->conn->name, "named");
}

/* INITIAL_CONTACT of who knows the secret does not end an IKE SA that a certificate opened; the other way it does. */
static void a_secret_does_not_supersede_a_key(void **state)
{
	struct ike_sa *first;

	(void)state;
	configure_text(A, "connections { " A_CONN("gw", SMALL) A_CONN("two", LARGE) "}");
	configure_text(B, "connections { " B_CONN("one", SMALL, "a.example") B_CONN("two", LARGE, "a.example") "}");
	assert_int_equal(initiate_conn("gw")->error, 0);
	first = first_ike(B);
	assert_string_equal(first->conn->name, "one");
	/* as if it had: how it proved itself is the connection's */
	first->conn->remote_auth = CONF_AUTH_PUBKEY;
	assert_int_equal(initiate_conn("two")->error, 0);
	advance(2000);
	assert_int_equal(first->state, IKE_ESTABLISHED);
	assert_int_equal(live(B), 2);
	first->conn->remote_auth = CONF_AUTH_PSK;
	terminate(A, "two", NULL, false);
	run();
	assert_int_equal(live(B), 1);
	assert_int_equal(initiate_conn("two")->error, 0);
	advance(2000);
	assert_int_equal(live(B), 1);
}

static uint32_t newest(int side)
{
	const struct ike_sa *ike;
	uint32_t id = 0;

	TAILQ_FOREACH (ike, sa_all(&w.agent[side]), all)
		if (ike->state == IKE_ESTABLISHED && ike->id > id)
			id = ike->id;
	return id;
}

/* Delivers all but what A says in INFORMATIONAL. */
static void run_without_deletes(void)
{
	settle();
	while (w.n_queue) {
		if (w.queue[0].side == B && w.queue[0].p[18] == IKE_INFORMATIONAL) {
			free(w.queue[0].p);
			memmove(&w.queue[0], &w.queue[1], --w.n_queue * sizeof(w.queue[0]));
		} else {
			deliver_at(0);
		}
		settle();
	}
}

/* A peer that rekeys the IKE SA again and again and deletes none: two of them are there, not any number. */
static void rekeys_without_deletes(void **state)
{
	(void)state;
	establish();
	w.guard = false;
	for (int i = 0; i < 8; i++) {
		struct sa_select sel = {.ike = "gw"};
		struct outcome *o = outcome_place(), now;

		sel.ike_id = newest(A);
		assert_int_equal(sa_rekey(&w.agent[A], &sel, on_outcome, o, &now), 0);
		run_without_deletes();
		assert_int_equal(o->error, 0);
		assert_in_range(live(B), 1, 2);
	}
}

#define PAIR_TEST(t) cmocka_unit_test_setup_teardown(t, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(no_other_connection_by_proposal),
		PAIR_TEST(a_secret_does_not_supersede_a_key),
		PAIR_TEST(rekeys_without_deletes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
