/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "pkt.h"

#include "common/alg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gw_dataplane_conf;

/*
 * ESP ciphers behind one table, so that DPDK cryptodev and OpenSSL are interchangeable. A backend works in
 * place on bursts of packets of one SA. Sessions are made and freed by the control thread and used by the one
 * worker that owns the SA.
 */
enum {
	CRYPTO_IV_MAX = 16,
	CRYPTO_ICV_MAX = 32,
	CRYPTO_DIGEST_MAX = 64,
	CRYPTO_SALT_MAX = 4,
	CRYPTO_AAD_MAX = 12,
	CRYPTO_HEAD = 4, /* bytes in front of the ESP header that a backend may use, and puts back */
	CRYPTO_TAIL = 4, /* bytes behind the ICV that a backend may overwrite (the high half of the number) */
};

/* One pair of cipher and integrity algorithm, out of the rows of common/alg.c: sizes in bytes. */
struct crypto_suite {
	const struct alg *cipher, *mac; /* mac: NULL with AEAD */
	uint16_t encr, encr_bits, integ; /* the transform ids of both */
	uint8_t mode;			 /* enum alg_mode */
	uint8_t key_len, salt_len, integ_key_len;
	uint8_t iv_len, icv_len, align;
	bool random_iv; /* the IV must be unpredictable; else it only must not repeat under the key */
	char name[40];	/* "aes256-sha384" */
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
	/* True when sessions of the suite can be made, here and now. */
	bool (*can)(const struct crypto_suite *suite);
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

/* Every ENCR row for ESP that stands alone, and every other with every INTEG row; NULL when there is no such suite:
 * encryption without integrity is none (RFC 8221 4). */
const struct crypto_suite *crypto_suite_find(uint16_t encr, uint16_t bits, uint16_t integ);
const struct crypto_suite *crypto_suite_at(unsigned int i); /* for tests and lists; NULL at the end */
unsigned int crypto_suite_index(const struct crypto_suite *suite);

/* Where the parts of a packet stand. */
uint8_t *crypto_payload(const struct crypto_suite *suite, const struct crypto_req *r);
uint32_t crypto_payload_len(const struct crypto_suite *suite, const struct crypto_req *r);
/*
 * What an AEAD authenticates besides the payload: SPI and number, with ESN all 64 bits of it (RFC 4106 5, RFC 4309 5,
 * RFC 7634 2.1); with GMAC they begin the data that the tag covers (RFC 4543 3.3). 8 or 12 bytes; returns which.
 */
unsigned int crypto_aad(bool esn, const struct crypto_req *r, uint8_t aad[CRYPTO_AAD_MAX]);
/* Salt and explicit IV: 12 bytes, with CCM 11. Of CTR the whole first counter block, 16 (RFC 3686 4). */
unsigned int crypto_nonce(const struct crypto_suite *suite, const uint8_t salt[CRYPTO_SALT_MAX],
			  const struct crypto_req *r, uint8_t nonce[CRYPTO_IV_MAX]);

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
/* True when the backend can do some suite with that ENCR or INTEG row of the table. */
bool crypto_can(const struct crypto_backend *backend, const struct alg *row);
