// SPDX-License-Identifier: BSD-2-Clause
#include "common/addr.h"
#include "maps/maps.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * Rows of the maps from the command line, for tests of the programs without an agent:
 *   rows PIN_DIR policy SRC/LEN DST/LEN protect|trap|discard|bypass [ENGINE SLOT [PORT]]   prints the bundle
 *   rows PIN_DIR bundle BUNDLE ENGINE SLOT [PORT]          what it encrypts with now; ENGINE none: nothing
 *   rows PIN_DIR in SPI DST ENGINE [esp|ah REQID [transport]]          an inbound SA; the slot is in the SPI
 *   rows PIN_DIR policies nets|ports N ENGINE SLOT         N in one go, above the others: hosts of 172.16.0.0/12 to
 *                                                          10.99.0.0/16, or UDP of 10.1.0.0/24 to 10.2.0.0/24
 *   rows PIN_DIR acquires                                  policies that asked for an SA since the last time
 */

static struct xs_maps maps;
static struct xs_policies *policies;

static void die(const char *what)
{
	fprintf(stderr, "rows: %s\n", what);
	exit(1);
}

static uint32_t number(const char *s)
{
	char *end;
	unsigned long v = strtoul(s, &end, 0);

	if (!*s || *end)
		die(s);
	return (uint32_t)v;
}

static uint32_t word_of(const char *s, const char *const *words, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (!strcmp(s, words[i]))
			return i;
	die(s);
	return 0;
}

static uint32_t engine_of(const char *s)
{
	static const char *const names[] = {"none", "kernel", "dataplane", "offload"};

	return word_of(s, names, 4);
}

static uint64_t bundle_word(char **argv)
{
	uint32_t engine = engine_of(argv[0]), port = argv[1] && argv[2] ? number(argv[2]) : 0;

	return engine && argv[1] ? XS_BUNDLE(number(argv[1]), 1, port, engine) : 0;
}

static void range(const char *s, struct xs_addr *lo, struct xs_addr *hi, uint8_t *family)
{
	struct ip_addr a, first, last;
	char text[64], *slash;

	snprintf(text, sizeof(text), "%s", s);
	slash = strchr(text, '/');
	if (!slash)
		die(s);
	*slash++ = 0;
	if (addr_parse(text, &a))
		die(s);
	addr_prefix_range(&a, number(slash), &first, &last);
	addr_to_mapped(&first, lo->b);
	addr_to_mapped(&last, hi->b);
	*family = a.family;
}

static void policy(int argc, char **argv)
{
	static const char *const actions[] = {"", "bypass", "discard", "protect", "trap"};
	struct xs_policy p = {.sport_hi = 65535, .dport_hi = 65535, .priority = 1000};
	uint32_t id;

	if (argc < 3)
		die("policy: SRC/LEN DST/LEN ACTION");
	range(argv[0], &p.src_lo, &p.src_hi, &p.family);
	range(argv[1], &p.dst_lo, &p.dst_hi, &p.family);
	p.action = (uint8_t)word_of(argv[2], actions, 5);
	p.bundle = xs_bundle_alloc(policies);
	if (argc > 3)
		xs_bundle_set(&maps, p.bundle, bundle_word(argv + 3));
	if (!p.bundle || xs_policy_add(policies, &p, &id))
		die("the policy cannot be added");
	printf("%u\n", p.bundle);
}

static void sa_in(int argc, char **argv)
{
	struct xs_sa sa = {0};
	struct ip_addr dst;

	if (argc < 3 || addr_parse(argv[1], &dst))
		die("in: SPI DST ENGINE");
	sa.spi = number(argv[0]);
	sa.slot = sa.spi & (maps.sa_slots - 1);
	sa.engine = (uint8_t)engine_of(argv[2]);
	sa.protocol = argc > 3 && !strcmp(argv[3], "ah") ? 51 : 50;
	sa.mode = argc > 5 && !strcmp(argv[5], "transport") ? XS_TRANSPORT : XS_TUNNEL;
	sa.reqid = argc > 4 ? number(argv[4]) : XS_XFRM_IF_ID(sa.slot);
	sa.generation = 1;
	addr_to_mapped(&dst, sa.dst.b);
	if (xs_sa_in_put(&maps, &sa, 1))
		die("the SA cannot be added");
}

static void mapped(struct xs_addr *a, uint32_t v4)
{
	v4 = htonl(v4);
	a->b[10] = a->b[11] = 0xff;
	memcpy(&a->b[12], &v4, 4);
}

static void many(int argc, char **argv)
{
	uint32_t n = argc == 4 ? number(argv[1]) : 0, bundle = xs_bundle_alloc(policies);
	struct xs_policy *p = calloc(n + 1, sizeof(*p));
	bool ports = n && !strcmp(argv[0], "ports");

	if (!n || !p || n > 1 << 20 || (ports && n > 60000))
		die("policies: nets|ports N ENGINE SLOT");
	xs_bundle_set(&maps, bundle, bundle_word(argv + 2));
	for (uint32_t i = 0; i < n; i++) {
		struct xs_policy *row = &p[i];
		uint16_t port = (uint16_t)(1000 + i);

		*row = (struct xs_policy){.sport_hi = 65535,
					  .dport_lo = ports ? port : 0,
					  .dport_hi = ports ? port : 65535,
					  .protocol = ports ? IPPROTO_UDP : 0,
					  .priority = 500,
					  .action = XS_PROTECT,
					  .bundle = bundle,
					  .family = 4};
		mapped(&row->src_lo, ports ? 0x0a010000 : 0xac100000 + i);
		mapped(&row->src_hi, ports ? 0x0a0100ff : 0xac100000 + i);
		mapped(&row->dst_lo, ports ? 0x0a020000 : 0x0a630000);
		mapped(&row->dst_hi, ports ? 0x0a0200ff : 0x0a63ffff);
	}
	if (xs_policy_add_many(policies, p, n, NULL))
		die("the policies cannot be added");
	free(p);
}

static void event(void *ctx, const struct xs_event *ev)
{
	(void)ctx;
	if (ev->kind == XS_EV_ACQUIRE)
		printf("%u\n", ev->policy);
}

static void acquires(void)
{
	struct xs_events *e = xs_events_open(&maps, event, NULL);

	if (!e || xs_events_read(e) < 0)
		die("events cannot be read");
	xs_events_close(e);
}

int main(int argc, char **argv)
{
	char err[256] = "";

	if (argc < 3)
		die("PIN_DIR COMMAND");
	if (xs_maps_open(&maps, argv[1], err, sizeof(err)))
		die(err);
	policies = xs_policies_open(&maps);
	if (!policies)
		die("policies cannot be opened");
	if (!strcmp(argv[2], "policy"))
		policy(argc - 3, argv + 3);
	else if (!strcmp(argv[2], "bundle") && argc >= 5)
		xs_bundle_set(&maps, number(argv[3]), bundle_word(argv + 4));
	else if (!strcmp(argv[2], "in"))
		sa_in(argc - 3, argv + 3);
	else if (!strcmp(argv[2], "policies"))
		many(argc - 3, argv + 3);
	else if (!strcmp(argv[2], "acquires"))
		acquires();
	else
		die(argv[2]);
	xs_policies_free(policies);
	xs_maps_close(&maps);
	return 0;
}
