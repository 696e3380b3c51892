// SPDX-License-Identifier: BSD-2-Clause
#include "settings_tree.h"

#include "secret.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct settings_root *settings_root_new(void)
{
	struct settings_root *root = calloc(1, sizeof(*root));

	if (!root)
		return NULL;
	TAILQ_INIT(&root->top.keys);
	TAILQ_INIT(&root->top.sections);
	root->top.name = strdup("");
	root->top.file = "";
	if (!root->top.name) {
		free(root);
		return NULL;
	}
	return root;
}

const char *settings_file_name(struct settings_root *root, const char *name)
{
	size_t n = strlen(name) + 1;
	struct settings_file *f = malloc(sizeof(*f) + n);

	if (!f)
		return NULL;
	memcpy(f->name, name, n);
	f->next = root->files;
	root->files = f;
	return f->name;
}

struct settings *settings_section_new(struct settings *parent, const char *name, size_t n,
				      const char *file, int line)
{
	struct settings *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->name = strndup(name, n);
	if (!s->name) {
		free(s);
		return NULL;
	}
	TAILQ_INIT(&s->keys);
	TAILQ_INIT(&s->sections);
	s->parent = parent;
	s->file = file;
	s->line = line;
	TAILQ_INSERT_TAIL(&parent->sections, s, next);
	return s;
}

static void free_value(char *value)
{
	if (value)
		secret_wipe(value, strlen(value));
	free(value);
}

struct settings_key *settings_key_new(struct settings *s, const char *name, size_t n, char *value,
				      const char *file, int line)
{
	struct settings_key *key = calloc(1, sizeof(*key));

	if (key)
		key->name = strndup(name, n);
	if (!key || !key->name) {
		free(key);
		free_value(value);
		return NULL;
	}
	key->value = value;
	key->file = file;
	key->line = line;
	TAILQ_INSERT_TAIL(&s->keys, key, next);
	return key;
}

void settings_key_free(struct settings *s, struct settings_key *key)
{
	TAILQ_REMOVE(&s->keys, key, next);
	free(key->name);
	free_value(key->value);
	free(key);
}

void settings_refs_free(struct settings *s)
{
	while (s->refs) {
		struct settings_ref *ref = s->refs;

		s->refs = ref->next;
		free(ref->path);
		free(ref);
	}
}

static void free_contents(struct settings *s)
{
	while (!TAILQ_EMPTY(&s->keys))
		settings_key_free(s, TAILQ_FIRST(&s->keys));
	while (!TAILQ_EMPTY(&s->sections))
		settings_section_free(TAILQ_FIRST(&s->sections));
	settings_refs_free(s);
	free(s->name);
}

void settings_section_free(struct settings *s)
{
	TAILQ_REMOVE(&s->parent->sections, s, next);
	free_contents(s);
	free(s);
}

void settings_free(struct settings *top)
{
	struct settings_root *root = (struct settings_root *)top;

	if (!root)
		return;
	free_contents(&root->top);
	while (root->files) {
		struct settings_file *f = root->files;

		root->files = f->next;
		free(f);
	}
	free(root);
}

struct settings *settings_section(const struct settings *s, const char *name)
{
	struct settings *sub;

	TAILQ_FOREACH (sub, &s->sections, next)
		if (strcmp(sub->name, name) == 0)
			return sub;
	return NULL;
}

struct settings_key *settings_key(const struct settings *s, const char *name)
{
	struct settings_key *key;

	TAILQ_FOREACH (key, &s->keys, next)
		if (strcmp(key->name, name) == 0)
			return key;
	return NULL;
}

const char *settings_path(const struct settings *s, char *buf, size_t n)
{
	const struct settings *up[SETTINGS_DEPTH_MAX + 1];
	size_t at = 0;
	int depth = 0;

	if (n == 0)
		return buf;
	buf[0] = 0;
	for (; s && s->parent && depth <= SETTINGS_DEPTH_MAX; s = s->parent)
		up[depth++] = s;
	while (depth-- > 0 && at < n) {
		int rc = snprintf(buf + at, n - at, "%s%s", at ? "." : "", up[depth]->name);

		if (rc < 0)
			break;
		at += (size_t)rc;
	}
	return buf;
}

static void fill(struct settings_error *err, const char *file, int line, const char *path,
		 const char *fmt, va_list ap)
{
	size_t at;

	if (!err)
		return;
	snprintf(err->file, sizeof(err->file), "%s", file);
	err->line = line;
	snprintf(err->text, sizeof(err->text), "%s%s", path, *path ? ": " : "");
	at = strlen(err->text);
	vsnprintf(err->text + at, sizeof(err->text) - at, fmt, ap);
}

int settings_fail(struct settings_error *err, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(err, file, line, "", fmt, ap);
	va_end(ap);
	return -EINVAL;
}

int settings_err(struct settings_error *err, const struct settings *s,
		 const struct settings_key *key, const char *fmt, ...)
{
	char path[256];
	va_list ap;

	settings_path(s, path, sizeof(path));
	if (key) {
		size_t at = strlen(path);

		snprintf(path + at, sizeof(path) - at, "%s%s", at ? "." : "", key->name);
	}
	va_start(ap, fmt);
	fill(err, key ? key->file : s->file, key ? key->line : s->line, path, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

const char *settings_error_str(const struct settings_error *err, char *buf, size_t n)
{
	if (err->line)
		snprintf(buf, n, "%s:%d: %s", err->file, err->line, err->text);
	else if (err->file[0])
		snprintf(buf, n, "%s: %s", err->file, err->text);
	else
		snprintf(buf, n, "%s", err->text);
	return buf;
}
