// SPDX-License-Identifier: BSD-2-Clause
#include "gateway_conf.h"

#include "settings_table.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define AT(member) offsetof(struct gateway_conf, member)
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static int bad(const struct settings *s, const struct settings_key *key, struct settings_error *err,
	       const char *allowed)
{
	return settings_err(err, s, key, "'%.64s' is not allowed; it must be %s", key->value,
			    allowed);
}

static int read_path(const struct settings *s, const struct settings_key *key, char *to, size_t n,
		     struct settings_error *err)
{
	size_t len = strlen(key->value);

	if (key->value[0] != '/')
		return bad(s, key, err, "an absolute path");
	if (len >= n)
		return settings_err(err, s, key, "longer than %zu bytes", n - 1);
	memcpy(to, key->value, len + 1);
	return 0;
}

static int read_pin_dir(const struct settings *s, const struct settings_key *key, void *out,
			struct settings_error *err)
{
	struct gateway_conf *c = out;

	return read_path(s, key, c->pin_dir, sizeof(c->pin_dir), err);
}

/* The names of the sockets in it must fit sun_path too. */
static int read_run_dir(const struct settings *s, const struct settings_key *key, void *out,
			struct settings_error *err)
{
	struct gateway_conf *c = out;

	return read_path(s, key, c->run_dir, sizeof(c->run_dir) - sizeof("/dataplane.sock"), err);
}

static int read_swanctl_conf(const struct settings *s, const struct settings_key *key, void *out,
			     struct settings_error *err)
{
	struct gateway_conf *c = out;

	return read_path(s, key, c->swanctl_conf, sizeof(c->swanctl_conf), err);
}

static int read_sa_slots(const struct settings *s, const struct settings_key *key, void *out,
			 struct settings_error *err)
{
	struct gateway_conf *c = out;
	uint64_t v;

	/* The low bits of an SPI are the slot. */
	if (settings_uint(key->value, 65536, &v) < 0 || v < 64 || (v & (v - 1)))
		return bad(s, key, err, "a power of two from 64 to 65536");
	c->sa_slots = (uint32_t)v;
	return 0;
}

static int read_busy_poll(const struct settings *s, const struct settings_key *key, void *out,
			  struct settings_error *err)
{
	static const char allowed[] = "a time such as 50us or 1ms, from 0us to 1000ms";
	struct gateway_conf *c = out;
	char digits[16];
	uint64_t v, factor = 1;
	size_t n = strspn(key->value, "0123456789");

	if (strcmp(key->value + n, "ms") == 0)
		factor = 1000;
	else if (strcmp(key->value + n, "us") != 0 && strcmp(key->value, "0") != 0)
		return bad(s, key, err, allowed);
	snprintf(digits, sizeof(digits), "%.*s", (int)(n < 15 ? n : 15), key->value);
	if (settings_uint(digits, 1000000 / factor, &v) < 0)
		return bad(s, key, err, allowed);
	c->dataplane.busy_poll_us = (uint32_t)(v * factor);
	return 0;
}

static int read_cookie(const struct settings *s, const struct settings_key *key, void *out,
		       struct settings_error *err)
{
	struct gateway_conf *c = out;
	uint64_t v;

	if (strcmp(key->value, "always") == 0) {
		c->ike.cookie_threshold = -1;
		return 0;
	}
	if (settings_uint(key->value, UINT32_MAX, &v) < 0)
		return bad(s, key, err, "a number of half-open IKE SAs, 0 for never, or always");
	c->ike.cookie_threshold = (int64_t)v;
	return 0;
}

static int read_fragment_size(const struct settings *s, const struct settings_key *key, void *out,
			      struct settings_error *err)
{
	struct gateway_conf *c = out;
	uint64_t v;

	if (settings_uint(key->value, 65535, &v) < 0 || (v && v < GW_FRAGMENT_MIN))
		return settings_err(err, s, key,
				    "'%.64s' is not allowed; it must be a number of bytes from %d to "
				    "65535, or 0 for 576 with IPv4 and 1280 with IPv6",
				    key->value, GW_FRAGMENT_MIN);
	c->ike.fragment_size = (uint32_t)v;
	return 0;
}

static int add_cpu(uint32_t cpus[GW_CPUS_MAX], uint32_t *n, uint64_t cpu)
{
	for (uint32_t i = 0; i < *n; i++)
		if (cpus[i] == cpu)
			return -EEXIST;
	if (*n == GW_CPUS_MAX)
		return -ENOSPC;
	cpus[(*n)++] = (uint32_t)cpu;
	return 0;
}

/* "2, 3" or "2-5": each at most once. */
static int read_cpu_list(const struct settings *s, const struct settings_key *key,
			 uint32_t cpus[GW_CPUS_MAX], uint32_t *n, const char *allowed,
			 struct settings_error *err)
{
	const char *list = key->value;
	char item[32];

	*n = 0;
	while (settings_item(&list, item, sizeof(item))) {
		char *dash = strchr(item, '-');
		uint64_t first, last;

		if (dash)
			*dash++ = 0;
		if (settings_uint(item, 4095, &first) < 0 ||
		    settings_uint(dash ? dash : item, 4095, &last) < 0 || first > last)
			return bad(s, key, err, allowed);
		for (; first <= last; first++) {
			int rc = add_cpu(cpus, n, first);

			if (rc == -EEXIST)
				return settings_err(err, s, key, "CPU %u is given twice",
						    (unsigned int)first);
			if (rc < 0)
				return settings_err(err, s, key, "more than %d CPUs", GW_CPUS_MAX);
		}
	}
	return 0;
}

/* Worker n runs on the n-th. */
static int read_cpus(const struct settings *s, const struct settings_key *key, void *out,
		     struct settings_error *err)
{
	struct gw_dataplane_conf *d = &((struct gateway_conf *)out)->dataplane;

	return read_cpu_list(s, key, d->cpus, &d->n_cpus,
			     "a list of CPU numbers such as 2, 3 or 2-5", err);
}

static int read_spread(const struct settings *s, const struct settings_key *key, void *out,
		       struct settings_error *err)
{
	static const char allowed[] = "auto, no, or a list of CPU numbers such as 2, 3 or 2-5";
	struct gw_port_conf *port = out;
	int rc;

	port->spread = strcmp(key->value, "auto") ? GW_SPREAD_NO : GW_SPREAD_AUTO;
	if (!strcmp(key->value, "auto") || !strcmp(key->value, "no"))
		return 0;
	rc = read_cpu_list(s, key, port->spread_cpus, &port->n_spread_cpus, allowed, err);
	if (rc < 0)
		return rc;
	if (!port->n_spread_cpus)
		return bad(s, key, err, allowed);
	port->spread = GW_SPREAD_CPUS;
	return 0;
}

static const struct settings_field top_fields[] = {
    {"pin_dir", SETTINGS_CUSTOM, .read = read_pin_dir},
    {"run_dir", SETTINGS_CUSTOM, .read = read_run_dir},
    {"swanctl_conf", SETTINGS_CUSTOM, .read = read_swanctl_conf},
    {"sa_slots", SETTINGS_CUSTOM, .read = read_sa_slots},
    {"policies", SETTINGS_U32, AT(policies), .min = 64, .max = 1 << 20},
    {"xfrm_interface", SETTINGS_BOOL, .offset = AT(xfrm_interface)},
    {"engine", SETTINGS_WORD, AT(engine), .words = WORDS("auto", "kernel", "dataplane")},
    {0},
};

static const struct settings_field dataplane_fields[] = {
    {"crypto", SETTINGS_WORD, AT(dataplane.crypto), .words = WORDS("cryptodev", "openssl")},
    {"vdev", SETTINGS_TEXT, AT(dataplane.vdev), .max = 256},
    {"device", SETTINGS_TEXT, AT(dataplane.device), .max = 256},
    {"workers", SETTINGS_U32, AT(dataplane.workers), .min = 1, .max = GW_WORKERS_MAX},
    {"cpus", SETTINGS_CUSTOM, .read = read_cpus},
    {"busy_poll", SETTINGS_CUSTOM, .read = read_busy_poll},
    {0},
};

static const struct settings_field ike_fields[] = {
    {"port", SETTINGS_U16, AT(ike.port), .min = 1, .max = 65535},
    {"port_nat_t", SETTINGS_U16, AT(ike.port_nat_t), .min = 1, .max = 65535},
    {"retransmit_tries", SETTINGS_U32, AT(ike.retransmit_tries), .min = 0, .max = 100},
    {"retransmit_timeout", SETTINGS_MILLIS32, AT(ike.retransmit_timeout_ms), .min = 0,
     .max = 60000},
    {"retransmit_base", SETTINGS_RATIO, AT(ike.retransmit_base), .min = 0, .max = 10},
    {"retransmit_jitter", SETTINGS_U32, AT(ike.retransmit_jitter), .min = 0, .max = 20},
    {"retransmit_limit", SETTINGS_SECONDS32, AT(ike.retransmit_limit_s), .min = 0, .max = 100},
    {"keep_alive", SETTINGS_SECONDS32, AT(ike.keep_alive_s), .min = 0, .max = 86400},
    {"half_open_timeout", SETTINGS_SECONDS32, AT(ike.half_open_timeout_s), .min = 1, .max = 3600},
    {"cookie_threshold", SETTINGS_CUSTOM, .read = read_cookie},
    {"block_threshold", SETTINGS_U32, AT(ike.block_threshold), .min = 0, .max = UINT32_MAX},
    {"init_limit_half_open", SETTINGS_U32, AT(ike.init_limit_half_open), .min = 0,
     .max = UINT32_MAX},
    {"init_limit_job_load", SETTINGS_U32, AT(ike.init_limit_job_load), .min = 0,
     .max = UINT32_MAX},
    {"ike_sa_limit", SETTINGS_U32, AT(ike.ike_sa_limit), .min = 0, .max = UINT32_MAX},
    {"source_rate", SETTINGS_U32, AT(ike.source_rate), .min = 0, .max = 100000000},
    {"fragment_size", SETTINGS_CUSTOM, .read = read_fragment_size},
    {"delete_rekeyed_delay", SETTINGS_SECONDS32, AT(ike.delete_rekeyed_delay_s), .min = 0,
     .max = 3600},
    {"initiator_only", SETTINGS_BOOL, .offset = AT(ike.initiator_only)},
    {"reuse_ikesa", SETTINGS_BOOL, .offset = AT(ike.reuse_ikesa)},
    {"ignore_acquire_ts", SETTINGS_BOOL, .offset = AT(ike.ignore_acquire_ts)},
    {"inactivity_close_ike", SETTINGS_BOOL, .offset = AT(ike.inactivity_close_ike)},
    {"close_ike_on_child_failure", SETTINGS_BOOL, .offset = AT(ike.close_ike_on_child_failure)},
    {"retry_initiate_interval", SETTINGS_SECONDS32, AT(ike.retry_initiate_interval_s), .min = 0,
     .max = 86400},
    {"acquire_timeout", SETTINGS_SECONDS32, AT(ike.acquire_timeout_s), .min = 0, .max = 3600},
    {"child_sa_limit", SETTINGS_U32, AT(ike.child_sa_limit), .min = 0, .max = UINT32_MAX},
    {"make_before_break", SETTINGS_BOOL, .offset = AT(ike.make_before_break)},
    {"legacy", SETTINGS_BOOL, .offset = AT(ike.legacy)},
    {"threads", SETTINGS_NO_EFFECT,
     .text = "one loop serves all IKE SAs, and slow crypto has a pool of its own"},
    {"ikesa_table_size", SETTINGS_NO_EFFECT, .text = "the table of IKE SAs grows by itself"},
    {"ikesa_table_segments", SETTINGS_NO_EFFECT,
     .text = "one thread owns all IKE SAs, so their table has no locks to spread"},
    {0},
};

#define PORT_AT(member) offsetof(struct gw_port_conf, member)
static const struct settings_field port_fields[] = {
    {"role", SETTINGS_WORD, PORT_AT(role), .words = WORDS("wan", "lan")},
    {"attach", SETTINGS_WORD, PORT_AT(attach), .words = WORDS("auto", "native", "generic")},
    {"tc", SETTINGS_WORD, PORT_AT(tc), .words = WORDS("auto", "tcx", "clsact")},
    {"spread", SETTINGS_CUSTOM, .read = read_spread},
    {0},
};

_Static_assert(sizeof(enum gw_role) == sizeof(int), "SETTINGS_WORD stores an int");

void gateway_conf_defaults(struct gateway_conf *conf)
{
	*conf = (struct gateway_conf){
	    .pin_dir = "/sys/fs/bpf/xdpsec",
	    .run_dir = "/run/xdpsec",
	    .swanctl_conf = "/etc/swanctl/swanctl.conf",
	    .sa_slots = 65536,
	    .policies = 131072,
	    .xfrm_interface = true,
	    .dataplane =
		{
		    .crypto = GW_CRYPTO_CRYPTODEV,
		    .vdev = "crypto_aesni_gcm, crypto_aesni_mb",
		    .workers = 1,
		    .busy_poll_us = 50,
		},
	    .ike =
		{
		    .port = 500,
		    .port_nat_t = 4500,
		    .retransmit_tries = 5,
		    .retransmit_timeout_ms = 4000,
		    .retransmit_base = 1.8,
		    .keep_alive_s = 20,
		    .half_open_timeout_s = 30,
		    .cookie_threshold = 10,
		    .block_threshold = 5,
		    .source_rate = 5000,
		    .delete_rekeyed_delay_s = 5,
		    .fragment_size = 1280,
		    .reuse_ikesa = true,
		    .acquire_timeout_s = 30,
		    .child_sa_limit = 256,
		},
	};
	for (unsigned int i = 0; i < LOG_GROUPS; i++)
		conf->log_level[i] = LOG_LEVEL_DEFAULT;
}

static int no_sections(const struct settings *s, struct settings_error *err)
{
	const struct settings *sub = TAILQ_FIRST(&s->sections);

	return sub ? settings_unknown(sub, NULL, WORDS(NULL), err) : 0;
}

static int read_leaf(const struct settings *s, const struct settings_field *fields, void *out,
		     struct settings_error *err)
{
	int rc = no_sections(s, err);

	return rc < 0 ? rc : settings_table_read(s, fields, out, err);
}

static int read_port(const struct settings *s, struct gateway_conf *conf,
		     struct settings_error *err)
{
	struct gw_port_conf *port = &conf->port[conf->n_ports];
	size_t n = strlen(s->name);
	int rc;

	if (s->again)
		return settings_err(err, s, NULL, "interface given twice, again in line %d",
				    s->again);
	if (n >= sizeof(port->ifname) || strchr(s->name, '/'))
		return settings_err(err, s, NULL,
				    "not a name of an interface: at most %zu bytes, no /",
				    sizeof(port->ifname) - 1);
	if (conf->n_ports == GW_PORTS_MAX)
		return settings_err(err, s, NULL, "more than %d interfaces", GW_PORTS_MAX);
	if (!settings_key(s, "role"))
		return settings_err(err, s, NULL, "role = wan or role = lan is missing");
	memcpy(port->ifname, s->name, n + 1);
	port->line = s->line;
	conf->n_ports++;
	rc = read_leaf(s, port_fields, port, err);
	if (rc == 0 && port->role != GW_ROLE_WAN && settings_key(s, "spread"))
		return settings_err(err, s, settings_key(s, "spread"),
				    "ESP comes in on interfaces of role = wan");
	return rc;
}

static int read_interfaces(const struct settings *s, struct gateway_conf *conf,
			   struct settings_error *err)
{
	const struct settings_key *key = TAILQ_FIRST(&s->keys);
	const struct settings *sub;

	if (key)
		return settings_err(err, s, key, "an interface is a section: %s { role = wan }",
				    key->name);
	TAILQ_FOREACH (sub, &s->sections, next) {
		int rc = read_port(sub, conf, err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int read_dataplane(const struct settings *s, struct gateway_conf *conf,
			  struct settings_error *err)
{
	const struct gw_dataplane_conf *d = &conf->dataplane;
	int rc = read_leaf(s, dataplane_fields, conf, err);

	if (rc == 0 && d->n_cpus && d->n_cpus < d->workers)
		return settings_err(err, s, settings_key(s, "cpus"), "%u CPUs for %u workers",
				    d->n_cpus, d->workers);
	return rc;
}

static int read_ike(const struct settings *s, struct gateway_conf *conf, struct settings_error *err)
{
	int rc = read_leaf(s, ike_fields, conf, err);

	if (rc == 0 && conf->ike.port == conf->ike.port_nat_t)
		return settings_err(err, s, settings_key(s, "port_nat_t"),
				    "port and port_nat_t are both %u", conf->ike.port);
	return rc;
}

static int read_level(const struct settings *s, const struct settings_key *key, int *out,
		      struct settings_error *err)
{
	uint64_t v;

	if (strcmp(key->value, "-1") == 0) {
		*out = -1;
		return 0;
	}
	if (settings_uint(key->value, LOG_LEVEL_MAX, &v) < 0)
		return bad(s, key, err, "a level from 0 to 4, or -1 for silence");
	*out = (int)v;
	return 0;
}

static int read_log(const struct settings *s, struct gateway_conf *conf, struct settings_error *err)
{
	const struct settings_key *key = settings_key(s, "default");
	const char *known[LOG_GROUPS + 2] = {"default"};
	int rc = no_sections(s, err), level;

	if (rc < 0)
		return rc;
	if (key) {
		rc = read_level(s, key, &level, err);
		if (rc < 0)
			return rc;
		for (unsigned int i = 0; i < LOG_GROUPS; i++)
			conf->log_level[i] = level;
	}
	for (unsigned int i = 0; i < LOG_GROUPS; i++)
		known[i + 1] = log_group_name((enum log_group)i);
	TAILQ_FOREACH (key, &s->keys, next) {
		int group = log_group_find(key->name);

		if (strcmp(key->name, "default") == 0)
			continue;
		if (group < 0)
			return settings_unknown(s, key, known, err);
		rc = read_level(s, key, &conf->log_level[group], err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* One section inside xdpsec { }; those with `fields` hold just these keys. */
static const struct part {
	const char *name;
	int (*read)(const struct settings *s, struct gateway_conf *conf,
		    struct settings_error *err);
	const char *keys_of; /* where the keys stand, for gateway_conf_key_at */
	const struct settings_field *fields;
} parts[] = {
    {NULL, NULL, "xdpsec", top_fields},
    {"interfaces", read_interfaces, "xdpsec.interfaces.<ifname>", port_fields},
    {"dataplane", read_dataplane, "xdpsec.dataplane", dataplane_fields},
    {"ike", read_ike, "xdpsec.ike", ike_fields},
    {"log", read_log, NULL, NULL},
};
enum { N_PARTS = sizeof(parts) / sizeof(parts[0]) };

static int read_part(const struct settings *s, struct gateway_conf *conf,
		     struct settings_error *err)
{
	const char *known[N_PARTS] = {0};

	for (unsigned int i = 1; i < N_PARTS; i++) {
		if (strcmp(s->name, parts[i].name) == 0)
			return parts[i].read(s, conf, err);
		known[i - 1] = parts[i].name;
	}
	return settings_unknown(s, NULL, known, err);
}

static int read_top(const struct settings *s, struct gateway_conf *conf, struct settings_error *err)
{
	const struct settings *sub;
	int rc = settings_table_read(s, top_fields, conf, err);

	TAILQ_FOREACH (sub, &s->sections, next) {
		if (rc < 0)
			break;
		rc = read_part(sub, conf, err);
	}
	return rc;
}

int gateway_conf_parse(const struct settings *root, struct gateway_conf *conf,
		       struct settings_error *err)
{
	const struct settings_key *key = TAILQ_FIRST(&root->keys);
	const struct settings *s;
	struct gateway_conf c;
	int rc;

	gateway_conf_defaults(&c);
	snprintf(c.path, sizeof(c.path), "%s", root->file);
	if (key)
		return settings_err(err, root, key, "a key outside of xdpsec { }");
	TAILQ_FOREACH (s, &root->sections, next) {
		if (strcmp(s->name, "xdpsec") == 0) {
			rc = read_top(s, &c, err);
			if (rc < 0)
				return rc;
		} else if (!s->referenced) {
			return settings_unknown(s, NULL, WORDS("xdpsec"), err);
		}
	}
	*conf = c;
	return 0;
}

static bool can_be_quoted(const char *text)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == '"' || *p == '\\' || *p == 0x7f)
			return false;
	return true;
}

int gateway_conf_set_ike(struct gateway_conf *conf, const char *key, const char *value,
			 struct settings_error *err)
{
	char name[64], text[512];
	struct gateway_conf c = *conf;
	struct settings *root;
	int n, rc;

	*err = (struct settings_error){.file = "set"};
	snprintf(name, sizeof(name), "%s", key);
	for (char *p = name; *p; p++)
		*p = *p == '-' ? '_' : *p;
	if (strcmp(name, "port") == 0 || strcmp(name, "port_nat_t") == 0) {
		snprintf(err->text, sizeof(err->text), "ike.%s: changes when xdpsecd is started again", name);
		return -EINVAL;
	}
	if (strcmp(name, "legacy") == 0) {
		snprintf(err->text, sizeof(err->text), "ike.legacy: changes when the files are read again");
		return -EINVAL;
	}
	n = snprintf(text, sizeof(text), "ike { %s = \"%s\" }", name, value);
	if (name[strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789")] || !name[0] || !value[0] ||
	    !can_be_quoted(value) || n >= (int)sizeof(text)) {
		snprintf(err->text, sizeof(err->text), "not a key and a value");
		return -EINVAL;
	}
	root = settings_parse("set", text, (size_t)n, false, err);
	if (!root)
		return -EINVAL;
	rc = read_ike(TAILQ_FIRST(&root->sections), &c, err);
	settings_free(root);
	if (rc == 0)
		*conf = c;
	return rc;
}

int gateway_conf_load(const char *path, struct gateway_conf *conf, struct settings_error *err)
{
	struct settings *root;
	int rc;

	if (!path)
		path = GATEWAY_CONF_PATH;
	root = settings_load(path, err);
	if (!root) {
		rc = -errno;
		if (rc == -EINVAL && access(path, F_OK) < 0)
			snprintf(err->text, sizeof(err->text),
				 "cannot open: %s; deploy/xdpsec.conf of the sources is a "
				 "commented example",
				 strerror(errno));
		return rc;
	}
	rc = gateway_conf_parse(root, conf, err);
	settings_free(root);
	return rc;
}

void gateway_conf_apply_log(const struct gateway_conf *conf)
{
	for (unsigned int i = 0; i < LOG_GROUPS; i++)
		log_set_level((enum log_group)i, conf->log_level[i]);
}

const char *gateway_conf_key_at(unsigned int i, char *buf, size_t n)
{
	for (unsigned int p = 0; p < N_PARTS; p++) {
		const struct settings_field *f = parts[p].fields;

		for (; f && f->name; f++, i--) {
			if (i > 0)
				continue;
			snprintf(buf, n, "%s.%s", parts[p].keys_of, f->name);
			return buf;
		}
	}
	if (i > LOG_GROUPS)
		return NULL;
	snprintf(buf, n, "xdpsec.log.%s", i ? log_group_name((enum log_group)(i - 1)) : "default");
	return buf;
}
