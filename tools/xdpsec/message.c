/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli.h"

#include <stdarg.h>
#include <stdio.h>

int cli_fail(const char *fmt, ...)
{
	va_list ap;

	fputs("xdpsec: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return CLI_FAILED;
}

int cli_usage(const struct cli *cli, const char *fmt, ...)
{
	va_list ap;

	fputs("xdpsec: ", stderr);
	if (cli->command)
		fprintf(stderr, "%s: ", cli->command);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs(" (see: xdpsec help)\n", stderr);
	return CLI_USAGE;
}

int cli_print_json(json_t *value)
{
	int ret = value ? json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY) : -1;

	json_decref(value);
	if (ret || putchar('\n') == EOF || fflush(stdout))
		return cli_fail("cannot write the answer");
	return CLI_OK;
}
