# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- TCP ---- strowgerd, which starts, stops and dies ---- TCP ---- target1
#
# Over TCP nobody repeats what was not read: nothing that comes during a start is lost. An orderly end closes every connection; after any other
# the next process answers what it does not know with a reset.

import os
import signal
import socket
import threading

import pytest

from conftest import laboratory
from lab import NUMBER, STROWGER, add_profile, over_tcp
from processes import wait_for
from sipp import Sipp
from test_streams import Peer, finished, request


@pytest.fixture(scope="module")
def lab():
    def change(config):
        over_tcp(config)
        # Nobody answers there: a start waits for the name as long as it ever does.
        config["resolver"] = {"servers": ["10.77.0.99"], "timeout_ms": 3000, "tries": 1}
        config["trunks"].append({"name": "nowhere", "endpoints": [{"host": "carrier.test"}]})
        add_profile(config, "byname", "+442035550900", targets=("nowhere",))

    with laboratory("af_packet", 2, change, restarts=True) as lab:
        yield lab


def connect(lab, within_s=20):
    """As soon as somebody listens."""
    def attempt():
        try:
            peer = lab.network.socket("caller", socket.AF_INET, socket.SOCK_STREAM)
            peer.settimeout(0.3)
            peer.connect((STROWGER[4], 5060))
            return peer
        except OSError:
            peer.close()
            return None

    return wait_for(attempt, within_s, every=0.01)


def test_requests_that_come_during_the_start_are_answered(lab):
    lab.stop_daemon()
    starting = threading.Thread(target=lab.start_daemon)
    starting.start()
    peers = []
    try:
        while starting.is_alive() and len(peers) < 5:
            peers.append(connect(lab))
            peers[-1].sendall(request(branch=f"z9hG4bK-start-{len(peers)}", call_id=f"start-{len(peers)}"))
        early = starting.is_alive()
        for number, peer in enumerate(peers, 1):
            peer.settimeout(10)
            answer = peer.recv(4096)
            assert answer.startswith(b"SIP/2.0 200 ") and f"start-{number}\r".encode() in answer
    finally:
        starting.join()
        for peer in peers:
            peer.close()
    assert early and len(peers) == 5, "they came before it was ready"
    assert lab.counters()["requests_held"] == 0


def test_an_orderly_end_closes_every_connection(lab):
    with Peer(lab) as peer, Sipp(lab, "target1", "uas", transport="tcp") as server:
        peer.send(request(branch="z9hG4bK-before"))
        assert peer.read(b"\r\n\r\n").startswith(b"SIP/2.0 200 ")
        finished(Sipp(lab, "caller", "uac", remote=STROWGER[4], calls=5, rate=50, seconds=30, transport="tcp", options=["-s", NUMBER]))
        connections = lambda: lab.network.run("target1", ["ss", "-Htn", "state", "established", "sport", "= :5060"]).split()
        assert connections(), "the one that calls went by"
        child = lab.processes.children["strowgerd"]
        child.send_signal(signal.SIGTERM)
        peer.socket.settimeout(10)
        assert peer.ended(), "it says that it is done, and resets nothing"
        peer.socket.close()
        assert wait_for(lambda: not connections(), 5), "the target's too"
        assert child.wait(10) == 0
        server.stop()
    lab.processes.stop("strowgerd")
    lab.start_daemon()


def test_who_is_left_with_half_a_connection_is_told(lab):
    """Killed: nobody hears of it, but the first segment to the next process is answered with a reset."""
    with Peer(lab) as peer:
        peer.send(request(branch="z9hG4bK-killed"))
        assert peer.read(b"\r\n\r\n").startswith(b"SIP/2.0 200 ")
        os.kill(lab.daemon_pid(), signal.SIGKILL)
        lab.processes.children["strowgerd"].wait()
        lab.processes.stop("strowgerd")
        lab.start_daemon()
        peer.send(request(branch="z9hG4bK-next"))
        with pytest.raises(ConnectionResetError):
            peer.socket.recv(1)
    with Peer(lab) as peer:
        peer.send(request(branch="z9hG4bK-anew"))
        assert peer.read(b"\r\n\r\n").startswith(b"SIP/2.0 200 ")
