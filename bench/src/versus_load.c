/* SPDX-License-Identifier: Apache-2.0 */
#include "versus_state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RECEIVE_BUFFER	(64 << 20)
#define PATIENCE	3 /* times the delay that is late: how long nothing comes before the rest is taken for lost */
#define DEBT_S		0.002 /* after a stop of this process so much is made up for, and the rest left out: a wave would measure queues */

enum { SAW_INVITE = 1, SAW_TRYING = 2, SAW_ANSWER = 4 };

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* ---- delays */

unsigned delay_bucket(uint32_t us)
{
	unsigned doubling, bucket;

	if (us < DELAY_STEPS)
		return us;
	doubling = 31 - (unsigned)__builtin_clz(us) - 4;
	bucket = (doubling + 1) * DELAY_STEPS + (us >> doubling) - DELAY_STEPS;
	return bucket < DELAY_BUCKETS ? bucket : DELAY_BUCKETS - 1;
}

uint32_t delay_of_bucket(unsigned bucket)
{
	unsigned doubling = bucket / DELAY_STEPS;

	if (!doubling)
		return bucket;
	return ((bucket % DELAY_STEPS + DELAY_STEPS + 1) << (doubling - 1)) - 1;
}

uint32_t delay_quantile(const uint64_t *buckets, double share)
{
	uint64_t total = 0, seen = 0;
	unsigned i;

	for (i = 0; i < DELAY_BUCKETS; i++)
		total += buckets[i];
	for (i = 0; i < DELAY_BUCKETS; i++) {
		seen += buckets[i];
		if (seen && (double)seen >= share * (double)total)
			return delay_of_bucket(i);
	}
	return 0;
}

/* ---- sockets */

struct sockaddr_in load_place(const char *address, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, address, &a.sin_addr);
	return a;
}

/* Bound to one address and connected to the proxy, so that the kernel looks routes up once. */
static int open_socket(const struct load_config *config, const char *address, unsigned *ret_buffer)
{
	struct sockaddr_in here = load_place(address, config->port), there = load_place(config->us, config->port);
	int size = RECEIVE_BUFFER, s = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t n = sizeof(size);

	if (s < 0)
		return -errno;
	if (setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(s, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(s, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	if (getsockopt(s, SOL_SOCKET, SO_RCVBUF, &size, &n) < 0 || bind(s, (struct sockaddr *)&here, sizeof(here)) < 0 ||
	    connect(s, (struct sockaddr *)&there, sizeof(there)) < 0) {
		int err = -errno;

		close(s);
		return err;
	}
	*ret_buffer = (unsigned)size;
	return s;
}

static void batch_init(struct batch *b)
{
	for (unsigned i = 0; i < BATCH; i++) {
		b->vectors[i] = (struct iovec){ b->bytes[i], VERSUS_MESSAGE_MAX };
		b->headers[i].msg_hdr = (struct msghdr){ .msg_iov = &b->vectors[i], .msg_iovlen = 1 };
	}
}

/* All of the batch leaves: where the kernel has no room just now, it is asked again. */
static int send_all(struct load *l, int s, unsigned n)
{
	unsigned at = 0;

	while (at < n) {
		int sent = sendmmsg(s, l->out.headers + at, n - at, 0);

		if (sent > 0)
			at += (unsigned)sent;
		else if (errno != EAGAIN && errno != EINTR && errno != ECONNREFUSED && errno != ENOBUFS)
			return -errno;
	}
	return 0;
}

/* ---- a turn */

static void wrong(struct load *l, enum verdict verdict, const uint8_t *bytes, uint32_t len)
{
	l->r->wrong[verdict]++;
	if (!l->r->first_wrong[0])
		memcpy(l->r->first_wrong, bytes, len);
}

/* Whether it is the first of its kind for its INVITE; what belongs to an earlier run is no fault of this one. */
static bool first(struct load *l, uint64_t serial, uint8_t mark)
{
	if (serial >= l->r->sent) {
		l->r->stale++;
		return false;
	}
	if (l->saw[serial] & mark) {
		l->r->repeated++;
		return false;
	}
	l->saw[serial] |= mark;
	return true;
}

bool load_target_got(struct load *l, unsigned target, const uint8_t *bytes, uint32_t len, uint8_t *answer, uint32_t *ret_len)
{
	uint64_t serial;
	enum verdict verdict = maker_answer(l->maker, target, bytes, len, &serial, answer, ret_len);

	if (verdict != VERDICT_OK) {
		wrong(l, verdict, bytes, len);
		return false;
	}
	if (first(l, serial, SAW_INVITE)) {
		l->r->arrived++;
		l->r->per_target[target]++;
	}
	return true;
}

/* A target answers what came, in one go: what came again too, and what an earlier run left behind, else it would come for half a minute. */
static int answer(struct load *l, unsigned target)
{
	int n = recvmmsg(l->targets[target], l->in.headers, BATCH, 0, NULL);
	unsigned out = 0;

	for (int i = 0; i < n; i++) {
		uint32_t len;

		if (load_target_got(l, target, l->in.bytes[i], l->in.headers[i].msg_len, l->out.bytes[out], &len))
			l->out.vectors[out++].iov_len = len;
	}
	return send_all(l, l->targets[target], out) < 0 ? -errno : n;
}

void load_caller_got(struct load *l, const uint8_t *bytes, uint32_t len)
{
	enum verdict verdict;
	unsigned status;
	uint64_t serial;

	verdict = maker_check(l->maker, bytes, len, &serial, &status);
	if (verdict == VERDICT_REFUSED && serial >= l->r->sent) {
		l->r->stale++;
	} else if (verdict != VERDICT_OK) {
		wrong(l, verdict, bytes, len);
	} else if (first(l, serial, status == 100 ? SAW_TRYING : SAW_ANSWER)) {
		uint32_t delay = (uint32_t)((l->now_ns - l->begin_ns) / 1000) - l->sent_us[serial];

		if (status == 100) {
			l->r->trying++;
			return;
		}
		l->r->answered++;
		l->r->late += delay > l->config->late_us;
		l->r->setup[delay_bucket(delay)]++;
		l->progress_ns = l->now_ns;
	}
}

static int listen_caller(struct load *l)
{
	int n = recvmmsg(l->caller, l->in.headers, BATCH, 0, NULL);

	for (int i = 0; i < n; i++)
		load_caller_got(l, l->in.bytes[i], l->in.headers[i].msg_len);
	return n;
}

static int call(struct load *l)
{
	double rate = l->config->rate, due = (double)(l->now_ns - l->begin_ns) * rate / 1e9 - l->forgiven - (double)l->r->sent;
	unsigned n = 0;

	if (due / rate > l->r->behind_s)
		l->r->behind_s = due / rate;
	if (due > 1 + DEBT_S * rate) {
		l->forgiven += due - 1 - DEBT_S * rate;
		due = 1 + DEBT_S * rate;
	}
	for (; due >= 1 && n < SEND_AT_ONCE && l->r->sent < l->limit; n++, due--) {
		uint32_t len = maker_invite(l->maker, l->r->sent, l->out.bytes[n]);

		if (l->streams && !streams_invite(l, l->r->sent, l->out.bytes[n], len))
			break;
		l->out.vectors[n].iov_len = len;
		l->r->bytes_out += len;
		l->sent_us[l->r->sent++] = (uint32_t)((l->now_ns - l->begin_ns) / 1000);
	}
	if (!n)
		return 0;
	l->progress_ns = l->now_ns;
	return !l->streams && send_all(l, l->caller, n) < 0 ? -errno : (int)n;
}

/* How many messages it moved. */
static int turn(struct load *l)
{
	int work = l->sending ? call(l) : 0;

	if (l->streams) {
		int n = work >= 0 ? streams_turn(l) : 0;

		return n < 0 ? n : work + n;
	}
	for (unsigned t = 0; work >= 0 && t < l->config->target_count; t++) {
		int n = answer(l, t);

		if (n < 0 && errno != EAGAIN && errno != ECONNREFUSED && errno != EINTR)
			return -errno;
		work += n > 0 ? n : 0;
	}
	if (work >= 0) {
		int n = listen_caller(l);

		work += n > 0 ? n : 0;
	}
	return work;
}

static void stop_sending(struct load *l, uint64_t busy_ns, load_moment *moment)
{
	l->sending = false;
	l->r->seconds = (double)(l->now_ns - l->begin_ns) / 1e9;
	l->r->busy = (double)busy_ns / (double)(l->now_ns - l->begin_ns);
	moment("sent", l->r);
}

static int loop(struct load *l, load_moment *moment)
{
	uint64_t before, busy_ns = 0, length = (uint64_t)(l->config->seconds * 1e9), warmup = (uint64_t)(l->config->warmup * 1e9);
	bool measuring = false;

	l->sending = true;
	l->begin_ns = l->now_ns = l->progress_ns = before = clock_ns();
	while (l->sending || (l->r->answered < l->r->sent && l->now_ns - l->progress_ns < PATIENCE * 1000ULL * l->config->late_us)) {
		int work;

		if (!measuring && l->now_ns - l->begin_ns >= warmup) {
			measuring = true;
			moment("measure", l->r);
		}
		work = turn(l);
		if (work < 0)
			return work;
		l->now_ns = clock_ns();
		busy_ns += work ? l->now_ns - before : 0;
		before = l->now_ns;
		if (l->sending && l->now_ns - l->begin_ns >= length)
			stop_sending(l, busy_ns, moment);
	}
	l->r->left_out = (uint64_t)l->forgiven;
	return 0;
}

static int open_all(struct load *l, const char **ret_step)
{
	const struct load_config *c = l->config;

	if (c->transport != VERSUS_UDP)
		return streams_open(l, ret_step);
	*ret_step = c->me;
	l->caller = open_socket(c, c->me, &l->r->receive_buffer);
	if (l->caller < 0)
		return l->caller;
	for (unsigned t = 0; t < c->target_count; t++) {
		*ret_step = c->targets[t];
		l->targets[t] = open_socket(c, c->targets[t], &l->r->receive_buffer);
		if (l->targets[t] < 0)
			return l->targets[t];
	}
	return 0;
}

static void load_free(struct load *l)
{
	if (l->caller >= 0)
		close(l->caller);
	for (unsigned t = 0; t < VERSUS_TARGETS_MAX; t++)
		if (l->targets[t] >= 0)
			close(l->targets[t]);
	streams_free(l->streams);
	maker_free(l->maker);
	free(l->saw);
	free(l->sent_us);
	free(l);
}

int load_run(const struct load_config *config, load_moment *moment, struct load_result *ret, const char **ret_step)
{
	struct maker_config texts = { config->us, config->me, .targets = config->target_count, .numbers = config->numbers, .seed = config->seed,
				      .transport = config->transport };
	struct load *l = calloc(1, sizeof(*l));
	int err = -ENOMEM;

	*ret_step = "memory";
	*ret = (struct load_result){ 0 };
	if (!l)
		return err;
	l->config = config;
	l->r = ret;
	l->caller = -1;
	memset(l->targets, -1, sizeof(l->targets));
	memcpy(texts.it, config->targets, sizeof(texts.it));
	l->limit = (uint64_t)(config->rate * config->seconds) + 1;
	l->maker = maker_new(&texts);
	l->saw = calloc(l->limit + 1, 1);
	l->sent_us = calloc(l->limit + 1, sizeof(*l->sent_us));
	batch_init(&l->in);
	batch_init(&l->out);
	if (l->maker && l->saw && l->sent_us) {
		/* Touched now, not while time is taken. */
		memset(l->saw, 0, l->limit + 1);
		memset(l->sent_us, 0, (l->limit + 1) * sizeof(*l->sent_us));
		err = open_all(l, ret_step);
	}
	if (!err) {
		*ret_step = "load";
		err = loop(l, moment);
	}
	load_free(l);
	return err;
}
