/* SPDX-License-Identifier: BSD-2-Clause */
#include "core.h"

/*
 * RFC 3173 3.3: who receives chooses the CPI, of 256 to 61439, and a packet is told from others by it and the address
 * that it is sent to. They go round, from a random place: one that was left comes again when all others had their
 * turn, and hardly is one of an earlier agent.
 */
uint16_t cpi_take(struct agent_core *core)
{
	struct cpis *c = &core->cpis;

	if (!c->begun) {
		c->begun = core->parts->random(&c->next, sizeof(c->next)) == 0;
		c->next %= CPIS;
	}
	for (unsigned int i = 0; i < CPIS; i++) {
		uint32_t at = c->next;

		c->next = (at + 1) % CPIS;
		if (c->used[at / 8] & 1 << at % 8)
			continue;
		c->used[at / 8] |= (uint8_t)(1 << at % 8);
		return (uint16_t)(IPCOMP_CPI_MIN + at);
	}
	return 0;
}

void cpi_drop(struct agent_core *core, uint16_t cpi)
{
	unsigned int at = cpi - (unsigned int)IPCOMP_CPI_MIN;

	if (cpi >= IPCOMP_CPI_MIN && at < CPIS)
		core->cpis.used[at / 8] &= (uint8_t)~(1 << at % 8);
}
