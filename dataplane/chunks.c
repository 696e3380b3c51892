/* SPDX-License-Identifier: BSD-2-Clause */
#include "chunks.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

int chunks_open(struct chunks *c, uint32_t count, uint32_t chunk)
{
	c->chunk = chunk;
	c->count = count;
	c->size = (uint64_t)count * chunk;
	c->area = mmap(NULL, c->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (c->area == MAP_FAILED) {
		c->area = NULL;
		return -errno;
	}
	/* Decrypted packets pass through here. */
	madvise(c->area, c->size, MADV_DONTDUMP);
	madvise(c->area, c->size, MADV_HUGEPAGE);
	c->free = malloc(count * sizeof(*c->free));
	if (!c->free) {
		chunks_close(c);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < count; i++)
		c->free[i] = count - 1 - i;
	c->n_free = count;
	return 0;
}

void chunks_close(struct chunks *c)
{
	if (c->area)
		munmap(c->area, c->size);
	free(c->free);
	*c = (struct chunks){0};
}
