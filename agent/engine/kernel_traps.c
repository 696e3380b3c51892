/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel.h"

#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Traps in the kernel's own policies, for children that the user's marks or interface ids choose. */

static struct kernel_trap *trap_find(struct kernel_engine *k, const char *conn, const char *child)
{
	struct kernel_trap *t;

	TAILQ_FOREACH(t, &k->traps, next)
		if (!strcmp(t->conn, conn) && !strcmp(t->child, child))
			return t;
	return NULL;
}

static void trap_end(struct kernel_engine *k, struct kernel_trap *t)
{
	struct kernel_claim *c;

	while ((c = TAILQ_FIRST(&t->claims)))
		kernel_claim_drop(k, c);
	TAILQ_REMOVE(&k->traps, t, next);
	free(t);
}

static struct kernel_trap *trap_new(struct kernel_engine *k, const char *conn, const char *child, uint8_t proto,
				    uint32_t reqid)
{
	struct kernel_trap *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	snprintf(t->conn, sizeof(t->conn), "%s", conn);
	snprintf(t->child, sizeof(t->child), "%s", child);
	t->proto = proto;
	t->reqid = reqid;
	TAILQ_INIT(&t->claims);
	TAILQ_INSERT_TAIL(&k->traps, t, next);
	return t;
}

/* An SA of the same selectors wins even when priorities are given: one below. */
static int claim_all(struct kernel_engine *k, struct kernel_trap *t, const struct kernel_selectors *l, uint32_t if_id,
		     struct xf_mark mark)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < l->n; i++) {
		const struct xfrm_policy_spec s = {.dir = XF_OUT, .sel = l->at[i].sel, .priority = l->at[i].priority,
						   .if_id = if_id, .mark = mark, .n_tmpl = 1};

		err = kernel_trap_claim(k, t, &s);
	}
	if (err)
		trap_end(k, t);
	return err;
}

int kernel_trap_put(struct engine *e, const struct conn_conf *conn, const struct child_conf *child,
		    const struct policy_rows *rows)
{
	const struct conf_kernel *c = &child->kernel;
	struct kernel_engine *k = e->kernel;
	struct kernel_selectors l;
	struct kernel_trap *t;
	int err;

	if (!k)
		return -EOPNOTSUPP;
	kernel_trap_drop(e, conn->name, child->name);
	if (c->no_policies)
		return 0;
	err = kernel_selectors_make(rows, &l);
	if (err)
		return err;
	t = trap_new(k, conn->name, child->name, child_proto(child) == IKE_PROTO_AH ? IPPROTO_AH : IPPROTO_ESP,
		     child->reqid ? child->reqid : kernel_reqid_new(k));
	err = t ? claim_all(k, t, &l, c->if_id_out.value,
			    (struct xf_mark){.value = c->mark_out.value, .mask = c->mark_out.mask})
		: -ENOMEM;
	free(l.at);
	return err;
}

unsigned int kernel_trap_drop(struct engine *e, const char *conn, const char *child)
{
	struct kernel_trap *t = e->kernel ? trap_find(e->kernel, conn, child) : NULL;

	if (!t)
		return 0;
	trap_end(e->kernel, t);
	return 1;
}

void kernel_trap_hold(struct kernel_engine *k, const struct sa_pair *p)
{
	const struct kernel_group *g = p->kernel->group;
	struct kernel_trap *t;

	if (!g || !g->out.n || trap_find(k, g->conn, g->child))
		return;
	t = trap_new(k, g->conn, g->child, p->half[HALF_OUT].row.protocol, g->reqid);
	if (!t || claim_all(k, t, &g->out, g->if_id_out, g->mark_out)) {
		log_line(LOG_KERNEL, 0, "policies of %s cannot be kept closed: no memory", g->child);
		return;
	}
	t->held = true;
}

void kernel_trap_release(struct kernel_engine *k, const char *conn, const char *child)
{
	struct kernel_trap *t = trap_find(k, conn, child);

	if (t && t->held)
		trap_end(k, t);
}

void kernel_traps_free(struct kernel_engine *k)
{
	struct kernel_trap *t;
	struct kernel_claim *c;

	while ((t = TAILQ_FIRST(&k->traps))) {
		while ((c = TAILQ_FIRST(&t->claims)))
			kernel_claim_forget(k, c);
		TAILQ_REMOVE(&k->traps, t, next);
		free(t);
	}
}
