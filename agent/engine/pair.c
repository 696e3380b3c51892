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

static struct sa_pair *pair_at(struct engine *e, struct engine_sa sa)
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
	e->pair[slot] = p;
	e->n_pairs++;
	return p;
}

uint64_t pair_word(const struct sa_pair *p)
{
	const struct xs_sa *row = &p->half[PLANE_OUT].row;

	return XS_BUNDLE(p->slot, p->generation, row->worker, row->engine);
}

static void forget_when_empty(struct engine *e, struct sa_pair *p)
{
	if (!p->leaving || p->half[PLANE_IN].state != HALF_NONE ||
	    p->half[PLANE_OUT].state != HALF_NONE)
		return;
	if (p->due)
		TAILQ_REMOVE(&e->due, p, next_due);
	slots_release(e->slots, engine_now_ms(), p->slot, p->generation);
	e->pair[p->slot] = NULL;
	e->n_pairs--;
	if (p->inherited)
		e->n_inherited--;
	free(p);
}

void pair_set_mtu(struct engine *e, struct sa_pair *p, uint16_t mtu)
{
	struct sa_half *h = &p->half[PLANE_OUT];
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
struct removal {
	struct engine *e;
	struct engine_sa sa;
	enum plane_direction direction;
};

static void be_due(struct engine *e, struct sa_pair *p)
{
	if (p->due)
		return;
	p->due = true;
	TAILQ_INSERT_TAIL(&e->due, p, next_due);
}

static void on_removed(void *ctx, int error, const struct plane_ack *ack)
{
	struct removal *r = ctx;
	struct engine *e = r->e;
	struct sa_pair *p = pair_at(e, r->sa);
	struct sa_half *h = p ? &p->half[r->direction] : NULL;

	if (h)
		h->asked = false;
	if (h && ack && h->state == HALF_DROPPING) {
		h->state = HALF_NONE;
		log_line(LOG_CHILD, 2, "ESP %s %08x ended with %llu packets, %llu bytes%s%s",
			 r->direction == PLANE_IN ? "in" : "out", h->row.spi,
			 (unsigned long long)ack->packets, (unsigned long long)ack->bytes,
			 error ? ": " : "", error ? ack->text : "");
		forget_when_empty(e, p);
	} else if (h && h->state == HALF_DROPPING) {
		be_due(e, p);
	}
	free(r);
	if (ack)
		pairs_ask_due(e);
}

static int ask_removal(struct engine *e, struct sa_pair *p, enum plane_direction dir)
{
	union plane_msg m;
	struct removal *r = malloc(sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	*r = (struct removal){.e = e, .sa = pair_handle(p), .direction = dir};
	memset(&m.del, 0, sizeof(m.del));
	m.del.hdr.type = PLANE_SA_DEL;
	m.del.slot = p->slot;
	m.del.generation = p->generation;
	m.del.direction = (uint8_t)dir;
	err = plane_client_request(e->plane, &m, sizeof(m.del), on_removed, r);
	if (err)
		free(r);
	else
		p->half[dir].asked = true;
	return err;
}

static int ask_halves(struct engine *e, struct sa_pair *p)
{
	for (int dir = PLANE_IN; dir <= PLANE_OUT; dir++) {
		int err;

		if (p->half[dir].state != HALF_DROPPING || p->half[dir].asked)
			continue;
		err = ask_removal(e, p, (enum plane_direction)dir);
		if (err)
			return err;
	}
	return 0;
}

/* Thousands of SAs may go at once, more than the dataplane's queue takes: each answer makes room. */
void pairs_ask_due(struct engine *e)
{
	struct sa_pair *p;

	while ((p = TAILQ_FIRST(&e->due)) && !ask_halves(e, p)) {
		TAILQ_REMOVE(&e->due, p, next_due);
		p->due = false;
	}
}

static void drop_rows(struct engine *e, struct sa_pair *p, enum plane_direction dir)
{
	struct sa_half *h = &p->half[dir];
	int err;

	if (!h->rows)
		return;
	h->rows = false;
	err = dir == PLANE_IN ? xs_sa_in_del(&e->maps, h->row.spi) : xs_sa_out_del(&e->maps, p->slot);
	if (err && err != -ENOENT)
		log_line(LOG_KERNEL, 1, "row of SA %08x cannot be deleted: %s", h->row.spi,
			 strerror(-err));
}

void pair_drop_half(struct engine *e, struct sa_pair *p, enum plane_direction dir)
{
	struct sa_half *h = &p->half[dir];

	drop_rows(e, p, dir);
	if (h->state == HALF_NONE || h->state == HALF_DROPPING)
		return;
	h->state = HALF_DROPPING;
	be_due(e, p);
	pairs_ask_due(e);
}

void pair_go(struct engine *e, struct sa_pair *p)
{
	p->leaving = true;
	pair_drop_half(e, p, PLANE_OUT);
	pair_drop_half(e, p, PLANE_IN);
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

struct sa_pair *set_heir(const struct policy_set *s)
{
	struct sa_pair *p;

	TAILQ_FOREACH(p, &s->members, member)
		if (p->half[PLANE_OUT].rows)
			return p;
	return NULL;
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
	heir = set_heir(s);
	if (heir && !policy_set_protect(e->policies, s, pair_word(heir)))
		s->owner = heir;
	else if (s->rest)
		policy_set_rest(e->policies, s, s->rest);
	else
		set_go(e, s);
}

/* ---- the dataplane came back ------------------------------------------------------------------ */
static void half_lost(struct engine *e, struct sa_pair *p, enum plane_direction dir)
{
	struct sa_half *h = &p->half[dir];

	drop_rows(e, p, dir);
	if (h->state == HALF_HELD || h->state == HALF_DROPPING)
		h->state = HALF_NONE;
}

static void pair_lost(struct engine *e, struct sa_pair *p)
{
	/* Closed at once: the policies protect, and there is nothing to do it with. */
	if (p->set && p->set->owner == p)
		policy_set_protect(e->policies, p->set, 0);
	half_lost(e, p, PLANE_IN);
	half_lost(e, p, PLANE_OUT);
	forget_when_empty(e, p);
}

void pairs_lost(struct engine *e)
{
	for (uint32_t i = 1; e->n_pairs && i < e->maps.sa_slots; i++)
		if (e->pair[i])
			pair_lost(e, e->pair[i]);
}
