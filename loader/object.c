// SPDX-License-Identifier: BSD-2-Clause
#include "loader.h"

#include "bpf/xdpsec.skel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The end of what libbpf said: the verifier's verdict stands there. */
enum { LOG_KEEP = 512 };

static char last_log[LOG_KEEP];
static bool log_verbose;

static int log_print(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char line[LOG_KEEP];
	va_list copy;

	if (log_verbose && level != LIBBPF_DEBUG) {
		va_copy(copy, ap);
		vfprintf(stderr, fmt, copy);
		va_end(copy);
	}
	if (level != LIBBPF_WARN)
		return 0;
	vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = 0;
	/* The first line says what, the later ones only that loading failed. */
	if (!last_log[0] && !strstr(line, "END PROG LOAD LOG"))
		memcpy(last_log, line, sizeof(last_log));
	return 0;
}

void object_log_init(bool verbose)
{
	log_verbose = verbose;
	last_log[0] = 0;
	libbpf_set_print(log_print);
}

const char *object_log(void)
{
	return last_log;
}

static struct bpf_map *map_of(struct xdpsec_bpf *skel, enum xs_map map)
{
	return bpf_object__find_map_by_name(skel->obj, xs_map_name(map));
}

static int map_rows(struct xdpsec_bpf *skel, uint32_t sa_slots, uint32_t policies)
{
	struct bpf_map *by_slot[] = {skel->maps.sa_slot, skel->maps.sa_in,  skel->maps.sa_out,
				     skel->maps.sa_stat, skel->maps.sa_seq, skel->maps.sa_rx,
				     skel->maps.sa_tx};
	struct bpf_map *by_policy[] = {skel->maps.bundle, skel->maps.policy, skel->maps.policy_stat,
				       skel->maps.acquired_ns};
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(by_slot) / sizeof(by_slot[0]); i++)
		err = bpf_map__set_max_entries(by_slot[i], sa_slots);
	for (size_t i = 0; !err && i < sizeof(by_policy) / sizeof(by_policy[0]); i++)
		err = bpf_map__set_max_entries(by_policy[i], policies);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.spread,
					       (uint32_t)libbpf_num_possible_cpus());
	return err ? err : bpf_map__set_max_entries(skel->maps.selector, 2 * policies);
}

int object_open(struct xdpsec_bpf **skel, uint32_t sa_slots, uint32_t policies, const char *pin_dir,
		struct loader_err *err)
{
	int e;

	*skel = xdpsec_bpf__open();
	if (!*skel)
		return loader_fail(err, -errno, "the BPF object cannot be opened: %s",
				   strerror(errno));
	e = map_rows(*skel, sa_slots, policies);
	for (int i = 0; !e && pin_dir && i < XS_MAPS; i++) {
		char path[LOADER_PATH_LEN];

		snprintf(path, sizeof(path), "%s/%s", pin_dir, xs_map_name(i));
		e = bpf_map__set_pin_path(map_of(*skel, i), path);
	}
	if (!e)
		return 0;
	object_close(*skel);
	*skel = NULL;
	return loader_fail(err, e, "the BPF object cannot be set up: %s", strerror(-e));
}

int object_load(struct xdpsec_bpf *skel, struct loader_err *err)
{
	int e;

	last_log[0] = 0;
	e = xdpsec_bpf__load(skel);
	if (!e)
		return 0;
	if (e == -EPERM)
		return loader_fail(
		    err, e,
		    "the BPF programs cannot be loaded: %s (CAP_BPF, CAP_NET_ADMIN and "
		    "CAP_PERFMON are needed): %s",
		    strerror(-e), last_log);
	return loader_fail(err, e, "the BPF programs cannot be loaded: %s: %s", strerror(-e),
			   last_log);
}

/* Field by field: an agent and a dataplane may be at work on the same row. */
static int ctl_fill(struct xdpsec_bpf *skel, const struct gateway_conf *conf,
		    struct loader_err *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	volatile struct xs_ctl *ctl;
	void *p =
	    mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(skel->maps.ctl), 0);

	if (p == MAP_FAILED)
		return loader_fail(err, -errno, "ctl cannot be mapped: %s", strerror(errno));
	ctl = p;
	if (!ctl->epoch)
		ctl->epoch = 1; /* no flow row that was never written has it */
	ctl->policies = conf->policies;
	ctl->ports = conf->ike.port | (uint64_t)conf->ike.port_nat_t << 16;
	ctl->ike_rate = conf->ike.source_rate;
	ctl->sa_slots = conf->sa_slots;
	munmap(p, page);
	return 0;
}

int object_fill(struct xdpsec_bpf *skel, const struct gateway_conf *conf, struct loader_err *err)
{
	struct xs_layout row = {.version = XS_LAYOUT_VERSION, .sizes = XS_LAYOUT_SIZES};
	uint32_t zero = 0;
	int e = ctl_fill(skel, conf, err);

	if (e)
		return e;
	e = bpf_map_update_elem(bpf_map__fd(skel->maps.layout), &zero, &row, BPF_ANY);
	return e ? loader_fail(err, e, "layout cannot be written: %s", strerror(-e)) : 0;
}

int object_program(struct xdpsec_bpf *skel, const char *name)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(skel->obj, name);

	return prog ? bpf_program__fd(prog) : -ENOENT;
}

void object_map_fds(struct xdpsec_bpf *skel, int fd[XS_MAPS])
{
	for (int i = 0; i < XS_MAPS; i++)
		fd[i] = bpf_map__fd(map_of(skel, i));
}

int object_check_pinned(const char *pin_dir, uint32_t sa_slots, uint32_t policies,
			struct loader_err *err)
{
	struct xs_layout want = {.version = XS_LAYOUT_VERSION, .sizes = XS_LAYOUT_SIZES}, got = {0};
	uint32_t zero = 0, len = sizeof(struct bpf_map_info);
	struct bpf_map_info info = {0};
	char path[LOADER_PATH_LEN];
	struct xs_ctl ctl = {0};
	int fd;

	snprintf(path, sizeof(path), "%s/layout", pin_dir);
	fd = bpf_obj_get(path);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return loader_fail(err, fd, "%s: %s", path, strerror(-fd));
	if (bpf_obj_get_info_by_fd(fd, &info, &len) || info.value_size != sizeof(got) ||
	    bpf_map_lookup_elem(fd, &zero, &got))
		got.version = UINT32_MAX;
	close(fd);
	/* Version 0: a run before this one was stopped half-way; its maps are empty. */
	if (got.version && memcmp(&got, &want, sizeof(got)))
		return loader_fail(
		    err, -EPROTO,
		    "%s holds maps of another layout (version %u, this program needs "
		    "%u): their SAs cannot be taken over; xdpsec-loader unload ends "
		    "them, then load",
		    pin_dir, got.version, want.version);
	snprintf(path, sizeof(path), "%s/ctl", pin_dir);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return fd == -ENOENT ? 0 : loader_fail(err, fd, "%s: %s", path, strerror(-fd));
	bpf_map_lookup_elem(fd, &zero, &ctl);
	close(fd);
	if (ctl.sa_slots && (ctl.sa_slots != sa_slots || ctl.policies != policies))
		return loader_fail(
		    err, -EPROTO,
		    "%s has maps for %llu sa_slots and %llu policies, the configuration "
		    "says %u and %u: run xdpsec-loader unload first",
		    pin_dir, (unsigned long long)ctl.sa_slots, (unsigned long long)ctl.policies,
		    sa_slots, policies);
	return 0;
}

void object_close(struct xdpsec_bpf *skel)
{
	xdpsec_bpf__destroy(skel);
}

static struct xdpsec_bpf *probe_open(const char *program)
{
	struct xdpsec_bpf *skel = xdpsec_bpf__open();
	struct bpf_program *prog;
	struct bpf_map *map;

	if (!skel)
		return NULL;
	bpf_object__for_each_map(map, skel->obj) bpf_map__set_autocreate(map, false);
	bpf_object__for_each_program(prog, skel->obj)
	    bpf_program__set_autoload(prog, !strcmp(bpf_program__name(prog), program));
	return skel;
}

int object_probe_freplace(void)
{
	struct xdpsec_bpf *target = probe_open("probe_target"), *ext = probe_open("probe_replace");
	struct bpf_link *link;
	int err = -ENOMEM;

	/* Not through the skeleton: that maps our constants, whose map is none of the probe's. */
	if (target && ext)
		err = bpf_object__load(target->obj);
	if (!err)
		err = bpf_program__set_attach_target(ext->progs.probe_replace,
						     bpf_program__fd(target->progs.probe_target),
						     "xs_probe_slot");
	if (!err)
		err = bpf_object__load(ext->obj);
	if (!err) {
		/* Loading is not all: the kernel has to patch the call, too. */
		link = bpf_program__attach(ext->progs.probe_replace);
		err = link ? 0 : -errno;
		bpf_link__destroy(link);
	}
	xdpsec_bpf__destroy(ext);
	xdpsec_bpf__destroy(target);
	last_log[0] = 0;
	return err;
}
