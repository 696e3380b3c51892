/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/wire_again.h"
#include "tests/wire_hex.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/*
 * encode(decode(x)): a message with every payload, each payload alone, that message cut at every byte and with
 * every bit flipped, and real messages from XDPSEC_TESTDATA (default ../shared/testdata) when they are there.
 */
enum { BUF = IKE_HDR_LEN + IKE_MSG_MAX };

static const struct ike_hdr hdr = {.spi_i = 0x0102030405060708, .spi_r = 0x1112131415161718,
				   .version = IKE_VERSION, .exchange = IKE_CREATE_CHILD_SA,
				   .flags = IKE_FLAG_INITIATOR, .mid = 7};

static const uint8_t bytes[64] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-";

static struct slice some(size_t n)
{
	return slice_of(bytes, n);
}

static void put_proposals(struct msg_wr *c)
{
	static const struct proposals sa = {
		.n = 2,
		.p = {{.number = 1, .proto = IKE_PROTO_ESP, .spi_len = 4, .spi = {0xc0, 1, 2, 3}, .n = 3,
		       .t = {{IKE_T_ENCR, ENCR_AES_GCM_16, 256}, {IKE_T_KE, KE_CURVE25519, 0}, {IKE_T_ESN, ESN_YES, 0}}},
		      {.number = 2, .proto = IKE_PROTO_IKE, .spi_len = 8, .spi = {1, 2, 3, 4, 5, 6, 7, 8}, .n = 4,
		       .t = {{IKE_T_ENCR, ENCR_AES_CBC, 128}, {IKE_T_PRF, PRF_HMAC_SHA2_256, 0},
			     {IKE_T_INTEG, AUTH_HMAC_SHA2_256_128, 0}, {IKE_T_KE, KE_ECP_256, 0}}}},
	};

	msg_put_sa(c, &sa);
}

static void put_ke(struct msg_wr *c)
{
	msg_put_ke(c, KE_CURVE25519, some(32));
}

static void put_nonce(struct msg_wr *c)
{
	msg_put_nonce(c, some(IKE_NONCE_LEN));
}

static void put_id_i(struct msg_wr *c)
{
	msg_put_id(c, IKE_PL_IDI, &(struct ike_id){.type = ID_FQDN, .data = some(9)});
}

static void put_id_r(struct msg_wr *c)
{
	msg_put_id(c, IKE_PL_IDR, &(struct ike_id){.type = ID_IPV6_ADDR, .data = some(16)});
}

static void put_certs(struct msg_wr *c)
{
	msg_put_cert(c, IKE_PL_CERT, 4, some(40));
	msg_put_cert(c, IKE_PL_CERT, 4, some(1));
}

static void put_certreqs(struct msg_wr *c)
{
	msg_put_cert(c, IKE_PL_CERTREQ, 4, some(20));
	msg_put_cert(c, IKE_PL_CERTREQ, 4, some(0));
}

static void put_auth(struct msg_wr *c)
{
	msg_put_auth(c, AUTH_METHOD_PSK, some(32));
}

static const struct ts_list selectors = {
	.n = 3,
	.ts = {{.lo = {4, {10, 1, 0, 0}}, .hi = {4, {10, 1, 0, 255}}, .port_lo = 80, .port_hi = 80, .protocol = 6},
	       {.lo = {6, {0x20, 1, 13, 0xb8}}, .hi = {6, {0x20, 1, 13, 0xb8, 1}}, .port_hi = 65535},
	       {.lo = {4, {0}}, .hi = {4, {255, 255, 255, 255}}, .port_lo = 65535, .port_hi = 0, .protocol = 17}},
};

static void put_ts_i(struct msg_wr *c)
{
	msg_put_ts(c, IKE_PL_TSI, &selectors);
}

static void put_ts_r(struct msg_wr *c)
{
	msg_put_ts(c, IKE_PL_TSR, &selectors);
}

static void put_notifies(struct msg_wr *c)
{
	msg_put_notify(c, 0, N_NAT_DETECTION_SOURCE_IP, some(0), some(20));
	msg_put_notify(c, IKE_PROTO_ESP, N_REKEY_SA, some(4), some(0));
	msg_put_notify(c, IKE_PROTO_IKE, N_REKEY_SA, some(0), some(0));
	msg_put_notify(c, 0, 40000, some(3), some(5));
}

static void put_deletes(struct msg_wr *c)
{
	msg_put_delete(c, IKE_PROTO_ESP, (uint32_t[]){0xc0000001, 0xffffffff}, 2);
	msg_put_delete_ike(c);
	msg_put_delete(c, IKE_PROTO_AH, NULL, 0);
}

static void put_vendors(struct msg_wr *c)
{
	msg_put_raw(c, IKE_PL_VENDOR, some(16));
	msg_put_raw(c, IKE_PL_VENDOR, some(0));
}

static void put_cp(struct msg_wr *c)
{
	msg_put_raw(c, IKE_PL_CP, some(12));
}

static void put_eap(struct msg_wr *c)
{
	msg_put_raw(c, IKE_PL_EAP, some(5));
}

static void put_sk(struct msg_wr *c)
{
	msg_put_raw(c, IKE_PL_SK, some(48));
	if (wr_ok(&c->w))
		c->w.p[c->last_next] = IKE_PL_IDI;
}

/* In the order of again_chain, so that the bytes have to come out the same. */
static void (*const puts_in_order[])(struct msg_wr *) = {
	put_proposals, put_ke, put_nonce, put_id_i, put_id_r, put_certs, put_certreqs, put_auth,
	put_ts_i, put_ts_r, put_notifies, put_deletes, put_vendors, put_cp, put_eap, put_sk,
};
enum { PUTS = sizeof(puts_in_order) / sizeof(puts_in_order[0]) };

struct bufs {
	uint8_t chain[BUF], one[BUF], two[BUF];
};
static struct bufs b;

/* A datagram of some of the puts; its length. */
static size_t build(unsigned int from, unsigned int to)
{
	struct msg_wr c;
	struct wr w = wr_of(b.one, sizeof(b.one));

	msg_wr_init(&c, b.chain, sizeof(b.chain));
	for (unsigned int i = from; i < to; i++)
		puts_in_order[i](&c);
	assert_int_equal(msg_seal_plain(&hdr, &c, &w), 0);
	return w.n;
}

/* Decodes a copy of exactly its size; what decodes is written and read again and must say the same. */
static enum wire_err check_again(const uint8_t *p, size_t n, size_t *written)
{
	uint8_t *copy = malloc(n ? n : 1);
	struct ike_msg m, m2;
	enum wire_err err;
	size_t len;

	assert_non_null(copy);
	memcpy(copy, p, n);
	err = msg_decode(slice_of(copy, n), &m);
	if (!err) {
		len = again_datagram(&m, b.chain, b.two, sizeof(b.two));
		assert_int_not_equal(len, 0);
		assert_int_equal(msg_decode(slice_of(b.two, len), &m2), WIRE_OK);
		assert_true(same_msg(&m, &m2));
		if (written)
			*written = len;
	}
	free(copy);
	return err;
}

static void assert_bytes_again(unsigned int from, unsigned int to)
{
	size_t n = build(from, to), len = 0;

	assert_int_equal(check_again(b.one, n, &len), WIRE_OK);
	assert_int_equal(len, n);
	assert_memory_equal(b.one, b.two, n);
}

static void each_payload(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < PUTS; i++)
		assert_bytes_again(i, i + 1);
}

static void all_payloads(void **state)
{
	struct ike_msg m;
	size_t n;

	(void)state;
	assert_bytes_again(0, PUTS);
	n = build(0, PUTS);
	assert_int_equal(msg_decode(slice_of(b.one, n), &m), WIRE_OK);
	assert_int_equal(m.sa.n, 2);
	assert_int_equal(m.sa.p[0].t[0].key_bits, 256);
	assert_int_equal(m.ke.group, KE_CURVE25519);
	assert_int_equal(m.nonce.n, IKE_NONCE_LEN);
	assert_int_equal(m.id_i.type, ID_FQDN);
	assert_int_equal(m.id_r.type, ID_IPV6_ADDR);
	assert_int_equal(m.auth.method, AUTH_METHOD_PSK);
	assert_true(ts_list_equal(&m.ts_i, &selectors) && ts_list_equal(&m.ts_r, &selectors));
	assert_int_equal(m.n_notify, 4);
	assert_int_equal(msg_notify(&m, N_REKEY_SA)->spi.n, 4);
	assert_int_equal(m.n_delete, 3);
	assert_int_equal(m.del[0].spi[1], 0xffffffff);
	assert_int_equal(m.n_vendor, 2);
	assert_int_equal(m.cp.n, 12);
	assert_int_equal(m.eap.n, 5);
	assert_true(m.sk.present);
	assert_int_equal(m.sk.first, IKE_PL_IDI);
}

static void empty_message(void **state)
{
	(void)state;
	assert_bytes_again(0, 0);
}

static void fragment(void **state)
{
	struct msg_wr c;
	struct wr w = wr_of(b.one, sizeof(b.one));
	size_t at, len = 0;

	(void)state;
	msg_wr_init(&c, b.chain, sizeof(b.chain));
	at = msg_open(&c, IKE_PL_SKF);
	wr_u16(&c.w, 2);
	wr_u16(&c.w, 3);
	wr_put(&c.w, some(40));
	msg_close(&c, at);
	assert_int_equal(msg_seal_plain(&hdr, &c, &w), 0);
	assert_int_equal(check_again(b.one, w.n, &len), WIRE_OK);
	assert_memory_equal(b.one, b.two, w.n);
}

static void inner_again(void **state)
{
	struct msg_wr c;
	struct ike_msg m = {0}, outer;
	size_t n = build(0, PUTS - 1);

	(void)state;
	assert_int_equal(msg_decode(slice_of(b.one, n), &outer), WIRE_OK);
	m.hdr = outer.hdr;
	assert_int_equal(msg_decode_inner(slice_of(b.one + IKE_HDR_LEN, n - IKE_HDR_LEN), outer.hdr.next, &m), WIRE_OK);
	assert_true(same_msg(&m, &outer));
	msg_wr_init(&c, b.chain, sizeof(b.chain));
	again_chain(&c, &m);
	assert_int_equal(c.first, outer.hdr.next);
	assert_int_equal(c.w.n, n - IKE_HDR_LEN);
	assert_memory_equal(b.chain, b.one + IKE_HDR_LEN, c.w.n);
}

static void set_length(uint8_t *p, size_t n)
{
	struct wr w = wr_of(p + IKE_HDR_LEN - 4, 4);

	wr_u32(&w, (uint32_t)n);
}

static void cut_at_every_byte(void **state)
{
	size_t n = build(0, PUTS);

	(void)state;
	for (size_t len = 0; len < n; len++) {
		uint8_t *copy;

		assert_int_equal(check_again(b.one, len, NULL), len < IKE_HDR_LEN ? WIRE_SHORT : WIRE_LENGTH);
		if (len < IKE_HDR_LEN)
			continue;
		/* and when the header agrees: SK takes all that is left, nothing before it may be short */
		copy = malloc(len);
		assert_non_null(copy);
		memcpy(copy, b.one, len);
		set_length(copy, len);
		assert_int_equal(check_again(copy, len, NULL), WIRE_SHORT);
		free(copy);
	}
}

static void inner_cut_at_every_byte(void **state)
{
	size_t n = build(0, PUTS - 1) - IKE_HDR_LEN;

	(void)state;
	for (size_t len = 0; len < n; len++) {
		struct ike_msg m = {0};
		uint8_t *copy = malloc(len ? len : 1);

		assert_non_null(copy);
		memcpy(copy, b.one + IKE_HDR_LEN, len);
		assert_int_equal(msg_decode_inner(slice_of(copy, len), IKE_PL_SA, &m), WIRE_SHORT);
		free(copy);
	}
}

static void every_bit_flipped(void **state)
{
	size_t n = build(0, PUTS);
	unsigned int decoded = 0;
	static uint8_t bad[BUF];

	(void)state;
	for (size_t i = 0; i < n; i++) {
		for (unsigned int bit = 0; bit < 9; bit++) {
			memcpy(bad, b.one, n);
			bad[i] ^= (uint8_t)(bit < 8 ? 1U << bit : 0xff);
			decoded += check_again(bad, n, NULL) == WIRE_OK;
		}
	}
	/* most of the bytes are values, which may be anything */
	assert_true(decoded > n);
}

/* Too little room at any byte is an error of the writer, never a byte too far. */
static void no_room(void **state)
{
	size_t n = build(0, PUTS);

	(void)state;
	for (size_t cap = 0; cap < n; cap++) {
		uint8_t *chain = malloc(cap ? cap : 1), *out = malloc(cap ? cap : 1);
		struct msg_wr c;
		struct wr w = wr_of(out, cap);

		assert_non_null(chain);
		assert_non_null(out);
		msg_wr_init(&c, chain, cap);
		for (unsigned int i = 0; i < PUTS; i++)
			puts_in_order[i](&c);
		assert_int_equal(wr_ok(&c.w), cap >= n - IKE_HDR_LEN);
		assert_int_equal(msg_seal_plain(&hdr, &c, &w), -EMSGSIZE);
		free(chain);
		free(out);
	}
}

/* Content that has no form on the wire fails the writer. */
static void what_cannot_be_written(void **state)
{
	static const struct ts mixed = {.lo = {4, {1}}, .hi = {6, {1}}}, none = {.protocol = 6};
	static uint8_t big[IKE_MSG_MAX];
	struct proposals sa = {.n = 0};
	struct ts_list ts = {.n = 1, .ts = {mixed}};
	struct wr w = wr_of(b.one, sizeof(b.one));
	struct msg_wr c;

	(void)state;
	msg_wr_init(&c, b.chain, sizeof(b.chain));
	msg_put_sa(&c, &sa);
	assert_false(wr_ok(&c.w));

	msg_wr_init(&c, b.chain, sizeof(b.chain));
	sa.n = 1;
	sa.p[0].n = IKE_TRANSFORMS_MAX + 1;
	msg_put_sa(&c, &sa);
	assert_false(wr_ok(&c.w));

	msg_wr_init(&c, b.chain, sizeof(b.chain));
	msg_put_ts(&c, IKE_PL_TSI, &ts);
	assert_false(wr_ok(&c.w));

	msg_wr_init(&c, b.chain, sizeof(b.chain));
	ts.ts[0] = none;
	msg_put_ts(&c, IKE_PL_TSI, &ts);
	assert_false(wr_ok(&c.w));

	msg_wr_init(&c, b.chain, sizeof(b.chain));
	ts.n = 0;
	msg_put_ts(&c, IKE_PL_TSI, &ts);
	assert_false(wr_ok(&c.w));

	msg_wr_init(&c, b.chain, sizeof(b.chain));
	msg_put_notify(&c, 0, N_REKEY_SA, slice_of(big, 256), some(0));
	assert_false(wr_ok(&c.w));

	msg_wr_init(&c, b.chain, sizeof(b.chain));
	msg_put_raw(&c, IKE_PL_VENDOR, slice_of(big, IKE_MSG_MAX - 3));
	assert_false(wr_ok(&c.w));

	/* a payload may be that long, the datagram with it not */
	msg_wr_init(&c, b.chain, sizeof(b.chain));
	msg_put_raw(&c, IKE_PL_VENDOR, slice_of(big, IKE_MSG_MAX - 4));
	assert_true(wr_ok(&c.w));
	assert_int_equal(msg_seal_plain(&hdr, &c, &w), -EMSGSIZE);
}

/* The most of everything goes there and back. */
static void largest(void **state)
{
	static struct proposals sa = {.n = IKE_PROPOSALS_MAX};
	static uint8_t big[IKE_MSG_MAX];
	struct wr w = wr_of(b.one, sizeof(b.one));
	struct msg_wr c;
	struct ike_msg m;
	size_t len = 0;

	(void)state;
	for (unsigned int i = 0; i < sa.n; i++) {
		sa.p[i] = (struct proposal){.number = (uint8_t)(i + 1), .proto = IKE_PROTO_IKE, .n = IKE_TRANSFORMS_MAX};
		for (unsigned int k = 0; k < IKE_TRANSFORMS_MAX; k++)
			sa.p[i].t[k] = (struct transform){.type = 1, .id = (uint16_t)k, .key_bits = (uint16_t)(k * i)};
	}
	msg_wr_init(&c, b.chain, sizeof(b.chain));
	msg_put_sa(&c, &sa);
	msg_put_notify(&c, 0, N_REKEY_SA, slice_of(big, 255), some(0));
	/* and what is missing to the longest datagram */
	msg_put_raw(&c, IKE_PL_VENDOR, slice_of(big, IKE_MSG_MAX - IKE_HDR_LEN - 4 - c.w.n));
	assert_int_equal(msg_seal_plain(&hdr, &c, &w), 0);
	assert_int_equal(w.n, IKE_MSG_MAX);
	assert_int_equal(check_again(b.one, w.n, &len), WIRE_OK);
	assert_memory_equal(b.one, b.two, w.n);
	assert_int_equal(msg_decode(slice_of(b.one, w.n), &m), WIRE_OK);
	assert_true(same_proposals(&m.sa, &sa));
	assert_int_equal(m.notify[0].spi.n, 255);
}

/* ---- real messages ------------------------------------------------------------------------- */
struct corpus_count {
	unsigned int lines, ok, err[WIRE_ERRS];
};

static void check_line(const char *line, struct corpus_count *n)
{
	static uint8_t d[BUF];
	size_t len = unhex(line, d, sizeof(d));
	enum wire_err err;

	if (len == 0)
		return;
	err = check_again(d, len, NULL);
	n->lines++;
	n->ok += err == WIRE_OK;
	n->err[err]++;
	/* cut and stretched headers alike */
	if (len >= IKE_HDR_LEN) {
		set_length(d, len);
		check_again(d, len, NULL);
	}
}

static int check_file(const char *name, struct corpus_count *n)
{
	const char *dir = getenv("XDPSEC_TESTDATA");
	char path[512], *line = NULL;
	size_t cap = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/corpus/%s", dir ? dir : "../shared/testdata", name);
	f = fopen(path, "r");
	if (!f)
		return -1;
	while (getline(&line, &cap, f) > 0)
		check_line(line, n);
	free(line);
	fclose(f);
	return 0;
}

static void corpus_ikev2(void **state)
{
	struct corpus_count n = {0};

	(void)state;
	if (check_file("ikev2.hexl", &n) || check_file("openiked-payloads.hexl", &n)) {
		print_message("skipped: no test data\n");
		skip();
	}
	for (int e = 0; e < WIRE_ERRS; e++)
		print_message("# %4u %s\n", n.err[e], wire_err_str((enum wire_err)e));
	assert_true(n.ok > n.lines / 2);
}

static void corpus_other(void **state)
{
	static const char *const files[] = {"ikev1.hexl", "ike-other.hexl", "ah-raw.hexl", "esp-raw.hexl",
					    "esp-in-udp.hexl", "natt-keepalive.hexl"};
	struct corpus_count n = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (check_file(files[i], &n)) {
			print_message("skipped: no test data\n");
			skip();
		}
	}
	assert_int_equal(n.ok, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_payload),
		cmocka_unit_test(all_payloads),
		cmocka_unit_test(empty_message),
		cmocka_unit_test(fragment),
		cmocka_unit_test(inner_again),
		cmocka_unit_test(cut_at_every_byte),
		cmocka_unit_test(inner_cut_at_every_byte),
		cmocka_unit_test(every_bit_flipped),
		cmocka_unit_test(no_room),
		cmocka_unit_test(what_cannot_be_written),
		cmocka_unit_test(largest),
		cmocka_unit_test(corpus_ikev2),
		cmocka_unit_test(corpus_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
