# SPDX-License-Identifier: Apache-2.0
#
#   strowger-wire (callers and targets) ---- memif ---- strowgerd
#
# With copies at both ends, and with strowgerd's own buffers, which the other end reads and writes.

import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "bench", "lib"))
os.environ.setdefault("STROWGER_BENCH_BUILD", os.environ.get("STROWGER_BUILD", os.path.join(ROOT, "build")))

import wire_bed  # noqa: E402

CALLS = 1024
RATE = 10000


@pytest.fixture(autouse=True)
def modest(monkeypatch):
    """Others are tested on these cores meanwhile."""
    monkeypatch.setattr(wire_bed.Process, "_before_others", lambda self: None)


def device(bed):
    return wire_bed.Strowger(bed, transactions=16384, calls=4096, message_mb=32)


def generator(bed):
    return wire_bed.Generator(bed, "in-dialog", calls=CALLS)


def carries(generator):
    """Calls are set up and messages go both ways within them: every one arrives once, as it has to be."""
    assert generator.meet().set_up()["up"] == CALLS
    trial = generator.run(RATE, 1)
    assert trial["requests"] > 200  # whoever is kept from the core by others leaves out what is due
    assert (trial["lost"], trial["wrong"], trial["repeated"]) == (0, 0, 0), trial
    assert trial["requests"] == trial["responses"]


def test_with_copies():
    with wire_bed.Bed("memif") as bed, device(bed), generator(bed) as sender:
        carries(sender)


def test_in_our_own_buffers():
    with wire_bed.Bed("memif", generator_copies=True) as bed, generator(bed) as sender, device(bed):
        carries(sender)


def test_nobody_listens():
    with wire_bed.Bed("memif", generator_copies=True) as bed, pytest.raises(wire_bed.BedError) as refused:
        device(bed)
    assert "port sip0: device net_memif0" in str(refused.value)
    assert "does the other end listen at its socket?" in str(refused.value)
