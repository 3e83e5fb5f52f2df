# SPDX-License-Identifier: Apache-2.0
"""Builds Strowger, sends 200 calls a second through it to three targets, makes one of them fail, and mends it again.

    SIPp (caller) -- Strowger (DPDK port) -- SIPp x 3 (targets: ring a moment, then answer)

Every fault is tried with probes every 100 ms, and (NAME-no-probes) without any, where live traffic alone finds it; and both again
(NAME-srv, NAME-srv-no-probes) with all targets behind one SRV name of a Knot server, three endpoints of one target.
For each: a line for people, and in the JSON
  calls, failed    made, and not answered or not ended as they should, with no excuse for it
  cut              answered by the faulty target, which was not there any more when they ended
  rescued          calls that another target took over
  exclusion_ms     from the fault until the target got no more calls; limit_ms: it should be no longer
  attempts         calls that the faulty target was sent between the two
  recovery_ms      from its repair until it got calls again; ramp_ms: from then until it got all of its calls
The exit status is 0 only if no call failed, every exclusion was in time, and every target came back."""

import argparse
import json
import os
import sys
import time

from building import begin_in_lab
from capture import Capture
from control import Control
from faults import FAULTS
from lab import Lab, TARGETS, configuration
from ledger import Ledger
from nameserver import NameServer
from processes import wait_for
from sipp import Sipp

RATE = 200
WARM_S, FAULT_S, AFTER_S = 1.5, 2.0, 1.0
RING_MS, HOLD_MS = 150, 300
RESPONSE_TIMEOUT_MS = 500
KNOBS = {"ring_timeout_s": 3, "response_timeout_ms": RESPONSE_TIMEOUT_MS, "progress_timeout_ms": 2000}
PROBE = {"enabled": True, "interval_ms": 100, "timeout_ms": 120, "down_after": 2, "up_after": 1}
EJECTION = {"first_s": 1, "max_s": 2, "ramp_s": 2}
FAULTY = "target1"
WITH_PROBES_MS = 500
AT_ONCE_MS = 500        # five of its calls take 75 ms to come; the rest is for a machine that does other things too
NUMBERS = [f"+4420355510{i:02d}" for i in range(40)]
GIVE_UP_S = 20


def arguments():
    parser = argparse.ArgumentParser(prog="testbed/faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fault", metavar="NAME", action="append", choices=names(), help="one of: %(choices)s; may be given again; default: all")
    parser.add_argument("--json", metavar="FILE", help="where the JSON goes; without it, it is the last line")
    parser.add_argument("--driver", choices=("af_packet", "af_xdp"), default="af_packet")
    parser.add_argument("--workers", type=int, default=1, metavar="N")
    parser.add_argument("--no-build", action="store_true", help="the programs are there already")
    return parser.parse_args()


SRV, NO_PROBES = "-srv", "-no-probes"
ZONE = "carrier.test."


def names():
    return [name + srv + suffix for srv in ("", SRV) for suffix in ("", NO_PROBES) for name in FAULTS]


def read_name(name):
    """The fault itself, whether there are probes, whether the targets are behind one name."""
    probes = not name.endswith(NO_PROBES)
    name = name.removesuffix(NO_PROBES)
    return name.removesuffix(SRV), probes, name.endswith(SRV)


def say(words):
    print(f"faults: {words}", flush=True)


def put_behind_name(lab, config):
    """One trunk and one target in the place of three."""
    config["resolver"] = {"servers": [lab.address("stranger")]}
    config["trunks"] = [trunk for trunk in config["trunks"] if trunk["name"] not in TARGETS]
    config["trunks"].append({"name": "carrier", "endpoints": [{"host": ZONE}],
                             "sources": [f"{lab.address(target)}/32" for target in TARGETS]})
    for profile in config["profiles"]:
        if profile["name"] == "lab":
            profile["targets"] = [{"trunk": "carrier"}]


def serve_name(lab):
    dns = NameServer(lab, "stranger", ZONE)
    dns.put(*(line for target in TARGETS
              for line in (f"_sip._udp 60 SRV 10 10 5060 {target}", f"{target} 60 A {lab.address(target)}")))
    return dns.start()


def config_for(lab, driver, workers, probes, srv=False):
    config = configuration(lab, driver, workers, "round_robin", **KNOBS)
    config["probe"] = PROBE if probes else {"enabled": False}
    config["ejection"] = EJECTION
    for trunk in config["trunks"]:
        if trunk["name"] not in TARGETS:
            trunk["probe"] = {"enabled": False}
    if srv:
        put_behind_name(lab, config)
    config["numbers"] = [{"prefix": NUMBERS[0][:9], "profile": "lab"}]
    return config


class Watcher:
    """What Strowger says of the faulty target's endpoint."""

    def __init__(self, lab):
        self.control = Control(lab.socket_path)
        self.address = f"{lab.address(FAULTY)}:5060"

    def endpoint(self):
        return next(endpoint for row in self.control.call("targets") if row["profile"] == "lab"
                    for endpoint in row["endpoints"] if endpoint["address"] == self.address)

    def started(self):
        return self.control.call("status")["calls"]["started"]

    def until(self, condition, seconds=GIVE_UP_S):
        """The endpoint when the condition first held, and when (time.time()); (None, None): it never did."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            endpoint = self.endpoint()
            if condition(endpoint):
                return endpoint, time.time()
            time.sleep(0.004)
        return None, None


    def until_whole(self):
        """When it was back for good, and when it got all of its calls: one that found it failing just before its repair may have taken it out
        for one more time."""
        back = None

        def whole(endpoint):
            nonlocal back
            if is_out(endpoint):
                back = None
            elif back is None:
                back = time.time()
            return back and endpoint["ramp_percent"] == 100

        when = self.until(whole)[1]
        return back, when


def is_out(endpoint):
    return endpoint["health"] in ("down", "ejected")


def start_caller(lab, calls):
    path = os.path.join(lab.directory, "numbers.csv")
    with open(path, "w", encoding="utf-8") as file:
        file.write("SEQUENTIAL\n" + "".join(f"{number}\n" for number in NUMBERS))
    # A BYE to a dead process is not answered: three repetitions are enough where nothing else is lost.
    return Sipp(lab, "caller", "uac_numbers", remote=lab.address("strowger"), calls=calls, rate=RATE, seconds=calls // RATE + 60,
                options=["-inf", path, "-d", HOLD_MS, "-max_non_invite_retrans", 3])


class Times:
    """When what happened, in seconds of time.time(); None: it did not."""
    begun = excluded = ended = back = whole = reason = None


def make_calls(lab, fault, watcher, probes, calls):
    t = Times()
    if probes and not watcher.until(lambda e: e["health"] == "up")[0]:
        raise RuntimeError(f"{FAULTY} does not answer OPTIONS")
    caller = start_caller(lab, calls)
    wait_for(lambda: watcher.started() >= WARM_S * RATE, GIVE_UP_S, every=0.01)
    t.begun = time.time()
    fault.begin()
    endpoint, t.excluded = watcher.until(is_out)
    t.reason = endpoint and endpoint["reason"].split("; until")[0]
    while time.time() < t.begun + FAULT_S:
        time.sleep(0.01)
    fault.end()
    t.ended = time.time()
    t.back, t.whole = watcher.until_whole()
    wait_for(lambda: not caller.running(), calls // RATE + 60)
    caller.wait(1)
    return t


def milliseconds(since, until):
    return round((until - since) * 1000) if since and until else None


def account(lab, messages, t, calls, limit_ms):
    messages = list(messages)
    ledger = Ledger(messages, [lab.address("strowger")], {lab.address(target): target for target in TARGETS})
    done = [call for call in ledger.calls.values() if call.completed]
    cut = [call for call in ledger.calls.values() if FAULTY in call.answers and not call.completed]
    to_faulty = [message for message in messages if message.is_request and message.method == "INVITE"
                 and message.destination[0] == lab.address(FAULTY) and "tag=" not in message.header("to")]
    between = {message.call_id for message in to_faulty if t.excluded and t.begun <= message.when <= t.excluded}
    return {"calls": calls, "failed": calls - len(done) - len(cut), "cut": len(cut), "rescued": len(ledger.rescued()),
            "exclusion_ms": milliseconds(t.begun, t.excluded), "limit_ms": limit_ms, "attempts": len(between),
            "recovery_ms": milliseconds(t.ended, t.back), "ramp_ms": milliseconds(t.back, t.whole), "reason": t.reason}


def limit_of(fault, probes):
    if probes and fault.probes_find_it:
        return WITH_PROBES_MS
    return AT_ONCE_MS + (RESPONSE_TIMEOUT_MS if fault.silent else 0)


def run(name, driver="af_packet", workers=1, seconds=WARM_S + FAULT_S + 2 * EJECTION["max_s"] + EJECTION["ramp_s"] + AFTER_S):
    """The result of one fault by its name, in a lab of its own."""
    base, probes, srv = read_name(name)
    calls = int(RATE * seconds)
    lab = Lab()
    lab.down()
    try:
        lab.up(driver, workers, config_for(lab, driver, workers, probes, srv), daemon=False)
        if srv:
            serve_name(lab)
        lab.start_daemon()
        fault = FAULTS[base](lab, FAULTY, RING_MS)
        servers = [Sipp(lab, target, "uas_probed", options=["-d", RING_MS]) for target in TARGETS if target != FAULTY]
        fault.serve()
        with Capture(lab) as capture:
            t = make_calls(lab, fault, Watcher(lab), probes, calls)
            for server in [*servers, *fault.servers()]:
                server.stop()
        return account(lab, capture.messages(), t, calls, limit_of(fault, probes))
    finally:
        lab.down()


def complaints(result):
    """What is not as it should be."""
    words = []
    if result["failed"]:
        words.append(f"{result['failed']} calls failed")
    if result["exclusion_ms"] is None:
        words.append("the faulty target was never left out")
    elif result["exclusion_ms"] > result["limit_ms"]:
        words.append(f"left out after {result['exclusion_ms']} ms, not within {result['limit_ms']}")
    if result["ramp_ms"] is None:
        words.append("it did not come back")
    return words


def main():
    options = arguments()
    begin_in_lab("faults", options.no_build, say)
    results, bad = {}, False
    for name in options.fault or names():
        result = results[name] = run(name, options.driver, options.workers)
        words = complaints(result)
        bad |= bool(words)
        say(f"{name:32} {result['calls']} calls, {result['failed']} failed, {result['cut']} cut, {result['rescued']} rescued; "
            f"out after {result['exclusion_ms']} ms (limit {result['limit_ms']}) and {result['attempts']} calls: {result['reason']}; "
            f"back after {result['recovery_ms']} ms, whole {result['ramp_ms']} ms later")
        for complaint in words:
            say(f"{name}: {complaint}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
    else:
        print(json.dumps(results))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
