/* SPDX-License-Identifier: BSD-2-Clause */
#include "cred_pki.h"

#include "agent/fetch/fetch.h"
#include "common/log.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

#include <netinet/in.h>
#include <signal.h>

/*
 * Loading, and the service that verifies: jobs on threads, a fetch role that is a process of its
 * own, a server in this one.
 */
static struct event_base *base;
static int port;
static X509_CRL *served;
static unsigned int asked;
static bool silent;
static struct evhttp_request *held[8];
static unsigned int n_held;

static struct pki root = {.subject = "CN=root", .kind = CA},
		  good = {.subject = "CN=good", .issuer = &root},
		  bad = {.subject = "CN=bad", .issuer = &root};

static void on_request(struct evhttp_request *req, void *arg)
{
	struct evbuffer *b = evbuffer_new();
	uint8_t der[8192], *at = der;

	(void)arg;
	asked++;
	if (silent) {
		evbuffer_free(b);
		assert_true(n_held < 8);
		held[n_held++] = req;
		return;
	}
	evbuffer_add(b, der, (size_t)i2d_X509_CRL(served, &at));
	evhttp_send_reply(req, 200, "OK", b);
	evbuffer_free(b);
}

struct got {
	unsigned int calls;
	struct cred_verdict v;
};

static void take(void *ctx, struct job_ref ref, const struct cred_verdict *v)
{
	struct got *g = ctx;

	assert_true(ref.index == 3 && ref.generation == 4);
	g->calls++;
	g->v = *v;
}

static int ask(struct creds *s, const struct pki *leaf, const struct cred_rules *rules,
	       struct got *g)
{
	static uint8_t auth[SIG_AUTH_MAX];
	struct ike_cert_pl cert = {CERT_X509, pki_der(leaf->x)};
	struct cred_peer p = {.cert = &cert, .n_certs = 1, .method = 14, .rules = rules};
	struct conf_id id;
	size_t n;

	memset(g, 0, sizeof(*g));
	pki_sign(leaf->key, auth, &n);
	p.auth = slice_of(auth, n);
	p.octets = slice_of(pki_octets, sizeof(pki_octets));
	conf_id_parse(leaf->subject, &id);
	p.id = conf_id_view(&id);
	return creds_verify(s, &p, take, g, (struct job_ref){.index = 3, .generation = 4});
}

static void wait_for(const struct got *g)
{
	for (int i = 0; i < 100000 && !g->calls; i++)
		event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(g->calls, 1);
}

/* Two threads verify on snapshots and caches that are replaced meanwhile: what ThreadSanitizer is to look at. */
static void replaced_while_threads_verify(void **state)
{
	static const struct cred_rules strict = {.revocation = CRED_REVOCATION_STRICT};
	const struct pki *gone[] = {&bad, NULL};
	struct jobs *jobs = jobs_new(base, 2);
	struct creds *s = creds_new(base, jobs, "/proc/self/exe");
	struct got g[16];
	char text[200];

	(void)state;
	snprintf(text, sizeof(text),
		 "authorities { a { cacert = root.pem\n crl_uris = http://127.0.0.1:%d/x } }\n", port);
	pki_text("swanctl.conf", text);
	served = pki_crl(&root, root.key, gone, -60, DAY);
	for (int round = 0; round < 6; round++) {
		creds_set(s, pki_load());
		for (int i = 0; i < 16; i++) {
			assert_int_equal(ask(s, i % 2 ? &good : &bad, &strict, &g[i]), 0);
			if (i % 5 == 4)
				creds_set(s, pki_load());
			if (i % 7 == 6)
				creds_flush(s, true, false);
		}
		for (int i = 0; i < 16; i++) {
			wait_for(&g[i]);
			assert_int_equal(g[i].v.error, i % 2 ? 0 : -EACCES);
		}
	}
	jobs_free(jobs);
	creds_free(s);
	X509_CRL_free(served);
	served = NULL;
	asked = 0;
}

static void service(void **state)
{
	static const struct cred_rules strict = {.revocation = CRED_REVOCATION_STRICT};
	const struct pki *gone[] = {&bad, NULL};
	struct jobs *jobs = jobs_new(base, 2);
	struct creds *s = creds_new(base, jobs, "/proc/self/exe");
	struct got g[20];
	char text[200];

	(void)state;
	assert_non_null(s);
	assert_int_equal(ask(s, &good, &strict, g), -ENOENT); /* no snapshot yet */
	snprintf(text, sizeof(text),
		 "authorities { a { cacert = root.pem\n crl_uris = http://127.0.0.1:%d/x } }\n",
		 port);
	pki_text("swanctl.conf", text);
	served = pki_crl(&root, root.key, gone, -60, DAY);
	creds_set(s, pki_load());
	/* many at once: one request */
	for (int i = 0; i < 20; i++)
		assert_int_equal(ask(s, i % 2 ? &good : &bad, &strict, &g[i]), 0);
	for (int i = 0; i < 20; i++) {
		wait_for(&g[i]);
		assert_int_equal(g[i].v.error, i % 2 ? 0 : -EACCES);
	}
	assert_int_equal(asked, 1);
	/* a reload keeps what was fetched, flushing does not */
	creds_set(s, pki_load());
	assert_int_equal(ask(s, &good, &strict, g), 0);
	wait_for(g);
	assert_int_equal(g[0].v.error, 0);
	assert_int_equal(asked, 1);
	assert_int_equal(creds_flush(s, true, true), 1);
	assert_int_equal(ask(s, &good, &strict, g), 0);
	wait_for(g);
	assert_true(g[0].v.error == 0 && asked == 2);
	/* the server is silent: what is there must do */
	creds_flush(s, true, true);
	silent = true;
	assert_int_equal(ask(s, &good, &strict, g), 0);
	wait_for(g);
	assert_int_equal(g[0].v.error, -EACCES);
	assert_non_null(strstr(g[0].v.text, "in time"));
	/* gone in the middle: no callback comes */
	creds_flush(s, true, true);
	assert_int_equal(ask(s, &good, &strict, g), 0);
	while (asked < 4)
		event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(ask(s, &bad, &strict, g + 1), 0);
	jobs_free(jobs);
	creds_free(s);
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_true(!g[0].calls && !g[1].calls);
	X509_CRL_free(served);
}

/* ---- loading
 * -------------------------------------------------------------------------------------- */
static void refused(const char *text, const char *file, int line)
{
	struct settings_error err = {0};

	assert_null(cred_load(pki_path("swanctl.conf"), NULL, &err));
	if (!strstr(err.text, text) || !strstr(err.file, file) || err.line != line)
		fail_msg("%s:%d: %s", err.file, err.line, err.text);
}

static void broken_files(void **state)
{
	static const struct {
		const char *name, *bytes, *text;
	} t[] = {
	    {"x509/a.pem", "hello", "neither PEM nor"},
	    {"x509/a.pem", "", "empty"},
	    {"x509/a.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
	     "certificate number 1 is broken"},
	    {"x509ca/a.pem", "-----BEGIN CERTIFICATE-----\nMIIB", "broken PEM"},
	    {"x509ca/a.pem", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
	     "no certificate in it"},
	    {"x509crl/a.crl", "x", "neither PEM nor"},
	    {"x509ocsp/a.pem", "x", "neither PEM nor"},
	    {"pubkey/a.pem", "x", "neither PEM nor"},
	    {"pubkey/a.pem", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
	     "public key number 1 is broken"},
	};

	(void)state;
	pki_text("swanctl.conf", "");
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		pki_text(t[i].name, t[i].bytes);
		refused(t[i].text, t[i].name, 0);
		unlink(pki_path(t[i].name));
	}
	/* the second of two */
	pki_put("x509ca/a.pem", &root);
	pki_put("x509ca/b.pem", &root);
	pki_text("x509ca/c.pem", "x");
	refused("neither", "x509ca/c.pem", 0);
	unlink(pki_path("x509ca/a.pem"));
	unlink(pki_path("x509ca/b.pem"));
	unlink(pki_path("x509ca/c.pem"));
}

static void broken_configuration(void **state)
{
	static const struct {
		const char *conf, *text;
	} t[] = {
	    {"connections { a { local {\n certs = none.pem\n} } }", "certs: "},
	    {"connections { a { remote-1 {\n cacerts = none.pem\n} } }", "No such file"},
	    {"connections { a { remote {\n pubkeys = none.pem\n} } }", "No such file"},
	    {"connections { a { local {\n certs = root.pem, ,\n} } }", ""},
	    {"connections { a { local { cert1 {\n file = none\n} } } }", "No such file"},
	    {"connections { a { local { cert1 {\n handle = 01\n} } } }", "tokens"},
	    {"connections { a { remote { cacert-x {\n slot = 1\n} } } }", "tokens"},
	    {"connections { a { remote { cacert-x {\n fiel = 1\n} } } }", "did you mean 'file'"},
	    {"authorities {\n x = y\n}", "is a section"},
	    {"authorities { a {\n crl_uris = ldap://x\n} }", "only http://"},
	    {"authorities { a {\n ocsp_uris = https://x\n} }", "only http://"},
	    {"authorities { a {\n crl_uris = http://\n} }", "only http://"},
	    {"authorities { a {\n cacert = none.pem\n} }", "No such file"},
	    {"authorities { a {\n module = x\n} }", "tokens"},
	    {"authorities { a {\n slot = x\n} }", "tokens"},
	    {"authorities { a {\n handle = x\n} }", "tokens"},
	    {"authorities { a {\n cert_uri_base = http://x\n} }", "hash and URL"},
	    {"authorities { a {\n crl_uri = http://x\n} }", "did you mean 'crl_uris'"},
	    {"authorities {\n a { crl_uris = http://x }\n}", "cacert or file is missing"},
	    {"authorities { a { cacert = root.pem\n file = /x\n} }", "exclude"},
	    {"authorities { a {\n cacert = leaf.pem\n} }", "not the certificate of a CA"},
	};

	(void)state;
	pki_put("x509ca/root.pem", &root);
	pki_put("x509ca/leaf.pem", &good);
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		pki_text("swanctl.conf", t[i].conf);
		refused(t[i].text, "swanctl.conf", 2);
	}
	unlink(pki_path("x509ca/leaf.pem"));
	pki_text("swanctl.conf", "");
}

static void whole_directories(void **state)
{
	struct cred_entry e;
	struct cred *c;
	uint8_t der[4096], *at = der;
	unsigned int n = 0, kinds[5] = {0};
	X509_CRL *crl = pki_crl(&root, root.key, NULL, -60, DAY);

	(void)state;
	pki_put("x509/two.pem", &good); /* two in one file, text and another block around them */
	pki_put("x509/two.pem", &bad);
	pki_write("x509/one.der", der, (size_t)i2d_X509(good.x, &at));
	pki_text("x509/.hidden", "not looked at");
	mkdir(pki_path("x509/folder"), 0700);
	pki_put_crl("x509crl/a.crl", crl);
	pki_put_pubkey("pubkey/a.pem", good.key);
	c = pki_load();
	for (; cred_entry_at(c, n, &e); n++) {
		kinds[e.kind]++;
		assert_true(e.der.n > 0 && e.file[0]);
		assert_true(e.kind == CRED_PUBKEY ||
			    (e.issuer[0] && e.not_before < time(NULL) && e.not_after > time(NULL)));
	}
	assert_int_equal(kinds[CRED_CERT], 3);
	assert_int_equal(kinds[CRED_CA], 1);
	assert_int_equal(kinds[CRED_CRL], 1);
	assert_int_equal(kinds[CRED_PUBKEY], 1);
	cred_unref(c);
	unlink(pki_path("x509crl/a.crl")); /* one that is valid would do */
	X509_CRL_free(crl);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(broken_files),
	    cmocka_unit_test(broken_configuration),
	    cmocka_unit_test(whole_directories),
	    cmocka_unit_test(replaced_while_threads_verify),
	    cmocka_unit_test(service),
	};
	struct evhttp_bound_socket *bound;
	struct sockaddr_in at;
	socklen_t n = sizeof(at);
	struct evhttp *http;
	int r;

	if (argc > 2 && !strcmp(argv[1], "--role"))
		return fetch_role_main(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	base = event_base_new();
	http = evhttp_new(base);
	bound = evhttp_bind_socket_with_handle(http, "127.0.0.1", 0);
	if (sig_init() || !bound)
		return 1;
	getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&at, &n);
	port = ntohs(at.sin_port);
	evhttp_set_gencb(http, on_request, NULL);
	log_set_level_all(0);
	pki_open();
	pki_make(&root);
	pki_make(&good);
	pki_make(&bad);
	r = cmocka_run_group_tests_name("creds", tests, NULL, NULL);
	pki_drop(&root);
	pki_drop(&good);
	pki_drop(&bad);
	pki_close();
	while (n_held)
		evhttp_send_error(held[--n_held], 500, NULL);
	evhttp_free(http);
	event_base_free(base);
	return r;
}
