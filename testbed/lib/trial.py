# SPDX-License-Identifier: Apache-2.0
"""One trial: targets that behave in some way, a caller, a capture of it all, and what it proves."""

from capture import Capture
from lab import NUMBER, TARGETS
from ledger import Ledger
from sipp import Sipp


class Trial:
    """targets: {name: scenario or (scenario, fill)}; one that is not named does not listen (its kernel refuses).
    It begins when no target is out any more for what an earlier trial did to it.

    with Trial(lab, target1="uas") as trial:
        trial.call(10)
    assert trial.ledger.first_choices() == ...
    """

    def __init__(self, lab, family=4, ring_ms=None, **targets):
        self.lab, self.family, self.targets, self.ring_ms = lab, family, targets, ring_ms
        self.servers = {}
        self.callers = []
        self.ledger = None
        self.messages = None

    def __enter__(self):
        self.lab.wait_usable()
        self.capture = Capture(self.lab)
        for target in self.targets:
            self.serve(target, self.targets[target])
        return self

    def serve(self, target, how):
        scenario, fill = how if isinstance(how, tuple) else (how, {})
        options = ["-d", self.ring_ms] if self.ring_ms is not None else []
        self.servers[target] = Sipp(self.lab, target, scenario, fill=fill, family=self.family, options=options)
        return self.servers[target]

    def start(self, calls=1, rate=50, scenario="uac", number=NUMBER, seconds=60, fill=None, options=(), node="caller"):
        """Begins calls in the background."""
        caller = Sipp(self.lab, node, scenario, name=f"caller-{len(self.callers)}", family=self.family,
                      port=5060 + len(self.callers), remote=self.lab.address("strowger", self.family), calls=calls,
                      rate=rate, seconds=seconds, fill=fill, options=["-s", number, *options])
        self.callers.append(caller)
        return caller

    def call(self, calls=1, rate=50, seconds=60, good=True, **how):
        """Makes calls and waits for them. good: every one must go as its scenario says."""
        caller = self.start(calls, rate, seconds=seconds, **how)
        self.finish(caller, seconds, good)
        return caller

    @staticmethod
    def finish(caller, seconds=60, good=True):
        status = caller.wait(seconds + 5)
        if good:
            words = caller.errors()[:2000]
            assert caller.failed == 0 and status == 0, f"{caller.failed} calls failed (exit {status}):\n{words}"
        return caller

    def __exit__(self, kind, *_):
        for caller in self.callers:
            caller.kill()
        for server in self.servers.values():
            server.stop()
        if kind is None:
            self.capture.stop()
            self.messages = self.capture.messages()
            self.ledger = Ledger(self.messages, [self.lab.address("strowger", family) for family in (4, 6)],
                                 {self.lab.address(target, family): target for target in TARGETS for family in (4, 6)})
        else:
            self.lab.processes.stop(self.capture.name)

    # --- what the capture says

    def to(self, node, method=None):
        """Requests that arrived at a node."""
        where = {self.lab.address(node, 4), self.lab.address(node, 6)}
        return [message for message in self.messages if message.is_request and message.destination[0] in where
                and method in (None, message.method)]

    def statuses(self, node="caller", method="INVITE"):
        """Statuses that a node was sent for a method, each once, in order."""
        where = {self.lab.address(node, 4), self.lab.address(node, 6)}
        found = [message.status for message in self.messages if not message.is_request
                 and message.destination[0] in where and message.cseq_method == method]
        return list(dict.fromkeys(found))
