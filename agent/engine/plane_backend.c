/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend.h"

#include "common/log.h"
#include "common/secret.h"
#include "pair.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ESP in the process xdpsec-dataplane, asked over its socket. */

_Static_assert((int)HALF_IN == (int)PLANE_IN && (int)HALF_OUT == (int)PLANE_OUT, "directions");

/* ---- what the dataplane says ----------------------------------------------------------------- */
static bool plane_urgent(void *ctx)
{
	const struct engine *e = ctx;

	return e->n_pairs != 0;
}

static void plane_up(void *ctx, uint64_t instance)
{
	struct engine *e = ctx;
	struct engine_event ev = {
		.kind = ENGINE_UP,
		.new_instance = e->maps.ctl->dataplane_instance != instance,
	};

	if (ev.new_instance) {
		pairs_lost(e, &plane_backend);
		orphans_lost(e, &plane_backend);
		e->maps.ctl->dataplane_instance = instance;
	}
	pairs_ask_due(e, &plane_backend);
	engine_tell(e, &ev);
}

static void plane_down(void *ctx)
{
	struct engine *e = ctx;
	struct engine_event ev = {.kind = ENGINE_DOWN};

	engine_tell(e, &ev);
}

static void plane_event(void *ctx, const struct plane_event *pe)
{
	struct engine *e = ctx;
	struct engine_event ev = {
		.sa = {.slot = pe->slot, .generation = pe->generation},
		.spi = pe->spi,
	};
	struct sa_pair *p = pair_find(e, ev.sa);

	if (!p || p->backend != &plane_backend)
		return;
	switch (pe->kind) {
	case PLANE_EV_SOFT:
		ev.kind = ENGINE_SOFT;
		break;
	case PLANE_EV_HARD:
		if (p->inherited) {
			orphan_expire(e, p);
			return;
		}
		ev.kind = ENGINE_HARD;
		break;
	case PLANE_EV_NAT_CHANGE:
		ev.kind = ENGINE_NAT_CHANGE;
		addr_from_mapped(pe->addr, &ev.remote.ip);
		ev.remote.port = pe->port;
		break;
	case PLANE_EV_MTU:
		pair_set_mtu(e, p, pe->mtu);
		return;
	default:
		return;
	}
	if (!p->inherited)
		engine_tell(e, &ev);
}

int plane_backend_open(struct engine *e, const struct gateway_conf *gw)
{
	static const struct plane_client_ops ops = {
		.up = plane_up,
		.down = plane_down,
		.event = plane_event,
		.urgent = plane_urgent,
	};
	char path[GW_PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/dataplane.sock", gw->run_dir);
	e->plane = plane_client_new(e->base, path, &ops, e);
	return e->plane ? 0 : -errno;
}

/* ---- SAs in ------------------------------------------------------------------------------------ */
static bool ready(const struct engine *e)
{
	return plane_client_up(e->plane);
}

static uint16_t worker_of(const struct engine *e, uint32_t slot)
{
	const struct plane_info *info = plane_client_info(e->plane);
	uint32_t workers = info && info->workers ? info->workers : e->workers;

	return (uint16_t)(workers ? slot % workers : 0);
}

/* Until it has told what it can, it is taken to be able: what it cannot it refuses. */
static bool does(const struct plane_info *info, unsigned int type, unsigned int id, unsigned int bits,
		 char why[ENGINE_WHY_MAX])
{
	const struct alg *a = id ? alg_find(type, id, bits) : NULL;

	if (!id || (a && info->engine[alg_index(a)]))
		return true;
	snprintf(why, ENGINE_WHY_MAX, "the dataplane lacks %s", a ? a->name : "its algorithms");
	return false;
}

static bool able(const struct engine *e, const struct child_suite *s, char why[ENGINE_WHY_MAX])
{
	const struct plane_info *info = plane_client_info(e->plane);

	if (s->ah) {
		snprintf(why, ENGINE_WHY_MAX, "the dataplane has no AH");
		return false;
	}
	return !info || (does(info, IKE_T_ENCR, s->encr, s->encr_bits, why) && does(info, IKE_T_INTEG, s->integ, 0, why));
}

static void fill_row(struct engine *e, const struct sa_pair *p, enum half_dir dir, struct xs_sa *row)
{
	(void)dir;
	row->worker = worker_of(e, p->slot);
}

static uint32_t fill_ts(struct plane_ts *out, const struct ts_list *in)
{
	for (unsigned int i = 0; i < in->n; i++) {
		const struct ts *t = &in->ts[i];

		memset(&out[i], 0, sizeof(out[i]));
		addr_to_mapped(&t->lo, out[i].lo);
		addr_to_mapped(&t->hi, out[i].hi);
		out[i].port_lo = t->port_lo;
		out[i].port_hi = t->port_hi;
		out[i].protocol = t->protocol;
		out[i].family = t->lo.family;
	}
	return in->n;
}

static void fill_add(struct plane_sa_add *m, const struct xs_sa *row, const struct engine_child *c,
		     enum half_dir dir, const struct secret *encr, const struct secret *integ)
{
	memset(m, 0, sizeof(*m));
	m->hdr.type = PLANE_SA_ADD;
	m->slot = row->slot;
	m->generation = row->generation;
	m->spi = row->spi;
	m->direction = (uint8_t)dir;
	m->mode = row->mode;
	m->esn = row->esn;
	m->copy_df = c->conf->copy_df;
	m->copy_ecn = c->conf->copy_ecn;
	m->copy_dscp = dir == HALF_OUT ? c->conf->copy_dscp_out : c->conf->copy_dscp_in;
	m->encr = row->encr;
	m->encr_bits = row->encr_bits;
	m->integ = row->integ;
	m->replay_window = row->replay_window;
	m->sport = row->sport;
	m->dport = row->dport;
	m->worker = row->worker;
	m->tfc = c->no_tfc ? 0 : c->conf->tfc_padding; /* RFC 7296 1.3.1 */
	_Static_assert((int)CHILD_TFC_MTU == (int)PLANE_TFC_MTU, "largest padding");
	memcpy(m->src, row->src.b, sizeof(m->src));
	memcpy(m->dst, row->dst.b, sizeof(m->dst));
	m->soft_bytes = c->soft_bytes;
	m->hard_bytes = c->hard_bytes;
	m->soft_packets = c->soft_packets;
	m->hard_packets = c->hard_packets;
	m->n_local = fill_ts(m->ts, c->ts_local);
	m->n_remote = fill_ts(m->ts + m->n_local, c->ts_remote);
	m->encr_key_len = (uint32_t)encr->n;
	m->integ_key_len = (uint32_t)integ->n;
	if (encr->n)
		memcpy(m->encr_key, encr->p, encr->n);
	if (integ->n)
		memcpy(m->integ_key, integ->p, integ->n);
}

static void on_added(void *ctx, int error, const struct plane_ack *ack)
{
	install_answered(ctx, error, !ack, ack ? ack->text : "");
}

static int add(struct engine *e, struct sa_pair *p, const struct engine_child *c, enum half_dir dir,
	       const struct secret *encr, const struct secret *integ, struct sa_install *in)
{
	union plane_msg m;
	int err;

	fill_add(&m.add, &p->half[dir].row, c, dir, encr, integ);
	err = plane_client_request(e->plane, &m, sizeof(m.add), on_added, in);
	secret_wipe(&m, sizeof(m));
	return err;
}

/* ---- and out ------------------------------------------------------------------------------------- */
struct removal {
	struct engine *e;
	struct engine_sa sa;
	enum half_dir dir;
};

static void on_removed(void *ctx, int error, const struct plane_ack *ack)
{
	struct removal *r = ctx;
	struct engine *e = r->e;
	struct sa_removal answer = {.sa = r->sa, .dir = r->dir, .gone = ack != NULL, .text = ""};

	if (ack) {
		answer.packets = ack->packets;
		answer.bytes = ack->bytes;
		if (error)
			answer.text = ack->text;
	}
	free(r);
	removal_answered(e, &answer);
	if (ack)
		pairs_ask_due(e, &plane_backend);
}

static int del(struct engine *e, struct sa_pair *p, enum half_dir dir)
{
	union plane_msg m;
	struct removal *r = malloc(sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	*r = (struct removal){.e = e, .sa = pair_handle(p), .dir = dir};
	memset(&m.del, 0, sizeof(m.del));
	m.del.hdr.type = PLANE_SA_DEL;
	m.del.slot = p->slot;
	m.del.generation = p->generation;
	m.del.direction = (uint8_t)dir;
	err = plane_client_request(e->plane, &m, sizeof(m.del), on_removed, r);
	if (err)
		free(r);
	return err;
}

/* ---- while they live --------------------------------------------------------------------------- */
static int move(struct engine *e, struct sa_pair *p, enum half_dir dir)
{
	const struct xs_sa *row = &p->half[dir].row;
	union plane_msg m;

	memset(&m.move, 0, sizeof(m.move));
	m.move.hdr.type = PLANE_SA_MOVE;
	m.move.slot = p->slot;
	m.move.generation = p->generation;
	m.move.direction = (uint8_t)dir;
	m.move.sport = row->sport;
	m.move.dport = row->dport;
	memcpy(m.move.src, row->src.b, sizeof(m.move.src));
	memcpy(m.move.dst, row->dst.b, sizeof(m.move.dst));
	return plane_client_request(e->plane, &m, sizeof(m.move), NULL, NULL);
}

static void stat_copy(struct xs_sa_dir_stat *out, const volatile struct xs_sa_dir_stat *in)
{
	out->packets = in->packets;
	out->bytes = in->bytes;
	out->last_ns = in->last_ns;
	for (int i = 0; i < XS_DROP_MAX; i++)
		out->drop[i] = in->drop[i];
}

static void stat(struct engine *e, struct sa_pair *p, struct engine_stat *out)
{
	stat_copy(&out->in, &e->maps.sa_stat[p->slot].in);
	stat_copy(&out->out, &e->maps.sa_stat[p->slot].out);
}

static unsigned int waiting(const struct engine *e)
{
	return plane_client_waiting(e->plane);
}

const struct engine_backend plane_backend = {
	.name = "dataplane",
	.engine = XS_ENGINE_DATAPLANE,
	.ready = ready,
	.able = able,
	.fill_row = fill_row,
	.add = add,
	.del = del,
	.move = move,
	.stat = stat,
	.waiting = waiting,
};
