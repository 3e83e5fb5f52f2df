# SPDX-License-Identifier: Apache-2.0
#
#                          Strowger ----+---- TLS ---- stunnel ---- SIPp    target1: where the trunks "carrier" and "strict" are, DNS says
#                                     +---- stranger: Knot, carrier.test
#
# A trunk that names a host is reached by TLS where NAPTR, SRV or the operator say so, and must show a certificate for the name that was configured, never for the
# one that DNS led to (RFC 5922).

import os
import shutil

import pytest

from certificates import Authority
from lab import STROWGER, add_profile
from nameserver import NameServer
from processes import wait_for
from sipp import Sipp
from stunnel import Stunnel

NUMBER = "+442035550900"
NAME = "carrier.test"
TLS_FIRST = ('@ 1 NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp', '@ 1 NAPTR 20 10 "s" "SIP+D2U" "" _sip._udp')
TLS_ONLY = ("_sips._tcp 1 SRV 10 1 5061 t1", "t1 1 A 10.77.0.21")
BOTH = (*TLS_ONLY, "_sip._udp 1 SRV 10 1 5060 t2", "t2 1 A 10.77.0.22")
AUTHORITIES = []


def configure(config):
    ca = Authority(os.path.dirname(config["control"]["socket"]) + "-certificates")
    AUTHORITIES.append(ca)
    ca.issue("sip.edge.test", directory=os.path.join(ca.directory, "certs"))
    config["listeners"] += [{"address": STROWGER[4], "transport": "tls"}]
    config["tls"] = {"certificates": os.path.join(ca.directory, "certs"), "ca": ca.path}
    config["resolver"] = {"servers": ["10.77.0.66"], "timeout_ms": 300, "tries": 1, "min_ttl_s": 1}
    config["trunks"] += [{"name": "carrier", "endpoints": [{"host": NAME}]}, {"name": "strict", "endpoints": [{"host": NAME, "transport": "tls"}]}]
    for trunk in config["trunks"][-2:]:
        trunk["probe"] = {"enabled": True, "interval_ms": 200, "timeout_ms": 1500, "down_after": 1}
    add_profile(config, "byname", NUMBER, targets=("carrier",))
    add_profile(config, "bytls", NUMBER + "1", targets=("strict",))


@pytest.fixture(scope="module")
def server(lab):
    with NameServer(lab, "stranger") as server:
        yield server
    shutil.rmtree(AUTHORITIES[-1].directory, ignore_errors=True)


@pytest.fixture
def peer(lab, request):
    """target1 with a certificate for the names that the test gives."""
    chain = AUTHORITIES[-1].issue(*getattr(request, "param", (NAME,)), name="peer")
    sipp = Sipp(lab, "target1", "uas_probed", transport="tcp")
    stunnel = Stunnel(lab, "target1", accept="10.77.0.21:5061", connect="10.77.0.21:5060", cert=chain)
    yield stunnel
    stunnel.stop()
    sipp.stop()


def endpoints(lab, target="byname/carrier"):
    return lab.targets()[target]["endpoints"]


def places(lab, target="byname/carrier"):
    return [(e["transport"], e["address"]) for e in endpoints(lab, target)]


@pytest.mark.parametrize("records, expected", [
    ((*TLS_FIRST, *BOTH), [("tls", "10.77.0.21:5061")]), (TLS_ONLY, [("tls", "10.77.0.21:5061")]), (BOTH, [("udp", "10.77.0.22:5060")]),
], ids=["NAPTR prefers TLS", "SRV of TLS alone", "no NAPTR: UDP first"])
def test_dns_says_the_transport(lab, server, records, expected):
    server.put(*records)
    lab.ctl("resolve", NAME, "--now")
    assert wait_for(lambda: places(lab) == expected, 8), places(lab)
    assert wait_for(lambda: places(lab, "bytls/strict") == [("tls", "10.77.0.21:5061")], 8)  # whatever NAPTR prefers


def test_what_says_tls_takes_nothing_else(lab, server):
    server.put("_sip._udp 1 SRV 10 1 5060 t2", "t2 1 A 10.77.0.22", "_sips._tcp 1 SRV 0 0 0 .")
    lab.ctl("resolve", NAME, "--now")
    assert wait_for(lambda: places(lab, "bytls/strict") == [], 8)
    assert "not offered" in next(n for n in lab.ctl("resolve", NAME) if n.get("transport") == "tls")["why"]
    server.put("t1 1 A 10.77.0.21", "@ 1 A 10.77.0.21")  # no SRV: its own port
    lab.ctl("resolve", NAME, "--now")
    assert wait_for(lambda: places(lab, "bytls/strict") == [("tls", "10.77.0.21:5061")], 8)


@pytest.mark.parametrize("peer, good", [
    ((f"sip:{NAME}", "else.test"), True), ((f"t1.{NAME}",), False), ((f"*.{NAME}", "*.test"), False), (("10.77.0.21",), False),
], indirect=["peer"], ids=["a URI of the domain", "where SRV led to", "wildcards", "the address"])
def test_the_certificate_is_for_the_configured_name(lab, server, peer, good):
    server.put(*TLS_FIRST, *BOTH)
    lab.ctl("resolve", NAME, "--now")

    def as_it_should():
        states = [(e["health"], e["reason"] or "") for e in endpoints(lab)]
        return len(states) == 1 and (states[0][0] == "up" if good else states[0][0] == "down" and f"not {NAME}" in states[0][1])
    assert wait_for(as_it_should, 10), endpoints(lab)
