/* SPDX-License-Identifier: BSD-2-Clause */
#include "iv.h"

#include "common/secret.h"

#include <errno.h>
#include <openssl/rand.h>
#include <string.h>

int iv_gen_init(struct iv_gen *g)
{
	uint8_t key[16];
	int err = 0;

	memset(g, 0, sizeof(*g));
	g->ecb = EVP_CIPHER_CTX_new();
	if (!g->ecb || RAND_bytes(key, sizeof(key)) != 1 ||
	    !EVP_EncryptInit_ex(g->ecb, EVP_aes_128_ecb(), NULL, key, NULL) ||
	    !EVP_CIPHER_CTX_set_padding(g->ecb, 0)) {
		iv_gen_close(g);
		err = -EIO;
	}
	secret_wipe(key, sizeof(key));
	return err;
}

void iv_gen_close(struct iv_gen *g)
{
	EVP_CIPHER_CTX_free(g->ecb);
	secret_wipe(g, sizeof(*g));
}

static bool refill(struct iv_gen *g)
{
	int out;

	memset(g->pool, 0, sizeof(g->pool));
	for (unsigned int i = 0; i < PKT_BURST; i++, g->counter++)
		memcpy(g->pool + i * IV_LEN, &g->counter, sizeof(g->counter));
	if (!EVP_EncryptUpdate(g->ecb, g->pool, &out, g->pool, sizeof(g->pool)) ||
	    out != (int)sizeof(g->pool))
		return false;
	g->left = PKT_BURST;
	return true;
}

bool iv_gen_next(struct iv_gen *g, uint8_t out[IV_LEN])
{
	if (!g->left && !refill(g))
		return false;
	memcpy(out, g->pool + --g->left * IV_LEN, IV_LEN);
	return true;
}
