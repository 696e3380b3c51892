/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/cred/dn.h"
#include "decode.h"

#include <stdlib.h>

/* What each payload says: RFC 7296 3.3 to 3.16, one function each. */

enum { TEXT_MAX = 640 };

json_t *hex_new(struct slice s)
{
	static const char digits[] = "0123456789abcdef";
	char *text = malloc(2 * s.n + 1);
	json_t *j;

	if (!text)
		return NULL;
	for (size_t i = 0; i < s.n; i++) {
		text[2 * i] = digits[s.p[i] >> 4];
		text[2 * i + 1] = digits[s.p[i] & 15];
	}
	j = json_stringn(text, 2 * s.n);
	free(text);
	return j;
}

json_t *text_new(struct slice s)
{
	char *text = malloc(s.n + 1);
	json_t *j;

	if (!text)
		return NULL;
	for (size_t i = 0; i < s.n; i++)
		text[i] = s.p[i] < 0x20 || s.p[i] >= 0x7f ? '?' : (char)s.p[i];
	j = json_stringn(text, s.n);
	free(text);
	return j;
}

static void put(json_t *o, const char *key, json_t *value)
{
	json_object_set_new(o, key, value);
}

static void put_text(json_t *o, const char *key, const char *text)
{
	put(o, key, text ? json_string(text) : json_null());
}

static void put_number(json_t *o, const char *key, uint64_t v)
{
	put(o, key, json_integer((json_int_t)v));
}

static bool printable(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] >= 0x7f)
			return false;
	return s.n > 0;
}

static const char *protocol_name(unsigned int v)
{
	static const char *const names[] = {"none", "IKE", "AH", "ESP"};

	return v < 4 ? names[v] : NULL;
}

static const char *group_name(unsigned int id)
{
	const struct alg *a = alg_find(IKE_T_KE, id, 0);

	return a ? a->text : id ? NULL : "NONE";
}

static void put_spi32(json_t *list, uint32_t spi)
{
	char text[9];

	snprintf(text, sizeof(text), "%08x", spi);
	json_array_append_new(list, json_string(text));
}

/* ---- SA --------------------------------------------------------------------------------------------- */

static json_t *transform_new(const struct transform *t)
{
	static const char *const types[] = {"?", "ENCR", "PRF", "INTEG", "KE", "ESN"};
	const struct alg *a = alg_find(t->type, t->id, t->key_bits);
	json_t *o = json_object();

	put_text(o, "type", t->type < 6 ? types[t->type] : NULL);
	put_number(o, "type_id", t->type);
	if (t->id == TRANSFORM_UNUSABLE)
		put_text(o, "name", "with an attribute that is not understood");
	else
		put_text(o, "name", a ? a->text : t->type == IKE_T_KE || t->type == IKE_T_INTEG ?
				    (t->id ? NULL : "NONE") : NULL);
	put_number(o, "id", t->id);
	if (t->key_bits)
		put_number(o, "key_bits", t->key_bits);
	return o;
}

static void put_sa(json_t *o, const struct ike_msg *m)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < m->sa.n; i++) {
		const struct proposal *p = &m->sa.p[i];
		json_t *one = json_object(), *transforms = json_array();

		put_number(one, "number", p->number);
		put_text(one, "protocol", protocol_name(p->proto));
		put(one, "spi", hex_new(slice_of(p->spi, p->spi_len <= sizeof(p->spi) ? p->spi_len : 0)));
		for (unsigned int k = 0; k < p->n; k++)
			json_array_append_new(transforms, transform_new(&p->t[k]));
		put(one, "transforms", transforms);
		json_array_append_new(list, one);
	}
	put(o, "proposals", list);
}

/* ---- identities, certificates, authentication ---------------------------------------------------------- */

static void put_id(json_t *o, const struct ike_id *id)
{
	char text[TEXT_MAX];
	struct ip_addr a = {0};

	put_text(o, "id_type", ike_id_type_name(id->type));
	put_number(o, "id_type_id", id->type);
	if ((id->type == ID_IPV4_ADDR && id->data.n == 4) || (id->type == ID_IPV6_ADDR && id->data.n == 16)) {
		a.family = id->type == ID_IPV4_ADDR ? 4 : 6;
		memcpy(a.b, id->data.p, id->data.n);
		put_text(o, "id", addr_str(&a, text));
	} else if (id->type == ID_DER_ASN1_DN) {
		put_text(o, "id", dn_str(id->data, text, sizeof(text)));
	} else if (printable(id->data)) {
		put(o, "id", text_new(id->data));
	}
	put(o, "data", hex_new(id->data));
}

static const char *encoding_name(unsigned int v)
{
	switch (v) {
	case 1:
		return "PKCS #7 wrapped X.509";
	case 4:
		return "X.509 signature";
	case 7:
		return "CRL";
	case 12:
		return "hash and URL of X.509";
	case 13:
		return "hash and URL of X.509 bundle";
	case 14:
		return "OCSP content";
	case 15:
		return "raw public key";
	default:
		return NULL;
	}
}

static void put_cert(json_t *o, const struct ike_cert_pl *c, bool request)
{
	char subject[TEXT_MAX];

	put_text(o, "encoding", encoding_name(c->encoding));
	put_number(o, "encoding_id", c->encoding);
	if (request && c->encoding == 4) {
		/* RFC 7296 3.7: SHA-1 of the public keys of what is trusted */
		struct rd r = rd_of(c->data);
		json_t *list = json_array();

		while (r.n >= 20)
			json_array_append_new(list, hex_new(rd_bytes(&r, 20)));
		put(o, "authorities", list);
	} else if (!request && c->encoding == 4) {
		cert_subject(c->data, subject, sizeof(subject));
		put_text(o, "subject", subject[0] ? subject : NULL);
	}
	put(o, "data", hex_new(c->data));
}

static const char *method_name(unsigned int v)
{
	switch (v) {
	case AUTH_METHOD_RSA:
		return "RSA signature";
	case AUTH_METHOD_PSK:
		return "shared key";
	case 3:
		return "DSS signature";
	case AUTH_METHOD_ECDSA_256:
		return "ECDSA with SHA-256 on P-256";
	case AUTH_METHOD_ECDSA_384:
		return "ECDSA with SHA-384 on P-384";
	case AUTH_METHOD_ECDSA_521:
		return "ECDSA with SHA-512 on P-521";
	case AUTH_METHOD_NULL:
		return "NULL";
	case AUTH_METHOD_SIGNATURE:
		return "digital signature";
	default:
		return NULL;
	}
}

/* ---- notifies, deletes, selectors --------------------------------------------------------------------------- */

static void put_notify(json_t *o, const struct ike_notify_pl *n)
{
	struct rd r = rd_of(n->data);
	json_t *list;
	unsigned int v;

	put_text(o, "notify", ike_notify_name(n->type));
	put_number(o, "notify_id", n->type);
	put(o, "error", json_boolean(n->type <= N_ERROR_MAX));
	put_text(o, "protocol", protocol_name(n->proto));
	put(o, "spi", hex_new(n->spi));
	put(o, "data", hex_new(n->data));
	switch (n->type) {
	case N_INVALID_KE_PAYLOAD:
		v = rd_u16(&r);
		put_text(o, "group", group_name(v));
		put_number(o, "group_id", v);
		break;
	case N_SET_WINDOW_SIZE:
		put_number(o, "window", rd_u32(&r));
		break;
	case N_IPCOMP_SUPPORTED: /* RFC 7296 2.22 */
		put_number(o, "cpi", rd_u16(&r));
		v = rd_u8(&r);
		put_text(o, "transform", v == IPCOMP_DEFLATE ? "DEFLATE" : NULL);
		put_number(o, "transform_id", v);
		break;
	case N_UNSUPPORTED_CRITICAL_PAYLOAD:
		put_number(o, "payload_type", rd_u8(&r));
		break;
	case N_SIGNATURE_HASH_ALGORITHMS:
		list = json_array();
		while (r.n >= 2) {
			/* RFC 7427 7, RFC 8420 2 */
			static const char *const hashes[] = {"?", "SHA1", "SHA2-256", "SHA2-384", "SHA2-512", "Identity"};

			v = rd_u16(&r);
			json_array_append_new(list, v && v < 6 ? json_string(hashes[v]) : json_integer(v));
		}
		put(o, "hashes", list);
		break;
	default:
		break;
	}
}

static void put_delete(json_t *o, const struct ike_delete_pl *d)
{
	json_t *list = json_array();

	put_text(o, "protocol", protocol_name(d->proto));
	for (unsigned int i = 0; i < d->n; i++)
		put_spi32(list, d->spi[i]);
	put(o, "spis", list);
}

static void put_ts(json_t *o, const struct ts_list *l)
{
	json_t *list = json_array();
	char text[TS_STRLEN];

	for (unsigned int i = 0; i < l->n; i++)
		json_array_append_new(list, json_string(ts_str(&l->ts[i], text)));
	put(o, "selectors", list);
	if (l->more)
		put(o, "further", json_true());
}

/* ---- configuration, EAP ---------------------------------------------------------------------------------------- */

static void put_cp(json_t *o, struct slice body)
{
	static const char *const types[] = {"?", "CFG_REQUEST", "CFG_REPLY", "CFG_SET", "CFG_ACK"};
	struct rd r = rd_of(body);
	uint8_t type = rd_u8(&r);
	json_t *list = json_array();

	rd_bytes(&r, 3);
	put_text(o, "cfg", type && type < 5 ? types[type] : NULL);
	put_number(o, "cfg_id", type);
	while (r.n >= 4) {
		json_t *one = json_object();
		uint16_t id = rd_u16(&r) & 0x7fff, len = rd_u16(&r);

		put_number(one, "attribute", id);
		put(one, "data", hex_new(rd_bytes(&r, len)));
		json_array_append_new(list, one);
	}
	put(o, "attributes", list);
}

static void put_eap(json_t *o, struct slice body)
{
	static const char *const codes[] = {"?", "Request", "Response", "Success", "Failure"};
	struct rd r = rd_of(body);
	uint8_t code = rd_u8(&r);

	put_text(o, "code", code && code < 5 ? codes[code] : NULL);
	put_number(o, "code_id", code);
	put_number(o, "identifier", rd_u8(&r));
	rd_u16(&r);
	if (r.n)
		put_number(o, "eap_type", rd_u8(&r));
	put(o, "data", hex_new(rd_rest(&r)));
}

static void put_fields(json_t *o, const struct payload_at *p, const struct ike_msg *m)
{
	switch (p->type) {
	case IKE_PL_SA:
		put_sa(o, m);
		break;
	case IKE_PL_KE:
		put_text(o, "group", group_name(m->ke.group));
		put_number(o, "group_id", m->ke.group);
		put(o, "data", hex_new(m->ke.data));
		break;
	case IKE_PL_IDI:
		put_id(o, &m->id_i);
		break;
	case IKE_PL_IDR:
		put_id(o, &m->id_r);
		break;
	case IKE_PL_CERT:
		put_cert(o, &m->cert[0], false);
		break;
	case IKE_PL_CERTREQ:
		put_cert(o, &m->certreq[0], true);
		break;
	case IKE_PL_AUTH:
		put_text(o, "method", method_name(m->auth.method));
		put_number(o, "method_id", m->auth.method);
		put(o, "data", hex_new(m->auth.data));
		break;
	case IKE_PL_NOTIFY:
		put_notify(o, &m->notify[0]);
		break;
	case IKE_PL_DELETE:
		put_delete(o, &m->del[0]);
		break;
	case IKE_PL_TSI:
		put_ts(o, &m->ts_i);
		break;
	case IKE_PL_TSR:
		put_ts(o, &m->ts_r);
		break;
	case IKE_PL_CP:
		put_cp(o, p->body);
		break;
	case IKE_PL_EAP:
		put_eap(o, p->body);
		break;
	case IKE_PL_VENDOR:
		if (printable(p->body))
			put(o, "text", text_new(p->body));
		put(o, "data", hex_new(p->body));
		break;
	default:
		put(o, "data", hex_new(p->body));
	}
}

void decode_payload(json_t *o, const struct payload_at *p)
{
	static struct ike_msg m; /* large, and of no use afterwards */
	enum wire_err err;

	m = (struct ike_msg){0};
	err = payload_look(p, &m);
	if (err == WIRE_OK) {
		put_fields(o, p, &m);
		return;
	}
	put_text(o, "malformed", wire_rule(err, p->type));
	put(o, "data", hex_new(p->body));
}
