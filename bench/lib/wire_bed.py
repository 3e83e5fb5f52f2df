# SPDX-License-Identifier: Apache-2.0
"""What the generator of bench/wire is joined to: strowgerd or testpmd on one core, over memif or a veth pair.

    strowger-wire ----- memif ------ strowgerd | dpdk-testpmd        memif: shared memory, no kernel
    (wire-gen)   gen0 == veth == port0   (wire-dut)                  veth: both ends AF_XDP, or both AF_PACKET
"""

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from programs import program

US, PREFIX = "10.78.0.1", 16
MAKES = 8
DEVICE_CORE, WIRE_CORE = 0, 1
DEVICE_MAC, WIRE_MAC = "02:00:00:00:78:01", "02:00:00:00:78:02"
RINGS = 12  # 2^12 frames each way: what a stalled end may be behind before frames are lost
NUMBERS = 10000
MEET_S = 10


class BedError(Exception):
    pass


def run(*argv, words=None):
    done = subprocess.run(argv, capture_output=True, text=True, input=words, check=False)
    if done.returncode:
        raise BedError(f"{' '.join(argv)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def free_hugepages():
    """Of 2 MiB. Those that somebody has mapped and not touched yet are free only by name."""
    def number(which):
        with open(f"/sys/kernel/mm/hugepages/hugepages-2048kB/{which}_hugepages", encoding="ascii") as file:
            return int(file.read())
    return number("free") - number("resv")


def stolen_us(core):
    """What the host has taken from a core so far, to a jiffy."""
    with open("/proc/stat", encoding="ascii") as file:
        for line in file:
            words = line.split()
            if words[0] == f"cpu{core}":
                return int(words[8]) * 1e6 / os.sysconf("SC_CLK_TCK")
    return 0


class Process:
    """Started here, ended here, or when this program is killed: a worker that spins must not stay behind. Its words go to a file."""

    def __init__(self, bed, argv, log, **kwargs):
        self.log = log
        argv = ["setpriv", "--pdeathsig", "KILL", *argv]
        bed.processes.append(self)
        with open(log, "ab") as file:
            self.child = subprocess.Popen(argv, stdout=kwargs.pop("stdout", file), stderr=file, start_new_session=True, **kwargs)
        self._before_others()

    def _before_others(self):
        """What else runs on this machine is not to take its core away: every session is a group to the scheduler, and this is the group's weight."""
        try:
            with open(f"/proc/{self.child.pid}/autogroup", "w", encoding="ascii") as file:
                file.write("-20")
        except OSError:
            pass  # no groups here

    def waited_us(self):
        """For how long its busiest thread has waited for the core so far, other programs' turns and the host's together."""
        busiest = (0, 0)
        for task in os.listdir(f"/proc/{self.child.pid}/task"):
            try:
                with open(f"/proc/{self.child.pid}/task/{task}/schedstat", encoding="ascii") as file:
                    ran, waited, _ = map(int, file.read().split())
            except FileNotFoundError:
                continue
            busiest = max(busiest, (ran, waited))
        return busiest[1] / 1000

    def tail(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-15:])

    def stop(self, how=signal.SIGTERM, seconds=10):
        if self.child.poll() is None:
            self.child.send_signal(how)
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.child.kill()
        return self.child.wait()

    def end_of_input(self, seconds, last=b""):
        """Tells it by its input that this is all, and stops it if it does not end by itself."""
        if self.child.poll() is None:
            self.child.stdin.write(last)
            self.child.stdin.close()
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                pass
        self.stop(signal.SIGKILL)


class Bed:
    """A directory, two namespaces, and how the two ends are named there. way: memif, af_xdp or af_packet.
    generator_copies, of memif: the driver at the generator's end copies into the device's own buffers and out of them, as a network card would, and the
    device's copies nothing. Otherwise both copy what they send and what they receive."""

    def __init__(self, way, name=None, generator_copies=False):
        name = name or f"wire{os.getpid()}"
        self.way, self.name, self.generator_copies = way, name, generator_copies
        self.directory = tempfile.mkdtemp(prefix=f"strowger-{name}-")
        self.device_space, self.wire_space = f"{name}-dut", f"{name}-gen"
        self.sockets, self.processes = 0, []

    def __enter__(self):
        self._spaces_gone()
        for space in (self.device_space, self.wire_space):
            run("ip", "netns", "add", space)
            run("ip", "-n", space, "link", "set", "lo", "up")
        if self.way != "memif":
            self._cable()
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.stop(signal.SIGKILL)
        self._spaces_gone()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _spaces_gone(self):
        for space in (self.device_space, self.wire_space):
            if os.path.exists(f"/run/netns/{space}"):
                run("ip", "netns", "del", space)

    def _cable(self):
        """Offloads off: a frame must leave as it will arrive. The kernel drops its copies: it has no business on either end."""
        for space in (self.device_space, self.wire_space):
            run(*self.inside(space), "sysctl", "-q", "net.ipv6.conf.default.disable_ipv6=1")
        run("ip", "-n", self.device_space, "link", "add", "port0", "type", "veth", "peer", "name", "gen0", "netns", self.wire_space)
        for space, name in ((self.device_space, "port0"), (self.wire_space, "gen0")):
            run(*self.inside(space), "ethtool", "-K", name, "tx", "off", "tso", "off", "gso", "off")
            run("ip", "-n", space, "link", "set", name, "up")
            run(*self.inside(space), "nft", "-f", "-",
                words=f"table netdev bench {{ chain c {{ type filter hook ingress device {name} priority 0; policy drop; }}\n}}\n")

    @staticmethod
    def inside(space):
        return ["ip", "netns", "exec", space]

    def device_arguments(self):
        """The device end, as strowgerd and testpmd take it."""
        if self.way == "memif":
            return self._memif(not self.generator_copies, DEVICE_MAC)
        return self._arguments("port0")

    def wire_arguments(self):
        if self.way == "memif":
            return self._memif(self.generator_copies, WIRE_MAC)
        return self._arguments("gen0")

    def _memif(self, listens, mac):
        """Who listens is started first, at a socket of its own: one that was killed leaves its behind."""
        self.sockets += listens
        role = "role=server" if listens else "role=client,zero-copy=yes" if self.generator_copies else "role=client"
        return f"net_memif0,{role},id=0,bsize=2048,rsize={RINGS},socket={self.directory}/memif{self.sockets},socket-abstract=no,mac={mac}"

    def _arguments(self, interface):
        """As strowgerd makes them of `driver: af_xdp` and `driver: af_packet`; but the generator's own AF_PACKET is made to lose nothing."""
        if self.way == "af_xdp":
            return f"net_af_xdp0,iface={interface},start_queue=0,queue_count=1"
        if interface == "gen0":
            return f"net_af_packet0,iface={interface},qpairs=1,framesz=2048,blocksz=65536,framecnt=8192,qdisc_bypass=1"
        return f"net_af_packet0,iface={interface},qpairs=1,framesz=8192,blocksz=65536,framecnt=2048,qdisc_bypass=0"


# ---- the generator


class Generator:
    """strowger-wire and its answers. Its port is open then; it knows the device once the two have met."""

    def __init__(self, bed, mode, *options, echo=False, calls=65536, salt=1, gather_us=0):
        """gather_us: what is due within so long starts together, in one system call; 0: each when it is due."""
        self.gather_us = gather_us
        argv = [*bed.inside(bed.wire_space), program("strowger-wire"), "--device", bed.wire_arguments(), "--core", str(WIRE_CORE), "--us", US,
                "--mode", mode, "--calls", str(calls), "--makes", str(MAKES), "--salt", str(salt), *(["--echo"] if echo else []), *options]
        self.process = Process(bed, argv, os.path.join(bed.directory, "wire.log"), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.about = self._answer(30)
        self.messages_per_start = 6 if mode == "calls" else 2

    def _answer(self, seconds):
        stream = self.process.child.stdout
        if not select.select([stream], [], [], seconds)[0]:
            self.process.stop(signal.SIGKILL)
            raise BedError(f"strowger-wire says nothing: {self.process.tail()}")
        line = stream.readline()
        if not line:
            raise BedError(f"strowger-wire ended with {self.process.child.wait()}: {self.process.tail()}")
        return json.loads(line)

    def _ask(self, words, seconds):
        self.process.child.stdin.write(words.encode() + b"\n")
        self.process.child.stdin.flush()
        return self._answer(seconds)

    def meet(self):
        """The device, which is there or just starting. Returns itself."""
        self._ask(f"meet {MEET_S}", MEET_S + 30)
        return self

    def set_up(self):
        answer = self._ask("setup", 300)
        if answer["up"] != self.about["calls"]:
            raise BedError(f"{answer['up']} of {self.about['calls']} calls are up: {answer}\n{self.process.tail()}")
        return answer

    def run(self, rate, seconds):
        return self._ask(f"run {rate:.0f} {seconds} {self.gather_us}", seconds + 60)

    def gaps(self, seconds):
        return self._ask(f"gaps {seconds}", seconds + 30)

    def close(self):
        self.process.end_of_input(20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# ---- the devices


def routing(transport="udp"):
    """Callers in one trunk; each target a trunk and an endpoint of its own; ten thousand numbers that lead to all of them in turn."""
    targets = [f"target{i}" for i in range(MAKES)]
    trunks = [{"name": "callers", "sources": ["10.78.1.0/24"]}]
    for i, name in enumerate(targets):
        address = f"10.78.2.{101 + i}"
        trunks.append({"name": name, "endpoints": [{"address": address, "port": 5060, "transport": transport}],
                       **({"tls": {"verify": False}} if transport == "tls" else {}), "sources": [f"{address}/32"]})
    return {
        "trunks": trunks,
        "profiles": [{"name": "all", "strategy": "round_robin", "targets": [{"trunk": name, "position": i} for i, name in enumerate(targets)]}],
        "numbers": [{"number": f"+44203555{i:04}", "profile": "all"} for i in range(NUMBERS)],
    }


class Strowger:
    """strowgerd on its core, spinning."""

    name = "strowger"

    def __init__(self, bed, transactions=65536, in_progress=None, calls=65536, call_age_s=43200, message_mb=256, more=None, room=None, transport="udp"):
        """in_progress: None: all transactions may be; more: keys of the configuration that stand in the place of these; room: limits beside these."""
        self.bed = bed
        self.socket_path = os.path.join(bed.directory, "control.sock")
        port = {"name": "sip0", "mtu": 1500, "addresses": [f"{US}/{PREFIX}"]}
        if bed.way == "memif":
            port["device"] = bed.device_arguments()
        else:
            port.update(driver=bed.way, interface="port0")
        config = {
            "workers": {"cores": [DEVICE_CORE], "idle": "spin"},
            "ports": [port],
            "listeners": [{"address": US, "port": 5060, "transport": transport}],
            "limits": {"transactions": transactions, "in_progress": in_progress or transactions, "calls": calls, "call_age_s": call_age_s, "message_mb": message_mb, "mbufs": 16384,
                       **(room or {})},
            "number_plan": {"country_code": "44"},
            "probe": {"enabled": False},
            "control": {"socket": self.socket_path},
            "drain_timeout_s": 0,
            **routing(transport),
            **({"tls": {"certificates": self._certify()}} if transport == "tls" else {}),
            **(more or {}),
        }
        path = os.path.join(bed.directory, "strowgerd.yaml")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file, indent=1)  # is YAML too, and written in no time
        self.process = Process(bed, [*bed.inside(bed.device_space), program("strowgerd"), "-c", path], os.path.join(bed.directory, "strowgerd.log"),
                               stdin=subprocess.DEVNULL, env={**os.environ, "NOTIFY_SOCKET": self._listen()})
        self._wait_ready(60)
        self._neighbours()

    def _certify(self):
        """A certificate that nobody asks after: P-256."""
        folder = os.path.join(self.bed.directory, "certificates")
        os.makedirs(folder, exist_ok=True)
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj", "/CN=bench.example",
            "-addext", "subjectAltName=DNS:bench.example", "-keyout", f"{folder}/bench.key", "-out", f"{folder}/bench.crt")
        return folder

    def _listen(self):
        path = os.path.join(self.bed.directory, "notify.sock")
        if os.path.exists(path):
            os.unlink(path)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(path)
        self.notify.settimeout(0.1)
        return path

    def _wait_ready(self, seconds):
        end = time.monotonic() + seconds
        try:
            while self.process.child.poll() is None and time.monotonic() < end:
                try:
                    if b"READY=1" in self.notify.recv(4096).split(b"\n"):
                        return
                except TimeoutError:
                    pass
        finally:
            self.notify.close()
        raise BedError(f"strowgerd does not start: {self.process.tail()}")

    def _neighbours(self):
        """Nothing that is measured is to wait for ARP."""
        mac = WIRE_MAC
        if self.bed.way != "memif":
            mac = json.loads(run("ip", "-j", "-n", self.bed.wire_space, "link", "show", "gen0"))[0]["address"]
        lines = [f"neigh replace 10.78.{net}.{101 + i} lladdr {mac} dev sip0 nud permanent" for net in (1, 2) for i in range(MAKES)]
        run("ip", "-n", self.bed.device_space, "-batch", "-", words="\n".join(lines) + "\n")

    def call(self, method, **params):
        """One question on the control socket: a process for each would take time from what is measured."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
            door.settimeout(10)
            door.connect(self.socket_path)
            with door.makefile("rwb") as file:
                file.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
                file.flush()
                return json.loads(file.readline())["result"]

    def busy(self):
        """Share of the last whole second that the worker had something to do."""
        return self.call("workers")[0]["busy_percent"] / 100

    def counters(self):
        return self.call("counters")["total"]

    def pid(self):
        return self.process.child.pid

    def stop(self):
        self.process.stop(signal.SIGKILL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Testpmd:
    """testpmd macswap on the same core: what a frame costs that nobody looks at."""

    name = "testpmd"

    def __init__(self, bed):
        memory = ["--in-memory"] if free_hugepages() >= 192 else ["--no-huge", "--no-shconf", "-m", "384"]
        if bed.generator_copies:
            memory.append("--single-file-segments")  # what the other end is given
        room = ["--mbuf-size=8448"] if bed.way == "af_packet" else []
        # Line by line: it is ready when it says so.
        argv = ["stdbuf", "-oL", "dpdk-testpmd", f"--lcores=0@{DEVICE_CORE},1@{DEVICE_CORE}", *memory, "--iova-mode=va", "--no-pci",
                "--no-telemetry", f"--file-prefix=strowger-testpmd-{os.getpid()}", f"--vdev={bed.device_arguments()}", "--",
                "--forward-mode=macswap", "--nb-cores=1", "--total-num-mbufs=16384", *room, "--rxd=1024", "--txd=1024", "--burst=32",
                "--disable-link-check", "--no-lsc-interrupt", "--port-topology=loop"]
        self.process = Process(bed, [*bed.inside(bed.device_space), *argv], os.path.join(bed.directory, "testpmd.log"), stdin=subprocess.PIPE)
        self._wait_forwarding(20)

    def _wait_forwarding(self, seconds):
        end = time.monotonic() + seconds
        while self.process.child.poll() is None and time.monotonic() < end:
            if "Press enter to exit" in self.process.tail():
                return
            time.sleep(0.02)
        raise BedError(f"testpmd does not start: {self.process.tail()}")

    def stop(self):
        self.process.end_of_input(10, b"\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
