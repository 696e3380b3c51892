/* SPDX-License-Identifier: BSD-2-Clause */
#include "crypt.h"
#include "evp.h"

#include <openssl/core_names.h>
#include <openssl/dh.h>
#include <openssl/err.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { EC_UNCOMPRESSED = 0x04, KE_ENCODED_MAX = CRYPT_KE_PUBLIC_MAX + 1 };

struct ke {
	const struct alg *alg;
	EVP_PKEY *pair; /* NULL after the shared secret was made */
	uint8_t public_value[];
};

/* RFC 5903 7: a point is x | y, without the byte in front that OpenSSL wants. */
static bool is_ec(const struct alg *a)
{
	return !strcmp(a->family, "EC");
}

static bool is_dh(const struct alg *a)
{
	return !strcmp(a->family, "DH");
}

static const struct alg *group_find(uint16_t group)
{
	const struct alg *a = group == KE_NONE ? NULL : alg_find(IKE_T_KE, group, 0);

	return a && crypt_available(a) ? a : NULL;
}

bool ke_supported(uint16_t group)
{
	return group_find(group) != NULL;
}

size_t ke_public_len(uint16_t group)
{
	const struct alg *a = group_find(group);

	return a ? a->out_len : 0;
}

static int public_encode(const struct alg *a, const EVP_PKEY *pair, uint8_t *out)
{
	uint8_t buf[KE_ENCODED_MAX];
	size_t n, skip = is_ec(a);

	if (!EVP_PKEY_get_octet_string_param(pair, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, buf,
					     sizeof(buf), &n))
		return -EIO;
	if (n < skip || n - skip > a->out_len || (skip && buf[0] != EC_UNCOMPRESSED))
		return -EIO;
	/* RFC 7296 3.4: a MODP value is as long as its modulus, zeros in front */
	memset(out, 0, a->out_len);
	memcpy(out + a->out_len - (n - skip), buf + skip, n - skip);
	return 0;
}

struct ke *ke_new(uint16_t group)
{
	const struct alg *a = group_find(group);
	EVP_PKEY_CTX *c = a ? evp_keygen_ctx(a) : NULL;
	struct ke *k;

	if (!c) {
		errno = ENOTSUP;
		return NULL;
	}
	k = calloc(1, sizeof(*k) + a->out_len);
	if (!k)
		return NULL;
	k->alg = a;
	if (EVP_PKEY_generate(c, &k->pair) <= 0 || public_encode(a, k->pair, k->public_value)) {
		ERR_clear_error();
		ke_free(k);
		errno = EIO;
		return NULL;
	}
	return k;
}

struct slice ke_public(const struct ke *k)
{
	return slice_of(k->public_value, k->alg->out_len);
}

uint16_t ke_group(const struct ke *k)
{
	return k->alg->id;
}

void ke_free(struct ke *k)
{
	if (!k)
		return;
	EVP_PKEY_free(k->pair);
	free(k);
}

/*
 * RFC 6989 2: on the curve with coordinates in range, or 1 < y < p - 1. The groups have cofactor 1
 * or safe primes, so the quick check is the whole check; the slow one would raise y to the order of
 * the subgroup.
 */
static EVP_PKEY *peer_decode(const struct ke *k, struct slice peer)
{
	uint8_t buf[KE_ENCODED_MAX] = {EC_UNCOMPRESSED};
	struct evp_peer *e = evp_peer(k->alg);
	size_t skip = is_ec(k->alg);

	memcpy(buf + skip, peer.p, peer.n);
	if (!e)
		return NULL;
	if (!e->check) {
		EVP_PKEY_free(e->key);
		e->key = EVP_PKEY_new();
		if (!e->key || !EVP_PKEY_copy_parameters(e->key, k->pair) ||
		    !EVP_PKEY_set1_encoded_public_key(e->key, buf, peer.n + skip))
			return NULL;
		e->check = EVP_PKEY_CTX_new_from_pkey(NULL, e->key, NULL);
	} else if (!EVP_PKEY_set1_encoded_public_key(e->key, buf, peer.n + skip)) {
		return NULL;
	}
	return e->check && EVP_PKEY_public_check_quick(e->check) == 1 ? e->key : NULL;
}

/* RFC 8031 3, RFC 7748 6: a result of zeros comes from a point of small order. */
static bool all_zero(const uint8_t *p, size_t n)
{
	uint8_t any = 0;

	for (size_t i = 0; i < n; i++)
		any |= p[i];
	return !any;
}

static int derive(const struct ke *k, EVP_PKEY *peer, struct secret *out)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, k->pair, NULL);
	size_t want = is_ec(k->alg) ? k->alg->out_len / 2 : k->alg->out_len, n;
	int r = -EINVAL;

	if (!c || EVP_PKEY_derive_init(c) <= 0 ||
	    (is_dh(k->alg) && EVP_PKEY_CTX_set_dh_pad(c, 1) <= 0) ||
	    EVP_PKEY_derive_set_peer_ex(c, peer, 0) <= 0) {
		EVP_PKEY_CTX_free(c);
		return -EIO;
	}
	if (secret_new(out, want)) {
		EVP_PKEY_CTX_free(c);
		return -ENOMEM;
	}
	n = want;
	if (EVP_PKEY_derive(c, out->p, &n) > 0 && n == want && !all_zero(out->p, n))
		r = 0;
	else
		secret_free(out);
	EVP_PKEY_CTX_free(c);
	return r;
}

int ke_shared(struct ke *k, struct slice peer, struct secret *out)
{
	EVP_PKEY *p;
	int r;

	if (!k->pair)
		return -EPIPE;
	if (peer.n != k->alg->out_len)
		return -EINVAL;
	p = peer_decode(k, peer);
	if (!p) {
		ERR_clear_error();
		return -EINVAL;
	}
	r = derive(k, p, out);
	ERR_clear_error();
	if (!r) {
		EVP_PKEY_free(k->pair);
		k->pair = NULL;
	}
	return r;
}
