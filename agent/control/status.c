/* SPDX-License-Identifier: BSD-2-Clause */
#include "control_int.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

/* How many of the children that are down `status` names. */
enum { STATUS_DOWN_MAX = 256 };

/* A configured child and whether an SA of it stands. */
struct expected {
	char key[2 * CONF_NAME_MAX + 2]; /* "conn/child" */
	bool up;
	UT_hash_handle hh;
};

static void key_of(char *key, size_t n, const char *conn, const char *child)
{
	memset(key, 0, n);
	snprintf(key, n, "%s/%s", conn, child);
}

static bool wants_sa(const struct child_conf *c)
{
	return c->mode == CONF_MODE_TUNNEL || c->mode == CONF_MODE_TRANSPORT;
}

/* All configured children in one hash; *all is the array behind it. NULL hash when there is none. */
static struct expected *expected_from(const struct conf *conf, struct expected **all)
{
	struct expected *hash = NULL, *e;
	size_t n = 0, at = 0;

	*all = NULL;
	for (unsigned int i = 0; conf && i < conf->n_conns; i++)
		n += conf->conn[i]->n_children;
	if (n)
		*all = calloc(n, sizeof(**all));
	if (!*all)
		return NULL;
	for (unsigned int i = 0; i < conf->n_conns; i++) {
		const struct conn_conf *conn = conf->conn[i];

		for (unsigned int k = 0; k < conn->n_children; k++) {
			if (!wants_sa(&conn->child[k]))
				continue;
			e = &(*all)[at++];
			key_of(e->key, sizeof(e->key), conn->name, conn->child[k].name);
			HASH_ADD_STR(hash, key, e);
		}
	}
	return hash;
}

static void note_up(struct expected *hash, const struct ike_sa *ike)
{
	char key[2 * CONF_NAME_MAX + 2];
	const struct child_sa *child;
	struct expected *e;

	TAILQ_FOREACH (child, &ike->children, next) {
		if (child->state != CHILD_INSTALLED && child->state != CHILD_REKEYING)
			continue;
		key_of(key, sizeof(key), ike_name(ike), child->conf->name);
		HASH_FIND_STR(hash, key, e);
		if (e)
			e->up = true;
	}
}

struct totals {
	unsigned int ike, ike_up, child, child_up;
};

static struct totals count_sas(const struct agent *a, struct expected *hash)
{
	struct totals t = {0};
	const struct child_sa *child;
	const struct ike_sa *ike;

	TAILQ_FOREACH (ike, sa_all(a), all) {
		t.ike++;
		t.ike_up += ike->state == IKE_ESTABLISHED || ike->state == IKE_REKEYING;
		TAILQ_FOREACH (child, &ike->children, next) {
			t.child++;
			t.child_up += child->state == CHILD_INSTALLED || child->state == CHILD_REKEYING;
		}
		note_up(hash, ike);
	}
	return t;
}

static void write_children(struct vici_wr *v, struct expected *hash)
{
	unsigned int n = 0, up = 0, named = 0;
	struct expected *e;

	for (e = hash; e; e = e->hh.next) {
		n++;
		up += e->up;
	}
	vici_kvf(v, "children", "%u", n);
	vici_kvf(v, "children-up", "%u", up);
	vici_list(v, "children-down");
	for (e = hash; e && named < STATUS_DOWN_MAX; e = e->hh.next) {
		if (e->up)
			continue;
		vici_item(v, e->key);
		named++;
	}
	vici_list_end(v);
	if (n - up > named)
		vici_kvf(v, "children-down-not-named", "%u", n - up - named);
}

static void write_engine(struct vici_wr *v, struct engine *e)
{
	vici_section(v, "engine");
	if (e) {
		vici_kv(v, "name", engine_name(e));
		vici_kv(v, "connected", engine_ready(e) ? "yes" : "no");
		vici_kv(v, "kernel", engine_kernel_ready(e) ? "yes" : "no");
		if (!engine_kernel_ready(e))
			vici_kv(v, "kernel-why-not", engine_kernel_why_not(e));
		vici_kvf(v, "orphans", "%u", engine_orphans(e, NULL, 0));
	} else {
		vici_kv(v, "name", "none");
		vici_kv(v, "connected", "no");
	}
	vici_section_end(v);
}

static void write_sas(struct vici_wr *v, const struct agent *a, const struct totals *t)
{
	vici_section(v, "ike-sas");
	vici_kvf(v, "total", "%u", t->ike);
	vici_kvf(v, "established", "%u", t->ike_up);
	vici_kvf(v, "half-open", "%u", sa_half_open(a));
	vici_section_end(v);
	vici_section(v, "child-sas");
	vici_kvf(v, "total", "%u", t->child);
	vici_kvf(v, "installed", "%u", t->child_up);
	vici_section_end(v);
}

/* By the clock that nobody sets. */
static int64_t uptime_s(const struct client *cl)
{
	return (int64_t)((sa_now_ms() - cl->control->started_ms) / 1000);
}

void cmd_status(struct client *cl, struct slice body)
{
	struct agent *a = cl->control->a;
	const struct conf *conf = sa_conf(a);
	struct expected *all, *hash = expected_from(conf, &all);
	struct totals t = count_sas(a, hash);
	struct vici_wr v = reply_begin(cl);

	(void)body;
	vici_kv(&v, "daemon", "xdpsecd");
	vici_kv(&v, "version", XDPSEC_VERSION);
	vici_kvf(&v, "pid", "%d", (int)getpid());
	vici_kvf(&v, "uptime", "%lld", (long long)uptime_s(cl));
	vici_kv(&v, "config", a->gw.swanctl_conf);
	vici_kv(&v, "keys-role", a->keys && keys_pid(a->keys) > 0 ? "running" : "gone");
	write_engine(&v, a->engine);
	write_sas(&v, a, &t);
	vici_section(&v, "configured");
	vici_kvf(&v, "connections", "%u", conf ? conf->n_conns : 0);
	write_children(&v, hash);
	vici_section_end(&v);
	reply_end(cl, &v);
	HASH_CLEAR(hh, hash);
	free(all);
}

static void uptime_text(int64_t s, char *buf, size_t n)
{
	static const struct {
		int64_t unit;
		const char *name;
	} units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		int64_t count = s / units[i].unit;

		if (count < 2 && units[i].unit > 1)
			continue;
		snprintf(buf, n, "%lld %s%s", (long long)count, units[i].name, count == 1 ? "" : "s");
		return;
	}
}

static void write_queue(struct vici_wr *v, unsigned int medium)
{
	vici_kv(v, "critical", "0");
	vici_kv(v, "high", "0");
	vici_kvf(v, "medium", "%u", medium);
	vici_kv(v, "low", "0");
}

/* vici asks for threads and queues: one loop is what we have, and the crypto jobs behind it. */
void cmd_stats(struct client *cl, struct slice body)
{
	struct agent *a = cl->control->a;
	struct totals t = count_sas(a, NULL);
	struct mallinfo2 mi = mallinfo2();
	struct vici_wr v = reply_begin(cl);
	char text[64];
	struct tm tm;
	time_t since;

	(void)body;
	vici_section(&v, "uptime");
	uptime_text(uptime_s(cl), text, sizeof(text));
	vici_kv(&v, "running", text);
	since = time(NULL) - uptime_s(cl);
	localtime_r(&since, &tm);
	strftime(text, sizeof(text), "%b %d %H:%M:%S %Y", &tm);
	vici_kv(&v, "since", text);
	vici_section_end(&v);
	vici_section(&v, "workers");
	vici_kv(&v, "total", "1");
	vici_kv(&v, "idle", "0");
	vici_section(&v, "active");
	write_queue(&v, 1);
	vici_section_end(&v);
	vici_section_end(&v);
	vici_section(&v, "queues");
	write_queue(&v, a->jobs ? jobs_pending(a->jobs) : 0);
	vici_section_end(&v);
	vici_kv(&v, "scheduled", "0");
	vici_section(&v, "ikesas");
	vici_kvf(&v, "total", "%u", t.ike);
	vici_kvf(&v, "half-open", "%u", sa_half_open(a));
	vici_section_end(&v);
	vici_list(&v, "plugins");
	vici_item(&v, "xdpsec");
	if (a->engine)
		vici_item(&v, engine_name(a->engine));
	vici_list_end(&v);
	vici_section(&v, "mallinfo");
	vici_kvf(&v, "sbrk", "%zu", mi.arena);
	vici_kvf(&v, "mmap", "%zu", mi.hblkhd);
	vici_kvf(&v, "used", "%zu", mi.uordblks);
	vici_kvf(&v, "free", "%zu", mi.fordblks);
	vici_section_end(&v);
	reply_end(cl, &v);
}
