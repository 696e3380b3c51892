/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/exch/fragment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Fragments under the keys of the peer, in any order, of several cuts and messages. Beside the reassembly runs a stupid one: a
 * table of all pieces of the cut in force. Each byte says from which message, cut and place it is.
 */
enum { TOTAL_MAX = 24, PIECE_MAX = 40, MOST = 300 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct model {
	uint32_t mid;
	unsigned int total, have;
	size_t bytes;
	size_t len[TOTAL_MAX]; /* 0: not there */
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

static bool model_wants(const struct model *m, uint32_t mid, unsigned int number, unsigned int total)
{
	return !m->total || m->mid != mid || total > m->total || (total == m->total && !m->len[number - 1]);
}

static void check_whole(const struct reassembly *r, const struct model *m)
{
	uint8_t *out = malloc(m->bytes), *p = out;

	must(fragments_join(r, out) == m->bytes);
	for (unsigned int i = 0; i < m->total; i++)
		for (size_t k = 0; k < m->len[i]; k++)
			must(*p++ == (uint8_t)(m->mid * 64 + m->total + i * 7));
	must(r->first == m->total);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd in = rd_of(slice_of(data, size));
	struct reassembly *r = NULL;
	struct model m = {0};

	while (in.n >= 4) {
		struct ike_msg msg = {.hdr = {.mid = rd_u8(&in) % 3, .exchange = 37}};
		uint8_t datagram[4];
		size_t len;
		int err;

		msg.sk.total = (uint16_t)(1 + rd_u8(&in) % TOTAL_MAX);
		msg.sk.number = (uint16_t)(1 + rd_u8(&in) % msg.sk.total);
		len = 1 + rd_u8(&in) % PIECE_MAX;
		msg.sk.first = (uint8_t)(msg.sk.number == 1 ? msg.sk.total : 0);
		must(fragment_wanted(r, &msg) == model_wants(&m, msg.hdr.mid, msg.sk.number, msg.sk.total));
		if (!fragment_wanted(r, &msg))
			continue;
		uint8_t *plain = malloc(len);

		memset(plain, (int)(msg.hdr.mid * 64 + msg.sk.total + (msg.sk.number - 1u) * 7), len);
		memcpy(datagram, plain, 1);
		err = fragment_add(&r, &msg, slice_of(plain, len), slice_of(datagram, 1), MOST);
		free(plain);
		if (m.total && (m.mid != msg.hdr.mid || msg.sk.total > m.total))
			m = (struct model){0};
		if (m.bytes + len > MOST) {
			must(err == -EMSGSIZE && !r);
			m = (struct model){0};
			continue;
		}
		m.mid = msg.hdr.mid;
		m.total = msg.sk.total;
		m.len[msg.sk.number - 1] = len;
		m.bytes += len;
		m.have++;
		must(r && r->have == m.have && r->bytes == m.bytes && r->total == m.total);
		must(err == (m.have == m.total));
		if (err) {
			check_whole(r, &m);
			fragments_drop(&r);
			m = (struct model){0};
		}
	}
	fragments_drop(&r);
	return 0;
}
