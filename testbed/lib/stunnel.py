# SPDX-License-Identifier: Apache-2.0
"""stunnel in a node of the lab: TLS for peers that have none, SIPp among them."""

import os

from processes import wait_for


class Stunnel:
    """Either side of TLS.

    Stunnel(lab, "target1", accept="10.77.0.21:5061", connect="10.77.0.21:5060", cert=(chain, key)) is a TLS server in front of a TCP one;
    Stunnel(lab, "caller", accept="127.0.0.1:5070", connect="10.77.0.1:5061", client=True) a TLS client behind a TCP one. options: further lines of its
    configuration."""

    def __init__(self, lab, node, accept, connect, client=False, cert=None, name=None, options=()):
        self.lab, self.name = lab, name or f"stunnel-{node}"
        directory = os.path.join(lab.directory, self.name)
        os.makedirs(directory, exist_ok=True)
        path = os.path.join(directory, "stunnel.conf")
        self.log_path = os.path.join(directory, "stunnel.log")
        lines = ["foreground = quiet", "pid =", "debug = notice", f"output = {self.log_path}", "socket = l:TCP_NODELAY=1", "socket = r:TCP_NODELAY=1", "[sip]",
                 f"client = {'yes' if client else 'no'}", f"accept = {accept}", f"connect = {connect}"]
        if cert:
            lines += [f"cert = {cert[0]}", f"key = {cert[1]}"]
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join([*lines, *options]) + "\n")
        open(self.log_path, "w", encoding="utf-8").close()
        self.process = lab.processes.start(self.name, lab.network.argv(node, ["stunnel4", path]))
        if not wait_for(lambda: self._listens(int(accept.rpartition(":")[2])), 10):
            self.stop()
            raise RuntimeError(f"{self.name} does not listen:\n{self.log()}")

    def _listens(self, port):
        try:
            with open(f"/proc/{self.process.pid}/net/tcp", encoding="ascii") as table:
                return any(f":{port:04X} 00000000:0000 0A" in line for line in table)
        except (FileNotFoundError, ProcessLookupError):
            return False

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def stop(self):
        self.lab.processes.stop(self.name)
