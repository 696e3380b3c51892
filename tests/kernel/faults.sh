#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Faults over the kernel engine: news of the kernel's SAs lost, the clock set, no slot left for another pair. Each is said, the
# tunnel works again, and other programs' SAs are untouched.
. "$(dirname "$0")/../lib.sh"
needs_guest
test_lab "$@"
. tests/kernel/lib.sh
has_other_keys() { local s; s=$(spi_out ga); [ "$s" != null ] && [ "$s" != "$1" ]; }
more_children() { # 10.3 10.4 [start]: 70 of them beside net
    local n
    for n in {1..70}; do
        printf '}\nn%d {\nlocal_ts = %s.%d.1\nremote_ts = %s.%d.1\nesp_proposals = aes128gcm16\nstart_action = %s\n' \
            "$n" "$1" "$n" "$2" "$n" "${3:-none}"
    done
}
for g in ga gb; do kernel_found $g; done
gw_conf ga gw='engine = kernel
    sa_slots = 64' child="$(more_children 10.3 10.4)"
gw_conf gb gw='engine = kernel' child="$(more_children 10.4 10.3)"
for g in ga gb; do gw_load $g && gw_agent $g || fail "$g does not come up"; done
check "initiate" xd ga initiate net
eventually 5 "ping" lab_ping 2

# ---- news are lost: more of them than fit a socket that nobody reads, and one of ours among the last
spi=$(spi_out ga)
key=0x$(printf '%01024d' 0)
for n in {1..1000}; do
    echo "xfrm state add src 203.0.113.1 dst 203.0.113.3 proto esp spi $n mode tunnel enc cipher_null '' auth digest_null $key"
done >"$W/add"
sed -e 's/ add / delete /' -e 's/ mode.*//' "$W/add" >"$W/delete"
lost_news() { [ "$(awk '$2 == 6 { n += $9 } END { print n }' "/proc/$(gw_pid ga agent)/net/netlink")" -gt 0 ]; }
ours="src 192.0.2.1 dst 192.0.2.2"
one=$(ip -n ga xfrm state | sed -n "/^$ours/{n;s/.*spi \([0-9a-fx]*\).*/\1/p}")
kill -STOP "$(gw_pid ga agent)"
for n in {1..8}; do
    ip -n ga -batch "$W/add" && ip -n ga -batch "$W/delete" || fail "ip xfrm cannot add to ga"
    lost_news && break
done
check "news are lost" lost_news
# shellcheck disable=SC2086
check "one SA of ours deleted" ip -n ga xfrm state delete $ours proto esp spi "$one"
kill -CONT "$(gw_pid ga agent)"
eventually 20 "other keys" has_other_keys "$spi"
check "the log says that news were lost" log_has ga agent 'news of the kernel.s SAs were lost: comparing all'
check "and what was found" log_has ga agent 'SAs of 1 CHILD_SAs are gone from the kernel'
eventually 20 "ping" lab_ping 2
eventually 20 "two SAs" kernel_sas ga 2

# ---- the clock is set
spi=$(spi_out ga)
for jump in +5 -10 +5; do
    date -s "$jump hours" >/dev/null
    check "ping after $jump hours" lab_ping 2
done
check "same keys" [ "$(spi_out ga)" = "$spi" ]
# the kernel looks at the clock a second after an SA was made: before that
for n in {1..5}; do
    xd ga terminate net >/dev/null
    xd ga initiate net >/dev/null
    date -s '+5 hours' >/dev/null
    lab_wait 3 log_has ga agent 'the clock was set' && break
    date -s '-5 hours' >/dev/null
done
check "it expired too early, the log says so" log_has ga agent 'expired before its time, the clock was set; making it anew'
eventually 20 "ping" lab_ping 2
date -s '-5 hours' >/dev/null
check "ping with the clock set back" lab_ping 2
eventually 20 "two SAs" kernel_sas ga 2

# ---- no slot left
gw_conf ga gw='engine = kernel
    sa_slots = 64' child="$(more_children 10.3 10.4 start)"
check "seventy more are asked for" xd ga reload
full() { log_has ga agent 'all sa_slots of xdpsec.conf are taken'; }
eventually 20 "no slot is free, the log says so" full
refused "nor for one more" 'all sa_slots of xdpsec.conf are taken' xd ga initiate -t 3 n70
for n in {61..70}; do
    xd gb initiate -t 2 "n$n" >/dev/null 2>&1 || break
done
check "nor for the peer's, it is told" log_has gb agent 'received TEMPORARY_FAILURE'
check "and the log says so" log_has ga agent 'installing CHILD_SA n[0-9]* failed'
check "those that are there work" lab_ping 2
check "flush" xd ga flush
eventually 20 "as found" kernel_as_found ga
again() { xd ga initiate -t 3 net; }
eventually 20 "again" again
eventually 5 "ping" lab_ping 2
