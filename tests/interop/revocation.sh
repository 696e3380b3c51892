#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Revocation status that is fetched while strongSwan authenticates: CRLs from python's http server, OCSP from openssl's
# responder, both on the peer's side; every policy, with servers that are up, down, silent, and of certificates that
# lead to this host.
. "$(dirname "$0")/../lib.sh"
swan_available || skip "strongSwan with kernel-libipsec is not installed"
[ -x "$(command -v python3)" ] || skip "no python3"
test_lab "$@"
. tests/pki.sh
pki_init
pki_ca ca
at=$(lab_addr gb)

leaf_with() { # NAME EXTENSION
    printf '[x]\nsubjectAltName = DNS:gb.example\nbasicConstraints = CA:FALSE\n%s\n' "$2" >"$W/pki/$1.ext"
    pki_leaf "$1" P-256 ca DNS:gb.example -extfile "$1.ext" -extensions x
}
pki_leaf ga-me P-256 ca DNS:ga.example
leaf_with gb-plain ''
leaf_with gb-bad ''
leaf_with gb-crl "crlDistributionPoints = URI:http://$at:8081/ca.crl"
leaf_with gb-crl-bad "crlDistributionPoints = URI:http://$at:8081/ca.crl"
leaf_with gb-ocsp "authorityInfoAccess = OCSP;URI:http://$at:8082/"
leaf_with gb-ocsp-bad "authorityInfoAccess = OCSP;URI:http://$at:8082/"
leaf_with gb-loop 'crlDistributionPoints = URI:http://127.0.0.1:8081/ca.crl'
leaf_with responder 'extendedKeyUsage = OCSPSigning'
for bad in gb-bad gb-crl-bad gb-ocsp-bad; do pki_revoke $bad ca; done
pki_crl ca
mkdir "$W/www" && openssl crl -in "$W/pki/ca.crl" -outform DER -out "$W/www/ca.crl"

serve_crl() { gw_spawn gb http python3 -m http.server 8081 --directory "$W/www"; }
serve_ocsp() {
    gw_spawn gb ocsp openssl ocsp -port 8082 -index "$W/pki/ca.index" -CA "$W/pki/ca.pem" -ignore_err \
        -rsigner "$W/pki/responder.pem" -rkey "$W/pki/responder.key" -nmin 5
}
listens() { nsx gb sh -c "ss -ltn | grep -q :$1"; }

pki_clear ga; pki_clear gb
pki_give ga key:ga-me cert:ga-me ca:ca
pki_give gb ca:ca
gw_conf ga; swan_conf gb
gw_up ga && swan_up gb || fail "gateways"

# as NAME POLICY [authority]: the peer has this certificate, we have this policy, and nothing cached
as() {
    pki_clear gb
    pki_give gb "key:$1" "cert:$1" ca:ca
    gw_conf ga 'mine=auth = pubkey' "theirs=auth = pubkey
 revocation = $2"
    swan_conf gb 'mine=auth = pubkey' 'theirs=auth = pubkey'
    [ -z "${3:-}" ] || echo "authorities { a { cacert = ca.pem
 $3
} }" >>"$W/ga/swanctl.conf"
    check "$1, $2: load-all" swan gb --load-all --clear --noprompt --file "$W/gb/swanctl.conf"
    # a new agent: an empty cache
    gw_kill ga agent
    gw_agent ga || fail "the agent does not come up"
    lab_wait 10 gw_plane_ready ga || fail "the dataplane does not come back"
}
comes_in() {
    as "$@"
    check "$1, $2 ${4:-}: we call" xd ga initiate net
    check "$1, $2: terminate" xd ga terminate --ike gw
    check "$1, $2: they call" swan gb --initiate --child net --timeout 30
    check "$1, $2: terminate" swan gb --terminate --ike gw --timeout 10
    eventually 5 "$1, $2: gone" ikes_is ga 0
}
stays_out() { # NAME POLICY PATTERN [authority]
    as "$1" "$2" "${4:-}"
    refused "$1, $2: stays out" "$3" xd ga initiate net
    swan gb --initiate --child net --timeout 30 >"$W/theirs" 2>&1 && fail "$1, $2: called and came in"
    eventually 5 "$1, $2: no SA" ikes_is ga 0
    swan gb --terminate --ike gw --timeout 5 >/dev/null 2>&1
}

# nobody serves
comes_in gb-plain relaxed
comes_in gb-plain ifuri
stays_out gb-plain strict 'status is not known'
comes_in gb-crl-bad relaxed
stays_out gb-crl ifuri 'cannot be reached'
serve_crl
serve_ocsp
eventually 10 "a server of CRLs" listens 8081
eventually 10 "a responder" listens 8082
comes_in gb-crl strict
grep -q 'GET /ca.crl' "$W/gb/http.log" || fail "the CRL was not fetched"
check "the role that fetched" pgrep -f -P "$(gw_pid ga agent)" -- '--role fetch'
stays_out gb-crl-bad relaxed revoked
comes_in gb-ocsp strict
stays_out gb-ocsp-bad relaxed revoked
# the administrator's URIs are for certificates that name none
comes_in gb-plain strict "crl_uris = http://$at:8081/ca.crl"
stays_out gb-bad relaxed revoked "crl_uris = http://$at:8081/ca.crl"
comes_in gb-plain strict "ocsp_uris = http://$at:8082/"
stays_out gb-bad relaxed revoked "ocsp_uris = http://$at:8082/"
# OCSP fails, the CRL does
comes_in gb-plain strict "ocsp_uris = http://$at:8083/
 crl_uris = http://$at:8081/none.crl, http://$at:8081/ca.crl"
# a certificate that leads to ourselves leads nowhere
stays_out gb-loop ifuri "the server's address"
comes_in gb-loop relaxed
