# SPDX-License-Identifier: Apache-2.0
"""What docs/performance.md says about figures that are not reached: where the instructions of bench/budget.json go, what that is in time, and what would help.
Counts come from the budget and names of functions are looked up in the source, so that neither has to be written by hand."""

import functools
import glob
import json
import os
import re

from machine import ROOT

BUDGET = os.path.join(ROOT, "bench", "budget.json")
SOURCE = os.path.join(ROOT, "dataplane")
# What a function works at, by the file that it stands in; the first that fits.
GROUPS = (
    ("checksums", r"net/checksum"),
    ("hashes and tokens", r"sip/(token|branch|dialog_hash)|base/(aes|cmac|siphash|keyed_hash|base32)"),
    ("composing", r"sip/(edit|reply|writer)"),
    ("reading", r"sip/"),
    ("trace", r"proxy/trace"),
    ("tables", r"tables/"),
    ("streams", r"tcp/|tls/|transport/"),
    ("frames", r"net/|port|worker|dataplane"),
    ("proxy", r"proxy/|transaction/|records|base/"),
)
OF_LIBRARIES = (("composing", r"__mem(cpy|move|set)"), ("frames", r"rte_"), ("streams", r"memmem|__memchr"))
COLUMNS = ("reading", "hashes and tokens", "checksums", "composing", "trace", "tables", "frames", "proxy", "streams")
PHASES = {"in_dialog": "message within a dialog", "stateful": "forwarded message of INVITE and 200", "call": "whole call", "tcp": "the same as `stateful`, by TCP"}
TARGETS_NS = {"in_dialog": 250, "stateful": 500, "call": 3000}
DEFINITION = re.compile(r"^(?:__attribute__\(\(\w+\)\) |[A-Za-z_]\w*[ *]+)+(\w+)\([^;\n]*$", re.M)


@functools.cache
def places():
    """{function: files of dataplane/ that define one of that name}"""
    found = {}
    for path in glob.glob(os.path.join(SOURCE, "**", "*.[ch]"), recursive=True):
        with open(path, encoding="utf-8") as file:
            for name in DEFINITION.findall(file.read()):
                found.setdefault(name, set()).add(os.path.relpath(path, SOURCE))
    return found


def group_of(function):
    """None: it is nowhere, or in files of several groups."""
    groups = {next((group for group, files in GROUPS if re.match(files, path)), None) for path in places().get(function, ())}
    if not groups:
        groups = {next((group for group, names in OF_LIBRARIES if re.match(names, function)), None)}
    return groups.pop() if len(groups) == 1 else None


def shares(phase):
    """{group: its share of those instructions of a phase that are known to be in one}: small functions are not in the budget."""
    found = {}
    for function, own in phase["functions"].items():
        group = group_of(function)
        if group:
            found[group] = found.get(group, 0) + own
    known = sum(found.values())
    return {group: own / known for group, own in found.items()}


def budget(path=BUDGET):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def where(phases):
    """A table: instructions of each phase, and the share of each group."""
    lines = ["| | instructions | " + " | ".join(COLUMNS) + " |", "|" + "---|" * (len(COLUMNS) + 2)]
    for name, words in PHASES.items():
        if name in phases:
            of = shares(phases[name])
            cells = [f"{of[group]:.0%}" if group in of else "" for group in COLUMNS]
            lines.append(f"| {words} | {phases[name]['instructions']:,.0f} | " + " | ".join(cells) + " |")
    return lines


def costliest(phase, count=8):
    return ", ".join(f"`{name}` {own:,.0f}" for name, own in list(phase["functions"].items())[:count])


def work(results, phases):
    """in_dialog, stateful and call: instructions, and how many of them a cycle."""
    missed = [key for key in TARGETS_NS if key in phases and missing(results, key)]
    if not missed:
        return []
    cycle = results.get("scan", {}).get("detail", {}).get("cycle_ns")
    said = []
    for key in missed:
        pace = phases[key]["instructions"] / results[key]["value"]
        said.append(f"`{key}` takes {phases[key]['instructions']:,.0f} instructions at {pace:.1f} a nanosecond here"
                    + (f", {pace * cycle:.1f} a cycle" if cycle else "") + f"; {TARGETS_NS[key]:,} ns are {pace * TARGETS_NS[key]:,.0f} of them")
    lines = [f"{'; '.join(said)} (AVX2's count, the time with the best that the CPU has)."]
    if cycle:
        lines.append(f"A cycle took {cycle:.3f} ns ({1 / cycle:.2f} GHz, by multiplications that wait for each other). `sip_parse` alone, over the same few messages again and again so that every branch "
                     "is learnt, runs at more than four instructions a cycle: among messages of many makes, lengths and kinds in random order the rest is waiting, for branches that were guessed "
                     "wrong (how many lines a block has, how long a piece is, what kind of message comes next) and for lines that are not in the first cache.")
    lines += page_walks(results.get("scan", {}).get("detail", {}))
    lines += [f"The costliest functions of `{key}`: {costliest(phases[key])}." for key in missed[:2]]
    floor = results[missed[0]].get("beside", {}).get("memcpy + look-up")
    beside = results.get("in_dialog", {}).get("detail", {})
    for name, words in (("in_dialog, nothing traced", "without any trace (`trace_mb: 0`)"), ("in_dialog, all traced", "with the trace of all calls (`trace_s: 0`)"),
                        ("in_dialog, checksums offloaded", "without checksums, which a network card can do")):
        if name in beside and "in_dialog" in missed:
            lines.append(f"An in-dialog message took {beside[name]['ns']:.0f} ns {words}.")
    if floor:
        lines.append(f"The benchmark's own floor, a copy and a look-up, is {floor:.0f} ns.")
    lines.append("Tried without gain: profile-guided and link-time optimisation, sixteen messages read ahead instead of eight, an AVX-512 stream for the trace, another "
                 "`-mtune`, bursts of sixteen, the rounds of AES taken out of every hash and MAC (16 ns of `in_dialog`: all that they cost). What helps is work that is not done, a message's "
                 "parts that nobody asks for, and a branch that is not there.")
    return [f"**{names(missed)}.** " + " ".join(lines)]


WALKS = 1.5  # times as long as without them: no small matter


def page_walks(detail):
    """What it costs here that something lies in a page of its own."""
    side, page = detail.get("line_ns"), detail.get("line_of_a_page_ns")
    if not side or not page or page < WALKS * side:
        return []
    return [f"A line in the second cache takes {side:.1f} ns where 4,096 of them lie side by side, {page:.1f} where each lies in a page of 4 kB of its own, though all these pages are parts of huge "
            "ones: the host maps this machine by small pages, and what a call has in many places, and each buffer, costs such a walk besides its lines. `stateful` and `call` touch dozens of "
            "pages a message; where huge pages are what they are called, that is not to be paid."]


def missing(results, key):
    return key in results and results[key].get("target") and not results[key]["reached"]


def names(keys):
    return ", ".join(f"`{key}`" for key in keys)


def parts_of(results, key):
    return {part["part"]: part for part in results.get(key, {}).get("detail", {}).get("parts", []) or [] if isinstance(part, dict)}


def generators_core(part, share):
    """What the generator's core does for an INVITE transaction, and the rate at which it alone ends: whatever the proxy is, it is no higher. share: of its time that the
    proxy's worker had something to do."""
    if not part.get("generator_receiving"):
        return []
    whole, receiving = (part[f"generator_{name}"] / part["strowger"] * 1e6 for name in ("core_share", "receiving"))
    most, both = part["strowger"] / part["generator_core_share"], 2 * part["strowger"] / (part["generator_core_share"] + share)
    return [f"For an INVITE transaction that core has {whole:.1f} µs of work: {receiving:.1f} in the kernel's thread that receives the three frames which Strowger sends, the rest in the generator "
            f"and in what its `sendto` does, the receiving of its two frames for Strowger among it (perf, 115,000 INVITE/s: the thread 36%, that receiving 30%, the generator's own "
            f"instructions 15%, sending 9%, looking for frames the rest). A core has a million of these microseconds a second: at {most:,.0f} INVITE/s, {most / part['kamailio']:.1f} times Kamailio's rate, that one is full, "
            f"even if the proxy beside it cost nothing; were all the work shared out evenly, both would be at {both:,.0f}, {both / part['kamailio']:.1f} times. Eight times would need frames that cost "
            "the kernel a fraction of this."]


def versus(results):
    missed = [key for key in ("versus_rate", "versus_cpu") if missing(results, key)]
    if not missed:
        return []
    lines = []
    dpdk, saturated = parts_of(results, "versus_rate").get("DPDK generator on AF_XDP"), parts_of(results, "versus_cpu").get("saturated")
    if dpdk and saturated and saturated.get("strowger_busy_share"):
        share = saturated["strowger_busy_share"]
        lines += [f"At the highest rate without a loss by the DPDK generator ({dpdk['strowger']:,.0f} INVITE/s) Strowger's worker had something to do for {share:.0%} of its "
                     f"time, the generator for {dpdk['generator_busy']:.0%} of its own"
                  + (": the other core, which also does what the kernel has to do to hand both of them their frames, is what ends the rise." if share < 0.8 else "."),
                  *generators_core(dpdk, share)]
    lines.append("Of a forwarded message's time with AF_XDP at both ends (perf, 110,000 INVITE/s, when one took 2.1 µs) `sendto` has 0.8 µs for three frames to two messages forwarded, all "
                 "of it the kernel's copy into an skb and veth; the rest is `stateful` from above and `recvfrom`. Before the generator's end received on its own core, 1.5 µs more "
                 "went into what the peer receives, in softirq behind our `sendto`. Zero-copy AF_XDP, which veth does not have, or a network card under DPDK takes those 0.8 µs too. "
                 "Kamailio's CPU per message depends much on the load: at 6,000 INVITE/s it is three times what it is at its highest rate.")
    lines.append("Tried and not used, in short runs beside other work on the same cores: a thread for what the proxies receive, on their core (Kamailio lost messages at 30,000 "
                 "INVITE/s, which it did not without, and Strowger had 1.5 µs more); the generator's thread without holding back (woken for each burst: 7 to 10 µs of a "
                 "message's time at 40,000 INVITE/s instead of 4); holding back without a thread, for the sockets to be polled by who reads them: no such polling was seen in "
                 "the profile, and the timer ran on the proxy's core (this kernel polls no AF_XDP socket that copies). How often the thread looks: every 25 µs it had the generator's core for "
                 "itself at 120,000 INVITE/s, every 50 µs 155,000 passed, every 100 µs 170,000, every 200 µs no more than that; 100 is what is used. INVITEs that are due within 50 µs "
                 "are sent by one system call, which left the generator's core 56% of work at 120,000 INVITE/s instead of 63%. GRO has no part in it: frames go to AF_XDP before it.")
    return [f"**{names(missed)}.** " + " ".join(lines)]


def busy_at(results, key):
    long = results[key].get("detail", {}).get("strowger", {}).get("long") or [None]
    return (long[-1] or {}).get("device_busy")


def memif(results):
    missed = [key for key in ("memif_in_dialog", "memif_stateful") if missing(results, key)]
    if not missed:
        return []
    said = [f"{share:.0%} at the rate of `{key}`" for key in missed if (share := busy_at(results, key))]
    ends = [f"`{key}`: {limit}" for key in missed if (limit := ended_by(results, key))]
    return [f"**{names(missed)}.** " + (f"The worker is busy: {', '.join(said)}. " if said else "") + (f"What ended the rise in the last round: {'; '.join(ends)}. " if ends else "")
            + "The rates are what the figures above leave with the driver's part, which copies nothing, and waits for what the other core has just written: every line of a message comes from its caches, "
            "and each line of an answer goes there. Rings of 2^10 and 2^11 frames instead of 2^12 were no faster. What is more than `stateful`: more than ten million transactions linger, two million calls are open until they end "
            "by age, and what belongs to them has long left the caches. Less work per message is what would help."]


def ended_by(results, key):
    return (results[key].get("detail", {}).get("strowger", {}).get("limit") or [None])[-1]


def veth(results):
    missed = [key for key in ("veth_afxdp", "veth_afpacket") if missing(results, key)]
    if not missed:
        return []
    return [f"**{names(missed)}.** testpmd swaps two addresses for each frame that it sends and does nothing else: its rate is the kernel's. Strowger's share is what the kernel takes for a frame "
            "divided by that and `in_dialog` or `stateful` together; a forwarded message of INVITE and 200 sends one frame and a half, the 100 among them, where testpmd sends one. "
            "Tried and not used: the thread of `versus_rate` for what the generator receives. testpmd then did 383,000 messages a second instead of 480,000 to 520,000 and Strowger 315,000 statefully "
            "instead of 300,000 (beside other work on the same cores): a larger share, as the generator's core ended both."]


OTHERS = {
    "large": "Live calls, numbers and endpoints are met in random order: what is beyond the caches is waited for, as far as four frames of reading ahead do not hide it.",
    "two_workers": "Wants a machine whose cores are its own: from run to run it is between 1.2 and 2.2 where others share them.",
    "delay": "The median says what Strowger adds. The 99th percentile and beyond are decided by how long the host stops either core meanwhile; the gaps of an empty loop beside it say how long "
             "that is.",
    "publication_loop": "Ten thousand changes a second are asked for too: who sends them shares a core with the generator and the control thread, and may have no time for so many. In a quick run the "
                        "99th percentile of a turn is a matter of some dozens of turns.",
}
ALWAYS = [
    "**Streams.** No figure was named for TCP and TLS. Where TCP's instructions go is in the table; no burst of datagrams can be read ahead there. TLS adds what OpenSSL does for "
    "each record, whatever its length. A connection that carries many messages a turn is cheaper by TCP (they share segments), not by TLS (each message is a record).",
    "**Zero loss on a shared machine.** An AF_XDP queue holds 2,048 frames and a veth queue before it 256: some milliseconds. A host that stops a core for longer (`delay` says how long an empty loop "
    "is stopped) makes every rate above it lose messages. Such a run measures the host: use a machine with nothing else to do.",
]


def notes(results, counted=None):
    """Lines of Markdown. counted: the budget; None: the committed one."""
    phases = (counted or budget()).get("avx2", {})
    lines = ["Where the instructions go (`bench/guard`, AVX2, as in `bench/budget.json`; shares of what is in functions large enough to be listed there):", "", *where(phases), ""]
    paragraphs = [*work(results, phases), *memif(results), *veth(results), *versus(results)]
    paragraphs += [f"**`{key}`.** {words}" for key, words in OTHERS.items() if missing(results, key)]
    for paragraph in paragraphs + ALWAYS:
        lines += [paragraph, ""]
    return lines
