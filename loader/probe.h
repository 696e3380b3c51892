/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Probes by netlink; to be called in a network namespace that may be spoilt. 0 when the kernel can,
 * or -errno. */
int probe_make_veth(const char *a, const char *b);
int probe_xfrm_esp(void);	/* the kernel's own ESP, by installing an SA with the NULL cipher */
int probe_xfrm_interface(void); /* links of kind xfrm */
