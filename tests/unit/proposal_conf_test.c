// SPDX-License-Identifier: BSD-2-Clause
#include "agent/conf/conf.h"
#include "agent/crypt/crypt.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define IKE	 IKE_PROTO_IKE
#define ESP	 IKE_PROTO_ESP
#define AH	 IKE_PROTO_AH

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
	    {AH, "sha256", "HMAC_SHA2_256_128/NO_EXT_SEQ"},
	    {AH, "default", "HMAC_SHA2_256_128/HMAC_SHA2_384_192/HMAC_SHA2_512_256/NO_EXT_SEQ"},
	    {AH, "sha512-sha384-sha1-aesxcbc-aescmac-x25519-esn-noesn",
	     "HMAC_SHA2_512_256/HMAC_SHA2_384_192/HMAC_SHA1_96/AES_XCBC_96/AES_CMAC_96/CURVE_25519/EXT_SEQ/"
	     "NO_EXT_SEQ"},
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

#define WEAK " is too weak to be used unless xdpsec.conf says legacy = yes in section ike"

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
	    {AH, "x25519", "an integrity algorithm such as sha256 is missing"},
	    {AH, "aes128-sha256", "'aes128' cannot be used for AH"},
	    {AH, "null-sha256", "'null' cannot be used for AH"},
	    {AH, "sha256-prfsha256", "'prfsha256' cannot be used for AH"},
	    {AH, "aes128gcm16", "'aes128gcm16' cannot be used for AH"},
	    {AH, "aes128gmac", "no engine can do AH with 'aes128gmac'"},
	    {AH, "aes256gmac-x25519", "no engine can do AH with 'aes256gmac'"},
	    {AH, "md5", "'md5'" WEAK},
	    {AH, "sha265", "'sha265' is not a known algorithm; did you mean 'sha256'?"},
	    {ESP, "3des-sha1", "'3des'" WEAK},
	    {ESP, "blowfish256-sha1", "'blowfish256'" WEAK},
	    {ESP, "cast128-sha1", "'cast128'" WEAK},
	    {IKE, "aes128-md5-x25519", "'md5'" WEAK},
	    {IKE, "aes128gcm16-prfmd5-x25519", "'prfmd5'" WEAK},
	    {IKE, "aes128gcm16-prfsha1-modp1536", "'modp1536'" WEAK},
	    {IKE, "aes128gcm16-prfsha1-modp1024", "'modp1024'" WEAK},
	    {ESP, "aes128gcm16-modp768", "'modp768'" WEAK},
	    {ESP, "aes128-sha256_96",
	     "'sha256_96' cannot be negotiated: write sha256, and sha256_96 = yes in the child"},
	    {ESP, "null", "'null' needs an integrity algorithm such as sha256"},
	    {ESP, "aes128ctr", "'aes128ctr' needs an integrity algorithm such as sha256"},
	    {ESP, "aes128gmac-sha256",
	     "'aes128gmac' protects integrity itself and excludes 'sha256'"},
	    {IKE, "aes128ccm16-aes128-sha256-x25519",
	     "'aes128ccm16' and 'aes128' cannot stand in one proposal"},
	    {IKE, "aes128gcm16-prfsha256-modp1024s160", "'modp1024s160' is not a known algorithm"},
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
	assert_true(proposal_has(&ike.p[0], IKE_T_ENCR, ENCR_CHACHA20_POLY1305, 0));
	assert_true(proposal_has(&esp.p[0], IKE_T_ENCR, ENCR_CHACHA20_POLY1305, 0));
	assert_null(proposal_find(&ike.p[0], IKE_T_INTEG));
	assert_true(proposal_has(&ike.p[1], IKE_T_ENCR, ENCR_AES_CBC, 256));
	assert_true(proposal_has(&ike.p[1], IKE_T_INTEG, AUTH_HMAC_SHA2_256_128, 0));
	assert_true(proposal_has(&esp.p[0], IKE_T_ENCR, ENCR_AES_GCM_16, 128));
	assert_null(proposal_find(&esp.p[0], IKE_T_INTEG));
	assert_true(proposal_has(&esp.p[1], IKE_T_ENCR, ENCR_AES_CBC, 128));
	assert_true(proposal_has(&esp.p[1], IKE_T_INTEG, AUTH_HMAC_SHA2_256_128, 0));
}

/* With the switch they are read as all others are, but for what OpenSSL does not have. */
static void legacy(void **state)
{
	static const struct {
		enum ike_proto proto;
		const char *text, *want;
	} t[] = {
	    {IKE, "3des-md5-modp1024", "3DES_CBC/HMAC_MD5_96/MODP_1024/PRF_HMAC_MD5"},
	    {IKE, "aes128gcm16-prfmd5-modp768-modp1536",
	     "AES_GCM_16_128/PRF_HMAC_MD5/MODP_768/MODP_1536"},
	    {ESP, "3des-md5", "3DES_CBC/HMAC_MD5_96/NO_EXT_SEQ"},
	    {ESP, "blowfish-blowfish192-blowfish256-cast128-sha1",
	     "BLOWFISH_CBC_128/BLOWFISH_CBC_192/BLOWFISH_CBC_256/CAST_CBC_128/"
	     "HMAC_SHA1_96/NO_EXT_SEQ"},
	};
	char err[256] = "", buf[512];

	(void)state;
	assert_false(crypt_legacy_on());
	crypt_legacy();
	assert_true(crypt_legacy_on());
	for (size_t i = 0; i < COUNT(t); i++) {
		struct proposals p = {0};

		if (conf_proposal(t[i].text, t[i].proto, &p, err, sizeof(err))) {
			assert_string_equal(err, "OpenSSL has no 'blowfish' here");
			continue;
		}
		assert_string_equal(proposal_str(&p.p[0], buf, sizeof(buf)), t[i].want);
		assert_non_null(proposal_legacy(&p.p[0], 0));
		assert_null(proposal_legacy(&p.p[0], 4));
	}
}

/* Every keyword that people write, once: the row it must give. */
static void vocabulary(void **state)
{
	static const struct {
		enum ike_proto proto;
		const char *words, *want;
	} t[] = {
	    {ESP, "aes128gcm8 aes128gcm64", "AES_GCM_8_128"},
	    {ESP, "aes192gcm12 aes192gcm96", "AES_GCM_12_192"},
	    {ESP, "aes256gcm16 aes256gcm128 aes256gcm", "AES_GCM_16_256"},
	    {ESP, "aes128ccm8 aes128ccm64", "AES_CCM_8_128"},
	    {ESP, "aes192ccm12 aes192ccm96", "AES_CCM_12_192"},
	    {ESP, "aes256ccm16 aes256ccm128 aes256ccm", "AES_CCM_16_256"},
	    {ESP, "chacha20poly1305", "CHACHA20_POLY1305"},
	    {ESP, "aes128gmac", "NULL_AES_GMAC_128"},
	    {ESP, "aes256gmac", "NULL_AES_GMAC_256"},
	    {ESP, "aes128ctr-sha1 aes128ctr-sha", "AES_CTR_128/HMAC_SHA1_96"},
	    {ESP, "aes-sha256 aes128-sha2_256", "AES_CBC_128/HMAC_SHA2_256_128"},
	    {ESP, "null-sha384 null-sha2_384", "NULL/HMAC_SHA2_384_192"},
	    {ESP, "aes192-aesxcbc", "AES_CBC_192/AES_XCBC_96"},
	    {ESP, "aes256-aescmac", "AES_CBC_256/AES_CMAC_96"},
	    {ESP, "aes128gcm16-none aes128gcm16-modpnone", "AES_GCM_16_128/NONE"},
	    {ESP, "aes128gcm16-x448 aes128gcm16-curve448", "AES_GCM_16_128/CURVE_448"},
	    {ESP, "aes128gcm16-curve25519", "AES_GCM_16_128/CURVE_25519"},
	    {ESP, "aes128gcm16-ecp224bp-ecp256bp-ecp384bp-ecp512bp",
	     "AES_GCM_16_128/ECP_224_BP/ECP_256_BP/ECP_384_BP/ECP_512_BP"},
	    {ESP, "aes128gcm16-ecp192-ecp224-ecp256-ecp384-ecp521",
	     "AES_GCM_16_128/ECP_192/ECP_224/ECP_256/ECP_384/ECP_521"},
	    {ESP, "aes128gcm16-modp2048-modp3072-modp4096-modp6144-modp8192",
	     "AES_GCM_16_128/MODP_2048/MODP_3072/MODP_4096/MODP_6144/MODP_8192"},
	    {IKE, "aes128gcm16-prfaesxcbc-x25519", "AES_GCM_16_128/PRF_AES128_XCBC/CURVE_25519"},
	    {IKE, "aes128gcm16-prfaescmac-x25519", "AES_GCM_16_128/PRF_AES128_CMAC/CURVE_25519"},
	    {IKE, "aes128gcm16-prfsha1-x25519", "AES_GCM_16_128/PRF_HMAC_SHA1/CURVE_25519"},
	    {IKE, "aes128-aesxcbc-x25519", "AES_CBC_128/AES_XCBC_96/CURVE_25519/PRF_AES128_XCBC"},
	    {IKE, "aes128-aescmac-x25519", "AES_CBC_128/AES_CMAC_96/CURVE_25519/PRF_AES128_CMAC"},
	    {IKE, "aes256ctr-sha256-x25519",
	     "AES_CTR_256/HMAC_SHA2_256_128/CURVE_25519/PRF_HMAC_SHA2_256"},
	    {IKE, "chacha20poly1305-sha512-x448", "CHACHA20_POLY1305/CURVE_448/PRF_HMAC_SHA2_512"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		char words[200], want[200], err[256], buf[512], *save = NULL;

		snprintf(words, sizeof(words), "%s", t[i].words);
		snprintf(want, sizeof(want), "%s%s", t[i].want,
			 t[i].proto == ESP ? "/NO_EXT_SEQ" : "");
		for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
			struct proposals p = {0};

			if (conf_proposal(w, t[i].proto, &p, err, sizeof(err)))
				fail_msg("%s: %s", w, err);
			assert_string_equal(proposal_str(&p.p[0], buf, sizeof(buf)), want);
			assert_null(proposal_legacy(&p.p[0], 0));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good),
	    cmocka_unit_test(bad),
	    cmocka_unit_test(many),
	    cmocka_unit_test(vocabulary),
	    cmocka_unit_test(defaults),
	    cmocka_unit_test(legacy), /* the last: there is no way back */
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
