#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Idle, nothing burns: the processes of a gateway with a tunnel sleep.
. "$(dirname "$0")/../lib.sh"
test_lab "$@"
pair_up
ticks() { awk '{print $14 + $15}' "/proc/$(gw_pid ga "$1")/stat"; }
sleep 1 # what follows the first traffic is over
for p in dataplane agent; do
    t0=$(ticks $p)
    sleep 4 # the time that is measured
    used=$(($(ticks $p) - t0))
    echo "$p: $used of 400 ticks"
    # a spinning worker would have used all of them; the figure itself is in docs/performance.md
    [ $used -lt 100 ] || fail "$p does not sleep"
done
