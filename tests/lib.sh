# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# What the tests in namespaces share. A test sources this file, calls test_lab "$@" first, and then
# checks; it ends at the first check that fails, with the logs of the gateways.
set -u
LAB_SELF=$(readlink -f "$0")
LAB_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$LAB_TOP" || exit 1
# shellcheck source=tools/lab.sh
. "$LAB_TOP/tools/lab.sh"
BPFTOOL=$(command -v bpftool || echo /usr/sbin/bpftool)
IPERF_SECONDS=${IPERF_SECONDS:-2}

skip() { echo "skipped: $*"; exit 77; }
# What needs ESP in the kernel: tests/run takes it to where there is.
needs_guest() { [ -n "${XDPSEC_GUEST:-}" ] || skip "for a kernel that has ESP: tests/kernel/guest $0"; }

test_lab() {
    [ "$(id -u)" = 0 ] || skip "needs root"
    [ "${LAB_ENGINE:-}" != kernel ] || needs_guest
    lab_enter "$@"
    lab_on_exit test_end
    lab_build || lab_die "the lab could not be built"
}

test_ok=0
test_end() {
    local rc=$? log
    [ $rc = 0 ] || [ $rc = 77 ] || for log in "$W"/g?/*.log; do
        [ -s "$log" ] && { echo "--- ${log#"$W"/}"; tail -n 25 "$log"; }
    done
    return $rc
}

fail() { echo "FAIL: $*"; exit 1; }

# check "what must hold" command...
check() {
    local what=$1 out
    shift
    if out=$("$@" 2>&1); then
        echo "ok: $what"
        test_ok=$((test_ok + 1))
        return 0
    fi
    printf '%s\n' "$out" | tail -n 20
    fail "$what: $*"
}

# refused "what" PATTERN command...: the command fails and says something that matches
refused() {
    local what=$1 pattern=$2 out rc
    shift 2
    out=$("$@" 2>&1)
    rc=$?
    [ $rc != 0 ] || fail "$what: succeeded: $out"
    [ $rc -lt 126 ] || fail "$what: died with $rc: $out"
    grep -qE -- "$pattern" <<<"$out" || fail "$what: says '$out', not '$pattern'"
    echo "ok: $what"
}

# eventually SECONDS "what" command...
eventually() {
    local s=$1 what=$2
    shift 2
    lab_wait "$s" "$@" || fail "$what, within $s s: $*"
    echo "ok: $what"
}

# Rows of a map of a gateway, as JSON values: map_rows ga sa_in
map_rows() { "$BPFTOOL" -j map dump pinned "$W/bpf/$1/$2" | jq -c '.[].formatted.value'; }
map_count() { "$BPFTOOL" -j map dump pinned "$W/bpf/$1/$2" | jq length; }
map_count_is() { [ "$(map_count "$1" "$2")" = "$3" ]; }

# Drops of a gateway by reason: drops ga replay
drops() { xd "$1" --json show drop --all | jq --arg r "$2" '[.[] | select(.reason == $r) | .packets] | add // 0'; }
counter() { xd "$1" --json show counters | jq --arg c "$2" '.[$c] // (.[]? | select(.name? == $c) | .value) // 0'; }

children() { xd "$1" --json show sa | jq '[.[].children[]? | select(.state == "INSTALLED")] | length'; }
ikes() { xd "$1" --json show sa | jq '[.[] | select(.state == "ESTABLISHED")] | length'; }
children_is() { [ "$(children "$1")" = "$2" ]; }
ikes_is() { [ "$(ikes "$1")" = "$2" ]; }
spi_out() { xd "$1" --json show sa | jq -r '[.[].children[]? | select(.state == "INSTALLED") | .spi_out][0]'; }
ike_spi() { xd "$1" --json show sa | jq -r '[.[] | select(.state == "ESTABLISHED") | .spi_i][0]'; }

log_has() { grep -qE -- "$3" "$W/$1/$2.log"; }
no_clear() { [ "$(lab_wire clear)" = 0 ]; }

# Both gateways xdpsec, up, with one tunnel; arguments go to both configurations.
pair_up() {
    gw_conf ga "$@" && gw_conf gb "$@" && gw_up ga && gw_up gb || fail "the gateways do not come up"
    check "initiate" xd ga initiate net
    check "ping through" lab_ping 2
}
