/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/*
 * The grammar of strongswan.conf and swanctl.conf: nested sections, key = value, # comments,
 * quoted strings with escapes, `include glob` (relative to the including file), references
 * `name : other, third { }` that inherit keys and subsections. It knows no key of any schema.
 *
 * What a caller sees is resolved: sections of one name are merged, the later of two keys has won,
 * inherited keys and subsections are copies in place (behind the section's own, with the file and
 * line they were written at), and a key cleared by `key =` is gone.
 */
enum { SETTINGS_DEPTH_MAX = 16, SETTINGS_INCLUDE_MAX = 16, SETTINGS_FILE_MAX = 4 << 20,
       SETTINGS_PATH_MAX = 512 };

struct settings_ref;

struct settings_key {
	TAILQ_ENTRY(settings_key) next;
	char *name;
	char *value; /* wiped when freed: it may be a secret */
	const char *file; /* owned by the root */
	int line;
};

TAILQ_HEAD(settings_keys, settings_key);
TAILQ_HEAD(settings_sections, settings);

struct settings {
	TAILQ_ENTRY(settings) next;
	struct settings *parent;
	char *name; /* "" for the root */
	const char *file;
	int line;
	struct settings_keys keys;
	struct settings_sections sections;
	int again;	 /* line where a section of this name was opened once more, 0 = never */
	bool referenced; /* another section inherits from this one or from one inside it */
	/* the reader's own: what is written behind the colon, and how far resolving it has come */
	struct settings_ref *refs;
	uint8_t resolve;
};

/* Where and what: "swanctl.conf:12: connections.gw.foo: unknown key". */
struct settings_error {
	char file[SETTINGS_PATH_MAX];
	int line;
	char text[512];
};

/* Reads a file with all it includes. NULL and *err filled when it cannot; the caller frees. */
struct settings *settings_load(const char *path, struct settings_error *err);
/* The same from memory, `name` standing for the file in errors; includes are refused unless allowed. */
struct settings *settings_parse(const char *name, const char *text, size_t n, bool includes,
				struct settings_error *err);
void settings_free(struct settings *root);
/* A direct subsection or key by name; NULL when there is none. */
struct settings *settings_section(const struct settings *s, const char *name);
struct settings_key *settings_key(const struct settings *s, const char *name);
/* "connections.gw.children.net" into buf; returns buf. */
const char *settings_path(const struct settings *s, char *buf, size_t n);
/* Fills *err with file and line of the key (or of the section when key is NULL) and path + message; returns -EINVAL. */
int settings_err(struct settings_error *err, const struct settings *s, const struct settings_key *key,
		 const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* "file:line: text" into buf; returns buf. */
const char *settings_error_str(const struct settings_error *err, char *buf, size_t n);

/* Values in strongSwan's notation; 0 or -EINVAL. Durations: 30, 30s, 5m, 4h, 1d (ms: "4.0" seconds with fraction). */
int settings_bool(const char *v, bool *out);		/* yes/no/true/false/1/0/enabled/disabled */
int settings_seconds(const char *v, uint64_t *out);
int settings_millis(const char *v, uint64_t *out);
int settings_size(const char *v, uint64_t *out);	/* bytes with k, m, g suffix (1024) */
int settings_uint(const char *v, uint64_t max, uint64_t *out); /* decimal or 0x */
