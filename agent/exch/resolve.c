/* SPDX-License-Identifier: BSD-2-Clause */
#include "exch.h"

#include <errno.h>
#include <event2/dns.h>
#include <event2/util.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

/* Names of peers, looked up without stopping the loop. */

struct resolve {
	struct agent *agent;
	struct sa_ref ref;
	struct evdns_base *dns;
	char host[256];
};

static void resolve_end(struct resolve *r)
{
	/* Freeing the base from its own callback is allowed; requests still open fail at once. */
	evdns_base_free(r->dns, 0);
	free(r);
}

void connect_retry_later(struct ike_sa *ike)
{
	uint64_t wait = ike->agent->gw.ike.retry_initiate_interval_s * 1000ull;
	const struct task *t;

	if (!wait)
		return;
	TAILQ_FOREACH (t, &ike->tasks, next)
		if (t->conf)
			intend(ike->agent, ike_conn_name(ike), t->conf->name, wait);
}

static void fail(struct ike_sa *ike, const char *host, const char *why)
{
	struct outcome o;

	outcome_set(&o, -EHOSTUNREACH, "%s: %s", host, why);
	ike_log(ike, 1, "unable to resolve %s: %s", host, why);
	connect_retry_later(ike);
	ike_end(ike, END_FAILED, &o);
}

/* The first address that we have one of our own for: a name may stand for both families. */
static bool choose(const struct conn_conf *conn, const struct evutil_addrinfo *list, struct ip_addr *to)
{
	const struct ip_addr *from;

	for (; list; list = list->ai_next) {
		struct sockaddr_storage ss = {0};
		struct endpoint e;

		if (list->ai_addrlen > sizeof(ss))
			continue;
		memcpy(&ss, list->ai_addr, list->ai_addrlen);
		if (endpoint_from_sockaddr(&ss, &e) || !conn_may_call(conn, &e.ip, &from))
			continue;
		*to = e.ip;
		return true;
	}
	return false;
}

static void on_answer(int error, struct evutil_addrinfo *list, void *ctx)
{
	struct resolve *r = ctx;
	struct ike_sa *ike = ike_find_ref(r->agent, r->ref);
	bool waits = ike && ike->state == IKE_CONNECTING && !ike->setup;
	struct ip_addr to;
	bool found = waits && !error && choose(ike->conn, list, &to);

	if (list)
		evutil_freeaddrinfo(list);
	if (found)
		connect_resolved(ike, &to);
	else if (waits)
		fail(ike, r->host, error ? evutil_gai_strerror(error) : "no address that can be called");
	resolve_end(r);
}

void resolve_start(struct ike_sa *ike, const char *host)
{
	struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
	struct resolve *r = calloc(1, sizeof(*r));
	char seconds[16];

	if (r && ike->agent->base)
		r->dns = evdns_base_new(ike->agent->base, EVDNS_BASE_INITIALIZE_NAMESERVERS);
	if (!r || !r->dns) {
		free(r);
		fail(ike, host, "no name server");
		return;
	}
	r->agent = ike->agent;
	r->ref = ike->ref;
	snprintf(r->host, sizeof(r->host), "%s", host);
	snprintf(seconds, sizeof(seconds), "%d", RESOLVE_WAIT_S / 2);
	evdns_base_set_option(r->dns, "timeout:", seconds);
	evdns_base_set_option(r->dns, "attempts:", "2");
	evdns_getaddrinfo(r->dns, host, NULL, &hints, on_answer, r);
}
