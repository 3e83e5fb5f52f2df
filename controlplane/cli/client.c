/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_TIMEOUT_S 120

struct client {
	FILE *in;
	int fd;
	json_int_t last_id;
};

static int unreachable(const char *path)
{
	const char *next = errno == EACCES ? "run it as root, or join the group that control.group names" :
					     "is strowgerd running? `systemctl status strowgerd` says; --socket PATH names another socket";

	fprintf(stderr, "strowgerctl: cannot reach strowgerd at %s: %s\n%s\n", path, strerror(errno), next);
	return CTL_UNREACHABLE;
}

int client_open(const char *path, struct client **ret_client)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct timeval patience = { ANSWER_TIMEOUT_S, 0 };
	struct client *c = calloc(1, sizeof(*c));

	if (!c || strlen(path) >= sizeof(address.sun_path)) {
		free(c);
		errno = ENAMETOOLONG;
		return unreachable(path);
	}
	strcpy(address.sun_path, path);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof(address)) || !(c->in = fdopen(c->fd, "r"))) {
		int status = unreachable(path);

		if (c->fd >= 0)
			close(c->fd);
		free(c);
		return status;
	}
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	*ret_client = c;
	return CTL_OK;
}

void client_close(struct client *c)
{
	if (!c)
		return;
	fclose(c->in);
	free(c);
}

static int send_request(struct client *c, const char *method, json_t *params)
{
	json_t *request = json_pack("{s:s, s:I, s:s, s:o*}", "jsonrpc", "2.0", "id", ++c->last_id, "method", method, "params", params);
	char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
	size_t n = text ? strlen(text) : 0, sent = 0;

	json_decref(request);
	if (text)
		text[n++] = '\n'; /* in place of the NUL */
	while (sent < n) {
		ssize_t some = send(c->fd, text + sent, n - sent, MSG_NOSIGNAL);

		if (some < 0 && errno != EINTR)
			break;
		sent += some > 0 ? (size_t)some : 0;
	}
	free(text);
	return n && sent == n ? 0 : -1;
}

static json_t *read_answer(struct client *c)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n = getline(&line, &room, c->in);
	json_t *answer = n > 0 ? json_loadb(line, (size_t)n, 0, NULL) : NULL;

	free(line);
	return answer;
}

int client_call(struct client *c, const char *method, json_t *params, json_t **ret_result, char **ret_error)
{
	json_t *answer = send_request(c, method, params) ? NULL : read_answer(c);
	const char *message = json_string_value(json_object_get(json_object_get(answer, "error"), "message"));
	json_t *result = json_object_get(answer, "result");
	int status = CTL_OK;

	*ret_error = NULL;
	if (message) {
		*ret_error = strdup(message);
		status = CTL_REFUSED;
	} else if (!result) {
		fprintf(stderr, "strowgerctl: strowgerd closed the connection or gave no answer; its log says why\n");
		status = CTL_UNREACHABLE;
	} else {
		*ret_result = json_incref(result);
	}
	json_decref(answer);
	return status;
}

int client_next(struct client *c, json_t **ret_notification)
{
	const struct timeval endless = { 0, 0 };

	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &endless, sizeof(endless));
	*ret_notification = read_answer(c);
	if (*ret_notification)
		return CTL_OK;
	fprintf(stderr, "strowgerctl: strowgerd closed the connection\n");
	return CTL_UNREACHABLE;
}
