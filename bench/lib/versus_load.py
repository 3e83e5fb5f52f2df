# SPDX-License-Identifier: Apache-2.0
"""One load through the proxy of the moment from the kernel UDP generator, and what it cost there."""

import json
import subprocess
import sys
import time

from programs import program
from versus_bed import CALLER, NUMBERS, PORT, TARGETS, US, before_others, core_ticks, cpu_ns, resident_mib
from wire_bed import BedError


class LoadError(Exception):
    pass


def twice(measure):
    """A machine that stops for seconds spoils what it stops: that is made once more, not more often."""
    try:
        return measure()
    except (LoadError, BedError) as error:
        print(f"versus: {error}; once more", file=sys.stderr, flush=True)
        return measure()


def late_ms(seconds):
    """An answer after T1 is as bad as none, since the caller would have sent its INVITE again. In a short run sooner: a queue that grows all the
    while may still be short at its end."""
    return min(500, int(seconds * 100))


def generator_argv(rate, seconds, warmup, words=()):
    targets = [word for target in TARGETS for word in ("--target", target)]
    return ["strowger-versus", "--proxy", US, "--caller", CALLER, *targets, "--port", str(PORT), "--numbers", str(NUMBERS),
            "--rate", f"{rate:.0f}", "--seconds", str(seconds), "--warmup", str(warmup), "--late-ms", str(late_ms(seconds)),
            "--seed", str(time.time_ns()), *words]


def load(bed, proxy, rate, seconds, warmup=0, words=()):
    """Runs it, with more words to the generator; what the generator says at its end, and under "cpu" what was spent meanwhile, from the warm-up's end to the last INVITE."""
    argv = bed.inside(bed.gen, ["taskset", "-c", str(bed.generator_core), program("strowger-versus"), *generator_argv(rate, seconds, warmup, words)[1:]])
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    before_others(child.pid)
    begin, end, outcome = None, None, None
    try:
        for line in child.stdout:
            said = json.loads(line)
            if said["event"] == "measure":
                begin = moment(bed, proxy, said["arrived"] + said["answered"])
            elif said["event"] == "sent":
                end = moment(bed, proxy, said["arrived"] + said["answered"])
            else:
                outcome = said
    finally:
        words = child.communicate()[1]
    if child.returncode or not outcome:
        raise LoadError(f"the generator failed: {words}")
    outcome["words"] = words
    outcome["refused"] = outcome["wrong"].pop("refused")
    outcome["broken"] = sum(outcome.pop("wrong").values())
    outcome["cpu"] = spent(bed, begin, end)
    outcome["resident_mib"] = resident_mib(proxy.pid)
    return outcome


def moment(bed, proxy, done):
    return {"ns": time.monotonic_ns(), "cpu_ns": cpu_ns(proxy.pid), "busy_s": proxy.busy_s(), "forwarded": done,
            "ticks": [core_ticks(core) for core in (bed.generator_core, bed.proxy_core)]}


def spent(bed, begin, end):
    """Per forwarded message (an INVITE to a target, a 200 to the caller), in us:

    us               time on a CPU of all the proxy's threads, the kernel's work in their name included
    core_us          time that its core was not idle, whoever had it: nothing can be hidden from that
    busy_us          what those turns of the worker took that had work (Strowger; a spinning worker's CPU time is all there is)
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
    if begin["busy_s"] is not None:
        found["busy_us"] = (end["busy_s"] - begin["busy_s"]) * 1e6 / forwarded
        found["busy_share"] = (end["busy_s"] - begin["busy_s"]) * 1e9 / elapsed
    return found


class Session:
    """A proxy and the generator of kernel sockets. start: gives a proxy, told whether a long run is to come (`lasting`); words: what the generator is told beside
    the load."""

    def __init__(self, bed, start, words=()):
        self.bed, self.start, self.words = bed, start, words
        self.proxy = start(lasting=True)

    def close(self):
        self.proxy.stop()

    def restart(self, lasting):
        self.close()
        self.proxy = self.start(lasting=lasting)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def run(self, rate, seconds, warmup):
        return load(self.bed, self.proxy, rate, seconds, warmup, self.words)
