/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli.h"

#include <stdio.h>
#include <string.h>

/* Commands that change something: each waits for the real outcome and prints it. */

/* What a command is about: names and numbers as the request has them. */
struct target {
	char child[VICI_NAME_MAX + 1], ike[VICI_NAME_MAX + 1];
	const char *child_id, *ike_id;
	bool all_children; /* of the connection, not the IKE SA alone */
};

static bool set_name(char *to, const char *from)
{
	if (strlen(from) > VICI_NAME_MAX)
		return false;
	strcpy(to, from);
	return true;
}

/* A name, or "#n". */
static bool set_either(char *name, const char **id, const char *from)
{
	if (from[0] == '#') {
		*id = from + 1;
		return true;
	}
	return set_name(name, from);
}

/* 0, or the exit code. */
static int target_from_options(const struct cli *cli, struct target *t)
{
	*t = (struct target){.child_id = cli->child_id, .ike_id = cli->ike_id};
	if ((cli->child && !set_either(t->child, &t->child_id, cli->child)) ||
	    (cli->ike && !set_either(t->ike, &t->ike_id, cli->ike)))
		return cli_usage(cli, "a name is too long");
	if (cli->argc > 1)
		return cli_usage(cli, "one name at a time, '%s' is too many", cli->argv[1]);
	if (cli->argc && (cli->child || cli->ike || cli->child_id || cli->ike_id))
		return cli_usage(cli, "either '%s' or an option that names it", cli->argv[0]);
	return 0;
}

static bool target_given(const struct target *t)
{
	return t->child[0] || t->ike[0] || t->child_id || t->ike_id;
}

static const char *target_name(const struct cli *cli, const struct target *t)
{
	if (cli->argc)
		return cli->argv[0];
	if (t->child[0])
		return t->child;
	if (t->ike[0])
		return t->ike;
	return t->child_id ? t->child_id : t->ike_id;
}

/* "conn/child" in two. */
static bool split(const char *name, struct target *t)
{
	const char *slash = strchr(name, '/');

	if (!slash || (size_t)(slash - name) > VICI_NAME_MAX || strlen(slash + 1) > VICI_NAME_MAX)
		return false;
	memcpy(t->ike, name, (size_t)(slash - name));
	t->ike[slash - name] = '\0';
	strcpy(t->child, slash + 1);
	return true;
}

/* Which configured child or connection a name means; an unknown one goes to the daemon, which says so. */
static int resolve_conf(const struct cli *cli, const char *name, struct target *t)
{
	json_t *conns, *conn, *child, *first = NULL;
	bool is_conn = false;
	size_t i, k;
	int ret = 0;

	if (split(name, t))
		return 0;
	conns = conn_array(cli);
	if (!conns)
		return CLI_FAILED;
	json_array_foreach(conns, i, conn) {
		is_conn |= !strcmp(text_of(conn, "name"), name);
		json_array_foreach(json_object_get(conn, "children"), k, child) {
			if (strcmp(text_of(child, "name"), name) != 0)
				continue;
			if (first && !ret)
				ret = cli_fail("%s: child '%s' is in %s and in %s: say %s/%s", cli->command,
					       name, text_of(first, "name"), text_of(conn, "name"),
					       text_of(first, "name"), name);
			first = first ? first : conn;
		}
	}
	if (!ret && !set_name(first || !is_conn ? t->child : t->ike, name))
		ret = cli_usage(cli, "the name is too long");
	t->all_children = t->ike[0] != 0;
	json_decref(conns);
	return ret;
}

static bool sa_is(const json_t *sa, const char *name)
{
	char id[24];

	if (name[0] != '#')
		return !strcmp(text_of(sa, "name"), name);
	snprintf(id, sizeof(id), "%lld", (long long)number_of(sa, "id"));
	return !strcmp(id, name + 1);
}

/* Which living SA a name or "#n" means: a child before the IKE SA of the same name. */
static int resolve_sa(const struct cli *cli, const char *name, struct target *t)
{
	json_t *sas, *ike, *child;
	bool is_ike = false, is_child = false;
	size_t i, k;

	if (split(name, t))
		return 0;
	sas = sa_array(cli);
	if (!sas)
		return CLI_FAILED;
	json_array_foreach(sas, i, ike) {
		is_ike |= sa_is(ike, name);
		json_array_foreach(json_object_get(ike, "children"), k, child)
			is_child |= sa_is(child, name);
	}
	json_decref(sas);
	if (name[0] == '#' && is_ike && is_child)
		return cli_usage(cli, "there is an IKE SA %s and a Child SA %s: use --ike or --child", name,
				 name);
	if (!is_ike && !is_child)
		return cli_fail("%s %s: there is no such SA: xdpsec show sa", cli->command, name);
	if (!set_either(is_child ? t->child : t->ike, is_child ? &t->child_id : &t->ike_id, name))
		return cli_usage(cli, "the name is too long");
	return 0;
}

static void request_target(struct request *r, const struct target *t)
{
	if (t->child[0])
		vici_kv(&r->v, "child", t->child);
	if (t->ike[0])
		vici_kv(&r->v, "ike", t->ike);
	if (t->child_id)
		vici_kv(&r->v, "child-id", t->child_id);
	if (t->ike_id)
		vici_kv(&r->v, "ike-id", t->ike_id);
	if (t->all_children)
		vici_kv(&r->v, "all-children", "yes");
}

static void on_log(void *ctx, const char *event, json_t *message)
{
	(void)ctx;
	(void)event;
	fprintf(stderr, "[%s] %s\n", text_of(message, "group"), text_of(message, "msg"));
}

static int print_outcome(const struct cli *cli, const char *name, const json_t *answer)
{
	bool refused = !strcmp(text_of(answer, "success"), "no");
	json_t *o;

	if (cli->json) {
		o = json_object();
		json_object_set_new(o, "command", json_string(cli->command));
		json_object_set_new(o, "name", name ? json_string(name) : json_null());
		json_object_set_new(o, "success", json_boolean(!refused));
		json_object_set_new(o, "text", json_string(text_of(answer, "text")));
		json_object_set_new(o, "error", refused ? json_string(text_of(answer, "errmsg")) : json_null());
		json_object_set_new(o, "by_peer", json_boolean(*text_of(answer, "by-peer")));
		json_object_set_new(o, "notify", *text_of(answer, "notify")
							 ? json_integer(number_of(answer, "notify"))
							 : json_null());
		if (cli_print_json(o))
			return CLI_FAILED;
	}
	if (refused)
		return answer_check(cli, name, answer);
	if (!cli->json)
		printf("%s%s%s: %s\n", cli->command, name ? " " : "", name ? name : "",
		       *text_of(answer, "text") ? text_of(answer, "text") : "done");
	return CLI_OK;
}

/* Sends the command about `t` and prints what became of it. */
static int act(const struct cli *cli, const char *command, const struct target *t)
{
	const char *name = t ? target_name(cli, t) : NULL;
	struct request r;
	struct link l;
	json_t *answer = NULL;
	bool reauth = !strcmp(command, "reauth");
	int ret;

	if (link_open(&l, cli->socket))
		return CLI_FAILED;
	/* vici has one word for both. */
	request_init(&r, reauth ? "rekey" : command);
	if (reauth)
		vici_kv(&r.v, "reauth", "yes");
	if (t)
		request_target(&r, t);
	if (cli->force)
		vici_kv(&r.v, "force", "yes");
	if (cli->timeout_ms)
		vici_kvf(&r.v, "timeout", "%lld", (long long)cli->timeout_ms);
	if (cli->verbose)
		vici_kvf(&r.v, "loglevel", "%d", cli->verbose);
	if (!cli->verbose || !link_register(&l, "control-log"))
		answer = link_request(&l, reauth ? "rekey" : command, &r, on_log, NULL);
	ret = answer ? print_outcome(cli, name, answer) : CLI_FAILED;
	json_decref(answer);
	link_close(&l);
	return ret;
}

int run_initiate(const struct cli *cli)
{
	struct target t;
	int ret = target_from_options(cli, &t);

	if (!ret && cli->argc)
		ret = resolve_conf(cli, cli->argv[0], &t);
	if (!ret && !t.child[0] && !t.ike[0])
		ret = cli_usage(cli, "which child or connection? xdpsec show conn");
	return ret ? ret : act(cli, "initiate", &t);
}

static int act_on_sa(const struct cli *cli, const char *command)
{
	struct target t;
	int ret = target_from_options(cli, &t);

	if (!ret && cli->argc)
		ret = resolve_sa(cli, cli->argv[0], &t);
	if (!ret && !target_given(&t))
		ret = cli_usage(cli, "which SA? xdpsec show sa");
	return ret ? ret : act(cli, command, &t);
}

int run_rekey(const struct cli *cli)
{
	return act_on_sa(cli, "rekey");
}

int run_reauth(const struct cli *cli)
{
	struct target t;
	int ret = target_from_options(cli, &t);

	if (!ret && cli->argc && !set_either(t.ike, &t.ike_id, cli->argv[0]))
		ret = cli_usage(cli, "the name is too long");
	if (!ret && (t.child[0] || t.child_id))
		ret = cli_usage(cli, "an IKE SA is reauthenticated, not a Child SA");
	if (!ret && !target_given(&t))
		ret = cli_usage(cli, "which IKE SA? xdpsec show sa");
	return ret ? ret : act(cli, "reauth", &t);
}

int run_terminate(const struct cli *cli)
{
	return act_on_sa(cli, "terminate");
}

int run_flush(const struct cli *cli)
{
	return act(cli, "flush", NULL);
}

int run_flush_certs(const struct cli *cli)
{
	const char *type = cli->argc ? cli->argv[0] : "";
	struct request r;
	struct link l;
	json_t *answer;
	int ret;

	if (*type && strcasecmp(type, "crl") != 0 && strcasecmp(type, "ocsp") != 0)
		return cli_usage(cli, "CRL, OCSP, or nothing for both: not '%s'", type);
	if (link_open(&l, cli->socket))
		return CLI_FAILED;
	request_init(&r, "flush-certs");
	vici_kv(&r.v, "type", !*type ? "ANY" : strcasecmp(type, "crl") ? "OCSP_RESPONSE" : "X509_CRL");
	answer = link_request(&l, "flush-certs", &r, NULL, NULL);
	ret = answer ? print_outcome(cli, *type ? type : NULL, answer) : CLI_FAILED;
	json_decref(answer);
	link_close(&l);
	return ret;
}

int run_set(const struct cli *cli)
{
	struct request r;
	struct link l;
	json_t *answer;
	int ret;

	if (cli->argc != 2)
		return cli_usage(cli, "a key and a value: xdpsec set ike initiator-only yes");
	if (link_open(&l, cli->socket))
		return CLI_FAILED;
	request_init(&r, "set");
	vici_kv(&r.v, "section", "ike");
	vici_kv(&r.v, "key", cli->argv[0]);
	vici_kv(&r.v, "value", cli->argv[1]);
	answer = link_request(&l, "set", &r, NULL, NULL);
	ret = answer ? print_outcome(cli, cli->argv[0], answer) : CLI_FAILED;
	json_decref(answer);
	link_close(&l);
	return ret;
}

int run_reload(const struct cli *cli)
{
	return act(cli, "load-file", NULL);
}
