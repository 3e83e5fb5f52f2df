# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- TCP ---- br0 ---- strowger-link ---- strowgerd ---- the same way back ---- TCP ---- target1 ... target3
#
# Numbered SIP messages through a link that loses, overtakes, duplicates and damages segments; `testbed/streams` sends a million of them.

import pytest

from conftest import laboratory
from run_streams import change, complaints, exchange

MESSAGES = 6000


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def lab(request):
    with laboratory("af_packet", request.param, change) as lab:
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
