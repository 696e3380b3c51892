/* SPDX-License-Identifier: BSD-2-Clause */
#include "pair.h"

#include "common/log.h"
#include "common/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { REPLAY_WINDOW_MAX = 4096 };

/* RFC 7296 2.12 apart, nothing is installed for a peer that did not prove itself. */
static bool proven(const struct ike_authenticated *proof, const struct engine_child *c)
{
	return proof && proof->proof && proof->ike_id == c->ike_id;
}

/* The row of one direction as a packet of that direction sees it. */
static void fill_row(struct engine *e, const struct sa_pair *p, const struct engine_child *c,
		     enum half_dir dir, struct xs_sa *row)
{
	const struct endpoint *src = dir == HALF_IN ? &c->remote : &c->local;
	const struct endpoint *dst = dir == HALF_IN ? &c->local : &c->remote;
	uint64_t now = engine_boottime_ns();

	memset(row, 0, sizeof(*row));
	row->spi = dir == HALF_IN ? c->spi_in : c->spi_out;
	row->slot = p->slot;
	row->generation = p->generation;
	row->reqid = c->reqid;
	addr_to_mapped(&src->ip, row->src.b);
	addr_to_mapped(&dst->ip, row->dst.b);
	row->sport = c->encap ? src->port : 0;
	row->dport = c->encap ? dst->port : 0;
	row->encr = c->suite->encr;
	row->encr_bits = c->suite->encr_bits;
	row->integ = c->suite->integ;
	if (c->conf->sha256_96 && row->integ == AUTH_HMAC_SHA2_256_128)
		row->integ = AUTH_HMAC_SHA2_256_96;
	if (dir == HALF_IN)
		row->replay_window = (uint16_t)(c->conf->replay_window > REPLAY_WINDOW_MAX
							? REPLAY_WINDOW_MAX
							: c->conf->replay_window);
	row->protocol = c->protocol;
	row->mode = c->mode == CONF_MODE_TRANSPORT ? XS_TRANSPORT : XS_TUNNEL;
	row->engine = p->backend->engine;
	row->esn = c->suite->esn;
	row->child_id = c->child_id;
	row->ike_id = c->ike_id;
	row->installed_ns = now;
	row->expires_ns = c->life_s ? now + c->life_s * 1000000000ULL : 0;
	policy_name(row->conn, c->conn);
	policy_name(row->child, c->child);
	p->backend->fill_row(e, p, dir, row);
}

static int put_rows(struct engine *e, struct sa_pair *p, enum half_dir dir, uint32_t policy)
{
	struct sa_half *h = &p->half[dir];
	int err = dir == HALF_IN ? xs_sa_in_put(&e->maps, &h->row, policy)
				  : xs_sa_out_put(&e->maps, &h->row);

	h->rows = !err;
	return err;
}

static int install_end(struct sa_install *in, int error, bool held, const char *text)
{
	struct sa_pair *p = pair_find(in->e, in->sa);
	struct sa_half *h = p ? &p->half[in->dir] : NULL;
	int err;

	if (!h || h->state != HALF_ADDING)
		return -ECANCELED;
	if (error && !held) {
		log_limited(&in->e->refused_budget, LOG_CHILD, 1, "the %s refused SA %08x: %s", p->backend->name,
			    h->row.spi, text[0] ? text : strerror(-error));
		h->state = HALF_NONE;
		return error;
	}
	h->state = HALF_HELD;
	/* Nobody knows whether it was added before the connection broke: it goes. */
	err = error ? error : put_rows(in->e, p, in->dir, in->policy);
	if (err)
		pair_drop_half(in->e, p, in->dir);
	return err;
}

void install_answered(struct sa_install *in, int error, bool held, const char *text)
{
	if (!in->e->closing) {
		int err = install_end(in, error, held, text);

		in->done(in->ctx, in->ref, in->tag, err);
	}
	free(in);
}

/* The policies that the pair will have when it takes over earlier ones. */
static const struct policy_set *earlier_set(struct engine *e, const struct engine_child *c)
{
	struct policy_names names = {.conn = c->conn, .child = c->child};
	const struct policy_set *s;
	struct policy_rows rows;

	if (policy_rows_make(c->ts_local, c->ts_remote, XS_PROTECT, c->conf->priority, &names, &rows))
		return NULL;
	s = policies_find(e->policies, &names, &rows);
	policy_rows_free(&rows);
	return s;
}

static int check(const struct engine *e, const struct ike_authenticated *proof,
		 const struct sa_pair *p, const struct engine_child *c, enum half_dir dir,
		 const struct secret *encr, const struct secret *integ)
{
	if (!proven(proof, c))
		return -EPERM;
	if (!p)
		return -ENOENT;
	if (p->half[dir].state != HALF_NONE)
		return -EBUSY;
	if (c->local.ip.family != c->remote.ip.family || addr_is_any(&c->local.ip) ||
	    addr_is_any(&c->remote.ip))
		return -EINVAL;
	if (c->encap && (!c->local.port || !c->remote.port))
		return -EINVAL;
	if (dir == HALF_IN ? slots_spi(e->slots, p->slot, c->spi_in) != c->spi_in : !c->spi_out)
		return -EINVAL;
	if (!c->ts_local->n || !c->ts_remote->n || c->ts_local->n > PLANE_TS_MAX ||
	    c->ts_remote->n > PLANE_TS_MAX)
		return -EINVAL;
	/* NULL encryption has no key, an AEAD no second one; without any there is no protection */
	if ((!encr->n && !integ->n) || encr->n > PLANE_KEY_MAX || integ->n > PLANE_KEY_MAX)
		return -EINVAL;
	return 0;
}

/* A pair stays with the back end that took its first half. */
static int choose(struct engine *e, struct sa_pair *p, const struct engine_child *c)
{
	const struct engine_want w = {.conf = c->conf, .engine = c->engine, .suite = c->suite};
	char why[ENGINE_WHY_MAX];
	struct engine_choice choice;
	int err;

	if (p->why)
		return 0;
	err = backend_choose(e, &w, &choice, why);
	if (!err && choice.backend->prepare)
		err = choice.backend->prepare(e, p, c, why);
	if (!err) {
		p->backend = choice.backend;
		p->why = choice.why;
		p->need = child_needs_kernel(c->conf);
	} else if (err != -ENOTCONN) {
		log_limited(&e->refused_budget, LOG_CHILD, 0, "CHILD_SA %s: %s", c->child, why);
	}
	return err;
}

static int add_half(struct engine *e, struct sa_pair *p, const struct engine_child *c,
		    enum half_dir dir, const struct secret *encr, const struct secret *integ,
		    struct sa_install *in)
{
	const struct policy_set *s = earlier_set(e, c);
	struct sa_half *h = &p->half[dir];
	int err = choose(e, p, c);

	if (err)
		return err;
	fill_row(e, p, c, dir, &h->row);
	p->encap = c->encap;
	if (s) {
		h->row.bundle = s->bundle;
		in->policy = s->id[0];
	}
	err = p->backend->add(e, p, c, dir, encr, integ, in);
	if (!err)
		h->state = HALF_ADDING;
	return err;
}

static int install(struct engine *e, const struct ike_authenticated *proof, struct engine_sa sa,
		   const struct engine_child *c, enum half_dir dir, struct secret *encr,
		   struct secret *integ, const struct sa_install *how)
{
	struct sa_pair *p = pair_find(e, sa);
	struct sa_install *in = NULL;
	int err = check(e, proof, p, c, dir, encr, integ);

	if (!err) {
		in = malloc(sizeof(*in));
		err = in ? 0 : -ENOMEM;
	}
	if (!err) {
		*in = *how;
		err = add_half(e, p, c, dir, encr, integ, in);
	}
	/* Zero lifetime: the engine has them, or nobody will. */
	secret_free(encr);
	secret_free(integ);
	if (!err)
		return 0;
	free(in);
	if (err != -ENOTCONN)
		return err;
	how->done(how->ctx, how->ref, how->tag, err);
	return 0;
}

int engine_install_in(struct engine *e, const struct ike_authenticated *proof, struct engine_sa sa,
		      const struct engine_child *c, struct secret *encr, struct secret *integ,
		      engine_done_fn done, void *ctx, struct sa_ref ref, uint64_t tag)
{
	const struct sa_install how = {.e = e, .sa = sa, .dir = HALF_IN, .done = done, .ctx = ctx,
				    .ref = ref, .tag = tag};

	return install(e, proof, sa, c, HALF_IN, encr, integ, &how);
}

int engine_install_out(struct engine *e, const struct ike_authenticated *proof, struct engine_sa sa,
		       const struct engine_child *c, struct secret *encr, struct secret *integ,
		       engine_done_fn done, void *ctx, struct sa_ref ref, uint64_t tag)
{
	const struct sa_install how = {.e = e, .sa = sa, .dir = HALF_OUT, .done = done, .ctx = ctx,
				    .ref = ref, .tag = tag};

	return install(e, proof, sa, c, HALF_OUT, encr, integ, &how);
}

/* The same pair, seen from another place: each half's rows and its SA. */
static int move_half(struct engine *e, struct sa_pair *p, enum half_dir dir,
		     const struct endpoint *local, const struct endpoint *remote)
{
	const struct endpoint *src = dir == HALF_IN ? remote : local;
	const struct endpoint *dst = dir == HALF_IN ? local : remote;
	struct sa_half *h = &p->half[dir];
	struct xs_sa before = h->row;
	int err;

	if (h->state != HALF_HELD || !h->rows)
		return 0;
	addr_to_mapped(&src->ip, h->row.src.b);
	addr_to_mapped(&dst->ip, h->row.dst.b);
	h->row.sport = p->encap ? src->port : 0;
	h->row.dport = p->encap ? dst->port : 0;
	err = p->backend->move(e, p, dir);
	if (err) {
		h->row = before;
		return err;
	}
	return put_rows(e, p, dir, p->set ? p->set->id[0] : 0);
}

int engine_move(struct engine *e, struct engine_sa sa, const struct endpoint *local,
		const struct endpoint *remote)
{
	struct sa_pair *p = pair_find(e, sa);
	int err;

	if (!p)
		return -ENOENT;
	if (local->ip.family != remote->ip.family)
		return -EINVAL;
	/* inbound first: what the peer sends from its new place must find us */
	err = move_half(e, p, HALF_IN, local, remote);
	return err ? err : move_half(e, p, HALF_OUT, local, remote);
}
