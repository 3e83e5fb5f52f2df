# SPDX-License-Identifier: Apache-2.0
"""Whole-appliance tests, several files at once: each file is a pytest of its own, with a laboratory of its own."""

import os
import signal
import subprocess
import threading
import time
import xml.etree.ElementTree
from concurrent.futures import ThreadPoolExecutor

from lab import ROOT

FOLDER = os.path.join(ROOT, "testbed", "integration")
# Those that take longest, the longest first: none of them is to be what the others have to be waited for with.
LONGEST = [f"test_{name}.py" for name in ("change", "names", "records", "loss", "tls_scan", "faults", "streams", "demo", "transports", "rules",
                                          "restart", "drains", "strategies", "target_limits", "certificates", "access", "tls")]
# Longer than any file takes on a loaded machine: one that hangs is stopped, and says where it hung.
SECONDS, SECONDS_TO_CLEAN_UP = 600, 60


class Laboratories:
    """report(what, passed, failed, skipped, words) is called as each file ends, in any order."""

    def __init__(self, reports, lanes, report):
        self.reports = reports
        self.report = report
        self.pool = ThreadPoolExecutor(lanes)
        self.lock = threading.Lock()
        self.slowest = []

    def submit(self, what, files=None, markers="not alone", environment=None):
        """Takes these files, or all there are, into the queue."""
        for file in files or self.files():
            self.pool.submit(self._guarded, what, [file], markers, environment)

    def finish(self):
        """Waits for all that was submitted."""
        self.pool.shutdown()

    def alone(self, what, markers):
        """What wants the machine for itself: one after the other."""
        self._guarded(what, ["."], markers, None)

    @staticmethod
    def files():
        there = sorted(name for name in os.listdir(FOLDER) if name.startswith("test_") and name.endswith(".py"))
        return sorted(there, key=lambda name: LONGEST.index(name) if name in LONGEST else len(LONGEST))

    def _guarded(self, what, files, markers, environment):
        try:
            self._run(what, files, markers, environment)
        except Exception as error:  # in a thread of the pool nobody else would hear of it
            self.report(f"{what}: {files[0]}", 0, 1, 0, f"{error!r}\n")

    def _run(self, what, files, markers, environment):
        name = f"{what}: {files[0]}" if files != ["."] else what
        path = os.path.join(self.reports, f"{name.replace(': ', '-').replace(' ', '-')}.xml")
        if os.path.exists(path):
            os.unlink(path)
        begin = time.monotonic()
        words, status = self._pytest(["-m", markers, f"--junitxml={path}", *files], environment)
        took = f" ({time.monotonic() - begin:.0f} s)"
        if status == 5:  # none of its tests is wanted now
            return
        if not os.path.exists(path):
            self.report(name + took, 0, 1, 0, words)
            return
        suite = xml.etree.ElementTree.parse(path).getroot().find("testsuite")
        total, skipped = int(suite.get("tests")), int(suite.get("skipped"))
        bad = int(suite.get("failures")) + int(suite.get("errors"))
        with self.lock:
            self.slowest += [(float(case.get("time")), f"{what}: {case.get('classname')}.{case.get('name')}") for case in suite.iter("testcase")]
        if status and not bad:
            bad = 1
        self.report(name + took, max(0, total - skipped - bad), bad, skipped, words if bad else "")

    @staticmethod
    def _pytest(arguments, environment):
        """What it said, and its exit status."""
        # Where check runs in the background of a shell, what it starts would ignore SIGINT.
        argv = ["env", "--default-signal=INT", "/usr/bin/python3", "-B", "-m", "pytest", "-q", "--tb=short", *arguments]
        with subprocess.Popen(argv, cwd=FOLDER, env={**os.environ, **(environment or {})}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace") as run:
            # Interrupted, pytest says which test it was in, and takes its laboratory down.
            for after, how in ((SECONDS, signal.SIGINT), (SECONDS_TO_CLEAN_UP, signal.SIGKILL), (None, None)):
                try:
                    words = run.communicate(timeout=after)[0]
                    break
                except subprocess.TimeoutExpired:
                    run.send_signal(how)
        return words, run.returncode
