# SPDX-License-Identifier: Apache-2.0
"""The comparison once more, with the DPDK generator (bench/wire's) at the other end of the cable, on AF_XDP: it costs a fraction of what a socket
does. Kamailio reads its socket behind the same cable. The generator's end receives on its own core (versus_peer)."""

import os
import time

import versus_peer
import wire_bed
from versus_bed import Kamailio, Processes, before_others, core_ticks, cpu_ns, resident_mib
from versus_load import spent

# Calls that the generator remembers; a power of two, above what a second and a half can leave open.
REMEMBERED = 1 << 18
GATHER_US = 50  # what is due within so long is sent by one system call, as who has several calls at a time would
MESSAGES = 2  # of a call that are forwarded: INVITE and 200
DROP = "table netdev bench { chain c { type filter hook ingress device port0 priority 0; policy drop; }\n}\n"


class Bed(wire_bed.Bed):
    """bench/wire's, with what Kamailio wants of it."""

    us, prefix = wire_bed.US, wire_bed.PREFIX
    targets = [f"10.78.2.{101 + i}" for i in range(wire_bed.MAKES)]
    callers = "10.78.1.0/24"
    numbers = [number["number"] for number in wire_bed.routing()["numbers"]]

    def __init__(self):
        super().__init__("af_xdp", f"versus{os.getpid()}-dpdk")
        self.folder, self.dut = self.directory, self.device_space
        self.others = versus_peer.threads("gen0")
        self.started = Processes(os.path.join(self.folder, "processes.json"))
        self.generator_core, self.proxy_core = wire_bed.WIRE_CORE, wire_bed.DEVICE_CORE

    def __exit__(self, *what):
        self.started.stop_all()
        return super().__exit__(*what)

    def start(self, name, argv, **kwargs):
        with open(os.path.join(self.folder, name + ".log"), "ab") as log:
            child = self.started.start(name, [*self.inside(self.dut), "taskset", "-c", str(self.proxy_core), *argv], stdout=log, stderr=log,
                                       cwd=self.folder, **kwargs)
        before_others(child.pid)
        return child

    def stop(self, name):
        self.started.stop(name, seconds=15)

    def log_tail(self, name, lines=20):
        with open(os.path.join(self.folder, name + ".log"), encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-lines:])

    def meet(self):
        """The generator asks for the proxy's hardware address when it starts, and answers when it is asked."""


class OwnKamailio(Kamailio):
    """The kernel has business on the proxy's end now: it may have what comes."""

    def __init__(self, bed, allocator, children, **more):
        wire_bed.run(*bed.inside(bed.dut), "nft", "delete", "table", "netdev", "bench")
        super().__init__(bed, allocator, children, **more)

    def stop(self):
        super().stop()
        wire_bed.run(*self.bed.inside(self.bed.dut), "nft", "-f", "-", words=DROP)


class Session:
    """A proxy and a generator that knows it; start: as the kernel UDP generator's has it."""

    def __init__(self, bed, start):
        self.bed, self.start = bed, start
        self._open(lasting=True)

    def _open(self, lasting):
        inside = self.bed.inside(self.bed.wire_space)
        self.proxy = self.start(lasting=lasting)
        try:
            self.generator = wire_bed.Generator(self.bed, "stateful", calls=REMEMBERED, salt=time.time_ns() >> 20 & 0xffffff, gather_us=GATHER_US).meet()
            self.receivers = versus_peer.receives_itself(inside, "gen0", self.bed.generator_core, self.bed.others)
        except BaseException:
            self.proxy.stop()
            raise

    def close(self):
        self.generator.close()
        self.proxy.stop()

    def restart(self, lasting):
        self.close()
        self._open(lasting)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _moment(self, forwarded):
        return {"ns": time.monotonic_ns(), "receiving_ns": versus_peer.run_ns(self.receivers), "cpu_ns": cpu_ns(self.proxy.pid), "busy_s": self.proxy.busy_s(), "forwarded": forwarded,
                "ticks": [core_ticks(core) for core in (self.bed.generator_core, self.bed.proxy_core)]}

    def run(self, rate, seconds, warmup):
        """As the kernel UDP generator's; the warm-up is a run of its own, and what it loses counts too."""
        lost = self.generator.run(rate * MESSAGES, warmup)["lost"] if warmup else 0
        begin = self._moment(0)
        said = self.generator.run(rate * MESSAGES, seconds - warmup)
        end = self._moment(said["done"] * MESSAGES)
        receiving = (end["receiving_ns"] - begin["receiving_ns"]) / (end["ns"] - begin["ns"])
        # The generator stays until nothing comes any more; what was sent was sent within its seconds.
        return {"offered": rate, "rate": said["started"] / said["seconds"], "seconds": said["seconds"], "sent": said["started"],
                "answered": said["done"], "lost": said["lost"] + lost, "late": said["late"], "refused": said["statuses_bad"],
                "broken": said["wrong"] - said["statuses_bad"], "words": str(said) if said["wrong"] else "", "setup_us": said["delay_us"],
                "resident_mib": resident_mib(self.proxy.pid), "cpu": spent(self.bed, begin, end), "receives_itself": bool(self.receivers),
                "generator": {"busy": said["busy"], "left_out": said["skipped"], "longest_gap_us": said["longest_gap_us"], "receiving": receiving,
                              "core_share": versus_peer.core_share(said["busy"], receiving)}}
