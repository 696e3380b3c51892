/* SPDX-License-Identifier: BSD-2-Clause */
#include "exch.h"

#include <errno.h>

/* IPComp of a Child SA: one notify either way, each with the sender's CPI (RFC 7296 2.22). Both want it, or there is none. */

struct offered {
	uint16_t cpi;
	uint8_t transform;
	bool plain; /* no attributes: DEFLATE has none */
};

static struct offered read_notify(const struct ike_notify_pl *n)
{
	struct rd r = rd_of(n->data);
	struct offered o;

	o.cpi = rd_u16(&r);
	o.transform = rd_u8(&r);
	o.plain = rd_done(&r);
	return o;
}

static bool usable(const struct offered *o)
{
	return o->transform == IPCOMP_DEFLATE && o->plain && o->cpi >= IPCOMP_CPI_MIN && o->cpi <= IPCOMP_CPI_MAX;
}

static bool take_cpi(struct ike_sa *ike, struct child_nego *n)
{
	if (!n->cpi_in)
		n->cpi_in = cpi_take(ike->agent->core);
	if (!n->cpi_in)
		ike_log_group(ike, LOG_CHILD, 0, "CHILD_SA %s goes without IPComp: all CPIs are taken", n->conf->name);
	return n->cpi_in != 0;
}

void ipcomp_drop(struct agent *a, struct child_nego *n)
{
	if (!n->cpi_given)
		cpi_drop(a->core, n->cpi_in);
	n->cpi_in = n->cpi_out = 0;
}

void ipcomp_offer(struct ike_sa *ike, struct child_nego *n)
{
	if (n->conf->kernel.ipcomp)
		take_cpi(ike, n);
}

void ipcomp_put(const struct child_nego *n, struct msg_wr *chain)
{
	uint8_t data[3];
	struct wr w = wr_of(data, sizeof(data));

	if (!n->cpi_in)
		return;
	wr_u16(&w, n->cpi_in);
	wr_u8(&w, IPCOMP_DEFLATE);
	msg_put_notify(chain, IKE_PROTO_NONE, N_IPCOMP_SUPPORTED, slice_of(NULL, 0), wr_slice(&w));
}

int ipcomp_answered(struct ike_sa *ike, struct child_nego *n, const struct ike_msg *msg, struct outcome *why)
{
	const struct ike_notify_pl *accepted = NULL;
	struct offered o;

	for (unsigned int i = 0; i < msg->n_notify; i++) {
		if (msg->notify[i].type != N_IPCOMP_SUPPORTED)
			continue;
		if (accepted)
			return outcome_set(why, -EPROTO, "peer accepts more than one IPComp algorithm");
		accepted = &msg->notify[i];
	}
	if (!accepted) {
		if (n->cpi_in)
			ike_log_group(ike, LOG_CHILD, 1, "peer does without IPComp for CHILD_SA %s", n->conf->name);
		ipcomp_drop(ike->agent, n);
		return 0;
	}
	/* RFC 7296 2.22: MUST NOT accept an algorithm that was not proposed. */
	o = read_notify(accepted);
	if (!n->cpi_in || !usable(&o))
		return outcome_set(why, -EPROTO, "peer accepts IPComp that was not proposed");
	n->cpi_out = o.cpi;
	return 0;
}

void ipcomp_asked(struct ike_sa *ike, struct child_nego *n, const struct ike_msg *msg)
{
	if (!n->conf->kernel.ipcomp)
		return;
	for (unsigned int i = 0; i < msg->n_notify; i++) {
		struct offered o = {.cpi = 0};

		if (msg->notify[i].type == N_IPCOMP_SUPPORTED)
			o = read_notify(&msg->notify[i]);
		if (!usable(&o))
			continue;
		if (take_cpi(ike, n))
			n->cpi_out = o.cpi;
		return;
	}
}
