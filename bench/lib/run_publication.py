# SPDX-License-Identifier: Apache-2.0
"""How numbers get to the workers: ten million at once, one at a time, ten thousand a second.

  numbers_load      seconds from a file of ten million numbers to the tables; beside it a whole strowgerd that starts with them, is given them over its
                    control socket, starts from its state file
  number_move       one number moved to another profile: us of the control thread; beside it a change over the control socket
  publication_seen  from a change to its being seen by a worker that turns: us, p99; none may be late
  publication_loop  p99 of a loaded worker's turns with ten thousand changes a second over the control socket, as a multiple of that with as
                    many questions that change nothing"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from hugepages import hugepages
from programs import built, program
from result import Results, arguments
from wire_bed import Bed, BedError, Generator, Strowger, routing

HUGEPAGES = 512
LOAD_S, MIB, MOVE_US, MOVE_P999_US, SEEN_US, LOOP_TIMES = 10, 700, 2, 50, 1000, 1.25
FIRST, PROFILES = 442000000000, 10
CHANGES_PER_S, BATCH = 10000, 50
RATE = 100000  # messages a second that the worker has to do with meanwhile


def tell(words):
    print(words, file=sys.stderr, flush=True)


def write_numbers(path, count):
    with open(path, "w", encoding="ascii") as file:
        for begin in range(0, count, 100000):
            file.write("".join(f"+{FIRST + i} p{i % PROFILES}\n" for i in range(begin, min(begin + 100000, count))))


# ---- in one process


def in_process(results, path, count, quick):
    argv = [program("strowger-publication"), "--file", path, "--numbers", str(count), "--moves", str(200000 if quick else 3000000),
            "--changes", str(5000 if quick else 100000)]
    run = subprocess.run(argv, capture_output=True, text=True, check=False)
    if run.returncode:
        sys.exit(f"{' '.join(argv)}:\n{run.stderr}{run.stdout}")
    found = json.loads(run.stdout)
    load = found["read_s"] + found["publish_s"]
    tell(f"  {count:,} numbers in {load:.2f} s and {found['mib']:.0f} MiB; one moved in {found['mean_ns']:.0f} ns")
    results.add("numbers_load", load, "s", target=f"<= {LOAD_S}", reached=load <= LOAD_S and found["mib"] <= MIB,
                beside={"MiB": found["mib"], "CPU, s": found["cpu_s"]},
                detail={"numbers": count, **{name: found[name] for name in ("read_s", "publish_s", "cpu_s", "mib")}})
    results.add("number_move", found["mean_ns"] / 1000, "us", target=f"<= {MOVE_US}",
                reached=found["mean_ns"] <= 1000 * MOVE_US and found["p999_ns"] <= 1000 * MOVE_P999_US,
                spread=[found["p50_ns"] / 1000, found["p999_ns"] / 1000],
                beside={name: found[f"{name}_ns"] / 1000 for name in ("p50", "p99", "p999", "longest")}, detail={"moves": found["moves"]})
    results.add("publication_seen", found["seen_p99_ns"] / 1000, "us", target=f"<= {SEEN_US}",
                reached=found["late"] == 0 and found["seen_p99_ns"] <= 1000 * SEEN_US,
                spread=[found["seen_p50_ns"] / 1000, found["seen_longest_ns"] / 1000], beside={"late": found["late"], "behind a pause of the worker": found["away"]},
                detail={name: found[name] for name in ("changes", "per_s", "looked", "late", "workers")})


# ---- a whole strowgerd


def memory_mib(pid, name="VmRSS"):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name + ":")) / 1024


def settings(count, **more):
    return {"more": {"profiles": [{"name": f"p{i}"} for i in range(PROFILES)], "trunks": [], "numbers": [], **more},
            "room": {"numbers": count}, "message_mb": 16, "transactions": 4096, "calls": 4096}


def started(bed, options):
    begin = time.monotonic()
    device = Strowger(bed, **options)
    return device, time.monotonic() - begin


def whole(results, path, count):
    """What an operator does with so many numbers, and how long it takes. Start-up alone is taken off, and its memory."""
    state = os.path.join(os.path.dirname(path), "routing.json")
    with Bed("memif", f"publication{os.getpid()}") as bed:
        device, empty_s = started(bed, settings(count, state_file=state))
        with device:
            before = memory_mib(device.pid())
            begin = time.monotonic()
            argv = [program("strowgerctl"), "--socket", device.socket_path, "numbers", "load", "-f", path]
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
            if done.returncode:
                raise BedError(f"{' '.join(argv)}: {done.stderr}")
            found = {"socket_s": time.monotonic() - begin, "socket_mib": memory_mib(device.pid()) - before,
                     "state_mib": os.path.getsize(state) / 1048576}
        device, seconds = started(bed, settings(count, state_file=state))
        with device:
            found.update({"state_file_s": seconds - empty_s, "numbers": device.call("status")["numbers"]})
        os.unlink(state)
        device, seconds = started(bed, settings(count, numbers_file=path))
        with device:
            found.update({"numbers_file_s": seconds - empty_s, "numbers_file_mib": memory_mib(device.pid()) - before})
    entry = results.entries["numbers_load"]
    entry["detail"]["strowgerd"] = {name: round(value, 2) for name, value in found.items()}
    entry["beside"].update({f"strowgerd, {words}, s": round(found[name], 2) for name, words in (
        ("numbers_file_s", "started with the file"), ("socket_s", "over the socket"), ("state_file_s", "started from its state file"))})
    tell(f"  strowgerd: {entry['detail']['strowgerd']}")


# ---- changes while a worker works


def in_batches(method, params):
    requests = [{"jsonrpc": "2.0", "id": 1, "method": method, "params": of_one} for of_one in params]
    return [json.dumps(requests[begin:begin + BATCH]).encode() + b"\n" for begin in range(0, len(requests), BATCH)]


def changes(count, profiles):
    """Each moves a number: all go to one profile, then all to the other, in an order of their own each time."""
    dice = random.Random(time.monotonic_ns())
    return [line for profile in profiles for line in in_batches(
        "number.set", ({"number": f"+{FIRST + number}", "profile": profile} for number in dice.sample(range(count), count)))]


def questions(profile):
    """As many, that change nothing."""
    return in_batches("profile.get", [{"name": profile}] * BATCH)


class Requests(threading.Thread):
    """Ten thousand a second over the control socket, in batches that were made before, again and again."""

    def __init__(self, device, lines):
        super().__init__(daemon=True)
        self.device, self.lines, self.end, self.made, self.refused = device, lines, threading.Event(), 0, 0

    def run(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
            door.connect(self.device.socket_path)
            with door.makefile("rb") as answers:
                due = time.monotonic()
                while not self.end.is_set():
                    door.sendall(self.lines[self.made // BATCH % len(self.lines)])
                    self.refused += answers.readline().count(b'"error"')
                    self.made += BATCH
                    due += BATCH / CHANGES_PER_S
                    if (left := due - time.monotonic()) > 0:
                        time.sleep(left)

    def stop(self):
        self.end.set()
        self.join(10)


def control_us(device):
    """CPU time of the control thread so far."""
    with open(f"/proc/{device.pid()}/task/{device.pid()}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0]) / 1000


def turns(device):
    """{where a bucket begins, us: turns} of the first worker."""
    return {bucket["us"]: bucket["turns"] for bucket in device.call("workers", loop=True)[0]["loop"]["buckets"]}


def between(before, after):
    """Sorted [us, turns] of what came between two readings."""
    return [[us, count - before.get(us, 0)] for us, count in sorted(after.items()) if count > before.get(us, 0)]


def quantile(histogram, share):
    total, seen = sum(count for _, count in histogram), 0
    for us, count in histogram:
        seen += count
        if seen >= share * total:
            return us
    return 0


def longer(histogram):
    """[[us, share of turns that took longer]]"""
    total, left, points = sum(count for _, count in histogram), 0, []
    for us, count in reversed(histogram):
        points.append([us, left / total])
        left += count
    return [point for point in reversed(points) if point[1] > 0]


def under_load(bed, results, count, quick):
    """One after the other, in turn, so that what the host does falls on all. Who asks and who answers take time from the generator, which then sends what it owes at
    once, for longer turns of the worker: so what is compared with changes are as many questions; without either is beside it."""
    seconds, rounds = (0.6, 1) if quick else (5, 3)
    lines = {"without": None, "with questions": questions("other"), "with": changes(10000, ["other", "all"])}
    sums = {case: {} for case in lines}
    loss = dict.fromkeys(lines, 0)
    made = spent = took = 0
    profiles = [*routing()["profiles"], {"name": "other", "strategy": "failover"}]
    with Strowger(bed, more={"profiles": profiles}, room={"numbers": count}, message_mb=16, transactions=4096, calls=4096) as device, Generator(bed, "in-dialog", calls=1 << 11) as generator:
        generator.meet().set_up()
        generator.run(RATE, 0.5)
        for case in list(lines) * rounds:
            requests = Requests(device, lines[case]) if lines[case] else None
            before, spent_before, begin = turns(device), control_us(device), time.monotonic()
            if requests:
                requests.start()
            trial = generator.run(RATE, seconds)
            if requests:
                requests.stop()
                if requests.refused:
                    raise BedError(f"{requests.refused} requests were refused")
            if case == "with":
                made, spent, took = made + requests.made, spent + control_us(device) - spent_before, took + time.monotonic() - begin
            loss[case] += trial["lost"]
            for us, n in between(before, turns(device)):
                sums[case][us] = sums[case].get(us, 0) + n
    histograms = {case: sorted(of_one.items()) for case, of_one in sums.items()}
    quantiles = {case: {q: quantile(histogram, share) for q, share in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999))} for case, histogram in histograms.items()}
    per_s = made / took
    ratio = quantiles["with"]["p99"] / quantiles["with questions"]["p99"]
    results.add("publication_loop", ratio, "x with questions", target=f"<= {LOOP_TIMES}", reached=ratio <= LOOP_TIMES and per_s >= 0.95 * CHANGES_PER_S,
                beside={"changes a second": per_s, **{f"{q} {words}, us": us for words, of in quantiles.items() for q, us in of.items()}},
                detail={"lost": loss, "messages_s": RATE, "control_us_a_change": spent / made,
                        "series": {"without changes against turn us": longer(histograms["without"]),
                                   "10,000 questions a second against turn us": longer(histograms["with questions"]),
                                   "10,000 changes a second against turn us": longer(histograms["with"])}})
    if "number_move" in results.entries:
        results.entries["number_move"]["beside"]["over the socket"] = round(spent / made, 2)
    tell(f"  {per_s:.0f} changes a second, {spent / made:.1f} us of the control thread each; turns {quantiles}")


def main():
    options = arguments("bench/publication", __doc__)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by way of what takes the namespaces down
    if not options.no_build:
        built("strowgerd", "strowgerctl", "bench/strowger-publication", "bench/strowger-wire")
    results = Results("bench/publication" + (" --quick" if options.quick else ""))
    count = 500000 if options.quick else 10000000
    with tempfile.TemporaryDirectory(prefix="strowger-numbers-") as folder, hugepages(HUGEPAGES):
        path = os.path.join(folder, "numbers.txt")
        write_numbers(path, count)
        in_process(results, path, count, options.quick)
        if not options.quick:
            whole(results, path, count)
        with Bed("memif", f"loop{os.getpid()}") as bed:
            under_load(bed, results, count, options.quick)
    results.finish(options.json)


if __name__ == "__main__":
    try:
        main()
    except BedError as error:
        sys.exit(f"bench/publication: {error}")
