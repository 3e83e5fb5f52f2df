# SPDX-License-Identifier: Apache-2.0
#
#   caller ------- Strowger (AF_PACKET) ------+---- target1    baresip, linphone, or Kamailio with target2 behind it
#   10.77.0.10     10.77.0.1                  +---- target2    baresip
#   baresip,                                  +---- target3    baresip
#   linphone
#
# Phones that others wrote call each other through Strowger, and another's proxy stands beside it in the route set.

import re

import pytest

from capture import Capture
from lab import NUMBER, TARGETS, add_profile
from phones import Baresip, Kamailio, Linphone
from processes import wait_for

EVERYBODY = "+442035550777"
CALLER, CALLEE = "caller", "target1"


def configure(config):
    add_profile(config, "everybody", EVERYBODY, "simultaneous_ring")


@pytest.fixture(name="wire")
def fixture_wire(lab):
    """What passes the switch while a test runs; it begins with every target usable."""
    assert lab.wait_usable()
    with Capture(lab) as capture:
        yield capture


def requests(wire, lab, method, node):
    """Requests that arrived at a node."""
    return [m for m in wire.messages() if m.is_request and m.method == method and m.destination[0] == lab.address(node)]


def statuses(wire, lab, node, method="INVITE"):
    return list(dict.fromkeys(m.status for m in wire.messages() if not m.is_request and m.cseq_method == method
                              and m.destination[0] == lab.address(node)))


def media(message):
    found = re.search(rb"a=(sendonly|recvonly|inactive|sendrecv)", message.payload)
    return found.group(1).decode() if found else "sendrecv"


def ended(lab, before):
    return lab.counters()["calls_ended"] == before + 1


def ring(lab, caller, callee, number=NUMBER):
    caller.do("dial", f"sip:{number}@{lab.address('strowger')}")
    assert callee.wait("CALL_INCOMING"), "the callee's phone rings"
    assert caller.wait("CALL_RINGING"), "and the caller hears it"


def talk(lab, caller, callee, number=NUMBER):
    ring(lab, caller, callee, number)
    callee.do("accept")
    assert caller.wait("CALL_ESTABLISHED") and callee.wait("CALL_ESTABLISHED")


def change(wire, lab, phone, other, command, direction):
    """A re-INVITE, until its ACK has arrived."""
    before = len(requests(wire, lab, "ACK", other))
    phone.do(command)
    assert wait_for(lambda: len(requests(wire, lab, "ACK", other)) > before, 5), f"{command}: answered and acknowledged"
    invite = requests(wire, lab, "INVITE", other)[-1]
    assert "tag=" in invite.header("to") and media(invite) == direction


def end(lab, phone, other, ended_before):
    phone.do("hangup")
    assert phone.wait("CALL_CLOSED") and other.wait("CALL_CLOSED")
    assert wait_for(lambda: ended(lab, ended_before), 5)
    assert phone.calls() == other.calls() == 0


@pytest.mark.parametrize("ender", [CALLER, CALLEE])
def test_baresip_calls_baresip(lab, wire, ender):
    before = lab.counters()
    with Baresip(lab, CALLER) as caller, Baresip(lab, CALLEE, NUMBER) as callee:
        talk(lab, caller, callee)
        for phone, other in ((caller, CALLEE), (callee, CALLER)):
            change(wire, lab, phone, other, "hold", "sendonly")
            change(wire, lab, phone, other, "resume", "sendrecv")
        sides = (caller, callee) if ender == CALLER else (callee, caller)
        end(lab, *sides, before["calls_ended"])
    assert statuses(wire, lab, CALLER) == [100, 180, 200]
    assert statuses(wire, lab, ender, "BYE") == [200]
    assert lab.counters()["retransmissions_sent"] == before["retransmissions_sent"]


def test_the_caller_gives_up(lab, wire):
    with Baresip(lab, CALLER) as caller, Baresip(lab, CALLEE, NUMBER) as callee:
        ring(lab, caller, callee)
        caller.do("hangup")
        assert callee.wait("CALL_CLOSED") and callee.calls() == 0, "it stops ringing"
        assert wait_for(lambda: statuses(wire, lab, CALLER) == [100, 180, 487], 5)
        assert wait_for(lambda: requests(wire, lab, "ACK", CALLEE), 5)
    assert statuses(wire, lab, CALLER, "CANCEL") == [200]
    assert len(requests(wire, lab, "CANCEL", CALLEE)) == 1
    assert not requests(wire, lab, "INVITE", "target2"), "a call given up goes nowhere else"


def test_the_callee_is_busy(lab, wire):
    with Baresip(lab, CALLER) as caller, Baresip(lab, CALLEE, NUMBER) as callee, Baresip(lab, "target2", NUMBER):
        ring(lab, caller, callee)
        callee.do("hangup")
        closed = caller.wait("CALL_CLOSED")
        assert closed and closed["param"].startswith("486")
    assert not requests(wire, lab, "INVITE", "target2"), "a real answer is not retried"


@pytest.mark.parametrize("winner", [0, 2])
def test_three_phones_ring(lab, wire, winner):
    before = lab.counters()["calls_ended"]
    with Baresip(lab, CALLER) as caller, Baresip(lab, "target1", EVERYBODY) as one, \
            Baresip(lab, "target2", EVERYBODY) as two, Baresip(lab, "target3", EVERYBODY) as three:
        phones = [one, two, three]
        ring(lab, caller, one, EVERYBODY)
        assert two.wait("CALL_INCOMING") and three.wait("CALL_INCOMING")
        answers = phones.pop(winner)
        answers.do("accept")
        assert caller.wait("CALL_ESTABLISHED") and answers.wait("CALL_ESTABLISHED")
        for phone in phones:
            assert phone.wait("CALL_CLOSED") and phone.calls() == 0, f"{phone.name} stops ringing"
        assert answers.calls() == caller.calls() == 1
        end(lab, caller, answers, before)
    losers = [target for at, target in enumerate(TARGETS) if at != winner]
    for target in losers:
        cancels = requests(wire, lab, "CANCEL", target)
        assert len(cancels) == 1 and "cause=200" in cancels[0].header("reason"), "no missed call is to show up"
        assert wait_for(lambda target=target: requests(wire, lab, "ACK", target), 5), "its 487 is acknowledged"
    assert not requests(wire, lab, "CANCEL", TARGETS[winner])
    assert statuses(wire, lab, CALLER) == [100, 180, 200], "nothing of the losers goes up"


def test_linphone_calls_baresip(lab, wire):
    before = lab.counters()["calls_ended"]
    with Linphone(lab, CALLER) as caller, Baresip(lab, CALLEE, NUMBER) as callee:
        caller.do(f"call sip:{NUMBER}@{lab.address('strowger')}")
        assert callee.wait("CALL_INCOMING")
        assert caller.wait("OutgoingRinging")
        callee.do("accept")
        assert callee.wait("CALL_ESTABLISHED") and caller.wait("StreamsRunning")
        caller.do("call-pause 1")
        assert caller.wait("Paused"), "its re-INVITE was answered"
        caller.do("call-resume 1")
        assert caller.wait("StreamsRunning")
        callee.do("hangup")
        assert caller.wait("", "End", "Released") and wait_for(lambda: ended(lab, before), 5)
    assert len(requests(wire, lab, "INVITE", CALLEE)) == 3
    assert statuses(wire, lab, CALLER)[-1] == 200


def test_baresip_calls_linphone(lab, wire):
    before = lab.counters()["calls_ended"]
    with Baresip(lab, CALLER) as caller, Linphone(lab, CALLEE) as callee:
        caller.do("dial", f"sip:{NUMBER}@{lab.address('strowger')}")
        assert caller.wait("CALL_RINGING") and callee.wait("IncomingReceived")
        callee.do("answer 1")
        assert caller.wait("CALL_ESTABLISHED") and callee.wait("StreamsRunning")
        change(wire, lab, caller, CALLEE, "hold", "sendonly")
        assert callee.wait("PausedByRemote")
        change(wire, lab, caller, CALLEE, "resume", "sendrecv")
        callee.do("terminate 1")
        assert caller.wait("CALL_CLOSED") and wait_for(lambda: ended(lab, before), 5)


@pytest.mark.parametrize("ender", [CALLER, "target2"])
def test_two_proxies_in_the_route_set(lab, wire, ender):
    """caller --- Strowger --- Kamailio at target1 --- target2: whatever is said within the dialog passes both, both ways."""
    before = lab.counters()["calls_ended"]
    with Kamailio(lab, "target1", onward="target2"), Baresip(lab, CALLER) as caller, Baresip(lab, "target2", NUMBER) as callee:
        talk(lab, caller, callee)
        change(wire, lab, caller, "target2", "hold", "sendonly")
        change(wire, lab, caller, "target2", "resume", "sendrecv")
        change(wire, lab, callee, CALLER, "hold", "sendonly")
        change(wire, lab, callee, CALLER, "resume", "sendrecv")
        sides = (caller, callee) if ender == CALLER else (callee, caller)
        end(lab, *sides, before)
    hops = {lab.address("strowger"), lab.address("target1")}
    for method, node in (("INVITE", "target2"), ("INVITE", CALLER), ("BYE", "target2" if ender == CALLER else CALLER)):
        arrived = requests(wire, lab, method, node)
        assert arrived
        for message in arrived:
            vias = "".join(message.headers["via"])
            assert all(hop in vias for hop in hops), f"{method} to {node} came through both: {vias}"
    assert len(requests(wire, lab, "INVITE", "target2")[0].headers["record-route"]) == 2
    assert statuses(wire, lab, ender, "BYE") == [200]


def test_cancel_through_two_proxies(lab, wire):
    with Kamailio(lab, "target1", onward="target2"), Baresip(lab, CALLER) as caller, Baresip(lab, "target2", NUMBER) as callee:
        ring(lab, caller, callee)
        caller.do("hangup")
        assert callee.wait("CALL_CLOSED") and callee.calls() == 0
        assert wait_for(lambda: statuses(wire, lab, CALLER)[-1:] == [487], 5)
