/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/crypt/alg.h"
#include "agent/crypt/crypt.h"

#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_rows_are_sound(void **state)
{
	const struct alg *a;

	(void)state;
	for (unsigned int i = 0; (a = alg_at(i)); i++) {
		assert_int_equal(alg_index(a), i);
		assert_ptr_equal(alg_find(a->type, a->id, a->key_bits), a);
		assert_ptr_equal(alg_by_name(a->name, a->type), a);
		assert_ptr_equal(alg_by_name(a->name, 0), a);
		assert_non_null(a->text);
		assert_non_null(a->base);
		assert_true(a->ike || a->esp || a->variant);
		/* weak ones only after crypt_legacy() */
		assert_int_equal(crypt_available(a), !a->legacy);
		for (const char *c = a->name; *c; c++)
			assert_true(islower((unsigned char)*c) || isdigit((unsigned char)*c) ||
				    *c == '_');
		switch (a->type) {
		case IKE_T_ENCR:
			assert_true(a->block >= 1);
			if (a->key_bits)
				assert_int_equal(a->key_len * 8, a->key_bits);
			assert_int_equal(a->aead, a->icv_len != 0);
			assert_true(a->mode != ALG_NOT_A_CIPHER);
			assert_non_null(a->xfrm);
			/* a nonce of 12 bytes, 11 with CCM; CTR adds a counter */
			if (a->salt_len)
				assert_int_equal(a->salt_len, a->mode == ALG_CCM ? 3 : 4);
			break;
		case IKE_T_PRF:
			assert_int_equal(a->out_len, prf_len(a->id));
			assert_true(a->out_len <= CRYPT_PRF_MAX);
			break;
		case IKE_T_INTEG:
			assert_true(a->icv_len <= a->out_len);
			assert_non_null(a->xfrm);
			assert_non_null(a->cryptodev);
			if (!a->ike)
				break;
			assert_non_null(alg_prf_for(a));
			assert_string_equal(alg_prf_for(a)->openssl, a->openssl);
			break;
		case IKE_T_KE:
			assert_int_equal(ke_public_len(a->id), a->legacy ? 0 : a->out_len);
			assert_int_equal(ke_supported(a->id), a->id != KE_NONE && !a->legacy);
			break;
		}
	}
	assert_null(alg_at(1000));
}

static void test_keywords(void **state)
{
	static const struct {
		const char *keyword;
		unsigned int type, id, bits;
	} rows[] = {
	    {"aes", IKE_T_ENCR, ENCR_AES_CBC, 128},
	    {"aes128", IKE_T_ENCR, ENCR_AES_CBC, 128},
	    {"aes192", IKE_T_ENCR, ENCR_AES_CBC, 192},
	    {"aes256", IKE_T_ENCR, ENCR_AES_CBC, 256},
	    {"AES256", IKE_T_ENCR, ENCR_AES_CBC, 256},
	    {"aes128gcm", IKE_T_ENCR, ENCR_AES_GCM_16, 128},
	    {"aes128gcm16", IKE_T_ENCR, ENCR_AES_GCM_16, 128},
	    {"aes128gcm128", IKE_T_ENCR, ENCR_AES_GCM_16, 128},
	    {"aes192gcm16", IKE_T_ENCR, ENCR_AES_GCM_16, 192},
	    {"aes256gcm16", IKE_T_ENCR, ENCR_AES_GCM_16, 256},
	    {"aes256gcm", IKE_T_ENCR, ENCR_AES_GCM_16, 256},
	    {"sha256", IKE_T_INTEG, AUTH_HMAC_SHA2_256_128, 0},
	    {"sha2_256", IKE_T_INTEG, AUTH_HMAC_SHA2_256_128, 0},
	    {"sha384", IKE_T_INTEG, AUTH_HMAC_SHA2_384_192, 0},
	    {"sha2_512", IKE_T_INTEG, AUTH_HMAC_SHA2_512_256, 0},
	    {"prfsha256", IKE_T_PRF, PRF_HMAC_SHA2_256, 0},
	    {"prfsha384", IKE_T_PRF, PRF_HMAC_SHA2_384, 0},
	    {"prfsha512", IKE_T_PRF, PRF_HMAC_SHA2_512, 0},
	    {"x25519", IKE_T_KE, KE_CURVE25519, 0},
	    {"curve25519", IKE_T_KE, KE_CURVE25519, 0},
	    {"ecp256", IKE_T_KE, KE_ECP_256, 0},
	    {"ecp384", IKE_T_KE, KE_ECP_384, 0},
	    {"ecp521", IKE_T_KE, KE_ECP_521, 0},
	    {"modp2048", IKE_T_KE, KE_MODP_2048, 0},
	    {"modp3072", IKE_T_KE, KE_MODP_3072, 0},
	    {"modp4096", IKE_T_KE, KE_MODP_4096, 0},
	    {"none", IKE_T_KE, KE_NONE, 0},
	    {"esn", IKE_T_ESN, ESN_YES, 0},
	    {"noesn", IKE_T_ESN, ESN_NO, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct alg *a = alg_by_name(rows[i].keyword, 0);

		assert_non_null(a);
		assert_int_equal(a->type, rows[i].type);
		assert_int_equal(a->id, rows[i].id);
		assert_int_equal(a->key_bits, rows[i].bits);
	}
}

static void test_unknown(void **state)
{
	static const char *const words[] = {
	    "",	       "aes1",	  "aes128gcm1", "aes512",  "gcm",
	    "prf",     "modp",	  ",",		"md5,sha", "aes128gcm,aes128gcm128",
	    "x25519 ", "aes128-", "modp1025",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		assert_null(alg_by_name(words[i], 0));
	assert_null(alg_by_name("sha256", IKE_T_PRF));
	assert_null(alg_by_name("x25519", IKE_T_ENCR));
	/* RFC 7296 3.3.5: the Key Length attribute must be there for AES, and must not be for
	 * others */
	assert_null(alg_find(IKE_T_ENCR, ENCR_AES_CBC, 0));
	assert_null(alg_find(IKE_T_ENCR, ENCR_AES_CBC, 512));
	assert_null(alg_find(IKE_T_PRF, PRF_HMAC_SHA2_256, 256));
	assert_null(alg_find(IKE_T_ENCR, ENCR_3DES, 192));
	assert_null(alg_find(IKE_T_ENCR, ENCR_CHACHA20_POLY1305, 256));
	assert_null(alg_find(0, 0, 0));
	assert_null(alg_find(IKE_T_INTEG, AUTH_NONE, 0));
	assert_null(alg_find(IKE_T_ENCR, TRANSFORM_UNUSABLE, 0));
}

static void test_proposal_str(void **state)
{
	struct proposal p = {.proto = IKE_PROTO_IKE,
			     .n = 4,
			     .t = {{IKE_T_ENCR, ENCR_AES_GCM_16, 128},
				   {IKE_T_PRF, PRF_HMAC_SHA2_256, 0},
				   {IKE_T_INTEG, AUTH_NONE, 0},
				   {IKE_T_KE, KE_CURVE25519, 0}}};
	char buf[128];

	(void)state;
	assert_string_equal(proposal_str(&p, buf, sizeof(buf)),
			    "AES_GCM_16_128/PRF_HMAC_SHA2_256/CURVE_25519");
	assert_string_equal(proposal_str(&p, buf, 10), "AES_GCM_1");
	assert_string_equal(proposal_str(&p, buf, 1), "");
	p.t[1].id = 4242;
	assert_string_equal(proposal_str(&p, buf, sizeof(buf)),
			    "AES_GCM_16_128/2:4242/CURVE_25519");
	p.n = 0;
	assert_string_equal(proposal_str(&p, buf, sizeof(buf)), "");
}

static void test_ike_suite(void **state)
{
	static const struct {
		int want;
		unsigned int n;
		struct transform t[4];
	} rows[] = {
	    {0, 3, {{IKE_T_ENCR, ENCR_AES_GCM_16, 256}, {IKE_T_PRF, 7, 0}, {IKE_T_KE, 31, 0}}},
	    {0,
	     4,
	     {{IKE_T_ENCR, ENCR_AES_GCM_16, 256},
	      {IKE_T_PRF, 7, 0},
	      {IKE_T_KE, 31, 0},
	      {IKE_T_INTEG, 0, 0}}},
	    {0,
	     4,
	     {{IKE_T_ENCR, ENCR_AES_CBC, 128},
	      {IKE_T_PRF, 5, 0},
	      {IKE_T_KE, 14, 0},
	      {IKE_T_INTEG, 12, 0}}},
	    /* no ENCR, no PRF, no KE, KE none */
	    {-ENOTSUP, 3, {{IKE_T_INTEG, 12, 0}, {IKE_T_PRF, 7, 0}, {IKE_T_KE, 31, 0}}},
	    {-ENOTSUP, 2, {{IKE_T_ENCR, ENCR_AES_GCM_16, 256}, {IKE_T_KE, 31, 0}}},
	    {-ENOTSUP, 2, {{IKE_T_ENCR, ENCR_AES_GCM_16, 256}, {IKE_T_PRF, 7, 0}}},
	    {-ENOTSUP,
	     3,
	     {{IKE_T_ENCR, ENCR_AES_GCM_16, 256}, {IKE_T_PRF, 7, 0}, {IKE_T_KE, 0, 0}}},
	    /* AEAD with integrity, CBC without */
	    {-ENOTSUP,
	     4,
	     {{IKE_T_ENCR, ENCR_AES_GCM_16, 256},
	      {IKE_T_PRF, 7, 0},
	      {IKE_T_KE, 31, 0},
	      {IKE_T_INTEG, 12, 0}}},
	    {-ENOTSUP, 3, {{IKE_T_ENCR, ENCR_AES_CBC, 128}, {IKE_T_PRF, 7, 0}, {IKE_T_KE, 31, 0}}},
	    /* key length missing, unknown ids */
	    {-ENOTSUP, 3, {{IKE_T_ENCR, ENCR_AES_GCM_16, 0}, {IKE_T_PRF, 7, 0}, {IKE_T_KE, 31, 0}}},
	    {-ENOTSUP,
	     3,
	     {{IKE_T_ENCR, ENCR_AES_GCM_16, 128}, {IKE_T_PRF, 77, 0}, {IKE_T_KE, 31, 0}}},
	    {-ENOTSUP,
	     3,
	     {{IKE_T_ENCR, ENCR_AES_GCM_16, 128}, {IKE_T_PRF, 7, 0}, {IKE_T_KE, 1, 0}}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct proposal p = {.proto = IKE_PROTO_IKE, .n = (uint16_t)rows[i].n};
		struct ike_suite s;

		memcpy(p.t, rows[i].t, sizeof(rows[i].t));
		assert_int_equal(ike_suite_from(&p, &s), rows[i].want);
	}
}

static void test_child_suite(void **state)
{
	struct proposal p = {.proto = IKE_PROTO_ESP,
			     .n = 2,
			     .t = {{IKE_T_ENCR, ENCR_AES_GCM_16, 128}, {IKE_T_ESN, ESN_YES, 0}}};
	struct child_suite s;

	(void)state;
	assert_int_equal(child_suite_from(&p, &s), 0);
	assert_true(s.esn);
	assert_int_equal(s.ke, 0);
	p.t[1] = (struct transform){IKE_T_KE, KE_ECP_384, 0};
	assert_int_equal(child_suite_from(&p, &s), 0);
	assert_false(s.esn);
	assert_int_equal(s.ke, KE_ECP_384);
	p.t[1] = (struct transform){IKE_T_KE, KE_NONE, 0};
	assert_int_equal(child_suite_from(&p, &s), 0);
	p.t[1] = (struct transform){IKE_T_KE, 9999, 0};
	assert_int_equal(child_suite_from(&p, &s), -ENOTSUP);
	p.t[0] = (struct transform){IKE_T_ENCR, ENCR_AES_CBC, 128};
	p.t[1] = (struct transform){IKE_T_ESN, ESN_NO, 0};
	assert_int_equal(child_suite_from(&p, &s), -ENOTSUP);
	p.t[1] = (struct transform){IKE_T_INTEG, AUTH_HMAC_SHA2_512_256, 0};
	assert_int_equal(child_suite_from(&p, &s), 0);
	p.n = 0;
	assert_int_equal(child_suite_from(&p, &s), -ENOTSUP);
}

/* AH: integrity alone, which Linux has under the name and with the tag of the row. */
static void test_ah_suite(void **state)
{
	struct proposal p = {.proto = IKE_PROTO_AH,
			     .n = 2,
			     .t = {{IKE_T_INTEG, AUTH_HMAC_SHA2_384_192, 0}, {IKE_T_ESN, ESN_YES, 0}}};
	struct child_suite s;
	const struct alg *a;

	(void)state;
	assert_int_equal(child_suite_from(&p, &s), 0);
	assert_true(s.ah && s.esn);
	assert_int_equal(s.encr, 0);
	assert_int_equal(s.integ, AUTH_HMAC_SHA2_384_192);
	p.t[1] = (struct transform){IKE_T_ENCR, ENCR_AES_CBC, 128};
	assert_int_equal(child_suite_from(&p, &s), -ENOTSUP);
	p.n = 1;
	p.proto = IKE_PROTO_ESP;
	assert_int_equal(child_suite_from(&p, &s), -ENOTSUP);
	p.proto = IKE_PROTO_AH;
	p.t[0].id = AUTH_NONE;
	assert_int_equal(child_suite_from(&p, &s), -ENOTSUP);
	p.t[0].id = AUTH_HMAC_SHA2_256_96; /* an engine's, never negotiated */
	assert_int_equal(child_suite_from(&p, &s), -ENOTSUP);
	p.n = 0;
	assert_int_equal(child_suite_from(&p, &s), -ENOTSUP);
	for (unsigned int i = 0; (a = alg_at(i)); i++) {
		if (a->type != IKE_T_INTEG)
			continue;
		assert_non_null(a->xfrm);
		assert_true(a->icv_len && a->icv_len <= a->out_len && a->icv_len % 4 == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows_are_sound), cmocka_unit_test(test_keywords),
	    cmocka_unit_test(test_unknown),	   cmocka_unit_test(test_proposal_str),
	    cmocka_unit_test(test_ike_suite),	   cmocka_unit_test(test_child_suite),
	    cmocka_unit_test(test_ah_suite),
	};

	return cmocka_run_group_tests_name("alg", tests, NULL, NULL);
}
