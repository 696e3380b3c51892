/* SPDX-License-Identifier: BSD-2-Clause */
#include "secret.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#endif
#ifdef HAVE_ASAN
#include <sanitizer/asan_interface.h>
#define CELL_HIDE(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define CELL_SHOW(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define CELL_HIDE(p, n) ((void)(p), (void)(n))
#define CELL_SHOW(p, n) ((void)(p), (void)(n))
#endif

/*
 * The heap: chunks of pages, each page cut into cells of one size. Keys are small and many (an IKE
 * SA has up to seven), so cells have no header: the page number says which size they are. What is
 * larger than a page has a mapping of its own.
 */
enum { PAGE = 4096, GROW_PAGES = 256, N_SIZES = 12 };

static const uint16_t sizes[N_SIZES] = {16, 32, 48, 64, 96, 128, 192, 256, 512, 1024, 2048, PAGE};

struct cell {
	struct cell *next;
};

struct chunk {
	struct chunk *next;
	uint8_t *base;
	size_t pages, used; /* pages at all, pages cut into cells so far */
	uint8_t size_of[];  /* index into sizes, by page */
};

static struct {
	pthread_mutex_t lock; /* of all below */
	struct chunk *chunks; /* the newest first: only it may have pages left */
	struct cell *avail[N_SIZES];
	size_t bytes;
	bool unlocked; /* something could not be locked */
	bool any;
} heap = {.lock = PTHREAD_MUTEX_INITIALIZER};

static size_t round_up(size_t n)
{
	return (n + PAGE - 1) & ~(size_t)(PAGE - 1);
}

/* Locked on first touch, so that a large heap costs only what is used. */
static void *map_locked(size_t n, int *lock_error)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	*lock_error = 0;
	madvise(p, n, MADV_DONTDUMP);
	if (mlock2(p, n, MLOCK_ONFAULT) && mlock(p, n))
		*lock_error = -errno;
	return p;
}

static int chunk_add(size_t pages)
{
	struct chunk *c = calloc(1, sizeof(*c) + pages);
	int lock_error;

	if (!c)
		return -ENOMEM;
	c->base = map_locked(pages * PAGE, &lock_error);
	if (!c->base) {
		free(c);
		return -ENOMEM;
	}
	CELL_HIDE(c->base, pages * PAGE);
	c->pages = pages;
	c->next = heap.chunks;
	heap.chunks = c;
	heap.any = true;
	if (lock_error)
		heap.unlocked = true;
	return lock_error;
}

/* Cuts one more page into cells of this size. */
static int page_cut(unsigned int size)
{
	struct chunk *c = heap.chunks;
	uint8_t *page;

	if (!c || c->used == c->pages) {
		chunk_add(GROW_PAGES);
		if (heap.chunks == c)
			return -ENOMEM;
		c = heap.chunks;
	}
	page = c->base + c->used * PAGE;
	c->size_of[c->used++] = (uint8_t)size;
	for (size_t at = 0; at + sizes[size] <= PAGE; at += sizes[size]) {
		struct cell *cell = (struct cell *)(page + at);

		CELL_SHOW(cell, sizeof(*cell));
		cell->next = heap.avail[size];
		heap.avail[size] = cell;
		CELL_HIDE(cell, sizeof(*cell));
	}
	return 0;
}

static unsigned int size_for(size_t n)
{
	unsigned int i = 0;

	while (sizes[i] < n)
		i++;
	return i;
}

static uint8_t *cell_take(size_t n)
{
	unsigned int size = size_for(n);
	struct cell *cell = heap.avail[size];

	if (!cell) {
		if (page_cut(size))
			return NULL;
		cell = heap.avail[size];
	}
	CELL_SHOW(cell, sizeof(*cell));
	heap.avail[size] = cell->next;
	cell->next = NULL;
	CELL_HIDE(cell, sizeof(*cell));
	CELL_SHOW(cell, n);
	heap.bytes += sizes[size];
	return (uint8_t *)cell;
}

static const struct chunk *chunk_of(const uint8_t *p)
{
	for (const struct chunk *c = heap.chunks; c; c = c->next) {
		if (p >= c->base && p < c->base + c->pages * PAGE)
			return c;
	}
	return NULL;
}

/* False when the pointer is not of the heap's chunks. */
static bool cell_give(uint8_t *p)
{
	const struct chunk *c = chunk_of(p);
	struct cell *cell = (struct cell *)p;
	unsigned int size;

	if (!c)
		return false;
	size = c->size_of[(size_t)(p - c->base) / PAGE];
	CELL_SHOW(p, sizes[size]);
	explicit_bzero(p, sizes[size]);
	cell->next = heap.avail[size];
	heap.avail[size] = cell;
	CELL_HIDE(p, sizes[size]);
	heap.bytes -= sizes[size];
	return true;
}

int secret_init(size_t bytes)
{
	struct rlimit none = {0, 0}, lim;
	int r;

	setrlimit(RLIMIT_CORE, &none);
#ifndef HAVE_ASAN
	/* The leak checker attaches to its own process, which this forbids. */
	if (prctl(PR_SET_DUMPABLE, 0))
		return -errno;
#endif
	if (!getrlimit(RLIMIT_MEMLOCK, &lim) && lim.rlim_cur < lim.rlim_max) {
		lim.rlim_cur = lim.rlim_max;
		setrlimit(RLIMIT_MEMLOCK, &lim);
	}
	pthread_mutex_lock(&heap.lock);
	r = chunk_add((bytes ? round_up(bytes) : PAGE) / PAGE);
	pthread_mutex_unlock(&heap.lock);
	return r;
}

bool secret_locked(void)
{
	bool locked;

	pthread_mutex_lock(&heap.lock);
	locked = heap.any && !heap.unlocked;
	pthread_mutex_unlock(&heap.lock);
	return locked;
}

size_t secret_bytes(void)
{
	size_t n;

	pthread_mutex_lock(&heap.lock);
	n = heap.bytes;
	pthread_mutex_unlock(&heap.lock);
	return n;
}

int secret_new(struct secret *s, size_t n)
{
	int lock_error = 0;
	uint8_t *p;

	*s = (struct secret){0};
	if (!n)
		return 0;
	if (n > SIZE_MAX - PAGE)
		return -ENOMEM;
	pthread_mutex_lock(&heap.lock);
	if (n <= PAGE) {
		p = cell_take(n);
	} else {
		p = map_locked(round_up(n), &lock_error);
		heap.bytes += p ? round_up(n) : 0;
		heap.unlocked |= lock_error != 0;
		heap.any = true;
	}
	pthread_mutex_unlock(&heap.lock);
	if (!p)
		return -ENOMEM;
	s->p = p;
	s->n = n;
	return 0;
}

int secret_dup(struct secret *s, struct slice from)
{
	int r = secret_new(s, from.n);

	if (!r && from.n)
		memcpy(s->p, from.p, from.n);
	return r;
}

void secret_move(struct secret *to, struct secret *from)
{
	if (to == from)
		return;
	secret_free(to);
	*to = *from;
	*from = (struct secret){0};
}

void secret_free(struct secret *s)
{
	bool mine;

	if (!s->p)
		return;
	pthread_mutex_lock(&heap.lock);
	mine = cell_give(s->p);
	if (!mine)
		heap.bytes -= round_up(s->n);
	pthread_mutex_unlock(&heap.lock);
	if (!mine) {
		explicit_bzero(s->p, s->n);
		munmap(s->p, round_up(s->n));
	}
	*s = (struct secret){0};
}

void secret_wipe(void *p, size_t n)
{
	if (n)
		explicit_bzero(p, n);
}

bool secret_equal(const void *a, const void *b, size_t n)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t diff = 0;

	for (size_t i = 0; i < n; i++)
		diff |= (uint8_t)(x[i] ^ y[i]);
	return diff == 0;
}
