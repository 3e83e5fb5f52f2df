/* SPDX-License-Identifier: Apache-2.0 */
/* One writer publishing without pause, two readers looking up without locks: what they find must always be whole. Built for
 * ThreadSanitizer (see tsan.supp), and of use without it: a freed object shows under AddressSanitizer. */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/mailbox.h"
#include "tables/access.h"
#include "tables/domains.h"
#include "tables/endpoints.h"
#include "tables/epoch.h"
#include "tables/numbers.h"
#include "tables/profiles.h"
#include "tables/routes.h"
#include "tables/select.h"
#include "tables/tables.h"
#include "tables/trunks.h"

enum { READERS = 2, CHANGES = 3000, NUMBERS = 64, PROFILES = 4, ENDPOINTS = 8, TRUNKS = 12 };

struct race {
	struct tables *tables;
	_Atomic(bool) done;
	_Atomic(uint32_t) ready;
	struct mailbox *mail[READERS];
	uint32_t endpoint_slots[ENDPOINTS];
	uint32_t profile_slots[PROFILES];
	e164 numbers[NUMBERS];
};

struct reader {
	struct race *race;
	unsigned index;
	uint64_t turns, selected, faults;
};

/* Every object carries a stamp twice, in fields that one store cannot reach together. */

static struct profile *profile_stamped(const struct race *r, uint16_t stamp)
{
	uint16_t priorities[ENDPOINTS] = { 0 }, weights[ENDPOINTS];
	struct profile_target_source targets[2] = { 0 };
	struct profile_source s = { .name = "race", .strategy = (enum strategy)(stamp % 4), .knobs = profile_knobs_default(),
				    .target_count = 2, .targets = targets };

	s.knobs.exhausted_code = stamp;
	for (unsigned i = 0; i < ENDPOINTS; i++)
		weights[i] = stamp;
	for (unsigned i = 0; i < 2; i++)
		targets[i] = (struct profile_target_source){
			.stable_id = i, .position = (uint16_t)i, .weight = (uint16_t)(1 + stamp % 100), .enabled = true,
			.endpoint_count = ENDPOINTS / 2, .endpoints = r->endpoint_slots + i * ENDPOINTS / 2,
			.priorities = priorities, .weights = weights,
		};
	return profile_compile(&s);
}

static void endpoint_stamp(struct endpoint_config *c, uint16_t stamp)
{
	*c = (struct endpoint_config){ .addr = { ip_of("192.0.2.1"), stamp }, .id = stamp };
}

static void trunk_stamp(struct trunk *t, uint16_t stamp)
{
	*t = (struct trunk){ .id = 1u + stamp, .endpoint_count = stamp };
}

static void look(struct reader *rd, uint64_t turn)
{
	const struct tables *t = rd->race->tables;
	const struct profile *p = profiles_get(t->profiles, rd->race->profile_slots[turn % PROFILES]);
	const struct endpoint_config *c = endpoints_get(t->endpoints, rd->race->endpoint_slots[turn % ENDPOINTS]);
	const struct trunk *trunk = trunks_get(t->trunks, (uint32_t)(turn % TRUNKS));
	struct ip_addr ip = { .family = IP_V4, .bytes = { 10, 0, 0, (uint8_t)turn } };
	struct number_match m = numbers_lookup(t->numbers, rd->race->numbers[turn % NUMBERS]);
	uint32_t source = access_lookup(t->access, &ip);
	struct route_result hop;

	if (p && p->targets[1].weights[0] != p->knobs.exhausted_code)
		rd->faults++;
	if (p && !p->table_size != (p->strategy != STRATEGY_WEIGHTED))
		rd->faults++;
	if (p) {
		struct selection_state s;
		struct selection one;

		selection_start(&s, p->strategy == STRATEGY_ROUND_ROBIN ?
					    profiles_ticket(t->profiles, rd->race->profile_slots[turn % PROFILES]) :
					    mix64(turn));
		while (!select_next(p, t->endpoints, turn, &s, &one))
			rd->selected++;
	}
	if (c && c->addr.port != c->id)
		rd->faults++;
	if (trunk && trunk->id != 1u + trunk->endpoint_count)
		rd->faults++;
	if (trunk) {
		uint32_t found = trunks_find(t->trunks, trunk->id);

		/* Removed since, or moved to another slot; what is found must be a trunk's place. */
		rd->faults += found != TRUNK_NONE && found >= TRUNKS;
	}
	/* A number leads to a slot that tells it from the others, a prefix to one that tells its length. */
	if (m.profile_slot != NUMBERS_NONE && m.exact && m.profile_slot % NUMBERS != turn % NUMBERS)
		rd->faults++;
	if (m.profile_slot != NUMBERS_NONE && !m.exact && m.profile_slot != 1000u + m.prefix_digits)
		rd->faults++;
	if (source != TRUNK_NONE && source > UINT8_MAX)
		rd->faults++;
	if (routes_lookup(t->routes, &ip, &hop) == ROUTE_OK)
		for (unsigned i = 1; i < 6; i++)
			rd->faults += hop.mac[i] != hop.mac[0];
	if (domains_lookup(domain_table_get(t->domains), SPAN_LIT("race.example")) % 7 != 3)
		rd->faults++;
}

static void *read_all(void *arg)
{
	struct reader *rd = arg;
	struct epoch *e = rd->race->tables->epoch;
	uint64_t letter[4], expected = 0;

	epoch_online(e, rd->index);
	atomic_fetch_add(&rd->race->ready, 1);
	while (!atomic_load_explicit(&rd->race->done, memory_order_acquire)) {
		look(rd, rd->turns++);
		while (mailbox_take(rd->race->mail[rd->index], letter)) {
			for (unsigned i = 0; i < 4; i++)
				rd->faults += letter[i] != expected;
			expected++;
		}
		epoch_quiescent(e, rd->index);
		if (rd->turns % 64 == 0) {
			/* As an idle worker does before it naps. */
			epoch_offline(e, rd->index);
			sched_yield();
			epoch_online(e, rd->index);
		}
	}
	epoch_offline(e, rd->index);
	return NULL;
}

static void change_numbers(struct race *r, unsigned k)
{
	static const char *const prefixes[] = { "4", "44", "442" };
	e164 number = r->numbers[k % NUMBERS];
	const char *prefix = prefixes[k % 3];

	if (random_next() % 3)
		assert_int_equal(numbers_set(r->tables->numbers, number, k % NUMBERS + NUMBERS * (uint32_t)(random_next() % 100)), 0);
	else
		(void)numbers_delete(r->tables->numbers, number);
	if (random_next() % 2)
		assert_int_equal(numbers_set_prefix(r->tables->numbers, number_of(prefix), 1000 + (uint32_t)strlen(prefix)), 0);
	else
		(void)numbers_delete_prefix(r->tables->numbers, number_of(prefix));
}

static void change_slots(struct race *r, unsigned k, uint16_t stamp)
{
	struct tables *t = r->tables;
	uint32_t slot = (uint32_t)(random_next() % TRUNKS);
	struct endpoint_config c;
	struct trunk trunk;
	int result;

	profiles_update(t->profiles, r->profile_slots[k % PROFILES], profile_stamped(r, stamp));
	endpoint_stamp(&c, stamp);
	assert_int_equal(endpoints_update(t->endpoints, r->endpoint_slots[k % ENDPOINTS], &c), 0);
	atomic_store_explicit(&endpoints_live(t->endpoints, r->endpoint_slots[k % ENDPOINTS])->health,
			      (uint8_t)(random_next() % 5), memory_order_relaxed);
	endpoint_eject(t->endpoints, r->endpoint_slots[k % ENDPOINTS], &(struct ejection){ .until_ms = k });
	/* Trunks come, go and change names; the table is full until readers have let go of a removed one. */
	trunk_stamp(&trunk, stamp);
	if (!trunks_get(t->trunks, slot))
		result = trunks_add(t->trunks, &trunk, &slot);
	else if (stamp % 2)
		result = trunks_update(t->trunks, slot, &trunk);
	else
		result = (trunks_remove(t->trunks, slot), 0);
	assert_true(result == 0 || result == -ERR_EXISTS || result == -ERR_FULL);
}

static void change_lists(struct race *r, unsigned k, uint8_t stamp)
{
	struct tables *t = r->tables;
	struct range_entry entries[40];
	struct domain_entry domain = { "race.example", 3 + 7u * k };
	struct route routes[2] = { { .prefix = prefix_of("10.0.0.0/8"), .gateway = ip_of("192.0.2.1"), .port = stamp % 2 },
				   { .prefix = prefix_of("10.0.0.128/25"), .port = stamp % 2 } };
	struct ip_addr gateway = ip_of("192.0.2.1");

	for (unsigned i = 0; i < ARRAY_SIZE(entries); i++) {
		entries[i] = (struct range_entry){ prefix_of("10.0.0.0/32"), stamp };
		entries[i].prefix.ip.bytes[3] = (uint8_t)(i * 5 + stamp);
	}
	assert_int_equal(access_publish(t->access, entries, random_next() % ARRAY_SIZE(entries)), 0);
	assert_int_equal(routes_publish(t->routes, routes, 1 + stamp % 2), 0);
	assert_int_equal(routes_neighbour_set(t->routes, stamp % 2, &gateway,
					      (uint8_t[]){ stamp, stamp, stamp, stamp, stamp, stamp }), 0);
	if (stamp % 5 == 0)
		routes_neighbour_delete(t->routes, stamp % 2, &gateway);
	domain_table_publish(t->domains, domains_build(&domain, 1));
}

static void race_start(struct race *r)
{
	static const struct tables_limits limits = { READERS, 1000, 100, PROFILES, TRUNKS, ENDPOINTS };
	struct endpoint_config c;

	memset(r, 0, sizeof(*r));
	r->tables = tables_new(&limits);
	assert_non_null(r->tables);
	for (unsigned i = 0; i < ENDPOINTS; i++) {
		endpoint_stamp(&c, (uint16_t)i);
		assert_int_equal(endpoints_add(r->tables->endpoints, &c, &r->endpoint_slots[i]), 0);
	}
	for (unsigned i = 0; i < PROFILES; i++)
		assert_int_equal(profiles_add(r->tables->profiles, profile_stamped(r, (uint16_t)i), &r->profile_slots[i]), 0);
	for (unsigned i = 0; i < NUMBERS; i++) {
		char digits[16];

		snprintf(digits, sizeof(digits), "44203555%04u", i);
		r->numbers[i] = number_of(digits);
	}
	change_lists(r, 0, 1);
	for (unsigned i = 0; i < READERS; i++) {
		r->mail[i] = mailbox_new(16, 4 * sizeof(uint64_t));
		assert_non_null(r->mail[i]);
	}
}

static void test_race(void **state)
{
	static struct race race;
	struct reader readers[READERS] = { 0 };
	pthread_t threads[READERS];
	uint64_t posted[READERS] = { 0 };
	uint32_t waiting = 0, most = 0;

	random_state = 9;
	race_start(&race);
	for (unsigned i = 0; i < READERS; i++) {
		readers[i] = (struct reader){ .race = &race, .index = i };
		assert_int_equal(pthread_create(&threads[i], NULL, read_all, &readers[i]), 0);
	}
	while (atomic_load(&race.ready) < READERS)
		sched_yield();
	for (unsigned k = 1; k <= CHANGES; k++) {
		uint16_t stamp = (uint16_t)(random_next() % 10000);

		change_numbers(&race, k);
		change_slots(&race, k, stamp);
		change_lists(&race, k, (uint8_t)stamp);
		for (unsigned i = 0; i < READERS; i++) {
			uint64_t n = posted[i], letter[4] = { n, n, n, n };

			posted[i] += mailbox_post(race.mail[i], letter);
		}
		waiting = epoch_reclaim(race.tables->epoch);
		most = waiting > most ? waiting : most;
		if (waiting > 500)
			sched_yield();
	}
	atomic_store_explicit(&race.done, true, memory_order_release);
	for (unsigned i = 0; i < READERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(readers[i].faults, 0);
		assert_true(readers[i].turns > 0);
		print_message("reader %u: %lu turns, %lu selections, %lu letters\n", i, readers[i].turns, readers[i].selected, posted[i]);
		mailbox_free(race.mail[i]);
	}
	print_message("at most %u objects waited for the readers\n", most);
	assert_int_equal(epoch_reclaim(race.tables->epoch), 0);
	tables_free(race.tables);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_race) };

	eal_for_test("96");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
