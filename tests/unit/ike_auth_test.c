/* SPDX-License-Identifier: BSD-2-Clause */
#include "pki.h"

#include "agent/exch/auth.h"


/* IKE_AUTH with signatures: what is accepted, and each reason of a refusal with its own counter. */

struct side {
	const char *conn;   /* keys of the connection */
	const char *local;  /* section local */
	const char *remote; /* section remote */
	const char *keys;   /* private keys it has, by blanks */
};

static void configure_side(int side, const struct side *s)
{
	char text[4096], names[128], *at = names, *name;
	const char *mine = side == A ? "192.0.2.1" : "198.51.100.2";
	const char *theirs = side == A ? "198.51.100.2" : "%any";

	snprintf(text, sizeof(text),
		 "connections { gw { local_addrs = %s \n remote_addrs = %s \n"
		 " proposals = aes128gcm16-prfsha256-x25519 \n %s \n"
		 " local { %s } \n remote { %s } \n"
		 " children { net { local_ts = 10.%d.0.0/24 \n remote_ts = 10.%d.0.0/24 \n"
		 " esp_proposals = aes128gcm16-x25519 } } } }",
		 mine, theirs, s->conn ? s->conn : "", s->local, s->remote, side == A ? 1 : 2,
		 side == A ? 2 : 1);
	while (w.n_keys[side])
		sig_private_free(w.key[side][--w.n_keys[side]]);
	snprintf(names, sizeof(names), "%s", s->keys ? s->keys : "");
	while ((name = strsep(&at, " ")))
		if (*name)
			pki_key(side, name);
	pki_configure(side, text);
}

static const struct side a_rsa = {NULL, "certs = ../../a-rsa.pem \n id = a.example", "id = b.example", "a-rsa"};
static const struct side b_ec = {NULL, "certs = ../../b-P-256.pem \n id = b.example", "id = a.example", "b-P-256"};

static uint64_t counted(int side, enum ike_counter c)
{
	return sa_counter(&w.agent[side], c);
}

static void end_all(void)
{
	terminate(A, "gw", NULL, false);
	run();
	assert_int_equal(count_ikes(A), 0);
	assert_int_equal(count_ikes(B), 0);
}

static struct outcome *call(const struct side *a, const struct side *b)
{
	struct outcome *o;

	w.n_outcomes = 0;
	configure_side(A, a);
	configure_side(B, b);
	o = initiate(A);
	run();
	return o;
}

static void accepted(const struct side *a, const struct side *b)
{
	struct outcome *o = call(a, b);

	if (o->error)
		fail_msg("%s / %s: %s", a->local, b->local, o->text);
	assert_one_pair();
}

/* B refuses A: says AUTHENTICATION_FAILED and nothing else, signs nothing, counts the reason. */
static void refused_by_b(const struct side *a, const struct side *b, enum ike_counter why)
{
	uint64_t all = counted(B, IKE_C_auth_failed), one = counted(B, why);
	struct outcome *o;

	w.signs[B] = 0;
	o = call(a, b);
	assert_int_equal(o->error, -EACCES);
	assert_true(o->by_peer);
	assert_int_equal(o->notify, N_AUTHENTICATION_FAILED);
	if (counted(B, why) != one + 1)
		fail_msg("%s is not counted: %s", sa_counter_name(why), w.last_line);
	assert_int_equal(counted(B, IKE_C_auth_failed), all + 1);
	assert_int_equal(w.signs[B], 0);
	assert_int_equal(count_ikes(A), 0);
	assert_int_equal(count_ikes(B), 0);
}

/* A refuses B, and says so in an INFORMATIONAL: RFC 7296 2.21.2. */
static void refused_by_a(const struct side *a, const struct side *b, enum ike_counter why)
{
	uint64_t one = counted(A, why);
	struct outcome *o = call(a, b);

	assert_int_equal(o->error, -EACCES);
	assert_false(o->by_peer);
	if (counted(A, why) != one + 1)
		fail_msg("%s is not counted: %s", sa_counter_name(why), o->text);
	assert_int_equal(count_ikes(A), 0);
	assert_int_equal(count_ikes(B), 0);
	assert_int_equal(count_children(A), 0);
}

/* ---- what is accepted ------------------------------------------------------------------------------ */

static void every_kind_of_key(void **state)
{
	static const char *const kinds[] = {"rsa", "P-256", "P-384", "P-521", "ed25519", "ed448"};

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		char la[96], lb[96], ka[32], kb[32];
		struct side a = {NULL, la, "id = b.example", ka}, b = {NULL, lb, "id = a.example", kb};

		snprintf(ka, sizeof(ka), "a-%s", kinds[i]);
		snprintf(kb, sizeof(kb), "b-%s", kinds[5 - i]);
		snprintf(la, sizeof(la), "certs = ../../%s.pem \n id = a.example", ka);
		snprintf(lb, sizeof(lb), "certs = ../../%s.pem \n id = b.example", kb);
		accepted(&a, &b);
		end_all();
	}
}

static enum sig_scheme scheme_of(int side)
{
	struct ike_sa *ike = first_ike(side);

	return ike && ike->setup && ike->setup->own_auth ? (enum sig_scheme)ike->setup->own_auth_number : 0;
}

/* Walks to the point where A's AUTH is made. Returns its method. */
static uint8_t method_of_a(const struct side *a, const struct side *b)
{
	configure_side(A, a);
	configure_side(B, b);
	initiate(A);
	settle();
	assert_true(deliver_to(B));
	settle();
	assert_true(deliver_to(A));
	settle();
	return (uint8_t)scheme_of(A);
}

static bool own_auth_has(int side, const char *bytes, size_t n)
{
	const struct setup *s = first_ike(side)->setup;

	return s->own_auth_len > n && memmem(s->own_auth, s->own_auth_len < 80 ? s->own_auth_len : 80, bytes, n);
}

static void padding_by_configuration(void **state)
{
	static const struct {
		const char *auth, *oid;
	} rows[] = {
		{"auth = pubkey", "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"},
		{"auth = rsa/pss", "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"},
		{"auth = rsa", "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"},
		{"auth = rsa-sha384", "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c"},
		{"auth = ike:pubkey-sha512", "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char local[128];
		struct side a = {NULL, local, "id = b.example", "a-rsa"};

		snprintf(local, sizeof(local), "certs = ../../a-rsa.pem \n id = a.example \n %s", rows[i].auth);
		w.n_outcomes = 0;
		assert_int_equal(method_of_a(&a, &b_ec), AUTH_METHOD_SIGNATURE);
		assert_true(own_auth_has(A, rows[i].oid, 9));
		run();
		assert_int_equal(w.outcome[0].error, 0);
		end_all();
	}
}

/* A peer that announced no hashes gets the methods of RFC 7296 and RFC 4754, and may use them. */
static void without_rfc7427(void **state)
{
	static const struct {
		const char *key;
		uint8_t method;
	} rows[] = {{"b-rsa", AUTH_METHOD_RSA},
		    {"b-P-256", AUTH_METHOD_ECDSA_256},
		    {"b-P-384", AUTH_METHOD_ECDSA_384},
		    {"b-P-521", AUTH_METHOD_ECDSA_521}};
	/* A knows RFC 7427, so SHA-1 has to be named */
	static const struct side a = {NULL, "certs = ../../a-rsa.pem \n id = a.example",
				      "id = b.example \n auth = rsa-sha1-ecdsa, ike:rsa-sha1-ecdsa", "a-rsa"};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char local[128];
		struct side b = {NULL, local, "id = a.example", rows[i].key};

		snprintf(local, sizeof(local), "certs = ../../%s.pem \n id = b.example", rows[i].key);
		w.n_outcomes = 0;
		method_of_a(&a, &b);
		first_ike(B)->setup->peer_hashes = 0;
		assert_true(deliver_to(B));
		assert_true(answer_mac());
		assert_int_equal(first_ike(A)->auth_sent, true);
		run();
		if (w.outcome[0].error)
			fail_msg("%s: %s", rows[i].key, w.outcome[0].text);
		end_all();
	}
}

/* RFC 7427 4: who announced better is not taken back to SHA-1. */
static void no_way_back_to_sha1(void **state)
{
	static const struct side b = {NULL, "certs = ../../b-rsa.pem \n id = b.example", "id = a.example", "b-rsa"};
	uint64_t before;

	(void)state;
	method_of_a(&a_rsa, &b);
	first_ike(B)->setup->peer_hashes = 0;
	before = counted(A, IKE_C_auth_weak);
	run();
	assert_int_equal(w.outcome[0].error, -EACCES);
	assert_int_equal(counted(A, IKE_C_auth_weak), before + 1);
	assert_int_equal(count_ikes(A), 0);
}

static void one_side_by_secret(void **state)
{
	static const struct side a_psk = {NULL, "auth = psk \n id = a.example", "auth = pubkey \n id = b.example",
					  NULL},
				 b = {NULL, "auth = pubkey \n certs = ../../b-ed25519.pem \n id = b.example",
				      "auth = psk \n id = a.example", "b-ed25519"},
				 a = {NULL, "certs = ../../a-rsa.pem \n id = a.example",
				      "auth = psk \n id = b.example", "a-rsa"},
				 b_psk = {NULL, "auth = psk \n id = b.example", "id = a.example", NULL};

	(void)state;
	accepted(&a_psk, &b);
	end_all();
	accepted(&a, &b_psk);
}

static void raw_public_keys(void **state)
{
	static const struct side a = {NULL, "pubkeys = ../../a-P-256.pub \n id = a.example",
				      "pubkeys = ../../b-ed25519.pub \n id = b.example", "a-P-256"},
				 b = {NULL, "pubkeys = ../../b-ed25519.pub \n id = b.example",
				      "pubkeys = ../../a-P-256.pub \n id = a.example", "b-ed25519"},
				 b_wrong = {NULL, "pubkeys = ../../b-ed25519.pub \n id = b.example",
					    "pubkeys = ../../a-P-384.pub \n id = a.example", "b-ed25519"};

	(void)state;
	accepted(&a, &b);
	end_all();
	refused_by_b(&a, &b_wrong, IKE_C_auth_untrusted);
}

static void identities(void **state)
{
	static const struct side a_any = {NULL, "certs = ../../a-rsa.pem", "id = %any", "a-rsa"};
	static const char *const expected[] = {"id = %any", "id = \"O=test, CN=a.example\"", "id = \"O=*, CN=*\"",
					       "ca_id = \"O=test, CN=ca\"", "cacerts = ../../ca.pem",
					       "certs = ../../a-rsa.pem"};
	static const struct side a_mail = {NULL, "certs = ../../a-rsa.pem \n id = a@example.org",
					   "id = *.example", "a-rsa"},
				 b_mail = {NULL, "certs = ../../b-P-256.pem \n id = b.example",
					   "id = *@example.org", "b-P-256"};

	(void)state;
	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
		struct side b = {NULL, "certs = ../../b-P-256.pem", expected[i], "b-P-256"};

		accepted(&a_any, &b);
		assert_int_equal(first_ike(B)->remote_id->type, ID_DER_ASN1_DN);
		assert_int_equal(first_ike(A)->remote_id->type, ID_DER_ASN1_DN);
		end_all();
	}
	accepted(&a_mail, &b_mail);
}

static void intermediate_ca(void **state)
{
	static const struct side b = {"send_cert = always", "certs = ../../b-sub.pem \n id = b.example",
				      "id = a.example", "b-sub"};

	(void)state;
	pki_sh("cp sub.pem b/x509ca/");
	accepted(&a_rsa, &b);
	end_all();
	pki_sh("rm b/x509ca/sub.pem");
	refused_by_a(&a_rsa, &b, IKE_C_auth_untrusted);
}

/* RFC 7296 2.15: the whole last IKE_SA_INIT is signed: after a cookie and another group, too. */
static void signed_octets_are_those_of_the_last_init(void **state)
{
	static const struct side a = {"proposals = aes128gcm16-prfsha256-ecp384-x25519",
				      "certs = ../../a-rsa.pem \n id = a.example", "id = b.example", "a-rsa"};

	(void)state;
	w.agent[B].gw.ike.cookie_threshold = -1;
	accepted(&a, &b_ec);
	assert_true(counted(B, IKE_C_cookie_sent) >= 1);
	assert_true(counted(A, IKE_C_init_out) >= 3);
	/* RFC 7296 2.5: reserved bits and bytes are signed as they were; retransmits are the same bytes */
	end_all();
}

/* ---- CERT and CERTREQ --------------------------------------------------------------------------------- */

static void certificates_when_asked_for(void **state)
{
	static const struct {
		const char *send, *ask;
		bool goes;
	} rows[] = {
		{"send_cert = ifasked", "send_certreq = yes", true},
		{"send_cert = ifasked", "send_certreq = no", false},
		{"send_cert = always", "send_certreq = no", true},
		{"send_cert = never", "send_certreq = yes", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct side a = {rows[i].send, a_rsa.local, a_rsa.remote, a_rsa.keys};
		struct side b = {rows[i].ask, b_ec.local, b_ec.remote, b_ec.keys};

		/* B's own goes always: A asks */
		if (!strcmp(rows[i].ask, "send_certreq = no") && !rows[i].goes)
			a.conn = "send_cert = ifasked";
		if (rows[i].goes) {
			accepted(&a, &b);
			end_all();
			continue;
		}
		refused_by_b(&a, &b, IKE_C_auth_no_cert);
		/* at hand at the other side, it need not be sent */
		pki_sh("cp a-rsa.pem b/x509/");
		accepted(&a, &b);
		end_all();
		pki_sh("rm b/x509/a-rsa.pem");
	}
}

/* ---- what is refused ------------------------------------------------------------------------------------ */

static void another_method_than_configured(void **state)
{
	static const struct side a_psk = {NULL, "auth = psk \n id = a.example", "auth = psk \n id = b.example",
					  NULL},
				 b_psk = {NULL, "auth = psk \n id = b.example", "auth = psk \n id = a.example",
					  NULL};
	static const struct side a_mixed = {NULL, "auth = psk \n id = a.example", "id = b.example", NULL};

	(void)state;
	refused_by_b(&a_psk, &b_ec, IKE_C_auth_method);
	refused_by_b(&a_rsa, &b_psk, IKE_C_auth_method);
	/* the responder's: B answers by its secret where A wants a signature */
	refused_by_a(&a_mixed, &b_psk, IKE_C_auth_method);
}

static void wrong_signature(void **state)
{
	(void)state;
	w.spoil_sign = true;
	refused_by_b(&a_rsa, &b_ec, IKE_C_auth_signature);
	w.spoil_sign = false;
	accepted(&a_rsa, &b_ec);
	end_all();
}

static void schemes_that_are_not_allowed(void **state)
{
	static const struct side b = {NULL, "certs = ../../b-P-256.pem \n id = b.example",
				      "id = a.example \n auth = ike:ecdsa", "b-P-256"},
				 b_strong = {NULL, "certs = ../../b-P-256.pem \n id = b.example",
					     "id = a.example \n auth = rsa-3072", "b-P-256"},
				 a_none = {NULL, "certs = ../../a-rsa.pem \n auth = ecdsa", "id = b.example",
					   "a-rsa"};
	struct outcome *o;

	(void)state;
	refused_by_b(&a_rsa, &b, IKE_C_auth_weak);
	refused_by_b(&a_rsa, &b_strong, IKE_C_auth_weak);
	/* ours does not even try */
	o = call(&a_none, &b_ec);
	assert_int_equal(o->error, -EACCES);
	assert_false(o->by_peer);
	assert_int_equal(counted(A, IKE_C_auth_scheme), 1);
	assert_int_equal(w.signs[A], 2);
	advance(60000);
	assert_int_equal(count_ikes(B), 0);
}

static void certificates_that_are_not_trusted(void **state)
{
	static const struct {
		const char *name;
		enum ike_counter why;
	} rows[] = {
		{"b-old", IKE_C_auth_cert_time},   {"b-young", IKE_C_auth_cert_time},
		{"b-other", IKE_C_auth_untrusted},    {"b-revoked", IKE_C_auth_cert_revoked},
	};

	(void)state;
	pki_sh("cp ca.crl a/x509crl/");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char local[128];
		struct side b = {"send_cert = always", local, "id = a.example", rows[i].name};

		snprintf(local, sizeof(local), "certs = ../../%s.pem \n id = b.example", rows[i].name);
		refused_by_a(&a_rsa, &b, rows[i].why);
	}
	/* and one that the list does not have */
	accepted(&a_rsa, &b_ec);
	end_all();
	pki_sh("rm a/x509crl/ca.crl");
}

static void strict_needs_a_status(void **state)
{
	static const struct side a = {NULL, "certs = ../../a-rsa.pem \n id = a.example",
				      "id = b.example \n revocation = strict", "a-rsa"};

	(void)state;
	refused_by_a(&a, &b_ec, IKE_C_auth_cert_revoked);
	pki_sh("cp ca.crl a/x509crl/");
	accepted(&a, &b_ec);
	end_all();
	pki_sh("rm a/x509crl/ca.crl");
}

static void identity_not_in_the_certificate(void **state)
{
	static const struct side a = {NULL, "certs = ../../a-rsa.pem \n id = a.example", "id = %any", "a-rsa"},
				 b_subject = {NULL, "certs = ../../b-P-256.pem \n id = b.example",
					      "id = c.example", "b-P-256"},
				 b_certs = {NULL, "certs = ../../b-P-256.pem \n id = b.example",
					    "id = a.example \n certs = ../../a-P-256.pem", "b-P-256"},
				 b_ca = {NULL, "certs = ../../b-P-256.pem \n id = b.example",
					 "id = a.example \n cacerts = ../../other.pem", "b-P-256"},
				 b_ca_id = {NULL, "certs = ../../b-P-256.pem \n id = b.example",
					    "id = a.example \n ca_id = \"O=test, CN=sub\"", "b-P-256"};

	(void)state;
	refused_by_b(&a, &b_subject, IKE_C_auth_no_conn);
	refused_by_b(&a, &b_certs, IKE_C_auth_untrusted);
	refused_by_b(&a, &b_ca, IKE_C_auth_untrusted);
	refused_by_b(&a, &b_ca_id, IKE_C_auth_untrusted);
}

/* The peer claims what its certificate does not say. */
static void identity_claimed(void **state)
{
	static const struct side a = {NULL, "certs = ../../a-rsa.pem \n id = a.example", "id = %any", "a-rsa"},
				 b = {NULL, "certs = ../../b-P-256.pem \n id = b.example", "id = %any", "b-P-256"};
	struct conf_id other;
	struct ike_sa *ike;

	(void)state;
	configure_side(A, &a);
	configure_side(B, &b);
	initiate(A);
	settle();
	assert_true(deliver_to(B));
	settle();
	/* A takes another name after its certificate was chosen: IDi and AUTH agree, the certificate does not */
	assert_true(deliver_to(A));
	ike = first_ike(A);
	lose_all();
	w.n_mac = 0;
	assert_int_equal(conf_id_parse("root.example", &other), 0);
	assert_int_equal(ike_set_local_id(ike, &other), 0);
	{
		uint8_t buf[SIG_AUTH_MAX], sig[SIG_MAX], *octets;
		struct wr at = wr_of(buf, sizeof(buf));
		struct ike_id id = conf_id_view(ike->local_id);
		struct ike_cert_pl cert = {CERT_X509, ike->setup->own->own.cert[0]};
		struct msg_wr chain;
		uint8_t body[64], maced[CRYPT_PRF_MAX];
		struct wr idw = wr_of(body, sizeof(body));
		size_t n, len;

		id_body(&idw, &id);
		assert_int_equal(auth_maced_id(ike->suite.prf, &ike->keys.pi, wr_slice(&idw), maced), 0);
		n = ike->setup->msg_i_len + ike->setup->nr.n + prf_len(ike->suite.prf);
		octets = malloc(n);
		memcpy(octets, ike->setup->msg_i, ike->setup->msg_i_len);
		memcpy(octets + ike->setup->msg_i_len, ike->setup->nr.b, ike->setup->nr.n);
		memcpy(octets + n - prf_len(ike->suite.prf), maced, prf_len(ike->suite.prf));
		assert_int_equal(sig_sign(w.key[A][0], SIG_PSS_SHA256, slice_of(octets, n), sig, &len), 0);
		free(octets);
		sig_auth_put(&at, SIG_PSS_SHA256, slice_of(sig, len));
		chain_start(&w.agent[A], &chain);
		msg_put_id(&chain, IKE_PL_IDI, &id);
		msg_put_cert(&chain, IKE_PL_CERT, cert.encoding, cert.data);
		msg_put_auth(&chain, AUTH_METHOD_SIGNATURE, wr_slice(&at));
		ike->setup->childless = true;
		assert_int_equal(request_send(ike, IKE_AUTH, &chain), 0);
	}
	run();
	assert_int_equal(counted(B, IKE_C_auth_identity), 1);
	assert_int_equal(w.signs[B], 0);
	assert_int_equal(count_ikes(B), 0);
	assert_int_equal(count_ikes(A), 0);
}

/* An AUTH payload of A's own making, behind a proper IKE_SA_INIT. */
static void forged_auth(uint8_t method, struct slice data, uint8_t encoding, enum ike_counter why)
{
	uint64_t before = counted(B, why);
	struct ike_sa *ike;
	struct msg_wr chain;
	struct ike_id id = {ID_FQDN, slice_of("a.example", 9)};

	w.n_outcomes = 0;
	w.signs[B] = 0;
	configure_side(A, &a_rsa);
	configure_side(B, &b_ec);
	initiate(A);
	settle();
	assert_true(deliver_to(B));
	settle();
	assert_true(deliver_to(A));
	ike = first_ike(A);
	w.n_mac = 0;
	chain_start(&w.agent[A], &chain);
	msg_put_id(&chain, IKE_PL_IDI, &id);
	if (encoding)
		msg_put_cert(&chain, IKE_PL_CERT, encoding, encoding == CERT_X509
			     ? ike->setup->own->own.cert[0] : slice_of("http://example.org/x.der", 24));
	msg_put_auth(&chain, method, data);
	ike->setup->childless = true;
	assert_int_equal(request_send(ike, IKE_AUTH, &chain), 0);
	run();
	if (counted(B, why) != before + 1)
		fail_msg("method %u, %zu bytes: %s is not counted: %s", method, data.n, sa_counter_name(why),
			 w.last_line);
	assert_int_equal(w.outcome[0].notify, N_AUTHENTICATION_FAILED);
	assert_int_equal(w.signs[B], 0);
	assert_int_equal(count_ikes(A), 0);
	assert_int_equal(count_ikes(B), 0);
}

static void forged_payloads(void **state)
{
	static const uint8_t zeros[2000];
	/* sha1WithRSAEncryption, which RFC 7427 lets nobody use who announced better */
	static const uint8_t sha1[300] = {15, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48,
					  0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05, 0x05, 0x00};
	static const uint8_t rsa256[300] = {15, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48,
					    0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00};

	(void)state;
	/* no method at all, null authentication, a number of nobody */
	forged_auth(0, slice_of(zeros, 32), CERT_X509, IKE_C_auth_method);
	forged_auth(AUTH_METHOD_NULL, slice_of(zeros, 32), CERT_X509, IKE_C_auth_method);
	forged_auth(200, slice_of(zeros, 32), CERT_X509, IKE_C_auth_method);
	forged_auth(AUTH_METHOD_SIGNATURE, slice_of(sha1, sizeof(sha1)), CERT_X509, IKE_C_auth_scheme);
	forged_auth(AUTH_METHOD_SIGNATURE, slice_of(rsa256, 16 + 256), CERT_X509, IKE_C_auth_signature);
	forged_auth(AUTH_METHOD_SIGNATURE, slice_of(rsa256, 16), CERT_X509, IKE_C_auth_signature);
	forged_auth(AUTH_METHOD_SIGNATURE, slice_of(rsa256, 9), CERT_X509, IKE_C_auth_signature);
	forged_auth(AUTH_METHOD_SIGNATURE, slice_of(zeros, 64), CERT_X509, IKE_C_auth_signature);
	forged_auth(AUTH_METHOD_RSA, slice_of(zeros, sizeof(zeros)), CERT_X509, IKE_C_auth_signature);
	forged_auth(AUTH_METHOD_ECDSA_256, slice_of(zeros, 64), CERT_X509, IKE_C_auth_signature);
	/* no certificate, and one that would have to be fetched */
	forged_auth(AUTH_METHOD_SIGNATURE, slice_of(rsa256, 16 + 256), 0, IKE_C_auth_no_cert);
	forged_auth(AUTH_METHOD_SIGNATURE, slice_of(rsa256, 16 + 256), 12, IKE_C_auth_no_cert);
	assert_int_equal(counted(B, IKE_C_cert_url), 1);
	/* RFC 7296 3.6: PKCS #7, PGP, DNS, Kerberos, CRL, ARL, SPKI, attribute certificates: no code reads them */
	for (uint8_t encoding = 1; encoding <= 10; encoding++)
		if (encoding != CERT_X509)
			forged_auth(AUTH_METHOD_SIGNATURE, slice_of(rsa256, 16 + 256), encoding,
				    IKE_C_auth_no_cert);
}

/* ---- our own side -------------------------------------------------------------------------------------------- */

static void no_private_key(void **state)
{
	static const struct side a = {NULL, "certs = ../../a-rsa.pem \n id = a.example", "id = b.example", ""},
				 b = {NULL, "certs = ../../b-P-256.pem \n id = b.example", "id = a.example", ""};
	struct outcome *o;

	(void)state;
	o = call(&a, &b_ec);
	assert_int_equal(o->error, -ENOKEY);
	assert_int_equal(counted(A, IKE_C_auth_no_key), 1);
	advance(60000);
	o = call(&a_rsa, &b);
	assert_int_equal(o->notify, N_AUTHENTICATION_FAILED);
	assert_int_equal(counted(B, IKE_C_auth_no_key), 1);
	w.fail_sign = -EIO;
	o = call(&a_rsa, &b_ec);
	assert_int_equal(o->error, -EIO);
	w.fail_sign = 0;
	advance(60000);
	assert_int_equal(count_ikes(B), 0);
}

/* ---- waits -------------------------------------------------------------------------------------------------- */

/* The IKE SA ends while the keys role signs: its answer finds nobody. */
static void gone_while_it_signs(void **state)
{
	struct test_mac late;

	(void)state;
	configure_side(A, &a_rsa);
	configure_side(B, &b_ec);
	initiate(A);
	settle();
	assert_true(deliver_to(B));
	settle();
	assert_true(deliver_to(A));
	assert_int_equal(w.n_mac, 1);
	late = w.mac[0];
	w.n_mac = 0;
	terminate(A, "gw", NULL, true);
	settle();
	assert_int_equal(count_ikes(A), 0);
	late.sign_done(&w.agent[A], late.ref, &late.sign);
	run();
	assert_int_equal(count_ikes(A), 0);
	advance(60000);
	assert_int_equal(count_ikes(B), 0);
}

/* A reload takes the certificates away: what is being signed ends well, what is up stays up, what is new fails. */
static void reload_while_it_signs(void **state)
{
	static const struct side a_gone = {NULL, "id = a.example", "id = b.example", "a-rsa"};
	struct outcome *o;

	(void)state;
	configure_side(A, &a_rsa);
	configure_side(B, &b_ec);
	o = initiate(A);
	settle();
	assert_true(deliver_to(B));
	settle();
	assert_true(deliver_to(A));
	assert_int_equal(w.n_mac, 1);
	/* the same connections with another snapshot */
	configure_side(A, &a_rsa);
	run();
	assert_int_equal(o->error, 0);
	assert_one_pair();
	configure_side(A, &a_rsa);
	configure_side(B, &b_ec);
	run();
	assert_one_pair();
	end_all();
	o = call(&a_gone, &b_ec);
	assert_int_equal(o->error, -ENOKEY);
	advance(60000);
}

/* ---- RFC 4478 ------------------------------------------------------------------------------------------------- */

/* The responder says how long its belief lasts; the initiator, which has no such time, authenticates anew before. */
static void auth_lifetime(void **state)
{
	static const struct side b = {"reauth_time = 1h", "certs = ../../b-P-256.pem \n id = b.example",
				      "id = a.example", "b-P-256"},
				 a_sooner = {"reauth_time = 10m", "certs = ../../a-rsa.pem \n id = a.example",
					     "id = b.example", "a-rsa"};
	uint64_t at, spi;

	(void)state;
	accepted(&a_rsa, &b_ec);
	assert_int_equal(first_ike(A)->reauth_ms, 0);
	end_all();
	accepted(&a_rsa, &b);
	at = first_ike(A)->reauth_ms;
	assert_true(at > w.now + 2600 * 1000 && at < w.now + 3600 * 1000);
	spi = first_ike(A)->spi_i;
	advance(at - w.now + 5000);
	assert_one_pair();
	assert_true(first_ike(A)->spi_i != spi);
	assert_true(first_ike(A)->initiator);
	end_all();
	/* what is sooner of ours stays */
	accepted(&a_sooner, &b);
	assert_true(first_ike(A)->reauth_ms <= w.now + 600 * 1000);
	end_all();
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_open, world_close)
	static const struct CMUnitTest tests[] = {
		T(every_kind_of_key),
		T(padding_by_configuration),
		T(without_rfc7427),
		T(no_way_back_to_sha1),
		T(one_side_by_secret),
		T(raw_public_keys),
		T(identities),
		T(intermediate_ca),
		T(signed_octets_are_those_of_the_last_init),
		T(certificates_when_asked_for),
		T(another_method_than_configured),
		T(wrong_signature),
		T(schemes_that_are_not_allowed),
		T(certificates_that_are_not_trusted),
		T(strict_needs_a_status),
		T(identity_not_in_the_certificate),
		T(identity_claimed),
		T(forged_payloads),
		T(no_private_key),
		T(gone_while_it_signs),
		T(reload_while_it_signs),
		T(auth_lifetime),
	};
#undef T

	return cmocka_run_group_tests_name("ike_auth", tests, pki_open, pki_close);
}
