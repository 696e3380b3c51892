/* SPDX-License-Identifier: BSD-2-Clause */
#include "alg.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#define AEAD(mode_, prefix, id_, bits, icv, icv_bits, also, base_, ssl, xfrm_, dev, salt)          \
	{                                                                                          \
		.type = IKE_T_ENCR, .mode = mode_, .id = id_, .key_bits = bits,                    \
		.name = "aes" #bits prefix #icv, .alias = also "aes" #bits prefix #icv_bits,       \
		.text = base_ "_" #bits, .base = base_, .openssl = "AES-" #bits ssl,               \
		.xfrm = xfrm_, .cryptodev = dev, .key_len = bits / 8, .salt_len = salt,            \
		.iv_len = 8, .block = 1, .icv_len = icv, .aead = 1, .ike = 1, .esp = 1             \
	}
#define GCM(bits, icv, icv_bits, also)                                                             \
	AEAD(ALG_GCM, "gcm", ENCR_AES_GCM_##icv, bits, icv, icv_bits, also, "AES_GCM_" #icv,       \
	     "-GCM", "rfc4106(gcm(aes))", "aes-gcm", 4)
#define CCM(bits, icv, icv_bits, also)                                                             \
	AEAD(ALG_CCM, "ccm", ENCR_AES_CCM_##icv, bits, icv, icv_bits, also, "AES_CCM_" #icv,       \
	     "-CCM", "rfc4309(ccm(aes))", "aes-ccm", 3)

/* RFC 4543 5.1: not for IKE, which has something to hide */
#define GMAC(bits)                                                                                 \
	{                                                                                          \
		.type = IKE_T_ENCR, .mode = ALG_GMAC, .id = ENCR_NULL_AUTH_AES_GMAC,               \
		.key_bits = bits, .name = "aes" #bits "gmac", .text = "NULL_AES_GMAC_" #bits,      \
		.base = "NULL_AES_GMAC", .openssl = "AES-" #bits "-GCM",                           \
		.xfrm = "rfc4543(gcm(aes))", .cryptodev = "aes-gmac", .key_len = bits / 8,         \
		.salt_len = 4, .iv_len = 8, .block = 1, .icv_len = 16, .aead = 1, .esp = 1         \
	}

#define AES_CBC(bits, also)                                                                        \
	{                                                                                          \
		.type = IKE_T_ENCR, .mode = ALG_CBC, .id = ENCR_AES_CBC, .key_bits = bits,         \
		.name = "aes" #bits, .alias = also, .text = "AES_CBC_" #bits, .base = "AES_CBC",   \
		.openssl = "AES-" #bits "-CBC", .xfrm = "cbc(aes)", .cryptodev = "aes-cbc",        \
		.key_len = bits / 8, .iv_len = 16, .block = 16, .ike = 1, .esp = 1                 \
	}

#define AES_CTR(bits)                                                                              \
	{                                                                                          \
		.type = IKE_T_ENCR, .mode = ALG_CTR, .id = ENCR_AES_CTR, .key_bits = bits,         \
		.name = "aes" #bits "ctr", .text = "AES_CTR_" #bits, .base = "AES_CTR",            \
		.openssl = "AES-" #bits "-CTR", .xfrm = "rfc3686(ctr(aes))",                       \
		.cryptodev = "aes-ctr", .key_len = bits / 8, .salt_len = 4, .iv_len = 8,           \
		.block = 1, .ike = 1, .esp = 1                                                     \
	}

/* Blocks of 64 bits: a birthday bound of a few GB (RFC 8247 2.1, RFC 8221 5). */
#define OLD_CBC(id_, bits, keyword, also, text_, base_, ssl, xfrm_, dev, bytes)                    \
	{                                                                                          \
		.type = IKE_T_ENCR, .mode = ALG_CBC, .id = id_, .key_bits = bits, .name = keyword, \
		.alias = also, .text = text_, .base = base_, .openssl = ssl, .xfrm = xfrm_,        \
		.cryptodev = dev, .key_len = bytes, .iv_len = 8, .block = 8, .ike = 1, .esp = 1,   \
		.legacy = 1                                                                        \
	}

#define PRF_MAC(id_, keyword, also, text_, family_, ssl, bytes, legacy_)                           \
	{                                                                                          \
		.type = IKE_T_PRF, .id = id_, .name = keyword, .alias = also, .text = text_,       \
		.base = text_, .family = family_, .openssl = ssl, .key_len = bytes,                \
		.out_len = bytes, .ike = 1, .legacy = legacy_                                      \
	}

#define INTEG(id_, keyword, also, text_, family_, ssl, xfrm_, dev, bytes, icv, ...)                \
	{                                                                                          \
		.type = IKE_T_INTEG, .id = id_, .name = keyword, .alias = also, .text = text_,     \
		.base = text_, .family = family_, .openssl = ssl, .xfrm = xfrm_, .cryptodev = dev, \
		.key_len = bytes, .icv_len = icv, .out_len = bytes, .ike = 1, .esp = 1,            \
		__VA_ARGS__                                                                        \
	}

#define KE_GROUP(id_, keyword, also, text_, family_, group, bytes, ...)                            \
	{                                                                                          \
		.type = IKE_T_KE, .id = id_, .name = keyword, .alias = also, .text = text_,        \
		.base = text_, .family = family_, .openssl = group, .out_len = bytes, .ike = 1,    \
		.esp = 1, __VA_ARGS__                                                              \
	}
#define MODP(bits, ssl, ...)                                                                       \
	KE_GROUP(KE_MODP_##bits, "modp" #bits, NULL, "MODP_" #bits, "DH", ssl, bits / 8,           \
		 __VA_ARGS__)

static const struct alg table[] = {
    GCM(128, 16, 128, "aes128gcm,"),
    GCM(192, 16, 128, "aes192gcm,"),
    GCM(256, 16, 128, "aes256gcm,"),
    GCM(128, 12, 96, ""),
    GCM(192, 12, 96, ""),
    GCM(256, 12, 96, ""),
    GCM(128, 8, 64, ""),
    GCM(192, 8, 64, ""),
    GCM(256, 8, 64, ""),
    CCM(128, 16, 128, "aes128ccm,"),
    CCM(192, 16, 128, "aes192ccm,"),
    CCM(256, 16, 128, "aes256ccm,"),
    CCM(128, 12, 96, ""),
    CCM(192, 12, 96, ""),
    CCM(256, 12, 96, ""),
    CCM(128, 8, 64, ""),
    CCM(192, 8, 64, ""),
    CCM(256, 8, 64, ""),
    {.type = IKE_T_ENCR,
     .mode = ALG_CHACHA20_POLY1305,
     .id = ENCR_CHACHA20_POLY1305,
     .name = "chacha20poly1305",
     .text = "CHACHA20_POLY1305",
     .base = "CHACHA20_POLY1305",
     .openssl = "ChaCha20-Poly1305",
     .xfrm = "rfc7539esp(chacha20,poly1305)",
     .cryptodev = "chacha20-poly1305",
     .key_len = 32,
     .salt_len = 4,
     .iv_len = 8,
     .block = 1,
     .icv_len = 16,
     .aead = 1,
     .ike = 1,
     .esp = 1},
    AES_CBC(128, "aes"),
    AES_CBC(192, NULL),
    AES_CBC(256, NULL),
    AES_CTR(128),
    AES_CTR(192),
    AES_CTR(256),
    GMAC(128),
    GMAC(192),
    GMAC(256),
    {.type = IKE_T_ENCR,
     .mode = ALG_NULL,
     .id = ENCR_NULL,
     .name = "null",
     .text = "NULL",
     .base = "NULL",
     .openssl = "NULL",
     .xfrm = "ecb(cipher_null)",
     .cryptodev = "null",
     .block = 1,
     .esp = 1},
    OLD_CBC(ENCR_3DES, 0, "3des", NULL, "3DES_CBC", "3DES_CBC", "DES-EDE3-CBC", "cbc(des3_ede)",
	    "3des-cbc", 24),
    OLD_CBC(ENCR_BLOWFISH, 128, "blowfish128", "blowfish", "BLOWFISH_CBC_128", "BLOWFISH_CBC",
	    "BF-CBC", "cbc(blowfish)", NULL, 16),
    OLD_CBC(ENCR_BLOWFISH, 192, "blowfish192", NULL, "BLOWFISH_CBC_192", "BLOWFISH_CBC", "BF-CBC",
	    "cbc(blowfish)", NULL, 24),
    OLD_CBC(ENCR_BLOWFISH, 256, "blowfish256", NULL, "BLOWFISH_CBC_256", "BLOWFISH_CBC", "BF-CBC",
	    "cbc(blowfish)", NULL, 32),
    OLD_CBC(ENCR_CAST, 128, "cast128", NULL, "CAST_CBC_128", "CAST_CBC", "CAST5-CBC", "cbc(cast5)",
	    NULL, 16),

    PRF_MAC(PRF_HMAC_SHA2_256, "prfsha256", "prfsha2_256", "PRF_HMAC_SHA2_256", "HMAC", "SHA256",
	    32, 0),
    PRF_MAC(PRF_HMAC_SHA2_384, "prfsha384", "prfsha2_384", "PRF_HMAC_SHA2_384", "HMAC", "SHA384",
	    48, 0),
    PRF_MAC(PRF_HMAC_SHA2_512, "prfsha512", "prfsha2_512", "PRF_HMAC_SHA2_512", "HMAC", "SHA512",
	    64, 0),
    PRF_MAC(PRF_HMAC_SHA1, "prfsha1", "prfsha", "PRF_HMAC_SHA1", "HMAC", "SHA1", 20, 0),
    PRF_MAC(PRF_AES128_XCBC, "prfaesxcbc", NULL, "PRF_AES128_XCBC", "XCBC", "AES-128-CBC", 16, 0),
    PRF_MAC(PRF_AES128_CMAC, "prfaescmac", NULL, "PRF_AES128_CMAC", "CMAC", "AES-128-CBC", 16, 0),
    PRF_MAC(PRF_HMAC_MD5, "prfmd5", NULL, "PRF_HMAC_MD5", "HMAC", "MD5", 16, 1),

    INTEG(AUTH_HMAC_SHA2_256_128, "sha256", "sha2_256", "HMAC_SHA2_256_128", "HMAC", "SHA256",
	  "hmac(sha256)", "sha2-256-hmac", 32, 16),
    INTEG(AUTH_HMAC_SHA2_384_192, "sha384", "sha2_384", "HMAC_SHA2_384_192", "HMAC", "SHA384",
	  "hmac(sha384)", "sha2-384-hmac", 48, 24),
    INTEG(AUTH_HMAC_SHA2_512_256, "sha512", "sha2_512", "HMAC_SHA2_512_256", "HMAC", "SHA512",
	  "hmac(sha512)", "sha2-512-hmac", 64, 32),
    INTEG(AUTH_HMAC_SHA1_96, "sha1", "sha", "HMAC_SHA1_96", "HMAC", "SHA1", "hmac(sha1)",
	  "sha1-hmac", 20, 12),
    INTEG(AUTH_HMAC_MD5_96, "md5", NULL, "HMAC_MD5_96", "HMAC", "MD5", "hmac(md5)", "md5-hmac", 16,
	  12, .legacy = 1),
    INTEG(AUTH_AES_XCBC_96, "aesxcbc", NULL, "AES_XCBC_96", "XCBC", "AES-128-CBC", "xcbc(aes)",
	  "aes-xcbc-mac", 16, 12),
    INTEG(AUTH_AES_CMAC_96, "aescmac", NULL, "AES_CMAC_96", "CMAC", "AES-128-CBC", "cmac(aes)",
	  "aes-cmac", 16, 12),
    {.type = IKE_T_INTEG,
     .id = AUTH_HMAC_SHA2_256_96,
     .name = "sha256_96",
     .alias = "sha2_256_96",
     .text = "HMAC_SHA2_256_96",
     .base = "HMAC_SHA2_256_96",
     .family = "HMAC",
     .openssl = "SHA256",
     .xfrm = "hmac(sha256)",
     .cryptodev = "sha2-256-hmac",
     .key_len = 32,
     .icv_len = 12,
     .out_len = 32,
     .esp = 1,
     .variant = 1},

    KE_GROUP(KE_CURVE25519, "x25519", "curve25519", "CURVE_25519", "X25519", NULL, 32, .cheap = 1),
    KE_GROUP(KE_CURVE448, "x448", "curve448", "CURVE_448", "X448", NULL, 56),
    KE_GROUP(KE_ECP_256, "ecp256", NULL, "ECP_256", "EC", "P-256", 64, .cheap = 1),
    KE_GROUP(KE_ECP_384, "ecp384", NULL, "ECP_384", "EC", "P-384", 96),
    KE_GROUP(KE_ECP_521, "ecp521", NULL, "ECP_521", "EC", "P-521", 132),
    KE_GROUP(KE_ECP_224, "ecp224", NULL, "ECP_224", "EC", "P-224", 56),
    KE_GROUP(KE_ECP_192, "ecp192", NULL, "ECP_192", "EC", "P-192", 48),
    KE_GROUP(KE_BRAINPOOL_256, "ecp256bp", NULL, "ECP_256_BP", "EC", "brainpoolP256r1", 64),
    KE_GROUP(KE_BRAINPOOL_384, "ecp384bp", NULL, "ECP_384_BP", "EC", "brainpoolP384r1", 96),
    KE_GROUP(KE_BRAINPOOL_512, "ecp512bp", NULL, "ECP_512_BP", "EC", "brainpoolP512r1", 128),
    KE_GROUP(KE_BRAINPOOL_224, "ecp224bp", NULL, "ECP_224_BP", "EC", "brainpoolP224r1", 56),
    MODP(2048, "modp_2048"),
    MODP(3072, "modp_3072"),
    MODP(4096, "modp_4096"),
    MODP(6144, "modp_6144"),
    MODP(8192, "modp_8192"),
    MODP(1536, "modp_1536", .legacy = 1),
    MODP(1024, "modp_1024", .legacy = 1),
    MODP(768, "modp_768", .legacy = 1),
    {.type = IKE_T_KE,
     .id = KE_NONE,
     .name = "none",
     .alias = "modpnone",
     .text = "NONE",
     .base = "NONE",
     .esp = 1},

    {.type = IKE_T_ESN,
     .id = ESN_NO,
     .name = "noesn",
     .text = "NO_EXT_SEQ",
     .base = "NO_EXT_SEQ",
     .esp = 1},
    {.type = IKE_T_ESN,
     .id = ESN_YES,
     .name = "esn",
     .text = "EXT_SEQ",
     .base = "EXT_SEQ",
     .esp = 1},
};

enum { N_ROWS = sizeof(table) / sizeof(*table) };
_Static_assert(sizeof(table) <= ALG_ROWS_MAX * sizeof(*table), "larger table: raise ALG_ROWS_MAX");

const struct alg *alg_at(unsigned int i)
{
	return i < N_ROWS ? &table[i] : NULL;
}

unsigned int alg_index(const struct alg *a)
{
	return (unsigned int)(a - table);
}

const struct alg *alg_find(unsigned int type, unsigned int id, unsigned int key_bits)
{
	for (unsigned int i = 0; i < N_ROWS; i++) {
		if (table[i].type == type && table[i].id == id && table[i].key_bits == key_bits)
			return &table[i];
	}
	return NULL;
}

/* Is keyword one of the words of a list separated by commas? */
static bool listed(const char *list, const char *keyword)
{
	size_t n = strlen(keyword);

	while (list) {
		size_t word = strcspn(list, ",");

		if (word == n && !strncasecmp(list, keyword, n))
			return true;
		list = list[word] ? list + word + 1 : NULL;
	}
	return false;
}

const struct alg *alg_by_name(const char *keyword, unsigned int type)
{
	if (!*keyword || strchr(keyword, ','))
		return NULL;
	for (unsigned int i = 0; i < N_ROWS; i++) {
		const struct alg *a = &table[i];

		if ((!type || a->type == type) &&
		    (!strcasecmp(a->name, keyword) || listed(a->alias, keyword)))
			return a;
	}
	return NULL;
}

const struct alg *alg_prf_for(const struct alg *integ)
{
	for (unsigned int i = 0; i < N_ROWS; i++) {
		const struct alg *a = &table[i];

		if (a->type == IKE_T_PRF && integ->family && !strcmp(a->family, integ->family) &&
		    !strcmp(a->openssl, integ->openssl))
			return a;
	}
	return NULL;
}
