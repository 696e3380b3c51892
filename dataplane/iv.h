/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "pkt.h"

#include <openssl/evp.h>

/*
 * Unpredictable IVs for CBC (RFC 3602 3): AES of a counter under a random key of the SA's own, made for a
 * burst at a time.
 */
enum { IV_LEN = 16 };

struct iv_gen {
	EVP_CIPHER_CTX *ecb;
	uint64_t counter;
	uint32_t left;
	uint8_t pool[PKT_BURST * IV_LEN];
};

int iv_gen_init(struct iv_gen *g); /* 0 or -errno */
void iv_gen_close(struct iv_gen *g);
/* Writes one IV; false when the cipher failed. */
bool iv_gen_next(struct iv_gen *g, uint8_t out[IV_LEN]);
