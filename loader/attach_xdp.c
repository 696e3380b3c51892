// SPDX-License-Identifier: BSD-2-Clause
#include "loader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <string.h>
#include <unistd.h>

/* A page less headroom and tail: what a program without fragments takes on veth with 4 kB pages. */
enum { XDP_MTU_MAX = 3506 };

static int link_info(int fd, struct bpf_link_info *info)
{
	uint32_t len = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return bpf_obj_get_info_by_fd(fd, info, &len);
}

static int link_open(const char *pin_dir, const char *ifname, char path[LOADER_PATH_LEN])
{
	bpffs_link_path(path, pin_dir, "xdp", ifname);
	return bpf_obj_get(path);
}

static bool is_native(uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);

	return !bpf_xdp_query((int)ifindex, 0, &q) &&
	       (q.attach_mode == XDP_ATTACHED_DRV || q.attach_mode == XDP_ATTACHED_HW);
}

static uint32_t foreign_prog(uint32_t ifindex, char name[BPF_OBJ_NAME_LEN])
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info), id;
	int fd;

	name[0] = 0;
	if (bpf_xdp_query((int)ifindex, 0, &q))
		return 0;
	id = q.prog_id ? q.prog_id : q.drv_prog_id ? q.drv_prog_id : q.skb_prog_id;
	fd = id ? bpf_prog_get_fd_by_id(id) : -1;
	if (fd >= 0) {
		if (!bpf_obj_get_info_by_fd(fd, &info, &len))
			memcpy(name, info.name, BPF_OBJ_NAME_LEN);
		close(fd);
	}
	return id;
}

static int explain(struct attach_ctx *c, const struct gw_port_conf *port, const struct netdev *dev,
		   int e)
{
	char name[BPF_OBJ_NAME_LEN];
	uint32_t id = foreign_prog(dev->ifindex, name);
	const char *how = port->attach == GW_ATTACH_NATIVE    ? "native "
			  : port->attach == GW_ATTACH_GENERIC ? "generic "
							      : "";

	if ((e == -EBUSY || e == -EEXIST) && id)
		return loader_fail(
		    c->err, e,
		    "%s:%d: %s: XDP program %u (%s) of somebody else is attached: remove "
		    "it (ip link set dev %s xdp off), or run on a kernel where the libxdp "
		    "dispatcher lets both share the interface",
		    c->conf->path, port->line, dev->ifname, id, name, dev->ifname);
	if (e == -ERANGE || (dev->mtu > XDP_MTU_MAX && e != -EPERM))
		return loader_fail(
		    c->err, e,
		    "%s:%d: %s: %sXDP cannot be attached: its MTU of %u, or that of its "
		    "peer, is larger than a packet of XDP may be (about %d): %s",
		    c->conf->path, port->line, dev->ifname, how, dev->mtu, XDP_MTU_MAX,
		    strerror(-e));
	return loader_fail(c->err, e, "%s:%d: %s: %sXDP cannot be attached: %s", c->conf->path,
			   port->line, dev->ifname, how, strerror(-e));
}

static int link_create(int prog_fd, uint32_t ifindex, uint32_t flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, o, .flags = flags);

	return bpf_link_create(prog_fd, (int)ifindex, BPF_XDP, &o);
}

static bool mode_wanted(enum gw_attach want, bool native)
{
	return want == GW_ATTACH_AUTO || (want == GW_ATTACH_NATIVE) == native;
}

/* Puts our new program in the place of our old one: one store in the kernel, no packet meets
 * neither. */
static int upgrade(struct attach_ctx *c, const struct netdev *dev, int link_fd, int prog_fd)
{
	struct bpf_link_info info;
	int e = link_info(link_fd, &info), old;

	if (e)
		return e;
	old = bpf_prog_get_fd_by_id(info.prog_id);
	e = bpf_link_update(link_fd, prog_fd, NULL);
	if (e) {
		if (old >= 0)
			close(old);
		return loader_fail(c->err, e, "%s: the XDP program cannot be replaced: %s",
				   dev->ifname, strerror(-e));
	}
	journal_add(c->journal, UNDO_XDP_UPDATE, dev->ifname, dev->ifindex, old);
	return 0;
}

static int link_pin(int fd, const char *pin_dir, const char *ifname)
{
	char path[LOADER_PATH_LEN];
	int e;

	bpffs_link_path(path, pin_dir, "xdp", ifname);
	unlink(path);
	e = bpf_obj_pin(fd, path);
	close(fd);
	return e;
}

static int attach_new(struct attach_ctx *c, const struct gw_port_conf *port,
		      const struct netdev *dev, int prog_fd)
{
	int fd = -EOPNOTSUPP, e;

	c->native_error = 0;
	if (port->attach != GW_ATTACH_GENERIC)
		fd = link_create(prog_fd, dev->ifindex, XDP_FLAGS_DRV_MODE);
	/* What a driver cannot do the stack can, more slowly; what is taken is taken in both modes.
	 */
	if (fd < 0 && port->attach != GW_ATTACH_NATIVE && fd != -EBUSY && fd != -EPERM) {
		c->native_error = port->attach == GW_ATTACH_AUTO ? fd : 0;
		fd = link_create(prog_fd, dev->ifindex, XDP_FLAGS_SKB_MODE);
	}
	if (fd < 0)
		return explain(c, port, dev, fd);
	e = link_pin(fd, c->pin_dir, dev->ifname);
	return e ? loader_fail(c->err, e, "%s: the XDP link cannot be pinned: %s", dev->ifname,
			       strerror(-e))
		 : 0;
}

/* The kernel has one mode an interface: changing it is a short gap, and has to be undone in the
 * same way. */
static int change_mode(struct attach_ctx *c, const struct gw_port_conf *port,
		       const struct netdev *dev, int link_fd, int prog_fd)
{
	struct bpf_link_info info;
	int e = link_info(link_fd, &info), old;

	if (e)
		return e;
	old = bpf_prog_get_fd_by_id(info.prog_id);
	xdp_detach(c->pin_dir, dev->ifname, 0);
	journal_add(c->journal, UNDO_XDP_MODE, dev->ifname, dev->ifindex, old);
	return attach_new(c, port, dev, prog_fd);
}

int xdp_attach(struct attach_ctx *c, const struct gw_port_conf *port, const struct netdev *dev,
	       int prog_fd)
{
	char path[LOADER_PATH_LEN];
	struct bpf_link_info info;
	int fd = link_open(c->pin_dir, dev->ifname, path), e = -ENOENT;

	if (fd >= 0) {
		/* The index is 0 when the interface has gone, and another when a new one has its
		 * name. */
		bool here = !link_info(fd, &info) && info.xdp.ifindex == dev->ifindex;

		if (here && mode_wanted(port->attach, is_native(dev->ifindex)))
			e = upgrade(c, dev, fd, prog_fd);
		else if (here)
			e = change_mode(c, port, dev, fd, prog_fd);
		close(fd);
		if (here)
			return e;
		xdp_detach(c->pin_dir, dev->ifname, 0);
	}
	if (c->dispatcher)
		return dispatcher_attach(c, port, dev);
	e = attach_new(c, port, dev, prog_fd);
	if (!e)
		journal_add(c->journal, UNDO_XDP_NEW, dev->ifname, dev->ifindex, -1);
	return e;
}

void xdp_detach(const char *pin_dir, const char *ifname, uint32_t ifindex)
{
	char path[LOADER_PATH_LEN];
	int fd = link_open(pin_dir, ifname, path);

	if (fd < 0) {
		if (ifindex)
			dispatcher_detach(pin_dir, ifindex);
		return;
	}
	/* Others may hold the link: detaching does not wait for them. */
	bpf_link_detach(fd);
	close(fd);
	unlink(path);
}

void xdp_revert(const char *pin_dir, const char *ifname, int old_prog_fd)
{
	char path[LOADER_PATH_LEN];
	int fd = link_open(pin_dir, ifname, path);

	if (fd < 0)
		return;
	bpf_link_update(fd, old_prog_fd, NULL);
	close(fd);
}

void xdp_revert_mode(const char *pin_dir, const char *ifname, uint32_t ifindex, int old_prog_fd)
{
	bool now_native = is_native(ifindex);
	int fd;

	xdp_detach(pin_dir, ifname, 0);
	fd =
	    link_create(old_prog_fd, ifindex, now_native ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
	/* Where the new mode was refused nothing is attached now, and the old one was the other. */
	if (fd < 0)
		fd = link_create(old_prog_fd, ifindex, XDP_FLAGS_SKB_MODE);
	if (fd >= 0)
		link_pin(fd, pin_dir, ifname);
}

void xdp_query(const char *pin_dir, const char *ifname, uint32_t ifindex, struct attached *out)
{
	char path[LOADER_PATH_LEN];
	struct bpf_link_info info;
	int fd = link_open(pin_dir, ifname, path);

	out->xdp = XDP_KIND_NONE;
	if (fd < 0) {
		out->xdp_prog = dispatcher_query(pin_dir, ifindex, &out->native);
		if (out->xdp_prog)
			out->xdp = XDP_KIND_DISPATCHER;
		return;
	}
	if (!link_info(fd, &info) && info.xdp.ifindex == ifindex) {
		out->xdp = XDP_KIND_LINK;
		out->xdp_link = info.id;
		out->xdp_prog = info.prog_id;
		out->native = is_native(ifindex);
	}
	close(fd);
}
