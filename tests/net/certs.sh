#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Certificates between two xdpsec: every kind of key, passphrases, mixed methods, and what is refused, by whom and why.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
. tests/pki.sh
pki_init
pki_ca ca; pki_ca sub ca; pki_ca other
for g in ga gb; do
    pki_leaf $g-rsa rsa ca DNS:$g.example
    pki_leaf $g-ec P-384 ca DNS:$g.example
    pki_leaf $g-ed ed25519 ca DNS:$g.example
done
pki_leaf gb-sub P-256 sub DNS:gb.example
pki_leaf gb-other P-256 other DNS:gb.example
pki_leaf gb-name P-256 ca DNS:somebody.example
pki_leaf gb-old P-256 ca DNS:gb.example -startdate 20200101000000Z -enddate 20210101000000Z
pki_leaf gb-revoked P-256 ca DNS:gb.example
pki_revoke gb-revoked ca
pki_crl ca
pki_clear ga; pki_clear gb
pki_give ga key:ga-rsa cert:ga-rsa ca:ca
pki_give gb key:gb-ec cert:gb-ec ca:ca
pubkey() { gw_conf "$1" "mine=${2:-auth = pubkey}" "theirs=${3:-auth = pubkey}" "conn=${4:-}"; }
again() { check "$1: reload" xd ga reload; check "$1: reload" xd gb reload; }
works() {
    check "$1: initiate" xd ga initiate net
    check "$1: ping" lab_ping 2
    check "$1: terminate" xd ga terminate --ike gw
    eventually 5 "$1: gone" ikes_is gb 0
}
no() { # what PATTERN-of-the-initiator gateway COUNTER
    local before
    before=$(counter "$3" "$4")
    refused "$1" "$2" xd ga initiate net
    [ "$(counter "$3" "$4")" = $((before + 1)) ] || fail "$1: $4 of $3 is $(counter "$3" "$4")"
    eventually 5 "$1: gone" ikes_is gb 0
    check "$1: no row" map_count_is gb sa_in 0
}
pubkey ga; pubkey gb
gw_up ga && gw_up gb || fail "gateways"
works "RSA and ECDSA"
pki_give gb key:gb-ed cert:gb-ed
pubkey gb 'auth = pubkey
 certs = gb-ed.pem'
again "Ed25519"; works "Ed25519"
pubkey ga 'auth = rsa-sha512' 'auth = ed25519'; pubkey gb 'auth = pubkey
 certs = gb-ed.pem' 'auth = rsa-2048-sha256, ike:rsa-sha512'
again "constraints"
refused "the chain is bound, too" 'AUTHENTICATION_FAILED' xd ga initiate net
pubkey gb 'auth = pubkey
 certs = gb-ed.pem' 'auth = ike:rsa-sha512'
again "constraints"; works "PKCS#1 with SHA-512"
pubkey ga 'auth = pubkey' 'auth = psk'; pubkey gb 'auth = psk'
again "mixed"; works "a certificate one way, a secret the other"
# passphrases: the key again, encrypted
pki_run openssl pkcs8 -topk8 -in ga-rsa.key -passout pass:geheim -out "$W/ga/pkcs8/ga-rsa.key"
rm "$W/ga/private/ga-rsa.key"
pubkey ga; pubkey gb
refused "no passphrase" 'ga-rsa.key: encrypted: add secrets' xd ga reload
printf 'secrets { pkcs8-1 {\n file = ga-rsa.key\n secret = "geheim"\n} }\n' >>"$W/ga/swanctl.conf"
again "passphrase"; works "passphrase"
grep -l geheim "$W"/g?/*.log && fail "a passphrase is in a log"
pki_give ga key:ga-rsa; rm "$W/ga/pkcs8/ga-rsa.key"
pubkey ga
again "once more"
# an intermediate CA comes from the peer
pki_clear gb; pki_give gb key:gb-sub cert:gb-sub ca:ca ca:sub
again "intermediate CA"; works "intermediate CA"
rm "$W/gb/x509ca/sub.pem"
again "no intermediate CA"; no "without the intermediate CA" 'issuer' ga auth_untrusted
for row in "gb-other issuer auth_untrusted" "gb-name carr auth_identity" "gb-old expired auth_cert_time"; do
    read -r name pattern reason <<<"$row"
    pki_clear gb; pki_give gb key:"$name" cert:"$name" ca:ca
    # a certificate that does not carry the id must be named to be used at all
    [ "$name" = gb-name ] && pubkey gb "auth = pubkey
 certs = gb-name.pem"
    again "$name"
    if [ "$name" = gb-name ]; then
        no "$name" 'AUTHENTICATION_FAILED' gb auth_no_key
    else
        no "$name" "$pattern" ga "$reason"
    fi
    pubkey gb
done
# a list of what is revoked, read at a reload; an SA that is up stays
pki_clear gb; pki_give gb key:gb-revoked cert:gb-revoked ca:ca
again "not known to be revoked"
check "initiate" xd ga initiate net
pki_give ga crl:ca
check "reload with the list" xd ga reload
check "the IKE SA stays" ikes_is ga 1
check "ping" lab_ping 2
check "terminate" xd ga terminate --ike gw
eventually 5 "gone" ikes_is gb 0
no "revoked" 'revoked' ga auth_cert_revoked
pki_clear gb; pki_give gb key:gb-ec cert:gb-ec ca:ca
again "not revoked"; works "not revoked"
# the peer says nothing more than that it failed
pki_clear ga; pki_give ga key:ga-rsa cert:ga-rsa ca:ca
pubkey gb 'auth = pubkey' 'auth = ecdsa'
again "another kind of key"
no "another kind of key" 'AUTHENTICATION_FAILED' gb auth_weak
check "gb says why" log_has gb agent 'not allowed'
# lists, without a secret
gw_has() { local g=$1 pattern=$2; shift 2; xd "$g" "$@" | grep -qE "$pattern"; }
check "certificates" gw_has ga 'certificate +O=lab, CN=ga.example +O=lab, CN=ca .*yes .*ga-rsa.pem' show certs
check "CAs" gw_has ga 'CA +O=lab, CN=ca' show certs
check "keys by id and file" gw_has ga 'RSA +2048 +[0-9a-f]{40} +private/ga-rsa.key' show keys
check "as JSON" sh -c "$BUILD/xdpsec -s $W/ga/run/xdpsecd.vici --json show certs | jq -e '[.[] | select(.private_key)] | length == 1'"
if command -v swanctl >/dev/null; then
    sw ga --list-certs >"$W/certs" 2>&1
    check "swanctl --list-certs" grep -q 'subject: *"O=lab, CN=ga.example"' "$W/certs"
    check "swanctl sees the private key" grep -q 'has private key' "$W/certs"
    sw ga --list-certs --type x509 --flag ca >"$W/certs" 2>&1
    check "swanctl: CAs alone" sh -c "! grep -q ga.example $W/certs && grep -q 'CN=ca' $W/certs"
fi
grep -rl 'PRIVATE KEY' "$W"/g?/*.log && fail "a key is in a log"
# what cannot be read is named, and the configuration stays
echo broken >"$W/ga/x509/broken.pem"
refused "a broken certificate" 'broken.pem' xd ga reload
rm "$W/ga/x509/broken.pem"
