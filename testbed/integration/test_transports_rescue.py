# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- UDP, or TCP (one connection, or one for each call) ---- strowgerd, two workers ---- TCP ---- target1
#                                                                                              `--- UDP ---- target2
#
# Calls that target1 does not take move on, and change their transport.

import pytest

from conftest import laboratory
from lab import NUMBER, STROWGER, add_profile
from processes import wait_for
from sipp import Sipp

CALLS = 40
HASTY_NUMBER = "+442035550178"
CALLERS = pytest.mark.parametrize("transport", ["udp", "tcp", "tcp-each"])


@pytest.fixture(scope="module")
def lab():
    def change(config):
        config["listeners"] += [{**listener, "transport": "tcp"} for listener in config["listeners"]]
        for trunk in config["trunks"]:
            for endpoint in trunk["endpoints"]:
                endpoint["transport"] = "tcp" if endpoint["address"] == "10.77.0.21" else "udp"
        config.setdefault("tcp", {})["connect_timeout_ms"] = 30000  # a slow machine's SYNs go on until the way is free again
        add_profile(config, "hasty", HASTY_NUMBER, "failover", response_timeout_ms=500)

    with laboratory("af_packet", 2, change, strategy="failover") as lab:
        yield lab


@CALLERS
def test_a_call_moves_on_to_another_transport(lab, transport):
    """Nobody listens at target1: its kernel resets what is opened to it."""
    lab.wait_usable()
    before = lab.counters()
    server = Sipp(lab, "target2", "uas")
    try:
        client = Sipp(lab, "caller", "uac", remote=STROWGER[4], calls=CALLS, rate=100, seconds=60, transport=transport, options=["-s", NUMBER])
        status = client.wait(65)
    finally:
        server.stop()
    after = lab.counters()
    assert client.failed == 0 and status == 0, client.errors()[:2000]
    assert after["calls_rescued"] - before["calls_rescued"] >= 1
    assert after["attempt_transport_error"] - before["attempt_transport_error"] >= 1
    assert after["attempt_response_timeout"] == before["attempt_response_timeout"], "a refused connection is known at once"


def test_a_target_killed_among_calls(lab):
    """Its connections are reset with requests on them: the calls go on elsewhere."""
    lab.wait_usable()
    first, second = Sipp(lab, "target1", "uas_at_once", transport="tcp"), Sipp(lab, "target2", "uas_at_once")
    try:
        client = Sipp(lab, "caller", "uac", remote=STROWGER[4], calls=400, rate=100, seconds=60, transport="tcp", options=["-s", NUMBER])
        assert wait_for(lambda: client.successful >= 100, 20)
        first.kill()
        client.wait(65)
    finally:
        second.stop()
    assert client.successful + client.failed == 400
    assert second.created > 100
    assert client.failed <= 3, client.errors()[:2000]


def test_a_call_that_has_moved_on_is_not_sent_when_the_connection_comes_up(lab):
    """Nothing gets to target1 while INVITEs of both workers wait for its connection: target2 has the calls, and target1's phones never ring for them."""
    lab.wait_usable()
    lab.network.nft("target1", """
        table inet silent {
            chain in { type filter hook input priority 0; tcp dport 5060 drop; }
        }
        """)
    cut = True
    first, second = Sipp(lab, "target1", "uas", transport="tcp"), Sipp(lab, "target2", "uas")

    def call(name, calls):
        before = lab.counters()
        client = Sipp(lab, "caller", "uac", name=name, remote=STROWGER[4], calls=calls, rate=100, seconds=30, options=["-s", HASTY_NUMBER])
        status = client.wait(35)
        assert client.failed == 0 and status == 0, client.errors()[:2000]
        return before

    try:
        before = call("moved-on", 8)
        assert lab.counters()["attempt_response_timeout"] == before["attempt_response_timeout"] + 8
        lab.network.nft("target1", "delete table inet silent\n")
        cut = False
        assert lab.wait_counter("stream_too_late", before["stream_too_late"] + 8, 30)
        assert lab.wait_usable(60)
        call("behind-it", 1)
        assert lab.targets()["hasty/target1"]["answered"] == 1
        assert wait_for(lambda: first.created >= 1, 10), "SIPp says so every few seconds"
        assert first.created == 1 and first.failed == 0, "the last call, and nothing of the others"
    finally:
        if cut:
            lab.network.nft("target1", "delete table inet silent\n")
        first.stop()
        second.stop()
