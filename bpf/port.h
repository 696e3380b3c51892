/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "maps.h"

/* The row of an interface that is managed; NULL: it is not. */
static __always_inline struct xs_port *xs_port_find(__u32 ifindex)
{
	struct xs_port_key key = {.ifindex = ifindex};

	return bpf_map_lookup_elem(&port, &key);
}
