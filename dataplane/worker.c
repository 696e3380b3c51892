/* SPDX-License-Identifier: BSD-2-Clause */
#include "worker.h"

#include "maps/maps.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/*
 * Timers of a worker, all by looking at the clock: busy_ns after the last packet it sleeps in poll; at most
 * SLEEP_MS, so that a busy transmit ring is looked at again; what waited longer than STALE_NS because the
 * thread itself did not run is dropped.
 */
enum { SLEEP_MS = 1000, RETRY_MS = 1, BIND_WAIT_MS = 5000 };
#define STALE_NS 2500000000ull

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* ---- counters ------------------------------------------------------------------------------------ */

/* Any worker may drop a packet of any slot (a full handoff ring): these additions are atomic, drops being rare. */
static void count_drop(volatile struct xs_sa_stat *stat, enum plane_direction direction,
		       enum xs_drop reason)
{
	volatile struct xs_sa_dir_stat *d = direction == PLANE_IN ? &stat->in : &stat->out;

	__atomic_fetch_add(&d->drop[reason], 1, __ATOMIC_RELAXED);
}

void pkt_drop(struct worker *w, struct pkt *p, uint32_t slot, enum plane_direction direction,
	      enum xs_drop reason)
{
	struct xs_maps *maps = w->shared->maps;

	count_drop(&maps->sa_stat[0], direction, reason);
	if (slot && slot < maps->sa_slots)
		count_drop(&maps->sa_stat[slot], direction, reason);
	chunk_give(&w->chunks, p->head);
}

/* ---- packets ---------------------------------------------------------------------------------- */

static enum plane_direction direction_of(const struct pkt *p)
{
	return p->kind == XS_META_IN ? PLANE_IN : PLANE_OUT;
}

/* True when the packet was taken: by another worker, or dropped. */
static bool hand_over(struct worker *w, struct pkt *p)
{
	uint8_t owner = atomic_load_explicit(&w->shared->owner[p->slot].worker, memory_order_relaxed);
	struct worker *to;

	if (owner == w->id)
		return false;
	to = &w->shared->workers[owner];
	if (!handoff_put(w->to[owner], p)) {
		pkt_drop(w, p, p->slot, direction_of(p), XS_DROP_handoff);
		return true;
	}
	chunk_give(&w->chunks, p->head);
	if (atomic_load_explicit(&to->asleep, memory_order_seq_cst))
		eventfd_write(to->wake_fd, 1);
	return true;
}

static bool same_generation(uint32_t a, uint32_t b)
{
	return !((a ^ b) & 0xffffff); /* the bundle word has 24 bits of it */
}

/*
 * A rekey went through while the packet waited in the ring, and its SA is gone: the one that the bundle names by
 * now takes it. False: there is none, or another worker owns it.
 */
static bool forward_by_successor(struct worker *w, struct pkt *p)
{
	const struct xs_maps *m = w->shared->maps;
	struct sa_pair *sa;
	uint64_t word;

	if (!p->bundle || p->bundle >= m->policies)
		return false;
	word = m->bundle[p->bundle];
	if (XS_BUNDLE_ENGINE(word) != XS_ENGINE_DATAPLANE || XS_BUNDLE_WORKER(word) != w->id ||
	    XS_BUNDLE_SLOT(word) >= m->sa_slots)
		return false;
	sa = &w->sa[XS_BUNDLE_SLOT(word)];
	if (!sa->out || !same_generation(sa->out->generation, XS_BUNDLE_GENERATION(word)))
		return false;
	p->slot = XS_BUNDLE_SLOT(word);
	p->generation = XS_BUNDLE_GENERATION(word);
	forward_out(w, sa->out, &p, 1);
	return true;
}

static void group(struct worker *w, struct pkt *v[], unsigned int n)
{
	struct sa_pair *sa = &w->sa[v[0]->slot];
	enum plane_direction direction = direction_of(v[0]);

	if (direction == PLANE_IN && sa->in && same_generation(sa->in->generation, v[0]->generation)) {
		forward_in(w, sa->in, v, n);
		return;
	}
	if (direction == PLANE_OUT && sa->out &&
	    same_generation(sa->out->generation, v[0]->generation)) {
		forward_out(w, sa->out, v, n);
		return;
	}
	for (unsigned int i = 0; i < n; i++)
		if (direction == PLANE_IN || !forward_by_successor(w, v[i]))
			pkt_drop(w, v[i], v[i]->slot, direction, XS_DROP_lost);
}

static bool same_group(const struct pkt *a, const struct pkt *b)
{
	return a->slot == b->slot && a->kind == b->kind && a->generation == b->generation;
}

/* Packets of one direction, slot and generation together: their order among each other stays. */
static void burst(struct worker *w, struct pkt *pkts, unsigned int n)
{
	struct pkt *v[PKT_BURST], *rest[PKT_BURST], *first;
	unsigned int m = 0, k, r;

	for (unsigned int i = 0; i < n; i++) {
		struct pkt *p = &pkts[i];

		if (p->kind == XS_META_HOLD && p->l3 < p->len)
			hold_put(w, p);
		else if ((p->kind != XS_META_IN && p->kind != XS_META_OUT) || !p->slot ||
		    p->slot >= w->shared->maps->sa_slots || p->l3 >= p->len)
			pkt_drop(w, p, 0, direction_of(p), XS_DROP_layout);
		else if (w->shared->n_workers == 1 || !hand_over(w, p))
			rest[m++] = p;
	}
	for (; m; m = r) {
		first = rest[0];
		k = r = 0;
		for (unsigned int i = 0; i < m; i++) {
			if (same_group(rest[i], first))
				v[k++] = rest[i];
			else
				rest[r++] = rest[i];
		}
		group(w, v, k);
	}
}

/* After the thread did not run for seconds, what waits in the rings is not sent late. */
static void receive_stale(struct worker *w)
{
	unsigned int n, left;

	for (unsigned int i = 0; i < w->xsk.n; i++) {
		struct lane *l = w->xsk.lane[i];

		for (left = XSK_RING; left; left -= n) {
			n = l->ops->rx_burst(l, w->rx, left < PKT_BURST ? left : PKT_BURST);
			if (!n)
				break;
			for (unsigned int k = 0; k < n; k++)
				pkt_drop(w, &w->rx[k], 0, direction_of(&w->rx[k]), XS_DROP_stale);
		}
	}
}

static unsigned int receive(struct worker *w)
{
	unsigned int n, all = 0;

	for (unsigned int i = 0; i < w->xsk.n; i++) {
		struct lane *l = w->xsk.lane[i];

		n = l->ops->rx_burst(l, w->rx, PKT_BURST);
		if (n)
			burst(w, w->rx, n);
		all += n;
	}
	return all;
}

static unsigned int receive_handoff(struct worker *w, struct handoff *h)
{
	unsigned int n = 0;

	for (; n < PKT_BURST; n++) {
		struct pkt *p = &w->rx[n];

		p->head = chunk_take(&w->chunks);
		if (!p->head)
			break;
		p->end = p->head + w->chunks.chunk;
		p->data = p->head + XSK_HEADROOM;
		if (!handoff_take(h, p)) {
			chunk_give(&w->chunks, p->head);
			break;
		}
	}
	if (n)
		burst(w, w->rx, n);
	return n;
}

static bool kick_all(struct worker *w)
{
	bool busy = false;

	for (unsigned int i = 0; i < w->xsk.n; i++) {
		struct lane *l = w->xsk.lane[i];

		if (w->stage[i].kick || l->ops->busy(l))
			l->ops->kick(l);
		w->stage[i].kick = false;
		busy |= l->ops->busy(l);
	}
	return busy;
}

static bool handoff_waits(struct worker *w)
{
	for (unsigned int i = 0; i < w->shared->n_workers; i++)
		if (w->from[i] && !ring_empty(&w->from[i]->ring))
			return true;
	return false;
}

static void sleep_until_work(struct worker *w, struct pollfd *fds, bool busy)
{
	int most = busy ? RETRY_MS : w->hold.n ? HOLD_POLL_MS : SLEEP_MS;
	eventfd_t count;

	/* Who pushes looks at `asleep` afterwards: either it sees that or we see what was pushed. */
	atomic_store_explicit(&w->asleep, true, memory_order_seq_cst);
	if (!handoff_waits(w) && !atomic_load_explicit(&w->cmd, memory_order_seq_cst))
		poll(fds, w->xsk.n + 1, most);
	atomic_store_explicit(&w->asleep, false, memory_order_relaxed);
	if (fds[w->xsk.n].revents & POLLIN)
		eventfd_read(w->wake_fd, &count);
	/* A socket whose interface is gone reports an error for ever. */
	for (unsigned int i = 0; i < w->xsk.n; i++)
		if (fds[i].revents & (POLLERR | POLLHUP | POLLNVAL))
			fds[i].fd = -1;
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct pollfd *fds = calloc(w->xsk.n + 1, sizeof(*fds));
	uint64_t last = clock_ns(), before = last;
	unsigned int n;
	bool busy;

	for (unsigned int i = 0; fds && i < w->xsk.n; i++)
		fds[i] = (struct pollfd){.fd = w->xsk.lane[i]->ops->fd(w->xsk.lane[i]), .events = POLLIN};
	if (fds)
		fds[w->xsk.n] = (struct pollfd){.fd = w->wake_fd, .events = POLLIN};
	while (!w->stop) {
		w->now_ns = clock_ns();
		worker_command_poll(w);
		if (w->now_ns - before > STALE_NS)
			receive_stale(w);
		n = receive(w);
		for (unsigned int i = 0; i < w->shared->n_workers; i++)
			if (w->from[i])
				n += receive_handoff(w, w->from[i]);
		hold_poll(w);
		busy = kick_all(w);
		before = w->now_ns;
		if (n)
			last = w->now_ns;
		else if (fds && w->now_ns - last >= w->shared->busy_ns)
			sleep_until_work(w, fds, busy);
	}
	free(fds);
	return NULL;
}

/* ---- open and close --------------------------------------------------------------------------- */

static unsigned int lanes_plan(const struct worker *w, struct port **port, uint32_t *queue)
{
	const struct worker_shared *sh = w->shared;
	unsigned int n = 0;

	for (unsigned int i = 0; i < sh->n_ports; i++)
		for (uint32_t q = w->id; q < sh->ports[i].queues; q += sh->n_workers) {
			port[n] = &sh->ports[i];
			queue[n++] = q;
		}
	return n;
}

static int memory_open(struct worker *w, unsigned int lanes, char *err, size_t errlen)
{
	uint32_t mtu = 1500, chunk, count;
	int e;

	for (unsigned int i = 0; i < w->shared->n_ports; i++)
		if (atomic_load(&w->shared->ports[i].mtu) > mtu)
			mtu = atomic_load(&w->shared->ports[i].mtu);
	chunk = xsk_chunk_size(mtu);
	if (!chunk)
		chunk = 4096; /* larger frames never reach an AF_XDP socket of one chunk a packet */
	count = lanes * XSK_RING + (lanes < 4 ? lanes : 4) * (XSK_CHUNKS - XSK_RING);
	e = chunks_open(&w->chunks, count, chunk);
	if (e < 0)
		snprintf(err, errlen, "packet memory: %s", strerror(-e));
	return e;
}

static int tables_open(struct worker *w, unsigned int lanes)
{
	unsigned int n = w->shared->n_workers;

	w->stage = calloc(lanes, sizeof(*w->stage));
	w->sa = calloc(w->shared->maps->sa_slots, sizeof(*w->sa));
	w->nh = calloc(1, sizeof(*w->nh));
	w->to = calloc(n, sizeof(struct handoff *));
	w->from = calloc(n, sizeof(struct handoff *));
	w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	w->raw4 = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
	w->raw6 = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
	if (!w->stage || !w->sa || !w->nh || !w->to || !w->from)
		return -ENOMEM;
	if (w->wake_fd < 0 || w->raw4 < 0)
		return -errno;
	if (w->raw6 < 0 && errno != EAFNOSUPPORT)
		return -errno;
	for (unsigned int i = 0; i < n; i++) {
		if (i == w->id)
			continue;
		w->to[i] = handoff_new(w->chunks.chunk - XSK_HEADROOM - CRYPTO_ICV_MAX - 64);
		if (!w->to[i])
			return -ENOMEM;
	}
	return 0;
}

static int lanes_open(struct worker *w, struct port *const port[], const uint32_t queue[],
		      unsigned int n, char *err, size_t errlen)
{
	const struct worker_shared *sh = w->shared;
	int e = xsk_open(&w->xsk, &w->chunks, port, queue, n, BIND_WAIT_MS, err, errlen);

	if (e < 0)
		return e;
	memset(w->port_lane, PKT_NO_PORT, sizeof(w->port_lane));
	for (unsigned int i = 0; i < n; i++) {
		unsigned int place = (unsigned int)(port[i] - sh->ports);

		if (w->port_lane[place] == PKT_NO_PORT)
			w->port_lane[place] = (uint8_t)i;
		e = xs_xsk_put(sh->maps, port[i]->index, queue[i], xsk_lane_fd(w->xsk.lane[i]));
		if (e < 0) {
			snprintf(err, errlen, "%s queue %u: map xsk: %s", port[i]->ifname, queue[i],
				 strerror(-e));
			return e;
		}
	}
	return 0;
}

int worker_open(struct worker *w, unsigned int id, const struct worker_shared *shared, char *err,
		size_t errlen)
{
	struct port *port[WORKER_LANES_MAX];
	uint32_t queue[WORKER_LANES_MAX];
	unsigned int n;
	int e;

	w->id = id;
	w->shared = shared;
	w->wake_fd = w->raw4 = w->raw6 = -1;
	ring_init(&w->notes, WORKER_NOTES);
	hold_open(&w->hold, shared->hold_ms);
	n = lanes_plan(w, port, queue);
	e = memory_open(w, n, err, errlen);
	if (e < 0)
		return e;
	e = tables_open(w, n);
	if (e < 0) {
		snprintf(err, errlen, "worker %u: %s", id, strerror(-e));
		return e;
	}
	return lanes_open(w, port, queue, n, err, errlen);
}

int worker_start(struct worker *w, int cpu)
{
	cpu_set_t set;
	int e = -pthread_create(&w->thread, NULL, worker_main, w);
	char name[16];

	if (e < 0)
		return e;
	snprintf(name, sizeof(name), "worker-%u", w->id);
	pthread_setname_np(w->thread, name);
	if (cpu < 0)
		return 0;
	CPU_ZERO(&set);
	CPU_SET((unsigned int)cpu, &set);
	return -pthread_setaffinity_np(w->thread, sizeof(set), &set);
}

void worker_join(struct worker *w)
{
	pthread_join(w->thread, NULL);
}

void worker_close(struct worker *w)
{
	if (w->xsk.lane)
		xsk_close(&w->xsk);
	for (uint32_t i = 0; w->sa && i < w->shared->maps->sa_slots; i++) {
		sa_in_free(w->sa[i].in);
		sa_out_free(w->sa[i].out);
	}
	for (unsigned int i = 0; w->to && i < w->shared->n_workers; i++)
		handoff_free(w->to[i]);
	chunks_close(&w->chunks);
	free(w->stage);
	free(w->sa);
	free(w->nh);
	free(w->to);
	free(w->from);
	if (w->wake_fd >= 0)
		close(w->wake_fd);
	hold_close(&w->hold);
	if (w->raw4 >= 0)
		close(w->raw4);
	if (w->raw6 >= 0)
		close(w->raw6);
}
