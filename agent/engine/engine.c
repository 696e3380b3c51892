/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine.h"

#include "common/log.h"
#include "pair.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* ---- what the dataplane says --------------------------------------------------------------- */
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
		pairs_lost(e);
		orphans_lost(e);
		e->maps.ctl->dataplane_instance = instance;
	}
	pairs_ask_due(e);
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

	if (!p)
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

/* ---- what the classifier says ---------------------------------------------------------------- */
static void acquire(struct engine *e, const struct xs_event *xe)
{
	const struct policy_set *s = policies_by_id(e->policies, xe->policy);
	struct engine_event ev = {.kind = ENGINE_ACQUIRE, .policy = xe->policy, .tuple = xe->tuple};

	if (!s)
		return;
	memcpy(ev.conn, s->conn, sizeof(ev.conn));
	memcpy(ev.child, s->child, sizeof(ev.child));
	engine_tell(e, &ev);
}

static void on_map_event(void *ctx, const struct xs_event *xe)
{
	struct engine *e = ctx;
	struct engine_event ev = {.kind = ENGINE_UNKNOWN_SPI, .spi = xe->spi, .tuple = xe->tuple};

	switch (xe->kind) {
	case XS_EV_ACQUIRE:
		acquire(e, xe);
		return;
	case XS_EV_UNKNOWN_SPI:
		/* RFC 7296 1.5, 2.4: nothing an unknown SPI proves; the network must not drive us. */
		if (log_budget(&e->spi_budget))
			engine_tell(e, &ev);
		return;
	case XS_EV_LEAK:
		log_limited(&e->leak_budget, LOG_KERNEL, 1,
			    "a packet of policy %u reached interface %u in clear and was dropped",
			    xe->policy, xe->ifindex);
		return;
	default:
		return;
	}
}

static void on_events(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;

	(void)fd;
	(void)what;
	xs_events_read(e->events);
}

/* ---- opening and closing --------------------------------------------------------------------- */
static int open_events(struct engine *e)
{
	e->events = xs_events_open(&e->maps, on_map_event, e);
	if (!e->events)
		return -errno;
	e->events_ready = event_new(e->base, xs_events_fd(e->events), EV_READ | EV_PERSIST, on_events, e);
	return e->events_ready ? 0 : -ENOMEM;
}

int engine_listen(struct engine *e)
{
	return event_add(e->events_ready, NULL) ? -ENOMEM : 0;
}

static int open_plane(struct engine *e, const struct gateway_conf *gw)
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

static int open_records(struct engine *e)
{
	uint32_t seed;
	int err = crypt_random(&seed, sizeof(seed));

	if (err)
		return err;
	e->slots = slots_new(e->maps.sa_slots, seed);
	e->pair = calloc(e->maps.sa_slots, sizeof(struct sa_pair *));
	if (!e->slots || !e->pair)
		return -ENOMEM;
	e->policies = policies_open(&e->maps);
	return e->policies ? orphans_load(e) : -errno;
}

/*
 * Two agents that write the same maps would undo each other's work. The loader locks the pin
 * directory while it works, beside a running agent; the agent locks the directory of links in it.
 */
static int lock_pins(struct engine *e, const char *pin_dir, char *err, size_t errlen)
{
	char path[GW_PATH_MAX + 16];
	int r = 0;

	snprintf(path, sizeof(path), "%s/links", pin_dir);
	e->lock_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (e->lock_fd < 0 || flock(e->lock_fd, LOCK_EX | LOCK_NB))
		r = -errno;
	if (r == -EWOULDBLOCK)
		snprintf(err, errlen, "%s: another xdpsecd works with these maps: stop it first", pin_dir);
	else if (r)
		snprintf(err, errlen, "%s: %s", path, strerror(-r));
	return r;
}

static int open_parts(struct engine *e, const struct gateway_conf *gw, char *err, size_t errlen)
{
	const char *what = "records of the slots and policies";
	int r;

	r = xs_maps_open(&e->maps, gw->pin_dir, err, errlen);
	if (!r)
		r = lock_pins(e, gw->pin_dir, err, errlen);
	if (r)
		return r;
	r = open_records(e);
	if (!r)
		r = orphans_watch(e);
	if (!r) {
		what = "event ring";
		r = open_events(e);
	}
	if (!r) {
		what = "netlink, for this host's addresses";
		e->local_addrs = local_addrs_open(e->base, &e->maps, e->policies);
		r = e->local_addrs ? 0 : -errno;
	}
	if (!r) {
		what = "socket to the dataplane";
		r = open_plane(e, gw);
	}
	if (r)
		snprintf(err, errlen, "%s: %s: %s", gw->pin_dir, what, strerror(-r));
	return r;
}

struct engine *engine_open(struct event_base *base, const struct gateway_conf *gw, engine_event_fn fn,
			   void *ctx, char *err, size_t errlen)
{
	struct engine *e = calloc(1, sizeof(*e));
	int r;

	if (!e) {
		snprintf(err, errlen, "out of memory");
		return NULL;
	}
	e->lock_fd = -1;
	e->base = base;
	e->fn = fn;
	e->ctx = ctx;
	e->workers = gw->dataplane.workers;
	e->retire_grace_ms = (uint64_t)gw->ike.delete_rekeyed_delay_s * 1000;
	e->spi_budget = (struct log_budget)LOG_BUDGET_INIT;
	e->leak_budget = (struct log_budget)LOG_BUDGET_INIT;
	e->refused_budget = (struct log_budget)LOG_BUDGET_INIT;
	TAILQ_INIT(&e->due);
	r = open_parts(e, gw, err, errlen);
	if (r) {
		engine_close(e);
		errno = -r;
		return NULL;
	}
	e->open = true;
	e->maps.ctl->agent_pid = (uint64_t)getpid();
	e->maps.ctl->ports = (uint64_t)gw->ike.port | (uint64_t)gw->ike.port_nat_t << 16;
	engine_set_ike_rate(e, gw->ike.source_rate);
	return e;
}

static void on_settle_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	*(bool *)arg = true;
}

void engine_settle(struct engine *e, unsigned int ms)
{
	const struct timeval bound = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
	bool over = false;
	struct event *ev = evtimer_new(e->base, on_settle_timer, &over);

	if (!ev || evtimer_add(ev, &bound))
		over = true;
	/* the first turn dials */
	event_base_loop(e->base, EVLOOP_NONBLOCK);
	while (!over && plane_client_greeting(e->plane))
		event_base_loop(e->base, EVLOOP_ONCE);
	if (ev)
		event_free(ev);
}

void engine_drain(struct engine *e, unsigned int ms)
{
	const struct timeval bound = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
	bool over = false;
	struct event *ev = evtimer_new(e->base, on_settle_timer, &over);

	e->closing = true;
	if (!ev || evtimer_add(ev, &bound))
		over = true;
	while (!over && plane_client_waiting(e->plane))
		event_base_loop(e->base, EVLOOP_ONCE);
	if (ev)
		event_free(ev);
}

void engine_close(struct engine *e)
{
	if (!e)
		return;
	e->closing = true;
	plane_client_free(e->plane);
	if (e->sweep)
		event_free(e->sweep);
	if (e->events_ready)
		event_free(e->events_ready);
	xs_events_close(e->events);
	local_addrs_close(e->local_addrs);
	policies_close(e->policies);
	for (uint32_t i = 0; e->pair && i < e->maps.sa_slots; i++)
		free(e->pair[i]);
	free(e->pair);
	slots_free(e->slots);
	if (e->open)
		e->maps.ctl->agent_pid = 0;
	if (e->maps.ctl)
		xs_maps_close(&e->maps);
	if (e->lock_fd >= 0)
		close(e->lock_fd);
	free(e);
}

/* ---- slots and numbers ------------------------------------------------------------------------ */
static int random_spi(struct engine *e, uint32_t slot, uint32_t *spi)
{
	for (*spi = 0; !*spi;) {
		uint32_t random;
		int err = crypt_random(&random, sizeof(random));

		if (err)
			return err;
		*spi = slots_spi(e->slots, slot, random);
	}
	return 0;
}

int engine_spi_alloc(struct engine *e, struct engine_sa *sa, uint32_t *spi)
{
	int err = slots_take(e->slots, engine_now_ms(), &sa->slot, &sa->generation);

	if (err)
		return err;
	err = random_spi(e, sa->slot, spi);
	if (!err && !pair_new(e, sa->slot, sa->generation))
		err = -ENOMEM;
	if (err) {
		slots_release(e->slots, engine_now_ms(), sa->slot, sa->generation);
		*sa = (struct engine_sa){0};
		return err;
	}
	xs_slot_clear(&e->maps, sa->slot);
	return 0;
}

void engine_spi_free(struct engine *e, struct engine_sa sa)
{
	engine_remove(e, sa, false);
}

static void stat_copy(struct xs_sa_dir_stat *out, const volatile struct xs_sa_dir_stat *in)
{
	out->packets = in->packets;
	out->bytes = in->bytes;
	out->last_ns = in->last_ns;
	for (int i = 0; i < XS_DROP_MAX; i++)
		out->drop[i] = in->drop[i];
}

int engine_stat_get(struct engine *e, struct engine_sa sa, struct engine_stat *out)
{
	if (!pair_find(e, sa))
		return -ENOENT;
	stat_copy(&out->in, &e->maps.sa_stat[sa.slot].in);
	stat_copy(&out->out, &e->maps.sa_stat[sa.slot].out);
	out->mtu = e->pair[sa.slot]->half[PLANE_OUT].row.mtu;
	return 0;
}

void engine_set_ike_rate(struct engine *e, uint32_t rate)
{
	e->maps.ctl->ike_rate = rate;
}

struct xs_maps *engine_maps(struct engine *e)
{
	return &e->maps;
}

bool engine_ready(const struct engine *e)
{
	return plane_client_up(e->plane);
}

const char *engine_name(const struct engine *e)
{
	(void)e;
	return "dataplane";
}

const struct plane_info *engine_plane_info(struct engine *e)
{
	plane_client_info_ask(e->plane);
	return plane_client_info(e->plane);
}
