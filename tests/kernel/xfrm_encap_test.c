/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/net/net.h"
#include "tests/unit/xfrm_world.h"

#include <fcntl.h>

/*
 * ESP in UDP by two kernels, each with the agent's sockets in front:
 *
 *   ns here: 192.0.2.1, fd00::1  enc0 ----- enc1  192.0.2.2, fd00::2 :ns there, and
 * inside 10.2.0.1, fd02::1
 */
enum { PORT_IKE = 500, INNER_PORT = 9 };

static struct two {
	int here, there; /* namespaces */
	struct side *us, *they;
	struct net *net_us, *net_they;
	unsigned int ike_us, ike_they;
} t;

static void enter(int ns)
{
	assert_int_equal(setns(ns, CLONE_NEWNET), 0);
}

static void count_ike(void *ctx, const struct endpoint *from, const struct endpoint *to,
		      struct slice d)
{
	(void)from;
	(void)to;
	assert_int_equal(d.n, 3);
	++*(unsigned int *)ctx;
}

static struct net *open_net(uint16_t port_nat_t, unsigned int *count)
{
	char err[256] = "";
	struct net *n = net_open(w.base, PORT_IKE, port_nat_t, count_ike, count, err, sizeof(err));

	if (!n || net_kernel_esp(n, err, sizeof(err)))
		fail_msg("%s", err);
	return n;
}

static void connect_both(uint16_t port_us, uint16_t port_they)
{
	char cmd[256];

	t = (struct two){.here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)};
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	t.there = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_true(t.here >= 0 && t.there >= 0);
	enter(t.here);
	snprintf(cmd, sizeof(cmd),
		 "ip link add enc0 type veth peer enc1 && ip link set enc1 netns /proc/%d/fd/%d",
		 (int)getpid(), t.there);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(
	    system("ip addr add 192.0.2.1/24 dev enc0 && ip addr add fd00::1/64 dev enc0 nodad && "
		   "ip link set enc0 up && ip route add 10.2.0.0/16 via 192.0.2.2 && "
		   "ip route add fd02::/16 via fd00::2"),
	    0);
	t.us = side_new(0, 0);
	t.net_us = open_net(port_us, &t.ike_us);
	enter(t.there);
	assert_int_equal(
	    system("ip link set lo up && ip addr add 192.0.2.2/24 dev enc1 && "
		   "ip addr add fd00::2/64 dev enc1 nodad && ip addr add 10.2.0.1/32 dev enc1 && "
		   "ip addr add fd02::1/128 dev enc1 nodad && ip link set enc1 up"),
	    0);
	t.they = side_new(0, 0);
	t.net_they = open_net(port_they, &t.ike_they);
	enter(t.here);
}

static void part(void)
{
	side_free(t.us);
	side_free(t.they);
	net_close(t.net_us);
	net_close(t.net_they);
	enter(t.here);
	assert_int_equal(system("ip link del enc0"), 0);
	clean("policy");
	clean("state");
	close(t.here);
	close(t.there);
}

struct way {
	const char *src, *dst, *inner;
};
static const struct way v4 = {"192.0.2.1", "192.0.2.2", "10.2.0.1"},
			v6 = {"fd00::1", "fd00::2", "fd02::1"};

/* Out of here, into there; the far end believes in `believed` as our port. */
static struct xfrm_sa_id protect(const struct way *way, uint32_t spi, uint16_t from, uint16_t to,
				 uint16_t believed)
{
	struct xfrm_sa_spec out = sa(spi, "aes128gcm16", NULL), in;
	bool six = strchr(way->src, ':');
	struct xfrm_policy_spec p = policy(spi, XF_OUT);

	out.src = ip(way->src);
	out.dst = ip(way->dst);
	out.encap = (struct xf_encap){.sport = from, .dport = to};
	in = out;
	in.dir = XF_IN;
	in.window = 32;
	in.encap.sport = believed;
	p.sel = (struct xf_selector){.src = ip(six ? "::" : "0.0.0.0"), .dst = ip(way->inner)};
	p.sel.dst_len = six ? 128 : 32;
	p.tmpl[0].src = out.src;
	p.tmpl[0].dst = out.dst;
	p.tmpl[0].spi = 0;
	p.tmpl[0].reqid = out.reqid;
	assert_int_equal(DO(t.us, xfrm_sa_add(t.us->c, &out, &wt, NULL)), 0);
	assert_int_equal(DO(t.us, xfrm_policy_add(t.us->c, &p, &wt, NULL)), 0);
	assert_int_equal(DO(t.they, xfrm_sa_add(t.they->c, &in, &wt, NULL)), 0);
	p.dir = XF_IN;
	assert_int_equal(DO(t.they, xfrm_policy_add(t.they->c, &p, &wt, NULL)), 0);
	return name_of_sa(&in);
}

/* A socket there, behind the tunnel. */
static int listener(const char *at)
{
	struct timeval patience = {.tv_sec = WAIT_MS / 1000};
	struct endpoint e = {.ip = ip(at), .port = INNER_PORT};
	struct sockaddr_storage ss;
	socklen_t len = endpoint_to_sockaddr(&e, &ss);
	int fd;

	enter(t.there);
	fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&ss, len), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	enter(t.here);
	return fd;
}

static bool run_until_ike(unsigned int n)
{
	static const struct timeval ms10 = {.tv_usec = 10000};
	uint64_t end = now_us() + WAIT_MS * 1000;

	while (t.ike_they < n && now_us() < end) {
		event_base_loopexit(w.base, &ms10);
		event_base_dispatch(w.base);
	}
	return t.ike_they >= n;
}

static void goes_through(const struct way *way, uint16_t from, uint16_t to, uint32_t spi)
{
	struct xfrm_sa_id id = protect(way, spi, from, to, from);
	struct endpoint a = {.ip = ip(way->src), .port = from},
			b = {.ip = ip(way->dst), .port = to};
	int fd = listener(way->inner);
	struct xfrm_sa_info info;
	struct net_stat stat;
	char byte;

	for (unsigned int i = 1; i <= 3; i++) {
		unsigned int ike = t.ike_they;

		knock(way->inner);
		assert_int_equal(recv(fd, &byte, 1, 0), 1);
		assert_int_equal(byte, 'x');
		/* IKE and keepalives between: the one arrives, the other does not. */
		assert_int_equal(net_keepalive(t.net_us, &a, &b), 0);
		assert_int_equal(net_send(t.net_us, &a, &b, slice_of("ike", 3)), 0);
		assert_true(run_until_ike(ike + 1));
	}
	assert_int_equal(xfrm_sa_get(t.they->c, &id, &info), 0);
	assert_true(info.packets == 3 && info.seq == 3 && !info.replay_drops &&
		    !info.integrity_drops);
	assert_true(info.last_used_s || info.first_used_s);
	net_stat_get(t.net_they, &stat);
	assert_true(!stat.keepalives && !stat.stray_esp && !stat.runt);
	assert_null(event_of(t.they, XF_EV_MAPPING));
	close(fd);
}

static void through_udp(void **state)
{
	(void)state;
	need_esp();
	connect_both(4500, 4500);
	goes_through(&v4, 4500, 4500, 1);
	goes_through(&v6, 4500, 4500, 2);
	part();
}

static void through_other_ports(void **state)
{
	(void)state;
	need_esp();
	connect_both(14500, 24500);
	goes_through(&v4, 14500, 24500, 1);
	goes_through(&v6, 14500, 24500, 2);
	part();
}

/* Authentic packets from another port than believed: told, once a second at most however many come.
 */
static void mapping_changes(void **state)
{
	const struct xfrm_event *ev;
	struct xfrm_sa_id id;
	char byte;
	int fd;

	(void)state;
	need_esp();
	connect_both(4500, 4500);
	id = protect(&v4, 1, 4500, 4500, 1025);
	fd = listener(v4.inner);
	for (int i = 0; i < 20; i++) {
		knock(v4.inner);
		assert_int_equal(recv(fd, &byte, 1, 0), 1);
	}
	assert_true(run_until_event(t.they, XF_EV_MAPPING));
	ev = event_of(t.they, XF_EV_MAPPING);
	assert_true(ev->mapping.id.spi == id.spi && ev->mapping.reqid == REQID + 1);
	assert_true(ev->mapping.from.port == 1025 && ev->mapping.to.port == 4500);
	assert_true(addr_equal(&ev->mapping.to.ip, &(struct ip_addr){4, {192, 0, 2, 1}}));
	turns();
	assert_true(t.they->events < 10);
	print_message("%u events for 20 packets\n", t.they->events);
	close(fd);
	part();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(through_udp),
	    cmocka_unit_test(through_other_ports),
	    cmocka_unit_test(mapping_changes),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
