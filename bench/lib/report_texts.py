# SPDX-License-Identifier: Apache-2.0
"""What docs/performance.md says about each figure. The figures themselves come from bench/all."""

UNITS = {"us": "µs", "x Kamailio": "× Kamailio", "x small": "× small", "x one": "× one worker", "x with questions": "× with questions"}

# key: (title, what it is, what it is not)
FIGURES = {
    "scan": (
        "Scan of an INVITE",
        "Finding the lines and header names of INVITEs of about 750 bytes, 64 or more distinct ones in turn, with the best instruction set that the CPU "
        "has. Beside it, on the same bytes: a complete parse by libosip2 and by sofia-sip, a memchr over the lines, an AVX-512 loop that does nothing but "
        "find delimiters, and memcpy.",
        "It is not a parse: values are read later, and only those that are asked for; `in_dialog` and `stateful` pay for that."),
    "in_dialog": (
        "In-dialog message, mbuf to mbuf",
        "ACK, BYE, re-INVITE, INFO, UPDATE and their responses from both sides, in random order of calls, through the worker's own loop without a driver: "
        "time per message. Every message that comes out is compared with what had to come out. All of strowgerd's defaults: at such rates its trace keeps the messages of some calls, "
        "here and over memif; the notes say what that of all calls costs.",
        "No NIC, no kernel: what a driver costs comes on top."),
    "stateful": (
        "INVITE and its 200, transaction-stateful, mbuf to mbuf",
        "Time per forwarded message, the 100 Trying that is sent and all timers included; transactions of the last 32 s linger meanwhile.",
        "No NIC, no kernel. The call is placed by number and round robin among targets that are up."),
    "call": (
        "A whole call", "Seven messages in (INVITE 100 180 200 ACK BYE 200), start and end of the call put on record: CPU time per call.", ""),
    "large": (
        "The same when everything is large",
        "In-dialog, stateful and whole calls with 1 million live calls, 10 million numbers and 10,000 endpoints in random order, as a multiple of the small "
        "case; with it, how long 10 million numbers take to load and how much memory they take.", ""),
    "memif_in_dialog": (
        "In-dialog messages over memif",
        "About 700 bytes each, sent and drained by the other core through shared memory, at the highest rate that loses nothing. The generator's driver copies into the device's own buffers and out of "
        "them, as a network card would, and the device's copies nothing (`role=client,zero-copy=yes`); beside it what short trials gave with copies at both ends. Found by short trials, "
        "confirmed by a run of 36 s in stretches of four, one right behind the other, of which only one that the host spoilt is made again. Line rate of 10 GbE "
        "is 1.73 million a second. Beside it: testpmd macswap over the same memif in the same run.",
        "It shows a fast data path, not a network card: what crosses from core to core by the caches crosses a bus there."),
    "memif_stateful": (
        "INVITE transactions over memif", "As `memif_in_dialog`, forwarded messages of INVITE and 200, each with its 100 Trying; transactions that linger for 32 s are paid for.", ""),
    "tcp_memif": (
        "Over memif by TCP",
        "As `memif_stateful`, the callers by 100 TCP connections, one to each target; the generator's ends are the same TCP endpoint as a library. "
        "`bench/wire --only tcp --all-connections` takes in-dialog messages, whole calls and other numbers of connections too. A rate counts when every message "
        "came, however often TCP sent it.",
        "The other core writes, checks and acknowledges segments too: it may be what is slow."),
    "tls_memif": ("Over memif by TLS", "INVITE and 200 as in `tcp_memif`, each connection secured by TLS 1.3; the generator's ends are OpenSSL's.",
                  "The other core encrypts and decrypts as much: it may be what is slow."),
    "veth_afxdp": (
        "Over a veth pair, AF_XDP",
        "The highest rate that loses nothing, in-dialog and stateful, as a share of what testpmd macswap does with the same frames on the same port.",
        "Both ends share the kernel and its locks: it measures the kernel as much as us."),
    "veth_afpacket": ("Over a veth pair, AF_PACKET", "As `veth_afxdp`, with the driver that works on any interface.", ""),
    "versus_rate": (
        "INVITE transactions per second beside Kamailio",
        "The same namespaces, the same four or eight targets, the same generator on one core; Kamailio and Strowger in turn, pinned with all their threads "
        "and processes to the other core. An INVITE counts when its 200 is back within T1 (500 ms) and every message on the way came out as it had to. The "
        "highest rate at which not one is lost, confirmed by a run that lasts past 32 s, so that both pay for transactions that linger, in stretches of five of which "
        "two may be made again.",
        "Kamailio 5.6 runs dispatcher (round robin) and tm, stateful, with maxfwd and nothing else: no logging, no accounting, no Record-Route (Strowger adds "
        "one and keeps a live call, here for 32 s). Its timers and Strowger's are those of RFC 3261 and RFC 6026. It has room for all its transactions, in memory that is touched before it starts as Strowger's is, "
        "children enough to fill its core, and the largest receive buffer that the system allows. Over a veth pair what is sent is received on the sender's core, in "
        "its time, unless the receiver has a thread for that. With the DPDK generator its end has one, on its own core, that looks every 100 µs, as another host's network card "
        "would (threaded NAPI; before that, half of what a message took Strowger was the generator's receiving). With the kernel UDP generator the proxies do the "
        "receiving of the generator's sockets, which weighs more on whoever is faster. What the proxies receive is brought to both in the generator's time."),
    "versus_cpu": (
        "CPU per forwarded message beside Kamailio",
        "Time on a CPU of all threads and processes of a proxy, the kernel's work in their name included, from `/proc/PID/task/*/schedstat`, divided by "
        "the INVITEs and 200s that it forwarded; at the rate of `versus_rate` and at 6,000 INVITE/s. A worker that spins takes all of its core whatever it "
        "does, so at 6,000 INVITE/s (and at the highest rate, where it still spun for a tenth of its time or more) the cycles of turns with work in them "
        "count, kernel included; beside them, CPU time of a worker that sleeps when idle. Both by the DPDK generator.",
        "Interrupts that the kernel serves on the other core are in nobody's figure; `core_us` in the JSON is all of the core's busy time, whoever had it."),
    "versus_sipp": (
        "Complete SIPp calls per second",
        "INVITE 100 180 200 ACK BYE 200 between SIPp and SIPp through each proxy, the highest rate that was tried and went without a retransmission. Here "
        "Kamailio adds a Record-Route too, and routes within the dialog.",
        "SIPp is the limit: both its ends share one core."),
    "versus_tcp": (
        "INVITE transactions per second beside Kamailio, over TCP",
        "As `versus_rate`, with kernel TCP sockets at both ends of the generator: 32 connections of the caller that stand, and whatever the proxy opens to its four "
        "targets. CPU per forwarded message as in `versus_cpu`, at that rate.",
        "Strowger's own TCP over AF_XDP against the kernel's: Kamailio's end of the cable has segmentation and checksum offload, as with a network card."),
    "versus_tls": (
        "INVITE transactions per second beside Kamailio, over TLS",
        "As `versus_tcp`, by TLS 1.3 with P-256 certificates on 32 connections that stand, to the targets too; nobody verifies anybody. Kamailio 5.6 with its `tls` "
        "module; the generator is OpenSSL's on both sides.", "At the generator's end every message is encrypted and decrypted too."),
    "tls_handshakes": (
        "TLS handshakes", "Full handshakes that one core can do, by the CPU time that one costs with all that belongs to a connection: TCP from SYN to FIN, a keepalive (CRLF "
        "CRLF) and its answer, behind which the session tickets have come. P-256 and TLS 1.3; the parts say what others cost, and how many a second were seen.",
        "32 at once from one client core, which OpenSSL keeps as busy as the proxy's."),
    "tls_resumptions": ("TLS resumptions", "As `tls_handshakes`, with a session of before.", ""),
    "tls_memory": (
        "Memory of an idle TLS session", "What resident memory grows by per session of TLS 1.3 that stands and has nothing to do, OpenSSL's own included. Strowger's TCP "
        "connection is not in it (`tcp_memory`): that memory is taken at the start.", ""),
    "delay": (
        "Added delay at half load over memif",
        "From a message's leaving the generator to its coming back, at half of the highest rate: p99 and p99.9. Beside it testpmd in the same run, and the "
        "gaps that an empty loop sees because the host stops it.", "On a shared machine the tail is the host's."),
    "two_workers": (
        "Two workers", "Throughput of two workers in one process as a multiple of one's, input prepared beforehand, random Call-IDs: half of all messages "
        "change cores.", ""),
    "tcp_in_dialog": (
        "In-dialog messages by TCP, mbuf to mbuf",
        "As `in_dialog`, with segments in and segments out: acknowledgements, windows and timers of the worker's own TCP are paid for. A hundred connections of "
        "callers, one to each target. Requests have a transaction here too: what was acknowledged once is never sent again by whoever sent it.",
        "The more messages share a connection, the more of them share a segment: one connection is the cheapest, ten thousand the dearest."),
    "tcp_stateful": (
        "INVITE and its 200 by TCP, mbuf to mbuf", "As `stateful`, likewise; beside it other numbers of connections, and calls that change from one transport to the "
        "other.", ""),
    "tcp_connections": (
        "Connections a second", "TCP connections that come, stand and end (SYN to the last ACK) without a message: what one core does when it does nothing else.", ""),
    "tls_in_dialog": ("In-dialog messages by TLS, mbuf to mbuf", "As `tcp_in_dialog`, each connection secured by TLS 1.3; the callers alone ask.", ""),
    "tls_stateful": (
        "INVITE and its 200 by TLS, mbuf to mbuf", "As `tcp_stateful`, each connection secured by TLS 1.3, AES-256-GCM: every message is decrypted once and encrypted once.",
        ""),
    "tls_connections": (
        "TLS connections a second", "As `tcp_connections`, with a full handshake of TLS 1.3 in between, P-256, two session tickets made and sent: what OpenSSL does is all of it.",
        ""),
    "tcp_memory": (
        "Memory of an idle connection", "Resident bytes of a TCP connection that stands and has nothing to do, all tables included, of 100,000 of them.", ""),
    "numbers_load": (
        "Ten million numbers", "From a file (`numbers_file`) through the model into the tables that workers read, as at strowgerd's start: seconds, and "
        "resident memory of all of it, the operator's copy included, at most 700 MiB. Beside it a whole strowgerd: started with the file, given the same over "
        "the control socket by `strowgerctl numbers load`, started from its state file.", "On a machine that others share, the time is theirs too."),
    "number_move": (
        "One number moved", "Any of ten million, to any other profile: the control thread's time from the validated request to the change's being in force, "
        "p99.9 at most 50 µs. Beside it what the control thread spends on a change that comes over the control socket, JSON and all.",
        "Nothing is written to a disk here; with a `state_file` a change is one line more in it."),
    "publication_seen": (
        "A change is seen", "Workers turn on threads of their own and look the changed number up after each turn: the time from the change's being in "
        "force to its being seen, p99. `late` counts looks after a turn that began behind the change and did not see it: there must be none.",
        "Changes that came while the worker's own thread was kept from its core for 100 µs or more are counted apart."),
    "publication_loop": (
        "Workers do not notice changes", "How long the turns of a worker under load over memif take that have work in them (`strowgerctl workers --loop`): p99 "
        "with ten thousand changes a second over the control socket, as a multiple of p99 with as many questions (`profile.get`) that change nothing; beside it p99 without either.",
        "On two cores the generator, the control thread and who sends the changes share one; the worker has the other. Whoever else works on that core, the generator sends what it owes "
        "thereafter at once, and the worker's turns are longer: with questions as with changes."),
    "memory_call": ("Memory of a live call", "Resident bytes, with all that its record will print: a Call-ID of 60 bytes, three attempts.", ""),
    "memory_invite": ("Memory of an INVITE in progress", "Resident bytes of transactions, attempt, the kept message and the call; and of one that "
                      "only lingers: answered, refused (and acknowledged by the caller), or answered by one of two places at which it rang.",
                      "At most 256 bytes may linger."),
}


def _versus(results, figure):
    entry = results["versus_rate"]
    parts = [part for part in entry.get("detail", {}).get("parts", []) if part.get("kamailio")]
    said = [f"{figure(part['strowger'])} INVITE transactions a second without a loss, {figure(part['value'])} times Kamailio's {figure(part['kamailio'])} "
            f"({part['part']})" for part in parts]
    return "beside Kamailio 5.6, stateful, over veth: " + "; ".join(said) if said else ""


def _cpu(results, figure):
    parts = [part for part in results["versus_cpu"].get("detail", {}).get("parts", []) if part.get("kamailio_us")]
    said = [f"{part['part']} {figure(part['strowger_us'])} µs of CPU per forwarded message, Kamailio {figure(part['kamailio_us'])} µs" for part in parts]
    return "kernel included: " + "; ".join(said) if said else ""


def _streams(results, figure, transport):
    beside = results[f"versus_{transport}"]["beside"]
    return (f"beside Kamailio over {transport.upper()}: {figure(beside['strowger'])} INVITE transactions a second without a loss at {figure(beside['strowger_us'])} µs of CPU "
            f"per forwarded message, Kamailio {figure(beside['kamailio'])} at {figure(beside['kamailio_us'])} µs")


# (keys it needs, sentence)
HEADLINES = [
    (["in_dialog"], lambda r, f: f"forwards an in-dialog message in {f(r['in_dialog']['value'])} ns, mbuf to mbuf: {f(1000 / r['in_dialog']['value'])} "
                                 "million a second"),
    (["stateful"], lambda r, f: f"forwards INVITE and 200 statefully at {f(r['stateful']['value'])} ns per message"),
    (["call"], lambda r, f: f"carries a whole call, from INVITE to its record, for {f(r['call']['value'] / 1000)} µs of CPU"),
    (["memif_in_dialog", "memif_stateful"],
     lambda r, f: f"over memif, without a loss: {f(r['memif_in_dialog']['value'])} {r['memif_in_dialog']['unit']} in-dialog, "
                  f"{f(r['memif_stateful']['value'])} {r['memif_stateful']['unit']} stateful"),
    (["versus_rate"], _versus),
    (["versus_cpu"], _cpu),
    (["tcp_stateful", "tcp_connections"],
     lambda r, f: f"by TCP, mbuf to mbuf: {f(r['tcp_stateful']['value'])} ns per message of INVITE and 200, {f(r['tcp_connections']['value'])} connections opened and "
                  "closed a second"),
    (["versus_tcp"], lambda r, f: _streams(r, f, "tcp")),
    (["versus_tls"], lambda r, f: _streams(r, f, "tls")),
    (["tls_handshakes", "tls_resumptions"],
     lambda r, f: f"can do {f(r['tls_handshakes']['value'])} full TLS handshakes a second, or resume {f(r['tls_resumptions']['value'])} sessions; Kamailio "
                  f"{f(r['tls_handshakes']['beside']['kamailio'])} and {f(r['tls_resumptions']['beside']['kamailio'])}"),
    (["memory_call"], lambda r, f: f"holds a live call in {f(r['memory_call']['value'])} bytes"),
]

RUN_AGAIN = [
    "On Debian 12, as root, with two cores and nothing prepared:",
    "",
    "    bench/all            # everything, and this page anew; some 80 minutes on a machine with nothing else to do, an hour of them beside Kamailio",
    "    bench/all --resume   # what an earlier run has not come to",
    "    bench/all --quick    # rough figures in about a minute",
    "    bench/micro | bench/pipeline | bench/publication | bench/wire | bench/versus    # one of them; --help says what it does",
    "",
    "`--json FILE` keeps the figures; those of each step lie in `build-release/figures/` too, as soon as it is done. Each command installs what it lacks and builds what it runs, without assertions, in `build-release/`.",
]

# What a series is plotted against: how it is drawn.
PLOTS = {
    "calls": {"title": "Cost against live calls", "x": "live calls", "y": "ns per message", "log_x": True},
    "numbers": {"title": "Cost against numbers", "x": "numbers", "y": "ns per message", "log_x": True},
    "endpoints": {"title": "Cost against endpoints", "x": "endpoints", "y": "ns per message", "log_x": True},
    "message bytes": {"title": "Cost against message size", "x": "bytes per message", "y": "ns per message"},
    "INVITE/s": {"title": "CPU per forwarded message against load, kernel included", "x": "INVITE/s", "y": "µs per forwarded message"},
    "turn us": {"title": "How long a worker's turns take, without and with changes of numbers", "x": "µs", "y": "share of turns that take longer", "log_x": True,
                "log_y": True},
    "delay load": {"title": "Delay over memif against load", "x": "messages/s", "y": "µs, there and back", "log_y": True},
}
