#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A tunnel between two xdpsec, with each crypto backend and each ESP suite: traffic both ways, ESP on the wire.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
plane_crypto_is() { [[ $(xd ga --json show plane | jq -r .crypto) == "$1"* ]]; }
for crypto in cryptodev openssl; do
    LAB_CRYPTO=$crypto
    gw_conf ga; gw_conf gb
    gw_up ga && gw_up gb || fail "gateways with $crypto"
    if grep -q 'cryptodev is not available (built without DPDK): OpenSSL instead' "$W/ga/dataplane.log"; then
        check "no DPDK: show plane says openssl" plane_crypto_is openssl
        echo "without DPDK: cryptodev is not tested"
        gw_down ga; gw_down gb
        rm -f "$W"/g?/dataplane.log
        continue
    fi
    check "show plane says $crypto" plane_crypto_is "$crypto"
    for esp in aes128gcm16 aes256gcm16-esn aes128-sha256 aes256-sha256-esn; do
        for g in ga gb; do
            gw_conf $g "esp=$esp"
            check "$g reload with $esp" xd $g reload
        done
        check "$crypto $esp: initiate" xd ga initiate net
        check "$crypto $esp: ping" lab_ping 3
        check "$crypto $esp: ping back" lab_ping_back 3
        check "$crypto $esp: one child" children_is ga 1
        check "$crypto $esp: TCP" lab_tcp 1
        check "$crypto $esp: large and fragmented pings" nsx ha ping -q -c 2 -i 0.05 -s 3000 -W 2 10.2.0.2
        check "$crypto $esp: flush" xd ga flush
        eventually 5 "gb has no child" children_is gb 0
    done
    gw_down ga; gw_down gb
done
[ "$(lab_wire esp)" -gt 1000 ] || fail "no ESP on the wire"
check "nothing in clear" no_clear
