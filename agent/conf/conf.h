/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/wire/msg.h"
#include "common/addr.h"
#include "common/gateway_conf.h"
#include "common/index.h"
#include "common/settings.h"

#include <net/if.h>
#include <stdint.h>

/*
 * swanctl.conf as structs: connections and their children. Secrets are not here: the keys role reads
 * them itself, and this reader drops their values unseen. Immutable once loaded, shared by reference:
 * an IKE SA holds a reference to the connection it was made from, so that a reload never pulls it away.
 * What thousands of connections and SAs have in common (proposals, identities, selectors, names of files) is
 * kept once, see common/keep.h.
 */
enum { CONF_NAME_MAX = 64, CONF_ADDRS_MAX = 8 };

enum conf_auth { CONF_AUTH_PSK, CONF_AUTH_PUBKEY };
enum conf_action { CONF_ACTION_NONE, CONF_ACTION_TRAP = 1, CONF_ACTION_START = 2, CONF_ACTION_TRAP_START = 3 };
enum conf_dpd { CONF_DPD_CLEAR, CONF_DPD_TRAP, CONF_DPD_RESTART };
enum conf_mode { CONF_MODE_TUNNEL, CONF_MODE_TRANSPORT, CONF_MODE_PASS, CONF_MODE_DROP };
enum conf_unique { CONF_UNIQUE_NO, CONF_UNIQUE_NEVER, CONF_UNIQUE_KEEP, CONF_UNIQUE_REPLACE };
enum conf_childless { CONF_CHILDLESS_ALLOW, CONF_CHILDLESS_PREFER, CONF_CHILDLESS_FORCE, CONF_CHILDLESS_NEVER };
enum conf_send_cert { CONF_SEND_CERT_IFASKED, CONF_SEND_CERT_ALWAYS, CONF_SEND_CERT_NEVER };
enum conf_frag { CONF_FRAG_YES, CONF_FRAG_ACCEPT, CONF_FRAG_FORCE, CONF_FRAG_NO };

/* One entry of local_addrs or remote_addrs: an address, a range or prefix, %any, or a name to resolve. */
struct conf_addr {
	struct ip_addr lo, hi; /* family 0: %any (of either family), or a name */
	char host[256];	       /* a DNS name, resolved when initiating; else "" */
};

/* An identity as written; any: %any. */
struct conf_id {
	uint8_t type; /* enum ike_id_type, 0 = not given (then the address is used) or %any */
	bool any;
	bool wild; /* of FQDN and e-mail: `b` is what follows the asterisk; of a DN: values are `*` */
	uint16_t n;
	uint8_t b[IKE_ID_MAX];
	char text[256]; /* as configured, for people */
};

enum { CHILD_TFC_MTU = UINT16_MAX };

/* Who does the ESP of a child; DEFAULT: what xdpsec.conf says. */
enum conf_engine { CONF_ENGINE_DEFAULT, CONF_ENGINE_AUTO, CONF_ENGINE_KERNEL, CONF_ENGINE_DATAPLANE };
enum conf_offload { CONF_OFFLOAD_NO, CONF_OFFLOAD_CRYPTO, CONF_OFFLOAD_PACKET, CONF_OFFLOAD_AUTO };

/* Where the value of a mark or an interface id comes from. */
enum conf_pick {
	CONF_PICK_FIXED,
	CONF_PICK_UNIQUE,     /* one of its own for each Child SA, kept over rekeys */
	CONF_PICK_UNIQUE_DIR, /* the same, another for each direction */
	CONF_PICK_SAME, /* set_mark: the value of the mark of this direction */
};

/* value and mask 0: none. */
struct conf_mark {
	uint32_t value, mask;
	enum conf_pick pick;
};

/* value 0: none. */
struct conf_if_id {
	uint32_t value;
	enum conf_pick pick;
};

/* What only Linux's XFRM can do: a child that has any of it is of the kernel engine (child_needs_kernel). */
struct conf_kernel {
	enum conf_offload offload;
	struct conf_mark mark_in, mark_out;	  /* to find policies, and SAs outbound */
	bool mark_in_sa;			  /* mark_in on the inbound SA too */
	struct conf_mark set_mark_in, set_mark_out; /* what a packet gets when the SA has done its work */
	struct conf_if_id if_id_in, if_id_out;	  /* the child's, else the connection's */
	char interface[IFNAMSIZ];		  /* policies hold for it alone; "" = for all */
	bool no_policies;			  /* policies = no: SAs alone */
	bool fwd_out;				  /* policies_fwd_out */
	bool ipcomp;				  /* RFC 3173, when the peer wants it too */
};

/* Kept by the kernel engine for reqids and interface ids that it chooses: not for configurations. */
enum { CONF_CHOSEN_FIRST = 0x58000000, CONF_CHOSEN_LAST = 0x58ffffff };

struct child_conf {
	char name[CONF_NAME_MAX];
	const char *file; /* kept */
	int line;
	const struct proposals *proposals; /* kept; in order of preference; all of ESP or all of AH; KE transforms: PFS groups */
	/* When dynamic, selector 0 stands for our / their outer address: its family is 0, its protocol and
	 * ports hold. */
	const struct ts_list *local_ts, *remote_ts; /* kept: ts_list_copy, never a struct copy */
	bool local_dynamic, remote_dynamic;
	enum conf_mode mode;
	uint64_t rekey_time, life_time, rand_time; /* seconds, 0 = never */
	uint64_t rekey_bytes, life_bytes, rand_bytes;
	uint64_t rekey_packets, life_packets, rand_packets;
	enum conf_action start_action, close_action;
	enum conf_dpd dpd_action;
	uint64_t inactivity;
	uint32_t reqid, priority;
	uint32_t replay_window;
	uint16_t tfc_padding; /* bytes, CHILD_TFC_MTU: as large as the path takes */
	bool copy_df, copy_ecn, copy_dscp_out, copy_dscp_in;
	bool sha256_96; /* HMAC-SHA2-256 cut to 96 bits, as Linux did before 2.6.33 */
	enum conf_engine engine;
	struct conf_kernel kernel;
};

/* IKE_PROTO_ESP or IKE_PROTO_AH. */
static inline enum ike_proto child_proto(const struct child_conf *c)
{
	return (enum ike_proto)c->proposals->p[0].proto;
}

/* The key of a child that no engine but the kernel can do, as the file names it; NULL when there is none. */
const char *child_needs_kernel(const struct child_conf *c);
/* What it asks for, with the default of xdpsec.conf: never CONF_ENGINE_DEFAULT. */
enum conf_engine child_engine(const struct child_conf *c, enum gw_engine standard);

struct cred_rules; /* agent/cred/cred.h */

struct conn_conf {
	unsigned int refs;
	char name[CONF_NAME_MAX];
	const char *file; /* kept */
	int line;
	struct conf_addr *local, *remote; /* [n_local], [n_remote] */
	unsigned int n_local, n_remote;
	uint16_t local_port, remote_port;
	const struct proposals *ike; /* kept; proto IKE */
	const struct conf_id *local_id, *remote_id; /* kept; local: of type 0 when not given */
	enum conf_auth local_auth, remote_auth;
	const struct cred_rules *local_cred, *remote_cred; /* kept; certificates, keys, constraints */
	bool remote_sha1; /* `auth` names SHA-1: then also from a peer that announced better */
	enum conf_send_cert send_cert;
	bool send_certreq;
	uint64_t rekey_time, reauth_time, over_time, rand_time; /* seconds, 0 = never */
	uint64_t dpd_delay;
	uint32_t keyingtries; /* 0 = forever */
	enum conf_unique unique;
	enum conf_childless childless;
	enum conf_frag fragmentation;
	bool encap;  /* UDP encapsulation forced */
	bool mobike; /* accepted; announced from its own issue on */
	uint8_t dscp;
	struct conf_if_id if_id_in, if_id_out; /* of children that say none; already in them */
	struct child_conf *child;
	unsigned int n_children;
	uint8_t digest[32]; /* of all the above: a reload touches only what differs */
};

/* Kept copies, dropped with keep_drop. NULL: no memory. A kept list of selectors is as long as its n says. */
const struct proposals *proposals_keep(const struct proposals *p);
/* A chosen proposal without its SPI, which is another for each SA. */
const struct proposal *proposal_keep(const struct proposal *p);
const struct ts_list *ts_keep(const struct ts_list *l);
const struct conf_id *conf_id_keep(const struct conf_id *id);
/* No identity; never counted. */
extern const struct conf_id conf_id_none;

struct conf {
	struct conn_conf **conn; /* in order of the file */
	unsigned int n_conns;
	struct index by_name, by_remote; /* struct conf_at */
	struct conf_at *at;		 /* a name and the single remote addresses of each */
	unsigned int *open, n_open;	 /* places of those that have other remote addresses */
	bool any_pubkey; /* in a remote section of any of them */
};

/* One name or address of one connection. */
struct conf_at {
	struct index_node node;
	unsigned int place; /* in conf->conn */
	struct ip_addr addr;
};

/*
 * The connections that may be meant by a peer at this address: those that name it and those that name no
 * single address, each once or twice, in no order. Start with {.conf = c, .remote = a}; NULL at the end.
 */
struct conf_near {
	const struct conf *conf;
	const struct ip_addr *remote;
	const struct index_node *node;
	unsigned int step, place; /* place: of the one returned */
};
struct conn_conf *conf_near_next(struct conf_near *n);

/* Reads and checks everything; NULL and *err at the first mistake. An unknown key is an error; a key of
 * the vocabulary that is not supported yet is an error too and says so. path NULL: CONF_PATH. */
#define CONF_PATH "/etc/swanctl/swanctl.conf"
struct conf *conf_load(const char *path, struct settings_error *err);
/* Its first half: the tree of the file, secrets wiped; for what else is read from it. */
struct settings *conf_tree(const char *path, struct settings_error *err);
/* Its second half. It looks at no value of a secret. `authorities` is left to cred_load. */
struct conf *conf_parse(const struct settings *root, struct settings_error *err);
/* Both files together: a child that needs the kernel where xdpsec.conf says `dataplane`. -EINVAL and *err. */
int conf_check_engines(const struct conf *c, enum gw_engine standard, struct settings_error *err);
/* The i-th key that the file may have, "connections.<conn>.proposals" into buf; NULL behind the last. */
const char *conf_key_at(unsigned int i, char *buf, size_t n);
void conf_free(struct conf *c); /* drops its references */
struct conn_conf *conn_conf_ref(struct conn_conf *c);
void conn_conf_unref(struct conn_conf *c);
const struct conn_conf *conf_find(const struct conf *c, const char *name);
const struct child_conf *conn_child(const struct conn_conf *c, const char *name);

/* One proposal "aes256gcm16-prfsha384-x25519", or "default", appended to *out; -EINVAL and why in err. */
int conf_proposal(const char *text, enum ike_proto proto, struct proposals *out, char *err, size_t errlen);
/* What "default" means, RFC 8247 and RFC 8221 deciding: an AEAD proposal and one without. */
void conf_proposals_default(enum ike_proto proto, struct proposals *out);
/* Identity from text: "192.0.2.1", "gw.example", "a@b.c", "C=CH, O=x, CN=gw", "@#6b6579" (key id in hex), "%any",
 * with the prefixes ipv4: ipv6: fqdn: dns: email: rfc822: userfqdn: keyid: asn1dn:, behind which # means hex.
 * -EINVAL when it is none, -ENOTSUP for wildcards, patterns and general names. */
int conf_id_parse(const char *text, struct conf_id *out);
/* The same for what a peer is expected to be: "*.example.org" (anything in front, several labels too),
 * "*@example.org", "C=CH, O=*, CN=gw" (the same attributes in the same order) are allowed. */
int conf_id_parse_pattern(const char *text, struct conf_id *out);
/* "10.0.0.0/8[tcp/80]", "10.1.0.1-10.1.0.9", "::/0", "dynamic[udp]"; *dynamic tells the last. -EINVAL. */
int conf_ts_parse(const char *text, struct ts *out, bool *dynamic);
/* "192.0.2.1", "10.0.0.0/8", "10.0.0.1-10.0.0.9", "%any", "gw.example"; -EINVAL. */
int conf_addr_parse(const char *text, struct conf_addr *out);
/* Text of an identity received or configured; returns buf. Unprintable bytes are escaped. */
enum { ID_STRLEN = 512 };
const char *id_str(const struct ike_id *id, char buf[ID_STRLEN]);
struct ike_id conf_id_view(const struct conf_id *id);
/* Same type and bytes, parsing nothing; FQDN and e-mail without regard to case. */
bool id_bytes_equal(const struct ike_id *a, const struct ike_id *b);
/* The same, and names that RFC 5280 7.1 holds for equal. */
bool id_equal(const struct ike_id *a, const struct ike_id *b);
/* Does a received identity satisfy what is configured: %any, equal, or fitting its wildcards? */
bool conf_id_matches(const struct conf_id *want, const struct ike_id *got);
/* Does an address lie in this entry? Family 0 matches all, and so does a name: identities decide then. */
bool conf_addr_matches(const struct conf_addr *a, const struct ip_addr *ip);
