/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * What stays while pairs replace each other: reqid, marks and interface ids of the kernel's policies. A reqid of our
 * choice is no live group's and no earlier agent's; an earlier agent's pair of the same child hands its own on.
 */

/* Interface ids of our choice lie above those of slots (XS_XFRM_IF_ID). */
enum { UNIQUE_FIRST = CONF_CHOSEN_FIRST + 0x800000, UNIQUE_MASK = 0x7fffff };

static bool chosen(uint32_t reqid)
{
	return reqid >= CONF_CHOSEN_FIRST && reqid <= CONF_CHOSEN_LAST;
}

bool kernel_reqid_ours(const struct kernel_engine *k, uint32_t reqid)
{
	const struct kernel_group *g, *next;

	if (chosen(reqid))
		return true;
	HASH_ITER(hh, k->groups, g, next)
		if (g->reqid == reqid)
			return true;
	return false;
}

static bool inherited_has(const struct engine *e, uint32_t reqid)
{
	uint32_t left = e->n_inherited;

	for (uint32_t i = 1; left && i < e->maps.sa_slots; i++) {
		const struct sa_pair *p = e->pair[i];

		if (!p || !p->inherited)
			continue;
		left--;
		if (p->half[HALF_IN].row.reqid == reqid || p->half[HALF_OUT].row.reqid == reqid)
			return true;
	}
	return false;
}

uint32_t kernel_reqid_new(struct kernel_engine *k)
{
	struct kernel_group *g;
	uint32_t reqid;

	do {
		reqid = CONF_CHOSEN_FIRST | (k->next_reqid++ & (CONF_CHOSEN_LAST - CONF_CHOSEN_FIRST));
		HASH_FIND(by_reqid, k->by_reqid, &reqid, sizeof(reqid), g);
	} while (g || reqid == CONF_CHOSEN_FIRST || inherited_has(k->e, reqid));
	return reqid;
}

/* That of a pair of the same selectors that an earlier agent left: its policies and ours are the same then. */
static uint32_t reqid_inherited(struct kernel_engine *k, const struct policy_names *names,
				const struct policy_rows *rows)
{
	const struct policy_set *s = policies_find(k->e->policies, names, rows);
	const struct sa_pair *p;
	struct kernel_group *g;

	if (!s)
		return 0;
	TAILQ_FOREACH(p, &s->members, member) {
		uint32_t reqid = p->half[HALF_OUT].row.reqid;

		if (p->backend != &kernel_backend || !p->inherited || !chosen(reqid))
			continue;
		HASH_FIND(by_reqid, k->by_reqid, &reqid, sizeof(reqid), g);
		if (!g)
			return reqid;
	}
	return 0;
}

static struct xf_mark mark_of(struct kernel_engine *k, const struct conf_mark *m, uint32_t unique)
{
	if (!m->mask && !m->value)
		return (struct xf_mark){0};
	if (m->pick == CONF_PICK_FIXED)
		return (struct xf_mark){.value = m->value, .mask = m->mask};
	return (struct xf_mark){.value = (unique ? unique : ++k->next_unique) & m->mask, .mask = m->mask};
}

static uint32_t if_id_of(struct kernel_engine *k, const struct conf_if_id *i, uint32_t unique)
{
	if (i->pick == CONF_PICK_FIXED)
		return i->value;
	return unique ? unique : UNIQUE_FIRST | (++k->next_unique & UNIQUE_MASK);
}

static void fill_ids(struct kernel_engine *k, struct kernel_group *g, const struct conf_kernel *c)
{
	bool same_mark = c->mark_out.pick == CONF_PICK_UNIQUE && c->mark_in.pick == CONF_PICK_UNIQUE;
	bool same_id = c->if_id_out.pick == c->if_id_in.pick && c->if_id_in.pick == CONF_PICK_UNIQUE;

	g->mark_in = mark_of(k, &c->mark_in, 0);
	g->mark_out = mark_of(k, &c->mark_out, same_mark ? g->mark_in.value : 0);
	g->if_id_in = if_id_of(k, &c->if_id_in, 0);
	g->if_id_out = if_id_of(k, &c->if_id_out, same_id ? g->if_id_in : 0);
}

static int words(char why[KERNEL_WHY_MAX], int err)
{
	if (err == -E2BIG)
		snprintf(why, KERNEL_WHY_MAX, "its selectors would take more than %d policies of the kernel",
			 KERNEL_SELECTORS_MAX);
	else if (err == -EOPNOTSUPP)
		snprintf(why, KERNEL_WHY_MAX, "the kernel's policies have no word for OPAQUE ports");
	else
		snprintf(why, KERNEL_WHY_MAX, "%s", strerror(-err));
	return err;
}

static void group_free(struct kernel_group *g)
{
	free(g->out.at);
	free(g->in.at);
	free(g);
}

static struct kernel_group *group_new(struct kernel_engine *k, const struct engine_child *c,
				      const struct policy_names *names, const struct policy_rows *out,
				      const struct policy_rows *in, char why[KERNEL_WHY_MAX])
{
	struct kernel_group *g = calloc(1, sizeof(*g));
	int err = g ? 0 : -ENOMEM;

	if (g && !c->conf->kernel.no_policies)
		err = kernel_selectors_make(out, &g->out);
	if (!err && !c->conf->kernel.no_policies)
		err = kernel_selectors_make(in, &g->in);
	if (err) {
		if (g)
			group_free(g);
		errno = -words(why, err);
		return NULL;
	}
	g->key = policy_key(names, out);
	snprintf(g->conn, sizeof(g->conn), "%s", names->conn);
	snprintf(g->child, sizeof(g->child), "%s", names->child);
	fill_ids(k, g, &c->conf->kernel);
	g->reqid = c->conf->reqid ? c->conf->reqid : reqid_inherited(k, names, out);
	if (!g->reqid)
		g->reqid = kernel_reqid_new(k);
	g->listed = true;
	HASH_ADD(hh, k->groups, key, sizeof(g->key), g);
	if (!c->conf->reqid)
		HASH_ADD(by_reqid, k->by_reqid, reqid, sizeof(g->reqid), g);
	return g;
}

/* A configuration may have changed what it gets: then it is another group from here on. */
static bool still_fits(const struct kernel_group *g, const struct engine_child *c)
{
	const struct conf_kernel *k = &c->conf->kernel;

	return (c->conf->reqid ? g->reqid == c->conf->reqid : chosen(g->reqid)) &&
	       k->no_policies == !g->out.n && g->mark_in.mask == k->mark_in.mask &&
	       g->mark_out.mask == k->mark_out.mask &&
	       (k->mark_in.pick != CONF_PICK_FIXED || g->mark_in.value == k->mark_in.value) &&
	       (k->mark_out.pick != CONF_PICK_FIXED || g->mark_out.value == k->mark_out.value) &&
	       (k->if_id_in.pick != CONF_PICK_FIXED || g->if_id_in == k->if_id_in.value) &&
	       (k->if_id_out.pick != CONF_PICK_FIXED || g->if_id_out == k->if_id_out.value);
}

static void unlist(struct kernel_engine *k, struct kernel_group *g)
{
	struct kernel_group *of;

	if (!g->listed)
		return;
	g->listed = false;
	HASH_DEL(k->groups, g);
	HASH_FIND(by_reqid, k->by_reqid, &g->reqid, sizeof(g->reqid), of);
	if (of == g)
		HASH_DELETE(by_reqid, k->by_reqid, g);
}

struct kernel_group *kernel_group_take(struct kernel_engine *k, const struct engine_child *c, char why[KERNEL_WHY_MAX])
{
	const struct policy_names names = {.conn = c->conn, .child = c->child};
	struct policy_rows out = {0}, in = {0};
	struct policy_set_key key;
	struct kernel_group *g = NULL;
	int err;

	err = policy_rows_make(c->ts_local, c->ts_remote, XS_PROTECT, c->conf->priority, &names, &out);
	/* RFC 7296 3.13.1: of ICMP each side's selector lists what that side may send. */
	if (!err)
		err = policy_rows_make(c->ts_remote, c->ts_local, XS_PROTECT, c->conf->priority, &names, &in);
	if (!err) {
		key = policy_key(&names, &out);
		HASH_FIND(hh, k->groups, &key, sizeof(key), g);
		if (g && !still_fits(g, c)) {
			unlist(k, g);
			g = NULL;
		}
		if (!g)
			g = group_new(k, c, &names, &out, &in, why);
		err = g ? 0 : -errno;
	} else {
		words(why, err);
	}
	policy_rows_free(&out);
	policy_rows_free(&in);
	if (g) {
		g->pairs++;
		return g;
	}
	errno = -err;
	return NULL;
}

void kernel_group_drop(struct kernel_engine *k, struct kernel_group *g)
{
	if (--g->pairs)
		return;
	unlist(k, g);
	group_free(g);
}
