# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- UDP, TLS ---- strowgerd, one worker ----+---- TLS ---- target1
#   openssl                                             `---- UDP ---- target2
#
# What a TLS listener does with clients of all kinds, and what calls do when TLS fails them: calls move on, none is lost.

import os
import re
import signal
import socket
import subprocess
import time

import pytest

import tls
from conftest import laboratory
from lab import NUMBER, STROWGER, add_profile
from processes import wait_for
from sipp import Sipp

UDP_NUMBER = "+442035550901"
OTHER = "other.lab.example"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder, made = str(tmp_path_factory.mktemp("tls")), []

    def change(config):
        made.append(tls.prepare(config, folder))
        made[0].issue(OTHER, directory=os.path.join(folder, "certificates"), rsa_bits=2048)
        tls.over_tls(config, ["target1"])
        config["tls"]["handshake_timeout_ms"] = 3000
        config["profiles"][0]["response_timeout_ms"] = 1000
        add_profile(config, "udp", UDP_NUMBER, targets=["target2"])

    with laboratory("af_packet", 1, change) as lab:
        lab.authority, lab.certificates = made[0], os.path.join(folder, "certificates")
        yield lab


def openssl(lab, *words, entered="Q\n", seconds=15):
    """What `openssl s_client` says of a connection to Strowger."""
    done = subprocess.run(lab.network.argv("caller", ["openssl", "s_client", "-connect", f"{STROWGER[4]}:{tls.PORT}", "-CAfile", lab.authority.path, *words]),
                          input=entered, capture_output=True, text=True, timeout=seconds)
    return done.stdout + done.stderr


def subject(words):
    return re.search(r"subject=.*CN = (\S+)", words).group(1)


# --- clients of all kinds

@pytest.mark.parametrize("asked, shown", [(tls.NAME, tls.NAME), (OTHER.upper(), OTHER), ("unknown.example", tls.NAME), (None, tls.NAME)])
def test_the_certificate_is_the_one_that_was_asked_for(lab, asked, shown):
    words = openssl(lab, *(["-servername", asked] if asked else ["-noservername"]))
    assert subject(words) == shown
    assert "Verify return code: 0 (ok)" in words


@pytest.mark.parametrize("version, taken", [("-tls1", False), ("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)])
def test_versions(lab, version, taken):
    words = openssl(lab, version, "-cipher", "ALL:@SECLEVEL=0")
    assert ("BEGIN CERTIFICATE" in words) == taken, words
    assert taken or "alert protocol version" in words, words


def test_sessions_are_resumed(lab):
    assert openssl(lab, "-tls1_2", "-reconnect").count("Reused, TLSv1.2") == 5
    kept = os.path.join(lab.directory, "session.pem")
    before = lab.counters()["tls_resumed"]
    # A client has its ticket once it has read something: the answer to a ping of RFC 5626.
    child = subprocess.Popen(lab.network.argv("caller", ["openssl", "s_client", "-connect", f"{STROWGER[4]}:{tls.PORT}", "-tls1_3", "-sess_out", kept, "-quiet"]),
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    child.stdin.write(b"\r\n\r\n")
    child.stdin.flush()
    assert child.stdout.read(2) == b"\r\n"
    child.stdin.close()
    child.terminate()
    child.wait()
    assert "Reused, TLSv1.3" in openssl(lab, "-tls1_3", "-sess_in", kept)
    assert lab.counters()["tls_resumed"] == before + 1


def test_connections_say_how_they_are_secured(lab):
    child = subprocess.Popen(lab.network.argv("caller", ["openssl", "s_client", "-connect", f"{STROWGER[4]}:{tls.PORT}", "-tls1_2", "-quiet"]),
                             stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        shown = wait_for(lambda: [one["tls"] for one in lab.ctl("connections", "tls", "them")["connections"] if one["tls"]], 5)
    finally:
        child.stdin.close()
        child.terminate()
        child.wait()
    assert shown == [{"version": "1.2", "cipher": "ECDHE-ECDSA-AES256-GCM-SHA384", "resumed": False}]


def test_renegotiation_is_refused(lab):
    words = openssl(lab, "-tls1_2", entered="R\nQ\n")
    assert "RENEGOTIATING" in words
    assert "no renegotiation" in words or "no_renegotiation" in words, words


def test_who_says_nothing_is_hung_up_on(lab):
    """Half of a handshake, and what is no TLS at all."""
    before = lab.counters()
    clients = [lab.network.socket("caller", socket.AF_INET, socket.SOCK_STREAM) for _ in range(3)]
    for client, sent in zip(clients, (b"", b"\x16\x03\x01\x02\x00\x01", b"OPTIONS sip:a SIP/2.0\r\n\r\n")):
        client.settimeout(10)
        client.connect((STROWGER[4], tls.PORT))
        client.sendall(sent)
    for client in clients:
        with client:
            while client.recv(4096):  # an alert perhaps, then its end
                pass
    after = lab.counters()
    assert after["tls_timed_out"] - before["tls_timed_out"] == 2
    assert after["tls_failed_protocol"] - before["tls_failed_protocol"] == 1


# --- calls when TLS fails them

def rescued(lab, trouble=None, calls=100):
    """Calls that target1 does not take go to target2, all of them; what was counted. Where trouble comes among them, a few that target1 has answered already
    may find nobody left to end them with."""
    assert lab.wait_usable()
    before = lab.counters()
    second = Sipp(lab, "target2", "uas_at_once")
    try:
        client = Sipp(lab, "caller", "uac", remote=STROWGER[4], calls=calls, rate=80, seconds=60, options=["-s", NUMBER])
        if trouble:
            assert wait_for(lambda: lab.counters()["calls_answered"] - before["calls_answered"] >= calls // 4, 20)
            assert second.created == 0
            trouble()
        status = client.wait(65)
    finally:
        second.stop()
    after = lab.counters()
    assert client.successful + client.failed == calls == after["calls_answered"] - before["calls_answered"], client.errors()[:2000]
    assert client.failed <= 3 if trouble else status == 0, client.errors()[:2000]
    return {name: after[name] - before[name] for name in after}


@pytest.mark.parametrize("names, from_days, days, why", [(["target1.lab.example"], -10, 9, "expired"), (["target3.lab.example"], 0, 30, "somebody else's"),
                                                         (None, 0, 30, "another CA's")])
def test_a_certificate_that_does_not_pass(lab, tmp_path, names, from_days, days, why):
    authority = lab.authority if names else tls.Authority(str(tmp_path), "strangers")
    authority.issue(*(names or ["target1.lab.example"]), days=days, from_days=from_days, name="bad", directory=lab.authority.directory)
    target = tls.Target(lab, lab.authority, "target1", "uas_at_once", certificate="bad")
    try:
        counted = rescued(lab, calls=20)
    finally:
        target.stop()
    # The first of them take it out for the others.
    assert 1 <= counted["tls_failed_verification"] <= counted["calls_rescued"] == counted["requests_undelivered"], why
    assert target.created == 0


def test_a_target_is_killed(lab):
    target = tls.Target(lab, lab.authority, "target1", "uas_at_once")
    counted = rescued(lab, target.kill)
    assert counted["calls_rescued"] >= 1


def test_a_target_stands_still(lab):
    """Neither its TCP nor its TLS answers anything new; the kernel goes on accepting."""
    target = tls.Target(lab, lab.authority, "target1", "uas_at_once")
    stopped = [target.tunnel.process.pid, target.pid]
    try:
        counted = rescued(lab, lambda: [os.kill(pid, signal.SIGSTOP) for pid in stopped])
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        target.stop()
    assert counted["calls_rescued"] >= 1


def test_certificates_are_renewed_among_calls(lab):
    """A connection for each call, a new certificate every few of them: every handshake finds a whole pair."""
    def shown():
        words = openssl(lab, "-servername", tls.NAME)
        assert "Verify return code: 0 (ok)" in words
        return re.search(r"-----BEGIN CERTIFICATE-----.*?-----END", words, re.S).group(0)

    target = tls.Target(lab, lab.authority, "target1", "uas_at_once")
    seen = {shown()}
    try:
        with tls.caller_tunnel(lab, lab.authority):
            client = Sipp(lab, "caller", "uac", remote=STROWGER[4], calls=150, rate=50, seconds=60, transport="tls-each", options=["-s", NUMBER])
            for _ in range(4):
                lab.authority.issue(tls.NAME, directory=lab.certificates)
                new = wait_for(lambda: (found := shown()) not in seen and found, 10)
                assert new, "the new one is shown"
                seen.add(new)
            status = client.wait(65)
            assert client.failed == 0 and status == 0, client.errors()[:2000]
    finally:
        target.stop()


# --- handshakes and calls on one worker

PING = """OPTIONS sip:{us} SIP/2.0\r
Via: SIP/2.0/UDP {me}:{port};branch=z9hG4bK{at}\r
From: <sip:ping@{me}>;tag=1\r
To: <sip:{us}>\r
Call-ID: {at}@{me}\r
CSeq: 1 OPTIONS\r
Max-Forwards: 70\r
Content-Length: 0\r
\r
"""


def answer_times(lab, count=400):
    """How long so many OPTIONS by UDP took to be answered, in ms, sorted: the time that a message waits for the worker."""
    times = []
    with lab.network.socket("caller", socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.bind((lab.address("caller"), 0))
        asker.settimeout(2)
        for at in range(count):
            text = PING.format(us=STROWGER[4], me=lab.address("caller"), port=asker.getsockname()[1], at=f"{time.monotonic_ns()}")
            begun = time.perf_counter()
            asker.sendto(text.encode(), (STROWGER[4], 5060))
            assert b" 200 " in asker.recv(4096)
            times.append(1000 * (time.perf_counter() - begun))
    return sorted(times)


def flood(lab):
    """Whoever begins one connection after the other; there are more of them than a worker can serve."""
    return [subprocess.Popen(lab.network.argv("caller", ["nice", "-n", "5", "openssl", "s_time", "-connect", f"{STROWGER[4]}:{tls.PORT}", "-new", "-time", "30"]),
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(3)]


@pytest.mark.alone
def test_handshakes_do_not_hold_up_calls(lab):
    """A worker gives handshakes no more than their share of each turn: no call fails, and no message waits for long."""
    quiet = answer_times(lab)
    server = Sipp(lab, "target2", "uas_at_once")
    before, clients = lab.counters(), flood(lab)
    try:
        assert wait_for(lambda: lab.counters()["tls_accepted"] - before["tls_accepted"] > 20, 10)
        client = Sipp(lab, "caller", "uac", remote=STROWGER[4], calls=200, rate=100, seconds=60, options=["-s", UDP_NUMBER])
        loud = answer_times(lab)
        status = client.wait(65)
    finally:
        server.stop()
        for one in clients:
            one.terminate()
            one.wait()
    after = lab.counters()
    accepted, p99 = after["tls_accepted"] - before["tls_accepted"], (quiet[len(quiet) * 99 // 100], loud[len(loud) * 99 // 100])
    print(f"{accepted} handshakes; answers within {quiet[len(quiet) // 2]:.2f} ms (median), {p99[0]:.2f} ms (p99) before, "
          f"{loud[len(loud) // 2]:.2f} ms, {p99[1]:.2f} ms meanwhile")
    assert client.failed == 0 and status == 0, client.errors()[:2000]
    assert accepted > 300, "there was a flood"
    assert after["attempt_response_timeout"] == before["attempt_response_timeout"]
    assert p99[1] < p99[0] + 200, "on a machine that others use too; alone it is a few ms"
