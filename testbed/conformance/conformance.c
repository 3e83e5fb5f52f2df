/* SPDX-License-Identifier: Apache-2.0 */
/* Plays the cases, each in a process of its own, so that one that dies takes no other with it. One line each on standard output,
 * fields parted by tabs: file, source, name, verdict, rule, why. testbed/conformance/run makes it readable.
 *
 *	conformance [--list] [NAME...]     NAME: of a case or a file */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "script.h"

static const struct law_book *const books[] = {
	&rfc3261_16_book, &rfc3261_16_responses_book, &rfc3261_16_best_book, &rfc3261_16_cancel_book, &rfc3261_17_client_book,
	&rfc3261_17_server_book, &rfc3261_18_book, &rfc3581_book,
	&rfc4320_book, &rfc5393_book, &rfc5658_book, &rfc6026_book, &routing_book, &rescue_book, &ringing_book, &dialogs_book,
	&tokens_book, &torture_own_book, &torture_values_book, &streams_book, &stream_calls_book, &large_book, &rfc5630_book, &torture_book,
};

#define CASE_SECONDS 60

const struct law *law_playing;

static void whole_case(void **state)
{
	harness_start(&stage, NULL);
	law_playing->play();
	harness_end(&stage);
}

static void child(const struct law *law, int output)
{
	const struct CMUnitTest test = { law->name, whole_case, NULL, NULL, NULL };
	int rc;

	dup2(output, 1);
	dup2(output, 2);
	setvbuf(stdout, NULL, _IONBF, 0);
	alarm(CASE_SECONDS);
	law_playing = law;
	rc = _cmocka_run_group_tests(law->name, &test, 1, NULL, NULL);
	exit(rc ? 1 : 0);
}

/* What cmocka says when a test fails: the first line behind "ERROR: ", or else the assertion and its place. */
static void reason_of(char *text, char *ret_why, size_t size)
{
	static const char *const marks[] = { "ERROR: ", "[  ERROR   ] --- ", "[   LINE   ] --- " };
	size_t n = 0;

	*ret_why = 0;
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		for (unsigned i = 0; i < ARRAY_SIZE(marks); i++)
			if (!strncmp(line, marks[i], strlen(marks[i])) && n < size)
				n += (size_t)snprintf(ret_why + n, size - n, "%s%s", n ? "; " : "", line + strlen(marks[i]));
	for (char *c = ret_why; *c; c++)
		if (*c == '\t' || *c == '\r')
			*c = ' ';
}

/* Everything that the pipe brings; what does not fit is read and dropped. */
static void read_all(int fd, char *text, size_t size)
{
	char chunk[4096];
	size_t n = 0;
	ssize_t got;

	while ((got = read(fd, chunk, sizeof(chunk))) > 0)
		for (ssize_t i = 0; i < got && n + 1 < size; i++)
			text[n++] = chunk[i] ? chunk[i] : ' ';
	text[n] = 0;
}

static bool play_case(const struct law_book *book, const struct law *law)
{
	static char text[65536], copy[65536], why[2048];
	int pipes[2], status;
	const char *verdict;
	pid_t pid;

	fflush(stdout);
	if (pipe(pipes) < 0 || (pid = fork()) < 0) {
		perror("conformance");
		exit(2);
	}
	if (!pid)
		child(law, pipes[1]);
	close(pipes[1]);
	read_all(pipes[0], text, sizeof(text));
	close(pipes[0]);
	waitpid(pid, &status, 0);
	memcpy(copy, text, sizeof(copy));
	reason_of(copy, why, sizeof(why));
	if (WIFEXITED(status) && !WEXITSTATUS(status)) {
		verdict = law->deviates ? "deviates" : "pass";
		snprintf(why, sizeof(why), "%s", law->deviates ? law->deviates : "");
	} else {
		verdict = "fail";
		if (WIFSIGNALED(status))
			snprintf(why + strlen(why), sizeof(why) - strlen(why), " (signal %d)", WTERMSIG(status));
		if (!*why)
			fputs(text, stderr);
	}
	printf("%s\t%s\t%s\t%s\t%s\t%s\n", book->file, law->source, law->name, verdict, law->rule, why);
	return strcmp(verdict, "fail");
}

static bool wanted(const struct law_book *book, const struct law *law, int argc, char **argv)
{
	if (argc <= 1)
		return true;
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], law->name) || !strcmp(argv[i], book->file) || !strcmp(argv[i], law->source))
			return true;
	return false;
}

/* What DPDK's heap holds is shared with the children, and a case that fails leaves its tables there: a new heap, by a new process, for
 * those that come after it. */
struct progress {
	unsigned book;
	size_t law;
	unsigned failed;
};

/* Plays from where progress stands to the first failure or the end. */
static void play_on(struct progress *at, int argc, char **argv)
{
	eal_for_test("64");
	for (; at->book < ARRAY_SIZE(books); at->book++, at->law = 0) {
		const struct law_book *book = books[at->book];

		while (at->law < book->count) {
			const struct law *law = &book->laws[at->law++];

			if (wanted(book, law, argc, argv) && (book != &torture_book || torture_present()) && !play_case(book, law)) {
				at->failed++;
				return;
			}
		}
	}
}

static void list(const struct law_book *book, const char *verdict, int argc, char **argv)
{
	for (size_t i = 0; i < book->count; i++) {
		const struct law *law = &book->laws[i];

		if (wanted(book, law, argc, argv))
			printf("%s\t%s\t%s\t%s\t%s\t%s\n", book->file, law->source, law->name, verdict, law->rule,
			       law->deviates ? law->deviates : "");
	}
}

int main(int argc, char **argv)
{
	struct progress *at = mmap(NULL, sizeof(*at), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	if (argc > 1 && !strcmp(argv[1], "--list")) {
		for (unsigned b = 0; b < ARRAY_SIZE(books); b++)
			list(books[b], "listed", argc - 1, argv + 1);
		return 0;
	}
	while (at != MAP_FAILED && at->book < ARRAY_SIZE(books)) {
		fflush(stdout);
		pid = fork();
		if (!pid) {
			play_on(at, argc, argv);
			fflush(stdout);
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			return 2;
	}
	if (!torture_present())
		list(&torture_book, "skipped", argc, argv);
	return at == MAP_FAILED || at->failed ? 1 : 0;
}
