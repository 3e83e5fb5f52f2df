/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "api/control.h"
#include "api/handlers.h"
#include "api/operations.h"
#include "base/err.h"
#include "error.h"
#include "model/model_json.h"
#include "model/number_map.h"
#include "routing.h"

struct found {
	e164 number;
	uint32_t profile_id;
};

/* Digits first, then length: as people sort them. */
static int compare(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	uint64_t p = x->number << 4, q = y->number << 4;

	if (p != q)
		return p < q ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static bool begins_with(e164 number, e164 digits)
{
	unsigned n = e164_digits(digits);

	return e164_digits(number) >= n && e164_truncate(number, n) == digits;
}

/* Keeps the `most` smallest of the matching in a heap whose root is the largest of them. */
struct heap {
	struct found *list;
	uint32_t count, most;
	uint64_t matched;
};

static void sift_down(struct heap *h, uint32_t at)
{
	for (;;) {
		uint32_t largest = at, left = 2 * at + 1, right = left + 1;
		struct found keep = h->list[at];

		if (left < h->count && compare(&h->list[left], &h->list[largest]) > 0)
			largest = left;
		if (right < h->count && compare(&h->list[right], &h->list[largest]) > 0)
			largest = right;
		if (largest == at)
			return;
		h->list[at] = h->list[largest];
		h->list[largest] = keep;
		at = largest;
	}
}

static void offer(struct heap *h, const struct found *f)
{
	uint32_t at = h->count;

	h->matched++;
	if (h->count == h->most) {
		if (compare(f, &h->list[0]) < 0) {
			h->list[0] = *f;
			sift_down(h, 0);
		}
		return;
	}
	h->list[h->count++] = *f;
	while (at && compare(&h->list[at], &h->list[(at - 1) / 2]) > 0) {
		struct found keep = h->list[at];

		h->list[at] = h->list[(at - 1) / 2];
		h->list[(at - 1) / 2] = keep;
		at = (at - 1) / 2;
	}
}

/* {"total": matching, "list": the first of them} */
static int list_map(const struct control *c, bool prefixes, e164 digits, uint32_t limit, json_t *result, char *error)
{
	const struct model *m = c->routing->model;
	const struct number_map *map = prefixes ? m->prefixes : m->numbers;
	struct heap h = { .list = calloc(limit, sizeof(*h.list)), .most = limit };
	json_t *list = json_array();
	uint64_t cursor = 0;
	struct found f;

	if (!h.list) {
		json_decref(list);
		return error_set(error, -ERR_NOMEM, "out of memory");
	}
	while (number_map_next(map, &cursor, &f.number, &f.profile_id))
		if (!digits || begins_with(f.number, digits))
			offer(&h, &f);
	qsort(h.list, h.count, sizeof(*h.list), compare);
	for (uint32_t i = 0; i < h.count; i++)
		json_array_append_new(list, model_number_json(h.list[i].number, prefixes, model_profile_name(m, h.list[i].profile_id)));
	json_object_set_new(result, prefixes ? "prefixes" : "numbers", list);
	json_object_set_new(result, prefixes ? "prefixes_total" : "numbers_total", json_integer((json_int_t)h.matched));
	free(h.list);
	return 0;
}

int operation_numbers(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	const char *prefix = param_text(params, "prefix");
	json_int_t limit = param_integer(params, "limit", 100);
	e164 digits = 0;
	json_t *result;
	int err;

	if (prefix && e164_parse(span_str(prefix), &digits))
		return error_set(error, -ERR_INVALID, "prefix: '%.64s' is not an E.164 prefix (+, up to 15 digits)", prefix);
	if (limit < 1 || limit > 100000)
		return error_set(error, -ERR_INVALID, "limit: %lld is not in 1..100000", (long long)limit);
	result = json_object();
	err = list_map(c, false, digits, (uint32_t)limit, result, error);
	if (!err)
		err = list_map(c, true, digits, (uint32_t)limit, result, error);
	if (err)
		json_decref(result);
	else
		*ret_result = result;
	return err;
}

int operation_number_set(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	const char *number = param_text(params, "number"), *prefix = param_text(params, "prefix");
	const char *text = number ? number : prefix, *profile = param_text(params, "profile");
	e164 digits;
	int err;

	if (!number == !prefix)
		return error_set(error, -ERR_INVALID, "number: needs either number or prefix");
	if (e164_parse(span_str(text), &digits))
		return error_set(error, -ERR_INVALID, "%s: '%.64s' is not an E.164 %s (+, up to 15 digits)", number ? "number" : "prefix", text,
				 number ? "number" : "prefix");
	err = routing_set_number(c->routing, digits, !number, profile, error);
	if (err)
		return err;
	if (c->changed)
		c->changed(c->ctx);
	*ret_result = model_number_json(digits, !number, profile);
	return 0;
}
