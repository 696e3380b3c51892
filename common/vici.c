/* SPDX-License-Identifier: BSD-2-Clause */
#include "vici.h"

#include "rd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Which types carry a name, and which a message. */
static const struct {
	bool name, body;
} packet_shape[] = {
	[VICI_CMD_REQUEST] = {true, true},
	[VICI_CMD_RESPONSE] = {false, true},
	[VICI_CMD_UNKNOWN] = {false, false},
	[VICI_EVENT_REGISTER] = {true, false},
	[VICI_EVENT_UNREGISTER] = {true, false},
	[VICI_EVENT_CONFIRM] = {false, false},
	[VICI_EVENT_UNKNOWN] = {false, false},
	[VICI_EVENT] = {true, true},
};

enum { PACKET_TYPES = sizeof(packet_shape) / sizeof(packet_shape[0]) };

static bool is_text(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return true;
}

int vici_frame(struct slice stream, size_t *len)
{
	struct rd r = rd_of(stream);
	uint32_t n = rd_u32(&r);

	*len = 0;
	if (r.failed)
		return 0;
	if (n == 0 || n > VICI_PACKET_MAX)
		return -EMSGSIZE;
	*len = n;
	return 0;
}

static struct slice read_name(struct rd *r)
{
	struct slice s = rd_bytes(r, rd_u8(r));

	if (!is_text(s))
		rd_fail(r);
	return s;
}

int vici_packet_decode(struct slice packet, struct vici_packet *out)
{
	struct rd r = rd_of(packet);
	unsigned int type = rd_u8(&r);

	*out = (struct vici_packet){0};
	if (r.failed || type >= PACKET_TYPES)
		return -EBADMSG;
	out->type = (enum vici_type)type;
	if (packet_shape[type].name) {
		out->name = read_name(&r);
		if (!out->name.n)
			return -EBADMSG;
	}
	if (packet_shape[type].body)
		out->body = rd_rest(&r);
	return rd_done(&r) ? 0 : -EBADMSG;
}

struct vici_rd vici_rd_of(struct slice body)
{
	return (struct vici_rd){.rest = body};
}

/* Inside a list only items and its end may come; outside neither may. */
static bool nests(struct vici_rd *v, enum vici_kind kind)
{
	bool of_list = kind == VICI_LIST_ITEM || kind == VICI_LIST_END;

	if (v->in_list != of_list)
		return false;
	switch (kind) {
	case VICI_SECTION_START:
		return v->depth++ < VICI_DEPTH_MAX;
	case VICI_SECTION_END:
		return v->depth-- > 0;
	case VICI_LIST_START:
		v->in_list = true;
		return true;
	case VICI_LIST_END:
		v->in_list = false;
		return true;
	default:
		return true;
	}
}

static int read_element(struct vici_rd *v, struct vici_elem *e)
{
	struct rd r = rd_of(v->rest);
	unsigned int kind = rd_u8(&r);

	if (kind < VICI_SECTION_START || kind > VICI_LIST_END || !nests(v, (enum vici_kind)kind))
		return -EBADMSG;
	e->kind = (enum vici_kind)kind;
	if (kind == VICI_SECTION_START || kind == VICI_KEY_VALUE || kind == VICI_LIST_START)
		e->name = read_name(&r);
	if (kind == VICI_KEY_VALUE || kind == VICI_LIST_ITEM)
		e->value = rd_bytes(&r, rd_u16(&r));
	if (r.failed)
		return -EBADMSG;
	v->rest = rd_rest(&r);
	return 0;
}

int vici_next(struct vici_rd *v, struct vici_elem *e)
{
	int ret;

	*e = (struct vici_elem){.kind = VICI_END};
	if (v->failed)
		return -EBADMSG;
	if (v->rest.n == 0)
		ret = v->depth || v->in_list ? -EBADMSG : 0;
	else
		ret = read_element(v, e);
	if (ret) {
		v->failed = true;
		*e = (struct vici_elem){.kind = VICI_END};
	}
	return ret;
}

int vici_check(struct slice body)
{
	struct vici_rd v = vici_rd_of(body);
	struct vici_elem e;
	int ret;

	do
		ret = vici_next(&v, &e);
	while (!ret && e.kind != VICI_END);
	return ret;
}

bool vici_find(struct slice body, const char *key, struct slice *value)
{
	struct vici_rd v = vici_rd_of(body);
	struct vici_elem e;
	size_t n = strlen(key);

	*value = (struct slice){0};
	while (!vici_next(&v, &e) && e.kind != VICI_END) {
		if (e.kind != VICI_KEY_VALUE || v.depth || e.name.n != n || memcmp(e.name.p, key, n))
			continue;
		*value = e.value;
		return true;
	}
	return false;
}

int vici_find_text(struct slice body, const char *key, char *buf, size_t n)
{
	struct slice s;

	buf[0] = '\0';
	if (!vici_find(body, key, &s))
		return 0;
	if (s.n >= n || !is_text(s))
		return -EINVAL;
	if (s.n)
		memcpy(buf, s.p, s.n);
	buf[s.n] = '\0';
	return 1;
}

int vici_find_number(struct slice body, const char *key, int64_t def, int64_t *out)
{
	char text[24], *end;
	int ret = vici_find_text(body, key, text, sizeof(text));

	*out = def;
	if (ret <= 0)
		return ret;
	errno = 0;
	*out = strtoll(text, &end, 10);
	if (errno || end == text || *end) {
		*out = def;
		return -EINVAL;
	}
	return 0;
}

bool vici_find_bool(struct slice body, const char *key)
{
	char text[16];

	return vici_find_text(body, key, text, sizeof(text)) == 1 &&
	       (!strcmp(text, "yes") || !strcmp(text, "true") || !strcmp(text, "1") ||
		!strcmp(text, "enabled"));
}

static void write_name(struct vici_wr *v, const char *name)
{
	size_t n = strlen(name);

	if (n > VICI_NAME_MAX || !is_text(slice_of(name, n))) {
		v->w.failed = true;
		return;
	}
	wr_u8(&v->w, (uint8_t)n);
	wr_bytes(&v->w, name, n);
}

struct vici_wr vici_begin(void *buf, size_t cap, enum vici_type type, const char *name)
{
	size_t most = VICI_LEN_BYTES + (size_t)VICI_PACKET_MAX;
	struct vici_wr v = {.w = wr_of(buf, cap < most ? cap : most)};

	wr_reserve(&v.w, VICI_LEN_BYTES);
	wr_u8(&v.w, (uint8_t)type);
	if ((size_t)type >= PACKET_TYPES || packet_shape[type].name != (name != NULL))
		v.w.failed = true;
	if (name)
		write_name(&v, name);
	return v;
}

static void element(struct vici_wr *v, enum vici_kind kind)
{
	if (v->in_list != (kind == VICI_LIST_ITEM || kind == VICI_LIST_END))
		v->w.failed = true;
	wr_u8(&v->w, (uint8_t)kind);
}

void vici_section(struct vici_wr *v, const char *name)
{
	element(v, VICI_SECTION_START);
	write_name(v, name);
	if (++v->depth > VICI_DEPTH_MAX)
		v->w.failed = true;
}

void vici_section_end(struct vici_wr *v)
{
	element(v, VICI_SECTION_END);
	if (v->depth == 0)
		v->w.failed = true;
	else
		v->depth--;
}

static void write_value(struct vici_wr *v, struct slice value)
{
	if (value.n > VICI_VALUE_MAX) {
		v->w.failed = true;
		return;
	}
	wr_u16(&v->w, (uint16_t)value.n);
	wr_put(&v->w, value);
}

void vici_kv_bytes(struct vici_wr *v, const char *key, struct slice value)
{
	element(v, VICI_KEY_VALUE);
	write_name(v, key);
	write_value(v, value);
}

void vici_kv(struct vici_wr *v, const char *key, const char *value)
{
	vici_kv_bytes(v, key, slice_of(value, strlen(value)));
}

void vici_kvf(struct vici_wr *v, const char *key, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text))
		v->w.failed = true;
	else
		vici_kv(v, key, text);
}

void vici_list(struct vici_wr *v, const char *name)
{
	element(v, VICI_LIST_START);
	write_name(v, name);
	v->in_list = true;
}

void vici_item(struct vici_wr *v, const char *value)
{
	element(v, VICI_LIST_ITEM);
	write_value(v, slice_of(value, strlen(value)));
}

void vici_list_end(struct vici_wr *v)
{
	element(v, VICI_LIST_END);
	v->in_list = false;
}

struct slice vici_end(struct vici_wr *v)
{
	if (v->depth || v->in_list)
		v->w.failed = true;
	wr_close(&v->w, 0, VICI_LEN_BYTES, VICI_LEN_BYTES);
	return wr_slice(&v->w);
}
