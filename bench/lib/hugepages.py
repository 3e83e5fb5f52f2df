# SPDX-License-Identifier: Apache-2.0
"""Huge pages for as long as a benchmark runs."""

import contextlib
import re
import signal
import sys

COUNT = "/proc/sys/vm/nr_hugepages"


@contextlib.contextmanager
def hugepages(count):
    """So many free ones of 2 MiB, as far as the system has memory in one piece; as many as were added go again afterwards. Others may do the same
    meanwhile: what is reserved counts as used, and the number is changed by differences."""
    pages = _pages()
    missing = count - (pages.get("Free", 0) - pages.get("Rsvd", 0))
    before = _number()
    if missing > 0:
        _set(pages.get("Total", 0) + missing)  # surplus pages are turned into lasting ones first
    added = _number() - before
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # they are given back then, too
    try:
        yield
    finally:
        if added > 0:
            _set(max(0, _number() - added))


def _pages():
    with open("/proc/meminfo", encoding="ascii") as file:
        return {name: int(number) for name, number in re.findall(r"^HugePages_(\w+):\s+(\d+)", file.read(), re.M)}


def _number():
    with open(COUNT, encoding="ascii") as file:
        return int(file.read())


def _set(number):
    try:
        with open(COUNT, "w", encoding="ascii") as file:
            file.write(str(number))
    except OSError:
        pass  # not ours to change (a container): 4 kB pages do as well
