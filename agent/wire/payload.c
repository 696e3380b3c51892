/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload.h"

/* The payloads that are a few fixed fields and a rest: reader and writer of each side by side. */

/* ---- KE, RFC 7296 3.4 ---- */
enum wire_err wire_get_ke(struct rd *r, struct ike_msg *m)
{
	m->ke.group = rd_u16(r);
	rd_u16(r); /* reserved */
	m->ke.data = rd_rest(r);
	return WIRE_OK;
}

void msg_put_ke(struct msg_wr *m, uint16_t group, struct slice data)
{
	size_t at = msg_open(m, IKE_PL_KE);

	wr_u16(&m->w, group);
	wr_u16(&m->w, 0);
	wr_put(&m->w, data);
	msg_close(m, at);
}

/* ---- Nonce, 3.9 ---- */
enum wire_err wire_get_nonce(struct rd *r, struct ike_msg *m)
{
	m->nonce = rd_rest(r);
	return m->nonce.n <= IKE_NONCE_MAX ? WIRE_OK : WIRE_SYNTAX;
}

void msg_put_nonce(struct msg_wr *m, struct slice nonce)
{
	msg_put_raw(m, IKE_PL_NONCE, nonce);
}

/* ---- IDi and IDr, 3.5 ---- */
static enum wire_err get_id(struct rd *r, struct ike_id *id)
{
	id->type = rd_u8(r);
	rd_bytes(r, 3); /* reserved */
	id->data = rd_rest(r);
	if (id->type == 0 || id->data.n > IKE_ID_MAX)
		return WIRE_SYNTAX;
	if (id->type == ID_IPV4_ADDR && id->data.n != 4)
		return WIRE_SYNTAX;
	if (id->type == ID_IPV6_ADDR && id->data.n != 16)
		return WIRE_SYNTAX;
	return WIRE_OK;
}

enum wire_err wire_get_id_i(struct rd *r, struct ike_msg *m)
{
	return get_id(r, &m->id_i);
}

enum wire_err wire_get_id_r(struct rd *r, struct ike_msg *m)
{
	return get_id(r, &m->id_r);
}

void id_body(struct wr *w, const struct ike_id *id)
{
	wr_u8(w, id->type);
	wr_zero(w, 3);
	wr_put(w, id->data);
}

void msg_put_id(struct msg_wr *m, unsigned int type, const struct ike_id *id)
{
	size_t at = msg_open(m, type);

	id_body(&m->w, id);
	msg_close(m, at);
}

/* ---- CERT and CERTREQ, 3.6, 3.7 ---- */
static enum wire_err get_cert(struct rd *r, struct ike_cert_pl *list, uint16_t *n, uint16_t max)
{
	struct ike_cert_pl *c;

	if (*n == max)
		return WIRE_TOO_MANY;
	c = &list[(*n)++];
	c->encoding = rd_u8(r);
	c->data = rd_rest(r);
	return WIRE_OK;
}

enum wire_err wire_get_cert(struct rd *r, struct ike_msg *m)
{
	return get_cert(r, m->cert, &m->n_cert, IKE_CERTS_MAX);
}

enum wire_err wire_get_certreq(struct rd *r, struct ike_msg *m)
{
	return get_cert(r, m->certreq, &m->n_certreq, IKE_CERTREQS_MAX);
}

void msg_put_cert(struct msg_wr *m, unsigned int type, uint8_t encoding, struct slice data)
{
	size_t at = msg_open(m, type);

	wr_u8(&m->w, encoding);
	wr_put(&m->w, data);
	msg_close(m, at);
}

/* ---- AUTH, 3.8 ---- */
enum wire_err wire_get_auth(struct rd *r, struct ike_msg *m)
{
	m->auth.method = rd_u8(r);
	rd_bytes(r, 3); /* reserved */
	m->auth.data = rd_rest(r);
	return WIRE_OK;
}

void msg_put_auth(struct msg_wr *m, uint8_t method, struct slice data)
{
	size_t at = msg_open(m, IKE_PL_AUTH);

	wr_u8(&m->w, method);
	wr_zero(&m->w, 3);
	wr_put(&m->w, data);
	msg_close(m, at);
}

/* ---- Notify, 3.10 ---- */

/* Sizes of the data where the RFC fixes them: what reads these notifies relies on it. */
static const struct notify_size {
	uint16_t type;
	uint16_t min, max;
} notify_sizes[] = {
	{N_INVALID_KE_PAYLOAD, 2, 2},	     /* 1.3: a group number */
	{N_SET_WINDOW_SIZE, 4, 4},	     /* 2.3 */
	{N_IPCOMP_SUPPORTED, 3, UINT16_MAX}, /* 2.22: CPI, transform, its attributes */
	{N_NAT_DETECTION_SOURCE_IP, 20, 20}, /* 2.23: a SHA-1 value */
	{N_NAT_DETECTION_DESTINATION_IP, 20, 20},
	{N_COOKIE, 1, IKE_COOKIE_MAX}, /* 2.6 */
};

static bool notify_size_ok(const struct ike_notify_pl *n)
{
	for (size_t i = 0; i < sizeof(notify_sizes) / sizeof(notify_sizes[0]); i++) {
		const struct notify_size *s = &notify_sizes[i];

		if (s->type == n->type)
			return n->data.n >= s->min && n->data.n <= s->max;
	}
	return true;
}

/*
 * Protocol and SPI are taken as they come: peers send REKEY_SA with protocol 0 or 1 or without
 * an SPI, and whether that names a Child SA is a question for the exchange.
 */
enum wire_err wire_get_notify(struct rd *r, struct ike_msg *m)
{
	struct ike_notify_pl *n;
	uint8_t spi_len;

	if (m->n_notify == IKE_NOTIFIES_MAX)
		return WIRE_TOO_MANY;
	n = &m->notify[m->n_notify++];
	n->proto = rd_u8(r);
	spi_len = rd_u8(r);
	n->type = rd_u16(r);
	n->spi = rd_bytes(r, spi_len);
	n->data = rd_rest(r);
	return notify_size_ok(n) ? WIRE_OK : WIRE_SYNTAX;
}

void msg_put_notify(struct msg_wr *m, uint8_t proto, uint16_t type, struct slice spi,
		    struct slice data)
{
	size_t at = msg_open(m, IKE_PL_NOTIFY);

	if (spi.n > UINT8_MAX) {
		m->w.failed = true;
		return;
	}
	wr_u8(&m->w, proto);
	wr_u8(&m->w, (uint8_t)spi.n);
	wr_u16(&m->w, type);
	wr_put(&m->w, spi);
	wr_put(&m->w, data);
	msg_close(m, at);
}

/* ---- Delete, 3.11 ---- */
static enum wire_err get_delete_spis(struct rd *r, struct ike_delete_pl *d, uint16_t n)
{
	if (d->spi_len != 4)
		return WIRE_SYNTAX;
	if (n > IKE_DELETE_SPIS_MAX)
		return WIRE_TOO_MANY;
	for (uint16_t i = 0; i < n; i++)
		d->spi[i] = rd_u32(r);
	d->n = n;
	return WIRE_OK;
}

enum wire_err wire_get_delete(struct rd *r, struct ike_msg *m)
{
	struct ike_delete_pl *d;
	uint16_t n;

	if (m->n_delete == IKE_DELETES_MAX)
		return WIRE_TOO_MANY;
	d = &m->del[m->n_delete++];
	d->proto = rd_u8(r);
	d->spi_len = rd_u8(r);
	n = rd_u16(r);
	switch (d->proto) {
	case IKE_PROTO_IKE: /* the IKE SA is that of the header */
		return d->spi_len == 0 ? WIRE_OK : WIRE_SYNTAX;
	case IKE_PROTO_AH:
	case IKE_PROTO_ESP:
		return get_delete_spis(r, d, n);
	default: /* a protocol that we have no SA of: nothing to delete */
		rd_bytes(r, (size_t)n * d->spi_len);
		return WIRE_OK;
	}
}

void msg_put_delete_ike(struct msg_wr *m)
{
	msg_put_delete(m, IKE_PROTO_IKE, NULL, 0);
}

void msg_put_delete(struct msg_wr *m, uint8_t proto, const uint32_t *spis, uint16_t n)
{
	size_t at = msg_open(m, IKE_PL_DELETE);

	wr_u8(&m->w, proto);
	wr_u8(&m->w, proto == IKE_PROTO_AH || proto == IKE_PROTO_ESP ? 4 : 0);
	wr_u16(&m->w, n);
	for (uint16_t i = 0; i < n; i++)
		wr_u32(&m->w, spis[i]);
	msg_close(m, at);
}

/* ---- Vendor ID, CP, EAP: bodies as they are, 3.12, 3.15, 3.16 ---- */
enum wire_err wire_get_vendor(struct rd *r, struct ike_msg *m)
{
	if (m->n_vendor == IKE_VENDORS_MAX)
		return WIRE_TOO_MANY;
	m->vendor[m->n_vendor++] = rd_rest(r);
	return WIRE_OK;
}

enum wire_err wire_get_cp(struct rd *r, struct ike_msg *m)
{
	m->cp = rd_rest(r);
	return WIRE_OK;
}

enum wire_err wire_get_eap(struct rd *r, struct ike_msg *m)
{
	m->eap = rd_rest(r);
	return WIRE_OK;
}

void msg_put_raw(struct msg_wr *m, unsigned int type, struct slice body)
{
	size_t at = msg_open(m, type);

	wr_put(&m->w, body);
	msg_close(m, at);
}

/* ---- SK and SKF, 3.14 and RFC 7383 2.5: opened elsewhere ---- */
enum wire_err wire_get_sk(struct rd *r, struct ike_msg *m)
{
	m->sk.present = true;
	m->sk.body = rd_rest(r);
	return WIRE_OK;
}

enum wire_err wire_get_skf(struct rd *r, struct ike_msg *m)
{
	m->sk.present = true;
	m->sk.fragment = true;
	m->sk.number = rd_u16(r);
	m->sk.total = rd_u16(r);
	m->sk.body = rd_rest(r);
	if (m->sk.number == 0 || m->sk.number > m->sk.total)
		return WIRE_SYNTAX;
	return WIRE_OK;
}
