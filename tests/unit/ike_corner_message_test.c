/* SPDX-License-Identifier: BSD-2-Clause */
#include "craft.h"

/* Corners of the message layer: message ids, windows, stored answers, gates, versions, unknown payloads. */

/* A copy of the oldest datagram, which stays in the queue. */
static struct test_datagram copy_of(unsigned int i)
{
	struct test_datagram d = w.queue[i];

	assert_true(i < w.n_queue);
	d.p = malloc(d.n);
	memcpy(d.p, w.queue[i].p, d.n);
	return d;
}

static void put_back(const struct test_datagram *d)
{
	struct test_datagram again = *d;

	again.p = malloc(d->n);
	memcpy(again.p, d->p, d->n);
	w.queue[w.n_queue++] = again;
}

/* ---- answers in store ---------------------------------------------------------------------------- */

// corner 1
static void the_answer_outlives_the_ike_sa(void **state)
{
	struct test_datagram ask_again, answer;

	(void)state;
	establish();
	w.guard = false;
	terminate(A, "gw", NULL, false);
	settle();
	ask_again = copy_of(0);
	assert_true(deliver_to(B));
	settle();
	assert_int_equal(count_ikes(B), 0);
	answer = copy_of(0);
	lose_all();
	/* As often as asked, the same bytes, for as long as a lost answer is asked for again. */
	for (int i = 0; i < 3; i++) {
		w.now += 4000;
		settle();
		lose_all();
		put_back(&ask_again);
		assert_true(deliver_to(B));
		assert_int_equal(w.n_queue, 1);
		assert_int_equal(w.queue[0].n, answer.n);
		assert_memory_equal(w.queue[0].p, answer.p, answer.n);
		lose_all();
	}
	assert_int_equal(counter(B, IKE_C_retransmit_in), 3);
	/* A new request to what is deleted gets nothing of it. */
	ask_again.p[23] ^= 1;
	put_back(&ask_again);
	assert_true(deliver_to(B));
	assert_int_equal(counter(B, IKE_C_retransmit_in), 3);
	lose_all();
	free(ask_again.p);
	free(answer.p);
	run();
}

// corner 1: a request is carried out once, however often it comes
static void a_retransmit_is_not_a_new_request(void **state)
{
	struct test_datagram again;
	unsigned int installs;

	(void)state;
	establish();
	rekey(A, NULL, "net");
	settle();
	again = copy_of(0);
	put_back(&again);
	assert_true(deliver_to(B));
	settle();
	installs = w.engine[B].installs;
	put_back(&again);
	run();
	put_back(&again);
	run();
	assert_int_equal(w.engine[B].installs, installs);
	advance(10000);
	assert_one_pair();
	free(again.p);
}

/* ---- message ids ------------------------------------------------------------------------------------ */

// corner 3
static void both_directions_start_at_zero_after_a_rekey(void **state)
{
	struct ike_hdr hdr;

	(void)state;
	for (int side = A; side <= B; side++) {
		world_close(NULL);
		world_open(NULL);
		establish();
		rekey(side, "gw", NULL);
		run();
		for (int s = A; s <= B; s++) {
			assert_int_equal(first_ike(s)->send_mid, 0);
			assert_int_equal(first_ike(s)->recv_mid, 0);
		}
		for (int s = A; s <= B; s++) {
			rekey(s, NULL, "net");
			settle();
			assert_int_equal(ike_hdr_decode(slice_of(w.queue[0].p, w.queue[0].n), &hdr), WIRE_OK);
			assert_int_equal(hdr.mid, 0);
			run();
			advance(10000);
			assert_one_pair();
		}
	}
}

/* The same number in both directions at once: two exchanges, not one. */
static void numbers_are_per_direction(void **state)
{
	struct outcome *o[2];

	(void)state;
	establish();
	rekey(A, "gw", NULL);
	run();
	o[A] = rekey(A, NULL, "net");
	o[B] = rekey(B, NULL, "net");
	settle();
	assert_int_equal(first_ike(A)->send_mid, 0);
	assert_int_equal(first_ike(B)->send_mid, 0);
	run();
	advance(10000);
	assert_int_equal(o[A]->error, 0);
	assert_int_equal(o[B]->error, 0);
	assert_one_pair();
}

// corner 3: never wraps: rekeyed long before, closed in the end
static void numbers_never_come_again(void **state)
{
	struct ike_sa *old;
	uint32_t id;

	(void)state;
	for (int side = A; side <= B; side++) {
		world_close(NULL);
		world_open(NULL);
		establish();
		id = first_ike(A)->id;
		first_ike(side)->send_mid = MID_REKEY - 1;
		first_ike(1 - side)->recv_mid = MID_REKEY - 1;
		rekey(side, NULL, "net");
		run();
		advance(10000);
		assert_one_pair();
		assert_true(first_ike(A)->id != id);
		assert_true(first_ike(side)->send_mid < 10);
	}
	/* One that cannot be rekeyed any more ends before the number comes again. */
	old = first_ike(A);
	old->send_mid = UINT32_MAX - 1;
	first_ike(B)->recv_mid = UINT32_MAX - 1;
	w.guard = false;
	rekey(A, NULL, "net");
	run();
	assert_int_equal(count_ikes(A) + count_ikes(B), 0);
}

// corner 4
static void the_window_is_one(void **state)
{
	struct ike_sa *ike;
	struct ike_msg msg;
	uint32_t mid;

	(void)state;
	establish();
	ike = first_ike(A);
	mid = first_ike(B)->recv_mid;
	/* the one after the next, the last but one, far ones: ignored, no error, nothing kept */
	for (int i = 0; i < 4; i++) {
		static const uint32_t off[] = {1, 2, 1000, UINT32_MAX};

		ike->send_mid = mid + off[i] - (off[i] == UINT32_MAX ? 1 : 0);
		craft();
		request_once(ike, IKE_INFORMATIONAL, &chain);
		deliver_to(B);
		settle();
		assert_int_equal(w.n_queue, 0);
		assert_int_equal(first_ike(B)->recv_mid, mid);
	}
	assert_int_equal(counter(B, IKE_C_bad_mid), 4);
	/* A peer may open its window and close it again: we send one request at a time whatever it says. */
	ike->send_mid = mid;
	for (int i = 0; i < 2; i++) {
		craft();
		msg_put_notify(&chain, 0, N_SET_WINDOW_SIZE, slice_of(NULL, 0),
			       slice_of(i ? "\0\0\0\x1" : "\0\0\0\x9", 4));
		ask(IKE_INFORMATIONAL);
		assert_int_equal(answer_of_b(&msg), 0);
	}
	rekey(B, NULL, "net");
	terminate(B, NULL, "net", false);
	settle();
	assert_int_equal(w.n_queue, 1);
	w.guard = false;
	run();
}

// corner 4: an answer to what was not asked, or not like that
static void answers_out_of_order(void **state)
{
	struct ike_sa *b;

	(void)state;
	establish();
	b = first_ike(B);
	for (int asked = 0; asked < 2; asked++) {
		static const int off[] = {-1, 1, 7};

		if (asked) {
			rekey(A, NULL, "net");
			settle();
			lose_all();
		}
		for (int i = 0; i < 3; i++) {
			struct ike_sa *a = first_ike(A);
			uint32_t recv = b->recv_mid;

			b->req = (struct request_in){.open = true,
						     .exchange = IKE_CREATE_CHILD_SA,
						     .mid = a->send_mid + (uint32_t)off[i],
						     .local = b->local,
						     .remote = b->remote};
			craft();
			reply_send(b, &chain);
			b->recv_mid = recv;
			b->have_response = false;
			deliver_to(A);
			settle();
		}
		/* the right number, the wrong exchange */
		if (asked) {
			uint32_t recv = b->recv_mid;

			b->req = (struct request_in){.open = true,
						     .exchange = IKE_INFORMATIONAL,
						     .mid = first_ike(A)->send_mid,
						     .local = b->local,
						     .remote = b->remote};
			craft();
			reply_send(b, &chain);
			b->recv_mid = recv;
			b->have_response = false;
			deliver_to(A);
		}
	}
	assert_int_equal(counter(A, IKE_C_bad_mid), 7);
	advance(20000);
	assert_one_pair();
}

/* ---- what is forged in clear ------------------------------------------------------------------------- */

// corner 5: RFC 7296 2.4, 2.21.4: messages without keys about an IKE SA that has them
static void nothing_in_clear_changes_an_ike_sa(void **state)
{
	static const uint16_t types[] = {N_INVALID_IKE_SPI, N_AUTHENTICATION_FAILED, N_INVALID_SYNTAX,
					 N_NO_PROPOSAL_CHOSEN, N_TEMPORARY_FAILURE, N_COOKIE};
	static const uint8_t exchanges[] = {IKE_SA_INIT, IKE_AUTH, IKE_CREATE_CHILD_SA, IKE_INFORMATIONAL};
	struct outcome *o;

	(void)state;
	establish();
	for (int in_flight = 0; in_flight < 2; in_flight++) {
		o = in_flight ? rekey(A, NULL, "net") : NULL;
		settle();
		lose_all();
		for (size_t i = 0; i < 6 * 4 * 2; i++) {
			struct ike_sa *ike = first_ike(A);
			struct ike_hdr hdr = {.spi_i = ike->spi_i,
					      .spi_r = ike->spi_r,
					      .version = IKE_VERSION,
					      .exchange = exchanges[i / 6 % 4],
					      .flags = i < 24 ? IKE_FLAG_RESPONSE : 0,
					      .mid = i < 24 ? ike->send_mid : ike->recv_mid};
			uint8_t buf[128];
			struct wr out = wr_of(buf, sizeof(buf));

			craft();
			msg_put_notify(&chain, 0, types[i % 6], slice_of(NULL, 0), slice_of("\0\x13", 2));
			msg_put_delete_ike(&chain);
			assert_int_equal(msg_seal_plain(&hdr, &chain, &out), 0);
			w.acting = A;
			agent_recv(&w.agent[A], &ike->remote, &ike->local, wr_slice(&out));
			check_world();
			lose_all();
		}
		assert_int_equal(count_ikes(A), 1);
		advance(20000);
		assert_true(!o || o->error == 0);
		assert_one_pair();
	}
}

/* ---- versions and reserved bits --------------------------------------------------------------------------- */

static void from_address(unsigned int n, uint8_t version, struct ike_hdr *answer)
{
	uint8_t datagram[28] = {1, 2, 3, 4, 5, 6, 7, 8};
	struct endpoint from = {.ip = *addr_of(2), .port = 500}, to = {.ip = *addr_of(B), .port = 500};

	from.ip.b[3] = (uint8_t)n;
	datagram[17] = version;
	datagram[18] = 77;
	datagram[19] = IKE_FLAG_INITIATOR;
	datagram[23] = 9;
	datagram[27] = 28;
	*answer = (struct ike_hdr){0};
	agent_recv(&w.agent[B], &from, &to, slice_of(datagram, sizeof(datagram)));
	if (w.n_queue) {
		struct ike_msg msg;

		assert_int_equal(w.n_queue, 1);
		assert_int_equal(msg_decode(slice_of(w.queue[0].p, w.queue[0].n), &msg), WIRE_OK);
		assert_int_equal(msg.n_notify, 1);
		assert_int_equal(msg.notify[0].type, N_INVALID_MAJOR_VERSION);
		*answer = msg.hdr;
	}
	lose_all();
}

// corner 7
static void other_major_versions(void **state)
{
	unsigned int lines;
	struct ike_hdr answer;

	(void)state;
	/* IKEv3 and above: told which version we speak, in a message that it can match to its own */
	from_address(1, 0x30, &answer);
	assert_int_equal(answer.version, IKE_VERSION);
	assert_int_equal(answer.flags, IKE_FLAG_RESPONSE);
	assert_int_equal(answer.exchange, 77);
	assert_int_equal(answer.mid, 9);
	assert_true(answer.spi_i == 0x0102030405060708ull);
	assert_non_null(strstr(w.last_line, "speaks IKE version 3.0"));
	from_address(2, 0xf7, &answer);
	assert_int_equal(answer.version, IKE_VERSION);
	/* IKEv1 and what was never: dropped */
	from_address(3, 0x10, &answer);
	assert_int_equal(answer.version, 0);
	assert_non_null(strstr(w.last_line, "speaks IKE version 1.0"));
	from_address(4, 0x00, &answer);
	assert_int_equal(answer.version, 0);
	assert_int_equal(counter(B, IKE_C_bad_version), 2);
	assert_int_equal(counter(B, IKE_C_ikev1), 2);
	assert_int_equal(count_ikes(B), 0);
	/* once a peer */
	snprintf(w.last_line, sizeof(w.last_line), "-");
	for (int i = 0; i < 5; i++)
		from_address(1 + i % 4, 0x10, &answer);
	assert_string_equal(w.last_line, "-");
	/* A peer that is not among the last ones is news again; what is remembered is bounded. */
	for (lines = 0; lines < VERSION_PEERS_MAX; lines++)
		from_address(100 + lines, 0x10, &answer);
	assert_int_equal(w.agent[B].core->version_peers.n, VERSION_PEERS_MAX);
	snprintf(w.last_line, sizeof(w.last_line), "-");
	w.agent[B].core->log_bad.tokens = 1;
	from_address(1, 0x10, &answer);
	assert_string_not_equal(w.last_line, "-");
}

// corner 7: never an answer to an answer
static void a_version_in_an_answer(void **state)
{
	uint8_t datagram[28] = {1, 2, 3, 4, 5, 6, 7, 8, [17] = 0x30, [18] = 34, [19] = IKE_FLAG_RESPONSE, [27] = 28};
	struct endpoint from = {.ip = *addr_of(2), .port = 500}, to = {.ip = *addr_of(B), .port = 500};

	(void)state;
	agent_recv(&w.agent[B], &from, &to, slice_of(datagram, sizeof(datagram)));
	assert_int_equal(w.n_queue, 0);
	assert_int_equal(counter(B, IKE_C_bad_version), 1);
}

// corner 7: the minor version, reserved flags and the critical bit on what we know
static void what_is_reserved_is_ignored(void **state)
{
	struct ike_sa *ike;
	struct ike_hdr hdr;
	struct ike_msg msg;
	uint8_t buf[512];
	struct wr out = wr_of(buf, sizeof(buf));
	struct sk_piece piece;

	(void)state;
	establish();
	ike = first_ike(A);
	craft();
	msg_put_notify(&chain, 0, N_INITIAL_CONTACT, slice_of(NULL, 0), slice_of(NULL, 0));
	chain.w.p[1] = 0xff; /* critical and all reserved bits of a Notify */
	hdr = (struct ike_hdr){.spi_i = ike->spi_i,
			       .spi_r = ike->spi_r,
			       .version = 0x2f,
			       .exchange = IKE_INFORMATIONAL,
			       .flags = IKE_FLAG_INITIATOR | IKE_FLAG_VERSION | 0xc7,
			       .mid = ike->send_mid};
	piece = (struct sk_piece){.first = chain.first, .plain = wr_slice(&chain.w)};
	assert_int_equal(sk_seal_piece(&ike->suite, &ike->keys.ei, &ike->keys.ai, ike->iv_counter++, &hdr,
				       &piece, &out),
			 0);
	agent_recv(&w.agent[B], &ike->local, &ike->remote, wr_slice(&out));
	settle();
	assert_int_equal(w.n_queue, 1);
	assert_int_equal(msg_decode(slice_of(w.queue[0].p, w.queue[0].n), &msg), WIRE_OK);
	/* RFC 7296 3.1: cleared in what we send */
	assert_int_equal(msg.hdr.version, IKE_VERSION);
	assert_int_equal(msg.hdr.flags, IKE_FLAG_RESPONSE);
	lose_all();
	ike->send_mid++;
	assert_one_pair();
}

// corner 7: CVE-2026-78127, CVE-2026-12413
static void unknown_payloads_have_a_limit(void **state)
{
	struct ike_msg msg;

	(void)state;
	for (unsigned int n = IKE_UNKNOWN_MAX; n <= IKE_UNKNOWN_MAX + 1; n++) {
		world_close(NULL);
		world_open(NULL);
		establish();
		w.guard = false;
		craft();
		for (unsigned int i = 0; i < n; i++)
			msg_put_raw(&chain, 130 + i, slice_of("abc", 3));
		ask(IKE_INFORMATIONAL);
		assert_int_equal(answer_of_b(&msg), n > IKE_UNKNOWN_MAX ? N_INVALID_SYNTAX : 0);
	}
}

/* ---- the table of what is accepted when ------------------------------------------------------------------- */

struct shot {
	enum ike_state state;
	uint32_t send_mid, recv_mid;
	unsigned int children, ikes, installs, removes, sent;
	unsigned int open, request;
};

static struct shot shot_of(int side)
{
	const struct ike_sa *ike = first_ike(side);

	return (struct shot){.state = ike->state,
			     .send_mid = ike->send_mid,
			     .recv_mid = ike->recv_mid,
			     .children = count_children(side),
			     .ikes = count_ikes(side),
			     .installs = w.engine[side].installs,
			     .removes = w.engine[side].removes,
			     .sent = w.sent[side],
			     .open = ike->req.open ? 1 : 0,
			     .request = ike->request ? 1 : 0};
}

/* RFC 7296 as we read it, apart from the table in dispatch.c: nothing else may have an effect. */
static bool allowed(enum ike_state s, unsigned int exchange, bool original_initiator)
{
	switch (exchange) {
	case IKE_AUTH:
		return s == IKE_CONNECTING && !original_initiator;
	case IKE_CREATE_CHILD_SA:
	case IKE_INFORMATIONAL:
		return s >= IKE_ESTABLISHED && s <= IKE_DELETING;
	default:
		return false;
	}
}

// corner 25: all states, exchanges, directions and roles
static void gates_by_state_and_exchange(void **state)
{
	static const uint8_t exchanges[] = {0, 1, 33, IKE_AUTH, IKE_CREATE_CHILD_SA, IKE_INFORMATIONAL,
					    IKE_SESSION_RESUME, 39, IKE_INTERMEDIATE, IKE_FOLLOWUP_KE, 240, 255};
	unsigned int passed = 0, refused = 0;

	(void)state;
	for (enum ike_state s = IKE_CREATED; s < IKE_DEAD; s++) {
		for (size_t e = 0; e < sizeof(exchanges) * 4; e++) {
			uint8_t exchange = exchanges[e % sizeof(exchanges)];
			int to = e / sizeof(exchanges) % 2 ? A : B; /* A is the original initiator */
			bool response = e / sizeof(exchanges) / 2;
			struct ike_sa *ike, *from;
			struct shot before, after;
			bool effect;

			world_close(NULL);
			world_open(NULL);
			establish();
			w.guard = false;
			ike = first_ike(to);
			from = first_ike(1 - to);
			ike->state = s;
			if (s == IKE_CONNECTING && !ike->initiator)
				w.agent[to].core->half_open++;
			craft();
			if (response) {
				/* An answer to a request that is not there. */
				from->req = (struct request_in){.open = true,
								.exchange = exchange,
								.mid = ike->send_mid,
								.local = from->local,
								.remote = from->remote};
				reply_send(from, &chain);
			} else {
				request_once(from, exchange, &chain);
			}
			before = shot_of(to);
			assert_true(deliver_to(to));
			settle();
			effect = !count_ikes(to);
			if (!effect) {
				after = shot_of(to);
				effect = memcmp(&before, &after, sizeof(before)) != 0;
			}
			if (effect != (!response && allowed(s, exchange, to == A)))
				fail_msg("state %s, exchange %u, %s, to %c: %s", ike_state_name(s), exchange,
					 response ? "response" : "request", 'A' + to,
					 effect ? "had an effect" : "had none");
			effect ? passed++ : refused++;
			if (count_ikes(to)) {
				if (s == IKE_CONNECTING && !ike->initiator &&
				    first_ike(to)->state == IKE_CONNECTING)
					w.agent[to].core->half_open--;
				first_ike(to)->state = IKE_ESTABLISHED;
			}
			lose_all();
		}
	}
	assert_int_equal(passed + refused, 6 * 12 * 4);
	assert_int_equal(passed, 1 + 4 * 2 * 2);
}

// corner 25: with a request in flight, only its own exchange answers it
static void gates_of_answers(void **state)
{
	static const uint8_t exchanges[] = {0, IKE_AUTH, IKE_CREATE_CHILD_SA, IKE_INFORMATIONAL,
					    IKE_SESSION_RESUME, IKE_INTERMEDIATE, IKE_FOLLOWUP_KE, 255};

	(void)state;
	for (unsigned int kind = 0; kind < 3; kind++) {
		for (size_t e = 0; e < sizeof(exchanges); e++) {
			uint8_t right = kind < 2 ? IKE_CREATE_CHILD_SA : IKE_INFORMATIONAL;
			uint32_t mid;

			world_close(NULL);
			world_open(NULL);
			establish();
			w.guard = false;
			if (kind == 0)
				rekey(A, NULL, "net");
			else if (kind == 1)
				rekey(A, "gw", NULL);
			else
				terminate(A, NULL, "net", false);
			settle();
			craft();
			mid = first_ike(A)->send_mid;
			answer_instead(exchanges[e]);
			deliver_to(A);
			assert_int_equal(first_ike(A)->send_mid, exchanges[e] == right ? mid + 1 : mid);
			assert_int_equal(first_ike(A)->request != NULL, exchanges[e] != right);
			lose_all();
		}
	}
}

#define PAIR_TEST(t) cmocka_unit_test_setup_teardown(t, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(the_answer_outlives_the_ike_sa),
		PAIR_TEST(a_retransmit_is_not_a_new_request),
		PAIR_TEST(both_directions_start_at_zero_after_a_rekey),
		PAIR_TEST(numbers_are_per_direction),
		PAIR_TEST(numbers_never_come_again),
		PAIR_TEST(the_window_is_one),
		PAIR_TEST(answers_out_of_order),
		PAIR_TEST(nothing_in_clear_changes_an_ike_sa),
		PAIR_TEST(other_major_versions),
		PAIR_TEST(a_version_in_an_answer),
		PAIR_TEST(what_is_reserved_is_ignored),
		PAIR_TEST(unknown_payloads_have_a_limit),
		PAIR_TEST(gates_by_state_and_exchange),
		PAIR_TEST(gates_of_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
