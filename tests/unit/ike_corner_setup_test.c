/* SPDX-License-Identifier: BSD-2-Clause */
#include "craft.h"

/* Corners of IKE_SA_INIT: cookies and groups interleaved, SPIs of strangers, NAT detection and endpoints. */

static struct msg_wr text;
static uint8_t text_buf[2048];

static struct msg_wr *plain_start(void)
{
	msg_wr_init(&text, text_buf, sizeof(text_buf));
	return &text;
}

/* A's IKE_SA_INIT, decoded, out of the queue; its bytes stay. */
static struct ike_msg init_of_a(struct test_datagram *keep)
{
	struct ike_msg msg;

	assert_int_equal(w.n_queue, 1);
	assert_int_equal(w.queue[0].side, B);
	*keep = w.queue[0];
	w.n_queue = 0;
	assert_int_equal(msg_decode(slice_of(keep->p, keep->n), &msg), WIRE_OK);
	assert_int_equal(msg.hdr.exchange, IKE_SA_INIT);
	return msg;
}

/* What stands in `text`, to A as an answer to that request. */
static void plain_answer(const struct ike_hdr *to)
{
	struct ike_hdr hdr = {.spi_i = to->spi_i,
			      .version = IKE_VERSION,
			      .exchange = IKE_SA_INIT,
			      .flags = IKE_FLAG_RESPONSE};
	struct ike_sa *ike = first_ike(A);
	uint8_t buf[2048];
	struct wr out = wr_of(buf, sizeof(buf));

	assert_int_equal(msg_seal_plain(&hdr, &text, &out), 0);
	w.acting = A;
	agent_recv(&w.agent[A], &ike->remote, &ike->local, wr_slice(&out));
	settle();
}

static void answer_cookie(const struct ike_hdr *to, const char *cookie, size_t n)
{
	msg_put_notify(plain_start(), 0, N_COOKIE, slice_of(NULL, 0), slice_of(cookie, n));
	plain_answer(to);
}

static void answer_group(const struct ike_hdr *to, uint16_t group)
{
	uint8_t b[2] = {(uint8_t)(group >> 8), (uint8_t)group};

	msg_put_notify(plain_start(), 0, N_INVALID_KE_PAYLOAD, slice_of(NULL, 0), slice_of(b, 2));
	plain_answer(to);
}

static void start(const char *conn_extra)
{
	configure(A, conn_extra, "");
	configure(B, conn_extra, "");
	initiate(A);
	settle();
}

static bool same(struct slice a, struct slice b)
{
	return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

/* ---- cookies and groups ------------------------------------------------------------------------------- */

// corner 8: cookie, other group, another cookie; SPIi, Ni and all proposals stay, the cookie is first
static void cookie_group_cookie(void **state)
{
	struct test_datagram d[4];
	struct ike_msg m[4];

	(void)state;
	start("proposals = aes128gcm16-prfsha256-x25519-ecp256");
	m[0] = init_of_a(&d[0]);
	assert_int_equal(m[0].ke.group, KE_CURVE25519);
	answer_cookie(&m[0].hdr, "first", 5);
	m[1] = init_of_a(&d[1]);
	answer_group(&m[1].hdr, KE_ECP_256);
	m[2] = init_of_a(&d[2]);
	answer_cookie(&m[2].hdr, "second cookie", 13);
	m[3] = init_of_a(&d[3]);
	for (int i = 1; i < 4; i++) {
		assert_true(m[i].hdr.spi_i == m[0].hdr.spi_i);
		assert_true(m[i].hdr.spi_r == 0);
		assert_int_equal(m[i].hdr.mid, 0);
		assert_true(same(m[i].nonce, m[0].nonce));
		assert_int_equal(m[i].sa.n, m[0].sa.n);
		assert_int_equal(m[i].sa.p[0].n, m[0].sa.p[0].n);
		assert_int_equal(m[i].hdr.next, IKE_PL_NOTIFY);
		assert_int_equal(m[i].notify[0].type, N_COOKIE);
		assert_int_equal(m[i].ke.group, i == 1 ? KE_CURVE25519 : KE_ECP_256);
	}
	/* Same group, same value: only the cookie is new. */
	assert_true(same(m[1].ke.data, m[0].ke.data));
	assert_true(same(m[3].ke.data, m[2].ke.data));
	assert_true(same(m[1].notify[0].data, slice_of("first", 5)));
	assert_true(same(m[2].notify[0].data, slice_of("first", 5)));
	assert_true(same(m[3].notify[0].data, slice_of("second cookie", 13)));
	for (int i = 0; i < 3; i++)
		free(d[i].p);
	/* The genuine responder answers the last. */
	w.queue[w.n_queue++] = d[3];
	run();
	assert_one_pair();
}

// corner 8: cookies that cannot be, and too many of them
static void cookies_without_end(void **state)
{
	struct test_datagram d;
	struct ike_msg m;
	static const char big[65];

	(void)state;
	start("");
	m = init_of_a(&d);
	answer_cookie(&m.hdr, "", 0);
	answer_cookie(&m.hdr, big, sizeof(big));
	assert_int_equal(w.n_queue, 0);
	for (int i = 0; i < INIT_COOKIE_TRIES; i++) {
		free(d.p);
		answer_cookie(&m.hdr, big, 1 + (size_t)i);
		m = init_of_a(&d);
	}
	free(d.p);
	answer_cookie(&m.hdr, "once more", 9);
	assert_int_equal(w.n_queue, 0);
	/* It waits for an answer that can be used: the retransmit finds the genuine responder. */
	advance(5000);
	assert_one_pair();
}

// corner 8: groups in a circle, groups that were not offered, groups that are cut off
static void groups_without_end(void **state)
{
	struct test_datagram d;
	struct ike_msg m;
	unsigned int followed = 0;

	(void)state;
	configure(A, "proposals = aes128gcm16-prfsha256-x25519-ecp256", "");
	configure(B, "proposals = aes128gcm16-prfsha256-ecp256", "");
	initiate(A);
	settle();
	m = init_of_a(&d);
	answer_group(&m.hdr, KE_MODP_2048); /* not ours */
	answer_group(&m.hdr, KE_CURVE25519); /* the one that we used */
	answer_group(&m.hdr, KE_NONE);
	msg_put_notify(plain_start(), 0, N_INVALID_KE_PAYLOAD, slice_of(NULL, 0), slice_of("\0", 1));
	plain_answer(&m.hdr);
	msg_put_notify(plain_start(), 0, N_INVALID_KE_PAYLOAD, slice_of(NULL, 0), slice_of("\0\x13\0", 3));
	plain_answer(&m.hdr);
	assert_int_equal(w.n_queue, 0);
	for (int i = 0; i < 10; i++) {
		answer_group(&m.hdr, m.ke.group == KE_ECP_256 ? KE_CURVE25519 : KE_ECP_256);
		if (!w.n_queue)
			break;
		free(d.p);
		m = init_of_a(&d);
		followed++;
	}
	free(d.p);
	assert_int_equal(followed, INIT_KE_TRIES);
	advance(5000);
	assert_one_pair();
}

// corner 8: what the cookie covers: Ni, the address, the port's owner and SPIi
static void a_cookie_of_somebody_else(void **state)
{
	struct test_datagram d;
	struct ike_sa *ike;
	struct ike_msg m;
	uint64_t asked;
	int changed;

	(void)state;
	w.agent[B].gw.ike.cookie_threshold = -1;
	start("");
	assert_true(deliver_to(B));
	assert_true(deliver_to(A));
	settle();
	m = init_of_a(&d); /* with B's cookie */
	assert_int_equal(m.notify[0].type, N_COOKIE);
	ike = first_ike(A);
	asked = counter(B, IKE_C_cookie_sent);
	for (changed = 0; changed < 3; changed++) {
		struct endpoint from = ike->local;
		size_t at = changed == 0 ? 3 : (size_t)(m.nonce.p - d.p) + 5;

		if (changed < 2)
			d.p[at] ^= 1;
		else
			from.ip = *addr_of(2);
		agent_recv(&w.agent[B], &from, &ike->remote, slice_of(d.p, d.n));
		if (changed < 2)
			d.p[at] ^= 1;
		lose_all();
		assert_int_equal(count_ikes(B), 0);
	}
	assert_int_equal(counter(B, IKE_C_cookie_sent), asked + 3);
	w.queue[w.n_queue++] = d;
	run();
	assert_one_pair();
}

/* ---- SPIs --------------------------------------------------------------------------------------------- */

// corner 9: two peers that chose the same SPIi, two at one address
static void the_same_spi_of_two_peers(void **state)
{
	struct endpoint from[3], to;
	struct test_datagram d;
	struct ike_msg m;

	(void)state;
	start("");
	m = init_of_a(&d);
	to = d.to;
	from[0] = d.from;
	from[1] = (struct endpoint){.ip = *addr_of(2), .port = 500};
	from[2] = (struct endpoint){.ip = d.from.ip, .port = 1025}; /* behind the same NAT */
	for (int i = 0; i < 3; i++) {
		agent_recv(&w.agent[B], &from[i], &to, slice_of(d.p, d.n));
		settle();
		assert_int_equal(count_ikes(B), i + 1);
	}
	assert_int_equal(w.n_queue, 3);
	for (int i = 0; i < 3; i++) {
		struct ike_hdr hdr;

		assert_true(endpoint_equal(&w.queue[i].to, &from[i]));
		assert_int_equal(ike_hdr_decode(slice_of(w.queue[i].p, w.queue[i].n), &hdr), WIRE_OK);
		assert_true(hdr.spi_i == m.hdr.spi_i);
		for (int k = 0; k < i; k++) {
			struct ike_hdr other;

			ike_hdr_decode(slice_of(w.queue[k].p, w.queue[k].n), &other);
			assert_true(other.spi_r != hdr.spi_r);
		}
	}
	/* The same once more is a retransmit of its own, not a fourth. */
	agent_recv(&w.agent[B], &from[1], &to, slice_of(d.p, d.n));
	assert_int_equal(count_ikes(B), 3);
	assert_int_equal(w.n_queue, 4);
	assert_int_equal(w.queue[3].n, w.queue[1].n);
	assert_memory_equal(w.queue[3].p, w.queue[1].p, w.queue[1].n);
	free(d.p);
	/* The first of them comes up, the others go with time. */
	while (w.n_queue > 1)
		free(w.queue[--w.n_queue].p);
	run();
	advance(60000);
	assert_one_pair();
}

// corner 9: CVE-2023-30570 class: SPIs of a living IKE SA in the wrong place
static void spis_in_the_wrong_place(void **state)
{
	struct ike_sa *a, *b;
	uint64_t pairs[5][2];

	(void)state;
	establish();
	a = first_ike(A);
	b = first_ike(B);
	memcpy(pairs,
	       (uint64_t[5][2]){{a->spi_i ^ 1, b->spi_r},
				{a->spi_i, b->spi_r ^ 1},
				{b->spi_r, a->spi_i},
				{a->spi_i, 0},
				{b->spi_r, b->spi_r}},
	       sizeof(pairs));
	for (unsigned int i = 0; i < 5; i++) {
		for (unsigned int flags = 0; flags < 4; flags++) {
			for (unsigned int e = IKE_SA_INIT; e <= IKE_INFORMATIONAL; e++) {
				struct ike_hdr hdr = {.spi_i = pairs[i][0],
						      .spi_r = pairs[i][1],
						      .version = IKE_VERSION,
						      .exchange = (uint8_t)e,
						      .flags = (uint8_t)((flags & 1 ? IKE_FLAG_INITIATOR : 0) |
									 (flags & 2 ? IKE_FLAG_RESPONSE : 0)),
						      .mid = b->recv_mid};
				uint8_t buf[256];
				struct wr out = wr_of(buf, sizeof(buf));

				msg_put_notify(plain_start(), 0, N_INITIAL_CONTACT, slice_of(NULL, 0),
					       slice_of(NULL, 0));
				msg_put_delete_ike(&text);
				assert_int_equal(msg_seal_plain(&hdr, &text, &out), 0);
				agent_recv(&w.agent[B], &a->local, &b->local, wr_slice(&out));
				settle();
				check_world();
				lose_all();
			}
		}
	}
	assert_int_equal(count_ikes(B), 1);
	assert_one_pair();
}

// corner 9: a first request has no SPIr, message id 0 and the I flag, or it is none
static void first_requests_that_are_none(void **state)
{
	static const struct {
		size_t at;
		uint8_t bits;
	} rows[] = {{15, 1}, {8, 0x80}, {23, 1}, {19, IKE_FLAG_INITIATOR}};
	struct test_datagram d;
	struct ike_sa *ike;

	(void)state;
	start("");
	init_of_a(&d);
	ike = first_ike(A);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		d.p[rows[i].at] ^= rows[i].bits;
		agent_recv(&w.agent[B], &ike->local, &ike->remote, slice_of(d.p, d.n));
		d.p[rows[i].at] ^= rows[i].bits;
		assert_int_equal(counter(B, IKE_C_bad_header), i + 1);
		assert_int_equal(count_ikes(B), 0);
		assert_int_equal(w.n_queue, 0);
	}
	w.queue[w.n_queue++] = d;
	run();
	assert_one_pair();
}

/* ---- NAT ------------------------------------------------------------------------------------------------- */

// corner 26: hashes of the first message are over SPIr 0; of several source hashes one that fits is enough
static void source_hashes(void **state)
{
	(void)state;
	for (unsigned int fitting = 0; fitting < 4; fitting++) {
		struct test_datagram d;
		struct ike_hdr hdr;
		struct ike_msg m;
		uint8_t hash[20], buf[2048];
		struct wr out = wr_of(buf, sizeof(buf));

		world_close(NULL);
		world_open(NULL);
		start("");
		m = init_of_a(&d);
		natd_hash(m.hdr.spi_i, 0, &d.from, hash);
		assert_memory_equal(msg_notify(&m, N_NAT_DETECTION_SOURCE_IP)->data.p, hash, 20);
		natd_hash(m.hdr.spi_i, 0, &d.to, hash);
		assert_memory_equal(msg_notify(&m, N_NAT_DETECTION_DESTINATION_IP)->data.p, hash, 20);
		/* The same request with three source hashes, one of which, or none, fits. */
		plain_start();
		msg_put_sa(&text, &m.sa);
		msg_put_ke(&text, m.ke.group, m.ke.data);
		msg_put_nonce(&text, m.nonce);
		for (unsigned int i = 0; i < 3; i++) {
			natd_hash(m.hdr.spi_i, i == fitting ? 0 : 99, &d.from, hash);
			msg_put_notify(&text, 0, N_NAT_DETECTION_SOURCE_IP, slice_of(NULL, 0),
				       slice_of(hash, 20));
		}
		natd_hash(m.hdr.spi_i, 0, &d.to, hash);
		msg_put_notify(&text, 0, N_NAT_DETECTION_DESTINATION_IP, slice_of(NULL, 0), slice_of(hash, 20));
		hdr = m.hdr;
		assert_int_equal(msg_seal_plain(&hdr, &text, &out), 0);
		agent_recv(&w.agent[B], &d.from, &d.to, wr_slice(&out));
		settle();
		assert_int_equal(first_ike(B)->nat_remote, fitting == 3);
		assert_false(first_ike(B)->nat_local);
		free(d.p);
		lose_all();
	}
}

/* A's next request reaches B from elsewhere. */
static void from_elsewhere(uint16_t port)
{
	assert_int_equal(w.queue[0].side, B);
	w.queue[0].from.ip = *addr_of(2);
	w.queue[0].from.port = port;
	deliver_at(0);
	settle();
}

// corner 26: who is behind no NAT stays where it is; the answer goes to where the request came from
static void a_static_peer_does_not_move(void **state)
{
	struct endpoint was;

	(void)state;
	establish();
	was = first_ike(B)->remote;
	rekey(A, NULL, "net");
	settle();
	from_elsewhere(4711);
	assert_true(endpoint_equal(&first_ike(B)->remote, &was));
	assert_int_equal(w.queue[0].to.port, 4711);
	assert_true(addr_equal(&w.queue[0].to.ip, addr_of(2)));
	run();
	advance(10000);
	assert_one_pair();
	assert_int_equal(w.engine[B].moves, 0);
}

// corner 26: nothing that is not authenticated, and nothing old, moves a peer behind a NAT
static void replays_do_not_move_the_peer(void **state)
{
	struct test_datagram old, bad;
	struct endpoint at;

	(void)state;
	w.nat = true;
	establish();
	rekey(A, NULL, "net");
	settle();
	old = w.queue[0];
	old.p = malloc(old.n);
	memcpy(old.p, w.queue[0].p, old.n);
	run();
	advance(10000);
	at = first_ike(B)->remote;
	/* an old one from another port: its answer goes there, the peer does not */
	old.from.port = 4712;
	w.queue[w.n_queue++] = old;
	deliver_at(w.n_queue - 1);
	assert_true(endpoint_equal(&first_ike(B)->remote, &at));
	lose_all();
	/* a new one with a broken tag */
	rekey(A, NULL, "net");
	settle();
	bad = w.queue[0];
	bad.p = malloc(bad.n);
	memcpy(bad.p, w.queue[0].p, bad.n);
	bad.p[bad.n - 1] ^= 1;
	bad.from.port = 4713;
	w.queue[w.n_queue++] = bad;
	deliver_at(1);
	assert_true(endpoint_equal(&first_ike(B)->remote, &at));
	run();
	advance(10000);
	assert_one_pair();
}

#define PAIR_TEST(t) cmocka_unit_test_setup_teardown(t, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(cookie_group_cookie),
		PAIR_TEST(cookies_without_end),
		PAIR_TEST(groups_without_end),
		PAIR_TEST(a_cookie_of_somebody_else),
		PAIR_TEST(the_same_spi_of_two_peers),
		PAIR_TEST(spis_in_the_wrong_place),
		PAIR_TEST(first_requests_that_are_none),
		PAIR_TEST(source_hashes),
		PAIR_TEST(a_static_peer_does_not_move),
		PAIR_TEST(replays_do_not_move_the_peer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
