/* SPDX-License-Identifier: BSD-2-Clause */
#include "auth.h"

#include "agent/cred/cred.h"

#include <stdlib.h>

/* What goes with signatures in IKE_SA_INIT and IKE_AUTH: announced hashes, CERTREQ, and what a setup keeps of it. */

struct auth_own *auth_own_new(struct agent *a)
{
	struct auth_own *own = a->creds && creds_get(a->creds) ? calloc(1, sizeof(*own)) : NULL;

	/* A reload may replace the snapshot while the keys role signs. */
	if (own)
		own->cred = cred_ref((struct cred *)creds_get(a->creds));
	return own;
}

void auth_forget(struct setup *s)
{
	free(s->own_auth);
	free(s->certreq);
	auth_again_free(s);
	if (s->own)
		cred_unref(s->own->cred);
	free(s->own);
}

/* ---- SIGNATURE_HASH_ALGORITHMS, RFC 7427 4 ------------------------------------------------------ */

void hashes_put(struct msg_wr *chain)
{
	uint8_t body[2 * SIG_HASH_IDENTITY];
	struct wr w = wr_of(body, sizeof(body));

	sig_hashes_put(&w, SIG_HASHES_OURS);
	msg_put_notify(chain, IKE_PROTO_NONE, N_SIGNATURE_HASH_ALGORITHMS, slice_of(NULL, 0), wr_slice(&w));
}

void hashes_take(struct setup *s, const struct ike_msg *msg)
{
	const struct ike_notify_pl *n = msg_notify(msg, N_SIGNATURE_HASH_ALGORITHMS);

	s->peer_hashes = n ? sig_hashes_read(n->data) : 0;
}

/* ---- CERTREQ, RFC 7296 3.7 ----------------------------------------------------------------------- */

/* What the connections that a peer may belong to trust, without repetitions. */
struct asking {
	const struct cred *c;
	const struct cred_rules *seen[CERTREQ_RULES_MAX];
	unsigned int n_seen;
	uint8_t hashes[CERTREQ_SEND_MAX * SIG_KEY_ID_LEN];
	size_t n;
	bool raw;
};

static bool has_hash(const struct asking *q, const uint8_t *hash)
{
	for (size_t at = 0; at < q->n; at += SIG_KEY_ID_LEN)
		if (secret_equal(q->hashes + at, hash, SIG_KEY_ID_LEN))
			return true;
	return false;
}

static void ask_for(struct asking *q, const struct conn_conf *conn)
{
	uint8_t more[sizeof(q->hashes)];
	size_t n;

	if (conn->remote_auth != CONF_AUTH_PUBKEY || !conn->send_certreq || q->n_seen == CERTREQ_RULES_MAX)
		return;
	/* Equal rules are kept once: thousands of connections have few of them. */
	for (unsigned int i = 0; i < q->n_seen; i++)
		if (q->seen[i] == conn->remote_cred)
			return;
	q->seen[q->n_seen++] = conn->remote_cred;
	n = cred_certreq(q->c, conn->remote_cred, more, sizeof(more));
	for (size_t at = 0; at < n && q->n < sizeof(q->hashes); at += SIG_KEY_ID_LEN) {
		if (has_hash(q, more + at))
			continue;
		memcpy(q->hashes + q->n, more + at, SIG_KEY_ID_LEN);
		q->n += SIG_KEY_ID_LEN;
	}
	q->raw |= cred_wants_raw(q->c, conn->remote_cred);
}

void certreq_put(struct ike_sa *ike, struct msg_wr *chain)
{
	struct path path = {.local = ike->local, .remote = ike->remote};
	struct asking q = {.c = ike->agent->creds ? creds_get(ike->agent->creds) : NULL};
	struct conf_near near = {.conf = ike->agent->core->conf};
	const struct conn_conf *conn;

	if (!q.c)
		return;
	ask_for(&q, ike->conn);
	/* A responder does not know yet whom it speaks to: any that the addresses allow. */
	while (!ike->initiator && (conn = conn_next_pubkey(&path, &near)))
		ask_for(&q, conn);
	if (q.n)
		msg_put_cert(chain, IKE_PL_CERTREQ, CERT_X509, slice_of(q.hashes, q.n));
	if (q.raw)
		msg_put_cert(chain, IKE_PL_CERTREQ, CERT_RAW_PUBLIC_KEY, slice_of(NULL, 0));
}

/* Of all that came as many whole hashes as are worth keeping; the others decide nothing. */
void certreq_take(struct setup *s, const struct ike_msg *msg)
{
	size_t n = 0, at = 0;

	s->asked_cert |= msg->n_certreq > 0;
	for (unsigned int i = 0; i < msg->n_certreq; i++) {
		s->certreq_raw |= msg->certreq[i].encoding == CERT_RAW_PUBLIC_KEY;
		if (msg->certreq[i].encoding == CERT_X509)
			n += msg->certreq[i].data.n;
	}
	n = n < CERTREQ_KEEP_MAX ? n : CERTREQ_KEEP_MAX;
	free(s->certreq);
	s->certreq_len = 0;
	s->certreq = n ? malloc(n) : NULL;
	for (unsigned int i = 0; s->certreq && i < msg->n_certreq; i++) {
		struct slice d = msg->certreq[i].data;
		size_t take = d.n / SIG_KEY_ID_LEN * SIG_KEY_ID_LEN;

		if (msg->certreq[i].encoding != CERT_X509)
			continue;
		if (take > n - at)
			take = (n - at) / SIG_KEY_ID_LEN * SIG_KEY_ID_LEN;
		if (take)
			memcpy(s->certreq + at, d.p, take);
		at += take;
	}
	s->certreq_len = at;
}

unsigned int auth_asked(const struct setup *s, struct ike_cert_pl out[2])
{
	unsigned int n = 0;

	if (s->certreq_len)
		out[n++] = (struct ike_cert_pl){CERT_X509, slice_of(s->certreq, s->certreq_len)};
	if (s->certreq_raw)
		out[n++] = (struct ike_cert_pl){CERT_RAW_PUBLIC_KEY, slice_of(NULL, 0)};
	return n;
}
