# SPDX-License-Identifier: Apache-2.0
"""A small live picture of where calls go: redrawn in place on a terminal, a line a second elsewhere."""

import os
import sys
import time


class Picture:
    WIDTH = 40

    def __init__(self, calls, stream=sys.stdout):
        self.calls, self.stream = calls, stream
        self.live = stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.lines = 0
        self.last = 0.0

    def draw(self, status, targets, note="", last=False):
        """status: strowgerd's status; targets: {name: row of strowgerctl targets}."""
        now = time.monotonic()
        if not last and now - self.last < (0.2 if self.live else 1.0):
            return
        self.last = now
        calls = status["calls"]
        head = (f"{calls['started']:>6} of {self.calls} calls, {calls['live']} up, "
                f"{calls['answered']} answered, {calls['rescued']} rescued  {note}").rstrip()
        if not self.live:
            rows = "  ".join(f"{name} {row['attempts']}" for name, row in targets.items())
            self._write([f"{head}  |  {rows}"])
            return
        if self.lines:
            self.stream.write(f"\x1b[{self.lines}F\x1b[J")
        most = max(1, *(row["attempts"] for row in targets.values()))
        lines = [head]
        for name, row in targets.items():
            bar = "#" * round(self.WIDTH * row["attempts"] / most)
            lines.append(f"  {name:<8} {bar:<{self.WIDTH}} {row['attempts']:>6} tried {row['answered']:>6} answered "
                         f"{row['ringing']:>4} ringing {row['live']:>4} up  {row['state']}")
        self._write(lines)
        self.lines = len(lines)

    def _write(self, lines):
        self.stream.write("\n".join(lines) + "\n")
        self.stream.flush()
