/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel.h"

#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * At the start the kernel may hold what an earlier agent left. What belongs to a row stays and carries traffic; the rest
 * that is marked as ours goes; a row without its SA is lost. Other programs' is not looked at twice.
 */

/* ---- inherited halves by what the kernel calls them ----------------------------------------------------- */
struct half_ref {
	struct xfrm_sa_id key; /* without mark */
	struct sa_pair *p;
	enum half_dir dir;
	bool found;
	struct half_ref *next; /* of the same reqid */
	UT_hash_handle hh;
};

struct reqid_ref {
	uint32_t reqid;
	struct half_ref *first;
	UT_hash_handle hh;
};

/* Something of ours that belongs to nobody. */
struct stray {
	bool is_policy;
	struct xfrm_sa_id sa;
	struct xfrm_policy_id policy;
	struct stray *next;
};

struct adoption {
	struct kernel_engine *k;
	struct half_ref *halves;
	struct reqid_ref *reqids;
	struct stray *strays;
	unsigned int n_states, n_policies, kept;
	int error;
};

static bool ours(uint32_t id)
{
	return id >= CONF_CHOSEN_FIRST && id <= CONF_CHOSEN_LAST;
}

static void half_key(struct xfrm_sa_id *key, const struct ip_addr *dst, uint32_t spi, uint8_t proto)
{
	memset(key, 0, sizeof(*key));
	key->dst.family = dst->family;
	memcpy(key->dst.b, dst->b, addr_len(dst));
	key->spi = spi;
	key->proto = proto;
}

static struct half_ref *half_of(const struct adoption *a, const struct ip_addr *dst, uint32_t spi, uint8_t proto)
{
	struct xfrm_sa_id key;
	struct half_ref *h;

	half_key(&key, dst, spi, proto);
	HASH_FIND(hh, a->halves, &key, sizeof(key), h);
	return h;
}

static struct reqid_ref *reqid_of(const struct adoption *a, uint32_t reqid)
{
	struct reqid_ref *r;

	HASH_FIND(hh, a->reqids, &reqid, sizeof(reqid), r);
	return r;
}

static int list_half(struct adoption *a, struct sa_pair *p, enum half_dir dir)
{
	struct kernel_pair *kp = p->kernel;
	struct half_ref *h = calloc(1, sizeof(*h));
	struct reqid_ref *r = reqid_of(a, p->half[dir].row.reqid);

	if (h && !r)
		r = calloc(1, sizeof(*r));
	if (!h || !r) {
		free(h);
		return -ENOMEM;
	}
	if (!r->first) {
		r->reqid = p->half[dir].row.reqid;
		HASH_ADD(hh, a->reqids, reqid, sizeof(r->reqid), r);
	}
	h->next = r->first;
	r->first = h;
	kernel_endpoints(&p->half[dir].row, &kp->at[dir].src, &kp->at[dir].dst);
	half_key(&h->key, &kp->at[dir].dst.ip, p->half[dir].row.spi, p->half[dir].row.protocol);
	h->p = p;
	h->dir = dir;
	HASH_ADD(hh, a->halves, key, sizeof(h->key), h);
	return 0;
}

static int list_halves(struct adoption *a)
{
	struct engine *e = a->k->e;
	int err = 0;

	for (uint32_t i = 1; !err && e->n_inherited && i < e->maps.sa_slots; i++) {
		struct sa_pair *p = e->pair[i];

		if (!p || p->backend != &kernel_backend)
			continue;
		if (!kernel_pair_new(p))
			return -ENOMEM;
		for (int dir = HALF_IN; !err && dir <= HALF_OUT; dir++)
			if (p->half[dir].state == HALF_HELD)
				err = list_half(a, p, (enum half_dir)dir);
	}
	return err;
}

/* ---- what the kernel has --------------------------------------------------------------------------------- */
static struct stray *stray_new(struct adoption *a)
{
	struct stray *s = calloc(1, sizeof(*s));

	if (!s) {
		a->error = -ENOMEM;
		return NULL;
	}
	s->next = a->strays;
	a->strays = s;
	return s;
}

static bool on_state(void *ctx, const struct xfrm_sa_info *sa)
{
	struct adoption *a = ctx;
	struct half_ref *h = half_of(a, &sa->spec.dst, sa->spec.spi, sa->spec.proto);
	struct stray *s;

	if (h) {
		h->found = true;
		h->p->kernel->if_id[h->dir] = sa->spec.if_id;
		h->p->kernel->mark[h->dir] = sa->spec.mark;
		h->p->kernel->mark_in_sa |= h->dir == HALF_IN && sa->spec.mark.mask;
		h->p->kernel->hard_bytes = sa->spec.limits.hard_bytes;
		h->p->kernel->hard_packets = sa->spec.limits.hard_packets;
		return true;
	}
	/* The kernel's own, which goes with the compression that it made it for. */
	if (sa->spec.proto == IPPROTO_IPIP || sa->spec.proto == IPPROTO_IPV6)
		return true;
	if (sa->spec.proto == IPPROTO_COMP) {
		struct reqid_ref *r = reqid_of(a, sa->spec.reqid);

		for (h = r ? r->first : NULL; h; h = h->next)
			if (kernel_ipcomp_adopt(h->p, h->dir, sa))
				return true;
	}
	if (!ours(sa->spec.reqid) && !ours(sa->spec.if_id))
		return true;
	s = stray_new(a);
	if (!s)
		return false;
	s->sa = (struct xfrm_sa_id){.dst = sa->spec.dst, .spi = sa->spec.spi, .proto = sa->spec.proto,
				    .mark = sa->spec.mark};
	a->n_states++;
	return true;
}

static bool fits_half(const struct sa_pair *p, enum half_dir dir, const struct xfrm_policy_spec *s)
{
	const struct kernel_pair *kp = p->kernel;
	const struct xfrm_tmpl *t = &s->tmpl[s->n_tmpl - 1];

	if (p->half[dir].state != HALF_HELD || p->half[dir].row.reqid != t->reqid || kp->if_id[dir] != s->if_id ||
	    p->half[dir].row.protocol != t->proto || (t->spi && t->spi != p->half[dir].row.spi))
		return false;
	return t->mode != XF_TUNNEL ||
	       (addr_equal(&t->src, &kp->at[dir].src.ip) && addr_equal(&t->dst, &kp->at[dir].dst.ip));
}

static bool on_policy(void *ctx, const struct xfrm_policy_info *info)
{
	struct adoption *a = ctx;
	const struct xfrm_policy_spec *s = &info->spec;
	enum half_dir dir = s->dir == XF_OUT ? HALF_OUT : HALF_IN;
	struct reqid_ref *r = s->n_tmpl ? reqid_of(a, s->tmpl[0].reqid) : NULL;
	struct half_ref *h;
	struct stray *stray;
	bool kept = false;

	for (h = r ? r->first : NULL; h; h = h->next) {
		if (h->dir != dir || !h->found || !fits_half(h->p, dir, s))
			continue;
		if (kernel_policy_adopt(a->k, h->p, dir, s))
			a->error = -ENOMEM;
		kept = true;
	}
	if (kept || (!ours(s->if_id) && !(s->n_tmpl && ours(s->tmpl[0].reqid))))
		return !a->error;
	stray = stray_new(a);
	if (!stray)
		return false;
	stray->is_policy = true;
	kernel_policy_id(s, &stray->policy);
	a->n_policies++;
	return true;
}

/* ---- what becomes of it ------------------------------------------------------------------------------------ */
static void remove_strays(struct adoption *a)
{
	struct stray *s;

	while ((s = a->strays)) {
		a->strays = s->next;
		if (s->is_policy)
			xfrm_policy_del(a->k->client, &s->policy, NULL);
		else
			xfrm_sa_del(a->k->client, &s->sa, NULL);
		free(s);
	}
	if (a->n_states || a->n_policies)
		log_line(LOG_KERNEL, 1, "removed %u SAs and %u policies from the kernel that an earlier agent left unfinished",
			 a->n_states, a->n_policies);
}

static void lose_unfound(struct adoption *a)
{
	struct half_ref *h, *next;
	struct reqid_ref *r, *after;
	unsigned int lost = 0;

	HASH_ITER(hh, a->halves, h, next)
		if (!h->found)
			pair_half_lost(a->k->e, h->p, h->dir);
	HASH_ITER(hh, a->halves, h, next) {
		if (!h->found && !h->p->leaving && ++lost)
			orphan_lost(a->k->e, h->p);
		HASH_DEL(a->halves, h);
		free(h);
	}
	HASH_ITER(hh, a->reqids, r, after) {
		HASH_DEL(a->reqids, r);
		free(r);
	}
	if (lost)
		log_line(LOG_KERNEL, 0, "%u Child SAs of an earlier agent are gone from the kernel", lost);
}

int kernel_adopt(struct kernel_engine *k)
{
	struct adoption a = {.k = k};
	int err = list_halves(&a);

	if (!err)
		err = xfrm_sa_dump(k->client, on_state, &a);
	if (!err && !a.error)
		err = xfrm_policy_dump(k->client, on_policy, &a);
	if (!err)
		err = a.error;
	remove_strays(&a);
	lose_unfound(&a);
	return err;
}

/* ---- open and close ------------------------------------------------------------------------------------------ */
static int open_parts(struct kernel_engine *k, char *why, size_t n)
{
	static const struct xfrm_client_ops ops = {.event = kernel_event};
	int err;

	k->client = xfrm_client_new(k->e->base, &ops, k, why, n);
	if (!k->client)
		return -errno;
	err = xfrm_probe_run(&k->probe);
	if (err || !k->probe.has[XF_ESP]) {
		snprintf(why, n, "%s", k->probe.why_not[XF_ESP]);
		return err ? err : -EPROTONOSUPPORT;
	}
	err = kernel_backend_events(k);
	if (!err)
		err = kernel_events_open(k);
	if (err)
		snprintf(why, n, "%s", strerror(-err));
	return err;
}

int kernel_backend_open(struct engine *e)
{
	struct kernel_engine *k = calloc(1, sizeof(*k));
	int err;

	if (!k)
		return -ENOMEM;
	k->e = e;
	k->next_reqid = 1;
	k->budget = (struct log_budget)LOG_BUDGET_INIT;
	TAILQ_INIT(&k->answers);
	TAILQ_INIT(&k->under_way);
	TAILQ_INIT(&k->traps);
	e->kernel = k;
	err = open_parts(k, e->kernel_why, sizeof(e->kernel_why));
	if (err) {
		kernel_backend_close(e);
		pairs_lost(e, &kernel_backend);
		orphans_lost(e, &kernel_backend);
		return err == -ENOMEM ? err : 0;
	}
	err = kernel_adopt(k);
	if (err)
		log_line(LOG_KERNEL, 0, "what an earlier agent left in the kernel cannot be listed: %s", strerror(-err));
	return 0;
}

void kernel_backend_close(struct engine *e)
{
	struct kernel_engine *k = e->kernel;

	if (!k)
		return;
	xfrm_client_free(k->client);
	for (uint32_t i = 1; e->n_pairs && i < e->maps.sa_slots; i++)
		if (e->pair[i] && e->pair[i]->kernel)
			kernel_pair_free(k, e->pair[i]);
	kernel_traps_free(k);
	kernel_answers_free(k);
	if (k->resync)
		event_free(k->resync);
	free(k);
	e->kernel = NULL;
}
