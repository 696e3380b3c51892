/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "pkt.h"

#include <net/if.h>
#include <stdatomic.h>

/*
 * Interfaces, and what a worker sends and receives through. A port is one interface; a lane is a worker's
 * own way into it (a receive queue of an AF_XDP socket, later a TUN or UDP socket), behind one small table.
 */
struct port {
	char ifname[IFNAMSIZ];
	uint32_t ifindex;
	uint32_t index; /* in the port map, of XDP metadata and the xsk map */
	uint32_t role;	/* enum xs_role */
	uint32_t queues;
	/* Written by the control thread as the interface changes, read by workers. */
	_Atomic uint32_t mtu;
	_Atomic uint32_t addr4_be; /* an address of ours on it, for ICMP; 0 = none */
	uint8_t mac[6];		   /* control thread only: workers get it with a next hop */
	char mode[16];
};

struct lane;

struct lane_ops {
	const char *kind;
	/* Fills up to n packets; the caller owns them. */
	unsigned int (*rx_burst)(struct lane *l, struct pkt *v, unsigned int n);
	/* Queues packets for sending and takes them; returns how many. */
	unsigned int (*tx_burst)(struct lane *l, struct pkt *const v[], unsigned int n);
	/* Makes the kernel send what is queued, and takes sent buffers back. Once a burst. */
	void (*kick)(struct lane *l);
	/* True when something queued still waits to be sent. */
	bool (*busy)(const struct lane *l);
	/* What to poll() for. */
	int (*fd)(const struct lane *l);
	void (*close)(struct lane *l);
};

struct lane {
	const struct lane_ops *ops;
	struct port *port;
	uint32_t queue;
};
