# SPDX-License-Identifier: Apache-2.0
"""TLS in a lab: Strowger with a certificate of a CA that the test makes, and SIPp, which speaks no TLS of its own, behind stunnel.

    caller: SIPp --TCP--> stunnel (10.77.0.10:5070) ==TLS==> Strowger :5061 ==TLS==> stunnel (10.77.0.21:5061) --TCP--> SIPp (:5060)
"""

import os
import signal
from contextlib import contextmanager

from capture import Capture
from certificates import Authority
from lab import STROWGER, TARGETS
from sipp import Sipp
from stunnel import Stunnel

NAME = "sip.lab.example"  # of Strowger's certificate
PORT = 5061
TUNNEL = 5070  # where a caller's stunnel takes TCP


def target_name(node):
    return f"{node}.lab.example"


def prepare(config, folder):
    """A TLS listener beside each UDP one, with a certificate of a CA of the lab's own; targets' certificates are to be for TARGET.lab.example. Returns the CA."""
    authority = Authority(os.path.join(folder, "ca"))
    authority.issue(NAME, directory=os.path.join(folder, "certificates"))
    config["listeners"] += [{**listener, "port": PORT, "transport": "tls"} for listener in config["listeners"] if listener["transport"] == "udp"]
    config["tls"] = {"certificates": os.path.join(folder, "certificates"), "default": NAME, "ca": authority.path}
    for node in TARGETS:
        authority.issue(target_name(node))
    return authority


def over_tls(config, names=TARGETS):
    """The targets are reached by TLS."""
    for trunk in config["trunks"]:
        node = trunk["name"].removesuffix("-ipv6")
        if node in names:
            trunk["tls"] = {"name": target_name(node)}
            for endpoint in trunk["endpoints"]:
                endpoint.update(transport="tls", port=PORT)
    return config


@contextmanager
def caller_tunnel(lab, authority, node="caller", options=()):
    """What a node sends to its own port 5070 in plain leaves for Strowger by TLS; Strowger's certificate must be right."""
    stunnel = Stunnel(lab, node, f"{lab.address(node)}:{TUNNEL}", f"{STROWGER[4]}:{PORT}", client=True,
                      options=[f"sni = {NAME}", "verifyChain = yes", f"checkHost = {NAME}", f"CAfile = {authority.path}", *options])
    try:
        yield stunnel
    finally:
        stunnel.stop()


def target_tunnel(lab, authority, node, certificate=None, options=()):
    """TLS to a node's port 5061 goes on to its port 5060 in plain. certificate: NAME of one that the CA has issued."""
    stem = os.path.join(authority.directory, certificate or target_name(node))
    address = lab.address(node)
    return Stunnel(lab, node, f"{address}:{PORT}", f"{address}:5060", cert=(stem + ".crt", stem + ".key"), options=options)


class Target:
    """SIPp behind stunnel."""

    def __init__(self, lab, authority, node, scenario, certificate=None, **how):
        self.sipp = Sipp(lab, node, scenario, transport="tls", **how)
        try:
            self.tunnel = target_tunnel(lab, authority, node, certificate)
        except RuntimeError:
            self.sipp.stop()
            raise

    def __getattr__(self, name):
        return getattr(self.sipp, name)

    def kill(self):
        """As a crash would end both."""
        self.lab.processes.stop(self.tunnel.name, signal.SIGKILL)
        self.sipp.kill()

    def stop(self):
        self.tunnel.stop()
        return self.sipp.stop()


class PlainCapture:
    """What a capture on the switch would have seen if nothing were encrypted: SIPp and stunnel speak in plain inside each node."""

    def __init__(self, lab):
        self.lab = lab
        self.ports = {"caller": TUNNEL, **dict.fromkeys(TARGETS, 5060)}
        for node in self.ports:  # a frame is to fit what the capture keeps of it
            lab.network.run(node, ["ip", "link", "set", "lo", "mtu", "1500"])
            lab.network.run(node, ["ethtool", "-K", "lo", "tso", "off", "gso", "off", "gro", "off"])
        self.captures = {node: Capture(lab, node, "lo", rule=f"tcp port {port}") for node, port in self.ports.items()}

    def _as_on_the_wire(self, node, message):
        """stunnel's end of it is Strowger's."""
        stunnel_listens = node == "caller"
        to_listener = message.destination[1] == self.ports[node]
        if to_listener == stunnel_listens:
            message.destination = (STROWGER[4], message.destination[1])
        else:
            message.source = (STROWGER[4], message.source[1])
        return message

    def messages(self):
        found = [self._as_on_the_wire(node, message) for node, capture in self.captures.items() for message in capture.messages()]
        return sorted(found, key=lambda message: message.when)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for capture in self.captures.values():
            if self.lab.processes.pid(capture.name):
                capture.stop()
