/* SPDX-License-Identifier: BSD-2-Clause */
#include "cookie.h"

#include "agent/crypt/crypt.h"
#include "common/rd.h"
#include "common/secret.h"
#include "common/wr.h"

#include <errno.h>

enum { VERSION_LEN = 4, TAG_LEN = COOKIE_LEN - VERSION_LEN };

/* Secret of a version: the current one and the one before alternate. */
static uint8_t *secret_of(struct cookie_jar *j, uint32_t version)
{
	return j->secret[version & 1];
}

int cookie_jar_init(struct cookie_jar *j, uint64_t now_ms)
{
	*j = (struct cookie_jar){.version = 1, .rotated_ms = now_ms};
	/* both: the one before was never given out, and zeroes could be guessed */
	return crypt_random(j->secret, sizeof(j->secret));
}

/* One step a period; after a long silence both secrets are stale and both are replaced. */
static int rotate(struct cookie_jar *j, uint64_t now_ms)
{
	uint64_t age = now_ms - j->rotated_ms;
	unsigned int steps =
		age >= 2 * COOKIE_ROTATE_S * 1000ULL ? 2 : age >= COOKIE_ROTATE_S * 1000ULL;

	for (unsigned int i = 0; i < steps; i++) {
		int err = crypt_random(secret_of(j, j->version + 1), sizeof(j->secret[0]));

		if (err)
			return err;
		j->version++;
	}
	if (steps)
		j->rotated_ms = now_ms;
	return 0;
}

static int tag(struct cookie_jar *j, uint32_t version, struct slice ni, const struct endpoint *from,
	       uint64_t spi_i, uint8_t out[TAG_LEN])
{
	uint8_t fixed[32], mac[32];
	struct wr w = wr_of(fixed, sizeof(fixed));
	int err;

	/* fixed part first, so that no other split of nonce and address gives the same bytes */
	wr_u32(&w, version);
	wr_u64(&w, spi_i);
	wr_u16(&w, from->port);
	wr_u8(&w, from->ip.family);
	wr_bytes(&w, from->ip.b, addr_len(&from->ip));
	err = hmac_sha256(slice_of(secret_of(j, version), sizeof(j->secret[0])),
			  (struct slice[]){wr_slice(&w), ni}, 2, mac);
	memcpy(out, mac, TAG_LEN);
	secret_wipe(mac, sizeof(mac));
	return err;
}

int cookie_make(struct cookie_jar *j, uint64_t now_ms, struct slice ni, const struct endpoint *from,
		uint64_t spi_i, uint8_t out[COOKIE_LEN])
{
	struct wr w = wr_of(out, COOKIE_LEN);
	int err = rotate(j, now_ms);

	if (err)
		return err;
	wr_u32(&w, j->version);
	return tag(j, j->version, ni, from, spi_i, out + VERSION_LEN);
}

bool cookie_check(struct cookie_jar *j, uint64_t now_ms, struct slice ni,
		  const struct endpoint *from, uint64_t spi_i, struct slice cookie)
{
	struct rd r = rd_of(cookie);
	uint32_t version = rd_u32(&r);
	struct slice theirs = rd_bytes(&r, TAG_LEN);
	uint8_t ours[TAG_LEN];

	if (!rd_done(&r) || rotate(j, now_ms))
		return false;
	if (version != j->version && version != j->version - 1)
		return false;
	if (tag(j, version, ni, from, spi_i, ours))
		return false;
	return secret_equal(ours, theirs.p, TAG_LEN);
}
