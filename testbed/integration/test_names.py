# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- Strowger ----+---- target1, target2, target3     where calls to "carrier" go, DNS says
#   10.77.0.10     |         |
#                  +---- stranger: Knot, carrier.test, on port 53; a second one with the same zone, asked over IPv6 on port 5353
#
# Trunks that name a host: what DNS says is followed while calls go on, and remembered when DNS fails.

import time

import pytest

from agent import Agent
from lab import add_profile
from nameserver import NameServer
from processes import wait_for
from trial import Trial

NUMBER = "+442035550900"
NAME = "carrier.test"
SRV = "_sip._udp 1 SRV {} {} {} {}"
HOSTS = ("t1 1 A 10.77.0.21", "t2 1 A 10.77.0.22", "t3 1 A 10.77.0.23", "t4 1 AAAA fd77::21")
AT = {"t1": "10.77.0.21:5060", "t2": "10.77.0.22:5060", "t3": "10.77.0.23:5060"}
FOLLOWED = 8  # seconds; a TTL is one, the rest is for a loaded machine


def configure(config):
    config["resolver"] = {"servers": ["10.77.0.66", "[fd77::66]:5353"], "timeout_ms": 300, "tries": 1, "min_ttl_s": 1}
    config["trunks"].append({"name": "carrier", "endpoints": [{"host": NAME}]})
    add_profile(config, "byname", NUMBER, targets=("carrier",))


def srv(priority, weight, target, port=5060):
    return SRV.format(priority, weight, port, target)


@pytest.fixture(scope="module")
def servers(lab):
    with NameServer(lab, "stranger") as one, NameServer(lab, "stranger", port=5353, name="knot2") as two:
        yield one, two


@pytest.fixture
def zone(lab, servers):
    """zone(lines...): both servers have it, and Strowger asked them."""
    def put(*lines):
        for server in servers:
            server.put(*lines, *HOSTS)
        lab.ctl("resolve", NAME, "--now")

    put(srv(10, 1, "t1"))
    assert wait_endpoints(lab, {"t1": (10, 1)})
    yield put
    for server in servers:
        if not lab.processes.pid(server.name):
            server.start()
    use(lab, {"host": NAME})


def use(lab, *endpoints, **more):
    """The endpoints of the trunk, as the operator writes them."""
    trunks = lab.ctl("export")["trunks"]
    for trunk in trunks:
        if trunk["name"] == "carrier":
            trunk["endpoints"] = list(endpoints)
            trunk.update(more)
    return lab.apply({"trunks": trunks})


def endpoints(lab):
    """{"10.77.0.21:5060": (priority, weight)} as calls use them."""
    return {e["address"]: (e["priority"], e["weight"]) for e in lab.targets()["byname/carrier"]["endpoints"]}


def wait_endpoints(lab, expected, seconds=FOLLOWED):
    expected = {AT.get(name, name): value for name, value in expected.items()}
    return wait_for(lambda: endpoints(lab) == expected, seconds, every=0.05)


def followed(lab, name=NAME):
    return lab.ctl("resolve", name)[0]


def wait_state(lab, state, seconds=FOLLOWED):
    assert wait_for(lambda: followed(lab)["state"] == state, seconds, every=0.05), followed(lab)
    return followed(lab)


def alarm(lab, kind):
    return [a for a in lab.ctl("alarms")["raised"] if a["kind"] == kind and a["subject"] == NAME]


def test_what_the_operator_sees(lab, zone):
    told = followed(lab)
    assert (told["state"], told["left_out"]) == ("ok", 0)
    assert told["endpoints"] == [{"address": AT["t1"], "transport": "udp", "priority": 10, "weight": 1,
                                  "target": "t1.carrier.test"}]
    assert {(k["name"], k["type"], *k["records"]) for k in told["lookups"]} == {
        ("carrier.test", "NAPTR"), ("_sip._udp.carrier.test", "SRV", "10 1 5060 t1.carrier.test"),
        ("t1.carrier.test", "A", "10.77.0.21"), ("t1.carrier.test", "AAAA")}
    exported = [t for t in lab.ctl("export")["trunks"] if t["name"] == "carrier"]
    assert exported[0]["endpoints"] == [{"host": NAME, "priority": 0, "weight": 100}]
    text = lab.ctl("resolve", text=True).stdout
    assert "_sip._udp.carrier.test  SRV" in text and "10 1 5060 t1.carrier.test" in text
    status = lab.ctl("status")["resolver"]
    assert (status["names"], status["ok"], status["stale"]) == (1, 1, 0) and status["answered"] >= 4
    row = lab.targets()["byname/carrier"]["endpoints"][0]
    assert (row["name"], row["target"]) == (NAME, "t1.carrier.test")
    done = lab.ctl("resolve", "other.test", check=False)
    assert done.returncode == 1 and "no trunk names other.test" in done.stderr


def test_the_request_uri_keeps_the_name(lab, zone):
    with Trial(lab, target1="uas") as trial:
        trial.call(number=NUMBER)
    assert trial.to("target1", "INVITE")[0].first == f"INVITE sip:{NUMBER}@carrier.test SIP/2.0"


def test_tiers_and_weights(lab, zone):
    zone(srv(10, 30, "t1"), srv(10, 10, "t2"), srv(20, 0, "t3"))
    assert wait_endpoints(lab, {"t1": (10, 30), "t2": (10, 10), "t3": (20, 0)})
    with Trial(lab, target1="uas", target2="uas", target3="uas") as trial:
        trial.call(120, rate=200, number=NUMBER)
    invited = trial.ledger.invited()
    assert invited["target3"] == 0
    assert 70 <= invited["target1"] <= 108, invited  # 90 of 120, four standard deviations
    with Trial(lab, target3="uas") as trial:  # the first tier is not there
        trial.call(20, rate=50, number=NUMBER)
    assert trial.ledger.invited()["target3"] == 20
    lab.wait_usable()


def test_records_change_under_traffic(lab, zone):
    steps = (
        {"t1": (10, 1), "t2": (10, 1)},
        {"t1": (10, 1), "t2": (10, 9)},
        {"t2": (10, 9), "t3": (10, 9)},
        {"t3": (5, 1), "t2": (10, 9)},
        {"t3": (5, 1)},
    )
    slots = []
    with Trial(lab, target1="uas_ring", target2="uas_ring", target3="uas_ring", ring_ms=200) as trial:
        caller = trial.start(1500, rate=150, number=NUMBER, seconds=60)
        for step in steps:
            zone(*(srv(priority, weight, name) for name, (priority, weight) in step.items()))
            assert wait_endpoints(lab, step), (endpoints(lab), step)
            slots.append(caller.created)
        settled = len(trial.lab.ctl("calls", "--limit", 1000))
        assert caller.running() and settled
        quiet = time.time()
        trial.finish(caller, 60)
    assert len(trial.ledger.calls) == 1500
    assert all(call.completed for call in trial.ledger.calls.values())
    late = {m.destination[0] for m in trial.messages if m.is_request and m.method == "INVITE" and m.when > quiet + 0.5
            and m.source[0] == "10.77.0.1"}
    assert late == {"10.77.0.23"}


def test_a_change_leaves_other_endpoints_alone(lab, zone):
    zone(srv(10, 1, "t1"), srv(20, 1, "t2"))
    assert wait_endpoints(lab, {"t1": (10, 1), "t2": (20, 1)})
    use(lab, {"host": NAME}, probe={"enabled": True, "interval_ms": 100, "timeout_ms": 300, "down_after": 1})
    with Agent(lab, "target1") as peer:
        def row():
            return next(e for e in lab.targets()["byname/carrier"]["endpoints"] if e["address"] == AT["t1"])

        def answered():
            message = peer.request_in("OPTIONS", 0.2)
            if message:
                peer.reply(message, 200, tag="o")
            return row()["health"] == "up"

        assert wait_for(answered, 8)
        before = row()
        zone(srv(10, 7, "t1"), srv(20, 1, "t3"))
        assert wait_endpoints(lab, {"t1": (10, 7), "t3": (20, 1)})
        after = row()
    assert after["since"] == before["since"] and after["probes_sent"] >= before["probes_sent"]
    use(lab, {"host": NAME}, probe={"enabled": False})


def test_a_call_outlives_its_endpoint(lab, zone):
    """The peer that left DNS hangs up: nothing in `sources` says that it may speak."""
    with Agent(lab, "caller", port=5997) as caller, Agent(lab, "target1") as peer:
        caller.send(caller.request("INVITE", f"sip:{NUMBER}@10.77.0.1"))
        invite = peer.request_in("INVITE")
        peer.reply(invite, 200, tag="p", extra=[f"Record-Route: {invite.header('record-route')}"])
        answer = caller.final()
        assert answer.status == 200
        zone(srv(10, 1, "t2"))
        assert wait_endpoints(lab, {"t2": (10, 1)})
        route = invite.header("record-route").strip()
        peer.send(peer.request("BYE", f"sip:caller@{caller.where}", to=invite.header("from"), to_tag=None,
                               call_id=invite.call_id, from_tag="p", cseq=1, extra=[f"Route: {route}"]))
        bye = caller.request_in("BYE")
        assert bye and bye.call_id == invite.call_id


def test_another_name_while_dns_is_silent(lab, servers, zone):
    """The operator moves the trunk to a name that nobody can find now: no call notices, nor those that are up where it was."""
    with Trial(lab, target1="uas", target2="uas") as trial:
        caller = trial.start(400, rate=100, scenario="uac_hold", number=NUMBER, options=["-d", 2000])
        assert wait_for(lambda: lab.ctl("calls", "--limit", 1), 5)
        for server in servers:
            server.freeze()
        try:
            use(lab, {"host": "t2.carrier.test", "port": 5060})
            assert wait_for(lambda: followed(lab, "t2.carrier.test")["state"] == "failed", FOLLOWED)
            assert list(endpoints(lab)) == [AT["t1"]]
        finally:
            for server in servers:
                server.thaw()
        assert wait_for(lambda: list(endpoints(lab)) == [AT["t2"]], FOLLOWED)
        trial.finish(caller)
    assert trial.to("target1", "BYE") and trial.to("target2", "INVITE")


def test_ttls_are_followed_one_by_one(lab, servers, zone):
    hosts = ("t1 60 A 10.77.0.21", "t2 60 A 10.77.0.22")
    for server in servers:
        server.put(srv(10, 1, "t1"), *hosts)
    lab.ctl("resolve", NAME, "--now")
    for server in servers:
        server.put(srv(10, 1, "t2"), *hosts)
    began = time.monotonic()
    assert wait_endpoints(lab, {"t2": (10, 1)})  # nobody asked for it: the TTL of the SRV record is 1 s
    print(f"a changed SRV record was in use after {time.monotonic() - began:.2f} s")
    assert wait_for(lambda: followed(lab)["refresh_s"] > 0, 2)
    left = {k["type"]: k["ttl_left_s"] for k in followed(lab)["lookups"] if k["records"]}
    assert left["SRV"] <= 1 < 50 < left["A"]


def test_name_servers_die_one_after_the_other(lab, servers, zone):
    zone(srv(10, 1, "t1"), srv(20, 1, "t2"))
    assert wait_endpoints(lab, {"t1": (10, 1), "t2": (20, 1)})
    with Trial(lab, target1="uas", target2="uas") as trial:
        caller = trial.start(900, rate=150, number=NUMBER)
        servers[0].freeze()
        good = followed(lab)["good"]
        assert wait_for(lambda: followed(lab)["good"] > good, FOLLOWED, every=0.05), "the second server answers"
        servers[0].thaw()
        for server in servers:
            server.kill()
        told = wait_state(lab, "stale")
        assert len(told["endpoints"]) == 2 and told["why"]
        assert wait_for(lambda: alarm(lab, "dns-stale"), 5)
        trial.finish(caller)
    assert all(call.completed for call in trial.ledger.calls.values()) and len(trial.ledger.calls) == 900
    for server in servers:
        server.start()
    wait_state(lab, "ok", 45)  # the pause between two tries grows to 30 s
    assert not alarm(lab, "dns-stale")


def test_sixty_records(lab, servers, zone):
    """More than fits in a datagram: asked again over TCP."""
    ports = range(6000, 6060)
    zone(*(srv(10 + port % 3, port % 7, "t1", port) for port in ports))
    assert wait_endpoints(lab, {f"10.77.0.21:{port}": (10 + port % 3, port % 7) for port in ports})
    zone(*(srv(10, 1, "t1", port) for port in range(6000, 6070)))
    assert wait_for(lambda: len(endpoints(lab)) == 64 and followed(lab)["left_out"] == 6, FOLLOWED)


@pytest.mark.parametrize("lines, expected", [
    (("_sip._udp 1 CNAME else", "else 1 SRV 3 4 5060 alias", "alias 1 CNAME t2"), {"t2": (3, 4)}),
    (('@ 1 NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp', '@ 1 NAPTR 20 10 "s" "SIP+D2U" "" other',
      "other 1 SRV 1 1 5060 t3", "_sip._udp 1 SRV 9 9 5060 t1"), {"t3": (1, 1)}),
    (("@ 1 A 10.77.0.22",), {"t2": (0, 100)}),
    ((srv(1, 50, "t4"),), {"[fd77::21]:5060": (1, 50)}),
], ids=["CNAME", "NAPTR", "A", "IPv6"])
def test_ways_through_dns(lab, zone, lines, expected):
    zone(*lines)
    assert wait_endpoints(lab, expected), followed(lab)


def test_ipv6_gets_calls(lab, zone):
    zone(srv(1, 1, "t4"))
    assert wait_endpoints(lab, {"[fd77::21]:5060": (1, 1)})
    with Agent(lab, "caller", port=5996) as caller, Agent(lab, "target1", family=6) as peer:
        caller.send(caller.request("INVITE", f"sip:{NUMBER}@10.77.0.1"))
        invite = peer.request_in("INVITE")
        assert invite and invite.source[0] == "fd77::1"
        peer.reply(invite, 486, "Busy Here", tag="b")
        assert caller.final().status == 486


@pytest.mark.parametrize("lines, why", [
    (("_sip._udp 1 SRV 0 0 0 .",), "the service is not offered"),
    ((), "no address"),
    (('@ 1 NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp',), "only transports for which there is no listener"),
], ids=["not offered", "no such name", "TLS only"])
def test_nothing_there(lab, zone, lines, why):
    zone(*lines)
    assert wait_endpoints(lab, {})
    assert why in wait_state(lab, "none")["why"]
    assert wait_for(lambda: alarm(lab, "dns-empty"), 5)
    assert lab.targets()["byname/carrier"]["state"] == "empty"
    with Agent(lab, "caller", port=5995) as caller:
        caller.send(caller.request("INVITE", f"sip:{NUMBER}@10.77.0.1"))
        assert caller.final().status == 500
    zone(srv(10, 1, "t1"))
    assert wait_endpoints(lab, {"t1": (10, 1)})
    assert wait_for(lambda: not alarm(lab, "dns-empty"), 5)


def test_a_name_that_is_made_later(lab, servers, zone):
    """"There is none" holds as long as the SOA says: two seconds."""
    zone()
    wait_state(lab, "none")
    for server in servers:
        server.put(srv(10, 1, "t2"), *HOSTS)
    assert wait_endpoints(lab, {"t2": (10, 1)})


def test_priority_and_weight_of_the_operator(lab, zone):
    zone(srv(10, 60, "t1"), srv(20, 7, "t2"))
    use(lab, {"host": NAME, "priority": 5, "weight": 50}, {"address": "10.77.0.23", "priority": 100, "weight": 1})
    assert wait_endpoints(lab, {"t1": (15, 30), "t2": (25, 4), "t3": (100, 1)})
    applied = use(lab, {"host": NAME, "priority": 6, "weight": 50})
    assert sorted(change["text"] for change in applied["changes"]) == [
        "- endpoint carrier/10.77.0.23:5060", "~ endpoint carrier/carrier.test: priority/weight 5/50 → 6/50"]
    assert wait_endpoints(lab, {"t1": (16, 30), "t2": (26, 4)})
