/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/walk.h"

/*
 * Two agents in one process, and a network between them that knows their keys: the input says step by step what
 * is asked of them and what becomes of their datagrams. They are delivered in any order, lost, sent twice, opened,
 * changed inside and sealed again, or made up whole. After each step stands what docs/design.md promises: nothing is
 * installed without authentication, an SPI has one owner, memory is bounded.
 */
enum { IKES_MAX = 48, CHILDREN_MAX = 96, UNDER_WAY_MAX = 48, COMMANDS_MAX = 12, STEPS_MAX = 400, GROW_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct rd in;
static bool strangers; /* the two have different secrets */
static unsigned int commands;

static unsigned int pick(unsigned int n)
{
	return n ? rd_u8(&in) % n : 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	/* what must hold is checked by the harness of the unit tests */
	setenv("CMOCKA_TEST_ABORT", "1", 1);
	return 0;
}

/* ---- what must hold ------------------------------------------------------------------------------ */

static void check_bounds(int side)
{
	const struct ike_sa *ike;
	const struct child_sa *c, *d;
	unsigned int ikes = 0, children = 0;

	TAILQ_FOREACH (ike, sa_all(&w.agent[side]), all) {
		ikes++;
		TAILQ_FOREACH (c, &ike->children, next) {
			children++;
			for (d = TAILQ_NEXT(c, next); d; d = TAILQ_NEXT(d, next))
				if (d->spi_in == c->spi_in || d->engine.slot == c->engine.slot)
					abort();
		}
	}
	if (ikes > IKES_MAX || children > CHILDREN_MAX)
		abort();
	if (strangers && (children || w.engine[side].installs))
		abort();
}

/* ---- datagrams, opened and sealed by whoever knows the keys ------------------------------------------ */

static struct ike_sa *sender_of(int side, const struct ike_hdr *hdr)
{
	return ike_find_spi(&w.agent[side],
			    hdr->flags & IKE_FLAG_INITIATOR ? hdr->spi_i : hdr->spi_r);
}

static bool has_keys(const struct ike_sa *ike)
{
	return ike && ike->keys.d.n && ike->keys.ei.n;
}

static void queue_put(int side, const struct endpoint *from, const struct endpoint *to, struct slice datagram)
{
	struct test_datagram d = {.from = *from, .to = *to, .side = side, .n = datagram.n};

	if (w.n_queue >= UNDER_WAY_MAX)
		lose_at(0);
	d.p = malloc(datagram.n ? datagram.n : 1);
	memcpy(d.p, datagram.p, datagram.n);
	w.queue[w.n_queue++] = d;
}

/* Payloads sealed as `ike` would, on their way to the other side. */
static void send_sealed(int side, struct ike_sa *ike, const struct ike_hdr *hdr, uint8_t first, uint8_t *plain,
			size_t n)
{
	static uint8_t out[IKE_MSG_MAX + 1];
	static uint64_t counter = 1ull << 40;
	struct wr sealed = wr_of(out, sizeof(out));
	struct msg_wr chain;

	msg_wr_init(&chain, plain, n);
	chain.first = first;
	wr_take(&chain.w, n);
	if (sk_seal(&ike->suite, ike->initiator ? &ike->keys.ei : &ike->keys.er,
		    ike->initiator ? &ike->keys.ai : &ike->keys.ar, counter++, hdr, &chain, &sealed) == 0)
		queue_put(1 - side, &ike->local, &ike->remote, wr_slice(&sealed));
}

/* Bytes of a chain of payloads: changed, cut out, doubled, or new ones put in between. */
static size_t mutate(uint8_t *p, size_t n)
{
	size_t at = n ? ((size_t)rd_u8(&in) << 8 | rd_u8(&in)) % n : 0, len;

	switch (pick(5)) {
	case 0:
		if (n)
			p[at] = rd_u8(&in);
		return n;
	case 1:
		if (n)
			p[at] ^= (uint8_t)(1u << pick(8));
		return n;
	case 2:
		len = 1 + pick(GROW_MAX);
		len = len > n - at ? n - at : len;
		memmove(p + at, p + at + len, n - at - len);
		return n - len;
	case 3:
		len = 1 + pick(GROW_MAX);
		len = len > n - at ? n - at : len;
		memmove(p + at + len, p + at, n - at);
		return n + len;
	default:
		len = 1 + pick(GROW_MAX);
		memmove(p + at + len, p + at, n - at);
		for (size_t i = 0; i < len; i++)
			p[at + i] = rd_u8(&in);
		return n + len;
	}
}

static void mutate_sealed(const struct test_datagram *d, struct ike_sa *ike, const struct ike_msg *msg)
{
	static uint8_t plain[IKE_MSG_MAX + GROW_MAX + 1];
	struct ike_hdr hdr = msg->hdr;
	uint8_t first = msg->sk.first;
	size_t n;

	if (sk_open(&ike->suite, ike->initiator ? &ike->keys.ei : &ike->keys.er,
		    ike->initiator ? &ike->keys.ai : &ike->keys.ar, msg, plain, IKE_MSG_MAX, &n) < 0)
		return;
	switch (pick(6)) {
	case 0:
		first = rd_u8(&in);
		break;
	case 1:
		hdr.exchange = (uint8_t)(IKE_SA_INIT + pick(12));
		break;
	case 2:
		hdr.mid += pick(4) - 1;
		break;
	case 3:
		hdr.flags ^= IKE_FLAG_RESPONSE;
		break;
	default:
		n = mutate(plain, n);
	}
	if (n <= GROW_MAX * 64)
		send_sealed(1 - d->side, ike, &hdr, first, plain, n);
}

/* The i-th datagram under way is replaced by a changed one. */
static void mutate_at(unsigned int i)
{
	struct test_datagram d = w.queue[i];
	struct ike_msg msg;
	struct ike_sa *ike;
	uint8_t *copy;
	size_t n;

	if (msg_decode(slice_of(d.p, d.n), &msg) == WIRE_OK && msg.sk.present && !msg.sk.fragment) {
		ike = sender_of(1 - d.side, &msg.hdr);
		if (has_keys(ike)) {
			mutate_sealed(&d, ike, &msg);
			lose_at(i);
			return;
		}
	}
	copy = malloc(d.n + GROW_MAX);
	memcpy(copy, d.p, d.n);
	n = mutate(copy, d.n);
	queue_put(d.side, &d.from, &d.to, slice_of(copy, n));
	free(copy);
	/* its place may have changed: the oldest was pushed out when too many were under way */
	if (w.n_queue && i < w.n_queue)
		lose_at(i);
}

/* A peer with keys and no manners: any exchange, any number, any payloads. */
static void make_up(int side)
{
	struct ike_sa *ike = first_ike(side);
	uint8_t plain[256];
	struct ike_hdr hdr;
	size_t n;

	if (!has_keys(ike))
		return;
	hdr = (struct ike_hdr){.spi_i = ike->spi_i, .spi_r = ike->spi_r, .version = IKE_VERSION};
	hdr.exchange = (uint8_t)(IKE_SA_INIT + pick(12));
	hdr.flags = (uint8_t)((ike->initiator ? IKE_FLAG_INITIATOR : 0) | (pick(2) ? IKE_FLAG_RESPONSE : 0));
	hdr.mid = (hdr.flags & IKE_FLAG_RESPONSE ? ike->recv_mid : ike->send_mid) + pick(3);
	n = pick(sizeof(plain) - 1);
	for (size_t i = 0; i < n; i++)
		plain[i] = rd_u8(&in);
	send_sealed(side, ike, &hdr, (uint8_t)(pick(2) ? IKE_PL_SA + pick(22) : rd_u8(&in)), plain, n);
}

/* ---- steps ------------------------------------------------------------------------------------------- */

static void command(void)
{
	struct sa_select sel = {0};
	struct outcome now, *o;
	int side = (int)pick(2), err;

	if (commands++ >= COMMANDS_MAX)
		return;
	o = outcome_place();
	sel.ike = pick(2) ? "gw" : NULL;
	sel.child = sel.ike ? NULL : "net";
	switch (pick(4)) {
	case 0:
		err = sa_initiate(&w.agent[side], "gw", "net", on_outcome, o, &now);
		break;
	case 1:
		sel.force = pick(4) == 0;
		err = sa_terminate(&w.agent[side], &sel, on_outcome, o, &now);
		break;
	default:
		err = sa_rekey(&w.agent[side], &sel, on_outcome, o, &now);
	}
	(void)err;
}

static void step(void)
{
	unsigned int i;

	switch (pick(16)) {
	case 0 ... 5:
		if (w.n_queue)
			deliver_at(pick(w.n_queue));
		break;
	case 6:
		if (w.n_queue)
			lose_at(pick(w.n_queue));
		break;
	case 7:
		if (w.n_queue && w.n_queue < UNDER_WAY_MAX)
			duplicate_at(pick(w.n_queue));
		break;
	case 8:
		hold_back();
		break;
	case 9:
		w.now += 1000ull * rd_u8(&in);
		break;
	case 10 ... 11:
		command();
		break;
	case 12 ... 13:
		i = w.n_queue ? pick(w.n_queue) : 0;
		if (w.n_queue)
			mutate_at(i);
		break;
	case 14:
		make_up((int)pick(2));
		break;
	default:
		w.engine[pick(2)].fail_install = pick(2) ? -ENOSPC : 0;
	}
	settle();
}

static void start(void)
{
	unsigned int how = pick(4);

	world_open(NULL);
	w.seed += how;
	strangers = how == 3;
	commands = 0;
	w.psk[B] = strangers ? "another one" : w.psk[A];
	configure(A, "remote_addrs = 198.51.100.2", "");
	configure(B, "", "");
	if (how == 0)
		return;
	initiate(A);
	commands++;
	if (how == 1)
		run();
	else
		settle();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	in = rd_of(slice_of(data, size));
	start();
	for (unsigned int i = 0; i < STEPS_MAX && in.n && !in.failed; i++) {
		step();
		while (w.n_queue > UNDER_WAY_MAX)
			lose_at(0);
		check_bounds(A);
		check_bounds(B);
	}
	w.engine[A].fail_install = w.engine[B].fail_install = 0;
	run();
	check_bounds(A);
	check_bounds(B);
	world_close(NULL);
	return 0;
}
