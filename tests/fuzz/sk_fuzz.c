/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz-rooms: common agent/wire agent/crypt */
#include "agent/crypt/crypt.h"
#include "agent/wire/msg.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * A datagram as it comes, opened with fixed keys; then the same bytes as payloads that are sealed and opened
 * again, so that what lies behind a right tag is reached too. The first byte picks the suite.
 */
static const struct ike_suite suites[] = {
    {ENCR_AES_GCM_16, 128, PRF_HMAC_SHA2_256, AUTH_NONE, KE_CURVE25519},
    {ENCR_AES_GCM_16, 256, PRF_HMAC_SHA2_256, AUTH_NONE, KE_CURVE25519},
    {ENCR_AES_CBC, 128, PRF_HMAC_SHA2_256, AUTH_HMAC_SHA2_256_128, KE_CURVE25519},
    {ENCR_AES_CBC, 256, PRF_HMAC_SHA2_256, AUTH_HMAC_SHA2_512_256, KE_CURVE25519},
    {ENCR_AES_CCM_8, 192, PRF_HMAC_SHA1, AUTH_NONE, KE_CURVE25519},
    {ENCR_CHACHA20_POLY1305, 0, PRF_AES128_CMAC, AUTH_NONE, KE_CURVE25519},
    {ENCR_AES_CTR, 128, PRF_AES128_XCBC, AUTH_AES_XCBC_96, KE_CURVE25519},
    {ENCR_AES_CTR, 256, PRF_HMAC_SHA2_384, AUTH_AES_CMAC_96, KE_CURVE25519},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void open_one(const struct ike_suite *s, const struct ike_keys *k, struct slice datagram, int must)
{
	struct ike_msg m;
	uint8_t *plain;
	size_t n;

	if (msg_decode(datagram, &m) != WIRE_OK || !m.sk.present) {
		if (must)
			abort();
		return;
	}
	/* exactly as large as promised: a byte too far is seen */
	plain = malloc(m.sk.body.n ? m.sk.body.n : 1);
	if (!sk_open(s, &k->ei, &k->ai, &m, plain, m.sk.body.n, &n))
		msg_decode_inner(slice_of(plain, n), m.sk.first, &m);
	else if (must)
		abort();
	free(plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ike_hdr hdr = {.spi_i = 1, .spi_r = 2, .version = IKE_VERSION, .exchange = IKE_AUTH};
	const struct ike_suite *s;
	struct slice nonce = slice_of("0123456789abcdef", 16);
	struct ike_keys k = {0};
	struct msg_wr chain;
	uint8_t *copy, *out;
	struct wr w;

	if (size < 2 || size > 4096)
		return 0;
	s = &suites[data[0] % (sizeof(suites) / sizeof(*suites))];
	if (kdf_ike(s, nonce, nonce, nonce, 1, 2, &k))
		abort();
	copy = malloc(size - 1);
	memcpy(copy, data + 1, size - 1);
	open_one(s, &k, slice_of(copy, size - 1), 0);
	out = malloc(size + 256);
	w = wr_of(out, size + 256);
	msg_wr_init(&chain, copy, size - 1);
	chain.first = data[1];
	wr_take(&chain.w, size - 1);
	if (sk_seal(s, &k.ei, &k.ai, size, &hdr, &chain, &w))
		abort();
	/* exact size again */
	copy = realloc(copy, w.n);
	memcpy(copy, out, w.n);
	open_one(s, &k, slice_of(copy, w.n), 1);
	free(copy);
	free(out);
	ike_keys_free(&k);
	return 0;
}
