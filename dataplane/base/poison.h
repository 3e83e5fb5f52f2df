/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Memory that our own pools hold back is invisible to AddressSanitizer unless it is told. Nothing in other builds. */

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define POISON_ACTIVE 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define POISON_ACTIVE 1
#endif

#ifdef POISON_ACTIVE
#include <assert.h>
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#define POISON_GAP_BYTES 64 /* between neighbours, so that running off the end of one is seen */
#define poison_region(p, bytes)	  ASAN_POISON_MEMORY_REGION(p, bytes)
#define unpoison_region(p, bytes) ASAN_UNPOISON_MEMORY_REGION(p, bytes)
#define assert_not_poisoned(p)	  assert(!__asan_address_is_poisoned(p))
/* What lies there is in use: what it points to is no leak. */
#define root_region(p, bytes)	__lsan_register_root_region(p, bytes)
#define unroot_region(p, bytes) __lsan_unregister_root_region(p, bytes)
#else
#define POISON_GAP_BYTES 0
#define poison_region(p, bytes)	  ((void)(p), (void)(bytes))
#define unpoison_region(p, bytes) ((void)(p), (void)(bytes))
#define assert_not_poisoned(p)	  ((void)(p))
#define root_region(p, bytes)	  ((void)(p), (void)(bytes))
#define unroot_region(p, bytes)	  ((void)(p), (void)(bytes))
#endif
