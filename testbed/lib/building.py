# SPDX-License-Identifier: Apache-2.0
"""Build folders, and nothing done twice."""

import os
import subprocess

from lab import ROOT


def configure(folder="build", options=(), log=None):
    """meson setup, where there is no build folder yet. log: a file for what is said (None: the terminal)."""
    path = os.path.join(ROOT, folder)
    if not os.path.exists(os.path.join(path, "build.ninja")):
        subprocess.run(["meson", "setup", path, *options], check=True, cwd=ROOT, stdout=log, stderr=log)


def build(folder="build", targets=(), log=None):
    """ninja; no targets: everything."""
    subprocess.run(["ninja", "-C", os.path.join(ROOT, folder), *targets], check=True, stdout=log, stderr=log)
