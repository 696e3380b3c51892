/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/engine/xfrm/probe.h"
#include "tests/unit/xfrm_world.h"

/* SAs: skipped, with the reason, where the kernel has no ESP; tests/kernel/xfrm_client.sh runs it
 * where there is. */

static void same_sa(const struct xfrm_sa_spec *a, const struct xfrm_sa_info *got)
{
	const struct xfrm_sa_spec *b = &got->spec;

	assert_true(addr_equal(&b->src, &a->src) && addr_equal(&b->dst, &a->dst));
	assert_true(b->spi == a->spi && b->proto == a->proto && b->mode == a->mode &&
		    b->reqid == a->reqid);
	assert_true(b->if_id == a->if_id && b->esn == a->esn);
	if (a->dir == XF_IN)
		assert_int_equal(b->window, a->window);
	assert_memory_equal(&b->limits, &a->limits, sizeof(a->limits));
	assert_true(b->encap.sport == a->encap.sport && b->encap.dport == a->encap.dport);
	assert_true(b->mark.mask == a->mark.mask && b->set_mark.mask == a->set_mark.mask);
	assert_string_equal(got->encr, a->encr ? a->encr->xfrm : "");
	assert_string_equal(got->integ, a->integ ? a->integ->xfrm : "");
	assert_int_equal(got->encr_bits, a->encr_key.n * 8);
	if (a->integ || a->encr)
		assert_int_equal(got->icv_bits, (a->integ ? a->integ : a->encr)->icv_len * 8);
	assert_true(!got->bytes && !got->packets && !got->seq && !got->oseq && got->added_s);
}

static int add_and_compare(struct side *s, const struct xfrm_sa_spec *spec)
{
	struct xfrm_sa_id id = name_of_sa(spec);
	struct xfrm_sa_info got;
	int r = DO(s, xfrm_sa_add(s->c, spec, &wt, NULL));

	if (r)
		return r;
	assert_int_equal(xfrm_sa_get(s->c, &id, &got), 0);
	same_sa(spec, &got);
	assert_int_equal(DO(s, xfrm_sa_add(s->c, spec, &wt, NULL)), -EEXIST);
	assert_int_equal(DO(s, xfrm_sa_del(s->c, &id, &wt)), 0);
	assert_int_equal(DO(s, xfrm_sa_del(s->c, &id, &wt)), -ESRCH);
	assert_int_equal(xfrm_sa_get(s->c, &id, &got), -ESRCH);
	return 0;
}

/* Each cipher with a MAC where it wants one, each MAC with a cipher; both directions. */
static void suites(void **state)
{
	struct side *s;
	const struct alg *a;
	unsigned int n = 0, lacking = 0;

	(void)state;
	need_esp();
	s = side_new(0, 0);
	for (unsigned int i = 0; (a = alg_at(i)); i++) {
		bool cipher = a->type == IKE_T_ENCR;
		struct xfrm_sa_spec spec;
		int r;

		if (!a->esp || !a->xfrm || (!cipher && a->type != IKE_T_INTEG))
			continue;
		spec =
		    cipher ? sa(n, a->name, a->aead ? NULL : "sha256") : sa(n, "aes128", a->name);
		spec.dir = n++ & 1 ? XF_IN : XF_OUT;
		spec.window = spec.dir == XF_IN ? 32 : 0;
		r = add_and_compare(s, &spec);
		if (r) {
			print_message("%s: %s (%s)\n", a->name, strerror(-r), s->text);
			assert_true(a->legacy || r == -ENOSYS || r == -EINVAL);
			lacking++;
		}
	}
	print_message("%u suites, %u not in this kernel\n", n, lacking);
	assert_true(n - lacking >= 20);
	assert_int_equal(sas_there(s), 0);
	side_free(s);
}

/* All that an SA can be, one after the other. */
static void shapes(void **state)
{
	struct side *s;
	struct xfrm_sa_spec spec;
	static const uint32_t windows[] = {0, 1, 32, 33, 128, 4096};

	(void)state;
	need_esp();
	s = side_new(0, 0);
	for (unsigned int i = 0; i < sizeof(windows) / sizeof(*windows); i++)
		for (unsigned int esn = 0; esn < 2; esn++)
			for (unsigned int dir = XF_IN; dir <= XF_OUT; dir++) {
				spec = sa(i, "aes256gcm16", NULL);
				spec.dir = dir;
				spec.esn = esn;
				spec.window = windows[i];
				if (esn && !windows[i] && dir == XF_IN)
					assert_int_equal(xfrm_sa_add(s->c, &spec, NULL, NULL),
							 -EINVAL);
				else
					assert_int_equal(add_and_compare(s, &spec), 0);
			}
	spec = sa(1, "aes128gcm16", NULL);
	spec.src = ip("2001:db8::1");
	spec.dst = ip("2001:db8::2");
	assert_int_equal(add_and_compare(s, &spec), 0);
	spec.sel = (struct xf_selector){
	    .src = ip("10.0.0.0"), .src_len = 8, .dst = ip("10.9.0.0"), .dst_len = 16};
	assert_int_equal(add_and_compare(s, &spec), 0);
	spec.mode = XF_TRANSPORT;
	spec.sel = (struct xf_selector){0};
	assert_int_equal(add_and_compare(s, &spec), 0);
	spec = sa(1, NULL, "sha256");
	spec.proto = IPPROTO_AH;
	assert_int_equal(add_and_compare(s, &spec), 0);
	spec = sa(1, NULL, NULL);
	spec.proto = IPPROTO_COMP;
	assert_int_equal(add_and_compare(s, &spec), 0);
	spec = sa(1, "aes128gcm16", NULL);
	spec.encap = (struct xf_encap){.sport = 4500, .dport = 1025};
	spec.if_id = 0x58000001;
	spec.mark = (struct xf_mark){0x2a, 0xff};
	spec.set_mark = (struct xf_mark){0x15, 0xffff};
	spec.limits = (struct xf_limits){1000, 2000, 10, 20, 3000, 3600};
	spec.tfc_pad = 500;
	spec.flags = (struct xf_flags){
	    .no_ecn = true, .no_pmtu = true, .decap_dscp = true, .no_encap_dscp = true};
	assert_int_equal(add_and_compare(s, &spec), 0);
	spec.dir = XF_IN;
	spec.window = 64;
	assert_int_equal(add_and_compare(s, &spec), 0);
	assert_int_equal(sas_there(s), 0);
	side_free(s);
}

static void per_cpu(void **state)
{
	struct side *s;
	struct xfrm_sa_spec spec;
	struct xfrm_sa_info got;
	struct xfrm_sa_id id;
	char why[XF_TEXT_MAX];

	(void)state;
	need_esp();
	s = side_new(0, 0);
	spec = sa(1, "aes128gcm16", NULL);
	spec.per_cpu = true;
	spec.cpu = 1;
	id = name_of_sa(&spec);
	if (xfrm_sa_add(s->c, &spec, NULL, why) == -EINVAL) {
		print_message("skipped: %s\n", why);
		side_free(s);
		skip();
	}
	xfrm_flush(s->c);
	assert_int_equal(xfrm_sa_get(s->c, &id, &got), 0);
	assert_true(got.spec.per_cpu && got.spec.cpu == 1);
	assert_int_equal(DO(s, xfrm_sa_del(s->c, &id, &wt)), 0);
	spec.cpu = 1 << 20;
	assert_true(DO(s, xfrm_sa_add(s->c, &spec, &wt, NULL)) < 0);
	clean("state");
	side_free(s);
}

/* 1,000 pairs: two SAs and three policies each. Another program's stay. */
static void thousand_pairs(void **state)
{
	struct side *s, *they;
	struct xfrm_sa_spec foreign;
	struct xfrm_client_stat stat;
	unsigned int n = 0;
	uint64_t t;

	(void)state;
	need_esp();
	they = side_new(0, 0);
	foreign = sa(7, "aes128gcm16", NULL);
	foreign.dst = ip("192.0.2.99");
	foreign.reqid = 1;
	assert_int_equal(DO(they, xfrm_sa_add(they->c, &foreign, &wt, NULL)), 0);
	s = side_new(0, 0);
	t = now_us();
	for (unsigned int i = 0; i < 1000; i++) {
		struct xfrm_sa_spec out = sa(i, "aes256gcm16", NULL), in = out;

		in.dir = XF_IN;
		in.src = out.dst;
		in.dst = out.src;
		in.window = 128;
		struct xfrm_wait wt = wait_for(s, n++);
		assert_int_equal(xfrm_sa_add(s->c, &in, &wt, NULL), 0);
		wt = wait_for(s, n++);
		assert_int_equal(xfrm_sa_add(s->c, &out, &wt, NULL), 0);
		for (enum xf_dir d = XF_IN; d <= XF_FWD; d++) {
			struct xfrm_policy_spec p = policy(i, d);

			wt = wait_for(s, n++);
			assert_int_equal(xfrm_policy_add(s->c, &p, &wt, NULL), 0);
		}
	}
	xfrm_flush(s->c);
	t = now_us() - t;
	assert_int_equal(s->answers, 5000);
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(s->error[i], 0);
	xfrm_client_stat_get(s->c, &stat);
	print_message("1,000 pairs with 3,000 policies: %llu ms, %llu system calls to send\n",
		      (unsigned long long)t / 1000, (unsigned long long)stat.batches);
	assert_int_equal(sas_there(s), 2001);
	assert_int_equal(policies_there(s), 3000);
	t = now_us();
	for (unsigned int i = 0; i < 1000; i++) {
		struct xfrm_sa_spec out = sa(i, "aes256gcm16", NULL);
		struct xfrm_sa_id id = name_of_sa(&out);

		assert_int_equal(xfrm_sa_del(s->c, &id, NULL), 0);
		id.dst = out.src;
		assert_int_equal(xfrm_sa_del(s->c, &id, NULL), 0);
		for (enum xf_dir d = XF_IN; d <= XF_FWD; d++) {
			struct xfrm_policy_spec p = policy(i, d);
			struct xfrm_policy_id pid = name_of(&p);

			assert_int_equal(xfrm_policy_del(s->c, &pid, NULL), 0);
		}
	}
	xfrm_flush(s->c);
	print_message("all deleted: %llu ms\n", (unsigned long long)(now_us() - t) / 1000);
	xfrm_client_stat_get(s->c, &stat);
	assert_true(!stat.failed && !stat.lost_answers);
	assert_int_equal(sas_there(s), 1);
	assert_int_equal(policies_there(s), 0);
	turns();
	assert_int_equal(s->events, 0);
	clean("state");
	side_free(s);
	side_free(they);
}

static void lost_sas(void **state)
{
	struct side *s;
	struct xfrm_client_stat stat;

	(void)state;
	need_esp();
	s = side_new(1, 0);
	for (unsigned int i = 0; i < 60; i++) {
		struct xfrm_sa_spec spec = sa(i / 2, "aes128gcm16", NULL);
		struct xfrm_wait wt = wait_for(s, i);

		/* Each SPI twice, the second for another reqid. */
		spec.reqid += 1000 * (i & 1);
		assert_int_equal(xfrm_sa_add(s->c, &spec, &wt, NULL), 0);
	}
	turns();
	for (unsigned int i = 0; i < 60; i++)
		assert_int_equal(s->error[i], i & 1 ? -EEXIST : 0);
	xfrm_client_stat_get(s->c, &stat);
	assert_true(stat.lost_answers > 10);
	assert_int_equal(sas_there(s), 30);
	clean("state");
	side_free(s);
}

static void sa_events(void **state)
{
	struct side *us, *they;
	struct xfrm_sa_spec a, b;
	struct xfrm_sa_id id;
	const struct xfrm_event *ev;
	bool soft = false, hard = false;

	(void)state;
	need_esp();
	us = side_new(0, 0);
	they = side_new(0, 0);
	a = sa(1, "aes128gcm16", NULL);
	a.if_id = 9;
	a.mark = (struct xf_mark){0x2a, 0xff};
	id = name_of_sa(&a);
	assert_int_equal(DO(us, xfrm_sa_add(us->c, &a, &wt, NULL)), 0);
	assert_int_equal(DO(they, xfrm_sa_del(they->c, &id, &wt)), 0);
	assert_true(run_until_event(us, XF_EV_SA_GONE));
	ev = event_of(us, XF_EV_SA_GONE);
	assert_true(ev->sa.id.spi == a.spi && ev->sa.reqid == a.reqid && ev->sa.if_id == 9);
	assert_true(addr_equal(&ev->sa.id.dst, &a.dst) && addr_equal(&ev->sa.src, &a.src));
	assert_true(ev->sa.id.mark.value == 0x2a && ev->sa.id.mark.mask == 0xff);
	/* A soft limit by time, then a hard one. */
	b = sa(2, "aes128gcm16", NULL);
	b.limits.soft_s = 1;
	b.limits.hard_s = 2;
	assert_int_equal(DO(us, xfrm_sa_add(us->c, &b, &wt, NULL)), 0);
	us->events = 0;
	for (uint64_t end = now_us() + WAIT_MS * 1000; now_us() < end && !hard;) {
		struct timeval ms10 = {.tv_usec = 10000};

		event_base_loopexit(w.base, &ms10);
		event_base_dispatch(w.base);
		for (unsigned int i = 0; i < us->events; i++) {
			ev = &us->event[i];
			assert_true(ev->kind == XF_EV_EXPIRE && ev->expire.id.spi == b.spi);
			assert_int_equal(ev->expire.reqid, b.reqid);
			soft |= !ev->expire.hard;
			hard |= ev->expire.hard;
		}
	}
	assert_true(soft && hard);
	assert_int_equal(sas_there(us), 0);
	assert_int_equal(DO(us, xfrm_sa_add(us->c, &a, &wt, NULL)), 0);
	us->events = 0;
	clean("state");
	assert_true(run_until_event(us, XF_EV_SA_FLUSHED));
	side_free(us);
	side_free(they);
}

/* An SA and its policy go to other addresses after three packets: the numbers go on. */
static void moves(void **state)
{
	struct side *s;
	struct xfrm_sa_spec out;
	struct xfrm_policy_spec p = policy(1, XF_OUT);
	struct xfrm_migrate_spec m;
	struct xfrm_sa_id id;
	struct xfrm_sa_info info;
	struct xfrm_policy_info pol;
	int r;

	(void)state;
	need_esp();
	assert_int_equal(
	    system("ip link add mov0 type veth peer mov1 && ip addr add 192.0.2.1/24 dev mov0 && "
		   "ip link set mov0 up && ip link set mov1 up && ip route add 10.2.0.0/16 via "
		   "192.0.2.2 && "
		   "ip neigh add 192.0.2.2 dev mov0 lladdr 02:00:00:00:00:01"),
	    0);
	s = side_new(0, 0);
	out = sa(1, "aes128gcm16", NULL);
	out.encap = (struct xf_encap){.sport = 4500, .dport = 4500};
	out.limits.hard_bytes = 1000000;
	p.sel.src = ip("192.0.2.1");
	p.sel.src_len = 32;
	assert_int_equal(DO(s, xfrm_sa_add(s->c, &out, &wt, NULL)), 0);
	assert_int_equal(DO(s, xfrm_policy_add(s->c, &p, &wt, NULL)), 0);
	for (int i = 0; i < 3; i++)
		knock("10.2.0.1");
	id = name_of_sa(&out);
	assert_int_equal(xfrm_sa_get(s->c, &id, &info), 0);
	assert_true(info.oseq == 3 && info.packets == 3);
	m = (struct xfrm_migrate_spec){
	    .policy = name_of(&p),
	    .n = 1,
	    .sa = {{out.src, out.dst, ip("192.0.2.11"), ip("192.0.2.12"), IPPROTO_ESP, XF_TUNNEL,
		    out.reqid}},
	    .encap = {.sport = 4500, .dport = 1025},
	};
	r = DO(s, xfrm_migrate(s->c, &m, &wt, NULL));
	assert_int_equal(r, 0);
	assert_int_equal(xfrm_sa_get(s->c, &id, &info), -ESRCH);
	id.dst = ip("192.0.2.12");
	assert_int_equal(xfrm_sa_get(s->c, &id, &info), 0);
	assert_true(info.spec.reqid == out.reqid && info.spec.encap.dport == 1025 &&
		    info.oseq == 3);
	assert_int_equal(info.spec.limits.hard_bytes, 1000000);
	assert_int_equal(xfrm_policy_get(s->c, &m.policy, &pol), 0);
	assert_true(addr_equal(&pol.spec.tmpl[0].dst, &id.dst) &&
		    pol.spec.tmpl[0].spi == p.tmpl[0].spi);
	/* Again, and for a policy that is not there: nothing to move. */
	r = DO(s, xfrm_migrate(s->c, &m, &wt, NULL));
	print_message("moved twice: %s (%s)\n", strerror(-r), s->text);
	assert_true(r < 0 && r != -EOPNOTSUPP);
	m.policy.if_id = 77;
	r = DO(s, xfrm_migrate(s->c, &m, &wt, NULL));
	print_message("no policy: %s (%s)\n", strerror(-r), s->text);
	assert_true(r < 0 && r != -EOPNOTSUPP);
	clean("policy");
	clean("state");
	assert_int_equal(system("ip link del mov0"), 0);
	side_free(s);
}

/* A veth can offload nothing: by name an error that says so, auto goes on in software. */
static void offload(void **state)
{
	struct side *s;
	struct xfrm_sa_spec spec;
	struct xfrm_sa_info got;
	struct xfrm_sa_id id;
	char why[XF_TEXT_MAX];

	(void)state;
	need_esp();
	assert_int_equal(
	    system("ip link add off0 type veth peer off1 && ip addr add 192.0.2.1/24 dev off0 && "
		   "ip link set off0 up && ip link set off1 up"),
	    0);
	s = side_new(0, 0);
	spec = sa(1, "aes128gcm16", NULL);
	id = name_of_sa(&spec);
	spec.offload.wish = XF_OFFLOAD_PACKET;
	assert_true(DO(s, xfrm_sa_add(s->c, &spec, &wt, NULL)) < 0);
	assert_non_null(strstr(s->text, "no packet offload by off0"));
	spec.offload.wish = XF_OFFLOAD_CRYPTO;
	assert_int_equal(DO(s, xfrm_sa_add(s->c, &spec, &wt, NULL)), -EOPNOTSUPP);
	assert_non_null(strstr(s->text, "no crypto offload by off0"));
	assert_int_equal(sas_there(s), 0);
	spec.offload.wish = XF_OFFLOAD_AUTO;
	assert_int_equal(DO(s, xfrm_sa_add(s->c, &spec, &wt, NULL)), 0);
	print_message("auto: %s\n", s->text);
	assert_non_null(strstr(s->text, "software"));
	assert_int_equal(xfrm_sa_get(s->c, &id, &got), 0);
	assert_int_equal(got.spec.offload.wish, XF_OFFLOAD_NO);
	assert_int_equal(DO(s, xfrm_sa_add(s->c, &spec, &wt, NULL)), -EEXIST);
	assert_int_equal(DO(s, xfrm_sa_del(s->c, &id, &wt)), 0);
	/* No route to the peer. */
	spec.dst = ip("203.0.113.1");
	assert_int_equal(DO(s, xfrm_sa_add(s->c, &spec, &wt, NULL)), 0);
	assert_non_null(strstr(s->text, "software"));
	spec.spi++;
	spec.offload.wish = XF_OFFLOAD_PACKET;
	assert_true(DO(s, xfrm_sa_add(s->c, &spec, &wt, NULL)) < 0);
	assert_non_null(strstr(s->text, "no interface"));
	spec.offload.ifindex = 4711;
	assert_int_equal(DO(s, xfrm_sa_add(s->c, &spec, &wt, NULL)), -ENODEV);
	/* What is wrong in itself is refused before anything is asked. */
	spec.spi = 0;
	assert_int_equal(xfrm_sa_add(s->c, &spec, NULL, why), -EINVAL);
	clean("state");
	assert_int_equal(system("ip link del off0"), 0);
	side_free(s);
}

/* What is there and, in words, what is not; nothing is left behind. */
static void probe(void **state)
{
	struct xfrm_probe p;
	struct side *s;
	uint64_t t = now_us();

	(void)state;
	need_world();
	assert_int_equal(xfrm_probe_run(&p), 0);
	print_message("probed in %llu ms\n", (unsigned long long)(now_us() - t) / 1000);
	for (int f = 0; f < XF_FEATURES; f++) {
		print_message("%s: %s\n", xfrm_feature_name(f), p.has[f] ? "yes" : p.why_not[f]);
		assert_int_equal(p.has[f], !p.why_not[f][0]);
	}
	assert_int_equal(p.has[XF_ESP], w.esp);
	assert_int_equal(p.alg[alg_index(alg_by_name("aes128gcm16", 0))], w.esp);
	assert_int_equal(p.alg[alg_index(alg_by_name("sha256", IKE_T_INTEG))], w.esp);
	assert_false(p.alg[alg_index(alg_by_name("x25519", 0))]);
	s = side_new(0, 0);
	assert_int_equal(sas_there(s), 0);
	assert_int_equal(policies_there(s), 0);
	side_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(probe),	      cmocka_unit_test(suites),
	    cmocka_unit_test(shapes),	      cmocka_unit_test(per_cpu),
	    cmocka_unit_test(thousand_pairs), cmocka_unit_test(lost_sas),
	    cmocka_unit_test(sa_events),      cmocka_unit_test(moves),
	    cmocka_unit_test(offload),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
