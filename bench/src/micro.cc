// SPDX-License-Identifier: Apache-2.0
// Every step of the path beside what bounds it, under Google Benchmark; run_micro.py reads its JSON.
#include <benchmark/benchmark.h>

#include "micro.h"

static void run(benchmark::State &state, const micro_step *step)
{
	uint64_t operations = step->operations ? step->operations : 1, good = 1;
	uint32_t i = 0;

	if (step->prepare && !step->prepare()) {
		state.SkipWithError("not on this machine");
		return;
	}
	for (auto _ : state) {
		uint64_t done = step->run(i++);

		benchmark::DoNotOptimize(done);
		good &= done != 0;
	}
	if (!good)
		state.SkipWithError("a step did not do what it should");
	state.counters["ns_each"] = benchmark::Counter(static_cast<double>(operations) * 1e-9,
						       benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

int main(int argc, char **argv)
{
	static const micro_step *const lists[] = { bound_steps, sip_steps, packet_steps, table_steps, state_steps, tls_steps, osip_steps, sofia_steps };

	benchmark::Initialize(&argc, argv);
	if (benchmark::ReportUnrecognizedArguments(argc, argv))
		return 1;
	benchmark::AddCustomContext("invite_bytes", std::to_string(corpus_mean_bytes()));
	for (const micro_step *list : lists)
		for (const micro_step *step = list; step->name; step++)
			benchmark::RegisterBenchmark(step->name, run, step);
	benchmark::RunSpecifiedBenchmarks();
	benchmark::Shutdown();
	return 0;
}
