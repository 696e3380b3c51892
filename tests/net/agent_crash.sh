#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# kill -9 of the agent: traffic goes on; the next agent finds the SAs, says so and replaces them.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
pair_up
lab_udp 200 1000 8 >"$W/stream" &
stream=$!
sleep 0.3 # the stream runs before the kill
check "kill -9 of the agent" gw_kill ga agent KILL
check "traffic without an agent" lab_ping 5
check "rows stay" map_count_is ga sa_in 1
check "the agent starts again" gw_agent ga
eventually 5 "it says what it found" log_has ga agent 'earlier agent'
eventually 10 "the SAs are replaced" children_is ga 1
wait $stream
jq . "$W/stream"
check "no packet lost" jq -e '.lost == 0 and .sent > 1000' "$W/stream"
eventually 15 "the orphaned rows are gone" map_count_is ga sa_in 1
check "nothing in clear" no_clear
