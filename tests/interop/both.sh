# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# xdpsec and strongSwan that stay up, configured anew for each case and called from either side. Sourced after test_lab.
# US and THEM are their gateways: ga and gb unless a test says otherwise.
US=${US:-ga} THEM=${THEM:-gb}

both_up() { gw_conf $US && swan_conf $THEM && gw_up $US && swan_up $THEM || fail "gateways"; }

# set_both NAME [KEY=VALUE...] [-- KEY=VALUE...]: what stands behind "--" is theirs; without it both get the same
set_both() {
    local name=$1 ours=() theirs=()
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do ours+=("$1"); shift; done
    theirs=("${ours[@]}")
    [ $# = 0 ] || { shift; theirs=("$@"); }
    gw_conf $US "${ours[@]}"; swan_conf $THEM "${theirs[@]}"
    load_both "$name"
}
load_both() {
    check "$1: reload" xd $US reload
    check "$1: load-all" swan $THEM --load-all --clear --noprompt --file "$W/$THEM/swanctl.conf"
}

theirs_installed() { swan $THEM --list-sas | grep -c 'INSTALLED,'; }
theirs_up() { swan $THEM --list-sas | grep -c 'ESTABLISHED,'; }
# pairs I C: both daemons list I IKE SAs and C Child SAs
pairs() {
    [ "$(ikes $US)" = "$1" ] && [ "$(children $US)" = "$2" ] && [ "$(theirs_up)" = "$1" ] &&
        [ "$(theirs_installed)" = "$2" ]
}
gone() { eventually 5 "$1: gone on both sides" pairs 0 0; }
end_all() {
    xd $US flush >/dev/null
    swan $THEM --terminate --ike gw --force >/dev/null 2>&1
    gone "$1"
}

# Pings both ways, and what crossed the wire meanwhile: packets in UDP for all of them, none in clear, no bare ESP
# (strongSwan's user-space ESP is always in UDP). With the kernel's ESP it is the other way round.
carries() {
    local n kind=udp4500 other=esp
    [ "${LAB_SS_KERNEL:-no}${LAB_NAT:-0}" = yes0 ] && kind=esp other=udp4500
    n=$(lab_wire $kind)
    eventually 5 "$1: ping" lab_ping 2
    eventually 5 "$1: ping back" lab_ping_back 2
    [ $(($(lab_wire $kind) - n)) -ge 8 ] || fail "$1: fewer packets of $kind on the wire than pings"
    [ "$(lab_wire clear) $(lab_wire $other)" = "0 0" ] ||
        fail "$1: $(lab_wire clear) packets in clear, $(lab_wire $other) of $other"
}

we_call() { check "$1: we call" xd $US initiate net; }
they_call() { check "$1: they call" swan $THEM --initiate --child net --timeout 10; }
we_end() { check "$1: we end it" xd $US terminate --ike gw; gone "$1"; }
they_end() { check "$1: they end it" swan $THEM --terminate --ike gw --timeout 10; gone "$1"; }
both_call() {
    we_call "$1"; carries "$1"; we_end "$1"
    they_call "$1"; carries "$1"; they_end "$1"
}

# refusal NAME IKES WORD-OF-OURS WORD-OF-THEIRS: neither can call; each command line says why; so many IKE SAs stay,
# without a child (RFC 7296 2.21.2), the same on both sides.
refusal() {
    refused "$1: we call, and hear why" "$3" xd $US initiate net
    eventually 5 "$1: $2 IKE SAs without a child" pairs "$2" 0
    [ "$2" = 0 ] || end_all "$1"
    refused "$1: they call, and hear why" "$4" swan $THEM --initiate --child net --timeout 10
    eventually 5 "$1: $2 IKE SAs without a child" pairs "$2" 0
    [ "$2" = 0 ] || end_all "$1"
}
