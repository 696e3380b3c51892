// SPDX-License-Identifier: BSD-2-Clause
#include "common/gateway_conf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int parse(const char *text, struct gateway_conf *conf, struct settings_error *err)
{
	struct settings *root = settings_parse("x.conf", text, strlen(text), false, err);
	int rc;

	if (!root)
		return -errno;
	rc = gateway_conf_parse(root, conf, err);
	settings_free(root);
	return rc;
}

static void good(const char *text, struct gateway_conf *conf)
{
	struct settings_error err = {0};

	if (parse(text, conf, &err) < 0)
		fail_msg("%s: %d: %s", text, err.line, err.text);
}

static void empty_is_default(void **state)
{
	struct gateway_conf want, got;

	(void)state;
	gateway_conf_defaults(&want);
	strcpy(want.path, "x.conf");
	good("", &got);
	assert_memory_equal(&got, &want, sizeof(got));
	good("xdpsec { ike { } log { } dataplane { } interfaces { } }", &got);
	assert_memory_equal(&got, &want, sizeof(got));
	assert_string_equal(got.pin_dir, "/sys/fs/bpf/xdpsec");
	assert_string_equal(got.run_dir, "/run/xdpsec");
	assert_string_equal(got.swanctl_conf, "/etc/swanctl/swanctl.conf");
	assert_int_equal(got.sa_slots, 65536);
	assert_int_equal(got.engine, GW_ENGINE_AUTO);
	assert_int_equal(got.ike.retransmit_timeout_ms, 4000);
	assert_true(got.ike.retransmit_base > 1.79 && got.ike.retransmit_base < 1.81);
	assert_int_equal(got.log_level[LOG_NETWORK], 1);
	assert_false(got.ike.legacy);
}

static void everything(void **state)
{
	struct gateway_conf c;

	(void)state;
	good(
	    "xdpsec {\n"
	    " pin_dir = /a/b\n run_dir = /c\n swanctl_conf = /d.conf\n sa_slots = 64\n policies = "
	    "100\n engine = kernel\n"
	    " interfaces {\n  wan0 { role = wan\n spread = 1, 3-4 }\n"
	    "  lan0 {\n   role = lan\n   attach = generic\n   tc = clsact\n  }\n }\n"
	    " dataplane {\n  crypto = openssl\n  vdev = v\n  device = 0000:01:00.0\n  workers = 2\n"
	    "  cpus = 2, 4-5\n  busy_poll = 1ms\n }\n"
	    " ike {\n  port = 501\n  port_nat_t = 4501\n  retransmit_tries = 1\n"
	    "  retransmit_timeout = 2.5\n  retransmit_base = 1.5\n  retransmit_jitter = 20\n"
	    "  retransmit_limit = 40\n  keep_alive = 0\n  half_open_timeout = 1m\n"
	    "  cookie_threshold = always\n  block_threshold = 6\n  init_limit_half_open = 7\n"
	    "  init_limit_job_load = 4\n  ike_sa_limit = 8\n  fragment_size = 1400\n  delete_rekeyed_delay = 9s\n  legacy = yes\n }\n"
	    " log {\n  ike = 3\n  default = 0\n  child = -1\n }\n}\n",
	    &c);
	assert_string_equal(c.pin_dir, "/a/b");
	assert_string_equal(c.run_dir, "/c");
	assert_string_equal(c.swanctl_conf, "/d.conf");
	assert_int_equal(c.sa_slots, 64);
	assert_int_equal(c.policies, 100);
	assert_int_equal(c.engine, GW_ENGINE_KERNEL);
	assert_int_equal(c.n_ports, 2);
	assert_string_equal(c.port[1].ifname, "lan0");
	assert_int_equal(c.port[1].role, GW_ROLE_LAN);
	assert_int_equal(c.port[1].attach, GW_ATTACH_GENERIC);
	assert_int_equal(c.port[1].tc, GW_TC_CLSACT);
	assert_int_equal(c.port[1].line, 11);
	assert_int_equal(c.port[0].spread, GW_SPREAD_CPUS);
	assert_int_equal(c.port[0].n_spread_cpus, 3);
	assert_int_equal(c.port[0].spread_cpus[2], 4);
	assert_int_equal(c.port[1].spread, GW_SPREAD_AUTO);
	assert_int_equal(c.port[0].role, GW_ROLE_WAN);
	assert_int_equal(c.dataplane.crypto, GW_CRYPTO_OPENSSL);
	assert_string_equal(c.dataplane.device, "0000:01:00.0");
	assert_int_equal(c.dataplane.n_cpus, 3);
	assert_int_equal(c.dataplane.cpus[2], 5);
	assert_int_equal(c.dataplane.busy_poll_us, 1000);
	assert_int_equal(c.ike.port, 501);
	assert_int_equal(c.ike.port_nat_t, 4501);
	assert_int_equal(c.ike.retransmit_timeout_ms, 2500);
	assert_true(c.ike.retransmit_base > 1.49 && c.ike.retransmit_base < 1.51);
	assert_int_equal(c.ike.retransmit_jitter, 20);
	assert_int_equal(c.ike.retransmit_limit_s, 40);
	assert_int_equal(c.ike.keep_alive_s, 0);
	assert_int_equal(c.ike.half_open_timeout_s, 60);
	assert_int_equal(c.ike.cookie_threshold, -1);
	assert_int_equal(c.ike.block_threshold, 6);
	assert_int_equal(c.ike.init_limit_half_open, 7);
	assert_int_equal(c.ike.init_limit_job_load, 4);
	assert_int_equal(c.ike.ike_sa_limit, 8);
	assert_int_equal(c.ike.delete_rekeyed_delay_s, 9);
	assert_int_equal(c.ike.fragment_size, 1400);
	assert_true(c.ike.legacy);
	/* "default" is first, wherever it stands. */
	assert_int_equal(c.log_level[LOG_IKE], 3);
	assert_int_equal(c.log_level[LOG_CHILD], -1);
	assert_int_equal(c.log_level[LOG_JOB], 0);
	gateway_conf_apply_log(&c);
	assert_int_equal(log_level(LOG_IKE), 3);
	assert_int_equal(log_level(LOG_JOB), 0);
	log_set_level_all(1);
	good("port { role = lan }\nxdpsec { interfaces { a : port { } b : port { role = wan } }\n"
	     " ike { cookie_threshold = 0 } dataplane { busy_poll = 0 } }",
	     &c);
	assert_int_equal(c.port[0].role, GW_ROLE_LAN);
	assert_int_equal(c.port[1].role, GW_ROLE_WAN);
	assert_int_equal(c.ike.cookie_threshold, 0);
	assert_int_equal(c.dataplane.busy_poll_us, 0);
}

#define IN(section, key) "xdpsec { " section " { " key "\n} }"
#define LONG16		 "abcdefghijklmnop"

static void mistakes(void **state)
{
	static const struct {
		const char *text, *want;
	} t[] = {
	    {"a = 1", "x.conf:1: a: a key outside of xdpsec { }"},
	    {"\nxdpsek { }", "x.conf:2: xdpsek: unknown section; did you mean 'xdpsec'?"},
	    {"other { }", "x.conf:1: other: unknown section"},
	    {"xdpsec { pindir = /a\n}",
	     "x.conf:1: xdpsec.pindir: unknown key; did you mean 'pin_dir'?"},
	    {"xdpsec { dataplan { } }",
	     "x.conf:1: xdpsec.dataplan: unknown section; did you mean 'dataplane'?"},
	    {"xdpsec { pin_dir = a\n}",
	     "x.conf:1: xdpsec.pin_dir: 'a' is not allowed; it must be an absolute path"},
	    {"xdpsec { run_dir = /" LONG16 LONG16 LONG16 LONG16 LONG16 LONG16 "\n}",
	     "x.conf:1: xdpsec.run_dir: longer than 91 bytes"},
	    {"xdpsec { sa_slots = 100\n}",
	     "x.conf:1: xdpsec.sa_slots: '100' is not allowed; it must be a "
	     "power of two from 64 to 65536"},
	    {"xdpsec { engine = linux\n}",
	     "x.conf:1: xdpsec.engine: 'linux' is not allowed; it must be one of auto, kernel, dataplane"},
	    {"xdpsec { sa_slots = 32\n}",
	     "x.conf:1: xdpsec.sa_slots: '32' is not allowed; it must be a "
	     "power of two from 64 to 65536"},
	    {"xdpsec { sa_slots = 131072\n}",
	     "x.conf:1: xdpsec.sa_slots: '131072' is not allowed; it "
	     "must be a power of two from 64 to 65536"},
	    {"xdpsec { policies = 1\n}",
	     "x.conf:1: xdpsec.policies: '1' is not allowed; it must be a "
	     "number from 64 to 1048576"},
	    {IN("interfaces", "wan0 = wan"),
	     "x.conf:1: xdpsec.interfaces.wan0: an interface is a section: wan0 { role = wan }"},
	    {IN("interfaces", "a { }"),
	     "x.conf:1: xdpsec.interfaces.a: role = wan or role = lan is missing"},
	    {IN("interfaces", "a { role = want }"),
	     "x.conf:1: xdpsec.interfaces.a.role: 'want' is not "
	     "allowed; it must be one of wan, lan"},
	    {IN("interfaces", "a {\nrole = wan\nmode = x\n}"),
	     "x.conf:3: xdpsec.interfaces.a.mode: unknown key"},
	    {IN("interfaces", "a {\nrole = lan\nspread = auto\n}"),
	     "x.conf:3: xdpsec.interfaces.a.spread: ESP comes in on interfaces of role = wan"},
	    {IN("interfaces", "a {\nrole = wan\nspread = 3-1\n}"),
	     "x.conf:3: xdpsec.interfaces.a.spread: '3-1' is not allowed; it must be auto, no, or a "
	     "list of CPU numbers such as 2, 3 or 2-5"},
	    {IN("interfaces", "a {\nrole = wan\nspread = 1, 1\n}"),
	     "x.conf:3: xdpsec.interfaces.a.spread: CPU 1 is given twice"},
	    {IN("interfaces", "a {\nrole = wan\nattach = offload\n}"),
	     "x.conf:3: xdpsec.interfaces.a.attach: 'offload' is not allowed; it must be one of "
	     "auto, "
	     "native, generic"},
	    {IN("interfaces", "a {\nrole = wan\ntc = x\n}"),
	     "x.conf:3: xdpsec.interfaces.a.tc: 'x' is "
	     "not allowed; it must be one of auto, tcx, "
	     "clsact"},
	    {IN("interfaces", "a { role = wan }\na { }"),
	     "x.conf:1: xdpsec.interfaces.a: interface given twice, again in line 2"},
	    {IN("interfaces", LONG16 " { role = wan }"),
	     "x.conf:1: xdpsec.interfaces." LONG16
	     ": not a name of an interface: at most 15 bytes, no /"},
	    {IN("interfaces", "a/b { role = wan }"),
	     "x.conf:1: xdpsec.interfaces.a/b: not a name of an interface: at most 15 bytes, no /"},
	    {IN("interfaces", "a { role = wan\n b { } }"),
	     "x.conf:2: xdpsec.interfaces.a.b: unknown section"},
	    {IN("dataplane", "crypto = dpdk"),
	     "x.conf:1: xdpsec.dataplane.crypto: 'dpdk' is not allowed; "
	     "it must be one of cryptodev, openssl"},
	    {IN("dataplane", "workers = 0"),
	     "x.conf:1: xdpsec.dataplane.workers: '0' is not allowed; it "
	     "must be a number from 1 to 16"},
	    {IN("dataplane", "cpus = 1, x"),
	     "x.conf:1: xdpsec.dataplane.cpus: '1, x' is not allowed; it "
	     "must be a list of CPU numbers such as 2, 3 or 2-5"},
	    {IN("dataplane", "cpus = 5-2"),
	     "x.conf:1: xdpsec.dataplane.cpus: '5-2' is not allowed; it "
	     "must be a list of CPU numbers such as 2, 3 or 2-5"},
	    {IN("dataplane", "cpus = 1-3, 2"),
	     "x.conf:1: xdpsec.dataplane.cpus: CPU 2 is given twice"},
	    {IN("dataplane", "cpus = 0-99"), "x.conf:1: xdpsec.dataplane.cpus: more than 64 CPUs"},
	    {IN("dataplane", "workers = 2\ncpus = 1"),
	     "x.conf:2: xdpsec.dataplane.cpus: 1 CPUs for 2 workers"},
	    {IN("dataplane", "busy_poll = 50"),
	     "x.conf:1: xdpsec.dataplane.busy_poll: '50' is not "
	     "allowed; it must be a time such as 50us or 1ms, from 0us "
	     "to 1000ms"},
	    {IN("dataplane", "busy_poll = 1001ms"),
	     "x.conf:1: xdpsec.dataplane.busy_poll: '1001ms' is "
	     "not allowed; it must be a time such as 50us or 1ms, "
	     "from 0us to 1000ms"},
	    {IN("dataplane", "x { }"), "x.conf:1: xdpsec.dataplane.x: unknown section"},
	    {IN("ike", "port = 0"),
	     "x.conf:1: xdpsec.ike.port: '0' is not allowed; it must be a number from 1 to 65535"},
	    {IN("ike", "port = 65536"), "x.conf:1: xdpsec.ike.port: '65536' is not allowed; it "
					"must be a number from 1 to 65535"},
	    {IN("ike", "port = 4500"), "x.conf:1: xdpsec.ike: port and port_nat_t are both 4500"},
	    {IN("ike", "retransmit_tries = 101"),
	     "x.conf:1: xdpsec.ike.retransmit_tries: '101' is not "
	     "allowed; it must be a number from 0 to 100"},
	    {IN("ike", "retransmit_timeout = 61"),
	     "x.conf:1: xdpsec.ike.retransmit_timeout: '61' is not allowed; it must be a time in "
	     "seconds "
	     "such as 4.0, or with ms, s, m, h or d, from 0 to 60000 ms"},
	    {IN("ike", "retransmit_base = 11"),
	     "x.conf:1: xdpsec.ike.retransmit_base: '11' is not "
	     "allowed; it must be a number from 0 to 10, such as 1.8"},
	    {IN("ike", "retransmit_base = 1.8.0"), "x.conf:1: xdpsec.ike.retransmit_base: '1.8.0' "
						   "is not allowed; it must be a number from 0 "
						   "to 10, such as 1.8"},
	    {IN("ike", "retransmit_base = ."),
	     "x.conf:1: xdpsec.ike.retransmit_base: '.' is not allowed; "
	     "it must be a number from 0 to 10, such as 1.8"},
	    {IN("ike", "fragment_size = 199"),
	     "x.conf:1: xdpsec.ike.fragment_size: '199' is not allowed; it must be a number of bytes "
	     "from 200 to 65535, or 0 for 576 with IPv4 and 1280 with IPv6"},
	    {IN("ike", "retransmit_jitter = 21"),
	     "x.conf:1: xdpsec.ike.retransmit_jitter: '21' is not "
	     "allowed; it must be a number from 0 to 20"},
	    {IN("ike", "retransmit_limit = 101"), "x.conf:1: xdpsec.ike.retransmit_limit: '101' is "
						  "not allowed; it must be a time such as "
						  "30s, 5m, 4h or 1d, from 0 to 100 seconds"},
	    {IN("ike", "half_open_timeout = 0"), "x.conf:1: xdpsec.ike.half_open_timeout: '0' is "
						 "not allowed; it must be a time such as 30s, "
						 "5m, 4h or 1d, from 1 to 3600 seconds"},
	    {IN("ike", "cookie_threshold = never"),
	     "x.conf:1: xdpsec.ike.cookie_threshold: 'never' is not allowed; it must be a number "
	     "of "
	     "half-open IKE SAs, 0 for never, or always"},
	    {IN("ike", "threads = many"),
	     "x.conf:1: xdpsec.ike.threads: 'many' is not allowed; it must be a number"},
	    {IN("log", "ikee = 1"), "x.conf:1: xdpsec.log.ikee: unknown key; did you mean 'ike'?"},
	    {IN("log", "ike = 5"),
	     "x.conf:1: xdpsec.log.ike: '5' is not allowed; it must be a level from "
	     "0 to 4, or -1 for silence"},
	    {IN("log", "default = x"),
	     "x.conf:1: xdpsec.log.default: 'x' is not allowed; it must be a "
	     "level from 0 to 4, or -1 for silence"},
	    {IN("log", "x { }"), "x.conf:1: xdpsec.log.x: unknown section"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		struct gateway_conf c, before;
		struct settings_error err = {0};
		char buf[1024];

		memset(&c, 0x5a, sizeof(c));
		before = c;
		if (parse(t[i].text, &c, &err) != -EINVAL)
			fail_msg("accepted: %s", t[i].text);
		assert_string_equal(settings_error_str(&err, buf, sizeof(buf)), t[i].want);
		assert_memory_equal(&c, &before, sizeof(c));
	}
}

static void too_many_interfaces(void **state)
{
	char text[4096] = "xdpsec { interfaces {";
	struct gateway_conf c;
	struct settings_error err;

	(void)state;
	for (int i = 0; i < GW_PORTS_MAX; i++)
		sprintf(text + strlen(text), " e%d { role = lan }", i);
	strcat(text, " } }");
	good(text, &c);
	assert_int_equal(c.n_ports, GW_PORTS_MAX);
	strcpy(text + strlen(text) - 3, "one { role = lan } } }");
	assert_int_equal(parse(text, &c, &err), -EINVAL);
	assert_string_equal(err.text, "xdpsec.interfaces.one: more than 32 interfaces");
}

static void seen(void *ctx, enum log_group group, int level, const char *name, uint32_t unique,
		 const char *line)
{
	(void)group, (void)level, (void)name, (void)unique;
	strcat(ctx, line);
	strcat(ctx, "\n");
}

static void without_effect(void **state)
{
	char lines[2048] = "";
	struct gateway_conf c;

	(void)state;
	log_to_stderr(false, false);
	log_sink_add(seen, lines, 1);
	good("xdpsec { ike {\nthreads = 16\nikesa_table_size = 1\nikesa_table_segments = 1\n} }",
	     &c);
	log_sink_remove(seen, lines);
	assert_non_null(strstr(lines, "x.conf:2: xdpsec.ike.threads has no effect: one loop"));
	assert_non_null(
	    strstr(lines, "x.conf:3: xdpsec.ike.ikesa_table_size has no effect: the table"));
	assert_non_null(
	    strstr(lines, "x.conf:4: xdpsec.ike.ikesa_table_segments has no effect: one"));
}

static void missing_file(void **state)
{
	struct settings_error err = {0};
	struct gateway_conf c;
	char buf[1024];

	(void)state;
	assert_int_equal(gateway_conf_load("/nonexistent/x.conf", &c, &err), -EINVAL);
	assert_string_equal(settings_error_str(&err, buf, sizeof(buf)),
			    "/nonexistent/x.conf: cannot open: No such file or directory; "
			    "deploy/xdpsec.conf of the sources is a commented example");
	if (access(GATEWAY_CONF_PATH, F_OK) == 0)
		return;
	assert_int_equal(gateway_conf_load(NULL, &c, &err), -EINVAL);
	assert_string_equal(err.file, "/etc/xdpsec/xdpsec.conf");
}

/* The example of the sources: valid, complete, and nothing but defaults besides the interfaces. */
static void example_file(void **state)
{
	struct gateway_conf c, want;
	struct settings_error err = {0};
	char buf[256];

	(void)state;
	log_to_stderr(false, false);
	if (gateway_conf_load("deploy/xdpsec.conf", &c, &err) < 0)
		fail_msg("%s:%d: %s", err.file, err.line, err.text);
	gateway_conf_defaults(&want);
	strcpy(want.path, c.path);
	assert_int_equal(c.n_ports, 0);
	assert_memory_equal(&c, &want, sizeof(c));

	FILE *f = fopen("deploy/xdpsec.conf", "r");
	static char text[65536];

	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = 0;
	fclose(f);
	for (unsigned int i = 0; gateway_conf_key_at(i, buf, sizeof(buf)); i++)
		if (!strstr(text, strrchr(buf, '.') + 1))
			fail_msg("deploy/xdpsec.conf does not show %s", buf);
}

/* One key while the program runs: the same checks as in a file, and nothing else changes. */
static void set_one(void **state)
{
	static const char *const bad[][3] = {
	    {"initiator_only", "perhaps", "yes"},
	    {"no_such_key", "1", "unknown"},
	    {"port", "501", "started again"},
	    {"port-nat-t", "4501", "started again"},
	    {"retransmit_tries", "101", "100"},
	    {"initiator_only", "yes\" } x { y = \"", "not a key"},
	    {"a { b", "1", "not a key"},
	    {"", "1", "not a key"},
	    {"initiator_only", "", "not a key"},
	};
	struct settings_error err;
	struct gateway_conf c, before;

	(void)state;
	gateway_conf_defaults(&c);
	assert_int_equal(gateway_conf_set_ike(&c, "initiator-only", "yes", &err), 0);
	assert_true(c.ike.initiator_only);
	assert_int_equal(gateway_conf_set_ike(&c, "cookie_threshold", "always", &err), 0);
	assert_int_equal(c.ike.cookie_threshold, -1);
	assert_int_equal(gateway_conf_set_ike(&c, "acquire_timeout", "1m", &err), 0);
	assert_int_equal(c.ike.acquire_timeout_s, 60);
	before = c;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(gateway_conf_set_ike(&c, bad[i][0], bad[i][1], &err), -EINVAL);
		if (!strstr(err.text, bad[i][2]))
			fail_msg("%s: %s", bad[i][0], err.text);
	}
	assert_memory_equal(&c, &before, sizeof(c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(empty_is_default), cmocka_unit_test(everything),
	    cmocka_unit_test(mistakes),		cmocka_unit_test(too_many_interfaces),
	    cmocka_unit_test(without_effect),	cmocka_unit_test(missing_file),
	    cmocka_unit_test(example_file),
	    cmocka_unit_test(set_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
