/* SPDX-License-Identifier: BSD-2-Clause */
#include "dp_env.h"

#include "dataplane/inner.h"
#include "dataplane/next_hop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* IPv6 inside and outside: headers, extension headers, selectors, checksums, and ESP in every mix of families. */

enum { HOP = IPPROTO_HOPOPTS, DST = IPPROTO_DSTOPTS, RT = IPPROTO_ROUTING, FRAG = IPPROTO_FRAGMENT };

/* From 2001:db8:1::7 to 2001:db8:2::9; extension headers of 16 bytes, fragment headers of 8, then l4. */
static uint32_t build(uint8_t *at, const uint8_t *ext, unsigned int n_ext, uint8_t protocol,
		      const void *l4, uint32_t l4_len, uint16_t frag)
{
	struct ip6_hdr_fixed *ip = (struct ip6_hdr_fixed *)at;
	uint8_t *next = &ip->next;
	uint32_t n = sizeof(*ip);

	memset(at, 0, sizeof(*ip));
	ip->ver_class_flow_be = be32(6u << 28);
	ip->hops = 64;
	env_addr(ip->src, "2001:db8:1::7");
	env_addr(ip->dst, "2001:db8:2::9");
	for (unsigned int i = 0; i < n_ext; i++) {
		uint32_t size = ext[i] == FRAG ? 8 : 16;

		*next = ext[i];
		memset(at + n, 0, size);
		next = at + n;
		at[n + 1] = ext[i] == FRAG ? 0 : 1;
		if (ext[i] == FRAG) {
			at[n + 2] = (uint8_t)(frag >> 8);
			at[n + 3] = (uint8_t)frag;
		}
		n += size;
	}
	*next = protocol;
	memcpy(at + n, l4, l4_len);
	n += l4_len;
	ip->len_be = be16((uint16_t)(n - sizeof(*ip)));
	return n;
}

static const uint8_t tcp[20] = {0x12, 0x34, 0x00, 0x50};

/* A UDP packet of n bytes. */
static uint32_t inner6(uint8_t *at, uint32_t n, uint8_t tos)
{
	uint8_t l4[2000] = {1000 >> 8, 1000 & 255, 2000 >> 8, 2000 & 255};

	for (uint32_t i = 8; i < n - 40; i++)
		l4[i] = (uint8_t)i;
	build(at, NULL, 0, IPPROTO_UDP, l4, n - 40, 0);
	ip6_set_tos((struct ip6_hdr_fixed *)at, tos);
	return n;
}

/* ---- headers ------------------------------------------------------------------------------ */

static void fixed_header(void **state)
{
	uint8_t p[128];
	uint32_t len, n;

	(void)state;
	n = build(p, NULL, 0, IPPROTO_TCP, tcp, sizeof(tcp), 0);
	for (uint32_t have = 0; have < n; have++)
		assert_int_equal(ip6_check(p, have, &len), -1);
	assert_int_equal(ip6_check(p, n + 20, &len), 0); /* link padding */
	assert_int_equal(len, n);
	for (unsigned int v = 0; v < 16; v++) {
		p[0] = (uint8_t)(v << 4);
		assert_int_equal(ip6_check(p, n, &len), v == 6 ? 0 : -1);
	}
	p[0] = 0x60;
	p[4] = p[5] = 0; /* a jumbogram, or nothing where there should be a header */
	assert_int_equal(ip6_check(p, n, &len), -1);
	p[6] = HOP;
	assert_int_equal(ip6_check(p, n, &len), -1);
	p[6] = IPPROTO_NONE;
	assert_int_equal(ip6_check(p, n, &len), 0);
	assert_int_equal(len, 40);
	for (unsigned int at = 8; at <= 24; at += 16) { /* ::ffff:a.b.c.d */
		n = build(p, NULL, 0, IPPROTO_TCP, tcp, sizeof(tcp), 0);
		memset(p + at, 0, 10);
		p[at + 10] = p[at + 11] = 0xff;
		assert_int_equal(ip6_check(p, n, &len), -1);
	}
}

static void traffic_class(void **state)
{
	struct ip6_hdr_fixed ip = {.ver_class_flow_be = be32(6u << 28 | 0xabcde)};

	(void)state;
	for (unsigned int tos = 0; tos < 256; tos++) {
		ip6_set_tos(&ip, (uint8_t)tos);
		assert_int_equal(ip6_tos(&ip), tos);
		assert_int_equal(be32(ip.ver_class_flow_be), 6u << 28 | tos << 20 | 0xabcde);
	}
}

static void chains(void **state)
{
	uint8_t ext[9] = {DST, DST, DST, DST, DST, DST, DST, DST, DST}, p[512];
	struct ip6_walk w;

	(void)state;
	for (unsigned int i = 0; i <= 9; i++) {
		uint32_t n = build(p, ext, i, IPPROTO_TCP, tcp, sizeof(tcp), 0);

		assert_int_equal(ip6_walk(p, n, &w), i <= IP6_EXT_MAX ? 0 : -1);
		if (i > IP6_EXT_MAX)
			break;
		assert_int_equal(w.protocol, IPPROTO_TCP);
		assert_int_equal(w.off, 40 + 16 * i);
		assert_false(w.fragment || w.later || w.on_the_way);
	}
}

/* Cut at each length: exact-size heap blocks, so that a sanitizer sees the first byte too far. */
static void cut_chains(void **state)
{
	static const uint8_t ext[] = {HOP, RT, DST, FRAG};
	uint8_t p[512];
	uint32_t n = build(p, ext, 4, IPPROTO_TCP, tcp, sizeof(tcp), 0);
	struct ip6_walk w;

	(void)state;
	assert_int_equal(ip6_walk(p, n, &w), 0);
	for (uint32_t cut = 40; cut < n; cut++) {
		uint8_t *exact = malloc(cut);

		memcpy(exact, p, cut);
		assert_int_equal(ip6_walk(exact, cut, &w), cut >= n - sizeof(tcp) ? 0 : -1);
		free(exact);
	}
	p[41] = 255; /* 2,048 bytes of options */
	assert_int_equal(ip6_walk(p, n, &w), -1);
}

static void fragment_headers(void **state)
{
	static const struct {
		uint8_t ext[3];
		unsigned int n;
		uint16_t frag;
		int ret;
		bool fragment, later;
	} rows[] = {
		{{FRAG}, 1, 0, 0, false, false}, /* atomic, RFC 6946 */
		{{FRAG}, 1, 1, 0, true, false},
		{{FRAG}, 1, 6, 0, false, false}, /* reserved bits */
		{{FRAG}, 1, 8, 0, true, true},
		{{FRAG}, 1, 0xfff9, 0, true, true},
		{{FRAG, DST}, 2, 1, 0, true, false},
		{{FRAG, DST}, 2, 8, -1, true, true}, /* the protocol hides */
		{{DST, FRAG}, 2, 8, 0, true, true},
		{{FRAG, FRAG}, 2, 1, 0, true, false},
		{{FRAG, FRAG}, 2, 8, -1, true, true},
	};
	uint8_t p[256];

	(void)state;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t n = build(p, rows[i].ext, rows[i].n, IPPROTO_TCP, tcp, sizeof(tcp), rows[i].frag);
		struct ip6_walk w;

		if (ip6_walk(p, n, &w) != rows[i].ret || w.fragment != rows[i].fragment ||
		    w.later != rows[i].later)
			fail_msg("row %u", i);
	}
}

static void routing_headers(void **state)
{
	static const uint8_t ext[] = {RT};
	uint8_t p[128];
	uint32_t n = build(p, ext, 1, IPPROTO_ESP, tcp, sizeof(tcp), 0);
	struct ip6_walk w;

	(void)state;
	assert_int_equal(ip6_walk(p, n, &w), 0);
	assert_false(w.on_the_way);
	p[43] = 1; /* segments left */
	assert_int_equal(ip6_walk(p, n, &w), 0);
	assert_true(w.on_the_way);
}

static void random_bytes(void **state)
{
	(void)state;
	srand(4711);
	for (int i = 0; i < 200000; i++) {
		uint32_t have = (uint32_t)rand() % 120, len;
		uint8_t *p = malloc(have + 1);
		struct inner in;
		struct ip6_walk w;

		for (uint32_t k = 0; k < have; k++)
			p[k] = (uint8_t)rand();
		if (have > 6) {
			p[0] = 0x60;
			p[4] = 0;
			p[5] = (uint8_t)(have > 40 ? have - 40 : 0);
			p[6] = (uint8_t[]){HOP, RT, DST, FRAG, IPPROTO_TCP}[rand() % 5];
		}
		if (ip6_check(p, have, &len) == 0 && ip6_walk(p, len, &w) == 0)
			assert_true(w.off <= len && len <= have);
		if (inner_parse(&in, p, have, 6) == 0)
			assert_true(in.len <= have);
		free(p);
	}
}

/* ---- selectors ---------------------------------------------------------------------------- */

static void what_selectors_see(void **state)
{
	static const uint8_t echo[8] = {128, 0}, unreach[8] = {1, 4}, frag[] = {FRAG}, dst[] = {DST};
	static const uint8_t hidden[] = {FRAG, DST};
	uint8_t p[256];
	struct inner in;
	uint32_t n;

	(void)state;
	n = build(p, dst, 1, IPPROTO_TCP, tcp, sizeof(tcp), 0);
	assert_int_equal(inner_parse(&in, p, n + 5, 6), 0);
	assert_int_equal(in.len, n);
	assert_true(in.ports_known);
	assert_int_equal(in.sport, 0x1234);
	assert_int_equal(in.dport, 80);
	assert_memory_equal(in.src, p + 8, 16);
	assert_memory_equal(in.dst, p + 24, 16);
	assert_int_equal(inner_parse(&in, p, n, 4), XS_DROP_tun_no_proto);
	assert_int_equal(inner_parse(&in, p, n - 1, 6), XS_DROP_oversized_header);
	assert_int_equal(inner_parse(&in, p, 0, 6), XS_DROP_tun_no_proto);
	n = build(p, NULL, 0, IPPROTO_ICMPV6, echo, sizeof(echo), 0);
	assert_int_equal(inner_parse(&in, p, n, 6), 0);
	assert_int_equal(in.sport, 128 << 8);
	assert_int_equal(in.dport, 128 << 8);
	n = build(p, NULL, 0, IPPROTO_ICMPV6, unreach, sizeof(unreach), 0);
	assert_int_equal(inner_parse(&in, p, n, 6), 0);
	assert_int_equal(in.sport, 1 << 8 | 4);
	n = build(p, NULL, 0, IPPROTO_ICMP, unreach, sizeof(unreach), 0); /* of the other family */
	assert_int_equal(inner_parse(&in, p, n, 6), 0);
	assert_int_equal(in.sport, 0);
	n = build(p, frag, 1, IPPROTO_TCP, tcp, sizeof(tcp), 8);
	assert_int_equal(inner_parse(&in, p, n, 6), 0);
	assert_int_equal(in.protocol, IPPROTO_TCP);
	assert_false(in.ports_known);
	n = build(p, hidden, 2, IPPROTO_TCP, tcp, sizeof(tcp), 8);
	assert_int_equal(inner_parse(&in, p, n, 6), XS_DROP_drop_fragments);
	for (uint32_t l4 = 0; l4 < 4; l4++) {
		n = build(p, dst, 1, IPPROTO_TCP, tcp, l4, 0);
		assert_int_equal(inner_parse(&in, p, n, 6), 0);
		assert_false(in.ports_known);
	}
}

/* "Any IPv6 address" holds no IPv4 address, although both are 16 bytes to us. */
static void families_apart(void **state)
{
	struct plane_sa_add add = env_add(crypto_suite_at(0), PLANE_IN);
	uint8_t v4[16], v6[16];
	struct sa_in *in;
	char err[128];
	struct env e;

	(void)state;
	env_open(&e, &crypto_openssl);
	add.ts[0] = env_ts("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0, 0, 65535);
	add.ts[1] = env_ts("0.0.0.0", "255.255.255.255", 0, 0, 65535);
	assert_int_equal(sa_in_new(&in, &add, &e.maps, e.backend, err, sizeof(err)), 0);
	env_addr(v4, "10.2.0.1");
	env_addr(v6, "2001:db8::1");
	assert_true(sa_ts_match(in->local, 1, 6, 6, sa_addr(v6), 1, true));
	assert_false(sa_ts_match(in->local, 1, 4, 6, sa_addr(v4), 1, true));
	assert_true(sa_ts_match(in->remote, 1, 4, 6, sa_addr(v4), 1, true));
	assert_false(sa_ts_match(in->remote, 1, 6, 6, sa_addr(v6), 1, true));
	sa_in_free(in);
	env_close(&e);
}

/* ---- ESP in each mix ------------------------------------------------------------------------ */

static void add_mix(struct plane_sa_add *add, bool outer6, uint16_t port)
{
	env_addr(add->src, outer6 ? "2001:db8:ff::1" : "192.0.2.1");
	env_addr(add->dst, outer6 ? "2001:db8:ff::2" : "192.0.2.2");
	add->sport = add->dport = port;
	add->n_local = add->n_remote = 2;
	add->ts[0] = env_ts("10.2.0.0", "10.2.255.255", 0, 0, 65535);
	add->ts[1] = env_ts("2001:db8:2::", "2001:db8:2:ffff:ffff:ffff:ffff:ffff", 0, 0, 65535);
	add->ts[2] = env_ts("10.1.0.0", "10.1.255.255", 0, 0, 65535);
	add->ts[3] = env_ts("2001:db8:1::", "2001:db8:1:ffff:ffff:ffff:ffff:ffff", 0, 0, 65535);
}

/* The outer headers are right, and taken off. */
static void outer_is(struct pkt *p, bool outer6, bool udp, uint8_t tos)
{
	uint32_t len, hlen = outer6 ? 40 : 20;
	uint64_t sum;

	assert_int_equal(outer6 ? ip6_check(p->data, p->len, &len) : ip4_check(p->data, p->len, &len), 0);
	assert_int_equal(len, p->len);
	assert_int_equal(p->data[outer6 ? 6 : 9], udp ? IPPROTO_UDP : IPPROTO_ESP);
	assert_int_equal(outer6 ? ip6_tos((struct ip6_hdr_fixed *)p->data) : p->data[1], tos);
	if (!outer6) /* no router may cut what is IPv6 inside */
		assert_true(p->data[6] & 0x40);
	if (udp && outer6) {
		sum = csum_add(p->data + 8, 32, (uint64_t)be32(p->len - 40) + be32(IPPROTO_UDP));
		assert_int_equal(csum_fold(csum_add(p->data + 40, p->len - 40, sum)), 0xffff);
		assert_true(p->data[46] || p->data[47]);
	}
	hlen += udp ? 8 : 0;
	p->outer_tos = tos;
	p->data += hlen;
	p->len -= hlen;
}

static void one_mix(const struct crypto_suite *suite, bool outer6, uint16_t port)
{
	struct plane_sa_add add = env_add(suite, PLANE_OUT);
	static struct env_pkt buf;
	const struct pkt *nat;
	uint8_t inner[1500], expect[1500];
	struct sa_out *out;
	struct sa_in *in;
	char err[128];
	struct env e;

	env_open(&e, &crypto_openssl);
	add_mix(&add, outer6, port);
	assert_int_equal(sa_out_new(&out, &add, &e.maps, e.backend, err, sizeof(err)), 0);
	add = env_add(suite, PLANE_IN);
	add_mix(&add, outer6, port);
	assert_int_equal(sa_in_new(&in, &add, &e.maps, e.backend, err, sizeof(err)), 0);
	for (uint32_t n = 48; n < 1400; n += 97)
		for (int v6 = 0; v6 < 2; v6++) {
			struct pkt *p;

			if (v6)
				inner6(inner, n, 0xba);
			else
				env_inner(inner, n, 0xba, true);
			p = env_pkt(&buf, inner, n);
			esp_seal(out, &p, 1, 1);
			assert_int_equal(p->drop, 0);
			assert_int_equal(p->len, mtu_outer(&out->shape, n));
			outer_is(p, outer6, port != 0, 0xba);
			p->outer_tos = 0xbb; /* congestion on the way */
			esp_open(in, &p, 1, 2, &nat);
			assert_int_equal(p->drop, 0);
			assert_int_equal(p->family, v6 ? 6 : 4);
			assert_int_equal(p->len, n);
			if (v6)
				inner6(expect, n, 0xbb);
			else
				env_inner(expect, n, 0xbb, true);
			assert_memory_equal(p->data, expect, n);
			assert_memory_equal(p->dst + (v6 ? 0 : 12), expect + (v6 ? 24 : 16), v6 ? 16 : 4);
		}
	/* outside the selectors, and CE over what knows no ECN */
	inner6(inner, 60, 0);
	inner[24 + 5] = 3;
	struct pkt *p = env_pkt(&buf, inner, 60);
	esp_seal(out, &p, 1, 1);
	outer_is(p, outer6, port != 0, 0);
	esp_open(in, &p, 1, 2, &nat);
	assert_int_equal(p->drop, XS_DROP_policy_mismatch);
	inner6(inner, 60, 0);
	p = env_pkt(&buf, inner, 60);
	esp_seal(out, &p, 1, 1);
	outer_is(p, outer6, port != 0, 0);
	p->outer_tos = 3;
	esp_open(in, &p, 1, 2, &nat);
	assert_int_equal(p->drop, XS_DROP_ecn);
	sa_out_free(out);
	sa_in_free(in);
	env_close(&e);
}

static void mixes(void **state)
{
	(void)state;
	for (unsigned int i = 0; crypto_suite_at(i); i++)
		for (int outer6 = 0; outer6 < 2; outer6++) {
			one_mix(crypto_suite_at(i), outer6, 0);
			one_mix(crypto_suite_at(i), outer6, 4500);
		}
}

/* A sum of 0 means "none" in the field: it is sent as all ones (RFC 768). */
static void udp_checksum_is_never_zero(void **state)
{
	uint8_t at[64] = {0}, s[16], d[16];
	struct outer o = {0};
	uint16_t check;

	(void)state;
	env_addr(s, "2001:db8::1");
	env_addr(d, "2001:db8::2");
	assert_int_equal(outer_init(&o, s, d, 4500, 4500), 0);
	outer_write(&o, at, 8, 0, true, 0);
	memcpy(&check, at + 46, 2);
	assert_int_not_equal(check, 0xffff);
	memcpy(at + 48, &check, 2); /* what was missing: now the sum is all ones */
	outer_write(&o, at, 8, 0, true, 0);
	memcpy(&check, at + 46, 2);
	assert_int_equal(check, 0xffff);
}

/* ---- errors, checksums of the host ---------------------------------------------------------- */

static void errors_about_errors(void **state)
{
	static const uint8_t error[8] = {1}, echo[8] = {128}, ext[] = {HOP, DST}, frag[] = {FRAG};
	uint8_t bad[256], at[ICMP6_MAX], src[16];
	uint32_t n;

	(void)state;
	env_addr(src, "2001:db8:1::1");
	n = build(bad, ext, 2, IPPROTO_ICMPV6, echo, sizeof(echo), 0);
	assert_true(icmp6_error(at, src, 2, 0, 1300, bad, n) > 0);
	n = build(bad, ext, 2, IPPROTO_ICMPV6, error, sizeof(error), 0);
	assert_int_equal(icmp6_error(at, src, 2, 0, 1300, bad, n), 0);
	n = build(bad, ext, 2, IPPROTO_ICMPV6, error, 0, 0);
	assert_int_equal(icmp6_error(at, src, 2, 0, 1300, bad, n), 0);
	n = build(bad, frag, 1, IPPROTO_ICMPV6, echo, sizeof(echo), 8); /* nobody knows of what */
	assert_int_equal(icmp6_error(at, src, 2, 0, 1300, bad, n), 0);
	n = build(bad, frag, 1, IPPROTO_TCP, tcp, sizeof(tcp), 8);
	assert_true(icmp6_error(at, src, 2, 0, 1300, bad, n) > 0);
	bad[24] = 0xff; /* to a group: only its size is worth an answer */
	assert_true(icmp6_error(at, src, 2, 0, 1300, bad, n) > 0);
	assert_int_equal(icmp6_error(at, src, 3, 0, 0, bad, n), 0);
	bad[24] = 0x20;
	memset(bad + 8, 0, 16);
	assert_int_equal(icmp6_error(at, src, 2, 0, 1300, bad, n), 0);
	assert_int_equal(icmp6_error(at, src, 2, 0, 1300, bad, 39), 0);
}

static void partial_checksums(void **state)
{
	static const uint8_t ext[] = {DST}, frag[] = {FRAG};
	static const struct {
		uint8_t protocol, at;
	} rows[] = {{IPPROTO_TCP, 16}, {IPPROTO_UDP, 6}};
	uint8_t p[1500], l4[1400], before[1500];

	(void)state;
	for (unsigned int i = 0; i < 2; i++)
		for (uint32_t n4 = 20; n4 < 1400; n4 += 37)
			for (unsigned int k = 0; k < 2; k++) {
				uint32_t off = 40 + 16 * k, n;
				uint16_t pseudo;

				memset(l4, (int)n4, sizeof(l4));
				n = build(p, ext, k, rows[i].protocol, l4, n4, 0);
				pseudo = csum_fold(csum_add(p + 8, 32, (uint64_t)be32(n4) +
									       be32(rows[i].protocol)));
				memcpy(p + off + rows[i].at, &pseudo, 2);
				csum_complete6(p, n);
				assert_int_equal(csum_fold(csum_add(p + off, n4, pseudo)), 0xffff);
				memcpy(before, p, n); /* whole now: left alone */
				csum_complete6(p, n);
				assert_memory_equal(before, p, n);
			}
	for (uint32_t n4 = 0; n4 < 18; n4++) { /* too short for the field, and fragments */
		uint32_t n = build(p, NULL, 0, IPPROTO_TCP, l4, n4, 0);

		memcpy(before, p, n);
		csum_complete6(p, n);
		assert_memory_equal(before, p, n);
		n = build(p, frag, 1, IPPROTO_UDP, l4, n4, 1);
		memcpy(before, p, n);
		csum_complete6(p, n);
		assert_memory_equal(before, p, n);
	}
}

static void addresses_of_a_port(void **state)
{
	static struct port port;
	uint8_t a[16], got[16], none[16] = {0};

	(void)state;
	assert_false(port_addr6_get(&port, got));
	env_addr(a, "2001:db8::1");
	port_addr6_set(&port, a);
	assert_true(port_addr6_get(&port, got));
	assert_memory_equal(a, got, 16);
	atomic_fetch_add(&port.addr6_turn, 1); /* being written */
	assert_false(port_addr6_get(&port, got));
	atomic_fetch_add(&port.addr6_turn, 1);
	port_addr6_set(&port, none);
	assert_false(port_addr6_get(&port, got));
}

/* Addresses that differ in one byte only, wherever it is, do not share a row of the cache as a rule. */
static void next_hops_spread(void **state)
{
	static struct nh_cache cache;

	(void)state;
	for (unsigned int at = 0; at < 16; at++) {
		static uint8_t seen[NH_ROWS];
		unsigned int rows = 0;
		uint8_t a[16];

		memset(seen, 0, sizeof(seen));
		env_addr(a, "2001:db8:1:2::3");
		for (unsigned int v = 0; v < 256; v++) {
			size_t row;

			a[at] = (uint8_t)v;
			row = (size_t)(nh_row(&cache, a) - cache.row);
			rows += !seen[row];
			seen[row] = 1;
		}
		assert_true(rows > 200);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fixed_header),
		cmocka_unit_test(traffic_class),
		cmocka_unit_test(chains),
		cmocka_unit_test(cut_chains),
		cmocka_unit_test(fragment_headers),
		cmocka_unit_test(routing_headers),
		cmocka_unit_test(random_bytes),
		cmocka_unit_test(what_selectors_see),
		cmocka_unit_test(families_apart),
		cmocka_unit_test(mixes),
		cmocka_unit_test(udp_checksum_is_never_zero),
		cmocka_unit_test(errors_about_errors),
		cmocka_unit_test(partial_checksums),
		cmocka_unit_test(addresses_of_a_port),
		cmocka_unit_test(next_hops_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
