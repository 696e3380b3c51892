/* SPDX-License-Identifier: BSD-2-Clause */
#include "dp_env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>

static void open_outer(struct outer *o, const char *src, const char *dst, uint16_t sport, uint16_t dport)
{
	uint8_t s[16], d[16];

	memset(o, 0, sizeof(*o));
	env_addr(s, src);
	env_addr(d, dst);
	assert_int_equal(outer_init(o, s, d, sport, dport), 0);
}

static void plain_esp(void **state)
{
	const uint8_t expect[20] = {0x45, 0xb8, 0x00, 0x78, 0x12, 0x34, 0x40, 0x00, 64, 50,
				    0,	  0,	192,  0,    2,	  1,	198,  51,   100, 7};
	uint8_t at[64];
	struct outer o;

	(void)state;
	open_outer(&o, "192.0.2.1", "198.51.100.7", 0, 0);
	o.copy_df = o.copy_dscp = true;
	assert_int_equal(o.len, 20);
	outer_write(&o, at, 100, 0xb8 | 2, true, 0x1234);
	assert_int_equal(csum_fold(csum_add(at, 20, 0)), 0xffff);
	at[10] = at[11] = 0;
	assert_memory_equal(at, expect, 20);
}

/* The checksum of every mix of length, id, type of service and DF. */
static void checksums(void **state)
{
	uint8_t at[64];
	struct outer o;

	(void)state;
	open_outer(&o, "255.255.255.254", "255.255.0.0", 0, 0);
	o.copy_df = o.copy_dscp = o.copy_ecn = true;
	for (uint32_t n = 0; n < 1500; n += 7)
		for (uint32_t id = 0; id < 65536; id += 4999) {
			outer_write(&o, at, n, (uint8_t)(n + id), n & 1, (uint16_t)id);
			assert_int_equal(csum_fold(csum_add(at, 20, 0)), 0xffff);
		}
}

static void udp(void **state)
{
	uint8_t at[64];
	struct outer o;

	(void)state;
	open_outer(&o, "192.0.2.1", "198.51.100.7", 4500, 61001);
	assert_int_equal(o.len, 28);
	outer_write(&o, at, 72, 0xff, true, 1);
	assert_int_equal(at[1], 0);	/* nothing is copied unless asked for */
	assert_int_equal(at[6] & 0x40, 0);
	assert_int_equal(at[9], IPPROTO_UDP);
	assert_int_equal(at[2] << 8 | at[3], 100);
	assert_int_equal(at[20] << 8 | at[21], 4500);
	assert_int_equal(at[22] << 8 | at[23], 61001);
	assert_int_equal(at[24] << 8 | at[25], 80);
	assert_int_equal(at[26] << 8 | at[27], 0);
	assert_int_equal(csum_fold(csum_add(at, 20, 0)), 0xffff);
}

static void ipv6(void **state)
{
	uint8_t at[48 + 100] = {0}, s[16], d[16];
	struct outer o;

	(void)state;
	open_outer(&o, "2001:db8::1", "2001:db8::2", 4500, 4500);
	o.copy_dscp = true;
	assert_int_equal(o.len, 48);
	outer_write(&o, at, 100, 0xb8, true, 1);
	assert_int_equal(at[0], 0x6b);
	assert_int_equal(at[1], 0x80);
	assert_int_equal(at[4] << 8 | at[5], 108);
	assert_int_equal(at[6], IPPROTO_UDP);
	env_addr(s, "2001:db8::1");
	env_addr(d, "192.0.2.1");
	assert_int_equal(outer_init(&o, s, d, 0, 0), -EAFNOSUPPORT);
}

/* RFC 6040 figure 4: rows inner, columns outer, both not-ECT, ECT(1), ECT(0), CE by code point. */
static void ecn_table(void **state)
{
	static const int table[4][4] = {
		/* outer 00  01  10  11 */
		{0, 0, 0, -1}, /* inner not-ECT */
		{1, 1, 1, 3},  /* ECT(1) */
		{2, 1, 2, 3},  /* ECT(0) */
		{3, 3, 3, 3},  /* CE */
	};

	(void)state;
	for (int in = 0; in < 4; in++)
		for (int out = 0; out < 4; out++) {
			int expect = table[in][out];

			assert_int_equal(inner_tos_after((uint8_t)(0xb8 | out), (uint8_t)(0x28 | in),
							 true, false),
					 expect < 0 ? -1 : (0x28 | expect));
			assert_int_equal(inner_tos_after((uint8_t)(0xb8 | out), (uint8_t)(0x28 | in),
							 false, true),
					 0xb8 | in);
		}
}

static void encapsulation_tos(void **state)
{
	struct outer o = {.copy_ecn = true};

	(void)state;
	for (int tos = 0; tos < 256; tos++) {
		o.copy_dscp = false;
		assert_int_equal(outer_tos(&o, (uint8_t)tos), tos & 3);
		o.copy_dscp = true;
		assert_int_equal(outer_tos(&o, (uint8_t)tos), tos);
	}
}

static uint16_t slow_sum(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i += 2) {
		sum += (uint32_t)p[i] << 8 | (i + 1 < n ? p[i + 1] : 0);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

static void checksum_against_slow_one(void **state)
{
	uint8_t buf[2000];

	(void)state;
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(i * i + i / 3);
	memset(buf + 700, 0xff, 200);
	for (size_t from = 0; from < 20; from++)
		for (size_t n = 0; n < sizeof(buf) - from; n++)
			assert_int_equal(be16(csum_fold(csum_add(buf + from, n, 0))) % 0xffff,
					 slow_sum(buf + from, n) % 0xffff);
}

static void ttl_and_tos_keep_the_checksum(void **state)
{
	uint8_t p[64];
	struct ip4_hdr *ip = (struct ip4_hdr *)p;

	(void)state;
	env_inner(p, 40, 0, false);
	for (int ttl = 64; ttl > 1; ttl--) {
		ip4_decrement_ttl(ip);
		assert_int_equal(ip->ttl, ttl - 1);
		assert_int_equal(csum_fold(csum_add(p, 20, 0)), 0xffff);
	}
	for (int tos = 0; tos < 256; tos++) {
		ip4_set_tos(ip, (uint8_t)tos);
		assert_int_equal(csum_fold(csum_add(p, 20, 0)), 0xffff);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_esp),
		cmocka_unit_test(checksums),
		cmocka_unit_test(udp),
		cmocka_unit_test(ipv6),
		cmocka_unit_test(ecn_table),
		cmocka_unit_test(encapsulation_tos),
		cmocka_unit_test(checksum_against_slow_one),
		cmocka_unit_test(ttl_and_tos_keep_the_checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
