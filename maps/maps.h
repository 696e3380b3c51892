/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "layout.h"
#include "names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The pinned maps, opened: descriptors of all and the mmapable ones mapped. One value a process.
 * Opening checks the layout row: another version or size is -EPROTO and says so.
 */
struct xs_maps {
	int fd[XS_MAPS];
	uint32_t sa_slots, policies;
	volatile struct xs_ctl *ctl;
	volatile uint64_t *bundle;	     /* [policies] */
	volatile struct xs_sa_stat *sa_stat; /* [sa_slots] */
	volatile struct xs_sa_seq *sa_seq;   /* [sa_slots] */
	volatile struct xs_sa_slot *sa_slot; /* [sa_slots] */
	char pin_dir[108];
};

/* 0 or -errno with one line of explanation (names the map and the next step) in err. */
int xs_maps_open(struct xs_maps *m, const char *pin_dir, char *err, size_t errlen);
/* The same for maps that are not pinned (tests, benchmarks): the descriptors are duplicated. */
int xs_maps_adopt(struct xs_maps *m, const int fd[XS_MAPS], char *err, size_t errlen);
void xs_maps_close(struct xs_maps *m);
const char *xs_map_name(enum xs_map map);
const char *xs_drop_name(enum xs_drop reason); /* NULL for an id without a row */
const char *xs_drop_text(enum xs_drop reason);

/* ---- sa_map: one slot a Child SA pair -------------------------------------------------- */
/* Rows for people, and the hot slot; the SPI in the slot is stored last. 0 or -errno. */
int xs_sa_in_put(struct xs_maps *m, const struct xs_sa *sa, uint32_t policy);
int xs_sa_out_put(struct xs_maps *m, const struct xs_sa *sa);
int xs_sa_in_del(struct xs_maps *m, uint32_t spi);
int xs_sa_out_del(struct xs_maps *m, uint32_t slot);
/* Each live row, in any order, until fn returns non-zero (which is then returned). */
int xs_sa_in_each(struct xs_maps *m, int (*fn)(void *ctx, const struct xs_sa *sa), void *ctx);
int xs_sa_out_each(struct xs_maps *m, int (*fn)(void *ctx, const struct xs_sa *sa), void *ctx);
/* Publishes what a bundle encrypts with: one 8-byte store. 0 withdraws. */
void xs_bundle_set(struct xs_maps *m, uint32_t bundle, uint64_t word);
uint64_t xs_bundle_get(struct xs_maps *m, uint32_t bundle);
/* Clears statistics and sequence of a slot before it is used again. */
void xs_slot_clear(struct xs_maps *m, uint32_t slot);

/* ---- policy_map: policies and the classifier's index over them ------------------------- */
/*
 * The writer's copy of the index (which masks exist, what lies behind each). One a process; it is
 * rebuilt from the pinned policies when opened, so that an agent that starts again goes on.
 */
struct xs_policies;
struct xs_policies *xs_policies_open(struct xs_maps *m); /* NULL and errno */
void xs_policies_free(struct xs_policies *ps);
/* Adds a policy under a new id (*id), its ranges split into prefixes; the flow epoch moves once.
 * -EEXIST when the same selectors with the same priority are there (*id says which), -ENOSPC,
 * -E2BIG (more than XS_MASKS_MAX masks or XS_RANGES_MAX ranges behind a selector): nothing is half
 * added. */
int xs_policy_add(struct xs_policies *ps, const struct xs_policy *row, uint32_t *id);
/* Many at once, for load and for the benchmark: one epoch, batch updates. ids may be NULL. */
int xs_policy_add_many(struct xs_policies *ps, const struct xs_policy *rows, uint32_t n,
		       uint32_t *ids);
/* Changes action and bundle of a policy in one step (trap -> protect and back). */
int xs_policy_set(struct xs_policies *ps, uint32_t id, enum xs_action action, uint32_t bundle);
/* Voids all cached decisions; policies stay as they are. */
int xs_policies_refresh(struct xs_policies *ps);
int xs_policy_del(struct xs_policies *ps, uint32_t id);
int xs_policy_get(struct xs_policies *ps, uint32_t id, struct xs_policy *row);
/* The row of one id as the map has it, for listings that stop and go on. 0 or -ENOENT. */
int xs_policy_row(struct xs_maps *m, uint32_t id, struct xs_policy *row);
int xs_policy_each(struct xs_maps *m,
		   int (*fn)(void *ctx, uint32_t id, const struct xs_policy *row), void *ctx);
/* A bundle id that no policy uses (1..); 0 when there is none. */
uint32_t xs_bundle_alloc(struct xs_policies *ps);
void xs_bundle_free(struct xs_policies *ps, uint32_t bundle);

/* ---- port_map, stat_map, event ---------------------------------------------------------- */
int xs_port_put(struct xs_maps *m, uint32_t ifindex, const struct xs_port *port);
int xs_port_get(struct xs_maps *m, uint32_t ifindex, struct xs_port *port);
int xs_port_del(struct xs_maps *m, uint32_t ifindex);
int xs_port_each(struct xs_maps *m,
		 int (*fn)(void *ctx, uint32_t ifindex, const struct xs_port *port), void *ctx);
/* Makes the `local` map say which addresses this host has (getifaddrs): for the loader, and for the
 * agent after each netlink address event. 1 when it changed: whoever owns the policies then calls
 * xs_policies_refresh; 0 when not; or -errno. */
int xs_local_sync(struct xs_maps *m);
int xs_xsk_put(struct xs_maps *m, uint32_t port, uint32_t queue, int xsk_fd);
/* Sums over CPUs. */
int xs_drop_get(struct xs_maps *m, enum xs_drop reason, uint64_t *packets);
int xs_sa_rx_get(struct xs_maps *m, uint32_t slot, struct xs_count *c);
int xs_sa_tx_get(struct xs_maps *m, uint32_t slot, struct xs_count *c);
int xs_policy_stat_get(struct xs_maps *m, uint32_t policy, struct xs_count *c);
/* The event ring: a descriptor to poll, and a call that runs fn for what is there. */
struct xs_events;
struct xs_events *xs_events_open(struct xs_maps *m,
				 void (*fn)(void *ctx, const struct xs_event *ev), void *ctx);
int xs_events_fd(struct xs_events *e);
int xs_events_read(struct xs_events *e);
void xs_events_close(struct xs_events *e);
