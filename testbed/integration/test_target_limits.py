# SPDX-License-Identifier: Apache-2.0
#
#                             +-- queue 0 -- worker 0 --+---- target1   at most so many calls
#   caller ---- port0 (veth) -+        rings            |
#                             +-- queue 1 -- worker 1 --+---- target2   takes the rest
#
# Limits of a target, which hold over both workers; and the strategies that look at how many calls each has, and how soon it answers.

import select
import time
from bisect import bisect_left
from collections import Counter

import pytest

from agent import Agent
from lab import add_profile
from processes import wait_for
from trial import Trial

LAB = {"workers": 2}
CALLS, RATE, LEAST, FASTEST = (f"+44203555060{digit}" for digit in range(4))


def configure(config):
    add_profile(config, "calls", CALLS, targets={"target1": {"max_calls": 10}, "target2": {}})
    add_profile(config, "rate", RATE, targets={"target1": {"max_cps": 20}, "target2": {}})
    add_profile(config, "least", LEAST, strategy="least_calls", targets={"target1": {"weight": 100}, "target2": {"weight": 200}})
    add_profile(config, "fastest", FASTEST, strategy="fastest", targets=("target1", "target2"))


def three_callers(trial, calls, rate, number, hold_ms):
    """Several source ports, so that both queues are used."""
    return [trial.start(calls // 3, rate=rate // 3, number=number, scenario="uac_hold", options=["-d", hold_ms]) for _ in range(3)]


def changes(trial, node):
    """What happened to the number of calls at a target, in order: an INVITE there is one more, a BYE one less."""
    seen = set()
    for message in trial.to(node):
        key = (message.call_id, message.method)
        if message.method in ("INVITE", "BYE") and key not in seen:
            seen.add(key)
            yield message.when, 1 if message.method == "INVITE" else -1


def most_at_once(trial, node):
    now = most = 0
    for _, change in changes(trial, node):
        now += change
        most = max(most, now)
    assert now == 0
    return most


def raised(lab, subject):
    return [alarm["text"] for alarm in lab.ctl("alarms")["raised"] if alarm["kind"] == "limit" and alarm["subject"] == subject]


def test_never_one_call_too_many(lab):
    """120 calls of 0.6 s, 120 a second, where ten may be up at once: the place of each that ends is taken again, and no other."""
    before = lab.counters()["limit_passed_over"]
    with Trial(lab, target1="uas", target2="uas") as trial:
        callers = three_callers(trial, 120, 120, CALLS, 600)
        assert wait_for(lambda: lab.targets()["calls/target1"]["state"] == "full", 5, every=0.02)
        assert wait_for(lambda: raised(lab, "calls/target1"), 5), lab.ctl("alarms")
        told = lab.ctl("route", "+1", CALLS)
        for caller in callers:
            trial.finish(caller)
        row = lab.targets()["calls/target1"]
    assert row["calls"] == 0 and row["live"] == row["ringing"] == 0
    assert most_at_once(trial, "target1") == 10
    shares = Counter(trial.ledger.first_choices())
    assert shares["target1"] + shares["target2"] == 120 and 20 <= shares["target1"] < 60, shares
    assert lab.counters()["limit_passed_over"] - before == shares["target2"] == row["passed_over"]
    assert all(call.completed for call in trial.ledger.calls.values())
    assert min(worker["calls_started"] for worker in lab.ctl("counters")["workers"]) > 20
    assert any("at its limit: 10 of 10 calls" in left["reason"] for left in told["left_out"]) or told["attempts"][0]["calls"] < 10
    assert wait_for(lambda: not raised(lab, "calls/target1"), 10)


def test_a_limit_that_comes_late_counts_who_is_there(lab):
    with Trial(lab, target1="uas", target2="uas") as trial:
        lab.ctl("target", "set", "calls/target1", "max_calls=0")
        before = lab.counters()["calls_answered"]
        callers = three_callers(trial, 15, 300, CALLS, 2500)
        assert lab.wait_counter("calls_answered", before + 15)
        lab.ctl("target", "set", "calls/target1", "max_calls=10")
        assert wait_for(lambda: lab.targets()["calls/target1"].get("calls") == 15, 2), lab.targets()["calls/target1"]
        trial.call(5, rate=100, number=CALLS)
        for caller in callers:
            trial.finish(caller)
    assert Counter(trial.ledger.first_choices()) == {"target1": 15, "target2": 5}


def test_never_one_call_too_fast(lab):
    """At most 20 calls in any second, where 100 a second come."""
    with Trial(lab, target1="uas", target2="uas") as trial:
        for caller in three_callers(trial, 240, 99, RATE, 10):
            trial.finish(caller)
    begun = [when for when, change in changes(trial, "target1") if change == 1]
    # By the wire's clock, which is a turn of the workers later than theirs: a few ms of the second are left out.
    most = max(at + 1 - bisect_left(begun, when - 0.98) for at, when in enumerate(begun))
    assert most <= 20
    assert len(begun) >= 2 * 20, "and it is used"


def test_least_calls(lab):
    """Calls that stay up are shared by weight, exactly but for what two workers cannot know of each other."""
    with Trial(lab, target1="uas", target2="uas") as trial:
        callers = three_callers(trial, 90, 90, LEAST, 1500)
        assert wait_for(lambda: sum(lab.targets()[f"least/{node}"]["live"] for node in ("target1", "target2")) == 90, 5)
        live = [lab.targets()[f"least/{node}"]["live"] for node in ("target1", "target2")]
        for caller in callers:
            trial.finish(caller)
    assert abs(live[0] - 30) <= 2 and abs(live[1] - 60) <= 2, live


@pytest.mark.alone
def test_fastest(lab):
    """One answers after 80 ms, then the other one does: calls go to the quick one, and find out when that has changed."""
    assert lab.wait_usable()
    with Agent(lab, "caller") as caller, Agent(lab, "target1") as one, Agent(lab, "target2") as two:
        for slow in (two, one):
            reached = []
            for number in range(80):
                caller.send(caller.request("INVITE", f"sip:{FASTEST}@10.77.0.1", call_id=f"fastest-{slow.node}-{number}@caller"))
                ready = select.select([one.socket, two.socket], [], [], 2)[0]
                target = one if one.socket in ready else two
                if target is slow:
                    time.sleep(0.08)  # what it takes to answer
                target.reply(target.request_in(), 486, "Busy Here", tag="t")
                assert target.request_in("ACK")
                assert caller.final().status == 486
                reached.append(target.node)
            assert reached[-40:].count(slow.node) <= 10, reached
