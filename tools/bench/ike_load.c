/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/crypt/crypt.h"
#include "agent/wire/msg.h"
#include "common/addr.h"
#include "common/secret.h"
#include "tools/bench/proc_usage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/*
 * Plays many IKEv2 initiators against one responder: IKE_SA_INIT and IKE_AUTH with a pre-shared key, one IKE SA and
 * one Child SA each, so many at a time. Peer i comes from the i-th address of --from (which must be local here, see
 * ip-route(8), "local"), calls itself client<i>.example and asks for one address of --inner. Follows COOKIE, goes to
 * port 4500 when the responder says that there is a NAT, checks the responder's AUTH. Prints a line of JSON a
 * --step: what was reached since the line before, with the CPU time and memory of the --pid processes.
 */
enum {
	PARALLEL_MAX = 1024,
	PORT_IKE = 500,
	PORT_NAT_T = 4500,
	MARKER_LEN = 4,
	FIRST_MAX = 2048,
	COOKIE_TRIES = 3,
};

enum step { FREE, INIT_SENT, AUTH_SENT };

struct peer {
	enum step step;
	uint32_t number;
	struct endpoint me;
	uint16_t to_port;
	uint64_t spi_i, spi_r, sent_ms;
	unsigned int tries, cookies;
	struct ke *ke;
	uint8_t ni[IKE_NONCE_LEN], nr[IKE_NONCE_MAX];
	size_t nr_n;
	uint8_t first[FIRST_MAX], answer[FIRST_MAX], request[FIRST_MAX]; /* the two IKE_SA_INIT, the request in flight */
	size_t first_n, answer_n, request_n;
	struct ike_keys keys;
	struct ike_suite suite;
};

static struct {
	struct ip_addr to, from, inner;
	unsigned int from_plen, inner_plen;
	uint32_t count, parallel, step, first, again_ms, tries;
	uint16_t group;
	const char *psk, *remote_id;
	const char *name; /* NULL: another for each */
	bool half; /* IKE_SA_INIT alone: leaves half-open IKE SAs behind */
	int seconds; /* give up then */
} opt = {.count = 1000, .parallel = 32, .step = 1000, .again_ms = 2000, .tries = 5, .group = KE_CURVE25519, .psk = "secret", .seconds = 300};

static struct peer peers[PARALLEL_MAX];
static int sock[2]; /* 500, 4500 */
static uint32_t started, done, failed, cookies, repeats;
static struct ts_list ts_r;

static void die(const char *what)
{
	fprintf(stderr, "ike_load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static struct ip_addr nth(const struct ip_addr *base, uint32_t i)
{
	struct ip_addr a = *base;
	struct rd r = rd_of(slice_of(base->b, 4));
	struct wr w = wr_of(a.b, 4);

	wr_u32(&w, rd_u32(&r) + i);
	return a;
}

/* ---- sending ---------------------------------------------------------------------------------- */

static int socket_open(uint16_t port)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1, big = 8 << 20;

	if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)))
		die("UDP socket");
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof(big)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &big, sizeof(big));
	return fd;
}

static void transmit(struct peer *p)
{
	static uint8_t marker[MARKER_LEN];
	bool nat_t = p->to_port == PORT_NAT_T;
	struct endpoint to = {.ip = opt.to, .port = p->to_port};
	struct sockaddr_storage ss;
	struct iovec iov[2] = {{marker, sizeof(marker)}, {p->request, p->request_n}};
	union {
		char buf[CMSG_SPACE(sizeof(struct in_pktinfo))];
		struct cmsghdr align;
	} control = {0};
	struct msghdr mh = {.msg_name = &ss, .msg_namelen = endpoint_to_sockaddr(&to, &ss),
			    .msg_iov = nat_t ? iov : iov + 1, .msg_iovlen = nat_t ? 2 : 1,
			    .msg_control = &control, .msg_controllen = sizeof(control)};
	struct in_pktinfo info = {0};
	struct cmsghdr *c = CMSG_FIRSTHDR(&mh);

	memcpy(&info.ipi_spec_dst, p->me.ip.b, 4);
	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	p->sent_ms = now_us() / 1000;
	if (sendmsg(sock[nat_t], &mh, 0) < 0 && errno != EAGAIN && errno != ENOBUFS)
		die("sendmsg");
}

static void natd(uint64_t spi_i, uint64_t spi_r, const struct endpoint *e, uint8_t out[20])
{
	uint8_t buf[32];
	struct wr w = wr_of(buf, sizeof(buf));
	struct slice all;

	wr_u64(&w, spi_i);
	wr_u64(&w, spi_r);
	wr_bytes(&w, e->ip.b, addr_len(&e->ip));
	wr_u16(&w, e->port);
	all = wr_slice(&w);
	if (sha1(&all, 1, out))
		die("SHA-1");
}

static void put_natd(struct msg_wr *m, unsigned int type, const struct peer *p, const struct endpoint *e)
{
	uint8_t hash[20];

	natd(p->spi_i, 0, e, hash);
	msg_put_notify(m, IKE_PROTO_NONE, type, slice_of(NULL, 0), slice_of(hash, sizeof(hash)));
}

static void send_init(struct peer *p, struct slice cookie)
{
	const struct proposals sa = {
		.n = 1,
		.p = {{.number = 1, .proto = IKE_PROTO_IKE, .n = 3,
		       .t = {{IKE_T_ENCR, ENCR_AES_GCM_16, 128}, {IKE_T_PRF, PRF_HMAC_SHA2_256, 0}, {IKE_T_KE, opt.group, 0}}}}};
	struct ike_hdr hdr = {.spi_i = p->spi_i, .version = IKE_VERSION, .exchange = IKE_SA_INIT, .flags = IKE_FLAG_INITIATOR};
	struct endpoint to = {.ip = opt.to, .port = PORT_IKE};
	uint8_t body[FIRST_MAX];
	struct msg_wr chain;
	struct wr w = wr_of(p->first, sizeof(p->first));

	msg_wr_init(&chain, body, sizeof(body));
	if (cookie.n)
		msg_put_notify(&chain, IKE_PROTO_NONE, N_COOKIE, slice_of(NULL, 0), cookie);
	msg_put_sa(&chain, &sa);
	msg_put_ke(&chain, opt.group, ke_public(p->ke));
	msg_put_nonce(&chain, slice_of(p->ni, sizeof(p->ni)));
	put_natd(&chain, N_NAT_DETECTION_SOURCE_IP, p, &p->me);
	put_natd(&chain, N_NAT_DETECTION_DESTINATION_IP, p, &to);
	if (msg_seal_plain(&hdr, &chain, &w))
		die("IKE_SA_INIT");
	p->first_n = w.n;
	memcpy(p->request, p->first, w.n);
	p->request_n = w.n;
	p->tries = 0;
	transmit(p);
}

static void start(struct peer *p)
{
	unsigned int slot = (unsigned int)(p - peers);

	*p = (struct peer){.step = INIT_SENT, .number = opt.first + started++, .to_port = PORT_IKE};
	p->me = (struct endpoint){.ip = nth(&opt.from, p->number & ((1U << (32 - opt.from_plen)) - 1)), .port = PORT_IKE};
	p->ke = ke_new(opt.group);
	if (!p->ke || crypt_random(p->ni, sizeof(p->ni)) || crypt_random(&p->spi_i, sizeof(p->spi_i)))
		die("key exchange");
	p->spi_i = p->spi_i << 16 | slot;
	send_init(p, slice_of(NULL, 0));
}

static void finish(struct peer *p, const char *why)
{
	if (why) {
		failed++;
		fprintf(stderr, "ike_load: peer %u: %s\n", p->number, why);
	} else {
		done++;
	}
	ke_free(p->ke);
	ike_keys_free(&p->keys);
	p->step = FREE;
}

/* ---- IKE_AUTH ---------------------------------------------------------------------------------- */

/* RFC 7296 2.15: MAC over first message | other nonce | prf(SK_p, ID). */
static int auth_of(const struct peer *p, bool mine, const struct ike_id *id, uint8_t out[CRYPT_PRF_MAX])
{
	uint8_t body[IKE_ID_MAX], maced[CRYPT_PRF_MAX];
	struct wr w = wr_of(body, sizeof(body));
	struct slice part[3];

	id_body(&w, id);
	if (auth_maced_id(p->suite.prf, mine ? &p->keys.pi : &p->keys.pr, wr_slice(&w), maced))
		return -EIO;
	part[0] = mine ? slice_of(p->first, p->first_n) : slice_of(p->answer, p->answer_n);
	part[1] = mine ? slice_of(p->nr, p->nr_n) : slice_of(p->ni, sizeof(p->ni));
	part[2] = slice_of(maced, prf_len(p->suite.prf));
	return auth_psk(p->suite.prf, slice_of(opt.psk, strlen(opt.psk)), part, 3, out);
}

static void send_auth(struct peer *p)
{
	uint8_t spi[4] = {0xc0, (uint8_t)(p->number >> 16), (uint8_t)(p->number >> 8), (uint8_t)p->number};
	struct proposals sa = {
		.n = 1,
		.p = {{.number = 1, .proto = IKE_PROTO_ESP, .spi_len = 4, .n = 2,
		       .t = {{IKE_T_ENCR, ENCR_AES_GCM_16, 128}, {IKE_T_ESN, 0, 0}}}}};
	struct ike_hdr hdr = {.spi_i = p->spi_i, .spi_r = p->spi_r, .version = IKE_VERSION,
			      .exchange = IKE_AUTH, .flags = IKE_FLAG_INITIATOR, .mid = 1};
	struct ip_addr inner = nth(&opt.inner, p->number & ((1U << (32 - opt.inner_plen)) - 1));
	struct ts_list ts_i = {.n = 1, .ts = {{.lo = inner, .hi = inner, .port_hi = 65535}}};
	uint8_t chain_buf[FIRST_MAX], mac[CRYPT_PRF_MAX];
	char name[64];
	struct ike_id id = {.type = ID_FQDN};
	struct wr w = wr_of(p->request, sizeof(p->request));
	struct msg_wr chain;

	memcpy(sa.p[0].spi, spi, sizeof(spi));
	if (opt.name)
		id.data = slice_of(opt.name, strlen(opt.name));
	else
		id.data = slice_of(name, (size_t)snprintf(name, sizeof(name), "client%u.example", p->number));
	if (auth_of(p, true, &id, mac))
		die("AUTH");
	msg_wr_init(&chain, chain_buf, sizeof(chain_buf));
	msg_put_id(&chain, IKE_PL_IDI, &id);
	if (opt.remote_id)
		msg_put_id(&chain, IKE_PL_IDR,
			   &(struct ike_id){.type = ID_FQDN, .data = slice_of(opt.remote_id, strlen(opt.remote_id))});
	msg_put_auth(&chain, AUTH_METHOD_PSK, slice_of(mac, prf_len(p->suite.prf)));
	msg_put_sa(&chain, &sa);
	msg_put_ts(&chain, IKE_PL_TSI, &ts_i);
	msg_put_ts(&chain, IKE_PL_TSR, &ts_r);
	if (sk_seal(&p->suite, &p->keys.ei, &p->keys.ai, 1, &hdr, &chain, &w))
		die("IKE_AUTH");
	p->request_n = w.n;
	p->tries = 0;
	p->step = AUTH_SENT;
	transmit(p);
}

/* ---- answers ------------------------------------------------------------------------------------ */

/* RFC 7296 2.23: the responder's own address is not what it was told: some NAT. */
static bool nat_seen(const struct peer *p, const struct ike_msg *msg)
{
	struct endpoint to = {.ip = opt.to, .port = PORT_IKE};
	const struct ike_notify_pl *n = msg_notify(msg, N_NAT_DETECTION_SOURCE_IP);
	uint8_t hash[20];

	natd(p->spi_i, msg->hdr.spi_r, &to, hash);
	return n && (n->data.n != sizeof(hash) || !secret_equal(n->data.p, hash, sizeof(hash)));
}

static void on_init(struct peer *p, const struct ike_msg *msg, struct slice datagram)
{
	const struct ike_notify_pl *n = msg_notify(msg, N_COOKIE);
	struct secret shared = {0};

	if (n && !msg_has(msg, IKE_PL_SA)) {
		cookies++;
		if (p->cookies++ == COOKIE_TRIES)
			finish(p, "too many cookies");
		else
			send_init(p, n->data);
		return;
	}
	n = msg_error_notify(msg);
	if (n || !msg_has(msg, IKE_PL_SA) || !msg_has(msg, IKE_PL_KE) || !msg_has(msg, IKE_PL_NONCE) ||
	    datagram.n > sizeof(p->answer)) {
		finish(p, n && ike_notify_name(n->type) ? ike_notify_name(n->type) : "no usable answer");
		return;
	}
	if (opt.half) {
		finish(p, NULL);
		return;
	}
	memcpy(p->answer, datagram.p, datagram.n);
	p->answer_n = datagram.n;
	memcpy(p->nr, msg->nonce.p, msg->nonce.n);
	p->nr_n = msg->nonce.n;
	p->spi_r = msg->hdr.spi_r;
	if (ike_suite_from(&msg->sa.p[0], &p->suite) || ke_shared(p->ke, msg->ke.data, &shared) ||
	    kdf_ike(&p->suite, slice_of(p->ni, sizeof(p->ni)), slice_of(p->nr, p->nr_n), secret_slice(&shared),
		    p->spi_i, p->spi_r, &p->keys)) {
		secret_free(&shared);
		finish(p, "keys cannot be derived");
		return;
	}
	secret_free(&shared);
	if (nat_seen(p, msg))
		p->to_port = p->me.port = PORT_NAT_T;
	send_auth(p);
}

static void on_auth(struct peer *p, struct ike_msg *msg)
{
	static uint8_t plain[IKE_MSG_MAX];
	const struct ike_notify_pl *n;
	uint8_t mac[CRYPT_PRF_MAX];
	size_t len;

	if (sk_open(&p->suite, &p->keys.er, &p->keys.ar, msg, plain, sizeof(plain), &len) ||
	    msg_decode_inner(slice_of(plain, len), msg->sk.first, msg) != WIRE_OK)
		return;
	n = msg_error_notify(msg);
	if (n)
		finish(p, ike_notify_name(n->type) ? ike_notify_name(n->type) : "refused");
	else if (!msg_has(msg, IKE_PL_AUTH) || auth_of(p, false, &msg->id_r, mac) ||
		 msg->auth.data.n != prf_len(p->suite.prf) || !secret_equal(mac, msg->auth.data.p, msg->auth.data.n))
		finish(p, "the responder's AUTH is wrong");
	else
		finish(p, msg_has(msg, IKE_PL_SA) ? NULL : "no Child SA");
}

static void on_datagram(struct slice d, bool nat_t)
{
	static struct ike_msg msg;
	struct rd r = rd_of(d);
	struct peer *p;

	if (nat_t && rd_u32(&r) != 0)
		return;
	d = rd_rest(&r);
	if (msg_decode(d, &msg) != WIRE_OK || !(msg.hdr.flags & IKE_FLAG_RESPONSE))
		return;
	p = &peers[msg.hdr.spi_i % PARALLEL_MAX];
	if (p->step == FREE || p->spi_i != msg.hdr.spi_i)
		return;
	if (p->step == INIT_SENT && msg.hdr.exchange == IKE_SA_INIT)
		on_init(p, &msg, d);
	else if (p->step == AUTH_SENT && msg.hdr.exchange == IKE_AUTH && msg.sk.present)
		on_auth(p, &msg);
}

static void receive(int fd, bool nat_t)
{
	static uint8_t buf[IKE_MSG_MAX];
	ssize_t n;

	for (int i = 0; i < 64 && (n = recv(fd, buf, sizeof(buf), 0)) > 0; i++)
		on_datagram(slice_of(buf, (size_t)n), nat_t);
}

static void repeat_due(uint64_t now_ms)
{
	for (unsigned int i = 0; i < opt.parallel; i++) {
		struct peer *p = &peers[i];

		if (p->step == FREE || now_ms < p->sent_ms + opt.again_ms)
			continue;
		repeats++;
		if (++p->tries == opt.tries)
			finish(p, p->step == INIT_SENT ? "IKE_SA_INIT: no answer" : "IKE_AUTH: no answer");
		else
			transmit(p);
	}
}

/* ---- the run -------------------------------------------------------------------------------------- */

/* The same by process, in the order of --pid. */
static void each(const char *name, uint32_t n, const uint64_t *was, const uint64_t *is, double unit)
{
	printf(", \"%s\": [", name);
	for (unsigned int i = 0; n && i < proc_usage_n; i++)
		printf("%s%.1f", i ? ", " : "", ((double)is[i] - (double)was[i]) / unit / n);
	printf("]");
}

static void report(uint32_t n, uint64_t us, const struct proc_usage *was, const struct proc_usage *is)
{
	printf("{\"pairs\": %u, \"of\": %u, \"rate\": %.0f, \"cpu_us\": %.1f, \"rss_kb\": %.2f, \"cookies\": %u, "
	       "\"repeats\": %u, \"failed\": %u, \"seconds\": %.3f",
	       done, n, n * 1e6 / (double)us, n ? (double)(is->cpu_ns - was->cpu_ns) / 1e3 / n : 0.0,
	       n ? (double)((int64_t)is->rss_kb - (int64_t)was->rss_kb) / n : 0.0, cookies, repeats, failed, (double)us / 1e6);
	each("cpu_us_each", n, was->cpu, is->cpu, 1e3);
	each("rss_kb_each", n, was->rss, is->rss, 1);
	printf("}\n");
	fflush(stdout);
}

static void run(void)
{
	struct pollfd fds[2] = {{.fd = sock[0], .events = POLLIN}, {.fd = sock[1], .events = POLLIN}};
	uint64_t begin = now_us(), last = begin;
	struct proc_usage was = proc_usage_all(), is;
	uint32_t before = 0;

	while (done + failed < opt.count && now_us() < begin + (uint64_t)opt.seconds * 1000000) {
		for (unsigned int i = 0; i < opt.parallel; i++)
			if (peers[i].step == FREE && started < opt.count)
				start(&peers[i]);
		if (poll(fds, 2, 100) < 0 && errno != EINTR)
			die("poll");
		receive(sock[0], false);
		receive(sock[1], true);
		repeat_due(now_us() / 1000);
		if (done - before >= opt.step || done + failed == opt.count) {
			is = proc_usage_all();
			report(done - before, now_us() - last, &was, &is);
			was = is;
			last = now_us();
			before = done;
		}
	}
}

static void usage(void)
{
	fprintf(stderr, "usage: ike_load --to ADDR --from PREFIX --inner PREFIX --ts PREFIX [--count N] [--parallel N]\n"
			"       [--step N] [--first N] [--ke x25519|modp2048|...] [--psk TEXT] [--remote-id NAME] [--seconds N]\n"
			"       [--again MS] [--tries N] [--half] [--id NAME] [--pid PID]...\n");
	exit(2);
}

static void prefix(char *text, struct ip_addr *a, unsigned int *plen)
{
	char *slash = strchr(text, '/');

	*plen = slash ? (unsigned int)atoi(slash + 1) : 32;
	if (slash)
		*slash = 0;
	if (addr_parse(text, a) || a->family != 4 || *plen < 1 || *plen > 32)
		usage();
}

static void options(int argc, char **argv)
{
	static const struct option longs[] = {
		{"to", 1, 0, 't'}, {"from", 1, 0, 'f'}, {"inner", 1, 0, 'i'}, {"ts", 1, 0, 'r'}, {"count", 1, 0, 'n'},
		{"parallel", 1, 0, 'p'}, {"step", 1, 0, 's'}, {"first", 1, 0, '1'}, {"ke", 1, 0, 'k'}, {"psk", 1, 0, 'x'},
		{"remote-id", 1, 0, 'R'}, {"seconds", 1, 0, 'S'}, {"pid", 1, 0, 'P'}, {"half", 0, 0, 'H'}, {"id", 1, 0, 'I'}, {"again", 1, 0, 'A'}, {"tries", 1, 0, 'T'}, {0}};
	const struct alg *ke;
	struct ip_addr net;
	unsigned int plen;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 't': prefix(optarg, &opt.to, &plen); break;
		case 'f': prefix(optarg, &opt.from, &opt.from_plen); break;
		case 'i': prefix(optarg, &opt.inner, &opt.inner_plen); break;
		case 'r':
			prefix(optarg, &net, &plen);
			ts_r = (struct ts_list){.n = 1, .ts = {{.port_hi = 65535}}};
			addr_prefix_range(&net, plen, &ts_r.ts[0].lo, &ts_r.ts[0].hi);
			break;
		case 'n': opt.count = (uint32_t)atoi(optarg); break;
		case 'p': opt.parallel = (uint32_t)atoi(optarg); break;
		case 's': opt.step = (uint32_t)atoi(optarg); break;
		case '1': opt.first = (uint32_t)atoi(optarg); break;
		case 'k':
			ke = alg_by_name(optarg, IKE_T_KE);
			if (!ke || !ke_supported(ke->id))
				usage();
			opt.group = ke->id;
			break;
		case 'x': opt.psk = optarg; break;
		case 'R': opt.remote_id = optarg; break;
		case 'S': opt.seconds = atoi(optarg); break;
		case 'I': opt.name = optarg; break;
		case 'H': opt.half = true; break;
		case 'A': opt.again_ms = (uint32_t)atoi(optarg); break;
		case 'T': opt.tries = (uint32_t)atoi(optarg); break;
		case 'P': proc_usage_add(atoi(optarg)); break;
		default: usage();
		}
	}
	if (!opt.to.family || !opt.from.family || !opt.inner.family || !ts_r.n || !opt.parallel ||
	    opt.parallel > PARALLEL_MAX || !opt.step)
		usage();
}

int main(int argc, char **argv)
{
	if (crypt_init())
		die("OpenSSL");
	options(argc, argv);
	sock[0] = socket_open(PORT_IKE);
	sock[1] = socket_open(PORT_NAT_T);
	run();
	return done == opt.count ? 0 : 1;
}
