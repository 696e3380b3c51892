/* SPDX-License-Identifier: BSD-2-Clause */
#include "exch.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * A packet met a trap. What it asked for is negotiated once: while that is under way, and for acquire_timeout when
 * nothing came of it, further packets ask for nothing. One entry a configured child that asked, no more.
 */
struct acquire {
	char key[2 * CONF_NAME_MAX]; /* connection and child, the rest zero */
	uint64_t until_ms;
	UT_hash_handle by_name;
};

static void key_of(const char *conn, const char *child, char key[2 * CONF_NAME_MAX])
{
	memset(key, 0, 2 * CONF_NAME_MAX);
	snprintf(key, CONF_NAME_MAX, "%s", conn);
	snprintf(key + CONF_NAME_MAX, CONF_NAME_MAX, "%s", child);
}

static struct acquire *find(const struct agent_core *core, const char *conn, const char *child)
{
	char key[2 * CONF_NAME_MAX];
	struct acquire *q;

	key_of(conn, child, key);
	HASH_FIND(by_name, core->acquires, key, sizeof(key), q);
	return q;
}

static struct acquire *add(struct agent_core *core, const char *conn, const char *child)
{
	struct acquire *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	key_of(conn, child, q->key);
	TABLE_ADD(by_name, core->acquires, key, q);
	if (TABLE_HAS(by_name, core->acquires, q))
		return q;
	free(q);
	return NULL;
}

/*
 * RFC 7296 2.9: the first selectors are those of the packet. ICMP goes as a whole: who narrowed to its type would
 * never see an answer.
 */
static void trigger_of(const struct xs_tuple *t, struct trigger *out)
{
	bool ports = !(t->flags & XS_TUPLE_NO_PORTS) &&
		     (t->protocol == IPPROTO_TCP || t->protocol == IPPROTO_UDP || t->protocol == IPPROTO_SCTP);

	*out = (struct trigger){0};
	if (!t->protocol)
		return;
	addr_from_mapped(t->src.b, &out->local.lo);
	addr_from_mapped(t->dst.b, &out->remote.lo);
	out->local.hi = out->local.lo;
	out->remote.hi = out->remote.lo;
	out->local.protocol = out->remote.protocol = t->protocol;
	out->local.port_lo = ports ? t->sport : 0;
	out->local.port_hi = ports ? t->sport : 65535;
	out->remote.port_lo = ports ? t->dport : 0;
	out->remote.port_hi = ports ? t->dport : 65535;
	out->given = true;
}

void acquire(struct agent *a, const struct engine_event *ev)
{
	struct acquire *q = find(a->core, ev->conn, ev->child);
	uint64_t now = sa_now_ms();
	struct trigger trigger;

	if (q && now < q->until_ms)
		return;
	if (!conf_find(a->core->conf, ev->conn))
		return;
	if (!q)
		q = add(a->core, ev->conn, ev->child);
	if (!q) {
		core_count(a, no_memory);
		return;
	}
	q->until_ms = now + a->gw.ike.acquire_timeout_s * 1000ull;
	log_limited(&a->core->log_engine, LOG_CHILD, 1, "creating acquire job for CHILD_SA %s of %s", ev->child, ev->conn);
	trigger_of(&ev->tuple, &trigger);
	intend_for(a, ev->conn, ev->child, &trigger, 0);
}

void acquire_done(struct agent *a, const char *conn, const char *child)
{
	struct acquire *q = find(a->core, conn, child);

	if (!q)
		return;
	HASH_DELETE(by_name, a->core->acquires, q);
	free(q);
}

void acquires_forget(struct agent *a)
{
	struct acquire *q, *next;

	HASH_ITER (by_name, a->core->acquires, q, next) {
		HASH_DELETE(by_name, a->core->acquires, q);
		free(q);
	}
}
