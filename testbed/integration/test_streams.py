# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- TCP (one connection, or one for each call) ---- strowgerd ---- TCP ---- target1 ... target3
#
# SIP over TCP that the data plane terminates itself: the kernel of strowgerd's node has no TCP socket in this.

import os
import signal
import socket
import struct
import time

import pytest

from conftest import laboratory
from lab import NUMBER, NUMBER_IPV6, STROWGER, TARGETS, add_profile, over_tcp
from processes import wait_for
from sipp import Sipp


UDP_NUMBER = "+442035550177"
REUSED_NUMBER = "+442035550178"
PATIENT_NUMBER = "+442035550179"


def streams_and_one_udp(config):
    over_tcp(config)
    config["trunks"].append({"name": "by-udp", "endpoints": [{"address": "10.77.0.21", "transport": "udp"}], "large_requests": "tcp"})
    add_profile(config, "to-udp", UDP_NUMBER, targets=["by-udp"])
    next(trunk for trunk in config["trunks"] if trunk["name"] == "target2")["connection_reuse"] = True
    add_profile(config, "to-reused", REUSED_NUMBER, targets=["target2"])
    add_profile(config, "patient", PATIENT_NUMBER, "round_robin", response_timeout_ms=0, progress_timeout_ms=0, setup_budget_s=0)


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def lab(request):
    with laboratory("af_packet", request.param, streams_and_one_udp, strategy="round_robin") as lab:
        yield lab


class Streams:
    """Targets that listen on TCP, and callers."""

    def __init__(self, lab, transport="tcp", **targets):
        self.lab, self.transport = lab, transport
        self.servers = {target: Sipp(lab, target, scenario, transport="tcp") for target, scenario in targets.items()}

    def caller(self, calls, rate=100, options=(), name="tcp-caller", number=NUMBER):
        return Sipp(self.lab, "caller", "uac", name=name, remote=STROWGER[4], calls=calls, rate=rate, seconds=60,
                    transport=self.transport, options=["-s", number, *options])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in self.servers.values():
            server.stop()


def finished(caller):
    status = caller.wait(65)
    assert caller.failed == 0 and status == 0, f"{caller.failed} calls failed (exit {status}):\n{caller.errors()[:2000]}"


def request(method="OPTIONS", length="Content-Length: 0\r\n", body="", branch="z9hG4bK-1", call_id="stream-1"):
    return (f"{method} sip:{STROWGER[4]} SIP/2.0\r\nVia: SIP/2.0/TCP 10.77.0.10:5099;branch={branch}\r\n"
            f"From: <sip:a@caller>;tag=1\r\nTo: <sip:b@{STROWGER[4]}>\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\n"
            f"Max-Forwards: 70\r\n{length}\r\n{body}").encode()


class Peer:
    """A kernel's TCP socket in a node."""

    def __init__(self, lab, node="caller"):
        self.socket = lab.network.socket(node, socket.AF_INET, socket.SOCK_STREAM)
        self.socket.settimeout(5)
        self.socket.connect((STROWGER[4], 5060))

    def send(self, data):
        self.socket.sendall(data)

    def read(self, until):
        """What came, up to and with `until`."""
        got = b""
        while until not in got:
            more = self.socket.recv(4096)
            if not more:
                break
            got += more
        return got

    def ended(self):
        return self.socket.recv(1) == b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def test_a_request_is_answered_on_its_connection(lab):
    with Peer(lab) as peer:
        peer.send(request())
        assert peer.read(b"\r\n\r\n").startswith(b"SIP/2.0 200 ")


def test_messages_in_pieces_and_joined(lab):
    with Peer(lab) as peer:
        peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at, byte in enumerate(request(branch="z9hG4bK-piece")):
            peer.send(bytes([byte]))
        assert peer.read(b"\r\n\r\n").startswith(b"SIP/2.0 200 ")
        peer.send(b"".join(request(branch=f"z9hG4bK-j{n}", call_id=f"joined-{n}") for n in range(20)))
        got = b""
        while got.count(b"SIP/2.0 200 ") < 20 or not got.endswith(b"\r\n\r\n"):
            got += peer.socket.recv(65536)
        assert got.count(b"SIP/2.0 ") == 20
        assert [b"Call-ID: joined-%d\r" % n in got for n in range(20)] == [True] * 20


def test_ping_gets_pong(lab):
    with Peer(lab) as peer:
        peer.send(b"\r\n\r\n")
        assert peer.read(b"\r\n") == b"\r\n"
        peer.send(request(branch="z9hG4bK-after"))
        assert peer.read(b"\r\n\r\n").startswith(b"SIP/2.0 200 ")


@pytest.mark.parametrize("length, status", [
    ("", b"400 "), ("Content-Length: 4294967328\r\n", b"413 "), ("l: 4294967328\r\n", b"413 "), ("Content-Length: -1\r\n", b"400 "),
    ("Content-Length: 0\r\nl: 5\r\n", b"400 "), ("Content-Length: x\r\n", b"400 "), ("Content-Length: 99999999999999999999999\r\n", b"413 ")])
def test_a_length_that_cannot_be_is_answered_and_closed(lab, length, status):
    with Peer(lab) as peer:
        peer.send(request(length=length))
        assert peer.read(b"\r\n\r\n").startswith(b"SIP/2.0 " + status)
        assert peer.ended()


@pytest.mark.parametrize("noise", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"A" * 20000], ids=["http", "tls", "no end"])
def test_noise_is_closed(lab, noise):
    with Peer(lab) as peer:
        peer.send(noise)
        try:
            assert peer.ended()
        except ConnectionResetError:
            pass


@pytest.mark.parametrize("transport", ["tcp", "tcp-each"])
def test_calls(lab, transport):
    with Streams(lab, transport, **dict.fromkeys(TARGETS, "uas")) as streams:
        finished(streams.caller(400, rate=200))
        assert all(server.failed == 0 for server in streams.servers.values())


def test_a_target_that_is_not_there_is_passed_over(lab):
    with Streams(lab, target1="uas", target2="uas") as streams:
        finished(streams.caller(100))


def test_a_target_that_is_frozen_is_passed_over(lab):
    """Its kernel accepts and acknowledges, and nothing answers: the response timeout moves calls on, as over UDP."""
    lab.wait_usable()
    with Streams(lab, **dict.fromkeys(TARGETS, "uas")) as streams:
        os.kill(streams.servers["target2"].pid, signal.SIGSTOP)
        finished(streams.caller(30, rate=30))
        os.kill(streams.servers["target2"].pid, signal.SIGCONT)


def test_connections_that_are_reset_before_the_answer_move_the_call_on(lab):
    """target1 accepts, reads the INVITE, and resets, each time: the call is answered by another long before its response timeout."""
    lab.wait_usable()
    listener = lab.network.socket("target1", socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((lab.address("target1"), 5060))
    listener.listen()
    listener.settimeout(0.1)
    before, resets = lab.counters()["requests_undelivered"], 0
    with listener, Streams(lab, target2="uas", target3="uas") as streams:
        caller, started = streams.caller(3, rate=1000), time.monotonic()
        while caller.running():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            connection.settimeout(5)
            assert connection.recv(4096).startswith(b"INVITE ")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            resets += 1
        finished(caller)
        assert time.monotonic() - started < 3.5, "it did not wait for the response timeout (4 s)"
    assert resets >= 1
    assert lab.counters()["requests_undelivered"] > before


@pytest.mark.parametrize("caller, number, target", [("tcp", UDP_NUMBER, "udp"), ("tcp-each", UDP_NUMBER, "udp"), ("udp", NUMBER, "tcp")])
def test_calls_change_the_transport(lab, caller, number, target):
    lab.wait_usable()
    ended = lab.counters()["calls_ended"]
    servers = [Sipp(lab, name, "uas", transport=target) for name in (TARGETS if target == "tcp" else TARGETS[:1])]
    finished(Sipp(lab, "caller", "uac", name="mixed-caller", remote=STROWGER[4], calls=200, rate=100, seconds=60, transport=caller,
                  options=["-s", number]))
    for server in servers:
        server.stop()
    assert lab.counters()["calls_ended"] == ended + 200


def test_calls_over_ipv6(lab):
    lab.wait_usable()
    servers = [Sipp(lab, name, "uas", family=6, transport="tcp") for name in TARGETS]
    finished(Sipp(lab, "caller", "uac", name="caller-ipv6", family=6, remote=STROWGER[6], calls=100, rate=100, seconds=60, transport="tcp",
                  options=["-s", NUMBER_IPV6]))
    for server in servers:
        server.stop()


def test_large_messages(lab):
    """30,000 bytes in one message: many segments, and many buffers where it goes to the worker of its call."""
    with Peer(lab) as peer:
        for n in range(8):
            peer.send(request(branch=f"z9hG4bK-large-{n}", call_id=f"large-{n}", length="Content-Length: 30000\r\n", body="x" * 30000))
            assert peer.read(b"\r\n\r\n").startswith(b"SIP/2.0 200 "), n


def test_calls_while_packets_are_lost(lab):
    """5 % of the packets each way: TCP brings them again, and no SIP message is lost, damaged or sent twice. Three SYNs lost in a row are
    seven seconds; a call that is rescued then finds both targets answering, and a SIPp that takes a CANCEL for an unexpected message."""
    lab.wait_usable()
    with Streams(lab, **dict.fromkeys(TARGETS, "uas")) as streams:
        lab.network.drop(5)
        try:
            finished(streams.caller(200, rate=100, number=PATIENT_NUMBER))
        finally:
            lab.network.drop_nothing()
    assert lab.counters()["tcp_retransmitted"] > 0


def test_connections_are_shown(lab):
    with Peer(lab) as peer:
        peer.send(request())
        peer.read(b"\r\n\r\n")
        assert wait_for(lambda: sum(worker["connections"] for worker in lab.ctl("workers")) >= 1, 5)
    assert f"tcp:{STROWGER[4]}:5060" in lab.ctl("status")["listeners"]


def test_connections_are_listed_and_closed(lab):
    with Peer(lab) as peer, Peer(lab, "stranger") as other:
        for number in range(2):
            peer.send(request(branch=f"z9hG4bK-listed-{number}", call_id=f"listed-{number}"))
            assert peer.read(b"\r\n\r\n").startswith(b"SIP/2.0 200 ")
        remote = f"{lab.address('caller')}:{peer.socket.getsockname()[1]}"
        shown = lab.ctl("connections", remote, "tcp", "them")["connections"]
        assert [c["remote"] for c in shown] == [remote]
        assert (shown[0]["local"], shown[0]["state"], shown[0]["messages_in"], shown[0]["messages_out"]) == (f"{STROWGER[4]}:5060", "ESTABLISHED", 2, 2)
        assert shown[0]["bytes_in"] == 2 * len(request(branch="z9hG4bK-listed-1", call_id="listed-1"))
        assert {f"{lab.address(node)}:{end.socket.getsockname()[1]}" for node, end in (("caller", peer), ("stranger", other))} <= {
            c["remote"] for c in lab.ctl("connections")["connections"]}
        assert not lab.ctl("connections", remote, "us")["connections"]
        assert remote in lab.ctl("connections", lab.address("caller"), text=True).stdout
        assert "is being closed" in lab.ctl("connection", "close", shown[0]["id"], text=True).stdout
        assert peer.ended()
        refused = lab.ctl("connection", "close", "1" * 16, check=False)
        assert refused.returncode == 1 and "there is no connection" in refused.stderr


def large_message(lab, sender, number):
    text = (f"MESSAGE sip:{UDP_NUMBER}@{STROWGER[4]} SIP/2.0\r\nVia: SIP/2.0/UDP {lab.address('caller')}:5077;branch=z9hG4bK-large-{number}\r\n"
            f"From: <sip:a@caller>;tag=1\r\nTo: <sip:b@{STROWGER[4]}>\r\nCall-ID: large-by-udp-{number}\r\nCSeq: 1 MESSAGE\r\n"
            f"Max-Forwards: 70\r\nContent-Type: text/plain\r\nContent-Length: 1100\r\n\r\n" + "x" * 1100)
    sender.sendto(text.encode(), (STROWGER[4], 5060))


def ok(text):
    """The 200 to a request, as bytes."""
    kept = [line for line in text.split("\r\n") if line.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")]
    return "\r\n".join(["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""]).encode()


def test_a_large_request_leaves_by_tcp_where_it_is_taken(lab):
    sender = lab.network.socket("caller", socket.AF_INET, socket.SOCK_DGRAM)
    listener = lab.network.socket("target1", socket.AF_INET, socket.SOCK_STREAM)
    target = lab.network.socket("target1", socket.AF_INET, socket.SOCK_DGRAM)
    sender.bind((lab.address("caller"), 5077))
    target.bind((lab.address("target1"), 5060))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((lab.address("target1"), 5060))
    for one in (sender, listener, target):
        one.settimeout(5)
    with sender, listener, target:
        listener.listen()
        large_message(lab, sender, 1)
        connection, _ = listener.accept()
        with connection:
            got = b""
            while not got.endswith(b"x" * 1100):
                got += connection.recv(4096)
            assert got.split(b"\r\n")[1].startswith(b"Via: SIP/2.0/TCP ")
            connection.sendall(ok(got.decode()))
            assert sender.recv(4096).startswith(b"SIP/2.0 200 ")
        listener.close()
        large_message(lab, sender, 2)
        got, source = target.recvfrom(4096)
        assert got.split(b"\r\n")[1].startswith(b"Via: SIP/2.0/UDP "), "refused: by UDP after all"
        target.sendto(ok(got.decode()), source)
        assert sender.recv(4096).startswith(b"SIP/2.0 200 ")
    counters = lab.counters()
    assert counters["large_by_tcp"] >= 2 and counters["large_by_udp"] >= 1


def introduced(lab, number, node, alias=";alias"):
    """A connection from there whose first request says that it listens at 5060."""
    peer = Peer(lab, node)
    peer.send(request(branch=f"z9hG4bK-introduced-{number}", call_id=f"introduced-{number}")
              .replace(b"10.77.0.10:5099", f"{lab.address(node)}:5060{alias}".encode()))
    assert peer.read(b"\r\n\r\n").startswith(b"SIP/2.0 200 ")
    return peer


def message_to_reused(number):
    return (request("MESSAGE", branch=f"z9hG4bK-reused-{number}", call_id=f"reused-{number}")
            .replace(f"sip:{STROWGER[4]} SIP".encode(), f"sip:{REUSED_NUMBER}@{STROWGER[4]} SIP".encode()))


def test_a_connection_whose_owner_says_alias_is_used_for_what_goes_there(lab):
    """RFC 5923: target2 listens nowhere, and is met by the connection that it opened last, while that stands."""
    with Peer(lab) as caller:
        for number in range(6):
            with introduced(lab, number, "target2") as peer:
                caller.send(message_to_reused(number))
                got = peer.read(b"\r\n\r\n").decode()
                assert got.startswith("MESSAGE ")
                assert ";alias\r\n" in got.split("Via: ")[1], "ours says so too"
                peer.send(ok(got))
                assert caller.read(b"\r\n\r\n").startswith(b"SIP/2.0 200 ")
            caller.send(message_to_reused(f"{number}-gone"))
            assert caller.read(b"\r\n\r\n").startswith(b"SIP/2.0 500 "), "it has gone, and nobody listens"
        with introduced(lab, "no", "target2", ""):
            caller.send(message_to_reused("no"))
            assert caller.read(b"\r\n\r\n").startswith(b"SIP/2.0 500 "), "it did not say so"


def test_alias_of_a_trunk_that_is_not_met_so(lab):
    before = lab.counters()["stream_aliases"]
    with introduced(lab, "other", "target1"):
        assert lab.counters()["stream_aliases"] == before


def headers_of(text, name):
    return [line.split(": ", 1)[1] for line in text.split("\r\n") if line.startswith(name + ": ")]


@pytest.mark.parametrize("contact", ["192.168.7.7:5060", "its own port"])
def test_a_subscriber_that_listens_nowhere_is_notified_on_its_connection(lab, contact):
    target = lab.network.socket("target1", socket.AF_INET, socket.SOCK_DGRAM)
    target.bind((lab.address("target1"), 5060))
    target.settimeout(5)
    with target:
        for number in range(4):
            with Peer(lab) as peer:
                where = contact if contact[0] == "1" else f"{lab.address('caller')}:{peer.socket.getsockname()[1]}"
                name = f"subscribed-{where}-{number}".replace(":", "-")
                peer.send(request("SUBSCRIBE", branch=f"z9hG4bK-{name}", call_id=name)
                          .replace(f"sip:{STROWGER[4]} SIP".encode(), f"sip:{UDP_NUMBER}@{STROWGER[4]} SIP".encode())
                          .replace(b"Max-Forwards", f"Contact: <sip:a@{where};transport=tcp>\r\nEvent: dialog\r\nMax-Forwards".encode()))
                got, strowger = target.recvfrom(4096)
                got = got.decode()
                target.sendto(ok(got).replace(b"CSeq", b"Contact: <sip:b@10.77.0.21>\r\nCSeq").replace(b">\r\nCall-ID", b">;tag=n\r\nCall-ID"), strowger)
                assert peer.read(b"\r\n\r\n").startswith(b"SIP/2.0 200 ")
                routes = "".join(f"Route: {route}\r\n" for route in headers_of(got, "Record-Route"))
                target.sendto((f"NOTIFY sip:a@{where};transport=tcp SIP/2.0\r\nVia: SIP/2.0/UDP {lab.address('target1')};branch=z9hG4bK-n-{name}\r\n{routes}"
                               f"From: {headers_of(got, 'To')[0]};tag=n\r\nTo: {headers_of(got, 'From')[0]}\r\nCall-ID: {name}\r\nCSeq: 1 NOTIFY\r\n"
                               "Max-Forwards: 70\r\nEvent: dialog\r\nContent-Length: 0\r\n\r\n").encode(), strowger)
                notify = peer.read(b"\r\n\r\n")
                assert notify.startswith(b"NOTIFY ")
                peer.send(ok(notify.decode()))
                assert target.recv(4096).startswith(b"SIP/2.0 200 ")
