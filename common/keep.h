/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>

/*
 * Values that many hold and nobody changes (identities, proposals, selectors, names of files): equal
 * bytes are kept once, counted, and found again by their bytes. One thread. Padding is part of the
 * bytes: whoever keeps a struct builds it on zeroes, or equals are not found.
 */

/* The kept copy of these bytes, with one more reference; NULL when there is no memory. */
const void *keep(const void *p, size_t n) __attribute__((warn_unused_result));
/* One more reference to what is kept; NULL stays NULL. */
const void *keep_again(const void *kept);
/* One reference less; NULL is fine. */
void keep_drop(const void *kept);
/* How many different values are kept. */
size_t keep_count(void);
