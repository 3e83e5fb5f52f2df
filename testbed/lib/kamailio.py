# SPDX-License-Identifier: Apache-2.0
"""Kamailio inside the lab's nodes, as a peer: it answers OPTIONS as most installations of it do, and every INVITE with 480."""

import os
import shutil

from processes import wait_for

CONFIGURATION = """#!KAMAILIO
debug=-1
log_stderror=yes
children=1
disable_tcp={disable_tcp}
auto_aliases=no
dns=no
rev_dns=no
listen={transport}:{address}:5060
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "siputils.so"
request_route {{
	if (!mf_process_maxfwd_header("70")) {{
		sl_send_reply("483", "Too Many Hops");
		exit;
	}}
	if (method == "OPTIONS") {{
		sl_send_reply("200", "Keepalive");
		exit;
	}}
	if (method == "INVITE")
		sl_send_reply("480", "Nobody");
	exit;
}}
"""


class Kamailio:
    """One Kamailio at a node's address, until it is stopped."""

    def __init__(self, lab, node, transport="udp"):
        self.lab, self.transport, self.name = lab, transport, f"kamailio-{node}"
        folder = os.path.join(lab.directory, self.name)
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, "kamailio.cfg")
        with open(path, "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(address=lab.address(node), transport=transport, disable_tcp="yes" if transport == "udp" else "no"))
        argv = [shutil.which("kamailio") or "/usr/sbin/kamailio", "-DD", "-E", "-m", "32", "-M", "8", "-Y", folder, "-f", path]
        self.log = os.path.join(folder, "log")
        with open(self.log, "w", encoding="utf-8") as log:
            self.child = lab.processes.start(self.name, lab.network.argv(node, argv), stdout=log, stderr=log, cwd=folder)
        if not wait_for(lambda: self.child.poll() is not None or self._bound(), 20) or self.child.poll() is not None:
            raise RuntimeError(f"{self.name} does not listen: see {self.log}")

    def _bound(self):
        try:
            with open(f"/proc/{self.child.pid}/net/{self.transport}", encoding="ascii") as file:
                return any(":13C4 " in line for line in file)
        except (FileNotFoundError, ProcessLookupError):
            return False

    def stop(self):
        self.lab.processes.stop(self.name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
