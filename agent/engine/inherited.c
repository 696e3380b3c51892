/* SPDX-License-Identifier: BSD-2-Clause */
#include "pair.h"

#include "common/log.h"

#include <string.h>

/*
 * Policies of an earlier agent. Those whose child is still configured stay closed, with or without an SA, until this
 * agent has it up: a crash must not open the road that a child without a trap would have had protected.
 */

static bool ranges_meet(const struct xs_addr *a_lo, const struct xs_addr *a_hi, const struct xs_addr *b_lo,
			const struct xs_addr *b_hi)
{
	return memcmp(a_lo, b_hi, sizeof(*a_lo)) <= 0 && memcmp(b_lo, a_hi, sizeof(*b_lo)) <= 0;
}

static bool rows_meet(const struct xs_policy *a, const struct xs_policy *b)
{
	return a->family == b->family && (!a->protocol || !b->protocol || a->protocol == b->protocol) &&
	       a->sport_lo <= b->sport_hi && b->sport_lo <= a->sport_hi && a->dport_lo <= b->dport_hi &&
	       b->dport_lo <= a->dport_hi && ranges_meet(&a->src_lo, &a->src_hi, &b->src_lo, &b->src_hi) &&
	       ranges_meet(&a->dst_lo, &a->dst_hi, &b->dst_lo, &b->dst_hi);
}

bool set_stands_for(const struct policy_set *s, const struct policy_set *old)
{
	if (s == old || memcmp(s->key.conn, old->key.conn, sizeof(s->key.conn)) ||
	    memcmp(s->key.child, old->key.child, sizeof(s->key.child)))
		return false;
	for (uint32_t i = 0; i < s->rows.n; i++)
		for (uint32_t k = 0; k < old->rows.n; k++)
			if (rows_meet(&s->rows.row[i], &old->rows.row[k]))
				return true;
	return false;
}

struct replacing {
	struct engine *e;
	const struct policy_set *by;
	unsigned int left;
};

static void replace(void *ctx, struct policy_set *s)
{
	struct replacing *r = ctx;

	if (!s->inherited)
		return;
	if (!s->owner && set_stands_for(r->by, s))
		set_go(r->e, s);
	else
		r->left++;
}

void inherited_replaced(struct engine *e, const struct policy_set *by)
{
	struct replacing r = {.e = e, .by = by};

	if (!e->inherited_policies)
		return;
	policies_each(e->policies, replace, &r);
	e->inherited_policies = r.left != 0;
}

struct sorting {
	struct engine *e;
	engine_keep_fn keep;
	void *ctx;
	unsigned int gone;
};

static void sort(void *ctx, struct policy_set *s)
{
	struct sorting *o = ctx;
	struct engine_inherited p = {.row = s->rows.row, .n = s->rows.n, .carried = s->owner != NULL};
	bool closed = s->action == XS_PROTECT || s->action == XS_TRAP, keep;

	if (!s->inherited && !s->lost)
		return;
	s->lost = false;
	memcpy(p.conn, s->conn, sizeof(p.conn));
	memcpy(p.child, s->child, sizeof(p.child));
	keep = closed && o->keep && o->keep(o->ctx, &p);
	if (!s->inherited)
		return;
	s->rest = keep ? XS_TRAP : 0;
	if (keep) {
		memcpy(s->conn, p.conn, sizeof(s->conn));
		memcpy(s->child, p.child, sizeof(s->child));
		return;
	}
	o->gone++;
	if (!s->owner)
		set_go(o->e, s);
}

unsigned int engine_sort_inherited(struct engine *e, engine_keep_fn keep, void *ctx)
{
	struct sorting o = {.e = e, .keep = keep, .ctx = ctx};

	if (e->inherited_policies)
		policies_each(e->policies, sort, &o);
	return o.gone;
}
