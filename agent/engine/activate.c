/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* An earlier agent's rows may hold cut names: from now on the whole ones are known. */
static void set_claim(struct policy_set *s, const char *conn, const char *child)
{
	s->inherited = false;
	snprintf(s->conn, sizeof(s->conn), "%s", conn);
	snprintf(s->child, sizeof(s->child), "%s", child);
}

static struct policy_set *set_first(struct engine *e, struct sa_pair *p, const struct policy_names *names,
				    struct policy_rows *rows)
{
	int err = p->backend->in_force ? p->backend->in_force(e, p) : 0;

	if (!err)
		return policies_add(e->policies, names, rows, XS_PROTECT, pair_word(p));
	policy_rows_free(rows);
	errno = -err;
	return NULL;
}

/* The set in force for these selectors: an earlier one with one store, or a new one. NULL and errno. */
static struct policy_set *set_in_force(struct engine *e, struct sa_pair *p, const struct engine_child *c)
{
	struct policy_names names = {.conn = c->conn, .child = c->child};
	struct policy_rows rows;
	struct policy_set *s;
	int err;

	err = policy_rows_make(c->ts_local, c->ts_remote, XS_PROTECT, c->conf->priority, &names, &rows);
	if (err) {
		errno = -err;
		return NULL;
	}
	s = policies_find(e->policies, &names, &rows);
	if (!s)
		return set_first(e, p, &names, &rows);
	policy_rows_free(&rows);
	err = set_encrypt(e, s, p);
	if (err) {
		errno = -err;
		return NULL;
	}
	if (s->inherited || s->held)
		s->rest = 0; /* what this agent's configuration says comes by engine_trap */
	s->held = false;
	s->lost = false;
	set_claim(s, c->conn, c->child);
	return s;
}

/* The rows for people say which bundle and policy the pair has. */
static void note_set(struct engine *e, struct sa_pair *p, const struct policy_set *s)
{
	struct sa_half *in = &p->half[HALF_IN], *out = &p->half[HALF_OUT];

	if (out->row.bundle != s->bundle) {
		out->row.bundle = s->bundle;
		xs_sa_out_put(&e->maps, &out->row);
	}
	if (!in->rows)
		return;
	in->row.bundle = s->bundle;
	xs_sa_in_put(&e->maps, &in->row, s->id[0]);
}

int engine_activate(struct engine *e, struct engine_sa sa, const struct engine_child *c)
{
	struct sa_pair *p = pair_find(e, sa), *before;
	struct policy_set *s;

	if (!p || !p->half[HALF_OUT].rows)
		return -ENOENT;
	if (!pair_classified(p)) {
		int err = p->backend->in_force(e, p);

		if (err)
			return err;
		kernel_trap_release(e->kernel, c->conn, c->child);
		orphans_replaced(e, p, NULL);
		return 0;
	}
	s = set_in_force(e, p, c);
	if (!s)
		return -errno;
	if (p->set && p->set != s)
		pair_leave_set(e, p, false);
	before = s->owner;
	s->owner = p;
	pair_join_set(p, s);
	note_set(e, p, s);
	if (before && before != p && before->backend->out_of_force)
		before->backend->out_of_force(e, before);
	orphans_replaced(e, p, before != p ? before : NULL);
	inherited_replaced(e, s);
	return 0;
}

void engine_remove(struct engine *e, struct engine_sa sa, bool trap)
{
	struct sa_pair *p = pair_find(e, sa);

	if (!p)
		return;
	if (trap && !pair_classified(p))
		kernel_trap_hold(e->kernel, p);
	pair_leave_set(e, p, trap);
	pair_go(e, p);
}

void engine_remove_out(struct engine *e, struct engine_sa sa)
{
	struct sa_pair *p = pair_find(e, sa);
	struct policy_set *s = p ? p->set : NULL;
	struct sa_pair *heir;

	if (!p)
		return;
	if (s && s->owner == p) {
		/* Another pair of these selectors goes on; without one the policies stay, closed, until the
		 * inbound half goes, too. */
		heir = set_heir(s, p);
		if (heir && !set_encrypt(e, s, heir))
			s->owner = heir;
		else
			policy_set_protect(e->policies, s, 0);
	}
	pair_drop_half(e, p, HALF_OUT);
}

static enum xs_action rest_action(const struct child_conf *child)
{
	switch (child->mode) {
	case CONF_MODE_PASS:
		return XS_BYPASS;
	case CONF_MODE_DROP:
		return XS_DISCARD;
	default:
		return XS_TRAP;
	}
}

int engine_trap(struct engine *e, const struct conn_conf *conn, const struct child_conf *child,
		const struct ts_list *local, const struct ts_list *remote)
{
	struct policy_names names = {.conn = conn->name, .child = child->name};
	enum xs_action action = rest_action(child);
	struct policy_rows rows;
	struct policy_set *s;
	int err;

	err = policy_rows_make(local, remote, action, child->priority, &names, &rows);
	if (err)
		return err;
	if (action == XS_TRAP && kernel_own_routes(child)) {
		err = kernel_trap_put(e, conn, child, &rows);
		policy_rows_free(&rows);
		return err;
	}
	s = policies_find(e->policies, &names, &rows);
	if (!s) {
		s = policies_add(e->policies, &names, &rows, action, 0);
		if (!s)
			return -errno;
		s->rest = action;
		return 0;
	}
	policy_rows_free(&rows);
	set_claim(s, conn->name, child->name);
	s->rest = action;
	s->held = false;
	if (!s->owner && s->action != action)
		policy_set_rest(e->policies, s, action);
	return 0;
}

struct untrap {
	struct engine *e;
	struct policy_set_key key; /* names alone */
	const char *conn, *child;
	unsigned int found;
};

static void untrap_set(void *ctx, struct policy_set *s)
{
	struct untrap *u = ctx;
	bool same = s->inherited ? !memcmp(s->key.conn, u->key.conn, sizeof(s->key.conn)) &&
					   !memcmp(s->key.child, u->key.child, sizeof(s->key.child))
				 : !strcmp(s->conn, u->conn) && !strcmp(s->child, u->child);

	if (!same || (!s->rest && !s->inherited))
		return;
	u->found++;
	s->rest = 0;
	s->held = false;
	if (!s->owner)
		set_go(u->e, s);
}

int engine_untrap(struct engine *e, const char *conn, const char *child)
{
	struct untrap u = {.e = e, .conn = conn, .child = child};

	policy_name(u.key.conn, conn);
	policy_name(u.key.child, child);
	policies_each(e->policies, untrap_set, &u);
	u.found += kernel_trap_drop(e, conn, child);
	return u.found ? 0 : -ENOENT;
}
