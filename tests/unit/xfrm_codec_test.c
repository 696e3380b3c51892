/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/engine/xfrm/codec.h"
#include "tests/wire_hex.h"
#include "tests/xfrm_same.h"

#include <libmnl/libmnl.h>
#include <linux/xfrm.h>

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What we send beside what `ip xfrm` sends for the same thing, byte for byte
 * (tests/kernel/fixtures). */

static uint8_t key_bytes[128];

static struct ip_addr ip(const char *s)
{
	struct ip_addr a;

	assert_int_equal(addr_parse(s, &a), 0);
	return a;
}

static struct xf_selector between(const char *src, uint8_t src_len, const char *dst,
				  uint8_t dst_len)
{
	return (struct xf_selector){
	    .src = ip(src), .dst = ip(dst), .src_len = src_len, .dst_len = dst_len};
}

static struct xf_selector with_ports(struct xf_selector s, uint8_t proto, int sport, int dport)
{
	s.protocol = proto;
	s.sport = sport >= 0 ? (uint16_t)sport : 0;
	s.sport_mask = sport >= 0 ? 0xffff : 0;
	s.dport = dport >= 0 ? (uint16_t)dport : 0;
	s.dport_mask = dport >= 0 ? 0xffff : 0;
	return s;
}

static void ciphers(struct xfrm_sa_spec *s, const char *encr, const char *integ)
{
	s->encr = encr ? alg_by_name(encr, IKE_T_ENCR) : NULL;
	s->integ = integ ? alg_by_name(integ, IKE_T_INTEG) : NULL;
	assert_true(!encr == !s->encr && !integ == !s->integ);
	s->encr_key =
	    slice_of(key_bytes, s->encr ? s->encr->key_len + (size_t)s->encr->salt_len : 0);
	s->integ_key = slice_of(key_bytes, s->integ ? s->integ->key_len : 0);
}

/* The SA that most lines of `commands` vary. */
static struct xfrm_sa_spec plain_sa(bool v6, const char *encr, const char *integ)
{
	struct xfrm_sa_spec s = {
	    .dir = XF_OUT,
	    .src = ip(v6 ? "2001:db8::1" : "192.0.2.1"),
	    .dst = ip(v6 ? "2001:db8::2" : "192.0.2.2"),
	    .spi = 0x1001,
	    .proto = IPPROTO_ESP,
	    .mode = XF_TUNNEL,
	    .reqid = 7,
	};

	ciphers(&s, encr, integ);
	return s;
}

static struct xfrm_sa_spec gcm(void)
{
	return plain_sa(false, "aes128gcm16", NULL);
}

struct sa_row {
	const char *name;
	struct xfrm_sa_spec s;
};

enum { SA_ROWS = 48 };

static unsigned int suite_rows(struct sa_row *r)
{
	struct sa_row *first = r;

	*r = (struct sa_row){"gcm_v4", gcm()};
	r->s.spi = 0x12345678, r->s.reqid = 0x58000001, r++->s.window = 32;
	*r = (struct sa_row){"gcm_v6", plain_sa(true, "aes256gcm16", NULL)};
	r->s.spi = 0xc0000001, r->s.reqid = 0x58000001, r++->s.window = 32;
	*r++ = (struct sa_row){"gcm_icv8", plain_sa(false, "aes192gcm8", NULL)};
	*r++ = (struct sa_row){"ccm", plain_sa(false, "aes128ccm12", NULL)};
	*r++ = (struct sa_row){"cbc_sha256", plain_sa(false, "aes128", "sha256")};
	*r++ = (struct sa_row){"cbc_sha256_96", plain_sa(false, "aes192", "sha256_96")};
	*r++ = (struct sa_row){"cbc_sha1", plain_sa(false, "3des", "sha1")};
	*r++ = (struct sa_row){"ctr_sha512", plain_sa(false, "aes256ctr", "sha512")};
	*r++ = (struct sa_row){"null_xcbc", plain_sa(false, "null", "aesxcbc")};
	*r++ = (struct sa_row){"chacha", plain_sa(false, "chacha20poly1305", NULL)};
	*r++ = (struct sa_row){"gmac", plain_sa(false, "aes256gmac", NULL)};
	*r = (struct sa_row){"ah", plain_sa(false, NULL, "sha256")};
	r->s.proto = IPPROTO_AH, r->s.mode = XF_TRANSPORT, r++->s.window = 32;
	*r = (struct sa_row){"ah_align4", plain_sa(false, NULL, "aescmac")};
	r->s.proto = IPPROTO_AH, r++->s.flags.align4 = true;
	*r = (struct sa_row){"ipcomp", plain_sa(false, NULL, NULL)};
	r->s.proto = IPPROTO_COMP, r++->s.spi = 0xabcd;
	return (unsigned int)(r - first);
}

static unsigned int shape_rows(struct sa_row *r)
{
	struct sa_row *first = r;

	*r = (struct sa_row){"sel_4in4", gcm()};
	r++->s.sel = between("10.1.0.0", 16, "10.2.0.0", 24);
	*r = (struct sa_row){"sel_4in6", plain_sa(true, "aes128gcm16", NULL)};
	r++->s.sel = with_ports(between("10.1.0.0", 16, "10.2.0.0", 24), IPPROTO_TCP, -1, 80);
	*r = (struct sa_row){"sel_6in4", gcm()};
	r++->s.sel = with_ports(between("fd00:1::", 64, "fd00:2::", 48), IPPROTO_ICMPV6, 128, 0);
	*r = (struct sa_row){"transport", gcm()};
	r->s.mode = XF_TRANSPORT;
	r++->s.sel = with_ports(between("192.0.2.1", 32, "192.0.2.2", 32), IPPROTO_UDP, 53, -1);
	*r = (struct sa_row){"transport_v6", plain_sa(true, "aes128gcm16", NULL)};
	r++->s.mode = XF_TRANSPORT;
	*r = (struct sa_row){"beet", gcm()};
	r->s.mode = XF_BEET, r++->s.sel = between("10.1.0.1", 32, "10.2.0.1", 32);
	*r = (struct sa_row){"encap", gcm()};
	r++->s.encap = (struct xf_encap){.sport = 4500, .dport = 1025};
	*r = (struct sa_row){"encap_oa", gcm()};
	r->s.mode = XF_TRANSPORT;
	r++->s.encap = (struct xf_encap){.sport = 4500, .dport = 4500, .oa = ip("10.9.8.7")};
	*r = (struct sa_row){"encap_v6", plain_sa(true, "aes128gcm16", NULL)};
	r++->s.encap = (struct xf_encap){.sport = 4500, .dport = 4500};
	*r = (struct sa_row){"tfc", gcm()};
	r++->s.tfc_pad = 1400;
	return (unsigned int)(r - first);
}

static unsigned int window_rows(struct sa_row *r)
{
	static const struct {
		const char *name;
		uint32_t window;
		bool esn;
	} rows[] = {{"esn_128", 128, true},
		    {"esn_4096", 4096, true},
		    {"esn_33", 33, true},
		    {"window_2048", 2048, false},
		    {"window_32", 32, false}};
	struct sa_row *first = r;

	for (unsigned int i = 0; i < 5; i++, r++) {
		*r = (struct sa_row){rows[i].name, gcm()};
		r->s.window = rows[i].window;
		r->s.esn = rows[i].esn;
	}
	*r = (struct sa_row){"dir_in", gcm()};
	r->s.dir = XF_IN, r++->s.window = 32;
	*r = (struct sa_row){"dir_out_esn", gcm()};
	r->s.window = 64, r++->s.esn = true;
	return (unsigned int)(r - first);
}

static unsigned int rest_rows(struct sa_row *r)
{
	struct sa_row *first = r;

	*r = (struct sa_row){"marks", gcm()};
	r->s.mark = (struct xf_mark){0x2a, 0xff}, r->s.set_mark = (struct xf_mark){0x15, 0xffff};
	r++->s.if_id = 0x58000009;
	*r = (struct sa_row){"flags", gcm()};
	r++->s.flags = (struct xf_flags){.no_ecn = true,
					 .no_pmtu = true,
					 .decap_dscp = true,
					 .no_encap_dscp = true,
					 .icmp = true,
					 .wild_recv = true,
					 .oseq_may_wrap = true};
	*r = (struct sa_row){"limits", gcm()};
	r++->s.limits = (struct xf_limits){.soft_s = 3000,
					   .hard_s = 3600,
					   .soft_bytes = 100000000000,
					   .hard_bytes = 200000000000,
					   .soft_packets = 4000000000,
					   .hard_packets = 4294967295};
	for (unsigned int i = 0; i < 4; i++, r++) {
		static const char *const names[] = {"offload_in", "offload_out",
						    "offload_packet_in", "offload_packet_out"};

		*r = (struct sa_row){names[i], gcm()};
		r->s.dir = i & 1 ? XF_OUT : XF_IN;
		r->s.offload.wish = i & 2 ? XF_OFFLOAD_PACKET : XF_OFFLOAD_CRYPTO;
		r->s.offload.ifindex = 1;
	}
	return (unsigned int)(r - first);
}

/* ---- bytes of a fixture
 * --------------------------------------------------------------------------- */

static size_t fixture(const char *name, uint8_t *out, size_t cap)
{
	char path[128], line[1024];
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "tests/unit/fixtures/xfrm/%s.hex", name);
	f = fopen(path, "r");
	if (!f)
		fail_msg("no %s", path);
	while (fgets(line, sizeof(line), f))
		if (line[0] != '#')
			n += unhex(line, out + n, cap - n);
	fclose(f);
	assert_true(n > NLMSG_HDRLEN);
	return n;
}

static bool has_attr(const uint8_t *msg, size_t head, uint16_t type)
{
	const struct nlmsghdr *nlh = (const void *)msg;
	const struct nlattr *a;

	mnl_attr_for_each(a, nlh, head) if (mnl_attr_get_type(a) == type) return true;
	return false;
}

/* ip names a source, empty, when an SA is deleted; the kernel does not look at it. */
static size_t without_source(uint8_t *msg, size_t n, size_t head)
{
	struct nlmsghdr *nlh = (void *)msg;
	struct nlattr *a = mnl_nlmsg_get_payload_offset(nlh, head);
	size_t len = MNL_ALIGN(a->nla_len);

	assert_int_equal(mnl_attr_get_type(a), XFRMA_SRCADDR);
	memmove(a, (uint8_t *)a + len, n - (size_t)((uint8_t *)a - msg) - len);
	nlh->nlmsg_len -= (uint32_t)len;
	return n - len;
}

static void same(const char *name, const uint8_t *ours, int n, const uint8_t *theirs, size_t len)
{
	if (n < 0)
		fail_msg("%s: %s", name, strerror(-n));
	for (size_t i = 0; i < len && i < (size_t)n; i++)
		if (ours[i] != theirs[i])
			fail_msg("%s: byte %zu is %02x, not %02x", name, i, ours[i], theirs[i]);
	if ((size_t)n != len)
		fail_msg("%s: %d bytes, not %zu", name, n, len);
}

/* ---- our message, and back
 * ------------------------------------------------------------------------ */

static void check_back(const char *name, const uint8_t *msg, const struct xfrm_sa_spec *s,
		       bool strict)
{
	struct xfrm_sa_info got;
	const struct xfrm_sa_spec *b = &got.spec;

	assert_int_equal(xfrm_get_sa((const void *)msg, &got), 0);
	assert_true(addr_equal(&b->src, &s->src) && addr_equal(&b->dst, &s->dst));
	assert_true(b->spi == s->spi && b->proto == s->proto && b->mode == s->mode &&
		    b->reqid == s->reqid);
	assert_true(b->if_id == s->if_id && b->mark.value == s->mark.value &&
		    b->mark.mask == s->mark.mask);
	assert_true(b->set_mark.value == s->set_mark.value && b->set_mark.mask == s->set_mark.mask);
	assert_true(b->encap.sport == s->encap.sport && b->encap.dport == s->encap.dport);
	assert_true(addr_equal(&b->encap.oa, &s->encap.oa));
	assert_true(b->esn == s->esn && b->tfc_pad == s->tfc_pad);
	assert_int_equal(b->window, strict && s->dir == XF_OUT ? 0 : s->window);
	assert_memory_equal(&b->limits, &s->limits, sizeof(b->limits));
	assert_memory_equal(&b->flags, &s->flags, sizeof(b->flags));
	assert_true(b->offload.wish == s->offload.wish && b->offload.ifindex == s->offload.ifindex);
	assert_true(same_selector(&b->sel, &s->sel));
	assert_string_equal(got.encr, s->encr ? s->encr->xfrm : "");
	assert_string_equal(got.integ, s->integ ? s->integ->xfrm : "");
	assert_int_equal(got.encr_bits, s->encr_key.n * 8);
	assert_int_equal(got.integ_bits, s->integ_key.n * 8);
	if (s->integ || s->encr)
		assert_int_equal(got.icv_bits, (s->integ ? s->integ : s->encr)->icv_len * 8);
	assert_string_equal(got.comp, s->proto == IPPROTO_COMP ? "deflate" : "");
	assert_int_equal(got.dir_known, strict);
	if (strict)
		assert_int_equal(b->dir, s->dir);
	(void)name;
}

static void sas(void **state)
{
	_Alignas(8) uint8_t ours[XF_MSG_MAX], theirs[XF_MSG_MAX];
	struct sa_row row[SA_ROWS];
	unsigned int n;
	char why[XF_TEXT_MAX] = "";

	(void)state;
	n = suite_rows(row);
	n += shape_rows(row + n);
	n += window_rows(row + n);
	n += rest_rows(row + n);
	assert_true(n <= SA_ROWS);
	for (unsigned int i = 0; i < n; i++) {
		size_t len = fixture(row[i].name, theirs, sizeof(theirs));
		struct xfrm_caps caps = {
		    .sa_dir = has_attr(theirs, sizeof(struct xfrm_usersa_info), XF_A_SA_DIR)};
		int r = xfrm_put_sa(ours, sizeof(ours), &row[i].s, &caps, why);

		if (r < 0)
			fail_msg("%s: %s", row[i].name, why);
		same(row[i].name, ours, r, theirs, len);
		check_back(row[i].name, ours, &row[i].s, caps.sa_dir);
		/* No room is no overrun, wherever it ends. */
		for (size_t room = 0; room < (size_t)r; room++) {
			_Alignas(8) uint8_t tight[XF_MSG_MAX];

			memset(tight, 0xa5, sizeof(tight));
			assert_int_equal(xfrm_put_sa(tight, room, &row[i].s, &caps, why), -ENOBUFS);
			assert_int_equal(tight[room], 0xa5);
		}
	}
}

static void sa_names(void **state)
{
	struct xfrm_sa_id v4 = {.dst = ip("192.0.2.2"), .spi = 0x1001, .proto = IPPROTO_ESP},
			  v6 = {.dst = ip("2001:db8::2"),
				.spi = 0x1001,
				.proto = IPPROTO_AH,
				.mark = {0x2a, 0xff}};
	_Alignas(8) uint8_t ours[XF_MSG_MAX], theirs[XF_MSG_MAX];
	const size_t head = sizeof(struct xfrm_usersa_id);
	size_t n;

	(void)state;
	n = without_source(theirs, fixture("sa_del", theirs, sizeof(theirs)), head);
	same("sa_del", ours, xfrm_put_sa_del(ours, sizeof(ours), &v4), theirs, n);
	n = without_source(theirs, fixture("sa_del_mark", theirs, sizeof(theirs)), head);
	same("sa_del_mark", ours, xfrm_put_sa_del(ours, sizeof(ours), &v6), theirs, n);
	n = without_source(theirs, fixture("sa_get", theirs, sizeof(theirs)), head);
	same("sa_get", ours, xfrm_put_sa_get(ours, sizeof(ours), &v4), theirs, n);
}

/* ---- policies
 * ------------------------------------------------------------------------------------- */

struct policy_row {
	const char *name;
	bool replace;
	struct xfrm_policy_spec p;
};

static struct xfrm_tmpl tunnel(const char *src, const char *dst, uint32_t spi, uint32_t reqid)
{
	return (struct xfrm_tmpl){.src = ip(src),
				  .dst = ip(dst),
				  .spi = spi,
				  .proto = IPPROTO_ESP,
				  .mode = XF_TUNNEL,
				  .reqid = reqid};
}

static struct xfrm_policy_spec protect(enum xf_dir dir, uint32_t priority, struct xf_selector sel,
				       struct xfrm_tmpl t)
{
	return (struct xfrm_policy_spec){
	    .dir = dir, .priority = priority, .sel = sel, .n_tmpl = 1, .tmpl = {t}};
}

static unsigned int policy_rows(struct policy_row *r)
{
	struct xf_selector out = between("10.1.0.0", 16, "10.2.0.0", 24),
			   in = between("10.2.0.0", 24, "10.1.0.0", 16);
	struct xfrm_tmpl there = tunnel("192.0.2.1", "192.0.2.2", 0, 7),
			 here = tunnel("192.0.2.2", "192.0.2.1", 0, 7);
	struct xfrm_tmpl inside = {.proto = IPPROTO_ESP, .mode = XF_TRANSPORT, .reqid = 7};
	struct policy_row *first = r;

	*r++ = (struct policy_row){
	    "pol_out", false,
	    protect(XF_OUT, 200100, out, tunnel("192.0.2.1", "192.0.2.2", 0x1001, 0x58000001))};
	*r = (struct policy_row){"pol_out_if_id", false,
				 protect(XF_OUT, 0, between("0.0.0.0", 0, "0.0.0.0", 0),
					 tunnel("192.0.2.1", "192.0.2.2", 0x1001, 0x58000001))};
	r++->p.if_id = 0x58000009;
	*r = (struct policy_row){"pol_in_6in4", true,
				 protect(XF_IN, 7, between("fd00:2::", 48, "fd00:1::", 64),
					 tunnel("192.0.2.2", "192.0.2.1", 0, 0x58000001))};
	r++->p.if_id = 0x58000009;
	*r++ = (struct policy_row){
	    "pol_fwd_4in6", true,
	    protect(XF_FWD, 0, in, tunnel("2001:db8::2", "2001:db8::1", 0, 0x58000001))};
	*r++ = (struct policy_row){"pol_ports", false,
				   protect(XF_IN, 1, with_ports(out, IPPROTO_TCP, 443, 80), here)};
	*r++ = (struct policy_row){"pol_icmp", false,
				   protect(XF_FWD, 1, with_ports(out, IPPROTO_ICMP, 8, 0), here)};
	*r = (struct policy_row){"pol_mark", false, protect(XF_OUT, 1, out, there)};
	r->p.icmp = true, r++->p.mark = (struct xf_mark){0x2a, 0xff};
	*r = (struct policy_row){
	    "pol_transport", false,
	    protect(XF_OUT, 1,
		    with_ports(between("192.0.2.1", 32, "192.0.2.2", 32), IPPROTO_UDP, -1, -1),
		    inside)};
	r++->p.tmpl[0].spi = 0x1001;
	*r = (struct policy_row){"pol_ipcomp_out", false, protect(XF_OUT, 1, out, there)};
	r->p.tmpl[0].proto = IPPROTO_COMP, r->p.n_tmpl = 2, r->p.tmpl[1] = inside,
	r++->p.tmpl[1].spi = 0x1001;
	*r = (struct policy_row){"pol_ipcomp_in", false, protect(XF_IN, 1, in, here)};
	r->p.tmpl[0].proto = IPPROTO_COMP, r->p.tmpl[0].optional = true, r->p.n_tmpl = 2,
	r++->p.tmpl[1] = inside;
	*r++ = (struct policy_row){"pol_block",
				   false,
				   {.dir = XF_OUT,
				    .priority = 100000,
				    .action = XF_BLOCK,
				    .sel = between("2001:db8:5::", 48, "::", 0)}};
	*r = (struct policy_row){"pol_offload", false, protect(XF_OUT, 1, out, there)};
	r++->p.offload = (struct xf_offload){.wish = XF_OFFLOAD_PACKET, .ifindex = 1};
	return (unsigned int)(r - first);
}

static void check_policy_back(uint8_t *msg, const struct xfrm_policy_spec *p)
{
	struct xfrm_policy_info got;

	((struct nlmsghdr *)msg)->nlmsg_type = XFRM_MSG_NEWPOLICY;
	assert_int_equal(xfrm_get_policy((const void *)msg, &got), 0);
	assert_true(got.spec.dir == p->dir && got.spec.action == p->action &&
		    got.spec.priority == p->priority);
	assert_true(got.spec.if_id == p->if_id && got.spec.icmp == p->icmp);
	assert_memory_equal(&got.spec.mark, &p->mark, sizeof(p->mark));
	assert_true(same_selector(&got.spec.sel, &p->sel));
	assert_true(got.spec.offload.wish == p->offload.wish &&
		    got.spec.offload.ifindex == p->offload.ifindex);
	assert_int_equal(got.spec.n_tmpl, p->n_tmpl);
	for (unsigned int i = 0; i < p->n_tmpl; i++) {
		const struct xfrm_tmpl *a = &got.spec.tmpl[i], *b = &p->tmpl[i];

		assert_true(a->spi == b->spi && a->proto == b->proto && a->mode == b->mode);
		assert_true(a->reqid == b->reqid && a->optional == b->optional);
		if (b->dst.family)
			assert_true(addr_equal(&a->src, &b->src) && addr_equal(&a->dst, &b->dst));
	}
}

static void policies(void **state)
{
	_Alignas(8) uint8_t ours[XF_MSG_MAX], theirs[XF_MSG_MAX];
	struct policy_row row[16];
	unsigned int n = policy_rows(row);

	(void)state;
	assert_true(n <= 16);
	for (unsigned int i = 0; i < n; i++) {
		size_t len = fixture(row[i].name, theirs, sizeof(theirs));
		int r = xfrm_put_policy(ours, sizeof(ours), &row[i].p, row[i].replace, NULL);

		same(row[i].name, ours, r, theirs, len);
		for (size_t room = 0; room < (size_t)r; room++) {
			_Alignas(8) uint8_t tight[XF_MSG_MAX];

			assert_int_equal(xfrm_put_policy(tight, room, &row[i].p, false, NULL),
					 -ENOBUFS);
		}
		check_policy_back(ours, &row[i].p);
	}
}

static void policy_names(void **state)
{
	struct xfrm_policy_id a = {
	    .dir = XF_OUT, .sel = between("10.1.0.0", 16, "10.2.0.0", 24), .if_id = 0x58000009};
	struct xfrm_policy_id b = {
	    .dir = XF_FWD, .sel = between("fd00:1::", 64, "fd00:2::", 64), .mark = {0x2a, 0xff}};
	_Alignas(8) uint8_t ours[XF_MSG_MAX], theirs[XF_MSG_MAX];
	size_t n;

	(void)state;
	b.sel = with_ports(b.sel, IPPROTO_TCP, -1, 80);
	n = fixture("pol_del", theirs, sizeof(theirs));
	same("pol_del", ours, xfrm_put_policy_del(ours, sizeof(ours), &a), theirs, n);
	n = fixture("pol_del_mark", theirs, sizeof(theirs));
	same("pol_del_mark", ours, xfrm_put_policy_del(ours, sizeof(ours), &b), theirs, n);
}

/* ---- what no kernel could take
 * ---------------------------------------------------------------------- */

static void refused_sa(struct xfrm_sa_spec s, const char *words)
{
	static const struct xfrm_caps none;
	_Alignas(8) uint8_t buf[XF_MSG_MAX];
	char why[XF_TEXT_MAX] = "";

	assert_int_equal(xfrm_put_sa(buf, sizeof(buf), &s, &none, why), -EINVAL);
	if (!strstr(why, words))
		fail_msg("\"%s\" has no \"%s\"", why, words);
	assert_int_equal(xfrm_put_sa(buf, sizeof(buf), &s, &none, NULL), -EINVAL);
}

#define REFUSED(words, ...)                                                                        \
	do {                                                                                       \
		struct xfrm_sa_spec s = gcm();                                                     \
		__VA_ARGS__;                                                                       \
		refused_sa(s, words);                                                              \
	} while (0)

static void sa_mistakes(void **state)
{
	(void)state;
	REFUSED("direction", s.dir = XF_FWD);
	REFUSED("neither ESP", s.proto = IPPROTO_TCP);
	REFUSED("one family", s.src.family = 0);
	REFUSED("one family", s.src = ip("2001:db8::1"));
	REFUSED("SPI", s.spi = 0);
	REFUSED("SPI", s.proto = IPPROTO_COMP; s.encr = NULL; s.spi = 0x10000);
	REFUSED("replay window", s.window = XF_WINDOW_MAX + 1);
	REFUSED("without a replay window", s.dir = XF_IN; s.esn = true);
	REFUSED("no sequence numbers", s.proto = IPPROTO_COMP; s.encr = NULL; s.esn = true);
	REFUSED("only ESP", ciphers(&s, NULL, "sha256"); s.proto = IPPROTO_AH;
		s.encap.dport = 4500);
	REFUSED("traffic flow", s.mode = XF_TRANSPORT; s.tfc_pad = 100);
	REFUSED("BEET", s.mode = XF_BEET);
	REFUSED("one CPU", s.per_cpu = true);
	REFUSED("two address families", s.sel = between("10.0.0.0", 8, "10.0.0.0", 8);
		s.sel.dst = ip("::1"));
	REFUSED("prefix", s.sel = between("10.0.0.0", 33, "10.0.0.0", 8));
	REFUSED("prefix", s.sel = between("::", 0, "::", 129));
	REFUSED("combined", s.encr = NULL);
	REFUSED("combined", s.integ = alg_by_name("sha256", IKE_T_INTEG));
	REFUSED("combined", s.encr = alg_by_name("aes128", IKE_T_ENCR));
	REFUSED("integrity", s.proto = IPPROTO_AH);
	REFUSED("no keys", s.proto = IPPROTO_COMP);
	REFUSED("no key", s.encr_key.n--);
	REFUSED("no key", ciphers(&s, "aes128", "sha256"); s.integ_key.n++);
}

static void policy_mistakes(void **state)
{
	struct xfrm_policy_spec good = protect(XF_OUT, 1, between("10.1.0.0", 16, "10.2.0.0", 24),
					       tunnel("192.0.2.1", "192.0.2.2", 0, 7)),
				p;
	_Alignas(8) uint8_t buf[XF_MSG_MAX];
	char why[XF_TEXT_MAX];

	(void)state;
#define WRONG(words, ...)                                                                          \
	p = good;                                                                                  \
	__VA_ARGS__;                                                                               \
	assert_int_equal(xfrm_put_policy(buf, sizeof(buf), &p, false, why), -EINVAL);              \
	assert_non_null(strstr(why, words))
	WRONG("direction", p.dir = 3);
	WRONG("one address family", p.sel = (struct xf_selector){0});
	WRONG("two address families", p.sel.dst = ip("::"));
	WRONG("templates", p.n_tmpl = XF_TMPL_MAX + 1);
	WRONG("template of two", p.tmpl[0].src = ip("::1"));
	WRONG("names its ends", p.tmpl[0].src.family = p.tmpl[0].dst.family = 0);
	WRONG("offloaded whole", p.offload.wish = XF_OFFLOAD_CRYPTO; p.offload.ifindex = 1);
	WRONG("offloaded whole", p.offload.wish = XF_OFFLOAD_PACKET);
}

/* ip cannot ask for it: header, then one struct an SA, then the new ports, then the interface. */
static void migrate(void **state)
{
	struct xfrm_migrate_spec m = {
	    .policy = {.dir = XF_OUT, .sel = between("10.1.0.0", 16, "10.2.0.0", 24), .if_id = 9},
	    .n = 1,
	    .sa = {{ip("192.0.2.1"), ip("192.0.2.2"), ip("2001:db8::1"), ip("2001:db8::2"),
		    IPPROTO_ESP, XF_TUNNEL, 7}},
	    .encap = {.sport = 4500, .dport = 4501},
	};
	_Alignas(8) uint8_t buf[XF_MSG_MAX];
	struct xfrm_user_migrate u;
	const struct nlattr *a;
	char why[XF_TEXT_MAX];
	int n = xfrm_put_migrate(buf, sizeof(buf), &m, why);

	(void)state;
	assert_int_equal(n, NLMSG_HDRLEN + sizeof(struct xfrm_userpolicy_id) + NLA_HDRLEN +
				sizeof(u) + 28 + 8);
	a = mnl_nlmsg_get_payload_offset((void *)buf, sizeof(struct xfrm_userpolicy_id));
	assert_int_equal(mnl_attr_get_type(a), XFRMA_MIGRATE);
	memcpy(&u, mnl_attr_get_payload(a), sizeof(u));
	assert_true(u.old_family == AF_INET && u.new_family == AF_INET6 && u.reqid == 7 &&
		    u.mode == 1);
	assert_memory_equal(&u.new_daddr, m.sa[0].new_dst.b, 16);
	assert_memory_equal(&u.old_saddr, m.sa[0].old_src.b, 4);
	m.n = 0;
	assert_int_equal(xfrm_put_migrate(buf, sizeof(buf), &m, why), -EINVAL);
	m.n = XF_MIGRATE_MAX + 1;
	assert_int_equal(xfrm_put_migrate(buf, sizeof(buf), &m, why), -EINVAL);
	m.n = 1;
	m.sa[0].new_src.family = 0;
	assert_int_equal(xfrm_put_migrate(buf, sizeof(buf), &m, why), -EINVAL);
}

/* New kernels alone: a CPU; and inbound in UDP, changes of the mapping once a second. */
static void newer(void **state)
{
	static const struct xfrm_caps caps = {.sa_dir = true, .sa_pcpu = true};
	struct xfrm_sa_spec s = gcm();
	_Alignas(8) uint8_t buf[XF_MSG_MAX];
	struct xfrm_sa_info got;
	const size_t head = sizeof(struct xfrm_usersa_info);

	(void)state;
	s.per_cpu = true;
	s.cpu = 3;
	s.encap.sport = s.encap.dport = 4500;
	assert_true(xfrm_put_sa(buf, sizeof(buf), &s, &caps, NULL) > 0);
	assert_false(has_attr(buf, head, XFRMA_MTIMER_THRESH));
	assert_int_equal(xfrm_get_sa((void *)buf, &got), 0);
	assert_true(got.spec.per_cpu && got.spec.cpu == 3 && got.dir_known &&
		    got.spec.dir == XF_OUT);
	s.dir = XF_IN;
	s.flags = (struct xf_flags){
	    .no_pmtu = true, .no_encap_dscp = true, .decap_dscp = true, .oseq_may_wrap = true};
	assert_true(xfrm_put_sa(buf, sizeof(buf), &s, &caps, NULL) > 0);
	assert_true(has_attr(buf, head, XFRMA_MTIMER_THRESH));
	assert_false(has_attr(buf, head, XFRMA_SA_EXTRA_FLAGS));
	assert_int_equal(xfrm_get_sa((void *)buf, &got), 0);
	assert_true(got.spec.flags.decap_dscp && !got.spec.flags.no_pmtu && got.spec.dir == XF_IN);
}

/* ---- answers and events
 * ------------------------------------------------------------------------------- */

static struct nlmsghdr *message(void *buf, uint16_t type, const void *head, size_t n)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = type;
	if (n)
		memcpy(mnl_nlmsg_put_extra_header(nlh, n), head, n);
	return nlh;
}

static void acks(void **state)
{
	_Alignas(8) uint8_t buf[512];
	struct nlmsgerr e = {.error = -EEXIST, .msg.nlmsg_len = 400};
	struct nlmsghdr *nlh = message(buf, NLMSG_ERROR, &e, sizeof(e));
	char text[XF_TEXT_MAX];
	int error;

	(void)state;
	assert_int_equal(xfrm_get_ack(nlh, &error, text), 0);
	assert_true(error == -EEXIST && !text[0]);
	nlh->nlmsg_flags = NLM_F_ACK_TLVS | NLM_F_CAPPED;
	mnl_attr_put_strz(nlh, NLMSGERR_ATTR_MSG, "there is one");
	assert_int_equal(xfrm_get_ack(nlh, &error, text), 0);
	assert_string_equal(text, "there is one");
	/* Not capped: the request of 400 bytes stands in front of the text, so none is left. */
	nlh->nlmsg_flags = NLM_F_ACK_TLVS;
	assert_int_equal(xfrm_get_ack(nlh, &error, text), 0);
	assert_string_equal(text, "");
	/* An end that is missing. */
	nlh = message(buf, NLMSG_ERROR, &e, sizeof(e));
	nlh->nlmsg_flags = NLM_F_ACK_TLVS | NLM_F_CAPPED;
	mnl_attr_put(nlh, NLMSGERR_ATTR_MSG, 3, "abc");
	assert_int_equal(xfrm_get_ack(nlh, &error, text), 0);
	assert_string_equal(text, "abc");
	nlh->nlmsg_len = NLMSG_HDRLEN + sizeof(e) - 1;
	assert_int_equal(xfrm_get_ack(nlh, &error, text), -EBADMSG);
	e.error = 1;
	assert_int_equal(xfrm_get_ack(message(buf, NLMSG_ERROR, &e, sizeof(e)), &error, text),
			 -EBADMSG);
	e.error = INT32_MIN;
	assert_int_equal(xfrm_get_ack(message(buf, NLMSG_ERROR, &e, sizeof(e)), &error, text),
			 -EBADMSG);
	assert_int_equal(xfrm_get_ack(message(buf, NLMSG_DONE, &e, sizeof(e)), &error, text),
			 -EBADMSG);
}

static void events_of_sas(void **state)
{
	struct xfrm_usersa_info info = {.id = {.spi = htonl(0x1001), .proto = IPPROTO_ESP},
					.family = AF_INET,
					.reqid = 7,
					.curlft = {.bytes = 100, .packets = 3, .add_time = 5}};
	struct xfrm_user_expire expire = {.hard = 1};
	struct xfrm_usersa_id id = {.spi = htonl(0x1001), .family = AF_INET, .proto = IPPROTO_ESP};
	struct xfrm_user_mapping map = {
	    .id = id, .reqid = 7, .old_sport = htons(4500), .new_sport = htons(1025)};
	struct xfrm_usersa_flush flush = {.proto = IPPROTO_ESP};
	struct ip_addr a = ip("192.0.2.1"), b = ip("192.0.2.2");
	_Alignas(8) uint8_t buf[1024];
	struct nlmsghdr *nlh;
	struct xfrm_event ev;

	(void)state;
	memcpy(&info.saddr, a.b, 4);
	memcpy(&info.id.daddr, b.b, 4);
	memcpy(&id.daddr, b.b, 4);
	expire.state = info;
	nlh = message(buf, XFRM_MSG_EXPIRE, &expire, sizeof(expire));
	mnl_attr_put_u32(nlh, XFRMA_IF_ID, 9);
	assert_int_equal(xfrm_get_event(nlh, &ev), 1);
	assert_true(ev.kind == XF_EV_EXPIRE && ev.expire.hard && ev.expire.id.spi == 0x1001 &&
		    ev.expire.if_id == 9);
	assert_true(ev.expire.bytes == 100 && ev.expire.packets == 3 && ev.expire.added_s == 5);
	assert_true(addr_equal(&ev.expire.id.dst, &b) && addr_equal(&ev.expire.src, &a));

	nlh = message(buf, XFRM_MSG_DELSA, &id, sizeof(id));
	mnl_attr_put(nlh, XFRMA_SA, sizeof(info), &info);
	mnl_attr_put_u32(nlh, XFRMA_IF_ID, 9);
	assert_int_equal(xfrm_get_event(nlh, &ev), 1);
	assert_true(ev.kind == XF_EV_SA_GONE && ev.sa.reqid == 7 && ev.sa.if_id == 9 &&
		    ev.sa.id.spi == 0x1001);
	assert_true(addr_equal(&ev.sa.src, &a) && addr_equal(&ev.sa.id.dst, &b));

	map.id.daddr = id.daddr;
	memcpy(&map.old_saddr, a.b, 4);
	memcpy(&map.new_saddr, b.b, 4);
	assert_int_equal(xfrm_get_event(message(buf, XFRM_MSG_MAPPING, &map, sizeof(map)), &ev), 1);
	assert_true(ev.kind == XF_EV_MAPPING && ev.mapping.from.port == 4500 &&
		    ev.mapping.to.port == 1025);
	assert_true(addr_equal(&ev.mapping.from.ip, &a) && addr_equal(&ev.mapping.to.ip, &b));

	assert_int_equal(xfrm_get_event(message(buf, XFRM_MSG_FLUSHSA, &flush, sizeof(flush)), &ev),
			 1);
	assert_true(ev.kind == XF_EV_SA_FLUSHED && ev.proto == IPPROTO_ESP);
	assert_int_equal(xfrm_get_event(message(buf, XFRM_MSG_NEWSA, &info, sizeof(info)), &ev), 0);
}

static void events_of_policies(void **state)
{
	struct xfrm_user_acquire acq = {
	    .id = {.proto = IPPROTO_ESP},
	    .sel = {.family = AF_INET, .dport = htons(80)},
	    .policy = {.index = 9, .dir = XFRM_POLICY_OUT, .sel.family = AF_INET}};
	struct xfrm_userpolicy_id id = {.dir = XFRM_POLICY_FWD, .index = 3};
	struct xfrm_userpolicy_info info = {.index = 17,
					    .sel = {.family = AF_INET6, .prefixlen_d = 64}};
	struct xfrm_user_tmpl t = {.reqid = 7, .family = AF_INET};
	_Alignas(8) uint8_t buf[1024];
	struct nlmsghdr *nlh = message(buf, XFRM_MSG_ACQUIRE, &acq, sizeof(acq));
	struct xfrm_event ev;

	(void)state;
	mnl_attr_put(nlh, XFRMA_TMPL, sizeof(t), &t);
	mnl_attr_put_u32(nlh, XFRMA_IF_ID, 9);
	mnl_attr_put_u32(nlh, XF_A_SA_PCPU, 1);
	assert_int_equal(xfrm_get_event(nlh, &ev), 1);
	assert_true(ev.kind == XF_EV_ACQUIRE && ev.acquire.sel.dport == 80 &&
		    ev.acquire.index == 9);
	assert_true(ev.acquire.policy.if_id == 9 && ev.acquire.policy.dir == XF_OUT);
	assert_true(ev.acquire.policy.n_tmpl == 1 && ev.acquire.policy.tmpl[0].reqid == 7);
	assert_true(ev.acquire.per_cpu && ev.acquire.cpu == 1);

	nlh = message(buf, XFRM_MSG_DELPOLICY, &id, sizeof(id));
	assert_int_equal(xfrm_get_event(nlh, &ev), 1);
	assert_true(ev.kind == XF_EV_POLICY_GONE && ev.policy.id.dir == XF_FWD &&
		    ev.policy.index == 3);
	mnl_attr_put(nlh, XFRMA_POLICY, sizeof(info), &info);
	assert_int_equal(xfrm_get_event(nlh, &ev), 1);
	assert_true(ev.policy.index == 17 && ev.policy.id.sel.dst_len == 64 &&
		    ev.policy.id.sel.dst.family == 6);
	assert_int_equal(xfrm_get_event(message(buf, XFRM_MSG_FLUSHPOLICY, NULL, 0), &ev), 1);
	assert_int_equal(ev.kind, XF_EV_POLICY_FLUSHED);
}

/* A fixed part that ends too early, for each message that has one. */
static void short_messages(void **state)
{
	static const uint16_t types[] = {XFRM_MSG_ACQUIRE, XFRM_MSG_EXPIRE,    XFRM_MSG_MAPPING,
					 XFRM_MSG_DELSA,   XFRM_MSG_DELPOLICY, XFRM_MSG_FLUSHSA};
	struct nlmsghdr nlh = {.nlmsg_len = NLMSG_HDRLEN};
	struct xfrm_policy_info policy;
	struct xfrm_sa_info sa;
	struct xfrm_event ev;

	(void)state;
	for (unsigned int i = 0; i < sizeof(types) / sizeof(*types); i++) {
		nlh.nlmsg_type = types[i];
		assert_int_equal(xfrm_get_event(&nlh, &ev), -EBADMSG);
	}
	nlh.nlmsg_type = XFRM_MSG_NEWSA;
	assert_int_equal(xfrm_get_sa(&nlh, &sa), -EBADMSG);
	nlh.nlmsg_type = XFRM_MSG_NEWPOLICY;
	assert_int_equal(xfrm_get_policy(&nlh, &policy), -EBADMSG);
}

/* Lengths of a message that are too short, too long, and negative where somebody takes them for an
 * int. */
static void lengths(void **state)
{
	static const uint32_t wrong[] = {0, 15, 41, 0x7fffffff, 0x80000000, 0xffffffff};
	_Alignas(8) uint8_t buf[40] = {0};
	struct nlmsghdr *nlh = (void *)buf;
	struct slice left;

	(void)state;
	for (unsigned int i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		nlh->nlmsg_len = wrong[i];
		left = slice_of(buf, sizeof(buf));
		assert_null(xfrm_next_message(&left));
	}
	nlh->nlmsg_len = 17; /* the next begins at 20 */
	nlh = (void *)(buf + 20);
	nlh->nlmsg_len = 18;
	left = slice_of(buf, 38);
	assert_ptr_equal(xfrm_next_message(&left), buf);
	assert_ptr_equal(xfrm_next_message(&left), buf + 20);
	assert_null(xfrm_next_message(&left));
	left = slice_of(buf, 15);
	assert_null(xfrm_next_message(&left));
}

/* An attribute shorter than what it should hold is as if it were not there. */
static void short_attributes(void **state)
{
	struct xfrm_usersa_info info = {.family = AF_INET};
	struct xfrm_sa_info got;

	(void)state;
	for (uint16_t type = 1; type <= XF_A_SA_PCPU; type++) {
		_Alignas(8) uint8_t buf[512];
		struct nlmsghdr *nlh = message(buf, XFRM_MSG_NEWSA, &info, sizeof(info));

		if (type == XF_A_SA_DIR)
			continue;
		mnl_attr_put(nlh, type, 3, "\xff\xff\xff");
		assert_int_equal(xfrm_get_sa(nlh, &got), 0);
		assert_true(!got.encr[0] && !got.integ[0] && !got.comp[0] && !got.spec.if_id &&
			    !got.spec.per_cpu);
		assert_true(!got.spec.encap.dport && !got.spec.mark.mask &&
			    !got.spec.offload.ifindex);
		assert_true(!got.spec.tfc_pad && !got.last_used_s && !got.seq && !got.oseq);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sas),
	    cmocka_unit_test(sa_names),
	    cmocka_unit_test(policies),
	    cmocka_unit_test(policy_names),
	    cmocka_unit_test(sa_mistakes),
	    cmocka_unit_test(policy_mistakes),
	    cmocka_unit_test(migrate),
	    cmocka_unit_test(newer),
	    cmocka_unit_test(acks),
	    cmocka_unit_test(events_of_sas),
	    cmocka_unit_test(events_of_policies),
	    cmocka_unit_test(short_messages),
	    cmocka_unit_test(short_attributes),
	    cmocka_unit_test(lengths),
	};

	for (unsigned int i = 0; i < sizeof(key_bytes); i++)
		key_bytes[i] = (uint8_t)(i + 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
