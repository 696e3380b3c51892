#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The XFRM client against a kernel with ESP: every suite read back, a thousand pairs, events, moves, refused offload.
set -u
cd "$(dirname "$0")/../.." || exit 1
B=${BUILD:-build}
modprobe -qa xfrm_user esp4 esp6 ah4 ah6 ipcomp ipcomp6
out=$("$B/tests/kernel/xfrm_sa_test" 2>&1)
rc=$?
echo "$out"
why=$(grep -m 1 'no ESP in this kernel' <<<"$out") && { echo "$why"; exit 77; }
[ $rc = 0 ] && "$B/tests/unit/xfrm_client_test" && "$B/tests/kernel/xfrm_encap_test" && "$B/tests/unit/net_test"
