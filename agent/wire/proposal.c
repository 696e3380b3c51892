/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload.h"

/* The SA payload, RFC 7296 3.3: proposals, transforms, attributes. */
enum {
	MORE_PROPOSALS = 2,
	MORE_TRANSFORMS = 3,
	ATTR_TV = 0x8000, /* the value stands in the place of the length */
	ATTR_KEY_LENGTH = 14,
};

/*
 * RFC 7296 3.3.6: a transform with an attribute that we do not understand is unacceptable, alone.
 * It keeps its type and gets an id that no algorithm has. Key Length is the only attribute there
 * is.
 */
static void get_attributes(struct rd *r, struct transform *t)
{
	while (r->n) {
		uint16_t type = rd_u16(r), v = rd_u16(r);
		bool repeated = t->key_bits != 0;

		if (!(type & ATTR_TV))
			rd_bytes(r, v);
		if (type == (ATTR_TV | ATTR_KEY_LENGTH) && v && !repeated)
			t->key_bits = v;
		else
			t->id = TRANSFORM_UNUSABLE;
	}
}

/* `more`: the field that tells whether another one follows was as it must be here. */
static enum wire_err get_transform(struct rd *r, bool last, struct transform *t)
{
	uint8_t more = rd_u8(r);
	uint16_t len;
	struct rd body;

	rd_u8(r); /* reserved */
	len = rd_u16(r);
	if (r->failed)
		return WIRE_SHORT;
	if (more != (last ? 0 : MORE_TRANSFORMS) || len < 8)
		return WIRE_SYNTAX;
	body = rd_sub(r, (size_t)len - 4);
	t->type = rd_u8(&body);
	rd_u8(&body); /* reserved */
	t->id = rd_u16(&body);
	get_attributes(&body, t);
	if (t->id == TRANSFORM_UNUSABLE)
		t->key_bits = 0;
	return body.failed ? WIRE_SHORT : WIRE_OK;
}

static bool spi_len_ok(uint8_t proto, uint8_t len)
{
	switch (proto) {
	case IKE_PROTO_IKE: /* none in IKE_SA_INIT, where the header has it */
		return len == 0 || len == IKE_SPI_LEN;
	case IKE_PROTO_AH:
	case IKE_PROTO_ESP:
		return len == 4;
	default:
		return len <= sizeof(((struct proposal *)0)->spi);
	}
}

static enum wire_err get_proposal_body(struct rd *r, struct proposal *p)
{
	uint8_t n;
	struct slice spi;

	p->number = rd_u8(r);
	p->proto = rd_u8(r);
	p->spi_len = rd_u8(r);
	n = rd_u8(r);
	if (r->failed)
		return WIRE_SHORT;
	if (!spi_len_ok(p->proto, p->spi_len))
		return WIRE_SYNTAX;
	spi = rd_bytes(r, p->spi_len);
	if (spi.n)
		memcpy(p->spi, spi.p, spi.n);
	if (n > IKE_TRANSFORMS_MAX)
		return WIRE_TOO_MANY;
	for (p->n = 0; p->n < n; p->n++) {
		enum wire_err err = get_transform(r, p->n + 1 == n, &p->t[p->n]);

		if (err)
			return err;
	}
	if (r->failed)
		return WIRE_SHORT;
	return r->n ? WIRE_TRAILING : WIRE_OK;
}

static enum wire_err get_proposal(struct rd *r, struct proposals *sa)
{
	struct proposal *p;
	uint8_t more = rd_u8(r);
	uint16_t len;
	struct rd body;
	enum wire_err err;

	rd_u8(r); /* reserved */
	len = rd_u16(r);
	if (r->failed)
		return WIRE_SHORT;
	if (len < 8)
		return WIRE_SYNTAX;
	body = rd_sub(r, (size_t)len - 4);
	if (r->failed)
		return WIRE_SHORT;
	if (more != (r->n ? MORE_PROPOSALS : 0))
		return WIRE_SYNTAX;
	if (sa->n == IKE_PROPOSALS_MAX)
		return WIRE_TOO_MANY;
	p = &sa->p[sa->n];
	err = get_proposal_body(&body, p);
	if (err)
		return err;
	/* an answer names the proposal it takes, so the first number is not always 1 */
	if (p->number == 0 || (sa->n && p->number != sa->p[sa->n - 1].number + 1))
		return WIRE_SYNTAX;
	sa->n++;
	return WIRE_OK;
}

enum wire_err wire_get_sa(struct rd *r, struct ike_msg *m)
{
	while (r->n) {
		enum wire_err err = get_proposal(r, &m->sa);

		if (err)
			return err;
	}
	return WIRE_OK;
}

static void put_transform(struct wr *w, const struct transform *t, bool last)
{
	size_t from = w->n, at;

	wr_u8(w, last ? 0 : MORE_TRANSFORMS);
	wr_u8(w, 0);
	at = wr_reserve(w, 2);
	wr_u8(w, t->type);
	wr_u8(w, 0);
	wr_u16(w, t->id);
	if (t->key_bits) {
		wr_u16(w, ATTR_TV | ATTR_KEY_LENGTH);
		wr_u16(w, t->key_bits);
	}
	wr_close(w, at, 2, from);
}

static void put_proposal(struct wr *w, const struct proposal *p, bool last)
{
	size_t from = w->n, at;

	if (p->n > IKE_TRANSFORMS_MAX || p->spi_len > sizeof(p->spi)) {
		w->failed = true;
		return;
	}
	wr_u8(w, last ? 0 : MORE_PROPOSALS);
	wr_u8(w, 0);
	at = wr_reserve(w, 2);
	wr_u8(w, p->number);
	wr_u8(w, p->proto);
	wr_u8(w, p->spi_len);
	wr_u8(w, (uint8_t)p->n);
	wr_bytes(w, p->spi, p->spi_len);
	for (unsigned int i = 0; i < p->n; i++)
		put_transform(w, &p->t[i], i + 1 == p->n);
	wr_close(w, at, 2, from);
}

void msg_put_sa(struct msg_wr *m, const struct proposals *sa)
{
	size_t at = msg_open(m, IKE_PL_SA);

	if (sa->n == 0 || sa->n > IKE_PROPOSALS_MAX)
		m->w.failed = true;
	for (unsigned int i = 0; wr_ok(&m->w) && i < sa->n; i++)
		put_proposal(&m->w, &sa->p[i], i + 1 == sa->n);
	msg_close(m, at);
}

const struct transform *proposal_find(const struct proposal *p, unsigned int type)
{
	for (unsigned int i = 0; i < p->n; i++) {
		if (p->t[i].type == type)
			return &p->t[i];
	}
	return NULL;
}

bool proposal_has(const struct proposal *p, unsigned int type, unsigned int id, unsigned int bits)
{
	for (unsigned int i = 0; i < p->n; i++) {
		if (p->t[i].type == type && p->t[i].id == id && p->t[i].key_bits == bits)
			return true;
	}
	return false;
}
