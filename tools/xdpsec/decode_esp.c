/* SPDX-License-Identifier: BSD-2-Clause */
#include "decode.h"

#include "common/wr.h"

/* ESP, RFC 4303: SPI and number in clear; with the keys of the Child SA also what is inside. */

enum { ESP_HDR_LEN = 8 };

static void put_inner_addrs(json_t *o, struct slice inner)
{
	struct frame f = {0};
	char text[ADDR_STRLEN];

	/* The addresses alone: what it is does not matter here. */
	frame_of_ip(&f, inner);
	if (!f.addressed)
		return;
	json_object_set_new(o, "inner_from", json_string(addr_str(&f.from.ip, text)));
	json_object_set_new(o, "inner_to", json_string(addr_str(&f.to.ip, text)));
}

/* Padding, its length and the next header are the last bytes (2.4 to 2.6). */
static void put_plain(json_t *o, struct slice plain)
{
	struct rd r = rd_of(plain);
	struct slice inner;
	uint8_t pad, next;

	if (plain.n < 2) {
		json_object_set_new(o, "malformed", json_string("no room for the trailer (RFC 4303 2)"));
		return;
	}
	rd_bytes(&r, plain.n - 2);
	pad = rd_u8(&r);
	next = rd_u8(&r);
	if ((size_t)pad + 2 > plain.n) {
		json_object_set_new(o, "malformed", json_string("more padding than bytes (RFC 4303 2.4)"));
		return;
	}
	inner = slice_of(plain.p, plain.n - 2 - pad);
	json_object_set_new(o, "padding", json_integer(pad));
	json_object_set_new(o, "next_header", json_integer(next));
	if (next == 4 || next == 41)
		put_inner_addrs(o, inner);
	json_object_set_new(o, "data", hex_new(inner));
}

static bool esp_open(const struct esp_key *k, struct slice bytes, uint32_t spi, uint32_t seq, bool esn, uint8_t *plain,
		     size_t cap, size_t *n)
{
	uint8_t aad[12];
	struct wr w = wr_of(aad, sizeof(aad));

	wr_u32(&w, spi);
	/* RFC 4106 5: with extended numbers the high half, not sent, stands between; here taken for 0 */
	if (esn)
		wr_u32(&w, 0);
	wr_u32(&w, seq);
	return sk_open_bytes(&k->suite, &k->ek, &k->ak, wr_slice(&w),
			     slice_of(bytes.p + ESP_HDR_LEN, bytes.n - ESP_HDR_LEN), plain, cap, n) == 0;
}

json_t *decode_esp(const struct frame *f, const struct decode_keys *keys)
{
	static uint8_t plain[IKE_MSG_MAX + 1];
	struct rd r = rd_of(f->bytes);
	uint32_t spi = rd_u32(&r), seq = rd_u32(&r);
	const struct esp_key *k;
	json_t *o = json_object();
	char text[9];
	size_t n;

	if (r.failed) {
		json_object_set_new(o, "malformed", json_string("shorter than SPI and sequence number (RFC 4303 2)"));
		return o;
	}
	snprintf(text, sizeof(text), "%08x", spi);
	json_object_set_new(o, "spi", json_string(text));
	json_object_set_new(o, "seq", json_integer(seq));
	json_object_set_new(o, "length", json_integer((json_int_t)f->bytes.n));
	k = keys_of_esp(keys, spi, f);
	if (!k) {
		json_object_set_new(o, "keys", json_string("none"));
		return o;
	}
	if (!esp_open(k, f->bytes, spi, seq, false, plain, sizeof(plain), &n) &&
	    !esp_open(k, f->bytes, spi, seq, true, plain, sizeof(plain), &n)) {
		json_object_set_new(o, "keys", json_string("wrong"));
		return o;
	}
	json_object_set_new(o, "keys", json_string("right"));
	put_plain(o, slice_of(plain, n));
	return o;
}
