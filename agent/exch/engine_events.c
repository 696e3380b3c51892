/* SPDX-License-Identifier: BSD-2-Clause */
#include "exch.h"

#include <errno.h>

/* What the engine tells of installed SAs and of packets that want one. */

static bool in_dataplane(struct agent *a, const struct child_sa *c)
{
	return a->core->parts->engine_of(a->engine, c->engine) == CONF_ENGINE_DATAPLANE;
}

/* The dataplane is a new process: its keys are gone. New ones, with new sequence numbers, for everything. */
static void rekey_everything(struct agent *a)
{
	unsigned int n = 0;
	struct ike_sa *ike;
	struct child_sa *c;

	TAILQ_FOREACH (ike, &a->core->all, all) {
		TAILQ_FOREACH (c, &ike->children, next) {
			if (!child_up(c) || !in_dataplane(a, c))
				continue;
			c->lost = true;
			child_rekey(c, NULL);
			n++;
		}
	}
	if (n)
		log_line(LOG_CHILD, 0, "the dataplane was restarted: rekeying %u CHILD_SAs", n);
}

/* ---- from one engine to the other ------------------------------------------------------------------- */

/* A dataplane that is started again is there before. */
enum { PLANE_GRACE_MS = 2000 };

static const char *engine_text(enum conf_engine e)
{
	return e == CONF_ENGINE_KERNEL ? "kernel" : "dataplane";
}

/* By a rekey: both inbound SAs live until the old one's grace is over, wherever they are. */
static void move_to(struct child_sa *c, enum conf_engine to, const char *why)
{
	struct agent *a = c->ike->agent;
	struct outcome o;

	if (!engine_usable(a, ike_conn_name(c->ike), c->conf, &c->suite, &o)) {
		ike_log_group(c->ike, LOG_CHILD, 0, "CHILD_SA %s{%u} stays where it is: %s", c->conf->name, c->id, o.text);
		return;
	}
	ike_log_group(c->ike, LOG_CHILD, 1, "CHILD_SA %s{%u} moves to engine %s: %s", c->conf->name, c->id,
		      engine_text(to), why);
	child_rekey(c, NULL);
}

static void engine_apply(struct child_sa *c)
{
	struct agent *a = c->ike->agent;
	enum conf_engine is, wish = child_engine(c->conf, a->gw.engine);

	if (!child_up(c) || !c->active || wish == CONF_ENGINE_AUTO)
		return;
	is = a->core->parts->engine_of(a->engine, c->engine);
	if (is != CONF_ENGINE_DEFAULT && is != wish)
		move_to(c, wish, "as configured");
}

void engines_apply(struct agent *a)
{
	struct ike_sa *ike;
	struct child_sa *c;

	if (!a->engine)
		return;
	TAILQ_FOREACH (ike, &a->core->all, all)
		TAILQ_FOREACH (c, &ike->children, next)
			engine_apply(c);
}

static void on_plane_away(struct timer *timer)
{
	struct agent_core *core = timer_owner(timer, struct agent_core, plane_timer);
	struct agent *a = core->agent;
	struct engine_want want;
	struct engine_pick pick;
	struct ike_sa *ike;
	struct child_sa *c;

	TAILQ_FOREACH (ike, &core->all, all) {
		TAILQ_FOREACH (c, &ike->children, next) {
			if (!child_up(c) || !c->active || !in_dataplane(a, c) ||
			    child_engine(c->conf, a->gw.engine) != CONF_ENGINE_AUTO)
				continue;
			want = (struct engine_want){.conf = c->conf, .engine = c->conf->engine, .suite = &c->suite};
			/* without a kernel engine it waits for the dataplane, as ever */
			if (!core->parts->engine_pick(a->engine, &want, &pick))
				move_to(c, CONF_ENGINE_KERNEL, "the dataplane is gone");
		}
	}
}

static void nat_change(struct agent *a, struct child_sa *c, const struct endpoint *remote)
{
	struct ike_sa *ike = c->ike;
	char was[ENDPOINT_STRLEN], is[ENDPOINT_STRLEN];
	struct child_sa *other;

	/* RFC 7296 2.23: only a peer behind a NAT moves, and not for one that is behind a NAT itself. */
	if (!ike->nat_remote || ike->nat_local || endpoint_equal(&ike->remote, remote))
		return;
	ike_log(ike, 1, "NAT mapping of the peer changed from %s to %s", endpoint_str(&ike->remote, was),
		endpoint_str(remote, is));
	ike->remote = *remote;
	TAILQ_FOREACH (other, &ike->children, next)
		if (other->encap && other->state != CHILD_CREATED &&
		    a->core->parts->move(a->engine, other->engine, &ike->local, &ike->remote) == -EOPNOTSUPP &&
		    child_up(other))
			child_rekey(other, NULL);
}

void agent_engine_event(void *ctx, const struct engine_event *ev)
{
	struct agent *a = ctx;
	struct child_sa *c;

	if (!a->core)
		return;
	c = child_find_slot(a, ev->sa);
	switch (ev->kind) {
	case ENGINE_UP:
		log_line(LOG_KERNEL, 1, "dataplane connected%s", ev->new_instance ? ", a new instance" : "");
		timer_disarm(&a->core->timers, &a->core->plane_timer);
		if (ev->new_instance)
			rekey_everything(a);
		intents_run(a, true);
		break;
	case ENGINE_DOWN:
		log_line(LOG_KERNEL, 0, "dataplane went away: protected traffic is dropped until it is back");
		timer_arm(&a->core->timers, &a->core->plane_timer, sa_now_ms() + PLANE_GRACE_MS, on_plane_away);
		break;
	case ENGINE_SOFT:
		if (c && child_up(c))
			child_rekey(c, NULL);
		break;
	case ENGINE_LOST:
		if (!c || !child_up(c))
			break;
		c->lost = true;
		child_rekey(c, NULL);
		break;
	case ENGINE_HARD:
		if (c && (child_up(c) || c->active))
			child_expire(c);
		break;
	case ENGINE_NAT_CHANGE:
		if (c)
			nat_change(a, c, &ev->remote);
		break;
	case ENGINE_ACQUIRE:
		acquire(a, ev);
		break;
	case ENGINE_UNKNOWN_SPI:
		log_limited(&a->core->log_bad, LOG_KERNEL, 2, "ESP packet with unknown SPI %08x", ev->spi);
		break;
	case ENGINE_ORPHAN_EXPIRED:
		log_line(LOG_KERNEL, 1, "an SA of an earlier agent expired");
		break;
	}
}
