/* SPDX-License-Identifier: BSD-2-Clause */
#include "auth.h"

/*
 * AUTH_LIFETIME (RFC 4478): a responder that cannot or need not call says until when the initiator has to authenticate
 * itself again; else it closes the IKE SA.
 */
enum { LIFETIME_MIN_S = 10, LIFETIME_MAX_S = 365 * 86400 };

void lifetime_put(const struct ike_sa *ike, struct msg_wr *chain)
{
	uint8_t body[4];
	struct wr w = wr_of(body, sizeof(body));

	if (!ike->conn->reauth_time || ike->conn->reauth_time > UINT32_MAX)
		return;
	wr_u32(&w, (uint32_t)ike->conn->reauth_time);
	msg_put_notify(chain, IKE_PROTO_NONE, N_AUTH_LIFETIME, slice_of(NULL, 0), wr_slice(&w));
}

uint32_t lifetime_of(const struct ike_msg *msg)
{
	const struct ike_notify_pl *n = msg_notify(msg, N_AUTH_LIFETIME);
	struct rd r = rd_of(n ? n->data : slice_of(NULL, 0));
	uint32_t s = rd_u32(&r);

	return n && rd_done(&r) ? s : 0;
}

void lifetime_take(struct ike_sa *ike, uint32_t seconds)
{
	uint64_t at;

	if (!seconds || !ike->initiator || seconds > LIFETIME_MAX_S)
		return;
	/* A peer that wants it without end gets it every so often. */
	seconds = seconds < LIFETIME_MIN_S ? LIFETIME_MIN_S : seconds;
	/* RFC 4478 3: before it ends. */
	at = sa_now_ms() + jittered_ms(ike->agent, seconds - seconds / 10, seconds / 10);
	ike_log(ike, 1, "received AUTH_LIFETIME of %u s", seconds);
	if (ike->reauth_ms && ike->reauth_ms <= at)
		return;
	ike->reauth_ms = at;
	ike_rekey_arm(ike);
}
