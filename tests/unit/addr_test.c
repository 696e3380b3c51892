// SPDX-License-Identifier: BSD-2-Clause
#include "common/addr.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct ip_addr addr(const char *s)
{
	struct ip_addr a;

	assert_int_equal(addr_parse(s, &a), 0);
	return a;
}

static void parse_and_print(void **state)
{
	static const char *const good[] = {"192.0.2.1", "0.0.0.0", "255.255.255.255", "2001:db8::1",
					   "::",	"::1",	   "fe80::1:2:3:4"};
	static const char *const bad[] = {"",
					  " ",
					  "192.0.2",
					  "192.0.2.256",
					  "192.0.2.1 ",
					  "192.0.2.1/24",
					  "2001:db8::g",
					  "fe80::1%eth0",
					  "1:2:3:4:5:6:7:8:9",
					  "%any",
					  "name"};
	char buf[ADDR_STRLEN];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		struct ip_addr a = addr(good[i]);

		assert_string_equal(addr_str(&a, buf), good[i]);
		assert_int_equal(addr_len(&a), strchr(good[i], ':') ? 16 : 4);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct ip_addr a = {.family = 9};

		assert_int_equal(addr_parse(bad[i], &a), -EINVAL);
		assert_int_equal(a.family, 9);
	}
}

static void none_is_any(void **state)
{
	struct ip_addr none = {0}, v4 = addr("0.0.0.0"), v6 = addr("::"), one = addr("0.0.0.1");
	char buf[ADDR_STRLEN];

	(void)state;
	assert_string_equal(addr_str(&none, buf), "%any");
	assert_int_equal(addr_len(&none), 0);
	assert_true(addr_is_any(&none) && addr_is_any(&v4) && addr_is_any(&v6));
	assert_false(addr_is_any(&one));
	assert_false(addr_equal(&none, &v4));
}

static void compare(void **state)
{
	struct ip_addr a = addr("10.0.0.9"), b = addr("10.0.0.10"), c = addr("::1");

	(void)state;
	assert_true(addr_cmp(&a, &b) < 0 && addr_cmp(&b, &a) > 0 && addr_cmp(&a, &a) == 0);
	assert_true(addr_cmp(&b, &c) < 0 && addr_cmp(&c, &b) > 0);
	/* What is behind the four bytes of an IPv4 address does not count. */
	struct ip_addr dirty = a;

	dirty.b[7] = 0xff;
	assert_true(addr_equal(&a, &dirty));
}

static void mapped(void **state)
{
	static const uint8_t want[16] = {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 1};
	struct ip_addr v4 = addr("192.0.2.1"), v6 = addr("2001:db8::1"), none = {0}, back;
	uint8_t b[16];

	(void)state;
	addr_to_mapped(&v4, b);
	assert_memory_equal(b, want, 16);
	addr_from_mapped(b, &back);
	assert_true(addr_equal(&back, &v4));
	addr_to_mapped(&v6, b);
	addr_from_mapped(b, &back);
	assert_true(addr_equal(&back, &v6));
	addr_to_mapped(&none, b);
	addr_from_mapped(b, &back);
	assert_true(back.family == 6 && addr_is_any(&back));
}

static void prefix_range(void **state)
{
	static const struct {
		const char *addr;
		unsigned int plen;
		const char *lo, *hi;
	} t[] = {
	    {"10.1.2.3", 24, "10.1.2.0", "10.1.2.255"},
	    {"10.1.2.3", 32, "10.1.2.3", "10.1.2.3"},
	    {"10.1.2.3", 0, "0.0.0.0", "255.255.255.255"},
	    {"10.1.2.3", 31, "10.1.2.2", "10.1.2.3"},
	    {"10.1.130.3", 17, "10.1.128.0", "10.1.255.255"},
	    {"2001:db8::1", 32, "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"},
	    {"2001:db8::1", 128, "2001:db8::1", "2001:db8::1"},
	    {"::", 0, "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		struct ip_addr a = addr(t[i].addr), lo = addr(t[i].lo), hi = addr(t[i].hi), l, h;

		addr_prefix_range(&a, t[i].plen, &l, &h);
		assert_true(addr_equal(&l, &lo) && addr_equal(&h, &hi));
		/* The result may go where the address is. */
		addr_prefix_range(&a, t[i].plen, &a, &h);
		assert_true(addr_equal(&a, &lo) && addr_equal(&h, &hi));
	}
}

static void sockaddr(void **state)
{
	static const char *const texts[] = {"192.0.2.1", "2001:db8::1"};
	struct sockaddr_storage ss;
	struct endpoint e, back;
	char buf[ENDPOINT_STRLEN];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		e = (struct endpoint){.ip = addr(texts[i]), .port = 4500};
		assert_int_equal(endpoint_to_sockaddr(&e, &ss),
				 i ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
		assert_int_equal(endpoint_from_sockaddr(&ss, &back), 0);
		assert_true(endpoint_equal(&e, &back));
	}
	assert_string_equal(endpoint_str(&e, buf), "2001:db8::1[4500]");
	back.port++;
	assert_false(endpoint_equal(&e, &back));

	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = htons(500)};

	memcpy(&sin6.sin6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1", 16);
	memcpy(&ss, &sin6, sizeof(sin6));
	assert_int_equal(endpoint_from_sockaddr(&ss, &e), 0);
	assert_string_equal(endpoint_str(&e, buf), "192.0.2.1[500]");

	ss.ss_family = AF_UNIX;
	assert_int_equal(endpoint_from_sockaddr(&ss, &e), -EAFNOSUPPORT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parse_and_print), cmocka_unit_test(none_is_any),
	    cmocka_unit_test(compare),	       cmocka_unit_test(mapped),
	    cmocka_unit_test(prefix_range),    cmocka_unit_test(sockaddr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
