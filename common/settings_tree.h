/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "settings.h"

/*
 * What the parts of the settings reader share: settings_parse.c builds the tree as written,
 * settings_resolve.c merges and inherits, settings.c owns and frees it. Nobody else includes this.
 */

/* A section named behind a colon, in the order written. */
struct settings_ref {
	struct settings_ref *next;
	char *path;
	const char *file;
	int line;
};

/* Names of the files read, which every node points into. */
struct settings_file {
	struct settings_file *next;
	char name[];
};

struct settings_root {
	struct settings top; /* first: callers hold a pointer to it */
	struct settings_file *files;
	size_t bytes_read; /* of all files: what inheritance may multiply is bounded by it */
};

struct settings_root *settings_root_new(void);
/* The name as the root keeps it; NULL without memory. */
const char *settings_file_name(struct settings_root *root, const char *name);
/* Appended to its parent; NULL without memory. */
struct settings *settings_section_new(struct settings *parent, const char *name, size_t n,
				      const char *file, int line);
/* Appended to the section; takes value, also when it fails. NULL without memory. */
struct settings_key *settings_key_new(struct settings *s, const char *name, size_t n, char *value,
				      const char *file, int line);
void settings_section_free(struct settings *s);
void settings_key_free(struct settings *s, struct settings_key *key);
void settings_refs_free(struct settings *s);
/* Fills *err from the parts; returns -EINVAL. */
int settings_fail(struct settings_error *err, const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Merges sections of one name, lets later keys win, resolves references, drops cleared keys. */
int settings_resolve(struct settings_root *root, struct settings_error *err);
