#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# ESP that nobody sent: replayed, forged, cut, of another SPI. Each is a counted drop, none reaches a host,
# and none moves the replay window.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
inject() { nsx wan "$BUILD/tests/net/espinject" "$@"; }
pair_up "esp=${BAD_ESP_SUITE:-aes128gcm16}"
# frames of gb that never arrived: seen on the wan, dropped there. hold_frames NEXT-PROTOCOL
hold_frames() {
    local capture ip=ip
    [ "${LAB_OUTER:-4}" = 6 ] && ip=ip6
    local hold=(dev tob ingress prio 5 protocol "${ip/ip6/ipv6}" u32 match "$ip" protocol "$1" 0xff action mirred egress redirect dev hole)
    nsx wan tc filter add "${hold[@]}"
    inject capture "$W/frames" tob 4 >"$W/captured" &
    capture=$!
    sleep 0.2 # the capturing socket is open
    nsx ha ping -q -c 4 -i 0.05 -W 1 10.2.0.2 >/dev/null && fail "the wan does not hold the frames"
    wait $capture
    nsx wan tc filter del dev tob ingress prio 5
    [ "$(cat "$W/captured")" = 4 ] || fail "4 frames were not captured"
}
hold_frames 50

count() { # reason expected-at-least how
    local before after sent
    before=$(drops ga "$1")
    sent=$(inject send "$W/frames" toa "$2")
    for _ in $(seq 40); do
        after=$(drops ga "$1")
        [ $((after - before)) -ge "$sent" ] && break
        sleep 0.05
    done
    echo "$2: $sent sent, $((after - before)) dropped as $1"
    [ $((after - before)) -ge "$sent" ] || fail "$2: $sent frames, $((after - before)) drops of $1"
}
received() { nsx ha sh -c "awk '/^Icmp:/ {n++; if (n == 2) print \$2}' /proc/net/snmp"; }
in0=$(received)
count unknown_spi spi
count integ_error flip
count integ_error seq
# too short for an SPI and a number: unknown_spi; for a tag: runt; else the tag is wrong
cut_drops() { echo $(($(drops ga integ_error) + $(drops ga runt) + $(drops ga malformed) + $(drops ga unknown_spi))); }
before=$(cut_drops)
sent=$(inject send "$W/frames" toa truncate)
lab_wait 3 bash -c "$(declare -f cut_drops drops xd); W='$W' BUILD='$BUILD'; [ \$(cut_drops) -ge $((before + sent)) ]"
after=$(cut_drops)
echo "truncate: $sent sent, $((after - before)) dropped"
[ $((after - before)) = "$sent" ] || fail "truncate: $sent frames, $((after - before)) drops"
[ "$(received)" = "$in0" ] || fail "a forged packet reached the host"
# the window did not move: the real frames are still good, once
sent=$(inject send "$W/frames" toa same)
received_is() { [ "$(received)" = "$1" ]; }
eventually 3 "the held frames arrive" received_is $((in0 + sent))
count replay same
[ "$(received)" = "$((in0 + sent))" ] || fail "a replayed packet reached the host"
# RFC 7296 2.23: in UDP or not, at any time; the tag says whose it is
comes_otherwise() { # next-protocol: of the frames that gb sends
    hold_frames "$1"
    in0=$(received)
    sent=$(inject send "$W/frames" toa other)
    [ "$sent" = 4 ] || fail "4 frames were not sent"
    eventually 3 "protocol $1: the other form arrives" received_is $((in0 + 4))
    count replay other
    [ "$(received)" = "$((in0 + 4))" ] || fail "replayed in the other form: reached the host"
}
comes_otherwise 50
check "the tunnel works" lab_ping 3
check "nothing in clear" no_clear
