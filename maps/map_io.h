/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Inside maps/ only: rows of per-CPU arrays, whose values are `size` bytes (a multiple of 8) a CPU.
 */

/* Adds up the 64-bit words of all CPUs into sum[size / 8]. 0 or -errno. */
int map_percpu_sum(int fd, uint32_t key, size_t size, uint64_t *sum);
int map_percpu_clear(int fd, uint32_t key, size_t size);
