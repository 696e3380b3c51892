/* SPDX-License-Identifier: BSD-2-Clause */
#include "auth.h"

#include <stdio.h>
#include <time.h>

/*
 * Connections that cannot authenticate us, because certificate or private key are not there. They are loaded all the
 * same: what is missing may come with the next reload, and what else they do (policies, peers' requests for other
 * connections) does not wait for it. So it is said, when it is loaded and when it is listed.
 */
enum { LACKS_SAID_MAX = 20 };

static bool has_key(void *ctx, const uint8_t id[SIG_KEY_ID_LEN])
{
	struct agent *a = ctx;

	return a->core->parts->has_private(a, id);
}

bool sa_conn_lacks(struct agent *a, const struct conn_conf *conn, char why[SA_LACKS_MAX])
{
	const struct cred *c = a->creds ? creds_get(a->creds) : NULL;
	char text[CRED_TEXT_MAX] = "no certificates are loaded";
	struct cred_own own;

	if (conn->local_auth != CONF_AUTH_PUBKEY)
		return false;
	if (c && cred_own(c, conn->local_cred, conn->local_id->type ? conn->local_id : NULL, NULL, 0, time(NULL),
			  has_key, a, &own, text) == 0)
		return false;
	snprintf(why, SA_LACKS_MAX, "%s", text);
	return true;
}

void conns_lacking_say(struct agent *a, const struct conf *conf)
{
	unsigned int n = 0;
	char why[SA_LACKS_MAX];

	for (unsigned int i = 0; i < conf->n_conns; i++) {
		const struct conn_conf *conn = conf->conn[i];

		if (!sa_conn_lacks(a, conn, why) || n++ >= LACKS_SAID_MAX)
			continue;
		log_line(LOG_CONFIG, 0, "%s:%d: connection '%s' cannot authenticate until the next reload: %s",
			 conn->file, conn->line, conn->name, why);
	}
	if (n > LACKS_SAID_MAX)
		log_line(LOG_CONFIG, 0, "%u further connections cannot authenticate", n - LACKS_SAID_MAX);
}
