/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/crypt/crypt.h"
#include "common/wr.h"
#include "vectors.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void same(struct slice got, struct slice want)
{
	assert_int_equal(got.n, want.n);
	assert_memory_equal(got.p, want.p, want.n);
}

static struct slice text(const char *s)
{
	return slice_of(s, strlen(s));
}

/* RFC 4231, test cases 1, 2 and 6: a short key, a shorter one, one longer than the block. */
static void test_prf_rfc4231(void **state)
{
	static const char *const want[3][3] = {
	    {"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
	     "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af15"
	     "2e8b2fa9cb6",
	     "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
	     "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"},
	    {"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
	     "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b323"
	     "9ecfab21649",
	     "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
	     "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
	    {"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
	     "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248"
	     "df163f44952",
	     "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
	     "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"},
	};
	static const uint16_t ids[3] = {PRF_HMAC_SHA2_256, PRF_HMAC_SHA2_384, PRF_HMAC_SHA2_512};
	uint8_t k1[20], k6[131], out[CRYPT_PRF_MAX], buf[64];
	struct slice keys[3], data[3];

	(void)state;
	memset(k1, 0x0b, sizeof(k1));
	memset(k6, 0xaa, sizeof(k6));
	keys[0] = slice_of(k1, sizeof(k1));
	keys[1] = text("Jefe");
	keys[2] = slice_of(k6, sizeof(k6));
	data[0] = text("Hi There");
	data[1] = text("what do ya want for nothing?");
	data[2] = text("Test Using Larger Than Block-Size Key - Hash Key First");
	for (int c = 0; c < 3; c++) {
		for (int h = 0; h < 3; h++) {
			/* the same in pieces, an empty one among them */
			struct slice parts[] = {slice_of(data[c].p, 3), slice_of(NULL, 0),
						slice_of(data[c].p + 3, data[c].n - 3)};

			assert_int_equal(prf(ids[h], keys[c], &data[c], 1, out), 0);
			same(slice_of(out, prf_len(ids[h])),
			     hex_bytes(want[c][h], buf, sizeof(buf)));
			assert_int_equal(prf(ids[h], keys[c], parts, 3, out), 0);
			same(slice_of(out, prf_len(ids[h])),
			     hex_bytes(want[c][h], buf, sizeof(buf)));
		}
		assert_int_equal(hmac_sha256(keys[c], &data[c], 1, out), 0);
		same(slice_of(out, 32), hex_bytes(want[c][0], buf, sizeof(buf)));
	}
	assert_int_equal(prf(3, keys[0], data, 1, out), -ENOTSUP);
	assert_int_equal(prf_len(3), 0);
}

static void test_hashes(void **state)
{
	struct slice parts[] = {text("a"), text("bc")};
	uint8_t out[32];

	(void)state;
	assert_int_equal(sha1(parts, 2, out), 0);
	same(slice_of(out, 20), HEX("a9993e364706816aba3e25717850c26c9cd0d89d"));
	assert_int_equal(sha256(parts, 2, out), 0);
	same(slice_of(out, 32),
	     HEX("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
	assert_int_equal(sha256(NULL, 0, out), 0);
	same(slice_of(out, 32),
	     HEX("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
}

/* prf+ written a second time, block by block from one-shot PRFs. */
static void slow_prf_plus(uint16_t id, struct slice key, struct slice seed, uint8_t *out,
			  size_t blocks)
{
	size_t n = prf_len(id);
	uint8_t last[CRYPT_PRF_MAX];

	for (size_t i = 0; i < blocks; i++) {
		uint8_t counter = (uint8_t)(i + 1);
		struct slice parts[] = {slice_of(last, i ? n : 0), seed, slice_of(&counter, 1)};

		assert_int_equal(prf(id, key, parts, 3, last), 0);
		memcpy(out + i * n, last, n);
	}
}

static void test_prf_plus(void **state)
{
	static uint8_t want[255 * CRYPT_PRF_MAX];
	struct secret got = {0};

	(void)state;
	for (uint16_t id = PRF_HMAC_SHA2_256; id <= PRF_HMAC_SHA2_512; id++) {
		size_t n = prf_len(id);

		slow_prf_plus(id, text("key"), text("seed"), want, 255);
		for (size_t len = 1; len <= 255 * n; len += len < 3 * n ? 1 : 997) {
			assert_int_equal(prf_plus(id, text("key"), text("seed"), &got, len), 0);
			same(secret_slice(&got), slice_of(want, len));
			secret_free(&got);
		}
		assert_int_equal(prf_plus(id, text("key"), text("seed"), &got, 255 * n), 0);
		same(secret_slice(&got), slice_of(want, 255 * n));
		secret_free(&got);
		assert_int_equal(prf_plus(id, text("key"), text("seed"), &got, 255 * n + 1),
				 -EINVAL);
		assert_null(got.p);
	}
	assert_int_equal(prf_plus(99, text("key"), text("seed"), &got, 10), -ENOTSUP);
}

static uint16_t prf_of_hash(const char *name)
{
	if (!strcmp(name, "SHA2-256"))
		return PRF_HMAC_SHA2_256;
	if (!strcmp(name, "SHA2-384"))
		return PRF_HMAC_SHA2_384;
	return !strcmp(name, "SHA2-512") ? PRF_HMAC_SHA2_512 : 0;
}

static uint64_t be64(struct slice s)
{
	uint64_t v = 0;

	for (size_t i = 0; i < s.n; i++)
		v = v << 8 | s.p[i];
	return v;
}

/* The seven keys in the order of RFC 7296 2.14, as one run of bytes. */
static size_t keys_join(const struct ike_keys *k, uint8_t *out)
{
	const struct secret *const order[] = {&k->d,  &k->ai, &k->ar, &k->ei,
					      &k->er, &k->pi, &k->pr};
	size_t n = 0;

	for (int i = 0; i < 7; i++) {
		if (order[i]->n)
			memcpy(out + n, order[i]->p, order[i]->n);
		n += order[i]->n;
	}
	return n;
}

static void nist_one(const json_t *v, uint16_t id)
{
	struct slice ni = vector_bytes(v, "ni"), nr = vector_bytes(v, "nr"),
		     gir = vector_bytes(v, "gir");
	struct slice dkm = vector_bytes(v, "dkm"), spii = vector_bytes(v, "spii");
	struct slice spir = vector_bytes(v, "spir"), skeyseed = vector_bytes(v, "skeyseed");
	struct ike_suite s = {
	    .encr = ENCR_AES_GCM_16, .encr_bits = 128, .prf = id, .ke = KE_MODP_2048};
	uint8_t seed[600], joined[512];
	struct ike_keys k = {0};
	struct secret got = {0};
	struct wr w = wr_of(seed, sizeof(seed));

	wr_put(&w, ni);
	wr_put(&w, nr);
	wr_put(&w, spii);
	wr_put(&w, spir);
	assert_true(wr_ok(&w));
	assert_int_equal(prf_plus(id, skeyseed, wr_slice(&w), &got, dkm.n), 0);
	same(secret_slice(&got), dkm);
	secret_free(&got);
	if (!nr.n && ni.n > 1) { /* only the concatenation is known: any cut will do */
		nr = slice_of(ni.p + ni.n / 2, ni.n - ni.n / 2);
		ni.n /= 2;
	}
	if (dkm.n < 3 * prf_len(id) + 2 * 20)
		return;
	assert_int_equal(kdf_ike(&s, ni, nr, gir, be64(spii), be64(spir), &k), 0);
	same(slice_of(joined, keys_join(&k, joined)), slice_of(dkm.p, 3 * prf_len(id) + 2 * 20));
	ike_keys_free(&k);
}

static void test_nist(void **state)
{
	json_t *root = vectors_load("ikev2_kdf.json"), *v;
	unsigned int done = 0;
	size_t i;

	(void)state;
	if (!root)
		skip();
	json_array_foreach(json_object_get(root, "vectors"), i, v)
	{
		uint16_t id = prf_of_hash(json_string_value(json_object_get(v, "hash")));

		if (!id)
			continue;
		nist_one(v, id);
		done++;
	}
	assert_true(done >= 6);
	json_decref(root);
}

static const struct {
	uint16_t encr, bits, integ;
	size_t n_encr, n_integ;
} suites[] = {
    {ENCR_AES_GCM_16, 128, AUTH_NONE, 20, 0},
    {ENCR_AES_GCM_16, 192, AUTH_NONE, 28, 0},
    {ENCR_AES_GCM_16, 256, AUTH_NONE, 36, 0},
    {ENCR_AES_CBC, 128, AUTH_HMAC_SHA2_256_128, 16, 32},
    {ENCR_AES_CBC, 192, AUTH_HMAC_SHA2_384_192, 24, 48},
    {ENCR_AES_CBC, 256, AUTH_HMAC_SHA2_512_256, 32, 64},
};

/* Lengths and order of the keys, first and rekeyed, against the slow prf+. */
static void test_ike_keys(void **state)
{
	struct slice ni = text("0123456789abcdef"), nr = text("fedcba98765432100"),
		     g = text("shared");
	const uint64_t spi_i = 0x0102030405060708, spi_r = 0x1112131415161718;

	(void)state;
	for (size_t i = 0; i < sizeof(suites) / sizeof(*suites); i++) {
		struct ike_suite s = {suites[i].encr, suites[i].bits, PRF_HMAC_SHA2_384,
				      suites[i].integ, KE_CURVE25519};
		uint8_t skeyseed[CRYPT_PRF_MAX], want[48 * 10], got[48 * 10], seed[64], key[64];
		size_t total = 3 * 48 + 2 * suites[i].n_integ + 2 * suites[i].n_encr;
		struct wr w = wr_of(seed, sizeof(seed)), wk = wr_of(key, sizeof(key));
		struct slice rekey[] = {g, ni, nr};
		struct ike_keys k = {0}, k2 = {0};

		wr_put(&wk, ni);
		wr_put(&wk, nr);
		wr_put(&w, ni);
		wr_put(&w, nr);
		wr_u64(&w, spi_i);
		wr_u64(&w, spi_r);
		assert_int_equal(prf(s.prf, wr_slice(&wk), &g, 1, skeyseed), 0);
		slow_prf_plus(s.prf, slice_of(skeyseed, 48), wr_slice(&w), want, 10);
		assert_int_equal(kdf_ike(&s, ni, nr, g, spi_i, spi_r, &k), 0);
		assert_int_equal(k.d.n, 48);
		assert_int_equal(k.ai.n, suites[i].n_integ);
		assert_int_equal(k.er.n, suites[i].n_encr);
		assert_int_equal(keys_join(&k, got), total);
		assert_memory_equal(got, want, total);

		/* RFC 7296 2.18: the old PRF makes SKEYSEED, the new one the keys */
		s.prf = PRF_HMAC_SHA2_256;
		assert_int_equal(prf(PRF_HMAC_SHA2_384, secret_slice(&k.d), rekey, 3, skeyseed), 0);
		slow_prf_plus(s.prf, slice_of(skeyseed, 48), wr_slice(&w), want, 15);
		assert_int_equal(
		    kdf_ike_rekey(PRF_HMAC_SHA2_384, &k.d, &s, ni, nr, g, spi_i, spi_r, &k2), 0);
		total -= 3 * 16;
		assert_int_equal(keys_join(&k2, got), total);
		assert_memory_equal(got, want, total);
		ike_keys_free(&k);
		ike_keys_free(&k2);
		assert_null(k.d.p);
	}
}

static void test_child_keys(void **state)
{
	struct slice ni = text("0123456789abcdef"), nr = text("fedcba98765432100"),
		     g = text("shared");
	struct secret d = {0};

	(void)state;
	assert_int_equal(secret_dup(&d, text("SK_d SK_d SK_d SK_d SK_d SK_d 32")), 0);
	for (size_t i = 0; i < 2 * sizeof(suites) / sizeof(*suites); i++) {
		size_t at = i / 2, n = suites[at].n_encr, m = suites[at].n_integ;
		struct slice shared = i % 2 ? g : slice_of(NULL, 0);
		struct child_suite s = {.encr = suites[at].encr,
					.encr_bits = suites[at].bits,
					.integ = suites[at].integ};
		uint8_t want[32 * 8], seed[64];
		struct wr w = wr_of(seed, sizeof(seed));
		struct child_keys k = {0};

		wr_put(&w, shared);
		wr_put(&w, ni);
		wr_put(&w, nr);
		slow_prf_plus(PRF_HMAC_SHA2_256, secret_slice(&d), wr_slice(&w), want, 8);
		assert_int_equal(kdf_child(PRF_HMAC_SHA2_256, &d, &s, shared, ni, nr, &k), 0);
		same(secret_slice(&k.encr_i), slice_of(want, n));
		assert_int_equal(k.integ_i.n, m);
		if (m)
			same(secret_slice(&k.integ_i), slice_of(want + n, m));
		same(secret_slice(&k.encr_r), slice_of(want + n + m, n));
		if (m)
			same(secret_slice(&k.integ_r), slice_of(want + 2 * n + m, m));
		child_keys_free(&k);
	}
	secret_free(&d);
}

/* AH takes integrity keys alone, the initiator's direction first. */
static void test_ah_keys(void **state)
{
	struct child_suite s = {.ah = true, .integ = AUTH_HMAC_SHA2_256_128};
	struct slice ni = text("0123456789abcdef"), nr = text("fedcba98765432100"), none = slice_of(NULL, 0);
	struct secret d = {0};
	struct child_keys k = {0};
	uint8_t want[32 * 2], seed[64];
	struct wr w = wr_of(seed, sizeof(seed));

	(void)state;
	assert_int_equal(secret_dup(&d, text("SK_d SK_d SK_d SK_d SK_d SK_d 32")), 0);
	wr_put(&w, ni);
	wr_put(&w, nr);
	slow_prf_plus(PRF_HMAC_SHA2_256, secret_slice(&d), wr_slice(&w), want, 2);
	assert_int_equal(kdf_child(PRF_HMAC_SHA2_256, &d, &s, none, ni, nr, &k), 0);
	assert_int_equal(k.encr_i.n, 0);
	assert_int_equal(k.encr_r.n, 0);
	same(secret_slice(&k.integ_i), slice_of(want, 32));
	same(secret_slice(&k.integ_r), slice_of(want + 32, 32));
	child_keys_free(&k);
	s.integ = AUTH_NONE;
	assert_int_equal(kdf_child(PRF_HMAC_SHA2_256, &d, &s, none, ni, nr, &k), -ENOTSUP);
	s.integ = AUTH_HMAC_SHA2_256_128;
	s.encr = ENCR_AES_CBC;
	s.encr_bits = 128;
	assert_int_equal(kdf_child(PRF_HMAC_SHA2_256, &d, &s, none, ni, nr, &k), -ENOTSUP);
	secret_free(&d);
}

static void test_refused(void **state)
{
	struct ike_suite s = {.encr = ENCR_AES_GCM_16, .encr_bits = 128, .prf = PRF_HMAC_SHA2_256};
	struct child_suite c = {.encr = ENCR_AES_CBC, .encr_bits = 128};
	struct slice n = text("0123456789abcdef"), g = text("shared"), none = slice_of(NULL, 0);
	uint8_t big[IKE_NONCE_MAX + 1] = {0};
	struct ike_keys k = {0};
	struct child_keys ck = {0};
	struct secret d = {0};

	(void)state;
	assert_int_equal(secret_dup(&d, n), 0);
	assert_int_equal(kdf_ike(&s, n, n, none, 1, 2, &k), -EINVAL);
	assert_int_equal(
	    kdf_ike(&s, slice_of(big, sizeof(big)), slice_of(big, sizeof(big)), g, 1, 2, &k),
	    -EINVAL);
	assert_int_equal(kdf_ike_rekey(s.prf, &d, &s, n, n, none, 1, 2, &k), -EINVAL);
	assert_int_equal(kdf_ike_rekey(4711, &d, &s, n, n, g, 1, 2, &k), -ENOTSUP);
	s.integ = AUTH_HMAC_SHA2_256_128; /* beside an AEAD */
	assert_int_equal(kdf_ike(&s, n, n, g, 1, 2, &k), -ENOTSUP);
	s.integ = 0;
	s.encr_bits = 0;
	assert_int_equal(kdf_ike(&s, n, n, g, 1, 2, &k), -ENOTSUP);
	s.encr_bits = 128;
	s.prf = 0;
	assert_int_equal(kdf_ike(&s, n, n, g, 1, 2, &k), -ENOTSUP);
	assert_int_equal(kdf_child(PRF_HMAC_SHA2_256, &d, &c, none, n, n, &ck), -ENOTSUP);
	assert_null(k.d.p);
	assert_null(ck.encr_i.p);
	secret_free(&d);
}

static void test_auth(void **state)
{
	struct slice octets[] = {text("message"), text("nonce"), text("maced id")};
	struct slice pad = text("Key Pad for IKEv2"), joined = text("messagenoncemaced id");
	uint8_t key[CRYPT_PRF_MAX], want[CRYPT_PRF_MAX], got[CRYPT_PRF_MAX];
	struct secret sk_p = {0};

	(void)state;
	for (uint16_t id = PRF_HMAC_SHA2_256; id <= PRF_HMAC_SHA2_512; id++) {
		assert_int_equal(prf(id, text("psk"), &pad, 1, key), 0);
		assert_int_equal(prf(id, slice_of(key, prf_len(id)), &joined, 1, want), 0);
		assert_int_equal(auth_psk(id, text("psk"), octets, 3, got), 0);
		assert_memory_equal(got, want, prf_len(id));
	}
	assert_int_equal(secret_dup(&sk_p, text("SK_p")), 0);
	assert_int_equal(prf(5, text("SK_p"), &octets[2], 1, want), 0);
	assert_int_equal(auth_maced_id(5, &sk_p, octets[2], got), 0);
	assert_memory_equal(got, want, 32);
	assert_int_equal(auth_psk(77, text("psk"), octets, 3, got), -ENOTSUP);
	secret_free(&sk_p);
}

/* Drawn ahead: no piece comes twice, not even in a forked child, and large ones are served. */
static void random_ahead(void)
{
	uint8_t piece[200][16], theirs[16], large[4096] = {0}, zero[64] = {0};
	int fds[2], status;
	pid_t pid;

	crypt_random_ahead();
	crypt_random_ahead();
	for (int i = 0; i < 200; i++) {
		assert_int_equal(crypt_random(piece[i], sizeof(piece[i])), 0);
		for (int j = 0; j < i; j++)
			assert_memory_not_equal(piece[i], piece[j], sizeof(piece[i]));
	}
	assert_int_equal(crypt_random(large, sizeof(large)), 0);
	assert_memory_not_equal(large + sizeof(large) - sizeof(zero), zero, sizeof(zero));
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (!pid) {
		bool ok = !crypt_random(theirs, sizeof(theirs)) && write(fds[1], theirs, 16) == 16;

		_exit(!ok);
	}
	assert_int_equal(read(fds[0], theirs, sizeof(theirs)), 16);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (int i = 0; i < 40; i++) {
		assert_int_equal(crypt_random(piece[i], sizeof(piece[i])), 0);
		assert_memory_not_equal(piece[i], theirs, sizeof(theirs));
	}
	close(fds[0]);
	close(fds[1]);
}

static void test_random(void **state)
{
	uint8_t a[32] = {0}, b[32] = {0};

	(void)state;
	assert_int_equal(crypt_random(a, sizeof(a)), 0);
	assert_int_equal(crypt_random(b, sizeof(b)), 0);
	assert_memory_not_equal(a, b, sizeof(a));
	assert_int_equal(crypt_random(a, 0), 0);
	random_ahead();
}

static void *prf_many(void *arg)
{
	struct slice data = text("what do ya want for nothing?");
	uint8_t out[CRYPT_PRF_MAX];

	for (int i = 0; i < 2000; i++) {
		if (prf(PRF_HMAC_SHA2_256, text("Jefe"), &data, 1, out) || out[0] != 0x5b ||
		    out[31] != 0x43)
			return arg;
	}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t t[4];
	void *bad;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, prf_many, t), 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(t[i], &bad), 0);
		assert_null(bad);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_prf_rfc4231), cmocka_unit_test(test_hashes),
	    cmocka_unit_test(test_prf_plus),	cmocka_unit_test(test_nist),
	    cmocka_unit_test(test_ike_keys),	cmocka_unit_test(test_child_keys),
		cmocka_unit_test(test_ah_keys),
	    cmocka_unit_test(test_refused),	cmocka_unit_test(test_auth),
	    cmocka_unit_test(test_random),	cmocka_unit_test(test_threads),
	};

	if (crypt_init())
		return 1;
	return cmocka_run_group_tests_name("kdf", tests, NULL, NULL);
}
