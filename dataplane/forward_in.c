/* SPDX-License-Identifier: BSD-2-Clause */
#include "worker.h"

/*
 * From a tunnel to the LAN: outer headers off, ESP open, then what a router does with the inner packet.
 */
struct in_hop {
	struct worker *w;
	const struct next_hop *nh;
};

/* Takes the outer headers off and notes what they said. */
static enum xs_drop outer_off(struct pkt *p)
{
	const struct ip4_hdr *ip;
	const struct udp_hdr *udp;
	uint32_t len, hlen;

	p->data += p->l3;
	p->len -= p->l3;
	if (ip4_check(p->data, p->len, &len) < 0)
		return XS_DROP_malformed;
	ip = (const struct ip4_hdr *)p->data;
	hlen = ip4_hlen(ip);
	if (ip4_is_fragment(ip))
		return XS_DROP_drop_fragments;
	p->outer_tos = ip->tos;
	p->outer_port = 0;
	ip4_to_mapped(ip->src, p->outer_src);
	if (ip->protocol == IPPROTO_UDP) {
		if (len < hlen + sizeof(*udp))
			return XS_DROP_malformed;
		udp = (const struct udp_hdr *)(p->data + hlen);
		if (be16(udp->len_be) < sizeof(*udp) || be16(udp->len_be) > len - hlen)
			return XS_DROP_malformed;
		p->outer_port = be16(udp->sport_be);
		len = hlen + be16(udp->len_be);
		hlen += sizeof(*udp);
	} else if (ip->protocol != IPPROTO_ESP) {
		return XS_DROP_malformed;
	}
	p->data += hlen;
	p->len = len - hlen;
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

static void route_one(struct worker *w, struct sa_in *sa, struct pkt *p)
{
	struct in_hop hop = {.w = w, .nh = transmit_next_hop(w, p->dst)};
	const struct next_hop *known = nh_cache_find(w->nh, p->dst);
	struct ip4_hdr *ip = (struct ip4_hdr *)p->data;
	uint32_t mtu = known && known->mtu ? known->mtu : 0;

	/* A packet that may be for this host is not forwarded, so it loses no hop. */
	if (known && known->state != NH_LOCAL && known->state != NH_WANTED && ip->ttl <= 1) {
		pkt_drop(w, p, sa->slot, PLANE_IN, XS_DROP_hop_limit);
		return;
	}
	if (ip->ttl > 1 && !(known && known->state == NH_LOCAL))
		ip4_decrement_ttl(ip);
	if (!mtu || p->len <= mtu) {
		transmit(w, p, hop.nh, sa->slot, PLANE_IN);
		return;
	}
	if (ip4_df(ip) || mtu < MTU_MIN4)
		pkt_drop(w, p, sa->slot, PLANE_IN, XS_DROP_too_big);
	else
		transmit_fragments(w, p, mtu, hop_put, hop_flush, &hop);
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
