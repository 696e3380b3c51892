/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz-rooms: common agent/wire agent/crypt agent/cred tools/xdpsec */
#include "tools/xdpsec/decode.h"

#include <stdlib.h>
#include <string.h>

/*
 * What `xdpsec decode` is given: an IP packet, a datagram, one with payloads under known keys, a line of keys. All is shown, to
 * nobody. The first byte picks.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static FILE *nowhere;

static void show(const struct frame *f, const struct decode_keys *keys, struct joiner *join)
{
	json_t *o = json_object();

	json_object_set_new(o, "number", json_integer(1));
	if (f->kind == FRAME_IKE)
		json_object_set_new(o, "ike", decode_ike(f->bytes, keys, join));
	else if (f->kind == FRAME_ESP)
		json_object_set_new(o, "esp", decode_esp(f, keys));
	decode_print(nowhere, o);
	json_decref(o);
}

static void show_sealed(struct slice inner, uint8_t first, const struct decode_keys *keys, struct joiner *join)
{
	static const struct ike_hdr hdr = {.spi_i = 1, .spi_r = 2, .version = IKE_VERSION, .exchange = IKE_AUTH,
					   .flags = IKE_FLAG_INITIATOR};
	struct sk_piece piece = {.first = first, .plain = inner, .total = first & 1 ? 1 : 0, .number = 1};
	const struct ike_key *k = &keys->ike[0];
	uint8_t *out = malloc(inner.n + 256);
	struct wr w = wr_of(out, inner.n + 256);
	struct frame f = {.kind = FRAME_IKE};

	if (sk_seal_piece(&k->suite, &k->ei, &k->ai, 1, &hdr, &piece, &w))
		abort();
	f.bytes = wr_slice(&w);
	show(&f, keys, join);
	free(out);
}

static void read_keys(const uint8_t *data, size_t size)
{
	struct decode_keys keys = {0};
	char *line = malloc(size + 1);

	memcpy(line, data, size);
	line[size] = '\0';
	keys_add(&keys, line);
	keys_free(&keys);
	free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char line[] = "0000000000000001,0000000000000002,00112233445566778899aabbccddeeff00010203,"
				   "00112233445566778899aabbccddeeff00010203,\"AES-GCM-128 with 16 octet ICV\",,,";
	struct decode_keys keys = {0};
	struct joiner *join;
	struct frame f = {0};
	uint8_t *copy;

	if (!nowhere)
		nowhere = fopen("/dev/null", "w");
	if (size < 2 || !nowhere)
		return 0;
	if (data[0] % 4 == 3) {
		read_keys(data + 1, size - 1);
		return 0;
	}
	if (keys_add(&keys, line))
		abort();
	join = joiner_new();
	copy = malloc(size - 1);
	memcpy(copy, data + 1, size - 1);
	if (data[0] % 4 == 0) {
		if (frame_of_ip(&f, slice_of(copy, size - 1)))
			show(&f, &keys, join);
	} else if (data[0] % 4 == 1) {
		frame_guess(&f, slice_of(copy, size - 1));
		show(&f, &keys, join);
	} else {
		show_sealed(slice_of(copy + 1, size - 2), copy[0], &keys, join);
	}
	joiner_free(join);
	keys_free(&keys);
	free(copy);
	return 0;
}
