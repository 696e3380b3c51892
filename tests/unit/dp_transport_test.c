/* SPDX-License-Identifier: BSD-2-Clause */
#include "dp_env.h"

#include "dataplane/ip6.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/*
 * Transport mode (RFC 4303 3.1.1): between the packet's own header and what it carries, and back.
 */
enum { TCP_CHECK = 36, UDP_CHECK = 26 }; /* in an IPv4 packet without options */

struct duo {
	struct env e;
	struct sa_out *out;
	struct sa_in *in;
};

static struct plane_sa_add host_add(const struct crypto_suite *suite, enum plane_direction dir, bool v6,
				    uint16_t port)
{
	const char *a = v6 ? "2001:db8::1" : "192.0.2.1", *b = v6 ? "2001:db8::2" : "192.0.2.2";
	struct plane_sa_add add = env_add(suite, dir);

	add.mode = XS_TRANSPORT;
	add.sport = add.dport = port;
	env_addr(add.src, a);
	env_addr(add.dst, b);
	add.ts[0] = env_ts(b, b, 0, 0, 65535);
	add.ts[1] = env_ts(a, a, 0, 0, 65535);
	add.ts[0].family = add.ts[1].family = v6 ? 6 : 4;
	return add;
}

static void duo_open(struct duo *d, const struct crypto_suite *suite, bool v6, uint16_t port)
{
	struct plane_sa_add add = host_add(suite, PLANE_OUT, v6, port);
	char err[128];

	env_open(&d->e, &crypto_openssl);
	assert_int_equal(sa_out_new(&d->out, &add, &d->e.maps, d->e.backend, err, sizeof(err)), 0);
	add = host_add(suite, PLANE_IN, v6, port);
	assert_int_equal(sa_in_new(&d->in, &add, &d->e.maps, d->e.backend, err, sizeof(err)), 0);
}

static void duo_close(struct duo *d)
{
	sa_out_free(d->out);
	sa_in_free(d->in);
	env_close(&d->e);
}

/* 192.0.2.1 to 192.0.2.2, hlen bytes of header, n in all. */
static uint32_t packet4(uint8_t *at, uint32_t hlen, uint32_t n, uint8_t protocol)
{
	struct ip4_hdr *ip = (struct ip4_hdr *)at;

	memset(at, 0, n);
	for (uint32_t i = hlen; i < n; i++)
		at[i] = (uint8_t)(i * 3);
	memset(at + 20, 1, hlen - 20); /* options: no operation */
	ip->ver_ihl = (uint8_t)(0x40 | hlen / 4);
	ip->tos = 0xb9;
	ip->len_be = be16((uint16_t)n);
	ip->id_be = be16(0x1234);
	ip->frag_be = be16(IP4_DF);
	ip->ttl = 17;
	ip->protocol = protocol;
	memcpy(ip->src, (uint8_t[]){192, 0, 2, 1}, 4);
	memcpy(ip->dst, (uint8_t[]){192, 0, 2, 2}, 4);
	ip->check = csum_finish(csum_add(ip, hlen, 0));
	return n;
}

static uint32_t packet6(uint8_t *at, uint32_t n, uint8_t protocol)
{
	struct ip6_hdr_fixed *ip = (struct ip6_hdr_fixed *)at;

	for (uint32_t i = 40; i < n; i++)
		at[i] = (uint8_t)(i * 3);
	memset(at, 0, 40);
	ip->ver_class_flow_be = be32(6u << 28 | 0xb9u << 20 | 0xabcde);
	ip->len_be = be16((uint16_t)(n - 40));
	ip->next = protocol;
	ip->hops = 17;
	env_addr(ip->src, "2001:db8::1");
	env_addr(ip->dst, "2001:db8::2");
	return n;
}

/* Makes the sum of a TCP or UDP packet right. */
static void l4_sum(uint8_t *at, uint32_t n, uint32_t check)
{
	const struct ip4_hdr *ip = (const struct ip4_hdr *)at;
	uint16_t sum;

	memset(at + check, 0, 2);
	sum = csum_finish(csum_add(at + 20, n - 20,
				   csum_add(ip->src, 8, (uint64_t)be16(ip->protocol) + be16((uint16_t)(n - 20)))));
	memcpy(at + check, &sum, 2);
}

static struct pkt *seal(struct duo *d, struct env_pkt *buf, const uint8_t *bytes, uint32_t n)
{
	struct pkt *p = env_pkt(buf, bytes, n);

	esp_seal(d->out, &p, 1, 1);
	return p;
}

static uint8_t open_(struct duo *d, struct pkt *p, uint32_t outer_len)
{
	const struct pkt *nat;

	p->outer_port = d->in->sport;
	p->outer_len = (uint16_t)outer_len;
	p->data += outer_len;
	p->len -= outer_len;
	esp_open(d->in, &p, 1, 2, &nat);
	return p->drop;
}

/* RFC 768: a source port of 0 is none. Who sits in between can write it; the payload stays what it was. */
static void no_source_port(void **state)
{
	static struct env_pkt buf;
	uint8_t bytes[256];
	struct pkt *p;
	struct duo d;

	(void)state;
	duo_open(&d, crypto_suite_at(0), false, 4500);
	packet4(bytes, 20, 100, IPPROTO_ICMP);
	p = seal(&d, &buf, bytes, 100);
	assert_int_equal(p->drop, 0);
	d.in->sport = 0; /* what open_ gives as the port that came */
	assert_int_equal(open_(&d, p, 28), 0);
	assert_int_equal(p->len, 100);
	assert_memory_equal(p->data, bytes, 100);
	duo_close(&d);
}

static void there_and_back4(const struct crypto_suite *suite, uint16_t port)
{
	static struct env_pkt buf;
	struct duo d;

	duo_open(&d, suite, false, port);
	for (uint32_t hlen = 20; hlen <= 60; hlen += 20)
		for (uint32_t n = hlen + 8; n < hlen + 60; n++) {
			uint32_t outer = hlen + (port ? 8 : 0);
			const struct ip4_hdr *ip;
			uint8_t bytes[256];
			struct pkt *p;

			packet4(bytes, hlen, n, IPPROTO_ICMP);
			p = seal(&d, &buf, bytes, n);
			assert_int_equal(p->drop, 0);
			ip = (const struct ip4_hdr *)p->data;
			assert_int_equal(ip->protocol, port ? IPPROTO_UDP : IPPROTO_ESP);
			assert_int_equal(be16(ip->len_be), p->len);
			assert_int_equal(csum_fold(csum_add(ip, hlen, 0)), 0xffff);
			assert_int_equal(ip->ttl, 17);
			assert_int_equal(ip->tos, 0xb9);
			assert_true(ip4_df(ip));
			if (port) {
				assert_int_equal(p->data[hlen] << 8 | p->data[hlen + 1], port);
				assert_int_equal(p->data[hlen + 4] << 8 | p->data[hlen + 5], p->len - hlen);
			}
			/* next header: sealed in as what the header said */
			assert_int_equal(open_(&d, p, outer), 0);
			assert_int_equal(p->len, n);
			assert_memory_equal(p->data, bytes, n);
			assert_int_equal(p->family, 4);
			assert_int_equal(p->dst[15], 2);
		}
	duo_close(&d);
}

static void there_and_back6(const struct crypto_suite *suite, uint16_t port)
{
	static struct env_pkt buf;
	struct duo d;

	duo_open(&d, suite, true, port);
	for (uint32_t n = 48; n < 100; n++) {
		const struct ip6_hdr_fixed *ip;
		uint8_t bytes[256], seen[4];
		struct pkt *p;
		uint16_t sum;

		packet6(bytes, n, IPPROTO_UDP);
		memset(bytes + 46, 0, 2);
		sum = csum_finish(csum_add(bytes + 40, n - 40,
					   csum_add(bytes + 8, 32, (uint64_t)be32(n - 40) + be32(IPPROTO_UDP))));
		sum = sum ? sum : 0xffff;
		memcpy(bytes + 46, &sum, 2);
		p = seal(&d, &buf, bytes, n);
		assert_int_equal(p->drop, 0);
		ip = (const struct ip6_hdr_fixed *)p->data;
		assert_int_equal(ip->next, port ? IPPROTO_UDP : IPPROTO_ESP);
		assert_int_equal(be16(ip->len_be), p->len - 40);
		assert_int_equal(ip->hops, 17);
		memcpy(seen, p->data, 4);
		assert_memory_equal(seen, bytes, 4); /* class and flow label are the sender's */
		if (port)
			assert_int_equal(csum_fold(csum_add(p->data + 40, p->len - 40,
							    csum_add(ip->src, 32, (uint64_t)be32(p->len - 40) +
										      be32(IPPROTO_UDP)))),
					 0xffff);
		assert_int_equal(open_(&d, p, 40 + (port ? 8 : 0)), 0);
		assert_int_equal(p->len, n);
		assert_memory_equal(p->data, bytes, n);
		assert_int_equal(p->family, 6);
	}
	duo_close(&d);
}

static void there_and_back(void **state)
{
	static const struct {
		uint16_t encr, bits, integ;
	} rows[] = {
		{ENCR_AES_GCM_16, 128, AUTH_NONE},
		{ENCR_AES_CBC, 256, AUTH_HMAC_SHA2_512_256},
		{ENCR_NULL, 0, AUTH_HMAC_SHA1_96}, /* the smallest front: the header is overwritten least */
		{ENCR_3DES, 0, AUTH_HMAC_MD5_96},
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct crypto_suite *suite = crypto_suite_find(rows[i].encr, rows[i].bits, rows[i].integ);

		assert_non_null(suite);
		for (int udp = 0; udp < 2; udp++) {
			there_and_back4(suite, udp ? 4500 : 0);
			there_and_back6(suite, udp ? 4500 : 0);
		}
	}
}

/* ---- what has to be refused --------------------------------------------------------------------- */

static void not_sealed(void **state)
{
	static struct env_pkt buf;
	uint8_t bytes[256];
	struct duo d;

	(void)state;
	duo_open(&d, crypto_suite_at(0), false, 0);
	packet4(bytes, 20, 100, IPPROTO_UDP);
	((struct ip4_hdr *)bytes)->frag_be = be16(IP4_MF);
	assert_int_equal(seal(&d, &buf, bytes, 100)->drop, XS_DROP_drop_fragments);
	((struct ip4_hdr *)bytes)->frag_be = be16(5);
	assert_int_equal(seal(&d, &buf, bytes, 100)->drop, XS_DROP_drop_fragments);
	packet4(bytes, 20, 100, IPPROTO_UDP);
	bytes[0] = 0x4f;
	assert_int_equal(seal(&d, &buf, bytes, 40)->drop, XS_DROP_malformed);
	assert_int_equal(d.out->seq, 0); /* no number was spent on them */
	packet4(bytes, 20, 100, IPPROTO_UDP);
	env_pkt(&buf, bytes, 100);
	buf.p.head = buf.p.data - 29; /* one less than front, header and link header need */
	{
		struct pkt *p = &buf.p;

		esp_seal(d.out, &p, 1, 1);
		assert_int_equal(p->drop, XS_DROP_no_buffers);
	}
	duo_close(&d);
	duo_open(&d, crypto_suite_at(0), true, 0);
	packet6(bytes, 100, IPPROTO_HOPOPTS);
	memset(bytes + 40, 0, 8);
	bytes[40] = IPPROTO_UDP;
	assert_int_equal(seal(&d, &buf, bytes, 100)->drop, XS_DROP_unsup_payload);
	packet6(bytes, 100, IPPROTO_FRAGMENT);
	memset(bytes + 40, 0, 8);
	bytes[40] = IPPROTO_UDP;
	bytes[43] = 1; /* more to come */
	assert_int_equal(seal(&d, &buf, bytes, 100)->drop, XS_DROP_drop_fragments);
	duo_close(&d);
}

/* The selectors hold for the outer addresses: another host's packet under the same key is not taken. */
static void selectors(void **state)
{
	static struct env_pkt buf;
	uint8_t bytes[256];
	struct pkt *p;
	struct duo d;

	(void)state;
	duo_open(&d, crypto_suite_at(0), false, 0);
	packet4(bytes, 20, 100, IPPROTO_ICMP);
	p = seal(&d, &buf, bytes, 100);
	p->data[15] = 9; /* source 192.0.2.9 */
	assert_int_equal(open_(&d, p, 20), XS_DROP_policy_mismatch);
	p = seal(&d, &buf, bytes, 100);
	p->data[19] = 9;
	assert_int_equal(open_(&d, p, 20), XS_DROP_policy_mismatch);
	d.in->remote[0].protocol = IPPROTO_TCP;
	p = seal(&d, &buf, bytes, 100);
	assert_int_equal(open_(&d, p, 20), XS_DROP_policy_mismatch);
	duo_close(&d);
}

/* Of a tunnel to a transport SA and back: the mode is not the sender's choice. */
static void modes_mixed(void **state)
{
	static struct env_pkt buf;
	struct plane_sa_add add = env_add(crypto_suite_at(0), PLANE_OUT);
	struct sa_out *tunnel;
	uint8_t bytes[256];
	char err[128];
	struct duo d;
	struct pkt *p;

	(void)state;
	duo_open(&d, crypto_suite_at(0), false, 0);
	assert_int_equal(sa_out_new(&tunnel, &add, &d.e.maps, d.e.backend, err, sizeof(err)), 0);
	env_inner(bytes, 60, 0, false);
	p = env_pkt(&buf, bytes, 60);
	esp_seal(tunnel, &p, 1, 1);
	assert_int_equal(p->drop, 0);
	/* taken as 192.0.2.1 sending IPIP to 192.0.2.2: right by these selectors, and no packet of 10.1.0.1 */
	assert_int_equal(open_(&d, p, 20), 0);
	assert_int_equal(((struct ip4_hdr *)p->data)->protocol, IPPROTO_IPIP);
	assert_int_equal(p->len, 80);
	sa_out_free(tunnel);
	duo_close(&d);
}

/* RFC 3948 3.1.2 */
static void nat_checksums(void **state)
{
	static const struct {
		uint8_t protocol;
		uint32_t check;
	} rows[] = {{IPPROTO_TCP, TCP_CHECK}, {IPPROTO_UDP, UDP_CHECK}};
	static struct env_pkt buf;
	uint8_t bytes[256];
	struct pkt *p;
	struct duo d;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		duo_open(&d, crypto_suite_at(0), false, 4500);
		packet4(bytes, 20, 101, rows[i].protocol);
		l4_sum(bytes, 101, rows[i].check);
		p = seal(&d, &buf, bytes, 101);
		memcpy(p->data + 12, (uint8_t[]){198, 51, 100, 7}, 4); /* the translator */
		memcpy(bytes + 12, p->data + 12, 4);
		l4_sum(bytes, 101, rows[i].check);
		d.in->remote[0].lo = d.in->remote[0].hi = sa_addr((uint8_t[]){0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff,
									      198, 51, 100, 7});
		assert_int_equal(open_(&d, p, 28), 0);
		assert_memory_equal(p->data + 20, bytes + 20, 81);
		/* UDP without a checksum stays so */
		if (rows[i].protocol == IPPROTO_UDP) {
			packet4(bytes, 20, 101, IPPROTO_UDP);
			memset(bytes + UDP_CHECK, 0, 2);
			p = seal(&d, &buf, bytes, 101);
			memcpy(p->data + 12, (uint8_t[]){198, 51, 100, 7}, 4);
			assert_int_equal(open_(&d, p, 28), 0);
			assert_memory_equal(p->data + 20, bytes + 20, 81);
		}
		duo_close(&d);
	}
}

/* No padding for traffic flow confidentiality: nothing in the packet would say where it begins. */
static void no_tfc(void **state)
{
	static struct env_pkt buf;
	struct plane_sa_add add = host_add(crypto_suite_at(0), PLANE_OUT, false, 0);
	uint8_t bytes[256];
	char err[128];
	struct duo d;
	struct pkt *p;

	(void)state;
	duo_open(&d, crypto_suite_at(0), false, 0);
	sa_out_free(d.out);
	add.tfc = 1000;
	assert_int_equal(sa_out_new(&d.out, &add, &d.e.maps, d.e.backend, err, sizeof(err)), 0);
	packet4(bytes, 20, 60, IPPROTO_ICMP);
	p = seal(&d, &buf, bytes, 60);
	assert_true(p->len < 120);
	assert_int_equal(open_(&d, p, 20), 0);
	assert_int_equal(p->len, 60);
	duo_close(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_source_port),
		cmocka_unit_test(there_and_back), cmocka_unit_test(not_sealed),	   cmocka_unit_test(selectors),
		cmocka_unit_test(modes_mixed),	  cmocka_unit_test(nat_checksums), cmocka_unit_test(no_tfc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
