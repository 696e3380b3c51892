/* SPDX-License-Identifier: BSD-2-Clause */
#include "control_int.h"

#include <string.h>

/* Level of what `log` streams: the daemon's default, as vici has no parameter for it. */
enum { LOG_EVENT_LEVEL = 1 };

/* sa_observe has no way back, so what it holds must not dangle: one control socket a process. */
static struct control *observing;

static const char *const group_names[LOG_GROUPS] = {
	[LOG_ASN1] = "ASN",    [LOG_CHILD] = "CHD",    [LOG_CONFIG] = "CFG", [LOG_DAEMON] = "DMN",
	[LOG_ENCODING] = "ENC", [LOG_IKE] = "IKE",     [LOG_IPSEC] = "ESP",  [LOG_JOB] = "JOB",
	[LOG_KERNEL] = "KNL",  [LOG_MANAGER] = "MGR", [LOG_NETWORK] = "NET",
};

static struct slice log_packet(struct control *c, enum control_event ev, enum log_group group, int level,
			       const char *name, uint32_t unique, const char *line)
{
	struct vici_wr v = vici_begin(c->log_scratch, sizeof(c->log_scratch), VICI_EVENT,
				      control_event_name(ev));

	vici_kv(&v, "group", group_names[group]);
	vici_kvf(&v, "level", "%d", level);
	if (ev == CONTROL_EV_LOG)
		vici_kv(&v, "thread", "1");
	if (name) {
		vici_kv(&v, "ikesa-name", name);
		vici_kvf(&v, "ikesa-uniqueid", "%u", unique);
	}
	vici_kv(&v, "msg", line);
	return vici_end(&v);
}

static void on_log(void *ctx, enum log_group group, int level, const char *name, uint32_t unique,
		   const char *line)
{
	struct control *c = ctx;
	struct client *cl;

	/* A worker thread may log; clients belong to the loop's thread alone. */
	if (!pthread_equal(pthread_self(), c->thread))
		return;
	TAILQ_FOREACH (cl, &c->clients, next) {
		enum control_event ev = CONTROL_EV_LOG;

		if (cl->events & 1u << CONTROL_EV_LOG && level <= LOG_EVENT_LEVEL)
			client_event(cl, log_packet(c, ev, group, level, name, unique, line));
		ev = CONTROL_EV_CONTROL_LOG;
		if (cl->op && cl->events & 1u << ev && level <= op_log_level(cl->op, name, unique))
			client_event(cl, log_packet(c, ev, group, level, name, unique, line));
	}
}

void events_update(struct control *c)
{
	struct client *cl;
	int level = -1;

	TAILQ_FOREACH (cl, &c->clients, next) {
		if (cl->events & 1u << CONTROL_EV_LOG && level < LOG_EVENT_LEVEL)
			level = LOG_EVENT_LEVEL;
		if (cl->op && cl->events & 1u << CONTROL_EV_CONTROL_LOG &&
		    level < op_log_level_max(cl->op))
			level = op_log_level_max(cl->op);
	}
	if (level == c->sink_level)
		return;
	if (c->sink_level >= 0)
		log_sink_remove(on_log, c);
	c->sink_level = -1;
	if (level >= 0 && !log_sink_add(on_log, c, level))
		c->sink_level = level;
}

static void ike_rekey_event(struct vici_wr *v, const struct sa_event *ev)
{
	vici_section(v, ike_name(ev->ike));
	vici_section(v, "old");
	ike_fields(v, ev->ike);
	vici_section_end(v);
	if (ev->ike_new) {
		vici_section(v, "new");
		ike_fields(v, ev->ike_new);
		vici_section_end(v);
	}
	vici_section_end(v);
}

static void child_rekey_event(struct vici_wr *v, const struct agent *a, const struct sa_event *ev)
{
	vici_section(v, ike_name(ev->ike));
	ike_fields(v, ev->ike);
	vici_section(v, "child-sas");
	vici_section(v, ev->child->conf->name);
	vici_section(v, "old");
	child_fields(v, a, ev->child);
	vici_section_end(v);
	if (ev->child_new) {
		vici_section(v, "new");
		child_fields(v, a, ev->child_new);
		vici_section_end(v);
	}
	vici_section_end(v);
	vici_section_end(v);
	vici_section_end(v);
}

static void updown_event(struct vici_wr *v, const struct agent *a, const struct sa_event *ev)
{
	if (ev->kind == SA_EV_IKE_UP || ev->kind == SA_EV_CHILD_UP)
		vici_kv(v, "up", "yes");
	vici_section(v, ike_name(ev->ike));
	ike_fields(v, ev->ike);
	if (ev->kind == SA_EV_CHILD_UP || ev->kind == SA_EV_CHILD_DOWN) {
		vici_section(v, "child-sas");
		child_section(v, a, ev->child);
		vici_section_end(v);
	}
	vici_section_end(v);
}

static enum control_event event_of(enum sa_event_kind kind)
{
	switch (kind) {
	case SA_EV_IKE_UP:
	case SA_EV_IKE_DOWN:
		return CONTROL_EV_IKE_UPDOWN;
	case SA_EV_IKE_REKEY:
		return CONTROL_EV_IKE_REKEY;
	case SA_EV_CHILD_REKEY:
		return CONTROL_EV_CHILD_REKEY;
	case SA_EV_CHILD_UP:
	case SA_EV_CHILD_DOWN:
		break;
	}
	return CONTROL_EV_CHILD_UPDOWN;
}

static bool wanted(const struct control *c, enum control_event ev)
{
	const struct client *cl;

	TAILQ_FOREACH (cl, &c->clients, next)
		if (cl->events & 1u << ev)
			return true;
	return false;
}

static void on_sa(void *ctx, const struct sa_event *sa)
{
	struct control *c = *(struct control **)ctx;
	enum control_event ev = event_of(sa->kind);
	struct vici_wr v;

	if (!c || !wanted(c, ev))
		return;
	v = event_begin(c, ev);
	if (ev == CONTROL_EV_IKE_REKEY)
		ike_rekey_event(&v, sa);
	else if (ev == CONTROL_EV_CHILD_REKEY)
		child_rekey_event(&v, c->a, sa);
	else
		updown_event(&v, c->a, sa);
	event_end(c, ev, &v);
}

void events_open(struct control *c)
{
	c->thread = pthread_self();
	observing = c;
	if (sa_observe(c->a, on_sa, &observing))
		log_line(LOG_CONFIG, 0, "control: too many observers, no SA events will be sent");
}

void events_close(struct control *c)
{
	if (c->sink_level >= 0)
		log_sink_remove(on_log, c);
	c->sink_level = -1;
	observing = NULL;
}
