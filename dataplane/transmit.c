/* SPDX-License-Identifier: BSD-2-Clause */
#include "worker.h"

#include "maps/maps.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

enum { ICMP_RATE = 1000, ICMP_BURST = 100, NS_PER_S = 1000000000 };
enum { ICMP_UNREACH = 3, ICMP_FRAG_NEEDED = 4, ICMP_TIME_EXCEEDED = 11, ICMP6_TOO_BIG = 2, ICMP6_TIME_EXCEEDED = 3 };

static void want(struct worker *w, const uint8_t dst[16])
{
	struct worker_note *note;
	uint32_t at;

	if (!ring_room(&w->notes, &at))
		return; /* asked again later */
	note = &w->note[at];
	note->kind = NOTE_WANT;
	memcpy(note->dst, dst, 16);
	ring_push(&w->notes);
	eventfd_write(w->shared->note_fd, 1);
}

const struct next_hop *transmit_next_hop(struct worker *w, const uint8_t dst[16])
{
	struct next_hop *nh = nh_row(w->nh, dst);
	uint64_t wait;

	if (nh->state == NH_EMPTY || memcmp(nh->dst, dst, 16) != 0) {
		memset(nh, 0, sizeof(*nh));
		memcpy(nh->dst, dst, 16);
		nh->state = NH_WANTED;
		nh->asked_ns = w->now_ns;
		want(w, dst);
		return NULL;
	}
	wait = nh->state == NH_WANTED ? NH_RETRY_MS * 1000000ull : (uint64_t)NH_REFRESH_S * NS_PER_S;
	if (w->now_ns - nh->asked_ns < wait)
		return nh->state == NH_WANTED ? NULL : nh;
	nh->asked_ns = w->now_ns;
	want(w, dst);
	/* The kernel only keeps a neighbour alive that it sends to itself now and then. */
	return nh->state == NH_LOCAL ? nh : NULL;
}

static ssize_t kernel_send4(struct worker *w, const struct pkt *p)
{
	struct sockaddr_in to = {.sin_family = AF_INET};

	memcpy(&to.sin_addr, p->dst + 12, 4);
	return sendto(w->raw4, p->data, p->len, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to));
}

static ssize_t kernel_send6(struct worker *w, const struct pkt *p)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6};

	memcpy(&to.sin6_addr, p->dst, 16);
	return sendto(w->raw6, p->data, p->len, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to));
}

static enum xs_drop kernel_send(struct worker *w, const struct pkt *p)
{
	if ((ip_is_mapped4(p->dst) ? kernel_send4(w, p) : kernel_send6(w, p)) >= 0)
		return XS_DROP_none;
	switch (errno) {
	case EMSGSIZE:
		return XS_DROP_too_big;
	case EAGAIN:
	case ENOBUFS:
		return XS_DROP_tx_ring_full;
	default:
		return XS_DROP_no_route;
	}
}

static void stage_flush(struct worker *w, unsigned int lane)
{
	struct stage *s = &w->stage[lane];
	struct lane *l = w->xsk.lane[lane];
	unsigned int sent = l->ops->tx_burst(l, s->v, s->n);

	if (sent < s->n) {
		l->ops->kick(l);
		sent += l->ops->tx_burst(l, s->v + sent, s->n - sent);
	}
	s->kick = true;
	for (; sent < s->n; sent++) /* slot and direction went with it in the packet */
		pkt_drop(w, s->v[sent], s->v[sent]->slot,
			 s->v[sent]->kind == XS_META_IN ? PLANE_IN : PLANE_OUT, XS_DROP_tx_ring_full);
	s->n = 0;
}

static void stage_put(struct worker *w, unsigned int lane, struct pkt *p)
{
	struct stage *s = &w->stage[lane];

	s->v[s->n++] = p;
	if (s->n == PKT_BURST)
		stage_flush(w, lane);
}

void transmit_flush(struct worker *w)
{
	for (unsigned int i = 0; i < w->xsk.n; i++)
		if (w->stage[i].n)
			stage_flush(w, i);
}

static uint16_t eth_type(const uint8_t *ip)
{
	return ip[0] >> 4 == 6 ? be16(ETH_IP6) : be16(ETH_IP4);
}

void transmit(struct worker *w, struct pkt *p, const struct next_hop *nh, uint32_t slot,
	      enum plane_direction direction)
{
	struct eth_hdr *eth;
	enum xs_drop drop;

	if (nh && nh->state == NH_PORT && w->port_lane[nh->port] != PKT_NO_PORT) {
		p->data -= ETH_LEN;
		p->len += ETH_LEN;
		eth = (struct eth_hdr *)p->data;
		memcpy(eth->dst, nh->mac, 6);
		memcpy(eth->src, nh->src_mac, 6);
		eth->type_be = eth_type(p->data + ETH_LEN);
		stage_put(w, w->port_lane[nh->port], p);
		return;
	}
	drop = kernel_send(w, p);
	if (drop)
		pkt_drop(w, p, slot, direction, drop);
	else
		chunk_give(&w->chunks, p->head);
}

static bool icmp_budget(struct worker *w)
{
	uint64_t more = (w->now_ns - w->icmp_ns) / (NS_PER_S / ICMP_RATE);

	if (more) {
		w->icmp_tokens = more > ICMP_BURST - w->icmp_tokens ? ICMP_BURST
								   : w->icmp_tokens + (uint32_t)more;
		w->icmp_ns = w->now_ns;
	}
	if (!w->icmp_tokens)
		return false;
	w->icmp_tokens--;
	return true;
}

/* A chunk with room for every header in front. */
static bool pkt_new(struct worker *w, struct pkt *p)
{
	memset(p, 0, sizeof(*p));
	p->head = chunk_take(&w->chunks);
	if (!p->head)
		return false;
	p->end = p->head + w->chunks.chunk;
	p->data = p->head + XSK_HEADROOM;
	return true;
}

/* RFC 792, RFC 1191; RFC 4443 3.2, 3.3. From an address of ours on that port; 0: nothing is to be said. */
static uint32_t icmp_write(struct port *port, uint8_t *at, const struct pkt *p, enum icmp_about about,
			   uint32_t mtu)
{
	uint8_t src6[16];
	uint32_t src4;

	if (p->family == 6) {
		if (!port_addr6_get(port, src6))
			return 0;
		if (about == ICMP_ABOUT_HOPS)
			return icmp6_error(at, src6, ICMP6_TIME_EXCEEDED, 0, 0, p->data, p->len);
		/* RFC 8200 5: nobody is asked for less. */
		return icmp6_error(at, src6, ICMP6_TOO_BIG, 0, mtu < MTU_MIN6 ? MTU_MIN6 : mtu,
				   p->data, p->len);
	}
	src4 = atomic_load_explicit(&port->addr4_be, memory_order_relaxed);
	if (!src4)
		return 0;
	if (about == ICMP_ABOUT_HOPS)
		return icmp4_error(at, (uint8_t *)&src4, ICMP_TIME_EXCEEDED, 0, 0, p->data, p->len);
	return icmp4_error(at, (uint8_t *)&src4, ICMP_UNREACH, ICMP_FRAG_NEEDED, (uint16_t)mtu, p->data,
			   p->len);
}

/* place: in the table of ports. */
static bool icmp_new(struct worker *w, const struct pkt *p, uint16_t place, enum icmp_about about,
		     uint32_t mtu, struct pkt *out)
{
	if (!icmp_budget(w) || !pkt_new(w, out))
		return false;
	out->len = icmp_write(&w->shared->ports[place], out->data, p, about, mtu);
	out->family = p->family;
	if (out->len)
		return true;
	chunk_give(&w->chunks, out->head);
	return false;
}

/* By the kernel: to a socket of this host itself, or to who sent what was held. An IPv4 source of 0 is the kernel's
 * choice. */
static void icmp_to_self(struct worker *w, const struct pkt *p, enum icmp_about about, uint32_t mtu)
{
	struct ip6_hdr_fixed *ip6 = (struct ip6_hdr_fixed *)p->data;
	struct ip4_hdr *ip = (struct ip4_hdr *)p->data;
	struct pkt reply;

	if (about != ICMP_ABOUT_SIZE || !icmp_budget(w) || !pkt_new(w, &reply))
		return;
	if (p->family == 6) {
		memcpy(reply.dst, ip6->src, 16);
		reply.len = icmp6_error(reply.data, ip6->src, ICMP6_TOO_BIG, 0,
					mtu < MTU_MIN6 ? MTU_MIN6 : mtu, p->data, p->len);
	} else {
		ip4_to_mapped(ip->src, reply.dst);
		reply.len = icmp4_error(reply.data, (const uint8_t[4]){0}, ICMP_UNREACH, ICMP_FRAG_NEEDED,
					(uint16_t)mtu, p->data, p->len);
	}
	if (reply.len)
		kernel_send(w, &reply);
	chunk_give(&w->chunks, reply.head);
}

void transmit_icmp(struct worker *w, const struct pkt *p, enum icmp_about about, uint32_t mtu)
{
	uint8_t place = p->port < XS_PORTS_MAX ? w->shared->port_by_index[p->port] : PKT_NO_PORT;
	const struct eth_hdr *from = (const struct eth_hdr *)p->eth;
	struct eth_hdr *eth;
	struct pkt reply, *v = &reply;
	struct lane *l;

	if (place != PKT_NO_PORT && w->shared->ports[place].role == XS_ROLE_RAMP) {
		icmp_to_self(w, p, about, mtu);
		return;
	}
	if (!p->eth || place == PKT_NO_PORT || w->port_lane[place] == PKT_NO_PORT)
		return;
	if (!icmp_new(w, p, place, about, mtu, &reply))
		return;
	reply.data -= ETH_LEN;
	reply.len += ETH_LEN;
	eth = (struct eth_hdr *)reply.data;
	memcpy(eth->dst, from->src, 6);
	memcpy(eth->src, from->dst, 6);
	eth->type_be = eth_type(reply.data + ETH_LEN);
	l = w->xsk.lane[w->port_lane[place]];
	if (l->ops->tx_burst(l, &v, 1) != 1)
		chunk_give(&w->chunks, reply.head);
	w->stage[w->port_lane[place]].kick = true;
}

bool transmit_icmp_make(struct worker *w, const struct pkt *p, uint16_t port, enum icmp_about about,
			uint32_t mtu, struct pkt *out)
{
	return port < w->shared->n_ports && icmp_new(w, p, port, about, mtu, out);
}

void transmit_fragments(struct worker *w, struct pkt *p, uint32_t mtu,
			void (*each)(void *ctx, struct pkt *fragment), void (*flush)(void *ctx),
			void *ctx)
{
	struct frag f = {0};
	struct pkt *piece;

	while (frag_next(p->data, mtu, &f)) {
		if (w->n_spare == PKT_BURST) {
			flush(ctx);
			w->n_spare = 0;
		}
		piece = &w->spare[w->n_spare];
		if (!pkt_new(w, piece)) {
			pkt_drop(w, p, p->slot, p->kind == XS_META_IN ? PLANE_IN : PLANE_OUT,
				 XS_DROP_no_buffers);
			return;
		}
		w->n_spare++;
		piece->len = frag_write(p->data, &f, piece->data);
		piece->kind = p->kind;
		piece->slot = p->slot;
		piece->port = p->port;
		piece->family = 4;
		memcpy(piece->dst, p->dst, sizeof(piece->dst));
		each(ctx, piece);
	}
	chunk_give(&w->chunks, p->head);
}
