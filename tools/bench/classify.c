// SPDX-License-Identifier: BSD-2-Clause
#include "common/wr.h"
#include "loader/loader.h"
#include "loader/probe.h"
#include "maps/maps.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * What classification of one packet costs in xdp_lan, by BPF_PROG_TEST_RUN: with few and with many
 * policies behind four masks, flow cache warm and cold. Configurations take turns; medians of the
 * rounds are shown.
 *
 * One flow, warm: the kernel repeats the run and divides. Many flows, warm or cold: a run each,
 * less what a run of a packet that is not IP takes, because the kernel's clock reading weighs as
 * much as the classifier.
 */
enum { ROUNDS = 7, REPEAT = 1000000, FLOWS = 4000, MASKS = 4, SOURCE = 0x0a000007 };

static const uint32_t sizes[] = {1, 1000, 100000};
enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

struct set {
	struct xdpsec_bpf *skel;
	struct xs_maps maps;
	struct xs_policies *ps;
	uint32_t n;
	double warm[ROUNDS], many[ROUNDS], cold[ROUNDS];
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "classify: %s: %s\n", what, why);
	exit(1);
}

static struct xs_addr mapped(uint32_t v4)
{
	struct xs_addr a = {.b = {[10] = 255,
				  255,
				  (uint8_t)(v4 >> 24),
				  (uint8_t)(v4 >> 16),
				  (uint8_t)(v4 >> 8),
				  (uint8_t)v4}};

	return a;
}

/* The i-th /24 from 20.0.0.0 on, or a part of it. */
static uint32_t target(uint32_t i)
{
	return 0x14000000 + (i << 8);
}

static struct xs_policy policy(uint32_t i, uint32_t bundle)
{
	static const uint8_t spare_bits[MASKS] = {8, 4, 0, 8};
	uint32_t kind = i % MASKS;
	struct xs_policy p = {
	    .src_lo = mapped(0x0a000000),
	    .src_hi = mapped(0x0affffff),
	    .dst_lo = mapped(target(i)),
	    .dst_hi = mapped(target(i) | ((1u << spare_bits[kind]) - 1)),
	    .sport_hi = 65535,
	    .dport_hi = 65535,
	    .priority = 100,
	    .bundle = bundle,
	    .protocol = kind == 3 ? 17 : 0,
	    .action = XS_PROTECT,
	    .family = 4,
	};

	return p;
}

static void fill(struct set *s)
{
	struct xs_policy *rows = calloc(s->n, sizeof(*rows));
	uint32_t bundle = xs_bundle_alloc(s->ps);
	int e;

	if (!rows)
		die("memory", strerror(ENOMEM));
	/* By the kernel's engine: the packet passes unchanged, and can be run again. */
	xs_bundle_set(&s->maps, bundle, XS_BUNDLE(1, 1, 0, XS_ENGINE_KERNEL));
	for (uint32_t i = 0; i < s->n; i++)
		rows[i] = policy(i, bundle);
	e = xs_policy_add_many(s->ps, rows, s->n, NULL);
	if (e)
		die("policies", strerror(-e));
	free(rows);
}

static void open_set(struct set *s, uint32_t n)
{
	static struct gateway_conf conf;
	struct loader_err err = {0};
	int fd[XS_MAPS];

	gateway_conf_defaults(&conf);
	conf.sa_slots = 64;
	s->n = n;
	if (object_open(&s->skel, conf.sa_slots, conf.policies, NULL, &err) ||
	    object_load(s->skel, &err) || object_fill(s->skel, &conf, &err))
		die("programs", err.text);
	object_map_fds(s->skel, fd);
	if (xs_maps_adopt(&s->maps, fd, err.text, sizeof(err.text)))
		die("maps", err.text);
	s->ps = xs_policies_open(&s->maps);
	if (!s->ps)
		die("policies", strerror(errno));
	fill(s);
}

/* UDP from 10.0.0.7 to the i-th target. */
static size_t frame(uint32_t i, uint8_t out[64])
{
	struct wr w = wr_of(out, 64);

	wr_zero(&w, 12);
	wr_u16(&w, 0x0800);
	wr_u16(&w, 0x4500);
	wr_u16(&w, 46);
	wr_u32(&w, 0);
	wr_u16(&w, 0x4011);
	wr_u16(&w, 0);
	wr_u32(&w, SOURCE);
	wr_u32(&w, target(i));
	wr_u16(&w, 1000);
	wr_u16(&w, (uint16_t)(2000 + i / 65536));
	wr_u32(&w, 26u << 16);
	wr_zero(&w, 18);
	return w.n;
}

static double run(struct set *s, const uint8_t *data, size_t n, uint32_t repeat)
{
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = data, .data_size_in = (uint32_t)n,
		    .repeat = (int)repeat);
	int e = bpf_prog_test_run_opts(object_program(s->skel, "xdp_lan"), &o);

	if (e)
		die("BPF_PROG_TEST_RUN", strerror(-e));
	if (o.retval != XDP_PASS)
		die("BPF_PROG_TEST_RUN", "the packet did not pass");
	return o.duration;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), ascending);
	return v[n / 2];
}

/* Median of a run each over many flows, spread over all policies. */
static double each_flow(struct set *s)
{
	static double ns[FLOWS];
	uint8_t data[64];

	for (uint32_t i = 0; i < FLOWS; i++) {
		uint32_t policy_at = (uint32_t)((uint64_t)i * 2654435761u % s->n);
		size_t n = frame(policy_at, data);

		/* One policy has one target: then flows differ in their port. */
		data[34] = (uint8_t)(i >> 8);
		data[35] = (uint8_t)i;
		ns[i] = run(s, data, n, 1);
	}
	return median(ns, FLOWS);
}

static double clock_cost(struct set *s)
{
	static double ns[FLOWS];
	uint8_t data[64] = {[12] = 8, [13] = 6};
	double repeated = run(s, data, sizeof(data), REPEAT);

	for (uint32_t i = 0; i < FLOWS; i++)
		ns[i] = run(s, data, sizeof(data), 1);
	return median(ns, FLOWS) - repeated;
}

static void round_of(struct set *s, int round)
{
	uint8_t data[64];
	size_t n = frame(s->n / 2, data);
	double base;

	run(s, data, n, 1000);
	s->warm[round] = run(s, data, n, REPEAT);
	base = clock_cost(s);
	xs_policies_refresh(s->ps);
	s->cold[round] = each_flow(s) - base;
	s->many[round] = each_flow(s) - base;
}

/* What it costs to ask the routes for each packet of the kernel engine, in a namespace that has one. */
static double route_cost(struct set *s)
{
	static const char setup[] =
	    "ip link set lo up && ip link set out up && ip link set far up && "
	    "ip addr add 192.0.2.1/24 dev out && ip route add default via 192.0.2.2 && "
	    "ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev out && "
	    "echo 1 >/proc/sys/net/ipv4/ip_forward";
	struct xs_port out = {.role = XS_ROLE_WAN, .queues = 1, .ifname = "out"};
	double without[ROUNDS], with[ROUNDS];
	uint8_t data[64];
	size_t n = frame(s->n / 2, data);

	if (unshare(CLONE_NEWNET) || probe_make_veth("out", "far") || system(setup) ||
	    xs_port_put(&s->maps, if_nametoindex("out"), &out))
		die("namespace", strerror(errno));
	for (int i = 0; i < ROUNDS; i++) {
		s->maps.ctl->xfrm_dev = 0;
		without[i] = run(s, data, n, REPEAT);
		s->maps.ctl->xfrm_dev = 1;
		with[i] = run(s, data, n, REPEAT);
	}
	return median(with, ROUNDS) - median(without, ROUNDS);
}

static void print(struct set *sets, bool json, double growth)
{
	if (json)
		printf("{\"classify\":[");
	else
		printf("%9s %20s %20s %20s\n", "policies", "warm, one flow", "warm, 4000 flows",
		       "cold");
	for (int i = 0; i < SIZES; i++) {
		struct set *s = &sets[i];
		double warm = median(s->warm, ROUNDS), many = median(s->many, ROUNDS),
		       cold = median(s->cold, ROUNDS);

		if (json)
			printf("%s{\"policies\":%u,\"warm_ns\":%.1f,\"warm_many_ns\":%.1f,"
			       "\"cold_ns\":%.1f}",
			       i ? "," : "", s->n, warm, many, cold);
		else
			printf("%9u %17.0f ns %17.0f ns %17.0f ns\n", s->n, warm, many, cold);
	}
	if (json)
		printf("],\"warm_growth_percent\":%.1f,\"route_ns\":%.1f}\n", growth,
		       route_cost(&sets[0]));
	else
		printf("warm, one flow: %+.1f %% from %u to %u policies (goal: below 15 %%)\n",
		       growth, sizes[0], sizes[SIZES - 1]);
	if (!json)
		printf("the route of a packet of the kernel engine: %.0f ns more\n",
		       route_cost(&sets[0]));
}

int main(int argc, char **argv)
{
	static struct set sets[SIZES];
	bool json = argc > 1 && !strcmp(argv[1], "--json");
	double first, last;

	if (argc > 1 + json) {
		fprintf(stderr, "usage: classify [--json]\n");
		return 2;
	}
	object_log_init(false);
	for (int i = 0; i < SIZES; i++)
		open_set(&sets[i], sizes[i]);
	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < SIZES; i++)
			round_of(&sets[i], round);
	first = median(sets[0].warm, ROUNDS);
	last = median(sets[SIZES - 1].warm, ROUNDS);
	print(sets, json, 100 * (last - first) / first);
	for (int i = 0; i < SIZES; i++) {
		xs_policies_free(sets[i].ps);
		xs_maps_close(&sets[i].maps);
		object_close(sets[i].skel);
	}
	return 0;
}
