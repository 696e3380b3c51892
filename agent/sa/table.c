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
	index_add(&core->by_spi, &ike->by_spi, index_hash_u64(spi));
	index = core->free_slot;
	core->free_slot = core->slots[index].next_free;
	core->slots[index].ike = ike;
	ike->ref = (struct sa_ref){.index = index, .generation = core->slots[index].generation};
	ike->agent = a;
	ike->local_id = ike->remote_id = &conf_id_none;
	ike->id = ++core->next_ike_id;
	index_add(&core->by_number, &ike->by_number, index_hash_u64(ike->id));
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
	struct index_node *n = index_find(&a->core->by_spi, index_hash_u64(own_spi));

	for (; n; n = index_next(n)) {
		struct ike_sa *ike = index_owner(n, struct ike_sa, by_spi);

		if (ike->spi_own == own_spi)
			return ike;
	}
	return NULL;
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

/* ---- by connection, by identities ------------------------------------------------------------ */

struct conn_sas *conn_sas_find(const struct agent *a, const char *conn)
{
	struct conn_sas *s;

	HASH_FIND(hh, a->core->by_conn, conn, strlen(conn), s);
	return s;
}

static struct conn_sas *conn_sas_get(struct agent *a, const char *conn)
{
	struct conn_sas *s = conn_sas_find(a, conn);

	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	strcpy(s->name, conn);
	TAILQ_INIT(&s->list);
	TAILQ_INIT(&s->attempts);
	HASH_ADD_KEYPTR(hh, a->core->by_conn, s->name, strlen(s->name), s);
	if (TABLE_HAS(hh, a->core->by_conn, s))
		return s;
	free(s);
	return NULL;
}

void ike_attempt_over(struct ike_sa *ike)
{
	if (ike->attempting)
		TAILQ_REMOVE(&ike->of_conn->attempts, ike, in_attempts);
	ike->attempting = false;
}

static void conn_sas_leave(struct ike_sa *ike)
{
	struct conn_sas *s = ike->of_conn;

	if (!s)
		return;
	ike_attempt_over(ike);
	TAILQ_REMOVE(&s->list, ike, in_conn);
	ike->of_conn = NULL;
	if (!TAILQ_EMPTY(&s->list))
		return;
	HASH_DELETE(hh, ike->agent->core->by_conn, s);
	free(s);
}

int ike_set_conn(struct ike_sa *ike, struct conn_conf *conn)
{
	struct conn_sas *s = conn ? conn_sas_get(ike->agent, conn->name) : NULL;
	struct conn_conf *old = ike->conn;

	if (conn && !s)
		return -ENOMEM;
	if (s != ike->of_conn) {
		conn_sas_leave(ike);
		ike->of_conn = s;
		if (s)
			TAILQ_INSERT_TAIL(&s->list, ike, in_conn);
		ike->attempting = s && ike->initiator && ike->state == IKE_CREATED;
		if (ike->attempting)
			TAILQ_INSERT_TAIL(&s->attempts, ike, in_attempts);
	}
	ike->conn = conn ? conn_conf_ref(conn) : NULL;
	conn_conf_unref(old);
	return 0;
}

/* As id_equal compares: names without regard to case. */
uint32_t id_hash(uint32_t h, const struct conf_id *id)
{
	uint8_t b[sizeof(id->b)];

	for (unsigned int i = 0; i < id->n; i++)
		b[i] = id->b[i] >= 'A' && id->b[i] <= 'Z' ? (uint8_t)(id->b[i] + 'a' - 'A') : id->b[i];
	return index_hash(index_hash(h, &id->type, 1), b, id->n);
}

static uint32_t peers_hash(const struct ike_sa *ike, bool initiator)
{
	return id_hash(id_hash(INDEX_SEED + initiator, ike->local_id), ike->remote_id);
}

void ike_index_peers(struct ike_sa *ike)
{
	struct agent_core *core = ike->agent->core;

	index_del(&core->by_peers, &ike->by_peers);
	index_add(&core->by_peers, &ike->by_peers, peers_hash(ike, ike->initiator));
}

bool id_same(const struct conf_id *a, const struct conf_id *b)
{
	struct ike_id x = conf_id_view(a), y = conf_id_view(b);

	return a == b || (a->type && id_equal(&x, &y));
}

struct ike_sa *ike_next_same_peers(const struct ike_sa *ike, bool initiator, const struct ike_sa *prev)
{
	struct index_node *n = prev ? index_next(&prev->by_peers)
				    : index_find(&ike->agent->core->by_peers, peers_hash(ike, initiator));

	for (; n; n = index_next(n)) {
		struct ike_sa *other = index_owner(n, struct ike_sa, by_peers);

		if (other->initiator == initiator && other->authenticated &&
		    id_same(ike->local_id, other->local_id) && id_same(ike->remote_id, other->remote_id))
			return other;
	}
	return NULL;
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
	index_del(&core->by_number, &ike->by_number);
	index_del(&core->by_peers, &ike->by_peers);
	ike_set_conn(ike, NULL);
	TAILQ_REMOVE(&core->all, ike, all);
	TAILQ_INSERT_TAIL(&core->dead, ike, all);
	core->n_ike--;
}

void ike_free(struct ike_sa *ike)
{
	struct agent_core *core = ike->agent->core;

	timer_disarm(&core->timers, &ike->half_open_timer);
	TAILQ_REMOVE(&core->dead, ike, all);
	index_del(&core->by_spi, &ike->by_spi);
	keep_drop(ike->proposal);
	id_drop(ike->local_id);
	id_drop(ike->remote_id);
	free(ike->response);
	free(ike);
}

struct ike_sa *sa_find(struct agent *a, uint32_t id)
{
	struct index_node *n = index_find(&a->core->by_number, index_hash_u64(id));

	for (; n; n = index_next(n)) {
		struct ike_sa *ike = index_owner(n, struct ike_sa, by_number);

		if (ike->id == id)
			return ike;
	}
	return NULL;
}

const struct ike_list *sa_all(const struct agent *a)
{
	return &a->core->all;
}

unsigned int sa_half_open_sources(const struct agent *a)
{
	return HASH_COUNT(a->core->sources);
}

unsigned int sa_count(const struct agent *a)
{
	return a->core->n_ike;
}

unsigned int sa_half_open(const struct agent *a)
{
	return a->core->half_open;
}

const struct conf *sa_conf(const struct agent *a)
{
	return a->core->conf;
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
