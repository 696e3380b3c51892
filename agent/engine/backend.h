/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "engine.h"

/*
 * Who does the ciphers: what an engine must be able to do for the slots, rows, bundles and policies that all engines
 * share. A back end holds SAs, a half at a time; it writes no rows and decides nothing about policies. Answers come
 * by install_answered and removal_answered (install.c, pair.c), each exactly once.
 */
struct engine;
struct policy_rows;
struct sa_pair;

enum half_dir { HALF_IN, HALF_OUT };

/* A half on its way into a back end: what was asked, and by whom. */
struct sa_install {
	struct engine *e;
	struct engine_sa sa;
	enum half_dir dir;
	uint32_t policy;
	engine_done_fn done;
	void *ctx;
	struct sa_ref ref;
	uint64_t tag;
};

struct engine_backend {
	const char *name;
	enum xs_engine engine; /* of rows and bundle words */
	bool (*ready)(const struct engine *e);
	/* Can it do these algorithms? False and words in `why`. */
	bool (*able)(const struct engine *e, const struct child_suite *s, char why[ENGINE_WHY_MAX]);
	/* Before the first half of a pair; NULL: nothing to do. 0 or -errno and words in `why`. */
	int (*prepare)(struct engine *e, struct sa_pair *p, const struct engine_child *c, char why[ENGINE_WHY_MAX]);
	/* What of a half's row is the back end's to say: worker, limits of its own. */
	void (*fill_row)(struct engine *e, const struct sa_pair *p, enum half_dir dir, struct xs_sa *row);
	/* Adds the SA of half[dir].row. 0: install_answered comes with `in`; -errno (-ENOTCONN: nobody there): never. */
	int (*add)(struct engine *e, struct sa_pair *p, const struct engine_child *c, enum half_dir dir,
		   const struct secret *encr, const struct secret *integ, struct sa_install *in);
	/* 0: removal_answered comes; -errno: ask again later. */
	int (*del)(struct engine *e, struct sa_pair *p, enum half_dir dir);
	/* To the endpoints that half[dir].row has now. 0 or -errno. */
	int (*move)(struct engine *e, struct sa_pair *p, enum half_dir dir);
	void (*stat)(struct engine *e, struct sa_pair *p, struct engine_stat *out);
	/* The pair is what its selectors encrypt with from now on (before the bundle says so), and not any more (after):
	 * for policies of the back end's own. NULL: nothing to do. */
	int (*in_force)(struct engine *e, struct sa_pair *p);
	void (*out_of_force)(struct engine *e, struct sa_pair *p);
	/* The pair ends; both halves are gone. NULL: nothing to do. */
	void (*forget)(struct engine *e, struct sa_pair *p);
	unsigned int (*waiting)(const struct engine *e); /* answers that are due */
};

extern const struct engine_backend plane_backend, kernel_backend;

enum { ENGINE_BACKENDS = 3 }; /* enum xs_engine; 0 is nobody */
/* The back end that rows of this engine belong to; NULL: there is none. */
const struct engine_backend *backend_of(uint8_t engine);

/*
 * The answer to add. `held` says what is known of the SA after an error: false: it is not there; true: it may be.
 * Frees `in`, after its owner was told.
 */
void install_answered(struct sa_install *in, int error, bool held, const char *text);

/* The answer to del: numbers at the end where they are known. */
struct sa_removal {
	struct engine_sa sa;
	enum half_dir dir;
	bool gone; /* false: nobody knows, it has to be asked for again */
	uint64_t packets, bytes;
	const char *text; /* of an error, or "" */
};
void removal_answered(struct engine *e, const struct sa_removal *r);

/* plane_backend.c: the connection. 0 or -errno. */
int plane_backend_open(struct engine *e, const struct gateway_conf *gw);
/* kernel_start.c: the kernel's IPsec, when it has some; when not, engine.kernel is NULL and kernel_why says why. After
 * orphans_load. 0 or -ENOMEM. */
int kernel_backend_open(struct engine *e);
void kernel_backend_close(struct engine *e);
/* kernel_traps.c: traps of children that the user's own marks or interface ids choose, and that have no rows. */
bool kernel_own_routes(const struct child_conf *c);
int kernel_trap_put(struct engine *e, const struct conn_conf *conn, const struct child_conf *child,
		    const struct policy_rows *rows);
/* How many went. */
unsigned int kernel_trap_drop(struct engine *e, const char *conn, const char *child);

/* choice.c: who takes this Child SA. 0, or as engine_pick. */
struct engine_choice {
	const struct engine_backend *backend;
	enum engine_why why;
};
int backend_choose(struct engine *e, const struct engine_want *w, struct engine_choice *out, char why[ENGINE_WHY_MAX]);
