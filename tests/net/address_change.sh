#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The host's own addresses change while the agent runs, and while it does not: the local map follows, and
# packets to them pass although a policy as wide as 0.0.0.0/0 protects everything.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"

# local_has ga 192.0.2.9: is there a row of this address?
local_has() {
    local hex
    hex=$(python3 -c 'import ipaddress as i, sys; a = sys.argv[1]
print(i.IPv6Address(a if ":" in a else "::ffff:" + a).packed.hex())' "$2")
    # shellcheck disable=SC2046
    "$BPFTOOL" -j map lookup pinned "$W/bpf/$1/local" key hex $(sed 's/../& /g' <<<"$hex") |
        jq -e 'has("value")'
}
local_lacks() { ! local_has "$@"; }

gw_conf ga start=trap remotets=0.0.0.0/0 && gw_conf gb remotets=0.0.0.0/0
gw_up ga && gw_up gb || fail "the gateways do not come up"
check "the loader's addresses are there" local_has ga 10.1.0.1

check "the gateway answers its own net" nsx ha ping -q -c 1 -W 2 10.1.0.1

nsx ha ping -q -c 3 -i 0.2 -W 1 198.51.100.77 >/dev/null && fail "an address that nobody has answers"
check "a new address" ip -n ga addr add 198.51.100.77/32 dev lan0
eventually 5 "the map has it" local_has ga 198.51.100.77
check "it answers, although the flow was decided before" nsx ha ping -q -c 2 -W 2 198.51.100.77
check "a new IPv6 address" ip -n ga addr add 2001:db8::77/64 dev wan0 nodad
eventually 5 "the map has it" local_has ga 2001:db8::77
for i in $(seq 100 200); do echo "addr add 192.0.2.$i/32 dev wan0"; done >"$W/many"
check "a hundred at once" ip -n ga -batch "$W/many"
eventually 5 "the map has the last of them" local_has ga 192.0.2.200

check "the address goes" ip -n ga addr del 198.51.100.77/32 dev lan0
eventually 5 "the map loses it" local_lacks ga 198.51.100.77
check "all of an interface go" ip -n ga addr flush dev wan0 to 192.0.2.128/25
eventually 5 "the map loses them" local_lacks ga 192.0.2.200
check "what stays is still there" local_has ga 192.0.2.1
check "a link" ip -n ga link add gone type veth peer name away
check "with an address" ip -n ga addr add 198.18.0.1/32 dev gone
eventually 5 "the map has it" local_has ga 198.18.0.1
check "goes" ip -n ga link del gone
eventually 5 "the map loses its address" local_lacks ga 198.18.0.1

check "the agent ends" gw_kill ga agent
check "an address goes meanwhile" ip -n ga addr del 192.0.2.110/32 dev wan0
check "and one comes" ip -n ga addr add 192.0.2.210/32 dev wan0
check "nobody told the map" local_has ga 192.0.2.110
check "the agent starts" gw_agent ga
check "the map has the new one" local_has ga 192.0.2.210
check "and not the old one" local_lacks ga 192.0.2.110
