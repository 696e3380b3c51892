/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/wire/proposal.h"
#include "alg.h"
#include "common/secret.h"
#include "common/addr.h"
#include "common/slice.h"

/*
 * IKE cryptography over OpenSSL EVP. No type of OpenSSL leaves agent/crypt. All functions: 0 or
 * -errno (-ENOTSUP algorithm not available, -EBADMSG authentication failed, -ENOMEM).
 */
/* Fetches algorithms once; any other function does so itself when it is the first. What the library
 * lacks is named in the log; -ENOTSUP only when nothing could work without it. Call it before a
 * sandbox closes. */
int crypt_init(void);
/* Makes the rows of the legacy set available, some of them from OpenSSL's provider of that name.
 * Early, with crypt_init: other threads do not expect it. */
void crypt_legacy(void);
bool crypt_legacy_on(void);
/* Does the library here have this row? */
bool crypt_available(const struct alg *a);
int crypt_random(void *p, size_t n) __attribute__((warn_unused_result));
/* From now on crypt_random draws several hundred bytes at a time for this thread and hands them out in small pieces,
 * wiping each: for who makes many SPIs and nonces. Not across fork. */
void crypt_random_ahead(void);

/* ---- PRF and key derivation (RFC 7296 2.13, 2.14, 2.17, 2.18) --------------------------- */
enum { CRYPT_PRF_MAX = 64, CRYPT_KE_PUBLIC_MAX = 1024 };

/* `out` gets prf_len(prf_id) bytes; parts are MACed one after the other. */
int prf(uint16_t prf_id, struct slice key, const struct slice *parts, unsigned int n,
	uint8_t out[CRYPT_PRF_MAX]);
/* RFC 7296 2.13: K1 | K2 | ... cut to len; -EINVAL above 255 blocks. `out` must be empty. */
int prf_plus(uint16_t prf_id, struct slice key, struct slice seed, struct secret *out, size_t len);

struct ike_keys {
	struct secret d, ai, ar, ei, er, pi, pr; /* ei/er: key then salt for AEAD */
};
void ike_keys_free(struct ike_keys *k);

struct ike_suite {
	uint16_t encr, encr_bits, prf, integ, ke; /* transform ids */
};
/* From a chosen IKE proposal; -ENOTSUP when a transform is missing or not ours. */
int ike_suite_from(const struct proposal *p, struct ike_suite *s);
/* First keys: SKEYSEED = prf(Ni | Nr, g^ir). `k` must be empty. */
int kdf_ike(const struct ike_suite *s, struct slice ni, struct slice nr, struct slice shared,
	    uint64_t spi_i, uint64_t spi_r, struct ike_keys *k);
/* Rekeyed IKE SA: SKEYSEED = prf_old(SK_d_old, g^ir | Ni | Nr). */
int kdf_ike_rekey(uint16_t old_prf, const struct secret *old_sk_d, const struct ike_suite *s,
		  struct slice ni, struct slice nr, struct slice shared, uint64_t spi_i,
		  uint64_t spi_r, struct ike_keys *k);

struct child_suite {
	uint16_t encr, encr_bits, integ, ke; /* ke: PFS group or 0 */
	bool esn;
	bool ah; /* AH: integrity alone, no encr */
};
int child_suite_from(const struct proposal *p, struct child_suite *s);
/* Of the initiator's and of the responder's direction; encr: key then salt. */
struct child_keys {
	struct secret encr_i, integ_i, encr_r, integ_r;
};
void child_keys_free(struct child_keys *k);
/* `shared` empty without PFS. ni, nr of the exchange that creates the Child SA. */
int kdf_child(uint16_t prf_id, const struct secret *sk_d, const struct child_suite *s,
	      struct slice shared, struct slice ni, struct slice nr, struct child_keys *k);

/* ---- SK payload protection (RFC 7296 3.14, RFC 5282) ------------------------------------- */
/* Bytes that sealing adds to a plaintext of n bytes: IV, padding, pad length, ICV. */
size_t sk_overhead(const struct ike_suite *s, size_t n);
/*
 * Seals a chain into a whole datagram: header (lengths filled in), SK payload, IV, ciphertext, ICV.
 * ek, ak: SK_e and SK_a of the sender. `counter` makes the IV of AEADs unique: pass a number that
 * never repeats under the key. out must have room. RFC 7296 3.14, 3.16.
 */
struct msg_wr;
struct ike_hdr;
struct wr;
int sk_seal(const struct ike_suite *s, const struct secret *ek, const struct secret *ak,
	    uint64_t counter, const struct ike_hdr *hdr, const struct msg_wr *chain,
	    struct wr *out);
/* The same for a piece of a chain, as SKF (RFC 7383 2.5); total 0: the whole chain, as SK. */
struct sk_piece {
	uint8_t first; /* type of the chain's first payload; 0 in all fragments but the first */
	uint16_t number, total;
	struct slice plain;
};
int sk_seal_piece(const struct ike_suite *s, const struct secret *ek, const struct secret *ak,
		  uint64_t counter, const struct ike_hdr *hdr, const struct sk_piece *piece,
		  struct wr *out);
/* Most plaintext bytes that a fragment in a datagram of so many bytes holds; 0: none. */
size_t sk_piece_room(const struct ike_suite *s, size_t datagram);
/*
 * Opens sk.body of a decoded message into `plain` (cap at least the body's length); *n is the
 * length of the payloads without padding. -EBADMSG on a wrong tag, compared in constant time before
 * anything is looked at; -EINVAL on lengths that cannot be, and on padding that a peer with the key
 * got wrong.
 */
struct ike_msg;
int sk_open(const struct ike_suite *s, const struct secret *ek, const struct secret *ak,
	    const struct ike_msg *msg, uint8_t *plain, size_t cap, size_t *n);

/*
 * ESP under the keys of a Child SA (RFC 4303 2): `packet` from its SPI on, *n is all that was decrypted, padding included. With
 * NULL encryption the plain text is what is there. esn: the high half of the number, which is not sent, NULL without
 * extended numbers; where it stands depends on the suite (RFC 4106 5, RFC 4303 2.2.1). 0, -EBADMSG, -EINVAL, -ENOTSUP.
 */
int sk_open_esp(const struct ike_suite *s, const struct secret *ek, const struct secret *ak, const uint32_t *esn,
		struct slice packet, uint8_t *plain, size_t cap, size_t *n);

/* ---- key exchange -------------------------------------------------------------------------- */
/* An ephemeral key pair; its private half dies in ke_shared or ke_free. */
struct ke;
struct ke *ke_new(uint16_t group); /* NULL and errno */
struct slice ke_public(const struct ke *k);
uint16_t ke_group(const struct ke *k);
/* Checks the peer's value (length, range, on the curve, not zero: RFC 6989) and derives. -EINVAL
 * when it is bad: then the pair lives on, for a forged answer must not end the exchange (RFC
 * 7296 2.4). After success the private half is gone and a second call gives -EPIPE. `out` must be
 * empty. */
int ke_shared(struct ke *k, struct slice peer, struct secret *out);
void ke_free(struct ke *k);
bool ke_supported(uint16_t group);
/* Length of the public value of a group, 0 when not supported. */
size_t ke_public_len(uint16_t group);

/* ---- hashes -------------------------------------------------------------------------------- */
int sha1(const struct slice *parts, unsigned int n, uint8_t out[20]); /* NAT_DETECTION only */
int sha256(const struct slice *parts, unsigned int n, uint8_t out[32]);
int hmac_sha256(struct slice key, const struct slice *parts, unsigned int n, uint8_t out[32]);

/* ---- AUTH payload (RFC 7296 2.15) ---------------------------------------------------------- */
/* prf(SK_p, body of the ID payload). Then octets = first message | nonce of the other | that. */
int auth_maced_id(uint16_t prf_id, const struct secret *sk_p, struct slice id_body,
		  uint8_t out[CRYPT_PRF_MAX]);
/* prf(psk, "Key Pad for IKEv2"), which MACs the octets of both sides: as secret as the PSK. */
int auth_psk_key(uint16_t prf_id, struct slice psk, uint8_t out[CRYPT_PRF_MAX]);
/* prf(prf(psk, "Key Pad for IKEv2"), octets): what the keys role computes. */
int auth_psk(uint16_t prf_id, struct slice psk, const struct slice *octets, unsigned int n,
	     uint8_t out[CRYPT_PRF_MAX]);
size_t prf_len(uint16_t prf_id); /* output bytes, 0 when unknown */
