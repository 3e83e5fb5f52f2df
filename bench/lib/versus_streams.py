# SPDX-License-Identifier: Apache-2.0
"""Kamailio and Strowger side by side over TCP and TLS: the generator's kernel sockets at both ends, calls by a number of connections that stand."""

import sys

from result import median, spread
from versus_bed import Bed, Kamailio, Strowger
from versus_load import Session, twice
from versus_search import Search, against_load, cost_us

CONNECTIONS = 32
FIRST_GUESS = {"kamailio": 18000, "strowger": 55000}


def say(words):
    print(words, file=sys.stderr, flush=True)


def words_of(bed, transport):
    words = ["--transport", transport, "--connections", str(CONNECTIONS)]
    if transport == "tls":
        words += ["--certificate", bed.certificates["certificate"], "--key", bed.certificates["key"], "--name", bed.certificates["name"]]
    return words


def runs(bed, transport, plan, children):
    """{proxy: [outcome of the highest rate that lost nothing, with its trials]}, A B A B."""
    starters = {"kamailio": lambda lasting: Kamailio(bed, "fm", children, transport=transport, lasting=lasting, **plan.kamailio),
                "strowger": lambda lasting: Strowger(bed, transport=transport, **{"rate": 90000, **plan.room})}
    found = {name: [] for name in starters}

    def searched(name, again):
        guess = found[name][-1]["offered"] if again else FIRST_GUESS[name]
        with Session(bed, starters[name], words_of(bed, transport)) as session:
            search = Search(session, **{**plan.search, **(plan.again if again else {})}, **plan.long)
            best = search.run(guess)
        return {**best, "trials": search.trials, "above": search.above}

    for again in range(plan.rounds_streams):
        for name in starters:
            best = twice(lambda: searched(name, again))
            found[name].append(best)
            say(f"versus: {transport}, {name}: {best['rate']:.0f} INVITE/s, {best['cpu']['us']:.1f} us a forwarded message, "
                f"generator {best['generator']['busy']:.0%} busy")
    return found


def part(name, found, value):
    strowger, kamailio = ([value(run) for run in found[proxy]] for proxy in ("strowger", "kamailio"))
    return {"part": name, "value": median(strowger) / median(kamailio), "spread": spread([each / median(kamailio) for each in strowger]),
            "strowger": median(strowger), "kamailio": median(kamailio)}


def compare(results, transport, plan, children, summary, ratio_spread):
    """The entry versus_tcp or versus_tls. summary: what is kept of an outcome; ratio_spread: of two proxies' outcomes."""
    with Bed() as bed:
        if transport == "tls":
            bed.certify()
        found = runs(bed, transport, plan, children)
    parts = [part("INVITE transactions a second", found, lambda outcome: outcome["rate"]),
             part("CPU per forwarded message at that rate, us", found, cost_us)]
    parts[0]["spread"] = ratio_spread(found["strowger"], found["kamailio"])
    parts[0]["generator_busy"] = median([outcome["generator"]["busy"] for outcome in found["strowger"]])
    results.add(f"versus_{transport}", parts[0]["value"], "x Kamailio", spread=parts[0]["spread"],
                beside={"strowger": parts[0]["strowger"], "kamailio": parts[0]["kamailio"], "strowger_us": parts[1]["strowger"],
                        "kamailio_us": parts[1]["kamailio"]},
                detail={"connections": CONNECTIONS, "parts": parts, "series": {
                    f"{line}, {transport.upper()} against INVITE/s": against_load(found[name]) for name, line in (("kamailio", "Kamailio"), ("strowger", "Strowger"))},
                        "runs": {name: [summary(outcome) for outcome in outcomes] for name, outcomes in found.items()}})
