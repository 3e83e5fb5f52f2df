# SPDX-License-Identifier: Apache-2.0
"""docs/performance.md and its plots, from the JSON of bench/all and bench/budget.json. What stands between the marks of the notes is kept: it is written by hand.

    bench/lib/report.py FILE.json [docs/performance.md]"""

import json
import os
import re
import sys

from machine import ROOT
import report_notes
from report_texts import FIGURES, HEADLINES, PLOTS, RUN_AGAIN, UNITS
from svg import plot

PAGE = os.path.join(ROOT, "docs", "performance.md")
NOTES_BEGIN, NOTES_END = "<!-- notes: written by hand, kept by bench/all -->", "<!-- end of the notes -->"


def figure(value):
    """As people read it: 1,234 or 12.3 or 0.0123, never 1e+06."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    text = f"{value:.3g}"
    return text if "e" not in text else f"{value:.6f}".rstrip("0")


def unit(entry):
    return UNITS.get(entry["unit"], entry["unit"])


def words(name):
    """memory_call -> memory call, but AF_XDP stays."""
    return re.sub("(?<![A-Z])_(?![A-Z])", " ", name)


def table(heads, rows):
    return ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads), *("| " + " | ".join(str(cell).replace("|", "/") for cell in row) + " |"
                                                                         for row in rows)]


def verdict(entry):
    if not entry.get("target"):
        return ""
    return "yes" if entry["reached"] else "**no**"


def ordered(results):
    """Entries in the order of the list of figures; what is not in it comes last."""
    keys = [key for key in FIGURES if key in results]
    return [(key, results[key]) for key in keys + [key for key in results if key not in FIGURES and is_entry(results[key])]]


def is_entry(value):
    return isinstance(value, dict) and "value" in value and "unit" in value


# ---- sections


def headlines(results):
    """What one core does, in sentences; those whose figures are not there are left out."""
    lines = []
    for needs, sentence in HEADLINES:
        if all(key in results for key in needs):
            line = sentence(results, figure)
            if line:
                lines.append(f"- {line}")
    return lines


def opening(results, quick):
    about = results.get("machine", {})
    lines = ["<!-- SPDX-License-Identifier: Apache-2.0 -->", "# Performance", ""]
    if quick:
        lines += ["**This page comes from a quick run: rough figures with a wide spread. `bench/all` without `--quick` makes the real ones.**", ""]
    elif rough := [key for key, entry in ordered(results) if "--quick" in entry.get("command", "")]:
        lines += [f"**Of a quick run, rough and with a wide spread: {', '.join(f'`{key}`' for key in rough)}. The others are of full ones.**", ""]
    lines += [f"What one core does ({about.get('cpu', 'machine unknown')}, {words(str(about.get('kernel', '')))}):", "", *headlines(results), ""]
    missed = [f"`{key}`" for key, entry in ordered(results) if entry.get("target") and not entry["reached"]]
    if missed:
        lines += [f"Not reached in this run: {', '.join(missed)}. The [notes](#what-is-not-reached-and-why) say why and what would help.", ""]
    return lines


def run_again(results):
    return ["## To run it again", "", *RUN_AGAIN, ""]


def figures(results):
    rows = []
    for key, entry in ordered(results):
        beside = ", ".join(f"{words(name)} {figure(number)}" for name, number in entry.get("beside", {}).items())
        low, high = entry.get("spread") or [entry["value"]] * 2
        rows.append([f"[`{key}`](#{key})", f"{figure(entry['value'])} {unit(entry)}", entry.get("target") or "", verdict(entry),
                     f"{figure(low)} … {figure(high)}", beside])
    return ["## The figures", "", "Spread: the lowest and the highest of the runs; of a rate that was searched for once, from the highest that held to the lowest that did not. A figure "
            "with several parts shows its worst.", "",
            *table(["figure", "value", "to reach", "reached", "spread", "beside, in the same run"], rows), ""]


def parts(entry):
    """Parts of a figure as a table, whatever columns they have."""
    found = entry.get("detail", {}).get("parts") or []
    if isinstance(found, dict):
        found = [{"part": name, **part} for name, part in found.items()]
    if not found:
        return []
    heads = [name for name in found[0] if name not in ("spread", "core_us") and not isinstance(found[0][name], (dict, list))]
    heads += [name for part in found[1:] for name in part if name not in heads and not isinstance(part[name], (dict, list))]
    rows = [[("yes" if part[name] else "no") if isinstance(part.get(name), bool) else figure(part.get(name, "")) for name in heads] for part in found]
    return [*table([words(head) for head in heads], rows), ""]


def details(results):
    lines = ["## What each figure is, and what it is not", ""]
    for key, entry in ordered(results):
        title, what, not_this = FIGURES.get(key, (words(key), "", ""))
        lines += [f"### {key}", "", f"**{title}.** {what}" if what else f"**{title}.**"]
        if not_this:
            lines.append(not_this)
        lines += ["", *parts(entry)]
        if entry.get("command"):
            lines += [f"By `{entry['command']}`.", ""]
    return lines


def about_machine(results):
    about = results.get("machine")
    if not about:
        return []
    def shown(value):
        if isinstance(value, dict):
            return ", ".join(f"{name} {each}" for name, each in value.items() if each)
        if isinstance(value, bool):
            return "yes" if value else "no"
        return ", ".join(map(str, value)) if isinstance(value, list) else figure(value)
    return ["## The machine", "", *table(["", ""], [[words(name), shown(value)] for name, value in about.items()]), ""]


def notes(before, results):
    kept = ""
    if NOTES_BEGIN in before and NOTES_END in before:
        kept = before.split(NOTES_BEGIN, 1)[1].split(NOTES_END, 1)[0].strip("\n")
    return ["## What is not reached, and why", "", *report_notes.notes(results), NOTES_BEGIN, *([kept] if kept else []), NOTES_END, ""]


# ---- plots


def lines_of_plots(results):
    """{what it is plotted against: [(name of the line, points, entry)]} of all series: "LINE against WHAT", or LINE where a figure has but one."""
    found = {}
    for key, entry in ordered(results):
        for name, points in (entry.get("detail", {}).get("series") or {}).items():
            line, _, against = name.rpartition(" against ")
            if not line:
                line, against = name, f"{key} load"
            if len(points) > 1:  # one is no line
                found.setdefault(against, []).append((line, points, entry))
    return found


def plots(results, folder):
    """Writes them, and returns the lines that show them. Plots of a former run that this one does not make are removed."""
    lines, made = [], set()
    os.makedirs(folder, exist_ok=True)
    for against, found in lines_of_plots(results).items():
        known = PLOTS.get(against, {})
        name = re.sub(r"[^a-z0-9]+", "-", against.lower()).strip("-") + ".svg"
        title = known.get("title", f"Against {against}")
        drawn = plot(title, known.get("x", against), known.get("y", unit(found[0][2])),
                     {words(line): points for line, points, _ in found}, log_x=known.get("log_x", False), log_y=known.get("log_y", False))
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(drawn)
        made.add(name)
        lines += [f"![{title}]({os.path.basename(folder)}/{name})", ""]
    for left in set(os.listdir(folder)) - made:
        if left.endswith(".svg"):
            os.unlink(os.path.join(folder, left))
    return ["## Plots", "", *lines] if lines else []


def write(results, page=PAGE, quick=False):
    """The page and its plots, beside it in a folder of its name."""
    before = ""
    if os.path.exists(page):
        with open(page, encoding="utf-8") as file:
            before = file.read()
    folder = os.path.splitext(page)[0]
    lines = [*opening(results, quick), *run_again(results), *figures(results), *plots(results, folder), *details(results), *notes(before, results),
             *about_machine(results)]
    with open(page, "w", encoding="utf-8") as file:
        file.write("\n".join(lines).rstrip("\n") + "\n")


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        results = json.load(file)
    write(results, *sys.argv[2:3], quick=results.get("machine", {}).get("quick", False))


if __name__ == "__main__":
    main()
