# SPDX-License-Identifier: Apache-2.0
#
#   caller (calls, all the time) ---- TCP ---- strowgerd ---- TCP ---- target1, target2
#   target3 (the victim's kernel) ------------/    /
#   stranger (scapy: in everybody's name) --------/
#
# Segments that nobody's TCP would send: whatever comes, the connections of others go on, and so does that of the victim unless the attacker knew its very numbers.
# While all this happens numbered calls go through from 100 connections (1,000 in the flood), and each of them must come out whole.

import random
import time

import pytest
from scapy.layers.inet import IP, TCP

from lab import STROWGER, add_profile, over_tcp
from link import Caller, Server
from processes import wait_for
from segments import Handmade, Victim, Wire

NUMBER = "+442035550177"
CALLS, RATE, CONNECTIONS = 1600, 150, 100
FLOOD = "198.18"                    # /16, behind the stranger, where nobody answers
FLOOD_CONNECTIONS, FLOOD_CALLS, FLOOD_RATE = 1000, 2000, 500
FAR = 1 << 28                       # outside of every window


def configure(config):
    over_tcp(config)
    add_profile(config, "numbered", NUMBER, "weighted_lb", ["target1", "target2"], response_timeout_ms=0, progress_timeout_ms=0, setup_budget_s=0)


@pytest.fixture(scope="module")
def servers(lab):
    return [Server(lab, target, 100000, "hostile") for target in ("target1", "target2")]


@pytest.fixture(scope="module")
def attacker(lab):
    return Wire(lab, "stranger")


@pytest.fixture
def victim(lab):
    victim = Victim(lab, "target3")
    yield victim
    victim.close()


def strike(lab, attacker, victim, segments):
    """In the victim's name; each is a segment, or one and its data. Returns once all of them have been taken."""
    frames = [attacker.frame(victim.address, victim.strowger, *(one if isinstance(one, tuple) else (one,))) for one in segments]
    before = lab.counters()
    attacker.send(*frames)
    assert wait_for(lambda: sum(lab.counters()[name] - before[name] for name in ("tcp_segments_in", "drop_short", "drop_length")) >= len(frames), 10)
    return before


def all_flags(victim):
    return [(victim.segment(seq=FAR + n, flags=n), b"x" * (n % 3)) for n in range(256)]


def blind(victim):
    """1,000 guesses at its window with each kind of segment that would end or confuse it."""
    dice = random.Random(1)
    return [victim.segment(seq=FAR + dice.randrange(2 * FAR), ack=dice.randrange(2 * FAR), flags=flags, stamp=dice.randrange(1000))
            for _ in range(250) for flags in ("R", "RA", "S", "FA")]


def bad_options(*values):
    """Segments with these bytes as options."""
    return lambda victim: [header(victim, 5 + len(value) // 4) + value for value in values]


def header(victim, words):
    """20 bytes of a segment that says it has a header of so many words."""
    return bytes(victim.segment(options=[], dataofs=words))[:20]


# What is sent, given the victim; and what it is counted as, at least once (None: not at all).
ATTACKS = {
    "resets far from the window": (lambda v: [v.segment(seq=s * FAR, flags=f) for s in (1, 2, 7, -1, -2) for f in ("R", "RA")], None),
    "resets within the window": (lambda v: [v.segment(seq=s, flags=f) for s in (1, 100, 60000) for f in ("R", "RA")], "tcp_challenges"),
    "SYNs within the window, and far": (lambda v: [v.segment(seq=s, flags=f) for s in (0, 1, 100, FAR, -FAR) for f in ("S", "SA")], "tcp_challenges"),
    "1,000 guesses": (blind, None),
    "data that acknowledges what was never sent": (lambda v: [(v.segment(ack=a), b"BYE sip:x") for a in (1, 100000, FAR)], "tcp_challenges"),
    "data that acknowledges what is long past": (lambda v: [(v.segment(ack=-FAR), b"BYE sip:x")], "tcp_challenges"),
    "data behind the window": (lambda v: [(v.segment(seq=s), b"x" * 1000) for s in (FAR, 2 * FAR, 300000)], "tcp_duplicates"),
    "data that was there already, with other content": (lambda v: [(v.segment(seq=-n), b"x" * n) for n in (1, 50, 200)], "tcp_duplicates"),
    "timestamps of the past": (lambda v: [(v.segment(stamp=-s), b"BYE sip:x") for s in (100000, 1 << 30)], "tcp_paws"),
    "no timestamp": (lambda v: [(v.segment(options=[]), b"BYE sip:x")], "tcp_no_timestamp"),
    "all combinations of flags": (all_flags, None),
    "a Christmas tree": (lambda v: [(v.segment(seq=s, flags=f, urgptr=7), b"BYE") for s in (1, 500) for f in ("FSRPAUEC", "FSPAUEC", "FPU")], "tcp_challenges"),
    "no flag at all": (lambda v: [(v.segment(flags=0), b"BYE sip:x")], None),
    "urgent": (lambda v: [v.segment(flags="UA", urgptr=p) for p in (0, 1, 65535)], None),
    "a FIN far away": (lambda v: [v.segment(seq=s, flags="FA") for s in (FAR, -FAR)], "tcp_duplicates"),
    "a window of nothing": (lambda v: [v.segment(window=0)], None),
    "options of impossible lengths": (bad_options(b"\x08\x00\x01\x01", b"\x08\x01\x01\x01", b"\x05\xff\x01\x01", b"\x03\x03\x03\x08"), "tcp_no_timestamp"),
    "a header longer than the segment": (lambda v: [header(v, n) for n in (6, 15)], "tcp_bad_header"),
    "a header shorter than any": (lambda v: [header(v, n) for n in (0, 1, 4)], "tcp_bad_header"),
    "selective acknowledgements of nonsense": (
        lambda v: [v.segment(options=[("Timestamp", (v.stamp, v.echo)), ("SAck", tuple((v.ack + edge) % (1 << 32) for edge in edges))])
                   for edges in ((0, 100), (1000, 500), (-FAR, FAR), (-50, FAR, 5, 5), (10, 20, 15, 25))], None),
    "wrong checksums": (lambda v: [(v.segment(chksum=0x1234), b"BYE sip:x"), v.segment(flags="R", chksum=1)], "tcp_bad_checksum"),
}


@pytest.fixture(scope="module")
def calls(lab, servers):
    """Runs beside the tests of this file."""
    caller = Caller(lab, NUMBER, CALLS, "hostile", CONNECTIONS, rate=RATE, calls=True)
    yield caller
    told = caller.wait(60)
    assert (told["done"], told["twice"], told["damaged"], told["refused"], told["strange"], told["ended"]) == (CALLS, 0, 0, 0, 0, 0), told


@pytest.mark.parametrize("what", ATTACKS)
def test_the_victim_goes_on(lab, calls, attacker, victim, what):
    make, counter = ATTACKS[what]
    before = strike(lab, attacker, victim, make(victim))
    victim.ask()
    victim.ask()
    if counter:
        assert lab.counters()[counter] > before[counter]


def test_the_very_number_ends_it(lab, calls, attacker, victim):
    """So the other ones did arrive; and a connection that was ended is begun anew."""
    resets = lab.counters()["tcp_resets_in"]
    strike(lab, attacker, victim, [victim.segment(flags="R")])
    assert lab.counters()["tcp_resets_in"] == resets + 1
    victim.socket.close()
    victim.connect()


def test_other_content_for_what_is_still_to_come(lab, calls, attacker, victim):
    """Pieces of another's making lie behind a hole; the victim's own bytes come over them. Which are right nobody can tell: the victim may get a
    refusal, or lose its connection, and nobody else notices."""
    text = victim.request() + victim.request()
    middle = len(text) // 2
    strike(lab, attacker, victim, [(victim.segment(seq=n), b"x" * 40) for n in range(middle, len(text) - 40, 17)])
    victim.socket.sendall(text)
    answer = victim.answer()
    assert answer is None or answer.startswith((b"SIP/2.0 200 ", b"SIP/2.0 400 "))
    victim.socket.close()
    victim.connect()


OPTIONS = {
    "none": [],
    "MSS 0": [("MSS", 0)],
    "MSS 1": [("MSS", 1)],
    "MSS 65535": [("MSS", 65535)],
    "a scale of 255": [("MSS", 1460), ("WScale", 255)],
    "all of them twice": [("MSS", 1460), ("MSS", 0), ("WScale", 3), ("WScale", 14), ("SAckOK", b""), ("SAckOK", b"")],
    "SACK blocks": [("SAck", (1, 2, 3, 4))],
    "unknown ones": [(253, b"\xf9\x89"), (77, b"abcdef")],
    "Fast Open's": [("TFO", (0x12345678, 0x9abcdef0))],
    "an end in the middle": [("EOL", None), ("MSS", 0)],
}


@pytest.fixture(scope="module")
def handmade_wire(lab):
    Handmade.quiet(lab)
    return Wire(lab, "caller")


def ask_by_hand(peer):
    return peer.ask(f"OPTIONS sip:{STROWGER[4]} SIP/2.0\r\nVia: SIP/2.0/TCP {peer.address}:{peer.port};branch=z9hG4bK-h{peer.port}\r\n"
                    f"From: <sip:a@hand>;tag=1\r\nTo: <sip:b@{STROWGER[4]}>\r\nCall-ID: hand-{peer.port}\r\nCSeq: 1 OPTIONS\r\n"
                    "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n".encode())


@pytest.mark.parametrize("what", OPTIONS)
def test_odd_options_of_a_syn(lab, calls, handmade_wire, what):
    peer = Handmade(lab, handmade_wire)
    assert peer.open(OPTIONS[what]), "no SYN-ACK"
    assert ask_by_hand(peer), peer.got
    peer.send("RA")


def test_data_with_the_syn(lab, calls, handmade_wire):
    """It need not be taken; it comes again where it was not acknowledged."""
    peer = Handmade(lab, handmade_wire)
    assert peer.open([("MSS", 1460)], b"OPTIONS", urgptr=3)
    assert ask_by_hand(peer), peer.got
    peer.send("RA")


@pytest.mark.parametrize("flags", ["SF", "SR", "SFRPAUEC", "F", "A", "FA", "PA", 0])
def test_what_opens_nothing(lab, calls, handmade_wire, flags):
    before = lab.counters()
    peer = Handmade(lab, handmade_wire)
    peer.send(flags, b"x" if flags != "SR" else b"", window=1000)
    assert wait_for(lambda: lab.counters()["tcp_segments_in"] > before["tcp_segments_in"], 5)
    assert not peer.hear(lambda got: got & 0x12 == 0x12, 0.05)


# --- the flood

def syn_frames(attacker, count):
    """SYNs of as many hosts; scapy makes the first, the others differ in two bytes of the address and the checksums that follow."""
    frame = bytearray(attacker.frame(f"{FLOOD}.0.0", STROWGER[4], TCP(sport=1024, dport=5060, seq=1, flags="S", window=60000,
                                                                     options=[("MSS", 1460), ("Timestamp", (1, 0)), ("WScale", 7)])))
    assert IP(bytes(frame[14:])).src == f"{FLOOD}.0.0"
    ip_sum, tcp_sum = int.from_bytes(frame[24:26], "big"), int.from_bytes(frame[50:52], "big")
    for n in range(count):
        frame[28:30] = n.to_bytes(2, "big")
        for at, value in ((24, ip_sum), (50, tcp_sum)):
            value = ~value & 0xffff
            value += n
            frame[at:at + 2] = (~((value & 0xffff) + (value >> 16)) & 0xffff).to_bytes(2, "big")
        yield bytes(frame)


def test_flood_of_syns(lab, servers, calls, attacker):
    """Half of the connections stand before it begins; the others are opened in it, by cookies."""
    lab.network.run("strowger", ["ip", "route", "add", f"{FLOOD}.0.0/16", "via", lab.address("stranger"), "dev", "sip0"])
    frames = list(syn_frames(attacker, 20000))
    before = lab.counters()
    half = FLOOD_CONNECTIONS // 2
    callers = [Caller(lab, NUMBER, FLOOD_CALLS // 2, "hostile", half, name="streams-before", first=CALLS, rate=FLOOD_RATE // 2, calls=True)]
    assert wait_for(lambda: lab.counters()["tcp_accepted"] - before["tcp_accepted"] >= half, 10)
    at = 0

    def flood(until):
        nonlocal at
        while not until():
            attacker.send(*frames[at:at + 200])
            at = (at + 200) % len(frames)
            time.sleep(0.01)

    flood(lambda: lab.counters()["tcp_cookies_sent"] > before["tcp_cookies_sent"] + 100)
    callers.append(Caller(lab, NUMBER, FLOOD_CALLS // 2, "hostile", half, name="streams-within", first=CALLS + FLOOD_CALLS // 2, rate=FLOOD_RATE // 2,
                          calls=True))
    flood(lambda: all(caller.child.poll() is not None for caller in callers))
    for caller in callers:
        told = caller.wait(30)
        assert (told["done"], told["twice"], told["damaged"], told["refused"], told["strange"], told["ended"]) == \
            (FLOOD_CALLS // 2, 0, 0, 0, 0, 0), told
    after = lab.counters()
    sent, good = (after[name] - before[name] for name in ("tcp_cookies_sent", "tcp_cookies_good"))
    assert sent > 1000, "the table of half-open connections was never full"
    assert good >= half / 2, "connections were opened by cookies"
