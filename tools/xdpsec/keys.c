/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli.h"

/* show sa --with-keys: lines of Wireshark's ikev2_decryption_table, which `decode --keys` reads. */

static void on_key(void *ctx, const char *event, json_t *message)
{
	static const struct field fields[] = {
		{"name", "name", FIELD_TEXT}, {"uniqueid", "id", FIELD_NUMBER}, {"line", "line", FIELD_TEXT}, {0}};

	(void)event;
	json_array_append_new(ctx, fields_apply(fields, message));
}

int show_keys(const struct cli *cli)
{
	json_t *array = json_array(), *key;
	json_t *answer = link_ask(cli, "list-keys", "list-key", on_key, array);
	int ret = answer ? answer_check(cli, NULL, answer) : CLI_FAILED;
	size_t i;

	json_decref(answer);
	if (ret) {
		json_decref(array);
		return ret;
	}
	if (cli->json)
		return cli_print_json(array);
	json_array_foreach(array, i, key)
		printf("# %s #%lld\n%s\n", text_of(key, "name"), (long long)number_of(key, "id"), text_of(key, "line"));
	json_decref(array);
	return CLI_OK;
}
