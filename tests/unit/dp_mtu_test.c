/* SPDX-License-Identifier: BSD-2-Clause */
#include "dp_env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* The largest inner packet fits, one byte more does not: for every suite, encapsulation and path. */
static void inner_mtu(void **state)
{
	(void)state;
	for (unsigned int i = 0; crypto_suite_at(i); i++)
		for (int udp = 0; udp < 2; udp++) {
			const struct crypto_suite *suite = crypto_suite_at(i);
			const struct esp_shape s = {.outer_len = udp ? 28 : 20, .iv_len = suite->iv_len,
						    .icv_len = suite->icv_len, .align = suite->align};

			for (uint32_t path = 0; path < 4000; path++) {
				uint32_t mtu = mtu_inner(&s, path);

				if (!mtu) {
					assert_true(path < 130);
					continue;
				}
				assert_true(mtu_outer(&s, mtu) <= path);
				assert_true(mtu_outer(&s, mtu + 1) > path);
			}
			assert_int_equal(mtu_inner(&s, 43), 0);
		}
}

/* What the field expects for the common cases. */
static void known_mtus(void **state)
{
	const struct esp_shape gcm = {.outer_len = 20, .iv_len = 8, .icv_len = 16, .align = 4};
	const struct esp_shape cbc_udp = {.outer_len = 28, .iv_len = 16, .icv_len = 16, .align = 16};

	(void)state;
	assert_int_equal(mtu_inner(&gcm, 1500), 1446);
	assert_int_equal(mtu_inner(&cbc_udp, 1500), 1422);
}

static void icmp_too_big(void **state)
{
	uint8_t bad[1500], at[ICMP4_MAX];
	const uint8_t src[4] = {10, 1, 0, 254};
	struct ip4_hdr *ip = (struct ip4_hdr *)at;
	uint32_t n;

	(void)state;
	env_inner(bad, 1500, 0, true);
	n = icmp4_error(at, src, 3, 4, 1438, bad, 1500);
	assert_int_equal(n, 576); /* RFC 1812 4.3.2.3: as much as fits into 576 bytes */
	assert_int_equal(be16(ip->len_be), 576);
	assert_int_equal(csum_fold(csum_add(at, 20, 0)), 0xffff);
	assert_int_equal(csum_fold(csum_add(at + 20, n - 20, 0)), 0xffff);
	assert_memory_equal(ip->src, src, 4);
	assert_memory_equal(ip->dst, bad + 12, 4);
	assert_int_equal(at[20], 3);
	assert_int_equal(at[21], 4);
	assert_int_equal(at[26] << 8 | at[27], 1438);
	assert_memory_equal(at + 28, bad, 548);
	n = icmp4_error(at, src, 11, 0, 0, bad, 60);
	assert_int_equal(n, 88);
}

/* RFC 1812 4.3.2.7: one row a packet about which nothing may be said. */
static void icmp_not_allowed(void **state)
{
	uint8_t bad[128], at[ICMP4_MAX];
	const uint8_t src[4] = {10, 1, 0, 254};

	(void)state;
#define NONE(change)                                                       \
	do {                                                               \
		env_inner(bad, 100, 0, true);                              \
		change;                                                    \
		assert_int_equal(icmp4_error(at, src, 3, 4, 1400, bad, 100), 0); \
	} while (0)
	NONE(bad[7] = 1);			     /* a later fragment */
	NONE(bad[12] = 0);			     /* from no host */
	NONE(bad[12] = 127);
	NONE(bad[12] = 224);
	NONE(bad[16] = 239);			     /* to a group */
	NONE((bad[9] = IPPROTO_ICMP, bad[20] = 3));  /* an ICMP error */
	NONE((bad[9] = IPPROTO_ICMP, bad[20] = 11));
	NONE((bad[9] = IPPROTO_ICMP, bad[20] = 5));
#undef NONE
	env_inner(bad, 100, 0, true);
	bad[9] = IPPROTO_ICMP;
	bad[20] = 8;
	assert_true(icmp4_error(at, src, 3, 4, 1400, bad, 100) > 0);
	assert_int_equal(icmp4_error(at, src, 3, 4, 1400, bad, 19), 0);
	assert_int_equal(icmp4_error(at, src, 3, 4, 1400, bad, 20), 0); /* ICMP without its type */
}

static void icmp6(void **state)
{
	uint8_t bad[1500] = {0x60}, at[ICMP6_MAX], src[16];
	struct ip6_hdr_fixed *ip = (struct ip6_hdr_fixed *)at;
	uint64_t sum;
	uint32_t n;

	(void)state;
	env_addr(src, "2001:db8::1");
	env_addr(bad + 8, "2001:db8:1::1");
	env_addr(bad + 24, "2001:db8:2::1");
	bad[6] = IPPROTO_TCP;
	n = icmp6_error(at, src, 2, 0, 1300, bad, 1500);
	assert_int_equal(n, 1280); /* RFC 4443 2.4 (c) */
	assert_int_equal(be16(ip->len_be), 1240);
	assert_memory_equal(ip->dst, bad + 8, 16);
	sum = csum_add(at + 8, 32, 0) + be32(1240) + be32(IPPROTO_ICMPV6);
	assert_int_equal(csum_fold(csum_add(at + 40, 1240, sum)), 0xffff);
	assert_int_equal(at[46] << 8 | at[47], 1300);
	bad[6] = IPPROTO_ICMPV6;
	bad[40] = 1;
	assert_int_equal(icmp6_error(at, src, 2, 0, 1300, bad, 1500), 0);
	bad[40] = 128;
	assert_true(icmp6_error(at, src, 2, 0, 1300, bad, 1500) > 0);
	bad[8] = 0xff;
	assert_int_equal(icmp6_error(at, src, 2, 0, 1300, bad, 1500), 0);
}

/* Fragments put together are the packet again, none is larger than the MTU. */
static void fragments(void **state)
{
	uint8_t packet[1500], whole[1500], at[1500];

	(void)state;
	for (uint32_t n = 29; n <= 1500; n += 13)
		for (uint32_t mtu = 68; mtu < 1500; mtu += 97) {
			struct frag f = {0};
			uint32_t got = 0, count = 0;

			env_inner(packet, n, 0, false);
			memset(whole, 0, sizeof(whole));
			while (frag_next(packet, mtu, &f)) {
				struct ip4_hdr *ip = (struct ip4_hdr *)at;
				uint32_t len = frag_write(packet, &f, at);
				uint32_t offset = (be16(ip->frag_be) & IP4_OFFSET) * 8u;

				assert_true(len <= mtu);
				assert_int_equal(be16(ip->len_be), len);
				assert_int_equal(csum_fold(csum_add(at, 20, 0)), 0xffff);
				assert_int_equal(offset, got);
				memcpy(whole + 20 + offset, at + 20, len - 20);
				got += len - 20;
				assert_int_equal(!!(be16(ip->frag_be) & IP4_MF), got < n - 20);
				assert_true(++count < 64);
			}
			assert_int_equal(got, n - 20);
			assert_memory_equal(whole + 20, packet + 20, n - 20);
		}
}

static void fragment_of_a_fragment(void **state)
{
	uint8_t packet[200], at[200];
	struct frag f = {0};
	struct ip4_hdr *ip = (struct ip4_hdr *)at;

	(void)state;
	env_inner(packet, 180, 0, false);
	((struct ip4_hdr *)packet)->frag_be = be16(IP4_MF | 100);
	assert_true(frag_next(packet, 100, &f));
	frag_write(packet, &f, at);
	assert_int_equal(be16(ip->frag_be), IP4_MF | 100);
	assert_true(frag_next(packet, 100, &f));
	frag_write(packet, &f, at);
	assert_int_equal(be16(ip->frag_be), IP4_MF | 110);
	assert_false(frag_next(packet, 100, &f));
}

/* Options: copied ones stay in later fragments, others become no-ops; broken ones harm nobody. */
static void fragment_options(void **state)
{
	uint8_t packet[260], at[260];
	struct frag f = {0};

	(void)state;
	memset(packet, 0, sizeof(packet));
	env_inner(packet + 8, 240, 0, false);
	memmove(packet, packet + 8, 20);
	packet[0] = 0x47;
	packet[2] = 248 >> 8, packet[3] = 248;
	memcpy(packet + 20, (uint8_t[]){0x88, 4, 1, 2, 0x07, 3, 4, 0}, 8); /* stream id; record route */
	assert_true(frag_next(packet, 128, &f));
	assert_int_equal(frag_write(packet, &f, at), 28 + 96);
	assert_memory_equal(at + 20, packet + 20, 8);
	assert_true(frag_next(packet, 128, &f));
	frag_write(packet, &f, at);
	assert_memory_equal(at + 20, ((uint8_t[]){0x88, 4, 1, 2, 1, 1, 1, 0}), 8);
	memcpy(packet + 20, (uint8_t[]){7, 200, 1, 1, 1, 1, 1, 7}, 8);
	frag_write(packet, &f, at);
	memcpy(packet + 20, (uint8_t[]){1, 1, 1, 1, 1, 1, 1, 7}, 8);
	frag_write(packet, &f, at);
	memcpy(packet + 20, (uint8_t[]){7, 0, 1, 1, 1, 1, 1, 7}, 8);
	frag_write(packet, &f, at);
}

static uint16_t pseudo(const uint8_t *p, uint8_t protocol, uint32_t n)
{
	return csum_fold(csum_add(p + 12, 8, (uint64_t)be16(protocol) + be16((uint16_t)n)));
}

/* A partial checksum is completed, any other is left alone. */
static void partial_checksums(void **state)
{
	static const struct {
		uint8_t protocol, at;
	} rows[] = {{IPPROTO_TCP, 16}, {IPPROTO_UDP, 6}};
	uint8_t p[1500];

	(void)state;
	for (unsigned int i = 0; i < 2; i++)
		for (uint32_t len = 40; len < 1500; len += 31) {
			uint16_t sum, kept;

			env_inner(p, len, 0, true);
			p[9] = rows[i].protocol;
			sum = pseudo(p, p[9], len - 20);
			memcpy(p + 20 + rows[i].at, &sum, 2);
			csum_complete4(p, len);
			/* whole: summing over all with the pseudo-header gives ones */
			assert_int_equal(csum_fold(csum_add(p + 20, len - 20, sum)), 0xffff);
			memcpy(&kept, p + 20 + rows[i].at, 2);
			csum_complete4(p, len);
			memcpy(&sum, p + 20 + rows[i].at, 2);
			assert_int_equal(kept, sum);
			/* wrong, but not partial: not ours to repair */
			p[20 + rows[i].at] ^= 0x55;
			memcpy(&kept, p + 20 + rows[i].at, 2);
			csum_complete4(p, len);
			memcpy(&sum, p + 20 + rows[i].at, 2);
			assert_int_equal(kept, sum);
		}
	/* too short for the field, a fragment, another protocol */
	env_inner(p, 60, 0, true);
	p[9] = IPPROTO_TCP;
	csum_complete4(p, 37);
	((struct ip4_hdr *)p)->frag_be = be16(IP4_MF);
	csum_complete4(p, 60);
	p[9] = IPPROTO_ICMP;
	csum_complete4(p, 60);
}

static void bad_ip_headers(void **state)
{
	uint8_t p[64];
	uint32_t len;

	(void)state;
	env_inner(p, 40, 0, true);
	for (uint32_t have = 0; have < 40; have++)
		assert_int_equal(ip4_check(p, have, &len), -1);
	assert_int_equal(ip4_check(p, 46, &len), 0); /* link padding */
	assert_int_equal(len, 40);
	p[0] = 0x44;
	assert_int_equal(ip4_check(p, 40, &len), -1);
	p[0] = 0x4b;
	assert_int_equal(ip4_check(p, 40, &len), -1);
	p[0] = 0x65;
	assert_int_equal(ip4_check(p, 40, &len), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inner_mtu),
		cmocka_unit_test(known_mtus),
		cmocka_unit_test(icmp_too_big),
		cmocka_unit_test(icmp_not_allowed),
		cmocka_unit_test(icmp6),
		cmocka_unit_test(fragments),
		cmocka_unit_test(fragment_of_a_fragment),
		cmocka_unit_test(fragment_options),
		cmocka_unit_test(partial_checksums),
		cmocka_unit_test(bad_ip_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
