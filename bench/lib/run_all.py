# SPDX-License-Identifier: Apache-2.0
"""Runs bench/micro, bench/pipeline, bench/publication, bench/wire and bench/versus, prints every figure beside what it is to reach, and writes docs/performance.md
with its plots.

It goes step by step; a step that fails is made once more. The figures of each step are kept as JSON in the build folder, and --resume goes on behind
those that are there: after a step that failed twice, or a run that was ended.

Exit status: 0 when all of them ran, whether or not a figure was reached; 1 when one could not run (the others still do)."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import report
from hugepages import hugepages
from machine import LIB, machine
from programs import BUILD, built
from result import Results, arguments, joined
from steps import Progress, duration, plan, seconds_of

PROGRAMS = ("micro", "pipeline", "publication", "wire", "versus")
TARGETS = ["strowgerd", "strowgerctl", *(f"bench/strowger-{name}" for name in ("bench", "handshakes", "pipeline", "publication", "wire", "versus"))]
HUGEPAGES = 1536  # of a lane
TRIES = 2


class Runner:
    """Makes steps, and tells how it goes. Two lanes may be under way at once."""

    def __init__(self, stages, quick, folder, commit):
        self.stages, self.quick, self.folder, self.commit = stages, quick, folder, commit
        self.progress = Progress(stages)
        self.failed, self.made = [], {}
        self.children, self.lock = set(), threading.Lock()
        self.ending = False

    def tell(self, words):
        with self.lock:
            print(f"[{duration(self.progress.left())} left] {words}", file=sys.stderr, flush=True)

    def path(self, step):
        return os.path.join(self.folder, f"{step.name}.json")

    def kept(self, step):
        """What an earlier run of the same commit has found; None: nothing."""
        with contextlib.suppress(OSError, ValueError):
            with open(self.path(step), encoding="utf-8") as file:
                found = json.load(file)
            if found["machine"]["commit"] == self.commit:
                return found
        return None

    def start(self, argv):
        with self.lock:  # a lane that begins a step while `end` looks for those under way would be missed
            if self.ending:
                sys.exit(143)
            child = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")
            self.children.add(child)
            return child

    def once(self, step, core):
        """Its figures; None when it did not run. What it says while it runs goes on as it comes."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path(step))
        argv = [*([] if core is None else ["taskset", "-c", str(core)]), sys.executable, "-B", os.path.join(LIB, f"run_{step.program}.py"),
                "--no-build", "--json", self.path(step), *(["--quick"] if self.quick else []), *step.argv()]
        with self.start(argv) as child:
            try:
                for line in child.stderr:
                    self.tell(line.rstrip())
                status = child.wait()
            except BaseException:
                child.terminate()  # it is waited for here: nobody else will tell it
                raise
            with self.lock:
                self.children.discard(child)
        return None if status else self.kept(step)

    def make(self, step, core):
        found = None
        for number in range(TRIES):
            if self.ending:
                return
            self.progress.begin(step)
            self.tell(f"{step.words}: {'about ' + duration(step.seconds) if not number else 'once more'}")
            found = self.once(step, core)
            if found:
                break
        self.progress.end(step)
        self.tell(f"{step.words}: {self.progress.ended[step]:.0f} s{'' if found else ', FAILED'}")
        if found:
            self.made[step] = found
        else:
            self.failed.append(step)

    def lane(self, steps, core):
        for step in steps:
            if step not in self.made:
                self.make(step, core)

    def stage(self, lanes):
        cores = sorted(os.sched_getaffinity(0))
        if len(lanes) == 1 or len(cores) < len(lanes):
            for lane in lanes:
                self.lane(lane, None)
            return
        # The pool waits for its threads, whatever happens; Thread.join, once interrupted, waits no more.
        with hugepages(HUGEPAGES * len(lanes)), ThreadPoolExecutor(len(lanes)) as pool:
            under_way = [pool.submit(self.lane, lane, core) for lane, core in zip(lanes, cores)]
            try:
                for lane in under_way:
                    lane.result()
            except BaseException:
                self.end()
                raise

    def end(self):
        """What is under way ends, by way of what takes its namespaces down, and nothing begins any more."""
        with self.lock:
            self.ending = True
            for child in self.children:
                child.terminate()

    def run(self, resume):
        """All of them; the figures of each, in order."""
        for lanes in self.stages:
            for step in (step for lane in lanes for step in lane):
                found = self.kept(step) if resume else None
                if found:
                    self.made[step] = found
                    self.progress.skip(step)
        try:
            # A quick run keeps them throughout: pages that nobody has touched yet take seconds. A full one leaves the memory to Kamailio.
            with hugepages(HUGEPAGES * max(map(len, self.stages)) if self.quick else 0):
                for lanes in self.stages:
                    self.stage(lanes)
        except BaseException:
            self.end()
            raise
        return joined([self.made[step] for lanes in self.stages for lane in lanes for step in lane if step in self.made])


def show(entries):
    results = Results("bench/all")
    results.entries = {key: entry for key, entry in report.ordered(entries)}
    results.show()


def more(parser):
    parser.add_argument("--only", metavar="NAME", action="append", choices=PROGRAMS, help="just this one (may be repeated); no page is written")
    parser.add_argument("--page", metavar="FILE", default=report.PAGE, help="where the page goes (docs/performance.md)")
    parser.add_argument("--resume", action="store_true", help="steps whose figures an earlier run of this commit has left are not made again")


def main():
    options = arguments("bench/all", __doc__, more)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not options.no_build:
        built(*TARGETS)
    folder = os.path.join(BUILD, "figures", "quick" if options.quick else "full")
    if not options.resume:
        shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder, exist_ok=True)
    about = machine()
    stages = plan(options.quick, options.only)
    runner = Runner(stages, options.quick, folder, about["commit"])
    runner.tell(f"bench/all: {sum(len(lane) for lanes in stages for lane in lanes)} steps, about {duration(seconds_of(stages))}; figures in {folder}")
    entries = {**runner.run(options.resume), "machine": {**about, "quick": options.quick}}
    show(entries)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(entries, file, indent=1)
            file.write("\n")
    if not runner.failed and not options.only:
        report.write(entries, options.page, options.quick)
    if runner.failed:
        sys.exit(f"bench/all: did not run: {', '.join(step.words for step in runner.failed)}; the page stays as it was. `bench/all --resume` tries those again")


if __name__ == "__main__":
    main()
