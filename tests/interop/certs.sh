#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Authentication with strongSwan, each kind called from either side: secrets, certificates of every type, raw keys, a
# different method on each side, intermediate CAs, revocation, and an IKE SA without a child.
. "$(dirname "$0")/../lib.sh"
swan_available || skip "strongSwan with kernel-libipsec is not installed"
test_lab "$@"
. tests/pki.sh
pki_init
pki_ca ca; pki_ca sub ca; pki_ca other
for g in ga gb; do
    for kind in rsa P-256 P-384 P-521 ed25519 ed448; do pki_leaf $g-$kind $kind ca DNS:$g.example; done
    pki_leaf $g-sub P-256 sub DNS:$g.example
    pki_leaf $g-other rsa other DNS:$g.example
done
pki_leaf gb-revoked rsa ca DNS:gb.example
pki_leaf ga-revoked rsa ca DNS:ga.example
pki_revoke gb-revoked ca; pki_revoke ga-revoked ca
pki_crl ca
pki_clear ga; pki_clear gb
pki_give ga ca:ca; pki_give gb ca:ca
gw_conf ga; swan_conf gb
gw_up ga && swan_up gb || fail "gateways"

# both NAME MINE-ga THEIRS-ga MINE-gb THEIRS-gb [conn=...]: both sides anew
both() {
    gw_conf ga "mine=$2" "theirs=$3" "conn=${6:-}"
    swan_conf gb "mine=$4" "theirs=$5" "conn=${6:-}"
    check "$1: reload" xd ga reload
    check "$1: load-all" swan gb --load-all --clear --noprompt --file "$W/gb/swanctl.conf"
}
called_by_us() {
    check "$1: we call" xd ga initiate net
    eventually 5 "$1: ping" lab_ping 2
    check "$1: terminate" xd ga terminate --ike gw
}
called_by_them() {
    check "$1: they call" swan gb --initiate --child net --timeout 10
    eventually 5 "$1: ping" lab_ping 2
    check "$1: terminate" swan gb --terminate --ike gw --timeout 10
    eventually 5 "$1: gone" ikes_is ga 0
}
works() { both "$@"; called_by_us "$1"; called_by_them "$1"; }

works "secret" 'auth = psk' 'auth = psk' 'auth = psk' 'auth = psk'
while read -r kind auth; do
    pki_clear ga; pki_clear gb
    pki_give ga key:ga-"$kind" cert:ga-"$kind" ca:ca
    pki_give gb key:gb-"$kind" cert:gb-"$kind" ca:ca
    works "$kind $auth" "auth = $auth
 certs = ga-$kind.pem" "auth = $auth" "auth = $auth
 certs = gb-$kind.pem" "auth = $auth"
    check "$kind: they say so" log_has gb charon "authentication of 'ga.example' with .* successful"
done <<'KINDS'
rsa pubkey
rsa rsa
rsa ike:rsa-sha384
rsa ike:rsa/pss-sha256
rsa ike:rsa/pss-sha512
P-256 pubkey
P-256 ecdsa-256-sha256
P-384 pubkey
P-521 pubkey
ed25519 pubkey
ed448 pubkey
KINDS
check "PSS was used" log_has gb charon 'RSA_EMSA_PSS'
check "PKCS#1 was used" log_has gb charon 'RSA_EMSA_PKCS1_SHA2_384'

# the old methods: they do not announce RFC 7427
pki_clear ga; pki_clear gb
pki_give ga key:ga-P-384 cert:ga-P-384 ca:ca
pki_give gb key:gb-P-256 cert:gb-P-256 ca:ca
swan_down gb
swan_conf gb 'mine=auth = pubkey' 'theirs=auth = pubkey'
SS_CHARON='signature_authentication = no' swan_up gb || fail "strongSwan without RFC 7427"
works "RFC 4754" 'auth = pubkey' 'auth = pubkey' 'auth = pubkey' 'auth = pubkey'
check "method 9" log_has gb charon 'ECDSA-256 signature|ECDSA_WITH_SHA256|ECDSA-256'
pki_clear ga; pki_clear gb
pki_give ga key:ga-rsa cert:ga-rsa ca:ca; pki_give gb key:gb-rsa cert:gb-rsa ca:ca
works "RSA of RFC 7296" 'auth = pubkey' 'auth = rsa' 'auth = pubkey' 'auth = pubkey'
swan_down gb
swan_up gb || fail "strongSwan"

# a different method on each side
pki_clear ga; pki_clear gb
pki_give ga key:ga-ed25519 cert:ga-ed25519 ca:ca; pki_give gb ca:ca
works "we by certificate, they by secret" 'auth = pubkey' 'auth = psk' 'auth = psk' 'auth = pubkey'
pki_clear ga; pki_clear gb
pki_give ga ca:ca; pki_give gb key:gb-rsa cert:gb-rsa ca:ca
works "we by secret, they by certificate" 'auth = psk' 'auth = pubkey' 'auth = pubkey' 'auth = psk'

# raw public keys
pki_clear ga; pki_clear gb
pki_give ga key:ga-P-256 pub:ga-P-256 pub:gb-ed25519; pki_give gb key:gb-ed25519 pub:gb-ed25519 pub:ga-P-256
works "raw public keys" 'auth = pubkey
 pubkeys = ga-P-256.pub' 'auth = pubkey
 pubkeys = gb-ed25519.pub' 'auth = pubkey
 pubkeys = gb-ed25519.pub' 'auth = pubkey
 pubkeys = ga-P-256.pub'

# intermediate CAs travel in CERT payloads, both ways
pki_clear ga; pki_clear gb
pki_give ga key:ga-sub cert:ga-sub ca:ca ca:sub; pki_give gb key:gb-sub cert:gb-sub ca:ca ca:sub
both "intermediate" 'auth = pubkey' 'auth = pubkey
 cacerts = ca.pem' 'auth = pubkey' 'auth = pubkey
 cacerts = ca.pem'
called_by_us "intermediate"; called_by_them "intermediate"
# distinguished names, and what the certificate says of itself
gw_conf ga 'mine=auth = pubkey' 'theirs=auth = pubkey'; swan_conf gb 'mine=auth = pubkey' 'theirs=auth = pubkey'
sed -i 's/id = ga\.example/id = "O=lab, CN=ga.example"/; s/id = gb\.example/id = "O=lab, CN=*"/' "$W/ga/swanctl.conf"
sed -i 's/id = ga\.example/id = "O=lab, CN=ga.example"/; s/id = gb\.example/id = "O=lab, CN=gb.example"/' "$W/gb/swanctl.conf"
check "names: reload" xd ga reload
check "names: load-all" swan gb --load-all --clear --noprompt --file "$W/gb/swanctl.conf"
called_by_us "names"; called_by_them "names"

# who is revoked, or from elsewhere, does not come in, whoever calls
refused_both() { # what, reason here
    refused "$1: we call" "$2" xd ga initiate net
    swan gb --initiate --child net --timeout 10 >"$W/theirs" 2>&1 && fail "$1: they called and came in"
    eventually 5 "$1: no SA" ikes_is ga 0
    swan gb --terminate --ike gw --timeout 5 >/dev/null 2>&1
}
pki_clear ga; pki_clear gb
pki_give ga key:ga-rsa cert:ga-rsa ca:ca crl:ca; pki_give gb key:gb-revoked cert:gb-revoked ca:ca
both "they are revoked" 'auth = pubkey' 'auth = pubkey' 'auth = pubkey' 'auth = pubkey'
refused_both "they are revoked" 'revoked'
pki_clear ga; pki_clear gb
pki_give ga key:ga-revoked cert:ga-revoked ca:ca; pki_give gb key:gb-rsa cert:gb-rsa ca:ca crl:ca
both "we are revoked" 'auth = pubkey' 'auth = pubkey' 'auth = pubkey' 'auth = pubkey'
refused_both "we are revoked" 'AUTHENTICATION_FAILED|AUTH'
pki_clear ga; pki_clear gb
pki_give ga key:ga-rsa cert:ga-rsa ca:ca; pki_give gb key:gb-other cert:gb-other ca:other ca:ca
both "another CA" 'auth = pubkey' 'auth = pubkey' 'auth = pubkey' 'auth = pubkey'
refused_both "another CA" 'issuer|AUTH'

# without a first child, either side
pki_clear ga; pki_clear gb
pki_give ga key:ga-ed25519 cert:ga-ed25519 ca:ca; pki_give gb key:gb-P-256 cert:gb-P-256 ca:ca
both "childless" 'auth = pubkey' 'auth = pubkey' 'auth = pubkey' 'auth = pubkey' 'childless = force'
check "we call without a child" xd ga initiate --ike gw
check "no child" children_is ga 0
called_by_us "childless, and then the child"
check "they call without a child" swan gb --initiate --ike gw --timeout 10
check "no child" children_is ga 0
called_by_them "childless, and then the child"

# the rules of the first connection that fits do not take them: the next one's do, unless it names them less
pki_clear ga; pki_clear gb
pki_give ga key:ga-P-256 cert:ga-P-256 ca:ca ca:other; pki_give gb key:gb-rsa cert:gb-rsa ca:ca
two() { # remote id of the second
    both "two connections" 'auth = pubkey' "auth = pubkey" 'auth = pubkey' 'auth = pubkey'
    {
        echo "connections {"
        sed -n '/^    gw {/,/^    }/p' "$W/ga/swanctl.conf" |
            sed 's/gw {/first {/; s/id = gb.example/&\n            cacerts = other.pem/'
        sed "1d; s/id = gb.example/id = $1/" "$W/ga/swanctl.conf"
    } >"$W/ga/two" && mv "$W/ga/two" "$W/ga/swanctl.conf"
    check "two connections: reload" xd ga reload
}
two gb.example
called_by_them "the second connection"
check "it is tried" log_has ga agent "config 'first' does not take 'gb.example'.*trying 'gw'"
two '*.example'
swan gb --initiate --child net --timeout 10 >"$W/theirs" 2>&1 && fail "a weaker connection let them in"
eventually 5 "no weaker connection: no SA" ikes_is ga 0
check "nor tried" log_has ga agent "authentication of 'gb.example' .*cacerts.*sending AUTHENTICATION_FAILED"
