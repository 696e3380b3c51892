// SPDX-License-Identifier: BSD-2-Clause
#include "settings_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * From the tree as written to the tree as meant: sections of one name merged, later keys winning,
 * references copied in, cleared keys dropped. Copies can multiply (each of ten sections may refer
 * twice to the one before), so what they may take is bounded by what was read.
 */
enum {
	REFS_DEPTH_MAX = 32, /* a refers to b refers to c ... */
	COPY_FACTOR = 256,   /* bytes of copies for each byte read */
	COPY_BASE = 1 << 20, /* and this much in any case */
};

enum { RESOLVE_NOT, RESOLVE_RUNNING, RESOLVE_DONE };

struct resolver {
	struct settings_root *root;
	struct settings_error *err;
	size_t budget;
	int depth;
};

/* A child and its place, so that sorting by name keeps the order among equals. */
struct item {
	const char *name;
	size_t place;
	void *node;
};

static int by_name(const void *pa, const void *pb)
{
	const struct item *a = pa, *b = pb;
	int c = strcmp(a->name, b->name);

	return c ? c : (a->place > b->place) - (a->place < b->place);
}

static int no_memory(struct resolver *r)
{
	settings_fail(r->err, r->root->top.file, 0, "out of memory");
	return -ENOMEM;
}

/* All keys of a section sorted by name; NULL when there are less than two. */
static int sorted_keys(const struct settings *s, struct item **out, size_t *n)
{
	struct settings_key *key;
	size_t i = 0;

	*out = NULL;
	*n = 0;
	TAILQ_FOREACH (key, &s->keys, next)
		(*n)++;
	if (*n < 2)
		return 0;
	*out = calloc(*n, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	TAILQ_FOREACH (key, &s->keys, next) {
		(*out)[i] = (struct item){.name = key->name, .place = i, .node = key};
		i++;
	}
	qsort(*out, *n, sizeof(**out), by_name);
	return 0;
}

static int sorted_sections(const struct settings *s, struct item **out, size_t *n)
{
	struct settings *sub;
	size_t i = 0;

	*out = NULL;
	*n = 0;
	TAILQ_FOREACH (sub, &s->sections, next)
		(*n)++;
	if (*n < 2)
		return 0;
	*out = calloc(*n, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	TAILQ_FOREACH (sub, &s->sections, next) {
		(*out)[i] = (struct item){.name = sub->name, .place = i, .node = sub};
		i++;
	}
	qsort(*out, *n, sizeof(**out), by_name);
	return 0;
}

/* Moves everything that the later section of the same name says into the first. */
static void absorb(struct settings *first, struct settings *later)
{
	struct settings_ref **tail = &first->refs;
	struct settings *sub;

	first->again = later->line;
	TAILQ_CONCAT(&first->keys, &later->keys, next);
	TAILQ_FOREACH (sub, &later->sections, next)
		sub->parent = first;
	TAILQ_CONCAT(&first->sections, &later->sections, next);
	while (*tail)
		tail = &(*tail)->next;
	*tail = later->refs;
	later->refs = NULL;
	settings_section_free(later);
}

/* Sections of one name become one, of keys of one name the last stays; all the way down. */
static int merge_equal(struct settings *s)
{
	struct item *items;
	struct settings *sub;
	size_t n;

	if (sorted_keys(s, &items, &n) < 0)
		return -ENOMEM;
	for (size_t i = 0; items && i + 1 < n; i++)
		if (strcmp(items[i].name, items[i + 1].name) == 0) {
			/* The survivor's name must outlive the comparison: free the earlier one. */
			settings_key_free(s, items[i].node);
		}
	free(items);

	if (sorted_sections(s, &items, &n) < 0)
		return -ENOMEM;
	for (size_t i = 0, first = 0; items && i < n; i++) {
		if (i == first || strcmp(items[first].name, items[i].name) != 0)
			first = i;
		else
			absorb(items[first].node, items[i].node);
	}
	free(items);

	TAILQ_FOREACH (sub, &s->sections, next)
		if (merge_equal(sub) < 0)
			return -ENOMEM;
	return 0;
}

static int charge(struct resolver *r, const struct settings_ref *ref, size_t bytes)
{
	if (bytes > r->budget)
		return settings_fail(r->err, ref->file, ref->line,
				     "the references of this file inherit too much");
	r->budget -= bytes;
	return 0;
}

static int copy_key(struct resolver *r, const struct settings_ref *ref, struct settings *into,
		    const struct settings_key *from)
{
	size_t len = strlen(from->name) + (from->value ? strlen(from->value) : 0);
	char *value = NULL;
	int rc = charge(r, ref, sizeof(*from) + len);

	if (rc < 0)
		return rc;
	if (from->value) {
		value = strdup(from->value);
		if (!value)
			return no_memory(r);
	}
	if (!settings_key_new(into, from->name, strlen(from->name), value, from->file, from->line))
		return no_memory(r);
	return 0;
}

/* Copies what `from` has and `into` has not. Depth is that of `into`. */
static int inherit(struct resolver *r, const struct settings_ref *ref, struct settings *into,
		   const struct settings *from, int depth)
{
	const struct settings_key *last = TAILQ_LAST(&into->keys, settings_keys);
	const struct settings_key *key;
	const struct settings *sub;

	if (depth > SETTINGS_DEPTH_MAX)
		return settings_fail(r->err, ref->file, ref->line,
				     "sections nested deeper than %d by references",
				     SETTINGS_DEPTH_MAX);
	TAILQ_FOREACH (key, &from->keys, next) {
		const struct settings_key *own = NULL;
		int rc;

		/* Only those that were there before: the keys of `from` differ among themselves. */
		if (last)
			own = settings_key(into, key->name);
		if (own)
			continue;
		rc = copy_key(r, ref, into, key);
		if (rc < 0)
			return rc;
	}
	TAILQ_FOREACH (sub, &from->sections, next) {
		struct settings *own = settings_section(into, sub->name);
		int rc;

		if (!own) {
			rc = charge(r, ref, sizeof(*sub) + strlen(sub->name));
			if (rc < 0)
				return rc;
			own = settings_section_new(into, sub->name, strlen(sub->name), sub->file,
						   sub->line);
			if (!own)
				return no_memory(r);
			own->resolve = RESOLVE_DONE;
		}
		rc = inherit(r, ref, own, sub, depth + 1);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int resolve(struct resolver *r, struct settings *s, int depth);

static int depth_of(const struct settings *s)
{
	int depth = 0;

	for (; s->parent; s = s->parent)
		depth++;
	return depth;
}

/* The section that an absolute name means; one on the way may itself only exist by inheritance. */
static int find(struct resolver *r, const struct settings_ref *ref, struct settings **out)
{
	struct settings *s = &r->root->top;
	char *path = strdup(ref->path), *save = NULL;
	int rc = 0;

	if (!path)
		return no_memory(r);
	for (char *name = strtok_r(path, ".", &save); name && rc == 0;
	     name = strtok_r(NULL, ".", &save)) {
		struct settings *sub = settings_section(s, name);

		if (!sub && s->resolve == RESOLVE_NOT) {
			rc = resolve(r, s, depth_of(s));
			sub = rc ? NULL : settings_section(s, name);
		}
		if (rc == 0 && !sub)
			rc = settings_fail(r->err, ref->file, ref->line,
					   "there is no section '%s' to inherit from", ref->path);
		if (sub)
			sub->referenced = true;
		s = sub;
	}
	free(path);
	*out = s;
	return rc;
}

static int resolve_ref(struct resolver *r, struct settings *s, const struct settings_ref *ref,
		       int depth)
{
	struct settings *from;
	int rc = find(r, ref, &from);

	if (rc < 0)
		return rc;
	if (from->resolve == RESOLVE_RUNNING)
		return settings_fail(r->err, ref->file, ref->line,
				     "section '%s' would inherit from itself", ref->path);
	rc = resolve(r, from, depth_of(from));
	return rc < 0 ? rc : inherit(r, ref, s, from, depth);
}

/* Subsections first: what they refer to themselves goes before what their parent inherits. */
static int resolve(struct resolver *r, struct settings *s, int depth)
{
	struct settings *sub;
	int rc = 0;

	if (s->resolve == RESOLVE_DONE)
		return 0;
	if (r->depth >= REFS_DEPTH_MAX + SETTINGS_DEPTH_MAX)
		return settings_fail(r->err, s->file, s->line, "references nested too deep");
	r->depth++;
	s->resolve = RESOLVE_RUNNING;
	for (sub = TAILQ_FIRST(&s->sections); sub && rc == 0; sub = TAILQ_NEXT(sub, next))
		if (sub->resolve == RESOLVE_NOT)
			rc = resolve(r, sub, depth + 1);
	for (const struct settings_ref *ref = s->refs; ref && rc == 0; ref = ref->next)
		rc = resolve_ref(r, s, ref, depth);
	s->resolve = RESOLVE_DONE;
	r->depth--;
	return rc;
}

static void drop_cleared(struct settings *s)
{
	struct settings_key *key, *after;
	struct settings *sub;

	for (key = TAILQ_FIRST(&s->keys); key; key = after) {
		after = TAILQ_NEXT(key, next);
		if (!key->value)
			settings_key_free(s, key);
	}
	TAILQ_FOREACH (sub, &s->sections, next)
		drop_cleared(sub);
	settings_refs_free(s);
}

int settings_resolve(struct settings_root *root, struct settings_error *err)
{
	struct resolver r = {
	    .root = root,
	    .err = err,
	    .budget = COPY_BASE + COPY_FACTOR * root->bytes_read,
	};
	int rc;

	if (merge_equal(&root->top) < 0)
		return no_memory(&r);
	rc = resolve(&r, &root->top, 0);
	if (rc == 0)
		drop_cleared(&root->top);
	return rc;
}
