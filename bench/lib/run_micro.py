# SPDX-License-Identifier: Apache-2.0
"""Times every step of a message's path, beside what bounds it: memcpy, memchr and an AVX-512 bitmap of the same bytes, rte_hash of the same
size, and the parsers of libosip2 and sofia-sip on the same messages (64 INVITEs from five makes of boxes, in turn).

The key "scan" has the time of the widest scan that this machine can do. It is to be at most a sixtieth of libosip2's parse and, where there is
AVX-512, at most four times the bitmap; all steps are in its detail."""

import json
import subprocess
import sys

from hugepages import hugepages
from programs import built, program
from result import Results, arguments, median, spread

HUGEPAGES = 256
OSIP_SHARE, BITMAP_TIMES = 60, 4


def measure(quick):
    """{step: [ns of each repetition]} and the mean length of the INVITEs. Repetitions of all steps are interleaved at random."""
    argv = [program("strowger-bench"), "--benchmark_format=json", f"--benchmark_min_time={0.005 if quick else 0.05}",
            f"--benchmark_repetitions={5 if quick else 7}", "--benchmark_enable_random_interleaving=true"]
    run = subprocess.run(argv, capture_output=True, text=True, check=False)
    if run.returncode:
        sys.exit(run.stderr + run.stdout)
    found, errors = {}, []
    said = json.loads(run.stdout)
    for entry in said["benchmarks"]:
        if entry.get("run_type") != "iteration":
            continue
        if entry.get("error_occurred"):
            errors.append(f"{entry['name']}: {entry['error_message']}")
        else:
            found.setdefault(entry["name"], []).append(entry["ns_each"])
    absent = [error for error in errors if "not on this machine" not in error or "avx" not in error]
    if absent:
        sys.exit("\n".join(sorted(set(absent))) + "\n" + run.stderr)
    return found, int(said["context"]["invite_bytes"])


def main():
    options = arguments("bench/micro", __doc__)
    if not options.no_build:
        built("bench/strowger-bench")
    with hugepages(HUGEPAGES):
        found, invite_bytes = measure(options.quick)
    ns = {step: median(found[step]) for step in sorted(found)}
    scan = min((step for step in ns if step.startswith("scan/")), key=ns.get)
    limits = [ns["peer/libosip2_parse"] / OSIP_SHARE] + [BITMAP_TIMES * ns[step] for step in ns if step == "bound/avx512_bitmap"]
    print(f"{'step':32} {'ns':>9}   spread ({invite_bytes} bytes each)")
    for step, value in ns.items():
        low, high = spread(found[step])
        print(f"{step:32} {value:9.1f}   {low:.1f}..{high:.1f}")
    results = Results("bench/micro" + (" --quick" if options.quick else ""))
    results.add("scan", ns[scan], "ns", target=f"<= {min(limits):.1f}", spread=spread(found[scan]),
                beside={step.split("/")[1]: value for step, value in ns.items() if step.startswith(("peer/", "bound/")) and "hash" not in step},
                detail={"invite_bytes": invite_bytes, "steps": ns, "cycle_ns": ns["clock/cycle"],
                        "line_ns": ns["memory/line"], "line_of_a_page_ns": ns["memory/line_of_a_page"],
                        "times faster than libosip2": ns["peer/libosip2_parse"] / ns[scan],
                        "times the bitmap": ns[scan] / ns["bound/avx512_bitmap"] if "bound/avx512_bitmap" in ns else None})
    results.finish(options.json)


if __name__ == "__main__":
    main()
