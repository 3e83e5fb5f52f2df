# SPDX-License-Identifier: Apache-2.0
"""A SIP user agent moved by hand, for what SIPp will not do: one socket in a node, messages built line by line."""

import re
import secrets
import socket
import time

from capture import Datagram

SIP_PORT = 5060


class Agent:
    def __init__(self, lab, node, port=SIP_PORT, family=4, address=None):
        self.lab, self.node, self.family = lab, node, family
        self.address, self.port = address or lab.address(node, family), port
        self.strowger = (lab.address("strowger", family), SIP_PORT)
        self.socket = lab.network.socket(node, socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
        self.socket.bind((self.address, port))
        self.kept = []
        self.call_ids = set()

    @property
    def host(self):
        return self.address if self.family == 4 else f"[{self.address}]"

    @property
    def where(self):
        return f"{self.host}:{self.port}"

    def send(self, message, to=None):
        data = message if isinstance(message, bytes) else message.encode()
        self.call_ids.update(found.decode() for found in re.findall(rb"\n(?:Call-ID|i): ([^\r]+)", data))
        self.socket.sendto(data, to or self.strowger)

    def receive(self, seconds=2.0, want=lambda message: True):
        """The next message that is wanted (others are kept for later calls), or None."""
        for at, message in enumerate(self.kept):
            if want(message):
                return self.kept.pop(at)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                payload, source = self.socket.recvfrom(65535)
            except (TimeoutError, ConnectionRefusedError):
                continue
            if not payload.strip():
                continue
            message = Datagram(time.time(), source[:2], (self.address, self.port), payload)
            if want(message):
                return message
            self.kept.append(message)
        return None

    def final(self, seconds=5.0, method="INVITE"):
        """The final response to a request of ours (not what still comes of a call before this agent's time)."""
        return self.receive(seconds, lambda m: not m.is_request and m.status >= 200 and m.call_id in self.call_ids
                            and method in (None, m.cseq_method))

    def request_in(self, method="INVITE", seconds=2.0):
        return self.receive(seconds, lambda m: m.is_request and m.method == method)

    def request(self, method, uri, to=None, via=None, call_id=None, from_tag=None, to_tag=None, cseq=1, hops=70,
                extra=(), body="", contact=True):
        """The text of a request; every line can be had otherwise."""
        to = to or f"<{uri}>"
        lines = [
            f"{method} {uri} SIP/2.0",
            via or f"Via: SIP/2.0/UDP {self.where};branch=z9hG4bK{secrets.token_hex(8)};rport",
            f"From: <sip:{self.node}@{self.where}>;tag={from_tag or secrets.token_hex(4)}",
            f"To: {to}" + (f";tag={to_tag}" if to_tag else ""),
            f"Call-ID: {call_id or secrets.token_hex(10)}",
            f"CSeq: {cseq} {method}",
            *([f"Max-Forwards: {hops}"] if hops is not None else []),
            *([f"Contact: <sip:{self.node}@{self.where}>"] if contact else []),
            *extra,
            f"Content-Length: {len(body.encode())}",
        ]
        return "\r\n".join(lines) + "\r\n\r\n" + body

    def reply(self, request, status, reason="Test", tag=None, extra=()):
        """Answers a request that came in, back to where it came from."""
        self.send(answer(request, status, reason, tag, [*extra, f"Contact: <sip:{self.node}@{self.where}>"]),
                  request.source)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def answer(request, status, reason="Test", tag=None, extra=()):
    to = request.header("to")
    lines = [f"SIP/2.0 {status} {reason}",
             *(f"Via: {via}" for via in request.headers["via"]),
             *(f"Record-Route: {route}" for route in request.headers.get("record-route", [])),
             f"From: {request.header('from')}",
             f"To: {to}" + (f";tag={tag}" if tag and "tag=" not in to else ""),
             f"Call-ID: {request.call_id}",
             f"CSeq: {request.header('cseq')}",
             *extra, "Content-Length: 0"]
    return "\r\n".join(lines) + "\r\n\r\n"


def tag_of(value):
    """The tag parameter of a From or To."""
    return value.partition("tag=")[2].split(";")[0]
