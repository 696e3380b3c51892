/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "count.h"

/* To the AF_XDP socket of this port and queue, with what the classifier knows in front of the
 * packet. Without one it is dropped for that reason. */
static __always_inline int xs_to_dataplane(struct xdp_md *ctx, const struct xs_port *p,
					   const struct xs_meta *what, __u32 reason)
{
	__u32 queue = ctx->rx_queue_index, key;
	struct xs_meta *meta;

	if (!p || p->index >= XS_PORTS_MAX || queue >= XS_QUEUES_MAX)
		return xs_xdp_drop(reason);
	key = p->index * XS_QUEUES_MAX + queue;
	/* A driver without room for metadata cannot carry it to the dataplane. */
	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*meta)))
		return xs_xdp_drop(reason);
	meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + 1) > (void *)(long)ctx->data)
		return xs_xdp_drop(reason);
	*meta = *what;
	meta->port = p->index;
	meta->magic = XS_META_MAGIC;
	/* No socket: the packet is dropped, never passed on to the stack in clear. */
	if (bpf_redirect_map(&xsk, key, XDP_DROP) != XDP_REDIRECT)
		return xs_xdp_drop(reason);
	return XDP_REDIRECT;
}
