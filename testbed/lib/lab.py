# SPDX-License-Identifier: Apache-2.0
"""One laboratory: the nodes of network.py, strowgerd in one of them, and everything it leaves in one directory."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time

import yaml

from network import Network
from processes import Processes, wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TARGETS = ("target1", "target2", "target3")
# Fourth and last group of the addresses in 10.77.0.0/24 and fd77::/64. The stranger belongs to no trunk.
HOSTS = {"caller": 10, "target1": 21, "target2": 22, "target3": 23, "stranger": 66}
STROWGER = {4: "10.77.0.1", 6: "fd77::1"}
NUMBER, NUMBER_IPV6 = "+442035550100", "+442035550106"
STRATEGIES = ("failover", "round_robin", "weighted_lb")


class LabError(Exception):
    pass


def address(node, family=4):
    if node == "strowger":
        return STROWGER[family]
    return f"10.77.0.{HOSTS[node]}" if family == 4 else f"fd77::{HOSTS[node]}"


def port_configuration(driver, workers):
    return {"name": "sip0", "driver": driver, "interface": "port0", "mtu": 1500,
            "addresses": [f"{STROWGER[4]}/24", f"{STROWGER[6]}/64"]}


def routing(strategy="round_robin", **knobs):
    """Trunks for the caller and the targets, two profiles (IPv4 and IPv6) over the three targets, a number for each."""
    def trunk(name, node, family):
        end = address(node, family)
        return {"name": name, "endpoints": [{"address": end, "port": 5060, "transport": "udp"}],
                "sources": [f"{end}/{32 if family == 4 else 128}"]}

    def profile(name, suffix):
        return {"name": name, "strategy": strategy, **knobs,
                "targets": [{"trunk": target + suffix, "position": at} for at, target in enumerate(TARGETS)]}

    return {
        "trunks": [trunk(node + suffix, node, family) for node in ("caller", *TARGETS)
                   for family, suffix in ((4, ""), (6, "-ipv6"))],
        "profiles": [profile("lab", ""), profile("lab-ipv6", "-ipv6")],
        "numbers": [{"number": NUMBER, "profile": "lab"}, {"number": NUMBER_IPV6, "profile": "lab-ipv6"}],
    }


def add_profile(config, name, number, strategy="failover", targets=TARGETS, **knobs):
    """One more profile and a number that leads to it. targets: names, or {name: {weight, enabled, position}}."""
    details = targets if isinstance(targets, dict) else {target: {} for target in targets}
    config["profiles"].append({"name": name, "strategy": strategy, **knobs, "targets": [
        {"trunk": target, "position": at, **detail} for at, (target, detail) in enumerate(details.items())]})
    config["numbers"].append({"number": number, "profile": name})


def configuration(lab, driver="af_packet", workers=1, strategy="round_robin", **knobs):
    """What strowgerd is given when nobody says otherwise."""
    return {
        "node": {"id": 1, "name": "lab"},
        "workers": {"count": workers, "idle": "sleep"},
        "ports": [port_configuration(driver, workers)],
        "listeners": [{"address": STROWGER[family], "port": 5060, "transport": "udp"} for family in (4, 6)],
        "limits": {"transactions": 32768, "calls": 32768, "message_mb": 64, "mbufs": 8192, "numbers": 10000},
        "number_plan": {"country_code": "44", "international_prefix": "00", "national_prefix": "0"},
        "control": {"socket": lab.socket_path},
        "token_key_file": os.path.join(lab.directory, "token.key"),
        "drain_timeout_s": 10,
        "probe": {"enabled": False},
        "ejection": {"after": 0, "after_failures": 0, "window_s": 0, "ramp_s": 0},
        **routing(strategy, **knobs),
    }


def over_tcp(config):
    """A TCP listener beside each UDP one; endpoints are reached over TCP."""
    config["listeners"] += [{**listener, "transport": "tcp"} for listener in config["listeners"]]
    for trunk in config["trunks"]:
        for endpoint in trunk["endpoints"]:
            endpoint["transport"] = "tcp"
    return config


class Lab:
    def __init__(self, name=None, build=None):
        self.name = name or os.environ.get("STROWGER_LAB", "lab")
        self.build = os.path.abspath(build or os.environ.get("STROWGER_BUILD", os.path.join(ROOT, "build")))
        self.directory = f"/tmp/strowger-lab-{self.name}"
        self.socket_path = os.path.join(self.directory, "control.sock")
        self.config_path = os.path.join(self.directory, "strowgerd.yaml")
        self.log_path = os.path.join(self.directory, "strowgerd.log")
        self.network = Network(self.name, {node: (f"{address(node)}/24", f"{address(node, 6)}/64") for node in HOSTS})
        self.processes = Processes(os.path.join(self.directory, "processes.json"))

    @staticmethod
    def address(node, family=4):
        return address(node, family)

    # --- up and down

    def up(self, driver="af_packet", workers=1, config=None, daemon=True):
        """config: a dictionary, or the path of a file; None: configuration()."""
        if self.network.exists():
            raise LabError(f"lab {self.name!r} is up already (testbed/lab down removes it)")
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(os.path.join(self.directory, "bin"))
        self._write_program("strowgerctl", f'exec {self.build}/strowgerctl --socket {self.socket_path} "$@"')
        if config is None:
            config = configuration(self, driver, workers)
        self.write_configuration(config)
        with open(os.path.join(self.directory, "lab.json"), "w", encoding="utf-8") as file:
            json.dump({"driver": driver, "workers": workers}, file)
        try:
            self.network.up(queues=workers)
            if daemon:
                self.start_daemon()
        except BaseException:
            self.down(keep_files=True)
            raise
        return self

    def down(self, keep_files=False):
        self.processes.stop_all()
        self.network.down()
        if not keep_files:
            shutil.rmtree(self.directory, ignore_errors=True)

    def write_configuration(self, config):
        if isinstance(config, str):
            shutil.copy(config, self.config_path)
            return
        with open(self.config_path, "w", encoding="utf-8") as file:
            yaml.safe_dump(config, file, sort_keys=False)

    def _write_program(self, name, line):
        path = os.path.join(self.directory, "bin", name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\n{line}\n")
        os.chmod(path, 0o755)

    # --- strowgerd

    def start_daemon(self, seconds=30):
        """Starts it and waits for its READY=1, as systemd would."""
        notify_path = os.path.join(self.directory, "notify.sock")
        if os.path.exists(notify_path):
            os.unlink(notify_path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, open(self.log_path, "ab") as log:
            notify.bind(notify_path)
            notify.settimeout(0.1)
            child = self.processes.start(
                "strowgerd", self.network.argv("strowger", [f"{self.build}/strowgerd", "-c", self.config_path]),
                stdout=log, stderr=log, cwd=self.directory, env={**os.environ, "NOTIFY_SOCKET": notify_path})
            end = time.monotonic() + seconds
            ready = False
            while not ready:
                if child.poll() is not None:
                    raise LabError(f"strowgerd ended with {child.returncode}:\n{self.log_tail()}")
                if time.monotonic() > end:
                    raise LabError(f"strowgerd is not ready after {seconds} s:\n{self.log_tail()}")
                try:
                    ready = b"READY=1" in notify.recv(4096).split(b"\n")
                except TimeoutError:
                    pass
        return child

    def stop_daemon(self, how=signal.SIGTERM, seconds=20):
        return self.processes.stop("strowgerd", how, seconds)

    def daemon_pid(self):
        return self.processes.pid("strowgerd")

    def log_tail(self, lines=25):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as file:
                return "".join(file.readlines()[-lines:])
        except FileNotFoundError:
            return ""

    # --- the operator's door

    def ctl(self, *words, check=True, text=False):
        """strowgerctl's answer, parsed (text: as it prints it for people)."""
        argv = [f"{self.build}/strowgerctl", "--socket", self.socket_path, *([] if text else ["--json"]), *map(str, words)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
        if check and done.returncode != 0:
            raise LabError(f"strowgerctl {' '.join(map(str, words))}: exit {done.returncode}: {done.stderr or done.stdout}")
        if text or not check:
            return done
        return json.loads(done.stdout)

    def apply(self, sections, *options, check=True):
        path = os.path.join(self.directory, "apply.yaml")
        with open(path, "w", encoding="utf-8") as file:
            yaml.safe_dump(sections, file, sort_keys=False)
        return self.ctl("apply", "-f", path, *options, check=check)

    def counters(self):
        return self.ctl("counters")["total"]

    def targets(self):
        """{"lab/target1": {...}}"""
        return {target["target"]: target for target in self.ctl("targets")}

    def wait_usable(self, seconds=5):
        """Until no endpoint is out because of what happened a moment ago."""
        return wait_for(lambda: all(target["state"] not in ("down", "ejected") for target in self.targets().values()), seconds, every=0.1)

    def wait_counter(self, name, at_least, seconds=10):
        return wait_for(lambda: self.counters()[name] >= at_least, seconds)

    # --- for people

    def environment(self):
        return {**os.environ, "STROWGER_LAB": self.name,
                "PATH": os.pathsep.join([f"{self.directory}/bin", self.build, os.environ.get("PATH", os.defpath)])}

    def execute(self, node, command):
        """Becomes command inside a node; never returns."""
        argv = self.network.argv(node, command)
        os.execvpe(argv[0], argv, self.environment())

    def status(self):
        nodes = self.network.exists()
        answer = {"lab": self.name, "directory": self.directory, "up": len(nodes) == len(self.network.nodes),
                  "nodes": {node: ({} if node == "switch" else {"ipv4": address(node), "ipv6": address(node, 6)})
                            for node in nodes},
                  "processes": {name: pid for name, (pid, _) in self.processes.recorded().items()}}
        try:
            with open(os.path.join(self.directory, "lab.json"), encoding="utf-8") as file:
                answer.update(json.load(file))
        except FileNotFoundError:
            pass
        if self.daemon_pid():
            done = self.ctl("status", check=False)
            answer["strowgerd"] = json.loads(done.stdout) if done.returncode == 0 else None
        return answer
