// SPDX-License-Identifier: BSD-2-Clause
#include "settings_tree.h"

#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file being read and the one that includes it. */
struct source {
	const struct source *from;
	const char *file;
	int depth;
	bool includes;
	dev_t dev;
	ino_t ino;
};

/* Where we are in its text. */
struct lex {
	const struct source *src;
	struct settings_root *root;
	struct settings_error *err;
	const char *p, *end;
	int line;
};

static int load_file(struct settings_root *root, struct settings *into, const char *path,
		     const struct source *from, const char *from_file, int from_line,
		     struct settings_error *err);

/* Text of the file is never quoted in a message: a misplaced brace may make a secret look like a
 * name. */
#define fail(lx, at_line, ...) settings_fail((lx)->err, (lx)->src->file, at_line, __VA_ARGS__)

static int no_memory(struct lex *lx)
{
	fail(lx, lx->line, "out of memory");
	return -ENOMEM;
}

static int peek(const struct lex *lx)
{
	return lx->p < lx->end ? (unsigned char)*lx->p : -1;
}

static bool is_blank(int c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool is_name(int c)
{
	return c > ' ' && c != 0x7f && !strchr(".,:{}=\"#", c);
}

static void skip_blanks(struct lex *lx)
{
	while (is_blank(peek(lx)))
		lx->p++;
	if (peek(lx) == '#')
		while (lx->p < lx->end && *lx->p != '\n')
			lx->p++;
}

/* Blanks, comments and line ends. */
static void skip_space(struct lex *lx)
{
	for (;;) {
		skip_blanks(lx);
		if (peek(lx) != '\n')
			return;
		lx->line++;
		lx->p++;
	}
}

static size_t take_name(struct lex *lx, const char **name)
{
	*name = lx->p;
	while (is_name(peek(lx)))
		lx->p++;
	return (size_t)(lx->p - *name);
}

/* The character that a backslash in quotes stands for; -1 for a line continuation. */
static int unescape(char c)
{
	switch (c) {
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	case '\n':
		return -1;
	default:
		return (unsigned char)c;
	}
}

/* A quoted string, which may run over lines, from behind its first quote; appended at *to. */
static int take_quoted(struct lex *lx, char **to)
{
	int began = lx->line;

	while (lx->p < lx->end) {
		char c = *lx->p++;

		if (c == '"')
			return 0;
		if (c == '\n')
			lx->line++;
		if (c == '\\' && lx->p < lx->end) {
			int e = unescape(*lx->p);

			if (*lx->p++ == '\n')
				lx->line++;
			if (e < 0)
				continue;
			c = (char)e;
		}
		*(*to)++ = c;
	}
	return fail(lx, began, "the quoted string that begins here is not closed");
}

/* How long the value here can be: up to what ends it outside of quotes. */
static size_t value_room(const struct lex *lx)
{
	const char *p = lx->p;
	bool quoted = false;

	for (; p < lx->end && (quoted || !strchr("\n#}", *p)); p++) {
		if (*p == '"')
			quoted = !quoted;
		else if (quoted && *p == '\\' && p + 1 < lx->end)
			p++;
	}
	return (size_t)(p - lx->p);
}

/*
 * A value: words and quoted strings up to the end of line, a comment or a closing brace, blanks
 * between them kept, those around them not. *out is NULL for an empty value without quotes.
 */
static int take_value(struct lex *lx, char **out)
{
	char *value, *to, *keep;
	bool any = false;
	int rc = 0;

	skip_blanks(lx);
	value = malloc(value_room(lx) + 1);
	if (!value)
		return no_memory(lx);
	to = keep = value;
	for (;;) {
		int c = peek(lx);

		if (c < 0 || c == '\n' || c == '#' || c == '}')
			break;
		lx->p++;
		if (c == '"')
			rc = take_quoted(lx, &to);
		else
			*to++ = (char)c;
		if (rc < 0)
			break;
		if (!is_blank(c)) {
			keep = to;
			any = true;
		}
	}
	*keep = 0;
	if (rc == 0 && any) {
		*out = strdup(value);
		if (!*out)
			rc = no_memory(lx);
	}
	secret_wipe(value, (size_t)(to - value));
	free(value);
	return rc;
}

static int include_path(struct lex *lx, const char *pattern, char *buf, size_t n)
{
	const char *file = lx->src->file, *slash = strrchr(file, '/');
	int dir = pattern[0] != '/' && slash ? (int)(slash - file) + 1 : 0;
	int rc = snprintf(buf, n, "%.*s%s", dir, file, pattern);

	if (rc < 0 || (size_t)rc >= n)
		return fail(lx, lx->line, "the path to include is longer than %zu bytes", n - 1);
	return 0;
}

static int include_glob(struct lex *lx, struct settings *into, const char *pattern)
{
	char path[SETTINGS_PATH_MAX];
	glob_t found;
	int rc;

	rc = include_path(lx, pattern, path, sizeof(path));
	if (rc < 0)
		return rc;
	if (lx->src->depth >= SETTINGS_INCLUDE_MAX)
		return fail(lx, lx->line, "includes nested deeper than %d", SETTINGS_INCLUDE_MAX);
	if (!strpbrk(pattern, "*?["))
		return load_file(lx->root, into, path, lx->src, lx->src->file, lx->line, lx->err);

	/* A pattern that matches nothing is the usual empty conf.d directory. */
	rc = glob(path, 0, NULL, &found);
	if (rc == GLOB_NOMATCH)
		return 0;
	if (rc != 0)
		return rc == GLOB_NOSPACE
			   ? no_memory(lx)
			   : fail(lx, lx->line, "cannot read the directory of %s", path);
	for (size_t i = 0; i < found.gl_pathc && rc == 0; i++)
		rc = load_file(lx->root, into, found.gl_pathv[i], lx->src, lx->src->file, lx->line,
			       lx->err);
	globfree(&found);
	return rc;
}

static int take_include(struct lex *lx, struct settings *into)
{
	char *pattern = NULL;
	int line = lx->line;
	int rc = take_value(lx, &pattern);

	if (rc < 0)
		return rc;
	if (!pattern || !pattern[0])
		rc = fail(lx, line, "include without a file name");
	else if (!lx->src->includes)
		rc = fail(lx, line, "include is not allowed here");
	else
		rc = include_glob(lx, into, pattern);
	free(pattern);
	return rc;
}

/* One absolute name such as connections.gw behind the colon. */
static int take_ref(struct lex *lx, struct settings *s, struct settings_ref ***tail)
{
	const char *start = lx->p, *part;
	struct settings_ref *ref;

	do {
		if (lx->p != start)
			lx->p++;
		if (take_name(lx, &part) == 0)
			return fail(lx, lx->line, "a section name is expected behind ':' and ','");
	} while (peek(lx) == '.');
	ref = calloc(1, sizeof(*ref));
	if (!ref)
		return no_memory(lx);
	**tail = ref;
	*tail = &ref->next;
	ref->file = s->file;
	ref->line = lx->line;
	ref->path = strndup(start, (size_t)(lx->p - start));
	return ref->path ? 0 : no_memory(lx);
}

static int take_refs(struct lex *lx, struct settings *s)
{
	struct settings_ref **tail = &s->refs;

	for (;;) {
		int rc;

		skip_space(lx);
		rc = take_ref(lx, s, &tail);
		if (rc < 0)
			return rc;
		skip_space(lx);
		if (peek(lx) != ',')
			return 0;
		lx->p++;
	}
}

static int parse_body(struct lex *lx, struct settings *s, int depth, int opened);

/* Behind the name of a section: references, brace, contents, brace. */
static int parse_section(struct lex *lx, struct settings *parent, const char *name, size_t n,
			 int line, int depth)
{
	struct settings *s;
	int rc, opened;

	if (depth > SETTINGS_DEPTH_MAX)
		return fail(lx, line, "sections nested deeper than %d", SETTINGS_DEPTH_MAX);
	s = settings_section_new(parent, name, n, lx->src->file, line);
	if (!s)
		return no_memory(lx);
	if (peek(lx) == ':') {
		lx->p++;
		rc = take_refs(lx, s);
		if (rc < 0)
			return rc;
	}
	if (peek(lx) != '{')
		return fail(lx, lx->line, "'{' is expected behind the references of a section");
	opened = lx->line;
	lx->p++;
	return parse_body(lx, s, depth, opened);
}

static int parse_statement(struct lex *lx, struct settings *s, int depth)
{
	const char *name;
	size_t n = take_name(lx, &name);
	int line = lx->line, rc;
	char *value = NULL;

	skip_blanks(lx);
	if (peek(lx) == '=') {
		lx->p++;
		rc = take_value(lx, &value);
		if (rc < 0)
			return rc;
		if (!settings_key_new(s, name, n, value, lx->src->file, line))
			return no_memory(lx);
		return 0;
	}
	if (n == 7 && memcmp(name, "include", n) == 0 && peek(lx) != '{' && peek(lx) != ':')
		return take_include(lx, s);
	skip_space(lx);
	if (peek(lx) == '{' || peek(lx) == ':')
		return parse_section(lx, s, name, n, line, depth + 1);
	return fail(lx, line, "a name must be followed by '=', '{' or ':'");
}

/* Keys and sections up to the closing brace, or to the end of the text when `opened` is 0. */
static int parse_body(struct lex *lx, struct settings *s, int depth, int opened)
{
	for (;;) {
		int c, rc;

		skip_space(lx);
		c = peek(lx);
		if (c < 0 && opened)
			return fail(lx, opened, "the '{' on this line is not closed");
		if (c < 0)
			return 0;
		if (c == '}' && !opened)
			return fail(lx, lx->line, "'}' closes nothing");
		if (c == '}') {
			lx->p++;
			return 0;
		}
		if (!is_name(c))
			return fail(
			    lx, lx->line,
			    c > ' ' && c < 0x7f ? "unexpected '%c'" : "unexpected byte 0x%02x", c);
		rc = parse_statement(lx, s, depth);
		if (rc < 0)
			return rc;
	}
}

static int depth_of(const struct settings *s)
{
	int depth = 0;

	for (; s->parent; s = s->parent)
		depth++;
	return depth;
}

static int parse_text(struct settings_root *root, struct settings *into, const struct source *src,
		      const char *text, size_t n, struct settings_error *err)
{
	struct lex lx = {
	    .src = src,
	    .root = root,
	    .err = err,
	    .p = text,
	    .end = text + n,
	    .line = 1,
	};

	if (n > SETTINGS_FILE_MAX)
		return fail(&lx, 0, "larger than %d bytes", SETTINGS_FILE_MAX);
	root->bytes_read += n;
	if (n && memchr(text, 0, n))
		return fail(&lx, 0, "holds a zero byte: not a text file");
	return parse_body(&lx, into, depth_of(into), 0);
}

/* Up to one byte more than a file may have. */
static ssize_t read_all(int fd, char *buf, size_t cap)
{
	size_t n = 0;

	while (n < cap) {
		ssize_t rc = read(fd, buf + n, cap - n);

		if (rc < 0 && errno == EINTR)
			continue;
		if (rc < 0)
			return -errno;
		if (rc == 0)
			break;
		n += (size_t)rc;
	}
	return (ssize_t)n;
}

static bool is_open_already(const struct source *src, const struct stat *st)
{
	for (; src; src = src->from)
		if (src->dev == st->st_dev && src->ino == st->st_ino)
			return true;
	return false;
}

static int load_fd(struct settings_root *root, struct settings *into, const struct source *src,
		   int fd, struct settings_error *err)
{
	size_t cap = (size_t)SETTINGS_FILE_MAX + 1;
	char *buf = malloc(cap);
	ssize_t n;
	int rc;

	if (!buf) {
		settings_fail(err, src->file, 0, "out of memory");
		return -ENOMEM;
	}
	n = read_all(fd, buf, cap);
	if (n < 0)
		rc = settings_fail(err, src->file, 0, "cannot read: %s", strerror((int)-n));
	else
		rc = parse_text(root, into, src, buf, (size_t)n, err);
	if (n > 0)
		secret_wipe(buf, (size_t)n);
	free(buf);
	return rc;
}

/* Errors about the file itself are said of the line that names it, or of the file when none does.
 */
static int load_file(struct settings_root *root, struct settings *into, const char *path,
		     const struct source *from, const char *from_file, int from_line,
		     struct settings_error *err)
{
	struct source src = {.from = from, .includes = true, .depth = from ? from->depth + 1 : 0};
	struct stat st;
	int fd, rc;

	src.file = settings_file_name(root, path);
	if (!src.file) {
		settings_fail(err, path, 0, "out of memory");
		return -ENOMEM;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0) {
		rc = from ? settings_fail(err, from_file, from_line, "cannot open %s: %s", path,
					  strerror(errno))
			  : settings_fail(err, path, 0, "cannot open: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return rc;
	}
	src.dev = st.st_dev;
	src.ino = st.st_ino;
	if (is_open_already(from, &st))
		rc = settings_fail(err, from_file, from_line,
				   "include loop: %s is being read already", path);
	else
		rc = load_fd(root, into, &src, fd, err);
	close(fd);
	return rc;
}

/* Ends a read: the resolved tree, or NULL and nothing left. */
static struct settings *finish(struct settings_root *root, int rc, struct settings_error *err)
{
	if (rc == 0)
		rc = settings_resolve(root, err);
	if (rc == 0)
		return &root->top;
	settings_free(&root->top);
	errno = -rc;
	return NULL;
}

static struct settings_root *start(struct settings_error *err)
{
	struct settings_root *root = settings_root_new();

	if (!root)
		settings_fail(err, "", 0, "out of memory");
	return root;
}

struct settings *settings_load(const char *path, struct settings_error *err)
{
	struct settings_root *root = start(err);

	if (!root)
		return NULL;
	int rc = load_file(root, &root->top, path, NULL, NULL, 0, err);

	root->top.file = root->files ? root->files->name : "";
	return finish(root, rc, err);
}

struct settings *settings_parse(const char *name, const char *text, size_t n, bool includes,
				struct settings_error *err)
{
	struct settings_root *root = start(err);
	struct source src = {.includes = includes};

	if (!root)
		return NULL;
	src.file = settings_file_name(root, name);
	if (!src.file)
		return finish(root, settings_fail(err, name, 0, "out of memory"), err);
	root->top.file = src.file;
	return finish(root, parse_text(root, &root->top, &src, text, n, err), err);
}
