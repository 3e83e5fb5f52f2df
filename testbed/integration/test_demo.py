# SPDX-License-Identifier: Apache-2.0
#
#   testbed/demo's own laboratory: caller ---- Strowger ---- target1 ... target3, the busiest of which is killed half way
#
# The demo keeps its promise with every strategy, and its arithmetic is right.

import json
import os
import subprocess

import pytest

from lab import ROOT, STRATEGIES, TARGETS


def demo(*options):
    done = subprocess.run([os.path.join(ROOT, "testbed", "demo"), "--no-build", *options], capture_output=True, text=True,
                          timeout=180, env={**os.environ, "STROWGER_LAB": f"demo-test-{os.getpid()}"})
    words = done.stdout.strip().splitlines()
    assert words and words[-1].startswith("{"), done.stdout + done.stderr
    return done, json.loads(words[-1])


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_killed_target_costs_no_call(strategy):
    done, result = demo("--calls", "400", "--rate", "200", "--strategy", strategy)
    assert done.returncode == 0, done.stdout + done.stderr
    assert result["failed"] == 0
    assert result["answered"] + result["cut"] == result["calls"] == 400
    assert result["rescued"] > 0, "some calls were at the killed target"
    assert set(result["per_target"]) == set(TARGETS)


def test_a_killed_target_costs_no_call_over_tcp():
    done, result = demo("--calls", "400", "--rate", "200", "--transport", "tcp", "--workers", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert result["failed"] == 0
    assert result["answered"] + result["cut"] == result["calls"] == 400
    assert result["rescued"] > 0, "some calls were at the killed target"
    assert result["retransmissions"] == 0


def test_a_killed_target_costs_no_call_over_tls():
    done, result = demo("--calls", "400", "--rate", "200", "--transport", "tls", "--workers", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert result["failed"] == 0
    assert result["answered"] + result["cut"] == result["calls"] == 400
    assert result["rescued"] > 0, "some calls were at the killed target"


def test_nothing_killed():
    done, result = demo("--calls", "200", "--rate", "200", "--kill", "none")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (result["answered"], result["failed"], result["rescued"], result["cut"]) == (200, 0, 0, 0)


@pytest.mark.slow
def test_calls_that_are_up_at_the_killed_target_are_cut_and_no_others():
    """Each call stays up for two seconds: what the killed target had answered cannot be ended, and is called cut, not failed."""
    done, result = demo("--calls", "300", "--rate", "100", "--hold", "2000", "--strategy", "failover")
    assert done.returncode == 0, done.stdout + done.stderr
    assert result["failed"] == 0
    # Killed at the 150th call: the first 100 or so had been answered, and few of them were over.
    assert 50 < result["cut"] <= 150
    assert result["answered"] + result["cut"] == 300
    assert result["per_target"]["target1"]["answered"] >= result["cut"]
