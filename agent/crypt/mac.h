/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "evp.h"

/* How evp.c keeps the MACs of a thread; their users see evp_mac_begin and the rest in evp.h. */

/* Once a process, before any other. -ENOTSUP without HMAC. */
int macs_fetch(void);
/* Of a PRF or INTEG row, without a key; NULL when the library cannot do it. */
struct evp_mac *mac_new(const struct alg *a);
void mac_free(struct evp_mac *m); /* NULL is fine */
/* Keys it; false, and no key in it, when the library fails or the length is wrong (INTEG). */
bool mac_begin(struct evp_mac *m, struct slice key);
