# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- UDP ---- Strowger ----+---- target1 by TCP, target2 by UDP     where calls to "carrier" go, DNS says
#                                     +---- stranger: Knot, carrier.test
#
# A trunk that names a host is reached by the transport that NAPTR and SRV say (RFC 3263 section 4.1), from one call to the next.

import pytest

from lab import STROWGER, add_profile
from nameserver import NameServer
from processes import wait_for
from sipp import Sipp

NUMBER = "+442035550900"
NAME = "carrier.test"
BY_TCP = ('@ 1 NAPTR 10 10 "s" "SIP+D2T" "" _sip._tcp', '@ 1 NAPTR 20 10 "s" "SIP+D2U" "" _sip._udp')
BY_UDP = ('@ 1 NAPTR 10 10 "s" "SIP+D2U" "" _sip._udp', '@ 1 NAPTR 20 10 "s" "SIP+D2T" "" _sip._tcp')
RECORDS = ("_sip._tcp 1 SRV 10 1 5060 t1", "_sip._udp 1 SRV 10 1 5060 t2", "t1 1 A 10.77.0.21", "t2 1 A 10.77.0.22")


def configure(config):
    config["listeners"] += [{**listener, "transport": "tcp"} for listener in config["listeners"]]
    config["resolver"] = {"servers": ["10.77.0.66"], "timeout_ms": 300, "tries": 1, "min_ttl_s": 1}
    config["trunks"].append({"name": "carrier", "endpoints": [{"host": NAME}]})
    add_profile(config, "byname", NUMBER, targets=("carrier",))


@pytest.fixture(scope="module")
def server(lab):
    with NameServer(lab, "stranger") as server:
        yield server


def places(lab):
    return [(e["transport"], e["address"]) for e in lab.targets()["byname/carrier"]["endpoints"]]


@pytest.mark.parametrize("records, transport, target, address", [
    (BY_TCP, "tcp", "target1", "10.77.0.21:5060"),
    (BY_UDP, "udp", "target2", "10.77.0.22:5060"),
    ((), "udp", "target2", "10.77.0.22:5060"),
], ids=["NAPTR prefers TCP", "NAPTR prefers UDP", "no NAPTR: UDP first"])
def test_the_name_says_the_transport(lab, server, records, transport, target, address):
    server.put(*records, *RECORDS)
    lab.ctl("resolve", NAME, "--now")
    assert wait_for(lambda: places(lab) == [(transport, address)], 8), places(lab)
    lab.wait_usable()
    peer = Sipp(lab, target, "uas", transport=transport)
    try:
        caller = Sipp(lab, "caller", "uac", remote=STROWGER[4], calls=20, rate=50, seconds=30, options=["-s", NUMBER])
        status = caller.wait(35)
        assert caller.failed == 0 and status == 0, caller.errors()[:2000]
    finally:
        peer.stop()


def test_tcp_alone_needs_no_naptr(lab, server):
    server.put(*RECORDS[:1], *RECORDS[2:])
    lab.ctl("resolve", NAME, "--now")
    assert wait_for(lambda: places(lab) == [("tcp", "10.77.0.21:5060")], 8), places(lab)
