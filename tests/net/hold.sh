#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The first packets of a trap wait for the tunnel that they asked for: none is lost. What waits is bounded.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
gw_conf ga start=trap && gw_conf gb && gw_up ga && gw_up gb || fail "the gateways do not come up"
one() { # NAMESPACE... : one ping, which is the first packet, and its answer
    check "no SA" children_is ga 0
    check "the very first ping is answered" nsx "$@"
    check "by a tunnel" children_is ga 1
    check "nothing in clear" no_clear
    check "terminate" xd ga terminate --ike gw
}
one ha ping -q -n -c 1 -W 3 10.2.0.2
one ha ping -q -n -c 3 -i 0.01 -W 3 10.2.0.2
one ha ping -q -n -c 1 -s 3000 -W 3 10.2.0.2
one ga ping -q -n -c 1 -W 3 -I 10.1.0.1 10.2.0.2
[ "$(drops ga no_sa)" = 0 ] || fail "$(drops ga no_sa) packets dropped as no_sa"
# a hop is taken once, though the packet goes through the classifier twice: two gateways, and one hop left
one ha ping -q -n -c 1 -t 3 -W 3 10.2.0.2
nsx ha ping -n -c 1 -t 1 -W 2 10.2.0.2 2>&1 | grep -qi 'exceeded' || fail "the sender is not told of the hop limit"

# a peer that does not answer: 64 wait, the rest is counted, and after the time all of them
gw_down ga
gw_conf ga start=trap 'gw=ike { acquire_timeout = 2s }' && gw_up ga || fail "ga does not come up"
ip -n gb link set wan0 down
nsx ha ping -q -n -c 100 -i 0.002 -W 1 10.2.0.2 >/dev/null && fail "answers without a peer"
eventually 10 "what waited too long is counted" bash -c "$(declare -f drops xd); W='$W' BUILD='$BUILD'; [ \$(drops ga hold_timeout) = 64 ]"
[ $(($(drops ga hold_timeout) + $(drops ga hold_overflow))) = 100 ] || fail "$(drops ga hold_timeout) and $(drops ga hold_overflow) are not all"
check "nothing in clear" no_clear
