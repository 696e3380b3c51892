#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# kill -9 of agent and dataplane together, of a child without a trap: its policies stay closed, whichever of the two
# starts first, the tunnel comes up by itself, and nothing is ever in clear.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"

both_die() {
    spi=$(spi_out ga)
    (exec nsenter --net=/run/netns/ha -- ping -n -i 0.02 -W 1 10.2.0.2 >"$W/ping.log") &
    ping=$!
    check "kill -9 of the agent" gw_kill ga agent KILL
    check "kill -9 of the dataplane" gw_kill ga dataplane KILL
    rm -f "$W/ga/run/dataplane.sock"
    lab_ping 3 && fail "traffic without agent and dataplane"
    [ "$(map_count ga policy)" -gt 0 ] || fail "the policies went with them"
    check "nothing in clear" no_clear
}
quiet() { kill $ping; wait $ping; }

pair_up
both_die
quiet
# no packet asks for the tunnel from here on
check "the dataplane starts" gw_dataplane ga
check "the agent starts" gw_agent ga
eventually 10 "the tunnel comes up by itself" children_is ga 1
check "it says what was lost" log_has ga agent 'stay closed until it is up again'
check "traffic" lab_ping 5
[ "$(spi_out ga)" != "$spi" ] || fail "the old SPI is still in use"
check "nothing in clear" no_clear

both_die
gw_agent ga
lab_ping 2 && fail "traffic without a dataplane"
check "the dataplane starts second" gw_dataplane ga
eventually 10 "the tunnel comes up" children_is ga 1
quiet
check "traffic" lab_ping 5
check "one policy" map_count_is ga policy 1
check "nothing in clear" no_clear

# the peer does not answer: closed until it does
both_die
quiet
check "the peer is away" ip -n gb link set wan0 down
check "the dataplane starts" gw_dataplane ga
check "the agent starts" gw_agent ga
lab_ping 3 && fail "traffic without a peer"
check "a trap" jq -es 'map(.action) == [4]' <<<"$(map_rows ga policy)"
check "the agent dies again" gw_kill ga agent KILL
# its trap asks while nobody is there: the next agent finds the question before it has its configuration
lab_ping 1 && fail "traffic without an agent"
check "and starts again" gw_agent ga
lab_ping 3 && fail "traffic without a peer"
check "still nothing in clear" no_clear
check "the peer is back" ip -n gb link set wan0 up
check "its route too" ip -n gb route replace 10.1.0.0/24 via 192.0.2.1
eventually 20 "the tunnel is up again" children_is ga 1
eventually 5 "traffic" lab_ping 5
check "nothing in clear" no_clear

# the configuration no longer has it: only then the policies go
both_die
quiet
sed -i 's/^            net {/            other {/' "$W/ga/swanctl.conf"
check "the dataplane starts" gw_dataplane ga
check "the agent starts" gw_agent ga
check "no policy is left" map_count_is ga policy 0
check "the log says so" log_has ga agent 'net of gw is not configured any more'
