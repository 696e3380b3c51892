/* SPDX-License-Identifier: BSD-2-Clause */
#include "local_addrs.h"

#include "common/log.h"

#include <event2/event.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { NEWS_A_TURN = 64 };

struct local_addrs {
	struct xs_maps *maps;
	struct policies *policies;
	struct mnl_socket *nl;
	struct event *ready, *timer;
	struct log_budget budget;
};

static void sync_later(struct local_addrs *l, unsigned int ms)
{
	const struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};

	/* A timer that runs is not put off: a host that never rests is looked at, too. */
	if (!evtimer_pending(l->timer, NULL))
		evtimer_add(l->timer, &wait);
}

static void sync_now(struct local_addrs *l)
{
	int r = xs_local_sync(l->maps);

	if (r < 0) {
		log_limited(&l->budget, LOG_KERNEL, 0, "this host's addresses cannot be put into the map: %s",
			    strerror(-r));
		sync_later(l, LOCAL_ADDRS_RETRY_MS);
	}
	/* After an error part of it may have changed. Flows remember what was decided by the old addresses. */
	if (r)
		policies_refresh(l->policies);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	sync_now(arg);
}

/*
 * What the news says does not matter: all addresses are read again. So nothing is parsed, and news lost for want
 * of room (ENOBUFS) is news like any other. Addresses that go with their link are told one by one.
 */
static void on_news(evutil_socket_t fd, short what, void *arg)
{
	struct local_addrs *l = arg;
	char byte;

	(void)what;
	for (int i = 0; i < NEWS_A_TURN; i++) {
		if (recv(fd, &byte, sizeof(byte), MSG_DONTWAIT | MSG_TRUNC) < 0 && errno != ENOBUFS)
			return;
		sync_later(l, LOCAL_ADDRS_WAIT_MS);
	}
}

static int hear(struct local_addrs *l, struct event_base *base)
{
	l->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!l->nl || mnl_socket_bind(l->nl, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR, MNL_SOCKET_AUTOPID))
		return -errno;
	l->timer = evtimer_new(base, on_timer, l);
	l->ready = event_new(base, mnl_socket_get_fd(l->nl), EV_READ | EV_PERSIST, on_news, l);
	return l->timer && l->ready && !event_add(l->ready, NULL) ? 0 : -ENOMEM;
}

struct local_addrs *local_addrs_open(struct event_base *base, struct xs_maps *maps, struct policies *p)
{
	struct local_addrs *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return NULL;
	l->maps = maps;
	l->policies = p;
	l->budget = (struct log_budget)LOG_BUDGET_INIT;
	err = hear(l, base);
	if (err) {
		local_addrs_close(l);
		errno = -err;
		return NULL;
	}
	/* Only now: what changes while it is read is told afterwards. */
	sync_now(l);
	return l;
}

void local_addrs_close(struct local_addrs *l)
{
	if (!l)
		return;
	if (l->ready)
		event_free(l->ready);
	if (l->timer)
		event_free(l->timer);
	if (l->nl)
		mnl_socket_close(l->nl);
	free(l);
}
