/* SPDX-License-Identifier: BSD-2-Clause */
#include "craft.h"

#include "common/alg.h"

/* MUSTs of RFC 7296 about what a peer may do unusually: it is sent here, to see that nothing else comes of it. */

/* All reserved bits and the critical bit of the payloads in `chain`. */
static void set_reserved(void)
{
	uint8_t *p = chain.w.p, type = chain.first;

	while (type) {
		size_t len = (size_t)(p[2] << 8 | p[3]), at = 4;

		p[1] = 0xff;
		if (type == IKE_PL_KE)
			p[6] = p[7] = 0xff;
		if (type == IKE_PL_TSI || type == IKE_PL_TSR)
			p[5] = p[6] = p[7] = 0xff;
		while (type == IKE_PL_SA && at < len) {
			size_t t = at + 8 + p[at + 6], end = at + (size_t)(p[at + 2] << 8 | p[at + 3]);

			p[at + 1] = 0xff;
			for (; t < end; t += (size_t)(p[t + 2] << 8 | p[t + 3]))
				p[t + 1] = p[t + 5] = 0xff;
			at = end;
		}
		type = p[0];
		p += len;
	}
}

static void reserved_is_ignored(void **state)
{
	struct child_nego *n;
	struct ike_msg msg;

	(void)state;
	establish();
	n = offer(false);
	craft();
	put_child_offer(n);
	set_reserved();
	ask(IKE_CREATE_CHILD_SA);
	assert_int_equal(answer_of_b(&msg), 0);
	assert_int_equal(count_children(B), 2);
	nego_free(&w.agent[A], n);
	w.guard = false;
}

/* RFC 7296 2.5: in any order. */
static void payloads_in_any_order(void **state)
{
	struct child_nego *n;
	struct ike_msg msg;

	(void)state;
	for (unsigned int order = 0; order < 120; order++) {
		unsigned int left = order, used = 0;

		if (order % 5 == 0) {
			world_close(NULL);
			world_open(NULL);
			establish();
		}
		n = offer(false);
		craft();
		for (unsigned int i = 5; i > 0; i--) {
			unsigned int k = left % i, which = 0;

			left /= i;
			for (;; which++) {
				if (used & 1u << which)
					continue;
				if (k-- == 0)
					break;
			}
			used |= 1u << which;
			switch (which) {
			case 0:
				msg_put_sa(&chain, n->offer);
				break;
			case 1:
				msg_put_nonce(&chain, slice_of(n->ni.b, n->ni.n));
				break;
			case 2:
				msg_put_ke(&chain, n->kx.group, ke_public(n->kx.ke));
				break;
			case 3:
				msg_put_ts(&chain, IKE_PL_TSI, &n->ts_local);
				break;
			default:
				msg_put_ts(&chain, IKE_PL_TSR, &n->ts_remote);
			}
		}
		ask(IKE_CREATE_CHILD_SA);
		assert_int_equal(answer_of_b(&msg), 0);
		nego_free(&w.agent[A], n);
		w.guard = false;
	}
	/* IKE_SA_INIT, too */
	world_close(NULL);
	world_open(NULL);
	configure(A, "", "");
	configure(B, "", "");
	initiate(A);
	settle();
	assert_int_equal(msg_decode(slice_of(w.queue[0].p, w.queue[0].n), &msg), WIRE_OK);
	{
		struct ike_hdr hdr = msg.hdr;
		uint8_t buf[2048];
		struct wr out = wr_of(buf, sizeof(buf));

		craft();
		msg_put_nonce(&chain, msg.nonce);
		msg_put_ke(&chain, msg.ke.group, msg.ke.data);
		msg_put_sa(&chain, &msg.sa);
		assert_int_equal(msg_seal_plain(&hdr, &chain, &out), 0);
		agent_recv(&w.agent[B], &w.queue[0].from, &w.queue[0].to, wr_slice(&out));
		settle();
	}
	assert_int_equal(count_ikes(B), 1);
	assert_int_equal(w.n_queue, 2);
	assert_int_equal(msg_decode(slice_of(w.queue[1].p, w.queue[1].n), &msg), WIRE_OK);
	assert_true(msg_has(&msg, IKE_PL_SA) && msg_has(&msg, IKE_PL_KE));
	lose_all();
}

/* RFC 7296 3.10, 3.10.1: errors in requests, status types, a protocol without an SPI: ignored. */
static void unknown_notifies(void **state)
{
	static const uint16_t types[] = {2, 8191, 8192, 16383, 16384, 30000, 40959, 40960, 65535};
	struct child_nego *n;
	struct ike_msg msg;

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		world_close(NULL);
		world_open(NULL);
		establish();
		craft();
		msg_put_notify(&chain, 200, types[i], slice_of(NULL, 0), slice_of("data", 4));
		ask(IKE_INFORMATIONAL);
		assert_int_equal(answer_of_b(&msg), 0);
		assert_int_equal(msg.n_notify, 0);
		n = offer(false);
		craft();
		msg_put_notify(&chain, 200, types[i], slice_of(NULL, 0), slice_of("data", 4));
		put_child_offer(n);
		ask(IKE_CREATE_CHILD_SA);
		assert_int_equal(answer_of_b(&msg), 0);
		assert_int_equal(count_children(B), 2);
		nego_free(&w.agent[A], n);
		w.guard = false;
	}
}

/* RFC 7296 3.10.1: an error that we have no name for is one. */
static void unknown_error_in_an_answer(void **state)
{
	static const uint16_t types[] = {2, 8191, 16383};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		for (int whole = 0; whole < 2; whole++) {
			struct outcome *o;

			world_close(NULL);
			world_open(NULL);
			establish();
			o = rekey(A, whole ? "gw" : NULL, whole ? NULL : "net");
			settle();
			craft();
			msg_put_notify(&chain, 0, types[i], slice_of(NULL, 0), slice_of(NULL, 0));
			answer_instead(IKE_CREATE_CHILD_SA);
			deliver_to(A);
			settle();
			assert_int_equal(o->error, -EPROTO);
			assert_int_equal(o->notify, types[i]);
			assert_one_pair();
		}
	}
}

/* RFC 7296 3.12, 2.20: unfamiliar Vendor IDs, and a configuration payload for who has none to give. */
static void vendor_ids_and_configuration(void **state)
{
	struct ike_msg msg;

	(void)state;
	establish();
	craft();
	msg_put_raw(&chain, IKE_PL_VENDOR, slice_of(NULL, 0));
	msg_put_raw(&chain, IKE_PL_VENDOR, slice_of("somebody else's", 15));
	msg_put_raw(&chain, IKE_PL_CP, slice_of("\1\0\0\0\0\7\0\0", 8)); /* CFG_REQUEST, APPLICATION_VERSION */
	ask(IKE_INFORMATIONAL);
	assert_int_equal(answer_of_b(&msg), 0);
	assert_int_equal(msg.n_payloads, 1); /* SK, empty */
	assert_one_pair();
}

/* RFC 7296 2.5: a payload of the future in a first message: skipped, or, when it is critical, named in the answer. */
static void critical_in_a_first_message(void **state)
{
	(void)state;
	for (int critical = 0; critical < 2; critical++) {
		uint8_t buf[2048];
		struct wr out = wr_of(buf, sizeof(buf));
		struct ike_msg msg;
		struct ike_hdr hdr;
		size_t at;

		world_close(NULL);
		world_open(NULL);
		configure(A, "", "");
		configure(B, "", "");
		initiate(A);
		settle();
		assert_int_equal(msg_decode(slice_of(w.queue[0].p, w.queue[0].n), &msg), WIRE_OK);
		hdr = msg.hdr;
		craft();
		msg_put_sa(&chain, &msg.sa);
		at = chain.w.n;
		msg_put_raw(&chain, 222, slice_of("abc", 3));
		chain.w.p[at + 1] = critical ? 0x80 : 0;
		msg_put_ke(&chain, msg.ke.group, msg.ke.data);
		msg_put_nonce(&chain, msg.nonce);
		assert_int_equal(msg_seal_plain(&hdr, &chain, &out), 0);
		agent_recv(&w.agent[B], &w.queue[0].from, &w.queue[0].to, wr_slice(&out));
		settle();
		assert_int_equal(count_ikes(B), !critical);
		assert_int_equal(w.n_queue, 2);
		assert_int_equal(msg_decode(slice_of(w.queue[1].p, w.queue[1].n), &msg), WIRE_OK);
		assert_int_equal(msg_has(&msg, IKE_PL_SA), !critical);
		if (critical) {
			assert_int_equal(msg.notify[0].type, N_UNSUPPORTED_CRITICAL_PAYLOAD);
			assert_int_equal(msg.notify[0].data.n, 1);
			assert_int_equal(msg.notify[0].data.p[0], 222);
		}
		lose_all();
	}
}

/* RFC 7296 1.3.1: what the responder made of it is not acceptable, a mode that nobody asked for: deleted. */
static void a_mode_not_asked_for_is_deleted(void **state)
{
	struct child_nego *n;
	struct proposals sa;
	struct outcome *o;
	struct ike_msg msg;
	uint32_t spi;
	struct ke *ke;

	(void)state;
	establish();
	o = rekey(A, NULL, "net");
	settle();
	n = task_active(first_ike(A))->nego;
	spi = n->spi_in;
	sa = (struct proposals){.n = 1, .p = {n->offer->p[0]}};
	sa.p[0].spi[0] = 0xc1;
	ke = ke_new(KE_CURVE25519);
	craft();
	msg_put_notify(&chain, 0, N_USE_TRANSPORT_MODE, slice_of(NULL, 0), slice_of(NULL, 0));
	msg_put_sa(&chain, &sa);
	msg_put_nonce(&chain, slice_of("0123456789abcdef0123456789abcdef", 32));
	msg_put_ke(&chain, KE_CURVE25519, ke_public(ke));
	msg_put_ts(&chain, IKE_PL_TSI, &n->ts_local);
	msg_put_ts(&chain, IKE_PL_TSR, &n->ts_remote);
	ke_free(ke);
	answer_instead(IKE_CREATE_CHILD_SA);
	assert_true(deliver_to(A));
	settle();
	assert_int_equal(o->error, -EPROTO);
	/* B is told that it goes, by the SPI that A offered. */
	assert_int_equal(w.n_queue, 1);
	{
		size_t len;

		open_for(B, &w.queue[0], &msg, &len);
		assert_int_equal(msg_decode_inner(slice_of(plain, len), msg.sk.first, &msg), WIRE_OK);
		assert_int_equal(msg.n_delete, 1);
		assert_true(msg.del[0].n == 1 && msg.del[0].spi[0] == spi);
	}
	run();
	assert_one_pair();
}

/* RFC 7296 2.1: an answer in store goes out when its request comes again, and at no other time. */
static void an_answer_is_not_repeated_unasked(void **state)
{
	unsigned int sent;

	(void)state;
	establish();
	rekey(A, NULL, "net");
	settle();
	assert_true(deliver_to(B));
	settle();
	sent = w.sent[B];
	lose_all();
	w.agent[A].gw.ike.retransmit_tries = 0;
	w.now += 3000;
	settle();
	assert_int_equal(w.sent[B], sent);
	run();
	w.guard = false;
}

/* RFC 7296 2.21.4, 1.5: SPIs and message id copied, in clear, to where it came from. */
static void strangers_get_their_own_back(void **state)
{
	struct endpoint from = {.ip = *addr_of(2), .port = 4711}, to = {.ip = *addr_of(B), .port = 4500};
	uint8_t datagram[28] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 8, 7, 6, 5, 4, 3, 2, [17] = 0x20, [18] = IKE_INFORMATIONAL,
				[23] = 77, [27] = 28};

	(void)state;
	for (unsigned int flags = 0; flags < 2; flags++) {
		struct ike_msg msg;

		datagram[19] = flags ? IKE_FLAG_INITIATOR : 0;
		agent_recv(&w.agent[B], &from, &to, slice_of(datagram, sizeof(datagram)));
		assert_int_equal(w.n_queue, 1);
		assert_true(endpoint_equal(&w.queue[0].to, &from));
		assert_true(endpoint_equal(&w.queue[0].from, &to));
		assert_int_equal(msg_decode(slice_of(w.queue[0].p, w.queue[0].n), &msg), WIRE_OK);
		assert_false(msg.sk.present);
		assert_int_equal(msg.n_payloads, 1);
		assert_int_equal(msg.notify[0].type, N_INVALID_IKE_SPI);
		assert_true(msg.hdr.spi_i == 0x0102030405060708ull && msg.hdr.spi_r == 0x0908070605040302ull);
		assert_int_equal(msg.hdr.mid, 77);
		assert_int_equal(msg.hdr.exchange, IKE_INFORMATIONAL);
		assert_int_equal(msg.hdr.flags, IKE_FLAG_RESPONSE | (flags ? 0 : IKE_FLAG_INITIATOR));
		lose_all();
	}
}

static bool at_500(const struct test_datagram *d)
{
	return d->to.port == 0;
}

/* RFC 7296 2.23: a peer behind a NAT that stays on port 500 gets no Child SA: there is no ESP in UDP there. */
static void no_esp_in_udp_on_port_500(void **state)
{
	(void)state;
	w.drop = at_500;
	w.nat = true;
	configure(A, "", "");
	configure(B, "", "");
	initiate(A);
	settle();
	assert_true(deliver_to(B));
	settle();
	assert_true(deliver_to(A));
	settle();
	/* IKE_AUTH, which A sent to 4500, comes to 500 */
	assert_int_equal(w.queue[0].to.port, 4500);
	w.queue[0].to.port = 500;
	w.queue[0].from.port = 20500;
	assert_true(deliver_to(B));
	settle();
	assert_int_equal(count_ikes(B), 1);
	assert_true(first_ike(B)->authenticated);
	assert_int_equal(count_children(B), 0);
	assert_int_equal(w.engine[B].installs, 0);
	lose_all();
	w.drop = NULL;
	ike_end(first_ike(A), END_LOCAL, NULL);
	ike_end(first_ike(B), END_LOCAL, NULL);
	settle();
}

/* ---- the table ---------------------------------------------------------------------------------------------- */

/* RFC 7296 5: a PRF has at least 128 bits; and of integrity there is always some. */
static void no_short_prf(void **state)
{
	const struct alg *a;

	(void)state;
	for (unsigned int i = 0; (a = alg_at(i)); i++) {
		if (a->type == IKE_T_PRF) {
			assert_true(a->out_len >= 16 && a->key_len >= 16);
			assert_true(2 * IKE_NONCE_LEN >= a->key_len);
		}
		if (a->type == IKE_T_ENCR && a->ike)
			assert_true(a->mode != ALG_NULL && a->mode != ALG_GMAC);
	}
}

#define PAIR_TEST(t) cmocka_unit_test_setup_teardown(t, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(reserved_is_ignored),
		PAIR_TEST(payloads_in_any_order),
		PAIR_TEST(unknown_notifies),
		PAIR_TEST(unknown_error_in_an_answer),
		PAIR_TEST(vendor_ids_and_configuration),
		PAIR_TEST(critical_in_a_first_message),
		PAIR_TEST(a_mode_not_asked_for_is_deleted),
		PAIR_TEST(an_answer_is_not_repeated_unasked),
		PAIR_TEST(strangers_get_their_own_back),
		PAIR_TEST(no_esp_in_udp_on_port_500),
		PAIR_TEST(no_short_prf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
