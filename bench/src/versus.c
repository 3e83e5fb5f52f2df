/* SPDX-License-Identifier: Apache-2.0 */
/* The generator that drives Kamailio and Strowger alike. Each line that it prints is a JSON object: when measuring begins, when the last INVITE
 * has left, and at the end what came of them all. */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "versus_load.h"

static const struct option options[] = {
	{ "proxy", required_argument, NULL, 'p' },   { "caller", required_argument, NULL, 'c' },
	{ "target", required_argument, NULL, 't' },  { "port", required_argument, NULL, 'P' },
	{ "numbers", required_argument, NULL, 'n' }, { "rate", required_argument, NULL, 'r' },
	{ "seconds", required_argument, NULL, 's' }, { "warmup", required_argument, NULL, 'w' },
	{ "late-ms", required_argument, NULL, 'l' }, { "seed", required_argument, NULL, 'S' },
	{ "core", required_argument, NULL, 'C' },    { "transport", required_argument, NULL, 'T' },
	{ "connections", required_argument, NULL, 'N' }, { "certificate", required_argument, NULL, 'x' },
	{ "key", required_argument, NULL, 'k' },     { "name", required_argument, NULL, 'm' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL },
};

static const char usage[] =
	"strowger-versus --proxy A --caller A --target A [--target A ...] --rate INVITES_PER_SECOND --seconds S\n"
	"  --port N       of everybody (5060)\n"
	"  --transport T  udp, tcp or tls (udp)\n"
	"  --connections N  that the caller opens before it begins, where it is not udp (32)\n"
	"  --certificate F --key F   of the targets, where it is tls\n"
	"  --name NAME    of the proxy, as the caller asks for it, where it is tls\n"
	"  --numbers N    callees differ in so many ways: +442035000000 and on (1000)\n"
	"  --warmup S     how long before measuring begins (0)\n"
	"  --late-ms MS   an answer that comes later is late (500: T1, when a caller would send its INVITE again)\n"
	"  --seed N       other Call-IDs\n"
	"  --core N       stay there\n"
	"Exit status: 0 the load was run, whatever came of it; 1 it could not be; 2 wrong usage.\n";

static int usage_error(void)
{
	fputs(usage, stderr);
	return 2;
}

static void counts(const struct load_result *r)
{
	printf("\"sent\": %lu, \"arrived\": %lu, \"trying\": %lu, \"answered\": %lu, \"late\": %lu", r->sent, r->arrived, r->trying, r->answered, r->late);
}

static void moment(const char *what, const struct load_result *r)
{
	printf("{\"event\": \"%s\", ", what);
	counts(r);
	printf("}\n");
	fflush(stdout);
}

static void print_result(const struct load_config *c, const struct load_result *r)
{
	printf("{\"event\": \"end\", \"offered\": %.1f, \"rate\": %.1f, \"seconds\": %.3f, ", c->rate, (double)r->sent / r->seconds, r->seconds);
	counts(r);
	printf(", \"lost\": %lu, \"repeated\": %lu, \"stale\": %lu, \"wrong\": {", r->sent - r->answered, r->repeated, r->stale);
	for (int v = VERDICT_OK + 1; v < VERDICT_COUNT; v++)
		printf("%s\"%s\": %lu", v == VERDICT_OK + 1 ? "" : ", ", verdict_names[v], r->wrong[v]);
	printf("}, \"per_target\": [");
	for (unsigned t = 0; t < c->target_count; t++)
		printf("%s%lu", t ? ", " : "", r->per_target[t]);
	printf("], \"setup_us\": {\"p50\": %u, \"p99\": %u, \"p99.9\": %u}", delay_quantile(r->setup, 0.5), delay_quantile(r->setup, 0.99),
	       delay_quantile(r->setup, 0.999));
	printf(", \"invite_bytes\": %.1f, \"generator\": {\"busy\": %.4f, \"behind_ms\": %.3f, \"left_out\": %lu, \"receive_buffer\": %u}}\n",
	       r->sent ? (double)r->bytes_out / (double)r->sent : 0, r->busy, r->behind_s * 1e3, r->left_out, r->receive_buffer);
	fflush(stdout);
	if (r->first_wrong[0])
		fprintf(stderr, "the first message that was not as it should be:\n%s\n", r->first_wrong);
}

static int pin(int core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)core, &set);
	return sched_setaffinity(0, sizeof(set), &set) < 0 ? -errno : 0;
}

static int transport_of(const char *word)
{
	static const char *const words[] = { "udp", "tcp", "tls" };

	for (int i = 0; i < 3; i++)
		if (!strcmp(word, words[i]))
			return i;
	return -1;
}

static int parse(int argc, char **argv, struct load_config *c, int *core)
{
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (o) {
		case 'p':
			c->us = optarg;
			break;
		case 'c':
			c->me = optarg;
			break;
		case 't':
			if (c->target_count == VERSUS_TARGETS_MAX)
				return -1;
			c->targets[c->target_count++] = optarg;
			break;
		case 'P':
			c->port = (uint16_t)atoi(optarg);
			break;
		case 'n':
			c->numbers = (unsigned)atoi(optarg);
			break;
		case 'r':
			c->rate = atof(optarg);
			break;
		case 's':
			c->seconds = atof(optarg);
			break;
		case 'w':
			c->warmup = atof(optarg);
			break;
		case 'l':
			c->late_us = (uint32_t)atoi(optarg) * 1000;
			break;
		case 'S':
			c->seed = strtoull(optarg, NULL, 0);
			break;
		case 'C':
			*core = atoi(optarg);
			break;
		case 'T':
			if (transport_of(optarg) < 0)
				return -1;
			c->transport = (enum versus_transport)transport_of(optarg);
			break;
		case 'N':
			c->connections = (unsigned)atoi(optarg);
			break;
		case 'x':
			c->certificate = optarg;
			break;
		case 'k':
			c->key = optarg;
			break;
		case 'm':
			c->name = optarg;
			break;
		default:
			return -1;
		}
	}
	return c->us && c->me && c->target_count && c->rate > 0 && c->seconds > 0 && c->numbers && c->numbers <= 1000000 && c->port && c->connections &&
			       (c->transport != VERSUS_TLS || (c->certificate && c->key)) ?
		       0 :
		       -1;
}

int main(int argc, char **argv)
{
	struct load_config config = { .port = 5060, .numbers = 1000, .late_us = 500000, .connections = 32 };
	static struct load_result result;
	const char *step = "core";
	int core = -1, err;

	if (parse(argc, argv, &config, &core) < 0)
		return usage_error();
	err = core >= 0 ? pin(core) : 0;
	if (!err)
		err = load_run(&config, moment, &result, &step);
	if (err) {
		fprintf(stderr, "strowger-versus: %s: %s\n", step, strerror(-err));
		return 1;
	}
	print_result(&config, &result);
	return 0;
}
