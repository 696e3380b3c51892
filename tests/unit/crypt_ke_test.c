/* SPDX-License-Identifier: BSD-2-Clause */
/* The file itself, for known answers need a pair with a given private value, which the product
 * never makes. */
#include "agent/crypt/ke.c"
#include "vectors.h"

#include <openssl/bn.h>
#include <openssl/param_build.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const uint16_t groups[] = {
    KE_CURVE25519,    KE_CURVE448,  KE_ECP_192,	      KE_ECP_224,	KE_ECP_256,
    KE_ECP_384,	      KE_ECP_521,   KE_BRAINPOOL_224, KE_BRAINPOOL_256, KE_BRAINPOOL_384,
    KE_BRAINPOOL_512, KE_MODP_768,  KE_MODP_1024,     KE_MODP_1536,	KE_MODP_2048,
    KE_MODP_3072,     KE_MODP_4096, KE_MODP_6144,     KE_MODP_8192,
};
enum { N_GROUPS = sizeof(groups) / sizeof(*groups) };

static BIGNUM *prime_of(uint16_t group)
{
	switch (group) {
	case KE_MODP_768:
		return BN_get_rfc2409_prime_768(NULL);
	case KE_MODP_1024:
		return BN_get_rfc2409_prime_1024(NULL);
	case KE_MODP_1536:
		return BN_get_rfc3526_prime_1536(NULL);
	case KE_MODP_2048:
		return BN_get_rfc3526_prime_2048(NULL);
	case KE_MODP_3072:
		return BN_get_rfc3526_prime_3072(NULL);
	case KE_MODP_4096:
		return BN_get_rfc3526_prime_4096(NULL);
	case KE_MODP_6144:
		return BN_get_rfc3526_prime_6144(NULL);
	case KE_MODP_8192:
		return BN_get_rfc3526_prime_8192(NULL);
	default:
		return NULL;
	}
}

static EVP_PKEY *pair_of_private(const struct alg *a, struct slice priv)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, a->family, NULL);
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	BIGNUM *x = BN_bin2bn(priv.p, (int)priv.n, NULL), *p = prime_of(a->id);
	EVP_PKEY *pair = NULL;
	OSSL_PARAM *params;

	if (!a->openssl) {
		pair = EVP_PKEY_new_raw_private_key_ex(NULL, a->family, NULL, priv.p, priv.n);
	} else {
		if (p) {
			OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_FFC_P, p);
			OSSL_PARAM_BLD_push_uint(b, OSSL_PKEY_PARAM_FFC_G, 2);
		} else {
			OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, a->openssl,
							0);
		}
		OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_PRIV_KEY, x);
		params = OSSL_PARAM_BLD_to_param(b);
		EVP_PKEY_fromdata_init(c);
		EVP_PKEY_fromdata(c, &pair, EVP_PKEY_KEYPAIR, params);
		OSSL_PARAM_free(params);
	}
	OSSL_PARAM_BLD_free(b);
	EVP_PKEY_CTX_free(c);
	BN_free(x);
	BN_free(p);
	return pair;
}

static struct ke *ke_of_private(uint16_t group, struct slice priv)
{
	const struct alg *a = group_find(group);
	struct ke *k = calloc(1, sizeof(*k) + a->out_len);

	assert_non_null(k);
	k->alg = a;
	k->pair = pair_of_private(a, priv);
	assert_non_null(k->pair);
	return k;
}

static void test_agree(void **state)
{
	(void)state;
	for (int i = 0; i < N_GROUPS; i++) {
		struct ke *a = ke_new(groups[i]), *b = ke_new(groups[i]);
		struct secret sa = {0}, sb = {0}, again = {0};
		size_t n = ke_public_len(groups[i]);
		uint8_t bad[CRYPT_KE_PUBLIC_MAX];

		assert_non_null(a);
		assert_non_null(b);
		assert_int_equal(ke_group(a), groups[i]);
		assert_int_equal(ke_public(a).n, n);
		assert_memory_not_equal(ke_public(a).p, ke_public(b).p, n);
		/* one that is refused in between spoils nothing */
		memset(bad, groups[i] == KE_CURVE25519 || groups[i] == KE_CURVE448 ? 0 : 0xff, n);
		assert_int_equal(ke_shared(a, slice_of(bad, n), &sa), -EINVAL);
		assert_int_equal(ke_shared(a, ke_public(b), &sa), 0);
		assert_int_equal(ke_shared(b, ke_public(a), &sb), 0);
		assert_int_equal(sa.n, is_ec(a->alg) ? n / 2 : n);
		assert_int_equal(sb.n, sa.n);
		assert_memory_equal(sa.p, sb.p, sa.n);
		/* the private half is gone, the public one still there to be sent again */
		assert_int_equal(ke_shared(a, ke_public(b), &again), -EPIPE);
		assert_int_equal(ke_public(a).n, n);
		secret_free(&sa);
		secret_free(&sb);
		ke_free(a);
		ke_free(b);
	}
	ke_free(NULL);
}

/* Public values and shared secrets with leading zeros keep their length: 1 in 256 has one. */
static void test_leading_zero(void **state)
{
	unsigned int zeros = 0;

	(void)state;
	for (int i = 0; i < 1500 && zeros < 2; i++) {
		struct ke *a = ke_new(KE_ECP_256), *b = ke_new(KE_ECP_256);
		struct secret sa = {0}, sb = {0};

		assert_int_equal(ke_shared(a, ke_public(b), &sa), 0);
		assert_int_equal(ke_shared(b, ke_public(a), &sb), 0);
		assert_int_equal(sa.n, 32);
		assert_memory_equal(sa.p, sb.p, 32);
		zeros += !sa.p[0] + !ke_public(a).p[0];
		secret_free(&sa);
		secret_free(&sb);
		ke_free(a);
		ke_free(b);
	}
	assert_true(zeros > 0);
}

/* MODP with tiny private values: 2^1, 2^2 and their shared secret are nearly all zeros. */
static void test_modp_padding(void **state)
{
	(void)state;
	for (int i = 0; i < N_GROUPS; i++) {
		if (!is_dh(group_find(groups[i])))
			continue;
		size_t n = ke_public_len(groups[i]);
		uint8_t peer[CRYPT_KE_PUBLIC_MAX] = {0}, want[CRYPT_KE_PUBLIC_MAX] = {0};
		struct ke *k = ke_of_private(groups[i], HEX("03"));
		struct secret s = {0};

		peer[n - 1] = 4; /* 2^2 */
		want[n - 1] = 64;
		assert_int_equal(ke_shared(k, slice_of(peer, n), &s), 0);
		assert_int_equal(s.n, n);
		assert_memory_equal(s.p, want, n);
		secret_free(&s);
		ke_free(k);
	}
}

static void refused(uint16_t group, struct slice peer)
{
	struct ke *k = ke_new(group), *other = ke_new(group);
	struct secret s = {0};

	assert_int_equal(ke_shared(k, peer, &s), -EINVAL);
	assert_null(s.p);
	/* RFC 7296 2.4: a forged value does not end the exchange */
	assert_int_equal(ke_shared(k, ke_public(other), &s), 0);
	secret_free(&s);
	ke_free(k);
	ke_free(other);
}

static void test_wrong_length(void **state)
{
	uint8_t buf[CRYPT_KE_PUBLIC_MAX + 1];

	(void)state;
	for (int i = 0; i < N_GROUPS; i++) {
		size_t n = ke_public_len(groups[i]);
		struct ke *good = ke_new(groups[i]);

		memset(buf, 0, sizeof(buf));
		memcpy(buf, ke_public(good).p, n);
		refused(groups[i], slice_of(NULL, 0));
		refused(groups[i], slice_of(buf, 1));
		refused(groups[i], slice_of(buf, n - 1));
		refused(groups[i], slice_of(buf, n + 1));
		refused(groups[i], slice_of(buf, n / 2));
		memset(buf, 0, sizeof(buf));
		refused(groups[i], slice_of(buf, n));
		ke_free(good);
	}
}

/* RFC 6989 2.1: 1 < y < p - 1 */
static void test_modp_range(void **state)
{
	(void)state;
	for (int i = 0; i < N_GROUPS; i++) {
		int n = (int)ke_public_len(groups[i]);
		uint8_t buf[CRYPT_KE_PUBLIC_MAX];
		BIGNUM *p = prime_of(groups[i]);

		if (!p)
			continue;
		/* RFC 3526: 64 ones, the digits of pi, 64 ones */
		BN_bn2binpad(p, buf, n);
		assert_memory_equal(buf, "\xff\xff\xff\xff\xff\xff\xff\xff\xc9\x0f\xda\xa2", 12);
		assert_memory_equal(buf + n - 8, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
		refused(groups[i], slice_of(buf, (size_t)n)); /* p */
		BN_sub_word(p, 1);
		BN_bn2binpad(p, buf, n);
		refused(groups[i], slice_of(buf, (size_t)n)); /* p - 1 */
		BN_add_word(p, 2);
		BN_bn2binpad(p, buf, n);
		refused(groups[i], slice_of(buf, (size_t)n)); /* p + 1 */
		memset(buf, 0xff, sizeof(buf));
		refused(groups[i], slice_of(buf, (size_t)n));
		memset(buf, 0, sizeof(buf));
		buf[n - 1] = 1;
		refused(groups[i], slice_of(buf, (size_t)n));
		BN_free(p);
	}
}

/* RFC 6989 2.3: coordinates below p, on the curve */
static void test_off_curve(void **state)
{
	(void)state;
	for (int i = 0; i < N_GROUPS; i++) {
		size_t n = ke_public_len(groups[i]);
		struct ke *good = ke_new(groups[i]);
		uint8_t buf[CRYPT_KE_PUBLIC_MAX];

		if (!is_ec(good->alg)) {
			ke_free(good);
			continue;
		}

		for (size_t at = 0; at < n; at += n / 6) {
			memcpy(buf, ke_public(good).p, n);
			buf[at] ^= 1;
			refused(groups[i], slice_of(buf, n));
		}
		memset(buf, 0xff, n);
		refused(groups[i], slice_of(buf, n));
		ke_free(good);
	}
	/* (0, sqrt(b)) of P-256 with x + p instead of x: on the curve but for the range */
	refused(KE_ECP_256,
		HEX("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"
		    "66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4"));
}

/* RFC 7748 6.1: points of small order, whose result is zero. */
static void test_small_order(void **state)
{
	static const char *const points[] = {
	    "0000000000000000000000000000000000000000000000000000000000000000",
	    "0100000000000000000000000000000000000000000000000000000000000000",
	    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
	    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};
	uint8_t buf[56];

	(void)state;
	for (size_t i = 0; i < sizeof(points) / sizeof(*points); i++)
		refused(KE_CURVE25519, hex_bytes(points[i], buf, sizeof(buf)));
	/* RFC 7748 6.2: 0, 1, p - 1, p and p + 1 with p = 2^448 - 2^224 - 1 */
	memset(buf, 0, sizeof(buf));
	refused(KE_CURVE448, slice_of(buf, 56));
	buf[0] = 1;
	refused(KE_CURVE448, slice_of(buf, 56));
	memset(buf, 0xff, sizeof(buf));
	buf[28] = 0xfe;
	refused(KE_CURVE448, slice_of(buf, 56));
	buf[0] = 0xfe;
	refused(KE_CURVE448, slice_of(buf, 56));
	memset(buf, 0, 28);
	buf[28] = 0xff;
	refused(KE_CURVE448, slice_of(buf, 56));
}

static void known(uint16_t group, struct slice priv, struct slice peer, struct slice want)
{
	struct ke *k = ke_of_private(group, priv);
	struct secret s = {0};

	assert_int_equal(ke_shared(k, peer, &s), 0);
	assert_int_equal(s.n, want.n);
	assert_memory_equal(s.p, want.p, want.n);
	secret_free(&s);
	ke_free(k);
}

static void test_rfc_vectors(void **state)
{
	(void)state;
	/* RFC 7748 5.2 and 6.1 */
	known(KE_CURVE25519,
	      HEX("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
	      HEX("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"),
	      HEX("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"));
	known(KE_CURVE25519,
	      HEX("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"),
	      HEX("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"),
	      HEX("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"));
	/* RFC 5903 8.1 */
	known(KE_ECP_256, HEX("c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433"),
	      HEX("d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"
		  "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab"),
	      HEX("d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de"));
	/* RFC 5903 8.2 */
	known(KE_ECP_384,
	      HEX("099f3c7034d4a2c699884d73a375a67f7624ef7c6b3c0f160647b67414dce655e35b538041e649ee"
		  "3faef896783ab194"),
	      HEX("e558dbef53eecde3d3fccfc1aea08a89a987475d12fd950d83cfa41732bc509d0d1ac43a0336def9"
		  "6fda41d0774a3571"
		  "dcfbec7aacf3196472169e838430367f66eebe3c6e70c416dd5f0c68759dd1fff83fa40142209dff"
		  "5eaad96db9e6386c"),
	      HEX("11187331c279962d93d604243fd592cb9d0a926f422e47187521287e7156c5c4d603135569b9e9d0"
		  "9cf5d4a270f59746"));
	/* RFC 5903 8.3 */
	known(KE_ECP_521,
	      HEX("0113f82da825735e3d97276683b2b74277bad27335ea71664af2430cc4f33459b9669ee78b3ffb9b"
		  "8683015d344dcbfef6fb9af4c6c470be254516cd3c1a1fb47362"),
	      HEX("010ebfafc6e85e08d24bfffcc1a4511db0e634beeb1b6dec8c5939ae44766201af6200430ba97c8a"
		  "c6a0e9f08b33ce7e9feeb5ba4ee5e0d81510c24295b8a08d0235"
		  "00a4a6ec300df9e257b0372b5e7abfef093436719a77887ebb0b18cf8099b9f4212b6e30a1419c18"
		  "e029d36863cc9d448f4dba4d2a0e60711be572915fbd4fef2695"),
	      HEX("00cdea89621cfa46b132f9e4cfe2261cde2d4368eb5656634c7cc98c7a00cde54ed1866a0dd3e612"
		  "6c9d2f845daff82ceb1da08f5d87521bb0ebeca77911169c20cc"));
	/* RFC 7748 6.2 */
	known(KE_CURVE448,
	      HEX("9a8f4925d1519f5775cf46b04b5800d4ee9ee8bae8bc5565d498c28dd9c9baf574a9419744897391"
		  "006382a6f127ab1d9ac2d8c0a598726b"),
	      HEX("3eb7a829b0cd20f5bcfc0b599b6feccf6da4627107bdb0d4f345b43027d8b972fc3e34fb4232a13c"
		  "a706dcb57aec3dae07bdc1c67bf33609"),
	      HEX("07fff4181ac6cc95ec1c16a94a0f74d12da232ce40a77552281d282bb60c0b56fd2464c335543936"
		  "521c24403085d59a449a5037514a879d"));
}

/* The private values of both sides, one behind the other, and what each must come to. */
static void known_pair(uint16_t group, const json_t *t)
{
	struct slice seed = vector_bytes(t, "seed"), shared = vector_bytes(t, "shared");
	struct slice i = vector_bytes(t, "pub_i"), r = vector_bytes(t, "pub_r");

	known(group, slice_of(seed.p, seed.n / 2), r, shared);
	known(group, slice_of(seed.p + seed.n / 2, seed.n / 2), i, shared);
}

static void test_vectors_of_others(void **state)
{
	static const char *const files[] = {"ecp.c", "ecpbp.c", "modp.c", "curve448.c"};
	json_t *root = vectors_load("strongswan_test_vectors.json"), *t;
	unsigned int done = 0;
	size_t i;

	(void)state;
	for (size_t f = 0; f < sizeof(files) / sizeof(*files); f++) {
		json_t *file = json_object_get(json_object_get(root, "files"), files[f]);

		json_array_foreach(json_object_get(file, "vectors"), i, t)
		{
			char name[32];
			const struct alg *a;

			snprintf(name, sizeof(name), "%s",
				 json_string_value(json_object_get(t, "name")));
			name[strcspn(name, "_")] = '\0';
			a = alg_by_name(name, IKE_T_KE);
			assert_non_null(a);
			known_pair(a->id, t);
			done++;
		}
	}
	json_decref(root);
	if (!done)
		skip();
	assert_int_equal(done, 18);
}

/* Result of one vector: shared secret as given, or -EINVAL; forms that IKE does not have are
 * refused too. */
static void wycheproof_one(uint16_t group, const json_t *t, bool point)
{
	struct slice pub = vector_bytes(t, "public"), priv = vector_bytes(t, "private");
	struct slice want = vector_bytes(t, "shared");
	const char *result = json_string_value(json_object_get(t, "result"));
	size_t n = ke_public_len(group);
	bool whole = !point && pub.n == n;
	struct ke *k = ke_of_private(group, priv);
	struct secret s = {0};
	int r;

	if (point && pub.n == n + 1 && pub.p[0] == EC_UNCOMPRESSED) {
		pub = slice_of(pub.p + 1, n);
		whole = true;
	}
	r = ke_shared(k, pub, &s);
	if (!whole || !strcmp(result, "invalid") || all_zero(want.p, want.n)) {
		assert_int_equal(r, -EINVAL);
	} else {
		assert_int_equal(r, 0);
		assert_int_equal(s.n, want.n);
		assert_memory_equal(s.p, want.p, want.n);
	}
	secret_free(&s);
	ke_free(k);
}

static void test_wycheproof(void **state)
{
	static const struct {
		const char *file;
		uint16_t group;
	} files[] = {
	    {"wycheproof/x25519_test.json", KE_CURVE25519},
	    {"wycheproof/ecdh_secp256r1_ecpoint_test.json", KE_ECP_256},
	    {"wycheproof/ecdh_secp384r1_ecpoint_test.json", KE_ECP_384},
	    {"wycheproof/ecdh_secp521r1_ecpoint_test.json", KE_ECP_521},
	    {"wycheproof/x448_test.json", KE_CURVE448},
	};
	unsigned int done = 0;

	(void)state;
	for (size_t f = 0; f < sizeof(files) / sizeof(*files); f++) {
		json_t *root = vectors_load(files[f].file), *g, *t;
		size_t i, j;

		json_array_foreach(json_object_get(root, "testGroups"), i, g)
		{
			json_array_foreach(json_object_get(g, "tests"), j, t)
			{
				wycheproof_one(files[f].group, t,
					       is_ec(group_find(files[f].group)));
				done++;
			}
		}
		json_decref(root);
	}
	if (!done)
		skip();
	assert_true(done > 500);
}

static void test_unknown_group(void **state)
{
	static const uint16_t ids[] = {KE_NONE, 3, 22, 23, 24, 99, 0xffff};

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		assert_false(ke_supported(ids[i]));
		assert_int_equal(ke_public_len(ids[i]), 0);
		errno = 0;
		assert_null(ke_new(ids[i]));
		assert_int_equal(errno, ENOTSUP);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_agree),
	    cmocka_unit_test(test_leading_zero),
	    cmocka_unit_test(test_modp_padding),
	    cmocka_unit_test(test_wrong_length),
	    cmocka_unit_test(test_modp_range),
	    cmocka_unit_test(test_off_curve),
	    cmocka_unit_test(test_small_order),
	    cmocka_unit_test(test_rfc_vectors),
	    cmocka_unit_test(test_vectors_of_others),
	    cmocka_unit_test(test_wycheproof),
	    cmocka_unit_test(test_unknown_group),
	};

	crypt_legacy();
	return cmocka_run_group_tests_name("ke", tests, NULL, NULL);
}
