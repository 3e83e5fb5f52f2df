/* SPDX-License-Identifier: Apache-2.0 */
/* Numbered SIP messages over the kernel's TCP: one process calls, another answers, what is tested lies between them.
 *
 *     strowger-streams call  --at 10.77.0.10 --to 10.77.0.1:5060 --number +44… --messages 1000000 --connections 64
 *     strowger-streams serve --at 10.77.0.21 --ports 5060-5067 --messages 1000000
 *
 * Each request has a number, from which all of its bytes follow; so has each answer. A call is INVITE, 200, ACK, BYE and its 200. Both say at their end, as one
 * line of JSON, what never came, came twice, or was not what was sent; the one that serves ends at SIGTERM. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "line.h"
#include "numbered.h"

#define EVENTS	  256
#define LINES_MAX 20000
#define PROGRESS_S 5
#define HANG_UP_US 5000000

enum { NOT_YET, SENT, DONE }; /* of a message */

static struct {
	bool serve, calls;
	const char *at, *to, *number, *seed;
	unsigned port_low, port_high, lines_wanted, window;
	uint64_t messages, first, rate, patience_s; /* numbers are first ... first + messages - 1 */
	int epoll, signals, listener[64];
	unsigned listeners;
	struct line lines[LINES_MAX];
	unsigned line_count, next_line;
	struct numbered numbered;
	uint8_t *state;
	uint64_t sent, done, twice, damaged, strange, refused, ended;
	uint64_t begin_us, now_us, heard_us;
	char refusal[80]; /* the last one's first line */
	bool stop;
} s = { .seed = "1", .window = 32, .lines_wanted = 1, .messages = 1000, .patience_s = 60, .port_low = 5060, .port_high = 5060 };

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
	va_list words;

	va_start(words, format);
	fputs("strowger-streams: ", stderr);
	vfprintf(stderr, format, words);
	fputc('\n', stderr);
	va_end(words);
	exit(2);
}

static struct sockaddr_in address(const char *ip, unsigned port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	if (inet_pton(AF_INET, ip, &a.sin_addr) != 1)
		die("%s: not an IPv4 address", ip);
	return a;
}

/* ---- the one that answers */

static void answer(struct line *l, const char *text, const struct numbered_view *v)
{
	static char out[NUMBERED_MAX];
	uint32_t bytes;

	if (!v->request) {
		s.strange++;
		return;
	}
	if (strcmp(v->method, "ACK") && strcmp(v->method, "BYE")) {
		s.done += s.state[v->serial - s.first] == NOT_YET;
		s.twice += s.state[v->serial - s.first] != NOT_YET;
		s.state[v->serial - s.first] = DONE;
	}
	if (!strcmp(v->method, "ACK"))
		return;
	bytes = numbered_answer(&s.numbered, text, out);
	if (!bytes || !line_put(l, out, bytes))
		s.strange++; /* it will be missed */
}

static void accept_all(int listener)
{
	struct line *l = &s.lines[s.line_count];
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		if (s.line_count == LINES_MAX || !line_begin(l, s.epoll, fd, false))
			die("a connection too many");
		l = &s.lines[++s.line_count];
	}
}

static void listen_all(void)
{
	for (unsigned port = s.port_low; port <= s.port_high; port++) {
		struct sockaddr_in at = address(s.at, port);
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = &s.listener[s.listeners] };

		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 1024) || epoll_ctl(s.epoll, EPOLL_CTL_ADD, fd, &event))
			die("%s:%u: %s", s.at, port, strerror(errno));
		s.listener[s.listeners++] = fd;
	}
}

/* ---- the one that calls */

static void connect_all(void)
{
	char host[64];
	unsigned port = 5060;

	if (sscanf(s.to, "%63[0-9.]:%u", host, &port) < 1)
		die("--to: not ADDRESS:PORT");
	for (unsigned i = 0; i < s.lines_wanted; i++) {
		struct sockaddr_in from = address(s.at, 0), to = address(host, port);
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

		if (bind(fd, (struct sockaddr *)&from, sizeof(from)) ||
		    (connect(fd, (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS) ||
		    !line_begin(&s.lines[s.line_count++], s.epoll, fd, true))
			die("connecting to %s: %s", s.to, strerror(errno));
	}
}

static void finished(struct line *l, uint64_t serial)
{
	s.state[serial - s.first] = DONE;
	s.done++;
	l->waiting--;
}

static void follow(struct line *l, const char *text)
{
	static char out[NUMBERED_MAX];
	static const char *const methods[] = { "ACK", "BYE" };

	for (unsigned i = 0; i < 2; i++) {
		uint32_t bytes = numbered_follow(&s.numbered, methods[i], text, out);

		if (!bytes || !line_put(l, out, bytes))
			s.strange++;
	}
}

static void answered(struct line *l, const char *text, const struct numbered_view *v)
{
	bool ends = !s.calls || !strcmp(v->method, "BYE");

	if (v->request) {
		s.strange++;
	} else if (v->status < 200) {
		return;
	} else if (s.state[v->serial - s.first] != SENT) {
		s.twice++;
	} else if (v->status >= 300) {
		s.refused++;
		snprintf(s.refusal, sizeof(s.refusal), "%.*s", (int)strcspn(text, "\r\"\\"), text);
		finished(l, v->serial);
	} else if (ends) {
		finished(l, v->serial);
	} else {
		follow(l, text);
	}
}

/* As many new ones as windows and the rate allow, by all connections in turn. */
static void call(void)
{
	static char out[NUMBERED_MAX];
	uint64_t due = s.rate ? (s.now_us - s.begin_us) * s.rate / 1000000 + 1 : s.messages;
	unsigned idle = 0;

	while (s.sent < s.messages && s.sent < due && idle < s.line_count) {
		struct line *l = &s.lines[s.next_line++ % s.line_count];

		if (l->ended || l->connecting || l->waiting >= s.window || line_room(l) < 2 * NUMBERED_MAX) {
			idle++;
			continue;
		}
		idle = 0;
		line_put(l, out, numbered_request(&s.numbered, s.calls ? "INVITE" : "MESSAGE", s.first + s.sent, out));
		s.state[s.sent++] = SENT;
		l->waiting++;
		line_flush(l, s.epoll);
	}
}

/* ---- both */

static void message(void *ctx, struct line *l, const char *text, uint32_t bytes)
{
	struct numbered_view v;

	s.heard_us = s.now_us;
	if (!numbered_read(&s.numbered, text, bytes, &v) || v.serial < s.first || v.serial - s.first >= s.messages) {
		s.strange++;
		if (s.strange < 10)
			fprintf(stderr, "strowger-streams: strange: %.*s\n", (int)bytes, text);
		return;
	}
	/* What a proxy answers by itself has no mark. */
	if (!v.whole && (v.request || (v.status >= 200 && v.status < 300)))
		s.damaged++;
	if (s.serve)
		answer(l, text, &v);
	else
		answered(l, text, &v);
}

static void end_line(struct line *l)
{
	s.ended++;
	epoll_ctl(s.epoll, EPOLL_CTL_DEL, l->fd, NULL);
	line_done(l);
}

static void handle(const struct epoll_event *event)
{
	struct line *l = event->data.ptr;

	if (event->data.ptr == &s.signals) {
		s.stop = true;
	} else if ((int *)event->data.ptr >= s.listener && (int *)event->data.ptr < s.listener + s.listeners) {
		accept_all(*(int *)event->data.ptr);
	} else if (!l->ended) {
		if (event->events & EPOLLOUT)
			l->connecting = false;
		if ((event->events & (EPOLLIN | EPOLLERR | EPOLLHUP)) && !line_read(l, message, NULL))
			end_line(l);
		else
			line_flush(l, s.epoll);
	}
}

static bool is_over(void)
{
	if (s.stop || s.serve)
		return s.stop;
	return s.done == s.messages || s.ended || s.now_us - s.heard_us > s.patience_s * 1000000;
}

static void run(void)
{
	struct epoll_event events[EVENTS];
	uint64_t said_us = s.now_us;

	while (!is_over()) {
		int n = epoll_wait(s.epoll, events, EVENTS, s.serve ? 1000 : s.rate ? 1 : 100);

		s.now_us = clock_us();
		for (int i = 0; i < n; i++)
			handle(&events[i]);
		if (s.serve)
			continue;
		call();
		if (s.now_us - said_us > PROGRESS_S * 1000000) {
			said_us = s.now_us;
			fprintf(stderr, "%llu of %llu\n", (unsigned long long)s.done, (unsigned long long)s.messages);
		}
	}
}

/* The connections are closed in order: whoever is at their other ends must not find out by the next message. */
static void hang_up(void)
{
	struct epoll_event events[EVENTS];
	unsigned open = 0;

	for (unsigned i = 0; i < s.line_count; i++) {
		open += !s.lines[i].ended;
		if (!s.lines[i].ended)
			shutdown(s.lines[i].fd, SHUT_WR);
	}
	for (uint64_t end_us = clock_us() + HANG_UP_US; open && clock_us() < end_us;) {
		int n = epoll_wait(s.epoll, events, EVENTS, 100);

		for (int i = 0; i < n; i++) {
			struct line *l = events[i].data.ptr;
			bool is_line = l >= s.lines && l < s.lines + s.line_count;

			if (is_line && !l->ended && !line_read(l, message, NULL)) {
				end_line(l);
				open--;
			}
		}
	}
}

static void report(void)
{
	uint64_t missing = (s.serve ? s.messages : s.sent) - s.done;

	printf("{\"messages\": %llu, \"done\": %llu, \"missing\": %llu, \"twice\": %llu, \"damaged\": %llu, \"refused\": %llu, \"refusal\": \"%s\", \"strange\": %llu, "
	       "\"connections\": %u, \"ended\": %llu, \"seconds\": %.2f}\n",
	       (unsigned long long)(s.serve ? s.messages : s.sent), (unsigned long long)s.done, (unsigned long long)missing,
	       (unsigned long long)s.twice, (unsigned long long)s.damaged, (unsigned long long)s.refused, s.refusal, (unsigned long long)s.strange,
	       s.line_count, (unsigned long long)s.ended, (double)(clock_us() - s.begin_us) / 1e6);
}

static void read_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "at", 1, NULL, 'a' }, { "to", 1, NULL, 't' }, { "number", 1, NULL, 'n' }, { "messages", 1, NULL, 'm' }, { "calls", 0, NULL, 'c' },
		{ "connections", 1, NULL, 'l' }, { "window", 1, NULL, 'w' }, { "rate", 1, NULL, 'r' }, { "ports", 1, NULL, 'p' },
		{ "seed", 1, NULL, 's' }, { "patience", 1, NULL, 'P' }, { "first", 1, NULL, 'f' }, { 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (c) {
		case 'a': s.at = optarg; break;
		case 't': s.to = optarg; break;
		case 'n': s.number = optarg; break;
		case 'm': s.messages = strtoull(optarg, NULL, 10); break;
		case 'c': s.calls = true; break;
		case 'l': s.lines_wanted = (unsigned)atoi(optarg); break;
		case 'w': s.window = (unsigned)atoi(optarg); break;
		case 'r': s.rate = strtoull(optarg, NULL, 10); break;
		case 'p':
			if (sscanf(optarg, "%u-%u", &s.port_low, &s.port_high) < 2)
				s.port_high = s.port_low;
			break;
		case 's': s.seed = optarg; break;
		case 'f': s.first = strtoull(optarg, NULL, 10); break;
		case 'P': s.patience_s = strtoull(optarg, NULL, 10); break;
		default: exit(2);
		}
	}
	s.serve = optind < argc && !strcmp(argv[optind], "serve");
	if (optind + 1 != argc || (!s.serve && (strcmp(argv[optind], "call") || !s.to || !s.number)) || !s.at)
		die("call --at IP --to IP:PORT --number N [--messages N] [--connections N] [--window N] [--rate PER_S] [--calls] [--seed S] "
		    "[--first N] [--patience S], or serve --at IP [--ports LOW-HIGH] [--messages N] [--seed S]");
	if (!s.messages || !s.lines_wanted || s.lines_wanted > LINES_MAX || !s.window || s.port_low > s.port_high || s.port_high - s.port_low >= 64)
		die("--messages, --connections (to %d), --window: at least 1; --ports: at most 64", LINES_MAX);
}

static void begin(void)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = &s.signals };
	static char us[80], target[160];
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s.signals = signalfd(-1, &set, SFD_CLOEXEC);
	s.epoll = epoll_create1(EPOLL_CLOEXEC);
	s.state = calloc(s.messages, 1);
	if (s.signals < 0 || s.epoll < 0 || !s.state || epoll_ctl(s.epoll, EPOLL_CTL_ADD, s.signals, &event))
		die("%s", strerror(errno));
	snprintf(us, sizeof(us), "%s:%u", s.at, s.port_low);
	snprintf(target, sizeof(target), "%s@%s", s.number ? s.number : "", s.to ? s.to : "");
	s.numbered = (struct numbered){ .us = us, .target = target, .seed = s.seed };
	s.begin_us = s.now_us = s.heard_us = clock_us();
	if (s.serve)
		listen_all();
	else
		connect_all();
}

int main(int argc, char **argv)
{
	read_options(argc, argv);
	begin();
	if (s.serve) {
		printf("ready\n");
		fflush(stdout);
	}
	run();
	report();
	fflush(stdout);
	hang_up();
	return s.done != s.messages || s.twice || s.damaged || s.refused || s.strange;
}
