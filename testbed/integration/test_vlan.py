# SPDX-License-Identifier: Apache-2.0
#
#   caller --- eth0.77 --- (tag 77 on the wire) --- port0 [ Strowger ] --- (tag 77) --- eth0.77 --- target1
#   10.78.0.10                                      10.78.0.1                                      10.78.0.21
#
# A port that belongs to a VLAN: frames come and go with its tag, for the kernel's part too; others are not ours.

import pytest

from agent import Agent
from lab import NUMBER

VLAN = 77


def moved(value):
    """The same configuration in 10.78.0.0/24 and fd78::/64."""
    if isinstance(value, dict):
        return {key: moved(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [moved(inner) for inner in value]
    return value.replace("10.77.", "10.78.").replace("fd77::", "fd78::") if isinstance(value, str) else value


def configure(config):
    config.update(moved({key: config[key] for key in ("ports", "listeners", "trunks")}))
    config["ports"][0]["vlan"] = VLAN


@pytest.fixture(scope="module")
def tagged(lab):
    for node, last in (("caller", 10), ("target1", 21)):
        for words in (f"link add link eth0 name eth0.{VLAN} type vlan id {VLAN}", f"link set eth0.{VLAN} up",
                      f"addr add 10.78.0.{last}/24 dev eth0.{VLAN}", f"addr add fd78::{last}/64 dev eth0.{VLAN} nodad"):
            lab.network.run(node, ["ip", *words.split()])
    return lab


@pytest.mark.parametrize("address", ["10.78.0.1", "fd78::1"])
def test_ping(tagged, address):
    words = tagged.network.run("caller", ["ping", "-c", "3", "-i", "0.05", "-W", "1", address])
    assert " 0% packet loss" in words and "DUP" not in words, words


def test_call(tagged):
    with Agent(tagged, "caller", address="10.78.0.10") as caller, Agent(tagged, "target1", address="10.78.0.21") as target:
        caller.strowger = ("10.78.0.1", 5060)
        caller.send(caller.request("INVITE", f"sip:{NUMBER}@10.78.0.1"))
        invite = target.request_in()
        assert invite
        target.reply(invite, 486, "Busy Here", tag="t")
        assert target.request_in("ACK")
        assert caller.final().status == 486


def test_without_the_tag_it_is_not_for_us(tagged):
    """SIP to Strowger's own MAC, but on the untagged network: nobody answers."""
    before = tagged.counters()["sip_requests"]
    tagged.network.run("caller", ["ip", "neigh", "replace", "10.77.0.1", "lladdr", mac(tagged), "dev", "eth0"])
    with Agent(tagged, "caller", port=5098) as caller:
        caller.send(caller.request("OPTIONS", "sip:10.77.0.1"))
        assert not caller.receive(0.3)
    assert tagged.counters()["sip_requests"] == before


def mac(lab):
    words = lab.network.run("strowger", ["ip", "-o", "link", "show", "port0"]).split()
    return words[words.index("link/ether") + 1]
