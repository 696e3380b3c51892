// SPDX-License-Identifier: BSD-2-Clause
#include "loader.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * xdpsec-loader: one shot. Needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON (CAP_SYS_ADMIN to mount a
 * BPF file system), holds no secret, reads nothing from the network.
 */

#define DEFAULT_CONF "/etc/xdpsec/xdpsec.conf"

enum { EXIT_DONE, EXIT_FAILED, EXIT_USAGE };

static const char usage[] =
    "usage: xdpsec-loader [options] command\n"
    "\n"
    "  load       load, attach and pin the BPF programs; run again it upgrades them in place\n"
    "  unload     detach and remove everything\n"
    "  status     what is attached where and how, and the maps\n"
    "  probe      what this kernel can do, and what is lost without it\n"
    "  self-test  does the kernel have the states that the maps speak of\n"
    "\n"
    "  -c, --config FILE    default " DEFAULT_CONF "\n"
    "  -p, --pin-dir DIR    instead of pin_dir of the configuration\n"
    "  -j, --json           status, probe and self-test as JSON\n"
    "      --single         no libxdp dispatcher, even where the kernel allows one\n"
    "  -v, --verbose        what libbpf says\n"
    "      --version\n";

static int conf_read(const char *path, bool must, struct gateway_conf *conf, struct loader_err *err)
{
	struct settings_error se = {0};

	gateway_conf_defaults(conf);
	if (!path)
		path = DEFAULT_CONF;
	if (!must && access(path, F_OK))
		return 0;
	if (!gateway_conf_load(path, conf, &se))
		return 0;
	settings_error_str(&se, err->text, sizeof(err->text));
	return -EINVAL;
}

static int command(const char *name, const char *conf_path, struct loader_opts *o,
		   struct loader_err *err)
{
	static struct gateway_conf conf;
	bool load = !strcmp(name, "load");
	int e;

	if (!strcmp(name, "probe"))
		return cmd_probe(o, err);
	/* Only load needs the file; the others want to know the pin directory. */
	e = conf_read(conf_path, load || conf_path, &conf, err);
	if (e && (load || !o->pin_dir))
		return e;
	if (!o->pin_dir)
		o->pin_dir = conf.pin_dir;
	if (load)
		return cmd_load(&conf, o, err);
	if (!strcmp(name, "unload"))
		return cmd_unload(o, err);
	if (!strcmp(name, "self-test"))
		return cmd_self_test(o, err);
	return cmd_status(o, err);
}

static bool is_command(const char *name)
{
	static const char *const names[] = {"load", "unload", "status", "probe", "self-test"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	enum { OPT_SINGLE = 256, OPT_VERSION };
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},  {"pin-dir", required_argument, NULL, 'p'},
	    {"json", no_argument, NULL, 'j'},	       {"verbose", no_argument, NULL, 'v'},
	    {"single", no_argument, NULL, OPT_SINGLE}, {"version", no_argument, NULL, OPT_VERSION},
	    {"help", no_argument, NULL, 'h'},	       {0},
	};
	const char *conf_path = NULL;
	struct loader_opts o = {0};
	struct loader_err err = {0};
	int opt, e;

	while ((opt = getopt_long(argc, argv, "c:p:jvh", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			conf_path = optarg;
			break;
		case 'p':
			o.pin_dir = optarg;
			break;
		case 'j':
			o.json = true;
			break;
		case 'v':
			o.verbose = true;
			break;
		case OPT_SINGLE:
			o.single = true;
			break;
		case OPT_VERSION:
			printf("xdpsec-loader %s, layout %d\n", XDPSEC_VERSION, XS_LAYOUT_VERSION);
			return EXIT_DONE;
		case 'h':
			fputs(usage, stdout);
			return EXIT_DONE;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	if (optind + 1 != argc || !is_command(argv[optind])) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	object_log_init(o.verbose);
	e = command(argv[optind], conf_path, &o, &err);
	fflush(stdout);
	if (!e)
		return EXIT_DONE;
	fprintf(stderr, "xdpsec-loader: %s\n", err.text[0] ? err.text : strerror(-e));
	return EXIT_FAILED;
}
