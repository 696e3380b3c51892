// SPDX-License-Identifier: BSD-2-Clause
#include "loader.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct status {
	const struct loader_opts *o;
	int freplace;
	uint32_t n;
};

static const char *xdp_text(enum xdp_kind kind)
{
	switch (kind) {
	case XDP_KIND_LINK:
		return "single";
	case XDP_KIND_DISPATCHER:
		return "dispatcher";
	case XDP_KIND_NONE:
		break;
	}
	return "none";
}

static const char *tc_text(enum tc_kind kind)
{
	switch (kind) {
	case TC_KIND_TCX:
		return "tcx";
	case TC_KIND_CLSACT:
		return "clsact";
	case TC_KIND_NONE:
		break;
	}
	return "none";
}

static void why_text(const struct status *s, const struct attached *a, char *buf, size_t n)
{
	if (a->xdp == XDP_KIND_NONE)
		snprintf(buf, n, "our program is not attached: load again");
	else if (a->xdp == XDP_KIND_DISPATCHER)
		snprintf(buf, n, "shared by the libxdp dispatcher");
	else if (s->freplace)
		snprintf(buf, n, "no dispatcher: this kernel refuses freplace (%s)",
			 strerror(-s->freplace));
	else
		snprintf(buf, n, "alone on the interface");
}

static int port_print(void *ctx, uint32_t ifindex, const struct xs_port *port)
{
	struct status *s = ctx;
	struct attached a = {0};
	char why[160], ifname[IF_NAMESIZE] = "";
	const char *role = port->role == XS_ROLE_WAN   ? "wan"
			   : port->role == XS_ROLE_LAN ? "lan"
						       : "ramp";

	if (!if_indextoname(ifindex, ifname))
		snprintf(ifname, sizeof(ifname), "%.15s", port->ifname);
	xdp_query(s->o->pin_dir, port->ifname, ifindex, &a);
	tc_query(s->o->pin_dir, port->ifname, ifindex, &a);
	why_text(s, &a, why, sizeof(why));
	if (!s->o->json) {
		if (!s->n)
			printf("%-15s %-4s %-8s %-10s %6s %-6s %6s %6s %5s  %s\n", "INTERFACE",
			       "ROLE", "XDP", "SHARING", "PROG", "TC", "PROG", "QUEUES", "MTU",
			       "WHY");
		printf("%-15s %-4s %-8s %-10s %6u %-6s %6u %6u %5u  %s\n", ifname, role,
		       a.xdp == XDP_KIND_NONE ? "-"
		       : a.native	      ? "native"
					      : "generic",
		       xdp_text(a.xdp), a.xdp_prog, tc_text(a.tc), a.tc_prog, port->queues,
		       port->mtu, why);
		s->n++;
		return 0;
	}
	printf("%s{\"name\":", s->n++ ? "," : "");
	json_string(ifname);
	printf(",\"ifindex\":%u,\"index\":%u,\"role\":\"%s\",\"xdp\":%s,\"sharing\":\"%s\","
	       "\"xdp_prog\":%u,\"xdp_link\":%u,\"tc\":\"%s\",\"tc_prog\":%u,\"queues\":%u,"
	       "\"mtu\":%u,\"spread\":[",
	       ifindex, port->index, role,
	       a.xdp == XDP_KIND_NONE ? "null"
	       : a.native	      ? "\"native\""
				      : "\"generic\"",
	       xdp_text(a.xdp), a.xdp_prog, a.xdp_link, tc_text(a.tc), a.tc_prog, port->queues,
	       port->mtu);
	for (uint32_t i = 0; i < port->n_spread && i < XS_SPREAD_MAX; i++)
		printf("%s%u", i ? "," : "", port->spread[i]);
	printf("],\"why\":");
	json_string(why);
	printf("}");
	return 0;
}

/* What the kernel charges for it. */
static unsigned long long map_memory(int fd)
{
	unsigned long long bytes = 0;
	char path[64], line[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			break;
	fclose(f);
	return bytes;
}

static bool counts_rows(uint32_t type)
{
	return type == BPF_MAP_TYPE_HASH || type == BPF_MAP_TYPE_LRU_HASH ||
	       type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

static uint32_t map_rows(int fd, const struct bpf_map_info *info)
{
	uint8_t key[64], next[64];
	uint32_t n = 0;
	void *at = NULL;

	if (info->type == BPF_MAP_TYPE_RINGBUF)
		return 0;
	if (!counts_rows(info->type) || info->key_size > sizeof(key))
		return info->max_entries;
	/* Rows may come and go meanwhile, and an iteration start again: the map's size is the end.
	 */
	while (n < info->max_entries && !bpf_map_get_next_key(fd, at, next)) {
		memcpy(key, next, info->key_size);
		at = key;
		n++;
	}
	return n;
}

static void map_print(const struct status *s, const struct xs_maps *m, enum xs_map map)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info), rows;
	unsigned long long bytes = map_memory(m->fd[map]);

	if (bpf_obj_get_info_by_fd(m->fd[map], &info, &len))
		return;
	rows = map_rows(m->fd[map], &info);
	if (s->o->json)
		printf("%s{\"name\":\"%s\",\"id\":%u,\"rows\":%u,\"max\":%u,\"bytes\":%llu}",
		       map ? "," : "", xs_map_name(map), info.id, rows, info.max_entries, bytes);
	else
		printf("%-15s %6u %9u %9u %10llu kB\n", xs_map_name(map), info.id, rows,
		       info.max_entries, bytes / 1024);
}

/* The kernel engine's interface, NULL when there is none, or none any more. */
static const char *xfrm_dev_name(const struct xs_maps *m, char ifname[IF_NAMESIZE])
{
	uint32_t ifindex = (uint32_t)m->ctl->xfrm_dev;

	return ifindex ? if_indextoname(ifindex, ifname) : NULL;
}

static void xfrm_dev_print(const struct status *s, const struct xs_maps *m)
{
	char buf[IF_NAMESIZE];
	const char *ifname = xfrm_dev_name(m, buf);

	if (s->o->json) {
		printf("],\"xfrm_dev\":");
		if (ifname)
			json_string(ifname);
		else
			printf("null");
		return;
	}
	if (ifname)
		printf("%-15s XFRM interface of the kernel engine\n", ifname);
	else if (m->ctl->xfrm_dev)
		printf("the XFRM interface of the kernel engine is gone: load again\n");
}

static int not_loaded(const struct loader_opts *o, struct loader_err *err)
{
	if (o->json)
		printf("{\"loaded\":false,\"pin_dir\":");
	if (o->json)
		json_string(o->pin_dir);
	if (o->json)
		printf(",\"interfaces\":[],\"maps\":[]}\n");
	return loader_fail(err, -ENOENT, "nothing is loaded under %s", o->pin_dir);
}

int cmd_status(const struct loader_opts *o, struct loader_err *err)
{
	struct status s = {.o = o};
	struct xs_maps m;
	int e;

	if (!bpffs_exists(o->pin_dir))
		return not_loaded(o, err);
	e = xs_maps_open(&m, o->pin_dir, err->text, sizeof(err->text));
	if (e)
		return e;
	s.freplace = object_probe_freplace();
	if (o->json) {
		printf("{\"loaded\":true,\"pin_dir\":");
		json_string(o->pin_dir);
		printf(",\"layout\":%u,\"agent_pid\":%llu,\"dataplane_pid\":%llu,\"interfaces\":[",
		       XS_LAYOUT_VERSION, (unsigned long long)m.ctl->agent_pid,
		       (unsigned long long)m.ctl->dataplane_pid);
	}
	e = xs_port_each(&m, port_print, &s);
	xfrm_dev_print(&s, &m);
	if (o->json)
		printf(",\"maps\":[");
	else
		printf("\n%-15s %6s %9s %9s %13s\n", "MAP", "ID", "ROWS", "MAX", "MEMORY");
	for (int i = 0; i < XS_MAPS; i++)
		map_print(&s, &m, i);
	if (o->json)
		printf("]}\n");
	xs_maps_close(&m);
	return e ? loader_fail(err, e, "ports cannot be read: %s", strerror(-e)) : 0;
}
