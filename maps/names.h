/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

/* Names of the pinned maps under the pin directory, as bpftool shows them. */
#define XS_MAP_NAMES(X)                                                                            \
	X(layout)                                                                                  \
	X(ctl) X(sa_slot) X(sa_in) X(sa_out) X(bundle) X(policy) X(selector) X(selector_mask)      \
	    X(flow) X(port) X(next_hop) X(xsk) X(sa_stat) X(sa_rx) X(policy_stat) X(drop)          \
		X(sa_seq) X(event) X(ike_budget) X(local) X(sa_tx) X(spread)

enum xs_map {
#define X(name) XS_MAP_##name,
	XS_MAP_NAMES(X)
#undef X
	    XS_MAPS
};
