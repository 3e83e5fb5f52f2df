# SPDX-License-Identifier: Apache-2.0
"""The generator's end of the cable as a host of its own would have it.

Over a veth pair the kernel does a receiver's work where the sender sends: behind the sender's system call, on its core, in its time. Of two machines each
receives for itself. So the generator's device gets a kernel thread for what it receives (threaded NAPI) on the generator's core, before all else there as
an interrupt is, and looks after its queue every 100 us as a network card does that holds back interrupts. Both proxies meet the same.

What the proxies receive stays as veth has it, in the generator's time: for Kamailio that is Ethernet, IP, UDP and its socket, for Strowger the XDP program
and a copy. With the same thread on the proxies' side Kamailio lost messages at 30,000 INVITE/s, which it did not without (short runs, on busy cores)."""

import os
import subprocess

MODERATION_US = 100


def threads(device):
    """Kernel threads that receive for devices of this name, in whichever namespace."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm", encoding="ascii", errors="replace") as file:
                if file.read().startswith(f"napi/{device}-"):
                    found.add(int(pid))
        except OSError:
            pass
    return found


def run_ns(pids):
    """Time on a CPU that these threads have had so far."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total


def core_share(busy, receiving):
    """What of the core has work. busy: of turns of the generator that had some, by the clock, so that it holds what the threads took out of them;
    receiving: theirs, of the whole time, which falls on turns with work and without alike."""
    return busy * (1 - receiving) + receiving


def _set(inside, device, **values):
    """Attributes of a device, in its namespace; whether they could be set."""
    words = " && ".join(f"echo {value} > /sys/class/net/{device}/{name}" for name, value in values.items())
    return subprocess.run([*inside, "sh", "-c", words], capture_output=True, check=False).returncode == 0


def receives_itself(inside, device, core, others):
    """A device that has its queue receives on this core from now on, by the threads that are returned; none: this kernel cannot do that, and all is as before.
    inside: what goes before a command that is to run in its namespace; others: threads that were there before this one had a queue."""
    if not _set(inside, device, threaded=1):
        return set()
    own = threads(device) - others
    for pid in own:
        subprocess.run(["taskset", "-pc", str(core), str(pid)], capture_output=True, check=False)
        subprocess.run(["chrt", "-f", "-p", "50", str(pid)], capture_output=True, check=False)
    return own if _set(inside, device, napi_defer_hard_irqs=2, gro_flush_timeout=MODERATION_US * 1000) else set()
