/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "transform.h"

#include <stdbool.h>
#include <stdint.h>

enum { ALG_ROWS_MAX = 128 };

/* How the cipher of an ENCR row runs. */
enum alg_mode {
	ALG_NOT_A_CIPHER = 0,
	ALG_CBC,
	ALG_CTR,	       /* RFC 3686: counter block = salt | IV | 1 */
	ALG_GCM,	       /* RFC 4106: nonce = salt | IV */
	ALG_CCM,	       /* RFC 4309: the same with a salt of 3 bytes */
	ALG_CHACHA20_POLY1305, /* RFC 7634: the same */
	ALG_GMAC,	       /* RFC 4543: GCM with everything in the AAD, nothing encrypted */
	ALG_NULL,
};

/*
 * One table of algorithms: transform ids, sizes, names in proposals and in libraries. All else
 * (proposal parser, default proposals, key derivation, engines, `show`) asks it.
 */
struct alg {
	uint8_t type; /* enum ike_transform */
	uint8_t mode; /* enum alg_mode */
	uint16_t id;
	uint16_t key_bits; /* of the Key Length attribute; 0 = fixed key, no attribute */
	const char *name;  /* proposal keyword: "aes128gcm16", "sha256", "prfsha256", "x25519" */
	const char *alias; /* more keywords, by commas, or NULL: "aes128gcm,aes128gcm128" */
	const char *text;  /* in listings: "AES_GCM_16_128", "HMAC_SHA2_256_128", "CURVE_25519" */
	const char *base;  /* without key size, as vici gives it beside that: "AES_GCM_16" */
	const char
	    *family; /* MACs: "HMAC", "CMAC", "XCBC"; KE: EVP key type "X25519", "EC", "DH" */
	const char *openssl;   /* EVP name of cipher, digest or group: "AES-128-GCM", "P-256" */
	const char *xfrm;      /* Linux: "rfc4106(gcm(aes))", "hmac(sha256)"; NULL = not there */
	const char *cryptodev; /* DPDK: "aes-gcm", "sha2-256-hmac"; NULL = not there */
	uint16_t key_len;      /* bytes of key material, without salt */
	uint8_t salt_len;      /* AEAD and CTR */
	uint8_t iv_len;	       /* explicit IV in the packet */
	uint8_t block;	       /* alignment of the ciphertext, at least 1; ESP's 4 comes on top */
	uint8_t icv_len;       /* integrity and AEAD: tag as sent */
	uint16_t out_len;      /* PRF and integrity: whole output; KE: length of the public value */
	uint8_t aead : 1;      /* stands without an INTEG transform; GMAC too */
	uint8_t ike : 1, esp : 1; /* may stand in proposals of these protocols */
	uint8_t cheap : 1;	  /* KE: computed at once, a thread would cost more */
	uint8_t legacy : 1;  /* broken or weak: only when the gateway's configuration says so */
	uint8_t variant : 1; /* what only engines know, never in a proposal: its id is ours */
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
