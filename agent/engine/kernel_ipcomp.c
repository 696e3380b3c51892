/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel.h"

/*
 * IPComp (RFC 3173) in the kernel: a state of its own, whose SPI is the CPI, made and deleted with the half that it
 * belongs to. Outbound it comes before ESP or AH. Of the two the first makes the tunnel: then ESP is in transport mode,
 * around the packet that the compression made. What is not worth compressing goes as it is (2.2), so that inbound
 * the compression is optional.
 */
static enum xf_mode mode_of(const struct sa_pair *p, enum half_dir dir)
{
	return p->half[dir].row.mode == XS_TRANSPORT ? XF_TRANSPORT : XF_TUNNEL;
}

void kernel_ipcomp_spec(const struct sa_pair *p, enum half_dir dir, struct xfrm_sa_spec *esp, struct xfrm_sa_spec *comp)
{
	*comp = (struct xfrm_sa_spec){
		.dir = esp->dir,
		.src = esp->src,
		.dst = esp->dst,
		.spi = p->kernel->cpi[dir],
		.proto = IPPROTO_COMP,
		.mode = mode_of(p, dir),
		.reqid = esp->reqid,
		.if_id = esp->if_id,
		.mark = esp->mark,
		.flags = esp->flags,
	};
	comp->flags.align4 = false;
	esp->mode = XF_TRANSPORT;
}

void kernel_ipcomp_tmpl(const struct sa_pair *p, enum half_dir dir, struct xfrm_policy_spec *s)
{
	struct xfrm_tmpl *comp = &s->tmpl[0], *esp = &s->tmpl[1];

	*esp = *comp;
	s->n_tmpl = 2;
	/* Its family is that of the outer header, which the tunnel names. */
	esp->mode = XF_TRANSPORT;
	comp->proto = IPPROTO_COMP;
	comp->mode = mode_of(p, dir);
	comp->spi = dir == HALF_OUT ? p->kernel->cpi[dir] : 0;
	comp->optional = dir == HALF_IN;
}

struct xfrm_sa_id kernel_ipcomp_id(const struct sa_pair *p, enum half_dir dir)
{
	struct xfrm_sa_id id = kernel_sa_id(p, dir);

	id.spi = p->kernel->cpi[dir];
	id.proto = IPPROTO_COMP;
	return id;
}

void kernel_ipcomp_del(struct kernel_engine *k, const struct sa_pair *p, enum half_dir dir)
{
	const struct xfrm_sa_id id = kernel_ipcomp_id(p, dir);

	if (p->kernel->cpi[dir])
		xfrm_sa_del(k->client, &id, &kernel_nobody);
}

bool kernel_ipcomp_adopt(struct sa_pair *p, enum half_dir dir, const struct xfrm_sa_info *sa)
{
	struct kernel_pair *kp = p->kernel;
	uint32_t if_id = sa->spec.if_id;

	if (kp->cpi[dir] || !addr_equal(&kp->at[dir].src.ip, &sa->spec.src) ||
	    !addr_equal(&kp->at[dir].dst.ip, &sa->spec.dst) || sa->spec.spi > UINT16_MAX)
		return false;
	/* Several pairs have this reqid while they replace each other; in device mode the slot tells. */
	if (dir == HALF_OUT && if_id >= CONF_CHOSEN_FIRST && if_id <= CONF_CHOSEN_LAST && if_id != XS_XFRM_IF_ID(p->slot))
		return false;
	kp->cpi[dir] = (uint16_t)sa->spec.spi;
	kp->around = true;
	return true;
}
