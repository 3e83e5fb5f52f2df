# SPDX-License-Identifier: Apache-2.0
"""Network namespaces joined by veth pairs through one bridge.

    caller   target1   target2   target3   stranger        each: eth0, IPv4 and IPv6
       |        |         |         |         |
    ===+========+=========+=========+=========+=====  br0  in the namespace "switch"
                          |
                        port0   in the namespace "strowger", without an address:
                                it is a DPDK port; the addresses are on sip0, which strowgerd makes
"""

import ctypes
import os
import socket
import subprocess
import threading

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class NetworkError(Exception):
    pass


def run(argv, **kwargs):
    """Runs a command of the system's; its words go into the error when it fails."""
    done = subprocess.run(argv, capture_output=True, text=True, **kwargs)
    if done.returncode != 0:
        raise NetworkError(f"{' '.join(argv)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


class Network:
    """The namespaces of one lab. Every name begins with the lab's, so that several labs stand side by side."""

    def __init__(self, prefix, hosts):
        """hosts: {node: (ipv4, ipv6)} of the nodes with an ordinary kernel network."""
        self.prefix = prefix
        self.hosts = hosts
        self.nodes = ["switch", "strowger", *hosts]

    def namespace(self, node):
        if node not in self.nodes:
            raise NetworkError(f"no node {node!r}; there are: {', '.join(self.nodes)}")
        return f"{self.prefix}-{node}"

    def path(self, node):
        return f"/run/netns/{self.namespace(node)}"

    def exists(self):
        return [node for node in self.nodes if os.path.exists(self.path(node))]

    def argv(self, node, command):
        """What to execute so that command runs inside a node; `ip` execs it, so its pid is the command's."""
        return ["ip", "netns", "exec", self.namespace(node), *command]

    def run(self, node, command, **kwargs):
        return run(self.argv(node, command), **kwargs)

    def up(self, queues=1):
        for node in self.nodes:
            run(["ip", "netns", "add", self.namespace(node)])
            self._sysctl(node, {
                "net.ipv6.conf.all.accept_dad": 0, "net.ipv6.conf.default.accept_dad": 0,
                "net.ipv6.conf.default.router_solicitations": 0,
                "net.ipv4.ping_group_range": "0 2147483647",
            })
        switch = self.namespace("switch")
        self._batch("switch", ["link set lo up", "link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
                               "link set br0 up"])
        for node, (ipv4, ipv6) in self.hosts.items():
            self._cable(node, "eth0", switch, 1)
            self._batch(node, ["link set lo up", "link set eth0 up", f"addr add {ipv4} dev eth0",
                               f"addr add {ipv6} dev eth0 nodad"])
        # No address and no IPv6 on port0: the kernel must not speak there beside DPDK. It drops what AF_PACKET has
        # been given a copy of; with AF_XDP nothing gets that far.
        self._sysctl("strowger", {"net.ipv6.conf.default.disable_ipv6": 1})
        self._cable("strowger", "port0", switch, queues)
        self._sysctl("strowger", {"net.ipv6.conf.default.disable_ipv6": 0, "net.ipv4.conf.port0.arp_ignore": 8})
        self._batch("strowger", ["link set lo up", "link set port0 up"])
        self.nft("strowger", "table netdev lab { chain port0 { type filter hook ingress device port0 priority 0;"
                             " policy drop; }\n}\n")

    def down(self):
        for node in self.exists():
            run(["ip", "netns", "del", self.namespace(node)])

    def nft(self, node, rules):
        self.run(node, ["nft", "-f", "-"], input=rules)

    def _cable(self, node, name, switch, queues):
        """One veth pair from the bridge to a node. Offloads are off at both ends: a frame must leave as it will arrive."""
        peer = "strowger" if node == "strowger" else node
        count = ["numrxqueues", str(queues), "numtxqueues", str(queues)]
        run(["ip", "-n", switch, "link", "add", peer, *count, "type", "veth",
             "peer", "name", name, *count, "netns", self.namespace(node)])
        run(["ip", "-n", switch, "link", "set", peer, "master", "br0", "up"])
        off = ["tx", "off", "tso", "off", "gso", "off"]
        self.run("switch", ["ethtool", "-K", peer, *off])
        self.run(node, ["ethtool", "-K", name, *off])

    def _batch(self, node, lines):
        run(["ip", "-n", self.namespace(node), "-batch", "-"], input="\n".join(lines) + "\n")

    def _sysctl(self, node, values):
        self.run(node, ["sysctl", "-q", *(f"{key}={value}" for key, value in values.items())])

    def drop(self, percent):
        """Drops a share of the packets to and from Strowger, each way, where both ends believe that they were sent."""
        self.nft("switch", f"""
            table bridge loss {{
                chain forward {{
                    type filter hook forward priority 0;
                    oifname "strowger" ether type {{ ip, ip6 }} numgen random mod 1000 < {percent * 10:.0f} drop
                    iifname "strowger" ether type {{ ip, ip6 }} numgen random mod 1000 < {percent * 10:.0f} drop
                }}
            }}
            """)

    def drop_nothing(self):
        self.nft("switch", "delete table bridge loss\n")

    def divert(self):
        """Takes Strowger's cable off the bridge; what joins the interfaces strowger and link0 of the switch (strowger-link) stands in between."""
        switch = self.namespace("switch")
        run(["ip", "-n", switch, "link", "add", "link0", "type", "veth", "peer", "name", "link1"])
        for name in ("link0", "link1"):
            self.run("switch", ["ethtool", "-K", name, "tx", "off", "tso", "off", "gso", "off", "gro", "off"])
        self.run("switch", ["ethtool", "-K", "strowger", "gro", "off"])
        self._sysctl("switch", {"net.ipv6.conf.link0.disable_ipv6": 1, "net.ipv6.conf.strowger.disable_ipv6": 1})
        self._batch("switch", ["link set strowger nomaster", "link set link1 master br0 up", "link set link0 up"])

    def undivert(self):
        self._batch("switch", ["link del link0", "link set strowger master br0"])

    def socket(self, node, family, kind, protocol=0):
        """A socket of this process that lives in a node's namespace."""
        result = []

        def make():
            with open(self.path(node)) as namespace:
                if _libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), f"setns {node}")
            result.append(socket.socket(family, kind, protocol))

        # A thread of its own moves, and ends there: the caller's namespace stays as it is.
        mover = threading.Thread(target=make)
        mover.start()
        mover.join()
        if not result:
            raise NetworkError(f"no socket in {node}")
        return result[0]
