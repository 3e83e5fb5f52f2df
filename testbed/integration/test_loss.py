# SPDX-License-Identifier: Apache-2.0
#
#   caller ----+            5% of all packets are dropped            +---- target1 ... target3
#              +--- br0 ==== here, each way (nftables) ==== Strowger +
#
# 10,000 calls over bad lines: every one must be answered and ended, and at most 5 may have been taken from a healthy target.

import pytest

from lab import TARGETS
from trial import Trial

CALLS = 10000


def configure(config):
    for profile in config["profiles"]:
        profile.update(strategy="round_robin")


@pytest.mark.slow
def test_five_percent_each_way(lab):
    lab.network.drop(5)
    try:
        with Trial(lab, **{target: "uas_at_once" for target in TARGETS}) as trial:
            trial.call(CALLS, rate=250, seconds=150)
    finally:
        lab.network.drop_nothing()
    calls = trial.ledger.calls.values()
    assert len(calls) == CALLS
    assert trial.ledger.retransmissions > CALLS / 10, "the lines were bad indeed"
    second = [call for call in calls if len(call.targets) > 1]
    assert len(second) <= 5, f"{len(second)} calls reached a second target"
