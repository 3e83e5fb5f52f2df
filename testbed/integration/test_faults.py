# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- Strowger (round robin) ----+---- target1   freezes, or answers 503, and is mended
#   10.77.0.10      10.77.0.1              +---- target2, target3   are well
#
# Some of testbed/faults, shorter: at 200 calls a second no call fails, and the target is left out in time.

import pytest

from run_faults import complaints, run


@pytest.mark.parametrize("name", ["frozen", "frozen-no-probes", "503-to-calls-only", "frozen-srv"])
def test_fault(name, monkeypatch):
    result = run(name, seconds=6)
    print(name, result)
    assert not complaints(result), result
    assert result["rescued"] >= 1
    if name == "503-to-calls-only":
        assert result["reason"] == "5 calls in a row failed, the last with 503"
