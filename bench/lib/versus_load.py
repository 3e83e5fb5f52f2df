# SPDX-License-Identifier: Apache-2.0
"""One load through the proxy of the moment from the kernel UDP generator, and what it cost there."""

import json
import subprocess
import threading
import time

from programs import program
from result import median
from versus_bed import CALLER, NUMBERS, PORT, TARGETS, US, before_others, core_ticks, cpu_ns, resident_mib


class LoadError(Exception):
    pass


def late_ms(seconds):
    """An answer after T1 is as bad as none, since the caller would have sent its INVITE again. In a short run sooner: a queue that grows all the
    while may still be short at its end."""
    return min(500, int(seconds * 100))


def generator_argv(rate, seconds, warmup):
    targets = [word for target in TARGETS for word in ("--target", target)]
    return ["strowger-versus", "--proxy", US, "--caller", CALLER, *targets, "--port", str(PORT), "--numbers", str(NUMBERS),
            "--rate", f"{rate:.0f}", "--seconds", str(seconds), "--warmup", str(warmup), "--late-ms", str(late_ms(seconds)),
            "--seed", str(time.time_ns())]


class Sampler:
    """The worker's busy share, second by second, while a load runs (what the daemon says is of the second before)."""

    def __init__(self, proxy):
        self.proxy, self.shares, self.over = proxy, [], threading.Event()
        self.thread = threading.Thread(target=self._sample)

    def _sample(self):
        # The daemon reads its workers each second: a share is that of the load alone from the second reading on.
        if self.over.wait(1.05):
            return
        while not self.over.wait(1):
            share = self.proxy.busy_share()
            if share is None:
                return
            if not self.over.is_set():
                self.shares.append(share)

    def start(self):
        self.thread.start()

    def stop(self):
        self.over.set()
        if self.thread.ident:
            self.thread.join()


def load(bed, proxy, rate, seconds, warmup=0):
    """Runs it; what the generator says at its end, and under "cpu" what was spent meanwhile, from the warm-up's end to the last INVITE."""
    argv = bed.inside(bed.gen, ["taskset", "-c", str(bed.generator_core), program("strowger-versus"), *generator_argv(rate, seconds, warmup)[1:]])
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    before_others(child.pid)
    sampler, begin, end, outcome = Sampler(proxy), None, None, None
    try:
        for line in child.stdout:
            said = json.loads(line)
            if said["event"] == "measure":
                begin = moment(bed, proxy, said)
                sampler.start()
            elif said["event"] == "sent":
                end = moment(bed, proxy, said)
                sampler.stop()
            else:
                outcome = said
    finally:
        sampler.stop()
        words = child.communicate()[1]
    if child.returncode or not outcome:
        raise LoadError(f"the generator failed: {words}")
    outcome["words"] = words
    outcome["refused"] = outcome["wrong"].pop("refused")
    outcome["broken"] = sum(outcome.pop("wrong").values())
    outcome["cpu"] = spent(bed, begin, end, sampler.shares)
    outcome["resident_mib"] = resident_mib(proxy.pid)
    return outcome


def moment(bed, proxy, said):
    return {"ns": time.monotonic_ns(), "cpu_ns": cpu_ns(proxy.pid), "forwarded": said["arrived"] + said["answered"],
            "ticks": [core_ticks(core) for core in (bed.generator_core, bed.proxy_core)]}


def spent(bed, begin, end, shares):
    """Per forwarded message (an INVITE to a target, a 200 to the caller), in us:

    us               time on a CPU of all the proxy's threads, the kernel's work in their name included
    core_us          time that its core was not idle, whoever had it: nothing can be hidden from that
    busy_us          of the worker's cycles, those of turns that had work (Strowger; a spinning worker's CPU time is all there is)
    softirq_share    of each core's time, as the kernel's clock ticks saw it, what interrupts took outside of any thread"""
    forwarded = max(1, end["forwarded"] - begin["forwarded"])
    elapsed = end["ns"] - begin["ns"]
    ticks = [{name: after[name] - before[name] for name in after} for before, after in zip(begin["ticks"], end["ticks"])]
    idle, total = (sum(ticks[1][name] for name in names) for names in (("idle", "iowait"), ticks[1]))
    found = {"us": (end["cpu_ns"] - begin["cpu_ns"]) / 1000 / forwarded,
             "core_us": elapsed / 1000 / forwarded * (1 - idle / max(1, total)),
             "share": (end["cpu_ns"] - begin["cpu_ns"]) / elapsed,
             "softirq_share": {name: each["softirq"] / max(1, sum(each.values())) for name, each in zip(("generator", "proxy"), ticks)},
             "steal_share": ticks[1]["steal"] / max(1, total), "forwarded": forwarded, "seconds": elapsed / 1e9}
    if shares:
        found["busy_share"] = median(shares)
        found["busy_us"] = found["busy_share"] * elapsed / 1000 / forwarded
    return found


class Session:
    """A proxy and the kernel UDP generator."""

    def __init__(self, bed, start):
        self.bed, self.start = bed, start
        self.proxy = start()

    def close(self):
        self.proxy.stop()

    def restart(self):
        self.close()
        self.proxy = self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def run(self, rate, seconds, warmup):
        return load(self.bed, self.proxy, rate, seconds, warmup)
