/* SPDX-License-Identifier: BSD-2-Clause */
#include "core.h"

#include <errno.h>
#include <stdlib.h>

/* Half-open IKE SAs by source, in the order in which they came: the first `slow` of them wait for longer than the grace. */

/* An IPv6 host has a whole /64 to send from. */
static void key_of(const struct ip_addr *ip, uint8_t key[16])
{
	addr_to_mapped(ip, key);
	if (ip->family == 6)
		memset(key + 8, 0, 8);
}

static struct source *source_find(const struct agent *a, const struct ip_addr *ip)
{
	struct source *s;
	uint8_t key[16];

	key_of(ip, key);
	HASH_FIND(hh, a->core->sources, key, sizeof(key), s);
	return s;
}

static struct source *source_get(struct agent *a, const struct ip_addr *ip)
{
	struct source *s = source_find(a, ip);

	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	key_of(ip, s->key);
	TAILQ_INIT(&s->waiting);
	TABLE_ADD(hh, a->core->sources, key, s);
	if (TABLE_HAS(hh, a->core->sources, s))
		return s;
	free(s);
	return NULL;
}

int source_add(struct agent *a, struct source_entry *e, const struct ip_addr *ip)
{
	struct source *s = source_get(a, ip);

	if (!s)
		return -ENOMEM;
	*e = (struct source_entry){.source = s, .since_ms = sa_now_ms()};
	TAILQ_INSERT_TAIL(&s->waiting, e, next);
	if (!s->young)
		s->young = e;
	s->half_open++;
	return 0;
}

void source_drop(struct agent *a, struct source_entry *e)
{
	struct source *s = e->source;

	if (!s)
		return;
	if (s->young == e)
		s->young = TAILQ_NEXT(e, next);
	s->slow -= e->slow;
	TAILQ_REMOVE(&s->waiting, e, next);
	*e = (struct source_entry){0};
	if (--s->half_open)
		return;
	HASH_DELETE(hh, a->core->sources, s);
	free(s);
}

bool source_blocked(struct agent *a, const struct ip_addr *ip, uint32_t threshold)
{
	struct source *s = source_find(a, ip);
	uint64_t now = sa_now_ms();

	if (!s || !threshold)
		return false;
	for (; s->young && s->young->since_ms + SOURCE_GRACE_MS <= now; s->young = TAILQ_NEXT(s->young, next)) {
		s->young->slow = true;
		s->slow++;
	}
	return s->slow >= threshold || s->half_open / SOURCE_BURST >= threshold;
}
