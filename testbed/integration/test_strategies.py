# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- Strowger (AF_PACKET) ----+---- target1 10.77.0.21
#   10.77.0.10      10.77.0.1            +---- target2 10.77.0.22
#                                        +---- target3 10.77.0.23
#
# Who gets a call: each strategy, positions, weights, targets that are switched off or drained.

import math
import select
from collections import Counter

from agent import Agent
from lab import NUMBER, TARGETS, add_profile
from processes import wait_for
from trial import Trial

ROUND, WEIGHTED, BACKWARDS, DRAINED, OFF, LIVE = (f"+44203555030{digit}" for digit in range(6))


def configure(config):
    add_profile(config, "round", ROUND, strategy="round_robin")
    add_profile(config, "weighted", WEIGHTED, strategy="weighted_lb",
                targets={"target1": {"weight": 70}, "target2": {"weight": 30}})
    add_profile(config, "backwards", BACKWARDS, targets={"target1": {"position": 9}, "target2": {"position": 5},
                                                         "target3": {"position": 2}})
    add_profile(config, "drained", DRAINED, strategy="weighted_lb",
                targets={"target1": {"weight": 0}, "target2": {"weight": 50}, "target3": {"weight": 50}})
    add_profile(config, "off", OFF, strategy="round_robin", targets={"target1": {}, "target2": {"enabled": False},
                                                                     "target3": {}})
    add_profile(config, "live", LIVE, strategy="round_robin")


def all_answer(lab, **how):
    return Trial(lab, **{target: "uas" for target in TARGETS}, **how)


def test_failover_prefers_the_first(lab):
    with all_answer(lab) as trial:
        trial.call(20, number=NUMBER)
    assert trial.ledger.first_choices() == ["target1"] * 20
    assert not trial.ledger.rescued()


def test_failover_follows_position_not_the_order_of_the_file(lab):
    with Trial(lab, target1="uas", target2="uas", target3=("uas_reply", {"code": 500})) as trial:
        trial.call(5, number=BACKWARDS)
    assert [call.targets for call in trial.ledger.calls.values()] == [["target3", "target2"]] * 5


def test_round_robin_is_exact(lab):
    with all_answer(lab) as trial:
        trial.call(300, rate=300, number=ROUND)
    order = trial.ledger.first_choices()
    assert Counter(order) == dict.fromkeys(TARGETS, 100)
    start = TARGETS.index(order[0])
    assert order == [TARGETS[(start + turn) % 3] for turn in range(300)]


def test_weights(lab):
    """70/30 of fresh random Call-IDs within four sigma; the unit tests do it over 100,000 selections."""
    calls = 2000
    with all_answer(lab) as trial:
        trial.call(calls, rate=500, number=WEIGHTED)
    share = Counter(trial.ledger.first_choices())
    assert set(share) == {"target1", "target2"}
    assert abs(share["target1"] - 0.7 * calls) < 4 * math.sqrt(calls * 0.7 * 0.3)


def test_the_same_call_id_meets_the_same_target(lab):
    assert lab.wait_usable()
    with Agent(lab, "caller") as caller, Agent(lab, "target1") as one, Agent(lab, "target2") as two:
        chosen = {}
        for call_id in (f"same-{number}@caller" for number in range(64)):  # the hash's key is drawn at each start: 0.7^64 is never
            for attempt in range(3):
                caller.send(caller.request("INVITE", f"sip:{WEIGHTED}@10.77.0.1", call_id=call_id, cseq=attempt + 1))
                ready = select.select([one.socket, two.socket], [], [], 2)[0]
                reached = one if one.socket in ready else two
                reached.reply(reached.request_in(), 486, "Busy Here", tag="t")
                assert reached.request_in("ACK")
                assert caller.final().status == 486
                chosen.setdefault(call_id, set()).add(reached.node)
    assert all(len(targets) == 1 for targets in chosen.values())
    assert len(set.union(*chosen.values())) == 2


def test_weight_zero_gets_nothing(lab):
    with all_answer(lab) as trial:
        trial.call(100, rate=200, number=DRAINED)
    assert set(trial.ledger.first_choices()) == {"target2", "target3"}


def test_a_disabled_target_gets_nothing(lab):
    with all_answer(lab) as trial:
        trial.call(40, number=OFF)
    assert Counter(trial.ledger.first_choices()) == {"target1": 20, "target3": 20}


def live_calls_survive(lab, switch_off, switch_on):
    """Calls are up on all targets; target1 is taken out; its calls go on and end as they should, new ones go elsewhere."""
    with all_answer(lab) as trial:
        long = trial.start(30, rate=100, scenario="uac_hold", number=LIVE, options=["-d", 1500])
        assert wait_for(lambda: lab.targets()["live/target1"]["live"] == 10, 5)
        switch_off()
        row = lab.targets()["live/target1"]
        assert row["live"] == 10, "how many are left is shown"
        mark = row["attempts"]
        trial.call(30, rate=100, number=LIVE)
        assert lab.targets()["live/target1"]["attempts"] == mark
        trial.finish(long)
        assert wait_for(lambda: lab.targets()["live/target1"]["live"] == 0, 3)
        switch_on()
        trial.call(9, rate=100, number=LIVE)
        assert lab.targets()["live/target1"]["attempts"] == mark + 3
    assert not trial.ledger.rescued()


def test_disabling_lets_live_calls_end(lab):
    live_calls_survive(lab, lambda: lab.ctl("target", "disable", "live/target1"),
                       lambda: lab.ctl("target", "enable", "live/target1"))


def test_weight_zero_lets_live_calls_end(lab):
    live_calls_survive(lab, lambda: lab.ctl("target", "weight", "live/target1", 0),
                       lambda: lab.ctl("target", "weight", "live/target1", 100))
