#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Faults over the kernel engine: kill -9 of the agent at each step of making a pair, an agent without the right to ask the
# kernel, and an algorithm that the kernel lacks. Each is said clearly, and a tunnel comes up.
. "$(dirname "$0")/../lib.sh"
needs_guest
command -v strace >/dev/null || skip "no strace"
test_lab "$@"
. tests/kernel/lib.sh
for g in ga gb; do kernel_found $g; done
kernel_up gw='engine = kernel'

# ---- killed before the n-th call of a kind: what is to become a pair goes to the kernel in one, then its rows, one by one
same_rows() { # each SA of ours has a row, each row an SA
    local n
    n=$(ip -n ga xfrm state | grep -c 'reqid 1476')
    [ "$n" = $(($(map_count ga sa_in) + $(map_count ga sa_out))) ] && [ "$n" = "$1" ]
}
killed_at() { # sendto 3
    gw_spawn ga strace strace -qq -o "$W/ga/trace" -p "$(gw_pid ga agent)" -e trace="$1" -e inject="$1:signal=KILL:when=$2"
    lab_wait 10 grep -q '^TracerPid:.*[1-9]' "/proc/$(gw_pid ga agent)/status"
    xd ga initiate net >/dev/null 2>&1
    lab_wait 5 gw_gone "$(gw_pid ga agent)" && return
    kill "$(gw_pid ga strace)"
    return 1
}
for at in 'sendto 3' 'bpf 3' 'bpf 4' 'bpf 5'; do
    # shellcheck disable=SC2086
    check "killed at $at" killed_at $at
    rows=$(map_count ga sa_in)$(map_count ga sa_out)
    case $at in
    'sendto 3') check "nothing was made" kernel_sas ga 0 ;;
    'bpf 3') check "SAs and no row" [ "$rows" = 00 ] ;;
    'bpf 4') check "SAs and the inbound row" [ "$rows" = 10 ] ;;
    esac
    check "the next agent starts" gw_agent ga
    xd ga initiate net >/dev/null 2>&1
    eventually 20 "a tunnel" children_is ga 1
    eventually 20 "ping" lab_ping 2
    eventually 20 "no half pair, no row alone" same_rows 2
    check "terminate" xd ga terminate net
    eventually 20 "all gone" same_rows 0
    check "as found" kernel_as_found ga
done

# ---- without the right
gw_kill ga agent
rm -f "$W/ga/run/xdpsecd.vici"
gw_spawn ga agent setpriv --bounding-set -net_admin "$BUILD/xdpsecd" -c "$W/ga/xdpsec.conf"
lab_wait 20 xd ga status
refused "no right to ask the kernel" 'net wants engine kernel, but .*CAP_NET_ADMIN is needed' xd ga initiate net
check "show child says so" grep -q 'CAP_NET_ADMIN is needed' <(xd ga show child)
gw_kill ga agent

# ---- without an algorithm: gb's agent asked when it was there
gw_kill gb agent
for g in ga gb; do gw_conf $g gw='engine = kernel' esp='chacha20poly1305, aes128gcm16'; done
check "gb starts" gw_agent gb
modprobe=$(cat /proc/sys/kernel/modprobe)
echo /bin/false >/proc/sys/kernel/modprobe
check "the kernel has one less" rmmod chacha20poly1305
check "ga starts" gw_agent ga
lacks='this kernel lacks chacha20poly1305, it has no rfc7539esp'
said=0
for g in ga gb; do
    said=$((said + 1))
    check "$g: initiate" xd $g initiate net
    check "$g: another suite" jq -e '.[0].children[0].proposal == "AES_GCM_16_128"' <(xd ga --json show sa)
    eventually 5 "$g: ping" lab_ping 2
    check "$g: terminate" xd $g terminate net
    check "$g: said once an exchange" [ "$(grep -c "$lacks.*: not proposed" "$W/ga/agent.log")" = "$said" ]
done
gw_conf ga gw='engine = kernel' esp=chacha20poly1305
check "no other suite" xd ga reload
refused "none is left" "$lacks" xd ga initiate net
check "the kernel has it again" modprobe chacha20poly1305
echo "$modprobe" >/proc/sys/kernel/modprobe
check "ga starts again" gw_kill ga agent
check "and asks" gw_agent ga
check "initiate" xd ga initiate net
eventually 5 "ping" lab_ping 2
