/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Which options a command takes besides --json, --socket and --help. */
enum option_bit {
	OPT_SELECT = 1,
	OPT_FORCE = 2,
	OPT_TIMEOUT = 4,
	OPT_VERBOSE = 8,
	OPT_ALL = 16,
	OPT_CONF = 32, /* --child and --ike of the configuration, no ids */
	OPT_DECODE = 64,
	OPT_KEYS = 128,
};

static const struct command {
	const char *name; /* one word or two */
	int (*run)(const struct cli *cli);
	unsigned int options;
	int args; /* most arguments */
	const char *synopsis, *help;
} commands[] = {
	{"initiate", run_initiate, OPT_CONF | OPT_TIMEOUT | OPT_VERBOSE, 1,
	 "CHILD | CONNECTION | CONNECTION/CHILD | --child NAME | --ike NAME",
	 "negotiate; wait for the outcome and print it"},
	{"rekey", run_rekey, OPT_SELECT | OPT_TIMEOUT | OPT_VERBOSE, 1,
	 "NAME | '#N' | --child NAME|'#N' | --ike NAME|'#N'",
	 "new keys for a Child SA or an IKE SA, without loss"},
	{"reauth", run_reauth, OPT_SELECT | OPT_TIMEOUT | OPT_VERBOSE, 1, "CONNECTION | '#N' | --ike NAME|'#N'",
	 "authenticate anew: another IKE SA in place of this one"},
	{"terminate", run_terminate, OPT_SELECT | OPT_FORCE | OPT_TIMEOUT | OPT_VERBOSE, 1,
	 "NAME | '#N' | --child NAME|'#N' | --ike NAME|'#N' [--force]",
	 "delete a Child SA or an IKE SA; --force does not wait for the peer"},
	{"flush", run_flush, OPT_TIMEOUT | OPT_VERBOSE, 0, "",
	 "delete all SAs and policies, those of an earlier xdpsecd too"},
	{"flush-certs", run_flush_certs, 0, 1, "[CRL | OCSP]",
	 "forget fetched CRLs and OCSP answers: they are fetched again when they are needed"},
	{"reload", run_reload, 0, 0, "", "read swanctl.conf again and apply it whole, or say what is wrong"},
	{"set ike", run_set, 0, 2, "KEY VALUE", "change a key of xdpsec.conf's section ike until the next reload"},
	{"show sa", run_show_sa, OPT_KEYS, 0, "[--with-keys]", "IKE SAs and their Child SAs; with keys: those of the IKE SAs"},
	{"show policy", run_show_policy, 0, 0, "", "what the classifier knows, with counts"},
	{"show child", run_show_child, 0, 0, "", "configured children: state, engine and why, SPIs"},
	{"show conn", run_show_conn, 0, 0, "", "configured connections"},
	{"show certs", run_show_certs, 0, 0, "", "certificates, raw keys and CRLs that were read"},
	{"show authorities", run_show_authorities, 0, 0, "", "configured CAs and where their revocation status is"},
	{"show keys", run_show_keys, 0, 0, "", "private keys that can sign, by id and file"},
	{"show drop", run_show_drop, OPT_ALL, 0, "[--all]", "dropped packets by reason"},
	{"show plane", run_show_plane, 0, 0, "", "engine, ports and sockets"},
	{"show algorithms", run_show_algorithms, 0, 0, "",
	 "algorithms: keywords, where they may stand, what does them here"},
	{"show counters", run_show_counters, OPT_ALL, 0, "[--all]", "IKE and socket counters"},
	{"show ike-limits", run_show_limits, 0, 0, "", "limits for what strangers may cost, and what they refused"},
	{"status", run_status, 0, 0, "", "what runs, what is up, what is configured and not up"},
	{"monitor", run_monitor, 0, 0, "", "SAs as they come, change and go, until Ctrl-C"},
	{"log", run_log, 0, 0, "", "log lines as they are written, until Ctrl-C"},
	{"decode", run_decode, OPT_DECODE, 1, "FILE | - [--keys FILE] [--spi SPI]",
	 "IKE and ESP of a capture (pcap, pcapng) or of lines of hex, as an engineer reads them"},
	{"version", run_version, 0, 0, "", "versions of the command line and the daemon"},
	{"help", run_help, 0, 0, "", "this text"},
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static const struct option long_options[] = {
	{"socket", required_argument, NULL, 's'}, {"json", no_argument, NULL, 'j'},
	{"help", no_argument, NULL, 'h'},	  {"version", no_argument, NULL, 'V'},
	{"child", required_argument, NULL, 'c'},  {"ike", required_argument, NULL, 'i'},
	{"child-id", required_argument, NULL, 'C'}, {"ike-id", required_argument, NULL, 'I'},
	{"force", no_argument, NULL, 'f'},	  {"timeout", required_argument, NULL, 't'},
	{"verbose", no_argument, NULL, 'v'},	  {"all", no_argument, NULL, 'a'},
	{"with-keys", no_argument, NULL, 'K'},
	{"keys", required_argument, NULL, 'k'},	  {"spi", required_argument, NULL, 'S'},
	{0},
};

void cli_help(FILE *to)
{
	fputs("usage: xdpsec [-s SOCKET] [--json] COMMAND [ARGUMENTS]\n\n", to);
	for (unsigned int i = 0; i < COMMANDS; i++) {
		fprintf(to, "  %-16s %s\n", commands[i].name, commands[i].help);
		if (*commands[i].synopsis)
			fprintf(to, "  %-16s   %s\n", "", commands[i].synopsis);
	}
	fputs("\n"
	      "  -s, --socket PATH   control socket (" CLI_SOCKET_DEFAULT ", or $" CLI_SOCKET_ENV ")\n"
	      "  -j, --json          JSON; keys and types do not change between versions\n"
	      "  -t, --timeout SEC   give up waiting after so long (initiate, rekey, reauth, terminate, flush)\n"
	      "  -v, --verbose       the negotiation's log on standard error; twice: more\n"
	      "  -a, --all           rows that are zero too (show drop, show counters)\n"
	      "  -k, --keys FILE     keys as Wireshark's ikev2_decryption_table and esp_sa have them (decode)\n"
	      "      --with-keys     keys of IKE SAs in that notation, for root, said in the log (show sa)\n"
	      "  -S, --spi HEX       only this SPI: 16 digits IKE, 8 digits ESP (decode)\n\n"
	      "Exit status: 0 done, 1 refused or failed, 2 usage.\n",
	      to);
}

int run_help(const struct cli *cli)
{
	(void)cli;
	cli_help(stdout);
	return CLI_OK;
}

static const struct command *find_command(int argc, char **argv, int *words)
{
	char two[64] = "";

	if (argc > 1)
		snprintf(two, sizeof(two), "%s %s", argv[0], argv[1]);
	for (unsigned int i = 0; argc && i < COMMANDS; i++) {
		*words = strchr(commands[i].name, ' ') ? 2 : 1;
		if (!strcmp(commands[i].name, *words == 2 ? two : argv[0]))
			return &commands[i];
	}
	return NULL;
}

static bool allowed(const struct command *c, int option)
{
	switch (option) {
	case 'c':
	case 'i':
		return c->options & (OPT_SELECT | OPT_CONF);
	case 'C':
	case 'I':
		return c->options & OPT_SELECT;
	case 'f':
		return c->options & OPT_FORCE;
	case 't':
		return c->options & OPT_TIMEOUT;
	case 'v':
		return c->options & OPT_VERBOSE;
	case 'a':
		return c->options & OPT_ALL;
	case 'k':
	case 'S':
		return c->options & OPT_DECODE;
	case 'K':
		return c->options & OPT_KEYS;
	default:
		return true;
	}
}

/* Seconds, also with a fraction. */
static int parse_timeout(struct cli *cli, const char *text)
{
	char *end;
	double s;

	errno = 0;
	s = strtod(text, &end);
	if (errno || end == text || *end || !(s > 0) || s > 86400)
		return cli_usage(cli, "timeout '%s' is not a number of seconds up to 86400", text);
	cli->timeout_ms = (int64_t)(s * 1000);
	if (!cli->timeout_ms)
		cli->timeout_ms = 1;
	return 0;
}

static int take_option(struct cli *cli, int option)
{
	switch (option) {
	case 's':
		cli->socket = optarg;
		break;
	case 'j':
		cli->json = true;
		break;
	case 'h':
		cli->help = true;
		break;
	case 'c':
		cli->child = optarg;
		break;
	case 'i':
		cli->ike = optarg;
		break;
	case 'C':
		cli->child_id = optarg;
		break;
	case 'I':
		cli->ike_id = optarg;
		break;
	case 'f':
		cli->force = true;
		break;
	case 't':
		return parse_timeout(cli, optarg);
	case 'v':
		cli->verbose++;
		break;
	case 'a':
		cli->all = true;
		break;
	case 'k':
		cli->keys = optarg;
		break;
	case 'K':
		cli->with_keys = true;
		break;
	case 'S':
		cli->spi = optarg;
		break;
	}
	return 0;
}

/* Options stand before or behind the command's words; `given` collects which, to be checked against the command. */
static int parse_options(struct cli *cli, int argc, char **argv, char *given, size_t n, bool *version)
{
	size_t count = 0;
	int option, ret;

	opterr = 0;
	optind = 0;
	while ((option = getopt_long(argc, argv, ":s:jhVc:i:C:I:ft:vak:S:", long_options, NULL)) != -1) {
		if (option == '?' || option == ':')
			return cli_usage(cli, option == ':' ? "%s needs a value" : "unknown option %s",
					 argv[optind - 1]);
		if (option == 'V')
			*version = true;
		ret = take_option(cli, option);
		if (ret)
			return ret;
		if (count + 1 < n)
			given[count++] = (char)option;
	}
	given[count] = '\0';
	return 0;
}

static const char *option_name(int option)
{
	for (const struct option *o = long_options; o->name; o++)
		if (o->val == option)
			return o->name;
	return "?";
}

static int run_command(struct cli *cli, const struct command *c, const char *given)
{
	cli->command = c->name;
	for (; *given; given++)
		if (!allowed(c, *given))
			return cli_usage(cli, "takes no --%s", option_name(*given));
	if (cli->argc > c->args)
		return cli_usage(cli, "'%s' is one argument too many", cli->argv[c->args]);
	return c->run(cli);
}

int cli_main(int argc, char **argv)
{
	const char *env = getenv(CLI_SOCKET_ENV);
	struct cli cli = {.socket = env && *env ? env : CLI_SOCKET_DEFAULT};
	const struct command *c;
	bool version = false;
	char given[64];
	int words, ret;

	ret = parse_options(&cli, argc, argv, given, sizeof(given), &version);
	if (ret)
		return ret;
	if (cli.help)
		return run_help(&cli);
	cli.argc = argc - optind;
	cli.argv = argv + optind;
	if (version && !cli.argc) {
		puts("xdpsec " XDPSEC_VERSION);
		return CLI_OK;
	}
	if (!cli.argc)
		return cli_usage(&cli, "which command?");
	c = find_command(cli.argc, cli.argv, &words);
	if (!c)
		return cli_usage(&cli, "unknown command '%s%s%s'", cli.argv[0], cli.argc > 1 ? " " : "",
				 cli.argc > 1 ? cli.argv[1] : "");
	cli.argc -= words;
	cli.argv += words;
	return run_command(&cli, c, given);
}
