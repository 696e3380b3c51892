// SPDX-License-Identifier: BSD-2-Clause
#include "conf_int.h"

#include "common/keep.h"

#include <stddef.h>
#include <string.h>

/* Kept copies of structs: field by field onto zeroes, so that padding never tells equals apart. */

const struct conf_id conf_id_none;

static void transforms_copy(struct proposal *out, const struct proposal *p)
{
	out->number = p->number;
	out->proto = p->proto;
	out->n = p->n;
	for (unsigned int i = 0; i < p->n; i++) {
		out->t[i].type = p->t[i].type;
		out->t[i].id = p->t[i].id;
		out->t[i].key_bits = p->t[i].key_bits;
	}
}

const struct proposal *proposal_keep(const struct proposal *p)
{
	struct proposal clean;

	memset(&clean, 0, sizeof(clean));
	transforms_copy(&clean, p);
	return keep(&clean, sizeof(clean));
}

const struct proposals *proposals_keep(const struct proposals *p)
{
	struct proposals clean;

	memset(&clean, 0, sizeof(clean));
	clean.n = p->n;
	for (unsigned int i = 0; i < p->n; i++)
		transforms_copy(&clean.p[i], &p->p[i]);
	return keep(&clean, sizeof(clean));
}

static void addr_copy(struct ip_addr *out, const struct ip_addr *a)
{
	out->family = a->family;
	memcpy(out->b, a->b, addr_len(a));
}

const struct ts_list *ts_keep(const struct ts_list *l)
{
	struct ts_list clean;

	memset(&clean, 0, sizeof(clean));
	clean.n = l->n;
	for (unsigned int i = 0; i < l->n; i++) {
		struct ts *to = &clean.ts[i];
		const struct ts *ts = &l->ts[i];

		addr_copy(&to->lo, &ts->lo);
		addr_copy(&to->hi, &ts->hi);
		to->port_lo = ts->port_lo;
		to->port_hi = ts->port_hi;
		to->protocol = ts->protocol;
	}
	return keep(&clean, offsetof(struct ts_list, ts) + l->n * sizeof(struct ts));
}

void conf_id_clean(struct conf_id *to, const struct conf_id *from)
{
	to->type = from->type;
	to->any = from->any;
	to->wild = from->wild;
	to->n = from->n;
	memcpy(to->b, from->b, from->n);
	memcpy(to->text, from->text, strnlen(from->text, sizeof(to->text) - 1));
}

const struct conf_id *conf_id_keep(const struct conf_id *id)
{
	struct conf_id clean;

	memset(&clean, 0, sizeof(clean));
	conf_id_clean(&clean, id);
	return keep(&clean, sizeof(clean));
}
