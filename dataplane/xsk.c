/* SPDX-License-Identifier: BSD-2-Clause */
#include "xsk.h"
#include "ip.h"

#include "maps/layout.h"

#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <xdp/xsk.h>

#ifndef SOL_XDP
#define SOL_XDP 283
#endif

enum {
	XDP_MAX_TX_SKB_BUDGET_ = 9, /* Linux 6.18: descriptors that one send may move in copy mode */
	TX_BUDGET = 512,
	TX_KICK = 32, /* what it moves without that option */
	RETRY_MS = 20,
	SNDBUF = 8 << 20,
	FRAME_EXTRA = 64, /* VLAN tag, trailer and ICV behind a full frame */
};

struct xsk_lane {
	struct lane base;
	struct chunks *chunks;
	struct xsk_socket *sock;
	struct xsk_ring_cons rx, comp;
	struct xsk_ring_prod tx, fill;
	uint32_t fill_want; /* places in the fill ring without a chunk */
	uint32_t queued;    /* descriptors written, not yet submitted */
	int fd;
	bool rx_wakeup;
};

uint32_t xsk_chunk_size(uint32_t mtu)
{
	uint32_t need = XSK_HEADROOM + ETH_LEN + mtu + FRAME_EXTRA;

	return need <= 2048 ? 2048 : need <= 4096 ? 4096 : 0;
}

static void fill_refill(struct xsk_lane *l)
{
	uint32_t n = l->fill_want, idx;

	if (n > l->chunks->n_free)
		n = l->chunks->n_free;
	if (!n || xsk_ring_prod__reserve(&l->fill, n, &idx) != n)
		return;
	for (uint32_t i = 0; i < n; i++)
		*xsk_ring_prod__fill_addr(&l->fill, idx + i) =
			(uint64_t)(chunk_take(l->chunks) - l->chunks->area);
	xsk_ring_prod__submit(&l->fill, n);
	l->fill_want -= n;
}

static void reap(struct xsk_lane *l)
{
	uint32_t idx, n = xsk_ring_cons__peek(&l->comp, XSK_RING, &idx);

	for (uint32_t i = 0; i < n; i++)
		chunk_give(l->chunks,
			   l->chunks->area + *xsk_ring_cons__comp_addr(&l->comp, idx + i));
	if (n)
		xsk_ring_cons__release(&l->comp, n);
}

/* The metadata lies just below the packet; a socket may see packets of nobody's program. */
static void read_meta(struct pkt *p)
{
	struct xs_meta meta;

	memcpy(&meta, p->data - sizeof(meta), sizeof(meta));
	if (meta.magic != XS_META_MAGIC || meta.l3 >= p->len) {
		p->kind = 0;
		return;
	}
	/* Read once: the chunk is used again with what is written now, so an old mark must not be believed. */
	memset(p->data - sizeof(meta.magic), 0, sizeof(meta.magic));
	p->kind = meta.kind;
	p->slot = meta.slot;
	p->generation = meta.generation;
	p->bundle = meta.kind == XS_META_IN ? 0 : meta.bundle;
	p->policy = meta.policy;
	p->l3 = meta.l3;
	p->port = meta.port;
}

static unsigned int xsk_rx(struct lane *base, struct pkt *v, unsigned int n)
{
	struct xsk_lane *l = (struct xsk_lane *)base;
	struct chunks *c = l->chunks;
	uint32_t idx, got = xsk_ring_cons__peek(&l->rx, n, &idx);

	if (!got) {
		if (l->fill_want)
			fill_refill(l);
		if (l->rx_wakeup && xsk_ring_prod__needs_wakeup(&l->fill))
			recvfrom(l->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
		return 0;
	}
	for (uint32_t i = 0; i < got; i++) {
		const struct xdp_desc *d = xsk_ring_cons__rx_desc(&l->rx, idx + i);
		struct pkt *p = &v[i];

		p->data = c->area + d->addr;
		p->len = d->len;
		p->head = c->area + (d->addr & ~(uint64_t)(c->chunk - 1));
		p->end = p->head + c->chunk;
		p->eth = p->data;
		__builtin_prefetch(p->data - sizeof(struct xs_meta));
		__builtin_prefetch(p->data + 32);
	}
	for (uint32_t i = 0; i < got; i++)
		read_meta(&v[i]);
	xsk_ring_cons__release(&l->rx, got);
	l->fill_want += got;
	fill_refill(l);
	return got;
}

static unsigned int xsk_tx(struct lane *base, struct pkt *const v[], unsigned int n)
{
	struct xsk_lane *l = (struct xsk_lane *)base;
	uint32_t idx, room = xsk_prod_nb_free(&l->tx, n);

	if (n > room)
		n = room;
	if (!n || xsk_ring_prod__reserve(&l->tx, n, &idx) != n)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		struct xdp_desc *d = xsk_ring_prod__tx_desc(&l->tx, idx + i);

		d->addr = (uint64_t)(v[i]->data - l->chunks->area);
		d->len = v[i]->len;
		d->options = 0;
	}
	l->queued += n;
	return n;
}

static bool xsk_busy(const struct lane *base)
{
	const struct xsk_lane *l = (const struct xsk_lane *)base;

	return __atomic_load_n(l->tx.consumer, __ATOMIC_RELAXED) != *l->tx.producer;
}

static void xsk_kick(struct lane *base)
{
	struct xsk_lane *l = (struct xsk_lane *)base;
	uint32_t rounds = 1 + l->queued / TX_KICK;

	if (l->queued)
		xsk_ring_prod__submit(&l->tx, l->queued);
	l->queued = 0;
	for (; rounds && xsk_busy(base) && xsk_ring_prod__needs_wakeup(&l->tx); rounds--)
		if (sendto(l->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0)
			break; /* EAGAIN, EBUSY, ENOBUFS: the ring is not empty, so it is tried again */
	reap(l);
	if (l->fill_want)
		fill_refill(l);
}

int xsk_lane_fd(const struct lane *base)
{
	return ((const struct xsk_lane *)base)->fd;
}

static void xsk_lane_close(struct lane *base)
{
	struct xsk_lane *l = (struct xsk_lane *)base;

	if (l->sock)
		xsk_socket__delete(l->sock);
	free(l);
}

static const struct lane_ops xsk_ops = {
	.kind = "xsk",
	.rx_burst = xsk_rx,
	.tx_burst = xsk_tx,
	.kick = xsk_kick,
	.busy = xsk_busy,
	.fd = xsk_lane_fd,
	.close = xsk_lane_close,
};

static int lane_open(struct xsk_set *set, struct port *port, uint32_t queue, uint16_t bind_flags)
{
	struct xsk_socket_config config = {.rx_size = XSK_RING, .tx_size = XSK_RING,
					   .libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
					   .bind_flags = XDP_USE_NEED_WAKEUP | bind_flags};
	int budget = TX_BUDGET, sndbuf = SNDBUF, err;
	struct xsk_lane *l = calloc(1, sizeof(*l));
	struct xdp_options options = {0};
	socklen_t n = sizeof(options);

	if (!l)
		return -ENOMEM;
	l->base = (struct lane){.ops = &xsk_ops, .port = port, .queue = queue};
	l->chunks = set->chunks;
	err = xsk_socket__create_shared(&l->sock, port->ifname, queue, set->umem, &l->rx, &l->tx, &l->fill,
					&l->comp, &config);
	if (err) {
		free(l);
		return err;
	}
	l->fd = xsk_socket__fd(l->sock);
	l->fill_want = XSK_RING;
	set->lane[set->n++] = &l->base;
	/* Both only make it faster: older kernels have neither. */
	setsockopt(l->fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET_, &budget, sizeof(budget));
	if (setsockopt(l->fd, SOL_SOCKET, SO_SNDBUFFORCE, &sndbuf, sizeof(sndbuf)) < 0)
		setsockopt(l->fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
	getsockopt(l->fd, SOL_XDP, XDP_OPTIONS, &options, &n);
	l->rx_wakeup = options.flags & XDP_OPTIONS_ZEROCOPY;
	snprintf(port->mode, sizeof(port->mode), "%s", l->rx_wakeup ? "zero-copy" : "copy");
	fill_refill(l);
	return 0;
}

static int try_open(struct xsk_set *set, struct port *const port[], const uint32_t queue[],
		    unsigned int n, uint16_t bind_flags, unsigned int *at)
{
	struct xsk_umem_config config = {.fill_size = XSK_RING, .comp_size = XSK_RING,
					 .frame_size = set->chunks->chunk};
	struct xsk_ring_prod fill = {0}; /* libxdp sets all but the cached positions */
	struct xsk_ring_cons comp = {0};
	int err;

	/* The first socket moves these rings into its own. */
	err = xsk_umem__create(&set->umem, set->chunks->area, set->chunks->size, &fill, &comp, &config);
	*at = n;
	for (unsigned int i = 0; i < n && !err; i++) {
		*at = i;
		err = lane_open(set, port[i], queue[i], bind_flags);
	}
	return err;
}

static void all_free(struct chunks *c)
{
	for (uint32_t i = 0; i < c->count; i++)
		c->free[i] = c->count - 1 - i;
	c->n_free = c->count;
}

static void lanes_close(struct xsk_set *set)
{
	for (; set->n; set->n--)
		set->lane[set->n - 1]->ops->close(set->lane[set->n - 1]);
	if (set->umem)
		xsk_umem__delete(set->umem);
	set->umem = NULL;
	all_free(set->chunks);
}

int xsk_open(struct xsk_set *set, struct chunks *chunks, struct port *const port[],
	     const uint32_t queue[], unsigned int n, unsigned int wait_ms, char *err, size_t errlen)
{
	const struct timespec pause = {.tv_nsec = RETRY_MS * 1000000};
	uint16_t flags = 0; /* the kernel tries zero-copy first and takes copy mode where there is none */
	unsigned int at = 0;
	int e;

	*set = (struct xsk_set){.chunks = chunks, .lane = calloc(n, sizeof(*set->lane))};
	if (!set->lane)
		return -ENOMEM;
	for (unsigned int waited = 0;;) {
		e = try_open(set, port, queue, n, flags, &at);
		if (!e)
			return 0;
		lanes_close(set);
		if (e == -EBUSY && waited < wait_ms) {
			nanosleep(&pause, NULL);
			waited += RETRY_MS;
		} else if (!(flags & XDP_COPY) && e != -EBUSY && e != -EPERM && at < n) {
			flags = XDP_COPY; /* one UMEM, one mode: a port without zero-copy decides for all */
		} else {
			break;
		}
	}
	if (at < n)
		snprintf(err, errlen, "%s queue %u: AF_XDP socket: %s", port[at]->ifname, queue[at],
			 strerror(-e));
	else
		snprintf(err, errlen, "packet memory of %llu MB: %s (raise the memlock limit?)",
			 (unsigned long long)(chunks->size >> 20), strerror(-e));
	xsk_close(set);
	return e;
}

void xsk_close(struct xsk_set *set)
{
	lanes_close(set);
	free(set->lane);
	set->lane = NULL;
}
