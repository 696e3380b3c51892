/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>

struct agent;

/*
 * The control socket: vici (swanctl's protocol) on RUN_DIR/xdpsecd.vici, mode 0660. Besides vici's own commands it
 * has: "flush", "show-policies", "show-drops", "show-plane", "counters", "status", "load-file" (reload of the
 * configuration). initiate, terminate, rekey and flush are answered with the outcome of their exchanges.
 */
struct control;
struct control *control_open(struct agent *a, const char *path, char *err, size_t errlen);
void control_close(struct control *c);
/* Called by "load-file" and SIGHUP; set by main.c: reads the files again and applies them whole, or returns
 * -EINVAL with file, line and key in err and changes nothing. */
/* What the set command asks for: a key of the section ike and its value. 0 or -errno and a line in err. */
void control_on_set(struct control *c,
		    int (*fn)(void *ctx, const char *key, const char *value, char *err, size_t errlen), void *ctx);
void control_on_reload(struct control *c, int (*fn)(void *ctx, char *err, size_t errlen), void *ctx);
