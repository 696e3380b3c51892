/* SPDX-License-Identifier: BSD-2-Clause */
#include "esp.h"
#include "transport.h"
#include "ip6.h"

enum { TRAILER_LEN = 2, SEQ32_MAX_SHIFT = 32 };

/* RFC 4303 3.3.3: a number is never used twice and never wraps. */
static uint64_t seq_last(const struct sa_out *sa)
{
	return sa->flags & SA_ESN ? UINT64_MAX : UINT32_MAX;
}

static void seq_reserve(struct sa_out *sa, unsigned int n)
{
	uint64_t left = seq_last(sa) - sa->seq, use = n < left ? n : left, ahead;

	if (sa->seq + use <= sa->reserved)
		return;
	ahead = left - use < ESP_SEQ_RESERVE ? left - use : ESP_SEQ_RESERVE;
	sa->reserved = sa->seq + use + ahead;
	sa->seq_map->generation = sa->generation;
	__atomic_store_n(&sa->seq_map->out, sa->reserved, __ATOMIC_RELEASE);
}

static unsigned int limits(struct sa_out *sa)
{
	struct sa_count *c = &sa->count;
	unsigned int ev = 0;

	if (!(sa->flags & SA_HARD) && (c->packets >= c->hard_packets || c->bytes >= c->hard_bytes)) {
		sa->flags |= SA_HARD;
		ev |= ESP_EVENT_HARD;
	}
	if (sa->flags & SA_SOFT_SENT)
		return ev;
	if (c->packets >= c->soft_packets || c->bytes >= c->soft_bytes ||
	    (!(sa->flags & SA_ESN) && sa->seq >= 3ull << (SEQ32_MAX_SHIFT - 2))) {
		sa->flags |= SA_SOFT_SENT;
		ev |= ESP_EVENT_SOFT;
	}
	return ev;
}

/* Trailer: padding 1, 2, 3, ... (RFC 4303 2.4), its length, the protocol inside. */
static uint32_t put_trailer(const struct sa_out *sa, uint8_t *end, uint32_t inner, uint8_t next)
{
	uint32_t pad = (sa->align - (inner + TRAILER_LEN) % sa->align) % sa->align;

	for (uint32_t i = 0; i < pad; i++)
		end[i] = (uint8_t)(i + 1);
	end[pad] = (uint8_t)pad;
	end[pad + 1] = next;
	return pad + TRAILER_LEN;
}

static bool put_iv(struct sa_out *sa, uint8_t *at, uint64_t seq)
{
	uint64_t iv = be64(seq + sa->iv_offset);
	uint8_t block[IV_LEN];

	if (!sa->random_iv) {
		/* RFC 4106 3.1, RFC 4309 3.1, RFC 3686 2.1, RFC 7634 2: any value that does not repeat under the
		 * key, and the number does not. */
		memcpy(at, &iv, sa->iv_len);
		return true;
	}
	if (!iv_gen_next(&sa->iv, block))
		return false;
	memcpy(at, block, sa->iv_len);
	return true;
}

/* Header, IV, TFC padding and trailer around what is at data; `headers` bytes will stand in front. */
static bool prepare(struct sa_out *sa, struct pkt *p, struct crypto_req *r, uint8_t next, uint32_t headers)
{
	uint32_t front = (uint32_t)sizeof(struct esp_hdr) + sa->iv_len, fill = 0;
	struct esp_hdr *esp;
	uint64_t seq;

	if (sa->tfc > p->len) /* RFC 4303 2.7 */
		fill = sa->tfc - p->len;
	if (pkt_headroom(p) < front + headers + ETH_LEN) {
		p->drop = XS_DROP_no_buffers;
		return false;
	}
	if (pkt_tailroom(p) < fill + sa->align + TRAILER_LEN + sa->icv_len + CRYPTO_TAIL) {
		p->drop = XS_DROP_no_tail_space;
		return false;
	}
	if (sa->seq == seq_last(sa)) {
		p->drop = XS_DROP_seq_cycled;
		return false;
	}
	seq = ++sa->seq;
	memset(p->data + p->len, 0, fill);
	r->len = p->len + fill;
	r->len += put_trailer(sa, p->data + r->len, r->len, next) + front;
	r->esp = p->data - front;
	r->seq_hi = (uint32_t)(seq >> 32);
	esp = (struct esp_hdr *)r->esp;
	esp->spi_be = be32(sa->spi);
	esp->seq_be = be32((uint32_t)seq);
	if (!put_iv(sa, r->esp + sizeof(*esp), seq)) {
		p->drop = XS_DROP_crypto_engine_error;
		return false;
	}
	return true;
}

static uint8_t drop_of(enum crypto_status status)
{
	return status == CRYPTO_QUEUE_FULL ? XS_DROP_crypto_queue_full : XS_DROP_crypto_engine_error;
}

/* The outer header last: the inner type of service and DF are read before the cipher hides them. */
struct inner_bits {
	uint8_t tos;
	bool df;
	uint32_t len;
};

/* RFC 4301 8.1: IPv6 knows no DF bit, being always so. */
static struct inner_bits inner_bits(const struct pkt *p)
{
	const struct ip4_hdr *ip = (const struct ip4_hdr *)p->data;

	if (p->data[0] >> 4 == 6)
		return (struct inner_bits){.tos = ip6_tos((const struct ip6_hdr_fixed *)p->data),
					   .df = true, .len = p->len};
	return (struct inner_bits){.tos = ip->tos, .df = ip4_df(ip), .len = p->len};
}

static void finish(struct sa_out *sa, struct pkt *p, const struct crypto_req *r,
		   const struct inner_bits *in, const struct transport *head)
{
	uint32_t n = r->len + sa->icv_len;

	if (sa->flags & SA_TRANSPORT) {
		transport_join(&sa->outer, p, head, r->esp, n);
	} else {
		p->data = r->esp - sa->outer.len;
		p->len = n + sa->outer.len;
		outer_write(&sa->outer, p->data, n, in->tos, in->df, sa->ip_id++);
	}
	memcpy(p->dst, sa->dst, sizeof(p->dst));
	sa->count.packets++;
	sa->count.bytes += in->len;
}

/* One packet of a burst, as far as it goes before the cipher. */
static bool begin(struct sa_out *sa, struct pkt *p, struct crypto_req *r, struct inner_bits *in,
		  struct transport *head)
{
	uint32_t udp = sa->outer.len - sa->outer.ip_len;
	uint8_t next = p->data[0] >> 4 == 6 ? IPPROTO_IPV6 : IPPROTO_IPIP;

	*in = inner_bits(p);
	if (!(sa->flags & SA_TRANSPORT))
		return prepare(sa, p, r, next, sa->outer.len);
	p->drop = transport_split(p, head);
	return !p->drop && prepare(sa, p, r, head->next, udp + head->len);
}

static uint8_t refused(const struct sa_out *sa)
{
	return sa->flags & SA_HARD ? XS_DROP_hard_limit : 0;
}

unsigned int esp_seal(struct sa_out *sa, struct pkt *const v[], unsigned int n, uint64_t now_ns)
{
	struct crypto_req req[PKT_BURST];
	struct inner_bits in[PKT_BURST];
	struct transport head[PKT_BURST]; /* written in transport mode only */
	struct pkt *p[PKT_BURST];
	unsigned int m = 0, ev = 0;

	seq_reserve(sa, n);
	for (unsigned int i = 0; i < n; i++) {
		v[i]->drop = refused(sa);
		if (v[i]->drop)
			continue;
		if (begin(sa, v[i], &req[m], &in[m], &head[m])) {
			p[m++] = v[i];
			continue;
		}
		if (v[i]->drop == XS_DROP_seq_cycled && !(sa->flags & SA_CYCLED)) {
			sa->flags |= SA_CYCLED;
			ev |= ESP_EVENT_HARD;
		}
	}
	if (!m)
		return ev;
	sa->session->backend->seal(sa->session, req, m);
	for (unsigned int i = 0; i < m; i++) {
		if (req[i].status == CRYPTO_OK)
			finish(sa, p[i], &req[i], &in[i], &head[i]);
		else
			p[i]->drop = drop_of(req[i].status);
	}
	sa->stat->packets = sa->count.packets;
	sa->stat->bytes = sa->count.bytes;
	sa->stat->last_ns = now_ns;
	return ev | limits(sa);
}
