# SPDX-License-Identifier: Apache-2.0
#
#   caller (by hand) ---- Strowger (AF_PACKET) ---- target1 (by hand)
#   10.77.0.10            10.77.0.1                 10.77.0.21
#
# Single messages: what is checked on the way in, what is changed on the way through, how numbers are read.

import pytest

from agent import Agent, answer
from lab import NUMBER

URI = f"sip:{NUMBER}@10.77.0.1"


@pytest.fixture
def caller(lab):
    with Agent(lab, "caller") as agent:
        yield agent


@pytest.fixture
def target(lab):
    with Agent(lab, "target1") as agent:
        yield agent


def refuse(target, invite):
    """Ends a call that has arrived."""
    target.reply(invite, 486, "Busy Here", tag="t")
    assert target.request_in("ACK")


def test_no_hops_left(lab, caller, target):
    caller.send(caller.request("INVITE", URI, hops=0))
    assert caller.final().status == 483
    assert not target.request_in(seconds=0.1)


def test_hops_are_counted_down(caller, target):
    caller.send(caller.request("INVITE", URI, hops=7))
    invite = target.request_in()
    assert invite.header("max-forwards") == "6"
    refuse(target, invite)


def test_hops_are_added_where_missing(caller, target):
    caller.send(caller.request("INVITE", URI, hops=None))
    invite = target.request_in()
    assert invite.header("max-forwards") in ("70", "69")
    refuse(target, invite)


def test_an_extension_that_we_do_not_know(caller, target):
    caller.send(caller.request("INVITE", URI, extra=["Proxy-Require: foo, bar"]))
    final = caller.final()
    assert final.status == 420
    assert [word.strip() for word in final.header("unsupported").split(",")] == ["foo", "bar"]
    assert not target.request_in(seconds=0.1)


def test_received_and_rport(lab, target):
    """The Via says another address and port: the answer goes to where the request came from (RFC 3581)."""
    with Agent(lab, "caller", port=15060) as caller:
        caller.send(caller.request("INVITE", URI, via="Via: SIP/2.0/UDP 192.0.2.9:5099;branch=z9hG4bKnat1;rport"))
        invite = target.request_in()
        refuse(target, invite)
        via = caller.final().header("via")
        assert ";rport=15060" in via and ";received=10.77.0.10" in via


def test_received_without_rport(lab, target):
    """No rport asked for: the answer goes to the source address, at the port the Via names (RFC 3261 section 18.2.2)."""
    with Agent(lab, "caller", port=15060) as sender, Agent(lab, "caller", port=5099) as listener:
        sender.send(sender.request("INVITE", URI, via="Via: SIP/2.0/UDP 192.0.2.9:5099;branch=z9hG4bKnat2"))
        invite = target.request_in()
        refuse(target, invite)
        via = listener.receive(want=lambda m: m.status == 486).header("via")
        assert ";received=10.77.0.10" in via and "rport" not in via


def test_what_nobody_names_stays_as_it_came(caller, target):
    odd = "X-Odd :   caf\u00e9  \t spaced  "
    body = "v=0\r\n\u00fcber\r\n"
    caller.send(caller.request("INVITE", URI, extra=[odd, "s: compact subject"], body=body))
    invite = target.request_in()
    assert odd.encode() + b"\r\n" in invite.payload
    assert b"\r\ns: compact subject\r\n" in invite.payload
    assert invite.payload.endswith(b"\r\n\r\n" + body.encode())
    assert len(invite.headers["via"]) == 2
    refuse(target, invite)


def test_compact_forms(caller, target):
    text = caller.request("INVITE", URI)
    for long, short in (("Via", "v"), ("From", "f"), ("To", "t"), ("Call-ID", "i"), ("Contact", "m"),
                        ("Content-Length", "l")):
        text = text.replace(f"\r\n{long}: ", f"\r\n{short}: ")
    caller.send(text)
    invite = target.request_in()
    target.send(answer(invite, 486, tag="t"), invite.source)
    assert target.request_in("ACK")
    assert caller.final().status == 486


@pytest.mark.parametrize("uri", [
    "sip:+442035550100@10.77.0.1", "sip:00442035550100@10.77.0.1", "sip:02035550100@10.77.0.1",
    "sip:442035550100@10.77.0.1", "tel:+442035550100", "tel:+44-20-3555-0100", "sip:+44(20)3555-0100@10.77.0.1;user=phone",
    "sip:%2B442035550100@10.77.0.1", "sip:+442035550100;phone-context=x@10.77.0.1", "tel:2035550100;phone-context=+44",
])
def test_a_number_however_written(caller, target, uri):
    caller.send(caller.request("INVITE", uri))
    invite = target.request_in()
    assert invite, uri
    refuse(target, invite)
    assert caller.final().status == 486


@pytest.mark.parametrize("uri", [
    "sip:+442035550999@10.77.0.1", "sip:alice@10.77.0.1", "sip:12@10.77.0.1", "sip:10.77.0.1",
    "sip:00012@10.77.0.1", "sip:+44203555010@10.77.0.1",
])
def test_no_profile(caller, target, uri):
    caller.send(caller.request("INVITE", uri))
    assert caller.final().status == 404
    assert not target.request_in(seconds=0.05)


@pytest.mark.parametrize("spoil", [
    lambda text: text.replace("CSeq: 1 INVITE", "CSeq: 1 BYE"),
    lambda text: text.replace("SIP/2.0\r\nVia", "SIP/7.0\r\nVia"),
    lambda text: text.replace("Content-Length: 0", "Content-Length: 500"),
], ids=["method in CSeq", "version", "body too short"])
def test_a_request_that_is_wrong(caller, target, spoil):
    caller.send(spoil(caller.request("INVITE", URI)))
    final = caller.final(2, method=None)
    assert final and final.status in (400, 505)
    assert not target.request_in(seconds=0.05)


def test_nonsense_is_dropped(lab, caller, target):
    before = lab.counters()
    for junk in (b"hello\r\n\r\n", b"\x00" * 100, b"INVITE\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"):
        caller.send(junk)
    assert lab.wait_counter("rx_packets", before["rx_packets"] + 4, 1)
    quiet = lab.counters()
    # A keep-alive, and a call after all of it: the line is still open.
    caller.send(b"\r\n\r\n")
    caller.send(caller.request("INVITE", URI))
    refuse(target, target.request_in())
    assert caller.final().status == 486
    after = lab.counters()
    assert after["sip_not_sip"] + after["sip_bad_dropped"] > before["sip_not_sip"] + before["sip_bad_dropped"]
    assert after["sip_keepalives"] == quiet["sip_keepalives"] + 1


def test_a_loop_is_seen(lab, caller, target):
    """What we sent comes back to us unchanged: 482 (RFC 3261 section 16.3)."""
    caller.send(caller.request("INVITE", URI))
    invite = target.request_in()
    uri = invite.first.split(" ")[1]
    looped = invite.payload.decode().replace(uri, URI, 1)
    with Agent(lab, "target1", port=5070) as echo:
        echo.send(looped.replace("\r\nVia: ", "\r\nVia: SIP/2.0/UDP 10.77.0.21:5070;branch=z9hG4bKback\r\nVia: ", 1))
        final = echo.final()
        assert final and final.status == 482
    refuse(target, invite)
    assert caller.final().status == 486
