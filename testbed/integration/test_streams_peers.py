# SPDX-License-Identifier: Apache-2.0
#
#   caller (SIPp, Kamailio,
#   baresip, by TCP) ------ Strowger ----+---- target1    Kamailio over TCP: OPTIONS get 200, INVITE 480; another with SIPp behind it at target3; baresip
#                                        +---- target2    SIPp over TCP
#
# Probes go by the connections that calls take, and another implementation's TCP and framing are met; a target that ends is noticed, and one that comes back is used.

import phones
from kamailio import Kamailio
from lab import NUMBER, STROWGER, TARGETS, over_tcp
from processes import wait_for
from sipp import Sipp


def configure(config):
    over_tcp(config)
    config["probe"] = {"interval_ms": 200, "timeout_ms": 150, "down_after": 2, "up_after": 1}
    for trunk in config["trunks"]:
        if trunk["name"] not in TARGETS:
            trunk["probe"] = {"enabled": False}


def health(lab, node):
    return lab.targets()[f"lab/{node}"]["endpoints"][0]


def reaches(lab, node, word):
    return wait_for(lambda: health(lab, node)["health"] == word, 6, every=0.05)


def test_kamailio_is_probed_and_called(lab):
    assert reaches(lab, "target1", "down"), health(lab, "target1")
    with Kamailio(lab, "target1", transport="tcp"):
        assert reaches(lab, "target1", "up"), health(lab, "target1")
        assert health(lab, "target1")["transport"] == "tcp"
        assert reaches(lab, "target2", "down") and reaches(lab, "target3", "down")
        before = lab.counters()
        caller = Sipp(lab, "caller", "uac_expect", name="busy", remote=STROWGER[4], calls=50, rate=100, seconds=30, transport="tcp",
                      fill={"code": 480}, options=["-s", NUMBER])
        assert caller.wait(35) == 0, caller.errors()[:2000]
        assert lab.counters()["calls_rejected"] - before["calls_rejected"] == 50
    assert reaches(lab, "target1", "down"), "its end is noticed"


def test_a_target_comes_back(lab):
    for _ in range(2):
        with Sipp(lab, "target2", "uas_probed", transport="tcp", options=["-d", 10]):
            assert reaches(lab, "target2", "up"), health(lab, "target2")
            caller = Sipp(lab, "caller", "uac", name="again", remote=STROWGER[4], calls=20, rate=50, seconds=30, transport="tcp",
                          options=["-s", NUMBER])
            assert caller.wait(35) == 0, caller.errors()[:2000]
        assert reaches(lab, "target2", "down"), health(lab, "target2")


def test_kamailio_on_both_sides(lab):
    """It connects to Strowger, and Strowger to it; it stays in the route set on both sides: ACK and the callee's BYE find their way."""
    before = lab.counters()
    lab.ctl("target", "probe", "lab/target1", "enabled=false")  # it would ask SIPp, which knows no OPTIONS
    assert reaches(lab, "target1", "unknown"), health(lab, "target1")
    with phones.Kamailio(lab, "caller", "strowger", transport="tcp"), phones.Kamailio(lab, "target1", "target3", transport="tcp"):
        try:
            phones.calls_behind(lab, NUMBER)
        finally:
            lab.ctl("target", "probe", "lab/target1")
    assert lab.counters()["calls_ended"] - before["calls_ended"] == 40


def test_phones(lab):
    """baresip calls baresip: either hangs up."""
    before = lab.counters()["calls_ended"]
    with phones.Baresip(lab, "caller", transport="tcp") as caller, phones.Baresip(lab, "target1", user=NUMBER, transport="tcp") as callee:
        assert reaches(lab, "target1", "up"), health(lab, "target1")
        for hangs_up in (caller, callee):
            phones.call(caller, callee, f"sip:{NUMBER}@{lab.address('strowger')};transport=tcp")
            assert {c["opened_by"] for c in lab.ctl("connections", lab.address("caller"))["connections"]} == {"them"}
            phones.hang_up(hangs_up, callee if hangs_up is caller else caller)
    assert wait_for(lambda: lab.counters()["calls_ended"] == before + 2, 5)
