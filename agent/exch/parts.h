/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/agent.h"
#include "agent/cred/cred.h"

/*
 * What the core asks of the rest of the agent, as a table: the real parts, or a transport, a clock and an
 * engine under the control of a test. Each entry does what the function of its name in net.h, keys.h,
 * crypt.h and engine.h says.
 */
struct agent_parts {
	int (*random)(void *p, size_t n);
	int (*send)(struct agent *a, const struct endpoint *from, const struct endpoint *to,
		    struct slice datagram);
	int (*keepalive)(struct agent *a, const struct endpoint *from, const struct endpoint *to);
	int (*source_for)(const struct ip_addr *to, struct ip_addr *out);
	int (*psk_mac)(struct agent *a, const struct ike_id *local, const struct ike_id *remote,
		       uint16_t prf_id, struct slice octets, struct slice more, keys_mac_fn done,
		       struct job_ref ref);
	bool (*has_private)(struct agent *a, const uint8_t id[SIG_KEY_ID_LEN]);
	int (*sign)(struct agent *a, const uint8_t id[SIG_KEY_ID_LEN], enum sig_scheme scheme,
		    struct slice octets, keys_sign_fn done, struct job_ref ref);
	int (*verify)(struct agent *a, const struct cred_peer *peer, cred_done_fn done, struct job_ref ref);
	int (*engine_pick)(struct engine *e, const struct engine_want *w, struct engine_pick *out);
	int (*spi_alloc)(struct engine *e, struct engine_sa *sa, uint32_t *spi);
	void (*spi_free)(struct engine *e, struct engine_sa sa);
	int (*install_in)(struct engine *e, const struct ike_authenticated *proof, struct engine_sa sa,
			  const struct engine_child *c, struct secret *encr, struct secret *integ,
			  engine_done_fn done, void *ctx, struct sa_ref ref, uint64_t tag);
	int (*install_out)(struct engine *e, const struct ike_authenticated *proof, struct engine_sa sa,
			   const struct engine_child *c, struct secret *encr, struct secret *integ,
			   engine_done_fn done, void *ctx, struct sa_ref ref, uint64_t tag);
	int (*activate)(struct engine *e, struct engine_sa sa, const struct engine_child *c);
	void (*remove)(struct engine *e, struct engine_sa sa, bool trap);
	void (*remove_out)(struct engine *e, struct engine_sa sa);
	int (*stat_get)(struct engine *e, struct engine_sa sa, struct engine_stat *out);
	enum conf_engine (*engine_of)(struct engine *e, struct engine_sa sa);
	int (*move)(struct engine *e, struct engine_sa sa, const struct endpoint *local,
		    const struct endpoint *remote);
	int (*trap)(struct engine *e, const struct conn_conf *conn, const struct child_conf *child,
		    const struct ts_list *local, const struct ts_list *remote);
	int (*untrap)(struct engine *e, const char *conn, const char *child);
	unsigned int (*orphans)(struct engine *e, struct engine_orphan *out, unsigned int max);
	void (*orphan_remove)(struct engine *e, struct engine_sa sa);
	unsigned int (*sort_inherited)(struct engine *e, engine_keep_fn keep, void *ctx);
};

extern const struct agent_parts agent_parts_real;
