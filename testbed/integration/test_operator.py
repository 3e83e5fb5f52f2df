# SPDX-License-Identifier: Apache-2.0
#
#   strowgerctl ---- control socket ---- Strowger ---- target1 ... target3
#   (JSON-RPC 2.0)   mode 0660              |
#                                         caller
#
# The configuration file and the operator's door: what is refused and how, what a change does, what is shown.

import json
import os
import pty
import select
import stat
import subprocess
import time

import pytest
import yaml

from agent import Agent
from control import Control, ControlError
from lab import NUMBER, TARGETS, Lab, configuration
from trial import Trial

SPARE = "+442035550555"


def strowgerd(*words):
    return subprocess.run([f"{Lab().build}/strowgerd", *words], capture_output=True, text=True, timeout=20)


# --- the configuration file

@pytest.fixture(scope="module")
def good():
    return configuration(Lab("nowhere"))


def check(tmp_path, config):
    path = tmp_path / "strowgerd.yaml"
    path.write_text(config if isinstance(config, str) else yaml.safe_dump(config, sort_keys=False))
    return strowgerd("--check", "-c", str(path)), str(path)


def test_check_accepts_the_labs_own(tmp_path, good):
    done, _ = check(tmp_path, good)
    assert done.returncode == 0, done.stderr


def test_check_reads_no_more_than_it_needs(tmp_path, good):
    """Routing is optional: everything is refused until it comes over the socket."""
    done, _ = check(tmp_path, {key: good[key] for key in ("ports", "listeners", "control")})
    assert done.returncode == 0, done.stderr


def at(config, path, value):
    """A copy of config with one value changed; None removes it."""
    copy = json.loads(json.dumps(config))
    place = copy
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return copy


@pytest.mark.parametrize("path,value,words", [
    (["wrokers"], 1, "wrokers"),
    (["workers", "count"], "many", "count"),
    (["workers", "idle"], "snooze", "idle"),
    (["ports", 0, "driver"], "af_tape", "driver"),
    (["ports", 0, "addresses", 0], "10.77.0.300/24", "address"),
    (["listeners", 0, "port"], 70000, "port"),
    (["listeners", 0, "transport"], "pigeon", "transport"),
    (["limits", "calls"], -1, "calls"),
    (["trunks", 0, "sources", 0], "10.77.0.0/99", "sources"),
    (["trunks", 0, "endpoints", 0, "adress"], "10.0.0.1", "adress"),
    (["profiles", 0, "strategy"], "dice", "strategy"),
    (["profiles", 0, "ring_timeout_s"], 181, "ring_timeout_s"),
    (["profiles", 0, "targets", 0, "trunk"], "nobody", "nobody"),
    (["numbers", 0, "profile"], "nobody", "nobody"),
    (["numbers", 0, "number"], "+44twenty", "number"),
])
def test_check_names_the_key(tmp_path, good, path, value, words):
    done, _ = check(tmp_path, at(good, path, value))
    assert done.returncode != 0
    assert words in done.stderr, done.stderr


def test_check_names_file_and_line(tmp_path, good):
    text = yaml.safe_dump(good, sort_keys=False)
    line = text.splitlines().index("  idle: sleep") + 1
    done, path = check(tmp_path, text.replace("idle: sleep", "idle: snooze"))
    assert done.returncode != 0
    assert f"{path}:{line}" in done.stderr and "idle" in done.stderr, done.stderr
    done, path = check(tmp_path, text.replace("  idle: sleep", "  idel: sleep"))
    assert f"{path}:{line}" in done.stderr and "idel" in done.stderr, done.stderr


def test_check_of_no_file_and_no_yaml(tmp_path):
    assert strowgerd("--check", "-c", str(tmp_path / "none")).returncode != 0
    done, _ = check(tmp_path, "workers: [1, 2\n")
    assert done.returncode != 0 and "strowgerd.yaml" in done.stderr


def test_the_daemon_refuses_what_check_refuses(tmp_path, good):
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump(at(good, ["wrokers"], 1)))
    done = strowgerd("-c", str(path))
    assert done.returncode != 0 and "wrokers" in done.stderr


# --- the socket

def test_socket_mode(lab):
    mode = os.stat(lab.socket_path)
    assert stat.S_ISSOCK(mode.st_mode) and stat.S_IMODE(mode.st_mode) == 0o660


def test_a_stranger_on_the_socket(lab):
    """Peer credentials: the file's mode alone is not trusted."""
    os.chmod(lab.socket_path, 0o666)
    os.chmod(lab.directory, 0o755)
    try:
        done = subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-c",
             "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
             "s.settimeout(3)\n"
             "try:\n s.sendall(b'{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}\\n')\n print(s.recv(65536).decode())\n"
             "except OSError as e: print(e)", lab.socket_path], capture_output=True, text=True, timeout=10)
        assert done.returncode == 0, done.stderr
        assert '"result"' not in done.stdout
    finally:
        os.chmod(lab.socket_path, 0o660)


@pytest.mark.parametrize("line,code", [
    (b"nonsense", -32700), (b"[]", -32600), (b'{"id":1}', -32600), (b'{"jsonrpc":"2.0","id":1,"method":"make.tea"}', -32601),
    (b'{"jsonrpc":"2.0","id":1,"method":"target.set","params":{"target":7}}', -32602),
])
def test_errors_on_the_socket(lab, line, code):
    with Control(lab.socket_path) as control:
        assert control.exchange(line)["error"]["code"] == code


def test_several_requests_on_one_connection(lab):
    with Control(lab.socket_path) as one, Control(lab.socket_path) as other:
        for _ in range(20):
            assert one.call("status")["state"] == other.call("status")["state"] == "running"


# --- strowgerctl

def test_status(lab):
    status = lab.ctl("status")
    assert status["workers"] == 1 and status["state"] == "running" and status["hugepages"] in (True, False)
    assert {"started", "answered", "rejected", "cancelled", "exhausted", "rescued", "live"} <= set(status["calls"])
    assert "running" in lab.ctl("status", text=True).stdout


@pytest.mark.parametrize("command", [["status"], ["workers"], ["workers", "--loop"], ["targets"], ["targets", "--rtt"], ["profiles"],
                                     ["profile", "show", "lab"], ["numbers"], ["numbers", "+4420"], ["counters"], ["calls"], ["alarms"],
                                     ["alarms", "--history"], ["resolve"], ["drains"], ["config", "log"], ["config", "show", "1"],
                                     ["route", "+442000000000", NUMBER]])
def test_everything_is_shown_for_people_and_for_programs(lab, command):
    assert lab.ctl(*command) is not None
    assert lab.ctl(*command, text=True).stdout.strip()


def test_a_disabled_target_is_seen_at_its_endpoints(lab):
    """But only where no other profile uses them."""
    def state():
        row = next(line.split() for line in lab.ctl("targets", text=True).stdout.splitlines() if line.startswith("target1 "))
        return row[2]

    assert state() in ("unknown", "up")
    users = [name for name, target in lab.targets().items() if target["trunk"] == "target1"]
    try:
        for user in users:
            assert state() != "disabled"
            lab.ctl("target", "disable", user)
        assert state() == "disabled"
    finally:
        for user in users:
            lab.ctl("target", "enable", user)


def test_exit_codes(lab):
    assert lab.ctl("target", "disable", "lab/nobody", check=False).returncode == 1
    assert lab.ctl("frobnicate", check=False).returncode == 2
    lost = subprocess.run([f"{lab.build}/strowgerctl", "--socket", "/nonexistent/socket", "status"], capture_output=True)
    assert lost.returncode == 3


def test_route_says_where_and_why(lab):
    def route(to, node="caller", **more):
        return lab.ctl("route", "+442000000000", to, "--source", lab.address(node))

    found = route(NUMBER)
    assert (found["verdict"], found["profile"], found["number"]) == ("routed", "lab", NUMBER)
    assert found["source"]["trunk"] == "caller"
    assert [attempt["target"] for attempt in found["attempts"]] == ["lab/target1", "lab/target2", "lab/target3"]
    assert found["attempts"][0]["endpoint"] == "10.77.0.21:5060"
    nowhere = route("+19995550000")
    assert (nowhere["verdict"], nowhere["status"]) == ("refused", 404) and nowhere["reason"]
    stranger = route(NUMBER, "stranger")
    assert (stranger["verdict"], stranger["status"]) == ("refused", 403) and stranger["reason"]


def test_route_agrees_with_calls(lab):
    """The dry run names the target that a call with that Call-ID then meets."""
    lab.ctl("profile", "set", "lab", "strategy=weighted_lb")
    try:
        with Agent(lab, "caller") as caller, Trial(lab, **{target: ("uas_reply", {"code": 486}) for target in TARGETS}) as trial:
            said = {}
            for turn in range(12):
                call_id = f"dry-run-{turn}"
                found = lab.ctl("route", "+442000000000", NUMBER, "--source", lab.address("caller"), "--call-id", call_id)
                said[call_id] = found["attempts"][0]["target"].removeprefix("lab/")
                invite = caller.request("INVITE", f"sip:{NUMBER}@10.77.0.1", call_id=call_id)
                caller.send(invite)
                assert caller.final().status == 486
                caller.send(invite.replace("INVITE sip", "ACK sip").replace("1 INVITE", "1 ACK"))
        assert {call.call_id: call.targets for call in trial.ledger.calls.values()} == \
            {call_id: [target] for call_id, target in said.items()}
        assert len(set(said.values())) > 1
    finally:
        lab.ctl("profile", "set", "lab", "strategy=failover")


def test_profile_set(lab):
    lab.ctl("profile", "set", "lab", "strategy=round_robin", "ring_timeout_s=20")
    try:
        shown = lab.ctl("profile", "show", "lab")
        assert shown["strategy"] == "round_robin" and shown["ring_timeout_s"] == 20
        with Trial(lab, target1="uas", target2="uas", target3="uas") as trial:
            trial.call(9)
        assert len(set(trial.ledger.first_choices())) == 3
        refused = lab.ctl("profile", "set", "lab", "ring_timeout_s=500", check=False)
        assert refused.returncode == 1 and "ring_timeout_s" in refused.stderr + refused.stdout
        assert lab.ctl("profile", "show", "lab")["ring_timeout_s"] == 20, "refused whole"
    finally:
        lab.ctl("profile", "set", "lab", "strategy=failover", "ring_timeout_s=25")


def test_number_set_and_delete(lab):
    with Trial(lab, target1="uas") as trial:
        trial.call(number=SPARE, scenario="uac_expect", fill={"code": 404})
        lab.ctl("number", "set", SPARE, "lab")
        trial.call(number=SPARE)
        assert SPARE in json.dumps(lab.ctl("numbers", "+4420355505"))
        lab.ctl("number", "delete", SPARE)
        trial.call(number=SPARE, scenario="uac_expect", fill={"code": 404})
    assert len(trial.to("target1", "INVITE")) == 1


def routing_of(lab):
    with open(lab.config_path, encoding="utf-8") as file:
        return {name: section for name, section in yaml.safe_load(file).items()
                if name in ("trunks", "profiles", "numbers")}


def test_apply(lab):
    wanted = routing_of(lab)
    assert wanted["numbers"]
    more = {**wanted, "numbers": [*wanted["numbers"], {"number": SPARE, "profile": "lab"}]}
    with Trial(lab, target1="uas") as trial:
        dry = lab.apply(more, "--dry-run", check=False)
        assert dry.returncode == 0 and SPARE in dry.stdout, "the difference is shown"
        trial.call(number=SPARE, scenario="uac_expect", fill={"code": 404})
        done = lab.apply(more, check=False)
        assert done.returncode == 0 and SPARE in done.stdout
        trial.call(number=SPARE)
        again = lab.apply(more, "--dry-run", check=False)
        assert again.returncode == 0 and SPARE not in again.stdout, "nothing to do"
        lab.apply(wanted)
        trial.call(number=SPARE, scenario="uac_expect", fill={"code": 404})


def test_apply_is_refused_whole(lab):
    wanted = routing_of(lab)
    bad = {**wanted, "numbers": [{"number": SPARE, "profile": "lab"}, {"number": "+442035550556", "profile": "nobody"}]}
    done = lab.apply(bad, check=False)
    assert done.returncode == 1 and "nobody" in done.stdout + done.stderr
    assert SPARE not in json.dumps(lab.ctl("numbers"))
    assert NUMBER in json.dumps(lab.ctl("numbers"))


def test_apply_takes_routing_alone(lab):
    done = lab.apply({**routing_of(lab), "ejection": {"after": 3}}, check=False)
    assert done.returncode == 2 and "ejection: unknown key" in done.stderr
    assert "what else a configuration file has is read when strowgerd starts" in done.stderr


def test_target_weight_is_checked(lab):
    with Control(lab.socket_path) as control, pytest.raises(ControlError):
        control.call("target.set", target="lab/target1", weight=-5)


def test_top(lab):
    """The live screen draws at least once and leaves when it is asked to."""
    controller, terminal = pty.openpty()
    child = subprocess.Popen([f"{lab.build}/strowgerctl", "--socket", lab.socket_path, "top"], stdin=terminal,
                             stdout=terminal, stderr=terminal, env={**os.environ, "TERM": "xterm"}, close_fds=True)
    os.close(terminal)
    seen, end = b"", time.monotonic() + 5
    while b"target1" not in seen and time.monotonic() < end:
        if select.select([controller], [], [], 0.2)[0]:
            seen += os.read(controller, 65536)
    child.terminate()
    assert child.wait(5) is not None
    os.close(controller)
    assert b"target1" in seen


def test_accepted_changes_outlive_a_restart(lab):
    """state_file: what was changed by hand is there after a restart, and wins over the file's own sections."""
    with open(lab.config_path, encoding="utf-8") as file:
        config = yaml.safe_load(file)
    assert lab.stop_daemon() == 0
    lab.write_configuration({**config, "state_file": os.path.join(lab.directory, "routing.json")})
    lab.start_daemon()
    lab.ctl("profile", "set", "lab", "ring_timeout_s=17")
    lab.ctl("number", "set", SPARE, "lab")
    assert lab.stop_daemon() == 0
    lab.start_daemon()
    assert lab.ctl("profile", "show", "lab")["ring_timeout_s"] == 17
    assert SPARE in json.dumps(lab.ctl("numbers"))


RESTARTS = True
