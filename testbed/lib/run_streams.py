# SPDX-License-Identifier: Apache-2.0
"""SIP over a bad link: Linux calls Strowger over TCP, Strowger calls Linux, and between them and it frames are lost, overtaken, duplicated and damaged.

    strowger-streams (caller) -- Linux TCP --\\                         /-- Linux TCP -- strowger-streams x 3 (targets)
                                              strowger-link = Strowger

Numbered SIP requests, of which everything follows from the number, go from many connections to the targets' endpoints, and numbered answers come back; both ends
count what never came, came twice, or was not what was sent. Once for each share of lost segments; beside that, always, 1 % are overtaken, 1 % come twice and
0.5 % have a bit turned, all from a seed. Then transfers as fast as they go over such a link (strowger-bulk): Linux to Linux, to and from Strowger's TCP.

The exit status is 0 only if nothing was lost, twice or damaged, and no transfer was slower than half of Linux to Linux."""

import argparse
import json
import subprocess
import sys

from building import begin_in_lab, build
from lab import Lab, TARGETS, configuration, over_tcp
from link import Caller, Link, Server, program

NUMBER = "+442035550177"
PORTS = 8           # of each target: as many connections to it
PATIENCE_S = 60
CALLS_WINDOW = 3    # of one connection, at once: ACKs and BYEs of all calls of a target go by one connection, where 256 KiB may wait while a lost segment is repeated
RULES = {"reorder": 100, "duplicate": 100, "corrupt": 50, "late_us": 2000, "delay_us": 100}


def arguments():
    parser = argparse.ArgumentParser(prog="testbed/streams", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1000000, metavar="N", help="requests for each share of loss, and as many answers (default: %(default)s)")
    parser.add_argument("--loss", type=float, action="append", metavar="PERCENT", help="may be given again; default: 0, 1 and 5")
    parser.add_argument("--connections", type=int, default=64, metavar="N", help="of the caller (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="another one, other segments are lost (default: %(default)s)")
    parser.add_argument("--calls", action="store_true", help="whole calls (INVITE, ACK, BYE) instead of single requests (MESSAGE)")
    parser.add_argument("--workers", type=int, default=1, metavar="N")
    parser.add_argument("--json", metavar="FILE", help="where the JSON goes; without it, it is the last line")
    parser.add_argument("--no-bulk", action="store_true", help="without the transfers")
    parser.add_argument("--no-build", action="store_true", help="the programs are there already")
    return parser.parse_args()


def say(words):
    print(f"streams: {words}", flush=True)


def change(config):
    """All over TCP; one profile whose targets have PORTS endpoints each, and no clock that gives a message up."""
    over_tcp(config)
    for trunk in config["trunks"]:
        if trunk["name"] in TARGETS:
            trunk["endpoints"] = [{**trunk["endpoints"][0], "port": 5060 + n} for n in range(PORTS)]
    config["profiles"].append({"name": "streams", "strategy": "weighted_lb", "response_timeout_ms": 0, "progress_timeout_ms": 0, "setup_budget_s": 0,
                               "targets": [{"trunk": target} for target in TARGETS]})
    config["numbers"].append({"number": NUMBER, "profile": "streams"})


def exchange(lab, messages, lose, connections, seed, progress=None, **options):
    """One run over a bad link; lose: of 10,000; progress: as of Caller.wait. What the caller, all targets together, and the link said."""
    if options.get("calls"):
        options = {"window": CALLS_WINDOW, **options}
    with Link(lab, seed=seed, lose=lose, **RULES) as link:
        servers = [Server(lab, target, messages, f"s{seed}", f"5060-{5060 + PORTS - 1}") for target in TARGETS]
        caller = Caller(lab, NUMBER, messages, f"s{seed}", connections, patience=PATIENCE_S, **options).wait(3600, progress)
        told = [server.stop() for server in servers]
    return {"caller": caller, "link": link.counts,
            "targets": {key: sum(answer[key] for answer in told) for key in ("done", "twice", "damaged", "strange", "connections")}}


def complaints(run, messages):
    """What is not as it should be, in words."""
    caller, targets = run["caller"], run["targets"]
    refused = f"refused ({caller['refusal']})"
    words = [f"{caller[key]} {what}" for key, what in (("missing", "not answered"), ("refused", refused), ("ended", "connections ended")) if caller[key]]
    words += [f"{messages - targets['done']} did not arrive"] if targets["done"] != messages else []
    for key in ("twice", "damaged", "strange"):
        words += [f"{end[key]} {key} at the {name}" for name, end in (("caller", caller), ("targets", targets)) if end[key]]
    words += [f"the link lost {run['link'][key]} by itself" for key in ("too_many", "missed") if run["link"][key]]
    return words


def in_lab(lab, options, loss):
    lab.down()
    try:
        config = configuration(lab, "af_packet", options.workers)
        change(config)
        lab.up("af_packet", options.workers, config)
        extra = {"calls": True} if options.calls else {}
        run = exchange(lab, options.messages, round(loss * 100), options.connections, options.seed,
                       lambda words: say(f"{loss:g} % lost: {words}"), **extra)
        counters = lab.counters()
        run["strowger"] = {name: counters[name] for name in ("tcp_segments_in", "tcp_segments_out", "tcp_retransmitted", "tcp_timeouts", "tcp_recoveries",
                                                             "tcp_duplicates", "tcp_out_of_order", "tcp_bad_checksum")}
        run["complaints"] = complaints(run, options.messages)
        return run
    finally:
        lab.down()


def bulk(lab, seed):
    done = subprocess.run([program(lab, "strowger-bulk"), "--at-least", "50", "--seed", str(seed)], capture_output=True, text=True, check=False)
    if not done.stdout:
        sys.exit(f"testbed/streams: {done.stderr}")
    answer = json.loads(done.stdout.splitlines()[-1])
    answer["complaints"] = ["slower than half of Linux to Linux, or not whole"] if done.returncode else []
    return answer


def main():
    options = arguments()
    begin_in_lab("streams", options.no_build, say)
    if not options.no_build:
        build(targets=[f"testbed/tools/strowger-{name}" for name in ("bulk", "link", "streams")], log=sys.stderr)
    lab, results = Lab(), {"loss": {}}
    for loss in options.loss or [0, 1, 5]:
        run = results["loss"][f"{loss:g}"] = in_lab(lab, options, loss)
        caller, link, own = run["caller"], run["link"], run["strowger"]
        say(f"{loss:g} % lost: {caller['done']} of {options.messages} answered in {caller['seconds']:.0f} s; {link['segments']} segments, {link['lost']} lost, "
            f"{link['reordered']} overtaken, {link['duplicated']} twice, {link['corrupted']} damaged; Strowger sent {own['tcp_retransmitted']} again; "
            f"{', '.join(run['complaints']) or 'none lost, none twice, none damaged'}")
    if not options.no_bulk:
        results["bulk"] = bulk(lab, options.seed)
        say("1 % lost, 50 ms: " + ", ".join(f"{name.replace('_', ' ')} {rate / 1e6:.2f} MB/s" for name, rate in results["bulk"]["bytes_per_s"].items()))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
    else:
        print(json.dumps(results))
    sys.exit(any(run["complaints"] for run in [*results["loss"].values(), *([results["bulk"]] if "bulk" in results else [])]))


if __name__ == "__main__":
    main()
