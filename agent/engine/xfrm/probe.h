/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "common/alg.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What the kernel's IPsec can do, found out by asking it: an SA is added under a reserved SPI and
 * deleted at once; modules are loaded on the way, which takes up to 1.5 s each on a slow machine.
 */
enum { XF_WHY_MAX = 160 };

enum xf_feature {
	XF_ESP,	    /* ESP over IPv4 and IPv6 */
	XF_AH,	    /* likewise */
	XF_IPCOMP,  /* likewise, with deflate */
	XF_MIGRATE, /* xfrm_migrate */
	XF_PER_CPU, /* SAs of one CPU */
	XF_FEATURES,
};

struct xfrm_probe {
	bool has[XF_FEATURES];
	char why_not[XF_FEATURES][XF_WHY_MAX]; /* "" when it has */
	/* By alg_index: the kernel can run this row in ESP (ciphers and MACs). */
	bool alg[ALG_ROWS_MAX];
};

/* "ESP", "AH", "IPComp", ... */
const char *xfrm_feature_name(enum xf_feature f);
/* Asks for all features, then all algorithms. Blocks; may run on any thread (sockets of its own).
 * -errno: no XFRM at all or no right; then nothing is there and each why_not says so. */
int xfrm_probe_run(struct xfrm_probe *out);
