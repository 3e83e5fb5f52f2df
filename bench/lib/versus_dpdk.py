# SPDX-License-Identifier: Apache-2.0
"""The comparison once more, with the DPDK generator (bench/wire's) at the other end of the cable, on AF_XDP: it costs a fraction of what a socket
does, so the proxy is the limit. Kamailio reads its socket behind the same cable."""

import contextlib
import os
import time

import wire_bed
from processes import Processes
from result import median
from versus_bed import LINGER_S, Kamailio, cores, core_ticks, cpu_ns, resident_mib
from versus_load import LoadError, spent

# Calls that the generator remembers; a power of two, above what a second and a half can leave open.
REMEMBERED = 1 << 18
MESSAGES = 2  # of a call that are forwarded: INVITE and 200
FIRST_GUESS = {"kamailio": 12000, "strowger": 48000}
START_S = 0.3


class Bed(wire_bed.Bed):
    """bench/wire's, with what Kamailio wants of it."""

    us, prefix = wire_bed.US, wire_bed.PREFIX
    targets = [f"10.78.2.{101 + i}" for i in range(wire_bed.MAKES)]

    def __init__(self):
        super().__init__("af_xdp", f"versus{os.getpid()}")
        self.folder, self.dut = self.directory, self.device_space
        self.processes = Processes(os.path.join(self.folder, "processes.json"))
        self.generator_core, self.proxy_core = wire_bed.WIRE_CORE, wire_bed.DEVICE_CORE

    def __exit__(self, *what):
        self.processes.stop_all()
        return super().__exit__(*what)

    def start(self, name, argv, **kwargs):
        with open(os.path.join(self.folder, name + ".log"), "ab") as log:
            return self.processes.start(name, [*self.inside(self.dut), "taskset", "-c", str(self.proxy_core), *argv], stdout=log, stderr=log,
                                        cwd=self.folder, **kwargs)

    def log_tail(self, name, lines=20):
        with open(os.path.join(self.folder, name + ".log"), encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-lines:])

    def meet(self):
        """The generator asks for the proxy's hardware address when it starts, and answers when it is asked."""


class OwnKamailio(Kamailio):
    """The kernel has business on the proxy's end now: it may have what comes."""

    def __init__(self, bed, children):
        wire_bed.run(*bed.inside(bed.dut), "nft", "delete", "table", "netdev", "bench")
        wire_bed.run("ip", "-n", bed.dut, "link", "set", "port0", "xdp", "off")
        super().__init__(bed, "fm", children)

    def stop(self):
        super().stop()
        wire_bed.run(*self.bed.inside(self.bed.dut), "nft", "-f", "-",
                     words="table netdev bench { chain c { type filter hook ingress device port0 priority 0; policy drop; }\n}\n")


class OwnStrowger(wire_bed.Strowger):
    """With room for what lingers at the highest rates."""

    name = "strowgerd"

    def __init__(self, bed, rate=160000):
        held = min(rate * (LINGER_S + 2), (1 << 23) - 1)
        super().__init__(bed, transactions=held, calls=held, call_age_s=LINGER_S, message_mb=4096)
        self.bed = bed

    @property
    def pid(self):
        return self.process.child.pid

    def busy_share(self):
        return self.busy()

    def stop(self):
        super().stop()
        wire_bed.run("ip", "-n", self.bed.device_space, "link", "set", "port0", "xdp", "off")


def outcome_of(bed, proxy, generator, rate, seconds):
    """As versus_load.load's, so that both generators' runs can be put side by side."""
    pid = proxy.pid

    def moment(forwarded):
        return {"ns": time.monotonic_ns(), "cpu_ns": cpu_ns(pid), "forwarded": forwarded,
                "ticks": [core_ticks(core) for core in (bed.generator_core, bed.proxy_core)]}

    begin = moment(0)
    said = generator.run(rate * MESSAGES, seconds)
    end = moment(said["done"] * MESSAGES)
    wrong = said["wrong"] + said["statuses_bad"]
    if wrong:
        raise LoadError(f"{wrong} wrong messages came out of {proxy.name}: {said}")
    return {"offered": rate, "rate": said["done"] / said["seconds"], "seconds": said["seconds"], "sent": said["started"], "answered": said["done"],
            "lost": said["lost"], "late": said["late"], "setup_us": said["delay_us"], "resident_mib": resident_mib(pid),
            "generator": {"busy": said["busy"], "left_out": said["skipped"], "longest_gap_us": said["longest_gap_us"]},
            "cpu": spent(bed, begin, end, [])}


def held(outcome):
    return not (outcome["lost"] or outcome["late"] or outcome["rate"] < 0.95 * outcome["offered"])


class Search:
    """As versus_load.Search, on one generator that stays."""

    def __init__(self, bed, proxy, generator, plan):
        self.bed, self.proxy, self.generator, self.plan, self.trials = bed, proxy, generator, plan, []

    def holds(self, rate, seconds, before=0):
        for _ in range(self.plan.search["tries"]):
            if before:
                outcome_of(self.bed, self.proxy, self.generator, rate, before)
            outcome = outcome_of(self.bed, self.proxy, self.generator, rate, seconds)
            self.trials.append({"rate": rate, "seconds": seconds, "lost": outcome["lost"], "late": outcome["late"], "held": held(outcome),
                                "generator_busy": outcome["generator"]["busy"], "cpu_us": outcome["cpu"]["us"]})
            if held(outcome):
                return outcome
            time.sleep(START_S)
        return None

    def run(self, guess):
        low, high, best, rate = 0, None, None, guess
        seconds, step = self.plan.search["seconds"], 1 + self.plan.search["precision"]
        while not low or high is None or high / low > step:
            outcome = self.holds(rate, seconds)
            if outcome:
                low, best = rate, outcome
            else:
                high = rate
            rate = rate * 1.25 if high is None else rate / 1.25 if not low else (low * high) ** 0.5
            if rate < 100:
                raise LoadError(f"{self.proxy.name} loses messages at any rate")
        if not self.plan.long:
            return best
        warmup, rest = self.plan.long["warmup"], self.plan.long["long_seconds"] - self.plan.long["warmup"]
        rate = low
        while rate > low / 2:
            outcome = self.holds(rate, rest, before=warmup)
            if outcome:
                return outcome
            rate /= step
        raise LoadError(f"{self.proxy.name} loses messages in every long run")


@contextlib.contextmanager
def joined(bed, start):
    """A proxy and a generator that knows it."""
    with start() as proxy, wire_bed.Generator(bed, "stateful", calls=REMEMBERED, salt=int(time.time()) & 0xffffff) as generator:
        yield proxy, generator


def rates(bed, plan, children):
    """{name: [outcomes, one a round]}, A B A B."""
    starters = {"kamailio": lambda: OwnKamailio(bed, children), "strowger": lambda: OwnStrowger(bed)}
    found = {name: [] for name in starters}
    for _ in range(plan.rounds):
        for name, start in starters.items():
            guess = median([each["offered"] for each in found[name]]) if found[name] else FIRST_GUESS[name]
            with joined(bed, start) as (proxy, generator):
                search = Search(bed, proxy, generator, plan)
                best = search.run(guess)
            best["trials"] = search.trials
            found[name].append(best)
    return found
