/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/addr.h"
#include "dataplane/ip.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/*
 * How many packets a second one worker encrypts. A generator in the kernel (BPF_PROG_RUN with live frames) sends UDP
 * out of the host's end of the LAN veth, and an XDP program at the far end of the WAN veth counts and drops
 * what comes out, so that neither end costs the worker more than a real link would.
 *
 *   esp_pps --gen-netns /run/netns/ha --gen-if eth0 --mac 02:..:01 --src 10.1.0.2 --dst 10.2.0.2
 *           --sink-netns /run/netns/wan --sink-if toa [--size 64] [--seconds 5] [--cpu N]
 *
 * Prints one JSON line: what was offered and what came out a second, by the sink's count. The size is that of
 * the LAN frame without its checksum. Generator and worker want a processor each.
 */
/* A run sets up and tears down a page pool, which costs a millisecond: the slices are long. */
enum { BATCH = 64, SLICE = 1 << 18, FRAME_MAX = 3400, WARM_MS = 300 };

struct options {
	const char *gen_netns, *gen_if, *sink_netns, *sink_if;
	uint8_t mac[6], src[4], dst[4];
	uint32_t size, seconds;
	int cpu;
};

static void die(const char *what, int error)
{
	fprintf(stderr, "esp_pps: %s: %s\n", what, strerror(error < 0 ? -error : error));
	exit(1);
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ---- options -------------------------------------------------------------------------------- */

static void take_ip(const char *text, uint8_t out[4])
{
	struct ip_addr a;

	if (addr_parse(text, &a) < 0 || a.family != 4)
		die(text, EINVAL);
	memcpy(out, a.b, 4);
}

static void take_mac(const char *text, uint8_t out[6])
{
	if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &out[0], &out[1], &out[2], &out[3], &out[4],
		   &out[5]) != 6)
		die(text, EINVAL);
}

enum opt { GEN_NETNS = 256, GEN_IF, SINK_NETNS, SINK_IF, MAC, SRC, DST, SIZE, SECS, CPU };

static void option(struct options *o, int opt, const char *arg)
{
	switch ((enum opt)opt) {
	case GEN_NETNS: o->gen_netns = arg; break;
	case GEN_IF: o->gen_if = arg; break;
	case SINK_NETNS: o->sink_netns = arg; break;
	case SINK_IF: o->sink_if = arg; break;
	case MAC: take_mac(arg, o->mac); break;
	case SRC: take_ip(arg, o->src); break;
	case DST: take_ip(arg, o->dst); break;
	case SIZE: o->size = (uint32_t)atoi(arg); break;
	case SECS: o->seconds = (uint32_t)atoi(arg); break;
	case CPU: o->cpu = atoi(arg); break;
	default: exit(2);
	}
}

static void options_parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"gen-netns", 1, NULL, GEN_NETNS}, {"gen-if", 1, NULL, GEN_IF},
		{"sink-netns", 1, NULL, SINK_NETNS}, {"sink-if", 1, NULL, SINK_IF}, {"mac", 1, NULL, MAC},
		{"src", 1, NULL, SRC}, {"dst", 1, NULL, DST}, {"size", 1, NULL, SIZE},
		{"seconds", 1, NULL, SECS}, {"cpu", 1, NULL, CPU}, {NULL, 0, NULL, 0}};
	int opt;

	*o = (struct options){.size = 64, .seconds = 5, .cpu = -1};
	while ((opt = getopt_long(argc, argv, "", longs, NULL)) != -1)
		option(o, opt, optarg);
	if (!o->gen_netns || !o->gen_if || !o->sink_netns || !o->sink_if || o->size < 60 ||
	    o->size > FRAME_MAX || !o->seconds)
		die("options", EINVAL);
}

/* ---- programs -------------------------------------------------------------------------------- */

#define INSN(c, d, s, o, i) {.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)}
#define MOV_IMM(d, i) INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define MOV_REG(d, s) INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define ADD_IMM(d, i) INSN(BPF_ALU64 | BPF_ADD | BPF_K, d, 0, 0, i)
#define EXIT() INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

static int program(const char *name, const struct bpf_insn *insns, size_t n)
{
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, name, "BSD", insns, n, NULL);

	if (fd < 0)
		die(name, errno);
	return fd;
}

/* return XDP_TX */
static int program_tx(void)
{
	const struct bpf_insn insns[] = {MOV_IMM(BPF_REG_0, XDP_TX), EXIT()};

	return program("esp_pps_gen", insns, sizeof(insns) / sizeof(insns[0]));
}

/* count[0]++; return XDP_DROP */
static int program_sink(int map)
{
	const struct bpf_insn insns[] = {
		INSN(BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, -4, 0),
		INSN(BPF_LD | BPF_IMM | BPF_DW, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map),
		INSN(0, 0, 0, 0, 0),
		MOV_REG(BPF_REG_2, BPF_REG_10),
		ADD_IMM(BPF_REG_2, -4),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 2, 0),
		MOV_IMM(BPF_REG_1, 1),
		INSN(BPF_STX | BPF_ATOMIC | BPF_DW, BPF_REG_0, BPF_REG_1, 0, BPF_ADD),
		MOV_IMM(BPF_REG_0, XDP_DROP),
		EXIT(),
	};

	return program("esp_pps_sink", insns, sizeof(insns) / sizeof(insns[0]));
}

static void enter(const char *netns)
{
	int fd = open(netns, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		die(netns, errno);
	close(fd);
}

static unsigned int ifindex_of(const char *ifname)
{
	unsigned int i = if_nametoindex(ifname);

	if (!i)
		die(ifname, errno);
	return i;
}

/* The link goes when this process goes. Returns the map that counts. */
static int sink_open(const struct options *o)
{
	int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "esp_pps", 4, 8, 1, NULL);

	if (map < 0)
		die("map", errno);
	enter(o->sink_netns);
	if (bpf_link_create(program_sink(map), (int)ifindex_of(o->sink_if), BPF_XDP, NULL) < 0)
		die(o->sink_if, errno);
	return map;
}

static uint64_t sink_count(int map)
{
	uint32_t key = 0;
	uint64_t n = 0;

	bpf_map_lookup_elem(map, &key, &n);
	return n;
}

/* ---- generator ------------------------------------------------------------------------------ */

static void frame_build(const struct options *o, uint8_t *frame)
{
	struct eth_hdr *eth = (struct eth_hdr *)frame;
	struct ip4_hdr *ip = (struct ip4_hdr *)(frame + ETH_LEN);
	struct udp_hdr *udp = (struct udp_hdr *)(frame + ETH_LEN + sizeof(*ip));

	memset(frame, 0, o->size);
	memcpy(eth->dst, o->mac, 6);
	memcpy(eth->src, (uint8_t[]){2, 0, 0, 0, 0, 1}, 6);
	eth->type_be = be16(ETH_IP4);
	ip->ver_ihl = 0x45;
	ip->len_be = be16((uint16_t)(o->size - ETH_LEN));
	ip->ttl = 64;
	ip->protocol = IPPROTO_UDP;
	memcpy(ip->src, o->src, 4);
	memcpy(ip->dst, o->dst, 4);
	ip->check = csum_finish(csum_add(ip, sizeof(*ip), 0));
	udp->sport_be = be16(9);
	udp->dport_be = be16(9);
	udp->len_be = be16((uint16_t)(o->size - ETH_LEN - sizeof(*ip)));
}

struct generator {
	struct bpf_test_run_opts run;
	struct xdp_md ctx;
	uint8_t frame[FRAME_MAX];
	int prog;
	uint64_t sent;
};

static void generator_open(struct generator *g, const struct options *o)
{
	enter(o->gen_netns);
	memset(g, 0, sizeof(*g));
	frame_build(o, g->frame);
	g->prog = program_tx();
	g->ctx = (struct xdp_md){.data_end = o->size, .ingress_ifindex = ifindex_of(o->gen_if)};
	g->run = (struct bpf_test_run_opts){.sz = sizeof(g->run), .data_in = g->frame,
					    .data_size_in = o->size, .ctx_in = &g->ctx,
					    .ctx_size_in = sizeof(g->ctx),
					    .repeat = SLICE, .batch_size = BATCH, .flags = BPF_F_TEST_XDP_LIVE_FRAMES};
}

static void generate(struct generator *g, double until)
{
	while (now_s() < until) {
		if (bpf_prog_test_run_opts(g->prog, &g->run) < 0)
			die("BPF_PROG_RUN with live frames", errno);
		g->sent += (uint64_t)g->run.repeat;
	}
}

static void pin(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET((unsigned int)cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) < 0)
		die("cpu", errno);
}

int main(int argc, char **argv)
{
	static struct generator g;
	struct options o;
	double start;
	uint64_t count;
	int map;

	options_parse(argc, argv, &o);
	if (o.cpu >= 0)
		pin(o.cpu);
	map = sink_open(&o);
	generator_open(&g, &o);
	generate(&g, now_s() + WARM_MS / 1000.0);
	g.sent = 0;
	count = sink_count(map);
	start = now_s();
	generate(&g, start + o.seconds);
	count = sink_count(map) - count;
	start = now_s() - start;
	printf("{\"size\": %u, \"seconds\": %.2f, \"offered_pps\": %.0f, \"encrypted_pps\": %.0f}\n", o.size,
	       start, (double)g.sent / start, (double)count / start);
	return 0;
}
