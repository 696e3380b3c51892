// SPDX-License-Identifier: BSD-2-Clause
#define FX_RAMP 1 /* lo: nothing is sent in a test run */
#include "fixture.h"

#define NET_A	    "10.1.0.0-10.1.0.255"
#define NET_B	    "10.2.0.0-10.2.0.255"
#define HOST_A	    "10.1.0.7"
#define HOST_B	    "10.2.0.9"
#define FROM_A_TO_B .src = HOST_A, .dst = HOST_B

/* The on-ramp: into it at tc_out, out of it at xdp_lan, where nothing passes that is not protected. */
enum { OWN = 0, CAME_IN = 7 };
enum { NEXT = (int)TC_ACT_UNSPEC, SHOT = TC_ACT_SHOT, REDIRECT = TC_ACT_REDIRECT };

static void what_is_protected_goes_in(void **state)
{
	struct xs_policy p = fx_policy(NET_A, NET_B, XS_PROTECT, 10);
	uint32_t id;

	(void)state;
	fx_need_root();
	fx_expect_tc(OWN, NEXT, 0, FROM_A_TO_B, .protocol = 6, .dport = 80);
	p.bundle = fx_bundle(XS_ENGINE_DATAPLANE);
	id = fx_add(&p);
	fx_events();
	fx_expect_tc(OWN, REDIRECT, 0, FROM_A_TO_B, .protocol = 6, .dport = 80);
	fx_expect_tc(CAME_IN, REDIRECT, 0, FROM_A_TO_B, .protocol = 6, .dport = 80);
	assert_int_equal(xs_policy_set(fx.ps, id, XS_TRAP, 0), 0);
	fx_expect_tc(OWN, REDIRECT, 0, FROM_A_TO_B, .protocol = 6, .dport = 80);
	assert_int_equal(fx_events(), 0); /* no leak */
	assert_int_equal(xs_policy_set(fx.ps, id, XS_DISCARD, 0), 0);
	fx_expect_tc(OWN, SHOT, XS_DROP_discard, FROM_A_TO_B, .protocol = 6, .dport = 80);
	fx_del(id);
	xs_bundle_free(fx.ps, p.bundle);
}

/* IKE and ESP of this host go out below a policy for everything: else nothing could ever be negotiated. */
static void ipsec_does_not(void **state)
{
	struct xs_policy p = fx_policy("any4", "any4", XS_PROTECT, 10);
	uint32_t id;

	(void)state;
	fx_need_root();
	id = fx_add(&p);
	fx_expect_tc(OWN, NEXT, 0, .src = "192.0.2.1", .dst = HOST_B, .protocol = 17, .sport = 500, .dport = 500);
	fx_expect_tc(OWN, NEXT, 0, .src = "192.0.2.1", .dst = HOST_B, .protocol = 50);
	fx_expect_tc(OWN, REDIRECT, 0, .src = "192.0.2.1", .dst = HOST_B, .protocol = 17, .sport = 501,
		     .dport = 500);
	fx_del(id);
}

static void out_of_it(void **state)
{
	struct xs_port port, lan;
	struct xs_policy p = fx_policy(NET_A, NET_B, XS_PROTECT, 10);
	uint8_t arp[60] = {0};
	uint32_t id;

	(void)state;
	fx_need_root();
	assert_int_equal(xs_port_get(&fx.maps, FX_LO, &lan), 0);
	port = lan;
	port.role = XS_ROLE_RAMP;
	assert_int_equal(xs_port_put(&fx.maps, FX_LO, &port), 0);
	arp[12] = 8;
	arp[13] = 6;
	fx_expect(fx.lan, arp, sizeof(arp), XDP_DROP, XS_DROP_malformed);
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_discard, FROM_A_TO_B, .protocol = 17); /* no policy */
	p.bundle = fx_bundle(XS_ENGINE_DATAPLANE);
	id = fx_add(&p);
	/* whatever its MAC address: that is the next hop's */
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_no_engine, FROM_A_TO_B, .protocol = 17);
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_no_engine, FROM_A_TO_B, .protocol = 17, .mac_given = 1,
		       .mac = {2, 0, 0, 0, 0, 9});
	xs_bundle_set(&fx.maps, p.bundle, XS_BUNDLE(5, 1, 0, XS_ENGINE_KERNEL));
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_no_engine, FROM_A_TO_B, .protocol = 17);
	fx_events();
	xs_bundle_set(&fx.maps, p.bundle, 0);
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_no_sa, FROM_A_TO_B, .protocol = 17);
	assert_int_equal(fx_events(), 1);
	assert_int_equal(fx.last.kind, XS_EV_ACQUIRE);
	fx_del(id);
	xs_bundle_free(fx.ps, p.bundle);
	assert_int_equal(xs_port_put(&fx.maps, FX_LO, &lan), 0);
}

/* What has no SA yet waits at the dataplane, if there is one. */
static void held(void **state)
{
	struct xs_policy p = fx_policy(NET_A, NET_B, XS_PROTECT, 10);
	uint32_t key = FX_PORT * XS_QUEUES_MAX, id;
	struct xs_meta meta;

	(void)state;
	fx_need_root();
	p.bundle = fx_bundle(XS_ENGINE_DATAPLANE);
	xs_bundle_set(&fx.maps, p.bundle, 0);
	id = fx_add(&p);
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_no_sa, FROM_A_TO_B, .protocol = 17);
	assert_int_equal(xs_xsk_put(&fx.maps, FX_PORT, 0, fx.xsk), 0);
	fx_expect_spec(fx.lan, XDP_REDIRECT, 0, FROM_A_TO_B, .protocol = 17);
	memcpy(&meta, fx_out, sizeof(meta));
	assert_int_equal(meta.kind, XS_META_HOLD);
	assert_int_equal(meta.policy, id);
	assert_int_equal(meta.bundle, p.bundle);
	assert_int_equal(meta.slot, 0);
	/* a trap has no bundle to wait for: another policy may take the packet */
	assert_int_equal(xs_policy_set(fx.ps, id, XS_TRAP, p.bundle), 0);
	fx_expect_spec(fx.lan, XDP_REDIRECT, 0, FROM_A_TO_B, .protocol = 17);
	memcpy(&meta, fx_out, sizeof(meta));
	assert_int_equal(meta.kind, XS_META_HOLD);
	assert_int_equal(meta.bundle, 0);
	bpf_map_delete_elem(fx.maps.fd[XS_MAP_xsk], &key);
	fx_del(id);
	xs_bundle_free(fx.ps, p.bundle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_protected_goes_in),
	    cmocka_unit_test(ipsec_does_not),
	    cmocka_unit_test(out_of_it),
	    cmocka_unit_test(held),
	};

	return cmocka_run_group_tests(tests, fx_setup, fx_teardown);
}
