// SPDX-License-Identifier: BSD-2-Clause
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <string.h>

enum { PROBE_SPI = 0x1000, PROBE_IF_ID = 1 };

/* Sends one request and gives what the kernel acknowledges it with. */
static int ask(int bus, struct nlmsghdr *nlh)
{
	char buf[8192];
	struct mnl_socket *s = mnl_socket_open(bus);
	int err = 0;
	ssize_t n;

	if (!s)
		return -errno;
	nlh->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = 1;
	if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(s, nlh, nlh->nlmsg_len) < 0) {
		err = -errno;
		goto close;
	}
	n = mnl_socket_recvfrom(s, buf, sizeof(buf));
	if (n < 0 || mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(s), NULL, NULL) < 0)
		err = -errno;
close:
	mnl_socket_close(s);
	return err;
}

static struct nlmsghdr *new_link(char *buf, const char *ifname)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = RTM_NEWLINK;
	nlh->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, ifname);
	return nlh;
}

int probe_make_veth(const char *a, const char *b)
{
	char buf[1024];
	struct nlmsghdr *nlh = new_link(buf, a);
	struct nlattr *info = mnl_attr_nest_start(nlh, IFLA_LINKINFO), *data, *peer;

	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(nlh, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, b);
	mnl_attr_nest_end(nlh, peer);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	return ask(NETLINK_ROUTE, nlh);
}

int probe_xfrm_interface(void)
{
	char buf[1024];
	struct nlmsghdr *nlh = new_link(buf, "xsprobe-x");
	struct nlattr *info = mnl_attr_nest_start(nlh, IFLA_LINKINFO), *data;

	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "xfrm");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	mnl_attr_put_u32(nlh, IFLA_XFRM_LINK, 1);
	mnl_attr_put_u32(nlh, IFLA_XFRM_IF_ID, PROBE_IF_ID);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	return ask(NETLINK_ROUTE, nlh);
}

static void put_null_algo(struct nlmsghdr *nlh, uint16_t type, const char *name)
{
	struct xfrm_algo algo = {0}; /* no key: these have none */

	strncpy(algo.alg_name, name, sizeof(algo.alg_name) - 1);
	mnl_attr_put(nlh, type, sizeof(algo), &algo);
}

int probe_xfrm_esp(void)
{
	char buf[2048];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct xfrm_usersa_info *sa;

	nlh->nlmsg_type = XFRM_MSG_NEWSA;
	nlh->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	sa = mnl_nlmsg_put_extra_header(nlh, sizeof(*sa));
	sa->id.daddr.a4 = htonl(INADDR_LOOPBACK);
	sa->saddr.a4 = htonl(INADDR_LOOPBACK);
	sa->id.spi = htonl(PROBE_SPI);
	sa->id.proto = IPPROTO_ESP;
	sa->family = AF_INET;
	sa->mode = XFRM_MODE_TUNNEL;
	sa->lft.soft_byte_limit = sa->lft.hard_byte_limit = XFRM_INF;
	sa->lft.soft_packet_limit = sa->lft.hard_packet_limit = XFRM_INF;
	put_null_algo(nlh, XFRMA_ALG_AUTH, "digest_null");
	put_null_algo(nlh, XFRMA_ALG_CRYPT, "ecb(cipher_null)");
	return ask(NETLINK_XFRM, nlh);
}
