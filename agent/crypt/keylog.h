/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "crypt.h"

/*
 * Keys as text, in the notations of Wireshark's tables ikev2_decryption_table and esp_sa: what `show sa --with-keys` writes and
 * `decode --keys` reads. Algorithms that Wireshark has no name for are written by ours.
 *
 *   SPIi,SPIr,SK_ei,SK_er,"encryption",SK_ai,SK_ar,"integrity"
 *   "IPv4","source","destination","0xSPI","encryption","0xkey","authentication","0xkey"
 */
enum { KEYLOG_LINE_MAX = 2048 };

struct ike_key {
	uint64_t spi_i, spi_r;
	struct ike_suite suite; /* encr and integ alone */
	struct secret ei, er, ai, ar;
};
struct esp_key {
	struct ip_addr from, to; /* family 0: any */
	uint32_t spi;
	struct ike_suite suite;
	struct secret ek, ak;
};
/* Both give 0 or -errno: -EINVAL when it is not such a line, -ENOTSUP for an unknown algorithm, -EBADMSG when a key has not the
 * length of its algorithm. The secrets must be empty, and are after an error. */
int keylog_read_ike(const char *line, struct ike_key *out);
int keylog_read_esp(const char *line, struct esp_key *out);
void ike_key_free(struct ike_key *k);
void esp_key_free(struct esp_key *k);
/* Without a newline; the length or -ENOSPC. The text holds keys: wipe it. */
int keylog_write_ike(const struct ike_suite *s, uint64_t spi_i, uint64_t spi_r, const struct ike_keys *k, char *buf,
		     size_t n);
