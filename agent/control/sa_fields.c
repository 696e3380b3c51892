/* SPDX-License-Identifier: BSD-2-Clause */
#include "control_int.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

const char *ike_name(const struct ike_sa *ike)
{
	return ike->conn ? ike->conn->name : "(unnamed)";
}

const char *mode_text(enum conf_mode mode)
{
	static const char *const text[] = {
		[CONF_MODE_TUNNEL] = "TUNNEL",
		[CONF_MODE_TRANSPORT] = "TRANSPORT",
		[CONF_MODE_PASS] = "PASS",
		[CONF_MODE_DROP] = "DROP",
	};

	return text[mode];
}

/* Whole seconds until (or since) a monotonic time, never negative. */
static uint64_t seconds_between(uint64_t from_ms, uint64_t to_ms)
{
	return to_ms > from_ms ? (to_ms - from_ms) / 1000 : 0;
}

static void algorithm(struct vici_wr *v, const char *key, const struct transform *t)
{
	const struct alg *alg = t ? alg_find(t->type, t->id, t->key_bits) : NULL;

	if (alg)
		vici_kv(v, key, alg->base);
}

static void algorithms(struct vici_wr *v, const struct proposal *p)
{
	const struct transform *encr = proposal_find(p, IKE_T_ENCR);

	algorithm(v, "encr-alg", encr);
	if (encr && encr->key_bits)
		vici_kvf(v, "encr-keysize", "%u", encr->key_bits);
	algorithm(v, "integ-alg", proposal_find(p, IKE_T_INTEG));
	algorithm(v, "prf-alg", proposal_find(p, IKE_T_PRF));
	algorithm(v, "dh-group", proposal_find(p, IKE_T_KE));
}

static void host(struct vici_wr *v, const char *side, const struct endpoint *e, const struct conf_id *id)
{
	char key[32], addr[ADDR_STRLEN], text[ID_STRLEN];
	struct ike_id view = conf_id_view(id);

	snprintf(key, sizeof(key), "%s-host", side);
	vici_kv(v, key, addr_str(&e->ip, addr));
	snprintf(key, sizeof(key), "%s-port", side);
	vici_kvf(v, key, "%u", e->port);
	snprintf(key, sizeof(key), "%s-id", side);
	vici_kv(v, key, id->any || !id->n ? "%any" : id_str(&view, text));
}

static void nat(struct vici_wr *v, const struct ike_sa *ike)
{
	if (ike->nat_local)
		vici_kv(v, "nat-local", "yes");
	if (ike->nat_remote)
		vici_kv(v, "nat-remote", "yes");
	if (ike->nat_local || ike->nat_remote)
		vici_kv(v, "nat-any", "yes");
}

void ike_fields(struct vici_wr *v, const struct ike_sa *ike)
{
	uint64_t now = sa_now_ms();
	bool up = ike->state == IKE_ESTABLISHED || ike->state == IKE_REKEYING;

	vici_kvf(v, "uniqueid", "%u", ike->id);
	vici_kv(v, "version", "2");
	vici_kv(v, "state", ike_state_name(ike->state));
	host(v, "local", &ike->local, ike->local_id);
	host(v, "remote", &ike->remote, ike->remote_id);
	if (ike->initiator)
		vici_kv(v, "initiator", "yes");
	vici_kvf(v, "initiator-spi", "%016llx", (unsigned long long)ike->spi_i);
	vici_kvf(v, "responder-spi", "%016llx", (unsigned long long)ike->spi_r);
	nat(v, ike);
	if (ike->proposal)
		algorithms(v, ike->proposal);
	if (!up)
		return;
	vici_kvf(v, "established", "%llu",
		 (unsigned long long)seconds_between(ike->established_ms, now));
	if (ike->rekey_ms)
		vici_kvf(v, "rekey-time", "%llu",
			 (unsigned long long)seconds_between(now, ike->rekey_ms));
	if (ike->reauth_ms)
		vici_kvf(v, "reauth-time", "%llu",
			 (unsigned long long)seconds_between(now, ike->reauth_ms));
}

static void direction(struct vici_wr *v, const char *dir, const struct xs_sa_dir_stat *st)
{
	struct timespec ts;
	uint64_t now;
	char key[32];

	snprintf(key, sizeof(key), "bytes-%s", dir);
	vici_kvf(v, key, "%llu", (unsigned long long)st->bytes);
	snprintf(key, sizeof(key), "packets-%s", dir);
	vici_kvf(v, key, "%llu", (unsigned long long)st->packets);
	if (!st->packets || !st->last_ns)
		return;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
	snprintf(key, sizeof(key), "use-%s", dir);
	vici_kvf(v, key, "%llu", (unsigned long long)seconds_between(st->last_ns / 1000000, now));
}

static void selectors(struct vici_wr *v, const char *key, const struct ts_list *list)
{
	char text[TS_STRLEN];

	vici_list(v, key);
	for (unsigned int i = 0; i < list->n; i++)
		vici_item(v, ts_str(&list->ts[i], text));
	vici_list_end(v);
}

static void child_times(struct vici_wr *v, const struct child_sa *child)
{
	uint64_t now = sa_now_ms();

	if (child->rekey_ms)
		vici_kvf(v, "rekey-time", "%llu",
			 (unsigned long long)seconds_between(now, child->rekey_ms));
	if (child->expire_ms)
		vici_kvf(v, "life-time", "%llu",
			 (unsigned long long)seconds_between(now, child->expire_ms));
	if (child->installed_ms)
		vici_kvf(v, "install-time", "%llu",
			 (unsigned long long)seconds_between(child->installed_ms, now));
}

static bool in_engine(const struct child_sa *child)
{
	return child->engine.slot && child->state >= CHILD_INSTALLED && child->state < CHILD_DELETED;
}

/* Who does the work, and why; of the kernel's the numbers by which `ip xfrm` shows them. */
static void engine_fields(struct vici_wr *v, const struct agent *a, const struct child_sa *child)
{
	struct engine_info info;

	if (engine_info_get(a->engine, child->engine, &info))
		return;
	vici_kv(v, "engine", info.engine);
	vici_kv(v, "engine-why", info.why);
	if (info.offload)
		vici_kv(v, "offload", "packet");
	if (info.if_id_in)
		vici_kvf(v, "if-id-in", "%08x", info.if_id_in);
	if (info.if_id_out)
		vici_kvf(v, "if-id-out", "%08x", info.if_id_out);
	if (info.mask_in) {
		vici_kvf(v, "mark-in", "%08x", info.mark_in);
		vici_kvf(v, "mark-mask-in", "%08x", info.mask_in);
	}
	if (info.mask_out) {
		vici_kvf(v, "mark-out", "%08x", info.mark_out);
		vici_kvf(v, "mark-mask-out", "%08x", info.mask_out);
	}
}

static uint32_t reqid_of(const struct agent *a, const struct child_sa *child)
{
	struct engine_info info;

	return a->engine && in_engine(child) && !engine_info_get(a->engine, child->engine, &info) ? info.reqid
												  : child->reqid;
}

void child_fields(struct vici_wr *v, const struct agent *a, const struct child_sa *child)
{
	struct engine_stat st = {0};

	vici_kv(v, "name", child->conf->name);
	vici_kvf(v, "uniqueid", "%u", child->id);
	vici_kvf(v, "reqid", "%u", reqid_of(a, child));
	vici_kv(v, "state", child_state_name(child->state));
	vici_kv(v, "mode", mode_text(child->mode));
	vici_kv(v, "protocol", child->suite.ah ? "AH" : "ESP");
	if (child->encap)
		vici_kv(v, "encap", "yes");
	vici_kvf(v, "spi-in", "%08x", child->spi_in);
	vici_kvf(v, "spi-out", "%08x", child->spi_out);
	if (child->cpi_in) {
		vici_kvf(v, "cpi-in", "%04x", child->cpi_in);
		vici_kvf(v, "cpi-out", "%04x", child->cpi_out);
	}
	algorithms(v, child->proposal);
	if (child->suite.esn)
		vici_kv(v, "esn", "1");
	if (a->engine && in_engine(child) && !engine_stat_get(a->engine, child->engine, &st)) {
		direction(v, "in", &st.in);
		direction(v, "out", &st.out);
		if (st.mtu)
			vici_kvf(v, "mtu", "%u", st.mtu);
	}
	child_times(v, child);
	if (a->engine) {
		if (in_engine(child))
			engine_fields(v, a, child);
		vici_kvf(v, "slot", "%u", child->engine.slot);
	}
	selectors(v, "local-ts", child->ts_local);
	selectors(v, "remote-ts", child->ts_remote);
}

void child_section(struct vici_wr *v, const struct agent *a, const struct child_sa *child)
{
	char name[CONF_NAME_MAX + 16];

	snprintf(name, sizeof(name), "%s-%u", child->conf->name, child->id);
	vici_section(v, name);
	child_fields(v, a, child);
	vici_section_end(v);
}
