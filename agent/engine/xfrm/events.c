/* SPDX-License-Identifier: BSD-2-Clause */
#include "client_int.h"

#include <event2/event.h>
#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/xfrm.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

/*
 * What the kernel tells of its own accord. Groups: acquire, expire, SA, policy, mapping. Not
 * XFRMNLGRP_AEVENTS: with a listener there the kernel sends a message for every second packet of
 * every SA.
 */

enum { EVENT_BYTES = 8192, TYPES = 7 };

/*
 * Lets pass what xfrm_get_event reads and somebody else caused. So the messages with keys (each new
 * SA is told of with its keys) never come here, and a thousand SAs of ours cannot fill the socket.
 */
static int attach_filter(int fd, uint32_t our_port)
{
	static const uint8_t types[TYPES] = {
	    XFRM_MSG_DELSA,   XFRM_MSG_DELPOLICY,   XFRM_MSG_ACQUIRE, XFRM_MSG_EXPIRE,
	    XFRM_MSG_FLUSHSA, XFRM_MSG_FLUSHPOLICY, XFRM_MSG_MAPPING};
	/* The type's low byte; words are loaded as if they were in network order. */
	const uint32_t low = offsetof(struct nlmsghdr, nlmsg_type) + (htons(1) == 1);
	struct sock_filter code[TYPES + 5] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohl(our_port), TYPES + 1, 0),
	    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, low),
	};
	struct sock_fprog prog = {.len = TYPES + 5, .filter = code};

	for (unsigned int i = 0; i < TYPES; i++)
		code[3 + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, types[i],
							   (uint8_t)(TYPES - i), 0);
	code[TYPES + 3] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	code[TYPES + 4] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) ? -errno : 0;
}

static void tell_event(struct xfrm_client *c, const struct xfrm_event *ev)
{
	c->stat.events++;
	c->ops->event(c->ctx, ev);
}

static void on_messages(struct xfrm_client *c, const void *buf, size_t n)
{
	struct slice left = slice_of(buf, n);
	const struct nlmsghdr *nlh;
	struct xfrm_event ev;

	while ((nlh = xfrm_next_message(&left))) {
		int r = xfrm_get_event(nlh, &ev);

		if (r > 0)
			tell_event(c, &ev);
		c->stat.malformed += r < 0;
	}
}

static void on_news(evutil_socket_t fd, short what, void *arg)
{
	static const struct xfrm_event overrun = {.kind = XF_EV_OVERRUN};
	_Alignas(8) uint8_t buf[EVENT_BYTES];
	struct xfrm_client *c = arg;
	bool lost = false;

	(void)what;
	for (int i = 0; i < XF_EVENTS_A_TURN; i++) {
		struct sockaddr_nl from = {0};
		struct iovec iov = {.iov_base = buf, .iov_len = sizeof(buf)};
		struct msghdr mh = {.msg_name = &from,
				    .msg_namelen = sizeof(from),
				    .msg_iov = &iov,
				    .msg_iovlen = 1};
		ssize_t n = recvmsg(fd, &mh, MSG_DONTWAIT);

		if (n < 0 && errno == ENOBUFS) {
			c->stat.overruns++;
			lost = true;
			continue;
		}
		if (n < 0)
			break;
		if (from.nl_pid || (mh.msg_flags & MSG_TRUNC)) {
			c->stat.malformed++;
			continue;
		}
		on_messages(c, buf, (size_t)n);
	}
	/* Behind what did arrive: who looks at all there is, looks once. */
	if (lost)
		tell_event(c, &overrun);
	secret_wipe(buf, sizeof(buf));
}

int client_hear(struct xfrm_client *c)
{
	static const int groups[] = {XFRMNLGRP_ACQUIRE, XFRMNLGRP_EXPIRE, XFRMNLGRP_SA,
				     XFRMNLGRP_POLICY, XFRMNLGRP_MAPPING};
	int bytes = c->ops->event_rcvbuf ? c->ops->event_rcvbuf : XF_EVENT_RCVBUF, fd, r;

	c->hear = mnl_socket_open2(NETLINK_XFRM, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!c->hear || mnl_socket_bind(c->hear, 0, MNL_SOCKET_AUTOPID))
		return -errno;
	fd = mnl_socket_get_fd(c->hear);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	r = attach_filter(fd, mnl_socket_get_portid(c->ask));
	if (r)
		return r;
	for (unsigned int i = 0; i < sizeof(groups) / sizeof(*groups); i++)
		if (mnl_socket_setsockopt(c->hear, NETLINK_ADD_MEMBERSHIP, (void *)&groups[i],
					  sizeof(groups[i])))
			return -errno;
	c->news = event_new(c->base, fd, EV_READ | EV_PERSIST, on_news, c);
	return c->news && !event_add(c->news, NULL) ? 0 : -ENOMEM;
}

void client_deaf(struct xfrm_client *c)
{
	if (c->news)
		event_free(c->news);
	if (c->hear)
		mnl_socket_close(c->hear);
	c->news = NULL;
	c->hear = NULL;
}
