# SPDX-License-Identifier: Apache-2.0
"""Times whole messages, mbuf to mbuf, through the loop that strowgerd's workers run, without a driver.

The messages are made before the turns that are timed, in the shapes that several makes of boxes send them, in random order, and lie in
fresh mbufs; every message that comes out is compared with the one that went in. Simulated time moves with the rate of calls, and all timers
have their RFC values, so that a measured call pays for those that linger.

  in_dialog      ACK, BYE, re-INVITE, INFO, UPDATE and their responses, from both sides: per message
  stateful       INVITE and 200 (the 100 is paid for): per forwarded message
  call           INVITE, 100, 180, 200, ACK, BYE, 200, two call records: per call
  large          the three again with 1 M calls, 10 M numbers, 10,000 endpoints: times the small case, the worst of them
  two_workers    two workers' throughput with every other message changing cores: times one worker's, the worse of in-dialog and stateful
  memory_call    resident bytes per live call: 60-byte Call-ID, two targets that refused before the third answered
  memory_invite  resident bytes per INVITE in progress; beside it, per one that only lingers after its end, whichever that was
  tcp_in_dialog  in_dialog by TCP: from and to 100 connections of callers and one to each target; detail: 1 and 10,000, and UDP on one side
  tcp_stateful   stateful, likewise
  tcp_connections  connections a second that one core opens and closes, SYN to the last ACK, when it does nothing else
  tls_in_dialog, tls_stateful, tls_connections  the same by TLS 1.3, P-256 certificates, AES-256-GCM; connections are full handshakes
  tcp_memory     resident bytes per connection that stands and has nothing to do"""

import json
import subprocess
import sys

from hugepages import hugepages
from programs import built, program
from result import Results, arguments, median, spread

HUGEPAGES = 1536
SMALL = {"calls": 10000, "numbers": 10000, "endpoints": 10}
PARTS = ("small", "large", "two_workers", "memory", "tcp", "tls", "series")
LARGE = {"calls": 1000000, "numbers": 10000000, "endpoints": 10000}
LARGE_QUICK = {"calls": 50000, "numbers": 1000000, "endpoints": 10000}
NUMBERS_LOAD_S, NUMBERS_MIB = 10, 700
LINGERING_BYTES = 256
IDLE_BYTES = 4194  # of a connection: 100,000 of them in 400 MiB
# New calls a second of simulated time: 32 s of them linger.
RATES = {"in_dialog": 5000, "stateful": 20000, "call": 20000, "floor": 20000}
RATES_QUICK = {**RATES, "stateful": 500, "call": 500}
# (who speaks TCP, connections of callers): the first is the figure.
BY_TCP = (("all", 100), ("all", 1), ("all", 10000), ("targets", 100), ("callers", 100))
MIXES = ("small", "usual", "large", "largest")


def measure(mode, quick=False, **settings):
    """One run of strowger-pipeline: what it printed. A setting of True is a switch."""
    argv = [program("strowger-pipeline"), mode]
    settings.setdefault("rate", (RATES_QUICK if quick else RATES).get(mode, 20000))
    settings.setdefault("messages", 60000 if quick else 500000)
    if quick and mode in ("stateful", "call"):
        settings.setdefault("batch", 128)  # the simulated time of a batch stays well within timer A at that rate
    for name, value in settings.items():
        argv += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    run = subprocess.run(argv, capture_output=True, text=True, check=False)
    if run.returncode:
        sys.exit(f"{' '.join(argv)}:\n{run.stderr}{run.stdout}")
    return {**json.loads(run.stdout), "argv": " ".join(["strowger-pipeline", *argv[1:]])}


def together(runs):
    """Several runs of the same: the median of their means, and the spread of their parts."""
    return {"ns": median([run["ns"] for run in runs]), "spread": spread([part for run in runs for part in run["windows"]]),
            "interrupted": sum(run["interrupted"] for run in runs), "batches": sum(run["batches"] for run in runs),
            "bytes_in": runs[0]["bytes_in"], "bytes_out": runs[0]["bytes_out"], "argv": runs[0]["argv"]}


def side_by_side(cases, rounds):
    """A B C, A B C ...: {name: runs} from {name: function}."""
    runs = {name: [] for name in cases}
    for _ in range(rounds):
        for name, run in cases.items():
            runs[name].append(run())
    return runs


def once_more(quick):
    """Messages of a run that stands beside a figure, or is a point of a plot."""
    return 20000 if quick else 200000


def small_cases(results, quick):
    cases = {mode: lambda mode=mode: measure(mode, quick, **SMALL) for mode in ("floor", "in_dialog", "stateful", "call")}
    variants = {"in_dialog, checksums offloaded": lambda: measure("in_dialog", quick, **SMALL, messages=once_more(quick), offload=True),
                "in_dialog, nothing traced": lambda: measure("in_dialog", quick, **SMALL, messages=once_more(quick), trace=0),
                "in_dialog, all traced": lambda: measure("in_dialog", quick, **SMALL, messages=once_more(quick), **{"trace-s": 0}),
                **({} if quick else {"stateful, checksums offloaded": lambda: measure("stateful", True, **SMALL, offload=True)})}
    runs = {**side_by_side(cases, 1 if quick else 3), **side_by_side(variants, 1)}
    found = {name: together(of_one) for name, of_one in runs.items()}
    floor = found["floor"]["ns"]
    for key, target in (("in_dialog", "<= 250"), ("stateful", "<= 500"), ("call", "<= 3000")):
        detail = {name: run for name, run in found.items() if name.split(",")[0] in (key, "floor")}
        detail["rate_per_s"] = (RATES_QUICK if quick else RATES)[key]
        results.add(key, found[key]["ns"], "ns", target=target, beside={"memcpy + look-up": floor} if key != "call" else {},
                    spread=found[key]["spread"], detail=detail)
    return found


def large_case(results, quick, small):
    size = LARGE_QUICK if quick else LARGE
    modes = ("in_dialog",) if quick else ("in_dialog", "stateful", "call")
    runs = {mode: measure(mode, quick, **size) for mode in modes}
    ratios = {mode: runs[mode]["ns"] / small[mode]["ns"] for mode in modes}
    worst = max(ratios, key=ratios.get)
    load_s = max(run["numbers_load_s"] for run in runs.values())
    tables_mib = max(run["tables_mib"] for run in runs.values())
    reached = ratios[worst] <= 2 and load_s <= NUMBERS_LOAD_S and tables_mib <= NUMBERS_MIB
    results.add("large", ratios[worst], "x small", target="<= 2", reached=reached, beside={f"{worst}, small": small[worst]["ns"]},
                spread=[part / small[worst]["ns"] for part in spread(runs[worst]["windows"])],
                detail={"size": size, "ratios": ratios, "ns": {mode: run["ns"] for mode, run in runs.items()},
                        "numbers_load_s": load_s, "tables_mib": tables_mib, "hugepages": runs[worst]["hugepages"],
                        "argv": {mode: run["argv"] for mode, run in runs.items()}})


def two_workers(results, quick):
    """Batches as long as the ring between the workers allows: what is handed over always fits, though one of them may be kept from its core; and calls
    so many that a batch is well within timer A."""
    common = {"calls": 10000 if quick else 20000, "numbers": 10000, "endpoints": 10, "batch": 4096, "rate": 20000,
              "messages": 50000 if quick else 500000}
    cases = {f"{mode} {workers}": lambda mode=mode, workers=workers: measure(mode, **common, workers=workers)
             for mode in (("in_dialog",) if quick else ("in_dialog", "stateful")) for workers in (1, 2)}
    cases["hop"] = lambda: measure("hop", **{**common, "messages": 80000 if quick else 200000})
    found = {name: together(runs) for name, runs in side_by_side(cases, 1 if quick else 2).items()}
    ratios = {name[:-2]: found[name]["ns"] / found[f"{name[:-2]} 2"]["ns"] for name in found if name.endswith(" 1")}
    worst = min(ratios, key=ratios.get)
    one, two = found[f"{worst} 1"], found[f"{worst} 2"]
    results.add("two_workers", ratios[worst], "x one", target=">= 1.6", beside={"bare hop, ns": found["hop"]["ns"]},
                spread=[one["spread"][0] / two["spread"][1], one["spread"][1] / two["spread"][0]],
                detail={"ratios": ratios, "ns": {name: run["ns"] for name, run in found.items()}, "argv": two["argv"]})


def memory(results, quick):
    call = measure("memory_call", calls=100000 if quick else 1000000)
    results.add("memory_call", call["bytes"], "bytes", target="<= 512", detail={"argv": call["argv"], "hugepages": call["hugepages"]})
    invite = measure("memory_invite", calls=30000 if quick else 300000)
    lingering = {"answered": invite["lingering"]}
    for ending in ("refused", "forked"):  # so many that huge pages are no great part of the growth
        lingering[ending] = measure("memory_invite", calls=100000 if quick else 300000, ending=ending)["lingering"]
    results.add("memory_invite", invite["progress"], "bytes", target="<= 3072",
                reached=invite["progress"] <= 3072 and max(lingering.values()) <= LINGERING_BYTES,
                beside={f"lingering when {ending}": size for ending, size in lingering.items()},
                detail={"in progress": invite["progress"], "lingering": lingering, "argv": invite["argv"]})


def tcp_name(who, connections):
    lines = f"{connections:,} connections" if connections > 1 else "1 connection"
    return {"all": f"TCP to TCP, {lines}", "targets": "UDP to TCP", "callers": f"TCP to UDP, {lines}"}[who]


def tcp(results, quick):
    """Of each mode the first case again and again, the others beside it once; UDP alike."""
    for mode in ("in_dialog", "stateful"):
        count = {"in_dialog": 1, "stateful": 2}[mode] if quick else len(BY_TCP)
        cases = {"UDP to UDP": lambda mode=mode: measure(mode, quick, **SMALL, messages=once_more(quick))}
        for who, connections in BY_TCP[:count]:
            cases[tcp_name(who, connections)] = lambda mode=mode, who=who, connections=connections: measure(
                mode, quick, **SMALL, messages=once_more(quick), tcp=who, connections=connections)
        first = tcp_name(*BY_TCP[0])
        runs = side_by_side(cases, 1)
        runs[first] += side_by_side({first: cases[first]}, 0 if quick else 2)[first]
        found = {name: together(of_one) for name, of_one in runs.items()}
        results.add(f"tcp_{mode}", found[first]["ns"], "ns", spread=found[first]["spread"],
                    beside={name: run["ns"] for name, run in found.items() if name != first}, detail=found)
    runs = [measure("connections", quick, tcp="callers", batch=256) for _ in range(1 if quick else 3)]
    rates = [1e9 / run["ns"] for run in runs]
    results.add("tcp_connections", median(rates), "connections/s", spread=spread([1e9 / part for run in runs for part in run["windows"]]),
                beside={"ns": median([run["ns"] for run in runs])}, detail={"argv": runs[0]["argv"]})
    memory_run = measure("memory_connection", tcp="callers", connections=100000)
    results.add("tcp_memory", memory_run["bytes"], "bytes", target=f"<= {IDLE_BYTES}",
                detail={"connections": 100000, "argv": memory_run["argv"], "hugepages": memory_run["hugepages"]})


def tls(results, quick):
    for mode in ("stateful",) if quick else ("in_dialog", "stateful"):
        cases = {name: lambda mode=mode, more=more: measure(mode, quick, **SMALL, messages=once_more(quick), **more) for name, more in (
            ("UDP to UDP", {}), ("TCP to TCP", {"tcp": "all", "connections": BY_TCP[0][1]}),
            ("TLS to TLS", {"tcp": "all", "tls": True, "connections": BY_TCP[0][1]}))}
        if quick:
            del cases["TCP to TCP"]  # is in tcp_stateful
        found = {name: together(runs) for name, runs in side_by_side(cases, 1).items()}
        run = found.pop("TLS to TLS")
        results.add(f"tls_{mode}", run["ns"], "ns", spread=run["spread"], beside={name: other["ns"] for name, other in found.items()}, detail=run)
    runs = [measure("connections", quick, tcp="callers", tls=True, batch=64, messages=600 if quick else 10000) for _ in range(1 if quick else 2)]
    rates = [1e9 / run["ns"] for run in runs]
    results.add("tls_connections", median(rates), "connections/s", spread=spread([1e9 / part for run in runs for part in run["windows"]]),
                beside={"us": median([run["ns"] for run in runs]) / 1000}, detail={"argv": runs[0]["argv"]})


def series(results, quick):
    """Cost against one size at a time, all else small."""
    lines = {"calls": (1000, 10000, 50000) if quick else (1000, 10000, 100000, 300000, 1000000),
             "numbers": (1000, 1000000) if quick else (1000, 10000, 100000, 1000000, 10000000),
             "endpoints": (3, 10000) if quick else (3, 30, 300, 3000, 10000)}
    modes = ("in_dialog",) if quick else ("in_dialog", "stateful")
    common = {"messages": once_more(quick)}
    plots = {}
    for what, points in lines.items():
        for mode in modes if what != "numbers" or quick else ("stateful",):
            plots[f"{mode} against {what}"] = [[x, measure(mode, True, **{**SMALL, what: x}, **common)["ns"]] for x in points]
    for mode in modes:
        runs = [measure(mode, True, **SMALL, **common, mix=mix) for mix in MIXES[::3 if quick else 1]]
        plots[f"{mode} against message bytes"] = [[run["bytes_in"], run["ns"]] for run in runs]
    results.plot("in_dialog", plots)


def main():
    options = arguments("bench/pipeline", __doc__, lambda parser: parser.add_argument(
        "--only", metavar="PART", action="append", choices=PARTS, help=f"just these parts: {', '.join(PARTS)} (plots); may be repeated"))
    if not options.no_build:
        built("bench/strowger-pipeline")
    wanted = options.only or PARTS
    results = Results("bench/pipeline" + (" --quick" if options.quick else ""))
    with hugepages(HUGEPAGES):
        small = small_cases(results, options.quick) if {"small", "large"} & set(wanted) else {}
        if "large" in wanted:
            large_case(results, options.quick, small)
        for name, part in (("two_workers", two_workers), ("memory", memory), ("tcp", tcp), ("tls", tls), ("series", series)):
            if name in wanted:
                part(results, options.quick)
    results.finish(options.json)


if __name__ == "__main__":
    main()
