# SPDX-License-Identifier: Apache-2.0
#
#   caller: testssl.sh ---- Strowger's TLS listener
#
# What a scanner of TLS servers finds: nothing that it calls worse than low.

import json
import os
import subprocess

import pytest

import tls
from conftest import laboratory
from lab import STROWGER


@pytest.mark.slow
def test_testssl_finds_nothing(tmp_path):
    made = []

    def change(config):
        made.append(tls.prepare(config, str(tmp_path)))
        config["tls"]["handshake_timeout_ms"] = 1000  # it waits for an answer to what is none of TLS's business

    with laboratory("af_packet", 1, change) as lab:
        found = os.path.join(tmp_path, "found.json")
        done = subprocess.run(lab.network.argv("caller", [
            "testssl", "--warnings", "batch", "--color", "0", "--nodns", "none", "--ip", STROWGER[4], "--add-ca", made[0].path, "--jsonfile", found,
            "--connect-timeout", "10", "--openssl-timeout", "10", "-p", "-s", "-U", f"{tls.NAME}:{tls.PORT}"]),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=170)
        with open(found, encoding="utf-8") as file:
            findings = {one["id"]: one for one in json.load(file)}
    assert findings["TLS1_2"]["severity"] == findings["TLS1_3"]["severity"] == "OK", done.stdout[-3000:]
    assert "heartbleed" in findings and "secure_client_renego" in findings, "it went through all of it"
    worse = [f"{one['severity']} {name}: {one['finding']}" for name, one in findings.items()
             if one["severity"] in ("MEDIUM", "HIGH", "CRITICAL")]
    assert not worse
