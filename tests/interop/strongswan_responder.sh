#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# xdpsec calls strongSwan: every suite, traffic, rekey by either side, delete by either side.
. "$(dirname "$0")/../lib.sh"
swan_available || skip "strongSwan with kernel-libipsec is not installed"
test_lab "$@"
. tests/interop/suites.sh
gw_conf ga; swan_conf gb
gw_up ga && swan_up gb || fail "gateways"
while read -r ike esp pfs; do
    suite "$ike" "$esp" "$pfs"
    check "$ike $esp: initiate" xd ga initiate net
    eventually 5 "$ike $esp: ping" lab_ping 3
    eventually 5 "$ike $esp: ping back" lab_ping_back 3
    check "$ike $esp: terminate" xd ga terminate --ike gw
done < <(suites)
suite aes128gcm16-prfsha256-x25519 aes128gcm16 aes128gcm16-ecp256
check "initiate" xd ga initiate net
check "TCP" lab_tcp 1
for i in 1 2; do
    spi=$(spi_out ga)
    check "our rekey of the child" xd ga rekey net
    [ "$(spi_out ga)" != "$spi" ] || fail "the same SPI"
    eventually 5 "ping" lab_ping 3
    spi=$(spi_out ga)
    check "their rekey of the child" swan gb --rekey --child net
    eventually 5 "another SPI" spi_other ga "$spi"
    eventually 5 "ping" lab_ping 3
    check "our rekey of the IKE SA" xd ga rekey --ike gw
    check "their rekey of the IKE SA" swan gb --rekey --ike gw
    eventually 5 "one IKE SA" ikes_is ga 1
    eventually 5 "ping" lab_ping 3
done
check "their delete" swan gb --terminate --ike gw
eventually 5 "no SA" ikes_is ga 0
check "nothing in clear" no_clear
