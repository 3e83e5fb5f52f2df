# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- Strowger, 2 workers ----+---- target1     profile "one"
#                                       +---- target2     profile "two"
#
# Numbers by the hundred thousand from a file and over the control socket, and by thousands a second while calls are placed.

import json
import os
import socket
import subprocess
import time

import pytest
import yaml

from agent import Agent
from lab import add_profile
from processes import wait_for

LAB = {"workers": 2}
RESTARTS = True
FIRST, COUNT = 442100000000, 100000


def configure(config):
    config["limits"]["numbers"] = 2 * COUNT
    add_profile(config, "one", "+442035550501", targets=["target1"])
    add_profile(config, "two", "+442035550502", targets=["target2"])


def write_numbers(lab, name, lines):
    path = os.path.join(lab.directory, name)
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
    return path


class Targets:
    """Both answer INVITE with 486; which of them did is what a call is placed for."""

    def __init__(self, lab):
        self.caller = Agent(lab, "caller", port=5990)
        self.agents = {"one": Agent(lab, "target1"), "two": Agent(lab, "target2")}

    def who_gets(self, number):
        self.caller.send(self.caller.request("INVITE", f"sip:+{number}@10.77.0.1"))
        found = []

        def step():
            for name, agent in self.agents.items():
                request = agent.receive(0.005, lambda m: m.is_request and m.method == "INVITE")
                if request:
                    agent.reply(request, 486, "Busy Here", tag="b")
                    found.append(name)
            return found
        assert wait_for(step, 5, every=0)
        assert self.caller.final().status == 486
        return found[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.caller.close()
        for agent in self.agents.values():
            agent.close()


def load(lab, path, *options):
    argv = [f"{lab.build}/strowgerctl", "--socket", lab.socket_path, "numbers", "load", "-f", path, *options]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60)


def test_a_long_list_over_the_socket(lab):
    path = write_numbers(lab, "numbers.txt", ["# all of them", "+4422* two", *(f"+{FIRST + i} {'two' if i % 2 else 'one'}" for i in range(COUNT))])
    before = lab.ctl("numbers")
    dry = load(lab, path, "--dry-run")
    assert dry.returncode == 0 and "none made" in dry.stdout, dry
    assert lab.ctl("numbers") == before
    begin = time.monotonic()
    done = load(lab, path)
    print(f"{COUNT} numbers in {time.monotonic() - begin:.2f} s")
    assert done.returncode == 0, done.stderr
    assert lab.ctl("status")["numbers"] == COUNT and lab.ctl("status")["prefixes"] == 1
    assert "no difference" in load(lab, path).stdout
    with Targets(lab) as targets:
        assert targets.who_gets(FIRST + 1000) == "one" and targets.who_gets(FIRST + 1001) == "two"
        assert targets.who_gets("442299") == "two"


@pytest.mark.parametrize("line, why", [
    ("+44x one", "line 50002: '+44x' is not an E.164 number (+, up to 15 digits)"),
    ("+4477 three", "line 50002: 'three' is no profile"),
    (f"+{FIRST} one", f"line 50002: '+{FIRST}' is listed twice"),
    ("+4477", "line 50002: '+4477' has no profile behind it"),
])
def test_a_list_with_a_fault_changes_nothing(lab, line, why):
    before = lab.ctl("status")["numbers"]
    lines = [f"+{FIRST + i} one" for i in range(50001)]
    path = write_numbers(lab, "faulty.txt", [*lines, line, *(f"+{FIRST + 60000 + i} one" for i in range(10000))])
    done = load(lab, path)
    assert done.returncode == 1 and f"faulty.txt: {why}" in done.stderr, done.stderr
    assert lab.ctl("status")["numbers"] == before
    # and the next one may begin at once
    assert load(lab, write_numbers(lab, "few.txt", lines[:10]), "--dry-run").returncode == 0


def test_a_call_that_comes_after_a_change_goes_by_it(lab):
    with Targets(lab) as targets:
        for i in range(40):
            profile = ("one", "two")[i % 2]
            lab.ctl("number", "set", f"+{FIRST + 7}", profile)
            assert targets.who_gets(FIRST + 7) == profile


def test_thousands_of_changes_a_second(lab):
    batches = [json.dumps([{"jsonrpc": "2.0", "id": 1, "method": "number.set", "params": {
        "number": f"+{FIRST + (i * 50 + k) * 13 % COUNT}", "profile": ("one", "two")[k % 2]}} for k in range(50)]).encode() + b"\n" for i in range(200)]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door, Targets(lab) as targets:
        door.connect(lab.socket_path)
        with door.makefile("rb") as answers:
            begin = time.monotonic()
            for batch in batches:
                door.sendall(batch)
                assert b'"error"' not in answers.readline()
            rate = 10000 / (time.monotonic() - begin)
        print(f"{rate:.0f} changes a second")
        assert rate > 3000  # 10,000 and more where nobody else uses the cores
        assert targets.who_gets(FIRST + 199 * 50 * 13 % COUNT) == "one"
        assert targets.who_gets(FIRST + (199 * 50 + 1) * 13 % COUNT) == "two"


def test_from_a_file_at_start(lab):
    path = write_numbers(lab, "numbers.txt", [f"+{FIRST + i} two" for i in range(COUNT)])
    with open(lab.config_path, encoding="utf-8") as file:
        config = file.read()
    lab.stop_daemon()
    lab.write_configuration({**yaml.safe_load(config), "numbers_file": path})
    begin = time.monotonic()
    lab.start_daemon()
    print(f"ready with {COUNT} numbers after {time.monotonic() - begin:.2f} s")
    assert lab.ctl("status")["numbers"] >= COUNT
    with Targets(lab) as targets:
        assert targets.who_gets(FIRST + 5) == "two"
    write_numbers(lab, "numbers.txt", ["+441 two", "+442 nobody"])
    checked = subprocess.run([f"{lab.build}/strowgerd", "--check", "-c", lab.config_path], capture_output=True, text=True)
    assert checked.returncode == 1 and f"numbers_file: {path}: line 2: 'nobody' is no profile" in checked.stderr, checked.stderr
