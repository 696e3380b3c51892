/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "common/secret.h"

/* prf+ over a seed in pieces, so that a shared secret need not be copied beside the nonces. */
enum { PRF_PLUS_SEED_MAX = 4 };
int prf_plus_parts(uint16_t prf_id, struct slice key, const struct slice *seed, unsigned int n,
		   struct secret *out, size_t len);
