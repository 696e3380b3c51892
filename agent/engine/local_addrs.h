/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "maps/maps.h"
#include "policies.h"

struct event_base;
struct local_addrs;

/*
 * Keeps the `local` map in step with this host's addresses: at once, and again LOCAL_ADDRS_WAIT_MS after the
 * kernel tells of a change. Takes no capability. NULL and errno when there is no netlink.
 */
enum { LOCAL_ADDRS_WAIT_MS = 100, LOCAL_ADDRS_RETRY_MS = 1000 };
struct local_addrs *local_addrs_open(struct event_base *base, struct xs_maps *maps, struct policies *p);
void local_addrs_close(struct local_addrs *l);
