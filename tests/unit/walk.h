/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "pair.h"

/*
 * Walks over everything that a network can do to the datagrams of two agents: at each step one of those under way is
 * delivered, whichever; while faults are left one may also be lost, delivered twice, or held back until a
 * timer has run. Depth first, each walk from a new world: a walk is the list of its choices, so that all
 * are seen once and any can be repeated (WALK_REPEAT="2 0 1 ...").
 */
enum { CHOICES_MAX = 256 };

/* At step i the choice[i]-th of width[i] ways is taken. */
static unsigned int choice[CHOICES_MAX], width[CHOICES_MAX], depth;

static unsigned int choose(unsigned int n)
{
	if (n < 2)
		return 0;
	assert_true(depth < CHOICES_MAX);
	width[depth] = n;
	return choice[depth++] % n;
}

static void first_walk(void)
{
	memset(choice, 0, sizeof(choice));
	memset(width, 0, sizeof(width));
	depth = 0;
}

/* The next walk in order; false after the last. What lies behind the last branch is forgotten. */
static bool next_walk(void)
{
	for (unsigned int i = depth; i-- > 0;) {
		if (choice[i] + 1 < width[i]) {
			choice[i]++;
			memset(&choice[i + 1], 0, (CHOICES_MAX - i - 1) * sizeof(choice[0]));
			return true;
		}
	}
	return false;
}

static void lose_at(unsigned int i)
{
	free(w.queue[i].p);
	memmove(&w.queue[i], &w.queue[i + 1], (--w.n_queue - i) * sizeof(w.queue[0]));
}

/* Delivered, and once more later. */
static void duplicate_at(unsigned int i)
{
	struct test_datagram d = w.queue[i];

	assert_true(w.n_queue < PAIR_QUEUE);
	d.p = malloc(d.n ? d.n : 1);
	memcpy(d.p, w.queue[i].p, d.n);
	w.queue[w.n_queue++] = d;
	deliver_at(i);
}

/* All that is under way stays there until the next timer of either side has run. */
static void hold_back(void)
{
	uint64_t next = UINT64_MAX;

	for (int s = A; s <= B; s++) {
		uint64_t at = w.agent[s].core ? timers_next(&w.agent[s].core->timers) : UINT64_MAX;

		next = at < next ? at : next;
	}
	if (next != UINT64_MAX && next > w.now)
		w.now = next;
}

static bool same_datagram(const struct test_datagram *a, const struct test_datagram *b)
{
	return a->side == b->side && a->n == b->n && memcmp(a->p, b->p, a->n) == 0;
}

/* Places of those under way, the first of each that came twice: which copy arrives makes no difference. */
static unsigned int distinct(unsigned int at[PAIR_QUEUE])
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < w.n_queue; i++) {
		unsigned int j = 0;

		while (j < i && !same_datagram(&w.queue[i], &w.queue[j]))
			j++;
		if (j == i)
			at[n++] = i;
	}
	return n;
}

/* Until nothing is under way; what happens is the walk's choice. `faults`: how many of them. */
static void run_walk(unsigned int faults)
{
	unsigned int at[PAIR_QUEUE];

	settle();
	while (w.n_queue || w.engine[A].n_answer || w.engine[B].n_answer) {
		unsigned int n = distinct(at), engines = !!w.engine[A].n_answer + !!w.engine[B].n_answer;
		unsigned int i = choose((faults && n ? 3 * n + 1 : n) + engines);

		if (i < engines) {
			answer_engine(i || !w.engine[A].n_answer ? B : A);
			settle();
			continue;
		}
		i -= engines;
		if (i >= n)
			faults--;
		if (i < n)
			deliver_at(at[i]);
		else if (i < 2 * n)
			lose_at(at[i - n]);
		else if (i < 3 * n)
			duplicate_at(at[i - 2 * n]);
		else
			hold_back();
		settle();
	}
}

/* For the message of a walk that failed. */
static void walk_print(const char *what)
{
	fprintf(stderr, "%s; to repeat it: WALK_REPEAT=\"", what);
	for (unsigned int i = 0; i < depth; i++)
		fprintf(stderr, "%s%u", i ? " " : "", choice[i]);
	fprintf(stderr, "\"\n");
}

/* WALK_REPEAT: that walk and no other. True when it is given. */
static bool walk_repeat(void)
{
	const char *text = getenv("WALK_REPEAT");
	char *end;

	if (!text)
		return false;
	first_walk();
	for (unsigned int i = 0; i < CHOICES_MAX && *text; i++) {
		choice[i] = (unsigned int)strtoul(text, &end, 10);
		if (end == text)
			break;
		text = end;
	}
	return true;
}
