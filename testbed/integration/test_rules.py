# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- Strowger (AF_PACKET, failover) ----+---- target1   fails the call in some way
#   10.77.0.10          10.77.0.1                  +---- target2   answers
#                                                  +---- target3   answers
#
# What ends a call, what moves it on, and every clock of "Choosing and rescuing".

import time

import pytest

from agent import Agent
from lab import add_profile
from trial import Trial

FAST = "+442035550201"
SLOW_RING = "+442035550202"
CARRIER_480 = "+442035550203"
NOT_501 = "+442035550204"
AFTER_PROGRESS = "+442035550205"
ONE_RETRY = "+442035550206"
BUDGET = "+442035550207"
EXHAUSTED_503 = "+442035550208"
CLOCKS = {"response_timeout_ms": 500, "progress_timeout_ms": 700, "ring_timeout_s": 5}


def configure(config):
    add_profile(config, "fast", FAST, **CLOCKS)
    add_profile(config, "slow-ring", SLOW_RING, **{**CLOCKS, "ring_timeout_s": 1})
    add_profile(config, "carrier-480", CARRIER_480, **CLOCKS, retry_codes={"add": [480]})
    add_profile(config, "not-501", NOT_501, **CLOCKS, retry_codes={"remove": [501]})
    add_profile(config, "after-progress", AFTER_PROGRESS, **CLOCKS, retry_after_progress=True)
    add_profile(config, "one-retry", ONE_RETRY, **CLOCKS, max_retries=1)
    add_profile(config, "budget", BUDGET, **{**CLOCKS, "response_timeout_ms": 800}, setup_budget_s=1)
    add_profile(config, "exhausted-503", EXHAUSTED_503, **CLOCKS, exhausted_code=503)


def reply(code):
    return "uas_reply", {"code": code}


def expect(code):
    return {"scenario": "uac_expect", "fill": {"code": code}}


@pytest.mark.parametrize("code", [486, 603, 404, 403, 480, 401, 407, 488, 302, 600])
def test_final(lab, code):
    with Trial(lab, target1=reply(code), target2="uas") as trial:
        trial.call(number=FAST, **expect(code))
    assert [call.targets for call in trial.ledger.calls.values()] == [["target1"]]
    assert trial.to("target1", "ACK"), "the target's final answer is acknowledged hop by hop"


@pytest.mark.parametrize("code", [408, 500, 501, 502, 503, 504, 580])
def test_moves_on(lab, code):
    before = lab.counters()
    with Trial(lab, target1=reply(code), target2="uas") as trial:
        trial.call(number=FAST)
    assert [call.targets for call in trial.ledger.calls.values()] == [["target1", "target2"]]
    assert code not in trial.statuses()
    after = lab.counters()
    assert after["calls_rescued"] == before["calls_rescued"] + 1
    assert after["attempt_retry_code"] == before["attempt_retry_code"] + 1


def test_nobody_listens(lab):
    """The kernel of target1 refuses (ICMP): no clock has to run out, and for a moment calls go past it at once."""
    before = lab.counters()
    with Trial(lab, target2="uas") as trial:
        trial.call(10, number=FAST)
        assert lab.targets()["fast/target1"]["state"] == "ejected"
        assert lab.wait_usable(3), "it is given another chance by itself"
        trial.call(1, number=FAST)
    calls = list(trial.ledger.calls.values())
    assert [call.targets for call in calls] == [["target1", "target2"]] + [["target2"]] * 9 + [["target1", "target2"]]
    first = trial.to("target1", "INVITE")[0]
    second = [m for m in trial.to("target2", "INVITE") if m.call_id == first.call_id][0]
    assert second.when - first.when < 0.4, "before the response timeout"
    assert lab.counters()["attempt_transport_error"] == before["attempt_transport_error"] + 2


def test_response_timeout(lab):
    with Trial(lab, target1="uas_silent", target2="uas") as trial:
        trial.call(number=FAST)
    first, second = trial.to("target1", "INVITE")[0], trial.to("target2", "INVITE")[0]
    assert 0.45 < second.when - first.when < 0.9
    assert not trial.to("target1", "CANCEL"), "a CANCEL needs a provisional response first (RFC 3261 section 9.1)"


def test_response_timeout_then_late_provisional(lab):
    """The branch was given up before it said anything: it is cancelled at its first word."""
    with Trial(lab, target2="uas") as trial, Agent(lab, "target1") as late:
        caller = trial.start(number=FAST)
        invite = late.request_in()
        trial.finish(caller)
        late.reply(invite, 180, "Ringing", tag="late")
        assert late.request_in("CANCEL")
    assert 180 not in trial.statuses(), "the caller's call has moved on"


def test_progress_timeout(lab):
    with Trial(lab, target1="uas_trying", target2="uas") as trial:
        trial.call(number=FAST)
    first, second = trial.to("target1", "INVITE")[0], trial.to("target2", "INVITE")[0]
    assert 0.65 < second.when - first.when < 1.1
    assert trial.to("target1", "CANCEL")


def test_ring_timeout(lab):
    with Trial(lab, target1="uas_ringing", target2="uas") as trial:
        trial.call(number=SLOW_RING)
    first, second = trial.to("target1", "INVITE")[0], trial.to("target2", "INVITE")[0]
    assert 0.95 < second.when - first.when < 1.5
    assert trial.to("target1", "CANCEL") and trial.to("target1", "ACK")
    assert 487 not in trial.statuses()


def test_a_480_may_be_retried(lab):
    with Trial(lab, target1=reply(480), target2="uas") as trial:
        trial.call(number=CARRIER_480)
    assert [call.targets for call in trial.ledger.calls.values()] == [["target1", "target2"]]


def test_a_501_may_be_final(lab):
    with Trial(lab, target1=reply(501), target2="uas") as trial:
        trial.call(number=NOT_501, **expect(501))
    assert [call.targets for call in trial.ledger.calls.values()] == [["target1"]]


def test_final_after_progress(lab):
    """The caller has heard ringing: a 5xx is final; and a 503 of a target's goes up as 500 (RFC 3261 section 16.7)."""
    with Trial(lab, target1=("uas_ring_reply", {"code": 503}), target2="uas") as trial:
        trial.call(number=FAST, **expect(500))
    assert [call.targets for call in trial.ledger.calls.values()] == [["target1"]]


def test_moves_on_after_progress_where_told(lab):
    with Trial(lab, target1=("uas_ring_reply", {"code": 503}), target2="uas") as trial:
        trial.call(number=AFTER_PROGRESS)
    assert [call.targets for call in trial.ledger.calls.values()] == [["target1", "target2"]]


def test_three_targets_in_order(lab):
    with Trial(lab, target1=reply(500), target2=reply(502), target3="uas") as trial:
        trial.call(5, number=FAST)
    assert [call.targets for call in trial.ledger.calls.values()] == [["target1", "target2", "target3"]] * 5


def test_max_retries(lab):
    with Trial(lab, target1=reply(500), target2=reply(500), target3="uas") as trial:
        trial.call(number=ONE_RETRY, **expect(500))
    assert [call.targets for call in trial.ledger.calls.values()] == [["target1", "target2"]]


def test_all_time_out(lab):
    with Trial(lab, target1="uas_silent", target2="uas_silent", target3="uas_silent") as trial:
        trial.call(number=FAST, **expect(408))
    assert [call.targets for call in trial.ledger.calls.values()] == [["target1", "target2", "target3"]]


def test_setup_budget(lab):
    """A second for everything, 0.8 s for the first target: the second one's time is cut short, the third is not tried."""
    with Trial(lab, target1="uas_silent", target2="uas_silent", target3="uas") as trial:
        trial.call(number=BUDGET, **expect(408))
    assert [call.targets for call in trial.ledger.calls.values()] == [["target1", "target2"]]
    invite = trial.to("strowger", "INVITE")[0]
    final = [m for m in trial.messages if m.status == 408 and m.source[0] == lab.address("strowger")][0]
    assert 0.9 < final.when - invite.when < 1.4


def test_all_503(lab):
    """503 stays with us: upstream would take this node out for everybody (RFC 3261 section 16.7)."""
    with Trial(lab, target1=reply(503), target2=reply(503), target3=reply(503)) as trial:
        trial.call(number=FAST, **expect(500))
    assert 503 not in trial.statuses()


def test_all_refused(lab):
    with Trial(lab) as trial:
        trial.call(number=FAST, **expect(500))
    assert [call.targets for call in trial.ledger.calls.values()] == [["target1", "target2", "target3"]]


def test_exhausted_code(lab):
    with Trial(lab) as trial:
        trial.call(number=EXHAUSTED_503, **expect(503))


def test_best_response(lab):
    """Of what was collected a 4xx is better than a 5xx, though it came first."""
    with Trial(lab, target1=reply(480), target2=reply(500), target3=reply(500)) as trial:
        trial.call(number=CARRIER_480, **expect(480))
    assert [call.targets for call in trial.ledger.calls.values()] == [["target1", "target2", "target3"]]


def test_retry_after(lab):
    """A 503 with Retry-After takes its endpoint out for that long."""
    with Trial(lab, target2="uas") as trial, Agent(lab, "target1") as busy:
        caller = trial.start(number=FAST)
        invite = busy.request_in()
        busy.reply(invite, 503, "Service Unavailable", tag="busy", extra=["Retry-After: 2"])
        assert busy.request_in("ACK")
        trial.finish(caller)
        trial.call(3, number=FAST)
        assert not busy.request_in(seconds=0.1)
        time.sleep(2.1)
        caller = trial.start(number=FAST)
        again = busy.request_in()
        assert again, "it is back by itself"
        busy.reply(again, 486, "Busy Here", tag="busy")
        caller.wait(10)
