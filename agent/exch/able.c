/* SPDX-License-Identifier: BSD-2-Clause */
#include "exch.h"

#include "common/alg.h"

#include <errno.h>

/*
 * A child's proposals, less what no engine can do for it: what is not offered cannot be chosen, and a
 * peer that has other suites to choose from gets one that works.
 */
struct ability {
	const struct agent *a;
	const char *conn;
	const struct child_conf *conf;
	struct outcome *why; /* of the last suite that nobody can do */
};

static bool suite_able(const struct ability *b, const struct proposal *p, const struct transform *encr,
		       const struct transform *integ)
{
	const struct child_suite suite = {.encr = encr ? encr->id : 0,
					  .encr_bits = encr ? encr->key_bits : 0,
					  .integ = integ ? integ->id : 0,
					  .ah = p->proto == IKE_PROTO_AH};
	struct outcome why;

	if (engine_usable(b->a, b->conn, b->conf, &suite, &why) || why.error != -EOPNOTSUPP)
		return true;
	*b->why = why;
	return false;
}

/* With any of the others that stand beside it. */
static bool transform_able(const struct ability *b, const struct proposal *p, const struct transform *t)
{
	unsigned int other = t->type == IKE_T_ENCR ? IKE_T_INTEG : IKE_T_ENCR;
	bool alone = true;

	for (unsigned int i = 0; i < p->n; i++) {
		const struct transform *o = &p->t[i];

		if (o->type != other)
			continue;
		alone = false;
		if (suite_able(b, p, t->type == IKE_T_ENCR ? t : o, t->type == IKE_T_ENCR ? o : t))
			return true;
	}
	return alone && suite_able(b, p, t->type == IKE_T_ENCR ? t : NULL, t->type == IKE_T_ENCR ? NULL : t);
}

/* False: nothing of a type is left that was there. */
static bool keep_able(const struct ability *b, const struct proposal *p, struct proposal *out)
{
	bool had[2] = {false, false}, has[2] = {false, false};

	*out = *p;
	out->n = 0;
	for (unsigned int i = 0; i < p->n; i++) {
		const struct transform *t = &p->t[i];
		bool integ = t->type == IKE_T_INTEG, asked = integ || t->type == IKE_T_ENCR;

		if (asked) {
			had[integ] = true;
			if (!transform_able(b, p, t))
				continue;
			has[integ] = true;
		}
		out->t[out->n++] = *t;
	}
	return had[0] == has[0] && had[1] == has[1];
}

int proposals_able(const struct agent *a, const char *conn, const struct child_conf *conf, struct proposals *out,
		   struct outcome *why)
{
	const struct ability b = {.a = a, .conn = conn, .conf = conf, .why = why};

	/* Nobody at all: whoever asked hears of that, not of algorithms. */
	if (!engine_usable(a, conn, conf, NULL, why)) {
		*out = *conf->proposals;
		return outcome_set(why, 0, "%s", "");
	}
	outcome_set(why, 0, "%s", "");
	out->n = 0;
	for (unsigned int i = 0; i < conf->proposals->n; i++)
		if (keep_able(&b, &conf->proposals->p[i], &out->p[out->n]))
			out->n++;
	return out->n || !conf->proposals->n ? 0 : why->error;
}

int nego_able(struct ike_sa *ike, const struct child_nego *n, struct proposals *out, struct outcome *why)
{
	int err = proposals_able(ike->agent, n->conn->name, n->conf, out, why);

	if (!err && why->error)
		ike_log_group(ike, LOG_CHILD, 1, "%s: not proposed", why->text);
	return err;
}
