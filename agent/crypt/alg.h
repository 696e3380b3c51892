/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/wire/proposal.h"
#include "common/alg.h"

#include <stddef.h>

/* "AES_GCM_16_128/PRF_HMAC_SHA2_256/CURVE_25519" as listings write a chosen proposal; a
 * transform without a row is written as type and number. Returns buf, cut off where it is full. */
const char *proposal_str(const struct proposal *p, char *buf, size_t n);
/* The i-th algorithm of the legacy set in a proposal, NULL behind the last. */
const struct alg *proposal_legacy(const struct proposal *p, unsigned int i);
