/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel.h"

#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The kernel's policies of our pairs. In device mode they are the pair's alone, made and deleted by its if_id. Ordinary
 * ones are shared: what several pairs want of one name is a list of claims, and the newest is in force.
 */

enum { DEVICE_PRIORITY = PRIORITY_SA };

static uint8_t family_of(const struct kernel_pair *kp, uint32_t i)
{
	return kp->group->out.at[i].sel.src.family;
}

/* ---- what a policy says ---------------------------------------------------------------------------- */
static void fill_tmpl(const struct sa_pair *p, enum half_dir half, struct xfrm_policy_spec *out)
{
	const struct xs_sa *row = &p->half[half].row;
	struct xfrm_tmpl *t = &out->tmpl[0];

	out->n_tmpl = 1;
	*t = (struct xfrm_tmpl){
		.spi = half == HALF_OUT ? row->spi : 0,
		.proto = row->protocol,
		.mode = row->mode == XS_TRANSPORT ? XF_TRANSPORT : XF_TUNNEL,
		.reqid = row->reqid,
	};
	if (t->mode == XF_TUNNEL) {
		addr_from_mapped(row->src.b, &t->src);
		addr_from_mapped(row->dst.b, &t->dst);
	}
	if (p->kernel->cpi[half])
		kernel_ipcomp_tmpl(p, half, out);
}

void kernel_policy_id(const struct xfrm_policy_spec *s, struct xfrm_policy_id *id)
{
	memset(id, 0, sizeof(*id)); /* a key: what lies between the fields counts */
	id->dir = s->dir;
	id->sel.src.family = s->sel.src.family;
	memcpy(id->sel.src.b, s->sel.src.b, sizeof(id->sel.src.b));
	id->sel.dst.family = s->sel.dst.family;
	memcpy(id->sel.dst.b, s->sel.dst.b, sizeof(id->sel.dst.b));
	id->sel.src_len = s->sel.src_len;
	id->sel.dst_len = s->sel.dst_len;
	id->sel.protocol = s->sel.protocol;
	id->sel.sport = s->sel.sport;
	id->sel.sport_mask = s->sel.sport_mask;
	id->sel.dport = s->sel.dport;
	id->sel.dport_mask = s->sel.dport_mask;
	id->sel.ifindex = s->sel.ifindex;
	id->if_id = s->if_id;
	id->mark.value = s->mark.value;
	id->mark.mask = s->mark.mask;
}

static void fill_spec(const struct sa_pair *p, enum half_dir half, enum xf_dir dir, const struct kernel_selector *s,
		      struct xfrm_policy_spec *out)
{
	const struct kernel_pair *kp = p->kernel;

	*out = (struct xfrm_policy_spec){
		.dir = dir,
		.sel = s->sel,
		.action = XF_ALLOW,
		.priority = s->priority,
		.if_id = kp->if_id[half],
		.mark = kp->mark[half],
	};
	out->sel.ifindex = kp->ifindex;
	if (p->half[half].row.engine == XS_ENGINE_OFFLOAD && dir != XF_FWD)
		out->offload = kp->offload;
	fill_tmpl(p, half, out);
}

/* All of one inner family that carries the pair's if_id: tc_out has looked at the selectors. */
static void fill_any(const struct sa_pair *p, uint8_t family, struct xfrm_policy_spec *out)
{
	const struct kernel_selector any = {
		.sel = {.src.family = family, .dst.family = family}, .priority = DEVICE_PRIORITY};

	fill_spec(p, HALF_OUT, XF_OUT, &any, out);
}

/* ---- device mode ------------------------------------------------------------------------------------- */
static int each_out(const struct sa_pair *p, kernel_spec_fn fn, void *ctx)
{
	const struct kernel_selectors *l = &p->kernel->group->out;
	struct xfrm_policy_spec s;
	bool done[7] = {false};
	int err = 0;

	for (uint32_t i = 0; !err && i < l->n; i++) {
		uint8_t family = family_of(p->kernel, i);

		if (done[family])
			continue;
		done[family] = true;
		fill_any(p, family, &s);
		err = fn(ctx, &s);
	}
	return err;
}

static int each_in(const struct sa_pair *p, kernel_spec_fn fn, void *ctx)
{
	const struct kernel_selectors *l = &p->kernel->group->in;
	struct xfrm_policy_spec s;
	int err = 0;

	for (uint32_t i = 0; !err && i < l->n; i++) {
		fill_spec(p, HALF_IN, XF_IN, &l->at[i], &s);
		err = fn(ctx, &s);
		/* Transport mode ends here (RFC 4301 3.2): nothing that it carried is forwarded. */
		if (err || p->half[HALF_IN].row.mode == XS_TRANSPORT)
			continue;
		s.dir = XF_FWD;
		s.offload = (struct xf_offload){0};
		err = fn(ctx, &s);
	}
	return err;
}

int kernel_policies_each(const struct sa_pair *p, enum half_dir half, kernel_spec_fn fn, void *ctx)
{
	return half == HALF_IN ? each_in(p, fn, ctx) : each_out(p, fn, ctx);
}

struct adding {
	struct kernel_engine *k;
	struct sa_pair *p;
	enum half_dir half;
	struct xfrm_wait w;
	char *why;
	unsigned int n;
};

static int add_one(void *ctx, const struct xfrm_policy_spec *s)
{
	struct adding *a = ctx;
	int err = xfrm_policy_add(a->k->client, s, &a->w, a->why);

	if (err)
		return err;
	a->w.tag++;
	a->n++;
	return 0;
}

static int put_one(void *ctx, const struct xfrm_policy_spec *s)
{
	struct kernel_engine *k = ctx;

	return xfrm_policy_put(k->client, s, NULL, NULL);
}

static int del_one(void *ctx, const struct xfrm_policy_spec *s)
{
	struct kernel_engine *k = ctx;
	struct xfrm_policy_id id;

	kernel_policy_id(s, &id);
	xfrm_policy_del(k->client, &id, &kernel_nobody);
	return 0;
}

/* ---- claims ---------------------------------------------------------------------------------------- */
static void trap_spec(const struct kernel_claim *c, struct xfrm_policy_spec *s)
{
	const struct xfrm_policy_id *id = &c->policy->id;

	/* transport mode wants no endpoints, which may not be known yet */
	*s = (struct xfrm_policy_spec){.dir = id->dir, .sel = id->sel, .action = XF_ALLOW, .priority = c->priority,
				       .if_id = id->if_id, .mark = id->mark, .n_tmpl = 1};
	s->tmpl[0] = (struct xfrm_tmpl){.proto = c->trap->proto, .mode = XF_TRANSPORT, .reqid = c->trap->reqid};
}

static void claim_spec(const struct kernel_claim *c, struct xfrm_policy_spec *s)
{
	const struct kernel_selector sel = {.sel = c->policy->id.sel, .priority = c->priority};

	if (c->trap) {
		trap_spec(c, s);
		return;
	}
	fill_spec(c->p, c->half, c->policy->id.dir, &sel, s);
	s->sel.ifindex = c->policy->id.sel.ifindex;
	/* an earlier agent's have what was found */
	s->if_id = c->policy->id.if_id;
	s->mark = c->policy->id.mark;
	if (c->bare)
		s->n_tmpl = 0;
}

static bool same_wish(const struct xfrm_policy_spec *a, const struct xfrm_policy_spec *b)
{
	const struct xfrm_tmpl *x = &a->tmpl[0], *y = &b->tmpl[0];

	if (a->priority != b->priority || a->n_tmpl != b->n_tmpl || a->offload.wish != b->offload.wish)
		return false;
	if (a->n_tmpl > 1 && a->tmpl[1].spi != b->tmpl[1].spi)
		return false;
	return !a->n_tmpl ||
	       (x->spi == y->spi && x->proto == y->proto && x->mode == y->mode && x->reqid == y->reqid &&
		addr_equal(&x->src, &y->src) && addr_equal(&x->dst, &y->dst));
}

static struct kernel_policy *policy_of(struct kernel_engine *k, const struct xfrm_policy_id *id)
{
	struct kernel_policy *kp;

	HASH_FIND(hh, k->policies, id, sizeof(*id), kp);
	return kp;
}

/* Of the policy that this names, known or new; on nobody's lists yet. */
static struct kernel_claim *claim_alloc(struct kernel_engine *k, const struct xfrm_policy_spec *s)
{
	struct kernel_claim *c = calloc(1, sizeof(*c));
	struct xfrm_policy_id id;

	if (!c)
		return NULL;
	kernel_policy_id(s, &id);
	c->policy = policy_of(k, &id);
	if (!c->policy) {
		c->policy = calloc(1, sizeof(*c->policy));
		if (!c->policy) {
			free(c);
			return NULL;
		}
		memcpy(&c->policy->id, &id, sizeof(id));
		TAILQ_INIT(&c->policy->claims);
		HASH_ADD(hh, k->policies, id, sizeof(id), c->policy);
	}
	c->priority = s->priority;
	c->bare = !s->n_tmpl;
	return c;
}

static struct kernel_claim *claim_new(struct kernel_engine *k, struct sa_pair *p, enum half_dir half,
				      const struct xfrm_policy_spec *s)
{
	struct kernel_claim *c = claim_alloc(k, s);

	if (!c)
		return NULL;
	c->p = p;
	c->half = half;
	TAILQ_INSERT_HEAD(&c->policy->claims, c, of_policy);
	TAILQ_INSERT_TAIL(&p->kernel->claims[half], c, of_pair);
	return c;
}

/* The policy goes to the one that wanted it before, or goes. */
void kernel_claim_drop(struct kernel_engine *k, struct kernel_claim *c)
{
	struct kernel_policy *kp = c->policy;
	bool first = TAILQ_FIRST(&kp->claims) == c;
	struct xfrm_policy_spec was, s;
	struct kernel_claim *next;

	claim_spec(c, &was);
	TAILQ_REMOVE(&kp->claims, c, of_policy);
	TAILQ_REMOVE(c->trap ? &c->trap->claims : &c->p->kernel->claims[c->half], c, of_pair);
	free(c);
	next = TAILQ_FIRST(&kp->claims);
	if (next && first && !kp->foreign) {
		claim_spec(next, &s);
		if (!same_wish(&was, &s))
			xfrm_policy_put(k->client, &s, NULL, NULL);
	}
	if (next)
		return;
	if (!kp->foreign)
		xfrm_policy_del(k->client, &kp->id, &kernel_nobody);
	HASH_DEL(k->policies, kp);
	free(kp);
}

int kernel_trap_claim(struct kernel_engine *k, struct kernel_trap *t, const struct xfrm_policy_spec *s)
{
	struct kernel_claim *c = claim_alloc(k, s);
	struct xfrm_policy_spec mine;
	bool alone;

	if (!c)
		return -ENOMEM;
	alone = TAILQ_EMPTY(&c->policy->claims);
	c->trap = t;
	c->half = HALF_OUT;
	TAILQ_INSERT_TAIL(&c->policy->claims, c, of_policy);
	TAILQ_INSERT_TAIL(&t->claims, c, of_pair);
	if (!alone)
		return 0;
	claim_spec(c, &mine);
	return xfrm_policy_add(k->client, &mine, NULL, NULL);
}

const struct kernel_trap *kernel_policy_trap(struct kernel_engine *k, const struct xfrm_policy_spec *s)
{
	const struct kernel_policy *kp;
	struct xfrm_policy_id id;

	kernel_policy_id(s, &id);
	kp = policy_of(k, &id);
	return kp ? TAILQ_FIRST(&kp->claims)->trap : NULL;
}

static struct kernel_claim *claim_find(const struct sa_pair *p, enum half_dir half, const struct kernel_policy *of)
{
	struct kernel_claim *c;

	TAILQ_FOREACH(c, &p->kernel->claims[half], of_pair)
		if (c->policy == of)
			return c;
	return NULL;
}

/* Asks for what the newest claim says: added when there was none, else exchanged in one step. */
static int claim_one(void *ctx, const struct xfrm_policy_spec *s)
{
	struct adding *a = ctx;
	struct kernel_policy *kp;
	struct kernel_claim *c, *before;
	struct xfrm_policy_spec was;
	struct xfrm_policy_id id;
	int err;

	kernel_policy_id(s, &id);
	kp = policy_of(a->k, &id);
	before = kp ? TAILQ_FIRST(&kp->claims) : NULL;
	if (before && kp->foreign)
		return -EEXIST;
	if (before)
		claim_spec(before, &was);
	c = kp ? claim_find(a->p, a->half, kp) : NULL;
	if (c) {
		TAILQ_REMOVE(&kp->claims, c, of_policy);
		TAILQ_INSERT_HEAD(&kp->claims, c, of_policy);
	} else {
		c = claim_new(a->k, a->p, a->half, s);
	}
	if (!c)
		return -ENOMEM;
	if (before && same_wish(&was, s))
		return 0;
	if (before && before->p && before->p->kernel->group != a->p->kernel->group && before->p->kernel->group && s->n_tmpl)
		log_limited(&a->k->budget, LOG_KERNEL, 1, "the kernel's policy of %s serves %s from now on: same selectors",
			    before->p->half[a->half].row.child, a->p->half[a->half].row.child);
	c->tag = a->w.tag;
	err = before ? xfrm_policy_put(a->k->client, s, &a->w, a->why)
		     : xfrm_policy_add(a->k->client, s, &a->w, a->why);
	if (err)
		return err;
	a->w.tag++;
	a->n++;
	return 0;
}

static int each_ordinary_out(const struct sa_pair *p, bool fwd_out, kernel_spec_fn fn, void *ctx)
{
	const struct kernel_selectors *l = &p->kernel->group->out;
	struct xfrm_policy_spec s;
	int err = 0;

	for (uint32_t i = 0; !err && i < l->n; i++) {
		fill_spec(p, HALF_OUT, XF_OUT, &l->at[i], &s);
		err = fn(ctx, &s);
		if (err || !fwd_out)
			continue;
		s.dir = XF_FWD;
		s.n_tmpl = 0;
		err = fn(ctx, &s);
	}
	return err;
}

/* ---- for the back end ------------------------------------------------------------------------------ */
int kernel_policies_add(struct kernel_engine *k, struct sa_pair *p, enum half_dir half, struct xfrm_wait w,
			unsigned int *n, char *why)
{
	struct adding a = {.k = k, .p = p, .half = half, .w = w, .why = why};
	int err = 0;

	if (p->kernel->device && !(half == HALF_IN && p->kernel->around)) {
		p->kernel->at[half].policies = true;
		err = kernel_policies_each(p, half, add_one, &a);
	} else if (half == HALF_IN) {
		err = each_in(p, claim_one, &a);
	}
	*n = a.n;
	return err;
}

void kernel_policies_del(struct kernel_engine *k, struct sa_pair *p, enum half_dir half)
{
	struct kernel_claim *c;

	while ((c = TAILQ_FIRST(&p->kernel->claims[half])))
		kernel_claim_drop(k, c);
	if (!p->kernel->at[half].policies)
		return;
	p->kernel->at[half].policies = false;
	kernel_policies_each(p, half, del_one, k);
}

struct switching {
	struct kernel_engine *k;
	struct sa_pair *p;
	int error;
	char text[XF_TEXT_MAX];
};

static void on_switched(void *ctx, struct sa_ref ref, uint64_t tag, int error, const char *text)
{
	struct switching *s = ctx;

	(void)ref;
	if (error == -EEXIST)
		kernel_policy_foreign(s->p, HALF_OUT, tag);
	if (!error || s->error)
		return;
	s->error = error;
	snprintf(s->text, sizeof(s->text), "%s", text);
}

/* At once: the store into the bundle, which comes next, must find them. */
int kernel_policies_switch(struct kernel_engine *k, struct sa_pair *p)
{
	struct switching now = {.k = k, .p = p};
	char why[XF_TEXT_MAX] = "";
	struct adding a = {.k = k, .p = p, .half = HALF_OUT, .why = why,
			   .w = {.done = on_switched, .ctx = &now, .tag = 1}};
	int err;

	if (p->kernel->device || !p->kernel->group)
		return 0;
	err = each_ordinary_out(p, p->kernel->fwd_out, claim_one, &a);
	kernel_flush(k);
	if (!err)
		err = now.error;
	if (!err)
		return 0;
	log_limited(&k->budget, LOG_KERNEL, 0, "the kernel refused policies of SA %08x: %s%s",
		    p->half[HALF_OUT].row.spi, now.text[0] ? now.text : strerror(-err),
		    err == -EEXIST ? ": another program has them" : "");
	kernel_policies_withdraw(k, p);
	return err;
}

void kernel_policies_withdraw(struct kernel_engine *k, struct sa_pair *p)
{
	struct kernel_claim *c;

	while ((c = TAILQ_FIRST(&p->kernel->claims[HALF_OUT])))
		kernel_claim_drop(k, c);
}

void kernel_policy_foreign(struct sa_pair *p, enum half_dir half, uint64_t tag)
{
	struct kernel_claim *c;

	TAILQ_FOREACH(c, &p->kernel->claims[half], of_pair)
		if (c->tag == tag)
			c->policy->foreign = true;
}

int kernel_policy_adopt(struct kernel_engine *k, struct sa_pair *p, enum half_dir half,
			const struct xfrm_policy_spec *spec)
{
	return claim_new(k, p, half, spec) ? 0 : -ENOMEM;
}

void kernel_trap_restore(struct kernel_engine *k, struct kernel_trap *t)
{
	struct kernel_claim *c;
	struct xfrm_policy_spec s;

	TAILQ_FOREACH(c, &t->claims, of_pair) {
		if (TAILQ_FIRST(&c->policy->claims) != c)
			continue;
		claim_spec(c, &s);
		put_one(k, &s);
	}
}

void kernel_policies_restore(struct kernel_engine *k, struct sa_pair *p)
{
	struct kernel_claim *c;
	struct xfrm_policy_spec s;

	for (int half = HALF_IN; half <= HALF_OUT; half++) {
		if (p->half[half].state != HALF_HELD)
			continue;
		TAILQ_FOREACH(c, &p->kernel->claims[half], of_pair) {
			if (TAILQ_FIRST(&c->policy->claims) != c || c->policy->foreign)
				continue;
			claim_spec(c, &s);
			put_one(k, &s);
		}
		if (p->kernel->at[half].policies)
			kernel_policies_each(p, (enum half_dir)half, put_one, k);
	}
}

struct sa_pair *kernel_device_pair(struct kernel_engine *k, uint32_t if_id)
{
	uint32_t slot = if_id & ~XS_XFRM_IDS;
	struct sa_pair *p;

	if ((if_id & ~(CONF_CHOSEN_LAST - CONF_CHOSEN_FIRST)) != XS_XFRM_IDS || slot >= k->e->maps.sa_slots)
		return NULL;
	p = k->e->pair[slot];
	return p && p->backend == &kernel_backend && p->kernel ? p : NULL;
}

struct sa_pair *kernel_policy_pair(struct kernel_engine *k, const struct xfrm_policy_id *id)
{
	struct xfrm_policy_spec as = {.dir = id->dir, .sel = id->sel, .if_id = id->if_id, .mark = id->mark};
	struct kernel_policy *kp;
	struct xfrm_policy_id key;

	kernel_policy_id(&as, &key);
	kp = policy_of(k, &key);
	if (kp)
		return kp->foreign ? NULL : TAILQ_FIRST(&kp->claims)->p; /* NULL: a trap's */
	return kernel_device_pair(k, id->if_id);
}

void kernel_claim_forget(struct kernel_engine *k, struct kernel_claim *c)
{
	TAILQ_REMOVE(c->trap ? &c->trap->claims : &c->p->kernel->claims[c->half], c, of_pair);
	TAILQ_REMOVE(&c->policy->claims, c, of_policy);
	if (TAILQ_EMPTY(&c->policy->claims)) {
		HASH_DEL(k->policies, c->policy);
		free(c->policy);
	}
	free(c);
}

void kernel_claims_free(struct kernel_engine *k, struct sa_pair *p)
{
	struct kernel_claim *c;

	for (int half = HALF_IN; half <= HALF_OUT; half++)
		while ((c = TAILQ_FIRST(&p->kernel->claims[half])))
			kernel_claim_forget(k, c);
}
