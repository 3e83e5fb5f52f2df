# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- TCP ---- br0 ---- strowger-link ---- strowgerd ---- the same way back ---- TCP ---- target1 ... target3
#
# Numbered SIP messages through a link that loses, overtakes, duplicates and damages segments; `testbed/streams` sends a million of them.

import os
import signal

import pytest

from conftest import laboratory
from lab import add_profile
from link import Caller, Server
from processes import wait_for
from run_streams import change, complaints, exchange

MESSAGES = 6000
BEHIND = "+442035550178"


def configure(config):
    change(config)
    for n, target in enumerate(("target1", "target2"), 1):
        config["trunks"].append({"name": f"one{n}", "endpoints": [{"address": f"10.77.0.2{n}", "transport": "tcp"}]})
    add_profile(config, "behind", BEHIND, targets=["one1", "one2"], response_timeout_ms=0, progress_timeout_ms=0, setup_budget_s=0)


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def lab(request):
    with laboratory("af_packet", request.param, configure) as lab:
        yield lab


@pytest.mark.parametrize("percent", [1, 5])
def test_messages_come_once_and_whole(lab, percent):
    before = lab.counters()
    run = exchange(lab, MESSAGES, percent * 100, 64, seed=percent + 1)
    assert complaints(run, MESSAGES) == []
    after = lab.counters()
    # It was a bad link, and both ways: segments of ours had to go again, and such came as were damaged, twice, or too early.
    for name in ("tcp_retransmitted", "tcp_bad_checksum", "tcp_duplicates", "tcp_out_of_order"):
        assert after[name] > before[name], name
    assert run["link"]["lost"] >= run["link"]["segments"] * percent / 200


def test_calls_come_once_and_whole(lab):
    calls = 2000
    run = exchange(lab, calls, 200, 64, seed=9, calls=True)
    assert complaints(run, calls) == []


def test_an_endpoint_that_is_behind_is_sent_no_more_and_nothing_twice(lab):
    """target1 stops reading until what may wait for it is full: from there on messages go to target2, and those that wait stay where they are, though
    their neighbours find no room. Whichever worker has the connection."""
    messages = 4000
    first, second = (Server(lab, target, messages, "behind") for target in ("target1", "target2"))
    full = lab.counters()["stream_refused_full"]
    os.kill(first.child.pid, signal.SIGSTOP)
    caller = Caller(lab, BEHIND, messages, "behind", 64, window=16)
    assert wait_for(lambda: lab.counters()["stream_refused_full"] >= full + 100, 20)
    os.kill(first.child.pid, signal.SIGCONT)
    told = caller.wait(60)
    ends = [first.stop(), second.stop()]
    assert (told["done"], told["twice"], told["damaged"]) == (messages, 0, 0), told
    # For a moment target2 may be behind as well: who is refused then has been sent nowhere.
    assert [end["twice"] + end["damaged"] for end in ends] == [0, 0]
    assert min(end["done"] for end in ends) > 0 and sum(end["done"] for end in ends) == messages - told["refused"]
