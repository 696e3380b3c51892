/* SPDX-License-Identifier: BSD-2-Clause */
#include "craft.h"

/*
 * A peer that has the keys and no manners: side A is driven by hand with its own keys, side B must stay right.
 * Each gate and check of the exchanges has here what violates it.
 */

/* ---- CREATE_CHILD_SA and INFORMATIONAL ------------------------------------------------------------- */

/* CVE-2023-38710: protocol 0 and 1 in REKEY_SA, SPIs of odd lengths. */
// corner 24
static void rekey_sa_of_nothing(void **state)
{
	static const struct {
		uint8_t proto, len;
	} rows[] = {{0, 0}, {1, 0}, {1, 8}, {2, 4}, {3, 0}, {3, 4}, {3, 8}, {200, 4}};
	static const uint8_t spi[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	struct ike_msg msg;
	unsigned int error;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct child_nego *n;

		world_close(NULL);
		world_open(NULL);
		establish();
		n = offer(false);
		craft();
		msg_put_notify(&chain, rows[i].proto, N_REKEY_SA, slice_of(spi, rows[i].len),
			       slice_of(NULL, 0));
		put_child_offer(n);
		ask(IKE_CREATE_CHILD_SA);
		error = answer_of_b(&msg);
		assert_true(error == N_CHILD_SA_NOT_FOUND || error == N_INVALID_SYNTAX);
		nego_free(&w.agent[A], n);
		w.guard = false;
		if (error == N_INVALID_SYNTAX)
			assert_int_equal(count_ikes(B), 0);
		else
			assert_int_equal(count_children(B), 1);
	}
}

// corner 7
static void unknown_payloads(void **state)
{
	struct ike_msg msg;
	size_t at;

	(void)state;
	establish();
	craft();
	msg_put_raw(&chain, 200, slice_of("abc", 3));
	ask(IKE_INFORMATIONAL);
	assert_int_equal(answer_of_b(&msg), 0);
	craft();
	at = chain.w.n;
	msg_put_raw(&chain, 201, slice_of("abc", 3));
	chain.w.p[at + 1] = 0x80;
	ask(IKE_INFORMATIONAL);
	assert_int_equal(answer_of_b(&msg), N_UNSUPPORTED_CRITICAL_PAYLOAD);
	assert_int_equal(msg_error_notify(&msg)->data.n, 1);
	assert_int_equal(msg_error_notify(&msg)->data.p[0], 201);
	assert_int_equal(counter(B, IKE_C_bad_critical), 1);
	assert_one_pair();
}

/* RFC 7296 2.21.3: what cannot be decoded under the keys is fatal. */
// corner 23
static void malformed_under_the_keys(void **state)
{
	struct ike_msg msg;

	(void)state;
	establish();
	w.guard = false;
	craft();
	msg_put_raw(&chain, IKE_PL_DELETE, slice_of("\x03\x04\x00\x09", 4));
	ask(IKE_INFORMATIONAL);
	assert_int_equal(answer_of_b(&msg), N_INVALID_SYNTAX);
	assert_int_equal(count_ikes(B), 0);
	assert_int_equal(counter(B, IKE_C_bad_syntax), 1);
}

// corner 23
static void required_payloads(void **state)
{
	struct ike_msg msg;

	(void)state;
	establish();
	w.guard = false;
	craft();
	msg_put_nonce(&chain, slice_of("0123456789abcdef0123456789abcdef", 32));
	/* An error notify in a request excuses nothing. */
	msg_put_notify(&chain, 0, N_NO_ADDITIONAL_SAS, slice_of(NULL, 0), slice_of(NULL, 0));
	ask(IKE_CREATE_CHILD_SA);
	assert_int_equal(answer_of_b(&msg), N_INVALID_SYNTAX);
	assert_int_equal(count_ikes(B), 0);
}

// corner 21
static void deletes_of_what_is_not_there(void **state)
{
	static const uint32_t spis[] = {1, 0xffffffff, 0xc1000101};
	struct ike_msg msg;

	(void)state;
	establish();
	craft();
	msg_put_delete(&chain, IKE_PROTO_ESP, spis, 3);
	msg_put_delete(&chain, IKE_PROTO_AH, spis, 2);
	msg_put_delete(&chain, IKE_PROTO_ESP, spis, 0);
	ask(IKE_INFORMATIONAL);
	assert_int_equal(answer_of_b(&msg), 0);
	assert_int_equal(msg.n_delete, 0);
	assert_one_pair();
}

/* The same SPI twice in one Delete: one child, one name in the answer. */
// corner 21
static void delete_twice_in_one(void **state)
{
	uint32_t spis[2];
	struct ike_msg msg;

	(void)state;
	establish();
	w.guard = false;
	spis[0] = spis[1] = active_slot(A)->spi_in;
	craft();
	msg_put_delete(&chain, IKE_PROTO_ESP, spis, 2);
	ask(IKE_INFORMATIONAL);
	assert_int_equal(answer_of_b(&msg), 0);
	assert_int_equal(msg.del[0].n, 1);
	assert_int_equal(count_children(B), 0);
}

// corner 4
static void message_ids_outside_the_window(void **state)
{
	struct ike_sa *ike;

	(void)state;
	establish();
	ike = first_ike(A);
	for (int i = 1; i < 4; i++) {
		ike->send_mid += 1;
		craft();
		request_once(ike, IKE_INFORMATIONAL, &chain);
		deliver_to(B);
		assert_int_equal(w.n_queue, 0);
	}
	assert_int_equal(counter(B, IKE_C_bad_mid), 3);
	ike->send_mid -= 3;
	rekey(A, NULL, "net");
	advance(10000);
	assert_one_pair();
}

static void new_child_of_a_stranger_selector(void **state)
{
	struct child_nego *n;
	struct ike_msg msg;

	(void)state;
	establish();
	n = offer(false);
	n->ts_local.ts[0].lo.b[0] = n->ts_local.ts[0].hi.b[0] = 172;
	craft();
	put_child_offer(n);
	ask(IKE_CREATE_CHILD_SA);
	assert_int_equal(answer_of_b(&msg), N_TS_UNACCEPTABLE);
	nego_free(&w.agent[A], n);
	assert_one_pair();
}

static void group_and_value_do_not_fit(void **state)
{
	uint8_t zero[32] = {0};
	struct child_nego *n;
	struct ike_msg msg;

	(void)state;
	establish();
	n = offer(false);
	craft();
	msg_put_sa(&chain, n->offer);
	msg_put_nonce(&chain, slice_of(n->ni.b, n->ni.n));
	msg_put_ke(&chain, KE_ECP_256, ke_public(n->kx.ke));
	msg_put_ts(&chain, IKE_PL_TSI, &n->ts_local);
	msg_put_ts(&chain, IKE_PL_TSR, &n->ts_remote);
	ask(IKE_CREATE_CHILD_SA);
	assert_int_equal(answer_of_b(&msg), N_INVALID_KE_PAYLOAD);
	craft();
	msg_put_sa(&chain, n->offer);
	msg_put_nonce(&chain, slice_of(n->ni.b, n->ni.n));
	msg_put_ke(&chain, KE_CURVE25519, slice_of(zero, sizeof(zero)));
	msg_put_ts(&chain, IKE_PL_TSI, &n->ts_local);
	msg_put_ts(&chain, IKE_PL_TSR, &n->ts_remote);
	ask(IKE_CREATE_CHILD_SA);
	assert_int_equal(answer_of_b(&msg), N_INVALID_SYNTAX);
	assert_int_equal(counter(B, IKE_C_bad_ke), 1);
	nego_free(&w.agent[A], n);
	assert_one_pair();
}

/* ---- gates: an exchange in the wrong state ------------------------------------------------------------- */

// corner 25
static void auth_when_established(void **state)
{
	struct child_nego *n;
	struct ike_id id = {.type = ID_FQDN, .data = slice_of("a.example", 9)};

	(void)state;
	establish();
	n = offer(true);
	craft();
	msg_put_id(&chain, IKE_PL_IDI, &id);
	put_child_offer(n);
	ask(IKE_AUTH);
	deliver_to(B);
	settle();
	assert_int_equal(w.n_queue, 0);
	assert_int_equal(counter(B, IKE_C_bad_exchange), 1);
	nego_free(&w.agent[A], n);
	assert_one_pair();
}

// corner 25
static void unknown_exchanges(void **state)
{
	static const uint8_t types[] = {IKE_SESSION_RESUME, IKE_INTERMEDIATE, IKE_FOLLOWUP_KE, 200};

	(void)state;
	establish();
	for (size_t i = 0; i < sizeof(types); i++) {
		struct ike_sa *ike = first_ike(A);

		craft();
		request_once(ike, types[i], &chain);
		deliver_to(B);
		settle();
		assert_int_equal(w.n_queue, 0);
	}
	assert_int_equal(counter(B, IKE_C_bad_exchange), 4);
	assert_one_pair();
}

/* CVE-2026-78135 class: a Child SA asked for by one that has keys and is not authenticated. */
// corner 25
static void child_before_authentication(void **state)
{
	static const uint8_t types[] = {IKE_CREATE_CHILD_SA, IKE_INFORMATIONAL};
	struct ike_sa *ike;
	struct child_nego *n;

	(void)state;
	w.psk[B] = "another secret";
	configure(A, "", "");
	configure(B, "", "");
	initiate(A);
	settle();
	deliver_to(B); /* IKE_SA_INIT */
	deliver_to(A);
	settle(); /* IKE_AUTH waits in the queue */
	ike = first_ike(A);
	n = offer(false);
	for (size_t t = 0; t < 2; t++) {
		craft();
		put_child_offer(n);
		request_once(ike, types[t], &chain);
		deliver_at(w.n_queue - 1);
	}
	assert_int_equal(counter(B, IKE_C_bad_exchange), 2);
	/* IKE_AUTH has come, its MAC is being made: still nothing but that. */
	deliver_to(B);
	assert_int_equal(w.n_mac, 1);
	for (size_t t = 0; t < 2; t++) {
		ike->send_mid = 1 + (uint32_t)t;
		craft();
		put_child_offer(n);
		request_once(ike, types[t], &chain);
		deliver_at(w.n_queue - 1);
	}
	ike->send_mid = 1;
	nego_free(&w.agent[A], n);
	assert_int_equal(w.engine[B].installs, 0);
	run();
	assert_int_equal(count_ikes(B), 0);
	assert_int_equal(w.engine[B].installs, 0);
}

/* ---- answers that lie --------------------------------------------------------------------------------------- */

enum lie { WIDE, FOREIGN, NO_TS, NO_NONCE, OTHER_GROUP, ZERO_SPI, TWO_PROPOSALS, LIES };

static void craft_lie(enum lie lie, const struct child_nego *n)
{
	struct proposals sa = {.n = 1};
	struct ts_list ts = n->ts_remote;
	struct ke *ke = ke_new(KE_CURVE25519);

	sa.p[0] = n->offer->p[0];
	sa.p[0].spi[0] = 0xc1;
	if (lie == FOREIGN)
		sa.p[0].t[0].key_bits = 256;
	if (lie == ZERO_SPI)
		memset(sa.p[0].spi, 0, 4);
	if (lie == TWO_PROPOSALS) {
		sa.p[1] = sa.p[0];
		sa.p[1].number = 2;
		sa.n = 2;
	}
	if (lie == WIDE)
		ts.ts[0].hi.b[0] = 200;
	craft();
	msg_put_sa(&chain, &sa);
	if (lie != NO_NONCE)
		msg_put_nonce(&chain, slice_of("0123456789abcdef0123456789abcdef", 32));
	msg_put_ke(&chain, lie == OTHER_GROUP ? KE_ECP_256 : KE_CURVE25519, ke_public(ke));
	if (lie != NO_TS) {
		msg_put_ts(&chain, IKE_PL_TSI, &n->ts_local);
		msg_put_ts(&chain, IKE_PL_TSR, &ts);
	}
	ke_free(ke);
}

static void answers_that_lie(void **state)
{
	(void)state;
	for (enum lie lie = WIDE; lie < LIES; lie++) {
		struct outcome *o;

		world_close(NULL);
		world_open(NULL);
		establish();
		o = rekey(A, NULL, "net");
		settle();
		craft_lie(lie, task_active(first_ike(A))->nego);
		answer_instead(IKE_CREATE_CHILD_SA);
		deliver_to(A);
		settle();
		assert_int_equal(o->error, -EPROTO);
		w.guard = lie != NO_NONCE;
		advance(5000);
		if (lie == NO_NONCE) /* malformed: the end of the IKE SA */
			assert_int_equal(count_ikes(A), 0);
		else
			assert_one_pair();
		w.guard = false;
	}
}

static void answer_error(uint16_t type)
{
	craft();
	msg_put_notify(&chain, 0, type, slice_of(NULL, 0), slice_of(NULL, 0));
	answer_instead(IKE_CREATE_CHILD_SA);
	deliver_to(A);
	settle();
}

/* RFC 7296 2.25: wait, ask again, in the end close. */
// corner 24
static void temporary_failure_for_ever(void **state)
{
	struct outcome *o;
	unsigned int asked = 0;

	(void)state;
	establish();
	o = rekey(A, NULL, "net");
	settle();
	while (w.n_queue && o->error == INT32_MAX) {
		uint64_t before = w.now;

		answer_error(N_TEMPORARY_FAILURE);
		asked++;
		while (!w.n_queue && o->error == INT32_MAX) {
			w.now += 100;
			settle();
		}
		assert_true(o->error != INT32_MAX || w.now - before >= 900);
	}
	assert_int_equal(asked, TEMP_FAIL_TRIES + 1);
	assert_int_equal(o->notify, N_TEMPORARY_FAILURE);
	w.guard = false;
	run();
	assert_int_equal(count_ikes(A) + count_ikes(B), 0);
}

/* RFC 7296 2.25.1: the peer has lost it: gone without a Delete, and a new one made. */
// corner 24
static void child_sa_not_found(void **state)
{
	struct outcome *o;
	uint32_t spi;

	(void)state;
	establish();
	spi = active_slot(A)->spi_in;
	o = rekey(A, NULL, "net");
	settle();
	w.guard = false;
	/* It is gone at B as well. */
	child_gone(TAILQ_FIRST(&first_ike(B)->children), CONF_ACTION_NONE);
	answer_error(N_CHILD_SA_NOT_FOUND);
	assert_int_equal(o->notify, N_CHILD_SA_NOT_FOUND);
	advance(1000);
	assert_one_pair();
	assert_true(active_slot(A)->spi_in != spi);
	assert_true(w.engine[A].traps > 0); /* in between: never the open road */
}

/* ---- anything at all ------------------------------------------------------------------------------------------ */

static uint32_t dice;

static uint32_t roll(uint32_t n)
{
	dice = dice * 1664525 + 1013904223;
	return (dice >> 8) % n;
}

/* Some bytes of the payloads inside SK are changed, under the right keys. */
static void mutate(struct test_datagram *d)
{
	int from = 1 - d->side;
	struct ike_sa *ike;
	struct ike_msg msg;
	struct ike_hdr hdr;
	struct wr out;
	uint8_t buf[65536];
	size_t n;

	if (msg_decode(slice_of(d->p, d->n), &msg) != WIRE_OK || !msg.sk.present)
		return;
	hdr = msg.hdr;
	ike = ike_find_spi(&w.agent[from], hdr.flags & IKE_FLAG_INITIATOR ? hdr.spi_i : hdr.spi_r);
	if (!ike || ike->state == IKE_DEAD ||
	    sk_open(&ike->suite, ike->initiator ? &ike->keys.ei : &ike->keys.er,
		    ike->initiator ? &ike->keys.ai : &ike->keys.ar, &msg, plain, sizeof(plain), &n) < 0)
		return;
	for (uint32_t i = 0, times = 1 + roll(3); n && i < times; i++)
		plain[roll((uint32_t)n)] = (uint8_t)roll(256);
	if (roll(8) == 0)
		n -= roll((uint32_t)n + 1);
	chain = (struct msg_wr){.w = wr_of(plain, sizeof(plain)), .first = msg.sk.first};
	chain.w.n = n;
	if (roll(16) == 0)
		chain.first = (uint8_t)(33 + roll(20));
	out = wr_of(buf, sizeof(buf));
	if (sk_seal(&ike->suite, ike->initiator ? &ike->keys.ei : &ike->keys.er,
		    ike->initiator ? &ike->keys.ai : &ike->keys.ar, 1000000 + dice, &hdr, &chain, &out) < 0)
		return;
	free(d->p);
	d->p = malloc(out.n);
	memcpy(d->p, out.p, out.n);
	d->n = out.n;
}

static void anything_under_the_keys(void **state)
{
	unsigned int rounds = getenv("PAIR_ROUNDS") ? (unsigned int)atoi(getenv("PAIR_ROUNDS")) : 400;
	unsigned int changed = 0;

	(void)state;
	for (unsigned int i = 0; i < rounds; i++) {
		struct outcome *o[4];

		world_close(NULL);
		world_open(NULL);
		dice = i * 2654435761u + 17;
		w.seed += dice;
		configure(A, "dpd_delay = 30s", "");
		configure(B, "", "close_action = start");
		o[0] = initiate(A);
		settle();
		for (unsigned int step = 0; step < 24 && (w.n_queue || step < 3); step++) {
			struct sa_select ike = {.ike = "gw"}, child = {.child = "net"};
			struct outcome now;

			if (step == 3)
				o[1] = outcome_place(), sa_rekey(&w.agent[roll(2)], &child, on_outcome,
								 o[1], &now);
			if (step == 5)
				o[2] = outcome_place(), sa_rekey(&w.agent[roll(2)], &ike, on_outcome,
								 o[2], &now);
			if (step == 12)
				o[3] = outcome_place(), sa_terminate(&w.agent[roll(2)], &child,
								     on_outcome, o[3], &now);
			settle();
			if (!w.n_queue)
				continue;
			if (roll(4) == 0) {
				mutate(&w.queue[0]);
				changed++;
			}
			deliver_at(roll(w.n_queue));
			settle();
		}
		advance(600000);
		/* Half-open ones are gone, no continuation hangs. */
		assert_int_equal(sa_half_open(&w.agent[A]) + sa_half_open(&w.agent[B]), 0);
		assert_true(o[0]->error != INT32_MAX);
		assert_true(count_ikes(A) <= 3 && count_ikes(B) <= 3);
	}
	assert_true(changed > rounds / 2);
}

#define PAIR_TEST(t) cmocka_unit_test_setup_teardown(t, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(rekey_sa_of_nothing),
		PAIR_TEST(unknown_payloads),
		PAIR_TEST(malformed_under_the_keys),
		PAIR_TEST(required_payloads),
		PAIR_TEST(deletes_of_what_is_not_there),
		PAIR_TEST(delete_twice_in_one),
		PAIR_TEST(message_ids_outside_the_window),
		PAIR_TEST(new_child_of_a_stranger_selector),
		PAIR_TEST(group_and_value_do_not_fit),
		PAIR_TEST(auth_when_established),
		PAIR_TEST(unknown_exchanges),
		PAIR_TEST(child_before_authentication),
		PAIR_TEST(answers_that_lie),
		PAIR_TEST(temporary_failure_for_ever),
		PAIR_TEST(child_sa_not_found),
		PAIR_TEST(anything_under_the_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
