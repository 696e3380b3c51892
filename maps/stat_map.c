// SPDX-License-Identifier: BSD-2-Clause
#include "map_io.h"
#include "maps.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int map_percpu_sum(int fd, uint32_t key, size_t size, uint64_t *sum)
{
	int cpus = libbpf_num_possible_cpus(), err;
	size_t words = size / sizeof(uint64_t);
	uint64_t *v;

	if (cpus < 0)
		return cpus;
	v = calloc((size_t)cpus, size);
	if (!v)
		return -ENOMEM;
	err = bpf_map_lookup_elem(fd, &key, v);
	memset(sum, 0, size);
	for (size_t i = 0; !err && i < (size_t)cpus * words; i++)
		sum[i % words] += v[i];
	free(v);
	return err;
}

int map_percpu_clear(int fd, uint32_t key, size_t size)
{
	int cpus = libbpf_num_possible_cpus(), err;
	void *v;

	if (cpus < 0)
		return cpus;
	v = calloc((size_t)cpus, size);
	if (!v)
		return -ENOMEM;
	err = bpf_map_update_elem(fd, &key, v, BPF_ANY);
	free(v);
	return err;
}

static const char *const drop_names[XS_DROP_MAX] = {
#define X(id, name, text) [id] = #name,
    XS_DROPS(X)
#undef X
};

static const char *const drop_texts[XS_DROP_MAX] = {
#define X(id, name, text) [id] = text,
    XS_DROPS(X)
#undef X
};

const char *xs_drop_name(enum xs_drop reason)
{
	return (unsigned int)reason < XS_DROP_MAX ? drop_names[reason] : NULL;
}

const char *xs_drop_text(enum xs_drop reason)
{
	return (unsigned int)reason < XS_DROP_MAX ? drop_texts[reason] : NULL;
}

int xs_drop_get(struct xs_maps *m, enum xs_drop reason, uint64_t *packets)
{
	return map_percpu_sum(m->fd[XS_MAP_drop], reason, sizeof(*packets), packets);
}

static int count_get(int fd, uint32_t key, struct xs_count *c)
{
	uint64_t sum[2];
	int err = map_percpu_sum(fd, key, sizeof(*c), sum);

	_Static_assert(sizeof(*c) == sizeof(sum), "two words");
	*c = (struct xs_count){.packets = sum[0], .bytes = sum[1]};
	return err;
}

int xs_sa_rx_get(struct xs_maps *m, uint32_t slot, struct xs_count *c)
{
	return count_get(m->fd[XS_MAP_sa_rx], slot, c);
}

int xs_sa_tx_get(struct xs_maps *m, uint32_t slot, struct xs_count *c)
{
	return count_get(m->fd[XS_MAP_sa_tx], slot, c);
}

int xs_policy_stat_get(struct xs_maps *m, uint32_t policy, struct xs_count *c)
{
	return count_get(m->fd[XS_MAP_policy_stat], policy, c);
}
