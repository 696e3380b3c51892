/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * The anti-replay window of one inbound SA (RFC 6479: a ring of words with one to spare, so that the
 * window moves without shifting) and the recovery of the upper half of extended sequence numbers
 * (RFC 4303 A2). Pure: the owner checks before it decrypts and marks after the tag was verified.
 */
enum { REPLAY_WINDOW_MAX = 4096, REPLAY_WORDS_MAX = 128 };

struct replay {
	uint64_t top;	 /* highest number marked so far, 0 = none */
	uint32_t window; /* numbers that may come late, 0 = no check */
	uint32_t mask;	 /* words - 1, words a power of two */
	bool esn;
	uint64_t word[REPLAY_WORDS_MAX];
};

/* window: 0, or 32..4096, else -EINVAL. */
int replay_init(struct replay *r, uint32_t window, bool esn);
/* The whole number of a packet that carries the low half; 0 when there is none (it would be negative). */
uint64_t replay_expand(const struct replay *r, uint32_t low);
/* True when the number is new: inside the window and not marked, or ahead of it. */
bool replay_check(const struct replay *r, uint64_t seq);
/* Marks a verified number; false when it was not new (twice in one burst). */
bool replay_mark(struct replay *r, uint64_t seq);
