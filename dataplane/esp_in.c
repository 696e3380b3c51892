/* SPDX-License-Identifier: BSD-2-Clause */
#include "esp.h"
#include "inner.h"
#include "transport.h"

enum { TRAILER_LEN = 2 };

/* Length, alignment, SPI and number: what can be refused before any cipher runs. */
static uint8_t before_open(const struct sa_in *sa, const struct pkt *p, struct crypto_req *r)
{
	uint32_t front = (uint32_t)sizeof(struct esp_hdr) + sa->iv_len, payload;
	const struct esp_hdr *esp = (const struct esp_hdr *)p->data;
	uint64_t seq;

	if (p->len < front + sa->align + sa->icv_len)
		return XS_DROP_runt;
	payload = p->len - front - sa->icv_len;
	if (payload % sa->align)
		return XS_DROP_runt;
	if (be32(esp->spi_be) != sa->spi)
		return XS_DROP_lost;
	seq = replay_expand(&sa->replay, be32(esp->seq_be));
	if (!replay_check(&sa->replay, seq))
		return XS_DROP_replay;
	r->esp = p->data;
	r->len = p->len - sa->icv_len;
	r->seq_hi = (uint32_t)(seq >> 32);
	if (pkt_tailroom(p) < CRYPTO_TAIL)
		return XS_DROP_no_tail_space;
	return 0;
}

/* RFC 4303 2.4: the padding is 1, 2, 3, ... and the receiver should look. */
static bool padding_ok(const uint8_t *pad, uint32_t n)
{
	uint8_t bad = 0;

	for (uint32_t i = 0; i < n; i++)
		bad |= pad[i] ^ (uint8_t)(i + 1);
	return bad == 0;
}

/* Takes off header, IV, trailer and ICV; what is left is the payload, TFC padding included. */
static uint8_t strip(const struct sa_in *sa, struct pkt *p, const struct crypto_req *r)
{
	uint32_t front = (uint32_t)sizeof(struct esp_hdr) + sa->iv_len;
	uint8_t *payload = r->esp + front;
	uint32_t n = r->len - front, pad = payload[n - 2];
	uint8_t next = payload[n - 1];

	if (pad + TRAILER_LEN > n)
		return XS_DROP_integ_error;
	n -= pad + TRAILER_LEN;
	if (!padding_ok(payload + n, pad))
		return XS_DROP_integ_error;
	if (next == IPPROTO_NONE)
		return XS_DROP_tfc_dummy;
	if (sa->flags & SA_TRANSPORT) {
		p->data = payload;
		p->len = n;
		return transport_restore(p, r->esp - p->outer_len, next);
	}
	if (next != IPPROTO_IPIP && next != IPPROTO_IPV6)
		return XS_DROP_tun_no_proto;
	p->family = next == IPPROTO_IPIP ? 4 : 6;
	p->data = payload;
	p->len = n;
	return 0;
}

/* RFC 4301 5.2 step 4: the inner packet has to be one that this SA was negotiated for. */
static uint8_t check_inner(const struct sa_in *sa, struct pkt *p)
{
	struct inner in;
	enum xs_drop drop = inner_parse(&in, p->data, p->len, p->family);

	if (drop)
		return (uint8_t)drop;
	p->len = in.len;
	memcpy(p->dst, in.dst, sizeof(p->dst));
	if (sa_ts_match(sa->remote, sa->n_remote, in.family, in.protocol, sa_addr(in.src), in.sport,
			in.ports_known) &&
	    sa_ts_match(sa->local, sa->n_local, in.family, in.protocol, sa_addr(in.dst), in.dport,
			in.ports_known))
		return 0;
	return XS_DROP_policy_mismatch;
}

static uint8_t copy_tos(const struct sa_in *sa, struct pkt *p)
{
	struct ip4_hdr *ip4 = (struct ip4_hdr *)p->data;
	struct ip6_hdr_fixed *ip6 = (struct ip6_hdr_fixed *)p->data;
	uint8_t old = p->family == 4 ? ip4->tos : ip6_tos(ip6);
	int tos = inner_tos_after(p->outer_tos, old, sa->flags & SA_COPY_ECN,
				  sa->flags & SA_COPY_DSCP);

	if (tos < 0)
		return XS_DROP_ecn;
	if (tos == old)
		return 0;
	if (p->family == 4)
		ip4_set_tos(ip4, (uint8_t)tos);
	else
		ip6_set_tos(ip6, (uint8_t)tos);
	return 0;
}

/* The tag was right: now, and only now, the window moves. */
static uint8_t after_open(struct sa_in *sa, struct pkt *p, const struct crypto_req *r, bool *newest)
{
	const struct esp_hdr *esp = (const struct esp_hdr *)r->esp;
	uint64_t seq = (uint64_t)r->seq_hi << 32 | be32(esp->seq_be);
	uint8_t drop;

	*newest = seq > sa->replay.top;
	if (!replay_mark(&sa->replay, seq)) {
		*newest = false;
		return XS_DROP_replay; /* twice in one burst */
	}
	if (sa->flags & SA_HARD)
		return XS_DROP_hard_limit;
	drop = strip(sa, p, r);
	if (!drop)
		drop = check_inner(sa, p);
	/* In transport mode there is one header, and nothing to copy. */
	return drop || sa->flags & SA_TRANSPORT ? drop : copy_tos(sa, p);
}

static uint8_t drop_of(enum crypto_status status)
{
	switch (status) {
	case CRYPTO_OK:
		return 0;
	case CRYPTO_BAD_TAG:
		return XS_DROP_integ_error;
	case CRYPTO_QUEUE_FULL:
		return XS_DROP_crypto_queue_full;
	default:
		return XS_DROP_decryption_failed;
	}
}

static unsigned int limits(struct sa_in *sa)
{
	struct sa_count *c = &sa->count;
	unsigned int ev = 0;

	if (!(sa->flags & SA_HARD) && (c->packets >= c->hard_packets || c->bytes >= c->hard_bytes)) {
		sa->flags |= SA_HARD;
		ev |= ESP_EVENT_HARD;
	}
	if (!(sa->flags & SA_SOFT_SENT) &&
	    (c->packets >= c->soft_packets || c->bytes >= c->soft_bytes)) {
		sa->flags |= SA_SOFT_SENT;
		ev |= ESP_EVENT_SOFT;
	}
	return ev;
}

/* RFC 7296 2.23: the newest authenticated packet says where the peer is now. */
static bool moved(struct sa_in *sa, const struct pkt *p, uint64_t now_ns)
{
	if (!sa->sport || !p->outer_port)
		return false;
	if (p->outer_port == sa->sport && memcmp(p->outer_src, sa->src, sizeof(sa->src)) == 0)
		return false;
	if (sa->nat_event_ns && now_ns - sa->nat_event_ns < ESP_NAT_INTERVAL_S * 1000000000ull)
		return false;
	sa->nat_event_ns = now_ns;
	return true;
}

unsigned int esp_open(struct sa_in *sa, struct pkt *const v[], unsigned int n, uint64_t now_ns,
		      const struct pkt **nat)
{
	struct crypto_req req[PKT_BURST];
	struct pkt *p[PKT_BURST];
	unsigned int m = 0, ev = 0;
	bool newest, authentic = false;

	for (unsigned int i = 0; i < n; i++) {
		v[i]->drop = before_open(sa, v[i], &req[m]);
		if (!v[i]->drop)
			p[m++] = v[i];
	}
	if (!m)
		return 0;
	sa->session->backend->open(sa->session, req, m);
	for (unsigned int i = 0; i < m; i++) {
		p[i]->drop = drop_of(req[i].status);
		if (p[i]->drop)
			continue;
		authentic = true;
		p[i]->drop = after_open(sa, p[i], &req[i], &newest);
		if (newest && moved(sa, p[i], now_ns)) {
			*nat = p[i];
			ev |= ESP_EVENT_NAT;
		}
		if (p[i]->drop)
			continue;
		sa->count.packets++;
		sa->count.bytes += p[i]->len;
	}
	if (authentic) {
		sa->stat->last_ns = now_ns;
		sa->stat->packets = sa->count.packets;
		sa->stat->bytes = sa->count.bytes;
		__atomic_store_n(&sa->seq_map->in_top, sa->replay.top, __ATOMIC_RELAXED);
	}
	return ev | limits(sa);
}
