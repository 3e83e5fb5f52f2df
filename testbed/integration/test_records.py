# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- Strowger (AF_PACKET, failover) ----+---- target1
#   10.77.0.10          10.77.0.1                  +---- target2
#                           |                      +---- target3
#                        cdr.jsonl
#
# What is put on record of a call, what is seen of one that is up, and what a kill or a full disk takes away: nothing.

import collections
import datetime
import json
import os
import re
import resource
import signal
import subprocess
import time

import yaml

from agent import Agent
from lab import NUMBER
from processes import wait_for
from trial import Trial

RESTARTS = True


def configure(config):
    directory = os.path.dirname(config["control"]["socket"])
    config["cdr"] = {"file": os.path.join(directory, "cdr", "cdr.jsonl"), "rotate_mb": 1, "keep": 3}


def path(lab):
    return os.path.join(lab.directory, "cdr", "cdr.jsonl")


def read(lab, *suffixes):
    """Every record of the files, the oldest first; every line must be whole JSON."""
    found = []
    for suffix in suffixes or (".3", ".2", ".1", ""):
        if os.path.exists(path(lab) + suffix):
            with open(path(lab) + suffix, encoding="utf-8") as file:
                found += [json.loads(line) for line in file]
    return found


def wait_records(lab, call_id, count, seconds=5):
    """The records of a call, once there are so many."""
    wait_for(lambda: len([r for r in read(lab) if r["call_id"] == call_id]) >= count, seconds)
    time.sleep(0.1)  # one too many would come now
    found = [record for record in read(lab) if record["call_id"] == call_id]
    assert len(found) == count, found
    return found


def near(value, expected, slack=150):
    return expected - 60 <= value <= expected + slack


class Call:
    """One call by hand: what each side does, and when."""

    def __init__(self, lab, caller):
        self.caller, self.call_id, self.tag = caller, os.urandom(8).hex() + "@records", os.urandom(4).hex()
        self.invite = caller.request("INVITE", f"sip:{NUMBER}@10.77.0.1", call_id=self.call_id, from_tag=self.tag)
        self.began = time.time()
        caller.send(self.invite)

    def cancel(self):
        self.caller.send(self.invite.replace("CSeq: 1 INVITE", "CSeq: 1 CANCEL").replace("INVITE sip", "CANCEL sip"))

    def refused(self, status):
        assert self.caller.final().status == status
        self.caller.send(self.invite.replace("INVITE sip", "ACK sip").replace("1 INVITE", "1 ACK"))

    def in_dialog(self, method, ok, cseq=1):
        return self.caller.request(method, ok.header("contact").strip("<>"), call_id=self.call_id, from_tag=self.tag, to_tag="t",
                                   cseq=cseq, extra=[f"Route: {route}" for route in ok.headers["record-route"]])

    def acknowledge(self, ok):
        self.caller.send(self.in_dialog("ACK", ok))

    def end(self, target, ok):
        self.caller.send(self.in_dialog("BYE", ok, 2))
        bye = target.request_in("BYE")
        target.reply(bye, 200, "OK")
        assert self.caller.final(method="BYE").status == 200


def test_answered(lab):
    with Agent(lab, "caller") as caller, Agent(lab, "target1") as target:
        call = Call(lab, caller)
        arrived = target.request_in()
        time.sleep(0.2)
        target.reply(arrived, 180, "Ringing", tag="t")
        time.sleep(0.3)
        target.reply(arrived, 200, "OK", tag="t")
        ok = caller.final()
        call.acknowledge(ok)
        (start,) = wait_records(lab, call.call_id, 1)
        time.sleep(0.4)
        lasted = time.time() - call.began
        call.end(target, ok)
        end = wait_records(lab, call.call_id, 2)[1]
    assert start["type"] == "start" and end["type"] == "end"
    assert start["id"] == end["id"] and re.fullmatch("[0-9a-f]{16}", end["id"])
    for record in (start, end):
        assert record["from"] == "caller" and record["to"] == NUMBER and record["number"] == NUMBER
        assert record["source"] == {"trunk": "caller", "address": "10.77.0.10:5060"}
        assert record["profile"] == "lab" and record["node"] == 1 and record["worker"] == 0 and record["status"] == 200
        arrived_at = datetime.datetime.fromisoformat(record["arrived"].replace("Z", "+00:00")).timestamp()
        assert record["arrived"].endswith("Z") and abs(arrived_at - call.began) < 1.1
        assert near(record["progress_ms"], 200) and near(record["answered_ms"], 500)
        (attempt,) = record["attempts"]
        assert attempt["target"] == "lab/target1" and attempt["trunk"] == "target1" and attempt["endpoint"] == "10.77.0.21:5060"
        assert attempt["result"] == "answered" and attempt["code"] == 200 and near(attempt["duration_ms"], 500)
    assert start["end"] is None and start["ended_ms"] is None and start["duration_ms"] is None
    assert end["end"] == "caller" and near(end["ended_ms"], lasted * 1000)
    assert end["duration_ms"] == end["ended_ms"] - end["answered_ms"]


def test_the_callee_ends_it(lab):
    with Trial(lab, target1="uas_bye") as trial:
        trial.call(1, scenario="uac_callee_bye")
    (call_id,) = trial.ledger.calls
    assert [(r["type"], r["end"]) for r in wait_records(lab, call_id, 2)] == [("start", None), ("end", "target")]


def test_rejected(lab):
    with Agent(lab, "caller") as caller, Agent(lab, "target1") as target:
        call = Call(lab, caller)
        arrived = target.request_in()
        target.reply(arrived, 180, "Ringing", tag="t")
        time.sleep(0.25)
        target.reply(arrived, 486, "Busy Here", tag="t")
        call.refused(486)
        (record,) = wait_records(lab, call.call_id, 1)
    assert record["type"] == "failed" and record["end"] == "rejected" and record["status"] == 486
    assert near(record["ended_ms"], 250) and record["answered_ms"] is None and record["duration_ms"] is None
    (attempt,) = record["attempts"]
    assert attempt["result"] == "rejected" and attempt["code"] == 486 and near(attempt["duration_ms"], 250)


def test_rescued(lab):
    with Agent(lab, "caller") as caller, Agent(lab, "target1") as first, Agent(lab, "target2") as second:
        call = Call(lab, caller)
        arrived = first.request_in()
        time.sleep(0.2)
        first.reply(arrived, 500, "Broken", tag="f")
        arrived = second.request_in()
        time.sleep(0.1)
        second.reply(arrived, 200, "OK", tag="t")
        ok = caller.final()
        call.acknowledge(ok)
        call.end(second, ok)
        start, end = wait_records(lab, call.call_id, 2)
    for record in (start, end):
        failed, answered = record["attempts"]
        assert (failed["target"], failed["result"], failed["code"]) == ("lab/target1", "retry_code", 500)
        assert failed["started_ms"] == 0 and near(failed["duration_ms"], 200)
        assert (answered["target"], answered["result"], answered["code"]) == ("lab/target2", "answered", 200)
        assert near(answered["started_ms"], 200) and near(answered["duration_ms"], 100)


def test_cancelled(lab):
    with Agent(lab, "caller") as caller, Agent(lab, "target1") as target:
        call = Call(lab, caller)
        arrived = target.request_in()
        target.reply(arrived, 180, "Ringing", tag="t")
        assert caller.receive(want=lambda m: m.status == 180)
        time.sleep(0.3)
        call.cancel()
        target.reply(target.request_in("CANCEL"), 200, "OK")
        target.reply(arrived, 487, "Request Terminated", tag="t")
        call.refused(487)
        (record,) = wait_records(lab, call.call_id, 1)
    assert record["type"] == "failed" and record["end"] == "cancelled" and record["status"] == 487
    assert near(record["ended_ms"], 300)
    assert [attempt["result"] for attempt in record["attempts"]] == ["cancelled"]


def test_exhausted(lab):
    with Trial(lab) as trial:
        trial.call(1, scenario="uac_expect", fill={"code": 500})
    (call_id,) = trial.ledger.calls
    (record,) = wait_records(lab, call_id, 1)
    assert record["type"] == "failed" and record["end"] == "exhausted" and record["status"] == 500
    assert [(a["trunk"], a["result"]) for a in record["attempts"]] == [(f"target{n}", "transport") for n in (1, 2, 3)]


def test_odd_bytes(lab):
    """Whatever a caller writes, each line is JSON."""
    with Agent(lab, "caller") as caller, Agent(lab, "target1") as target:
        lines = caller.request("INVITE", f"sip:{NUMBER}@10.77.0.1", call_id="odd").encode()
        invite = lines.replace(b"<sip:caller@", b"<sip:J\xfcrg%22\xc3\xa4@", 1).replace(b"Call-ID: odd", b'Call-ID: odd"\\x')
        caller.send(invite)
        target.reply(target.request_in(), 486, "Busy Here", tag="t")
        (record,) = wait_records(lab, 'odd"\\x', 1)
        caller.send(invite.replace(b"INVITE sip", b"ACK sip").replace(b"1 INVITE", b"1 ACK"))
    assert record["from"] == "Jürg%22ä"


# --- calls that are up, and their messages

def test_calls(lab):
    with Agent(lab, "caller") as caller, Agent(lab, "target1") as target:
        call = Call(lab, caller)
        arrived = target.request_in()
        (shown,) = lab.ctl("calls")["calls"]
        assert shown["state"] == "setup" and shown["attempts"][0]["result"] == "pending"
        target.reply(arrived, 180, "Ringing", tag="t")
        assert caller.receive(want=lambda m: m.status == 180)
        (shown,) = lab.ctl("calls")["calls"]
        assert shown["state"] == "ringing" and shown["attempts"][0]["target"] == "lab/target1"
        answered_at = time.time()
        target.reply(arrived, 200, "OK", tag="t")
        ok = caller.final()
        call.acknowledge(ok)
        time.sleep(0.2)
        answer = lab.ctl("calls")
        waited = (time.time() - answered_at) * 1000
        (shown,) = answer["calls"]
        assert not answer["more"] and shown["state"] == "answered" and shown["call_id"] == call.call_id
        assert 195 <= shown["for_ms"] <= waited + 5 and "type" not in shown
        heads, row = lab.ctl("calls", text=True).stdout.splitlines()
        assert heads.split()[0] == "state" and re.match(r"answered +\d\d:\d\d:\d\d +0:0\d +caller +\+442035550100 +lab/target1 ", row)
        assert row.endswith(call.call_id)
        call.end(target, ok)
    assert lab.ctl("calls", text=True).stdout == "no calls\n"


def test_calls_are_bounded(lab):
    before = lab.counters()["calls_answered"]
    with Trial(lab, target1="uas") as trial:
        caller = trial.start(150, rate=300, scenario="uac_hold", options=["-d", 5000])
        assert lab.wait_counter("calls_answered", before + 150)
        assert len(lab.ctl("calls")["calls"]) == 100 and lab.ctl("calls")["more"]
        every = lab.ctl("calls", "--limit", 1000)
        assert len({call["call_id"] for call in every["calls"]}) >= 150 and not every["more"]
        assert [c["arrived"] for c in every["calls"]] == sorted(c["arrived"] for c in every["calls"])
        trial.finish(caller)
    assert lab.ctl("calls", "--limit", 0, check=False).returncode == 1


def test_trace(lab):
    with Trial(lab, target1=("uas_reply", {"code": 503}), target2="uas") as trial:
        trial.call(1)
    (call_id,) = trial.ledger.calls
    answer = lab.ctl("trace", call_id)
    assert answer["total"] == len(answer["messages"])
    seen = [(m["direction"], m["remote"], m["first_line"].split(" ")[0 if m["first_line"][0] != "S" else 1]) for m in answer["messages"]]
    # Each message that the wire carried, once in and once out.
    assert len(seen) == len([m for m in trial.messages if m.call_id == call_id])
    assert seen[0] == ("in", "10.77.0.10:5060", "INVITE") and ("out", "10.77.0.21:5060", "ACK") in seen
    assert ("out", "10.77.0.10:5060", "503") not in seen
    text = lab.ctl("trace", call_id, text=True).stdout.splitlines()
    assert text[0].split() == ["10.77.0.10:5060", "strowger", "10.77.0.21:5060", "10.77.0.22:5060"]
    assert re.match(r"\d{4}-\d\d-\d\d \(UTC\)", text[1])
    assert re.match(r"\d\d:\d\d:\d\d\.\d{3} +│─+INVITE─+▶│ +│ +│ +INVITE sip:", text[2])
    assert any(re.search(r"│ +│◀─+503─+│ +│ +SIP/2\.0 503 ", line) for line in text)
    assert any(re.search(r"│ +│◀─+200─+│ +SIP/2\.0 200 ", line) for line in text)
    refused = lab.ctl("trace", "no-such-call", check=False)
    assert refused.returncode == 1 and "limits.trace_mb" in refused.stderr


def test_trace_as_pcap(lab, tmp_path):
    family = {4: NUMBER, 6: "+442035550106"}
    for ip, number in family.items():
        with Trial(lab, family=ip, target1="uas") as trial:
            trial.call(1, number=number)
        (call_id,) = trial.ledger.calls
        file = str(tmp_path / f"{ip}.pcap")
        lab.ctl("trace", call_id, "--pcap", file, text=True)
        assert tshark(file, "sip.Call-ID") == [call_id] * len(trial.messages)
        assert tshark(file, "sip.Method")[0] == "INVITE"
        assert tshark(file, "udp.checksum.status") == ["1"] * len(trial.messages), "good"
        if ip == 4:
            assert tshark(file, "ip.checksum.status") == ["1"] * len(trial.messages)
        assert sorted(tshark(file, "udp.payload")) == sorted(m.payload.hex() for m in trial.messages), "to the byte"
        assert not tshark(file, "_ws.malformed", "_ws.malformed")


def tshark(file, field, only="sip"):
    done = subprocess.run(["tshark", "-r", file, "-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-Y", only,
                           "-T", "fields", "-e", field], capture_output=True, text=True, check=True, timeout=30)
    return done.stdout.splitlines()


# --- what must not be lost

def invited(trial):
    """The trial's own calls: what is still repeated of an earlier one is left out."""
    return {call_id for call_id, call in trial.ledger.calls.items() if call.begun and call.targets}


def count(records, kind):
    return collections.Counter(r["call_id"] for r in records if r["type"] == kind)


def test_a_kill_loses_no_record(lab):
    """500 calls are up when strowgerd is killed; a new one has each start on record, and each BYE ends one."""
    before = lab.counters()["calls_answered"]
    with Trial(lab, target1="uas") as trial:
        caller = trial.start(500, rate=250, scenario="uac_hold", options=["-d", 6000])
        assert lab.wait_counter("calls_answered", before + 500)
        lab.processes.stop("strowgerd", signal.SIGKILL)
        lab.start_daemon()
        trial.finish(caller)
    ledger = invited(trial)
    assert len(ledger) == 500
    wait_for(lambda: ledger <= set(count(read(lab), "foreign_end")), 5)
    records = [r for r in read(lab) if r["call_id"] in ledger]
    starts, ends = count(records, "start"), count(records, "foreign_end")
    assert set(starts) == ledger, f"{len(ledger - set(starts))} calls have no start record"
    assert set(ends) == ledger, f"{len(ledger - set(ends))} calls have no end record"
    assert max(starts.values()) == 1, "the file's last lines are not repeated"
    end = next(r for r in records if r["type"] == "foreign_end")
    assert end["end"] == "caller" and end["source"]["trunk"] == "caller" and end["attempts"][0]["trunk"] == "target1"
    start = next(r for r in records if r["type"] == "start" and r["call_id"] == end["call_id"])
    assert abs(seconds(end["arrived"]) - seconds(start["arrived"])) <= 1.1
    assert 4000 < end["ended_ms"] < 12000


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def test_a_kill_in_the_middle_of_it(lab):
    """Killed while calls come and go: every call that the caller saw answered has a start record."""
    with Trial(lab, target1="uas") as trial:
        trial.start(400, rate=200, scenario="uac_hold", options=["-d", 300])
        before = lab.counters()["calls_answered"]
        assert lab.wait_counter("calls_answered", before + 100)
        lab.processes.stop("strowgerd", signal.SIGKILL)
        time.sleep(0.2)
        lab.start_daemon()
        time.sleep(1)
    answered = {call_id for call_id, call in trial.ledger.calls.items() if call.answered}
    assert len(answered) >= 100
    wait_for(lambda: answered <= set(count(read(lab), "start")), 5)
    assert answered <= set(count(read(lab), "start"))


def test_a_file_that_cannot_grow(lab):
    """As on a full disk: calls go on, records wait, an alarm is raised, and all come once there is room."""
    with Trial(lab, target1="uas") as trial:
        trial.call(1)
        size = os.path.getsize(path(lab))
        resource.prlimit(lab.daemon_pid(), resource.RLIMIT_FSIZE, (size + 1000, resource.RLIM_INFINITY))
        trial.call(30, rate=100)
        assert wait_for(lambda: lab.ctl("status")["cdr"]["failing"], 3)
        assert os.path.getsize(path(lab)) <= size + 1000
        assert "CANNOT BE WRITTEN" in lab.ctl("status", text=True).stdout
        assert "call records" in lab.ctl("top", "--once", text=True).stdout
        assert "cannot be written" in lab.log_tail()
        resource.prlimit(lab.daemon_pid(), resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert wait_for(lambda: not lab.ctl("status")["cdr"]["failing"], 3)
    ledger = invited(trial)
    wait_for(lambda: ledger <= set(count(read(lab), "end")), 3)
    ends = count([r for r in read(lab) if r["call_id"] in ledger], "end")
    assert set(ends) == ledger and max(ends.values()) == 1


def test_rotation(lab):
    before = lab.ctl("status")["cdr"]["rotations"]
    with Trial(lab, target1="uas") as trial:
        trial.call(1500, rate=400)
    assert lab.ctl("status")["cdr"]["rotations"] > before
    assert os.path.getsize(path(lab) + ".1") <= 1 << 20
    ledger = invited(trial)
    wait_for(lambda: ledger <= set(count(read(lab), "end")), 3)
    ends = count([r for r in read(lab) if r["call_id"] in ledger], "end")
    assert set(ends) == ledger and max(ends.values()) == 1


def test_a_hangup_says_what_is_not_in_force(lab):
    """The routing is read again; a section that is read at the start alone is named in the log, and so is a file that is no good."""
    with open(lab.config_path, encoding="utf-8") as file:
        text = file.read()
    for edited, words in ((text.replace("after_failures: 0", "after_failures: 7"), "SIGHUP: ejection: changed in "),
                          (text + "nonsense: 1\n", "nonsense: unknown key"), (text, f"SIGHUP: routing of {lab.config_path} is in force")):
        begin = len(lab.log_tail(1000))
        lab.write_configuration(yaml.safe_load(edited))
        os.kill(lab.daemon_pid(), signal.SIGHUP)
        assert wait_for(lambda: words in lab.log_tail(1000)[begin:], 3), lab.log_tail()
    assert "ejection: changed" not in lab.log_tail(1000)[begin:]


def test_logrotate(lab):
    os.rename(path(lab), path(lab) + ".moved")
    os.kill(lab.daemon_pid(), signal.SIGHUP)
    assert wait_for(lambda: os.path.exists(path(lab)), 3)
    with Trial(lab, target1="uas") as trial:
        trial.call(2)
    (first, *_) = trial.ledger.calls
    assert len(wait_records(lab, first, 2)) == 2
