/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/engine/plane_client.h"

#include "common/log.h"
#include "common/secret.h"
#include "maps/layout.h"

#include <event2/event.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* The other end is played here, message by message, so that it can misbehave in every way. */
enum { DONE_MAX = PLANE_QUEUE_MAX + 8 };

struct fixture {
	struct event_base *base;
	struct plane_client *pc;
	char dir[32], path[64];
	int listener, peer;
	unsigned int ups, downs, events, dones, lines;
	uint64_t instance;
	struct plane_event last_event;
	int error[DONE_MAX];
	uint32_t tag[DONE_MAX];
	uint64_t packets;
	uint32_t next_request;
};

static void on_up(void *ctx, uint64_t instance)
{
	struct fixture *f = ctx;

	f->ups++;
	f->instance = instance;
}

static void on_down(void *ctx)
{
	((struct fixture *)ctx)->downs++;
}

static void on_event(void *ctx, const struct plane_event *ev)
{
	struct fixture *f = ctx;

	f->events++;
	f->last_event = *ev;
}

static bool urgent(void *ctx)
{
	(void)ctx;
	return true;
}

static const struct plane_client_ops ops = {on_up, on_down, on_event, urgent};

static void on_line(void *ctx, enum log_group group, int level, const char *name, uint32_t unique,
		    const char *line)
{
	(void)group;
	(void)level;
	(void)name;
	(void)unique;
	if (strstr(line, "layout"))
		((struct fixture *)ctx)->lines++;
}

static struct fixture *self;

static void on_done(void *ctx, int error, const struct plane_ack *ack)
{
	struct fixture *f = self;

	assert_in_range(f->dones, 0, DONE_MAX - 1);
	f->tag[f->dones] = (uint32_t)(uintptr_t)ctx;
	f->error[f->dones++] = error;
	if (ack)
		f->packets = ack->packets;
}

static int listen_at(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static int setup(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	self = &f;
	strcpy(f.dir, "/tmp/xdpsec-plane.XXXXXX");
	assert_non_null(mkdtemp(f.dir));
	snprintf(f.path, sizeof(f.path), "%s/s", f.dir);
	f.listener = listen_at(f.path);
	f.peer = -1;
	f.base = event_base_new();
	f.pc = plane_client_new(f.base, f.path, &ops, &f);
	assert_non_null(f.pc);
	assert_int_equal(log_sink_add(on_line, &f, 1), 0);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	plane_client_free(f->pc);
	event_base_free(f->base);
	log_sink_remove(on_line, f);
	if (f->peer >= 0)
		close(f->peer);
	if (f->listener >= 0)
		close(f->listener);
	unlink(f->path);
	rmdir(f->dir);
	return 0;
}

static void turn(struct fixture *f)
{
	event_base_loop(f->base, EVLOOP_NONBLOCK);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Runs the client until it dials; 3 s are more than any timer of it. */
static void take_call(struct fixture *f)
{
	uint64_t end = now_ms() + 3000;

	do {
		turn(f);
		f->peer = accept4(f->listener, NULL, NULL, SOCK_NONBLOCK);
		usleep(1000);
	} while (f->peer < 0 && now_ms() < end);
	assert_true(f->peer >= 0);
	turn(f);
}

static bool next_message(struct fixture *f, union plane_msg *m)
{
	ssize_t n = recv(f->peer, m, sizeof(*m), MSG_DONTWAIT);

	if (n <= 0)
		return false;
	assert_int_equal(m->hdr.len, n);
	return true;
}

static void say(struct fixture *f, void *p, size_t n)
{
	((struct plane_hdr *)p)->len = (uint16_t)n;
	assert_int_equal(send(f->peer, p, n, MSG_NOSIGNAL), n);
	turn(f);
}

static void say_hello(struct fixture *f, uint32_t protocol, uint32_t layout)
{
	struct plane_hello h = {
		.hdr.type = PLANE_HELLO, .protocol = protocol, .layout_version = layout, .instance = 77};
	union plane_msg m;

	assert_true(next_message(f, &m));
	assert_int_equal(m.hdr.type, PLANE_HELLO);
	assert_int_equal(m.hello.protocol, PLANE_PROTOCOL);
	assert_int_equal(m.hello.layout_version, XS_LAYOUT_VERSION);
	say(f, &h, sizeof(h));
}

static void say_ack(struct fixture *f, uint32_t request, int error, uint64_t packets)
{
	struct plane_ack a = {
		.hdr = {.type = PLANE_ACK, .request = request}, .error = error, .packets = packets};

	say(f, &a, sizeof(a));
}

/* Greeted, and its first question (PLANE_INFO_GET) answered. */
static void connect_whole(struct fixture *f)
{
	struct plane_info info = {.hdr.type = PLANE_INFO, .pid = 42, .workers = 3, .n_ports = 9999};
	union plane_msg m;

	take_call(f);
	say_hello(f, PLANE_PROTOCOL, XS_LAYOUT_VERSION);
	assert_int_equal(f->ups, 1);
	assert_true(next_message(f, &m));
	assert_int_equal(m.hdr.type, PLANE_INFO_GET);
	info.hdr.request = m.hdr.request;
	memset(info.crypto, 'x', sizeof(info.crypto));
	say(f, &info, sizeof(info));
	f->next_request = m.hdr.request + 1;
}

static int ask(struct fixture *f, uint32_t tag)
{
	union plane_msg m;

	memset(&m, 0, sizeof(m));
	m.hdr.type = PLANE_SA_DEL;
	m.del.slot = tag;
	return plane_client_request(f->pc, &m, sizeof(m.del), on_done, (void *)(uintptr_t)tag);
}

static void greets_and_learns_the_instance(void **state)
{
	struct fixture *f = *state;
	const struct plane_info *info;

	connect_whole(f);
	assert_int_equal(f->instance, 77);
	assert_true(plane_client_up(f->pc));
	info = plane_client_info(f->pc);
	assert_non_null(info);
	assert_int_equal(info->workers, 3);
	/* what the other end says is bounded here */
	assert_int_equal(info->n_ports, PLANE_PORTS_MAX);
	assert_int_equal(strlen(info->crypto), sizeof(info->crypto) - 1);
}

static void nothing_is_said_before_the_greeting(void **state)
{
	struct fixture *f = *state;
	struct plane_event ev = {.hdr.type = PLANE_EVENT, .kind = PLANE_EV_HARD};

	assert_int_equal(ask(f, 1), -ENOTCONN);
	take_call(f);
	assert_int_equal(ask(f, 1), -ENOTCONN);
	say(f, &ev, sizeof(ev));
	assert_int_equal(f->events, 0);
	assert_int_equal(f->ups, 0);
	assert_null(plane_client_info(f->pc));
}

static void other_version_is_told_once_and_left_alone(void **state)
{
	struct fixture *f = *state;
	union plane_msg m;

	for (int i = 0; i < 3; i++) {
		take_call(f);
		say_hello(f, PLANE_PROTOCOL, XS_LAYOUT_VERSION + 1);
		assert_false(next_message(f, &m));
		close(f->peer);
		f->peer = -1;
	}
	assert_int_equal(f->ups, 0);
	assert_int_equal(f->downs, 0);
	assert_int_equal(f->lines, 1);
	assert_int_equal(ask(f, 1), -ENOTCONN);
}

static void answers_reach_who_asked(void **state)
{
	struct fixture *f = *state;
	union plane_msg m;

	connect_whole(f);
	for (uint32_t i = 1; i <= 3; i++)
		assert_int_equal(ask(f, i), 0);
	assert_int_equal(f->dones, 0);
	for (uint32_t i = 1; i <= 3; i++) {
		assert_true(next_message(f, &m));
		assert_int_equal(m.hdr.type, PLANE_SA_DEL);
		assert_int_equal(m.del.slot, i);
		say_ack(f, m.hdr.request, i == 2 ? -ENOENT : 0, 100 + i);
	}
	assert_int_equal(f->dones, 3);
	assert_int_equal(f->tag[0], 1);
	assert_int_equal(f->error[0], 0);
	assert_int_equal(f->error[1], -ENOENT);
	assert_int_equal(f->tag[2], 3);
	assert_int_equal(f->packets, 103);
}

static void answer_out_of_turn_ends_the_connection(void **state)
{
	struct fixture *f = *state;

	connect_whole(f);
	assert_int_equal(ask(f, 1), 0);
	assert_int_equal(ask(f, 2), 0);
	say_ack(f, f->next_request + 1, 0, 0);
	assert_int_equal(f->dones, 2);
	assert_int_equal(f->error[0], -EPROTO);
	assert_int_equal(f->downs, 1);
	assert_false(plane_client_up(f->pc));
	assert_null(plane_client_info(f->pc));
}

static void unasked_answer_ends_the_connection(void **state)
{
	struct fixture *f = *state;

	connect_whole(f);
	say_ack(f, f->next_request, 0, 0);
	assert_int_equal(f->downs, 1);
}

static void message_of_wrong_size_ends_the_connection(void **state)
{
	struct fixture *f = *state;
	struct plane_ack a = {.hdr = {.type = PLANE_ACK}};
	struct {
		struct plane_hdr hdr;
		uint8_t body[2 * sizeof(union plane_msg)];
	} big = {.hdr.type = PLANE_EVENT};
	static const struct {
		uint16_t type;
		size_t n;
	} bad[] = {
		{PLANE_ACK, sizeof(struct plane_ack) - 1},
		{PLANE_EVENT, sizeof(struct plane_event) + 8},
		{PLANE_INFO, sizeof(struct plane_hdr)},
		{PLANE_HELLO, sizeof(struct plane_hdr)},
		{PLANE_SA_ADD, sizeof(struct plane_sa_add)},
		{0, sizeof(struct plane_hdr)},
		{PLANE_EVENT, sizeof(big)},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		f->ups = f->downs = 0;
		connect_whole(f);
		big.hdr.type = bad[i].type;
		say(f, &big, bad[i].n);
		assert_int_equal(f->downs, 1);
		close(f->peer);
	}
	/* fewer bytes than a header, and a length that is not the message's */
	f->ups = f->downs = 0;
	connect_whole(f);
	assert_int_equal(send(f->peer, &a, 3, 0), 3);
	turn(f);
	assert_int_equal(f->downs, 1);
	close(f->peer);
	f->ups = f->downs = 0;
	connect_whole(f);
	a.hdr.len = 5;
	assert_int_equal(send(f->peer, &a, sizeof(a), 0), sizeof(a));
	turn(f);
	assert_int_equal(f->downs, 1);
}

static void lost_connection_is_made_again(void **state)
{
	struct fixture *f = *state;
	uint64_t start;

	connect_whole(f);
	assert_int_equal(ask(f, 5), 0);
	close(f->peer);
	f->peer = -1;
	turn(f);
	assert_int_equal(f->dones, 1);
	assert_int_equal(f->error[0], -ECONNRESET);
	assert_int_equal(f->downs, 1);
	start = now_ms();
	f->ups = 0;
	connect_whole(f);
	/* SAs exist: the first try comes after 50 ms, not after a second */
	assert_true(now_ms() - start < 600);
}

static void silence_is_not_waited_for_for_ever(void **state)
{
	struct fixture *f = *state;
	uint64_t start = now_ms();

	connect_whole(f);
	assert_int_equal(ask(f, 9), 0);
	while (!f->dones && now_ms() - start < 2 * PLANE_PATIENCE_MS) {
		turn(f);
		usleep(5000);
	}
	assert_int_equal(f->dones, 1);
	assert_int_equal(f->error[0], -ETIMEDOUT);
	assert_int_equal(f->downs, 1);
	assert_in_range(now_ms() - start, PLANE_PATIENCE_MS, PLANE_PATIENCE_MS + 1000);
}

static void events_are_handed_on(void **state)
{
	struct fixture *f = *state;
	struct plane_event ev = {.hdr.type = PLANE_EVENT, .kind = PLANE_EV_SOFT, .slot = 3, .generation = 8};

	connect_whole(f);
	say(f, &ev, sizeof(ev));
	assert_int_equal(f->events, 1);
	assert_int_equal(f->last_event.slot, 3);
	assert_int_equal(f->last_event.generation, 8);
}

/* The socket is full long before the queue is: what waits is kept, bounded, and sent in order. */
static void slow_reader_gets_everything_in_order(void **state)
{
	struct fixture *f = *state;
	union plane_msg m;
	uint32_t seen = 0;

	connect_whole(f);
	for (uint32_t i = 0; i < PLANE_QUEUE_MAX; i++)
		assert_int_equal(ask(f, i), 0);
	assert_int_equal(ask(f, PLANE_QUEUE_MAX), -ENOBUFS);
	while (seen < PLANE_QUEUE_MAX) {
		turn(f);
		while (next_message(f, &m)) {
			assert_int_equal(m.del.slot, seen);
			seen++;
			say_ack(f, m.hdr.request, 0, 0);
		}
	}
	assert_int_equal(f->dones, PLANE_QUEUE_MAX);
	for (uint32_t i = 0; i < PLANE_QUEUE_MAX; i++)
		assert_int_equal(f->tag[i], i);
	assert_int_equal(ask(f, 1), 0);
}

static void closing_ends_what_waits(void **state)
{
	struct fixture *f = *state;

	connect_whole(f);
	assert_int_equal(ask(f, 1), 0);
	plane_client_free(f->pc);
	f->pc = NULL;
	assert_int_equal(f->dones, 1);
	assert_int_equal(f->error[0], -ECANCELED);
}

static void path_too_long_is_refused(void **state)
{
	char path[200];

	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_null(plane_client_new(((struct fixture *)*state)->base, path, &ops, NULL));
	assert_int_equal(errno, ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(greets_and_learns_the_instance, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_is_said_before_the_greeting, setup, teardown),
		cmocka_unit_test_setup_teardown(other_version_is_told_once_and_left_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(answers_reach_who_asked, setup, teardown),
		cmocka_unit_test_setup_teardown(answer_out_of_turn_ends_the_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(unasked_answer_ends_the_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(message_of_wrong_size_ends_the_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(lost_connection_is_made_again, setup, teardown),
		cmocka_unit_test_setup_teardown(silence_is_not_waited_for_for_ever, setup, teardown),
		cmocka_unit_test_setup_teardown(events_are_handed_on, setup, teardown),
		cmocka_unit_test_setup_teardown(slow_reader_gets_everything_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(closing_ends_what_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(path_too_long_is_refused, setup, teardown),
	};

	log_to_stderr(false, false);
	if (secret_init(1 << 20))
		return 1;
	return cmocka_run_group_tests_name("plane_client", tests, NULL, NULL);
}
