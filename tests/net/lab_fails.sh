#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A lab that cannot be entered, however fast that shows, fails its test: it is never taken for a test that passed.
set -u
cd "$(dirname "$0")/../.." || exit 1
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
printf '#!/bin/sh\nexit 3\n' >"$dir/unshare"
chmod +x "$dir/unshare"
cat >"$dir/test.sh" <<SH
#!/bin/bash
. "$PWD/tests/lib.sh"
test_lab
SH
for _ in {1..30}; do
    PATH=$dir:$PATH TMPDIR=$dir bash "$dir/test.sh" >/dev/null 2>&1
    rc=$?
    [ $rc = 3 ] || { echo "FAIL: the lab's end was 3, the test's $rc"; exit 1; }
done
echo "ok: 30 labs that could not be entered"
