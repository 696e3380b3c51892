/* SPDX-License-Identifier: BSD-2-Clause */
#include "craft.h"

#include "common/alg.h"

/*
 * Corners of nonces and key exchange: 16 (how long, how fresh), 20 (the keys of a rekeyed IKE SA), 29 (public values),
 * and of first messages: 28 (never cut), 9 (an SPI that comes again).
 */

static void start(const char *conn_a, const char *conn_b)
{
	configure(A, conn_a, "");
	configure(B, conn_b, "");
	initiate(A);
	settle();
}

/* The oldest datagram, taken out of the queue; its bytes stay until the caller frees them. */
static struct test_datagram take(void)
{
	struct test_datagram d = w.queue[0];

	assert_true(w.n_queue > 0);
	memmove(&w.queue[0], &w.queue[1], --w.n_queue * sizeof(d));
	return d;
}

static void decode(const struct test_datagram *d, struct ike_msg *msg)
{
	assert_int_equal(msg_decode(slice_of(d->p, d->n), msg), WIRE_OK);
}

/* That IKE_SA_INIT again with another nonce and value, to B or in B's place to A. */
static void init_instead(const struct test_datagram *d, struct slice nonce, struct slice value)
{
	uint8_t buf[4096];
	struct wr out = wr_of(buf, sizeof(buf));
	struct ike_msg msg;
	struct ike_hdr hdr;

	decode(d, &msg);
	hdr = msg.hdr;
	craft();
	msg_put_sa(&chain, &msg.sa);
	msg_put_ke(&chain, msg.ke.group, value.n ? value : msg.ke.data);
	msg_put_nonce(&chain, nonce.n ? nonce : msg.nonce);
	assert_int_equal(msg_seal_plain(&hdr, &chain, &out), 0);
	w.acting = d->side;
	agent_recv(&w.agent[d->side], &d->from, &d->to, wr_slice(&out));
	settle();
}

static bool same(struct slice a, struct slice b)
{
	return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

/* ---- 16: nonces ------------------------------------------------------------------------------------------ */

/* The responder is not known when the nonce is drawn: it is long enough for every PRF there is. */
static void corner_16_nonces_are_long_enough(void **state)
{
	static const uint8_t zero[IKE_NONCE_MAX];
	const struct alg *a;

	(void)state;
	assert_in_range(IKE_NONCE_LEN, IKE_NONCE_MIN, IKE_NONCE_MAX);
	for (unsigned int i = 0; (a = alg_at(i)); i++) {
		if (a->type != IKE_T_PRF)
			continue;
		assert_true(nonce_fits(slice_of(zero, IKE_NONCE_LEN), a->id));
		assert_false(nonce_fits(slice_of(zero, (a->key_len + 1u) / 2 - 1), a->id));
		assert_true(nonce_fits(slice_of(zero, (a->key_len + 1u) / 2), a->id));
		assert_true(nonce_fits(slice_of(zero, IKE_NONCE_MAX), a->id));
	}
	assert_false(nonce_fits(slice_of(zero, IKE_NONCE_MAX), 0x7777));
}

/* What is long enough for SHA-256 is not for SHA-512; and 16 to 256 bytes whatever the PRF. */
static void corner_16_short_nonces_are_refused(void **state)
{
	static const struct {
		size_t n;
		bool sha256, sha512;
	} rows[] = {{0, false, false},  {15, false, false}, {16, true, false}, {31, true, false},
		    {32, true, true},	{255, true, true},  {256, true, true}, {257, false, false}};
	static const uint8_t bytes[257] = {7};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int prf = 0; prf < 2; prf++) {
			const char *conf = prf ? "proposals = aes128gcm16-prfsha512-x25519" : "";
			bool good = prf ? rows[i].sha512 : rows[i].sha256;
			struct slice nonce = slice_of(bytes, rows[i].n);
			struct test_datagram d;

			world_close(NULL);
			world_open(NULL);
			start(conf, conf);
			d = take();
			if (nonce.n)
				init_instead(&d, nonce, slice_of(NULL, 0));
			assert_int_equal(count_ikes(B), good);
			assert_int_equal(counter(B, IKE_C_bad_syntax), !good && nonce.n);
			lose_all();
			/* the same of an answer: A waits for a better one */
			w.queue[w.n_queue++] = d;
			assert_true(deliver_to(B));
			settle();
			d = take();
			if (nonce.n)
				init_instead(&d, nonce, slice_of(NULL, 0));
			assert_int_equal(first_ike(A)->setup->have_keys, good);
			free(d.p);
			lose_all();
		}
	}
}

static void create_with_nonce(size_t n_bytes, unsigned int expect)
{
	static const uint8_t bytes[256] = {9};
	struct child_nego *n = offer(false);
	struct ike_msg msg;

	craft();
	msg_put_sa(&chain, n->offer);
	msg_put_nonce(&chain, slice_of(bytes, n_bytes));
	msg_put_ke(&chain, n->kx.group, ke_public(n->kx.ke));
	msg_put_ts(&chain, IKE_PL_TSI, &n->ts_local);
	msg_put_ts(&chain, IKE_PL_TSR, &n->ts_remote);
	ask(IKE_CREATE_CHILD_SA);
	assert_int_equal(answer_of_b(&msg), expect);
	nego_free(&w.agent[A], n);
}

static void corner_16_short_nonces_in_rekeys(void **state)
{
	(void)state;
	for (int good = 0; good < 2; good++) {
		world_close(NULL);
		world_open(NULL);
		establish_with("proposals = aes128gcm16-prfsha512-x25519", "");
		w.guard = false;
		create_with_nonce(good ? 32 : 31, good ? 0 : N_INVALID_SYNTAX);
		assert_int_equal(count_children(B), good ? 2 : 0);
	}
}

/* The same through cookie and group, another one in every other message, and in a new attempt with new SPIs. */
static void corner_16_fresh_and_kept(void **state)
{
	struct test_datagram d[3];
	struct ike_msg m[3];

	(void)state;
	w.agent[B].gw.ike.cookie_threshold = -1;
	configure(A, "proposals = aes128gcm16-prfsha256-x25519-ecp256 \n keyingtries = 2", "");
	configure(B, "proposals = aes128gcm16-prfsha256-ecp256", "");
	initiate(A);
	settle();
	for (int i = 0; i < 3; i++) {
		d[i] = take();
		decode(&d[i], &m[i]);
		assert_true(m[i].hdr.spi_i == m[0].hdr.spi_i);
		assert_true(same(m[i].nonce, m[0].nonce));
		if (i == 2)
			break;
		w.acting = B;
		agent_recv(&w.agent[B], &d[i].from, &d[i].to, slice_of(d[i].p, d[i].n));
		assert_true(deliver_to(A));
		settle();
	}
	/* Nobody answers any more: the next attempt is a new one in all. */
	for (int tries = 0; tries < 400 && !w.n_queue; tries++) {
		w.now += 1000;
		settle();
		for (unsigned int i = 0; i < w.n_queue; i++) {
			struct ike_hdr hdr;

			ike_hdr_decode(slice_of(w.queue[i].p, w.queue[i].n), &hdr);
			if (hdr.spi_i == m[0].hdr.spi_i)
				lose_all();
		}
	}
	assert_int_equal(w.n_queue, 1);
	decode(&w.queue[0], &m[1]);
	assert_true(m[1].hdr.spi_i != m[0].hdr.spi_i);
	assert_false(same(m[1].nonce, m[0].nonce));
	assert_false(same(m[1].ke.data, m[0].ke.data));
	assert_null(msg_notify(&m[1], N_COOKIE));
	for (int i = 0; i < 3; i++)
		free(d[i].p);
	run();
	assert_one_pair();
}

/* ---- 20: the keys of a rekeyed IKE SA ----------------------------------------------------------------------- */

enum { SHA512 = PRF_HMAC_SHA2_512 };

/* RFC 7296 2.18 by hand: SKEYSEED = prf(SK_d (old), g^ir | Ni | Nr) with the old PRF, expanded with the new one. */
static void keys_by_hand(const struct secret *old_d, struct slice shared, struct slice ni, struct slice nr,
			 uint64_t spi_i, uint64_t spi_r, struct secret *out)
{
	struct slice parts[] = {shared, ni, nr};
	uint8_t skeyseed[CRYPT_PRF_MAX], seed[2 * IKE_NONCE_MAX + 16];
	struct wr s = wr_of(seed, sizeof(seed));

	assert_int_equal(prf(PRF_HMAC_SHA2_256, secret_slice(old_d), parts, 3, skeyseed), 0);
	wr_put(&s, ni);
	wr_put(&s, nr);
	wr_u64(&s, spi_i);
	wr_u64(&s, spi_r);
	/* SK_d, then SK_ei and SK_er of 20 bytes, SK_pi, SK_pr: an AEAD has no SK_ai and SK_ar */
	assert_int_equal(prf_plus(SHA512, slice_of(skeyseed, 32), wr_slice(&s), out, 3 * 64 + 2 * 20), 0);
}

/* Both PRFs are offered; B, played by hand, takes the other one for the new IKE SA. */
static void corner_20_old_sk_d_and_old_prf(void **state)
{
	static const uint8_t spi[8] = {0xb, 1, 2, 3, 4, 5, 6, 7}, nonce[32] = {0xb};
	struct secret shared = {0}, old_d = {0}, want = {0};
	struct ike_sa *ike;
	struct ike_msg msg;
	struct proposals sa;
	struct outcome *o;
	struct ke *ke;
	uint64_t old_spi;
	uint8_t ni[32];
	size_t n;

	(void)state;
	establish_with("proposals = aes128gcm16-prfsha256-prfsha512-x25519", "");
	w.guard = false;
	ike = first_ike(B);
	assert_int_equal(ike->suite.prf, PRF_HMAC_SHA2_256);
	old_spi = ike->spi_i;
	assert_int_equal(secret_dup(&old_d, secret_slice(&ike->keys.d)), 0);
	o = rekey(A, "gw", NULL);
	settle();
	open_for(B, &w.queue[0], &msg, &n);
	assert_int_equal(msg_decode_inner(slice_of(plain, n), msg.sk.first, &msg), WIRE_OK);
	assert_int_equal(msg.nonce.n, 32);
	memcpy(ni, msg.nonce.p, 32);
	ke = ke_new(KE_CURVE25519);
	assert_int_equal(ke_shared(ke, msg.ke.data, &shared), 0);
	sa = (struct proposals){.n = 1, .p = {*ike->proposal}};
	sa.p[0].number = 1;
	sa.p[0].spi_len = 8;
	memcpy(sa.p[0].spi, spi, 8);
	for (unsigned int i = 0; i < sa.p[0].n; i++)
		if (sa.p[0].t[i].type == IKE_T_PRF)
			sa.p[0].t[i].id = SHA512;
	craft();
	msg_put_sa(&chain, &sa);
	msg_put_nonce(&chain, slice_of(nonce, 32));
	msg_put_ke(&chain, KE_CURVE25519, ke_public(ke));
	ke_free(ke);
	answer_instead(IKE_CREATE_CHILD_SA);
	assert_true(deliver_to(A));
	settle();
	assert_int_equal(o->error, 0);
	for (ike = first_ike(A); ike && ike->spi_i == old_spi; ike = TAILQ_NEXT(ike, all))
		;
	assert_non_null(ike);
	assert_true(ike->spi_r == 0x0b01020304050607ull && ike->initiator);
	assert_int_equal(ike->suite.prf, SHA512);
	keys_by_hand(&old_d, secret_slice(&shared), slice_of(ni, 32), slice_of(nonce, 32), ike->spi_i, ike->spi_r,
		     &want);
	assert_int_equal(ike->keys.d.n, 64);
	assert_memory_equal(ike->keys.d.p, want.p, 64);
	assert_memory_equal(ike->keys.ei.p, want.p + 64, 20);
	assert_memory_equal(ike->keys.er.p, want.p + 84, 20);
	assert_memory_equal(ike->keys.pi.p, want.p + 104, 64);
	assert_memory_equal(ike->keys.pr.p, want.p + 168, 64);
	secret_free(&shared);
	secret_free(&old_d);
	secret_free(&want);
	lose_all();
}

static void put_ike_offer(uint8_t first_spi_byte, size_t spi_len, bool none, bool with_ke, struct ke *ke)
{
	struct proposals sa = {.n = 1, .p = {*first_ike(A)->proposal}};
	struct proposal *p = &sa.p[0];

	p->number = 1;
	p->spi_len = (uint8_t)spi_len;
	memset(p->spi, 0, sizeof(p->spi));
	p->spi[0] = first_spi_byte;
	for (unsigned int i = 0; none && i < p->n; i++)
		if (p->t[i].type == IKE_T_KE)
			p->t[i].id = KE_NONE;
	craft();
	msg_put_sa(&chain, &sa);
	msg_put_nonce(&chain, slice_of("0123456789abcdef0123456789abcdef", 32));
	if (with_ke)
		msg_put_ke(&chain, KE_CURVE25519, ke_public(ke));
}

/* RFC 7296 1.3.2, 2.18: always a key exchange, and SPIs of its own. */
static void corner_20_a_rekey_needs_a_key_exchange(void **state)
{
	static const struct {
		uint8_t spi;
		size_t spi_len;
		bool none, ke;
		unsigned int want;
	} rows[] = {
		{1, 8, true, false, N_NO_PROPOSAL_CHOSEN},  {1, 8, true, true, N_NO_PROPOSAL_CHOSEN},
		{1, 8, false, false, N_INVALID_KE_PAYLOAD}, {0, 8, false, true, N_NO_PROPOSAL_CHOSEN},
		{1, 0, false, true, N_NO_PROPOSAL_CHOSEN},  {1, 8, false, true, 0},
	};
	struct ke *ke = ke_new(KE_CURVE25519);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ike_msg msg;

		world_close(NULL);
		world_open(NULL);
		establish();
		w.guard = false;
		put_ike_offer(rows[i].spi, rows[i].spi_len, rows[i].none, rows[i].ke, ke);
		ask(IKE_CREATE_CHILD_SA);
		assert_int_equal(answer_of_b(&msg), rows[i].want);
		assert_int_equal(count_ikes(B), rows[i].want ? 1 : 2);
		if (!rows[i].want) {
			assert_true(msg_has(&msg, IKE_PL_KE) && msg.sa.p[0].spi_len == 8);
			assert_int_not_equal(msg.ke.group, KE_NONE);
		}
	}
	ke_free(ke);
}

/* RFC 7296 2.8: who rekeyed deletes the old IKE SA, as the last it asks there; what waited is asked on the new one. */
static void corner_20_the_delete_is_the_last_request(void **state)
{
	(void)state;
	for (int side = A; side <= B; side++) {
		struct outcome *whole, *child;
		uint64_t old;

		world_close(NULL);
		world_open(NULL);
		establish();
		old = first_ike(A)->spi_i;
		whole = rekey(side, "gw", NULL);
		child = rekey(side, NULL, "net");
		settle();
		assert_int_equal(w.n_queue, 1);
		assert_true(deliver_to(1 - side));
		assert_true(deliver_to(side));
		settle();
		/* from who rekeyed: a Delete of the old by the old, the child's rekey by the new, and nothing else */
		for (unsigned int i = 0; i < w.n_queue; i++) {
			struct ike_hdr hdr;

			assert_int_equal(w.queue[i].side, 1 - side);
			assert_int_equal(ike_hdr_decode(slice_of(w.queue[i].p, w.queue[i].n), &hdr), WIRE_OK);
			assert_int_equal(hdr.exchange, hdr.spi_i == old ? IKE_INFORMATIONAL : IKE_CREATE_CHILD_SA);
			if (hdr.spi_i != old)
				assert_int_equal(hdr.mid, 0);
		}
		assert_int_equal(w.n_queue, 2);
		run();
		advance(10000);
		assert_int_equal(whole->error, 0);
		assert_int_equal(child->error, 0);
		assert_one_pair();
		assert_true(first_ike(A)->spi_i != old);
		/* the roles are those of the rekey, not of the first IKE SA */
		assert_true(first_ike(side)->initiator);
	}
}

/* ---- 29: public values ---------------------------------------------------------------------------------------- */

struct bad_value {
	const char *group;
	uint16_t id;
	uint8_t fill, first, last;
	int more; /* bytes more than there should be */
};

static const struct bad_value bad_values[] = {
	{"x25519", KE_CURVE25519, 0, 0, 0, 0},	    /* result of zeros */
	{"x25519", KE_CURVE25519, 0, 1, 0, 0},	    /* order 1 */
	{"x448", KE_CURVE448, 0, 0, 0, 0},
	{"ecp256", KE_ECP_256, 0, 0, 0, 0},	    /* infinity has no coordinates */
	{"ecp256", KE_ECP_256, 0xff, 0xff, 0xff, 0}, /* above p */
	{"ecp256", KE_ECP_256, 1, 1, 1, 0},	    /* off the curve */
	{"ecp521", KE_ECP_521, 0, 0, 1, 0},
	{"modp2048", KE_MODP_2048, 0, 0, 0, 0},	    /* 0 */
	{"modp2048", KE_MODP_2048, 0, 0, 1, 0},	    /* 1 */
	{"modp2048", KE_MODP_2048, 0xff, 0xff, 0xff, 0}, /* above p */
	{"x25519", KE_CURVE25519, 9, 9, 9, 1},	    /* lengths */
	{"x25519", KE_CURVE25519, 9, 9, 9, -1},
	{"ecp256", KE_ECP_256, 4, 4, 4, 1},
	{"modp2048", KE_MODP_2048, 2, 2, 2, -1},
	{"modp2048", KE_MODP_2048, 2, 2, 2, 1},
};

static struct slice value_of(const struct bad_value *b, uint8_t buf[1100])
{
	size_t n = (size_t)((int)ke_public_len(b->id) + b->more);

	memset(buf, b->fill, n);
	buf[0] = b->first;
	buf[n - 1] = b->last;
	return slice_of(buf, n);
}

/* In each of the four places where a peer's value arrives: no keys come of it, and what is up stays up. */
static void corner_29_bad_values(void **state)
{
	static uint8_t buf[1100];

	(void)state;
	for (size_t i = 0; i < sizeof(bad_values) / sizeof(bad_values[0]); i++) {
		const struct bad_value *b = &bad_values[i];
		struct slice value = value_of(b, buf);
		struct test_datagram d;
		char conn[128], child[128];
		struct child_nego *n;
		struct ike_msg msg;

		snprintf(conn, sizeof(conn), "proposals = aes128gcm16-prfsha256-%s", b->group);
		snprintf(child, sizeof(child), "esp_proposals = aes128gcm16-%s", b->group);
		/* as responder: a wrong length at once, the rest when IKE_AUTH shows that somebody is there */
		world_close(NULL);
		world_open(NULL);
		start(conn, conn);
		d = take();
		init_instead(&d, slice_of(NULL, 0), value);
		assert_int_equal(count_ikes(B), b->more ? 0 : 1);
		assert_int_equal(counter(B, IKE_C_bad_ke), b->more ? 1 : 0);
		if (!b->more) {
			assert_false(first_ike(B)->setup->have_keys);
			assert_true(deliver_to(A));
			settle();
			run();
			assert_int_equal(count_ikes(B), 0);
			assert_int_equal(counter(B, IKE_C_bad_ke), 1);
		}
		free(d.p);
		/* as initiator: a better answer may come */
		world_close(NULL);
		world_open(NULL);
		start(conn, conn);
		assert_true(deliver_to(B));
		settle();
		d = take();
		init_instead(&d, slice_of(NULL, 0), value);
		assert_false(first_ike(A)->setup->have_keys);
		assert_int_equal(w.n_queue, 0);
		w.queue[w.n_queue++] = d;
		run();
		assert_one_pair();
		/* in a rekey, both roles */
		world_close(NULL);
		world_open(NULL);
		establish_with("", child);
		n = offer(false);
		craft();
		msg_put_sa(&chain, n->offer);
		msg_put_nonce(&chain, slice_of(n->ni.b, n->ni.n));
		msg_put_ke(&chain, n->kx.group, value);
		msg_put_ts(&chain, IKE_PL_TSI, &n->ts_local);
		msg_put_ts(&chain, IKE_PL_TSR, &n->ts_remote);
		ask(IKE_CREATE_CHILD_SA);
		assert_int_equal(answer_of_b(&msg), N_INVALID_SYNTAX);
		assert_int_equal(counter(B, IKE_C_bad_ke), 1);
		assert_one_pair();
		nego_free(&w.agent[A], n);
	}
}

static uint8_t values[64][32];
static unsigned int n_values;
static uint64_t values_of[64];

/* The same one only for the same owner. */
static void remember(uint64_t owner, struct slice v)
{
	assert_int_equal(v.n, 32);
	for (unsigned int i = 0; i < n_values; i++)
		if (memcmp(values[i], v.p, 32) == 0) {
			assert_true(values_of[i] == owner);
			return;
		}
	assert_true(n_values < 64);
	values_of[n_values] = owner;
	memcpy(values[n_values++], v.p, 32);
}

/* RFC 7296 2.12: no exponent serves twice: not in rekeys, not in a new attempt, not for another peer. */
static void corner_29_no_value_twice(void **state)
{
	struct ike_msg msg;
	size_t n;

	(void)state;
	n_values = 0;
	for (int i = 0; i < 4; i++) {
		w.n_outcomes = 0;
		configure(A, "", "");
		configure(B, "", "");
		initiate(A);
		settle();
		decode(&w.queue[0], &msg);
		remember(msg.hdr.spi_i, msg.ke.data);
		assert_true(deliver_to(B));
		settle();
		decode(&w.queue[0], &msg);
		remember(msg.hdr.spi_r, msg.ke.data);
		run();
		for (int k = 0; k < 4; k++) {
			rekey(k % 2, k / 2 ? "gw" : NULL, k / 2 ? NULL : "net");
			settle();
			open_for(1 - k % 2, &w.queue[0], &msg, &n);
			assert_int_equal(msg_decode_inner(slice_of(plain, n), msg.sk.first, &msg), WIRE_OK);
			remember((uint64_t)(100 * i + 10 * k + 1), msg.ke.data);
			assert_true(deliver_to(1 - k % 2));
			settle();
			open_for(k % 2, &w.queue[0], &msg, &n);
			assert_int_equal(msg_decode_inner(slice_of(plain, n), msg.sk.first, &msg), WIRE_OK);
			remember((uint64_t)(100 * i + 10 * k + 2), msg.ke.data);
			run();
			advance(10000);
			assert_one_pair();
		}
		terminate(A, "gw", NULL, false);
		run();
	}
	assert_int_equal(n_values, 4 * (2 + 4 * 2));
}

/* Work for strangers: the shared secret is made when IKE_AUTH is there, once, and for no other message. */
static void corner_29_keys_wait_for_auth(void **state)
{
	static const uint8_t others[] = {IKE_CREATE_CHILD_SA, IKE_INFORMATIONAL, IKE_INTERMEDIATE, 200};
	struct test_datagram answer;
	struct ike_msg msg;

	(void)state;
	start("", "");
	assert_true(deliver_to(B));
	settle();
	answer = take();
	decode(&answer, &msg);
	assert_non_null(first_ike(B)->setup->ke); /* our half of the secret is still there */
	for (size_t i = 0; i < sizeof(others); i++) {
		struct ike_hdr hdr = {.spi_i = msg.hdr.spi_i, .spi_r = msg.hdr.spi_r, .version = IKE_VERSION,
				      .exchange = others[i], .flags = IKE_FLAG_INITIATOR, .mid = 1};
		uint8_t buf[256];
		struct wr out = wr_of(buf, sizeof(buf));

		craft();
		msg_put_raw(&chain, IKE_PL_SK, slice_of("0123456789abcdef0123456789abcdef", 32));
		assert_int_equal(msg_seal_plain(&hdr, &chain, &out), 0);
		agent_recv(&w.agent[B], &answer.to, &answer.from, wr_slice(&out));
		settle();
		assert_non_null(first_ike(B)->setup->ke);
		assert_false(first_ike(B)->setup->have_keys);
	}
	w.queue[w.n_queue++] = answer;
	run();
	assert_one_pair();
}

/* ---- 28: first messages and fragments ---------------------------------------------------------------------------- */

/* RFC 7383 2.5: there are no keys for fragments of IKE_SA_INIT: it goes out whole whatever its size, and comes whole. */
static void corner_28_a_first_message_is_never_cut(void **state)
{
	static const char conf[] = "proposals = aes128gcm16-prfsha256-modp8192";
	uint8_t skf[64] = {1, 2, 3, 4, 5, 6, 7, 8, [16] = IKE_PL_SKF, [17] = 0x20, [18] = IKE_SA_INIT,
			   [19] = IKE_FLAG_INITIATOR, [27] = 64, [28] = IKE_PL_SA, [31] = 36, [33] = 1, [35] = 2};
	struct endpoint from = {.ip = *addr_of(A), .port = 500}, to = {.ip = *addr_of(B), .port = 500};
	struct ike_msg msg;

	(void)state;
	w.agent[A].gw.ike.fragment_size = w.agent[B].gw.ike.fragment_size = 300;
	start(conf, conf);
	for (int side = B; side >= A; side--) {
		assert_int_equal(w.n_queue, 1);
		assert_true(w.queue[0].n > 1024);
		decode(&w.queue[0], &msg);
		assert_false(msg.sk.present);
		assert_true(msg_has(&msg, IKE_PL_SA) && msg_has(&msg, IKE_PL_KE) && msg_has(&msg, IKE_PL_NONCE));
		assert_true(deliver_to(side));
		settle();
	}
	run();
	assert_one_pair();
	assert_true(first_ike(B)->peer_fragmentation);
	/* and a stranger's fragment of one costs nothing */
	assert_int_equal(msg_decode(slice_of(skf, sizeof(skf)), &msg), WIRE_OK);
	assert_true(msg.sk.fragment);
	agent_recv(&w.agent[B], &from, &to, slice_of(skf, sizeof(skf)));
	settle();
	assert_int_equal(count_ikes(B), 1);
	assert_int_equal(w.n_queue, 0);
	assert_int_equal(counter(B, IKE_C_bad_syntax), 1);
}

static unsigned int nth;

/* All but the first datagram. */
static bool only_first(const struct test_datagram *d)
{
	(void)d;
	return nth++ != 0;
}

/* Half a set waits without a timer: it holds nothing up, and goes with the IKE SA or with the whole. */
static void corner_28_half_a_set_holds_nothing_up(void **state)
{
	struct outcome *o;

	(void)state;
	w.agent[A].gw.ike.fragment_size = w.agent[B].gw.ike.fragment_size = 200;
	establish();
	nth = 0;
	w.drop = only_first;
	o = rekey(A, NULL, "net");
	settle();
	run();
	w.drop = NULL;
	assert_non_null(first_ike(B)->frag_request);
	assert_int_equal(o->error, INT32_MAX);
	advance(10000);
	assert_int_equal(o->error, 0);
	assert_one_pair();
	assert_null(first_ike(B)->frag_request);
	/* and one of which no more ever comes */
	nth = 0;
	w.drop = only_first;
	o = rekey(A, NULL, "net");
	run();
	w.guard = false;
	assert_non_null(first_ike(B)->frag_request);
	w.drop = NULL;
	lose_all();
	ike_end(first_ike(A), END_LOCAL, NULL);
	terminate(B, "gw", NULL, true);
	run();
	assert_int_equal(count_ikes(B), 0);
}

/* ---- 9: an SPI that comes again ------------------------------------------------------------------------------------ */

static struct test_datagram copy_of(const struct test_datagram *d)
{
	struct test_datagram c = *d;

	c.p = malloc(d->n);
	memcpy(c.p, d->p, d->n);
	return c;
}

/* The first request of a living IKE SA once more, from there and from elsewhere: what is up does not notice. */
static void corner_09_an_old_first_request(void **state)
{
	struct test_datagram first;
	uint64_t spi_r;

	(void)state;
	start("", "");
	first = copy_of(&w.queue[0]);
	run();
	assert_one_pair();
	spi_r = first_ike(B)->spi_r;
	for (int elsewhere = 0; elsewhere < 2; elsewhere++) {
		struct ike_hdr hdr;

		w.queue[w.n_queue++] = copy_of(&first);
		if (elsewhere)
			w.queue[0].from.ip = *addr_of(2);
		assert_true(deliver_to(B));
		settle();
		assert_int_equal(count_ikes(B), 2);
		assert_int_equal(w.n_queue, 1);
		assert_int_equal(ike_hdr_decode(slice_of(w.queue[0].p, w.queue[0].n), &hdr), WIRE_OK);
		assert_true(hdr.spi_r != spi_r);
		/* A has that SPIi in use: an answer to what it does not ask any more */
		if (!elsewhere)
			run();
		lose_all();
		rekey(B, NULL, "net");
		advance(60000);
		assert_one_pair();
		assert_true(first_ike(B)->spi_r == spi_r);
	}
	free(first.p);
}

#define PAIR_TEST(t) cmocka_unit_test_setup_teardown(t, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(corner_16_nonces_are_long_enough),
		PAIR_TEST(corner_16_short_nonces_are_refused),
		PAIR_TEST(corner_16_short_nonces_in_rekeys),
		PAIR_TEST(corner_16_fresh_and_kept),
		PAIR_TEST(corner_20_old_sk_d_and_old_prf),
		PAIR_TEST(corner_20_a_rekey_needs_a_key_exchange),
		PAIR_TEST(corner_20_the_delete_is_the_last_request),
		PAIR_TEST(corner_29_bad_values),
		PAIR_TEST(corner_29_no_value_twice),
		PAIR_TEST(corner_29_keys_wait_for_auth),
		PAIR_TEST(corner_28_a_first_message_is_never_cut),
		PAIR_TEST(corner_28_half_a_set_holds_nothing_up),
		PAIR_TEST(corner_09_an_old_first_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
