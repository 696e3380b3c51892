/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/wire/proposal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ALG_ROWS_MAX = 128 };

/*
 * One table of algorithms: transform ids, sizes, names in proposals and in libraries. All else
 * (proposal parser, default proposals, key derivation, engines, `show`) asks it.
 */
struct alg {
	uint8_t type; /* enum ike_transform */
	uint16_t id;
	uint16_t key_bits;   /* of the Key Length attribute; 0 = fixed key, no attribute */
	const char *name;    /* proposal keyword: "aes128gcm16", "sha256", "prfsha256", "x25519" */
	const char *alias;   /* more keywords, by commas, or NULL: "aes128gcm,aes128gcm128" */
	const char *text;    /* in listings: "AES_GCM_16_128", "HMAC_SHA2_256_128", "CURVE_25519" */
	const char *base;    /* without key size, as vici gives it beside that: "AES_GCM_16" */
	const char *family;  /* EVP name: MACs "HMAC"; key exchange "X25519", "EC", "DH" */
	const char *openssl; /* EVP name of cipher, digest or group: "AES-128-GCM", "P-256" */
	uint16_t key_len;    /* bytes of key material, without salt */
	uint8_t salt_len;    /* AEAD and CTR */
	uint8_t iv_len;	     /* explicit IV in the packet */
	uint8_t block;	     /* alignment of the ciphertext, at least 1; ESP's 4 comes on top */
	uint8_t icv_len;     /* integrity and AEAD: tag as sent */
	uint16_t out_len;    /* PRF and integrity: whole output; KE: length of the public value */
	uint8_t aead : 1;
	uint8_t ike : 1, esp : 1; /* may stand in proposals of these protocols */
	uint8_t cheap : 1;	  /* KE: computed at once, a thread would cost more */
};

/* Row of a transform; key_bits must match exactly. NULL when we do not do it. */
const struct alg *alg_find(unsigned int type, unsigned int id, unsigned int key_bits);
/* Row of a proposal keyword ("aes256gcm16", "sha384", "modp3072", "prfsha512", "esn", "noesn").
 * Integrity keywords such as "sha256" give the INTEG row; alg_prf_for gives the PRF of the same
 * hash. "none" gives the KE row of id 0: no PFS. Upper and lower case are the same. */
const struct alg *alg_by_name(const char *keyword, unsigned int type /* 0 = any */);
const struct alg *alg_prf_for(const struct alg *integ);
/* The i-th row, NULL behind the last; alg_index is its inverse. */
const struct alg *alg_at(unsigned int i);
unsigned int alg_index(const struct alg *a);
/* "AES_GCM_16_128/PRF_HMAC_SHA2_256/CURVE_25519" as listings write a chosen proposal; a
 * transform without a row is written as type and number. Returns buf, cut off where it is full. */
const char *proposal_str(const struct proposal *p, char *buf, size_t n);
