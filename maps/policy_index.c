// SPDX-License-Identifier: BSD-2-Clause
#include "policy_index.h"
#include "match.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned __int128 u128;

/* All that a policy becomes: the mask and key of each pair of prefixes. */
struct place {
	struct xs_mask mask; /* id, best and rows unset */
	struct xs_tuple key; /* mask_id unset */
	bool shadow;	     /* the mask names a port: there is a key for fragments too */
};

static u128 addr_load(const struct xs_addr *a)
{
	u128 v = 0;

	for (int i = 0; i < 16; i++)
		v = v << 8 | a->b[i];
	return v;
}

static void addr_store(struct xs_addr *a, u128 v)
{
	for (int i = 15; i >= 0; i--, v >>= 8)
		a->b[i] = (uint8_t)v;
}

static u128 prefix_mask(uint32_t plen)
{
	return plen ? ~(u128)0 << (128 - plen) : 0;
}

uint32_t pindex_split(const struct xs_addr *lo, const struct xs_addr *hi,
		      struct pindex_prefix out[PINDEX_PREFIXES_MAX])
{
	u128 at = addr_load(lo), end = addr_load(hi);
	uint32_t n = 0;

	while (at <= end) {
		uint32_t plen = 128;
		u128 last;

		/* The largest block that starts here and does not pass the end. */
		while (plen && !(at & ~prefix_mask(plen - 1)) &&
		       (at | ~prefix_mask(plen - 1)) <= end)
			plen--;
		last = at | ~prefix_mask(plen);
		addr_store(&out[n].addr, at);
		out[n++].plen = plen;
		if (last == end)
			break;
		at = last + 1;
	}
	return n;
}

static bool is_mapped(const struct xs_addr *a)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	return !memcmp(a->b, prefix, sizeof(prefix));
}

int pindex_check(const struct xs_policy *row)
{
	if (row->family != 4 && row->family != 6)
		return -EINVAL;
	if (row->action < XS_BYPASS || row->action > XS_TRAP)
		return -EINVAL;
	if (memcmp(&row->src_lo, &row->src_hi, 16) > 0 ||
	    memcmp(&row->dst_lo, &row->dst_hi, 16) > 0)
		return -EINVAL;
	if (row->family == 4 && (!is_mapped(&row->src_lo) || !is_mapped(&row->src_hi) ||
				 !is_mapped(&row->dst_lo) || !is_mapped(&row->dst_hi)))
		return -EINVAL;
	return 0;
}

static void place_make(const struct xs_policy *row, const struct pindex_prefix *src,
		       const struct pindex_prefix *dst, struct place *p)
{
	memset(p, 0, sizeof(*p));
	addr_store(&p->mask.src, prefix_mask(src->plen));
	addr_store(&p->mask.dst, prefix_mask(dst->plen));
	p->mask.sport = row->sport_lo == row->sport_hi ? 0xffff : 0;
	p->mask.dport = row->dport_lo == row->dport_hi ? 0xffff : 0;
	p->mask.protocol = row->protocol ? 0xff : 0;
	p->key.src = src->addr;
	p->key.dst = dst->addr;
	p->key.sport = p->mask.sport & row->sport_lo;
	p->key.dport = p->mask.dport & row->dport_lo;
	p->key.protocol = row->protocol;
	p->key.flags = row->family == 6 ? XS_TUPLE_V6 : 0;
	p->shadow = p->mask.sport || p->mask.dport;
}

static bool mask_same(const struct xs_mask *a, const struct xs_mask *b)
{
	return !memcmp(&a->src, &b->src, 16) && !memcmp(&a->dst, &b->dst, 16) &&
	       a->sport == b->sport && a->dport == b->dport && a->protocol == b->protocol;
}

static struct pindex_mask *mask_find(struct pindex *ix, const struct xs_mask *like)
{
	for (uint32_t i = 0; i < ix->n_masks; i++)
		if (mask_same(&ix->mask[i].m, like))
			return &ix->mask[i];
	return NULL;
}

static uint16_t mask_id_new(struct pindex *ix)
{
	for (;;) {
		uint16_t id = ix->next_mask_id++;
		bool used = !id;

		for (uint32_t i = 0; i < ix->n_masks; i++)
			used |= ix->mask[i].m.id == id;
		if (!used)
			return id;
	}
}

static struct pindex_mask *mask_get(struct pindex *ix, const struct xs_mask *like)
{
	struct pindex_mask *pm = mask_find(ix, like);

	if (pm)
		return pm;
	if (ix->n_masks == XS_MASKS_MAX)
		return NULL;
	pm = &ix->mask[ix->n_masks];
	*pm = (struct pindex_mask){.m = *like};
	pm->m.id = mask_id_new(ix);
	pm->m.rows = 0;
	pm->m.best = UINT32_MAX;
	ix->n_masks++;
	return pm;
}

static void mask_count(struct pindex_mask *pm, uint32_t priority)
{
	if (!pm->m.rows || priority < pm->m.best) {
		pm->m.best = priority;
		pm->n_best = 0;
		pm->n_stale = 0;
	}
	pm->m.rows++;
	if (priority == pm->m.best)
		pm->n_best++;
}

/* A scan costs all entries, so it waits until a good part of the rows has gone: a `best` that is
 * too good makes the classifier look behind a mask for nothing, and never makes it miss. */
static void mask_rescan(struct pindex *ix, struct pindex_mask *pm)
{
	uint32_t best = UINT32_MAX, n = 0;

	for (struct pindex_entry *e = ix->entries; e; e = e->hh.next) {
		if (e->key.mask_id != pm->m.id || (e->key.flags & XS_TUPLE_NO_PORTS))
			continue;
		for (uint32_t i = 0; i < e->n; i++) {
			uint32_t priority = e->range[i].decision.priority;

			if (priority > best)
				break;
			n = priority < best ? 1 : n + 1;
			best = priority;
		}
	}
	pm->m.best = best;
	pm->n_best = n;
	pm->n_stale = 0;
}

static void mask_uncount(struct pindex *ix, struct pindex_mask *pm, uint32_t priority)
{
	pm->m.rows--;
	if (!pm->m.rows) {
		*pm = ix->mask[--ix->n_masks];
		return;
	}
	if (pm->n_best && priority == pm->m.best)
		pm->n_best--;
	pm->n_stale++;
	if (!pm->n_best && pm->n_stale >= pm->m.rows / 4)
		mask_rescan(ix, pm);
}

void pindex_touch(struct pindex *ix, struct pindex_entry *e)
{
	if (e->dirty)
		return;
	e->dirty = true;
	TAILQ_INSERT_TAIL(&ix->dirty, e, dirty_next);
}

struct pindex_entry *pindex_find(struct pindex *ix, const struct xs_tuple *key)
{
	struct pindex_entry *e;

	HASH_FIND(hh, ix->entries, key, sizeof(*key), e);
	return e;
}

static struct pindex_entry *entry_get(struct pindex *ix, const struct xs_tuple *key)
{
	struct pindex_entry *e = pindex_find(ix, key);

	if (e)
		return e;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->key = *key;
	HASH_ADD(hh, ix->entries, key, sizeof(e->key), e);
	return e;
}

static void entry_drop(struct pindex *ix, struct pindex_entry *e)
{
	if (e->dirty)
		TAILQ_REMOVE(&ix->dirty, e, dirty_next);
	HASH_DEL(ix->entries, e);
	free(e->range);
	free(e);
}

static int entry_insert(struct pindex *ix, const struct xs_tuple *key, const struct xs_range *range)
{
	struct pindex_entry *e = entry_get(ix, key);
	uint32_t at;

	if (!e)
		return -ENOMEM;
	if (!(key->flags & XS_TUPLE_NO_PORTS) && e->n == XS_RANGES_MAX)
		return -E2BIG;
	if (e->n == e->cap) {
		uint32_t cap = e->cap ? 2 * e->cap : 1;
		struct xs_range *p = reallocarray(e->range, cap, sizeof(*p));

		if (!p) {
			if (!e->n && !e->dirty)
				entry_drop(ix, e);
			return -ENOMEM;
		}
		e->range = p;
		e->cap = cap;
	}
	for (at = e->n; at; at--)
		if (e->range[at - 1].decision.priority <= range->decision.priority)
			break;
	memmove(&e->range[at + 1], &e->range[at], (e->n - at) * sizeof(*range));
	e->range[at] = *range;
	e->n++;
	pindex_touch(ix, e);
	return 0;
}

static struct xs_range *entry_range(struct pindex_entry *e, uint32_t id)
{
	for (uint32_t i = 0; e && i < e->n; i++)
		if (e->range[i].decision.policy == id)
			return &e->range[i];
	return NULL;
}

static void entry_remove(struct pindex *ix, const struct xs_tuple *key, uint32_t id)
{
	struct pindex_entry *e = pindex_find(ix, key);
	struct xs_range *r = entry_range(e, id);

	if (!r)
		return;
	e->n--;
	memmove(r, r + 1, (size_t)(&e->range[e->n] - r) * sizeof(*r));
	pindex_touch(ix, e);
}

static struct xs_tuple shadow_key(const struct xs_tuple *key)
{
	struct xs_tuple k = *key;

	k.sport = 0;
	k.dport = 0;
	k.flags |= XS_TUPLE_NO_PORTS;
	return k;
}

static int place_add(struct pindex *ix, struct place *p, const struct xs_range *range)
{
	struct pindex_mask *pm = mask_get(ix, &p->mask);
	int err;

	if (!pm)
		return -E2BIG;
	p->key.mask_id = pm->m.id;
	err = entry_insert(ix, &p->key, range);
	if (!err && p->shadow) {
		struct xs_tuple shadow = shadow_key(&p->key);

		err = entry_insert(ix, &shadow, range);
		if (err)
			entry_remove(ix, &p->key, range->decision.policy);
	}
	if (!err)
		mask_count(pm, range->decision.priority);
	else if (!pm->m.rows && pm == &ix->mask[ix->n_masks - 1])
		ix->n_masks--;
	return err;
}

static void place_del(struct pindex *ix, struct place *p, uint32_t id, uint32_t priority)
{
	struct pindex_mask *pm = mask_find(ix, &p->mask);

	if (!pm)
		return;
	p->key.mask_id = pm->m.id;
	entry_remove(ix, &p->key, id);
	if (p->shadow) {
		struct xs_tuple shadow = shadow_key(&p->key);

		entry_remove(ix, &shadow, id);
	}
	mask_uncount(ix, pm, priority);
}

static void place_set(struct pindex *ix, struct place *p, uint32_t id, enum xs_action action,
		      uint32_t bundle)
{
	struct pindex_mask *pm = mask_find(ix, &p->mask);

	if (!pm)
		return;
	p->key.mask_id = pm->m.id;
	for (int i = 0; i < 1 + p->shadow; i++) {
		struct xs_tuple key = i ? shadow_key(&p->key) : p->key;
		struct pindex_entry *e = pindex_find(ix, &key);
		struct xs_range *r = entry_range(e, id);

		if (!r)
			continue;
		r->decision.action = (uint8_t)action;
		r->decision.bundle = bundle;
		pindex_touch(ix, e);
	}
}

struct split {
	struct pindex_prefix src[PINDEX_PREFIXES_MAX], dst[PINDEX_PREFIXES_MAX];
	uint32_t n_src, n_dst;
};

static void split_make(const struct xs_policy *row, struct split *s)
{
	s->n_src = pindex_split(&row->src_lo, &row->src_hi, s->src);
	s->n_dst = pindex_split(&row->dst_lo, &row->dst_hi, s->dst);
}

static void del_first(struct pindex *ix, uint32_t id, const struct xs_policy *row,
		      const struct split *s, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct place p;

		place_make(row, &s->src[i / s->n_dst], &s->dst[i % s->n_dst], &p);
		place_del(ix, &p, id, row->priority);
	}
}

int pindex_add(struct pindex *ix, uint32_t id, const struct xs_policy *row)
{
	struct xs_range range = {
	    .sport_lo = row->sport_lo,
	    .sport_hi = row->sport_hi,
	    .dport_lo = row->dport_lo,
	    .dport_hi = row->dport_hi,
	    .decision = {.policy = id,
			 .bundle = row->bundle,
			 .priority = row->priority,
			 .action = row->action},
	};
	struct split s;
	int err = pindex_check(row);

	if (err)
		return err;
	split_make(row, &s);
	for (uint32_t i = 0; i < s.n_src * s.n_dst; i++) {
		struct place p;

		place_make(row, &s.src[i / s.n_dst], &s.dst[i % s.n_dst], &p);
		err = place_add(ix, &p, &range);
		if (err) {
			del_first(ix, id, row, &s, i);
			return err;
		}
	}
	return 0;
}

void pindex_del(struct pindex *ix, uint32_t id, const struct xs_policy *row)
{
	struct split s;

	split_make(row, &s);
	del_first(ix, id, row, &s, s.n_src * s.n_dst);
}

void pindex_set(struct pindex *ix, uint32_t id, const struct xs_policy *row, enum xs_action action,
		uint32_t bundle)
{
	struct split s;

	split_make(row, &s);
	for (uint32_t i = 0; i < s.n_src * s.n_dst; i++) {
		struct place p;

		place_make(row, &s.src[i / s.n_dst], &s.dst[i % s.n_dst], &p);
		place_set(ix, &p, id, action, bundle);
	}
}

static int mask_order(const void *a, const void *b)
{
	const struct xs_mask *x = a, *y = b;

	if (x->best != y->best)
		return x->best < y->best ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

void pindex_masks(const struct pindex *ix, struct xs_masks *out)
{
	memset(out, 0, sizeof(*out));
	for (uint32_t i = 0; i < ix->n_masks; i++)
		out->mask[out->n++] = ix->mask[i].m;
	qsort(out->mask, out->n, sizeof(out->mask[0]), mask_order);
}

void pindex_adopt_mask(struct pindex *ix, const struct xs_mask *m)
{
	struct pindex_mask *pm;

	if (mask_find(ix, m) || ix->n_masks == XS_MASKS_MAX || !m->id)
		return;
	pm = &ix->mask[ix->n_masks++];
	*pm = (struct pindex_mask){.m = *m};
	pm->m.rows = 0;
	pm->m.best = UINT32_MAX;
	if (m->id >= ix->next_mask_id)
		ix->next_mask_id = (uint16_t)(m->id + 1);
}

void pindex_drop_empty_masks(struct pindex *ix)
{
	for (uint32_t i = 0; i < ix->n_masks;) {
		if (ix->mask[i].m.rows)
			i++;
		else
			ix->mask[i] = ix->mask[--ix->n_masks];
	}
}

void pindex_value(const struct pindex_entry *e, struct xs_selector *value)
{
	memset(value, 0, sizeof(*value));
	if (!(e->key.flags & XS_TUPLE_NO_PORTS)) {
		value->n = e->n;
		if (e->n)
			memcpy(value->range, e->range, e->n * sizeof(e->range[0]));
		return;
	}
	/* For a fragment only the best policy counts that does not let everything pass. */
	for (uint32_t i = 0; i < e->n; i++) {
		if (e->range[i].decision.action == XS_BYPASS)
			continue;
		value->range[0] = e->range[i];
		value->n = 1;
		return;
	}
}

struct pindex_entry *pindex_next_dirty(struct pindex *ix)
{
	struct pindex_entry *e = TAILQ_FIRST(&ix->dirty);

	if (!e)
		return NULL;
	TAILQ_REMOVE(&ix->dirty, e, dirty_next);
	e->dirty = false;
	return e;
}

void pindex_settle(struct pindex *ix, struct pindex_entry *e)
{
	if (!e->n)
		entry_drop(ix, e);
}

void pindex_init(struct pindex *ix)
{
	memset(ix, 0, sizeof(*ix));
	ix->next_mask_id = 1;
	TAILQ_INIT(&ix->dirty);
}

void pindex_free(struct pindex *ix)
{
	struct pindex_entry *e, *next;

	for (e = ix->entries; e; e = next) {
		next = e->hh.next;
		entry_drop(ix, e);
	}
}
