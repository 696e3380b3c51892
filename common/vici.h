/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "slice.h"
#include "wr.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The vici protocol, both directions: packets (32-bit length, type, name) whose body is a message of sections, lists and
 * key/value pairs. Pure: bytes in, slices out; nothing is allocated, logged or decided here.
 */
enum {
	VICI_PACKET_MAX = 512 * 1024, /* bytes behind the length field */
	VICI_LEN_BYTES = 4,
	VICI_NAME_MAX = 255,
	VICI_VALUE_MAX = 65535,
	VICI_DEPTH_MAX = 16, /* nested sections */
};

enum vici_type {
	VICI_CMD_REQUEST = 0,
	VICI_CMD_RESPONSE = 1,
	VICI_CMD_UNKNOWN = 2,
	VICI_EVENT_REGISTER = 3,
	VICI_EVENT_UNREGISTER = 4,
	VICI_EVENT_CONFIRM = 5,
	VICI_EVENT_UNKNOWN = 6,
	VICI_EVENT = 7,
};

enum vici_kind {
	VICI_END = 0,
	VICI_SECTION_START = 1,
	VICI_SECTION_END = 2,
	VICI_KEY_VALUE = 3,
	VICI_LIST_START = 4,
	VICI_LIST_ITEM = 5,
	VICI_LIST_END = 6,
};

struct vici_packet {
	enum vici_type type;
	struct slice name; /* of the command or event; empty for the types without */
	struct slice body; /* a message, not checked yet */
};

/* Length of the packet that a stream begins with, without its length field; 0 while that is not there yet,
 * -EMSGSIZE when it is zero or above VICI_PACKET_MAX. */
int vici_frame(struct slice stream, size_t *len);
/* Takes a whole packet (without its length field) apart. 0 or -EBADMSG: unknown type, bad name, or a body
 * where the type has none. */
int vici_packet_decode(struct slice packet, struct vici_packet *out);

/* ---- reading a message ---------------------------------------------------------------------- */
struct vici_elem {
	enum vici_kind kind;
	struct slice name;  /* section, key, list; names are text without control characters */
	struct slice value; /* key/value and list item: any bytes */
};

struct vici_rd {
	struct slice rest;
	unsigned int depth;
	bool in_list, failed;
};

struct vici_rd vici_rd_of(struct slice body);
/* The next element. 0, with VICI_END behind the last, or -EBADMSG (sticky): truncated, an unknown element, a bad
 * name, wrong nesting, deeper than VICI_DEPTH_MAX, or an end in the middle of a section or list. */
int vici_next(struct vici_rd *r, struct vici_elem *e);
/* Reads all of it: 0 or -EBADMSG. */
int vici_check(struct slice body);
/* Value of a key at the top level; false when there is none (*value is empty then). */
bool vici_find(struct slice body, const char *key, struct slice *value);
/* The same as text: a copy of at most n - 1 bytes. 1 found, 0 not there (buf is ""), -EINVAL when it is longer or has
 * control characters. */
int vici_find_text(struct slice body, const char *key, char *buf, size_t n);
/* As a number; `def` when not there, -EINVAL when it is not a number. */
int vici_find_number(struct slice body, const char *key, int64_t def, int64_t *out);
/* "yes", "true", "1" and "enabled" are true. */
bool vici_find_bool(struct slice body, const char *key);

/* ---- writing -------------------------------------------------------------------------------- */
/* The writer checks nesting as the reader does: a mistake makes wr_ok false and vici_end fail. */
struct vici_wr {
	struct wr w;
	size_t depth;
	bool in_list;
};

/* Starts a packet in the caller's buffer; `name` NULL for the types without. */
struct vici_wr vici_begin(void *buf, size_t cap, enum vici_type type, const char *name);
void vici_section(struct vici_wr *v, const char *name);
void vici_section_end(struct vici_wr *v);
void vici_kv(struct vici_wr *v, const char *key, const char *value);
void vici_kv_bytes(struct vici_wr *v, const char *key, struct slice value);
void vici_kvf(struct vici_wr *v, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void vici_list(struct vici_wr *v, const char *name);
void vici_item(struct vici_wr *v, const char *value);
void vici_list_end(struct vici_wr *v);
/* Closes the packet: its bytes, length field included; empty when something did not fit or nest. */
struct slice vici_end(struct vici_wr *v);
