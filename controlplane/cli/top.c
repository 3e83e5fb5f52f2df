/* SPDX-License-Identifier: Apache-2.0 */
/* A live screen: calls per second, where they go, what the workers do. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/table.h"

#define REFRESH_MS 1000
#define BAR_WIDTH  40

struct sample {
	json_t *status, *workers, *targets;
	double at_s;
};

static void sample_done(struct sample *s)
{
	json_decref(s->status);
	json_decref(s->workers);
	json_decref(s->targets);
	memset(s, 0, sizeof(*s));
}

static int sample_take(struct client *c, struct sample *s)
{
	const struct {
		const char *method;
		json_t **ret;
	} wanted[] = { { "status", &s->status }, { "workers", &s->workers }, { "targets", &s->targets } };
	struct timespec now;

	memset(s, 0, sizeof(*s));
	for (unsigned k = 0; k < 3; k++) {
		char *message;
		int status = client_call(c, wanted[k].method, NULL, wanted[k].ret, &message);

		if (status == CTL_REFUSED) {
			fprintf(stderr, "strowgerctl: refused: %s\n", message);
			free(message);
		}
		if (status != CTL_OK) {
			sample_done(s);
			return status;
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	s->at_s = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
	return CTL_OK;
}

static double number_at(const json_t *object, const char *path)
{
	return object ? json_number_value(json_at(object, path)) : 0;
}

/* Growth per second between two samples of one counter. */
static double rate(const json_t *now, const json_t *before, const char *path, double seconds)
{
	return before && seconds > 0 ? (number_at(now, path) - number_at(before, path)) / seconds : 0;
}

static const json_t *same_target(const json_t *list, const json_t *target)
{
	const char *name = json_string_value(json_object_get(target, "target"));
	json_t *other;
	size_t k;

	json_array_foreach(list, k, other)
		if (strcmp(json_string_value(json_object_get(other, "target")), name) == 0)
			return other;
	return NULL;
}

static void bar(double share, char *out)
{
	int filled = (int)(share * BAR_WIDTH + 0.5);

	if (filled < 0 || share != share)
		filled = 0;
	if (filled > BAR_WIDTH)
		filled = BAR_WIDTH;
	out[0] = 0;
	for (int k = 0; k < BAR_WIDTH; k++)
		strcat(out, k < filled ? "█" : "·");
}

static void draw_targets(const struct sample *now, const struct sample *before, double seconds)
{
	struct table *t = table_new("target|state|>calls/s|share of attempts|>live|>ringing|>failed|>timeouts|>rescued away");
	double all = 0;
	json_t *target;
	size_t k;

	json_array_foreach(now->targets, k, target)
		all += rate(target, same_target(before->targets, target), "attempts", seconds);
	json_array_foreach(now->targets, k, target) {
		double mine = rate(target, same_target(before->targets, target), "attempts", seconds);
		static const char *const keys[] = { "live", "ringing", "failed", "timeouts", "rescued_away" };
		char per_second[32], drawn[BAR_WIDTH * 4 + 1], texts[5][24];
		const char *cells[9] = { json_string_value(json_object_get(target, "target")), json_string_value(json_object_get(target, "state")),
					 per_second, drawn };

		snprintf(per_second, sizeof(per_second), "%.1f", mine);
		bar(all > 0 ? mine / all : 0, drawn);
		for (unsigned n = 0; n < 5; n++) {
			snprintf(texts[n], sizeof(texts[n]), "%.0f", number_at(target, keys[n]));
			cells[4 + n] = texts[n];
		}
		table_row(t, cells);
	}
	table_print(t, stdout, "no targets");
}

static void draw_workers(const struct sample *now)
{
	json_t *worker;
	size_t k;

	json_array_foreach(now->workers, k, worker) {
		char drawn[BAR_WIDTH * 4 + 1];

		bar(number_at(worker, "busy_percent") / 100, drawn);
		printf("worker %2zu  %s %5.1f%% busy, %.0f live calls, %.0f transactions\n", k, drawn, number_at(worker, "busy_percent"),
		       number_at(worker, "live_calls"), number_at(worker, "server_transactions") + number_at(worker, "client_transactions"));
	}
}

/* Only when something is wrong. */
static void draw_records(const json_t *cdr)
{
	const char *failing = json_string_value(json_object_get(cdr, "failing"));
	double waiting = number_at(cdr, "waiting");

	if (waiting || failing)
		printf("call records wait: %.0f beyond their mailbox%s%s\n\n", waiting, failing ? "; cannot be written: " : "", failing ? failing : "");
}

static void draw(const struct sample *now, const struct sample *before)
{
	double seconds = now->at_s - before->at_s;

	printf("strowger %s  %s  up %.0f s  live calls %.0f\n", json_string_value(json_object_get(now->status, "version")),
	       json_string_value(json_object_get(now->status, "state")), number_at(now->status, "uptime_s"),
	       number_at(now->status, "calls.live"));
	printf("calls/s  started %.1f  answered %.1f  rejected %.1f  cancelled %.1f  exhausted %.1f  rescued %.1f\n\n",
	       rate(now->status, before->status, "calls.started", seconds), rate(now->status, before->status, "calls.answered", seconds),
	       rate(now->status, before->status, "calls.rejected", seconds), rate(now->status, before->status, "calls.cancelled", seconds),
	       rate(now->status, before->status, "calls.exhausted", seconds), rate(now->status, before->status, "calls.rescued", seconds));
	draw_records(json_object_get(now->status, "cdr"));
	draw_targets(now, before, seconds);
	putchar('\n');
	draw_workers(now);
}

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
	interrupted = 1;
}

/* Waits for the next refresh. true: q was typed, or a signal came. */
static bool wait_or_quit(bool keyboard)
{
	struct pollfd in = { .fd = keyboard ? STDIN_FILENO : -1, .events = POLLIN };
	char key;

	if (poll(&in, 1, REFRESH_MS) > 0) {
		ssize_t n = read(STDIN_FILENO, &key, 1);

		return n <= 0 || key == 'q' || key == 'Q';
	}
	return interrupted;
}

static int loop(struct client *c, bool keyboard)
{
	struct sample before, now;
	int status = sample_take(c, &before);

	while (status == CTL_OK && !interrupted) {
		status = sample_take(c, &now);
		if (status != CTL_OK)
			break;
		printf("\033[H\033[2J");
		draw(&now, &before);
		printf("\nq ends\n");
		fflush(stdout);
		sample_done(&before);
		before = now;
		if (wait_or_quit(keyboard))
			break;
	}
	sample_done(&before);
	return status;
}

static int once(const struct invocation *i, struct client *c)
{
	struct sample before, now;
	int status = sample_take(c, &before);

	if (status != CTL_OK)
		return status;
	wait_or_quit(false);
	status = sample_take(c, &now);
	if (status == CTL_OK && i->json) {
		json_t *all = json_pack("{s:O, s:O, s:O, s:f}", "status", now.status, "workers", now.workers, "targets", now.targets,
					"calls_per_second", rate(now.status, before.status, "calls.started", now.at_s - before.at_s));

		json_dumpf(all, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(all);
	} else if (status == CTL_OK) {
		draw(&now, &before);
	}
	sample_done(&before);
	if (status == CTL_OK)
		sample_done(&now);
	return status;
}

int command_top(const struct invocation *i, struct client *c)
{
	struct sigaction stop = { .sa_handler = on_interrupt };
	struct termios plain, raw;
	bool keyboard = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &plain) == 0;
	int status;

	if (i->once || i->json)
		return once(i, c);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	if (keyboard) {
		raw = plain;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	status = loop(c, keyboard);
	if (keyboard)
		tcsetattr(STDIN_FILENO, TCSANOW, &plain);
	return status;
}
