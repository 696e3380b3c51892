/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "netlink.h"
#include "port.h"

#include <string.h>

/*
 * Where packets leave. The kernel decides: its routes and neighbours are asked for once a destination and
 * remembered. A worker has a cache of its own; the table behind it belongs to the control thread, follows
 * every change that the kernel reports, and publishes rows to the workers and to the `next_hop` map. What is
 * not known yet, and what is not ours to send, the kernel sends.
 */
enum nh_state {
	NH_EMPTY,
	NH_WANTED, /* asked for: the kernel meanwhile, which resolves the neighbour on the way */
	NH_PORT,   /* by a lane: the link header is known */
	NH_KERNEL, /* out of an interface that is not one of our ports, or no route */
	NH_LOCAL,  /* for this host itself */
};

struct next_hop {
	uint8_t dst[16];
	uint8_t mac[6], src_mac[6];
	uint16_t port;	/* index in the dataplane's port table */
	uint8_t state;	/* enum nh_state */
	uint8_t pad;
	uint32_t mtu;
	uint64_t asked_ns; /* worker: when it last asked or sent one through the kernel */
};

enum {
	NH_ROWS = 4096,	     /* of a worker's cache, direct mapped */
	NH_TABLE_MAX = 4096, /* destinations that the table follows */
	NH_REFRESH_S = 10,   /* one packet goes through the kernel, so that it keeps the neighbour confirmed */
	NH_RETRY_MS = 200,   /* ask again for what was not resolved */
};

struct nh_cache {
	struct next_hop row[NH_ROWS];
};

static inline struct next_hop *nh_row(struct nh_cache *c, const uint8_t dst[16])
{
	uint64_t hi, lo;

	memcpy(&hi, dst, 8);
	memcpy(&lo, dst + 8, 8);
	return &c->row[(((hi * 0xff51afd7ed558ccdull) ^ lo) * 0x9e3779b97f4a7c15ull) >> 52];
}

_Static_assert(NH_ROWS == 1 << 12, "nh_row takes the top 12 bits");

/* NULL when the cache does not hold the destination. */
static inline struct next_hop *nh_cache_find(struct nh_cache *c, const uint8_t dst[16])
{
	struct next_hop *nh = nh_row(c, dst);

	return nh->state != NH_EMPTY && memcmp(nh->dst, dst, 16) == 0 ? nh : NULL;
}

struct xs_maps;
struct nh_table;
typedef void (*nh_publish_fn)(void *ctx, const struct next_hop *nh);

/* Publishes rows through fn. ports stay the caller's. NULL and errno. */
struct nh_table *nh_table_new(struct netlink *nl, struct xs_maps *maps, struct port *ports,
			      unsigned int n_ports, nh_publish_fn fn, void *ctx);
void nh_table_free(struct nh_table *t);
/* A worker wants to know this destination, or still uses it. */
void nh_table_want(struct nh_table *t, const uint8_t dst[16]);
/* The kernel said that something changed: rows that may depend on it are looked up anew. */
void nh_table_change(struct nh_table *t, const struct net_change *change);
