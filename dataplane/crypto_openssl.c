/* SPDX-License-Identifier: BSD-2-Clause */
#include "crypto.h"
#include "ip.h"

#include "common/secret.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

/*
 * The backend that is always there. One cipher context an SA, kept warm: only the IV is set anew for a
 * packet. The HMAC context is keyed once and initialised again without a key.
 */
struct ossl_session {
	struct crypto_session base;
	enum crypto_dir dir;
	EVP_CIPHER_CTX *cipher;
	EVP_MAC_CTX *mac;
	uint8_t salt[CRYPTO_SALT_LEN];
};

static const EVP_CIPHER *cipher_of(const struct crypto_suite *suite)
{
	bool gcm = suite->encr == ENCR_AES_GCM_16;

	switch (suite->encr_bits) {
	case 128:
		return gcm ? EVP_aes_128_gcm() : EVP_aes_128_cbc();
	case 192:
		return gcm ? EVP_aes_192_gcm() : EVP_aes_192_cbc();
	case 256:
		return gcm ? EVP_aes_256_gcm() : EVP_aes_256_cbc();
	}
	return NULL;
}

static int mac_open(struct ossl_session *s, const struct crypto_suite *suite, const uint8_t *key)
{
	OSSL_PARAM params[2];
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);

	if (!mac)
		return -ENOTSUP;
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)suite->digest, 0);
	params[1] = OSSL_PARAM_construct_end();
	s->mac = EVP_MAC_CTX_new(mac);
	EVP_MAC_free(mac);
	if (!s->mac || !EVP_MAC_init(s->mac, key, suite->integ_key_len, params))
		return -ENOTSUP;
	return 0;
}

static void ossl_free(struct crypto_session *base)
{
	struct ossl_session *s = (struct ossl_session *)base;

	EVP_CIPHER_CTX_free(s->cipher); /* both wipe what they hold */
	EVP_MAC_CTX_free(s->mac);
	secret_wipe(s, sizeof(*s));
	free(s);
}

static struct crypto_session *ossl_new(const struct crypto_suite *suite, const struct crypto_keys *keys,
				       enum crypto_dir dir, unsigned int worker)
{
	struct ossl_session *s = calloc(1, sizeof(*s));
	int enc = dir == CRYPTO_SEAL;

	(void)worker;
	if (!s)
		return NULL;
	s->base.backend = &crypto_openssl;
	s->base.suite = suite;
	s->base.esn = keys->esn;
	s->dir = dir;
	memcpy(s->salt, keys->encr + suite->key_len, suite->salt_len);
	s->cipher = EVP_CIPHER_CTX_new();
	if (!s->cipher || !EVP_CipherInit_ex(s->cipher, cipher_of(suite), NULL, keys->encr, NULL, enc) ||
	    !EVP_CIPHER_CTX_set_padding(s->cipher, 0) ||
	    (suite->digest && mac_open(s, suite, keys->integ) < 0)) {
		ossl_free(&s->base);
		errno = ENOTSUP;
		return NULL;
	}
	return &s->base;
}

/* RFC 4106 5: SPI and number, with ESN all 64 bits of it. */
static int gcm_aad(const struct ossl_session *s, const struct crypto_req *r, uint8_t aad[12])
{
	uint32_t hi = be32(r->seq_hi);

	if (!s->base.esn) {
		memcpy(aad, r->esp, 8);
		return 8;
	}
	memcpy(aad, r->esp, 4);
	memcpy(aad + 4, &hi, 4);
	memcpy(aad + 8, r->esp + 4, 4);
	return 12;
}

static enum crypto_status gcm_one(struct ossl_session *s, struct crypto_req *r)
{
	const struct crypto_suite *suite = s->base.suite;
	uint8_t iv[CRYPTO_GCM_IV], aad[12], last[16];
	uint8_t *payload = r->esp + sizeof(struct esp_hdr) + suite->iv_len;
	int n = (int)(r->len - sizeof(struct esp_hdr) - suite->iv_len), out, aad_len;

	memcpy(iv, s->salt, CRYPTO_SALT_LEN);
	memcpy(iv + CRYPTO_SALT_LEN, r->esp + sizeof(struct esp_hdr), suite->iv_len);
	aad_len = gcm_aad(s, r, aad);
	if (!EVP_CipherInit_ex(s->cipher, NULL, NULL, NULL, iv, -1) ||
	    !EVP_CipherUpdate(s->cipher, NULL, &out, aad, aad_len) ||
	    !EVP_CipherUpdate(s->cipher, payload, &out, payload, n))
		return CRYPTO_FAILED;
	if (s->dir == CRYPTO_OPEN) {
		/* The library compares in constant time (CRYPTO_memcmp). */
		if (!EVP_CIPHER_CTX_ctrl(s->cipher, EVP_CTRL_AEAD_SET_TAG, suite->icv_len, r->esp + r->len))
			return CRYPTO_FAILED;
		return EVP_CipherFinal_ex(s->cipher, last, &out) > 0 ? CRYPTO_OK : CRYPTO_BAD_TAG;
	}
	if (!EVP_CipherFinal_ex(s->cipher, last, &out) ||
	    !EVP_CIPHER_CTX_ctrl(s->cipher, EVP_CTRL_AEAD_GET_TAG, suite->icv_len, r->esp + r->len))
		return CRYPTO_FAILED;
	return CRYPTO_OK;
}

/* RFC 4303 2.2.1: the high half takes part in the tag though it is not sent. */
static bool hmac(struct ossl_session *s, const struct crypto_req *r, uint8_t tag[64])
{
	uint32_t hi = be32(r->seq_hi);
	size_t n;

	return EVP_MAC_init(s->mac, NULL, 0, NULL) && EVP_MAC_update(s->mac, r->esp, r->len) &&
	       (!s->base.esn || EVP_MAC_update(s->mac, (uint8_t *)&hi, sizeof(hi))) &&
	       EVP_MAC_final(s->mac, tag, &n, 64);
}

static enum crypto_status cbc_one(struct ossl_session *s, struct crypto_req *r)
{
	const struct crypto_suite *suite = s->base.suite;
	uint8_t *iv = r->esp + sizeof(struct esp_hdr), *payload = iv + suite->iv_len;
	int n = (int)(r->len - sizeof(struct esp_hdr) - suite->iv_len), out;
	uint8_t tag[64];

	if (s->dir == CRYPTO_OPEN) {
		if (!hmac(s, r, tag))
			return CRYPTO_FAILED;
		if (CRYPTO_memcmp(tag, r->esp + r->len, suite->icv_len))
			return CRYPTO_BAD_TAG;
	}
	if (!EVP_CipherInit_ex(s->cipher, NULL, NULL, NULL, iv, -1) ||
	    !EVP_CipherUpdate(s->cipher, payload, &out, payload, n) || out != n)
		return CRYPTO_FAILED;
	if (s->dir == CRYPTO_SEAL) {
		if (!hmac(s, r, tag))
			return CRYPTO_FAILED;
		memcpy(r->esp + r->len, tag, suite->icv_len);
	}
	return CRYPTO_OK;
}

static void ossl_run(struct crypto_session *base, struct crypto_req *req, unsigned int n)
{
	struct ossl_session *s = (struct ossl_session *)base;
	bool gcm = base->suite->encr == ENCR_AES_GCM_16;

	for (unsigned int i = 0; i < n; i++)
		req[i].status = gcm ? gcm_one(s, &req[i]) : cbc_one(s, &req[i]);
}

const struct crypto_backend crypto_openssl = {
	.name = "openssl",
	.session_new = ossl_new,
	.session_free = ossl_free,
	.seal = ossl_run,
	.open = ossl_run,
};
