# SPDX-License-Identifier: Apache-2.0
"""What bench/all runs, how much time it says is left, and how the figures of its steps become one."""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import run_all
import run_pipeline
import run_versus
import run_wire
from machine import LIB
from result import joined
from steps import FULL, QUICK, Progress, Step, plan, seconds_of

PARTS = {"pipeline": run_pipeline.PARTS, "wire": run_wire.PARTS, "versus": tuple(run_versus.PARTS)}


def steps_of(stages):
    return [step for lanes in stages for lane in lanes for step in lane]


class Plans(unittest.TestCase):
    def test_every_part_is_made_once(self):
        for stages in (FULL, QUICK):
            for program in ("micro", "pipeline", "publication", "wire", "versus"):
                with self.subTest(program):
                    self.assertTrue(os.path.exists(os.path.join(LIB, f"run_{program}.py")))
                    steps = [step for step in steps_of(stages) if step.program == program]
                    made = [part for step in steps for part in step.parts or PARTS.get(program, ("all",))]
                    self.assertEqual(sorted(made), sorted(PARTS.get(program, ("all",))))

    def test_how_long(self):
        self.assertLessEqual(seconds_of(FULL), 90 * 60)
        self.assertLess(seconds_of(QUICK), 60)
        lanes = [[[Step("a", seconds=10)], [Step("b", seconds=4), Step("c", seconds=7)]], [[Step("d", seconds=5)]]]
        self.assertEqual(seconds_of(lanes), 16)

    def test_only_some(self):
        self.assertEqual({step.program for step in steps_of(plan(False, ["wire", "micro"]))}, {"wire", "micro"})
        self.assertEqual(plan(True), QUICK)


class Time(unittest.TestCase):
    def test_left(self):
        first, second, beside, last = (Step(name, seconds=seconds) for name, seconds in (("a", 10), ("b", 20), ("c", 30), ("d", 40)))
        now = 0
        progress = Progress([[[first]], [[second], [beside]], [[last]]], clock=lambda: now)
        self.assertEqual(progress.left(), 80)
        progress.begin(first)
        now = 4
        self.assertEqual(progress.left(), 76)
        now = 12  # late: it must be about to end
        self.assertEqual(progress.left(), 70)
        now = 20
        progress.end(first)
        self.assertEqual(progress.left(), 140)  # all takes twice as long
        progress.skip(beside)
        self.assertEqual(progress.left(), 120)
        progress.begin(second)
        now = 50
        self.assertEqual(progress.left(), 90)


class Told(run_all.Runner):
    """Steps come out as the test says: {name: [figures, or None where it fails]}."""

    def __init__(self, stages, folder, answers, commit="abc"):
        super().__init__(stages, True, folder, commit)
        self.answers, self.asked = answers, []

    def once(self, step, core):
        self.asked.append((step.name, core))
        found = self.answers[step.name].pop(0)
        if found:
            with open(self.path(step), "w", encoding="utf-8") as file:
                json.dump({**found, "machine": {"commit": self.commit}}, file)
        return found


class Running(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.enterContext(mock.patch.object(run_all, "HUGEPAGES", 0))
        self.a, self.b, self.c = (Step(name, seconds=1) for name in "abc")
        self.stages = [[[self.a]], [[self.b], [self.c]]]

    def ran(self, answers, resume=False, **more):
        runner = Told(self.stages, self.folder, answers, **more)
        with contextlib.redirect_stderr(io.StringIO()):
            return runner, runner.run(resume)

    def test_what_fails_is_made_once_more(self):
        runner, found = self.ran({"a": [None, {"x": 1}], "b": [None, None], "c": [{"y": 2}]})
        self.assertEqual((found["x"], found["y"]), (1, 2))
        self.assertEqual(runner.failed, [self.b])
        self.assertEqual([name for name, _ in runner.asked if name == "a"], ["a", "a"])

    def test_lanes_have_a_core_each(self):
        runner, _ = self.ran({name: [{name: 1}] for name in "abc"})
        cores = dict(runner.asked)
        self.assertIsNone(cores["a"])
        if len(os.sched_getaffinity(0)) > 1:
            self.assertEqual(len({cores["b"], cores["c"]} - {None}), 2)

    def test_a_run_goes_on_where_one_ended(self):
        self.ran({"a": [{"x": 1}], "b": [None, None], "c": [{"y": 2}]})
        runner, found = self.ran({"b": [{"z": 3}]}, resume=True)
        self.assertEqual((found["x"], found["y"], found["z"]), (1, 2, 3))
        self.assertEqual([name for name, _ in runner.asked], ["b"])
        self.assertFalse(runner.failed)

    def test_figures_of_another_commit_are_not_taken(self):
        answers = {name: [{name: 1}] for name in "abc"}
        self.ran(answers)
        runner, _ = self.ran({name: [{name: 2}] for name in "abc"}, resume=True, commit="def")
        self.assertEqual(sorted(name for name, _ in runner.asked), ["a", "b", "c"])


class Ending(unittest.TestCase):
    """bench/all is told to end while two steps are under way, each in a lane of its own."""

    SAYS = """
import signal, sys
sys.path.insert(0, sys.argv[1])
import run_all, steps
run_all.HUGEPAGES, run_all.LIB = 0, sys.argv[2]
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
stages = [[[steps.Step("slow", ("a",))], [steps.Step("slow", ("b",))]], [[steps.Step("slow", ("c",))]]]
run_all.Runner(stages, True, sys.argv[2], "abc").run(False)
"""
    SLOW = 'import os, sys, time\nprint("slow", os.getpid(), file=sys.stderr, flush=True)\ntime.sleep(60)\n'

    def test_nothing_begins_any_more(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        with open(os.path.join(folder, "run_slow.py"), "w", encoding="utf-8") as file:
            file.write(self.SLOW)
        child = self.enterContext(subprocess.Popen([sys.executable, "-c", self.SAYS, LIB, folder], stderr=subprocess.PIPE, text=True))
        self.addCleanup(child.kill)
        said, slow = [], []
        while len(slow) < 2:
            said.append(child.stderr.readline())
            self.assertTrue(said[-1], said)
            slow += [int(line.split()[-1]) for line in said[-1:] if "] slow " in line]
        child.terminate()
        rest = child.stderr.read()  # to its end: nobody who has it is left
        self.assertEqual(child.wait(), 143, rest)
        self.assertNotIn("once more", rest)
        for pid in slow:
            self.assertFalse(os.path.exists(f"/proc/{pid}"))


class Figures(unittest.TestCase):
    def test_joined(self):
        entry = {"value": 1, "unit": "ns", "detail": {"series": {"a": [[1, 2]]}}}
        line = {"in_dialog": {"b": [[1, 3]]}}
        expected = {"in_dialog": {"value": 1, "unit": "ns", "detail": {"series": {"a": [[1, 2]], "b": [[1, 3]]}}}, "machine": 2}
        for order in ((0, 1), (1, 0)):
            with self.subTest(order=order):
                parts = [{"in_dialog": {**entry, "detail": {"series": dict(entry["detail"]["series"])}}, "machine": 2}, {"series": line, "machine": 2}]
                self.assertEqual(joined([parts[i] for i in order]), expected)
        self.assertEqual(joined([{"series": line}]), {"series": line})


if __name__ == "__main__":
    unittest.main()
