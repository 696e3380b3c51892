#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The loader: twice is harmless, an upgrade has no gap, other traffic survives, unload leaves nothing.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
gw_conf ga
loader() { nsx ga "$BUILD/xdpsec-loader" -c "$W/ga/xdpsec.conf" "$@"; }
attached() { nsx ga ip -j link show "$1" | jq -e '.[0] | has("xdp")'; }
check "probe" loader probe
refused "status before load" '' sh -c "nsenter --net=/run/netns/ga $BUILD/xdpsec-loader -c $W/ga/xdpsec.conf status --json | jq -e '.loaded == true or (.interfaces|length > 0)'"
# a connection to the gateway itself, as an administrator's
nsx ga sh -c 'exec iperf3 -s -1 -p 22' >/dev/null 2>&1 &
lab_wait 5 nsx ga sh -c 'ss -ltn | grep -q :22'
nsx ha iperf3 -c 10.1.0.1 -p 22 -t 6 -b 50M -J >"$W/admin.json" 2>&1 &
admin=$!
check "load" loader load
check "XDP on wan0" attached wan0
check "XDP on lan0" attached lan0
check "forwarding goes on" lab_ping 3
id=$(nsx ga ip -j link show wan0 | jq '.[0].xdp.prog.id')
check "load again" loader load
check "forwarding goes on" lab_ping 3
loader status >"$W/status" || fail "status"
cat "$W/status"
check "status names the mode" grep -qiE 'wan0.*(native|generic)' "$W/status"
check "status --json" sh -c "nsenter --net=/run/netns/ga $BUILD/xdpsec-loader -c $W/ga/xdpsec.conf status --json | jq -e ."
for m in sa_in sa_out policy selector drop event; do
    check "bpftool reads $m" "$BPFTOOL" map show pinned "$W/bpf/ga/$m"
done
check "unload" loader unload
refused "no XDP left" '' attached wan0
check "nothing pinned" test ! -e "$W/bpf/ga"
nsx ga tc qdisc show dev wan0 | grep -q clsact && fail "clsact left"
check "unload again" loader unload
check "forwarding goes on" lab_ping 3
wait $admin
check "the administrator's connection lived" jq -e '.end.sum_received.bytes > 20000000' "$W/admin.json"
# the same with generic mode
sed -i 's/role = wan/role = wan\n attach = generic/' "$W/ga/xdpsec.conf"
check "load, generic" loader load
check "status says generic" sh -c "nsenter --net=/run/netns/ga $BUILD/xdpsec-loader -c $W/ga/xdpsec.conf status | grep -i 'wan0.*generic'"
check "unload" loader unload
[ -n "$id" ] || fail "no program id"
