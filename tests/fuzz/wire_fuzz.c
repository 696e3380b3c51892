/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz-rooms: common agent/wire */
#include "tests/wire_again.h"

#include <stdlib.h>

/*
 * The decoder. The first byte says how the rest is read: 0 a datagram; 1 a datagram whose length
 * field is made right, so that mutations get past it; any other value the payloads of an SK
 * payload, the first of that type. What decodes is written and read again, and has to say the same.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t chain[2 * IKE_MSG_MAX], again[2 * IKE_MSG_MAX];

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void datagram(uint8_t *p, size_t n, bool right_length)
{
	struct ike_msg m, m2;
	struct wr w = wr_of(p, n);
	size_t len;

	if (right_length && n >= IKE_HDR_LEN) {
		wr_take(&w, IKE_HDR_LEN - 4);
		wr_u32(&w, (uint32_t)n);
	}
	if (msg_decode(slice_of(p, n), &m))
		return;
	if (m.sk.present) {
		check(m.sk.aad.p == p && m.sk.aad.n + m.sk.body.n == n);
		check(m.sk.body.p == p + m.sk.aad.n);
	}
	len = again_datagram(&m, chain, again, sizeof(again));
	/* ours may be longer than what came: nothing is written shorter than a peer can say it */
	check(len || n > IKE_MSG_MAX / 2);
	if (len) {
		check(msg_decode(slice_of(again, len), &m2) == WIRE_OK);
		check(same_msg(&m, &m2));
	}
}

static void inner(uint8_t *p, size_t n, uint8_t first)
{
	static struct ike_msg m, m2;
	struct msg_wr c;

	m = m2 = (struct ike_msg){0};
	if (msg_decode_inner(slice_of(p, n), first, &m))
		return;
	check(!m.sk.present);
	msg_wr_init(&c, chain, sizeof(chain));
	again_chain(&c, &m);
	check(wr_ok(&c.w));
	check(msg_decode_inner(wr_slice(&c.w), c.first, &m2) == WIRE_OK);
	check(same_msg(&m, &m2));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	if (size == 0)
		return 0;
	/* exactly its size: the sanitizer sees the first byte too far */
	copy = malloc(size > 1 ? size - 1 : 1);
	check(copy);
	memcpy(copy, data + 1, size - 1);
	if (data[0] <= 1)
		datagram(copy, size - 1, data[0] == 1);
	else
		inner(copy, size - 1, data[0]);
	free(copy);
	return 0;
}
