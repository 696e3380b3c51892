/* SPDX-License-Identifier: BSD-2-Clause */
#include "control_int.h"

#include "common/plane_msg.h"

#include <stdio.h>
#include <string.h>

/* The table of algorithms with what is true of it here. */

static const char *type_text(unsigned int type)
{
	switch (type) {
	case IKE_T_ENCR:
		return "encryption";
	case IKE_T_PRF:
		return "prf";
	case IKE_T_INTEG:
		return "integrity";
	case IKE_T_KE:
		return "key-exchange";
	default:
		return "esn";
	}
}

/* What the dataplane told of itself; NULL when nobody is there or has not said it yet. */
static const struct plane_info *plane_info(const struct agent *a)
{
	return a->engine && engine_ready(a->engine) ? engine_plane_info(a->engine) : NULL;
}

/* Only ciphers and MACs of ESP run in an engine. */
static bool in_engine(const struct alg *a)
{
	return a->esp && (a->type == IKE_T_ENCR || a->type == IKE_T_INTEG);
}

/* Who can be asked: the dataplane that said what it has, and the kernel where it has ESP. */
struct engines {
	const struct plane_info *plane;
	const struct engine *kernel;
};

static void write_engines(struct vici_wr *v, const struct alg *a, const struct engines *e)
{
	uint8_t bits = e->plane ? e->plane->engine[alg_index(a)] : 0;

	vici_list(v, "engines");
	if (bits & PLANE_ENGINE_CRYPTODEV)
		vici_item(v, "cryptodev");
	if (bits & PLANE_ENGINE_OPENSSL)
		vici_item(v, "openssl");
	if (e->kernel && engine_kernel_alg(e->kernel, a))
		vici_item(v, "kernel");
	vici_list_end(v);
}

static void write_aliases(struct vici_wr *v, const char *list)
{
	char word[32];

	vici_list(v, "aliases");
	while (list) {
		size_t n = strcspn(list, ",");

		snprintf(word, sizeof(word), "%.*s", (int)n, list);
		vici_item(v, word);
		list = list[n] ? list + n + 1 : NULL;
	}
	vici_list_end(v);
}

static void write_row(struct vici_wr *v, const struct alg *a, const struct engines *e)
{
	bool available = crypt_available(a);

	vici_section(v, a->name);
	vici_kv(v, "kind", type_text(a->type));
	if (!a->variant)
		vici_kvf(v, "id", "%u", a->id);
	if (a->key_bits)
		vici_kvf(v, "key-bits", "%u", a->key_bits);
	vici_kv(v, "name", a->text);
	write_aliases(v, a->alias);
	vici_kv(v, "aead", a->aead ? "yes" : "no");
	vici_kv(v, "ike", a->ike && !a->variant ? "yes" : "no");
	vici_kv(v, "esp", a->esp ? "yes" : "no");
	vici_kv(v, "legacy", a->legacy ? "yes" : "no");
	vici_kv(v, "available", available ? "yes" : "no");
	if (!available)
		vici_kv(v, "why-not", a->legacy && !crypt_legacy_on() ? "legacy = no"
								      : "OpenSSL does not have it");
	if ((e->plane || e->kernel) && in_engine(a))
		write_engines(v, a, e);
	vici_section_end(v);
}

void cmd_show_algorithms(struct client *cl, struct slice body)
{
	const struct engine *engine = cl->control->a->engine;
	const struct engines e = {.plane = plane_info(cl->control->a),
				  .kernel = engine && engine_kernel_ready(engine) ? engine : NULL};
	struct vici_wr v = reply_begin(cl);
	const struct alg *a;

	(void)body;
	vici_kv(&v, "legacy", crypt_legacy_on() ? "yes" : "no");
	vici_kv(&v, "dataplane", e.plane ? "yes" : "no");
	vici_kv(&v, "kernel", e.kernel ? "yes" : "no");
	vici_section(&v, "algorithms");
	for (unsigned int i = 0; (a = alg_at(i)); i++)
		write_row(&v, a, &e);
	vici_section_end(&v);
	reply_end(cl, &v);
}

/* For `swanctl --list-algs`: names without key size, and the library that does them. */
static void write_family(struct vici_wr *v, const char *section, unsigned int type, bool aead)
{
	const char *last = "";
	const struct alg *a;

	vici_section(v, section);
	for (unsigned int i = 0; (a = alg_at(i)); i++) {
		if (a->type != type || a->aead != aead || (type == IKE_T_KE && !a->id) || a->variant ||
		    !crypt_available(a) || !strcmp(a->base, last))
			continue;
		vici_kv(v, a->base, "openssl");
		last = a->base;
	}
	vici_section_end(v);
}

void cmd_get_algorithms(struct client *cl, struct slice body)
{
	struct vici_wr v = reply_begin(cl);

	(void)body;
	write_family(&v, "encryption", IKE_T_ENCR, false);
	write_family(&v, "integrity", IKE_T_INTEG, false);
	write_family(&v, "aead", IKE_T_ENCR, true);
	write_family(&v, "prf", IKE_T_PRF, false);
	write_family(&v, "dh", IKE_T_KE, false);
	reply_end(cl, &v);
}
