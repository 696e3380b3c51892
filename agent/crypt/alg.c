/* SPDX-License-Identifier: BSD-2-Clause */
#include "alg.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define AES_GCM_16(bits, bytes)                                                                    \
	{                                                                                          \
		.type = IKE_T_ENCR, .id = ENCR_AES_GCM_16, .key_bits = bits,                       \
		.name = "aes" #bits "gcm16", .alias = "aes" #bits "gcm,aes" #bits "gcm128",        \
		.text = "AES_GCM_16_" #bits, .base = "AES_GCM_16", .openssl = "AES-" #bits "-GCM", \
		.key_len = bytes, .salt_len = 4, .iv_len = 8, .block = 1, .icv_len = 16,           \
		.aead = 1, .ike = 1, .esp = 1                                                      \
	}

#define AES_CBC(bits, bytes, also)                                                                 \
	{                                                                                          \
		.type = IKE_T_ENCR, .id = ENCR_AES_CBC, .key_bits = bits, .name = "aes" #bits,     \
		.alias = also, .text = "AES_CBC_" #bits, .base = "AES_CBC",                        \
		.openssl = "AES-" #bits "-CBC", .key_len = bytes, .iv_len = 16, .block = 16,       \
		.ike = 1, .esp = 1                                                                 \
	}

#define PRF_HMAC(id_, keyword, also, text_, digest, bytes)                                         \
	{                                                                                          \
		.type = IKE_T_PRF, .id = id_, .name = keyword, .alias = also, .text = text_,       \
		.base = text_, .family = "HMAC", .openssl = digest, .key_len = bytes,              \
		.out_len = bytes, .ike = 1                                                         \
	}

#define INTEG_HMAC(id_, keyword, also, text_, digest, bytes, icv)                                  \
	{                                                                                          \
		.type = IKE_T_INTEG, .id = id_, .name = keyword, .alias = also, .text = text_,     \
		.base = text_, .family = "HMAC", .openssl = digest, .key_len = bytes,              \
		.icv_len = icv, .out_len = bytes, .ike = 1, .esp = 1                               \
	}

#define KE_GROUP(id_, keyword, also, text_, family_, group, bytes, cheap_)                         \
	{                                                                                          \
		.type = IKE_T_KE, .id = id_, .name = keyword, .alias = also, .text = text_,        \
		.base = text_, .family = family_, .openssl = group, .out_len = bytes, .ike = 1,    \
		.esp = 1, .cheap = cheap_                                                          \
	}

static const struct alg table[] = {
    AES_GCM_16(128, 16),
    AES_GCM_16(192, 24),
    AES_GCM_16(256, 32),
    AES_CBC(128, 16, "aes"),
    AES_CBC(192, 24, NULL),
    AES_CBC(256, 32, NULL),

    PRF_HMAC(PRF_HMAC_SHA2_256, "prfsha256", "prfsha2_256", "PRF_HMAC_SHA2_256", "SHA256", 32),
    PRF_HMAC(PRF_HMAC_SHA2_384, "prfsha384", "prfsha2_384", "PRF_HMAC_SHA2_384", "SHA384", 48),
    PRF_HMAC(PRF_HMAC_SHA2_512, "prfsha512", "prfsha2_512", "PRF_HMAC_SHA2_512", "SHA512", 64),

    INTEG_HMAC(AUTH_HMAC_SHA2_256_128, "sha256", "sha2_256", "HMAC_SHA2_256_128", "SHA256", 32, 16),
    INTEG_HMAC(AUTH_HMAC_SHA2_384_192, "sha384", "sha2_384", "HMAC_SHA2_384_192", "SHA384", 48, 24),
    INTEG_HMAC(AUTH_HMAC_SHA2_512_256, "sha512", "sha2_512", "HMAC_SHA2_512_256", "SHA512", 64, 32),

    KE_GROUP(KE_CURVE25519, "x25519", "curve25519", "CURVE_25519", "X25519", NULL, 32, 1),
    KE_GROUP(KE_ECP_256, "ecp256", NULL, "ECP_256", "EC", "P-256", 64, 1),
    KE_GROUP(KE_ECP_384, "ecp384", NULL, "ECP_384", "EC", "P-384", 96, 0),
    KE_GROUP(KE_ECP_521, "ecp521", NULL, "ECP_521", "EC", "P-521", 132, 0),
    KE_GROUP(KE_MODP_2048, "modp2048", NULL, "MODP_2048", "DH", "modp_2048", 256, 0),
    KE_GROUP(KE_MODP_3072, "modp3072", NULL, "MODP_3072", "DH", "modp_3072", 384, 0),
    KE_GROUP(KE_MODP_4096, "modp4096", NULL, "MODP_4096", "DH", "modp_4096", 512, 0),
    {.type = IKE_T_KE, .id = KE_NONE, .name = "none", .text = "NONE", .base = "NONE", .esp = 1},

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

const char *proposal_str(const struct proposal *p, char *buf, size_t n)
{
	size_t at = 0;

	if (!n)
		return buf;
	buf[0] = '\0';
	for (unsigned int i = 0; i < p->n && i < IKE_TRANSFORMS_MAX && at < n; i++) {
		const struct transform *t = &p->t[i];
		const struct alg *a = alg_find(t->type, t->id, t->key_bits);
		const char *slash = at ? "/" : "";
		int r;

		if (t->type == IKE_T_INTEG && t->id == AUTH_NONE)
			continue; /* beside an AEAD it says nothing */
		if (a)
			r = snprintf(buf + at, n - at, "%s%s", slash, a->text);
		else
			r = snprintf(buf + at, n - at, "%s%u:%u", slash, t->type, t->id);
		at += r > 0 ? (size_t)r : 0;
	}
	return buf;
}
