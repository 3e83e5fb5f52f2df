# SPDX-License-Identifier: Apache-2.0
"""Drives strowgerd over a wire with a DPDK generator on the other core, and testpmd macswap over the same wire in turn.

The generator makes calls with state, plays the targets too, and matches every message that comes back to its call. Rates are forwarded messages per
second at zero loss: found by short trials, confirmed by a run that outlasts the RFC's longest timer.

  memif_in_dialog   INFO and UPDATE of calls that are up, from both sides in random order, and their 200s, over memif
  memif_stateful    INVITE and 200 with fresh Call-IDs, the 100 beside them, over memif
  veth_afxdp        both over a veth pair, both ends AF_XDP: share of testpmd's rate there; the worse of the two
  veth_afpacket     the same, both ends AF_PACKET
  tcp_memif         INVITE and 200 over memif by TCP, 100 connections of callers and one to each target
  tls_memif         the same by TLS 1.3
  delay             what in-dialog messages are delayed at half that load over memif, above testpmd's at the same rate: us, the worse of p99
                    and p99.9"""

import shutil
import signal
import sys
import threading

from hugepages import hugepages
from programs import built
from result import Results, arguments, median, spread
from wire_bed import DEVICE_CORE, MAKES, RINGS, Bed, BedError, Generator, Strowger, Testpmd, stolen_us
from wire_search import WIDEN, Search

HUGEPAGES = 1536
MODES = ("in-dialog", "stateful")
LINE_RATE = 1.73e6  # of 700-byte frames in 10 Gbit/s
# Lingering transactions are those of 32 s: there is room for those of 560,000 INVITEs a second, and for a million at a time without an answer. Calls that nobody
# hangs up end after some seconds.
LIMITS = {"in-dialog": {"transactions": 1 << 21, "in_progress": 1 << 17, "calls": 1 << 21, "message_mb": 1024},
          "calls": {"transactions": (1 << 23) - 1, "calls": 1 << 20, "message_mb": 2048},
          "stateful": {"transactions": 18 << 20, "in_progress": 1 << 20, "calls": 1 << 22, "call_age_s": 4, "message_mb": 2048}}
# Quick runs are too short for more to linger, and strowgerd touches all of its memory before it starts.
LIMITS_QUICK = {"in-dialog": {"transactions": 1 << 15, "calls": 1 << 15, "message_mb": 64},
                "stateful": {"transactions": 1 << 21, "in_progress": 1 << 17, "calls": 1 << 21, "call_age_s": 4, "message_mb": 640}}
# Where the kernel is in between, or TCP, a quick run does a fraction of that.
LIMITS_QUICK_SLOW = {"transactions": 1 << 18, "calls": 1 << 18, "message_mb": 128}
# Where searches begin.
FIRST = {("memif", "in-dialog"): 1600e3, ("memif", "stateful"): 800e3, ("af_xdp", "in-dialog"): 500e3, ("af_xdp", "stateful"): 280e3,
         ("af_packet", "in-dialog"): 350e3, ("af_packet", "stateful"): 220e3, ("tcp", "in-dialog"): 500e3, ("tcp", "stateful"): 360e3, ("tcp", "calls"): 300e3,
         ("tls", "stateful"): 160e3, ("memif", "testpmd"): 1700e3, ("af_xdp", "testpmd"): 550e3, ("af_packet", "testpmd"): 500e3}
HELD = {"memif": 1 << RINGS, "af_xdp": 2048, "af_packet": 2048}
PAUSES_US, ADDED_US = 50, 10
# Where a system call sends, what is due within so long goes by one: the generator's core does the kernel's work too, and is soon full.
GATHER_US = {"memif": 0, "af_xdp": 50, "af_packet": 50}
PARTS = ("memif", "veth_afxdp", "veth_afpacket", "tcp")
# Connections of callers, at least one for each make; the first is what the figure is taken with.
CONNECTIONS = (100, MAKES, 10000)
LOADS = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
TRIES = 2  # of a pair that breaks


class Plan:
    def __init__(self, options):
        quick = self.quick = options.quick
        self.rounds = {"memif": 1 if quick else 2, "af_xdp": 1, "af_packet": 1}
        if options.rounds:
            self.rounds = dict.fromkeys(self.rounds, options.rounds)
        self.limits = LIMITS_QUICK if quick else LIMITS
        self.trial_s = 0.15 if quick else 1
        # Transactions linger for 32 s: the run that confirms a rate lasts longer, behind a search that has left some already.
        self.long_s = {"strowger": 0.25 if quick else 36, "testpmd": 0.15 if quick else 4}
        self.voids = 0 if quick else 5
        self.widen, self.again = (1.3, 1.3) if quick else (WIDEN, 1.1)
        self.resolution = 0.25 if quick else 0.03
        self.calls = {"in-dialog": 1 << 13 if quick else 1 << 20, "stateful": 1 << 17, "calls": 1 << 18}
        self.tcp = [("stateful", "tcp", 100), ("stateful", "tls", 100)]
        if options.all_connections:
            self.tcp = [*((mode, "tcp", connections) for connections in CONNECTIONS for mode in MODES), ("calls", "tcp", 100),
                        *(("stateful", "tls", connections) for connections in CONNECTIONS)]
        self.delay_s = 0.15 if quick else 1.5
        self.loads = (0.25, 0.5, 0.9) if quick else LOADS


class BusyWatch(threading.Thread):
    """Reads once a second how busy the device is, while a trial runs."""

    def __init__(self, device):
        super().__init__(daemon=True)
        self.device, self.shares, self.end = device, [], threading.Event()

    def run(self):
        while not self.end.wait(1):
            self.shares.append(self.device.busy())

    def share(self):
        """None: the trial was too short to tell."""
        self.end.set()
        self.join()
        whole = self.shares[1:-1] or self.shares[-1:]
        return median(whole) if whole else None


class Pair:
    """A device on one end of the wire, the generator on the other."""

    serial = 0

    def __init__(self, bed, device, mode, plan, transport="udp", connections=0):
        """connections: of callers, by TCP or TLS."""
        Pair.serial += 1
        limits = LIMITS_QUICK_SLOW if plan.quick and (connections or bed.way != "memif") else plan.limits[mode]
        if connections:
            limits = {**limits, "transport": transport, "room": {"connections": connections + 1024, "connections_per_source": 0}}
        wire = [*(["--tcp", str(connections)] if connections else []), *(["--tls"] if transport == "tls" else [])]
        starts = {"device": lambda: Strowger(bed, **limits) if device == "strowger" else Testpmd(bed),
                  "generator": lambda: Generator(bed, mode, *wire, echo=device != "strowger", calls=plan.calls[mode], salt=Pair.serial, gather_us=GATHER_US[bed.way])}
        self.device = self.generator = None
        try:
            for end in ("generator", "device") if bed.generator_copies else ("device", "generator"):  # who listens comes first
                setattr(self, end, starts[end]())
            self.generator.meet()
            if mode == "in-dialog":
                self.generator.set_up()
            self.run(10000, 0.1)  # the first messages meet cold tables
        except BedError:
            self._stop()
            raise

    def run(self, rate, seconds):
        watch = BusyWatch(self.device) if self.device.name == "strowger" else None
        if watch:
            watch.start()
        before = self._away_us()
        trial = self.generator.run(rate, seconds)
        trial["device_away_us"] = self._away_us() - before
        if watch:
            trial["device_busy"] = watch.share()
        return trial

    def _away_us(self):
        """For how long the device's worker was kept from its core, so far."""
        return self.device.process.waited_us() + stolen_us(DEVICE_CORE)

    def __enter__(self):
        return self

    def _stop(self):
        if self.generator:
            self.generator.close()
        if self.device:
            self.device.stop()

    def __exit__(self, *_):
        self._stop()


def tell(words):
    print(words, file=sys.stderr, flush=True)


def short(trial):
    """A trial as it is kept in the detail."""
    kept = ("offered", "rate", "seconds", "lost", "wrong", "late", "repeated", "statuses_bad", "started", "skipped", "held_back", "busy",
            "device_busy", "longest_gap_us", "device_away_us", "void", "passed", "bytes")
    return {name: trial[name] for name in kept if name in trial}


def zero_loss(bed, device, mode, plan, before=None, then=None, transport="udp", connections=0):
    """{"rate": ..., "long": the confirming run, "trials": all, "limit": what ended the rise}. before: the rate of the round before.
    then(pair, rate): what else is to be done with the two. A pair that breaks is made once more."""
    for tries in range(TRIES):
        try:
            with Pair(bed, device, mode, plan, transport, connections) as pair:
                return searched(pair, bed, mode, plan, before, then, transport, connections)
        except BedError as error:
            if tries + 1 == TRIES:
                raise
            tell(f"  {error}; once more")


def first_of(way, device, mode, transport):
    if device != "strowger":
        return FIRST[way, "testpmd"]
    return FIRST[transport if transport != "udp" else way, mode]


def searched(pair, bed, mode, plan, before, then, transport, connections):
    device = pair.device.name
    search = Search(pair.run, HELD[bed.way], plan.voids, plan.again if before else plan.widen)
    best = search.bracket(before or first_of(bed.way, device, mode, transport), plan.trial_s, plan.resolution)
    limit = search.limit
    last = search.confirm(best, plan.long_s[device]) if best else None
    found = {"rate": last["rate"] if last else 0, "above": search.above(last["rate"] if last else 0), "long": short(last) if last else None, "limit": limit, "trials": [short(trial) for trial in search.trials]}
    if then:
        then(pair, found["rate"])
    if device == "strowger":
        found["counters"] = {name: count for name, count in pair.device.counters().items() if count}
    tell(f"  {bed.way} {mode} {device}{f', {transport}, {connections} connections' if connections else ''}: {found['rate'] / 1e6:.3f} Mmsg/s at zero loss; above that {limit}")
    return found


def side_by_side(way, modes, plan, then=None):
    """{mode: {device: [found, ...]}}: a device after the other, mode by mode, again and again.
    Quick: testpmd, to whom all messages are alike, once."""
    found = {mode: {"strowger": [], "testpmd": []} for mode in modes}
    with Bed(way, generator_copies=way == "memif") as bed:
        for _ in range(plan.rounds[way]):
            for mode in modes:
                for device, runs in found[mode].items():
                    if plan.quick and device == "testpmd" and mode != modes[0]:
                        runs += found[modes[0]][device]
                        continue
                    before = runs[-1]["rate"] if runs else None
                    runs.append(zero_loss(bed, device, mode, plan, before, then if mode == modes[0] else None))
    return found


def rates(runs):
    return [run["rate"] for run in runs]


def rates_spread(runs):
    """Of several rounds what each has found; of one what is between the rate that held and what did not."""
    return spread(rates(runs)) if len(runs) > 1 else [runs[0]["rate"], max(runs[0]["rate"], runs[0]["above"] or 0)]


def detail_of(found):
    """The trials of one round suffice; of the others what came out."""
    detail = {}
    for device, runs in found.items():
        detail[device] = {"rates": rates(runs), "limit": [run["limit"] for run in runs], "long": [run["long"] for run in runs],
                          "trials": runs[-1]["trials"]}
        if "counters" in runs[-1]:
            detail[device]["counters"] = runs[-1]["counters"]
    return detail


def with_copies(mode, plan):
    """The highest rate of short trials where strowgerd's driver copies too: what it is spared otherwise."""
    with Bed("memif") as bed, Pair(bed, "strowger", mode, plan) as pair:
        best = Search(pair.run, HELD["memif"], plan.voids, plan.again).bracket(FIRST["memif", mode], plan.trial_s, plan.resolution)
    tell(f"  memif {mode} strowger, copying: {best / 1e6:.3f} Mmsg/s in short trials")
    return best


def memif_keys(results, plan, delays):
    """delays: is given the delays at half the load, measured while the two are there; None: nobody wants them."""
    best = 0

    def at_half_load(pair, rate):
        nonlocal best
        best = rate if pair.device.name == "strowger" else best
        delays.add(pair, best)

    found = side_by_side("memif", MODES, plan, at_half_load if delays else None)
    copying = {mode: with_copies(mode, plan) for mode in MODES}
    for mode, key, target in (("in-dialog", "memif_in_dialog", LINE_RATE), ("stateful", "memif_stateful", 1e6)):
        ours = rates(found[mode]["strowger"])
        results.add(key, median(ours), "msg/s", target=f">= {target:.0f}", spread=rates_spread(found[mode]["strowger"]), detail=detail_of(found[mode]),
                    beside={"testpmd macswap": median(rates(found[mode]["testpmd"])), "with copies at both ends, short trials": copying[mode]})


def veth_key(results, way, key, plan):
    found = side_by_side(way, MODES, plan)
    targets = {"in-dialog": 0.9, "stateful": 0.75}
    parts = {}
    for mode in MODES:
        ratios = [a / b if b else 0 for a, b in zip(rates(found[mode]["strowger"]), rates(found[mode]["testpmd"]))]
        bounds = spread(ratios)
        if len(ratios) == 1:
            ours, theirs = (rates_spread(found[mode][device]) for device in ("strowger", "testpmd"))
            bounds = [ours[0] / theirs[1], ours[1] / theirs[0]] if theirs[0] else ratios * 2
        parts[mode] = {"ratio": median(ratios), "spread": bounds, "target": targets[mode], "reached": median(ratios) >= targets[mode]}
    worst = min(parts, key=lambda mode: parts[mode]["ratio"] / targets[mode])
    results.add(key, parts[worst]["ratio"], "of testpmd", target=f">= {targets[worst]}", reached=all(part["reached"] for part in parts.values()),
                spread=parts[worst]["spread"], beside={"testpmd macswap, msg/s": median(rates(found[worst]["testpmd"]))},
                detail={"parts": parts, **{mode: detail_of(found[mode]) for mode in MODES}})


def stream_keys(results, plan):
    """tcp_memif and tls_memif: the slower of what was taken with the first number of connections; beside it the others."""
    parts = {"tcp": [], "tls": []}
    with Bed("memif", generator_copies=True) as bed:
        for mode, transport, connections in plan.tcp:
            runs = [zero_loss(bed, "strowger", mode, plan, transport=transport, connections=connections)]
            parts[transport].append({"part": f"{mode}, {connections:,} connections", "value": median(rates(runs)), "spread": rates_spread(runs),
                                     "connections": connections, "limit": runs[-1]["limit"], "trials": runs[-1]["trials"], "counters": runs[-1]["counters"]})
    for transport, of_one in parts.items():
        worst = min((part for part in of_one if part["connections"] == CONNECTIONS[0] and not part["part"].startswith("calls")), key=lambda part: part["value"])
        results.add(f"{transport}_memif", worst["value"], "msg/s", spread=worst["spread"],
                    beside={part["part"]: part["value"] for part in of_one if part is not worst}, detail={"parts": of_one})


class Delays:
    """From sending to receiving, over memif, at shares of the rate that strowgerd has at zero loss."""

    def __init__(self, plan):
        self.plan, self.runs, self.gaps = plan, {"strowger": [], "testpmd": []}, []

    def add(self, pair, best):
        """One after the other; and what an empty loop on the generator's core would have added."""
        runs = {}
        for load in self.plan.loads:
            trial = pair.run(max(load * best, 1000), self.plan.delay_s)
            runs[load] = {**trial["delay_us"], **{name: trial[name] for name in ("offered", "rate", "lost", "busy", "device_away_us")}}
        gaps = pair.generator.gaps(self.plan.delay_s)["gaps_us"]
        self.runs[pair.device.name].append(runs)
        self.gaps.append(gaps)

    def at(self, device, load, what):
        return median([runs[load][what] for runs in self.runs[device]])

    def report(self, results):
        quantiles, loads = ("p50", "p99", "p999"), self.plan.loads
        added = {q: self.at("strowger", 0.5, q) - self.at("testpmd", 0.5, q) for q in ("p50", "p90", "p99", "p999")}
        worst = max(("p99", "p999"), key=added.get)
        rounds = list(zip(self.runs["strowger"], self.runs["testpmd"]))
        pairs = [a[0.5][worst] - b[0.5][worst] for a, b in rounds]
        series = {f"{device} {q}": [[self.at(device, load, "offered"), self.at(device, load, q)] for load in loads]
                  for device in self.runs for q in quantiles}
        beside = {f"{device} {q}": self.at(device, 0.5, q) for device in self.runs for q in quantiles}
        beside |= {f"empty loop {q}": median([gap[q] for gap in self.gaps]) for q in ("p99", "p999")}
        pauses = median([gap["p99"] for gap in self.gaps])
        note = None
        if pauses > PAUSES_US:
            note = (f"the host stops an empty loop for {pauses:.0f} us at p99, more than the device could add: p99 and p99.9 compare the "
                    "host's pauses in two runs, p50 and p90 the devices")
        # Pauses of the host fall now on one, now on the other: what holds in each round is no luck.
        reached = all(a[0.5][q] - b[0.5][q] <= ADDED_US for a, b in rounds for q in ("p99", "p999"))
        results.add("delay", added[worst], "us", target=f"<= {ADDED_US}", reached=reached, spread=spread(pairs), beside=beside,
                    detail={"load_msgs_s": self.at("strowger", 0.5, "offered"), "added_us": added, "note": note, "runs": self.runs,
                            "empty_loop_us": self.gaps, "series": series})


def add_options(parser):
    parser.add_argument("--only", action="append", choices=PARTS, help="a part of it: memif (and delay), tcp (and tls), or one of the others; may be given again")
    parser.add_argument("--rounds", type=int, metavar="N", help="how often each device has its turn")
    parser.add_argument("--all-connections", action="store_true", help="TCP and TLS with 8 and 10,000 connections, in-dialog messages and whole calls too: some ten minutes more")


def main():
    options = arguments("bench/wire", __doc__, add_options)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by way of what takes the namespaces down
    if not shutil.which("dpdk-testpmd"):
        sys.exit("bench/wire: there is no dpdk-testpmd: install Debian's dpdk-dev")
    if not options.no_build:
        built("strowgerd", "strowgerctl", "bench/strowger-wire")
    plan, results = Plan(options), Results("bench/wire" + (" --quick" if options.quick else ""))
    only = options.only or list(PARTS)
    delays = Delays(plan) if "memif" in only else None
    with hugepages(HUGEPAGES):
        if delays:
            memif_keys(results, plan, delays)
            delays.report(results)
        for way, key in (("af_xdp", "veth_afxdp"), ("af_packet", "veth_afpacket")):
            if key in only:
                veth_key(results, way, key, plan)
        if "tcp" in only:
            stream_keys(results, plan)
    results.finish(options.json)


if __name__ == "__main__":
    try:
        main()
    except BedError as error:
        sys.exit(f"bench/wire: {error}")
