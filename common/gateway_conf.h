/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "addr.h"
#include "log.h"
#include "settings.h"

#include <net/if.h>

/*
 * xdpsec.conf: what swanctl.conf has no word for. One section `xdpsec { }` read by the loader, the
 * agent and the dataplane alike. Every key has a default; an unknown key is an error.
 *
 *   xdpsec {
 *     pin_dir = /sys/fs/bpf/xdpsec
 *     run_dir = /run/xdpsec             # sockets: vici (xdpsecd.vici), dataplane (dataplane.sock)
 *     swanctl_conf = /etc/swanctl/swanctl.conf
 *     sa_slots = 65536                  # a power of two, 64..65536
 *     policies = 131072
 *     xfrm_interface = yes              # the kernel engine's way by an XFRM interface, where the kernel has it
 *     engine = auto                     # auto | kernel | dataplane: who does the ESP of children that do not say
 *     interfaces {
 *       wan0 { role = wan }             # wan | lan
 *       lan0 { role = lan }             # attach = auto | native | generic,  tc = auto | tcx | clsact
 *                                       # wan: spread = auto | no | CPUs such as 0-3, 6
 *     }
 *     dataplane {
 *       crypto = cryptodev              # cryptodev | openssl
 *       vdev = crypto_aesni_gcm, crypto_aesni_mb
 *       device =                        # names or PCI addresses of other cryptodevs, preferred when given
 *       workers = 1
 *       cpus =                          # list: worker n runs on the n-th
 *       busy_poll = 50us                # how long a worker spins after the last packet (us or ms)
 *     }
 *     ike {
 *       port = 500  port_nat_t = 4500  retransmit_tries = 5  retransmit_timeout = 4.0
 *       retransmit_base = 1.8  retransmit_jitter = 0  retransmit_limit = 0  keep_alive = 20s
 *       half_open_timeout = 30s  cookie_threshold = 10  (0 = off, "always")  block_threshold = 5
 *       init_limit_half_open = 0  init_limit_job_load = 0  ike_sa_limit = 0  delete_rekeyed_delay = 5s
 *       fragment_size = 1280            # bytes of the IP packets that IKE messages are cut into
 *       source_rate = 5000              # IKE datagrams a second that XDP lets through of one source, 0 = all
 *       initiator_only = no  reuse_ikesa = yes  child_sa_limit = 256  (of one IKE SA)
 *       acquire_timeout = 30s  ignore_acquire_ts = no  retry_initiate_interval = 0s
 *       inactivity_close_ike = no  close_ike_on_child_failure = no
 *       make_before_break = no          # reauthentication: the new IKE SA before the old one goes
 *       legacy = no                     # 3DES, Blowfish, CAST, MD5, MODP up to 1536 in proposals
 *       threads, ikesa_table_size, ikesa_table_segments: accepted, without effect, said in the log
 *     }
 *     log { default = 1  ike = 2 ... }
 *   }
 */
enum { GW_PORTS_MAX = 32, GW_CPUS_MAX = 64, GW_PATH_MAX = 108, GW_WORKERS_MAX = 16 };
enum { GW_FRAGMENT_MIN = 200 /* room for headers, IV, ICV and a few blocks in every suite */ };
/* The two ends of the on-ramp (loader/ramp.c). */
#define GW_RAMP_NEAR "xdpsec0"
#define GW_RAMP_FAR  "xdpsec1"
/* The XFRM interfaces of the kernel engine (loader/xfrm_dev.c). */
#define GW_XFRM_DEV	      "xdpsecx"
#define GW_XFRM_TRANSPORT_DEV "xdpsect"
#define GATEWAY_CONF_PATH "/etc/xdpsec/xdpsec.conf"

enum gw_role { GW_ROLE_WAN, GW_ROLE_LAN };
enum gw_attach { GW_ATTACH_AUTO, GW_ATTACH_NATIVE, GW_ATTACH_GENERIC };
enum gw_tc { GW_TC_AUTO, GW_TC_TCX, GW_TC_CLSACT };
enum gw_engine { GW_ENGINE_AUTO, GW_ENGINE_KERNEL, GW_ENGINE_DATAPLANE };
/* ESP of the kernel engine, of one port: AUTO where receive queues are fewer than CPUs. */
enum gw_spread { GW_SPREAD_AUTO, GW_SPREAD_NO, GW_SPREAD_CPUS };
enum gw_crypto { GW_CRYPTO_CRYPTODEV, GW_CRYPTO_OPENSSL };

struct gw_port_conf {
	char ifname[IFNAMSIZ];
	enum gw_role role;
	enum gw_attach attach;
	enum gw_tc tc;
	enum gw_spread spread;
	uint32_t spread_cpus[GW_CPUS_MAX], n_spread_cpus;
	int line;
};

struct gw_dataplane_conf {
	enum gw_crypto crypto;
	char vdev[256];
	char device[256];
	uint32_t workers;
	uint32_t cpus[GW_CPUS_MAX], n_cpus;
	uint32_t busy_poll_us;
};

struct gw_ike_conf {
	uint16_t port, port_nat_t;
	uint32_t retransmit_tries;	  /* 0..100 */
	uint32_t retransmit_timeout_ms;	  /* 0..60000 */
	double retransmit_base;		  /* 0..10 */
	uint32_t retransmit_jitter;	  /* percent, 0..20 */
	uint32_t retransmit_limit_s;	  /* 0 = none, ..100 */
	uint32_t keep_alive_s;
	uint32_t half_open_timeout_s;
	int64_t cookie_threshold;	  /* half-open SAs; 0 off, -1 always */
	uint32_t block_threshold;	  /* half-open SAs a source; 0 off */
	uint32_t init_limit_half_open;	  /* 0 off */
	uint32_t init_limit_job_load;	  /* key exchanges under way; 0 off */
	uint32_t ike_sa_limit;		  /* 0 off */
	uint32_t source_rate;		  /* IKE datagrams a second and source, in XDP; 0 off */
	uint32_t delete_rekeyed_delay_s;  /* grace of an old inbound Child SA */
	bool make_before_break;		  /* reauthentication */
	uint32_t fragment_size;		  /* bytes of an IP packet with an IKE fragment; 0 = by address family */
	bool legacy;			  /* algorithms that are weak may stand in proposals */
	bool initiator_only;		  /* no IKE_SA_INIT of others is answered */
	bool reuse_ikesa;		  /* a child joins an IKE SA that there is */
	bool ignore_acquire_ts;		  /* the packet that met a trap is not told to the peer */
	bool inactivity_close_ike;	  /* with its last child */
	bool close_ike_on_child_failure;
	uint32_t retry_initiate_interval_s; /* after a name could not be resolved; 0 = not */
	uint32_t acquire_timeout_s;	  /* a trap asks again after that; 0 = at once */
	uint32_t child_sa_limit;	  /* Child SAs that the peer can make under one IKE SA; 0 off */
};

struct gateway_conf {
	char path[SETTINGS_PATH_MAX];
	char pin_dir[GW_PATH_MAX];
	char run_dir[GW_PATH_MAX];
	char swanctl_conf[SETTINGS_PATH_MAX]; /* default /etc/swanctl/swanctl.conf */
	uint32_t sa_slots, policies;
	bool xfrm_interface; /* of the kernel engine, where the kernel has it */
	enum gw_engine engine; /* of children that do not say */
	struct gw_port_conf port[GW_PORTS_MAX];
	uint32_t n_ports;
	struct gw_dataplane_conf dataplane;
	struct gw_ike_conf ike;
	int log_level[LOG_GROUPS];
};

/* The defaults alone. */
void gateway_conf_defaults(struct gateway_conf *conf);
/* Reads and checks a whole file into *conf; -EINVAL and *err on the first mistake, *conf untouched.
 * path NULL: GATEWAY_CONF_PATH. The log levels are only read: gateway_conf_apply_log sets them. */
int gateway_conf_load(const char *path, struct gateway_conf *conf, struct settings_error *err);
int gateway_conf_parse(const struct settings *root, struct gateway_conf *conf,
		       struct settings_error *err);
/* One key of the section ike while the program runs, a dash standing for an underscore too. What only a start can
 * change is refused. -EINVAL and *err: *conf untouched. */
int gateway_conf_set_ike(struct gateway_conf *conf, const char *key, const char *value,
			 struct settings_error *err);
void gateway_conf_apply_log(const struct gateway_conf *conf);
/* The i-th limit of the section ike for what strangers may cost, NULL behind the last; its value as the file writes
 * it goes into buf. */
const char *gateway_conf_limit_at(const struct gateway_conf *conf, unsigned int i, char *buf, size_t n);
/* The i-th key that the file may have, "xdpsec.ike.port" into buf; NULL behind the last. */
const char *gateway_conf_key_at(unsigned int i, char *buf, size_t n);
