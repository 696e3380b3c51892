/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/wire/ts.h"
#include "maps/layout.h"

/*
 * Policy rows from negotiated selectors: one for each pair of local and remote selector that can
 * match the same packet. Pure but for the memory of the result.
 */
enum { POLICY_ROWS_MAX = 3 * IKE_TS_AGREED_MAX * IKE_TS_AGREED_MAX };

/* Classes of priority; within one, the more specific pair has the lower number and wins. */
enum {
	PRIORITY_SHUNT = 100000, /* pass and drop: they make holes into protected ranges */
	PRIORITY_SA = 200000,
};

struct policy_rows {
	uint32_t n;
	struct xs_policy *row;
};

struct policy_names {
	const char *conn, *child; /* cut to XS_NAME_LEN - 1 bytes in a row */
};

/*
 * Fills *out (freed with policy_rows_free). `priority` 0: by specificity. -EINVAL when no pair fits
 * together (families or protocols differ everywhere), -E2BIG, -ENOMEM.
 */
int policy_rows_make(const struct ts_list *local, const struct ts_list *remote, enum xs_action action,
		     uint32_t priority, const struct policy_names *names, struct policy_rows *out);
/* The order that policy_rows_make gives: a peer may list its selectors differently at a rekey. */
void policy_rows_sort(struct policy_rows *rows);
void policy_rows_free(struct policy_rows *rows);
/* Same selectors, both sorted; priority, action, bundle and names do not count. */
bool policy_rows_same(const struct policy_rows *a, const struct policy_rows *b);
/* Order and equality of two rows by selectors and protocol alone. */
int policy_row_cmp(const struct xs_policy *x, const struct xs_policy *y);
bool policy_row_same(const struct xs_policy *a, const struct xs_policy *b);
/* What the pair is worth: lower is more specific, always inside its class. */
uint32_t policy_priority(const struct xs_policy *row, uint32_t class);
/* Copies a name into a row: cut, never inside a UTF-8 sequence, always ended, the rest zero. */
void policy_name(char out[XS_NAME_LEN], const char *name);
