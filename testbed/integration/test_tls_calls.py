# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- UDP, TCP, or TLS (one connection, or one for each call) ---- strowgerd, two workers ----+---- UDP ---- target1
#                                                                                                      +---- TCP ---- target2
#                                                                                                      `---- TLS ---- target3
#
# Whole calls from every transport to every other: re-INVITE, BYE from both sides, CANCEL. Certificates are verified on both sides of Strowger.

import pytest

import sipp
import tls
from conftest import laboratory
from lab import STROWGER, TARGETS, add_profile
from processes import wait_for
from sipp import Sipp

CALLS = 30
TRANSPORTS = ("udp", "tcp", "tls")
NODE = dict(zip(TRANSPORTS, TARGETS))
NUMBERS = {transport: f"+44203555090{at}" for at, transport in enumerate(TRANSPORTS)}
# Those where TLS takes part; the others are test_transports.py's.
ALL = pytest.mark.parametrize("caller, target", [("udp", "tls"), ("tcp", "tls"), ("tls", "udp"), ("tls", "tcp"), ("tls", "tls"), ("tls-each", "tls")])
SOME = pytest.mark.parametrize("caller, target", [("udp", "tls"), ("tls", "tls"), ("tls-each", "tcp")])


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("tls"))

    def change(config):
        config["listeners"] += [{**listener, "transport": "tcp"} for listener in config["listeners"]]
        lab_authority.append(tls.prepare(config, folder))
        tls.over_tls(config, [NODE["tls"]])
        for trunk in config["trunks"]:
            if trunk["name"] == NODE["tcp"]:
                trunk["endpoints"][0]["transport"] = "tcp"
        for transport in TRANSPORTS:
            add_profile(config, transport, NUMBERS[transport], targets=[NODE[transport]])

    lab_authority = []
    with laboratory("af_packet", 2, change) as lab:
        lab.authority = lab_authority[0]
        with tls.caller_tunnel(lab, lab.authority):
            yield lab


def play(lab, caller, target, scenario="uac", answers="uas", calls=CALLS, rate=100):
    if target == "tls":
        server = tls.Target(lab, lab.authority, NODE[target], answers)
    else:
        server = Sipp(lab, NODE[target], answers, transport=target)
    return sipp.play(lab, server, caller, NUMBERS[target], scenario, calls, rate)


@ALL
def test_call(lab, caller, target):
    counted = play(lab, caller, target, rate=200)
    assert counted["calls_answered"] == counted["calls_ended"] == counted["attempts"] == CALLS
    assert counted["tls_failed"] == counted["requests_undelivered"] == 0


@SOME
def test_reinvite(lab, caller, target):
    assert play(lab, caller, target, "uac_reinvite", "uas_reinvite")["calls_ended"] == CALLS


@SOME
def test_the_callee_ends_it(lab, caller, target):
    counted = play(lab, caller, target, "uac_callee_bye", "uas_bye")
    assert counted["calls_ended"] == CALLS
    assert counted["requests_undelivered"] == 0


@SOME
def test_cancel(lab, caller, target):
    assert play(lab, caller, target, "uac_cancel", "uas_ringing")["calls_cancelled"] == CALLS


def test_a_change_of_tls_settings_costs_no_call(lab):
    """Calls begin, are up, and end while what their target must show is changed every fifth of a second: connections that are up stay, others are opened anew."""
    def settings(at):
        trunks = lab.ctl("export")["trunks"]
        next(trunk for trunk in trunks if trunk["name"] == NODE["tls"])["tls"] = {
            "name": tls.target_name(NODE["tls"]), "minimum_version": ("1.2", "1.3")[at % 2], "allow_wildcard": at % 3 == 0}
        lab.apply({"trunks": trunks})

    before = lab.counters()
    server = tls.Target(lab, lab.authority, NODE["tls"], "uas")
    try:
        client = Sipp(lab, "caller", "uac_hold", remote=STROWGER[4], calls=150, rate=50, seconds=60, options=["-s", NUMBERS["tls"], "-d", 500])
        changes = 0
        while client.child.poll() is None:
            settings(changes)
            changes += 1
            wait_for(lambda: client.child.poll() is not None, 0.2)
        assert client.wait(5) == 0 and client.failed == 0, client.errors()[:2000]
        assert server.failed == 0, server.errors()[:2000]
    finally:
        server.stop()
    after = lab.counters()
    assert changes > 5
    assert after["calls_ended"] - before["calls_ended"] == 150
    assert after["requests_undelivered"] == before["requests_undelivered"]


def test_calls_outlive_the_address_that_their_peer_was_verified_by(lab):
    """The trunk is led to another address while calls are up: their BYE still goes to where they are, to nobody but who was there."""
    def lead_to(address, settings):
        trunks = lab.ctl("export")["trunks"]
        trunk = next(trunk for trunk in trunks if trunk["name"] == NODE["tls"])
        before = dict(trunk)
        trunk["endpoints"] = [{"address": address, "transport": "tls"}]
        trunk.pop("tls", None)
        trunk.update(settings)
        lab.apply({"trunks": trunks})
        return before

    here = lab.address(NODE["tls"])
    lab.authority.issue(here)
    before = lead_to(here, {})
    ended = lab.counters()["calls_ended"]
    server = tls.Target(lab, lab.authority, NODE["tls"], "uas", certificate=here)
    try:
        client = Sipp(lab, "caller", "uac_hold", remote=STROWGER[4], calls=20, rate=100, seconds=60, options=["-s", NUMBERS["tls"], "-d", 1500])
        assert wait_for(lambda: lab.ctl("status")["calls"]["live"] == 20, 10)
        lead_to("10.77.0.99", {})
        assert client.wait(60) == 0 and client.failed == 0, client.errors()[:2000]
        assert server.failed == 0, server.errors()[:2000]
    finally:
        server.stop()
        lead_to(here, {"tls": before["tls"]})
    assert lab.counters()["calls_ended"] - ended == 20
