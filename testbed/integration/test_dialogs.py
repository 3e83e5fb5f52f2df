# SPDX-License-Identifier: Apache-2.0
#
#   caller ------- Strowger (AF_PACKET, failover) ------- target1 ... target3
#   10.77.0.10     10.77.0.1                              10.77.0.21 ... 23
#   fd77::10       fd77::1                                fd77::21 ... 23
#
# Whole calls over both IP families: re-INVITE, BYE from both sides, CANCEL, other methods.

import pytest

from agent import Agent, tag_of
from lab import NUMBER, NUMBER_IPV6
from trial import Trial

FAMILIES = pytest.mark.parametrize("family", [4, 6])


def number(family):
    return NUMBER if family == 4 else NUMBER_IPV6


@FAMILIES
def test_call(lab, family):
    before = lab.counters()
    with Trial(lab, family, target1="uas") as trial:
        trial.call(50, rate=200, number=number(family))
    after = lab.counters()
    assert all(call.completed for call in trial.ledger.calls.values())
    assert trial.ledger.retransmissions == 0
    assert 100 in trial.statuses()
    assert after["calls_answered"] - before["calls_answered"] == 50
    assert after["calls_ended"] - before["calls_ended"] == 50
    for method in ("ACK", "BYE"):
        through = trial.to("strowger", method)
        assert len(through) == 50, f"every {method} passes through Strowger: it is in the route set"


@FAMILIES
def test_reinvite(lab, family):
    with Trial(lab, family, target1="uas_reinvite") as trial:
        trial.call(10, number=number(family), scenario="uac_reinvite")
    assert len(trial.to("target1", "INVITE")) == 20
    assert len(trial.to("target1", "ACK")) == 20


@FAMILIES
def test_the_callee_ends_it(lab, family):
    before = lab.counters()["calls_ended"]
    with Trial(lab, family, target1="uas_bye") as trial:
        trial.call(10, number=number(family), scenario="uac_callee_bye")
    assert len(trial.to("caller", "BYE")) == 10
    assert lab.counters()["calls_ended"] - before == 10


@FAMILIES
def test_cancel(lab, family):
    before = lab.counters()
    with Trial(lab, family, target1="uas_ringing", target2="uas") as trial:
        trial.call(10, number=number(family), scenario="uac_cancel")
    after = lab.counters()
    assert len(trial.to("target1", "CANCEL")) == 10
    assert not trial.to("target2"), "a cancelled call goes nowhere else"
    assert trial.statuses() == [100, 180, 487]
    assert after["calls_cancelled"] - before["calls_cancelled"] == 10


def test_cancel_before_any_provisional(lab):
    """The CANCEL waits for the target's first word (RFC 3261 section 9.1); the caller need not."""
    with Agent(lab, "caller") as caller, Agent(lab, "target1") as target:
        invite = caller.request("INVITE", f"sip:{NUMBER}@10.77.0.1")
        caller.send(invite)
        arrived = target.request_in()
        caller.send(invite.replace("CSeq: 1 INVITE", "CSeq: 1 CANCEL").replace("INVITE sip", "CANCEL sip"))
        assert caller.final(method="CANCEL").status == 200
        assert not target.request_in("CANCEL", seconds=0.3)
        target.reply(arrived, 180, "Ringing", tag="t")
        cancel = target.request_in("CANCEL")
        assert cancel and cancel.header("via") == arrived.headers["via"][0], "the INVITE's branch"
        target.reply(cancel, 200, "OK")
        target.reply(arrived, 487, "Request Terminated", tag="t")
        assert target.request_in("ACK")
        assert caller.final().status == 487


def test_cancel_of_nothing(lab):
    with Agent(lab, "caller") as caller:
        caller.send(caller.request("CANCEL", f"sip:{NUMBER}@10.77.0.1"))
        assert caller.final(method="CANCEL").status == 481


@FAMILIES
@pytest.mark.parametrize("method", ["OPTIONS", "MESSAGE", "SUBSCRIBE", "FROBNICATE"])
def test_other_methods(lab, family, method):
    with Trial(lab, family, target1=("uas_request", {"method": method})) as trial:
        trial.call(5, number=number(family), scenario="uac_request", fill={"method": method})
    assert len(trial.to("target1", method)) == 5
    assert trial.statuses(method=method) == [200], "no 100 for a non-INVITE at once (RFC 4320)"


def test_retransmissions_are_absorbed(lab):
    """The caller repeats itself; the target hears it once, and the caller gets its answer each time."""
    with Agent(lab, "caller") as caller, Agent(lab, "target1") as target:
        invite = caller.request("INVITE", f"sip:{NUMBER}@10.77.0.1")
        caller.send(invite)
        arrived = target.request_in()
        target.reply(arrived, 180, "Ringing", tag="t")
        assert caller.receive(want=lambda m: m.status == 180)
        caller.send(invite)
        assert caller.receive(want=lambda m: m.status == 180), "the last provisional again"
        assert not target.request_in(seconds=0.2)
        target.reply(arrived, 486, "Busy Here", tag="t")
        assert target.request_in("ACK")
        assert caller.final().status == 486
        assert caller.final(seconds=1.2), "repeated until the ACK (timer G)"
        caller.send(invite.replace("INVITE sip", "ACK sip").replace("1 INVITE", "1 ACK"))
        caller.kept.clear()
        assert not target.request_in("ACK", seconds=0.1), "absorbed: ours has gone already"


def test_a_2xx_again_goes_up_again(lab):
    """The target repeats its 200 until the ACK, which is the caller's own, end to end."""
    with Agent(lab, "caller") as caller, Agent(lab, "target1") as target:
        caller.send(caller.request("INVITE", f"sip:{NUMBER}@10.77.0.1"))
        arrived = target.request_in()
        for _ in range(3):
            target.reply(arrived, 200, "OK", tag="t")
            assert caller.final().status == 200


def test_record_route_carries_the_dialog_both_ways(lab):
    with Agent(lab, "caller") as caller, Agent(lab, "target1") as target:
        call_id, tag = "both-ways@caller", "fromtag"
        caller.send(caller.request("INVITE", f"sip:{NUMBER}@10.77.0.1", call_id=call_id, from_tag=tag))
        arrived = target.request_in()
        route = arrived.header("record-route")
        assert "10.77.0.1" in route and ";lr" in route
        target.reply(arrived, 200, "OK", tag="t")
        ok = caller.final()
        assert ok.header("record-route") == route
        contact = ok.header("contact").strip("<>")
        caller.send(caller.request("ACK", contact, call_id=call_id, from_tag=tag, to_tag="t", extra=[f"Route: {route}"]))
        ack = target.request_in("ACK")
        assert ack.first.split(" ")[1] == contact and "route" not in ack.headers, "our Route is off"
        # The target speaks: From and To change places.
        target.send(target.request("INFO", arrived.header("contact").strip("<>"), call_id=call_id, from_tag="t",
                                   to=f"<sip:caller@10.77.0.10>;tag={tag}", extra=[f"Route: {route}"]))
        info = caller.request_in("INFO")
        assert info and tag_of(info.header("to")) == tag
        caller.reply(info, 200, "OK")
        assert target.final(method="INFO").status == 200
        caller.send(caller.request("BYE", contact, call_id=call_id, from_tag=tag, to_tag="t", cseq=2,
                                   extra=[f"Route: {route}"]))
        target.reply(target.request_in("BYE"), 200, "OK")
        assert caller.final(method="BYE").status == 200


@pytest.fixture
def routing_back(lab):
    """The routing as it was before the test."""
    before = lab.ctl("export")
    yield before
    lab.apply(before)


def without(routing, names):
    """The routing with these trunks deleted whole."""
    return {"trunks": [trunk for trunk in routing["trunks"] if trunk["name"] not in names],
            "profiles": [{**profile, "targets": [target for target in profile["targets"] if target["trunk"] not in names]}
                         for profile in routing["profiles"]]}


def test_calls_outlive_their_trunks(lab, routing_back):
    """Both sides' trunks are deleted while a call is up: it goes on and ends; nobody begins another there."""
    with Agent(lab, "caller") as caller, Agent(lab, "target1") as target:
        names = {"call_id": "outlives@caller", "from_tag": "fromtag"}
        caller.send(caller.request("INVITE", f"sip:{NUMBER}@10.77.0.1", **names))
        arrived = target.request_in()
        target.reply(arrived, 200, "OK", tag="t")
        ok = caller.final()
        route, contact = f"Route: {ok.header('record-route')}", ok.header("contact").strip("<>")
        caller.send(caller.request("ACK", contact, to_tag="t", extra=[route], **names))
        assert target.request_in("ACK")
        lab.apply(without(routing_back, ("caller", "target1")))
        caller.send(caller.request("INFO", contact, to_tag="t", cseq=2, extra=[route], **names))
        target.reply(target.request_in("INFO"), 200, "OK")
        assert caller.final(method="INFO").status == 200
        caller.send(caller.request("INVITE", f"sip:{NUMBER}@10.77.0.1", call_id="another@caller"))
        assert caller.final().status == 403
        lab.apply({"numbers": lab.ctl("numbers")["numbers"]})  # another change in between
        target.send(target.request("BYE", arrived.header("contact").strip("<>"), call_id=names["call_id"], from_tag="t",
                                   to=f"<sip:caller@10.77.0.10>;tag={names['from_tag']}", extra=[route]))
        caller.reply(caller.request_in("BYE"), 200, "OK")
        assert target.final(method="BYE").status == 200
