#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# transport.sh with IPv6 between the gateways.
LAB_OUTER=6 exec "$(dirname "$0")/transport.sh"
