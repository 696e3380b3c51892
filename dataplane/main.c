/* SPDX-License-Identifier: BSD-2-Clause */
#include "control.h"
#include "netlink.h"

#include "common/gateway_conf.h"
#include "common/log.h"
#include "common/secret.h"
#include "maps/maps.h"

#include <cap-ng.h>
#include <errno.h>
#include <getopt.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

/*
 * xdpsec-dataplane: ESP in user space. Who runs what:
 *
 *   main thread   agent's socket, rtnetlink, building and freeing of security associations
 *   worker n      packets; no system call but poll, send and receive on descriptors it has
 *
 * CAP_NET_RAW is needed to open AF_XDP and raw sockets, CAP_NET_ADMIN only for a larger send buffer,
 * CAP_IPC_LOCK or a memlock limit for packet memory. All capabilities are gone before the first packet.
 */
enum { EXIT_USAGE = 2, SECRET_HEAP = 1 << 20, SETTLE_MS = 100 };

struct options {
	const char *conf, *pin_dir, *run_dir, *crypto;
};

struct plane {
	struct gateway_conf conf;
	struct xs_maps maps;
	bool maps_open;
	struct port port[XS_PORTS_MAX];
	struct worker_shared shared;
	struct worker *workers;
	unsigned int n_open, n_started;
	struct netlink *nl;
	struct nh_table *nh;
	struct control *control;
	int signal_fd;
	bool dirty; /* routes or interfaces changed: next hops are looked up anew after SETTLE_MS */
	char err[256];
};

static void usage(FILE *to)
{
	fprintf(to, "usage: xdpsec-dataplane [-c FILE] [--pin-dir DIR] [--run-dir DIR] "
		    "[--crypto cryptodev|openssl]\n"
		    "ESP in user space, in the foreground; logs to standard error.\n");
}

static int options_parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'}, {"pin-dir", required_argument, NULL, 'p'},
		{"run-dir", required_argument, NULL, 'r'}, {"crypto", required_argument, NULL, 'x'},
		{"help", no_argument, NULL, 'h'},	   {"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0}};
	int opt;

	while ((opt = getopt_long(argc, argv, "c:hV", longs, NULL)) != -1) {
		switch (opt) {
		case 'c':
			o->conf = optarg;
			break;
		case 'p':
			o->pin_dir = optarg;
			break;
		case 'r':
			o->run_dir = optarg;
			break;
		case 'x':
			if (strcmp(optarg, "cryptodev") != 0 && strcmp(optarg, "openssl") != 0)
				return -EINVAL;
			o->crypto = optarg;
			break;
		case 'h':
			usage(stdout);
			exit(EXIT_SUCCESS);
		case 'V':
			printf("xdpsec-dataplane %s\n", XDPSEC_VERSION);
			exit(EXIT_SUCCESS);
		default:
			return -EINVAL;
		}
	}
	return optind == argc ? 0 : -EINVAL;
}

static int conf_load(struct gateway_conf *conf, const struct options *o)
{
	const char *path = o->conf ? o->conf : "/etc/xdpsec/xdpsec.conf";
	struct settings_error err = {0};
	char line[1200];

	if (!o->conf && access(path, F_OK) != 0)
		gateway_conf_defaults(conf);
	else if (gateway_conf_load(path, conf, &err) < 0) {
		log_line(LOG_CONFIG, 0, "%s", settings_error_str(&err, line, sizeof(line)));
		return -EINVAL;
	}
	if (o->pin_dir)
		snprintf(conf->pin_dir, sizeof(conf->pin_dir), "%s", o->pin_dir);
	if (o->run_dir)
		snprintf(conf->run_dir, sizeof(conf->run_dir), "%s", o->run_dir);
	if (!o->crypto)
		return 0;
	conf->dataplane.crypto = o->crypto[0] == 'o' ? GW_CRYPTO_OPENSSL : GW_CRYPTO_CRYPTODEV;
	return 0;
}

/* ---- ports ------------------------------------------------------------------------------------ */

static int port_take(void *ctx, uint32_t ifindex, const struct xs_port *row)
{
	struct plane *p = ctx;
	struct port *port = &p->port[p->shared.n_ports];

	if (p->shared.n_ports == XS_PORTS_MAX || row->index >= XS_PORTS_MAX)
		return 0;
	port->ifindex = ifindex;
	port->index = row->index;
	port->role = row->role;
	port->queues = row->queues < 1 ? 1 : row->queues > XS_QUEUES_MAX ? XS_QUEUES_MAX : row->queues;
	snprintf(port->ifname, sizeof(port->ifname), "%.*s", (int)sizeof(row->ifname) - 1, row->ifname);
	p->shared.port_by_index[row->index] = (uint8_t)p->shared.n_ports++;
	return 0;
}

/* Reads what can change while we run; true when something did. */
static bool port_refresh(struct plane *p, struct port *port)
{
	uint32_t mtu = 0, addr = 0;
	uint8_t mac[6], addr6[16] = {0};
	bool up, changed;

	if (netlink_link(p->nl, port->ifindex, &mtu, mac, &up) < 0)
		return false;
	netlink_addr4(p->nl, port->ifindex, &addr);
	netlink_addr6(p->nl, port->ifindex, addr6);
	changed = mtu != atomic_load(&port->mtu) || memcmp(mac, port->mac, 6) != 0;
	atomic_store(&port->mtu, mtu);
	atomic_store(&port->addr4_be, addr);
	port_addr6_set(port, addr6);
	memcpy(port->mac, mac, 6);
	return changed;
}

static int ports_find(struct plane *p)
{
	int err;

	memset(p->shared.port_by_index, PKT_NO_PORT, sizeof(p->shared.port_by_index));
	err = xs_port_each(&p->maps, port_take, p);
	if (err < 0 || !p->shared.n_ports) {
		snprintf(p->err, sizeof(p->err), "no interface is attached (%s/port is empty): run "
						 "xdpsec-loader load first", p->conf.pin_dir);
		return -ENODEV;
	}
	for (unsigned int i = 0; i < p->shared.n_ports; i++) {
		struct port *port = &p->port[i];

		port_refresh(p, port);
		if (!xsk_chunk_size(atomic_load(&port->mtu)))
			log_line(LOG_NETWORK, 0, "%s: MTU %u: frames above 3840 bytes cannot be "
						 "taken and are lost", port->ifname,
				 atomic_load(&port->mtu));
	}
	return 0;
}

static void net_changed(void *ctx, const struct net_change *c)
{
	struct plane *p = ctx;

	if (c->kind == NET_NEIGH) {
		if (p->nh)
			nh_table_change(p->nh, c);
		return;
	}
	for (unsigned int i = 0; i < p->shared.n_ports; i++) {
		struct port *port = &p->port[i];

		if (port->ifindex != c->ifindex && c->kind != NET_LOST)
			continue;
		if (c->kind == NET_LINK_GONE)
			log_line(LOG_NETWORK, 0, "%s is gone: load again and restart the dataplane",
				 port->ifname);
		else if (port_refresh(p, port))
			log_line(LOG_NETWORK, 1, "%s: MTU %u", port->ifname, atomic_load(&port->mtu));
	}
	p->dirty = true;
}

static void next_hop_publish(void *ctx, const struct next_hop *nh)
{
	control_next_hop(((struct plane *)ctx)->control, nh);
}

/* ---- workers ---------------------------------------------------------------------------------- */

static unsigned int workers_count(const struct plane *p)
{
	unsigned int n = p->conf.dataplane.workers ? p->conf.dataplane.workers : 1;

	for (unsigned int i = 0; i < p->shared.n_ports; i++)
		if (n > p->port[i].queues && p->port[i].role != XS_ROLE_RAMP) {
			n = p->port[i].queues;
			log_line(LOG_DAEMON, 0, "%s has %u queues: %u workers", p->port[i].ifname, n, n);
		}
	return n > XS_WORKERS_MAX ? XS_WORKERS_MAX : n;
}

static int workers_open(struct plane *p)
{
	struct worker_shared *sh = &p->shared;
	int err;

	sh->maps = &p->maps;
	sh->ports = p->port;
	sh->n_workers = workers_count(p);
	sh->hold_ms = p->conf.ike.acquire_timeout_s * 1000;
	sh->busy_ns = p->conf.dataplane.busy_poll_us * 1000ull;
	sh->note_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	sh->owner = calloc(p->maps.sa_slots, sizeof(*sh->owner));
	p->workers = aligned_alloc(64, sh->n_workers * sizeof(*p->workers));
	if (sh->note_fd < 0 || !sh->owner || !p->workers)
		return -ENOMEM;
	memset(p->workers, 0, sh->n_workers * sizeof(*p->workers));
	sh->workers = p->workers;
	for (; p->n_open < sh->n_workers; p->n_open++) {
		err = worker_open(&p->workers[p->n_open], p->n_open, sh, p->err, sizeof(p->err));
		if (err < 0) {
			p->n_open++;
			return err;
		}
	}
	for (unsigned int i = 0; i < sh->n_workers; i++)
		for (unsigned int j = 0; j < sh->n_workers; j++)
			p->workers[i].from[j] = p->workers[j].to[i];
	return 0;
}

static int workers_start(struct plane *p)
{
	int err = 0;

	for (unsigned int i = 0; i < p->shared.n_workers && !err; i++) {
		int cpu = i < p->conf.dataplane.n_cpus ? (int)p->conf.dataplane.cpus[i] : -1;

		err = worker_start(&p->workers[i], cpu);
		if (!err)
			p->n_started++;
		else
			snprintf(p->err, sizeof(p->err), "worker %u: %s", i, strerror(-err));
	}
	return err;
}

static void notes_read(struct plane *p)
{
	struct worker_note note;
	eventfd_t count;

	eventfd_read(p->shared.note_fd, &count);
	for (unsigned int i = 0; i < p->shared.n_workers; i++)
		while (worker_note_take(&p->workers[i], &note)) {
			if (note.kind == NOTE_EVENT)
				control_event(p->control, &note.event);
			else
				nh_table_want(p->nh, note.dst);
		}
}

/* ---- start ---------------------------------------------------------------------------------- */

static int caps_drop(char *err, size_t errlen)
{
	/* From here on: nothing but the descriptors that are open. */
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_apply(CAPNG_SELECT_BOTH) != 0) {
		/* The bounding set needs CAP_SETPCAP; without it we had little to lose. */
		capng_clear(CAPNG_SELECT_CAPS);
		if (capng_apply(CAPNG_SELECT_CAPS) != 0) {
			snprintf(err, errlen, "cannot drop capabilities");
			return -EPERM;
		}
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) {
		snprintf(err, errlen, "prctl: %s", strerror(errno));
		return -errno;
	}
	return 0;
}

static void crypto_start(struct plane *p)
{
	const struct crypto_backend *backend = &crypto_openssl;
	char text[64], err[160];

	snprintf(text, sizeof(text), "openssl %s", OpenSSL_version(OPENSSL_VERSION_STRING));
	if (p->conf.dataplane.crypto == GW_CRYPTO_CRYPTODEV) {
		if (crypto_cryptodev_start(&p->conf.dataplane, p->shared.n_workers, p->maps.sa_slots,
					   &backend, err, sizeof(err)) == 0)
			snprintf(text, sizeof(text), "cryptodev: %.52s", crypto_cryptodev_devices());
		else
			log_line(LOG_DAEMON, 0, "cryptodev is not available (%s): OpenSSL instead", err);
	}
	log_line(LOG_DAEMON, 1, "crypto: %s", text);
	control_crypto(p->control, backend, text);
}

static int privileged_start(struct plane *p)
{
	const struct control_init init = {
		.run_dir = p->conf.run_dir, .maps = &p->maps, .shared = &p->shared};
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	int err;

	setrlimit(RLIMIT_MEMLOCK, &unlimited); /* or what the limit is: opening says when it is too low */
	err = xs_maps_open(&p->maps, p->conf.pin_dir, p->err, sizeof(p->err));
	if (err < 0)
		return err;
	p->maps_open = true;
	p->nl = netlink_open(net_changed, p);
	if (!p->nl) {
		snprintf(p->err, sizeof(p->err), "rtnetlink: %s", strerror(errno));
		return -errno;
	}
	err = ports_find(p);
	if (err < 0)
		return err;
	p->control = control_open(&init, p->err, sizeof(p->err));
	if (!p->control)
		return -errno;
	return workers_open(p);
}

static int start(struct plane *p)
{
	/* A device on the PCI bus is opened by EAL, which needs privileges for it. */
	bool device = p->conf.dataplane.crypto == GW_CRYPTO_CRYPTODEV && p->conf.dataplane.device[0];
	int err = privileged_start(p);

	if (err < 0)
		return err;
	if (!device) {
		err = caps_drop(p->err, sizeof(p->err));
		if (err < 0)
			return err;
	}
	crypto_start(p);
	if (device) {
		err = caps_drop(p->err, sizeof(p->err));
		if (err < 0)
			return err;
	}
	p->nh = nh_table_new(p->nl, &p->maps, p->port, p->shared.n_ports, next_hop_publish, p);
	if (!p->nh)
		return -errno;
	return workers_start(p);
}

static void stop(struct plane *p)
{
	for (unsigned int i = 0; i < p->n_started; i++) {
		struct worker_cmd cmd = {.kind = CMD_STOP};

		worker_do(&p->workers[i], &cmd);
		worker_join(&p->workers[i]);
	}
	for (unsigned int i = 0; i < p->n_open; i++)
		worker_close(&p->workers[i]);
	free(p->workers);
	free(p->shared.owner);
	if (p->nh)
		nh_table_free(p->nh);
	if (p->control)
		control_close(p->control);
	if (p->nl)
		netlink_close(p->nl);
	if (p->maps_open) {
		if (p->maps.ctl->dataplane_pid == (uint64_t)getpid())
			p->maps.ctl->dataplane_pid = 0;
		xs_maps_close(&p->maps);
	}
}

static void loop(struct plane *p)
{
	const struct net_change all = {.kind = NET_ROUTE};
	struct pollfd fds[] = {
		{.fd = p->signal_fd, .events = POLLIN},
		{.fd = control_fd(p->control), .events = POLLIN},
		{.fd = p->shared.note_fd, .events = POLLIN},
		{.fd = netlink_fd(p->nl), .events = POLLIN},
	};

	for (;;) {
		int n = poll(fds, 4, p->dirty ? SETTLE_MS : -1);

		if (n < 0 && errno != EINTR)
			return;
		if (fds[0].revents)
			return;
		if (fds[1].revents)
			control_run(p->control);
		if (fds[2].revents)
			notes_read(p);
		if (fds[3].revents)
			netlink_read(p->nl);
		if (p->dirty && !fds[3].revents) {
			p->dirty = false;
			nh_table_change(p->nh, &all);
		}
	}
}

static void say_ready(const struct plane *p)
{
	for (unsigned int i = 0; i < p->shared.n_ports; i++)
		log_line(LOG_NETWORK, 1, "%s: AF_XDP, %s mode, %u queues, MTU %u", p->port[i].ifname,
			 p->port[i].mode, p->port[i].queues, atomic_load(&p->port[i].mtu));
	log_line(LOG_DAEMON, 1, "ready: %u workers, socket %s/dataplane.sock", p->shared.n_workers,
		 p->conf.run_dir);
}

int main(int argc, char **argv)
{
	static struct plane plane = {.signal_fd = -1};
	struct options o = {0};
	sigset_t set;
	int err;

	log_to_stderr(true, true);
	if (options_parse(argc, argv, &o) < 0) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (secret_init(SECRET_HEAP) < 0)
		log_line(LOG_DAEMON, 1, "memory for secrets is not locked: raise the memlock limit");
	if (conf_load(&plane.conf, &o) < 0)
		return EXIT_FAILURE;
	for (int g = 0; g < LOG_GROUPS; g++)
		log_set_level((enum log_group)g, plane.conf.log_level[g]);
	/* Blocked before there is a second thread, so that only the descriptor sees them. */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	plane.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	err = plane.signal_fd < 0 ? -errno : start(&plane);
	if (!err) {
		plane.maps.ctl->dataplane_pid = (uint64_t)getpid();
		say_ready(&plane);
		loop(&plane);
		log_line(LOG_DAEMON, 1, "stopping");
	} else {
		log_line(LOG_DAEMON, 0, "%s", plane.err[0] ? plane.err : strerror(-err));
	}
	stop(&plane);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
