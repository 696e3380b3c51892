/* SPDX-License-Identifier: BSD-2-Clause */
#include "core.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const state_names[IKE_STATES] = {
	[IKE_CREATED] = "CREATED",	   [IKE_CONNECTING] = "CONNECTING",
	[IKE_ESTABLISHED] = "ESTABLISHED", [IKE_REKEYING] = "REKEYING",
	[IKE_REKEYED] = "REKEYED",	   [IKE_DELETING] = "DELETING",
	[IKE_DEAD] = "DESTROYING",
};

#define TO(s) (1u << (s))

/* A rekeyed IKE SA goes from CREATED to ESTABLISHED at once; one that failed to authenticate tells the peer
 * so in DELETING without ever having been ESTABLISHED. */
static const unsigned int legal[IKE_STATES] = {
	[IKE_CREATED] = TO(IKE_CONNECTING) | TO(IKE_ESTABLISHED) | TO(IKE_DEAD),
	[IKE_CONNECTING] = TO(IKE_ESTABLISHED) | TO(IKE_DELETING) | TO(IKE_DEAD),
	[IKE_ESTABLISHED] = TO(IKE_REKEYING) | TO(IKE_REKEYED) | TO(IKE_DELETING) | TO(IKE_DEAD),
	[IKE_REKEYING] = TO(IKE_ESTABLISHED) | TO(IKE_REKEYED) | TO(IKE_DELETING) | TO(IKE_DEAD),
	[IKE_REKEYED] = TO(IKE_DELETING) | TO(IKE_DEAD),
	[IKE_DELETING] = TO(IKE_DEAD),
	[IKE_DEAD] = 0,
};

const char *ike_state_name(enum ike_state s)
{
	return (unsigned int)s < IKE_STATES ? state_names[s] : "?";
}

bool ike_state_legal(enum ike_state from, enum ike_state to)
{
	return (unsigned int)from < IKE_STATES && (unsigned int)to < IKE_STATES &&
	       (legal[from] & TO(to));
}

static bool half_open(const struct ike_sa *ike, enum ike_state s)
{
	return s == IKE_CONNECTING && !ike->initiator;
}

int ike_state_set(struct ike_sa *ike, enum ike_state to)
{
	enum ike_state from = ike->state;
	struct agent *a = ike->agent;

	if (!ike_state_legal(from, to)) {
		ike_log(ike, 0, "refused to go from %s to %s", ike_state_name(from),
			ike_state_name(to));
		return -EPERM;
	}
	if (half_open(ike, to))
		a->core->half_open++;
	if (half_open(ike, from))
		a->core->half_open--;
	ike->state = to;
	if (to != IKE_CONNECTING)
		ike_attempt_over(ike);
	ike_log(ike, 2, "IKE_SA %s[%u] state change: %s => %s", ike_conn_name(ike), ike->id,
		ike_state_name(from), ike_state_name(to));
	return 0;
}

/* Whose lines these are: anybody's, before a peer has proved itself to us; then its own, or those of whom we call. */
static struct log_budget *budget_of(const struct ike_sa *ike, int level)
{
	struct agent_core *core = ike->agent->core;
	uint32_t h;

	if (!ike->initiator && !ike->authenticated)
		return &core->log_init;
	h = ike->authenticated ? id_hash(INDEX_SEED, ike->remote_id)
			       : index_hash(INDEX_SEED, ike_conn_name(ike), strlen(ike_conn_name(ike)));
	return level > LOG_LEVEL_DEFAULT ? &core->log_detail[h % LOG_PEERS] : &core->log_peer[h % LOG_PEERS];
}

void ike_log_group(const struct ike_sa *ike, enum log_group group, int level, const char *fmt, ...)
{
	char line[LOG_LINE_MAX], more[48] = "";
	struct log_budget *b;
	va_list ap;

	if (!log_wanted(group, level))
		return;
	b = ike ? budget_of(ike, level) : NULL;
	if (b && !log_budget(b))
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (b && b->held_back)
		snprintf(more, sizeof(more), " (%u lines held back)", b->held_back);
	if (b)
		b->held_back = 0;
	if (ike)
		log_line_sa(group, level, ike->conn ? ike->conn->name : NULL, ike->id, "%s%s", line, more);
	else
		log_line(group, level, "%s", line);
}
