// SPDX-License-Identifier: BSD-2-Clause
#include "settings_table.h"

#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { WORD_MAX = 32, KNOWN_MAX = 128 };

/* Edits (insert, delete, change, swap of neighbours) from a to b; WORD_MAX when either is too long.
 */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int d[WORD_MAX + 1][WORD_MAX + 1];
	size_t n = strlen(a), m = strlen(b);

	if (n > WORD_MAX || m > WORD_MAX)
		return WORD_MAX;
	for (unsigned int i = 0; i <= n; i++)
		d[i][0] = i;
	for (unsigned int j = 0; j <= m; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		for (size_t j = 1; j <= m; j++) {
			unsigned int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			if (d[i - 1][j] + 1 < best)
				best = d[i - 1][j] + 1;
			if (d[i][j - 1] + 1 < best)
				best = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	}
	return d[n][m];
}

const char *settings_nearest(const char *word, const char *const *known)
{
	unsigned int best = strlen(word) < 3 ? 1 : (unsigned int)strlen(word) / 3;
	const char *found = NULL;

	for (; *known; known++) {
		unsigned int d = distance(word, *known);

		if (d <= best && (!found || d < best)) {
			best = d;
			found = *known;
		}
	}
	return found;
}

int settings_unknown(const struct settings *s, const struct settings_key *key,
		     const char *const *known, struct settings_error *err)
{
	const char *near = settings_nearest(key ? key->name : s->name, known);
	const char *what = key ? "key" : "section";

	if (near)
		return settings_err(err, s, key, "unknown %s; did you mean '%s'?", what, near);
	return settings_err(err, s, key, "unknown %s", what);
}

bool settings_item(const char **list, char *buf, size_t n)
{
	const char *p = *list, *end;
	size_t len;

	if (!p)
		return false;
	end = strchr(p, ',');
	*list = end ? end + 1 : NULL;
	len = end ? (size_t)(end - p) : strlen(p);
	while (len && strchr(" \t\r\n", *p)) {
		p++;
		len--;
	}
	while (len && strchr(" \t\r\n", p[len - 1]))
		len--;
	snprintf(buf, n, "%.*s", (int)(len < n ? len : n), p);
	return true;
}

static int bad_value(const struct settings *s, const struct settings_key *key,
		     struct settings_error *err, const char *allowed)
{
	return settings_err(err, s, key, "'%.64s' is not allowed; it must be %s", key->value,
			    allowed);
}

static int bad_word(const struct settings *s, const struct settings_field *f,
		    const struct settings_key *key, struct settings_error *err)
{
	char list[256] = "one of ";
	size_t at = strlen(list);

	for (const char *const *w = f->words; *w && at < sizeof(list); w++)
		at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%s",
				       w == f->words ? "" : ", ", *w);
	return bad_value(s, key, err, list);
}

static int read_word(const struct settings *s, const struct settings_field *f,
		     const struct settings_key *key, void *at, struct settings_error *err)
{
	for (int i = 0; f->words[i]; i++) {
		if (strcasecmp(key->value, f->words[i]) == 0) {
			*(int *)at = f->values ? f->values[i] : i;
			return 0;
		}
	}
	return bad_word(s, f, key, err);
}

/* "4.25": digits with at most one point, whatever the locale thinks. */
static int ratio(const char *v, double *out)
{
	double n = 0, weight = 1;
	bool point = false, any = false;

	for (; *v; v++) {
		if (*v == '.' && !point) {
			point = true;
			continue;
		}
		if (*v < '0' || *v > '9')
			return -EINVAL;
		any = true;
		n = n * 10 + (*v - '0');
		if (point)
			weight *= 10;
		if (n > 1e12)
			return -EINVAL;
	}
	*out = n / weight;
	return any ? 0 : -EINVAL;
}

static int read_ratio(const struct settings *s, const struct settings_field *f,
		      const struct settings_key *key, void *at, struct settings_error *err)
{
	char allowed[96];
	double v;

	if (ratio(key->value, &v) == 0 && v >= (double)f->min && v <= (double)f->max) {
		*(double *)at = v;
		return 0;
	}
	snprintf(allowed, sizeof(allowed), "a number from %" PRIu64 " to %" PRIu64 ", such as 1.8",
		 f->min, f->max);
	return bad_value(s, key, err, allowed);
}

static int parse_number(enum settings_kind kind, const char *v, uint64_t *n)
{
	switch (kind) {
	case SETTINGS_SECONDS32:
	case SETTINGS_SECONDS:
		return settings_seconds(v, n);
	case SETTINGS_MILLIS32:
		return settings_millis(v, n);
	case SETTINGS_SIZE:
		return settings_size(v, n);
	default:
		return settings_uint(v, UINT64_MAX, n);
	}
}

static void allowed_number(const struct settings_field *f, char *buf, size_t n)
{
	switch (f->kind) {
	case SETTINGS_SECONDS32:
	case SETTINGS_SECONDS:
		snprintf(buf, n,
			 "a time such as 30s, 5m, 4h or 1d, from %" PRIu64 " to %" PRIu64
			 " seconds",
			 f->min, f->max);
		break;
	case SETTINGS_MILLIS32:
		snprintf(buf, n,
			 "a time in seconds such as 4.0, or with ms, s, m, h or d, from %" PRIu64
			 " to %" PRIu64 " ms",
			 f->min, f->max);
		break;
	case SETTINGS_SIZE:
		snprintf(buf, n,
			 "a number of bytes such as 500m or 2g, from %" PRIu64 " to %" PRIu64,
			 f->min, f->max);
		break;
	default:
		snprintf(buf, n, "a number from %" PRIu64 " to %" PRIu64, f->min, f->max);
	}
}

static int read_number(const struct settings *s, const struct settings_field *f,
		       const struct settings_key *key, void *at, struct settings_error *err)
{
	char allowed[160];
	uint64_t v;

	if (parse_number(f->kind, key->value, &v) < 0 || v < f->min || v > f->max) {
		allowed_number(f, allowed, sizeof(allowed));
		return bad_value(s, key, err, allowed);
	}
	switch (f->kind) {
	case SETTINGS_U16:
		*(uint16_t *)at = (uint16_t)v;
		break;
	case SETTINGS_U32:
	case SETTINGS_SECONDS32:
	case SETTINGS_MILLIS32:
		*(uint32_t *)at = (uint32_t)v;
		break;
	default:
		*(uint64_t *)at = v;
	}
	return 0;
}

static int read_no_effect(const struct settings *s, const struct settings_field *f,
			  const struct settings_key *key, struct settings_error *err)
{
	char path[128];
	uint64_t v;

	if (settings_seconds(key->value, &v) < 0)
		return bad_value(s, key, err, "a number");
	log_line(LOG_CONFIG, 1, "%s:%d: %s.%s has no effect: %s", key->file, key->line,
		 settings_path(s, path, sizeof(path)), key->name, f->text);
	return 0;
}

/* The default in any of its notations: no and 0, 0s and 0. */
static bool says_default(const char *v, const char *standard)
{
	uint64_t a, b;
	bool x, y;

	if (strcasecmp(v, standard) == 0)
		return true;
	if (settings_bool(v, &x) == 0 && settings_bool(standard, &y) == 0)
		return x == y;
	return settings_seconds(v, &a) == 0 && settings_seconds(standard, &b) == 0 && a == b;
}

static int read_later(const struct settings *s, const struct settings_field *f,
		      const struct settings_key *key, struct settings_error *err)
{
	if (f->text && says_default(key->value, f->text))
		return 0;
	if (f->text && f->text[0])
		return settings_err(err, s, key, "known, but not supported yet except for '%s'",
				    f->text);
	return settings_err(err, s, key, "known, but not supported yet");
}

static int read_text(const struct settings *s, const struct settings_field *f,
		     const struct settings_key *key, char *at, struct settings_error *err)
{
	size_t n = strlen(key->value);

	if (n >= f->max)
		return settings_err(err, s, key, "longer than %" PRIu64 " bytes", f->max - 1);
	memcpy(at, key->value, n + 1);
	return 0;
}

static int read_field(const struct settings *s, const struct settings_field *f,
		      const struct settings_key *key, void *out, struct settings_error *err)
{
	void *at = (char *)out + f->offset;

	switch (f->kind) {
	case SETTINGS_BOOL:
		if (settings_bool(key->value, at) < 0)
			return bad_value(s, key, err, "yes or no");
		return 0;
	case SETTINGS_WORD:
		return read_word(s, f, key, at, err);
	case SETTINGS_RATIO:
		return read_ratio(s, f, key, at, err);
	case SETTINGS_TEXT:
		return read_text(s, f, key, at, err);
	case SETTINGS_CUSTOM:
		return f->read(s, key, out, err);
	case SETTINGS_NO_EFFECT:
		return read_no_effect(s, f, key, err);
	case SETTINGS_LATER:
		return read_later(s, f, key, err);
	default:
		return read_number(s, f, key, at, err);
	}
}

static int unknown_field(const struct settings *s, const struct settings_field *fields,
			 const struct settings_key *key, struct settings_error *err)
{
	const char *known[KNOWN_MAX];
	size_t n = 0;

	for (; fields->name && n < KNOWN_MAX - 1; fields++)
		known[n++] = fields->name;
	known[n] = NULL;
	return settings_unknown(s, key, known, err);
}

int settings_table_read(const struct settings *s, const struct settings_field *fields, void *out,
			struct settings_error *err)
{
	const struct settings_key *key;

	TAILQ_FOREACH (key, &s->keys, next) {
		const struct settings_field *f = fields;
		int rc;

		while (f->name && strcmp(f->name, key->name) != 0)
			f++;
		rc = f->name ? read_field(s, f, key, out, err) : unknown_field(s, fields, key, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}
