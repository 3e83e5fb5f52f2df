# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- UDP, or TCP (one connection, or one for each call) ---- strowgerd, two workers ---- TCP, or UDP ---- target1
#
# Whole calls that change their transport on the way, or keep it: re-INVITE, BYE from both sides, CANCEL. A caller by TCP listens nowhere: what the
# target begins reaches it on its own connection.

import pytest

import sipp
from conftest import laboratory
from lab import NUMBER
from sipp import Sipp

CALLS = 40
CALLERS = pytest.mark.parametrize("transport", ["udp", "tcp", "tcp-each"])


@pytest.fixture(scope="module", params=["udp", "tcp"], ids=["to UDP", "to TCP"])
def lab(request):
    def change(config):
        config["listeners"] += [{**listener, "transport": "tcp"} for listener in config["listeners"]]
        for trunk in config["trunks"]:
            for endpoint in trunk["endpoints"]:
                endpoint["transport"] = request.param

    with laboratory("af_packet", 2, change, strategy="failover") as lab:
        lab.target_transport = request.param
        yield lab


def play(lab, transport, caller, target, rate=100, calls=CALLS):
    lab.wait_usable()
    server = Sipp(lab, "target1", target, transport=lab.target_transport)
    return sipp.play(lab, server, transport, NUMBER, caller, calls, rate)


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
