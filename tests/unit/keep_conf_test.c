/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/conf/conf.h"
#include "common/keep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What padding and the places behind the last hold makes no difference. */
static void ignores_padding(void **state)
{
	struct proposals x, y;
	struct ts_list l, m;
	struct conf_id i, j;
	const void *a, *b;

	(void)state;
	memset(&x, 0xaa, sizeof(x));
	memset(&y, 0x55, sizeof(y));
	x.n = y.n = 1;
	for (unsigned int k = 0; k < 2; k++) {
		struct proposal *p = k ? &y.p[0] : &x.p[0];

		p->number = 1;
		p->proto = IKE_PROTO_ESP;
		p->n = 1;
		p->t[0].type = IKE_T_ENCR;
		p->t[0].id = 20;
		p->t[0].key_bits = 128;
	}
	a = proposals_keep(&x);
	b = proposals_keep(&y);
	assert_ptr_equal(a, b);
	assert_int_equal(((const struct proposals *)a)->p[0].t[0].key_bits, 128);
	keep_drop(a);
	keep_drop(b);
	/* the SPI of a chosen one is not part of it */
	x.p[0].spi_len = y.p[0].spi_len = 4;
	a = proposal_keep(&x.p[0]);
	b = proposal_keep(&y.p[0]);
	assert_ptr_equal(a, b);
	assert_int_equal(((const struct proposal *)a)->spi_len, 0);
	keep_drop(a);
	keep_drop(b);

	memset(&l, 0xaa, sizeof(l));
	memset(&m, 0x55, sizeof(m));
	l.n = m.n = 1;
	for (unsigned int k = 0; k < 2; k++) {
		struct ts *t = k ? &m.ts[0] : &l.ts[0];

		t->lo.family = t->hi.family = 4;
		memcpy(t->lo.b, "\x0a\x00\x00\x00", 4);
		memcpy(t->hi.b, "\x0a\xff\xff\xff", 4);
		t->port_lo = 0;
		t->port_hi = 65535;
		t->protocol = 6;
	}
	a = ts_keep(&l);
	b = ts_keep(&m);
	assert_ptr_equal(a, b);
	ts_list_copy(&m, a);
	assert_true(ts_list_equal(&m, &l));
	assert_int_equal(m.ts[1].lo.family, 0);
	keep_drop(a);
	keep_drop(b);

	memset(&i, 0xaa, sizeof(i));
	memset(&j, 0x55, sizeof(j));
	assert_int_equal(conf_id_parse("gw.example", &i), 0);
	j.type = i.type;
	j.any = j.wild = false;
	j.n = i.n;
	memcpy(j.b, i.b, i.n);
	strcpy(j.text, i.text);
	a = conf_id_keep(&i);
	b = conf_id_keep(&j);
	assert_ptr_equal(a, b);
	keep_drop(a);
	keep_drop(b);
	assert_int_equal(keep_count(), 0);
}

/* A thousand connections that differ in name and address alone hold their lists once; all goes with them. */
static void shares_between_connections(void **state)
{
	static char text[1000 * 256];
	struct settings_error err;
	struct settings *root;
	struct conf *conf;
	size_t at = 0;

	(void)state;
	at += (size_t)snprintf(text, sizeof(text), "connections {\n");
	for (unsigned int i = 0; i < 1000; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at,
				       "c%u { remote_addrs = 10.0.%u.%u\nlocal { auth = psk\nid = gw.example }\n"
				       "remote { auth = psk }\nchildren { n { local_ts = 10.1.0.0/16 } } }\n",
				       i, i / 250, 1 + i % 250);
	snprintf(text + at, sizeof(text) - at, "}\n");
	root = settings_parse("x.conf", text, strlen(text), false, &err);
	assert_non_null(root);
	conf = conf_parse(root, &err);
	settings_free(root);
	assert_non_null(conf);
	assert_int_equal(conf->n_conns, 1000);
	/* file, IKE and ESP proposals, two identities, no certificates, two lists of selectors */
	assert_int_equal(keep_count(), 8);
	assert_true(sizeof(struct conn_conf) + sizeof(struct child_conf) < 1024);
	conf_free(conf);
	assert_int_equal(keep_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ignores_padding),
		cmocka_unit_test(shares_between_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
