# SPDX-License-Identifier: Apache-2.0
"""What a figure was measured on."""

import os
import platform
import re
import subprocess

LIB = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(LIB))


def text_of(path, otherwise=""):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return otherwise


def said(*argv):
    """The first line that a program says; "" where there is no such program."""
    try:
        run = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT)
    except OSError:
        return ""
    return (run.stdout.splitlines() or [""])[0]


def vector_sets():
    flags = re.search(r"^flags\s*:(.*)$", text_of("/proc/cpuinfo"), re.M)
    have = set(flags[1].split()) if flags else set()
    return [name for name in ("avx2", "avx512f", "avx512bw", "avx512vl", "avx512vbmi", "avx512_vbmi2") if name in have]


def caches():
    base, found = "/sys/devices/system/cpu/cpu0/cache", {}
    for entry in sorted(os.listdir(base)) if os.path.isdir(base) else []:
        kind = text_of(f"{base}/{entry}/type")
        if kind != "Instruction":
            found[f"L{text_of(f'{base}/{entry}/level')}"] = text_of(f"{base}/{entry}/size")
    return found


def hugepages():
    found = dict(re.findall(r"^(HugePages_Total|HugePages_Free|Hugepagesize):\s+(\d+)", text_of("/proc/meminfo"), re.M))
    return {name: int(number) for name, number in found.items()}


def machine():
    """A dictionary of plain values, for the JSON and for docs/performance.md."""
    cpuinfo = text_of("/proc/cpuinfo")
    model = re.search(r"^model name\s*:\s*(.*)$", cpuinfo, re.M)
    identity = re.findall(r"^(?:cpu family|model|stepping)\s*:\s*(\d+)$", cpuinfo, re.M)[:3]
    mhz = re.search(r"^cpu MHz\s*:\s*([\d.]+)", cpuinfo, re.M)
    memory = re.search(r"^MemTotal:\s+(\d+)", text_of("/proc/meminfo"), re.M)
    return {
        "cpu": model[1] if model else platform.machine(),
        "cpu_family_model_stepping": "/".join(identity),
        "mhz": float(mhz[1]) if mhz else 0,
        "cores": os.cpu_count(),
        "caches": caches(),
        "vector_sets": vector_sets(),
        "virtual": " hypervisor" in cpuinfo,
        "governor": text_of("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "not to be seen"),
        "isolated_cores": text_of("/sys/devices/system/cpu/isolated") or "none",
        "memory_mib": int(memory[1]) // 1024 if memory else 0,
        "hugepages": hugepages(),
        "transparent_hugepages": text_of("/sys/kernel/mm/transparent_hugepage/enabled"),
        "kernel": platform.release(),
        "compiler": said("cc", "--version"),
        "dpdk": said("pkg-config", "--modversion", "libdpdk"),
        "load": os.getloadavg()[0],
        "commit": said("git", "describe", "--always", "--dirty"),
    }
