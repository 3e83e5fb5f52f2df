# SPDX-License-Identifier: Apache-2.0
"""The control socket, spoken directly: JSON-RPC 2.0, one object per line each way."""

import json
import socket


class ControlError(Exception):
    def __init__(self, error):
        super().__init__(error.get("message", str(error)))
        self.code = error.get("code")


class Control:
    def __init__(self, path, seconds=10):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(seconds)
        self.socket.connect(path)
        self.file = self.socket.makefile("rwb")
        self.serial = 0

    def exchange(self, line):
        """One raw line there, one parsed answer back; None: the daemon hung up."""
        self.file.write(line + b"\n")
        self.file.flush()
        answer = self.file.readline()
        return json.loads(answer) if answer else None

    def call(self, method, **params):
        self.serial += 1
        answer = self.exchange(json.dumps({"jsonrpc": "2.0", "id": self.serial, "method": method,
                                           "params": params}).encode())
        if answer is None:
            raise ControlError({"message": "the daemon hung up"})
        if "error" in answer:
            raise ControlError(answer["error"])
        return answer["result"]

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
