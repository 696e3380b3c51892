/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps.h"

#include <bpf/bpf.h>
#include <errno.h>

int xs_policy_row(struct xs_maps *m, uint32_t id, struct xs_policy *row)
{
	struct xs_policy_key key = {.id = id};

	return bpf_map_lookup_elem(m->fd[XS_MAP_policy], &key, row) ? -ENOENT : 0;
}
