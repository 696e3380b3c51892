// SPDX-License-Identifier: BSD-2-Clause
#include "map_io.h"
#include "maps.h"
#include "policy_index.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { BATCH_ROWS = 512, PASSES_MAX = 4096 };

/* What two policies must differ in. */
struct identity {
	struct xs_addr src_lo, src_hi, dst_lo, dst_hi;
	uint16_t sport_lo, sport_hi, dport_lo, dport_hi;
	uint32_t priority;
	uint8_t protocol, family;
	uint8_t pad[2];
};

struct node {
	struct identity identity;
	UT_hash_handle hh;
	uint32_t id;
	struct xs_policy row;
};

struct xs_policies {
	struct xs_maps *m;
	struct pindex ix;
	struct node **by_id; /* [m->policies] */
	struct node *by_identity;
	uint32_t next_id;
	bool *bundle_used; /* [m->policies] */
	uint32_t next_bundle;
	struct xs_tuple keys[BATCH_ROWS];
	struct xs_selector values[BATCH_ROWS];
	struct pindex_entry *batch[BATCH_ROWS];
};

static struct identity identity_of(const struct xs_policy *row)
{
	return (struct identity){
	    .src_lo = row->src_lo,
	    .src_hi = row->src_hi,
	    .dst_lo = row->dst_lo,
	    .dst_hi = row->dst_hi,
	    .sport_lo = row->sport_lo,
	    .sport_hi = row->sport_hi,
	    .dport_lo = row->dport_lo,
	    .dport_hi = row->dport_hi,
	    .priority = row->priority,
	    .protocol = row->protocol,
	    .family = row->family,
	};
}

static struct node *node_find(struct xs_policies *ps, uint32_t id)
{
	return id && id < ps->m->policies ? ps->by_id[id] : NULL;
}

static uint32_t id_free(struct xs_policies *ps)
{
	for (uint32_t i = 1; i < ps->m->policies; i++) {
		uint32_t id = ps->next_id++;

		if (ps->next_id >= ps->m->policies)
			ps->next_id = 1;
		if (!ps->by_id[id])
			return id;
	}
	return 0;
}

/* Into the writer's copy; the maps follow by flush(). */
static int node_add(struct xs_policies *ps, uint32_t id, const struct xs_policy *row,
		    struct node **out)
{
	struct identity identity = identity_of(row);
	struct node *n;
	int err;

	HASH_FIND(hh, ps->by_identity, &identity, sizeof(identity), n);
	*out = n;
	if (n)
		return -EEXIST;
	n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	err = pindex_add(&ps->ix, id, row);
	if (err) {
		free(n);
		return err;
	}
	n->identity = identity;
	n->id = id;
	n->row = *row;
	HASH_ADD(hh, ps->by_identity, identity, sizeof(n->identity), n);
	ps->by_id[id] = n;
	*out = n;
	return 0;
}

static void node_del(struct xs_policies *ps, struct node *n)
{
	pindex_del(&ps->ix, n->id, &n->row);
	HASH_DEL(ps->by_identity, n);
	ps->by_id[n->id] = NULL;
	free(n);
}

static int batch_write(struct xs_policies *ps, uint32_t n)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	int fd = ps->m->fd[XS_MAP_selector], err = 0;
	uint32_t count = n;

	if (n > 1 && !bpf_map_update_batch(fd, ps->keys, ps->values, &count, &opts))
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		err = bpf_map_update_elem(fd, &ps->keys[i], &ps->values[i], BPF_ANY);
		if (err)
			break;
	}
	if (!err)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		pindex_touch(&ps->ix, ps->batch[i]);
	return err == -E2BIG ? -ENOSPC : err; /* the map is full, not the row */
}

/* Carries every changed entry into the selector map. What could not be written stays marked. */
static int flush(struct xs_policies *ps)
{
	struct pindex_entry *e;
	uint32_t n = 0;
	int err = 0;

	while (!err && (e = pindex_next_dirty(&ps->ix))) {
		struct xs_selector *v = &ps->values[n];

		pindex_value(e, v);
		if (!v->n) {
			err = bpf_map_delete_elem(ps->m->fd[XS_MAP_selector], &e->key);
			if (err == -ENOENT)
				err = 0;
			if (err)
				pindex_touch(&ps->ix, e);
			else
				pindex_settle(&ps->ix, e);
			continue;
		}
		ps->keys[n] = e->key;
		ps->batch[n++] = e;
		if (n == BATCH_ROWS) {
			err = batch_write(ps, n);
			n = 0;
		}
	}
	if (n) {
		int last = batch_write(ps, n);

		err = err ? err : last;
	}
	return err;
}

/* The next row of the mask table, then the one store that puts it in force and voids the flow
 * cache. */
static int publish(struct xs_policies *ps)
{
	uint64_t epoch = ps->m->ctl->epoch + 1;
	uint32_t row = (uint32_t)(epoch % XS_MASK_ROWS);
	struct xs_masks masks;
	int err;

	pindex_masks(&ps->ix, &masks);
	err = bpf_map_update_elem(ps->m->fd[XS_MAP_selector_mask], &row, &masks, BPF_ANY);
	if (!err)
		__atomic_store_n(&ps->m->ctl->epoch, epoch, __ATOMIC_RELEASE);
	return err;
}

/*
 * Readers in the kernel that see `change` odd, or moved, do not trust what they found: the kernel
 * uses an element again at once, so that a row can turn into another one, or a key be missed, under
 * their eyes.
 */
static void change_begin(struct xs_policies *ps)
{
	__atomic_store_n(&ps->m->ctl->change, ps->m->ctl->change | 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void change_end(struct xs_policies *ps)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&ps->m->ctl->change, ps->m->ctl->change + 1, __ATOMIC_RELAXED);
}

static int commit(struct xs_policies *ps)
{
	int err;

	change_begin(ps);
	err = flush(ps);
	if (!err)
		err = publish(ps);
	change_end(ps);
	return err;
}

static int row_put(struct xs_policies *ps, uint32_t id, const struct xs_policy *row)
{
	struct xs_policy_key key = {.id = id};
	int err = bpf_map_update_elem(ps->m->fd[XS_MAP_policy], &key, row, BPF_ANY);

	return err == -E2BIG ? -ENOSPC : err;
}

static void row_del(struct xs_policies *ps, uint32_t id)
{
	struct xs_policy_key key = {.id = id};

	bpf_map_delete_elem(ps->m->fd[XS_MAP_policy], &key);
}

static int rows_put(struct xs_policies *ps, const struct xs_policy *rows, const uint32_t *ids,
		    uint32_t n)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	uint32_t count = n;
	int err = 0;

	_Static_assert(sizeof(struct xs_policy_key) == sizeof(uint32_t), "ids are keys");
	if (n > 1 && !bpf_map_update_batch(ps->m->fd[XS_MAP_policy], ids, rows, &count, &opts))
		return 0;
	for (uint32_t i = 0; !err && i < n; i++)
		err = row_put(ps, ids[i], &rows[i]);
	return err;
}

int xs_policy_add_many(struct xs_policies *ps, const struct xs_policy *rows, uint32_t n,
		       uint32_t *ids)
{
	uint32_t *got = calloc(n ? n : 1, sizeof(*got)), done;
	int err = 0;

	if (!got)
		return -ENOMEM;
	for (done = 0; done < n; done++) {
		struct node *node;

		got[done] = id_free(ps);
		err = got[done] ? node_add(ps, got[done], &rows[done], &node) : -ENOSPC;
		if (err)
			break;
	}
	if (!err)
		err = rows_put(ps, rows, got, n);
	if (!err && n)
		err = commit(ps);
	if (err) {
		for (uint32_t i = 0; i < done; i++) {
			row_del(ps, got[i]);
			node_del(ps, ps->by_id[got[i]]);
		}
		commit(ps);
	} else if (ids) {
		memcpy(ids, got, n * sizeof(*ids));
	}
	free(got);
	return err;
}

int xs_policy_add(struct xs_policies *ps, const struct xs_policy *row, uint32_t *id)
{
	struct identity identity = identity_of(row);
	struct node *n;

	HASH_FIND(hh, ps->by_identity, &identity, sizeof(identity), n);
	if (!n)
		return xs_policy_add_many(ps, row, 1, id);
	*id = n->id;
	return -EEXIST;
}

int xs_policy_set(struct xs_policies *ps, uint32_t id, enum xs_action action, uint32_t bundle)
{
	struct node *n = node_find(ps, id);
	struct xs_policy row;
	int err;

	if (!n)
		return -ENOENT;
	row = n->row;
	row.action = (uint8_t)action;
	row.bundle = bundle;
	err = pindex_check(&row);
	if (err)
		return err;
	if (row.action == n->row.action && row.bundle == n->row.bundle)
		return 0;
	err = row_put(ps, id, &row);
	if (err)
		return err;
	pindex_set(&ps->ix, id, &row, action, bundle);
	err = commit(ps);
	if (err) {
		row_put(ps, id, &n->row);
		pindex_set(&ps->ix, id, &n->row, n->row.action, n->row.bundle);
		commit(ps);
		return err;
	}
	n->row = row;
	return 0;
}

int xs_policy_del(struct xs_policies *ps, uint32_t id)
{
	struct node *n = node_find(ps, id);
	int err;

	if (!n)
		return -ENOENT;
	node_del(ps, n);
	err = commit(ps);
	row_del(ps, id);
	map_percpu_clear(ps->m->fd[XS_MAP_policy_stat], id, sizeof(struct xs_count));
	return err;
}

int xs_policies_refresh(struct xs_policies *ps)
{
	return commit(ps);
}

int xs_policy_get(struct xs_policies *ps, uint32_t id, struct xs_policy *row)
{
	struct node *n = node_find(ps, id);

	if (!n)
		return -ENOENT;
	*row = n->row;
	return 0;
}

int xs_policy_each(struct xs_maps *m,
		   int (*fn)(void *ctx, uint32_t id, const struct xs_policy *row), void *ctx)
{
	struct xs_policy_key key, next;
	struct xs_policy row;
	void *at = NULL;
	int err;

	while (!(err = bpf_map_get_next_key(m->fd[XS_MAP_policy], at, &next))) {
		key = next;
		at = &key;
		if (bpf_map_lookup_elem(m->fd[XS_MAP_policy], &key, &row))
			continue;
		err = fn(ctx, key.id, &row);
		if (err)
			return err;
	}
	return err == -ENOENT ? 0 : err;
}

uint32_t xs_bundle_alloc(struct xs_policies *ps)
{
	for (uint32_t i = 1; i < ps->m->policies; i++) {
		uint32_t bundle = ps->next_bundle++;

		if (ps->next_bundle >= ps->m->policies)
			ps->next_bundle = 1;
		if (ps->bundle_used[bundle])
			continue;
		ps->bundle_used[bundle] = true;
		return bundle;
	}
	return 0;
}

void xs_bundle_free(struct xs_policies *ps, uint32_t bundle)
{
	if (!bundle || bundle >= ps->m->policies)
		return;
	xs_bundle_set(ps->m, bundle, 0);
	ps->bundle_used[bundle] = false;
}

struct rebuild {
	struct xs_policies *ps;
	uint32_t *bad;
	uint32_t n_bad;
};

static int rebuild_row(void *ctx, uint32_t id, const struct xs_policy *row)
{
	struct rebuild *r = ctx;
	struct xs_policies *ps = r->ps;
	struct node *n;
	int err;

	if (!id || id >= ps->m->policies)
		return 0;
	err = node_add(ps, id, row, &n);
	if (err == -ENOMEM)
		return err;
	if (err)
		r->bad[r->n_bad++] = id;
	else if (row->bundle < ps->m->policies)
		ps->bundle_used[row->bundle] = true;
	return 0;
}

/* Rows of the selector map that no policy stands behind: an agent died between two writes. */
static int drop_strays(struct xs_policies *ps)
{
	int fd = ps->m->fd[XS_MAP_selector], err;
	struct xs_tuple key, next;
	uint32_t n, passes = 0;

	change_begin(ps);
	do {
		void *at = NULL;

		n = 0;
		while (n < BATCH_ROWS && !(err = bpf_map_get_next_key(fd, at, &next))) {
			key = next;
			at = &key;
			if (!pindex_find(&ps->ix, &key))
				ps->keys[n++] = key;
		}
		for (uint32_t i = 0; i < n; i++)
			bpf_map_delete_elem(fd, &ps->keys[i]);
	} while (n == BATCH_ROWS && ++passes < PASSES_MAX);
	change_end(ps);
	return err == -ENOENT || !err ? 0 : err;
}

static int rebuild(struct xs_policies *ps)
{
	uint32_t row = (uint32_t)(ps->m->ctl->epoch % XS_MASK_ROWS);
	struct rebuild r = {.ps = ps, .bad = calloc(ps->m->policies, sizeof(uint32_t))};
	struct xs_masks masks;
	int err;

	if (!r.bad)
		return -ENOMEM;
	err = bpf_map_lookup_elem(ps->m->fd[XS_MAP_selector_mask], &row, &masks);
	/* Masks keep their ids, so that keys that are in the map stay valid and nothing flaps. */
	for (uint32_t i = 0; !err && i < masks.n && i < XS_MASKS_MAX; i++)
		pindex_adopt_mask(&ps->ix, &masks.mask[i]);
	if (!err)
		err = xs_policy_each(ps->m, rebuild_row, &r);
	pindex_drop_empty_masks(&ps->ix);
	for (uint32_t i = 0; i < r.n_bad; i++)
		row_del(ps, r.bad[i]);
	free(r.bad);
	for (uint32_t i = 1; !err && i < ps->m->policies; i++)
		if (ps->m->bundle[i])
			ps->bundle_used[i] = true;
	if (!err)
		err = commit(ps);
	return err ? err : drop_strays(ps);
}

struct xs_policies *xs_policies_open(struct xs_maps *m)
{
	struct xs_policies *ps = calloc(1, sizeof(*ps));
	int err = -ENOMEM;

	if (!ps)
		return NULL;
	ps->m = m;
	ps->next_id = 1;
	ps->next_bundle = 1;
	pindex_init(&ps->ix);
	ps->by_id = calloc(m->policies, sizeof(*ps->by_id));
	ps->bundle_used = calloc(m->policies, sizeof(*ps->bundle_used));
	if (ps->by_id && ps->bundle_used)
		err = rebuild(ps);
	if (!err)
		return ps;
	xs_policies_free(ps);
	errno = -err;
	return NULL;
}

void xs_policies_free(struct xs_policies *ps)
{
	struct node *n, *next;

	if (!ps)
		return;
	for (n = ps->by_identity; n; n = next) {
		next = n->hh.next;
		HASH_DEL(ps->by_identity, n);
		free(n);
	}
	pindex_free(&ps->ix);
	free(ps->by_id);
	free(ps->bundle_used);
	free(ps);
}
