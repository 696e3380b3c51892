// SPDX-License-Identifier: BSD-2-Clause
#include "agent/conf/conf.h"
#include "agent/crypt/alg.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define IKE	 IKE_PROTO_IKE
#define ESP	 IKE_PROTO_ESP

static void good(void **state)
{
	static const struct {
		enum ike_proto proto;
		const char *text, *shown; /* by proposal_str */
	} t[] = {
	    {IKE, "aes128gcm16-prfsha256-x25519", "AES_GCM_16_128/PRF_HMAC_SHA2_256/CURVE_25519"},
	    {IKE, "AES128GCM16-PRFSHA256-X25519", "AES_GCM_16_128/PRF_HMAC_SHA2_256/CURVE_25519"},
	    {IKE, "x25519-prfsha256-aes128gcm16", "CURVE_25519/PRF_HMAC_SHA2_256/AES_GCM_16_128"},
	    {IKE, "aes256gcm16-prfsha384-ecp384-modp3072",
	     "AES_GCM_16_256/PRF_HMAC_SHA2_384/ECP_384/MODP_3072"},
	    /* the PRF comes from the hash for integrity ... */
	    {IKE, "aes256-sha256-x25519",
	     "AES_CBC_256/HMAC_SHA2_256_128/CURVE_25519/PRF_HMAC_SHA2_256"},
	    {IKE, "aes256-sha256-sha512-x25519",
	     "AES_CBC_256/HMAC_SHA2_256_128/HMAC_SHA2_512_256/"
	     "CURVE_25519/PRF_HMAC_SHA2_256/PRF_HMAC_SHA2_512"},
	    /* ... unless it is given ... */
	    {IKE, "aes256-sha256-prfsha512-x25519",
	     "AES_CBC_256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_512/CURVE_25519"},
	    /* ... and a hash beside an AEAD can only mean it ... */
	    {IKE, "aes256gcm16-sha384-ecp384", "AES_GCM_16_256/ECP_384/PRF_HMAC_SHA2_384"},
	    {IKE, "aes256gcm16-sha384-prfsha256-ecp384",
	     "AES_GCM_16_256/PRF_HMAC_SHA2_256/ECP_384"},
	    /* ... or there is a set of them. */
	    {IKE, "aes256gcm16-ecp384",
	     "AES_GCM_16_256/ECP_384/PRF_HMAC_SHA2_256/PRF_HMAC_SHA2_384/PRF_HMAC_SHA2_512"},
	    {IKE, "aes128-aes128-aes-sha256-x25519-curve25519",
	     "AES_CBC_128/HMAC_SHA2_256_128/CURVE_25519/PRF_HMAC_SHA2_256"},
	    {ESP, "aes128gcm16", "AES_GCM_16_128/NO_EXT_SEQ"},
	    {ESP, "aes128gcm16-esn", "AES_GCM_16_128/EXT_SEQ"},
	    {ESP, "aes128gcm16-esn-noesn", "AES_GCM_16_128/EXT_SEQ/NO_EXT_SEQ"},
	    {ESP, "aes256-sha256", "AES_CBC_256/HMAC_SHA2_256_128/NO_EXT_SEQ"},
	    {ESP, "aes128gcm16-aes256gcm16-x25519",
	     "AES_GCM_16_128/AES_GCM_16_256/CURVE_25519/NO_EXT_SEQ"},
	    {ESP, "aes128ccm12-aes256gcm8-chacha20poly1305",
	     "AES_CCM_12_128/AES_GCM_8_256/CHACHA20_POLY1305/NO_EXT_SEQ"},
	    {ESP, "aes128ctr-null-aesxcbc-aescmac-sha1",
	     "AES_CTR_128/NULL/AES_XCBC_96/AES_CMAC_96/HMAC_SHA1_96/NO_EXT_SEQ"},
	    {ESP, "aes256gmac-x448-ecp256bp-ecp192-modp8192-modpnone",
	     "NULL_AES_GMAC_256/CURVE_448/ECP_256_BP/ECP_192/MODP_8192/NONE/NO_EXT_SEQ"},
	    {ESP, "aes128gcm16-x25519-none", "AES_GCM_16_128/CURVE_25519/NONE/NO_EXT_SEQ"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		struct proposals p = {0};
		char err[256] = "", buf[512];

		if (conf_proposal(t[i].text, t[i].proto, &p, err, sizeof(err)) < 0)
			fail_msg("%s: %s", t[i].text, err);
		assert_int_equal(p.n, 1);
		assert_int_equal(p.p[0].number, 1);
		assert_int_equal(p.p[0].proto, t[i].proto);
		assert_string_equal(proposal_str(&p.p[0], buf, sizeof(buf)), t[i].shown);
	}
}

static void bad(void **state)
{
	static const struct {
		enum ike_proto proto;
		const char *text, *want;
	} t[] = {
	    {IKE, "", "an encryption algorithm such as aes128gcm16 is missing"},
	    {IKE, "-", "an encryption algorithm such as aes128gcm16 is missing"},
	    {IKE, "sha256-x25519", "an encryption algorithm such as aes128gcm16 is missing"},
	    {IKE, "aes128gcm16-prfsha256", "a key exchange such as x25519 is missing"},
	    {IKE, "aes256-sha256", "a key exchange such as x25519 is missing"},
	    {IKE, "aes256-x25519", "'aes256' needs an integrity algorithm such as sha256"},
	    {IKE, "aes256-prfsha256-x25519",
	     "'aes256' needs an integrity algorithm such as sha256"},
	    {IKE, "aes128gcm16-aes256-sha256-x25519",
	     "'aes128gcm16' and 'aes256' cannot stand in one proposal"},
	    {IKE, "aes256-aes128gcm16-sha256-x25519",
	     "'aes128gcm16' and 'aes256' cannot stand in one proposal"},
	    {IKE, "aes128gcm16-prfsha256-x25519-esn", "'esn' cannot be used for IKE"},
	    {IKE, "aes128gcm16-prfsha256-none", "'none' cannot be used for IKE"},
	    {IKE, "aes129gcm16-x25519",
	     "'aes129gcm16' is not a known algorithm; did you mean 'aes128gcm16'?"},
	    {IKE, "aes128gcm16-prfsha256-x25518",
	     "'x25518' is not a known algorithm; did you mean 'x25519'?"},
	    {IKE, "aes128gcm16-prfsha256-whatever", "'whatever' is not a known algorithm"},
	    {IKE, "aes128gcm16 - x25519",
	     "'aes128gcm16 ' is not a known algorithm; did you mean 'aes128gcm16'?"},
	    {IKE, "aes128gcm16-a_keyword_that_is_longer_than_all_others",
	     "'a_keyword_that_is_longer_than_all_others' is not a known algorithm"},
	    {ESP, "aes256", "'aes256' needs an integrity algorithm such as sha256"},
	    {ESP, "sha256", "an encryption algorithm such as aes128gcm16 is missing"},
	    {ESP, "aes128gcm16-sha256",
	     "'aes128gcm16' protects integrity itself and excludes 'sha256'"},
	    {ESP, "aes128gcm16-aes128-sha256",
	     "'aes128gcm16' and 'aes128' cannot stand in one proposal"},
	    {ESP, "aes128gcm16-prfsha256", "'prfsha256' cannot be used for ESP"},
	    {ESP, "3des-sha1", "'3des' is too weak to be used"},
	    {IKE, "aes128-md5-x25519", "'md5' is too weak to be used"},
	    {ESP, "aes128-sha256_96", "'sha256_96' cannot be negotiated"},
	    {IKE, "aes128gmac-prfsha256-x25519", "'aes128gmac' cannot be used for IKE"},
	    {IKE, "null-sha256-x25519", "'null' cannot be used for IKE"},
	};
	struct proposals p = {0};
	char err[256], big[600];

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		if (conf_proposal(t[i].text, t[i].proto, &p, err, sizeof(err)) != -EINVAL)
			fail_msg("accepted: %s", t[i].text);
		assert_string_equal(err, t[i].want);
		assert_int_equal(p.n, 0);
	}
	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	assert_int_equal(conf_proposal(big, IKE, &p, err, sizeof(err)), -EINVAL);
	assert_string_equal(err, "a proposal longer than 511 bytes");
	/* The message may be cut, not the memory behind it. */
	assert_int_equal(conf_proposal("whatever", IKE, &p, err, 5), -EINVAL);
	assert_string_equal(err, "'wha");
}

static void many(void **state)
{
	struct proposals p = {0};
	char err[128];

	(void)state;
	for (int i = 0; i < IKE_PROPOSALS_MAX; i++) {
		assert_int_equal(conf_proposal("aes128gcm16", ESP, &p, err, sizeof(err)), 0);
		assert_int_equal(p.p[i].number, i + 1);
	}
	assert_int_equal(conf_proposal("aes128gcm16", ESP, &p, err, sizeof(err)), -EINVAL);
	assert_string_equal(err, "more than 16 proposals");
	p.n--;
	assert_int_equal(conf_proposal("default", ESP, &p, err, sizeof(err)), -EINVAL);
	assert_int_equal(p.n, IKE_PROPOSALS_MAX - 1);
}

/* RFC 8247 2.1-2.4 and RFC 8221 5 and 6: what must be in the defaults, and what must not. */
static void defaults(void **state)
{
	struct proposals ike = {0}, esp = {0};
	char err[128];

	(void)state;
	assert_int_equal(conf_proposal("default", IKE, &ike, err, sizeof(err)), 0);
	conf_proposals_default(ESP, &esp);
	assert_int_equal(ike.n, 2);
	assert_int_equal(esp.n, 2);
	for (unsigned int i = 0; i < 2; i++) {
		const struct proposal *p = &ike.p[i];

		assert_int_equal(p->number, i + 1);
		assert_true(proposal_has(p, IKE_T_PRF, PRF_HMAC_SHA2_256, 0));
		assert_true(proposal_has(p, IKE_T_PRF, PRF_HMAC_SHA2_512, 0));
		assert_true(proposal_has(p, IKE_T_KE, KE_MODP_2048, 0));
		assert_true(proposal_has(p, IKE_T_KE, KE_ECP_256, 0));
		assert_int_equal(proposal_find(p, IKE_T_KE)->id, KE_CURVE25519);
		assert_true(proposal_has(&esp.p[i], IKE_T_ESN, ESN_NO, 0));
		assert_false(proposal_has(&esp.p[i], IKE_T_ESN, ESN_YES, 0));
		assert_null(proposal_find(&esp.p[i], IKE_T_KE));
		for (unsigned int j = 0; j < p->n; j++)
			assert_non_null(alg_find(p->t[j].type, p->t[j].id, p->t[j].key_bits));
	}
	assert_true(proposal_has(&ike.p[0], IKE_T_ENCR, ENCR_AES_GCM_16, 256));
	assert_true(proposal_has(&ike.p[0], IKE_T_ENCR, ENCR_AES_GCM_16, 128));
	assert_null(proposal_find(&ike.p[0], IKE_T_INTEG));
	assert_true(proposal_has(&ike.p[1], IKE_T_ENCR, ENCR_AES_CBC, 256));
	assert_true(proposal_has(&ike.p[1], IKE_T_INTEG, AUTH_HMAC_SHA2_256_128, 0));
	assert_true(proposal_has(&esp.p[0], IKE_T_ENCR, ENCR_AES_GCM_16, 128));
	assert_null(proposal_find(&esp.p[0], IKE_T_INTEG));
	assert_true(proposal_has(&esp.p[1], IKE_T_ENCR, ENCR_AES_CBC, 128));
	assert_true(proposal_has(&esp.p[1], IKE_T_INTEG, AUTH_HMAC_SHA2_256_128, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good),
	    cmocka_unit_test(bad),
	    cmocka_unit_test(many),
	    cmocka_unit_test(defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
