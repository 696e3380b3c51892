/* SPDX-License-Identifier: BSD-2-Clause */
#include "decode.h"

/* AH, RFC 4302 2: nothing of it is hidden. */

enum { AH_HEAD = 12, AH_WORDS_LESS = 2 /* 2.2: its length in words of 32 bits, minus 2 */ };

static void put_bytes(json_t *o, uint8_t next, struct slice inner)
{
	struct frame f = {0};
	char text[ADDR_STRLEN];

	json_object_set_new(o, "next_header", json_integer(next));
	if (next == 4 || next == 41)
		frame_of_ip(&f, inner);
	if (f.addressed) {
		json_object_set_new(o, "inner_from", json_string(addr_str(&f.from.ip, text)));
		json_object_set_new(o, "inner_to", json_string(addr_str(&f.to.ip, text)));
	}
	json_object_set_new(o, "data", hex_new(inner));
}

uint32_t ah_spi(struct slice bytes)
{
	struct rd r = rd_of(bytes);

	rd_u32(&r);
	return rd_u32(&r);
}

json_t *decode_ah(const struct frame *f)
{
	struct rd r = rd_of(f->bytes);
	uint8_t next = rd_u8(&r);
	size_t all = ((size_t)rd_u8(&r) + AH_WORDS_LESS) * 4;
	json_t *o = json_object();
	uint32_t seq;
	char spi[9];

	rd_u16(&r);
	snprintf(spi, sizeof(spi), "%08x", rd_u32(&r));
	seq = rd_u32(&r);
	json_object_set_new(o, "length", json_integer((json_int_t)f->bytes.n));
	if (!r.failed) {
		json_object_set_new(o, "spi", json_string(spi));
		json_object_set_new(o, "seq", json_integer(seq));
	}
	if (r.failed || all < AH_HEAD || all - AH_HEAD > r.n) {
		json_object_set_new(o, "malformed", json_string("shorter than it says (RFC 4302 2.2)"));
		return o;
	}
	json_object_set_new(o, "icv", hex_new(rd_bytes(&r, all - AH_HEAD)));
	put_bytes(o, next, rd_rest(&r));
	return o;
}
