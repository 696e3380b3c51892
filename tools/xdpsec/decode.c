/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli.h"
#include "decode.h"

#include <errno.h>
#include <stdlib.h>

/* xdpsec decode FILE: reads, filters, decodes, prints. It asks no daemon. */

struct filter {
	bool on;
	uint64_t spi;
	bool wide; /* 64 bits: of an IKE SA */
};

static int filter_read(const struct cli *cli, struct filter *f)
{
	const char *s = cli->spi;
	size_t n;

	if (!s)
		return 0;
	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
		s += 2;
	n = strlen(s);
	if ((n != 8 && n != 16) || strspn(s, "0123456789abcdefABCDEF") != n)
		return cli_usage(cli, "--spi '%s' is neither 16 hex digits (IKE) nor 8 (ESP, AH)", cli->spi);
	*f = (struct filter){.on = true, .spi = strtoull(s, NULL, 16), .wide = n == 16};
	return 0;
}

static bool filter_passes(const struct filter *f, const struct frame *frame)
{
	struct rd r = rd_of(frame->bytes);
	uint64_t a, b;

	if (!f->on)
		return true;
	if (frame->kind == FRAME_ESP)
		return !f->wide && rd_u32(&r) == f->spi;
	if (frame->kind == FRAME_AH)
		return !f->wide && ah_spi(frame->bytes) == f->spi;
	a = rd_u64(&r);
	b = rd_u64(&r);
	return frame->kind == FRAME_IKE && f->wide && (a == f->spi || b == f->spi);
}

static json_t *frame_new(const struct frame *f, const struct decode_keys *keys, struct joiner *join)
{
	char text[ENDPOINT_STRLEN];
	json_t *o = json_object();
	bool ported = (f->kind != FRAME_ESP && f->kind != FRAME_AH) || f->encap;

	json_object_set_new(o, "number", json_integer((json_int_t)f->number));
	if (f->time[0])
		json_object_set_new(o, "time", json_string(f->time));
	if (f->addressed) {
		json_object_set_new(o, "from", json_string(ported ? endpoint_str(&f->from, text)
								  : addr_str(&f->from.ip, text)));
		json_object_set_new(o, "to", json_string(ported ? endpoint_str(&f->to, text)
								: addr_str(&f->to.ip, text)));
	}
	if (f->cut)
		json_object_set_new(o, "cut", json_true());
	if (f->encap)
		json_object_set_new(o, "encap", json_true());
	if (f->kind == FRAME_IKE)
		json_object_set_new(o, "ike", decode_ike(f->bytes, keys, join));
	else if (f->kind == FRAME_ESP)
		json_object_set_new(o, "esp", decode_esp(f, keys));
	else if (f->kind == FRAME_AH)
		json_object_set_new(o, "ah", decode_ah(f));
	else
		json_object_set_new(o, "keepalive", json_true());
	return o;
}

static int decode_all(const struct cli *cli, struct capture *c, const struct filter *filter,
		      const struct decode_keys *keys, struct joiner *join)
{
	int got, ret = CLI_OK;
	struct frame f;
	bool fatal;
	char err[512];

	while ((got = capture_next(c, &f, &fatal, err, sizeof(err))) != 0) {
		json_t *o;

		if (got < 0) {
			ret = cli_fail("%s: %s", cli->argv[0], err);
			if (fatal)
				break;
			continue;
		}
		if (!filter_passes(filter, &f))
			continue;
		o = frame_new(&f, keys, join);
		if (cli->json) {
			json_dumpf(o, stdout, JSON_COMPACT);
			putchar('\n');
		} else {
			decode_print(stdout, o);
		}
		json_decref(o);
		/* a reader that has gone */
		if (ferror(stdout))
			break;
	}
	return ret;
}

int run_decode(const struct cli *cli)
{
	struct decode_keys keys = {0};
	struct filter filter = {0};
	struct capture *c;
	struct joiner *join;
	char err[512];
	int ret;

	if (!cli->argc)
		return cli_usage(cli, "which file? - is standard input");
	ret = filter_read(cli, &filter);
	if (ret)
		return ret;
	secret_init(1 << 16);
	if (cli->keys && keys_load(&keys, cli->keys, err, sizeof(err)) < 0) {
		keys_free(&keys);
		return cli_fail("%s", err);
	}
	c = capture_open(cli->argv[0], err, sizeof(err));
	if (!c) {
		keys_free(&keys);
		return cli_fail("%s: %s", cli->argv[0], err);
	}
	join = joiner_new();
	ret = decode_all(cli, c, &filter, &keys, join);
	joiner_free(join);
	capture_close(c);
	keys_free(&keys);
	return ret;
}
