/* SPDX-License-Identifier: BSD-2-Clause */
#include "crypto.h"
#include "ip.h"

#include "common/secret.h"
#include "common/xcbc.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <stdlib.h>

/*
 * The backend that is always there. One cipher context an SA, kept warm: only the IV is set anew for a
 * packet. The MAC context is keyed once and initialised again without a key.
 */
struct ossl_session {
	struct crypto_session base;
	enum crypto_dir dir;
	enum crypto_status (*one)(struct ossl_session *s, struct crypto_req *r);
	EVP_CIPHER_CTX *cipher;
	EVP_MAC_CTX *mac;
	struct xcbc *xcbc;
	uint8_t salt[CRYPTO_SALT_MAX];
};

/* ---- one packet ------------------------------------------------------------------------------ */

/* The library compares tags in constant time (CRYPTO_memcmp). */
static bool tag_expect(struct ossl_session *s, const struct crypto_req *r)
{
	return s->dir == CRYPTO_SEAL ||
	       EVP_CIPHER_CTX_ctrl(s->cipher, EVP_CTRL_AEAD_SET_TAG, s->base.suite->icv_len, r->esp + r->len);
}

static enum crypto_status tag_finish(struct ossl_session *s, struct crypto_req *r)
{
	uint8_t last[16];
	int n;

	if (s->dir == CRYPTO_OPEN)
		return EVP_CipherFinal_ex(s->cipher, last, &n) > 0 ? CRYPTO_OK : CRYPTO_BAD_TAG;
	if (!EVP_CipherFinal_ex(s->cipher, last, &n) ||
	    !EVP_CIPHER_CTX_ctrl(s->cipher, EVP_CTRL_AEAD_GET_TAG, s->base.suite->icv_len, r->esp + r->len))
		return CRYPTO_FAILED;
	return CRYPTO_OK;
}

/* GCM and ChaCha20-Poly1305 */
static enum crypto_status aead_one(struct ossl_session *s, struct crypto_req *r)
{
	const struct crypto_suite *suite = s->base.suite;
	uint8_t nonce[CRYPTO_IV_MAX], aad[CRYPTO_AAD_MAX], *payload = crypto_payload(suite, r);
	int n = (int)crypto_payload_len(suite, r), out;

	crypto_nonce(suite, s->salt, r, nonce);
	if (!EVP_CipherInit_ex(s->cipher, NULL, NULL, NULL, nonce, -1) ||
	    !EVP_CipherUpdate(s->cipher, NULL, &out, aad, (int)crypto_aad(s->base.esn, r, aad)) ||
	    !EVP_CipherUpdate(s->cipher, payload, &out, payload, n) || !tag_expect(s, r))
		return CRYPTO_FAILED;
	return tag_finish(s, r);
}

/* RFC 4543 3.3: header, IV and payload are all additional data, and nothing is encrypted. */
static enum crypto_status gmac_one(struct ossl_session *s, struct crypto_req *r)
{
	const struct crypto_suite *suite = s->base.suite;
	uint8_t nonce[CRYPTO_IV_MAX], aad[CRYPTO_AAD_MAX];
	int n = (int)(r->len - sizeof(struct esp_hdr)), out;

	crypto_nonce(suite, s->salt, r, nonce);
	if (!EVP_CipherInit_ex(s->cipher, NULL, NULL, NULL, nonce, -1) ||
	    !EVP_CipherUpdate(s->cipher, NULL, &out, aad, (int)crypto_aad(s->base.esn, r, aad)) ||
	    !EVP_CipherUpdate(s->cipher, NULL, &out, r->esp + sizeof(struct esp_hdr), n) || !tag_expect(s, r))
		return CRYPTO_FAILED;
	return tag_finish(s, r);
}

/* CCM wants tag and length before the data, and verifies while it decrypts. */
static enum crypto_status ccm_one(struct ossl_session *s, struct crypto_req *r)
{
	const struct crypto_suite *suite = s->base.suite;
	uint8_t nonce[CRYPTO_IV_MAX], aad[CRYPTO_AAD_MAX], *payload = crypto_payload(suite, r);
	int n = (int)crypto_payload_len(suite, r), out;

	crypto_nonce(suite, s->salt, r, nonce);
	if (!EVP_CipherInit_ex(s->cipher, NULL, NULL, NULL, nonce, -1) || !tag_expect(s, r) ||
	    !EVP_CipherUpdate(s->cipher, NULL, &out, NULL, n) ||
	    !EVP_CipherUpdate(s->cipher, NULL, &out, aad, (int)crypto_aad(s->base.esn, r, aad)))
		return CRYPTO_FAILED;
	if (EVP_CipherUpdate(s->cipher, payload, &out, payload, n) <= 0)
		return s->dir == CRYPTO_OPEN ? CRYPTO_BAD_TAG : CRYPTO_FAILED;
	return s->dir == CRYPTO_OPEN ? CRYPTO_OK : tag_finish(s, r);
}

/* RFC 4303 2.2.1: the high half takes part in the ICV though it is not sent. */
static bool mac_run(struct ossl_session *s, const struct crypto_req *r, uint8_t tag[CRYPTO_DIGEST_MAX])
{
	uint32_t hi = be32(r->seq_hi);
	size_t n;

	if (s->xcbc)
		return xcbc_start(s->xcbc) && xcbc_update(s->xcbc, r->esp, r->len) &&
		       (!s->base.esn || xcbc_update(s->xcbc, &hi, sizeof(hi))) && xcbc_final(s->xcbc, tag);
	return EVP_MAC_init(s->mac, NULL, 0, NULL) && EVP_MAC_update(s->mac, r->esp, r->len) &&
	       (!s->base.esn || EVP_MAC_update(s->mac, (uint8_t *)&hi, sizeof(hi))) &&
	       EVP_MAC_final(s->mac, tag, &n, CRYPTO_DIGEST_MAX);
}

static bool cipher_run(struct ossl_session *s, struct crypto_req *r)
{
	const struct crypto_suite *suite = s->base.suite;
	uint8_t nonce[CRYPTO_IV_MAX], *payload = crypto_payload(suite, r);
	int n = (int)crypto_payload_len(suite, r), out;

	if (suite->mode == ALG_NULL)
		return true;
	crypto_nonce(suite, s->salt, r, nonce);
	return EVP_CipherInit_ex(s->cipher, NULL, NULL, NULL, nonce, -1) &&
	       EVP_CipherUpdate(s->cipher, payload, &out, payload, n) && out == n;
}

/* A cipher and a MAC over header, IV and what the cipher made (RFC 4303 3.3.2) */
static enum crypto_status pair_one(struct ossl_session *s, struct crypto_req *r)
{
	const struct crypto_suite *suite = s->base.suite;
	uint8_t tag[CRYPTO_DIGEST_MAX];

	if (s->dir == CRYPTO_OPEN) {
		if (!mac_run(s, r, tag))
			return CRYPTO_FAILED;
		if (CRYPTO_memcmp(tag, r->esp + r->len, suite->icv_len))
			return CRYPTO_BAD_TAG;
	}
	if (!cipher_run(s, r))
		return CRYPTO_FAILED;
	if (s->dir == CRYPTO_SEAL) {
		if (!mac_run(s, r, tag))
			return CRYPTO_FAILED;
		memcpy(r->esp + r->len, tag, suite->icv_len);
	}
	return CRYPTO_OK;
}

static void ossl_run(struct crypto_session *base, struct crypto_req *req, unsigned int n)
{
	struct ossl_session *s = (struct ossl_session *)base;

	for (unsigned int i = 0; i < n; i++)
		req[i].status = s->one(s, &req[i]);
}

/* ---- sessions -------------------------------------------------------------------------------- */

/* Blowfish and CAST live in a provider that is not on by default: in a library context of its own, so that nothing
 * else of it can be met by name. */
static EVP_CIPHER *cipher_fetch(const struct alg *row)
{
	static OSSL_LIB_CTX *old;
	EVP_CIPHER *c;

	if (!row->legacy)
		return EVP_CIPHER_fetch(NULL, row->openssl, NULL);
	c = EVP_CIPHER_fetch(NULL, row->openssl, NULL);
	if (c)
		return c;
	if (!old) {
		old = OSSL_LIB_CTX_new();
		if (!old || !OSSL_PROVIDER_load(old, "legacy")) {
			OSSL_LIB_CTX_free(old);
			old = NULL;
			return NULL;
		}
	}
	return EVP_CIPHER_fetch(old, row->openssl, NULL);
}

static int cipher_open(struct ossl_session *s, const struct crypto_suite *suite, const uint8_t *key)
{
	int enc = s->dir == CRYPTO_SEAL;
	EVP_CIPHER *c;
	bool ok;

	if (suite->mode == ALG_NULL)
		return 0;
	c = cipher_fetch(suite->cipher);
	s->cipher = EVP_CIPHER_CTX_new();
	ok = c && s->cipher && EVP_CipherInit_ex(s->cipher, c, NULL, NULL, NULL, enc);
	if (ok && suite->mode == ALG_CCM) /* before the key */
		ok = EVP_CIPHER_CTX_ctrl(s->cipher, EVP_CTRL_AEAD_SET_IVLEN, suite->salt_len + suite->iv_len,
					 NULL) &&
		     EVP_CIPHER_CTX_ctrl(s->cipher, EVP_CTRL_AEAD_SET_TAG, suite->icv_len, NULL);
	ok = ok && EVP_CIPHER_CTX_set_key_length(s->cipher, suite->key_len) > 0 &&
	     EVP_CipherInit_ex(s->cipher, NULL, NULL, key, NULL, enc) &&
	     EVP_CIPHER_CTX_set_padding(s->cipher, 0);
	EVP_CIPHER_free(c);
	return ok ? 0 : -ENOTSUP;
}

static int mac_open(struct ossl_session *s, const struct crypto_suite *suite, const uint8_t *key)
{
	const struct alg *row = suite->mac;
	OSSL_PARAM params[2] = {OSSL_PARAM_END, OSSL_PARAM_END};
	EVP_MAC *mac;

	if (strcmp(row->family, "XCBC") == 0) {
		s->xcbc = xcbc_new(key);
		return s->xcbc ? 0 : -ENOTSUP;
	}
	mac = EVP_MAC_fetch(NULL, row->family, NULL);
	if (!mac)
		return -ENOTSUP;
	params[0] = OSSL_PARAM_construct_utf8_string(strcmp(row->family, "CMAC") == 0
							     ? OSSL_MAC_PARAM_CIPHER
							     : OSSL_MAC_PARAM_DIGEST,
						     (char *)row->openssl, 0);
	s->mac = EVP_MAC_CTX_new(mac);
	EVP_MAC_free(mac);
	if (!s->mac || !EVP_MAC_init(s->mac, key, suite->integ_key_len, params))
		return -ENOTSUP;
	return 0;
}

static void ossl_free(struct crypto_session *base)
{
	struct ossl_session *s = (struct ossl_session *)base;

	EVP_CIPHER_CTX_free(s->cipher); /* all three wipe what they hold */
	EVP_MAC_CTX_free(s->mac);
	xcbc_free(s->xcbc);
	secret_wipe(s, sizeof(*s));
	free(s);
}

static struct crypto_session *ossl_new(const struct crypto_suite *suite, const struct crypto_keys *keys,
				       enum crypto_dir dir, unsigned int worker)
{
	struct ossl_session *s = calloc(1, sizeof(*s));

	(void)worker;
	if (!s)
		return NULL;
	s->base.backend = &crypto_openssl;
	s->base.suite = suite;
	s->base.esn = keys->esn;
	s->dir = dir;
	s->one = suite->mode == ALG_CCM	   ? ccm_one
		 : suite->mode == ALG_GMAC ? gmac_one
		 : suite->mac		   ? pair_one
					   : aead_one;
	memcpy(s->salt, keys->encr + suite->key_len, suite->salt_len);
	if (cipher_open(s, suite, keys->encr) < 0 || (suite->mac && mac_open(s, suite, keys->integ) < 0)) {
		ossl_free(&s->base);
		errno = ENOTSUP;
		return NULL;
	}
	return &s->base;
}

/* No key that OpenSSL refuses as weak: 3DES with three equal ones. */
static bool ossl_can(const struct crypto_suite *suite)
{
	static const uint8_t key[CRYPTO_DIGEST_MAX + CRYPTO_SALT_MAX] = {
		0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x45, 0x67, 0x89, 0xab,
		0xcd, 0xef, 0x01, 0x23, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45};
	const struct crypto_keys keys = {.encr = key, .integ = key};
	struct crypto_session *s = ossl_new(suite, &keys, CRYPTO_SEAL, 0);

	crypto_session_free(s);
	return s != NULL;
}

const struct crypto_backend crypto_openssl = {
	.name = "openssl",
	.can = ossl_can,
	.session_new = ossl_new,
	.session_free = ossl_free,
	.seal = ossl_run,
	.open = ossl_run,
};
