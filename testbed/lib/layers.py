# SPDX-License-Identifier: Apache-2.0
"""The layer check: a lower floor includes no higher header, and the data plane knows nothing of the control plane."""

import os
import re

from lab import ROOT

# From the ground up; folders on one line stand side by side and do not know each other, except where ALSO says so.
FLOORS = [["base"], ["sip", "tables"], ["net"], ["transport", "tcp", "tls"], ["transaction"], ["proxy"]]
ALSO = {
    "tables": {"sip"},          # numbers and names are SIP's
}
# Files at the top of dataplane/: the floor each stands on (None: above all of them).
TOP = {"port": "base", "eal": "base", "worker": None, "dataplane": None}
# What the control plane may include of the data plane.
DOOR = re.compile(r"(dataplane|port)\.h|(tables|sip|base)/\w+\.h|tls/tls\.h")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def allowed(folder):
    below = {folder} | ALSO.get(folder, set())
    for floor in FLOORS:
        if folder in floor:
            return below
        below |= set(floor)
    raise KeyError(f"dataplane/{folder}/ is on no floor: name it in testbed/lib/layers.py")


def sources(folder):
    for place, _, files in os.walk(os.path.join(ROOT, folder)):
        for name in files:
            if name.endswith((".c", ".h", ".cc")):
                yield os.path.relpath(os.path.join(place, name), ROOT)


def includes(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return INCLUDE.findall(file.read())


def faults_of_data_plane(path):
    parts = path.split(os.sep)[1:]
    if len(parts) == 1:
        stem = re.split(r"[_.]", parts[0])[0]
        floor = TOP.get(stem)
        may = None if floor is None else allowed(floor) | {"net"}
    else:
        may = allowed(parts[0])
    for header in includes(path):
        first = header.split("/")[0] if "/" in header else None
        if os.path.exists(os.path.join(ROOT, "controlplane", header)) and \
                not os.path.exists(os.path.join(ROOT, "dataplane", header)):
            yield f"{path} includes {header}, which is the control plane's"
        elif first and may is not None and os.path.isdir(os.path.join(ROOT, "dataplane", first)) and first not in may:
            yield f"{path} includes {header}, which is above it"
        elif not first and may is not None and TOP.get(header.split(".")[0], "") is None and len(parts) > 1:
            yield f"{path} includes {header}, which is above it"


def faults_of_control_plane(path):
    for header in includes(path):
        ours = os.path.exists(os.path.join(ROOT, "controlplane", header)) or \
            os.path.exists(os.path.join(ROOT, os.path.dirname(path), header))
        if not ours and os.path.exists(os.path.join(ROOT, "dataplane", header)) and not DOOR.fullmatch(header):
            yield f"{path} includes {header}, which is behind the data plane's face"


def faults():
    found = []
    for path in sorted(sources("dataplane")):
        found += faults_of_data_plane(path)
    for path in sorted(sources("controlplane")):
        found += faults_of_control_plane(path)
    return found


if __name__ == "__main__":
    words = faults()
    print("\n".join(words) or "every floor looks only downwards")
    raise SystemExit(bool(words))
