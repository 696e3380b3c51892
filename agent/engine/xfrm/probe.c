/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe.h"
#include "client_int.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

/*
 * SAs for the question stand under an SPI that no peer can be given (RFC 4303 2.1: 1 to 255 are
 * reserved), between addresses that are for documents, and last for one system call.
 */
enum { PROBE_SPI = 0x58, PROBE_REQID = 0x58ffffff, PROBE_KEY_MAX = 80, LINE = 512 };

static const struct {
	const char *name, *module[2], *config[2];
} features[XF_FEATURES] = {
    [XF_ESP] = {"ESP", {"esp4", "esp6"}, {"CONFIG_INET_ESP", "CONFIG_INET6_ESP"}},
    [XF_AH] = {"AH", {"ah4", "ah6"}, {"CONFIG_INET_AH", "CONFIG_INET6_AH"}},
    [XF_IPCOMP] = {"IPComp", {"ipcomp", "ipcomp6"}, {"CONFIG_INET_IPCOMP", "CONFIG_INET6_IPCOMP"}},
    [XF_MIGRATE] = {"moving SAs", {NULL}, {"CONFIG_XFRM_MIGRATE"}},
    [XF_PER_CPU] = {"SAs of one CPU", {NULL}, {NULL}},
};

const char *xfrm_feature_name(enum xf_feature f)
{
	return features[f].name;
}

/* ---- words
 * -------------------------------------------------------------------------------------------- */

/* Is this module listed in a file of /lib/modules? -1: there is no such file. */
static int listed(const char *release, const char *file, const char *module)
{
	char path[256], line[LINE], name[64];
	FILE *f;
	int found = 0;

	snprintf(path, sizeof(path), "/lib/modules/%s/%s", release, file);
	f = fopen(path, "re");
	if (!f)
		return -1;
	snprintf(name, sizeof(name), "/%s.ko", module);
	while (!found && fgets(line, sizeof(line), f)) {
		char *at;

		line[strcspn(line, ":\n")] = 0;
		at = strstr(line, name);
		/* "/esp4.ko", "/esp4.ko.xz", not "/esp4.kobold" */
		found = at && (!at[strlen(name)] || at[strlen(name)] == '.');
	}
	fclose(f);
	return found;
}

/* Why a protocol of one address family is not there, and what to do about it. */
static void explain(char why[XF_WHY_MAX], enum xf_feature f, unsigned int i, int error,
		    const char *text)
{
	const char *module = features[f].module[i], *config = features[f].config[i];
	struct utsname u;
	int there;

	if (error != -EPROTONOSUPPORT && error != -ENOSYS && error != -EAFNOSUPPORT) {
		snprintf(why, XF_WHY_MAX, "%s: %s%s%s", features[f].name, strerror(-error),
			 text[0] ? ": " : "", text);
		return;
	}
	if (uname(&u))
		u.release[0] = 0;
	there = listed(u.release, "modules.dep", module);
	if (there > 0)
		snprintf(why, XF_WHY_MAX,
			 "%s: the module is not loaded and cannot be loaded from here: modprobe %s",
			 features[f].name, module);
	else if (there < 0)
		snprintf(why, XF_WHY_MAX,
			 "%s: not in this kernel, and no modules of it under /lib/modules (%s, %s)",
			 features[f].name, module, config);
	else if (listed(u.release, "modules.builtin", module) > 0)
		snprintf(why, XF_WHY_MAX, "%s: built in, but refused: %s", features[f].name, text);
	else
		snprintf(why, XF_WHY_MAX, "%s: this kernel was built without it (%s)",
			 features[f].name, config);
}

/* ---- questions
 * ----------------------------------------------------------------------------------------- */

static struct xfrm_sa_spec question(uint8_t proto, bool v6)
{
	struct xfrm_sa_spec s = {.dir = XF_OUT,
				 .proto = proto,
				 .spi = PROBE_SPI,
				 .reqid = PROBE_REQID,
				 .mode = proto == IPPROTO_COMP ? XF_TUNNEL : XF_TRANSPORT};

	if (addr_parse(v6 ? "2001:db8::1" : "192.0.2.1", &s.src) ||
	    addr_parse(v6 ? "2001:db8::2" : "192.0.2.2", &s.dst))
		s.src.family = 0;
	return s;
}

static void take_back(struct xfrm_client *c, const struct xfrm_sa_spec *s)
{
	const struct xfrm_sa_id id = {.dst = s->dst, .spi = s->spi, .proto = s->proto};
	int n = xfrm_put_sa_del(c->batch.p, c->batch.n, &id);
	char text[XF_TEXT_MAX];

	if (n > 0)
		(void)client_exchange(c, c->batch.p, (size_t)n, NULL, NULL, text);
}

/* 0: the kernel took it. No key of anybody's: bytes that are as good as any, for some ciphers
 * refuse zeroes (3DES). */
static int ask_sa(struct xfrm_client *c, struct xfrm_sa_spec *s, const struct alg *encr,
		  const struct alg *integ, char *text)
{
	uint8_t key[PROBE_KEY_MAX];
	int n;

	for (unsigned int i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i * 37 + 11);
	s->encr = encr;
	s->integ = integ;
	s->encr_key = slice_of(key, encr ? (size_t)encr->key_len + encr->salt_len : 0);
	s->integ_key = slice_of(key, integ ? integ->key_len : 0);
	if (s->encr_key.n > sizeof(key) || s->integ_key.n > sizeof(key))
		return -EINVAL;
	n = xfrm_put_sa(c->batch.p, c->batch.n, s, &c->caps, text);
	if (n > 0)
		n = client_exchange(c, c->batch.p, (size_t)n, NULL, NULL, text);
	/* What an earlier one left that was killed in between goes as well. */
	if (!n || n == -EEXIST)
		take_back(c, s);
	return n == -EEXIST ? 0 : n;
}

static int ask_protocol(struct xfrm_client *c, enum xf_feature f, bool v6, char *text)
{
	const struct alg *gcm = alg_by_name("aes128gcm16", IKE_T_ENCR),
			 *cbc = alg_by_name("aes128", IKE_T_ENCR),
			 *sha = alg_by_name("sha256", IKE_T_INTEG);
	struct xfrm_sa_spec s = question(f == XF_ESP  ? IPPROTO_ESP
					 : f == XF_AH ? IPPROTO_AH
						      : IPPROTO_COMP,
					 v6);
	int r;

	if (f == XF_AH)
		return ask_sa(c, &s, NULL, sha, text);
	if (f == XF_IPCOMP)
		return ask_sa(c, &s, NULL, NULL, text);
	r = ask_sa(c, &s, gcm, NULL, text);
	return r == -ENOSYS ? ask_sa(c, &s, cbc, sha, text) : r;
}

static void probe_protocol(struct xfrm_client *c, struct xfrm_probe *out, enum xf_feature f)
{
	char text[XF_TEXT_MAX];

	out->has[f] = true;
	for (unsigned int v6 = 0; v6 < 2 && out->has[f]; v6++) {
		int r = ask_protocol(c, f, v6, text);

		if (!r)
			continue;
		out->has[f] = false;
		explain(out->why_not[f], f, v6, r, text);
	}
}

/* A policy that nobody has cannot be moved: a kernel that could says that there is none. */
static void probe_migrate(struct xfrm_client *c, struct xfrm_probe *out)
{
	struct xfrm_sa_spec s = question(IPPROTO_ESP, false), t = question(IPPROTO_ESP, true);
	struct xfrm_migrate_spec m = {
	    .policy = {.dir = XF_OUT, .if_id = PROBE_REQID},
	    .n = 1,
	    .sa = {{.old_src = s.src,
		    .old_dst = s.dst,
		    .new_src = t.src,
		    .new_dst = t.dst,
		    .proto = IPPROTO_ESP,
		    .mode = XF_TUNNEL,
		    .reqid = PROBE_REQID}},
	};
	char text[XF_TEXT_MAX] = "";
	int n;

	m.policy.sel =
	    (struct xf_selector){.src = s.src, .dst = s.dst, .src_len = 32, .dst_len = 32};
	n = xfrm_put_migrate(c->batch.p, c->batch.n, &m, text);
	if (n > 0)
		n = client_exchange(c, c->batch.p, (size_t)n, NULL, NULL, text);
	out->has[XF_MIGRATE] = n == -ENOENT;
	if (n == -ENOPROTOOPT)
		snprintf(out->why_not[XF_MIGRATE], XF_WHY_MAX,
			 "moving SAs: this kernel was built without it (%s)",
			 features[XF_MIGRATE].config[0]);
	else if (n != -ENOENT)
		snprintf(out->why_not[XF_MIGRATE], XF_WHY_MAX, "moving SAs: %s",
			 n < 0 ? strerror(-n) : "not refused");
}

static void probe_algorithms(struct xfrm_client *c, struct xfrm_probe *out)
{
	const struct alg *none = alg_by_name("null", IKE_T_ENCR),
			 *sha = alg_by_name("sha256", IKE_T_INTEG), *a;
	struct xfrm_sa_spec s = question(IPPROTO_ESP, false);
	char text[XF_TEXT_MAX];

	for (unsigned int i = 0; (a = alg_at(i)) && i < ALG_ROWS_MAX; i++) {
		if (!a->esp || !a->xfrm)
			continue;
		if (a->type == IKE_T_ENCR)
			out->alg[i] = !ask_sa(c, &s, a, a->aead ? NULL : sha, text);
		else if (a->type == IKE_T_INTEG)
			out->alg[i] = !ask_sa(c, &s, none, a, text);
	}
}

static int nothing_there(struct xfrm_probe *out, int error, const char *err)
{
	for (int f = 0; f < XF_FEATURES; f++)
		snprintf(out->why_not[f], XF_WHY_MAX, "%s", err);
	return error;
}

int xfrm_probe_run(struct xfrm_probe *out)
{
	static const struct xfrm_client_ops ops;
	struct xfrm_client *c;
	char err[XF_WHY_MAX];

	memset(out, 0, sizeof(*out));
	c = xfrm_client_new(NULL, &ops, NULL, err, sizeof(err));
	if (!c)
		return nothing_there(out, -errno, err);
	for (enum xf_feature f = XF_ESP; f <= XF_IPCOMP; f++)
		probe_protocol(c, out, f);
	probe_migrate(c, out);
	out->has[XF_PER_CPU] = c->caps.sa_pcpu;
	if (!c->caps.sa_pcpu)
		snprintf(out->why_not[XF_PER_CPU], XF_WHY_MAX,
			 "SAs of one CPU: this kernel does not know them");
	if (out->has[XF_ESP])
		probe_algorithms(c, out);
	xfrm_client_free(c);
	return 0;
}
