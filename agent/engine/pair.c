/* SPDX-License-Identifier: BSD-2-Clause */
#include "pair.h"

#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { IPV6_MTU_MIN = 1280 }; /* RFC 8200 5 */

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

uint64_t engine_now_ms(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1000000;
}

uint64_t engine_boottime_ns(void)
{
	return clock_ns(CLOCK_BOOTTIME);
}

void engine_tell(struct engine *e, const struct engine_event *ev)
{
	if (!e->closing)
		e->fn(e->ctx, ev);
}

struct engine_sa pair_handle(const struct sa_pair *p)
{
	return (struct engine_sa){.slot = p->slot, .generation = p->generation};
}

struct sa_pair *pair_at(struct engine *e, struct engine_sa sa)
{
	struct sa_pair *p = sa.slot && sa.slot < e->maps.sa_slots ? e->pair[sa.slot] : NULL;

	return p && p->generation == sa.generation ? p : NULL;
}

struct sa_pair *pair_find(struct engine *e, struct engine_sa sa)
{
	struct sa_pair *p = pair_at(e, sa);

	return p && !p->leaving ? p : NULL;
}

struct sa_pair *pair_new(struct engine *e, uint32_t slot, uint32_t generation)
{
	struct sa_pair *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->slot = slot;
	p->generation = generation;
	p->backend = &plane_backend;
	e->pair[slot] = p;
	e->n_pairs++;
	return p;
}

uint64_t pair_word(const struct sa_pair *p)
{
	const struct xs_sa *row = &p->half[HALF_OUT].row;

	return XS_BUNDLE(p->slot, p->generation, row->worker, row->engine);
}

static void forget_when_empty(struct engine *e, struct sa_pair *p)
{
	if (!p->leaving || p->half[HALF_IN].state != HALF_NONE ||
	    p->half[HALF_OUT].state != HALF_NONE)
		return;
	if (p->due)
		TAILQ_REMOVE(&e->due[p->backend->engine], p, next_due);
	if (p->backend->forget)
		p->backend->forget(e, p);
	slots_release(e->slots, engine_now_ms(), p->slot, p->generation);
	e->pair[p->slot] = NULL;
	e->n_pairs--;
	if (p->inherited)
		e->n_inherited--;
	free(p);
}

void pair_set_mtu(struct engine *e, struct sa_pair *p, uint16_t mtu)
{
	struct sa_half *h = &p->half[HALF_OUT];
	int err;

	h->row.mtu = mtu;
	if (mtu < IPV6_MTU_MIN)
		log_line(LOG_CHILD, 1, "SA %08x: packets of up to %u bytes fit, and no IPv6 network may "
				       "have less than %d: larger IPv6 packets in this tunnel are lost",
			 h->row.spi, mtu, IPV6_MTU_MIN);
	if (!h->rows)
		return; /* not there yet: it comes with the row */
	err = xs_sa_out_put(&e->maps, &h->row);
	if (err)
		log_line(LOG_KERNEL, 1, "row of SA %08x: %s", h->row.spi, strerror(-err));
}

/* ---- taking down ---------------------------------------------------------------------------- */
static void be_due(struct engine *e, struct sa_pair *p)
{
	if (p->due)
		return;
	p->due = true;
	TAILQ_INSERT_TAIL(&e->due[p->backend->engine], p, next_due);
}

void removal_answered(struct engine *e, const struct sa_removal *r)
{
	struct sa_pair *p = pair_at(e, r->sa);
	struct sa_half *h = p ? &p->half[r->dir] : NULL;

	if (!h)
		return;
	h->asked = false;
	if (h->state != HALF_DROPPING)
		return;
	if (!r->gone) {
		be_due(e, p);
		return;
	}
	h->state = HALF_NONE;
	log_line(LOG_CHILD, 2, "ESP %s %08x ended with %llu packets, %llu bytes%s%s",
		 r->dir == HALF_IN ? "in" : "out", h->row.spi, (unsigned long long)r->packets,
		 (unsigned long long)r->bytes, r->text[0] ? ": " : "", r->text);
	forget_when_empty(e, p);
}

static int ask_halves(struct engine *e, struct sa_pair *p)
{
	for (int dir = HALF_IN; dir <= HALF_OUT; dir++) {
		int err;

		if (p->half[dir].state != HALF_DROPPING || p->half[dir].asked)
			continue;
		err = p->backend->del(e, p, (enum half_dir)dir);
		if (err)
			return err;
		p->half[dir].asked = true;
	}
	return 0;
}

/* Thousands of SAs may go at once, more than the dataplane's queue takes: each answer makes room. */
void pairs_ask_due(struct engine *e, const struct engine_backend *b)
{
	struct sa_pairs *due = &e->due[b->engine];
	struct sa_pair *p;

	while ((p = TAILQ_FIRST(due)) && !ask_halves(e, p)) {
		TAILQ_REMOVE(due, p, next_due);
		p->due = false;
	}
}

static void drop_rows(struct engine *e, struct sa_pair *p, enum half_dir dir)
{
	struct sa_half *h = &p->half[dir];
	int err;

	if (!h->rows)
		return;
	h->rows = false;
	err = dir == HALF_IN ? xs_sa_in_del(&e->maps, h->row.spi) : xs_sa_out_del(&e->maps, p->slot);
	if (err && err != -ENOENT)
		log_line(LOG_KERNEL, 1, "row of SA %08x cannot be deleted: %s", h->row.spi,
			 strerror(-err));
}

void pair_drop_half(struct engine *e, struct sa_pair *p, enum half_dir dir)
{
	struct sa_half *h = &p->half[dir];

	drop_rows(e, p, dir);
	if (h->state == HALF_NONE || h->state == HALF_DROPPING)
		return;
	h->state = HALF_DROPPING;
	be_due(e, p);
	pairs_ask_due(e, p->backend);
}

void pair_go(struct engine *e, struct sa_pair *p)
{
	p->leaving = true;
	pair_drop_half(e, p, HALF_OUT);
	pair_drop_half(e, p, HALF_IN);
	forget_when_empty(e, p);
}

/* ---- policies ------------------------------------------------------------------------------- */
void pair_join_set(struct sa_pair *p, struct policy_set *s)
{
	if (p->set == s)
		return;
	p->set = s;
	TAILQ_INSERT_HEAD(&s->members, p, member);
}

struct sa_pair *set_heir(const struct policy_set *s, const struct sa_pair *not)
{
	struct sa_pair *p;

	TAILQ_FOREACH(p, &s->members, member)
		if (p != not && p->half[HALF_OUT].rows)
			return p;
	return NULL;
}

int set_encrypt(struct engine *e, struct policy_set *s, struct sa_pair *p)
{
	int err = p->backend->in_force ? p->backend->in_force(e, p) : 0;

	return err ? err : policy_set_protect(e->policies, s, pair_word(p));
}

void set_go(struct engine *e, struct policy_set *s)
{
	struct sa_pair *p;

	while ((p = TAILQ_FIRST(&s->members))) {
		TAILQ_REMOVE(&s->members, p, member);
		p->set = NULL;
	}
	policy_set_del(e->policies, s);
}

void pair_leave_set(struct engine *e, struct sa_pair *p, bool trap)
{
	struct policy_set *s = p->set;
	struct sa_pair *heir;

	if (!s)
		return;
	TAILQ_REMOVE(&s->members, p, member);
	p->set = NULL;
	if (s->owner != p)
		return;
	if (trap && !s->rest) {
		s->rest = XS_TRAP;
		s->held = true;
	}
	s->owner = NULL;
	heir = set_heir(s, p);
	if (heir && !set_encrypt(e, s, heir))
		s->owner = heir;
	else if (s->rest)
		policy_set_rest(e->policies, s, s->rest);
	else
		set_go(e, s);
}

/* ---- a back end that lost what it held ---------------------------------------------------------- */
void pair_half_lost(struct engine *e, struct sa_pair *p, enum half_dir dir)
{
	struct sa_half *h = &p->half[dir];

	/* Closed at once: the policies protect, and there is nothing to do it with. */
	if (dir == HALF_OUT && p->set && p->set->owner == p)
		policy_set_protect(e->policies, p->set, 0);
	drop_rows(e, p, dir);
	if (h->state == HALF_HELD || h->state == HALF_DROPPING)
		h->state = HALF_NONE;
}

static void pair_lost(struct engine *e, struct sa_pair *p)
{
	pair_half_lost(e, p, HALF_OUT);
	pair_half_lost(e, p, HALF_IN);
	forget_when_empty(e, p);
}

void pairs_lost(struct engine *e, const struct engine_backend *b)
{
	for (uint32_t i = 1; e->n_pairs && i < e->maps.sa_slots; i++)
		if (e->pair[i] && e->pair[i]->backend == b)
			pair_lost(e, e->pair[i]);
}
