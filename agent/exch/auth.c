/* SPDX-License-Identifier: BSD-2-Clause */
#include "auth.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* What both sides of IKE_AUTH and all methods share: the proof, the octets, the steps. */

/* ---- the proof ---------------------------------------------------------------------------------- */

static int new_proof(struct ike_sa *ike)
{
	uint64_t proof = 0;

	for (int i = 0; i < 4 && !proof; i++)
		if (ike->agent->core->parts->random(&proof, sizeof(proof)) < 0)
			return -EIO;
	if (!proof)
		return -EIO;
	ike->proof = (struct ike_authenticated){.ike_id = ike->id, .proof = proof};
	ike->authenticated = true;
	ike_index_peers(ike);
	return 0;
}

int ike_inherit_proof(struct ike_sa *to, const struct ike_sa *from)
{
	if (!from->authenticated || !from->proof.proof)
		return -EACCES;
	return new_proof(to);
}

/* ---- why it failed --------------------------------------------------------------------------------- */

void auth_fault_set(struct auth_fault *f, enum ike_counter reason, int error, const char *fmt, ...)
{
	va_list ap;

	f->reason = reason;
	f->error = error;
	f->by_rules = false;
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
}

void auth_fault_note(struct ike_sa *ike, const struct auth_fault *f, const char *what)
{
	struct agent_core *core = ike->agent->core;
	char from[ENDPOINT_STRLEN];

	core_count(ike->agent, auth_failed);
	core->counter[f->reason]++;
	if (log_budget(&core->log_auth))
		ike_log(ike, 0, "authentication of '%s' (%s)%s%s failed: %s%s",
			ike->remote_id->type ? ike->remote_id->text : "?",
			endpoint_str(&ike->remote, from), ike->setup && ike->setup->peer_method ? " with " : "",
			ike->setup && ike->setup->peer_method ? ike->setup->peer_method->name : "", f->text,
			what);
}

/* ---- what is signed ---------------------------------------------------------------------------------- */

int auth_octets(struct ike_sa *ike, bool of_initiator, uint8_t **p, size_t *n)
{
	const struct setup *s = ike->setup;
	const struct conf_id *id = of_initiator == ike->initiator ? ike->local_id : ike->remote_id;
	struct ike_id view = conf_id_view(id);
	const struct nonce *nonce = of_initiator ? &s->nr : &s->ni;
	size_t first_len = of_initiator ? s->msg_i_len : s->msg_r_len, mac_len = prf_len(ike->suite.prf);
	uint8_t body[IKE_ID_MAX], maced[CRYPT_PRF_MAX];
	struct wr w = wr_of(body, sizeof(body));
	struct wr octets;
	int err;

	id_body(&w, &view);
	err = auth_maced_id(ike->suite.prf, of_initiator ? &ike->keys.pi : &ike->keys.pr, wr_slice(&w),
			    maced);
	if (err < 0 || !wr_ok(&w))
		return err < 0 ? err : -EMSGSIZE;
	*n = first_len + nonce->n + mac_len;
	*p = malloc(*n);
	if (!*p)
		return -ENOMEM;
	octets = wr_of(*p, *n);
	/* RFC 7296 2.15: the sender's whole IKE_SA_INIT, the other's nonce, prf(SK_p, ID'). */
	wr_bytes(&octets, of_initiator ? s->msg_i : s->msg_r, first_len);
	wr_bytes(&octets, nonce->b, nonce->n);
	wr_bytes(&octets, maced, mac_len);
	secret_wipe(maced, sizeof(maced));
	return 0;
}

struct job_ref auth_wait(struct ike_sa *ike)
{
	return (struct job_ref){.index = ike->ref.index,
				.generation = ike->ref.generation,
				.tag = ++ike->setup->wait};
}

struct ike_sa *auth_resume(struct agent *a, struct job_ref ref)
{
	struct ike_sa *ike =
		ike_find_ref(a, (struct sa_ref){.index = ref.index, .generation = ref.generation});

	return ike && ike->setup && ike->setup->wait == ref.tag ? ike : NULL;
}

/* ---- methods ------------------------------------------------------------------------------------------ */

static const struct auth_method *const methods[] = {
	&auth_psk_method,
	&auth_sig_method,
};

const struct auth_method *auth_method_of(enum conf_auth conf)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++)
		if (methods[i]->conf == conf)
			return methods[i];
	return NULL;
}

static void no_method(struct auth_fault *f, const char *whose)
{
	auth_fault_set(f, IKE_C_auth_method, -EACCES, "%s authentication method is not the one configured",
		       whose);
}

void auth_prepare(struct ike_sa *ike)
{
	struct auth_fault f;

	ike->setup->own_method = auth_method_of(ike->conn->local_auth);
	if (ike->setup->own_method) {
		ike->setup->own_method->prepare(ike);
		return;
	}
	no_method(&f, "our");
	auth_prepared(ike, &f);
}

void auth_prepared(struct ike_sa *ike, const struct auth_fault *fault)
{
	if (ike->initiator)
		initiator_prepared(ike, fault);
	else
		responder_prepared(ike, fault);
}

int auth_own_set(struct ike_sa *ike, uint8_t method, struct slice data)
{
	struct setup *s = ike->setup;

	free(s->own_auth);
	s->own_auth = malloc(data.n ? data.n : 1);
	if (!s->own_auth)
		return -ENOMEM;
	if (data.n)
		memcpy(s->own_auth, data.p, data.n);
	s->own_auth_len = data.n;
	s->own_auth_number = method;
	return 0;
}

void auth_put_own(struct ike_sa *ike, struct msg_wr *chain)
{
	const struct setup *s = ike->setup;

	msg_put_auth(chain, s->own_auth_number, slice_of(s->own_auth, s->own_auth_len));
}

void auth_check(struct ike_sa *ike, const struct ike_msg *msg)
{
	struct setup *s = ike->setup;
	struct auth_fault f;

	s->peer_method = auth_method_of(ike->conn->remote_auth);
	/* RFC 7296 2.16: without AUTH the peer asks for EAP, which no connection here allows. */
	if (s->peer_method && msg_has(msg, IKE_PL_AUTH) && s->peer_method->speaks(msg->auth.method)) {
		s->peer_method->check(ike, msg);
		return;
	}
	no_method(&f, "its");
	f.by_rules = msg_has(msg, IKE_PL_AUTH);
	auth_checked(ike, &f);
}

void auth_checked(struct ike_sa *ike, const struct auth_fault *fault)
{
	struct auth_fault f;

	if (!fault && new_proof(ike) < 0) {
		auth_fault_set(&f, IKE_C_no_memory, -EIO, "no randomness");
		fault = &f;
	}
	if (!fault)
		ike_log(ike, 1, "authentication of '%s' with %s successful", ike->remote_id->text,
			ike->setup->peer_method->name);
	if (ike->initiator)
		initiator_checked(ike, fault);
	else
		responder_checked(ike, fault);
}

void ike_warn_legacy(const struct ike_sa *ike)
{
	const struct alg *weak;

	for (unsigned int i = 0; (weak = proposal_legacy(ike->proposal, i)); i++)
		ike_log(ike, 0, "IKE_SA %s[%u] is protected by %s, which is weak", ike->conn->name,
			ike->id, weak->text);
}

void auth_established(struct ike_sa *ike)
{
	struct agent *a = ike->agent;
	char local[ADDR_STRLEN], remote[ADDR_STRLEN];

	if (ike_state_set(ike, IKE_ESTABLISHED) < 0)
		return;
	ike->established_ms = sa_now_ms();
	timer_disarm(&a->core->timers, &ike->half_open_timer);
	core_count(a, established);
	ike_log(ike, 0, "IKE_SA %s[%u] established between %s[%s]...%s[%s]", ike->conn->name, ike->id,
		addr_str(&ike->local.ip, local), ike->local_id->text,
		addr_str(&ike->remote.ip, remote), ike->remote_id->text);
	ike_warn_legacy(ike);
	ike_timers_start(ike);
	observe(a, SA_EV_IKE_UP, ike, NULL, NULL, NULL);
}
