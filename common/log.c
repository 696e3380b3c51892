// SPDX-License-Identifier: BSD-2-Clause
#include "log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SINKS_MAX = 8, PREFIX_MAX = 256 };

static const char *const group_names[LOG_GROUPS] = {
    [LOG_ASN1] = "asn1",       [LOG_CHILD] = "child",	    [LOG_CONFIG] = "config",
    [LOG_DAEMON] = "daemon",   [LOG_ENCODING] = "encoding", [LOG_IKE] = "ike",
    [LOG_IPSEC] = "ipsec",     [LOG_JOB] = "job",	    [LOG_KERNEL] = "kernel",
    [LOG_MANAGER] = "manager", [LOG_NETWORK] = "network",
};

/* How much of its level a group lacks of the default: zero-initialised means default. */
static atomic_int level_offset[LOG_GROUPS];
static atomic_bool to_stderr = true;
static atomic_bool with_stamps;
/* The highest level any sink wants, -1 without sinks: so that log_wanted takes no lock. */
static atomic_int sinks_level = -1;

/* Protects sink[]; recursive, because a sink may remove itself while it is called. */
static pthread_mutex_t sinks_lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static struct {
	log_sink_fn fn;
	void *ctx;
	int level;
} sink[SINKS_MAX];

/* Lines that a sink itself causes do not go to the sinks again. */
static _Thread_local bool in_sink;

const char *log_group_name(enum log_group group)
{
	return (unsigned int)group < LOG_GROUPS ? group_names[group] : "?";
}

int log_group_find(const char *name)
{
	for (int i = 0; i < LOG_GROUPS; i++)
		if (strcmp(group_names[i], name) == 0)
			return i;
	return -1;
}

void log_set_level(enum log_group group, int level)
{
	if ((unsigned int)group < LOG_GROUPS)
		atomic_store_explicit(&level_offset[group], level - LOG_LEVEL_DEFAULT,
				      memory_order_relaxed);
}

void log_set_level_all(int level)
{
	for (unsigned int i = 0; i < LOG_GROUPS; i++)
		log_set_level((enum log_group)i, level);
}

int log_level(enum log_group group)
{
	if ((unsigned int)group >= LOG_GROUPS)
		return -1;
	return atomic_load_explicit(&level_offset[group], memory_order_relaxed) + LOG_LEVEL_DEFAULT;
}

void log_to_stderr(bool on, bool stamps)
{
	atomic_store(&to_stderr, on);
	atomic_store(&with_stamps, stamps);
}

static void note_sinks_level(void)
{
	int max = -1;

	for (unsigned int i = 0; i < SINKS_MAX; i++)
		if (sink[i].fn && sink[i].level > max)
			max = sink[i].level;
	atomic_store(&sinks_level, max);
}

int log_sink_add(log_sink_fn fn, void *ctx, int level)
{
	int rc = -ENOSPC;

	pthread_mutex_lock(&sinks_lock);
	for (unsigned int i = 0; i < SINKS_MAX; i++) {
		if (sink[i].fn)
			continue;
		sink[i].fn = fn;
		sink[i].ctx = ctx;
		sink[i].level = level;
		note_sinks_level();
		rc = 0;
		break;
	}
	pthread_mutex_unlock(&sinks_lock);
	return rc;
}

void log_sink_remove(log_sink_fn fn, void *ctx)
{
	pthread_mutex_lock(&sinks_lock);
	for (unsigned int i = 0; i < SINKS_MAX; i++)
		if (sink[i].fn == fn && sink[i].ctx == ctx)
			sink[i].fn = NULL;
	note_sinks_level();
	pthread_mutex_unlock(&sinks_lock);
}

static bool stderr_wants(enum log_group group, int level)
{
	return atomic_load_explicit(&to_stderr, memory_order_relaxed) && level <= log_level(group);
}

bool log_wanted(enum log_group group, int level)
{
	return stderr_wants(group, level) ||
	       level <= atomic_load_explicit(&sinks_level, memory_order_relaxed);
}

static size_t stamp(char *buf, size_t n)
{
	struct timespec now;
	struct tm tm;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	len = strftime(buf, n, "%Y-%m-%dT%H:%M:%S", &tm);
	return len + (size_t)snprintf(buf + len, n - len, ".%03ld ", now.tv_nsec / 1000000);
}

/* One write a line, so that lines of several threads and processes do not mix. */
static void write_stderr(enum log_group group, const char *name, uint32_t unique, const char *line)
{
	char buf[PREFIX_MAX + LOG_LINE_MAX];
	size_t n = 0;
	int rc;

	if (atomic_load_explicit(&with_stamps, memory_order_relaxed))
		n = stamp(buf, sizeof(buf));
	if (name)
		rc = snprintf(buf + n, sizeof(buf) - n, "[%s] <%.128s|%u> %s\n",
			      log_group_name(group), name, unique, line);
	else
		rc = snprintf(buf + n, sizeof(buf) - n, "[%s] %s\n", log_group_name(group), line);
	if (rc < 0)
		return;
	n += (size_t)rc;
	if (n >= sizeof(buf))
		n = sizeof(buf) - 1;
	/* Nobody can be told when standard error is gone. */
	if (write(STDERR_FILENO, buf, n) < 0)
		return;
}

static void call_sinks(enum log_group group, int level, const char *name, uint32_t unique,
		       const char *line)
{
	if (in_sink)
		return;
	pthread_mutex_lock(&sinks_lock);
	in_sink = true;
	for (unsigned int i = 0; i < SINKS_MAX; i++)
		if (sink[i].fn && level <= sink[i].level)
			sink[i].fn(sink[i].ctx, group, level, name, unique, line);
	in_sink = false;
	pthread_mutex_unlock(&sinks_lock);
}

/* Text of a peer may be in the line: control characters must not reach a terminal or fake a line.
 */
static void make_printable(char *line)
{
	size_t n = strlen(line);

	while (n && line[n - 1] == '\n')
		line[--n] = 0;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
}

static void vlog(enum log_group group, int level, const char *name, uint32_t unique,
		 uint32_t held_back, const char *fmt, va_list ap)
{
	static const char cut[] = "...";
	char line[LOG_LINE_MAX];
	int saved = errno, rc;
	size_t n;

	rc = vsnprintf(line, sizeof(line), fmt, ap);
	if (rc < 0)
		snprintf(line, sizeof(line), "unprintable message: %s", fmt);
	if (rc >= (int)sizeof(line))
		memcpy(line + sizeof(line) - sizeof(cut), cut, sizeof(cut));
	make_printable(line);
	n = strlen(line);
	if (held_back)
		snprintf(line + n, sizeof(line) - n, " (%u like it held back)", held_back);
	if (stderr_wants(group, level))
		write_stderr(group, name, unique, line);
	if (level <= atomic_load_explicit(&sinks_level, memory_order_relaxed))
		call_sinks(group, level, name, unique, line);
	errno = saved;
}

void log_line(enum log_group group, int level, const char *fmt, ...)
{
	va_list ap;

	if (!log_wanted(group, level))
		return;
	va_start(ap, fmt);
	vlog(group, level, NULL, 0, 0, fmt, ap);
	va_end(ap);
}

void log_line_sa(enum log_group group, int level, const char *name, uint32_t unique,
		 const char *fmt, ...)
{
	va_list ap;

	if (!log_wanted(group, level))
		return;
	va_start(ap, fmt);
	vlog(group, level, name, unique, 0, fmt, ap);
	va_end(ap);
}

static uint64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool log_budget(struct log_budget *b)
{
	uint64_t now = monotonic_ms();
	uint64_t earned = b->interval_ms ? (now - b->last_ms) / b->interval_ms : b->burst;

	if (earned >= b->burst - (b->tokens < b->burst ? b->tokens : b->burst)) {
		b->tokens = b->burst;
		b->last_ms = now;
	} else {
		b->tokens += (uint32_t)earned;
		b->last_ms += earned * b->interval_ms;
	}
	if (b->tokens == 0) {
		if (b->held_back < UINT32_MAX)
			b->held_back++;
		return false;
	}
	b->tokens--;
	return true;
}

void log_limited(struct log_budget *b, enum log_group group, int level, const char *fmt, ...)
{
	uint32_t held_back;
	va_list ap;

	if (!log_wanted(group, level) || !log_budget(b))
		return;
	held_back = b->held_back;
	b->held_back = 0;
	va_start(ap, fmt);
	vlog(group, level, NULL, 0, held_back, fmt, ap);
	va_end(ap);
}
