# SPDX-License-Identifier: Apache-2.0
#
#   caller (by hand) ---- Strowger (AF_PACKET) ----+---- target1 (by hand)   10.77.0.21
#   10.77.0.10            10.77.0.1                +---- target2 (by hand)   10.77.0.22
#
# A part of the conformance cases (testbed/conformance, by the same names) through the real port: datagrams in, datagrams out.

import glob
import os
import re
import secrets

import pytest

from agent import Agent, answer, tag_of
from lab import NUMBER, ROOT, add_profile

URI = f"sip:{NUMBER}@10.77.0.1"
RING, QUICK = "+442035550301", "+442035550302"
TORTURE = os.environ.get("STROWGER_TORTURE") or os.path.join(ROOT, "..", "shared", "torture")


def configure(config):
    add_profile(config, "ring", RING, "simultaneous_ring", targets=("target1", "target2"))
    add_profile(config, "quick", QUICK, targets=("target1", "target2"), response_timeout_ms=700)


class Play:
    """The caller and the two targets, and the last INVITE at each of these."""

    def __init__(self, caller, a, b):
        self.caller, self.a, self.b = caller, a, b
        self.text = ""

    def ask(self, method="INVITE", number=NUMBER, edit=lambda text: text, **more):
        self.text = edit(self.caller.request(method, f"sip:{number}@10.77.0.1", **more))
        self.caller.send(self.text)

    def invite(self, **more):
        """The INVITE as it reached the first target, not one that is still sent again of a call before."""
        self.ask(**more)
        call_id = re.search(r"\r\n(?:Call-ID|i): ([^\r]+)", self.text)
        return self.a.receive(want=lambda m: m.is_request and m.method == "INVITE" and (not call_id or m.call_id == call_id[1]))

    def beside(self, method, to=None):
        """The ACK or CANCEL of the last INVITE."""
        lines = [line for line in self.text.split("\r\n\r\n")[0].split("\r\n")
                 if line.split(":")[0] in ("Via", "From", "To", "Call-ID", "Max-Forwards")]
        if to:
            lines = [f"To: {to}" if line.startswith("To:") else line for line in lines]
        first = self.text.split("\r\n")[0].replace("INVITE", method, 1)
        self.caller.send("\r\n".join([first, *lines, f"CSeq: 1 {method}", "Content-Length: 0"]) + "\r\n\r\n")

    def refused(self, status):
        final = self.caller.final(method=None)
        assert final and final.status == status
        assert not self.a.request_in(seconds=0.1)

    def end(self, target, invite, status=486):
        target.reply(invite, status, tag="t")
        assert target.request_in("ACK")
        final = self.caller.final()
        assert final.status == status
        self.beside("ACK", final.header("to"))


@pytest.fixture
def play(lab):
    with Agent(lab, "caller") as caller, Agent(lab, "target1") as a, Agent(lab, "target2") as b:
        yield Play(caller, a, b)
    lab.wait_usable()


# ---- RFC 3261 §16: requests

def test_hops_zero(play):
    play.ask(hops=0)
    play.refused(483)


def test_hops_one(play):
    invite = play.invite(hops=1)
    assert invite.header("max-forwards") == "0"
    play.end(play.a, invite)


def test_proxy_require(play):
    play.ask(extra=["Proxy-Require: one, two"])
    final = play.caller.final()
    assert final.status == 420 and final.header("unsupported") == "one, two"


def test_unknown_scheme(play):
    play.ask(edit=lambda text: text.replace(URI, "carrier-pigeon:loft7", 1))
    play.refused(416)


def test_two_to(play):
    play.ask(edit=lambda text: text.replace("\r\nCall-ID:", "\r\nt: <sip:other@x>\r\nCall-ID:", 1))
    play.refused(400)


def test_method_mismatch(play):
    play.ask(edit=lambda text: text.replace("CSeq: 1 INVITE", "CSeq: 1 OPTIONS"))
    play.refused(400)


def test_foreign_route(play):
    play.ask(extra=["Route: <sip:10.77.0.1;lr>, <sip:192.0.2.7;lr>"])
    play.refused(403)


def test_headers_untouched(play):
    odd = b"X-Hdr : v\r\nx-odd:\t a \r\n folded ,\r\n\there\r\nX-Empty:\r\nX-Nul: a\0b\xff\r\n"
    play.caller.send(play.caller.request("INVITE", URI, body="v=0").encode()
                     .replace(b"Content-Length: 3\r\n\r\nv=0", odd + b"Content-Length: 3\r\n\r\nv\0w"))
    invite = play.a.request_in()
    assert odd in invite.payload and invite.payload.endswith(b"\r\n\r\nv\0w")
    play.a.reply(invite, 486, tag="t")
    assert play.a.request_in("ACK")


def test_many_vias(play):
    below = "".join(f"\r\nVia: SIP/2.0/UDP h{n};branch=z9hG4bK{n}" for n in range(60))
    invite = play.invite(edit=lambda text: text.replace("\r\nFrom:", f"{below}\r\nFrom:", 1))
    assert len(invite.headers["via"]) == 62
    play.a.reply(invite, 486, tag="t")
    assert play.a.request_in("ACK")
    final = play.caller.final()
    assert len(final.headers["via"]) == 61 and final.headers["via"][-1] == "SIP/2.0/UDP h59;branch=z9hG4bK59"


def test_loop(play):
    invite = play.invite()
    looped = play.text.replace("\r\nVia: ", "\r\nVia: SIP/2.0/UDP 10.77.0.10:5060;branch=z9hG4bKback;rport\r\n"
                               f"Via: {invite.header('via')}\r\nVia: ", 1)
    play.caller.send(looped)
    assert play.caller.final().status == 482
    play.end(play.a, invite)


# ---- §16.7: responses, CANCEL

def test_second_success_goes_up(play):
    play.ask(number=RING)
    a, b = play.a.request_in(), play.b.request_in()
    for target, invite, tag in ((play.a, a, "a"), (play.b, b, "b")):
        target.reply(invite, 180, tag=tag)
    play.a.reply(a, 200, tag="a")
    cancel = play.b.request_in("CANCEL")
    assert cancel.header("reason") == 'SIP;cause=200;text="Call completed elsewhere"'
    assert cancel.headers["via"] == b.headers["via"][:1]
    play.b.reply(b, 200, tag="b")
    assert {tag_of(play.caller.final().header("to")) for _ in range(2)} == {"a", "b"}


def test_global_failure_ends_all(play):
    play.ask(number=RING)
    a, b = play.a.request_in(), play.b.request_in()
    play.a.reply(a, 180, tag="a")
    play.b.reply(b, 603, tag="b")
    assert play.b.request_in("ACK")
    assert play.a.request_in("CANCEL")
    assert not play.caller.final(0.2)
    play.a.reply(a, 487, tag="a")
    assert play.a.request_in("ACK")
    assert play.caller.final().status == 603


def test_challenges_merged(play):
    play.ask(number=RING)
    a, b = play.a.request_in(), play.b.request_in()
    play.a.reply(a, 401, tag="a", extra=['WWW-Authenticate: Digest realm="a"'])
    play.b.reply(b, 407, tag="b", extra=['Proxy-Authenticate: Digest realm="b"'])
    final = play.caller.final()
    assert final.status in (401, 407)
    assert final.header("www-authenticate") == 'Digest realm="a"'
    assert final.header("proxy-authenticate") == 'Digest realm="b"'


def test_code_503(play):
    invite = play.invite()
    play.a.reply(invite, 503, tag="a")
    assert play.a.request_in("ACK")
    moved = play.b.request_in()
    play.b.reply(moved, 503, tag="b")
    assert play.b.request_in("ACK")


def test_late_success_after_failover(play):
    play.ask(number=QUICK)
    a = play.a.request_in()
    b = play.b.request_in()
    play.b.reply(b, 180, tag="b")
    play.a.reply(a, 200, tag="a")
    assert tag_of(play.caller.final().header("to")) == "a"
    assert play.b.request_in("CANCEL")


def test_cancel_waits_for_provisional(play):
    invite = play.invite()
    play.beside("CANCEL")
    assert play.caller.final(method="CANCEL").status == 200
    assert play.caller.final().status == 487
    assert not play.a.request_in("CANCEL", seconds=0.2)
    play.a.reply(invite, 180, tag="a")
    assert play.a.request_in("CANCEL")


def test_cancel_crosses_answer(play):
    invite = play.invite()
    play.a.reply(invite, 180, tag="a")
    assert play.caller.receive(want=lambda m: m.status == 180)
    play.beside("CANCEL")
    assert play.a.request_in("CANCEL")
    play.a.reply(invite, 200, tag="a")
    assert play.caller.final().status == 200


# ---- §17: transactions

def test_timer_a_doubles(play):
    times = [play.invite().when, play.a.request_in().when, play.a.request_in().when]
    assert times[1] - times[0] > 0.4 and times[2] - times[1] > 0.8


def test_retransmission_is_identical(play):
    first, second = play.invite(extra=["X-Odd :\t1"]), play.a.request_in()
    assert first.payload == second.payload


def test_lost_final_and_ack(play):
    invite = play.invite()
    play.a.reply(invite, 486, tag="a")
    ack = play.a.request_in("ACK")
    assert ack.header("via") == invite.header("via") and len(ack.headers["via"]) == 1
    first = play.caller.final()
    assert play.caller.final(2).payload == first.payload, "timer G"
    play.caller.send(play.text)
    assert play.caller.final().payload == first.payload, "the INVITE again"
    play.beside("ACK", first.header("to"))
    assert not play.a.request_in("ACK", seconds=0.2)


def forwarded_anew(play, invite):
    """An INVITE that was taken for a new call: by another branch. One of before may still come once more (timer A), as may another test's."""
    return play.a.receive(0.2, lambda m: m.is_request and m.method == "INVITE" and m.call_id == invite.call_id and m.header("via") != invite.header("via"))


def test_what_lingers_answers(play):
    """When all is over but timers D and I: the same ACK to each final response that comes again, nothing to the INVITE."""
    invite = play.invite()
    play.a.reply(invite, 486, tag="a")
    ack = play.a.request_in("ACK")
    play.beside("ACK", play.caller.final().header("to"))
    for _ in range(3):
        play.a.reply(invite, 486, tag="a")
        assert play.a.request_in("ACK").payload == ack.payload
    play.caller.send(play.text)
    assert not forwarded_anew(play, invite)
    assert not play.caller.final(0.2)


def test_what_lingers_of_a_fork_answers(play):
    """The loser's 487 again, the winner's 200 again, long after each has no more than its key and its slot."""
    play.ask(number=RING)
    invites = play.a.request_in(), play.b.request_in()
    for target, invite in zip((play.a, play.b), invites):
        target.reply(invite, 180, tag="t")
    play.b.reply(invites[1], 200, tag="b")
    assert play.caller.final().status == 200
    play.a.reply(play.a.request_in("CANCEL"), 200)
    play.a.reply(invites[0], 487, tag="t")
    ack = play.a.request_in("ACK")
    for _ in range(2):
        play.a.reply(invites[0], 487, tag="t")
        assert play.a.request_in("ACK").payload == ack.payload
        play.b.reply(invites[1], 200, tag="b")
        assert play.caller.final().status == 200


def test_repeated_success_goes_up(play):
    invite = play.invite()
    for _ in range(3):
        play.a.reply(invite, 200, tag="a")
        assert play.caller.final().status == 200
    play.caller.send(play.text)
    assert not forwarded_anew(play, invite)


def test_branch_forged(lab, play):
    invite = play.invite()
    before = lab.counters()["responses_forged"]
    branch = invite.header("via").partition("branch=")[2]
    forged = branch[:12] + ("b" if branch[12] == "a" else "a") + branch[13:]
    play.a.send(answer(invite, 200, tag="x").replace(branch, forged), invite.source)
    assert lab.wait_counter("responses_forged", before + 1)
    play.end(play.a, invite)


# ---- RFC 3581, tokens, early dialogs

def test_rport_behind_nat(lab, play):
    with Agent(lab, "caller", port=31337) as nat:
        # This call's, whatever else still arrives: another test's INVITE may be on its way again.
        nat.send(play.caller.request("INVITE", URI, call_id="behind-nat").replace(f"{play.caller.where};branch", "192.168.1.2:5060;branch", 1))
        invite = play.a.receive(2.0, lambda m: m.is_request and m.method == "INVITE" and m.call_id == "behind-nat")
        assert ";received=10.77.0.10;rport=31337" in invite.headers["via"][1]
        play.a.reply(invite, 486, tag="a")
        assert nat.receive(want=lambda m: m.status == 486)


def in_dialog(play, ringing, method, change=lambda text: text):
    call, tag = ringing.call_id, tag_of(ringing.header("from"))
    play.caller.send(change(play.caller.request(
        method, "sip:x@10.77.0.21:5060", to=ringing.header("to"), call_id=call, from_tag=tag, cseq=2, contact=False,
        extra=[f"Route: {ringing.header('record-route')}"])))


def test_reliable_provisional(play):
    invite = play.invite()
    play.a.reply(invite, 183, tag="a", extra=["Require: 100rel", "RSeq: 1"])
    ringing = play.caller.receive(want=lambda m: m.status == 183)
    in_dialog(play, ringing, "PRACK")
    prack = play.a.request_in("PRACK")
    assert "route" not in prack.headers
    play.a.reply(prack, 200)
    assert play.caller.final(method="PRACK").status == 200
    play.end(play.a, invite)


def test_copied_token(play):
    invite = play.invite()
    play.a.reply(invite, 180, tag="a")
    ringing = play.caller.receive(want=lambda m: m.status == 180)
    in_dialog(play, ringing, "BYE", lambda text: text.replace(ringing.call_id, secrets.token_hex(8)))
    assert play.caller.final(method="BYE").status == 481
    assert not play.a.request_in("BYE", seconds=0.1)
    play.end(play.a, invite)


def test_torture_messages(lab, play):
    """All of them, twice: nothing stops, and a call goes through afterwards. What becomes of each is the other suite's business."""
    files = sorted(glob.glob(os.path.join(TORTURE, "**", "*.dat"), recursive=True))
    if not files:
        pytest.skip(f"no torture messages in {TORTURE}")
    before = lab.counters()["rx_packets"]
    with Agent(lab, "caller", port=5099) as sender:
        for path in files * 2:
            with open(path, "rb") as file:
                sender.send(file.read())
    assert lab.wait_counter("rx_packets", before + len(files), 5)
    play.end(play.a, play.invite())
