# SPDX-License-Identifier: Apache-2.0
"""Phones of others inside the lab's nodes: baresip and linphone, moved by their control sockets, without a sound card; and Kamailio, a
proxy between Strowger and a target."""

import itertools
import json
import os
import shutil
import socket
import time

from processes import wait_for
from sipp import Sipp

PORT, CONTROL_PORT = 5060, 4444

BARESIP_CONFIG = """\
module_path /usr/lib/baresip/modules
module g711.so
module aubridge.so
module_tmp account.so
module_app ctrl_tcp.so
module_app menu.so
audio_player aubridge,nil
audio_source aubridge,nil
audio_alert aubridge,nil
ctrl_tcp_listen 127.0.0.1:{control}
sip_listen {address}:{port}
{more}call_max_calls {max_calls}
rtp_ports 20000-20100
net_interface eth0
"""


def fresh_folder(lab, name, *below):
    folder = os.path.join(lab.directory, name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(os.path.join(folder, *below))
    return folder


def write(folder, name, text):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(text)


class Baresip:
    """One baresip in a node. Its events are kept until somebody waits for them."""

    def __init__(self, lab, node, user=None, max_calls=4, pair=None, ca=None, transport=None):
        """user: the user part that it takes calls for; None: the node's name. pair, ca: paths of a certificate chain and its key, and of who
        vouches for others; then it speaks TLS alone. transport: "tcp" has its Contact say so; it takes calls by both all the same."""
        self.lab, self.node = lab, node
        self.name = f"baresip-{node}"
        self.address = lab.address(node)
        self.events = []
        self.tokens = itertools.count()
        self.bytes = b""
        self.socket = None
        folder = fresh_folder(lab, self.name)
        more = ""
        if pair:
            write(folder, "pair.pem", "".join(open(path, encoding="ascii").read() for path in pair))
            more = f"sip_certificate {folder}/pair.pem\nsip_cafile {ca}\nsip_verify_server yes\nsip_transports tls\n"
        write(folder, "config", BARESIP_CONFIG.format(control=CONTROL_PORT, address=self.address, port=PORT, max_calls=max_calls, more=more))
        write(folder, "accounts", f"<sip:{user or node}@{self.address}{';transport=tls' if pair else f';transport={transport}' if transport else ''}>;regint=0;answermode=manual\n")
        write(folder, "contacts", "")
        with open(os.path.join(folder, "log"), "w", encoding="utf-8") as log:
            self.child = lab.processes.start(self.name, lab.network.argv(node, ["baresip", "-f", folder]), stdout=log, stderr=log,
                                             cwd=folder, env={**os.environ, "HOME": folder, "LANG": "C"})
        self.log = os.path.join(folder, "log")
        bound = (lambda: tcp_bound(self.child.pid, PORT + 1)) if pair else (lambda: udp_bound(self.child.pid, PORT))
        if not wait_for(lambda: bound() and self._connect(), 10):
            self.stop()
            raise RuntimeError(f"{self.name} does not listen: see {self.log}")

    def _connect(self):
        self.socket = self.lab.network.socket(self.node, socket.AF_INET, socket.SOCK_STREAM)
        try:
            self.socket.connect(("127.0.0.1", CONTROL_PORT))
        except OSError:
            self.socket.close()
            return False
        return True

    def _read(self, seconds):
        """The next JSON object (netstrings: LENGTH:TEXT,), or None when none came in time."""
        end = time.monotonic() + seconds
        while True:
            length, colon, rest = self.bytes.partition(b":")
            if colon and len(rest) > int(length):
                self.bytes = rest[int(length) + 1:]
                return json.loads(rest[:int(length)])
            left = end - time.monotonic()
            if left <= 0:
                return None
            self.socket.settimeout(left)
            try:
                got = self.socket.recv(65536)
            except TimeoutError:
                return None
            if not got:
                raise RuntimeError(f"{self.name} is gone: see {self.log}")
            self.bytes += got

    def do(self, command, params=""):
        """Carries a command of baresip's menu out; what it prints."""
        token = str(next(self.tokens))
        text = json.dumps({"command": command, "params": params, "token": token}).encode()
        self.socket.sendall(b"%d:%s," % (len(text), text))
        while (message := self._read(5)) is not None:
            if message.get("response") and message.get("token") == token:
                return message.get("data", "")
            self.events.append(message)
        raise RuntimeError(f"{self.name} does not answer to {command}: see {self.log}")

    def wait(self, kind, seconds=5):
        """The next event of that type: CALL_INCOMING, CALL_RINGING, CALL_ESTABLISHED, CALL_CLOSED ...; None if it does not come."""
        end = time.monotonic() + seconds
        while True:
            for at, event in enumerate(self.events):
                if event.get("type") == kind:
                    del self.events[:at + 1]
                    return event
            message = self._read(end - time.monotonic())
            if message is None:
                return None
            self.events.append(message)

    def calls(self):
        """How many calls it has, ringing ones too."""
        return self.do("listcalls").count("sip:")

    def stop(self):
        if self.socket:
            self.socket.close()
        self.lab.processes.stop(self.name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


LINPHONE_CONFIG = """\
[sip]
sip_port={port}
sip_tcp_port=0
sip_tls_port=0
contact="{node}" <sip:{node}@{address}>
guess_hostname=1
[video]
capture=0
display=0
automatically_initiate=0
automatically_accept=0
"""


class Linphone:
    """linphone-daemon in a node; its door is a Unix socket, whose name it puts under /tmp."""

    def __init__(self, lab, node):
        self.lab, self.node = lab, node
        self.name = f"linphone-{node}"
        self.socket = None
        self.door = f"strowger-{lab.name}-{node}"
        # It does not make the folder of its database, and without that it does not listen.
        folder = fresh_folder(lab, self.name, ".local/share/linphone")
        config = os.path.join(folder, "rc")
        write(folder, "rc", LINPHONE_CONFIG.format(port=PORT, node=node, address=lab.address(node)))
        self.log = os.path.join(folder, "log")
        with open(os.path.join(folder, "output"), "w", encoding="utf-8") as log:
            self.child = lab.processes.start(self.name, lab.network.argv(node, [
                "linphone-daemon", "--pipe", self.door, "--config", config, "--log", self.log]),
                stdout=log, stderr=log, cwd=folder, env={**os.environ, "HOME": folder, "LANG": "C"})
        if not wait_for(lambda: udp_bound(self.child.pid, PORT) and self._connect(), 15):
            self.stop()
            raise RuntimeError(f"{self.name} does not listen: see {self.log}")

    def _connect(self):
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            self.socket.connect(f"/tmp/{self.door}")
        except OSError:
            self.socket.close()
            return False
        self.socket.settimeout(10)
        return True

    def do(self, command, good=True):
        """A command; its answer as {name: value}."""
        self.socket.sendall(command.encode() + b"\n")
        words = self.socket.recv(65536).decode()
        answer = dict(line.split(": ", 1) for line in words.splitlines() if ": " in line)
        if good and answer.get("Status") != "Ok":
            raise RuntimeError(f"{self.name}: {command}: {words}")
        return answer

    def state(self, call=1):
        """StreamsRunning, Paused ...; "" when the call is over."""
        return self.do(f"call-status {call}", good=False).get("State", "").removeprefix("LinphoneCall")

    def wait(self, *states, call=1, seconds=5):
        return wait_for(lambda: self.state(call) in states, seconds)

    def stop(self):
        if self.socket:
            self.socket.close()
        self.lab.processes.stop(self.name)
        if os.path.exists(f"/tmp/{self.door}"):
            os.unlink(f"/tmp/{self.door}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


KAMAILIO_CONFIG = """\
#!KAMAILIO
children=1
{listen}auto_aliases=no
loadmodule "kex.so"
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "siputils.so"
loadmodule "textops.so"
request_route {{
	if (!mf_process_maxfwd_header("10")) {{
		sl_send_reply("483", "Too Many Hops");
		exit;
	}}
	if (has_totag()) {{
		if (loose_route()) {{
			t_relay();
			exit;
		}}
		if (is_method("ACK")) {{
			if (t_check_trans())
				t_relay();
			exit;
		}}
		sl_send_reply("404", "Not Here");
		exit;
	}}
	if (is_method("CANCEL")) {{
		if (t_check_trans())
			t_relay();
		exit;
	}}
	if (!t_newtran())
		exit;
	record_route();
	$du = "{onward}";
	t_relay();
}}
"""


KAMAILIO_TLS = """\
[server:default]
method = TLSv1.2+
certificate = {chain}
private_key = {key}
ca_list = {ca}
[client:default]
method = TLSv1.2+
verify_certificate = yes
require_certificate = yes
ca_list = {ca}
server_name = {name}
"""


class Kamailio:
    """A stateful proxy in a node, that stays in the route set and sends each new request on to another node."""

    def __init__(self, lab, node, onward, tls=None, transport="udp"):
        """transport: "tcp": towards Strowger, and UDP to the other side. tls: (chain, key, CA, name that is asked of the one that it goes on to) where it speaks TLS to Strowger, and UDP to the other side."""
        self.lab = lab
        self.name = f"kamailio-{node}"
        folder = fresh_folder(lab, self.name)
        listen, uri = f"disable_tcp=yes\nlisten=udp:{lab.address(node)}:{PORT}\n", f"sip:{lab.address(onward)}:{PORT}"
        if transport == "tcp":
            listen = f"listen=udp:{lab.address(node)}:{PORT}\nlisten=tcp:{lab.address(node)}:{PORT}\n"
            if onward == "strowger":
                uri += ";transport=tcp"
        if tls:
            write(folder, "tls.cfg", KAMAILIO_TLS.format(chain=tls[0], key=tls[1], ca=tls[2], name=tls[3]))
            listen = (f"enable_tls=yes\nlisten=udp:{lab.address(node)}:{PORT}\nlisten=tls:{lab.address(node)}:{PORT + 1}\n"
                      f"loadmodule \"tls.so\"\nmodparam(\"tls\", \"config\", \"{folder}/tls.cfg\")\n")
            if onward == "strowger":
                uri = f"sip:{lab.address(onward)}:{PORT + 1};transport=tls"
        write(folder, "kamailio.cfg", KAMAILIO_CONFIG.format(listen=listen, onward=uri))
        self.log = os.path.join(folder, "log")
        with open(self.log, "w", encoding="utf-8") as log:
            child = lab.processes.start(self.name, lab.network.argv(node, [
                shutil.which("kamailio") or "/usr/sbin/kamailio", "-DD", "-E", "-m", "32", "-M", "4", "-Y", folder,
                "-f", os.path.join(folder, "kamailio.cfg")]), stdout=log, stderr=log, cwd=folder)
        if not wait_for(lambda: udp_bound(child.pid, PORT), 10):
            self.stop()
            raise RuntimeError(f"{self.name} does not listen: see {self.log}")

    def stop(self):
        self.lab.processes.stop(self.name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def call(caller, callee, uri):
    """One baresip dials another, which rings and takes the call."""
    caller.do("dial", uri)
    assert callee.wait("CALL_INCOMING"), "the callee's phone rings"
    assert caller.wait("CALL_RINGING"), "and the caller hears it"
    callee.do("accept")
    assert caller.wait("CALL_ESTABLISHED") and callee.wait("CALL_ESTABLISHED")


def hang_up(one, other):
    """The first ends their call; the other notices."""
    one.do("hangup")
    assert other.wait("CALL_CLOSED")
    assert wait_for(lambda: not one.calls() and not other.calls(), 5)


def calls_behind(lab, number, calls=40):
    """SIPp at the stranger calls SIPp at target3, which hangs up, where a Kamailio stands before each of them: at the caller, and at a target."""
    server = Sipp(lab, "target3", "uas_bye")
    try:
        client = Sipp(lab, "stranger", "uac_callee_bye", name="behind", remote=lab.address("caller"), calls=calls, rate=50, seconds=20, options=["-s", number])
        status = client.wait(25)
        assert client.failed == 0 and status == 0, client.errors()[:2000]
        assert server.failed == 0, server.errors()[:2000]
    finally:
        server.stop()


def tcp_bound(pid, port):
    """Whether anybody in a process's own namespace listens there."""
    return _bound(pid, port, ("tcp", "tcp6"))


def udp_bound(pid, port):
    """The same, by UDP."""
    return _bound(pid, port, ("udp", "udp6"))


def _bound(pid, port, tables):
    lines = []
    for table in tables:
        try:
            with open(f"/proc/{pid}/net/{table}", encoding="ascii") as file:
                lines += file.readlines()[1:]
        except (FileNotFoundError, ProcessLookupError):
            pass
    return any(line.split()[1].endswith(f":{port:04X}") for line in lines)
