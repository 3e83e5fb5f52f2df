# SPDX-License-Identifier: Apache-2.0
#
#   strowger-wire (callers and targets) ---- memif ---- strowgerd
#
# With copies at both ends, and with strowgerd's own buffers, which the other end reads and writes; and what the trace keeps where there is more than it has room for.

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "bench", "lib"))
os.environ.setdefault("STROWGER_BENCH_BUILD", os.environ.get("STROWGER_BUILD", os.path.join(ROOT, "build")))

import wire_bed  # noqa: E402
from programs import program  # noqa: E402

CALLS = 1024
RATE = 10000
NOBODY = [f"nobody-{i}" for i in range(8)]
OF_HOW_MANY = re.compile(r"under this load one call in (\d+) is \(limits.trace_mb, limits.trace_s\)")


@pytest.fixture(autouse=True)
def modest(monkeypatch):
    """Others are tested on these cores meanwhile."""
    monkeypatch.setattr(wire_bed.Process, "_before_others", lambda self: None)


def device(bed, **limits):
    return wire_bed.Strowger(bed, transactions=16384, calls=4096, message_mb=32, room=limits)


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


def ctl(strowger, *words):
    return subprocess.run([program("strowgerctl"), "--socket", strowger.socket_path, *words], capture_output=True, text=True, check=False, timeout=30)


def trace_of(strowger, call_id):
    """None: nothing of it is kept."""
    try:
        return strowger.call("trace", call_id=call_id)
    except KeyError:
        return None


def times(trace):
    return trace["messages"][0]["unix_ms"], trace["messages"][-1]["unix_ms"]


def looked_at(strowger):
    """From when to when there are messages of calls that are kept at present, and of others."""
    ids = [call["call_id"] for call in strowger.call("calls", limit=CALLS)["calls"]]
    traces = [trace for trace in (trace_of(strowger, call_id) for call_id in ids) if trace]
    for trace in [trace for trace in traces if trace["one_in"] > 1][:1]:
        assert "is kept, and this one no longer" in ctl(strowger, "trace", trace["call_id"]).stderr
    return [times(trace) for trace in traces if trace["one_in"] == 1], [times(trace) for trace in traces if trace["one_in"] > 1]


def reaches_back(kept, others):
    """By two seconds, of which nothing else came in the last: of how many calls one is kept may have changed shortly before."""
    return max((end - begin for begin, end in kept), default=0) > 2000 and max((end for _, end in others), default=0) < max(end for _, end in kept) - 1000


def test_trace_under_load():
    """A thousand messages or so are 1 MB. Four seconds of them are not, so that those of some calls are kept, and reach back."""
    with wire_bed.Bed("memif") as bed, device(bed, trace_mb=1, trace_s=4) as strowger, generator(bed) as sender, ThreadPoolExecutor(1) as pool:
        carries(sender)
        load = pool.submit(sender.run, RATE, 8)
        refused = set()
        while not load.done():
            kept, others = looked_at(strowger)
            refused |= {int(how[1]) for how in OF_HOW_MANY.finditer("".join(ctl(strowger, "trace", name).stderr for name in NOBODY))}
            if reaches_back(kept, others):
                break
        assert (load.result()["lost"], load.result()["wrong"]) == (0, 0)
        assert 0 < len(kept) < CALLS / 2
        assert reaches_back(kept, others)
        assert refused and min(refused) > 1
