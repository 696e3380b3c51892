/* SPDX-License-Identifier: BSD-2-Clause */
#include "craft.h"

/* Corners of deletes, refusals and the SPIs of Child SAs: RFC 7296 1.4.1, 2.21, 2.25. */

static struct child_sa *child_of(int side)
{
	return TAILQ_FIRST(&first_ike(side)->children);
}

static void ask_delete(uint8_t proto, const uint32_t *spis, uint16_t n)
{
	craft();
	msg_put_delete(&chain, proto, spis, n);
	ask(IKE_INFORMATIONAL);
}

/* ---- deletes ------------------------------------------------------------------------------------------ */

// corner 21: the sender's inbound SPI is named, the paired one answers
static void a_delete_names_the_inbound_spi(void **state)
{
	uint32_t spi_a, spi_b;
	struct ike_msg msg;

	(void)state;
	establish();
	w.guard = false;
	spi_a = child_of(A)->spi_in;
	spi_b = child_of(B)->spi_in;
	ask_delete(IKE_PROTO_ESP, &spi_b, 1); /* ours named by its outbound SPI: nothing */
	assert_int_equal(answer_of_b(&msg), 0);
	assert_int_equal(msg.n_delete, 0);
	assert_int_equal(count_children(B), 1);
	ask_delete(IKE_PROTO_ESP, &spi_a, 1);
	assert_int_equal(answer_of_b(&msg), 0);
	assert_int_equal(msg.n_delete, 1);
	assert_int_equal(msg.del[0].proto, IKE_PROTO_ESP);
	assert_int_equal(msg.del[0].n, 1);
	assert_true(msg.del[0].spi[0] == spi_b);
	/* again: there is nothing left to name */
	ask_delete(IKE_PROTO_ESP, &spi_a, 1);
	assert_int_equal(answer_of_b(&msg), 0);
	assert_int_equal(msg.n_delete, 0);
	assert_int_equal(count_children(B), 0);
}

// corner 21: Delete of the IKE SA: all children with it, the answer is empty, whatever else is named
static void a_delete_of_the_ike_sa_takes_all(void **state)
{
	struct test_datagram d;
	struct ike_sa *ike;
	struct ike_msg msg;
	uint32_t spi;
	size_t n;

	(void)state;
	establish();
	w.guard = false;
	spi = child_of(A)->spi_in;
	craft();
	msg_put_delete(&chain, IKE_PROTO_ESP, &spi, 1);
	msg_put_delete_ike(&chain);
	ask(IKE_INFORMATIONAL);
	assert_true(deliver_to(B));
	settle();
	assert_int_equal(count_ikes(B), 0);
	assert_int_equal(w.n_queue, 1);
	d = w.queue[0];
	ike = first_ike(A);
	assert_int_equal(msg_decode(slice_of(d.p, d.n), &msg), WIRE_OK);
	assert_int_equal(sk_open(&ike->suite, &ike->keys.er, &ike->keys.ar, &msg, plain, sizeof(plain), &n), 0);
	assert_int_equal(n, 0);
	lose_all();
}

// corner 21: both delete at once: neither names what the other has named
static void crossing_deletes_are_empty(void **state)
{
	struct outcome *o[2];
	struct ike_msg msg;
	size_t n;

	(void)state;
	establish();
	w.guard = false;
	o[A] = terminate(A, NULL, "net", false);
	o[B] = terminate(B, NULL, "net", false);
	settle();
	assert_int_equal(w.n_queue, 2);
	assert_true(deliver_to(A));
	assert_true(deliver_to(B));
	settle();
	for (unsigned int i = 0; i < w.n_queue; i++) {
		open_for(w.queue[i].side, &w.queue[i], &msg, &n);
		assert_true(msg.hdr.flags & IKE_FLAG_RESPONSE);
		assert_int_equal(n, 0);
	}
	run();
	assert_int_equal(o[A]->error, 0);
	assert_int_equal(o[B]->error, 0);
	assert_int_equal(count_children(A) + count_children(B), 0);
	assert_int_equal(count_ikes(A), 1);
}

/* ---- errors ---------------------------------------------------------------------------------------------- */

// corner 23: what cannot be decoded in an answer is fatal, too: the peer is told by a Delete
static void nonsense_in_an_answer(void **state)
{
	struct outcome *o;

	(void)state;
	establish();
	w.guard = false;
	o = rekey(A, NULL, "net");
	settle();
	craft();
	msg_put_raw(&chain, IKE_PL_NONCE, slice_of("short", 5));
	answer_instead(IKE_CREATE_CHILD_SA);
	deliver_to(A);
	run();
	assert_true(o->error != 0 && o->error != INT32_MAX);
	assert_int_equal(count_ikes(A) + count_ikes(B), 0);
}

// corner 23: outside of an IKE SA only requests are answered, and not without end
static void strangers_hear_little(void **state)
{
	struct endpoint from = {.ip = *addr_of(2), .port = 500}, to = {.ip = *addr_of(B), .port = 500};
	uint8_t datagram[28] = {1, 2, 3, 4, 5, 6, 7, 8, 9, [17] = 0x20, [18] = IKE_INFORMATIONAL, [27] = 28};
	unsigned int n;

	(void)state;
	for (n = 0; n < 100; n++) {
		datagram[19] = IKE_FLAG_INITIATOR | IKE_FLAG_RESPONSE;
		agent_recv(&w.agent[B], &from, &to, slice_of(datagram, sizeof(datagram)));
		assert_int_equal(w.n_queue, 0);
	}
	for (n = 0; n < 100; n++) {
		datagram[19] = IKE_FLAG_INITIATOR;
		datagram[8] = (uint8_t)n;
		agent_recv(&w.agent[B], &from, &to, slice_of(datagram, sizeof(datagram)));
	}
	assert_in_range(w.n_queue, 1, PLAIN_ANSWER_BURST);
	for (n = 0; n < w.n_queue; n++) {
		struct ike_msg msg;

		assert_int_equal(msg_decode(slice_of(w.queue[n].p, w.queue[n].n), &msg), WIRE_OK);
		assert_int_equal(msg.notify[0].type, N_INVALID_IKE_SPI);
		assert_int_equal(msg.hdr.flags, IKE_FLAG_RESPONSE);
	}
	lose_all();
}

// corner 24: while something is being closed or rekeyed, new things have to wait
enum busy { CHILD_CLOSING, IKE_REKEY_ASKED, IKE_CLOSING, CHILD_BEING_MADE, BUSIES };
enum want { NEW_CHILD, CHILD_AGAIN, IKE_AGAIN, LIFE, WANTS };

static void make_busy(enum busy busy)
{
	struct child_sa *c = child_of(B);

	switch (busy) {
	case CHILD_CLOSING:
		terminate(B, NULL, "net", false);
		break;
	case IKE_REKEY_ASKED:
		rekey(B, "gw", NULL);
		break;
	case IKE_CLOSING:
		terminate(B, "gw", NULL, false);
		break;
	default:
		assert_non_null(c);
		rekey(B, NULL, "net");
	}
	settle();
	lose_all(); /* the peer has not got it yet */
}

static void put_want(enum want want, struct child_nego *n)
{
	uint8_t spi[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	struct wr s = wr_of(spi, 4);
	struct proposals sa = {.n = 1};

	craft();
	switch (want) {
	case CHILD_AGAIN:
		wr_u32(&s, child_of(A)->spi_in);
		msg_put_notify(&chain, IKE_PROTO_ESP, N_REKEY_SA, slice_of(spi, 4), slice_of(NULL, 0));
		nego_put_offer(n, &chain);
		break;
	case NEW_CHILD:
		nego_put_offer(n, &chain);
		break;
	case IKE_AGAIN:
		sa.p[0] = *first_ike(A)->proposal;
		sa.p[0].number = 1;
		sa.p[0].proto = IKE_PROTO_IKE;
		sa.p[0].spi_len = 8;
		memcpy(sa.p[0].spi, spi, 8);
		msg_put_sa(&chain, &sa);
		msg_put_nonce(&chain, slice_of("0123456789abcdef0123456789abcdef", 32));
		msg_put_ke(&chain, n->kx.group, ke_public(n->kx.ke));
		break;
	default:
		break;
	}
}

static void busy_answers(void **state)
{
	/* RFC 7296 2.25.1, 2.25.2; 0: done */
	static const uint16_t expect[BUSIES][WANTS] = {
		[CHILD_CLOSING] = {0, N_TEMPORARY_FAILURE, N_TEMPORARY_FAILURE, 0},
		[IKE_REKEY_ASKED] = {N_TEMPORARY_FAILURE, N_TEMPORARY_FAILURE, 0, 0},
		[IKE_CLOSING] = {N_TEMPORARY_FAILURE, N_TEMPORARY_FAILURE, N_TEMPORARY_FAILURE, 0},
		[CHILD_BEING_MADE] = {0, 0, N_TEMPORARY_FAILURE, 0},
	};

	(void)state;
	for (enum busy busy = 0; busy < BUSIES; busy++) {
		for (enum want want = 0; want < WANTS; want++) {
			struct child_nego *n;
			struct ike_msg msg;
			unsigned int got;

			world_close(NULL);
			world_open(NULL);
			establish();
			w.guard = false;
			n = offer(false);
			make_busy(busy);
			put_want(want, n);
			ask(want == LIFE ? IKE_INFORMATIONAL : IKE_CREATE_CHILD_SA);
			got = answer_of_b(&msg);
			nego_free(&w.agent[A], n);
			if (got != expect[busy][want])
				fail_msg("busy %d, wanted %d: got %u, not %u", busy, want, got,
					 expect[busy][want]);
			if (got) { /* nothing was kept of it */
				assert_null(first_ike(B)->in);
				assert_int_equal(msg.n_payloads, 2);
			}
			lose_all();
		}
	}
}

// corner 24: CHILD_SA_NOT_FOUND names the protocol and SPI of REKEY_SA
static void not_found_names_the_spi(void **state)
{
	static const uint8_t spi[4] = {0xde, 0xad, 0xbe, 0xef};
	const struct ike_notify_pl *e;
	struct child_nego *n;
	struct ike_msg msg;

	(void)state;
	establish();
	n = offer(false);
	craft();
	msg_put_notify(&chain, IKE_PROTO_ESP, N_REKEY_SA, slice_of(spi, 4), slice_of(NULL, 0));
	nego_put_offer(n, &chain);
	ask(IKE_CREATE_CHILD_SA);
	assert_int_equal(answer_of_b(&msg), N_CHILD_SA_NOT_FOUND);
	e = msg_notify(&msg, N_CHILD_SA_NOT_FOUND);
	assert_int_equal(e->proto, IKE_PROTO_ESP);
	assert_int_equal(e->spi.n, 4);
	assert_memory_equal(e->spi.p, spi, 4);
	nego_free(&w.agent[A], n);
	assert_one_pair();
}

/* ---- SPIs ------------------------------------------------------------------------------------------------- */

// corner 32: whatever happens, no two SAs of a side have one SPI
static void spis_are_unique(void **state)
{
	uint32_t seen[64];
	unsigned int n = 0;

	(void)state;
	establish();
	for (int i = 0; i < 12; i++) {
		const struct ike_sa *x, *y;

		seen[n++] = active_slot(A)->spi_in;
		seen[n++] = active_slot(B)->spi_in;
		rekey(i % 2, i % 3 ? NULL : "gw", i % 3 ? "net" : NULL);
		run();
		TAILQ_FOREACH (x, sa_all(&w.agent[A]), all)
			TAILQ_FOREACH (y, sa_all(&w.agent[A]), all)
				assert_true(x == y || x->spi_own != y->spi_own);
		advance(10000);
		assert_one_pair();
		if (i % 3 == 0) {
			n -= 2;
			continue;
		}
		for (unsigned int k = 0; k < n; k++)
			assert_true(active_slot(A)->spi_in != seen[k] && active_slot(B)->spi_in != seen[k]);
	}
}

// corner 32: an SPI that an IKE SA of ours has, living or just gone, is not chosen
static void an_ike_spi_in_use_is_not_chosen(void **state)
{
	uint64_t seed = w.seed, spi, again;

	(void)state;
	spi = ike_spi_new(&w.agent[A]);
	w.seed = seed;
	assert_non_null(ike_new(&w.agent[A], true, spi));
	again = ike_spi_new(&w.agent[A]);
	assert_true(again && again != spi);
	ike_end(first_ike(A), END_LOCAL, NULL);
	w.seed = seed;
	assert_true(ike_spi_new(&w.agent[A]) != spi);
	settle();
}

#define PAIR_TEST(t) cmocka_unit_test_setup_teardown(t, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(a_delete_names_the_inbound_spi),
		PAIR_TEST(a_delete_of_the_ike_sa_takes_all),
		PAIR_TEST(crossing_deletes_are_empty),
		PAIR_TEST(nonsense_in_an_answer),
		PAIR_TEST(strangers_hear_little),
		PAIR_TEST(busy_answers),
		PAIR_TEST(not_found_names_the_spi),
		PAIR_TEST(spis_are_unique),
		PAIR_TEST(an_ike_spi_in_use_is_not_chosen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
