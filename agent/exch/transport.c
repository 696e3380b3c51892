/* SPDX-License-Identifier: BSD-2-Clause */
#include "exch.h"

#include <errno.h>

/*
 * Transport mode (RFC 7296 1.3.1) and its selectors, which are the two gateways' own addresses; with a NAT in between
 * each side puts what it knows in place of what the other sees (2.23.1). Either side may decline: then it is a tunnel.
 */

static bool one_addr(const struct ts_list *l)
{
	for (unsigned int i = 0; i < l->n; i++)
		if (!addr_equal(&l->ts[i].lo, &l->ts[0].lo) || !addr_equal(&l->ts[i].hi, &l->ts[0].lo))
			return false;
	return l->n > 0;
}

static bool is_addr(const struct ts_list *l, const struct ip_addr *ip)
{
	return one_addr(l) && addr_equal(&l->ts[0].lo, ip);
}

static void readdress(struct ts_list *l, const struct ip_addr *ip)
{
	for (unsigned int i = 0; i < l->n; i++)
		l->ts[i].lo = l->ts[i].hi = *ip;
}

bool transport_fits(const struct ike_sa *ike, const struct ts_list *local, const struct ts_list *remote)
{
	return is_addr(local, &ike->local.ip) && is_addr(remote, &ike->remote.ip);
}

bool transport_wanted(struct ike_sa *ike, const struct child_nego *n, const struct child_sa *old)
{
	if (old)
		return old->mode == CONF_MODE_TRANSPORT;
	if (n->conf->mode != CONF_MODE_TRANSPORT)
		return false;
	/* RFC 7296 2.23.1: exactly one address a side, those of the IKE SA. */
	if (transport_fits(ike, &n->ts_local, &n->ts_remote))
		return true;
	ike_log_group(ike, LOG_CHILD, 1,
		      "CHILD_SA %s: its selectors are not the gateways' own addresses, asking for a tunnel",
		      n->conf->name);
	return false;
}

/* RFC 7296 2.23.1: what the sender knows of itself and of us, seen through a NAT, becomes what the IKE SA has. */
static bool substitute(struct ts_list *l, bool nat, const struct ip_addr *ip)
{
	if (!nat)
		return true;
	if (!one_addr(l) || l->ts[0].lo.family != ip->family)
		return false;
	readdress(l, ip);
	return true;
}

bool transport_asked(struct ike_sa *ike, const struct ike_msg *msg, struct ts_list *local, struct ts_list *remote)
{
	*local = msg->ts_r;
	*remote = msg->ts_i;
	return msg_notify(msg, N_USE_TRANSPORT_MODE) && substitute(local, ike->nat_local, &ike->local.ip) &&
	       substitute(remote, ike->nat_remote, &ike->remote.ip);
}

int transport_answered(struct ike_sa *ike, struct child_nego *n, const struct ike_msg *msg, struct ts_list *local,
		       struct ts_list *remote, struct outcome *why)
{
	*local = msg->ts_i;
	*remote = msg->ts_r;
	if (!msg_notify(msg, N_USE_TRANSPORT_MODE)) {
		/* RFC 7296 1.3.1: declined; a tunnel protects the same. */
		if (n->transport)
			ike_log_group(ike, LOG_CHILD, 1, "peer declines transport mode for CHILD_SA %s: a tunnel",
				      n->conf->name);
		n->transport = false;
		return 0;
	}
	if (!n->transport)
		return outcome_set(why, -EPROTO, "peer chose transport mode, which was not offered");
	if (!substitute(local, ike->nat_local, &ike->local.ip) ||
	    !substitute(remote, ike->nat_remote, &ike->remote.ip) || !transport_fits(ike, local, remote))
		return outcome_set(why, -EPROTO, "peer's traffic selectors do not fit transport mode");
	return 0;
}

void transport_restore(const struct child_nego *n, struct ts_list *local, struct ts_list *remote)
{
	*local = n->ts_local;
	*remote = n->ts_remote;
	if (!n->transport)
		return;
	readdress(local, &n->said_local);
	readdress(remote, &n->said_remote);
}
