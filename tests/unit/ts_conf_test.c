// SPDX-License-Identifier: BSD-2-Clause
#include "agent/conf/conf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void selectors(void **state)
{
	static const struct {
		const char *text, *shown; /* by ts_str */
	} t[] = {
	    {"10.1.0.0/24", "10.1.0.0/24"},
	    {"10.1.0.77/24", "10.1.0.0/24"},
	    {"10.1.0.5", "10.1.0.5/32"},
	    {"0.0.0.0/0", "0.0.0.0/0"},
	    {"::/0", "::/0"},
	    {"2001:db8::/32", "2001:db8::/32"},
	    {"2001:db8::1", "2001:db8::1/128"},
	    {"10.1.0.1-10.1.0.9", "10.1.0.1-10.1.0.9"},
	    {"10.1.0.0-10.1.0.255", "10.1.0.0/24"},
	    {"2001:db8::1-2001:db8::5", "2001:db8::1-2001:db8::5"},
	    {"10.0.0.0/8[tcp]", "10.0.0.0/8[tcp]"},
	    {"10.0.0.0/8[TCP/80]", "10.0.0.0/8[tcp/80]"},
	    {"10.0.0.0/8[6/0x50]", "10.0.0.0/8[tcp/80]"},
	    {"10.0.0.0/8[udp/1000-2000]", "10.0.0.0/8[udp/1000-2000]"},
	    {"10.0.0.0/8[tcp/opaque]", "10.0.0.0/8[tcp/OPAQUE]"},
	    {"10.0.0.0/8[tcp/OPAQUE]", "10.0.0.0/8[tcp/OPAQUE]"},
	    {"10.0.0.0/8[sctp/1]", "10.0.0.0/8[sctp/1]"},
	    {"10.0.0.0/8[icmp]", "10.0.0.0/8[icmp]"},
	    {"10.0.0.0/8[icmp/8]", "10.0.0.0/8[icmp/8]"},
	    {"10.0.0.0/8[icmp/0]", "10.0.0.0/8[icmp/0]"},
	    {"10.0.0.0/8[icmp/3(1)]", "10.0.0.0/8[icmp/3(1)]"},
	    {"10.0.0.0/8[icmp/769]", "10.0.0.0/8[icmp/3(1)]"},
	    {"10.0.0.0/8[icmp/3(1)-3(4)]", "10.0.0.0/8[icmp/3(1)-3(4)]"},
	    {"::/0[ipv6-icmp/128]", "::/0[ipv6-icmp/128]"},
	    {"::/0[icmpv6/128-129]", "::/0[ipv6-icmp/128(0)-129(255)]"},
	    {"10.0.0.0/8[gre]", "10.0.0.0/8[47]"},
	    {"10.0.0.0/8[esp]", "10.0.0.0/8[50]"},
	    {"10.0.0.0/8[0]", "10.0.0.0/8"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		char buf[TS_STRLEN];
		bool dynamic = true;
		struct ts ts;

		if (conf_ts_parse(t[i].text, &ts, &dynamic) < 0)
			fail_msg("%s", t[i].text);
		assert_false(dynamic);
		assert_string_equal(ts_str(&ts, buf), t[i].shown);
	}
}

static void icmp_bytes(void **state)
{
	struct ts ts;
	bool dynamic;

	(void)state;
	/* RFC 4301 4.4.1.1: type in the upper byte, every code of it. */
	assert_int_equal(conf_ts_parse("10.0.0.0/8[icmp/8]", &ts, &dynamic), 0);
	assert_int_equal(ts.port_lo, 0x0800);
	assert_int_equal(ts.port_hi, 0x08ff);
	assert_int_equal(conf_ts_parse("10.0.0.0/8[tcp/opaque]", &ts, &dynamic), 0);
	assert_int_equal(ts.port_lo, 65535);
	assert_int_equal(ts.port_hi, 0);
	assert_int_equal(conf_ts_parse("10.0.0.0/8[tcp]", &ts, &dynamic), 0);
	assert_int_equal(ts.port_lo, 0);
	assert_int_equal(ts.port_hi, 65535);
}

static void dynamic_ones(void **state)
{
	struct ts ts;
	bool dynamic = false;

	(void)state;
	assert_int_equal(conf_ts_parse("dynamic", &ts, &dynamic), 0);
	assert_true(dynamic && ts.lo.family == 0 && ts.hi.family == 0 && ts.protocol == 0);
	assert_int_equal(conf_ts_parse("dynamic[udp/53]", &ts, &dynamic), 0);
	assert_true(dynamic && ts.protocol == 17 && ts.port_lo == 53 && ts.port_hi == 53);
}

static void bad_selectors(void **state)
{
	static const char *const bad[] = {
	    "",
	    "10.1.0.0/33",
	    "10.1.0.0/",
	    "10.1.0.0/-1",
	    "10.1.0.0/24/8",
	    "10.1.0/24",
	    "2001:db8::/129",
	    "10.1.0.9-10.1.0.1",
	    "10.1.0.1-",
	    "-10.1.0.1",
	    "10.1.0.1-2001:db8::1",
	    "10.1.0.1-10.1.0.9/24",
	    "any",
	    "dynamik",
	    "dynamic/24",
	    "gw.example",
	    "10.1.0.0/24[",
	    "10.1.0.0/24]",
	    "10.1.0.0/24[]",
	    "10.1.0.0/24[tcp",
	    "10.1.0.0/24[tcp]x",
	    "10.1.0.0/24[tcp/]",
	    "10.1.0.0/24[tcp/80/81]",
	    "10.1.0.0/24[tcp/65536]",
	    "10.1.0.0/24[tcp/81-80]",
	    "10.1.0.0/24[tcp/80-]",
	    "10.1.0.0/24[nosuchproto]",
	    "10.1.0.0/24[256]",
	    "10.1.0.0/24[tcp/nosuchservice]",
	    "10.1.0.0/24[/80]",
	    "10.1.0.0/24[0/80]",
	    "10.1.0.0/24[esp/80]",
	    "10.1.0.0/24[gre/opaque]",
	    "10.1.0.0/24[0/opaque]",
	    "10.1.0.0/24[icmp/echo]",
	    "10.1.0.0/24[icmp/65536]",
	    "10.1.0.0/24[icmp/3(256)]",
	    "10.1.0.0/24[icmp/256(1)]",
	    "10.1.0.0/24[icmp/3(1]",
	    "10.1.0.0/24[icmp/3(1)x]",
	    "10.1.0.0/24[icmp/9-8]",
	    "10.1.0.0/24 [tcp]",
	    "10.1.0.0/24-10.1.1.0/24",
	};
	char big[400];

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct ts ts = {.protocol = 99};
		bool dynamic;

		if (conf_ts_parse(bad[i], &ts, &dynamic) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(ts.protocol, 99);
	}
	memset(big, '1', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;

	struct ts ts;
	bool dynamic;

	assert_int_equal(conf_ts_parse(big, &ts, &dynamic), -EINVAL);
}

static void addresses(void **state)
{
	static const struct {
		const char *text, *in, *out; /* an address that matches, one that does not */
	} t[] = {
	    {"192.0.2.1", "192.0.2.1", "192.0.2.2"},
	    {"10.0.0.0/8", "10.255.0.1", "11.0.0.0"},
	    {"10.0.0.5-10.0.0.9", "10.0.0.9", "10.0.0.10"},
	    {"10.0.0.5-10.0.0.9", "10.0.0.5", "10.0.0.4"},
	    {"2001:db8::/32", "2001:db8::1", "2001:db9::1"},
	    {"%any4", "192.0.2.1", "::1"},
	    {"%any6", "::1", "192.0.2.1"},
	    {"%any", "::1", NULL},
	    {"%any", "192.0.2.1", NULL},
	    {"0.0.0.0", "192.0.2.1", NULL},
	    {"gw-1.example", "192.0.2.1", NULL},
	};
	static const char *const bad[] = {
	    "",	  "%defaultroute", "10.0.0.300",	"10.0.0.0/33", "a b",	      "-x",
	    ".x", "x/24",	   "10.0.0.9-10.0.0.1", "gw!",	       "2001:db8::g", "1.2.3"};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		struct ip_addr in, out;
		struct conf_addr a;

		if (conf_addr_parse(t[i].text, &a) < 0)
			fail_msg("%s", t[i].text);
		assert_int_equal(addr_parse(t[i].in, &in), 0);
		assert_true(conf_addr_matches(&a, &in));
		if (t[i].out) {
			assert_int_equal(addr_parse(t[i].out, &out), 0);
			assert_false(conf_addr_matches(&a, &out));
		}
		assert_string_equal(a.host, strstr(t[i].text, "example") ? t[i].text : "");
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct conf_addr a;

		if (conf_addr_parse(bad[i], &a) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(selectors),    cmocka_unit_test(icmp_bytes),
	    cmocka_unit_test(dynamic_ones), cmocka_unit_test(bad_selectors),
	    cmocka_unit_test(addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
