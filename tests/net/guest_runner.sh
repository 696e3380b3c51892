#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# tests/kernel/guest itself: what comes out of a guest, what stays of it, and what it says when it cannot go on.
. "$(dirname "$0")/../lib.sh"
D=$(mktemp -d) || exit 1
mark=$BUILD/guest_runner.$$
lab_on_exit 'rm -rf "$D" "$mark"'
run() { # SECONDS status command...: output in $D/out, errors in $D/err
    local want=$2 rc
    XDPSEC_GUEST_LIMIT=$1 tests/kernel/guest "${@:3}" >"$D/out" 2>"$D/err" </dev/null
    rc=$?
    [ $rc != 77 ] || [ "$want" = 77 ] || skip "$(sed -n 's/^skipped: //p' "$D/out")"
    [ $rc = "$want" ] || { cat "$D/out" "$D/err"; fail "$*: exit $rc"; }
}
says() { grep -qE -- "$2" "$D/$1"; }
family_gone() { local pid; for pid in $family; do gw_gone "$pid" || return 1; done; }
emulator_runs() {
    local pid
    for pid in $(lab_family $runner); do grep -qs '^qemu' "/proc/$pid/comm" && return; done
    return 1
}
gone() { eventually 5 "$1: no process is left" family_gone; check "$1: no file is left" test "$(ls -A -I 'fetch.*' "$cache")" = "$files"; }

cache=${XDPSEC_KERNEL_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/xdpsec-kernel}
unset XDPSEC_KERNEL
export COLOUR='light  blue'
run 120 7 "echo to standard output; echo to standard error >&2; echo \"\$COLOUR in \$PWD on \$XDPSEC_GUEST\" >/dev/stdout
    ip -br xfrm state && echo ESP; date >'$mark'; date >'$D/not'; exec sleep 600 & exit 7"
check "output" says out '^to standard output$'
check "errors are in it" says out '^to standard error$'
check "environment, folder, release" says out "^light  blue in $PWD on [0-9.]+.*amd64$"
check "XFRM" says out '^ESP$'
check "the build is the real one" test -s "$mark"
check "nothing else is" test ! -e "$D/not"
run 120 125 'echo c >/proc/sysrq-trigger'
check "a crash is called so" says err 'its kernel crashed: Kernel panic.*sysrq'
run 2 124 'sleep 600'
check "the time limit is called so" says err 'time limit of 2 s'

files=$(ls -A -I 'fetch.*' "$cache")
for signal in TERM INT KILL; do
    # with its own reaction to INT, which a shell's background has not
    env --default-signal=INT tests/kernel/guest 'sleep 600' >"$D/out" 2>&1 &
    runner=$!
    eventually 10 "$signal: an emulator" emulator_runs
    family=$(lab_family $runner)
    kill -$signal $runner
    wait $runner 2>/dev/null
    gone "$signal"
done

export XDPSEC_KERNEL_CACHE=$D/cache XDPSEC_KERNEL_TRIES=1 XDPSEC_KERNEL_MIRROR=http://127.0.0.1:9/debian
run 60 77 true
check "no network: skipped, and says why" says out '^skipped: cannot fetch kernel \(trixie\) from http://127.0.0.1:9/debian: .+'
check "no network: nothing half fetched" test "$(ls -A "$D/cache")" = $'lock\nrun'
