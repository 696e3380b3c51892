// SPDX-License-Identifier: BSD-2-Clause
#include "loader.h"

#include "bpf/xdpsec.skel.h"
#include "common/addr.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/*
 * Do our maps and the kernel agree? For each inbound row of the kernel engine a small XDP program, run
 * once in this network namespace, asks for the state by address, SPI and protocol.
 */

struct self_test {
	const struct loader_opts *o;
	struct xdpsec_bpf *skel;
	uint32_t asked, wrong;
	int err;
};

static struct xdpsec_bpf *program_load(int *err)
{
	struct xdpsec_bpf *skel = xdpsec_bpf__open();
	struct bpf_program *prog;
	struct bpf_map *map;

	*err = skel ? 0 : -errno;
	if (!skel)
		return NULL;
	bpf_object__for_each_map(map, skel->obj)
		bpf_map__set_autocreate(map, map == skel->maps.bss || map == skel->maps.rodata);
	bpf_object__for_each_program(prog, skel->obj)
		bpf_program__set_autoload(prog, prog == skel->progs.xdp_states);
	*err = xdpsec_bpf__load(skel);
	if (!*err)
		return skel;
	xdpsec_bpf__destroy(skel);
	return NULL;
}

static int ask(struct self_test *t, const struct xs_sa *sa)
{
	static const uint8_t frame[64]; /* as little as the kernel takes */
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame, .data_size_in = sizeof(frame),
		    .repeat = 1);
	struct xdpsec_bpf__bss *a = t->skel->bss;
	struct ip_addr dst;

	memset(a, 0, sizeof(*a));
	addr_from_mapped(sa->dst.b, &dst);
	memcpy(a->ask_dst, dst.b, addr_len(&dst));
	a->ask_family = dst.family == 4 ? AF_INET : AF_INET6;
	a->ask_spi_be = htonl(sa->spi);
	a->ask_protocol = sa->protocol ? sa->protocol : IPPROTO_ESP;
	return bpf_prog_test_run_opts(bpf_program__fd(t->skel->progs.xdp_states), &o);
}

/* What is wrong with the answer, "" when nothing is. */
static void compare(const struct self_test *t, const struct xs_sa *sa, char *buf, size_t n)
{
	const struct xdpsec_bpf__bss *a = t->skel->bss;
	uint32_t id = sa->mode == XS_TRANSPORT ? XS_XFRM_TRANSPORT_IF_ID : XS_XFRM_IF_ID(sa->slot);
	bool ours = (a->got_if_id & ~0xffffffu) == XS_XFRM_IDS;

	buf[0] = 0;
	if (!a->got_one && (!a->got_error || a->got_error == -ENOENT))
		snprintf(buf, n, "the kernel has no such state");
	else if (!a->got_one)
		snprintf(buf, n, "the kernel refused to say: %s", strerror(-a->got_error));
	else if (a->got_spi_be != htonl(sa->spi))
		snprintf(buf, n, "the kernel gave the state of SPI %08x", ntohl(a->got_spi_be));
	else if (sa->reqid && a->got_reqid != sa->reqid)
		snprintf(buf, n, "reqid %u where the maps have %u", a->got_reqid, sa->reqid);
	else if (ours && a->got_if_id != id)
		snprintf(buf, n, "if_id 0x%08x where 0x%08x belongs", a->got_if_id, id);
}

static int one(void *ctx, const struct xs_sa *sa)
{
	struct self_test *t = ctx;
	char what[96], text[ADDR_STRLEN];
	struct ip_addr dst;

	if (sa->engine != XS_ENGINE_KERNEL && sa->engine != XS_ENGINE_OFFLOAD)
		return 0;
	t->err = ask(t, sa);
	if (t->err)
		return t->err;
	compare(t, sa, what, sizeof(what));
	t->asked++;
	if (!what[0])
		return 0;
	addr_from_mapped(sa->dst.b, &dst);
	if (t->o->json) {
		printf("%s{\"spi\":\"%08x\",\"dst\":\"%s\",\"slot\":%u,\"child\":", t->wrong ? "," : "",
		       sa->spi, addr_str(&dst, text), sa->slot);
		json_string(sa->child);
		printf(",\"what\":");
		json_string(what);
		printf("}");
	} else {
		printf("SPI %08x to %s, slot %u, child %.31s: %s\n", sa->spi, addr_str(&dst, text),
		       sa->slot, sa->child[0] ? sa->child : "-", what);
	}
	t->wrong++;
	return 0;
}

int cmd_self_test(const struct loader_opts *o, struct loader_err *err)
{
	struct self_test t = {.o = o};
	struct xs_maps m;
	int e;

	if (!bpffs_exists(o->pin_dir))
		return loader_fail(err, -ENOENT, "nothing is loaded under %s", o->pin_dir);
	e = kfunc_find("bpf_xdp_get_xfrm_state", NULL);
	if (e)
		return loader_fail(err, e,
				   "bpf_xdp_get_xfrm_state is not offered by this kernel (Linux 6.8 and "
				   "later have it): nothing was compared");
	e = xs_maps_open(&m, o->pin_dir, err->text, sizeof(err->text));
	if (e)
		return e;
	t.skel = program_load(&e);
	if (!t.skel) {
		xs_maps_close(&m);
		return loader_fail(err, e, "the program that asks cannot be loaded: %s: %s",
				   strerror(-e), object_log());
	}
	if (o->json)
		printf("{\"differences\":[");
	e = xs_sa_in_each(&m, one, &t);
	if (o->json)
		printf("],\"states\":%u}\n", t.asked);
	else if (!e)
		printf("%u inbound states of the kernel engine, %u differ\n", t.asked, t.wrong);
	xdpsec_bpf__destroy(t.skel);
	xs_maps_close(&m);
	if (e)
		return loader_fail(err, e, "the states cannot be compared: %s", strerror(-e));
	return t.wrong ? loader_fail(err, -ENOENT, "maps and kernel do not agree") : 0;
}
