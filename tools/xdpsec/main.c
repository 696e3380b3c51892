/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli.h"

#include <signal.h>

int main(int argc, char **argv)
{
	/* A reader that went away (`| head`) is seen as a failed write. */
	signal(SIGPIPE, SIG_IGN);
	return cli_main(argc, argv);
}
