// SPDX-License-Identifier: BSD-2-Clause
#include "loader.h"

#include <string.h>
#include <unistd.h>

void journal_add(struct journal *j, enum undo_kind kind, const char *ifname, uint32_t ifindex,
		 int old_prog_fd)
{
	struct undo *u;

	if (j->n == sizeof(j->step) / sizeof(j->step[0])) {
		if (old_prog_fd >= 0)
			close(old_prog_fd);
		return;
	}
	u = &j->step[j->n++];
	u->kind = kind;
	strncpy(u->ifname, ifname, sizeof(u->ifname) - 1);
	u->ifindex = ifindex;
	u->old_prog_fd = old_prog_fd;
}

void journal_free(struct journal *j)
{
	for (uint32_t i = 0; i < j->n; i++)
		if (j->step[i].old_prog_fd >= 0)
			close(j->step[i].old_prog_fd);
	j->n = 0;
}
