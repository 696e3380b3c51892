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
		r = plane_backend_open(e, gw);
	}
	if (!r) {
		what = "the kernel's IPsec";
		r = kernel_backend_open(e);
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
	for (int i = 0; i < ENGINE_BACKENDS; i++)
		TAILQ_INIT(&e->due[i]);
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
	engine_set_standard(e, gw->engine);
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

/* Do answers of any of them stand out? */
static bool backends_wait(const struct engine *e)
{
	for (uint8_t i = 0; i < ENGINE_BACKENDS; i++)
		if (backend_of(i) && backend_of(i)->waiting(e))
			return true;
	return false;
}

void engine_drain(struct engine *e, unsigned int ms)
{
	const struct timeval bound = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
	bool over = false;
	struct event *ev = evtimer_new(e->base, on_settle_timer, &over);

	e->closing = true;
	if (!ev || evtimer_add(ev, &bound))
		over = true;
	while (!over && backends_wait(e))
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
	kernel_backend_close(e);
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

int engine_stat_get(struct engine *e, struct engine_sa sa, struct engine_stat *out)
{
	struct sa_pair *p = pair_find(e, sa);

	if (!p)
		return -ENOENT;
	*out = (struct engine_stat){.mtu = p->half[HALF_OUT].row.mtu};
	p->backend->stat(e, p, out);
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
	return plane_backend.ready(e);
}

const struct plane_info *engine_plane_info(struct engine *e)
{
	plane_client_info_ask(e->plane);
	return plane_client_info(e->plane);
}
