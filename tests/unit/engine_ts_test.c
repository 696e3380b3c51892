/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/engine/selectors.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct policy_names names = {.conn = "gw", .child = "net"};

static struct ts ts(const char *net, unsigned int plen, uint8_t protocol, uint16_t lo, uint16_t hi)
{
	struct ts t = {.protocol = protocol, .port_lo = lo, .port_hi = hi};
	struct ip_addr a;

	assert_int_equal(addr_parse(net, &a), 0);
	addr_prefix_range(&a, plen, &t.lo, &t.hi);
	return t;
}

static struct ts any_of(const char *net, unsigned int plen)
{
	return ts(net, plen, 0, 0, 65535);
}

static int make(const struct ts_list *l, const struct ts_list *r, struct policy_rows *out)
{
	return policy_rows_make(l, r, XS_PROTECT, 0, &names, out);
}

/* One pair of selectors, which must give exactly one row. */
static struct xs_policy one_row(struct ts l, struct ts r)
{
	struct ts_list ll = {.n = 1, .ts = {l}}, rl = {.n = 1, .ts = {r}};
	struct policy_rows rows;
	struct xs_policy row;

	assert_int_equal(make(&ll, &rl, &rows), 0);
	assert_int_equal(rows.n, 1);
	row = rows.row[0];
	policy_rows_free(&rows);
	return row;
}

static void assert_addr(const struct xs_addr *a, const char *text)
{
	struct ip_addr ip;
	uint8_t want[16];

	assert_int_equal(addr_parse(text, &ip), 0);
	addr_to_mapped(&ip, want);
	assert_memory_equal(a->b, want, 16);
}

static void source_is_local_and_destination_remote(void **state)
{
	struct xs_policy p = one_row(any_of("10.1.0.0", 24), any_of("10.2.0.0", 16));

	(void)state;
	assert_addr(&p.src_lo, "10.1.0.0");
	assert_addr(&p.src_hi, "10.1.0.255");
	assert_addr(&p.dst_lo, "10.2.0.0");
	assert_addr(&p.dst_hi, "10.2.255.255");
	assert_int_equal(p.family, 4);
	assert_int_equal(p.protocol, 0);
	assert_int_equal(p.action, XS_PROTECT);
	assert_int_equal(p.sport_lo, 0);
	assert_int_equal(p.sport_hi, 65535);
	assert_string_equal(p.conn, "gw");
	assert_string_equal(p.child, "net");
}

static void families_are_never_mixed(void **state)
{
	struct ts_list l = {.n = 2, .ts = {any_of("10.0.0.0", 8), any_of("2001:db8::", 32)}};
	struct ts_list r = {.n = 2, .ts = {any_of("2001:db8:1::", 48), any_of("10.9.0.0", 16)}};
	struct ts_list only6 = {.n = 1, .ts = {any_of("::", 0)}};
	struct ts_list only4 = {.n = 1, .ts = {any_of("0.0.0.0", 0)}};
	struct policy_rows rows;

	(void)state;
	assert_int_equal(make(&l, &r, &rows), 0);
	assert_int_equal(rows.n, 2);
	for (uint32_t i = 0; i < rows.n; i++)
		assert_true(rows.row[i].family == 4 || rows.row[i].family == 6);
	assert_int_not_equal(rows.row[0].family, rows.row[1].family);
	policy_rows_free(&rows);
	assert_int_equal(make(&only6, &only4, &rows), -EINVAL);
	assert_null(rows.row);
}

static void protocols_meet_or_the_pair_is_left_out(void **state)
{
	struct ts_list tcp = {.n = 1, .ts = {ts("10.0.0.0", 8, IPPROTO_TCP, 80, 80)}};
	struct ts_list udp = {.n = 1, .ts = {ts("10.0.0.0", 8, IPPROTO_UDP, 0, 65535)}};
	struct xs_policy p = one_row(any_of("10.0.0.0", 8), ts("10.1.0.0", 16, IPPROTO_TCP, 443, 443));
	struct policy_rows rows;

	(void)state;
	assert_int_equal(p.protocol, IPPROTO_TCP);
	assert_int_equal(p.dport_lo, 443);
	assert_int_equal(p.dport_hi, 443);
	assert_int_equal(p.sport_hi, 65535);
	assert_int_equal(make(&tcp, &udp, &rows), -EINVAL);
}

static void each_pair_is_a_row_and_none_twice(void **state)
{
	struct ts_list l = {.n = 3,
			    .ts = {any_of("10.1.0.0", 24), any_of("10.2.0.0", 24),
				   any_of("10.1.0.0", 24)}};
	struct ts_list r = {.n = 2, .ts = {any_of("10.8.0.0", 24), any_of("10.9.0.0", 24)}};
	struct policy_rows rows;

	(void)state;
	assert_int_equal(make(&l, &r, &rows), 0);
	assert_int_equal(rows.n, 4);
	policy_rows_free(&rows);
}

static void order_of_the_peer_does_not_matter(void **state)
{
	struct ts a = any_of("10.1.0.0", 24), b = any_of("10.3.0.0", 24);
	struct ts_list l1 = {.n = 2, .ts = {a, b}}, l2 = {.n = 2, .ts = {b, a}};
	struct ts_list r = {.n = 1, .ts = {any_of("10.2.0.0", 24)}};
	struct policy_rows x, y;

	(void)state;
	assert_int_equal(make(&l1, &r, &x), 0);
	assert_int_equal(make(&l2, &r, &y), 0);
	assert_true(policy_rows_same(&x, &y));
	y.row[1].sport_hi--;
	assert_false(policy_rows_same(&x, &y));
	policy_rows_free(&y);
	assert_int_equal(make(&r, &l1, &y), 0);
	assert_false(policy_rows_same(&x, &y));
	policy_rows_free(&y);
	policy_rows_free(&x);
}

/* RFC 4301 4.4.1.1: type << 8 | code of what we send, from our selector alone. */
static void icmp_type_and_code_are_taken_apart(void **state)
{
	struct xs_policy p;

	(void)state;
	p = one_row(ts("10.0.0.0", 8, IPPROTO_ICMP, 0x0800, 0x08ff),
		    ts("10.0.0.0", 8, IPPROTO_ICMP, 0x0000, 0x00ff));
	assert_int_equal(p.sport_lo, 8);
	assert_int_equal(p.sport_hi, 8);
	assert_int_equal(p.dport_lo, 0);
	assert_int_equal(p.dport_hi, 65535);

	p = one_row(ts("10.0.0.0", 8, IPPROTO_ICMP, 0x0304, 0x0304), any_of("10.0.0.0", 8));
	assert_int_equal(p.sport_lo, 3);
	assert_int_equal(p.sport_hi, 3);
	assert_int_equal(p.dport_lo, 4);
	assert_int_equal(p.dport_hi, 4);

	p = one_row(ts("10.0.0.0", 8, IPPROTO_ICMP, 0, 65535), any_of("10.0.0.0", 8));
	assert_int_equal(p.sport_lo, 0);
	assert_int_equal(p.sport_hi, 65535);
	assert_int_equal(p.dport_hi, 65535);

	p = one_row(ts("2001:db8::", 32, IPPROTO_ICMPV6, 0x8000, 0x81ff), any_of("::", 0));
	assert_int_equal(p.sport_lo, 128);
	assert_int_equal(p.sport_hi, 129);
	assert_int_equal(p.dport_hi, 65535);
}

static bool icmp_matches(const struct policy_rows *rows, unsigned int type, unsigned int code)
{
	for (uint32_t i = 0; i < rows->n; i++) {
		const struct xs_policy *r = &rows->row[i];

		if (type >= r->sport_lo && type <= r->sport_hi && code >= r->dport_lo &&
		    code <= r->dport_hi)
			return true;
	}
	return false;
}

static void icmp_ranges_cover_exactly_their_numbers(void **state)
{
	static const uint16_t range[][2] = {
		{0x0800, 0x0800}, {0x0801, 0x0a03}, {0x0000, 0x0001}, {0x03fe, 0x0400},
		{0x03ff, 0x04ff}, {0x0300, 0x04fe}, {0x0000, 0xfffe}, {0x0001, 0xffff},
		{0x0000, 0xffff}, {0xff00, 0xffff},
	};
	struct ts_list r = {.n = 1, .ts = {any_of("10.0.0.0", 8)}};

	(void)state;
	for (size_t i = 0; i < sizeof(range) / sizeof(range[0]); i++) {
		struct ts_list l = {
			.n = 1, .ts = {ts("10.0.0.0", 8, IPPROTO_ICMP, range[i][0], range[i][1])}};
		struct policy_rows rows;

		assert_int_equal(make(&l, &r, &rows), 0);
		assert_in_range(rows.n, 1, 3);
		for (unsigned int n = 0; n <= 0xffff; n++)
			assert_int_equal(icmp_matches(&rows, n >> 8, n & 0xff),
					 n >= range[i][0] && n <= range[i][1]);
		policy_rows_free(&rows);
	}
}

/* RFC 4301 4.4.1.1 OPAQUE on our side: we may send no such message at all. */
static void opaque_icmp_sends_nothing(void **state)
{
	struct ts_list l = {.n = 1, .ts = {ts("10.0.0.0", 8, IPPROTO_ICMP, 65535, 0)}};
	struct ts_list r = {.n = 1, .ts = {any_of("10.0.0.0", 8)}};
	struct policy_rows rows;

	(void)state;
	assert_int_equal(make(&l, &r, &rows), -EINVAL);
}

static void more_specific_wins(void **state)
{
	struct xs_policy wide = one_row(any_of("10.0.0.0", 8), any_of("10.2.0.0", 16));
	struct xs_policy narrow = one_row(any_of("10.1.0.0", 24), any_of("10.2.0.0", 16));
	struct xs_policy proto = one_row(ts("10.1.0.0", 24, IPPROTO_TCP, 0, 65535),
					 any_of("10.2.0.0", 16));
	struct xs_policy ports = one_row(ts("10.1.0.0", 24, IPPROTO_TCP, 0, 65535),
					 ts("10.2.0.0", 16, IPPROTO_TCP, 80, 90));
	struct xs_policy port = one_row(ts("10.1.0.0", 24, IPPROTO_TCP, 0, 65535),
					ts("10.2.0.0", 16, IPPROTO_TCP, 80, 80));
	struct xs_policy host = one_row(any_of("10.1.0.7", 32), any_of("10.2.0.0", 16));

	(void)state;
	assert_true(narrow.priority < wide.priority);
	assert_true(proto.priority < narrow.priority);
	assert_true(ports.priority < proto.priority);
	assert_true(port.priority < ports.priority);
	assert_true(host.priority < port.priority);
}

static void priority_stays_in_its_class(void **state)
{
	struct xs_policy least = one_row(any_of("0.0.0.0", 0), any_of("0.0.0.0", 0));
	struct xs_policy most = one_row(ts("2001:db8::1", 128, IPPROTO_TCP, 1, 1),
					ts("2001:db8::2", 128, IPPROTO_TCP, 2, 2));

	(void)state;
	assert_int_equal(least.priority, PRIORITY_SA);
	assert_true(most.priority > PRIORITY_SHUNT);
	assert_true(most.priority < least.priority);
	assert_true(policy_priority(&most, PRIORITY_SHUNT) > 0);
}

static void ranges_that_are_no_prefix_count_their_size(void **state)
{
	struct ts r = any_of("10.2.0.0", 24), odd = r;
	struct xs_policy a, b, whole;

	(void)state;
	odd.hi.b[3] = 99; /* 100 addresses: between a /25 and a /26 */
	whole = one_row(r, r);
	a = one_row(odd, r);
	odd.hi.b[3] = 127;
	b = one_row(odd, r);
	assert_int_equal(a.priority, b.priority);
	assert_true(a.priority < whole.priority);
}

static void given_priority_overrides_and_trap_stands_behind(void **state)
{
	struct ts_list l = {.n = 1, .ts = {any_of("10.1.0.0", 24)}};
	struct policy_rows rows;

	(void)state;
	assert_int_equal(policy_rows_make(&l, &l, XS_PROTECT, 77, &names, &rows), 0);
	assert_int_equal(rows.row[0].priority, 77);
	policy_rows_free(&rows);
	assert_int_equal(policy_rows_make(&l, &l, XS_TRAP, 77, &names, &rows), 0);
	assert_int_equal(rows.row[0].priority, 78);
	policy_rows_free(&rows);
	assert_int_equal(policy_rows_make(&l, &l, XS_BYPASS, 0, &names, &rows), 0);
	assert_true(rows.row[0].priority <= PRIORITY_SHUNT);
	policy_rows_free(&rows);
}

static void full_lists_fit(void **state)
{
	struct ts_list l = {.n = IKE_TS_AGREED_MAX}, r = {.n = IKE_TS_AGREED_MAX};
	struct policy_rows rows;

	(void)state;
	for (unsigned int i = 0; i < IKE_TS_AGREED_MAX; i++) {
		l.ts[i] = any_of("10.1.0.0", 24);
		l.ts[i].lo.b[2] = l.ts[i].hi.b[2] = (uint8_t)i;
		l.ts[i].protocol = IPPROTO_ICMP;
		l.ts[i].port_lo = 0x0801;
		l.ts[i].port_hi = 0x0a03;
		r.ts[i] = any_of("10.2.0.0", 24);
		r.ts[i].lo.b[2] = r.ts[i].hi.b[2] = (uint8_t)i;
	}
	assert_int_equal(make(&l, &r, &rows), 0);
	assert_int_equal(rows.n, POLICY_ROWS_MAX);
	policy_rows_free(&rows);
}

static void names_are_cut_whole(void **state)
{
	char out[XS_NAME_LEN];

	(void)state;
	policy_name(out, NULL);
	assert_int_equal(out[0], 0);
	policy_name(out, "short");
	assert_string_equal(out, "short");
	policy_name(out, "0123456789012345678901234567890");
	assert_string_equal(out, "0123456789012345678901234567890");
	policy_name(out, "01234567890123456789012345678901");
	assert_string_equal(out, "0123456789012345678901234567890");
	/* a two-byte character across the cut goes whole */
	policy_name(out, "012345678901234567890123456789\xc3\xa4tail");
	assert_string_equal(out, "012345678901234567890123456789");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(source_is_local_and_destination_remote),
		cmocka_unit_test(families_are_never_mixed),
		cmocka_unit_test(protocols_meet_or_the_pair_is_left_out),
		cmocka_unit_test(each_pair_is_a_row_and_none_twice),
		cmocka_unit_test(order_of_the_peer_does_not_matter),
		cmocka_unit_test(icmp_type_and_code_are_taken_apart),
		cmocka_unit_test(icmp_ranges_cover_exactly_their_numbers),
		cmocka_unit_test(opaque_icmp_sends_nothing),
		cmocka_unit_test(more_specific_wins),
		cmocka_unit_test(priority_stays_in_its_class),
		cmocka_unit_test(ranges_that_are_no_prefix_count_their_size),
		cmocka_unit_test(given_priority_overrides_and_trap_stands_behind),
		cmocka_unit_test(full_lists_fit),
		cmocka_unit_test(names_are_cut_whole),
	};

	return cmocka_run_group_tests_name("engine_ts", tests, NULL, NULL);
}
