/* SPDX-License-Identifier: BSD-2-Clause */
#include "pair.h"

/* IKE fragmentation, RFC 7383. Each rule of receiving has here what violates it. */

static uint64_t counter(int side, enum ike_counter c)
{
	return sa_counter(&w.agent[side], c);
}

static void sizes(uint32_t a, uint32_t b)
{
	w.agent[A].gw.ike.fragment_size = a;
	w.agent[B].gw.ike.fragment_size = b;
}

static struct ike_hdr hdr_at(unsigned int i)
{
	struct ike_hdr hdr;

	assert_true(i < w.n_queue);
	assert_int_equal(ike_hdr_decode(slice_of(w.queue[i].p, w.queue[i].n), &hdr), WIRE_OK);
	return hdr;
}

/* Both configured, A's IKE_AUTH in the queue. */
static struct outcome *until_auth(const char *extra_a, const char *extra_b)
{
	struct outcome *o;

	configure(A, extra_a, "");
	configure(B, extra_b, "");
	o = initiate(A);
	settle();
	assert_true(deliver_to(B));
	settle();
	assert_true(deliver_to(A));
	settle();
	assert_int_equal(hdr_at(0).exchange, IKE_AUTH);
	return o;
}

/* ---- a peer that cuts by hand: A's keys, B listens ------------------------------------------------- */

struct cut {
	uint8_t exchange;
	uint32_t mid;
	uint16_t number, total;
	uint8_t first;
	struct slice plain;
};

static size_t craft(const struct cut *c, uint8_t out[4096])
{
	struct ike_sa *ike = first_ike(A);
	struct ike_hdr hdr = {.spi_i = ike->spi_i,
			      .spi_r = ike->spi_r,
			      .version = IKE_VERSION,
			      .exchange = c->exchange,
			      .flags = IKE_FLAG_INITIATOR,
			      .mid = c->mid};
	struct sk_piece piece = {
		.first = c->first, .number = c->number, .total = c->total, .plain = c->plain};
	struct wr to = wr_of(out, 4096);

	assert_int_equal(sk_seal_piece(&ike->suite, &ike->keys.ei, &ike->keys.ai, ike->iv_counter++,
				       &hdr, &piece, &to),
			 0);
	return to.n;
}

static void to_b(const uint8_t *p, size_t n)
{
	struct ike_sa *ike = first_ike(A);
	uint8_t *copy = malloc(n);

	memcpy(copy, p, n);
	w.acting = B;
	agent_recv(&w.agent[B], &ike->local, &ike->remote, slice_of(copy, n));
	free(copy);
	check_world();
}

static void send_cut(const struct cut *c)
{
	uint8_t datagram[4096];

	to_b(datagram, craft(c, datagram));
}

/* The piece of an INFORMATIONAL with a vendor id and a notify that B answers. */
static uint8_t info[64];
static size_t info_len;
static uint8_t info_first;

static void info_make(void)
{
	struct msg_wr chain;

	msg_wr_init(&chain, info, sizeof(info));
	msg_put_raw(&chain, IKE_PL_VENDOR, slice_of("0123456789abcdef", 16));
	msg_put_notify(&chain, 0, N_INITIAL_CONTACT, slice_of(NULL, 0), slice_of(NULL, 0));
	info_len = chain.w.n;
	info_first = chain.first;
}

static struct cut info_cut(uint16_t number, uint16_t total)
{
	size_t each = info_len / total, at = each * (number - 1u);

	return (struct cut){.exchange = IKE_INFORMATIONAL,
			    .mid = first_ike(B)->recv_mid,
			    .number = number,
			    .total = total,
			    .first = number == 1 ? info_first : IKE_PL_NONE,
			    .plain = slice_of(info + at, number == total ? info_len - at : each)};
}

static void send_info(uint16_t number, uint16_t total)
{
	struct cut c = info_cut(number, total);

	send_cut(&c);
}

/* B took it: an answer is there, and what comes next has the next number. */
static void assert_answered(uint32_t mid)
{
	settle();
	assert_int_equal(w.n_queue, 1);
	assert_int_equal(hdr_at(0).mid, mid);
	assert_int_equal(first_ike(B)->recv_mid, mid + 1);
	assert_null(first_ike(B)->frag_request);
	lose_all();
}

static void assert_silent(void)
{
	settle();
	assert_int_equal(w.n_queue, 0);
}

static int up(void **state)
{
	world_open(state);
	establish();
	info_make();
	return 0;
}

/* ---- sending ------------------------------------------------------------------------------------------ */

/* Every packet but the last of a set is as large as allowed and not a byte larger: AES-GCM has no blocks. */
static void packets_are_as_large_as_told(void **state)
{
	static const struct {
		const char *extra;
		size_t headers;
	} rows[] = {{"", 20 + 8}, {"encap = yes", 20 + 8 + 4}};

	(void)state;
	for (unsigned int row = 0; row < 2; row++) {
		world_close(NULL);
		world_open(NULL);
		sizes(233, 233);
		until_auth(rows[row].extra, rows[row].extra);
		assert_true(w.n_queue >= 2);
		for (unsigned int i = 0; i < w.n_queue; i++) {
			struct ike_msg msg;

			assert_int_equal(w.queue[i].from.port, row ? 4500 : 500);
			assert_int_equal(msg_decode(slice_of(w.queue[i].p, w.queue[i].n), &msg), WIRE_OK);
			assert_true(msg.sk.fragment);
			assert_int_equal(msg.sk.number, i + 1);
			assert_int_equal(msg.sk.total, w.n_queue);
			assert_int_equal(msg.sk.first, i ? IKE_PL_NONE : IKE_PL_IDI);
			if (i + 1 < w.n_queue)
				assert_int_equal(w.queue[i].n + rows[row].headers, 233);
			else
				assert_true(w.queue[i].n + rows[row].headers <= 233);
		}
		run();
		assert_one_pair();
	}
}

static void room_by_family_and_port(void **state)
{
	static const struct {
		const char *ip;
		uint16_t port;
		uint32_t size;
		size_t room;
	} rows[] = {
		{"192.0.2.1", 500, 1280, 1252}, {"192.0.2.1", 4500, 1280, 1248},
		{"2001:db8::1", 500, 1280, 1232}, {"2001:db8::1", 4500, 1280, 1228},
		{"192.0.2.1", 500, 0, 548}, {"2001:db8::1", 4500, 0, 1228},
		{"2001:db8::1", 4500, GW_FRAGMENT_MIN, 148},
	};

	(void)state;
	establish();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct endpoint from = {.port = rows[i].port};

		addr_parse(rows[i].ip, &from.ip);
		sizes(rows[i].size, 0);
		assert_int_equal(fragment_room(first_ike(A), &from), rows[i].room);
	}
}

/* The most that sk_piece_room allows fills the datagram, and one byte more would not fit, in suites with blocks too. */
static void piece_room_is_exact(void **state)
{
	static const struct ike_suite suites[] = {
		{ENCR_AES_GCM_16, 128, PRF_HMAC_SHA2_256, AUTH_NONE, KE_CURVE25519},
		{ENCR_AES_CBC, 256, PRF_HMAC_SHA2_256, AUTH_HMAC_SHA2_512_256, KE_CURVE25519},
	};
	static const uint8_t plain[300];
	struct slice nonce = slice_of("0123456789abcdef", 16);
	struct ike_hdr hdr = {.spi_i = 1, .spi_r = 2, .version = IKE_VERSION, .exchange = IKE_AUTH};

	(void)state;
	for (unsigned int s = 0; s < 2; s++) {
		struct ike_keys k = {0};

		assert_int_equal(kdf_ike(&suites[s], nonce, nonce, nonce, 1, 2, &k), 0);
		assert_int_equal(sk_piece_room(&suites[s], 36), 0);
		for (size_t room = 110; room < 300; room++) {
			struct sk_piece piece = {.first = 35, .number = 1, .total = 2};
			size_t most = sk_piece_room(&suites[s], room), fits = most;
			uint8_t out[400];

			assert_true(most > 0);
			for (unsigned int more = 0; more < 2; more++) {
				struct wr to = wr_of(out, sizeof(out));

				piece.plain = slice_of(plain, fits + more);
				assert_int_equal(sk_seal_piece(&suites[s], &k.ei, &k.ai, 1, &hdr, &piece, &to), 0);
				assert_int_equal(to.n > room, more);
			}
		}
		ike_keys_free(&k);
	}
}

/* fragmentation = yes | accept | force | no on both sides: who announces, who cuts. */
static void words_of_the_connection(void **state)
{
	static const char *const words[] = {"yes", "accept", "force", "no"};
	char extra[2][64];

	(void)state;
	for (unsigned int i = 0; i < 16; i++) {
		unsigned int a = i / 4, b = i % 4;
		bool announced = a != 3 && b != 3;
		bool cuts_a = announced && a != 1, cuts_b = announced && b != 1;

		world_close(NULL);
		world_open(NULL);
		sizes(200, 200);
		snprintf(extra[A], sizeof(extra[A]), "fragmentation = %s", words[a]);
		snprintf(extra[B], sizeof(extra[B]), "fragmentation = %s", words[b]);
		until_auth(extra[A], extra[B]);
		run();
		assert_one_pair();
		assert_int_equal(first_ike(A)->peer_fragmentation, announced);
		/* RFC 7383 2.3: the responder answers only to an announcement, and keeps it in mind in any case */
		assert_int_equal(first_ike(B)->peer_fragmentation, a != 3);
		assert_int_equal(counter(A, IKE_C_fragment_out) > 0, cuts_a);
		assert_int_equal(counter(B, IKE_C_fragment_out) > 0, cuts_b);
	}
}

static void small_messages_stay_whole(void **state)
{
	(void)state;
	sizes(1280, 1280);
	establish();
	rekey(A, NULL, "net");
	run();
	assert_one_pair();
	assert_int_equal(counter(A, IKE_C_fragment_out) + counter(B, IKE_C_fragment_out), 0);
}

/* All that a connection does, in fragments: both rekeys by both sides, deletes. */
static void a_life_in_fragments(void **state)
{
	(void)state;
	sizes(200, 200);
	establish();
	for (int side = A; side <= B; side++) {
		struct outcome *child = rekey(side, NULL, "net"), *ike;

		run();
		assert_int_equal(child->error, 0);
		ike = rekey(side, "gw", NULL);
		run();
		assert_int_equal(ike->error, 0);
		advance(10000);
		assert_one_pair();
		assert_true(first_ike(side)->peer_fragmentation);
	}
	assert_true(counter(A, IKE_C_fragment_in) >= 6);
	assert_true(counter(B, IKE_C_fragment_in) >= 6);
	assert_int_equal(counter(A, IKE_C_fragment_drop) + counter(B, IKE_C_fragment_drop), 0);
	w.guard = false;
	terminate(A, "gw", NULL, false);
	run();
	assert_int_equal(count_ikes(A) + count_ikes(B), 0);
}

/* ---- loss, order, repetition ------------------------------------------------------------------------------- */

static unsigned int to_lose, seen;

static bool lose_one(const struct test_datagram *d)
{
	(void)d;
	return seen++ == to_lose;
}

/* Any single datagram of the set-up is lost: the whole set goes out again, and it comes up. */
static void one_lost_fragment(void **state)
{
	unsigned int in_all;

	(void)state;
	sizes(200, 200);
	establish();
	in_all = w.sent[A] + w.sent[B];
	assert_true(in_all >= 6);
	for (to_lose = 0; to_lose < in_all; to_lose++) {
		struct outcome *o;

		world_close(NULL);
		world_open(NULL);
		sizes(200, 200);
		seen = 0;
		w.drop = lose_one;
		configure(A, "", "");
		configure(B, "", "");
		o = initiate(A);
		run();
		advance(5000);
		assert_int_equal(o->error, 0);
		assert_one_pair();
		assert_int_equal(counter(A, IKE_C_retransmit_out), 1);
	}
}

// corner 2
static void the_set_goes_out_again_as_it_was(void **state)
{
	struct test_datagram *first;
	unsigned int n;

	(void)state;
	sizes(200, 200);
	until_auth("", "");
	n = w.n_queue;
	first = calloc(n, sizeof(*first));
	memcpy(first, w.queue, n * sizeof(*first));
	assert_true(n >= 2);
	w.n_queue = 0;
	w.now += 4000;
	settle();
	assert_int_equal(w.n_queue, n);
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(w.queue[i].n, first[i].n);
		assert_memory_equal(w.queue[i].p, first[i].p, first[i].n);
		free(first[i].p);
	}
	free(first);
	run();
	assert_one_pair();
}

// corner 2
static void the_first_fragment_asks_for_the_answer_again(void **state)
{
	struct test_datagram ask[8], answer[8];
	unsigned int n_ask, n_answer, sent;

	(void)state;
	sizes(200, 200);
	until_auth("", "");
	n_ask = w.n_queue;
	assert_in_range(n_ask, 2, 8);
	for (unsigned int i = 0; i < n_ask; i++) {
		ask[i] = w.queue[i];
		ask[i].p = malloc(ask[i].n);
		memcpy(ask[i].p, w.queue[i].p, ask[i].n);
	}
	while (deliver_to(B))
		settle();
	n_answer = w.n_queue;
	assert_in_range(n_answer, 2, 8);
	memcpy(answer, w.queue, n_answer * sizeof(answer[0]));
	w.n_queue = 0;
	sent = w.sent[B];
	/* All but the first: nothing, in any order. */
	for (unsigned int i = n_ask - 1; i >= 1; i--)
		to_b(ask[i].p, ask[i].n);
	assert_silent();
	assert_int_equal(w.sent[B], sent);
	assert_int_equal(counter(B, IKE_C_fragment_drop), n_ask - 1);
	assert_int_equal(counter(B, IKE_C_bad_mid), 0);
	/* The first: the same fragments, bit for bit. */
	to_b(ask[0].p, ask[0].n);
	assert_int_equal(counter(B, IKE_C_retransmit_in), 1);
	assert_int_equal(w.n_queue, n_answer);
	for (unsigned int i = 0; i < n_answer; i++) {
		assert_int_equal(w.queue[i].n, answer[i].n);
		assert_memory_equal(w.queue[i].p, answer[i].p, answer[i].n);
		free(answer[i].p);
	}
	run();
	assert_one_pair();
	for (unsigned int i = 0; i < n_ask; i++)
		free(ask[i].p);
}

// corner 2
static void a_finer_cut_of_what_was_answered(void **state)
{
	struct cut c;
	uint8_t datagram[4096];
	uint32_t mid;
	size_t n;

	(void)state;
	mid = first_ike(B)->recv_mid;
	send_info(1, 2);
	send_info(2, 2);
	assert_answered(mid);
	c = info_cut(1, 3);
	c.mid = mid;
	send_cut(&c);
	assert_int_equal(counter(B, IKE_C_retransmit_in), 1);
	assert_answered(mid);
	/* Nobody without the keys gets an answer that way. */
	n = craft(&c, datagram);
	datagram[n - 1] ^= 1;
	to_b(datagram, n);
	assert_silent();
	assert_int_equal(counter(B, IKE_C_bad_integrity), 1);
	c = info_cut(2, 3);
	c.mid = mid;
	send_cut(&c);
	assert_silent();
}

static void any_order(void **state)
{
	static const uint16_t orders[][3] = {{3, 2, 1}, {2, 3, 1}, {2, 1, 3}, {3, 1, 2}, {1, 3, 2}};

	(void)state;
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		uint32_t mid = first_ike(B)->recv_mid;

		for (unsigned int k = 0; k < 3; k++) {
			assert_silent();
			send_info(orders[i][k], 3);
		}
		assert_answered(mid);
	}
}

/* ---- rules of receiving --------------------------------------------------------------------------------------- */

static void duplicates_are_ignored(void **state)
{
	uint32_t mid = first_ike(B)->recv_mid;

	(void)state;
	send_info(1, 3);
	send_info(2, 3);
	send_info(2, 3);
	send_info(1, 3);
	assert_silent();
	assert_int_equal(first_ike(B)->frag_request->have, 2);
	assert_int_equal(counter(B, IKE_C_fragment_drop), 2);
	send_info(3, 3);
	assert_answered(mid);
}

static void nothing_is_kept_without_a_tag(void **state)
{
	struct cut c = info_cut(1, 2);
	uint32_t mid = first_ike(B)->recv_mid;
	uint8_t datagram[4096];
	size_t n = craft(&c, datagram);

	(void)state;
	/* each byte of it, header and SKF header included, except what changes the exchange it belongs to */
	for (size_t i = 0; i < n; i++) {
		datagram[i] ^= 1;
		to_b(datagram, n);
		datagram[i] ^= 1;
		lose_all(); /* INVALID_IKE_SPI */
		assert_null(first_ike(B)->frag_request);
	}
	assert_int_equal(counter(B, IKE_C_fragment_in), 0);
	/* and one that is wrong does not push out what is right */
	send_info(1, 2);
	c = info_cut(2, 2);
	n = craft(&c, datagram);
	datagram[n - 1] ^= 1;
	to_b(datagram, n);
	assert_silent();
	c.total = 9; /* a finer cut, forged */
	n = craft(&c, datagram);
	datagram[n - 1] ^= 1;
	to_b(datagram, n);
	assert_int_equal(first_ike(B)->frag_request->total, 2);
	send_info(2, 2);
	assert_answered(mid);
}

static void a_finer_cut_starts_over(void **state)
{
	uint32_t mid = first_ike(B)->recv_mid;

	(void)state;
	send_info(1, 2);
	send_info(2, 3);
	assert_int_equal(first_ike(B)->frag_request->have, 1);
	assert_int_equal(first_ike(B)->frag_request->total, 3);
	/* the coarser one is late */
	send_info(2, 2);
	assert_int_equal(counter(B, IKE_C_fragment_drop), 1);
	assert_silent();
	send_info(1, 3);
	assert_silent();
	send_info(3, 3);
	assert_answered(mid);
}

static void whole_and_in_pieces(void **state)
{
	struct cut whole = {.exchange = IKE_INFORMATIONAL, .first = info_first};
	uint32_t mid = first_ike(B)->recv_mid;

	(void)state;
	/* A peer that tried fragments and then the whole: the whole counts, the fragments go. */
	send_info(1, 2);
	whole.mid = mid;
	whole.plain = slice_of(info, info_len);
	send_cut(&whole);
	assert_answered(mid);
	send_info(2, 2); /* belongs to the next message and completes nothing */
	assert_silent();
	mid = first_ike(B)->recv_mid;
	send_info(1, 2);
	assert_answered(mid);
	/* One fragment is a message, too. */
	mid = first_ike(B)->recv_mid;
	send_info(1, 1);
	assert_answered(mid);
}

static void exchanges_are_not_mixed(void **state)
{
	struct cut c = info_cut(2, 2);
	uint32_t mid = first_ike(B)->recv_mid;

	(void)state;
	send_info(1, 2);
	c.exchange = IKE_CREATE_CHILD_SA;
	send_cut(&c);
	assert_silent();
	assert_int_equal(first_ike(B)->frag_request->have, 1);
	/* It was of another message: that one is collected now. */
	send_info(1, 2);
	assert_silent();
	send_info(2, 2);
	assert_answered(mid);
	/* What the state does not allow is not collected. */
	c.exchange = IKE_AUTH;
	c.mid = first_ike(B)->recv_mid;
	send_cut(&c);
	assert_null(first_ike(B)->frag_request);
	assert_int_equal(counter(B, IKE_C_bad_exchange), 1);
	c.exchange = IKE_INFORMATIONAL;
	c.mid += 1;
	send_cut(&c);
	assert_null(first_ike(B)->frag_request);
}

static void broken_numbers(void **state)
{
	static const uint16_t rows[][2] = {{0, 2}, {3, 2}, {1, IKE_FRAGMENTS_MAX + 1}, {65535, 65535}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cut c = info_cut(1, 2);

		c.number = rows[i][0];
		c.total = rows[i][1];
		send_cut(&c);
		assert_null(first_ike(B)->frag_request);
	}
	assert_int_equal(counter(B, IKE_C_bad_syntax), 2);
	assert_int_equal(counter(B, IKE_C_fragment_drop), 2);
}

/* What does not decode when it is whole is fatal as any message under the keys (RFC 7296 2.21.3). */
static void nonsense_in_pieces(void **state)
{
	struct cut c = info_cut(1, 2);

	(void)state;
	w.guard = false;
	c.plain = slice_of("\x00\x00\x00\x02", 4);
	send_cut(&c);
	c = info_cut(2, 2);
	send_cut(&c);
	settle();
	assert_int_equal(count_ikes(B), 0);
	assert_int_equal(counter(B, IKE_C_bad_syntax), 1);
}

static void memory_is_bounded(void **state)
{
	static uint8_t much[4000];
	struct cut c = {.exchange = IKE_INFORMATIONAL,
			.mid = first_ike(B)->recv_mid,
			.total = IKE_FRAGMENTS_MAX,
			.plain = slice_of(much, sizeof(much))};

	(void)state;
	for (c.number = 1; c.number <= IKE_MSG_MAX / sizeof(much); c.number++) {
		send_cut(&c);
		assert_int_equal(first_ike(B)->frag_request->have, c.number);
	}
	send_cut(&c);
	assert_null(first_ike(B)->frag_request);
	assert_int_equal(counter(B, IKE_C_fragment_drop), 1);
	/* What is collected when an IKE SA ends goes with it (the sanitizer looks). */
	c.number = 1;
	send_cut(&c);
	assert_non_null(first_ike(B)->frag_request);
}

/* Empty fragments are fragments. */
static void empty_pieces(void **state)
{
	struct cut c = info_cut(1, 1);
	uint32_t mid = c.mid;

	(void)state;
	c.total = 3;
	send_cut(&c);
	c.plain.n = 0;
	c.first = 0;
	c.number = 2;
	send_cut(&c);
	c.number = 3;
	send_cut(&c);
	assert_answered(mid);
}

/* ---- before there are keys ------------------------------------------------------------------------------------- */

static void until_held(void)
{
	/* B computes in a thread: what comes meanwhile has to wait. */
	jobs_free(w.agent[B].jobs);
	w.agent[B].jobs = jobs_new(w.base, 1);
	sizes(200, 200);
	configure_text(A, "connections { gw { local_addrs = 192.0.2.1 \n remote_addrs = 198.51.100.2 \n"
			  " proposals = aes128gcm16-prfsha256-modp2048 \n local { auth = psk \n id = a.example }\n"
			  " remote { auth = psk \n id = b.example } \n children { net { local_ts = 10.1.0.0/24 \n"
			  " remote_ts = 10.2.0.0/24 \n esp_proposals = aes128gcm16-x25519 } } } }");
	configure_text(B, "connections { gw { local_addrs = 198.51.100.2 \n remote_addrs = %any \n"
			  " proposals = aes128gcm16-prfsha256-modp2048 \n local { auth = psk \n id = b.example }\n"
			  " remote { auth = psk \n id = a.example } \n children { net { local_ts = 10.2.0.0/24 \n"
			  " remote_ts = 10.1.0.0/24 \n esp_proposals = aes128gcm16-x25519 } } } }");
	initiate(A);
	settle();
	assert_true(deliver_to(B));
	while (jobs_pending(w.agent[B].jobs))
		event_base_loop(w.base, EVLOOP_ONCE);
	assert_true(deliver_to(A));
	settle();
	assert_int_equal(hdr_at(0).exchange, IKE_AUTH);
	assert_true(w.n_queue >= 2);
}

static void keys_arrive(void)
{
	while (jobs_pending(w.agent[B].jobs))
		event_base_loop(w.base, EVLOOP_ONCE);
	run();
}

static void fragments_wait_for_the_keys(void **state)
{
	const struct held_list *held;
	unsigned int n;

	(void)state;
	until_held();
	n = w.n_queue;
	/* the last first, and everything twice */
	for (unsigned int i = 0; i < n; i++)
		to_b(w.queue[n - 1].p, w.queue[n - 1].n);
	while (w.n_queue)
		deliver_at(w.n_queue - 1);
	held = &first_ike(B)->setup->held;
	assert_int_equal(held->n, n);
	assert_null(first_ike(B)->frag_request);
	keys_arrive();
	assert_one_pair();
	assert_int_equal(counter(B, IKE_C_fragment_in), n);
}

/* A stranger who knows the SPIs fills the place: bounded, and the retransmit comes through. */
static void garbage_waits_for_the_keys(void **state)
{
	uint8_t garbage[IKE_HDR_LEN + 1000] = {0};
	struct held_list *held;

	(void)state;
	until_held();
	memcpy(garbage, w.queue[0].p, IKE_HDR_LEN);
	garbage[26] = sizeof(garbage) >> 8;
	garbage[27] = sizeof(garbage) & 0xff;
	for (unsigned int i = 0; i < 200; i++) {
		garbage[IKE_HDR_LEN] = (uint8_t)i;
		to_b(garbage, sizeof(garbage));
	}
	held = &first_ike(B)->setup->held;
	assert_true(held->n <= HELD_MAX && held->bytes <= AUTH_MESSAGE_MAX);
	assert_int_equal(held->n, AUTH_MESSAGE_MAX / sizeof(garbage));
	lose_all();
	keys_arrive();
	assert_int_equal(count_ikes(B), 1);
	assert_null(first_ike(B)->frag_request);
	advance(4000);
	assert_one_pair();
}

static void the_place_of_waiting_is_bounded(void **state)
{
	static uint8_t most[AUTH_MESSAGE_MAX];
	struct path path = {0};
	struct held_list l, other;
	uint8_t b;

	(void)state;
	held_init(&l);
	for (b = 0; b < HELD_MAX; b++)
		assert_int_equal(held_add(&l, &path, slice_of(&b, 1)), 0);
	assert_int_equal(held_add(&l, &path, slice_of(&b, 1)), -ENOSPC);
	free(held_take(&l));
	assert_int_equal(held_add(&l, &path, slice_of(most, sizeof(most))), -ENOSPC);
	b = 1;
	assert_int_equal(held_add(&l, &path, slice_of(&b, 1)), -EALREADY);
	b = 0;
	assert_int_equal(held_add(&l, &path, slice_of(&b, 1)), 0);
	held_init(&other);
	held_move(&l, &other);
	assert_int_equal(l.n + l.bytes, 0);
	assert_int_equal(other.n, HELD_MAX);
	held_drop(&other);
	assert_null(held_take(&other));
	assert_int_equal(held_add(&other, &path, slice_of(most, sizeof(most))), 0);
	held_drop(&other);
}

#define PAIR_TEST(t) cmocka_unit_test_setup_teardown(t, world_open, world_close)
#define UP_TEST(t) cmocka_unit_test_setup_teardown(t, up, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(packets_are_as_large_as_told),
		PAIR_TEST(room_by_family_and_port),
		PAIR_TEST(piece_room_is_exact),
		PAIR_TEST(words_of_the_connection),
		PAIR_TEST(small_messages_stay_whole),
		PAIR_TEST(a_life_in_fragments),
		PAIR_TEST(one_lost_fragment),
		PAIR_TEST(the_set_goes_out_again_as_it_was),
		PAIR_TEST(the_first_fragment_asks_for_the_answer_again),
		UP_TEST(a_finer_cut_of_what_was_answered),
		UP_TEST(any_order),
		UP_TEST(duplicates_are_ignored),
		UP_TEST(nothing_is_kept_without_a_tag),
		UP_TEST(a_finer_cut_starts_over),
		UP_TEST(whole_and_in_pieces),
		UP_TEST(exchanges_are_not_mixed),
		UP_TEST(broken_numbers),
		UP_TEST(nonsense_in_pieces),
		UP_TEST(memory_is_bounded),
		UP_TEST(empty_pieces),
		PAIR_TEST(fragments_wait_for_the_keys),
		PAIR_TEST(garbage_waits_for_the_keys),
		PAIR_TEST(the_place_of_waiting_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
