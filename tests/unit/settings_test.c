// SPDX-License-Identifier: BSD-2-Clause
#include "common/settings_table.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* The tree on one line: a=1 s{b=2 } */
static void dump(const struct settings *s, char *buf, size_t n)
{
	const struct settings_key *key;
	const struct settings *sub;

	TAILQ_FOREACH (key, &s->keys, next)
		snprintf(buf + strlen(buf), n - strlen(buf), "%s=%s;", key->name, key->value);
	TAILQ_FOREACH (sub, &s->sections, next) {
		snprintf(buf + strlen(buf), n - strlen(buf), "%s{", sub->name);
		dump(sub, buf, n);
		snprintf(buf + strlen(buf), n - strlen(buf), "}");
	}
}

static struct settings *parse(const char *text, struct settings_error *err)
{
	return settings_parse("t.conf", text, strlen(text), false, err);
}

struct pair {
	const char *text, *want;
};

static void check_trees(const struct pair *t, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct settings_error err = {0};
		struct settings *s = parse(t[i].text, &err);
		char buf[4096] = "";

		if (!s)
			fail_msg("%s: %d: %s", t[i].text, err.line, err.text);
		dump(s, buf, sizeof(buf));
		assert_string_equal(buf, t[i].want);
		settings_free(s);
	}
}

static void check_errors(const struct pair *t, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct settings_error err = {0};
		struct settings *s = parse(t[i].text, &err);
		char buf[1024];

		if (s)
			fail_msg("accepted: %s", t[i].text);
		assert_int_equal(errno, EINVAL);
		assert_string_equal(settings_error_str(&err, buf, sizeof(buf)), t[i].want);
	}
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void grammar(void **state)
{
	static const struct pair t[] = {
	    {"", ""},
	    {"# only a comment", ""},
	    {"a = b\n", "a=b;"},
	    {"a=b", "a=b;"},
	    {"a = b\r\nc = d\r\n", "a=b;c=d;"},
	    {"\t a\t=\t b c\t d \t# x\n", "a=b c\t d;"},
	    {"a = b#c\n", "a=b;"},
	    {"a = x=y:z,w.v;{\n", "a=x=y:z,w.v;{;"},
	    {"s { }", "s{}"},
	    {"s{a=b}t{c=d}", "s{a=b;}t{c=d;}"},
	    {"s\n\n# between\n{\n a = b\n}\n", "s{a=b;}"},
	    {"s { t { u { a = 1 } } b = 2\n}", "s{b=2;t{u{a=1;}}}"},
	    {"s { a = 1 } # end\n", "s{a=1;}"},
	    {"a = \"\"\n", "a=;"},
	    {"a = \" b \"\n", "a= b ;"},
	    {"a = \"b # } {\"  # c\n", "a=b # } {;"},
	    {"a = \"x\\n\\t\\r\\\"\\\\\\q\"\n", "a=x\n\t\r\"\\q;"},
	    {"a = \"x\ny\"\n", "a=x\ny;"},
	    {"a = \"x\\\ny\"\n", "a=xy;"},
	    {"a = b\"c  d\"e  f \"g\"\n", "a=bc  de  f g;"},
	    {"a = b\\nc\n", "a=b\\nc;"},
	    {"%any@-_/*+ = 1\n", "%any@-_/*+=1;"},
	    {"\xc3\xa9 = \xc3\xa9\n", "\xc3\xa9=\xc3\xa9;"},
	    {"include = 3\ninclude { a = 1 }", "include=3;include{a=1;}"},
	};

	(void)state;
	check_trees(t, COUNT(t));
}

static void merging(void **state)
{
	static const struct pair t[] = {
	    {"a = 1\nb = 2\na = 3\n", "b=2;a=3;"},
	    {"a = 1\na =\n", ""},
	    {"a =\na = 1\n", "a=1;"},
	    {"a = 1\na = 2\na = 3\n", "a=3;"},
	    {"s { a = 1 }\nt { }\ns { b = 2 }", "s{a=1;b=2;}t{}"},
	    {"s { a = 1 }\ns { a = 2 }", "s{a=2;}"},
	    {"s { t { a = 1 } }\ns { u { } t { b = 2 } }", "s{t{a=1;b=2;}u{}}"},
	    {"s { a = 1 }\ns { b = 1 }\ns { c = 1 }", "s{a=1;b=1;c=1;}"},
	};

	(void)state;
	check_trees(t, COUNT(t));
}

static void inheriting(void **state)
{
	static const struct pair t[] = {
	    {"x { a = 1 }\ns : x { }", "x{a=1;}s{a=1;}"},
	    {"s : x { }\nx { a = 1 }", "s{a=1;}x{a=1;}"},
	    {"x { a = 1\n b = 1 }\ns : x { a = 2 }", "x{a=1;b=1;}s{a=2;b=1;}"},
	    {"x { a = 1\n b = 1 }\ns : x { a =\n }", "x{a=1;b=1;}s{b=1;}"},
	    {"x { a = 1 }\ny { a = 2\n b = 2 }\ns : x, y { }", "x{a=1;}y{a=2;b=2;}s{a=1;b=2;}"},
	    {"x { a = 1 }\ny { b = 1 }\ns : x\n,\n y\n{\n}", "x{a=1;}y{b=1;}s{a=1;b=1;}"},
	    {"x { t { a = 1\n b = 1 } }\ns : x { t { a = 2 } u { } }",
	     "x{t{a=1;b=1;}}s{t{a=2;b=1;}u{}}"},
	    {"p { x { a = 1 } }\ns : p.x { }", "p{x{a=1;}}s{a=1;}"},
	    {"x { a = 1 }\ny : x { b = 2 }\nz : y { }", "x{a=1;}y{b=2;a=1;}z{b=2;a=1;}"},
	    {"z : y { }\ny : x { }\nx { a = 1 }", "z{a=1;}y{a=1;}x{a=1;}"},
	    /* a section that only exists by inheritance */
	    {"s : y.t { }\ny : x { }\nx { t { a = 1 } }", "s{a=1;}y{t{a=1;}}x{t{a=1;}}"},
	    /* what a subsection refers to itself goes before what its parent inherits */
	    {"x { t { a = 1\n c = 1 } }\ny { a = 2\n b = 2 }\ns : x { t : y { } }",
	     "x{t{a=1;c=1;}}y{a=2;b=2;}s{t{a=2;b=2;c=1;}}"},
	    {"c { a { k = 1 } b : c.a { } }", "c{a{k=1;}b{k=1;}}"},
	    /* references of both parts of a section */
	    {"x { a = 1 }\ny { b = 1 }\ns : x { }\ns : y { }", "x{a=1;}y{b=1;}s{a=1;b=1;}"},
	};

	(void)state;
	check_trees(t, COUNT(t));
}

static void errors(void **state)
{
	static const struct pair t[] = {
	    {"a", "t.conf:1: a name must be followed by '=', '{' or ':'"},
	    {"a = 1\n\nfoo bar\n", "t.conf:3: a name must be followed by '=', '{' or ':'"},
	    {"a b = 1", "t.conf:1: a name must be followed by '=', '{' or ':'"},
	    {"a.b = 1", "t.conf:1: a name must be followed by '=', '{' or ':'"},
	    {"}", "t.conf:1: '}' closes nothing"},
	    {"s { }\n}\n", "t.conf:2: '}' closes nothing"},
	    {"s {\n a = 1\n t {\n }\n", "t.conf:1: the '{' on this line is not closed"},
	    {"s {\n t\n {\n\n", "t.conf:3: the '{' on this line is not closed"},
	    {"a = 1\nb = \"x\n\ny\n", "t.conf:2: the quoted string that begins here is not closed"},
	    {"b = x \"y\\\"\n", "t.conf:1: the quoted string that begins here is not closed"},
	    {"= 1", "t.conf:1: unexpected '='"},
	    {"{ }", "t.conf:1: unexpected '{'"},
	    {"\"a\" = 1", "t.conf:1: unexpected '\"'"},
	    {"\n\x01", "t.conf:2: unexpected byte 0x01"},
	    {"s : { }", "t.conf:1: a section name is expected behind ':' and ','"},
	    {"s : x, { }", "t.conf:1: a section name is expected behind ':' and ','"},
	    {"s : .x { }", "t.conf:1: a section name is expected behind ':' and ','"},
	    {"s : x. { }", "t.conf:1: a section name is expected behind ':' and ','"},
	    {"s : x y { }", "t.conf:1: '{' is expected behind the references of a section"},
	    {"s : x", "t.conf:1: '{' is expected behind the references of a section"},
	    {"\ns : nosuch { }", "t.conf:2: there is no section 'nosuch' to inherit from"},
	    {"x { }\ns : x.y { }", "t.conf:2: there is no section 'x.y' to inherit from"},
	    {"s : s { }", "t.conf:1: section 's' would inherit from itself"},
	    {"s { t : s { } }", "t.conf:1: section 's' would inherit from itself"},
	    {"s : t { }\nt : s { }", "t.conf:2: section 's' would inherit from itself"},
	    {"include x.conf", "t.conf:1: include is not allowed here"},
	    {"include", "t.conf:1: include without a file name"},
	    {"include \"\"", "t.conf:1: include without a file name"},
	};

	(void)state;
	check_errors(t, COUNT(t));
}

static void zero_byte(void **state)
{
	struct settings_error err;

	(void)state;
	assert_null(settings_parse("t.conf", "a = b\0c", 7, false, &err));
	assert_string_equal(err.text, "holds a zero byte: not a text file");
	/* *err may be missing */
	assert_null(settings_parse("t.conf", "}", 1, false, NULL));
}

/* n sections inside one another. */
static struct settings *nested(int n, struct settings_error *err)
{
	char text[256] = "";

	for (int i = 0; i < n; i++)
		strcat(text, "s{");
	for (int i = 0; i < n; i++)
		strcat(text, "}");
	return parse(text, err);
}

static void depth(void **state)
{
	struct settings_error err;
	struct settings *s = nested(SETTINGS_DEPTH_MAX, &err);

	(void)state;
	assert_non_null(s);
	settings_free(s);
	assert_null(nested(SETTINGS_DEPTH_MAX + 1, &err));
	assert_string_equal(err.text, "sections nested deeper than 16");
	/* Copies count, too: each of these hangs the one before below itself. */
	assert_null(parse("a{b{c{d{e{f{g{h{i{}}}}}}}}}\n"
			  "x{a:a{b{c{d{e{f{g{h{i:a{}}}}}}}}}}",
			  &err));
	assert_string_equal(err.text, "sections nested deeper than 16 by references");
	assert_int_equal(err.line, 2);
}

static void long_chain(void **state)
{
	char text[8192] = "";
	struct settings_error err;

	(void)state;
	for (int i = 0; i < 200; i++)
		sprintf(text + strlen(text), "s%d : s%d { }\n", i, i + 1);
	strcat(text, "s200 { a = 1 }\n");
	assert_null(parse(text, &err));
	assert_string_equal(err.text, "references nested too deep");
}

/* Thirty lines that would make 2^29 copies of one key. */
static void multiplying(void **state)
{
	char text[4096] = "s0 { a { k = 1 } b { k = 1 } }\n";
	struct settings_error err;

	(void)state;
	for (int i = 1; i < 14; i++)
		sprintf(text + strlen(text), "s%d { a : s%d { } b : s%d { } }\n", i, i - 1, i - 1);
	assert_null(parse(text, &err));
	assert_string_equal(err.text, "the references of this file inherit too much");
}

static void too_large(void **state)
{
	size_t n = (size_t)SETTINGS_FILE_MAX + 1;
	char *text = malloc(n);
	struct settings_error err;
	struct settings *s;

	(void)state;
	memset(text, '\n', n);
	assert_null(settings_parse("t.conf", text, n, false, &err));
	assert_string_equal(err.text, "larger than 4194304 bytes");
	s = settings_parse("t.conf", text, n - 1, false, &err);
	assert_non_null(s);
	settings_free(s);
	/* Many keys, many of one name, on one line: the time must not grow with their square. */
	for (size_t i = 0; i + 8 < n; i += 8)
		memcpy(text + i, i % 16 ? "x{a=b}  " : "y{a=\"\"} ", 8);
	s = settings_parse("t.conf", text, n - 9, false, &err);
	assert_non_null(s);
	settings_free(s);
	free(text);
}

static void places(void **state)
{
	struct settings_error err;
	struct settings *s =
	    parse("a {\n b {\n  c = 1\n }\n}\na {\n b {\n  c = 2\n }\n}\nd : a { }\n", &err);
	const struct settings *a, *b, *d;
	char buf[128];

	(void)state;
	assert_non_null(s);
	a = settings_section(s, "a");
	b = settings_section(a, "b");
	d = settings_section(s, "d");
	assert_int_equal(a->line, 1);
	assert_int_equal(a->again, 6);
	assert_int_equal(d->again, 0);
	assert_true(a->referenced);
	assert_false(d->referenced);
	assert_int_equal(settings_key(b, "c")->line, 8);
	assert_string_equal(settings_key(b, "c")->file, "t.conf");
	b = settings_section(d, "b");
	assert_int_equal(settings_key(b, "c")->line, 8);
	assert_string_equal(settings_path(b, buf, sizeof(buf)), "d.b");
	assert_string_equal(settings_path(s, buf, sizeof(buf)), "");
	assert_string_equal(settings_path(b, buf, 3), "d.");
	assert_null(settings_section(s, "nosuch"));
	assert_null(settings_key(s, "nosuch"));
	assert_int_equal(settings_err(&err, b, settings_key(b, "c"), "bad %d", 7), -EINVAL);
	assert_string_equal(settings_error_str(&err, buf, sizeof(buf)), "t.conf:8: d.b.c: bad 7");
	settings_err(&err, s, NULL, "all of it");
	assert_string_equal(settings_error_str(&err, buf, sizeof(buf)), "t.conf: all of it");
	settings_free(s);
	settings_free(NULL);
}

/* ---- files ---------------------------------------------------------------------------------- */
static char dir[] = "/tmp/settings_test.XXXXXX";

static const char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	return mkdir(path_of("conf.d"), 0700);
}

static int remove_dir(void **state)
{
	char cmd[300];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd);
}

static void check_file(const char *name, const char *want)
{
	struct settings_error err = {0};
	struct settings *s = settings_load(path_of(name), &err);
	char buf[1024] = "";

	if (s)
		dump(s, buf, sizeof(buf));
	else
		snprintf(buf, sizeof(buf), "%s:%d: %s", strrchr(err.file, '/') + 1, err.line,
			 err.text);
	/* The directory has a random name. */
	for (char *at; (at = strstr(buf, dir));)
		memmove(at, at + strlen(dir), strlen(at + strlen(dir)) + 1);
	assert_string_equal(buf, want);
	settings_free(s);
}

static void includes(void **state)
{
	(void)state;
	put("conf.d/1.conf", "a = 1\nt { x = 1 }\n");
	put("conf.d/2.conf", "a = 2\n");
	put("conf.d/3.txt", "a = 3\n");
	put("main.conf",
	    "a = 0\ns {\n a = before\n include conf.d/*.conf\n}\ninclude other.conf\n");
	put("other.conf", "s { t { y = 1 } }\ninclude conf.d/nosuch*.conf\n");
	check_file("main.conf", "a=0;s{a=2;t{x=1;y=1;}}");
	put("quoted.conf", "s { include \"conf.d/1.conf\" }\n");
	check_file("quoted.conf", "s{a=1;t{x=1;}}");
	put("nodir.conf", "include nodir.d/*.conf\n");
	check_file("nodir.conf", "");
	/* relative to the file that says it, and references across files */
	put("conf.d/4.inc", "include 1.conf\n");
	put("deep.conf", "x { include conf.d/4.inc\n }\ny : x { }\n");
	check_file("deep.conf", "x{a=1;t{x=1;}}y{a=1;t{x=1;}}");
}

static void include_errors(void **state)
{
	char name[32], text[64];

	(void)state;
	check_file("nosuch", "nosuch:0: cannot open: No such file or directory");
	check_file("conf.d", "conf.d:0: cannot read: Is a directory");
	put("bad.conf", "\ninclude missing.conf\n");
	check_file("bad.conf", "bad.conf:2: cannot open /missing.conf: No such file or directory");
	put("loop.conf", "a = 1\ninclude loop.conf\n");
	check_file("loop.conf", "loop.conf:2: include loop: /loop.conf is being read already");
	put("loop1.conf", "include loop2.conf\n");
	put("loop2.conf", "\n\ninclude loop1.conf\n");
	check_file("loop1.conf", "loop2.conf:3: include loop: /loop1.conf is being read already");
	/* The place is that of the included file. */
	put("inner.conf", "\n\n}\n");
	put("outer.conf", "s {\n include inner.conf\n}\n");
	check_file("outer.conf", "inner.conf:3: '}' closes nothing");
	put("inner.conf", "s {\n");
	check_file("outer.conf", "inner.conf:1: the '{' on this line is not closed");
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "deep%d.conf", i);
		snprintf(text, sizeof(text), "include deep%d.conf\n", i + 1);
		put(name, text);
	}
	put("deep20.conf", "a = 1\n");
	check_file("deep4.conf", "a=1;");
	check_file("deep3.conf", "deep19.conf:1: includes nested deeper than 16");
	memset(text, 'x', sizeof(text));
	put("long.conf", "include ");
	FILE *f = fopen(path_of("long.conf"), "a");

	for (int i = 0; i < 10; i++)
		fwrite(text, sizeof(text), 1, f);
	fclose(f);
	check_file("long.conf", "long.conf:1: the path to include is longer than 511 bytes");
}

/* ---- values ---------------------------------------------------------------------------------- */
static void booleans(void **state)
{
	static const char *const yes[] = {"yes", "true", "1", "enabled", "YES", "True"};
	static const char *const no[] = {"no", "false", "0", "disabled", "No"};
	static const char *const bad[] = {"", "y", "on", "2", "yes ", "nope"};
	bool v;

	(void)state;
	for (size_t i = 0; i < COUNT(yes); i++)
		assert_true(settings_bool(yes[i], &v) == 0 && v);
	for (size_t i = 0; i < COUNT(no); i++)
		assert_true(settings_bool(no[i], &v) == 0 && !v);
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(settings_bool(bad[i], &v), -EINVAL);
}

struct number {
	const char *text;
	uint64_t want; /* BAD: refused */
};
#define BAD UINT64_MAX

static void check_numbers(int (*parse_fn)(const char *, uint64_t *), const struct number *t,
			  size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t v = 12345;
		int rc = parse_fn(t[i].text, &v);

		if (rc != (t[i].want == BAD ? -EINVAL : 0) ||
		    v != (t[i].want == BAD ? 12345 : t[i].want))
			fail_msg("'%s': %d, %llu", t[i].text, rc, (unsigned long long)v);
	}
}

static int uint_1000(const char *v, uint64_t *out)
{
	return settings_uint(v, 1000, out);
}

static void numbers(void **state)
{
	static const struct number seconds[] = {
	    {"0", 0},
	    {"30", 30},
	    {"30s", 30},
	    {"5m", 300},
	    {"4h", 14400},
	    {"1d", 86400},
	    {"", BAD},
	    {"s", BAD},
	    {"-1", BAD},
	    {"1.5h", BAD},
	    {"4x", BAD},
	    {"4 h", BAD},
	    {" 4h", BAD},
	    {"4hh", BAD},
	    {"18446744073709551615d", BAD},
	    {"18446744073709551616", BAD},
	};
	static const struct number millis[] = {
	    {"4.0", 4000}, {"4", 4000},	 {"0.25", 250}, {"1.8765", 1876},
	    {"50ms", 50},  {"2s", 2000}, {"1m", 60000}, {"1.5m", 90000},
	    {"0", 0},	   {"4.", BAD},	 {".5", BAD},	{"1.5.5", BAD},
	    {"4,0", BAD},  {"1us", BAD}, {"", BAD},	{"99999999999999999999", BAD},
	};
	static const struct number sizes[] = {
	    {"0", 0},	 {"500", 500}, {"1k", 1024}, {"2M", 2 << 20}, {"1g", 1 << 30},
	    {"1t", BAD}, {"", BAD},    {"k", BAD},   {"-5", BAD},     {"99999999999g", BAD},
	};
	static const struct number uints[] = {
	    {"0", 0},
	    {"1000", 1000},
	    {"0x1f", 31},
	    {"0X3E8", 1000},
	    {"1001", BAD},
	    {"0x", BAD},
	    {"", BAD},
	    {"1 ", BAD},
	    {"+1", BAD},
	    {"-1", BAD},
	    {"1f", BAD},
	    {"0x1g", BAD},
	    {"0xffffffffffffffffff", BAD},
	};

	(void)state;
	check_numbers(settings_seconds, seconds, COUNT(seconds));
	check_numbers(settings_millis, millis, COUNT(millis));
	check_numbers(settings_size, sizes, COUNT(sizes));
	check_numbers(uint_1000, uints, COUNT(uints));
}

static void items(void **state)
{
	const char *list = " a , b c,, d\t";
	char buf[8];

	(void)state;
	assert_true(settings_item(&list, buf, sizeof(buf)));
	assert_string_equal(buf, "a");
	assert_true(settings_item(&list, buf, sizeof(buf)));
	assert_string_equal(buf, "b c");
	assert_true(settings_item(&list, buf, sizeof(buf)));
	assert_string_equal(buf, "");
	assert_true(settings_item(&list, buf, sizeof(buf)));
	assert_string_equal(buf, "d");
	assert_false(settings_item(&list, buf, sizeof(buf)));
	list = "0123456789";
	assert_true(settings_item(&list, buf, sizeof(buf)));
	assert_string_equal(buf, "0123456");
}

static void nearest(void **state)
{
	static const char *const known[] = {"remote_addrs", "local_addrs", "proposals", "id", NULL};

	(void)state;
	assert_string_equal(settings_nearest("remote_adrs", known), "remote_addrs");
	assert_string_equal(settings_nearest("proposal", known), "proposals");
	assert_string_equal(settings_nearest("porposals", known), "proposals");
	assert_string_equal(settings_nearest("ids", known), "id");
	assert_null(settings_nearest("something_else", known));
	assert_null(settings_nearest("a-name-that-is-much-longer-than-any-key-there-is", known));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(grammar),	  cmocka_unit_test(merging),
	    cmocka_unit_test(inheriting), cmocka_unit_test(errors),
	    cmocka_unit_test(zero_byte),  cmocka_unit_test(depth),
	    cmocka_unit_test(long_chain), cmocka_unit_test(multiplying),
	    cmocka_unit_test(too_large),  cmocka_unit_test(places),
	    cmocka_unit_test(includes),	  cmocka_unit_test(include_errors),
	    cmocka_unit_test(booleans),	  cmocka_unit_test(numbers),
	    cmocka_unit_test(items),	  cmocka_unit_test(nearest),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
