/* SPDX-License-Identifier: BSD-2-Clause */
#include "worker.h"

#include "common/gateway_conf.h"
#include "maps/maps.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <unistd.h>

/* The link header of a packet that comes back: this as its destination, and the time in the source's place. */
static const uint8_t mark[6] = {'X', 'D', 'P', 'S', 'H', 'D'};

void hold_open(struct hold *h, uint32_t time_ms)
{
	struct sockaddr_ll near = {.sll_family = AF_PACKET};

	*h = (struct hold){.time_ms = time_ms, .fd = -1, .epoch = UINT64_MAX};
	near.sll_ifindex = (int)if_nametoindex(GW_RAMP_NEAR);
	if (!near.sll_ifindex || !time_ms)
		return;
	/* Protocol 0: it only sends. */
	h->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (h->fd >= 0 && bind(h->fd, (struct sockaddr *)&near, sizeof(near)) < 0)
		hold_close(h);
}

void hold_close(struct hold *h)
{
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
}

static bool is_marked(const struct worker *w, const struct pkt *p)
{
	const struct eth_hdr *eth = (const struct eth_hdr *)p->eth;
	uint8_t place = p->port < XS_PORTS_MAX ? w->shared->port_by_index[p->port] : PKT_NO_PORT;

	return eth && place != PKT_NO_PORT && w->shared->ports[place].role == XS_ROLE_RAMP &&
	       memcmp(eth->dst, mark, sizeof(mark)) == 0;
}

static uint64_t time_get(const uint8_t at[6])
{
	uint64_t v = 0;

	for (int i = 0; i < 6; i++)
		v = v << 8 | at[i];
	return v;
}

static void time_put(uint8_t at[6], uint64_t v)
{
	for (int i = 6; i-- > 0; v >>= 8)
		at[i] = (uint8_t)v;
}

static enum xs_drop room_for(const struct hold *h, const struct pkt *p)
{
	unsigned int same = 0;

	if (h->fd < 0)
		return XS_DROP_no_sa;
	if (h->n == HOLD_MAX)
		return XS_DROP_hold_overflow;
	for (unsigned int i = 0; i < h->n; i++)
		same += h->v[i].p.policy == p->policy;
	return same < HOLD_A_POLICY ? XS_DROP_none : XS_DROP_hold_overflow;
}

void hold_put(struct worker *w, struct pkt *p)
{
	struct hold *h = &w->hold;
	bool marked = is_marked(w, p);
	uint64_t since = marked ? time_get(((const struct eth_hdr *)p->eth)->src) : w->now_ns / 1000000;
	enum xs_drop drop = room_for(h, p);

	/* What a router does with it is done once, now: it comes back as this host's own. */
	if (!drop)
		drop = forward_admit(w, p);
	if (drop) {
		pkt_drop(w, p, 0, PLANE_OUT, drop);
		return;
	}
	h->v[h->n++] = (struct held){.p = *p, .since_ms = since};
	/* Nobody knows which policies the classifier had when it decided on a new one: it is asked again. */
	if (!marked)
		h->epoch = UINT64_MAX;
}

static enum xs_drop send_back(const struct hold *h, struct held *v)
{
	struct pkt *p = &v->p;
	struct eth_hdr *eth;

	p->data -= ETH_LEN;
	p->len += ETH_LEN;
	eth = (struct eth_hdr *)p->data;
	memcpy(eth->dst, mark, sizeof(mark));
	time_put(eth->src, v->since_ms);
	eth->type_be = p->family == 6 ? be16(ETH_IP6) : be16(ETH_IP4);
	if (send(h->fd, p->data, p->len, MSG_DONTWAIT) >= 0)
		return XS_DROP_none;
	return errno == EMSGSIZE ? XS_DROP_too_big : errno == ENOBUFS || errno == EAGAIN ? XS_DROP_tx_ring_full
											  : XS_DROP_no_sa;
}

static void expire(struct worker *w)
{
	struct hold *h = &w->hold;
	uint64_t now_ms = w->now_ns / 1000000;
	unsigned int left = 0;

	for (unsigned int i = 0; i < h->n; i++) {
		if (now_ms - h->v[i].since_ms < h->time_ms)
			h->v[left++] = h->v[i];
		else
			pkt_drop(w, &h->v[i].p, 0, PLANE_OUT, XS_DROP_hold_timeout);
	}
	h->n = left;
}

static bool is_due(const struct worker *w, uint64_t epoch)
{
	const struct xs_maps *m = w->shared->maps;
	const struct hold *h = &w->hold;
	uint64_t waited = w->now_ns - h->tried_ns;

	if (waited < HOLD_RETRY_MS * 1000000ull)
		return false;
	if (epoch != h->epoch || waited >= HOLD_AGAIN_MS * 1000000ull)
		return true;
	for (unsigned int i = 0; i < h->n; i++)
		if (h->v[i].p.bundle && h->v[i].p.bundle < m->policies && m->bundle[h->v[i].p.bundle])
			return true;
	return false;
}

void hold_poll(struct worker *w)
{
	struct hold *h = &w->hold;
	uint64_t epoch;
	enum xs_drop drop;

	if (!h->n || w->now_ns - h->looked_ns < HOLD_LOOK_MS * 1000000ull)
		return;
	h->looked_ns = w->now_ns;
	expire(w);
	epoch = __atomic_load_n(&w->shared->maps->ctl->epoch, __ATOMIC_ACQUIRE);
	if (!h->n || !is_due(w, epoch))
		return;
	h->tried_ns = w->now_ns;
	h->epoch = epoch;
	for (unsigned int i = 0; i < h->n; i++) {
		drop = send_back(h, &h->v[i]);
		if (drop)
			pkt_drop(w, &h->v[i].p, 0, PLANE_OUT, drop);
		else
			chunk_give(&w->chunks, h->v[i].p.head);
	}
	h->n = 0;
}
