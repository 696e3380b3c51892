// SPDX-License-Identifier: BSD-2-Clause
#include "fixture.h"

#define NET_A	    "10.1.0.0-10.1.0.255"
#define NET_B	    "10.2.0.0-10.2.0.255"
#define HOST_A	    "10.1.0.7"
#define HOST_B	    "10.2.0.9"
#define OURS6	    "2001:db8:ff::1"
#define HOST6	    "2001:db8:2::9"
#define FROM_A_TO_B .src = HOST_A, .dst = HOST_B

enum { OWN = 0, CAME_IN = 7 }; /* the interface a forwarded packet came in on */
enum { NEXT = (int)TC_ACT_UNSPEC, SHOT = TC_ACT_SHOT };

static void nothing_to_protect(void **state)
{
	(void)state;
	fx_need_root();
	fx_expect_tc(OWN, NEXT, 0, FROM_A_TO_B, .protocol = 6, .dport = 80);
	fx_expect_tc(CAME_IN, NEXT, 0, .src = "2001:db8::5", .dst = "2001:db8::6", .protocol = 58,
		     .sport = 128);
}

static void cleartext_is_a_leak(void **state)
{
	struct xs_policy p = fx_policy(NET_A, NET_B, XS_PROTECT, 10);
	uint32_t id;

	(void)state;
	fx_need_root();
	p.bundle = fx_bundle(XS_ENGINE_DATAPLANE);
	id = fx_add(&p);
	usleep(110000);
	fx_events();
	for (int i = 0; i < 3; i++)
		fx_expect_tc(CAME_IN, SHOT, XS_DROP_leak, FROM_A_TO_B, .protocol = 6, .dport = 80);
	assert_int_equal(fx_events(), 1);
	assert_int_equal(fx.last.kind, XS_EV_LEAK);
	assert_int_equal(fx.last.policy, id);
	fx_expect_tc(OWN, SHOT, XS_DROP_leak, FROM_A_TO_B, .protocol = 6, .dport = 80, .vlans = 1);
	/* of the kernel engine, and no XFRM interface */
	xs_bundle_set(&fx.maps, p.bundle, XS_BUNDLE(5, 1, 0, XS_ENGINE_KERNEL));
	fx_expect_tc(OWN, SHOT, XS_DROP_leak, FROM_A_TO_B, .protocol = 6, .dport = 80);
	assert_int_equal(xs_policy_set(fx.ps, id, XS_TRAP, 0), 0);
	fx_events();
	fx_expect_tc(OWN, SHOT, XS_DROP_no_sa, FROM_A_TO_B, .protocol = 6, .dport = 80);
	assert_int_equal(fx_events(), 1);
	assert_int_equal(fx.last.kind, XS_EV_ACQUIRE);
	assert_int_equal(fx.last.policy, id);
	fx_expect_tc(CAME_IN, SHOT, XS_DROP_no_sa, FROM_A_TO_B, .protocol = 6, .dport = 80);
	assert_int_equal(xs_policy_set(fx.ps, id, XS_DISCARD, 0), 0);
	fx_expect_tc(OWN, SHOT, XS_DROP_discard, FROM_A_TO_B, .protocol = 6, .dport = 80);
	assert_int_equal(xs_policy_set(fx.ps, id, XS_BYPASS, 0), 0);
	fx_expect_tc(OWN, NEXT, 0, FROM_A_TO_B, .protocol = 6, .dport = 80);
	fx_del(id);
	xs_bundle_free(fx.ps, p.bundle);
}

/* Under a policy for everything: what has to leave all the same. */
static void own_ike_and_esp_pass(void **state)
{
	struct xs_policy p = fx_policy("any4", "any4", XS_PROTECT, 10);
	struct xs_policy p6 = fx_policy("any6", "any6", XS_PROTECT, 10);
	uint32_t id, id6;

	(void)state;
	fx_need_root();
	p.bundle = p6.bundle = fx_bundle(XS_ENGINE_DATAPLANE);
	id = fx_add(&p);
	id6 = fx_add(&p6);
	fx_expect_tc(OWN, NEXT, 0, .src = "192.0.2.1", .dst = HOST_B, .protocol = 17, .sport = 500,
		     .dport = 500);
	fx_expect_tc(OWN, NEXT, 0, .src = "192.0.2.1", .dst = HOST_B, .protocol = 17, .sport = 4500,
		     .dport = 61000);
	fx_expect_tc(OWN, NEXT, 0, .src = "192.0.2.1", .dst = HOST_B, .protocol = 50,
		     .body = "12345678", .body_len = 8);
	/* the kernel's ESP keeps the interface of the packet that it encrypted */
	fx_expect_tc(CAME_IN, NEXT, 0, .src = "192.0.2.1", .dst = HOST_B, .protocol = 50,
		     .body = "12345678", .body_len = 8);
	fx_expect_tc(CAME_IN, NEXT, 0, .src = "192.0.2.1", .dst = HOST_B, .protocol = 17,
		     .sport = 4500, .dport = 4500);
	for (uint8_t ah_comp = 0; ah_comp < 2; ah_comp++) {
		uint8_t protocol = ah_comp ? 108 : 51;

		fx_expect_tc(OWN, NEXT, 0, .src = "192.0.2.1", .dst = HOST_B, .protocol = protocol,
			     .body = "123456789012", .body_len = 12);
		fx_expect_tc(CAME_IN, NEXT, 0, .src = OURS6, .dst = HOST6, .protocol = protocol,
			     .ext = {60}, .n_ext = 1);
		fx_expect_tc(OWN, SHOT, XS_DROP_leak, FROM_A_TO_B, .protocol = protocol,
			     .body = "123456789012", .body_len = 12);
	}
	/* not this host's, though it was this host that sent them: out of a tunnel */
	fx_expect_tc(OWN, SHOT, XS_DROP_leak, FROM_A_TO_B, .protocol = 50, .body = "12345678",
		     .body_len = 8);
	fx_expect_tc(OWN, SHOT, XS_DROP_leak, FROM_A_TO_B, .protocol = 17, .sport = 4500);
	/* not this host's */
	fx_expect_tc(CAME_IN, SHOT, XS_DROP_leak, FROM_A_TO_B, .protocol = 50, .body = "12345678",
		     .body_len = 8);
	fx_expect_tc(CAME_IN, SHOT, XS_DROP_leak, FROM_A_TO_B, .protocol = 17, .sport = 500);
	fx_expect_tc(CAME_IN, SHOT, XS_DROP_leak, .src = "192.0.2.1", .dst = HOST_B, .protocol = 17,
		     .frag = 9);
	fx_expect_tc(OWN, SHOT, XS_DROP_leak, .src = "192.0.2.1", .dst = HOST_B, .protocol = 17,
		     .sport = 501, .dport = 500);
	/* a later fragment from a socket that is not the agent's, which may hold anything */
	fx_expect_tc(OWN, SHOT, XS_DROP_leak, .src = "192.0.2.1", .dst = HOST_B, .protocol = 17,
		     .frag = 9);
	fx_expect_tc(OWN, SHOT, XS_DROP_leak, .src = OURS6, .dst = HOST6, .protocol = 17, .ext = {44},
		     .n_ext = 1, .frag = 8);
	for (uint16_t type = 133; type <= 137; type++) {
		fx_expect_tc(OWN, NEXT, 0, .src = "fe80::1", .dst = "fe80::2", .protocol = 58,
			     .sport = type, .hops = 255);
		/* somebody forwarded it: no neighbour discovery, whatever its type says */
		fx_expect_tc(CAME_IN, SHOT, XS_DROP_leak, .src = "2001:db8:1::7", .dst = HOST6,
			     .protocol = 58, .sport = type, .hops = 254);
	}
	fx_expect_tc(OWN, NEXT, 0, .src = "fe80::1", .dst = "ff02::16", .protocol = 58, .sport = 143,
		     .ext = {0}, .n_ext = 1, .hops = 1);
	fx_expect_tc(OWN, SHOT, XS_DROP_leak, .src = "fe80::1", .dst = "ff02::16", .protocol = 58,
		     .sport = 143, .hops = 2);
	fx_expect_tc(CAME_IN, SHOT, XS_DROP_leak, .src = "2001:db8:1::7", .dst = HOST6,
		     .protocol = 58, .sport = 143, .hops = 1);
	fx_expect_tc(OWN, SHOT, XS_DROP_leak, .src = "fe80::1", .dst = "fe80::2", .protocol = 58,
		     .sport = 129);
	fx_del(id);
	fx_del(id6);
	xs_bundle_free(fx.ps, p.bundle);
}

static void malformed_is_dropped(void **state)
{
	uint8_t frame[FX_FRAME_MAX];
	size_t n;

	(void)state;
	fx_need_root();
	n = fx_build(&(struct spec){FROM_A_TO_B, .protocol = 6}, frame);
	frame[14] = 0x44; /* a header of 16 bytes */
	fx_drops_note();
	assert_int_equal(fx_run_tc(frame, n, OWN), SHOT);
	fx_drops_are(XS_DROP_malformed);
}

static void fragments_have_their_reason(void **state)
{
	struct xs_policy p = fx_policy(NET_A, NET_B, XS_PROTECT, 10);
	uint32_t id;

	(void)state;
	fx_need_root();
	p.protocol = 6;
	p.dport_lo = p.dport_hi = 80;
	id = fx_add(&p);
	fx_expect_tc(CAME_IN, SHOT, XS_DROP_drop_fragments, FROM_A_TO_B, .protocol = 6, .frag = 9);
	fx_expect_tc(CAME_IN, NEXT, 0, FROM_A_TO_B, .protocol = 17, .frag = 9);
	fx_del(id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_to_protect),	   cmocka_unit_test(cleartext_is_a_leak),
	    cmocka_unit_test(own_ike_and_esp_pass),	   cmocka_unit_test(malformed_is_dropped),
	    cmocka_unit_test(fragments_have_their_reason),
	};

	return cmocka_run_group_tests(tests, fx_setup, fx_teardown);
}
