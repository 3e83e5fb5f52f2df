/* SPDX-License-Identifier: Apache-2.0 */
/* strowgerctl: the operator's command line. */
#include <stdio.h>

#include "cli/client.h"
#include "cli/commands.h"

int main(int argc, char **argv)
{
	struct invocation i;
	struct client *c;
	int status;

	if (command_parse(argc, argv, &i))
		return CTL_USAGE;
	if (i.version) {
		printf("strowgerctl %s\n", STROWGER_VERSION);
		return CTL_OK;
	}
	if (i.help) {
		command_help(&i);
		return CTL_OK;
	}
	status = client_open(i.socket, &c);
	if (status == CTL_OK) {
		status = i.command->run(&i, c);
		client_close(c);
	}
	return status;
}
