// SPDX-License-Identifier: BSD-2-Clause
#include "loader.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sched.h>
#include <string.h>

/*
 * The CPUs that ESP of the kernel engine is spread over. Each has a queue and a thread in the
 * kernel; the packets of one SA go to one of them.
 */

enum { QUEUE = 2048 };

static bool of_dataplane(const struct gw_dataplane_conf *d, uint32_t cpu)
{
	for (uint32_t i = 0; i < d->n_cpus; i++)
		if (d->cpus[i] == cpu)
			return true;
	return false;
}

/* All that this process may use, but those that the dataplane's workers spin on. */
static uint32_t cpus_of_host(const struct gateway_conf *conf, uint16_t cpu[XS_SPREAD_MAX])
{
	cpu_set_t set;
	uint32_t n = 0;

	if (sched_getaffinity(0, sizeof(set), &set))
		return 0;
	for (uint32_t i = 0; i < CPU_SETSIZE && n < XS_SPREAD_MAX; i++)
		if (CPU_ISSET(i, &set) && !of_dataplane(&conf->dataplane, i))
			cpu[n++] = (uint16_t)i;
	return n;
}

uint32_t spread_choose(const struct gateway_conf *conf, const struct gw_port_conf *port,
		       const struct netdev *dev, bool native, uint16_t cpu[XS_SPREAD_MAX])
{
	uint32_t n;

	memset(cpu, 0, XS_SPREAD_MAX * sizeof(*cpu));
	if (port->role != GW_ROLE_WAN || port->spread == GW_SPREAD_NO)
		return 0;
	if (port->spread == GW_SPREAD_CPUS) {
		for (n = 0; n < port->n_spread_cpus; n++)
			cpu[n] = (uint16_t)port->spread_cpus[n];
		return n;
	}
	n = native ? cpus_of_host(conf, cpu) : 0;
	if (n > 1 && n > dev->queues)
		return n;
	memset(cpu, 0, XS_SPREAD_MAX * sizeof(*cpu));
	return 0;
}

int spread_put(int map_fd, int prog_fd, const uint16_t *cpu, uint32_t n, uint16_t *refused)
{
	struct bpf_cpumap_val v = {.qsize = QUEUE, .bpf_prog.fd = prog_fd};

	for (uint32_t i = 0; i < n; i++) {
		uint32_t key = cpu[i];
		int e = bpf_map_update_elem(map_fd, &key, &v, BPF_ANY);

		if (e) {
			*refused = cpu[i];
			return e == -E2BIG || e == -ENODEV ? -ENXIO : e;
		}
	}
	return 0;
}
