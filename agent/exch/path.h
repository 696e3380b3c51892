/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "common/addr.h"

/* Where a datagram came from and went to, as seen from us. */
struct path {
	struct endpoint local, remote;
};
