// SPDX-License-Identifier: BSD-2-Clause
#include "keep.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#ifndef HASH_NONFATAL_OOM
#define HASH_NONFATAL_OOM 1
#endif
#define HASH_FUNCTION(p, n, out) ((out) = hash_of(p, n))

/* Of whole proposals and identities, a few hundred bytes each: eight at a time. Seeded, as peers choose identities. */
static uint32_t hash_of(const void *p, size_t n)
{
	static uint64_t seed;
	const uint8_t *at = p;
	uint64_t h, word;

	if (!seed && getrandom(&seed, sizeof(seed), GRND_NONBLOCK) < 0)
		seed = (uintptr_t)&seed;
	h = seed ^ n;
	for (; n; at += 8, n -= n < 8 ? n : 8) {
		unsigned __int128 product;

		word = 0;
		memcpy(&word, at, n < 8 ? n : 8);
		product = (unsigned __int128)(h ^ word) * 0x9e3779b97f4a7c15u;
		h = (uint64_t)product ^ (uint64_t)(product >> 64) ^ (seed >> 7 | 1);
	}
	return (uint32_t)(h ^ h >> 32);
}

#include <uthash.h>

struct kept {
	UT_hash_handle hh;
	uint32_t refs, n;
	_Alignas(max_align_t) unsigned char b[];
};

static struct kept *all;

static struct kept *kept_of(const void *p)
{
	return (struct kept *)((uintptr_t)p - offsetof(struct kept, b));
}

const void *keep(const void *p, size_t n)
{
	struct kept *k;

	if (n > UINT32_MAX)
		return NULL;
	HASH_FIND(hh, all, p, n, k);
	if (k) {
		k->refs++;
		return k->b;
	}
	k = calloc(1, sizeof(*k) + n);
	if (!k)
		return NULL;
	k->refs = 1;
	k->n = (uint32_t)n;
	memcpy(k->b, p, n);
	HASH_ADD_KEYPTR(hh, all, k->b, n, k);
	if (!all || !k->hh.tbl) {
		free(k);
		return NULL;
	}
	return k->b;
}

const void *keep_again(const void *kept)
{
	if (kept)
		kept_of(kept)->refs++;
	return kept;
}

void keep_drop(const void *kept)
{
	struct kept *k;

	if (!kept)
		return;
	k = kept_of(kept);
	if (--k->refs)
		return;
	HASH_DELETE(hh, all, k);
	free(k);
}

size_t keep_count(void)
{
	return HASH_COUNT(all);
}
