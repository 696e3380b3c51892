#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A NAT in front of strongSwan; tests/interop/nat_us.sh puts xdpsec behind it instead. Over IPv4 and IPv6, for
# networks of both families: who is behind it calls, or is called at ports that are passed on; rekeys of both kinds by
# either side; a mapping that changes under the tunnel; and a network beside that would show packets in clear.
. "$(dirname "$0")/../lib.sh"
swan_available || skip "strongSwan with kernel-libipsec is not installed"
command -v nft >/dev/null || skip "nft is not installed"
LAB_NAT=1 LAB_NAT_IN=1 LAB_INNER=46
test_lab "$@"
[ "${BEHIND:-them}" = us ] && US=ga THEM=gb || US=gb THEM=ga
. tests/interop/both.sh
carries6() {
    carries "$1"
    eventually 5 "$1: ping6" lab_ping6 2
    eventually 5 "$1: ping6 back" lab_ping6_back 2
    [ "$(lab_wire clear)" = 0 ] || fail "$1: packets in clear"
}
sees() { xd $US --json show sa | jq -e ".[0] | $1" >/dev/null; }
they_see() { swan $THEM --list-sas | grep "remote" | grep -qF "@ $1"; }
their_rekey() { # what, arguments of swanctl
    local what=$1 old
    shift
    old=$(ike_spi $US)$(spi_out $US)
    check "$what: they rekey $1" swan $THEM --rekey "$@"
    eventually 5 "$what: other keys" other_keys "$old"
    eventually 5 "$what: one pair" pairs 1 1
}
other_keys() { [ "$(ike_spi $US)$(spi_out $US)" != "$1" ] && [ "$(ikes $US)" = 1 ]; }
rekeys() {
    check "$1: we rekey the child" xd $US rekey net
    check "$1: we rekey the IKE SA" xd $US rekey --ike gw
    their_rekey "$1" --child net
    their_rekey "$1" --ike gw
    carries6 "$1"
}
gw_conf $US 'gw=ike { keep_alive = 1s }' && swan_conf $THEM && gw_up $US && swan_up $THEM || fail "gateways"
# the NAT's outer address changes, and with it every mapping: who is not behind it follows what it can authenticate.
# First of all, for once gb has called there is a mapping that is not made from inside.
set_both "another address"
if [ $US = ga ]; then we_call "another address"; else they_call "another address"; fi
carries "another address"
nsx wan ip addr del 198.51.100.254/24 dev tob
nsx wan ip addr add 198.51.100.253/24 dev tob
if [ $US = ga ]; then
    # nothing but IKE tells strongSwan: its ESP does not look where packets come from
    check "another address: we rekey" xd $US rekey net
else
    check "another address: traffic from behind it" lab_wait 5 lab_ping 1
    eventually 5 "another address: we follow" sees '.remote_host == "198.51.100.253"'
    their_rekey "another address" --child net
fi
carries "another address"
if [ $US = ga ]; then we_end "another address"; else they_end "another address"; fi
nsx wan ip addr del 198.51.100.253/24 dev tob
nsx wan ip addr add 198.51.100.254/24 dev tob

for LAB_OUTER in 4 6; do
    [ $LAB_OUTER = 6 ] && outside=2001:db8:fe::254 || outside=198.51.100.254
    what="IPv$LAB_OUTER"
    set_both "$what"
    we_call "$what"
    # strongSwan's ESP says of itself that it is behind a NAT always; of us it tells the truth
    if [ $US = ga ]; then
        check "$what: we know that we are behind a NAT" sees '.nat_local == true'
        check "$what: they see its address" they_see "$outside"
    else
        check "$what: we know that they are behind a NAT" sees '.nat_remote == true and .nat_local != true'
        check "$what: we see its address" sees ".remote_host == \"$outside\""
    fi
    carries6 "$what"; rekeys "$what"; we_end "$what"
    they_call "$what"; carries6 "$what"; rekeys "$what"; they_end "$what"
done
