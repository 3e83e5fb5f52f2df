# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- strowgerd ---- stranger (a router: 1,280 bytes and no more, from there on) ---- target3, as 198.18.0.5 and 198.18.1.5
#
# Large SIP messages over TCP on a path that takes less than the link: with the router's word for it (RFC 1191), and where that is kept back (a black
# hole, RFC 4821).

import pytest

from lab import add_profile, over_tcp
from link import Caller, Server

TOLD, UNTOLD = "198.18.0.5", "198.18.1.5"
NUMBERS = {TOLD: "+442035550171", UNTOLD: "+442035550172"}
MESSAGES = 64  # a few of them are longer than a segment


def configure(config):
    for name, address in (("told", TOLD), ("untold", UNTOLD)):
        config["trunks"].append({"name": name, "endpoints": [{"address": address, "port": 5060}], "sources": [f"{address}/32"]})
        add_profile(config, name, NUMBERS[address], targets=[name], response_timeout_ms=0)
    over_tcp(config)


@pytest.fixture(scope="module")
def path(lab):
    run, router = lab.network.run, lab.address("stranger")
    for address in (TOLD, UNTOLD):
        run("target3", ["ip", "addr", "add", f"{address}/32", "dev", "lo"])
        run("stranger", ["ip", "route", "add", f"{address}/32", "via", lab.address("target3"), "mtu", "lock", "1280"])
        run("strowger", ["ip", "route", "add", f"{address}/32", "via", router, "dev", "sip0"])
    run("stranger", ["sysctl", "-q", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.eth0.send_redirects=0",
                     "net.ipv4.icmp_ratelimit=0"])
    # The second target's too-big errors are kept back: what they quote begins behind their own header of 8 bytes, its destination 16 bytes further on.
    untold = int.from_bytes(bytes(map(int, UNTOLD.split("."))), "big")
    lab.network.nft("stranger", f"table ip hole {{ chain out {{ type filter hook output priority 0;\n"
                                f"icmp type destination-unreachable icmp code 4 @th,192,32 {untold:#x} drop;\n}}\n}}\n")


@pytest.mark.parametrize("address, counter, other", [(TOLD, "tcp_path_mtu_lowered", "tcp_black_holes"), (UNTOLD, "tcp_black_holes", "tcp_path_mtu_lowered")])
def test_large_messages_on_a_narrow_path(lab, path, address, counter, other):
    before = lab.counters()
    server = Server(lab, "target3", MESSAGES, "path", at=address)
    told = Caller(lab, NUMBERS[address], MESSAGES, "path").wait(40)
    assert (told["done"], told["refused"], told["twice"], told["damaged"]) == (MESSAGES, 0, 0, 0), told
    assert server.stop()["done"] == MESSAGES
    after = lab.counters()
    assert after[counter] > before[counter] and after[other] == before[other]
