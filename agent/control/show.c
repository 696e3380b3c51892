/* SPDX-License-Identifier: BSD-2-Clause */
#include "control_int.h"

#include "common/plane_msg.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What only exists with maps: policies, drops, ports. */
static struct xs_maps *maps_of(struct client *cl)
{
	struct agent *a = cl->control->a;
	struct xs_maps *m = a->engine ? engine_maps(a->engine) : NULL;

	if (!m)
		reply_error(cl, "no BPF maps: run xdpsec-loader, then start xdpsecd again");
	return m;
}

static const char *action_text(unsigned int action)
{
	switch (action) {
	case XS_BYPASS:
		return "bypass";
	case XS_DISCARD:
		return "discard";
	case XS_PROTECT:
		return "protect";
	case XS_TRAP:
		return "trap";
	default:
		return "unknown";
	}
}

static void map_addr(const struct xs_addr *a, unsigned int family, struct ip_addr *out)
{
	if (family == 4) {
		addr_from_mapped(a->b, out);
		return;
	}
	*out = (struct ip_addr){.family = 6};
	memcpy(out->b, a->b, sizeof(out->b));
}

static void write_side(struct vici_wr *v, const char *key, const struct xs_policy *p, bool src)
{
	struct ts ts = {
		.protocol = p->protocol,
		.port_lo = src ? p->sport_lo : p->dport_lo,
		.port_hi = src ? p->sport_hi : p->dport_hi,
	};
	char text[TS_STRLEN];

	map_addr(src ? &p->src_lo : &p->dst_lo, p->family, &ts.lo);
	map_addr(src ? &p->src_hi : &p->dst_hi, p->family, &ts.hi);
	vici_kv(v, key, ts_str(&ts, text));
}

static void write_policy(struct vici_wr *v, struct xs_maps *m, uint32_t id, const struct xs_policy *p)
{
	struct xs_count count = {0};
	uint64_t word = p->bundle ? xs_bundle_get(m, p->bundle) : 0;
	char name[16];

	snprintf(name, sizeof(name), "%u", id);
	vici_section(v, name);
	vici_kvf(v, "id", "%u", id);
	vici_kv(v, "action", action_text(p->action));
	vici_kvf(v, "conn", "%.*s", (int)sizeof(p->conn), p->conn);
	vici_kvf(v, "child", "%.*s", (int)sizeof(p->child), p->child);
	write_side(v, "local-ts", p, true);
	write_side(v, "remote-ts", p, false);
	vici_kvf(v, "priority", "%u", p->priority);
	vici_kvf(v, "reqid", "%u", p->reqid);
	vici_kvf(v, "bundle", "%u", p->bundle);
	if (word) {
		vici_kvf(v, "slot", "%u", XS_BUNDLE_SLOT(word));
		vici_kvf(v, "child-id", "%u", p->child_id);
	}
	if (!xs_policy_stat_get(m, id, &count)) {
		vici_kvf(v, "packets", "%llu", (unsigned long long)count.packets);
		vici_kvf(v, "bytes", "%llu", (unsigned long long)count.bytes);
	}
	vici_section_end(v);
}

static int next_row(struct client *cl, struct listing *l)
{
	struct agent *a = cl->control->a;
	struct xs_maps *m = a->engine ? engine_maps(a->engine) : NULL;
	struct xs_policy p;
	struct vici_wr v;

	if (!m || ++l->at >= m->policies)
		return -ENOENT;
	if (xs_policy_row(m, l->at, &p))
		return 0;
	if (l->ike[0] && strncmp(l->ike, p.conn, sizeof(p.conn)) != 0)
		return 0;
	if (l->child[0] && strncmp(l->child, p.child, sizeof(p.child)) != 0)
		return 0;
	v = event_begin(cl->control, CONTROL_EV_SHOW_POLICY);
	write_policy(&v, m, l->at, &p);
	return listing_send(cl, &v) ? 0 : 1;
}

void cmd_show_policies(struct client *cl, struct slice body)
{
	struct listing l = {.next = next_row, .event = CONTROL_EV_SHOW_POLICY};

	if (maps_of(cl) && param_name(cl, body, "ike", l.ike, sizeof(l.ike)) &&
	    param_name(cl, body, "child", l.child, sizeof(l.child)))
		listing_start(cl, &l);
}

void cmd_show_drops(struct client *cl, struct slice body)
{
	struct xs_maps *m = maps_of(cl);
	struct vici_wr v;

	(void)body;
	if (!m)
		return;
	v = reply_begin(cl);
	vici_section(&v, "drops");
	for (unsigned int i = 1; i < XS_DROP_MAX; i++) {
		const char *name = xs_drop_name(i);
		uint64_t bpf = 0, plane;

		if (!name)
			continue;
		/* The row of slot 0, which no SA has, holds the dataplane's totals. */
		plane = m->sa_stat[0].in.drop[i] + m->sa_stat[0].out.drop[i];
		if (xs_drop_get(m, i, &bpf))
			bpf = 0;
		vici_section(&v, name);
		vici_kvf(&v, "packets", "%llu", (unsigned long long)(bpf + plane));
		vici_kvf(&v, "bpf", "%llu", (unsigned long long)bpf);
		vici_kvf(&v, "dataplane", "%llu", (unsigned long long)plane);
		vici_kv(&v, "text", xs_drop_text(i));
		vici_section_end(&v);
	}
	vici_section_end(&v);
	reply_end(cl, &v);
}

static int write_port(void *ctx, uint32_t ifindex, const struct xs_port *port)
{
	struct vici_wr *v = ctx;
	char name[sizeof(port->ifname) + 1];

	snprintf(name, sizeof(name), "%.*s", (int)sizeof(port->ifname), port->ifname);
	vici_section(v, name);
	vici_kvf(v, "ifindex", "%u", ifindex);
	vici_kv(v, "role", port->role == XS_ROLE_WAN   ? "wan"
			     : port->role == XS_ROLE_LAN ? "lan"
							 : "ramp");
	vici_kvf(v, "port", "%u", port->index);
	vici_kvf(v, "queues", "%u", port->queues);
	vici_kvf(v, "mtu", "%u", port->mtu);
	vici_kv(v, "xdp", port->native ? "native" : "generic");
	vici_section_end(v);
	return 0;
}

static void write_plane(struct vici_wr *v, const struct plane_info *info)
{
	vici_section(v, "dataplane");
	vici_kvf(v, "pid", "%u", info->pid);
	vici_kvf(v, "workers", "%u", info->workers);
	vici_kvf(v, "crypto", "%.*s", (int)sizeof(info->crypto), info->crypto);
	vici_kvf(v, "sas-in", "%u", info->sas_in);
	vici_kvf(v, "sas-out", "%u", info->sas_out);
	vici_section(v, "sockets");
	for (uint32_t i = 0; i < info->n_ports && i < PLANE_PORTS_MAX; i++) {
		const struct plane_info_port *p = &info->port[i];
		char name[sizeof(p->ifname) + 1];

		snprintf(name, sizeof(name), "%.*s", (int)sizeof(p->ifname), p->ifname);
		vici_section(v, name);
		vici_kvf(v, "kind", "%.*s", (int)sizeof(p->kind), p->kind);
		vici_kvf(v, "mode", "%.*s", (int)sizeof(p->mode), p->mode);
		vici_kvf(v, "queues", "%u", p->queues);
		vici_kvf(v, "mtu", "%u", p->mtu);
		vici_section_end(v);
	}
	vici_section_end(v);
	vici_section_end(v);
}

void cmd_show_plane(struct client *cl, struct slice body)
{
	struct agent *a = cl->control->a;
	struct xs_maps *m = maps_of(cl);
	const struct plane_info *info;
	bool ready;
	struct vici_wr v;

	(void)body;
	if (!m)
		return;
	ready = engine_ready(a->engine);
	info = engine_plane_info(a->engine);
	v = reply_begin(cl);
	vici_kv(&v, "engine", engine_name(a->engine));
	vici_kv(&v, "connected", ready ? "yes" : "no");
	vici_kv(&v, "pin-dir", m->pin_dir);
	vici_kvf(&v, "policy-epoch", "%llu", (unsigned long long)m->ctl->epoch);
	if (ready && info)
		write_plane(&v, info);
	vici_section(&v, "ports");
	xs_port_each(m, write_port, &v);
	vici_section_end(&v);
	reply_end(cl, &v);
}

static void write_net(struct vici_wr *v, const struct net *net)
{
	struct net_stat st;

	net_stat_get(net, &st);
	vici_section(v, "net");
	vici_kvf(v, "in", "%llu", (unsigned long long)st.in);
	vici_kvf(v, "strangers", "%llu", (unsigned long long)st.strangers);
	vici_kvf(v, "out", "%llu", (unsigned long long)st.out);
	vici_kvf(v, "keepalives", "%llu", (unsigned long long)st.keepalives);
	vici_kvf(v, "stray-esp", "%llu", (unsigned long long)st.stray_esp);
	vici_kvf(v, "runt", "%llu", (unsigned long long)st.runt);
	vici_kvf(v, "send-failed", "%llu", (unsigned long long)st.send_failed);
	vici_section_end(v);
}

void cmd_counters(struct client *cl, struct slice body)
{
	struct agent *a = cl->control->a;
	const struct control_stat *st = &cl->control->stat;
	struct vici_wr v = reply_begin(cl);

	(void)body;
	vici_section(&v, "ike");
	for (unsigned int i = 0; i < IKE_COUNTERS_N; i++) {
		vici_section(&v, sa_counter_name(i));
		vici_kvf(&v, "count", "%llu", (unsigned long long)sa_counter(a, i));
		vici_kv(&v, "text", sa_counter_text(i));
		vici_section_end(&v);
	}
	vici_section_end(&v);
	if (a->net)
		write_net(&v, a->net);
	vici_section(&v, "control");
	vici_kvf(&v, "accepted", "%llu", (unsigned long long)st->accepted);
	vici_kvf(&v, "refused", "%llu", (unsigned long long)st->refused);
	vici_kvf(&v, "commands", "%llu", (unsigned long long)st->commands);
	vici_kvf(&v, "unknown", "%llu", (unsigned long long)st->unknown);
	vici_kvf(&v, "malformed", "%llu", (unsigned long long)st->malformed);
	vici_kvf(&v, "slow", "%llu", (unsigned long long)st->slow);
	vici_kvf(&v, "events-dropped", "%llu", (unsigned long long)st->events_dropped);
	vici_section_end(&v);
	reply_end(cl, &v);
}

/* Those of vici's counters that we keep; the others are in "counters". */
void cmd_get_counters(struct client *cl, struct slice body)
{
	static const struct {
		const char *name;
		enum ike_counter c;
	} table[] = {
		{"ike-init-in-req", IKE_C_init_in},   {"ike-init-out-req", IKE_C_init_out},
		{"ike-rekey", IKE_C_rekey_ike},	      {"child-rekey", IKE_C_rekey_child},
		{"invalid", IKE_C_bad_syntax},	      {"invalid-spi", IKE_C_bad_spi},
	};
	struct vici_wr v;

	if (vici_find_bool(body, "all")) {
		reply_error(cl, "counters are not kept by connection");
		return;
	}
	v = reply_begin(cl);
	vici_section(&v, "counters");
	vici_section(&v, ""); /* of all connections */
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		vici_kvf(&v, table[i].name, "%llu",
			 (unsigned long long)sa_counter(cl->control->a, table[i].c));
	vici_section_end(&v);
	vici_section_end(&v);
	vici_kv(&v, "success", "yes");
	reply_end(cl, &v);
}
