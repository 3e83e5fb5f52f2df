# SPDX-License-Identifier: Apache-2.0
"""Whole-appliance tests: each file has a laboratory of its own, made once.

A file may define LAB = {"driver": ..., "workers": ...} and configure(config), which changes the laboratory's configuration."""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

from lab import Lab, configuration  # noqa: E402


@pytest.fixture(scope="module")
def lab(request):
    settings = {"driver": "af_packet", "workers": 1, **getattr(request.module, "LAB", {})}
    lab = Lab(f"test{os.getpid()}")
    lab.down()
    config = configuration(lab, settings["driver"], settings["workers"], strategy="failover")
    config["drain_timeout_s"] = 1
    getattr(request.module, "configure", lambda config: None)(config)
    lab.up(settings["driver"], settings["workers"], config)
    first = lab.daemon_pid()
    yield lab
    alive = lab.daemon_pid() == first or getattr(request.module, "RESTARTS", False)
    status = lab.stop_daemon()
    words = lab.log_tail()
    lab.down()
    assert alive, f"strowgerd died during the tests:\n{words}"
    assert status == 0, f"strowgerd ended with {status}:\n{words}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    lab = getattr(item, "funcargs", {}).get("lab")
    if report.failed and lab:
        report.sections.append(("strowgerd's log", lab.log_tail()))
