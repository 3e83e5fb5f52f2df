/* SPDX-License-Identifier: Apache-2.0 */
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Stands in for libFuzzer: runs a target over files, each in a buffer of its exact size.
 * usage: fuzz_TARGET SEEDS [FOLDER...]   FOLDERs, and $STROWGER_TORTURE, are further seeds where they exist. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Not every target has one. */
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

static unsigned runs;

static int run_file(const char *path, const struct stat *st, int type, struct FTW *place)
{
	size_t n = (size_t)st->st_size;
	uint8_t *data;
	FILE *f;

	if (type != FTW_F)
		return 0;
	f = fopen(path, "rb");
	data = malloc(n ? n : 1);
	if (!f || !data || fread(data, 1, n, f) != n) {
		fprintf(stderr, "%s: cannot be read\n", path);
		return 1;
	}
	fclose(f);
	LLVMFuzzerTestOneInput(data, n);
	free(data);
	runs++;
	return 0;
}

static int run_folder(const char *path)
{
	return nftw(path, run_file, 16, FTW_PHYS);
}

int main(int argc, char **argv)
{
	const char *torture = getenv("STROWGER_TORTURE");
	struct stat st;

	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	if (argc < 2 || run_folder(argv[1]) || !runs) {
		fprintf(stderr, "%s: no seeds\n", argc < 2 ? argv[0] : argv[1]);
		return 1;
	}
	for (int i = 2; i < argc; i++)
		if (stat(argv[i], &st) == 0 && run_folder(argv[i]))
			return 1;
	if (torture && stat(torture, &st) == 0 && run_folder(torture))
		return 1;
	printf("%u inputs\n", runs);
	return 0;
}
