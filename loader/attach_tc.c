// SPDX-License-Identifier: BSD-2-Clause
#include "loader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * tcx (Linux 6.6) is a link, pinned as links/tc-IF. Before, a filter of a clsact qdisc; so that
 * others know of it the program is pinned as links/clsact-IF, or as links/clsact+qdisc-IF when the
 * qdisc is ours, too.
 */
enum {
	TCX_EGRESS = 47, /* enum bpf_attach_type; libbpf 1.1 and its headers do not know it yet */
	CLSACT_HANDLE = 0x5844,
	CLSACT_PRIORITY = 1, /* before filters that may end the chain: ours guards against leaks */
};

static const char *const clsact_kinds[] = {"clsact", "clsact+qdisc"};

static int tcx_open(const char *pin_dir, const char *ifname, uint32_t ifindex, uint32_t *prog_id,
		    char path[LOADER_PATH_LEN])
{
	struct bpf_link_info info = {0};
	uint32_t len = sizeof(info);
	int fd;

	bpffs_link_path(path, pin_dir, "tc", ifname);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return fd;
	/* tcx.ifindex lies where xdp.ifindex does. */
	if (bpf_obj_get_info_by_fd(fd, &info, &len) || (ifindex && info.xdp.ifindex != ifindex)) {
		close(fd);
		return -ESTALE;
	}
	*prog_id = info.prog_id;
	return fd;
}

static int tcx_new(struct attach_ctx *c, const struct netdev *dev, int prog_fd)
{
	char path[LOADER_PATH_LEN];
	int fd =
	    bpf_link_create(prog_fd, (int)dev->ifindex, (enum bpf_attach_type)TCX_EGRESS, NULL);
	int e;

	if (fd < 0)
		return fd;
	bpffs_link_path(path, c->pin_dir, "tc", dev->ifname);
	unlink(path);
	e = bpf_obj_pin(fd, path);
	close(fd);
	if (!e)
		journal_add(c->journal, UNDO_TC_NEW, dev->ifname, dev->ifindex, -1);
	return e;
}

static int tcx_attach(struct attach_ctx *c, const struct netdev *dev, int prog_fd)
{
	char path[LOADER_PATH_LEN];
	uint32_t prog_id = 0;
	int fd = tcx_open(c->pin_dir, dev->ifname, dev->ifindex, &prog_id, path), old, e;

	if (fd < 0)
		return tcx_new(c, dev, prog_fd);
	old = bpf_prog_get_fd_by_id(prog_id);
	e = bpf_link_update(fd, prog_fd, NULL);
	close(fd);
	if (!e)
		journal_add(c->journal, UNDO_TC_UPDATE, dev->ifname, dev->ifindex, old);
	else if (old >= 0)
		close(old);
	return e;
}

static int clsact_open(const char *pin_dir, const char *ifname, int *own_qdisc)
{
	for (*own_qdisc = 0; *own_qdisc < 2; (*own_qdisc)++) {
		char path[LOADER_PATH_LEN];
		int fd;

		bpffs_link_path(path, pin_dir, clsact_kinds[*own_qdisc], ifname);
		fd = bpf_obj_get(path);
		if (fd >= 0)
			return fd;
	}
	return -ENOENT;
}

static int clsact_filter(uint32_t ifindex, int prog_fd)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, o, .handle = CLSACT_HANDLE, .priority = CLSACT_PRIORITY,
		    .prog_fd = prog_fd, .flags = BPF_TC_F_REPLACE);

	return bpf_tc_attach(&hook, &o);
}

static int clsact_attach(struct attach_ctx *c, const struct netdev *dev, int prog_fd)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)dev->ifindex, .attach_point = BPF_TC_EGRESS);
	char path[LOADER_PATH_LEN];
	int own, old = clsact_open(c->pin_dir, dev->ifname, &own), e;

	if (old < 0)
		own = 0;
	e = bpf_tc_hook_create(&hook);
	if (!e)
		own = 1;
	else if (e != -EEXIST)
		goto close;
	e = clsact_filter(dev->ifindex, prog_fd);
	if (e)
		goto close;
	for (int i = 0; i < 2; i++) {
		bpffs_link_path(path, c->pin_dir, clsact_kinds[i], dev->ifname);
		unlink(path);
	}
	bpffs_link_path(path, c->pin_dir, clsact_kinds[own], dev->ifname);
	e = bpf_obj_pin(prog_fd, path);
	if (e)
		goto close;
	journal_add(c->journal, old < 0 ? UNDO_TC_NEW : UNDO_TC_UPDATE, dev->ifname, dev->ifindex,
		    old);
	return 0;
close:
	if (old >= 0)
		close(old);
	return e;
}

static void clsact_detach(const char *pin_dir, const char *ifname, uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, o, .handle = CLSACT_HANDLE, .priority = CLSACT_PRIORITY);
	int own, fd = clsact_open(pin_dir, ifname, &own);
	char path[LOADER_PATH_LEN];

	if (fd < 0)
		return;
	close(fd);
	if (ifindex) {
		bpf_tc_detach(&hook, &o);
		/* Both directions name the qdisc itself; it stays when it was there before us. */
		hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
		if (own)
			bpf_tc_hook_destroy(&hook);
	}
	bpffs_link_path(path, pin_dir, clsact_kinds[own], ifname);
	unlink(path);
}

static void tcx_detach(const char *pin_dir, const char *ifname)
{
	char path[LOADER_PATH_LEN];
	uint32_t prog_id;
	int fd = tcx_open(pin_dir, ifname, 0, &prog_id, path);

	if (fd >= 0) {
		bpf_link_detach(fd);
		close(fd);
	}
	unlink(path);
}

int tc_attach(struct attach_ctx *c, const struct gw_port_conf *port, const struct netdev *dev,
	      int prog_fd)
{
	int e = -EOPNOTSUPP;

	if (port->tc != GW_TC_CLSACT) {
		e = tcx_attach(c, dev, prog_fd);
		if (!e)
			clsact_detach(c->pin_dir, dev->ifname, dev->ifindex);
	}
	if (e && port->tc != GW_TC_TCX) {
		e = clsact_attach(c, dev, prog_fd);
		if (!e)
			tcx_detach(c->pin_dir, dev->ifname);
	}
	if (!e)
		return 0;
	return loader_fail(c->err, e, "%s:%d: %s: tc_out cannot be attached%s: %s", c->conf->path,
			   port->line, dev->ifname,
			   port->tc == GW_TC_TCX
			       ? " by tcx (Linux 6.6 and later; tc = auto falls back "
				 "to clsact)"
			       : "",
			   strerror(-e));
}

void tc_detach(const char *pin_dir, const char *ifname, uint32_t ifindex)
{
	tcx_detach(pin_dir, ifname);
	clsact_detach(pin_dir, ifname, ifindex);
}

void tc_revert(const char *pin_dir, const char *ifname, uint32_t ifindex, int old_prog_fd)
{
	char path[LOADER_PATH_LEN];
	uint32_t prog_id;
	int fd = tcx_open(pin_dir, ifname, ifindex, &prog_id, path), own;

	if (fd >= 0) {
		bpf_link_update(fd, old_prog_fd, NULL);
		close(fd);
		return;
	}
	fd = clsact_open(pin_dir, ifname, &own);
	if (fd < 0)
		return;
	close(fd);
	if (clsact_filter(ifindex, old_prog_fd))
		return;
	bpffs_link_path(path, pin_dir, clsact_kinds[own], ifname);
	unlink(path);
	bpf_obj_pin(old_prog_fd, path);
}

void tc_query(const char *pin_dir, const char *ifname, uint32_t ifindex, struct attached *out)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
	char path[LOADER_PATH_LEN];
	int own, fd = tcx_open(pin_dir, ifname, ifindex, &out->tc_prog, path);

	out->tc = TC_KIND_NONE;
	if (fd >= 0) {
		out->tc = TC_KIND_TCX;
		close(fd);
		return;
	}
	out->tc_prog = 0;
	fd = clsact_open(pin_dir, ifname, &own);
	if (fd < 0)
		return;
	if (!bpf_obj_get_info_by_fd(fd, &info, &len)) {
		out->tc = TC_KIND_CLSACT;
		out->tc_prog = info.id;
	}
	close(fd);
}
