/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/crypt/crypt.h"
#include "agent/wire/msg.h"
#include "vectors.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct ike_suite suites[] = {
    {ENCR_AES_GCM_16, 128, PRF_HMAC_SHA2_256, AUTH_NONE, KE_CURVE25519},
    {ENCR_AES_GCM_16, 192, PRF_HMAC_SHA2_256, AUTH_NONE, KE_CURVE25519},
    {ENCR_AES_GCM_16, 256, PRF_HMAC_SHA2_256, AUTH_NONE, KE_CURVE25519},
    {ENCR_AES_CBC, 128, PRF_HMAC_SHA2_256, AUTH_HMAC_SHA2_256_128, KE_CURVE25519},
    {ENCR_AES_CBC, 192, PRF_HMAC_SHA2_256, AUTH_HMAC_SHA2_384_192, KE_CURVE25519},
    {ENCR_AES_CBC, 256, PRF_HMAC_SHA2_256, AUTH_HMAC_SHA2_512_256, KE_CURVE25519},
    {ENCR_AES_GCM_8, 128, PRF_HMAC_SHA1, AUTH_NONE, KE_CURVE25519},
    {ENCR_AES_GCM_12, 256, PRF_AES128_XCBC, AUTH_NONE, KE_CURVE25519},
    {ENCR_AES_CCM_8, 128, PRF_AES128_CMAC, AUTH_NONE, KE_CURVE25519},
    {ENCR_AES_CCM_12, 192, PRF_HMAC_SHA2_384, AUTH_NONE, KE_CURVE25519},
    {ENCR_AES_CCM_16, 256, PRF_HMAC_SHA2_512, AUTH_NONE, KE_CURVE25519},
    {ENCR_CHACHA20_POLY1305, 0, PRF_HMAC_SHA2_256, AUTH_NONE, KE_CURVE25519},
    {ENCR_AES_CTR, 128, PRF_HMAC_SHA2_256, AUTH_AES_XCBC_96, KE_CURVE25519},
    {ENCR_AES_CTR, 256, PRF_HMAC_SHA2_256, AUTH_AES_CMAC_96, KE_CURVE25519},
    {ENCR_AES_CBC, 128, PRF_HMAC_SHA1, AUTH_HMAC_SHA1_96, KE_CURVE25519},
    {ENCR_3DES, 0, PRF_HMAC_MD5, AUTH_HMAC_MD5_96, KE_CURVE25519},
    {ENCR_BLOWFISH, 256, PRF_HMAC_SHA2_256, AUTH_HMAC_SHA2_256_128, KE_CURVE25519},
    {ENCR_CAST, 128, PRF_HMAC_SHA2_256, AUTH_HMAC_SHA2_256_128, KE_CURVE25519},
};
enum { N_SUITES = sizeof(suites) / sizeof(*suites) };

static const struct ike_hdr hdr = {
    .spi_i = 0x1122334455667788,
    .spi_r = 0x99aabbccddeeff00,
    .version = IKE_VERSION,
    .exchange = IKE_AUTH,
    .flags = IKE_FLAG_INITIATOR,
    .mid = 1,
};

/* Keys of the initiator's direction, as key derivation makes them. */
static void keys_make(const struct ike_suite *s, struct ike_keys *k)
{
	struct slice n = slice_of("0123456789abcdef", 16), g = slice_of("shared", 6);

	*k = (struct ike_keys){0};
	assert_int_equal(kdf_ike(s, n, n, g, 1, 2, k), 0);
}

/* A chain of one Vendor ID payload that makes n bytes, or an empty chain. */
static void chain_make(struct msg_wr *m, uint8_t *buf, size_t cap, size_t n)
{
	uint8_t body[2000];

	msg_wr_init(m, buf, cap);
	if (!n)
		return;
	memset(body, 'v', sizeof(body));
	msg_put_raw(m, IKE_PL_VENDOR, slice_of(body, n - IKE_PAYLOAD_HDR_LEN));
	assert_int_equal(m->w.n, n);
}

/* Seals n bytes of payloads; returns the length of the datagram. */
static size_t seal(const struct ike_suite *s, const struct ike_keys *k, uint64_t counter, size_t n,
		   uint8_t *out, size_t cap)
{
	uint8_t buf[2048];
	struct msg_wr chain;
	struct wr w = wr_of(out, cap);

	chain_make(&chain, buf, sizeof(buf), n);
	assert_int_equal(sk_seal(s, &k->ei, &k->ai, counter, &hdr, &chain, &w), 0);
	assert_true(wr_ok(&w));
	assert_int_equal(w.n, IKE_HDR_LEN + IKE_PAYLOAD_HDR_LEN + n + sk_overhead(s, n));
	return w.n;
}

static int open_datagram(const struct ike_suite *s, const struct ike_keys *k, struct slice d,
			 uint8_t *plain, size_t cap, size_t *n)
{
	struct ike_msg m;

	if (msg_decode(d, &m) != WIRE_OK)
		return -EPROTO;
	return sk_open(s, &k->ei, &k->ai, &m, plain, cap, n);
}

static void test_round_trip(void **state)
{
	uint8_t out[2200], plain[2200], want[2048];
	struct msg_wr chain;
	struct ike_keys k;
	size_t n;

	(void)state;
	for (int i = 0; i < N_SUITES; i++) {
		keys_make(&suites[i], &k);
		for (size_t len = 0; len < 1400; len = len ? len + 1 + len / 8 : 4) {
			size_t total = seal(&suites[i], &k, len, len, out, sizeof(out));

			assert_int_equal(open_datagram(&suites[i], &k, slice_of(out, total), plain,
						       sizeof(plain), &n),
					 0);
			assert_int_equal(n, len);
			chain_make(&chain, want, sizeof(want), len);
			assert_memory_equal(plain, want, len);
		}
		ike_keys_free(&k);
	}
}

/* What is sealed is a whole message: a decoder reads its payloads back. */
static void test_decodes(void **state)
{
	uint8_t buf[256], out[512], plain[512];
	struct msg_wr chain;
	struct ike_keys k;
	struct ike_msg m;
	size_t n;

	(void)state;
	for (int i = 0; i < N_SUITES; i++) {
		struct wr w = wr_of(out, sizeof(out));
		struct ike_id id = {ID_FQDN, slice_of("gw.example", 10)};

		keys_make(&suites[i], &k);
		msg_wr_init(&chain, buf, sizeof(buf));
		msg_put_id(&chain, IKE_PL_IDI, &id);
		msg_put_auth(&chain, AUTH_METHOD_PSK,
			     slice_of("0123456789abcdef0123456789abcdef", 32));
		assert_int_equal(sk_seal(&suites[i], &k.ei, &k.ai, 7, &hdr, &chain, &w), 0);
		assert_int_equal(msg_decode(wr_slice(&w), &m), WIRE_OK);
		assert_int_equal(m.hdr.length, w.n);
		assert_int_equal(m.hdr.next, IKE_PL_SK);
		assert_int_equal(m.sk.first, IKE_PL_IDI);
		assert_int_equal(sk_open(&suites[i], &k.ei, &k.ai, &m, plain, sizeof(plain), &n),
				 0);
		assert_int_equal(msg_decode_inner(slice_of(plain, n), m.sk.first, &m), WIRE_OK);
		assert_int_equal(m.id_i.type, ID_FQDN);
		assert_memory_equal(m.id_i.data.p, "gw.example", 10);
		assert_int_equal(m.auth.method, AUTH_METHOD_PSK);
		ike_keys_free(&k);
	}
}

/* Header, SK header, IV, ciphertext, ICV: no bit of them may change. */
static void test_every_bit_counts(void **state)
{
	uint8_t out[512], plain[512];
	struct ike_keys k;
	struct ike_msg m;
	size_t n;

	(void)state;
	for (int i = 0; i < N_SUITES; i++) {
		size_t total;

		keys_make(&suites[i], &k);
		total = seal(&suites[i], &k, 3, 100, out, sizeof(out));
		assert_int_equal(msg_decode(slice_of(out, total), &m), WIRE_OK);
		for (size_t at = 0; at < total; at++) {
			for (int bit = 0; bit < 8; bit++) {
				out[at] ^= (uint8_t)(1 << bit);
				/* m still points into out: the lengths stay, the bytes are wrong */
				memset(plain, 0x77, sizeof(plain));
				assert_int_equal(
				    sk_open(&suites[i], &k.ei, &k.ai, &m, plain, sizeof(plain), &n),
				    -EBADMSG);
				assert_int_equal(n, 0);
				/* nothing that was decrypted without proof is left */
				assert_true(!memchr(plain, 'v', sizeof(plain)));
				out[at] ^= (uint8_t)(1 << bit);
			}
		}
		assert_int_equal(sk_open(&suites[i], &k.ei, &k.ai, &m, plain, sizeof(plain), &n),
				 0);
		ike_keys_free(&k);
	}
}

static void test_truncated(void **state)
{
	uint8_t out[512], plain[512];
	struct ike_keys k;
	struct ike_msg m;
	size_t n;

	(void)state;
	for (int i = 0; i < N_SUITES; i++) {
		size_t total, body;

		keys_make(&suites[i], &k);
		total = seal(&suites[i], &k, 3, 64, out, sizeof(out));
		assert_int_equal(msg_decode(slice_of(out, total), &m), WIRE_OK);
		body = m.sk.body.n;
		for (size_t len = 0; len < body; len++) {
			/* an exact copy on the heap: a sanitizer sees a byte too far */
			uint8_t *copy = malloc(len ? len : 1);
			int r;

			assert_non_null(copy);
			memcpy(copy, m.sk.body.p, len);
			m.sk.body = slice_of(copy, len);
			r = sk_open(&suites[i], &k.ei, &k.ai, &m, plain, sizeof(plain), &n);
			assert_true(r == -EBADMSG || r == -EINVAL);
			m.sk.body = slice_of(out + total - body, body);
			free(copy);
		}
		for (size_t len = 0; len < total; len++)
			assert_true(open_datagram(&suites[i], &k, slice_of(out, len), plain,
						  sizeof(plain), &n) < 0);
		ike_keys_free(&k);
	}
}

static void test_room(void **state)
{
	uint8_t out[512], plain[512], buf[256];
	struct msg_wr chain;
	struct ike_keys k;
	struct ike_msg m;
	size_t n, total;

	(void)state;
	for (int i = 0; i < N_SUITES; i++) {
		keys_make(&suites[i], &k);
		total = seal(&suites[i], &k, 3, 64, out, sizeof(out));
		for (size_t cap = 0; cap <= total; cap++) {
			struct wr w = wr_of(out, cap);

			chain_make(&chain, buf, sizeof(buf), 64);
			assert_int_equal(sk_seal(&suites[i], &k.ei, &k.ai, 3, &hdr, &chain, &w),
					 cap < total ? -EMSGSIZE : 0);
		}
		assert_int_equal(msg_decode(slice_of(out, total), &m), WIRE_OK);
		assert_int_equal(sk_open(&suites[i], &k.ei, &k.ai, &m, plain, 64, &n), -EINVAL);
		/* a chain that did not fit is never sent cut off */
		chain.w.failed = true;
		struct wr w = wr_of(out, sizeof(out));

		assert_int_equal(sk_seal(&suites[i], &k.ei, &k.ai, 3, &hdr, &chain, &w), -EMSGSIZE);
		ike_keys_free(&k);
	}
}

static void test_keys_must_fit(void **state)
{
	uint8_t out[512], plain[512], buf[256];
	struct msg_wr chain;
	struct ike_suite bad = suites[0];
	struct ike_keys gcm, cbc;
	struct ike_msg m;
	struct wr w;
	size_t n;

	(void)state;
	keys_make(&suites[0], &gcm);
	keys_make(&suites[5], &cbc);
	chain_make(&chain, buf, sizeof(buf), 64);
	w = wr_of(out, sizeof(out));
	assert_int_equal(sk_seal(&suites[0], &cbc.ei, &cbc.ai, 3, &hdr, &chain, &w), -EINVAL);
	assert_int_equal(sk_seal(&suites[5], &cbc.ei, &gcm.ai, 3, &hdr, &chain, &w), -EINVAL);
	assert_int_equal(
	    msg_decode(slice_of(out, seal(&suites[0], &gcm, 1, 64, out, sizeof(out))), &m),
	    WIRE_OK);
	assert_int_equal(sk_open(&suites[5], &gcm.ei, &gcm.ai, &m, plain, sizeof(plain), &n),
			 -EINVAL);
	/* the other direction's key, and no SK payload at all */
	assert_int_equal(sk_open(&suites[0], &gcm.er, &gcm.ar, &m, plain, sizeof(plain), &n),
			 -EBADMSG);
	m.sk.present = false;
	assert_int_equal(sk_open(&suites[0], &gcm.ei, &gcm.ai, &m, plain, sizeof(plain), &n),
			 -EINVAL);
	bad.encr_bits = 0;
	assert_int_equal(sk_open(&bad, &gcm.ei, &gcm.ai, &m, plain, sizeof(plain), &n), -ENOTSUP);
	assert_int_equal(sk_overhead(&bad, 10), 0);
	bad = suites[0];
	bad.integ = AUTH_HMAC_SHA2_256_128;
	assert_int_equal(sk_seal(&bad, &gcm.ei, &gcm.ai, 3, &hdr, &chain, &w), -ENOTSUP);
	ike_keys_free(&gcm);
	ike_keys_free(&cbc);
}

/* RFC 5282 3.1: the IV of an AEAD is the counter. RFC 7296 3.14: the IV of CBC cannot be foretold.
 */
static void test_iv(void **state)
{
	uint8_t a[256], b[256];
	struct ike_keys k;

	(void)state;
	keys_make(&suites[0], &k);
	seal(&suites[0], &k, 0x0102030405060708, 16, a, sizeof(a));
	seal(&suites[0], &k, 0x0102030405060709, 16, b, sizeof(b));
	assert_memory_equal(a + 32, "\1\2\3\4\5\6\7\10", 8);
	assert_memory_equal(b + 32, "\1\2\3\4\5\6\7\11", 8);
	ike_keys_free(&k);
	keys_make(&suites[3], &k);
	seal(&suites[3], &k, 1, 16, a, sizeof(a));
	seal(&suites[3], &k, 1, 16, b, sizeof(b));
	assert_memory_not_equal(a + 32, b + 32, 16);
	ike_keys_free(&k);
	/* RFC 3686 3.1: a counter for CTR too, where chance would repeat it some day */
	keys_make(&suites[12], &k);
	seal(&suites[12], &k, 0x0102030405060708, 16, a, sizeof(a));
	assert_memory_equal(a + 32, "\1\2\3\4\5\6\7\10", 8);
	ike_keys_free(&k);
}

/*
 * A peer that knows the keys and says that there is more padding than bytes: with one block of CBC
 * the last byte of the IV flips the pad length, and the ICV is made anew.
 */
static void test_bad_padding(void **state)
{
	uint8_t out[512], plain[512], icv[32];
	struct ike_keys k;
	struct ike_msg m;
	size_t n, total;

	(void)state;
	keys_make(&suites[3], &k);
	for (unsigned int pad = 0; pad < 256; pad++) {
		struct slice covered;

		total = seal(&suites[3], &k, 1, 14, out, sizeof(out));
		assert_int_equal(total, 28 + 4 + 16 + 16 + 16);
		out[28 + 4 + 15] ^= (uint8_t)(1 ^ pad);
		covered = slice_of(out, total - 16);
		assert_int_equal(hmac_sha256(secret_slice(&k.ai), &covered, 1, icv), 0);
		memcpy(out + total - 16, icv, 16);
		assert_int_equal(msg_decode(slice_of(out, total), &m), WIRE_OK);
		assert_int_equal(sk_open(&suites[3], &k.ei, &k.ai, &m, plain, sizeof(plain), &n),
				 pad < 16 ? 0 : -EINVAL);
		assert_int_equal(n, pad < 16 ? 15 - pad : 0);
	}
	ike_keys_free(&k);
}

/* The nonce is salt | IV, so any vector with a nonce of 12 bytes is an SK payload. */
static void gcm_vector(const json_t *t, unsigned int bits, unsigned int *valid,
		       unsigned int *invalid)
{
	struct ike_suite s = suites[0];
	struct slice key = vector_bytes(t, "key"), iv = vector_bytes(t, "iv"),
		     want = vector_bytes(t, "msg");
	struct slice ct = vector_bytes(t, "ct"), tag = vector_bytes(t, "tag");
	bool good = !strcmp(json_string_value(json_object_get(t, "result")), "valid");
	uint8_t key_buf[64], body[4096], plain[4096];
	struct wr wk = wr_of(key_buf, sizeof(key_buf)), wb = wr_of(body, sizeof(body));
	struct secret ek = {0}, none = {0};
	struct ike_msg m = {.sk = {.present = true}};
	size_t n;
	int r;

	s.encr_bits = (uint16_t)bits;
	wr_put(&wk, key);
	wr_bytes(&wk, iv.p, 4);
	wr_bytes(&wb, iv.p + 4, 8);
	wr_put(&wb, ct);
	wr_put(&wb, tag);
	assert_int_equal(secret_dup(&ek, wr_slice(&wk)), 0);
	m.sk.body = wr_slice(&wb);
	m.sk.aad = vector_bytes(t, "aad");
	r = sk_open(&s, &ek, &none, &m, plain, sizeof(plain), &n);
	secret_free(&ek);
	if (!ct.n) {
		assert_int_equal(r, -EINVAL);
	} else if (!good) {
		assert_int_equal(r, -EBADMSG);
		(*invalid)++;
	} else if (r) {
		/* the last byte, taken for a pad length, was too large */
		assert_int_equal(r, -EINVAL);
		assert_true(want.p[want.n - 1] >= want.n);
		(*valid)++;
	} else {
		assert_int_equal(n, want.n - 1 - want.p[want.n - 1]);
		assert_memory_equal(plain, want.p, want.n);
		(*valid)++;
	}
}

static void test_wycheproof(void **state)
{
	json_t *root = vectors_load("wycheproof/aes_gcm_test.json"), *g, *t;
	unsigned int valid = 0, invalid = 0;
	size_t i, j;

	(void)state;
	if (!root)
		skip();
	json_array_foreach(json_object_get(root, "testGroups"), i, g)
	{
		if (json_integer_value(json_object_get(g, "ivSize")) != 96 ||
		    json_integer_value(json_object_get(g, "tagSize")) != 128)
			continue;
		json_array_foreach(json_object_get(g, "tests"), j, t)
		    gcm_vector(t, (unsigned int)json_integer_value(json_object_get(g, "keySize")),
			       &valid, &invalid);
	}
	assert_true(valid > 20 && invalid > 20);
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_decodes),
	    cmocka_unit_test(test_every_bit_counts),
	    cmocka_unit_test(test_truncated),
	    cmocka_unit_test(test_room),
	    cmocka_unit_test(test_keys_must_fit),
	    cmocka_unit_test(test_iv),
	    cmocka_unit_test(test_bad_padding),
	    cmocka_unit_test(test_wycheproof),
	};

	crypt_legacy();
	return cmocka_run_group_tests_name("sk", tests, NULL, NULL);
}
