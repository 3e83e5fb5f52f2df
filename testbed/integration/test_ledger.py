# SPDX-License-Identifier: Apache-2.0
"""What the ledger says of messages that are known; no laboratory."""

import pytest

from capture import Datagram
from ledger import Ledger

CALLER, STROWGER, TARGET, OTHER = (f"10.77.0.{n}" for n in (10, 1, 21, 22))


def message(first, source, destination, call_id="a", method="INVITE", to_tag=""):
    lines = [first, f"Via: SIP/2.0/UDP {source};branch=z9hG4bK1", f"To: <sip:b@x>{to_tag and ';tag=' + to_tag}", f"Call-ID: {call_id}",
             f"CSeq: 1 {method}", "", ""]
    return Datagram(0.0, (source, 5060), (destination, 5060), "\r\n".join(lines).encode())


def invite(source, destination, **more):
    return message("INVITE sip:b@x SIP/2.0", source, destination, **more)


def reply(status, source, destination, **more):
    return message(f"SIP/2.0 {status} Words", source, destination, **more)


def ledger(*messages):
    return Ledger(messages, [STROWGER], {TARGET: "target1", OTHER: "target2"})


@pytest.mark.parametrize("what, messages, begun, targets, attempts", [
    ("a call", [invite(CALLER, STROWGER), invite(STROWGER, TARGET)], True, ["target1"], 1),
    ("one that no target got", [invite(CALLER, STROWGER), reply(404, STROWGER, CALLER)], True, [], 0),
    ("sent again by both", [invite(CALLER, STROWGER), invite(STROWGER, TARGET)] * 2, True, ["target1"], 1),
    ("sent again for a caller that is gone", [invite(STROWGER, TARGET)], False, ["target1"], 1),
    ("an earlier one, rescued now", [reply(503, TARGET, STROWGER), invite(STROWGER, OTHER)], False, ["target2"], 1),
    ("within an earlier one", [invite(CALLER, STROWGER, to_tag="t"), reply(200, STROWGER, CALLER)], False, [], 0),
    ("begun by a target", [invite(TARGET, STROWGER), invite(STROWGER, OTHER)], True, ["target2"], 1),
])
def test_what_was_begun(what, messages, begun, targets, attempts):
    call = ledger(*messages).calls["a"]
    assert (call.begun, call.targets, call.attempts) == (begun, targets, attempts), what


def test_calls_are_told_apart():
    calls = ledger(invite(STROWGER, TARGET, call_id="earlier"), invite(CALLER, STROWGER), invite(STROWGER, TARGET)).calls
    assert {call_id: call.begun for call_id, call in calls.items()} == {"earlier": False, "a": True}
