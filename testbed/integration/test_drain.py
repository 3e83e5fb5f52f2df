# SPDX-License-Identifier: Apache-2.0
#
#   caller ---- Strowger ---- target1        strowgerd is asked to stop, or dies, while calls are up
#
# SIGTERM lets live calls end and refuses new ones; a restart leaves dialogs whole; a SIGKILL leaves nothing in the way.

import signal
import time

import yaml

from agent import Agent
from lab import NUMBER
from processes import wait_for
from trial import Trial

RESTARTS = True


def configure(config):
    config["drain_timeout_s"] = 8


def test_drain_on_and_off(lab):
    with Trial(lab, target1="uas") as trial, Agent(lab, "caller", port=5999) as caller:
        lab.ctl("drain", "on")
        assert lab.ctl("status")["state"] == "draining"
        caller.send(caller.request("INVITE", f"sip:{NUMBER}@10.77.0.1"))
        final = caller.final()
        assert final.status == 503 and int(final.header("retry-after").split(";")[0].split("(")[0]) > 0
        lab.ctl("drain", "off")
        assert lab.ctl("status")["state"] == "running"
        trial.call(3)


def test_sigterm_lets_calls_end(lab):
    daemon = lab.processes.children["strowgerd"]
    before = lab.counters()["calls_answered"]
    with Trial(lab, target1="uas") as trial, Agent(lab, "caller", port=5999) as late:
        caller = trial.start(20, rate=100, scenario="uac_hold", options=["-d", 2000])
        assert lab.wait_counter("calls_answered", before + 20)
        begin = time.monotonic()
        daemon.send_signal(signal.SIGTERM)
        assert wait_for(lambda: lab.ctl("status")["state"] == "draining", 5)
        late.send(late.request("INVITE", f"sip:{NUMBER}@10.77.0.1"))
        assert late.final().status == 503
        trial.finish(caller)
        assert daemon.wait(8) == 0
        assert 1 < time.monotonic() - begin < 6, "it stops when the last call has ended, not when the time is up"
    assert all(call.completed for call in trial.ledger.calls.values() if call.answered)
    lab.start_daemon()


def test_sigterm_is_patient_but_not_for_ever(lab):
    with open(lab.config_path, encoding="utf-8") as file:
        config = yaml.safe_load(file)
    lab.stop_daemon()
    lab.write_configuration({**config, "drain_timeout_s": 1})
    lab.start_daemon()
    daemon = lab.processes.children["strowgerd"]
    with Trial(lab, target1="uas") as trial:
        trial.start(1, scenario="uac_hold", options=["-d", 20000])
        assert lab.wait_counter("calls_answered", 1)
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(5) == 0
    lab.write_configuration(config)
    lab.start_daemon()


def test_dialogs_survive_a_restart(lab):
    """The token's key is kept, so a new strowgerd routes the BYE of a call that it has never seen."""
    with Trial(lab, target1="uas") as trial:
        caller = trial.start(10, rate=100, scenario="uac_hold", options=["-d", 3000])
        assert lab.wait_counter("calls_answered", 10)
        lab.processes.stop("strowgerd", signal.SIGKILL)
        lab.start_daemon()
        trial.finish(caller)
    assert all(call.completed for call in trial.ledger.calls.values())
    assert lab.counters()["in_dialog_forwarded"] >= 10


def test_after_a_sigkill_it_starts_again(lab):
    """Neither the port, the kernel interface, the socket nor an XDP program of the dead one is in the way."""
    lab.processes.stop("strowgerd", signal.SIGKILL)
    assert wait_for(lambda: lab.daemon_pid() is None, 2)
    lab.start_daemon()
    with Trial(lab, target1="uas") as trial:
        trial.call(3)
    assert "10.77.0.1/24" in lab.network.run("strowger", ["ip", "addr", "show", "dev", "sip0"])
