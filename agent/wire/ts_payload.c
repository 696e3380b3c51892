/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload.h"

/* TSi and TSr, RFC 7296 3.13. */
enum { TS_HDR_LEN = 4, TS_OPAQUE_LO = 65535, TS_OPAQUE_HI = 0 };

static void get_addr(struct rd *r, uint8_t family, struct ip_addr *a)
{
	struct slice s = rd_bytes(r, family == 4 ? 4 : 16);

	a->family = family;
	if (s.n)
		memcpy(a->b, s.p, s.n);
}

/* The part behind the length; exactly two ports and two addresses. */
static enum wire_err get_range(struct rd *r, uint8_t family, struct ts *ts)
{
	ts->port_lo = rd_u16(r);
	ts->port_hi = rd_u16(r);
	get_addr(r, family, &ts->lo);
	get_addr(r, family, &ts->hi);
	if (!rd_done(r))
		return WIRE_SYNTAX;
	if (addr_cmp(&ts->lo, &ts->hi) > 0)
		return WIRE_SYNTAX;
	if (ts->port_lo > ts->port_hi &&
	    !(ts->port_lo == TS_OPAQUE_LO && ts->port_hi == TS_OPAQUE_HI))
		return WIRE_SYNTAX;
	return WIRE_OK;
}

static enum wire_err get_ts(struct rd *r, struct ts_list *list)
{
	struct ts ts = {0};
	uint8_t type = rd_u8(r);
	uint16_t len;
	struct rd body;
	enum wire_err err;

	ts.protocol = rd_u8(r);
	len = rd_u16(r);
	if (r->failed)
		return WIRE_SHORT;
	if (len < TS_HDR_LEN)
		return WIRE_SYNTAX;
	body = rd_sub(r, (size_t)len - TS_HDR_LEN);
	if (r->failed)
		return WIRE_SHORT;
	if (type != TS_IPV4_ADDR_RANGE && type != TS_IPV6_ADDR_RANGE)
		return WIRE_OK; /* what we cannot match is not in the list: narrowed away */
	err = get_range(&body, type == TS_IPV4_ADDR_RANGE ? 4 : 6, &ts);
	if (err)
		return err;
	/* RFC 7296 2.9: a responder may take a part of what is offered. */
	if (list->n == IKE_TS_MAX)
		list->more = true;
	else
		list->ts[list->n++] = ts;
	return WIRE_OK;
}

static enum wire_err get_ts_list(struct rd *r, struct ts_list *list)
{
	uint8_t n = rd_u8(r);

	rd_bytes(r, 3); /* reserved */
	if (n == 0)
		return WIRE_SYNTAX;
	for (unsigned int i = 0; i < n; i++) {
		enum wire_err err = get_ts(r, list);

		if (err)
			return err;
	}
	return WIRE_OK;
}

enum wire_err wire_get_ts_i(struct rd *r, struct ike_msg *m)
{
	return get_ts_list(r, &m->ts_i);
}

enum wire_err wire_get_ts_r(struct rd *r, struct ike_msg *m)
{
	return get_ts_list(r, &m->ts_r);
}

static void put_ts(struct wr *w, const struct ts *ts)
{
	size_t from = w->n, at;

	if (ts->lo.family != ts->hi.family || (ts->lo.family != 4 && ts->lo.family != 6)) {
		w->failed = true;
		return;
	}
	wr_u8(w, ts->lo.family == 4 ? TS_IPV4_ADDR_RANGE : TS_IPV6_ADDR_RANGE);
	wr_u8(w, ts->protocol);
	at = wr_reserve(w, 2);
	wr_u16(w, ts->port_lo);
	wr_u16(w, ts->port_hi);
	wr_bytes(w, ts->lo.b, addr_len(&ts->lo));
	wr_bytes(w, ts->hi.b, addr_len(&ts->hi));
	wr_close(w, at, 2, from);
}

void msg_put_ts(struct msg_wr *m, unsigned int type, const struct ts_list *ts)
{
	size_t at = msg_open(m, type);

	if (ts->n == 0 || ts->n > IKE_TS_MAX)
		m->w.failed = true;
	wr_u8(&m->w, (uint8_t)ts->n);
	wr_zero(&m->w, 3);
	for (unsigned int i = 0; wr_ok(&m->w) && i < ts->n; i++)
		put_ts(&m->w, &ts->ts[i]);
	msg_close(m, at);
}
