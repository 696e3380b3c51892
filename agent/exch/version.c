/* SPDX-License-Identifier: BSD-2-Clause */
#include "exch.h"

/* Other versions of IKE: refused, counted, and said once a peer (RFC 7296 2.5). */

/* True when this peer was not among the last that were named; it is now. */
static bool first_of(struct version_peers *p, const struct ip_addr *ip)
{
	for (unsigned int i = 0; i < p->n; i++)
		if (addr_equal(&p->ip[i], ip))
			return false;
	p->ip[p->at] = *ip;
	p->at = (p->at + 1) % VERSION_PEERS_MAX;
	if (p->n < VERSION_PEERS_MAX)
		p->n++;
	return true;
}

void version_refuse(struct agent *a, const struct ike_hdr *hdr, const struct path *path, enum wire_err err)
{
	char at[ENDPOINT_STRLEN];

	if (err == WIRE_OLD_VERSION)
		core_count(a, ikev1);
	else
		core_count(a, bad_version);
	/* The budget bounds what a flood from addresses that are made up can write. */
	if (first_of(&a->core->version_peers, &path->remote.ip))
		log_limited(&a->core->log_bad, LOG_IKE, 1, "%s speaks IKE version %u.%u, refused: only 2.0 is supported",
			    endpoint_str(&path->remote, at), hdr->version >> 4, hdr->version & 15);
	// RFC 7296 2.5: a message with a higher major version is dropped, and its sender is told which one we speak. What is
	// older gets nothing: there is no notify that IKEv1 could read here.
	if (err == WIRE_VERSION)
		plain_notify(a, hdr, path, N_INVALID_MAJOR_VERSION, slice_of(NULL, 0));
}
