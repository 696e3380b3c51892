/* SPDX-License-Identifier: BSD-2-Clause */
#include "auth.h"

#include "agent/cred/cred.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

/*
 * Signatures: RFC 7427 where the peer announced hashes, else the methods of RFC 7296 and RFC 4754. The keys role
 * signs, a worker thread verifies: certificates, identity, revocation and the signature in one job. Until it is
 * over nothing of ours is signed for this peer.
 */

static bool sig_speaks(uint8_t number)
{
	return number == AUTH_METHOD_RSA || number == AUTH_METHOD_ECDSA_256 ||
	       number == AUTH_METHOD_ECDSA_384 || number == AUTH_METHOD_ECDSA_521 ||
	       number == AUTH_METHOD_SIGNATURE;
}

/* ---- our side -------------------------------------------------------------------------------------- */

static bool has_key(void *ctx, const uint8_t id[SIG_KEY_ID_LEN])
{
	struct agent *a = ctx;

	return a->core->parts->has_private(a, id);
}

/* Certificate or raw key, and with it our identity. Keeps the snapshot until the setup ends. */
static int choose_own(struct ike_sa *ike, struct auth_fault *f)
{
	const struct conn_conf *conn = ike->conn;
	struct setup *s = ike->setup;
	struct ike_cert_pl asked[2];
	struct auth_own *own = s->own;
	struct conf_id id;
	char why[CRED_TEXT_MAX];

	if (!own)
		own = s->own = auth_own_new(ike->agent);
	if (!own) {
		auth_fault_set(f, IKE_C_auth_no_key, -ENOKEY, "no certificates are loaded");
		return -ENOKEY;
	}
	if (cred_own(own->cred, conn->local_cred, conn->local_id->type ? conn->local_id : NULL, asked,
		     auth_asked(s, asked), time(NULL), has_key, ike->agent, &own->own, why) < 0) {
		auth_fault_set(f, IKE_C_auth_no_key, -ENOKEY, "%.140s", why);
		return -ENOKEY;
	}
	if (!own->own.id.type)
		return 0;
	id_store(&own->own.id, &id);
	if (ike_set_local_id(ike, &id) < 0) {
		auth_fault_set(f, IKE_C_no_memory, -ENOMEM, "no memory");
		return -ENOMEM;
	}
	return 0;
}

static void on_signed(void *ctx, struct job_ref ref, const struct keys_signature *r)
{
	struct ike_sa *ike = auth_resume(ctx, ref);
	uint8_t buf[SIG_AUTH_MAX];
	struct wr w = wr_of(buf, sizeof(buf));
	struct auth_fault f;
	int err = r->error;

	if (!ike)
		return;
	if (!err) {
		sig_auth_put(&w, ike->setup->own->scheme, slice_of(r->signature, r->len));
		err = wr_ok(&w) ? auth_own_set(ike, sig_auth_method(ike->setup->own->scheme), wr_slice(&w))
				: -EMSGSIZE;
	}
	if (err)
		auth_fault_set(&f, err == -ENOENT ? IKE_C_auth_no_key : IKE_C_auth_no_answer,
			       err == -ENOENT ? -ENOKEY : err, "keys process does not sign: %s",
			       err == -ENOENT ? "the private key is gone" : strerror(-err));
	auth_prepared(ike, err ? &f : NULL);
}

static int ask_signature(struct ike_sa *ike)
{
	struct agent *a = ike->agent;
	const struct auth_own *own = ike->setup->own;
	uint8_t *octets;
	size_t n;
	int err = auth_octets(ike, ike->initiator, &octets, &n);

	if (err < 0)
		return err;
	err = a->core->parts->sign(a, own->own.key.id, own->scheme, slice_of(octets, n), on_signed,
				   auth_wait(ike));
	free(octets);
	return err;
}

static void sig_prepare(struct ike_sa *ike)
{
	struct setup *s = ike->setup;
	struct auth_fault f;
	int err = choose_own(ike, &f);

	if (err < 0) {
		auth_prepared(ike, &f);
		return;
	}
	// RFC 7427 4: hashes that the peer announced; without its notify the old methods
	s->own->scheme = sig_choose(&s->own->own.key, s->peer_hashes, &ike->conn->local_cred->sig);
	if (s->own->scheme == SIG_NONE) {
		auth_fault_set(&f, IKE_C_auth_scheme, -EACCES,
			       "our %s key has no signature scheme that `auth` and the peer allow",
			       sig_key_type_name(s->own->own.key.type));
		auth_prepared(ike, &f);
		return;
	}
	ike_log(ike, 1, "authentication of '%s' (myself) with %s", ike->local_id->text,
		sig_scheme_name(s->own->scheme));
	err = ask_signature(ike);
	if (err == 0)
		return;
	auth_fault_set(&f, IKE_C_auth_no_answer, err, "signature cannot be asked for: %s", strerror(-err));
	auth_prepared(ike, &f);
}

/* RFC 7296 3.6: the certificate with the key that signs comes first. */
static void sig_put(struct ike_sa *ike, struct msg_wr *chain)
{
	const struct setup *s = ike->setup;
	enum conf_send_cert send = ike->conn->send_cert;

	if (send == CONF_SEND_CERT_NEVER || (send == CONF_SEND_CERT_IFASKED && !s->asked_cert))
		return;
	for (unsigned int i = 0; i < s->own->own.n_certs; i++)
		msg_put_cert(chain, IKE_PL_CERT, s->own->own.encoding, s->own->own.cert[i]);
}

/* ---- the peer ------------------------------------------------------------------------------------------ */

static enum ike_counter reason_of(const struct cred_verdict *v)
{
	static const enum ike_counter untrusted[] = {
		[CRED_UNTRUSTED] = IKE_C_auth_untrusted,     [CRED_NO_CERT] = IKE_C_auth_no_cert,
		[CRED_NOT_VALID_NOW] = IKE_C_auth_cert_time, [CRED_REVOKED] = IKE_C_auth_cert_revoked,
		[CRED_OTHER_ID] = IKE_C_auth_identity,
	};

	switch (v->error) {
	case -EBADMSG:
		return IKE_C_auth_signature;
	case -ENOTSUP:
		return IKE_C_auth_scheme;
	case -EKEYREJECTED:
		return IKE_C_auth_weak;
	case -EACCES:
		return untrusted[v->reason];
	default:
		return IKE_C_auth_no_answer;
	}
}

/* Rules differ from connection to connection, and so do the keys that they name for a peer that sent none. */
static bool rules_refuse(const struct ike_sa *ike, const struct cred_verdict *v)
{
	const struct cred_rules *rules = ike->conn->remote_cred;

	switch (v->error) {
	case -EKEYREJECTED:
		return true;
	case -EACCES:
		return v->reason != CRED_OTHER_ID;
	case -EBADMSG:
		return !ike->setup->peer_certs && (rules->certs[0] || rules->pubkeys[0]);
	default:
		return false;
	}
}

static void on_verified(void *ctx, struct job_ref ref, const struct cred_verdict *v)
{
	struct ike_sa *ike = auth_resume(ctx, ref);
	struct auth_fault f;

	if (!ike)
		return;
	if (v->error) {
		auth_fault_set(&f, reason_of(v), -EACCES, "%.150s", v->text);
		f.by_rules = rules_refuse(ike, v);
		auth_checked(ike, &f);
		return;
	}
	ike_log(ike, 2, "%s: %s", sig_scheme_name(v->scheme), v->text);
	auth_checked(ike, NULL);
}

/* RFC 7296 3.6: what stands at a URL is not fetched for a stranger; we never asked for it. */
static void note_urls(struct ike_sa *ike, const struct ike_msg *msg)
{
	enum { CERT_HASH_URL = 12, CERT_HASH_URL_BUNDLE = 13 };

	for (unsigned int i = 0; i < msg->n_cert; i++) {
		if (msg->cert[i].encoding != CERT_HASH_URL && msg->cert[i].encoding != CERT_HASH_URL_BUNDLE)
			continue;
		core_count(ike->agent, cert_url);
		if (log_budget(&ike->agent->core->log_auth))
			ike_log(ike, 1, "certificate by hash and URL is not fetched, we do not support it");
		return;
	}
}

static int ask_verdict(struct ike_sa *ike, const struct ike_msg *msg)
{
	struct agent *a = ike->agent;
	const struct conn_conf *conn = ike->conn;
	struct cred_rules rules = *conn->remote_cred;
	struct cred_peer peer = {
		.cert = msg->cert,
		.n_certs = msg->n_cert,
		.id = conf_id_view(ike->remote_id),
		.method = msg->auth.method,
		.auth = msg->auth.data,
		.hashes = ike->setup->peer_hashes,
		.rules = &rules,
	};
	uint8_t *octets;
	size_t n;
	int err = auth_octets(ike, !ike->initiator, &octets, &n);

	if (err < 0)
		return err;
	// RFC 7427 4: who has announced better is not taken back to SHA-1
	if (peer.hashes & SIG_HASHES_OURS && !conn->remote_sha1)
		rules.sig.schemes &= ~(1u << SIG_RSA_SHA1);
	peer.octets = slice_of(octets, n);
	err = a->core->parts->verify(a, &peer, on_verified, auth_wait(ike));
	free(octets);
	return err;
}

static void sig_check(struct ike_sa *ike, const struct ike_msg *msg)
{
	struct auth_fault f;
	int err;

	note_urls(ike, msg);
	ike->setup->peer_certs = msg->n_cert > 0;
	err = ask_verdict(ike, msg);
	if (err == 0)
		return;
	auth_fault_set(&f, IKE_C_auth_no_answer, err, "signature cannot be verified now: %s", strerror(-err));
	auth_checked(ike, &f);
}

const struct auth_method auth_sig_method = {
	.name = "public key",
	.conf = CONF_AUTH_PUBKEY,
	.speaks = sig_speaks,
	.prepare = sig_prepare,
	.put = sig_put,
	.check = sig_check,
};
