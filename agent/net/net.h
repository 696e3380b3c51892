/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "common/addr.h"
#include "common/slice.h"

#include <stdbool.h>

struct event_base;

/*
 * The IKE sockets: UDP 500 and 4500, IPv4 and IPv6, with the local address of each datagram known.
 * On 4500 the non-ESP marker is taken off and put on here, keepalives (one byte 0xff) are counted and
 * dropped, and ESP that reaches this far (no XDP on that interface) is counted and dropped. Each port has two
 * sockets: first messages without a cookie have a queue of their own, and a smaller share of each turn of the loop.
 */
struct net;
struct net_stat {
	uint64_t in, strangers, out, keepalives, stray_esp, runt, send_failed;
};

/* A datagram: from, to (our address and port), whether the NAT-T port; the bytes are borrowed. */
typedef void (*net_recv_fn)(void *ctx, const struct endpoint *from, const struct endpoint *to,
			    struct slice datagram);

/* Binds all four; NULL, errno and a line in err. */
struct net *net_open(struct event_base *base, uint16_t port, uint16_t port_nat_t, net_recv_fn fn,
		     void *ctx, char *err, size_t errlen);
void net_close(struct net *n);
/*
 * The kernel does ESP from here on: what comes to the NAT-T port without a marker goes to it (RFC 3948), keepalives end
 * there, and packets of one flow may come to it as one (UDP_GRO). IKE itself is exempt from the kernel's policies, whatever
 * they select. Takes CAP_NET_ADMIN. 0, or -errno and a line in err: then the sockets are as they were, or partly so.
 */
int net_kernel_esp(struct net *n, char *err, size_t errlen);
/* Sends from `from` (address any: the kernel chooses) to `to`; adds the marker when from.port is the NAT-T
 * port. 0 or -errno; never blocks. */
int net_send(struct net *n, const struct endpoint *from, const struct endpoint *to, struct slice datagram);
/* One byte 0xff from the NAT-T port. */
int net_keepalive(struct net *n, const struct endpoint *from, const struct endpoint *to);
/* The address the kernel would send from to reach `to`; 0 or -errno. */
int net_source_for(const struct ip_addr *to, struct ip_addr *out);
void net_stat_get(const struct net *n, struct net_stat *out);
