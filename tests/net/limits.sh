#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What strangers may cost: each limit refuses, says so, and changes while the gateway runs without touching an SA.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
# shellcheck source=tests/perf/initiators.sh
. tests/perf/initiators.sh
initiators_conf ga x25519-modp4096 'ike { cookie_threshold = 0
        block_threshold = 3
        half_open_timeout = 600s }'
initiators_routes && gw_up ga || fail "gateway"

limits() { xd ga --json show ike-limits | jq -e "$1" >/dev/null; }
half() { initiators "$@" --half --seconds 20 >/dev/null 2>&1; } # count, others
refused_half() { ! half 1 --again 50 "$@"; }
set_to() { check "set $1 to $2" xd ga set ike "$1" "$2"; }

check "one pair is up" initiators 1
refused "not while it runs" 'started again' xd ga set ike port 501
refused "no such value" 'not allowed' xd ga set ike block_threshold many
refused "nothing slipped in" 'not' xd ga set ike ike_sa_limit '1 } log { ike = 4'
check "the file's values" limits '.limits | .cookie_threshold == 0 and .block_threshold == 3 and .ike_sa_limit == 0'

# one address, forty peers behind it at the same time
check "forty behind one NAT" initiators 40 --parallel 40 --from 198.18.7.7/32
check "none blocked" limits '.counters.block_limit == 0 and .now["half_open"] == 0'
# three that never finish; after the grace the source is blocked, another is not
check "three half open" half 3 --from 198.18.9.9/32
check "counted" limits '.now.half_open == 3 and .now.sources == 1'
eventually 5 "one more is blocked" refused_half --from 198.18.9.9/32
check "said so" limits '.counters.block_limit > 0'
check "another source is welcome" initiators 1 --first 500
set_to block_threshold 0
check "0 blocks nobody" half 1 --from 198.18.9.9/32

set_to init_limit_half_open 4
check "no more half-open IKE SAs" refused_half --first 600
check "said so" limits '.counters.half_open_limit > 0'
set_to init_limit_half_open 0
set_to cookie_threshold 4
check "cookies from four on" initiators 1 --first 700
check "counted" limits '.counters.cookie_sent == 1'
set_to cookie_threshold always
check "always" initiators 1 --first 701
set_to cookie_threshold 0
check "never" initiators 1 --first 702
check "two cookies in all" limits '.counters.cookie_sent == 2'

# a group that is computed beside the loop: one at a time, the others are told nothing and come again
set_to init_limit_job_load 1
check "eight at once" initiators 8 --parallel 8 --ke modp4096 --first 1000 --again 100 --tries 50
check "said so" limits '.counters.job_limit > 0'
set_to init_limit_job_load 0
set_to ike_sa_limit "$(xd ga --json show ike-limits | jq .now.ike_sas)"
check "no more IKE SAs" refused_half --first 800
check "said so" limits '.counters.sa_limit > 0'
before=$(ikes ga)
sed -i 's/block_threshold = 3/block_threshold = 77/' "$W/ga/xdpsec.conf"
check "reload" xd ga reload
check "the file's values again" limits '.limits.block_threshold == 77 and .limits.ike_sa_limit == 0'
sed -i 's/block_threshold = 77/block_threshold = 78/' "$W/ga/xdpsec.conf"
kill -HUP "$(gw_pid ga agent)"
eventually 5 "SIGHUP" limits '.limits.block_threshold == 78'
check "swanctl --reload-settings" sw ga --reload-settings
ikes_is ga "$before" || fail "an SA was lost: $(ikes ga) of $before"
check "and all goes on" initiators 1 --first 900
