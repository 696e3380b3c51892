/* SPDX-License-Identifier: BSD-2-Clause */
#include "decode.h"

#include <errno.h>

/* ESP, RFC 4303: SPI and number in clear; with the keys of the Child SA also what is inside. */

enum { ESN_GUESSES = 8 };

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

/*
 * Whether numbers are extended stands in no packet, nor does their high half: without is tried first, then the first few high
 * halves. -EBADMSG: none of them fits.
 */
static int esp_open(const struct esp_key *k, struct slice bytes, uint8_t *plain, size_t cap, size_t *n, int *esn)
{
	int err = sk_open_esp(&k->suite, &k->ek, &k->ak, NULL, bytes, plain, cap, n);

	*esn = -1;
	for (uint32_t high = 0; err == -EBADMSG && high < ESN_GUESSES; high++) {
		err = sk_open_esp(&k->suite, &k->ek, &k->ak, &high, bytes, plain, cap, n);
		*esn = (int)high;
	}
	return err;
}

json_t *decode_esp(const struct frame *f, const struct decode_keys *keys)
{
	static uint8_t plain[IKE_MSG_MAX + 1];
	struct rd r = rd_of(f->bytes);
	uint32_t spi = rd_u32(&r), seq = rd_u32(&r);
	const struct esp_key *k;
	json_t *o = json_object();
	char text[9];
	int esn, err;
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
	err = esp_open(k, f->bytes, plain, sizeof(plain), &n, &esn);
	if (err) {
		json_object_set_new(o, "keys", json_string(err == -ENOTSUP ? "not supported" : "wrong"));
		return o;
	}
	json_object_set_new(o, "keys", json_string("right"));
	if (esn >= 0)
		json_object_set_new(o, "esn", json_integer(esn));
	put_plain(o, slice_of(plain, n));
	return o;
}
