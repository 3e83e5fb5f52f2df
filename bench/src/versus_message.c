/* SPDX-License-Identifier: Apache-2.0 */
#include "versus_message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "versus_texts.h"

#define FIELDS_MAX 24
#define TEXTS_MAX  16
#define VIAS_MAX   8

enum field_kind { FIELD_BRANCH, FIELD_TAG, FIELD_ID, FIELD_CALLEE, FIELD_CALLER, FIELD_CSEQ, FIELD_SESSION, FIELD_COUNT };

static const struct {
	const char *name;
	unsigned width;
} kinds[FIELD_COUNT] = {
	{ "branch", 16 }, { "tag", 12 }, { "id", 16 }, { "callee", 6 }, { "caller", 6 }, { "cseq", 4 }, { "session", 9 },
};

const char *const verdict_names[VERDICT_COUNT] = { "ok", "not_sip", "stranger", "start_line", "refused", "via", "headers", "body" };

struct part {
	uint32_t at, len;
};

/* A text with what is the same for a whole run filled in, and where the rest goes. */
struct pattern {
	uint8_t bytes[VERSUS_MESSAGE_MAX];
	uint32_t len, branch_at, callee_at;
	struct part from, to, call_id, cseq, body;
	struct {
		uint16_t at;
		uint8_t kind;
	} fields[FIELDS_MAX];
	unsigned field_count;
};

struct maker {
	struct pattern invites[TEXTS_MAX];
	struct pattern answers[TEXTS_MAX][VERSUS_TARGETS_MAX];
	unsigned targets, numbers;
	uint64_t seed;
	uint8_t expected[VERSUS_MESSAGE_MAX];
};

/* A message that came, as far as it is looked at: lines without their ends. */
struct view {
	const uint8_t *bytes;
	struct part vias[VIAS_MAX], routes[VIAS_MAX];
	unsigned via_count, route_count, max_forwards;
	struct part start, from, to, call_id, cseq, body;
};

/* ---- serial numbers as what looks random: a bijection, so that the number can be had back */

static uint64_t mixed(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static uint64_t unmixed(uint64_t z)
{
	z = (z ^ (z >> 31) ^ (z >> 62)) * 0x319642b2d24d8ec3;
	z = (z ^ (z >> 27) ^ (z >> 54)) * 0x96de1b173f119089;
	return z ^ (z >> 30) ^ (z >> 60);
}

static void write_hex(uint8_t *out, uint64_t value, unsigned digits)
{
	for (unsigned i = 0; i < digits; i++)
		out[i] = (uint8_t)"0123456789abcdef"[value >> (4 * (digits - 1 - i)) & 15];
}

static void write_decimal(uint8_t *out, uint64_t value, unsigned digits)
{
	for (unsigned i = digits; i--; value /= 10)
		out[i] = (uint8_t)('0' + value % 10);
}

static int hex_value(uint8_t c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The first sixteen hex digits in a row. */
static bool read_id(const uint8_t *bytes, uint32_t len, uint64_t *ret)
{
	uint64_t value = 0;
	unsigned run = 0;

	for (uint32_t i = 0; i < len && run < 16; i++) {
		int digit = hex_value(bytes[i]);

		run = digit < 0 ? 0 : run + 1;
		value = digit < 0 ? 0 : value << 4 | (unsigned)digit;
	}
	*ret = value;
	return run == 16;
}

/* ---- texts into patterns */

static const char *const transports[] = { "UDP", "TCP", "TLS" };

static const char *run_word(const char *word, size_t len, const struct maker_config *config, const char *it, const char *length)
{
	if (len == 2 && !memcmp(word, "us", 2))
		return config->us;
	if (len == 2 && !memcmp(word, "me", 2))
		return config->me;
	if (len == 2 && !memcmp(word, "it", 2))
		return it;
	if (len == 2 && !memcmp(word, "by", 2))
		return transports[config->transport];
	return len == 6 && !memcmp(word, "length", 6) ? length : NULL;
}

static bool put(struct pattern *p, const char *text, size_t len)
{
	if (p->len + len > sizeof(p->bytes))
		return false;
	memcpy(p->bytes + p->len, text, len);
	p->len += (uint32_t)len;
	return true;
}

static bool put_field(struct pattern *p, const char *word, size_t len)
{
	for (unsigned kind = 0; kind < FIELD_COUNT; kind++) {
		if (strlen(kinds[kind].name) != len || memcmp(kinds[kind].name, word, len) != 0)
			continue;
		if (p->field_count == FIELDS_MAX)
			return false;
		p->fields[p->field_count].at = (uint16_t)p->len;
		p->fields[p->field_count++].kind = (uint8_t)kind;
		return put(p, "0000000000000000", kinds[kind].width);
	}
	return false;
}

static bool fill(struct pattern *p, const char *text, const struct maker_config *config, const char *it, const char *length)
{
	p->len = p->field_count = 0;
	while (*text) {
		size_t plain = strcspn(text, "{");
		const char *end, *word;

		if (!put(p, text, plain))
			return false;
		text += plain;
		if (!*text)
			break;
		end = strchr(text, '}');
		if (!end)
			return false;
		word = run_word(text + 1, (size_t)(end - text) - 1, config, it, length);
		if (word ? !put(p, word, strlen(word)) : !put_field(p, text + 1, (size_t)(end - text) - 1))
			return false;
		text = end + 1;
	}
	return true;
}

static bool view_read(struct view *v, const uint8_t *bytes, uint32_t len);

/* Twice: the body's length must be known before the header that says it. */
static bool pattern_make(struct pattern *p, const char *text, const struct maker_config *config, const char *it)
{
	const char *body = strstr(text, "\r\n\r\n");
	uint32_t head;
	char length[8];

	if (!body || !fill(p, text, config, it, "100"))
		return false;
	head = (uint32_t)((const uint8_t *)memmem(p->bytes, p->len, "\r\n\r\n", 4) - p->bytes) + 4;
	snprintf(length, sizeof(length), "%u", p->len - head);
	if (!fill(p, text, config, it, length))
		return false;
	head = (uint32_t)((const uint8_t *)memmem(p->bytes, p->len, "\r\n\r\n", 4) - p->bytes) + 4;
	p->body = (struct part){ head, p->len - head };
	return true;
}

static bool invite_pattern(struct pattern *p, const char *text, const struct maker_config *config)
{
	struct view v;

	if (!pattern_make(p, text, config, "") || !view_read(&v, p->bytes, p->len))
		return false;
	p->from = v.from;
	p->to = v.to;
	p->call_id = v.call_id;
	p->cseq = v.cseq;
	for (unsigned i = p->field_count; i--;) {
		if (p->fields[i].kind == FIELD_BRANCH)
			p->branch_at = p->fields[i].at;
		if (p->fields[i].kind == FIELD_CALLEE)
			p->callee_at = p->fields[i].at; /* at last: the first, that of the request URI */
	}
	return p->branch_at && p->callee_at && v.from.len && v.to.len && v.call_id.len && v.cseq.len;
}

struct maker *maker_new(const struct maker_config *config)
{
	struct maker *m = calloc(1, sizeof(*m));
	bool good = m && versus_text_count <= TEXTS_MAX && versus_answer_count <= TEXTS_MAX && config->targets <= VERSUS_TARGETS_MAX &&
		    config->numbers;

	for (unsigned i = 0; good && i < versus_text_count; i++)
		good = invite_pattern(&m->invites[i], versus_texts[i], config);
	for (unsigned i = 0; good && i < versus_answer_count; i++)
		for (unsigned t = 0; good && t < config->targets; t++)
			good = pattern_make(&m->answers[i][t], versus_answers[i], config, config->it[t]);
	if (!good) {
		free(m);
		return NULL;
	}
	m->targets = config->targets;
	m->numbers = config->numbers;
	m->seed = mixed(config->seed);
	return m;
}

void maker_free(struct maker *m)
{
	free(m);
}

/* ---- making */

uint32_t maker_invite(struct maker *m, uint64_t serial, uint8_t *out)
{
	uint64_t id = mixed(m->seed + serial), branch = mixed(id ^ 0x62), other = mixed(id ^ 0x6f);
	const struct pattern *p = &m->invites[id % versus_text_count];

	memcpy(out, p->bytes, p->len);
	for (unsigned i = 0; i < p->field_count; i++) {
		uint8_t *at = out + p->fields[i].at;

		switch ((enum field_kind)p->fields[i].kind) {
		case FIELD_BRANCH:
			write_hex(at, branch, 16);
			break;
		case FIELD_TAG:
			write_hex(at, other, 12);
			break;
		case FIELD_ID:
			write_hex(at, id, 16);
			break;
		case FIELD_CALLEE:
			write_decimal(at, (other >> 20) % m->numbers, 6);
			break;
		case FIELD_CALLER:
			write_decimal(at, (branch >> 20) % 1000000, 6);
			break;
		case FIELD_CSEQ:
			write_decimal(at, 1000 + (id >> 20) % 9000, 4);
			break;
		default:
			write_decimal(at, 100000000 + (branch >> 8) % 900000000, 9);
		}
	}
	return p->len;
}

/* ---- reading */

static bool begins(const uint8_t *line, uint32_t len, const char *word)
{
	size_t n = strlen(word);

	return len >= n && !memcmp(line, word, n);
}

static unsigned number_after(const uint8_t *line, uint32_t len, uint32_t at)
{
	unsigned n = 0;

	while (at < len && line[at] == ' ')
		at++;
	for (; at < len && line[at] >= '0' && line[at] <= '9'; at++)
		n = n * 10 + (unsigned)(line[at] - '0');
	return n;
}

static void view_line(struct view *v, const uint8_t *line, struct part where, unsigned *length)
{
	switch (line[0]) {
	case 'V':
		if (v->via_count < VIAS_MAX)
			v->vias[v->via_count++] = where;
		break;
	case 'R':
		if (begins(line, where.len, "Record-Route:") && v->route_count < VIAS_MAX)
			v->routes[v->route_count++] = where;
		break;
	case 'F':
		v->from = where;
		break;
	case 'T':
		if (begins(line, where.len, "To:"))
			v->to = where;
		break;
	case 'M':
		if (begins(line, where.len, "Max-Forwards:"))
			v->max_forwards = number_after(line, where.len, 13);
		break;
	case 'C':
		if (begins(line, where.len, "Call-ID:"))
			v->call_id = where;
		else if (begins(line, where.len, "CSeq:"))
			v->cseq = where;
		else if (begins(line, where.len, "Content-Length:"))
			*length = number_after(line, where.len, 15);
		break;
	}
}

static bool view_read(struct view *v, const uint8_t *bytes, uint32_t len)
{
	unsigned length = UINT32_MAX;
	uint32_t at = 0;

	*v = (struct view){ .bytes = bytes };
	while (at < len) {
		const uint8_t *end = memchr(bytes + at, '\n', len - at);
		struct part where = { at, 0 };

		if (!end || end == bytes + at || end[-1] != '\r')
			return false;
		where.len = (uint32_t)(end - bytes) - 1 - at;
		at = (uint32_t)(end - bytes) + 1;
		if (!where.len)
			break;
		if (!v->start.len)
			v->start = where;
		else
			view_line(v, bytes + where.at, where, &length);
	}
	v->body = (struct part){ at, len - at };
	return v->start.len && v->call_id.len && length == v->body.len;
}

static bool same(const uint8_t *a, struct part x, const uint8_t *b, struct part y)
{
	return x.len == y.len && !memcmp(a + x.at, b + y.at, x.len);
}

static bool holds(const struct view *v, struct part where, const uint8_t *word, uint32_t len)
{
	return memmem(v->bytes + where.at, where.len, word, len);
}

/* Which INVITE a message belongs to; the INVITE as it was sent is then in `expected`. */
static enum verdict find(struct maker *m, const uint8_t *bytes, uint32_t len, struct view *v, const struct pattern **ret, uint64_t *ret_serial)
{
	uint64_t id;

	if (!view_read(v, bytes, len))
		return VERDICT_NOT_SIP;
	if (!read_id(bytes + v->call_id.at, v->call_id.len, &id))
		return VERDICT_STRANGER;
	*ret = &m->invites[id % versus_text_count];
	*ret_serial = unmixed(id) - m->seed;
	maker_invite(m, *ret_serial, m->expected);
	return same(bytes, v->call_id, m->expected, (*ret)->call_id) ? VERDICT_OK : VERDICT_STRANGER;
}

static bool same_dialog(const struct maker *m, const struct view *v, const struct pattern *p)
{
	return same(v->bytes, v->from, m->expected, p->from) && same(v->bytes, v->cseq, m->expected, p->cseq);
}

/* ---- a target's side */

static uint32_t add(uint8_t *out, uint32_t n, const void *bytes, uint32_t len)
{
	if (n + len > VERSUS_MESSAGE_MAX)
		return n;
	memcpy(out + n, bytes, len);
	return n + len;
}

static uint32_t add_line(uint8_t *out, uint32_t n, const struct view *v, struct part where)
{
	return add(out, n, v->bytes + where.at, where.len + 2);
}

/* The To tag says which call and which target it was. */
static void to_tag(uint8_t tag[18], const uint8_t *expected, const struct pattern *p, unsigned target)
{
	memcpy(tag, ";tag=", 5);
	memcpy(tag + 5, expected + p->branch_at, 12);
	tag[17] = (uint8_t)('a' + target);
}

static uint32_t compose_answer(const struct maker *m, unsigned target, const struct view *v, const struct pattern *p, uint64_t serial, uint8_t *out)
{
	const struct pattern *answer = &m->answers[serial % versus_answer_count][target];
	uint32_t n = add(out, 0, "SIP/2.0 200 OK\r\n", 16);
	uint8_t tag[18];

	for (unsigned i = 0; i < v->via_count; i++)
		n = add_line(out, n, v, v->vias[i]);
	for (unsigned i = 0; i < v->route_count; i++)
		n = add_line(out, n, v, v->routes[i]);
	n = add_line(out, n, v, v->from);
	n = add_line(out, n, v, v->to) - 2;
	to_tag(tag, m->expected, p, target);
	n = add(out, n, tag, sizeof(tag));
	n = add(out, n, "\r\n", 2);
	n = add_line(out, n, v, v->call_id);
	n = add_line(out, n, v, v->cseq);
	return add(out, n, answer->bytes, answer->len);
}

enum verdict maker_answer(struct maker *m, unsigned target, const uint8_t *bytes, uint32_t len, uint64_t *ret_serial, uint8_t *out,
			  uint32_t *ret_len)
{
	const struct pattern *p;
	struct view v;
	enum verdict verdict = find(m, bytes, len, &v, &p, ret_serial);

	if (verdict != VERDICT_OK)
		return verdict;
	if (!begins(bytes, len, "INVITE sip:") || !holds(&v, v.start, m->expected + p->callee_at, 6))
		return VERDICT_START_LINE;
	if (v.via_count != 2 || holds(&v, v.vias[0], m->expected + p->branch_at, 16) || !holds(&v, v.vias[1], m->expected + p->branch_at, 16))
		return VERDICT_VIA;
	if (!same_dialog(m, &v, p) || !same(bytes, v.to, m->expected, p->to) || v.max_forwards != 69)
		return VERDICT_HEADERS;
	if (!same(bytes, v.body, m->expected, p->body))
		return VERDICT_BODY;
	*ret_len = compose_answer(m, target, &v, p, *ret_serial, out);
	return VERDICT_OK;
}

/* ---- the caller's side */

static enum verdict check_200(const struct maker *m, const struct view *v, const struct pattern *p, uint64_t serial)
{
	struct part to = v->to;
	unsigned target;
	uint8_t tag[18];

	if (to.len != p->to.len + sizeof(tag))
		return VERDICT_HEADERS;
	target = (unsigned)(v->bytes[to.at + to.len - 1] - 'a');
	to_tag(tag, m->expected, p, target);
	to.len -= (uint32_t)sizeof(tag);
	if (target >= m->targets || memcmp(v->bytes + to.at + to.len, tag, sizeof(tag)) != 0 || !same(v->bytes, to, m->expected, p->to))
		return VERDICT_HEADERS;
	if (!same(v->bytes, v->body, m->answers[serial % versus_answer_count][target].bytes, m->answers[serial % versus_answer_count][target].body))
		return VERDICT_BODY;
	return VERDICT_OK;
}

enum verdict maker_check(struct maker *m, const uint8_t *bytes, uint32_t len, uint64_t *ret_serial, unsigned *ret_status)
{
	const struct pattern *p;
	struct view v;
	uint64_t serial;
	enum verdict verdict = find(m, bytes, len, &v, &p, &serial);
	unsigned status;

	if (verdict != VERDICT_OK)
		return verdict;
	status = begins(bytes, len, "SIP/2.0 ") ? number_after(bytes, len, 8) : 0;
	if (status < 100 || status > 699)
		return VERDICT_START_LINE;
	if (v.via_count != 1 || !holds(&v, v.vias[0], m->expected + p->branch_at, 16))
		return VERDICT_VIA;
	if (!same_dialog(m, &v, p))
		return VERDICT_HEADERS;
	verdict = status == 200 ? check_200(m, &v, p, serial) : status == 100 ? VERDICT_OK : VERDICT_REFUSED;
	*ret_serial = serial;
	*ret_status = status;
	return verdict;
}
