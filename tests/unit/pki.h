/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "pair.h"

#include <sys/stat.h>
#include <unistd.h>

/*
 * Keys and certificates for the two sides, made by openssl when the program starts: a folder for each side with what
 * swanctl.conf has beside it. The private keys go to the signing part of the world.
 */
#pragma GCC diagnostic ignored "-Wunused-function"

static char pki_dir[64];

static void pki_sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void pki_sh(const char *fmt, ...)
{
	char command[4096];
	size_t at = (size_t)snprintf(command, sizeof(command), "cd %s && exec 2>>log >>log && ", pki_dir);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command + at, sizeof(command) - at, fmt, ap);
	va_end(ap);
	if (system(command))
		fail_msg("%s", command);
}

/*
 * ca.pem signs (with ca.cnf: index, dates, extensions); sub.pem is below it; other.pem is trusted by nobody.
 * leaf NAME KEY CA EXTENSIONS [START END]
 */
static const char pki_script[] =
	"mkdir -p a/x509 a/x509ca a/x509crl a/pubkey b/x509 b/x509ca b/x509crl b/pubkey new\n"
	"cat >ca.cnf <<'CNF'\n"
	"[ca]\ndefault_ca=d\n[d]\ndir=.\nnew_certs_dir=new\ndatabase=$dir/$ENV::CA.index\nserial=$dir/serial\n"
	"certificate=$dir/$ENV::CA.pem\nprivate_key=$dir/$ENV::CA.key\ndefault_md=sha256\npolicy=p\n"
	"default_days=30\ndefault_crl_days=30\nunique_subject=no\ncopy_extensions=copy\n"
	"[p]\norganizationName=optional\ncommonName=supplied\n"
	"[v3ca]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
	"subjectKeyIdentifier=hash\n"
	"[leaf]\nbasicConstraints=CA:FALSE\nsubjectKeyIdentifier=hash\nsubjectAltName=$ENV::SAN\n"
	"[req]\ndistinguished_name=rd\n[rd]\n"
	"CNF\n"
	"echo 1000 >serial\n"
	"export CA=ca SAN=DNS:none\n"
	"ca() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out $1.key\n"
	"  openssl req -new -key $1.key -subj \"/O=test/CN=$1\" -config ca.cnf -out $1.csr; : >$1.index\n"
	"  if [ $2 = $1 ]; then openssl x509 -req -in $1.csr -signkey $1.key -extfile ca.cnf -extensions v3ca"
	" -days 3650 -out $1.pem\n"
	"  else CA=$2 openssl ca -batch -config ca.cnf -extensions v3ca -in $1.csr -out $1.pem -notext; fi; }\n"
	"key() { case $2 in rsa) openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out $1.key;;\n"
	"  P-*) openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:$2 -out $1.key;;\n"
	"  *) openssl genpkey -algorithm $2 -out $1.key;; esac; }\n"
	"leaf() { key $1 $2; openssl req -new -key $1.key -subj \"/O=test/CN=$5\" -config ca.cnf -out $1.csr\n"
	"  CA=$3 SAN=$4 openssl ca -batch -config ca.cnf -extensions leaf -in $1.csr -out $1.pem -notext"
	" ${6:+-startdate $6 -enddate $7}; openssl pkey -in $1.key -pubout -out $1.pub; }\n"
	"ca ca ca; ca sub ca; ca other other\n"
	"for s in a b; do for k in rsa P-256 P-384 P-521 ed25519 ed448; do"
	" leaf $s-$k $k ca DNS:$s.example,email:$s@example.org $s.example; done; done\n"
	"leaf b-sub P-256 sub DNS:b.example b.example\n"
	"leaf b-other P-256 other DNS:b.example b.example\n"
	"leaf b-named P-256 ca DNS:somebody.example b.example\n"
	"leaf b-old P-256 ca DNS:b.example b.example 20200101000000Z 20210101000000Z\n"
	"leaf b-young P-256 ca DNS:b.example b.example 20900101000000Z 20910101000000Z\n"
	"leaf b-revoked P-256 ca DNS:b.example b.example\n"
	"CA=ca openssl ca -batch -config ca.cnf -revoke b-revoked.pem\n"
	"CA=ca openssl ca -batch -config ca.cnf -gencrl -out ca.crl\n"
	"cp ca.pem a/x509ca/; cp ca.pem b/x509ca/\n";

/* Once a program. */
static int pki_open(void **state)
{
	char path[128];
	FILE *f;

	(void)state;
	snprintf(pki_dir, sizeof(pki_dir), "/tmp/pki-test-XXXXXX");
	if (!mkdtemp(pki_dir) || sig_init())
		return -1;
	snprintf(path, sizeof(path), "%s/make", pki_dir);
	f = fopen(path, "w");
	if (!f)
		return -1;
	fputs("set -e\n", f);
	fputs(pki_script, f);
	fclose(f);
	pki_sh("sh ./make");
	return 0;
}

static int pki_close(void **state)
{
	(void)state;
	if (!getenv("PKI_KEEP"))
		pki_sh("rm -rf %s", pki_dir);
	return 0;
}

/* The private key NAME.key is one that this side signs with. */
static void pki_key(int side, const char *name)
{
	uint8_t buf[8192];
	char path[160];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.key", pki_dir, name);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	assert_true(w.n_keys[side] < PAIR_KEYS);
	assert_int_equal(sig_private_load(slice_of(buf, n), NULL, &w.key[side][w.n_keys[side]]), 0);
	w.n_keys[side]++;
}

/* Into force on one side: connections and, beside the file, certificates. */
static void pki_configure(int side, const char *text)
{
	struct settings_error err = {0};
	char path[160], line[1024];
	struct settings *root;
	struct conf *conf;
	struct cred *cred;

	snprintf(path, sizeof(path), "%s/%c/swanctl.conf", pki_dir, "ab"[side]);
	root = settings_parse(path, text, strlen(text), false, &err);
	conf = root ? conf_parse(root, &err) : NULL;
	cred = conf ? cred_load(path, root, &err) : NULL;
	if (!cred)
		fail_msg("%s", settings_error_str(&err, line, sizeof(line)));
	settings_free(root);
	creds_set(w.agent[side].creds, cred);
	sa_configure(&w.agent[side], conf);
}
