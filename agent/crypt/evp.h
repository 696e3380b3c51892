/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "alg.h"
#include "common/slice.h"

#include <openssl/evp.h>

/*
 * What the files of this folder share and nobody else sees: algorithms fetched once a process, and
 * contexts kept once a thread, because making one costs as much as the MAC computed with it.
 * A context that is kept never keeps a key: who used it leaves it reset.
 */

/* The cipher of an ENCR row, NULL when the library has none. */
const EVP_CIPHER *evp_cipher(const struct alg *a);
/* This thread's cipher context, reset; reset it again after use. NULL without memory. */
EVP_CIPHER_CTX *evp_cipher_ctx(void);
/* This thread's context that makes key pairs of a KE row; NULL when not available. */
EVP_PKEY_CTX *evp_keygen_ctx(const struct alg *a);

/* A MAC under one key, for as many messages as wanted: begin, message ..., end. `a` is a PRF or
 * INTEG row. NULL when not available; two of the same row at a time in one thread are not possible.
 */
EVP_MAC_CTX *evp_mac_begin(const struct alg *a, struct slice key);
/* Writes a->out_len bytes; 0 or -EIO. */
int evp_mac_message(const struct alg *a, EVP_MAC_CTX *mac, const struct slice *parts,
		    unsigned int n, uint8_t *out);
void evp_mac_end(EVP_MAC_CTX *mac);
