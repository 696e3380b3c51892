/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli.h"

#include <stdio.h>
#include <string.h>

static const struct field row_table[] = {
	{"kind", "kind", FIELD_TEXT},	    {"id", "id", FIELD_NUMBER},
	{"key-bits", "key_bits", FIELD_NUMBER}, {"name", "name", FIELD_TEXT},
	{"aliases", "aliases", FIELD_LIST}, {"aead", "aead", FIELD_BOOL},
	{"ike", "ike", FIELD_BOOL},	    {"esp", "esp", FIELD_BOOL},
	{"legacy", "legacy", FIELD_BOOL},   {"available", "available", FIELD_BOOL},
	{"why-not", "why_not", FIELD_TEXT}, {0},
};

/* `engines` is null where no engine is concerned, or none has said what it can do. */
static json_t *row_object(const char *keyword, const json_t *raw)
{
	json_t *o = fields_apply(row_table, raw), *engines = json_object_get(raw, "engines");

	json_object_set_new(o, "keyword", json_string(keyword));
	json_object_set_new(o, "engines", engines ? json_incref(engines) : json_null());
	return o;
}

static json_t *algorithm_array(const json_t *answer)
{
	json_t *array = json_array(), *raw;
	const char *keyword;

	json_object_foreach(json_object_get(answer, "algorithms"), keyword, raw)
		json_array_append_new(array, row_object(keyword, raw));
	return array;
}

static const char *where_str(const json_t *o, char *buf, size_t n)
{
	bool ike = json_is_true(json_object_get(o, "ike")), esp = json_is_true(json_object_get(o, "esp"));

	/* what has no number stands in no proposal */
	if (json_is_null(json_object_get(o, "id")))
		return "child option";
	snprintf(buf, n, "%s%s%s", ike ? "IKE" : "", ike && esp ? " " : "", esp ? "ESP" : "");
	return buf;
}

static const char *engine_str(const json_t *o, char *buf, size_t n)
{
	const json_t *engines = json_object_get(o, "engines");

	if (!json_is_array(engines))
		return "";
	return json_array_size(engines) ? join_str(engines, ", ", buf, n) : "none";
}

enum { COLUMNS = 6 };

static void print_algorithms(const json_t *array)
{
	static const struct column columns[COLUMNS] = {
		{.name = "KEYWORD"}, {.name = "KIND"}, {.name = "ALGORITHM"},
		{.name = "IN"}, {.name = "HERE"}, {.name = "ESP ENGINE"}};
	struct libscols_table *t = table_new(columns, COLUMNS);
	json_t *o;
	size_t i;

	json_array_foreach(array, i, o) {
		bool legacy = json_is_true(json_object_get(o, "legacy"));
		char where[16], engines[64], here[64];
		const char *cells[COLUMNS] = {text_of(o, "keyword"),
					      text_of(o, "kind"),
					      text_of(o, "name"),
					      where_str(o, where, sizeof(where)),
					      here,
					      engine_str(o, engines, sizeof(engines))};

		if (json_is_true(json_object_get(o, "available")))
			snprintf(here, sizeof(here), "yes%s", legacy ? ", weak" : "");
		else
			snprintf(here, sizeof(here), "no: %s", text_of(o, "why_not"));
		table_row(t, cells, COLUMNS);
	}
	table_print(t, "no algorithm");
}

static bool said_yes(const json_t *answer, const char *key)
{
	return json_is_true(json_object_get(answer, key)) || !strcmp(text_of(answer, key), "yes");
}

int run_show_algorithms(const struct cli *cli)
{
	json_t *answer = link_ask(cli, "show-algorithms", NULL, NULL, NULL), *array;
	int ret = answer ? answer_check(cli, NULL, answer) : CLI_FAILED;

	if (ret) {
		json_decref(answer);
		return ret;
	}
	array = algorithm_array(answer);
	if (cli->json) {
		ret = cli_print_json(json_incref(array));
	} else {
		print_algorithms(array);
		if (!said_yes(answer, "dataplane") && !said_yes(answer, "kernel"))
			puts("no dataplane connected, no ESP in the kernel: what does ESP is not known");
		else if (!said_yes(answer, "dataplane"))
			puts("dataplane not connected: what it can do is not known");
	}
	json_decref(array);
	json_decref(answer);
	return ret;
}
