/* SPDX-License-Identifier: BSD-2-Clause */
#include "mac.h"

#include "common/secret.h"
#include "evp.h"

#include <openssl/core_names.h>
#include <openssl/err.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { AES_BLOCK = 16, AES_KEY = 16 };

/*
 * HMAC and CMAC are EVP_MACs. AES-XCBC-MAC (RFC 3566) is in no provider: it is AES in CBC mode with
 * a key and two masks derived from the key, and that is what stands here; AES itself stays EVP's.
 */
struct evp_mac {
	const struct alg *alg;
	EVP_MAC_CTX *ctx;    /* HMAC, CMAC */
	EVP_CIPHER_CTX *cbc; /* XCBC: under K1 */
	uint8_t k2[AES_BLOCK], k3[AES_BLOCK];
};

/* Written once by macs_fetch, read-only afterwards. */
static EVP_MAC *hmac, *cmac;
static EVP_CIPHER *aes_cbc, *aes_ecb;

int macs_fetch(void)
{
	hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	cmac = EVP_MAC_fetch(NULL, "CMAC", NULL);
	aes_cbc = EVP_CIPHER_fetch(NULL, "AES-128-CBC", NULL);
	aes_ecb = EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL);
	return hmac ? 0 : -ENOTSUP;
}

static bool is(const struct alg *a, const char *family)
{
	return !strcmp(a->family, family);
}

static bool evp_ctx_new(struct evp_mac *m)
{
	bool h = is(m->alg, "HMAC");
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string(h ? OSSL_MAC_PARAM_DIGEST : OSSL_MAC_PARAM_CIPHER,
					     (char *)m->alg->openssl, 0),
	    OSSL_PARAM_construct_end(),
	};
	EVP_MAC *mac = h ? hmac : cmac;

	m->ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
	return m->ctx && EVP_MAC_CTX_set_params(m->ctx, params);
}

struct evp_mac *mac_new(const struct alg *a)
{
	struct evp_mac *m = calloc(1, sizeof(*m));
	bool ok;

	if (!m)
		return NULL;
	m->alg = a;
	if (is(a, "XCBC")) {
		m->cbc = EVP_CIPHER_CTX_new();
		ok = m->cbc && aes_cbc && aes_ecb;
	} else {
		ok = evp_ctx_new(m);
	}
	if (ok)
		return m;
	mac_free(m);
	return NULL;
}

void mac_free(struct evp_mac *m)
{
	if (!m)
		return;
	EVP_MAC_CTX_free(m->ctx);
	EVP_CIPHER_CTX_free(m->cbc);
	secret_wipe(m, sizeof(*m));
	free(m);
}

/* RFC 3566 4: K1, K2, K3 = AES of blocks full of 1, 2 and 3 under the key. */
static bool xcbc_key(struct evp_mac *m, const uint8_t key[AES_KEY])
{
	uint8_t k[3 * AES_BLOCK];
	int n, ok;

	memset(k, 1, AES_BLOCK);
	memset(k + AES_BLOCK, 2, AES_BLOCK);
	memset(k + 2 * AES_BLOCK, 3, AES_BLOCK);
	ok = EVP_EncryptInit_ex2(m->cbc, aes_ecb, key, NULL, NULL) &&
	     EVP_CIPHER_CTX_set_padding(m->cbc, 0) &&
	     EVP_EncryptUpdate(m->cbc, k, &n, k, sizeof(k)) && n == sizeof(k);
	EVP_CIPHER_CTX_reset(m->cbc);
	ok = ok && EVP_EncryptInit_ex2(m->cbc, aes_cbc, k, NULL, NULL) &&
	     EVP_CIPHER_CTX_set_padding(m->cbc, 0);
	memcpy(m->k2, k + AES_BLOCK, AES_BLOCK);
	memcpy(m->k3, k + 2 * AES_BLOCK, AES_BLOCK);
	secret_wipe(k, sizeof(k));
	return ok;
}

struct xcbc {
	struct evp_mac *m;
	uint8_t block[AES_BLOCK], out[AES_BLOCK];
	size_t n;
};

static bool xcbc_block(struct xcbc *x)
{
	int n;

	x->n = 0;
	return EVP_EncryptUpdate(x->m->cbc, x->out, &n, x->block, AES_BLOCK) && n == AES_BLOCK;
}

/* A full block waits: only what follows tells whether it is the last. */
static bool xcbc_add(struct xcbc *x, struct slice s)
{
	while (s.n) {
		size_t take = AES_BLOCK - x->n < s.n ? AES_BLOCK - x->n : s.n;

		if (!take) {
			if (!xcbc_block(x))
				return false;
			continue;
		}
		memcpy(x->block + x->n, s.p, take);
		x->n += take;
		s = slice_of(s.p + take, s.n - take);
	}
	return true;
}

/* RFC 3566 4: a whole last block is masked with K2, one cut short (or none) is padded and with K3.
 */
static bool xcbc_message(struct evp_mac *m, const struct slice *parts, unsigned int n, uint8_t *out)
{
	static const uint8_t zero[AES_BLOCK];
	struct xcbc x = {.m = m};
	const uint8_t *mask = m->k2;
	bool ok = EVP_EncryptInit_ex2(m->cbc, NULL, NULL, zero, NULL);

	for (unsigned int i = 0; ok && i < n; i++)
		ok = xcbc_add(&x, parts[i]);
	if (x.n < AES_BLOCK) {
		mask = m->k3;
		x.block[x.n] = 0x80;
		memset(x.block + x.n + 1, 0, AES_BLOCK - x.n - 1);
	}
	for (unsigned int i = 0; i < AES_BLOCK; i++)
		x.block[i] ^= mask[i];
	ok = ok && xcbc_block(&x);
	if (ok)
		memcpy(out, x.out, AES_BLOCK);
	secret_wipe(&x, sizeof(x));
	return ok;
}

static bool evp_message(struct evp_mac *m, const struct slice *parts, unsigned int n, uint8_t *out)
{
	size_t len = 0;
	int ok = EVP_MAC_init(m->ctx, NULL, 0, NULL);

	for (unsigned int i = 0; ok && i < n; i++) {
		if (parts[i].n)
			ok = EVP_MAC_update(m->ctx, parts[i].p, parts[i].n);
	}
	return ok && EVP_MAC_final(m->ctx, out, &len, m->alg->out_len) && len == m->alg->out_len;
}

int evp_mac_message(struct evp_mac *m, const struct slice *parts, unsigned int n, uint8_t *out)
{
	if (m->ctx ? evp_message(m, parts, n, out) : xcbc_message(m, parts, n, out))
		return 0;
	ERR_clear_error();
	return -EIO;
}

static bool key_set(struct evp_mac *m, const uint8_t *key, size_t n)
{
	return m->ctx ? EVP_MAC_init(m->ctx, key, n, NULL) : xcbc_key(m, key);
}

/*
 * A PRF out of AES takes keys of any length and makes 128 bits of them. RFC 4434 2: shorter ones
 * get zeros, longer ones are MACed under a key of zeros. RFC 4615 3: whatever is not 128 bits is
 * MACed.
 */
static bool aes_key_set(struct evp_mac *m, struct slice key)
{
	uint8_t k[AES_KEY] = {0};
	bool ok = true;

	if (m->alg->type != IKE_T_PRF && key.n != AES_KEY)
		return false;
	if (key.n == AES_KEY || (key.n < AES_KEY && is(m->alg, "XCBC")))
		memcpy(k, key.p, key.n);
	else
		ok = key_set(m, k, sizeof(k)) && !evp_mac_message(m, &key, 1, k);
	ok = ok && key_set(m, k, sizeof(k));
	secret_wipe(k, sizeof(k));
	return ok;
}

bool mac_begin(struct evp_mac *m, struct slice key)
{
	const uint8_t *p = key.n ? key.p : (const uint8_t *)"";
	bool ok = is(m->alg, "HMAC") ? key_set(m, p, key.n) : aes_key_set(m, slice_of(p, key.n));

	if (!ok)
		evp_mac_end(m);
	return ok;
}

void evp_mac_end(struct evp_mac *m)
{
	static const uint8_t nothing[AES_KEY];

	secret_wipe(m->k2, sizeof(m->k2));
	secret_wipe(m->k3, sizeof(m->k3));
	/* A new key is the only way to make an EVP_MAC forget the one before. */
	if (m->ctx && !EVP_MAC_init(m->ctx, nothing, sizeof(nothing), NULL))
		ERR_clear_error();
	if (m->cbc)
		EVP_CIPHER_CTX_reset(m->cbc);
}
