/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cpu.h"

enum cpu_level cpu_level;

static bool has(enum cpu_level level)
{
	if (level == CPU_SCALAR)
		return true;
#if CPU_X86
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi") || !__builtin_cpu_supports("bmi2"))
		return false;
	return level == CPU_AVX2 ||
	       (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi2"));
#else
	return false;
#endif
}

bool cpu_select(enum cpu_level level)
{
	if (!has(level))
		return false;
	cpu_level = level;
	return true;
}

static __attribute__((constructor)) void choose(void)
{
#if CPU_X86
	__builtin_cpu_init();
#endif
	if (!cpu_select(CPU_AVX512) && !cpu_select(CPU_AVX2))
		cpu_select(CPU_SCALAR);
}
