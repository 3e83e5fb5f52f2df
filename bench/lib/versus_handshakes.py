# SPDX-License-Identifier: Apache-2.0
"""TLS handshakes beside Kamailio: clients by the kernel's sockets and OpenSSL on one core, that connect, shake hands and go; the proxy on the other."""

import json
import subprocess
import sys

from programs import program
from result import median, spread
from versus_bed import CALLER, NAME, PORT, US, Bed, Kamailio, Strowger, before_others, resident_mib
from versus_load import LoadError, moment, spent, twice

AT_ONCE = 32
# (which figure, part, kind of certificate, version, resumed)
CASES = (("tls_handshakes", "TLS 1.3, P-256", "ec", "1.3", False), ("tls_resumptions", "TLS 1.3", "ec", "1.3", True),
         ("tls_handshakes", "TLS 1.2, P-256", "ec", "1.2", False), ("tls_handshakes", "TLS 1.3, RSA-2048", "rsa", "1.3", False),
         ("tls_resumptions", "TLS 1.2", "ec", "1.2", True))
QUICK = 2  # the first so many
SESSIONS, SESSIONS_QUICK = 10000, 1000


def say(words):
    print(words, file=sys.stderr, flush=True)


def shake(bed, proxy, version, resume, seconds):
    """One run: {"rate": handshakes a second, "us": CPU per handshake, ...}."""
    argv = bed.inside(bed.gen, ["taskset", "-c", str(bed.generator_core), program("strowger-handshakes"), "--proxy", US, "--caller", CALLER, "--port", str(PORT),
                                "--name", NAME, "--seconds", str(seconds), "--warmup", "0.2", "--at-once", str(AT_ONCE), "--tls", version,
                                *(["--resume"] if resume else [])])
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    before_others(child.pid)
    moments, end = {}, None
    for line in child.stdout:
        end = json.loads(line)
        moments[end["event"]] = (end, moment(bed, proxy, end["done"]))
    words = child.communicate()[1]
    if child.returncode or not end:
        raise LoadError(f"the TLS clients failed: {words}")
    if end["failed"] or not end["done"]:
        raise LoadError(f"{end['failed']} handshakes failed, {end['done']} did not: {end['why']}")
    (said, begin), (_, done) = moments["measure"], moments["sent"]
    count = moments["sent"][0]["done"] - said["done"]
    resumed = moments["sent"][0]["resumed"] - said["resumed"]
    cpu = spent(bed, begin, done)
    return {"rate": count / moments["sent"][0]["seconds"], "us": cpu["busy_us"] if "busy_us" in cpu else cpu["us"], "resumed": resumed / max(1, count), "cpu": cpu}


def runs(bed, plan, kind, cases, idle):
    """{(version, resumed): {proxy: [run]}}, A B A B. idle: {proxy: [bytes of a session]}, to be added to; None: that is not asked."""
    bed.certify(kind)
    found = {case: {"kamailio": [], "strowger": []} for case in cases}
    starters = {"kamailio": lambda: Kamailio(bed, "fm", 1, transport="tls", touched=False), "strowger": lambda: Strowger(bed, transport="tls", rate=1000, message_mb=64, connections=SESSIONS + 1024)}
    for _ in range(plan.rounds_streams):
        for name, start in starters.items():
            with start() as proxy:
                for version, resume in cases:
                    run = twice(lambda: shake(bed, proxy, version, resume, plan.shake_s))
                    found[version, resume][name].append(run)
                    say(f"versus: {name}, {kind}, TLS {version}{', resumed' if resume else ''}: {run['rate']:.0f} handshakes/s, "
                        f"{run['us']:.0f} us each; {run['resumed']:.0%} resumed")
                if idle is not None:
                    idle.setdefault(name, []).append(twice(lambda: idle_bytes(bed, proxy, SESSIONS_QUICK if plan.quick else SESSIONS)))
    return found


def part(words, found):
    """Handshakes a second that one core can do, by what one costs it."""
    strowger, kamailio = ([1e6 / run["us"] for run in found[name]] for name in ("strowger", "kamailio"))
    return {"part": words, "value": median(strowger), "spread": spread(strowger), "kamailio": median(kamailio),
            "us": median([run["us"] for run in found["strowger"]]), "kamailio_us": median([run["us"] for run in found["kamailio"]]),
            "seen": median([run["rate"] for run in found["strowger"]]), "kamailio_seen": median([run["rate"] for run in found["kamailio"]]),
            "resumed": median([run["resumed"] for run in found["strowger"]]), "kamailio_resumed": median([run["resumed"] for run in found["kamailio"]])}


def idle_bytes(bed, proxy, count):
    """Resident bytes that a proxy grows by per TLS session that stands and has nothing to do: from a tenth of them to all. What earlier ones left behind is
    used again by that tenth, and in nobody's figure."""
    resident = {}
    for stay in (count // 10, count):
        argv = bed.inside(bed.gen, [program("strowger-handshakes"), "--proxy", US, "--caller", CALLER, "--port", str(PORT), "--name", NAME, "--stay", str(stay),
                                    "--at-once", str(AT_ONCE)])
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True) as child:
            said = json.loads(child.stdout.readline() or "{}")
            resident[stay] = resident_mib(proxy.pid)
            child.stdin.close()
        if said.get("done") != stay:
            raise LoadError(f"of {stay} TLS sessions {said.get('done', 0)} stand: {said.get('why', '')}")
    return (resident[count] - resident[count // 10]) * (1 << 20) / (count - count // 10)


def compare(results, plan):
    cases = CASES[:QUICK] if plan.quick else CASES
    found, idle = {}, {}
    with Bed() as bed:
        for kind in ("ec", "rsa"):
            wanted = [(version, resume) for _, _, of_kind, version, resume in cases if of_kind == kind]
            if wanted:
                found[kind] = runs(bed, plan, kind, wanted, idle if kind == "ec" else None)
    for key in ("tls_handshakes", "tls_resumptions"):
        parts = [part(words, found[kind][version, resume]) for of_key, words, kind, version, resume in cases if of_key == key]
        results.add(key, parts[0]["value"], "handshakes/s", spread=parts[0]["spread"],
                    beside={"kamailio": parts[0]["kamailio"], **{each["part"]: each["value"] for each in parts[1:]}}, detail={"parts": parts, "at_once": AT_ONCE})
    results.add("tls_memory", median(idle["strowger"]), "bytes", spread=spread(idle["strowger"]), beside={"kamailio": median(idle["kamailio"])},
                detail={"sessions": SESSIONS_QUICK if plan.quick else SESSIONS})
