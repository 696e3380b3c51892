/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stdint.h>

/* Interfaces of this network namespace by rtnetlink, for the two kinds that the loader makes. All
 * give 0 or -errno. */

enum { LINK_ALIAS_LEN = 160 };

struct link_row {
	uint32_t ifindex;
	char ifname[16];
	char alias[LINK_ALIAS_LEN];
	char kind[16];	 /* "veth", "xfrm"; empty for hardware */
	bool collect_md; /* an XFRM interface for every if_id */
};

/* One request; with cb the answers go to it, all of them when NLM_F_DUMP is set. */
int link_ask(struct nlmsghdr *nlh, mnl_cb_t cb, void *ctx);
/* The beginning of a request about an interface; flags (IFF_*) are set. ifname NULL: about all. */
struct nlmsghdr *link_msg(char *buf, uint16_t type, const char *ifname, unsigned int flags);
/* -ENODEV when there is none. */
int link_find(const char *ifname, struct link_row *out);
/* The XFRM interface in collect-metadata mode, of which a namespace has one; -ENODEV. */
int link_find_xfrm(struct link_row *out);
int link_set_alias(const char *ifname, const char *alias);
/* No address of its own, so that IPv6 has nothing to say there. Without IPv6 this fails, and is not
 * needed. */
void link_set_quiet(const char *ifname);
/* mtu 0: as it is. */
int link_set_up(const char *ifname, uint32_t mtu);
int link_del(const char *ifname);
