/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel.h"

#include <time.h>

/* What the kernel counts of a pair. */

/* Ours is a clock that runs on while the kernel's may be set: when a packet was seen lies between two looks. */
static uint64_t last_use_ns(struct kernel_pair *kp, enum half_dir dir, const struct xfrm_sa_info *info)
{
	uint64_t now = engine_now_ms() * 1000000, ago, at = now;
	time_t wall = time(NULL);

	if (info->packets == kp->at[dir].packets) {
		kp->at[dir].looked_ns = now;
		return kp->at[dir].last_ns;
	}
	ago = info->last_used_s && (uint64_t)wall >= info->last_used_s ? (uint64_t)wall - info->last_used_s : 0;
	at = ago * 1000000000 < now ? now - ago * 1000000000 : 0;
	if (at < kp->at[dir].looked_ns)
		at = kp->at[dir].looked_ns;
	kp->at[dir].packets = info->packets;
	kp->at[dir].looked_ns = now;
	kp->at[dir].last_ns = at ? at : 1;
	return kp->at[dir].last_ns;
}

static void stat_half(struct kernel_engine *k, struct sa_pair *p, enum half_dir dir, struct xs_sa_dir_stat *out)
{
	const struct xfrm_sa_id id = kernel_sa_id(p, dir);
	struct xfrm_sa_info info;

	if (p->half[dir].state != HALF_HELD || xfrm_sa_get(k->client, &id, &info))
		return;
	out->packets = info.packets;
	out->bytes = info.bytes;
	out->last_ns = info.packets ? last_use_ns(p->kernel, dir, &info) : 0;
	out->drop[XS_DROP_replay] = (uint64_t)info.replay_drops + info.replay_window_drops;
	out->drop[XS_DROP_integ_error] = info.integrity_drops;
}

void kernel_stat(struct engine *e, struct sa_pair *p, struct engine_stat *out)
{
	if (!e->kernel || !p->kernel)
		return;
	stat_half(e->kernel, p, HALF_IN, &out->in);
	stat_half(e->kernel, p, HALF_OUT, &out->out);
}
