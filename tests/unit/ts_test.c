/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/wire/ts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/*
 * Narrowing beside a model that asks every packet of a small world: addresses 10.0.0.0..7 and
 * 2001:db8::0..7, protocols 1, 6, 17, ports 0..5, 65535 and "not visible".
 */
static const uint8_t protocols[] = {1, 6, 17};
static const int ports[] = {0, 1, 2, 3, 4, 5, 65535, -1};
enum { ADDRS = 8, PROTOCOLS = 3, PORTS = 8, ROUNDS = 20000 };

struct packet {
	uint8_t family, addr, protocol;
	int port; /* -1: not visible */
};

static struct ip_addr addr(unsigned int family, unsigned int last)
{
	struct ip_addr a = {.family = (uint8_t)family};

	if (family == 4) {
		a.b[0] = 10;
		a.b[3] = (uint8_t)last;
	} else {
		memcpy(a.b, "\x20\x01\x0d\xb8", 4);
		a.b[15] = (uint8_t)last;
	}
	return a;
}

static bool holds(const struct ts *ts, const struct packet *p)
{
	unsigned int lo = ts->lo.b[ts->lo.family == 4 ? 3 : 15], hi = ts->hi.b[ts->hi.family == 4 ? 3 : 15];

	if (ts->lo.family != p->family || p->addr < lo || p->addr > hi)
		return false;
	if (ts->protocol && ts->protocol != p->protocol)
		return false;
	if (ts->port_lo == 0 && ts->port_hi == 65535)
		return true;
	if (p->port < 0 || ts->port_lo > ts->port_hi)
		return p->port < 0 && ts->port_lo > ts->port_hi;
	return p->port >= ts->port_lo && p->port <= ts->port_hi;
}

static bool list_holds(const struct ts_list *l, const struct packet *p)
{
	for (unsigned int i = 0; i < l->n; i++) {
		if (holds(&l->ts[i], p))
			return true;
	}
	return false;
}

static struct packet packet_at(unsigned int i)
{
	struct packet p;

	p.family = i % 2 ? 6 : 4;
	i /= 2;
	p.addr = (uint8_t)(i % ADDRS);
	i /= ADDRS;
	p.protocol = protocols[i % PROTOCOLS];
	i /= PROTOCOLS;
	p.port = ports[i];
	return p;
}
enum { PACKETS = 2 * ADDRS * PROTOCOLS * PORTS };

static uint32_t seed = 1;

static unsigned int rnd(unsigned int below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

static struct ts random_ts(void)
{
	unsigned int family = rnd(4) ? 4 : 6, a = rnd(ADDRS), b = rnd(ADDRS);
	struct ts ts = {.lo = addr(family, a < b ? a : b), .hi = addr(family, a < b ? b : a), .port_hi = 65535};

	if (rnd(2))
		ts.protocol = protocols[rnd(PROTOCOLS)];
	switch (rnd(6)) {
	case 0:
		ts.port_lo = 65535;
		ts.port_hi = 0;
		break;
	case 1:
	case 2:
		a = rnd(6);
		b = rnd(6);
		ts.port_lo = (uint16_t)(a < b ? a : b);
		ts.port_hi = (uint16_t)(a < b ? b : a);
		break;
	case 3:
		ts.port_lo = (uint16_t)rnd(6);
		break;
	default:
		break;
	}
	return ts;
}

static struct ts_list random_list(unsigned int max)
{
	struct ts_list l = {.n = (uint16_t)(1 + rnd(max))};

	for (unsigned int i = 0; i < l.n; i++)
		l.ts[i] = random_ts();
	return l;
}

static void intersect_model(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct ts a = random_ts(), b = random_ts(), c, d;
		bool meet = ts_intersect(&a, &b, &c);

		assert_int_equal(ts_intersect(&b, &a, &d), meet);
		if (meet)
			assert_true(ts_equal(&c, &d));
		for (unsigned int k = 0; k < PACKETS; k++) {
			struct packet p = packet_at(k);

			assert_int_equal(holds(&a, &p) && holds(&b, &p), meet && holds(&c, &p));
		}
	}
}

static void narrow_model(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct ts_list mine = random_list(4), theirs = random_list(4), out, back;
		unsigned int n = ts_narrow(&mine, &theirs, &out);

		assert_int_equal(n, out.n);
		for (unsigned int k = 0; k < PACKETS; k++) {
			struct packet p = packet_at(k);

			assert_int_equal(list_holds(&mine, &p) && list_holds(&theirs, &p), list_holds(&out, &p));
		}
		assert_int_equal(ts_list_subset(&out, &mine), n > 0);
		assert_int_equal(ts_list_subset(&out, &theirs), n > 0);
		/* none inside another: without itself, no selector is within the rest */
		for (unsigned int k = 0; k < n; k++) {
			struct ts_list rest = out;

			rest.ts[k] = rest.ts[--rest.n];
			assert_false(ts_within(&out.ts[k], &rest));
		}
		/* narrowing again changes nothing, and an argument may be the result */
		back = out;
		ts_narrow(&back, &back, &back);
		assert_true(ts_list_equal(&back, &out));
	}
}

static void within_model(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct ts_list of = random_list(1);
		struct ts in = random_ts();
		bool all = true;

		for (unsigned int k = 0; k < PACKETS; k++) {
			struct packet p = packet_at(k);

			all = all && (!holds(&in, &p) || list_holds(&of, &p));
		}
		/* the world does not have every protocol and port: a selector of all is in none of some */
		if (ts_within(&in, &of))
			assert_true(all);
		if (!all)
			assert_false(ts_within(&in, &of));
	}
}

static struct ts ts4(unsigned int lo, unsigned int hi, unsigned int protocol, unsigned int p_lo, unsigned int p_hi)
{
	return (struct ts){.lo = addr(4, lo), .hi = addr(4, hi), .protocol = (uint8_t)protocol,
			   .port_lo = (uint16_t)p_lo, .port_hi = (uint16_t)p_hi};
}

/* A selector may lie across several: no packet of it is outside all of them, and where that can be known it is seen. */
static void subset_model(void **state)
{
	unsigned int together = 0;

	(void)state;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct ts_list in = {.n = 1, .ts = {random_ts()}}, of = random_list(8);
		bool subset = ts_list_subset(&in, &of), all = true;

		for (unsigned int k = 0; k < PACKETS; k++) {
			struct packet p = packet_at(k);

			all &= !holds(&in.ts[0], &p) || list_holds(&of, &p);
		}
		assert_true(!subset || all);
		/* more than three protocols, and more ports than the world has: not by single ones */
		if (in.ts[0].protocol && (in.ts[0].port_lo != 0 || in.ts[0].port_hi != 65535))
			assert_int_equal(subset, all);
		together += subset && !ts_within(&in.ts[0], &of);
	}
	assert_true(together > 100);
}

static void within_by_hand(void **state)
{
	struct ts_list net = {.n = 1, .ts = {ts4(0, 255, 0, 0, 65535)}};
	struct ts_list web = {.n = 1, .ts = {ts4(0, 255, 6, 80, 80)}};
	struct ts_list opaque = {.n = 1, .ts = {ts4(0, 255, 6, 65535, 0)}};
	struct ts_list none = {.n = 0}, halves = {.n = 2, .ts = {ts4(0, 127, 0, 0, 65535), ts4(128, 255, 0, 0, 65535)}};
	struct ts v6 = {.lo = addr(6, 0), .hi = addr(6, 0), .port_hi = 65535};

	(void)state;
	assert_true(ts_within(&web.ts[0], &net));
	assert_false(ts_within(&net.ts[0], &web));
	assert_true(ts_within(&opaque.ts[0], &net));
	assert_false(ts_within(&opaque.ts[0], &web));
	assert_false(ts_within(&web.ts[0], &opaque));
	assert_false(ts_within(&net.ts[0], &opaque));
	assert_false(ts_within(&v6, &net));
	assert_true(ts_list_subset(&halves, &net));
	/* inside several together is inside, too */
	assert_true(ts_list_subset(&net, &halves));
	halves.ts[1].lo = addr(4, 129);
	assert_false(ts_list_subset(&net, &halves));
	/* who says nothing agrees to nothing */
	assert_false(ts_list_subset(&none, &net));
	assert_false(ts_within(&web.ts[0], &none));
}

/* RFC 7296 2.9: the first selector of the peer leads, and the list stays within its limit. */
static void first_choice_survives(void **state)
{
	struct ts_list mine = {.n = IKE_TS_AGREED_MAX}, theirs = {.n = IKE_TS_MAX}, out;

	(void)state;
	for (unsigned int i = 0; i < IKE_TS_MAX; i++) {
		/* none inside another: rows and columns that all cross */
		if (i < IKE_TS_AGREED_MAX)
			mine.ts[i] = ts4(16 * i, 16 * i + 15, 0, 0, 65535);
		theirs.ts[i] = ts4(0, 255, 0, 10 * (IKE_TS_MAX - i), 10 * (IKE_TS_MAX - i) + 5);
	}
	assert_int_equal(ts_narrow(&mine, &theirs, &out), IKE_TS_AGREED_MAX);
	assert_true(out.more);
	for (unsigned int i = 0; i < out.n; i++)
		assert_int_equal(out.ts[i].port_lo, 10 * IKE_TS_MAX);
	assert_true(ts_list_subset(&out, &mine) && ts_list_subset(&out, &theirs));
	theirs.n = 1;
	assert_int_equal(ts_narrow(&mine, &theirs, &out), IKE_TS_AGREED_MAX);
	assert_false(out.more);
	/* what was not even looked at */
	theirs.more = true;
	ts_narrow(&mine, &theirs, &out);
	assert_true(out.more);
}

static void triggering_packet(void **state)
{
	/* what a trap sends: the packet itself, then the policy (RFC 7296 2.9) */
	struct ts_list theirs = {.n = 2, .ts = {ts4(5, 5, 6, 80, 80), ts4(0, 255, 0, 0, 65535)}};
	struct ts_list all = {.n = 1, .ts = {ts4(0, 255, 0, 0, 65535)}}, some = {.n = 1, .ts = {ts4(4, 7, 0, 0, 65535)}};
	struct ts_list out;

	(void)state;
	assert_int_equal(ts_narrow(&all, &theirs, &out), 1);
	assert_true(ts_list_equal(&out, &all));
	assert_int_equal(ts_narrow(&some, &theirs, &out), 1);
	assert_true(ts_list_equal(&out, &some));
	theirs.n = 1;
	assert_int_equal(ts_narrow(&some, &theirs, &out), 1);
	assert_true(ts_equal(&out.ts[0], &theirs.ts[0]));
}

static void nothing_in_common(void **state)
{
	struct ts_list a = {.n = 1, .ts = {ts4(0, 3, 0, 0, 65535)}}, b = {.n = 1, .ts = {ts4(4, 7, 0, 0, 65535)}};
	struct ts_list none = {.n = 0}, out = {.n = 5};

	(void)state;
	assert_int_equal(ts_narrow(&a, &b, &out), 0);
	assert_int_equal(out.n, 0);
	assert_int_equal(ts_narrow(&a, &none, &out), 0);
	assert_int_equal(ts_narrow(&none, &a, &out), 0);
}

static void equality(void **state)
{
	struct ts_list a = {.n = 1, .ts = {ts4(0, 3, 6, 1, 2)}}, b = a;

	(void)state;
	assert_true(ts_list_equal(&a, &b));
	b.n = 0;
	assert_false(ts_list_equal(&a, &b));
	b = a;
	b.ts[0].protocol = 17;
	assert_false(ts_list_equal(&a, &b));
	b = a;
	b.ts[0].port_hi = 3;
	assert_false(ts_list_equal(&a, &b));
	b = a;
	b.ts[0].port_lo = 2;
	assert_false(ts_list_equal(&a, &b));
	b = a;
	b.ts[0].lo = addr(4, 1);
	assert_false(ts_list_equal(&a, &b));
	b = a;
	b.ts[0].hi = addr(4, 4);
	assert_false(ts_list_equal(&a, &b));
}

static void text(void **state)
{
	static const struct {
		struct ts ts;
		const char *want;
	} t[] = {
		{{{4, {10, 1, 0, 0}}, {4, {10, 1, 0, 255}}, 80, 80, 6}, "10.1.0.0/24[tcp/80]"},
		{{{4, {10, 1, 0, 5}}, {4, {10, 1, 0, 9}}, 0, 65535, 0}, "10.1.0.5-10.1.0.9"},
		{{{4, {10, 1, 0, 0}}, {4, {10, 1, 0, 2}}, 0, 65535, 0}, "10.1.0.0-10.1.0.2"},
		{{{4, {10, 1, 0, 1}}, {4, {10, 1, 0, 3}}, 0, 65535, 0}, "10.1.0.1-10.1.0.3"},
		{{{4, {10, 1, 0, 5}}, {4, {10, 1, 0, 5}}, 0, 65535, 0}, "10.1.0.5/32"},
		{{{4, {0}}, {4, {255, 255, 255, 255}}, 0, 65535, 0}, "0.0.0.0/0"},
		{{{4, {10, 0, 0, 1}}, {4, {10, 0, 0, 254}}, 0, 65535, 17}, "10.0.0.1-10.0.0.254[udp]"},
		{{{4, {10, 0, 0, 0}}, {4, {10, 0, 0, 1}}, 1000, 2000, 17}, "10.0.0.0/31[udp/1000-2000]"},
		{{{4, {10, 0, 0, 0}}, {4, {10, 0, 0, 0}}, 65535, 0, 17}, "10.0.0.0/32[udp/OPAQUE]"},
		{{{4, {10, 0, 0, 0}}, {4, {10, 0, 0, 0}}, 0x800, 0x8ff, 1}, "10.0.0.0/32[icmp/8]"},
		{{{4, {10, 0, 0, 0}}, {4, {10, 0, 0, 0}}, 0x301, 0x301, 1}, "10.0.0.0/32[icmp/3(1)]"},
		{{{4, {10, 0, 0, 0}}, {4, {10, 0, 0, 0}}, 0x300, 0x304, 1}, "10.0.0.0/32[icmp/3(0)-3(4)]"},
		{{{4, {10, 0, 0, 0}}, {4, {10, 0, 0, 0}}, 0, 65535, 47}, "10.0.0.0/32[47]"},
		{{{4, {10, 0, 0, 0}}, {4, {10, 0, 0, 0}}, 5, 5, 0}, "10.0.0.0/32[0/5]"},
		{{{6, {0x20, 1, 0xd, 0xb8}}, {6, {0x20, 1, 0xd, 0xb8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}},
		  0, 65535, 58}, "2001:db8::/32[ipv6-icmp]"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		char buf[TS_STRLEN];

		assert_string_equal(ts_str(&t[i].ts, buf), t[i].want);
	}
}

/* The longest that can be said fits. */
static void text_of_the_longest(void **state)
{
	struct ts ts = {.protocol = 58, .port_lo = 0xfffe, .port_hi = 0xffff};
	char buf[TS_STRLEN];

	(void)state;
	ts.lo.family = ts.hi.family = 6;
	memset(ts.lo.b, 0x11, 16);
	memset(ts.hi.b, 0xee, 16);
	assert_string_equal(ts_str(&ts, buf), "1111:1111:1111:1111:1111:1111:1111:1111-"
					      "eeee:eeee:eeee:eeee:eeee:eeee:eeee:eeee"
					      "[ipv6-icmp/255(254)-255(255)]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(intersect_model),
		cmocka_unit_test(narrow_model),
		cmocka_unit_test(within_model),
		cmocka_unit_test(subset_model),
		cmocka_unit_test(within_by_hand),
		cmocka_unit_test(first_choice_survives),
		cmocka_unit_test(triggering_packet),
		cmocka_unit_test(nothing_in_common),
		cmocka_unit_test(equality),
		cmocka_unit_test(text),
		cmocka_unit_test(text_of_the_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
