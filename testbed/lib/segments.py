# SPDX-License-Identifier: Apache-2.0
"""TCP segments made by hand, and connections whose numbers are known."""

import socket
import struct
import time

from scapy.layers.inet import IP, TCP, in4_chksum
from scapy.layers.l2 import Ether
from scapy.packet import Raw

ETH_P_ALL = 3


def mac_of(lab, node, interface):
    return lab.network.run(node, ["cat", f"/sys/class/net/{interface}/address"]).strip()


class Wire:
    """The frames of a node's eth0: all that pass are seen, whatever is wanted is sent."""

    def __init__(self, lab, node):
        self.socket = lab.network.socket(node, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.bind(("eth0", ETH_P_ALL))
        self.socket.setblocking(False)
        self.ether = Ether(src=mac_of(lab, node, "eth0"), dst=mac_of(lab, "strowger", "port0"))

    def frame(self, source, destination, segment, data=b""):
        """bytes of a frame; segment: scapy's TCP, whose checksum is made unless it is given, or bytes, whose checksum is put right."""
        if isinstance(segment, bytes):
            packet = IP(src=source, dst=destination, proto=6)
            segment = segment[:16] + bytes(2) + segment[18:]
            segment = segment[:16] + in4_chksum(6, packet, segment).to_bytes(2, "big") + segment[18:]
            return bytes(self.ether / packet / Raw(segment + data))
        return bytes(self.ether / IP(src=source, dst=destination) / segment / Raw(data))

    def send(self, *frames):
        for frame in frames:
            while True:
                try:
                    self.socket.send(frame)
                    break
                except (BlockingIOError, OSError) as error:
                    if not isinstance(error, BlockingIOError) and error.errno != 105:  # ENOBUFS
                        raise
                    time.sleep(0.001)

    def seen(self):
        """(source, sport, destination, dport, seq, ack, flags, TSval, payload) of the TCP segments that have passed, no VLAN, no IPv6."""
        while True:
            try:
                frame = self.socket.recv(65536)
            except BlockingIOError:
                return
            if frame[12:14] != b"\x08\x00" or frame[23] != 6:
                continue
            at = 14 + (frame[14] & 15) * 4
            sport, dport, seq, ack, offset, flags = struct.unpack_from("!HHIIBB", frame, at)
            end, begin = 14 + struct.unpack_from("!H", frame, 16)[0], at + (offset >> 4) * 4
            yield (socket.inet_ntoa(frame[26:30]), sport, socket.inet_ntoa(frame[30:34]), dport, seq, ack, flags,
                   timestamp_of(frame[at + 20:begin]), frame[begin:end])

    def close(self):
        self.socket.close()


def timestamp_of(options):
    while options and options[0]:
        if options[0] == 1:
            options = options[1:]
        elif options[0] == 8:
            return struct.unpack_from("!I", options, 2)[0]
        else:
            options = options[options[1]:]
    return None


class Victim:
    """A kernel's connection to Strowger from a node with no other TCP, and what an attacker on the path would know of it."""

    def __init__(self, lab, node):
        self.lab, self.node, self.address, self.strowger = lab, node, lab.address(node), lab.address("strowger")
        self.wire = Wire(lab, node)
        self.serial = 0
        self.connect()

    def connect(self):
        self.socket = self.lab.network.socket(self.node, socket.AF_INET, socket.SOCK_STREAM)
        self.socket.settimeout(5)
        self.socket.connect((self.strowger, 5060))
        self.port = self.socket.getsockname()[1]
        self.ask()

    def request(self):
        self.serial += 1
        return (f"OPTIONS sip:{self.strowger} SIP/2.0\r\nVia: SIP/2.0/TCP {self.address}:5099;branch=z9hG4bK-{self.port}-{self.serial}\r\n"
                f"From: <sip:a@victim>;tag=1\r\nTo: <sip:b@{self.strowger}>\r\nCall-ID: victim-{self.port}-{self.serial}\r\nCSeq: 1 OPTIONS\r\n"
                "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n").encode()

    def answer(self):
        got = b""
        while b"\r\n\r\n" not in got:
            more = self.socket.recv(4096)
            if not more:
                return None
            got += more
        return got

    def ask(self):
        """A request and its answer: the connection is whole. Then its numbers are known."""
        self.socket.sendall(self.request())
        answer = self.answer()
        assert answer and answer.startswith(b"SIP/2.0 200 ") and f"victim-{self.port}-{self.serial}".encode() in answer, answer
        self.look()

    def look(self):
        for source, sport, _, dport, seq, ack, flags, stamp, payload in self.wire.seen():
            behind = (seq + len(payload) + bool(flags & 3)) & 0xffffffff
            if source == self.address and sport == self.port:
                self.seq, self.stamp = behind, stamp
            elif source == self.strowger and dport == self.port:
                self.ack, self.echo = behind, stamp

    def segment(self, seq=0, ack=0, flags="A", stamp=0, options=None, **fields):
        """One that this connection might have sent: seq and ack are counted from where it stands, stamp from its last timestamp."""
        if options is None:
            options = [("NOP", None), ("NOP", None), ("Timestamp", ((self.stamp + stamp) & 0xffffffff, self.echo))]
        return TCP(sport=self.port, dport=5060, seq=(self.seq + seq) & 0xffffffff, ack=(self.ack + ack) & 0xffffffff, flags=flags,
                   options=options, **{"window": 500, **fields})

    def close(self):
        self.socket.close()
        self.wire.close()


class Handmade:
    """A connection that no kernel knows of, from a port of the caller's whose resets are kept back (see quiet)."""

    PORTS = range(10000, 11000)  # the kernel takes none of these by itself
    next_port = PORTS.start

    @staticmethod
    def quiet(lab):
        lab.network.nft("caller", f"""table ip handmade {{ chain out {{ type filter hook output priority 0;
            tcp sport {Handmade.PORTS.start}-{Handmade.PORTS.stop - 1} drop;\n}}\n}}\n""")

    def __init__(self, lab, wire):
        self.wire, self.address, self.strowger = wire, lab.address("caller"), lab.address("strowger")
        self.port, Handmade.next_port = Handmade.next_port, Handmade.next_port + 1
        self.seq, self.ack, self.got = 1000, 0, b""

    def send(self, flags, data=b"", **fields):
        segment = TCP(sport=self.port, dport=5060, seq=self.seq, ack=self.ack, flags=flags, **fields)
        self.wire.send(self.wire.frame(self.address, self.strowger, segment, data))

    def hear(self, until, seconds=5):
        """Takes segments in order, and acknowledges them, until until(flags) or what came is enough; False: it did not come."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for source, _, _, dport, seq, _, flags, _, payload in self.wire.seen():
                if source != self.strowger or dport != self.port:
                    continue
                if flags & 2:
                    self.ack = (seq + 1) & 0xffffffff
                elif payload and seq == self.ack:
                    self.got += payload
                    self.ack = (seq + len(payload)) & 0xffffffff
                    self.send("A", window=60000)
                if until(flags):
                    return True
            time.sleep(0.002)
        return False

    def open(self, options, data=b"", **fields):
        self.send("S", data, options=options, **{"window": 60000, **fields})
        if not self.hear(lambda flags: flags & 0x12 == 0x12):
            return False
        self.seq += 1
        self.send("A", window=60000)
        return True

    def ask(self, text):
        """Whether a request is answered."""
        self.send("PA", text, window=60000)
        self.seq += len(text)
        return self.hear(lambda flags: b"\r\n\r\n" in self.got) and self.got.startswith(b"SIP/2.0 200 ")
