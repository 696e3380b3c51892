/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/control/control.h"

#include "agent/agent.h"
#include "agent/exch/parts.h"
#include "common/vici.h"

#include <event2/event.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * The server on a real socket, in front of the real core whose datagrams go nowhere: a peer that never
 * answers. Server and clients share one thread, the loop runs while a client waits.
 */
enum { WAIT_MS = 5000, MANY = 80 };

static const char conf_text[] =
	"connections {\n"
	"  gw { local_addrs = 192.0.2.1\n remote_addrs = 192.0.2.2\n"
	"    local { auth = psk\n id = a.example }\n"
	"    remote { auth = psk\n id = b.example }\n"
	"    children {\n"
	"      net { local_ts = 10.1.0.0/24\n remote_ts = 10.2.0.0/24 }\n"
	"      trap { local_ts = 10.3.0.0/24\n remote_ts = 10.2.0.0/24\n start_action = trap }\n"
	"    }\n"
	"  }\n"
	"}\n";

struct world {
	struct agent a;
	struct agent_parts parts;
	struct control *control;
	char dir[64], path[96];
};

static int drop_datagram(struct agent *a, const struct endpoint *from, const struct endpoint *to,
			 struct slice datagram)
{
	(void)a;
	(void)from;
	(void)to;
	(void)datagram;
	return 0;
}

static int drop_keepalive(struct agent *a, const struct endpoint *from, const struct endpoint *to)
{
	(void)a;
	(void)from;
	(void)to;
	return 0;
}

static int no_source(const struct ip_addr *to, struct ip_addr *out)
{
	(void)to;
	return addr_parse("192.0.2.1", out);
}

static int pick(struct engine *e, const struct engine_want *want, struct engine_pick *out)
{
	(void)e;
	(void)want;
	*out = (struct engine_pick){.engine = "dataplane"};
	return 0;
}

/* The engine's part: slots that never carry anything, as no exchange comes that far. */
static int spi_alloc(struct engine *e, struct engine_sa *sa, uint32_t *spi)
{
	(void)e;
	*sa = (struct engine_sa){.slot = 1, .generation = 1};
	*spi = 0xc0000001;
	return 0;
}

static void spi_free(struct engine *e, struct engine_sa sa)
{
	(void)e;
	(void)sa;
}

static int no_trap(struct engine *e, const struct conn_conf *conn, const struct child_conf *child,
		   const struct ts_list *local, const struct ts_list *remote)
{
	(void)e;
	(void)conn;
	(void)child;
	(void)local;
	(void)remote;
	return 0;
}

static int no_untrap(struct engine *e, const char *conn, const char *child)
{
	(void)e;
	(void)conn;
	(void)child;
	return 0;
}

static unsigned int no_inherited(struct engine *e, engine_keep_fn keep, void *ctx)
{
	(void)e;
	(void)keep;
	(void)ctx;
	return 0;
}

static unsigned int no_orphans(struct engine *e, struct engine_orphan *out, unsigned int max)
{
	(void)e;
	(void)out;
	(void)max;
	return 0;
}

static void open_control(struct world *w)
{
	char err[256] = "";

	w->control = control_open(&w->a, w->path, err, sizeof(err));
	if (!w->control)
		fail_msg("%s", err);
}

static void configure(struct world *w, const char *text)
{
	struct settings_error err;
	struct settings *root = settings_parse("test", text, strlen(text), false, &err);
	struct conf *conf;

	assert_non_null(root);
	conf = conf_parse(root, &err);
	if (!conf)
		fail_msg("%s:%d: %s", err.file, err.line, err.text);
	settings_free(root);
	sa_configure(&w->a, conf);
}

static int start(void **state, struct engine *engine)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	log_to_stderr(getenv("CONTROL_TEST_LOG") != NULL, false);
	signal(SIGPIPE, SIG_IGN); /* as main.c does */
	assert_int_equal(crypt_init(), 0);
	w->parts = agent_parts_real;
	w->parts.send = drop_datagram;
	w->parts.keepalive = drop_keepalive;
	w->parts.source_for = no_source;
	w->parts.engine_pick = pick;
	w->parts.spi_alloc = spi_alloc;
	w->parts.spi_free = spi_free;
	w->parts.trap = no_trap;
	w->parts.untrap = no_untrap;
	w->parts.orphans = no_orphans;
	w->parts.sort_inherited = no_inherited;
	w->a.engine = engine;
	gateway_conf_defaults(&w->a.gw);
	w->a.parts = &w->parts;
	w->a.base = event_base_new();
	assert_non_null(w->a.base);
	w->a.jobs = jobs_new(w->a.base, 1);
	assert_non_null(w->a.jobs);
	assert_int_equal(agent_core_open(&w->a), 0);
	configure(w, conf_text);
	snprintf(w->dir, sizeof(w->dir), "/tmp/control_test.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->path, sizeof(w->path), "%s/vici", w->dir);
	open_control(w);
	*state = w;
	return 0;
}

static int setup(void **state)
{
	return start(state, NULL);
}

/* For exchanges, which need an engine to begin at all: an address that only the parts above are given. */
static int setup_ike(void **state)
{
	static uint64_t nothing;

	return start(state, (struct engine *)&nothing);
}

static int teardown(void **state)
{
	struct world *w = *state;

	control_close(w->control);
	agent_core_close(&w->a, false);
	jobs_free(w->a.jobs);
	event_base_free(w->a.base);
	assert_int_equal(access(w->path, F_OK), -1);
	assert_int_equal(rmdir(w->dir), 0);
	free(w);
	return 0;
}

/* ---- a client ----------------------------------------------------------------------------- */
static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void spin(struct world *w)
{
	event_base_loop(w->a.base, EVLOOP_NONBLOCK);
}

static void spin_for(struct world *w, int64_t ms)
{
	for (int64_t end = now_ms() + ms; now_ms() < end; usleep(1000))
		spin(w);
}

static int dial(struct world *w)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	memcpy(sun.sun_path, w->path, strlen(w->path));
	assert_int_equal(connect(fd, (const struct sockaddr *)&sun, sizeof(sun)), 0);
	spin(w);
	return fd;
}

static void put(struct world *w, int fd, const void *p, size_t n)
{
	assert_int_equal(send(fd, p, n, MSG_NOSIGNAL), (ssize_t)n);
	spin(w);
}

/* n bytes; false when the server closed. */
static bool take(struct world *w, int fd, uint8_t *p, size_t n)
{
	int64_t end = now_ms() + WAIT_MS;

	while (n && now_ms() < end) {
		ssize_t got = recv(fd, p, n, 0);

		if (got == 0 || (got < 0 && errno != EAGAIN))
			return false;
		if (got < 0) {
			spin(w);
			usleep(200);
			continue;
		}
		p += got;
		n -= (size_t)got;
	}
	assert_int_equal(n, 0);
	return true;
}

static uint8_t packet[VICI_PACKET_MAX];

static bool next_packet(struct world *w, int fd, struct vici_packet *p)
{
	uint8_t head[VICI_LEN_BYTES];
	size_t len;

	if (!take(w, fd, head, sizeof(head)))
		return false;
	assert_int_equal(vici_frame(slice_of(head, sizeof(head)), &len), 0);
	assert_true(take(w, fd, packet, len));
	assert_int_equal(vici_packet_decode(slice_of(packet, len), p), 0);
	if (p->body.n)
		assert_int_equal(vici_check(p->body), 0);
	return true;
}

static bool closed(struct world *w, int fd)
{
	uint8_t byte;

	return !take(w, fd, &byte, 1);
}

/* A request with keys and values in pairs, NULL at the end. */
static void request(struct world *w, int fd, const char *command, ...)
{
	uint8_t buf[4096];
	struct vici_wr v = vici_begin(buf, sizeof(buf), VICI_CMD_REQUEST, command);
	const char *key;
	struct slice s;
	va_list ap;

	va_start(ap, command);
	while ((key = va_arg(ap, const char *)))
		vici_kv(&v, key, va_arg(ap, const char *));
	va_end(ap);
	s = vici_end(&v);
	assert_true(s.n > 0);
	put(w, fd, s.p, s.n);
}

static void named(struct world *w, int fd, enum vici_type type, const char *name)
{
	uint8_t buf[256];
	struct vici_wr v = vici_begin(buf, sizeof(buf), type, name);
	struct slice s = vici_end(&v);

	put(w, fd, s.p, s.n);
}

static void registered(struct world *w, int fd, const char *event)
{
	struct vici_packet p;

	named(w, fd, VICI_EVENT_REGISTER, event);
	assert_true(next_packet(w, fd, &p));
	assert_int_equal(p.type, VICI_EVENT_CONFIRM);
}

/* The answer; events before it are counted. */
static struct slice answer(struct world *w, int fd, unsigned int *events)
{
	struct vici_packet p;

	if (events)
		*events = 0;
	do {
		assert_true(next_packet(w, fd, &p));
		if (p.type == VICI_EVENT && events)
			(*events)++;
	} while (p.type == VICI_EVENT);
	assert_int_equal(p.type, VICI_CMD_RESPONSE);
	return p.body;
}

static const char *value(struct slice body, const char *key)
{
	static char text[512];

	vici_find_text(body, key, text, sizeof(text));
	return text;
}

/* A counter of the control socket itself, inside its section. */
static unsigned int counted(struct world *w, const char *name)
{
	int fd = dial(w);
	struct vici_elem e;
	struct vici_rd r;
	char text[24];

	request(w, fd, "counters", NULL);
	r = vici_rd_of(answer(w, fd, NULL));
	while (!vici_next(&r, &e) && e.kind != VICI_END) {
		if (e.kind != VICI_KEY_VALUE || e.name.n != strlen(name) ||
		    memcmp(e.name.p, name, e.name.n))
			continue;
		snprintf(text, sizeof(text), "%.*s", (int)e.value.n, (const char *)e.value.p);
		close(fd);
		return (unsigned int)strtoul(text, NULL, 10);
	}
	fail_msg("no counter %s", name);
	return 0;
}

static void refused(struct world *w, int fd, const char *why)
{
	struct slice body = answer(w, fd, NULL);

	assert_string_equal(value(body, "success"), "no");
	if (!strstr(value(body, "errmsg"), why))
		fail_msg("'%s' does not say '%s'", value(body, "errmsg"), why);
}

static void alive(struct world *w)
{
	int fd = dial(w);

	request(w, fd, "version", NULL);
	assert_string_equal(value(answer(w, fd, NULL), "daemon"), "xdpsecd");
	close(fd);
	spin(w);
}

/* ---- tests -------------------------------------------------------------------------------- */
static void test_basics(void **state)
{
	struct world *w = *state;
	struct vici_packet p;
	unsigned int events;
	struct stat st;
	int fd = dial(w);

	assert_int_equal(stat(w->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	request(w, fd, "no-such-command", NULL);
	assert_true(next_packet(w, fd, &p));
	assert_int_equal(p.type, VICI_CMD_UNKNOWN);
	named(w, fd, VICI_EVENT_REGISTER, "no-such-event");
	assert_true(next_packet(w, fd, &p));
	assert_int_equal(p.type, VICI_EVENT_UNKNOWN);
	request(w, fd, "list-conns", NULL); /* not registered: the answer alone */
	answer(w, fd, &events);
	assert_int_equal(events, 0);
	registered(w, fd, "list-conn");
	registered(w, fd, "list-policy");
	request(w, fd, "list-conns", NULL);
	answer(w, fd, &events);
	assert_int_equal(events, 1);
	request(w, fd, "list-conns", "ike", "other", NULL);
	answer(w, fd, &events);
	assert_int_equal(events, 0);
	request(w, fd, "list-policies", NULL);
	answer(w, fd, &events);
	assert_int_equal(events, 1);
	request(w, fd, "list-policies", "drop", "yes", NULL);
	answer(w, fd, &events);
	assert_int_equal(events, 0);
	close(fd);
}

/* What has nothing to show answers all the same. */
static void test_plain_commands(void **state)
{
	static const char *const names[] = {"list-certs", "list-authorities", "get-pools", "get-authorities",
					    "get-keys", "get-shared", "list-policies", "get-conns", "get-algorithms", "show-algorithms",
					    "stats", "status", "counters", "list-sas"};
	struct world *w = *state;
	int fd = dial(w);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		request(w, fd, names[i], NULL);
		assert_string_equal(value(answer(w, fd, NULL), "success"), "");
	}
	request(w, fd, "load-conn", "gw", "x", NULL);
	refused(w, fd, "xdpsec reload");
	request(w, fd, "flush-certs", "type", "ocsp_response", NULL);
	assert_string_equal(value(answer(w, fd, NULL), "success"), "yes");
	request(w, fd, "flush-certs", "type", "sas", NULL);
	refused(w, fd, "'sas' is none of ANY, X509_CRL");
	request(w, fd, "show-drops", NULL);
	refused(w, fd, "xdpsec-loader");
	request(w, fd, "show-policies", NULL);
	refused(w, fd, "xdpsec-loader");
	request(w, fd, "show-plane", NULL);
	refused(w, fd, "xdpsec-loader");
	close(fd);
}

static void test_malformed(void **state)
{
	static const struct {
		const char *p;
		size_t n;
	} cases[] = {
#define CASE(s) {s, sizeof(s) - 1}
		CASE("\0\0\0\0"),		/* no packet */
		CASE("\0\x08\0\1"),		/* larger than allowed */
		CASE("\xff\xff\xff\xff"),
		CASE("\0\0\0\1\x09"),		/* unknown type */
		CASE("\0\0\0\1\0"),		/* no name */
		CASE("\0\0\0\3\0\5v"),		/* name cut */
		CASE("\0\0\0\1\1"),		/* what only a server sends */
		CASE("\0\0\0\1\2"), CASE("\0\0\0\1\5"), CASE("\0\0\0\1\6"), CASE("\0\0\0\3\7\1e"),
		CASE("\0\0\0\4\3\1e\1"),	/* register with a body */
		CASE("\0\0\0\4\0\1v\2"),	/* end without section */
		CASE("\0\0\0\6\0\1v\1\1s"),	/* open section */
		CASE("\0\0\0\4\0\1v\x2a"),	/* unknown element */
#undef CASE
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = dial(w);

		put(w, fd, cases[i].p, cases[i].n);
		if (!closed(w, fd))
			fail_msg("case %zu is taken", i);
		close(fd);
		assert_int_equal(counted(w, "malformed"), i + 1);
	}
}

/* Requests in one piece, and byte by byte. */
static void test_stream(void **state)
{
	static const char twice[] = "\0\0\0\x0b\0\x09get-conns\0\0\0\x09\0\7version";
	struct world *w = *state;
	int fd = dial(w);

	put(w, fd, twice, sizeof(twice) - 1);
	assert_string_equal(value(answer(w, fd, NULL), "daemon"), "");
	assert_string_equal(value(answer(w, fd, NULL), "daemon"), "xdpsecd");
	for (size_t i = 0; i < sizeof(twice) - 1; i++)
		put(w, fd, twice + i, 1);
	answer(w, fd, NULL);
	assert_string_equal(value(answer(w, fd, NULL), "daemon"), "xdpsecd");
	put(w, fd, twice, 7); /* gone in the middle of a request */
	close(fd);
	alive(w);
}

static void test_parameters(void **state)
{
	static const struct {
		const char *command, *key, *value, *why;
	} cases[] = {
		{"initiate", "child", "nosuch", "nosuch"},
		{"initiate", "ike", "nosuch", "nosuch"},
		{"initiate", "none", "", "missing"},
		{"initiate", "child", "a\nb", "child"},
		{"initiate", "child",
		 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "child"},
		{"initiate", "timeout", "soon", "timeout"},
		{"initiate", "timeout", "99999999999", "timeout"},
		{"initiate", "loglevel", "9", "loglevel"},
		{"terminate", "none", "", "missing"},
		{"terminate", "child", "net", "no matching"},
		{"terminate", "ike-id", "-1", "ike-id"},
		{"terminate", "ike-id", "4294967296", "ike-id"},
		{"terminate", "child-id", "7", "no matching"},
		{"rekey", "none", "", "missing"},
		{"rekey", "ike", "gw", "no matching"},
		{"list-sas", "child-id", "x", "child-id"},
	};
	struct world *w = *state;
	int fd = dial(w);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		request(w, fd, cases[i].command, cases[i].key, cases[i].value, NULL);
		refused(w, fd, cases[i].why);
	}
	close(fd);
}

static void test_initiate_timeout(void **state)
{
	struct world *w = *state;
	int fd = dial(w), other = dial(w);
	unsigned int events;

	registered(w, other, "list-sa");
	registered(w, fd, "control-log");
	request(w, fd, "initiate", "child", "net", "timeout", "150", NULL);
	request(w, other, "list-sas", "ike", "gw", NULL);
	answer(w, other, &events);
	assert_int_equal(events, 1);
	refused(w, fd, "CHILD_SA 'net' not established after 150ms: no answer from 192.0.2.2");
	request(w, other, "terminate", "ike", "gw", "force", "yes", NULL);
	assert_string_equal(value(answer(w, other, NULL), "success"), "yes");
	request(w, other, "list-sas", NULL);
	answer(w, other, &events);
	assert_int_equal(events, 0);
	close(fd);
	close(other);
}

/* The real outcome, when somebody else ends the attempt; and the log of it on the way. */
static void test_initiate_ended(void **state)
{
	struct world *w = *state;
	int fd = dial(w), other = dial(w);
	unsigned int events;
	struct slice body;

	registered(w, fd, "control-log");
	request(w, fd, "initiate", "child", "net", NULL);
	spin_for(w, 50);
	request(w, other, "terminate", "ike", "gw", "force", "yes", NULL);
	body = answer(w, other, NULL);
	assert_string_equal(value(body, "matches"), "1");
	body = answer(w, fd, &events);
	assert_string_equal(value(body, "success"), "no");
	assert_true(strlen(value(body, "errmsg")) > 0);
	assert_true(events > 0);
	close(fd);
	close(other);
}

static void test_initiate_detached(void **state)
{
	struct world *w = *state;
	int fd = dial(w), other = dial(w);

	request(w, fd, "initiate", "child", "net", "timeout", "-1", NULL);
	assert_string_equal(value(answer(w, fd, NULL), "success"), "yes");
	request(w, fd, "version", NULL); /* free for the next at once */
	assert_string_equal(value(answer(w, fd, NULL), "daemon"), "xdpsecd");
	close(fd);
	request(w, other, "initiate", "child", "net", NULL);
	close(other); /* gone while it waits */
	spin_for(w, 50);
	alive(w);
	other = dial(w);
	request(w, other, "terminate", "ike", "gw", "force", "yes", NULL);
	answer(w, other, NULL);
	close(other);
	spin_for(w, 50);
	alive(w);
}

/* The socket may be closed with commands under way; the core reports to nobody later. */
static void test_close_while_waiting(void **state)
{
	struct world *w = *state;
	int fd = dial(w);

	request(w, fd, "initiate", "child", "net", NULL);
	spin_for(w, 20);
	control_close(w->control);
	w->control = NULL;
	assert_true(closed(w, fd));
	close(fd);
	open_control(w);
	alive(w);
}

static void test_flush(void **state)
{
	struct world *w = *state;
	int fd = dial(w), other = dial(w);
	unsigned int events;

	request(w, fd, "initiate", "child", "net", NULL);
	spin_for(w, 20);
	request(w, other, "flush", NULL);
	assert_string_equal(value(answer(w, other, NULL), "success"), "yes");
	assert_string_equal(value(answer(w, fd, NULL), "success"), "no");
	registered(w, other, "list-sa");
	request(w, other, "list-sas", NULL);
	answer(w, other, &events);
	assert_int_equal(events, 0);
	close(fd);
	close(other);
}

static void test_log_event(void **state)
{
	struct world *w = *state;
	struct vici_packet p;
	int fd = dial(w);

	log_line_sa(LOG_IKE, 1, "gw", 7, "before");
	registered(w, fd, "log");
	log_line_sa(LOG_IKE, 2, "gw", 7, "too detailed");
	log_line_sa(LOG_IKE, 1, "gw", 7, "a line");
	assert_true(next_packet(w, fd, &p));
	assert_int_equal(p.type, VICI_EVENT);
	assert_string_equal(value(p.body, "group"), "IKE");
	assert_string_equal(value(p.body, "ikesa-name"), "gw");
	assert_string_equal(value(p.body, "ikesa-uniqueid"), "7");
	assert_string_equal(value(p.body, "msg"), "a line");
	close(fd);
}

/* A reader that never reads loses events, not the agent its memory, and others see nothing of it. */
static void test_slow_reader(void **state)
{
	struct world *w = *state;
	int slow = dial(w);
	char line[512];

	registered(w, slow, "log");
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	for (int i = 0; i < 8000; i++) {
		log_line(LOG_IKE, 1, "%s", line);
		if (i % 100 == 0)
			spin(w);
	}
	assert_true(counted(w, "events-dropped") > 1000);
	request(w, slow, "version", NULL); /* what is queued comes, then the answer */
	assert_string_equal(value(answer(w, slow, NULL), "daemon"), "xdpsecd");
	close(slow);
	alive(w);
}

/* A long listing goes out as it is read, all of it, while others are served. */
static void test_long_listing(void **state)
{
	enum { CONNS = 3000 };
	struct world *w = *state;
	size_t cap = CONNS * 400, at = 0;
	char *text = malloc(cap);
	unsigned int events;
	int fd = dial(w);

	assert_non_null(text);
	at += (size_t)snprintf(text, cap, "connections {\n");
	for (int i = 0; i < CONNS; i++)
		at += (size_t)snprintf(text + at, cap - at,
				       "c%d { remote_addrs = 10.0.%d.%d\n local { auth = psk }\n"
				       "remote { auth = psk }\n children { n { remote_ts = 10.2.0.0/24 } } }\n",
				       i, i / 250, i % 250 + 1);
	assert_true(at + 2 < cap);
	strcpy(text + at, "}\n");
	configure(w, text);
	free(text);
	registered(w, fd, "list-conn");
	request(w, fd, "list-conns", NULL);
	request(w, fd, "version", NULL); /* waits its turn */
	spin_for(w, 20);
	alive(w);
	answer(w, fd, &events);
	assert_int_equal(events, CONNS);
	assert_string_equal(value(answer(w, fd, NULL), "daemon"), "xdpsecd");
	request(w, fd, "list-conns", NULL); /* gone in the middle of it */
	spin(w);
	close(fd);
	alive(w);
}

static void test_too_many(void **state)
{
	struct world *w = *state;
	int fd[MANY];
	unsigned int served = 0;

	for (int i = 0; i < MANY; i++)
		fd[i] = dial(w);
	spin_for(w, 20);
	for (int i = 0; i < MANY; i++) {
		uint8_t byte;

		served += recv(fd[i], &byte, 1, 0) < 0 && errno == EAGAIN;
	}
	assert_int_equal(served, 64);
	for (int i = 0; i < MANY; i++)
		close(fd[i]);
	spin_for(w, 20);
	alive(w);
}

static int reload_result;

static int on_reload(void *ctx, char *err, size_t errlen)
{
	(void)ctx;
	snprintf(err, errlen, "%s", reload_result ? "swanctl.conf:3: connections.gw.foo: unknown key" : "");
	return reload_result;
}

static void test_reload(void **state)
{
	struct world *w = *state;
	int fd = dial(w);

	request(w, fd, "load-file", NULL);
	refused(w, fd, "not available");
	control_on_reload(w->control, on_reload, NULL);
	reload_result = -EINVAL;
	request(w, fd, "load-file", NULL);
	refused(w, fd, "swanctl.conf:3: connections.gw.foo: unknown key");
	reload_result = 0;
	request(w, fd, "reload-settings", NULL);
	assert_string_equal(value(answer(w, fd, NULL), "success"), "yes");
	close(fd);
}

static void test_socket_path(void **state)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct world *w = *state;
	struct control *c;
	char err[256], path[160];
	int fd;

	assert_null(control_open(&w->a, w->path, err, sizeof(err))); /* served */
	assert_int_equal(errno, EADDRINUSE);
	assert_non_null(strstr(err, w->path));
	snprintf(path, sizeof(path), "%s/none/vici", w->dir);
	assert_null(control_open(&w->a, path, err, sizeof(err)));
	assert_int_equal(errno, ENOENT);
	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_null(control_open(&w->a, path, err, sizeof(err)));
	assert_int_equal(errno, ENAMETOOLONG);
	snprintf(path, sizeof(path), "%s/file", w->dir); /* not a socket: not ours to remove */
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_null(control_open(&w->a, path, err, sizeof(err)));
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
	memcpy(sun.sun_path, path, strlen(path)); /* what a killed agent left */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&sun, sizeof(sun)), 0);
	close(fd);
	control_close(w->control);
	c = control_open(&w->a, path, err, sizeof(err));
	assert_non_null(c);
	control_close(c);
	open_control(w);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
#define I(t) cmocka_unit_test_setup_teardown(t, setup_ike, teardown)
	const struct CMUnitTest tests[] = {
		T(test_basics), T(test_plain_commands), T(test_malformed), T(test_stream),
		T(test_parameters), I(test_initiate_timeout), I(test_initiate_ended),
		I(test_initiate_detached), I(test_close_while_waiting), I(test_flush),
		T(test_log_event), T(test_slow_reader), T(test_long_listing), T(test_too_many), T(test_reload),
		T(test_socket_path),
	};
#undef T
#undef I

	return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
