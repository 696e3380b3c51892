/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "settings.h"

/*
 * Sections of a known schema, read by tables: one row a key says its name, what is allowed and where
 * in a struct the value goes. A key that no row knows is an error that names the nearest known one.
 */
enum settings_kind {
	SETTINGS_U16 = 1, /* decimal or 0x, min..max */
	SETTINGS_U32,
	SETTINGS_U64,
	SETTINGS_BOOL,	    /* bool */
	SETTINGS_WORD,	    /* enum: index in `words`, or what `values` says for it */
	SETTINGS_SECONDS32, /* uint32_t, min..max in seconds */
	SETTINGS_SECONDS,   /* uint64_t */
	SETTINGS_MILLIS32,  /* uint32_t, min..max in milliseconds; "4.0" is seconds */
	SETTINGS_SIZE,	    /* uint64_t, suffixes k, m, g */
	SETTINGS_RATIO,	    /* double, min..max */
	SETTINGS_TEXT,	    /* char[max]: at most max - 1 bytes */
	SETTINGS_CUSTOM,    /* `read` does it all */
	SETTINGS_NO_EFFECT, /* a number, accepted; `text` says in the log why nothing follows from it */
	SETTINGS_LATER,	    /* known and not supported: an error unless it says `text`, the default */
};

struct settings_field {
	const char *name;
	enum settings_kind kind;
	size_t offset;
	uint64_t min, max;
	const char *const *words; /* NULL at the end */
	const int *values;
	const char *text;
	/* SETTINGS_CUSTOM: 0, or -EINVAL with *err filled. */
	int (*read)(const struct settings *s, const struct settings_key *key, void *out,
		    struct settings_error *err);
};

/* Reads all keys of `s` into *out by rows that end with an empty one. 0, or -EINVAL and *err filled. */
int settings_table_read(const struct settings *s, const struct settings_field *fields, void *out,
			struct settings_error *err);
/* The error for a key or section that nobody knows; key NULL: `s` itself is the unknown section.
 * `known` is NULL-terminated. Always -EINVAL. */
int settings_unknown(const struct settings *s, const struct settings_key *key,
		     const char *const *known, struct settings_error *err);
/* The word of a NULL-terminated list that is most like this one, NULL when none is near. */
const char *settings_nearest(const char *word, const char *const *known);
/* The next item of a comma-separated list into buf, blanks around it removed. False at the end; an item that
 * does not fit is cut. Start with *list at the text. */
bool settings_item(const char **list, char *buf, size_t n);
