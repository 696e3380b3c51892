/* SPDX-License-Identifier: BSD-2-Clause */
#include "control_int.h"

#include "agent/cred/cred.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>

/* Certificates, lists of revoked ones, raw keys, and the names of private keys: what swanctl shows of them. */

static const struct {
	const char *type, *flag;
} kinds[] = {
	[CRED_CERT] = {"X509", "NONE"},
	[CRED_CA] = {"X509", "CA"},
	[CRED_OCSP] = {"X509", "OCSP"},
	[CRED_CRL] = {"X509_CRL", "NONE"},
	[CRED_PUBKEY] = {"PUBKEY", "NONE"},
};

static void write_id(struct vici_wr *v, const uint8_t id[SIG_KEY_ID_LEN])
{
	char hex[2 * SIG_KEY_ID_LEN + 1];

	for (int i = 0; i < SIG_KEY_ID_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", id[i]);
	vici_kv(v, "keyid", hex);
}

static bool wanted(const struct listing *l, const struct cred_entry *e)
{
	if (l->ike[0] && strcasecmp(l->ike, "ANY") && strcasecmp(l->ike, kinds[e->kind].type))
		return false;
	return !l->child[0] || !strcasecmp(l->child, "ANY") || !strcasecmp(l->child, kinds[e->kind].flag);
}

static int next_cert(struct client *cl, struct listing *l)
{
	const struct agent *a = cl->control->a;
	const struct cred *c = a->creds ? creds_get(a->creds) : NULL;
	struct cred_entry e;
	struct vici_wr v;

	if (!c || !cred_entry_at(c, l->at, &e))
		return -ENOENT;
	l->at++;
	if (!wanted(l, &e))
		return 0;
	v = event_begin(cl->control, CONTROL_EV_LIST_CERT);
	vici_kv(&v, "type", kinds[e.kind].type);
	vici_kv(&v, "flag", kinds[e.kind].flag);
	if (e.kind != CRED_CRL && a->keys && keys_has_private(a->keys, e.key_id))
		vici_kv(&v, "has_privkey", "yes");
	vici_kv_bytes(&v, "data", e.der);
	/* of ours: what a table shows without parsing */
	vici_kv(&v, "file", e.file);
	vici_kv(&v, "name", e.subject);
	vici_kv(&v, "issuer", e.issuer);
	vici_kvf(&v, "valid-from", "%lld", (long long)e.not_before);
	vici_kvf(&v, "valid-to", "%lld", (long long)e.not_after);
	if (e.kind != CRED_CRL)
		write_id(&v, e.key_id);
	return listing_send(cl, &v) ? 0 : 1;
}

void cmd_list_certs(struct client *cl, struct slice body)
{
	struct listing l = {.next = next_cert, .event = CONTROL_EV_LIST_CERT};

	/* the two names of a listing serve as its type and flag */
	if (param_name(cl, body, "type", l.ike, sizeof(l.ike)) &&
	    param_name(cl, body, "flag", l.child, sizeof(l.child)))
		listing_start(cl, &l);
}

void cmd_get_keys(struct client *cl, struct slice body)
{
	struct keys *k = cl->control->a->keys;
	struct vici_wr v = reply_begin(cl);
	struct keys_private key;

	(void)body;
	vici_list(&v, "keys");
	for (unsigned int i = 0; k && keys_private_at(k, i, &key); i++) {
		char hex[2 * SIG_KEY_ID_LEN + 1];

		for (int j = 0; j < SIG_KEY_ID_LEN; j++)
			snprintf(hex + 2 * j, 3, "%02x", key.id[j]);
		vici_item(&v, hex);
	}
	vici_list_end(&v);
	reply_end(cl, &v);
}

void cmd_show_keys(struct client *cl, struct slice body)
{
	struct keys *k = cl->control->a->keys;
	struct vici_wr v = reply_begin(cl);
	struct keys_private key;
	char name[16];

	(void)body;
	for (unsigned int i = 0; k && keys_private_at(k, i, &key); i++) {
		snprintf(name, sizeof(name), "%u", i);
		vici_section(&v, name);
		write_id(&v, key.id);
		vici_kv(&v, "type", sig_key_type_name(key.type));
		vici_kvf(&v, "bits", "%u", key.bits);
		vici_kv(&v, "file", key.file);
		vici_section_end(&v);
	}
	reply_end(cl, &v);
}
