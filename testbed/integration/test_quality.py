# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- Strowger ---- target1   answers; then is busy, call after call; then answers again
#
# A peer that is there and has nobody behind it: the share of answered calls is compared with its own past.

from lab import add_profile
from processes import wait_for
from sipp import Sipp

NUMBER = "+442035550700"


def configure(config):
    config["quality"] = {"window_s": 1, "calls": 10}
    add_profile(config, "quality", NUMBER, targets=("target1",))


def raised(lab):
    return {alarm["kind"]: alarm for alarm in lab.ctl("alarms")["raised"] if alarm["subject"] == "quality/target1"}


def call(lab, scenario, until, fill=None):
    """Thirty calls a second until a condition holds."""
    with Sipp(lab, "caller", scenario, remote=lab.address("strowger"), calls=600, rate=30, seconds=30, fill=fill, options=["-s", NUMBER]):
        assert wait_for(until, 15, every=0.1)


def usual(lab):
    quality = lab.targets()["quality/target1"]["quality"]
    return quality and quality["answered_percent_usual"]


def test_a_falling_answer_ratio_is_told(lab):
    with Sipp(lab, "target1", "uas"):
        call(lab, "uac", lambda: usual(lab) is not None)
    assert usual(lab) > 90 and not raised(lab)
    with Sipp(lab, "target1", "uas_reply", fill={"code": 486}):
        call(lab, "uac_expect", lambda: "answer-ratio" in raised(lab), {"code": 486})
    assert "% of its calls are answered, usually" in raised(lab)["answer-ratio"]["text"]
    with Sipp(lab, "target1", "uas"):
        call(lab, "uac", lambda: "answer-ratio" not in raised(lab))
