/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire.h"

#include "common/log.h"
#include "private.h"
#include "sandbox.h"
#include "store.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROLE_HEAP = 1 << 20 };

static struct role_state {
	int fd;
	const char *conf;
	bool sandbox;
	struct store store;
	struct private_list keys;
	/* one byte more than any request: a longer one shows */
	_Alignas(8) uint8_t request[KEYS_REQUEST_MAX + 1];
	union {
		struct keys_hdr hdr;
		struct keys_psk_reply psk;
		struct keys_sign_reply sign;
		struct keys_list_reply list;
		struct keys_refused refused;
		struct keys_hello hello;
	} reply;
} role = {.fd = -1, .sandbox = true};

static int reply_send(uint32_t type, uint64_t id, size_t len)
{
	ssize_t n;

	role.reply.hdr = (struct keys_hdr){.type = type, .len = (uint32_t)len, .id = id};
	do
		n = send(role.fd, &role.reply, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	secret_wipe(&role.reply, len);
	return n == (ssize_t)len ? 0 : -EIO;
}

static int refuse(uint64_t id, int error)
{
	role.reply.refused.error = error;
	return reply_send(KEYS_REFUSED, id, sizeof(role.reply.refused));
}

/* One search and one key for both MACs. */
static int psk_macs(struct slice psk, uint16_t prf_id, struct slice octets, struct slice more,
		    struct keys_psk_reply *a)
{
	uint8_t key[CRYPT_PRF_MAX];
	size_t len = prf_len(prf_id);
	int r = auth_psk_key(prf_id, psk, key);

	if (!r)
		r = prf(prf_id, slice_of(key, len), &octets, 1, a->mac);
	if (!r && more.n)
		r = prf(prf_id, slice_of(key, len), &more, 1, a->more);
	secret_wipe(key, sizeof(key));
	a->mac_len = r ? 0 : (uint32_t)len;
	a->more_len = more.n ? a->mac_len : 0;
	return r;
}

static int answer_psk_mac(size_t n)
{
	struct keys_psk_request q;
	struct keys_psk_reply *a = &role.reply.psk;
	const struct store_secret *x;
	struct ike_id local, remote;
	struct slice octets, more;
	const uint8_t *at = role.request + sizeof(q);

	if (n < sizeof(q))
		return -EBADMSG;
	memcpy(&q, role.request, sizeof(q));
	if (q.local_len > IKE_ID_MAX || q.remote_len > IKE_ID_MAX ||
	    q.octets_len > KEYS_OCTETS_MAX || q.more_len > KEYS_OCTETS_MAX - q.octets_len ||
	    n - sizeof(q) != (size_t)q.local_len + q.remote_len + q.octets_len + q.more_len)
		return -EBADMSG;
	local = (struct ike_id){.type = q.local_type, .data = slice_of(at, q.local_len)};
	at += q.local_len;
	remote = (struct ike_id){.type = q.remote_type, .data = slice_of(at, q.remote_len)};
	at += q.remote_len;
	octets = slice_of(at, q.octets_len);
	more = slice_of(at + q.octets_len, q.more_len);
	x = store_find(&role.store, &local, &remote);
	memset(a, 0, sizeof(*a));
	a->error = x ? psk_macs(secret_slice(&x->value), q.prf, octets, more, a) : -ENOENT;
	return reply_send(KEYS_PSK_MAC, q.hdr.id, sizeof(*a));
}

static int answer_sign(size_t n)
{
	struct keys_sign_request q;
	struct keys_sign_reply *a = &role.reply.sign;
	const struct private_key *k;
	size_t len = 0;

	if (n < sizeof(q))
		return -EBADMSG;
	memcpy(&q, role.request, sizeof(q));
	if (q.octets_len > KEYS_OCTETS_MAX || n - sizeof(q) != q.octets_len || q.scheme >= SIG_SCHEMES)
		return -EBADMSG;
	k = private_find(&role.keys, q.key);
	a->error = k ? sig_sign(k->key, q.scheme, slice_of(role.request + sizeof(q), q.octets_len),
				a->signature, &len)
		     : -ENOENT;
	a->len = a->error ? 0 : (uint32_t)len;
	return reply_send(KEYS_SIGN, q.hdr.id, sizeof(*a));
}

static int answer_private(size_t n)
{
	struct keys_list_request q;
	struct keys_list_reply *a = &role.reply.list;
	const struct private_key *k;
	uint32_t i = 0;

	if (n != sizeof(q))
		return -EBADMSG;
	memcpy(&q, role.request, sizeof(q));
	a->error = 0;
	a->n = 0;
	TAILQ_FOREACH (k, &role.keys, next) {
		const struct sig_key_info *info = sig_private_info(k->key);
		struct keys_private *e = &a->u.key[a->n];

		if (i++ < q.from)
			continue;
		if (a->n == KEYS_LIST_MAX)
			break;
		memset(e, 0, sizeof(*e));
		memcpy(e->id, info->id, SIG_KEY_ID_LEN);
		e->type = (uint8_t)info->type;
		e->bits = info->bits;
		memcpy(e->file, k->file, sizeof(e->file));
		a->n++;
	}
	return reply_send(KEYS_PRIVATE, q.hdr.id, sizeof(*a));
}

/* Names and identities; cut off where a field is full. */
static void entry_fill(const struct store_secret *x, struct keys_entry *e)
{
	size_t at = 0;

	memset(e, 0, sizeof(*e));
	snprintf(e->kind, sizeof(e->kind), "%s", x->kind);
	snprintf(e->name, sizeof(e->name), "%s", x->name);
	for (unsigned int i = 0; i < x->n_ids && at < sizeof(e->ids); i++) {
		int r = snprintf(e->ids + at, sizeof(e->ids) - at, "%s%s", i ? ", " : "",
				 x->id[i].text);

		at += r > 0 ? (size_t)r : 0;
	}
}

static int answer_list(size_t n)
{
	struct keys_list_request q;
	struct keys_list_reply *a = &role.reply.list;
	const struct store_secret *x;
	uint32_t i = 0;

	if (n != sizeof(q))
		return -EBADMSG;
	memcpy(&q, role.request, sizeof(q));
	a->error = 0;
	a->n = 0;
	TAILQ_FOREACH (x, &role.store.secrets, next) {
		if (i++ < q.from)
			continue;
		if (a->n == KEYS_LIST_MAX)
			break;
		entry_fill(x, &a->u.entry[a->n++]);
	}
	return reply_send(KEYS_LIST, q.hdr.id, sizeof(*a));
}

static int answer(size_t n)
{
	struct keys_hdr hdr = {0};
	int r = -EBADMSG;

	if (n >= sizeof(hdr))
		memcpy(&hdr, role.request, sizeof(hdr));
	if (n < sizeof(hdr) || n > KEYS_REQUEST_MAX || hdr.len != n)
		return refuse(hdr.id, -EBADMSG);
	if (hdr.type == KEYS_PSK_MAC)
		r = answer_psk_mac(n);
	else if (hdr.type == KEYS_SIGN)
		r = answer_sign(n);
	else if (hdr.type == KEYS_LIST)
		r = answer_list(n);
	else if (hdr.type == KEYS_PRIVATE)
		r = answer_private(n);
	return r == -EBADMSG ? refuse(hdr.id, r) : r;
}

/* Until the agent closes its end or goes away. */
static int serve(void)
{
	for (;;) {
		ssize_t n = recv(role.fd, role.request, sizeof(role.request), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? 1 : 0;
		if (answer((size_t)n))
			return 1;
		secret_wipe(role.request, (size_t)n);
	}
}

static int options_read(int argc, char **argv)
{
	static const struct option options[] = {
	    {"role", required_argument, NULL, 'r'},
	    {"fd", required_argument, NULL, 'f'},
	    {"conf", required_argument, NULL, 'c'},
	    {"no-sandbox", no_argument, NULL, 'n'},
	    {0},
	};
	char *end;
	long v;
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'r':
			break;
		case 'f':
			v = strtol(optarg, &end, 10);
			if (*end || v <= STDERR_FILENO || v > 1 << 20)
				return -EINVAL;
			role.fd = (int)v;
			break;
		case 'c':
			role.conf = optarg;
			break;
		case 'n':
			role.sandbox = false;
			break;
		default:
			return -EINVAL;
		}
	}
	return optind == argc && role.fd >= 0 && role.conf ? 0 : -EINVAL;
}

/* Says why to the agent, which tells the user, and ends. */
static int give_up(const char *text)
{
	role.reply.hello.error = -EINVAL;
	role.reply.hello.secrets = 0;
	snprintf(role.reply.hello.text, sizeof(role.reply.hello.text), "%s", text);
	reply_send(KEYS_HELLO, 0, sizeof(role.reply.hello));
	return 1;
}

/* What is said is said before: afterwards standard error may be closed to us. */
static int lock_in(void)
{
	char text[256], whole[320];

	if (!role.sandbox)
		log_line(LOG_DAEMON, 0,
			 "KEYS ROLE WITHOUT SANDBOX: --no-sandbox was given, "
			 "long-term secrets are less well protected");
	else if (!sandbox_has_seccomp())
		log_line(LOG_DAEMON, 0,
			 "keys role without system call filter: built with sanitizers");
	if (!sandbox_enter(role.sandbox, text, sizeof(text)) || !role.sandbox)
		return 0;
	snprintf(whole, sizeof(whole), "the keys role cannot lock itself in: %s", text);
	return give_up(whole);
}

int keys_role_main(int argc, char **argv)
{
	struct settings_error err = {0};
	char text[KEYS_TEXT_MAX];

	if (options_read(argc, argv) || sandbox_close_all(role.fd)) {
		fprintf(stderr, "xdpsecd --role keys is started by xdpsecd itself\n");
		_exit(2);
	}
	/* The death of the agent ends the role, whatever it does then. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGINT, SIG_IGN);  /* the terminal's are for the agent, */
	signal(SIGTERM, SIG_IGN); /* which ends the role by closing the socket */
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* of RLIMIT_FSIZE, when standard error is a file */
	if (secret_init(ROLE_HEAP))
		log_line(LOG_DAEMON, 0,
			 "keys role: memory for secrets cannot be locked (RLIMIT_MEMLOCK)");
	store_init(&role.store);
	if (sig_init())
		_exit(give_up("OpenSSL lacks HMAC, SHA-2 or an algorithm of signatures"));
	if (store_load(&role.store, role.conf, &err))
		_exit(give_up(settings_error_str(&err, text, sizeof(text))));
	if (private_load(&role.keys, &role.store, role.conf, text, sizeof(text)))
		_exit(give_up(text));
	store_forget_passphrases(&role.store);
	if (lock_in())
		_exit(1);
	role.reply.hello.error = 0;
	role.reply.hello.secrets = role.store.n;
	if (reply_send(KEYS_HELLO, 0, sizeof(role.reply.hello)))
		_exit(1);
	_exit(serve());
}
