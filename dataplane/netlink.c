/* SPDX-License-Identifier: BSD-2-Clause */
#include "netlink.h"
#include "ip.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/time.h>

#ifndef IFF_UP
#define IFF_UP 1
#endif

enum { BUF = 32768, ANSWER_MS = 500 };

struct netlink {
	struct mnl_socket *ask, *hear;
	net_change_fn fn;
	void *ctx;
	uint32_t seq;
	char buf[BUF];
};

static struct mnl_socket *sock_open(unsigned int groups)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

	if (s && mnl_socket_bind(s, groups, MNL_SOCKET_AUTOPID) < 0) {
		mnl_socket_close(s);
		return NULL;
	}
	return s;
}

struct netlink *netlink_open(net_change_fn fn, void *ctx)
{
	const unsigned int groups = RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE |
				    RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE;
	const struct timeval answer = {.tv_usec = ANSWER_MS * 1000};
	struct netlink *nl = calloc(1, sizeof(*nl));

	if (!nl)
		return NULL;
	nl->fn = fn;
	nl->ctx = ctx;
	nl->ask = sock_open(0);
	nl->hear = sock_open(groups);
	if (!nl->ask || !nl->hear) {
		netlink_close(nl);
		return NULL;
	}
	setsockopt(mnl_socket_get_fd(nl->ask), SOL_SOCKET, SO_RCVTIMEO, &answer, sizeof(answer));
	return nl;
}

void netlink_close(struct netlink *nl)
{
	if (nl->ask)
		mnl_socket_close(nl->ask);
	if (nl->hear)
		mnl_socket_close(nl->hear);
	free(nl);
}

int netlink_fd(const struct netlink *nl)
{
	return mnl_socket_get_fd(nl->hear);
}

/* ---- questions ---------------------------------------------------------------------------- */

static struct nlmsghdr *request(struct netlink *nl, void *buf, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = ++nl->seq;
	return h;
}

/* Sends and runs cb over the answer: the one message of a get, or all of a dump. */
static int answer(struct netlink *nl, struct nlmsghdr *h, mnl_cb_t cb, void *data)
{
	bool dump = (h->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	uint32_t seq = h->nlmsg_seq;
	int run = MNL_CB_OK;
	ssize_t n;

	if (mnl_socket_sendto(nl->ask, h, h->nlmsg_len) < 0)
		return -errno;
	do {
		n = mnl_socket_recvfrom(nl->ask, nl->buf, sizeof(nl->buf));
		if (n < 0)
			return -errno;
		/* An answer that came too late for its question. */
		if ((size_t)n >= sizeof(*h) && ((struct nlmsghdr *)nl->buf)->nlmsg_seq != seq)
			continue;
		run = mnl_cb_run(nl->buf, (size_t)n, seq, 0, cb, data);
		if (run < 0)
			return -errno;
		if (!dump)
			break;
	} while (run > MNL_CB_STOP);
	return 0;
}

struct attrs {
	const struct nlattr **tb;
	uint16_t max;
};

static int attr_one(const struct nlattr *attr, void *data)
{
	struct attrs *a = data;
	uint16_t type = mnl_attr_get_type(attr);

	if (type <= a->max)
		a->tb[type] = attr;
	return MNL_CB_OK;
}

static void attrs_of(const struct nlmsghdr *h, size_t hdr, const struct nlattr **tb, uint16_t max)
{
	struct attrs a = {.tb = tb, .max = max};

	mnl_attr_parse(h, (unsigned int)hdr, attr_one, &a);
}

static bool attr_addr(const struct nlattr *attr, uint8_t family, uint8_t out[16])
{
	uint16_t n = attr ? mnl_attr_get_payload_len(attr) : 0;

	if (family == AF_INET && n == 4)
		ip4_to_mapped(mnl_attr_get_payload(attr), out);
	else if (family == AF_INET6 && n == 16)
		memcpy(out, mnl_attr_get_payload(attr), 16);
	else
		return false;
	return true;
}

static void put_addr(struct nlmsghdr *h, uint16_t type, const uint8_t addr[16])
{
	if (ip_is_mapped4(addr))
		mnl_attr_put(h, type, 4, addr + 12);
	else
		mnl_attr_put(h, type, 16, addr);
}

static int metric_mtu(const struct nlattr *attr, void *data)
{
	if (mnl_attr_get_type(attr) == RTAX_MTU && mnl_attr_get_payload_len(attr) >= 4)
		*(uint32_t *)data = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static int route_cb(const struct nlmsghdr *h, void *data)
{
	const struct rtmsg *rt = mnl_nlmsg_get_payload(h);
	const struct nlattr *tb[RTA_MAX + 1] = {NULL};
	struct route *out = data;

	if (h->nlmsg_type != RTM_NEWROUTE)
		return MNL_CB_OK;
	attrs_of(h, sizeof(*rt), tb, RTA_MAX);
	switch (rt->rtm_type) {
	case RTN_UNICAST:
		out->kind = ROUTE_UNICAST;
		break;
	case RTN_LOCAL:
	case RTN_BROADCAST:
	case RTN_MULTICAST:
	case RTN_ANYCAST:
		out->kind = ROUTE_LOCAL;
		break;
	default:
		out->kind = ROUTE_NONE;
	}
	if (tb[RTA_OIF])
		out->ifindex = mnl_attr_get_u32(tb[RTA_OIF]);
	attr_addr(tb[RTA_GATEWAY], rt->rtm_family, out->via);
	/* A gateway of the other family (RTA_VIA) is not ours to resolve: the kernel forwards. */
	if (tb[RTA_VIA])
		out->ifindex = 0;
	if (tb[RTA_METRICS])
		mnl_attr_parse_nested(tb[RTA_METRICS], metric_mtu, &out->mtu);
	return MNL_CB_OK;
}

int netlink_route(struct netlink *nl, const uint8_t dst[16], struct route *out)
{
	uint64_t buf[64];
	bool v4 = ip_is_mapped4(dst);
	struct nlmsghdr *h = request(nl, buf, RTM_GETROUTE, 0);
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(h, sizeof(*rt));

	memset(out, 0, sizeof(*out));
	memcpy(out->via, dst, 16);
	rt->rtm_family = v4 ? AF_INET : AF_INET6;
	rt->rtm_dst_len = v4 ? 32 : 128;
	put_addr(h, RTA_DST, dst);
	return answer(nl, h, route_cb, out);
}

struct neigh_find {
	uint8_t mac[6];
	bool found;
};

static int neigh_cb(const struct nlmsghdr *h, void *data)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(h);
	const uint16_t valid = NUD_PERMANENT | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE;
	const struct nlattr *tb[NDA_MAX + 1] = {NULL};
	struct neigh_find *find = data;

	if (h->nlmsg_type != RTM_NEWNEIGH || !(nd->ndm_state & valid))
		return MNL_CB_OK;
	attrs_of(h, sizeof(*nd), tb, NDA_MAX);
	if (tb[NDA_LLADDR] && mnl_attr_get_payload_len(tb[NDA_LLADDR]) == 6) {
		memcpy(find->mac, mnl_attr_get_payload(tb[NDA_LLADDR]), 6);
		find->found = true;
	}
	return MNL_CB_OK;
}

int netlink_neigh(struct netlink *nl, uint32_t ifindex, const uint8_t addr[16], uint8_t mac[6])
{
	uint64_t buf[64];
	struct nlmsghdr *h = request(nl, buf, RTM_GETNEIGH, 0);
	struct ndmsg *nd = mnl_nlmsg_put_extra_header(h, sizeof(*nd));
	struct neigh_find find = {.found = false};
	int err;

	nd->ndm_family = ip_is_mapped4(addr) ? AF_INET : AF_INET6;
	nd->ndm_ifindex = (int)ifindex;
	put_addr(h, NDA_DST, addr);
	err = answer(nl, h, neigh_cb, &find);
	if (err)
		return err;
	if (!find.found)
		return -ENOENT;
	memcpy(mac, find.mac, 6);
	return 0;
}

struct link_find {
	uint32_t mtu;
	uint8_t mac[6];
	bool up;
};

static int link_cb(const struct nlmsghdr *h, void *data)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(h);
	const struct nlattr *tb[IFLA_MAX + 1] = {NULL};
	struct link_find *find = data;

	if (h->nlmsg_type != RTM_NEWLINK)
		return MNL_CB_OK;
	attrs_of(h, sizeof(*ifi), tb, IFLA_MAX);
	find->up = ifi->ifi_flags & IFF_UP;
	if (tb[IFLA_MTU])
		find->mtu = mnl_attr_get_u32(tb[IFLA_MTU]);
	if (tb[IFLA_ADDRESS] && mnl_attr_get_payload_len(tb[IFLA_ADDRESS]) == 6)
		memcpy(find->mac, mnl_attr_get_payload(tb[IFLA_ADDRESS]), 6);
	return MNL_CB_OK;
}

int netlink_link(struct netlink *nl, uint32_t ifindex, uint32_t *mtu, uint8_t mac[6], bool *up)
{
	uint64_t buf[64];
	struct nlmsghdr *h = request(nl, buf, RTM_GETLINK, 0);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(h, sizeof(*ifi));
	struct link_find find = {0};
	int err;

	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = (int)ifindex;
	err = answer(nl, h, link_cb, &find);
	if (err)
		return err;
	*mtu = find.mtu;
	*up = find.up;
	memcpy(mac, find.mac, 6);
	return 0;
}

struct addr_find {
	uint32_t ifindex, addr_be;
	bool found;
};

static int addr_cb(const struct nlmsghdr *h, void *data)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(h);
	const struct nlattr *tb[IFA_MAX + 1] = {NULL};
	struct addr_find *find = data;

	if (h->nlmsg_type != RTM_NEWADDR || ifa->ifa_index != find->ifindex || find->found)
		return MNL_CB_OK;
	attrs_of(h, sizeof(*ifa), tb, IFA_MAX);
	if (tb[IFA_LOCAL] && mnl_attr_get_payload_len(tb[IFA_LOCAL]) == 4) {
		memcpy(&find->addr_be, mnl_attr_get_payload(tb[IFA_LOCAL]), 4);
		find->found = true;
	}
	return MNL_CB_OK;
}

int netlink_addr4(struct netlink *nl, uint32_t ifindex, uint32_t *addr_be)
{
	uint64_t buf[64];
	struct nlmsghdr *h = request(nl, buf, RTM_GETADDR, NLM_F_DUMP);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(h, sizeof(*ifa));
	struct addr_find find = {.ifindex = ifindex};
	int err;

	ifa->ifa_family = AF_INET;
	err = answer(nl, h, addr_cb, &find);
	if (err)
		return err;
	if (!find.found)
		return -ENOENT;
	*addr_be = find.addr_be;
	return 0;
}

struct addr6_find {
	uint32_t ifindex;
	uint8_t addr[16];
	bool found, global;
};

static int addr6_cb(const struct nlmsghdr *h, void *data)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(h);
	const struct nlattr *tb[IFA_MAX + 1] = {NULL};
	struct addr6_find *find = data;
	bool global = ifa->ifa_scope == RT_SCOPE_UNIVERSE;

	if (h->nlmsg_type != RTM_NEWADDR || ifa->ifa_index != find->ifindex ||
	    ifa->ifa_flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED) ||
	    (find->found && (find->global || !global)))
		return MNL_CB_OK;
	attrs_of(h, sizeof(*ifa), tb, IFA_MAX);
	if (!attr_addr(tb[tb[IFA_LOCAL] ? IFA_LOCAL : IFA_ADDRESS], AF_INET6, find->addr))
		return MNL_CB_OK;
	find->found = true;
	find->global = global;
	return MNL_CB_OK;
}

int netlink_addr6(struct netlink *nl, uint32_t ifindex, uint8_t addr[16])
{
	uint64_t buf[64];
	struct nlmsghdr *h = request(nl, buf, RTM_GETADDR, NLM_F_DUMP);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(h, sizeof(*ifa));
	struct addr6_find find = {.ifindex = ifindex};
	int err;

	ifa->ifa_family = AF_INET6;
	err = answer(nl, h, addr6_cb, &find);
	if (err)
		return err;
	if (!find.found)
		return -ENOENT;
	memcpy(addr, find.addr, 16);
	return 0;
}

/* ---- changes -------------------------------------------------------------------------------- */

static bool neigh_change(const struct nlmsghdr *h, struct net_change *c)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(h);
	const struct nlattr *tb[NDA_MAX + 1] = {NULL};

	attrs_of(h, sizeof(*nd), tb, NDA_MAX);
	c->kind = NET_NEIGH;
	c->ifindex = (uint32_t)nd->ndm_ifindex;
	return attr_addr(tb[NDA_DST], nd->ndm_family, c->addr);
}

static int change_cb(const struct nlmsghdr *h, void *data)
{
	struct netlink *nl = data;
	struct net_change c = {.kind = NET_ROUTE};

	switch (h->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		c.kind = h->nlmsg_type == RTM_NEWLINK ? NET_LINK : NET_LINK_GONE;
		c.ifindex = (uint32_t)((const struct ifinfomsg *)mnl_nlmsg_get_payload(h))->ifi_index;
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		c.kind = NET_ADDR;
		c.ifindex = ((const struct ifaddrmsg *)mnl_nlmsg_get_payload(h))->ifa_index;
		break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		if (!neigh_change(h, &c))
			return MNL_CB_OK;
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		break;
	default:
		return MNL_CB_OK;
	}
	nl->fn(nl->ctx, &c);
	return MNL_CB_OK;
}

void netlink_read(struct netlink *nl)
{
	const struct net_change lost = {.kind = NET_LOST};
	/* Not nl->buf: what a change leads to asks questions. */
	char buf[16384] __attribute__((aligned(8)));
	ssize_t n = recv(mnl_socket_get_fd(nl->hear), buf, sizeof(buf), MSG_DONTWAIT);

	if (n < 0) {
		if (errno == ENOBUFS)
			nl->fn(nl->ctx, &lost);
		return;
	}
	mnl_cb_run(buf, (size_t)n, 0, 0, change_cb, nl);
}
