/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "xfrm.h"

#include <linux/netlink.h>
#include <stddef.h>

/*
 * Netlink messages of NETLINK_XFRM from our structs and back. Pure: no socket, no allocation, no
 * log. Only this pair of files and their tests see <linux/xfrm.h>.
 */
enum {
	XF_MSG_MAX = 1536, /* bytes of the longest request: a policy of six templates, an SA with
			      all it may have */
	/* Message types that others need to know. */
	XF_MSG_NEWSA = 0x10,
	XF_MSG_NEWPOLICY = 0x13,
	/* What this machine's headers may not know; the numbers are the kernel's for good. */
	XF_A_SA_DIR = 33,	   /* 6.10 */
	XF_A_SA_PCPU = 35,	   /* 6.12 */
	XF_POLICY_CPU_ACQUIRE = 4, /* 6.12, a flag of policies */
};

/* What this kernel knows beyond what every one does. */
struct xfrm_caps {
	bool sa_dir, sa_pcpu;
};

/*
 * Each writes one whole message (NLM_F_REQUEST | NLM_F_ACK, number 0) to buf, which is aligned for
 * a struct nlmsghdr. Returns its length, -ENOBUFS, or -EINVAL and words in `why` (XF_TEXT_MAX
 * bytes, may be NULL). RFC 4303 2.2.1: an extended number has no window of zero in this kernel:
 * refused inbound.
 */
int xfrm_put_sa(void *buf, size_t room, const struct xfrm_sa_spec *s, const struct xfrm_caps *caps,
		char *why);
int xfrm_put_sa_del(void *buf, size_t room, const struct xfrm_sa_id *id);
int xfrm_put_sa_get(void *buf, size_t room, const struct xfrm_sa_id *id);
int xfrm_put_sa_dump(void *buf, size_t room);
int xfrm_put_policy(void *buf, size_t room, const struct xfrm_policy_spec *p, bool replace,
		    char *why);
int xfrm_put_policy_del(void *buf, size_t room, const struct xfrm_policy_id *id);
int xfrm_put_policy_get(void *buf, size_t room, const struct xfrm_policy_id *id);
int xfrm_put_policy_dump(void *buf, size_t room);
int xfrm_put_migrate(void *buf, size_t room, const struct xfrm_migrate_spec *m, char *why);
/* Asks for an SA that nobody has, SPI 0, with an attribute of one byte that is too short or out of
 * range: -ESRCH from a kernel that does not know the attribute, -ERANGE or -EINVAL from one that
 * does. */
int xfrm_put_attr_question(void *buf, size_t room, uint16_t attr);

/* Takes the next whole message off what a socket gave (aligned as it came); NULL at the end, or
 * when what is left is no message. libmnl's own check takes lengths of 2^31 and more for good. */
const struct nlmsghdr *xfrm_next_message(struct slice *left);

/* 0 or -EBADMSG. */
int xfrm_get_sa(const struct nlmsghdr *nlh, struct xfrm_sa_info *out);
int xfrm_get_policy(const struct nlmsghdr *nlh, struct xfrm_policy_info *out);
/* NLMSG_ERROR: *error 0 or -errno, the kernel's words in text (XF_TEXT_MAX bytes). */
int xfrm_get_ack(const struct nlmsghdr *nlh, int *error, char *text);
/* A message of the multicast groups. 1: an event; 0: nothing that anybody asked about; -EBADMSG. */
int xfrm_get_event(const struct nlmsghdr *nlh, struct xfrm_event *out);
