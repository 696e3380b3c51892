// SPDX-License-Identifier: BSD-2-Clause
#include "fixture.h"

#include <time.h>

#define OURS	   "192.0.2.1"
#define PEER	   "198.51.100.5"
#define OURS6	   "2001:db8:ff::1"
#define PEER6	   "2001:db8:fe::5"
#define BEHIND6	   "2001:db8:77::1"
#define FROM_PEER  .src = PEER, .dst = OURS
#define FROM_PEER6 .src = PEER6, .dst = OURS6

enum { SLOT = 9, SPI = 0xabcd00c0 | SLOT, SPI_ENCAP = 0xabcd0040 | (SLOT + 1) };

static const uint8_t esp_body[24] = {
    SPI >> 24, SPI >> 16 & 0xff, SPI >> 8 & 0xff, SPI & 0xff, 0, 0, 0, 1};
static const uint8_t encap_body[24] = {
    SPI_ENCAP >> 24, SPI_ENCAP >> 16 & 0xff, SPI_ENCAP >> 8 & 0xff, SPI_ENCAP & 0xff, 0, 0, 0, 1};
static const uint8_t other_body[24] = {0x11, 0x22, 0x33, 0x44, 0, 0, 0, 1};
static const uint8_t ike_body[28] = {1, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t marked_body[32] = {0, 0, 0, 0, 1, 2, 3, 4};

#define ESP(b) .protocol = 50, .body = b, .body_len = sizeof(b)
#define UDP(from, to, b)                                                                           \
	.protocol = 17, .sport = from, .dport = to, .body = b, .body_len = sizeof(b)

static struct xs_sa sa_of(uint32_t spi, const char *dst, uint16_t port, enum xs_engine engine)
{
	struct xs_sa sa = {
	    .spi = spi,
	    .slot = spi & (FX_SLOTS - 1),
	    .generation = 0x1234567,
	    .dst = fx_addr(dst),
	    .sport = port,
	    .dport = port,
	    .protocol = 50,
	    .engine = (uint8_t)engine,
	};

	return sa;
}

static void sa_put(uint32_t spi, const char *dst, uint16_t port, enum xs_engine engine)
{
	struct xs_sa sa = sa_of(spi, dst, port, engine);

	assert_int_equal(xs_sa_in_put(&fx.maps, &sa, 77), 0);
}

static void expect_meta(uint32_t slot, uint16_t l3)
{
	struct xs_meta meta;

	memcpy(&meta, fx_out, sizeof(meta));
	assert_int_equal(meta.magic, XS_META_MAGIC);
	assert_int_equal(meta.kind, XS_META_IN);
	assert_int_equal(meta.slot, slot);
	assert_int_equal(meta.generation, 0x1234567);
	assert_int_equal(meta.policy, 77);
	assert_int_equal(meta.port, FX_PORT);
	assert_int_equal(meta.l3, l3);
}

static void xsk_on(bool on)
{
	uint32_t key = FX_PORT * XS_QUEUES_MAX;

	if (on)
		assert_int_equal(xs_xsk_put(&fx.maps, FX_PORT, 0, fx.xsk), 0);
	else
		bpf_map_delete_elem(fx.maps.fd[XS_MAP_xsk], &key);
}

static void known_spi_goes_to_the_dataplane(void **state)
{
	struct xs_count c;

	(void)state;
	fx_need_root();
	xs_slot_clear(&fx.maps, SLOT);
	sa_put(SPI, OURS, 0, XS_ENGINE_DATAPLANE);
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_no_engine, FROM_PEER, ESP(esp_body));
	xsk_on(true);
	for (uint8_t vlans = 0; vlans <= 2; vlans++) {
		fx_expect_spec(fx.wan, XDP_REDIRECT, 0, FROM_PEER, ESP(esp_body), .vlans = vlans);
		expect_meta(SLOT, (uint16_t)(14 + 4 * vlans));
	}
	fx_expect_spec(fx.wan, XDP_REDIRECT, 0, FROM_PEER, ESP(esp_body), .options = 10);
	expect_meta(SLOT, 14);
	assert_int_equal(xs_sa_rx_get(&fx.maps, SLOT, &c), 0);
	assert_int_equal(c.packets, 5);
	assert_int_equal(c.bytes, 5 * 44 + 40);
	xsk_on(false);
	assert_int_equal(xs_sa_in_del(&fx.maps, SPI), 0);
	xs_slot_clear(&fx.maps, SLOT);
	assert_int_equal(xs_sa_rx_get(&fx.maps, SLOT, &c), 0);
	assert_int_equal(c.packets, 0);
}

static void known_spi_over_ipv6(void **state)
{
	(void)state;
	fx_need_root();
	sa_put(SPI, OURS6, 0, XS_ENGINE_DATAPLANE);
	xsk_on(true);
	fx_expect_spec(fx.wan, XDP_REDIRECT, 0, FROM_PEER6, ESP(esp_body));
	fx_expect_spec(fx.wan, XDP_REDIRECT, 0, FROM_PEER6, ESP(esp_body), .ext = {0, 60},
		       .n_ext = 2);
	expect_meta(SLOT, 14);
	fx_expect_spec(fx.wan, XDP_REDIRECT, 0, FROM_PEER6, ESP(esp_body), .vlans = 2);
	expect_meta(SLOT, 22);
	/* an atomic fragment is a whole packet (RFC 6946); of others the kernel makes one */
	fx_expect_spec(fx.wan, XDP_REDIRECT, 0, FROM_PEER6, ESP(esp_body), .ext = {44}, .n_ext = 1);
	fx_expect_spec(fx.wan, XDP_PASS, 0, FROM_PEER6, ESP(esp_body), .ext = {44}, .n_ext = 1,
		       .frag = 1);
	fx_expect_spec(fx.wan, XDP_PASS, 0, FROM_PEER6, ESP(esp_body), .ext = {44}, .n_ext = 1,
		       .frag = 8);
	/* too many headers before it, and one that is cut off */
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_malformed, FROM_PEER6, ESP(esp_body),
		       .ext = {60, 60, 60, 60, 60, 60, 60, 60, 60}, .n_ext = 9);
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_malformed, FROM_PEER6, .protocol = 60,
		       .body = "\x32\x00", .body_len = 2);
	/* the same SPI on our other address */
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_unknown_spi, .src = PEER6, .dst = "2001:db8:1::1",
		       ESP(esp_body));
	assert_int_equal(xs_sa_in_del(&fx.maps, SPI), 0);
	sa_put(SPI_ENCAP, OURS6, 4500, XS_ENGINE_DATAPLANE);
	fx_expect_spec(fx.wan, XDP_REDIRECT, 0, FROM_PEER6, UDP(61000, 4500, encap_body));
	expect_meta(SLOT + 1, 14);
	fx_expect_spec(fx.wan, XDP_REDIRECT, 0, FROM_PEER6, UDP(61000, 4500, encap_body),
		       .ext = {0, 43, 60}, .n_ext = 3);
	/* IKE and keepalives on the same port are the agent's */
	fx_expect_spec(fx.wan, XDP_PASS, 0, FROM_PEER6, UDP(4500, 4500, marked_body));
	fx_expect_spec(fx.wan, XDP_PASS, 0, FROM_PEER6, .protocol = 17, .sport = 4500, .dport = 4500,
		       .body = "\xff", .body_len = 1);
	xsk_on(false);
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_no_engine, FROM_PEER6,
		       UDP(61000, 4500, encap_body));
	assert_int_equal(xs_sa_in_del(&fx.maps, SPI_ENCAP), 0);
}

static void kernel_engine_passes(void **state)
{
	(void)state;
	fx_need_root();
	sa_put(SPI, OURS, 0, XS_ENGINE_KERNEL);
	fx_expect_spec(fx.wan, XDP_PASS, 0, FROM_PEER, ESP(esp_body));
	sa_put(SPI, OURS, 0, XS_ENGINE_NONE);
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_no_engine, FROM_PEER, ESP(esp_body));
	assert_int_equal(xs_sa_in_del(&fx.maps, SPI), 0);
}

/* RFC 4302 2: its SPI stands behind four bytes; and an SA is of one protocol. */
static void ah_is_known_by_its_spi(void **state)
{
	static const uint8_t body[24] = {4, 4, 0, 0, SPI >> 24, SPI >> 16 & 0xff, SPI >> 8 & 0xff,
					 SPI & 0xff};
	struct xs_sa sa = sa_of(SPI, OURS, 0, XS_ENGINE_KERNEL);
	struct xs_count c;

	(void)state;
	fx_need_root();
#define AH .protocol = 51, .body = body, .body_len = sizeof(body)
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_unknown_spi, FROM_PEER, AH);
	assert_int_equal(xs_sa_in_put(&fx.maps, &sa, 1), 0);
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_unknown_spi, FROM_PEER, AH);
	sa.protocol = 51;
	assert_int_equal(xs_sa_in_put(&fx.maps, &sa, 1), 0);
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_unknown_spi, FROM_PEER, ESP(esp_body));
	xs_slot_clear(&fx.maps, SLOT);
	fx_expect_spec(fx.wan, XDP_PASS, 0, FROM_PEER, AH);
	assert_int_equal(xs_sa_rx_get(&fx.maps, SLOT, &c), 0);
	assert_int_equal(c.packets, 1);
	/* cut before the SPI's end, the whole, and for others */
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_unknown_spi, FROM_PEER, .protocol = 51, .body = body,
		       .body_len = 11);
	fx_expect_spec(fx.wan, XDP_PASS, 0, FROM_PEER, AH, .frag = 9);
	fx_expect_spec(fx.wan, XDP_PASS, 0, .src = PEER, .dst = "10.1.0.7", AH);
	sa.dst = fx_addr(OURS6);
	assert_int_equal(xs_sa_in_put(&fx.maps, &sa, 1), 0);
	fx_expect_spec(fx.wan, XDP_PASS, 0, FROM_PEER6, AH, .ext = {60, 43}, .n_ext = 2);
	assert_int_equal(xs_sa_in_del(&fx.maps, SPI), 0);
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_unknown_spi, FROM_PEER6, AH, .ext = {60}, .n_ext = 1);
#undef AH
}

static void ipcomp_for_us_passes(void **state)
{
	struct xs_policy p = fx_policy("any4", "any4", XS_PROTECT, 10);
	uint32_t id;

	(void)state;
	fx_need_root();
	id = fx_add(&p);
	fx_expect_spec(fx.wan, XDP_PASS, 0, FROM_PEER, .protocol = 108, .body = "1234", .body_len = 4);
	fx_expect_spec(fx.wan, XDP_PASS, 0, FROM_PEER6, .protocol = 108, .ext = {60}, .n_ext = 1);
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_plain_in, .src = PEER, .dst = "10.1.0.7",
		       .protocol = 108, .body = "1234", .body_len = 4);
	fx_del(id);
}

static void the_whole_spi_and_address_count(void **state)
{
	static const uint8_t same_slot[24] = {0x11, 0, 0, SPI & 0xff};

	(void)state;
	fx_need_root();
	sa_put(SPI, OURS, 0, XS_ENGINE_KERNEL);
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_unknown_spi, FROM_PEER, ESP(same_slot));
	/* another address of ours */
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_unknown_spi, .src = PEER, .dst = "10.1.0.1",
		       ESP(esp_body));
	assert_int_equal(xs_sa_in_del(&fx.maps, SPI), 0);
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_unknown_spi, FROM_PEER, ESP(esp_body));
}

static void unknown_spi_raises_a_limited_event(void **state)
{
	(void)state;
	fx_need_root();
	usleep(110000); /* the rate of events of tests before */
	fx_events();
	for (int i = 0; i < 3; i++)
		fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_unknown_spi, FROM_PEER, ESP(other_body));
	assert_int_equal(fx_events(), 1);
	assert_int_equal(fx.last.kind, XS_EV_UNKNOWN_SPI);
	assert_int_equal(fx.last.spi, 0x11223344);
	assert_int_equal(fx.last.tuple.protocol, 50);
}

static void esp_of_others_passes(void **state)
{
	(void)state;
	fx_need_root();
	fx_expect_spec(fx.wan, XDP_PASS, 0, .src = PEER, .dst = "203.0.113.9", ESP(other_body));
	fx_expect_spec(fx.wan, XDP_PASS, 0, .src = PEER, .dst = "203.0.113.9",
		       UDP(4500, 4500, other_body));
	fx_expect_spec(fx.wan, XDP_PASS, 0, .src = PEER6, .dst = "2001:db8:77::1", ESP(other_body));
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_unknown_spi, FROM_PEER6, ESP(other_body));
}

static void encapsulated(void **state)
{
	static const uint8_t keepalive[1] = {0xff}, no_keepalive[1] = {0xfe};

	(void)state;
	fx_need_root();
	sa_put(SPI_ENCAP, OURS, 4500, XS_ENGINE_DATAPLANE);
	xsk_on(true);
	fx_expect_spec(fx.wan, XDP_REDIRECT, 0, FROM_PEER, UDP(4500, 4500, encap_body));
	expect_meta(SLOT + 1, 14);
	/* the NAT chose another port for the peer: still its SA */
	fx_expect_spec(fx.wan, XDP_REDIRECT, 0, FROM_PEER, UDP(61001, 4500, encap_body));
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_unknown_spi, FROM_PEER,
		       UDP(4500, 4500, other_body));
	/* not our port: an ordinary datagram */
	fx_expect_spec(fx.wan, XDP_PASS, 0, FROM_PEER, UDP(4500, 4501, encap_body));
	fx_expect_spec(fx.wan, XDP_PASS, 0, FROM_PEER, UDP(4500, 4500, keepalive));
	fx_expect_spec(fx.wan, XDP_PASS, 0, FROM_PEER, UDP(4500, 4500, no_keepalive));
	xsk_on(false);
	assert_int_equal(xs_sa_in_del(&fx.maps, SPI_ENCAP), 0);
}

/* RFC 7296 2.23: in UDP or not, whatever was agreed on. */
static void either_form_at_any_time(void **state)
{
	(void)state;
	fx_need_root();
	sa_put(SPI_ENCAP, OURS, 4500, XS_ENGINE_DATAPLANE);
	sa_put(SPI, OURS, 0, XS_ENGINE_DATAPLANE);
	xsk_on(true);
	fx_expect_spec(fx.wan, XDP_REDIRECT, 0, FROM_PEER, ESP(encap_body));
	expect_meta(SLOT + 1, 14);
	fx_expect_spec(fx.wan, XDP_REDIRECT, 0, FROM_PEER, UDP(4500, 4500, esp_body));
	expect_meta(SLOT, 14);
	fx_expect_spec(fx.wan, XDP_REDIRECT, 0, FROM_PEER, UDP(61001, 4500, esp_body));
	/* port 500 is IKE's alone */
	fx_expect_spec(fx.wan, XDP_PASS, 0, FROM_PEER, UDP(500, 500, esp_body));
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_unknown_spi, FROM_PEER6, ESP(encap_body));
	xsk_on(false);
	assert_int_equal(xs_sa_in_del(&fx.maps, SPI_ENCAP), 0);
	assert_int_equal(xs_sa_in_del(&fx.maps, SPI), 0);
}

static void outer_fragments_of_esp_pass(void **state)
{
	(void)state;
	fx_need_root();
	sa_put(SPI, OURS, 0, XS_ENGINE_DATAPLANE);
	fx_expect_spec(fx.wan, XDP_PASS, 0, FROM_PEER, ESP(esp_body), .frag = 0x2000);
	fx_expect_spec(fx.wan, XDP_PASS, 0, FROM_PEER, ESP(esp_body), .frag = 3);
	fx_expect_spec(fx.wan, XDP_PASS, 0, FROM_PEER, UDP(4500, 4500, other_body), .frag = 0x2000);
	fx_expect_spec(fx.wan, XDP_PASS, 0, FROM_PEER6, ESP(esp_body), .ext = {44}, .n_ext = 1,
		       .frag = 1);
	assert_int_equal(xs_sa_in_del(&fx.maps, SPI), 0);
}

static void ike_passes_under_a_budget(void **state)
{
	(void)state;
	fx_need_root();
	for (int i = 0; i < 30; i++)
		fx_expect_spec(fx.wan, XDP_PASS, 0, FROM_PEER, UDP(500, 500, ike_body));
	fx.maps.ctl->ike_rate = 4;
	for (int i = 0; i < 4; i++)
		fx_expect_spec(fx.wan, XDP_PASS, 0, FROM_PEER, UDP(500, 500, ike_body));
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_ike_budget, FROM_PEER, UDP(500, 500, ike_body));
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_ike_budget, FROM_PEER, UDP(9, 4500, marked_body));
	/* another source has its own, and what is routed through us is not limited */
	fx_expect_spec(fx.wan, XDP_PASS, 0, .src = "198.51.100.6", .dst = OURS,
		       UDP(500, 500, ike_body));
	fx_expect_spec(fx.wan, XDP_PASS, 0, .src = PEER, .dst = "203.0.113.9",
		       UDP(500, 500, ike_body));
	/* IPv6: a /64 is one source */
	for (int i = 0; i < 4; i++)
		fx_expect_spec(fx.wan, XDP_PASS, 0, FROM_PEER6, UDP(500, 500, ike_body));
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_ike_budget, .src = "2001:db8:fe::6", .dst = OURS6,
		       UDP(500, 500, ike_body));
	usleep(300000); /* one more at 4 a second */
	fx_expect_spec(fx.wan, XDP_PASS, 0, FROM_PEER, UDP(500, 500, ike_body));
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_ike_budget, FROM_PEER, UDP(500, 500, ike_body));
	fx.maps.ctl->ike_rate = 0;
	fx_expect_spec(fx.wan, XDP_PASS, 0, FROM_PEER, UDP(500, 500, ike_body));
}

static void cleartext_that_a_policy_protects(void **state)
{
	struct xs_policy p =
	    fx_policy("10.1.0.0-10.1.0.255", "10.2.0.0-10.2.0.255", XS_PROTECT, 10);
	uint32_t id;

	(void)state;
	fx_need_root();
	p.protocol = 6;
	p.sport_lo = p.sport_hi = 22;
	id = fx_add(&p);
	/* swapped: our port 22 is its destination */
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_plain_in, .src = "10.2.0.9", .dst = "10.1.0.7",
		       .protocol = 6, .sport = 999, .dport = 22);
	fx_expect_spec(fx.wan, XDP_PASS, 0, .src = "10.2.0.9", .dst = "10.1.0.7", .protocol = 6,
		       .sport = 22, .dport = 999);
	fx_expect_spec(fx.wan, XDP_PASS, 0, .src = "10.1.0.7", .dst = "10.2.0.9", .protocol = 6,
		       .sport = 22, .dport = 999);
	/* overheard, and sent to all: the latter could reach a socket */
	fx_expect_spec(fx.wan, XDP_PASS, 0, .src = "10.2.0.9", .dst = "10.1.0.7", .protocol = 6,
		       .dport = 22, .mac_given = 1, .mac = {2, 0, 0, 0, 0, 2});
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_plain_in, .src = "10.2.0.9", .dst = "10.1.0.7",
		       .protocol = 6, .dport = 22, .mac_given = 1,
		       .mac = {255, 255, 255, 255, 255, 255});
	for (enum xs_action a = XS_BYPASS; a <= XS_TRAP; a++) {
		assert_int_equal(xs_policy_set(fx.ps, id, a, 0), 0);
		fx_expect_spec(fx.wan, a == XS_BYPASS ? XDP_PASS : XDP_DROP,
			       a == XS_BYPASS ? XS_DROP_none : XS_DROP_plain_in, .src = "10.2.0.9",
			       .dst = "10.1.0.7", .protocol = 6, .sport = 999, .dport = 22);
	}
	fx_del(id);
	fx_expect_spec(fx.wan, XDP_PASS, 0, .src = "10.2.0.9", .dst = "10.1.0.7", .protocol = 6,
		       .sport = 999, .dport = 22);
}

static void icmp_is_not_turned(void **state)
{
	struct xs_policy p =
	    fx_policy("10.1.0.0-10.1.0.255", "10.2.0.0-10.2.0.255", XS_PROTECT, 10);
	uint32_t id;

	(void)state;
	fx_need_root();
	p.protocol = 1;
	p.sport_lo = p.sport_hi = 8;
	id = fx_add(&p);
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_plain_in, .src = "10.2.0.9", .dst = "10.1.0.7",
		       .protocol = 1, .sport = 8, .dport = 0);
	fx_expect_spec(fx.wan, XDP_PASS, 0, .src = "10.2.0.9", .dst = "10.1.0.7", .protocol = 1,
		       .sport = 0, .dport = 8);
	fx_del(id);
}

/* Under a policy for everything IKE, ND, ARP and fragments of IKE still come in. */
static void what_always_passes(void **state)
{
	struct xs_policy p = fx_policy("any4", "any4", XS_PROTECT, 10);
	struct xs_policy p6 = fx_policy("any6", "any6", XS_PROTECT, 10);
	uint8_t arp[42] = {[12] = 8, [13] = 6};
	uint32_t id, id6;

	(void)state;
	fx_need_root();
	id = fx_add(&p);
	id6 = fx_add(&p6);
	fx_expect(fx.wan, arp, sizeof(arp), XDP_PASS, 0);
	fx_expect_spec(fx.wan, XDP_PASS, 0, FROM_PEER, UDP(500, 500, ike_body));
	fx_expect_spec(fx.wan, XDP_PASS, 0, FROM_PEER, UDP(4500, 4500, marked_body));
	fx_expect_spec(fx.wan, XDP_PASS, 0, FROM_PEER, UDP(500, 500, ike_body), .frag = 0x2000);
	fx_expect_spec(fx.wan, XDP_PASS, 0, FROM_PEER, UDP(0, 0, ike_body), .frag = 5);
	for (uint16_t type = 133; type <= 137; type++) {
		fx_expect_spec(fx.wan, XDP_PASS, 0, FROM_PEER6, .protocol = 58, .sport = type,
			       .hops = 255);
		fx_expect_spec(fx.wan, XDP_PASS, 0, .src = "fe80::9", .dst = "ff02::1",
			       .protocol = 58, .sport = type, .hops = 255);
		/* from farther away, or to who is behind us: not ND */
		fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_plain_in, FROM_PEER6, .protocol = 58,
			       .sport = type, .hops = 254);
		fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_plain_in, .src = PEER6, .dst = BEHIND6,
			       .protocol = 58, .sport = type, .hops = 255);
	}
	fx_expect_spec(fx.wan, XDP_PASS, 0, .src = "fe80::9", .dst = "ff02::1", .protocol = 58,
		       .sport = 130, .hops = 1);
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_plain_in, .src = PEER6, .dst = BEHIND6,
		       .protocol = 58, .sport = 130, .hops = 1);
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_plain_in, FROM_PEER6, .protocol = 58,
		       .sport = 128);
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_plain_in, FROM_PEER, .protocol = 6, .dport = 22);
	/* fragments of TCP, and of UDP that goes on to others */
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_plain_in, FROM_PEER, .protocol = 6, .frag = 5);
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_plain_in, .src = PEER, .dst = "203.0.113.9",
		       UDP(0, 0, ike_body), .frag = 5);
	fx_del(id);
	fx_del(id6);
}

/* IKE and ESP to who is behind us are traffic like any: a policy for them holds. */
static void ike_and_esp_to_others_are_no_way_in(void **state)
{
	struct xs_policy p = fx_policy("10.1.0.0-10.1.0.255", "any4", XS_PROTECT, 10);
	struct xs_policy p6 = fx_policy("2001:db8:77::-2001:db8:77::ff", "any6", XS_PROTECT, 10);
	uint32_t id, id6;

	(void)state;
	fx_need_root();
	id = fx_add(&p);
	id6 = fx_add(&p6);
	for (int i = 0; i < 2; i++) {
		const char *src = i ? PEER6 : PEER, *dst = i ? BEHIND6 : "10.1.0.7";

		fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_plain_in, .src = src, .dst = dst,
			       UDP(500, 500, ike_body));
		fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_plain_in, .src = src, .dst = dst,
			       UDP(500, 4500, marked_body));
		fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_plain_in, .src = src, .dst = dst,
			       UDP(500, 4500, other_body));
		fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_plain_in, .src = src, .dst = dst,
			       .protocol = 17, .dport = 4500, .body = "\xff", .body_len = 1);
		fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_plain_in, .src = src, .dst = dst,
			       ESP(other_body));
	}
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_plain_in, .src = PEER, .dst = "10.1.0.7",
		       ESP(other_body), .frag = 0x2000);
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_plain_in, .src = PEER, .dst = "10.1.0.7",
		       UDP(500, 500, ike_body), .frag = 0x2000);
	/* this host's own address inside of the range */
	fx_expect_spec(fx.wan, XDP_PASS, 0, .src = PEER, .dst = "10.1.0.1", UDP(500, 500, ike_body));
	fx_del(id);
	fx_del(id6);
	fx_expect_spec(fx.wan, XDP_PASS, 0, .src = PEER, .dst = "10.1.0.7", UDP(500, 500, ike_body));
}

static void a_moved_peer_loses_nothing(void **state)
{
	struct xs_sa sa = sa_of(SPI, OURS, 0, XS_ENGINE_KERNEL);

	(void)state;
	fx_need_root();
	assert_int_equal(xs_sa_in_put(&fx.maps, &sa, 1), 0);
	sa.src = fx_addr("198.51.100.77");
	assert_int_equal(xs_sa_in_put(&fx.maps, &sa, 1), 0);
	fx_expect_spec(fx.wan, XDP_PASS, 0, FROM_PEER, ESP(esp_body));
	sa.spi ^= 1; /* not this slot */
	assert_int_equal(xs_sa_in_put(&fx.maps, &sa, 1), -EINVAL);
	sa.spi = 0x40;
	sa.slot = 0; /* never used */
	assert_int_equal(xs_sa_in_put(&fx.maps, &sa, 1), -EINVAL);
	assert_int_equal(xs_sa_in_del(&fx.maps, SPI), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(known_spi_goes_to_the_dataplane),
	    cmocka_unit_test(known_spi_over_ipv6),
	    cmocka_unit_test(kernel_engine_passes),
	    cmocka_unit_test(ah_is_known_by_its_spi),
	    cmocka_unit_test(ipcomp_for_us_passes),
	    cmocka_unit_test(the_whole_spi_and_address_count),
	    cmocka_unit_test(unknown_spi_raises_a_limited_event),
	    cmocka_unit_test(esp_of_others_passes),
	    cmocka_unit_test(encapsulated),
	    cmocka_unit_test(either_form_at_any_time),
	    cmocka_unit_test(outer_fragments_of_esp_pass),
	    cmocka_unit_test(ike_passes_under_a_budget),
	    cmocka_unit_test(cleartext_that_a_policy_protects),
	    cmocka_unit_test(icmp_is_not_turned),
	    cmocka_unit_test(what_always_passes),
	    cmocka_unit_test(ike_and_esp_to_others_are_no_way_in),
	    cmocka_unit_test(a_moved_peer_loses_nothing),
	};

	return cmocka_run_group_tests(tests, fx_setup, fx_teardown);
}
