/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/wire/msg.h"

/*
 * encode(decode(x)) for tests and fuzzers: writes what a message decoded to, in the order of the
 * struct, and compares two decoded messages by content. Both know every payload; one that is added
 * and forgotten here shows as a difference in wire_test.
 */
static inline void again_chain(struct msg_wr *c, const struct ike_msg *m)
{
	if (msg_has(m, IKE_PL_SA))
		msg_put_sa(c, &m->sa);
	if (msg_has(m, IKE_PL_KE))
		msg_put_ke(c, m->ke.group, m->ke.data);
	if (msg_has(m, IKE_PL_NONCE))
		msg_put_nonce(c, m->nonce);
	if (msg_has(m, IKE_PL_IDI))
		msg_put_id(c, IKE_PL_IDI, &m->id_i);
	if (msg_has(m, IKE_PL_IDR))
		msg_put_id(c, IKE_PL_IDR, &m->id_r);
	for (unsigned int i = 0; i < m->n_cert; i++)
		msg_put_cert(c, IKE_PL_CERT, m->cert[i].encoding, m->cert[i].data);
	for (unsigned int i = 0; i < m->n_certreq; i++)
		msg_put_cert(c, IKE_PL_CERTREQ, m->certreq[i].encoding, m->certreq[i].data);
	if (msg_has(m, IKE_PL_AUTH))
		msg_put_auth(c, m->auth.method, m->auth.data);
	/* a list of selectors that all were of unknown types cannot be said */
	if (m->ts_i.n)
		msg_put_ts(c, IKE_PL_TSI, &m->ts_i);
	if (m->ts_r.n)
		msg_put_ts(c, IKE_PL_TSR, &m->ts_r);
	for (unsigned int i = 0; i < m->n_notify; i++)
		msg_put_notify(c, m->notify[i].proto, m->notify[i].type, m->notify[i].spi,
			       m->notify[i].data);
	for (unsigned int i = 0; i < m->n_delete; i++)
		msg_put_delete(c, m->del[i].proto, m->del[i].spi, m->del[i].n);
	for (unsigned int i = 0; i < m->n_vendor; i++)
		msg_put_raw(c, IKE_PL_VENDOR, m->vendor[i]);
	if (msg_has(m, IKE_PL_CP))
		msg_put_raw(c, IKE_PL_CP, m->cp);
	if (msg_has(m, IKE_PL_EAP))
		msg_put_raw(c, IKE_PL_EAP, m->eap);
}

/* The unencrypted part and, behind it, SK or SKF as it came. The datagram's length, 0 when it does
 * not fit. */
static inline size_t again_datagram(const struct ike_msg *m, void *chain_buf, void *out, size_t cap)
{
	struct wr w = wr_of(out, cap);
	struct msg_wr c;
	size_t at;

	msg_wr_init(&c, chain_buf, cap);
	again_chain(&c, m);
	if (m->sk.present) {
		at = msg_open(&c, m->sk.fragment ? IKE_PL_SKF : IKE_PL_SK);
		if (wr_ok(&c.w))
			c.w.p[c.last_next] = m->sk.first;
		if (m->sk.fragment) {
			wr_u16(&c.w, m->sk.number);
			wr_u16(&c.w, m->sk.total);
		}
		wr_put(&c.w, m->sk.body);
		msg_close(&c, at);
	}
	return msg_seal_plain(&m->hdr, &c, &w) ? 0 : w.n;
}

static inline bool same_slice(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool same_proposals(const struct proposals *a, const struct proposals *b)
{
	if (a->n != b->n)
		return false;
	for (unsigned int i = 0; i < a->n; i++) {
		const struct proposal *p = &a->p[i], *q = &b->p[i];

		if (p->number != q->number || p->proto != q->proto || p->spi_len != q->spi_len ||
		    memcmp(p->spi, q->spi, p->spi_len) || p->n != q->n)
			return false;
		for (unsigned int k = 0; k < p->n; k++) {
			if (p->t[k].type != q->t[k].type || p->t[k].id != q->t[k].id ||
			    p->t[k].key_bits != q->t[k].key_bits)
				return false;
		}
	}
	return true;
}

static inline bool same_certs(const struct ike_cert_pl *a, const struct ike_cert_pl *b,
			      unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (a[i].encoding != b[i].encoding || !same_slice(a[i].data, b[i].data))
			return false;
	}
	return true;
}

static inline bool same_notifies(const struct ike_msg *a, const struct ike_msg *b)
{
	if (a->n_notify != b->n_notify || a->n_delete != b->n_delete || a->n_vendor != b->n_vendor)
		return false;
	for (unsigned int i = 0; i < a->n_notify; i++) {
		const struct ike_notify_pl *n = &a->notify[i], *o = &b->notify[i];

		if (n->proto != o->proto || n->type != o->type || !same_slice(n->spi, o->spi) ||
		    !same_slice(n->data, o->data))
			return false;
	}
	for (unsigned int i = 0; i < a->n_delete; i++) {
		const struct ike_delete_pl *d = &a->del[i], *e = &b->del[i];

		if (d->proto != e->proto || d->n != e->n ||
		    memcmp(d->spi, e->spi, d->n * sizeof(d->spi[0])))
			return false;
	}
	for (unsigned int i = 0; i < a->n_vendor; i++) {
		if (!same_slice(a->vendor[i], b->vendor[i]))
			return false;
	}
	return true;
}

static inline bool same_msg(const struct ike_msg *a, const struct ike_msg *b)
{
	return a->hdr.spi_i == b->hdr.spi_i && a->hdr.spi_r == b->hdr.spi_r &&
	       a->hdr.version == b->hdr.version && a->hdr.exchange == b->hdr.exchange &&
	       a->hdr.flags == b->hdr.flags && a->hdr.mid == b->hdr.mid &&
	       same_proposals(&a->sa, &b->sa) && a->ke.group == b->ke.group &&
	       same_slice(a->ke.data, b->ke.data) && same_slice(a->nonce, b->nonce) &&
	       a->id_i.type == b->id_i.type && same_slice(a->id_i.data, b->id_i.data) &&
	       a->id_r.type == b->id_r.type && same_slice(a->id_r.data, b->id_r.data) &&
	       a->auth.method == b->auth.method && same_slice(a->auth.data, b->auth.data) &&
	       ts_list_equal(&a->ts_i, &b->ts_i) && ts_list_equal(&a->ts_r, &b->ts_r) &&
	       a->n_cert == b->n_cert && same_certs(a->cert, b->cert, a->n_cert) &&
	       a->n_certreq == b->n_certreq && same_certs(a->certreq, b->certreq, a->n_certreq) &&
	       same_notifies(a, b) && same_slice(a->cp, b->cp) && same_slice(a->eap, b->eap) &&
	       a->sk.present == b->sk.present && a->sk.fragment == b->sk.fragment &&
	       a->sk.number == b->sk.number && a->sk.total == b->sk.total &&
	       a->sk.first == b->sk.first && same_slice(a->sk.body, b->sk.body);
}
