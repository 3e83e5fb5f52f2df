# SPDX-License-Identifier: Apache-2.0
#
#   Strowger ----+---- target1    Kamailio, which answers OPTIONS with 200, or 483 where Max-Forwards is 0
#   10.77.0.1    +---- target2    SIPp, which answers with what the test says
#                +---- target3    an agent that is moved by hand, and answers what no peer should
#
# What real peers answer to OPTIONS, who decides how they are asked, and answers that count for nothing.

import re

import pytest

from agent import Agent, answer
from kamailio import Kamailio
from lab import TARGETS
from processes import wait_for
from sipp import Sipp


def configure(config):
    config["probe"] = {"interval_ms": 200, "timeout_ms": 150, "down_after": 2, "up_after": 1, "from": "sip:qualify@pop.example",
                       "user_agent": "Prober/2"}
    for trunk in config["trunks"]:
        if trunk["name"] not in TARGETS:
            trunk["probe"] = {"enabled": False}


def endpoint(lab, node):
    return lab.targets()[f"lab/{node}"]["endpoints"][0]


def reaches(lab, node, health, reason=None):
    return wait_for(lambda: (e := endpoint(lab, node))["health"] == health and (reason is None or e["reason"] == reason), 4, every=0.05)


@pytest.fixture
def as_before(lab):
    yield
    for node in TARGETS:
        lab.ctl("target", "probe", f"lab/{node}")


def test_kamailio(lab, as_before):
    with Kamailio(lab, "target1"):
        assert reaches(lab, "target1", "up", "OPTIONS got 200"), endpoint(lab, "target1")
        # 483 says that somebody is there, who will forward nothing of ours: as good as any answer, unless we want better ones.
        lab.ctl("target", "probe", "lab/target1", "max_forwards=0")
        sent = endpoint(lab, "target1")["probes_sent"]
        assert wait_for(lambda: endpoint(lab, "target1")["probes_sent"] > sent + 3, 4)
        assert endpoint(lab, "target1")["health"] == "up"
        lab.ctl("target", "probe", "lab/target1", "max_forwards=0", "accept=[200]")
        assert reaches(lab, "target1", "down", "OPTIONS got 483 (Too Many Hops)"), endpoint(lab, "target1")
        lab.ctl("target", "probe", "lab/target1")
        assert reaches(lab, "target1", "up", "OPTIONS got 200")
        rtt = endpoint(lab, "target1")["rtt"]
        assert 0 < rtt["p50_ms"] <= rtt["p90_ms"] <= rtt["p99_ms"] and 0 < rtt["mean_ms"] < 150
        shown = lab.ctl("targets", "--rtt", text=True).stdout
        assert re.search(r"^target1 +10\.77\.0\.21:5060 +up +200 +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+ +\d+ +\d+$", shown, re.M), shown
    assert reaches(lab, "target1", "down")


@pytest.mark.parametrize("status, header, health, reason", [
    ("404 Not Found", "Server: x", "up", "OPTIONS got 404 (Not Found)"),
    ("405 Method Not Allowed", "Allow: INVITE", "up", "OPTIONS got 405 (Method Not Allowed)"),
    ("483 Too Many Hops", "Server: x", "up", "OPTIONS got 483 (Too Many Hops)"),
    ("503 Service Unavailable", "Retry-After: 30", "down", "OPTIONS got 503 (Service Unavailable; Retry-After 30)"),
    ("500 Oops", 'Warning: 399 gw "no trunk"', "down", 'OPTIONS got 500 (Oops; Warning 399 gw "no trunk")'),
])
def test_sipp(lab, status, header, health, reason):
    # From a state of its own, so that the answer is what brings the change.
    lab.apply({"trunks": [{**trunk, "probe": {"enabled": trunk["name"] in ("target1", "target3")}} if trunk["name"] in TARGETS else trunk
                          for trunk in lab.ctl("export")["trunks"]]})
    with Sipp(lab, "target2", "uas_options", fill={"status": status, "header": header}):
        lab.apply({"trunks": [{key: value for key, value in trunk.items() if key != "probe" or trunk["name"] not in TARGETS}
                              for trunk in lab.ctl("export")["trunks"]]})
        assert reaches(lab, "target2", health), endpoint(lab, "target2")
        told = endpoint(lab, "target2")["reason"]
        assert told == reason, told
        if health == "down":
            assert endpoint(lab, "target2")["probes_failed"] >= 2


def test_who_decides(lab, as_before):
    with Agent(lab, "target3") as agent:
        lab.ctl("profile", "set", "lab", 'probe={"interval_ms": 400, "timeout_ms": 90}')
        assert endpoint(lab, "target3")["probe_interval_ms"] == 400
        changed = lab.ctl("target", "probe", "lab/target3", "interval_ms=100", "to=sip:ping@carrier.example")
        assert [change["text"] for change in changed["changes"]] == [
            '~ target lab/target3: probe none → {"interval_ms":100,"to":"sip:ping@carrier.example"}']
        assert [endpoint(lab, node)["probe_interval_ms"] for node in TARGETS] == [400, 400, 100]
        request = agent.receive(3, lambda m: m.method == "OPTIONS" and "carrier.example" in m.header("to"))
        assert request.header("from").startswith("<sip:qualify@pop.example>;tag=")
        assert request.header("to") == "<sip:ping@carrier.example>" and request.header("user-agent") == "Prober/2"
        refused = lab.ctl("target", "probe", "lab/target3", "interval_ms=99", check=False)
        assert refused.returncode == 1 and "probe.interval_ms: 99 is not in 100..3600000" in refused.stderr
        assert endpoint(lab, "target3")["probe_interval_ms"] == 100
        lab.ctl("profile", "set", "lab", "probe={}")
        lab.ctl("target", "probe", "lab/target3")
        assert [endpoint(lab, node)["probe_interval_ms"] for node in TARGETS] == [200, 200, 200]


def forged_elsewhere(agent, other, request):
    other.send(answer(request, 200, "OK", "x"), request.source)


def forged_method(agent, other, request):
    agent.send(answer(request, 200, "OK", "x").replace("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"), request.source)


def forged_branch(agent, other, request):
    agent.send(re.sub(r"(branch=z9hG4bK.)(.)", lambda m: m[1] + ("a" if m[2] != "a" else "b"), answer(request, 200, "OK", "x"), count=1),
               request.source)


def malformed(agent, other, request):
    agent.send(answer(request, 200, "OK", "x").replace("Call-ID:", "Call-ID"), request.source)


def unfinished(agent, other, request):
    agent.send(answer(request, 200, "OK", "x")[:-2], request.source)


@pytest.mark.parametrize("forge", [forged_elsewhere, forged_method, forged_branch, malformed, unfinished])
def test_answers_that_are_none(lab, forge):
    with Agent(lab, "target3") as agent, Agent(lab, "target2", port=5070) as other:
        def serve(how, until):
            """Answers what comes until the condition holds."""
            def step():
                request = agent.receive(0.05, lambda m: m.is_request)
                if request:
                    how(agent, other, request)
                return until()
            assert wait_for(step, 5, every=0), endpoint(lab, "target3")

        def honest(at, _, request):
            at.reply(request, 200, "OK", tag="o")

        serve(honest, lambda: endpoint(lab, "target3")["health"] == "up")
        serve(forge, lambda: endpoint(lab, "target3")["health"] == "down")
        assert endpoint(lab, "target3")["reason"] == "OPTIONS got no answer"
        serve(honest, lambda: endpoint(lab, "target3")["health"] == "up")
