/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz-rooms: common agent/wire */
#include "agent/wire/msg.h"

#include <stdlib.h>

/*
 * Narrowing. The input is records of ten bytes, turned into two lists of selectors; the packets
 * asked are the corners of every selector, which is where an off-by-one shows.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static struct ip_addr addr(uint8_t family, uint16_t v)
{
	struct ip_addr a = {.family = family};
	size_t n = addr_len(&a);

	a.b[0] = 10;
	a.b[n - 2] = (uint8_t)(v >> 8);
	a.b[n - 1] = (uint8_t)v;
	return a;
}

static void read_ts(struct rd *r, struct ts_list *mine, struct ts_list *theirs)
{
	uint8_t flags = rd_u8(r), family = flags & 1 ? 6 : 4;
	struct ts_list *l = flags & 2 ? theirs : mine;
	struct ts ts = {.protocol = flags >> 4};
	uint16_t a, b;

	rd_u8(r);
	a = rd_u16(r);
	b = rd_u16(r);
	ts.lo = addr(family, a < b ? a : b);
	ts.hi = addr(family, a < b ? b : a);
	a = rd_u16(r);
	b = rd_u16(r);
	ts.port_lo = a < b || flags & 4 ? a : b;
	ts.port_hi = a < b || flags & 4 ? b : a;
	if (ts.port_lo > ts.port_hi) {
		ts.port_lo = 65535;
		ts.port_hi = 0;
	}
	if (flags & 8) {
		ts.port_lo = 0;
		ts.port_hi = 65535;
	}
	if (l->n < 4) /* 4 by 4 is what the result holds, so that nothing is left out */
		l->ts[l->n++] = ts;
}

/* A packet is a selector of one address and one port; -1 stands for ports that are not visible. */
static struct ts packet(const struct ip_addr *a, uint8_t protocol, int port)
{
	struct ts p = {.lo = *a, .hi = *a, .protocol = protocol};

	p.port_lo = port < 0 ? 65535 : (uint16_t)port;
	p.port_hi = port < 0 ? 0 : (uint16_t)port;
	return p;
}

static void ask(const struct ts *corner, const struct ts *other, const struct ts_list *mine,
		const struct ts_list *theirs, const struct ts_list *out)
{
	const struct ip_addr *a[] = {&corner->lo, &corner->hi};
	const int ports[] = {other->port_lo, other->port_hi, -1, (other->port_hi + 1) & 0xffff};
	const uint8_t protocols[] = {other->protocol, 99};

	for (unsigned int i = 0; i < 2; i++) {
		for (unsigned int k = 0; k < 4; k++) {
			for (unsigned int j = 0; j < 2; j++) {
				struct ts p =
					packet(a[i], protocols[j] ? protocols[j] : 77, ports[k]);

				check((ts_within(&p, mine) && ts_within(&p, theirs)) ==
				      ts_within(&p, out));
			}
		}
	}
}

static void ask_corners(const struct ts_list *all, const struct ts_list *mine,
			const struct ts_list *theirs, const struct ts_list *out)
{
	for (unsigned int i = 0; i < all->n; i++) {
		for (unsigned int k = 0; k < all->n; k++)
			ask(&all->ts[i], &all->ts[k], mine, theirs, out);
	}
}

static void write_and_read(const struct ts_list *l)
{
	uint8_t buf[4096];
	static struct ike_msg m;
	struct msg_wr c;
	char text[TS_STRLEN];

	for (unsigned int i = 0; i < l->n; i++)
		check(strlen(ts_str(&l->ts[i], text)) < TS_STRLEN - 1);
	msg_wr_init(&c, buf, sizeof(buf));
	msg_put_ts(&c, IKE_PL_TSI, l);
	m = (struct ike_msg){0};
	check(msg_decode_inner(wr_slice(&c.w), c.first, &m) == WIRE_OK);
	check(ts_list_equal(l, &m.ts_i));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ts_list mine = {0}, theirs = {0}, out, again;
	struct rd r = rd_of(slice_of(data, size));

	while (r.n >= 10)
		read_ts(&r, &mine, &theirs);
	check(ts_narrow(&mine, &theirs, &out) == out.n);
	check(ts_list_subset(&out, &mine) == (out.n > 0));
	check(ts_list_subset(&out, &theirs) == (out.n > 0));
	ts_narrow(&out, &out, &again);
	check(ts_list_equal(&out, &again));
	ask_corners(&mine, &mine, &theirs, &out);
	ask_corners(&theirs, &mine, &theirs, &out);
	if (out.n)
		write_and_read(&out);
	return 0;
}
