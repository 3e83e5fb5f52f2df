// SPDX-License-Identifier: Apache-2.0
// Every step of the path beside what bounds it: memcpy and memchr of the same bytes, libosip2's parser.
#include <benchmark/benchmark.h>

#include "shim.h"

static void per_message(benchmark::State &state, uint32_t (*step)(unsigned))
{
	uint64_t bytes = 0;
	unsigned i = 0;

	for (auto _ : state) {
		uint32_t len;

		bench_message(i, &len);
		bytes += len;
		benchmark::DoNotOptimize(step(i++ % BENCH_MESSAGES));
	}
	state.SetBytesProcessed(static_cast<int64_t>(bytes));
}

static void scan_as(benchmark::State &state, int kind)
{
	if (!bench_scan_kind(kind)) {
		state.SkipWithError("not on this CPU");
		return;
	}
	per_message(state, bench_scan);
}

BENCHMARK_CAPTURE(per_message, memcpy, bench_memcpy);
BENCHMARK_CAPTURE(per_message, memchr_lines, bench_memchr_lines);
BENCHMARK_CAPTURE(scan_as, scalar, 0)->Name("scan/scalar");
BENCHMARK_CAPTURE(scan_as, avx2, 1)->Name("scan/avx2");
BENCHMARK_CAPTURE(scan_as, avx512, 2)->Name("scan/avx512");
BENCHMARK_CAPTURE(per_message, quick, bench_quick);
BENCHMARK_CAPTURE(per_message, parse, bench_parse);
BENCHMARK_CAPTURE(per_message, osip_parse, bench_osip_parse);
BENCHMARK_CAPTURE(per_message, compose, bench_compose);
BENCHMARK_CAPTURE(per_message, branch, bench_branch);
BENCHMARK_CAPTURE(per_message, token, bench_token);

static void select_by(benchmark::State &state, int strategy)
{
	uint64_t hash = 0;

	for (auto _ : state)
		benchmark::DoNotOptimize(bench_select(strategy, hash += 0x9e3779b97f4a7c15ULL));
}
BENCHMARK_CAPTURE(select_by, failover, 0)->Name("select/failover");
BENCHMARK_CAPTURE(select_by, round_robin, 1)->Name("select/round_robin");
BENCHMARK_CAPTURE(select_by, weighted, 2)->Name("select/weighted_lb");

static void number_lookup(benchmark::State &state)
{
	uint64_t n = 0;

	for (auto _ : state)
		benchmark::DoNotOptimize(bench_number_lookup(n += 7919));
}
BENCHMARK(number_lookup);

static void invite_answered(benchmark::State &state)
{
	uint64_t before = bench_frames_sent();

	for (auto _ : state)
		benchmark::DoNotOptimize(bench_invite_answered());
	if (bench_frames_sent() - before != 3 * static_cast<uint64_t>(state.iterations()))
		state.SkipWithError("not every message came out");
	state.counters["ns_per_sent"] = benchmark::Counter(static_cast<double>(bench_frames_sent() - before) * 1e-9,
							   benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(invite_answered)->Name("pipeline/invite_and_200");

static void peers(benchmark::State &state)
{
	for (auto _ : state)
		benchmark::DoNotOptimize(bench_peers());
}
BENCHMARK(peers)->Name("pipeline/peers_alone");

static void in_dialog(benchmark::State &state)
{
	uint64_t before = bench_frames_sent();

	for (auto _ : state)
		benchmark::DoNotOptimize(bench_in_dialog());
	if (bench_frames_sent() - before != static_cast<uint64_t>(state.iterations()))
		state.SkipWithError("not every message came out");
}
BENCHMARK(in_dialog)->Name("pipeline/in_dialog");

int main(int argc, char **argv)
{
	benchmark::Initialize(&argc, argv);
	if (benchmark::ReportUnrecognizedArguments(argc, argv) || bench_pipeline_start() < 0)
		return 1;
	benchmark::RunSpecifiedBenchmarks();
	benchmark::Shutdown();
	return 0;
}
