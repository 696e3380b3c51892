/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "pkt.h"

#include <net/if.h>
#include <stdatomic.h>
#include <string.h>

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
	_Atomic uint32_t addr6_turn; /* odd while addr6 is written */
	_Atomic uint64_t addr6[2];   /* likewise; by port_addr6_* */
	uint8_t mac[6];		   /* control thread only: workers get it with a next hop */
	char mode[16];
};

/* Control thread: 16 bytes, all 0 for none. */
static inline void port_addr6_set(struct port *p, const uint8_t addr[16])
{
	uint64_t half[2];

	memcpy(half, addr, 16);
	if (half[0] == atomic_load(&p->addr6[0]) && half[1] == atomic_load(&p->addr6[1]))
		return;
	atomic_fetch_add(&p->addr6_turn, 1);
	atomic_store(&p->addr6[0], half[0]);
	atomic_store(&p->addr6[1], half[1]);
	atomic_fetch_add(&p->addr6_turn, 1);
}

/* Any thread: false when there is none, or it is just being changed. */
static inline bool port_addr6_get(struct port *p, uint8_t addr[16])
{
	uint32_t turn = atomic_load(&p->addr6_turn);
	uint64_t half[2] = {atomic_load(&p->addr6[0]), atomic_load(&p->addr6[1])};

	if (turn & 1 || turn != atomic_load(&p->addr6_turn) || !(half[0] | half[1]))
		return false;
	memcpy(addr, half, 16);
	return true;
}

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
