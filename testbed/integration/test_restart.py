# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- Strowger, and somebody who starts it again when it ends ---- target1, target2, target3
#
# 200 calls a second, each up for two seconds, and in the middle of them the process goes away: killed, or stopped at once. What is up ends as
# it should, by the tokens in its Route headers; what fails is what came while nobody was there.

import signal
import threading
import time

import pytest

from capture import Capture
from control import Control
from lab import NUMBER, TARGETS
from ledger import Ledger
from processes import wait_for
from sipp import Sipp

RESTARTS = True
RATE, HOLD_S, SECONDS = 200, 2, 7
SETUP_S = 0.5  # calls that were being set up when it ended are nobody's


class Supervisor:
    """Starts strowgerd again when it has ended, as systemd would."""

    def __init__(self, lab):
        self.lab = lab
        self.child = lab.processes.children["strowgerd"]
        self.ended = self.ready = self.error = None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        self.child.wait()
        self.ended = time.time()
        self.lab.processes.stop("strowgerd")
        try:
            self.lab.start_daemon()
        except Exception as error:  # pylint: disable=broad-except
            self.error = error
        self.ready = time.time()

    def end(self, signals):
        for number in signals:
            self.child.send_signal(number)
        self.thread.join(30)
        assert self.ready and not self.error, self.error


def sent_at(messages, address):
    """{Call-ID: when the caller first sent its INVITE}"""
    times = {}
    for message in messages:
        if message.is_request and message.method == "INVITE" and message.source[0] == address:
            times.setdefault(message.call_id, message.when)
    return times


@pytest.mark.parametrize("how, signals", [("killed", [signal.SIGKILL]), ("restarted", [signal.SIGTERM, signal.SIGTERM])])
def test_calls_outlive_the_process(lab, how, signals):
    servers = [Sipp(lab, target, "uas") for target in TARGETS]
    before = lab.ctl("status")["calls"]["started"]
    with Capture(lab) as capture:
        caller = Sipp(lab, "caller", "uac_hold", remote=lab.address("strowger"), calls=RATE * SECONDS, rate=RATE, seconds=60,
                      options=["-s", NUMBER, "-d", HOLD_S * 1000])
        with Control(lab.socket_path) as control:
            assert wait_for(lambda: control.call("status")["calls"]["started"] >= before + 3 * RATE, 20)
        supervisor = Supervisor(lab)
        gone = time.time()
        supervisor.end(signals)
        # Calls whose setup was lost wait for a minute: they have failed by now.
        wait_for(lambda: not caller.running(), SECONDS - 3 + HOLD_S + 2)
    for process in (caller, *servers):
        process.stop()
    messages = list(capture.messages())
    calls = Ledger(messages, [lab.address("strowger")], {lab.address(target): target for target in TARGETS}).calls
    sent = sent_at(messages, lab.address("caller"))
    assert len(sent) == RATE * SECONDS
    up = [call for call in calls.values() if call.answered and call.answered < gone and sent[call.call_id] > gone - HOLD_S + 0.2]
    assert len(up) > RATE, "there were calls up when it went"
    assert all(call.completed for call in up), "what was up ends as it should"
    failed = [when for call, when in sent.items() if call not in calls or not calls[call].completed]
    print(f"{how}: away for {(supervisor.ready - gone) * 1000:.0f} ms; {len(up)} calls were up then and ended as they should; "
          f"{len(failed)} calls failed, sent {min(failed, default=gone) - gone:+.2f} to {max(failed, default=gone) - gone:+.2f} s after its end")
    outside = [when - gone for when in failed if not gone - SETUP_S < when < supervisor.ready]
    assert not outside, "new calls fail only while it is away"
    assert len(failed) <= RATE * (supervisor.ready - gone + SETUP_S)
