# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- frames with tag 77, made by hand ---- port0 [ Strowger ] sip0 ---- kernel
#   10.78.0.10                                        10.78.0.1, fd78::1
#
# A port that belongs to a VLAN: frames come and go with its tag, for the kernel's part too; others are not ours.

import socket

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import Dot1Q, Ether

from agent import Agent
from capture import Capture, frames, udp_datagrams

VLAN = 77
OURS, CALLER = "10.78.0.1", "10.78.0.10"


def moved(value):
    """The same configuration in 10.78.0.0/24 and fd78::/64."""
    if isinstance(value, dict):
        return {key: moved(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [moved(inner) for inner in value]
    return value.replace("10.77.", "10.78.").replace("fd77::", "fd78::") if isinstance(value, str) else value


def configure(config):
    config.update(moved({key: config[key] for key in ("ports", "listeners", "trunks")}))
    config["ports"][0]["vlan"] = VLAN


def mac(lab, node, interface):
    words = lab.network.run(node, ["ip", "-o", "link", "show", interface]).split()
    return words[words.index("link/ether") + 1]


@pytest.fixture(scope="module")
def wire(lab):
    """Sends one frame from the caller's end of the cable."""
    ours, theirs = mac(lab, "strowger", "port0"), mac(lab, "caller", "eth0")
    lab.network.run("strowger", ["ip", "neigh", "replace", CALLER, "lladdr", theirs, "dev", "sip0"])
    raw = lab.network.socket("caller", socket.AF_PACKET, socket.SOCK_RAW)
    raw.bind(("eth0", 0))

    def send(packet, tag):
        ether = Ether(src=theirs, dst=ours)
        raw.send(bytes(ether / Dot1Q(vlan=tag) / packet if tag else ether / packet))

    yield send
    raw.close()


def options(lab, call_id):
    with Agent(lab, "caller", port=5098) as words:
        text = words.request("OPTIONS", f"sip:{OURS}", via=f"Via: SIP/2.0/UDP {CALLER}:5060;branch=z9hG4bK{call_id}",
                             call_id=call_id)
    return IP(src=CALLER, dst=OURS) / UDP(sport=5060, dport=5060) / text.encode()


def answers_of(lab, wire, tag, call_id):
    before = lab.counters()["sip_requests"]
    with Capture(lab, rule="") as capture:
        wire(options(lab, call_id), tag)
        lab.wait_counter("sip_requests", before + 1, 0.5)
    tags = [int.from_bytes(frame[14:16], "big") & 0xFFF for _, frame in frames(capture.path)
            if frame[12:14] == b"\x81\x00" and b"SIP/2.0 " in frame and call_id.encode() in frame]
    return [found for found in udp_datagrams(capture.path) if found[3].startswith(b"SIP/2.0 ")], tags


def test_sip(lab, wire):
    answers, tags = answers_of(lab, wire, VLAN, "tagged")
    assert len(answers) == 1 and answers[0][1:3] == ((OURS, 5060), (CALLER, 5060))
    assert VLAN in tags


@pytest.mark.parametrize("tag", [None, 78])
def test_other_networks_are_not_ours(lab, wire, tag):
    answers, _ = answers_of(lab, wire, tag, f"other-{tag}")
    assert not answers


def test_ping(lab, wire):
    with Capture(lab, rule="") as capture:
        wire(IP(src=CALLER, dst=OURS) / ICMP(id=1, seq=1) / b"hello", VLAN)
    replies = [frame for _, frame in frames(capture.path) if frame[12:16] == b"\x81\x00\x00\x4d" and frame[27] == 1
               and frame[38] == 0]
    assert len(replies) == 1
