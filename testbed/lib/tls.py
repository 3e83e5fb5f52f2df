# SPDX-License-Identifier: Apache-2.0
"""TLS inside a lab: certificates made as a test runs, and stunnel in front of what does not speak TLS itself (Debian's SIPp).

    caller: SIPp --TCP--> stunnel (10.77.0.10:5070) ==TLS==> Strowger :5061 ==TLS==> stunnel (10.77.0.21:5061) --TCP--> SIPp (:5060)
"""

import datetime
import ipaddress
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from capture import Capture
from lab import STROWGER, TARGETS
from processes import wait_for
from sipp import Sipp

NAME = "sip.lab.example"  # of Strowger's certificate
PORT = 5061
TUNNEL = 5070  # where a caller's stunnel takes TCP


def target_name(node):
    return f"{node}.lab.example"


class Authority:
    """A CA of a lab's own, and what it issues: PEM files in one folder."""

    def __init__(self, folder, name="Lab CA"):
        os.makedirs(folder, exist_ok=True)
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.path = os.path.join(folder, "ca.pem")
        builder = self._builder(self.name, self.key.public_key(), -1, 3650)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self._write(self.path, builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def _builder(self, subject, public_key, from_days, days):
        now = datetime.datetime.utcnow()
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(public_key)
                .serial_number(x509.random_serial_number()).not_valid_before(now + datetime.timedelta(days=from_days, minutes=-5))
                .not_valid_after(now + datetime.timedelta(days=days)))

    @staticmethod
    def _write(path, data):
        """Whole or not at all: somebody may be watching."""
        with open(path + ".new", "wb") as file:
            file.write(data)
        os.chmod(path + ".new", 0o600)
        os.replace(path + ".new", path)

    def issue(self, name, names=None, days=30, from_days=0, folder=None, kind="ec"):
        """NAME.crt and NAME.key for DNS names and addresses; returns both paths."""
        key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key.public_key(), from_days, days)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.SubjectAlternativeName([self._general(text) for text in names or [name]]), critical=False)
        stem = os.path.join(folder or self.folder, name)
        os.makedirs(os.path.dirname(stem), exist_ok=True)
        self._write(stem + ".key", key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        self._write(stem + ".crt", builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return stem + ".crt", stem + ".key"

    @staticmethod
    def _general(text):
        try:
            return x509.IPAddress(ipaddress.ip_address(text))
        except ValueError:
            return x509.UniformResourceIdentifier(text) if text.startswith("sip:") else x509.DNSName(text)


def prepare(config, folder):
    """A TLS listener beside each UDP one, with a certificate of a CA of the lab's own; targets' certificates are to be for TARGET.lab.example. Returns the CA."""
    authority = Authority(os.path.join(folder, "ca"))
    authority.issue(NAME, folder=os.path.join(folder, "certificates"))
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


class Stunnel:
    """One stunnel in a node, until it is stopped."""

    def __init__(self, lab, node, lines, listens, name=None):
        self.lab, self.name = lab, name or f"stunnel-{node}"
        stem = os.path.join(lab.directory, self.name)
        with open(stem + ".conf", "w", encoding="utf-8") as file:
            file.write(f"foreground = yes\npid =\ndebug = 5\nsocket = l:TCP_NODELAY=1\nsocket = r:TCP_NODELAY=1\n[sip]\n{lines}")
        with open(stem + ".log", "w", encoding="utf-8") as log:
            self.child = lab.processes.start(self.name, lab.network.argv(node, ["stunnel4", stem + ".conf"]), stdout=log, stderr=log, cwd=lab.directory)
        self.log = stem + ".log"
        if not wait_for(lambda: self._bound(listens), 10):
            raise RuntimeError(f"{self.name} does not listen: see {self.log}")

    def _bound(self, port):
        try:
            with open(f"/proc/{self.child.pid}/net/tcp", encoding="ascii") as file:
                return any(f":{port:04X} 00000000:0000 0A" in line for line in file)
        except (FileNotFoundError, ProcessLookupError):
            return False

    def stop(self):
        self.lab.processes.stop(self.name)

    kill = stop

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def caller_tunnel(lab, authority, node="caller", more=""):
    """What a node sends to its own port 5070 in plain leaves for Strowger by TLS; Strowger's certificate must be right."""
    address = lab.address(node)
    return Stunnel(lab, node, f"client = yes\naccept = {address}:{TUNNEL}\nconnect = {STROWGER[4]}:{PORT}\nsni = {NAME}\n"
                              f"verifyChain = yes\ncheckHost = {NAME}\nCAfile = {authority.path}\n{more}", TUNNEL)


def target_tunnel(lab, authority, node, certificate=None, more=""):
    """TLS to a node's port 5061 goes on to its port 5060 in plain. certificate: NAME of one that the CA has issued."""
    stem = os.path.join(authority.folder, certificate or target_name(node))
    address = lab.address(node)
    return Stunnel(lab, node, f"accept = {address}:{PORT}\nconnect = {address}:5060\ncert = {stem}.crt\nkey = {stem}.key\n{more}", PORT)


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
        self.tunnel.kill()
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
