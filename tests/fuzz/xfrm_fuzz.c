/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz-rooms: common agent/engine/xfrm */
#include "agent/engine/xfrm/codec.h"
#include "tests/xfrm_same.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Netlink messages as they come from the kernel: one after the other. What is
 * read as an SA or a policy that we could have asked for is written again and read to the same.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static bool ended(const char *s, size_t cap)
{
	return memchr(s, 0, cap);
}

static void again_policy(const struct xfrm_policy_info *first)
{
	_Alignas(8) uint8_t buf[XF_MSG_MAX];
	struct xfrm_policy_info second;
	struct xfrm_policy_spec p = first->spec;

	/* Transport templates without addresses take the selector's family on the way. */
	for (unsigned int i = 0; i < p.n_tmpl; i++)
		if (!p.tmpl[i].dst.family)
			return;
	if (xfrm_put_policy(buf, sizeof(buf), &p, false, NULL) < 0)
		return;
	check(!xfrm_get_policy((const void *)buf, &second));
	check(second.spec.dir == p.dir && second.spec.priority == p.priority &&
	      second.spec.if_id == p.if_id);
	check(same_selector(&second.spec.sel, &p.sel) && second.spec.n_tmpl == p.n_tmpl);
	check(second.spec.mark.value == p.mark.value && second.spec.mark.mask == p.mark.mask);
	for (unsigned int i = 0; i < p.n_tmpl; i++)
		check(second.spec.tmpl[i].reqid == p.tmpl[i].reqid &&
		      second.spec.tmpl[i].spi == p.tmpl[i].spi &&
		      addr_equal(&second.spec.tmpl[i].dst, &p.tmpl[i].dst));
}

static void one(const struct nlmsghdr *nlh)
{
	char text[XF_TEXT_MAX];
	struct xfrm_policy_info policy;
	struct xfrm_sa_info sa;
	struct xfrm_event ev;
	int error, r;

	if (!xfrm_get_sa(nlh, &sa))
		check(ended(sa.encr, sizeof(sa.encr)) && ended(sa.integ, sizeof(sa.integ)) &&
		      ended(sa.comp, sizeof(sa.comp)));
	if (!xfrm_get_policy(nlh, &policy)) {
		check(policy.spec.n_tmpl <= XF_TMPL_MAX);
		again_policy(&policy);
	}
	if (!xfrm_get_ack(nlh, &error, text))
		check(error <= 0 && ended(text, sizeof(text)));
	r = xfrm_get_event(nlh, &ev);
	check(r == 1 || r == 0 || r == -EBADMSG);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	struct slice left = slice_of(copy, size);
	const struct nlmsghdr *nlh;

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	while ((nlh = xfrm_next_message(&left)))
		one(nlh);
	free(copy);
	return 0;
}
