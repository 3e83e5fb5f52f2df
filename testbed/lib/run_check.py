# SPDX-License-Identifier: Apache-2.0
"""Runs everything that shows that Strowger works: installs what is missing, builds, unit tests, conformance cases, fuzz seeds, the layer check,
whole-appliance tests in network namespaces, the model of the attempt machine, and the suite again under the sanitizers.

The whole-appliance tests mostly wait for what their peers do, so several files of them run at once, each with a laboratory of its own, while
compilers and unit tests have, at low priority, what they leave of the processors. What measures speed or fills every core is marked
`alone` and runs when all else has ended.

The last line is "N passed, N failed", summed over all runners; the exit status is 0 only if nothing failed."""

import argparse
import json
import os
import re
import subprocess
import sys
import threading
import time

from building import build, configure
from lab import ROOT
from laboratories import Laboratories

REPORTS = os.path.join(ROOT, "build", "check")
ASAN = {"ASAN_OPTIONS": "abort_on_error=0:exitcode=99:detect_leaks=1", "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
TSAN = {"TSAN_OPTIONS": f"halt_on_error=1:suppressions={ROOT}/testbed/lib/tsan.suppressions"}
# Beside the laboratories, whose peers wait for answers in real time.
GENTLY = ["nice", "-n", "10"]
# What two threads touch: the unit tests of these floors.
TSAN_FLOORS = ("base/", "tables/", "proxy/trace")
# Whole-appliance files that run again with strowgerd under ASan and UBSan.
ASAN_FILES = ["test_dialogs.py", "test_messages.py", "test_access.py", "test_rules.py", "test_conformance.py"]


class Tally:
    def __init__(self):
        self.begin = time.monotonic()
        self.lock = threading.Lock()
        self.passed = self.failed = self.skipped = 0

    def add(self, what, passed, failed, skipped=0, words=""):
        """words: what a runner said that is to be seen."""
        with self.lock:
            self.passed += passed
            self.failed += failed
            self.skipped += skipped
        extra = f", {skipped} skipped" if skipped else ""
        self.say(f"{what}: {passed} ok, {failed} bad{extra}", words)

    def say(self, words, before=""):
        with self.lock:
            print(f"{before}[{time.monotonic() - self.begin:6.1f} s] {words}", flush=True)


def compiled(tally, folder, *options, only=(), before=()):
    """Builds into a folder; a build that breaks counts as one failure, and its words are shown. before: what ninja is called by."""
    log_path = os.path.join(REPORTS, f"{folder}.log")
    tally.say(f"building {folder}")
    with open(log_path, "w", encoding="utf-8") as log:
        try:
            configure(folder, options, log)
            build(folder, targets=[test["program"] for test in tests(folder, only)] if only else [], log=log, before=before)
        except subprocess.CalledProcessError:
            log.flush()
            with open(log_path, encoding="utf-8", errors="replace") as words:
                tally.add(f"build of {folder}", 0, 1, words="".join(words.readlines()[-60:]))
            return False
    tally.add(f"build of {folder}", 1, 0)
    return True


def tests(folder, prefixes):
    """The tests of a build folder whose names begin in one of these ways."""
    words = subprocess.run(["meson", "introspect", "--tests", os.path.join(ROOT, folder)], capture_output=True, text=True,
                           check=True).stdout
    return [{"name": test["name"], "program": os.path.relpath(test["cmd"][0], os.path.join(ROOT, folder))}
            for test in json.loads(words) if test["name"].startswith(tuple(prefixes))]


def unit_tests(tally, folder, what, only=(), environment=None):
    """meson test; its own log says what each test did."""
    log = os.path.join(ROOT, folder, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.unlink(log)
    argv = [*GENTLY, "meson", "test", "-C", os.path.join(ROOT, folder), "--print-errorlogs", "--no-rebuild", "--quiet",
            "--timeout-multiplier", "4"]
    if only:
        argv += [test["name"] for test in tests(folder, only)]
    words = subprocess.run(argv, env={**os.environ, **(environment or {})}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           errors="replace", check=False).stdout
    count = {"passed": 0, "failed": 0, "skipped": 0}
    if os.path.exists(log):
        with open(log, encoding="utf-8") as file:
            for line in file:
                result = json.loads(line)["result"]
                count["passed" if result in ("OK", "EXPECTEDFAIL") else "skipped" if result == "SKIP" else "failed"] += 1
    if not sum(count.values()):
        count["failed"] = 1
    tally.add(what, **count, words=words if count["failed"] else "")


def model(tally):
    """The attempt machine as a spin model; its last line sums up."""
    tally.say("model of the attempt machine")
    run = subprocess.run([*GENTLY, os.path.join(ROOT, "testbed", "model", "check")], capture_output=True, text=True, check=False)
    last = (run.stdout.splitlines() or [""])[-1]
    said = re.fullmatch(r"(\d+) properties, (\d+) mutants, (\d+) not as they must be", last)
    bad = int(said[3]) if said else 1
    tally.add("model", int(said[1]) + int(said[2]) - bad if said else 0, bad,
              words=run.stdout + run.stderr if not said or run.returncode else "")


def benchmarks(tally):
    """Not for their figures: that they run, and that every message they send comes out as it should."""
    tally.say("benchmarks, instructions per message")
    environment = {**os.environ, "STROWGER_BENCH_BUILD": os.path.join(ROOT, "build")}
    runs = {"benchmarks": (["run_micro.py", "--quick", "--no-build"], ["run_pipeline.py", "--quick", "--no-build", "--only", "small"]),
            "instructions per message": (["run_guard.py", "--no-build"],)}
    for what, programs in runs.items():
        bad, words = 0, ""
        for program, *arguments in programs:
            run = subprocess.run([*GENTLY, "/usr/bin/python3", "-B", os.path.join(ROOT, "bench", "lib", program), *arguments], capture_output=True,
                                 text=True, env=environment, check=False)
            if run.returncode:
                words += run.stdout + run.stderr
                bad += 1
        tally.add(what, len(programs) - bad, bad, words=words)


def sanitized(tally, laboratories):
    """The suite again under ASan and UBSan, and what threads share under TSan. laboratories: they take what a build is ready for."""
    if compiled(tally, "build-asan", "-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dbench=disabled",
                "-Doptimization=1", before=GENTLY):
        laboratories.submit("under ASan and UBSan", ASAN_FILES, environment={**ASAN, "STROWGER_BUILD": os.path.join(ROOT, "build-asan")})
        unit_tests(tally, "build-asan", "unit tests under ASan and UBSan", environment=ASAN)
    if compiled(tally, "build-tsan", "-Db_sanitize=thread", "-Db_lundef=false", "-Dbench=disabled",
                "-Dc_args=-DRTE_USE_C11_MEM_MODEL", only=TSAN_FLOORS, before=GENTLY):
        unit_tests(tally, "build-tsan", "threads under TSan", TSAN_FLOORS, environment=TSAN)


def check(tally, quick, lanes):
    if not compiled(tally, "build"):
        return
    laboratories = Laboratories(REPORTS, lanes, tally.add)
    long = " and not slow" if quick else ""
    laboratories.submit("whole appliance", markers="not alone" + long)
    if not quick:
        sanitized(tally, laboratories)
    unit_tests(tally, "build", "unit tests, conformance and fuzz seeds")
    if not quick:
        model(tally)
    laboratories.finish()
    benchmarks(tally)  # they take huge pages and give them back, which a strowgerd that starts meanwhile would stumble over
    laboratories.alone("whole appliance, alone", "alone" + long)
    print("The longest:")
    for seconds, name in sorted(laboratories.slowest, reverse=True)[:12]:
        print(f"{seconds:6.1f} s {name}")


def main():
    parser = argparse.ArgumentParser(prog="testbed/check", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="without the long tests and the sanitizers")
    parser.add_argument("--lanes", type=int, default=2 * len(os.sched_getaffinity(0)), metavar="N",
                        help="how many laboratories stand at once (two for each processor)")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("testbed/check: network namespaces need root")
    if options.lanes < 1:
        parser.error("argument --lanes: at least 1")
    tally = Tally()
    os.makedirs(REPORTS, exist_ok=True)
    check(tally, options.quick, options.lanes)
    skipped = f", {tally.skipped} skipped" if tally.skipped else ""
    print(f"{tally.passed} passed, {tally.failed} failed{skipped}")
    sys.exit(1 if tally.failed else 0)


if __name__ == "__main__":
    main()
