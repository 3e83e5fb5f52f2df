# SPDX-License-Identifier: Apache-2.0
"""Whole-appliance tests: each file has a laboratory of its own, made once.

A file may define LAB = {"driver": ..., "workers": ...}, configure(config), which changes the laboratory's configuration, and
RESTARTS = True where it stops or kills strowgerd on purpose."""

import os
import sys
from contextlib import contextmanager

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

from lab import Lab, configuration  # noqa: E402


@contextmanager
def laboratory(driver="af_packet", workers=1, change=lambda config: None, restarts=False, strategy="failover"):
    """A laboratory for some tests; at their end strowgerd must be the one that was started, and stop when told to."""
    lab = Lab(f"test{os.getpid()}")
    lab.down()
    config = configuration(lab, driver, workers, strategy)
    config["drain_timeout_s"] = 1
    change(config)
    try:
        lab.up(driver, workers, config)
        first = lab.daemon_pid()
        yield lab
        alive = restarts or lab.daemon_pid() == first
        status = lab.stop_daemon()
        assert alive, f"strowgerd died during the tests:\n{lab.log_tail()}"
        assert status == 0, f"strowgerd ended with {status}:\n{lab.log_tail()}"
    finally:
        lab.down()


@pytest.fixture(scope="module")
def lab(request):
    module = request.module
    with laboratory(**getattr(module, "LAB", {}), change=getattr(module, "configure", lambda config: None),
                    restarts=getattr(module, "RESTARTS", False)) as lab:
        yield lab


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    lab = getattr(item, "funcargs", {}).get("lab")
    if report.failed and lab:
        report.sections.append(("strowgerd's log", lab.log_tail()))
