# SPDX-License-Identifier: Apache-2.0
#
#   strowgerctl alarms --follow ---- Strowger ---- target1, target2 (they answer OPTIONS, until they are stopped), target3 (nobody)
#
# What is wrong is raised, told to those who follow, kept in the history, written to the log, and cleared when it is over.

import json
import queue
import subprocess
import threading

from lab import NUMBER_IPV6
from processes import wait_for
from sipp import Sipp

PROBE = {"interval_ms": 100, "timeout_ms": 300, "down_after": 2, "up_after": 1}


def configure(config):
    for trunk in config["trunks"]:
        if trunk["name"] in ("target1", "target2"):
            trunk["probe"] = {"enabled": True, **PROBE}
    config["limits"]["transactions"] = 64
    for profile in config["profiles"]:
        profile["targets"] = [target for target in profile["targets"] if "target3" not in target["trunk"]]


def answering(lab, node):
    return Sipp(lab, node, "uas_options", fill={"status": "200 OK", "header": "Allow: INVITE"})


class Follower:
    def __init__(self, lab, *options):
        self.events = queue.Queue()
        self.child = subprocess.Popen([f"{lab.build}/strowgerctl", "--socket", lab.socket_path, "alarms", "--follow", *options],
                                      stdout=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=lambda: [self.events.put(line) for line in self.child.stdout])
        self.thread.start()

    def next(self, seconds=5):
        return json.loads(self.events.get(timeout=seconds))

    def close(self):
        self.child.kill()
        self.child.wait()
        self.thread.join()
        self.child.stdout.close()


def raised(lab):
    return {(alarm["kind"], alarm["subject"]) for alarm in lab.ctl("alarms")["raised"]}


def test_a_target_goes_and_comes_back(lab):
    targets = {node: answering(lab, node) for node in ("target1", "target2")}
    followers = []
    try:
        assert wait_for(lambda: raised(lab) == set(), 5), raised(lab)
        lab.ctl("node", "drain")
        assert wait_for(lambda: ("draining", "node") in raised(lab), 5)
        follower = followers.append(Follower(lab, "--json")) or followers[0]
        assert follower.next()["event"] == "present"  # it is there
        lab.ctl("node", "undrain")
        assert follower.next()["event"] == "cleared"
        targets.pop("target1").stop()
        event = follower.next()
        assert (event["event"], event["kind"], event["subject"], event["severity"]) == ("raised", "target-down", "lab/target1", "major")
        assert event["text"] == "all endpoints down" and event["what_to_do"]
        assert lab.targets()["lab/target1"]["state"] == "down"
        targets.pop("target2").stop()
        more = [follower.next() for _ in range(2)]
        assert {(event["kind"], event["subject"]) for event in more} == {("target-down", "lab/target2"), ("all-down", "lab")}
        assert [alarm["severity"] for alarm in lab.ctl("alarms")["raised"]] == ["critical", "major", "major"]
        text = lab.ctl("alarms", text=True).stdout
        assert "none of its 2 targets takes calls" in text and "lead its numbers elsewhere" in text
        late = followers.append(Follower(lab, "--json")) or followers[1]  # whoever comes late hears what is present first
        assert {late.next()["event"] for _ in range(3)} == {"present"}
        for node in ("target1", "target2"):
            targets[node] = answering(lab, node)
        cleared = [follower.next() for _ in range(3)]
        assert {event["event"] for event in cleared} == {"cleared"}
        assert [late.next()["sequence"] for _ in range(3)] == [event["sequence"] for event in cleared]
        assert raised(lab) == set()
        assert lab.ctl("alarms", text=True).stdout == "nothing is wrong\n"
        history = lab.ctl("alarms", "--history", "--limit", "6")["events"]
        assert [event["event"] for event in history] == ["raised"] * 3 + ["cleared"] * 3
        assert "alarm raised: target-down lab/target1 (major): all endpoints down" in lab.log_tail(60)
        assert "alarm cleared: all-down lab" in lab.log_tail(60)
    finally:
        for one in followers:
            one.close()
        for target in targets.values():
            target.stop()


def test_the_operators_own_doing(lab):
    """Disabled is no failure of a target; a profile that is left with nothing is one."""
    targets = {node: answering(lab, node) for node in ("target1", "target2")}
    try:
        assert wait_for(lambda: raised(lab) == set(), 5)
        lab.ctl("target", "disable", "lab/target1")
        lab.ctl("target", "disable", "lab/target2")
        assert wait_for(lambda: raised(lab) == {("all-down", "lab")}, 5)
        lab.ctl("target", "enable", "lab/target1")
        lab.ctl("target", "enable", "lab/target2")
        assert wait_for(lambda: raised(lab) == set(), 5)
    finally:
        for target in targets.values():
            target.stop()


def test_a_full_table(lab):
    """More calls wait for an answer than there are transactions: new ones are refused, and that is an alarm."""
    with Sipp(lab, "target1", "uas_silent", family=6), Sipp(lab, "target2", "uas_silent", family=6):
        caller = Sipp(lab, "caller", "uac", family=6, remote=lab.address("strowger", 6), calls=150, rate=200, options=["-s", NUMBER_IPV6])
        assert wait_for(lambda: ("overload", "tables") in raised(lab), 8), raised(lab)
        assert lab.ctl("status")["alarms"] >= 1 and lab.counters()["refused_full"] > 0
        caller.kill()
