/* SPDX-License-Identifier: BSD-2-Clause */
#include "policies.h"

#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Who holds a row of the map. */
struct policy_ref {
	uint32_t id;
	uint32_t index; /* in the set */
	struct policy_set *set;
	UT_hash_handle hh;
};

struct policies {
	struct xs_maps *maps;
	struct xs_policies *index;
	struct policy_set *sets;
	struct policy_ref *refs;
	TAILQ_HEAD(, policy_set) lacking;
	struct log_budget moved_budget; /* peers with the same selectors */
};

/* FNV-1a: only spreads and tells apart; equality is checked row by row. */
static uint64_t digest(uint64_t h, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 0x100000001b3ULL;
	return h;
}

struct policy_set_key policy_key(const struct policy_names *names, const struct policy_rows *rows)
{
	struct policy_set_key k = {.digest = 0xcbf29ce484222325ULL, .n = rows->n};

	policy_name(k.conn, names->conn);
	policy_name(k.child, names->child);
	for (uint32_t i = 0; i < rows->n; i++) {
		const struct xs_policy *r = &rows->row[i];

		k.digest = digest(k.digest, r, offsetof(struct xs_policy, priority));
		k.digest = digest(k.digest, &r->protocol, 1);
	}
	return k;
}

static void copy_name(char out[CONF_NAME_MAX], const char *name)
{
	size_t n = name ? strnlen(name, CONF_NAME_MAX - 1) : 0;

	if (n)
		memcpy(out, name, n);
	out[n] = '\0';
}

static int ref_add(struct policies *p, struct policy_set *s, uint32_t index, uint32_t id)
{
	struct policy_ref *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->id = id;
	r->index = index;
	r->set = s;
	s->id[index] = id;
	HASH_ADD(hh, p->refs, id, sizeof(r->id), r);
	return 0;
}

static struct policy_ref *ref_find(struct policies *p, uint32_t id)
{
	struct policy_ref *r;

	HASH_FIND(hh, p->refs, &id, sizeof(id), r);
	return r;
}

static void ref_del(struct policies *p, uint32_t id)
{
	struct policy_ref *r = ref_find(p, id);

	if (!r)
		return;
	HASH_DEL(p->refs, r);
	free(r);
}

static void lack(struct policies *p, struct policy_set *s, int change)
{
	bool was = s->n_lacking != 0;

	s->n_lacking += (uint32_t)change;
	if (!was && s->n_lacking)
		TAILQ_INSERT_TAIL(&p->lacking, s, lacking);
	else if (was && !s->n_lacking)
		TAILQ_REMOVE(&p->lacking, s, lacking);
}

/* A row in the map changes hands; it is in force all the while. */
static int ref_move(struct policies *p, struct policy_ref *r, struct policy_set *to, uint32_t index)
{
	int err = xs_policy_set(p->index, r->id, to->action, to->bundle);

	if (err)
		return err;
	r->set->id[r->index] = 0;
	lack(p, r->set, 1);
	r->set = to;
	r->index = index;
	to->id[index] = r->id;
	return 0;
}

static struct policy_set *set_new(const struct policy_names *names, struct policy_rows *rows)
{
	struct policy_set *s = calloc(1, sizeof(*s));

	if (s)
		s->id = calloc(rows->n, sizeof(*s->id));
	if (!s || !s->id) {
		free(s);
		policy_rows_free(rows);
		errno = ENOMEM;
		return NULL;
	}
	s->key = policy_key(names, rows);
	copy_name(s->conn, names->conn);
	copy_name(s->child, names->child);
	s->rows = *rows;
	*rows = (struct policy_rows){0};
	TAILQ_INIT(&s->members);
	return s;
}

static void set_free(struct policy_set *s)
{
	policy_rows_free(&s->rows);
	free(s->id);
	free(s);
}

struct policy_set *policies_find(struct policies *p, const struct policy_names *names,
				 const struct policy_rows *rows)
{
	struct policy_set_key k = policy_key(names, rows);
	struct policy_set *s;

	HASH_FIND(hh, p->sets, &k, sizeof(k), s);
	return s && policy_rows_same(&s->rows, rows) ? s : NULL;
}

struct policy_set *policies_by_id(struct policies *p, uint32_t id)
{
	struct policy_ref *r = ref_find(p, id);

	return r ? r->set : NULL;
}

struct policy_set *policies_by_bundle(struct policies *p, uint32_t bundle)
{
	for (struct policy_set *s = p->sets; bundle && s; s = s->hh.next)
		if (s->bundle == bundle)
			return s;
	return NULL;
}

/* The row of a set that lacks this one because a newer set took it. */
static struct policy_set *lacking_find(struct policies *p, const struct policy_set *not,
				       const struct xs_policy *row, uint32_t *index)
{
	struct policy_set *s;

	TAILQ_FOREACH(s, &p->lacking, lacking) {
		for (uint32_t i = 0; s != not && i < s->rows.n; i++) {
			if (s->id[i] || s->rows.row[i].priority != row->priority ||
			    !policy_row_same(&s->rows.row[i], row))
				continue;
			*index = i;
			return s;
		}
	}
	return NULL;
}

static void row_drop(struct policies *p, struct policy_set *s, uint32_t i)
{
	struct policy_set *heir;
	struct policy_ref *r = ref_find(p, s->id[i]);
	uint32_t index;
	int err;

	heir = lacking_find(p, s, &s->rows.row[i], &index);
	if (heir && r && !ref_move(p, r, heir, index)) {
		lack(p, heir, -1);
		return;
	}
	err = xs_policy_del(p->index, s->id[i]);
	if (err && err != -ENOENT)
		log_line(LOG_KERNEL, 1, "policy %u of %s: cannot be deleted: %s", s->id[i], s->child,
			 strerror(-err));
	ref_del(p, s->id[i]);
	s->id[i] = 0;
}

static int row_put(struct policies *p, struct policy_set *s, uint32_t i)
{
	struct xs_policy *row = &s->rows.row[i];
	struct policy_ref *held;
	uint32_t id = 0;
	int err;

	row->action = (uint8_t)s->action;
	row->bundle = s->bundle;
	err = xs_policy_add(p->index, row, &id);
	if (!err) {
		err = ref_add(p, s, i, id);
		if (err)
			xs_policy_del(p->index, id);
		return err;
	}
	held = err == -EEXIST ? ref_find(p, id) : NULL;
	if (!held || held->set == s)
		return err;
	log_limited(&p->moved_budget, LOG_KERNEL, 1, "policy %u of %s serves %s from now on: same selectors", id,
		 held->set->child, s->child);
	return ref_move(p, held, s, i);
}

struct policy_set *policies_add(struct policies *p, const struct policy_names *names,
				struct policy_rows *rows, enum xs_action action, uint64_t word)
{
	struct policy_set *s = set_new(names, rows);
	int err = 0;

	if (!s)
		return NULL;
	s->action = action;
	if (action == XS_PROTECT) {
		s->bundle = xs_bundle_alloc(p->index);
		if (!s->bundle)
			err = -ENOSPC;
		else
			xs_bundle_set(p->maps, s->bundle, word);
	}
	for (uint32_t i = 0; !err && i < s->rows.n; i++)
		err = row_put(p, s, i);
	if (!err) {
		HASH_ADD(hh, p->sets, key, sizeof(s->key), s);
		return s;
	}
	for (uint32_t i = 0; i < s->rows.n; i++)
		if (s->id[i])
			row_drop(p, s, i);
	if (s->n_lacking)
		TAILQ_REMOVE(&p->lacking, s, lacking);
	if (s->bundle)
		xs_bundle_free(p->index, s->bundle);
	set_free(s);
	errno = -err;
	return NULL;
}

static int set_action(struct policies *p, struct policy_set *s, enum xs_action action)
{
	int first = 0;

	s->action = action;
	for (uint32_t i = 0; i < s->rows.n; i++) {
		int err = s->id[i] ? xs_policy_set(p->index, s->id[i], action, s->bundle) : 0;

		s->rows.row[i].action = (uint8_t)action;
		s->rows.row[i].bundle = s->bundle;
		if (err && !first)
			first = err;
	}
	return first;
}

int policy_set_protect(struct policies *p, struct policy_set *s, uint64_t word)
{
	enum xs_action before = s->action;
	int err;

	if (!s->bundle)
		s->bundle = xs_bundle_alloc(p->index);
	if (!s->bundle)
		return -ENOSPC;
	xs_bundle_set(p->maps, s->bundle, word);
	if (before == XS_PROTECT)
		return 0;
	err = set_action(p, s, XS_PROTECT);
	if (err) {
		xs_bundle_set(p->maps, s->bundle, 0);
		set_action(p, s, before);
	}
	return err;
}

void policy_set_rest(struct policies *p, struct policy_set *s, enum xs_action action)
{
	int err;

	if (s->bundle)
		xs_bundle_set(p->maps, s->bundle, 0);
	err = set_action(p, s, action);
	if (err)
		log_line(LOG_KERNEL, 1, "policies of %s: %s: they drop until there is an SA", s->child,
			 strerror(-err));
}

void policy_set_del(struct policies *p, struct policy_set *s)
{
	for (uint32_t i = 0; i < s->rows.n; i++)
		if (s->id[i])
			row_drop(p, s, i);
	if (s->n_lacking)
		TAILQ_REMOVE(&p->lacking, s, lacking);
	if (s->bundle) {
		xs_bundle_set(p->maps, s->bundle, 0);
		xs_bundle_free(p->index, s->bundle);
	}
	HASH_DEL(p->sets, s);
	set_free(s);
}

void policies_refresh(struct policies *p)
{
	int err = xs_policies_refresh(p->index);

	if (err)
		log_line(LOG_KERNEL, 0, "flows keep what was decided before: %s", strerror(-err));
}

void policies_each(struct policies *p, void (*fn)(void *ctx, struct policy_set *s), void *ctx)
{
	struct policy_set *s, *next;

	HASH_ITER(hh, p->sets, s, next)
		fn(ctx, s);
}

/* ---- what an earlier agent left ---------------------------------------------------------- */
struct loaded {
	uint32_t id;
	struct xs_policy row;
};

struct loading {
	struct loaded *at;
	size_t n, cap;
};

static int load_row(void *ctx, uint32_t id, const struct xs_policy *row)
{
	struct loading *l = ctx;

	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;
		struct loaded *more = realloc(l->at, cap * sizeof(*more));

		if (!more)
			return -ENOMEM;
		l->at = more;
		l->cap = cap;
	}
	l->at[l->n++] = (struct loaded){.id = id, .row = *row};
	return 0;
}

/* Rows of one set lie together: one owner, and one bundle or (traps) none. */
static int owner_cmp(const struct xs_policy *x, const struct xs_policy *y)
{
	int d = memcmp(x->conn, y->conn, XS_NAME_LEN);

	if (!d)
		d = memcmp(x->child, y->child, XS_NAME_LEN);
	if (!d && x->bundle != y->bundle)
		d = x->bundle < y->bundle ? -1 : 1;
	return d ? d : (int)x->action - (int)y->action;
}

static int loaded_cmp(const void *a, const void *b)
{
	const struct loaded *x = a, *y = b;
	int d = owner_cmp(&x->row, &y->row);

	return d ? d : policy_row_cmp(&x->row, &y->row);
}

static int load_set(struct policies *p, const struct loaded *at, uint32_t n)
{
	char conn[XS_NAME_LEN + 1] = "", child[XS_NAME_LEN + 1] = "";
	struct policy_names names = {.conn = conn, .child = child};
	struct policy_rows rows = {.n = n, .row = calloc(n, sizeof(*rows.row))};
	struct policy_set *s;
	int err = 0;

	if (!rows.row)
		return -ENOMEM;
	memcpy(conn, at->row.conn, XS_NAME_LEN);
	memcpy(child, at->row.child, XS_NAME_LEN);
	for (uint32_t i = 0; i < n; i++)
		rows.row[i] = at[i].row;
	s = set_new(&names, &rows);
	if (!s)
		return -errno;
	s->action = (enum xs_action)at->row.action;
	s->bundle = at->row.bundle;
	s->inherited = true;
	for (uint32_t i = 0; !err && i < n; i++)
		err = ref_add(p, s, i, at[i].id);
	HASH_ADD(hh, p->sets, key, sizeof(s->key), s);
	return err;
}

static int load(struct policies *p)
{
	struct loading l = {0};
	int err = xs_policy_each(p->maps, load_row, &l);
	uint32_t first = 0;

	if (l.n)
		qsort(l.at, l.n, sizeof(*l.at), loaded_cmp);
	for (uint32_t i = 1; !err && i <= l.n; i++) {
		if (i < l.n && !owner_cmp(&l.at[first].row, &l.at[i].row))
			continue;
		err = load_set(p, l.at + first, i - first);
		first = i;
	}
	free(l.at);
	return err;
}

struct policies *policies_open(struct xs_maps *m)
{
	struct policies *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return NULL;
	p->maps = m;
	p->moved_budget = (struct log_budget)LOG_BUDGET_INIT;
	TAILQ_INIT(&p->lacking);
	p->index = xs_policies_open(m);
	if (!p->index) {
		err = errno;
		free(p);
		errno = err;
		return NULL;
	}
	err = load(p);
	if (err) {
		policies_close(p);
		errno = -err;
		return NULL;
	}
	return p;
}

void policies_close(struct policies *p)
{
	struct policy_set *s, *next;
	struct policy_ref *r, *rnext;

	if (!p)
		return;
	HASH_ITER(hh, p->sets, s, next) {
		HASH_DEL(p->sets, s);
		set_free(s);
	}
	HASH_ITER(hh, p->refs, r, rnext) {
		HASH_DEL(p->refs, r);
		free(r);
	}
	xs_policies_free(p->index);
	free(p);
}
