/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * What the kernel knows of interfaces, addresses, routes and neighbours, asked for and listened to with
 * rtnetlink. Needs no privilege. Addresses are 16 bytes, IPv4 mapped. Control thread only.
 */
struct netlink;

enum route_kind {
	ROUTE_NONE,  /* unreachable, or no answer */
	ROUTE_LOCAL, /* an address of this host, a broadcast, a multicast: for the kernel */
	ROUTE_UNICAST,
};

struct route {
	enum route_kind kind;
	uint32_t ifindex;
	uint8_t via[16]; /* the neighbour: gateway, or the destination itself */
	uint32_t mtu;	 /* of the route or of the path as the kernel learnt it, 0 = the interface's */
};

enum net_change_kind { NET_LINK, NET_LINK_GONE, NET_ADDR, NET_NEIGH, NET_ROUTE, NET_LOST };

struct net_change {
	enum net_change_kind kind; /* NET_LOST: messages were lost, look at everything */
	uint32_t ifindex;
	uint8_t addr[16]; /* NEIGH */
};

typedef void (*net_change_fn)(void *ctx, const struct net_change *change);

/* NULL and errno. */
struct netlink *netlink_open(net_change_fn fn, void *ctx);
void netlink_close(struct netlink *nl);
int netlink_fd(const struct netlink *nl); /* readable: call netlink_read */
void netlink_read(struct netlink *nl);
/* Each 0 or -errno. */
int netlink_route(struct netlink *nl, const uint8_t dst[16], struct route *out);
/* -ENOENT when the neighbour is unknown or not valid now. */
int netlink_neigh(struct netlink *nl, uint32_t ifindex, const uint8_t addr[16], uint8_t mac[6]);
int netlink_link(struct netlink *nl, uint32_t ifindex, uint32_t *mtu, uint8_t mac[6], bool *up);
/* The first IPv4 address of an interface, network order; -ENOENT when it has none. */
int netlink_addr4(struct netlink *nl, uint32_t ifindex, uint32_t *addr_be);
/* An IPv6 address of an interface that is in use, a global one before a link-local one; -ENOENT. */
int netlink_addr6(struct netlink *nl, uint32_t ifindex, uint8_t addr[16]);
