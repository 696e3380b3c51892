/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "chunks.h"
#include "port.h"

struct xsk_umem;

/*
 * AF_XDP lanes. All sockets of a worker are opened together over its chunks, because they share one UMEM.
 * Zero-copy is taken where the driver has it, on all of them or on none.
 */
enum {
	XSK_RING = 2048,
	/* In front of a received packet: the kernel keeps this free, our headers and the metadata go there. */
	XSK_HEADROOM = 256,
	XSK_CHUNKS = 2 * XSK_RING, /* for one socket: its receive ring full, and as many on their way out */
};

struct xsk_set {
	struct chunks *chunks;
	struct xsk_umem *umem;
	struct lane **lane;
	unsigned int n;
};

/* Bytes of a chunk for frames of this MTU; 0 when no chunk is large enough. */
uint32_t xsk_chunk_size(uint32_t mtu);
/*
 * Opens a lane for (port[i], queue) for each i and leaves them in set->lane. Right after a crash the queue
 * is still busy for a moment: tries again for up to wait_ms. 0, or -errno and one line in err.
 */
int xsk_open(struct xsk_set *set, struct chunks *chunks, struct port *const port[],
	     const uint32_t queue[], unsigned int n, unsigned int wait_ms, char *err, size_t errlen);
void xsk_close(struct xsk_set *set);
int xsk_lane_fd(const struct lane *l);
