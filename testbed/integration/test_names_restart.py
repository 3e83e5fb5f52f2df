# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- Strowger ----+---- target1        starts while DNS is there, late, and dead
#   10.77.0.10     |
#                  +---- stranger: Knot, carrier.test
#
# A restart refuses no call because of names: what was known before is used at once, and nothing is refused while it is not known yet.

import os
import signal

from lab import add_profile
from nameserver import NameServer
from processes import wait_for
from sipp import Sipp
from trial import Trial

RESTARTS = True
NUMBER = "+442035550900"
NAME = "carrier.test"
ZONE = ("_sip._udp 1 SRV 10 1 5060 t1", "t1 1 A 10.77.0.21")


def configure(config):
    config["resolver"] = {"servers": ["10.77.0.66"], "timeout_ms": 300, "tries": 1, "min_ttl_s": 1}
    config["trunks"].append({"name": "carrier", "endpoints": [{"host": NAME}]})
    add_profile(config, "byname", NUMBER, targets=("carrier",))
    directory = os.path.dirname(config["control"]["socket"])
    config["state_file"] = os.path.join(directory, "routing.json")


def kept(lab):
    return os.path.join(lab.directory, "routing.json.names")


def restart(lab, how=signal.SIGTERM):
    lab.stop_daemon(how)
    lab.start_daemon()


def followed(lab):
    return lab.ctl("resolve", NAME)[0]


def test_calls_that_come_during_the_start_are_served(lab):
    """Nothing is kept, and nothing known when they come: they are not refused, and their retransmissions are served."""
    with NameServer(lab, "stranger") as dns, Sipp(lab, "target1", "uas"):
        dns.put(*ZONE)
        lab.stop_daemon()
        if os.path.exists(kept(lab)):
            os.unlink(kept(lab))
        caller = Sipp(lab, "caller", "uac", remote=lab.address("strowger"), calls=60, rate=30, seconds=30,
                      options=["-s", NUMBER])
        lab.start_daemon()
        assert followed(lab)["state"] == "ok", "the start waited for it"
        status = caller.wait(40)
        print(f"{lab.counters()['requests_held']} requests came too early")
        assert (status, caller.successful) == (0, 60), caller.errors()
        assert wait_for(lambda: os.path.exists(kept(lab)), 5)


def test_dns_is_dead_at_the_start(lab):
    assert not lab.processes.pid("knot")
    for how in (signal.SIGTERM, signal.SIGKILL):
        restart(lab, how)
        with Trial(lab, target1="uas") as trial:
            trial.call(10, rate=100, number=NUMBER)
        told = followed(lab)
        assert [e["address"] for e in told["endpoints"]] == ["10.77.0.21:5060"]
        assert wait_for(lambda: followed(lab)["state"] == "stale", 5)
        assert wait_for(lambda: lab.ctl("alarms")["raised"], 5)
    with NameServer(lab, "stranger") as dns:
        dns.put("_sip._udp 1 SRV 10 1 5060 t2", "t2 1 A 10.77.0.22")
        lab.ctl("resolve", NAME, "--now")
        assert wait_for(lambda: followed(lab)["state"] == "ok", 5)
        assert [e["address"] for e in followed(lab)["endpoints"]] == ["10.77.0.22:5060"]


def test_kept_answers_that_are_damaged(lab):
    """They are no reason not to start, and are made anew."""
    with NameServer(lab, "stranger") as dns:
        dns.put(*ZONE)
        for text in ("{", '{"version": 1, "names": [{"host": "carrier.test", "port": 0, "transport": 255, "good": 1,'
                     ' "places": [{"address": "nonsense"}, {"address": "10.77.0.23:5060", "transport": 0, "priority": 1,'
                     ' "weight": 70000, "target": "x"}], "former": 3}]}'):
            lab.stop_daemon()
            with open(kept(lab), "w", encoding="utf-8") as file:
                file.write(text)
            lab.start_daemon()
            assert wait_for(lambda: [e["address"] for e in followed(lab)["endpoints"]] == ["10.77.0.21:5060"], 5), text
