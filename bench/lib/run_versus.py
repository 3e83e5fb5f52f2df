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
from versus_load import LoadError, Session, twice
from versus_search import Search, against_load, cost_us
from versus_sipp import highest

LOW_RATE = 6000
HUGEPAGES = 1536
TARGET_KERNEL, TARGET_DPDK, TARGET_CPU = 4, 8, 1 / 8


class Plan:
    """How long and how often; quick: once, and too short for transactions to end their lingering."""

    def __init__(self, options):
        quick = self.quick = options.quick
        self.shake_s = 0.5 if quick else 3
        self.rounds = options.rounds or (1 if quick else 2)
        self.rounds_streams = options.rounds or 1
        # again: from the second round on, near what the first has found.
        self.search = {"seconds": 0.25, "precision": 0.5, "rise": 1.5, "tries": 1, "wake_s": 0.15} if quick else {"seconds": 1.2, "precision": 0.04, "tries": 3}
        self.again = {} if quick else {"rise": 1.1}
        self.long = {} if quick else {"long_seconds": 40}
        self.low = {"seconds": 0.6, "warmup": 0.1} if quick else {"seconds": 37, "warmup": 33}
        # strowgerd touches all of its memory before it starts: tables for 32 s of the highest rate take seconds, which quick runs do not fill.
        self.room = {"rate": 16000, "message_mb": 384} if quick else {}
        self.kamailio = {"mib": 1536} if quick else {}
        self.beside = not quick
        self.sipp = ([2000], 0.8, 0) if quick else ([2000, 4000, 6000, 8000], 2, 34)
        self.loads = [] if quick else [2000, 12000, 24000, 48000, 96000]


def say(words):
    print(words, file=sys.stderr, flush=True)


def kernel_sessions(bed, plan, children):
    """{name: (how to open it, rounds)}, in the order in which they take turns: the kernel UDP generator."""
    sessions = {"kamailio": (lambda: Session(bed, lambda lasting: Kamailio(bed, "fm", children, lasting=lasting, **plan.kamailio)), plan.rounds),
                "strowger": (lambda: Session(bed, lambda lasting: Strowger(bed, "af_xdp", **plan.room)), plan.rounds)}
    if plan.beside:
        sessions["kamailio_default_allocator"] = (lambda: Session(bed, lambda lasting: Kamailio(bed, "", children, lasting=lasting, **plan.kamailio)), 1)
    return sessions


def dpdk_sessions(bed, plan, children):
    """The DPDK generator."""
    return {"kamailio": (lambda: versus_dpdk.Session(bed, lambda lasting: versus_dpdk.OwnKamailio(bed, "fm", children, lasting=lasting, **plan.kamailio)), plan.rounds),
            "strowger": (lambda: versus_dpdk.Session(bed, lambda lasting: Strowger(bed, **plan.room)), plan.rounds)}


FIRST_GUESS = {"kamailio": 28000, "kamailio_default_allocator": 12000, "strowger": 120000}


def outcome_of(plan, session, guess, again, low):
    """The best run of a search; behind what is asked for at LOW_RATE: low, a list for that and for the loads of the plot, or None."""
    with session() as opened:
        search = Search(opened, **{**plan.search, **(plan.again if again else {})}, **plan.long)
        if low is not None:
            search.ready()
            low.append(opened.run(LOW_RATE, **plan.low))
            for rate in plan.loads:
                if not search.holds(rate, plan.search["seconds"]):
                    break
        best = search.run(guess)
    return {**best, "trials": search.trials, "above": search.above}


def rates(plan, sessions, low=None):
    """{name: [outcome of the best run of each round, with its trials]}, A B A B. sessions: {name: (how to open one, rounds)}. low: where the outcomes of runs
    at LOW_RATE are put, {name: list}, one for each; none where there is no such list."""
    found = {name: [] for name in sessions}
    for round_ in range(plan.rounds):
        for name, (session, rounds) in sessions.items():
            if round_ >= rounds:
                continue
            guess = found[name][-1]["offered"] if round_ else FIRST_GUESS[name]
            of_low = []
            best = twice(lambda: outcome_of(plan, session, guess, round_, of_low if low is not None and not round_ else None))
            found[name].append(best)
            say(f"versus: {name}: {best['rate']:.0f} INVITE/s, {best['cpu']['us']:.1f} us a forwarded message, "
                f"generator {best['generator']['busy']:.0%} busy")
            if of_low:
                low[name] = of_low[-1:]
                say_low(name, low[name][0])
    return found


def say_low(name, outcome):
    cpu = outcome["cpu"]
    say(f"versus: {name} at {LOW_RATE} INVITE/s: {cpu['us']:.1f} us CPU a forwarded message" + (f", {cpu['busy_us']:.1f} us busy" if "busy_us" in cpu else ""))


def asleep(bed, plan):
    """The outcome at LOW_RATE of a worker that sleeps when idle: a spinning one's CPU time says nothing, so there its busy cycles count."""
    with versus_dpdk.Session(bed, lambda lasting: Strowger(bed, idle="sleep", **plan.room)) as session:
        Search(session, **plan.search).ready()
        outcome = session.run(LOW_RATE, **plan.low)
    say_low("strowger, sleeping", outcome)
    return outcome


def best_rate(found):
    return median([outcome["rate"] for outcome in found])


def ratio_spread(strowger, kamailio):
    """Of several rounds what each has found; of one what is between the rates that held and those that did not."""
    if len(strowger) > 1:
        return spread([best["rate"] / best_rate(kamailio) for best in strowger])
    (ours,), (theirs,) = strowger, kamailio
    return [ours["rate"] / max(theirs["above"] or 0, theirs["rate"]), max(ours["above"] or 0, ours["rate"]) / theirs["rate"]]


def rate_part(name, strowger, kamailio, target):
    """One generator's comparison; both are lists of outcomes."""
    ratio = best_rate(strowger) / best_rate(kamailio)
    ratios = ratio_spread(strowger, kamailio)
    return {"part": name, "value": ratio, "target": f">= {target}", "reached": ratio >= target, "spread": ratios,
            "strowger": best_rate(strowger), "kamailio": best_rate(kamailio),
            **{f"generator_{name}": median([best["generator"][name] for best in strowger]) for name in ("busy", "receiving", "core_share")
               if name in strowger[0]["generator"]}}


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
    more = {name: outcome[name] for name in ("receives_itself",) if name in outcome}
    return {**kept, **more, "trials": outcome.get("trials", [])}


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
    if "kamailio_default_allocator" in found:
        beside["kamailio_default_allocator_saturated_us"] = cpu_of(found["kamailio_default_allocator"], "us")
    results.add("versus_cpu", worst["value"], "x Kamailio", target=worst["target"], beside=beside, spread=worst["spread"], detail={
        "parts": parts, "series": series, "runs": {name: [summary(outcome) for outcome in outcomes] for name, outcomes in low.items()}})


def add_sipp(results, bed, plan, children):
    found = {}
    for name, start in (("kamailio", lambda: Kamailio(bed, "fm", children, record_route=True, **plan.kamailio)), ("strowger", lambda: Strowger(bed, idle="sleep", **plan.room))):
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
    low = {}
    with versus_dpdk.Bed() as bed:
        dpdk = rates(plan, dpdk_sessions(bed, plan, children), low)
        if plan.beside:
            low["strowger_sleeping"] = [twice(lambda: asleep(bed, plan))]
    series = {f"{line} against INVITE/s": against_load(dpdk[name] + low[name]) for name, line in (("kamailio", "Kamailio"), ("strowger", "Strowger, AF_XDP"))}
    add_rate(results, found, dpdk)
    add_cpu(results, found, low, dpdk, series)


def sipp(results, plan, children):
    with Bed() as bed:
        add_sipp(results, bed, plan, children)


def tcp(results, plan, children):
    versus_streams.compare(results, "tcp", plan, children, summary, ratio_spread)


def tls(results, plan, children):
    versus_streams.compare(results, "tls", plan, children, summary, ratio_spread)
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
