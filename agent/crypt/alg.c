/* SPDX-License-Identifier: BSD-2-Clause */
#include "alg.h"

#include <stdio.h>

const char *proposal_str(const struct proposal *p, char *buf, size_t n)
{
	size_t at = 0;

	if (!n)
		return buf;
	buf[0] = '\0';
	for (unsigned int i = 0; i < p->n && i < IKE_TRANSFORMS_MAX && at < n; i++) {
		const struct transform *t = &p->t[i];
		const struct alg *a = alg_find(t->type, t->id, t->key_bits);
		const char *slash = at ? "/" : "";
		int r;

		if (t->type == IKE_T_INTEG && t->id == AUTH_NONE)
			continue; /* beside an AEAD it says nothing */
		if (a)
			r = snprintf(buf + at, n - at, "%s%s", slash, a->text);
		else
			r = snprintf(buf + at, n - at, "%s%u:%u", slash, t->type, t->id);
		at += r > 0 ? (size_t)r : 0;
	}
	return buf;
}

const struct alg *proposal_legacy(const struct proposal *p, unsigned int i)
{
	for (unsigned int k = 0; k < p->n && k < IKE_TRANSFORMS_MAX; k++) {
		const struct transform *t = &p->t[k];
		const struct alg *a = alg_find(t->type, t->id, t->key_bits);

		if (a && a->legacy && !i--)
			return a;
	}
	return NULL;
}
