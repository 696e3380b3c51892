/* SPDX-License-Identifier: BSD-2-Clause */
#include "control_int.h"

#include <errno.h>
#include <string.h>

static bool child_matches(const struct listing *l, const struct child_sa *child)
{
	return (!l->child[0] || !strcmp(l->child, child->conf->name)) &&
	       (!l->child_id || l->child_id == child->id);
}

static bool ike_matches(const struct listing *l, const struct ike_sa *ike)
{
	const struct child_sa *child;

	if (l->ike[0] && strcmp(l->ike, ike_name(ike)) != 0)
		return false;
	if (l->ike_id && l->ike_id != ike->id)
		return false;
	if (!l->child[0] && !l->child_id)
		return true;
	TAILQ_FOREACH (child, &ike->children, next)
		if (child_matches(l, child))
			return true;
	return false;
}

/* Children after child_at, as many as fit an event. True when there are more. */
static bool write_children(struct vici_wr *v, struct client *cl, struct listing *l,
			   const struct ike_sa *ike)
{
	const struct child_sa *child;
	bool past = l->child_at == 0;

	TAILQ_FOREACH (child, &ike->children, next) {
		if (past && v->w.n > SA_EVENT_SPLIT)
			return true;
		if (past && child_matches(l, child)) {
			child_section(v, cl->control->a, child);
			l->child_at = child->id;
		} else if (child->id == l->child_at) {
			past = true;
		}
	}
	return false;
}

/* The IKE SAs stand in the order of their ids: the next is the first above the last one sent. */
static const struct ike_sa *find_next(const struct listing *l, const struct ike_list *all)
{
	const struct ike_sa *last = l->last;
	const struct ike_sa *ike = last ? TAILQ_NEXT(last, all) : TAILQ_FIRST(all);

	while (ike && (ike->id <= l->at || !ike_matches(l, ike)))
		ike = TAILQ_NEXT(ike, all);
	return ike;
}

static int next_sa(struct client *cl, struct listing *l)
{
	const struct ike_sa *ike = find_next(l, sa_all(cl->control->a));
	struct vici_wr v;
	bool more;

	if (!ike)
		return -ENOENT;
	v = event_begin(cl->control, CONTROL_EV_LIST_SA);
	vici_section(&v, ike_name(ike));
	ike_fields(&v, ike);
	vici_section(&v, "child-sas");
	more = write_children(&v, cl, l, ike);
	vici_section_end(&v);
	vici_section_end(&v);
	if (!more) {
		l->at = ike->id;
		l->last = ike;
		l->child_at = 0;
	}
	return listing_send(cl, &v) ? 0 : 1;
}

void cmd_list_sas(struct client *cl, struct slice body)
{
	struct listing l = {.next = next_sa, .event = CONTROL_EV_LIST_SA};

	if (!param_name(cl, body, "ike", l.ike, sizeof(l.ike)) ||
	    !param_name(cl, body, "child", l.child, sizeof(l.child)) ||
	    !param_id(cl, body, "ike-id", &l.ike_id) || !param_id(cl, body, "child-id", &l.child_id))
		return;
	listing_start(cl, &l);
}
