# SPDX-License-Identifier: Apache-2.0
"""SIPp inside the lab's nodes."""

import csv
import os
import re
import secrets
import shutil
import signal
import subprocess

from lab import STROWGER
from processes import wait_for

SCENARIOS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "sipp")


class Sipp:
    """One SIPp process. Its files are NAME.* in the lab's directory."""

    def __init__(self, lab, node, scenario, name=None, family=4, port=5060, remote=None, calls=None, rate=None,
                 seconds=None, keys=None, fill=None, options=(), transport="udp"):
        """remote None: it answers. transport: udp, tcp (one connection), tcp-each (one for every call), tls and tls-each
        (the same through stunnel: tls.py). seconds bounds its life; keys replace [word] in the scenario, fill replaces @word@."""
        self.lab, self.node = lab, node
        self.name = name or f"sipp-{node}-{scenario}"
        self.stem = os.path.join(lab.directory, self.name)
        self.address = lab.address(node, family)
        self.log = self.stem + ".log"
        argv = [shutil.which("sipp") or "sipp"]
        if remote:
            if transport.startswith("tls"):  # stunnel is where we are, and takes it from there
                argv.append(f"{self.address}:5070")
            else:
                argv.append(f"[{remote}]:5060" if ":" in remote else f"{remote}:5060")
        argv += ["-sf", self._scenario(scenario, fill or {}, transport.split("-")[0]), "-i", self.address, "-p", str(port),
                 "-nostdin", "-default_behaviors", "all,-bye", "-trace_stat", "-stf", self.stem + ".csv", "-fd", "1",
                 "-trace_err", "-error_file", self.stem + ".errors", "-error_overwrite", "true",
                 "-cid_str", f"%u-{secrets.token_hex(6)}@{node}"]
        if calls:
            argv += ["-m", str(calls), "-l", str(max(calls, 1000))]
        if rate:
            argv += ["-r", str(rate), "-rp", "1000"]
        if seconds:
            argv += ["-timeout", f"{seconds}s"]
        if transport != "udp":
            argv += ["-t", "tn" if transport.endswith("-each") else "t1", "-max_socket", "10000"]
        for key, value in (keys or {}).items():
            argv += ["-key", key, str(value)]
        argv += [str(option) for option in options]
        for left in (self.stem + ".csv", self.stem + ".errors"):
            if os.path.exists(left):
                os.unlink(left)
        with open(self.log, "w", encoding="utf-8") as log:
            self.child = lab.processes.start(self.name, lab.network.argv(node, argv), stdout=log, stderr=log,
                                             cwd=lab.directory, env={**os.environ, "TERM": "dumb"})
        if not remote and not wait_for(lambda: self._bound(port), 10):
            raise RuntimeError(f"{self.name} does not listen: see {self.log}")

    def _scenario(self, scenario, fill, transport):
        path = os.path.join(SCENARIOS, scenario + ".xml")
        if not fill and transport == "udp":
            return path
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for word, value in fill.items():
            text = text.replace(f"@{word}@", str(value))
        if transport != "udp":
            port = "5061" if transport == "tls" else "[local_port]"
            text = text.replace("SIP/2.0/UDP", f"SIP/2.0/{transport.upper()}").replace(":[local_port]>", f":{port};transport={transport}>")
        with open(self.stem + ".xml", "w", encoding="utf-8") as file:
            file.write(text)
        return self.stem + ".xml"

    @property
    def pid(self):
        return self.child.pid

    def _bound(self, port):
        """Whether its socket is there: read from the kernel's table of the process's own namespace."""
        for table in ("udp", "udp6", "tcp", "tcp6"):
            try:
                with open(f"/proc/{self.pid}/net/{table}", encoding="ascii") as file:
                    if any(f":{port:04X} " in line.split("  ")[0] + line[:60] for line in file):
                        return True
            except (FileNotFoundError, ProcessLookupError):
                return False
        return False

    def running(self):
        return self.child.poll() is None

    def wait(self, seconds):
        """Its exit status (0: every call went as the scenario says); a SIPp that does not end is ended and reported."""
        try:
            status = self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.lab.processes.stop(self.name, signal.SIGKILL)
            raise RuntimeError(f"{self.name} did not end in {seconds} s: see {self.log}") from None
        self.lab.processes.stop(self.name)
        return status

    def stop(self):
        """Ends it; what it did is in its statistics."""
        return self.lab.processes.stop(self.name, signal.SIGTERM)

    def kill(self):
        """As a crash would end it."""
        return self.lab.processes.stop(self.name, signal.SIGKILL)

    def statistics(self):
        """The last row of its statistics: {column: text}; empty when it has written none yet."""
        try:
            with open(self.stem + ".csv", encoding="utf-8", errors="replace") as file:
                rows = [row for row in csv.reader(file, delimiter=";") if row]
        except FileNotFoundError:
            return {}
        if len(rows) < 2 or len(rows[-1]) < len(rows[0]) - 1:
            rows = rows[:-1]
        return dict(zip(rows[0], rows[-1])) if len(rows) > 1 else {}

    def count(self, column):
        return int(self.statistics().get(f"{column}(C)", 0) or 0)

    @property
    def created(self):
        return self.count("OutgoingCall") + self.count("IncomingCall")

    @property
    def successful(self):
        return self.count("SuccessfulCall")

    @property
    def failed(self):
        return self.count("FailedCall")

    @property
    def retransmissions(self):
        return self.count("Retransmissions")

    def errors(self):
        """What it found wrong, an event a line; answers that came again after their call had ended are no errors."""
        try:
            with open(self.stem + ".errors", encoding="utf-8", errors="replace") as file:
                events = re.split(r"\d{4}-\d\d-\d\d\t[\d:.]+\t[\d.]+: ", file.read())[1:]
        except FileNotFoundError:
            return ""
        return "\n".join(event.strip() for event in events if not re.match(r"Dead call \S+ \(successful\)", event))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def play(lab, server, transport, number, scenario, calls, rate):
    """Calls of a caller of that transport to a server (a Sipp, or what looks like one), which stops then: all as their scenarios say, on both sides. What
    Strowger counted meanwhile."""
    before = lab.counters()
    try:
        client = Sipp(lab, "caller", scenario, remote=STROWGER[4], calls=calls, rate=rate, seconds=60, transport=transport, options=["-s", number])
        status = client.wait(65)
        assert client.failed == 0 and status == 0, f"{client.failed} calls failed (exit {status}):\n{client.errors()[:2000]}"
        assert server.failed == 0, server.errors()[:2000]
    finally:
        server.stop()
    after = lab.counters()
    return {name: after[name] - before[name] for name in after}
