/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Text that a terminal and a JSON reader can take. */
static json_t *clean_text(struct slice s)
{
	char *text = calloc(1, s.n + 1);
	json_t *j;

	if (!text)
		return NULL;
	for (size_t i = 0; i < s.n; i++)
		text[i] = s.p[i] < 0x20 || s.p[i] == 0x7f ? '?' : (char)s.p[i];
	j = json_stringn(text, s.n);
	for (size_t i = 0; !j && i < s.n; i++)
		if (s.p[i] >= 0x80)
			text[i] = '?';
	if (!j)
		j = json_stringn(text, s.n);
	free(text);
	return j;
}

static int put(json_t *into, const struct vici_elem *e, json_t *value)
{
	json_t *name = clean_text(e->name);
	int ret = name ? json_object_set(into, json_string_value(name), value) : -1;

	json_decref(name);
	return ret;
}

/* `at` follows the open sections, the innermost last. */
static int add(json_t **at, unsigned int *depth, json_t **list, const struct vici_elem *e)
{
	json_t *value = NULL;
	int ret = 0;

	switch (e->kind) {
	case VICI_SECTION_START:
		value = json_object();
		ret = value ? put(at[*depth], e, value) : -1;
		if (!ret)
			at[++*depth] = value;
		break;
	case VICI_SECTION_END:
		--*depth;
		break;
	case VICI_LIST_START:
		value = json_array();
		ret = value ? put(at[*depth], e, value) : -1;
		*list = value;
		break;
	case VICI_KEY_VALUE:
		value = clean_text(e->value);
		ret = value ? put(at[*depth], e, value) : -1;
		break;
	case VICI_LIST_ITEM:
		value = clean_text(e->value);
		ret = value ? json_array_append(*list, value) : -1;
		break;
	case VICI_LIST_END:
	case VICI_END:
		break;
	}
	json_decref(value);
	return ret;
}

json_t *tree_of(struct slice body)
{
	struct vici_rd r = vici_rd_of(body);
	json_t *at[VICI_DEPTH_MAX + 1], *list = NULL;
	unsigned int depth = 0;
	struct vici_elem e;
	int ret;

	at[0] = json_object();
	if (!at[0])
		return NULL;
	do {
		ret = vici_next(&r, &e);
		if (!ret)
			ret = add(at, &depth, &list, &e);
	} while (!ret && e.kind != VICI_END);
	if (!ret)
		return at[0];
	json_decref(at[0]);
	return NULL;
}

const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static bool parse_number(const char *s, int64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoll(s, &end, 10);
	return !errno && *s && !*end;
}

int64_t number_of(const json_t *o, const char *key)
{
	const json_t *j = json_object_get(o, key);
	int64_t n;

	if (json_is_integer(j))
		return json_integer_value(j);
	return parse_number(text_of(o, key), &n) ? n : 0;
}

static bool is_true(const char *s)
{
	return !strcmp(s, "yes") || !strcmp(s, "1");
}

static json_t *typed(enum field_kind kind, json_t *value)
{
	const char *s = json_string_value(value);
	int64_t n;

	switch (kind) {
	case FIELD_TEXT:
		return s ? json_incref(value) : json_null();
	case FIELD_NUMBER:
		return s && parse_number(s, &n) ? json_integer(n) : json_null();
	case FIELD_BOOL:
		return json_boolean(s && is_true(s));
	case FIELD_LIST:
		break;
	}
	return json_is_array(value) ? json_incref(value) : json_array();
}

json_t *fields_apply(const struct field *f, const json_t *from)
{
	json_t *to = json_object();

	for (; f->vici; f++)
		json_object_set_new(to, f->json, typed(f->kind, json_object_get(from, f->vici)));
	return to;
}
