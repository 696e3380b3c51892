/* SPDX-License-Identifier: BSD-2-Clause */
#include "start.h"

#include "agent/cred/cred.h"
#include "agent/crypt/crypt.h"
#include "agent/fetch/fetch.h"
#include "agent/keys/keys.h"
#include "common/log.h"

#include <cap-ng.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { LEVEL_OF_FILE = -2, LEVEL_MIN = -1 };
enum { LOCK_POLL_MS = 20, LOCK_WAIT_MS = 2000 };

static const char usage[] =
	"usage: xdpsecd [options]\n"
	"  -c, --config FILE   gateway configuration (" START_CONF_DEFAULT ")\n"
	"      --swanctl FILE  connections and secrets (/etc/swanctl/swanctl.conf)\n"
	"      --pin-dir DIR   where the maps are pinned (/sys/fs/bpf/xdpsec)\n"
	"      --run-dir DIR   sockets, lock and pid file (/run/xdpsec)\n"
	"      --check         read both files and the secrets, say what is wrong, end\n"
	"      --no-sandbox    keys role without seccomp: where the kernel has none\n"
	"  -d, --debug LEVEL   log level of all groups, -1 (silent) to 4\n"
	"  -V, --version\n"
	"  -h, --help\n"
	"Signals: HUP loads the configuration again, TERM and INT tell the peers and end, QUIT ends and\n"
	"leaves the Child SAs to the next agent.\n";

static int parse_level(const char *text, int *level)
{
	char *end;
	long v = strtol(text, &end, 10);

	if (!*text || *end || v < LEVEL_MIN || v > LOG_LEVEL_MAX)
		return -EINVAL;
	*level = (int)v;
	return 0;
}

int start_options(int argc, char **argv, struct start_options *opt)
{
	enum { OPT_PIN = 256, OPT_RUN, OPT_SWANCTL, OPT_CHECK, OPT_NO_SANDBOX };
	static const struct option table[] = {
		{"config", required_argument, NULL, 'c'},
		{"swanctl", required_argument, NULL, OPT_SWANCTL},
		{"pin-dir", required_argument, NULL, OPT_PIN},
		{"run-dir", required_argument, NULL, OPT_RUN},
		{"check", no_argument, NULL, OPT_CHECK},
		{"no-sandbox", no_argument, NULL, OPT_NO_SANDBOX},
		{"debug", required_argument, NULL, 'd'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c;

	*opt = (struct start_options){.log_level = LEVEL_OF_FILE};
	while ((c = getopt_long(argc, argv, "c:d:Vh", table, NULL)) != -1) {
		switch (c) {
		case 'c':
			opt->conf = optarg;
			break;
		case 'd':
			if (!parse_level(optarg, &opt->log_level))
				break;
			fprintf(stderr, "xdpsecd: -d %s: a level is a number from -1 to 4\n", optarg);
			return -EINVAL;
		case OPT_PIN:
			opt->pin_dir = optarg;
			break;
		case OPT_NO_SANDBOX:
			keys_allow_unsandboxed();
			fetch_allow_unsandboxed();
			break;
		case OPT_RUN:
			opt->run_dir = optarg;
			break;
		case OPT_SWANCTL:
			opt->swanctl = optarg;
			break;
		case OPT_CHECK:
			opt->check = true;
			break;
		case 'V':
			puts("xdpsecd " XDPSEC_VERSION);
			return 1;
		case 'h':
			fputs(usage, stdout);
			return 1;
		default:
			fputs(usage, stderr);
			return -EINVAL;
		}
	}
	if (optind == argc)
		return 0;
	fprintf(stderr, "xdpsecd: %s: not an option\n%s", argv[optind], usage);
	return -EINVAL;
}

/* ---- configuration ---------------------------------------------------------------------------- */
static int override(char *to, size_t n, const char *value, const char *name, char *err, size_t errlen)
{
	if (!value)
		return 0;
	if (!*value || strlen(value) >= n) {
		snprintf(err, errlen, "%s: the path is empty or too long", name);
		return -EINVAL;
	}
	memcpy(to, value, strlen(value) + 1);
	return 0;
}

static int load_gateway(const struct start_options *opt, struct gateway_conf *gw, char *err,
			size_t errlen)
{
	const char *path = opt->conf ? opt->conf : START_CONF_DEFAULT;
	struct settings_error e;
	int r;

	gateway_conf_defaults(gw);
	if (!opt->conf && access(path, F_OK) && errno == ENOENT) {
		log_line(LOG_CONFIG, 1, "%s is not there: defaults", path);
	} else if ((r = gateway_conf_load(path, gw, &e))) {
		settings_error_str(&e, err, errlen);
		return r;
	}
	r = override(gw->pin_dir, sizeof(gw->pin_dir), opt->pin_dir, "--pin-dir", err, errlen);
	if (!r)
		r = override(gw->run_dir, sizeof(gw->run_dir), opt->run_dir, "--run-dir", err, errlen);
	if (!r)
		r = override(gw->swanctl_conf, sizeof(gw->swanctl_conf), opt->swanctl, "--swanctl", err,
			     errlen);
	return r;
}

int start_config_load(const struct start_options *opt, struct start_config *c, char *err, size_t errlen)
{
	struct settings_error e;
	struct settings *root;
	int r = load_gateway(opt, &c->gw, err, errlen);

	if (r)
		return r;
	/* Before the proposals are read, and once: it stays on until the next start. */
	if (c->gw.ike.legacy)
		crypt_legacy();
	root = conf_tree(c->gw.swanctl_conf, &e);
	c->conf = root ? conf_parse(root, &e) : NULL;
	if (c->conf && conf_check_engines(c->conf, c->gw.engine, &e) < 0) {
		conf_free(c->conf);
		c->conf = NULL;
	}
	c->cred = c->conf ? cred_load(c->gw.swanctl_conf, root, &e) : NULL;
	settings_free(root);
	if (c->cred)
		return 0;
	conf_free(c->conf);
	c->conf = NULL;
	settings_error_str(&e, err, errlen);
	return -EINVAL;
}

void start_config_drop(struct start_config *c)
{
	conf_free(c->conf);
	if (c->cred)
		cred_unref(c->cred);
	c->conf = NULL;
	c->cred = NULL;
}

void start_log_levels(const struct gateway_conf *gw, const struct start_options *opt)
{
	for (int i = 0; i < LOG_GROUPS; i++)
		log_set_level((enum log_group)i,
			      opt->log_level == LEVEL_OF_FILE ? gw->log_level[i] : opt->log_level);
}

/* ---- one agent a directory ----------------------------------------------------------------------- */
static int write_pid(const char *path, char *err, size_t errlen)
{
	FILE *f = fopen(path, "we");
	int r = 0;

	if (!f || fprintf(f, "%d\n", (int)getpid()) < 0)
		r = -errno;
	if (f && fclose(f) && !r)
		r = -errno;
	if (r)
		snprintf(err, errlen, "%s: %s", path, strerror(-r));
	return r;
}

/*
 * A predecessor that was killed holds the lock until the last of its threads is gone, which whoever sent the signal does
 * not see: a moment is waited for it.
 */
static int lock_soon(int fd)
{
	const struct timespec pause = {.tv_nsec = LOCK_POLL_MS * 1000000L};

	for (int ms = 0; flock(fd, LOCK_EX | LOCK_NB); ms += LOCK_POLL_MS) {
		if ((errno != EWOULDBLOCK && errno != EINTR) || ms >= LOCK_WAIT_MS)
			return -errno;
		nanosleep(&pause, NULL);
	}
	return 0;
}

int start_lock(struct start_lock *l, const char *run_dir, char *err, size_t errlen)
{
	char path[GW_PATH_MAX + 32];
	int fd, r;

	if (mkdir(run_dir, 0750) && errno != EEXIST) {
		r = -errno;
		snprintf(err, errlen, "%s: cannot be made: %s", run_dir, strerror(-r));
		return r;
	}
	snprintf(path, sizeof(path), "%s/xdpsecd.lock", run_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0) {
		r = -errno;
		snprintf(err, errlen, "%s: %s", path, strerror(-r));
		return r;
	}
	r = lock_soon(fd);
	if (r) {
		if (r == -EWOULDBLOCK)
			snprintf(err, errlen,
				 "another xdpsecd runs on %s (%s is locked): stop it, or use --run-dir",
				 run_dir, path);
		else
			snprintf(err, errlen, "%s: %s", path, strerror(-r));
		close(fd);
		return r;
	}
	l->fd = fd;
	snprintf(l->pid_file, sizeof(l->pid_file), "%s/xdpsecd.pid", run_dir);
	return write_pid(l->pid_file, err, errlen);
}

/* The lock file stays: removing it would let two agents lock two files of one name. */
void start_unlock(struct start_lock *l)
{
	if (!l->fd)
		return;
	unlink(l->pid_file);
	close(l->fd);
	l->fd = 0;
}

/* ---- privileges ------------------------------------------------------------------------------------ */
void start_raise_limits(void)
{
	const struct rlimit all = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
	const struct rlimit none = {0};
	struct rlimit now;

	if (setrlimit(RLIMIT_MEMLOCK, &all) && !getrlimit(RLIMIT_MEMLOCK, &now)) {
		now.rlim_cur = now.rlim_max;
		setrlimit(RLIMIT_MEMLOCK, &now);
	}
	setrlimit(RLIMIT_CORE, &none);
}

/*
 * What the agent keeps is its descriptors. Files that a reload reads, and the maps, are its own or
 * readable by their mode: without CAP_DAC_OVERRIDE even root needs no more and gets no more. XFRM asks
 * who sends each message: the kernel engine needs CAP_NET_ADMIN as long as it lives.
 */
int start_drop_privileges(bool net_admin, char *err, size_t errlen)
{
	capng_select_t what = CAPNG_SELECT_CAPS;
	capng_results_t want = net_admin ? CAPNG_PARTIAL : CAPNG_NONE;

	if (capng_get_caps_process()) {
		snprintf(err, errlen, "capabilities cannot be read");
		return -EPERM;
	}
	if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
		what = CAPNG_SELECT_BOTH; /* the bounding set, too: nothing to come back to */
	capng_clear(CAPNG_SELECT_ALL);
	if (net_admin)
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN);
	if (capng_apply(what) < 0) {
		snprintf(err, errlen, "capabilities cannot be given up");
		return -EPERM;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)) {
		snprintf(err, errlen, "no_new_privs: %s", strerror(errno));
		return -errno;
	}
	if (capng_get_caps_process() || capng_have_capabilities(CAPNG_SELECT_CAPS) != want) {
		snprintf(err, errlen, "capabilities are still there after giving them up");
		return -EPERM;
	}
	return 0;
}

/* ---- the service manager ------------------------------------------------------------------------- */
void start_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	size_t n = path ? strlen(path) : 0;
	int fd;

	if (n < 2 || n >= sizeof(sun.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(sun.sun_path, path, n);
	if (path[0] == '@')
		sun.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&sun,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		log_line(LOG_DAEMON, 1, "the service manager cannot be told %s: %s", state,
			 strerror(errno));
	close(fd);
}
