# SPDX-License-Identifier: Apache-2.0
#
#   caller ------------------------ TLS ---- Strowger ---- TLS ---- target1    Kamailio, with SIPp behind it at target3; or baresip
#   Kamailio, with SIPp behind it;
#   or baresip
#
# TLS, and SIP over it, of others: calls go through them in both directions of connecting, and everybody's certificate is verified.

import os

import pytest

import tls
from conftest import laboratory
from lab import NUMBER
from phones import PORT, Baresip, Kamailio, call, calls_behind, hang_up
from processes import wait_for


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder, made = str(tmp_path_factory.mktemp("tls")), []

    def change(config):
        made.append(tls.prepare(config, folder))
        made[0].issue("caller.lab.example")
        tls.over_tls(config, ["target1"])
        config["tls"].update(client_certificates="requested", client_ca=made[0].path)

    with laboratory("af_packet", 2, change) as lab:
        lab.authority = made[0]
        yield lab


def pair(lab, node):
    stem = os.path.join(lab.authority.directory, f"{node}.lab.example")
    return stem + ".crt", stem + ".key"


def test_kamailio_on_both_sides(lab):
    """It connects to Strowger, and Strowger to it; it stays in the route set on both sides: ACK and the callee's BYE find their way."""
    before = lab.counters()
    with Kamailio(lab, "caller", "strowger", tls=(*pair(lab, "caller"), lab.authority.path, tls.NAME)), \
            Kamailio(lab, "target1", "target3", tls=(*pair(lab, "target1"), lab.authority.path, tls.NAME)):
        calls_behind(lab, NUMBER)
    after = lab.counters()
    assert after["calls_ended"] - before["calls_ended"] == 40
    assert after["tls_accepted"] - before["tls_accepted"] >= 1 and after["tls_connected"] - before["tls_connected"] >= 1
    assert after["tls_failed"] == before["tls_failed"]


def test_phones(lab):
    """baresip calls baresip: either hangs up."""
    before = lab.counters()
    with Baresip(lab, "caller", pair=pair(lab, "caller"), ca=lab.authority.path) as caller, \
            Baresip(lab, "target1", user=NUMBER, pair=pair(lab, "target1"), ca=lab.authority.path) as callee:
        for hangs_up in (caller, callee):
            call(caller, callee, f"sip:{NUMBER}@{lab.address('strowger')}:{PORT + 1};transport=tls")
            hang_up(hangs_up, callee if hangs_up is caller else caller)
    assert wait_for(lambda: lab.counters()["calls_ended"] - before["calls_ended"] == 2, 5)
