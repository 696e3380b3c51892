/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/fetch/fetch.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * The role is the real process: this program starts itself again with --role
 * fetch. The servers it talks to, good and bad ones, are in this process.
 */
static struct event_base *base;
static struct evhttp *http;
static struct evconnlistener *raw;
static struct fetch *f;
static int port, raw_port;
static unsigned int asked; /* requests that reached the server */

struct got {
	unsigned int calls;
	int error;
	size_t n;
	uint8_t head[64];
	char text[96];
};

static void take(void *ctx, uint64_t id, const struct fetch_result *r)
{
	struct got *g = ctx;

	assert_int_equal(id, 77);
	g->calls++;
	g->error = r->error;
	g->n = r->body.n;
	if (g->n)
		memcpy(g->head, r->body.p, g->n < sizeof(g->head) ? g->n : sizeof(g->head));
	snprintf(g->text, sizeof(g->text), "%s", r->text);
}

static void wait_for(const struct got *g)
{
	for (int i = 0; i < 100000 && !g->calls; i++)
		event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(g->calls, 1);
}

static const char *uri(int to, const char *path)
{
	static char text[4][700];
	static unsigned int next;
	char *t = text[next++ % 4];

	snprintf(t, 700, "http://127.0.0.1:%d%s", to, path);
	return t;
}

static struct got get(const char *what)
{
	struct got g = {0};

	assert_int_equal(fetch_get(f, what, true, take, &g, 77), 0);
	assert_int_equal(g.calls, 0);
	wait_for(&g);
	return g;
}

/* ---- servers
 * ------------------------------------------------------------------------------------
 */
static void send_bytes(struct evhttp_request *req, size_t n)
{
	struct evbuffer *b = evbuffer_new();
	uint8_t piece[1024];

	memset(piece, 'x', sizeof(piece));
	for (size_t i = 0; i < n; i += sizeof(piece))
		evbuffer_add(b, piece, n - i < sizeof(piece) ? n - i : sizeof(piece));
	evhttp_send_reply(req, 200, "OK", b);
	evbuffer_free(b);
}

static void send_to(struct evhttp_request *req, const char *where)
{
	evhttp_add_header(evhttp_request_get_output_headers(req), "Location", where);
	evhttp_send_reply(req, 302, "Found", NULL);
}

static void on_request(struct evhttp_request *req, void *arg)
{
	const char *p = evhttp_request_get_uri(req);
	struct evbuffer *in = evhttp_request_get_input_buffer(req);
	const char *type =
	    evhttp_find_header(evhttp_request_get_input_headers(req), "Content-Type");
	const char *host = evhttp_find_header(evhttp_request_get_input_headers(req), "Host");
	char here[32];
	unsigned int n;

	(void)arg;
	asked++;
	snprintf(here, sizeof(here), "127.0.0.1:%d", port);
	if (!strcmp(p, "/echo") && type && !strcmp(type, "a/b"))
		evhttp_send_reply(req, 200, "OK", in);
	else if (sscanf(p, "/bytes/%u", &n) == 1 && host && !strcmp(host, here))
		send_bytes(req, n);
	else if (!strcmp(p, "/?a=b"))
		send_bytes(req, 3);
	else if (sscanf(p, "/again/%u", &n) == 1)
		send_to(req, n ? uri(port, n == 1   ? "/bytes/7"
					   : n == 2 ? "/again/1"
					   : n == 3 ? "/again/2"
						    : "/again/3")
			       : "");
	else if (!strcmp(p, "/loop"))
		send_to(req, uri(port, "/loop"));
	else if (!strcmp(p, "/https"))
		send_to(req, "https://127.0.0.1/");
	else if (!strcmp(p, "/file"))
		send_to(req, "file:///etc/passwd");
	else if (!strcmp(p, "/port"))
		send_to(req, uri(raw_port, "/"));
	else if (!strcmp(p, "/host"))
		send_to(req, "http://127.0.0.2/");
	else if (!strcmp(p, "/user"))
		send_to(req, "http://user:word@127.0.0.1/");
	else
		evhttp_send_error(req, 404, "no");
}

/* What the raw server does with the next connection. */
static const char *raw_says;
static bool raw_closes;

static void on_sent(struct bufferevent *b, void *arg)
{
	(void)arg;
	if (raw_closes && !evbuffer_get_length(bufferevent_get_output(b)))
		bufferevent_free(b);
}

static void on_event(struct bufferevent *b, short what, void *arg)
{
	(void)what;
	(void)arg;
	bufferevent_free(b);
}

static void on_bytes(struct bufferevent *b, void *arg)
{
	(void)arg;
	evbuffer_drain(bufferevent_get_input(b), evbuffer_get_length(bufferevent_get_input(b)));
	if (raw_says)
		bufferevent_write(b, raw_says, strlen(raw_says));
	else if (raw_closes)
		bufferevent_free(b);
}

static void on_connection(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *a, int n,
			  void *arg)
{
	struct bufferevent *b = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);

	(void)l;
	(void)a;
	(void)n;
	(void)arg;
	bufferevent_setcb(b, on_bytes, on_sent, on_event, NULL);
	bufferevent_enable(b, EV_READ | EV_WRITE);
}

/* ---- tests
 * -----------------------------------------------------------------------------------------
 */
static void fetched(void **state)
{
	static const size_t sizes[] = {0, 1, 16383, 16384, 16385, 1 << 20, FETCH_BYTES_MAX};
	struct got g = {0};
	char path[64], name[64];

	(void)state;
	assert_int_equal(fetch_pid(f), 0);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		snprintf(path, sizeof(path), "/bytes/%zu", sizes[i]);
		g = get(uri(port, path));
		assert_string_equal(g.text, "");
		assert_int_equal(g.error, 0);
		assert_int_equal(g.n, sizes[i]);
	}
	assert_true(fetch_pid(f) > 0);
	g = get(uri(port, "?a=b"));
	assert_int_equal(g.n, 3);
	g = get(uri(port, "/bytes/3#part"));
	assert_int_equal(g.n, 3);
	g = (struct got){0};
	assert_int_equal(
	    fetch_post(f, uri(port, "/echo"), true, "a/b", slice_of("hello", 5), take, &g, 77), 0);
	wait_for(&g);
	assert_int_equal(g.error, 0);
	assert_int_equal(g.n, 5);
	assert_memory_equal(g.head, "hello", 5);
	/* a name, out of the file of hosts that was read before the sandbox */
	snprintf(name, sizeof(name), "http://localhost:%d/bytes/2", port);
	g = get(name);
	assert_true(g.error == -ENOENT || g.error == -EHOSTUNREACH || g.n == 2);
}

static void refused(void **state)
{
	static const struct {
		const char *path;
		int error;
	} t[] = {
	    {"/nothing", -ENOENT}, {"/bytes/8388609", -EMSGSIZE},
	    {"/loop", -ELOOP},	   {"/https", -EPROTO},
	    {"/file", -EPROTO},	   {"/user", -EINVAL},
	    {"/again/0", -EPROTO},
	    /* this host, which the administrator has not named so */
	    {"/port", -EACCES},	   {"/host", -EACCES},
	};
	struct got g;
	char big[700];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		g = get(uri(port, t[i].path));
		if (g.error != t[i].error)
			fail_msg("%s: %d %s", t[i].path, g.error, g.text);
		assert_true(g.text[0] && g.n == 0);
	}
	g = get(uri(port, "/again/3"));
	assert_int_equal(g.error, 0);
	assert_int_equal(g.n, 7);
	g = get(uri(port, "/again/4"));
	assert_int_equal(g.error, -ELOOP);
	assert_int_equal(get("http://user@127.0.0.1/").error, -EINVAL);
	assert_int_equal(get("http://127.0.0.1:99999/").error, -EINVAL);
	assert_int_equal(get("http://127.0.0.1:1/").error, -ECONNREFUSED);
	assert_int_equal(get("http:///x").error, -EINVAL);
	assert_int_equal(get("http://no.such.host.invalid/").error, -EHOSTUNREACH);
	assert_int_equal(fetch_get(f, "https://127.0.0.1/", true, take, &g, 77), -EINVAL);
	assert_int_equal(fetch_get(f, "file:///etc/passwd", true, take, &g, 77), -EINVAL);
	assert_int_equal(fetch_get(f, "", true, take, &g, 77), -EINVAL);
	memset(big, 'x', sizeof(big) - 1);
	memcpy(big, "http://", 7);
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(fetch_get(f, big, true, take, &g, 77), -EMSGSIZE);
}

/* Where certificates may not lead to: not one connection is made. */
static void this_host(void **state)
{
	static const char *const hosts[] = {
	    "127.0.0.1", "127.9.9.9",	       "0.0.0.0",	 "[::1]",
	    "[::]",	 "169.254.1.1",	       "224.0.0.1",	 "[fe80::1]",
	    "[ff02::1]", "[::ffff:127.0.0.1]", "255.255.255.255"};
	unsigned int before = asked;
	struct ifaddrs *all = NULL;
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
		struct got g = {0};

		snprintf(text, sizeof(text), "http://%s:%d/bytes/1", hosts[i], port);
		assert_int_equal(fetch_get(f, text, false, take, &g, 77), 0);
		wait_for(&g);
		if (g.error != -EACCES)
			fail_msg("%s: %d %s", hosts[i], g.error, g.text);
	}
	/* its other addresses, too */
	assert_int_equal(getifaddrs(&all), 0);
	for (struct ifaddrs *i = all; i; i = i->ifa_next) {
		char name[INET6_ADDRSTRLEN];
		struct got g = {0};

		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET)
			continue;
		inet_ntop(AF_INET, &((struct sockaddr_in *)i->ifa_addr)->sin_addr, name,
			  sizeof(name));
		snprintf(text, sizeof(text), "http://%s:%d/bytes/1", name, port);
		assert_int_equal(fetch_get(f, text, false, take, &g, 77), 0);
		wait_for(&g);
		if (g.error != -EACCES)
			fail_msg("%s: %d %s", text, g.error, g.text);
	}
	freeifaddrs(all);
	assert_int_equal(asked, before);
}

static void bad_servers(void **state)
{
	static const struct {
		const char *says;
		bool closes;
	} t[] = {
	    {NULL, true},
	    {"hello\r\n", true},
	    {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", true},
	    {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx", true},
	    {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", true},
	    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffff\r\nx", true},
	    {"HTTP/1.1 999999 OK\r\n\r\n", true},
	    {"\r\n\r\n\r\n", true},
	};
	static char headers[20000] = "HTTP/1.1 200 OK\r\n";

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		struct got g;

		raw_says = t[i].says;
		raw_closes = t[i].closes;
		g = get(uri(raw_port, "/"));
		if (!g.error)
			fail_msg("%s: %zu bytes", t[i].says ? t[i].says : "nothing", g.n);
	}
	while (strlen(headers) < sizeof(headers) - 20)
		strcat(headers, "X: yyyyyyyyyy\r\n");
	raw_says = headers;
	assert_int_not_equal(get(uri(raw_port, "/")).error, 0);
	/* the role is the same one still */
	assert_int_equal(get(uri(port, "/bytes/5")).n, 5);
}

/* A server that never answers, a full table, too many in a second. */
static void limits(void **state)
{
	static struct got g[FETCH_OPEN_MAX + 1];
	struct fetch *own = fetch_new(base, "/proc/self/exe");
	unsigned int n = 0;
	int r;

	(void)state;
	raw_says = NULL;
	raw_closes = false;
	for (; n < FETCH_OPEN_MAX; n++)
		assert_int_equal(fetch_get(own, uri(raw_port, "/"), true, take, &g[n], 77), 0);
	assert_int_equal(fetch_get(own, uri(raw_port, "/"), true, take, &g[n], 77), -EBUSY);
	for (n = 0; n < FETCH_OPEN_MAX; n++) {
		wait_for(&g[n]);
		assert_int_equal(g[n].error, -ETIMEDOUT);
	}
	/* the burst, less what the time has brought */
	for (n = 0, r = 0; n < 1000 && !r; n++) {
		memset(&g[0], 0, sizeof(g[0]));
		r = fetch_get(own, uri(port, "/bytes/1"), true, take, &g[0], 77);
		if (!r)
			wait_for(&g[0]);
	}
	assert_int_equal(r, -EBUSY);
	assert_true(n < 200);
	fetch_free(own);
}

/* The role dies: what was asked fails, the next request has a new one. */
static void killed(void **state)
{
	struct got g = {0};
	int pid = fetch_pid(f);

	(void)state;
	raw_says = NULL;
	raw_closes = false;
	assert_int_equal(fetch_get(f, uri(raw_port, "/"), true, take, &g, 77), 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	wait_for(&g);
	assert_int_equal(g.error, -EIO);
	assert_int_equal(get(uri(port, "/bytes/4")).n, 4);
	assert_true(fetch_pid(f) > 0 && fetch_pid(f) != pid);
}

/* Locked in: no capability, no new privilege, a filter where there is one,
 * three descriptors. */
static void locked_in(void **state)
{
	char path[64], line[256];
	bool caps = false, seccomp = false, privs = false;
	FILE *s;

	(void)state;
	assert_int_equal(get(uri(port, "/bytes/4")).n, 4);
	snprintf(path, sizeof(path), "/proc/%d/status", fetch_pid(f));
	s = fopen(path, "r");
	assert_non_null(s);
	while (fgets(line, sizeof(line), s)) {
		caps = caps || !strcmp(line, "CapEff:\t0000000000000000\n");
		privs = privs || !strcmp(line, "NoNewPrivs:\t1\n");
		seccomp = seccomp || !strcmp(line, "Seccomp:\t2\n");
	}
	fclose(s);
	assert_true(caps && privs);
#ifndef __SANITIZE_ADDRESS__
	assert_true(seccomp);
#endif
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fetched),	   cmocka_unit_test(refused), cmocka_unit_test(this_host),
	    cmocka_unit_test(bad_servers), cmocka_unit_test(limits),  cmocka_unit_test(killed),
	    cmocka_unit_test(locked_in),
	};
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(at);
	struct evhttp_bound_socket *bound;
	int r;

	if (argc > 2 && !strcmp(argv[1], "--role"))
		return fetch_role_main(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	base = event_base_new();
	http = evhttp_new(base);
	bound = evhttp_bind_socket_with_handle(http, "127.0.0.1", 0);
	raw = evconnlistener_new_bind(base, on_connection, NULL, LEV_OPT_CLOSE_ON_FREE, -1,
				      (struct sockaddr *)&at, sizeof(at));
	f = fetch_new(base, "/proc/self/exe");
	if (!bound || !raw || !f)
		return 1;
	evhttp_set_gencb(http, on_request, NULL);
	getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&at, &n);
	port = ntohs(at.sin_port);
	getsockname(evconnlistener_get_fd(raw), (struct sockaddr *)&at, &n);
	raw_port = ntohs(at.sin_port);
	r = cmocka_run_group_tests_name("fetch", tests, NULL, NULL);
	fetch_free(f);
	evconnlistener_free(raw);
	evhttp_free(http);
	event_base_free(base);
	return r;
}
