#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Different secrets: refused, both sides say why, and no secret is in any log.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
gw_conf ga 'secret=the first secret of this test'; gw_conf gb 'secret=the second secret of this test'
gw_up ga && gw_up gb || fail "gateways"
refused "initiate" 'AUTHENTICATION_FAILED' xd ga initiate net
check "ga says why" log_has ga agent 'AUTHENTICATION_FAILED'
check "gb says why" log_has gb agent 'authentication|AUTH'
check "ga has no SA" ikes_is ga 0
check "gb has no SA" ikes_is gb 0
[ "$(counter gb auth_failed)" -gt 0 ] || fail "not counted"
check "no row" map_count_is gb sa_in 0
grep -rlE 'secret of this test' "$W"/g?/*.log && fail "a secret is in a log"
# set right, it works without a restart
gw_conf gb 'secret=the first secret of this test'
check "reload" xd gb reload
check "initiate" xd ga initiate net
check "ping" lab_ping 2
