#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# RFC 7296 2.8.1, 2.8.2, 2.25 on the wire with strongSwan: the wan loses what one side sends,
# its request and its answer to the other's, so that both requests are under way when it carries them again. All ends in one IKE SA and one pair of Child SAs; when both
# rekey, no packet of a numbered stream is lost.
. "$(dirname "$0")/../lib.sh"
swan_available || skip "strongSwan with kernel-libipsec is not installed"
test_lab "$@"
theirs() { swan gb --list-sas | grep -cE "$1"; }
one() { [ "$(ikes ga)" = 1 ] && [ "$(children ga)" = 1 ] && [ "$(theirs ESTABLISHED)" = 1 ] && [ "$(theirs INSTALLED)" = 1 ]; }
agreed() { [ "$(ikes ga)" = "$(theirs ESTABLISHED)" ] && [ "$(children ga)" = "$(theirs INSTALLED)" ] && [ "$(ikes ga)" -le 1 ]; }
# IKE on port 4500 has four zero bytes where ESP has its SPI
ike_stops() { # end: toa loses what ga sends, tob what gb sends
    nsx wan tc filter add dev "$1" ingress prio 5 protocol ip u32 match ip protocol 17 0xff \
        match ip dport 4500 0xffff match u32 0 0xffffffff at 28 action mirred egress redirect dev hole
}
ike_goes_on() { nsx wan tc filter del dev "$1" ingress prio 5 protocol ip u32; }
stopped() { # end, number of packets that did not pass there
    [ "$(nsx wan tc -s -j filter show dev "$1" ingress prio 5 |
        jq '[.[] | .options.actions[]?.stats.packets // 0] | add // 0')" -ge "$2" ]
}
cross() { # end, what ga does -- what gb does
    local end=$1 mine=() pid
    shift
    while [ "$1" != -- ]; do mine+=("$1"); shift; done
    shift
    check "requests of one side are lost" ike_stops "$end"
    if [ "$end" = toa ]; then
        xd ga "${mine[@]}" >"$W/ours" 2>&1 &
        pid=$!
        eventually 5 "ga has asked: ${mine[*]}" stopped "$end" 1
        timeout 20 "$SWAN" gb "$@" >"$W/theirs" 2>&1 &
    else
        timeout 20 "$SWAN" gb "$@" >"$W/theirs" 2>&1 &
        eventually 5 "gb has asked: $*" stopped "$end" 1
        xd ga "${mine[@]}" >"$W/ours" 2>&1 &
        pid=$!
    fi
    eventually 5 "and answered the other's request" stopped "$end" 2
    ike_goes_on "$end"
    wait $pid
}
SWAN=$W/swan
cat >"$SWAN" <<SH
#!/bin/bash
shift
STRONGSWAN_CONF=$W/gb/strongswan.conf SWANCTL_DIR=$W/gb exec swanctl "\$@" --uri unix://$W/gb/vici
SH
chmod +x "$SWAN"

gw_conf ga 'gw=ike { retransmit_timeout = 0.4 }'
swan_conf gb
SS_CHARON='retransmit_timeout = 0.5'
gw_up ga && swan_up gb || fail "gateways"
check "initiate" xd ga initiate net

lab_udp 200 1000 18 >"$W/stream" &
stream=$!
for end in toa tob toa tob; do
    cross $end rekey net -- --rekey --child net
    eventually 15 "one pair after both rekeyed the child" one
done
check "child collisions were seen" log_has ga agent 'CHILD_SA rekey collision'
for end in toa tob toa tob; do
    cross $end rekey --ike gw -- --rekey --ike gw
    eventually 15 "one pair after both rekeyed the IKE SA" one
done
check "IKE SA collisions were seen" log_has ga agent 'IKE_SA rekey collision'
for end in toa tob; do
    cross $end rekey net -- --rekey --ike gw
    eventually 15 "one pair after child and IKE rekey" one
    cross $end rekey --ike gw -- --rekey --child net
    eventually 15 "one pair after IKE and child rekey" one
done
wait $stream
check "no packet lost, none twice: $(cat "$W/stream")" jq -e '.lost == 0 and .duplicate == 0' "$W/stream"

again() { [ "$(children ga)" = 1 ] || check "initiate" xd ga initiate net; eventually 10 "one pair" one; }
for end in toa tob; do
    cross $end rekey net -- --terminate --child net
    eventually 15 "agreement after rekey and delete" agreed
    again
    cross $end terminate --child net -- --rekey --child net
    eventually 15 "agreement after delete and rekey" agreed
    again
    cross $end terminate --child net -- --terminate --child net
    eventually 15 "agreement after two deletes" agreed
    again
    cross $end terminate --ike gw -- --rekey --ike gw
    eventually 15 "agreement after IKE delete and rekey" agreed
    again
done
eventually 5 "ping" lab_ping 3
check "nothing in clear" no_clear
