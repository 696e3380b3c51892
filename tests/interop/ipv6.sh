#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# IPv6 with strongSwan, called from either side. Its user-space ESP always encapsulates in UDP.
. "$(dirname "$0")/../lib.sh"
swan_available || skip "strongSwan with kernel-libipsec is not installed"
test_lab "$@"
gw_conf ga; swan_conf gb
gw_up ga && swan_up gb || fail "gateways"
for LAB_OUTER in 4 6; do
    for LAB_INNER in 4 6 46; do
        what=${LAB_INNER}in$LAB_OUTER
        gw_conf ga; swan_conf gb
        check "$what: reload" xd ga reload
        check "$what: load-conns" swan gb --load-conns --file "$W/gb/swanctl.conf"
        for who in us them; do
            if [ $who = us ]; then
                check "$what: we initiate" xd ga initiate net
            else
                check "$what: they initiate" swan gb --initiate --child net --timeout 10
            fi
            if [[ $LAB_INNER == *4* ]]; then
                eventually 5 "$what: ping" lab_ping 3
                eventually 5 "$what: ping back" lab_ping_back 3
                check "$what: TCP" lab_tcp 1
            fi
            if [[ $LAB_INNER == *6* ]]; then
                eventually 5 "$what: ping6" lab_ping6 3
                eventually 5 "$what: ping6 back" lab_ping6_back 3
                check "$what: TCP6" lab_tcp6 1
            fi
            check "$what: nothing in clear" no_clear
            check "$what: flush" xd ga flush
            eventually 5 "$what: gone" ikes_is ga 0
        done
    done
done
[ "$(lab_wire udp4500_6)" -gt 1000 ] || fail "no ESP in UDP over IPv6 on the wire"
