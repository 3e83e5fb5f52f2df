# SPDX-License-Identifier: Apache-2.0
"""What was on the wire: tcpdump writes, and this reads the SIP messages back, fragments and streams put together."""

import ipaddress
import os
import re
import signal
import struct
import subprocess

from processes import wait_for

ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_VLAN = 0x0800, 0x86DD, 0x8100
PROTOCOL_TCP, PROTOCOL_UDP, HEADER_FRAGMENT = 6, 17, 44
SYN = 2
COMPACT = {"i": "call-id", "v": "via", "f": "from", "t": "to", "m": "contact", "l": "content-length"}


class Datagram:
    """One SIP message: a UDP datagram, or what a stream held."""

    def __init__(self, when, source, destination, payload):
        self.when = when
        self.source = source            # (address, port)
        self.destination = destination
        self.payload = payload
        head = payload.split(b"\r\n\r\n", 1)[0].decode("utf-8", "replace")
        self.first, *lines = head.split("\r\n")
        self.headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            self.headers.setdefault(COMPACT.get(name, name), []).append(value.strip())
        match = re.match(r"SIP/2\.0 (\d{3})", self.first)
        self.status = int(match.group(1)) if match else None
        self.method = self.cseq_method if match else self.first.split(" ")[0]

    def header(self, name):
        return self.headers.get(name.lower(), [""])[0]

    @property
    def call_id(self):
        return self.header("call-id")

    @property
    def cseq_method(self):
        return self.header("cseq").split(" ")[-1]

    @property
    def is_request(self):
        return self.status is None

    def __repr__(self):
        return f"<{self.when:.3f} {self.source[0]} -> {self.destination[0]} {self.first}>"


class Fragments:
    def __init__(self):
        self.parts = {}

    def add(self, key, offset, more, data):
        """The whole datagram once its last part is there, else None."""
        parts = self.parts.setdefault(key, {})
        parts[offset] = (data, more)
        whole, at = b"", 0
        while at in parts:
            data, more = parts[at]
            whole, at = whole + data, at + len(data)
            if not more:
                del self.parts[key]
                return whole
        return None


class Stream:
    """One direction of a TCP connection: bytes in order, each once."""

    def __init__(self, sequence):
        self.next, self.waiting, self.bytes = sequence, {}, b""

    def add(self, sequence, data):
        self.waiting[sequence] = max(data, self.waiting.get(sequence, b""), key=len)
        for start in sorted(self.waiting, key=lambda at: (at - self.next + 2**31) % 2**32):
            known = (self.next - start) % 2**32  # how much of it is there already
            if known >= 2**31:
                break
            piece = self.waiting.pop(start)[known:]
            self.bytes, self.next = self.bytes + piece, (self.next + len(piece)) % 2**32

    def take(self):
        """The whole messages that are there; they are taken off."""
        while True:
            self.bytes = self.bytes.lstrip(b"\r\n")
            head, blank, rest = self.bytes.partition(b"\r\n\r\n")
            length = re.search(rb"(?im)^(?:content-length|l)[ \t]*:\s*(\d+)", head)
            size = int(length.group(1)) if length else 0
            if not blank or len(rest) < size:
                return
            yield head + blank + rest[:size]
            self.bytes = rest[size:]


def _ip_payload(frame, protocol):
    """(source, destination, data) of a packet of the protocol that is not in fragments, else None."""
    kind, at = struct.unpack_from("!H", frame, 12)[0], 14
    if kind == ETHERTYPE_VLAN:
        kind, at = struct.unpack_from("!H", frame, 16)[0], 18
    if kind == ETHERTYPE_IPV4 and frame[at + 9] == protocol:
        source, destination = (str(ipaddress.IPv4Address(frame[at + n:at + n + 4])) for n in (12, 16))
        return source, destination, frame[at + (frame[at] & 15) * 4:at + struct.unpack_from("!H", frame, at + 2)[0]]
    if kind == ETHERTYPE_IPV6 and frame[at + 6] == protocol:
        source, destination = (str(ipaddress.IPv6Address(frame[at + n:at + n + 16])) for n in (8, 24))
        return source, destination, frame[at + 40:at + 40 + struct.unpack_from("!H", frame, at + 4)[0]]
    return None


def stream_messages(path):
    """(time, (source, port), (destination, port), message) of each message in the TCP connections of a pcap file; the time is that of its last byte."""
    streams = {}
    for when, frame in frames(path):
        found = _ip_payload(frame, PROTOCOL_TCP)
        if not found:
            continue
        source, destination, segment = found
        source_port, destination_port, sequence, _, offset, flags = struct.unpack_from("!HHIIBB", segment)
        key = (source, source_port), (destination, destination_port)
        if flags & SYN:
            streams[key] = Stream((sequence + 1) % 2**32)
        elif key in streams and len(segment) > (offset >> 4) * 4:
            streams[key].add(sequence, segment[(offset >> 4) * 4:])
            for message in streams[key].take():
                yield when, *key, message


def _udp_of_ipv4(packet, fragments):
    length, ident, flags = struct.unpack_from("!HHH", packet, 2)
    source, destination = (str(ipaddress.IPv4Address(packet[at:at + 4])) for at in (12, 16))
    if packet[9] != PROTOCOL_UDP:
        return None
    data = packet[(packet[0] & 15) * 4:length]
    if flags & 0x3FFF:
        data = fragments.add((source, destination, ident), (flags & 0x1FFF) * 8, bool(flags & 0x2000), data)
    return data and (source, destination, data)


def _udp_of_ipv6(packet, fragments):
    length, following = struct.unpack_from("!HB", packet, 4)
    source, destination = (str(ipaddress.IPv6Address(packet[at:at + 16])) for at in (8, 24))
    data = packet[40:40 + length]
    if following == HEADER_FRAGMENT:
        following, _, field, ident = struct.unpack_from("!BBHI", data)
        data = fragments.add((source, destination, ident), field & 0xFFF8, bool(field & 1), data[8:])
    return data and following == PROTOCOL_UDP and (source, destination, data)


def frames(path):
    """(time, frame) of each frame in a pcap file; a last one that is not whole yet is left out."""
    with open(path, "rb") as file:
        header = file.read(24)
        if len(header) < 24:
            return
        order = "<" if header[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
        unit = 1e-9 if header[:4] in (b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d") else 1e-6
        while True:
            record = file.read(16)
            if len(record) < 16:
                return
            seconds, part, size, _ = struct.unpack(order + "IIII", record)
            frame = file.read(size)
            if len(frame) < size:
                return
            yield seconds + part * unit, frame


def udp_datagrams(path):
    """(time, (source, port), (destination, port), payload) of each UDP datagram in a pcap file."""
    fragments = Fragments()
    for when, frame in frames(path):
        kind, at = struct.unpack_from("!H", frame, 12)[0], 14
        if kind == ETHERTYPE_VLAN:
            kind, at = struct.unpack_from("!H", frame, 16)[0], 18
        reader = {ETHERTYPE_IPV4: _udp_of_ipv4, ETHERTYPE_IPV6: _udp_of_ipv6}.get(kind)
        found = reader and reader(frame[at:], fragments)
        if found:
            source, destination, data = found
            source_port, destination_port = struct.unpack_from("!HH", data)
            yield when, (source, source_port), (destination, destination_port), data[8:]


def messages(path):
    """The SIP messages of a pcap file, in order."""
    found = [found for found in udp_datagrams(path) if b"SIP/2.0" in found[3].split(b"\r\n", 1)[0]]
    streams = list(stream_messages(path))
    return [Datagram(*one) for one in (sorted(found + streams, key=lambda one: one[0]) if streams else found)]


class Capture:
    """tcpdump on one interface of one node, listening before the constructor returns."""

    BUFFER_KIB = 32768
    FRAME_BYTES = 4096  # more than a frame here; by default the kernel keeps room for 256 KiB each, and a buffer holds few

    def __init__(self, lab, node="switch", interface="br0", name=None, rule="udp or tcp port 5060 or ip[6:2] & 0x3fff != 0 or ip6[6] == 44"):
        name = name or f"capture-{node}"
        self.lab, self.name = lab, name
        self.path = os.path.join(lab.directory, f"{name}.pcap")
        self.log = os.path.join(lab.directory, f"{name}.log")
        if os.path.exists(self.path):
            os.unlink(self.path)
        with open(self.log, "w", encoding="utf-8") as log:
            lab.processes.start(name, lab.network.argv(node, [
                "tcpdump", "-i", interface, "-U", "-n", "-s", str(self.FRAME_BYTES), "-B", str(self.BUFFER_KIB), "--immediate-mode",
                "-Z", "root", "-w", self.path, rule]), stdout=subprocess.DEVNULL, stderr=log)
        if not wait_for(self._listens, 10):
            raise RuntimeError(f"tcpdump does not listen: {self._words()}")

    def _words(self):
        with open(self.log, encoding="utf-8") as log:
            return log.read()

    def _listens(self):
        return "listening on" in self._words()

    def stop(self):
        """Ends tcpdump once it has written what it has seen; refuses a capture with holes in it."""
        sizes = []
        wait_for(lambda: sizes.append(os.path.getsize(self.path)) or sizes[-5:] == [sizes[-1]] * 5, 2)
        self.lab.processes.stop(self.name, signal.SIGINT)
        lost = re.search(r"(\d+) packets dropped by kernel", self._words())
        if lost and int(lost.group(1)):
            raise RuntimeError(f"the capture has holes: {lost.group(0)}")
        return self

    def messages(self):
        return messages(self.path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.lab.processes.pid(self.name):
            self.stop()
