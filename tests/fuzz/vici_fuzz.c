/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz-rooms: common */
#include "common/vici.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A packet without its length field. What is well formed is written again element by element, and must give the
 * same bytes: reader and writer agree on every rule.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *text(char buf[VICI_NAME_MAX + 1], struct slice s)
{
	if (s.n)
		memcpy(buf, s.p, s.n);
	buf[s.n] = '\0';
	return buf;
}

static void item(struct vici_wr *v, struct slice value)
{
	char *copy = calloc(1, value.n + 1);

	if (value.n)
		memcpy(copy, value.p, value.n);
	vici_item(v, copy);
	free(copy);
}

/* vici_item takes text: an item with a zero byte comes out shorter. */
static int write_element(struct vici_wr *v, const struct vici_elem *e)
{
	char name[VICI_NAME_MAX + 1];

	switch (e->kind) {
	case VICI_SECTION_START:
		vici_section(v, text(name, e->name));
		break;
	case VICI_SECTION_END:
		vici_section_end(v);
		break;
	case VICI_KEY_VALUE:
		vici_kv_bytes(v, text(name, e->name), e->value);
		break;
	case VICI_LIST_START:
		vici_list(v, text(name, e->name));
		break;
	case VICI_LIST_ITEM:
		item(v, e->value);
		return e->value.n && memchr(e->value.p, 0, e->value.n) ? 1 : 0;
	case VICI_LIST_END:
		vici_list_end(v);
		break;
	case VICI_END:
		break;
	}
	return 0;
}

static void ask(struct slice body)
{
	char buf[32];
	int64_t n;

	vici_find_text(body, "child", buf, sizeof(buf));
	vici_find_number(body, "timeout", 0, &n);
	vici_find_bool(body, "force");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t cap = VICI_LEN_BYTES + size + 16, len;
	uint8_t *copy = malloc(size ? size : 1), *out = malloc(cap);
	struct slice in = slice_of(copy, size), packet;
	char name[VICI_NAME_MAX + 1];
	struct vici_packet p;
	struct vici_elem e;
	struct vici_rd r;
	struct vici_wr v;
	int lossy = 0, ret;

	if (size)
		memcpy(copy, data, size);
	vici_frame(in, &len);
	if (size > VICI_PACKET_MAX || vici_packet_decode(in, &p))
		goto out;
	ask(p.body);
	v = vici_begin(out, cap, p.type, p.name.n ? text(name, p.name) : NULL);
	r = vici_rd_of(p.body);
	do {
		ret = vici_next(&r, &e);
		if (!ret)
			lossy |= write_element(&v, &e);
	} while (!ret && e.kind != VICI_END);
	if (ret != vici_check(p.body))
		abort();
	packet = vici_end(&v);
	if (!ret && !lossy &&
	    (packet.n != VICI_LEN_BYTES + size || memcmp(packet.p + VICI_LEN_BYTES, copy, size)))
		abort();
out:
	free(copy);
	free(out);
	return 0;
}
