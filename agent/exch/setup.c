/* SPDX-License-Identifier: BSD-2-Clause */
#include "exch.h"

#include <errno.h>
#include <stdlib.h>

/* What both roles of IKE_SA_INIT share: the state until establishment, keys, NAT detection. */

struct setup *setup_new(struct ike_sa *ike)
{
	struct setup *s = calloc(1, sizeof(*s));

	if (!s) {
		core_count(ike->agent, no_memory);
		return NULL;
	}
	s->ike = ike;
	held_init(&s->held);
	ike->setup = s;
	return s;
}

void setup_free(struct ike_sa *ike)
{
	struct agent_core *core = ike->agent->core;
	struct setup *s = ike->setup;

	if (!s)
		return;
	ike->setup = NULL;
	timer_disarm(&core->timers, &s->error_timer);
	if (s->hashed)
		HASH_DELETE(by_init, core->by_init, s);
	source_drop(ike->agent, &s->at_source);
	ke_free(s->ke);
	free(s->msg_i);
	free(s->msg_r);
	free(s->peer_ke);
	auth_forget(s);
	held_drop(&s->held);
	secret_wipe(s, sizeof(*s));
	free(s);
}

int setup_keys(struct ike_sa *ike, struct secret *shared)
{
	struct setup *s = ike->setup;
	const struct nonce *low = &s->ni;
	char text[128];
	int err;

	err = kdf_ike(&ike->suite, slice_of(s->ni.b, s->ni.n), slice_of(s->nr.b, s->nr.n),
		      secret_slice(shared), ike->spi_i, ike->spi_r, &ike->keys);
	secret_free(shared);
	if (err < 0)
		return err;
	s->have_keys = true;
	ike_log(ike, 1, "selected proposal: IKE:%s", proposal_str(ike->proposal, text, sizeof(text)));
	if (nonce_cmp(slice_of(s->nr.b, s->nr.n), slice_of(s->ni.b, s->ni.n)) < 0)
		low = &s->nr;
	memcpy(ike->nonce_low, low->b, low->n < IKE_NONCE_LEN ? low->n : IKE_NONCE_LEN);
	return 0;
}

/* ---- NAT detection, RFC 7296 2.23 ------------------------------------------------------------ */

void natd_put(struct ike_sa *ike, struct msg_wr *chain)
{
	uint8_t hash[20];

	natd_hash(ike->spi_i, ike->spi_r, &ike->local, hash);
	/* encap = yes: a hash of nothing makes the peer see a NAT and speak UDP-encapsulated ESP. */
	if (ike->conn && ike->conn->encap) {
		ike->nat_forced = true;
		if (ike->agent->core->parts->random(hash, sizeof(hash)) < 0)
			memset(hash, 0, sizeof(hash));
	}
	msg_put_notify(chain, IKE_PROTO_NONE, N_NAT_DETECTION_SOURCE_IP, slice_of(NULL, 0),
		       slice_of(hash, sizeof(hash)));
	natd_hash(ike->spi_i, ike->spi_r, &ike->remote, hash);
	msg_put_notify(chain, IKE_PROTO_NONE, N_NAT_DETECTION_DESTINATION_IP, slice_of(NULL, 0),
		       slice_of(hash, sizeof(hash)));
}

bool natd_check(struct ike_sa *ike, const struct ike_msg *msg, const struct path *path)
{
	uint8_t remote[20], local[20];
	bool source = false, source_fits = false, dest = false, dest_fits = false;

	natd_hash(msg->hdr.spi_i, msg->hdr.spi_r, &path->remote, remote);
	natd_hash(msg->hdr.spi_i, msg->hdr.spi_r, &path->local, local);
	/* A peer with several addresses sends several source hashes: one that fits is enough. */
	for (unsigned int i = 0; i < msg->n_notify; i++) {
		const struct ike_notify_pl *n = &msg->notify[i];

		if (n->type == N_NAT_DETECTION_SOURCE_IP) {
			source = true;
			source_fits |= n->data.n == 20 && secret_equal(n->data.p, remote, 20);
		} else if (n->type == N_NAT_DETECTION_DESTINATION_IP) {
			dest = true;
			dest_fits |= n->data.n == 20 && secret_equal(n->data.p, local, 20);
		}
	}
	ike->nat_remote = source && !source_fits;
	ike->nat_local = dest && !dest_fits;
	if (ike->nat_local)
		ike_log(ike, 1, "local host is behind NAT, sending keep alives");
	if (ike->nat_remote)
		ike_log(ike, 1, "remote host is behind NAT");
	return source && dest;
}
