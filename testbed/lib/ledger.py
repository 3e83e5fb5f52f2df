# SPDX-License-Identifier: Apache-2.0
"""What became of each call, told by a capture and by nothing else."""


class Call:
    def __init__(self, call_id):
        self.call_id = call_id
        self.begun = False        # its caller's INVITE is in the capture; else it is what is still repeated of an earlier call
        self.targets = []         # whom Strowger sent its INVITE to, in order, each once
        self.answers = {}         # target: when its first 200 to the INVITE was on the wire
        self.answered = None      # when a 200 to the INVITE first went to the caller
        self.refused = None       # the status of another final answer that the caller was sent
        self.completed = False    # a BYE was answered with 200 towards whoever sent it
        self.attempts = 0         # INVITEs to targets, retransmissions not counted

    @property
    def last_target(self):
        return self.targets[-1] if self.targets else None


class Ledger:
    """messages: of a capture.Capture on the switch. strowger: its addresses. targets: {address: name}."""

    def __init__(self, messages, strowger, targets):
        self.strowger, self.names = set(strowger), targets
        self.calls = {}
        self.retransmissions = 0
        self.datagrams = 0
        seen = set()
        for message in messages:
            self.datagrams += 1
            # RFC 3261 §17: what is sent again is the same to the byte.
            key = (message.source, message.destination, hash(message.payload))
            again = key in seen
            seen.add(key)
            self.retransmissions += again
            self._enter(message, again)

    def _enter(self, message, again):
        source, destination = message.source[0], message.destination[0]
        if message.is_request:
            if message.method == "INVITE" and "tag=" not in message.header("to"):
                if source in self.strowger and destination in self.names:
                    self._invited(self._call(message), self.names[destination], again)
                elif destination in self.strowger and source not in self.strowger:
                    self._call(message).begun = True
            return
        call = self._call(message)
        if message.cseq_method == "INVITE" and message.status >= 200:
            if source in self.names and message.status < 300:
                call.answers.setdefault(self.names[source], message.when)
            elif source in self.strowger and destination not in self.names:
                if message.status < 300:
                    call.answered = call.answered or message.when
                else:
                    call.refused = message.status
        elif message.cseq_method == "BYE" and message.status == 200 and source in self.strowger:
            call.completed = True

    def _call(self, message):
        return self.calls.setdefault(message.call_id, Call(message.call_id))

    @staticmethod
    def _invited(call, target, again):
        call.attempts += not again
        if target not in call.targets:
            call.targets.append(target)

    def invited(self):
        """{target: calls whose INVITE it was sent}"""
        count = dict.fromkeys(self.names.values(), 0)
        for call in self.calls.values():
            for target in call.targets:
                count[target] += 1
        return count

    def first_choices(self):
        """The first target of each call, in the order of the calls."""
        return [call.targets[0] for call in self.calls.values() if call.targets]

    def rescued(self):
        """Calls that reached two targets or more, and were answered."""
        return [call for call in self.calls.values() if len(call.targets) > 1 and call.answered]
