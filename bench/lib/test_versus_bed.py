# SPDX-License-Identifier: Apache-2.0
"""How the proxies beside each other are configured: what a full run asks of them must not end at a bound that quick ones do not see."""

import unittest
from types import SimpleNamespace

from versus_bed import Strowger
from versus_handshakes import SESSIONS


class Configured(unittest.TestCase):
    def test_one_caller_may_have_all_the_sessions(self):
        strowger = Strowger.__new__(Strowger)
        strowger.bed = SimpleNamespace(proxy_core=0, us="10.78.0.1", prefix=24, callers="10.78.0.10/32", targets=["10.78.0.21"], numbers=[], certificates={"home": "/"})
        strowger.driver, strowger.transport, strowger.connections, strowger.socket = "af_xdp", "tls", SESSIONS + 1024, "/control.sock"
        limits = strowger._configuration("spin", 1000, 64)["limits"]
        self.assertGreaterEqual(limits["connections_per_source"], SESSIONS)


if __name__ == "__main__":
    unittest.main()
