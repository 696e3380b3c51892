/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/crypt/keylog.h"
#include "control_int.h"

#include <errno.h>

/*
 * Keys of IKE SAs for those who read a capture: for root alone, with a line in the log that no level but silence hides, and not at
 * all when built with WITH_KEYS=0. Those of ESP are not here: the engine has them, and this process has wiped its own.
 */
#if WITH_KEYS

static int next_key(struct client *cl, struct listing *l)
{
	const struct ike_list *all = sa_all(cl->control->a);
	const struct ike_sa *ike = l->last ? TAILQ_NEXT((const struct ike_sa *)l->last, all) : TAILQ_FIRST(all);
	char line[KEYLOG_LINE_MAX];
	struct vici_wr v;
	int ret;

	while (ike && (ike->id <= l->at || !ike->keys.ei.n))
		ike = TAILQ_NEXT(ike, all);
	if (!ike)
		return -ENOENT;
	l->at = ike->id;
	l->last = ike;
	ret = keylog_write_ike(&ike->suite, ike->spi_i, ike->spi_r, &ike->keys, line, sizeof(line));
	if (ret < 0)
		return 0;
	v = event_begin(cl->control, CONTROL_EV_LIST_KEY);
	vici_kv(&v, "name", ike_name(ike));
	vici_kvf(&v, "uniqueid", "%u", ike->id);
	vici_kv(&v, "line", line);
	ret = listing_send(cl, &v);
	secret_wipe(v.w.p, v.w.n);
	secret_wipe(line, sizeof(line));
	return ret ? 0 : 1;
}

void cmd_list_keys(struct client *cl, struct slice body)
{
	struct listing l = {.next = next_key, .event = CONTROL_EV_LIST_KEY};

	(void)body;
	/* by SO_PEERCRED, not by what the client says */
	if (cl->uid != 0) {
		log_line(LOG_CONFIG, 0, "keys of the IKE SAs refused to uid %u pid %d", (unsigned int)cl->uid,
			 (int)cl->pid);
		reply_error(cl, "keys are shown to root alone");
		return;
	}
	log_line(LOG_CONFIG, 0, "keys of the IKE SAs shown to uid %u pid %d", (unsigned int)cl->uid, (int)cl->pid);
	listing_start(cl, &l);
}

#else

void cmd_list_keys(struct client *cl, struct slice body)
{
	(void)body;
	log_line(LOG_CONFIG, 0, "keys of the IKE SAs asked for by uid %u pid %d, not built in",
		 (unsigned int)cl->uid, (int)cl->pid);
	reply_error(cl, "this xdpsecd was built without showing keys (WITH_KEYS=0)");
}

#endif
