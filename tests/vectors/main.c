/* SPDX-License-Identifier: BSD-2-Clause */
#include "vectors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Lines of JSON in, one line of JSON out for each: an "op" and its fields (README). Bad input is answered with
 * "error"; "id", when there is one, comes back.
 */
enum { LINE_MAX_LEN = 1 << 20 };

static const struct vec_op *const ops[] = {
	&vec_esp_seal,
	&vec_esp_open,
	&vec_replay,
	&vec_kdf,
	&vec_decode,
};

enum { N_OPS = sizeof(ops) / sizeof(ops[0]) };

/* ---- fields of a request --------------------------------------------------------------------- */

json_t *vec_fail(struct vec_in *in, const char *format, ...)
{
	va_list ap;

	if (in->error[0])
		return NULL;
	va_start(ap, format);
	vsnprintf(in->error, sizeof(in->error), format, ap);
	va_end(ap);
	return NULL;
}

bool vec_has(const struct vec_in *in, const char *key)
{
	return json_object_get(in->o, key) != NULL;
}

uint64_t vec_uint_of(struct vec_in *in, const json_t *value, const char *key, uint64_t max)
{
	const char *s = json_string_value(value);
	uint64_t v = 0;
	char *end;

	if (json_is_integer(value)) {
		if (json_integer_value(value) < 0)
			vec_fail(in, "%s: negative", key);
		v = (uint64_t)json_integer_value(value);
	} else if (s && strlen(s) <= 20 && s[0] >= '0' && s[0] <= '9') {
		v = strtoull(s, &end, strncmp(s, "0x", 2) == 0 ? 16 : 10);
		if (*end)
			vec_fail(in, "%s: not a number", key);
	} else {
		vec_fail(in, "%s: not a number", key);
	}
	if (v > max)
		vec_fail(in, "%s: larger than %llu", key, (unsigned long long)max);
	return in->error[0] ? 0 : v;
}

uint64_t vec_uint(struct vec_in *in, const char *key, uint64_t max, uint64_t or)
{
	const json_t *value = json_object_get(in->o, key);

	return value ? vec_uint_of(in, value, key, max) : or;
}

bool vec_flag(struct vec_in *in, const char *key, bool or)
{
	const json_t *value = json_object_get(in->o, key);

	if (!value)
		return or;
	if (!json_is_boolean(value))
		vec_fail(in, "%s: neither true nor false", key);
	return json_is_true(value);
}

const char *vec_text(struct vec_in *in, const char *key, bool need)
{
	const json_t *value = json_object_get(in->o, key);

	if (!value && need)
		vec_fail(in, "%s: missing", key);
	if (value && !json_is_string(value))
		vec_fail(in, "%s: not a string", key);
	return in->error[0] ? NULL : json_string_value(value);
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

size_t vec_hex(struct vec_in *in, const char *key, uint8_t *buf, size_t cap, bool need)
{
	const char *s = vec_text(in, key, need);
	size_t n = s ? strlen(s) : 0;

	if (!s)
		return 0;
	if (n % 2 || strspn(s, "0123456789abcdefABCDEF") != n)
		vec_fail(in, "%s: not pairs of hex digits", key);
	else if (n / 2 > cap)
		vec_fail(in, "%s: %zu bytes, at most %zu", key, n / 2, cap);
	if (in->error[0])
		return 0;
	for (size_t i = 0; i < n / 2; i++)
		buf[i] = (uint8_t)(digit(s[2 * i]) << 4 | digit(s[2 * i + 1]));
	return n / 2;
}

json_t *vec_number_new(uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
	return json_string(text);
}

json_t *vec_hex_new(const uint8_t *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	char *s = malloc(2 * n + 1);
	json_t *v;

	if (!s)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		s[2 * i] = digits[p[i] >> 4];
		s[2 * i + 1] = digits[p[i] & 15];
	}
	v = json_stringn(s, 2 * n);
	free(s);
	return v;
}

/* ---- lines --------------------------------------------------------------------------------------- */

static bool listed(const char *list, const char *word)
{
	size_t n = strlen(word), k;

	for (; *list; list += k + (list[k] == ' ')) {
		k = strcspn(list, " ");
		if (k == n && strncmp(list, word, n) == 0)
			return true;
	}
	return false;
}

static json_t *run(struct vec_in *in)
{
	const char *name = vec_text(in, "op", true), *key;
	const struct vec_op *op = NULL;
	json_t *value;

	if (!name)
		return NULL;
	for (unsigned int i = 0; i < N_OPS; i++)
		if (strcmp(ops[i]->name, name) == 0)
			op = ops[i];
	if (!op)
		return vec_fail(in, "op: no such operation");
	json_object_foreach((json_t *)in->o, key, value)
		if (strcmp(key, "op") != 0 && strcmp(key, "id") != 0 && !listed(op->fields, key))
			return vec_fail(in, "%.60s: no field of this operation", key);
	return op->run(in);
}

static void answer(json_t *request, const char *error)
{
	struct vec_in in = {.o = request};
	json_t *out = NULL, *id = json_object_get(request, "id");

	if (error)
		vec_fail(&in, "%s", error);
	else if (!json_is_object(request))
		vec_fail(&in, "not an object");
	else
		out = run(&in);
	if (in.error[0] || !out) {
		json_decref(out);
		out = json_pack("{s:s}", "error", in.error[0] ? in.error : "out of memory");
	}
	if (id)
		json_object_set(out, "id", id);
	json_dumpf(out, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(out);
}

/* Reads up to the end of a line or of the input; the length, -1 at the end, LINE_MAX_LEN when it was longer. */
static long line_read(char *line)
{
	long n = 0;
	int c;

	while ((c = getchar_unlocked()) != EOF && c != '\n')
		if (n < LINE_MAX_LEN)
			line[n++] = (char)c;
	return c == EOF && !n ? -1 : n;
}

int main(void)
{
	char *line = malloc(LINE_MAX_LEN), error[200];
	json_error_t where;
	json_t *request;
	long n;

	if (!line)
		return 1;
	while ((n = line_read(line)) >= 0) {
		if (n == LINE_MAX_LEN) {
			answer(NULL, "line: 1 MB or longer");
			continue;
		}
		if (!n)
			continue;
		request = json_loadb(line, (size_t)n, JSON_REJECT_DUPLICATES, &where);
		snprintf(error, sizeof(error), "not JSON: %s", where.text);
		answer(request, request ? NULL : error);
		json_decref(request);
	}
	free(line);
	return 0;
}
