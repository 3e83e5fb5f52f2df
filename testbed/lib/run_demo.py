# SPDX-License-Identifier: Apache-2.0
"""Builds Strowger, sends calls through it to three targets, kills the busiest one half way, and counts what became of every call.

    SIPp (caller) -- Strowger (DPDK port) -- SIPp x 3 (targets: ring half a second, then answer)

The last line is JSON. calls = answered + failed + cut, where
  answered         calls that were answered and ended by the caller as they should
  failed           calls that were not, and no excuse for it
  rescued          calls that a second target took over (Strowger's counter; the capture must agree)
  cut              calls whose 200 left the killed process before it died, so that nobody was left to end them with:
                   counted message by message in a capture of the wire
  retransmissions  messages that were on the wire again, all legs
  per_target       calls that each was offered, and those it answered
The exit status is 0 only if no call failed and every call is accounted for."""

import argparse
import json
import shutil
import sys
import tempfile
import time
from contextlib import nullcontext

import tls
from building import begin_in_lab
from capture import Capture
from control import Control
from lab import Lab, NUMBER, STRATEGIES, TARGETS, configuration, over_tcp
from ledger import Ledger
from picture import Picture
from sipp import Sipp

KNOBS = {"ring_timeout_s": 3, "response_timeout_ms": 1000, "progress_timeout_ms": 2000}
RING_MS = 500


def arguments():
    parser = argparse.ArgumentParser(prog="testbed/demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1000, metavar="N")
    parser.add_argument("--rate", type=int, default=200, metavar="R", help="calls per second")
    parser.add_argument("--strategy", choices=STRATEGIES, default="round_robin")
    parser.add_argument("--kill", choices=("none", "busiest"), default="busiest")
    parser.add_argument("--hold", type=int, default=0, metavar="MS", help="how long the caller stays on an answered call")
    parser.add_argument("--driver", choices=("af_packet", "af_xdp"), default="af_packet")
    parser.add_argument("--workers", type=int, default=1, metavar="N")
    parser.add_argument("--transport", choices=("udp", "tcp", "tls"), default="udp", help="on both sides; tls: through stunnel, which SIPp needs for it")
    parser.add_argument("--keep", action="store_true", help="leave the lab up afterwards, to look around in it")
    parser.add_argument("--no-build", action="store_true", help="the programs are there already")
    return parser.parse_args()


def say(words):
    print(f"demo: {words}", flush=True)


def rows_of(control):
    return {row["trunk"]: row for row in control.call("targets") if row["profile"] == "lab"}


def busiest(rows):
    """The target with most calls in hand; between equals, the one that was given most."""
    return max(rows, key=lambda name: (rows[name]["ringing"] + rows[name]["live"], rows[name]["attempts"]))


def make_calls(lab, options, authority):
    """Runs the calls; returns the caller's SIPp and the name of the killed target."""
    serve = (lambda *how, **more: tls.Target(lab, authority, *how, **more)) if authority else (
        lambda *how, **more: Sipp(lab, *how, transport=options.transport, **more))
    servers = {target: serve(target, "uas_ring", options=["-d", RING_MS]) for target in TARGETS}
    picture, killed = Picture(options.calls), None
    with Control(lab.socket_path) as control:
        # A BYE to a dead process is not answered: three repetitions are enough where nothing else is lost.
        caller = Sipp(lab, "caller", "uac_hold" if options.hold else "uac", remote=lab.address("strowger"), calls=options.calls, rate=options.rate, transport=options.transport,
                      seconds=options.calls // options.rate + options.hold // 1000 + 90,
                      options=["-s", NUMBER, "-d", options.hold, "-max_non_invite_retrans", 3])
        while caller.running():
            status, rows = control.call("status"), rows_of(control)
            if options.kill == "busiest" and not killed and status["calls"]["started"] >= options.calls / 2:
                killed = busiest(rows)
                servers[killed].kill()
            picture.draw(status, rows, f"{killed} is dead" if killed else "")
            time.sleep(0.02)
        picture.draw(control.call("status"), rows_of(control), f"{killed} is dead" if killed else "", last=True)
    caller.wait(1)
    for target, server in servers.items():
        if target != killed:
            server.stop()
    return caller, killed


def account(lab, messages, caller, killed, counters, calls):
    """The result, and what does not add up (nothing, if all is well)."""
    ledger = Ledger(messages, [lab.address("strowger")],
                    {lab.address(target): target for target in TARGETS})
    done = [call for call in ledger.calls.values() if call.completed]
    cut = [call for call in ledger.calls.values() if killed in call.answers and not call.completed]
    failed = calls - len(done) - len(cut)
    rescued = counters["calls_rescued"]
    offered = ledger.invited()
    result = {
        "calls": calls, "answered": len(done), "failed": failed, "rescued": rescued, "cut": len(cut),
        "retransmissions": ledger.retransmissions,
        "per_target": {target: {"offered": offered[target],
                                "answered": sum(target in call.answers for call in ledger.calls.values())}
                       for target in TARGETS},
    }
    odd = []
    if caller.successful != len(done):
        odd.append(f"the caller counts {caller.successful} good calls, the capture {len(done)}")
    if caller.failed != failed + len(cut):
        odd.append(f"the caller counts {caller.failed} bad calls, the capture {failed + len(cut)}")
    if len(ledger.calls) != calls:
        odd.append(f"{len(ledger.calls)} calls are in the capture")
    # Over TCP a call may have moved on from a target that its INVITE never got to: nobody accepted the connection.
    unseen = rescued - len(ledger.rescued())
    if not 0 <= unseen <= counters["requests_undelivered"]:
        odd.append(f"Strowger counts {rescued} rescued calls, the capture {len(ledger.rescued())}")
    return result, odd


def main():
    options = arguments()
    begin_in_lab("demo", options.no_build, say)
    lab = Lab()
    lab.down()
    folder, authority = tempfile.mkdtemp(prefix="strowger-demo-"), None
    say(f"lab {lab.name!r}: {options.driver}, {options.workers} worker(s), {options.strategy}; files in {lab.directory}")
    try:
        config = configuration(lab, options.driver, options.workers, options.strategy, **KNOBS)
        if options.transport == "tcp":
            over_tcp(config)
        elif options.transport == "tls":
            authority = tls.prepare(config, folder)
            tls.over_tls(config)
        lab.up(options.driver, options.workers, config)
        with tls.PlainCapture(lab) if authority else Capture(lab) as capture, tls.caller_tunnel(lab, authority) if authority else nullcontext():
            caller, killed = make_calls(lab, options, authority)
        result, odd = account(lab, capture.messages(), caller, killed, lab.counters(), options.calls)
    finally:
        if not options.keep:
            lab.down()
            shutil.rmtree(folder)
    for words in odd:
        say(f"does not add up: {words}")
    print(json.dumps(result))
    sys.exit(1 if odd or result["failed"] else 0)


if __name__ == "__main__":
    main()
