/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "agent/cred/cred.h"
#include "common/keep.h"
#include "common/settings_table.h"
#include "conf.h"

/* What the parts of the reader share. Nobody outside agent/conf includes this. */

#define CONF_WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* A child being read: lists at full length. */
struct child_draft {
	struct child_conf child;
	struct proposals esp, ah; /* at most one of them */
	struct ts_list local_ts, remote_ts;
};

/* Keys of engine_conf.c: marks, interface ids, offload. */
int conf_read_mark(const struct settings *s, const struct settings_key *key, struct conf_mark *out, bool same,
		   struct settings_error *err);
/* of_ike: the connection's own. */
int conf_read_if_id(const struct settings *s, const struct settings_key *key, bool of_ike, struct conf_if_id *out,
		    struct settings_error *err);
/* What no engine can do together, of a child that is complete otherwise. -EINVAL and *err. */
int child_check_engine(const struct settings *s, const struct conn_conf *conn, const struct child_conf *c,
		       struct settings_error *err);

/* One connection with its children. 0, or a negative errno and *err filled. */
int conn_read(const struct settings *s, struct conn_conf *c, struct settings_error *err);
int child_read(const struct settings *s, const struct conn_conf *conn, struct child_conf *c,
	       struct settings_error *err);
/* Name, file and line of a section into its struct; -EINVAL when the name is too long. */
int conf_name(const struct settings *s, char name[CONF_NAME_MAX], const char **file, int *line,
	      struct settings_error *err);

/* What `auth` says: schemes of IKE_AUTH, and of the chain. */
struct conf_auth_rules {
	enum conf_auth auth;
	struct sig_rules ike, chain;
	bool sha1; /* named */
};
/* -EINVAL and why in err. */
int conf_auth_parse(const char *text, struct conf_auth_rules *out, char *err, size_t errlen);

/* A section `local` or `remote`, read over its defaults. */
struct conf_round {
	struct conf_id id;
	uint32_t round;
	enum conf_auth auth;
	bool sha1;
	struct cred_rules cred;
};
int conf_round_read(const struct settings *s, bool remote, struct conf_round *r,
		    struct settings_error *err);
const struct cred_rules *conf_cred_keep(const struct cred_rules *c);
/* Onto zeroes. */
void conf_id_clean(struct conf_id *to, const struct conf_id *from);

/* Values that are lists by comma. */
int conf_read_proposals(const struct settings *s, const struct settings_key *key,
			enum ike_proto proto, struct proposals *out, struct settings_error *err);
int conf_read_ts(const struct settings *s, const struct settings_key *key, struct ts_list *out,
		 bool *dynamic, struct settings_error *err);
int conf_read_addrs(const struct settings *s, const struct settings_key *key, struct conf_addr *out,
		    unsigned int *n, struct settings_error *err);
int conf_read_id(const struct settings *s, const struct settings_key *key, struct conf_id *out,
		 struct settings_error *err);
int conf_read_id_pattern(const struct settings *s, const struct settings_key *key,
			 struct conf_id *out, struct settings_error *err);
/* The selector list that says "dynamic" alone. */
void conf_ts_dynamic(struct ts_list *out, bool *dynamic);

/* Is the name of the section this word with any suffix: "local", "local-1"? */
bool conf_named(const struct settings *s, const char *prefix);

/* The tables of a configuration that is complete otherwise; -ENOMEM. */
int conf_lookup_build(struct conf *c);
void conf_lookup_free(struct conf *c);

/* Overwrites what is behind `secret` and `pin`, wherever it stands. */
void conf_secrets_wipe(struct settings *root);
/* Kinds and keys of the secrets section; values are not looked at. */
int conf_secrets_check(const struct settings *s, struct settings_error *err);

/* SHA-256 over everything but the places in files. */
int conf_digest(struct conn_conf *c);

extern const struct settings_field conn_fields[], local_fields[], remote_fields[], child_conf_fields[];
