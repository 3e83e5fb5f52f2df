# SPDX-License-Identifier: Apache-2.0
#
#   caller ------ 10.77.0.10 --+                  +-- target1 10.77.0.21
#   (of a trunk)               +--- Strowger -----+
#   stranger ---- 10.77.0.66 --+    10.77.0.1     (the stranger is also the host that nobody may reach through us)
#   (of no trunk)
#
# Who may call, and that nothing makes a relay of us: not a foreign source, not a request URI of elsewhere, not a Route
# of somebody's own making, not a token copied from another call.

import pytest
import yaml

from agent import Agent
from lab import NUMBER
from processes import wait_for
from trial import Trial

URI = f"sip:{NUMBER}@10.77.0.1"
ELSEWHERE = "sip:victim@10.77.0.66:5060"
IN_DIALOG = ["BYE", "INFO", "INVITE", "ACK", "MESSAGE", "NOTIFY"]


@pytest.fixture
def caller(lab):
    with Agent(lab, "caller") as agent:
        yield agent


@pytest.fixture
def target(lab):
    with Agent(lab, "target1") as agent:
        yield agent


@pytest.fixture
def outside(lab):
    """The stranger's host; the test fails if anything at all reaches it from Strowger."""
    with Agent(lab, "stranger") as agent:
        yield agent
        assert not agent.receive(0.2, lambda m: m.is_request), "Strowger has relayed something"


def talk(caller, target, call_id):
    """Sets a call up; returns its Record-Route and the target's contact."""
    caller.send(caller.request("INVITE", URI, call_id=call_id, from_tag="ft"))
    invite = target.request_in()
    target.reply(invite, 200, "OK", tag="tt")
    ok = caller.final()
    assert ok.status == 200
    caller.send(caller.request("ACK", f"sip:{target.where}", call_id=call_id, from_tag="ft", to_tag="tt",
                               extra=[f"Route: {ok.header('record-route')}"]))
    assert target.request_in("ACK")
    return ok.header("record-route"), ok.header("contact").strip("<>")


@pytest.mark.parametrize("family", [4, 6])
def test_a_foreign_source_is_refused(lab, family):
    before = lab.counters()["refused_source"]
    with Trial(lab, family, target1="uas") as trial:
        trial.call(10, node="stranger", scenario="uac_expect", fill={"code": 403})
    assert not trial.to("target1")
    assert lab.counters()["refused_source"] - before == 10


@pytest.mark.parametrize("method", ["REGISTER", "OPTIONS", "MESSAGE", "SUBSCRIBE"])
def test_a_foreign_source_is_refused_whatever_it_asks(lab, method, outside, target):
    outside.send(outside.request(method, URI))
    assert outside.final(method=method).status == 403
    assert not target.request_in(method, seconds=0.05)


def test_a_request_uri_of_elsewhere(caller, outside):
    """A customer may call numbers of ours; it may not send to hosts of its choice."""
    caller.send(caller.request("INVITE", ELSEWHERE))
    assert caller.final().status in (403, 404)


def test_a_number_of_ours_at_a_host_of_elsewhere(caller, outside, target):
    """Whatever the host says, a number that leads to a profile goes to that profile's targets or nowhere."""
    caller.send(caller.request("INVITE", f"sip:{NUMBER}@10.77.0.66"))
    invite = target.request_in(seconds=0.5)
    if invite:
        target.reply(invite, 486, "Busy Here", tag="t")
    assert caller.final().status in (403, 404, 486)


@pytest.mark.parametrize("route", [
    "<sip:10.77.0.66;lr>", "<sip:10.77.0.1;lr>, <sip:10.77.0.66;lr>", "<sip:victim@10.77.0.1;lr>, <sip:10.77.0.66;lr>",
], ids=["theirs", "ours then theirs", "no token then theirs"])
@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
def test_a_route_of_ones_own_outside_a_dialog(caller, outside, target, route, method):
    caller.send(caller.request(method, ELSEWHERE, extra=[f"Route: {route}"]))
    final = caller.final(method=method)
    assert final and final.status >= 400


@pytest.mark.parametrize("method", [m for m in IN_DIALOG if m != "ACK"])
@pytest.mark.parametrize("node", ["caller", "stranger"])
def test_a_token_made_up(lab, outside, node, method):
    token = "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrstuvwxyz234567"
    with Agent(lab, node, port=5077) as agent:
        agent.send(agent.request(method, ELSEWHERE, to_tag="tt", extra=[f"Route: <sip:{token}@10.77.0.1;lr>"]))
        final = agent.final(method=method)
        assert final and final.status in (403, 404, 481)


@pytest.mark.parametrize("method", IN_DIALOG)
@pytest.mark.parametrize("change", [{"call_id": "another"}, {"from_tag": "another"}], ids=["Call-ID", "tag"])
def test_a_token_copied_into_another_dialog(lab, caller, target, outside, method, change):
    before = lab.counters()["refused_token"]
    route, contact = talk(caller, target, f"copied-{method}")
    who = {"call_id": f"copied-{method}", "from_tag": "ft", "to_tag": "tt", **change}
    if change.get("from_tag"):
        who["to_tag"] = "another-too"
    caller.send(caller.request(method, contact, cseq=2, extra=[f"Route: {route}"], **who))
    assert not target.request_in(method, seconds=0.2)
    if method != "ACK":
        assert caller.final(method=method).status in (403, 481)
    assert lab.wait_counter("refused_token", before + 1, 1)


def to_its_own_side_or_nowhere(caller, target, method):
    """A dialog's request goes to the dialog's other side, whatever it names; or it is refused."""
    arrived = target.request_in(method, seconds=1)
    if method == "ACK":
        return
    if arrived:
        target.reply(arrived, 200, "OK")
    assert caller.final(method=method).status in ((200,) if arrived else (403, 481))


@pytest.mark.parametrize("method", IN_DIALOG)
def test_a_good_token_with_a_request_uri_of_elsewhere(lab, caller, target, outside, method):
    """One's own, valid token is no ticket to other hosts either."""
    call_id = f"kept-{method}"
    route, _ = talk(caller, target, call_id)
    caller.send(caller.request(method, ELSEWHERE, call_id=call_id, from_tag="ft", to_tag="tt", cseq=2,
                               extra=[f"Route: {route}"]))
    to_its_own_side_or_nowhere(caller, target, method)


def test_a_good_token_and_a_further_route_of_elsewhere(lab, caller, target, outside):
    route, contact = talk(caller, target, "further")
    caller.send(caller.request("BYE", contact, call_id="further", from_tag="ft", to_tag="tt", cseq=2,
                               extra=[f"Route: {route}", "Route: <sip:10.77.0.66;lr>"]))
    to_its_own_side_or_nowhere(caller, target, "BYE")


def test_somebody_elses_token(lab, caller, target, outside):
    """The stranger has seen a call go by and repeats its in-dialog request, token, tags and all."""
    route, contact = talk(caller, target, "seen")
    outside.send(outside.request("BYE", contact, call_id="seen", from_tag="ft", to_tag="tt", cseq=2,
                                 extra=[f"Route: {route}"]))
    assert not target.request_in("BYE", seconds=0.3), "the source belongs to neither side of the dialog"


def test_a_forged_response(lab, caller, target, outside):
    """An answer from the stranger with a branch of its own making goes nowhere."""
    before = lab.counters()
    caller.send(caller.request("INVITE", URI, call_id="forged"))
    invite = target.request_in()
    ours = invite.headers["via"][0]
    branch = ours.partition("branch=")[2].split(";")[0]
    fake = branch[:-4] + "aaaa"
    outside.send(invite.payload.decode().replace("INVITE " + invite.first.split(" ")[1] + " SIP/2.0", "SIP/2.0 200 OK")
                 .replace(branch, fake))
    assert not caller.final(seconds=0.3)
    assert lab.counters()["responses_forged"] + lab.counters()["responses_stale"] \
        == before["responses_forged"] + before["responses_stale"] + 1
    target.reply(invite, 486, "Busy Here", tag="t")
    assert caller.final().status == 486


def test_silence_where_told(lab, outside):
    """access: {unknown_source: silent}"""
    with open(lab.config_path, encoding="utf-8") as file:
        config = yaml.safe_load(file)
    assert lab.stop_daemon() == 0
    lab.write_configuration({**config, "access": {"unknown_source": "silent"}})
    lab.start_daemon()
    request = outside.request("INVITE", URI)

    def heard():  # a datagram may be lost while ARP finds the new process: sent again, as whoever calls by UDP does
        outside.send(request)
        return lab.counters()["refused_source"]

    assert wait_for(heard, 10, every=0.5)
    assert not outside.receive(0.3)


RESTARTS = True
