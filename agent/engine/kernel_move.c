/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel.h"

#include "common/log.h"

#include <errno.h>
#include <string.h>

/*
 * New outer endpoints for a half: keys, numbers and window go on (XFRM_MSG_MIGRATE). The kernel finds what to move by a
 * policy and by old endpoints and reqid, which name one pair in device mode alone: ordinary pairs are rekeyed instead.
 */

struct moving {
	struct kernel_engine *k;
	struct sa_pair *p;
	enum half_dir dir;
	struct endpoint src, dst; /* from here on */
	int error;
};

static void on_moved(void *ctx, struct sa_ref ref, uint64_t tag, int error, const char *text)
{
	struct moving *m = ctx;

	(void)ref;
	(void)tag;
	(void)text;
	if (error && !m->error)
		m->error = error;
}

static int move_one(void *ctx, const struct xfrm_policy_spec *s)
{
	struct moving *m = ctx;
	const struct xs_sa *row = &m->p->half[m->dir].row;
	const struct kernel_pair *kp = m->p->kernel;
	struct xfrm_migrate_spec spec = {
		.n = 1,
		.sa = {{.old_src = kp->at[m->dir].src.ip, .old_dst = kp->at[m->dir].dst.ip,
			.new_src = m->src.ip, .new_dst = m->dst.ip, .proto = row->protocol,
			.mode = row->mode == XS_TRANSPORT ? XF_TRANSPORT : XF_TUNNEL, .reqid = row->reqid}},
		.encap = {.sport = row->sport, .dport = row->dport},
	};
	const struct xfrm_wait w = {.done = on_moved, .ctx = m};

	kernel_policy_id(s, &spec.policy);
	return xfrm_migrate(m->k->client, &spec, &w, NULL);
}

int kernel_move(struct engine *e, struct sa_pair *p, enum half_dir dir)
{
	struct moving m = {.k = e->kernel, .p = p, .dir = dir};
	int err;

	if (!e->kernel->probe.has[XF_MIGRATE] || p->kernel->around || !p->kernel->device || !p->kernel->group)
		return -EOPNOTSUPP;
	kernel_endpoints(&p->half[dir].row, &m.src, &m.dst);
	err = kernel_policies_each(p, dir, move_one, &m);
	/* At once: from here on the SA is named by another address. */
	kernel_flush(e->kernel);
	if (!err)
		err = m.error;
	if (err) {
		log_limited(&e->kernel->budget, LOG_KERNEL, 1, "SA %08x cannot be moved: %s", p->half[dir].row.spi,
			    strerror(-err));
		return -EOPNOTSUPP;
	}
	p->kernel->at[dir].src = m.src;
	p->kernel->at[dir].dst = m.dst;
	return 0;
}
