# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- Strowger (AF_PACKET, failover) ----+---- target1   is there, and says nothing
#   10.77.0.10          10.77.0.1                  +---- target2   answers
#
# Live traffic as a probe: calls that meet silence take the endpoint out for those that come after them.

import time

from lab import add_profile
from trial import Trial

NUMBER = "+442035550500"
ALONE = "+442035550501"
OUT = 2


def configure(config):
    config["ejection"] = {"after": 3, "first_s": OUT, "max_s": OUT, "ramp_s": 0}
    add_profile(config, "pair", NUMBER, targets=("target1", "target2"), response_timeout_ms=500)
    add_profile(config, "alone", ALONE, targets=("target1",), response_timeout_ms=500, max_retries=0)


def first_choices(trial):
    """In the order of the calls: the ledger met them so."""
    return [call.targets[0] for call in trial.ledger.calls.values()]


def test_silence_takes_an_endpoint_out_and_time_brings_it_back(lab):
    before = lab.counters()
    with Trial(lab, target1="uas_silent", target2="uas") as trial:
        for _ in range(3):
            trial.call(number=NUMBER)
        out_since = time.monotonic()
        trial.call(10, rate=100, number=NUMBER)
        told = lab.targets()["pair/target1"]
        route = lab.ctl("route", "x", NUMBER)["attempts"]
        assert time.monotonic() - out_since < OUT, "the ten calls came while it was out, and waited for nothing"
        out = told["endpoints"][0]
        assert (told["state"], out["health"], out["ramp_percent"]) == ("ejected", "ejected", 0)
        assert out["reason"].startswith("3 calls in a row got no answer; until 20") and out["since"] < out["ejected_until"]
        raised = lab.ctl("alarms")["raised"]
        assert [alarm["subject"] for alarm in raised if alarm["kind"] == "ejected"] == ["target1/10.77.0.21:5060"]
    assert first_choices(trial) == ["target1"] * 3 + ["target2"] * 10
    assert [(attempt["target"], attempt.get("last_resort")) for attempt in route] == [("pair/target2", None), ("pair/target1", True)]
    assert lab.counters()["ejections"] == before["ejections"] + 1
    with Trial(lab, target1="uas", target2="uas") as trial:  # begins when nothing is out any more
        trial.call(4, number=NUMBER)
    assert first_choices(trial) == ["target1"] * 4


def test_the_only_one_is_never_taken_out(lab):
    before = lab.counters()
    with Trial(lab, target1="uas_silent") as trial:
        trial.call(5, rate=10, number=ALONE, scenario="uac_expect", fill={"code": 408})
    assert len(trial.ledger.calls) == 5 and all(call.targets == ["target1"] for call in trial.ledger.calls.values())
    assert lab.counters()["ejections"] == before["ejections"]
    assert lab.counters()["ejections_refused"] > before["ejections_refused"]
