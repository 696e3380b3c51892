/* SPDX-License-Identifier: BSD-2-Clause */
#include "control_int.h"

#include "agent/cred/cred.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
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

/* ---- authorities ------------------------------------------------------------------------------------------------ */

static bool authority_at(struct client *cl, uint32_t i, struct cred_authority_entry *e)
{
	const struct agent *a = cl->control->a;
	const struct cred *c = a->creds ? creds_get(a->creds) : NULL;

	return c && cred_authority_at(c, i, e);
}

static void write_uris(struct vici_wr *v, const char *key, char *const *uri, unsigned int n)
{
	vici_list(v, key);
	for (unsigned int i = 0; i < n; i++)
		vici_item(v, uri[i]);
	vici_list_end(v);
}

static int next_authority(struct client *cl, struct listing *l)
{
	struct cred_authority_entry e;
	struct vici_wr v;

	if (!authority_at(cl, l->at, &e))
		return -ENOENT;
	l->at++;
	if (l->ike[0] && strcmp(l->ike, e.name) != 0)
		return 0;
	v = event_begin(cl->control, CONTROL_EV_LIST_AUTHORITY);
	vici_section(&v, e.name);
	vici_kv(&v, "cacert", e.subject);
	vici_kv(&v, "file", e.file); /* of ours */
	write_uris(&v, "crl_uris", e.crl_uri, e.n_crl);
	write_uris(&v, "ocsp_uris", e.ocsp_uri, e.n_ocsp);
	vici_section_end(&v);
	return listing_send(cl, &v) ? 0 : 1;
}

void cmd_list_authorities(struct client *cl, struct slice body)
{
	struct listing l = {.next = next_authority, .event = CONTROL_EV_LIST_AUTHORITY};

	if (param_name(cl, body, "name", l.ike, sizeof(l.ike)))
		listing_start(cl, &l);
}

void cmd_get_authorities(struct client *cl, struct slice body)
{
	struct vici_wr v = reply_begin(cl);
	struct cred_authority_entry e;

	(void)body;
	vici_list(&v, "authorities");
	for (uint32_t i = 0; authority_at(cl, i, &e); i++)
		vici_item(&v, e.name);
	vici_list_end(&v);
	reply_end(cl, &v);
}

/* What is cached is what was fetched: CRLs and OCSP answers. Of other types there is nothing to forget. */
void cmd_flush_certs(struct client *cl, struct slice body)
{
	static const char *const types[] = {"ANY", "X509_CRL", "OCSP_RESPONSE", "X509", "X509_AC", "PUBKEY"};
	struct creds *s = cl->control->a->creds;
	char type[32];
	unsigned int n;
	struct vici_wr v;
	size_t i = 0;

	if (!param_name(cl, body, "type", type, sizeof(type)))
		return;
	while (i < sizeof(types) / sizeof(*types) && type[0] && strcasecmp(type, types[i]))
		i++;
	if (i == sizeof(types) / sizeof(*types)) {
		reply_error(cl, "type '%s' is none of ANY, X509_CRL, OCSP_RESPONSE, X509, X509_AC, PUBKEY", type);
		return;
	}
	n = s && i < 3 ? creds_flush(s, i < 2, i == 0 || i == 2) : 0;
	log_line(LOG_CONFIG, 1, "vici flush-certs by uid %u pid %d: %u forgotten", (unsigned int)cl->uid,
		 (int)cl->pid, n);
	v = reply_begin(cl);
	vici_kv(&v, "success", "yes");
	vici_kvf(&v, "flushed", "%u", n);
	vici_kvf(&v, "text", "%u forgotten", n);
	reply_end(cl, &v);
}
