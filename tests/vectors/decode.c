/* SPDX-License-Identifier: BSD-2-Clause */
#include "vectors.h"

#include "tools/xdpsec/decode.h"

#include <string.h>

/* A datagram as `xdpsec decode --json` shows it, with keys or without. */

static uint8_t datagram[65536];

static void read_keys(struct vec_in *in, struct decode_keys *keys)
{
	const json_t *list = json_object_get(in->o, "keys"), *line;
	size_t i;

	if (list && !json_is_array(list))
		vec_fail(in, "keys: not a list");
	json_array_foreach(list, i, line) {
		int err = json_is_string(line) ? keys_add(keys, json_string_value(line)) : -1;

		if (err)
			vec_fail(in, "keys: line %zu: %s", i, strerror(-err));
	}
}

static json_t *run(struct vec_in *in)
{
	size_t n = vec_hex(in, "datagram", datagram, sizeof(datagram), true);
	struct decode_keys keys = {0};
	struct frame f = {0};
	json_t *o = NULL;

	read_keys(in, &keys);
	if (!in->error[0]) {
		frame_guess(&f, slice_of(datagram, n));
		if (f.kind == FRAME_IKE)
			o = json_pack("{s:o}", "ike", decode_ike(f.bytes, &keys, NULL));
		else if (f.kind == FRAME_ESP)
			o = json_pack("{s:o}", "esp", decode_esp(&f, &keys));
		else
			o = json_pack("{s:b}", "keepalive", 1);
	}
	keys_free(&keys);
	return o;
}

const struct vec_op vec_decode = {"decode", "datagram keys", run};
