// SPDX-License-Identifier: BSD-2-Clause
#include "link.h"
#include "loader.h"

#include <errno.h>
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

static void alias_of(const char *pin_dir, char alias[LINK_ALIAS_LEN])
{
	snprintf(alias, LINK_ALIAS_LEN, "xdpsec on-ramp of %.120s", pin_dir);
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
	return link_ask(nlh, NULL, NULL);
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
	int e = link_set_alias(GW_RAMP_NEAR, alias);

	if (e)
		return e;
	link_set_quiet(GW_RAMP_NEAR);
	link_set_quiet(GW_RAMP_FAR);
	e = offloads_off();
	if (!e)
		e = link_set_up(GW_RAMP_NEAR, mtu);
	return e ? e : link_set_up(GW_RAMP_FAR, mtu);
}

int ramp_up(const char *pin_dir, uint32_t mtu, uint32_t *ifindex, bool *made)
{
	char alias[LINK_ALIAS_LEN];
	struct link_row f;
	int e = link_find(GW_RAMP_NEAR, &f);

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
		e = link_find(GW_RAMP_NEAR, &f);
	if (e && *made) {
		link_set_alias(GW_RAMP_NEAR, alias); /* or it would be a stranger's */
		ramp_remove(pin_dir);
		*made = false;
	}
	*ifindex = f.ifindex;
	return e;
}

void ramp_remove(const char *pin_dir)
{
	char alias[LINK_ALIAS_LEN];
	struct link_row f;

	alias_of(pin_dir, alias);
	if (!link_find(GW_RAMP_NEAR, &f) && !strcmp(f.alias, alias))
		link_del(GW_RAMP_NEAR);
}
