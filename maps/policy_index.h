/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <uthash.h>

/*
 * The writer's copy of the tuple-space index: which masks exist, and what lies behind each key.
 * Pure (no system call): policy_map.c carries what changed into the maps.
 */

/* One row of the selector map, and all that would be in it if it had no limit. */
struct pindex_entry {
	struct xs_tuple key;
	UT_hash_handle hh;
	TAILQ_ENTRY(pindex_entry) dirty_next;
	struct xs_range *range; /* best priority first */
	uint32_t n, cap;
	bool dirty;
};

struct pindex_mask {
	struct xs_mask m;
	uint32_t n_best;  /* rows at m.best; at 0 m.best is a lower bound until the next scan */
	uint32_t n_stale; /* rows removed since then */
};

struct pindex {
	struct pindex_mask mask[XS_MASKS_MAX];
	uint32_t n_masks;
	uint16_t next_mask_id; /* ids come back late: a reader may still hold an old row */
	struct pindex_entry *entries;
	TAILQ_HEAD(, pindex_entry) dirty;
};

void pindex_init(struct pindex *ix);
void pindex_free(struct pindex *ix);
/* A policy row that the index can hold: 0 or -EINVAL. */
int pindex_check(const struct xs_policy *row);
/* Puts a policy behind its keys. -E2BIG: more masks or ranges than the classifier looks at;
 * -ENOMEM. Nothing has changed then. */
int pindex_add(struct pindex *ix, uint32_t id, const struct xs_policy *row);
/* `row` as it was added. */
void pindex_del(struct pindex *ix, uint32_t id, const struct xs_policy *row);
/* Another action and bundle for a policy that is there. */
void pindex_set(struct pindex *ix, uint32_t id, const struct xs_policy *row, enum xs_action action,
		uint32_t bundle);
/* The mask table, best first. */
void pindex_masks(const struct pindex *ix, struct xs_masks *out);
/* Makes a mask of an earlier index keep its id. Before the first pindex_add only. */
void pindex_adopt_mask(struct pindex *ix, const struct xs_mask *m);
/* Drops adopted masks that nothing lies behind. */
void pindex_drop_empty_masks(struct pindex *ix);
/* The row of the selector map for an entry; value->n 0: there is none. */
void pindex_value(const struct pindex_entry *e, struct xs_selector *value);
struct pindex_entry *pindex_find(struct pindex *ix, const struct xs_tuple *key);
/* The next entry whose row changed, or NULL; it is clean afterwards, and freed by
 * pindex_settle when nothing is left in it. */
struct pindex_entry *pindex_next_dirty(struct pindex *ix);
void pindex_settle(struct pindex *ix, struct pindex_entry *e);
/* Marks an entry changed again: its row could not be written. */
void pindex_touch(struct pindex *ix, struct pindex_entry *e);

/* A range of addresses as prefixes, ascending. plen counts all 128 bits. */
struct pindex_prefix {
	struct xs_addr addr;
	uint32_t plen;
};
enum { PINDEX_PREFIXES_MAX = 256 };
/* How many of out[] were filled. */
uint32_t pindex_split(const struct xs_addr *lo, const struct xs_addr *hi,
		      struct pindex_prefix out[PINDEX_PREFIXES_MAX]);
