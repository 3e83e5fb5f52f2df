# SPDX-License-Identifier: Apache-2.0
"""bench/all's page and plots, made from figures that are known: performance.json."""

import copy
import json
import os
import re
import sys
from xml.etree import ElementTree

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(HERE)), "bench", "lib"))

import report  # noqa: E402
import report_notes  # noqa: E402
import svg  # noqa: E402
import versus_peer  # noqa: E402

with open(os.path.join(HERE, "performance.json"), encoding="utf-8") as fixture:
    RESULTS = json.load(fixture)


def page_of(folder, results=None, quick=False):
    path = os.path.join(folder, "performance.md")
    report.write(results or RESULTS, path, quick)
    with open(path, encoding="utf-8") as file:
        return file.read()


def test_page_says_every_figure(tmp_path):
    page = page_of(tmp_path)
    for key, entry in RESULTS.items():
        if key == "machine":
            continue
        row = next(line for line in page.splitlines() if line.startswith(f"| [`{key}`]"))
        assert report.figure(entry["value"]) in row
        assert ("**no**" in row) == (not entry["reached"])
        assert f"### {key}\n" in page


def test_page_opens_with_the_answer_and_names_what_is_missed(tmp_path):
    page = page_of(tmp_path)
    opening = page.split("## ")[0]
    assert "forwards an in-dialog message in 238 ns" in opening
    assert "4.2 times Kamailio's 16,000 (kernel UDP generator)" in opening
    assert "Not reached in this run: `stateful`." in opening
    assert "quick run" not in opening
    assert "quick run" in page_of(tmp_path, quick=True).split("## ")[0]


def test_page_names_what_is_of_a_quick_run(tmp_path):
    some = copy.deepcopy(RESULTS)
    some["stateful"]["command"] = "bench/pipeline --quick"
    opening = page_of(tmp_path, some).split("## ")[0]
    assert "Of a quick run, rough and with a wide spread: `stateful`. The others are of full ones." in opening


def test_notes_say_what_ended_the_rise_over_memif():
    some = {"memif_stateful": {"value": 640000, "target": ">= 1000000", "reached": False,
                               "detail": {"strowger": {"limit": ["first", "loss; the generator 58% busy, the device 91%"], "long": [{"device_busy": 0.91}]}}}}
    words = report_notes.memif(some)[0]
    assert "91% at the rate of `memif_stateful`" in words
    assert "`memif_stateful`: loss; the generator 58% busy, the device 91%." in words
    assert "What ended" not in report_notes.memif({"memif_stateful": {**some["memif_stateful"], "detail": {}}})[0]


def test_notes_say_where_the_generators_core_ends():
    """Busy for half of its time by the clock, and a fifth of all time the kernel's thread: three fifths have work."""
    assert versus_peer.core_share(0.5, 0.2) == pytest.approx(0.6)
    assert versus_peer.core_share(1, 0.3) == 1
    part = {"strowger": 120000, "kamailio": 40000, "generator_busy": 0.5, "generator_receiving": 0.2, "generator_core_share": 0.6}
    words = report_notes.generators_core(part, 0.4)[0]
    assert "5.0 µs of work: 1.7 in the kernel's thread" in words
    assert "at 200,000 INVITE/s, 5.0 times Kamailio's rate" in words
    assert "both would be at 240,000, 6.0 times" in words
    assert report_notes.generators_core({**part, "generator_receiving": 0}, 0.4) == []


def test_every_link_leads_somewhere(tmp_path):
    page = page_of(tmp_path)
    for target in re.findall(r"\]\(([^)]+)\)", page):
        if target.startswith("#"):
            anchors = {re.sub(r"[^a-z0-9_ -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in page.splitlines() if line.startswith("#")}
            assert target[1:] in anchors
        else:
            assert os.path.exists(tmp_path / target)


def test_notes_are_kept_and_the_rest_is_made_anew(tmp_path):
    path = tmp_path / "performance.md"
    page_of(tmp_path)
    path.write_text(path.read_text().replace(report.NOTES_END, "`stateful`: the copy costs 80 ns.\n" + report.NOTES_END).replace("238 ns", "1 ns"))
    page = page_of(tmp_path)
    assert "`stateful`: the copy costs 80 ns." in page
    assert "238 ns" in page
    assert page_of(tmp_path) == page


BUDGET = {"avx2": {"in_dialog": {"instructions": 3000, "functions": {"sip_parse": 600, "checksum_add": 200, "nowhere_at_all": 500, "rte_pktmbuf_free_bulk": 200}},
                   "stateful": {"instructions": 5330, "functions": {"sip_parse": 1000}}, "call": {"instructions": 20000, "functions": {}}}}


@pytest.mark.parametrize("function, group", [
    ("sip_parse", "reading"), ("uri_parse", "reading"), ("checksum_add", "checksums"), ("token_decode", "hashes and tokens"), ("siphash24", "hashes and tokens"),
    ("edit_compose", "composing"), ("__memcpy_avx_unaligned_erms", "composing"), ("trace_put", "trace"), ("numbers_lookup", "tables"), ("packet_parse", "frames"),
    ("rte_pktmbuf_free_bulk", "frames"), ("transactions_linger", "proxy"), ("framing_next", "streams"), ("nowhere_at_all", None)])
def test_what_a_function_works_at(function, group):
    assert report_notes.group_of(function) == group


def test_notes_count_instructions():
    notes = "\n".join(report_notes.notes(RESULTS, BUDGET))
    row = next(line for line in notes.splitlines() if line.startswith("| message within a dialog"))
    assert [cell.strip() for cell in row.split("|")[2:6]] == ["3,000", "60%", "", "20%"]
    assert "`stateful` takes 5,330 instructions at 10.0 a nanosecond here; 500 ns are 5,000 of them" in notes
    assert "`sip_parse` 1,000" in notes


def noted(results):
    """Keys that have a paragraph."""
    heads = re.findall(r"^\*\*(.*?)\*\*", "\n".join(report_notes.notes(results, BUDGET)), re.M)
    return {key for head in heads for key in re.findall(r"`(\w+)`", head)}


def test_notes_say_how_many_instructions_a_cycle():
    measured = copy.deepcopy(RESULTS)
    assert "a cycle;" not in "\n".join(report_notes.notes(measured, BUDGET))
    measured["scan"].setdefault("detail", {})["cycle_ns"] = 0.25
    text = "\n".join(report_notes.notes(measured, BUDGET))
    assert re.search(r"instructions at ([\d.]+) a nanosecond here, ([\d.]+) a cycle;", text)
    assert "A cycle took 0.250 ns (4.00 GHz" in text


@pytest.mark.parametrize("page_ns, said", [(None, False), (6.7, False), (11.9, True)])
def test_notes_say_what_a_page_costs_where_it_does(page_ns, said):
    measured = copy.deepcopy(RESULTS)
    measured["scan"].setdefault("detail", {}).update({"line_ns": 4.5, "line_of_a_page_ns": page_ns})
    text = "\n".join(report_notes.notes(measured, BUDGET))
    assert ("takes 4.5 ns where 4,096 of them lie side by side, 11.9 where each lies in a page" in text) == said


def test_notes_are_of_what_is_missed():
    targets = {key for key, entry in RESULTS.items() if key != "machine" and entry.get("target")}
    without_words = {"scan", "numbers_load", "number_move", "publication_seen", "memory_call"}
    assert noted(RESULTS) == {"stateful"}
    for key in targets - without_words:
        some = copy.deepcopy(RESULTS)
        some[key]["reached"] = False
        assert noted(some) == {"stateful", key}


def test_one_point_is_no_plot(tmp_path):
    some = copy.deepcopy(RESULTS)
    some["delay"]["detail"]["series"] = {"strowger p99": [[850000, 12]]}
    page = page_of(tmp_path, some)
    assert "delay-load.svg" not in page
    assert not os.path.exists(tmp_path / "performance" / "delay-load.svg")


def test_figures_may_be_missing(tmp_path):
    some = {key: copy.deepcopy(RESULTS[key]) for key in ("stateful", "versus_rate")}
    del some["versus_rate"]["detail"]["parts"]
    page = page_of(tmp_path, some)
    assert "533 ns" in page
    assert "memif" not in page.split("## ")[0]
    assert not os.listdir(tmp_path / "performance")


@pytest.mark.parametrize("name", ["calls", "numbers", "endpoints", "message-bytes", "invite-s", "delay-load", "turn-us"])
def test_plots_are_whole(tmp_path, name):
    page_of(tmp_path)
    tree = ElementTree.parse(tmp_path / "performance" / f"{name}.svg").getroot()
    box = [float(number) for number in tree.get("viewBox").split()]
    for text in tree.iter("{http://www.w3.org/2000/svg}text"):
        assert text.text.strip()
        assert 0 <= float(text.get("x")) <= box[2] and 0 <= float(text.get("y")) <= box[3]
    for line in tree.iter("{http://www.w3.org/2000/svg}polyline"):
        for x, y in (map(float, point.split(",")) for point in line.get("points").split()):
            assert svg.LEFT <= x <= svg.WIDTH - svg.RIGHT and svg.TOP <= y <= svg.HEIGHT - svg.BOTTOM


@pytest.mark.parametrize("high, ticks", [(25, [0, 5, 10, 15, 20, 25]), (480, [0, 100, 200, 300, 400, 500]), (0.9, [0, 0.2, 0.4, 0.6, 0.8, 1])])
def test_ticks_are_round(high, ticks):
    assert svg.linear_ticks(high) == ticks


@pytest.mark.parametrize("value, words", [(238.4, "238"), (1790000, "1,790,000"), (0.119, "0.119"), (4.2, "4.2"), (0, "0"), (0.0000123, "0.000012")])
def test_figures_are_for_people(value, words):
    assert report.figure(value) == words


def test_labels_keep_apart():
    moved = svg.apart([100, 101, 300], 15, 0, 400)
    assert moved == [100, 115, 300]
    assert svg.apart([398, 399], 15, 0, 400) == [385, 400]
