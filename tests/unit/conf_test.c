// SPDX-License-Identifier: BSD-2-Clause
#include "conf_env.h"

static void empty(void **state)
{
	static const char *const texts[] = {
	    "", "connections { }", "connections { }\nsecrets { }\npools { }\nauthorities { }",
	    "connections { gw {\n" PSK "} }"};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct conf *c = good(texts[i]);

		assert_int_equal(c->n_conns, i == 3);
		assert_null(conf_find(c, "nosuch"));
		conf_free(c);
	}
	conf_free(NULL);
	conn_conf_unref(NULL);
}

static void defaults(void **state)
{
	struct conf *c = good("connections { gw {\n" PSK "children { net { } } } }");
	const struct conn_conf *gw = conf_find(c, "gw");
	const struct child_conf *net;

	(void)state;
	assert_non_null(gw);
	net = conn_child(gw, "net");
	assert_non_null(net);
	assert_null(conn_child(gw, "nosuch"));
	assert_string_equal(gw->file, "s.conf");
	assert_int_equal(gw->line, 1);
	assert_int_equal(net->line, 4);
	assert_int_equal(gw->n_local, 1);
	assert_int_equal(gw->n_remote, 1);
	assert_int_equal(gw->local[0].lo.family, 0);
	assert_int_equal(gw->local_port, 500);
	assert_int_equal(gw->remote_port, 500);
	assert_int_equal(gw->ike->n, 2);
	assert_int_equal(gw->local_id->type, 0);
	assert_false(gw->local_id->any);
	assert_true(gw->remote_id->any);
	assert_string_equal(gw->remote_id->text, "%any");
	assert_int_equal(gw->rekey_time, 4 * 3600);
	assert_int_equal(gw->reauth_time, 0);
	assert_int_equal(gw->over_time, 1440);
	assert_int_equal(gw->rand_time, 1440);
	assert_int_equal(gw->dpd_delay, 0);
	assert_int_equal(gw->keyingtries, 1);
	assert_int_equal(gw->send_cert, CONF_SEND_CERT_IFASKED);
	assert_true(gw->send_certreq);
	assert_int_equal(gw->unique, CONF_UNIQUE_NO);
	assert_int_equal(gw->childless, CONF_CHILDLESS_ALLOW);
	assert_int_equal(gw->fragmentation, CONF_FRAG_YES);
	assert_true(gw->mobike);
	assert_false(gw->encap);
	assert_int_equal(gw->dscp, 0);

	assert_int_equal(net->proposals->n, 2);
	assert_true(net->local_dynamic && net->remote_dynamic);
	assert_int_equal(net->local_ts->n, 1);
	assert_int_equal(net->local_ts->ts[0].lo.family, 0);
	assert_int_equal(net->local_ts->ts[0].port_hi, 65535);
	assert_int_equal(net->mode, CONF_MODE_TUNNEL);
	assert_int_equal(net->rekey_time, 3600);
	assert_int_equal(net->life_time, 3960);
	assert_int_equal(net->rand_time, 360);
	assert_int_equal(net->rekey_bytes + net->life_bytes + net->rand_bytes, 0);
	assert_int_equal(net->rekey_packets + net->life_packets + net->rand_packets, 0);
	assert_int_equal(net->start_action, CONF_ACTION_NONE);
	assert_int_equal(net->close_action, CONF_ACTION_NONE);
	assert_int_equal(net->dpd_action, CONF_DPD_CLEAR);
	assert_int_equal(net->replay_window, 32);
	assert_true(net->copy_df && net->copy_ecn && net->copy_dscp_out && !net->copy_dscp_in);
	assert_int_equal(net->tfc_padding, 0);
	conf_free(c);
}

static void everything(void **state)
{
	struct conf *c = good(
	    "connections { gw {\n"
	    " version = 2\n local_addrs = 192.0.2.1, 2001:db8::1\n remote_addrs = gw.example, "
	    "10.0.0.0/8\n"
	    " local_port = 501\n remote_port = 502\n proposals = aes128gcm16-x25519, default\n"
	    " dscp = 101110\n encap = yes\n mobike = no\n dpd_delay = 30s\n fragmentation = accept\n"
	    " childless = never\n send_certreq = no\n send_cert = always\n keyingtries = 0\n"
	    " unique = replace\n reauth_time = 0\n rekey_time = 5h\n over_time = 1h\n rand_time "
	    "= 30m\n"
	    " local-1 {\n auth = psk\n id = a@b.c\n round = 1\n }\n"
	    " remote-1 {\n auth = psk\n id = gw.example\n }\n"
	    " children { net {\n"
	    "  esp_proposals = aes256-sha256-modp2048\n  local_ts = 10.1.0.0/24, dynamic[tcp/80]\n"
	    "  remote_ts = 10.2.0.0/24[udp/53]\n  rekey_time = 100\n  life_time = 200\n  rand_time "
	    "= 50\n"
	    "  rekey_bytes = 1g\n  rekey_packets = 1000\n  life_packets = 2000\n  rand_packets = "
	    "0\n"
	    "  mode = tunnel\n  start_action = trap|start\n  close_action = trap\n  dpd_action = "
	    "restart\n"
	    "  inactivity = 0\n  reqid = 7\n  priority = 8\n  replay_window = 4096\n  copy_df = "
	    "no\n"
	    "  copy_ecn = no\n  copy_dscp = in\n  tfc_padding = 1200\n }\n"
	    " other { mode = drop } third { mode = pass } }\n} }");
	const struct conn_conf *gw = conf_find(c, "gw");
	const struct child_conf *net = conn_child(gw, "net");

	(void)state;
	assert_int_equal(gw->n_local, 2);
	assert_int_equal(gw->n_remote, 2);
	assert_string_equal(gw->remote[0].host, "gw.example");
	assert_int_equal(gw->local_port, 501);
	assert_int_equal(gw->remote_port, 502);
	assert_int_equal(gw->ike->n, 3);
	assert_int_equal(gw->dscp, 46);
	assert_true(gw->encap);
	assert_false(gw->mobike);
	assert_int_equal(gw->dpd_delay, 30);
	assert_int_equal(gw->fragmentation, CONF_FRAG_ACCEPT);
	assert_int_equal(gw->childless, CONF_CHILDLESS_NEVER);
	assert_int_equal(gw->keyingtries, 0);
	assert_int_equal(gw->send_cert, CONF_SEND_CERT_ALWAYS);
	assert_false(gw->send_certreq);
	assert_int_equal(gw->unique, CONF_UNIQUE_REPLACE);
	assert_int_equal(gw->reauth_time, 0);
	assert_int_equal(gw->rekey_time, 18000);
	assert_int_equal(gw->over_time, 3600);
	assert_int_equal(gw->rand_time, 1800);
	assert_int_equal(gw->local_id->type, ID_RFC822_ADDR);
	assert_int_equal(gw->remote_id->type, ID_FQDN);
	assert_false(gw->remote_id->any);

	assert_int_equal(net->proposals->n, 1);
	assert_true(net->local_dynamic);
	assert_false(net->remote_dynamic);
	/* "dynamic" goes first. */
	assert_int_equal(net->local_ts->n, 2);
	assert_int_equal(net->local_ts->ts[0].lo.family, 0);
	assert_int_equal(net->local_ts->ts[0].port_lo, 80);
	assert_int_equal(net->local_ts->ts[1].lo.family, 4);
	assert_int_equal(net->rekey_time, 100);
	assert_int_equal(net->life_time, 200);
	assert_int_equal(net->rand_time, 50);
	assert_true(net->rekey_bytes == 1 << 30 && net->life_bytes == 1181116007);
	assert_int_equal(net->rand_bytes, net->life_bytes - net->rekey_bytes);
	assert_int_equal(net->rand_packets, 0);
	assert_int_equal(net->start_action, CONF_ACTION_TRAP_START);
	assert_int_equal(net->close_action, CONF_ACTION_TRAP);
	assert_int_equal(net->dpd_action, CONF_DPD_RESTART);
	assert_int_equal(net->inactivity, 0);
	assert_int_equal(net->reqid, 7);
	assert_int_equal(net->priority, 8);
	assert_int_equal(net->replay_window, 4096);
	assert_true(!net->copy_df && !net->copy_ecn && !net->copy_dscp_out && net->copy_dscp_in);
	assert_int_equal(net->tfc_padding, 1200);
	assert_int_equal(conn_child(gw, "other")->mode, CONF_MODE_DROP);
	assert_int_equal(conn_child(gw, "third")->mode, CONF_MODE_PASS);
	conf_free(c);
}

/* rekey, life and rand of a child as given and as derived. */
static void derived_limits(void **state)
{
	static const struct {
		const char *lines;
		uint64_t rekey, life, rand;
	} t[] = {
	    {"", 3600, 3960, 360},
	    {"rekey_time = 10m", 600, 660, 60},
	    {"life_time = 1h", 3273, 3600, 327},
	    {"rekey_time = 0", 0, 0, 0},
	    {"rekey_time = 0\nlife_time = 1h", 0, 3600, 0},
	    {"rekey_time = 1h\nlife_time = 0", 3600, 0, 0},
	    {"rekey_time = 3", 3, 4, 1},
	    {"rekey_time = 1", 1, 2, 0},
	    /* a random share of nearly all would rekey at once, again and again */
	    {"rekey_time = 10\nlife_time = 1h", 10, 3600, 5},
	    {"rand_time = 0", 3600, 3960, 0},
	    {"rand_time = 1h", 3600, 3960, 3600},
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		snprintf(text, sizeof(text), CHILD("%s"), t[i].lines);

		struct conf *c = good(text);
		const struct child_conf *net = conn_child(c->conn[0], "net");

		if (net->rekey_time != t[i].rekey || net->life_time != t[i].life ||
		    net->rand_time != t[i].rand)
			fail_msg("%s: %lu %lu %lu", t[i].lines, (unsigned long)net->rekey_time,
				 (unsigned long)net->life_time, (unsigned long)net->rand_time);
		conf_free(c);
	}
}

static void derived_times(void **state)
{
	static const struct {
		const char *lines;
		uint64_t rekey, reauth, over, rand;
	} t[] = {
	    {"", 14400, 0, 1440, 1440},
	    {"rekey_time = 1h", 3600, 0, 360, 360},
	    {"rekey_time = 0", 0, 0, 0, 0},
	    {"over_time = 5m", 14400, 0, 300, 300},
	    {"over_time = 0", 14400, 0, 0, 0},
	    {"rand_time = 0", 14400, 0, 1440, 0},
	    {"rekey_time = 5", 5, 0, 1, 1},
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		snprintf(text, sizeof(text), CONN("%s"), t[i].lines);

		struct conf *c = good(text);
		const struct conn_conf *gw = c->conn[0];

		if (gw->rekey_time != t[i].rekey || gw->reauth_time != t[i].reauth ||
		    gw->over_time != t[i].over || gw->rand_time != t[i].rand)
			fail_msg("%s: %lu %lu %lu %lu", t[i].lines, (unsigned long)gw->rekey_time,
				 (unsigned long)gw->reauth_time, (unsigned long)gw->over_time,
				 (unsigned long)gw->rand_time);
		conf_free(c);
	}
}

/* What people have in their files and what changes nothing. */
static void accepted_at_default(void **state)
{
	static const char *const texts[] = {
	    CONN("version = 0"),
	    CONN("aggressive = no"),
	    CONN("pull = yes"),
	    CONN("ocsp = reply"),
	    CONN("ppk_required = no"),
	    CONN("if_id_in = 0"),
	    CONN("if_id_out = 0x10"),
	    CONN("mediation = false"),
	    CONN("send_cert = never"),
	    CONN("dpd_timeout = 150s"),
	    CONN("vips ="),
	    CHILD("sha256_96 = no"),
	    CHILD("sha256_96 = yes"),
	    CHILD("mark_in = 0/0"),
	    CHILD("policies = yes"),
	    CHILD("hw_offload = no"),
	    CHILD("label_mode = system"),
	    CHILD("if_id_out = 0"),
	    CHILD("ipcomp = 0"),
	    CHILD("updown ="),
	    CHILD("close_action = start"),
	    CHILD("dpd_action = none"),
	    CHILD("dpd_action = start"),
	    CHILD("start_action = start|trap"),
	    CHILD("copy_dscp = no"),
	    CHILD("copy_dscp = yes"),
	    CONN("local_addrs = %any"),
	    ("connections { gw {\nlocal { auth = psk\nid = %any }\n"
	     "remote { auth = psk\nrevocation = relaxed\nround = 3 } } }"),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		conf_free(good(texts[i]));
}

static void mistakes(void **state)
{
	static const struct {
		const char *text, *want;
	} t[] = {
	    /* the top */
	    {"a = 1", "s.conf:1: a: a key outside of all sections"},
	    {"connection { }",
	     "s.conf:1: connection: unknown section; did you mean 'connections'?"},
	    {"template { }", "s.conf:1: template: unknown section"},
	    {"connections { gw = 1\n}",
	     "s.conf:1: connections.gw: a connection is a section: gw { ... }"},
	    {"pools { p { } }", "s.conf:1: pools.p: known, but not supported yet"},
	    {"pools { a = 1\n}", "s.conf:1: pools.a: known, but not supported yet"},
	    /* a connection */
	    {CONN("version = 1"), GW "version: IKEv1 is not supported"},
	    {CONN("version = 3"), GW "version: '3' is not allowed; it must be 2"},
	    {CONN("remote_adrs = x"), GW "remote_adrs: unknown key; did you mean 'remote_addrs'?"},
	    {CONN("childrn { }"), GW "childrn: unknown section; did you mean 'children'?"},
	    {CONN("local_addrs = 10.0.0.300"), GW "local_addrs: '10.0.0.300' is not an address, a "
						  "prefix, a range, %any or a name"},
	    {CONN("local_addrs = 10.0.0.1,"),
	     GW "local_addrs: '' is not an address, a prefix, a range, %any or a name"},
	    {CONN("remote_addrs = 1.1.1.1,1.1.1.2,1.1.1.3,1.1.1.4,1.1.1.5,1.1.1.6,1.1.1.7,1.1.1.8,"
		  "1.1.1.9"),
	     GW "remote_addrs: more than 8 addresses"},
	    {CONN("local_port = 65536"),
	     GW "local_port: '65536' is not allowed; it must be a number from 1 to 65535"},
	    {CONN("proposals = aes129gcm16-x25519"),
	     GW "proposals: 'aes129gcm16-x25519': 'aes129gcm16' is not a known algorithm; did you "
		"mean "
		"'aes128gcm16'?"},
	    {CONN("proposals = default, aes128"),
	     GW "proposals: 'aes128': 'aes128' needs an integrity algorithm such as sha256"},
	    {CONN("dscp = 46"),
	     GW "dscp: '46' is not allowed; it must be six binary digits such as "
		"101110"},
	    {CONN("dscp = 102000"),
	     GW "dscp: '102000' is not allowed; it must be six binary digits such "
		"as 101110"},
	    {CONN("encap = maybe"), GW "encap: 'maybe' is not allowed; it must be yes or no"},
	    {CONN("dpd_delay = 30x"),
	     GW "dpd_delay: '30x' is not allowed; it must be a time such as "
		"30s, 5m, 4h or 1d, from 0 to 31536000 seconds"},
	    {CONN("rekey_time = 4x"),
	     GW "rekey_time: '4x' is not allowed; it must be a time such as "
		"30s, 5m, 4h or 1d, from 0 to 31536000 seconds"},
	    {CONN("rekey_time = 2000d"),
	     GW "rekey_time: '2000d' is not allowed; it must be a time such "
		"as 30s, 5m, 4h or 1d, from 0 to 31536000 seconds"},
	    {CONN("rand_time = 5h"), GW "rand_time: greater than rekey_time or reauth_time"},
	    {CONN("fragmentation = maybe"),
	     GW "fragmentation: 'maybe' is not allowed; it must be one of yes, accept, force, no"},
	    {CONN("childless = x"),
	     GW "childless: 'x' is not allowed; it must be one of allow, prefer, force, never"},
	    {CONN("unique = yes"),
	     GW "unique: 'yes' is not allowed; it must be one of no, never, keep, replace"},
	    {CONN("keyingtries = -1"),
	     GW "keyingtries: '-1' is not allowed; it must be a number from 0 to 4294967295"},
	    {CONN("vips = 0.0.0.0"), GW "vips: known, but not supported yet"},
	    {CONN("pools = p"), GW "pools: known, but not supported yet"},
	    {CONN("aggressive = yes"),
	     GW "aggressive: known, but not supported yet except for 'no'"},
	    {CONN("ppk_id = x"), GW "ppk_id: known, but not supported yet"},
	    {CONN("if_id_in = x"),
	     GW "if_id_in: 'x' is not allowed; it must be a number, %unique or %unique-dir"},
	    {CONN("if_id_in = %unique"),
	     GW "if_id_in: one of its own for each IKE_SA is not supported yet; a number, or %unique in the "
		"children"},
	    {CONN("if_id_out = 0x58000000"),
	     GW "if_id_out: 0x58000000 to 0x58ffffff are those that xdpsec chooses itself"},
	    {CONN("send_cert = perhaps"),
	     GW "send_cert: 'perhaps' is not allowed; it must be one of ifasked, always, never"},
	    {CONN("dpd_timeout = x"), GW "dpd_timeout: 'x' is not allowed; it must be a number"},
	    /* authentication */
	    {CONN("local2 { auth = psk }"),
	     "s.conf:3: connections.gw.local: a second authentication round is not supported yet"},
	    {ROUND("local", "id = two words"),
	     "s.conf:3: connections.gw.local.id: 'two words' is not an identity; it must be an "
	     "address, "
	     "a name, an e-mail address, a distinguished name such as C=CH, CN=gw, @#hex, or one "
	     "with a prefix such as keyid:"},
	    {ROUND("local", "id = *.example"),
	     "s.conf:3: connections.gw.local.id: '*.example': wildcards are for remote ids, and "
	     "only `*.name`, `*@name` or a whole value of a distinguished name; asn1gn: and "
	     "regular expressions are not supported"},
	    {ROUND("remote", "id = g*.example"),
	     "s.conf:3: connections.gw.remote.id: 'g*.example': wildcards are for remote ids, and "
	     "only `*.name`, `*@name` or a whole value of a distinguished name; asn1gn: and "
	     "regular expressions are not supported"},
	    {ROUND("local", "groups = x"), "s.conf:3: connections.gw.local.groups: unknown key"},
	    {ROUND("local", "other { }"), "s.conf:3: connections.gw.local.other: unknown section"},
	    {ROUND("remote", "auth = eap-mschapv2"),
	     "s.conf:3: connections.gw.remote.auth: 'eap-mschapv2' is not supported yet, only psk "
	     "and public keys"},
	    {ROUND("remote", "certs = a.pem"),
	     "s.conf:3: connections.gw.remote.certs: auth = psk uses no certificates"},
	    {ROUND("local", "pubkeys = a.pem"),
	     "s.conf:3: connections.gw.local.pubkeys: auth = psk uses no certificates"},
	    {ROUND("local", "cert1 { file = a.pem\n}"),
	     "s.conf:3: connections.gw.local.cert1: auth = psk uses no certificates"},
	    {PUBKEY("local", "cert1 { }"), "s.conf:2: connections.gw.local.cert1: file is missing"},
	    {PUBKEY("local", "cert { handle = 1\n}"),
	     "s.conf:2: connections.gw.local.cert.handle: certificates on tokens (PKCS#11, TPM) are "
	     "not supported; give its file"},
	    {PUBKEY("remote", "cacert-x { slot = 1\n}"),
	     "s.conf:2: connections.gw.remote.cacert-x.slot: certificates on tokens (PKCS#11, TPM) "
	     "are not supported; give its file"},
	    {PUBKEY("remote", "cert { module = x\n}"),
	     "s.conf:2: connections.gw.remote.cert.module: certificates on tokens (PKCS#11, TPM) are "
	     "not supported; give its file"},
	    {PUBKEY("remote", "cert { fil = x\n}"),
	     "s.conf:2: connections.gw.remote.cert.fil: unknown key; did you mean 'file'?"},
	    {PUBKEY("remote", "cert { file = \"a,b\"\n}"),
	     "s.conf:2: connections.gw.remote.cert.file: too long, or with a comma"},
	    {PUBKEY("local", "cacert { file = a\n}"),
	     "s.conf:2: connections.gw.local.cacert: unknown section; did you mean 'cert'?"},
	    {PUBKEY("remote", "groups = a"),
	     "s.conf:2: connections.gw.remote.groups: known, but not supported yet"},
	    {PUBKEY("remote", "eap_id = a"),
	     "s.conf:2: connections.gw.remote.eap_id: known, but not supported yet"},
	    {PUBKEY("remote", "revocation = never"),
	     "s.conf:2: connections.gw.remote.revocation: 'never' is not allowed; it must be one of "
	     "relaxed, ifuri, strict"},
	    {PUBKEY("local", "auth = pubkey-sha3"),
	     "s.conf:2: connections.gw.local.auth: 'sha3' is neither a kind of key (psk, pubkey, rsa, "
	     "rsa/pss, ecdsa, ed25519, ed448), nor a hash (sha256, sha384, sha512, sha1), nor bits "
	     "behind rsa or ecdsa"},
	    /* children */
	    {"connections { gw { children {\nnet = 1\n} } }",
	     "s.conf:2: connections.gw.children.net: unknown key"},
	    {CHILD("x { }"), NET "x: unknown section"},
	    {CHILD("local_tss = x"), NET "local_tss: unknown key; did you mean 'local_ts'?"},
	    {CHILD("esp_proposals = aes128gcm16-sha256"),
	     NET "esp_proposals: 'aes128gcm16-sha256': 'aes128gcm16' protects integrity itself and "
		 "excludes 'sha256'"},
	    {CHILD("sha256_96 = maybe"),
	     NET "sha256_96: 'maybe' is not allowed; it must be yes or no"},
	    {CHILD("remote_ts = 10.1.0.0/33"),
	     NET "remote_ts: '10.1.0.0/33' is not a traffic selector such as 10.0.0.0/8, "
		 "10.0.0.1-10.0.0.9, 10.0.0.0/8[tcp/80] or dynamic"},
	    {CHILD("local_ts = dynamic, dynamic[tcp]"), NET "local_ts: dynamic may stand once"},
	    {CHILD(
		 "local_ts = ::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1"),
	     NET "local_ts: more than 16 traffic selectors"},
	    {CHILD("mode = beet"), NET "mode: mode beet is not supported yet"},
	    {CHILD("mode = beet"), NET "mode: mode beet is not supported yet"},
	    {CHILD("mode = tunel"),
	     NET "mode: 'tunel' is not allowed; it must be one of tunnel, transport, pass, "
		 "drop"},
	    {CHILD("start_action = now"),
	     NET "start_action: 'now' is not allowed; it must be one of "
		 "none, trap, start, trap|start, start|trap"},
	    {CHILD("dpd_action = x"),
	     NET "dpd_action: 'x' is not allowed; it must be one of clear, "
		 "trap, restart, none, start"},
	    {CHILD("replay_window = 4097"),
	     NET "replay_window: '4097' is not allowed; it must be a number from 0 to 4096"},
	    {CHILD("rekey_time = 10\nlife_time = 10"),
	     "s.conf:3: connections.gw.children.net.life_time: life_time must be greater than "
	     "rekey_time"},
	    {CHILD("rekey_bytes = 10\nlife_bytes = 9"),
	     "s.conf:3: connections.gw.children.net.life_bytes: life_bytes must be greater than "
	     "rekey_bytes"},
	    {CHILD("rekey_packets = 5\nrand_packets = 6"),
	     "s.conf:3: connections.gw.children.net.rand_packets: greater than rekey_packets"},
	    {CHILD("rekey_bytes = 1t"), NET
	     "rekey_bytes: '1t' is not allowed; it must be a number of bytes such as 500m or 2g, "
	     "from 0 to 9223372036854775807"},
	    {CHILD("tfc_padding = MTU"),
	     NET "tfc_padding: 'MTU' is not allowed; it must be mtu or a number from 0 to 65535"},
	    {CHILD("tfc_padding = 65536"),
	     NET "tfc_padding: '65536' is not allowed; it must be mtu or a number from 0 to 65535"},
	    {CHILD("copy_dscp = both"),
	     NET "copy_dscp: 'both' is not allowed; it must be one of out, in, yes, no"},
	    {CHILD("updown = /bin/x"), NET "updown: known, but not supported yet"},
	    {CHILD("per_cpu_sas = yes"),
	     NET "per_cpu_sas: known, but not supported yet except for 'no'"},
	    /* secrets */
	    {"secrets { a = 1\n}",
	     "s.conf:1: secrets.a: a secret is a section: ike-1 { secret = ... }"},
	    {"secrets { ike { } }", "s.conf:1: secrets.ike: secret is missing"},
	    {"secrets { ike-1 {\nsecrt = x\n} }",
	     "s.conf:2: secrets.ike-1.secrt: unknown key; did you mean 'secret'?"},
	    {"secrets { ike-1 { secret = x\nid-1 = two words\n} }",
	     "s.conf:2: secrets.ike-1.id-1: not an identity that is supported"},
	    {"secrets { ike-1 { x { } } }", "s.conf:1: secrets.ike-1.x: unknown section"},
	    {"secrets { eap-1 { } }",
	     "s.conf:1: secrets.eap-1: secrets of kind eap are not supported yet"},
	    {"secrets { private { } }", "s.conf:1: secrets.private: file is missing"},
	    {"secrets { rsa-1 { file = a\n} }", "s.conf:1: secrets.rsa-1: secret is missing"},
	    {"secrets { ecdsa { file = a\nid = b\n} }",
	     "s.conf:2: secrets.ecdsa.id: unknown key"},
	    {"secrets { pkcs8 { x { } } }", "s.conf:1: secrets.pkcs8.x: unknown section"},
	    {"secrets { pkcs12 { } }",
	     "s.conf:1: secrets.pkcs12: secrets of kind pkcs12 are not supported yet"},
	    {"secrets { psk { } }", "s.conf:1: secrets.psk: unknown section; did you mean 'ppk'?"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++)
		refused(t[i].text, t[i].want);
}

static void long_names(void **state)
{
	char text[512], name[80];
	struct settings_error err;

	(void)state;
	memset(name, 'n', sizeof(name));
	name[CONF_NAME_MAX - 1] = 0;
	snprintf(text, sizeof(text), "connections { %s { " PSK " children { %s { } } } }", name,
		 name);
	conf_free(good(text));
	name[CONF_NAME_MAX - 1] = 'n';
	name[CONF_NAME_MAX] = 0;
	snprintf(text, sizeof(text), "connections { %s { " PSK " } }", name);
	assert_null(parse(text, &err));
	assert_non_null(strstr(err.text, ": a name longer than 63 bytes"));
	snprintf(text, sizeof(text), "connections { gw { " PSK " children { %s { } } } }", name);
	assert_null(parse(text, &err));
	assert_non_null(strstr(err.text, ": a name longer than 63 bytes"));
}

static void templates(void **state)
{
	struct conf *c =
	    good("base {\n" PSK "dpd_delay = 7\nchildren { net { rekey_time = 77 } } }\n"
		 "connections { a : base { }\n b : base { dpd_delay = 8\n"
		 "children { net { rekey_time = } more { } } } }");

	(void)state;
	assert_int_equal(c->n_conns, 2);
	assert_string_equal(c->conn[0]->name, "a");
	assert_int_equal(c->conn[0]->dpd_delay, 7);
	assert_int_equal(c->conn[0]->child[0].rekey_time, 77);
	assert_int_equal(c->conn[1]->dpd_delay, 8);
	assert_int_equal(c->conn[1]->n_children, 2);
	assert_int_equal(conn_child(c->conn[1], "net")->rekey_time, 3600);
	conf_free(c);
}

/* ---- what a reload compares ----------------------------------------------------------------- */
static void digest(void **state)
{
	static const char base[] = CONN("");
	/* The same in other words. */
	static const char *const same[] = {
	    "\n\n# moved\n" CONN(""),
	    CONN("rekey_time = 240m\nproposals = default"),
	    CONN("version = 2\nlocal_addrs = %any"),
	    CONN("") "\nsecrets { ike { secret = x\n} }",
	};
	/* Each changes one thing. */
	static const char *const other[] = {
	    "connections { gx {\n" PSK "} }",
	    CONN("local_addrs = 192.0.2.1"),
	    CONN("local_addrs = 192.0.2.0/24"),
	    CONN("remote_addrs = 192.0.2.1"),
	    CONN("remote_addrs = gw.example"),
	    CONN("local_port = 501"),
	    CONN("remote_port = 501"),
	    CONN("proposals = aes128gcm16-x25519"),
	    CONN("dscp = 000001"),
	    CONN("encap = yes"),
	    CONN("mobike = no"),
	    CONN("dpd_delay = 1"),
	    CONN("fragmentation = no"),
	    CONN("childless = never"),
	    CONN("keyingtries = 2"),
	    CONN("unique = replace"),
	    CONN("rekey_time = 3h"),
	    CONN("rekey_time = 3h\nover_time = 1440\nrand_time = 1440"),
	    CONN("over_time = 1441\nrand_time = 1440"),
	    CONN("rand_time = 1"),
	    "connections { gw {\nlocal { auth = psk\nid = a }\nremote { auth = psk }\n} }",
	    "connections { gw {\nlocal { auth = psk }\nremote { auth = psk\nid = a }\n} }",
	    "connections { gw {\nlocal { auth = psk }\n} }",
	    "connections { gw {\nremote { auth = psk }\n} }",
	    PUBKEY("local", "auth = rsa"),
	    PUBKEY("local", "auth = ike:rsa/pss"),
	    PUBKEY("remote", "auth = rsa"),
	    PUBKEY("remote", "auth = rsa-2048"),
	    PUBKEY("remote", "auth = rsa-sha1"),
	    PUBKEY("local", "certs = a.pem"),
	    PUBKEY("local", "pubkeys = a.pem"),
	    PUBKEY("remote", "certs = a.pem"),
	    PUBKEY("remote", "cacerts = a.pem"),
	    PUBKEY("remote", "ca_id = \"CN=ca\""),
	    PUBKEY("remote", "cert_policy = 1.2.3"),
	    PUBKEY("remote", "revocation = ifuri"),
	    CONN("send_cert = always"),
	    CONN("send_certreq = no"),
	    CHILD(""),
	    "connections { gw { children { nat {\n\n} }\n" PSK "} }",
	    "connections { gw { children { net { } nat { } }\n" PSK "} }",
	    CHILD("esp_proposals = aes128gcm16"),
	    CHILD("esp_proposals = aes256gcm16"),
	    CHILD("esp_proposals = aes128gcm16-esn"),
	    CHILD("local_ts = 10.0.0.0/8"),
	    CHILD("local_ts = 10.0.0.0/8, dynamic"),
	    CHILD("remote_ts = 10.0.0.0/8"),
	    CHILD("remote_ts = 10.0.0.0/8[tcp]"),
	    CHILD("remote_ts = 10.0.0.0/8[tcp/1]"),
	    CHILD("mode = pass"),
	    CHILD("rekey_time = 2h\nlife_time = 3960\nrand_time = 360\nrekey_time = 3601"),
	    CHILD("life_time = 3961\nrekey_time = 3600\nrand_time = 360"),
	    CHILD("rand_time = 1"),
	    CHILD("rekey_bytes = 1000\nlife_bytes = 2000\nrand_bytes = 1"),
	    CHILD("rekey_bytes = 1001\nlife_bytes = 2000\nrand_bytes = 1"),
	    CHILD("rekey_bytes = 1000\nlife_bytes = 2001\nrand_bytes = 1"),
	    CHILD("rekey_bytes = 1000\nlife_bytes = 2000\nrand_bytes = 2"),
	    CHILD("rekey_packets = 1000\nlife_packets = 2000\nrand_packets = 1"),
	    CHILD("rekey_packets = 1001\nlife_packets = 2000\nrand_packets = 1"),
	    CHILD("rekey_packets = 1000\nlife_packets = 2001\nrand_packets = 1"),
	    CHILD("rekey_packets = 1000\nlife_packets = 2000\nrand_packets = 2"),
	    CHILD("start_action = trap"),
	    CHILD("close_action = trap"),
	    CHILD("dpd_action = trap"),
	    CHILD("sha256_96 = yes"),
	    CHILD("reqid = 1"),
	    CHILD("priority = 1"),
	    CHILD("replay_window = 64"),
	    CHILD("tfc_padding = 1"),
	    CHILD("copy_df = no"),
	    CHILD("copy_ecn = no"),
	    CHILD("copy_dscp = no"),
	    CHILD("copy_dscp = yes"),
	};
	uint8_t want[32], got[32];

	(void)state;
	digest_of(base, want);
	for (size_t i = 0; i < COUNT(same); i++) {
		digest_of(same[i], got);
		assert_memory_equal(got, want, 32);
	}
	all_differ(base, other, COUNT(other));
}

static void references(void **state)
{
	struct conf *c = good(CHILD(""));
	struct conn_conf *gw = conn_conf_ref(c->conn[0]);

	(void)state;
	conf_free(c);
	assert_string_equal(gw->child[0].name, "net");
	conn_conf_unref(gw);
}

/* ---- files ----------------------------------------------------------------------------------- */
static const char with_secrets[] =
    CHILD("") "\nbase { secret = the-secret-1\n}\nother { pin = the-secret-2\n}\n"
	      "secrets { ike-1 : base { id = gw\n} ike-2 { secret = \"the-secret-3\"\nid = gw\n}\n"
	      "ike-3 : other, base { }\n}\n";

static unsigned int count_secrets(const struct settings *s)
{
	const struct settings_key *key;
	const struct settings *sub;
	unsigned int n = 0;

	TAILQ_FOREACH (key, &s->keys, next)
		n += strstr(key->value, "the-secret") != NULL;
	TAILQ_FOREACH (sub, &s->sections, next)
		n += count_secrets(sub);
	return n;
}

static void secrets_are_wiped(void **state)
{
	struct settings_error err;
	struct settings *root =
	    settings_parse("s.conf", with_secrets, strlen(with_secrets), false, &err);

	(void)state;
	assert_int_equal(count_secrets(root), 6);
	conf_secrets_wipe(root);
	assert_int_equal(count_secrets(root), 0);
	assert_string_equal(
	    settings_key(settings_section(settings_section(root, "secrets"), "ike-2"), "id")->value,
	    "gw");
	settings_free(root);
}

static void from_a_file(void **state)
{
	static const char text[] = CHILD("") "\nsecrets { ike-1 { secret = \"the secret\"\n} }\n";
	char path[] = "/tmp/conf_test.XXXXXX";
	int fd = mkstemp(path);
	struct settings_error err;
	struct conf *c;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	c = conf_load(path, &err);
	assert_non_null(c);
	conf_free(c);
	unlink(path);
	assert_null(conf_load(path, &err));
	assert_string_equal(err.text, "cannot open: No such file or directory");
}

static void ignore(void *ctx, enum log_group group, int level, const char *name, uint32_t unique,
		   const char *line)
{
	(void)group, (void)level, (void)name, (void)unique;
	snprintf(ctx, 512, "%s", line);
}

static void warns(void **state)
{
	char line[512] = "";

	(void)state;
	log_sink_add(ignore, line, 1);
	conf_free(good(CHILD("start_action = start")));
	log_sink_remove(ignore, line);
	assert_string_equal(line,
			    "s.conf:1: gw.net: start_action, but remote_addrs names no peer to "
			    "connect to");
}

static void example_file(void **state)
{
	struct settings_error err = {0};
	struct conf *c = conf_load("deploy/swanctl.conf.example", &err);

	(void)state;
	if (!c)
		fail_msg("%s:%d: %s", err.file, err.line, err.text);
	assert_int_equal(c->n_conns, 1);
	assert_int_equal(c->conn[0]->n_children, 1);
	conf_free(c);
}

/* Every key that a table accepts stands in the manual. */
static void documented(void **state)
{
	static char text[1 << 17];
	FILE *f = fopen("docs/configuration.md", "r");
	char key[256], want[300];

	(void)state;
	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = 0;
	fclose(f);
	for (unsigned int i = 0; conf_key_at(i, key, sizeof(key)); i++) {
		snprintf(want, sizeof(want), "| `%s` |", key);
		if (!strstr(text, want))
			fail_msg("docs/configuration.md does not have %s", want);
	}
	for (unsigned int i = 0; gateway_conf_key_at(i, key, sizeof(key)); i++) {
		snprintf(want, sizeof(want), "| `%s` |", key);
		if (!strstr(text, want))
			fail_msg("docs/configuration.md does not have %s", want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(empty),	     cmocka_unit_test(defaults),
	    cmocka_unit_test(everything),    cmocka_unit_test(derived_limits),
	    cmocka_unit_test(derived_times), cmocka_unit_test(accepted_at_default),
	    cmocka_unit_test(mistakes),	     cmocka_unit_test(long_names),
	    cmocka_unit_test(templates),     cmocka_unit_test(digest),
	    cmocka_unit_test(references),    cmocka_unit_test(secrets_are_wiped),
	    cmocka_unit_test(from_a_file),   cmocka_unit_test(warns),
	    cmocka_unit_test(example_file),  cmocka_unit_test(documented),
	};

	log_to_stderr(false, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
