# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- Strowger in fra ----+---- target1   fra
#   10.77.0.10      10.77.0.1       +---- target2   fra
#                                   +---- target3   ams
#
# All calls are near while anybody near is up; they go far while nobody is, and are near again afterwards, within the ramp.

import os
import signal

import pytest

from lab import add_profile
from processes import wait_for
from trial import Trial

TIERED = "+442035550700"
NEAR = ("target1", "target2")
RAMP = 1


def configure(config):
    config["region"] = "fra"
    config["ejection"] = {"first_s": 1, "max_s": 1, "ramp_s": RAMP}
    config["probe"] = {"interval_ms": 100, "timeout_ms": 200, "down_after": 2}
    for trunk in config["trunks"]:
        if trunk["name"] not in (*NEAR, "target3"):
            trunk["probe"] = {"enabled": False}
    add_profile(config, "tiered", TIERED, strategy="round_robin", regions=["nyc", "ams"], response_timeout_ms=300,
                targets={"target3": {"region": "ams"}, "target1": {"region": "fra"}, "target2": {"region": "FRA"}})


def states(lab):
    return [lab.targets()[f"tiered/{node}"]["state"] for node in NEAR]


def settled(lab):
    """Up, and no ramp any more."""
    ends = [row["endpoints"][0] for row in lab.targets().values() if row["profile"] == "tiered"]
    return all(end["health"] == "up" and end["ramp_percent"] == 100 for end in ends)


@pytest.fixture(scope="module")
def trial(lab):
    with Trial(lab, target1="uas_probed", target2="uas_probed", target3="uas_probed", ring_ms=20) as trial:
        yield trial


@pytest.fixture(autouse=True)
def all_there(lab, trial):
    assert wait_for(lambda: settled(lab), 10), lab.targets()
    yield
    for node in NEAR:
        os.kill(trial.servers[node].pid, signal.SIGCONT)


def near_and_far(lab, before):
    """How many calls each tier got since."""
    rows = lab.targets()
    got = {node: rows[f"tiered/{node}"]["attempts"] - before[f"tiered/{node}"]["attempts"] for node in (*NEAR, "target3")}
    return got["target1"] + got["target2"], got["target3"]


def placed(lab, trial, calls):
    before = lab.targets()
    trial.call(calls, rate=100, number=TIERED)
    return near_and_far(lab, before)


def test_near_away_and_near_again(lab, trial):
    assert placed(lab, trial, 40) == (40, 0)
    for node in NEAR:
        os.kill(trial.servers[node].pid, signal.SIGSTOP)
    # The near tier is frozen while calls come: none fails, those that meet it go on within their walk.
    trial.call(40, rate=100, number=TIERED)
    assert wait_for(lambda: states(lab) == ["down", "down"], 5)
    assert placed(lab, trial, 60) == (0, 60)
    for node in NEAR:
        os.kill(trial.servers[node].pid, signal.SIGCONT)
    assert wait_for(lambda: states(lab) == ["up", "up"], 5)
    near, far = placed(lab, trial, 50)
    assert near and near + far == 50, "on their ramps they have a part of the calls, and the rest is still far"
    assert wait_for(lambda: settled(lab), RAMP + 5)
    assert placed(lab, trial, 60) == (60, 0)


def test_one_near_one_is_enough(lab, trial):
    lab.ctl("target", "disable", "tiered/target1")
    assert placed(lab, trial, 20) == (20, 0)
    lab.ctl("target", "enable", "tiered/target1")


def test_full_overflows(lab, trial):
    for node in NEAR:
        lab.ctl("target", "set", f"tiered/{node}", "max_calls=2")
    before = lab.targets()
    caller = trial.start(10, rate=100, number=TIERED, scenario="uac_hold", options=["-d", 1000])
    trial.finish(caller)
    assert near_and_far(lab, before) == (4, 6)
    for node in NEAR:
        lab.ctl("target", "set", f"tiered/{node}", "max_calls=0")


def test_the_order_is_explained(lab):
    told = lab.ctl("route", "+1", TIERED)
    assert [(attempt["target"], attempt["region"].lower(), attempt["tier"]) for attempt in told["attempts"]][2] == ("tiered/target3", "ams", 1)
    assert {attempt["tier"] for attempt in told["attempts"][:2]} == {0}
