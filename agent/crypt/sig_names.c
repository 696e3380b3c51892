/* SPDX-License-Identifier: BSD-2-Clause */
#include "sig_int.h"

#include "agent/wire/ike.h"
#include "common/rd.h"

#include <errno.h>
#include <string.h>

/* RFC 7427 appendix A: the bytes are compared as they are, no AlgorithmIdentifier is parsed. */
#define BYTES(...)                                                                                 \
	.algid = (const uint8_t[]){__VA_ARGS__}, .algid_len = sizeof((const uint8_t[]){__VA_ARGS__})
#define OID_SHA2(last) 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, (last)
#define RSA_ALGID(last)                                                                            \
	BYTES(0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, (last),      \
	      0x05, 0x00)
#define PSS_ALGID(hash, salt)                                                                      \
	BYTES(0x30, 0x41, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a, 0x30,  \
	      0x34, 0xa0, 0x0f, 0x30, 0x0d, 0x06, 0x09, OID_SHA2(hash), 0x05, 0x00, 0xa1, 0x1c,    \
	      0x30, 0x1a, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08, 0x30,  \
	      0x0d, 0x06, 0x09, OID_SHA2(hash), 0x05, 0x00, 0xa2, 0x03, 0x02, 0x01, (salt))
#define ECDSA_ALGID(last)                                                                          \
	BYTES(0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, (last))
#define EDDSA_ALGID(last) BYTES(0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, (last))

static const struct sig_row rows[SIG_SCHEMES] = {
    [SIG_NONE] = {.name = "no signature"},
    [SIG_RSA_SHA1] = {.name = "RSA with SHA-1",
		      .digest = "SHA1",
		      .len = 20,
		      .hash = SIG_HASH_SHA1,
		      .method = AUTH_METHOD_RSA},
    [SIG_RSA_SHA256] = {"RSA with SHA-256", "SHA256", 32, SIG_HASH_SHA256, AUTH_METHOD_SIGNATURE,
			RSA_ALGID(0x0b)},
    [SIG_RSA_SHA384] = {"RSA with SHA-384", "SHA384", 48, SIG_HASH_SHA384, AUTH_METHOD_SIGNATURE,
			RSA_ALGID(0x0c)},
    [SIG_RSA_SHA512] = {"RSA with SHA-512", "SHA512", 64, SIG_HASH_SHA512, AUTH_METHOD_SIGNATURE,
			RSA_ALGID(0x0d)},
    [SIG_PSS_SHA256] = {"RSA-PSS with SHA-256", "SHA256", 32, SIG_HASH_SHA256,
			AUTH_METHOD_SIGNATURE, PSS_ALGID(0x01, 0x20)},
    [SIG_PSS_SHA384] = {"RSA-PSS with SHA-384", "SHA384", 48, SIG_HASH_SHA384,
			AUTH_METHOD_SIGNATURE, PSS_ALGID(0x02, 0x30)},
    [SIG_PSS_SHA512] = {"RSA-PSS with SHA-512", "SHA512", 64, SIG_HASH_SHA512,
			AUTH_METHOD_SIGNATURE, PSS_ALGID(0x03, 0x40)},
    [SIG_ECDSA_256] = {.name = "ECDSA-256",
		       .digest = "SHA256",
		       .len = 32,
		       .hash = SIG_HASH_SHA256,
		       .method = AUTH_METHOD_ECDSA_256},
    [SIG_ECDSA_384] = {.name = "ECDSA-384",
		       .digest = "SHA384",
		       .len = 48,
		       .hash = SIG_HASH_SHA384,
		       .method = AUTH_METHOD_ECDSA_384},
    [SIG_ECDSA_521] = {.name = "ECDSA-521",
		       .digest = "SHA512",
		       .len = 66,
		       .hash = SIG_HASH_SHA512,
		       .method = AUTH_METHOD_ECDSA_521},
    [SIG_ECDSA_SHA256] = {"ECDSA with SHA-256", "SHA256", 32, SIG_HASH_SHA256,
			  AUTH_METHOD_SIGNATURE, ECDSA_ALGID(0x02)},
    [SIG_ECDSA_SHA384] = {"ECDSA with SHA-384", "SHA384", 48, SIG_HASH_SHA384,
			  AUTH_METHOD_SIGNATURE, ECDSA_ALGID(0x03)},
    [SIG_ECDSA_SHA512] = {"ECDSA with SHA-512", "SHA512", 64, SIG_HASH_SHA512,
			  AUTH_METHOD_SIGNATURE, ECDSA_ALGID(0x04)},
    [SIG_ED25519] = {"Ed25519", NULL, 64, SIG_HASH_IDENTITY, AUTH_METHOD_SIGNATURE,
		     EDDSA_ALGID(0x70)},
    [SIG_ED448] = {"Ed448", NULL, 114, SIG_HASH_IDENTITY, AUTH_METHOD_SIGNATURE, EDDSA_ALGID(0x71)},
};

const struct sig_row *sig_row(enum sig_scheme s)
{
	return &rows[s > SIG_NONE && s < SIG_SCHEMES ? s : SIG_NONE];
}

const char *sig_scheme_name(enum sig_scheme s)
{
	return sig_row(s)->name;
}

const char *sig_key_type_name(enum sig_key_type t)
{
	static const char *const names[] = {
	    [SIG_KEY_RSA] = "RSA",	   [SIG_KEY_RSA_PSS] = "RSA-PSS", [SIG_KEY_EC] = "ECDSA",
	    [SIG_KEY_ED25519] = "Ed25519", [SIG_KEY_ED448] = "Ed448",
	};

	return t >= SIG_KEY_RSA && t <= SIG_KEY_ED448 ? names[t] : "unknown";
}

uint32_t sig_hashes_read(struct slice body)
{
	struct rd r = rd_of(body);
	uint32_t hashes = 0;

	// RFC 7427 4: codes we do not know are ignored
	while (r.n >= 2) {
		uint16_t code = rd_u16(&r);

		if (code >= SIG_HASH_SHA1 && code <= SIG_HASH_IDENTITY)
			hashes |= 1U << code;
	}
	return hashes;
}

void sig_hashes_put(struct wr *w, uint32_t hashes)
{
	for (uint16_t code = SIG_HASH_SHA1; code <= SIG_HASH_IDENTITY; code++)
		if (hashes & 1U << code)
			wr_u16(w, code);
}

bool sig_key_fits(const struct sig_key_info *k, enum sig_scheme s)
{
	switch (s) {
	case SIG_RSA_SHA1:
	case SIG_RSA_SHA256:
	case SIG_RSA_SHA384:
	case SIG_RSA_SHA512:
		return k->type == SIG_KEY_RSA;
	case SIG_PSS_SHA256:
	case SIG_PSS_SHA384:
	case SIG_PSS_SHA512:
		return k->type == SIG_KEY_RSA || k->type == SIG_KEY_RSA_PSS;
	case SIG_ECDSA_256:
	case SIG_ECDSA_384:
	case SIG_ECDSA_521:
		return k->type == SIG_KEY_EC && k->old_curve == s;
	case SIG_ECDSA_SHA256:
	case SIG_ECDSA_SHA384:
	case SIG_ECDSA_SHA512:
		return k->type == SIG_KEY_EC;
	case SIG_ED25519:
		return k->type == SIG_KEY_ED25519;
	case SIG_ED448:
		return k->type == SIG_KEY_ED448;
	default:
		return false;
	}
}

bool sig_allowed(const struct sig_rules *rules, const struct sig_key_info *k, enum sig_scheme s,
		 uint32_t peer_hashes)
{
	static const struct sig_rules none;
	const struct sig_rules *r = rules ? rules : &none;
	bool rsa = k->type == SIG_KEY_RSA || k->type == SIG_KEY_RSA_PSS;

	if (!sig_key_fits(k, s))
		return false;
	if (r->schemes && !(r->schemes & 1U << s))
		return false;
	if (r->keys && !(r->keys & 1U << k->type))
		return false;
	if ((rsa && k->bits < r->rsa_min) || (k->type == SIG_KEY_EC && k->bits < r->ec_min))
		return false;
	// RFC 7427 4: who has announced hashes is not taken back to SHA-1
	return s != SIG_RSA_SHA1 || r->schemes || !(peer_hashes & SIG_HASHES_OURS);
}

/* Hashes in the order in which a key wants them: its own strength first, then upwards. */
static const uint8_t *wanted(const struct sig_key_info *k)
{
	static const uint8_t small[] = {SIG_HASH_SHA256, SIG_HASH_SHA384, SIG_HASH_SHA512},
			     middle[] = {SIG_HASH_SHA384, SIG_HASH_SHA512, SIG_HASH_SHA256},
			     large[] = {SIG_HASH_SHA512, SIG_HASH_SHA384, SIG_HASH_SHA256};
	bool ec = k->type == SIG_KEY_EC;

	if (k->bits <= (ec ? 256 : 3072))
		return small;
	return k->bits <= (ec ? 384 : 7680) ? middle : large;
}

static enum sig_scheme choose_old(const struct sig_key_info *k, const struct sig_rules *rules)
{
	static const enum sig_scheme old[] = {SIG_RSA_SHA1, SIG_ECDSA_256, SIG_ECDSA_384,
					      SIG_ECDSA_521};

	for (size_t i = 0; i < sizeof(old) / sizeof(*old); i++)
		if (sig_allowed(rules, k, old[i], 0))
			return old[i];
	return SIG_NONE;
}

enum sig_scheme sig_choose(const struct sig_key_info *k, uint32_t peer_hashes,
			   const struct sig_rules *rules)
{
	/* RFC 8247 3.2: PSS before PKCS#1 v1.5. */
	static const enum sig_scheme first[] = {SIG_PSS_SHA256, SIG_ECDSA_SHA256, SIG_RSA_SHA256};
	const uint8_t *hash = wanted(k);

	if (!peer_hashes)
		return choose_old(k, rules);
	for (enum sig_scheme s = SIG_ED25519; s <= SIG_ED448; s++)
		if (peer_hashes & 1U << SIG_HASH_IDENTITY && sig_allowed(rules, k, s, peer_hashes))
			return s;
	for (size_t f = 0; f < sizeof(first) / sizeof(*first); f++) {
		for (unsigned int i = 0; i < 3; i++) {
			enum sig_scheme s = first[f] + hash[i] - SIG_HASH_SHA256;

			// RFC 7427 4: only hashes that the peer has announced
			if (peer_hashes & 1U << hash[i] && sig_allowed(rules, k, s, peer_hashes))
				return s;
		}
	}
	return SIG_NONE;
}

struct slice sig_algid(enum sig_scheme s)
{
	const struct sig_row *row = sig_row(s);

	return slice_of(row->algid, row->algid_len);
}

enum sig_scheme sig_algid_find(struct slice algid)
{
	for (enum sig_scheme s = SIG_NONE + 1; s < SIG_SCHEMES; s++)
		if (rows[s].algid_len && rows[s].algid_len == algid.n &&
		    memcmp(rows[s].algid, algid.p, algid.n) == 0)
			return s;
	return SIG_NONE;
}

uint8_t sig_auth_method(enum sig_scheme s)
{
	return sig_row(s)->method;
}

void sig_auth_put(struct wr *w, enum sig_scheme s, struct slice signature)
{
	struct slice id = sig_algid(s);

	if (id.n) {
		wr_u8(w, (uint8_t)id.n);
		wr_put(w, id);
	}
	wr_put(w, signature);
}

int sig_auth_read(uint8_t method, struct slice data, enum sig_scheme *s, struct slice *signature)
{
	struct rd r = rd_of(data);
	struct slice algid;

	*s = SIG_NONE;
	for (enum sig_scheme i = SIG_NONE + 1; i < SIG_SCHEMES; i++)
		if (!rows[i].algid_len && rows[i].method == method)
			*s = i;
	if (*s == SIG_NONE && method != AUTH_METHOD_SIGNATURE)
		return -ENOTSUP;
	if (*s == SIG_NONE) {
		// RFC 7427 3: one byte of length, the AlgorithmIdentifier, the signature
		algid = rd_bytes(&r, rd_u8(&r));
		if (r.failed || !algid.n)
			return -EBADMSG;
		*s = sig_algid_find(algid);
		if (*s == SIG_NONE)
			return -ENOTSUP;
	}
	*signature = rd_rest(&r);
	return signature->n && signature->n <= SIG_MAX ? 0 : -EBADMSG;
}
