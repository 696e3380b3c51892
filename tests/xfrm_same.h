/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/engine/xfrm/xfrm.h"

/* Field by field: what stands between fields is no part of them. */
static inline bool same_selector(const struct xf_selector *a, const struct xf_selector *b)
{
	return addr_equal(&a->src, &b->src) && addr_equal(&a->dst, &b->dst) && a->src_len == b->src_len &&
	       a->dst_len == b->dst_len && a->protocol == b->protocol && a->sport == b->sport &&
	       a->sport_mask == b->sport_mask && a->dport == b->dport && a->dport_mask == b->dport_mask;
}
