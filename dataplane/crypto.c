/* SPDX-License-Identifier: BSD-2-Clause */
#include "crypto.h"
#include "ip.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

enum { SUITES_MAX = 256, ESP_ALIGN = 4 };

static struct {
	struct crypto_suite v[SUITES_MAX];
	unsigned int n;
	pthread_once_t once;
} suites = {.once = PTHREAD_ONCE_INIT};

static void suite_add(const struct alg *cipher, const struct alg *mac)
{
	struct crypto_suite *s = &suites.v[suites.n];

	if (suites.n == SUITES_MAX)
		return;
	*s = (struct crypto_suite){
		.cipher = cipher,
		.mac = mac,
		.encr = cipher->id,
		.encr_bits = cipher->key_bits,
		.integ = mac ? mac->id : AUTH_NONE,
		.mode = cipher->mode,
		.key_len = (uint8_t)cipher->key_len,
		.salt_len = cipher->salt_len,
		.integ_key_len = mac ? (uint8_t)mac->key_len : 0,
		.iv_len = cipher->iv_len,
		.icv_len = mac ? mac->icv_len : cipher->icv_len,
		/* RFC 4303 2.4: to the cipher's block, and to 4 in any case. */
		.align = cipher->block > ESP_ALIGN ? cipher->block : ESP_ALIGN,
		/* RFC 3602 3 */
		.random_iv = cipher->mode == ALG_CBC,
	};
	snprintf(s->name, sizeof(s->name), "%s%s%s", cipher->name, mac ? "-" : "", mac ? mac->name : "");
	suites.n++;
}

static void suites_build(void)
{
	const struct alg *cipher, *mac;

	for (unsigned int i = 0; (cipher = alg_at(i)); i++) {
		if (cipher->type != IKE_T_ENCR || !cipher->esp)
			continue;
		if (cipher->aead)
			suite_add(cipher, NULL);
		for (unsigned int k = 0; !cipher->aead && (mac = alg_at(k)); k++)
			if (mac->type == IKE_T_INTEG && mac->esp)
				suite_add(cipher, mac);
	}
}

const struct crypto_suite *crypto_suite_at(unsigned int i)
{
	pthread_once(&suites.once, suites_build);
	return i < suites.n ? &suites.v[i] : NULL;
}

unsigned int crypto_suite_index(const struct crypto_suite *suite)
{
	return (unsigned int)(suite - suites.v);
}

const struct crypto_suite *crypto_suite_find(uint16_t encr, uint16_t bits, uint16_t integ)
{
	const struct crypto_suite *s;

	for (unsigned int i = 0; (s = crypto_suite_at(i)); i++)
		if (s->encr == encr && s->encr_bits == bits && s->integ == integ)
			return s;
	return NULL;
}

uint8_t *crypto_payload(const struct crypto_suite *suite, const struct crypto_req *r)
{
	return r->esp + sizeof(struct esp_hdr) + suite->iv_len;
}

uint32_t crypto_payload_len(const struct crypto_suite *suite, const struct crypto_req *r)
{
	return r->len - (uint32_t)sizeof(struct esp_hdr) - suite->iv_len;
}

unsigned int crypto_aad(bool esn, const struct crypto_req *r, uint8_t aad[CRYPTO_AAD_MAX])
{
	uint32_t hi = be32(r->seq_hi);

	if (!esn) {
		memcpy(aad, r->esp, 8);
		return 8;
	}
	memcpy(aad, r->esp, 4);
	memcpy(aad + 4, &hi, 4);
	memcpy(aad + 8, r->esp + 4, 4);
	return 12;
}

unsigned int crypto_nonce(const struct crypto_suite *suite, const uint8_t salt[CRYPTO_SALT_MAX],
			  const struct crypto_req *r, uint8_t nonce[CRYPTO_IV_MAX])
{
	unsigned int n = suite->salt_len;

	memcpy(nonce, salt, n);
	memcpy(nonce + n, r->esp + sizeof(struct esp_hdr), suite->iv_len);
	n += suite->iv_len;
	if (suite->mode != ALG_CTR)
		return n;
	memcpy(nonce + n, (const uint8_t[]){0, 0, 0, 1}, 4);
	return n + 4;
}

struct crypto_session *crypto_session_new(const struct crypto_backend *backend,
					  const struct crypto_suite *suite,
					  const struct crypto_keys *keys, enum crypto_dir dir,
					  unsigned int worker)
{
	struct crypto_session *s = backend->session_new(suite, keys, dir, worker);

	if (!s && backend != &crypto_openssl)
		s = crypto_openssl.session_new(suite, keys, dir, worker);
	return s;
}

void crypto_session_free(struct crypto_session *s)
{
	if (s)
		s->backend->session_free(s);
}

bool crypto_can(const struct crypto_backend *backend, const struct alg *row)
{
	const struct crypto_suite *s;

	for (unsigned int i = 0; (s = crypto_suite_at(i)); i++)
		if ((s->cipher == row || s->mac == row) && backend->can(s))
			return true;
	return false;
}
