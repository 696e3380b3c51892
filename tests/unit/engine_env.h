/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/engine/engine.h"
#include "agent/engine/pair.h"
#include "common/gateway_conf.h"
#include "common/log.h"
#include "common/plane_msg.h"
#include "common/secret.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <event2/event.h>

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * The engine on real maps: those of the linked BPF object, pinned in a bpffs of this process's own mount
 * namespace. The dataplane's end of the socket is kept by the test, which holds the engine to the
 * protocol: it knows which SAs it was given and refuses to be given one twice.
 */
enum { ENV_SLOTS = 64, ENV_POLICIES = 256 };

struct env {
	struct event_base *base;
	struct gateway_conf gw;
	struct engine *e;
	struct xs_maps *m;
	char dir[64];
	int listener, plane;
	uint64_t instance;
	bool mute;	  /* the dataplane does not answer */
	int refuse;	  /* what it says to PLANE_SA_ADD */
	uint32_t generation[ENV_SLOTS][2]; /* held: by slot and direction, 0 = none */
	unsigned int held, adds, dels, moves;
	struct plane_sa_add last_add;
	struct plane_sa_move last_move;
	unsigned int dones;
	int error;
	uint64_t tag;
	struct sa_ref ref;
	unsigned int events[ENGINE_ORPHAN_EXPIRED + 1];
	struct engine_event last;
};

static struct env env;
static bool env_possible;

static inline uint64_t env_now(void)
{
	return engine_now_ms();
}

/* ---- maps --------------------------------------------------------------------------------------- */
static inline bool env_sized_by_slot(const char *name)
{
	static const char *const by_slot[] = {"sa_slot", "sa_in", "sa_out", "sa_stat", "sa_seq", "sa_rx", "sa_tx"};

	for (size_t i = 0; i < sizeof(by_slot) / sizeof(by_slot[0]); i++)
		if (!strcmp(name, by_slot[i]))
			return true;
	return false;
}

static inline bool env_sized_by_policy(const char *name)
{
	return !strcmp(name, "policy") || !strcmp(name, "bundle") || !strcmp(name, "policy_stat");
}

static inline int env_make_maps(const char *object, const char *pin_dir)
{
	const struct xs_layout layout = {.version = XS_LAYOUT_VERSION, .sizes = XS_LAYOUT_SIZES};
	const struct xs_ctl ctl = {.sa_slots = ENV_SLOTS, .policies = ENV_POLICIES};
	struct bpf_object *o = bpf_object__open_file(object, NULL);
	struct bpf_program *prog;
	struct bpf_map *map;
	uint32_t zero = 0;
	int err = o ? 0 : -errno;

	if (err)
		return err;
	bpf_object__for_each_program(prog, o)
		bpf_program__set_autoload(prog, false);
	bpf_object__for_each_map(map, o) {
		if (env_sized_by_slot(bpf_map__name(map)))
			bpf_map__set_max_entries(map, ENV_SLOTS);
		if (env_sized_by_policy(bpf_map__name(map)))
			bpf_map__set_max_entries(map, ENV_POLICIES);
	}
	err = bpf_object__load(o);
	for (int i = 0; !err && i < XS_MAPS; i++) {
		char path[128];

		map = bpf_object__find_map_by_name(o, xs_map_name((enum xs_map)i));
		snprintf(path, sizeof(path), "%s/%s", pin_dir, xs_map_name((enum xs_map)i));
		err = map ? bpf_map__pin(map, path) : -ENOENT;
		if (!err && i == XS_MAP_layout)
			err = bpf_map_update_elem(bpf_map__fd(map), &zero, &layout, 0);
		if (!err && i == XS_MAP_ctl)
			err = bpf_map_update_elem(bpf_map__fd(map), &zero, &ctl, 0);
	}
	bpf_object__close(o);
	return err;
}

/* ---- the dataplane's end -------------------------------------------------------------------------- */
static inline void env_listen(void)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/dataplane.sock", env.dir);
	unlink(sun.sun_path);
	env.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(env.listener, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(env.listener, 4), 0);
}

static inline int env_apply(const union plane_msg *m)
{
	switch (m->hdr.type) {
	case PLANE_SA_ADD:
		env.adds++;
		env.last_add = m->add;
		if (env.refuse)
			return env.refuse;
		assert_int_equal(env.generation[m->add.slot][m->add.direction], 0);
		env.generation[m->add.slot][m->add.direction] = m->add.generation;
		env.held++;
		return 0;
	case PLANE_SA_DEL:
		env.dels++;
		if (env.generation[m->del.slot][m->del.direction] != m->del.generation)
			return -ENOENT;
		env.generation[m->del.slot][m->del.direction] = 0;
		env.held--;
		return 0;
	case PLANE_SA_MOVE:
		env.moves++;
		env.last_move = m->move;
		return 0;
	default:
		return -EINVAL;
	}
}

static inline void env_answer(const union plane_msg *m)
{
	struct plane_hello hello = {.hdr = {.type = PLANE_HELLO, .len = sizeof(hello)},
				    .protocol = PLANE_PROTOCOL,
				    .layout_version = XS_LAYOUT_VERSION,
				    .instance = env.instance};
	struct plane_info info = {
		.hdr = {.type = PLANE_INFO, .len = sizeof(info), .request = m->hdr.request}, .workers = 1};
	struct plane_ack ack = {
		.hdr = {.type = PLANE_ACK, .len = sizeof(ack), .request = m->hdr.request}};

	memset(info.engine, PLANE_ENGINE_OPENSSL, sizeof(info.engine)); /* it does all there is */
	if (m->hdr.type == PLANE_HELLO) {
		send(env.plane, &hello, sizeof(hello), MSG_NOSIGNAL);
	} else if (m->hdr.type == PLANE_INFO_GET) {
		send(env.plane, &info, sizeof(info), MSG_NOSIGNAL);
	} else {
		ack.error = env_apply(m);
		send(env.plane, &ack, sizeof(ack), MSG_NOSIGNAL);
	}
}

/* Both ends run until nothing more is said. */
static inline void env_run(void)
{
	union plane_msg m;
	bool more = true;

	while (more) {
		more = false;
		event_base_loop(env.base, EVLOOP_NONBLOCK);
		if (env.plane < 0)
			env.plane = env.listener < 0 ? -1
						     : accept4(env.listener, NULL, NULL,
							       SOCK_NONBLOCK | SOCK_CLOEXEC);
		while (!env.mute && env.plane >= 0 && recv(env.plane, &m, sizeof(m), 0) > 0) {
			env_answer(&m);
			more = true;
		}
	}
	event_base_loop(env.base, EVLOOP_NONBLOCK);
}

static inline void env_until(const unsigned int *counter, unsigned int value)
{
	uint64_t end = env_now() + 5000;

	while (*counter < value && env_now() < end) {
		env_run();
		usleep(2000);
	}
	assert_true(*counter >= value);
}

/* The dataplane dies; with `forget` another one will come. */
static inline void env_plane_down(bool forget)
{
	unsigned int downs = env.events[ENGINE_DOWN];

	close(env.plane);
	close(env.listener);
	env.plane = env.listener = -1;
	if (forget) {
		memset(env.generation, 0, sizeof(env.generation));
		env.held = 0;
		env.instance++;
	}
	env_until(&env.events[ENGINE_DOWN], downs + 1);
}

static inline void env_plane_up(void)
{
	unsigned int ups = env.events[ENGINE_UP];

	env.mute = false;
	env_listen();
	env_until(&env.events[ENGINE_UP], ups + 1);
	env_run();
}

/* ---- the agent's side ------------------------------------------------------------------------------ */
static inline void env_event(void *ctx, const struct engine_event *ev)
{
	(void)ctx;
	env.events[ev->kind]++;
	env.last = *ev;
}

static inline void env_done(void *ctx, struct sa_ref ref, uint64_t tag, int error)
{
	(void)ctx;
	env.dones++;
	env.ref = ref;
	env.tag = tag;
	env.error = error;
}

static inline void env_open(void)
{
	char err[256] = "";

	env.e = engine_open(env.base, &env.gw, env_event, NULL, err, sizeof(err));
	if (!env.e)
		fail_msg("engine_open: %s", err);
	assert_int_equal(engine_listen(env.e), 0);
	env.m = engine_maps(env.e);
}

/* The agent dies: nobody is told. */
static inline void env_crash(void)
{
	engine_close(env.e);
	env.e = NULL;
	if (env.plane >= 0)
		close(env.plane);
	env.plane = -1;
}

static inline void env_rmdir(void)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/bpf", env.dir);
	umount2(path, MNT_DETACH);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/dataplane.sock", env.dir);
	unlink(path);
	rmdir(env.dir);
}

static char env_object[512];

/* Fresh maps for each test. */
static inline int env_setup(void **state)
{
	char bpf[96];
	int err;

	(void)state;
	if (!env_possible)
		return 0;
	memset(&env, 0, sizeof(env));
	env.plane = env.listener = -1;
	env.instance = 1000;
	strcpy(env.dir, "/tmp/xdpsec-engine.XXXXXX");
	assert_non_null(mkdtemp(env.dir));
	snprintf(bpf, sizeof(bpf), "%s/bpf", env.dir);
	assert_int_equal(mkdir(bpf, 0700), 0);
	assert_int_equal(mount("bpf", bpf, "bpf", 0, NULL), 0);
	err = env_make_maps(env_object, bpf);
	assert_int_equal(err, 0);
	snprintf(bpf, sizeof(bpf), "%s/bpf/links", env.dir); /* as the loader makes it */
	assert_int_equal(mkdir(bpf, 0700), 0);
	snprintf(bpf, sizeof(bpf), "%s/bpf", env.dir);
	gateway_conf_defaults(&env.gw);
	snprintf(env.gw.pin_dir, sizeof(env.gw.pin_dir), "%s", bpf);
	snprintf(env.gw.run_dir, sizeof(env.gw.run_dir), "%s", env.dir);
	env.gw.ike.delete_rekeyed_delay_s = 0;
	env.base = event_base_new();
	env_open();
	env_plane_up();
	return 0;
}

static inline int env_teardown(void **state)
{
	(void)state;
	if (!env_possible)
		return 0;
	engine_close(env.e);
	if (env.plane >= 0)
		close(env.plane);
	if (env.listener >= 0)
		close(env.listener);
	event_base_free(env.base);
	env_rmdir();
	return 0;
}

#define ENV_NEEDED()                                                                               \
	do {                                                                                       \
		if (!env_possible)                                                                 \
			skip();                                                                    \
	} while (0)

/* In main, before the tests: root, namespaces of mounts and networks, and the object beside the test's own build. */
static inline void env_init(const char *argv0)
{
	const char *slash = strrchr(argv0, '/');
	int dir = slash ? (int)(slash - argv0) : 0;

	snprintf(env_object, sizeof(env_object), "%.*s%s../../bpf/xdpsec.o", dir, argv0, slash ? "/" : "");
	log_to_stderr(getenv("XDPSEC_TEST_LOG") != NULL, false);
	libbpf_set_print(NULL);
	if (secret_init(1 << 20) || crypt_init())
		return;
	if (geteuid() || access(env_object, R_OK) || unshare(CLONE_NEWNS | CLONE_NEWNET))
		return;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return;
	env_possible = true;
}

/* ---- Child SAs ------------------------------------------------------------------------------------- */
static const struct child_suite env_suite = {.encr = 20, .encr_bits = 128, .esn = true};
static const struct proposals env_proposals = {.n = 1, .p = {{.proto = IKE_PROTO_ESP}}};

static const struct child_conf env_child_conf = {
	.proposals = &env_proposals,
	.name = "net", .replay_window = 32, .copy_df = true, .copy_ecn = true, .copy_dscp_out = true};

struct env_sa {
	struct engine_sa sa;
	struct engine_child c;
	struct ts_list local, remote;
	struct ike_authenticated proof;
};

static inline void env_ts(struct ts_list *l, const char *net, unsigned int plen)
{
	struct ts *t = &l->ts[l->n++];
	struct ip_addr a;

	assert_int_equal(addr_parse(net, &a), 0);
	memset(t, 0, sizeof(*t));
	t->port_hi = 65535;
	addr_prefix_range(&a, plen, &t->lo, &t->hi);
}

static inline void env_sa_init(struct env_sa *s, const char *conn, const char *remote_net)
{
	memset(s, 0, sizeof(*s));
	env_ts(&s->local, "10.1.0.0", 24);
	env_ts(&s->remote, remote_net, 24);
	s->proof = (struct ike_authenticated){.ike_id = 7, .proof = 1};
	s->c = (struct engine_child){
		.protocol = IPPROTO_ESP,
		.child_id = 3,
		.ike_id = 7,
		.conn = conn,
		.child = "net",
		.conf = &env_child_conf,
		.engine = CONF_ENGINE_DATAPLANE, /* wherever this runs */
		.suite = &env_suite,
		.local = {.port = 4500},
		.remote = {.port = 4500},
		.encap = true,
		.ts_local = &s->local,
		.ts_remote = &s->remote,
		.reqid = 5,
		.life_s = 3600,
	};
	addr_parse("192.0.2.1", &s->c.local.ip);
	addr_parse("192.0.2.2", &s->c.remote.ip);
	assert_int_equal(engine_spi_alloc(env.e, &s->sa, &s->c.spi_in), 0);
	s->c.spi_out = 0xc0ffee00 + s->sa.slot;
}

static const uint8_t env_key[20] = {0xde, 0xad, 0xbe, 0xef, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66,
				    0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xf0, 0x0d};

/* Installs one direction and returns what the call returned; secrets must be gone whatever it was. */
static inline int env_install(struct env_sa *s, enum plane_direction dir)
{
	struct secret encr = {0}, integ = {0};
	struct sa_ref ref = {.index = s->sa.slot, .generation = 99};
	int err;

	assert_int_equal(secret_dup(&encr, slice_of(env_key, sizeof(env_key))), 0);
	err = dir == PLANE_IN ? engine_install_in(env.e, &s->proof, s->sa, &s->c, &encr, &integ,
						  env_done, NULL, ref, 11)
			      : engine_install_out(env.e, &s->proof, s->sa, &s->c, &encr, &integ,
						   env_done, NULL, ref, 11);
	assert_null(encr.p);
	assert_null(integ.p);
	return err;
}

/* A pair up to its activation, as an exchange does it. */
static inline void env_up(struct env_sa *s, const char *conn, const char *remote_net)
{
	unsigned int dones = env.dones;

	env_sa_init(s, conn, remote_net);
	assert_int_equal(env_install(s, PLANE_IN), 0);
	env_until(&env.dones, dones + 1);
	assert_int_equal(env.error, 0);
	assert_int_equal(env_install(s, PLANE_OUT), 0);
	env_until(&env.dones, dones + 2);
	assert_int_equal(env.error, 0);
	assert_int_equal(engine_activate(env.e, s->sa, &s->c), 0);
}

/* ---- what the maps say ------------------------------------------------------------------------------ */
struct env_policies {
	unsigned int n;
	uint32_t id[16];
	struct xs_policy row[16];
};

static inline int env_take_policy(void *ctx, uint32_t id, const struct xs_policy *row)
{
	struct env_policies *p = ctx;

	assert_in_range(p->n, 0, 15);
	p->id[p->n] = id;
	p->row[p->n++] = *row;
	return 0;
}

static inline struct env_policies env_policies(void)
{
	struct env_policies p = {0};

	assert_int_equal(xs_policy_each(env.m, env_take_policy, &p), 0);
	return p;
}

static inline int env_count_row(void *ctx, const struct xs_sa *row)
{
	(void)row;
	++*(unsigned int *)ctx;
	return 0;
}

static inline unsigned int env_rows_in(void)
{
	unsigned int n = 0;

	assert_int_equal(xs_sa_in_each(env.m, env_count_row, &n), 0);
	return n;
}

static inline unsigned int env_rows_out(void)
{
	unsigned int n = 0;

	assert_int_equal(xs_sa_out_each(env.m, env_count_row, &n), 0);
	return n;
}

/* The pair that a policy encrypts with; zero = none. */
static inline struct engine_sa env_in_force(const struct xs_policy *row)
{
	uint64_t w = xs_bundle_get(env.m, row->bundle);

	return (struct engine_sa){.slot = XS_BUNDLE_SLOT(w), .generation = XS_BUNDLE_GENERATION(w)};
}

static inline void assert_in_force(const struct xs_policy *row, struct engine_sa sa)
{
	struct engine_sa now = env_in_force(row);

	assert_int_equal(row->action, XS_PROTECT);
	assert_int_equal(now.slot, sa.slot);
	assert_int_equal(now.generation, sa.generation);
}
