/* SPDX-License-Identifier: Apache-2.0 */
/* The whole way from bytes on a socket to the tables and back, over socketpairs and a real listener; alarms, told to who follows them. */
#include "operations_fixture.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "alarms/alarms.h"
#include "alarms/alarms_json.h"
#include "api/server.h"

static char directory[64], path[96];

static char *answer(void *ctx, struct server_client *from, const char *line, size_t bytes)
{
	struct control *c = ctx;
	char *text;

	c->client = from;
	text = rpc_answer(c, line, bytes);
	c->client = NULL;
	return text;
}

/* Runs the loop until fd has a whole line, and reads it. */
static char *read_line(struct event_base *base, int fd, char *buffer, size_t room)
{
	size_t n = 0;

	while (n + 1 < room && (!n || buffer[n - 1] != '\n')) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		event_base_loop(base, EVLOOP_NONBLOCK);
		if (poll(&p, 1, 1) == 1) {
			ssize_t some = read(fd, buffer + n, 1);

			if (some <= 0)
				break;
			n++;
		}
	}
	buffer[n] = 0;
	return buffer;
}

#define STATUS "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"drain\",\"params\":{\"on\":false}}"
#define ANSWER "{\"jsonrpc\":\"2.0\",\"result\":{\"state\":\"running\"},\"id\":1}\n"

static void serves_sockets(void **state)
{
	struct bench *b = *state;
	struct event_base *base = event_base_new();
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char error[ERROR_TEXT_MAX] = "", buffer[512];
	struct server *s = NULL, *second = NULL;
	struct stat st;
	int pair[2], fd;

	strcpy(address.sun_path, path);
	assert_int_equal(server_new(base, path, "", &(struct server_door){ answer, NULL, &b->control }, &s, error), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(server_new(base, path, "", &(struct server_door){ answer, NULL, &b->control }, &second, error), -ERR_EXISTS);
	assert_int_equal(server_new(base, "/tmp/x/y/z", "no-such-group-here", &(struct server_door){ answer, NULL, &b->control }, &second, error), -ERR_NOT_FOUND);
	/* a real client, by the listener and its check of credentials */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(write(fd, STATUS "\n", sizeof(STATUS)), sizeof(STATUS));
	assert_string_equal(read_line(base, fd, buffer, sizeof(buffer)), ANSWER);
	/* one byte at a time, blank lines between, two requests in one write, and the end of input before the answer */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(server_adopt(s, pair[1]), 0);
	for (size_t i = 0; i < sizeof(STATUS) - 1; i++) {
		assert_int_equal(write(pair[0], &STATUS[i], 1), 1);
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	assert_int_equal(write(pair[0], "\n\r\n" STATUS "\n" STATUS "\n", 2 * sizeof(STATUS) + 3), 2 * sizeof(STATUS) + 3);
	shutdown(pair[0], SHUT_WR);
	for (unsigned i = 0; i < 3; i++)
		assert_string_equal(read_line(base, pair[0], buffer, sizeof(buffer)), ANSWER);
	assert_string_equal(read_line(base, pair[0], buffer, sizeof(buffer)), "");
	close(pair[0]);
	close(fd);
	event_base_loop(base, EVLOOP_NONBLOCK);
	server_free(s);
	assert_int_equal(stat(path, &st), -1);
	event_base_free(base);
}

/* A client that sends requests and reads nothing does not grow the server, nor hold up another. */
static void slow_readers_do_not_block(void **state)
{
	struct bench *b = *state;
	struct event_base *base = event_base_new();
	char error[ERROR_TEXT_MAX] = "", buffer[512];
	size_t sent = 0;
	int slow[2], quick[2];
	struct server *s;

	assert_int_equal(server_new(base, path, "", &(struct server_door){ answer, NULL, &b->control }, &s, error), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, slow), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, quick), 0);
	assert_int_equal(server_adopt(s, slow[1]), 0);
	assert_int_equal(server_adopt(s, quick[1]), 0);
	for (unsigned refused = 0; refused < 50;) {
		static const char request[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"counters\"}\n";
		ssize_t n = write(slow[0], request, sizeof(request) - 1);

		sent += n > 0 ? (size_t)n : 0;
		refused = n < 0 ? refused + 1 : 0;
		event_base_loop(base, EVLOOP_NONBLOCK);
		assert_true(sent < 32u << 20);
	}
	assert_int_equal(write(quick[0], STATUS "\n", sizeof(STATUS)), sizeof(STATUS));
	assert_string_equal(read_line(base, quick[0], buffer, sizeof(buffer)), ANSWER);
	close(slow[0]);
	close(quick[0]);
	event_base_loop(base, EVLOOP_NONBLOCK);
	server_free(s);
	event_base_free(base);
}

static void hear(void *ctx, const struct alarm_event *e)
{
	char *line = alarm_event_line(e);

	server_tell(ctx, line);
	free(line);
}

#define FOLLOW "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"alarms.follow\"}\n"

/* What was raised before is in the answer, what comes after is told; others hear nothing. */
static void alarms_are_told(void **state)
{
	struct bench *b = *state;
	struct event_base *base = event_base_new();
	char error[ERROR_TEXT_MAX] = "", buffer[2048];
	struct pollfd p = { .events = POLLIN };
	int pair[2], other[2];
	struct server *s;

	assert_int_equal(server_new(base, path, "", &(struct server_door){ answer, NULL, &b->control }, &s, error), 0);
	b->control.alarms = alarms_new(16, 16);
	assert_int_equal(alarms_listen(b->control.alarms, hear, s), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
	assert_int_equal(server_adopt(s, pair[1]), 0);
	assert_int_equal(server_adopt(s, other[1]), 0);
	alarm_raise(b->control.alarms, ALARM_LIMIT, "in/a", "10 of 10");
	assert_int_equal(write(pair[0], FOLLOW, sizeof(FOLLOW) - 1), sizeof(FOLLOW) - 1);
	read_line(base, pair[0], buffer, sizeof(buffer));
	assert_non_null(strstr(buffer, "\"subject\":\"in/a\""));
	assert_non_null(strstr(buffer, "\"id\":7"));
	alarm_raise(b->control.alarms, ALARM_ALL_DOWN, "in", "no \xff target");
	alarm_clear(b->control.alarms, ALARM_LIMIT, "in/a", "9 of 10");
	read_line(base, pair[0], buffer, sizeof(buffer));
	assert_non_null(strstr(buffer, "\"method\":\"alarm\""));
	assert_non_null(strstr(buffer, "\"sequence\":2,\"event\":\"raised\""));
	assert_non_null(strstr(buffer, "\"severity\":\"critical\",\"subject\":\"in\",\"text\":\"no ÿ target\""));
	read_line(base, pair[0], buffer, sizeof(buffer));
	assert_non_null(strstr(buffer, "\"sequence\":3,\"event\":\"cleared\""));
	p.fd = other[0];
	assert_int_equal(poll(&p, 1, 0), 0);
	close(pair[0]);
	close(other[0]);
	event_base_loop(base, EVLOOP_NONBLOCK);
	alarm_raise(b->control.alarms, ALARM_LIMIT, "in/a", "nobody is there to hear it");
	server_free(s);
	alarms_free(b->control.alarms);
	event_base_free(base);
}

/* A follower that does not read costs a bounded amount of memory, and learns how much it missed. */
static void deaf_followers_lose_events(void **state)
{
	struct bench *b = *state;
	struct event_base *base = event_base_new();
	char error[ERROR_TEXT_MAX] = "", buffer[4096], *at;
	unsigned long long heard = 0, lost = 0, some, total = 20000;
	struct server *s;
	int pair[2];

	assert_int_equal(server_new(base, path, "", &(struct server_door){ answer, NULL, &b->control }, &s, error), 0);
	b->control.alarms = alarms_new(16, 16);
	assert_int_equal(alarms_listen(b->control.alarms, hear, s), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(server_adopt(s, pair[1]), 0);
	assert_int_equal(write(pair[0], FOLLOW, sizeof(FOLLOW) - 1), sizeof(FOLLOW) - 1);
	read_line(base, pair[0], buffer, sizeof(buffer));
	for (unsigned long long i = 0; i < total; i += 2) {
		alarm_raise(b->control.alarms, ALARM_LIMIT, "in/a", "x");
		alarm_clear(b->control.alarms, ALARM_LIMIT, "in/a", "x");
		if (i % 1000 == 0)
			event_base_loop(base, EVLOOP_NONBLOCK);
	}
	while (heard + lost < total) {
		read_line(base, pair[0], buffer, sizeof(buffer));
		at = strstr(buffer, "\"method\":\"lost\"");
		if (at) {
			assert_int_equal(sscanf(strstr(at, "\"events\":"), "\"events\":%llu", &some), 1);
			assert_true(some > 0);
			lost += some;
		} else {
			assert_non_null(strstr(buffer, "\"method\":\"alarm\""));
			heard++;
		}
	}
	assert_true(heard > 100 && lost > 1000);
	alarm_raise(b->control.alarms, ALARM_LIMIT, "in/a", "heard again");
	read_line(base, pair[0], buffer, sizeof(buffer));
	assert_non_null(strstr(buffer, "heard again"));
	close(pair[0]);
	server_free(s);
	alarms_free(b->control.alarms);
	event_base_free(base);
}

static void requests_are_bounded(void **state)
{
	struct bench *b = *state;
	struct event_base *base = event_base_new();
	char *chunk = malloc(1 << 20), buffer[512], error[ERROR_TEXT_MAX] = "";
	struct pollfd p = { .events = POLLIN };
	struct server *s;
	int pair[2];

	memset(chunk, 'x', 1 << 20);
	assert_int_equal(server_new(base, path, "", &(struct server_door){ answer, NULL, &b->control }, &s, error), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(server_adopt(s, pair[1]), 0);
	p.fd = pair[0];
	for (size_t sent = 0; poll(&p, 1, 0) == 0;) {
		ssize_t n = send(pair[0], chunk, 1 << 20, MSG_NOSIGNAL);

		sent += n > 0 ? (size_t)n : 0;
		event_base_loop(base, EVLOOP_NONBLOCK);
		assert_true(sent < 24u << 20);
	}
	read_line(base, pair[0], buffer, sizeof(buffer));
	assert_non_null(strstr(buffer, "longer than 16 MiB"));
	close(pair[0]);
	server_free(s);
	event_base_free(base);
	free(chunk);
}

int main(void)
{
#define WITH_BENCH(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_BENCH(serves_sockets),  WITH_BENCH(slow_readers_do_not_block),  WITH_BENCH(requests_are_bounded),
		WITH_BENCH(alarms_are_told), WITH_BENCH(deaf_followers_lose_events),
	};
	int failed;

	signal(SIGPIPE, SIG_IGN);
	eal_for_test("96");
	make_directory(directory);
	snprintf(path, sizeof(path), "%s/control.sock", directory);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	remove_directory(directory);
	return failed;
}
