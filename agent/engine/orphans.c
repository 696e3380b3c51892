/* SPDX-License-Identifier: BSD-2-Clause */
#include "pair.h"

#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * SAs that an earlier agent left carry traffic until their time is over or a new pair of the same
 * child stands in their place. What becomes of its policies: inherited.c.
 */
static int remember(struct engine *e, const struct xs_sa *row, enum half_dir dir)
{
	struct sa_pair *p;

	if (!row->slot || row->slot >= e->maps.sa_slots || !backend_of(row->engine))
		return -EINVAL;
	p = e->pair[row->slot];
	if (p && (p->generation != row->generation || p->backend != backend_of(row->engine)))
		return -EINVAL;
	if (!p) {
		int err = slots_reserve(e->slots, row->slot, row->generation);

		if (err)
			return err;
		p = pair_new(e, row->slot, row->generation);
		if (!p)
			return -ENOMEM;
		p->backend = backend_of(row->engine);
		p->why = ENGINE_WHY_INHERITED;
		p->inherited = true;
		e->n_inherited++;
	}
	p->half[dir].row = *row;
	p->half[dir].rows = true;
	p->half[dir].state = HALF_HELD;
	p->encap = row->sport != 0;
	return 0;
}

struct reading {
	struct engine *e;
	struct xs_sa *bad;
	size_t n_bad;
};

/* Deleting while the map is walked would begin the walk anew. */
static int keep_bad(struct reading *r, const struct xs_sa *row)
{
	struct xs_sa *more = realloc(r->bad, (r->n_bad + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	r->bad = more;
	r->bad[r->n_bad++] = *row;
	return 0;
}

static int read_in(void *ctx, const struct xs_sa *row)
{
	struct reading *r = ctx;
	bool fits = row->slot < r->e->maps.sa_slots &&
		    r->e->maps.sa_slot[row->slot].spi == row->spi;
	int err = fits ? remember(r->e, row, HALF_IN) : -EINVAL;

	return err == -EINVAL || err == -EBUSY ? keep_bad(r, row) : err;
}

static int read_out(void *ctx, const struct xs_sa *row)
{
	struct reading *r = ctx;
	int err = remember(r->e, row, HALF_OUT);

	return err == -EINVAL || err == -EBUSY ? keep_bad(r, row) : err;
}

/* The bundle words say which pair each set encrypts with. */
static void join(void *ctx, struct policy_set *s)
{
	struct engine *e = ctx;
	uint64_t word = s->bundle ? xs_bundle_get(&e->maps, s->bundle) : 0;
	struct engine_sa sa = {.slot = XS_BUNDLE_SLOT(word), .generation = XS_BUNDLE_GENERATION(word)};
	struct sa_pair *p = word ? pair_find(e, sa) : NULL;

	e->inherited_policies = true;
	if (p && s->action == XS_PROTECT && p->half[HALF_OUT].rows) {
		s->owner = p;
		pair_join_set(p, s);
	} else if (s->action == XS_PROTECT) {
		policy_set_rest(e->policies, s, XS_TRAP);
		s->lost = true;
	}
}

int orphans_load(struct engine *e)
{
	struct reading in = {.e = e}, out = {.e = e};
	int err = xs_sa_in_each(&e->maps, read_in, &in);

	if (!err)
		err = xs_sa_out_each(&e->maps, read_out, &out);
	for (size_t i = 0; i < in.n_bad; i++)
		xs_sa_in_del(&e->maps, in.bad[i].spi);
	for (size_t i = 0; i < out.n_bad; i++)
		xs_sa_out_del(&e->maps, out.bad[i].slot);
	free(in.bad);
	free(out.bad);
	if (err)
		return err;
	policies_each(e->policies, join, e);
	if (e->n_inherited)
		log_line(LOG_KERNEL, 1, "found %u Child SAs of an earlier agent: they carry traffic on",
			 e->n_inherited);
	return 0;
}

/* Who a pair is for. An agent that was killed between its two rows leaves the inbound one alone. */
static const struct xs_sa *named(const struct sa_pair *p, const uint8_t **peer)
{
	const struct xs_sa *out = &p->half[HALF_OUT].row, *in = &p->half[HALF_IN].row;

	*peer = p->half[HALF_OUT].rows ? out->dst.b : in->src.b;
	return p->half[HALF_OUT].rows ? out : in;
}

static bool same_child(const struct sa_pair *a, const struct sa_pair *b)
{
	const uint8_t *peer_a, *peer_b;
	const struct xs_sa *x = named(a, &peer_a), *y = named(b, &peer_b);

	return !memcmp(x->conn, y->conn, sizeof(x->conn)) && !memcmp(x->child, y->child, sizeof(x->child)) &&
	       !memcmp(peer_a, peer_b, sizeof(x->dst));
}

void orphans_replaced(struct engine *e, const struct sa_pair *by, struct sa_pair *owner_before)
{
	uint64_t when = engine_now_ms() + e->retire_grace_ms;
	uint32_t left = e->n_inherited;

	for (uint32_t i = 1; left && i < e->maps.sa_slots; i++) {
		struct sa_pair *p = e->pair[i];

		if (!p || !p->inherited)
			continue;
		left--;
		if (p != by && !p->retire_ms && (p == owner_before || same_child(p, by))) {
			p->retire_ms = when;
			if (p->set && by->set && p->set->inherited && set_stands_for(by->set, p->set))
				p->set->rest = 0;
			log_line(LOG_KERNEL, 1, "Child SA %08x of an earlier agent is replaced",
				 p->half[HALF_IN].row.spi);
		}
	}
}

void orphan_expire(struct engine *e, struct sa_pair *p)
{
	const struct sa_half *h = &p->half[p->half[HALF_OUT].rows ? HALF_OUT : HALF_IN];
	struct engine_event ev = {.kind = ENGINE_ORPHAN_EXPIRED, .sa = pair_handle(p),
				  .spi = p->half[HALF_IN].row.spi};

	memcpy(ev.conn, h->row.conn, XS_NAME_LEN);
	memcpy(ev.child, h->row.child, XS_NAME_LEN);
	pair_leave_set(e, p, false);
	pair_go(e, p);
	engine_tell(e, &ev);
}

void orphan_lost(struct engine *e, struct sa_pair *p)
{
	/* Closed until somebody connects it again: the first packet asks for that. */
	struct policy_set *s = p->retire_ms ? NULL : p->set;

	pair_leave_set(e, p, s != NULL);
	if (s && !s->owner)
		s->lost = true;
	pair_go(e, p);
}

void orphans_lost(struct engine *e, const struct engine_backend *b)
{
	unsigned int n = 0;

	for (uint32_t i = 1; e->n_inherited && i < e->maps.sa_slots; i++) {
		struct sa_pair *p = e->pair[i];

		if (!p || !p->inherited || p->leaving || p->backend != b)
			continue;
		orphan_lost(e, p);
		n++;
	}
	if (n)
		log_line(LOG_KERNEL, 1, "%u Child SAs of an earlier agent are gone with its %s", n, b->name);
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;
	uint64_t now = engine_now_ms(), boot = engine_boottime_ns();
	uint32_t left = e->n_inherited;

	(void)fd;
	(void)what;
	for (uint32_t i = 1; left && i < e->maps.sa_slots; i++) {
		struct sa_pair *p = e->pair[i];
		uint64_t expires;

		if (!p || !p->inherited)
			continue;
		left--;
		if (p->leaving)
			continue;
		expires = p->half[HALF_IN].row.expires_ns;
		if (p->retire_ms && p->retire_ms <= now) {
			pair_leave_set(e, p, false);
			pair_go(e, p);
		} else if (!p->retire_ms && expires && expires <= boot) {
			orphan_expire(e, p);
		}
	}
	if (!e->n_inherited)
		event_del(e->sweep);
}

int orphans_watch(struct engine *e)
{
	const struct timeval second = {.tv_sec = 1};

	e->sweep = event_new(e->base, -1, EV_PERSIST, on_sweep, e);
	if (!e->sweep)
		return -ENOMEM;
	return event_add(e->sweep, &second) ? -ENOMEM : 0;
}

unsigned int engine_orphans(struct engine *e, struct engine_orphan *out, unsigned int max)
{
	uint32_t left = e->n_inherited;
	unsigned int n = 0;

	for (uint32_t i = 1; left && i < e->maps.sa_slots; i++) {
		const struct sa_pair *p = e->pair[i];
		const struct xs_sa *in, *any;

		if (!p || !p->inherited)
			continue;
		left--;
		if (p->leaving || p->retire_ms)
			continue;
		if (n < max) {
			in = &p->half[HALF_IN].row;
			any = &p->half[p->half[HALF_OUT].rows ? HALF_OUT : HALF_IN].row;
			out[n] = (struct engine_orphan){
				.sa = pair_handle(p),
				.spi_in = in->spi,
				.spi_out = p->half[HALF_OUT].row.spi,
				.expires_ns = any->expires_ns,
			};
			memcpy(out[n].conn, any->conn, XS_NAME_LEN);
			memcpy(out[n].child, any->child, XS_NAME_LEN);
			addr_from_mapped(any == in ? any->dst.b : any->src.b, &out[n].local);
			addr_from_mapped(any == in ? any->src.b : any->dst.b, &out[n].remote);
		}
		n++;
	}
	return n;
}

void engine_orphan_remove(struct engine *e, struct engine_sa sa)
{
	struct sa_pair *p = pair_find(e, sa);

	if (!p || !p->inherited)
		return;
	pair_leave_set(e, p, false);
	pair_go(e, p);
}
