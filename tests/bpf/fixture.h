/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "common/addr.h"
#include "common/wr.h"
#include "loader/loader.h"
#include "loader/probe.h"
#include "maps/maps.h"

#include "bpf/xdpsec.skel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/if_xdp.h>
#include <linux/pkt_cls.h>

/*
 * The programs on unpinned maps, in a network namespace of their own, run by BPF_PROG_TEST_RUN:
 * packets come in on lo, which is port 3. This host is 10.1.0.1, 192.0.2.1, 2001:db8:1::1 and
 * 2001:db8:ff::1; everything else is forwarded over a veth pair.
 */
enum {
	FX_SLOTS = 64,
	FX_POLICIES = 1024,
	FX_PORT = 3,
	FX_LO = 1,
	FX_FRAME_MAX = 2048,
	FX_PROGRAM_MAX = 4096
};

static const uint8_t fx_own_mac[6] = {2, 0, 0, 0, 0, 1};

struct fx {
	struct xdpsec_bpf *skel;
	struct xs_maps maps;
	struct xs_policies *ps;
	struct xs_events *events;
	struct xs_event last;
	unsigned int n_events;
	int xsk;
	int lan, wan, tc;
	uint64_t drop[XS_DROP_MAX];
};

static struct fx fx;

/* A packet to be built. Zero: IPv4, own MAC, no VLAN, whole. */
struct spec {
	const char *src, *dst; /* with a colon: IPv6 */
	uint16_t sport, dport;
	const void *body;
	size_t body_len;
	uint16_t frag; /* the fragment field: offset in units of 8, flags as in the family */
	uint8_t protocol;
	uint8_t vlans;
	uint8_t options; /* IPv4: words of options */
	uint8_t mac[6];	 /* destination, when mac_given */
	uint8_t mac_given;
	uint8_t ext[12]; /* IPv6 extension headers before L4, ended by 255 */
	uint8_t n_ext;
	uint8_t hops; /* IPv6; 0: 64 */
};

static inline void fx_event(void *ctx, const struct xs_event *ev)
{
	struct fx *f = ctx;

	f->last = *ev;
	f->n_events++;
}

static inline void fx_sh(const char *cmd)
{
	if (system(cmd))
		fail_msg("%s", cmd);
}

static inline int fx_setup(void **state)
{
	static struct gateway_conf conf;
	struct xs_port port = {.index = FX_PORT, .role = XS_ROLE_WAN, .queues = 1, .ifname = "lo"};
	struct loader_err err = {0};
	int fd[XS_MAPS], ring = 64;

	(void)state;
	if (geteuid())
		return 0;
	memset(&fx, 0, sizeof(fx));
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(probe_make_veth("fxa", "fxb"), 0);
	fx_sh("ip link set lo up && ip link set fxa up && ip link set fxb up && "
	      "ip addr add 192.0.2.1/24 dev fxa && ip addr add 10.1.0.1/32 dev lo && "
	      "ip addr add 2001:db8:ff::1/64 dev fxa nodad && ip addr add 2001:db8:1::1/128 dev lo "
	      "nodad && "
	      "ip route add default via 192.0.2.2 && ip -6 route add default via 2001:db8:ff::2 && "
	      "echo 1 >/proc/sys/net/ipv4/ip_forward && echo 1 "
	      ">/proc/sys/net/ipv6/conf/all/forwarding");
	gateway_conf_defaults(&conf);
	conf.sa_slots = FX_SLOTS;
	conf.policies = FX_POLICIES;
	conf.ike.source_rate = 0;
	object_log_init(false);
	if (object_open(&fx.skel, FX_SLOTS, FX_POLICIES, NULL, &err))
		fail_msg("%s", err.text);
#ifdef FX_RAMP
	fx.skel->rodata->xs_ramp = FX_RAMP;
#endif
	if (object_load(fx.skel, &err) || object_fill(fx.skel, &conf, &err))
		fail_msg("%s", err.text);
	object_map_fds(fx.skel, fd);
	if (xs_maps_adopt(&fx.maps, fd, err.text, sizeof(err.text)))
		fail_msg("%s", err.text);
	fx.ps = xs_policies_open(&fx.maps);
	assert_non_null(fx.ps);
	fx.events = xs_events_open(&fx.maps, fx_event, &fx);
	assert_non_null(fx.events);
	memcpy(port.mac, fx_own_mac, sizeof(port.mac));
	assert_int_equal(xs_port_put(&fx.maps, FX_LO, &port), 0);
	assert_true(xs_local_sync(&fx.maps) == 1);
	fx.xsk = socket(AF_XDP, SOCK_RAW, 0);
	assert_true(fx.xsk >= 0);
	/* Linux 7.2 takes no socket into the map that could not receive. */
	assert_int_equal(setsockopt(fx.xsk, SOL_XDP, XDP_RX_RING, &ring, sizeof(ring)), 0);
	fx.lan = bpf_program__fd(fx.skel->progs.xdp_lan);
	fx.wan = bpf_program__fd(fx.skel->progs.xdp_wan);
	fx.tc = bpf_program__fd(fx.skel->progs.tc_out);
	return 0;
}

static inline int fx_teardown(void **state)
{
	(void)state;
	if (geteuid())
		return 0;
	close(fx.xsk);
	xs_events_close(fx.events);
	xs_policies_free(fx.ps);
	xs_maps_close(&fx.maps);
	object_close(fx.skel);
	return 0;
}

#define fx_need_root()                                                                             \
	do {                                                                                       \
		if (geteuid()) {                                                                   \
			print_message("skipped: needs root\n");                                    \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

/* ---- packets ------------------------------------------------------------------------------ */

static inline struct xs_addr fx_addr(const char *s)
{
	struct ip_addr ip;
	struct xs_addr a;

	assert_int_equal(addr_parse(s, &ip), 0);
	addr_to_mapped(&ip, a.b);
	return a;
}

static inline void fx_eth(struct wr *w, const struct spec *s, uint16_t type)
{
	static const uint8_t from[6] = {2, 0, 0, 0, 0, 9};

	wr_bytes(w, s->mac_given ? s->mac : fx_own_mac, 6);
	wr_bytes(w, from, 6);
	for (int i = 0; i < s->vlans; i++) {
		wr_u16(w, i + 1 < s->vlans ? 0x88a8 : 0x8100);
		wr_u16(w, (uint16_t)(100 + i));
	}
	wr_u16(w, type);
}

static inline void fx_l4(struct wr *w, const struct spec *s)
{
	size_t at;

	if (s->protocol == 17) {
		wr_u16(w, s->sport);
		wr_u16(w, s->dport);
		at = wr_reserve(w, 2);
		wr_u16(w, 0);
		wr_bytes(w, s->body, s->body_len);
		wr_close(w, at, 2, at - 4);
		return;
	}
	if (s->protocol == 6) {
		wr_u16(w, s->sport);
		wr_u16(w, s->dport);
		wr_zero(w, 16);
	} else if (s->protocol == 1 || s->protocol == 58) {
		wr_u8(w, (uint8_t)s->sport);
		wr_u8(w, (uint8_t)s->dport);
		wr_zero(w, 6);
	}
	wr_bytes(w, s->body, s->body_len);
}

static inline void fx_ext(struct wr *w, const struct spec *s, unsigned int i)
{
	uint8_t next = i + 1 < s->n_ext ? s->ext[i + 1] : s->protocol;

	wr_u8(w, next);
	if (s->ext[i] == 44) {
		wr_u8(w, 0);
		wr_u16(w, s->frag);
		wr_u32(w, 7);
		return;
	}
	wr_u8(w, 1); /* 16 bytes */
	wr_zero(w, 14);
}

/* Gives the length. */
static inline size_t fx_build(const struct spec *s, uint8_t out[FX_FRAME_MAX])
{
	struct wr w = wr_of(out, FX_FRAME_MAX);
	bool v6 = strchr(s->src, ':');
	struct xs_addr src = fx_addr(s->src), dst = fx_addr(s->dst);
	size_t ip, at;

	fx_eth(&w, s, v6 ? 0x86dd : 0x0800);
	ip = w.n;
	if (v6) {
		wr_u32(&w, 6u << 28);
		at = wr_reserve(&w, 2);
		wr_u8(&w, s->n_ext ? s->ext[0] : s->protocol);
		wr_u8(&w, s->hops ? s->hops : 64);
		wr_bytes(&w, src.b, 16);
		wr_bytes(&w, dst.b, 16);
		for (unsigned int i = 0; i < s->n_ext; i++)
			fx_ext(&w, s, i);
		fx_l4(&w, s);
		wr_close(&w, at, 2, ip + 40);
	} else {
		wr_u8(&w, (uint8_t)(0x45 + s->options));
		wr_u8(&w, 0);
		at = wr_reserve(&w, 2);
		wr_u16(&w, 7);
		wr_u16(&w, s->frag);
		wr_u8(&w, 64);
		wr_u8(&w, s->protocol);
		wr_u16(&w, 0);
		wr_bytes(&w, &src.b[12], 4);
		wr_bytes(&w, &dst.b[12], 4);
		wr_zero(&w, 4u * s->options);
		fx_l4(&w, s);
		wr_close(&w, at, 2, ip);
	}
	assert_true(wr_ok(&w));
	return w.n;
}

/* ---- running ------------------------------------------------------------------------------ */

static uint8_t fx_out[FX_FRAME_MAX];
static size_t fx_out_len;

static inline int fx_run(int prog, const uint8_t *frame, size_t n)
{
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame, .data_size_in = (uint32_t)n,
		    .data_out = fx_out, .data_size_out = sizeof(fx_out), .repeat = 1);
	int err = bpf_prog_test_run_opts(prog, &o);

	if (err)
		fail_msg("BPF_PROG_TEST_RUN: %s", strerror(-err));
	fx_out_len = o.data_size_out;
	return (int)o.retval;
}

/* The same for tc_out, with the interface that the packet came in on; 0: it is this host's own. */
static inline int fx_run_tc(const uint8_t *frame, size_t n, uint32_t came_in)
{
	struct __sk_buff skb = {.ingress_ifindex = came_in};
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame, .data_size_in = (uint32_t)n,
		    .ctx_in = &skb, .ctx_size_in = sizeof(skb), .repeat = 1);
	int err = bpf_prog_test_run_opts(fx.tc, &o);

	if (err)
		fail_msg("BPF_PROG_TEST_RUN: %s", strerror(-err));
	return (int)o.retval;
}

static inline void fx_drops_note(void)
{
	for (unsigned int i = 0; i < XS_DROP_MAX; i++)
		assert_int_equal(xs_drop_get(&fx.maps, i, &fx.drop[i]), 0);
}

/* Since fx_drops_note: this reason once and no other; 0 = none. */
static inline void fx_drops_are(enum xs_drop reason)
{
	for (unsigned int i = 0; i < XS_DROP_MAX; i++) {
		uint64_t now;

		assert_int_equal(xs_drop_get(&fx.maps, i, &now), 0);
		if (now - fx.drop[i] != (i == reason && i))
			fail_msg("reason %u (%s) counted %llu times where %s was expected", i,
				 xs_drop_name(i), (unsigned long long)(now - fx.drop[i]),
				 xs_drop_name(reason));
	}
}

#define fx_expect(prog, frame, n, verdict, reason)                                                 \
	do {                                                                                       \
		fx_drops_note();                                                                   \
		assert_int_equal(fx_run(prog, frame, n), verdict);                                 \
		fx_drops_are(reason);                                                              \
	} while (0)

#define fx_expect_spec(prog, verdict, reason, ...)                                                 \
	do {                                                                                       \
		uint8_t frame_[FX_FRAME_MAX];                                                      \
		size_t n_ = fx_build(&(struct spec){__VA_ARGS__}, frame_);                         \
		fx_expect(prog, frame_, n_, verdict, reason);                                      \
	} while (0)

#define fx_expect_tc(came_in, verdict, reason, ...)                                                \
	do {                                                                                       \
		uint8_t frame_[FX_FRAME_MAX];                                                      \
		size_t n_ = fx_build(&(struct spec){__VA_ARGS__}, frame_);                         \
		fx_drops_note();                                                                   \
		assert_int_equal(fx_run_tc(frame_, n_, came_in), verdict);                         \
		fx_drops_are(reason);                                                              \
	} while (0)

static inline unsigned int fx_events(void)
{
	fx.n_events = 0;
	assert_true(xs_events_read(fx.events) >= 0);
	return fx.n_events;
}

/* ---- policies ------------------------------------------------------------------------------ */

/* Any protocol and port; "10.1.0.0-10.1.0.255" or "any4", "any6". */
static inline void fx_range(const char *s, struct xs_addr *lo, struct xs_addr *hi)
{
	char first[64], last[64];

	if (!strcmp(s, "any4"))
		s = "0.0.0.0-255.255.255.255";
	else if (!strcmp(s, "any6"))
		s = "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
	assert_int_equal(sscanf(s, "%63[^-]-%63s", first, last), 2);
	*lo = fx_addr(first);
	*hi = fx_addr(last);
}

static inline struct xs_policy fx_policy(const char *src, const char *dst, enum xs_action action,
					 uint32_t priority)
{
	struct xs_policy p = {
	    .sport_hi = 65535,
	    .dport_hi = 65535,
	    .priority = priority,
	    .action = (uint8_t)action,
	};

	fx_range(src, &p.src_lo, &p.src_hi);
	fx_range(dst, &p.dst_lo, &p.dst_hi);
	p.family = strchr(src, ':') || !strcmp(src, "any6") ? 6 : 4;
	return p;
}

static inline uint32_t fx_add(const struct xs_policy *p)
{
	uint32_t id = 0;

	assert_int_equal(xs_policy_add(fx.ps, p, &id), 0);
	assert_true(id != 0);
	return id;
}

static inline void fx_del(uint32_t id)
{
	assert_int_equal(xs_policy_del(fx.ps, id), 0);
}

/* A bundle whose word names this engine. */
static inline uint32_t fx_bundle(enum xs_engine engine)
{
	uint32_t b = xs_bundle_alloc(fx.ps);

	assert_true(b != 0);
	xs_bundle_set(&fx.maps, b, XS_BUNDLE(5, 0x1234567, 0, engine));
	return b;
}
