/* SPDX-License-Identifier: Apache-2.0 */
#include "model/model.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "error.h"
#include "model/number_map.h"
#include "model/u64map.h"
#include "tables/ranges.h"
#include "sip/via.h"

struct model *model_new(void)
{
	struct model *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->numbers = number_map_new(0);
	m->prefixes = number_map_new(0);
	m->trunk_index = u64map_new(0);
	m->profile_index = u64map_new(0);
	if (!m->numbers || !m->prefixes || !m->trunk_index || !m->profile_index) {
		model_free(m);
		return NULL;
	}
	return m;
}

void model_free(struct model *m)
{
	if (!m)
		return;
	free(m->trunks);
	free(m->profiles);
	free(m->domains);
	number_map_unref(m->numbers);
	number_map_unref(m->prefixes);
	u64map_free(m->trunk_index);
	u64map_free(m->profile_index);
	free(m);
}

/* A copy of n elements; an empty list has memory too, so that NULL always means failure. */
static void *copy_list(const void *list, uint32_t n, size_t bytes)
{
	void *copy = malloc(n ? n * bytes : 1);

	if (copy && n)
		memcpy(copy, list, n * bytes);
	return copy;
}

struct model *model_copy(const struct model *m)
{
	struct model *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->trunk_count = m->trunk_count;
	c->profile_count = m->profile_count;
	c->domain_count = m->domain_count;
	c->trunks = copy_list(m->trunks, m->trunk_count, sizeof(*m->trunks));
	c->profiles = copy_list(m->profiles, m->profile_count, sizeof(*m->profiles));
	c->domains = copy_list(m->domains, m->domain_count, sizeof(*m->domains));
	c->numbers = number_map_ref(m->numbers);
	c->prefixes = number_map_ref(m->prefixes);
	c->trunk_index = u64map_new(m->trunk_count);
	c->profile_index = u64map_new(m->profile_count);
	if (!c->trunks || !c->profiles || !c->domains || !c->trunk_index || !c->profile_index)
		goto fail;
	for (uint32_t i = 0; i < c->trunk_count; i++)
		if (u64map_set(c->trunk_index, c->trunks[i].id, i))
			goto fail;
	for (uint32_t i = 0; i < c->profile_count; i++)
		if (u64map_set(c->profile_index, c->profiles[i].id, i))
			goto fail;
	return c;
fail:
	model_free(c);
	return NULL;
}

struct model_trunk *model_trunk_by_id(const struct model *m, uint32_t id)
{
	uint32_t i = u64map_get(m->trunk_index, id);

	return i == U64MAP_NONE ? NULL : &m->trunks[i];
}

int model_trunk_append(struct model *m, const struct model_trunk *t)
{
	struct model_trunk *more = realloc(m->trunks, (m->trunk_count + 1) * sizeof(*more));

	if (!more)
		return -ERR_NOMEM;
	m->trunks = more;
	if (u64map_set(m->trunk_index, t->id, m->trunk_count))
		return -ERR_NOMEM;
	m->trunks[m->trunk_count++] = *t;
	return 0;
}

struct model_profile *model_profile_by_id(const struct model *m, uint32_t id)
{
	uint32_t i = u64map_get(m->profile_index, id);

	return i == U64MAP_NONE ? NULL : &m->profiles[i];
}

struct model_trunk *model_trunk(const struct model *m, const char *name)
{
	struct model_trunk *t = model_trunk_by_id(m, trunk_id(span_str(name)));

	return t && strcasecmp(t->name, name) == 0 ? t : NULL;
}

struct model_profile *model_profile(const struct model *m, const char *name)
{
	struct model_profile *p = model_profile_by_id(m, trunk_id(span_str(name)));

	return p && strcasecmp(p->name, name) == 0 ? p : NULL;
}

struct model_target *model_target(struct model_profile *p, const char *trunk)
{
	for (unsigned i = 0; i < p->target_count; i++)
		if (strcasecmp(p->targets[i].trunk, trunk) == 0)
			return &p->targets[i];
	return NULL;
}

const char *model_profile_name(const struct model *m, uint32_t id)
{
	const struct model_profile *p = model_profile_by_id(m, id);

	return p ? p->name : "?";
}

bool host_name_read(const char *text, char ret[DNS_TEXT_MAX])
{
	size_t n = strlen(text), label = 0;

	if (n && text[n - 1] == '.')
		n--;
	if (!n || n >= DNS_TEXT_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '.' ? !label : !isalnum(c) && c != '-' && c != '_')
			return false;
		label = c == '.' ? 0 : label + 1;
		if (label > 63)
			return false;
		ret[i] = (char)tolower(c);
	}
	ret[n] = 0;
	return label > 0;
}

bool model_name_valid(const char *name)
{
	size_t n = strlen(name);

	if (n < 1 || n > 63 || !isalnum((unsigned char)name[0]))
		return false;
	return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

bool model_speaks_tls(const struct model_trunk *t)
{
	for (unsigned i = 0; i < t->endpoint_count; i++)
		if (t->endpoints[i].transport == TRANSPORT_TLS)
			return true;
	return t->tls.given != 0;
}

struct model_endpoint model_former_by_tls(const struct model_trunk *t, unsigned i)
{
	return (struct model_endpoint){ .addr = t->former[i].addr, .transport = TRANSPORT_TLS, .by_host = t->host_count ? 1 : 0 };
}
