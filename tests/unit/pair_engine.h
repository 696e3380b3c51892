/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/exch/exch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/*
 * An engine that remembers what it was told, one for each side of the world. It holds the agent to the promises that
 * concern one side alone: proof before anything, inbound before outbound, no slot in use that nobody has.
 */
/* A program takes of this what it needs. */
#pragma GCC diagnostic ignored "-Wunused-function"

enum { PAIR_SLOTS = 256, PAIR_ANSWERS = 16 };

struct test_slot {
	bool used, in, out, active;
	uint32_t generation, spi_in, spi_out;
	uint8_t key_in[64], key_out[64];
	size_t key_in_len, key_out_len;
	bool encap;
	struct endpoint local, remote;
	char child[CONF_NAME_MAX];
};

/* An engine that takes its time: what it will say of an outbound SA. */
struct test_answer {
	int error;
	engine_done_fn done;
	void *ctx;
	struct sa_ref ref;
	uint64_t tag;
};

struct engine {
	int side;
	const struct engine *peer; /* whose packets the counters see */
	bool ready;
	struct test_slot slot[PAIR_SLOTS];
	unsigned int installs, removes, traps, moves;
	int fail_install; /* -errno of the next install */
	bool slow; /* answers when the test says so, or when there is nothing else left */
	struct test_answer answer[PAIR_ANSWERS];
	unsigned int n_answer;
	bool peer_sends;  /* traffic flows: inbound counters show which SA the other side uses */
	bool forget;	  /* orphans asked for */
	unsigned int n_orphans;
	struct engine_orphan orphan[4];
	unsigned int n_inherited;
	struct engine_inherited inherited[4];
	bool kept[4];
};

static int test_pick(struct engine *e, const struct engine_want *w, struct engine_pick *out)
{
	(void)w;
	out->engine = e->ready ? "dataplane" : "none";
	snprintf(out->why, sizeof(out->why), "%s",
		 e->ready ? "" : "no dataplane is connected, CHILD_SAs cannot be installed");
	return e->ready ? 0 : -ENOTCONN;
}

static enum conf_engine test_engine_of(struct engine *e, struct engine_sa sa)
{
	(void)e;
	(void)sa;
	return CONF_ENGINE_DATAPLANE;
}

static struct test_slot *slot_of(struct engine *e, struct engine_sa sa)
{
	struct test_slot *s = sa.slot < PAIR_SLOTS ? &e->slot[sa.slot] : NULL;

	return s && s->used && s->generation == sa.generation ? s : NULL;
}

static int test_spi_alloc(struct engine *e, struct engine_sa *sa, uint32_t *spi)
{
	static uint32_t generation = 1;

	for (uint32_t i = 1; i < PAIR_SLOTS; i++) {
		if (e->slot[i].used)
			continue;
		*spi = 0xc0000000u | (uint32_t)e->side << 24 | (generation & 0xffff) << 8 | i;
		e->slot[i] = (struct test_slot){
			.used = true, .generation = generation, .spi_in = *spi};
		*sa = (struct engine_sa){.slot = i, .generation = generation++};
		return 0;
	}
	return -ENOSPC;
}

static void test_spi_free(struct engine *e, struct engine_sa sa)
{
	struct test_slot *s = slot_of(e, sa);

	assert_non_null(s);
	assert_false(s->in || s->out);
	s->used = false;
}

static size_t key_copy(uint8_t out[64], const struct secret *encr, const struct secret *integ)
{
	if (encr->n)
		memcpy(out, encr->p, encr->n);
	if (integ->n)
		memcpy(out + encr->n, integ->p, integ->n);
	return encr->n + integ->n;
}

static int install_common(struct engine *e, const struct ike_authenticated *proof, struct engine_sa sa,
			  const struct engine_child *c, struct test_slot **s)
{
	/* Invariant: nothing is installed for a peer that did not prove itself. */
	assert_non_null(proof);
	assert_true(proof->proof != 0);
	assert_int_equal(proof->ike_id, c->ike_id);
	*s = slot_of(e, sa);
	assert_non_null(*s);
	e->installs++;
	(*s)->spi_out = c->spi_out;
	(*s)->encap = c->encap;
	(*s)->local = c->local;
	(*s)->remote = c->remote;
	snprintf((*s)->child, sizeof((*s)->child), "%s", c->child);
	return e->fail_install;
}

static int test_install_in(struct engine *e, const struct ike_authenticated *proof, struct engine_sa sa,
			   const struct engine_child *c, struct secret *encr, struct secret *integ,
			   engine_done_fn done, void *ctx, struct sa_ref ref, uint64_t tag)
{
	struct test_slot *s;
	int err = install_common(e, proof, sa, c, &s);

	if (!err) {
		s->key_in_len = key_copy(s->key_in, encr, integ);
		s->in = true;
	}
	secret_free(encr);
	secret_free(integ);
	done(ctx, ref, tag, err);
	return 0;
}

static int test_install_out(struct engine *e, const struct ike_authenticated *proof, struct engine_sa sa,
			    const struct engine_child *c, struct secret *encr, struct secret *integ,
			    engine_done_fn done, void *ctx, struct sa_ref ref, uint64_t tag)
{
	struct test_slot *s;
	int err = install_common(e, proof, sa, c, &s);

	/* Invariant 7: inbound before outbound. */
	assert_true(s->in);
	if (!err) {
		s->key_out_len = key_copy(s->key_out, encr, integ);
		s->out = true;
	}
	secret_free(encr);
	secret_free(integ);
	if (e->slow) {
		assert_true(e->n_answer < PAIR_ANSWERS);
		e->answer[e->n_answer++] = (struct test_answer){err, done, ctx, ref, tag};
		return 0;
	}
	done(ctx, ref, tag, err);
	return 0;
}

static int test_activate(struct engine *e, struct engine_sa sa, const struct engine_child *c)
{
	struct test_slot *s = slot_of(e, sa);

	assert_non_null(s);
	assert_true(s->in && s->out);
	for (unsigned int i = 0; i < PAIR_SLOTS; i++)
		if (strcmp(e->slot[i].child, c->child) == 0)
			e->slot[i].active = false;
	s->active = true;
	return 0;
}

static void test_remove(struct engine *e, struct engine_sa sa, bool trap)
{
	struct test_slot *s = slot_of(e, sa);

	assert_non_null(s);
	e->removes++;
	if (s->active && trap)
		e->traps++;
	*s = (struct test_slot){0};
}

static void test_remove_out(struct engine *e, struct engine_sa sa)
{
	struct test_slot *s = slot_of(e, sa);

	assert_non_null(s);
	assert_false(s->active);
	s->out = false;
}

static int test_stat(struct engine *e, struct engine_sa sa, struct engine_stat *out)
{
	const struct test_slot *s = slot_of(e, sa);

	*out = (struct engine_stat){0};
	if (!s)
		return -ENOENT;
	for (unsigned int i = 0; e->peer_sends && i < PAIR_SLOTS; i++) {
		const struct test_slot *theirs = &e->peer->slot[i];

		if (!theirs->used || !theirs->active || theirs->spi_out != s->spi_in)
			continue;
		out->in.packets = 1;
		out->in.last_ns = sa_now_ms() * 1000000;
	}
	return 0;
}

static int test_move(struct engine *e, struct engine_sa sa, const struct endpoint *local,
		     const struct endpoint *remote)
{
	struct test_slot *s = slot_of(e, sa);

	assert_non_null(s);
	e->moves++;
	s->local = *local;
	s->remote = *remote;
	return 0;
}

static int test_trap(struct engine *e, const struct conn_conf *conn, const struct child_conf *child,
		     const struct ts_list *local, const struct ts_list *remote)
{
	(void)conn;
	(void)child;
	assert_true(local->n && remote->n);
	e->traps++;
	return 0;
}

static int test_untrap(struct engine *e, const char *conn, const char *child)
{
	(void)e;
	(void)conn;
	(void)child;
	return 0;
}

static unsigned int test_orphans(struct engine *e, struct engine_orphan *out, unsigned int max)
{
	unsigned int n = e->n_orphans < max ? e->n_orphans : max;

	memcpy(out, e->orphan, n * sizeof(*out));
	return n;
}

static void test_orphan_remove(struct engine *e, struct engine_sa sa)
{
	for (unsigned int i = 0; i < e->n_orphans; i++)
		if (e->orphan[i].sa.slot == sa.slot)
			e->orphan[i] = e->orphan[--e->n_orphans];
}

static unsigned int test_sort_inherited(struct engine *e, engine_keep_fn keep, void *ctx)
{
	unsigned int gone = 0;

	for (unsigned int i = 0; i < e->n_inherited; i++) {
		e->kept[i] = keep && keep(ctx, &e->inherited[i]);
		gone += !e->kept[i];
	}
	return gone;
}
