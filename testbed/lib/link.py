# SPDX-License-Identifier: Apache-2.0
"""A bad link in a lab: strowger-link between Strowger's port and the switch."""

import json
import os
import select
import subprocess
import time


def program(lab, name):
    return os.path.join(lab.build, "testbed", "tools", name)


def start(lab, node, name, tool, arguments):
    """One of testbed/tools in a node, once it says that it is ready where it says so; its standard output is a pipe."""
    with open(os.path.join(lab.directory, f"{name}.log"), "w", encoding="utf-8") as log:
        return lab.processes.start(name, lab.network.argv(node, [program(lab, tool), *map(str, arguments)]), stdout=subprocess.PIPE, stderr=log,
                                   text=True)


def wait_ready(lab, name, child, seconds=10):
    if not select.select([child.stdout], [], [], seconds)[0] or child.stdout.readline() != "ready\n":
        with open(os.path.join(lab.directory, f"{name}.log"), encoding="utf-8") as log:
            raise RuntimeError(f"{name} does not start: {log.read()}")


def result(lab, name, child):
    """Ends it, and returns what it says then."""
    lab.processes.stop(name, seconds=10)
    return json.loads(child.stdout.read().splitlines()[-1])


class Link:
    """rules: the options of strowger-link, without dashes: lose, reorder, duplicate, corrupt (of 10,000), late_us, delay_us, rate, seed. Within `with` all frames
    between Strowger and everybody go through it; counts: what it did, after that."""

    def __init__(self, lab, **rules):
        self.lab, self.counts = lab, None
        self.options = [word for key, value in rules.items() for word in (f"--{key.replace('_', '-')}", value)]

    def __enter__(self):
        self.lab.network.divert()
        self.child = start(self.lab, "switch", "link", "strowger-link", ["strowger", "link0", *self.options])
        wait_ready(self.lab, "link", self.child)
        return self

    def __exit__(self, *_):
        try:
            self.counts = result(self.lab, "link", self.child)
        finally:
            self.lab.network.undivert()


class Server:
    """Answers numbered messages (strowger-streams serve)."""

    def __init__(self, lab, node, messages, seed, ports="5060", at=None):
        """at: one of the node's addresses; None: the first."""
        self.lab, self.name = lab, f"streams-{node}"
        self.child = start(lab, node, self.name, "strowger-streams",
                           ["serve", "--at", at or lab.address(node), "--ports", ports, "--messages", messages, "--seed", seed])
        wait_ready(lab, self.name, self.child)

    def stop(self):
        return result(self.lab, self.name, self.child)


class Caller:
    """Sends numbered messages (strowger-streams call)."""

    def __init__(self, lab, number, messages, seed, connections=1, name="streams-caller", **options):
        """options: window, rate, patience, first (the first number); calls=True: whole calls."""
        words = [word for key, value in options.items() for word in ([f"--{key}"] if value is True else [f"--{key}", value])]
        self.lab, self.name = lab, name
        self.child = start(lab, "caller", name, "strowger-streams",
                           ["call", "--at", lab.address("caller"), "--to", f"{lab.address('strowger')}:5060", "--number", number, "--messages", messages,
                            "--seed", seed, "--connections", connections, *words])

    def wait(self, seconds, progress=None):
        """What it says when all is answered, or nothing more comes. progress: called every 10 s with how far it is, in words."""
        end = time.monotonic() + seconds
        while progress and time.monotonic() < end - 10:
            try:
                self.child.wait(10)
                break
            except subprocess.TimeoutExpired:
                with open(os.path.join(self.lab.directory, f"{self.name}.log"), encoding="utf-8") as log:
                    progress((log.read().splitlines() or ["0"])[-1])
        self.child.wait(max(0.1, end - time.monotonic()))
        return result(self.lab, self.name, self.child)
