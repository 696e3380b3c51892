/* SPDX-License-Identifier: BSD-2-Clause */
#include "auth.h"

#include <stdlib.h>

/*
 * Several connections may fit addresses, proposal and identities, and differ in what they demand of the peer: CAs,
 * policies, revocation, kinds of key, the method itself. RFC 7296 says nothing of how to choose (4.4.3.1 of RFC 4301
 * has an ordered list); we go from the best to the next, never to one that names the peer less.
 */
struct auth_again {
	struct conn_conf *tried[AUTH_CONNS_MAX]; /* references; the first is the best */
	unsigned int n_tried;
	struct ike_hdr hdr;
	uint64_t present;
	uint8_t first; /* payload */
	size_t n;
	uint8_t plain[];
};

struct conn_query conn_query_of(const struct ike_sa *ike, const struct path *path, const struct ike_msg *msg)
{
	return (struct conn_query){.path = path,
				   .chosen = ike->proposal,
				   .id_i = &msg->id_i,
				   .id_r = &msg->id_r,
				   .method = msg_has(msg, IKE_PL_AUTH) ? msg->auth.method : 0};
}

void auth_keep(struct ike_sa *ike, const struct ike_msg *msg)
{
	struct path path = {.local = ike->local, .remote = ike->remote};
	struct conn_query q = conn_query_of(ike, &path, msg);
	struct slice plain = msg->sk.plain;
	struct auth_again *again;

	auth_again_free(ike->setup);
	if (!plain.n || !conn_next(ike->agent, &q, ike->setup->childless, &ike->conn, 1))
		return;
	again = calloc(1, sizeof(*again) + plain.n);
	if (!again) /* then the first must do */
		return;
	again->tried[again->n_tried++] = conn_conf_ref(ike->conn);
	again->hdr = msg->hdr;
	again->present = msg->present;
	again->first = msg->sk.first;
	again->n = plain.n;
	memcpy(again->plain, plain.p, plain.n);
	ike->setup->again = again;
}

void auth_again_free(struct setup *s)
{
	struct auth_again *again = s->again;

	if (!again)
		return;
	for (unsigned int i = 0; i < again->n_tried; i++)
		conn_conf_unref(again->tried[i]);
	secret_wipe(again->plain, again->n);
	free(again);
	s->again = NULL;
}

static struct ike_msg *decode_again(const struct auth_again *again)
{
	struct ike_msg *msg = calloc(1, sizeof(*msg));

	if (!msg)
		return NULL;
	msg->hdr = again->hdr;
	msg->sk.first = again->first;
	if (msg_decode_inner(slice_of(again->plain, again->n), again->first, msg) != WIRE_OK) {
		free(msg);
		return NULL;
	}
	msg->present &= again->present;
	return msg;
}

bool auth_next(struct ike_sa *ike, const struct auth_fault *f, struct ike_msg **msg)
{
	struct path path = {.local = ike->local, .remote = ike->remote};
	struct auth_again *again = ike->setup->again;
	struct conn_conf *conn;
	struct conn_query q;

	if (!f->by_rules || !again)
		return false;
	*msg = again->n_tried < AUTH_CONNS_MAX ? decode_again(again) : NULL;
	if (*msg)
		q = conn_query_of(ike, &path, *msg);
	conn = *msg ? conn_next(ike->agent, &q, ike->setup->childless, again->tried, again->n_tried) : NULL;
	if (!conn) {
		if (log_budget(&ike->agent->core->log_auth))
			ike_log(ike, 1, "no alternative config found");
		free(*msg);
		return false;
	}
	if (log_budget(&ike->agent->core->log_auth))
		ike_log(ike, 1, "config '%s' does not take '%s': %s; trying '%s'", ike->conn->name,
			ike->remote_id->text, f->text, conn->name);
	again->tried[again->n_tried++] = conn_conf_ref(conn);
	if (responder_take_conn(ike, conn))
		return true;
	free(*msg);
	return false;
}
