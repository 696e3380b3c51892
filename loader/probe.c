// SPDX-License-Identifier: BSD-2-Clause
#include "loader.h"
#include "probe.h"

#include "bpf/xdpsec.skel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * What this kernel can do. Each row tries the thing itself, in a process and a network namespace of
 * its own that are thrown away: versions and configuration files lie, and modules load on demand.
 */

enum { TCX_EGRESS_TYPE = 47 };

struct feature {
	const char *name;
	const char *lost; /* without it */
	bool required;
	int (*probe)(void);
};

static int ok_or(int ok, int err)
{
	return ok > 0 ? 0 : ok < 0 ? ok : err;
}

static int map_try(enum bpf_map_type type, uint32_t key, uint32_t value, uint32_t rows,
		   uint32_t flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, o, .map_flags = flags);
	int fd = bpf_map_create(type, "xs_probe", key, value, rows, &o);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static int probe_btf(void)
{
	return access("/sys/kernel/btf/vmlinux", R_OK) ? -errno : 0;
}

static int probe_ringbuf(void)
{
	return map_try(BPF_MAP_TYPE_RINGBUF, 0, 0, 64 * 1024, 0);
}

static int probe_mmapable(void)
{
	return map_try(BPF_MAP_TYPE_ARRAY, 4, 8, 16, BPF_F_MMAPABLE);
}

static int probe_percpu_lru(void)
{
	return map_try(BPF_MAP_TYPE_LRU_PERCPU_HASH, sizeof(struct xs_tuple),
		       sizeof(struct xs_flow), 1024, 0);
}

static int probe_xskmap(void)
{
	return map_try(BPF_MAP_TYPE_XSKMAP, 4, 4, 4, 0);
}

static int helper_try(int helper)
{
	return ok_or(libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, (enum bpf_func_id)helper, NULL),
		     -EOPNOTSUPP);
}

static int probe_load_bytes(void)
{
	return helper_try(BPF_FUNC_xdp_load_bytes);
}

static int probe_fib(void)
{
	return helper_try(BPF_FUNC_fib_lookup);
}

static int probe_meta(void)
{
	return helper_try(BPF_FUNC_xdp_adjust_meta);
}

static int probe_xsk(void)
{
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* Our own programs, as they would be loaded, on small maps. */
static struct xdpsec_bpf *programs(int *err)
{
	struct loader_err ignored;
	struct xdpsec_bpf *skel = NULL;

	*err = object_open(&skel, 64, 64, NULL, &ignored);
	if (!*err)
		*err = object_load(skel, &ignored);
	if (!*err)
		return skel;
	object_close(skel);
	return NULL;
}

static int probe_programs(void)
{
	int err;

	object_close(programs(&err));
	return err;
}

static int xdp_try(uint32_t flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, o, .flags = flags);
	int err = probe_make_veth("xsprobe-a", "xsprobe-b"), fd;
	struct xdpsec_bpf *skel;

	if (err)
		return err;
	skel = programs(&err);
	if (!skel)
		return err;
	fd = bpf_link_create(bpf_program__fd(skel->progs.xdp_lan), (int)if_nametoindex("xsprobe-a"),
			     BPF_XDP, &o);
	object_close(skel);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static int probe_xdp_native(void)
{
	return xdp_try(XDP_FLAGS_DRV_MODE);
}

static int probe_xdp_generic(void)
{
	return xdp_try(XDP_FLAGS_SKB_MODE);
}

static int probe_tcx(void)
{
	struct xdpsec_bpf *skel;
	int err, fd;

	skel = programs(&err);
	if (!skel)
		return err;
	fd = bpf_link_create(bpf_program__fd(skel->progs.tc_out), (int)if_nametoindex("lo"),
			     (enum bpf_attach_type)TCX_EGRESS_TYPE, NULL);
	object_close(skel);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static int probe_clsact(void)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)if_nametoindex("lo"),
		    .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, o, .handle = 1, .priority = 1);
	struct xdpsec_bpf *skel;
	int err;

	skel = programs(&err);
	if (!skel)
		return err;
	o.prog_fd = bpf_program__fd(skel->progs.tc_out);
	err = bpf_tc_hook_create(&hook);
	if (!err)
		err = bpf_tc_attach(&hook, &o);
	object_close(skel);
	return err;
}

static int probe_xfrm_kfunc(void)
{
	return kfunc_find("bpf_xdp_get_xfrm_state", NULL);
}

static int probe_vlan_kfunc(void)
{
	return kfunc_find("bpf_xdp_metadata_rx_vlan_tag", NULL);
}

/* All that the kernel engine's way out needs: the interface, and programs that send into it. */
static int probe_xfrm_device(void)
{
	struct loader_err ignored;
	struct xdpsec_bpf *skel = NULL;
	struct xfrm_dev dev;
	int err = xfrm_dev_up("probe", &dev);

	if (!err)
		err = kfunc_find("bpf_skb_set_xfrm_info", "xfrm_interface");
	if (!err)
		err = object_open(&skel, 64, 64, NULL, &ignored);
	if (err)
		return err;
	skel->rodata->xs_xfrm = dev.ifindex;
	err = object_load(skel, &ignored);
	object_close(skel);
	return err;
}

static int probe_cpumap(void)
{
	return map_try(BPF_MAP_TYPE_CPUMAP, 4, sizeof(struct bpf_cpumap_val), 1, 0);
}

static const struct feature features[] = {
    {"btf", "maps and programs have no types: nothing loads", true, probe_btf},
    {"mmapable-arrays", "agent and dataplane cannot publish by one store: nothing works", true,
     probe_mmapable},
    {"per-cpu-lru", "no flow cache: nothing loads", true, probe_percpu_lru},
    {"ringbuf", "no acquire and unknown-SPI events: nothing loads", true, probe_ringbuf},
    {"load-bytes", "IPv6 extension headers cannot be read: nothing loads (Linux 5.18)", true,
     probe_load_bytes},
    {"fib-lookup", "ESP for us and ESP routed through us look alike: nothing loads", true,
     probe_fib},
    {"programs", "this kernel's verifier refuses our programs", true, probe_programs},
    {"xdp-generic", "no XDP at all", true, probe_xdp_generic},
    {"xdp-native", "generic XDP only on virtual interfaces: several times slower", false,
     probe_xdp_native},
    {"xdp-metadata", "packets cannot say which SA they belong to: no dataplane engine", false,
     probe_meta},
    {"xskmap", "no redirect to AF_XDP: no dataplane engine", true, probe_xskmap},
    {"af-xdp", "no AF_XDP sockets: no dataplane engine", false, probe_xsk},
    {"tcx", "tc_out is attached by clsact, whose filters others can remove", false, probe_tcx},
    {"clsact", "tc_out needs tcx", false, probe_clsact},
    {"freplace", "no libxdp dispatcher: one XDP program an interface", false,
     object_probe_freplace},
    {"vlan-metadata", "a VLAN tag that the card strips is invisible: switch rx-vlan-offload off",
     false, probe_vlan_kfunc},
    {"kernel-esp", "the kernel engine is not available", false, probe_xfrm_esp},
    {"xfrm-interface", "no route-based tunnels with the kernel engine", false,
     probe_xfrm_interface},
    {"xfrm-device",
     "the kernel engine works by policies of the kernel, whose lookup grows with their number", false,
     probe_xfrm_device},
    {"xfrm-kfuncs", "no self-test: XDP cannot ask for the kernel's SAs", false, probe_xfrm_kfunc},
    {"cpumap", "ESP of the kernel engine stays on the CPU of its receive queue", true, probe_cpumap},
};

enum { N_FEATURES = sizeof(features) / sizeof(features[0]), NO_NETNS = 255 };

/* In a child: what a probe leaves behind, links, namespaces, filters, ends with it. The exit status
 * is errno. */
static int probe_run(const struct feature *f)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		if (unshare(CLONE_NEWNET))
			_exit(NO_NETNS);
		status = -f->probe();
		_exit(status > 254 ? EOPNOTSUPP : status);
	}
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	if (!WIFEXITED(status))
		return -ECHILD;
	return WEXITSTATUS(status) == NO_NETNS ? -EPERM : -WEXITSTATUS(status);
}

static const char *state_text(const struct feature *f, int err)
{
	return !err ? "yes" : f->required ? "MISSING" : "no";
}

static void print_json(const struct feature *f, int err, bool first)
{
	printf("%s{\"name\":\"%s\",\"available\":%s,\"required\":%s", first ? "" : ",", f->name,
	       err ? "false" : "true", f->required ? "true" : "false");
	if (err) {
		printf(",\"error\":");
		json_string(strerror(-err));
		printf(",\"lost\":");
		json_string(f->lost);
	}
	printf("}");
}

int cmd_probe(const struct loader_opts *o, struct loader_err *err)
{
	int missing = 0, results[N_FEATURES];
	struct utsname u;

	uname(&u);
	if (o->json)
		printf("{\"kernel\":\"%s\",\"features\":[", u.release);
	else
		printf("Linux %s\n%-16s %-8s %s\n", u.release, "FEATURE", "HERE", "WITHOUT IT");
	for (int i = 0; i < N_FEATURES; i++) {
		const struct feature *f = &features[i];

		results[i] = probe_run(f);
		missing += results[i] && f->required;
		if (o->json)
			print_json(f, results[i], !i);
		else if (results[i])
			printf("%-16s %-8s %s (%s)\n", f->name, state_text(f, results[i]), f->lost,
			       strerror(-results[i]));
		else
			printf("%-16s %-8s\n", f->name, state_text(f, 0));
	}
	if (o->json)
		printf("],\"usable\":%s}\n", missing ? "false" : "true");
	if (!missing)
		return 0;
	return loader_fail(err, -EOPNOTSUPP,
			   "%d feature%s that xdpsec cannot do without %s missing", missing,
			   missing > 1 ? "s" : "", missing > 1 ? "are" : "is");
}
