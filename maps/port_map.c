// SPDX-License-Identifier: BSD-2-Clause
#include "maps.h"

#include <bpf/bpf.h>
#include <errno.h>

int xs_port_put(struct xs_maps *m, uint32_t ifindex, const struct xs_port *port)
{
	struct xs_port_key key = {.ifindex = ifindex};

	if (port->index >= XS_PORTS_MAX)
		return -ERANGE;
	return bpf_map_update_elem(m->fd[XS_MAP_port], &key, port, BPF_ANY);
}

int xs_port_get(struct xs_maps *m, uint32_t ifindex, struct xs_port *port)
{
	struct xs_port_key key = {.ifindex = ifindex};

	return bpf_map_lookup_elem(m->fd[XS_MAP_port], &key, port);
}

int xs_port_del(struct xs_maps *m, uint32_t ifindex)
{
	struct xs_port_key key = {.ifindex = ifindex};

	return bpf_map_delete_elem(m->fd[XS_MAP_port], &key);
}

int xs_port_each(struct xs_maps *m,
		 int (*fn)(void *ctx, uint32_t ifindex, const struct xs_port *port), void *ctx)
{
	struct xs_port_key key, next;
	struct xs_port port;
	void *at = NULL;
	int err;

	while (!(err = bpf_map_get_next_key(m->fd[XS_MAP_port], at, &next))) {
		key = next;
		at = &key;
		if (bpf_map_lookup_elem(m->fd[XS_MAP_port], &key, &port))
			continue;
		err = fn(ctx, key.ifindex, &port);
		if (err)
			return err;
	}
	return err == -ENOENT ? 0 : err;
}

int xs_xsk_put(struct xs_maps *m, uint32_t port, uint32_t queue, int xsk_fd)
{
	uint32_t key = port * XS_QUEUES_MAX + queue;

	if (port >= XS_PORTS_MAX || queue >= XS_QUEUES_MAX)
		return -ERANGE;
	return bpf_map_update_elem(m->fd[XS_MAP_xsk], &key, &xsk_fd, BPF_ANY);
}
