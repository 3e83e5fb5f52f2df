# SPDX-License-Identifier: Apache-2.0
"""Knot DNS in a node of the lab: an authoritative server whose zone a test changes while calls go on; and unbound, which asks it for others."""

import os
import signal
import socket
import subprocess

from processes import wait_for

SERIAL_AT = "@ {ttl} SOA ns.{zone} hostmaster.{zone} {serial} 3600 600 86400 {negative}"


class NameServer:
    """with NameServer(lab, "stranger", "carrier.test.") as dns:
        dns.put("_sip._udp 2 SRV 10 50 5060 t1", "t1 2 A 10.77.0.21")

    Lines are those of a zone file; names without a last dot are in the zone. put() replaces the whole zone in one step."""

    def __init__(self, lab, node, zone="carrier.test.", negative=2, port=53, name="knot", udp_limit=1232):
        """negative: how long "there is none" holds, in seconds; udp_limit: longer answers are cut over UDP."""
        self.lab, self.node, self.zone, self.negative, self.port, self.name = lab, node, zone, negative, port, name
        self.udp_limit = udp_limit
        self.serial = 0
        self.directory = os.path.join(lab.directory, name)
        os.makedirs(self.directory, exist_ok=True)
        self.zone_path = os.path.join(self.directory, "zone")
        self.socket = os.path.join(self.directory, "knot.sock")
        self._write_zone([])
        self._write_configuration()

    @property
    def address(self):
        return f"{self.lab.address(self.node)}:{self.port}"

    def _write_configuration(self):
        with open(os.path.join(self.directory, "knot.conf"), "w", encoding="utf-8") as file:
            file.write(f"""server:
    rundir: {self.directory}
    listen: [ {self.lab.address(self.node)}@{self.port}, {self.lab.address(self.node, 6)}@{self.port} ]
    udp-max-payload: {self.udp_limit}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
control:
    listen: {self.socket}
database:
    storage: {self.directory}
log:
  - target: stderr
    any: info
template:
  - id: default
    storage: {self.directory}
    zonefile-load: whole
    zonefile-sync: -1
    journal-content: none
    semantic-checks: off
zone:
  - domain: {self.zone}
    file: {self.zone_path}
""")

    def _write_zone(self, lines):
        self.serial += 1
        text = SERIAL_AT.format(ttl=self.negative, zone=self.zone, serial=self.serial, negative=self.negative)
        with open(self.zone_path + ".new", "w", encoding="utf-8") as file:
            file.write(f"$ORIGIN {self.zone}\n$TTL 60\n{text}\n@ NS ns\nns A {self.lab.address(self.node)}\n")
            file.write("".join(f"{line}\n" for line in lines))
        os.replace(self.zone_path + ".new", self.zone_path)

    def start(self):
        log = os.path.join(self.directory, "log")
        with open(log, "ab") as file:
            self.child = self.lab.processes.start(
                self.name, self.lab.network.argv(self.node, ["/usr/sbin/knotd", "-c", f"{self.directory}/knot.conf"]),
                stdout=file, stderr=file, cwd=self.directory)
        if not wait_for(lambda: self._control("zone-status", self.zone, check=False), 15, every=0.05):
            with open(log, encoding="utf-8") as file:
                raise RuntimeError(f"{self.name} does not start:\n{file.read()[-2000:]}")
        return self

    def _control(self, *words, check=True):
        done = subprocess.run(["/usr/sbin/knotc", "-s", self.socket, "-b", *words], capture_output=True, text=True,
                              timeout=20)
        if check and done.returncode:
            raise RuntimeError(f"knotc {' '.join(words)}: {done.stderr or done.stdout}")
        return done.returncode == 0

    def put(self, *lines):
        self._write_zone(lines)
        if self.lab.processes.pid(self.name):
            self._control("zone-reload", self.zone)

    def kill(self):
        """As a crash would end it; start() brings it back with the zone as it was."""
        self.lab.processes.stop(self.name, signal.SIGKILL)

    def freeze(self):
        os.kill(self.child.pid, signal.SIGSTOP)

    def thaw(self):
        os.kill(self.child.pid, signal.SIGCONT)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.lab.processes.pid(self.name):
            self.lab.processes.stop(self.name, signal.SIGKILL)


class Recursor:
    """unbound in a node: a resolver with a cache, as a provider runs one in front of its nodes.

    zones: {name: NameServer} whom it asks."""

    def __init__(self, lab, node, zones, port=5300, name="unbound"):
        self.lab, self.node, self.port, self.name = lab, node, port, name
        self.directory = os.path.join(lab.directory, name)
        os.makedirs(self.directory, exist_ok=True)
        stubs = "".join(f'stub-zone:\n    name: "{zone}"\n    stub-addr: {server.lab.address(server.node)}@{server.port}\n'
                        for zone, server in zones.items())
        with open(os.path.join(self.directory, "unbound.conf"), "w", encoding="utf-8") as file:
            file.write(f"""server:
    interface: {lab.address(node)}
    port: {port}
    access-control: 0.0.0.0/0 allow
    do-daemonize: no
    use-syslog: no
    chroot: ""
    username: ""
    directory: "{self.directory}"
    pidfile: ""
    num-threads: 1
    module-config: "iterator"
    local-zone: "test." nodefault
    do-not-query-localhost: no
{stubs}""")

    @property
    def address(self):
        return f"{self.lab.address(self.node)}:{self.port}"

    def _answers(self):
        """Whether it answers anything at all: a question for the root, without recursion."""
        with self.lab.network.socket(self.node, socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(0.2)
            try:
                asking.sendto(b"\0\1\0\0\0\1\0\0\0\0\0\0\0\0\2\0\1", (self.lab.address(self.node), self.port))
                return bool(asking.recv(512))
            except OSError:
                return False

    def __enter__(self):
        log = os.path.join(self.directory, "log")
        with open(log, "ab") as file:
            self.lab.processes.start(
                self.name, self.lab.network.argv(self.node, ["/usr/sbin/unbound", "-d", "-c", f"{self.directory}/unbound.conf"]),
                stdout=file, stderr=file, cwd=self.directory)
        if not wait_for(self._answers, 15):
            with open(log, encoding="utf-8") as file:
                raise RuntimeError(f"{self.name} does not start:\n{file.read()[-2000:]}")
        return self

    def __exit__(self, *_):
        if self.lab.processes.pid(self.name):
            self.lab.processes.stop(self.name, signal.SIGKILL)
