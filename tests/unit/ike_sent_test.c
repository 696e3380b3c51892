/* SPDX-License-Identifier: BSD-2-Clause */
#include "craft.h"

#include "agent/crypt/alg.h"
#include "common/alg.h"

/*
 * What RFC 7296 demands of the bytes that are sent: everything that either side sends in a life is opened with the
 * sender's keys and read by hand, strictly.
 */

struct seen_header {
	uint64_t spi_i, spi_r;
	uint32_t mid;
	uint8_t exchange, sender;
};

static struct seen_header asked[512];
static unsigned int n_asked, n_messages, n_payloads, n_of[64];
static uint8_t nonces[128][IKE_NONCE_LEN];
static unsigned int n_nonces, n_created, n_rekeyed;

/* Of the message being read. */
static struct {
	struct ike_hdr hdr;
	bool response, init;
	unsigned int groups, has_sa, has_ke, has_rekey, has_child_sa;
	uint16_t group[16];
} now;

static uint16_t be16_at(struct slice s, size_t i)
{
	assert_true(i + 2 <= s.n);
	return (uint16_t)(s.p[i] << 8 | s.p[i + 1]);
}

static void zeros(struct slice s, size_t from, size_t n)
{
	assert_true(from + n <= s.n);
	for (size_t i = from; i < from + n; i++)
		assert_int_equal(s.p[i], 0);
}

/* RFC 7296 3.3.2, 3.3.5: at most one attribute, the key length in its short form, and only of ciphers that have one. */
static void read_transform(struct slice t, unsigned int *types)
{
	const struct alg *a;
	unsigned int bits = 0;

	zeros(t, 1, 1);
	zeros(t, 5, 1);
	if (t.n > 8) {
		assert_int_equal(t.n, 12);
		assert_int_equal(be16_at(t, 8), 0x800e);
		bits = be16_at(t, 10);
		assert_int_not_equal(bits, 0);
	}
	a = alg_find(t.p[4], be16_at(t, 6), bits);
	if (t.p[4] != IKE_T_ESN && be16_at(t, 6))
		assert_non_null(a);
	if (t.p[4] == IKE_T_KE && be16_at(t, 6) && now.groups < 16)
		now.group[now.groups++] = be16_at(t, 6);
	types[t.p[4]]++;
}

static void read_proposal(struct slice p, unsigned int number)
{
	unsigned int types[8] = {0}, n = 0;
	size_t spi = p.p[6], at = 8 + spi;

	zeros(p, 1, 1);
	if (!now.response)
		assert_int_equal(p.p[4], number);
	if (p.p[5] == IKE_PROTO_IKE)
		assert_int_equal(spi, now.init ? 0 : 8);
	else
		assert_int_equal(spi, 4);
	now.has_child_sa |= p.p[5] == IKE_PROTO_ESP;
	for (; at < p.n; n++) {
		size_t len = be16_at(p, at + 2);

		assert_int_equal(p.p[at], at + len < p.n ? 3 : 0);
		read_transform(slice_of(p.p + at, len), types);
		at += len;
	}
	assert_int_equal(at, p.n);
	assert_int_equal(n, p.p[7]);
	for (unsigned int i = 0; now.response && i < 8; i++)
		assert_in_range(types[i], 0, 1);
	assert_true(types[IKE_T_ENCR] > 0);
	assert_true(p.p[5] == IKE_PROTO_IKE ? types[IKE_T_PRF] && types[IKE_T_KE] : types[IKE_T_ESN]);
}

static void read_sa(struct slice b)
{
	unsigned int number = 0;
	size_t at = 0;

	now.has_sa = 1;
	while (at < b.n) {
		size_t len = be16_at(b, at + 2);

		assert_int_equal(b.p[at], at + len < b.n ? 2 : 0);
		read_proposal(slice_of(b.p + at, len), ++number);
		at += len;
	}
	assert_int_equal(at, b.n);
	assert_true(number > 0 && (!now.response || number == 1));
}

static void read_ke(struct slice b)
{
	bool offered = false;

	zeros(b, 2, 2);
	assert_int_equal(b.n - 4, ke_public_len(be16_at(b, 0)));
	for (unsigned int i = 0; i < now.groups; i++)
		offered |= now.group[i] == be16_at(b, 0);
	assert_true(offered);
	now.has_ke = 1;
}

/* Ours alone, never the same twice; the request that is sent again for a cookie or a group keeps its own. */
static void read_nonce(struct slice b)
{
	assert_int_equal(b.n, IKE_NONCE_LEN);
	for (unsigned int i = 0; i < n_nonces; i++)
		if (memcmp(nonces[i], b.p, b.n) == 0) {
			assert_true(now.init && !now.response);
			return;
		}
	assert_true(n_nonces < 128);
	memcpy(nonces[n_nonces++], b.p, b.n);
}

static void read_id(struct slice b)
{
	zeros(b, 1, 3);
	for (size_t i = 4; b.p[0] == ID_FQDN && i < b.n; i++)
		assert_true(b.p[i] > ' ' && b.p[i] < 127);
}

/* RFC 7296 3.10: a protocol only with an SPI, which is a Child SA's. */
static void read_notify(struct slice b)
{
	uint16_t type = be16_at(b, 2);

	if (b.p[1] == 0) {
		assert_int_equal(b.p[0], 0);
	} else {
		assert_int_equal(b.p[0], IKE_PROTO_ESP);
		assert_int_equal(b.p[1], 4);
		assert_true(type == N_REKEY_SA || type == N_CHILD_SA_NOT_FOUND);
	}
	now.has_rekey |= type == N_REKEY_SA;
	assert_true(type != N_SET_WINDOW_SIZE && type != N_INVALID_MESSAGE_ID);
	if (type == N_INITIAL_CONTACT) {
		assert_int_equal(now.hdr.exchange, IKE_AUTH);
		assert_int_equal(now.hdr.mid, 1);
	}
}

static void read_delete(struct slice b)
{
	if (b.p[0] == IKE_PROTO_IKE) {
		assert_int_equal(b.n, 4);
		zeros(b, 1, 3);
		return;
	}
	assert_int_equal(b.p[0], IKE_PROTO_ESP);
	assert_int_equal(b.p[1], 4);
	assert_true(be16_at(b, 2) > 0);
	assert_int_equal(b.n, 4 + 4u * be16_at(b, 2));
}

/* RFC 7296 3.13.1: a protocol without ports, and any port, is 0 to 65535. */
static void read_ts(struct slice b)
{
	size_t at = 4;

	zeros(b, 1, 3);
	for (unsigned int i = 0; i < b.p[0]; i++) {
		size_t len = be16_at(b, at + 2);

		assert_int_equal(len, b.p[at] == TS_IPV4_ADDR_RANGE ? 16 : 40);
		if (b.p[at + 1] == 0) {
			assert_int_equal(be16_at(b, at + 4), 0);
			assert_int_equal(be16_at(b, at + 6), 65535);
		}
		at += len;
	}
	assert_int_equal(at, b.n);
}

static void read_payload(uint8_t type, struct slice b)
{
	switch (type) {
	case IKE_PL_SA:
		read_sa(b);
		break;
	case IKE_PL_KE:
		read_ke(b);
		break;
	case IKE_PL_NONCE:
		read_nonce(b);
		break;
	case IKE_PL_IDI:
	case IKE_PL_IDR:
		read_id(b);
		break;
	case IKE_PL_AUTH:
		zeros(b, 1, 3);
		break;
	case IKE_PL_NOTIFY:
		read_notify(b);
		break;
	case IKE_PL_DELETE:
		read_delete(b);
		break;
	case IKE_PL_TSI:
	case IKE_PL_TSR:
		read_ts(b);
		break;
	default:
		/* no CP, EAP, vendor ids: nothing else is ever sent */
		fail_msg("payload %u", type);
	}
}

/* Generic headers: no critical bit, no reserved bit, and an Encrypted payload is the last. */
static void read_chain(struct slice c, uint8_t type)
{
	size_t at = 0;

	while (type && type != IKE_PL_SK) {
		size_t len = be16_at(c, at + 2);

		zeros(c, at + 1, 1);
		assert_in_range(len, 4, c.n - at);
		read_payload(type, slice_of(c.p + at + 4, len - 4));
		n_payloads++;
		n_of[type]++;
		type = c.p[at];
		at += len;
	}
	if (type == IKE_PL_SK) {
		zeros(c, at + 1, 1);
		assert_int_equal(at + be16_at(c, at + 2), c.n);
	} else {
		assert_int_equal(at, c.n);
	}
	if (now.has_ke)
		assert_true(now.has_sa && now.groups);
	if (now.hdr.exchange == IKE_CREATE_CHILD_SA && !now.response && now.has_child_sa) {
		n_rekeyed += now.has_rekey;
		n_created += !now.has_rekey;
	}
}

static void read_header(const struct ike_sa *ike, int sender)
{
	const struct ike_hdr *h = &now.hdr;
	bool known = false;

	assert_int_equal(h->version, 0x20);
	assert_int_equal(h->flags & ~(IKE_FLAG_INITIATOR | IKE_FLAG_RESPONSE), 0);
	assert_true(h->spi_i != 0);
	assert_true((h->spi_r == 0) == (now.init && (!now.response || !ike)));
	if (now.init)
		assert_int_equal(h->mid, 0);
	if (ike)
		assert_int_equal(!!(h->flags & IKE_FLAG_INITIATOR), ike->initiator);
	/* An answer is one to a request that was sent, with the number of that, and of that exchange. */
	for (unsigned int i = 0; now.response && i < n_asked; i++)
		known |= asked[i].sender != sender && asked[i].mid == h->mid && asked[i].exchange == h->exchange &&
			 asked[i].spi_i == h->spi_i && (asked[i].spi_r == h->spi_r || now.init);
	assert_int_equal(known, now.response);
	assert_true(n_asked < 512);
	if (!now.response)
		asked[n_asked++] = (struct seen_header){.spi_i = h->spi_i, .spi_r = h->spi_r, .mid = h->mid,
							 .exchange = h->exchange, .sender = (uint8_t)sender};
}

static bool read_datagram(const struct test_datagram *d)
{
	static uint8_t text[65536];
	int sender = 1 - d->side;
	struct slice whole = slice_of(d->p, d->n);
	struct ike_sa *ike;
	struct ike_msg msg;
	size_t n;

	assert_int_equal(ike_hdr_decode(whole, &now.hdr), WIRE_OK);
	now.response = now.hdr.flags & IKE_FLAG_RESPONSE;
	now.init = now.hdr.exchange == IKE_SA_INIT;
	now.groups = now.has_sa = now.has_ke = now.has_rekey = now.has_child_sa = 0;
	ike = ike_find_spi(&w.agent[sender], now.hdr.flags & IKE_FLAG_INITIATOR ? now.hdr.spi_i : now.hdr.spi_r);
	read_header(ike, sender);
	n_messages++;
	read_chain(slice_of(d->p + IKE_HDR_LEN, d->n - IKE_HDR_LEN), now.hdr.next);
	if (now.init)
		return false;
	assert_non_null(ike);
	assert_int_equal(now.hdr.next, IKE_PL_SK); /* nothing beside it */
	assert_int_equal(msg_decode(whole, &msg), WIRE_OK);
	assert_int_equal(sk_open(&ike->suite, ike->initiator ? &ike->keys.ei : &ike->keys.er,
				 ike->initiator ? &ike->keys.ai : &ike->keys.ar, &msg, text, sizeof(text), &n),
			 0);
	read_chain(slice_of(text, n), msg.sk.first);
	return false;
}

/* test_send's hook has the datagram's length, but not its bytes. */
static int reading_send(struct agent *a, const struct endpoint *from, const struct endpoint *to, struct slice datagram)
{
	struct test_datagram d = {.side = 1 - side_of(a), .n = datagram.n, .p = (uint8_t *)datagram.p};

	read_datagram(&d);
	return test_send(a, from, to, datagram);
}

static struct agent_parts reading_parts;

static void a_life(const char *conn, const char *child)
{
	struct outcome *o;

	establish_with(conn, child);
	for (int side = A; side <= B; side++) {
		o = rekey(side, NULL, "net");
		advance(10000);
		assert_int_equal(o->error, 0);
		o = rekey(side, "gw", NULL);
		advance(10000);
		assert_int_equal(o->error, 0);
	}
	w.guard = false;
	terminate(B, NULL, "net", false);
	run();
	o = initiate(A);
	run();
	assert_int_equal(o->error, 0);
	terminate(A, "gw", NULL, false);
	run();
	assert_int_equal(count_ikes(A) + count_ikes(B), 0);
}

enum { NAT = 1, COOKIE = 2, CHILDLESS = 4 };

static void what_we_send(void **state)
{
	static const struct {
		const char *conn, *child;
		unsigned int how;
	} rows[] = {
		{"", "", 0},
		{"", "", NAT | COOKIE},
		{"proposals = aes128gcm16-prfsha256-x25519, aes256-sha256-x25519-ecp256",
		 "esp_proposals = aes128gcm16-x25519, chacha20poly1305-ecp256-esn-noesn, aes256-sha256", 0},
		{"proposals = aes256-aes128-sha512-sha256-modp2048", "esp_proposals = aes256-sha256", COOKIE},
		{"proposals = chacha20poly1305-prfsha512-ecp384", "esp_proposals = aes128gcm16-none", 0},
		{"proposals = default", "esp_proposals = default", 0},
		{"", "local_ts = 0.0.0.0/0[tcp], ::/0 \n remote_ts = 0.0.0.0/0, ::/0", 0},
		{"encap = yes \n childless = prefer", "", CHILDLESS},
	};

	(void)state;
	reading_parts = test_parts;
	reading_parts.send = reading_send;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		world_close(NULL);
		world_open(NULL);
		n_asked = n_nonces = n_messages = n_payloads = n_created = n_rekeyed = 0;
		memset(n_of, 0, sizeof(n_of));
		for (int s = A; s <= B; s++)
			w.agent[s].core->parts = &reading_parts;
		w.nat = rows[i].how & NAT;
		if (rows[i].how & COOKIE)
			w.agent[B].gw.ike.cookie_threshold = -1;
		a_life(rows[i].conn, rows[i].child);
		assert_true(n_messages >= 22 && n_payloads >= 60);
		assert_true(n_of[IKE_PL_SA] >= 14 && n_of[IKE_PL_DELETE] >= 8 && n_of[IKE_PL_AUTH] == 2);
		assert_int_equal(n_rekeyed, 2);
		assert_int_equal(n_created, rows[i].how & CHILDLESS ? 2 : 1);
		/* RFC 7296 2.23: both hashes in both messages */
		assert_true(n_of[IKE_PL_NOTIFY] >= 4);
	}
}

#define PAIR_TEST(t) cmocka_unit_test_setup_teardown(t, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(what_we_send),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
