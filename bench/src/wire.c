/* SPDX-License-Identifier: Apache-2.0 */
/* strowger-wire: callers and targets on one core behind one DPDK port, and what became of every message. Reads commands from its
 * standard input, one a line, and answers each with one line of JSON. */
#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "wire_histogram.h"
#include "wire_load.h"
#include "wire_messages.h"
#include "wire_port.h"
#include "wire_trial.h"

static const char *const mode_names[] = { "stateful", "in-dialog", "calls" };

struct options {
	struct wire_port_config port;
	struct load_config load;
};

static void usage(FILE *file)
{
	fputs("usage: strowger-wire --device ARGS [options]\n"
	      "  --device ARGS     DPDK device: net_memif0,role=client,socket=PATH,... | net_af_xdp0,iface=V | net_af_packet0,iface=V\n"
	      "  --core N          where it runs (0)\n"
	      "  --mode MODE       stateful (INVITE and 200), in-dialog (INFO and UPDATE of calls that are up), calls (INVITE to BYE)\n"
	      "  --calls N         calls up at a time, or remembered; a power of two (65536)\n"
	      "  --hold-ms N       calls: from ACK to BYE (1000)\n"
	      "  --no-responses    in-dialog: requests go unanswered\n"
	      "  --echo            what is at the other end sends frames back with their MACs swapped (testpmd macswap)\n"
	      "  --check-every N   messages compared byte by byte with what was sent (64)\n"
	      "  --us ADDRESS      the device under test (10.78.0.1); callers are at .1.101 .., targets at .2.101 .. of its /16\n"
	      "  --makes N         callers, and targets: 1..8 (8)\n"
	      "  --salt N          other Call-IDs than another run\n"
	      "  --tcp N           by TCP, the callers by N connections in all, at least one each\n"
	      "  --tls             and TLS over that\n"
	      "It says when its port is open. commands: meet SECONDS (the device, at most so long; before all others) | setup |\n"
	      "  run MESSAGES_PER_SECOND SECONDS [GATHER_US: what is due within so long starts together] | gaps SECONDS | quit\n",
	      file);
}

static bool read_options(int argc, char **argv, struct options *o)
{
	static const struct option names[] = {
		{ "device", 1, 0, 'd' },
		{ "core", 1, 0, 'c' },
		{ "mode", 1, 0, 'm' },
		{ "calls", 1, 0, 'n' },
		{ "hold-ms", 1, 0, 'h' },
		{ "echo", 0, 0, 'e' },
		{ "us", 1, 0, 'u' },
		{ "check-every", 1, 0, 'k' },
		{ "makes", 1, 0, 'M' },
		{ "salt", 1, 0, 's' },
		{ "help", 0, 0, '?' },
		{ "no-responses", 0, 0, 'r' },
		{ "tcp", 1, 0, 't' },
		{ "tls", 0, 0, 'T' },
		{ 0 },
	};
	struct in_addr us = { 0 };
	int option;
	bool ok = true;

	inet_pton(AF_INET, "10.78.0.1", &us);
	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1)
		switch (option) {
		case 'd': o->port.device = optarg; break;
		case 'c': o->port.core = (unsigned)atoi(optarg); break;
		case 'n': o->load.slots = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'h': o->load.hold_ms = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'e': o->port.echo = o->load.echo = true; break;
		case 'r': o->load.responses = false; break;
		case 'u': ok = ok && inet_pton(AF_INET, optarg, &us) == 1; break;
		case 'k': o->load.check_every = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'M': o->load.makes = (unsigned)atoi(optarg); break;
		case 't': o->port.connections = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'T': o->port.tls = true; break;
		case 's': o->load.salt = strtoull(optarg, NULL, 10) & 0xffffff; break;
		case 'm':
			o->load.mode = LOAD_STATEFUL;
			while (o->load.mode <= LOAD_CALLS && strcmp(optarg, mode_names[o->load.mode]))
				o->load.mode++;
			ok = ok && o->load.mode <= LOAD_CALLS;
			break;
		default: return false;
		}
	o->port.us = o->port.mine = o->load.us = ntohl(us.s_addr);
	o->load.callers = (o->load.us & 0xffff0000) | 0x100;
	o->load.targets = (o->load.us & 0xffff0000) | 0x200;
	o->port.callers = o->load.callers;
	o->port.targets = o->load.targets;
	o->port.makes = o->load.makes;
	return ok && optind == argc && !(o->port.connections && o->port.echo) && o->port.device && o->load.slots && !(o->load.slots & (o->load.slots - 1)) &&
	       o->load.check_every && o->load.makes >= 1 && o->load.makes <= MAKES &&
	       (!o->port.connections || o->port.connections >= o->load.makes);
}

/* ---- answers */

static void print_delay(const char *name, const struct histogram *h)
{
	static const struct {
		const char *name;
		double share;
	} rows[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 }, { "p999", 0.999 }, { "p9999", 0.9999 } };
	const double us = 1e6 / (double)rte_get_tsc_hz();

	printf(", \"%s\": {\"count\": %llu, \"mean\": %.3f, \"max\": %.3f", name, (unsigned long long)h->count,
	       histogram_mean(h) * us, (double)h->max * us);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		printf(", \"%s\": %.3f", rows[i].name, (double)histogram_quantile(h, rows[i].share) * us);
	printf("}");
}

static void print_counts(const struct load_counts *c)
{
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{ "started", c->started },
		{ "done", c->done },
		{ "requests_sent", c->requests_sent },
		{ "requests", c->requests },
		{ "responses", c->responses },
		{ "responses_sent", c->responses_sent },
		{ "trying", c->trying },
		{ "late", c->late },
		{ "repeated", c->repeated },
		{ "wrong", c->wrong },
		{ "statuses_bad", c->statuses_bad },
		{ "checked", c->checked },
		{ "blocked", c->blocked },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		printf(", \"%s\": %llu", rows[i].name, (unsigned long long)rows[i].value);
}

static void run(struct load *l, struct wire_port *port, const struct trial *t)
{
	static struct histogram both;
	struct trial_result r;

	trial_run(l, port, t, &r);
	both = *load_delay(l, false);
	histogram_merge(&both, load_delay(l, true));
	printf("{\"offered\": %.0f, \"rate\": %.0f, \"seconds\": %.3f, \"lost\": %llu, \"skipped\": %llu, \"held_back\": %llu, \"full\": %llu, \"busy\": %.4f, "
	       "\"longest_gap_us\": %.1f, \"bytes\": %.1f, \"drained_us\": %llu",
	       t->rate, r.rate, r.seconds, (unsigned long long)r.lost, (unsigned long long)r.skipped,
	       (unsigned long long)r.held_back, (unsigned long long)r.full, r.busy, r.longest_gap_us, r.bytes,
	       (unsigned long long)r.drained_us);
	print_counts(load_counts(l));
	print_delay("delay_us", &both);
	print_delay("delay_requests_us", load_delay(l, false));
	print_delay("delay_responses_us", load_delay(l, true));
	printf("}\n");
}

/* false: this is the end. */
static bool command(struct load *l, struct wire_port *port, const char *line)
{
	static struct histogram gaps;
	struct trial t = { 0 };
	char error[256];
	unsigned wait_s;

	if (sscanf(line, "run %lf %lf %lf", &t.rate, &t.seconds, &t.gather_us) >= 2 && t.rate > 0 && t.seconds > 0) {
		run(l, port, &t);
	} else if (sscanf(line, "meet %u", &wait_s) == 1) {
		if (wire_port_meet(port, wait_s, error)) {
			fprintf(stderr, "strowger-wire: %s\n", error);
			return false;
		}
		printf("{\"met\": true}\n");
	} else if (strncmp(line, "setup", 5) == 0) {
		double seconds = trial_set_up(l, port);

		printf("{\"up\": %u, \"seconds\": %.3f", load_up(l), seconds);
		print_counts(load_counts(l));
		printf("}\n");
	} else if (sscanf(line, "gaps %lf", &t.seconds) == 1) {
		trial_gaps(t.seconds, &gaps);
		printf("{\"seconds\": %.3f", t.seconds);
		print_delay("gaps_us", &gaps);
		printf("}\n");
	} else {
		printf("{\"error\": \"unknown command\"}\n");
	}
	fflush(stdout);
	return true;
}

int main(int argc, char **argv)
{
	struct options o = { .load = { .mode = LOAD_STATEFUL,
				       .responses = true,
				       .slots = 65536,
				       .hold_ms = 1000,
				       .check_every = 64,
				       .makes = MAKES } };
	char error[256], net[2][16], us[INET_ADDRSTRLEN], line[256];
	struct messages *messages;
	struct in_addr address;
	struct wire_port *port;
	struct load *l;
	bool met = true;

	if (!read_options(argc, argv, &o)) {
		usage(stderr);
		return 2;
	}
	address.s_addr = htonl(o.load.us);
	inet_ntop(AF_INET, &address, us, sizeof(us));
	for (unsigned i = 0; i < 2; i++)
		snprintf(net[i], sizeof(net[i]), "%u.%u.%u", o.load.us >> 24, o.load.us >> 16 & 255, i + 1);
	messages = messages_new(net[0], net[1], us, o.load.makes, !o.port.connections ? "udp" : o.port.tls ? "tls" : "tcp");
	port = messages ? wire_port_open(&o.port, error) : NULL;
	l = port ? load_new(&o.load, messages, port) : NULL;
	if (!l) {
		fprintf(stderr, "strowger-wire: %s\n", messages && !port ? error : "no memory");
		return 1;
	}
	printf("{\"mode\": \"%s\", \"calls\": %u, \"echo\": %s, \"tsc_hz\": %llu}\n", mode_names[o.load.mode], o.load.slots,
	       o.load.echo ? "true" : "false", (unsigned long long)rte_get_tsc_hz());
	fflush(stdout);
	while (met && fgets(line, sizeof(line), stdin) && strncmp(line, "quit", 4))
		met = command(l, port, line);
	load_free(l);
	wire_port_close(port);
	messages_free(messages);
	return met ? 0 : 1;
}
