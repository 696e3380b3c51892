/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "esp.h"
#include "handoff.h"
#include "hold.h"
#include "next_hop.h"
#include "ring.h"
#include "xsk.h"

#include <pthread.h>
#include <semaphore.h>

struct xs_maps;

/*
 * A worker is one thread with its own packet memory, sockets, next hops and security associations; nothing
 * of that is shared while packets flow. The control thread talks to it by commands, one chain at a time,
 * which the worker carries out between two bursts; the worker answers with notes in a ring.
 */
enum worker_cmd_kind { CMD_SA_IN, CMD_SA_OUT, CMD_SA_IN_DEL, CMD_SA_OUT_DEL, CMD_SA_MOVE, CMD_NEXT_HOP, CMD_STOP };

struct worker_cmd {
	struct worker_cmd *next; /* carried out behind this one, in the same wake-up */
	enum worker_cmd_kind kind;
	uint32_t slot, generation;
	/* given to the worker; afterwards what it had there before, for the control thread to free */
	struct sa_in *in;
	struct sa_out *out;
	/* MOVE */
	enum plane_direction direction;
	uint8_t src[16], dst[16];
	uint16_t sport, dport;
	struct next_hop nh;
	int error;
	sem_t done;
};

enum worker_note_kind { NOTE_EVENT, NOTE_WANT };

struct worker_note {
	enum worker_note_kind kind;
	struct plane_event event; /* without header */
	uint8_t dst[16];	  /* WANT */
};

enum { WORKER_NOTES = 1024, WORKER_LANES_MAX = XS_PORTS_MAX * XS_QUEUES_MAX };

/* What all workers share and none changes. */
struct worker_shared {
	struct xs_maps *maps;
	struct port *ports;
	unsigned int n_ports;
	uint8_t port_by_index[XS_PORTS_MAX]; /* port map index -> place in ports, PKT_NO_PORT */
	struct worker *workers;
	unsigned int n_workers;
	struct sa_owner *owner; /* by slot */
	uint64_t busy_ns;	/* how long to spin after the last packet */
	uint32_t hold_ms;	/* how long a packet waits for its SA */
	int note_fd;		/* eventfd of the control thread */
};

/* Packets staged for one lane: written to its ring at the end of a group. */
struct stage {
	struct pkt *v[PKT_BURST];
	unsigned int n;
	bool kick;
};

struct worker {
	unsigned int id;
	const struct worker_shared *shared;
	struct chunks chunks;
	struct xsk_set xsk;
	struct stage *stage;			/* one a lane of xsk */
	uint8_t port_lane[XS_PORTS_MAX];	/* place in ports -> lane of this worker, PKT_NO_PORT */
	struct sa_pair *sa;			/* by slot */
	struct nh_cache *nh;
	struct handoff **to, **from;		/* by worker, NULL for itself */
	uint64_t now_ns;
	uint32_t icmp_tokens;
	uint64_t icmp_ns;
	int raw4, raw6;		/* header included: what the kernel has to send; raw6 -1: it has no IPv6 */
	int wake_fd;		/* eventfd: a command or a handoff waits */
	bool stop;
	struct hold hold;
	struct pkt rx[PKT_BURST];
	struct pkt spare[PKT_BURST]; /* fragments */
	unsigned int n_spare;
	pthread_t thread;
	_Alignas(64) _Atomic(struct worker_cmd *) cmd;
	_Atomic bool asleep;
	struct ring notes;
	struct worker_note note[WORKER_NOTES];
};

/* Opens memory, sockets and lanes: needs CAP_NET_RAW. 0, or -errno and one line in err. */
int worker_open(struct worker *w, unsigned int id, const struct worker_shared *shared, char *err,
		size_t errlen);
void worker_close(struct worker *w); /* after worker_join; frees the SAs that are left */
int worker_start(struct worker *w, int cpu); /* cpu -1: anywhere */
/* Control thread: has the worker carry out this command and those behind it, waits. */
void worker_do(struct worker *w, struct worker_cmd *cmd);
void worker_join(struct worker *w);
/* Control thread: the next note; false when there is none. */
bool worker_note_take(struct worker *w, struct worker_note *out);

/* ---- between worker.c, worker_cmd.c, forward_out.c, forward_in.c and transmit.c ------------ */

/* One group: packets of one direction and slot. They are taken: sent, dropped and counted, or freed. */
void forward_out(struct worker *w, struct sa_out *sa, struct pkt *v[], unsigned int n);
/* Packets of our own, IP at data, into a tunnel: checked against its selectors and its size by the caller. */
void forward_own(struct worker *w, struct sa_out *sa, struct pkt *v[], unsigned int n);
void forward_in(struct worker *w, struct sa_in *sa, struct pkt *v[], unsigned int n);

/* What a router does with a packet on its way out, but for its size: data is the IP header afterwards, the hop is
 * taken, sums are whole. 0, or why it goes no further. */
enum xs_drop forward_admit(struct worker *w, struct pkt *p);

/* Carries out the command that waits, if one does. */
void worker_command_poll(struct worker *w);

void worker_event(struct worker *w, enum plane_event_kind kind, uint32_t slot, uint32_t generation,
		  uint32_t spi, enum plane_direction direction, const struct pkt *from);
/* PLANE_EV_MTU; false when there is no room to say it now. */
bool worker_event_mtu(struct worker *w, const struct sa_out *sa, uint32_t mtu);
/* Counts by reason, for the slot (0: none) and in total, and frees the chunk. */
void pkt_drop(struct worker *w, struct pkt *p, uint32_t slot, enum plane_direction direction,
	      enum xs_drop reason);

/* The cached next hop, asking the control thread when it is unknown, stale or due; NULL: let the kernel send. */
const struct next_hop *transmit_next_hop(struct worker *w, const uint8_t dst[16]);
/* Stages p (an IP packet at data) for its next hop, or gives it to the kernel. */
void transmit(struct worker *w, struct pkt *p, const struct next_hop *nh, uint32_t slot,
	      enum plane_direction direction);
enum icmp_about { ICMP_ABOUT_SIZE, ICMP_ABOUT_HOPS };
/* An ICMP error about p, whose family is set, back to where it came from; p stays the caller's. */
void transmit_icmp(struct worker *w, const struct pkt *p, enum icmp_about about, uint32_t mtu);
/*
 * The same about a packet out of a tunnel that does not go on by port: an error for the outbound half of
 * that tunnel. False when it may not or cannot be made; otherwise the caller owns *out, an IP packet at data.
 */
bool transmit_icmp_make(struct worker *w, const struct pkt *p, uint16_t port, enum icmp_about about,
			uint32_t mtu, struct pkt *out);
/* Writes what is staged into the rings. */
void transmit_flush(struct worker *w);
/*
 * Cuts p into fragments of at most mtu bytes and calls each(ctx, fragment) for them; frees p. flush(ctx) is called
 * when no fragment may be held back any more.
 */
void transmit_fragments(struct worker *w, struct pkt *p, uint32_t mtu,
			void (*each)(void *ctx, struct pkt *fragment), void (*flush)(void *ctx),
			void *ctx);
