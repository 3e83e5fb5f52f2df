# SPDX-License-Identifier: Apache-2.0
#
#   caller -------- port0 [ Strowger ] sip0 (TAP) ---- the kernel of node "strowger": ARP, ND, ping, sshd
#   10.77.0.10      DPDK, no address   10.77.0.1
#   fd77::10                           fd77::1
#
# Everything that is not SIP for us belongs to the kernel, and the kernel's routes and neighbours are ours.

import os
import re
import socket
import subprocess

import pytest
import yaml

from agent import Agent
from capture import Capture, frames
from lab import NUMBER
from processes import wait_for
from trial import Trial

FAR = "+442035550299"


@pytest.mark.parametrize("address", ["10.77.0.1", "fd77::1"])
@pytest.mark.parametrize("size", [56, 1400])
def test_ping(lab, address, size):
    words = lab.network.run("caller", ["ping", "-c", "5", "-i", "0.05", "-W", "1", "-s", str(size), address])
    assert " 0% packet loss" in words and "DUP" not in words, words


@pytest.mark.parametrize("address", ["10.77.0.10", "fd77::10"])
def test_ping_from_strowger(lab, address):
    words = lab.network.run("strowger", ["ping", "-c", "3", "-i", "0.05", "-W", "1", address])
    assert " 0% packet loss" in words and "DUP" not in words, words


@pytest.mark.parametrize("family,address", [("-4", "10.77.0.1"), ("-6", "fd77::1")])
def test_neighbours_are_resolved(lab, family, address):
    """ARP and ND: forgotten, asked for again, and answered with the port's own MAC, once."""
    lab.network.run("caller", ["ip", family, "neigh", "flush", "dev", "eth0"])
    lab.network.run("caller", ["ping", "-c", "1", "-W", "1", address])
    known = lab.network.run("caller", ["ip", family, "neigh", "show", address])
    mac = re.search(r"lladdr (\S+)", known).group(1)
    assert mac in lab.network.run("strowger", ["ip", "link", "show", "port0"])
    assert mac in lab.network.run("strowger", ["ip", "link", "show", "sip0"])


def test_addresses_are_on_the_kernel_interface(lab):
    words = lab.network.run("strowger", ["ip", "addr", "show", "dev", "sip0"])
    assert "10.77.0.1/24" in words and "fd77::1/64" in words and "UP,LOWER_UP" in words


def test_a_neighbour_that_is_not_known_yet(lab):
    """The first packet to a target goes by way of the kernel, which resolves it; no call is lost for it."""
    lab.network.run("strowger", ["ip", "neigh", "flush", "dev", "sip0"])
    with Trial(lab, target1="uas") as trial:
        trial.call(5, number=NUMBER)
    assert lab.counters()["kernel_resolve"] > 0
    assert trial.ledger.first_choices() == ["target1"] * 5
    assert not trial.ledger.rescued()


def test_a_neighbour_that_moves(lab):
    """target1 comes back with another MAC, as after a change of hardware: calls follow the kernel's neighbour table."""
    lab.network.run("target1", ["ip", "link", "set", "eth0", "down"])
    lab.network.run("target1", ["ip", "link", "set", "eth0", "address", "02:00:00:00:00:77"])
    lab.network.run("target1", ["ip", "link", "set", "eth0", "up"])
    lab.network.run("target1", ["ip", "addr", "replace", "fd77::21/64", "dev", "eth0", "nodad"])
    lab.network.run("target1", ["ping", "-c", "1", "-W", "1", "10.77.0.1"])
    with Trial(lab, target1="uas") as trial:
        trial.call(5, number=NUMBER)
    assert trial.ledger.first_choices() == ["target1"] * 5 and not trial.ledger.rescued()


def test_a_host_behind_a_router(lab):
    """
        Strowger ---- 10.77.0.22 target2, a router ---- 10.99.0.1
                      (the kernel of node strowger has a route)
    """
    lab.network.run("target2", ["ip", "addr", "add", "10.99.0.1/32", "dev", "lo"])
    lab.network.run("strowger", ["ip", "route", "add", "10.99.0.0/24", "via", "10.77.0.22"])
    with open(lab.config_path, encoding="utf-8") as file:
        sections = yaml.safe_load(file)
    lab.apply({
        "trunks": [*sections["trunks"], {"name": "far", "sources": ["10.99.0.0/24"], "endpoints": [
            {"address": "10.99.0.1", "port": 5060, "transport": "udp"}]}],
        "profiles": [*sections["profiles"], {"name": "far", "strategy": "failover", "targets": [{"trunk": "far"}]}],
        "numbers": [*sections["numbers"], {"number": FAR, "profile": "far"}]})
    with Agent(lab, "target2", address="10.99.0.1") as far, Agent(lab, "caller") as caller:
        assert wait_for(lambda: reaches(caller, far), 2), "the route is followed within moments"
        lab.network.run("strowger", ["ip", "route", "del", "10.99.0.0/24"])
        before = lab.counters()["drop_no_route"]
        assert wait_for(lambda: not reaches(caller, far) and lab.counters()["drop_no_route"] > before, 4), "and left again"


def reaches(caller, far):
    """One call to the far host, which is busy: does it get there?"""
    caller.send(caller.request("INVITE", f"sip:{FAR}@10.77.0.1"))
    invite = far.request_in(seconds=0.3)
    if invite:
        far.reply(invite, 486, "Busy Here", tag="t")
        assert caller.receive(want=lambda message: message.status == 486)
    return invite is not None


def test_sshd(lab):
    """A TCP server of the kernel's on the same address: logging in, and a megabyte through it."""
    key, host = os.path.join(lab.directory, "key"), os.path.join(lab.directory, "host")
    for path in (key, host):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    log_path = os.path.join(lab.directory, "sshd.log")
    with open(log_path, "w", encoding="utf-8") as log:
        lab.processes.start("sshd", lab.network.argv("strowger", [
            "/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-h", host, "-o", "ListenAddress=10.77.0.1",
            "-o", "ListenAddress=[fd77::1]:22", "-o", "PidFile=none", "-o", "StrictModes=no", "-o", "UsePAM=no",
            "-o", "PermitRootLogin=yes", "-o", f"AuthorizedKeysFile={key}.pub"]), stdout=log, stderr=log)
    try:
        assert wait_for(lambda: "Server listening on fd77::1" in open(log_path, encoding="utf-8").read(), 5)
        for address in ("10.77.0.1", "fd77::1"):
            done = subprocess.run(lab.network.argv("caller", [
                "ssh", "-F", "none", "-i", key, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=5", "-o", "BatchMode=yes", f"root@{address}",
                "head -c 1000000 /dev/zero; echo logged in"]), capture_output=True, timeout=30)
            assert done.returncode == 0, done.stderr + open(log_path, "rb").read()
            assert len(done.stdout) == 1000000 + len("logged in\n")
    finally:
        lab.processes.stop("sshd")


def test_no_second_answer(lab):
    """The kernel must not speak on port0 beside DPDK: one reply to each echo request, ours, and no ICMP refusal of SIP."""
    with Capture(lab, name="icmp", rule="icmp or icmp6") as capture:
        lab.network.run("caller", ["ping", "-c", "3", "-i", "0.05", "-W", "1", "10.77.0.1"])
        with Trial(lab, target1="uas") as trial:
            trial.call(5, number=NUMBER)
    ours = socket.inet_aton(lab.address("strowger"))
    kinds = [(frame[26:30] == ours, frame[34]) for _, frame in frames(capture.path)
             if frame[12:14] == b"\x08\x00" and frame[23] == 1]
    assert kinds.count((False, 8)) == kinds.count((True, 0)) == 3
    assert (True, 3) not in kinds
