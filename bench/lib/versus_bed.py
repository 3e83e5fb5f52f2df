# SPDX-License-Identifier: Apache-2.0
"""Where Kamailio and Strowger are compared: one cable, and at one end of it the proxy of the moment.

      generator                                     proxy
    caller 10.78.0.10                             10.78.0.1
    targets 10.78.0.21 ...  gen0 ========= port0  Kamailio: the address is on port0
      the last core                               Strowger: port0 is its DPDK port, the address is on sip0
                                                    the first core

The generator's offloads are off, so that what arrives has its checksums; the proxy's are on, as a network card's would be."""

import json
import os
import shutil
import socket
import sys
import tempfile
import time

import yaml

from machine import LIB, ROOT
from programs import program

sys.path.insert(0, os.path.join(ROOT, "testbed", "lib"))

from network import run  # noqa: E402
from phones import udp_bound  # noqa: E402
from processes import Processes, wait_for  # noqa: E402

US, CALLER, PORT = "10.78.0.1", "10.78.0.10", 5060
TARGETS = [f"10.78.0.{21 + i}" for i in range(4)]
NUMBERS = 1000
NAME = "sip.example.com"
NUMBER = "+442035{:06d}"
# Transactions linger for 32 s and calls for as long: the bounds are above what the fastest load leaves behind.
LINGER_S = 32


def cores():
    """(the generator's, the proxy's): the last and the first that this program may use."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        sys.exit("bench/versus: needs two cores, one for the generator and one for the proxy")
    return usable[-1], usable[0]


def read(path):
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read()


def family(pid):
    """A process and all that it started."""
    found = [pid]
    for task in os.listdir(f"/proc/{pid}/task"):
        for child in read(f"/proc/{pid}/task/{task}/children").split():
            found += family(int(child))
    return found


def cpu_ns(pid):
    """Time on a CPU, of all threads of a process and all that it started, the kernel's work for them included."""
    total = 0
    for process in family(pid):
        for task in os.listdir(f"/proc/{process}/task"):
            total += int(read(f"/proc/{process}/task/{task}/schedstat").split()[0])
    return total


def resident_mib(pid):
    """Private memory and shared memory, each page once."""
    kib = 0
    for process in family(pid):
        kib += sum(int(line.split()[1]) for line in read(f"/proc/{process}/smaps_rollup").splitlines() if line.startswith("Pss:"))
    return kib / 1024


def core_ticks(core):
    """{user, system, softirq ...: ticks of 10 ms} of a core."""
    for line in read("/proc/stat").splitlines():
        words = line.split()
        if words[0] == f"cpu{core}":
            return dict(zip(("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"), map(int, words[1:])))
    raise RuntimeError(f"no core {core}")


def before_others(pid):
    """What else runs on this machine is not to take a core away from a session of ours: the weight of its group to the scheduler. Both proxies and
    the generator get it."""
    try:
        with open(f"/proc/{pid}/autogroup", "w", encoding="ascii") as file:
            file.write("-20")
    except OSError:
        pass  # no groups here


class Bed:
    """The two namespaces; start one proxy at a time."""

    us, prefix, targets, callers = US, 24, TARGETS, f"{CALLER}/32"
    numbers = [NUMBER.format(i) for i in range(NUMBERS)]

    def __init__(self):
        self.name = f"versus{os.getpid()}"
        self.gen, self.dut = f"{self.name}-gen", f"{self.name}-proxy"
        self.folder = tempfile.mkdtemp(prefix="strowger-versus-")
        self.processes = Processes(os.path.join(self.folder, "processes.json"))
        self.generator_core, self.proxy_core = cores()

    def __enter__(self):
        try:
            self._up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.processes.stop_all()
        for name in (self.gen, self.dut):
            if os.path.exists(f"/run/netns/{name}"):
                run(["ip", "netns", "del", name])
        shutil.rmtree(self.folder, ignore_errors=True)

    def _up(self):
        for name in (self.gen, self.dut):
            run(["ip", "netns", "add", name])
            run(self.inside(name, ["sysctl", "-q", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"]))
            run(["ip", "-n", name, "link", "set", "lo", "up"])
        # Clients that come and go leave their ports in TIME-WAIT.
        run(self.inside(self.gen, ["sysctl", "-q", "net.ipv4.tcp_tw_reuse=1", "net.ipv4.ip_local_port_range=1024 65535"]))
        run(["ip", "-n", self.gen, "link", "add", "gen0", "type", "veth", "peer", "name", "port0", "netns", self.dut])
        run(self.inside(self.gen, ["ethtool", "-K", "gen0", "tx", "off", "tso", "off", "gso", "off"]))
        for address in (CALLER, *TARGETS):
            run(["ip", "-n", self.gen, "addr", "add", f"{address}/24", "dev", "gen0"])
        run(["ip", "-n", self.gen, "link", "set", "gen0", "up"])
        run(["ip", "-n", self.dut, "link", "set", "port0", "up"])

    def certify(self, kind="ec"):
        """A certificate for whoever speaks TLS, in `certificates`: the proxy, of which the caller asks nothing, and the targets, of whom the proxy asks nothing.
        kind: ec (P-256) or rsa (2048)."""
        folder = os.path.join(self.folder, f"certificates-{kind}")
        os.makedirs(folder, exist_ok=True)
        self.certificates = {"certificate": os.path.join(folder, "bench.crt"), "key": os.path.join(folder, "bench.key"), "name": NAME, "home": folder}
        algorithm = ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"] if kind == "ec" else ["rsa:2048"]
        run(["openssl", "req", "-x509", "-newkey", *algorithm, "-nodes", "-days", "30", "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}",
             "-keyout", self.certificates["key"], "-out", self.certificates["certificate"]])

    @staticmethod
    def inside(namespace, argv):
        return ["ip", "netns", "exec", namespace, *argv]

    def start(self, name, argv, **kwargs):
        """A process in the proxy's namespace, on its core, with everything it starts."""
        with open(os.path.join(self.folder, name + ".log"), "ab") as log:
            child = self.processes.start(name, self.inside(self.dut, ["taskset", "-c", str(self.proxy_core), *argv]), stdout=log, stderr=log,
                                         cwd=self.folder, **kwargs)
        before_others(child.pid)
        return child

    def stop(self, name):
        self.processes.stop(name, seconds=15)

    def log_tail(self, name, lines=20):
        with open(os.path.join(self.folder, name + ".log"), encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-lines:])

    def meet(self):
        """Both ends know each other's hardware addresses before the load."""
        run(["ip", "-n", self.gen, "neigh", "flush", "dev", "gen0"])
        for address in (CALLER, *TARGETS):
            run(self.inside(self.gen, ["ping", "-q", "-c", "1", "-W", "1", "-I", address, US]))


TOUCHED_S = 90  # how long that may take Kamailio, of most of the memory


LASTING_MIB, BRIEF_MIB = 20480, 6144


def memory_mib(lasting):
    """What Kamailio may share out among its transactions, which take some 14 KiB each and linger: at most three quarters of what is there. lasting: for a long
    run; otherwise for the few short ones between two starts, since to touch all of a long one's memory takes half a minute, and each lost run has a start."""
    available = next(int(line.split()[1]) for line in read("/proc/meminfo").splitlines() if line.startswith("MemAvailable:"))
    return min(LASTING_MIB if lasting else BRIEF_MIB, available // 1024 * 3 // 4)


def listens(pid, port, transport):
    """Whether anybody in a process's own namespace has that port."""
    if transport == "udp":
        return udp_bound(pid, port)
    try:
        lines = read(f"/proc/{pid}/net/tcp").splitlines()[1:]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return any(words[1].endswith(f":{port:04X}") and words[3] == "0A" for words in map(str.split, lines))


class Kamailio:
    """allocator: "fm" for -x fm -X fm, "" for Debian's default (qm). record_route: stay in the path of the dialogs. transport: on both sides; tls wants
    a bed with certificates. mib: what it may share out; lasting: where that is not given, for a long run or for short ones (memory_mib). touched: all of it before
    it starts; otherwise what it uses is seen to grow."""

    def __init__(self, bed, allocator="fm", children=2, record_route=False, transport="udp", mib=None, lasting=True, touched=True):
        self.bed, self.name = bed, "kamailio"
        folder = os.path.join(bed.folder, "kamailio")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "dispatcher.list"), "w", encoding="utf-8") as file:
            file.writelines(f"1 sip:{target}:{PORT}" + (f";transport={transport}" if transport != "udp" else "") + "\n" for target in bed.targets)
        on = {True: "", False: "#"}
        words = {"children": children, "us": bed.us, "port": PORT, "folder": folder, "rr": on[record_route], "touched": on[touched], "transport": transport,
                 "udp": on[transport == "udp"], "stream": on[transport != "udp"], "tls": on[transport == "tls"],
                 **(bed.certificates if transport == "tls" else {})}
        text = read(os.path.join(LIB, "kamailio.cfg"))
        for word, value in words.items():
            text = text.replace(f"@{word}@", str(value))
        path = os.path.join(folder, "kamailio.cfg")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        run(["ip", "-n", bed.dut, "addr", "add", f"{bed.us}/{bed.prefix}", "dev", "port0"])
        argv = [shutil.which("kamailio") or "/usr/sbin/kamailio", "-DD", "-E", "-m", str(mib or memory_mib(lasting)), "-M", "64", "-b", "4194304", "-Y", folder,
                "-f", path]
        if allocator:
            argv += ["-x", allocator, "-X", allocator]
        self.child = bed.start(self.name, argv)
        try:
            if not wait_for(lambda: self.child.poll() is not None or listens(self.pid, PORT, transport), TOUCHED_S) or self.child.poll() is not None:
                raise RuntimeError(f"kamailio does not listen:\n{bed.log_tail(self.name)}")
            bed.meet()
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self):
        return self.child.pid

    def busy_s(self):
        return None

    def stop(self):
        self.bed.stop(self.name)
        run(["ip", "-n", self.bed.dut, "addr", "flush", "dev", "port0"])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Strowger:
    """driver: af_xdp or af_packet; idle: spin or sleep; rate: the most INVITEs per second that its tables must hold, while they linger.
    transport: on both sides."""

    def __init__(self, bed, driver="af_xdp", idle="spin", rate=250000, message_mb=4096, transport="udp", connections=16384):
        self.bed, self.name, self.driver, self.transport, self.connections = bed, "strowgerd", driver, transport, connections
        self.socket = os.path.join(bed.folder, "control.sock")
        path = os.path.join(bed.folder, "strowgerd.yaml")
        with open(path, "w", encoding="utf-8") as file:
            yaml.safe_dump(self._configuration(idle, rate, message_mb), file, sort_keys=False)
        if driver == "af_packet":
            # The kernel must not take for its own what AF_PACKET has been given a copy of.
            self._nft("table netdev versus { chain port0 { type filter hook ingress device port0 priority 0; policy drop; }\n}\n")
        self._start(path)

    def _configuration(self, idle, rate, message_mb):
        held = int(rate * (LINGER_S + 2))
        return {
            "workers": {"cores": [self.bed.proxy_core], "idle": idle},
            "ports": [{"name": "sip0", "driver": self.driver, "interface": "port0", "addresses": [f"{self.bed.us}/{self.bed.prefix}"]}],
            **({"tls": {"certificates": self.bed.certificates["home"], "minimum_version": "1.2"}} if self.transport == "tls" else {}),
            "listeners": [{"address": self.bed.us, "port": PORT, "transport": self.transport}],
            "limits": {"transactions": held, "in_progress": max(held // 8, min(held, 65536)), "calls": held, "call_age_s": LINGER_S, "message_mb": message_mb, "mbufs": 16384, "trace_mb": 0,
                       "connections": self.connections, "connections_per_source": self.connections},  # one caller has them all
            "probe": {"enabled": False},
            "control": {"socket": self.socket},
            "drain_timeout_s": 0,
            "trunks": [{"name": "caller", "sources": [self.bed.callers]}] + [
                {"name": f"target{i}", **({"tls": {"verify": False}} if self.transport == "tls" else {}), "endpoints": [{"address": target, "port": PORT, "transport": self.transport}]} for i, target in enumerate(self.bed.targets)],
            "profiles": [{"name": "all", "strategy": "round_robin", "targets": [
                {"trunk": f"target{i}", "position": i} for i in range(len(self.bed.targets))]}],
            "number_plan": {"country_code": "44"},
            "numbers": [{"number": number, "profile": "all"} for number in self.bed.numbers],
        }

    def _start(self, path):
        notify_path = os.path.join(self.bed.folder, "notify.sock")
        if os.path.exists(notify_path):
            os.unlink(notify_path)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
                notify.bind(notify_path)
                notify.settimeout(0.1)
                self.child = self.bed.start(self.name, [program("strowgerd"), "-c", path], env={**os.environ, "NOTIFY_SOCKET": notify_path})
                end = time.monotonic() + 60
                while not self._ready(notify):
                    if self.child.poll() is not None or time.monotonic() > end:
                        raise RuntimeError(f"strowgerd is not ready:\n{self.bed.log_tail(self.name)}")
            self.bed.meet()
        except BaseException:
            self.stop()
            raise

    @staticmethod
    def _ready(notify):
        try:
            return b"READY=1" in notify.recv(4096).split(b"\n")
        except TimeoutError:
            return False

    @property
    def pid(self):
        return self.child.pid

    def _nft(self, rules):
        run(self.bed.inside(self.bed.dut, ["nft", "-f", "-"]), input=rules)

    def busy_s(self):
        """What turns of the worker have taken so far that had work in them."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
            door.settimeout(10)
            door.connect(self.socket)
            with door.makefile("rwb") as file:
                file.write(b'{"jsonrpc": "2.0", "id": 1, "method": "workers"}\n')
                file.flush()
                return json.loads(file.readline())["result"][0]["busy_s"]

    def stop(self):
        self.bed.stop(self.name)
        if self.driver == "af_packet":
            self._nft("delete table netdev versus\n")
        else:
            run(["ip", "-n", self.bed.dut, "link", "set", "port0", "xdp", "off"])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
