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
check "pools" sw ga --list-pools
check "certs" sw ga --list-certs
check "policies" sw ga --list-pols
check "terminate" sw ga --terminate --ike gw --timeout 10
eventually 5 "nothing left" ikes_is gb 0
eventually 3 "log has the negotiation" grep -qi 'established' "$W/ga/swanctl-log"
kill $log
