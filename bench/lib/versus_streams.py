# SPDX-License-Identifier: Apache-2.0
"""Kamailio and Strowger side by side over TCP and TLS: the generator's kernel sockets at both ends, calls by a number of connections that stand."""

import sys

from result import median, spread
from versus_bed import Bed, Kamailio, Strowger
from versus_load import Session
from versus_search import Search, against_load, cost_us

CONNECTIONS = 32
LOW_RATE = 2000
FIRST_GUESS = {"kamailio": 8000, "strowger": 24000}


def say(words):
    print(words, file=sys.stderr, flush=True)


def words_of(bed, transport):
    words = ["--transport", transport, "--connections", str(CONNECTIONS)]
    if transport == "tls":
        words += ["--certificate", bed.certificates["certificate"], "--key", bed.certificates["key"], "--name", bed.certificates["name"]]
    return words


def runs(bed, transport, plan, children):
    """{proxy: [{"low": outcome at LOW_RATE, "best": that of the highest rate that lost nothing}]}, A B A B."""
    starters = {"kamailio": lambda: Kamailio(bed, "fm", children, transport=transport),
                "strowger": lambda: Strowger(bed, transport=transport, **{"rate": 60000, **plan.room})}
    found = {name: [] for name in starters}
    for _ in range(plan.rounds):
        for name, start in starters.items():
            guess = found[name][-1]["best"]["offered"] if found[name] else FIRST_GUESS[name]
            with Session(bed, start, words_of(bed, transport)) as session:
                search = Search(session, **plan.search, **plan.long)
                search.ready()
                low = session.run(LOW_RATE, **plan.low)
                best = search.run(guess)
            best["trials"] = search.trials
            found[name].append({"low": low, "best": best})
            say(f"versus: {transport}, {name}: {best['rate']:.0f} INVITE/s, {best['cpu']['us']:.1f} us a forwarded message, "
                f"generator {best['generator']['busy']:.0%} busy; {cost_us(low):.1f} us at {LOW_RATE} INVITE/s")
    return found


def part(name, found, value):
    strowger, kamailio = ([value(run) for run in found[proxy]] for proxy in ("strowger", "kamailio"))
    return {"part": name, "value": median(strowger) / median(kamailio), "spread": spread([each / median(kamailio) for each in strowger]),
            "strowger": median(strowger), "kamailio": median(kamailio)}


def compare(results, transport, plan, children, summary):
    """The entry versus_tcp or versus_tls. summary: what is kept of an outcome."""
    with Bed() as bed:
        if transport == "tls":
            bed.certify()
        found = runs(bed, transport, plan, children)
    parts = [part("INVITE transactions a second", found, lambda run: run["best"]["rate"]),
             part("CPU per forwarded message at that rate, us", found, lambda run: cost_us(run["best"])),
             part(f"at {LOW_RATE:,} INVITE/s, us", found, lambda run: cost_us(run["low"]))]
    parts[0]["generator_busy"] = median([run["best"]["generator"]["busy"] for run in found["strowger"]])
    results.add(f"versus_{transport}", parts[0]["value"], "x Kamailio", spread=parts[0]["spread"],
                beside={"strowger": parts[0]["strowger"], "kamailio": parts[0]["kamailio"], "strowger_us": parts[1]["strowger"],
                        "kamailio_us": parts[1]["kamailio"]},
                detail={"connections": CONNECTIONS, "parts": parts, "series": {
                    f"{line}, {transport.upper()} against INVITE/s": against_load([run[which] for run in found[name] for which in run])
                    for name, line in (("kamailio", "Kamailio"), ("strowger", "Strowger"))}, "runs": {name: [{which: summary(run[which]) for which in run} for run in of_one]
                                                                             for name, of_one in found.items()}})
