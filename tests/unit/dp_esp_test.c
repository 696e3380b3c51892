/* SPDX-License-Identifier: BSD-2-Clause */
#include "dp_backends.h"
#include "dp_env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>

/*
 * ESP with each backend that starts here: OpenSSL, and cryptodev on its synchronous path. The same file is
 * built once more with a device that has queue pairs only (dp_esp_queue_test.c).
 */
static void open_pair(struct env *e, const struct crypto_suite *suite, bool esn, uint16_t sport,
		      struct sa_out **out, struct sa_in **in)
{
	struct plane_sa_add add = env_add(suite, PLANE_OUT);
	char err[128];

	add.esn = esn;
	add.sport = add.dport = sport;
	assert_int_equal(sa_out_new(out, &add, &e->maps, e->backend, err, sizeof(err)), 0);
	add = env_add(suite, PLANE_IN);
	add.esn = esn;
	add.sport = add.dport = sport;
	assert_int_equal(sa_in_new(in, &add, &e->maps, e->backend, err, sizeof(err)), 0);
}

/* Each ENCR row and each INTEG row at least once: backends_agree goes through all pairs of them. */
static bool every_row(const struct crypto_suite *s)
{
	return !s->mac || s->integ == AUTH_HMAC_SHA2_256_128 || (s->encr == ENCR_AES_CBC && s->encr_bits == 128);
}

typedef void (*pair_fn)(struct env *e, struct sa_out *out, struct sa_in *in);

static void each_pair(pair_fn fn)
{
	for (unsigned int b = 0; b < n_backends; b++)
		for (unsigned int i = 0; crypto_suite_at(i); i++)
			for (int esn = 0; esn < 2 && every_row(crypto_suite_at(i)); esn++) {
				struct sa_out *out;
				struct sa_in *in;
				struct env e;

				env_open(&e, backends[b]);
				open_pair(&e, crypto_suite_at(i), esn, 0, &out, &in);
				fn(&e, out, in);
				sa_out_free(out);
				sa_in_free(in);
				env_close(&e);
			}
}

/* Seals one packet with the inner bytes and takes the outer header off again. */
static struct pkt *sealed(struct sa_out *out, struct env_pkt *buf, const uint8_t *inner, uint32_t n)
{
	struct pkt *p = env_pkt(buf, inner, n);

	assert_int_equal(esp_seal(out, &p, 1, 1), 0);
	assert_int_equal(p->drop, 0);
	env_outer_off(p, out->outer.len);
	return p;
}

static uint8_t open_one(struct sa_in *in, struct pkt *p)
{
	const struct pkt *nat;

	esp_open(in, &p, 1, 2, &nat);
	return p->drop;
}

/* ---- round trips -------------------------------------------------------------------------- */

static void round_trip_pair(struct env *e, struct sa_out *out, struct sa_in *in)
{
	static struct env_pkt buf[PKT_BURST];
	struct pkt *p[PKT_BURST];
	uint8_t inner[1500];
	const struct pkt *nat;
	uint64_t packets = 0;

	for (unsigned int n = 1; n <= PKT_BURST; n += n == 1 ? 3 : 28) {
		for (uint32_t len = 28; len <= 1400; len = len < 60 ? len + 1 : len + 335) {
			for (unsigned int i = 0; i < n; i++) {
				env_inner(inner, len, 0, true);
				inner[27] = (uint8_t)i;
				p[i] = env_pkt(&buf[i], inner, len);
			}
			assert_int_equal(esp_seal(out, p, n, 1), 0);
			for (unsigned int i = 0; i < n; i++) {
				assert_int_equal(p[i]->drop, 0);
				assert_int_equal(p[i]->len, mtu_outer(&out->shape, len));
				env_outer_off(p[i], out->outer.len);
			}
			assert_int_equal(esp_open(in, p, n, 2, &nat), 0);
			for (unsigned int i = 0; i < n; i++) {
				assert_int_equal(p[i]->drop, 0);
				assert_int_equal(p[i]->len, len);
				env_inner(inner, len, 0, true);
				inner[27] = (uint8_t)i;
				assert_memory_equal(p[i]->data, inner, len);
			}
			packets += n;
		}
	}
	assert_int_equal(e->maps.sa_stat[ENV_SLOT].out.packets, packets);
	assert_int_equal(e->maps.sa_stat[ENV_SLOT].in.packets, packets);
	assert_int_equal(e->maps.sa_stat[ENV_SLOT].in.bytes, e->maps.sa_stat[ENV_SLOT].out.bytes);
	assert_int_equal(e->maps.sa_stat[ENV_SLOT].in.last_ns, 2);
	assert_int_equal(e->maps.sa_seq[ENV_SLOT].in_top, packets);
	assert_true(e->maps.sa_seq[ENV_SLOT].out >= packets);
}

static void round_trip(void **state)
{
	(void)state;
	each_pair(round_trip_pair);
}

/* IVs: of a block cipher never twice and not the number; of a counter mode the number itself. */
static void ivs_pair(struct env *e, struct sa_out *out, struct sa_in *in)
{
	static struct env_pkt buf;
	uint8_t inner[64], last[16] = {0}, iv[16];
	uint32_t same = 0;

	(void)e;
	(void)in;
	env_inner(inner, 40, 0, false);
	for (uint64_t i = 1; i <= 40; i++) {
		struct pkt *p = sealed(out, &buf, inner, 40);
		uint64_t number = be64(i);

		memcpy(iv, p->data + 8, out->iv_len);
		same += out->iv_len && memcmp(iv, last, out->iv_len) == 0;
		if (out->iv_len && !out->random_iv)
			assert_memory_equal(iv, &number, 8);
		if (out->random_iv)
			assert_memory_not_equal(iv, &number, 8);
		memcpy(last, iv, out->iv_len);
	}
	assert_int_equal(same, 0);
}

static void ivs(void **state)
{
	(void)state;
	each_pair(ivs_pair);
}

/* ---- what has to be refused --------------------------------------------------------------- */

static void bit_flips_pair(struct env *e, struct sa_out *out, struct sa_in *in)
{
	static struct env_pkt buf, copy;
	uint8_t inner[128], sent[256];
	uint32_t n;
	struct pkt *p;

	(void)e;
	env_inner(inner, 90, 0, false);
	p = sealed(out, &buf, inner, 90);
	n = p->len;
	memcpy(sent, p->data, n);
	for (uint32_t bit = 32; bit < n * 8; bit++) {
		uint8_t drop;

		p = env_pkt(&copy, sent, n);
		p->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		drop = open_one(in, p);
		if (drop != XS_DROP_integ_error && !(bit < 64 && drop == XS_DROP_replay))
			fail_msg("%s: bit %u: %s", in->session->suite->name, bit, xs_drop_name(drop));
		assert_int_equal(in->replay.top, 0); /* the window moves for genuine packets only */
	}
	p = env_pkt(&copy, sent, n);
	p->data[0] ^= 1;
	assert_int_equal(open_one(in, p), XS_DROP_lost);
	p = env_pkt(&copy, sent, n);
	assert_int_equal(open_one(in, p), 0);
	p = env_pkt(&copy, sent, n);
	assert_int_equal(open_one(in, p), XS_DROP_replay);
}

static void bit_flips(void **state)
{
	(void)state;
	each_pair(bit_flips_pair);
}

static void truncated_pair(struct env *e, struct sa_out *out, struct sa_in *in)
{
	static struct env_pkt buf, copy;
	uint8_t inner[128], sent[256];
	uint32_t n;
	struct pkt *p;

	(void)e;
	env_inner(inner, 60, 0, false);
	p = sealed(out, &buf, inner, 60);
	n = p->len;
	memcpy(sent, p->data, n);
	for (uint32_t len = 0; len < n; len++) {
		uint8_t drop;

		if (len < sizeof(struct esp_hdr))
			continue; /* forward_in has looked */
		p = env_pkt(&copy, sent, len);
		drop = open_one(in, p);
		assert_true(drop == XS_DROP_runt || drop == XS_DROP_integ_error);
		assert_int_equal(in->replay.top, 0);
	}
	for (uint32_t more = 1; more < 40; more++) {
		uint8_t drop;

		memset(sent + n, 0, 40);
		p = env_pkt(&copy, sent, n + more);
		drop = open_one(in, p);
		assert_true(drop == XS_DROP_runt || drop == XS_DROP_integ_error);
	}
}

static void truncated(void **state)
{
	(void)state;
	each_pair(truncated_pair);
}

/* The same packet twice in one burst: both tags are right, one passes. */
static void twice_in_a_burst_pair(struct env *e, struct sa_out *out, struct sa_in *in)
{
	static struct env_pkt buf, a, b;
	uint8_t inner[64], sent[256];
	struct pkt *p = NULL, *v[2];
	const struct pkt *nat;

	(void)e;
	env_inner(inner, 40, 0, false);
	p = sealed(out, &buf, inner, 40);
	memcpy(sent, p->data, p->len);
	v[0] = env_pkt(&a, sent, p->len);
	v[1] = env_pkt(&b, sent, p->len);
	esp_open(in, v, 2, 1, &nat);
	assert_int_equal(v[0]->drop, 0);
	assert_int_equal(v[1]->drop, XS_DROP_replay);
}

static void twice_in_a_burst(void **state)
{
	(void)state;
	each_pair(twice_in_a_burst_pair);
}

/* Seals a payload as it is, trailer included, with a right tag: what a confused or hostile peer could send. */
static struct pkt *sealed_raw(struct sa_out *out, struct env_pkt *buf, const uint8_t *payload, uint32_t n)
{
	uint32_t front = 8u + out->iv_len;
	uint8_t zero[64] = {0};
	struct crypto_req r;
	struct pkt *p;
	uint64_t seq = be64(++out->seq);

	p = env_pkt(buf, zero, front);
	memcpy(p->data + front, payload, n);
	p->data[0] = (uint8_t)(out->spi >> 24);
	p->data[1] = (uint8_t)(out->spi >> 16);
	p->data[2] = (uint8_t)(out->spi >> 8);
	p->data[3] = (uint8_t)out->spi;
	memcpy(p->data + 4, (uint8_t *)&seq + 4, 4);
	if (out->iv_len)
		memcpy(p->data + 8, &seq, 8);
	r = (struct crypto_req){.esp = p->data, .len = front + n, .seq_hi = 0};
	out->session->backend->seal(out->session, &r, 1);
	assert_int_equal(r.status, CRYPTO_OK);
	p->len = front + n + out->icv_len;
	return p;
}

static void bad_trailers_pair(struct env *e, struct sa_out *out, struct sa_in *in)
{
	static struct env_pkt buf;
	uint8_t pay[96], good[96];
	uint64_t top = 0;

	(void)e;
	memset(good, 0, sizeof(good));
	env_inner(good, 78, 0, false);
	good[78] = 1; /* padding 1 ... 16 */
	for (int i = 0; i < 16; i++)
		good[78 + i] = (uint8_t)(i + 1);
	good[94] = 16;
	good[95] = IPPROTO_IPIP;
	memcpy(pay, good, 96);
	assert_int_equal(open_one(in, sealed_raw(out, &buf, pay, 96)), 0);
	for (int i = 0; i < 16; i++) {
		memcpy(pay, good, 96);
		pay[78 + i] ^= 0x10;
		assert_int_equal(open_one(in, sealed_raw(out, &buf, pay, 96)), XS_DROP_integ_error);
	}
	memcpy(pay, good, 96);
	pay[94] = 95; /* longer than all there is */
	assert_int_equal(open_one(in, sealed_raw(out, &buf, pay, 96)), XS_DROP_integ_error);
	pay[94] = 255;
	assert_int_equal(open_one(in, sealed_raw(out, &buf, pay, 96)), XS_DROP_integ_error);
	memcpy(pay, good, 96);
	pay[95] = IPPROTO_NONE;
	assert_int_equal(open_one(in, sealed_raw(out, &buf, pay, 96)), XS_DROP_tfc_dummy);
	pay[95] = IPPROTO_IPV6;
	assert_int_equal(open_one(in, sealed_raw(out, &buf, pay, 96)), XS_DROP_tun_no_proto);
	pay[95] = IPPROTO_TCP;
	assert_int_equal(open_one(in, sealed_raw(out, &buf, pay, 96)), XS_DROP_tun_no_proto);
	/* they were authentic: the window has moved over them */
	top = out->seq;
	assert_int_equal(in->replay.top, top);
}

static void bad_trailers(void **state)
{
	(void)state;
	each_pair(bad_trailers_pair);
}

static void selectors_pair(struct env *e, struct sa_out *out, struct sa_in *in)
{
	static struct env_pkt buf;
	static const struct {
		uint8_t at, value, drop;
	} rows[] = {
		{12, 10, 0},
		{13, 2, XS_DROP_policy_mismatch},  /* source 10.2.x: ours, not the peer's */
		{12, 11, XS_DROP_policy_mismatch}, /* source 11.1.x */
		{17, 1, XS_DROP_policy_mismatch},  /* destination 10.1.x */
		{16, 192, XS_DROP_policy_mismatch},
		{0, 0x65, XS_DROP_oversized_header}, /* says it is IPv6 */
		{0, 0x75, XS_DROP_tun_no_proto},
		{0, 0x44, XS_DROP_oversized_header},
		{0, 0x4f, XS_DROP_oversized_header}, /* header longer than the packet */
		{2, 1, XS_DROP_oversized_header},    /* total length beyond the payload */
	};
	uint8_t inner[64];

	(void)e;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t drop;

		env_inner(inner, 40, 0, false);
		inner[rows[i].at] = rows[i].value;
		drop = open_one(in, sealed(out, &buf, inner, 40));
		if (drop != rows[i].drop)
			fail_msg("row %u: %s", i, xs_drop_name(drop));
	}
}

static void selectors(void **state)
{
	(void)state;
	each_pair(selectors_pair);
}

static void ports_protocols_fragments(void **state)
{
	const struct crypto_suite *suite = crypto_suite_at(0);
	struct sa_ts any = {.family = 4, .hi = ~(sa_u128)0, .port_lo = 0, .port_hi = 65535};
	struct sa_ts web = {.family = 4, .hi = ~(sa_u128)0, .port_lo = 80, .port_hi = 88, .protocol = 6};
	struct sa_ts opaque = {.family = 4, .hi = ~(sa_u128)0, .port_lo = 65535, .port_hi = 0};

	(void)state;
	(void)suite;
	assert_true(sa_ts_match(&any, 1, 4, 17, 5, 9, true));
	assert_true(sa_ts_match(&any, 1, 4, 17, 5, 0, false));
	assert_true(sa_ts_match(&web, 1, 4, 6, 5, 80, true));
	assert_true(sa_ts_match(&web, 1, 4, 6, 5, 88, true));
	assert_false(sa_ts_match(&web, 1, 4, 6, 5, 79, true));
	assert_false(sa_ts_match(&web, 1, 4, 6, 5, 89, true));
	assert_false(sa_ts_match(&web, 1, 4, 17, 5, 80, true));
	assert_false(sa_ts_match(&web, 1, 4, 6, 5, 0, false)); /* a later fragment could be anything */
	assert_true(sa_ts_match(&opaque, 1, 4, 6, 5, 0, false));
	assert_false(sa_ts_match(&opaque, 1, 4, 6, 5, 80, true));
	assert_false(sa_ts_match(&any, 0, 4, 6, 5, 80, true));
	assert_false(sa_ts_match(&any, 1, 6, 6, 5, 80, true));
}

/* ---- numbers and limits ---------------------------------------------------------------------- */

static void numbers_end(void **state)
{
	static struct env_pkt buf[4];
	struct pkt *p[4];
	uint8_t inner[64];
	struct sa_out *out;
	struct sa_in *in;
	struct env e;

	(void)state;
	env_open(&e, backends[0]);
	open_pair(&e, crypto_suite_at(0), false, 0, &out, &in);
	out->seq = out->reserved = UINT32_MAX - 2ull;
	out->flags |= SA_SOFT_SENT;
	env_inner(inner, 40, 0, false);
	for (int i = 0; i < 4; i++)
		p[i] = env_pkt(&buf[i], inner, 40);
	assert_int_equal(esp_seal(out, p, 4, 1), ESP_EVENT_HARD);
	assert_int_equal(p[0]->drop, 0);
	assert_int_equal(p[1]->drop, 0);
	assert_int_equal(p[2]->drop, XS_DROP_seq_cycled);
	assert_int_equal(p[3]->drop, XS_DROP_seq_cycled);
	assert_int_equal(out->seq, UINT32_MAX);
	assert_int_equal(e.maps.sa_seq[ENV_SLOT].out, UINT32_MAX);
	p[0] = env_pkt(&buf[0], inner, 40);
	assert_int_equal(esp_seal(out, p, 1, 1), 0); /* said once */
	assert_int_equal(p[0]->drop, XS_DROP_seq_cycled);
	sa_out_free(out);
	sa_in_free(in);
	env_close(&e);
}

static void numbers_reserved_ahead(void **state)
{
	static struct env_pkt buf;
	struct plane_sa_add add = env_add(crypto_suite_at(0), PLANE_OUT);
	struct pkt *p;
	uint8_t inner[64];
	struct sa_out *out;
	char err[128];
	struct env e;

	(void)state;
	env_open(&e, backends[0]);
	env_inner(inner, 40, 0, false);
	assert_int_equal(sa_out_new(&out, &add, &e.maps, e.backend, err, sizeof(err)), 0);
	for (uint64_t i = 1; i <= 3000; i++) {
		p = env_pkt(&buf, inner, 40);
		esp_seal(out, &p, 1, 1);
		assert_int_equal(p->drop, 0);
		assert_true(e.maps.sa_seq[ENV_SLOT].out >= i);
		assert_true(e.maps.sa_seq[ENV_SLOT].out <= i + ESP_SEQ_RESERVE + 1);
	}
	sa_out_free(out);
	/* the same generation again, as after a crash: nothing that may have been used is used again */
	assert_int_equal(sa_out_new(&out, &add, &e.maps, e.backend, err, sizeof(err)), 0);
	assert_true(out->seq >= 3000);
	sa_out_free(out);
	add.generation++;
	add.seq = 77;
	assert_int_equal(sa_out_new(&out, &add, &e.maps, e.backend, err, sizeof(err)), 0);
	assert_int_equal(out->seq, 77);
	sa_out_free(out);
	env_close(&e);
}

static void limits(void **state)
{
	static struct env_pkt buf;
	struct plane_sa_add add = env_add(crypto_suite_at(0), PLANE_OUT);
	struct pkt *p;
	uint8_t inner[64];
	struct sa_out *out;
	char err[128];
	struct env e;

	(void)state;
	env_open(&e, backends[0]);
	env_inner(inner, 40, 0, false);
	add.soft_packets = 3;
	add.hard_bytes = 5 * 40;
	assert_int_equal(sa_out_new(&out, &add, &e.maps, e.backend, err, sizeof(err)), 0);
	for (int i = 1; i <= 7; i++) {
		unsigned int ev;

		p = env_pkt(&buf, inner, 40);
		ev = esp_seal(out, &p, 1, 1);
		assert_int_equal(ev, i == 3 ? ESP_EVENT_SOFT : i == 5 ? ESP_EVENT_HARD : 0);
		assert_int_equal(p->drop, i > 5 ? XS_DROP_hard_limit : 0);
	}
	sa_out_free(out);
	add.soft_packets = add.hard_bytes = 0;
	add.seq = (3ull << 30) - 1;
	assert_int_equal(sa_out_new(&out, &add, &e.maps, e.backend, err, sizeof(err)), 0);
	p = env_pkt(&buf, inner, 40);
	assert_int_equal(esp_seal(out, &p, 1, 1), ESP_EVENT_SOFT); /* 3/4 of the numbers */
	sa_out_free(out);
	env_close(&e);
}

/* Across 2^32 with ESN, with a packet lost and one late on each side of it. */
static void esn_wrap_pair(struct env *e, struct sa_out *out, struct sa_in *in)
{
	static struct env_pkt buf[20];
	struct pkt *p[20];
	uint8_t inner[64];

	(void)e;
	if (!(out->flags & SA_ESN))
		return;
	out->seq = out->reserved = UINT32_MAX - 10ull;
	in->replay.top = UINT32_MAX - 10ull;
	env_inner(inner, 40, 0, false);
	for (int i = 0; i < 20; i++)
		p[i] = sealed(out, &buf[i], inner, 40);
	assert_true(out->seq == UINT32_MAX + 10ull);
	for (int i = 0; i < 20; i++)
		if (i % 3)
			assert_int_equal(open_one(in, p[i]), 0);
	for (int i = 0; i < 20; i += 3)
		assert_int_equal(open_one(in, p[i]), 0);
	assert_true(in->replay.top == UINT32_MAX + 10ull);
}

static void esn_wrap(void **state)
{
	(void)state;
	each_pair(esn_wrap_pair);
}

/* ---- UDP encapsulation, NAT, ECN, room -------------------------------------------------------- */

static void nat_change(void **state)
{
	static struct env_pkt buf[3];
	struct pkt *p[3];
	const struct pkt *nat = NULL;
	uint8_t inner[64];
	struct sa_out *out;
	struct sa_in *in;
	struct env e;

	(void)state;
	env_open(&e, backends[0]);
	open_pair(&e, crypto_suite_at(0), false, 4500, &out, &in);
	env_inner(inner, 40, 0, false);
	for (int i = 0; i < 3; i++) {
		p[i] = sealed(out, &buf[i], inner, 40);
		assert_int_equal(p[i]->outer_port, 4500);
	}
	assert_int_equal(esp_open(in, &p[1], 1, 1, &nat), 0);
	p[0]->outer_port = 61000; /* late: does not say where the peer is now */
	assert_int_equal(esp_open(in, &p[0], 1, 1, &nat), 0);
	p[2]->outer_port = 61000;
	assert_int_equal(esp_open(in, &p[2], 1, 1, &nat), ESP_EVENT_NAT);
	assert_ptr_equal(nat, p[2]);
	p[0] = sealed(out, &buf[0], inner, 40);
	p[0]->outer_port = 61000;
	assert_int_equal(esp_open(in, &p[0], 1, 2, &nat), 0); /* at most once a second */
	p[0] = sealed(out, &buf[0], inner, 40);
	p[0]->outer_port = 61000;
	assert_int_equal(esp_open(in, &p[0], 1, 1100000000, &nat), ESP_EVENT_NAT);
	/* forged: the tag is wrong */
	p[0] = sealed(out, &buf[0], inner, 40);
	p[0]->outer_port = 62000;
	p[0]->data[30] ^= 1;
	assert_int_equal(esp_open(in, &p[0], 1, 3100000000, &nat), 0);
	assert_int_equal(p[0]->drop, XS_DROP_integ_error);
	sa_out_free(out);
	sa_in_free(in);
	env_close(&e);
}

static void ecn_and_room(void **state)
{
	static struct env_pkt buf;
	struct pkt *p;
	uint8_t inner[64];
	struct sa_out *out;
	struct sa_in *in;
	struct env e;

	(void)state;
	env_open(&e, backends[0]);
	open_pair(&e, crypto_suite_at(0), false, 0, &out, &in);
	env_inner(inner, 40, 0, false);
	p = sealed(out, &buf, inner, 40);
	p->outer_tos = 3;
	assert_int_equal(open_one(in, p), XS_DROP_ecn);
	env_inner(inner, 40, 2, false);
	p = sealed(out, &buf, inner, 40);
	assert_int_equal(p->outer_tos, 2);
	p->outer_tos = 3;
	assert_int_equal(open_one(in, p), 0);
	assert_int_equal(((struct ip4_hdr *)p->data)->tos, 3);
	assert_int_equal(csum_fold(csum_add(p->data, 20, 0)), 0xffff);
	p = env_pkt(&buf, inner, 40);
	p->head = p->data - 30;
	esp_seal(out, &p, 1, 1);
	assert_int_equal(p->drop, XS_DROP_no_buffers);
	p = env_pkt(&buf, inner, 40);
	p->end = p->data + 50;
	esp_seal(out, &p, 1, 1);
	assert_int_equal(p->drop, XS_DROP_no_tail_space);
	sa_out_free(out);
	sa_in_free(in);
	env_close(&e);
}

static void tfc(void **state)
{
	static struct env_pkt buf;
	struct plane_sa_add add = env_add(crypto_suite_at(0), PLANE_OUT);
	struct pkt *p;
	uint8_t inner[64];
	struct sa_out *out;
	struct sa_in *in;
	char err[128];
	struct env e;

	(void)state;
	env_open(&e, backends[0]);
	add.tfc = 1000;
	assert_int_equal(sa_out_new(&out, &add, &e.maps, e.backend, err, sizeof(err)), 0);
	add = env_add(crypto_suite_at(0), PLANE_IN);
	assert_int_equal(sa_in_new(&in, &add, &e.maps, e.backend, err, sizeof(err)), 0);
	env_inner(inner, 40, 0, false);
	p = sealed(out, &buf, inner, 40);
	assert_true(p->len >= 1000);
	assert_int_equal(open_one(in, p), 0);
	assert_int_equal(p->len, 40);
	assert_memory_equal(p->data, inner, 40);
	sa_out_free(out);
	sa_in_free(in);
	env_close(&e);
}

/* ---- messages that build no SA ----------------------------------------------------------------- */

static void refused_in(struct env *e, const struct plane_sa_add *add, int error)
{
	struct sa_in *in = NULL;
	char err[128] = "";

	assert_int_equal(sa_in_new(&in, add, &e->maps, e->backend, err, sizeof(err)), error);
	assert_null(in);
	assert_true(err[0]);
}

static void bad_messages(void **state)
{
	const struct plane_sa_add good = env_add(crypto_suite_at(0), PLANE_IN);
	struct plane_sa_add add;
	struct env e;

	(void)state;
	env_open(&e, backends[0]);
#define WITH(error, change)                 \
	do {                                \
		add = good;                 \
		change;                     \
		refused_in(&e, &add, error); \
	} while (0)
	WITH(-EINVAL, add.slot = 0);
	WITH(-EINVAL, add.slot = ENV_SLOTS);
	WITH(-EINVAL, add.spi = 255);
	WITH(-EOPNOTSUPP, add.mode = XS_TRANSPORT + 1);
	WITH(-EAFNOSUPPORT, add.src[0] = 0x20);
	WITH(-EINVAL, add.sport = 4500);
	WITH(-EINVAL, add.n_local = 0);
	WITH(-EINVAL, add.ts[0].family = 0);
	WITH(-EINVAL, add.ts[1].lo[0] = 0x20); /* IPv6 in a selector for IPv4 */
	WITH(-EINVAL, add.n_remote = PLANE_TS_MAX + 1);
	WITH(-ENOTSUP, add.encr = 2);
	WITH(-ENOTSUP, add.encr = ENCR_AES_CTR);
	WITH(-ENOTSUP, add.encr_bits = 512);
	WITH(-ENOTSUP, add.integ = AUTH_HMAC_SHA2_256_128);
	WITH(-EINVAL, add.encr_key_len--);
	WITH(-EINVAL, add.integ_key_len = 32);
	WITH(-EINVAL, add.replay_window = 31);
	WITH(-EINVAL, add.replay_window = 4097);
#undef WITH
	env_close(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(ivs),
		cmocka_unit_test(bit_flips),
		cmocka_unit_test(truncated),
		cmocka_unit_test(twice_in_a_burst),
		cmocka_unit_test(bad_trailers),
		cmocka_unit_test(selectors),
		cmocka_unit_test(ports_protocols_fragments),
		cmocka_unit_test(numbers_end),
		cmocka_unit_test(numbers_reserved_ahead),
		cmocka_unit_test(limits),
		cmocka_unit_test(esn_wrap),
		cmocka_unit_test(nat_change),
		cmocka_unit_test(ecn_and_room),
		cmocka_unit_test(tfc),
		cmocka_unit_test(bad_messages),
	};

	return cmocka_run_group_tests(tests, backends_start, NULL);
}
