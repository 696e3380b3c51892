/* SPDX-License-Identifier: BSD-2-Clause */
#include "pki.h"

#include "agent/exch/auth.h"

/* Several connections fit a peer, and their rules do not all take it: which are tried, and which never are. */

static const char a_local[] = "certs = ../../a-rsa.pem \n id = a.example";

static void configure_a(const char *conn, const char *local, const char *key)
{
	char text[2048];

	snprintf(text, sizeof(text),
		 "connections { gw { local_addrs = 192.0.2.1 \n remote_addrs = 198.51.100.2 \n"
		 " proposals = aes128gcm16-prfsha256-x25519 \n %s \n"
		 " local { %s } \n remote { id = %%any \n auth = pubkey } \n"
		 " children { net { local_ts = 10.1.0.0/24 \n remote_ts = 10.2.0.0/16 \n"
		 " esp_proposals = aes128gcm16 } } } }",
		 conn, local);
	while (w.n_keys[A])
		sig_private_free(w.key[A][--w.n_keys[A]]);
	if (key)
		pki_key(A, key);
	pki_configure(A, text);
}

/* B's connections, named c0, c1, ... in this order; each has another network. Rows: conn keys | local | remote. */
struct row {
	const char *conn, *local, *remote;
};

static void configure_b(const struct row *row, unsigned int n)
{
	char text[16384];
	size_t at = (size_t)snprintf(text, sizeof(text), "connections {\n");

	for (unsigned int i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at,
				       "c%u { local_addrs = 198.51.100.2 \n %s \n"
				       " proposals = aes128gcm16-prfsha256-x25519 \n %s \n local { %s } \n"
				       " remote { %s } \n children { net { local_ts = 10.2.%u.0/24 \n"
				       " remote_ts = 10.1.0.0/24 \n esp_proposals = aes128gcm16 } } }\n",
				       i, row[i].conn && strstr(row[i].conn, "remote_addrs") ? ""
				       : "remote_addrs = %any",
				       row[i].conn ? row[i].conn : "",
				       row[i].local ? row[i].local : "certs = ../../b-P-256.pem \n id = b.example",
				       row[i].remote, i);
	snprintf(text + at, sizeof(text) - at, "}\n");
	while (w.n_keys[B])
		sig_private_free(w.key[B][--w.n_keys[B]]);
	pki_key(B, "b-P-256");
	pki_configure(B, text);
}

static struct outcome *call(void)
{
	struct outcome *o;

	w.n_outcomes = 0;
	o = initiate(A);
	run();
	return o;
}

/* The peer ends up at connection `which` of B, with its network, and no refusal is counted. */
static void reaches(const struct row *row, unsigned int n, unsigned int which)
{
	uint64_t failed = sa_counter(&w.agent[B], IKE_C_auth_failed);
	char name[8], net[32];
	struct outcome *o;
	struct ike_sa *ike;

	configure_b(row, n);
	o = call();
	if (o->error)
		fail_msg("%s: %s: %s", row[0].remote, o->text, w.last_line);
	assert_one_pair();
	ike = first_ike(B);
	snprintf(name, sizeof(name), "c%u", which);
	assert_string_equal(ike->conn->name, name);
	snprintf(net, sizeof(net), "10.2.%u.0", which);
	{
		const struct child_sa *c = TAILQ_FIRST(&ike->children);
		char got[ADDR_STRLEN];

		assert_string_equal(addr_str(&c->ts_local->ts[0].lo, got), net);
	}
	assert_int_equal(sa_counter(&w.agent[B], IKE_C_auth_failed), failed);
	terminate(A, "gw", NULL, false);
	run();
	assert_int_equal(count_ikes(B), 0);
}

static void refused(const struct row *row, unsigned int n, enum ike_counter why)
{
	uint64_t failed = sa_counter(&w.agent[B], IKE_C_auth_failed), one = sa_counter(&w.agent[B], why);
	struct outcome *o;

	configure_b(row, n);
	w.signs[B] = 0;
	o = call();
	assert_int_equal(o->error, -EACCES);
	assert_int_equal(o->notify, N_AUTHENTICATION_FAILED);
	/* however many were tried, one peer was refused */
	assert_int_equal(sa_counter(&w.agent[B], IKE_C_auth_failed), failed + 1);
	if (sa_counter(&w.agent[B], why) != one + 1)
		fail_msg("%s is not counted: %s", sa_counter_name(why), w.last_line);
	assert_int_equal(w.signs[B], 0);
	assert_int_equal(count_ikes(A), 0);
	assert_int_equal(count_ikes(B), 0);
}

#define OTHER_CA "cacerts = ../../other.pem"
#define RIGHT_CA "cacerts = ../../ca.pem"

static void next_when_the_rules_refuse(void **state)
{
	static const struct row ca[] = {{NULL, NULL, "id = %any \n " OTHER_CA},
					{NULL, NULL, "id = %any \n " RIGHT_CA}},
				ca_id[] = {{NULL, NULL, "id = %any \n ca_id = \"O=test, CN=sub\""},
					   {NULL, NULL, "id = %any \n ca_id = \"O=test, CN=ca\""}},
				policy[] = {{NULL, NULL, "id = %any \n cert_policy = 1.2.3.4"},
					    {NULL, NULL, "id = %any"}},
				revocation[] = {{NULL, NULL, "id = a.example \n revocation = strict"},
						{NULL, NULL, "id = a.example \n revocation = ifuri"}},
				kind[] = {{NULL, NULL, "id = *.example \n auth = ike:ecdsa"},
					  {NULL, NULL, "id = *.example \n auth = ike:rsa-4096"},
					  {NULL, NULL, "id = *.example \n auth = pubkey"}},
				pinned[] = {{NULL, NULL, "id = a.example \n certs = ../../a-P-256.pem"},
					    {NULL, NULL, "id = a.example \n certs = ../../a-rsa.pem"}},
				raw[] = {{NULL, NULL, "id = a.example \n pubkeys = ../../a-P-256.pub"},
					 {NULL, NULL, "id = a.example"}};

	(void)state;
	configure_a("", a_local, "a-rsa");
	reaches(ca, 2, 1);
	reaches(ca_id, 2, 1);
	reaches(policy, 2, 1);
	reaches(revocation, 2, 1);
	reaches(kind, 3, 2);
	reaches(pinned, 2, 1);
	reaches(raw, 2, 1);
}

/* Which connection comes first stays what it was: the first in the file among equals. */
static void first_that_fits_is_taken(void **state)
{
	static const struct row two[] = {{NULL, NULL, "id = %any \n " RIGHT_CA}, {NULL, NULL, "id = %any"}};

	(void)state;
	configure_a("", a_local, "a-rsa");
	reaches(two, 2, 0);
}

/* No CERT comes: which keys are at hand is a matter of the connection. */
static void keys_at_hand(void **state)
{
	static const struct row raw[] = {{NULL, NULL, "id = a.example \n pubkeys = ../../a-P-256.pub"},
					 {NULL, NULL, "id = a.example \n pubkeys = ../../a-rsa.pub"}},
				certs[] = {{NULL, NULL, "id = a.example \n certs = ../../a-P-384.pem"},
					   {NULL, NULL, "id = a.example \n certs = ../../a-rsa.pem"}};

	(void)state;
	configure_a("send_cert = never", a_local, "a-rsa");
	reaches(raw, 2, 1);
	reaches(certs, 2, 1);
	refused(raw, 1, IKE_C_auth_signature);
}

static void another_method(void **state)
{
	/* IDr is not sent by A: so the method decides; with an identity of ours the first outweighs it */
	static const struct row rows[] = {{NULL, "auth = psk \n id = b.example", "id = a.example \n auth = psk"},
					  {NULL, NULL, "id = a.example \n auth = pubkey"}};

	(void)state;
	configure_a("", a_local, "a-rsa");
	reaches(rows, 2, 1);
}

static void none_takes_the_peer(void **state)
{
	static const struct row rows[] = {{NULL, NULL, "id = %any \n " OTHER_CA},
					  {NULL, NULL, "id = %any \n " OTHER_CA " \n revocation = strict"},
					  {NULL, NULL, "id = %any \n auth = ecdsa"}};

	(void)state;
	configure_a("", a_local, "a-rsa");
	refused(rows, 3, IKE_C_auth_weak);
	assert_non_null(strstr(w.last_line, "AUTHENTICATION_FAILED"));
}

/* A peer that is known by name cannot come in by a connection for anybody. */
static void never_to_a_weaker_one(void **state)
{
	static const struct row any[] = {{NULL, NULL, "id = a.example \n " OTHER_CA}, {NULL, NULL, "id = %any"}},
				pattern[] = {{NULL, NULL, "id = a.example \n " OTHER_CA},
					     {NULL, NULL, "id = *.example"}},
				wild[] = {{NULL, NULL, "id = *.example \n " OTHER_CA}, {NULL, NULL, "id = %any"}},
				/* not even by way of one that may be tried */
				chain[] = {{NULL, NULL, "id = a.example \n " OTHER_CA},
					   {NULL, NULL, "id = a.example \n auth = ike:ecdsa"},
					   {NULL, NULL, "id = %any"}},
				named[] = {{NULL, NULL, "id = %any"},
					   {NULL, NULL, "id = a.example \n auth = psk"}};

	(void)state;
	configure_a("", a_local, "a-rsa");
	refused(any, 2, IKE_C_auth_untrusted);
	refused(pattern, 2, IKE_C_auth_untrusted);
	refused(wild, 2, IKE_C_auth_untrusted);
	refused(chain, 3, IKE_C_auth_weak);
	refused(named, 2, IKE_C_auth_method);
}

/* What is wrong in itself is wrong everywhere. */
static void not_for_a_wrong_signature(void **state)
{
	static const struct row rows[] = {{NULL, NULL, "id = %any \n " OTHER_CA}, {NULL, NULL, "id = %any"}};

	(void)state;
	configure_a("", a_local, "a-rsa");
	w.spoil_sign = true;
	refused(rows, 2, IKE_C_auth_signature);
	w.spoil_sign = false;
}

static void childless_is_a_rule_too(void **state)
{
	static const struct row rows[] = {{NULL, NULL, "id = %any \n " OTHER_CA},
					  {"childless = force", NULL, "id = %any"}};

	(void)state;
	configure_a("", a_local, "a-rsa");
	refused(rows, 2, IKE_C_auth_untrusted);
}

static void so_many_and_no_more(void **state)
{
	struct row rows[AUTH_CONNS_MAX + 1];

	(void)state;
	for (unsigned int i = 0; i <= AUTH_CONNS_MAX; i++)
		rows[i] = (struct row){NULL, NULL, "id = %any \n " OTHER_CA};
	configure_a("", a_local, "a-rsa");
	rows[AUTH_CONNS_MAX - 1].remote = "id = %any";
	reaches(rows, AUTH_CONNS_MAX, AUTH_CONNS_MAX - 1);
	rows[AUTH_CONNS_MAX - 1].remote = "id = %any \n " OTHER_CA;
	rows[AUTH_CONNS_MAX].remote = "id = %any";
	refused(rows, AUTH_CONNS_MAX + 1, IKE_C_auth_untrusted);
}

/* The connection that is tried goes away by a reload, while the peer is verified: by hand, the jobs have no threads. */
static void reload_between(void **state)
{
	static const struct row two[] = {{NULL, NULL, "id = %any \n " OTHER_CA}, {NULL, NULL, "id = %any"}},
				one[] = {{NULL, NULL, "id = %any \n " OTHER_CA}};

	(void)state;
	configure_a("", a_local, "a-rsa");
	configure_b(two, 2);
	w.n_outcomes = 0;
	initiate(A);
	settle();
	assert_true(deliver_to(B));
	settle();
	assert_true(deliver_to(A));
	assert_true(answer_mac());
	configure_b(one, 1);
	run();
	assert_int_equal(w.outcome[0].notify, N_AUTHENTICATION_FAILED);
	assert_int_equal(count_ikes(B), 0);
}

static void asked(unsigned int cas, bool raw)
{
	initiate(A);
	settle();
	assert_true(deliver_to(B));
	settle();
	assert_true(deliver_to(A));
	assert_int_equal(first_ike(A)->setup->certreq_len, cas * SIG_KEY_ID_LEN);
	assert_int_equal(first_ike(A)->setup->certreq_raw, raw);
	run();
	assert_one_pair();
	terminate(A, "gw", NULL, false);
	run();
}

/* RFC 7296 3.7: the responder asks for the CAs of all connections that the peer may belong to. */
static void certreq_of_all(void **state)
{
	static const struct row rows[] = {{NULL, NULL, "id = x.example \n " OTHER_CA},
					  {NULL, NULL, "id = y.example \n " RIGHT_CA},
					  {NULL, NULL, "id = a.example \n " RIGHT_CA},
					  {NULL, NULL, "id = z.example \n pubkeys = ../../a-P-256.pub \n " OTHER_CA},
					  {"send_certreq = no", NULL, "id = n.example \n cacerts = ../../sub.pem"}},
				elsewhere[] = {{NULL, NULL, "id = a.example \n " RIGHT_CA},
					       {"remote_addrs = 203.0.113.7", NULL, "id = x.example \n " OTHER_CA}};

	(void)state;
	configure_a("", a_local, "a-rsa");
	configure_b(rows, 5);
	asked(2, true);
	/* and of no other */
	configure_b(elsewhere, 2);
	asked(1, false);
}

#define NEXT_TEST(f) cmocka_unit_test_setup_teardown(f, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		NEXT_TEST(next_when_the_rules_refuse), NEXT_TEST(first_that_fits_is_taken),
		NEXT_TEST(keys_at_hand),	       NEXT_TEST(another_method),
		NEXT_TEST(none_takes_the_peer),	       NEXT_TEST(never_to_a_weaker_one),
		NEXT_TEST(not_for_a_wrong_signature),  NEXT_TEST(childless_is_a_rule_too),
		NEXT_TEST(so_many_and_no_more),	       NEXT_TEST(reload_between),
		NEXT_TEST(certreq_of_all),
	};

	return cmocka_run_group_tests(tests, pki_open, pki_close);
}
