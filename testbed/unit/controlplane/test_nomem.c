/* SPDX-License-Identifier: Apache-2.0 */
/* The n-th allocation fails, for every n: whatever was asked for is refused whole, and what was in force stays. */
#include "publish_fixture.h"

#include "routing.h"

static long countdown = -1; /* -1: nothing fails */

static bool fails(void)
{
	return countdown >= 0 && countdown-- == 0;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t bytes);
void *__real_realloc(void *p, size_t n);

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t bytes)
{
	return fails() ? NULL : __real_calloc(n, bytes);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

#define OTHER                                                                                                                                 \
	"trunks:\n"                                                                                                                           \
	"  - {name: a, endpoints: [{address: 10.0.0.1, weight: 9}, {address: 10.0.0.3}], sources: [10.0.7.0/24], profile: new}\n"           \
	"  - {name: c, endpoints: [{address: 10.0.3.1}], sources: [10.0.3.0/24]}\n"                                                        \
	"profiles: [{name: in, strategy: weighted_lb, targets: [{trunk: c}, {trunk: a}]}, {name: new, targets: [{trunk: c}]}]\n"             \
	"numbers: [{number: '441', profile: new}, {number: '447', profile: in}]\n"                                                          \
	"domains: [{domain: example.com, profile: new}]\n"

static void publication(void **state)
{
	char error[ERROR_TEXT_MAX] = "";
	unsigned refused = 0;
	bool done = false;

	for (long n = 0; !done; n++) {
		struct model *other = model_of(OTHER);
		struct stage s;
		int err;

		set_up(&s);
		assert_int_equal(put(&s, WHOLE, error), 0);
		countdown = n;
		err = publish_model(s.publisher, s.model, other, error);
		done = countdown >= 0; /* not one failed: there are no more */
		countdown = -1;
		if (err) {
			refused++;
			expect_whole(&s);
			model_free(other);
		} else {
			expect_route(&s, "441", NULL, "new>10.0.3.1:5060 ");
			assert_string_equal(owner(&s, "10.0.0.9"), "-");
			model_free(s.model);
			s.model = other;
		}
		assert_int_equal(put(&s, "", error), 0);
		tear_down(&s);
		assert_true(n < 1000);
	}
	assert_true(refused > 10);
}

static void copies(void **state)
{
	struct model *m = model_of(WHOLE), *copy;

	for (long n = 0;; n++) {
		bool done;

		countdown = n;
		copy = model_copy(m);
		done = countdown >= 0;
		countdown = -1;
		if (copy)
			model_free(copy);
		if (done)
			break;
		assert_null(copy);
	}
	model_free(m);
}

static void loading(void **state)
{
	char error[ERROR_TEXT_MAX] = "";
	bool done = false;

	for (long n = 0; !done; n++) {
		struct model *m = NULL;
		struct yaml_file *y;
		void *raw;
		int err;

		assert_int_equal(yaml_file_parse("routing", WHOLE, strlen(WHOLE), &y, error), 0);
		assert_int_equal(yaml_file_load(y, &routing_schema, &raw, error), 0);
		countdown = n;
		err = model_load(raw, MODEL_ALL, NULL, &plenty, &m, error);
		done = countdown >= 0;
		countdown = -1;
		assert_int_equal(err, done ? 0 : -ERR_NOMEM);
		model_free(m);
		yaml_file_release(&routing_schema, raw);
		yaml_file_free(y);
		assert_true(n < 1000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(publication), cmocka_unit_test(copies), cmocka_unit_test(loading) };

	eal_for_test("128");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
