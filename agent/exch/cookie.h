/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "common/addr.h"
#include "common/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* RFC 7296 2.6: stateless cookies: version | HMAC(secret, Ni | IPi | port | SPIi). The secret
 * rotates; the one before stays valid. */
enum { COOKIE_LEN = 20, COOKIE_ROTATE_S = 120 };
struct cookie_jar {
	uint8_t secret[2][32];
	uint32_t version;
	uint64_t rotated_ms;
};
int cookie_jar_init(struct cookie_jar *j, uint64_t now_ms);
int cookie_make(struct cookie_jar *j, uint64_t now_ms, struct slice ni, const struct endpoint *from,
		uint64_t spi_i, uint8_t out[COOKIE_LEN]);
bool cookie_check(struct cookie_jar *j, uint64_t now_ms, struct slice ni,
		  const struct endpoint *from, uint64_t spi_i, struct slice cookie);
