/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "pkt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gw_dataplane_conf;

/*
 * ESP ciphers behind one table, so that DPDK cryptodev and OpenSSL are interchangeable. A backend works in
 * place on bursts of packets of one SA. Sessions are made and freed by the control thread and used by the one
 * worker that owns the SA.
 */

/* IKEv2 transform ids that the dataplane knows. */
enum { ENCR_AES_CBC = 12, ENCR_AES_GCM_16 = 20 };
enum { INTEG_NONE = 0, INTEG_SHA2_256_128 = 12, INTEG_SHA2_384_192 = 13, INTEG_SHA2_512_256 = 14 };

enum {
	CRYPTO_IV_MAX = 16,
	CRYPTO_ICV_MAX = 32,
	CRYPTO_SALT_LEN = 4,
	CRYPTO_GCM_IV = 12,
	CRYPTO_TAIL = 4, /* bytes behind the ICV that a backend may overwrite (the high half of the number) */
};

/* One pair of cipher and integrity algorithm: sizes in bytes. */
struct crypto_suite {
	uint16_t encr, encr_bits, integ;
	uint8_t key_len, salt_len, integ_key_len;
	uint8_t iv_len, icv_len, align;
	const char *name, *digest; /* digest: OpenSSL's name, NULL with AEAD */
};

struct crypto_keys {
	const uint8_t *encr;  /* key, then salt */
	const uint8_t *integ;
	bool esn;
};

enum crypto_dir { CRYPTO_SEAL, CRYPTO_OPEN };

enum crypto_status {
	CRYPTO_OK,
	CRYPTO_BAD_TAG,
	CRYPTO_FAILED,	   /* the cipher or the device reported an error */
	CRYPTO_QUEUE_FULL, /* a device took no more */
};

/* One packet: ESP header, IV, payload with trailer, then room for (or) the ICV. */
struct crypto_req {
	uint8_t *esp;
	uint32_t len;	 /* of header, IV and payload, without ICV */
	uint32_t seq_hi; /* host order; used with ESN */
	enum crypto_status status;
};

struct crypto_backend;

struct crypto_session {
	const struct crypto_backend *backend;
	const struct crypto_suite *suite;
	bool esn;
};

struct crypto_backend {
	const char *name;
	/* NULL and errno: -ENOTSUP when this backend cannot do the suite. */
	struct crypto_session *(*session_new)(const struct crypto_suite *suite,
					      const struct crypto_keys *keys, enum crypto_dir dir,
					      unsigned int worker);
	void (*session_free)(struct crypto_session *s);
	/* n is at most PKT_BURST. IVs are in place. Seal appends the ICV, open verifies it in a time that does not
	 * depend on its value (see crypto_cryptodev.c for what a PMD does) and leaves the payload in clear. */
	void (*seal)(struct crypto_session *s, struct crypto_req *req, unsigned int n);
	void (*open)(struct crypto_session *s, struct crypto_req *req, unsigned int n);
};

/* NULL when there is no such suite. */
const struct crypto_suite *crypto_suite_find(uint16_t encr, uint16_t bits, uint16_t integ);
const struct crypto_suite *crypto_suite_at(unsigned int i); /* for tests and lists; NULL at the end */

extern const struct crypto_backend crypto_openssl;

/*
 * Starts DPDK with the devices of the configuration. 0 and *out, or -errno and one line in err (-ENOTSUP when
 * built without DPDK). Once a process. max_sas bounds the memory for sessions.
 */
int crypto_cryptodev_start(const struct gw_dataplane_conf *conf, unsigned int workers,
			   uint32_t max_sas, const struct crypto_backend **out, char *err, size_t errlen);
/* "crypto_aesni_gcm, crypto_aesni_mb" */
const char *crypto_cryptodev_devices(void);

/* A session of the backend, or of OpenSSL when the backend cannot do the suite. NULL and errno. */
struct crypto_session *crypto_session_new(const struct crypto_backend *backend,
					  const struct crypto_suite *suite,
					  const struct crypto_keys *keys, enum crypto_dir dir,
					  unsigned int worker);
void crypto_session_free(struct crypto_session *s);
