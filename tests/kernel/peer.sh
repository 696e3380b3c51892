#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Our dataplane with a strongSwan whose ESP is the kernel's: bare ESP, ESN and transport mode, which its user-space ESP
# has not, each called, rekeyed and ended from either side.
. "$(dirname "$0")/../lib.sh"
needs_guest
swan_available || skip "strongSwan is not installed"
LAB_SS_KERNEL=yes
test_lab "$@"
. tests/interop/both.sh
both_up
spi_is_new() { local s; s=$(spi_out $US); [ "$s" != null ] && [ "$s" != "$1" ]; }
kernel_sas() { ip -n $THEM xfrm state | grep -cE "${1:-^src}"; }
kernel_has() { [ "$(kernel_sas "$1")" = "$2" ]; }
both_rekey() { # name, command that shows that traffic passes
    local spi
    spi=$(spi_out $US)
    check "$1: we rekey" xd $US rekey net
    eventually 5 "$1: one pair" pairs 1 1
    $2 "$1"
    check "$1: they rekey" swan $THEM --rekey --child net
    eventually 5 "$1: other keys" spi_is_new "$spi"
    eventually 5 "$1: one pair" pairs 1 1
    $2 "$1"
}
check "their kernel has no SA" kernel_has '^src' 0
while read -r esp; do
    set_both "$esp" "esp=$esp"
    we_call "$esp"
    check "$esp: the SAs are their kernel's" kernel_has 'proto esp .*mode tunnel' 2
    [[ $esp != *esn ]] || check "$esp: with ESN there" kernel_has 'flag.* esn' 2
    carries "$esp"
    both_rekey "$esp" carries
    we_end "$esp"
    they_call "$esp"; carries "$esp"; they_end "$esp"
    eventually 5 "$esp: their kernel has no SA" kernel_has '^src' 0
done <<'LIST'
aes128gcm16
aes256gcm16-esn
aes128-sha256-esn
chacha20poly1305
LIST

set_both "TCP"
we_call "TCP"
check "TCP" lab_tcp 1
we_end "TCP"

# what the gateways say to each other
ping_gateways() {
    eventually 5 "$1: ping" nsx $US ping -q -n -c 2 -i 0.05 -W 2 "$(lab_addr $THEM)"
    eventually 5 "$1: ping back" nsx $THEM ping -q -n -c 2 -i 0.05 -W 2 "$(lab_addr $US)"
}
ours=$(lab_addr $US)/32 theirs=$(lab_addr $THEM)/32
set_both "transport" 'child=mode = transport' esp=aes128gcm16-esn "localts=$ours" "remotets=$theirs" -- \
    'child=mode = transport' esp=aes128gcm16-esn "localts=$theirs" "remotets=$ours"
clear=$(lab_wire clear)
for caller in we they; do
    ${caller}_call "transport"
    check "transport: in their kernel" kernel_has 'proto esp .*mode transport' 2
    esp=$(lab_wire esp)
    ping_gateways "transport"
    [ $(($(lab_wire esp) - esp)) -ge 8 ] || fail "transport: fewer packets of ESP than pings"
    both_rekey "transport" ping_gateways
    nsx $THEM sh -c 'exec iperf3 -s -1 -p 5201' >/dev/null 2>&1 &
    lab_wait 5 nsx $THEM sh -c 'ss -ltn | grep -q :5201'
    check "transport: TCP" nsx $US iperf3 -c "$(lab_addr $THEM)" -p 5201 -t 1
    check "transport: nothing in clear" test "$(lab_wire clear)" = "$clear"
    ${caller}_end "transport"
done
