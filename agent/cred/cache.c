/* SPDX-License-Identifier: BSD-2-Clause */
#include "cred_int.h"

#include <stdlib.h>
#include <string.h>

/*
 * The loop's thread holds the newest cache; a job that runs on another thread holds the one that
 * was newest when it began. Nothing in either is ever changed, so nobody waits for anybody.
 */

void rev_entry_unref(struct rev_entry *e)
{
	if (!e || atomic_fetch_sub(&e->refs, 1) != 1)
		return;
	X509_CRL_free(e->crl);
	free(e->ocsp);
	free(e);
}

static struct rev_cache *cache_of(unsigned int n)
{
	struct rev_cache *c = calloc(1, sizeof(*c) + n * sizeof(c->e[0]));

	if (c)
		atomic_init(&c->refs, 1);
	return c;
}

struct rev_cache *rev_cache_new(void)
{
	return cache_of(0);
}

struct rev_cache *rev_cache_ref(struct rev_cache *c)
{
	atomic_fetch_add(&c->refs, 1);
	return c;
}

void rev_cache_unref(struct rev_cache *c)
{
	if (!c || atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	for (unsigned int i = 0; i < c->n; i++)
		rev_entry_unref(c->e[i]);
	free(c);
}

static bool same_key(const struct rev_entry *e, const uint8_t key[REV_KEY_LEN])
{
	return secret_equal(e->key, key, REV_KEY_LEN);
}

const struct rev_entry *rev_cache_find(const struct rev_cache *c, const uint8_t key[REV_KEY_LEN],
				       int64_t now)
{
	for (unsigned int i = 0; i < c->n; i++)
		if (same_key(c->e[i], key))
			return c->e[i]->until > now ? c->e[i] : NULL;
	return NULL;
}

/* Takes out the entry that ends first. */
static void shrink(struct rev_cache *c)
{
	unsigned int first = 0;

	for (unsigned int i = 1; i < c->n; i++)
		if (c->e[i]->until < c->e[first]->until)
			first = i;
	c->bytes -= c->e[first]->size;
	rev_entry_unref(c->e[first]);
	c->e[first] = c->e[--c->n];
}

struct rev_cache *rev_cache_add(struct rev_cache *c, struct rev_entry *e, int64_t now)
{
	struct rev_cache *next = cache_of(c->n + 1);

	if (!next) {
		rev_entry_unref(e);
		return NULL;
	}
	for (unsigned int i = 0; i < c->n; i++) {
		if (same_key(c->e[i], e->key) || c->e[i]->until <= now)
			continue;
		atomic_fetch_add(&c->e[i]->refs, 1);
		next->bytes += c->e[i]->size;
		next->e[next->n++] = c->e[i];
	}
	while (next->n && (next->n >= REV_ENTRIES_MAX || next->bytes + e->size > REV_BYTES_MAX))
		shrink(next);
	next->bytes += e->size;
	next->e[next->n++] = e;
	rev_cache_unref(c);
	return next;
}

struct rev_cache *rev_cache_without(struct rev_cache *c, bool crls, bool ocsp)
{
	struct rev_cache *next = cache_of(c->n);

	if (!next)
		return NULL;
	for (unsigned int i = 0; i < c->n; i++) {
		struct rev_entry *e = c->e[i];

		if ((e->crl && crls) || (e->ocsp && ocsp) || (!e->crl && !e->ocsp))
			continue;
		atomic_fetch_add(&e->refs, 1);
		next->bytes += e->size;
		next->e[next->n++] = e;
	}
	rev_cache_unref(c);
	return next;
}
