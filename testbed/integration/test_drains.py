# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- Strowger ----+---- target1     drained while 200 calls a second go through
#                  |         +---- target2
#             strowgerctl    +---- target3
#
# A target, and the node, are emptied: no new calls, live ones counted down, and a word when it is safe to take away.

import os
import signal
import subprocess
import time

from agent import Agent
from lab import NUMBER, TARGETS
from processes import wait_for
from trial import Trial

LAB = {"workers": 2, "strategy": "round_robin"}
RESTARTS = True


def configure(config):
    config["state_file"] = os.path.join(os.path.dirname(config["control"]["socket"]), "routing.json")


def ctl(lab, *words, **how):
    return subprocess.Popen([f"{lab.build}/strowgerctl", "--socket", lab.socket_path, *words], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, **how)


def raised(lab):
    return {(alarm["kind"], alarm["subject"]) for alarm in lab.ctl("alarms")["raised"]}


def test_a_target_is_emptied_under_load(lab):
    before = lab.counters()["calls_answered"]
    with Trial(lab, **{target: "uas" for target in TARGETS}) as trial:
        caller = trial.start(800, rate=200, scenario="uac_hold", options=["-d", 1000])
        assert lab.wait_counter("calls_answered", before + 250)
        watch = ctl(lab, "target", "drain", "lab/target1", "--wait")
        assert wait_for(lambda: lab.targets()["lab/target1"]["state"] == "draining", 5)
        drained = time.time()
        out, _ = watch.communicate(timeout=20)
        empty = time.time()
        assert watch.returncode == 0
        target = lab.targets()["lab/target1"]
        assert target["live"] == target["ringing"] == 0 and target["enabled"]
        assert wait_for(lambda: ("draining", "lab/target1") in raised(lab), 5)
        assert caller.running(), "the countdown ended while calls still came"
        trial.finish(caller)
    counts = [int(line.split(": ")[1].split()[0]) for line in out.splitlines() if "calls are left" in line and "no calls" not in line]
    assert counts and counts[0] > 20 and counts == sorted(counts, reverse=True), out
    assert out.splitlines()[-1] == "lab/target1: no calls are left; safe to take away"
    assert 0.3 < empty - drained < 10
    assert all(call.completed for call in trial.ledger.calls.values()) and len(trial.ledger.calls) == 800
    assert not trial.ledger.rescued()
    late = [message for message in trial.to("target1", "INVITE") if message.when > drained + 0.1]
    assert not late, late[:3]
    assert len([m for m in trial.to("target2", "INVITE") if m.when > drained]) > 50
    lab.ctl("target", "undrain", "lab/target1")
    assert lab.targets()["lab/target1"]["state"] == "up"
    assert wait_for(lambda: ("draining", "lab/target1") not in raised(lab), 5)
    assert lab.ctl("drains") == {"targets": [], "node": None}


def test_a_deadline_passes(lab):
    before = lab.counters()["calls_answered"]
    with Trial(lab, **{target: "uas" for target in TARGETS}) as trial:
        caller = trial.start(3, rate=50, scenario="uac_hold", options=["-d", 6000])
        assert lab.wait_counter("calls_answered", before + 3)
        begin = time.monotonic()
        watch = ctl(lab, "target", "drain", "target2", "--deadline", "1s", "--wait")
        out, _ = watch.communicate(timeout=20)
        assert watch.returncode == 0 and 1 <= time.monotonic() - begin < 5
        assert out.splitlines()[-1] == "lab/target2: the deadline has passed, 1 call is left; safe to take away", out
        trial.finish(caller)  # nobody cut it
    lab.ctl("target", "undrain", "target2")


def test_a_drain_outlives_a_crash(lab):
    lab.ctl("target", "drain", "lab/target3", "--deadline", "2h", "--comment", "new fans")
    then = lab.ctl("drains")["targets"]
    lab.processes.stop("strowgerd", signal.SIGKILL)
    lab.start_daemon()
    now = lab.ctl("drains")["targets"]
    assert [(d["target"], d["since"], d["deadline"]) for d in now] == [(d["target"], d["since"], d["deadline"]) for d in then]
    assert lab.targets()["lab/target3"]["state"] == "draining"
    version = lab.ctl("config", "log")["versions"][0]
    assert (version["operation"], version["comment"], version["who"]) == ("target.drain", "new fans", "root")
    with Trial(lab, **{target: "uas" for target in TARGETS}) as trial:
        trial.call(9)
    assert not trial.to("target3")
    assert lab.ctl("target", "undrain", "lab/target3")["total"] == 1


def test_the_node_is_emptied(lab):
    assert ctl(lab, "ready").wait(10) == 0
    before = lab.counters()["calls_answered"]
    with Trial(lab, **{target: "uas" for target in TARGETS}) as trial, Agent(lab, "caller", port=5999) as late:
        caller = trial.start(20, rate=100, scenario="uac_hold", options=["-d", 1500])
        assert lab.wait_counter("calls_answered", before + 20)
        watch = ctl(lab, "node", "drain", "--wait")
        assert wait_for(lambda: not lab.ctl("ready", check=False).stdout.count('"ready": true'), 5)
        refused = ctl(lab, "ready")
        assert refused.communicate(timeout=10)[0].startswith("not ready: draining: ") and refused.returncode == 1
        late.send(late.request("INVITE", f"sip:{NUMBER}@10.77.0.1"))
        assert late.final().status == 503
        assert watch.communicate(timeout=20)[0].splitlines()[-1] == "node: no calls are left; safe to take away"
        assert watch.returncode == 0
        trial.finish(caller)
        assert wait_for(lambda: ("draining", "node") in raised(lab), 5)
        lab.ctl("node", "undrain")
        assert ctl(lab, "ready").wait(10) == 0
        trial.call(3)


def test_an_undrain_ends_the_waiting(lab):
    before = lab.counters()["calls_answered"]
    with Trial(lab, **{target: "uas" for target in TARGETS}) as trial:
        caller = trial.start(3, rate=50, scenario="uac_hold", options=["-d", 3000])
        assert lab.wait_counter("calls_answered", before + 3)
        watch = ctl(lab, "target", "drain", "lab/target1", "--wait")
        assert wait_for(lambda: lab.targets()["lab/target1"]["state"] == "draining", 5)
        lab.ctl("target", "undrain", "lab/target1")
        assert "is not draining any more" in watch.communicate(timeout=10)[0]
        assert watch.returncode == 1
        trial.finish(caller)
