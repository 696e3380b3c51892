/* SPDX-License-Identifier: BSD-2-Clause */
#include "crypto.h"

#include <errno.h>

/* Keys and tags: RFC 4106, RFC 3602, RFC 4868. CBC pads to the block, GCM to 4 (RFC 4303 2.4). */
#define GCM(bits) \
	{ENCR_AES_GCM_16, bits, INTEG_NONE, bits / 8, CRYPTO_SALT_LEN, 0, 8, 16, 4, "aes" #bits "gcm16", NULL}
#define CBC(bits, integ, keylen, icvlen, name, digest) \
	{ENCR_AES_CBC, bits, integ, bits / 8, 0, keylen, 16, icvlen, 16, "aes" #bits "-" name, digest}

static const struct crypto_suite suites[] = {
	GCM(128),
	GCM(192),
	GCM(256),
	CBC(128, INTEG_SHA2_256_128, 32, 16, "sha256", "SHA2-256"),
	CBC(192, INTEG_SHA2_256_128, 32, 16, "sha256", "SHA2-256"),
	CBC(256, INTEG_SHA2_256_128, 32, 16, "sha256", "SHA2-256"),
	CBC(128, INTEG_SHA2_384_192, 48, 24, "sha384", "SHA2-384"),
	CBC(192, INTEG_SHA2_384_192, 48, 24, "sha384", "SHA2-384"),
	CBC(256, INTEG_SHA2_384_192, 48, 24, "sha384", "SHA2-384"),
	CBC(128, INTEG_SHA2_512_256, 64, 32, "sha512", "SHA2-512"),
	CBC(192, INTEG_SHA2_512_256, 64, 32, "sha512", "SHA2-512"),
	CBC(256, INTEG_SHA2_512_256, 64, 32, "sha512", "SHA2-512"),
};

enum { SUITES = sizeof(suites) / sizeof(suites[0]) };

const struct crypto_suite *crypto_suite_at(unsigned int i)
{
	return i < SUITES ? &suites[i] : NULL;
}

const struct crypto_suite *crypto_suite_find(uint16_t encr, uint16_t bits, uint16_t integ)
{
	for (unsigned int i = 0; i < SUITES; i++)
		if (suites[i].encr == encr && suites[i].encr_bits == bits && suites[i].integ == integ)
			return &suites[i];
	return NULL;
}

struct crypto_session *crypto_session_new(const struct crypto_backend *backend,
					  const struct crypto_suite *suite,
					  const struct crypto_keys *keys, enum crypto_dir dir,
					  unsigned int worker)
{
	struct crypto_session *s = backend->session_new(suite, keys, dir, worker);

	if (!s && backend != &crypto_openssl)
		s = crypto_openssl.session_new(suite, keys, dir, worker);
	return s;
}

void crypto_session_free(struct crypto_session *s)
{
	if (s)
		s->backend->session_free(s);
}
