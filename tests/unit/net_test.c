/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/net/net.h"

#include "common/log.h"

#include <event2/event.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

/* One net on two free ports of the loopback, and plain sockets that play the peer. */
struct fixture {
	struct event_base *base;
	struct net *net;
	uint16_t port, port_nat_t;
	unsigned int got;
	struct endpoint from, to;
	uint8_t bytes[64];
	size_t n;
};

static void on_datagram(void *ctx, const struct endpoint *from, const struct endpoint *to,
			struct slice d)
{
	struct fixture *f = ctx;

	f->got++;
	f->from = *from;
	f->to = *to;
	f->n = d.n < sizeof(f->bytes) ? d.n : sizeof(f->bytes);
	memcpy(f->bytes, d.p, f->n);
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage ss;
	struct endpoint e;
	socklen_t len = sizeof(ss);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	assert_int_equal(endpoint_from_sockaddr(&ss, &e), 0);
	return e.port;
}

static int peer_socket(const char *ip)
{
	struct endpoint e = {0};
	struct sockaddr_storage ss;
	struct timeval second = {.tv_sec = 1};
	socklen_t len;
	int fd;

	assert_int_equal(addr_parse(ip, &e.ip), 0);
	len = endpoint_to_sockaddr(&e, &ss);
	fd = socket(ss.ss_family, SOCK_DGRAM, 0);
	if (fd < 0)
		return -1;
	if (bind(fd, (struct sockaddr *)&ss, len)) {
		close(fd);
		return -1;
	}
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second)), 0);
	return fd;
}

static uint16_t free_port(void)
{
	int fd = peer_socket("127.0.0.1");
	uint16_t port = port_of(fd);

	close(fd);
	return port;
}

static int setup(void **state)
{
	static struct fixture f;
	char err[256];

	memset(&f, 0, sizeof(f));
	f.base = event_base_new();
	for (int i = 0; i < 10 && !f.net; i++) {
		f.port = free_port();
		f.port_nat_t = free_port();
		f.net = net_open(f.base, f.port, f.port_nat_t, on_datagram, &f, err, sizeof(err));
	}
	assert_non_null(f.net);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	net_close(f->net);
	event_base_free(f->base);
	return 0;
}

static void send_raw(int fd, const char *ip, uint16_t port, const void *p, size_t n)
{
	struct endpoint e = {.port = port};
	struct sockaddr_storage ss;
	socklen_t len;

	assert_int_equal(addr_parse(ip, &e.ip), 0);
	len = endpoint_to_sockaddr(&e, &ss);
	assert_int_equal(sendto(fd, p, n, 0, (struct sockaddr *)&ss, len), n);
}

static struct net_stat stat_after(struct fixture *f)
{
	struct net_stat s;

	event_base_loop(f->base, EVLOOP_NONBLOCK);
	net_stat_get(f->net, &s);
	return s;
}

static void assert_local(const struct endpoint *e, const char *ip, uint16_t port)
{
	struct ip_addr a;

	assert_int_equal(addr_parse(ip, &a), 0);
	assert_true(addr_equal(&e->ip, &a));
	assert_int_equal(e->port, port);
}

static void local_address_of_each_datagram_is_known(void **state)
{
	struct fixture *f = *state;
	int fd = peer_socket("127.0.0.1");

	send_raw(fd, "127.0.0.7", f->port, "ike", 3);
	stat_after(f);
	assert_int_equal(f->got, 1);
	assert_local(&f->to, "127.0.0.7", f->port);
	assert_local(&f->from, "127.0.0.1", port_of(fd));
	assert_memory_equal(f->bytes, "ike", 3);
	close(fd);
}

static void ipv6_has_its_own_socket(void **state)
{
	struct fixture *f = *state;
	int fd = peer_socket("::1");

	if (fd < 0)
		skip();
	send_raw(fd, "::1", f->port, "six", 3);
	stat_after(f);
	assert_int_equal(f->got, 1);
	assert_local(&f->to, "::1", f->port);
	close(fd);
}

static void marker_comes_off_on_nat_t_port(void **state)
{
	struct fixture *f = *state;
	int fd = peer_socket("127.0.0.1");

	send_raw(fd, "127.0.0.1", f->port_nat_t, "\0\0\0\0ike", 7);
	stat_after(f);
	assert_int_equal(f->got, 1);
	assert_int_equal(f->n, 3);
	assert_memory_equal(f->bytes, "ike", 3);
	assert_local(&f->to, "127.0.0.1", f->port_nat_t);
	close(fd);
}

static void marker_is_no_marker_on_ike_port(void **state)
{
	struct fixture *f = *state;
	int fd = peer_socket("127.0.0.1");

	send_raw(fd, "127.0.0.1", f->port, "\0\0\0\0ike", 7);
	stat_after(f);
	assert_int_equal(f->n, 7);
	close(fd);
}

static void what_is_not_ike_is_counted_and_dropped(void **state)
{
	struct fixture *f = *state;
	int fd = peer_socket("127.0.0.1");
	struct net_stat s;

	send_raw(fd, "127.0.0.1", f->port_nat_t, "\xff", 1);
	send_raw(fd, "127.0.0.1", f->port_nat_t, "\x01\x02\x03\x04rest", 8);
	send_raw(fd, "127.0.0.1", f->port_nat_t, "\xfe", 1);
	send_raw(fd, "127.0.0.1", f->port_nat_t, "\0\0\0", 3);
	send_raw(fd, "127.0.0.1", f->port_nat_t, "\0\0\0\0", 4);
	send_raw(fd, "127.0.0.1", f->port, "", 0);
	s = stat_after(f);
	assert_int_equal(f->got, 0);
	assert_int_equal(s.in, 0);
	assert_int_equal(s.keepalives, 1);
	assert_int_equal(s.stray_esp, 1);
	assert_int_equal(s.runt, 4);
	close(fd);
}

static void kernel_esp_or_skip(struct fixture *f)
{
	char err[256] = "";
	int r = net_kernel_esp(f->net, err, sizeof(err));

	if (!r)
		return;
	print_message("skipped: %s\n", err);
	assert_non_null(strstr(err, "UDP port"));
	skip();
}

/* What comes on the NAT-T port once the kernel does ESP: IKE as before; keepalives and ESP end in
 * the kernel. */
static void kernel_esp_leaves_ike(void **state)
{
	static const char *const to[] = {"127.0.0.1", "::1"};
	static const char esp[40] = "\x01\x02\x03\x04rest";
	struct fixture *f = *state;
	struct net_stat s;

	kernel_esp_or_skip(f);
	for (int i = 0; i < 2; i++) {
		int fd = peer_socket(to[i]);

		if (fd < 0)
			continue;
		f->got = 0;
		send_raw(fd, to[i], f->port_nat_t, "\xff", 1);
		send_raw(fd, to[i], f->port_nat_t, esp, sizeof(esp));
		send_raw(fd, to[i], f->port_nat_t, "\0\0\0\0ike", 7);
		s = stat_after(f);
		assert_int_equal(f->got, 1);
		assert_memory_equal(f->bytes, "ike", 3);
		assert_true(!s.keepalives && !s.stray_esp);
		send_raw(fd, to[i], f->port, "ike", 3);
		stat_after(f);
		assert_int_equal(f->got, 2);
		close(fd);
	}
	/* Twice is as good as once. */
	kernel_esp_or_skip(f);
}

/* Three datagrams that a sender gave its kernel as one come as one, or as three: we see three. */
static void joined_datagrams_come_apart(void **state)
{
	static const char three[] = "\0\0\0\0one \0\0\0\0two \0\0\0\0end";
	struct fixture *f = *state;
	int fd = peer_socket("127.0.0.1"), size = 8;

	kernel_esp_or_skip(f);
	assert_int_equal(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)), 0);
	send_raw(fd, "127.0.0.1", f->port_nat_t, three, sizeof(three) - 1);
	stat_after(f);
	assert_int_equal(f->got, 3);
	assert_int_equal(f->n, 3);
	assert_memory_equal(f->bytes, "end", 3);
	close(fd);
}

static void send_uses_the_source_and_port_asked_for(void **state)
{
	struct fixture *f = *state;
	int fd = peer_socket("127.0.0.1");
	struct endpoint from = {0}, to = {0};
	struct sockaddr_storage ss;
	struct endpoint seen;
	socklen_t len = sizeof(ss);
	uint8_t buf[32];

	addr_parse("127.0.0.9", &from.ip);
	from.port = f->port;
	addr_parse("127.0.0.1", &to.ip);
	to.port = port_of(fd);
	assert_int_equal(net_send(f->net, &from, &to, slice_of("hello", 5)), 0);
	assert_int_equal(recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&ss, &len), 5);
	assert_int_equal(endpoint_from_sockaddr(&ss, &seen), 0);
	assert_local(&seen, "127.0.0.9", f->port);

	from.port = f->port_nat_t;
	assert_int_equal(net_send(f->net, &from, &to, slice_of("hello", 5)), 0);
	assert_int_equal(recv(fd, buf, sizeof(buf), 0), 9);
	assert_memory_equal(buf, "\0\0\0\0hello", 9);

	assert_int_equal(net_keepalive(f->net, &from, &to), 0);
	assert_int_equal(recv(fd, buf, sizeof(buf), 0), 1);
	assert_int_equal(buf[0], 0xff);
	close(fd);
}

static void send_refuses_what_cannot_be(void **state)
{
	struct fixture *f = *state;
	struct endpoint from = {.port = f->port}, to = {.port = 9};
	struct net_stat s;

	assert_int_equal(net_send(f->net, &from, &to, slice_of("x", 1)), -EINVAL);
	addr_parse("::1", &from.ip);
	addr_parse("127.0.0.1", &to.ip);
	assert_int_equal(net_send(f->net, &from, &to, slice_of("x", 1)), -EINVAL);
	assert_int_equal(net_keepalive(f->net, &from, &to), -EINVAL);
	/* TEST-NET-3 is nobody's own address: the kernel refuses it as source. */
	addr_parse("203.0.113.77", &from.ip);
	assert_true(net_send(f->net, &from, &to, slice_of("x", 1)) < 0);
	net_stat_get(f->net, &s);
	assert_int_equal(s.send_failed, 1);
}

static void second_daemon_is_told_which_port(void **state)
{
	struct fixture *f = *state;
	char err[256] = "", want[32];

	assert_null(net_open(f->base, f->port, free_port(), on_datagram, f, err, sizeof(err)));
	assert_int_equal(errno, EADDRINUSE);
	snprintf(want, sizeof(want), "port %u", f->port);
	assert_non_null(strstr(err, want));
	assert_non_null(strstr(err, "0.0.0.0"));
	assert_non_null(strstr(err, "another IKE daemon"));
}

static void equal_ports_are_refused(void **state)
{
	struct fixture *f = *state;
	char err[256] = "";

	assert_null(net_open(f->base, 4500, 4500, on_datagram, f, err, sizeof(err)));
	assert_int_equal(errno, EINVAL);
}

static void source_is_what_the_kernel_routes_by(void **state)
{
	struct ip_addr to, out;

	(void)state;
	addr_parse("127.0.0.44", &to);
	assert_int_equal(net_source_for(&to, &out), 0);
	assert_int_equal(out.family, 4);
	assert_int_equal(out.b[0], 127);
	memset(&to, 0, sizeof(to));
	assert_int_equal(net_source_for(&to, &out), -EINVAL);
	addr_parse("0.0.0.0", &to);
	assert_int_equal(net_source_for(&to, &out), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(local_address_of_each_datagram_is_known, setup, teardown),
		cmocka_unit_test_setup_teardown(ipv6_has_its_own_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(marker_comes_off_on_nat_t_port, setup, teardown),
		cmocka_unit_test_setup_teardown(marker_is_no_marker_on_ike_port, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_not_ike_is_counted_and_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(kernel_esp_leaves_ike, setup, teardown),
		cmocka_unit_test_setup_teardown(joined_datagrams_come_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(send_uses_the_source_and_port_asked_for, setup, teardown),
		cmocka_unit_test_setup_teardown(send_refuses_what_cannot_be, setup, teardown),
		cmocka_unit_test_setup_teardown(second_daemon_is_told_which_port, setup, teardown),
		cmocka_unit_test_setup_teardown(equal_ports_are_refused, setup, teardown),
		cmocka_unit_test(source_is_what_the_kernel_routes_by),
	};

	log_to_stderr(false, false);
	return cmocka_run_group_tests_name("net", tests, NULL, NULL);
}
