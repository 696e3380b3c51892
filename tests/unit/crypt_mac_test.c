/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/crypt/crypt.h"
#include "agent/crypt/evp.h"
#include "vectors.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void mac_once(const struct alg *a, struct slice key, const struct slice *parts,
		     unsigned int n, uint8_t out[CRYPT_PRF_MAX])
{
	struct evp_mac *m = evp_mac_begin(a, key);

	assert_non_null(m);
	memset(out, 0, CRYPT_PRF_MAX);
	assert_int_equal(evp_mac_message(m, parts, n, out), 0);
	evp_mac_end(m);
}

/* The same in one piece, and cut in three at every two places where that is not too many. */
static void check(const struct alg *a, struct slice key, struct slice msg, const char *want)
{
	uint8_t out[CRYPT_PRF_MAX], buf[CRYPT_PRF_MAX];
	struct slice w = hex_bytes(want, buf, sizeof(buf));

	/* of those cut off there may be more on paper than is meant */
	if (a->type == IKE_T_INTEG && w.n < a->out_len)
		w.n = a->icv_len;
	mac_once(a, key, &msg, 1, out);
	assert_memory_equal(out, w.p, w.n);
	for (size_t i = 0; i <= msg.n && msg.n <= 80; i++) {
		for (size_t k = i; k <= msg.n; k++) {
			struct slice parts[] = {slice_of(msg.p, i), slice_of(msg.p + i, k - i),
						slice_of(NULL, 0), slice_of(msg.p + k, msg.n - k)};

			mac_once(a, key, parts, 4, out);
			assert_memory_equal(out, w.p, w.n);
		}
	}
}

struct mac_case {
	unsigned int key_len, msg_len;
	const char *want;
};

/* Key and message count from 0; a key of 18 bytes ends in ed cb. */
static void check_counting(const struct alg *a, const struct mac_case *c, size_t n)
{
	uint8_t msg[64], key[18];

	for (unsigned int i = 0; i < sizeof(msg); i++)
		msg[i] = (uint8_t)i;
	memcpy(key, msg, 16);
	key[16] = 0xed;
	key[17] = 0xcb;
	for (size_t i = 0; i < n; i++)
		check(a, slice_of(key, c[i].key_len), slice_of(msg, c[i].msg_len), c[i].want);
}

/* RFC 3566 4.6, test cases 1 to 7; RFC 4434 2.1. */
static void test_xcbc(void **state)
{
	static const struct mac_case cases[] = {
	    {16, 0, "75f0251d528ac01c4573dfd584d79f29"},
	    {16, 3, "5b376580ae2f19afe7219ceef172756f"},
	    {16, 16, "d2a246fa349b68a79998a4394ff7a263"},
	    {16, 20, "47f51b4564966215b8985c63055ed308"},
	    {16, 32, "f54f0ec8d2b9f3d36807734bd5283fd4"},
	    {16, 34, "becbb3bccdb518a30677d5481fb6b4d8"},
	};
	static const struct mac_case prfs[] = {
	    {16, 20, "47f51b4564966215b8985c63055ed308"},
	    {10, 20, "0fa087af7d866e7653434e602fdde835"},
	    {18, 20, "8cd3c93ae598a9803006ffb67c40e9e4"},
	};
	static const uint8_t zeros[1000];
	const struct alg *integ = alg_find(IKE_T_INTEG, AUTH_AES_XCBC_96, 0);
	const struct alg *prf_row = alg_find(IKE_T_PRF, PRF_AES128_XCBC, 0);

	(void)state;
	check_counting(integ, cases, sizeof(cases) / sizeof(*cases));
	check_counting(prf_row, cases, sizeof(cases) / sizeof(*cases));
	check(integ, HEX("000102030405060708090a0b0c0d0e0f"), slice_of(zeros, sizeof(zeros)),
	      "f0dafee895db30253761103b5d84528f");
	check_counting(prf_row, prfs, sizeof(prfs) / sizeof(*prfs));
	assert_int_equal(integ->icv_len, 12);
}

/* RFC 4493 4, RFC 4615 4. */
static void test_cmac(void **state)
{
	static const struct mac_case prfs[] = {
	    {18, 20, "84a348a4a45d235babfffc0d2b4da09a"},
	    {16, 20, "980ae87b5f4c9c5214f5b6a8455e4c2d"},
	    {10, 20, "290d9e112edb09ee141fcf64c0b72f3d"},
	};
	const struct alg *integ = alg_find(IKE_T_INTEG, AUTH_AES_CMAC_96, 0);
	const struct alg *prf_row = alg_find(IKE_T_PRF, PRF_AES128_CMAC, 0);
	struct slice key = HEX("2b7e151628aed2a6abf7158809cf4f3c");
	struct slice msg = HEX("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
			       "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710");

	(void)state;
	check(integ, key, slice_of(msg.p, 0), "bb1d6929e95937287fa37d129b756746");
	check(integ, key, slice_of(msg.p, 16), "070a16b46b4d4144f79bdd9dd04a287c");
	check(integ, key, slice_of(msg.p, 40), "dfa66747de9ae63030ca32611497c827");
	check(integ, key, msg, "51f0bebf7e3b9d92fc49741779363cfe");
	check_counting(prf_row, prfs, sizeof(prfs) / sizeof(*prfs));
	assert_int_equal(integ->icv_len, 12);
}

/* RFC 2202 2 and 3, test case 1. */
static void test_old_hmac(void **state)
{
	uint8_t key[20];

	(void)state;
	memset(key, 0x0b, sizeof(key));
	check(alg_find(IKE_T_INTEG, AUTH_HMAC_SHA1_96, 0), slice_of(key, 20),
	      slice_of("Hi There", 8), "b617318655057264e28bc0b6fb378c8ef146be00");
	check(alg_find(IKE_T_PRF, PRF_HMAC_MD5, 0), slice_of(key, 16), slice_of("Hi There", 8),
	      "9294727a3638bb1c13f48ef8158bfc9d");
}

/* Integrity keys have one length; a PRF of AES takes any. */
static void test_key_lengths(void **state)
{
	static const uint16_t ids[] = {AUTH_AES_XCBC_96, AUTH_AES_CMAC_96};
	static const uint16_t prfs[] = {PRF_AES128_XCBC, PRF_AES128_CMAC};
	uint8_t key[300] = {1, 2, 3}, out[CRYPT_PRF_MAX];
	struct slice msg = slice_of("x", 1);

	(void)state;
	for (int i = 0; i < 2; i++) {
		const struct alg *a = alg_find(IKE_T_INTEG, ids[i], 0);

		for (size_t n = 0; n < 40; n++) {
			struct evp_mac *m = evp_mac_begin(a, slice_of(key, n));

			assert_int_equal(m != NULL, n == 16);
			if (m)
				evp_mac_end(m);
		}
		for (size_t n = 0; n <= sizeof(key); n += 1 + n / 20)
			assert_int_equal(prf(prfs[i], slice_of(key, n), &msg, 1, out), 0);
		assert_int_equal(prf_len(prfs[i]), 16);
	}
}

/* RFC 7296 2.14: SKEYSEED of these two takes 64 bits of each nonce, prf+ takes all of them. */
static void test_skeyseed_of_short_nonces(void **state)
{
	static const uint16_t prfs[] = {PRF_AES128_XCBC, PRF_AES128_CMAC, PRF_HMAC_SHA2_256};
	const uint8_t ni[32] = "initiator's nonce of 32 octets.", nr[20] = "responder's nonce..";
	const uint8_t spis[16] = {0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2};
	struct slice g = slice_of("shared secret", 13);

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct ike_suite s = {ENCR_AES_GCM_16, 128, prfs[i], AUTH_NONE, KE_CURVE25519};
		size_t most = i < 2 ? 8 : 32, n = prf_len(prfs[i]), rest = i < 2 ? 8 : sizeof(nr);
		uint8_t key[64], seed[80], skeyseed[CRYPT_PRF_MAX];
		struct ike_keys k = {0};
		struct secret want = {0};

		memcpy(key, ni, most);
		memcpy(key + most, nr, rest);
		assert_int_equal(prf(prfs[i], slice_of(key, most + rest), &g, 1, skeyseed), 0);
		memcpy(seed, ni, sizeof(ni));
		memcpy(seed + sizeof(ni), nr, sizeof(nr));
		memcpy(seed + sizeof(ni) + sizeof(nr), spis, sizeof(spis));
		assert_int_equal(prf_plus(prfs[i], slice_of(skeyseed, n),
					  slice_of(seed, sizeof(ni) + sizeof(nr) + sizeof(spis)),
					  &want, n),
				 0);
		assert_int_equal(
		    kdf_ike(&s, slice_of(ni, sizeof(ni)), slice_of(nr, sizeof(nr)), g, 1, 2, &k),
		    0);
		assert_int_equal(k.d.n, n);
		assert_memory_equal(k.d.p, want.p, n);
		ike_keys_free(&k);
		secret_free(&want);
	}
}

static void of_file(const char *file, unsigned int *done)
{
	static const struct {
		const char *name;
		unsigned int type, id;
	} algs[] = {
	    {"AUTH_AES_XCBC_96", IKE_T_INTEG, AUTH_AES_XCBC_96},
	    {"AUTH_AES_CMAC_96", IKE_T_INTEG, AUTH_AES_CMAC_96},
	    {"AUTH_HMAC_SHA1_96", IKE_T_INTEG, AUTH_HMAC_SHA1_96},
	    {"AUTH_HMAC_MD5_96", IKE_T_INTEG, AUTH_HMAC_MD5_96},
	    {"AUTH_HMAC_SHA2_256_128", IKE_T_INTEG, AUTH_HMAC_SHA2_256_128},
	    {"AUTH_HMAC_SHA2_384_192", IKE_T_INTEG, AUTH_HMAC_SHA2_384_192},
	    {"AUTH_HMAC_SHA2_512_256", IKE_T_INTEG, AUTH_HMAC_SHA2_512_256},
	    {"PRF_AES128_XCBC", IKE_T_PRF, PRF_AES128_XCBC},
	    {"PRF_AES128_CMAC", IKE_T_PRF, PRF_AES128_CMAC},
	    {"PRF_HMAC_SHA1", IKE_T_PRF, PRF_HMAC_SHA1},
	    {"PRF_HMAC_MD5", IKE_T_PRF, PRF_HMAC_MD5},
	    {"PRF_HMAC_SHA2_256", IKE_T_PRF, PRF_HMAC_SHA2_256},
	    {"PRF_HMAC_SHA2_384", IKE_T_PRF, PRF_HMAC_SHA2_384},
	    {"PRF_HMAC_SHA2_512", IKE_T_PRF, PRF_HMAC_SHA2_512},
	};
	json_t *root = vectors_load("strongswan_test_vectors.json"), *t;
	json_t *list =
	    json_object_get(json_object_get(json_object_get(root, "files"), file), "vectors");
	size_t i;

	json_array_foreach(list, i, t)
	{
		const char *name = json_string_value(json_object_get(t, "alg"));
		const char *mac = json_string_value(json_object_get(t, "mac"));

		if (!mac)
			mac = json_string_value(json_object_get(t, "out"));
		for (size_t k = 0; k < sizeof(algs) / sizeof(*algs); k++) {
			struct slice key = vector_bytes(t, "key");
			struct slice data =
			    vector_bytes(t, json_object_get(t, "data") ? "data" : "seed");

			if (strcmp(algs[k].name, name))
				continue;
			check(alg_find(algs[k].type, algs[k].id, 0), key, data, mac);
			(*done)++;
		}
	}
	json_decref(root);
}

static void test_vectors_of_others(void **state)
{
	unsigned int done = 0;

	(void)state;
	of_file("aes_xcbc.c", &done);
	of_file("aes_cmac.c", &done);
	of_file("sha1_hmac.c", &done);
	of_file("sha2_hmac.c", &done);
	of_file("md5_hmac.c", &done);
	if (!done)
		skip();
	assert_true(done > 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_xcbc),
	    cmocka_unit_test(test_cmac),
	    cmocka_unit_test(test_old_hmac),
	    cmocka_unit_test(test_key_lengths),
	    cmocka_unit_test(test_skeyseed_of_short_nonces),
	    cmocka_unit_test(test_vectors_of_others),
	};

	crypt_legacy();
	return cmocka_run_group_tests_name("mac", tests, NULL, NULL);
}
