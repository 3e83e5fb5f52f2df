# SPDX-License-Identifier: Apache-2.0
"""Complete calls of SIPp's through the proxy of the moment: INVITE 100 180 200 ACK BYE 200. SIPp's two ends share the generator's core and are the
slowest part of it."""

import os
import sys
import time

from machine import LIB, ROOT
from versus_bed import CALLER, NUMBER, TARGETS, US, cpu_ns

sys.path.insert(0, os.path.join(ROOT, "testbed", "lib"))

import sipp  # noqa: E402

FORWARDED_PER_CALL = 6
UAS = os.path.join(LIB, "versus_uas")  # the laboratory's own answerers wait for timer J, too long for so many calls


class Stage:
    """What the laboratory's Sipp asks of a laboratory, given by a bed."""

    def __init__(self, bed):
        self.bed, self.directory, self.processes, self.network = bed, bed.folder, bed.processes, self

    def argv(self, node, command):
        return self.bed.inside(self.bed.gen, ["taskset", "-c", str(self.bed.generator_core), *command])

    @staticmethod
    def address(node, family=4):
        return CALLER if node == "caller" else TARGETS[int(node.removeprefix("target"))]


def calls(bed, proxy, rate, seconds):
    """Offers calls at a rate; (rate reached, all went well, CPU us per forwarded message)."""
    stage = Stage(bed)
    answerers = [sipp.Sipp(stage, f"target{i}", UAS, name=f"sipp-target{i}") for i in range(len(TARGETS))]
    total = int(rate * seconds)
    before, begin = cpu_ns(proxy.pid), time.monotonic()
    try:
        caller = sipp.Sipp(stage, "caller", "uac", remote=US, calls=total, rate=rate, seconds=int(seconds + 40),
                           options=["-s", NUMBER.format(7), "-timer_resol", "1", "-buff_size", str(4 << 20)])
        status = caller.wait(seconds + 60)
        took, after = time.monotonic() - begin, cpu_ns(proxy.pid)
        good = status == 0 and caller.successful == total and not caller.failed and not caller.retransmissions
        return {"offered": rate, "rate": caller.successful / took, "successful": caller.successful, "retransmissions": caller.retransmissions,
                "good": good, "cpu_us": (after - before) / 1000 / max(1, caller.successful) / FORWARDED_PER_CALL}
    finally:
        for answerer in answerers:
            answerer.stop()


def highest(bed, proxy, ladder, seconds, long_seconds):
    """The highest of these rates that went well, and every run. Where long_seconds are given, a run that long must go well too, or one a fifth lower."""
    best, runs = None, []

    def went(rate, lasting):
        run = calls(bed, proxy, rate, lasting)
        runs.append(run)
        return run

    for rate in ladder:
        run = went(rate, seconds)
        if run["good"]:
            best = run
        elif best:
            break
    if best and long_seconds:
        rate, best = best["offered"], None
        while not best and rate > ladder[0] / 4:
            run = went(rate, long_seconds)
            rate, best = rate * 0.8, run if run["good"] else None
    return best or runs[0], runs
