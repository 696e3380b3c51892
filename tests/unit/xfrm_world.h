/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/engine/xfrm/xfrm.h"
#include "common/log.h"
#include "common/secret.h"
#include "tests/xfrm_same.h"

#include <event2/event.h>

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * The client against the kernel it runs on, in a network namespace of its own. Policies are in
 * every kernel with XFRM; what wants ESP is skipped where there is none
 * (tests/kernel/xfrm_client.sh runs this where there is).
 */
enum { ANSWERS_MAX = 8192, EVENTS_MAX = 512, WAIT_MS = 6000, REQID = 0x58000000 };

static struct world {
	struct event_base *base;
	bool ready, esp;
	char why_no_esp[XF_TEXT_MAX];
	uint8_t key[128];
} w;

struct side {
	struct xfrm_client *c;
	struct xfrm_client_ops ops;
	unsigned int answers, events;
	int error[ANSWERS_MAX];
	char text[XF_TEXT_MAX]; /* of the last answer */
	struct xfrm_event event[EVENTS_MAX];
};

static inline void on_answer(void *ctx, struct sa_ref ref, uint64_t tag, int error,
			     const char *text)
{
	struct side *s = ctx;

	assert_int_equal(ref.index, tag);
	assert_true(tag < ANSWERS_MAX);
	s->error[tag] = error;
	s->answers++;
	snprintf(s->text, sizeof(s->text), "%s", text);
}

static inline struct xfrm_wait wait_for(struct side *s, unsigned int tag)
{
	return (struct xfrm_wait){.done = on_answer, .ctx = s, .ref = {.index = tag}, .tag = tag};
}

static inline void on_event(void *ctx, const struct xfrm_event *ev)
{
	struct side *s = ctx;

	s->event[s->events++ % EVENTS_MAX] = *ev;
}

static inline struct side *side_new(int request_rcvbuf, int event_rcvbuf)
{
	struct side *s = calloc(1, sizeof(*s));
	char err[256] = "";

	assert_non_null(s);
	s->ops = (struct xfrm_client_ops){on_event, request_rcvbuf, event_rcvbuf};
	s->c = xfrm_client_new(w.base, &s->ops, s, err, sizeof(err));
	if (!s->c)
		fail_msg("%s", err);
	return s;
}

static inline void side_free(struct side *s)
{
	xfrm_client_free(s->c);
	free(s);
}

static inline uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static inline bool run_until_event(struct side *s, enum xfrm_event_kind kind)
{
	uint64_t end = now_us() + WAIT_MS * 1000;
	static const struct timeval ms10 = {.tv_usec = 10000};

	do {
		for (unsigned int i = 0; i < s->events && i < EVENTS_MAX; i++)
			if (s->event[i].kind == kind)
				return true;
		event_base_loopexit(w.base, &ms10);
		event_base_dispatch(w.base);
	} while (now_us() < end);
	return false;
}

static inline const struct xfrm_event *event_of(const struct side *s, enum xfrm_event_kind kind)
{
	for (unsigned int i = 0; i < s->events && i < EVENTS_MAX; i++)
		if (s->event[i].kind == kind)
			return &s->event[i];
	return NULL;
}

static inline void turns(void)
{
	for (int i = 0; i < 8; i++)
		event_base_loop(w.base, EVLOOP_NONBLOCK);
}

static inline struct ip_addr ip(const char *s)
{
	struct ip_addr a;

	assert_int_equal(addr_parse(s, &a), 0);
	return a;
}

static inline struct xfrm_policy_spec policy(unsigned int i, enum xf_dir dir)
{
	struct xfrm_policy_spec p = {
	    .dir = dir,
	    .sel = {.src = ip("10.1.0.0"), .src_len = 16, .dst = ip("10.2.0.0"), .dst_len = 32},
	    .priority = 1000,
	    .n_tmpl = 1,
	    .tmpl = {{.src = ip("192.0.2.1"),
		      .dst = ip("192.0.2.2"),
		      .proto = IPPROTO_ESP,
		      .mode = XF_TUNNEL,
		      .spi = 0x1000 + i,
		      .reqid = REQID + i}},
	};

	p.sel.dst.b[2] = (uint8_t)(i >> 8);
	p.sel.dst.b[3] = (uint8_t)i;
	return p;
}

static inline struct xfrm_policy_id name_of(const struct xfrm_policy_spec *p)
{
	return (struct xfrm_policy_id){
	    .dir = p->dir, .sel = p->sel, .if_id = p->if_id, .mark = p->mark};
}

static inline struct xfrm_sa_spec sa(unsigned int i, const char *encr, const char *integ)
{
	struct xfrm_sa_spec s = {
	    .dir = XF_OUT,
	    .src = ip("192.0.2.1"),
	    .dst = ip("192.0.2.2"),
	    .spi = 0x1000 + i,
	    .proto = IPPROTO_ESP,
	    .mode = XF_TUNNEL,
	    .reqid = REQID + i,
	};

	s.encr = encr ? alg_by_name(encr, IKE_T_ENCR) : NULL;
	s.integ = integ ? alg_by_name(integ, IKE_T_INTEG) : NULL;
	s.encr_key = slice_of(w.key, s.encr ? (size_t)s.encr->key_len + s.encr->salt_len : 0);
	s.integ_key = slice_of(w.key, s.integ ? s.integ->key_len : 0);
	return s;
}

static inline struct xfrm_sa_id name_of_sa(const struct xfrm_sa_spec *s)
{
	return (struct xfrm_sa_id){
	    .dst = s->dst, .spi = s->spi, .proto = s->proto, .mark = s->mark};
}

/* One request and its answer. */
#define DO(side, call)                                                                             \
	({                                                                                         \
		struct xfrm_wait wt = wait_for(side, 0);                                           \
		unsigned int before = (side)->answers;                                             \
		assert_int_equal(call, 0);                                                         \
		assert_int_equal((side)->answers, before);                                         \
		xfrm_flush((side)->c);                                                             \
		assert_int_equal((side)->answers, before + 1);                                     \
		(side)->error[0];                                                                  \
	})

static inline void need_world(void)
{
	if (!w.ready) {
		print_message("skipped: no network namespace or no XFRM here\n");
		skip();
	}
}

static inline void need_esp(void)
{
	need_world();
	if (!w.esp) {
		print_message("skipped: no ESP in this kernel: %s\n", w.why_no_esp);
		skip();
	}
}

static inline bool count_policy(void *ctx, const struct xfrm_policy_info *p)
{
	(void)p;
	++*(unsigned int *)ctx;
	return true;
}

static inline bool count_sa(void *ctx, const struct xfrm_sa_info *s)
{
	/* The kernel makes SAs of IP in IP below those of IPComp, and takes them away in its own
	 * time. */
	*(unsigned int *)ctx += s->spec.proto != IPPROTO_IPIP;
	return true;
}

static inline unsigned int policies_there(struct side *s)
{
	unsigned int n = 0;

	assert_int_equal(xfrm_policy_dump(s->c, count_policy, &n), 0);
	return n;
}

static inline unsigned int sas_there(struct side *s)
{
	unsigned int n = 0;

	assert_int_equal(xfrm_sa_dump(s->c, count_sa, &n), 0);
	return n;
}

static inline void clean(const char *what)
{
	char cmd[64];

	snprintf(cmd, sizeof(cmd), "ip xfrm %s flush", what);
	assert_int_equal(system(cmd), 0);
	turns();
}

static inline void knock(const char *to)
{
	struct sockaddr_storage ss;
	struct endpoint e = {.ip = ip(to), .port = 9};
	socklen_t len = endpoint_to_sockaddr(&e, &ss);
	int fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	/* Refused or not: the kernel has looked for a policy. */
	(void)!sendto(fd, "x", 1, MSG_DONTWAIT, (struct sockaddr *)&ss, len);
	close(fd);
}

static inline int begin(void **state)
{
	struct side *s;
	struct xfrm_sa_spec spec;
	struct xfrm_sa_id id;
	char err[256];

	(void)state;
	log_to_stderr(false, false);
	for (unsigned int i = 0; i < sizeof(w.key); i++)
		w.key[i] = (uint8_t)(i * 7 + 1);
	w.base = event_base_new();
	assert_non_null(w.base);
	if (unshare(CLONE_NEWNET))
		return 0;
	s = calloc(1, sizeof(*s));
	assert_non_null(s);
	s->ops.event = on_event;
	s->c = xfrm_client_new(w.base, &s->ops, s, err, sizeof(err));
	if (!s->c) {
		print_message("%s\n", err);
		free(s);
		return 0;
	}
	w.ready = true;
	spec = sa(1, "aes128gcm16", NULL);
	id = name_of_sa(&spec);
	w.esp = !DO(s, xfrm_sa_add(s->c, &spec, &wt, NULL));
	snprintf(w.why_no_esp, sizeof(w.why_no_esp), "%s", s->text);
	if (w.esp)
		assert_int_equal(DO(s, xfrm_sa_del(s->c, &id, &wt)), 0);
	side_free(s);
	return 0;
}

static inline int end(void **state)
{
	(void)state;
	event_base_free(w.base);
	return 0;
}
