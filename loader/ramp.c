// SPDX-License-Identifier: BSD-2-Clause
#include "loader.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * The alias of the near end says whose it is: a pair of that name that somebody else made is never
 * touched. The pair has no addresses, and nobody routes to it.
 */
enum { ALIAS_LEN = 160, ANSWER = 16384, GEN_MODE_NONE = 1 };

static void alias_of(const char *pin_dir, char alias[ALIAS_LEN])
{
	snprintf(alias, ALIAS_LEN, "xdpsec on-ramp of %.120s", pin_dir);
}

/* One request; with cb the answer goes to it. */
static int ask(struct nlmsghdr *nlh, mnl_cb_t cb, void *ctx)
{
	static char buf[ANSWER];
	struct mnl_socket *s = mnl_socket_open(NETLINK_ROUTE);
	int err = 0;
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
	n = mnl_socket_recvfrom(s, buf, sizeof(buf));
	if (n < 0 || mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(s), cb, ctx) < 0)
		err = -errno;
close:
	mnl_socket_close(s);
	return err;
}

static struct nlmsghdr *link_msg(char *buf, uint16_t type, const char *ifname, unsigned int flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifi;

	nlh->nlmsg_type = type;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_flags = ifi->ifi_change = flags;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, ifname);
	return nlh;
}

struct found {
	uint32_t ifindex;
	char alias[ALIAS_LEN];
};

static int found_attr(const struct nlattr *attr, void *ctx)
{
	struct found *f = ctx;

	if (mnl_attr_get_type(attr) == IFLA_IFALIAS && !mnl_attr_validate(attr, MNL_TYPE_STRING))
		snprintf(f->alias, sizeof(f->alias), "%.*s", (int)mnl_attr_get_payload_len(attr),
			 mnl_attr_get_str(attr));
	return MNL_CB_OK;
}

static int found_link(const struct nlmsghdr *nlh, void *ctx)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct found *f = ctx;

	f->ifindex = (uint32_t)ifi->ifi_index;
	return mnl_attr_parse(nlh, sizeof(*ifi), found_attr, f);
}

static int find(const char *ifname, struct found *out)
{
	char buf[512];

	memset(out, 0, sizeof(*out));
	return ask(link_msg(buf, RTM_GETLINK, ifname, 0), found_link, out);
}

static int make(void)
{
	char buf[1024];
	struct nlmsghdr *nlh = link_msg(buf, RTM_NEWLINK, GW_RAMP_NEAR, 0);
	struct nlattr *info, *data, *peer;

	nlh->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(nlh, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, GW_RAMP_FAR);
	mnl_attr_nest_end(nlh, peer);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	return ask(nlh, NULL, NULL);
}

static int set_alias(const char *alias)
{
	char buf[512];
	struct nlmsghdr *nlh = link_msg(buf, RTM_NEWLINK, GW_RAMP_NEAR, 0);

	mnl_attr_put_strz(nlh, IFLA_IFALIAS, alias);
	return ask(nlh, NULL, NULL);
}

/* No address of its own, so that IPv6 has nothing to say there. Without IPv6 this fails, and is not
 * needed. */
static void set_quiet(const char *ifname)
{
	char buf[512];
	struct nlmsghdr *nlh = link_msg(buf, RTM_NEWLINK, ifname, 0);
	struct nlattr *spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC), *inet6;

	inet6 = mnl_attr_nest_start(nlh, AF_INET6);
	mnl_attr_put_u8(nlh, IFLA_INET6_ADDR_GEN_MODE, GEN_MODE_NONE);
	mnl_attr_nest_end(nlh, inet6);
	mnl_attr_nest_end(nlh, spec);
	ask(nlh, NULL, NULL);
}

static int set_up(const char *ifname, uint32_t mtu)
{
	char buf[512];
	struct nlmsghdr *nlh = link_msg(buf, RTM_NEWLINK, ifname, IFF_UP);

	mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
	return ask(nlh, NULL, NULL);
}

/* The kernel finishes checksums and cuts super-packets before they enter: what comes out is what
 * would have been on the wire. */
static int offloads_off(void)
{
	static const uint32_t cmds[] = {ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0)
		return -errno;
	for (unsigned int i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++) {
		struct ethtool_value off = {.cmd = cmds[i]};
		struct ifreq ifr = {.ifr_data = (void *)&off};

		strcpy(ifr.ifr_name, GW_RAMP_NEAR);
		if (ioctl(fd, SIOCETHTOOL, &ifr) && !i)
			err = -errno;
	}
	close(fd);
	return err;
}

static int prepare(const char *alias, uint32_t mtu)
{
	int e = set_alias(alias);

	if (e)
		return e;
	set_quiet(GW_RAMP_NEAR);
	set_quiet(GW_RAMP_FAR);
	e = offloads_off();
	if (!e)
		e = set_up(GW_RAMP_NEAR, mtu);
	return e ? e : set_up(GW_RAMP_FAR, mtu);
}

int ramp_up(const char *pin_dir, uint32_t mtu, uint32_t *ifindex, bool *made)
{
	char alias[ALIAS_LEN];
	struct found f;
	int e = find(GW_RAMP_NEAR, &f);

	*made = false;
	alias_of(pin_dir, alias);
	if (e && e != -ENODEV)
		return e;
	if (!e && strcmp(f.alias, alias) != 0)
		return -EEXIST;
	if (e) {
		e = make();
		if (e)
			return e;
		*made = true;
	}
	e = prepare(alias, mtu);
	if (!e)
		e = find(GW_RAMP_NEAR, &f);
	if (e && *made) {
		set_alias(alias); /* or it would be a stranger's */
		ramp_remove(pin_dir);
		*made = false;
	}
	*ifindex = f.ifindex;
	return e;
}

void ramp_remove(const char *pin_dir)
{
	char alias[ALIAS_LEN], buf[512];
	struct found f;

	alias_of(pin_dir, alias);
	if (!find(GW_RAMP_NEAR, &f) && !strcmp(f.alias, alias))
		ask(link_msg(buf, RTM_DELLINK, GW_RAMP_NEAR, 0), NULL, NULL);
}
