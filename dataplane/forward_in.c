/* SPDX-License-Identifier: BSD-2-Clause */
#include "inner.h"
#include "worker.h"

/*
 * From a tunnel to the LAN: outer headers off, ESP open, then what a router does with the inner packet.
 */
struct in_hop {
	struct worker *w;
	const struct next_hop *nh;
};

/* The outer packet: what is behind its IP headers. */
struct outer_seen {
	uint32_t len, hlen;
	uint8_t protocol;
};

static enum xs_drop outer4(struct pkt *p, struct outer_seen *o)
{
	const struct ip4_hdr *ip = (const struct ip4_hdr *)p->data;

	if (ip4_check(p->data, p->len, &o->len) < 0)
		return XS_DROP_malformed;
	if (ip4_is_fragment(ip))
		return XS_DROP_drop_fragments;
	o->hlen = ip4_hlen(ip);
	o->protocol = ip->protocol;
	p->outer_tos = ip->tos;
	ip4_to_mapped(ip->src, p->outer_src);
	return XS_DROP_none;
}

static enum xs_drop outer6(struct pkt *p, struct outer_seen *o)
{
	const struct ip6_hdr_fixed *ip = (const struct ip6_hdr_fixed *)p->data;
	struct ip6_walk w;

	if (ip6_check(p->data, p->len, &o->len) < 0 || ip6_walk(p->data, o->len, &w) < 0)
		return XS_DROP_malformed;
	if (w.fragment)
		return XS_DROP_drop_fragments;
	if (w.on_the_way) /* we are a stop on its way, and no source-routing one */
		return XS_DROP_malformed;
	o->hlen = w.off;
	o->protocol = w.protocol;
	p->outer_tos = ip6_tos(ip);
	memcpy(p->outer_src, ip->src, 16);
	return XS_DROP_none;
}

/*
 * Takes the outer headers off and notes what they said. A UDP checksum, or none (RFC 3948 2.1, RFC 6935 5), is not
 * looked at: the tag covers more.
 */
static enum xs_drop outer_off(struct pkt *p)
{
	const struct udp_hdr *udp;
	struct outer_seen o;
	enum xs_drop drop;

	p->data += p->l3;
	p->len -= p->l3;
	drop = p->len && p->data[0] >> 4 == 6 ? outer6(p, &o) : outer4(p, &o);
	if (drop)
		return drop;
	p->outer_port = 0;
	if (o.protocol == IPPROTO_UDP) {
		if (o.len < o.hlen + sizeof(*udp))
			return XS_DROP_malformed;
		udp = (const struct udp_hdr *)(p->data + o.hlen);
		if (be16(udp->len_be) < sizeof(*udp) || be16(udp->len_be) > o.len - o.hlen)
			return XS_DROP_malformed;
		p->outer_port = be16(udp->sport_be);
		o.len = o.hlen + be16(udp->len_be);
		o.hlen += sizeof(*udp);
	} else if (o.protocol != IPPROTO_ESP) {
		return XS_DROP_malformed;
	}
	p->outer_len = (uint16_t)o.hlen;
	p->data += o.hlen;
	p->len = o.len - o.hlen;
	return p->len < sizeof(struct esp_hdr) ? XS_DROP_runt : XS_DROP_none;
}

static void events(struct worker *w, const struct sa_in *sa, unsigned int ev, const struct pkt *nat)
{
	if (ev & ESP_EVENT_SOFT)
		worker_event(w, PLANE_EV_SOFT, sa->slot, sa->generation, sa->spi, PLANE_IN, NULL);
	if (ev & ESP_EVENT_HARD)
		worker_event(w, PLANE_EV_HARD, sa->slot, sa->generation, sa->spi, PLANE_IN, NULL);
	if (ev & ESP_EVENT_NAT)
		worker_event(w, PLANE_EV_NAT_CHANGE, sa->slot, sa->generation, sa->spi, PLANE_IN, nat);
}

static void hop_put(void *ctx, struct pkt *p)
{
	struct in_hop *h = ctx;

	transmit(h->w, p, h->nh, p->slot, PLANE_IN);
}

static void hop_flush(void *ctx)
{
	transmit_flush(((struct in_hop *)ctx)->w);
}

static uint8_t *hops_of(struct pkt *p)
{
	return p->family == 4 ? &((struct ip4_hdr *)p->data)->ttl
			      : &((struct ip6_hdr_fixed *)p->data)->hops;
}

static void hops_less(struct pkt *p)
{
	if (p->family == 4)
		ip4_decrement_ttl((struct ip4_hdr *)p->data);
	else
		(*hops_of(p))--;
}

/*
 * RFC 4301 6.2: an error about a packet that came out of the tunnel goes back into it, when the tunnel is for such
 * packets. The outbound half may be gone already after a rekey; then nobody is told, as with any lost error.
 */
static void tell_sender(struct worker *w, struct sa_in *sa, const struct pkt *p, uint16_t port,
			enum icmp_about about, uint32_t mtu)
{
	struct sa_out *back = w->sa[sa->slot].out;
	struct pkt reply, *v = &reply;
	struct inner in;

	if (!back || !transmit_icmp_make(w, p, port, about, mtu, &reply))
		return;
	if (inner_parse(&in, reply.data, reply.len, reply.family) ||
	    !sa_ts_match(sa->local, sa->n_local, in.family, in.protocol, sa_addr(in.src), in.sport, true) ||
	    !sa_ts_match(sa->remote, sa->n_remote, in.family, in.protocol, sa_addr(in.dst), in.dport,
			 true)) {
		chunk_give(&w->chunks, reply.head);
		return;
	}
	reply.slot = back->slot;
	reply.kind = XS_META_OUT;
	forward_own(w, back, &v, 1);
}

/* What leaves by the WAN again may be for another tunnel: the kernel sends it, past tc_out, which AF_XDP does not see. */
static const struct next_hop *next_of(struct worker *w, const struct pkt *p)
{
	const struct next_hop *nh = transmit_next_hop(w, p->dst);

	return nh && nh->state == NH_PORT && w->shared->ports[nh->port].role != XS_ROLE_LAN ? NULL : nh;
}

static void route_one(struct worker *w, struct sa_in *sa, struct pkt *p)
{
	struct in_hop hop = {.w = w, .nh = next_of(w, p)};
	const struct next_hop *known = nh_cache_find(w->nh, p->dst);
	bool forwarded = known && known->state != NH_LOCAL && known->state != NH_WANTED;
	uint16_t port = known && known->state == NH_PORT ? known->port : PKT_NO_PORT;
	uint32_t mtu = known && known->mtu ? known->mtu : 0;
	uint8_t hops = *hops_of(p);

	/* A packet that may be for this host is not forwarded, so it loses no hop. */
	if (forwarded && hops <= 1) {
		tell_sender(w, sa, p, port, ICMP_ABOUT_HOPS, 0);
		pkt_drop(w, p, sa->slot, PLANE_IN, XS_DROP_hop_limit);
		return;
	}
	if (hops > 1 && !(known && known->state == NH_LOCAL))
		hops_less(p);
	if (!mtu || p->len <= mtu) {
		transmit(w, p, hop.nh, sa->slot, PLANE_IN);
		return;
	}
	if (p->family == 4 && !ip4_df((struct ip4_hdr *)p->data) && mtu >= MTU_MIN4) {
		transmit_fragments(w, p, mtu, hop_put, hop_flush, &hop);
		return;
	}
	tell_sender(w, sa, p, port, ICMP_ABOUT_SIZE, mtu);
	pkt_drop(w, p, sa->slot, PLANE_IN, XS_DROP_too_big);
}

void forward_in(struct worker *w, struct sa_in *sa, struct pkt *v[], unsigned int n)
{
	const struct pkt *nat = NULL;
	struct pkt *p[PKT_BURST];
	unsigned int m = 0, ev;
	enum xs_drop drop;

	w->n_spare = 0;
	for (unsigned int i = 0; i < n; i++) {
		drop = outer_off(v[i]);
		if (drop)
			pkt_drop(w, v[i], sa->slot, PLANE_IN, drop);
		else
			p[m++] = v[i];
	}
	ev = m ? esp_open(sa, p, m, w->now_ns, &nat) : 0;
	if (ev)
		events(w, sa, ev, nat);
	for (unsigned int i = 0; i < m; i++) {
		if (p[i]->drop)
			pkt_drop(w, p[i], sa->slot, PLANE_IN, p[i]->drop);
		else
			route_one(w, sa, p[i]);
	}
	transmit_flush(w);
}
