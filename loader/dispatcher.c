// SPDX-License-Identifier: BSD-2-Clause
#include "loader.h"

#include "bpf/xdpsec.skel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xdp/libxdp.h>

/*
 * libxdp's dispatcher is one XDP program that calls those of several owners in turn. It replaces
 * functions of itself by them, which needs freplace in the kernel. libxdp would fall back to a
 * single program without a word: whether it may be asked is settled before, by
 * object_probe_freplace().
 */

enum { RUN_PRIORITY = 40 }; /* before monitors and filters of the default priority 50 */

static int quiet(enum libxdp_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

/* libxdp keeps its own pins beside ours, on the same BPF file system. */
static void use_bpffs_of(const char *pin_dir)
{
	char parent[LOADER_PATH_LEN], *slash;

	snprintf(parent, sizeof(parent), "%s", pin_dir);
	slash = strrchr(parent, '/');
	if (slash && slash != parent)
		*slash = 0;
	setenv("LIBXDP_BPFFS", parent, 0);
	libxdp_set_print(quiet);
}

static bool is_ours(const char *name)
{
	return !strcmp(name, "xdp_wan") || !strcmp(name, "xdp_lan");
}

/* Our programs on the interface, but for the one whose id is `keep`, go. */
static void detach_ours(uint32_t ifindex, uint32_t keep)
{
	struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex((int)ifindex);
	struct xdp_program *prog = NULL;

	if (libxdp_get_error(mp))
		return;
	if (!xdp_multiprog__is_legacy(mp)) {
		enum xdp_attach_mode mode = xdp_multiprog__attach_mode(mp);

		while ((prog = xdp_multiprog__next_prog(prog, mp)))
			if (is_ours(xdp_program__name(prog)) && xdp_program__id(prog) != keep)
				xdp_program__detach(prog, (int)ifindex, mode, 0);
	}
	xdp_multiprog__close(mp);
}

/* An object of its own a port: libxdp loads it, as a replacement for a function of the dispatcher.
 */
static int object_for(struct attach_ctx *c, const char *name, struct xdpsec_bpf **skel)
{
	struct bpf_program *prog;
	int e = object_open(skel, c->conf->sa_slots, c->conf->policies, c->pin_dir, c->err);

	if (e)
		return e;
	bpf_object__for_each_program(prog, (*skel)->obj)
	    bpf_program__set_autoload(prog, !strcmp(bpf_program__name(prog), name));
	return 0;
}

static int attach_program(const struct gw_port_conf *port, const struct netdev *dev,
			  struct xdp_program *prog)
{
	int e = -EOPNOTSUPP;

	xdp_program__set_run_prio(prog, RUN_PRIORITY);
	xdp_program__set_chain_call_enabled(prog, XDP_PASS, true);
	if (port->attach != GW_ATTACH_GENERIC)
		e = xdp_program__attach(prog, (int)dev->ifindex, XDP_MODE_NATIVE, 0);
	if (e == -EOPNOTSUPP && port->attach != GW_ATTACH_NATIVE)
		e = xdp_program__attach(prog, (int)dev->ifindex, XDP_MODE_SKB, 0);
	return e;
}

int dispatcher_attach(struct attach_ctx *c, const struct gw_port_conf *port,
		      const struct netdev *dev)
{
	const char *name = port->role == GW_ROLE_WAN ? "xdp_wan" : "xdp_lan";
	DECLARE_LIBXDP_OPTS(xdp_program_opts, o);
	uint32_t before = dispatcher_query(c->pin_dir, dev->ifindex, NULL);
	struct xdpsec_bpf *skel;
	struct xdp_program *prog;
	int e;

	use_bpffs_of(c->pin_dir);
	e = object_for(c, name, &skel);
	if (e)
		return e;
	o.obj = skel->obj;
	o.prog_name = name;
	prog = xdp_program__create(&o);
	e = (int)libxdp_get_error(prog);
	if (!e) {
		e = attach_program(port, dev, prog);
		/* The new one runs before the old one goes: nothing passes unseen in between. */
		if (!e)
			detach_ours(dev->ifindex, xdp_program__id(prog));
		xdp_program__close(prog);
	}
	object_close(skel);
	if (e)
		return loader_fail(
		    c->err, e,
		    "%s:%d: %s: %s cannot be added to the libxdp dispatcher: %s (load "
		    "--single attaches without it)",
		    c->conf->path, port->line, dev->ifname, name, strerror(-e));
	if (!before)
		journal_add(c->journal, UNDO_XDP_NEW, dev->ifname, dev->ifindex, -1);
	return 0;
}

uint32_t dispatcher_query(const char *pin_dir, uint32_t ifindex, bool *native)
{
	struct xdp_multiprog *mp;
	struct xdp_program *prog = NULL;
	uint32_t id = 0;

	use_bpffs_of(pin_dir);
	mp = xdp_multiprog__get_from_ifindex((int)ifindex);
	if (libxdp_get_error(mp))
		return 0;
	if (!xdp_multiprog__is_legacy(mp)) {
		while ((prog = xdp_multiprog__next_prog(prog, mp)))
			if (is_ours(xdp_program__name(prog)))
				id = xdp_program__id(prog);
		if (native)
			*native = xdp_multiprog__attach_mode(mp) != XDP_MODE_SKB;
	}
	xdp_multiprog__close(mp);
	return id;
}

void dispatcher_detach(const char *pin_dir, uint32_t ifindex)
{
	use_bpffs_of(pin_dir);
	detach_ours(ifindex, 0);
}
