/* SPDX-License-Identifier: Apache-2.0 */
/* strowgerd: arguments in, exit status out. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include "certs/certificates.h"
#include "config.h"
#include "daemon.h"
#include "error.h"
#include "log.h"

#define DEFAULT_CONFIG "/etc/strowger/strowger.yaml"

enum exit_status { EXIT_OK, EXIT_CONFIG, EXIT_USAGE, EXIT_START };

static void help(FILE *f)
{
	fprintf(f,
		"Usage: strowgerd [-c FILE] [--check]\n"
		"The Strowger SIP load balancer.\n\n"
		"  -c, --config FILE  the configuration (%s)\n"
		"      --check        read and check it, say what is wrong, and end\n"
		"  -h, --help         this text\n"
		"  -V, --version      the version\n\n"
		"Signals: SIGTERM and SIGINT drain (new calls get 503) and stop when no call is left or drain_timeout_s is over,\n"
		"a second one stops at once; SIGHUP opens the file of call records anew, reads certificates and CA files again, and the\n"
		"routing sections, unless a state_file keeps them.\n\n"
		"Exit status: 0 stopped as asked, or --check found nothing; 1 the configuration is refused; 2 wrong arguments;\n"
		"3 it could not start (the message says what to do).\n\n"
		"Example: strowgerd --check -c %s\n",
		DEFAULT_CONFIG, DEFAULT_CONFIG);
}

/* What a start would go on without. */
static void warn(const char *text)
{
	fprintf(stderr, "warning: %s\n", text);
}

static int run(const char *path, bool check)
{
	char error[ERROR_TEXT_MAX] = "";
	struct config *config;
	int status = EXIT_OK;

	if (config_load(path, &config, error)) {
		if (check)
			fprintf(stderr, "%s\n", error);
		else
			log_line(LOG_LEVEL_ERROR, "%s", error);
		return EXIT_CONFIG;
	}
	if (check && (config_load_numbers(config, error) || certificates_check(&config->tls, config->routing, warn, error))) {
		fprintf(stderr, "%s\n", error);
		status = EXIT_CONFIG;
	} else if (check) {
		printf("%s: good: %u worker(s), %u port(s), %u listener(s), %u trunks, %u profiles\n", path, config->dataplane.workers,
		       config->dataplane.port_count, config->dataplane.listener_count, config->routing->trunk_count,
		       config->routing->profile_count);
	} else if (daemon_run(config, STROWGER_VERSION, error)) {
		log_line(LOG_LEVEL_ERROR, "%s", error);
		status = EXIT_START;
	}
	config_free(config);
	return status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' }, { "check", no_argument, NULL, 'k' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },	    { 0 },
	};
	const char *path = DEFAULT_CONFIG;
	bool check = false;
	int option;

	while ((option = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			path = optarg;
			break;
		case 'k':
			check = true;
			break;
		case 'h':
			help(stdout);
			return EXIT_OK;
		case 'V':
			printf("strowgerd %s\n", STROWGER_VERSION);
			return EXIT_OK;
		default:
			fprintf(stderr, "strowgerd --help says how\n");
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "strowgerd: '%s' is not an option; strowgerd --help says how\n", argv[optind]);
		return EXIT_USAGE;
	}
	return run(path, check);
}
