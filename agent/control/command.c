/* SPDX-License-Identifier: BSD-2-Clause */
#include "control_int.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

/* What vici can load and unload: with us the files decide. */
#define FROM_FILES "configuration is read from files: xdpsec reload"

bool param_name(struct client *cl, struct slice body, const char *key, char *buf, size_t n)
{
	if (vici_find_text(body, key, buf, n) >= 0)
		return true;
	reply_error(cl, "%s: not a name (at most %zu characters, none of them control characters)", key,
		    n - 1);
	return false;
}

bool param_id(struct client *cl, struct slice body, const char *key, uint32_t *id)
{
	int64_t v;

	if (!vici_find_number(body, key, 0, &v) && v >= 0 && v <= UINT32_MAX) {
		*id = (uint32_t)v;
		return true;
	}
	reply_error(cl, "%s: not a number of an SA", key);
	return false;
}

static void cmd_version(struct client *cl, struct slice body)
{
	struct vici_wr v = reply_begin(cl);
	struct utsname un;

	(void)body;
	vici_kv(&v, "daemon", "xdpsecd");
	vici_kv(&v, "version", XDPSEC_VERSION);
	if (!uname(&un)) {
		vici_kv(&v, "sysname", un.sysname);
		vici_kv(&v, "release", un.release);
		vici_kv(&v, "machine", un.machine);
	}
	reply_end(cl, &v);
}

static void cmd_load_file(struct client *cl, struct slice body)
{
	struct control *c = cl->control;
	char err[REPLY_TEXT_MAX] = "";
	int ret;

	(void)body;
	log_line(LOG_CONFIG, 1, "vici reload by uid %u pid %d", (unsigned int)cl->uid, (int)cl->pid);
	if (!c->reload) {
		reply_error(cl, "reload is not available");
		return;
	}
	ret = c->reload(c->reload_ctx, err, sizeof(err));
	if (ret)
		reply_error(cl, "%s", err[0] ? err : strerror(-ret));
	else
		reply_ok(cl);
}

static void cmd_set(struct client *cl, struct slice body)
{
	struct control *c = cl->control;
	char section[32], key[64], value[256], err[REPLY_TEXT_MAX] = "";
	int ret;

	if (!param_name(cl, body, "section", section, sizeof(section)) ||
	    !param_name(cl, body, "key", key, sizeof(key)) ||
	    !param_name(cl, body, "value", value, sizeof(value)))
		return;
	if (strcmp(section, "ike") != 0) {
		reply_error(cl, "only the section ike can be changed while xdpsecd runs");
		return;
	}
	ret = c->set ? c->set(c->set_ctx, key, value, err, sizeof(err)) : -ENOTSUP;
	log_line(LOG_CONFIG, ret ? 1 : 0, "vici set ike %s = %s by uid %u pid %d%s%s", key, value,
		 (unsigned int)cl->uid, (int)cl->pid, ret ? ": " : "", ret ? err : "");
	if (ret)
		reply_error(cl, "%s", err[0] ? err : strerror(-ret));
	else
		reply_ok(cl);
}

static void cmd_from_files(struct client *cl, struct slice body)
{
	(void)body;
	reply_error(cl, FROM_FILES);
}

static void cmd_empty(struct client *cl, struct slice body)
{
	struct vici_wr v = reply_begin(cl);

	(void)body;
	reply_end(cl, &v);
}

/* Names alone: the secrets themselves are in another process. */
static void cmd_get_shared(struct client *cl, struct slice body)
{
	static struct keys_entry entry[256];
	struct keys *k = cl->control->a->keys;
	int n = k ? keys_list(k, entry, sizeof(entry) / sizeof(entry[0])) : 0;
	struct vici_wr v = reply_begin(cl);

	(void)body;
	vici_list(&v, "keys");
	for (int i = 0; i < n; i++)
		vici_item(&v, entry[i].name);
	vici_list_end(&v);
	reply_end(cl, &v);
}

static const struct {
	const char *name;
	void (*run)(struct client *cl, struct slice body);
} commands[] = {
	{"version", cmd_version},
	{"stats", cmd_stats},
	{"reload-settings", cmd_load_file},
	{"initiate", cmd_initiate},
	{"terminate", cmd_terminate},
	{"rekey", cmd_rekey},
	{"list-sas", cmd_list_sas},
	{"list-keys", cmd_list_keys},
	{"list-conns", cmd_list_conns},
	{"list-policies", cmd_list_policies},
	{"list-certs", cmd_list_certs},
	{"list-authorities", cmd_list_authorities},
	{"get-conns", cmd_get_conns},
	{"get-pools", cmd_empty},
	{"get-authorities", cmd_get_authorities},
	{"get-algorithms", cmd_get_algorithms},
	{"get-counters", cmd_get_counters},
	{"get-keys", cmd_get_keys},
	{"get-shared", cmd_get_shared},
	{"load-conn", cmd_from_files},
	{"unload-conn", cmd_from_files},
	{"load-cert", cmd_from_files},
	{"load-key", cmd_from_files},
	{"unload-key", cmd_from_files},
	{"load-token", cmd_from_files},
	{"load-shared", cmd_from_files},
	{"unload-shared", cmd_from_files},
	{"load-authority", cmd_from_files},
	{"unload-authority", cmd_from_files},
	{"load-pool", cmd_from_files},
	{"unload-pool", cmd_from_files},
	{"clear-creds", cmd_from_files},
	{"flush-certs", cmd_flush_certs},
	{"flush", cmd_flush},
	{"load-file", cmd_load_file},
	{"set", cmd_set},
	{"status", cmd_status},
	{"counters", cmd_counters},
	{"show-policies", cmd_show_policies},
	{"show-drops", cmd_show_drops},
	{"show-plane", cmd_show_plane},
	{"show-keys", cmd_show_keys},
	{"show-algorithms", cmd_show_algorithms},
	{"show-ike-limits", cmd_show_ike_limits},
};

int command_run(struct client *cl, struct slice name, struct slice body)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strlen(commands[i].name) != name.n || memcmp(commands[i].name, name.p, name.n))
			continue;
		commands[i].run(cl, body);
		return 0;
	}
	return -ENOENT;
}
