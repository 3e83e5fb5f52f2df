# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- TLS (openssl) ---- Strowger ---- TLS ---- stunnel ---- SIPp     target1, and its certificates
#
# Certificates, ours and theirs: renewed while connections live, broken, near their end, of somebody else.

import json
import os
import shutil
import signal
import subprocess

import pytest

from certificates import Authority
from lab import STROWGER
from processes import wait_for
from sipp import Sipp
from stunnel import Stunnel

NAME = "sip.target1.test"
RESTARTS = True


def configure(config):
    directory = os.path.dirname(config["control"]["socket"])
    shutil.rmtree(directory, ignore_errors=True)
    # Beside the laboratory's directory, which is made anew at its start.
    ours = Authority(directory + "-certificates", "ours")
    theirs = Authority(directory + "-certificates", "theirs")
    certs = os.path.join(ours.directory, "certs")
    shutil.rmtree(certs, ignore_errors=True)
    ours.issue("sip.edge.test", days=60, directory=certs, name="edge")
    ours.issue("sip.other.test", "sip:other.test", days=60, directory=certs, name="other")
    config["test"] = (ours, theirs, certs)
    config["listeners"] += [{"address": STROWGER[4], "transport": "tls"}, {"address": STROWGER[4], "port": 5062, "transport": "tls", "server": "known"}]
    config["tls"] = {"servers": [{"name": "known", "default": "other", "client_certificates": "required", "client_ca": theirs.path}],
                     "certificates": certs, "default": "edge", "ticket_keys": os.path.join(ours.directory, "ticket.keys"), "ca": theirs.path}
    if os.path.exists(config["tls"]["ticket_keys"]):
        os.unlink(config["tls"]["ticket_keys"])
    for trunk in config["trunks"]:
        if trunk["name"] == "target1":
            trunk["endpoints"] = [{"address": "10.77.0.21", "transport": "tls"}]
            trunk["tls"] = {"name": NAME}
            trunk["probe"] = {"enabled": True, "interval_ms": 200, "timeout_ms": 1500, "down_after": 1}
    AUTHORITIES.append(config.pop("test"))


AUTHORITIES = []


@pytest.fixture(scope="module")
def world(lab):
    ours, theirs, certs = AUTHORITIES[-1]
    yield lab, ours, theirs, certs
    shutil.rmtree(ours.directory, ignore_errors=True)


class Peer:
    """target1, showing a certificate."""

    def __init__(self, lab, pair, options=()):
        self.sipp = Sipp(lab, "target1", "uas_probed", transport="tcp")
        self.stunnel = Stunnel(lab, "target1", accept="10.77.0.21:5061", connect="10.77.0.21:5060", cert=pair, options=options)

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.stunnel.stop()
        self.sipp.stop()


class Client:
    """openssl's client in the caller's node, which stays connected."""

    def __init__(self, lab, *options, port=5061):
        argv = ["openssl", "s_client", "-connect", f"{STROWGER[4]}:{port}", "-quiet", "-no_ign_eof", *options]
        self.child = subprocess.Popen(lab.network.argv("caller", argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def ping(self):
        """A keepalive of RFC 5626: two empty lines, answered by one."""
        self.child.stdin.write(b"\r\n\r\n")
        self.child.stdin.flush()
        return os.read(self.child.stdout.fileno(), 2) == b"\r\n"

    def close(self):
        self.child.kill()
        self.child.wait()


def shown(lab, *options):
    """What a client is shown, in words: its names and serial, and how the session came to be."""
    argv = ["openssl", "s_client", "-connect", f"{STROWGER[4]}:5061", *options]
    done = subprocess.run(lab.network.argv("caller", argv), input=b"", capture_output=True, timeout=10, check=False)
    pem = done.stdout.decode(errors="replace")
    begin, end = pem.find("-----BEGIN"), pem.find("-----END")
    assert begin >= 0, pem + done.stderr.decode(errors="replace")
    text = subprocess.run(["openssl", "x509", "-noout", "-serial", "-ext", "subjectAltName"], input=pem[begin:end + 26].encode(), capture_output=True, check=True)
    return text.stdout.decode() + ("Reused" if "Reused" in pem else "New")


def ours_of(lab, name):
    return next((c for c in lab.ctl("certificates")["ours"] if c["name"] == name), None)


def alarm(lab, kind, subject):
    return next((a for a in lab.ctl("alarms")["raised"] if (a["kind"], a["subject"]) == (kind, subject)), None)


def peer_alarm(lab):
    return alarm(lab, "peer-certificate", "target1/10.77.0.21:5061")


def endpoint(lab):
    return lab.targets()["lab/target1"]["endpoints"][0]


def test_what_the_operator_sees(world):
    lab, _, _, certs = world
    answer = lab.ctl("certificates")
    assert answer["directory"] == certs
    assert [c["name"] for c in answer["ours"]] == ["edge", "other"]
    edge, other = answer["ours"]
    assert edge["names"] == ["sip.edge.test"] and other["names"] == ["sip.other.test", "sip:other.test"] or other["names"] == ["sip:other.test", "sip.other.test"]
    assert edge["default_of"] == ["default"] and other["default_of"] == ["known"] and other["servers"] == ["default", "known"]
    assert edge["days_left"] in (59, 60) and edge["broken"] is None and "ours" in edge["issuer"]
    assert answer["ticket_keys"]["keys"] == 1 and os.stat(answer["ticket_keys"]["file"]).st_mode & 0o777 == 0o600
    text = lab.ctl("certificates", text=True).stdout
    assert "sip.edge.test" in text and "days left" in text


@pytest.mark.parametrize("options, name", [
    (("-servername", "sip.other.test"), "sip.other.test"), (("-servername", "SIP.Edge.test"), "sip.edge.test"),
    (("-servername", "nobody.test"), "sip.edge.test"), (("-noservername",), "sip.edge.test"),
], ids=["its name", "other case", "unknown", "none"])
def test_the_name_that_is_asked_for_chooses(world, options, name):
    assert f"DNS:{name}" in shown(world[0], *options)


def test_renewed_while_a_connection_lives(world):
    lab, ours, _, certs = world
    client = Client(lab)
    try:
        assert client.ping()
        before, since = shown(lab), ours_of(lab, "edge")["serial"]
        ours.issue("sip.edge.test", days=90, directory=certs, name="edge")
        assert wait_for(lambda: ours_of(lab, "edge")["serial"] != since and not ours_of(lab, "edge")["broken"], 5)  # inotify
        assert shown(lab) != before
        assert client.ping()
    finally:
        client.close()


def test_a_broken_pair_leaves_the_old_one(world):
    lab, ours, _, certs = world
    before = shown(lab)
    ours.issue("sip.edge.test", directory=certs + "-new", name="edge")
    shutil.copy(certs + "-new/edge.key", certs + "/edge.key")  # of another certificate
    done = lab.ctl("certificates", "reload", check=False)
    assert done.returncode == 1
    news = {n["name"]: n for n in json.loads(done.stdout)["news"]}
    assert news["edge"]["news"] == "broken" and "edge.key" in news["edge"]["error"]
    assert "edge.key" in alarm(lab, "certificate-files", "edge")["text"] and "edge.key" in ours_of(lab, "edge")["broken"]
    assert shown(lab) == before
    shutil.copy(certs + "-new/edge.crt", certs + "/edge.crt")
    assert lab.ctl("certificates", "reload")["broken"] == 0
    assert alarm(lab, "certificate-files", "edge") is None
    assert shown(lab) != before


def test_near_its_end(world):
    lab, ours, _, certs = world
    ours.issue("sip.other.test", days=1, directory=certs, name="other")
    lab.ctl("certificates", "reload")
    raised = alarm(lab, "certificate-expires", "other")
    assert raised["severity"] == "critical" and "sip.other.test" in raised["text"]
    ours.issue("sip.other.test", days=5, directory=certs, name="other")
    os.kill(lab.daemon_pid(), signal.SIGHUP)
    assert wait_for(lambda: alarm(lab, "certificate-expires", "other")["severity"] == "major", 5)
    ours.issue("sip.other.test", days=50, directory=certs, name="other")
    lab.ctl("certificates", "reload")
    assert alarm(lab, "certificate-expires", "other") is None


@pytest.mark.parametrize("names, days, reason", [
    ((NAME,), {"days": 1, "from_days": -3}, "expired"), (("else.test",), {}, NAME), ((NAME,), {"days": 5, "from_days": 3}, "not valid before"),
    ((), {}, "not vouched for by a known CA"),
], ids=["expired", "another's", "not yet valid", "another authority"])
def test_a_peer_that_cannot_be_verified(world, names, days, reason):
    lab, ours, theirs, _ = world
    with Peer(lab, theirs.issue(*names, name="peer", **days) if names else ours.issue(NAME, name="peer", directory=ours.directory)):
        assert wait_for(lambda: endpoint(lab)["health"] == "down" and reason in endpoint(lab)["reason"], 10), endpoint(lab)
        assert "certificate" in endpoint(lab)["reason"]
        assert wait_for(lambda: reason in (peer_alarm(lab) or {"text": ""})["text"], 5), peer_alarm(lab)
        seen = next(c for c in lab.ctl("certificates")["theirs"] if c["trunk"] == "target1")
        assert not seen["verified"] and seen["refused"] and reason in seen["why"]


def test_a_peer_that_is_verified(world):
    lab, _, theirs, _ = world
    with Peer(lab, theirs.issue(NAME, days=80, name="peer")):
        assert wait_for(lambda: endpoint(lab)["health"] == "up", 10), endpoint(lab)
        assert wait_for(lambda: peer_alarm(lab) is None, 5)
        seen = next(c for c in lab.ctl("certificates")["theirs"] if c["trunk"] == "target1")
        assert seen["verified"] and seen["days_left"] in (79, 80) and seen["names"] == [NAME] and seen["address"] == "10.77.0.21:5061"
        calls_by_another_name(lab)
    with Peer(lab, theirs.issue(NAME, days=3, name="peer")):
        lab.apply(with_tls(lab, {"name": NAME, "minimum_version": "1.3"}))  # a connection anew
        assert wait_for(lambda: "expires on" in (peer_alarm(lab) or {"text": ""})["text"], 5), peer_alarm(lab)
        assert peer_alarm(lab)["severity"] == "major"


def test_a_peer_that_asks_for_ours(world):
    lab, ours, theirs, certs = world
    with Peer(lab, theirs.issue(NAME, days=80, name="peer"), ["verifyChain = yes", f"CAfile = {ours.path}"]) as peer:
        assert wait_for(lambda: endpoint(lab)["health"] == "down", 10), endpoint(lab)
        lab.apply(with_tls(lab, {"name": NAME, "certificate": "other"}))
        assert wait_for(lambda: endpoint(lab)["health"] == "up", 10), endpoint(lab)
        assert ours_of(lab, "other")["trunks"] == ["target1"]
        assert "CN=sip.other.test" in peer.stunnel.log() or "sip.other.test" in peer.stunnel.log()
        serial = ours_of(lab, "other")["serial"]
        ours.issue("sip.other.test", days=70, directory=certs, name="other")
        assert wait_for(lambda: ours_of(lab, "other")["serial"] != serial, 5)
        assert endpoint(lab)["health"] == "up"
    lab.apply(with_tls(lab, {"name": NAME}))


def test_clients_that_must_show_one(world):
    lab, ours, theirs, _ = world
    good, key = theirs.issue("sip:phone.test", days=80, name="phone")
    for options, served in ((("-cert", good, "-key", key), True), ((), False),
                            (tuple(x for pair in zip(("-cert", "-key"), ours.issue("sip:thief.test", name="thief")) for x in pair), False)):
        client = Client(lab, *options, port=5062)
        try:
            assert client.ping() == served, options
        finally:
            client.close()
    assert wait_for(lambda: len([c for c in lab.ctl("certificates")["theirs"] if c["side"] == "client"]) == 3, 5)
    phone, thief = (next(c for c in lab.ctl("certificates")["theirs"] if c.get("names") == [name]) for name in ("sip:phone.test", "sip:thief.test"))
    assert phone["verified"] and phone["server"] == "known" and phone["days_left"] in (79, 80)
    assert not thief["verified"] and thief["refused"] and thief["why"]
    assert not any(a["subject"].startswith("client") for a in lab.ctl("alarms")["raised"])  # strangers raise none


def test_hundreds_of_reloads(world):
    """While a connection lives; what a reload leaves behind would show in the memory of the process."""
    lab, ours, _, certs = world

    def resident():
        """Of the control thread's heap: packet buffers, which are touched as time goes by, lie elsewhere."""
        with open(f"/proc/{lab.daemon_pid()}/smaps", encoding="utf-8") as smaps:
            lines = iter(smaps)
            for line in lines:
                if line.rstrip().endswith("[heap]"):
                    return 1024 * int(next(found for found in lines if found.startswith("Rss:")).split()[1])
        raise AssertionError("no heap")

    def reload(times):
        code = ('import json, socket, sys\n'
                'door = socket.socket(socket.AF_UNIX); door.connect(sys.argv[1]); lines = door.makefile("rw")\n'
                f'for i in range({times}):\n'
                '    print(json.dumps({"jsonrpc": "2.0", "id": i, "method": "certificates.reload"}), file=lines, flush=True)\n'
                '    assert json.loads(lines.readline())["result"]["broken"] == 0\n')
        subprocess.run(["/usr/bin/python3", "-c", code, lab.socket_path], check=True, timeout=60)

    client = Client(lab)
    try:
        assert client.ping()
        reload(750)  # longer than a second: what is retired is released once in each, and the allocator keeps the room of the most that ever waited
        grown = []
        while not grown or grown[-1] >= 3 << 20 and len(grown) < 5:  # how many wait at most is a matter of pace; what is never released grows each time
            before = resident()
            reload(250)
            grown.append(resident() - before)
        assert grown[-1] < 3 << 20, grown
        assert client.ping()
    finally:
        client.close()


def with_tls(lab, tls):
    trunks = lab.ctl("export")["trunks"]
    for trunk in trunks:
        if trunk["name"] == "target1":
            trunk["tls"] = tls
    return {"trunks": trunks}


def calls_by_another_name(lab):
    """Another name is wanted: the next connection is judged by it, with no restart; and back."""
    lab.apply(with_tls(lab, {"name": "else.test"}))
    assert wait_for(lambda: endpoint(lab)["health"] == "down" and "else.test" in endpoint(lab)["reason"], 10), endpoint(lab)
    lab.apply(with_tls(lab, {"name": NAME}))
    assert wait_for(lambda: endpoint(lab)["health"] == "up", 10), endpoint(lab)
    assert next(t for t in lab.ctl("export")["trunks"] if t["name"] == "target1")["tls"] == {"name": NAME}


@pytest.mark.parametrize("tls, why", [
    ({"ca": "/no/such/file"}, "/no/such/file"), ({"certificate": "nobody"}, "no certificate named nobody"), ({"name": "a b"}, "not a host name"),
], ids=["no CA file", "no such certificate", "no name"])
def test_refused_before_it_is_in_force(world, tls, why):
    lab = world[0]
    before = lab.ctl("export")
    for options in ((), ("--dry-run",)):
        done = lab.apply(with_tls(lab, tls), *options, check=False)
        assert done.returncode == 1 and why in done.stderr and ("target1" in done.stderr or "trunks[" in done.stderr), done.stderr
    assert lab.ctl("export") == before


def test_an_endpoint_that_no_listener_reaches(world):
    lab = world[0]
    sections = with_tls(lab, None)
    for trunk in sections["trunks"]:
        trunk.pop("tls", None)
        if trunk["name"] == "target1":
            trunk["endpoints"] = [{"address": "10.77.0.21", "transport": "tcp"}]
    done = lab.apply(sections, check=False)
    assert done.returncode == 1 and "10.77.0.21:5060 of trunk target1: there is no listener for tcp" in done.stderr, done.stderr


def test_sessions_are_resumed_after_a_restart(world, tmp_path):
    lab, ours = world[:2]
    session = str(tmp_path / "session")
    assert "New" in shown(lab, "-tls1_2", "-sess_out", session)
    assert "Reused" in shown(lab, "-tls1_2", "-sess_in", session)
    lab.stop_daemon()
    lab.start_daemon()
    assert "Reused" in shown(lab, "-tls1_2", "-sess_in", session)
    lab.stop_daemon()
    os.unlink(os.path.join(ours.directory, "ticket.keys"))
    lab.start_daemon()
    assert "New" in shown(lab, "-tls1_2", "-sess_in", session)
