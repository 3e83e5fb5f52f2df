/* SPDX-License-Identifier: Apache-2.0 */
/* strowger-pipeline: whole messages, mbuf to mbuf, through the loop that strowgerd's workers run. One figure a run, as JSON on one line. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "modes.h"

static const char help[] =
	"strowger-pipeline MODE [options]\n"
	"  in_dialog | stateful | call | floor | hop | connections: nanoseconds; memory_call | memory_invite | memory_connection: bytes;\n"
	"  load: of the numbers\n"
	"  --ending answered|refused|forked  of the INVITEs of which memory_invite says what lingers (answered: and what one in progress takes)\n"
	"  --tcp WHO       speaks TCP: callers, targets, or all (nobody)\n"
	"  --tls           TLS over that TCP\n"
	"  --connections N of the callers, where they speak TCP (100)\n"
	"  --calls N       live all the time (2000)\n"
	"  --numbers N     loaded (10000)\n"
	"  --endpoints N   (3)\n"
	"  --rate R        new calls a second of simulated time (20000)\n"
	"  --messages N    about so many are timed (500000)\n"
	"  --batch N       are made before the workers' turns are timed (512)\n"
	"  --mix small|usual|large|largest   what else is in the messages (usual)\n"
	"  --workers N     1 or 2 (1)\n"
	"  --offload       the port does the checksums\n"
	"  --trace MB      as in strowgerd's configuration (8)\n"
	"  --trace-s S     the same (2); 0: all messages are traced, whatever the load\n"
	"  --sequential    calls in order, batches unshuffled\n";

struct options {
	const char *mode;
	struct world_config world;
	struct mode_options mode_options;
};

static enum mix mix_of(const char *word)
{
	static const char *const words[] = { "small", "usual", "large", "largest" };

	for (unsigned i = 0; i < 4; i++)
		if (!strcmp(word, words[i]))
			return (enum mix)i;
	fprintf(stderr, "no such mix: %s\n", word);
	exit(2);
}

static enum ending ending_of(const char *word)
{
	static const char *const words[] = { "answered", "refused", "forked" };

	for (unsigned i = 0; i < 3; i++)
		if (!strcmp(word, words[i]))
			return (enum ending)i;
	fprintf(stderr, "no such ending: %s\n", word);
	exit(2);
}

static void tcp_of(struct world_config *w, const char *who)
{
	w->tcp_callers = !strcmp(who, "callers") || !strcmp(who, "all");
	w->tcp_targets = !strcmp(who, "targets") || !strcmp(who, "all");
	if (!w->tcp_callers && !w->tcp_targets) {
		fprintf(stderr, "who is that: %s\n", who);
		exit(2);
	}
}

static void read_options(int argc, char **argv, struct options *o)
{
	static const struct option names[] = {
		{ "calls", 1, NULL, 'c' },   { "numbers", 1, NULL, 'n' }, { "endpoints", 1, NULL, 'e' }, { "rate", 1, NULL, 'r' },
		{ "messages", 1, NULL, 'm' }, { "batch", 1, NULL, 'b' },   { "mix", 1, NULL, 'x' },	   { "workers", 1, NULL, 'w' },
		{ "offload", 0, NULL, 'o' }, { "trace", 1, NULL, 't' },	  { "sequential", 0, NULL, 's' }, { "help", 0, NULL, 'h' },
		{ "tcp", 1, NULL, 'T' }, { "tls", 0, NULL, 'S' },	 { "connections", 1, NULL, 'C' }, { "ending", 1, NULL, 'E' },
		{ "trace-s", 1, NULL, 'R' },
		{ 0 },
	};
	struct mode_options *m = &o->mode_options;
	int c;

	*o = (struct options){ .world = { .workers = 1, .numbers = 10000, .endpoints = 3, .trace_mb = 8, .trace_s = 2 },
			       .mode_options = { .calls = 2000, .rate = 20000, .messages = 500000, .batch = 512, .mix = MIX_USUAL, .connections = 100 } };
	while ((c = getopt_long(argc, argv, "", names, NULL)) >= 0) {
		uint64_t number = optarg ? strtoull(optarg, NULL, 10) : 0;

		switch (c) {
		case 'c': m->calls = (uint32_t)number; break;
		case 'n': o->world.numbers = (uint32_t)number; break;
		case 'e': o->world.endpoints = (uint32_t)number; break;
		case 'r': m->rate = (uint32_t)number; break;
		case 'm': m->messages = number; break;
		case 'b': m->batch = (uint32_t)number; break;
		case 'x': m->mix = mix_of(optarg); break;
		case 'w': o->world.workers = (unsigned)number; break;
		case 'o': o->world.offload = true; break;
		case 't': o->world.trace_mb = (unsigned)number; break;
		case 'R': o->world.trace_s = (unsigned)number; break;
		case 's': m->sequential = true; break;
		case 'T': tcp_of(&o->world, optarg); break;
		case 'S': o->world.tls = true; break;
		case 'C': m->connections = (uint32_t)number; break;
		case 'E': m->ending = ending_of(optarg); break;
		default: fputs(help, stderr); exit(2);
		}
	}
	if (optind + 1 != argc || m->batch < 64 || m->batch > 65536 || !m->rate || !m->connections || o->world.workers < 1 || o->world.workers > WORLD_WORKERS_MAX ||
	    ((o->world.tcp_callers || o->world.tcp_targets) && (o->world.workers > 1 || o->world.endpoints > 32))) {
		fputs(help, stderr);
		exit(2);
	}
	o->mode = argv[optind];
}

static void say_time(const struct traffic *t, const struct meter *meter)
{
	struct meter_summary s;

	meter_summary(meter, &s);
	printf("\"ns\":%.2f,\"median\":%.2f,\"p99\":%.2f,\"batches\":%u,\"interrupted\":%u,\"windows\":[", s.mean, s.median, s.p99, s.batches,
	       s.interrupted);
	for (unsigned i = 0; i < METER_WINDOWS; i++)
		printf("%s%.2f", i ? "," : "", s.window[i]);
	printf("],\"in\":%llu,\"out\":%llu,\"bytes_in\":%.0f,\"bytes_out\":%.0f,", (unsigned long long)t->in, (unsigned long long)t->out,
	       t->in ? (double)t->in_bytes / (double)t->in : 0, t->out ? (double)t->out_bytes / (double)t->out : 0);
}

static int run(const struct options *o, struct world *w, struct traffic *t)
{
	static const struct {
		const char *name;
		void (*run)(struct traffic *t, const struct mode_options *o, struct meter *meter);
	} timed[] = { { "in_dialog", mode_in_dialog }, { "stateful", mode_stateful }, { "call", mode_call }, { "floor", mode_floor },
		      { "hop", mode_hop }, { "connections", mode_connections } };
	struct meter meter = { 0 };

	printf("{\"mode\":\"%s\",\"hugepages\":%s,\"numbers_load_s\":%.3f,\"tables_mib\":%.1f,", o->mode, w->hugepages ? "true" : "false",
	       w->numbers_load_s, (double)w->tables_bytes / (1 << 20));
	if (!strcmp(o->mode, "memory_connection"))
		printf("\"bytes\":%.1f,", mode_memory_connection(t, &o->mode_options));
	else if (w->config.tcp_callers && strcmp(o->mode, "connections"))
		traffic_connect(t, o->mode_options.connections);
	for (unsigned i = 0; i < sizeof(timed) / sizeof(timed[0]); i++)
		if (!strcmp(o->mode, timed[i].name)) {
			timed[i].run(t, &o->mode_options, &meter);
			say_time(t, &meter);
		}
	if (!strcmp(o->mode, "memory_call"))
		printf("\"bytes\":%.1f,", mode_memory_call(t, &o->mode_options));
	if (!strcmp(o->mode, "memory_invite")) {
		printf("\"lingering\":%.1f,", mode_memory_lingering(t, &o->mode_options));
		if (o->mode_options.ending == ENDING_ANSWERED)
			printf("\"progress\":%.1f,", mode_memory_progress(t, &o->mode_options));
	}
	printf("\"records\":%llu,\"resident_mib\":%.1f}\n", (unsigned long long)w->records, (double)resident_bytes() / (1 << 20));
	return 0;
}

static uint32_t power_of_two(uint32_t n)
{
	uint32_t p = 1;

	while (p < n)
		p *= 2;
	return p;
}

int main(int argc, char **argv)
{
	struct options o;
	struct world *w = calloc(1, sizeof(*w));
	struct traffic *t;
	uint32_t under_way, slots;

	read_options(argc, argv, &o);
	under_way = 16 * o.mode_options.batch;
	o.world.failover = !strcmp(o.mode, "memory_call");
	o.world.forked = o.mode_options.ending == ENDING_FORKED;
	slots = o.mode_options.calls / 4 * 5 + under_way;
	/* between UDP and a stream a BYE has a transaction too, which lingers as long as the INVITE's */
	o.world.max_transactions = o.mode_options.rate * (o.world.tcp_callers == o.world.tcp_targets ? 45 : 90) + under_way;
	if (!strncmp(o.mode, "memory", 6))
		o.world.max_transactions += slots; /* all at once */
	o.world.max_calls = slots + o.mode_options.rate * 45;
	o.world.message_mb = 16384;
	o.world.ring = power_of_two(2 * o.mode_options.batch + 1024);
	o.world.mbufs = 8 * o.mode_options.batch + 8192;
	if (o.world.tcp_callers || o.world.tcp_targets) {
		o.world.connections = o.mode_options.connections + o.world.endpoints + o.mode_options.batch + 1024;
		if (o.world.tcp_callers)
			o.world.callers = RTE_MIN(o.mode_options.connections, (uint32_t)WORLD_CALLERS_TCP);
		o.world.ring *= 4; /* acknowledgements have their frames too */
		o.world.mbufs *= 2;
	}
	if (world_start(w, &o.world) < 0)
		return 1;
	t = traffic_new(w, slots, 2 * o.mode_options.batch, o.mode_options.mix);
	if (!t) {
		fprintf(stderr, "bench: out of memory\n");
		return 1;
	}
	t->sequential = o.mode_options.sequential;
	return run(&o, w, t);
}
