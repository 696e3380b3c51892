// SPDX-License-Identifier: BSD-2-Clause
#include "link.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { ANSWER = 16384, GEN_MODE_NONE = 1 };

int link_ask(struct nlmsghdr *nlh, mnl_cb_t cb, void *ctx)
{
	static char buf[ANSWER];
	struct mnl_socket *s = mnl_socket_open(NETLINK_ROUTE);
	int err = 0, more = MNL_CB_OK;
	ssize_t n;

	if (!s)
		return -errno;
	nlh->nlmsg_flags |= NLM_F_REQUEST | (cb ? 0 : NLM_F_ACK);
	nlh->nlmsg_seq = 1;
	if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(s, nlh, nlh->nlmsg_len) < 0) {
		err = -errno;
		goto close;
	}
	while (!err && more > MNL_CB_STOP) {
		n = mnl_socket_recvfrom(s, buf, sizeof(buf));
		more = n < 0 ? MNL_CB_ERROR
			     : mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(s), cb, ctx);
		if (more < MNL_CB_STOP)
			err = -errno;
		/* A dump ends by itself; one answer is one message. */
		if ((nlh->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
			break;
	}
close:
	mnl_socket_close(s);
	return err;
}

struct nlmsghdr *link_msg(char *buf, uint16_t type, const char *ifname, unsigned int flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifi;

	nlh->nlmsg_type = type;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_flags = ifi->ifi_change = flags;
	if (ifname)
		mnl_attr_put_strz(nlh, IFLA_IFNAME, ifname);
	return nlh;
}

static void text_of(const struct nlattr *attr, char *to, size_t n)
{
	if (!mnl_attr_validate(attr, MNL_TYPE_STRING))
		snprintf(to, n, "%.*s", (int)mnl_attr_get_payload_len(attr),
			 mnl_attr_get_str(attr));
}

static int data_attr(const struct nlattr *attr, void *ctx)
{
	struct link_row *l = ctx;

	if (mnl_attr_get_type(attr) == IFLA_XFRM_COLLECT_METADATA)
		l->collect_md = true;
	return MNL_CB_OK;
}

static int info_attr(const struct nlattr *attr, void *ctx)
{
	struct link_row *l = ctx;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
		text_of(attr, l->kind, sizeof(l->kind));
	/* The kind stands before its data. */
	if (mnl_attr_get_type(attr) == IFLA_INFO_DATA && !strcmp(l->kind, "xfrm"))
		return mnl_attr_parse_nested(attr, data_attr, l);
	return MNL_CB_OK;
}

static int row_attr(const struct nlattr *attr, void *ctx)
{
	struct link_row *l = ctx;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME:
		text_of(attr, l->ifname, sizeof(l->ifname));
		break;
	case IFLA_IFALIAS:
		text_of(attr, l->alias, sizeof(l->alias));
		break;
	case IFLA_LINKINFO:
		return mnl_attr_parse_nested(attr, info_attr, l);
	}
	return MNL_CB_OK;
}

static int row_read(const struct nlmsghdr *nlh, struct link_row *l)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);

	memset(l, 0, sizeof(*l));
	l->ifindex = (uint32_t)ifi->ifi_index;
	return mnl_attr_parse(nlh, sizeof(*ifi), row_attr, l);
}

static int found(const struct nlmsghdr *nlh, void *ctx)
{
	return row_read(nlh, ctx);
}

int link_find(const char *ifname, struct link_row *out)
{
	char buf[512];

	memset(out, 0, sizeof(*out));
	return link_ask(link_msg(buf, RTM_GETLINK, ifname, 0), found, out);
}

/* The first that is, of all. */
static int found_xfrm(const struct nlmsghdr *nlh, void *ctx)
{
	struct link_row *out = ctx, l;

	if (row_read(nlh, &l) == MNL_CB_OK && l.collect_md && !out->ifindex)
		*out = l;
	return MNL_CB_OK;
}

int link_find_xfrm(struct link_row *out)
{
	char buf[512];
	struct nlmsghdr *nlh = link_msg(buf, RTM_GETLINK, NULL, 0);
	int e;

	memset(out, 0, sizeof(*out));
	nlh->nlmsg_flags = NLM_F_DUMP;
	e = link_ask(nlh, found_xfrm, out);
	return e || out->ifindex ? e : -ENODEV;
}

int link_set_alias(const char *ifname, const char *alias)
{
	char buf[512];
	struct nlmsghdr *nlh = link_msg(buf, RTM_NEWLINK, ifname, 0);

	mnl_attr_put_strz(nlh, IFLA_IFALIAS, alias);
	return link_ask(nlh, NULL, NULL);
}

void link_set_quiet(const char *ifname)
{
	char buf[512];
	struct nlmsghdr *nlh = link_msg(buf, RTM_NEWLINK, ifname, 0);
	struct nlattr *spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC), *inet6;

	inet6 = mnl_attr_nest_start(nlh, AF_INET6);
	mnl_attr_put_u8(nlh, IFLA_INET6_ADDR_GEN_MODE, GEN_MODE_NONE);
	mnl_attr_nest_end(nlh, inet6);
	mnl_attr_nest_end(nlh, spec);
	link_ask(nlh, NULL, NULL);
}

int link_set_up(const char *ifname, uint32_t mtu)
{
	char buf[512];
	struct nlmsghdr *nlh = link_msg(buf, RTM_NEWLINK, ifname, IFF_UP);

	if (mtu)
		mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
	return link_ask(nlh, NULL, NULL);
}

int link_del(const char *ifname)
{
	char buf[512];

	return link_ask(link_msg(buf, RTM_DELLINK, ifname, 0), NULL, NULL);
}
