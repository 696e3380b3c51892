# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Keys and certificates made by openssl while the test runs, and their places beside swanctl.conf.
# After test_lab. Folder: $W/pki
pki_init() {
    mkdir -p "$W/pki/new"
    cat >"$W/pki/ca.cnf" <<'CNF'
[ca]
default_ca = d
[d]
new_certs_dir = new
database = $ENV::CA.index
serial = serial
certificate = $ENV::CA.pem
private_key = $ENV::CA.key
default_md = sha256
policy = p
default_days = 30
default_crl_days = 30
unique_subject = no
crl_extensions = crl
[crl]
authorityKeyIdentifier = keyid
[p]
organizationName = optional
commonName = supplied
[v3ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[leaf]
basicConstraints = CA:FALSE
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = $ENV::SAN
[req]
distinguished_name = rd
[rd]
CNF
    echo 1000 >"$W/pki/serial"
}

pki_run() { (cd "$W/pki" && CA=${CA:-ca} SAN=${SAN:-DNS:none} "$@" >>log 2>&1) || lab_die "$*: $(tail -n 3 "$W/pki/log")"; }

pki_key() { # NAME rsa|rsa:BITS|P-256|...|ed25519|ed448
    local bits=${2#rsa}
    bits=${bits#:}
    case $2 in
    rsa*) pki_run openssl genpkey -algorithm RSA -pkeyopt "rsa_keygen_bits:${bits:-2048}" -out "$1.key" ;;
    P-*) pki_run openssl genpkey -algorithm EC -pkeyopt "ec_paramgen_curve:$2" -out "$1.key" ;;
    *) pki_run openssl genpkey -algorithm "$2" -out "$1.key" ;;
    esac
    pki_run openssl pkey -in "$1.key" -pubout -out "$1.pub"
}

pki_ca() { # NAME [PARENT [KIND]]
    pki_key "$1" "${3:-P-256}"
    : >"$W/pki/$1.index"
    pki_run openssl req -new -key "$1.key" -subj "/O=lab/CN=$1" -config ca.cnf -out "$1.csr"
    if [ -n "${2:-}" ]; then
        CA=$2 pki_run openssl ca -batch -config ca.cnf -extensions v3ca -in "$1.csr" -out "$1.pem" -notext
    else
        pki_run openssl req -x509 -new -key "$1.key" -subj "/O=lab/CN=$1" -config ca.cnf -extensions v3ca -days 3650 -out "$1.pem"
    fi
}

pki_leaf() { # NAME KIND CA SAN [openssl ca options]
    local name=$1 kind=$2 ca=$3 san=$4
    shift 4
    pki_key "$name" "$kind"
    pki_run openssl req -new -key "$name.key" -subj "/O=lab/CN=${san#DNS:}" -config ca.cnf -out "$name.csr"
    CA=$ca SAN=$san pki_run openssl ca -batch -config ca.cnf -extensions leaf -in "$name.csr" -out "$name.pem" -notext "$@"
}

pki_revoke() { CA=$2 pki_run openssl ca -batch -config ca.cnf -revoke "$1.pem"; }
pki_crl() { CA=$1 pki_run openssl ca -batch -config ca.cnf -gencrl -out "$1.crl"; }

# Empties the folders of a gateway: pki_clear ga
pki_clear() {
    local d
    for d in private x509 x509ca x509crl pubkey rsa ecdsa pkcs8; do
        mkdir -p "$W/$1/$d" && rm -f "$W/$1/$d"/*
    done
}

# What a gateway has: pki_give ga key:ga-rsa cert:ga-rsa ca:ca crl:ca pub:gb-ed25519
pki_give() {
    local g=$1 what name
    shift
    for what in "$@"; do
        name=${what#*:}
        case ${what%%:*} in
        key) install -m 600 "$W/pki/$name.key" "$W/$g/private/$name.key" ;;
        cert) cp "$W/pki/$name.pem" "$W/$g/x509/" ;;
        ca) cp "$W/pki/$name.pem" "$W/$g/x509ca/" ;;
        crl) cp "$W/pki/$name.crl" "$W/$g/x509crl/" ;;
        pub) cp "$W/pki/$name.pub" "$W/$g/pubkey/" ;;
        *) lab_die "pki_give: $what" ;;
        esac
    done
}
