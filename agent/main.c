/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent.h"

#include "agent/crypt/crypt.h"
#include "agent/control/control.h"
#include "agent/cred/cred.h"
#include "agent/fetch/fetch.h"
#include "agent/start.h"
#include "common/log.h"
#include "common/secret.h"

#include <event2/event.h>
#include <event2/thread.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Privileges, process by process:
 *
 *   who              runs as          holds                             may
 *   xdpsecd          who started it,  IKE sockets, pinned maps, vici    read its two configuration files
 *                    no capability;   socket, dataplane connection,     again, write the maps it owns,
 *                    CAP_NET_ADMIN    news of addresses by netlink,     accept on the vici socket; change
 *                    where the        XFRM by netlink,                  the kernel's IPsec, and whatever
 *                    kernel has ESP   one end of the keys socket        else of networks that capability lets
 *   xdpsecd --role   the same, in a   the other end                     compute and answer; no file, no
 *   keys             seccomp filter                                     socket, no other process
 *   xdpsecd --role   the same, in a   the other end of another one      resolve names, talk http; no
 *   fetch            seccomp filter                                     file, no other process
 *
 * Capabilities that opening takes (CAP_NET_BIND_SERVICE for port 500, and what reading the pins
 * takes) are gone before the first datagram is read. Nothing may be gained again (no_new_privs),
 * nothing may be dumped. The only path to the ESP keys of others is the dataplane's socket, and the agent
 * wipes what it sent.
 */

enum { STOP_MS = 2000, SETTLE_MS = 500, SECRETS_BYTES = 1 << 20, KE_THREADS = 1 };

struct program {
	struct agent a;
	struct start_options opt;
	struct control *control;
	struct start_lock lock;
	struct event *sig[4];
	struct event *stop_timer;
	bool stopping, polite;
};

static void fatal(const char *text)
{
	fprintf(stderr, "xdpsecd: %s\n", text);
}

/* ---- reload ----------------------------------------------------------------------------------- */
static bool same_ports(const struct gateway_conf *x, const struct gateway_conf *y)
{
	if (x->n_ports != y->n_ports)
		return false;
	for (uint32_t i = 0; i < x->n_ports; i++)
		if (strcmp(x->port[i].ifname, y->port[i].ifname) || x->port[i].role != y->port[i].role ||
		    x->port[i].attach != y->port[i].attach || x->port[i].tc != y->port[i].tc)
			return false;
	return true;
}

static void say_restarts(const struct gateway_conf *old, const struct gateway_conf *new)
{
	if (old->ike.port != new->ike.port || old->ike.port_nat_t != new->ike.port_nat_t)
		log_line(LOG_CONFIG, 1, "xdpsec.conf: UDP ports change when xdpsecd is started again");
	if (strcmp(old->pin_dir, new->pin_dir) || strcmp(old->run_dir, new->run_dir))
		log_line(LOG_CONFIG, 1,
			 "xdpsec.conf: pin_dir and run_dir change when xdpsecd is started again");
	if (!same_ports(old, new))
		log_line(LOG_CONFIG, 1,
			 "xdpsec.conf: interfaces change with xdpsec-loader load, then a restart of "
			 "xdpsec-dataplane");
}

static void apply_gateway(struct program *p, const struct gateway_conf *new)
{
	struct gateway_conf old = p->a.gw;

	say_restarts(&old, new);
	p->a.gw = *new;
	p->a.gw.ike.port = old.ike.port;
	p->a.gw.ike.port_nat_t = old.ike.port_nat_t;
	memcpy(p->a.gw.pin_dir, old.pin_dir, sizeof(old.pin_dir));
	memcpy(p->a.gw.run_dir, old.run_dir, sizeof(old.run_dir));
	start_log_levels(&p->a.gw, &p->opt);
	engine_set_ike_rate(p->a.engine, new->ike.source_rate);
	engine_set_standard(p->a.engine, new->engine);
}

/* Both files whole or nothing: all that can fail comes before all that changes something. */
static int reload(void *ctx, char *err, size_t errlen)
{
	struct program *p = ctx;
	struct start_config c;
	int r;

	r = start_config_load(&p->opt, &c, err, errlen);
	if (r)
		return r;
	r = keys_reload(p->a.keys, c.gw.swanctl_conf, err, errlen);
	if (r) {
		start_config_drop(&c);
		return r;
	}
	apply_gateway(p, &c.gw);
	creds_set(p->a.creds, c.cred);
	sa_configure(&p->a, c.conf);
	log_line(LOG_CONFIG, 1, "configuration loaded from %s", p->a.gw.swanctl_conf);
	return 0;
}

/* One value of the section ike; it holds until the file is read again. */
static int set_ike(void *ctx, const char *key, const char *value, char *err, size_t errlen)
{
	struct program *p = ctx;
	struct gateway_conf gw = p->a.gw;
	struct settings_error bad;
	int r = gateway_conf_set_ike(&gw, key, value, &bad);

	if (r)
		snprintf(err, errlen, "%s", bad.text);
	else
		apply_gateway(p, &gw);
	return r;
}

static void on_reload_signal(evutil_socket_t sig, short what, void *arg)
{
	char err[START_ERR_MAX];

	(void)sig;
	(void)what;
	if (reload(arg, err, sizeof(err)))
		log_line(LOG_CONFIG, 0, "%s: the configuration stays as it was", err);
}

/* ---- the end ------------------------------------------------------------------------------------ */
static void leave(struct program *p)
{
	event_base_loopbreak(p->a.base);
}

static void on_stop_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	leave(arg);
}

static void on_terminated(void *ctx, const struct outcome *o)
{
	log_line(LOG_DAEMON, 1, "%s", o->text[0] ? o->text : "all IKE SAs ended");
	leave(ctx);
}

/* SIGTERM and SIGINT: peers are told, bounded by STOP_MS. A second one ends at once. */
static void on_stop_signal(evutil_socket_t sig, short what, void *arg)
{
	static const struct timeval bound = {.tv_sec = STOP_MS / 1000};
	static const struct sa_select all;
	struct program *p = arg;
	struct outcome o = {0};

	(void)sig;
	(void)what;
	if (p->stopping) {
		p->polite = false;
		leave(p);
		return;
	}
	p->stopping = p->polite = true;
	log_line(LOG_DAEMON, 1, "stopping: peers are told, for %d s at most", STOP_MS / 1000);
	start_notify("STOPPING=1");
	evtimer_add(p->stop_timer, &bound);
	if (sa_terminate(&p->a, &all, on_terminated, p, &o))
		leave(p);
}

/* SIGQUIT: the agent alone ends. Maps, policies and SAs stay and carry traffic: for an upgrade. */
static void on_quit_signal(evutil_socket_t sig, short what, void *arg)
{
	struct program *p = arg;

	(void)sig;
	(void)what;
	log_line(LOG_DAEMON, 1, "leaving: Child SAs carry traffic on and wait for the next agent");
	p->polite = false;
	leave(p);
}

static int watch_signals(struct program *p)
{
	static const struct {
		int sig;
		event_callback_fn fn;
	} table[] = {
		{SIGHUP, on_reload_signal},
		{SIGTERM, on_stop_signal},
		{SIGINT, on_stop_signal},
		{SIGQUIT, on_quit_signal},
	};

	signal(SIGPIPE, SIG_IGN);
	p->stop_timer = evtimer_new(p->a.base, on_stop_timer, p);
	if (!p->stop_timer)
		return -ENOMEM;
	for (unsigned int i = 0; i < 4; i++) {
		p->sig[i] = evsignal_new(p->a.base, table[i].sig, table[i].fn, p);
		if (!p->sig[i] || evsignal_add(p->sig[i], NULL))
			return -ENOMEM;
	}
	return 0;
}

/* ---- start ---------------------------------------------------------------------------------------- */
/* A mistake in the secrets is one of the configuration: "file:line: text" and nothing in front. */
static int open_keys(struct program *p)
{
	char err[START_ERR_MAX] = "";

	p->a.keys = keys_start(p->a.base, "/proc/self/exe", p->a.gw.swanctl_conf, err, sizeof(err));
	if (!p->a.keys)
		fprintf(stderr, "%s\n", err);
	return p->a.keys ? 0 : -EINVAL;
}

static int open_parts(struct program *p, char *err, size_t errlen)
{
	struct agent *a = &p->a;
	char path[GW_PATH_MAX + 32];
	int r;

	a->jobs = jobs_new(a->base, KE_THREADS);
	if (!a->jobs) {
		snprintf(err, errlen, "threads for key exchange: %s", strerror(errno));
		return -ENOMEM;
	}
	a->creds = creds_new(a->base, a->jobs, "/proc/self/exe");
	if (!a->creds) {
		snprintf(err, errlen, "certificates: %s", strerror(errno));
		return -ENOMEM;
	}
	r = agent_core_open(a);
	if (r) {
		snprintf(err, errlen, "protocol core: %s", strerror(-r));
		return r;
	}
	a->engine = engine_open(a->base, &a->gw, agent_engine_event, a, err, errlen);
	if (!a->engine)
		return -errno;
	/* A peer that knocks at once must not be refused for want of a dataplane that is there. */
	engine_settle(a->engine, SETTLE_MS);
	a->net = net_open(a->base, a->gw.ike.port, a->gw.ike.port_nat_t, agent_recv, a, err, errlen);
	if (!a->net)
		return -errno;
	/* Children that a dataplane encrypts do not need it: it is said, and that is all. */
	if (engine_kernel_ready(a->engine) && net_kernel_esp(a->net, err, errlen))
		log_line(LOG_NETWORK, 0, "%s", err);
	snprintf(path, sizeof(path), "%s/xdpsecd.vici", a->gw.run_dir);
	p->control = control_open(a, path, err, errlen);
	if (!p->control)
		return -errno;
	control_on_reload(p->control, reload, p);
	control_on_set(p->control, set_ike, p);
	r = watch_signals(p);
	if (r)
		snprintf(err, errlen, "signals: %s", strerror(-r));
	return r;
}

/* What could still call the core goes before the loop runs once more for the engine's last answers. */
static void close_parts(struct program *p)
{
	struct agent *a = &p->a;

	for (unsigned int i = 0; i < 4; i++)
		if (p->sig[i])
			event_free(p->sig[i]);
	if (p->stop_timer)
		event_free(p->stop_timer);
	if (p->control)
		control_close(p->control);
	if (a->core)
		agent_core_close(a, p->polite);
	net_close(a->net);
	if (a->jobs)
		jobs_free(a->jobs);
	if (a->creds)
		creds_free(a->creds);
	if (a->keys)
		keys_stop(a->keys);
	if (a->engine && p->polite)
		engine_drain(a->engine, SETTLE_MS);
	engine_close(a->engine);
	start_unlock(&p->lock);
}

static int serve(struct program *p, struct start_config *c)
{
	char err[START_ERR_MAX] = "";
	int r = start_lock(&p->lock, p->a.gw.run_dir, err, sizeof(err));

	if (!r)
		r = open_keys(p);
	if (!r)
		r = open_parts(p, err, sizeof(err));
	if (!r)
		r = start_drop_privileges(engine_kernel_ready(p->a.engine), err, sizeof(err));
	if (r) {
		if (err[0])
			fatal(err);
		start_config_drop(c);
		close_parts(p);
		return EXIT_FAILURE;
	}
	creds_set(p->a.creds, c->cred);
	sa_configure(&p->a, c->conf);
	if (engine_listen(p->a.engine)) {
		fatal("out of memory");
		close_parts(p);
		return EXIT_FAILURE;
	}
	log_line(LOG_DAEMON, 1, "xdpsecd %s: %u connections, %s", XDPSEC_VERSION,
		 sa_conf(&p->a)->n_conns,
		 secret_locked() ? "keys in locked memory" : "keys in memory that could not be locked");
	start_notify("READY=1");
	crypt_random_ahead();
	event_base_dispatch(p->a.base);
	close_parts(p);
	return EXIT_SUCCESS;
}

/* --check: everything that a start would refuse, without touching anything. */
static int check(struct program *p, struct start_config *c)
{
	int r = open_keys(p);

	if (!r)
		keys_stop(p->a.keys);
	start_config_drop(c);
	return r ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run(struct program *p)
{
	char err[START_ERR_MAX];
	struct start_config c;
	int r;

	if (start_config_load(&p->opt, &c, err, sizeof(err))) {
		fprintf(stderr, "%s\n", err);
		return EXIT_FAILURE;
	}
	p->a.gw = c.gw;
	start_log_levels(&p->a.gw, &p->opt);
	if (p->opt.check && p->opt.log_level < 0)
		log_set_level_all(0); /* what is right needs no line */
	start_raise_limits();
	if (secret_init(SECRETS_BYTES))
		log_line(LOG_DAEMON, 0, "memory for keys cannot be locked: raise the memlock limit");
	r = sig_init();
	if (r) {
		fatal("OpenSSL lacks an algorithm that IKE needs");
		start_config_drop(&c);
		return EXIT_FAILURE;
	}
	evthread_use_pthreads();
	p->a.base = event_base_new();
	if (!p->a.base) {
		fatal("no event loop");
		start_config_drop(&c);
		return EXIT_FAILURE;
	}
	r = p->opt.check ? check(p, &c) : serve(p, &c);
	event_base_free(p->a.base);
	return r;
}

int main(int argc, char **argv)
{
	static struct program p;
	int r;

	/* First of all: the role must inherit nothing of what follows. */
	if (argc > 2 && !strcmp(argv[1], "--role") && !strcmp(argv[2], "keys"))
		return keys_role_main(argc, argv);
	if (argc > 2 && !strcmp(argv[1], "--role") && !strcmp(argv[2], "fetch"))
		return fetch_role_main(argc, argv);
	r = start_options(argc, argv, &p.opt);
	if (r)
		return r < 0 ? 2 : EXIT_SUCCESS;
	return run(&p);
}
