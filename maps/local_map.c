// SPDX-License-Identifier: BSD-2-Clause
#include "maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

enum { GONE_A_PASS = 64 };

static bool addr_of(const struct sockaddr *sa, struct xs_addr *out)
{
	if (sa && sa->sa_family == AF_INET) {
		memset(out, 0, sizeof(*out));
		out->b[10] = out->b[11] = 0xff;
		memcpy(&out->b[12], &((const struct sockaddr_in *)sa)->sin_addr, 4);
		return true;
	}
	if (sa && sa->sa_family == AF_INET6) {
		memcpy(out->b, &((const struct sockaddr_in6 *)sa)->sin6_addr, 16);
		return true;
	}
	return false;
}

static int put_all(int fd, const struct ifaddrs *list, int *changed)
{
	for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
		struct xs_local row = {.ifindex = if_nametoindex(i->ifa_name)}, old;
		struct xs_addr key;
		int err;

		if (!addr_of(i->ifa_addr, &key) || !bpf_map_lookup_elem(fd, &key, &old))
			continue;
		err = bpf_map_update_elem(fd, &key, &row, BPF_ANY);
		if (err)
			return err;
		*changed = 1;
	}
	return 0;
}

static bool listed(const struct ifaddrs *list, const struct xs_addr *key)
{
	for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
		struct xs_addr a;

		if (addr_of(i->ifa_addr, &a) && !memcmp(&a, key, sizeof(a)))
			return true;
	}
	return false;
}

static void drop_gone(int fd, const struct ifaddrs *list, int *changed)
{
	struct xs_addr key, next, gone[GONE_A_PASS];
	uint32_t n;

	do {
		void *at = NULL;

		n = 0;
		while (n < GONE_A_PASS && !bpf_map_get_next_key(fd, at, &next)) {
			key = next;
			at = &key;
			if (!listed(list, &key))
				gone[n++] = key;
		}
		for (uint32_t i = 0; i < n; i++)
			if (!bpf_map_delete_elem(fd, &gone[i]))
				*changed = 1;
	} while (n == GONE_A_PASS);
}

int xs_local_sync(struct xs_maps *m)
{
	struct ifaddrs *list;
	int changed = 0, err;

	if (getifaddrs(&list))
		return -errno;
	/* first, so that what is gone makes room */
	drop_gone(m->fd[XS_MAP_local], list, &changed);
	err = put_all(m->fd[XS_MAP_local], list, &changed);
	freeifaddrs(list);
	return err ? err : changed;
}
