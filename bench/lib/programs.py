# SPDX-License-Identifier: Apache-2.0
"""The programs that benchmarks run: built as they are delivered, in a folder of their own."""

import os
import subprocess
import sys

from machine import ROOT

BUILD = os.environ.get("STROWGER_BENCH_BUILD", os.path.join(ROOT, "build-release"))


def built(*targets):
    """Builds these targets (all, where none is named) without assertions, unless STROWGER_BENCH_BUILD names a build folder with its own
    options. A broken build ends the program with the compiler's words."""
    if not os.path.exists(os.path.join(BUILD, "build.ninja")):
        run(["meson", "setup", BUILD, "--buildtype=release"])
    run(["ninja", "-C", BUILD, *targets])


def run(argv):
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit("\n".join((done.stdout + done.stderr).splitlines()[-60:]))


def program(name):
    """The path of a program of bench/, or of strowgerd and its like at the top of the build folder."""
    for folder in (os.path.join(BUILD, "bench"), BUILD):
        path = os.path.join(folder, name)
        if os.path.exists(path):
            return path
    sys.exit(f"{name} is not in {BUILD}: build it, or leave out --no-build")
