#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Packets larger than the path: the sender is told the right size; what may be fragmented arrives.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
pair_up
nsx ha ping -n -c 2 -M 'do' -s 1472 -W 1 10.2.0.2 >"$W/out" 2>&1 && fail "1500 bytes with DF went through"
cat "$W/out"
mtu=$(grep -oE 'mtu ?= ?[0-9]+' "$W/out" | grep -oE '[0-9]+' | head -n 1)
[ -n "$mtu" ] || fail "no fragmentation needed"
[ "$mtu" -gt 1400 ] && [ "$mtu" -lt 1480 ] || fail "MTU $mtu"
check "$mtu bytes with DF pass" nsx ha ping -n -q -c 2 -M 'do' -s $((mtu - 28)) -W 1 10.2.0.2
nsx ha ip route flush cache
nsx ha ping -n -q -c 1 -M 'do' -s $((mtu - 27)) -W 1 10.2.0.2 >/dev/null 2>&1 && fail "$((mtu + 1)) bytes with DF pass: the MTU told is too small"
check "larger ones without DF arrive" nsx ha ping -n -q -c 3 -i 0.1 -M dont -s 4000 -W 1 10.2.0.2
check "TCP finds its size" lab_tcp 1
check "nothing in clear" no_clear
[ "$(drops ga too_big)" -gt 0 ] || fail "not counted"
