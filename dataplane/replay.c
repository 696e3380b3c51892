/* SPDX-License-Identifier: BSD-2-Clause */
#include "replay.h"

#include <errno.h>
#include <string.h>

enum { WORD_BITS = 64 };

int replay_init(struct replay *r, uint32_t window, bool esn)
{
	uint32_t need, words = 1;

	if (window > REPLAY_WINDOW_MAX || (window && window < 32))
		return -EINVAL;
	/* A window that ends inside a word reaches into one word more, and that one is the spare. */
	need = (window + WORD_BITS - 1) / WORD_BITS + 1;
	while (words < need)
		words *= 2;
	memset(r, 0, sizeof(*r));
	r->window = window;
	r->mask = words - 1;
	r->esn = esn;
	return 0;
}

uint64_t replay_expand(const struct replay *r, uint32_t low)
{
	uint32_t tl = (uint32_t)r->top, th = (uint32_t)(r->top >> 32);
	/* Without a window the halves still have to be told apart: half of the space either way. */
	uint32_t w = r->window ? r->window : 1u << 31;
	uint32_t bottom = tl - w + 1;

	if (!r->esn)
		return low;
	/* RFC 4303 A2.2: case A, the window lies within one subspace. */
	if (tl >= w - 1) {
		if (low >= bottom)
			return (uint64_t)th << 32 | low;
		/* The space ends at 2^64 - 1: there is no next subspace. */
		return th == UINT32_MAX ? 0 : ((uint64_t)th + 1) << 32 | low;
	}
	/* Case B: it began in the subspace before. */
	if (low >= bottom)
		return th ? ((uint64_t)th - 1) << 32 | low : 0;
	return (uint64_t)th << 32 | low;
}

bool replay_check(const struct replay *r, uint64_t seq)
{
	uint64_t word;

	if (seq == 0)
		return false; /* RFC 4303 2.2: the first packet has number 1 */
	if (seq > r->top || !r->window)
		return true;
	if (r->top - seq >= r->window)
		return false;
	word = r->word[(seq / WORD_BITS) & r->mask];
	return !(word >> (seq % WORD_BITS) & 1);
}

bool replay_mark(struct replay *r, uint64_t seq)
{
	uint64_t at = seq / WORD_BITS, last = r->top / WORD_BITS, steps;

	if (!replay_check(r, seq))
		return false;
	if (seq > r->top) {
		steps = at - last;
		if (steps > r->mask + 1ULL)
			steps = r->mask + 1ULL;
		/* The words between old and new top come into the window empty. */
		for (uint64_t i = 1; i <= steps; i++)
			r->word[(last + i) & r->mask] = 0;
		r->top = seq;
	}
	if (r->window)
		r->word[at & r->mask] |= 1ULL << (seq % WORD_BITS);
	return true;
}
