// SPDX-License-Identifier: BSD-2-Clause
#include "fixture.h"

#include "common/rd.h"

#include <net/if.h>

#define NET_A	    "10.1.0.0-10.1.0.255"
#define NET_B	    "10.2.0.0-10.2.0.255"
#define FROM_A_TO_B .src = "10.1.0.7", .dst = "10.2.0.9"
#define FROM_A6	    .src = "2001:db8:1::7", .dst = "2001:db8:2::9"
#define A6	    "2001:db8:1::-2001:db8:1::ffff"
#define B6	    "2001:db8:2::-2001:db8:2::ffff"

/* Where packets leave: fxa, which is not managed, or a port like any. */
enum { OUT_PORT = 4, OTHER_PORT = 5, SLOT = 5, MTU = 1500 };
enum { OWN = 0, NEXT = (int)TC_ACT_UNSPEC, SHOT = TC_ACT_SHOT };

static void out_is(uint32_t index, uint32_t role)
{
	struct xs_port port = {.index = index, .role = role, .queues = 1, .ifname = "fxa"};
	uint32_t fxa = if_nametoindex("fxa");

	if (role)
		assert_int_equal(xs_port_put(&fx.maps, fxa, &port), 0);
	else
		xs_port_del(&fx.maps, fxa);
}

static uint32_t engine_is(uint32_t b, enum xs_engine engine, uint32_t port)
{
	if (!b)
		b = xs_bundle_alloc(fx.ps);
	xs_bundle_set(&fx.maps, b, XS_BUNDLE(SLOT, 1, port, engine));
	return b;
}

static void the_kernel_is_reached_by_guarded_ports(void **state)
{
	struct xs_policy p = fx_policy(NET_A, NET_B, XS_PROTECT, 10);
	struct xs_policy p6 = fx_policy(A6, B6, XS_PROTECT, 10);
	uint32_t id, id6;

	(void)state;
	fx_need_root();
	p.bundle = p6.bundle = engine_is(0, XS_ENGINE_KERNEL, 0);
	id = fx_add(&p);
	id6 = fx_add(&p6);
	/* without XFRM interface the kernel's policies take it wherever it leaves */
	fx_expect_spec(fx.lan, XDP_PASS, 0, FROM_A_TO_B, .protocol = 17);
	fx.maps.ctl->xfrm_dev = 77;
	for (uint32_t role = 0; role <= XS_ROLE_RAMP; role++) {
		int verdict = role == XS_ROLE_WAN ? XDP_PASS : XDP_DROP;
		enum xs_drop why = role == XS_ROLE_WAN ? XS_DROP_none : XS_DROP_wrong_port;

		out_is(OUT_PORT, role);
		fx_expect_spec(fx.lan, verdict, why, FROM_A_TO_B, .protocol = 17);
		fx_expect_spec(fx.lan, verdict, why, FROM_A_TO_B, .protocol = 6, .sport = 1, .dport = 2);
		fx_expect_spec(fx.lan, verdict, why, FROM_A_TO_B, .protocol = 17, .frag = 9);
		fx_expect_spec(fx.lan, verdict, why, FROM_A6, .protocol = 17);
	}
	/* the route is asked for each packet */
	out_is(OUT_PORT, XS_ROLE_WAN);
	fx_sh("ip route add 10.2.0.0/24 dev lo");
	fx_expect_spec(fx.lan, XDP_PASS, 0, FROM_A_TO_B, .protocol = 17); /* lo is a WAN port here */
	fx_sh("ip route replace unreachable 10.2.0.0/24");
	fx_expect_spec(fx.lan, XDP_PASS, 0, FROM_A_TO_B, .protocol = 17); /* the stack says so */
	fx_sh("ip route del unreachable 10.2.0.0/24");
	fx.maps.ctl->xfrm_dev = 0;
	out_is(OUT_PORT, 0);
	fx_del(id);
	fx_del(id6);
	xs_bundle_free(fx.ps, p.bundle);
}

static void neighbours(const char *mac)
{
	char cmd[256];

	snprintf(cmd, sizeof(cmd),
		 "ip neigh replace 192.0.2.2 lladdr %s dev fxa && "
		 "ip -6 neigh replace 2001:db8:ff::2 lladdr %s dev fxa",
		 mac, mac);
	fx_sh(cmd);
}

static uint32_t sum_of(struct rd ip, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i += 2)
		sum += rd_u16(&ip);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* What came out has this destination, the sum of before, and one hop less. */
static void forwarded(const uint8_t *frame, size_t n, bool v6, uint8_t mac_end)
{
	struct rd in = rd_of(slice_of(frame + 14, n - 14)), out = rd_of(slice_of(fx_out + 14, n - 14));
	size_t hops_at = v6 ? 7 : 8;

	assert_int_equal(fx_out_len, n);
	assert_int_equal(fx_out[5], mac_end);
	assert_int_equal(fx_out[14 + hops_at], frame[14 + hops_at] - 1);
	if (!v6)
		assert_int_equal(sum_of(in, 20), sum_of(out, 20));
	assert_memory_equal(fx_out + 14 + 20, frame + 14 + 20, n - 34);
}

static void crosses(const struct spec *s, uint8_t mac_end)
{
	uint8_t frame[FX_FRAME_MAX];
	size_t n = fx_build(s, frame);
	struct xs_count before, after;

	assert_int_equal(xs_sa_tx_get(&fx.maps, SLOT, &before), 0);
	fx_expect(fx.lan, frame, n, XDP_REDIRECT, 0);
	forwarded(frame, n, strchr(s->src, ':'), mac_end);
	assert_int_equal(xs_sa_tx_get(&fx.maps, SLOT, &after), 0);
	assert_int_equal(after.packets - before.packets, 1);
	assert_int_equal(after.bytes - before.bytes, n - 14);
}

static struct xs_next_hop hop_to(const char *dst)
{
	struct xs_addr key = fx_addr(dst);
	struct xs_next_hop hop = {0};

	assert_int_equal(bpf_map_lookup_elem(fx.maps.fd[XS_MAP_next_hop], &key, &hop), 0);
	return hop;
}

static void an_offloaded_pair_takes_the_shortcut(void **state)
{
	struct xs_policy p = fx_policy(NET_A, NET_B, XS_PROTECT, 10);
	struct xs_policy p6 = fx_policy(A6, B6, XS_PROTECT, 10);
	struct spec v4 = {FROM_A_TO_B, .protocol = 17, .sport = 1, .dport = 2};
	struct spec v6 = {FROM_A6, .protocol = 6, .sport = 1, .dport = 2};
	uint32_t id, id6;

	(void)state;
	fx_need_root();
	p.bundle = p6.bundle = engine_is(0, XS_ENGINE_OFFLOAD, OUT_PORT);
	id = fx_add(&p);
	id6 = fx_add(&p6);
	out_is(OUT_PORT, XS_ROLE_WAN);
	/* nobody knows the neighbour: the stack will */
	fx_sh("ip neigh flush dev fxa; ip -6 neigh flush dev fxa");
	fx_expect_spec(fx.lan, XDP_PASS, 0, FROM_A_TO_B, .protocol = 17);
	fx_expect_spec(fx.lan, XDP_PASS, 0, FROM_A6, .protocol = 17);
	neighbours("02:00:00:00:00:22");
	crosses(&v4, 0x22);
	crosses(&v6, 0x22);
	crosses(&v4, 0x22); /* as cached */
	assert_int_equal(hop_to("10.2.0.9").mac[5], 0x22);
	assert_int_equal(hop_to("10.2.0.9").mtu, MTU);
	assert_int_equal(hop_to("2001:db8:2::9").ifindex, if_nametoindex("fxa"));
	/* a change is followed within the time that a row is used, and at once with an epoch */
	neighbours("02:00:00:00:00:23");
	assert_int_equal(xs_policies_refresh(fx.ps), 0);
	crosses(&v4, 0x23);
	neighbours("02:00:00:00:00:24");
	usleep(120000);
	crosses(&v4, 0x24);
	crosses(&v6, 0x24);
	/* fragments go the same way; what a router has to answer or to read does not */
	v4.frag = 0x2000;
	crosses(&v4, 0x24);
	fx_expect_spec(fx.lan, XDP_PASS, 0, FROM_A_TO_B, .protocol = 17, .options = 1);
	fx_expect_spec(fx.lan, XDP_PASS, 0, FROM_A_TO_B, .protocol = 17, .vlans = 1);
	fx_expect_spec(fx.lan, XDP_PASS, 0, FROM_A6, .protocol = 17, .ext = {0}, .n_ext = 1);
	fx_expect_spec(fx.lan, XDP_PASS, 0, FROM_A6, .protocol = 17, .hops = 1);
	/* another port than the card's, or none */
	out_is(OTHER_PORT, XS_ROLE_WAN);
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_wrong_port, FROM_A_TO_B, .protocol = 17);
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_wrong_port, FROM_A6, .protocol = 17, .hops = 1);
	out_is(OUT_PORT, 0);
	fx_expect_spec(fx.lan, XDP_DROP, XS_DROP_wrong_port, FROM_A_TO_B, .protocol = 17);
	fx_del(id);
	fx_del(id6);
	xs_bundle_free(fx.ps, p.bundle);
}

static void the_last_hop_and_the_path_count(void **state)
{
	static const uint8_t body[1600 - 34];
	struct xs_policy p = fx_policy(NET_A, NET_B, XS_PROTECT, 10);
	uint8_t frame[FX_FRAME_MAX];
	uint32_t id;
	size_t n;

	(void)state;
	fx_need_root();
	p.bundle = engine_is(0, XS_ENGINE_OFFLOAD, OUT_PORT);
	id = fx_add(&p);
	out_is(OUT_PORT, XS_ROLE_WAN);
	neighbours("02:00:00:00:00:22");
	n = fx_build(&(struct spec){FROM_A_TO_B, .protocol = 17}, frame);
	fx_expect(fx.lan, frame, n, XDP_REDIRECT, 0);
	for (uint8_t ttl = 0; ttl < 2; ttl++) {
		frame[22] = ttl;
		fx_expect(fx.lan, frame, n, XDP_PASS, 0);
	}
	/* too large for the next link, though smaller ones are cached */
	n = fx_build(&(struct spec){FROM_A_TO_B, .protocol = 17, .body = body, .body_len = sizeof(body)},
		     frame);
	fx_expect(fx.lan, frame, n, XDP_PASS, 0);
	out_is(OTHER_PORT, XS_ROLE_WAN);
	fx_expect(fx.lan, frame, n, XDP_DROP, XS_DROP_wrong_port);
	out_is(OUT_PORT, 0);
	fx_del(id);
	xs_bundle_free(fx.ps, p.bundle);
}

/* What the card opened, and what it shall encrypt: by its port only. */
static void in_the_clear_by_the_cards_port_only(void **state)
{
	struct xs_policy p = fx_policy(NET_A, NET_B, XS_PROTECT, 10);
	uint32_t id;

	(void)state;
	fx_need_root();
	p.bundle = engine_is(0, XS_ENGINE_OFFLOAD, FX_PORT);
	id = fx_add(&p);
	fx_expect_spec(fx.wan, XDP_PASS, 0, .src = "10.2.0.9", .dst = "10.1.0.7", .protocol = 17);
	fx_expect_tc(OWN, NEXT, 0, FROM_A_TO_B, .protocol = 17);
	engine_is(p.bundle, XS_ENGINE_OFFLOAD, OTHER_PORT);
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_plain_in, .src = "10.2.0.9", .dst = "10.1.0.7",
		       .protocol = 17);
	fx_expect_tc(OWN, SHOT, XS_DROP_leak, FROM_A_TO_B, .protocol = 17);
	engine_is(p.bundle, XS_ENGINE_KERNEL, FX_PORT);
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_plain_in, .src = "10.2.0.9", .dst = "10.1.0.7",
		       .protocol = 17);
	/* a trap has no card */
	engine_is(p.bundle, XS_ENGINE_OFFLOAD, FX_PORT);
	assert_int_equal(xs_policy_set(fx.ps, id, XS_TRAP, p.bundle), 0);
	fx_expect_spec(fx.wan, XDP_DROP, XS_DROP_plain_in, .src = "10.2.0.9", .dst = "10.1.0.7",
		       .protocol = 17);
	fx_expect_tc(OWN, SHOT, XS_DROP_no_sa, FROM_A_TO_B, .protocol = 17);
	fx_del(id);
	xs_bundle_free(fx.ps, p.bundle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_kernel_is_reached_by_guarded_ports),
	    cmocka_unit_test(an_offloaded_pair_takes_the_shortcut),
	    cmocka_unit_test(the_last_hop_and_the_path_count),
	    cmocka_unit_test(in_the_clear_by_the_cards_port_only),
	};

	return cmocka_run_group_tests_name("ways", tests, fx_setup, fx_teardown);
}
