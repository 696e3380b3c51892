/* SPDX-License-Identifier: BSD-2-Clause */
#include "fetch_wire.h"

#include "agent/keys/sandbox.h"
#include "common/addr.h"
#include "common/log.h"

#include <event2/buffer.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <event2/util.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * The fetch role. A URI is resolved here, each address is looked at before it is connected to, and
 * the connection goes to that address and no other: a name that changes its mind leads nowhere.
 */
enum { ADDRS_MAX = 4, HEADERS_MAX = 8192, CONNECT_S = 3, HOST_MAX = 256 };

struct transfer {
	TAILQ_ENTRY(transfer) next;
	struct fetch_request q;
	char uri[FETCH_URI_MAX]; /* now, after redirects */
	char host[HOST_MAX], first_host[HOST_MAX];
	int port, first_port;
	unsigned int redirects;
	struct endpoint addr[ADDRS_MAX];
	unsigned int n_addrs, i_addr;
	struct evdns_getaddrinfo_request *resolving;
	struct evhttp_connection *conn;
	struct event *late, *step; /* step: what a callback decided, done outside of it */
	bool again;		   /* step: another URI or address; else it is over */
	bool over, sent_end;
	int error;
	char text[96];
	struct evbuffer *body;
};
TAILQ_HEAD(transfer_list, transfer);

static struct fetch_role {
	int fd;
	bool sandbox;
	struct event_base *base;
	struct evdns_base *dns;
	struct event *readable, *writable;
	struct transfer_list open;
	unsigned int n;
} role = {.fd = -1, .sandbox = true};

static void transfer_start(struct transfer *t);

static void transfer_free(struct transfer *t)
{
	TAILQ_REMOVE(&role.open, t, next);
	role.n--;
	if (t->conn)
		evhttp_connection_free(t->conn);
	if (t->late)
		event_free(t->late);
	if (t->step)
		event_free(t->step);
	if (t->body)
		evbuffer_free(t->body);
	free(t);
}

/* ---- answers to the agent
 * -------------------------------------------------------------------------- */
/* The next piece of an answer: 1 sent, 0 the socket is full. Ends the process when the agent is
 * gone. */
static int piece_send(struct transfer *t)
{
	static struct fetch_reply m;
	bool data = !t->error && evbuffer_get_length(t->body) > 0;
	ssize_t n;

	memset(&m, 0, FETCH_REPLY_MIN);
	m.type = data ? FETCH_DATA : FETCH_END;
	m.id = t->q.id;
	m.error = t->error;
	snprintf(m.text, sizeof(m.text), "%s", t->text);
	if (data)
		m.n = (uint32_t)evbuffer_copyout(t->body, m.data, sizeof(m.data));
	n = send(role.fd, &m, FETCH_REPLY_MIN + m.n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS))
		return 0;
	if (n < 0)
		_exit(1);
	if (data)
		evbuffer_drain(t->body, m.n);
	t->sent_end = !data;
	return 1;
}

static void pump(void)
{
	struct transfer *t, *after;

	for (t = TAILQ_FIRST(&role.open); t; t = after) {
		after = TAILQ_NEXT(t, next);
		while (t->over && !t->sent_end) {
			if (!piece_send(t)) {
				event_add(role.writable, NULL);
				return;
			}
		}
		if (t->sent_end && !t->resolving)
			transfer_free(t);
	}
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	pump();
}

static void end(struct transfer *t, int error, const char *text)
{
	if (t->over)
		return;
	t->over = true;
	t->error = error;
	snprintf(t->text, sizeof(t->text), "%s", text);
	if (t->resolving)
		evdns_getaddrinfo_cancel(t->resolving);
	event_del(t->late);
	event_active(t->step, EV_TIMEOUT, 0);
}

static void step_again(struct transfer *t)
{
	t->again = true;
	event_active(t->step, EV_TIMEOUT, 0);
}

/* ---- one address
 * -------------------------------------------------------------------------------------- */
static bool is_ours_to_reach(const struct ip_addr *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct ip_addr v4 = {.family = 4};

	if (addr_is_any(a))
		return false;
	if (a->family == 4) /* this host, loopback, link-local, multicast and above */
		return a->b[0] != 0 && a->b[0] != 127 && !(a->b[0] == 169 && a->b[1] == 254) &&
		       a->b[0] < 224;
	if (!memcmp(a->b, mapped, sizeof(mapped))) {
		memcpy(v4.b, a->b + 12, 4);
		return is_ours_to_reach(&v4);
	}
	for (int i = 0; i < 15; i++)
		if (a->b[i])
			return a->b[0] != 0xff && !(a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80);
	return false; /* ::1 */
}

/* For what is sent to an address of this host the kernel takes that address as the source, too. */
static bool is_this_host(const struct ip_addr *a)
{
	struct endpoint e = {.ip = *a, .port = 80}, self = {0};
	struct sockaddr_storage ss;
	socklen_t n = endpoint_to_sockaddr(&e, &ss);
	int fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
	bool same = false;

	if (fd < 0)
		return true;
	/* sends nothing */
	if (!connect(fd, (struct sockaddr *)&ss, n)) {
		n = sizeof(ss);
		same = getsockname(fd, (struct sockaddr *)&ss, &n) ||
		       endpoint_from_sockaddr(&ss, &self) || addr_equal(&self.ip, a);
	}
	close(fd);
	return same;
}

/* The administrator named a server, not whatever that one redirects to over http. */
static bool may_reach(const struct transfer *t, const struct ip_addr *a)
{
	if (t->q.configured && t->port == t->first_port && !strcasecmp(t->host, t->first_host))
		return true;
	return is_ours_to_reach(a) && !is_this_host(a);
}

static void redirect(struct transfer *t, struct evhttp_request *req)
{
	const char *to = evhttp_find_header(evhttp_request_get_input_headers(req), "Location");

	if (t->q.post || ++t->redirects > FETCH_REDIRECTS_MAX)
		end(t, -ELOOP, t->q.post ? "the server redirects a POST" : "too many redirects");
	else if (!to || strlen(to) >= sizeof(t->uri) || strncasecmp(to, "http://", 7) != 0)
		end(t, -EPROTO, "the server redirects to where we do not go");
	else {
		snprintf(t->uri, sizeof(t->uri), "%s", to);
		t->n_addrs = 0;
		step_again(t);
	}
}

static void on_answer(struct evhttp_request *req, void *arg)
{
	struct transfer *t = arg;
	int code = req ? evhttp_request_get_response_code(req) : 0;
	char text[64];

	if (t->over)
		return;
	if (!code) {
		t->i_addr++;
		if (t->i_addr < t->n_addrs)
			step_again(t);
		else
			end(t, -ECONNREFUSED, "the server cannot be reached or does not answer");
		return;
	}
	if (code == 301 || code == 302 || code == 303 || code == 307 || code == 308) {
		redirect(t, req);
		return;
	}
	if (code != HTTP_OK) {
		snprintf(text, sizeof(text), "the server answers with status %d", code);
		end(t, -ENOENT, text);
		return;
	}
	evbuffer_add_buffer(t->body, evhttp_request_get_input_buffer(req));
	if (evbuffer_get_length(t->body) > FETCH_BYTES_MAX)
		end(t, -EMSGSIZE, "the answer is too large");
	else
		end(t, 0, "");
}

static void on_http_error(enum evhttp_request_error e, void *arg)
{
	struct transfer *t = arg;

	if (e == EVREQ_HTTP_DATA_TOO_LONG)
		end(t, -EMSGSIZE, "the answer is too large");
}

static bool headers_put(struct transfer *t, struct evhttp_request *req)
{
	struct evkeyvalq *h = evhttp_request_get_output_headers(req);
	bool v6 = strchr(t->host, ':') != NULL;
	char host[HOST_MAX + 16];

	snprintf(host, sizeof(host), v6 ? "[%s]" : "%s", t->host);
	if (t->port != 80)
		snprintf(host + strlen(host), sizeof(host) - strlen(host), ":%d", t->port);
	return !evhttp_add_header(h, "Host", host) &&
	       !evhttp_add_header(h, "Connection", "close") &&
	       !evhttp_add_header(h, "User-Agent", "xdpsec") &&
	       (!t->q.post || !evhttp_add_header(h, "Content-Type", t->q.content_type));
}

/* What stands behind the host, as a request line wants it. */
static void target_of(const char *uri, char *out, size_t n)
{
	const char *path = uri + 7 + strcspn(uri + 7, "/?#");
	size_t len = strcspn(path, "#");

	snprintf(out, n, "%s%.*s", *path == '/' ? "" : "/", (int)len, path);
}

/* To the address whose turn it is. */
static void connect_next(struct transfer *t)
{
	struct evhttp_request *req = evhttp_request_new(on_answer, t);
	char text[ADDR_STRLEN], target[FETCH_URI_MAX + 2];

	if (t->conn)
		evhttp_connection_free(t->conn);
	t->conn = evhttp_connection_base_bufferevent_new(role.base, role.dns, NULL,
							 addr_str(&t->addr[t->i_addr].ip, text),
							 (unsigned short)t->port);
	if (!req || !t->conn || !headers_put(t, req)) {
		if (req)
			evhttp_request_free(req);
		end(t, -ENOMEM, "out of memory");
		return;
	}
	evhttp_connection_set_max_headers_size(t->conn, HEADERS_MAX);
	evhttp_connection_set_max_body_size(t->conn, FETCH_BYTES_MAX);
	evhttp_connection_set_retries(t->conn, 0);
	evhttp_connection_set_timeout(
	    t->conn, t->i_addr + 1 < t->n_addrs ? CONNECT_S : FETCH_TIMEOUT_MS / 1000 + 1);
	evhttp_request_set_error_cb(req, on_http_error);
	if (t->q.post)
		evbuffer_add(evhttp_request_get_output_buffer(req), t->q.body, t->q.body_len);
	target_of(t->uri, target, sizeof(target));
	if (evhttp_make_request(t->conn, req, t->q.post ? EVHTTP_REQ_POST : EVHTTP_REQ_GET, target))
		end(t, -ECONNREFUSED, "the server cannot be reached");
}

/* ---- resolving
 * ------------------------------------------------------------------------------------------ */
static void on_resolved(int result, struct evutil_addrinfo *list, void *arg)
{
	struct transfer *t = arg;

	t->resolving = NULL;
	for (struct evutil_addrinfo *i = list; i && t->n_addrs < ADDRS_MAX; i = i->ai_next) {
		struct endpoint *e = &t->addr[t->n_addrs];
		struct sockaddr_storage ss = {0};

		memcpy(&ss, i->ai_addr, i->ai_addrlen < sizeof(ss) ? i->ai_addrlen : sizeof(ss));
		if (!endpoint_from_sockaddr(&ss, e) && may_reach(t, &e->ip))
			t->n_addrs++;
	}
	if (t->over) {
		event_active(t->step, EV_TIMEOUT, 0);
	} else if (result) {
		end(t, -EHOSTUNREACH, "the name of the server cannot be resolved");
	} else if (!t->n_addrs) {
		end(t, -EACCES, "the server's address is one that certificates may not lead to");
	} else {
		t->i_addr = 0;
		step_again(t);
	}
	if (list)
		evutil_freeaddrinfo(list);
}

/* Host and port of the URI; no user, no password. */
static int uri_read(struct transfer *t)
{
	struct evhttp_uri *u = evhttp_uri_parse_with_flags(t->uri, 0);
	const char *scheme = u ? evhttp_uri_get_scheme(u) : NULL;
	const char *host = u ? evhttp_uri_get_host(u) : NULL;
	size_t n = host ? strlen(host) : 0;
	int r = -EINVAL;

	if (scheme && !strcasecmp(scheme, "http") && n && n < sizeof(t->host) &&
	    !evhttp_uri_get_userinfo(u)) {
		t->port = evhttp_uri_get_port(u);
		if (t->port <= 0)
			t->port = 80;
		if (host[0] == '[' && host[n - 1] == ']')
			snprintf(t->host, sizeof(t->host), "%.*s", (int)n - 2, host + 1);
		else
			snprintf(t->host, sizeof(t->host), "%s", host);
		r = t->port < 65536 ? 0 : -EINVAL;
	}
	if (u)
		evhttp_uri_free(u);
	return r;
}

static void transfer_start(struct transfer *t)
{
	struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC,
					.ai_socktype = SOCK_STREAM,
					.ai_protocol = IPPROTO_TCP,
					.ai_flags = EVUTIL_AI_NUMERICSERV};
	char port[8];

	if (uri_read(t)) {
		end(t, -EINVAL, "not a URI that can be fetched");
		return;
	}
	if (!t->redirects) {
		memcpy(t->first_host, t->host, sizeof(t->first_host));
		t->first_port = t->port;
	}
	snprintf(port, sizeof(port), "%d", t->port);
	/* may call back before it returns, and then gives NULL */
	t->resolving = evdns_getaddrinfo(role.dns, t->host, port, &hints, on_resolved, t);
}

static void on_step(evutil_socket_t fd, short what, void *arg)
{
	struct transfer *t = arg;

	(void)fd;
	(void)what;
	if (t->over) {
		if (t->conn)
			evhttp_connection_free(t->conn);
		t->conn = NULL;
		pump();
	} else if (t->again && t->n_addrs) {
		t->again = false;
		connect_next(t);
	} else if (t->again) {
		t->again = false;
		transfer_start(t);
	}
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	end(arg, -ETIMEDOUT, "the server does not answer in time");
}

/* ---- requests of the agent
 * ------------------------------------------------------------------------------ */
static void request(const struct fetch_request *q)
{
	static const struct timeval bound = {.tv_sec = FETCH_TIMEOUT_MS / 1000};
	struct transfer *t = calloc(1, sizeof(*t));

	if (!t)
		_exit(1);
	t->q = *q;
	t->q.uri[sizeof(t->q.uri) - 1] = '\0';
	t->q.content_type[sizeof(t->q.content_type) - 1] = '\0';
	if (t->q.body_len > sizeof(t->q.body))
		t->q.body_len = sizeof(t->q.body);
	memcpy(t->uri, t->q.uri, sizeof(t->uri));
	t->late = evtimer_new(role.base, on_late, t);
	t->step = evtimer_new(role.base, on_step, t);
	t->body = evbuffer_new();
	if (!t->late || !t->step || !t->body)
		_exit(1);
	TAILQ_INSERT_TAIL(&role.open, t, next);
	role.n++;
	evtimer_add(t->late, &bound);
	if (role.n > FETCH_OPEN_MAX)
		end(t, -EBUSY, "too many at once");
	else
		transfer_start(t);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	static struct fetch_request q;
	ssize_t n = recv(fd, &q, sizeof(q), MSG_DONTWAIT);

	(void)what;
	(void)arg;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != sizeof(q))
		_exit(n ? 1 : 0);
	request(&q);
}

/* ---- start
 * ------------------------------------------------------------------------------------------------
 */
static int hello(int error, const char *text)
{
	struct fetch_reply m = {.type = FETCH_HELLO, .error = error};

	snprintf(m.text, sizeof(m.text), "%s", text);
	return send(role.fd, &m, FETCH_REPLY_MIN, MSG_NOSIGNAL) == FETCH_REPLY_MIN ? 0 : -EIO;
}

static int options_read(int argc, char **argv)
{
	static const struct option options[] = {
	    {"role", required_argument, NULL, 'r'},
	    {"fd", required_argument, NULL, 'f'},
	    {"no-sandbox", no_argument, NULL, 'n'},
	    {0},
	};
	char *stop;
	long v;
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'r':
			break;
		case 'f':
			v = strtol(optarg, &stop, 10);
			if (*stop || v <= STDERR_FILENO || v > 1 << 20)
				return -EINVAL;
			role.fd = (int)v;
			break;
		case 'n':
			role.sandbox = false;
			break;
		default:
			return -EINVAL;
		}
	}
	return optind == argc && role.fd >= 0 ? 0 : -EINVAL;
}

/* All that takes files: the loop, the resolver's configuration. Without one, addresses still work.
 */
static int loop_open(void)
{
	struct event_config *c = event_config_new();

	/* what the filter allows, whatever the environment asks for */
	if (!c || event_config_set_flag(c, EVENT_BASE_FLAG_IGNORE_ENV))
		return -ENOMEM;
	role.base = event_base_new_with_config(c);
	event_config_free(c);
	if (!role.base)
		return -ENOMEM;
	role.dns = evdns_base_new(role.base, EVDNS_BASE_INITIALIZE_NAMESERVERS |
						 EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (!role.dns)
		role.dns = evdns_base_new(role.base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	role.readable = event_new(role.base, role.fd, EV_READ | EV_PERSIST, on_readable, NULL);
	role.writable = event_new(role.base, role.fd, EV_WRITE, on_writable, NULL);
	TAILQ_INIT(&role.open);
	if (!role.dns || !role.readable || !role.writable || event_add(role.readable, NULL))
		return -ENOMEM;
	evdns_base_set_option(role.dns, "timeout", "2");
	evdns_base_set_option(role.dns, "attempts", "2");
	return 0;
}

static int lock_in(void)
{
	char text[64], whole[96];

	if (!role.sandbox)
		log_line(LOG_DAEMON, 0, "FETCH ROLE WITHOUT SANDBOX: --no-sandbox was given");
	else if (!sandbox_has_seccomp())
		log_line(LOG_DAEMON, 0,
			 "fetch role without system call filter: built with sanitizers");
	if (!sandbox_enter_network(role.sandbox, text, sizeof(text)) || !role.sandbox)
		return 0;
	snprintf(whole, sizeof(whole), "cannot lock itself in: %.60s", text);
	hello(-EPERM, whole);
	return -EPERM;
}

int fetch_role_main(int argc, char **argv)
{
	if (options_read(argc, argv) || sandbox_close_all(role.fd)) {
		fprintf(stderr, "xdpsecd --role fetch is started by xdpsecd itself\n");
		_exit(2);
	}
	/* The death of the agent ends the role, whatever it does then. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (fcntl(role.fd, F_SETFL, O_NONBLOCK) || loop_open()) {
		hello(-ENOMEM, "no event loop");
		_exit(1);
	}
	if (lock_in() || hello(0, ""))
		_exit(1);
	event_base_dispatch(role.base);
	_exit(1);
}
