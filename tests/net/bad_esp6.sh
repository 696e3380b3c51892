#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The same as bad_esp.sh with ESP over IPv6, and what only IPv6 has: extension headers in front of ESP, and ESP in UDP
# without a checksum.
LAB_OUTER=6
. "$(dirname "$0")/bad_esp.sh"
hold_frames 50
in0=$(received)
count malformed route
count malformed cut
[ "$(received)" = "$in0" ] || fail "source-routed or cut: reached the host"
sent=$(inject send "$W/frames" toa ext)
[ "$sent" = 4 ] || fail "4 frames were not sent"
eventually 3 "behind an extension header ESP arrives" received_is $((in0 + 4))
# RFC 6935, 6936: whether there is a checksum or not
for g in ga gb; do
    gw_conf $g 'conn=encap = yes'
    check "$g: in UDP" xd $g reload
done
check "initiate" xd ga initiate net
hold_frames 17
in0=$(received)
sent=$(inject send "$W/frames" toa nosum)
[ "$sent" = 4 ] || fail "4 frames were not sent"
eventually 3 "without a checksum they arrive" received_is $((in0 + 4))
comes_otherwise 17
check "the tunnel works" lab_ping 3
check "nothing in clear" no_clear
