/* SPDX-License-Identifier: BSD-2-Clause */
#include "index.h"

#include <stdlib.h>

void index_init(struct index *x)
{
	*x = (struct index){.n_buckets = INDEX_FIRST};
}

void index_free(struct index *x)
{
	free(x->bucket);
	index_init(x);
}

static struct index_node **buckets(const struct index *x)
{
	return x->bucket ? x->bucket : (struct index_node **)x->first;
}

static void put(struct index_node **at, struct index_node *node)
{
	node->next = *at;
	node->prev = at;
	if (*at)
		(*at)->prev = &node->next;
	*at = node;
}

/* Without memory the chains are longer, nothing else. Members of one hash keep their order. */
static void grow(struct index *x)
{
	uint32_t n = x->n_buckets * 2, old_n = x->n_buckets;
	struct index_node **bucket = calloc(n, sizeof(struct index_node *)), **old = buckets(x);

	if (!bucket)
		return;
	for (uint32_t i = 0; i < old_n; i++) {
		struct index_node *node = old[i], *back = NULL, *next;

		for (; node; node = next) {
			next = node->next;
			node->next = back;
			back = node;
		}
		for (; back; back = next) {
			next = back->next;
			put(&bucket[back->hash & (n - 1)], back);
		}
	}
	free(x->bucket);
	x->bucket = bucket;
	x->n_buckets = n;
}

void index_add(struct index *x, struct index_node *node, uint32_t hash)
{
	if (x->n >= x->n_buckets && x->n_buckets < UINT32_MAX / 2)
		grow(x);
	node->hash = hash;
	put(&buckets(x)[hash & (x->n_buckets - 1)], node);
	x->n++;
}

void index_del(struct index *x, struct index_node *node)
{
	if (!node->prev)
		return;
	*node->prev = node->next;
	if (node->next)
		node->next->prev = node->prev;
	*node = (struct index_node){0};
	x->n--;
}

static struct index_node *of_hash(struct index_node *node, uint32_t hash)
{
	while (node && node->hash != hash)
		node = node->next;
	return node;
}

struct index_node *index_find(const struct index *x, uint32_t hash)
{
	return of_hash(buckets(x)[hash & (x->n_buckets - 1)], hash);
}

struct index_node *index_next(const struct index_node *node)
{
	return of_hash(node->next, node->hash);
}

/* FNV-1a with a last stir: the low bits choose the bucket. */
uint32_t index_hash(uint32_t h, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 0x01000193u;
	h ^= h >> 15;
	h *= 0x2c1b3c6du;
	return h ^ h >> 13;
}

uint32_t index_hash_u64(uint64_t v)
{
	v *= 0x9e3779b97f4a7c15ull;
	return (uint32_t)(v >> 32);
}
