# SPDX-License-Identifier: Apache-2.0
"""What bench/all runs, in which order and for about how long, and how far it has come.

A step is a program with some of its parts, a process of its own that leaves a JSON file. Steps that need one core each are put into two lanes, which run at the same
time, each on a core of its own; what needs both cores, or has a figure to reach that the other core's work could spoil, has its time alone."""

import dataclasses
import threading
import time


@dataclasses.dataclass(frozen=True)
class Step:
    program: str
    parts: tuple = ()  # empty: all of it
    seconds: float = 0  # about what it takes on a machine with nothing else to do

    @property
    def name(self):
        return "-".join([self.program, *self.parts])

    @property
    def words(self):
        return " ".join([f"bench/{self.program}", *self.parts])

    def argv(self):
        return [word for part in self.parts for word in ("--only", part)]


# Stages one after the other; each a list of lanes, each a list of steps.
FULL = [
    [[Step("pipeline", ("small", "large"), 155)]],
    [[Step("pipeline", ("tcp",), 135), Step("micro", seconds=30)], [Step("pipeline", ("tls", "memory", "series"), 150)]],
    [[Step("pipeline", ("two_workers",), 57)]],
    [[Step("publication", seconds=78)]],
    [[Step("wire", ("memif",), 280)]],
    [[Step("wire", ("veth_afxdp",), 129)]],
    [[Step("wire", ("veth_afpacket",), 129)]],
    [[Step("wire", ("tcp",), 104)]],
    [[Step("versus", ("udp",), 2400)]],
    [[Step("versus", ("sipp",), 250)]],
    [[Step("versus", ("tcp",), 500)]],
    [[Step("versus", ("tls",), 600)]],
]
QUICK = [
    [[Step("pipeline", ("small", "large", "memory", "series"), 9)], [Step("pipeline", ("tcp", "tls"), 7), Step("micro", seconds=2)]],
    [[Step("pipeline", ("two_workers",), 2)]],
    [[Step("publication", seconds=4)]],
    [[Step("wire", seconds=18)]],
    [[Step("versus", seconds=22)]],
]


def plan(quick, only=None):
    """The stages, or what is left of them where only some programs are wanted."""
    stages = []
    for lanes in QUICK if quick else FULL:
        lanes = [[step for step in lane if not only or step.program in only] for lane in lanes]
        lanes = [lane for lane in lanes if lane]
        if lanes:
            stages.append(lanes)
    return stages


def seconds_of(stages):
    """A stage takes as long as its longer lane."""
    return sum(max(sum(step.seconds for step in lane) for lane in lanes) for lanes in stages)


def duration(seconds):
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


class Progress:
    """How much time is left, by what steps take and by how much longer than that those took that are done. Any thread."""

    def __init__(self, stages, clock=time.monotonic):
        self.stages, self.clock = stages, clock
        self.lock = threading.Lock()
        self.begun, self.ended = {}, {}

    def begin(self, step):
        with self.lock:
            self.begun[step] = self.clock()

    def end(self, step):
        with self.lock:
            self.ended[step] = self.clock() - self.begun[step]

    def skip(self, step):
        """It was made before."""
        with self.lock:
            self.ended[step] = None

    def pace(self):
        """Times what was planned: of the steps that are done."""
        done = [(spent, step.seconds) for step, spent in self.ended.items() if spent is not None]
        planned = sum(seconds for _, seconds in done)
        return sum(spent for spent, _ in done) / planned if planned else 1

    def left(self):
        """Seconds until the end, as far as can be told."""
        with self.lock:
            pace, now = self.pace(), self.clock()

            def of(step):
                if step in self.ended:
                    return 0
                whole = step.seconds * pace
                return max(whole - (now - self.begun[step]), 0) if step in self.begun else whole

            return sum(max(sum(of(step) for step in lane) for lane in lanes) for lanes in self.stages)
