#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Debian's own swanctl against xdpsecd, unchanged.
. "$(dirname "$0")/../lib.sh"
[ -x "$(command -v swanctl)" ] || skip "swanctl is not installed"
test_lab "$@"
gw_conf ga; gw_conf gb
gw_up ga && gw_up gb || fail "gateways"
has() { grep -qE -- "$1" "$W/out"; }
sw ga --list-conns >"$W/out" || fail "--list-conns"
check "list-conns: connection" has '^gw: IKEv2'
check "list-conns: child" has 'net: TUNNEL'
check "list-conns: selectors" has '10.1.0.0/24'
sw ga --log >"$W/ga/swanctl-log" &
log=$!
check "initiate" sw ga --initiate --child net --timeout 10
refused "initiate of an unknown child" 'nosuch|not found' sw ga --initiate --child nosuch
sw ga --list-sas >"$W/out" || fail "--list-sas"
cat "$W/out"
check "list-sas: IKE SA" has '^gw: #[0-9]+, ESTABLISHED, IKEv2'
check "list-sas: ids" has "local +'ga.example' @ 192.0.2.1\[(4)?500\]"
check "list-sas: algorithms" has 'AES_GCM_16-128/PRF_HMAC_SHA2_256/CURVE_25519'
check "list-sas: child" has 'net: #[0-9]+, reqid [0-9]+, INSTALLED, TUNNEL'
check "list-sas: ESP" has 'ESP:AES_GCM_16-128'
check "traffic" lab_ping 5
sw ga --list-sas >"$W/out"
check "list-sas: bytes" has 'in +c?[0-9a-f]+, +[1-9][0-9]* bytes, +5 packets'
sw ga --list-sas --raw >"$W/out"
check "list-sas raw" has 'list-sa event \{gw \{'
spi=$(spi_out ga)
check "rekey child" sw ga --rekey --child net
eventually 5 "another SPI" sh -c "[ \"$(spi_out ga)\" != '$spi' ]"
check "rekey ike" sw ga --rekey --ike gw
check "stats" sw ga --stats
check "version" sw ga --version
sw ga --list-algs >"$W/out" || fail "--list-algs"
check "list-algs: AEAD" has 'AES_CCM_16\[openssl\]'
check "list-algs: integrity" has 'AES_XCBC_96\[openssl\]'
check "list-algs: groups" has 'ECP_256_BP\[openssl\]'
refused "list-algs: nothing weak" '^$' has 'MD5|3DES|MODP_1024'
check "authorities: none" sw ga --list-authorities
check "flush-certs" sw ga --flush-certs
check "pools" sw ga --list-pools
check "certs" sw ga --list-certs
check "policies" sw ga --list-pols
check "terminate" sw ga --terminate --ike gw --timeout 10
eventually 5 "nothing left" ikes_is gb 0
eventually 3 "log has the negotiation" grep -qi 'established' "$W/ga/swanctl-log"
kill $log

# authorities, and a connection whose private key is not there
. tests/pki.sh
pki_init
pki_ca ca
pki_leaf ga-me P-256 ca DNS:ga.example
pki_clear ga
pki_give ga cert:ga-me ca:ca
gw_conf ga 'mine=auth = pubkey
 certs = ga-me.pem' 'theirs=auth = pubkey'
printf 'authorities { lab { cacert = ca.pem\n crl_uris = http://192.0.2.2/a.crl, http://192.0.2.2/b.crl\n
    ocsp_uris = http://192.0.2.2:8082/ }\n other { cacert = ca.pem } }\n' >>"$W/ga/swanctl.conf"
check "reload" xd ga reload
sw ga --list-authorities >"$W/out" || fail "--list-authorities"
cat "$W/out"
check "list-authorities: name" has '^lab:'
check "list-authorities: CA" has 'cacert: .*CN=ca'
check "list-authorities: CRL" has 'http://192.0.2.2/b.crl'
check "list-authorities: OCSP" has 'http://192.0.2.2:8082/'
sw ga --list-authorities --name other >"$W/out"
check "list-authorities: by name" has '^other:'
refused "list-authorities: by name alone" '^$' has '^lab:'
check "flush-certs of a type" sw ga --flush-certs --type x509_crl
xd ga show authorities >"$W/out" || fail "show authorities"
check "show authorities" has 'lab .*CN=ca.*http://192.0.2.2/a.crl,http://192.0.2.2/b.crl'
check "show authorities --json" sh -c "$BUILD/xdpsec -s $W/ga/run/xdpsecd.vici --json show authorities | grep -q '\"ocsp_uris\"'"
check "flush-certs of ours" xd ga flush-certs ocsp
refused "flush-certs of ours, another word" 'CRL, OCSP' xd ga flush-certs sas

line=$(grep -n '^ *gw {' "$W/ga/swanctl.conf" | cut -d: -f1)
check "a missing key is a warning" log_has ga agent \
    "ga/swanctl.conf:$line: connection 'gw' cannot authenticate .*x509/ga-me.pem: there is no private key for it"
xd ga show conn >"$W/out"
check "and shown" has 'gw cannot authenticate: .*ga-me.pem: there is no private key'
pki_give ga key:ga-me
check "reload with the key" xd ga reload
xd ga show conn >"$W/out"
refused "not any more" '^$' has 'cannot authenticate'
pki_clear ga
sed -i 's/ certs = ga-me.pem//' "$W/ga/swanctl.conf"
sed -i '/^authorities/,$d' "$W/ga/swanctl.conf"
check "reload without certificate" xd ga reload
xd ga show conn >"$W/out"
check "what was looked for" has "gw cannot authenticate: no certificate for the identity 'ga.example'"
