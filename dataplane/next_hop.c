/* SPDX-License-Identifier: BSD-2-Clause */
#include "next_hop.h"

#include "maps/maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#define HASH_NONFATAL_OOM 1 /* out of memory loses a row, not the process */
#include <uthash.h>

struct nh_entry {
	struct next_hop nh;
	struct route route;
	UT_hash_handle hh;
};

struct nh_table {
	struct netlink *nl;
	struct xs_maps *maps;
	struct port *ports;
	unsigned int n_ports;
	nh_publish_fn fn;
	void *ctx;
	struct nh_entry *entries; /* oldest first */
};

struct nh_table *nh_table_new(struct netlink *nl, struct xs_maps *maps, struct port *ports,
			      unsigned int n_ports, nh_publish_fn fn, void *ctx)
{
	struct nh_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	*t = (struct nh_table){.nl = nl, .maps = maps, .ports = ports, .n_ports = n_ports,
			       .fn = fn, .ctx = ctx};
	return t;
}

static const struct port *port_of(const struct nh_table *t, uint32_t ifindex, uint16_t *index)
{
	for (unsigned int i = 0; i < t->n_ports; i++) {
		if (t->ports[i].ifindex != ifindex)
			continue;
		*index = (uint16_t)i;
		return &t->ports[i];
	}
	return NULL;
}

static void map_put(const struct nh_table *t, const struct nh_entry *e)
{
	struct xs_next_hop row = {.ifindex = e->route.ifindex};
	struct xs_addr key;
	struct timespec ts;

	memcpy(key.b, e->nh.dst, sizeof(key.b));
	if (e->nh.state != NH_PORT) {
		bpf_map_delete_elem(t->maps->fd[XS_MAP_next_hop], &key);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &ts);
	row.used_ns = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	memcpy(row.mac, e->nh.mac, 6);
	memcpy(row.src_mac, e->nh.src_mac, 6);
	bpf_map_update_elem(t->maps->fd[XS_MAP_next_hop], &key, &row, BPF_ANY);
}

static void resolve(struct nh_table *t, struct nh_entry *e)
{
	const struct port *port;

	e->nh.state = NH_KERNEL;
	e->nh.mtu = 0;
	if (netlink_route(t->nl, e->nh.dst, &e->route) < 0)
		memset(&e->route, 0, sizeof(e->route));
	if (e->route.kind == ROUTE_LOCAL) {
		e->nh.state = NH_LOCAL;
	} else if (e->route.kind == ROUTE_UNICAST) {
		port = port_of(t, e->route.ifindex, &e->nh.port);
		if (port) {
			e->nh.state = NH_WANTED;
			e->nh.mtu = atomic_load(&port->mtu);
			if (e->route.mtu && e->route.mtu < e->nh.mtu)
				e->nh.mtu = e->route.mtu;
			memcpy(e->nh.src_mac, port->mac, 6);
			if (netlink_neigh(t->nl, e->route.ifindex, e->route.via, e->nh.mac) == 0)
				e->nh.state = NH_PORT;
		}
	}
	map_put(t, e);
	t->fn(t->ctx, &e->nh);
}

static void evict(struct nh_table *t, struct nh_entry *e)
{
	e->nh.state = NH_EMPTY;
	map_put(t, e);
	t->fn(t->ctx, &e->nh);
	HASH_DEL(t->entries, e);
	free(e);
}

void nh_table_want(struct nh_table *t, const uint8_t dst[16])
{
	struct nh_entry *e;

	HASH_FIND(hh, t->entries, dst, 16, e);
	if (!e) {
		if (HASH_COUNT(t->entries) >= NH_TABLE_MAX)
			evict(t, t->entries);
		e = calloc(1, sizeof(*e));
		if (!e)
			return; /* the kernel goes on sending */
		memcpy(e->nh.dst, dst, 16);
		HASH_ADD(hh, t->entries, nh.dst, 16, e);
		if (!e->hh.tbl) {
			free(e);
			return;
		}
	}
	resolve(t, e);
}

void nh_table_change(struct nh_table *t, const struct net_change *c)
{
	struct nh_entry *e, *tmp;
	uint8_t mac[6];

	HASH_ITER(hh, t->entries, e, tmp) {
		if (c->kind != NET_NEIGH) {
			resolve(t, e);
			continue;
		}
		if (e->route.kind != ROUTE_UNICAST || e->route.ifindex != c->ifindex ||
		    memcmp(e->route.via, c->addr, 16) != 0)
			continue;
		/* Most reports only say that a neighbour was confirmed again. */
		if (e->nh.state == NH_PORT && netlink_neigh(t->nl, c->ifindex, c->addr, mac) == 0 &&
		    memcmp(mac, e->nh.mac, 6) == 0)
			continue;
		resolve(t, e);
	}
}

void nh_table_free(struct nh_table *t)
{
	struct nh_entry *e, *tmp;

	HASH_ITER(hh, t->entries, e, tmp) {
		e->nh.state = NH_EMPTY;
		map_put(t, e);
		HASH_DEL(t->entries, e);
		free(e);
	}
	free(t);
}
