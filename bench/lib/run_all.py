# SPDX-License-Identifier: Apache-2.0
"""Runs bench/micro, bench/pipeline, bench/publication, bench/wire and bench/versus one after the other, prints every figure beside what it is to reach, and writes
docs/performance.md with its plots.

Exit status: 0 when all of them ran, whether or not a figure was reached; 1 when one could not run (the others still do)."""

import json
import os
import subprocess
import sys
import tempfile
import time

import report
from machine import LIB
from programs import built
from result import Results, arguments

PROGRAMS = ("micro", "pipeline", "publication", "wire", "versus")
TARGETS = ["strowgerd", "strowgerctl", *(f"bench/strowger-{name}" for name in ("bench", "handshakes", "pipeline", "publication", "wire", "versus"))]


def one(name, options, folder):
    """Its entries; None when it did not run. What it says while it runs goes to the terminal as it comes."""
    path = os.path.join(folder, f"{name}.json")
    argv = [sys.executable, "-B", os.path.join(LIB, f"run_{name}.py"), "--no-build", "--json", path, *(["--quick"] if options.quick else [])]
    begin = time.monotonic()
    status = subprocess.run(argv, stdout=subprocess.DEVNULL, check=False).returncode
    print(f"bench/{name}: {time.monotonic() - begin:.0f} s" + (f", exit {status}" if status else ""), file=sys.stderr, flush=True)
    if status or not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def show(entries):
    results = Results("bench/all")
    results.entries = {key: entry for key, entry in report.ordered(entries)}
    results.show()


def more(parser):
    parser.add_argument("--only", metavar="NAME", action="append", choices=PROGRAMS, help="just this one (may be repeated); no page is written")
    parser.add_argument("--page", metavar="FILE", default=report.PAGE, help="where the page goes (docs/performance.md)")


def main():
    options = arguments("bench/all", __doc__, more)
    if not options.no_build:
        built(*TARGETS)
    entries, failed = {}, []
    with tempfile.TemporaryDirectory(prefix="strowger-bench-") as folder:
        for name in options.only or PROGRAMS:
            found = one(name, options, folder)
            if found is None:
                failed.append(name)
            entries.update(found or {})
    entries.setdefault("machine", {})["quick"] = options.quick
    show(entries)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(entries, file, indent=1)
            file.write("\n")
    if not failed and not options.only:
        report.write(entries, options.page, options.quick)
    if failed:
        sys.exit(f"bench/all: did not run: {', '.join(failed)}; the page stays as it was")


if __name__ == "__main__":
    main()
