/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload.h"

#include <errno.h>

enum row_flag { MAY_REPEAT = 1, ENDS_CHAIN = 2 };

/* What we know of a payload before looking into it (RFC 7296 3.2 and the sections named). */
static const struct row {
	uint8_t type;
	uint8_t flags;
	uint8_t smallest; /* bytes of its body */
	enum wire_err (*get)(struct rd *r, struct ike_msg *m);
} rows[] = {
	{IKE_PL_SA, 0, 8, wire_get_sa},	   /* 3.3: one proposal without transforms */
	{IKE_PL_KE, 0, 5, wire_get_ke},	   /* 3.4: group, reserved, data */
	{IKE_PL_IDI, 0, 4, wire_get_id_i}, /* 3.5: ID_NULL has no data */
	{IKE_PL_IDR, 0, 4, wire_get_id_r},
	{IKE_PL_CERT, MAY_REPEAT, 2, wire_get_cert},	   /* 3.6 */
	{IKE_PL_CERTREQ, MAY_REPEAT, 1, wire_get_certreq}, /* 3.7: authority may be empty */
	{IKE_PL_AUTH, 0, 5, wire_get_auth},		   /* 3.8 */
	{IKE_PL_NONCE, 0, IKE_NONCE_MIN, wire_get_nonce},  /* 3.9 */
	{IKE_PL_NOTIFY, MAY_REPEAT, 4, wire_get_notify},   /* 3.10 */
	{IKE_PL_DELETE, MAY_REPEAT, 4, wire_get_delete},   /* 3.11 */
	{IKE_PL_VENDOR, MAY_REPEAT, 0, wire_get_vendor},   /* 3.12 */
	{IKE_PL_TSI, 0, 8, wire_get_ts_i}, /* 3.13: one selector of an unknown type */
	{IKE_PL_TSR, 0, 8, wire_get_ts_r},
	{IKE_PL_SK, ENDS_CHAIN, 1, wire_get_sk},   /* 3.14 */
	{IKE_PL_CP, 0, 4, wire_get_cp},		   /* 3.15 */
	{IKE_PL_EAP, 0, 4, wire_get_eap},	   /* 3.16 */
	{IKE_PL_SKF, ENDS_CHAIN, 5, wire_get_skf}, /* RFC 7383 2.5 */
};

static const struct row *row_find(uint8_t type)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].type == type)
			return &rows[i];
	}
	return NULL;
}

enum wire_err ike_hdr_decode(struct slice datagram, struct ike_hdr *hdr)
{
	struct rd r = rd_of(datagram);

	*hdr = (struct ike_hdr){0};
	hdr->spi_i = rd_u64(&r);
	hdr->spi_r = rd_u64(&r);
	hdr->next = rd_u8(&r);
	hdr->version = rd_u8(&r);
	hdr->exchange = rd_u8(&r);
	hdr->flags = rd_u8(&r);
	hdr->mid = rd_u32(&r);
	hdr->length = rd_u32(&r);
	if (r.failed)
		return WIRE_SHORT;
	/* the minor version and the reserved flags are the peer's business (RFC 7296 2.5, 3.1) */
	if (hdr->version >> 4 > IKE_VERSION >> 4)
		return WIRE_VERSION;
	if (hdr->version >> 4 < IKE_VERSION >> 4)
		return WIRE_OLD_VERSION;
	if (hdr->length != datagram.n || datagram.n > IKE_MSG_MAX)
		return WIRE_LENGTH;
	return hdr->spi_i ? WIRE_OK : WIRE_SYNTAX;
}

static enum wire_err skip_unknown(struct ike_msg *m, bool critical)
{
	if (critical)
		return WIRE_CRITICAL;
	if (m->n_unknown == IKE_UNKNOWN_MAX)
		return WIRE_TOO_MANY;
	m->n_unknown++;
	return WIRE_OK;
}

static enum wire_err payload_decode(const struct row *row, struct rd body, struct ike_msg *m)
{
	enum wire_err err;

	if (msg_has(m, row->type) && !(row->flags & MAY_REPEAT))
		return WIRE_REPEATED;
	if (body.n < row->smallest)
		return WIRE_SHORT;
	m->present |= IKE_PRESENT(row->type);
	err = row->get(&body, m);
	if (body.failed)
		return WIRE_SHORT;
	if (err)
		return err;
	return rd_done(&body) ? WIRE_OK : WIRE_TRAILING;
}

/* One payload off the chain; *type becomes that of the next. */
static enum wire_err chain_step(struct rd *r, uint8_t *type, bool inner, struct ike_msg *m)
{
	const struct row *row = row_find(*type);
	uint8_t next = rd_u8(r);
	bool critical = rd_u8(r) & 0x80;
	uint16_t len = rd_u16(r);
	struct rd body;

	if (m->n_payloads == IKE_PAYLOADS_MAX)
		return WIRE_TOO_MANY;
	m->n_payloads++;
	if (!r->failed && len < IKE_PAYLOAD_HDR_LEN)
		return WIRE_SYNTAX;
	body = rd_sub(r, (size_t)len - IKE_PAYLOAD_HDR_LEN);
	if (r->failed)
		return WIRE_SHORT;
	*type = next;
	if (!row)
		return skip_unknown(m, critical);
	if (row->flags & ENDS_CHAIN) {
		if (inner)
			return WIRE_SYNTAX;
		if (r->n)
			return WIRE_TRAILING;
		m->sk.first = next;
		*type = IKE_PL_NONE;
	}
	return payload_decode(row, body, m);
}

static enum wire_err chain_decode(struct rd r, uint8_t first, bool inner, struct ike_msg *m)
{
	size_t end = r.n + (inner ? 0 : IKE_HDR_LEN);
	uint8_t type = first;

	while (type != IKE_PL_NONE) {
		size_t at = end - r.n;
		uint8_t this = type;
		enum wire_err err = chain_step(&r, &type, inner, m);

		if (err) {
			m->bad_payload = this;
			m->bad_at = at;
			return err;
		}
	}
	m->bad_at = end - r.n;
	return rd_done(&r) ? WIRE_OK : WIRE_TRAILING;
}

bool payload_next(struct rd *r, uint8_t *type, struct payload_at *out)
{
	uint16_t len;

	if (*type == IKE_PL_NONE || r->failed)
		return false;
	*out = (struct payload_at){.type = *type};
	out->next = rd_u8(r);
	out->critical = rd_u8(r) & 0x80;
	len = rd_u16(r);
	if (len < IKE_PAYLOAD_HDR_LEN)
		rd_fail(r);
	out->body = rd_bytes(r, (size_t)len - IKE_PAYLOAD_HDR_LEN);
	if (r->failed)
		return false;
	/* what follows inside SK names is encrypted */
	*type = out->type == IKE_PL_SK || out->type == IKE_PL_SKF ? (uint8_t)IKE_PL_NONE : out->next;
	return true;
}

enum wire_err payload_look(const struct payload_at *p, struct ike_msg *m)
{
	const struct row *row = row_find(p->type);

	return row ? payload_decode(row, rd_of(p->body), m) : WIRE_OK;
}

enum wire_err msg_decode(struct slice datagram, struct ike_msg *msg)
{
	struct rd r = rd_of(datagram);
	enum wire_err err;

	*msg = (struct ike_msg){0};
	err = ike_hdr_decode(datagram, &msg->hdr);
	if (err)
		return err;
	rd_bytes(&r, IKE_HDR_LEN);
	err = chain_decode(r, msg->hdr.next, false, msg);
	if (err)
		return err;
	/* SK ends the datagram, so all before its body is what its ICV covers besides it */
	if (msg->sk.present)
		msg->sk.aad = slice_of(datagram.p, datagram.n - msg->sk.body.n);
	return WIRE_OK;
}

enum wire_err msg_decode_inner(struct slice plain, uint8_t first, struct ike_msg *msg)
{
	msg->sk.plain = plain;
	return chain_decode(rd_of(plain), first, true, msg);
}

const struct ike_notify_pl *msg_notify(const struct ike_msg *m, unsigned int type)
{
	for (unsigned int i = 0; i < m->n_notify; i++) {
		if (m->notify[i].type == type)
			return &m->notify[i];
	}
	return NULL;
}

const struct ike_notify_pl *msg_error_notify(const struct ike_msg *m)
{
	for (unsigned int i = 0; i < m->n_notify; i++) {
		if (m->notify[i].type <= N_ERROR_MAX)
			return &m->notify[i];
	}
	return NULL;
}

/* ---- writing ------------------------------------------------------------------------------- */

void msg_wr_init(struct msg_wr *m, void *buf, size_t cap)
{
	*m = (struct msg_wr){.w = wr_of(buf, cap), .first = IKE_PL_NONE, .last_next = SIZE_MAX};
}

size_t msg_open(struct msg_wr *m, unsigned int type)
{
	size_t next_at = m->w.n, at;

	wr_u8(&m->w, IKE_PL_NONE);
	wr_u8(&m->w, 0); /* critical bit: never set on payloads of RFC 7296 (2.5) */
	at = wr_reserve(&m->w, 2);
	if (!wr_ok(&m->w))
		return at;
	if (m->last_next == SIZE_MAX)
		m->first = (uint8_t)type;
	else
		m->w.p[m->last_next] = (uint8_t)type;
	m->last_next = next_at;
	return at;
}

void msg_close(struct msg_wr *m, size_t at)
{
	if (wr_ok(&m->w))
		wr_close(&m->w, at, 2, at - 2);
}

void ike_hdr_put(struct wr *w, const struct ike_hdr *hdr)
{
	wr_u64(w, hdr->spi_i);
	wr_u64(w, hdr->spi_r);
	wr_u8(w, hdr->next);
	wr_u8(w, hdr->version);
	wr_u8(w, hdr->exchange);
	wr_u8(w, hdr->flags);
	wr_u32(w, hdr->mid);
	wr_u32(w, hdr->length);
}

int msg_seal_plain(const struct ike_hdr *hdr, const struct msg_wr *chain, struct wr *out)
{
	struct ike_hdr h = *hdr;
	size_t len = IKE_HDR_LEN + chain->w.n;

	if (!wr_ok(&chain->w) || len > IKE_MSG_MAX)
		return -EMSGSIZE;
	h.next = chain->first;
	h.length = (uint32_t)len;
	ike_hdr_put(out, &h);
	wr_put(out, wr_slice(&chain->w));
	return wr_ok(out) ? 0 : -EMSGSIZE;
}
