// SPDX-License-Identifier: BSD-2-Clause
#include "fixture.h"

#define NET_A	    "10.1.0.0-10.1.0.255"
#define NET_B	    "10.2.0.0-10.2.0.255"
#define HOST_A	    "10.1.0.7"
#define HOST_B	    "10.2.0.9"
#define FROM_A_TO_B .src = HOST_A, .dst = HOST_B

static void no_policy_passes(void **state)
{
	(void)state;
	fx_need_root();
	fx_expect_spec(fx.lan, XDP_PASS, 0, FROM_A_TO_B, .protocol = 17, .sport = 1, .dport = 2);
	fx_expect_spec(fx.lan, XDP_PASS, 0, .src = "2001:db8::1", .dst = "2001:db8::2",
		       .protocol = 6, .sport = 1, .dport = 2);
}

static void other_than_ip_passes(void **state)
{
	uint8_t arp[60] = {0};

	(void)state;
	fx_need_root();
	memcpy(arp, fx_own_mac, 6);
	arp[12] = 8;
	arp[13] = 6;
	fx_expect(fx.lan, arp, sizeof(arp), XDP_PASS, 0);
}

static void bypass_and_discard(void **state)
{
	struct xs_policy p = fx_policy(NET_A, NET_B, XS_DISCARD, 10);
	uint32_t id, bypass;

	(void)state;
	fx_need_root();
	id = fx_add(&p);
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_discard, FROM_A_TO_B, .protocol = 17);
	p.action = XS_BYPASS;
	p.priority = 5;
	bypass = fx_add(&p);
	fx_expect_spec(fx.lan, XDP_PASS, 0, FROM_A_TO_B, .protocol = 17);
	fx_del(bypass);
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_discard, FROM_A_TO_B, .protocol = 17);
	fx_del(id);
	fx_expect_spec(fx.lan, XDP_PASS, 0, FROM_A_TO_B, .protocol = 17);
}

static void other_macs_pass(void **state)
{
	struct xs_policy p = fx_policy(NET_A, NET_B, XS_DISCARD, 10);
	uint32_t id;

	(void)state;
	fx_need_root();
	id = fx_add(&p);
	fx_expect_spec(fx.lan, XDP_PASS, 0, FROM_A_TO_B, .protocol = 17, .mac_given = 1,
		       .mac = {2, 0, 0, 0, 0, 2});
	fx_expect_spec(fx.lan, XDP_PASS, 0, FROM_A_TO_B, .protocol = 17, .mac_given = 1,
		       .mac = {255, 255, 255, 255, 255, 255});
	fx_del(id);
}

static void trap_acquires_once_a_second(void **state)
{
	struct xs_policy p = fx_policy(NET_A, NET_B, XS_TRAP, 10);
	struct xs_addr to = {.b = {[10] = 255, 255, 10, 2, 0, 9}};
	uint32_t id;

	(void)state;
	fx_need_root();
	id = fx_add(&p);
	fx_events();
	for (int i = 0; i < 3; i++)
		fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_no_sa, FROM_A_TO_B, .protocol = 17,
			       .sport = (uint16_t)(1000 + i), .dport = 53);
	assert_int_equal(fx_events(), 1);
	assert_int_equal(fx.last.kind, XS_EV_ACQUIRE);
	assert_int_equal(fx.last.policy, id);
	assert_int_equal(fx.last.ifindex, FX_LO);
	assert_int_equal(fx.last.tuple.sport, 1000);
	assert_int_equal(fx.last.tuple.dport, 53);
	assert_int_equal(fx.last.tuple.protocol, 17);
	assert_memory_equal(&fx.last.tuple.dst, &to, sizeof(to));
	fx_del(id);
}

static void protect_without_sa_acquires(void **state)
{
	struct xs_policy p = fx_policy(NET_A, NET_B, XS_PROTECT, 10);
	uint32_t id;

	(void)state;
	fx_need_root();
	p.bundle = xs_bundle_alloc(fx.ps);
	id = fx_add(&p);
	fx_events();
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_no_sa, FROM_A_TO_B, .protocol = 17);
	assert_int_equal(fx_events(), 1);
	fx_del(id);
	xs_bundle_free(fx.ps, p.bundle);
}

static void protect_by_the_kernel_passes(void **state)
{
	struct xs_policy p = fx_policy(NET_A, NET_B, XS_PROTECT, 10);
	uint32_t id;

	(void)state;
	fx_need_root();
	p.bundle = fx_bundle(XS_ENGINE_KERNEL);
	id = fx_add(&p);
	fx_expect_spec(fx.lan, XDP_PASS, 0, FROM_A_TO_B, .protocol = 17);
	fx_del(id);
	xs_bundle_free(fx.ps, p.bundle);
}

static void expect_meta(uint32_t policy, uint32_t bundle, uint16_t l3, size_t n)
{
	struct xs_meta meta;

	assert_int_equal(fx_out_len, n + sizeof(meta));
	memcpy(&meta, fx_out, sizeof(meta));
	assert_int_equal(meta.magic, XS_META_MAGIC);
	assert_int_equal(meta.kind, XS_META_OUT);
	assert_int_equal(meta.slot, 5);
	assert_int_equal(meta.bundle, bundle);
	assert_int_equal(meta.generation, 0x234567); /* 24 bits of it */
	assert_int_equal(meta.policy, policy);
	assert_int_equal(meta.port, FX_PORT);
	assert_int_equal(meta.l3, l3);
}

static void protect_by_the_dataplane(void **state)
{
	struct xs_policy p = fx_policy(NET_A, NET_B, XS_PROTECT, 10);
	struct xs_count c;
	uint8_t frame[FX_FRAME_MAX];
	uint32_t id;

	(void)state;
	fx_need_root();
	p.bundle = fx_bundle(XS_ENGINE_DATAPLANE);
	id = fx_add(&p);
	/* nobody there: dropped, not passed on in clear */
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_no_engine, FROM_A_TO_B, .protocol = 17);
	assert_int_equal(xs_xsk_put(&fx.maps, FX_PORT, 0, fx.xsk), 0);
	for (uint8_t vlans = 0; vlans <= 2; vlans++) {
		size_t n = fx_build(&(struct spec){FROM_A_TO_B, .protocol = 17, .vlans = vlans,
						   .body = "abcdefgh", .body_len = 8},
				    frame);

		fx_expect(fx.lan, frame, n, XDP_REDIRECT, 0);
		expect_meta(id, p.bundle, (uint16_t)(14 + 4 * vlans), n);
		assert_memory_equal(fx_out + sizeof(struct xs_meta), frame, n);
	}
	assert_int_equal(xs_policy_stat_get(&fx.maps, id, &c), 0);
	assert_int_equal(c.packets, 4);
	assert_int_equal(c.bytes, 28 + 3 * 36);
	xs_bundle_set(&fx.maps, p.bundle, XS_BUNDLE(5, 1, 0, 7)); /* no engine has this number */
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_no_engine, FROM_A_TO_B, .protocol = 17);
	fx_del(id);
	xs_bundle_free(fx.ps, p.bundle);
	bpf_map_delete_elem(fx.maps.fd[XS_MAP_xsk], &(uint32_t){FX_PORT * XS_QUEUES_MAX});
}

static void unknown_port_fails_closed(void **state)
{
	struct xs_policy p = fx_policy(NET_A, NET_B, XS_PROTECT, 10);
	struct xs_port port;
	uint32_t id;

	(void)state;
	fx_need_root();
	p.bundle = fx_bundle(XS_ENGINE_DATAPLANE);
	id = fx_add(&p);
	assert_int_equal(xs_port_get(&fx.maps, FX_LO, &port), 0);
	assert_int_equal(xs_port_del(&fx.maps, FX_LO), 0);
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_no_engine, FROM_A_TO_B, .protocol = 17);
	assert_int_equal(xs_port_put(&fx.maps, FX_LO, &port), 0);
	fx_del(id);
	xs_bundle_free(fx.ps, p.bundle);
}

/* A policy as wide as this must not take what is for the gateway itself: ssh, DNS, neighbours. */
static void for_this_host_passes(void **state)
{
	struct xs_policy p = fx_policy("any4", "any4", XS_DISCARD, 10);
	struct xs_policy p6 = fx_policy("any6", "any6", XS_DISCARD, 10);
	uint32_t id, id6;

	(void)state;
	fx_need_root();
	id = fx_add(&p);
	id6 = fx_add(&p6);
	for (int i = 0; i < 2; i++) { /* the second time from the flow cache */
		fx_expect_spec(fx.lan, XDP_PASS, 0, .src = HOST_A, .dst = "10.1.0.1", .protocol = 6,
			       .sport = 4000, .dport = 22);
		fx_expect_spec(fx.lan, XDP_PASS, 0, .src = "2001:db8:1::7", .dst = "2001:db8:1::1",
			       .protocol = 6, .sport = 4000, .dport = 22);
		fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_discard, FROM_A_TO_B, .protocol = 6,
			       .sport = 4000, .dport = 22);
		fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_discard, .src = "2001:db8:1::7",
			       .dst = "2001:db8:2::1", .protocol = 6, .sport = 4000, .dport = 22);
	}
	/* neighbour discovery passes to whatever address */
	for (uint16_t type = 133; type <= 137; type++)
		fx_expect_spec(fx.lan, XDP_PASS, 0, .src = "fe80::7", .dst = "fe80::1",
			       .protocol = 58, .sport = type);
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_discard, .src = "2001:db8:1::7",
		       .dst = "2001:db8:2::1", .protocol = 58, .sport = 128);
	fx_del(id);
	fx_del(id6);
}

/* Without a route a packet is not for this host: the tunnel does not need one. */
static void no_route_is_not_local(void **state)
{
	struct xs_policy p = fx_policy("any4", "any4", XS_DISCARD, 10);
	uint32_t id;

	(void)state;
	fx_need_root();
	id = fx_add(&p);
	fx_sh("ip route del default");
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_discard, FROM_A_TO_B, .protocol = 17);
	fx_sh("ip route add default via 192.0.2.2");
	fx_del(id);
}

static void addresses_come_and_go(void **state)
{
	struct xs_policy p = fx_policy("any4", "any4", XS_DISCARD, 10);
	uint32_t id;

	(void)state;
	fx_need_root();
	id = fx_add(&p);
	assert_int_equal(xs_local_sync(&fx.maps), 0);
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_discard, .src = HOST_A, .dst = "10.1.0.99",
		       .protocol = 17);
	fx_sh("ip addr add 10.1.0.99/32 dev lo");
	assert_int_equal(xs_local_sync(&fx.maps), 1);
	assert_int_equal(xs_policies_refresh(fx.ps), 0);
	fx_expect_spec(fx.lan, XDP_PASS, 0, .src = HOST_A, .dst = "10.1.0.99", .protocol = 17);
	fx_sh("ip addr del 10.1.0.99/32 dev lo");
	assert_int_equal(xs_local_sync(&fx.maps), 1);
	assert_int_equal(xs_policies_refresh(fx.ps), 0);
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_discard, .src = HOST_A, .dst = "10.1.0.99",
		       .protocol = 17);
	fx_del(id);
}

static void fragments(void **state)
{
	struct xs_policy p = fx_policy(NET_A, NET_B, XS_DISCARD, 10);
	struct xs_policy any = fx_policy(NET_A, NET_B, XS_BYPASS, 20);
	uint32_t id, id_any;

	(void)state;
	fx_need_root();
	p.protocol = 17;
	p.dport_lo = p.dport_hi = 53;
	id = fx_add(&p);
	id_any = fx_add(&any);
	/* first fragment: it has ports */
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_discard, FROM_A_TO_B, .protocol = 17, .dport = 53,
		       .frag = 0x2000);
	fx_expect_spec(fx.lan, XDP_PASS, 0, FROM_A_TO_B, .protocol = 17, .dport = 54,
		       .frag = 0x2000);
	/* later ones may belong to either: the better policy does not let them pass */
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_drop_fragments, FROM_A_TO_B, .protocol = 17,
		       .dport = 54, .frag = 0x2001);
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_drop_fragments, FROM_A_TO_B, .protocol = 17,
		       .frag = 1);
	/* of another protocol they cannot */
	fx_expect_spec(fx.lan, XDP_PASS, 0, FROM_A_TO_B, .protocol = 6, .frag = 1);
	/* when the wide policy is the better one, it decides */
	fx_del(id_any);
	any.priority = 5;
	id_any = fx_add(&any);
	fx_expect_spec(fx.lan, XDP_PASS, 0, FROM_A_TO_B, .protocol = 17, .frag = 1);
	fx_del(id);
	fx_del(id_any);
}

static void opaque_takes_later_fragments_only(void **state)
{
	struct xs_policy p = fx_policy(NET_A, NET_B, XS_DISCARD, 10);
	uint32_t id;

	(void)state;
	fx_need_root();
	p.sport_lo = p.dport_lo = 65535;
	p.sport_hi = p.dport_hi = 0;
	id = fx_add(&p);
	fx_expect_spec(fx.lan, XDP_PASS, 0, FROM_A_TO_B, .protocol = 17, .sport = 5, .dport = 5);
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_discard, FROM_A_TO_B, .protocol = 17, .frag = 9);
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_discard, FROM_A_TO_B, .protocol = 1, .frag = 9);
	fx_del(id);
}

static void icmp_type_and_code_are_ports(void **state)
{
	struct xs_policy p = fx_policy(NET_A, NET_B, XS_DISCARD, 10);
	uint32_t id;

	(void)state;
	fx_need_root();
	p.protocol = 1;
	p.sport_lo = p.sport_hi = 3;
	p.dport_lo = 1;
	p.dport_hi = 4;
	id = fx_add(&p);
	fx_expect_spec(fx.lan, XDP_PASS, 0, FROM_A_TO_B, .protocol = 1, .sport = 8, .dport = 0);
	fx_expect_spec(fx.lan, XDP_PASS, 0, FROM_A_TO_B, .protocol = 1, .sport = 3, .dport = 0);
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_discard, FROM_A_TO_B, .protocol = 1, .sport = 3,
		       .dport = 4);
	fx_del(id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_policy_passes),
	    cmocka_unit_test(other_than_ip_passes),
	    cmocka_unit_test(bypass_and_discard),
	    cmocka_unit_test(other_macs_pass),
	    cmocka_unit_test(trap_acquires_once_a_second),
	    cmocka_unit_test(protect_without_sa_acquires),
	    cmocka_unit_test(protect_by_the_kernel_passes),
	    cmocka_unit_test(protect_by_the_dataplane),
	    cmocka_unit_test(unknown_port_fails_closed),
	    cmocka_unit_test(for_this_host_passes),
	    cmocka_unit_test(no_route_is_not_local),
	    cmocka_unit_test(addresses_come_and_go),
	    cmocka_unit_test(fragments),
	    cmocka_unit_test(opaque_takes_later_fragments_only),
	    cmocka_unit_test(icmp_type_and_code_are_ports),
	};

	return cmocka_run_group_tests(tests, fx_setup, fx_teardown);
}
