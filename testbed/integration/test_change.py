# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- Strowger ----+---- target1      while calls go through, the operator changes the profile
#                  |         +---- target2      ten times a second: strategy, weights, targets on and off
#          control socket    +---- target3
#
# The soak: no change may cost a call.

import itertools
import os
import time

import pytest

from control import Control
from lab import TARGETS
from trial import Trial

SECONDS = int(os.environ.get("STROWGER_SOAK_SECONDS", "60"))
RATE = 300
EVERY = 0.1


def changes():
    """An endless round of changes, each of which leaves at least one target in use."""
    strategies = itertools.cycle(["failover", "round_robin", "weighted_lb"])
    for turn in itertools.count():
        target = f"lab/{TARGETS[turn % 3]}"
        yield "profile.set", {"name": "lab", "strategy": next(strategies)}
        yield "target.set", {"target": target, "enabled": False}
        yield "target.set", {"target": target, "enabled": True, "weight": turn % 100 + 1}
        yield "profile.set", {"name": "lab", "ring_timeout_s": 20 + turn % 10}
        yield "target.set", {"target": target, "weight": 0}
        yield "target.set", {"target": target, "weight": 100}
        yield "number.set", {"number": f"+4420355{turn % 1000:05d}", "profile": "lab"}


@pytest.mark.slow
def test_soak(lab):
    calls, done, next_change = RATE * SECONDS, 0, changes()
    with Trial(lab, **{target: "uas_ring" for target in TARGETS}, ring_ms=100) as trial, \
            Control(lab.socket_path) as control:
        caller = trial.start(calls, rate=RATE, seconds=SECONDS + 60)
        begin = time.monotonic()
        while caller.running():
            method, params = next(next_change)
            control.call(method, **params)
            done += 1
            time.sleep(max(0.0, begin + done * EVERY - time.monotonic()))
        trial.finish(caller, 5)
    assert done >= 0.95 * SECONDS / EVERY, f"only {done} changes"
    assert len(trial.ledger.calls) == calls
    assert all(call.completed for call in trial.ledger.calls.values())
    assert not trial.ledger.rescued(), "nothing failed, so nothing was to be rescued"
