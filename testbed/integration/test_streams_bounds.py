# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- TCP: more connections than one may have, messages that do not end ----+---- strowgerd, one worker
#   target3 ---- TCP -----------------------------------------------------------------'
#
# What one source takes is not missing elsewhere.

import contextlib

import pytest

from conftest import laboratory
from lab import over_tcp
from processes import wait_for
from test_streams import Peer, request

MOST = 40


@pytest.fixture(scope="module")
def lab():
    def change(config):
        over_tcp(config)
        config["limits"].update(connections=200, connections_per_source=MOST, stream_mb=2)
        config["tcp"] = {"message_timeout_s": 2}

    with laboratory("af_packet", 1, change) as lab:
        yield lab


def answered(peer, number, pieces=1):
    message = request(branch=f"z9hG4bK-bound-{number}", call_id=f"bound-{number}")
    for at in range(pieces):
        peer.send(message[at * len(message) // pieces:(at + 1) * len(message) // pieces])
    return peer.read(b"\r\n\r\n").startswith(b"SIP/2.0 200 ")


def ended(peer):
    try:
        return peer.ended()
    except ConnectionResetError:
        return True


def test_one_source_has_no_more_than_its_share(lab):
    with contextlib.ExitStack() as open_ones:
        for number in range(MOST):
            assert answered(open_ones.enter_context(Peer(lab)), f"first-{number}")
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError):
                Peer(lab)
        assert answered(open_ones.enter_context(Peer(lab, "target3")), "another")
        assert lab.counters()["tcp_refused_source"] == 3
    assert wait_for(lambda: not lab.ctl("connections", "them")["connections"], 10)
    with Peer(lab) as peer:
        assert answered(peer, "again"), "what it closed does not count"


def test_messages_that_do_not_end_keep_nothing_from_others(lab):
    """More of them than there is memory for: the worker does not spend its time on them, and they are closed in time."""
    before = lab.counters()
    with contextlib.ExitStack() as open_ones:
        slow = [open_ones.enter_context(Peer(lab)) for _ in range(MOST - 1)]
        for number, peer in enumerate(slow):
            peer.send(request(branch=f"z9hG4bK-slow-{number}", call_id=f"slow-{number}", length="Content-Length: 60000\r\n", body="x" * 1000))
        other = open_ones.enter_context(Peer(lab, "target3"))
        assert lab.wait_counter("stream_no_memory", before["stream_no_memory"] + 1)
        assert answered(other, "whole"), "one that is whole needs no memory"
        for peer in slow:
            assert ended(peer)
        assert answered(other, "pieces", 3)
    after = lab.counters()
    assert after["stream_unfinished"] - before["stream_unfinished"] == len(slow)
    assert after["stream_stalled"] - before["stream_stalled"] < 10 * len(slow), "once each, or nearly"
