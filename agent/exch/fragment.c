/* SPDX-License-Identifier: BSD-2-Clause */
#include "exch.h"

#include <errno.h>
#include <stdlib.h>

/* ---- receiving -------------------------------------------------------------------------------- */

static bool same_message(const struct reassembly *r, const struct ike_msg *msg)
{
	return r->mid == msg->hdr.mid && r->exchange == msg->hdr.exchange;
}

bool fragment_wanted(const struct reassembly *r, const struct ike_msg *msg)
{
	if (!r || !same_message(r, msg))
		return true;
	/* RFC 7383 2.6: of one cut there is each number once, and a coarser cut is an older one. */
	if (msg->sk.total < r->total)
		return false;
	return msg->sk.total > r->total || !r->piece[msg->sk.number - 1].p;
}

void fragments_drop(struct reassembly **r)
{
	if (!*r)
		return;
	for (unsigned int i = 0; i < (*r)->total; i++)
		free((*r)->piece[i].p);
	free(*r);
	*r = NULL;
}

static struct reassembly *reassembly_new(const struct ike_msg *msg)
{
	struct reassembly *r = calloc(1, sizeof(*r) + msg->sk.total * sizeof(r->piece[0]));

	if (!r)
		return NULL;
	r->mid = msg->hdr.mid;
	r->exchange = msg->hdr.exchange;
	r->total = msg->sk.total;
	return r;
}

int fragment_add(struct reassembly **r, const struct ike_msg *msg, struct slice plain,
		 struct slice datagram, size_t most)
{
	struct piece *piece;

	/* RFC 7383 2.6: more fragments than before is a finer cut of the message; what is here belongs to the other. */
	if (*r && (!same_message(*r, msg) || msg->sk.total > (*r)->total))
		fragments_drop(r);
	if (msg->sk.total > IKE_FRAGMENTS_MAX || plain.n > most || (*r && (*r)->bytes > most - plain.n)) {
		fragments_drop(r);
		return -EMSGSIZE;
	}
	if (!*r)
		*r = reassembly_new(msg);
	if (!*r)
		return -ENOMEM;
	piece = &(*r)->piece[msg->sk.number - 1];
	piece->p = malloc(plain.n ? plain.n : 1);
	if (!piece->p)
		return -ENOMEM;
	memcpy(piece->p, plain.p, plain.n);
	piece->n = (uint16_t)plain.n;
	(*r)->bytes += plain.n;
	(*r)->have++;
	/* RFC 7383 2.5: only the first knows the type of the first payload inside. */
	if (msg->sk.number == 1) {
		(*r)->first = msg->sk.first;
		digest_of(datagram, NULL, (*r)->digest);
	}
	return (*r)->have == (*r)->total;
}

size_t fragments_join(const struct reassembly *r, uint8_t *out)
{
	size_t n = 0;

	for (unsigned int i = 0; i < r->total; i++) {
		memcpy(out + n, r->piece[i].p, r->piece[i].n);
		n += r->piece[i].n;
	}
	return n;
}

/* ---- sending ----------------------------------------------------------------------------------- */

void fragmentation_put(const struct ike_sa *ike, struct msg_wr *chain)
{
	if (ike->conn && ike->conn->fragmentation != CONF_FRAG_NO)
		msg_put_notify(chain, IKE_PROTO_NONE, N_IKEV2_FRAGMENTATION_SUPPORTED,
			       slice_of(NULL, 0), slice_of(NULL, 0));
}

size_t fragment_room(const struct ike_sa *ike, const struct endpoint *from)
{
	const struct gw_ike_conf *gw = &ike->agent->gw.ike;
	bool v6 = from->ip.family == 6;
	size_t packet = gw->fragment_size, headers = v6 ? 40 : 20;

	/* RFC 7383 2.5.1: what every path takes */
	if (!packet)
		packet = v6 ? 1280 : 576;
	headers += 8;
	/* RFC 3948 2.2: the non-ESP marker */
	if (from->port == gw->port_nat_t)
		headers += 4;
	return packet - headers;
}

static bool may_cut(const struct ike_sa *ike)
{
	return ike->peer_fragmentation && ike->conn &&
	       (ike->conn->fragmentation == CONF_FRAG_YES || ike->conn->fragmentation == CONF_FRAG_FORCE);
}

static int seal_piece(struct ike_sa *ike, const struct ike_hdr *hdr, const struct sk_piece *piece,
		      struct wr *out)
{
	return sk_seal_piece(&ike->suite, ike->initiator ? &ike->keys.ei : &ike->keys.er,
			     ike->initiator ? &ike->keys.ai : &ike->keys.ar, ike->iv_counter++, hdr,
			     piece, out);
}

int message_seal(struct ike_sa *ike, const struct endpoint *from, const struct ike_hdr *hdr,
		 const struct msg_wr *chain, struct wr *out)
{
	struct sk_piece piece = {.first = chain->first, .plain = slice_of(chain->w.p, chain->w.n)};
	size_t n = chain->w.n, room = fragment_room(ike, from), most = sk_piece_room(&ike->suite, room);
	struct rd r = rd_of(piece.plain);

	if (!wr_ok(&chain->w))
		return -EMSGSIZE;
	/* What would take too many fragments is left to the fragments of IP. */
	if (!may_cut(ike) || !most || n > most * IKE_FRAGMENTS_MAX ||
	    IKE_HDR_LEN + IKE_PAYLOAD_HDR_LEN + n + sk_overhead(&ike->suite, n) <= room)
		return seal_piece(ike, hdr, &piece, out);
	piece.total = (uint16_t)((n + most - 1) / most);
	for (piece.number = 1; piece.number <= piece.total; piece.number++) {
		int err;

		piece.plain = rd_bytes(&r, r.n < most ? r.n : most);
		err = seal_piece(ike, hdr, &piece, out);
		if (err < 0)
			return err;
		/* RFC 7383 2.5: zero in all but the first */
		piece.first = IKE_PL_NONE;
	}
	core_count(ike->agent, fragment_out);
	ike_log_group(ike, LOG_ENCODING, 2, "message of %zu bytes cut into %u fragments", n, piece.total);
	return 0;
}
