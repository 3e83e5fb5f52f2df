# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- Strowger ---- target1, target2
#   10.77.0.10     |
#                  +---- stranger: unbound, port 5300, in front of two Knots: carrier.test (port 53), other.test (port 5353)
#
# Through a resolver with a cache, whose TTLs run down, and over the border of two zones.

from lab import add_profile
from nameserver import NameServer, Recursor
from processes import wait_for
from trial import Trial

NUMBER = "+442035550900"
NAME = "carrier.test"


def configure(config):
    config["resolver"] = {"servers": ["10.77.0.66:5300"], "min_ttl_s": 1}
    config["trunks"].append({"name": "carrier", "endpoints": [{"host": NAME}]})
    add_profile(config, "byname", NUMBER, targets=("carrier",))


def addresses(lab):
    return [e["address"] for e in lab.ctl("resolve", NAME)[0]["endpoints"]]


def test_an_alias_over_two_zones(lab):
    with NameServer(lab, "stranger") as carrier, \
            NameServer(lab, "stranger", zone="other.test.", port=5353, name="knot2") as other:
        carrier.put("_sip._udp 2 CNAME _sip._udp.other.test.")
        other.put("_sip._udp 2 SRV 1 1 5060 t1", "t1 2 A 10.77.0.21", "t2 2 A 10.77.0.22")
        with Recursor(lab, "stranger", {"carrier.test": carrier, "other.test": other}):
            lab.ctl("resolve", NAME, "--now")
            assert wait_for(lambda: addresses(lab) == ["10.77.0.21:5060"], 8), lab.ctl("resolve", NAME)
            with Trial(lab, target1="uas", target2="uas") as trial:
                caller = trial.start(600, rate=100, number=NUMBER)
                other.put("_sip._udp 2 SRV 1 1 5060 t2", "t1 2 A 10.77.0.21", "t2 2 A 10.77.0.22")
                assert wait_for(lambda: addresses(lab) == ["10.77.0.22:5060"], 10), lab.ctl("resolve", NAME)
                trial.finish(caller)
    invited = trial.ledger.invited()
    assert invited["target1"] and invited["target2"] and all(call.completed for call in trial.ledger.calls.values())
