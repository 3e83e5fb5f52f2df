/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "error.h"
#include "resolve/follow.h"
#include "sip/via.h"

#define KEPT_FORMAT  "names"
#define KEPT_VERSION 1
#define KEPT_BYTES_MAX (64u << 20)

struct kept {
	json_t *names;
};

static json_t *addr_json(const struct ip_port *addr)
{
	char text[IP_PORT_TEXT_MAX];

	ip_port_format(addr, text);
	return json_string(text);
}

static json_t *follow_json(const struct follow *f)
{
	json_t *places = json_array(), *former = json_array();

	for (unsigned i = 0; i < f->now.count; i++) {
		const struct sip_place *p = &f->now.places[i];

		json_array_append_new(places, json_pack("{s:o, s:i, s:i, s:i, s:s}", "address", addr_json(&p->addr), "transport", p->transport,
							"priority", p->priority, "weight", p->weight, "target", p->target));
	}
	for (unsigned i = 0; i < f->former_count; i++)
		json_array_append_new(former, json_pack("{s:o, s:I}", "address", addr_json(&f->former[i].addr), "left",
							(json_int_t)f->former[i].left_unix_ms));
	return json_pack("{s:s, s:i, s:i, s:I, s:o, s:o}", "host", f->target.name, "port", f->target.port, "transport", f->target.transport,
			 "good", (json_int_t)f->good_unix_ms, "places", places, "former", former);
}

int kept_write(const char *path, const struct follow *list, char *error)
{
	json_t *names = json_array(), *all = json_pack("{s:s, s:i, s:o}", "strowger", KEPT_FORMAT, "version", KEPT_VERSION, "names", names);
	char *temporary = NULL;
	int fd = -1, err = 0;

	for (const struct follow *f = list; f; f = f->next)
		if (f->good_unix_ms && (f->now.count || f->former_count))
			json_array_append_new(names, follow_json(f));
	if (!all || asprintf(&temporary, "%s.new", path) < 0) {
		temporary = NULL;
		err = error_set(error, -ERR_NOMEM, "out of memory");
	}
	/* Not synced: after a power cut an older file, or none, does. */
	if (!err) {
		fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
		if (fd < 0 || json_dumpfd(all, fd, JSON_COMPACT) || rename(temporary, path))
			err = error_set(error, -ERR_IO, "%s: %s", path, strerror(errno));
	}
	if (fd >= 0)
		close(fd);
	if (err && fd >= 0)
		unlink(temporary);
	free(temporary);
	json_decref(all);
	return err;
}

struct kept *kept_read(const char *path, char *error)
{
	struct kept *k;
	json_error_t problem;
	json_t *all, *names;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	*error = 0;
	if (fd < 0) {
		if (errno != ENOENT)
			error_set(error, -ERR_IO, "%s: %s", path, strerror(errno));
		return NULL;
	}
	if (lseek(fd, 0, SEEK_END) > KEPT_BYTES_MAX || lseek(fd, 0, SEEK_SET)) {
		error_set(error, -ERR_INVALID, "%s: not a file of names", path);
		close(fd);
		return NULL;
	}
	all = json_loadfd(fd, JSON_REJECT_DUPLICATES, &problem);
	close(fd);
	names = json_object_get(all, "names");
	k = calloc(1, sizeof(*k));
	if (!k || !json_is_array(names) || json_integer_value(json_object_get(all, "version")) != KEPT_VERSION) {
		error_set(error, -ERR_INVALID, "%s: not a file of names%s%s", path, all ? "" : ": ", all ? "" : problem.text);
		free(k);
		json_decref(all);
		return NULL;
	}
	k->names = json_incref(names);
	json_decref(all);
	return k;
}

void kept_free(struct kept *k)
{
	if (!k)
		return;
	json_decref(k->names);
	free(k);
}

static bool read_addr(const json_t *from, struct ip_port *ret)
{
	const char *text = json_string_value(json_object_get(from, "address"));

	return text && ip_port_parse(span_str(text), 5060, ret) == 0;
}

static bool in_range(const json_t *from, const char *key, uint16_t *ret)
{
	json_int_t value = json_integer_value(json_object_get(from, key));

	*ret = (uint16_t)value;
	return value >= 0 && value <= UINT16_MAX;
}

static unsigned read_places(const json_t *list, struct sip_place *places)
{
	unsigned n = 0;
	json_t *from;
	size_t i;

	json_array_foreach((json_t *)list, i, from) {
		struct sip_place *p = &places[n];
		const char *target = json_string_value(json_object_get(from, "target"));
		uint16_t transport;

		if (n == TRUNK_ENDPOINTS_MAX)
			break;
		memset(p, 0, sizeof(*p));
		if (!read_addr(from, &p->addr) || !in_range(from, "priority", &p->priority) || !in_range(from, "weight", &p->weight) ||
		    !in_range(from, "transport", &transport) || transport > TRANSPORT_TLS || !target || strlen(target) >= sizeof(p->target))
			continue;
		p->transport = (uint8_t)transport;
		strcpy(p->target, target);
		n++;
	}
	return n;
}

static unsigned read_former(const json_t *list, struct former_place *former)
{
	unsigned n = 0;
	json_t *from;
	size_t i;

	json_array_foreach((json_t *)list, i, from) {
		if (n == FOLLOW_FORMER_MAX)
			break;
		memset(&former[n], 0, sizeof(former[n]));
		former[n].left_unix_ms = (uint64_t)json_integer_value(json_object_get(from, "left"));
		n += read_addr(from, &former[n].addr);
	}
	return n;
}

void kept_remember(const struct kept *k, struct follow *f)
{
	struct sip_place *places = calloc(TRUNK_ENDPOINTS_MAX, sizeof(*places));
	struct former_place former[FOLLOW_FORMER_MAX];
	json_t *from;
	size_t i;

	json_array_foreach(k->names, i, from) {
		const char *host = json_string_value(json_object_get(from, "host"));
		json_int_t good = json_integer_value(json_object_get(from, "good"));
		unsigned n, gone;

		if (!places || !host || strcmp(host, f->target.name) != 0 || good <= 0 ||
		    json_integer_value(json_object_get(from, "port")) != f->target.port ||
		    json_integer_value(json_object_get(from, "transport")) != f->target.transport)
			continue;
		n = read_places(json_object_get(from, "places"), places);
		gone = read_former(json_object_get(from, "former"), former);
		if (n || gone)
			follow_remember(f, places, n, former, gone, (uint64_t)good);
		break;
	}
	free(places);
}
