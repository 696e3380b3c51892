// SPDX-License-Identifier: BSD-2-Clause
#include "conf_env.h"

/* Keys of children that say who does ESP and AH, and what only the kernel can do. */

static void mistakes(void **state)
{
	static const struct {
		const char *text, *want;
	} t[] = {
	    {CHILD("ah_proposals = aes128-sha256"),
	     NET "ah_proposals: 'aes128-sha256': 'aes128' cannot be used for AH"},
	    {CHILD("ah_proposals = sha256\nesp_proposals = aes128gcm16"),
	     NET "ah_proposals: there are esp_proposals, too: a CHILD_SA is of one protocol; use two children"},
	    {CHILD("ah_proposals = sha256\ntfc_padding = 100"),
	     "s.conf:3: connections.gw.children.net.tfc_padding: AH has no padding: take it away"},
	    {"connections { gw { encap = yes\nchildren { net {\nah_proposals = sha256\n} }\n" PSK "} }",
	     "s.conf:3: connections.gw.children.net.ah_proposals: the connection says encap = yes, and there is no "
	     "AH in UDP: use esp_proposals"},
	    {CHILD("hw_offload = crypto\nah_proposals = sha256"),
	     NET "hw_offload: devices do ESP, not AH: use auto or no"},
	    {CHILD("hw_offload = packet\nipcomp = yes"),
	     NET "hw_offload: devices do not compress: take ipcomp away, or use auto or no"},
	    {CHILD("ipcomp = deflate"), NET "ipcomp: 'deflate' is not allowed; it must be yes or no"},
	    {CHILD("ah_proposals = sha256\nmode = drop"),
	     NET "ah_proposals: mode = drop makes a policy of the classifier, which knows no such thing"},
	    {CHILD("engine = linux"),
	     NET "engine: 'linux' is not allowed; it must be one of auto, kernel, dataplane"},
	    {CHILD("hw_offload = maybe"),
	     NET "hw_offload: 'maybe' is not allowed; it must be one of no, crypto, packet, auto, yes"},
	    {CHILD("mark_in = x"),
	     NET "mark_in: 'x' is not allowed; it must be a number, number/mask, %unique or %unique-dir"},
	    {CHILD("mark_in = 7/"),
	     NET "mark_in: '7/' is not allowed; it must be a number, number/mask, %unique or %unique-dir"},
	    {CHILD("mark_out = 0x100000000"), NET "mark_out: '0x100000000' is not allowed; it must be a "
						  "number, number/mask, %unique or %unique-dir"},
	    {CHILD("mark_out = %same"),
	     NET "mark_out: '%same' is not allowed; it must be a number, number/mask, %unique or %unique-dir"},
	    {CHILD("set_mark_in = %unique"),
	     NET "set_mark_in: '%unique' is not allowed; it must be a number, number/mask, %same or %same/mask"},
	    {CHILD("mark_out = 0x100/0xff"),
	     NET "mark_out: '0x100/0xff' has bits outside of its mask, no packet could have it"},
	    {CHILD("mark_in_sa = yes"), NET "mark_in_sa: there is no mark_in"},
	    {CHILD("set_mark_in = %same"), NET "set_mark_in: there is no mark_in to be the same as"},
	    {CHILD("set_mark_out = %same/0xff"), NET "set_mark_out: there is no mark_out to be the same as"},
	    {CHILD("if_id_in = %unique_dir"),
	     NET "if_id_in: '%unique_dir' is not allowed; it must be a number, %unique or %unique-dir"},
	    {CHILD("if_id_out = 0x58ffffff"),
	     NET "if_id_out: 0x58000000 to 0x58ffffff are those that xdpsec chooses itself"},
	    {CHILD("reqid = 0x58000001"),
	     NET "reqid: 0x58000000 to 0x58ffffff are those that xdpsec chooses itself"},
	    {CHILD("reqid = x"), NET "reqid: 'x' is not allowed; it must be a number from 0 to 4294967295"},
	    {CHILD("interface = an-interface-xyz"), NET "interface: longer than 15 bytes"},
	    {CHILD("policies = perhaps"), NET "policies: 'perhaps' is not allowed; it must be yes or no"},
	    {CHILD("start_action = trap\nmark_in = %unique"),
	     NET "start_action: a trap has no CHILD_SA, so %unique gives it no mark and no interface id; use "
		 "fixed ones"},
	    {CHILD("close_action = trap\nif_id_out = %unique-dir"),
	     NET "close_action: a trap has no CHILD_SA, so %unique gives it no mark and no interface id; use "
		 "fixed ones"},
	    {CHILD("dpd_action = trap\nmark_out = %unique"),
	     NET "dpd_action: a trap has no CHILD_SA, so %unique gives it no mark and no interface id; use fixed "
		 "ones"},
	    {CHILD("hw_offload = packet\ntfc_padding = mtu"),
	     NET "hw_offload: what a device encrypts cannot be padded: take tfc_padding away, or use auto"},
	    {CHILD("mark_in = 7\nmode = pass"),
	     NET "mark_in: mode = pass makes a policy of the classifier, which knows no such thing"},
	    {CHILD("interface = eth0\nmode = drop"),
	     NET "interface: mode = drop makes a policy of the classifier, which knows no such thing"},
#define NO_PLANE(line, key)                                                                        \
	{CHILD("engine = dataplane\n" line),                                                       \
	 NET "engine: the dataplane cannot do " key ": use engine = kernel or auto, or take " key " away"}
	    NO_PLANE("ah_proposals = sha256", "ah_proposals"),
	    NO_PLANE("ipcomp = yes", "ipcomp"),
	    NO_PLANE("hw_offload = auto", "hw_offload"),
	    NO_PLANE("hw_offload = yes", "hw_offload"),
	    NO_PLANE("mark_in = 7", "mark_in"),
	    NO_PLANE("mark_in = 0/0xff", "mark_in"),
	    NO_PLANE("mark_out = %unique", "mark_out"),
	    NO_PLANE("set_mark_in = 7", "set_mark_in"),
	    NO_PLANE("set_mark_out = 7", "set_mark_out"),
	    NO_PLANE("if_id_in = 7", "if_id_in"),
	    NO_PLANE("if_id_out = %unique", "if_id_out"),
	    NO_PLANE("interface = eth0", "interface"),
	    NO_PLANE("policies = no", "policies"),
	    NO_PLANE("policies_fwd_out = yes", "policies_fwd_out"),
	    {"connections { gw { if_id_in = 7\nchildren { net {\nengine = dataplane\n} }\n" PSK "} }",
	     "s.conf:3: connections.gw.children.net.engine: the dataplane cannot do if_id_in: use engine = kernel "
	     "or auto, or take if_id_in away"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++)
		refused(t[i].text, t[i].want);
}

static void digest_kernel(void **state)
{
	/* Each changes one thing. */
	static const char *const other[] = {
	    CHILD("ah_proposals = sha256"),
	    CHILD("ah_proposals = sha512"),
	    CHILD("ipcomp = yes"),
	    CHILD("hw_offload = crypto"),
	    CHILD("hw_offload = auto"),
	    CHILD("mark_in = 1"),
	    CHILD("mark_in = 1/1"),
	    CHILD("mark_in = %unique"),
	    CHILD("mark_in = %unique-dir"),
	    CHILD("mark_in = 1\nmark_in_sa = yes"),
	    CHILD("mark_out = 1"),
	    CHILD("set_mark_in = 1"),
	    CHILD("set_mark_out = 1"),
	    CHILD("if_id_in = 1"),
	    CHILD("if_id_out = 1"),
	    CHILD("if_id_out = %unique"),
	    "connections { gw { if_id_out = 2\nchildren { net { } }\n" PSK "} }",
	    CHILD("interface = eth0"),
	    CHILD("policies = no"),
	    CHILD("policies_fwd_out = yes"),
	};

	(void)state;
	all_differ(CHILD(""), other, COUNT(other));
}

/* An SA that changes its engine goes on, by a rekey. */
static void the_engine_leaves_the_digest_alone(void **state)
{
	uint8_t one[32], other[32];

	(void)state;
	digest_of(CHILD("engine = kernel"), one);
	digest_of(CHILD("engine = dataplane"), other);
	assert_memory_equal(one, other, sizeof(one));
}

static void check_mark(const struct conf_mark *m, uint32_t value, uint32_t mask, enum conf_pick pick)
{
	assert_int_equal(m->value, value);
	assert_int_equal(m->mask, mask);
	assert_int_equal(m->pick, pick);
}

static void kernel_keys(void **state)
{
	struct conf *c = good(
	    "connections { gw {\n if_id_in = 7\n if_id_out = 9\n" PSK "children {\n"
	    "one { engine = kernel\n hw_offload = packet\n mark_in = 0x10/0xff\n mark_in_sa = yes\n"
	    " mark_out = %unique-dir\n set_mark_in = %same/0x0f\n set_mark_out = 3\n if_id_in = 8\n"
	    " interface = wan0\n policies = no\n policies_fwd_out = yes\n }\n"
	    "two { engine = auto\n hw_offload = yes\n if_id_out = %unique\n }\n"
	    "three { mode = drop\n }\n four { engine = dataplane\n if_id_in = 0\n if_id_out = 0\n }\n} } }");
	const struct child_conf *net = conn_child(c->conn[0], "one");
	const struct conf_kernel *k = &net->kernel;

	(void)state;
	assert_int_equal(net->engine, CONF_ENGINE_KERNEL);
	assert_int_equal(k->offload, CONF_OFFLOAD_PACKET);
	check_mark(&k->mark_in, 0x10, 0xff, CONF_PICK_FIXED);
	check_mark(&k->mark_out, 0, UINT32_MAX, CONF_PICK_UNIQUE_DIR);
	check_mark(&k->set_mark_in, 0, 0x0f, CONF_PICK_SAME);
	check_mark(&k->set_mark_out, 3, UINT32_MAX, CONF_PICK_FIXED);
	assert_true(k->mark_in_sa && k->no_policies && k->fwd_out);
	assert_string_equal(k->interface, "wan0");
	assert_int_equal(k->if_id_in.value, 8);
	assert_int_equal(k->if_id_out.value, 9);

	assert_int_equal(child_proto(net), IKE_PROTO_ESP);

	net = conn_child(c->conn[0], "two");
	assert_int_equal(net->engine, CONF_ENGINE_AUTO);
	assert_int_equal(net->kernel.offload, CONF_OFFLOAD_CRYPTO);
	assert_int_equal(net->kernel.if_id_in.value, 7);
	assert_int_equal(net->kernel.if_id_out.pick, CONF_PICK_UNIQUE);
	assert_string_equal(child_needs_kernel(net), "hw_offload");
	/* Policies without IPsec and who says 0 do not take the connection's. */
	assert_null(child_needs_kernel(conn_child(c->conn[0], "three")));
	net = conn_child(c->conn[0], "four");
	assert_null(child_needs_kernel(net));
	assert_int_equal(child_engine(net, GW_ENGINE_KERNEL), CONF_ENGINE_DATAPLANE);
	conf_free(c);
	c = good(CHILD("ah_proposals = default, sha1"));
	net = conn_child(c->conn[0], "net");
	assert_int_equal(child_proto(net), IKE_PROTO_AH);
	assert_int_equal(net->proposals->n, 2);
	assert_string_equal(child_needs_kernel(net), "ah_proposals");
	conf_free(c);
}

/* What xdpsec.conf says for all, against a child that cannot do with it. */
static void engine_of_both_files(void **state)
{
	struct conf *c = good(CHILD("mark_in = 7"));
	struct settings_error err = {0};
	char buf[1024];

	(void)state;
	assert_int_equal(child_engine(&c->conn[0]->child[0], GW_ENGINE_AUTO), CONF_ENGINE_AUTO);
	assert_int_equal(child_engine(&c->conn[0]->child[0], GW_ENGINE_KERNEL), CONF_ENGINE_KERNEL);
	assert_int_equal(conf_check_engines(c, GW_ENGINE_AUTO, &err), 0);
	assert_int_equal(conf_check_engines(c, GW_ENGINE_KERNEL, &err), 0);
	assert_int_equal(conf_check_engines(c, GW_ENGINE_DATAPLANE, &err), -EINVAL);
	assert_string_equal(settings_error_str(&err, buf, sizeof(buf)),
			    "s.conf:1: connections.gw.children.net: xdpsec.conf says engine = dataplane, which "
			    "cannot do mark_in: use engine = kernel or auto here");
	conf_free(c);
	c = good(CHILD("mark_in = 7\nengine = auto"));
	assert_int_equal(conf_check_engines(c, GW_ENGINE_DATAPLANE, &err), 0);
	conf_free(c);
	c = good(CHILD(""));
	assert_int_equal(conf_check_engines(c, GW_ENGINE_DATAPLANE, &err), 0);
	conf_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(mistakes),
	    cmocka_unit_test(digest_kernel),
	    cmocka_unit_test(the_engine_leaves_the_digest_alone),
	    cmocka_unit_test(kernel_keys),
	    cmocka_unit_test(engine_of_both_files),
	};

	log_to_stderr(false, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
