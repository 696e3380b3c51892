/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli.h"

#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <string.h>

struct libscols_table *table_new(const struct column *columns, unsigned int n)
{
	struct libscols_table *t = scols_new_table();

	if (!t)
		return NULL;
	for (unsigned int i = 0; i < n; i++) {
		int flags = columns[i].right ? SCOLS_FL_RIGHT : 0;

		if (!scols_table_new_column(t, columns[i].name, 0.1, flags)) {
			scols_unref_table(t);
			return NULL;
		}
	}
	return t;
}

void table_row(struct libscols_table *t, const char *const *cells, unsigned int n)
{
	struct libscols_line *line = t ? scols_table_new_line(t, NULL) : NULL;

	for (unsigned int i = 0; line && i < n; i++)
		if (cells[i])
			scols_line_set_data(line, i, cells[i]);
}

void table_print(struct libscols_table *t, const char *none)
{
	if (!t) {
		cli_fail("out of memory");
		return;
	}
	if (scols_table_get_nlines(t))
		scols_print_table(t);
	else
		puts(none);
	scols_unref_table(t);
}

const char *duration_str(int64_t s, char *buf, size_t n)
{
	if (s >= 86400)
		snprintf(buf, n, "%lldd %lldh", (long long)(s / 86400), (long long)(s % 86400 / 3600));
	else if (s >= 3600)
		snprintf(buf, n, "%lldh %lldm", (long long)(s / 3600), (long long)(s % 3600 / 60));
	else if (s >= 60)
		snprintf(buf, n, "%lldm %llds", (long long)(s / 60), (long long)(s % 60));
	else
		snprintf(buf, n, "%llds", (long long)s);
	return buf;
}

const char *bytes_str(int64_t bytes, char *buf, size_t n)
{
	static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double v = (double)bytes;
	unsigned int u = 0;

	while (v >= 1024 && u + 1 < sizeof(unit) / sizeof(unit[0])) {
		v /= 1024;
		u++;
	}
	snprintf(buf, n, u ? "%.1f %s" : "%.0f %s", v, unit[u]);
	return buf;
}

const char *join_str(const json_t *array, const char *sep, char *buf, size_t n)
{
	size_t i, at = 0;
	json_t *item;

	buf[0] = '\0';
	json_array_foreach(array, i, item) {
		const char *s = json_string_value(item);
		int len = snprintf(buf + at, n - at, "%s%s", i ? sep : "", s ? s : "?");

		if (len < 0 || (size_t)len >= n - at)
			break;
		at += (size_t)len;
	}
	return buf;
}
