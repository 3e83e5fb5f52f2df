/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Which instruction set the hot loops use: the best that this CPU has, chosen once before main. Every loop has a scalar twin,
 * and both give the same answers. */

enum cpu_level {
	CPU_SCALAR,
	CPU_AVX2,   /* with BMI1, BMI2, LZCNT: Haswell, Zen */
	CPU_AVX512, /* with BW, VL and VBMI2: Ice Lake, Zen 4 */
	CPU_LEVELS
};

/* The one in use; written by cpu_select only. any */
extern enum cpu_level cpu_level;

/* Forces a level (tests, benchmarks); false: this CPU lacks it. control-only, before the workers start */
bool cpu_select(enum cpu_level level);

#if defined(__x86_64__)
#define CPU_X86	    1
#define TARGET_AVX2 __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))
#define TARGET_AVX512 __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512vl,avx512vbmi2")))
#else
#define CPU_X86 0
#endif
