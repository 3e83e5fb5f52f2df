# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- Strowger ----+---- target1     the routing is changed and rolled back while calls go through, strowgerd is
#                  |         +---- target2     killed while numbers change ten thousand times a second, its log is damaged
#             strowgerctl    +---- target3
#
# Configuration with a memory: every accepted change is a version, on disk, with a way back.

import contextlib
import json
import os
import signal
import subprocess
import threading
import time

from control import Control
from lab import NUMBER, TARGETS
from trial import Trial

LAB = {"strategy": "round_robin"}
RESTARTS = True


def configure(config):
    config["state_file"] = os.path.join(os.path.dirname(config["control"]["socket"]), "routing.json")
    config["limits"]["numbers"] = 200000


def log_path(lab):
    return os.path.join(lab.directory, "routing.json.versions")


def crash(lab):
    lab.processes.stop("strowgerd", signal.SIGKILL)
    lab.start_daemon()


def test_rollback_under_traffic(lab):
    """A broken change is taken back while 200 calls a second go through: not a call is lost."""
    start = lab.ctl("status")["routing_version"]
    with Trial(lab, **{target: "uas" for target in TARGETS}) as trial, Control(lab.socket_path) as control:
        caller = trial.start(600, rate=200)
        rounds = 0
        while caller.running():
            for target in TARGETS[:2]:
                control.call("target.set", target=f"lab/{target}", enabled=False, comment="a mistake")
            control.call("profile.set", name="lab", strategy="weighted_lb", ring_timeout_s=20)
            control.call("number.set", number="+442035550999", profile="lab")
            back = control.call("config.rollback", version=start)
            assert back["total"] == 5 and control.call("config.diff", **{"from": start})["total"] == 0
            rounds += 1
            time.sleep(0.05)
        trial.finish(caller)
    assert rounds >= 10
    assert len(trial.ledger.calls) == 600 and all(call.completed for call in trial.ledger.calls.values())
    assert not trial.ledger.rescued()
    assert lab.ctl("status")["routing_version"] == start + 5 * rounds


def test_who_when_what(lab):
    lab.ctl("target", "weight", "lab/target1", "7", "--comment", "ticket 4711")
    last = lab.ctl("config", "log", "--limit", "1")["versions"][0]
    assert last["who"] == "root" and last["operation"] == "target.set" and last["comment"] == "ticket 4711"
    assert last["changes"] == ["~ target lab/target1: weight 100 → 7"]
    text = lab.ctl("config", "log", "--limit", "1", text=True).stdout
    assert "target.set" in text and "# ticket 4711" in text
    version = last["version"]
    stale = lab.ctl("target", "weight", "lab/target1", "8", "--if-version", version - 1, check=False)
    assert stale.returncode == 1 and f"version {version} is in force, not {version - 1}" in stale.stderr
    assert lab.targets()["lab/target1"]["weight"] == 7
    assert "nothing to do" in lab.ctl("config", "rollback", version, text=True).stdout
    assert lab.ctl("config", "rollback", version - 1, text=True).stdout == "~ target lab/target1: weight 7 → 100\n"
    far = lab.ctl("config", "rollback", version + 100, check=False)
    assert far.returncode == 1 and "is not kept" in far.stderr


def pipelined(path, first, count, profile, acknowledged):
    """Changes numbers without waiting for answers; appends each version that was acknowledged. Ends when strowgerd does."""
    with contextlib.suppress(OSError), Control(path, seconds=60) as control:
        def send():
            with contextlib.suppress(OSError):
                for at in range(count):
                    control.file.write(b'{"jsonrpc":"2.0","id":%d,"method":"number.set","params":{"number":"+4477%08d","profile":"%s"}}\n'
                                       % (at, first + at, profile))
                control.file.flush()

        sender = threading.Thread(target=send)
        sender.start()
        with contextlib.suppress(OSError):
            for _ in range(count):
                line = control.file.readline()
                if not line.endswith(b"\n"):
                    break
                answer = json.loads(line)
                if "result" in answer:
                    acknowledged.append((first + answer["id"], answer["result"]["version"]))
        sender.join()


def control_thread_seconds(lab):
    """The time that strowgerd's control thread has had of a core."""
    pid = lab.daemon_pid()
    with open(f"/proc/{pid}/task/{pid}/stat", encoding="utf-8") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_ten_thousand_changes_a_second(lab):
    """A core's time is what bounds it; how long it takes by the clock depends on who else is on this machine."""
    acknowledged, count = [], 20000
    begin, used = time.monotonic(), control_thread_seconds(lab)
    pipelined(lab.socket_path, 0, count, b"lab", acknowledged)
    seconds, used = time.monotonic() - begin, control_thread_seconds(lab) - used
    print(f"{count / seconds:.0f} changes of numbers a second, each a version on disk, {1e6 * used / count:.0f} us of the control thread each")
    assert len(acknowledged) == count
    assert used / count < 100e-6, f"{1e6 * used / count:.0f} us of the control thread for each"
    assert lab.ctl("status")["routing_version"] == acknowledged[-1][1]


def test_a_crash_loses_no_accepted_change(lab):
    """Killed in the middle of 60,000 changes: what was acknowledged is there, with its version; nothing is there without one."""
    acknowledged = []
    changing = threading.Thread(target=pipelined, args=(lab.socket_path, 100000, 60000, b"lab", acknowledged))
    before = lab.ctl("status")["routing_version"]
    changing.start()
    while len(acknowledged) < 5000:
        time.sleep(0.001)
    crash(lab)
    changing.join()
    count = len(acknowledged)
    assert 5000 <= count < 60000, "it was not killed in the middle"
    numbers = {entry["number"] for entry in lab.ctl("numbers", "+44771", "--limit", 100000)["numbers"]} | {
        entry["number"] for entry in lab.ctl("numbers", "+44770", "--limit", 100000)["numbers"]}
    assert all(f"+4477{number:08d}" in numbers for number, _ in acknowledged)
    version = lab.ctl("status")["routing_version"]
    assert version >= acknowledged[-1][1] and [v for _, v in acknowledged] == list(range(before + 1, before + 1 + count))
    mine = [number for number in numbers if int(number[5:]) >= 100000]
    assert len(mine) == version - before, "a change without a version, or a version without its change"
    last = lab.ctl("config", "log", "--limit", "1")["versions"][0]
    assert last["version"] == version and last["changes"][0].startswith("+ number +4477")
    # the way back leads over the crash
    back = lab.ctl("config", "rollback", before)
    assert back["total"] == len(mine) and back["version"] == version + 1
    assert lab.ctl("numbers", "+4477001")["numbers_total"] == 0


def test_a_restart_is_no_version(lab):
    version = lab.ctl("status")["routing_version"]
    for _ in range(2):
        crash(lab)
        assert lab.ctl("status")["routing_version"] == version


def test_a_damaged_log_is_moved_aside(lab):
    lab.ctl("number", "set", "+442035550998", "lab")
    version = lab.ctl("status")["routing_version"]
    lab.processes.stop("strowgerd", signal.SIGKILL)
    with open(log_path(lab), "r+b") as log:
        log.seek(os.path.getsize(log_path(lab)) // 2)
        log.write(b"\n\0\0garbage\n")
    lab.start_daemon()
    assert os.path.exists(log_path(lab) + ".damaged") and "it is kept as" in lab.log_tail()
    assert lab.ctl("numbers", "+442035550998")["numbers_total"] == 1, "the routing itself is whole"
    assert lab.ctl("status")["routing_version"] == version + 1, "a number is never given twice"
    assert lab.ctl("config", "log")["versions"][0]["way_back"] is False
    refused = lab.ctl("config", "rollback", version - 1, check=False)
    assert refused.returncode == 1 and "is not kept" in refused.stderr
    lab.ctl("number", "delete", "+442035550998")
    assert lab.ctl("config", "rollback", version + 1)["total"] == 1
    with Trial(lab, **{target: "uas" for target in TARGETS}) as trial:
        trial.call(3)


def test_a_full_disk_refuses_whole(lab):
    """No room for the log: the change is refused, an alarm says so, and goes when there is room again."""
    version = lab.ctl("status")["routing_version"]
    pid = str(lab.daemon_pid())
    was = subprocess.run(["prlimit", "--pid", pid, "--fsize", "--output", "SOFT,HARD", "--noheadings", "--raw"], capture_output=True,
                         text=True, check=True).stdout.split()
    subprocess.run(["prlimit", "--pid", pid, "--fsize=10:" + was[1]], check=True)
    refused = lab.ctl("number", "set", "+442035550997", "lab", check=False)
    subprocess.run(["prlimit", "--pid", pid, f"--fsize={was[0]}:{was[1]}"], check=True)
    assert refused.returncode == 1 and "File too large" in refused.stderr
    assert lab.ctl("numbers", "+442035550997")["numbers_total"] == 0
    assert [(a["kind"], a["subject"]) for a in lab.ctl("alarms")["raised"]] == [("state-not-written", "routing")]
    lab.ctl("number", "set", "+442035550997", "lab")
    assert lab.ctl("alarms")["raised"] == []
    assert lab.ctl("status")["routing_version"] == version + 1
    assert NUMBER in json.dumps(lab.ctl("numbers", NUMBER))
