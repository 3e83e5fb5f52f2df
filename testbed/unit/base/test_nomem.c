/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/directory.h"
#include "base/mailbox.h"
#include "base/pool.h"
#include "base/slab.h"
#include "base/wheel.h"

#include "nomem.h"

static void everything(void)
{
	struct pool *p = pool_new(100, 100);
	struct slab *s = slab_new(1 << 20);
	struct wheel *w = wheel_new(0);
	struct mailbox *m = mailbox_new(100, 100);
	struct directory d;

	if (p)
		pool_put(p, pool_get(p));
	if (s)
		slab_put(s, slab_get(s, 1000));
	pool_free(p);
	slab_free(s);
	if (w)
		wheel_free(w);
	mailbox_free(m);
	directory_init(&d, 100);
	directory_done(&d);
}

static void test_everything(void **state)
{
	assert_in_range(nomem_run(everything), 11, 12); /* 12: pools note what is taken in debug builds */
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_everything) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
