/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel.h"

#include <errno.h>
#include <stdio.h>

/* Which back end takes a Child SA. */

static const char no_dataplane[] = "no dataplane is connected, CHILD_SAs cannot be installed";

static enum conf_engine wish(const struct engine *e, const struct engine_want *w)
{
	struct child_conf as = *w->conf;

	as.engine = w->engine;
	return child_engine(&as, e->standard);
}

static int refuse(int err, char why[ENGINE_WHY_MAX], const char *text)
{
	snprintf(why, ENGINE_WHY_MAX, "%s", text);
	return err;
}

/* This back end or none. */
static int only(struct engine *e, const struct engine_backend *b, const struct engine_want *w, enum engine_why reason,
		struct engine_choice *out, char why[ENGINE_WHY_MAX])
{
	char text[ENGINE_WHY_MAX];

	if (w->suite && !b->able(e, w->suite, text)) {
		snprintf(why, ENGINE_WHY_MAX, "child %s wants engine %s, but %.120s", w->conf->name, b->name, text);
		return -EOPNOTSUPP;
	}
	*out = (struct engine_choice){.backend = b, .why = reason};
	return 0;
}

static int the_kernel(struct engine *e, const struct engine_want *w, enum engine_why reason, struct engine_choice *out,
		      char why[ENGINE_WHY_MAX])
{
	const char *need = child_needs_kernel(w->conf);

	if (kernel_backend.ready(e) && w->conf->kernel.ipcomp && !e->kernel->probe.has[XF_IPCOMP]) {
		snprintf(why, ENGINE_WHY_MAX, "child %s wants ipcomp, but %.120s", w->conf->name,
			 e->kernel->probe.why_not[XF_IPCOMP]);
		return -EOPNOTSUPP;
	}
	if (kernel_backend.ready(e))
		return only(e, &kernel_backend, w, reason, out, why);
	if (reason == ENGINE_WHY_NEEDED)
		snprintf(why, ENGINE_WHY_MAX, "child %s needs engine kernel for %.24s, but %.120s", w->conf->name, need,
			 e->kernel_why);
	else
		snprintf(why, ENGINE_WHY_MAX, "child %s wants engine kernel, but %.120s", w->conf->name, e->kernel_why);
	return -EOPNOTSUPP;
}

static int automatic(struct engine *e, const struct engine_want *w, struct engine_choice *out, char why[ENGINE_WHY_MAX])
{
	bool plane = plane_backend.ready(e), kernel = kernel_backend.ready(e);
	char text[ENGINE_WHY_MAX];

	if (plane && (!w->suite || plane_backend.able(e, w->suite, text))) {
		*out = (struct engine_choice){.backend = &plane_backend, .why = ENGINE_WHY_DATAPLANE_UP};
		return 0;
	}
	if (!kernel && !plane)
		return refuse(-ENOTCONN, why, no_dataplane);
	if (!kernel)
		return only(e, &plane_backend, w, ENGINE_WHY_DATAPLANE_UP, out, why);
	return only(e, &kernel_backend, w, plane ? ENGINE_WHY_UNABLE : ENGINE_WHY_NO_DATAPLANE, out, why);
}

int backend_choose(struct engine *e, const struct engine_want *w, struct engine_choice *out, char why[ENGINE_WHY_MAX])
{
	enum conf_engine how = wish(e, w);

	*out = (struct engine_choice){0};
	why[0] = '\0';
	if (child_needs_kernel(w->conf))
		return the_kernel(e, w, how == CONF_ENGINE_KERNEL ? ENGINE_WHY_ASKED : ENGINE_WHY_NEEDED, out, why);
	switch (how) {
	case CONF_ENGINE_KERNEL:
		return the_kernel(e, w, ENGINE_WHY_ASKED, out, why);
	case CONF_ENGINE_DATAPLANE:
		if (!plane_backend.ready(e))
			return refuse(-ENOTCONN, why, no_dataplane);
		return only(e, &plane_backend, w, ENGINE_WHY_ASKED, out, why);
	default:
		return automatic(e, w, out, why);
	}
}

/* ---- for people ------------------------------------------------------------------------------------- */
static void reason(const struct engine_choice *c, const char *need, char why[ENGINE_WHY_MAX])
{
	switch (c->why) {
	case ENGINE_WHY_ASKED:
		snprintf(why, ENGINE_WHY_MAX, "engine = %s", c->backend->name);
		return;
	case ENGINE_WHY_NEEDED:
		snprintf(why, ENGINE_WHY_MAX, "auto: only the kernel does %s", need ? need : "what it asks for");
		return;
	case ENGINE_WHY_DATAPLANE_UP:
		snprintf(why, ENGINE_WHY_MAX, "auto: a dataplane is connected");
		return;
	case ENGINE_WHY_NO_DATAPLANE:
		snprintf(why, ENGINE_WHY_MAX, "auto: no dataplane is connected");
		return;
	case ENGINE_WHY_UNABLE:
		snprintf(why, ENGINE_WHY_MAX, "auto: the dataplane lacks its algorithms");
		return;
	case ENGINE_WHY_INHERITED:
		snprintf(why, ENGINE_WHY_MAX, "as an earlier agent chose");
		return;
	case ENGINE_WHY_NONE:
		why[0] = '\0';
	}
}

int engine_pick(struct engine *e, const struct engine_want *w, struct engine_pick *out)
{
	struct engine_choice c;
	int err = backend_choose(e, w, &c, out->why);

	out->engine = err ? "none" : c.backend->name;
	if (!err)
		reason(&c, child_needs_kernel(w->conf), out->why);
	return err;
}

enum conf_engine engine_of(struct engine *e, struct engine_sa sa)
{
	const struct sa_pair *p = pair_find(e, sa);

	if (!p)
		return CONF_ENGINE_DEFAULT;
	return p->backend == &kernel_backend ? CONF_ENGINE_KERNEL : CONF_ENGINE_DATAPLANE;
}

int engine_info_get(struct engine *e, struct engine_sa sa, struct engine_info *out)
{
	const struct sa_pair *p = pair_find(e, sa);
	const struct kernel_pair *k = p ? p->kernel : NULL;
	struct engine_choice c;

	if (!p)
		return -ENOENT;
	c = (struct engine_choice){.backend = p->backend, .why = p->why};
	*out = (struct engine_info){.engine = p->backend->name, .reqid = p->half[HALF_IN].row.reqid};
	reason(&c, p->need, out->why);
	if (!k)
		return 0;
	out->offload = p->half[HALF_OUT].row.engine == XS_ENGINE_OFFLOAD;
	out->device = k->device;
	out->if_id_in = k->if_id[HALF_IN];
	out->if_id_out = k->if_id[HALF_OUT];
	out->mark_in = k->mark[HALF_IN].value;
	out->mask_in = k->mark[HALF_IN].mask;
	out->mark_out = k->mark[HALF_OUT].value;
	out->mask_out = k->mark[HALF_OUT].mask;
	return 0;
}

const char *engine_name(const struct engine *e)
{
	(void)e;
	return plane_backend.name;
}

bool engine_kernel_ready(const struct engine *e)
{
	return kernel_backend.ready(e);
}

const char *engine_kernel_why_not(const struct engine *e)
{
	return e->kernel_why;
}

bool engine_kernel_alg(const struct engine *e, const struct alg *a)
{
	return kernel_backend.ready(e) && e->kernel->probe.alg[alg_index(a)];
}

void engine_set_standard(struct engine *e, enum gw_engine standard)
{
	e->standard = standard;
}

const struct engine_backend *backend_of(uint8_t engine)
{
	switch (engine) {
	case XS_ENGINE_DATAPLANE:
		return &plane_backend;
	case XS_ENGINE_KERNEL:
	case XS_ENGINE_OFFLOAD:
		return &kernel_backend;
	default:
		return NULL;
	}
}
