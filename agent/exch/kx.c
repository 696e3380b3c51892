/* SPDX-License-Identifier: BSD-2-Clause */
#include "exch.h"

#include <errno.h>
#include <stdlib.h>

/* The key exchange of CREATE_CHILD_SA, for a Child SA with PFS and for a new IKE SA alike (RFC 7296 1.3, 2.12). */

void kx_free(struct kx *kx)
{
	ke_free(kx->ke);
	secret_free(&kx->shared);
	free(kx->public_value);
}

static struct kx *kx_find(const struct ike_sa *ike, uint64_t id)
{
	const struct task *t = task_active(ike);

	if (t && t->nego && t->nego->kx.id == id)
		return &t->nego->kx;
	if (t && t->rekey && t->rekey->kx.id == id)
		return &t->rekey->kx;
	if (ike->in && ike->in->nego && ike->in->nego->kx.id == id)
		return &ike->in->nego->kx;
	if (ike->in && ike->in->rekey && ike->in->rekey->kx.id == id)
		return &ike->in->rekey->kx;
	return NULL;
}

static struct job_ref job_ref_of(const struct ike_sa *ike, const struct kx *kx)
{
	return (struct job_ref){
		.index = ike->ref.index, .generation = ike->ref.generation, .tag = kx->id};
}

static struct kx *resume(struct agent *a, struct job_ref ref, struct ike_sa **ike)
{
	*ike = ike_find_ref(a, (struct sa_ref){.index = ref.index, .generation = ref.generation});
	return *ike ? kx_find(*ike, ref.tag) : NULL;
}

static void on_made(void *ctx, struct job_ref ref, struct ke_result *r)
{
	struct ike_sa *ike;
	struct kx *kx = resume(ctx, ref, &ike);

	if (!kx)
		return;
	if (!r->error) {
		ke_free(kx->ke);
		kx->ke = r->ke;
		r->ke = NULL;
	}
	kx->done(ike, r->error);
}

void kx_generate(struct ike_sa *ike, struct kx *kx, kx_done_fn done)
{
	int err;

	kx->done = done;
	err = job_ke_generate(ike->agent->jobs, kx->group, on_made, ike->agent, job_ref_of(ike, kx));
	if (err < 0)
		done(ike, err);
}

static void take_shared(struct ike_sa *ike, struct kx *kx, struct ke_result *r)
{
	if (r->error == -EINVAL)
		core_count(ike->agent, bad_ke);
	if (!r->error)
		secret_move(&kx->shared, &r->shared);
}

static void on_shared(void *ctx, struct job_ref ref, struct ke_result *r)
{
	struct ike_sa *ike;
	struct kx *kx = resume(ctx, ref, &ike);

	if (!kx)
		return;
	take_shared(ike, kx, r);
	kx->done(ike, r->error);
}

void kx_finish(struct ike_sa *ike, struct kx *kx, struct slice peer, kx_done_fn done)
{
	struct ke *ke = kx->ke;
	int err;

	kx->done = done;
	kx->ke = NULL;
	err = job_ke_finish(ike->agent->jobs, ke, peer, on_shared, ike->agent, job_ref_of(ike, kx));
	if (err == 0)
		return;
	kx->ke = ke;
	done(ike, err);
}

static void on_responded(void *ctx, struct job_ref ref, struct ke_result *r)
{
	struct ike_sa *ike;
	struct kx *kx = resume(ctx, ref, &ike);

	if (!kx)
		return;
	if (!r->error) {
		kx->public_value = malloc(r->public_len);
		if (kx->public_value)
			memcpy(kx->public_value, r->public_value, r->public_len);
		else
			r->error = -ENOMEM;
		kx->public_len = r->public_len;
	}
	take_shared(ike, kx, r);
	kx->done(ike, r->error);
}

void kx_respond(struct ike_sa *ike, struct kx *kx, struct slice peer, kx_done_fn done)
{
	int err;

	kx->done = done;
	err = job_ke_respond(ike->agent->jobs, kx->group, peer, on_responded, ike->agent,
			     job_ref_of(ike, kx));
	if (err < 0)
		done(ike, err);
}

bool kx_retry(struct ike_sa *ike, struct kx *kx, const struct proposals *offer, struct slice wanted)
{
	struct rd r = rd_of(wanted);
	uint16_t group = rd_u16(&r);

	if (!rd_done(&r) || group == kx->group || !proposals_have_ke(offer, group) ||
	    kx->tries++ >= INIT_KE_TRIES)
		return false;
	ike_log(ike, 1, "peer didn't accept DH group %u, it requested %u", kx->group, group);
	kx->group = group;
	return true;
}

void kx_refuse_group(struct ike_sa *ike, uint16_t group)
{
	uint8_t buf[2];
	struct wr w = wr_of(buf, sizeof(buf));

	wr_u16(&w, group);
	reply_notify(ike, N_INVALID_KE_PAYLOAD, wr_slice(&w));
}
