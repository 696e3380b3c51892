/* SPDX-License-Identifier: BSD-2-Clause */
#include "xcbc.h"

#include "secret.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { RUN = 256 }; /* bytes a call of the cipher, a multiple of the block */

struct xcbc {
	EVP_CIPHER_CTX *cbc; /* under K1 */
	uint8_t k2[XCBC_BLOCK], k3[XCBC_BLOCK];
	uint8_t wait[XCBC_BLOCK]; /* what may be the last block is held back */
	size_t n_wait;
};

/* RFC 3566 4: K1, K2 and K3 are blocks of ones, twos and threes under the key. */
static bool derive(struct xcbc *x, const uint8_t key[XCBC_KEY])
{
	EVP_CIPHER_CTX *ecb = EVP_CIPHER_CTX_new();
	uint8_t block[3 * XCBC_BLOCK];
	int n;
	bool ok;

	for (int i = 0; i < 3; i++)
		memset(block + i * XCBC_BLOCK, i + 1, XCBC_BLOCK);
	ok = ecb && EVP_EncryptInit_ex(ecb, EVP_aes_128_ecb(), NULL, key, NULL) &&
	     EVP_CIPHER_CTX_set_padding(ecb, 0) &&
	     EVP_EncryptUpdate(ecb, block, &n, block, sizeof(block)) &&
	     EVP_EncryptInit_ex(x->cbc, EVP_aes_128_cbc(), NULL, block, NULL) &&
	     EVP_CIPHER_CTX_set_padding(x->cbc, 0);
	memcpy(x->k2, block + XCBC_BLOCK, XCBC_BLOCK);
	memcpy(x->k3, block + 2 * XCBC_BLOCK, XCBC_BLOCK);
	secret_wipe(block, sizeof(block));
	EVP_CIPHER_CTX_free(ecb);
	return ok;
}

struct xcbc *xcbc_new(const uint8_t key[XCBC_KEY])
{
	struct xcbc *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->cbc = EVP_CIPHER_CTX_new();
	if (x->cbc && derive(x, key))
		return x;
	xcbc_free(x);
	errno = ENOTSUP;
	return NULL;
}

void xcbc_free(struct xcbc *x)
{
	if (!x)
		return;
	EVP_CIPHER_CTX_free(x->cbc);
	secret_wipe(x, sizeof(*x));
	free(x);
}

bool xcbc_start(struct xcbc *x)
{
	static const uint8_t zero[XCBC_BLOCK];

	x->n_wait = 0;
	return EVP_EncryptInit_ex(x->cbc, NULL, NULL, NULL, zero);
}

/* Whole blocks of which none is the last. */
static bool chain(struct xcbc *x, const uint8_t *p, size_t n)
{
	uint8_t out[RUN];
	int got;

	for (; n; p += got, n -= (size_t)got)
		if (!EVP_EncryptUpdate(x->cbc, out, &got, p, n < RUN ? (int)n : RUN) || got <= 0)
			return false;
	return true;
}

bool xcbc_update(struct xcbc *x, const void *data, size_t n)
{
	const uint8_t *p = data;
	size_t room = XCBC_BLOCK - x->n_wait, whole;

	if (n <= room) {
		if (n)
			memcpy(x->wait + x->n_wait, p, n);
		x->n_wait += n;
		return true;
	}
	if (x->n_wait) {
		memcpy(x->wait + x->n_wait, p, room);
		if (!chain(x, x->wait, XCBC_BLOCK))
			return false;
		p += room;
		n -= room;
	}
	whole = (n - 1) / XCBC_BLOCK * XCBC_BLOCK;
	x->n_wait = n - whole;
	memcpy(x->wait, p + whole, x->n_wait);
	return chain(x, p, whole);
}

bool xcbc_final(struct xcbc *x, uint8_t mac[XCBC_BLOCK])
{
	const uint8_t *last = x->n_wait == XCBC_BLOCK ? x->k2 : x->k3;
	int n;

	if (x->n_wait < XCBC_BLOCK) {
		memset(x->wait + x->n_wait, 0, XCBC_BLOCK - x->n_wait);
		x->wait[x->n_wait] = 0x80;
	}
	for (int i = 0; i < XCBC_BLOCK; i++)
		x->wait[i] ^= last[i];
	return EVP_EncryptUpdate(x->cbc, mac, &n, x->wait, XCBC_BLOCK) && n == XCBC_BLOCK;
}
