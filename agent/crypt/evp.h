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
/* Where this thread keeps a public key of the algorithm, to be overwritten by the next peer's: making an EVP_PKEY
 * costs more than filling it. Zeros until ke.c makes it. NULL: no memory. */
struct evp_peer {
	EVP_PKEY *key;
	EVP_PKEY_CTX *check;
};
struct evp_peer *evp_peer(const struct alg *a);

/* A MAC under one key, for as many messages as wanted: begin, message ..., end. `a` is a PRF or
 * INTEG row; a PRF takes keys of any length. NULL when not available or the length is wrong; two of
 * the same row at a time in one thread are not possible. */
struct evp_mac;
struct evp_mac *evp_mac_begin(const struct alg *a, struct slice key);
/* Writes the row's out_len bytes; 0 or -EIO. */
int evp_mac_message(struct evp_mac *mac, const struct slice *parts, unsigned int n, uint8_t *out);
void evp_mac_end(struct evp_mac *mac);
