#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# As nat.sh, with xdpsec behind the NAT.
BEHIND=us exec "$(dirname "$0")/nat.sh" "$@"
