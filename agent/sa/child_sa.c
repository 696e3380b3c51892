/* SPDX-License-Identifier: BSD-2-Clause */
#include "core.h"

#include "common/keep.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const state_names[CHILD_STATES] = {
	[CHILD_CREATED] = "CREATED",	 [CHILD_INSTALLING] = "INSTALLING",
	[CHILD_INSTALLED] = "INSTALLED", [CHILD_REKEYING] = "REKEYING",
	[CHILD_REKEYED] = "REKEYED",	 [CHILD_DELETING] = "DELETING",
	[CHILD_DELETED] = "DELETED",
};

#define TO(s) (1u << (s))

/* INSTALLING to REKEYED: the loser of a simultaneous rekey never is in force. */
static const unsigned int legal[CHILD_STATES] = {
	[CHILD_CREATED] = TO(CHILD_INSTALLING) | TO(CHILD_DELETED),
	[CHILD_INSTALLING] = TO(CHILD_INSTALLED) | TO(CHILD_REKEYED) | TO(CHILD_DELETING) |
			     TO(CHILD_DELETED),
	[CHILD_INSTALLED] = TO(CHILD_REKEYING) | TO(CHILD_REKEYED) | TO(CHILD_DELETING) |
			    TO(CHILD_DELETED),
	[CHILD_REKEYING] = TO(CHILD_INSTALLED) | TO(CHILD_REKEYED) | TO(CHILD_DELETING) |
			   TO(CHILD_DELETED),
	[CHILD_REKEYED] = TO(CHILD_DELETING) | TO(CHILD_DELETED),
	[CHILD_DELETING] = TO(CHILD_DELETED),
	[CHILD_DELETED] = 0,
};

const char *child_state_name(enum child_state s)
{
	return (unsigned int)s < CHILD_STATES ? state_names[s] : "?";
}

bool child_state_legal(enum child_state from, enum child_state to)
{
	return (unsigned int)from < CHILD_STATES && (unsigned int)to < CHILD_STATES &&
	       (legal[from] & TO(to));
}

int child_state_set(struct child_sa *c, enum child_state to)
{
	if (!child_state_legal(c->state, to)) {
		ike_log_group(c->ike, LOG_CHILD, 0, "CHILD_SA %s{%u} refused to go from %s to %s",
			      c->conf->name, c->id, child_state_name(c->state),
			      child_state_name(to));
		return -EPERM;
	}
	ike_log_group(c->ike, LOG_CHILD, 2, "CHILD_SA %s{%u} state change: %s => %s", c->conf->name,
		      c->id, child_state_name(c->state), child_state_name(to));
	c->state = to;
	return 0;
}

/* Lists are kept: equal ones are one. */
static uint32_t selectors_hash(const struct child_sa *c)
{
	uint32_t h = index_hash(INDEX_SEED, c->own_conn->name, strlen(c->own_conn->name));

	h = index_hash(h, c->conf->name, strlen(c->conf->name));
	h = index_hash(h, &c->ts_local, sizeof(c->ts_local));
	return index_hash(h, &c->ts_remote, sizeof(c->ts_remote));
}

struct child_sa *child_next_same(const struct child_sa *c, const struct child_sa *prev)
{
	struct index_node *n = prev ? index_next(&prev->by_selectors)
				    : index_find(&c->ike->agent->core->by_selectors, selectors_hash(c));

	for (; n; n = index_next(n)) {
		struct child_sa *other = index_owner(n, struct child_sa, by_selectors);

		if (other->ts_local == c->ts_local && other->ts_remote == c->ts_remote &&
		    strcmp(other->conf->name, c->conf->name) == 0 &&
		    strcmp(ike_conn_name(other->ike), ike_conn_name(c->ike)) == 0)
			return other;
	}
	return NULL;
}

struct child_sa *child_new(struct ike_sa *ike, struct conn_conf *conn, const struct child_conf *conf,
			   struct engine_sa sa, const struct proposal *chosen,
			   const struct ts_list *ts_local, const struct ts_list *ts_remote)
{
	struct agent_core *core = ike->agent->core;
	struct child_sa *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->ike = ike;
	c->id = ++core->next_child_id;
	c->state = CHILD_CREATED;
	c->conf = conf;
	c->own_conn = conn_conf_ref(conn);
	c->engine = sa;
	c->proposal = proposal_keep(chosen);
	c->ts_local = ts_keep(ts_local);
	c->ts_remote = ts_keep(ts_remote);
	if (!c->proposal || !c->ts_local || !c->ts_remote)
		goto free_child;
	index_add(&core->by_id, &c->by_id, index_hash_u64(c->id));
	index_add(&core->by_slot, &c->by_slot, index_hash_u64(c->engine.slot));
	index_add(&core->by_selectors, &c->by_selectors, selectors_hash(c));
	TAILQ_INSERT_TAIL(&ike->children, c, next);
	return c;

free_child:
	child_free(c);
	return NULL;
}

void child_free(struct child_sa *c)
{
	conn_conf_unref(c->own_conn);
	keep_drop(c->proposal);
	keep_drop(c->ts_local);
	keep_drop(c->ts_remote);
	free(c);
}

struct child_sa *sa_find_child(struct agent *a, uint32_t id)
{
	struct index_node *n = index_find(&a->core->by_id, index_hash_u64(id));

	for (; n; n = index_next(n)) {
		struct child_sa *c = index_owner(n, struct child_sa, by_id);

		if (c->id == id)
			return c;
	}
	return NULL;
}

struct child_sa *child_find_slot(const struct agent *a, struct engine_sa sa)
{
	struct index_node *n = index_find(&a->core->by_slot, index_hash_u64(sa.slot));

	for (; n; n = index_next(n)) {
		struct child_sa *c = index_owner(n, struct child_sa, by_slot);

		if (c->engine.slot == sa.slot && c->engine.generation == sa.generation)
			return c;
	}
	return NULL;
}

struct child_sa *child_find_spi_out(const struct ike_sa *ike, uint8_t proto, uint32_t spi)
{
	struct child_sa *c;

	TAILQ_FOREACH (c, &ike->children, next)
		if (c->spi_out == spi && child_sa_proto(c) == proto && c->state != CHILD_CREATED)
			return c;
	return NULL;
}

struct child_sa *child_find_up(const struct agent *a, const char *conn, const char *child,
			       const struct child_sa *not)
{
	const struct conn_sas *of = conn_sas_find(a, conn);
	struct ike_sa *ike;
	struct child_sa *c;

	if (!of)
		return NULL;
	TAILQ_FOREACH (ike, &of->list, in_conn) {
		if (!ike_usable(ike))
			continue;
		TAILQ_FOREACH (c, &ike->children, next)
			if (c != not && child_up(c) && strcmp(c->conf->name, child) == 0)
				return c;
	}
	return NULL;
}

/* Our soft limit lies somewhere in the last `less` below the configured one: two sides rarely rekey at once. */
static uint64_t soft_limit(const struct child_sa *c, uint64_t limit, uint64_t less)
{
	uint32_t v = 0;

	if (!limit || !less || c->ike->agent->core->parts->random(&v, sizeof(v)) < 0)
		return limit;
	less = (uint64_t)((double)less * v / UINT32_MAX);
	return less < limit ? limit - less : 1;
}

enum conf_engine child_engine_wish(const struct agent *a, const char *conn, const struct child_conf *conf)
{
	const struct conn_conf *now = a->core->conf ? conf_find(a->core->conf, conn) : NULL;
	const struct child_conf *child = now ? conn_child(now, conf->name) : NULL;

	return child ? child->engine : conf->engine;
}

void child_engine_view(const struct child_sa *c, struct engine_child *out)
{
	const struct child_conf *conf = c->conf;

	*out = (struct engine_child){
		.child_id = c->id,
		.ike_id = c->ike->id,
		.conn = ike_conn_name(c->ike),
		.child = conf->name,
		.conf = conf,
		.suite = &c->suite,
		.engine = child_engine_wish(c->ike->agent, ike_conn_name(c->ike), conf),
		.mode = c->mode,
		.local = c->ike->local,
		.remote = c->ike->remote,
		.encap = c->encap,
		.no_tfc = c->no_tfc,
		.protocol = c->suite.ah ? IPPROTO_AH : IPPROTO_ESP,
		.spi_in = c->spi_in,
		.spi_out = c->spi_out,
		.cpi_in = c->cpi_in,
		.cpi_out = c->cpi_out,
		.ts_local = c->ts_local,
		.ts_remote = c->ts_remote,
		.reqid = c->reqid,
		.life_s = conf->life_time,
		.soft_bytes = soft_limit(c, conf->rekey_bytes, conf->rand_bytes),
		.hard_bytes = conf->life_bytes,
		.soft_packets = soft_limit(c, conf->rekey_packets, conf->rand_packets),
		.hard_packets = conf->life_packets,
	};
}

void child_move(struct child_sa *c, struct ike_sa *to)
{
	TAILQ_REMOVE(&c->ike->children, c, next);
	c->ike = to;
	TAILQ_INSERT_TAIL(&to->children, c, next);
}

void child_drop(struct child_sa *c)
{
	struct agent *a = c->ike->agent;
	struct agent_core *core = a->core;

	if (c->state == CHILD_DELETED)
		return;
	child_state_set(c, CHILD_DELETED);
	timer_disarm(&core->timers, &c->rekey_timer);
	timer_disarm(&core->timers, &c->expire_timer);
	timer_disarm(&core->timers, &c->switch_timer);
	index_del(&core->by_id, &c->by_id);
	index_del(&core->by_slot, &c->by_slot);
	index_del(&core->by_selectors, &c->by_selectors);
	cpi_drop(core, c->cpi_in);
	TAILQ_REMOVE(&c->ike->children, c, next);
	TAILQ_INSERT_TAIL(&core->freed_children, c, next);
	core_later(a, 0);
}

const char *ts_list_str(const struct ts_list *l, char *buf, size_t n)
{
	char one[TS_STRLEN];
	size_t at = 0;

	buf[0] = '\0';
	for (unsigned int i = 0; i < l->n && at < n; i++) {
		int w = snprintf(buf + at, n - at, "%s%s", i ? " " : "", ts_str(&l->ts[i], one));

		if (w < 0)
			break;
		at += (size_t)w;
	}
	return buf;
}
