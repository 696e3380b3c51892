/* SPDX-License-Identifier: BSD-2-Clause */
#include "crypto.h"

#include "common/gateway_conf.h"

#include <errno.h>
#include <stdio.h>

#if !HAVE_DPDK

int crypto_cryptodev_start(const struct gw_dataplane_conf *conf, unsigned int workers,
			   uint32_t max_sas, const struct crypto_backend **out, char *err, size_t errlen)
{
	(void)conf, (void)workers, (void)max_sas, (void)out;
	snprintf(err, errlen, "built without DPDK");
	return -ENOTSUP;
}

const char *crypto_cryptodev_devices(void)
{
	return "";
}

#else

#include "crypto_dpdk.h"

#include "common/secret.h"

#include <sched.h>
#include <stdlib.h>

/*
 * The start of DPDK: its environment, the devices of the configuration, memory for sessions.
 */
enum {
	DEVS_MAX = 16,
	ARGS_MAX = 48,
	POOL_SESSIONS = 256,
	POOLS_MAX = 2048,
	MB_BASE = 16,
	SESSION_KB = 4, /* a direction of an SA: up to two sessions of 1 to 2 kB each */
};

static struct {
	struct dpdk_dev dev[DEVS_MAX]; /* in order of preference */
	unsigned int n_devs;
	struct rte_mempool *pool[POOLS_MAX];
	unsigned int n_pools;
	uint32_t session_size;
	char names[256];
} dpdk;

struct dpdk_dev *dpdk_dev_at(unsigned int i)
{
	return i < dpdk.n_devs ? &dpdk.dev[i] : NULL;
}

/* ---- sessions ------------------------------------------------------------------------------- */

static struct rte_mempool *pool_add(void)
{
	char name[32];
	struct rte_mempool *mp;

	if (dpdk.n_pools == POOLS_MAX)
		return NULL;
	snprintf(name, sizeof(name), "xdpsec_sess%u", dpdk.n_pools);
	mp = rte_cryptodev_sym_session_pool_create(name, POOL_SESSIONS, dpdk.session_size, 0, 0,
						   SOCKET_ID_ANY);
	if (mp)
		dpdk.pool[dpdk.n_pools++] = mp;
	return mp;
}

void *dpdk_session_new(struct dpdk_dev *dev, struct rte_crypto_sym_xform *x)
{
	void *s;

	for (unsigned int i = dpdk.n_pools; i-- > 0;) {
		if (rte_mempool_avail_count(dpdk.pool[i]) == 0)
			continue;
		s = rte_cryptodev_sym_session_create(dev->id, x, dpdk.pool[i]);
		if (s || rte_errno != ENOMEM)
			return s;
	}
	return pool_add() ? rte_cryptodev_sym_session_create(dev->id, x, dpdk.pool[dpdk.n_pools - 1])
			  : NULL;
}

/* The element goes back to its pool with the key schedule in it; only the control thread takes elements out, so
 * it can still be wiped here. */
void dpdk_session_free(struct dpdk_dev *dev, void *s)
{
	uint32_t n;

	if (!s)
		return;
	n = rte_mempool_from_obj(s)->elt_size;
	if (rte_cryptodev_sym_session_free(dev->id, s) == 0)
		secret_wipe(s, n);
}

/* ---- start ---------------------------------------------------------------------------------- */

struct eal_args {
	char *v[ARGS_MAX + 1];
	char text[ARGS_MAX][96];
	int n;
};

static void arg_add(struct eal_args *a, const char *s)
{
	if (a->n == ARGS_MAX)
		return;
	snprintf(a->text[a->n], sizeof(a->text[0]), "%s", s);
	a->v[a->n] = a->text[a->n];
	a->n++;
}

static bool is_pci(const char *s)
{
	return strspn(s, "0123456789abcdefABCDEF:.") == strlen(s) && strchr(s, ':') && strchr(s, '.');
}

/* Calls fn for each name of a list "a, b"; names are cut at 63 bytes. */
static void each_name(const char *list, void (*fn)(void *ctx, const char *name), void *ctx)
{
	char name[64];
	size_t n;

	while (*list) {
		list += strspn(list, ", \t");
		n = strcspn(list, ", \t");
		if (n && n < sizeof(name)) {
			memcpy(name, list, n);
			name[n] = '\0';
			fn(ctx, name);
		}
		list += n;
	}
}

static void arg_device(void *ctx, const char *name)
{
	arg_add(ctx, is_pci(name) ? "-a" : "--vdev");
	arg_add(ctx, name);
}

static void count_pci(void *ctx, const char *name)
{
	*(unsigned int *)ctx += is_pci(name);
}

static void eal_arguments(struct eal_args *a, const struct gw_dataplane_conf *conf, int cpu,
			  uint32_t max_sas)
{
	unsigned int pci = 0;
	char text[96];

	each_name(conf->device, count_pci, &pci);
	arg_add(a, "xdpsec-dataplane");
	arg_add(a, "--no-huge");
	arg_add(a, "--no-shconf");
	if (!pci)
		arg_add(a, "--no-pci");
	arg_add(a, "--iova-mode=va");
	arg_add(a, "--no-telemetry");
	arg_add(a, "--log-level=*:warning");
	arg_add(a, "-m");
	/* Reserved, not touched: pages come with use. */
	snprintf(text, sizeof(text), "%u", MB_BASE + max_sas / (1024 / (2 * SESSION_KB)));
	arg_add(a, text);
	arg_add(a, "-l");
	snprintf(text, sizeof(text), "%d", cpu);
	arg_add(a, text);
	each_name(conf->device, arg_device, a);
	each_name(conf->vdev, arg_device, a);
	a->v[a->n] = NULL;
}

/* EAL pins the thread that starts it: the affinity is put back, so that workers do not inherit it. */
static int eal_start(const struct gw_dataplane_conf *conf, uint32_t max_sas)
{
	static struct eal_args args; /* EAL keeps pointers into its argument strings */
	struct eal_args *a = &args;
	cpu_set_t cpus;
	int cpu = 0, err;

	a->n = 0;
	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		CPU_ZERO(&cpus);
	while (cpu < CPU_SETSIZE - 1 && !CPU_ISSET(cpu, &cpus))
		cpu++;
	eal_arguments(a, conf, CPU_COUNT(&cpus) ? cpu : 0, max_sas);
	err = rte_eal_init(a->n, a->v) < 0 ? -rte_errno : 0;
	if (CPU_COUNT(&cpus))
		sched_setaffinity(0, sizeof(cpus), &cpus);
	return err;
}

static void dev_take(void *ctx, const char *name)
{
	unsigned int workers = *(unsigned int *)ctx;
	int id = rte_cryptodev_get_dev_id(name);
	struct rte_cryptodev_info info;
	struct dpdk_dev *dev = &dpdk.dev[dpdk.n_devs];
	char pci[80];
	size_t used;

	if (id < 0 && is_pci(name)) { /* crypto devices on a PCI device are called address_suffix */
		for (int i = 0; i < RTE_CRYPTO_MAX_DEVS && id < 0; i++) {
			const char *n = rte_cryptodev_is_valid_dev((uint8_t)i) ?
						rte_cryptodev_name_get((uint8_t)i) : NULL;

			snprintf(pci, sizeof(pci), "%s_", name);
			if (n && strncmp(n, pci, strlen(pci)) == 0)
				id = i;
		}
	}
	if (id < 0 || dpdk.n_devs == DEVS_MAX)
		return;
	rte_cryptodev_info_get((uint8_t)id, &info);
	*dev = (struct dpdk_dev){.id = (uint8_t)id,
				 .sync = info.feature_flags & RTE_CRYPTODEV_FF_SYM_CPU_CRYPTO};
	snprintf(dev->name, sizeof(dev->name), "%s", name);
	/* PMDs take what they make sessions with from a queue pair, used or not. */
	if (dpdk_queue_open(dev, dev->sync ? 1 : workers) < 0)
		return;
	if (rte_cryptodev_sym_get_private_session_size(dev->id) > dpdk.session_size)
		dpdk.session_size = rte_cryptodev_sym_get_private_session_size(dev->id);
	used = strlen(dpdk.names);
	snprintf(dpdk.names + used, sizeof(dpdk.names) - used, "%s%s", used ? ", " : "", name);
	dpdk.n_devs++;
}

int crypto_cryptodev_start(const struct gw_dataplane_conf *conf, unsigned int workers,
			   uint32_t max_sas, const struct crypto_backend **out, char *err, size_t errlen)
{
	int r;

	if (dpdk.n_devs) {
		*out = &crypto_cryptodev;
		return 0;
	}
	r = eal_start(conf, max_sas);
	if (r < 0) {
		snprintf(err, errlen, "DPDK does not start: %s", rte_strerror(-r));
		return r;
	}
	each_name(conf->device, dev_take, &workers);
	each_name(conf->vdev, dev_take, &workers);
	if (!dpdk.n_devs) {
		snprintf(err, errlen, "no crypto device of \"%s%s%s\" is there", conf->device,
			 conf->device[0] && conf->vdev[0] ? ", " : "", conf->vdev);
		return -ENODEV;
	}
	if (!pool_add()) {
		snprintf(err, errlen, "no memory for crypto sessions: %s", rte_strerror(rte_errno));
		dpdk.n_devs = 0;
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < dpdk.n_devs; i++)
		dpdk_prove(&dpdk.dev[i]);
	*out = &crypto_cryptodev;
	return 0;
}

const char *crypto_cryptodev_devices(void)
{
	return dpdk.names;
}

#endif
