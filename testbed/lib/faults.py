# SPDX-License-Identifier: Apache-2.0
"""Ways in which a target fails while calls are coming, and how each is mended."""

import os
import signal

from sipp import Sipp

PORT, OTHER_PORT = 5060, 5070


class Fault:
    """A target that is well until begin(), and again after end()."""

    silent = False          # nothing comes back: calls wait for their response timeout
    probes_find_it = True   # OPTIONS meets the same

    def __init__(self, lab, node, ring_ms):
        self.lab, self.node, self.ring_ms = lab, node, ring_ms
        self.server = None

    def serve(self):
        self.server = Sipp(self.lab, self.node, "uas_probed", options=["-d", self.ring_ms])

    def servers(self):
        return [self.server]

    def begin(self):
        raise NotImplementedError

    def end(self):
        raise NotImplementedError


class Frozen(Fault):
    """SIGSTOP: its socket takes what comes, and nobody reads it."""
    silent = True

    def begin(self):
        os.kill(self.server.pid, signal.SIGSTOP)

    def end(self):
        os.kill(self.server.pid, signal.SIGCONT)


class Killed(Fault):
    """SIGKILL: its host answers that nobody listens there."""

    def begin(self):
        self.server.kill()

    def end(self):
        self.serve()


class CutOff(Fault):
    """Nothing gets there and nothing comes from there."""
    silent = True

    def begin(self):
        self.lab.network.nft(self.node, """
            table inet fault {
                chain in { type filter hook input priority 0; policy drop; }
                chain out { type filter hook output priority 0; policy drop; }
            }
            """)

    def end(self):
        self.lab.network.nft(self.node, "delete table inet fault\n")


class Refusing(Fault):
    """503 to requests that begin with one of the words. A second process at the same address and another port answers them: nftables leads them
    there, packet by packet, so that the calls that are up go on with the first."""
    words = ("INVITE", "OPTION")

    def serve(self):
        super().serve()
        self.other = Sipp(self.lab, self.node, "uas_refuses", port=OTHER_PORT)

    def servers(self):
        return [self.server, self.other]

    def begin(self):
        # The first six bytes of the datagram's payload, 64 bits into the transport header.
        lines = "\n".join(f"udp dport {PORT} @th,64,48 0x{word.encode().hex()} udp dport set {OTHER_PORT}" for word in self.words)
        self.lab.network.nft(self.node, f"""
            table ip fault {{
                chain in {{ type filter hook prerouting priority -300; {lines}
                }}
                chain out {{ type filter hook output priority -300; udp sport {OTHER_PORT} udp sport set {PORT}
                }}
            }}
            """)

    def end(self):
        self.lab.network.nft(self.node, "delete table ip fault\n")


class RefusingBehindOptions(Refusing):
    """503 to INVITE, and still 200 to OPTIONS: probes see nothing of it."""
    words = ("INVITE",)
    probes_find_it = False


FAULTS = {"frozen": Frozen, "killed": Killed, "cut-off": CutOff, "503": Refusing, "503-to-calls-only": RefusingBehindOptions}
