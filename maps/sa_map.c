// SPDX-License-Identifier: BSD-2-Clause
#include "map_io.h"
#include "maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

static bool slot_ok(const struct xs_maps *m, uint32_t slot)
{
	return slot && slot < m->sa_slots;
}

static void slot_publish(volatile struct xs_sa_slot *s, uint32_t spi)
{
	__atomic_store_n(&s->spi, spi, __ATOMIC_RELEASE);
}

static bool slot_differs(const volatile struct xs_sa_slot *s, const struct xs_sa *sa)
{
	for (size_t i = 0; i < sizeof(sa->dst.b); i++)
		if (s->dst.b[i] != sa->dst.b[i])
			return true;
	return s->spi != sa->spi || s->generation != sa->generation || s->dport != sa->dport ||
	       !s->sport != !sa->sport || s->engine != sa->engine || s->protocol != sa->protocol;
}

int xs_sa_in_put(struct xs_maps *m, const struct xs_sa *sa, uint32_t policy)
{
	struct xs_sa_in_key key = {.spi = sa->spi};
	volatile struct xs_sa_slot *s;
	int err;

	if (!slot_ok(m, sa->slot) || (sa->spi & (m->sa_slots - 1)) != sa->slot)
		return -EINVAL;
	err = bpf_map_update_elem(m->fd[XS_MAP_sa_in], &key, sa, BPF_ANY);
	if (err)
		return err == -E2BIG ? -ENOSPC : err;
	s = &m->sa_slot[sa->slot];
	/* A move of the peer changes nothing that packets are matched with: no packet is lost to
	 * it. */
	if (slot_differs(s, sa))
		slot_publish(s, 0);
	for (size_t i = 0; i < sizeof(sa->dst.b); i++)
		s->dst.b[i] = sa->dst.b[i];
	s->generation = sa->generation;
	s->policy = policy;
	s->sport = sa->sport;
	s->dport = sa->dport;
	s->worker = sa->worker;
	s->engine = sa->engine;
	s->protocol = sa->protocol;
	slot_publish(s, sa->spi);
	return 0;
}

int xs_sa_out_put(struct xs_maps *m, const struct xs_sa *sa)
{
	struct xs_sa_out_key key = {.slot = sa->slot};
	int err;

	if (!slot_ok(m, sa->slot))
		return -EINVAL;
	err = bpf_map_update_elem(m->fd[XS_MAP_sa_out], &key, sa, BPF_ANY);
	return err == -E2BIG ? -ENOSPC : err;
}

int xs_sa_in_del(struct xs_maps *m, uint32_t spi)
{
	uint32_t slot = spi & (m->sa_slots - 1);
	struct xs_sa_in_key key = {.spi = spi};

	if (slot_ok(m, slot) && m->sa_slot[slot].spi == spi)
		slot_publish(&m->sa_slot[slot], 0);
	return bpf_map_delete_elem(m->fd[XS_MAP_sa_in], &key);
}

int xs_sa_out_del(struct xs_maps *m, uint32_t slot)
{
	struct xs_sa_out_key key = {.slot = slot};

	return bpf_map_delete_elem(m->fd[XS_MAP_sa_out], &key);
}

/* Keys of both maps are one number. */
static int sa_each(int fd, int (*fn)(void *ctx, const struct xs_sa *sa), void *ctx)
{
	uint32_t key, next;
	struct xs_sa sa;
	void *at = NULL;
	int err;

	while (!(err = bpf_map_get_next_key(fd, at, &next))) {
		key = next;
		at = &key;
		if (bpf_map_lookup_elem(fd, &key, &sa))
			continue;
		err = fn(ctx, &sa);
		if (err)
			return err;
	}
	return err == -ENOENT ? 0 : err;
}

int xs_sa_in_each(struct xs_maps *m, int (*fn)(void *ctx, const struct xs_sa *sa), void *ctx)
{
	return sa_each(m->fd[XS_MAP_sa_in], fn, ctx);
}

int xs_sa_out_each(struct xs_maps *m, int (*fn)(void *ctx, const struct xs_sa *sa), void *ctx)
{
	return sa_each(m->fd[XS_MAP_sa_out], fn, ctx);
}

void xs_bundle_set(struct xs_maps *m, uint32_t bundle, uint64_t word)
{
	if (bundle && bundle < m->policies)
		__atomic_store_n(&m->bundle[bundle], word, __ATOMIC_RELEASE);
}

uint64_t xs_bundle_get(struct xs_maps *m, uint32_t bundle)
{
	return bundle && bundle < m->policies ? m->bundle[bundle] : 0;
}

void xs_slot_clear(struct xs_maps *m, uint32_t slot)
{
	static const struct xs_sa_stat no_stat;
	static const struct xs_sa_seq no_seq;

	if (!slot_ok(m, slot))
		return;
	m->sa_stat[slot] = no_stat;
	m->sa_seq[slot] = no_seq;
	map_percpu_clear(m->fd[XS_MAP_sa_rx], slot, sizeof(struct xs_count));
	map_percpu_clear(m->fd[XS_MAP_sa_tx], slot, sizeof(struct xs_count));
}
