/* SPDX-License-Identifier: BSD-2-Clause */
#include "net.h"

#include "common/log.h"
#include "common/rd.h"

#include <event2/event.h>

#include <errno.h>
#include <linux/filter.h>
#include <linux/udp.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <unistd.h>

enum {
	NET_SOCKETS = 8,	    /* two families, two ports, known peers and strangers */
	NET_BURST = 64,		    /* datagrams a wake-up: timers get their turn between */
	NET_BURST_STRANGERS = 16,
	NET_DATAGRAM_MAX = 65535,   /* bytes */
	NET_RCVBUF = 4 << 20,	    /* bytes asked for; the kernel may give less */
	NET_MARKER_LEN = 4,	    /* RFC 3948 2.2: non-ESP marker, four zero bytes */
};

static const uint8_t non_esp_marker[NET_MARKER_LEN];
static const uint8_t keepalive_byte = 0xff; /* RFC 3948 2.3 */

struct net_socket {
	struct net *net;
	struct event *ev;
	int fd;
	int family;
	uint16_t port;
	bool nat_t, strangers;
};

struct net {
	struct net_socket sock[NET_SOCKETS];
	unsigned int n_socks;
	uint16_t port, port_nat_t;
	net_recv_fn fn;
	void *ctx;
	struct net_stat stat;
	struct log_budget send_budget;
	uint8_t buf[NET_DATAGRAM_MAX];
};

/* Room for either family's packet information and the size of a segment, aligned as control messages must be. */
union net_control {
	char buf[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static bool local_of(struct msghdr *mh, uint16_t port, struct endpoint *to)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			to->ip.family = 4;
			memcpy(to->ip.b, &info.ipi_addr, 4);
			to->port = port;
			return true;
		}
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			to->ip.family = 6;
			memcpy(to->ip.b, &info.ipi6_addr, 16);
			to->port = port;
			return true;
		}
	}
	return false;
}

/* UDP_GRO: datagrams of one sender that came as one have this size, but the last; 0: it is one. */
static size_t segment_of(struct msghdr *mh)
{
	int n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c))
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO && c->cmsg_len >= CMSG_LEN(sizeof(n)))
			memcpy(&n, CMSG_DATA(c), sizeof(n));
	return n > 0 ? (size_t)n : 0;
}

/* RFC 3948 2.2, 2.3: what the first bytes on the NAT-T port say. True when `d` is an IKE message. */
static bool take_marker(struct net *n, struct slice *d)
{
	struct rd r = rd_of(*d);
	uint32_t marker;

	if (d->n == 1 && rd_u8(&r) == keepalive_byte) {
		n->stat.keepalives++;
		return false;
	}
	r = rd_of(*d);
	marker = rd_u32(&r);
	if (r.failed) {
		n->stat.runt++;
		return false;
	}
	if (marker) {
		n->stat.stray_esp++;
		return false;
	}
	*d = rd_rest(&r);
	return true;
}

static void deliver(struct net_socket *s, const struct endpoint *from, const struct endpoint *to,
		    struct slice d)
{
	struct net *n = s->net;

	if (s->nat_t && !take_marker(n, &d))
		return;
	if (!d.n) {
		n->stat.runt++;
		return;
	}
	n->stat.in++;
	n->stat.strangers += s->strangers;
	n->fn(n->ctx, from, to, d);
}

static void deliver_segments(struct net_socket *s, const struct endpoint *from, const struct endpoint *to,
			     struct slice all, size_t size)
{
	do {
		size_t n = size && size < all.n ? size : all.n;

		deliver(s, from, to, slice_of(all.p, n));
		all.p += n;
		all.n -= n;
	} while (all.n);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct net_socket *s = arg;
	struct net *n = s->net;

	(void)what;
	for (int i = 0; i < (s->strangers ? NET_BURST_STRANGERS : NET_BURST); i++) {
		struct sockaddr_storage ss = {0};
		struct iovec iov = {.iov_base = n->buf, .iov_len = sizeof(n->buf)};
		union net_control control;
		struct msghdr mh = {
			.msg_name = &ss,
			.msg_namelen = sizeof(ss),
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control.buf,
			.msg_controllen = sizeof(control.buf),
		};
		struct endpoint from = {0}, to = {0};
		ssize_t got = recvmsg(fd, &mh, MSG_DONTWAIT);

		if (got < 0) {
			/* RFC 7296 2.4: an ICMP error proves nothing; it only costs its turn. */
			if (errno == EAGAIN || errno == EWOULDBLOCK)
				return;
			continue;
		}
		if ((mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
		    endpoint_from_sockaddr(&ss, &from) || !local_of(&mh, s->port, &to)) {
			n->stat.runt++;
			continue;
		}
		deliver_segments(s, &from, &to, slice_of(n->buf, (size_t)got), segment_of(&mh));
	}
}

static int set_opt(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

/* IKE messages may be larger than the path: they leave without "don't fragment". */
static int set_options(int fd, int family)
{
	int err;

	if (family == AF_INET) {
		err = set_opt(fd, IPPROTO_IP, IP_PKTINFO, 1);
		if (!err)
			err = set_opt(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
	} else {
		err = set_opt(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
		if (!err)
			err = set_opt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
		if (!err)
			err = set_opt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
	}
	if (!err && set_opt(fd, SOL_SOCKET, SO_RCVBUFFORCE, NET_RCVBUF))
		set_opt(fd, SOL_SOCKET, SO_RCVBUF, NET_RCVBUF);
	return err;
}

/*
 * Which of the two sockets of a port a datagram goes to, by its first bytes: 0, that of strangers, takes what has no
 * responder's SPI and no COOKIE in front: the first word of an IKE SA, which anybody can say. A flood of those fills its
 * own queue and no other (RFC 7296 2.6: COOKIE is the first payload).
 */
static int split_strangers(int fd, unsigned int marker)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, marker + 8),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 7),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, marker + 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 5),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, marker + 16), /* first payload: a notify */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 41, 0, 2),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, marker + 28 + 6),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 16390, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, 1),
	};
	struct sock_fprog prog = {.len = sizeof(code) / sizeof(*code), .filter = code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &prog, sizeof(prog)) ? -errno : 0;
}

static int bind_any(int fd, int family, uint16_t port)
{
	struct sockaddr_storage ss;
	struct endpoint any = {.ip.family = family == AF_INET ? 4 : 6, .port = port};
	socklen_t len = endpoint_to_sockaddr(&any, &ss);

	return bind(fd, (struct sockaddr *)&ss, len) ? -errno : 0;
}

/* A bound socket, or -errno and a line in err. The second of a port joins the first. */
static int make_socket(int family, uint16_t port, const struct net_socket *join, char *err, size_t errlen)
{
	const char *any = family == AF_INET ? "0.0.0.0" : "::";
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP), e;

	if (fd < 0) {
		e = -errno;
		if (e != -EAFNOSUPPORT)
			snprintf(err, errlen, "UDP socket for %s port %u: %s", any, port, strerror(-e));
		return e;
	}
	e = set_options(fd, family);
	if (!e && join)
		e = set_opt(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!e)
		e = bind_any(fd, family, port);
	/* Only when the port is ours alone: another daemon that shares ports must not get in between. */
	if (!e && !join)
		e = set_opt(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!e)
		return fd;
	snprintf(err, errlen, "cannot bind UDP %s port %u: %s%s", any, port, strerror(-e),
		 e == -EADDRINUSE ? ": is another IKE daemon running?"
		 : e == -EACCES	  ? ": CAP_NET_BIND_SERVICE is needed"
				  : "");
	close(fd);
	return e;
}

static int add_socket(struct net *n, struct event_base *base, int family, uint16_t port,
		      const struct net_socket *join, char *err, size_t errlen)
{
	struct net_socket *s = &n->sock[n->n_socks];
	int fd = make_socket(family, port, join, err, errlen);

	if (fd < 0)
		return fd;
	s->ev = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, s);
	if (!s->ev || event_add(s->ev, NULL)) {
		snprintf(err, errlen, "no event for UDP port %u", port);
		if (s->ev)
			event_free(s->ev);
		s->ev = NULL;
		close(fd);
		return -ENOMEM;
	}
	s->net = n;
	s->fd = fd;
	s->family = family;
	s->port = port;
	s->nat_t = port == n->port_nat_t;
	s->strangers = !join;
	n->n_socks++;
	return 0;
}

/* Both sockets of a port: that of strangers is the first of the two. */
static int open_port(struct net *n, struct event_base *base, int family, uint16_t port, char *err,
		     size_t errlen)
{
	struct net_socket *first = &n->sock[n->n_socks];
	int e = add_socket(n, base, family, port, NULL, err, errlen);

	if (e == -EAFNOSUPPORT && family == AF_INET6) {
		log_line(LOG_NETWORK, 1, "this kernel has no IPv6: UDP port %u over IPv4 only", port);
		return 0;
	}
	if (!e)
		e = add_socket(n, base, family, port, first, err, errlen);
	if (e)
		return e;
	e = split_strangers(first->fd, first->nat_t ? NET_MARKER_LEN : 0);
	if (e)
		snprintf(err, errlen, "cannot tell strangers at UDP port %u: %s", port, strerror(-e));
	return e;
}

struct net *net_open(struct event_base *base, uint16_t port, uint16_t port_nat_t, net_recv_fn fn,
		     void *ctx, char *err, size_t errlen)
{
	static const int families[] = {AF_INET, AF_INET6};
	struct net *n;
	int e = 0;

	if (!port || !port_nat_t || port == port_nat_t) {
		snprintf(err, errlen, "IKE needs two different UDP ports, not %u and %u", port, port_nat_t);
		errno = EINVAL;
		return NULL;
	}
	n = calloc(1, sizeof(*n));
	if (!n) {
		snprintf(err, errlen, "out of memory");
		return NULL;
	}
	n->port = port;
	n->port_nat_t = port_nat_t;
	n->fn = fn;
	n->ctx = ctx;
	n->send_budget = (struct log_budget)LOG_BUDGET_INIT;
	for (unsigned int i = 0; !e && i < 2; i++) {
		e = open_port(n, base, families[i], port, err, errlen);
		if (!e)
			e = open_port(n, base, families[i], port_nat_t, err, errlen);
	}
	if (e) {
		net_close(n);
		errno = -e;
		return NULL;
	}
	return n;
}

/* ---- the kernel's ESP --------------------------------------------------------------------------- */

/*
 * With UDP_GRO the kernel joins ESP in UDP before it decrypts, since Linux 6.7. Before that it would join the datagrams
 * all the same and take the result for one packet of ESP, so the version has to be asked; nothing else tells.
 */
static bool kernel_joins_esp(void)
{
	unsigned int major = 0, minor = 0;
	struct utsname u;

	if (uname(&u) || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		return false;
	return major > 6 || (major == 6 && minor >= 7);
}

/* A socket's own policy comes before all others: IKE leaves and arrives in clear (RFC 7296 2.23, RFC 4301 4.4.1). */
static int exempt(const struct net_socket *s)
{
	struct xfrm_userpolicy_info p = {
		.sel.family = (uint16_t)s->family,
		.action = XFRM_POLICY_ALLOW,
		.lft = {XFRM_INF, XFRM_INF, XFRM_INF, XFRM_INF, 0, 0, 0, 0},
	};
	bool v4 = s->family == AF_INET;

	for (uint8_t dir = XFRM_POLICY_IN; dir <= XFRM_POLICY_OUT; dir++) {
		p.dir = dir;
		if (setsockopt(s->fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_XFRM_POLICY : IPV6_XFRM_POLICY, &p,
			       sizeof(p)))
			return -errno;
	}
	return 0;
}

int net_kernel_esp(struct net *n, char *err, size_t errlen)
{
	bool gro = kernel_joins_esp();

	for (unsigned int i = 0; i < n->n_socks; i++) {
		const struct net_socket *s = &n->sock[i];
		const char *what = "exempting IKE from the kernel's policies";
		int e = exempt(s);

		if (!e && s->nat_t) {
			what = "handing ESP in UDP to the kernel";
			if (gro && set_opt(s->fd, IPPROTO_UDP, UDP_GRO, 1))
				gro = false;
			e = set_opt(s->fd, IPPROTO_UDP, UDP_ENCAP, UDP_ENCAP_ESPINUDP);
		}
		if (e) {
			snprintf(err, errlen, "%s, UDP port %u: %s", what, s->port, strerror(-e));
			return e;
		}
	}
	return 0;
}

void net_close(struct net *n)
{
	if (!n)
		return;
	for (unsigned int i = 0; i < n->n_socks; i++) {
		event_free(n->sock[i].ev);
		close(n->sock[i].fd);
	}
	free(n);
}

static struct net_socket *socket_for(struct net *n, const struct endpoint *to, bool nat_t)
{
	int family = to->ip.family == 4 ? AF_INET : AF_INET6;

	for (unsigned int i = 0; i < n->n_socks; i++)
		if (n->sock[i].family == family && n->sock[i].nat_t == nat_t && !n->sock[i].strangers)
			return &n->sock[i];
	return NULL;
}

/* Names the source address; the kernel routes by it and refuses one that is not ours. */
static void put_source(struct msghdr *mh, union net_control *control, const struct ip_addr *from)
{
	struct cmsghdr *c;

	if (addr_is_any(from))
		return;
	memset(control, 0, sizeof(*control));
	mh->msg_control = control->buf;
	mh->msg_controllen = sizeof(control->buf);
	c = CMSG_FIRSTHDR(mh);
	if (from->family == 4) {
		struct in_pktinfo info = {0};

		memcpy(&info.ipi_spec_dst, from->b, 4);
		c->cmsg_level = IPPROTO_IP;
		c->cmsg_type = IP_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		mh->msg_controllen = CMSG_SPACE(sizeof(info));
	} else {
		struct in6_pktinfo info = {0};

		memcpy(&info.ipi6_addr, from->b, 16);
		c->cmsg_level = IPPROTO_IPV6;
		c->cmsg_type = IPV6_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		mh->msg_controllen = CMSG_SPACE(sizeof(info));
	}
}

static int send_parts(struct net *n, struct net_socket *s, const struct endpoint *from,
		      const struct endpoint *to, const struct slice *part, unsigned int parts)
{
	struct sockaddr_storage ss;
	struct iovec iov[2];
	union net_control control;
	struct msghdr mh = {.msg_name = &ss, .msg_iov = iov, .msg_iovlen = parts};
	char a[ENDPOINT_STRLEN];
	int err;

	mh.msg_namelen = endpoint_to_sockaddr(to, &ss);
	for (unsigned int i = 0; i < parts; i++)
		iov[i] = (struct iovec){.iov_base = (void *)part[i].p, .iov_len = part[i].n};
	put_source(&mh, &control, &from->ip);
	if (sendmsg(s->fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
		n->stat.out++;
		return 0;
	}
	err = -errno;
	n->stat.send_failed++;
	log_limited(&n->send_budget, LOG_NETWORK, 1, "sending to %s failed: %s", endpoint_str(to, a),
		    strerror(-err));
	return err;
}

int net_send(struct net *n, const struct endpoint *from, const struct endpoint *to,
	     struct slice datagram)
{
	bool nat_t = from->port == n->port_nat_t;
	struct net_socket *s;
	const struct slice part[2] = {slice_of(non_esp_marker, sizeof(non_esp_marker)), datagram};

	if (!to->ip.family || !to->port || !datagram.n)
		return -EINVAL;
	if (from->ip.family && from->ip.family != to->ip.family)
		return -EINVAL;
	s = socket_for(n, to, nat_t);
	if (!s)
		return -EAFNOSUPPORT;
	return nat_t ? send_parts(n, s, from, to, part, 2) : send_parts(n, s, from, to, part + 1, 1);
}

int net_keepalive(struct net *n, const struct endpoint *from, const struct endpoint *to)
{
	const struct slice byte = slice_of(&keepalive_byte, 1);
	struct net_socket *s;

	if (!to->ip.family || !to->port || (from->ip.family && from->ip.family != to->ip.family))
		return -EINVAL;
	s = socket_for(n, to, true);
	if (!s)
		return -EAFNOSUPPORT;
	return send_parts(n, s, from, to, &byte, 1);
}

int net_source_for(const struct ip_addr *to, struct ip_addr *out)
{
	/* The port is never used: connecting a datagram socket sends nothing. */
	struct endpoint e = {.ip = *to, .port = 500}, self = {0};
	struct sockaddr_storage ss;
	socklen_t len = endpoint_to_sockaddr(&e, &ss);
	int fd, err = 0;

	if (!len || addr_is_any(to))
		return -EINVAL;
	fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&ss, len))
		err = -errno;
	len = sizeof(ss);
	if (!err && getsockname(fd, (struct sockaddr *)&ss, &len))
		err = -errno;
	close(fd);
	if (!err)
		err = endpoint_from_sockaddr(&ss, &self);
	if (!err && addr_is_any(&self.ip))
		err = -ENETUNREACH;
	if (!err)
		*out = self.ip;
	return err;
}

void net_stat_get(const struct net *n, struct net_stat *out)
{
	*out = n->stat;
}
