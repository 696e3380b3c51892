/* SPDX-License-Identifier: BSD-2-Clause */
#include "evp.h"

#include "common/log.h"
#include "common/secret.h"
#include "crypt.h"
#include "mac.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/provider.h>
#include <openssl/rand.h>

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { RANDOM_POOL = 512, RANDOM_LARGE = 64 };

/* Written once under `once`, read-only afterwards. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int init_error;
static bool available[ALG_ROWS_MAX], legacy_on;
static EVP_CIPHER *ciphers[ALG_ROWS_MAX];
static EVP_MD *md_sha1, *md_sha256;
static pthread_key_t thread_key;

/*
 * Random bytes drawn ahead, as most callers want eight to thirty-two. Wiped as they are handed out. The page is of
 * its own so that a forked child finds it zeroed, hence empty, and never hands out what its parent does.
 */
struct random_pool {
	size_t left;
	uint8_t b[RANDOM_POOL];
};

struct thread_ctx {
	struct random_pool *random;
	EVP_CIPHER_CTX *cipher;
	EVP_MD_CTX *digest;
	struct evp_mac *mac[ALG_ROWS_MAX];
	EVP_PKEY_CTX *keygen[ALG_ROWS_MAX];
	struct evp_peer peer[ALG_ROWS_MAX];
};
static __thread struct thread_ctx *mine;

/* NULL: no page that a fork empties, so nothing is drawn ahead. */
static struct random_pool *pool_open(void)
{
	void *p = mmap(NULL, sizeof(struct random_pool), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	if (!madvise(p, sizeof(struct random_pool), MADV_WIPEONFORK) &&
	    !madvise(p, sizeof(struct random_pool), MADV_DONTDUMP) && !mlock(p, sizeof(struct random_pool)))
		return p;
	munmap(p, sizeof(struct random_pool));
	return NULL;
}

static void pool_close(struct random_pool *r)
{
	if (!r)
		return;
	secret_wipe(r, sizeof(*r));
	munmap(r, sizeof(*r));
}

static void thread_ctx_free(void *p)
{
	struct thread_ctx *t = p;

	EVP_CIPHER_CTX_free(t->cipher);
	EVP_MD_CTX_free(t->digest);
	for (unsigned int i = 0; i < ALG_ROWS_MAX; i++) {
		mac_free(t->mac[i]);
		EVP_PKEY_CTX_free(t->keygen[i]);
		EVP_PKEY_CTX_free(t->peer[i].check);
		EVP_PKEY_free(t->peer[i].key);
	}
	pool_close(t->random);
	free(t);
	mine = NULL;
}

/* RFC 2409 6.1, 6.2: groups so old that OpenSSL has their primes but no name for them. */
static EVP_PKEY *old_group(const struct alg *a)
{
	BIGNUM *p = a->id == KE_MODP_768    ? BN_get_rfc2409_prime_768(NULL)
		    : a->id == KE_MODP_1024 ? BN_get_rfc2409_prime_1024(NULL)
					    : NULL;
	EVP_PKEY_CTX *c = p ? EVP_PKEY_CTX_new_from_name(NULL, a->family, NULL) : NULL;
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *group = NULL;

	if (c && b && OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_FFC_P, p) &&
	    OSSL_PARAM_BLD_push_uint(b, OSSL_PKEY_PARAM_FFC_G, 2))
		params = OSSL_PARAM_BLD_to_param(b);
	if (!params || EVP_PKEY_fromdata_init(c) <= 0 ||
	    EVP_PKEY_fromdata(c, &group, EVP_PKEY_KEY_PARAMETERS, params) <= 0)
		group = NULL;
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(b);
	EVP_PKEY_CTX_free(c);
	BN_free(p);
	return group;
}

static EVP_PKEY_CTX *keygen_ctx_new(const struct alg *a)
{
	EVP_PKEY *group = a->id == KE_MODP_768 || a->id == KE_MODP_1024 ? old_group(a) : NULL;
	EVP_PKEY_CTX *c = group ? EVP_PKEY_CTX_new_from_pkey(NULL, group, NULL)
				: EVP_PKEY_CTX_new_from_name(NULL, a->family, NULL);
	bool named = a->openssl && !group;

	EVP_PKEY_free(group);
	if (c && (EVP_PKEY_keygen_init(c) <= 0 ||
		  (named && EVP_PKEY_CTX_set_group_name(c, a->openssl) <= 0))) {
		EVP_PKEY_CTX_free(c);
		c = NULL;
	}
	return c;
}

static bool row_probe(const struct alg *a)
{
	unsigned int i = alg_index(a);
	EVP_PKEY_CTX *keygen;
	struct evp_mac *mac;

	switch (a->type) {
	case IKE_T_ENCR:
		ciphers[i] = EVP_CIPHER_fetch(NULL, a->openssl, NULL);
		return ciphers[i] != NULL;
	case IKE_T_PRF:
	case IKE_T_INTEG:
		mac = mac_new(a);
		mac_free(mac);
		return mac != NULL;
	case IKE_T_KE:
		if (!a->family)
			return true;
		keygen = keygen_ctx_new(a);
		EVP_PKEY_CTX_free(keygen);
		return keygen != NULL;
	default:
		return true;
	}
}

static void fetch_all(void)
{
	const struct alg *a;

	init_error = macs_fetch();
	md_sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
	md_sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (init_error || !md_sha1 || !md_sha256 ||
	    pthread_key_create(&thread_key, thread_ctx_free)) {
		log_line(LOG_DAEMON, 0, "OpenSSL has no HMAC, SHA-1 or SHA-256 here");
		init_error = -ENOTSUP;
		ERR_clear_error();
		return;
	}
	for (unsigned int i = 0; (a = alg_at(i)); i++) {
		available[i] = row_probe(a);
		if (!available[i] && !a->legacy)
			log_line(LOG_DAEMON, 1, "OpenSSL does not offer %s: not available",
				 a->text);
	}
	ERR_clear_error();
}

int crypt_init(void)
{
	pthread_once(&once, fetch_all);
	return init_error;
}

static void fetch_legacy(void)
{
	const struct alg *a;

	/* Loading one by name switches off the automatic loading of "default". */
	if (!OSSL_PROVIDER_load(NULL, "default") || !OSSL_PROVIDER_load(NULL, "legacy"))
		log_line(LOG_DAEMON, 1, "OpenSSL has no provider 'legacy' here");
	for (unsigned int i = 0; (a = alg_at(i)); i++) {
		if (!a->legacy || available[i])
			continue;
		available[i] = row_probe(a);
		if (!available[i])
			log_line(LOG_DAEMON, 1, "OpenSSL does not offer %s: not available",
				 a->text);
	}
	ERR_clear_error();
	legacy_on = true;
}

void crypt_legacy(void)
{
	static pthread_once_t legacy_once = PTHREAD_ONCE_INIT;

	if (!crypt_init())
		pthread_once(&legacy_once, fetch_legacy);
}

bool crypt_legacy_on(void)
{
	return legacy_on;
}

bool crypt_available(const struct alg *a)
{
	return !crypt_init() && available[alg_index(a)] && (!a->legacy || legacy_on);
}

static struct thread_ctx *thread_ctx(void)
{
	if (mine)
		return mine;
	if (crypt_init())
		return NULL;
	mine = calloc(1, sizeof(*mine));
	if (mine)
		pthread_setspecific(thread_key, mine);
	return mine;
}

static int random_draw(void *p, size_t n)
{
	if (n > INT_MAX)
		return -EINVAL;
	if (RAND_bytes(p, (int)n) == 1)
		return 0;
	ERR_clear_error();
	return -EIO;
}

void crypt_random_ahead(void)
{
	struct thread_ctx *t = thread_ctx();

	if (t && !t->random)
		t->random = pool_open();
}

int crypt_random(void *p, size_t n)
{
	struct random_pool *r = mine ? mine->random : NULL;
	uint8_t *from;

	if (!r || n > RANDOM_LARGE)
		return random_draw(p, n);
	if (r->left < n) {
		r->left = 0;
		if (random_draw(r->b, sizeof(r->b)))
			return -EIO;
		r->left = sizeof(r->b);
	}
	r->left -= n;
	from = r->b + r->left;
	memcpy(p, from, n);
	secret_wipe(from, n);
	return 0;
}

const EVP_CIPHER *evp_cipher(const struct alg *a)
{
	return crypt_init() ? NULL : ciphers[alg_index(a)];
}

EVP_CIPHER_CTX *evp_cipher_ctx(void)
{
	struct thread_ctx *t = thread_ctx();

	if (t && !t->cipher)
		t->cipher = EVP_CIPHER_CTX_new();
	return t ? t->cipher : NULL;
}

EVP_PKEY_CTX *evp_keygen_ctx(const struct alg *a)
{
	struct thread_ctx *t = thread_ctx();
	unsigned int i = alg_index(a);

	if (!t || !a->family || !available[i])
		return NULL;
	if (!t->keygen[i])
		t->keygen[i] = keygen_ctx_new(a);
	return t->keygen[i];
}

struct evp_peer *evp_peer(const struct alg *a)
{
	struct thread_ctx *t = thread_ctx();

	return t ? &t->peer[alg_index(a)] : NULL;
}

struct evp_mac *evp_mac_begin(const struct alg *a, struct slice key)
{
	struct thread_ctx *t = thread_ctx();
	unsigned int i = alg_index(a);

	if (!t || !available[i])
		return NULL;
	if (!t->mac[i])
		t->mac[i] = mac_new(a);
	return t->mac[i] && mac_begin(t->mac[i], key) ? t->mac[i] : NULL;
}

static int digest(const EVP_MD *md, const struct slice *parts, unsigned int n, uint8_t *out)
{
	struct thread_ctx *t = thread_ctx();
	int ok;

	if (!t)
		return -ENOMEM;
	if (!t->digest)
		t->digest = EVP_MD_CTX_new();
	ok = t->digest && EVP_DigestInit_ex2(t->digest, md, NULL);
	for (unsigned int i = 0; ok && i < n; i++) {
		if (parts[i].n)
			ok = EVP_DigestUpdate(t->digest, parts[i].p, parts[i].n);
	}
	if (ok && EVP_DigestFinal_ex(t->digest, out, NULL))
		return 0;
	ERR_clear_error();
	return -EIO;
}

int sha1(const struct slice *parts, unsigned int n, uint8_t out[20])
{
	return crypt_init() ? -ENOTSUP : digest(md_sha1, parts, n, out);
}

int sha256(const struct slice *parts, unsigned int n, uint8_t out[32])
{
	return crypt_init() ? -ENOTSUP : digest(md_sha256, parts, n, out);
}
