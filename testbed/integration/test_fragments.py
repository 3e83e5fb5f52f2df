# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- Strowger (AF_XDP, MTU 1500) ---- target1
#   sends an INVITE of 4.5 kB in fragments; it arrives whole, in fragments of Strowger's making
#
# The same over AF_PACKET, whose kernel side puts IPv4 fragments together first: with 8 kB frames they come whole.

import socket
import struct

import pytest

from conftest import laboratory
from lab import NUMBER, NUMBER_IPV6
from trial import Trial

BIG_FRAMES = "net_af_packet0,iface=port0,qpairs=1,framesz=8192,blocksz=8192,framecnt=256"


def big_frames(config):
    port = config["ports"][0]
    del port["driver"], port["interface"]
    port["device"] = BIG_FRAMES


@pytest.fixture(scope="module", params=["af_xdp", "af_packet"])
def lab(request):
    with laboratory(request.param, change=big_frames if request.param == "af_packet" else lambda config: None) as lab:
        lab.driver = request.param
        yield lab


@pytest.mark.parametrize("family,number", [(4, NUMBER), (6, NUMBER_IPV6)])
def test_large_invite(lab, family, number):
    before = lab.counters()
    with Trial(lab, family, target1="uas") as trial:
        trial.call(20, rate=100, number=number, scenario="uac_large")
    after = lab.counters()
    sent, arrived = trial.to("strowger", "INVITE"), trial.to("target1", "INVITE")
    assert len(sent) == len(arrived) == 20
    assert all(len(message.payload) > 4096 for message in sent)
    for one, other in zip(sent, arrived):
        assert one.payload.split(b"\r\n\r\n", 1)[1] == other.payload.split(b"\r\n\r\n", 1)[1]
    assert after["fragmented_out"] - before["fragmented_out"] >= 20
    if lab.driver == "af_xdp" or family == 6:
        assert after["reassembled"] - before["reassembled"] == 20


@pytest.mark.parametrize("family,number", [(4, NUMBER), (6, NUMBER_IPV6)])
def test_small_calls_beside(lab, family, number):
    with Trial(lab, family, target1="uas") as trial:
        trial.call(50, rate=200, number=number)
    assert trial.ledger.retransmissions == 0


def test_fragments_that_never_end(lab):
    """First fragments without their rest, more than the table holds: calls go on."""
    sender = lab.network.socket("caller", socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    payload = struct.pack("!HHHH", 5060, 5060, 4000, 0) + b"INVITE " + b"x" * 1001
    for ident in range(3000):
        header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), ident, 0x2000, 64, 17, 0,
                             socket.inet_aton("10.77.0.10"), socket.inet_aton("10.77.0.1"))
        sender.sendto(header + payload, ("10.77.0.1", 0))
    sender.close()
    with Trial(lab, target1="uas") as trial:
        trial.call(20, rate=100)
    assert trial.ledger.first_choices() == ["target1"] * 20
