/* SPDX-License-Identifier: BSD-2-Clause */
#include "decode.h"

#include <stdlib.h>

/* An IKE message: header, payloads in their order, what is encrypted when its keys are there, and what is wrong with it. */

struct reader {
	const struct decode_keys *keys;
	struct joiner *join;
	struct slice datagram;
	struct ike_hdr hdr;
};

static json_t *spi_new(uint64_t spi)
{
	char text[17];

	snprintf(text, sizeof(text), "%016llx", (unsigned long long)spi);
	return json_string(text);
}

static void put_error(json_t *o, enum wire_err err, const struct ike_msg *m)
{
	const char *name = ike_payload_name(m->bad_payload);
	json_t *e = json_object();

	json_object_set_new(e, "payload", name ? json_string(name) : json_null());
	json_object_set_new(e, "payload_type", json_integer(m->bad_payload));
	json_object_set_new(e, "at", json_integer((json_int_t)m->bad_at));
	json_object_set_new(e, "what", json_string(wire_err_str(err)));
	json_object_set_new(e, "rule", json_string(wire_rule(err, m->bad_payload)));
	json_object_set_new(o, "error", e);
}

static json_t *payload_new(const struct payload_at *p, size_t at)
{
	const char *name = ike_payload_name(p->type);
	json_t *o = json_object();

	json_object_set_new(o, "payload", name ? json_string(name) : json_null());
	json_object_set_new(o, "type", json_integer(p->type));
	json_object_set_new(o, "at", json_integer((json_int_t)at));
	json_object_set_new(o, "length", json_integer((json_int_t)(p->body.n + IKE_PAYLOAD_HDR_LEN)));
	if (p->critical)
		json_object_set_new(o, "critical", json_true());
	return o;
}

/* The payloads of a chain that starts `base` bytes into what it is a part of, as far as they can be walked. */
static json_t *chain_new(struct slice chain, uint8_t first, size_t base)
{
	struct rd r = rd_of(chain);
	json_t *list = json_array();
	struct payload_at p;
	uint8_t type = first;

	for (size_t at = base; payload_next(&r, &type, &p); at = base + chain.n - r.n) {
		json_t *o = payload_new(&p, at);

		if (p.type != IKE_PL_SK && p.type != IKE_PL_SKF)
			decode_payload(o, &p);
		json_array_append_new(list, o);
	}
	return list;
}

/* What was decrypted, into the object of SK. */
static void put_inner(json_t *sk, struct ike_msg *m, struct slice plain, uint8_t first)
{
	enum wire_err err;

	json_object_set_new(sk, "payloads", chain_new(plain, first, 0));
	m->bad_payload = 0;
	m->bad_at = 0;
	err = msg_decode_inner(plain, first, m);
	if (err)
		put_error(sk, err, m);
}

static void put_fragment(json_t *sk, const struct reader *rd, struct ike_msg *m, struct slice plain)
{
	uint8_t first = 0, *whole;
	size_t n = 0;

	whole = joiner_add(rd->join, m, plain, &n, &first);
	if (!whole)
		return;
	json_object_set_new(sk, "joined", json_integer(m->sk.total));
	put_inner(sk, m, slice_of(whole, n), first);
	free(whole);
}

static void open_sk(json_t *sk, const struct reader *rd, struct ike_msg *m)
{
	static uint8_t plain[IKE_MSG_MAX + 1];
	const struct ike_key *k = keys_of_ike(rd->keys, m->hdr.spi_i, m->hdr.spi_r);
	bool initiator = m->hdr.flags & IKE_FLAG_INITIATOR;
	size_t n;

	if (m->sk.fragment) {
		json_object_set_new(sk, "fragment", json_integer(m->sk.number));
		json_object_set_new(sk, "fragments", json_integer(m->sk.total));
	}
	json_object_set_new(sk, "first", json_integer(m->sk.first));
	json_object_set_new(sk, "encrypted", json_integer((json_int_t)m->sk.body.n));
	if (!k) {
		json_object_set_new(sk, "keys", json_string("none"));
		return;
	}
	if (sk_open(&k->suite, initiator ? &k->ei : &k->er, initiator ? &k->ai : &k->ar, m, plain, sizeof(plain),
		    &n) < 0) {
		json_object_set_new(sk, "keys", json_string("wrong"));
		return;
	}
	json_object_set_new(sk, "keys", json_string("right"));
	if (m->sk.fragment)
		put_fragment(sk, rd, m, slice_of(plain, n));
	else
		put_inner(sk, m, slice_of(plain, n), m->sk.first);
}

static void put_header(json_t *o, const struct ike_hdr *h)
{
	const char *exchange = ike_exchange_name(h->exchange);
	char version[16];

	snprintf(version, sizeof(version), "%u.%u", h->version >> 4, h->version & 15);
	json_object_set_new(o, "spi_i", spi_new(h->spi_i));
	json_object_set_new(o, "spi_r", spi_new(h->spi_r));
	json_object_set_new(o, "version", json_string(version));
	json_object_set_new(o, "exchange", exchange && h->version >> 4 == 2 ? json_string(exchange) : json_null());
	json_object_set_new(o, "exchange_type", json_integer(h->exchange));
	json_object_set_new(o, "initiator", json_boolean(h->flags & IKE_FLAG_INITIATOR));
	json_object_set_new(o, "response", json_boolean(h->flags & IKE_FLAG_RESPONSE));
	json_object_set_new(o, "flags", json_integer(h->flags));
	json_object_set_new(o, "mid", json_integer(h->mid));
	json_object_set_new(o, "length", json_integer(h->length));
}

json_t *decode_ike(struct slice datagram, const struct decode_keys *keys, struct joiner *join)
{
	static struct ike_msg m;
	struct reader rd = {.keys = keys, .join = join, .datagram = datagram};
	enum wire_err err = ike_hdr_decode(datagram, &rd.hdr);
	json_t *o = json_object(), *list, *last;

	if (err == WIRE_SHORT) {
		m = (struct ike_msg){0};
		put_error(o, err, &m);
		return o;
	}
	put_header(o, &rd.hdr);
	if (err == WIRE_VERSION || err == WIRE_OLD_VERSION) {
		m = (struct ike_msg){0};
		put_error(o, err, &m);
		return o;
	}
	list = chain_new(slice_of(datagram.p + IKE_HDR_LEN, datagram.n - IKE_HDR_LEN), rd.hdr.next, IKE_HDR_LEN);
	json_object_set_new(o, "payloads", list);
	err = msg_decode(datagram, &m);
	if (err) {
		put_error(o, err, &m);
		return o;
	}
	last = json_array_get(list, json_array_size(list) - 1);
	if (m.sk.present && last)
		open_sk(last, &rd, &m);
	return o;
}
