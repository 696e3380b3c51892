// SPDX-License-Identifier: BSD-2-Clause
#include "conf_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Connections by name and by the peer's address: a gateway has thousands, and each exchange asks. */

static bool single(const struct conf_addr *a)
{
	return !a->host[0] && a->lo.family && !addr_is_any(&a->lo) && addr_equal(&a->lo, &a->hi);
}

static uint32_t name_hash(const char *name)
{
	return index_hash(INDEX_SEED, name, strlen(name));
}

static uint32_t addr_hash(const struct ip_addr *a)
{
	return index_hash(INDEX_SEED, a->b, addr_len(a));
}

static bool is_open(const struct conn_conf *conn)
{
	for (unsigned int i = 0; i < conn->n_remote; i++)
		if (!single(&conn->remote[i]))
			return true;
	return conn->n_remote == 0;
}

int conf_lookup_build(struct conf *c)
{
	struct conf_at *at;
	size_t n = c->n_conns;

	index_init(&c->by_name);
	index_init(&c->by_remote);
	for (unsigned int i = 0; i < c->n_conns; i++)
		n += c->conn[i]->n_remote;
	c->at = calloc(n + 1, sizeof(*c->at));
	c->open = calloc(c->n_conns + 1, sizeof(*c->open));
	if (!c->at || !c->open)
		return -ENOMEM;
	at = c->at;
	/* backwards: the first of a name or an address is found first */
	for (unsigned int i = c->n_conns; i-- > 0;) {
		const struct conn_conf *conn = c->conn[i];

		at->place = i;
		index_add(&c->by_name, &at++->node, name_hash(conn->name));
		for (unsigned int k = 0; k < conn->n_remote; k++) {
			if (!single(&conn->remote[k]))
				continue;
			at->place = i;
			at->addr = conn->remote[k].lo;
			index_add(&c->by_remote, &at->node, addr_hash(&at->addr));
			at++;
		}
		if (is_open(conn))
			c->open[c->n_open++] = i;
	}
	return 0;
}

void conf_lookup_free(struct conf *c)
{
	index_free(&c->by_name);
	index_free(&c->by_remote);
	free(c->at);
	free(c->open);
}

const struct conn_conf *conf_find(const struct conf *c, const char *name)
{
	const struct index_node *n = c->at ? index_find(&c->by_name, name_hash(name)) : NULL;

	for (; n; n = index_next(n)) {
		const struct conn_conf *conn = c->conn[index_owner(n, struct conf_at, node)->place];

		if (strcmp(conn->name, name) == 0)
			return conn;
	}
	return NULL;
}

struct conn_conf *conf_near_next(struct conf_near *n)
{
	const struct conf *c = n->conf;

	if (n->step == 0) {
		if (!c || !c->at)
			return NULL;
		n->node = n->node ? index_next(n->node) : index_find(&c->by_remote, addr_hash(n->remote));
		for (; n->node; n->node = index_next(n->node)) {
			const struct conf_at *at = index_owner(n->node, struct conf_at, node);

			n->place = at->place;
			if (addr_equal(&at->addr, n->remote))
				return c->conn[at->place];
		}
		n->step = 1;
	}
	if (n->step > c->n_open)
		return NULL;
	n->place = c->open[n->step++ - 1];
	return c->conn[n->place];
}
