/* SPDX-License-Identifier: Apache-2.0 */
#include "cdr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "cdr_line.h"
#include "dataplane.h"
#include "error.h"
#include "log.h"
#include "tables/call_record.h"
#include "tables/tables.h"

#define RECORDS_A_TURN	  256
#define RECORDS_AT_END	  (1u << 20)
#define KNOWN_MAX	  1024
#define TAIL_BYTES	  (512u << 10)
#define ALARM_INTERVAL_MS 60000

struct identity {
	uint64_t id;
	uint8_t kind;
};

struct cdr {
	struct dataplane *dataplane;
	struct cdr_file_config config;
	struct cdr_file *file; /* NULL: records are thrown away */
	struct identity *known; /* a ring of the last lines that were in the file at the start; NULL: nothing waited then */
	unsigned known_count;
	uint64_t failing_since_ms, alarm_ms;
	void (*seen)(void *ctx, const struct call_record *record);
	void *seen_ctx;
	struct cdr_stats stats;
	char line[CDR_LINE_MAX];
};

static void know(void *ctx, const char *line, size_t bytes)
{
	struct cdr *c = ctx;
	struct identity *i = &c->known[c->known_count % KNOWN_MAX];

	if (cdr_line_identity(line, bytes, &i->id, &i->kind))
		c->known_count++;
}

/* Only what was there before this process began can have been written already; our own ids begin with this start's number. */
static bool written_before(const struct cdr *c, const struct call_record *r)
{
	unsigned n = c->known_count < KNOWN_MAX ? c->known_count : KNOWN_MAX;

	if (r->id >> 48 == dataplane_configuration(c->dataplane)->boot)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (c->known[i].id == r->id && c->known[i].kind == r->kind)
			return true;
	return false;
}

int cdr_new(struct dataplane *dataplane, const struct cdr_file_config *file, struct cdr **ret_cdr, char *error)
{
	struct cdr *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return error_set(error, -ERR_NOMEM, "out of memory");
	c->dataplane = dataplane;
	c->config = *file;
	err = file->path[0] ? cdr_file_open(file, &c->file, error) : 0;
	if (!err && c->file && dataplane_record_peek(dataplane)) {
		c->known = calloc(KNOWN_MAX, sizeof(*c->known));
		if (c->known)
			cdr_file_tail(file, TAIL_BYTES, know, c);
		else
			err = error_set(error, -ERR_NOMEM, "out of memory");
	}
	if (err) {
		cdr_file_close(c->file);
		free(c);
		return err;
	}
	*ret_cdr = c;
	return 0;
}

static void failed(struct cdr *c)
{
	uint64_t now = dataplane_now_ms();

	c->stats.failures++;
	if (!c->stats.failing)
		c->failing_since_ms = now;
	if (!c->stats.failing || now - c->alarm_ms >= ALARM_INTERVAL_MS) {
		c->alarm_ms = now;
		log_line(LOG_LEVEL_ERROR, "call records cannot be written to %s: %s (they wait, and it is tried again every second)",
			 c->config.path, strerror(errno));
	}
	c->stats.failing = errno ? errno : EIO;
}

static void recovered(struct cdr *c)
{
	if (!c->stats.failing)
		return;
	log_line(LOG_LEVEL_NOTICE, "call records are written to %s again, after %llu s", c->config.path,
		 (unsigned long long)(dataplane_now_ms() - c->failing_since_ms) / 1000);
	c->stats.failing = 0;
}

/* false: it could not be written, and stays. */
static bool write_record(struct cdr *c, const struct call_record *r)
{
	if (!c->file)
		return true;
	if (c->known && written_before(c, r)) {
		c->stats.repeated++;
		return true;
	}
	if (cdr_file_append(c->file, c->line, cdr_line(r, dataplane_tables(c->dataplane)->trunks, c->line))) {
		failed(c);
		return false;
	}
	c->stats.written++;
	recovered(c);
	return true;
}

static bool take(struct cdr *c, unsigned most)
{
	const struct call_record *r;

	for (unsigned i = 0; i < most; i++) {
		r = dataplane_record_peek(c->dataplane);
		if (!r)
			return false;
		if (!write_record(c, r))
			return false;
		if (c->seen && r->id >> 48 == dataplane_configuration(c->dataplane)->boot)
			c->seen(c->seen_ctx, r);
		dataplane_record_drop(c->dataplane);
	}
	return true;
}

void cdr_listen(struct cdr *c, void (*seen)(void *ctx, const struct call_record *record), void *ctx)
{
	c->seen = seen;
	c->seen_ctx = ctx;
}

bool cdr_take(struct cdr *c)
{
	return !c->stats.failing && take(c, RECORDS_A_TURN);
}

bool cdr_second(struct cdr *c)
{
	if (!c->file)
		return false;
	if (cdr_file_check(c->file)) {
		failed(c);
		return false;
	}
	if (!c->stats.failing)
		return false;
	if (dataplane_record_peek(c->dataplane))
		return take(c, RECORDS_A_TURN);
	recovered(c);
	return false;
}

void cdr_reopen(struct cdr *c)
{
	if (c->file && cdr_file_reopen(c->file))
		log_line(LOG_LEVEL_ERROR, "call records: %s cannot be opened again: %s (the old file is written on)", c->config.path,
			 strerror(errno));
}

void cdr_free(struct cdr *c)
{
	if (!c)
		return;
	if (!c->stats.failing)
		take(c, RECORDS_AT_END);
	cdr_file_close(c->file);
	free(c->known);
	free(c);
}

void cdr_stats(const struct cdr *c, struct cdr_stats *ret)
{
	struct cdr_file_stats file = { 0 };

	if (c->file)
		cdr_file_stats(c->file, &file);
	*ret = c->stats;
	ret->rotations = file.rotations;
	ret->rotations_failed = file.rotations_failed;
}
