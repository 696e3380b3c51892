/* SPDX-License-Identifier: BSD-2-Clause */
#include "core.h"

#include "agent/exch/exch.h"

#include <errno.h>
#include <stdlib.h>

/* Opening and closing of the core, and what is done from a fresh stack. */

static void children_free(struct agent *a)
{
	struct child_sa *c;

	while ((c = TAILQ_FIRST(&a->core->freed_children))) {
		TAILQ_REMOVE(&a->core->freed_children, c, next);
		child_free(c);
	}
}

static void on_later(struct timer *timer)
{
	struct agent *a = timer_owner(timer, struct agent_core, later)->agent;

	outcomes_deliver(a);
	intents_run(a, false);
	children_free(a);
}

void core_later(struct agent *a, uint64_t due_ms)
{
	struct agent_core *core = a->core;
	uint64_t now = sa_now_ms();

	if (due_ms < now)
		due_ms = now;
	if (!timer_armed(&core->later) || due_ms < core->later.due_ms)
		timer_arm(&core->timers, &core->later, due_ms, on_later);
}

static void indexes_free(struct agent_core *core)
{
	struct index *all[] = {&core->by_spi, &core->by_number, &core->by_peers,
			       &core->by_id,  &core->by_slot,	&core->by_selectors};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		index_free(all[i]);
}

int agent_core_open(struct agent *a)
{
	struct agent_core *core = calloc(1, sizeof(*core));
	int err;

	if (!core)
		return -ENOMEM;
	core->agent = a;
	core->parts = a->parts ? a->parts : &agent_parts_real;
	TAILQ_INIT(&core->all);
	indexes_free(core);
	TAILQ_INIT(&core->dead);
	TAILQ_INIT(&core->freed_children);
	TAILQ_INIT(&core->fading);
	TAILQ_INIT(&core->intents);
	TAILQ_INIT(&core->over);
	core->log_bad = (struct log_budget)LOG_BUDGET_INIT;
	core->log_auth = (struct log_budget)LOG_BUDGET_INIT;
	core->log_engine = (struct log_budget)LOG_BUDGET_INIT;
	for (unsigned int i = 0; i < LOG_PEERS; i++) {
		core->log_peer[i] = (struct log_budget){
			.burst = LOG_PEER_BURST, .interval_ms = LOG_PEER_MS, .tokens = LOG_PEER_BURST};
		core->log_detail[i] = (struct log_budget){
			.burst = LOG_DETAIL_BURST, .interval_ms = LOG_DETAIL_MS, .tokens = LOG_DETAIL_BURST};
	}
	/* A peer that connects makes half a dozen lines. */
	core->log_init = (struct log_budget){.burst = 60, .interval_ms = 100, .tokens = 60};
	core->answer_ms = sa_now_ms();
	core->answer_tokens = PLAIN_ANSWER_BURST;
	err = timers_open(&core->timers, a->base);
	if (err == 0)
		err = cookie_jar_init(&core->jar, sa_now_ms());
	if (err < 0) {
		timers_close(&core->timers);
		free(core);
		return err;
	}
	a->core = core;
	return 0;
}

static void fading_forget(struct agent *a)
{
	struct fading *f;

	while ((f = TAILQ_FIRST(&a->core->fading))) {
		timer_disarm(&a->core->timers, &f->timer);
		TAILQ_REMOVE(&a->core->fading, f, next);
		free(f);
	}
}

void agent_core_close(struct agent *a, bool polite)
{
	struct agent_core *core = a->core;
	struct intent *in;
	struct ike_sa *ike;
	struct outcome o;

	if (!core)
		return;
	outcome_set(&o, -ECANCELED, "the agent is shutting down");
	while ((ike = TAILQ_FIRST(&core->all))) {
		if (polite)
			ike_delete_now(ike, END_LOCAL, &o);
		else
			ike_end(ike, END_ABANDONED, &o);
	}
	if (polite)
		fading_all(a);
	fading_forget(a);
	outcomes_deliver(a);
	acquires_forget(a);
	while ((in = TAILQ_FIRST(&core->intents))) {
		TAILQ_REMOVE(&core->intents, in, next);
		free(in);
	}
	children_free(a);
	while ((ike = TAILQ_FIRST(&core->dead)))
		ike_free(ike);
	timer_disarm(&core->timers, &core->later);
	timers_close(&core->timers);
	indexes_free(core);
	conf_free(core->conf);
	free(core->slots);
	secret_wipe(&core->jar, sizeof(core->jar));
	secret_wipe(core->plain, sizeof(core->plain));
	free(core);
	a->core = NULL;
}
