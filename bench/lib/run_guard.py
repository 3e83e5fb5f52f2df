# SPDX-License-Identifier: Apache-2.0
"""Counts the instructions that fixed work takes, with callgrind, and compares them with bench/budget.json: the same build gives the same count,
whatever else the machine does. More than 5 % above the budget fails, and the functions that grew are printed.

  parse       sip_parse of an INVITE
  in_dialog   a message within a dialog, received to sent
  stateful    INVITE and 200, per forwarded message, the 100 included
  lingering   what the end of such a transaction's lingering costs, per INVITE
  call        a whole call of seven messages, with its records
  tcp         as stateful, both sides by TCP, 64 connections of callers (AVX2 alone)

Once on the AVX2 path and once on the scalar one. callgrind knows no AVX-512: there the time of a parse is compared with AVX2's in one run.
--update writes the budget anew; do that with a change that is meant to cost more, or that made it cheaper."""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

from machine import ROOT, said

BUDGET = os.path.join(ROOT, "bench", "budget.json")
# The build that testbed/check makes, not the one that benchmarks are timed with.
BUILD = os.environ.get("STROWGER_BENCH_BUILD", os.path.join(ROOT, "build"))
LEVELS = ("avx2", "scalar")
TOLERANCE = 0.05
AVX512_RATIO = 1.3  # generous: this one is a time
WORTH_NAMING = 0.004  # of a phase: functions below this are not in the budget
# Huge pages are not for valgrind, and whether there are any must not matter: they are hidden.
WITHOUT_HUGEPAGES = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /sys/kernel/mm/hugepages && exec "$@"', "sh"]
COUNTED_IN = ("guard_parse", "turn_measured")


def callgrind(level, *part):
    """{phase: {"instructions": per unit, "functions": {name: per unit}}}; None: the CPU lacks that level. part: what is a run of its own."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        argv = [*WITHOUT_HUGEPAGES, "valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", "--collect-atstart=no", "--compress-strings=no", "--compress-pos=no",
                f"--callgrind-out-file={out}", *[f"--toggle-collect={name}" for name in COUNTED_IN],
                os.path.join(BUILD, "bench", "strowger-guard"), level, *part]
        run = subprocess.run(argv, capture_output=True, text=True, check=False)
        if run.returncode:
            sys.exit(run.stderr + run.stdout)
        if run.stdout.strip() == "none":
            return None
        units = dict(line.split() for line in run.stdout.splitlines())
        phases = {}
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                words = file.read()
            phase = re.search(r"^desc: Trigger: Client Request: (\w+)", words, re.M)
            if phase:
                phases[phase[1]] = profile(words, int(units[phase[1]]))
        return {name: phases[name] for name in units}


def profile(words, units):
    """One dump of callgrind: its total, and each function's own instructions."""
    total = int(re.search(r"^summary: (\d+)", words, re.M)[1])
    functions, name, inclusive = {}, None, False
    for line in words.splitlines():
        if line.startswith("fn="):
            # The compiler's copies of a function are that function.
            name = re.sub(r"\.(isra|part|constprop|cold|lto_priv)\b.*", "", line[3:].split("'")[0])
        elif line.startswith("calls="):
            inclusive = True  # the next line is what the callee took
        elif re.match(r"[+*-]?\d* \d+$", line) or re.match(r"\d+ \d+$", line):
            if not inclusive and name:
                functions[name] = functions.get(name, 0) + int(line.split()[1])
            inclusive = False
    return {"instructions": round(total / units, 1),
            "functions": {name: round(count / units, 1) for name, count in sorted(functions.items(), key=lambda item: -item[1])
                          if count >= WORTH_NAMING * total}}


def growth(now, then):
    """Lines that say which functions grew, the worst first."""
    names = set(now["functions"]) | set(then["functions"])
    by = {name: now["functions"].get(name, 0) - then["functions"].get(name, 0) for name in names}
    return [f"      {by[name]:+9.1f}  {name} ({then['functions'].get(name, 0):.1f} -> {now['functions'].get(name, 0):.1f})"
            for name in sorted(by, key=by.get, reverse=True)[:12] if by[name] > 0]


def compare(found, budget):
    """Prints the table; returns how many figures are over the budget."""
    over = 0
    for level, phases in found.items():
        for phase, now in phases.items():
            then = budget.get(level, {}).get(phase)
            if not then:
                print(f"{level:7} {phase:10} {now['instructions']:10.1f}   no budget")
                over += 1
                continue
            share = now["instructions"] / then["instructions"] - 1
            bad = share > TOLERANCE
            words = "OVER THE BUDGET" if bad else "cheaper: --update makes that the budget" if share < -TOLERANCE else ""
            print(f"{level:7} {phase:10} {now['instructions']:10.1f}   budget {then['instructions']:10.1f}  {share:+7.1%}  {words}")
            if bad:
                over += 1
                print("\n".join(growth(now, then)))
    return over


def avx512():
    """The time of a parse with AVX-512, times AVX2's; None: no such CPU."""
    run = subprocess.run([os.path.join(BUILD, "bench", "strowger-guard"), "ratio", str(AVX512_RATIO)], capture_output=True, text=True, check=False)
    if run.returncode:
        sys.exit(run.stderr + run.stdout)
    return None if run.stdout.strip() == "none" else float(run.stdout)


def show(found, count):
    """Where the instructions go: the functions of each phase."""
    for level, phases in found.items():
        for phase, now in phases.items():
            print(f"{level} {phase}: {now['instructions']:.1f}")
            for name, own in list(now["functions"].items())[:count]:
                print(f"  {own:10.1f} {own / now['instructions']:6.1%}  {name}")


def main():
    parser = argparse.ArgumentParser(prog="bench/guard", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", metavar="FILE", default=BUDGET, help="another one than bench/budget.json")
    parser.add_argument("--update", action="store_true", help="make what is found the budget")
    parser.add_argument("--functions", type=int, metavar="N", help="only show the N costliest functions of each phase")
    parser.add_argument("--no-build", action="store_true", help="the program is there already")
    options = parser.parse_args()
    if not options.no_build:
        built = subprocess.run(["ninja", "-C", BUILD, "bench/strowger-guard"], capture_output=True, text=True, check=False)
        if built.returncode:
            sys.exit(built.stdout + built.stderr)
    found = {level: phases for level in LEVELS if (phases := callgrind(level))}
    if "avx2" in found:
        found["avx2"].update(callgrind("avx2", "tcp"))
    if options.functions:
        show(found, options.functions)
        return
    compiler = said("cc", "--version")
    if options.update:
        with open(options.budget, "w", encoding="utf-8") as file:
            json.dump({"compiler": compiler, **found}, file, indent=1)
            file.write("\n")
        print("\n".join(f"{level:7} {phase:10} {now['instructions']:10.1f}" for level, phases in found.items() for phase, now in phases.items()))
        return
    with open(options.budget, encoding="utf-8") as file:
        budget = json.load(file)
    if budget["compiler"] != compiler:
        print(f"the budget was made with {budget['compiler']}, this is {compiler}: differences may be its")
    over = compare(found, budget)
    ratio = avx512()
    if ratio is not None:
        bad = ratio > AVX512_RATIO
        over += bad
        print(f"avx512  parse      {ratio:10.2f}   times AVX2's time, at most {AVX512_RATIO}{'  OVER' if bad else ''}")
    count = sum(len(phases) for phases in found.values()) + (ratio is not None)
    print(f"{count - over} within, {over} over")
    sys.exit(1 if over else 0)


if __name__ == "__main__":
    main()
