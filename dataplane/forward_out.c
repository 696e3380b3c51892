/* SPDX-License-Identifier: BSD-2-Clause */
#include "ip6.h"
#include "worker.h"

/*
 * From the LAN into a tunnel: what a router does with a packet before it goes out (time to live, size), then
 * ESP, then the next hop of the outer packet.
 */
enum { PATH_MTU_DEFAULT = 1500 };

struct out_batch {
	struct worker *w;
	struct sa_out *sa;
	struct pkt *v[PKT_BURST];
	unsigned int n;
};

static void events(struct worker *w, const struct sa_out *sa, unsigned int ev)
{
	if (ev & ESP_EVENT_SOFT)
		worker_event(w, PLANE_EV_SOFT, sa->slot, sa->generation, sa->spi, PLANE_OUT, NULL);
	if (ev & ESP_EVENT_HARD)
		worker_event(w, PLANE_EV_HARD, sa->slot, sa->generation, sa->spi, PLANE_OUT, NULL);
}

/* The link the outer packet leaves by decides; before it is known, the usual size. */
static uint32_t inner_mtu(struct worker *w, struct sa_out *sa)
{
	const struct next_hop *nh = nh_cache_find(w->nh, sa->dst);
	bool known = nh && nh->mtu;
	uint32_t mtu = mtu_inner(&sa->shape, known ? nh->mtu : PATH_MTU_DEFAULT);

	/* In transport mode the packet's own header is the outer one. */
	if (mtu && sa->flags & SA_TRANSPORT)
		mtu += sa->outer.ip_len;
	if (known && mtu != sa->mtu_told && mtu <= UINT16_MAX && worker_event_mtu(w, sa, mtu))
		sa->mtu_told = (uint16_t)mtu;
	return mtu;
}

static void batch_seal(struct out_batch *b)
{
	const struct next_hop *nh;
	unsigned int ev;
	uint32_t mtu;

	if (!b->n)
		return;
	if (b->sa->tfc_wanted) {
		mtu = inner_mtu(b->w, b->sa);
		b->sa->tfc = b->sa->tfc_wanted < mtu ? b->sa->tfc_wanted : (uint16_t)mtu;
	}
	ev = esp_seal(b->sa, b->v, b->n, b->w->now_ns);
	if (ev)
		events(b->w, b->sa, ev);
	nh = transmit_next_hop(b->w, b->sa->dst);
	for (unsigned int i = 0; i < b->n; i++) {
		if (b->v[i]->drop)
			pkt_drop(b->w, b->v[i], b->sa->slot, PLANE_OUT, b->v[i]->drop);
		else
			transmit(b->w, b->v[i], nh, b->sa->slot, PLANE_OUT);
	}
	b->n = 0;
}

static void batch_flush(void *ctx)
{
	struct out_batch *b = ctx;

	batch_seal(b);
	transmit_flush(b->w);
}

static void batch_put(void *ctx, struct pkt *p)
{
	struct out_batch *b = ctx;

	b->v[b->n++] = p;
	if (b->n == PKT_BURST)
		batch_seal(b);
}

/* What this host itself sends comes by the on-ramp, and is not forwarded: it loses no hop. */
static bool is_own(const struct worker *w, const struct pkt *p)
{
	uint8_t place = p->port < XS_PORTS_MAX ? w->shared->port_by_index[p->port] : PKT_NO_PORT;

	return place != PKT_NO_PORT && w->shared->ports[place].role == XS_ROLE_RAMP;
}

/* whole: the packet cannot be cut (RFC 4303 3.1.1: no fragments in transport mode). */
static enum xs_drop check4(struct worker *w, struct pkt *p, uint32_t mtu, bool whole)
{
	bool own = is_own(w, p);
	struct ip4_hdr *ip;
	uint32_t len;

	if (ip4_check(p->data, p->len, &len) < 0)
		return XS_DROP_malformed;
	p->len = len;
	p->family = 4;
	ip = (struct ip4_hdr *)p->data;
	if (ip->ttl <= 1 && !own) {
		transmit_icmp(w, p, ICMP_ABOUT_HOPS, 0);
		return XS_DROP_hop_limit;
	}
	if (len > mtu && (whole || ip4_df(ip))) {
		transmit_icmp(w, p, ICMP_ABOUT_SIZE, mtu);
		return XS_DROP_too_big;
	}
	if (len > mtu && mtu < MTU_MIN4)
		return XS_DROP_too_big;
	csum_complete4(p->data, len);
	if (!own)
		ip4_decrement_ttl(ip);
	return XS_DROP_none;
}

/* RFC 8200 4.5, 5: no router cuts it; the sender is told. */
static enum xs_drop check6(struct worker *w, struct pkt *p, uint32_t mtu)
{
	bool own = is_own(w, p);
	struct ip6_hdr_fixed *ip;
	uint32_t len;

	if (ip6_check(p->data, p->len, &len) < 0)
		return XS_DROP_malformed;
	p->len = len;
	p->family = 6;
	ip = (struct ip6_hdr_fixed *)p->data;
	if (ip->hops <= 1 && !own) {
		transmit_icmp(w, p, ICMP_ABOUT_HOPS, 0);
		return XS_DROP_hop_limit;
	}
	if (len > mtu) {
		transmit_icmp(w, p, ICMP_ABOUT_SIZE, mtu);
		return XS_DROP_too_big;
	}
	csum_complete6(p->data, len);
	if (!own)
		ip->hops--;
	return XS_DROP_none;
}

/* 0, or why the packet goes no further. */
static enum xs_drop check_one(struct worker *w, struct pkt *p, uint32_t mtu, bool whole)
{
	p->data += p->l3;
	p->len -= p->l3;
	if (!p->len)
		return XS_DROP_malformed;
	switch (p->data[0] >> 4) {
	case 4:
		return check4(w, p, mtu, whole);
	case 6:
		return check6(w, p, mtu);
	}
	return XS_DROP_tun_no_proto;
}

enum xs_drop forward_admit(struct worker *w, struct pkt *p)
{
	return check_one(w, p, UINT32_MAX, false);
}

void forward_out(struct worker *w, struct sa_out *sa, struct pkt *v[], unsigned int n)
{
	struct out_batch b = {.w = w, .sa = sa};
	uint32_t mtu = inner_mtu(w, sa);
	enum xs_drop drop;

	w->n_spare = 0;
	for (unsigned int i = 0; i < n; i++) {
		drop = check_one(w, v[i], mtu, sa->flags & SA_TRANSPORT);
		if (drop)
			pkt_drop(w, v[i], sa->slot, PLANE_OUT, drop);
		else if (v[i]->len > mtu)
			transmit_fragments(w, v[i], mtu, batch_put, batch_flush, &b);
		else
			batch_put(&b, v[i]);
	}
	batch_flush(&b);
}

void forward_own(struct worker *w, struct sa_out *sa, struct pkt *v[], unsigned int n)
{
	struct out_batch b = {.w = w, .sa = sa};

	for (unsigned int i = 0; i < n; i++)
		batch_put(&b, v[i]);
	batch_flush(&b);
}
