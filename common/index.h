/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Hash tables whose nodes are embedded in what they find: no allocation a member, so nothing that fails.
 * Several members may have one hash; whoever looks compares. The array of buckets grows when memory allows.
 */
struct index_node {
	struct index_node *next, **prev; /* prev NULL: in no index */
	uint32_t hash;
};

enum { INDEX_FIRST = 16 };
struct index {
	struct index_node **bucket; /* NULL: `first` */
	uint32_t n_buckets, n;
	struct index_node *first[INDEX_FIRST];
};

void index_init(struct index *x);
/* Forgets the buckets, not the members. */
void index_free(struct index *x);
void index_add(struct index *x, struct index_node *node, uint32_t hash);
/* Harmless when it is in no index. */
void index_del(struct index *x, struct index_node *node);
/* First and following member of a hash, newest first; NULL behind the last. */
struct index_node *index_find(const struct index *x, uint32_t hash);
struct index_node *index_next(const struct index_node *node);

/* Spreads bytes; start with INDEX_SEED. */
enum { INDEX_SEED = 0x2545f491 };
uint32_t index_hash(uint32_t h, const void *p, size_t n);
/* Of one number. */
uint32_t index_hash_u64(uint64_t v);

#define index_owner(node, type, field) ((type *)((char *)(node)-offsetof(type, field)))
