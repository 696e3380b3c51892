/* SPDX-License-Identifier: BSD-2-Clause */
#include "keys_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* What the keys role has, without a secret: asked and waited for, a page at a time. */
enum { LIST_MS = 1000 };

/* One page; answers to others that come meanwhile wait for the loop. */
static int page(struct keys *k, struct role *r, uint32_t type, uint32_t from,
		struct keys_list_reply *out, uint64_t until)
{
	struct keys_list_request q = {.from = from};

	q.hdr = (struct keys_hdr){.type = type, .len = sizeof(q), .id = ++k->next_id};
	if (send(r->child.fd, &q, sizeof(q), MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof(q))
		return -EIO;
	for (;;) {
		uint64_t now = keys_now_ms();
		ssize_t n;
		int error = keys_child_wait(&r->child, now < until ? (int)(until - now) : 0);

		if (error)
			return error;
		n = keys_child_recv(&r->child, k->buf, sizeof(k->buf));
		if (n == -EAGAIN)
			continue;
		if (n <= 0)
			return -EIO;
		memcpy(out, k->buf, (size_t)n < sizeof(*out) ? (size_t)n : sizeof(*out));
		if (n == sizeof(*out) && out->hdr.type == type && out->hdr.id == q.hdr.id)
			return out->n <= KEYS_LIST_MAX ? 0 : -EIO;
		if (!keys_role_message(r, (size_t)n))
			return -EIO;
	}
}

int keys_list(struct keys *k, struct keys_entry *out, unsigned int max)
{
	struct keys_list_reply *reply = malloc(sizeof(*reply));
	uint64_t until = keys_now_ms() + LIST_MS;
	unsigned int n = 0;
	int r = reply ? 0 : -ENOMEM;

	if (!r && (!k->role || !k->role->ready))
		r = -EIO;
	while (!r && n < max) {
		r = page(k, k->role, KEYS_LIST, n, reply, until);
		if (r || !reply->n)
			break;
		for (uint32_t i = 0; i < reply->n && n < max; i++)
			out[n++] = reply->u.entry[i];
	}
	free(reply);
	return r ? r : (int)n;
}

struct keys_private *keys_fetch_private(struct keys *k, struct role *r, unsigned int *n, int *error)
{
	struct keys_list_reply *reply = malloc(sizeof(*reply));
	struct keys_private *all = NULL, *grown;
	uint64_t until = keys_now_ms() + LIST_MS;

	*n = 0;
	*error = reply ? 0 : -ENOMEM;
	while (!*error) {
		*error = page(k, r, KEYS_PRIVATE, *n, reply, until);
		if (*error || !reply->n)
			break;
		grown = realloc(all, (*n + reply->n) * sizeof(*all));
		if (!grown) {
			*error = -ENOMEM;
			break;
		}
		all = grown;
		memcpy(all + *n, reply->u.key, reply->n * sizeof(*all));
		*n += reply->n;
	}
	free(reply);
	if (!*error)
		return all;
	free(all);
	*n = 0;
	return NULL;
}

bool keys_private_at(const struct keys *k, unsigned int i, struct keys_private *out)
{
	if (i >= k->n_private)
		return false;
	*out = k->private_key[i];
	return true;
}

bool keys_has_private(const struct keys *k, const uint8_t id[SIG_KEY_ID_LEN])
{
	for (unsigned int i = 0; i < k->n_private; i++)
		if (secret_equal(k->private_key[i].id, id, SIG_KEY_ID_LEN))
			return true;
	return false;
}
