// SPDX-License-Identifier: BSD-2-Clause
#include "conf_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Which engine a child wants, and what only one of them can do. */

static const char mark_allowed[] = "a number, number/mask, %unique or %unique-dir";
static const char set_mark_allowed[] = "a number, number/mask, %same or %same/mask";

/* The word in front of the slash, if it is one of ours. */
static bool picked(const char *text, bool same, enum conf_pick *out)
{
	if (!same && strcmp(text, "%unique") == 0)
		*out = CONF_PICK_UNIQUE;
	else if (!same && strcmp(text, "%unique-dir") == 0)
		*out = CONF_PICK_UNIQUE_DIR;
	else if (same && strcmp(text, "%same") == 0)
		*out = CONF_PICK_SAME;
	else
		return false;
	return true;
}

int conf_read_mark(const struct settings *s, const struct settings_key *key, struct conf_mark *out, bool same,
		   struct settings_error *err)
{
	uint64_t value = 0, mask = UINT32_MAX;
	enum conf_pick pick = CONF_PICK_FIXED;
	char text[64];
	char *slash;

	snprintf(text, sizeof(text), "%s", key->value);
	slash = strchr(text, '/');
	if (slash)
		*slash++ = 0;
	if ((!picked(text, same, &pick) && settings_uint(text, UINT32_MAX, &value) < 0) ||
	    (slash && settings_uint(slash, UINT32_MAX, &mask) < 0))
		return settings_err(err, s, key, "'%.64s' is not allowed; it must be %s", key->value,
				    same ? set_mark_allowed : mark_allowed);
	if (value & ~mask)
		return settings_err(err, s, key, "'%.64s' has bits outside of its mask, no packet could have it",
				    key->value);
	*out = (struct conf_mark){.value = (uint32_t)value, .mask = (uint32_t)mask, .pick = pick};
	return 0;
}

int conf_read_if_id(const struct settings *s, const struct settings_key *key, bool of_ike, struct conf_if_id *out,
		    struct settings_error *err)
{
	enum conf_pick pick = CONF_PICK_FIXED;
	uint64_t value = 0;

	if (!picked(key->value, false, &pick) && settings_uint(key->value, UINT32_MAX, &value) < 0)
		return settings_err(err, s, key,
				    "'%.64s' is not allowed; it must be a number, %%unique or %%unique-dir",
				    key->value);
	if (value >= CONF_CHOSEN_FIRST && value <= CONF_CHOSEN_LAST)
		return settings_err(err, s, key, "0x%x to 0x%x are those that xdpsec chooses itself",
				    CONF_CHOSEN_FIRST, CONF_CHOSEN_LAST);
	if (of_ike && pick != CONF_PICK_FIXED)
		return settings_err(err, s, key,
				    "one of its own for each IKE_SA is not supported yet; a number, or %s in the children",
				    key->value);
	*out = (struct conf_if_id){.value = (uint32_t)value, .pick = pick};
	return 0;
}

static bool marked(const struct conf_mark *m)
{
	return m->value || m->mask;
}

static bool has_if_id(const struct conf_if_id *i)
{
	return i->value || i->pick != CONF_PICK_FIXED;
}

const char *child_needs_kernel(const struct child_conf *c)
{
	const struct conf_kernel *k = &c->kernel;
	const struct {
		bool is;
		const char *key;
	} needs[] = {
	    {child_proto(c) == IKE_PROTO_AH, "ah_proposals"},
	    {k->ipcomp, "ipcomp"},
	    {k->offload != CONF_OFFLOAD_NO, "hw_offload"},
	    {marked(&k->mark_in), "mark_in"},
	    {marked(&k->mark_out), "mark_out"},
	    {marked(&k->set_mark_in), "set_mark_in"},
	    {marked(&k->set_mark_out), "set_mark_out"},
	    {has_if_id(&k->if_id_in), "if_id_in"},
	    {has_if_id(&k->if_id_out), "if_id_out"},
	    {k->interface[0], "interface"},
	    {k->no_policies, "policies"},
	    {k->fwd_out, "policies_fwd_out"},
	};

	for (size_t i = 0; i < sizeof(needs) / sizeof(*needs); i++)
		if (needs[i].is)
			return needs[i].key;
	return NULL;
}

static bool is_sa(const struct child_conf *c)
{
	return c->mode == CONF_MODE_TUNNEL || c->mode == CONF_MODE_TRANSPORT;
}

static bool unique(enum conf_pick pick)
{
	return pick != CONF_PICK_FIXED && pick != CONF_PICK_SAME;
}

/* What a trap would have to be marked with is chosen when an SA is there. */
static int check_trap(const struct settings *s, const struct child_conf *c, struct settings_error *err)
{
	const struct conf_kernel *k = &c->kernel;
	const struct settings_key *key;

	if (!unique(k->mark_in.pick) && !unique(k->mark_out.pick) && !unique(k->if_id_in.pick) &&
	    !unique(k->if_id_out.pick))
		return 0;
	if (c->start_action & CONF_ACTION_TRAP)
		key = settings_key(s, "start_action");
	else if (c->close_action & CONF_ACTION_TRAP)
		key = settings_key(s, "close_action");
	else if (c->dpd_action == CONF_DPD_TRAP)
		key = settings_key(s, "dpd_action");
	else
		return 0;
	return settings_err(err, s, key,
			    "a trap has no CHILD_SA, so %%unique gives it no mark and no interface id; use fixed ones");
}

static int check_marks(const struct settings *s, const struct child_conf *c, struct settings_error *err)
{
	const struct conf_kernel *k = &c->kernel;

	if (k->mark_in_sa && !marked(&k->mark_in))
		return settings_err(err, s, settings_key(s, "mark_in_sa"), "there is no mark_in");
	if (k->set_mark_in.pick == CONF_PICK_SAME && !marked(&k->mark_in))
		return settings_err(err, s, settings_key(s, "set_mark_in"), "there is no mark_in to be the same as");
	if (k->set_mark_out.pick == CONF_PICK_SAME && !marked(&k->mark_out))
		return settings_err(err, s, settings_key(s, "set_mark_out"),
				    "there is no mark_out to be the same as");
	return check_trap(s, c, err);
}

static int check_offload(const struct settings *s, const struct child_conf *c, struct settings_error *err)
{
	bool must = c->kernel.offload == CONF_OFFLOAD_CRYPTO || c->kernel.offload == CONF_OFFLOAD_PACKET;

	if (must && child_proto(c) == IKE_PROTO_AH)
		return settings_err(err, s, settings_key(s, "hw_offload"), "devices do ESP, not AH: use auto or no");
	if (must && c->kernel.ipcomp)
		return settings_err(err, s, settings_key(s, "hw_offload"),
				    "devices do not compress: take ipcomp away, or use auto or no");
	if (must && c->tfc_padding)
		return settings_err(err, s, settings_key(s, "hw_offload"),
				    "what a device encrypts cannot be padded: take tfc_padding away, or use auto");
	return 0;
}

static int check_ah(const struct settings *s, const struct conn_conf *conn, const struct child_conf *c,
		    struct settings_error *err)
{
	const struct settings_key *key = settings_key(s, "ah_proposals");

	if (child_proto(c) != IKE_PROTO_AH)
		return 0;
	if (conn->encap)
		return settings_err(err, s, key,
				    "the connection says encap = yes, and there is no AH in UDP: use esp_proposals");
	if (c->tfc_padding)
		return settings_err(err, s, settings_key(s, "tfc_padding"), "AH has no padding: take it away");
	return 0;
}

int child_check_engine(const struct settings *s, const struct conn_conf *conn, const struct child_conf *c,
		       struct settings_error *err)
{
	const char *need = child_needs_kernel(c);
	int rc;

	if (need && !is_sa(c))
		return settings_err(err, s, settings_key(s, need),
				    "mode = %s makes a policy of the classifier, which knows no such thing",
				    c->mode == CONF_MODE_PASS ? "pass" : "drop");
	if (need && c->engine == CONF_ENGINE_DATAPLANE)
		return settings_err(err, s, settings_key(s, "engine"),
				    "the dataplane cannot do %s: use engine = kernel or auto, or take %s away", need,
				    need);
	rc = check_ah(s, conn, c, err);
	if (rc == 0)
		rc = check_marks(s, c, err);
	return rc < 0 ? rc : check_offload(s, c, err);
}

enum conf_engine child_engine(const struct child_conf *c, enum gw_engine standard)
{
	static const enum conf_engine of[] = {
	    [GW_ENGINE_AUTO] = CONF_ENGINE_AUTO,
	    [GW_ENGINE_KERNEL] = CONF_ENGINE_KERNEL,
	    [GW_ENGINE_DATAPLANE] = CONF_ENGINE_DATAPLANE,
	};

	return c->engine == CONF_ENGINE_DEFAULT ? of[standard] : c->engine;
}

static int refuse(struct settings_error *err, const struct conn_conf *conn, const struct child_conf *child,
		  const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static int refuse(struct settings_error *err, const struct conn_conf *conn, const struct child_conf *child,
		  const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(err->file, sizeof(err->file), "%s", child->file);
	err->line = child->line;
	snprintf(err->text, sizeof(err->text), "connections.%s.children.%s: %s", conn->name, child->name, text);
	return -EINVAL;
}

int conf_check_engines(const struct conf *c, enum gw_engine standard, struct settings_error *err)
{
	for (unsigned int i = 0; i < c->n_conns; i++) {
		const struct conn_conf *conn = c->conn[i];

		for (unsigned int k = 0; k < conn->n_children; k++) {
			const struct child_conf *child = &conn->child[k];
			const char *need = child_needs_kernel(child);

			if (need && child_engine(child, standard) == CONF_ENGINE_DATAPLANE)
				return refuse(err, conn, child,
					      "xdpsec.conf says engine = dataplane, which cannot do %s: use engine = "
					      "kernel or auto here",
					      need);
		}
	}
	return 0;
}
