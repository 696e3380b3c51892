#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# An IKE SA without a child (RFC 6023): by our command line and by swanctl, the child afterwards, and refused.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
gw_conf ga; gw_conf gb
gw_up ga && gw_up gb || fail "gateways"
check "the IKE SA alone" xd ga initiate --ike gw
check "it is up" ikes_is ga 1
check "without a child" children_is ga 0
check "and without one at the peer" children_is gb 0
check "once more is success" xd ga initiate --ike gw
check "a child on it" xd ga initiate net
check "still one IKE SA" ikes_is ga 1
check "ping" lab_ping 2
check "terminate" xd ga terminate --ike gw
eventually 5 "gone" ikes_is gb 0
check "a connection by its name means its children" xd ga initiate gw
check "one child" children_is gb 1
check "terminate" xd ga terminate --ike gw
if command -v swanctl >/dev/null; then
    check "swanctl: the IKE SA alone" sw ga --initiate --ike gw --timeout 10
    check "without a child" children_is ga 0
    check "swanctl: terminate" sw ga --terminate --ike gw --timeout 10
fi
gw_conf ga 'conn=childless = prefer'
check "reload" xd ga reload
check "prefer: the child follows" xd ga initiate net
check "ping" lab_ping 2
check "terminate" xd ga terminate --ike gw
gw_conf gb 'conn=childless = never'
check "reload" xd gb reload
refused "--ike, and the peer does not" 'does not support' xd ga initiate --ike gw
check "prefer goes on with the child" xd ga initiate net
check "terminate" xd ga terminate --ike gw
gw_conf ga; gw_conf gb 'conn=childless = force'
check "reload" xd ga reload
check "reload" xd gb reload
refused "a first child where childless is forced" 'NO_ADDITIONAL_SAS' xd ga initiate net
[ "$(counter gb auth_childless)" = 1 ] || fail "not counted"
check "ga has no SA" ikes_is ga 0
