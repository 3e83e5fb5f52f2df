# SPDX-License-Identifier: Apache-2.0
"""Build folders, and nothing done twice."""

import os
import subprocess
import sys

from lab import ROOT


def configure(folder="build", options=(), log=None):
    """meson setup, where there is no build folder yet. log: a file for what is said (None: the terminal)."""
    path = os.path.join(ROOT, folder)
    if not os.path.exists(os.path.join(path, "build.ninja")):
        subprocess.run(["meson", "setup", path, *options], check=True, cwd=ROOT, stdout=log, stderr=log)


def build(folder="build", targets=(), log=None, before=()):
    """ninja; no targets: everything. before: a command that ninja is called by (nice)."""
    subprocess.run([*before, "ninja", "-C", os.path.join(ROOT, folder), *targets], check=True, stdout=log, stderr=log)


def begin_in_lab(name, no_build, say):
    """What a program with a laboratory of its own does first: without root it ends; unless no_build, Strowger is built."""
    if os.geteuid() != 0:
        sys.exit(f"{name}: network namespaces need root")
    os.environ.setdefault("STROWGER_LAB", name)
    if not no_build:
        say("building")
        configure(log=sys.stderr)
        build(targets=["strowgerd", "strowgerctl"], log=sys.stderr)
