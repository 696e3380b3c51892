#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The engine on a kernel that has ESP: unit tests that find none elsewhere, and those of the choice between both.
set -u
cd "$(dirname "$0")/../.." || exit 1
modprobe -qa xfrm_user esp4 esp6 ah4 gcm seqiv
for t in kernel/engine_kernel_test unit/engine_choice_test unit/engine_test; do
    CMOCKA_MESSAGE_OUTPUT=TAP "${BUILD:-build}/tests/$t" || exit 1
done
