# SPDX-License-Identifier: Apache-2.0
#
#                             +-- queue 0 -- worker 0 --+
#   caller ---- port0 (veth) -+        rings            +---- target1 ... target3
#                             +-- queue 1 -- worker 1 --+
#
# Two workers: a call's packets reach the worker that owns its Call-ID, whichever queue they came in on. AF_XDP (an
# ethdev per queue) and AF_PACKET.

import re
from collections import Counter

import pytest

from conftest import laboratory
from lab import TARGETS
from trial import Trial


@pytest.fixture(scope="module", params=["af_xdp", "af_packet"])
def lab(request):
    with laboratory(request.param, workers=2, strategy="round_robin") as lab:
        yield lab


def test_memory_is_touched_before_the_first_call(lab):
    with open(f"/proc/{lab.daemon_pid()}/status", encoding="ascii") as status:
        fields = dict(line.split(":", 1) for line in status)
    resident = sum(int(fields[name].split()[0]) for name in ("VmRSS", "HugetlbPages"))
    assert resident >= 2 * 64 * 1024, "kB: both workers' message_mb alone"


def test_calls_on_two_workers(lab):
    calls = 600
    with Trial(lab, **{target: "uas_ring" for target in TARGETS}, ring_ms=50) as trial:
        # Several source ports, so that the queues are both used.
        callers = [trial.start(calls // 3, rate=100) for _ in range(3)]
        for caller in callers:
            trial.finish(caller)
    assert Counter(trial.ledger.first_choices()) == dict.fromkeys(TARGETS, calls // 3), "one rotation for all workers"
    assert all(call.completed for call in trial.ledger.calls.values())
    assert trial.ledger.retransmissions == 0
    shares = [worker["calls_started"] for worker in lab.ctl("counters")["workers"]]
    assert sum(shares) == calls and min(shares) > calls // 4, shares
    total = lab.counters()
    assert total["handoff_in"] == total["handoff_out"] > 0
    assert total["handoff_dropped_full"] == 0


def test_rescue_on_two_workers(lab):
    with Trial(lab, target1="uas", target2=("uas_reply", {"code": 503})) as trial:
        trial.call(90, rate=100)
    assert all(call.completed for call in trial.ledger.calls.values())


def test_the_workers_are_shown(lab):
    assert [worker["worker"] for worker in lab.ctl("workers")] == [0, 1]
    for worker in lab.ctl("workers", "--loop"):
        loop = worker["loop"]
        assert loop["turns"] == sum(bucket["turns"] for bucket in loop["buckets"]) > 0
        assert 0 < loop["p50_us"] <= loop["p99_us"] <= loop["p999_us"] <= loop["p9999_us"] <= loop["longest_us"]
    assert re.search(r"^ *worker +busy % +turns +p50 us +p99 us .*\n +0 +\d", lab.ctl("workers", "--loop", text=True).stdout)


def test_the_kernel_is_still_there(lab):
    for address in ("10.77.0.1", "fd77::1"):
        words = lab.network.run("caller", ["ping", "-c", "3", "-i", "0.05", "-W", "1", address])
        assert " 0% packet loss" in words and "DUP" not in words, words
