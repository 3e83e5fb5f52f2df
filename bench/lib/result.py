# SPDX-License-Identifier: Apache-2.0
"""What a benchmark says: one entry for each figure, with what it is to reach and what was measured beside it.

    {key: {"value": number, "unit": "ns", "beside": {name: number}, "target": "<= 250", "reached": bool, "spread": [min, max],
           "command": "bench/pipeline ...", "detail": {...}}}

A figure with several parts gives the worst as its value and all of them in detail. Plots are drawn from detail["series"]: {name: [[x, y], ...]}."""

import argparse
import json
import math
import operator
import statistics
import sys

from machine import machine

OPERATORS = {"<=": operator.le, ">=": operator.ge}


def arguments(prog, words, add=None):
    """The options that every benchmark has, and those that add(parser) puts with them."""
    parser = argparse.ArgumentParser(prog=prog, description=words, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a rough answer soon: fewer and shorter runs, wider spread")
    parser.add_argument("--json", metavar="FILE", help="also write the figures there")
    parser.add_argument("--no-build", action="store_true", help="the programs are there already")
    if add:
        add(parser)
    return parser.parse_args()


def median(values):
    return statistics.median(values)


def spread(values):
    return [min(values), max(values)]


def rounded(number):
    """Four digits: more would not come again."""
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        return number
    if not number or not math.isfinite(number):
        return number
    places = 3 - math.floor(math.log10(abs(number)))
    return round(number, places) if places > 0 else round(number)


def deep(value):
    if isinstance(value, dict):
        return {name: deep(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [deep(item) for item in value]
    return rounded(value)


def joined(parts):
    """The JSON of several runs as one: entries, the machine as the last saw it, and every line of a plot with its entry, whichever run had that.
    What belongs to an entry that none of them has stays under "series"."""
    found, series = {}, {}
    for part in parts:
        for key, lines in part.get("series", {}).items():
            series.setdefault(key, {}).update(lines)
        found.update({key: entry for key, entry in part.items() if key != "series"})
    for key in [key for key in series if key in found]:
        found[key]["detail"].setdefault("series", {}).update(series.pop(key))
    return {**found, **({"series": series} if series else {})}


class Results:
    """Collects entries, shows them as a table, writes them as JSON."""

    def __init__(self, command):
        self.command = command
        self.entries = {}
        self.series = {}

    def add(self, key, value, unit, *, target=None, reached=None, beside=None, spread=None, detail=None, command=None):
        """target: "<= 250" in the value's unit; reached is worked out from it unless given (a figure with several conditions)."""
        if target and reached is None:
            words = target.split()
            reached = OPERATORS[words[0]](value, float(words[1]))
        self.entries[key] = {"value": rounded(value), "unit": unit, "beside": deep(beside or {}), "target": target, "reached": reached,
                             "spread": deep(spread if spread is not None else [value, value]), "command": command or self.command,
                             "detail": deep(detail or {})}
        return self.entries[key]

    def plot(self, key, series):
        """Lines of plots that belong to an entry, which may be another run's."""
        self.series.setdefault(key, {}).update(deep(series))

    def show(self, file=sys.stdout):
        for key, entry in self.entries.items():
            beside = ", ".join(f"{name} {number:g}" for name, number in entry["beside"].items())
            goal = f"{entry['target']}: {'reached' if entry['reached'] else 'NOT reached'}" if entry["target"] else ""
            low, high = entry["spread"]
            print(f"{key:18} {entry['value']:>9g} {entry['unit']:12} {low:g}..{high:g}  {goal}" + (f"  (beside: {beside})" if beside else ""),
                  file=file)

    def write(self, path):
        """With the machine that it was measured on, under the key "machine"."""
        if not path:
            return
        with open(path, "w", encoding="utf-8") as file:
            json.dump(joined([{**self.entries, "series": self.series, "machine": machine()}]), file, indent=1)
            file.write("\n")

    def finish(self, path):
        """What a program ends with: every figure for people, and where path is not None for others."""
        self.show()
        self.write(path)
