/* SPDX-License-Identifier: BSD-2-Clause */
#include "cred_pki.h"

/* Chains, identities and rules: each check of the path, and each way to fail it. */

static struct pki
    root = {.subject = "C=CH, O=x, CN=root", .kind = CA},
    other = {.subject = "C=CH, O=x, CN=other root", .kind = CA},
    twin = {.subject = "C=CH, O=x, CN=root", .kind = CA},
    sub1 = {.subject = "CN=sub1", .issuer = &root, .kind = CA},
    sub2 = {.subject = "CN=sub2", .issuer = &sub1, .kind = CA},
    sub3 = {.subject = "CN=sub3", .issuer = &sub2, .kind = CA},
    pathlen0 = {.subject = "CN=pathlen0",
		.issuer = &root,
		.kind = CA,
		.ext = {{"basicConstraints", "critical,CA:TRUE,pathlen:0"}}},
    below = {.subject = "CN=below", .issuer = &pathlen0, .kind = CA},
    expired_ca = {.subject = "CN=expired",
		  .issuer = &root,
		  .kind = CA,
		  .from = -9 * DAY,
		  .to = -DAY},
    no_ca = {.subject = "CN=no CA", .issuer = &root},
    no_basic = {.subject = "CN=no basic", .issuer = &root, .ext = {{"keyUsage", "keyCertSign"}}},
    no_certsign = {.subject = "CN=no certsign",
		   .issuer = &root,
		   .kind = CA,
		   .ext = {{"keyUsage", "digitalSignature"}}},
    v1_ca = {.subject = "CN=v1", .issuer = &root, .kind = V1},
    narrow = {.subject = "CN=narrow",
	      .issuer = &root,
	      .kind = CA,
	      .ext = {{"nameConstraints",
		       "critical,permitted;DNS:example.org,permitted;email:.example.org,"
		       "excluded;DNS:bad.example.org,permitted;IP:10.0.0.0/255.0.0.0"}}},
    policies = {.subject = "CN=policies",
		.issuer = &root,
		.kind = CA,
		.ext = {{"policyConstraints", "critical,requireExplicitPolicy:0"}}},
    weak_ca = {.subject = "CN=weak", .issuer = &root, .kind = CA, .rsa = 1024},
    e3_ca = {.subject = "CN=e3", .issuer = &root, .kind = CA, .rsa = 2048, .e = 3},
    strange_ca = {.subject = "CN=strange",
		  .issuer = &root,
		  .kind = CA,
		  .ext = {{"1.2.3.4", "critical,ASN1:UTF8String:what is this"}}};

/* The authorities in the order in which they can be made. */
static struct pki *const cas[] = {
    &root,  &other,    &twin,	     &sub1,  &sub2,   &sub3,	 &pathlen0, &below, &expired_ca,
    &no_ca, &no_basic, &no_certsign, &v1_ca, &narrow, &policies, &weak_ca,  &e3_ca, &strange_ca};

static struct cred *cred;

static struct cred_verdict judge(struct pki *leaf, const struct pki_peer *how)
{
	struct pki_peer p = *how;
	struct cred_verdict v;

	pki_make(leaf);
	p.leaf = leaf;
	v = pki_judge(cred, &p);
	cred_check_free(p.check);
	pki_drop(leaf);
	return v;
}

static void expect(const char *what, struct cred_verdict v, int error, const char *text)
{
	if (v.error != error || !strstr(v.text, text))
		fail_msg("%s: %d '%s' instead of %d '%s'", what, v.error, v.text, error, text);
	assert_true(strlen(v.text) > 0);
}

#define SAN(v)                                                                                     \
	{                                                                                          \
		"subjectAltName", v                                                                \
	}

static void chains(void **state)
{
	static const struct {
		const char *what;
		struct pki leaf;
		struct pki_peer peer;
		int error;
		const char *text;
	} t[] = {
	    {"no intermediate", {.subject = "CN=a", .issuer = &root}, {0}, 0, "CN=root"},
	    {"root sent too", {.subject = "CN=a", .issuer = &root}, {.chain = {&root}}, 0, ""},
	    {"one", {.subject = "CN=a", .issuer = &sub1}, {.chain = {&sub1}}, 0, ""},
	    {"two", {.subject = "CN=a", .issuer = &sub2}, {.chain = {&sub1, &sub2}}, 0, ""},
	    {"three",
	     {.subject = "CN=a", .issuer = &sub3},
	     {.chain = {&sub3, &sub2, &sub1}},
	     0,
	     ""},
	    {"any order, and more than needed",
	     {.subject = "CN=a", .issuer = &sub2},
	     {.chain = {&other, &sub1, &sub3, &sub2, &twin}},
	     0,
	     ""},
	    {"one is missing",
	     {.subject = "CN=a", .issuer = &sub3},
	     {.chain = {&sub3, &sub1}},
	     -EACCES,
	     "unable to get local issuer"},
	    {"none is sent",
	     {.subject = "CN=a", .issuer = &sub1},
	     {0},
	     -EACCES,
	     "unable to get local issuer"},
	    {"a CA that is not trusted",
	     {.subject = "CN=a", .issuer = &other},
	     {.chain = {&other}},
	     -EACCES,
	     "self-signed certificate in"},
	    {"a CA that has the same name",
	     {.subject = "CN=a", .issuer = &twin},
	     {.chain = {&twin}},
	     -EACCES,
	     "signature failure"},
	    {"self-signed", {.subject = "CN=a"}, {0}, -EACCES, "self-signed"},
	    {"expired",
	     {.subject = "CN=a", .issuer = &root, .from = -9 * DAY, .to = -60},
	     {0},
	     -EACCES,
	     "expired"},
	    {"expires while we look",
	     {.subject = "CN=a", .issuer = &root, .to = 60},
	     {.now = 120},
	     -EACCES,
	     "expired"},
	    {"not yet valid",
	     {.subject = "CN=a", .issuer = &root, .from = 3600},
	     {0},
	     -EACCES,
	     "not yet valid"},
	    {"not yet valid, but then",
	     {.subject = "CN=a", .issuer = &root, .from = 3600},
	     {.now = 7200},
	     0,
	     ""},
	    {"expired CA",
	     {.subject = "CN=a", .issuer = &expired_ca},
	     {.chain = {&expired_ca}},
	     -EACCES,
	     "expired"},
	    {"issued by a leaf",
	     {.subject = "CN=a", .issuer = &no_ca},
	     {.chain = {&no_ca}},
	     -EACCES,
	     "invalid CA"},
	    {"issuer without basicConstraints",
	     {.subject = "CN=a", .issuer = &no_basic},
	     {.chain = {&no_basic}},
	     -EACCES,
	     "invalid CA"},
	    {"issuer that may not sign",
	     {.subject = "CN=a", .issuer = &no_certsign},
	     {.chain = {&no_certsign}},
	     -EACCES,
	     ""},
	    {"issuer of version 1",
	     {.subject = "CN=a", .issuer = &v1_ca},
	     {.chain = {&v1_ca}},
	     -EACCES,
	     "invalid CA"},
	    {"path length kept",
	     {.subject = "CN=a", .issuer = &pathlen0},
	     {.chain = {&pathlen0}},
	     0,
	     ""},
	    {"path length exceeded",
	     {.subject = "CN=a", .issuer = &below},
	     {.chain = {&below, &pathlen0}},
	     -EACCES,
	     "path length"},
	    {"unknown critical extension",
	     {.subject = "CN=a", .issuer = &root, .ext = {{"1.2.3.4", "critical,ASN1:NULL"}}},
	     {0},
	     -EACCES,
	     "critical extension"},
	    {"unknown extension",
	     {.subject = "CN=a", .issuer = &root, .ext = {{"1.2.3.4", "ASN1:NULL"}}},
	     {0},
	     0,
	     ""},
	    {"unknown critical extension in a CA",
	     {.subject = "CN=a", .issuer = &strange_ca},
	     {.chain = {&strange_ca}},
	     -EACCES,
	     "critical extension"},
	    {"a CA that wants a policy",
	     {.subject = "CN=a", .issuer = &policies},
	     {.chain = {&policies}},
	     -EACCES,
	     "policy"},
	    {"SHA-1", {.subject = "CN=a", .issuer = &root, .digest = "SHA1"}, {0}, -EACCES, "weak"},
	    {"RSA 1024 in a CA",
	     {.subject = "CN=a", .issuer = &weak_ca},
	     {.chain = {&weak_ca}},
	     -EACCES,
	     "key too weak"},
	    {"e = 3 in a CA",
	     {.subject = "CN=a", .issuer = &e3_ca},
	     {.chain = {&e3_ca}},
	     -EKEYREJECTED,
	     "exponent"},
	    {"RSA 1024",
	     {.subject = "CN=a", .issuer = &root, .rsa = 1024},
	     {0},
	     -EKEYREJECTED,
	     "2048"},
	    {"e = 3",
	     {.subject = "CN=a", .issuer = &root, .rsa = 2048, .e = 3},
	     {0},
	     -EKEYREJECTED,
	     "exponent"},
	    {"RSA", {.subject = "CN=a", .issuer = &root, .rsa = 2048}, {0}, 0, "RSA-PSS"},
	    {"P-384", {.subject = "CN=a", .issuer = &root, .group = "P-384"}, {0}, 0, "SHA-384"},
	    {"Ed25519",
	     {.subject = "CN=a", .issuer = &root, .group = "ED25519"},
	     {0},
	     0,
	     "Ed25519"},
	    {"Ed448", {.subject = "CN=a", .issuer = &root, .group = "ED448"}, {0}, 0, "Ed448"},
	    {"brainpool",
	     {.subject = "CN=a", .issuer = &root, .group = "brainpoolP384r1"},
	     {0},
	     0,
	     ""},
	    {"secp256k1",
	     {.subject = "CN=a", .issuer = &root, .group = "secp256k1"},
	     {0},
	     -ENOTSUP,
	     "curve"},
	    /* usage */
	    {"may sign",
	     {.subject = "CN=a",
	      .issuer = &root,
	      .ext = {{"keyUsage", "critical,digitalSignature"}}},
	     {0},
	     0,
	     ""},
	    {"nonRepudiation",
	     {.subject = "CN=a", .issuer = &root, .ext = {{"keyUsage", "critical,nonRepudiation"}}},
	     {0},
	     0,
	     ""},
	    {"may encrypt alone",
	     {.subject = "CN=a",
	      .issuer = &root,
	      .ext = {{"keyUsage", "critical,keyEncipherment"}}},
	     {0},
	     -EACCES,
	     "key usage"},
	    {"IPsec",
	     {.subject = "CN=a",
	      .issuer = &root,
	      .ext = {{"extendedKeyUsage", "1.3.6.1.5.5.7.3.17"}}},
	     {0},
	     0,
	     ""},
	    {"any usage",
	     {.subject = "CN=a",
	      .issuer = &root,
	      .ext = {{"extendedKeyUsage", "codeSigning,anyExtendedKeyUsage"}}},
	     {0},
	     0,
	     ""},
	    {"TLS server",
	     {.subject = "CN=a", .issuer = &root, .ext = {{"extendedKeyUsage", "serverAuth"}}},
	     {0},
	     0,
	     ""},
	    {"code",
	     {.subject = "CN=a",
	      .issuer = &root,
	      .ext = {{"extendedKeyUsage", "critical,codeSigning"}}},
	     {0},
	     -EACCES,
	     "extended key usage"},
	    {"OCSP",
	     {.subject = "CN=a", .issuer = &root, .ext = {{"extendedKeyUsage", "OCSPSigning"}}},
	     {0},
	     -EACCES,
	     "extended key usage"},
	    /* name constraints */
	    {"inside",
	     {.subject = "CN=a", .issuer = &narrow, .ext = {SAN("DNS:gw.example.org")}},
	     {.chain = {&narrow}},
	     0,
	     ""},
	    {"inside, upper case",
	     {.subject = "CN=a", .issuer = &narrow, .ext = {SAN("DNS:GW.EXAMPLE.ORG")}},
	     {.chain = {&narrow}},
	     0,
	     ""},
	    {"outside",
	     {.subject = "CN=a", .issuer = &narrow, .ext = {SAN("DNS:gw.example.com")}},
	     {.chain = {&narrow}},
	     -EACCES,
	     "permitted subtree"},
	    {"excluded",
	     {.subject = "CN=a", .issuer = &narrow, .ext = {SAN("DNS:x.bad.example.org")}},
	     {.chain = {&narrow}},
	     -EACCES,
	     "excluded subtree"},
	    {"excluded, upper case",
	     {.subject = "CN=a", .issuer = &narrow, .ext = {SAN("DNS:x.BAD.example.ORG")}},
	     {.chain = {&narrow}},
	     -EACCES,
	     "excluded subtree"},
	    {"address outside",
	     {.subject = "CN=a", .issuer = &narrow, .ext = {SAN("IP:192.0.2.1")}},
	     {.chain = {&narrow}},
	     -EACCES,
	     "permitted subtree"},
	    {"mail outside",
	     {.subject = "CN=a", .issuer = &narrow, .ext = {SAN("email:a@example.com")}},
	     {.chain = {&narrow}},
	     -EACCES,
	     "permitted subtree"},
	    {"mail inside",
	     {.subject = "CN=a", .issuer = &narrow, .ext = {SAN("email:a@Mail.Example.org")}},
	     {.chain = {&narrow}},
	     0,
	     ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		struct pki leaf = t[i].leaf;
		struct cred_verdict v = judge(&leaf, &t[i].peer);

		expect(t[i].what, v, t[i].error, t[i].text);
		assert_true(v.error || (v.subject[0] && v.ca[0] && v.not_after > time(NULL)));
	}
}

static void identities(void **state)
{
	static const char names[] =
	    "DNS:gw.example.org,email:a@example.org,IP:192.0.2.1,IP:2001:db8::1";
	static const struct {
		const char *id;
		int error;
	} t[] = {
	    {"C=CH, O=x, CN=gw.other", 0},
	    {"c=ch, o=X, cn=GW.OTHER", 0},
	    {"C=CH, O=x, CN=gw", -EACCES},
	    {"CN=gw.other", -EACCES},
	    {"gw.example.org", 0},
	    {"GW.Example.ORG", 0},
	    {"w.example.org", -EACCES},
	    {"gw.example.org.", -EACCES},
	    {"example.org", -EACCES},
	    {"gw.other", -EACCES}, /* the CN is no host name */
	    {"a@example.org", 0},
	    {"b@example.org", -EACCES},
	    {"fqdn:a@example.org", -EACCES},
	    {"email:gw.example.org", -EACCES},
	    {"192.0.2.1", 0},
	    {"192.0.2.2", -EACCES},
	    {"2001:db8::1", 0},
	    {"2001:db8::2", -EACCES},
	    {"fqdn:192.0.2.1", -EACCES},
	    {"keyid:gw.example.org", -EACCES},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		struct pki leaf = {
		    .subject = "C=CH, O=x, CN=gw.other", .issuer = &root, .ext = {SAN(names)}};
		struct pki_peer p = {.id = t[i].id};

		expect(t[i].id, judge(&leaf, &p), t[i].error,
		       t[i].error ? "does not carry the identity" : "");
	}
}

/* A certificate's own wildcard is a name like others; embedded NULs end nothing. */
static void identity_tricks(void **state)
{
	static const struct {
		const char *san, *id;
		int error;
	} t[] = {
	    {"DNS:*.example.org", "gw.example.org", -EACCES},
	    {"dirName:dn", "CN=alt", 0},
	    {"otherName:1.2.3.4;UTF8:gw.example.org", "gw.example.org", -EACCES},
	    {"URI:http://gw.example.org", "gw.example.org", -EACCES},
	};
	static const uint8_t nul[] = "gw.example.org\0.evil.example";
	struct pki leaf = {.subject = "CN=a", .issuer = &root};
	struct pki_peer p = {.id = "gw.example.org", .leaf = &leaf};
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *g = GENERAL_NAME_new();
	ASN1_IA5STRING *s = ASN1_IA5STRING_new();

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		struct pki one = {.subject = "CN=a", .issuer = &root, .ext = {SAN(t[i].san)}};
		struct pki_peer how = {.id = t[i].id};

		expect(t[i].san, judge(&one, &how), t[i].error, "");
	}
	ASN1_STRING_set(s, nul, sizeof(nul) - 1);
	GENERAL_NAME_set0_value(g, GEN_DNS, s);
	sk_GENERAL_NAME_push(names, g);
	pki_make(&leaf);
	X509_add1_ext_i2d(leaf.x, NID_subject_alt_name, names, 0, 0);
	assert_true(X509_sign(leaf.x, root.key, EVP_sha256()) > 0);
	expect("NUL", pki_judge(cred, &p), -EACCES, "");
	cred_check_free(p.check);
	GENERAL_NAMES_free(names);
	pki_drop(&leaf);
}

static void rules(void **state)
{
	static const struct {
		const char *what;
		struct pki leaf;
		struct cred_rules rules;
		struct pki_peer peer;
		int error;
		const char *text;
	} t[] = {
	    {"named CA", {.subject = "CN=a", .issuer = &root}, {.cacerts = "root.pem"}, {0}, 0, ""},
	    {"another is named",
	     {.subject = "CN=a", .issuer = &root},
	     {.cacerts = "named.pem"},
	     {0},
	     -EACCES,
	     "`cacerts`"},
	    {"an intermediate is named",
	     {.subject = "CN=a", .issuer = &sub1},
	     {.cacerts = "sub1.pem"},
	     {0},
	     0,
	     ""},
	    {"below another intermediate",
	     {.subject = "CN=a", .issuer = &root},
	     {.cacerts = "sub1.pem"},
	     {0},
	     -EACCES,
	     "`cacerts`"},
	    {"trusted where it is named",
	     {.subject = "CN=a", .issuer = &other},
	     {.cacerts = "root.pem,/PATH/other.pem"},
	     {0},
	     0,
	     ""},
	    {"not trusted where it is not",
	     {.subject = "CN=a", .issuer = &other},
	     {.cacerts = "root.pem"},
	     {.chain = {&other}},
	     -EACCES,
	     "self-signed"},
	    {"pinned leaf",
	     {.subject = "CN=a", .issuer = &root},
	     {.certs = "leaf.pem"},
	     {0},
	     -EACCES,
	     "`certs`"},
	    {"policy",
	     {.subject = "CN=a",
	      .issuer = &root,
	      .ext = {{"certificatePolicies", "1.2.3.4,1.2.3.5"}}},
	     {.cert_policy = "1.2.3.5, 1.2.3.4"},
	     {0},
	     0,
	     ""},
	    {"a policy is missing",
	     {.subject = "CN=a", .issuer = &root, .ext = {{"certificatePolicies", "1.2.3.4"}}},
	     {.cert_policy = "1.2.3.4,1.2.3.5"},
	     {0},
	     -EACCES,
	     "cert_policy"},
	    {"no policy",
	     {.subject = "CN=a", .issuer = &root},
	     {.cert_policy = "1.2.3.4"},
	     {0},
	     -EACCES,
	     "cert_policy"},
	    {"weak for the rule",
	     {.subject = "CN=a", .issuer = &root},
	     {.sig = {.ec_min = 384}},
	     {0},
	     -EKEYREJECTED,
	     "not allowed"},
	    {"another type",
	     {.subject = "CN=a", .issuer = &root},
	     {.sig = {.keys = 1 << SIG_KEY_RSA}},
	     {0},
	     -EKEYREJECTED,
	     "not allowed"},
	    {"another scheme",
	     {.subject = "CN=a", .issuer = &root},
	     {.sig = {.schemes = 1 << SIG_ECDSA_SHA384}},
	     {0},
	     -EKEYREJECTED,
	     "not allowed"},
	    {"scheme of the chain",
	     {.subject = "CN=a", .issuer = &root},
	     {.cert_sig = {.schemes = 1 << SIG_ECDSA_SHA384}},
	     {0},
	     -EKEYREJECTED,
	     "signed by a scheme"},
	    {"scheme of the chain, fitting",
	     {.subject = "CN=a", .issuer = &root, .digest = "SHA384"},
	     {.cert_sig = {.schemes = 1 << SIG_ECDSA_SHA384}},
	     {0},
	     0,
	     ""},
	    {"keys of the chain",
	     {.subject = "CN=a", .issuer = &root, .group = "P-384"},
	     {.cert_sig = {.ec_min = 384}},
	     {0},
	     -EKEYREJECTED,
	     ""},
	    {"raw keys alone",
	     {.subject = "CN=a", .issuer = &root},
	     {.pubkeys = "key.pem"},
	     {0},
	     -EACCES,
	     "`pubkeys` alone"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		struct pki leaf = t[i].leaf;
		struct cred_rules r = t[i].rules;
		struct pki_peer p = t[i].peer;
		char *at = strstr(r.cacerts, "/PATH");

		if (at) {
			*at = '\0';
			snprintf(at, sizeof(r.cacerts) - (size_t)(at - r.cacerts), "%s",
				 pki_path("other.pem"));
		}
		p.rules = &r;
		expect(t[i].what, judge(&leaf, &p), t[i].error, t[i].text);
	}
}

static void ca_ids(void **state)
{
	static const struct {
		const char *id;
		int error;
	} t[] = {{"CN=sub1", 0},   {"C=CH, O=x, CN=root", 0}, {"C=CH, O=*, CN=root", 0},
		 {"CN=*", 0},	   {"CN=sub2", -EACCES},      {"C=CH, O=x, CN=a", -EACCES},
		 {"root", -EACCES}};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		struct pki leaf = {.subject = "C=CH, O=x, CN=a", .issuer = &sub1};
		struct cred_rules r = {0};
		struct pki_peer p = {.rules = &r};

		assert_int_equal(conf_id_parse_pattern(t[i].id, &r.ca_id), 0);
		expect(t[i].id, judge(&leaf, &p), t[i].error, t[i].error ? "`ca_id`" : "");
	}
}

/* What the peer sends besides a right chain. */
static void payloads(void **state)
{
	static const uint8_t garbage[300] = {0x30, 0x82, 0x01, 0x28};
	struct pki leaf = {.subject = "CN=a", .issuer = &root};
	struct cred_rules none = {0};
	struct rev_cache *cache = rev_cache_new();
	uint8_t auth[SIG_AUTH_MAX], trailing[8192];
	struct ike_cert_pl cert[IKE_CERTS_MAX];
	struct cred_peer p = {.cert = cert, .n_certs = 1, .method = 14, .rules = &none};
	struct cred_check *k;
	struct conf_id id;
	size_t n;

	(void)state;
	pki_make(&leaf);
	pki_sign(leaf.key, auth, &n);
	conf_id_parse("CN=a", &id);
	p.id = conf_id_view(&id);
	for (int i = 0; i < 11; i++) {
		static const struct {
			int error;
			const char *text;
		} want[] = {{0, ""},
			    {-EBADMSG, "no certificate"},
			    {-EBADMSG, "no certificate"},
			    {-EBADMSG, "no certificate"},
			    {-EBADMSG, "signature"},
			    {-EBADMSG, "malformed AUTH"},
			    {-ENOTSUP, "not supported"},
			    {-EACCES, "hash and URL"},
			    {-EACCES, "at hand"},
			    {-EBADMSG, "no certificate"},
			    {-EBADMSG, "does not fit"}};
		struct slice der = pki_der(leaf.x);

		cert[0] = (struct ike_cert_pl){CERT_X509, der};
		p.n_certs = 1;
		p.auth = slice_of(auth, n);
		p.method = 14;
		p.octets = slice_of(pki_octets, sizeof(pki_octets));
		memcpy(trailing, der.p, der.n);
		trailing[der.n] = 0;
		if (i == 1)
			cert[0].data = slice_of(garbage, sizeof(garbage));
		if (i == 2)
			cert[0].data = slice_of(NULL, 0);
		if (i == 3)
			cert[0].data = slice_of(trailing, der.n + 1);
		if (i == 4)
			p.octets.n--;
		if (i == 5)
			p.auth.n = 0;
		if (i == 6)
			p.method = 2;
		if (i == 7)
			cert[0].encoding = 12;
		if (i == 8)
			p.n_certs = 0;
		if (i == 9) {
			cert[1] = (struct ike_cert_pl){CERT_X509, slice_of(garbage, 5)};
			p.n_certs = 2;
		}
		if (i == 10)
			p.method = 1;
		k = cred_check_new(cred, cache, &p);
		assert_non_null(k);
		cred_check_run(k);
		expect("payloads", k->verdict, want[i].error, want[i].text);
		cred_check_free(k);
	}
	p.n_certs = IKE_CERTS_MAX + 1;
	assert_null(cred_check_new(cred, cache, &p));
	rev_cache_unref(cache);
	pki_drop(&leaf);
}

/* Keys and certificates that the peer need not send. */
static void at_hand(void **state)
{
	static struct pki known = {.subject = "CN=known", .issuer = &root},
			  self = {.subject = "CN=self"}, stranger = {.subject = "CN=known"};
	struct cred *before = cred;
	struct cred_rules named = {.certs = "self.pem"}, raw = {.pubkeys = "one.pem, two.pem"};
	struct pki_peer p = {.leaf = &known, .no_cert = true};
	struct ike_cert_pl pl = {.encoding = CERT_RAW_PUBLIC_KEY};
	struct cred_peer peer = {.cert = &pl, .n_certs = 1, .method = 14, .rules = &raw};
	struct rev_cache *cache = rev_cache_new();
	uint8_t auth[SIG_AUTH_MAX], spki[1024], *at = spki;
	struct cred_check *k;
	struct conf_id id;
	size_t n;

	(void)state;
	pki_make(&known);
	pki_make(&self);
	pki_make(&stranger);
	pki_put("x509/known.pem", &known);
	pki_put("x509/self.pem", &self);
	pki_put_pubkey("pubkey/one.pem", known.key);
	pki_put_pubkey("pubkey/two.pem", self.key);
	cred = pki_load();
	expect("by identity", pki_judge(cred, &p), 0, "CN=known");
	p.leaf = &stranger;
	expect("another key", pki_judge(cred, &p), -EBADMSG, "signature");
	p.leaf = &self;
	p.rules = &named;
	expect("named, self-signed", pki_judge(cred, &p), 0, "CN=self");
	p.no_cert = false;
	expect("the same, sent", pki_judge(cred, &p), 0, "CN=self");
	p.now = 31 * DAY;
	expect("the same, expired", pki_judge(cred, &p), -EACCES, "expired");
	p.now = 0;
	p.leaf = &known;
	expect("another than named", pki_judge(cred, &p), -EACCES, "`certs`");
	/* raw public keys: configured and not sent, sent, sent by a stranger */
	p.rules = &raw;
	p.no_cert = true;
	p.id = "gw.example";
	expect("raw", pki_judge(cred, &p), 0, "one.pem");
	p.leaf = &self;
	expect("raw, the second", pki_judge(cred, &p), 0, "two.pem");
	p.leaf = &stranger;
	expect("raw, a stranger", pki_judge(cred, &p), -EBADMSG, "signature");
	for (int i = 0; i < 3; i++) {
		static const struct pki *const who[] = {&known, &stranger, &known};

		at = spki;
		pl.data = slice_of(spki, (size_t)i2d_PUBKEY(who[i]->key, &at));
		if (i == 2)
			pl.data.n--;
		pki_sign(who[i]->key, auth, &n);
		peer.auth = slice_of(auth, n);
		peer.octets = slice_of(pki_octets, sizeof(pki_octets));
		conf_id_parse("gw.example", &id);
		peer.id = conf_id_view(&id);
		k = cred_check_new(cred, cache, &peer);
		cred_check_run(k);
		expect("raw, sent", k->verdict, i ? -EACCES : 0, i ? "`pubkeys`" : "one.pem");
		cred_check_free(k);
	}
	cred_check_free(p.check);
	rev_cache_unref(cache);
	cred_unref(cred);
	cred = before;
	pki_drop(&known);
	pki_drop(&self);
	pki_drop(&stranger);
}

static struct pki own_leaf = {.subject = "C=CH, O=x, CN=me",
			      .issuer = &sub2,
			      .ext = {SAN("DNS:me.example")}},
		  own_old = {.subject = "C=CH, O=x, CN=me",
			     .issuer = &sub2,
			     .from = -9 * DAY,
			     .to = -DAY,
			     .ext = {SAN("DNS:me.example")}},
		  own_other = {.subject = "C=CH, O=x, CN=me too",
			       .issuer = &sub1,
			       .ext = {SAN("DNS:me.example")}};

static bool key_is_not(void *ctx, const uint8_t id[SIG_KEY_ID_LEN])
{
	return memcmp(ctx, id, SIG_KEY_ID_LEN) != 0;
}

static void own(void **state)
{
	struct cred_rules local = {0};
	uint8_t hashes[20 * 8], sub1_hash[20];
	struct ike_cert_pl req = {CERT_X509, {0}};
	char text[CRED_TEXT_MAX];
	struct cred_own o;
	struct conf_id id;
	struct cred *c;
	int64_t now = time(NULL);
	size_t n;

	(void)state;
	pki_make(&own_leaf);
	pki_make(&own_old);
	pki_make(&own_other);
	pki_put("x509/1-old.pem", &own_old);
	pki_put("x509/2-me.pem", &own_leaf);
	pki_put("x509/3-me.pem", &own_other);
	pki_put("x509ca/sub2.pem", &sub2);
	c = pki_load();
	/* named */
	snprintf(local.certs, sizeof(local.certs), "2-me.pem");
	assert_int_equal(cred_own(c, &local, NULL, NULL, 0, now, NULL, NULL, &o, text), 0);
	assert_int_equal(o.encoding, CERT_X509);
	assert_int_equal(o.n_certs, 3); /* itself and two intermediates, not the root */
	assert_int_equal(o.cert[0].n, pki_der(own_leaf.x).n);
	assert_memory_equal(o.cert[2].p, pki_der(sub1.x).p, o.cert[2].n);
	assert_int_equal(o.id.type, ID_DER_ASN1_DN);
	conf_id_parse("me.example", &id);
	assert_int_equal(cred_own(c, &local, &id, NULL, 0, now, NULL, NULL, &o, text), 0);
	assert_int_equal(o.id.type, ID_FQDN);
	conf_id_parse("you.example", &id);
	assert_int_equal(cred_own(c, &local, &id, NULL, 0, now, NULL, NULL, &o, text), -ENOENT);
	assert_non_null(strstr(text, "does not carry the identity"));
	conf_id_parse("c=ch, o=X, cn=ME", &id);
	assert_int_equal(cred_own(c, &local, &id, NULL, 0, now, NULL, NULL, &o, text), 0);
	assert_int_equal(o.id.data.n, name_der(X509_get_subject_name(own_leaf.x)).n);
	assert_memory_equal(o.id.data.p, name_der(X509_get_subject_name(own_leaf.x)).p,
			    o.id.data.n);
	assert_int_equal(cred_own(c, &local, &id, NULL, 0, now, key_is_not, o.key.id, &o, text),
			 -ENOENT);
	assert_non_null(strstr(text, "private key"));
	/* by identity: the one that is valid; the one that the peer asks for */
	local.certs[0] = '\0';
	conf_id_parse("me.example", &id);
	assert_int_equal(cred_own(c, &local, &id, NULL, 0, now, NULL, NULL, &o, text), 0);
	assert_memory_equal(o.cert[0].p, pki_der(own_leaf.x).p, o.cert[0].n);
	assert_int_equal(cred_own(c, &local, &id, NULL, 0, now, key_is_not, o.key.id, &o, text), 0);
	assert_memory_equal(o.cert[0].p, pki_der(own_other.x).p, o.cert[0].n);
	conf_id_parse("nobody.example", &id);
	assert_int_equal(cred_own(c, &local, &id, NULL, 0, now, NULL, NULL, &o, text), -ENOENT);
	/* CERTREQ */
	n = cred_certreq(c, &local, hashes, sizeof(hashes));
	assert_true(n >= 60 && n % 20 == 0);
	assert_int_equal(cred_certreq(c, &local, hashes, 39), 20);
	assert_int_equal(cred_certreq(c, &local, hashes, 19), 0);
	snprintf(local.cacerts, sizeof(local.cacerts), "sub2.pem");
	assert_int_equal(cred_certreq(c, &local, hashes, sizeof(hashes)), 20);
	conf_id_parse("me.example", &id);
	req.data = slice_of(hashes, 20);
	assert_int_equal(cred_own(c, &local, &id, &req, 1, now, NULL, NULL, &o, text), 0);
	assert_memory_equal(o.cert[0].p, pki_der(own_leaf.x).p, o.cert[0].n);
	snprintf(local.cacerts, sizeof(local.cacerts), "sub1.pem");
	cred_certreq(c, &local, sub1_hash, sizeof(sub1_hash));
	req.data = slice_of(sub1_hash, 20);
	/* both chains go through sub1: the first valid one */
	assert_int_equal(cred_own(c, &local, &id, &req, 1, now, NULL, NULL, &o, text), 0);
	assert_memory_equal(o.cert[0].p, pki_der(own_leaf.x).p, o.cert[0].n);
	/* a raw key */
	pki_put_pubkey("pubkey/mine.pem", own_other.key);
	cred_unref(c);
	c = pki_load();
	snprintf(local.pubkeys, sizeof(local.pubkeys), "mine.pem");
	conf_id_parse("raw.example", &id);
	assert_false(cred_wants_raw(c, &(struct cred_rules){0}));
	assert_true(cred_wants_raw(c, &local));
	assert_int_equal(cred_own(c, &local, &id, NULL, 0, now, NULL, NULL, &o, text), 0);
	assert_int_equal(o.encoding, CERT_RAW_PUBLIC_KEY);
	assert_int_equal(o.n_certs, 1);
	assert_int_equal(o.id.type, ID_FQDN);
	cred_unref(c);
	unlink(pki_path("x509ca/sub2.pem"));
	pki_drop(&own_leaf);
	pki_drop(&own_old);
	pki_drop(&own_other);
}

static int setup(void **state)
{
	(void)state;
	pki_open();
	for (size_t i = 0; i < sizeof(cas) / sizeof(*cas); i++)
		pki_make(cas[i]);
	pki_put("x509ca/root.pem", &root);
	pki_put("x509ca/sub1.pem", &sub1);
	unlink(pki_path("x509ca/sub1.pem"));
	return 0;
}

/* The snapshots of the tests below have the root alone, so that what is missing is missing. */
static int setup_chains(void **state)
{
	(void)state;
	pki_text("swanctl.conf", "");
	cred = pki_load();
	return 0;
}

static int setup_rules(void **state)
{
	struct pki named = {.subject = "CN=named", .kind = CA}, leaf = {.subject = "CN=pin"};
	char text[600];

	(void)state;
	pki_make(&named);
	pki_make(&leaf);
	pki_put("x509ca/named.pem", &named);
	pki_put("x509/leaf.pem", &leaf);
	pki_put("x509ca/sub1.pem", &sub1);
	pki_put("other.pem", &other);
	pki_put_pubkey("pubkey/key.pem", leaf.key);
	snprintf(text, sizeof(text), "connections { a { remote { cacerts = root.pem, %s } } }\n",
		 pki_path("other.pem"));
	pki_text("swanctl.conf", text);
	pki_drop(&named);
	pki_drop(&leaf);
	cred = pki_load();
	return 0;
}

static int unset(void **state)
{
	(void)state;
	cred_unref(cred);
	cred = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cas) / sizeof(*cas); i++)
		pki_drop(cas[i]);
	pki_close();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(chains, setup_chains, unset),
	    cmocka_unit_test_setup_teardown(identities, setup_chains, unset),
	    cmocka_unit_test_setup_teardown(identity_tricks, setup_chains, unset),
	    cmocka_unit_test_setup_teardown(payloads, setup_chains, unset),
	    cmocka_unit_test_setup_teardown(rules, setup_rules, unset),
	    cmocka_unit_test_setup_teardown(ca_ids, setup_rules, unset),
	    cmocka_unit_test_setup_teardown(at_hand, setup_chains, unset),
	    cmocka_unit_test_setup_teardown(own, setup_chains, unset),
	};

	if (sig_init())
		return 1;
	return cmocka_run_group_tests_name("cred_path", tests, setup, teardown);
}
