/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Secrets from the kernel (getrandom); cannot fail on a running system, aborts if it does. control-only */
void random_secret(void *out, size_t bytes);
