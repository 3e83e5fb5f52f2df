# SPDX-License-Identifier: Apache-2.0
"""Kamailio and Strowger side by side: the same namespaces, the same targets, the same generator on one core, each proxy in turn on the other.

INVITE transactions per second that lose nothing (every INVITE has its 200 within T1, every message comes out as it should), CPU time per
forwarded message, complete SIPp calls; the transactions over TCP and TLS too, TLS handshakes, and what an idle TLS session holds. Kamailio 5.6 with dispatcher and tm, stateful, timers as RFC 3261 and 6026 have them, with its fast
allocator (-x fm -X fm) and with Debian's default one; Strowger on an AF_XDP and an AF_PACKET port, the same timers."""

import sys

import versus_dpdk
import versus_handshakes
import versus_streams
from hugepages import hugepages
from programs import built
from result import Results, arguments, median, spread
from versus_bed import Bed, Kamailio, Strowger
from versus_load import LoadError, Session
from versus_search import Search, against_load, cost_us, held
from versus_sipp import highest

LOW_RATE = 6000
HUGEPAGES = 1536
TARGET_KERNEL, TARGET_DPDK, TARGET_CPU = 4, 8, 1 / 8


class Plan:
    """How long and how often; quick: once, and too short for transactions to end their lingering."""

    def __init__(self, options):
        quick = self.quick = options.quick
        self.shake_s = 1 if quick else 10
        self.rounds = options.rounds or (1 if quick else 2)
        self.search = {"seconds": 0.4, "precision": 0.5, "rise": 1.5, "tries": 1} if quick else {"seconds": 3, "precision": 0.04, "tries": 3}
        self.long = {} if quick else {"long_seconds": 46, "warmup": 35}
        self.low = {"seconds": 1.2, "warmup": 0.2} if quick else {"seconds": 46, "warmup": 35}
        # strowgerd touches all of its memory before it starts: tables for 32 s of the highest rate take seconds, which quick runs do not fill.
        self.room = {"rate": 16000, "message_mb": 512} if quick else {}
        self.low_at_once = quick  # with the proxies of the search, not with fresh ones
        self.beside = not quick
        self.sipp = ([2000], 1) if quick else ([1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000], 10)
        self.loads = [] if quick else [2000, 4000, 6000, 9000, 12000, 16000, 24000, 32000, 48000, 64000]


def say(words):
    print(words, file=sys.stderr, flush=True)


def kernel_sessions(bed, plan, children):
    """{name: how to open it}, in the order in which they take turns: the kernel UDP generator."""
    starters = {"kamailio": lambda: Kamailio(bed, "fm", children), "strowger": lambda: Strowger(bed, "af_xdp", **plan.room)}
    if plan.beside:
        starters.update({"kamailio_default_allocator": lambda: Kamailio(bed, "", children), "strowger_af_packet": lambda: Strowger(bed, "af_packet", **plan.room)})
    return {name: lambda start=start: Session(bed, start) for name, start in starters.items()}


def dpdk_sessions(bed, plan, children):
    """The DPDK generator."""
    return {"kamailio": lambda: versus_dpdk.Session(bed, lambda: versus_dpdk.OwnKamailio(bed, "fm", children)),
            "strowger": lambda: versus_dpdk.Session(bed, lambda: Strowger(bed, **{"rate": 160000, **plan.room}))}


def low_sessions(bed, plan, children):
    """A spinning worker's CPU time says nothing, so Strowger runs twice: its busy cycles, and asleep when idle."""
    sessions = {**dpdk_sessions(bed, plan, children), "strowger_sleeping": lambda: versus_dpdk.Session(bed, lambda: Strowger(bed, idle="sleep", **plan.room))}
    if plan.beside:
        sessions["kamailio_default_allocator"] = lambda: versus_dpdk.Session(bed, lambda: versus_dpdk.OwnKamailio(bed, "", children))
    return sessions


FIRST_GUESS = {"kamailio": 16000, "kamailio_default_allocator": 12000, "strowger": 40000, "strowger_af_packet": 20000}


def rates(plan, sessions, low=None):
    """{name: [outcome of the best run of each round, with its trials]}, A B A B. sessions: {name: how to open one}. low: where the outcomes of runs
    at LOW_RATE are put first, {name: list}; none where there is no such list."""
    found = {name: [] for name in sessions}
    for _ in range(plan.rounds):
        for name, session in sessions.items():
            guess = found[name][-1]["offered"] if found[name] else FIRST_GUESS[name]
            with session() as opened:
                search = Search(opened, **plan.search, **plan.long)
                if low is not None:
                    search.ready()
                    low.setdefault(name, []).append(opened.run(LOW_RATE, **plan.low))
                best = search.run(guess)
            best["trials"] = search.trials
            found[name].append(best)
            say(f"versus: {name}: {best['rate']:.0f} INVITE/s, {best['cpu']['us']:.1f} us a forwarded message, "
                f"generator {best['generator']['busy']:.0%} busy")
    return found


def low_rates(plan, sessions):
    """{name: outcomes} at a load that all bear easily."""
    found = {name: [] for name in sessions}
    for _ in range(plan.rounds):
        for name, session in sessions.items():
            with session() as opened:
                Search(opened, **plan.search).ready()
                found[name].append(opened.run(LOW_RATE, **plan.low))
            cpu = found[name][-1]["cpu"]
            say(f"versus: {name} at {LOW_RATE} INVITE/s: {cpu['us']:.1f} us CPU a forwarded message"
                + (f", {cpu['busy_us']:.1f} us busy" if "busy_us" in cpu else ""))
    return found


def cost_series(bed, plan, children):
    """{line: [[INVITE/s, us per forwarded message]]}, as far as each goes without loss; none in a quick run, where the searches' own runs must do."""
    series = {}
    if not plan.loads:
        return series
    for name, start, measure in (("Kamailio", lambda: Kamailio(bed, "fm", children), "us"), ("Strowger, AF_XDP", lambda: Strowger(bed), "busy_us")):
        with Session(bed, start) as session:
            Search(session, **plan.search).ready()
            for rate in plan.loads:
                outcome = session.run(rate, 5, 0.5)
                if not held(outcome):
                    break
                series.setdefault(f"{name} against INVITE/s", []).append([rate, outcome["cpu"][measure]])
    return series


def best_rate(found):
    return median([outcome["rate"] for outcome in found])


def rate_part(name, strowger, kamailio, target):
    """One generator's comparison; both are lists of outcomes."""
    ratio = best_rate(strowger) / best_rate(kamailio)
    ratios = [best["rate"] / best_rate(kamailio) for best in strowger]
    return {"part": name, "value": ratio, "target": f">= {target}", "reached": ratio >= target, "spread": spread(ratios),
            "strowger": best_rate(strowger), "kamailio": best_rate(kamailio),
            "generator_busy": median([best["generator"]["busy"] for best in strowger])}


def add_rate(results, found, dpdk):
    parts = [rate_part("kernel UDP generator", found["strowger"], found["kamailio"], TARGET_KERNEL),
             rate_part("DPDK generator on AF_XDP", dpdk["strowger"], dpdk["kamailio"], TARGET_DPDK)]
    worst = min(parts, key=lambda part: part["value"] / float(part["target"].split()[1]))
    beside = {name: best_rate(outcomes) for name, outcomes in found.items()}
    beside.update({f"{name}_dpdk_generator": best_rate(outcomes) for name, outcomes in dpdk.items()})
    results.add("versus_rate", worst["value"], "x Kamailio", target=worst["target"], reached=all(part["reached"] for part in parts),
                beside=beside, spread=worst["spread"], detail={
                    "parts": parts, "runs": {name: [summary(outcome) for outcome in outcomes] for name, outcomes in found.items()},
                    "runs_dpdk_generator": {name: [summary(outcome) for outcome in outcomes] for name, outcomes in dpdk.items()}})


def summary(outcome):
    kept = {name: outcome[name] for name in ("offered", "rate", "seconds", "sent", "answered", "lost", "late", "setup_us", "generator", "cpu",
                                             "resident_mib")}
    return {**kept, "trials": outcome.get("trials", [])}


def cpu_of(outcomes, measure):
    return median([outcome["cpu"][measure] for outcome in outcomes])


def add_cpu(results, found, low, dpdk, series):
    strowger, kamailio = median([cost_us(o) for o in dpdk["strowger"]]), cpu_of(dpdk["kamailio"], "us")
    low_strowger, low_kamailio = cpu_of(low["strowger"], "busy_us"), cpu_of(low["kamailio"], "us")
    parts = [
        {"part": "saturated", "value": strowger / kamailio, "strowger_us": strowger, "kamailio_us": kamailio,
         "strowger_busy_share": median([o["cpu"].get("busy_share", 1) for o in dpdk["strowger"]]),
         "core_us": {name: cpu_of(dpdk[name], "core_us") for name in ("strowger", "kamailio")},
         "spread": spread([cost_us(o) / kamailio for o in dpdk["strowger"]])},
        {"part": f"at {LOW_RATE} INVITE/s", "value": low_strowger / low_kamailio, "strowger_us": low_strowger, "kamailio_us": low_kamailio,
         "core_us": {name: cpu_of(outcomes, "core_us") for name, outcomes in low.items()},
         "spread": spread([o["cpu"]["busy_us"] / low_kamailio for o in low["strowger"]])},
    ]
    if "strowger_sleeping" in low:
        parts[1]["strowger_sleeping_us"] = cpu_of(low["strowger_sleeping"], "us")
    for part in parts:
        part.update(target=f"<= {TARGET_CPU:g}", reached=part["value"] <= TARGET_CPU)
    worst = max(parts, key=lambda part: part["value"])
    beside = {"strowger_saturated_us": strowger, "kamailio_saturated_us": kamailio, "strowger_busy_us": low_strowger,
              "kamailio_us": low_kamailio}
    if "strowger_sleeping" in low:
        beside["strowger_sleeping_us"] = cpu_of(low["strowger_sleeping"], "us")
    for where, outcomes in (("saturated", found), (f"at_{LOW_RATE}", low)):
        if "kamailio_default_allocator" in outcomes:
            beside[f"kamailio_default_allocator_{where}_us"] = cpu_of(outcomes["kamailio_default_allocator"], "us")
    results.add("versus_cpu", worst["value"], "x Kamailio", target=worst["target"], beside=beside, spread=worst["spread"], detail={
        "parts": parts, "series": series, "runs": {name: [summary(outcome) for outcome in outcomes] for name, outcomes in low.items()}})


def add_sipp(results, bed, plan, children):
    found = {}
    for name, start in (("kamailio", lambda: Kamailio(bed, "fm", children, record_route=True)), ("strowger", lambda: Strowger(bed, idle="sleep", **plan.room))):
        with start() as proxy:
            best, runs = highest(bed, proxy, *plan.sipp)
        found[name] = (best, runs)
        say(f"versus: {name}: {best['rate']:.0f} SIPp calls/s, {best['cpu_us']:.1f} us a forwarded message")
    strowger, kamailio = found["strowger"][0], found["kamailio"][0]
    results.add("versus_sipp", strowger["rate"], "calls/s", beside={"kamailio": kamailio["rate"]}, detail={
        "limit": "SIPp: both its ends share one core", "offered_at_most": plan.sipp[0][-1],
        "strowger_us": strowger["cpu_us"], "kamailio_us": kamailio["cpu_us"], "runs": {name: runs for name, (_, runs) in found.items()}})


def udp(results, plan, children):
    with Bed() as bed:
        found = rates(plan, kernel_sessions(bed, plan, children))
        series = cost_series(bed, plan, children)
    with versus_dpdk.Bed() as bed:
        low = {} if plan.low_at_once else None
        dpdk = rates(plan, dpdk_sessions(bed, plan, children), low)
        low = low or low_rates(plan, low_sessions(bed, plan, children))
    for name, line in (("kamailio", "Kamailio"), ("strowger", "Strowger, AF_XDP")):
        series.setdefault(f"{line} against INVITE/s", against_load(dpdk[name] + low[name]))
    add_rate(results, found, dpdk)
    add_cpu(results, found, low, dpdk, series)


def sipp(results, plan, children):
    with Bed() as bed:
        add_sipp(results, bed, plan, children)


def tcp(results, plan, children):
    versus_streams.compare(results, "tcp", plan, children, summary)


def tls(results, plan, children):
    versus_streams.compare(results, "tls", plan, children, summary)
    versus_handshakes.compare(results, plan)


PARTS = {"udp": udp, "sipp": sipp, "tcp": tcp, "tls": tls}


def more(parser):
    parser.add_argument("--rounds", type=int, metavar="N", help="how often each proxy has its turn")
    parser.add_argument("--children", type=int, default=2, metavar="N",
                        help="Kamailio's workers, all on its one core (2: with one it lost its pace sooner, with four it was no faster)")
    parser.add_argument("--only", action="append", choices=PARTS, help="a part of it; may be given again")


def main():
    options = arguments("bench/versus", __doc__, more)
    if not options.no_build:
        built("bench/strowger-handshakes", "bench/strowger-versus", "bench/strowger-wire", "strowgerd", "strowgerctl")
    plan = Plan(options)
    results = Results("bench/versus" + (" --quick" if options.quick else ""))
    with hugepages(HUGEPAGES):
        for name in options.only or PARTS:
            PARTS[name](results, plan, options.children)
    results.finish(options.json)


if __name__ == "__main__":
    try:
        main()
    except (LoadError, versus_dpdk.wire_bed.BedError, RuntimeError) as error:
        sys.exit(f"bench/versus: {error}")
