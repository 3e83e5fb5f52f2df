# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- UDP, or TCP (one connection, or one for each call) ---- strowgerd, two workers ---- TCP, or UDP ---- target1
#
# Whole calls that change their transport on the way, or keep it: re-INVITE, BYE from both sides, CANCEL. A caller by TCP listens nowhere: what the
# target begins reaches it on its own connection.

import pytest

from conftest import laboratory
from lab import NUMBER, STROWGER
from processes import wait_for
from sipp import Sipp

TARGET1 = "10.77.0.21"
CALLS = 40
CALLERS = pytest.mark.parametrize("transport", ["udp", "tcp", "tcp-each"])


def both_listeners(endpoint_transport):
    """Listeners of both transports; endpoint_transport: of its address."""
    def change(config):
        config["listeners"] += [{**listener, "transport": "tcp"} for listener in config["listeners"]]
        for trunk in config["trunks"]:
            for endpoint in trunk["endpoints"]:
                endpoint["transport"] = endpoint_transport(endpoint["address"])
    return change


@pytest.fixture(scope="module", params=["udp", "tcp"], ids=["to UDP", "to TCP"])
def lab(request):
    with laboratory("af_packet", 2, both_listeners(lambda _: request.param), strategy="failover") as lab:
        lab.target_transport = request.param
        yield lab


@pytest.fixture(name="mixed", scope="module")
def mixed_fixture():
    """target1 takes calls by TCP, the others by UDP."""
    with laboratory("af_packet", 2, both_listeners(lambda address: "tcp" if address == TARGET1 else "udp"), strategy="failover") as lab:
        yield lab


def play(lab, transport, caller, target, rate=100, calls=CALLS):
    """All calls as their scenarios say, on both sides; what was counted meanwhile."""
    lab.wait_usable()
    before = lab.counters()
    server = Sipp(lab, "target1", target, transport=lab.target_transport)
    try:
        client = Sipp(lab, "caller", caller, remote=STROWGER[4], calls=calls, rate=rate, seconds=60, transport=transport, options=["-s", NUMBER])
        status = client.wait(65)
        assert client.failed == 0 and status == 0, f"{client.failed} calls failed (exit {status}):\n{client.errors()[:2000]}"
        assert server.failed == 0, server.errors()[:2000]
    finally:
        server.stop()
    after = lab.counters()
    return {name: after[name] - before[name] for name in after}


@CALLERS
def test_call(lab, transport):
    counted = play(lab, transport, "uac", "uas", rate=200, calls=200)
    assert counted["calls_answered"] == counted["calls_ended"] == 200
    assert counted["attempts"] == 200


@CALLERS
def test_reinvite(lab, transport):
    counted = play(lab, transport, "uac_reinvite", "uas_reinvite")
    assert counted["calls_ended"] == CALLS


@CALLERS
def test_the_callee_ends_it(lab, transport):
    counted = play(lab, transport, "uac_callee_bye", "uas_bye")
    assert counted["calls_ended"] == CALLS
    assert counted["requests_undelivered"] == 0


@CALLERS
def test_cancel(lab, transport):
    counted = play(lab, transport, "uac_cancel", "uas_ringing")
    assert counted["calls_cancelled"] == CALLS


@CALLERS
def test_a_call_moves_on_to_another_transport(mixed, transport):
    """Nobody listens at target1: its kernel resets what is opened to it."""
    mixed.wait_usable()
    before = mixed.counters()
    server = Sipp(mixed, "target2", "uas")
    try:
        client = Sipp(mixed, "caller", "uac", remote=STROWGER[4], calls=CALLS, rate=100, seconds=60, transport=transport, options=["-s", NUMBER])
        status = client.wait(65)
    finally:
        server.stop()
    after = mixed.counters()
    assert client.failed == 0 and status == 0, client.errors()[:2000]
    assert after["calls_rescued"] - before["calls_rescued"] >= 1
    assert after["attempt_transport_error"] - before["attempt_transport_error"] >= 1
    assert after["attempt_response_timeout"] == before["attempt_response_timeout"], "a refused connection is known at once"


def test_a_target_killed_among_calls(mixed):
    """Its connections are reset with requests on them: the calls go on elsewhere."""
    mixed.wait_usable()
    first, second = Sipp(mixed, "target1", "uas_at_once", transport="tcp"), Sipp(mixed, "target2", "uas_at_once")
    try:
        client = Sipp(mixed, "caller", "uac", remote=STROWGER[4], calls=400, rate=100, seconds=60, transport="tcp", options=["-s", NUMBER])
        assert wait_for(lambda: client.successful >= 100, 20)
        first.kill()
        client.wait(65)
    finally:
        second.stop()
    assert client.successful + client.failed == 400
    assert second.created > 100
    assert client.failed <= 3, client.errors()[:2000]
