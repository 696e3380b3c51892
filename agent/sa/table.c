/* SPDX-License-Identifier: BSD-2-Clause */
#include "core.h"

#include "common/keep.h"

#include <errno.h>
#include <stdlib.h>

enum { SLOTS_FIRST = 64, SLOT_NONE = UINT32_MAX };

static int slots_grow(struct agent_core *core)
{
	uint32_t n = core->n_slots ? 2 * core->n_slots : SLOTS_FIRST;
	struct ike_slot *slots = realloc(core->slots, n * sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (uint32_t i = core->n_slots; i < n; i++)
		slots[i] = (struct ike_slot){
			.generation = 1, .next_free = i + 1 < n ? i + 1 : SLOT_NONE};
	core->free_slot = core->n_slots;
	core->slots = slots;
	core->n_slots = n;
	return 0;
}

uint64_t ike_spi_new(struct agent *a)
{
	uint64_t spi;

	for (int i = 0; i < 16; i++) {
		if (a->core->parts->random(&spi, sizeof(spi)) < 0)
			return 0;
		if (spi && !ike_find_spi(a, spi))
			return spi;
	}
	return 0;
}

struct ike_sa *ike_new(struct agent *a, bool initiator, uint64_t spi)
{
	struct agent_core *core = a->core;
	struct ike_sa *ike;
	uint32_t index;

	if (!spi)
		spi = ike_spi_new(a);
	if (!spi)
		return NULL;
	if ((!core->n_slots || core->free_slot == SLOT_NONE) && slots_grow(core) < 0)
		return NULL;
	ike = calloc(1, sizeof(*ike));
	if (!ike)
		return NULL;
	ike->spi_own = spi;
	TABLE_ADD(by_spi, core->by_spi, spi_own, ike);
	if (!TABLE_HAS(by_spi, core->by_spi, ike)) {
		free(ike);
		return NULL;
	}
	index = core->free_slot;
	core->free_slot = core->slots[index].next_free;
	core->slots[index].ike = ike;
	ike->ref = (struct sa_ref){.index = index, .generation = core->slots[index].generation};
	ike->agent = a;
	ike->local_id = ike->remote_id = &conf_id_none;
	ike->id = ++core->next_ike_id;
	ike->state = IKE_CREATED;
	ike->initiator = initiator;
	*(initiator ? &ike->spi_i : &ike->spi_r) = spi;
	ike->created_ms = ike->last_in_ms = ike->last_out_ms = sa_now_ms();
	TAILQ_INIT(&ike->children);
	TAILQ_INIT(&ike->tasks);
	TAILQ_INSERT_TAIL(&core->all, ike, all);
	core->n_ike++;
	return ike;
}

struct ike_sa *ike_find_ref(const struct agent *a, struct sa_ref ref)
{
	const struct agent_core *core = a->core;

	if (ref.index >= core->n_slots || core->slots[ref.index].generation != ref.generation)
		return NULL;
	return core->slots[ref.index].ike;
}

struct ike_sa *ike_find_spi(const struct agent *a, uint64_t own_spi)
{
	struct ike_sa *ike;

	HASH_FIND(by_spi, a->core->by_spi, &own_spi, sizeof(own_spi), ike);
	return ike;
}

static void id_drop(const struct conf_id *id)
{
	if (id != &conf_id_none)
		keep_drop(id);
}

static int set_id(const struct conf_id **at, const struct conf_id *id)
{
	const struct conf_id *kept = conf_id_keep(id);

	if (!kept)
		return -ENOMEM;
	id_drop(*at);
	*at = kept;
	return 0;
}

int ike_set_local_id(struct ike_sa *ike, const struct conf_id *id)
{
	return set_id(&ike->local_id, id);
}

int ike_set_remote_id(struct ike_sa *ike, const struct conf_id *id)
{
	return set_id(&ike->remote_id, id);
}

int ike_set_proposal(struct ike_sa *ike, const struct proposal *chosen)
{
	const struct proposal *kept = proposal_keep(chosen);

	if (!kept)
		return -ENOMEM;
	keep_drop(ike->proposal);
	ike->proposal = kept;
	return 0;
}

void ike_ref_end(struct ike_sa *ike)
{
	struct agent_core *core = ike->agent->core;
	struct ike_slot *slot = &core->slots[ike->ref.index];

	if (slot->generation != ike->ref.generation)
		return;
	slot->ike = NULL;
	/* 0 never is a generation: a zeroed reference finds nothing. */
	if (++slot->generation == 0)
		slot->generation = 1;
	slot->next_free = core->free_slot;
	core->free_slot = ike->ref.index;
	TAILQ_REMOVE(&core->all, ike, all);
	TAILQ_INSERT_TAIL(&core->dead, ike, all);
	core->n_ike--;
}

void ike_free(struct ike_sa *ike)
{
	struct agent_core *core = ike->agent->core;

	timer_disarm(&core->timers, &ike->half_open_timer);
	TAILQ_REMOVE(&core->dead, ike, all);
	HASH_DELETE(by_spi, core->by_spi, ike);
	keep_drop(ike->proposal);
	id_drop(ike->local_id);
	id_drop(ike->remote_id);
	free(ike->response);
	free(ike);
}

struct ike_sa *sa_find(struct agent *a, uint32_t id)
{
	struct ike_sa *ike;

	TAILQ_FOREACH (ike, &a->core->all, all)
		if (ike->id == id)
			return ike;
	return NULL;
}

const struct ike_list *sa_all(const struct agent *a)
{
	return &a->core->all;
}

unsigned int sa_half_open(const struct agent *a)
{
	return a->core->half_open;
}

const struct conf *sa_conf(const struct agent *a)
{
	return a->core->conf;
}

/* ---- half-open IKE SAs by source address ---------------------------------------------------- */

static struct source *source_find(const struct agent *a, const uint8_t ip[16])
{
	struct source *s;

	HASH_FIND(hh, a->core->sources, ip, 16, s);
	return s;
}

uint32_t source_half_open(const struct agent *a, const struct ip_addr *ip)
{
	const struct source *s;
	uint8_t key[16];

	addr_to_mapped(ip, key);
	s = source_find(a, key);
	return s ? s->half_open : 0;
}

int source_add(struct agent *a, const struct ip_addr *ip)
{
	struct source *s;
	uint8_t key[16];

	addr_to_mapped(ip, key);
	s = source_find(a, key);
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return -ENOMEM;
		memcpy(s->ip, key, sizeof(key));
		TABLE_ADD(hh, a->core->sources, ip, s);
		if (!TABLE_HAS(hh, a->core->sources, s)) {
			free(s);
			return -ENOMEM;
		}
	}
	s->half_open++;
	return 0;
}

void source_drop(struct agent *a, const struct ip_addr *ip)
{
	struct source *s;
	uint8_t key[16];

	addr_to_mapped(ip, key);
	s = source_find(a, key);
	if (!s || --s->half_open)
		return;
	HASH_DELETE(hh, a->core->sources, s);
	free(s);
}

/* ---- counters --------------------------------------------------------------------------------- */

uint64_t sa_counter(const struct agent *a, enum ike_counter c)
{
	return (unsigned int)c < IKE_COUNTERS_N ? a->core->counter[c] : 0;
}

const char *sa_counter_name(enum ike_counter c)
{
	static const char *const names[] = {
#define X(name, text) #name,
		IKE_COUNTERS(X)
#undef X
	};

	return (unsigned int)c < IKE_COUNTERS_N ? names[c] : NULL;
}

const char *sa_counter_text(enum ike_counter c)
{
	static const char *const texts[] = {
#define X(name, text) text,
		IKE_COUNTERS(X)
#undef X
	};

	return (unsigned int)c < IKE_COUNTERS_N ? texts[c] : NULL;
}
