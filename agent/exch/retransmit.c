/* SPDX-License-Identifier: BSD-2-Clause */
#include "exch.h"

/*
 * timeout * base^try, at most the limit, less a random 0..jitter percent. With 4.0 s, 1.8 and 5 tries the
 * request goes out again after 4, 11, 24, 47 and 89 s and is given up after 165 s.
 */
uint64_t retransmit_wait_ms(const struct gw_ike_conf *conf, unsigned int try, uint32_t random)
{
	double wait = conf->retransmit_timeout_ms, limit = conf->retransmit_limit_s * 1000.0;

	/* A base below 1 shrinks the waits; one that explodes is cut at a day. */
	for (unsigned int i = 0; i < try && wait < 86400e3; i++)
		wait *= conf->retransmit_base;
	if (wait > 86400e3)
		wait = 86400e3;
	if (limit > 0 && wait > limit)
		wait = limit;
	wait -= wait * conf->retransmit_jitter / 100.0 * ((double)random / UINT32_MAX);
	return wait < 1 ? 1 : (uint64_t)wait;
}
