# SPDX-License-Identifier: Apache-2.0
"""Processes of a lab: what was started is written down, and nothing else is ever ended."""

import json
import os
import select
import signal
import subprocess
import time


def start_ticks(pid):
    """When a process started (field 22 of /proc/PID/stat), None if there is none: with the pid it names one process for ever."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else int(fields[19])


def wait_for(condition, seconds, every=0.02):
    """Waits until condition() is true; returns its last value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(every)


class Processes:
    """Written to a file after each change, so that another program (or a later one) can end them."""

    def __init__(self, path):
        self.path = path
        self.children = {}

    def recorded(self):
        """{name: (pid, start ticks)} of those that still live."""
        try:
            with open(self.path, encoding="utf-8") as file:
                entries = json.load(file)
        except FileNotFoundError:
            return {}
        return {name: (pid, ticks) for name, (pid, ticks) in entries.items() if start_ticks(pid) == ticks}

    def _write(self, entries):
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            json.dump(entries, file)
        os.replace(self.path + ".new", self.path)

    def start(self, name, argv, **kwargs):
        entries = self.recorded()
        if name in entries:
            raise RuntimeError(f"{name} runs already")
        child = subprocess.Popen(argv, start_new_session=True, stdin=subprocess.DEVNULL, **kwargs)
        self.children[name] = child
        entries[name] = (child.pid, start_ticks(child.pid))
        self._write(entries)
        return child

    def pid(self, name):
        return self.recorded().get(name, (None, None))[0]

    def stop(self, name, how=signal.SIGTERM, seconds=5):
        """Asks, waits, then insists. The exit status where it is a child of ours, else None."""
        child = self.children.pop(name, None)
        entries = self.recorded()
        pid, ticks = entries.pop(name, (None, None))
        if pid is not None:
            for attempt in (how, signal.SIGKILL):
                self._send(pid, ticks, attempt)
                if self._gone(pid, ticks, seconds):
                    break
            self._write(entries)
        return child.wait() if child else None

    def stop_all(self, seconds=5):
        entries = self.recorded()
        for pid, ticks in entries.values():
            self._send(pid, ticks, signal.SIGTERM)
        for name in entries:
            self.stop(name, signal.SIGTERM, seconds)

    @staticmethod
    def _send(pid, ticks, number):
        # A pidfd stays with its process: no other that is given the number later can be hit.
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            if start_ticks(pid) == ticks:
                signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            pass
        finally:
            os.close(handle)

    @staticmethod
    def _gone(pid, ticks, seconds):
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return True
        try:
            if start_ticks(pid) != ticks:
                return True
            return bool(select.select([handle], [], [], seconds)[0])
        finally:
            os.close(handle)
