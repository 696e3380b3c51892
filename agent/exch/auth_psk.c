/* SPDX-License-Identifier: BSD-2-Clause */
#include "auth.h"

#include <errno.h>
#include <stdlib.h>

/*
 * Pre-shared keys (RFC 7296 2.15). Both MACs, ours and the one that the peer's must equal, are made by the keys
 * role; the comparison takes constant time. A responder asks for both at once, as a round trip costs more than a
 * MAC: ours is kept when the peer's was right and forgotten when not.
 */

static bool psk_speaks(uint8_t number)
{
	return number == AUTH_METHOD_PSK;
}

static void key_fault(struct ike_sa *ike, struct auth_fault *f, int error)
{
	if (error == -ENOENT)
		auth_fault_set(f, IKE_C_auth_no_key, -ENOKEY, "no shared key found for '%.48s' - '%.48s'",
			       ike->local_id->text, ike->remote_id->text);
	else
		auth_fault_set(f, IKE_C_auth_no_answer, error, "keys process does not answer: %s",
			       strerror(-error));
}

/* both: the other side's octets, too. */
static int ask_mac(struct ike_sa *ike, bool of_initiator, bool both, keys_mac_fn done)
{
	struct agent *a = ike->agent;
	struct ike_id local = conf_id_view(ike->local_id), remote = conf_id_view(ike->remote_id);
	uint8_t *octets, *more = NULL;
	size_t n, n_more = 0;
	int err = auth_octets(ike, of_initiator, &octets, &n);

	if (err < 0)
		return err;
	err = both ? auth_octets(ike, !of_initiator, &more, &n_more) : 0;
	if (!err)
		err = a->core->parts->psk_mac(a, &local, &remote, ike->suite.prf, slice_of(octets, n),
					      slice_of(more, n_more), done, auth_wait(ike));
	free(octets);
	free(more);
	return err;
}

static void on_own_mac(void *ctx, struct job_ref ref, const struct keys_mac *r)
{
	struct ike_sa *ike = auth_resume(ctx, ref);
	struct auth_fault f;
	int err;

	if (!ike)
		return;
	err = r->error ? r->error : auth_own_set(ike, AUTH_METHOD_PSK, slice_of(r->mac, r->len));
	if (err)
		key_fault(ike, &f, err);
	auth_prepared(ike, err ? &f : NULL);
}

/* By the answer that the peer's AUTH was checked with. */
static bool own_made(const struct ike_sa *ike)
{
	return !ike->initiator && ike->setup->own_auth && ike->setup->own_auth_number == AUTH_METHOD_PSK;
}

static void psk_prepare(struct ike_sa *ike)
{
	struct auth_fault f;
	int err;

	ike_log(ike, 1, "authentication of '%s' (myself) with pre-shared key", ike->local_id->text);
	if (own_made(ike)) {
		auth_prepared(ike, NULL);
		return;
	}
	err = ask_mac(ike, ike->initiator, false, on_own_mac);
	if (err == 0)
		return;
	key_fault(ike, &f, err);
	auth_prepared(ike, &f);
}

/* A responder that proves itself by the same secret. */
static bool asks_both(const struct ike_sa *ike)
{
	return !ike->initiator && ike->conn->local_auth == CONF_AUTH_PSK;
}

static void on_peer_mac(void *ctx, struct job_ref ref, const struct keys_mac *r)
{
	struct ike_sa *ike = auth_resume(ctx, ref);
	const struct setup *s = ike ? ike->setup : NULL;
	struct auth_fault f;
	int err;

	if (!ike)
		return;
	if (r->error) {
		key_fault(ike, &f, r->error);
	} else if (r->len && r->len == s->peer_mac_len && secret_equal(r->mac, s->peer_mac, r->len)) {
		err = r->more_len ? auth_own_set(ike, AUTH_METHOD_PSK, slice_of(r->more, r->more_len)) : 0;
		f.error = err;
		if (err)
			key_fault(ike, &f, err);
	} else {
		auth_fault_set(&f, IKE_C_auth_mac, -EACCES, "MAC mismatch");
	}
	auth_checked(ike, f.error ? &f : NULL);
}

static void psk_check(struct ike_sa *ike, const struct ike_msg *msg)
{
	struct setup *s = ike->setup;
	struct auth_fault f;
	int err;

	if (msg->auth.data.n > sizeof(s->peer_mac)) {
		auth_fault_set(&f, IKE_C_auth_mac, -EACCES, "MAC of %zu bytes", msg->auth.data.n);
		auth_checked(ike, &f);
		return;
	}
	memcpy(s->peer_mac, msg->auth.data.p, msg->auth.data.n);
	s->peer_mac_len = msg->auth.data.n;
	err = ask_mac(ike, !ike->initiator, asks_both(ike), on_peer_mac);
	if (err == 0)
		return;
	key_fault(ike, &f, err);
	auth_checked(ike, &f);
}

const struct auth_method auth_psk_method = {
	.name = "pre-shared key",
	.conf = CONF_AUTH_PSK,
	.speaks = psk_speaks,
	.prepare = psk_prepare,
	.check = psk_check,
};
