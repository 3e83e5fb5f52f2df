# SPDX-License-Identifier: Apache-2.0
"""Huge pages for as long as a benchmark runs."""

import contextlib

COUNT = "/proc/sys/vm/nr_hugepages"


@contextlib.contextmanager
def hugepages(count):
    """At least so many of 2 MiB, as far as the system has memory in one piece; afterwards as many as before. Yields how many there are."""
    with open(COUNT, encoding="ascii") as file:
        before = int(file.read())
    if before < count:
        _set(count)
    try:
        with open(COUNT, encoding="ascii") as file:
            yield int(file.read())
    finally:
        if before < count:
            _set(before)


def _set(count):
    try:
        with open(COUNT, "w", encoding="ascii") as file:
            file.write(str(count))
    except OSError:
        pass  # not ours to change (a container): 4 kB pages do as well
