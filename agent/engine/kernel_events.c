/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel.h"

#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * What the kernel tells of SAs and policies: limits, peers that moved, and what others deleted. Policies that vanished are
 * put back; a pair whose SA vanished is lost, closed, and reported once. After a flush, or when news were lost, all is
 * compared with what the kernel has.
 */

enum { EARLY_MS = 1000 };

/* ---- whose is it ------------------------------------------------------------------------------------ */
static bool is_half(const struct sa_pair *p, enum half_dir dir, const struct xfrm_sa_id *id)
{
	return p && p->backend == &kernel_backend && p->kernel && p->half[dir].state == HALF_HELD &&
	       p->half[dir].row.spi == id->spi && p->half[dir].row.protocol == id->proto &&
	       addr_equal(&p->kernel->at[dir].dst.ip, &id->dst);
}

/* By the slot: of an interface id of ours, or in the low bits of an SPI that we chose; else by looking at all. */
static struct sa_pair *find_half(struct kernel_engine *k, const struct xfrm_sa_id *id, uint32_t if_id,
				 enum half_dir *dir)
{
	struct engine *e = k->e;
	uint32_t slot = id->spi & (e->maps.sa_slots - 1);

	*dir = HALF_IN;
	if (is_half(e->pair[slot], HALF_IN, id))
		return e->pair[slot];
	*dir = HALF_OUT;
	slot = if_id & ~XS_XFRM_IDS;
	if ((if_id & XS_XFRM_IDS) == XS_XFRM_IDS && slot < e->maps.sa_slots && is_half(e->pair[slot], HALF_OUT, id))
		return e->pair[slot];
	for (slot = 1; slot < e->maps.sa_slots; slot++)
		if (is_half(e->pair[slot], HALF_OUT, id))
			return e->pair[slot];
	return NULL;
}

/* ---- lost ------------------------------------------------------------------------------------------- */
static void half_lost(struct kernel_engine *k, struct sa_pair *p, enum half_dir dir)
{
	struct engine_event ev = {.kind = ENGINE_LOST, .sa = pair_handle(p)};
	bool told = p->kernel->told_lost;

	p->kernel->told_lost = true;
	pair_half_lost(k->e, p, dir);
	if (p->inherited)
		orphan_lost(k->e, p);
	else if (!told)
		engine_tell(k->e, &ev);
}

static void say_lost(const struct kernel_engine *k, const struct sa_pair *p, enum half_dir dir, const char *how)
{
	(void)k;
	log_line(LOG_KERNEL, 0, "SA %08x of CHILD_SA %s {%u} is gone from the kernel: %s", p->half[dir].row.spi,
		 p->half[dir].row.child, p->half[dir].row.child_id, how);
}

/* ---- limits ------------------------------------------------------------------------------------------ */
/* By bytes or packets, or does the kernel's clock say that it is time before ours does? */
static bool clock_jumped(const struct sa_pair *p, enum half_dir dir, uint64_t bytes, uint64_t packets)
{
	const struct kernel_pair *kp = p->kernel;
	uint64_t expires = p->half[dir].row.expires_ns;

	if ((kp->hard_bytes && bytes >= kp->hard_bytes) || (kp->hard_packets && packets >= kp->hard_packets))
		return false;
	return expires && engine_boottime_ns() + EARLY_MS * 1000000ULL < expires;
}

static void expire(struct kernel_engine *k, const struct xfrm_event *ev)
{
	enum half_dir dir;
	struct sa_pair *p = find_half(k, &ev->expire.id, ev->expire.if_id, &dir);
	struct engine_event out = {.kind = ev->expire.hard ? ENGINE_HARD : ENGINE_SOFT};

	if (!p)
		return;
	out.sa = pair_handle(p);
	if (ev->expire.hard && clock_jumped(p, dir, ev->expire.bytes, ev->expire.packets)) {
		say_lost(k, p, dir, "it expired before its time, the clock was set; making it anew");
		half_lost(k, p, dir);
		return;
	}
	if (p->inherited && ev->expire.hard)
		orphan_expire(k->e, p);
	else if (!p->inherited)
		engine_tell(k->e, &out);
}

static void mapping(struct kernel_engine *k, const struct xfrm_event *ev)
{
	enum half_dir dir;
	struct sa_pair *p = find_half(k, &ev->mapping.id, 0, &dir);
	struct engine_event out = {.kind = ENGINE_NAT_CHANGE, .remote = ev->mapping.to};

	if (!p || dir != HALF_IN || p->inherited)
		return;
	out.sa = pair_handle(p);
	engine_tell(k->e, &out);
}

/* ---- all compared ------------------------------------------------------------------------------------- */
struct seen {
	struct xfrm_sa_id id;
	UT_hash_handle hh;
};

struct states {
	struct seen *all;
	bool no_memory;
};

static void seen_key(struct xfrm_sa_id *key, const struct ip_addr *dst, uint32_t spi, uint8_t proto)
{
	memset(key, 0, sizeof(*key));
	key->dst.family = dst->family;
	memcpy(key->dst.b, dst->b, addr_len(dst));
	key->spi = spi;
	key->proto = proto;
}

static bool see(void *ctx, const struct xfrm_sa_info *sa)
{
	struct states *st = ctx;
	struct seen *s = calloc(1, sizeof(*s)), *before;

	if (!s) {
		st->no_memory = true;
		return false;
	}
	seen_key(&s->id, &sa->spec.dst, sa->spec.spi, sa->spec.proto);
	HASH_FIND(hh, st->all, &s->id, sizeof(s->id), before);
	if (before)
		free(s);
	else
		HASH_ADD(hh, st->all, id, sizeof(s->id), s);
	return true;
}

static bool is_seen(const struct states *st, const struct sa_pair *p, enum half_dir dir)
{
	struct xfrm_sa_id key;
	struct seen *s;

	seen_key(&key, &p->kernel->at[dir].dst.ip, p->half[dir].row.spi, p->half[dir].row.protocol);
	HASH_FIND(hh, st->all, &key, sizeof(key), s);
	return s != NULL;
}

static bool lacks_half(const struct states *st, const struct sa_pair *p, enum half_dir dir)
{
	return p->half[dir].state == HALF_HELD && !is_seen(st, p, dir);
}

static void states_free(struct states *st)
{
	struct seen *s, *next;

	HASH_ITER(hh, st->all, s, next) {
		HASH_DEL(st->all, s);
		free(s);
	}
}

static bool kernel_pair_at(const struct engine *e, uint32_t slot)
{
	const struct sa_pair *p = e->pair[slot];

	return p && p->backend == &kernel_backend && p->kernel && !p->leaving;
}

static void compare_states(struct kernel_engine *k)
{
	struct engine *e = k->e;
	struct states st = {0};
	unsigned int lost = 0;
	int err = xfrm_sa_dump(k->client, see, &st);

	if (err || st.no_memory) {
		log_limited(&k->budget, LOG_KERNEL, 0, "the kernel's SAs cannot be listed: %s", strerror(err ? -err : ENOMEM));
		states_free(&st);
		return;
	}
	for (uint32_t i = 1; e->n_pairs && i < e->maps.sa_slots; i++) {
		struct sa_pair *p = e->pair[i];
		struct engine_sa sa;
		bool in, out;

		if (!kernel_pair_at(e, i))
			continue;
		in = lacks_half(&st, p, HALF_IN);
		out = lacks_half(&st, p, HALF_OUT);
		lost += in || out;
		sa = pair_handle(p);
		if (out)
			half_lost(k, p, HALF_OUT);
		/* it may be gone by now */
		if (in && pair_find(e, sa))
			half_lost(k, p, HALF_IN);
	}
	states_free(&st);
	if (lost)
		log_line(LOG_KERNEL, 0, "the SAs of %u CHILD_SAs are gone from the kernel, somebody removed them: making them anew",
			 lost);
}

static void restore_policies(struct kernel_engine *k)
{
	struct kernel_trap *t;

	TAILQ_FOREACH(t, &k->traps, next)
		kernel_trap_restore(k, t);
	for (uint32_t i = 1; k->e->n_pairs && i < k->e->maps.sa_slots; i++)
		if (kernel_pair_at(k->e, i))
			kernel_policies_restore(k, k->e->pair[i]);
}

static void on_resync(evutil_socket_t fd, short what, void *arg)
{
	struct kernel_engine *k = arg;
	bool states = k->check_states, policies = k->check_policies;

	(void)fd;
	(void)what;
	k->check_states = k->check_policies = false;
	/* What was asked for meanwhile is there before it is looked for. */
	kernel_flush(k);
	if (policies)
		restore_policies(k);
	if (states)
		compare_states(k);
}

static void resync(struct kernel_engine *k, bool states, bool policies)
{
	k->check_states |= states;
	k->check_policies |= policies;
	event_active(k->resync, EV_TIMEOUT, 0);
}

/* ---- events ---------------------------------------------------------------------------------------------- */
static void sa_gone(struct kernel_engine *k, const struct xfrm_event *ev)
{
	enum half_dir dir;
	struct sa_pair *p = find_half(k, &ev->sa.id, ev->sa.if_id, &dir);

	if (!p)
		return;
	say_lost(k, p, dir, "somebody deleted it; making it anew");
	half_lost(k, p, dir);
}

static void policy_gone(struct kernel_engine *k, const struct xfrm_event *ev)
{
	const struct xfrm_policy_spec spec = {.dir = ev->policy.id.dir, .sel = ev->policy.id.sel,
					      .if_id = ev->policy.id.if_id, .mark = ev->policy.id.mark};
	const struct kernel_trap *t = kernel_policy_trap(k, &spec);
	struct sa_pair *p = kernel_policy_pair(k, &ev->policy.id);

	if (t) {
		log_limited(&k->budget, LOG_KERNEL, 0, "somebody deleted the trap of CHILD_SA %s from the kernel: put back",
			    t->child);
		resync(k, false, true);
	}
	if (!p)
		return;
	log_limited(&k->budget, LOG_KERNEL, 0, "somebody deleted a policy of CHILD_SA %s from the kernel: put back",
		    p->half[HALF_IN].row.child);
	kernel_policies_restore(k, p);
}

/* A packet met a trap of the kernel's own: true. */
static bool acquire(struct kernel_engine *k, const struct xfrm_event *ev)
{
	const struct kernel_trap *t = kernel_policy_trap(k, &ev->acquire.policy);
	const struct xf_selector *s = &ev->acquire.sel;
	struct engine_event out = {.kind = ENGINE_ACQUIRE};

	if (!t)
		return false;
	addr_to_mapped(&s->src, out.tuple.src.b);
	addr_to_mapped(&s->dst, out.tuple.dst.b);
	out.tuple.protocol = s->protocol;
	out.tuple.sport = s->sport;
	out.tuple.dport = s->dport;
	out.tuple.flags = (uint8_t)((s->src.family == 6 ? XS_TUPLE_V6 : 0) |
				    (s->sport_mask || s->dport_mask ? 0 : XS_TUPLE_NO_PORTS));
	memcpy(out.conn, t->conn, sizeof(out.conn));
	memcpy(out.child, t->child, sizeof(out.child));
	engine_tell(k->e, &out);
	return true;
}

void kernel_event(void *ctx, const struct xfrm_event *ev)
{
	struct kernel_engine *k = ctx;

	switch (ev->kind) {
	case XF_EV_ACQUIRE:
		if (acquire(k, ev))
			return;
		/* Ours have an SA always, or nothing leads to them: somebody took it away. */
		if (kernel_reqid_ours(k, ev->acquire.policy.tmpl[0].reqid) || kernel_device_pair(k, ev->acquire.policy.if_id))
			resync(k, true, false);
		return;
	case XF_EV_EXPIRE:
		expire(k, ev);
		return;
	case XF_EV_MAPPING:
		mapping(k, ev);
		return;
	case XF_EV_SA_GONE:
		sa_gone(k, ev);
		return;
	case XF_EV_SA_FLUSHED:
		resync(k, true, false);
		return;
	case XF_EV_POLICY_GONE:
		policy_gone(k, ev);
		return;
	case XF_EV_POLICY_FLUSHED:
		log_limited(&k->budget, LOG_KERNEL, 0, "somebody flushed the kernel's policies: ours are put back");
		resync(k, false, true);
		return;
	case XF_EV_OVERRUN:
		log_limited(&k->budget, LOG_KERNEL, 1, "news of the kernel's SAs were lost: comparing all");
		resync(k, true, true);
		return;
	}
}

int kernel_events_open(struct kernel_engine *k)
{
	k->resync = event_new(k->e->base, -1, 0, on_resync, k);
	return k->resync ? 0 : -ENOMEM;
}
