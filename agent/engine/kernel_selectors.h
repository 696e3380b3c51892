/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/engine/xfrm/xfrm.h"
#include "selectors.h"

/*
 * Policy rows as the kernel's selectors: it knows prefixes and port masks where we know ranges, so one row becomes as
 * many as its ranges have pieces. Pure but for the memory of the result.
 */
enum { KERNEL_SELECTORS_MAX = 256 };

struct kernel_selector {
	struct xf_selector sel;
	uint32_t priority;
};

struct kernel_selectors {
	uint32_t n;
	struct kernel_selector *at; /* free() */
};

/* -E2BIG: more pieces than KERNEL_SELECTORS_MAX; -EOPNOTSUPP: OPAQUE ports, which the kernel has no word for; -ENOMEM. */
int kernel_selectors_make(const struct policy_rows *rows, struct kernel_selectors *out);
