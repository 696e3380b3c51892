// SPDX-License-Identifier: BSD-2-Clause
#include "fixture.h"

#include <time.h>

/*
 * The parser, seen through xdp_lan: under a policy for everything a packet that is understood is
 * dropped as `discard`, one that is not as `malformed`, and what is not IP passes.
 */

#define V4 .src = "10.1.0.7", .dst = "10.2.0.9"
#define V6 .src = "2001:db8:1::7", .dst = "2001:db8:2::9"
#define ON_LINK .src = "2001:db8:1::7", .dst = "ff02::1"

static uint32_t all4, all6;

static int setup(void **state)
{
	struct xs_policy p = fx_policy("any4", "any4", XS_DISCARD, 10);
	struct xs_policy p6 = fx_policy("any6", "any6", XS_DISCARD, 10);
	int err = fx_setup(state);

	if (err || geteuid())
		return err;
	all4 = fx_add(&p);
	all6 = fx_add(&p6);
	return 0;
}

/* Cut at each length: what is left is never taken for a whole packet, and every verdict has its
 * reason. */
static void cut_everywhere(const struct spec *s)
{
	uint8_t frame[FX_FRAME_MAX];
	size_t n = fx_build(s, frame), l3 = 14 + 4u * s->vlans;

	fx_expect(fx.lan, frame, n, XDP_DROP, XS_DROP_discard);
	for (size_t cut = 14; cut < n; cut++) {
		uint8_t *exact = malloc(cut);

		memcpy(exact, frame, cut);
		fx_expect(fx.lan, exact, cut, XDP_DROP, XS_DROP_malformed);
		free(exact);
	}
	assert_true(n > l3);
}

static void truncated_at_each_length(void **state)
{
	(void)state;
	fx_need_root();
	cut_everywhere(&(struct spec){V4, .protocol = 17, .body = "abcd", .body_len = 4});
	cut_everywhere(&(struct spec){V4, .protocol = 6, .vlans = 1});
	cut_everywhere(&(struct spec){V4, .protocol = 1, .vlans = 2, .options = 10});
	cut_everywhere(&(struct spec){V4, .protocol = 50, .body = "12345678", .body_len = 8});
	cut_everywhere(&(struct spec){V6, .protocol = 17, .body = "abcd", .body_len = 4});
	cut_everywhere(&(struct spec){V6, .protocol = 58, .sport = 128, .vlans = 2});
	cut_everywhere(&(struct spec){V6, .protocol = 6, .ext = {0, 43, 60, 44}, .n_ext = 4});
	cut_everywhere(&(struct spec){V4, .protocol = 17, .frag = 0x2000});
	cut_everywhere(&(struct spec){V4, .protocol = 17, .frag = 0x0010});
	cut_everywhere(&(struct spec){V6, .protocol = 6, .ext = {44}, .n_ext = 1, .frag = 0x0010});
}

/* The IP header's own length field is what counts, not the frame's: padding is no packet. */
static void short_by_its_own_length(void **state)
{
	uint8_t frame[FX_FRAME_MAX];
	size_t n;

	(void)state;
	fx_need_root();
	n = fx_build(&(struct spec){V4, .protocol = 17, .body = "abcd", .body_len = 4}, frame);
	for (unsigned int total = 1; total <= n - 14 + 1; total++) {
		bool whole = total >= 20 + 4 && total <= n - 14;

		frame[16] = (uint8_t)(total >> 8);
		frame[17] = (uint8_t)total;
		fx_expect(fx.lan, frame, n, XDP_DROP, whole ? XS_DROP_discard : XS_DROP_malformed);
	}
	n = fx_build(&(struct spec){V6, .protocol = 17, .body = "abcd", .body_len = 4}, frame);
	/* 0 is a jumbogram, which has a header for it (RFC 2675) and no place here */
	for (unsigned int payload = 0; payload <= n - 54 + 1; payload++) {
		bool whole = payload >= 4 && payload <= n - 54;

		frame[18] = (uint8_t)(payload >> 8);
		frame[19] = (uint8_t)payload;
		fx_expect(fx.lan, frame, n, XDP_DROP, whole ? XS_DROP_discard : XS_DROP_malformed);
	}
}

static void wrong_versions_and_header_lengths(void **state)
{
	uint8_t frame[FX_FRAME_MAX];
	size_t n;

	(void)state;
	fx_need_root();
	n = fx_build(&(struct spec){V4, .protocol = 17, .options = 10}, frame);
	for (unsigned int first = 0; first < 256; first++) {
		bool right = first >> 4 == 4 && (first & 15) >= 5;

		frame[14] = (uint8_t)first;
		fx_expect(fx.lan, frame, n, XDP_DROP, right ? XS_DROP_discard : XS_DROP_malformed);
	}
	n = fx_build(&(struct spec){V6, .protocol = 17}, frame);
	for (unsigned int version = 0; version < 16; version++) {
		frame[14] = (uint8_t)(version << 4);
		fx_expect(fx.lan, frame, n, XDP_DROP,
			  version == 6 ? XS_DROP_discard : XS_DROP_malformed);
	}
}

static void extension_headers(void **state)
{
	struct spec s = {V6, .protocol = 17, .n_ext = 0};

	(void)state;
	fx_need_root();
	for (s.n_ext = 0; s.n_ext <= 9; s.n_ext++) {
		uint8_t frame[FX_FRAME_MAX];
		size_t n;

		memset(s.ext, 60, sizeof(s.ext));
		n = fx_build(&s, frame);
		fx_expect(fx.lan, frame, n, XDP_DROP,
			  s.n_ext <= 8 ? XS_DROP_discard : XS_DROP_malformed);
	}
	/* no next header, and a protocol that we do not know */
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_discard, V6, .protocol = 59);
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_discard, V6, .protocol = 253, .ext = {0},
		       .n_ext = 1);
	/* a later fragment whose protocol hides behind one more header */
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_malformed, V6, .protocol = 17, .ext = {44, 60},
		       .n_ext = 2, .frag = 0x0010);
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_discard, V6, .protocol = 17, .ext = {44, 60},
		       .n_ext = 2, .frag = 0x0001);
}

/* A length of 0 with the option that gives another one; IPv4 addresses in an IPv6 header. */
static void not_ipv6_as_we_know_it(void **state)
{
	uint8_t frame[FX_FRAME_MAX];
	size_t n;

	(void)state;
	fx_need_root();
	n = fx_build(&(struct spec){V6, .protocol = 6, .ext = {0}, .n_ext = 1}, frame);
	frame[18] = frame[19] = 0;
	frame[56] = 0xc2; /* jumbo payload, 4 bytes */
	frame[57] = 4;
	frame[61] = (uint8_t)(n - 54);
	fx_expect(fx.lan, frame, n, XDP_DROP, XS_DROP_malformed);
	/* no next header at all: the shortest packet there is */
	n = fx_build(&(struct spec){V6, .protocol = 59}, frame);
	fx_expect(fx.lan, frame, n, XDP_DROP, XS_DROP_discard);
	for (size_t at = 22; at <= 38; at += 16) {
		n = fx_build(&(struct spec){V6, .protocol = 6}, frame);
		memset(frame + at, 0, 10);
		memset(frame + at + 10, 0xff, 2);
		fx_expect(fx.lan, frame, n, XDP_DROP, XS_DROP_malformed);
		fx_expect(fx.wan, frame, n, XDP_DROP, XS_DROP_malformed);
		frame[at] = 0x20;
		fx_expect(fx.lan, frame, n, XDP_DROP, XS_DROP_discard);
	}
}

/* Neighbours and listeners are not for policies; other ICMPv6 is. */
static void what_a_link_needs_passes(void **state)
{
	static const uint8_t needed[] = {130, 131, 132, 133, 134, 135, 136, 137, 143};

	(void)state;
	fx_need_root();
	for (unsigned int type = 0; type < 256; type++) {
		bool need = memchr(needed, (int)type, sizeof(needed));
		uint8_t hops = type >= 133 && type <= 137 ? 255 : 1;

		fx_expect_spec(fx.lan, need ? XDP_PASS : XDP_DROP, need ? 0 : XS_DROP_discard, ON_LINK,
			       .protocol = 58, .sport = (uint16_t)type, .ext = {0}, .n_ext = 1,
			       .hops = hops);
		fx_expect_spec(fx.wan, need ? XDP_PASS : XDP_DROP, need ? 0 : XS_DROP_plain_in, ON_LINK,
			       .protocol = 58, .sport = (uint16_t)type, .hops = hops);
		/* somebody forwarded it, or we would */
		fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_discard, ON_LINK, .protocol = 58,
			       .sport = (uint16_t)type);
		fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_discard, V6, .protocol = 58,
			       .sport = (uint16_t)type, .hops = hops);
		fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_plain_in, V6, .protocol = 58,
			       .sport = (uint16_t)type, .hops = hops);
	}
	/* a later fragment does not show what it is */
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_discard, V6, .protocol = 58, .sport = 135,
		       .ext = {44}, .n_ext = 1, .frag = 8);
	/* link-local: the stack, which does not forward it */
	fx_expect_spec(fx.lan, XDP_PASS, 0, .src = "fe80::7", .dst = "2001:db8:2::9", .protocol = 6);
	fx_expect_spec(fx.lan, XDP_PASS, 0, .src = "2001:db8:1::7", .dst = "febf::9", .protocol = 6);
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_discard, .src = "fec0::7", .dst = "2001:db8:2::9",
		       .protocol = 6);
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_plain_in, .src = "fe80::7", .dst = "2001:db8:2::9",
		       .protocol = 6);
}

static void more_vlans_than_two_are_not_ours(void **state)
{
	(void)state;
	fx_need_root();
	fx_expect_spec(fx.lan, XDP_PASS, 0, V4, .protocol = 17, .vlans = 3);
}

/* What the parser made of a packet is what the event of a trap policy shows. */
static void tuple_is(const struct spec *s, uint32_t flags, uint16_t sport, uint16_t dport)
{
	struct xs_policy p = fx_policy(strchr(s->src, ':') ? "any6" : "any4",
				       strchr(s->src, ':') ? "any6" : "any4", XS_TRAP, 5);
	struct xs_addr src = fx_addr(s->src), dst = fx_addr(s->dst);
	uint8_t frame[FX_FRAME_MAX];
	size_t n = fx_build(s, frame);
	uint32_t id = fx_add(&p);

	fx_events();
	fx_expect(fx.lan, frame, n, XDP_DROP, XS_DROP_no_sa);
	assert_int_equal(fx_events(), 1);
	assert_memory_equal(&fx.last.tuple.src, &src, sizeof(src));
	assert_memory_equal(&fx.last.tuple.dst, &dst, sizeof(dst));
	assert_int_equal(fx.last.tuple.protocol, s->protocol);
	assert_int_equal(fx.last.tuple.flags, flags);
	assert_int_equal(fx.last.tuple.sport, sport);
	assert_int_equal(fx.last.tuple.dport, dport);
	fx_del(id);
}

static void tuples(void **state)
{
	(void)state;
	fx_need_root();
	tuple_is(&(struct spec){V4, .protocol = 17, .sport = 0x1234, .dport = 0x5678}, 0, 0x1234,
		 0x5678);
	tuple_is(
	    &(struct spec){V4, .protocol = 6, .sport = 1, .dport = 65535, .vlans = 2, .options = 3},
	    0, 1, 65535);
	tuple_is(&(struct spec){V4, .protocol = 1, .sport = 8, .dport = 5}, 0, 8, 5);
	tuple_is(&(struct spec){V4, .protocol = 47, .body = "abcdefgh", .body_len = 8}, 0, 0, 0);
	tuple_is(&(struct spec){V4, .protocol = 6, .sport = 7, .dport = 8, .frag = 0x2000}, 0, 7,
		 8);
	tuple_is(&(struct spec){V4, .protocol = 6, .sport = 7, .dport = 8, .frag = 0x2001},
		 XS_TUPLE_NO_PORTS, 0, 0);
	tuple_is(
	    &(struct spec){V6, .protocol = 17, .sport = 7, .dport = 8, .ext = {0, 60}, .n_ext = 2},
	    XS_TUPLE_V6, 7, 8);
	tuple_is(&(struct spec){V6, .protocol = 17, .ext = {44}, .n_ext = 1, .frag = 8},
		 XS_TUPLE_V6 | XS_TUPLE_NO_PORTS, 0, 0);
	tuple_is(&(struct spec){V6, .protocol = 17, .sport = 7, .dport = 8, .ext = {44}, .n_ext = 1,
				.frag = 1},
		 XS_TUPLE_V6, 7, 8);
	tuple_is(&(struct spec){V6, .protocol = 58, .sport = 128, .dport = 9}, XS_TUPLE_V6, 128, 9);
	/* ICMP of the other family has no types */
	tuple_is(&(struct spec){V6, .protocol = 1, .sport = 128, .dport = 9}, XS_TUPLE_V6, 0, 0);
}

/* Random bytes behind a right MAC: each has one verdict and one reason at most, in every program.
 */
static void random_frames(void **state)
{
	uint8_t frame[200];

	(void)state;
	fx_need_root();
	srand((unsigned int)time(NULL));
	for (int i = 0; i < 20000; i++) {
		size_t n = 14 + (size_t)rand() % (sizeof(frame) - 14);
		uint64_t before = 0, after = 0;
		int verdict;

		for (size_t k = 0; k < n; k++)
			frame[k] = (uint8_t)rand();
		memcpy(frame, fx_own_mac, 6);
		frame[12] = rand() & 1 ? 0x08 : 0x86;
		frame[13] = frame[12] == 8 ? 0x00 : 0xdd;
		frame[14] = frame[12] == 8 ? 0x45 : 0x60;
		if (n > 20) {
			frame[16] = 0;
			frame[17] = (uint8_t)(n - 14);
			frame[18] = 0;
			frame[19] = (uint8_t)(n > 54 ? n - 54 : 0);
			frame[20] &= 0x3f;
		}
		if (i % 100 == 0)
			fx_drops_note();
		for (unsigned int r = 0; r < 12; r++)
			before += fx.drop[r];
		verdict = fx_run(i & 1 ? fx.lan : fx.wan, frame, n);
		assert_true(verdict == XDP_PASS || verdict == XDP_DROP);
		fx_drops_note();
		for (unsigned int r = 0; r < 12; r++)
			after += fx.drop[r];
		assert_int_equal(after - before, verdict == XDP_DROP);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(truncated_at_each_length),
	    cmocka_unit_test(short_by_its_own_length),
	    cmocka_unit_test(wrong_versions_and_header_lengths),
	    cmocka_unit_test(extension_headers),
	    cmocka_unit_test(not_ipv6_as_we_know_it),
	    cmocka_unit_test(what_a_link_needs_passes),
	    cmocka_unit_test(more_vlans_than_two_are_not_ours),
	    cmocka_unit_test(tuples),
	    cmocka_unit_test(random_frames),
	};

	return cmocka_run_group_tests(tests, setup, fx_teardown);
}
