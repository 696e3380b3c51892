/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/keys/child.h"
#include "agent/keys/sandbox.h"
#include "agent/keys/store.h"
#include "keys_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

static void test_decode(void **state)
{
	static const struct {
		const char *text, *want; /* want NULL: refused */
	} rows[] = {
	    {"", NULL},	      {"x", "x"},	 {"0", "0"},	     {"0x", NULL},
	    {"0x4", NULL},    {"0x4g", NULL},	 {"0x41", "A"},	     {"0x4142", "AB"},
	    {"0X41", "0X41"}, {"0s", NULL},	 {"0sQQ", NULL},     {"0sQQ==", "A"},
	    {"0sQUI=", "AB"}, {"0sQUJD", "ABC"}, {"0sQ===", NULL},   {"0s====", NULL},
	    {"0sQ=Q=", NULL}, {"0sQU D", NULL},	 {"0sQUJD\n", NULL}, {"0sQUJDQ", NULL},
	    {"0s-_-_", NULL},
	};
	char big[2 * STORE_SECRET_MAX + 16];
	struct secret s = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int r = store_decode(rows[i].text, &s);

		if (!rows[i].want) {
			assert_int_equal(r, -EINVAL);
			assert_null(s.p);
			continue;
		}
		assert_int_equal(r, 0);
		assert_int_equal(s.n, strlen(rows[i].want));
		assert_memory_equal(s.p, rows[i].want, s.n);
		secret_free(&s);
	}
	memset(big, 'a', sizeof(big));
	big[STORE_SECRET_MAX] = '\0';
	assert_int_equal(store_decode(big, &s), 0);
	secret_free(&s);
	big[STORE_SECRET_MAX] = 'a';
	big[STORE_SECRET_MAX + 1] = '\0';
	assert_int_equal(store_decode(big, &s), -EMSGSIZE);
	memset(big, 'a', sizeof(big));
	memcpy(big, "0x", 2);
	big[2 + 2 * STORE_SECRET_MAX] = '\0';
	assert_int_equal(store_decode(big, &s), 0);
	secret_free(&s);
	big[2 + 2 * STORE_SECRET_MAX] = 'a';
	big[4 + 2 * STORE_SECRET_MAX] = '\0';
	assert_int_equal(store_decode(big, &s), -EMSGSIZE);
}

static struct keys_child raw_start(void)
{
	static uint8_t buf[KEYS_REPLY_MAX];
	struct keys_child c;
	char err[256];
	uint32_t n = 0;

	conf_write("secrets { ike { secret = x } }\n");
	assert_int_equal(keys_child_start(&c, "/proc/self/exe", conf_path, true), 0);
	assert_int_equal(keys_child_wait(&c, 10000), 0);
	assert_int_equal(keys_child_hello(buf, (size_t)keys_child_recv(&c, buf, sizeof(buf)), &n,
					  err, sizeof(err)),
			 0);
	assert_int_equal(n, 1);
	return c;
}

static void raw_end(struct keys_child *c)
{
	pid_t pid = c->pid;

	keys_child_end(c);
	while (!keys_child_reaped(pid))
		usleep(1000);
}

static uint32_t raw_ask(const struct keys_child *c, const void *p, size_t n)
{
	static _Alignas(8) uint8_t buf[KEYS_REPLY_MAX];
	struct keys_refused a;
	ssize_t got;

	assert_int_equal(send(c->fd, p, n, MSG_NOSIGNAL), n);
	assert_int_equal(keys_child_wait(c, 10000), 0);
	got = keys_child_recv(c, buf, sizeof(buf));
	assert_true(got >= (ssize_t)sizeof(a));
	memcpy(&a, buf, sizeof(a));
	assert_int_equal(a.hdr.len, got);
	if (a.hdr.type == KEYS_REFUSED)
		assert_int_equal(a.error, -EBADMSG);
	return a.hdr.type;
}

static void test_malformed(void **state)
{
	struct keys_child c = raw_start();
	struct {
		struct keys_psk_request q;
		uint8_t bytes[64];
	} m = {{.hdr = {KEYS_PSK_MAC, sizeof(m), 1},
		.prf = 5,
		.local_type = 2,
		.remote_type = 2,
		.local_len = 8,
		.remote_len = 8,
		.octets_len = 48},
	       {0}};
	struct {
		struct keys_sign_request q;
		uint8_t bytes[32];
	} g = {{.hdr = {KEYS_SIGN, sizeof(g), 3}, .scheme = SIG_ED25519, .octets_len = 32}, {0}};
	struct keys_list_request l = {.hdr = {KEYS_LIST, sizeof(l), 2}};
	static uint8_t huge[KEYS_REQUEST_MAX + 100];

	(void)state;
	assert_int_equal(raw_ask(&c, &m, sizeof(m)), KEYS_PSK_MAC);
	/* every shorter message, with the length it had and with the length it has */
	for (size_t n = 1; n < sizeof(m); n++) {
		m.q.hdr.len = sizeof(m);
		assert_int_equal(raw_ask(&c, &m, n), KEYS_REFUSED);
		m.q.hdr.len = (uint32_t)n;
		assert_int_equal(raw_ask(&c, &m, n), KEYS_REFUSED);
	}
	m.q.hdr.len = sizeof(m);
	m.q.local_len = 9;
	assert_int_equal(raw_ask(&c, &m, sizeof(m)), KEYS_REFUSED);
	m.q.local_len = 65535;
	assert_int_equal(raw_ask(&c, &m, sizeof(m)), KEYS_REFUSED);
	m.q.local_len = 8;
	m.q.remote_len = 0xfff8;
	assert_int_equal(raw_ask(&c, &m, sizeof(m)), KEYS_REFUSED);
	m.q.remote_len = 8;
	m.q.octets_len = UINT32_MAX - 15;
	assert_int_equal(raw_ask(&c, &m, sizeof(m)), KEYS_REFUSED);
	m.q.octets_len = 48;
	/* the second octets: more than is there, more than the first leave, so many that the sum wraps */
	m.q.more_len = 1;
	assert_int_equal(raw_ask(&c, &m, sizeof(m)), KEYS_REFUSED);
	m.q.more_len = KEYS_OCTETS_MAX - 47;
	assert_int_equal(raw_ask(&c, &m, sizeof(m)), KEYS_REFUSED);
	m.q.more_len = UINT32_MAX;
	m.q.octets_len = 49;
	assert_int_equal(raw_ask(&c, &m, sizeof(m)), KEYS_REFUSED);
	m.q.more_len = 8;
	m.q.octets_len = 40;
	assert_int_equal(raw_ask(&c, &m, sizeof(m)), KEYS_PSK_MAC);
	m.q.more_len = 0;
	m.q.octets_len = 48;
	for (uint32_t type = 0; type < 300; type++) {
		m.q.hdr.type = type;
		if (type != KEYS_PSK_MAC)
			assert_int_equal(raw_ask(&c, &m, sizeof(m)), KEYS_REFUSED);
	}
	assert_int_equal(raw_ask(&c, &g, sizeof(g)), KEYS_SIGN);
	for (size_t n = sizeof(g.q.hdr); n < sizeof(g); n++) {
		g.q.hdr.len = (uint32_t)n;
		assert_int_equal(raw_ask(&c, &g, n), KEYS_REFUSED);
	}
	g.q.hdr.len = sizeof(g);
	g.q.octets_len = 33;
	assert_int_equal(raw_ask(&c, &g, sizeof(g)), KEYS_REFUSED);
	g.q.octets_len = UINT32_MAX;
	assert_int_equal(raw_ask(&c, &g, sizeof(g)), KEYS_REFUSED);
	g.q.octets_len = 32;
	g.q.scheme = SIG_SCHEMES;
	assert_int_equal(raw_ask(&c, &g, sizeof(g)), KEYS_REFUSED);
	assert_int_equal(raw_ask(&c, huge, sizeof(huge)), KEYS_REFUSED);
	l.hdr.type = KEYS_PRIVATE;
	assert_int_equal(raw_ask(&c, &l, sizeof(l)), KEYS_PRIVATE);
	l.hdr.type = KEYS_LIST;
	assert_int_equal(raw_ask(&c, &l, sizeof(l)), KEYS_LIST);
	l.from = UINT32_MAX;
	assert_int_equal(raw_ask(&c, &l, sizeof(l)), KEYS_LIST);
	l.hdr.len = sizeof(l) - 8;
	assert_int_equal(raw_ask(&c, &l, sizeof(l) - 8), KEYS_REFUSED);
	m.q.hdr.type = KEYS_PSK_MAC;
	assert_int_equal(raw_ask(&c, &m, sizeof(m)), KEYS_PSK_MAC);
	raw_end(&c);
}

static void status_line(int pid, const char *key, char *out, size_t n)
{
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	assert_non_null(f);
	out[0] = '\0';
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, key, strlen(key)) && line[strlen(key)] == ':') {
			snprintf(out, n, "%s",
				 line + strlen(key) + 1 + strspn(line + strlen(key) + 1, " \t"));
			out[strcspn(out, "\n")] = '\0';
		}
	}
	fclose(f);
}

/* May this process change its user, and is there a nobody to become? */
static bool may_become_nobody(void)
{
	unsigned long from = 0, to = 0, n = 0;
	char caps[64];
	FILE *f = fopen("/proc/self/uid_map", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu %lu %lu", &from, &to, &n), 3);
	fclose(f);
	status_line(getpid(), "CapEff", caps, sizeof(caps));
	return !geteuid() && n > 65534 && strcmp(caps, "0000000000000000") != 0;
}

static void test_locked_in(void **state)
{
	static const char *const caps[] = {"CapInh", "CapPrm", "CapEff", "CapAmb"};
	struct keys *k = start("secrets { ike { secret = x } }\n");
	int pid = keys_pid(k), in = open("/dev/null", O_RDONLY);
	char v[256], path[64], limit[512];
	FILE *f;

	(void)state;
	for (int i = 0; i < 4; i++) {
		status_line(pid, caps[i], v, sizeof(v));
		assert_string_equal(v, "0000000000000000");
	}
	status_line(pid, "NoNewPrivs", v, sizeof(v));
	assert_string_equal(v, "1");
	status_line(pid, "Seccomp", v, sizeof(v));
	assert_string_equal(v, sandbox_has_seccomp() ? "2" : "0");
	if (may_become_nobody()) {
		status_line(pid, "CapBnd", v, sizeof(v));
		assert_string_equal(v, "0000000000000000");
		status_line(pid, "Uid", v, sizeof(v));
		assert_string_equal(v, "65534\t65534\t65534\t65534");
		status_line(pid, "Gid", v, sizeof(v));
		assert_string_equal(v, "65534\t65534\t65534\t65534");
		status_line(pid, "Groups", v, sizeof(v));
		assert_int_equal(strspn(v, " "), strlen(v));
	}
	/* only standard error and its socket are open, whatever the agent had */
	for (int fd = 0; fd < 64 && may_become_nobody(); fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
		assert_int_equal(readlink(path, v, sizeof(v)) >= 0, fd == 2 || fd == 3);
	}
	snprintf(path, sizeof(path), "/proc/%d/limits", pid);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(limit, sizeof(limit), f)) {
		if (!strncmp(limit, "Max core file size", 18) ||
		    !strncmp(limit, "Max open files", 14) || !strncmp(limit, "Max processes", 13) ||
		    !strncmp(limit, "Max file size", 13))
			assert_int_equal(limit[26], '0');
	}
	fclose(f);
	close(in);
	keys_stop(k);
}

/* The filter holds: a call that is not in the list ends the process at once. */
static void test_filter_kills(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (!sandbox_has_seccomp())
		skip();
	pid = fork();
	if (!pid) {
		char err[128];

		if (sandbox_enter(true, err, sizeof(err)))
			_exit(1);
		socket(AF_INET, SOCK_DGRAM, 0);
		_exit(2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

/* An agent that dies without a word takes the role with it. */
static void test_parent_dies(void **state)
{
	int status, role_pid = 0, p[2];
	pid_t agent;
	bool gone = false;

	(void)state;
	conf_write("secrets { ike { secret = x } }\n");
	assert_int_equal(pipe(p), 0);
	agent = fork();
	if (!agent) {
		struct event_base *b = event_base_new();
		char err[256];
		struct keys *k = keys_start(b, "/proc/self/exe", conf_path, err, sizeof(err));
		int pid = k ? keys_pid(k) : 0;

		if (write(p[1], &pid, sizeof(pid)) != sizeof(pid))
			_exit(1);
		raise(SIGKILL);
	}
	assert_int_equal(read(p[0], &role_pid, sizeof(role_pid)), sizeof(role_pid));
	assert_true(role_pid > 0);
	assert_int_equal(waitpid(agent, &status, 0), agent);
	for (int i = 0; i < 500 && !gone; i++) {
		char v[64], path[64];

		snprintf(path, sizeof(path), "/proc/%d/status", role_pid);
		if (access(path, F_OK)) {
			gone = true;
			break;
		}
		status_line(role_pid, "State", v, sizeof(v));
		gone = v[0] == 'Z';
		usleep(10000);
	}
	assert_true(gone);
	close(p[0]);
	close(p[1]);
}

/* Asked for in so many words: no filter, all else stays. The last test, for there is no way back.
 */
static void test_no_sandbox(void **state)
{
	struct keys *k;
	char v[64];

	(void)state;
	keys_allow_unsandboxed();
	k = start("secrets { ike { secret = x } }\n");
	status_line(keys_pid(k), "Seccomp", v, sizeof(v));
	assert_string_equal(v, "0");
	status_line(keys_pid(k), "NoNewPrivs", v, sizeof(v));
	assert_string_equal(v, "1");
	status_line(keys_pid(k), "CapEff", v, sizeof(v));
	assert_string_equal(v, "0000000000000000");
	keys_stop(k);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_decode),	cmocka_unit_test(test_malformed),
    cmocka_unit_test(test_locked_in),	cmocka_unit_test(test_filter_kills),
    cmocka_unit_test(test_parent_dies), cmocka_unit_test(test_no_sandbox),
};

KEYS_TEST_MAIN("keys role", tests)
