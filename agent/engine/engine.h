/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/conf/conf.h"
#include "agent/crypt/crypt.h"
#include "agent/sa/handle.h"
#include "maps/maps.h"

struct event_base;
struct gateway_conf;

/*
 * Where Child SAs live: BPF maps for the classifier, an engine for the ciphers. The engine owns slots,
 * SPIs, bundles and policies; the exchanges ask for them here and nowhere else. Make before break:
 * engine_install_in, then engine_install_out, then engine_activate (one 8-byte store), later engine_remove.
 */

/* Proof that the peer is authenticated: only agent/exch/auth.c makes one. What installs takes it. */
struct ike_authenticated {
	uint32_t ike_id;
	uint64_t proof; /* set by ike_authenticate(), checked here: never zero */
};

struct engine_child {
	uint32_t child_id, ike_id;
	const char *conn, *child;
	const struct child_conf *conf;
	const struct child_suite *suite;
	enum conf_engine engine; /* as engine_want */
	enum conf_mode mode;
	struct endpoint local, remote; /* outer; ports matter with encap */
	bool encap;
	uint8_t protocol; /* IPPROTO_ESP, IPPROTO_AH */
	bool no_tfc; /* the peer said ESP_TFC_PADDING_NOT_SUPPORTED */
	uint32_t spi_in, spi_out;
	uint16_t cpi_in, cpi_out; /* IPComp with DEFLATE below ESP or AH (RFC 3173): both, or 0 and none */
	const struct ts_list *ts_local, *ts_remote;
	uint32_t reqid;
	uint64_t life_s; /* hard limit by time from now, 0 = none */
	uint64_t soft_bytes, hard_bytes, soft_packets, hard_packets;
};

/*
 * Who does the ciphers of a Child SA: the process xdpsec-dataplane, or the kernel. A child says which it wants; `auto` is
 * the dataplane when it is there and able, else the kernel.
 */
enum { ENGINE_WHY_MAX = 256 };

struct engine_want {
	const struct child_conf *conf;
	enum conf_engine engine; /* as the newest configuration says */
	const struct child_suite *suite; /* NULL: not known yet */
};

enum engine_why {
	ENGINE_WHY_NONE,
	ENGINE_WHY_ASKED,	 /* engine = ... says so */
	ENGINE_WHY_NEEDED,	 /* only the kernel can do what the child asks for */
	ENGINE_WHY_DATAPLANE_UP, /* auto: a dataplane is connected */
	ENGINE_WHY_NO_DATAPLANE, /* auto: there is none */
	ENGINE_WHY_UNABLE,	 /* auto: the dataplane cannot do the algorithms */
	ENGINE_WHY_INHERITED,	 /* an earlier agent chose */
};

struct engine_stat {
	struct xs_sa_dir_stat in, out;
	uint16_t mtu; /* largest inner packet, 0 = not known yet */
};

/* An SA pair as the engine knows it; index = slot. Zero = none. */
struct engine_sa {
	uint32_t slot, generation;
};

enum engine_event_kind {
	ENGINE_UP,	   /* a dataplane connected; new_instance says whether earlier SAs are gone */
	ENGINE_DOWN,	   /* it went away: protected traffic is dropped until it is back */
	ENGINE_SOFT,	   /* soft limit: rekey this Child SA */
	ENGINE_HARD,	   /* hard limit: delete it */
	ENGINE_LOST,	   /* its SAs vanished: make it anew */
	ENGINE_NAT_CHANGE, /* authenticated ESP from another endpoint */
	ENGINE_ACQUIRE,	   /* a packet met a trap policy */
	ENGINE_UNKNOWN_SPI,
	ENGINE_ORPHAN_EXPIRED,
};

struct engine_event {
	enum engine_event_kind kind;
	bool new_instance;
	struct engine_sa sa;
	uint32_t policy, spi;
	struct endpoint remote;
	struct xs_tuple tuple;
	char conn[CONF_NAME_MAX], child[CONF_NAME_MAX]; /* ACQUIRE: whose trap */
};

struct engine;
typedef void (*engine_event_fn)(void *ctx, const struct engine_event *ev);
typedef void (*engine_done_fn)(void *ctx, struct sa_ref ref, uint64_t tag, int error);

/* Opens the pinned maps and starts connecting to the dataplane (again and again, on events and a timer).
 * NULL, errno and one line in err when the maps cannot be opened. */
struct engine *engine_open(struct event_base *base, const struct gateway_conf *gw, engine_event_fn fn,
			   void *ctx, char *err, size_t errlen);
/* Runs the loop until the first greeting of a dataplane that is there, or `ms` passed; not at all without one. */
void engine_settle(struct engine *e, unsigned int ms);
/* From here on the loop reads the ring of map events (acquires, unknown SPIs). Those that came earlier, with no agent
 * there, are in it: call it once there is a configuration to look them up in. -ENOMEM. */
int engine_listen(struct engine *e);
/* Before engine_close at a polite end: runs the loop until the dataplane has answered all that was asked, `ms` at most.
 * From here on no callback comes. */
void engine_drain(struct engine *e, unsigned int ms);
void engine_close(struct engine *e); /* leaves maps and SAs as they are: traffic flows on */

/* A free slot and an SPI whose low bits are the slot; quarantined for a while after its last use. 0 or -ENOSPC. */
int engine_spi_alloc(struct engine *e, struct engine_sa *sa, uint32_t *spi);
/* Gives back what was allocated and never installed. */
void engine_spi_free(struct engine *e, struct engine_sa sa);
/* Keys are taken (moved out and wiped here as soon as the engine has them). done comes once, possibly
 * before the call returns; error -ENOTCONN when no dataplane runs. 0 or -errno: then no callback. */
int engine_install_in(struct engine *e, const struct ike_authenticated *proof, struct engine_sa sa,
		      const struct engine_child *c, struct secret *encr, struct secret *integ,
		      engine_done_fn done, void *ctx, struct sa_ref ref, uint64_t tag);
int engine_install_out(struct engine *e, const struct ike_authenticated *proof, struct engine_sa sa,
		       const struct engine_child *c, struct secret *encr, struct secret *integ,
		       engine_done_fn done, void *ctx, struct sa_ref ref, uint64_t tag);
/*
 * Makes a pair the one that its selectors encrypt with: takes over the policies and the bundle of an earlier pair of the
 * same conn, child and selectors (a rekey, a trap, an orphan of an earlier agent) or adds new ones. 0 or -errno.
 */
int engine_activate(struct engine *e, struct engine_sa sa, const struct engine_child *c);
/* Removes both directions; policies only when this pair is the one in force: then they become trap
 * policies (trap true) or go. Statistics at the end, when wanted. */
void engine_remove(struct engine *e, struct engine_sa sa, bool trap);
/* Same with the outbound half only: after a Delete was sent the old inbound stays for its grace. */
void engine_remove_out(struct engine *e, struct engine_sa sa);
int engine_stat_get(struct engine *e, struct engine_sa sa, struct engine_stat *out);
/* New outer endpoints of a pair (authenticated NAT mapping change). -EOPNOTSUPP: it has to be rekeyed instead. */
int engine_move(struct engine *e, struct engine_sa sa, const struct endpoint *local,
		const struct endpoint *remote);
/* Trap, bypass and discard policies of a configured child without SA. 0 or -errno. */
int engine_trap(struct engine *e, const struct conn_conf *conn, const struct child_conf *child,
		const struct ts_list *local, const struct ts_list *remote);
int engine_untrap(struct engine *e, const char *conn, const char *child);

/* Rows that an earlier agent left: counted at open, listed by conn and child, so that the agent can connect
 * again those it has a configuration for. They carry traffic until replaced or expired. */
struct engine_orphan {
	char conn[XS_NAME_LEN], child[XS_NAME_LEN];
	struct engine_sa sa;
	struct ip_addr local, remote;
	uint32_t spi_in, spi_out;
	uint64_t expires_ns;
};
unsigned int engine_orphans(struct engine *e, struct engine_orphan *out, unsigned int max);
void engine_orphan_remove(struct engine *e, struct engine_sa sa);

/* Policies that an earlier agent left for a child, and that nothing of this agent's has taken over yet. */
struct engine_inherited {
	char conn[CONF_NAME_MAX], child[CONF_NAME_MAX]; /* as rows hold them, cut; the answer may write them out */
	const struct xs_policy *row;
	uint32_t n;
	bool carried; /* an SA encrypts what they select */
};
typedef bool (*engine_keep_fn)(void *ctx, struct engine_inherited *p);
/*
 * Asks about each of them, at each configuration. Kept: closed, also when their SA ends, until a pair of that child is
 * in force for any of what they select. Not kept: they go, at once or with their SA; so do all with keep NULL. Those
 * of configured traps whose SA was lost are asked about once, so that it can be connected again; the trap stays.
 * Returns how many go.
 */
unsigned int engine_sort_inherited(struct engine *e, engine_keep_fn keep, void *ctx);

/* IKE datagrams a second and source that XDP lets through from now on; 0 = all. */
void engine_set_ike_rate(struct engine *e, uint32_t rate);

struct xs_maps *engine_maps(struct engine *e);
bool engine_ready(const struct engine *e); /* a dataplane is connected */
const char *engine_name(const struct engine *e); /* "dataplane" */
/* The kernel's IPsec can be used; if not, why: "this kernel has no ESP (modprobe esp4)". */
bool engine_kernel_ready(const struct engine *e);
const char *engine_kernel_why_not(const struct engine *e);
/* Does this kernel do that row of alg.h in ESP? */
bool engine_kernel_alg(const struct engine *e, const struct alg *a);
/* What children that do not say want: at the start and after each reload. */
void engine_set_standard(struct engine *e, enum gw_engine standard);
/*
 * Who would take such a Child SA now. -ENOTCONN: nobody yet, when a dataplane connects it may go; -EOPNOTSUPP: nobody.
 * out->why is a sentence either way.
 */
struct engine_pick {
	const char *engine; /* "kernel", "dataplane", or "none" */
	char why[ENGINE_WHY_MAX];
};
int engine_pick(struct engine *e, const struct engine_want *w, struct engine_pick *out);
/* Who has a pair, why, and under which numbers of the kernel's. 0 or -ENOENT. */
struct engine_info {
	const char *engine; /* "kernel", "dataplane" */
	bool offload, device; /* kernel: a card encrypts; chosen by the XFRM interface */
	char why[ENGINE_WHY_MAX];
	uint32_t reqid, if_id_in, if_id_out;
	uint32_t mark_in, mask_in, mark_out, mask_out;
};
/* CONF_ENGINE_KERNEL or _DATAPLANE: who has this pair; _DEFAULT: nobody. */
enum conf_engine engine_of(struct engine *e, struct engine_sa sa);
int engine_info_get(struct engine *e, struct engine_sa sa, struct engine_info *out);
/* What `xdpsec show plane` prints: last PLANE_INFO, refreshed by each call; NULL before the first. */
struct plane_info;
const struct plane_info *engine_plane_info(struct engine *e);
