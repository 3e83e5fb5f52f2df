/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/file_signature.h"

#include <sys/stat.h>

#include "base/siphash.h"

uint64_t file_signature(uint64_t hash, const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return mix64(hash + 1);
	hash = mix64(hash ^ (uint64_t)st.st_ino ^ (uint64_t)st.st_dev << 40);
	hash = mix64(hash ^ (uint64_t)st.st_size ^ (uint64_t)st.st_mode << 32);
	hash = mix64(hash ^ (uint64_t)st.st_mtim.tv_sec ^ (uint64_t)st.st_mtim.tv_nsec << 34);
	return mix64(hash ^ (uint64_t)st.st_ctim.tv_sec ^ (uint64_t)st.st_ctim.tv_nsec << 34);
}
