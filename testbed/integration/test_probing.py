# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- Strowger ----+---- target1        each target answers OPTIONS, or does not;
#   10.77.0.10  10.77.0.1    +---- target2        INVITE gets 486, which is final: one attempt, one call
#                            +---- target3
#
# Endpoints that do not answer OPTIONS get no calls, and get them again when they do.

import re
import threading
import time

import pytest

from agent import Agent
from lab import NUMBER, TARGETS, add_profile
from processes import wait_for

ROUND = "+442035550400"
INTERVAL, TIMEOUT, DOWN_AFTER = 0.2, 0.3, 2
SLACK = 0.5  # the laboratory shares its cores
FOUND = 1.1 * INTERVAL * DOWN_AFTER + TIMEOUT + SLACK


def configure(config):
    config["probe"] = {"enabled": True, "interval_ms": int(INTERVAL * 1000), "timeout_ms": int(TIMEOUT * 1000),
                       "down_after": DOWN_AFTER, "up_after": 1}
    for trunk in config["trunks"]:
        if trunk["name"] not in TARGETS:
            trunk["probe"] = {"enabled": False}
    add_profile(config, "round", ROUND, strategy="round_robin")


class Answering:
    """A target: OPTIONS get `options` (None: nothing at all gets an answer, as from a process that hangs), INVITE gets 486."""

    def __init__(self, lab, node):
        self.agent = Agent(lab, node)
        self.options, self.extra = 200, ()
        self.seen = []
        self.stopping = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.stopping:
            message = self.agent.receive(0.1, lambda m: m.is_request)
            if not message:
                continue
            self.seen.append(message)
            if self.options is None or message.method == "ACK":
                continue
            if message.method == "OPTIONS":
                self.agent.reply(message, self.options, tag="o", extra=self.extra)
            elif message.method == "INVITE":
                self.agent.reply(message, 486, "Busy Here", tag="i")

    def count(self, method):
        return sum(message.method == method for message in self.seen)

    def kill(self):
        self.stopping = True
        self.thread.join()
        self.agent.close()


class Targets(dict):
    def __init__(self, lab):
        super().__init__({node: Answering(lab, node) for node in TARGETS})
        self.lab = lab

    def kill(self, node):
        self.pop(node).kill()

    def start(self, node):
        self[node] = Answering(self.lab, node)


def endpoint(lab, node):
    return lab.targets()[f"lab/{node}"]["endpoints"][0]


def wait_health(lab, node, health, seconds=3.0):
    """How long it took."""
    begin = time.monotonic()
    assert wait_for(lambda: endpoint(lab, node)["health"] == health, seconds, every=0.02), endpoint(lab, node)
    return time.monotonic() - begin


def change_probe(lab, node, probe):
    trunks = lab.ctl("export")["trunks"]
    for trunk in trunks:
        if trunk["name"] == node:
            trunk.pop("probe", None)
            if probe:
                trunk["probe"] = probe
    return lab.apply({"trunks": trunks})


@pytest.fixture
def targets(lab):
    servers = Targets(lab)
    try:
        for node in TARGETS:
            wait_health(lab, node, "up")
        assert lab.wait_usable()
        yield servers
    finally:
        for node in list(servers):
            servers.kill(node)
        for node in TARGETS:
            change_probe(lab, node, None)


def call(lab, number=ROUND, times=1, status=486):
    with Agent(lab, "caller", port=5998) as caller:
        for _ in range(times):
            caller.send(caller.request("INVITE", f"sip:{number}@10.77.0.1"))
            assert caller.final().status == status


def attempts(lab, node):
    return lab.targets()[f"round/{node}"]["attempts"]


def test_what_is_sent_and_what_is_told(lab, targets):
    seen = targets["target1"].seen
    assert wait_for(lambda: len(seen) > 3, 3)
    one, two = seen[0], seen[1]
    assert one.first == "OPTIONS sip:10.77.0.21:5060 SIP/2.0"
    assert one.source == ("10.77.0.1", 5060)
    assert "record-route" not in one.headers
    assert len(one.headers["via"]) == 1 and "10.77.0.1" in one.header("via")
    assert one.header("max-forwards") == "70" and one.header("cseq") == "1 OPTIONS"
    assert re.fullmatch(r"<sip:10\.77\.0\.1:5060>;tag=[0-9a-f]{16}", one.header("from"))
    assert one.header("to") == "<sip:10.77.0.21:5060>"
    assert one.call_id != two.call_id and one.header("from") != two.header("from")
    told = endpoint(lab, "target1")
    assert told["reason"] == "OPTIONS got 200" and 0 < told["rtt_ms"] < 200
    assert told["probes_sent"] > 3
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told["since"])
    text = lab.ctl("targets", text=True).stdout
    assert re.search(r"target1 +10\.77\.0\.21:5060 +up +\S+Z +OPTIONS got 200 ", text)


def test_pace(lab, targets):
    seen = targets["target2"].seen
    assert wait_for(lambda: len(seen) >= 12, 6)
    times = [message.when for message in seen[:12]]
    gaps = [after - before for before, after in zip(times, times[1:])]
    assert 0.85 * INTERVAL < sum(gaps) / len(gaps) < 1.3 * INTERVAL


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_a_dead_target_gets_no_calls_and_comes_back(lab, targets, how):
    if how == "killed":
        targets.kill("target1")
    else:
        targets["target1"].options = None
    took = wait_health(lab, "target1", "down")
    print(f"{how}: down after {took:.2f} s")
    assert took < FOUND
    assert endpoint(lab, "target1")["reason"] == ("OPTIONS could not be delivered" if how == "killed"
                                                  else "OPTIONS got no answer")
    assert lab.targets()["round/target1"]["state"] == "down"
    assert lab.ctl("route", "x", ROUND)["left_out"] == [{"target": "round/target1", "reason": "all endpoints down"}]
    before = attempts(lab, "target1")
    others = {node: targets[node].count("INVITE") for node in ("target2", "target3")}
    call(lab, times=12)
    assert attempts(lab, "target1") == before
    assert [targets[node].count("INVITE") - others[node] for node in others] == [6, 6]
    if how == "killed":
        targets.start("target1")
    else:
        targets["target1"].options = 200
    took = wait_health(lab, "target1", "up")
    assert took < 1.1 * INTERVAL + TIMEOUT + SLACK
    call(lab, times=12)
    assert targets["target1"].count("INVITE") >= 4


def test_calls_that_wait_move_on_when_their_endpoint_goes_down(lab, targets):
    """response_timeout_ms is 4 s: without the probes the call would wait that long."""
    targets["target1"].options = None
    begin = time.monotonic()
    call(lab, number=NUMBER)  # failover: target1 first
    assert time.monotonic() - begin < FOUND + 0.5
    assert targets["target1"].count("INVITE") >= 1 and targets["target2"].count("INVITE") == 1


def test_503_and_other_codes(lab, targets):
    targets["target1"].options = 503
    wait_health(lab, "target1", "down")
    assert endpoint(lab, "target1")["reason"] == "OPTIONS got 503 (Test)"
    before = attempts(lab, "target1")
    call(lab, times=6)
    assert attempts(lab, "target1") == before
    targets["target1"].options = 404
    wait_health(lab, "target1", "up")
    assert endpoint(lab, "target1")["reason"] == "OPTIONS got 404 (Test)"
    targets["target1"].extra = ("Retry-After: 5",)
    targets["target1"].options = 503
    wait_health(lab, "target1", "down")


def test_accept_narrows(lab, targets):
    targets["target2"].options = 404
    applied = change_probe(lab, "target2", {"accept": [200, 405]})
    assert [change["text"] for change in applied["changes"]] == ['~ trunk target2: probe none → {"accept":[200,405]}']
    wait_health(lab, "target2", "down")
    targets["target2"].options = 405
    wait_health(lab, "target2", "up")


def test_switched_off(lab, targets):
    targets["target3"].options = 503
    wait_health(lab, "target3", "down")
    change_probe(lab, "target3", {"enabled": False})
    told = endpoint(lab, "target3")
    assert (told["health"], told["reason"], told["since"]) == ("unknown", "not probed", None)
    seen = targets["target3"].count("OPTIONS")
    asked = targets["target1"].count("OPTIONS")
    assert wait_for(lambda: targets["target1"].count("OPTIONS") > asked + 4, 5)
    assert targets["target3"].count("OPTIONS") <= seen + 1  # one was on its way
    call(lab, times=3)
    assert targets["target3"].count("INVITE") == 1
    change_probe(lab, "target3", None)
    wait_health(lab, "target3", "down")


def test_nobody_is_left(lab, targets):
    for node in TARGETS:
        targets[node].options = 500
    for node in TARGETS:
        wait_health(lab, node, "down")
    begin = {node: attempts(lab, node) for node in TARGETS}
    with Agent(lab, "caller", port=5998) as caller:
        caller.send(caller.request("INVITE", f"sip:{ROUND}@10.77.0.1"))
        assert caller.final(2).status == 500
    assert begin == {node: attempts(lab, node) for node in TARGETS}


def test_others_are_never_asked(lab, targets):
    told = lab.targets()["lab-ipv6/target1-ipv6"]["endpoints"][0]
    assert (told["health"], told["probes_sent"]) == ("unknown", 0)
