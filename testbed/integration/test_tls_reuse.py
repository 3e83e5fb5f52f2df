# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- UDP ---- strowgerd, two workers ---- TLS, by the connection that target2 opened ---- target2
#
# RFC 5923 by TLS: who opens a connection and says ";alias" is met by it if it has shown the certificate that it would have to show there.

import socket
import ssl

import pytest

import tls
from conftest import laboratory
from lab import STROWGER, add_profile
from test_streams import ok, request

NUMBER = "+442035550178"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("tls"))
    made = []

    def change(config):
        made.append(tls.prepare(config, folder))
        config["tls"].update(client_certificates="requested", client_ca=made[0].path)
        tls.over_tls(config)
        for trunk in config["trunks"]:
            trunk["connection_reuse"] = trunk["name"] == "target2"
        add_profile(config, "reused", NUMBER, targets=["target2"])

    with laboratory("af_packet", 2, change) as lab:
        lab.authority = made[0]
        yield lab


class Connection:
    """One that a node has opened, on which it said that it listens at 5061. It does not. shown: the name of its certificate."""

    def __init__(self, lab, number, shown, node="target2", alias=";alias"):
        context = ssl.create_default_context(cafile=lab.authority.path)
        if shown:
            context.load_cert_chain(*lab.authority.issue(shown))
        plain = lab.network.socket(node, socket.AF_INET, socket.SOCK_STREAM)
        plain.settimeout(5)
        plain.connect((STROWGER[4], tls.PORT))
        self.socket = context.wrap_socket(plain, server_hostname=tls.NAME)
        hello = request(branch=f"z9hG4bK-hello-{number}", call_id=f"hello-{number}").replace(b"SIP/2.0/TCP", b"SIP/2.0/TLS")
        self.socket.sendall(hello.replace(b"10.77.0.10:5099", f"{lab.address(node)}:{tls.PORT}{alias}".encode()))
        assert self.socket.recv(4096).startswith(b"SIP/2.0 200 ")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


@pytest.fixture(scope="module")
def caller(lab):
    with lab.network.socket("caller", socket.AF_INET, socket.SOCK_DGRAM) as caller:
        caller.bind((lab.address("caller"), 5099))
        caller.settimeout(5)
        caller.connect((STROWGER[4], 5060))
        yield caller


def send(caller, number):
    """A message for target2."""
    caller.send(request("MESSAGE", branch=f"z9hG4bK-reused-{number}", call_id=f"reused-{number}").replace(b"SIP/2.0/TCP", b"SIP/2.0/UDP")
                .replace(f"sip:{STROWGER[4]} SIP".encode(), f"sip:{NUMBER}@{STROWGER[4]} SIP".encode()))


def answer(caller):
    return caller.recv(4096).decode().split(" ")[1]


def test_who_has_shown_the_certificate_is_met_there(lab, caller):
    for number in range(6):  # from port to port the worker that has the connection differs
        with Connection(lab, number, tls.target_name("target2")) as connection:
            send(caller, number)
            got = connection.socket.recv(4096).decode()
            assert got.startswith("MESSAGE ") and ";alias\r\n" in got.split("Via: ")[1], "ours says so too"
            connection.socket.sendall(ok(got))
            assert answer(caller) == "200"
        send(caller, f"{number}-gone")
        assert answer(caller) == "500", "it has gone, and nobody listens"


@pytest.mark.parametrize("shown, node, alias", [(None, "target2", ";alias"), (tls.target_name("target1"), "target2", ";alias"), (tls.target_name("target2"), "target2", ""),
                                                (tls.target_name("target1"), "target1", ";alias")],
                         ids=["no certificate", "another's certificate", "not said", "a trunk that is not met so"])
def test_nobody_else_is(lab, caller, shown, node, alias):
    before = lab.counters()["stream_aliases"]
    with Connection(lab, f"{shown}{node}{bool(alias)}", shown, node, alias):
        assert lab.counters()["stream_aliases"] == before
        send(caller, f"{shown}{node}{bool(alias)}")
        assert answer(caller) == "500"
