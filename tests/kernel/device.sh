#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The kernel engine's way through the XFRM interface: what a policy protects is encrypted under the pair that the
# bundle word names, forwarded or this host's own, in both families; nothing leaves in clear, whatever is missing.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/xfrm_lab"
test_lab "$@"
xfrm_lab
through() { nsx "$1" ping -q -n -c 3 -i 0.1 -W 2 "${@:2}"; }
forwarding() { nsx ga sh -c 'cat /proc/sys/net/ipv4/conf/xdpsecx/forwarding /proc/sys/net/ipv6/conf/xdpsecx/forwarding' | xargs; }
[ "$(forwarding)" = "1 1" ] || fail "no forwarding on the device: $(forwarding)"
dev=$(nsx ga ip -j link show xdpsecx | jq '.[0].ifindex')
check "the agent can see the device" [ "$(map_rows ga ctl | jq .xfrm_dev)" = "$dev" ]
status() { nsx ga "$BUILD/xdpsec-loader" -c "$W/ga/xdpsec.conf" "$@" status; }
named() { status | grep -q '^xdpsecx .*XFRM interface' && status --json | jq -e '.xfrm_dev == "xdpsecx" and (.interfaces | any(.spread | length > 1))'; }
check "status names it" named
lab_ping 1 >/dev/null # neighbours
check "forwarded, IPv4" through ha 10.2.0.2
check "forwarded, IPv6" through ha 2001:db8:2::2
check "from the gateway itself, IPv4" through ga -I 10.1.0.1 10.2.0.2
check "from the gateway itself, IPv6" through ga -I 2001:db8:1::1 2001:db8:2::2
check "in fragments" through ha -s 3000 10.2.0.2
check "in fragments from the gateway itself" through ga -s 3000 -I 10.1.0.1 10.2.0.2
check "nothing in clear" no_clear
[ "$(lab_wire esp)" -gt 30 ] || fail "only $(lab_wire esp) packets of ESP"

# large packets: the sender is told what fits, super-packets of the gateway's own TCP are cut by the kernel
too_big() { nsx ha ping -n -c 2 -i 0.3 -s 1472 -M 'do' -W 1 10.2.0.2 2>&1 | grep -qE 'mtu ?= ?14[0-9][0-9]|Frag needed'; }
check "a packet that does not fit" too_big
too_big6() { nsx ha ping -n -c 2 -i 0.3 -s 1452 -M 'do' -W 1 2001:db8:2::2 2>&1 | grep -qE 'mtu ?= ?14[0-9][0-9]|too big'; }
check "a packet that does not fit, IPv6" too_big6
nsx hb sh -c 'exec iperf3 -s -p 5201' >/dev/null 2>&1 &
lab_wait 10 nsx hb sh -c 'ss -ltn | grep -q :5201'
check "TCP, forwarded" nsx ha iperf3 -c 10.2.0.2 -n 2M
nsx ga ethtool -K wan0 tso on gso on >/dev/null 2>&1
check "TCP from the gateway, super-packets" nsx ga iperf3 -c 10.2.0.2 -B 10.1.0.1 -n 4M
check "TCP to the gateway's network" nsx ha iperf3 -c 10.2.0.2 -R -n 2M
check "nothing in clear" no_clear

# make before break: one store moves the traffic
used() { # packets that a pair of ga has encrypted
    nsx ga ip -s xfrm state get src 192.0.2.1 dst 192.0.2.2 proto esp spi "$1" |
        awk '/lifetime current/ { getline; sub(/\(packets.*/, ""); print $NF }'
}
pair_states 6
pair_policies 6
sed -i '/policy add/d' "$W/gb.batch"
sed -i 's/^/#/;s/^#xfrm state/xfrm state/' "$W/gb.batch"
pairs_apply
nsx gb ip xfrm policy update src 10.1.0.0/24 dst 10.2.0.0/24 dir fwd tmpl src 192.0.2.1 dst 192.0.2.2 proto esp mode tunnel
rows in 0xc0000006 192.0.2.1 kernel
rows bundle "$B4" kernel 6
check "over the new pair" through ha 10.2.0.2
[ "$(used 0xd0000006)" -ge 3 ] || fail "the new pair carried $(used 0xd0000006)"

# by default ESP is spread over CPUs where receive queues are fewer: both pairs were opened on one of their own
cpus_of() {
    "$BPFTOOL" -j map lookup pinned "$W/bpf/ga/sa_rx" key "$1" 0 0 0 |
        jq -c '[.formatted.values[] | select(.value.packets > 0) | .cpu]'
}
rows bundle "$B6" kernel 5
nsx gb ip xfrm policy update src 10.2.0.0/24 dst 10.1.0.0/24 dir out tmpl src 192.0.2.2 dst 192.0.2.1 proto esp \
    spi 0xc0000006 reqid 0x58000006 mode tunnel
check "back by the new pair" through ha 10.2.0.2
if [ "$(nproc)" = 2 ]; then
    [ "$(cpus_of 5) $(cpus_of 6)" = "[1] [0]" ] || fail "on CPUs $(cpus_of 5) and $(cpus_of 6)"
    echo "ok: two SAs on two CPUs"
fi

# asked for without any dataplane: forwarded and own
rows policy 10.1.0.0/24 10.9.0.0/24 trap >/dev/null
rows policy 2001:db8:1::/64 2001:db8:9::/64 trap >/dev/null
nsx ga ip route add 10.9.0.0/24 via 192.0.2.2
nsx ga ip route add 2001:db8:9::/64 via 2001:db8:ff::2
rows acquires >/dev/null
nsx ha ping -q -n -c 1 -W 1 10.9.0.9 >/dev/null && fail "a trap let a packet through"
nsx ga ping -q -n -c 1 -W 1 -I 2001:db8:1::1 2001:db8:9::9 >/dev/null && fail "a trap let a packet through"
[ "$(rows acquires | sort -u | wc -l)" = 2 ] || fail "no acquire of both"
echo "ok: acquires without a dataplane, of forwarded and of own packets"
sleep_until_due() { [ -n "$(nsx ga ping -q -n -c 1 -W 1 -I 10.1.0.1 10.9.0.9 >/dev/null; rows acquires)" ]; }
eventually 5 "and again a second later" sleep_until_due
check "nothing in clear" no_clear

# a route that leads elsewhere: nothing protects it there
lab_veth ga other0 hb far0
ip -n ga addr add 10.77.0.1/24 dev other0
ip -n hb addr add 10.77.0.2/24 dev far0
rx() { nsx hb ip -j -s link show far0 | jq '.[0].stats64.rx.packets'; }
check "the other way works for others" nsx ga ping -q -n -c 1 -W 1 10.77.0.2
nsx ga ip route replace 10.2.0.0/24 via 10.77.0.2
before=$(rx)
nsx ha ping -q -n -c 3 -i 0.1 -W 1 10.2.0.2 >/dev/null && fail "through an unguarded port"
[ "$(map_rows ga drop >/dev/null; "$BPFTOOL" -j map lookup pinned "$W/bpf/ga/drop" key 37 0 0 0 |
    jq '[.formatted.values[].value] | add')" -ge 3 ] || fail "not counted as wrong_port"
[ $(($(rx) - before)) -lt 3 ] || fail "in clear by another port"
nsx ga ip route replace 10.2.0.0/24 via 192.0.2.2
check "back by the right one" through ha 10.2.0.2

# without the device: nothing, and nothing in clear
nsx ga ip link set xdpsecx down
nsx ha ping -q -n -c 2 -i 0.1 -W 1 10.2.0.2 >/dev/null && fail "through a device that is down"
nsx ga ip link del xdpsecx
nsx ha ping -q -n -c 2 -i 0.1 -W 1 10.2.0.2 >/dev/null && fail "through a device that is gone"
nsx ga ping -q -n -c 1 -W 1 -I 10.1.0.1 10.2.0.2 >/dev/null && fail "through a device that is gone"
check "nothing in clear" no_clear
gone() { status | grep -q 'XFRM interface of the kernel engine is gone'; }
check "status says so" gone
check "load makes it again" gw_load ga
check "through the new one" through ha 10.2.0.2

# transport mode, and AH, between the gateways themselves; what comes in has an if_id and an interface of its own
host_pair() { # slot protocol algorithm...
    local s id g dir if in a=192.0.2.1 b=192.0.2.2
    s=$(printf '%04x' "$1") id=$(if_id "$1")
    for g in ga gb; do
        if='' in=''
        [ $g = gb ] || { if="if_id $id" in="if_id 0x58ffffff"; }
        printf 'xfrm state add %s\n' "src $b dst $a proto $2 spi 0xc000$s reqid $id mode transport $in ${*:3}" \
            "src $a dst $b proto $2 spi 0xd000$s reqid $id mode transport $if ${*:3}"
        if [ $g = ga ]; then
            echo "xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 dir out if_id $id tmpl proto $2 reqid $id mode transport"
            echo "xfrm policy update src $b dst $a dir in $in tmpl proto $2 reqid $id mode transport"
        else
            for dir in "out src $b dst $a" "in src $a dst $b"; do
                echo "xfrm policy update dir $dir proto icmp tmpl proto $2 reqid $id mode transport"
            done
        fi >"$W/policies"
        cat "$W/policies"
    done >"$W/both"
    sed -n "1,4p" "$W/both" >>"$W/ga.batch"
    sed -n "5,8p" "$W/both" >>"$W/gb.batch"
    pairs_apply
    rows in "0xc000$s" 192.0.2.1 kernel "$2"
}
host_pair 8 esp "aead rfc4106(gcm(aes)) $KEY 128"
own=$(rows policy 192.0.2.1/32 192.0.2.2/32 protect kernel 8)
check "transport mode" through ga 192.0.2.2
[ "$(used 0xd0000008)" -ge 3 ] || fail "the transport pair carried $(used 0xd0000008)"
check "nothing in clear" no_clear
host_pair 9 ah "auth-trunc hmac(sha256) 0x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f 128"
rows bundle "$own" kernel 9
check "AH" through ga 192.0.2.2
[ "$(nsx ga ip -s xfrm state get src 192.0.2.1 dst 192.0.2.2 proto ah spi 0xd0000009 |
    awk '/lifetime current/ { getline; sub(/\(packets.*/, ""); print $NF }')" -ge 3 ] || fail "not by AH"

check "load again" gw_load ga
check "unload" gw_unload ga
nsx ga ip link show xdpsecx 2>/dev/null && fail "the device is left"
nsx ga ip link show xdpsect 2>/dev/null && fail "the device for transport mode is left"
sed -i 's/run_dir/xfrm_interface = no\nrun_dir/' "$W/ga/xdpsec.conf"
check "load without, as configured" gw_load ga
[ "$(map_rows ga ctl | jq .xfrm_dev)" = 0 ] || fail "a device all the same"
check "unload" gw_unload ga
sed -i '/xfrm_interface/d' "$W/ga/xdpsec.conf"
nsx ga ip link add theirs type xfrm external
check "load with somebody else's" gw_load ga
check "unload" gw_unload ga
check "theirs stays" nsx ga ip link show theirs
