/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/addr.h"
#include "common/plane_msg.h"
#include "common/settings.h"
#include "maps/maps.h"

#include <errno.h>
#include <getopt.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/*
 * Installs one pair of security associations without IKE: through the dataplane's private socket and the pinned
 * maps, with keys derived from a text that both ends are given. For benchmarks and for faults, where the
 * agent would only be in the way.
 *
 *   plane_client --pin-dir D --socket S --side a --secret x --slot 5 --generation 1 --local 192.0.2.1
 *                --remote 192.0.2.2 --net-local 10.1.0.0/16 --net-remote 10.2.0.0/16
 *                [--suite aes128gcm16] [--encap 4500] [--esn] [--window 64] [--seq N] [--soft-packets N]
 *                [--hard-packets N] [--tfc N] [--worker N] [--no-policy] [--delete] [--info] [--watch]
 */
struct options {
	const char *pin_dir, *socket, *side, *secret, *suite;
	struct ip_addr local, remote, net_local, net_remote;
	unsigned int plen_local, plen_remote;
	uint64_t slot, generation, encap, window, seq, soft_packets, hard_packets, tfc, worker;
	bool esn, no_policy, del, info, watch;
};

struct suite {
	const char *name;
	uint16_t encr, bits, integ, encr_len, integ_len;
};

static const struct suite suites[] = {
	{"aes128gcm16", 20, 128, 0, 20, 0},	{"aes256gcm16", 20, 256, 0, 36, 0},
	{"aes128-sha256", 12, 128, 12, 16, 32}, {"aes256-sha256", 12, 256, 12, 32, 32},
	{"aes256-sha384", 12, 256, 13, 32, 48}, {"aes256-sha512", 12, 256, 14, 32, 64},
};

static void die(const char *what, int error)
{
	fprintf(stderr, "plane_client: %s: %s\n", what, strerror(error < 0 ? -error : error));
	exit(1);
}

static const struct suite *suite_find(const char *name)
{
	for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
		if (strcmp(suites[i].name, name) == 0)
			return &suites[i];
	die("no such suite", EINVAL);
	return NULL;
}

/* ---- options ------------------------------------------------------------------------------------ */

static void take_net(const char *text, struct ip_addr *addr, unsigned int *plen)
{
	char copy[64], *slash;

	snprintf(copy, sizeof(copy), "%s", text);
	slash = strchr(copy, '/');
	if (slash)
		*slash = '\0';
	if (addr_parse(copy, addr) < 0)
		die(text, EINVAL);
	*plen = slash ? (unsigned int)atoi(slash + 1) : (unsigned int)addr_len(addr) * 8;
}

static void take_addr(const char *text, struct ip_addr *addr)
{
	unsigned int plen;

	take_net(text, addr, &plen);
}

static uint64_t number(const char *text)
{
	uint64_t v;

	if (settings_uint(text, UINT64_MAX, &v) < 0)
		die(text, EINVAL);
	return v;
}

enum opt { PIN_DIR = 256, SOCKET, SIDE, SECRET, SLOT, GENERATION, LOCAL, REMOTE, NET_LOCAL, NET_REMOTE, SUITE,
	   ENCAP, ESN, WINDOW, SEQ, SOFT, HARD, TFC, WORKER, NO_POLICY, DELETE, INFO, WATCH };

static void option(struct options *o, int opt, const char *arg)
{
	switch ((enum opt)opt) {
	case PIN_DIR: o->pin_dir = arg; break;
	case SOCKET: o->socket = arg; break;
	case SIDE: o->side = arg; break;
	case SECRET: o->secret = arg; break;
	case SLOT: o->slot = number(arg); break;
	case GENERATION: o->generation = number(arg); break;
	case LOCAL: take_addr(arg, &o->local); break;
	case REMOTE: take_addr(arg, &o->remote); break;
	case NET_LOCAL: take_net(arg, &o->net_local, &o->plen_local); break;
	case NET_REMOTE: take_net(arg, &o->net_remote, &o->plen_remote); break;
	case SUITE: o->suite = arg; break;
	case ENCAP: o->encap = number(arg); break;
	case ESN: o->esn = true; break;
	case WINDOW: o->window = number(arg); break;
	case SEQ: o->seq = number(arg); break;
	case SOFT: o->soft_packets = number(arg); break;
	case HARD: o->hard_packets = number(arg); break;
	case TFC: o->tfc = number(arg); break;
	case WORKER: o->worker = number(arg); break;
	case NO_POLICY: o->no_policy = true; break;
	case DELETE: o->del = true; break;
	case INFO: o->info = true; break;
	case WATCH: o->watch = true; break;
	default: die("unknown option", EINVAL);
	}
}

static void options_parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"pin-dir", 1, NULL, PIN_DIR}, {"socket", 1, NULL, SOCKET}, {"side", 1, NULL, SIDE},
		{"secret", 1, NULL, SECRET}, {"slot", 1, NULL, SLOT}, {"generation", 1, NULL, GENERATION},
		{"local", 1, NULL, LOCAL}, {"remote", 1, NULL, REMOTE}, {"net-local", 1, NULL, NET_LOCAL},
		{"net-remote", 1, NULL, NET_REMOTE}, {"suite", 1, NULL, SUITE}, {"encap", 1, NULL, ENCAP},
		{"esn", 0, NULL, ESN}, {"window", 1, NULL, WINDOW}, {"seq", 1, NULL, SEQ},
		{"soft-packets", 1, NULL, SOFT}, {"hard-packets", 1, NULL, HARD}, {"tfc", 1, NULL, TFC},
		{"worker", 1, NULL, WORKER}, {"no-policy", 0, NULL, NO_POLICY}, {"delete", 0, NULL, DELETE},
		{"info", 0, NULL, INFO}, {"watch", 0, NULL, WATCH}, {NULL, 0, NULL, 0}};
	int opt;

	*o = (struct options){.pin_dir = "/sys/fs/bpf/xdpsec", .socket = "/run/xdpsec/dataplane.sock",
			      .side = "a", .secret = "secret", .suite = "aes128gcm16", .slot = 1,
			      .generation = 1, .window = 64};
	while ((opt = getopt_long(argc, argv, "", longs, NULL)) != -1)
		option(o, opt, optarg);
}

/* ---- the private socket --------------------------------------------------------------------- */

static void dataplane_event(const struct plane_event *ev)
{
	static const char *const kinds[] = {"?", "soft", "hard", "nat-change"};
	struct ip_addr a;
	char text[ADDR_STRLEN];

	addr_from_mapped(ev->addr, &a);
	printf("event %s slot %u generation %u %s from %s port %u\n", kinds[ev->kind < 4 ? ev->kind : 0],
	       ev->slot, ev->generation, ev->direction ? "out" : "in", addr_str(&a, text), ev->port);
	fflush(stdout);
}

/* The next message that is not an event. */
static void receive(int fd, union plane_msg *m)
{
	for (;;) {
		ssize_t n = recv(fd, m, sizeof(*m), 0);

		if (n < (ssize_t)sizeof(m->hdr))
			die("dataplane hung up", n < 0 ? errno : ECONNRESET);
		if (m->hdr.type != PLANE_EVENT)
			return;
		dataplane_event(&m->event);
	}
}

static int dataplane_connect(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct plane_hello hello = {.hdr = {.type = PLANE_HELLO, .len = sizeof(hello)},
				    .protocol = PLANE_PROTOCOL, .layout_version = XS_LAYOUT_VERSION};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	union plane_msg m;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		die(path, errno);
	if (send(fd, &hello, sizeof(hello), 0) < 0)
		die("hello", errno);
	receive(fd, &m);
	if (m.hdr.type != PLANE_HELLO || m.hello.protocol != PLANE_PROTOCOL)
		die("hello", EPROTO);
	return fd;
}

static int request(int fd, void *msg, uint16_t type, uint16_t len, union plane_msg *answer)
{
	static uint32_t number;
	struct plane_hdr *hdr = msg;

	*hdr = (struct plane_hdr){.type = type, .len = len, .request = ++number};
	if (send(fd, msg, len, 0) < 0)
		die("send", errno);
	receive(fd, answer);
	if (answer->hdr.request != hdr->request)
		die("answer out of turn", EPROTO);
	if (answer->hdr.type == PLANE_ACK && answer->ack.error)
		fprintf(stderr, "plane_client: %s\n", answer->ack.text);
	return answer->hdr.type == PLANE_ACK ? answer->ack.error : 0;
}

static void derive(const struct options *o, char from, const char *what, uint8_t *key, size_t n)
{
	char text[256];
	uint8_t md[64];

	snprintf(text, sizeof(text), "%s/%c/%s/%llu", o->secret, from, what,
		 (unsigned long long)o->generation);
	if (!EVP_Digest(text, strlen(text), md, NULL, EVP_sha512(), NULL))
		die("digest", EIO);
	memcpy(key, md, n);
}

static struct plane_ts ts_of(const struct ip_addr *net, unsigned int plen)
{
	struct plane_ts ts = {.port_hi = UINT16_MAX, .family = net->family};
	struct ip_addr lo, hi;

	addr_prefix_range(net, plen, &lo, &hi);
	addr_to_mapped(&lo, ts.lo);
	addr_to_mapped(&hi, ts.hi);
	return ts;
}

static int sa_add(int fd, const struct options *o, enum plane_direction direction)
{
	const struct suite *s = suite_find(o->suite);
	char from = direction == PLANE_OUT ? o->side[0] : o->side[0] == 'a' ? 'b' : 'a';
	struct plane_sa_add add = {
		.slot = (uint32_t)o->slot, .generation = (uint32_t)o->generation,
		.spi = 0xc0000000 | (uint32_t)o->slot, .direction = (uint8_t)direction,
		.mode = XS_TUNNEL, .esn = o->esn, .copy_df = 1, .copy_ecn = 1,
		.copy_dscp = direction == PLANE_OUT, .encr = s->encr, .encr_bits = s->bits,
		.integ = s->integ, .replay_window = (uint16_t)o->window, .sport = (uint16_t)o->encap,
		.dport = (uint16_t)o->encap, .worker = (uint16_t)o->worker, .tfc = (uint16_t)o->tfc,
		.soft_packets = o->soft_packets, .hard_packets = o->hard_packets, .seq = o->seq,
		.n_local = 1, .n_remote = 1, .encr_key_len = s->encr_len, .integ_key_len = s->integ_len};
	union plane_msg m;

	addr_to_mapped(direction == PLANE_OUT ? &o->local : &o->remote, add.src);
	addr_to_mapped(direction == PLANE_OUT ? &o->remote : &o->local, add.dst);
	add.ts[0] = ts_of(&o->net_local, o->plen_local);
	add.ts[1] = ts_of(&o->net_remote, o->plen_remote);
	derive(o, from, "encr", add.encr_key, s->encr_len);
	derive(o, from, "integ", add.integ_key, s->integ_len);
	return request(fd, &add, PLANE_SA_ADD, sizeof(add), &m);
}

static int sa_del(int fd, const struct options *o, enum plane_direction direction)
{
	struct plane_sa_del del = {.slot = (uint32_t)o->slot, .generation = (uint32_t)o->generation,
				   .direction = (uint8_t)direction};
	union plane_msg m;
	int err = request(fd, &del, PLANE_SA_DEL, sizeof(del), &m);

	if (!err)
		printf("%s: %llu packets, %llu bytes, number %llu\n", direction ? "out" : "in",
		       (unsigned long long)m.ack.packets, (unsigned long long)m.ack.bytes,
		       (unsigned long long)m.ack.seq);
	return err;
}

/* ---- maps ----------------------------------------------------------------------------------- */

static struct xs_sa row_of(const struct options *o, bool out)
{
	const struct suite *s = suite_find(o->suite);
	struct xs_sa sa = {.spi = 0xc0000000 | (uint32_t)o->slot, .slot = (uint32_t)o->slot,
			   .generation = (uint32_t)o->generation, .sport = (uint16_t)o->encap,
			   .dport = (uint16_t)o->encap, .encr = s->encr, .encr_bits = s->bits,
			   .integ = s->integ, .worker = (uint16_t)o->worker,
			   .replay_window = (uint16_t)o->window, .protocol = 50,
			   .engine = XS_ENGINE_DATAPLANE, .esn = o->esn, .conn = "static",
			   .child = "static"};

	addr_to_mapped(out ? &o->local : &o->remote, sa.src.b);
	addr_to_mapped(out ? &o->remote : &o->local, sa.dst.b);
	return sa;
}

static void policy_put(struct xs_maps *maps, const struct options *o)
{
	struct xs_policies *ps = xs_policies_open(maps);
	const struct plane_ts l = ts_of(&o->net_local, o->plen_local);
	const struct plane_ts r = ts_of(&o->net_remote, o->plen_remote);
	struct xs_policy row = {.sport_hi = UINT16_MAX, .dport_hi = UINT16_MAX, .priority = 1000,
				.action = XS_PROTECT, .family = o->net_local.family, .conn = "static",
				.child = "static"};
	uint32_t id, bundle;
	int err;

	if (!ps)
		die("policies", errno);
	memcpy(row.src_lo.b, l.lo, 16);
	memcpy(row.src_hi.b, l.hi, 16);
	memcpy(row.dst_lo.b, r.lo, 16);
	memcpy(row.dst_hi.b, r.hi, 16);
	row.bundle = bundle = xs_bundle_alloc(ps);
	xs_bundle_set(maps, bundle, XS_BUNDLE(o->slot, o->generation, o->worker, XS_ENGINE_DATAPLANE));
	err = xs_policy_add(ps, &row, &id);
	if (err == -EEXIST && !xs_policy_get(ps, id, &row))
		xs_bundle_set(maps, row.bundle,
			      XS_BUNDLE(o->slot, o->generation, o->worker, XS_ENGINE_DATAPLANE));
	else if (err)
		die("policy", err);
	xs_policies_free(ps);
}

static void install(int fd, struct xs_maps *maps, const struct options *o)
{
	struct xs_sa in = row_of(o, false), out = row_of(o, true);
	int err = sa_add(fd, o, PLANE_IN);

	if (!err)
		err = xs_sa_in_put(maps, &in, 0);
	if (!err)
		err = sa_add(fd, o, PLANE_OUT);
	if (!err)
		err = xs_sa_out_put(maps, &out);
	if (err)
		die("install", err);
	if (!o->no_policy)
		policy_put(maps, o);
}

static void print_info(int fd)
{
	struct plane_hdr get;
	union plane_msg m;

	request(fd, &get, PLANE_INFO_GET, sizeof(get), &m);
	printf("pid %u workers %u in %u out %u crypto \"%s\"\n", m.info.pid, m.info.workers, m.info.sas_in,
	       m.info.sas_out, m.info.crypto);
	for (uint32_t i = 0; i < m.info.n_ports && i < PLANE_PORTS_MAX; i++)
		printf("port %s %s %s queues %u mtu %u\n", m.info.port[i].ifname, m.info.port[i].kind,
		       m.info.port[i].mode, m.info.port[i].queues, m.info.port[i].mtu);
}

int main(int argc, char **argv)
{
	struct xs_maps maps;
	struct options o;
	union plane_msg m;
	char err[256];
	int fd;

	options_parse(argc, argv, &o);
	fd = dataplane_connect(o.socket);
	if (o.info)
		print_info(fd);
	if (o.del) {
		sa_del(fd, &o, PLANE_OUT);
		sa_del(fd, &o, PLANE_IN);
	} else if (o.local.family && !o.info) {
		int e = xs_maps_open(&maps, o.pin_dir, err, sizeof(err));

		if (e < 0)
			die(err, e);
		install(fd, &maps, &o);
		xs_maps_close(&maps);
	}
	while (o.watch) {
		if (recv(fd, &m, sizeof(m), 0) < (ssize_t)sizeof(m.event))
			die("dataplane hung up", ECONNRESET);
		if (m.hdr.type == PLANE_EVENT)
			dataplane_event(&m.event);
	}
	return 0;
}
