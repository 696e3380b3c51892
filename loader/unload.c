// SPDX-License-Identifier: BSD-2-Clause
#include "loader.h"

#include <bpf/bpf.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * Unloading asks nothing of the maps' layout: it has to end what another release has left.
 * Interfaces are known by the names of the pins, and by the port rows where the dispatcher holds
 * the programs.
 */

enum { PORTS_SEEN_MAX = 4 * XS_PORTS_MAX };

struct seen {
	char ifname[PORTS_SEEN_MAX][16];
	uint32_t ifindex[PORTS_SEEN_MAX];
	uint32_t n;
};

static void seen_add(struct seen *s, const char *ifname, uint32_t ifindex)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (!strcmp(s->ifname[i], ifname))
			return;
	if (s->n == PORTS_SEEN_MAX || strlen(ifname) >= sizeof(s->ifname[0]))
		return;
	strcpy(s->ifname[s->n], ifname);
	s->ifindex[s->n++] = ifindex;
}

static int link_seen(void *ctx, const char *name)
{
	static const char *const kinds[] = {"xdp-", "tc-", "clsact-", "clsact+qdisc-"};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t n = strlen(kinds[i]);

		if (!strncmp(name, kinds[i], n))
			seen_add(ctx, name + n, if_nametoindex(name + n));
	}
	return 0;
}

static void ports_seen(const char *pin_dir, struct seen *s)
{
	struct xs_port_key key, next;
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);
	char path[LOADER_PATH_LEN];
	struct xs_port row;
	void *at = NULL;
	int fd;

	snprintf(path, sizeof(path), "%s/port", pin_dir);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return;
	if (bpf_obj_get_info_by_fd(fd, &info, &len) || info.value_size != sizeof(row) ||
	    info.key_size != sizeof(key))
		goto close;
	while (!bpf_map_get_next_key(fd, at, &next)) {
		key = next;
		at = &key;
		if (bpf_map_lookup_elem(fd, &key, &row))
			continue;
		row.ifname[sizeof(row.ifname) - 1] = 0;
		if (if_nametoindex(row.ifname) == key.ifindex)
			seen_add(s, row.ifname, key.ifindex);
	}
close:
	close(fd);
}

int cmd_unload(const struct loader_opts *o, struct loader_err *err)
{
	struct seen s = {0};
	int e, lock;

	if (!bpffs_exists(o->pin_dir)) {
		ramp_remove(o->pin_dir);
		xfrm_dev_remove(o->pin_dir);
		printf("nothing is loaded under %s\n", o->pin_dir);
		return 0;
	}
	lock = bpffs_lock(o->pin_dir, err);
	if (lock < 0)
		return lock;
	bpffs_each_link(o->pin_dir, link_seen, &s);
	ports_seen(o->pin_dir, &s);
	for (uint32_t i = 0; i < s.n; i++) {
		xdp_detach(o->pin_dir, s.ifname[i], s.ifindex[i]);
		tc_detach(o->pin_dir, s.ifname[i], s.ifindex[i]);
		printf("%s: detached\n", s.ifname[i]);
	}
	ramp_remove(o->pin_dir);
	xfrm_dev_remove(o->pin_dir);
	/* Before the directory goes: an open directory of a BPF file system keeps the mount busy.
	 */
	close(lock);
	e = bpffs_remove(o->pin_dir, err);
	return e;
}
