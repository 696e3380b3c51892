/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <dirent.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* CPU time of all threads and resident memory of a few processes, from /proc. */
enum { PROC_USAGE_MAX = 8 };
static int proc_usage_pid[PROC_USAGE_MAX];
static unsigned int proc_usage_n;

struct proc_usage {
	uint64_t cpu_ns, rss_kb; /* of all */
	uint64_t cpu[PROC_USAGE_MAX], rss[PROC_USAGE_MAX];
};

static inline void proc_usage_add(int pid)
{
	if (proc_usage_n < PROC_USAGE_MAX)
		proc_usage_pid[proc_usage_n++] = pid;
}

/* schedstat's first number: nanoseconds on a processor, of one thread. */
static inline uint64_t proc_usage_cpu(int pid)
{
	char path[288];
	struct dirent *d;
	uint64_t sum = 0, ns;
	DIR *dir;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (d = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%.200s/schedstat", pid, d->d_name);
		f = d->d_name[0] == '.' ? NULL : fopen(path, "r");
		if (!f)
			continue;
		if (fscanf(f, "%" SCNu64, &ns) == 1)
			sum += ns;
		fclose(f);
	}
	if (dir)
		closedir(dir);
	return sum;
}

static inline uint64_t proc_usage_rss(int pid)
{
	char path[64], line[256];
	uint64_t kb = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %" SCNu64, &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb;
}

static inline struct proc_usage proc_usage_all(void)
{
	struct proc_usage u = {0};

	for (unsigned int i = 0; i < proc_usage_n; i++) {
		u.cpu_ns += u.cpu[i] = proc_usage_cpu(proc_usage_pid[i]);
		u.rss_kb += u.rss[i] = proc_usage_rss(proc_usage_pid[i]);
	}
	return u;
}
