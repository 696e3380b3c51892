/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "common/slice.h"
#include "common/wr.h"

#include <stdbool.h>

/*
 * Signatures of IKE_AUTH (RFC 7296 2.15, RFC 4754, RFC 7427, RFC 8420) over OpenSSL EVP. Public
 * keys at this boundary are DER SubjectPublicKeyInfo, private keys are opaque. Encodings are exact:
 * what is not the one encoding of a signature is refused, and so are keys that are too weak.
 */
enum sig_scheme {
	SIG_NONE,
	SIG_RSA_SHA1, /* RSASSA-PKCS1-v1_5; of the old method 1 alone, never in RFC 7427's */
	SIG_RSA_SHA256,
	SIG_RSA_SHA384,
	SIG_RSA_SHA512,
	SIG_PSS_SHA256, /* RSASSA-PSS, salt as long as the hash, MGF1 with the same hash */
	SIG_PSS_SHA384,
	SIG_PSS_SHA512,
	SIG_ECDSA_256,	  /* RFC 4754: r | s; P-256 with SHA-256, */
	SIG_ECDSA_384,	  /* P-384 with SHA-384, */
	SIG_ECDSA_521,	  /* P-521 with SHA-512 */
	SIG_ECDSA_SHA256, /* RFC 7427: DER; any curve of ours, brainpool too */
	SIG_ECDSA_SHA384,
	SIG_ECDSA_SHA512,
	SIG_ED25519, /* RFC 8420 */
	SIG_ED448,
	SIG_SCHEMES,
};

enum {
	SIG_RSA_BITS_MIN = 2048,
	SIG_RSA_BITS_MAX = 8192,	/* more would be work for who knows whom */
	SIG_MAX = SIG_RSA_BITS_MAX / 8, /* bytes of any signature */
	SIG_ALGID_MAX = 80,
	SIG_AUTH_MAX = 1 + SIG_ALGID_MAX + SIG_MAX, /* bytes of any AUTH data */
	SIG_SPKI_MAX = 1200,
	SIG_KEY_ID_LEN = 20,
};

/* Hash algorithms of SIGNATURE_HASH_ALGORITHMS (RFC 7427 7, RFC 8420 2); sets are bits 1 << code.
 */
enum sig_hash {
	SIG_HASH_SHA1 = 1,
	SIG_HASH_SHA256 = 2,
	SIG_HASH_SHA384 = 3,
	SIG_HASH_SHA512 = 4,
	SIG_HASH_IDENTITY = 5,
};
/* What we announce: all but SHA-1. */
#define SIG_HASHES_OURS                                                                            \
	(1U << SIG_HASH_SHA256 | 1U << SIG_HASH_SHA384 | 1U << SIG_HASH_SHA512 |                   \
	 1U << SIG_HASH_IDENTITY)
/* Body of a SIGNATURE_HASH_ALGORITHMS notify from and to bits; unknown codes are skipped. */
uint32_t sig_hashes_read(struct slice body);
void sig_hashes_put(struct wr *w, uint32_t hashes);

enum sig_key_type { SIG_KEY_RSA = 1, SIG_KEY_RSA_PSS, SIG_KEY_EC, SIG_KEY_ED25519, SIG_KEY_ED448 };

/* What a public key is. */
struct sig_key_info {
	enum sig_key_type type;
	uint16_t bits;	   /* of the modulus or the curve's order */
	uint8_t old_curve; /* SIG_ECDSA_256, 384 or 521 when the curve is one of theirs, else 0 */
	uint8_t id[SIG_KEY_ID_LEN]; /* SHA-1 of the SubjectPublicKeyInfo, RFC 7296 3.7 */
};

/* What the configuration allows. All zero: whatever is not weak. */
struct sig_rules {
	uint32_t schemes; /* bits 1 << enum sig_scheme; 0 = all. Says SHA-1 of method 1, too */
	uint32_t keys;	  /* bits 1 << enum sig_key_type; 0 = all */
	uint16_t rsa_min, ec_min; /* bits; 0 = SIG_RSA_BITS_MIN and 256 */
};

/* Fetches what signing and verifying takes, for a process that will be locked in afterwards. */
int sig_init(void);
/* "RSA-PSS with SHA-256", for people. Never NULL. */
const char *sig_scheme_name(enum sig_scheme s);
const char *sig_key_type_name(enum sig_key_type t);
/* Checks a key: DER without trailing bytes, a type of ours, strong enough (RSA 2048 to 8192 bits,
 * odd e from 65537 to 64 bits; named curves P-256, 384, 521, brainpool 256, 384, 512). 0, -EBADMSG
 * malformed, -ENOTSUP type or curve, -EKEYREJECTED weak; *why is a constant text of the reason. */
int sig_key_check(struct slice spki, struct sig_key_info *info, const char **why);
/* May this key sign by this scheme at all? */
bool sig_key_fits(const struct sig_key_info *k, enum sig_scheme s);
/* Is the scheme with this key allowed? SIG_RSA_SHA1 from a peer that announced better hashes is
 * not, unless the rules name it (hashes 0: it announced none). */
bool sig_allowed(const struct sig_rules *rules, const struct sig_key_info *k, enum sig_scheme s,
		 uint32_t peer_hashes);
/* The best scheme to sign with. peer_hashes 0: the peer does not know RFC 7427, the old methods
 * must do. SIG_NONE when none does. */
enum sig_scheme sig_choose(const struct sig_key_info *k, uint32_t peer_hashes,
			   const struct sig_rules *rules);

/* 0, -EBADMSG: not a signature of these octets by this key in its one encoding, -ENOTSUP the key
 * does not fit the scheme, -EKEYREJECTED weak. */
int sig_verify(enum sig_scheme s, struct slice spki, struct slice octets, struct slice signature);

/* A private key; wiped when freed. */
struct sig_key;
/* PKCS#8 and traditional, PEM and DER; passphrase NULL for none. 0, -EACCES: encrypted, and the
 * passphrase is missing or wrong, -EBADMSG no private key, -ENOTSUP type, -EKEYREJECTED weak. Signs
 * once to prove that its halves belong together (-EBADMSG). Asks nobody. */
int sig_private_load(struct slice bytes, const char *passphrase, struct sig_key **out);
void sig_private_free(struct sig_key *k);
const struct sig_key_info *sig_private_info(const struct sig_key *k);
struct slice sig_private_spki(const struct sig_key *k); /* lives as long as the key */
/* 0 and *n bytes in out; -ENOTSUP when the key does not fit. */
int sig_sign(const struct sig_key *k, enum sig_scheme s, struct slice octets, uint8_t out[SIG_MAX],
	     size_t *n);

/* The DER AlgorithmIdentifier of RFC 7427 appendix A and RFC 8420; empty for the old schemes. */
struct slice sig_algid(enum sig_scheme s);
/* By exact bytes; SIG_NONE for all else. */
enum sig_scheme sig_algid_find(struct slice algid);
/* Auth method of a scheme: 1, 9, 10, 11 or 14. */
uint8_t sig_auth_method(enum sig_scheme s);
/* AUTH data (without method) from scheme and signature; RFC 7427 3: length, AlgorithmIdentifier,
 * signature. */
void sig_auth_put(struct wr *w, enum sig_scheme s, struct slice signature);
/* The reverse. -ENOTSUP: a method or AlgorithmIdentifier that is not ours; -EBADMSG malformed. */
int sig_auth_read(uint8_t method, struct slice data, enum sig_scheme *s, struct slice *signature);
