// SPDX-License-Identifier: BSD-2-Clause
#include "loader.h"

#include "bpf/xdpsec.skel.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* One run of `load`: what it works on and what it has done so far. */
struct load {
	const struct gateway_conf *conf;
	const struct loader_opts *o;
	struct loader_err *err;
	struct netdev dev[GW_PORTS_MAX];
	struct gw_port_conf ramp; /* the far end as a port */
	struct netdev ramp_dev;	  /* ifindex 0: there is none */
	uint32_t ramp_near;
	struct xfrm_dev xfrm;
	struct xdpsec_bpf *skel;
	struct xs_maps maps;
	bool maps_open;
	bool dir_made; /* nothing was loaded before this run */
	struct journal journal;
	struct attach_ctx attach;
};

static int resolve(struct load *l)
{
	const struct gateway_conf *conf = l->conf;

	if (!conf->n_ports)
		return loader_fail(l->err, -EINVAL,
				   "%s: no interfaces: add interfaces { NAME { role = wan } ... }",
				   conf->path);
	for (uint32_t i = 0; i < conf->n_ports; i++) {
		const struct gw_port_conf *p = &conf->port[i];
		int e = netdev_get(p->ifname, &l->dev[i]);

		if (e == -ENODEV)
			return loader_fail(l->err, e, "%s:%d: interface %s does not exist",
					   conf->path, p->line, p->ifname);
		if (e)
			return loader_fail(l->err, e, "%s:%d: interface %s: %s", conf->path,
					   p->line, p->ifname, strerror(-e));
		if (!l->dev[i].ethernet)
			return loader_fail(
			    l->err, -EOPNOTSUPP,
			    "%s:%d: interface %s is not Ethernet, and packets without "
			    "Ethernet header cannot be classified",
			    conf->path, p->line, p->ifname);
		if (l->dev[i].queues > XS_QUEUES_MAX)
			fprintf(
			    stderr,
			    "xdpsec-loader: %s has %u receive queues and the dataplane serves %d: "
			    "ESP on the others is dropped; ethtool -L %s combined %d\n",
			    p->ifname, l->dev[i].queues, XS_QUEUES_MAX, p->ifname, XS_QUEUES_MAX);
	}
	return 0;
}

struct index_use {
	uint32_t used; /* bit by port index */
};

static int index_mark(void *ctx, uint32_t ifindex, const struct xs_port *port)
{
	struct index_use *u = ctx;

	(void)ifindex;
	if (port->index < XS_PORTS_MAX)
		u->used |= 1u << port->index;
	return 0;
}

/* A port keeps its index as long as it is configured: sockets sit under it. */
static int port_row(struct load *l, const struct netdev *dev, uint32_t role)
{
	struct xs_port row = {0}, old;
	struct index_use use = {0};
	bool known = !xs_port_get(&l->maps, dev->ifindex, &old);
	int e;

	if (known) {
		row.index = old.index;
		row.native = old.native;
		row.n_spread = old.n_spread;
		memcpy(row.spread, old.spread, sizeof(row.spread));
	} else {
		e = xs_port_each(&l->maps, index_mark, &use);
		if (e)
			return e;
		while (row.index < XS_PORTS_MAX && use.used & 1u << row.index)
			row.index++;
	}
	row.role = role;
	row.queues = dev->queues < XS_QUEUES_MAX ? dev->queues : XS_QUEUES_MAX;
	row.mtu = dev->mtu;
	memcpy(row.mac, dev->mac, sizeof(row.mac));
	memcpy(row.ifname, dev->ifname, sizeof(row.ifname));
	/* Packets are looking at it: what does not change is not written. */
	if (known && !memcmp(&row, &old, sizeof(row)))
		return 0;
	e = xs_port_put(&l->maps, dev->ifindex, &row);
	if (!e && !known)
		journal_add(&l->journal, UNDO_PORT, dev->ifname, dev->ifindex, -1);
	return e;
}

static const char *mode_text(const struct attached *a)
{
	return a->native ? "native" : "generic";
}

static const char *role_text(uint32_t role)
{
	return role == XS_ROLE_WAN ? "wan" : role == XS_ROLE_LAN ? "lan" : "ramp";
}

/* The CPUs stand ready before the row that sends packets to them. */
static int port_spread(struct load *l, const struct gw_port_conf *p, const struct netdev *dev,
		       bool native)
{
	uint16_t cpu[XS_SPREAD_MAX], refused = 0;
	uint32_t n = spread_choose(l->conf, p, dev, native, cpu);
	struct xs_port row, old;
	int e = spread_put(bpf_map__fd(l->skel->maps.spread),
			   bpf_program__fd(l->skel->progs.xdp_spread), cpu, n, &refused);

	if (e && p->spread == GW_SPREAD_CPUS)
		return loader_fail(l->err, e, "%s:%d: %s: ESP cannot be spread to CPU %u: %s",
				   l->conf->path, p->line, p->ifname, refused,
				   e == -ENXIO ? "this machine has none" : strerror(-e));
	if (e) {
		fprintf(stderr, "xdpsec-loader: %s: ESP is not spread over CPUs: CPU %u: %s\n",
			p->ifname, refused, strerror(-e));
		n = 0;
	}
	e = xs_port_get(&l->maps, dev->ifindex, &old);
	if (e)
		return e;
	row = old;
	row.native = native;
	row.n_spread = (uint8_t)n;
	memcpy(row.spread, cpu, sizeof(row.spread));
	return memcmp(&row, &old, sizeof(row)) ? xs_port_put(&l->maps, dev->ifindex, &row) : 0;
}

static void port_say(const struct load *l, const struct netdev *dev, uint32_t role,
		     const struct attached *now)
{
	bool wan = role == XS_ROLE_WAN;
	struct xs_port row = {0};
	char spread[48] = "";

	xs_port_get((struct xs_maps *)&l->maps, dev->ifindex, &row);
	if (row.n_spread)
		snprintf(spread, sizeof(spread), ", ESP over %u CPU%s", row.n_spread,
			 row.n_spread > 1 ? "s" : "");
	printf("%s: %s, XDP %s, %s%s%s%s\n", dev->ifname, role_text(role), mode_text(now),
	       now->xdp == XDP_KIND_DISPATCHER ? "libxdp dispatcher" : "single program",
	       wan ? ", tc_out by " : "",
	       !wan			? ""
	       : now->tc == TC_KIND_TCX ? "tcx"
					: "clsact",
	       spread);
}

static int attach_port(struct load *l, const struct gw_port_conf *p, const struct netdev *dev,
		       uint32_t role)
{
	bool wan = role == XS_ROLE_WAN;
	struct bpf_program *prog = wan ? l->skel->progs.xdp_wan : l->skel->progs.xdp_lan;
	struct attached now = {0};
	int e = port_row(l, dev, role);

	if (e)
		return loader_fail(l->err, e, "%s: the port cannot be written: %s", p->ifname,
				   strerror(-e));
	l->attach.native_error = 0;
	/* The guard against leaks stands before anything can leak. */
	if (wan)
		e = tc_attach(&l->attach, p, dev, bpf_program__fd(l->skel->progs.tc_out));
	else
		tc_detach(l->o->pin_dir, dev->ifname, dev->ifindex);
	if (!e)
		e = xdp_attach(&l->attach, p, dev, bpf_program__fd(prog));
	if (e)
		return e;
	xdp_query(l->o->pin_dir, dev->ifname, dev->ifindex, &now);
	tc_query(l->o->pin_dir, dev->ifname, dev->ifindex, &now);
	e = port_spread(l, p, dev, now.native);
	if (e)
		return e;
	port_say(l, dev, role, &now);
	if (!now.native && l->attach.native_error)
		fprintf(stderr,
			"xdpsec-loader: %s: native XDP was refused (%s%s), and generic is slower\n",
			dev->ifname, strerror(-l->attach.native_error),
			l->attach.native_error == -ERANGE
			    ? ": its MTU or its peer's is above about 3506"
			    : "");
	else if (!now.native && p->attach == GW_ATTACH_AUTO)
		fprintf(stderr,
			"xdpsec-loader: %s stays in generic mode, so that there is no gap; unload "
			"and load "
			"tries native again\n",
			dev->ifname);
	return 0;
}

static bool configured(const struct load *l, const char *ifname, uint32_t ifindex)
{
	if (l->ramp_dev.ifindex && !strcmp(l->ramp_dev.ifname, ifname))
		return !ifindex || l->ramp_dev.ifindex == ifindex;
	for (uint32_t i = 0; i < l->conf->n_ports; i++)
		if (!strcmp(l->dev[i].ifname, ifname) && (!ifindex || l->dev[i].ifindex == ifindex))
			return true;
	return false;
}

struct gone {
	struct load *l;
	uint32_t ifindex[XS_PORTS_MAX];
	char ifname[XS_PORTS_MAX][16];
	uint32_t n;
};

static int gone_port(void *ctx, uint32_t ifindex, const struct xs_port *port)
{
	struct gone *g = ctx;

	if (configured(g->l, port->ifname, ifindex) || g->n == XS_PORTS_MAX)
		return 0;
	memcpy(g->ifname[g->n], port->ifname, sizeof(g->ifname[0]));
	g->ifname[g->n][15] = 0;
	g->ifindex[g->n++] = ifindex;
	return 0;
}

/* Interfaces that were configured once and are no more, or were made anew under the same name. */
static void detach_gone(struct load *l)
{
	struct gone g = {.l = l};

	xs_port_each(&l->maps, gone_port, &g);
	for (uint32_t i = 0; i < g.n; i++) {
		char now[IF_NAMESIZE] = "";

		/* Pins are found by name: those of a namesake that is configured stay. */
		if (!configured(l, g.ifname[i], 0)) {
			if_indextoname(g.ifindex[i], now);
			xdp_detach(l->o->pin_dir, g.ifname[i], now[0] ? g.ifindex[i] : 0);
			tc_detach(l->o->pin_dir, g.ifname[i], now[0] ? g.ifindex[i] : 0);
			printf("%s: detached\n", g.ifname[i]);
		}
		xs_port_del(&l->maps, g.ifindex[i]);
	}
}

static void undo_step(struct load *l, const struct undo *u)
{
	const char *dir = l->o->pin_dir;

	switch (u->kind) {
	case UNDO_XDP_NEW:
		xdp_detach(dir, u->ifname, u->ifindex);
		break;
	case UNDO_XDP_UPDATE:
		if (u->old_prog_fd >= 0)
			xdp_revert(dir, u->ifname, u->old_prog_fd);
		break;
	case UNDO_XDP_MODE:
		if (u->old_prog_fd >= 0)
			xdp_revert_mode(dir, u->ifname, u->ifindex, u->old_prog_fd);
		break;
	case UNDO_TC_NEW:
		tc_detach(dir, u->ifname, u->ifindex);
		break;
	case UNDO_TC_UPDATE:
		if (u->old_prog_fd >= 0)
			tc_revert(dir, u->ifname, u->ifindex, u->old_prog_fd);
		break;
	case UNDO_PORT:
		xs_port_del(&l->maps, u->ifindex);
		break;
	case UNDO_RAMP:
		ramp_remove(dir);
		break;
	case UNDO_XFRM_DEV:
		xfrm_dev_remove(dir);
		break;
	}
}

static void undo(struct load *l)
{
	struct loader_err ignored;

	while (l->journal.n) {
		struct undo *u = &l->journal.step[--l->journal.n];

		undo_step(l, u);
		if (u->old_prog_fd >= 0)
			close(u->old_prog_fd);
	}
	if (l->dir_made)
		bpffs_remove(l->o->pin_dir, &ignored);
}

/* Without one everything else works: this host's own packets that a policy protects are dropped. */
static void ramp_find(struct load *l)
{
	bool made = false;
	uint32_t mtu = 0;
	int e;

	for (uint32_t i = 0; i < l->conf->n_ports; i++)
		if (l->conf->port[i].role == GW_ROLE_WAN && l->dev[i].mtu > mtu)
			mtu = l->dev[i].mtu;
	if (!mtu)
		return;
	e = ramp_up(l->o->pin_dir, mtu, &l->ramp_near, &made);
	if (made)
		journal_add(&l->journal, UNDO_RAMP, GW_RAMP_NEAR, l->ramp_near, -1);
	if (!e)
		e = netdev_get(GW_RAMP_FAR, &l->ramp_dev);
	if (!e) {
		snprintf(l->ramp.ifname, sizeof(l->ramp.ifname), GW_RAMP_FAR);
		l->ramp.role = GW_ROLE_LAN;
		return;
	}
	l->ramp_near = 0;
	memset(&l->ramp_dev, 0, sizeof(l->ramp_dev));
	fprintf(stderr,
		"xdpsec-loader: no on-ramp " GW_RAMP_NEAR
		" (%s): what this host itself sends and a "
		"policy protects is dropped\n",
		e == -EEXIST ? "there is one that is not ours" : strerror(-e));
}

/* Without one the kernel engine works by ordinary policies, of which every packet looks at many. */
static void xfrm_find(struct load *l)
{
	int e;

	if (!l->conf->xfrm_interface) {
		xfrm_dev_remove(l->o->pin_dir);
		return;
	}
	e = xfrm_dev_up(l->o->pin_dir, &l->xfrm);
	if (l->xfrm.made)
		journal_add(&l->journal, UNDO_XFRM_DEV, l->xfrm.ifname, l->xfrm.ifindex, -1);
	if (!e)
		e = kfunc_find("bpf_skb_set_xfrm_info", "xfrm_interface");
	if (!e && !l->xfrm.ours)
		printf("%s: somebody else's XFRM interface, shared by the kernel engine\n",
		       l->xfrm.ifname);
	if (!e)
		return;
	/* What nothing is sent into is not left standing. */
	xfrm_dev_remove(l->o->pin_dir);
	memset(&l->xfrm, 0, sizeof(l->xfrm));
	fprintf(stderr,
		"xdpsec-loader: no XFRM interface " GW_XFRM_DEV " (%s): the kernel engine works by "
		"policies of the kernel, whose lookup grows with their number\n",
		e == -EEXIST   ? "there is something else of that name"
		: e == -ENOENT ? "bpf_skb_set_xfrm_info is not offered by this kernel"
		: e == -EPERM  ? "CAP_SYS_ADMIN is needed to find the functions of a module"
			       : strerror(-e));
}

static int load_object(struct load *l)
{
	const struct gateway_conf *conf = l->conf;
	int e = object_check_pinned(l->o->pin_dir, conf->sa_slots, conf->policies, l->err);

	if (e)
		return e;
	e = object_open(&l->skel, conf->sa_slots, conf->policies, l->o->pin_dir, l->err);
	if (!e) {
		ramp_find(l);
		l->skel->rodata->xs_ramp = l->ramp_near;
		xfrm_find(l);
		l->skel->rodata->xs_xfrm = l->xfrm.ifindex;
	}
	if (!e)
		e = object_load(l->skel, l->err);
	if (!e)
		e = object_fill(l->skel, conf, l->err);
	if (!e)
		e = xs_maps_open(&l->maps, l->o->pin_dir, l->err->text, sizeof(l->err->text));
	if (e)
		return e;
	l->maps_open = true;
	l->maps.ctl->xfrm_transport_dev = l->xfrm.transport;
	l->maps.ctl->xfrm_dev = l->xfrm.ifindex;
	e = xs_local_sync(&l->maps);
	return e < 0 ? loader_fail(l->err, e, "addresses of this host: %s", strerror(-e)) : 0;
}

static int run(struct load *l)
{
	int e = load_object(l);

	if (e)
		return e;
	l->attach = (struct attach_ctx){
	    .pin_dir = l->o->pin_dir,
	    .conf = l->conf,
	    .journal = &l->journal,
	    .dispatcher = !l->o->single && !object_probe_freplace(),
	    .err = l->err,
	};
	/* The way up before what sends into it. */
	if (l->ramp_dev.ifindex)
		e = attach_port(l, &l->ramp, &l->ramp_dev, XS_ROLE_RAMP);
	for (uint32_t i = 0; !e && i < l->conf->n_ports; i++)
		e = attach_port(l, &l->conf->port[i], &l->dev[i],
				l->conf->port[i].role == GW_ROLE_WAN ? XS_ROLE_WAN : XS_ROLE_LAN);
	if (!e)
		detach_gone(l);
	return e;
}

int cmd_load(const struct gateway_conf *conf, const struct loader_opts *o, struct loader_err *err)
{
	struct load l = {.conf = conf, .o = o, .err = err};
	int e = resolve(&l), lock;

	if (e)
		return e;
	l.dir_made = !bpffs_exists(o->pin_dir);
	e = bpffs_prepare(o->pin_dir, err);
	if (e)
		return e;
	lock = bpffs_lock(o->pin_dir, err);
	if (lock < 0)
		return lock;
	e = run(&l);
	if (e)
		undo(&l);
	journal_free(&l.journal);
	if (l.maps_open)
		xs_maps_close(&l.maps);
	object_close(l.skel);
	close(lock);
	return e;
}
