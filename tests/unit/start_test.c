/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/start.h"

#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/xdpsec-start.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static void remove_file(const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (unlink(path) && errno == EISDIR)
		rmdir(path);
}

static int teardown(void **state)
{
	static const char *const names[] = {"run/xdpsecd.lock", "run/xdpsecd.pid", "run", "gw.conf",
					    "swanctl.conf", "notify"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		remove_file(names[i]);
	return rmdir(dir);
}

static int options(struct start_options *opt, char *a, char *b)
{
	char name[] = "xdpsecd";
	char *argv[] = {name, a, b, NULL};

	optind = 0; /* the C library's way to start over */
	return start_options(1 + (a != NULL) + (b != NULL), argv, opt);
}

/* What goes to the terminal while a usage error is provoked. */
static int quiet_options(struct start_options *opt, char *a, char *b)
{
	int keep = dup(2), null = open("/dev/null", O_WRONLY), r;

	dup2(null, 2);
	r = options(opt, a, b);
	dup2(keep, 2);
	close(keep);
	close(null);
	return r;
}

static void options_are_read(void **state)
{
	char c[] = "-c", file[] = "x.conf", d[] = "-d", two[] = "2", check[] = "--check";
	struct start_options opt;

	(void)state;
	assert_int_equal(options(&opt, NULL, NULL), 0);
	assert_null(opt.conf);
	assert_false(opt.check);
	assert_int_equal(options(&opt, c, file), 0);
	assert_string_equal(opt.conf, "x.conf");
	assert_int_equal(options(&opt, d, two), 0);
	assert_int_equal(opt.log_level, 2);
	assert_int_equal(options(&opt, check, NULL), 0);
	assert_true(opt.check);
}

static void wrong_options_are_refused(void **state)
{
	char d[] = "-d", five[] = "5", word[] = "loud", empty[] = "", what[] = "--what", c[] = "-c";
	struct start_options opt;

	(void)state;
	assert_int_equal(quiet_options(&opt, d, five), -EINVAL);
	assert_int_equal(quiet_options(&opt, d, word), -EINVAL);
	assert_int_equal(quiet_options(&opt, d, empty), -EINVAL);
	assert_int_equal(quiet_options(&opt, what, NULL), -EINVAL);
	assert_int_equal(quiet_options(&opt, word, NULL), -EINVAL);
	assert_int_equal(quiet_options(&opt, c, NULL), -EINVAL);
}

static const char *write_file(const char *name, const char *text)
{
	static char path[4][160];
	static int i;
	FILE *f;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	f = fopen(path[i], "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
	return path[i];
}

static void command_line_comes_before_the_file(void **state)
{
	struct start_options opt = {.log_level = -2};
	struct start_config c;
	char err[START_ERR_MAX];

	(void)state;
	opt.conf = write_file("gw.conf", "xdpsec {\n run_dir = /from/file\n pin_dir = /pin/file\n}\n");
	opt.swanctl = write_file("swanctl.conf", "connections {\n}\n");
	opt.run_dir = "/from/line";
	assert_int_equal(start_config_load(&opt, &c, err, sizeof(err)), 0);
	assert_string_equal(c.gw.run_dir, "/from/line");
	assert_string_equal(c.gw.pin_dir, "/pin/file");
	assert_string_equal(c.gw.swanctl_conf, opt.swanctl);
	start_config_drop(&c);
	opt.run_dir = "";
	assert_int_equal(start_config_load(&opt, &c, err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "--run-dir"));
}

/* A mistake names file, line and key, and nothing stands in front of that. */
static void mistakes_name_file_and_line(void **state)
{
	struct start_options opt = {.log_level = -2};
	struct start_config c;
	char err[START_ERR_MAX], want[200];

	(void)state;
	opt.conf = write_file("gw.conf", "xdpsec {\n  nonsense = 1\n}\n");
	opt.swanctl = write_file("swanctl.conf", "connections {\n}\n");
	assert_true(start_config_load(&opt, &c, err, sizeof(err)) < 0);
	snprintf(want, sizeof(want), "%s:2:", opt.conf);
	assert_memory_equal(err, want, strlen(want));
	assert_non_null(strstr(err, "nonsense"));

	write_file("gw.conf", "xdpsec {\n}\n");
	write_file("swanctl.conf", "connections {\n  gw {\n    nonsense = 1\n  }\n}\n");
	assert_true(start_config_load(&opt, &c, err, sizeof(err)) < 0);
	snprintf(want, sizeof(want), "%s:3:", opt.swanctl);
	assert_memory_equal(err, want, strlen(want));

	opt.conf = "/nonexistent/xdpsec.conf";
	assert_true(start_config_load(&opt, &c, err, sizeof(err)) < 0);
	assert_non_null(strstr(err, "/nonexistent/xdpsec.conf"));
}

static void second_agent_is_refused(void **state)
{
	struct start_lock a = {0}, b = {0};
	char run[96], err[START_ERR_MAX] = "", pid[32] = "";
	struct stat st;
	FILE *f;

	(void)state;
	snprintf(run, sizeof(run), "%s/run", dir);
	assert_int_equal(start_lock(&a, run, err, sizeof(err)), 0);
	assert_int_equal(stat(run, &st), 0);
	assert_int_equal(st.st_mode & 07, 0);
	f = fopen(a.pid_file, "r");
	assert_non_null(f);
	assert_non_null(fgets(pid, sizeof(pid), f));
	fclose(f);
	assert_int_equal(atoi(pid), getpid());

	assert_int_equal(start_lock(&b, run, err, sizeof(err)), -EWOULDBLOCK);
	assert_non_null(strstr(err, "another xdpsecd"));
	assert_non_null(strstr(err, run));
	start_unlock(&b);
	assert_int_equal(access(a.pid_file, F_OK), 0);

	start_unlock(&a);
	assert_int_not_equal(access(a.pid_file, F_OK), 0);
	assert_int_equal(start_lock(&b, run, err, sizeof(err)), 0);
	start_unlock(&b);
}

/* A predecessor that was killed lets go of the lock a moment later: the next one waits for that. */
static void lock_of_one_that_goes(void **state)
{
	struct start_lock a, b;
	char run[512], err[512], byte = 0;
	int ready[2], status;
	pid_t pid;

	(void)state;
	snprintf(run, sizeof(run), "%s/run", dir);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		byte = start_lock(&a, run, err, sizeof(err)) == 0;
		if (write(ready[1], &byte, 1) != 1)
			_exit(1);
		usleep(100000);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(byte, 1);
	assert_int_equal(start_lock(&b, run, err, sizeof(err)), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	start_unlock(&b);
	close(ready[0]);
	close(ready[1]);
}

static void run_dir_that_cannot_be_is_named(void **state)
{
	struct start_lock l = {0};
	char err[START_ERR_MAX] = "";

	(void)state;
	assert_true(start_lock(&l, "/nonexistent/dir/run", err, sizeof(err)) < 0);
	assert_non_null(strstr(err, "/nonexistent/dir/run"));
}

static void service_manager_is_told(void **state)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	char buf[32] = "";

	(void)state;
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/notify", dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	unsetenv("NOTIFY_SOCKET");
	start_notify("READY=1");
	setenv("NOTIFY_SOCKET", "relative", 1);
	start_notify("READY=1");
	assert_true(recv(fd, buf, sizeof(buf), 0) < 0);
	setenv("NOTIFY_SOCKET", sun.sun_path, 1);
	start_notify("READY=1");
	assert_int_equal(recv(fd, buf, sizeof(buf), 0), 7);
	assert_string_equal(buf, "READY=1");
	unsetenv("NOTIFY_SOCKET");
	close(fd);
}

/* In a child: what is given up does not come back to the test. */
static int without_privileges(bool net_admin)
{
	const uint64_t left = net_admin ? 1ULL << CAP_NET_ADMIN : 0;
	char err[START_ERR_MAX], line[256];
	bool none = false;
	FILE *f;

	if (start_drop_privileges(net_admin, err, sizeof(err)))
		return 1;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0))
		return 2;
	f = fopen("/proc/self/status", "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "CapEff:", 7))
			none = strtoull(line + 7, NULL, 16) == left;
		if (!strncmp(line, "CapPrm:", 7) && strtoull(line + 7, NULL, 16) != left)
			return 3;
		if (!geteuid() && !strncmp(line, "CapBnd:", 7) && strtoull(line + 7, NULL, 16))
			return 4;
	}
	return none ? 0 : 5;
}

static void in_a_child(bool net_admin)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(without_privileges(net_admin));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void privileges_are_given_up(void **state)
{
	(void)state;
	in_a_child(false);
}

/* XFRM asks who sends: the kernel engine keeps one. */
static void the_kernel_engine_keeps_one_capability(void **state)
{
	(void)state;
	if (geteuid()) {
		print_message("not root: skipped\n");
		return;
	}
	in_a_child(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_read),
		cmocka_unit_test(wrong_options_are_refused),
		cmocka_unit_test_setup_teardown(command_line_comes_before_the_file, setup, teardown),
		cmocka_unit_test_setup_teardown(mistakes_name_file_and_line, setup, teardown),
		cmocka_unit_test_setup_teardown(second_agent_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(lock_of_one_that_goes, setup, teardown),
		cmocka_unit_test(run_dir_that_cannot_be_is_named),
		cmocka_unit_test_setup_teardown(service_manager_is_told, setup, teardown),
		cmocka_unit_test(privileges_are_given_up),
		cmocka_unit_test(the_kernel_engine_keeps_one_capability),
	};

	log_to_stderr(false, false);
	return cmocka_run_group_tests_name("start", tests, NULL, NULL);
}
